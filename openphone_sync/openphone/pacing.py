"""One spaced limiter for every thread and process that shares a state folder.

Each request takes the next free slot from a small SQLite file; slots are ``spacing`` apart, so that no second ever
holds more than its share (counting limiters let twice the ceiling through around the edge of their window: 20 in
1.05 s). The file outlives the process, and with it the spacing that a 429 widened.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from openphone_sync.errors import ConfigurationError
from openphone_sync.ops.files import open_private
from openphone_sync.ports import Clock

MARGIN = 1.05
"""Slots are 5 % wider than the ceiling allows: ten requests span 945 ms and the eleventh leaves at 1,050 ms, so that
20 ms of jitter on the way never put eleven of them into one second."""

WIDEN = 1.5
SAME_NEWS_S = 1.0
"""A 429 so soon after another tells nothing new: both were on their way when the spacing was widened."""
NARROW = 0.98
"""After a 429 each success narrows the spacing so much, down to `LASTING`."""
LASTING = 1.04
"""So much wider it stays for some thousand requests. Jitter of 80 ms costs a 429 only where the spacing is less than 3 %
wider, and so comes once; going straight back would bring it again every few seconds."""
CREEP = 0.99999
MAX_SPACING_S = 5.0
MAX_PAUSE_S = 300.0
"""A Retry-After beyond this is obeyed only so far; the caller says so."""
MAX_QUEUE = 100
"""Slots ahead of now that waiting threads can explain; more means that the clock was set back."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pace (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    next_at REAL NOT NULL,
    widened REAL NOT NULL,
    paused_until REAL NOT NULL
);
INSERT OR IGNORE INTO pace (only, next_at, widened, paused_until) VALUES (1, 0, 1, 0);
"""


class _Waiting:
    """A request that waits for its slot, a Unix time in seconds."""

    def __init__(self, slot: float) -> None:
        self.slot = slot


class Pacer:
    """Hands out slots. ``spacing_s`` is the least distance between two requests in seconds, margin included."""

    def __init__(self, path: Path, spacing_s: float, clock: Clock) -> None:
        self._spacing_s = spacing_s
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []  # those that an urgent request may overtake
        self._path = path
        self._widened_at: float | None = None
        self._policy_s = 0.0
        self._connection = _open(path)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def wait(self, *, urgent: bool = False) -> None:
        """Return when the next request may leave.

        An ``urgent`` one, the write of a contact that has just been read, takes the slot of the first that waits here and
        is not: what staff type between the two requests would be lost.
        """
        waiting = _Waiting(self._take_slot())
        with self._lock:
            if urgent:
                earliest = min(self._waiting, key=lambda other: other.slot, default=waiting)
                if earliest.slot < waiting.slot:
                    earliest.slot, waiting.slot = waiting.slot, earliest.slot
            else:
                self._waiting.append(waiting)
        while True:
            slot = waiting.slot
            delay_s = slot - self._clock.now()
            if delay_s > 0:
                self._clock.sleep(delay_s)
            with self._lock:
                if waiting.slot == slot:  # else an urgent request took it meanwhile
                    if not urgent:
                        self._waiting.remove(waiting)
                    return

    def widen(self, retry_after_s: float | None = None) -> float:
        """A 429 came: space requests wider, and pause as asked; returns the pause in seconds that is obeyed."""
        pause = min(retry_after_s or 0.0, MAX_PAUSE_S)
        most = max(1.0, MAX_SPACING_S / self._spacing_s)
        self._update(
            "widened = min(widened * ?, ?), paused_until = max(paused_until, ?)",
            (WIDEN if self._is_news() else 1.0, most, self._clock.now() + pause),
        )
        return pause

    def _is_news(self) -> bool:
        now = self._clock.monotonic()
        with self._lock:
            news = self._widened_at is None or now - self._widened_at >= SAME_NEWS_S
            self._widened_at = now if news else self._widened_at
        return news

    def narrow(self) -> None:
        """A request went through: come back to nearly the ceiling, and from there very slowly."""
        if self._read("widened") > 1:
            self._update(
                "widened = CASE WHEN widened > ? THEN max(?, widened * ?) ELSE max(1, widened * ?) END",
                (LASTING, LASTING, NARROW, CREEP),
            )

    def obey_policy(self, per_second: float) -> None:
        """The API names its ceiling (``ratelimit-policy``); it rules for this process where it is lower than ours."""
        self._policy_s = MARGIN / per_second

    def _take_slot(self) -> float:
        with self._transaction() as db:
            next_at, widened, paused_until = db.execute("SELECT next_at, widened, paused_until FROM pace").fetchone()
            now = self._clock.now()
            # What the API says makes it slow, never still; only a ceiling of our own may be further apart.
            wanted = max(self._spacing_s, self._policy_s) * widened
            spacing = max(self._spacing_s, min(wanted, MAX_SPACING_S))
            if next_at > now + MAX_QUEUE * spacing:
                next_at = now + spacing
            if paused_until > now + MAX_PAUSE_S:
                paused_until = now
            slot = max(now, float(next_at), float(paused_until))
            db.execute("UPDATE pace SET next_at = ?, paused_until = ?", (slot + spacing, paused_until))
            return slot

    def _read(self, column: str) -> float:
        with self._lock, _plain_errors(self._path):
            return float(self._connection.execute(f"SELECT {column} FROM pace").fetchone()[0])  # noqa: S608  # as below

    def _update(self, assignment: str, values: tuple[float, ...]) -> None:
        with self._transaction() as db:
            db.execute(f"UPDATE pace SET {assignment}", values)  # noqa: S608  # the assignments stand above

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _plain_errors(self._path), self._connection as db:
            db.execute("BEGIN IMMEDIATE")
            yield db


def make_spacing(per_second: int, per_minute: int, per_hour: int) -> float:
    """Seconds between two requests under the lowest of the three ceilings, margin included."""
    return MARGIN * max(1 / per_second, 60 / per_minute, 3600 / per_hour)


def _open(path: Path) -> sqlite3.Connection:
    """The pacing file; a damaged one is replaced, since all it holds is the last second."""
    with _plain_errors(path):
        try:
            return _connect(path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            path.unlink()
            return _connect(path)


@contextmanager
def _plain_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise ConfigurationError(
            f"{path} cannot be written ({error}); check rights and space of the state folder"
        ) from None


def _connect(path: Path) -> sqlite3.Connection:
    os.close(open_private(path, os.O_RDWR | os.O_CREAT))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        # Losing the last second in a power cut costs nothing, so no request waits for the disk.
        connection.execute("PRAGMA synchronous = OFF")
        with closing(connection.cursor()) as cursor:
            cursor.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
