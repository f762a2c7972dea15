"""The kernels that multiply a few rows with a matrix, against torch's product."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yocto.kernels.few_rows import LANES as LANES_OF
from yocto.kernels.few_rows import NARROW, TALL, few_rows_float32, few_rows_int8

LANES = max(LANES_OF.values())

SIZES = st.sampled_from([1, 2, 3, 5, TALL, 7, 8, 9, LANES - 1, LANES, LANES + 1, 3 * LANES, 67])


def product(x: torch.Tensor, w: torch.Tensor, scale=None, bias=None, onto=0):
    """The kernel's, with a guard behind the result that it must not touch."""
    (n, k), rows = w.shape, len(x)
    y = torch.full((rows * n + 64,), 7.0)
    kernel = few_rows_int8 if w.dtype == torch.int8 else few_rows_float32
    kernel(
        w.data_ptr(), 0 if scale is None else scale.data_ptr(),
        0 if bias is None else bias.data_ptr(), x.data_ptr(), y.data_ptr(), n, k, rows, onto,
    )  # fmt: skip
    assert (y[rows * n :] == 7).all()
    return y[: rows * n].view(rows, n)


@settings(deadline=None)
@given(SIZES, SIZES, st.integers(1, 3 * NARROW), st.booleans(), st.integers(0, 2**31))
def test_the_product_is_torchs(n: int, k: int, rows: int, biased: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    w, x = (torch.randn(size, k, generator=generator) for size in (n, rows))
    bias = torch.randn(n, generator=generator) if biased else None
    expected = x.double() @ w.double().t()
    expected = expected if bias is None else expected + bias.double()
    torch.testing.assert_close(product(x, w, bias=bias).double(), expected, rtol=1e-5, atol=1e-4)


@settings(deadline=None)
@given(SIZES, SIZES, st.integers(1, 3 * NARROW), st.booleans(), st.integers(0, 2**31))
def test_weights_of_one_byte_are_scaled_row_by_row(
    n: int, k: int, rows: int, biased: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    w = torch.randint(-128, 128, (n, k), generator=generator, dtype=torch.int8)
    x, scale = torch.randn(rows, k, generator=generator), torch.rand(n, generator=generator) / 127
    bias = torch.randn(n, generator=generator) if biased else None
    expected = x.double() @ (w.double() * scale.double()[:, None]).t()
    expected = expected if bias is None else expected + bias.double()
    got = product(x, w, scale, bias).double()
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int8])
def test_a_row_is_the_same_to_the_last_bit_whatever_others_there_are(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    w = (40 * torch.randn(13, 3 * LANES + 5, generator=generator)).clamp(-127, 127).to(dtype)
    scale = torch.rand(13, generator=generator) if dtype == torch.int8 else None
    x = torch.randn(21, w.shape[1], generator=generator)
    alone = torch.cat([product(row[None], w, scale) for row in x])
    for rows in range(1, len(x) + 1):
        assert torch.equal(product(x[:rows], w, scale), alone[:rows])


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 2 * NARROW + 3])
def test_the_product_is_added_to_what_is_there(rows: int) -> None:
    w, x = torch.randn(TALL + 1, LANES + 1), torch.randn(rows, LANES + 1)
    torch.testing.assert_close(product(x, w, onto=1), product(x, w) + 7)
