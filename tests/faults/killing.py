"""SIGKILL at random points of a first run and of an update run of a thousand contacts, each time started again."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from openphone_sync.sandbox import SandboxOptions
from tests.fault_injection import FaultySandbox
from tests.faults.cases import STAGES
from tests.faults.losses import EndState, find_losses, read_end_state
from tests.faults.scene import edit_both_sides, fill_office, wait_for_lists
from tests.office import FAST, Office, open_office

QUIET_RUNS = 4
RUN_S = 300.0
"""No run of these offices takes longer; one that does hangs."""

SETTLED_S = 60
"""How far the journal is dated back where a restart stands for the next night's."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One office that is killed ``kills`` times in each stage; ``rows`` clients have twice as many contacts.

    ``lag_s``: how long lists lag. ``at_once``: each restart follows the kill immediately.
    """

    seed: int
    rows: int
    kills: int
    lag_s: float = 0.0
    at_once: bool = True


@dataclass(frozen=True, slots=True)
class Killed:
    """What came of a lane: how often it was really killed, by stage; the end by stage; and what was lost."""

    kills: dict[str, int]
    ends: dict[str, EndState]
    losses: tuple[str, ...]


def run_lane(dsn: str, folder: Path, lane: Lane, undisturbed: dict[str, EndState] | None) -> Killed:
    """A first run and an update run, each killed again and again, then left alone; compared with ``undisturbed``."""
    dice = random.Random(lane.seed)
    kills, ends, losses = dict.fromkeys(STAGES, 0), {}, []
    with _opening(dsn, folder, lane) as office:
        for stage in STAGES:
            if stage == "update":
                edit_both_sides(office, lane.rows)
            requests = lane.rows * 2 if stage == "first" else lane.rows * 3 // 2
            kills[stage], found = _kill_again_and_again(office, lane, dice, requests)
            found += _run_until_quiet(office)
            found += find_losses(office, undisturbed[stage]) if undisturbed else []
            ends[stage] = read_end_state(office)
            if found:
                found += _read_failures(office)
                losses += [f"{stage}, lane {lane.seed}: {loss}" for loss in found]
                break  # the next stage builds upon this one
            wait_for_lists(office)
    return Killed(kills, ends, tuple(losses))


@contextlib.contextmanager
def _opening(dsn: str, folder: Path, lane: Lane) -> Iterator[Office]:
    folder.mkdir(parents=True, exist_ok=True)
    options = SandboxOptions(rate_limit=FAST, lag_s=lane.lag_s, contacts=20, latency_ms=4, jitter_ms=4, seed=lane.rows)
    with FaultySandbox(options) as sandbox, open_office(dsn, sandbox, folder) as office:
        office.environment |= {"OPENPHONE_MAX_CHANGES": "100%"}
        fill_office(office, lane.rows)
        wait_for_lists(office)
        yield office


def _kill_again_and_again(office: Office, lane: Lane, dice: random.Random, requests: int) -> tuple[int, list[str]]:
    """Kills spread over a stage of about so many requests: each restart gets its share of those that are left."""
    kills, losses, left = 0, [], requests
    while kills < lane.kills:
        office.sandbox.forget_requests()
        share = max(3, 2 * left // (lane.kills - kills + 1))
        code = _run_and_kill(office, dice.randint(1, share), dice.uniform(0, 0.03))
        left = max(0, left - len(office.sandbox.requests))
        if code != -signal.SIGKILL:
            losses += [f"a run after a kill ended with {code}"] if code else []
            break
        kills += 1
        if not lane.at_once:
            _let_time_pass(office)
    return kills, losses


def _run_and_kill(office: Office, requests: int, delay_s: float) -> int:
    """Start a run; kill it a moment after so many requests have come in. Its exit code."""
    with office.start("sync", "--quiet") as process:
        _wait_for(process, office, requests)
        time.sleep(delay_s)
        process.kill()
        process.communicate()
    return process.returncode


def _wait_for(process: Popen[str], office: Office, requests: int) -> None:
    deadline = time.monotonic() + RUN_S
    while process.poll() is None and len(office.sandbox.requests) < requests and time.monotonic() < deadline:
        time.sleep(0.003)


def _let_time_pass(office: Office) -> None:
    with contextlib.closing(office.open_state()) as state, state:
        state.execute("UPDATE journal SET intended_at = intended_at - ? WHERE result IS NULL", (SETTLED_S,))


def _read_failures(office: Office) -> list[str]:
    """What the runs said of themselves, for those who look for the cause."""
    reports = [json.loads(path.read_text()) for path in sorted((office.state_dir / "runs").glob("*.json"))]
    return [f"run {one['runId']}: {one['status']} {one.get('message', '')} {one['errors'][:3]}" for one in reports]


def _run_until_quiet(office: Office) -> list[str]:
    """Runs of their own process until one has nothing to write."""
    for number in range(QUIET_RUNS):
        office.sandbox.forget_requests()
        with office.start("sync", "--quiet", *(["--mode", "full"] if number else [])) as process:
            _, err = process.communicate(timeout=RUN_S)
        if number and not process.returncode and not office.requests("POST", "PATCH", "DELETE"):
            return []
    return [f"not quiet after {QUIET_RUNS} undisturbed runs (the last ended with {process.returncode}: {err.strip()})"]
