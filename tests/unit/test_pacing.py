"""The spaced limiter, on clocks that are turned by hand: no test waits."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from openphone_sync.errors import ConfigurationError
from openphone_sync.openphone.pacing import (
    LASTING,
    MAX_PAUSE_S,
    MAX_SPACING_S,
    NARROW,
    SAME_NEWS_S,
    WIDEN,
    Pacer,
    make_spacing,
)

SPACING_S = 0.105


class HandClock:
    """Time passes only by waiting. ``sleeps`` are the moments until which somebody waited."""

    def __init__(self, now: float = 1_000_000.0, *, frozen: bool = False) -> None:
        self.moment = now
        self.steady = 0.0
        self.frozen = frozen
        self.slots: list[float] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.moment

    def monotonic(self) -> float:
        return self.steady

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slots.append(self.moment + seconds)
            if not self.frozen:
                self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        self.moment += seconds
        self.steady += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def pacer(tmp_path: Path, clock: HandClock) -> Iterator[Pacer]:
    made = Pacer(tmp_path / "pacing.db", SPACING_S, clock)
    yield made
    made.close()


def take(pacer: Pacer, clock: HandClock, count: int) -> list[float]:
    """When so many requests leave, one after the other."""
    moments = []
    for _ in range(count):
        pacer.wait()
        moments.append(clock.now())
    return moments


def gaps(moments: list[float]) -> list[float]:
    return [round(later - earlier, 4) for earlier, later in itertools.pairwise(moments)]


def busiest(moments: list[float], window_s: float) -> int:
    """The most requests in any stretch of so many seconds."""
    return max(sum(start <= one < start + window_s for one in moments) for start in moments)


def test_requests_are_spaced_and_never_come_in_a_burst(pacer: Pacer, clock: HandClock) -> None:
    assert gaps(take(pacer, clock, 50)) == [SPACING_S] * 49
    clock.pass_by(60)
    assert gaps(take(pacer, clock, 5)) == [SPACING_S] * 4, "a pause saves nothing up"


@pytest.mark.parametrize(
    ("ceilings", "window_s", "most"),
    [((10, 600, 36000), 1, 10), ((10, 60, 36000), 60, 60), ((10, 600, 120), 3600, 120)],
)
def test_the_lowest_ceiling_rules(ceilings: tuple[int, int, int], window_s: float, most: int, tmp_path: Path) -> None:
    clock = HandClock()
    pacer = Pacer(tmp_path / "pacing.db", make_spacing(*ceilings), clock)
    moments = take(pacer, clock, 2 * most)
    pacer.close()
    assert busiest(moments, window_s) <= most
    assert len(moments) / (moments[-1] - moments[0]) > 0.9 * most / window_s


@pytest.mark.parametrize("ceilings", [(10, 600, 36000), (10, 60, 36000), (10, 600, 120)])
def test_a_ceiling_survives_a_restart(ceilings: tuple[int, int, int], tmp_path: Path) -> None:
    clock = HandClock()
    moments = []
    for _ in range(5):
        pacer = Pacer(tmp_path / "pacing.db", make_spacing(*ceilings), clock)
        moments += take(pacer, clock, 3)
        pacer.close()
    assert min(gaps(moments)) >= round(make_spacing(*ceilings), 4)


def test_threads_share_the_slots(tmp_path: Path) -> None:
    clock = HandClock(frozen=True)
    pacer = Pacer(tmp_path / "pacing.db", SPACING_S, clock)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: pacer.wait(), range(80)))
    pacer.close()
    assert gaps(sorted(clock.slots)) == [SPACING_S] * 78  # the first of 80 did not have to wait


OTHER_PROCESS = """
import json, sys
from pathlib import Path
from openphone_sync.openphone.pacing import Pacer
from tests.unit.test_pacing import SPACING_S, HandClock

clock = HandClock(frozen=True)
pacer = Pacer(Path(sys.argv[1]), SPACING_S, clock)
for _ in range(40):
    pacer.wait()
