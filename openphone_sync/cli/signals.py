"""Signals that ask the program to end: SIGINT, SIGTERM and SIGHUP. What happens depends on the work.

* `finish_on_signal`: a run begins nothing new, and finishes and records what is in flight.
* `raise_on_signal`: work with nothing to finish ends at once, but never in the middle of a step.
* `exit_on_signal`: the stack unwinds, so that servers are stopped and temporary folders removed.
* `stop_on_signal`: a server runs until then.

Signals that the process was started to ignore (nohup) stay ignored. Where there is something to finish or clean up, a second
SIGINT or SIGTERM ends the process at once, and so does the time: 30 s after the first signal it is over. That is safe: what
was in flight is in the journal, and the next run completes it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TextIO

from openphone_sync.errors import InterruptedRunError

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_S = 30.0
ECHO_S = 0.5
"""A SIGTERM so soon after another is the same one: `timeout` sends it to the process and to its group."""
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
def finish_on_signal(notice: Callable[[str], None], grace_s: float = GRACE_S) -> Iterator[StopRequest]:
    """Until the block ends, the first signal is a request to stop, for which there are ``grace_s``. ``notice`` tells the user."""
    stop = StopRequest()
    terminals = [stream.fileno() for stream in (sys.__stdout__, sys.__stderr__) if stream and _is_terminal(stream)]

    def handle(number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _detach(terminals)
        if not stop.number:
            stop.number = number
            stop.event.set()
            with suppress(RuntimeError):  # the signal came in the middle of a write to the same stream
                notice("stopping: requests in flight are finished and recorded; press Ctrl-C again to stop at once")

    with _handling(handle, grace_s):
        yield stop


@contextmanager
def raise_on_signal(grace_s: float = GRACE_S) -> Iterator[Interruption]:
    """Until the block ends, a signal raises `InterruptedRunError`.

    Once the work is finished, signals are ignored for good: the process is about to end, and its exit code must not
    say that nothing was done.
    """
    interruption = Interruption()
    with _handling(interruption.handle, grace_s, ignore_after=lambda: interruption.is_finished):
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
def _handling(handle: Handler, grace_s: float, ignore_after: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Handle signals until the block ends, then put the former handlers back or ignore signals."""
    first: list[tuple[int, float]] = []
    watchdog = _Watchdog(grace_s)

    def handle_each(number: int, frame: FrameType | None) -> None:
        if not first:
            first.append((number, time.monotonic()))
            if not ignore_after():
                watchdog.start(number)
        elif number in (signal.SIGINT, signal.SIGTERM) and not _is_echo(number, *first[0]) and not ignore_after():
            _end_at_once(number)
        handle(number, frame)

    before = {number: signal.signal(number, handle_each) for number in list_handled()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if ignore_after() else handler)
        watchdog.stop()


def _is_echo(number: int, first: int, came_at: float) -> bool:
    return number == first == signal.SIGTERM and time.monotonic() - came_at < ECHO_S


class _Watchdog:
    """A thread that ends the process where the orderly end does not come. It is told by a pipe: a handler takes no lock."""

    def __init__(self, grace_s: float) -> None:
        self._hears, self._tells = os.pipe()
        threading.Thread(target=self._watch, args=(grace_s,), name="watchdog", daemon=True).start()

    def start(self, number: int) -> None:
        """A signal has come: the time runs."""
        os.write(self._tells, bytes([number]))

    def stop(self) -> None:
        """The end has come."""
        os.write(self._tells, b"\0")

    def _watch(self, grace_s: float) -> None:
        number = os.read(self._hears, 1)[0]
        if number and not select.select([self._hears], [], [], grace_s)[0]:
            _end_at_once(number)
        os.close(self._hears)
        os.close(self._tells)


def _end_at_once(number: int) -> None:
    if select.select([], [2], [], 0)[1]:  # a full pipe must not keep what nobody reads
        os.write(2, b"openphone-sync: stopped at once; run the command again, which completes what was in flight\n")
    os._exit(128 + number)


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
