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


def list_copies(state_dir: Path) -> list[Path]:
    """The copies, and what is left of unfinished ones."""
    return sorted((state_dir / FOLDER).glob("state-*"))


def replace_copies(connection: sqlite3.Connection, state_dir: Path, now: float) -> None:
    """One fresh copy in place of all others, without the ids of those who are being forgotten."""
    old = list_copies(state_dir)
    path = state_dir / FOLDER / f"state-{datetime.fromtimestamp(now, UTC):%Y-%m-%d}.db"
    part = _copy(connection, path)
    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute("PRAGMA secure_delete = ON")
        copy.execute("DELETE FROM clients WHERE forgotten > 0")
    part.replace(path)
    for one in old:
        if one != path:
            one.unlink(missing_ok=True)


def _back_up(connection: sqlite3.Connection, state_dir: Path, name: str) -> None:
    folder = state_dir / FOLDER
    path = folder / name
    if path.exists():
        return
    _copy(connection, path).replace(path)
    for old in sorted(folder.glob("state-*.db"), key=_made_at)[:-KEPT]:
        old.unlink()


def _copy(connection: sqlite3.Connection, path: Path) -> Path:
    """A copy beside its place."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    part.touch(mode=PRIVATE)
    with closing(sqlite3.connect(part)) as copy:
        connection.backup(copy)
    return part


def _made_at(path: Path) -> tuple[float, str]:
    return path.stat().st_mtime, path.name
