"""Every wait for the database ends: at a lock, at silence, at a signal; and a slow reader is never cut off."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from openphone_sync.errors import InterruptedRunError, UnreachableError
from openphone_sync.postgres.connecting import SESSION, begin_reading, plain_errors
from openphone_sync.postgres.waiting import make_connection_type
from tests.office import JAMES, Office, wait_until
from tests.raw_server import raw_server

SILENCE_S = 0.6


def never() -> bool:
    return False


def hear_out(connection: socket.socket) -> None:
    """A server that takes what it is sent, and never answers."""
    while connection.recv(4096):
        pass


@contextmanager
def locked(dsn: str, *tables: str) -> Iterator[int]:
    """Tables that a migration holds; the process id of its connection."""
    with psycopg.connect(dsn, application_name="migration") as connection:
        for table in tables:
            connection.execute(f"LOCK TABLE {table}".encode())
        yield connection.info.backend_pid


def still_running(dsn: str) -> int:
    """Queries of ours that the server has not ended."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'openphone-sync' AND state = 'active'"
        ).fetchone()
    return int(row[0]) if row else 0


@pytest.mark.parametrize("command", [("sync",), ("dry-run",), ("export-conversations", "--output", "-"), ("stats",)])
def test_a_signal_ends_a_wait_for_a_locked_table(command: tuple[str, ...], office: Office) -> None:
    office.make_clients(JAMES)
    office.sql("CREATE TABLE openphone_conversations (id int)")
    with locked(office.dsn, "clients", "openphone_conversations"):
        with office.start(*command) as process:
            wait_until(lambda: still_running(office.dsn) > 0)
            start = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.communicate()
        assert process.returncode == 143
        assert time.monotonic() - start < 15  # an orderly end has 30 s, the lock 60
        wait_until(lambda: still_running(office.dsn) == 0, 5)


def test_a_locked_table_names_the_process_that_holds_it(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE clients (id int)")
    with locked(dsn, "clients") as pid, make_connection_type(never).connect(dsn) as reading:
        begin_reading(reading, {"lock_timeout": "100ms"})
        with pytest.raises(UnreachableError) as caught, plain_errors("the clients", "OPENPHONE_CLIENT_TABLE", reading):
            reading.execute("SELECT * FROM clients")
    words = f"the table is locked: process {pid} (user postgres, migration) has locked clients; "
    assert words in str(caught.value)


def test_reading_waits_a_minute_for_a_lock_and_never_sets_it_for_others(dsn: str) -> None:
    assert SESSION["lock_timeout"] == "60s"
    with make_connection_type(never).connect(dsn) as connection:
        begin_reading(connection)
        assert show(connection) == "1min"
        connection.commit()
        assert show(connection) == "0"


def show(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute("SHOW lock_timeout").fetchone()
    return str(row[0]) if row else ""


def test_a_server_that_says_nothing_ends_the_query_at_both_ends(dsn: str) -> None:
    connection = make_connection_type(never, silence_s=SILENCE_S).connect(dsn, application_name="openphone-sync")
    start = time.monotonic()
    with pytest.raises(UnreachableError, match="the database has sent nothing for"):
        connection.execute("SELECT pg_sleep(60)")
    assert time.monotonic() - start < 20
    assert connection.closed
    wait_until(lambda: still_running(dsn) == 0, 5)


def test_leaving_does_not_wait_for_a_server_that_is_frozen(dsn: str) -> None:
    connection = make_connection_type(never).connect(dsn)
    connection.execute("SELECT 1")
    backend = connection.info.backend_pid
    os.kill(backend, signal.SIGSTOP)
    try:
        start = time.monotonic()
        connection.leave()
        assert time.monotonic() - start < 20  # a query would wait 65 s
    finally:
        os.kill(backend, signal.SIGCONT)
    assert connection.closed


def test_a_slow_reader_is_not_silence(dsn: str) -> None:
    rows = "COPY (SELECT repeat('x', 100000) FROM generate_series(1, 200)) TO STDOUT"
    with (
        make_connection_type(never, silence_s=SILENCE_S).connect(dsn) as connection,
        connection.cursor() as cursor,
        cursor.copy(rows) as copy,
    ):
        sizes = []
        for number, message in enumerate(copy):
            time.sleep(2 * SILENCE_S if number in (1, 150) else 0)
            sizes.append(len(message))
    assert sizes == [100_001] * 200


@pytest.mark.parametrize("address", ["127.0.0.1", ",".join(["127.0.0.1"] * 20)], ids=["one", "twenty"])
def test_a_server_that_never_answers_is_given_up_however_many_addresses_it_has(address: str) -> None:
    with raw_server(hear_out) as port:
        start = time.monotonic()
        with pytest.raises(psycopg.OperationalError):
            make_connection_type(never, connect_s=SILENCE_S).connect(f"host={address} port={port} connect_timeout=10")
        assert time.monotonic() - start < 9  # one address would take 10 s, twenty 12 s


def test_a_signal_ends_a_connection_that_is_being_made() -> None:
    with raw_server(hear_out) as port:
        start = time.monotonic()
        with pytest.raises(InterruptedRunError):
            make_connection_type(lambda: time.monotonic() > start + 0.3).connect(f"host=127.0.0.1 port={port}")
        assert time.monotonic() - start < 9