print(json.dumps(clock.slots))
"""


def test_processes_share_the_slots(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OTHER_PROCESS, str(tmp_path / "pacing.db")]
    root = Path(__file__).resolve().parents[2]
    started = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    slots = sorted(slot for process in started for slot in json.loads(process.communicate(timeout=60)[0]))
    assert len(slots) == 79
    assert gaps(slots) == [SPACING_S] * 78


def test_a_429_widens_and_success_narrows_slowly(pacer: Pacer, clock: HandClock) -> None:
    pacer.widen()
    take(pacer, clock, 1)
    assert gaps(take(pacer, clock, 3)) == [round(SPACING_S * WIDEN, 4)] * 2
    pacer.narrow()
    take(pacer, clock, 1)
    assert gaps(take(pacer, clock, 2)) == [round(SPACING_S * WIDEN * NARROW, 4)]
    for _ in range(50):
        pacer.narrow()
    take(pacer, clock, 1)
    assert gaps(take(pacer, clock, 3)) == [round(SPACING_S * LASTING, 4)] * 2, "it stays a little wider"
    for _ in range(5_000):
        pacer.narrow()
    take(pacer, clock, 1)
    assert gaps(take(pacer, clock, 3)) == [SPACING_S] * 2, "but not for ever"


def test_a_volley_of_429_is_one_piece_of_news(pacer: Pacer, clock: HandClock) -> None:
    """Ten requests in flight are refused together: to widen for each would slow the next minutes to a crawl."""
    for _ in range(10):
        pacer.widen()
    take(pacer, clock, 1)
    assert gaps(take(pacer, clock, 2)) == [round(SPACING_S * WIDEN, 4)]


@pytest.mark.parametrize("spacing_s", [SPACING_S, 31.5])
def test_widening_has_an_end_and_never_narrows(spacing_s: float, tmp_path: Path) -> None:
    clock = HandClock()
    pacer = Pacer(tmp_path / "pacing.db", spacing_s, clock)
    for _ in range(100):
        clock.pass_by(SAME_NEWS_S)
        pacer.widen()
    take(pacer, clock, 1)
    assert gaps(take(pacer, clock, 2)) == [max(spacing_s, MAX_SPACING_S)]
    pacer.close()


def test_the_widened_spacing_outlives_the_process(pacer: Pacer, clock: HandClock, tmp_path: Path) -> None:
    pacer.widen()
    other = Pacer(tmp_path / "pacing.db", SPACING_S, clock)
    take(other, clock, 1)
    assert gaps(take(other, clock, 2)) == [round(SPACING_S * WIDEN, 4)]
    other.close()


def test_retry_after_holds_for_all_and_is_capped(pacer: Pacer, clock: HandClock, tmp_path: Path) -> None:
    other = Pacer(tmp_path / "pacing.db", SPACING_S, clock)
    start = clock.now()
    assert pacer.widen(7.0) == 7.0
    assert take(other, clock, 1) == [start + 7]
    assert pacer.widen(86400.0) == MAX_PAUSE_S
    assert take(other, clock, 1) == [start + 7 + MAX_PAUSE_S]
    other.close()


def test_a_lower_policy_of_the_api_is_obeyed_and_a_higher_one_is_not(pacer: Pacer, clock: HandClock) -> None:
    pacer.obey_policy(5)
    take(pacer, clock, 1)
    assert gaps(take(pacer, clock, 3)) == [0.21] * 2
    pacer.obey_policy(100)
    take(pacer, clock, 1)
    assert gaps(take(pacer, clock, 3)) == [SPACING_S] * 2


def test_no_policy_of_the_api_outlives_the_run(pacer: Pacer, clock: HandClock, tmp_path: Path) -> None:
    pacer.obey_policy(0.0001)
    pacer.widen()
    take(pacer, clock, 1)
    assert gaps(take(pacer, clock, 3)) == [MAX_SPACING_S] * 2
    next_run = Pacer(tmp_path / "pacing.db", SPACING_S, clock)
    next_run.narrow()
    take(next_run, clock, 1)
    assert gaps(take(next_run, clock, 3)) == [round(SPACING_S * WIDEN * NARROW, 4)] * 2
    next_run.close()


def test_a_clock_set_back_does_not_stall(pacer: Pacer, clock: HandClock) -> None:
    pacer.widen(250.0)
    take(pacer, clock, 3)
    clock.moment -= 86400
    start = clock.now()
    assert take(pacer, clock, 3)[-1] - start < 1


def test_a_damaged_file_is_made_anew(tmp_path: Path, clock: HandClock) -> None:
    path = tmp_path / "pacing.db"
    path.write_bytes(b"no database at all" * 1000)
    pacer = Pacer(path, SPACING_S, clock)
    assert gaps(take(pacer, clock, 3)) == [SPACING_S] * 2
    pacer.close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_that_cannot_be_made_says_what_to_check(tmp_path: Path, clock: HandClock) -> None:
    with pytest.raises(ConfigurationError, match="check rights and space of the state folder"):
        Pacer(tmp_path / "nowhere" / "pacing.db", SPACING_S, clock)


def test_a_write_overtakes_the_reads_that_wait(tmp_path: Path) -> None:
    """Ten reads wait on threads that sleep until the test lets them go."""
    go, order, lock = threading.Event(), [], threading.Lock()

    class Sleeping(HandClock):
        def sleep(self, seconds: float) -> None:
            with lock:
                self.slots.append(self.moment + seconds)
            go.wait(30)

    clock = Sleeping(frozen=True)
    pacer = Pacer(tmp_path / "pacing.db", SPACING_S, clock)
    pacer.wait()

    def send(name: str, *, urgent: bool = False) -> None:
        pacer.wait(urgent=urgent)
        with lock:
            order.append(name)

    threads = [threading.Thread(target=send, args=(f"read {number}",)) for number in range(10)]
    for number, thread in enumerate(threads, 1):
        thread.start()
        while len(clock.slots) < number:
            pass
    write = threading.Thread(target=send, args=("write",), kwargs={"urgent": True})
    write.start()
    while len(clock.slots) < 11:
        pass
    assert clock.slots[10] == pytest.approx(clock.moment + SPACING_S)
    go.set()
    for thread in [*threads, write]:
        thread.join(30)
    assert sorted(order) == sorted([*(f"read {number}" for number in range(10)), "write"])
    pacer.close()
