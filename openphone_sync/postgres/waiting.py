"""Connections whose waits end: at a signal, and where the server has said nothing for a minute.

psycopg waits in C and hears of no flag. It waits for what a generator asks for, though, and wakes the generator ten times
a second; so the generators of a `WatchedConnection` are wrapped in one that looks at the clock and at the signal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen, PQGenConn
from psycopg.pq import TransactionStatus

from openphone_sync.errors import InterruptedRunError, UnreachableError

LOCK_TIMEOUT_S = 60
SILENCE_S = 65.0
"""A little longer than the server itself waits for a lock: what it has to say about it is worth more."""
CONNECT_S = 30.0
"""For all addresses of all hosts together; `connect_timeout` is for each of them."""
CANCEL_TIMEOUT_S = 1.5

_T = TypeVar("_T")


class WatchedConnection(psycopg.Connection[Any]):
    """``stopping`` says whether a signal has asked the run to end.

    Time counts while the server is waited for, never while the reader of the rows is slow.
    """

    stopping: Callable[[], bool] = staticmethod(lambda: False)
    silence_s = SILENCE_S
    connect_until_s = float("inf")
    """Monotonic; the same for each address that is tried."""

    def wait(self, gen: PQGen[_T], *args: Any, **options: Any) -> _T:
        """As psycopg waits; a query that is given up is cancelled, and its connection closed.

        Raises `InterruptedRunError` at a signal, and `UnreachableError` where nothing comes.
        """
        try:
            first = next(gen)
        except StopIteration as done:  # there already: most rows of a stream
            value: _T = done.value
            return value
        try:
            return super().wait(_pass_on(gen, self._check_silence, first), *args, **options)
        except psycopg.Error:
            raise
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Cancel what still runs at the server, and close."""
        with suppress(psycopg.Error):
            self.cancel_safe(timeout=CANCEL_TIMEOUT_S)
        self.pgconn.finish()

    def leave(self) -> None:
        """Close; a transaction is rolled back first, since a pooler keeps the connection, if the server answers at once."""
        self.silence_s = CANCEL_TIMEOUT_S
        with suppress(psycopg.Error, UnreachableError):
            status = self.pgconn.transaction_status
            if status == TransactionStatus.ACTIVE:
                self.cancel_safe(timeout=CANCEL_TIMEOUT_S)
            elif status == TransactionStatus.INTRANS:
                self.rollback()
        self.close()

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn[Any]:
        return _pass_on(super()._connect_gen(conninfo), cls._check_connecting)

    @classmethod
    def _check_connecting(cls, silent_s: float) -> None:
        del silent_s  # psycopg has a limit of its own for each address
        if cls.stopping():
            raise InterruptedRunError(0)
        if time.monotonic() > cls.connect_until_s:
            raise psycopg.OperationalError("timeout for all addresses")

    def _check_silence(self, silent_s: float) -> None:
        if self.stopping():
            raise InterruptedRunError(0)
        if silent_s > self.silence_s:
            raise UnreachableError(
                f"the database has sent nothing for {silent_s:.0f} s, so the query was cancelled; "
                "check that the server is up, and run again"
            )


def make_connection_type(
    stopping: Callable[[], bool], silence_s: float = SILENCE_S, connect_s: float = CONNECT_S
) -> type[WatchedConnection]:
    """A type for one connection that is about to be made."""
    members = {
        "stopping": staticmethod(stopping),
        "silence_s": silence_s,
        "connect_until_s": time.monotonic() + connect_s,
    }
    return type("Connection", (WatchedConnection,), members)


def _pass_on(
    gen: Generator[Any, Any, _T], check: Callable[[float], None], first: Any = None
) -> Generator[Any, Any, _T]:
    """The generator, with ``check`` called for as long as nothing comes, with the seconds since the last that came."""
    heard_at = time.monotonic()
    try:
        wanted = next(gen) if first is None else first
        while True:
            ready = yield wanted
            if ready:
                heard_at = time.monotonic()
            else:
                check(time.monotonic() - heard_at)
            wanted = gen.send(ready)
    except StopIteration as done:
        value: _T = done.value
        return value
