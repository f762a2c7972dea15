"""What a transformer does besides its matrices, for one token of each of a few texts.

Each of torch's operations takes some microseconds to begin, and a token takes several hundred of
them: for a small model more time than its weights. Here a norm, an attention, an activation is one
call. All numbers are float32, and all arguments addresses and sizes; a text is a row.
"""

# mypy: ignore-errors
from __future__ import annotations

import math

import numpy as np
from numba import types

from yocto.kernels.bits import float_at, put_float, word_at
from yocto.kernels.compiler import inlined, kernel, mark_cached
from yocto.kernels.few_rows import blend_8, blend_32, dot, eight_dots

F = np.float32
GELU, SWIGLU, RELU2 = 0, 1, 2  # what `activate` knows


@inlined
def _exp(x):
    """e to the x, to the last bit or two, in steps that a compiler turns into vectors: 2 to a whole
    power, put together from bits, times a polynomial in what is left (Cephes' expf, Moshier
    1992)."""
    x = min(max(x, F(-87)), F(88))
    whole = math.floor(x * F(1.44269504) + F(0.5))
    x = x - whole * F(0.693359375) - whole * F(-2.12194440e-4)
    p = F(1.9875691500e-4) * x + F(1.3981999507e-3)
    p = p * x + F(8.3334519073e-3)
    p = p * x + F(4.1665795894e-2)
    p = p * x + F(1.6666665459e-1)
    p = p * x + F(5.0000001201e-1)
    power = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
    return F((p * x * x + x + F(1)) * power)


@inlined
def _normalize(x, weight, bias, y, n, eps, centred):
    """y (n,) = the norm of x (n,): around its mean where `centred`. bias: 0 where there is none."""
    mean = F(0)
    if centred != 0:
        for i in range(n):
            mean += float_at(x, i)
        mean /= F(n)
        for i in range(n):
            put_float(y, i, float_at(x, i) - mean)
        x = y
    factor = F(1) / math.sqrt(dot(x, x, n)[0] / F(n) + F(eps))
    for i in range(n):
        put_float(y, i, float_at(x, i) * factor * float_at(weight, i))
    if bias != 0:
        for i in range(n):
            put_float(y, i, float_at(y, i) + float_at(bias, i))


@kernel(types.void, *[types.int64] * 6, types.float64, types.int64)
def normalize(x, weight, bias, y, rows, n, eps, centred):
    """y (rows, n) = LayerNorm of x where `centred`, RMSNorm where not."""
    for row in range(rows):
        _normalize(x + row * n * 4, weight, bias, y + row * n * 4, n, eps, centred)


@inlined
def _place(x, weight, eps, cos, sin, size):
    """A head's query or key (size,) in place: normalised where there is a weight, turned by the
    angles of its position where there are such."""
    if weight != 0:
        _normalize(x, weight, 0, x, size, eps, 0)
    if cos != 0:
        half = size // 2
        for i in range(half):
            left, right = float_at(x, i), float_at(x, i + half)
            put_float(x, i, left * float_at(cos, i) - right * float_at(sin, i))
            put_float(x, i + half, right * float_at(cos, i + half) + left * float_at(sin, i + half))


@inlined
def _softmax(scores, n, scale):
    """Scores (n,) to shares of 1, in place."""
    largest = F(-math.inf)
    for i in range(n):
        largest = max(largest, float_at(scores, i))
    for i in range(n):
        put_float(scores, i, _exp((float_at(scores, i) - largest) * scale))
    total = F(0)
    for i in range(n):
        total += float_at(scores, i)
    for i in range(n):
        put_float(scores, i, float_at(scores, i) / total)


@inlined
def _score(q, keys, scores, n, size):
    """scores (n,) = each of keys (n, size) times q (size,)."""
    stride, whole = size * 4, n - n % 8
    for s in range(0, whole, 8):
        sums = eight_dots(keys + s * stride, q, size)
        for i in range(8):
            put_float(scores, s + i, sums[i])
    for s in range(whole, n):
        put_float(scores, s, dot(keys + s * stride, q, size)[0])


@inlined
def _gather(shares, values, y, n, size):
    """y (size,) = each of values (n, size) times its share, summed in order."""
    i = 0
    while i + 32 <= size:
        blend_32(shares, values + i * 4, n, size * 4, y + i * 4)
        i += 32
    while i + 8 <= size:
        blend_8(shares, values + i * 4, n, size * 4, y + i * 4)
        i += 8
    for at in range(i, size):
        total = F(0)
        for s in range(n):
            total += float_at(shares, s) * float_at(values, s * size + at)
        put_float(y, at, total)


@kernel(types.void, *[types.int64] * 9, types.float64, *[types.int64] * 9)
def attend(
    q, k, v, q_norm, k_norm, cos, sin, keys, values, eps, lengths, scores, y, rows, heads, kv_heads,
    size, room, one,
):  # fmt: skip
    """Attention of one new token of each text to itself and those before it; or, where `one`, of
    several tokens of one text, in order.

    q (rows, heads, size), k, v (rows, kv_heads, size); q_norm, k_norm (size,) or 0; cos, sin
    (room, size) or 0. keys, values: one layer's cache, (rows, kv_heads, room, size), which the new
    token joins; where `one`, (kv_heads, room, size). lengths: int64, the tokens that are there
    before each. scores: memory for (room,). y (rows, heads, size): what each head has found.
    """
    group = heads // kv_heads  # heads that look at the same keys and values
    scale = F(1) / math.sqrt(F(size))
    for row in range(rows):
        at = np.int64(word_at(lengths, row))
        turn = at * size * 4
        cosines = 0 if cos == 0 else cos + turn
        sines = 0 if sin == 0 else sin + turn
        for head in range(kv_heads):
            new = (row * kv_heads + head) * size * 4
            _place(k + new, k_norm, eps, cosines, sines, size)
            base = ((0 if one != 0 else row) * kv_heads + head) * room * size * 4
            for i in range(size):
                put_float(keys + base + turn, i, float_at(k + new, i))
                put_float(values + base + turn, i, float_at(v + new, i))
            first = (row * heads + head * group) * size * 4
            for j in range(group):
                _place(q + first + j * size * 4, q_norm, eps, cosines, sines, size)
            for j in range(first, first + group * size * 4, size * 4):
                _score(q + j, keys + base, scores, at + 1, size)
                _softmax(scores, at + 1, scale)
                _gather(scores, values + base, y + j, at + 1, size)


@kernel(types.void, *[types.int64] * 4)
def activate(kind, gate, x, n):
    """x (n,) in place: GELU in its tanh form, SiLU of the gate times x, or the square of ReLU."""
    if kind == GELU:
        for i in range(n):
            value = float_at(x, i)
            inner = F(1.5957691216) * (value + F(0.044715) * value * value * value)
            put_float(x, i, value / (F(1) + _exp(-inner)))
    elif kind == SWIGLU:
        for i in range(n):
            value = float_at(gate, i)
            put_float(x, i, float_at(x, i) * value / (F(1) + _exp(-value)))
    else:
        for i in range(n):
            value = max(float_at(x, i), F(0))
            put_float(x, i, value * value)


mark_cached("layers")
