"""Some histories of the simulator (`./dev simulate` lives many), and that a seed replays a history exactly."""

from __future__ import annotations

import pytest

from openphone_sync.run import sync
from tests.simulator import planted
from tests.simulator.crashes import RUNS, crash_everywhere
from tests.simulator.history import live, make_plan
from tests.simulator.scheduler import Pool


@pytest.mark.parametrize("first", range(0, 20, 10))
def test_nothing_is_lost_doubled_or_written_to_a_stranger(first: int) -> None:
    pool = Pool()
    for seed in range(first, first + 10):
        verdict = live(make_plan(seed), pool)
        assert not verdict.wrong, f"PYTHONHASHSEED=0 ./dev simulate --seed {seed}\n" + "\n".join(verdict.log)


def test_a_seed_replays_its_history() -> None:
    first, second = (live(make_plan(3), Pool()) for _ in range(2))
    assert first.log == second.log
    assert first.staff_acts > 0


@pytest.mark.parametrize("run", RUNS)
def test_a_process_that_dies_anywhere_ends_as_if_it_had_not(run: str) -> None:
    crashes = crash_everywhere(run, Pool(), every=5)  # ./dev simulate --crashes takes every step
    assert crashes.tried > 10
    assert not crashes.wrong, crashes.wrong[0]


def test_a_run_that_recovers_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "recover_writes", lambda context: None)
    assert crash_everywhere("update", Pool(), every=5).wrong


@pytest.mark.parametrize(
    "fault", [planted.read_all_then_write_all, planted.take_any_source_for_ours, planted.forget_killed_runs]
)
def test_a_planted_fault_is_found(fault: planted.Fault) -> None:
    found = planted.search(fault, range(100))  # ./dev simulate --planted takes all faults
    assert found.seeds, found
