"""The state file itself: opening, checking, migrating, and single statements. Knows nothing of what is kept."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from openphone_sync.errors import ConfigurationError
from openphone_sync.state.backups import FOLDER, back_up_before_migration, back_up_daily, find_copy_before_migration
from openphone_sync.state.migrations import APPLICATION_ID, CURRENT_VERSION, MIGRATIONS
from openphone_sync.state.seal import save_seal

STATE_FILE = "state.db"
CHUNK = 500
"""Values per ``IN (...)``; SQLite's own limit is 32,766 parameters."""


class StateFile:
    """A connection to the state file, for many threads.

    ``checked_at``: when the whole file was last read through (Unix seconds), to be sealed when the file is closed.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, checked_at: float | None = None) -> None:
        self._connection = connection
        self._path = path
        self._checked_at = checked_at
        self._lock = threading.RLock()

    def close(self) -> None:
        """Close the file; SQLite folds the write-ahead log into it."""
        with self._lock:
            self._connection.close()
            if self._checked_at is not None:
                save_seal(self._path, self._checked_at)

    def check_whole(self) -> None:
        """Raise `ConfigurationError` where SQLite finds the file damaged."""
        with self._lock, plain_errors(self._path):
            _check_whole(self._connection, self._path)

    def read_ahead(self) -> None:
        """Bring the clients into the system's memory: at night they are not there, and come page by page.

        For a thread of its own, while the run loads the driver and waits for the database.
        """
        address = f"{self._path.absolute().as_uri()}?mode=ro"
        with suppress(sqlite3.Error), closing(sqlite3.connect(address, uri=True)) as connection:
            connection.execute("SELECT sum(linked) FROM clients").fetchone()

    # --- facts: small single values ------------------------------------------------------------------------------

    def read_fact(self, name: str) -> str | None:
        """A remembered text, or None."""
        row = self._row("SELECT value FROM facts WHERE name = ?", (name,))
        return row[0] if row else None

    def save_fact(self, name: str, value: str) -> None:
        """Remember a text under a name."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def keep_copy(self, now: float) -> None:
        """A copy for today (``now``: seconds since the epoch), before the first change of the day; later ones do nothing."""
        if self._row("SELECT 1 FROM links LIMIT 1"):
            with self._lock, plain_errors(self._path):
                back_up_daily(self._connection, self._path.parent, now)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, plain_errors(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock, plain_errors(self._path):
            return self._connection.execute(query, values).fetchall()

    def _row(self, query: str, values: tuple[Any, ...] = ()) -> Any:
        rows = self._rows(query, values)
        return rows[0] if rows else None

    def _select_in(self, query: str, values: Iterable[str]) -> list[tuple[Any, ...]]:
        wanted = list(values)
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            rows += self._rows(f"{query} ({', '.join('?' * len(chunk))})", tuple(chunk))
        return rows


def connect_for_writing(path: Path, *, is_sealed: bool = False) -> sqlite3.Connection:
    """Open or create the file, whole and in its current version; `ConfigurationError` says why that cannot be.

    Unless it ``is_sealed`` (`find_seal`) the whole file is read through. A copy is kept before a migration.
    """
    with plain_errors(path):
        connection = _connect(str(path))
        _check_file(connection, path)
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # deleted values are overwritten
        if not is_sealed:
            _check_whole(connection, path)
        version = _version(connection)
        if 0 < version < CURRENT_VERSION and connection.execute("SELECT 1 FROM clients LIMIT 1").fetchone():
            back_up_before_migration(connection, path.parent, version)
        _migrate(connection)
    return connection


def connect_for_looking(path: Path) -> sqlite3.Connection:
    """Open the file so that writes raise. Where there is none, an empty state in memory."""
    with plain_errors(path):
        if path.parent.exists() and not path.parent.is_dir():
            raise ConfigurationError(f"{path.parent} is not a folder; give the state folder with --state-dir")
        connection = _connect(str(path)) if path.exists() else None
        if connection is None or _is_new(connection):  # none, or one that a first run is just making
            connection = _connect(":memory:")
            _migrate(connection)
        else:
            _check_file(connection, path)
            if _version(connection) < CURRENT_VERSION:  # reading must not migrate the file, so a copy is migrated
                copy = _connect(":memory:")
                connection.backup(copy)
                connection.close()
                connection = copy
                _migrate(connection)
        connection.execute("PRAGMA query_only = ON")
    return connection


def _connect(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(name, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA busy_timeout = 10000")
    return connection


def _check_file(connection: sqlite3.Connection, path: Path) -> None:
    if _is_new(connection):
        return
    version, mark = _version(connection), connection.execute("PRAGMA application_id").fetchone()[0]
    if mark != APPLICATION_ID:
        raise ConfigurationError(f"{path} is not a state file of openphone-sync; choose another --state-dir")
    if version > CURRENT_VERSION:
        copy = find_copy_before_migration(path.parent, CURRENT_VERSION)
        instead = f"to stay with this one run rm {path}* && cp {copy} {path}" if copy else "use another --state-dir"
        raise ConfigurationError(
            f"{path} was made by a newer openphone-sync (state version {version}, this one knows {CURRENT_VERSION}); "
            f"install that version again, or {instead}"
        )


def _is_new(connection: sqlite3.Connection) -> bool:
    return _version(connection) == 0 and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def _check_whole(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise _damaged(path)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection) -> None:
    for number in range(_version(connection), CURRENT_VERSION):
        connection.execute("BEGIN IMMEDIATE")
        try:
            MIGRATIONS[number](connection)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number + 1}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _damaged(path: Path) -> ConfigurationError:
    folder = path.parent / FOLDER
    return ConfigurationError(
        f"the state file {path} is damaged; put the latest copy from {folder} in its place, or move it away: the next sync"
        " finds every contact again by its external id"
    )


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one line that says what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise ConfigurationError(
            f"the state file {path} cannot be used ({error}); check the folder's rights and space"
        ) from error
    except sqlite3.DatabaseError as error:
        raise _damaged(path) from error
    except OSError as error:
        raise ConfigurationError(
            f"the state file {path} cannot be used ({error.strerror}); choose another --state-dir"
        ) from error
