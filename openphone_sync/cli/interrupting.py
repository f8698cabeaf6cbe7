"""Signals that end a command which has nothing to finish: at once, but never in the middle of a step."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from openphone_sync.cli.signals import list_heeded
from openphone_sync.errors import InterruptedRunError


class Interrupting:
    """`ports.Shield` of this process. The first signal counts; the next ones do not disturb the tidying up."""

    def __init__(self) -> None:
        self._number = 0
        self._held = False
        self._finished = False

    def handle(self, number: int, _: FrameType | None) -> None:
        """What Python calls for a signal."""
        if self._number or self._finished:
            return
        self._number = number
        if not self._held:
            raise InterruptedRunError(number)

    def check(self) -> None:
        """Python drops an error that is raised while it tidies up an object; this finds the signal again."""
        if self._number and not self._finished:
            raise InterruptedRunError(self._number)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """A signal that comes within waits for the end of the block."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.check()

    def finish(self) -> None:
        """The work is done: a signal comes too late."""
        self._finished = True

    @property
    def finished(self) -> bool:
        """Whether the work is done."""
        return self._finished


@contextmanager
def end_at_signals() -> Iterator[Interrupting]:
    """Until the block ends, every heeded signal raises `InterruptedRunError`.

    After work that was finished they are ignored for good: the process is about to end, and its exit code must not say
    that nothing was done.
    """
    interrupting = Interrupting()
    before = {number: signal.signal(number, interrupting.handle) for number in list_heeded()}
    try:
        yield interrupting
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if interrupting.finished else handler)
