"""A mapping that lies in a temporary file, so that memory does not grow with it."""

from __future__ import annotations

import errno
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

CACHE_KB = 500
CHUNK = 200

_T = TypeVar("_T")


class DiskMap(Generic[_T]):
    """Texts to values, in the order in which the keys came. Safe for many threads; `OSError` where the disk is full.

    SQLite puts the file into the temporary folder (``TMPDIR``), readable only for its owner, and removes it at once.
    """

    def __init__(self, encode: Callable[[_T], bytes], decode: Callable[[bytes], _T]) -> None:
        self._encode, self._decode = encode, decode
        self._lock = threading.Lock()
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._database.close)
        self._execute(f"PRAGMA cache_size = -{CACHE_KB}")
        self._execute("PRAGMA journal_mode = OFF")
        self._execute("CREATE TABLE kept (place INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, value BLOB NOT NULL)")

    def __len__(self) -> int:
        count: int = self._execute("SELECT count(*) FROM kept")[0][0]
        return count

    def __setitem__(self, key: str, value: _T) -> None:
        sql = "INSERT INTO kept (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        self._execute(sql, key, self._encode(value))

    def get(self, key: str) -> _T | None:
        """The value; None without one."""
        found = self._execute("SELECT value FROM kept WHERE name = ?", key)
        return self._decode(found[0][0]) if found else None

    def items(self) -> Iterator[tuple[str, _T]]:
        """Keys and values; what is set meanwhile may be among them."""
        place = 0
        while rows := self._execute(
            "SELECT place, name, value FROM kept WHERE place > ? ORDER BY place LIMIT ?", place, CHUNK
        ):
            yield from ((name, self._decode(value)) for _, name, value in rows)
            place = rows[-1][0]

    def values(self) -> Iterator[_T]:
        """The values alone."""
        return (value for _, value in self.items())

    def _execute(self, sql: str, *parameters: Any) -> list[Any]:
        try:
            with self._lock:
                return self._database.execute(sql, parameters).fetchall()
        except sqlite3.OperationalError as error:
            raise OSError(errno.EIO, f"{error}, in the temporary folder") from error
