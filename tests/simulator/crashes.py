"""Crash points, all of them: the process dies before and after every commit and every request, and runs again.

A ten-client office on its first run, an update, a run that deletes, and a rollback. Whatever the moment, the office ends
as it does when nobody dies: the same contacts, the same links.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from openphone_sync.config import Settings
from openphone_sync.errors import ConfigurationError
from openphone_sync.model import Standing
from openphone_sync.run.context import SyncOptions
from tests.simulator.judge import Judge, values_of
from tests.simulator.office import Office
from tests.simulator.process import MEMORY, Ended, Machine
from tests.simulator.scheduler import COMMIT, REQUEST, Pool, Scheduler
from tests.simulator.source import SLOTS
from tests.simulator.workspace import Workspace

RUNS = ("first", "update", "delete", "rollback")
CLIENTS = 10


class _DiesAt:
    """The process ends at this step; ``seen`` counts the steps until then by kind."""

    def __init__(self, scheduler: Scheduler, step: int, seen: Counter[str]) -> None:
        self._scheduler = scheduler
        self._step = step
        self._seen = seen

    def between(self, step: str) -> None:
        self._seen[step] += 1
        if self._scheduler.steps == self._step:
            self._scheduler.die()


@dataclass
class World:
    """A ten-client office, and the run that is about to begin."""

    machine: Machine
    office: Office
    judge: Judge
    run: str
    steps: Counter[str] = field(default_factory=Counter)  # of the last run, by kind

    def go(self, dies_at: int = 0) -> Ended:
        """Carry the run out, or a part of it."""
        self.steps = Counter()

        def disturb(scheduler: Scheduler) -> _DiesAt:
            return _DiesAt(scheduler, dies_at, self.steps)

        self.machine.now += 60.0
        undo = "latest" if self.run == "rollback" else ""
        self.judge.run = type(self.judge.run)(
            self.machine.make_run_id(), "rollback" if undo else "sync", disturbed=True
        )
        return self.machine.start(
            self.judge.run.run_id, self.office, Random("crash"), disturb, SyncOptions(force=True), undo=undo
        )

    def end(self) -> dict[str, object]:
        """What stands about everybody, and what the contacts hold; ids are left out, they tell how often was tried."""
        contacts = self.machine.workspace.contacts
        with self.machine.peek_store() as store:
            links = {
                link.external_id.partition("#")[0]: (
                    link.standing.value,
                    link.why and link.why.reason,
                    link.base,
                    values_of(contacts[link.contact_id]) if link.contact_id in contacts else None,
                )
                for link in store.read_links_standing(*Standing)
            }
        held = sorted(repr(sorted(values_of(contact).items())) for contact in contacts.values())
        return {**links, "contacts": held}


@contextmanager
def make_world(run: str, pool: Pool) -> Iterator[World]:
    """Everything as it is before this run."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    judge = Judge()
    workspace = Workspace(judge)
    settings = Settings(state_dir=folder / "state", on_removed="delete")
    machine = Machine(folder / "state", settings, workspace, pool, size=3)
    office = Office(workspace, judge, machine.read_now, most_clients=CLIENTS)
    chance = Random("ten clients")
    for _ in range(CLIENTS):
        office.add_client(chance)
    world = World(machine, office, judge, "first")
    try:
        if run != "first":
            world.go()
            machine.now += 86_400
            _change(office, run, chance)
        if run == "rollback":
            world.run = "update"
            world.go()
        world.run = run
        yield world
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _change(office: Office, run: str, chance: Random) -> None:
    keys = sorted(office.rows)
    for number, key in enumerate(keys):
        row = office.rows[key]
        if run == "delete":
            if number < 3:
                del office.rows[key], office.people[key]
        elif number % 2:
            row["phone"], row["county"] = office.some_phone(), "Kern"
        if run == "update":
            _move_alternate(office, key)
    if run == "rollback":
        office.add_client(chance)
        del office.rows[keys[0]], office.people[keys[0]]
    for _ in range(4):
        office.act_in_app(chance)


def _move_alternate(office: Office, key: str) -> None:
    """The first related person goes to the first free place of the row."""
    row, people = office.rows[key], office.people[key]
    taken, free = [slot for slot in SLOTS if slot in people], [slot for slot in SLOTS if slot not in people]
    if taken and free:
        people[free[0]] = people.pop(taken[0])
        for name in ("contact_{}", "relationship_{}", "contact_{}_phone"):
            row[name.format(free[0])], row[name.format(taken[0])] = row[name.format(taken[0])], None


def run_to_the_end(run: str, pool: Pool) -> tuple[Counter[str], dict[str, object]]:
    """How many crash points of each kind a run has, and how the office ends when nobody dies."""
    with make_world(run, pool) as world:
        world.go()
        return world.steps, world.end()


def crash_at(run: str, step: int, undisturbed: dict[str, object], pool: Pool) -> str:
    """Die at this step and run again; what is wrong, empty where nothing is."""
    with make_world(run, pool) as world:
        world.go(step)
        again: Ended | None
        try:
            again = world.go()
        except ConfigurationError as error:  # a rollback that had come to its end
            if "undone already" not in str(error):
                return f"{run}, step {step}: {error}"
            again = None
        if again is not None and (again.report is None or again.report.exit_code):
            return f"{run}, step {step}: {again.document.get('message')} {again.document.get('errors')}"
        end = world.end()
        if end != undisturbed:
            keys = sorted(key for key in {*end, *undisturbed} if end.get(key) != undisturbed.get(key))
            differing = {key: (undisturbed.get(key), end.get(key)) for key in keys}
            return f"{run}, step {step}: it ends otherwise: {differing}"
        return "; ".join(world.judge.findings) and f"{run}, step {step}: {world.judge.findings}"


@dataclass(frozen=True)
class Crashes:
    """Every crash point of one run; ``steps`` counts them by kind, ``wrong`` says where it ended otherwise."""

    run: str
    steps: Counter[str]
    tried: int
    wrong: tuple[str, ...]


def crash_everywhere(run: str, pool: Pool, every: int = 1) -> Crashes:
    """Die at each ``every`` th crash point of a run."""
    steps, undisturbed = run_to_the_end(run, pool)
    tried = range(1, steps.total() + 1, every)
    wrong = tuple(found for step in tried if (found := crash_at(run, step, undisturbed, pool)))
    return Crashes(run, steps, len(tried), wrong)


def make_table(crashes: Iterable[Crashes]) -> str:
    """For `benchmarks/README.md`."""
    lines = [
        "| run of ten clients | before and after commits | before and after requests | died | ended otherwise |",
        "|---|---:|---:|---:|---:|",
    ]
    for one in crashes:
        kinds = " | ".join(str(one.steps[kind]) for kind in (COMMIT, REQUEST))
        lines.append(f"| {one.run} | {kinds} | {one.tried} | {len(one.wrong)} |")
    return "\n".join(lines)
