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
