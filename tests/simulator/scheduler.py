"""`ports.Clock` and `ports.Workers` on virtual time: real threads, of which exactly one runs at any moment.

A thread gives the baton away at each step (a request, a sleep, a commit) by naming the moment at which it goes on; the
earliest moment is next. Latencies come from the seed, so the seed chooses the order. `Died` unwinds every thread at its
next step, as if the process were gone: nothing that it still tries reaches the workspace or the state.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from random import Random
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

REQUEST, COMMIT, SLEEP = "request", "commit", "sleep"


class Died(BaseException):
    """The process is gone."""


class Disturber(Protocol):
    """What happens beside the program between two of its steps."""

    def between(self, step: str) -> None:
        """Called with the baton; may let staff act, send a signal, or call `Scheduler.die`."""


class _Thread:
    """A thread that waits for its baton; ``wake`` is the moment at which it goes on."""

    def __init__(self) -> None:
        self.baton = threading.Lock()
        self.baton.acquire()
        self.wake = 0.0
        self.order = 0
        self.call: Callable[[], None] | None = None
        self.waits_for: Collection[Future[Any]] = ()
        self.memory: dict[str, Any] = {}  # what the workspace and the judge remember of the thread


class Pool:
    """Threads, kept from one history to the next: starting them costs more than running them."""

    def __init__(self) -> None:
        self._idle: list[_Thread] = []

    def take(self) -> _Thread:
        """An idle thread, or another one."""
        return self._idle.pop() if self._idle else self._start()

    def put_back(self, thread: _Thread) -> None:
        """It has nothing to do."""
        thread.call = None
        thread.memory = {}
        self._idle.append(thread)

    def _start(self) -> _Thread:
        thread = _Thread()
        threading.Thread(target=self._work, args=(thread,), daemon=True).start()
        return thread

    def _work(self, thread: _Thread) -> None:
        while True:
            thread.baton.acquire()
            if thread.call is not None:
                thread.call()


class Scheduler:
    """The clock and the workers of one process; ``size`` calls run beside each other."""

    def __init__(self, pool: Pool, chance: Random, now: float, size: int) -> None:
        self.size = size
        self.steps = 0
        self.dead = False
        self.signal = 0
        self.disturber: Disturber | None = None
        self._pool = pool
        self._chance = chance
        self._now = now
        self._order = 0
        self._closing = False
        self._main = _Thread()
        self._running = self._main
        self._threads = [self._main]
        self._pending: deque[tuple[Callable[[], None], Future[Any]]] = deque()

    # --- ports.Clock -------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back: the same one."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Wait; a signal ends it."""
        self._give_way(SLEEP, 0.0 if self.signal else seconds)

    # --- steps -------------------------------------------------------------------------------------------------------

    @property
    def memory(self) -> dict[str, Any]:
        """Of the thread that runs."""
        return self._running.memory

    def step(self, kind: str) -> None:
        """Somebody else may go on here, or act, or the process may end."""
        self._give_way(kind, self._chance.random() * (0.6 if kind == REQUEST else 0.01))

    def die(self) -> None:
        """The process ends here."""
        self.dead = True
        raise Died

    def send_signal(self, number: int) -> None:
        """Ask the run to end; those who sleep go on at once."""
        self.signal = number
        for thread in self._threads:
            thread.wake = min(thread.wake, self._now)

    def pass_time(self, seconds: float) -> None:
        """Time goes by while nobody works."""
        self._now += seconds

    def _give_way(self, kind: str, seconds: float) -> None:
        if self.dead:
            raise Died
        self.steps += 1
        if self.disturber is not None:
            self.disturber.between(kind)
        self._switch(self._now + seconds)
        if self.dead:
            raise Died

    def _switch(self, wake: float) -> None:
        """Go on at that moment, or when nobody else is earlier."""
        thread = self._running
        thread.wake = wake
        thread.order = self._next_order()
        following = self._find_next()
        if following is not thread:
            following.baton.release()
            thread.baton.acquire()

    def _find_next(self) -> _Thread:
        following = min(self._threads, key=lambda thread: (thread.wake, thread.order))
        self._now = max(self._now, following.wake)
        self._running = following
        return following

    def _next_order(self) -> int:
        self._order += 1
        return self._order

    # --- ports.Workers -----------------------------------------------------------------------------------------------

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Begin a call, as soon as a worker is free."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001  # of a worker: raised again where the result is asked for
                future.set_exception(error)

        self._pending.append((run, future))
        self._begin()
        return future

    def wait(self, futures: Collection[Future[T]], timeout_s: float) -> set[Future[T]]:
        """Those that are done, as soon as there is one, or none after so many seconds."""
        if not any(future.done() for future in futures):
            self._main.waits_for = futures
            self._switch(self._now + timeout_s)
            self._main.waits_for = ()
            if self.dead:
                raise Died
        return {future for future in futures if future.done()}

    def map(self, call: Callable[[str], T], keys: Sequence[str]) -> Iterator[tuple[str, T]]:
        """Each key with what the call returns for it, in the order of the keys."""

        def begin(key: str) -> Future[T]:
            return self.submit(lambda: call(key))

        futures = [begin(key) for key in keys]
        for key, future in zip(keys, futures, strict=True):
            while not future.done():
                self.wait([future], 3600.0)
            yield key, future.result()

    def close(self) -> None:
        """Let every call that has begun come to its end; what was not begun is dropped."""
        self._pending.clear()
        self._closing = True
        while len(self._threads) > 1:
            self._switch(float("inf"))

    def _begin(self) -> None:
        while self._pending and len(self._threads) <= self.size:
            run, future = self._pending.popleft()
            thread = self._pool.take()
            thread.call = lambda thread=thread, run=run, future=future: self._run(thread, run, future)
            thread.wake, thread.order = self._now + self._chance.random() * 0.01, self._next_order()
            self._threads.append(thread)

    def _run(self, thread: _Thread, run: Callable[[], None], future: Future[Any]) -> None:
        """On the worker's own thread, with the baton; gives it to the next at the end."""
        if self.dead:
            future.set_exception(Died())
        else:
            run()
        self._threads.remove(thread)
        self._pool.put_back(thread)
        if not self.dead and not self._closing:
            self._begin()
        if self.dead or self._closing or future in self._main.waits_for:
            self._main.wake = min(self._main.wake, self._now)
        self._find_next().baton.release()
