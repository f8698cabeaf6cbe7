"""One process of the tool in the simulated world: it opens the state file, runs, and is gone."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from openphone_sync.config import Settings
from openphone_sync.errors import LockedError
from openphone_sync.model import Intent, Result
from openphone_sync.ops.lock import run_lock
from openphone_sync.run import sync as workflow
from openphone_sync.run.context import Context, SyncOptions
from openphone_sync.run.report import RunHeader, RunReport
from openphone_sync.run.rollback import find_undoing, plan_rollback
from openphone_sync.state import Store
from openphone_sync.state.file import STATE_FILE, connect_for_looking, connect_for_writing
from openphone_sync.wiring import NoProgress
from tests.simulator.office import Office
from tests.simulator.scheduler import COMMIT, Died, Disturber, Pool, Scheduler
from tests.simulator.source import Source
from tests.simulator.workspace import Connection, Workspace

MEMORY = Path("/dev/shm")  # a file system in memory, where commits cost nothing


class SimulatedStore(Store):
    """The real state file; a step before and after every commit."""

    def __init__(self, connection: sqlite3.Connection, path: Path, scheduler: Scheduler) -> None:
        super().__init__(connection, path)
        self._scheduler = scheduler

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._scheduler.step(COMMIT)
        with super()._transaction() as db:
            yield db
        self._scheduler.step(COMMIT)

    def save_intent(self, run_id: str, intent: Intent, now: float) -> int:
        """The judge has to know for whom the next request is."""
        self._scheduler.memory["intent"] = intent
        return super().save_intent(run_id, intent, now)


@dataclass
class Ended:
    """What came of a process: its report, or None where it died. ``unsure`` are contacts of unfinished writes."""

    report: RunReport | None
    requests: int = 0
    unsure: set[str] = field(default_factory=set)
    signalled: bool = False
    steps: int = 0

    @property
    def document(self) -> dict[str, Any]:
        """The report's document."""
        return dict(self.report.document) if self.report else {}


