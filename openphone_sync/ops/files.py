"""Writing files so that a reader sees the old or the new one, never a part; and only where nobody else can write."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from openphone_sync.errors import ConfigurationError

PRIVATE = 0o600


@contextmanager
def replacing(path: Path, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """A file to write that replaces ``path`` when the block ends well, and is removed when it does not.

    Written beside ``path``, synced to disk, then renamed: a crash leaves the old file. `OSError` passes through.
    """
    handle, name = _make_part(path)
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


def remove_parts(path: Path) -> None:
    """Remove what killed processes left of their attempts to write ``path``; what is still being written stays."""
    parts = re.compile(re.escape(f".{path.name}.") + r"[a-z0-9_]{8}\.part")
    with suppress(OSError):
        for part in [entry for entry in path.parent.iterdir() if parts.fullmatch(entry.name)]:
            handle = os.open(part, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink()
            except BlockingIOError:
                continue
            finally:
                os.close(handle)


def _make_part(path: Path) -> tuple[int, str]:
    """A new file beside ``path``, open and locked: the kernel frees the lock of a process that dies."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, name
        os.close(handle)  # another process removed it before it was locked


def save_text(path: Path, text: str, mode: int = PRIVATE) -> None:
    """Replace a whole file by ``text`` (UTF-8)."""
    with replacing(path, mode) as file:
        file.write(text.encode())


def check_state_dir(state_dir: Path) -> None:
    """Refuse a folder that others could use to read or bend what is written there; `ConfigurationError`."""
    status = state_dir.stat()
    if status.st_uid not in (os.geteuid(), 0):
        raise ConfigurationError(
            f"the state folder {state_dir} belongs to another user (uid {status.st_uid}); run this as that user, give the "
            "folder to yours (chown), or choose another with --state-dir"
        )
    if status.st_mode & stat.S_IWOTH:
        raise ConfigurationError(f"the state folder {state_dir} can be written by everybody; run chmod 700 {state_dir}")
    link = next((entry.name for entry in state_dir.iterdir() if entry.is_symlink()), None)
    if link:
        raise ConfigurationError(
            f"{state_dir / link} is a link, which is never followed in the state folder; put what it leads to in its place"
        )


def open_private(path: str | Path, flags: int) -> int:
    """Open a file of the state folder, only for its owner; a link in its place is an `OSError`."""
    handle = os.open(path, flags | os.O_NOFOLLOW, PRIVATE)
    with suppress(OSError):  # it is root's, in a folder that root shares with us
        os.fchmod(handle, PRIVATE)
    return handle


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, if the file system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
