"""How far a run has come: a bar on a terminal, elsewhere lines or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from openphone_sync.cli.output import print_notice
from openphone_sync.ports import NotedProgress
from openphone_sync.wiring import NoProgress

LINE_EVERY_S = 30.0


@contextmanager
def show_progress(*, quiet: bool, lines: bool = False) -> Iterator[NotedProgress]:
    """A progress bar if stderr is a terminal; elsewhere nothing, or with ``lines`` a line now and then."""
    if not quiet and lines and not sys.stderr.isatty():
        yield LineProgress()
    elif quiet or not sys.stderr.isatty():
        yield NoProgress()
    else:
        from openphone_sync.cli.bar import BarProgress  # noqa: PLC0415  # rich: 30 ms that a run from cron saves

        with BarProgress() as bar:
            yield bar


class LineProgress:
    """`ports.NotedProgress` without a terminal: a line on stderr, at most one in ``every_s`` seconds."""

    def __init__(self, every_s: float = LINE_EVERY_S, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._monotonic = monotonic
        self._printed_at = monotonic()
        self._what, self._note = "", ""
        self._total: int | None = None
        self._done = 0

    def start(self, what: str, total: int | None) -> None:
        """A stage begins."""
        self._what, self._note, self._total, self._done = what, "", total, 0

    def advance(self, count: int = 1) -> None:
        """A part of the stage is done."""
        self._done += count
        now = self._monotonic()
        if now - self._printed_at >= self._every_s:
            self._printed_at = now
            of = f" of {self._total}" if self._total is not None else ""
            print_notice(f"{self._what}: {self._done}{of}{f' ({self._note})' if self._note else ''}")

    def note(self, text: str) -> None:
        """Show a text beside the count."""
        self._note = text

    def finish(self) -> None:
        """The stage is over."""
