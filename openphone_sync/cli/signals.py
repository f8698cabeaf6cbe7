"""Signals that ask a run to end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

from openphone_sync.cli.exit import say

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def list_heeded() -> list[signal.Signals]:
    """Signals that ask to end, except those that this process was started to ignore (nohup)."""
    return [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]


class Ending:
    """Which signal came, if any."""

    def __init__(self) -> None:
        self.number = 0

    def signal_number(self) -> int:
        """The first signal's number; 0 while there was none."""
        return self.number


@contextmanager
def catch_signals(wake: Callable[[], None]) -> Iterator[Ending]:
    """Until the block ends, the first heeded signal asks for an orderly end, and a SIGINT after it ends at once.

    Ending at once is safe too: what was in flight is in the journal and settled by the next run. Only SIGINT does it,
    since a terminal that closes can send SIGHUP twice.
    """
    ending = Ending()
    terminals = [stream.fileno() for stream in (sys.__stdout__, sys.__stderr__) if stream and _is_terminal(stream)]

    def handle(number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _detach(terminals)
        if ending.number and number == signal.SIGINT:
            say("stopped at once; run sync again, which settles what was in flight")
            os._exit(128 + number)
        if not ending.number:
            ending.number = number
            say("stopping: requests in flight are finished and recorded; press Ctrl-C once more to stop at once")
            wake()

    before = {number: signal.signal(number, handle) for number in list_heeded()}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def _detach(terminals: list[int]) -> None:
    """The terminal has gone: what is written to it from now on would fail, and must not fail the run."""
    for descriptor in terminals:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
