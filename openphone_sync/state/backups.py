"""Copies of the state file beside it, made with SQLite's backup API: whole at any moment, also while it is in use.

The last seven stay, whatever they were made for.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from openphone_sync.ops.files import PRIVATE

FOLDER = "backups"
KEPT = 7


def back_up_daily(connection: sqlite3.Connection, state_dir: Path, now: float) -> None:
    """The first change of a day (UTC) keeps the state as it was before it."""
    _back_up(connection, state_dir, f"state-{datetime.fromtimestamp(now, UTC):%Y-%m-%d}.db")


def back_up_before_migration(connection: sqlite3.Connection, state_dir: Path, version: int) -> None:
    """The state as the version before understood it."""
    _back_up(connection, state_dir, _name_before_migration(version))


def find_copy_before_migration(state_dir: Path, version: int) -> Path | None:
    """The copy that `back_up_before_migration` made of a state of this version, if it is still there."""
    path = state_dir / FOLDER / _name_before_migration(version)
    return path if path.exists() else None


def _name_before_migration(version: int) -> str:
    return f"state-version-{version}.db"


def _back_up(connection: sqlite3.Connection, state_dir: Path, name: str) -> None:
    folder = state_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    if path.exists():
        return
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    part.touch(mode=PRIVATE)
    with closing(sqlite3.connect(part)) as copy:
        connection.backup(copy)
    part.replace(path)
    for old in sorted(folder.glob("state-*.db"), key=_made_at)[:-KEPT]:
        old.unlink()


def _made_at(path: Path) -> tuple[float, str]:
    return path.stat().st_mtime, path.name
