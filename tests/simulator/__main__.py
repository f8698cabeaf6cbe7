"""``./dev simulate``: live histories, on all cores, and show the first one that is wrong as short as it gets."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import islice

from benchmarks.readme import write_section
from tests.simulator import planted
from tests.simulator.crashes import RUNS, Crashes, crash_everywhere
from tests.simulator.crashes import make_table as make_crash_table
from tests.simulator.history import Verdict, live, make_plan, shorten
from tests.simulator.scheduler import Pool

SEEDS_PER_TASK = 20


def main(arguments: list[str]) -> int:
    """Returns 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="./dev simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many histories")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="replay this history and print all of it")
    parser.add_argument("--stop-after", type=int, default=1, help="end after so many failures")
    parser.add_argument("--crashes", action="store_true", help="die at every step of a ten-client office instead")
    parser.add_argument("--planted", action="store_true", help="plant known faults, and write how soon each is found")
    given = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    if given.crashes:
        return crash()
    if given.planted:
        return plant()
    if given.seed is not None:
        return replay(given.seed)
    return search(range(given.first, given.first + given.seeds), given.stop_after)


def replay(seed: int) -> int:
    """One history, line by line."""
    verdict = live(make_plan(seed), Pool())
    print("\n".join(verdict.log))
    print(f"\nseed {seed}: {verdict.wrong or 'nothing is wrong'}")
    return int(bool(verdict.wrong))


def search(seeds: Iterable[int], stop_after: int) -> int:
    """Many histories; the first failures are shortened and shown."""
    began = time.monotonic()
    verdicts = list(live_all(list(seeds)))
    wrong = [verdict for verdict in verdicts if verdict.wrong]
    for verdict in wrong[:stop_after]:
        show(verdict)
    for verdict in wrong[stop_after:]:
        print(f"seed {verdict.seed}: {verdict.wrong.strip().splitlines()[-1]}")
    runs, acts = sum(one.runs for one in verdicts), sum(one.staff_acts for one in verdicts)
    print(
        f"{len(verdicts)} histories, {runs} runs, {acts} acts of staff during runs, "
        f"{sum(one.in_window for one in verdicts)} values lost in the window between GET and PATCH, "
        f"{len(wrong)} histories wrong, {time.monotonic() - began:.0f} s"
    )
    return int(bool(wrong))


def plant() -> int:
    """Every planted fault, one after another; the table goes to benchmarks/README.md."""
    with ProcessPoolExecutor(os.cpu_count(), initializer=logging.disable, initargs=(logging.CRITICAL,)) as processes:
        found = planted.search_all(processes)
    table = planted.make_table(found)
    print(table)
    write_section("planted", "Faults planted again", "./dev simulate --planted", table)
    return int(not all(one.seeds for one in found))


def crash() -> int:
    """All crash points; the table goes to benchmarks/README.md."""
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        crashes = list(processes.map(_crash, RUNS))
    for run in crashes:
        print("\n".join(run.wrong[:3]), end="\n" if run.wrong else "")
    table = make_crash_table(crashes)
    print(table)
    write_section("crashes", "Died at every step", "./dev simulate --crashes", table)
    return int(any(run.wrong for run in crashes))


def _crash(run: str) -> Crashes:
    logging.disable(logging.CRITICAL)
    return crash_everywhere(run, Pool())


def live_all(seeds: list[int]) -> Iterable[Verdict]:
    """Verdicts in the order of the seeds."""
    if len(seeds) <= SEEDS_PER_TASK:
        yield from live_some(seeds)
        return
    iterator = iter(seeds)
    tasks = list(iter(lambda: list(islice(iterator, SEEDS_PER_TASK)), []))
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        for verdicts in processes.map(live_some, tasks):
            yield from verdicts


def live_some(seeds: list[int]) -> list[Verdict]:
    """In this process; what is not wrong needs no log."""
    logging.disable(logging.CRITICAL)
    pool = Pool()
    verdicts = [live(make_plan(seed), pool) for seed in seeds]
    for verdict in verdicts:
        if not verdict.wrong:
            verdict.log = []
    return verdicts


def show(verdict: Verdict) -> None:
    """A failure, shortened."""
    pool = Pool()
    plan = shorten(make_plan(verdict.seed), pool)
    again = live(plan, pool)
    print("\n".join(again.log))
    print(f"\nseed {verdict.seed}: {again.wrong}\nleft out: {' '.join(sorted(plan.without))}")
    print(f"replay the whole with ./dev simulate --seed {verdict.seed}\n")


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is part of a history
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulator", *sys.argv[1:]],
            os.environ | {"PYTHONHASHSEED": "0"},
        )
    sys.exit(main(sys.argv[1:]))
