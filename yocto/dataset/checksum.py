"""The checksum of a downloaded file, noted down beside it, for later downloads to compare with."""

from __future__ import annotations

import re
from pathlib import Path

from yocto.errors import DataError
from yocto.utils.files import write_text


def record_path(target: Path) -> Path:
    """Where the checksum of a downloaded file is recorded."""
    return target.with_name(target.name + ".sha256")


def read_record(target: Path) -> tuple[str | None, str]:
    """The checksum that stands beside a file, and the address that it was downloaded from."""
    path = record_path(target)
    try:
        text = path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror or error}", "Look at it.") from error
    digest = re.search(r"^\\?([0-9a-f]{64}) [ *]\S", text, re.MULTILINE | re.IGNORECASE)
    if digest is None:
        raise DataError(f"{path} holds no SHA-256", "Delete it, or download anew: --overwrite")
    source = re.search(r"^# (\S+)$", text, re.MULTILINE)
    return digest[1].lower(), source[1] if source else ""


def write_record(target: Path, url: str, digest: str) -> None:
    """Write the checksum down; `sha256sum -c` reads it too, and takes the address for a comment."""
    write_text(record_path(target), f"# {url}\n{digest}  {target.name}\n")
