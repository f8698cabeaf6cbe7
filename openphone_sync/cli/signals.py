"""Signals that ask the program to end: SIGINT, SIGTERM and SIGHUP. What happens depends on the work.

* `finish_on_signal`: a run begins nothing new, and finishes and records what is in flight.
* `raise_on_signal`: work with nothing to finish ends at once, but never in the middle of a step.
* `exit_on_signal`: the stack unwinds, so that servers are stopped and temporary folders removed.
* `stop_on_signal`: a server runs until then.

Signals that the process was started to ignore (nohup) stay ignored.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

from openphone_sync.errors import InterruptedRunError

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Handler = Callable[[int, FrameType | None], None]


class StopRequest:
    """Whether a signal has come. ``event`` is set from then on, and ends every wait of a clock that is made with it."""

    def __init__(self) -> None:
        self.number = 0
        self.event = threading.Event()

    def signal_number(self) -> int:
        """Number of the first signal; 0 if there was none."""
        return self.number


class Interruption:
    """`ports.Shield` of this process. Only the first signal counts: later ones do not disturb the clean-up."""

    def __init__(self) -> None:
        self._number = 0
        self._is_held = False
        self.is_finished = False

    def handle(self, number: int, _: FrameType | None) -> None:
        """Signal handler."""
        if self._number or self.is_finished:
            return
        self._number = number
        if not self._is_held:
            raise InterruptedRunError(number)

    def check(self) -> None:
        """Raise again if the error was lost: Python drops errors that are raised while it cleans up an object."""
        if self._number and not self.is_finished:
            raise InterruptedRunError(self._number)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """A signal within the block takes effect at its end."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        self.check()

    def finish(self) -> None:
        """The work is done; later signals have no effect."""
        self.is_finished = True


@contextmanager
def finish_on_signal(notice: Callable[[str], None]) -> Iterator[StopRequest]:
    """Until the block ends, the first signal is a request to stop, and a SIGINT after it ends the process at once.

    Ending at once is safe: what was in flight is in the journal, and the next run completes it. Only SIGINT does it,
    because a terminal that closes can send SIGHUP twice. ``notice`` tells the user.
    """
    stop = StopRequest()
    terminals = [stream.fileno() for stream in (sys.__stdout__, sys.__stderr__) if stream and _is_terminal(stream)]

    def handle(number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _detach(terminals)
        if stop.number and number == signal.SIGINT:
            notice("stopped at once; run sync again to complete what was in flight")
            os._exit(128 + number)
        if not stop.number:
            stop.number = number
            notice("stopping: requests in flight are finished and recorded; press Ctrl-C again to stop at once")
            stop.event.set()

    with _handling(handle):
        yield stop


@contextmanager
def raise_on_signal() -> Iterator[Interruption]:
    """Until the block ends, a signal raises `InterruptedRunError`.

    Once the work is finished, signals are ignored for good: the process is about to end, and its exit code must not
    say that nothing was done.
    """
    interruption = Interruption()
    with _handling(interruption.handle, ignore_after=lambda: interruption.is_finished):
        yield interruption


def exit_on_signal(numbers: Iterable[signal.Signals]) -> None:
    """From now on, these signals raise `SystemExit`."""

    def handle(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in numbers:
        signal.signal(number, handle)


def stop_on_signal() -> threading.Event:
    """The event that signals set from now on."""
    event = threading.Event()
    for number in list_handled():
        signal.signal(number, lambda *_: event.set())
    return event


def list_handled() -> list[signal.Signals]:
    """SIGINT, SIGTERM and SIGHUP, without those that this process was started to ignore."""
    return [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def _handling(handle: Handler, ignore_after: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Handle signals until the block ends, then put the former handlers back or ignore signals."""
    before = {number: signal.signal(number, handle) for number in list_handled()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if ignore_after() else handler)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # it is closed
        return False


def _detach(terminals: Iterable[int]) -> None:
    """The terminal is gone: later writes to it go nowhere instead of failing the run."""
    for descriptor in terminals:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
