"""The long fault suite: `python -m tests.faults [--write] [--kills N] [--only PART]`. Exit code 1 on any loss, leak or hang."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

from benchmarks.readme import write_section
from openphone_sync.sandbox import EmbeddedPostgres
from tests.faults.archiving import run_archive
from tests.faults.cases import CASES, STAGES, Case, Tried, run_case, run_undisturbed
from tests.faults.killing import Killed, Lane, run_lane
from tests.faults.losses import EndState
from tests.faults.waits import WAITS, run_wait

LANES = 8
ROWS = 500
"""Clients of a killed office; each has an alternate, which makes a thousand contacts."""

KILLS = 200


def main(arguments: Sequence[str]) -> int:
    """Run the suite and print its table; 1 where anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    parser.add_argument("--kills", type=int, default=KILLS, help="kills in each stage (%(default)s)")
    parser.add_argument("--only", choices=("faults", "waits", "kills", "archive"), help="one part of the suite")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres() as postgres:
        rows, losses = run_suite(postgres, Path(folder), chosen.kills, chosen.only)
    table = make_table(rows)
    sys.stdout.write(table)
    sys.stderr.writelines(f"LOST  {loss}\n" for loss in losses)
    if chosen.write:
        write_section("faults", "Broken on purpose, and what was lost", "./dev faults --write", table)
    return 1 if losses else 0


def run_suite(
    postgres: EmbeddedPostgres, folder: Path, kills: int, only: str | None
) -> tuple[list[tuple[str, ...]], list[str]]:
    """Rows of the table and every loss in words."""
    rows: list[tuple[str, ...]] = []
    losses: list[str] = []
    # Children are new processes: a fork would take the threads' locks along.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(2, os.cpu_count() or 2) * 2, mp_context=context) as pool:
        for part in (_run_faults, _run_waits, _run_kills, _run_archive):
            if only is None or part.__name__.endswith(only):
                found_rows, found = part(postgres, folder, pool, kills)
                rows += found_rows
                losses += found
    return rows, losses


def make_table(rows: Iterable[tuple[str, ...]]) -> str:
    """Markdown."""
    lines = ["| fault | tries | lost | leaked | hung |", "|---|---:|---:|---:|---:|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def _run_faults(
    postgres: EmbeddedPostgres, folder: Path, pool: ProcessPoolExecutor, _: int
) -> tuple[list[tuple[str, ...]], list[str]]:
    ends = {
        stage: run_undisturbed(postgres.create_database(f"plain_{stage}"), folder / stage, stage) for stage in STAGES
    }
    jobs = {
        (case.name, stage): _start_case(postgres, folder, pool, case, stage, ends[stage])
        for case in CASES
        for stage in STAGES
    }
    found = {key: job.result() for key, job in jobs.items()}
    rows = [_make_row(case.name, [found[case.name, stage] for stage in STAGES]) for case in CASES]
    return rows, [f"{name}, {stage}: {fault}" for (name, stage), tried in found.items() for fault in tried.faults]


def _start_case(
    postgres: EmbeddedPostgres, folder: Path, pool: ProcessPoolExecutor, case: Case, stage: str, end: EndState
) -> Future[Tried]:
    name = f"{stage}_{CASES.index(case)}"
    return pool.submit(run_case, postgres.create_database(name), folder / name, case, stage, end)


def _run_kills(
    postgres: EmbeddedPostgres, folder: Path, pool: ProcessPoolExecutor, kills: int
) -> tuple[list[tuple[str, ...]], list[str]]:
    plain = run_lane(postgres.create_database("plain_lane"), folder / "plain_lane", Lane(0, ROWS, 0), None)
    lanes = [
        Lane(number, ROWS, -(-kills // LANES), 2.0 * (number % 2), bool(number % 2)) for number in range(1, LANES + 1)
    ]
    jobs = [
        pool.submit(
            run_lane, postgres.create_database(f"lane_{lane.seed}"), folder / f"lane_{lane.seed}", lane, plain.ends
        )
        for lane in lanes
    ]
    killed = [job.result() for job in jobs]
    losses = [*plain.losses, *(loss for one in killed for loss in one.losses)]
    return [_describe_kills(killed)], losses


def _run_archive(
    _: EmbeddedPostgres, folder: Path, pool: ProcessPoolExecutor, __: int
) -> tuple[list[tuple[str, ...]], list[str]]:
    """In a process of its own: the sandbox answers as fast as it can."""
    (folder / "archive").mkdir()
    done = pool.submit(run_archive, folder / "archive").result()
    name = (
        f"archive of {done.items:,} messages and calls under faults, SIGKILL {done.kills} times, then fetched again "
        f"(nothing new: {done.requests} requests; never more than {done.peak_mb:.0f} MB)"
    )
    return [_make_row(name, [Tried(done.kills, done.losses)])], [f"archive: {loss}" for loss in done.losses]


def _describe_kills(killed: Sequence[Killed]) -> tuple[str, ...]:
    name = f"SIGKILL at random points of {2 * ROWS:,} contacts, started again each time"
    return _make_row(name, [Tried(sum(one.kills.values()), one.losses) for one in killed])


def _run_waits(
    postgres: EmbeddedPostgres, folder: Path, pool: ProcessPoolExecutor, _: int
) -> tuple[list[tuple[str, ...]], list[str]]:
    jobs = {
        wait.name: pool.submit(run_wait, postgres.create_database(f"wait_{number}"), folder / f"wait_{number}", wait)
        for number, wait in enumerate(WAITS)
    }
    found = {name: job.result() for name, job in jobs.items()}
    rows = [_make_row(name, [tried]) for name, tried in found.items()]
    return rows, [f"{name}: {fault}" for name, tried in found.items() for fault in tried.faults]


def _make_row(name: str, tried: Sequence[Tried]) -> tuple[str, ...]:
    counts = [[one.tries, len(one.lost), len(one.leaked), len(one.hung)] for one in tried]
    return (name, *(f"{sum(column):,}" for column in zip(*counts, strict=True)))


if __name__ == "__main__":
    began = time.monotonic()
    code = main(sys.argv[1:])
    sys.stderr.write(f"{time.monotonic() - began:.0f} s\n")
    sys.exit(code)
