"""Which device and number format to compute with."""

from contextlib import nullcontext

import pytest
import torch

from yocto.errors import ConfigError
from yocto.utils.device import (
    allow_tf32,
    available_memory,
    describe_device,
    idle_gpus,
    pick_device,
    pick_dtype,
    synchronize,
)

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def machine(monkeypatch):
    """A machine that has the accelerators that a test says, whatever this one has."""

    def has(cuda: int = 0, mps: bool = False, bf16: bool = True) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **options: bf16)
        monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return has


@pytest.mark.parametrize(
    ("has", "device"),
    [
        ({}, "cpu"),
        ({"cuda": 1}, "cuda"),
        ({"mps": True}, "mps"),
        ({"cuda": 1, "mps": True}, "cuda"),
    ],
)
def test_auto_takes_the_best_device_there_is(machine, has, device):
    machine(**has)
    assert pick_device("auto") == torch.device(device)


@pytest.mark.parametrize(
    ("has", "name"),
    [({}, "cpu"), ({"cuda": 1}, "cuda"), ({"cuda": 1}, "cuda:0"), ({"cuda": 4}, "cuda:3"),
     ({"mps": True}, "mps"), ({"cuda": 1}, "cpu")],
)  # fmt: skip
def test_a_device_that_is_there_may_be_named(machine, has, name):
    machine(**has)
    assert pick_device(name) == torch.device(name)


@pytest.mark.parametrize(
    ("has", "name"),
    [({}, "cuda"), ({}, "cuda:0"), ({"cuda": 2}, "cuda:2"), ({}, "mps"), ({"cuda": 1}, "mps")],
)
def test_a_device_that_is_not_there_is_refused_by_name(machine, has, name):
    machine(**has)
    with pytest.raises(ConfigError, match=f"finds no device '{name}'"):
        pick_device(name)


@pytest.mark.parametrize("name", ["", "gpu", "cuda:x", "tpu", "meta", "cuda:-5", "CPU "])
def test_an_unknown_device_is_refused_with_the_known_ones(machine, name):
    machine(cuda=1)
    with pytest.raises(ConfigError, match=f"device '{name}' is unknown") as caught:
        pick_device(name)
    assert "auto, cpu, cuda, cuda:N or mps" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "device", "bf16", "dtype"),
    [
        ("auto", CPU, True, torch.float32),
        ("auto", CUDA, True, torch.bfloat16),
        ("auto", CUDA, False, torch.float16),
        ("auto", torch.device("mps"), True, torch.float32),
        ("float32", CUDA, True, torch.float32),
        ("bfloat16", CPU, True, torch.bfloat16),
    ],
)
def test_auto_is_what_the_device_computes_with_quickly(machine, name, device, bf16, dtype):
    machine(cuda=1, bf16=bf16)
    assert pick_dtype(name, device) is dtype


@pytest.mark.parametrize(("device", "count"), [(CPU, 0), (CUDA, 3)])
def test_idle_gpus_are_counted_for_a_run_on_one(machine, device, count):
    machine(cuda=4)
    assert idle_gpus(device) == count


@pytest.mark.parametrize(("device", "asked"), [(CPU, []), (CUDA, ["high"])])
def test_only_a_gpu_is_asked_for_tf32(monkeypatch, device, asked):
    found: list[str] = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", found.append)
    allow_tf32(device)
    assert found == asked


@pytest.mark.parametrize(("threads", "words"), [(1, "cpu, 1 thread"), (6, "cpu, 6 threads")])
def test_the_cpu_in_words(monkeypatch, threads, words):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert describe_device(CPU) == words


def test_a_gpu_in_words(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    assert describe_device(torch.device("cuda:0")) == "cuda:0, NVIDIA H200"
    assert describe_device(torch.device("mps")) == "mps"


def test_free_memory_is_told_in_bytes(monkeypatch):
    memory = available_memory(CPU)
    assert memory is None or 1 << 20 < memory < 1 << 50
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (123, 456))
    assert available_memory(CUDA) == 123


def test_where_the_system_does_not_tell_free_memory_is_none(monkeypatch):
    def refuse(name):
        raise ValueError("unrecognized configuration name")

    def missing(*args, **options):
        raise FileNotFoundError

    monkeypatch.setattr("os.sysconf", refuse)
    monkeypatch.setattr("pathlib.Path.read_text", missing)
    assert available_memory(CPU) is None


def test_synchronize_waits_for_the_device_that_was_asked(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    synchronize(CPU)
    assert waited == []
    synchronize(CUDA)
    assert waited == [CUDA]
