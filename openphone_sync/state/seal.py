"""When the state file was last read through, and how it looked when we last closed it.

Reading a file of a gigabyte through at every start would cost more than a night without changes. A file that looks as we
left it, and that was read through in the last week, is taken as whole. Everything else is read through first: no
seal, a write-ahead log that a dead process left, another size or time (a restored copy, a foreign hand).
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from openphone_sync.ops.files import save_text

SEAL_FILE = "state.checked"
CHECK_EVERY_S = 7 * 86_400.0


def find_seal(path: Path, now: float) -> float | None:
    """When the file was last read through (Unix seconds), if that is less than a week ago and it is as we closed it."""
    try:
        seal = json.loads((path.parent / SEAL_FILE).read_text(encoding="utf-8"))
        checked_at, look = float(seal["checkedAt"]), seal["look"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    is_recent = 0 <= now - checked_at < CHECK_EVERY_S
    return checked_at if look and look == _look_at(path) and is_recent else None


def save_seal(path: Path, checked_at: float) -> None:
    """Note how the closed file looks. Without the note it is read through at the next start, so failing is allowed."""
    look = _look_at(path)
    if look is None:
        return
    with suppress(OSError):
        save_text(path.parent / SEAL_FILE, json.dumps({"checkedAt": checked_at, "look": look}))


def _look_at(path: Path) -> list[int] | None:
    """Size and time of the file in nanoseconds; None while a write-ahead log with content stands beside it."""
    try:
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            return None
        found = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]
