"""The pacer on a virtual clock, against servers that count in three ways, with jitter on the way.

Hours pass in a second and a seed repeats every run; the pacer is the product's own. ``python -m benchmarks.virtual_pace``
prints the table, which `pace` has too.
"""

from __future__ import annotations

import heapq
import itertools
import random
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from openphone_sync.openphone.pacing import Pacer, make_spacing
from openphone_sync.wiring import WORKERS

RATE = 10
LATENCY_S = 0.3
RETRY_S = (0.5, 1.0)
"""A refused request is sent again after so long."""

Server = Callable[[float], bool]
"""Says whether a request that comes in at this second is let through."""


def make_fixed_window() -> Server:
    """Counts in whole seconds of its own clock."""
    counts: Counter[int] = Counter()

    def allows(now: float) -> bool:
        counts[int(now)] += 1
        return counts[int(now)] <= RATE

    return allows


def make_sliding_window() -> Server:
    """Counts what it let through in the second before."""
    passed: deque[float] = deque()

    def allows(now: float) -> bool:
        while passed and passed[0] <= now - 1:
            passed.popleft()
        if len(passed) < RATE:
            passed.append(now)
            return True
        return False

    return allows


def make_token_bucket() -> Server:
    """Ten tokens, ten new ones a second."""
    tokens, filled_at = float(RATE), 0.0

    def allows(now: float) -> bool:
        nonlocal tokens, filled_at
        tokens, filled_at = min(RATE, tokens + (now - filled_at) * RATE), now
        if tokens < 1:
            return False
        tokens -= 1
        return True

    return allows


SERVERS = {"fixed window": make_fixed_window, "sliding window": make_sliding_window, "token bucket": make_token_bucket}


@dataclass(frozen=True, slots=True)
class Paced:
    """One run: requests sent, how many were answered 429, and the share of ten a second that went through."""

    sent: int
    refused: int
    share: float


class _Clock:
    """Stands still while a worker asks for a slot, and notes how long it would have slept."""

    def __init__(self) -> None:
        self.moment = 1_000_000.0
        self.wakes_at = 0.0

    def now(self) -> float:
        return self.moment

    def monotonic(self) -> float:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.wakes_at = self.moment + seconds


def run(server: Server, jitter_s: float, seed: int, *, items: int, requests_each: int = 1) -> Paced:
    """So many items by as many workers as a run has; an item takes its requests one after the other (read, then patch)."""
    dice, clock, order = random.Random(seed), _Clock(), itertools.count()
    clock.moment += dice.random()
    started, sent, refused, done = clock.moment, 0, 0, 0
    events = [(clock.moment, next(order), "ask", requests_each) for _ in range(WORKERS)]
    with tempfile.TemporaryDirectory() as folder, closing(_make_pacer(Path(folder), clock)) as pacer:
        while done < items:
            clock.moment, _, what, left = heapq.heappop(events)
            now = clock.wakes_at = clock.moment
            if what == "ask":
                pacer.wait(urgent=left < requests_each)
                event = (clock.wakes_at + dice.uniform(0, jitter_s), "arrive", left)
            elif what == "arrive":
                sent += 1
                event = (now + LATENCY_S, "answer" if server(now) else "refusal", left)
            elif what == "answer":
                pacer.narrow()
                done += left == 1
                event = (now, "ask", left - 1 or requests_each)
            else:
                refused += 1
                pacer.widen()
                event = (now + dice.uniform(*RETRY_S), "ask", left)
            heapq.heappush(events, (event[0], next(order), event[1], event[2]))
    return Paced(sent, refused, items * requests_each / RATE / (clock.moment - started))


def _make_pacer(folder: Path, clock: _Clock) -> Pacer:
    return Pacer(folder / "pacing.db", make_spacing(RATE, RATE * 60, RATE * 3600), clock)


def make_table(runs: int = 10, items: int = 1_300) -> str:
    """Markdown: creations under each server and jitter, and updates."""
    rows = [
        _row(f"creations, {name}", jitter_s, [run(make(), jitter_s, seed, items=items) for seed in range(runs)])
        for jitter_s in (0.02, 0.08)
        for name, make in SERVERS.items()
    ]
    updates = [run(make_sliding_window(), 0.02, seed, items=items // 2, requests_each=2) for seed in range(runs)]
    rows.append(_row("updates (read, then patch), sliding window", 0.02, updates))
    head = "| | jitter ms | runs | requests | answered 429 | share of the limit, least | mean |"
    return "\n".join([head, "|---|---:|---:|---:|---:|---:|---:|", *rows]) + "\n"


def _row(name: str, jitter_s: float, runs: Sequence[Paced]) -> str:
    sent, refused = sum(one.sent for one in runs), sum(one.refused for one in runs)
    shares = [one.share for one in runs]
    return (
        f"| {name} | {jitter_s * 1000:.0f} | {len(runs)} | {sent:,} | {refused} | {min(shares):.1%} | "
        f"{sum(shares) / len(shares):.1%} |"
    )


if __name__ == "__main__":
    sys.stdout.write(make_table())