class Machine:
    """The computer that the tool runs on: its folder and its clock. Processes come and go."""

    def __init__(self, folder: Path, settings: Settings, workspace: Workspace, pool: Pool, size: int) -> None:
        self.folder = folder
        self.settings = settings
        self.workspace = workspace
        self.now = 1_760_000_000.0
        self.source_is_down = False
        self._pool = pool
        self._size = size
        self._runs = 0
        if not (folder / STATE_FILE).exists():
            copy_empty_state(folder)

    def fork(self, folder: Path) -> Machine:
        """Another machine with a copy of everything, to see what would happen there."""
        shutil.copytree(self.folder, folder)
        settings = replace(self.settings, state_dir=folder)
        other = Machine(folder, settings, self.workspace.copy(), self._pool, self._size)
        other.now, other._runs = self.now, self._runs
        return other

    def read_now(self) -> float:
        """Seconds since the epoch; of the process that runs, if there is one."""
        return self.now

    def make_run_id(self) -> str:
        """Sortable, and the same whenever a history is replayed."""
        self._runs += 1
        return f"{datetime.fromtimestamp(self.now, UTC):%Y%m%dT%H%M%SZ}-{self._runs:06x}"

    @contextmanager
    def open_store(self) -> Iterator[Store]:
        """The state, for a change outside a run."""
        path = self.folder / STATE_FILE
        with run_lock(self.folder), closing(Store(connect_for_writing(path), path)) as store:
            yield store

    @contextmanager
    def peek_store(self) -> Iterator[Store]:
        """The state, read only."""
        path = self.folder / STATE_FILE
        with closing(Store(connect_for_looking(path), path)) as store:
            yield store

    def start(
        self,
        run_id: str,
        office: Office,
        chance: Random,
        disturber: Callable[[Scheduler], Disturber],
        options: SyncOptions,
        *,
        undo: str = "",
        plan: Path | None = None,
    ) -> Ended:
        """Run once: a sync, or with ``undo`` the rollback of that run. What the program raises unasked is raised."""
        scheduler = Scheduler(self._pool, chance, self.now, self._size)
        scheduler.disturber = _Ticking(self, scheduler, disturber(scheduler))
        connection = Connection(self.workspace, scheduler, chance)
        path = self.folder / STATE_FILE
        ended = Ended(None)
        with run_lock(self.folder):
            store = SimulatedStore(connect_for_writing(path), path, scheduler)
            context = self._make_context(scheduler, connection, store, office)
            header = RunHeader(
                run_id, "rollback" if undo else "sync", "full" if options.full else "incremental", False, self.now
            )
            try:
                ended.report = _carry_out(context, options, header, undo, plan)
            except Died:
                pass
            finally:
                scheduler.close()
                store.close()
        self.now = scheduler.now()
        ended.requests = sum(connection.request_counts().get(name, 0) for name in ("GET", "POST", "PATCH", "DELETE"))
        ended.signalled, ended.steps = bool(scheduler.signal), scheduler.steps
        with self.peek_store() as looking:
            ended.unsure = {
                entry.contact_id
                for entry in looking.read_journal(run_id)
                if entry.contact_id and entry.result is not Result.DONE
            }
        return ended

    def show(self, office: Office, chance: Random, options: SyncOptions, out: Path | None = None) -> RunReport:
        """A dry run; with ``out`` it saves its plan."""
        scheduler = Scheduler(self._pool, chance, self.now, self._size)
        connection = Connection(self.workspace, scheduler, chance)
        with self.peek_store() as store:
            context = self._make_context(scheduler, connection, store, office)
            header = RunHeader("dry", "dry-run", "full" if options.full else "incremental", True, self.now)
            try:
                return workflow.dry_run(options, context, header, out)
            finally:
                scheduler.close()
                self.now = scheduler.now()

    def _make_context(self, scheduler: Scheduler, connection: Connection, store: Store, office: Office) -> Context:
        return Context(
            settings=self.settings,
            store=store,
            workspace=connection,
            open_source=lambda: Source(office.rows, scheduler, office.snapshot, is_down=self.source_is_down),
            clock=scheduler,
            progress=NoProgress(),
            workers=scheduler,
            key_mark="key",
            signal_number=lambda: scheduler.signal,
        )

    def is_locked(self) -> bool:
        """Whether a second process is refused."""
        try:
            with run_lock(self.folder):
                return False
        except LockedError:
            return True


class _Ticking:
    """Keeps the machine's clock and what is on its way to the workspace up to date, then disturbs."""

    def __init__(self, machine: Machine, scheduler: Scheduler, disturber: Disturber) -> None:
        self._machine = machine
        self._scheduler = scheduler
        self._disturber = disturber

    def between(self, step: str) -> None:
        self._machine.now = self._scheduler.now()
        self._machine.workspace.carry_out_late(self._machine.now)
        self._disturber.between(step)


class Calm:
    """Nothing comes between."""

    def __init__(self, scheduler: Scheduler) -> None:
        pass

    def between(self, step: str) -> None:
        """Do nothing."""


def _carry_out(context: Context, options: SyncOptions, header: RunHeader, undo: str, plan: Path | None) -> RunReport:
    if not undo:
        return workflow.sync(options, context, header, plan)
    record = find_undoing(context.store, undo).record
    named = replace(header, undoes=record.run_id)
    return workflow.carry_out(lambda _: plan_rollback(record, context), SyncOptions(force=True), context, named)


_empty: dict[str, Path] = {}


def copy_empty_state(folder: Path) -> None:
    """An empty state of the current version: making it once is half the time of a short history."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if "folder" not in _empty:
        _empty["folder"] = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        connect_for_writing(_empty["folder"] / STATE_FILE).close()
    shutil.copy(_empty["folder"] / STATE_FILE, folder / STATE_FILE)
