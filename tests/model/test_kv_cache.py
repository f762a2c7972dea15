"""The key-value cache alone; with the GPT it is tested in test_gpt.py."""

from __future__ import annotations

import torch
from tiny import tiny_config

from yocto.model.kv_cache import KVCache


def chunk(time: int) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (1, 1, time, 8)  # (B, n_kv_head, T, D)
    return torch.randn(shape), torch.randn(shape)


def test_the_cache_has_room_for_block_size_positions_of_key_value_heads() -> None:
    cache = KVCache(tiny_config(n_kv_head=1, block_size=12), batch_size=3)
    assert cache.keys.shape == cache.values.shape == (2, 3, 1, 12, 8)
    assert (cache.keys.shape[3], cache.length) == (12, 0)


def test_update_returns_all_positions_so_far_in_order() -> None:
    cache = KVCache(tiny_config(n_kv_head=1))
    first, second = chunk(3), chunk(2)
    cache.update(0, *first)
    cache.advance(3)
    keys, values = cache.update(0, *second)
    assert torch.equal(keys, torch.cat([first[0], second[0]], dim=2))
    assert torch.equal(values, torch.cat([first[1], second[1]], dim=2))


def test_layers_do_not_mix() -> None:
    cache = KVCache(tiny_config(n_kv_head=1))
    first, second = chunk(2), chunk(2)
    cache.update(0, *first)
    keys, _ = cache.update(1, *second)
    assert torch.equal(keys, second[0])
    assert torch.equal(cache.keys[0, :, :, :2], first[0])


def test_reset_forgets_everything() -> None:
    cache = KVCache(tiny_config(n_kv_head=1))
    cache.update(0, *chunk(4))
    cache.advance(4)
    cache.reset()
    fresh = chunk(1)
    keys, values = cache.update(0, *fresh)
    assert torch.equal(keys, fresh[0])
    assert torch.equal(values, fresh[1])


def test_the_cache_takes_the_asked_number_format() -> None:
    cache = KVCache(tiny_config(), dtype=torch.bfloat16)
    assert cache.keys.dtype == cache.values.dtype == torch.bfloat16


def filled(*lengths: int) -> KVCache:
    """A cache of texts of these lengths, each number saying which text and position it is of."""
    cache = KVCache(tiny_config(n_kv_head=1, block_size=12), len(lengths))
    for stored in (cache.keys, cache.values):
        for row in range(len(lengths)):
            stored[:, row] = 100 * row + torch.arange(12.0)[None, None, :, None]
    cache.lengths = list(lengths)
    return cache


def test_texts_of_different_lengths_take_one_token_each() -> None:
    cache = filled(2, 5, 3)
    assert cache.positions(1).tolist() == [[2], [5], [3]]
    mask = cache.mask(1, torch.float32)
    assert (mask == 0).flatten(1).sum(dim=1).tolist() == [3, 6, 4]
    new = torch.randn(3, 1, 1, 8), torch.randn(3, 1, 1, 8)
    parts = zip(cache.update(0, *new), (cache.keys, cache.values), new, strict=True)
    for got, before, fresh in parts:
        assert got.shape == (3, 1, 6, 8)
        for row, length in enumerate(cache.lengths):
            assert torch.equal(got[row, :, length], fresh[row, :, 0])
            assert torch.equal(got[row, 0, :length, 0], 100 * row + torch.arange(float(length)))
        assert torch.equal(before[1, 1, 0, :, 0], 100 + torch.arange(12.0))  # another layer
    cache.advance(1)
    assert cache.lengths == [3, 6, 4]


def test_a_text_moves_is_cut_and_is_looked_at_alone() -> None:
    cache = filled(2, 5, 3)
    part = cache.rows(1, 2)
    assert (part.lengths, part.length) == ([5], 5)
    part.update(0, *(torch.full((1, 1, 1, 8), -1.0),) * 2)
    assert cache.keys[0, 1, 0, 5, 0] == -1
    cache.swap(1, 0)
    assert cache.lengths == [5, 5, 3]
    assert cache.values[1, 0, 0, :5, 0].tolist() == [100, 101, 102, 103, 104]
    cache.cut(0, 4)
    assert cache.lengths == [4, 5, 3]


def test_texts_go_on_as_copies_of_others() -> None:
    cache = filled(3, 3, 3)
    cache.select([2, 0, 2])
    assert cache.keys[1, :, 0, 1, 0].tolist() == [201, 1, 201]
    assert cache.lengths == [3, 3, 3]
