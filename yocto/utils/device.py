"""Which device and number format to compute with."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from yocto import __version__
from yocto.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """The device of that name; "auto" takes a CUDA GPU, else Apple's, else the CPU."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise ConfigError(f"device {name!r} is unknown", "Use auto, cpu, cuda, cuda:N or mps.")
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available[device.type]:
        raise ConfigError(f"this torch finds no device {name!r}", "Use --device auto or cpu.")
    return device


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """The number format of matrix products; "auto" is bfloat16 on a GPU that computes with it.

    A GPU without bfloat16 computes with float16, whose gradients then need a scaler. On a CPU
    "auto" is float32: without special instructions bfloat16 is many times slower there; and on
    Apple's GPUs, which gain little from fewer bits.
    """
    if name != "auto":
        kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
        return kinds[name]
    if device.type == "cuda":
        with torch.cuda.device(device):
            has_it = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_it else torch.float16
    return torch.float32


def allow_tf32(device: torch.device) -> None:
    """Let a GPU multiply float32 matrices with fewer bits of each factor (TF32), several times as
    fast; what is left in float32 beside a lower format needs no more."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")


def idle_gpus(device: torch.device) -> int:
    """How many more GPUs there are of the kind that a run trains on."""
    return torch.cuda.device_count() - 1 if device.type == "cuda" else 0


def describe_device(device: torch.device) -> str:
    """A device in words: "cpu, 2 threads", "cuda:0, NVIDIA H200"."""
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"cpu, {threads} thread{'s' if threads != 1 else ''}"
    if device.type == "cuda":
        return f"{device}, {torch.cuda.get_device_name(device)}"
    return str(device)


def made_with(device: torch.device) -> dict[str, str]:
    """Versions and machine, as a checkpoint notes what it was made with."""
    return {
        "yocto": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "device": describe_device(device),
    }


def available_memory(device: torch.device) -> int | None:
    """Free memory in bytes, where the system tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        meminfo = Path("/proc/meminfo").read_text(encoding="ascii")
        free = 1024 * int(meminfo.partition("MemAvailable:")[2].split()[0])
        return min(free, _free_in_container(Path("/sys/fs/cgroup")) or free)
    except (OSError, ValueError, IndexError):
        pass  # not Linux
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def memory_in_use(device: torch.device) -> int | None:
    """Bytes: of a GPU those that tensors take, else the process's resident memory."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    if device.type == "mps":
        return torch.mps.current_allocated_memory()
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:  # not Linux
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _free_in_container(group: Path) -> int | None:
    """What a container's own limit leaves (cgroup v2), where it has one."""
    try:
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        used = int((group / "memory.current").read_text(encoding="ascii"))
        stat = (group / "memory.stat").read_text(encoding="ascii")
        cached = int(stat.partition("inactive_file ")[2].split()[0])  # given back when asked for
    except (OSError, ValueError, IndexError):
        return None
    return max(0, limit - used + cached)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was asked, so that a clock tells the truth."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
