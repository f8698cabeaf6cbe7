"""A database and a receiver of pings that never answer: a signal ends the run at once, and nothing else waits."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from openphone_sync.sandbox import SandboxOptions
from tests.fault_injection import FaultySandbox
from tests.faults.cases import Tried
from tests.faults.losses import find_leaks
from tests.faults.scene import fill_office
from tests.office import FAST, Office, Ran, open_office, wait_until
from tests.raw_server import answering, raw_server

RUNS = (("sync",), ("dry-run",), ("export-conversations", "--output", "-"))


@dataclass(frozen=True, slots=True)
class Wait:
    """``disturb`` makes the office wait; ``code`` is what a run ends with, 143 after the SIGTERM without which it would wait.

    ``freezes``: the server's process is stopped too. ``limit_s``: from the signal (two seconds, and what a busy machine
    adds), else from the start.
    """

    name: str
    disturb: Callable[[Office], AbstractContextManager[None]]
    runs: tuple[tuple[str, ...], ...] = RUNS
    code: int = 143
    freezes: bool = False
    limit_s: float = 5.0


def run_wait(dsn: str, folder: Path, wait: Wait) -> Tried:
    """Each command once; what it left behind must let the next run through."""
    lost, leaked, hung = [], [], []
    folder.mkdir(parents=True)
    with FaultySandbox(SandboxOptions(rate_limit=FAST)) as sandbox, open_office(dsn, sandbox, folder) as office:
        fill_office(office)
        office.sql("CREATE TABLE openphone_conversations (id int)")
        for command in wait.runs:
            with wait.disturb(office):
                ran, took_s = _run_until_waiting(office, command, wait) if wait.code else _run(office, command)
            lost += [] if ran.code == wait.code else [f"{command[0]} ended with {ran.code}: {ran.err}"]
            leaked += find_leaks(office, ran)
            hung += [f"{command[0]} took {took_s:.1f} s"] if took_s > wait.limit_s else []
        after = office.run("sync", "--json")
        lost += [] if after.code == 0 else [f"the next sync ended with {after.code}: {after.err}"]
    return Tried(len(wait.runs), tuple(lost), tuple(leaked), tuple(hung))


def _run(office: Office, command: tuple[str, ...]) -> tuple[Ran, float]:
    """A run, and its seconds."""
    begun = time.monotonic()
    with office.start(*command) as process:
        out, err = process.communicate()
    return Ran(process.returncode, out, err), time.monotonic() - begun


def _run_until_waiting(office: Office, command: tuple[str, ...], wait: Wait) -> tuple[Ran, float]:
    """A run that gets SIGTERM once the database makes it wait, and its seconds from there."""
    wait_until(lambda: not _find_readers(office))  # of the run before, which a thawed server may only now give up
    with office.start(*command) as process:
        wait_until(lambda: bool(_find_readers(office)))
        frozen = _find_readers(office) if wait.freezes else []
        try:
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate()
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
    return Ran(process.returncode, out, err), time.monotonic() - begun


def _find_readers(office: Office) -> list[int]:
    rows = office.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'openphone-sync' AND state = 'active'")
    return [row[0] for row in rows]


@contextmanager
def _locking(office: Office) -> Iterator[None]:
    with psycopg.connect(office.dsn) as connection:
        connection.execute("LOCK TABLE clients, openphone_conversations")
        yield


@contextmanager
def _dripping(office: Office) -> Iterator[None]:
    """A receiver of health-check pings that sends a byte now and then."""
    drip = answering(b"HTTP/1.1 200 OK\r\nX: ", pause_s=0.5, endless=itertools.repeat(b"x"))
    with raw_server(drip) as port:
        office.environment["OPENPHONE_HEALTHCHECK_URL"] = f"http://127.0.0.1:{port}/"
        yield
        del office.environment["OPENPHONE_HEALTHCHECK_URL"]


WAITS = (
    Wait("a table that another process has locked, and SIGTERM", _locking),
    Wait("a database server that is frozen while it reads, and SIGTERM", _locking, freezes=True),
    Wait("a receiver of health-check pings that drips", _dripping, (("sync",),), 0, limit_s=25.0),
)
