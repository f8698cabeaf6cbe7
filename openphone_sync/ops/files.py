"""Writing files so that a reader sees the old or the new one, never a part."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

PRIVATE = 0o600


@contextmanager
def replacing(path: Path, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """A file to write that replaces ``path`` when the block ends well, and is removed when it does not.

    Written beside ``path``, synced to disk, then renamed: a crash leaves the old file. `OSError` passes through.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    _sync_folder(path.parent)


def save_text(path: Path, text: str, mode: int = PRIVATE) -> None:
    """Replace a whole file by ``text`` (UTF-8)."""
    with replacing(path, mode) as file:
        file.write(text.encode())


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, if the file system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
