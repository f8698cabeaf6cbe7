"""The command line in a process that dies at its Nth step: `python -m tests.dying N ARGUMENTS`.

A step is an SQL statement that begins or ends a change of the state file, or a file that is renamed or removed. The
process is killed (SIGKILL) before the step is carried out.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from typing import Any

from openphone_sync.cli.app import run

_connect = sqlite3.connect

STATEMENTS = ("BEGIN", "COMMIT", "VACUUM", "PRAGMA WAL_CHECKPOINT", "DELETE FROM CLIENTS")


class Countdown:
    """Counts steps, and kills the process at one of them."""

    def __init__(self, dies_at: int) -> None:
        self.steps = 0
        self._dies_at = dies_at

    def look_at(self, event: str, _: tuple[Any, ...]) -> None:
        """An audit hook."""
        if event in ("os.rename", "os.remove"):
            self._step()

    def connect(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        """`sqlite3.connect`, with statements counted."""
        connection: sqlite3.Connection = _connect(*arguments, **options)
        connection.set_trace_callback(self._trace)
        return connection

    def _trace(self, statement: str) -> None:
        if statement.lstrip().upper().startswith(STATEMENTS):
            self._step()

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    countdown = Countdown(int(sys.argv[1]))
    sqlite3.connect = countdown.connect  # type: ignore[assignment]  # one of its overloads
    sys.addaudithook(countdown.look_at)
    sys.exit(run(sys.argv[2:]))
