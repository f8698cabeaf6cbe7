"""One history: many nights of one office, all drawn from a seed, and what must be true after each of them.

A history is planned before it is lived: every event and every disturbance has a name, and chance of its own drawn from
seed and name, so that one can be left out and the others stay as they were. That is how a failure is shortened.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from openphone_sync.config import Settings
from openphone_sync.errors import ConfigurationError
from openphone_sync.model import Link, Reason, Standing
from openphone_sync.run.context import SyncOptions
from openphone_sync.run.decide import decide_link, decide_separate, save_decision
from openphone_sync.state import Store
from openphone_sync.views.review import Review, read_reviews
from tests.simulator.judge import Judge, names_alternate, values_of
from tests.simulator.office import OURS, Office
from tests.simulator.process import MEMORY, Calm, Ended, Machine
from tests.simulator.scheduler import Pool, Scheduler
from tests.simulator.workspace import Weather, Workspace, is_integration

DAY_S = 86_400.0
_DISASTERS = (("lose_state", 0.03), ("old_state", 0.03))
_MODES = ("incremental", "incremental", "incremental", "incremental", "full", "full", "clients", "dry", "saved")
SAFE_EXITS = {0, 1, 3, 4, 143}


@dataclass(frozen=True)
class Night:
    """What happens before a run, how the run goes, and what comes between. Names in ``events`` are `History` methods."""

    number: int
    events: tuple[str, ...]
    mode: str
    disturbances: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """A whole history. ``without`` names what is left out: a night (``3``), an event (``3.table.0``),
    a disturbance (``3.staff``)."""

    seed: int
    nights: tuple[Night, ...]
    policy: dict[str, object] = field(default_factory=dict)
    page_size: int = 50
    holds_deleted: bool = False
    workers: int = 3
    without: frozenset[str] = frozenset()

    def names(self) -> list[str]:
        """Everything that could be left out, nights first."""
        found = [str(night.number) for night in self.nights]
        for night in self.nights:
            found += [f"{night.number}.{name}" for name in (*night.events, *night.disturbances)]
        return [*found, *(f"calm.table.{number}" for number in range(3))]


@dataclass
class Verdict:
    """What came of a history: ``wrong`` is empty where nothing was."""

    seed: int
    wrong: str = ""
    log: list[str] = field(default_factory=list)
    runs: int = 0
    staff_acts: int = 0
    in_window: int = 0


class WrongError(AssertionError):
    """Something that must never happen."""


def make_plan(seed: int) -> Plan:
    """The history of a seed."""
    chance = Random(f"{seed}/plan")
    nights = tuple(_make_night(number, chance) for number in range(chance.choice([3, 5, 6, 8])))
    policy: dict[str, object] = {
        "on_remote_edit": chance.choice(["keep", "keep", "overwrite"]),
        "on_conflict": chance.choice(["source", "source", "remote"]),
        "on_removed": chance.choice(["keep", "keep", "delete"]),
        "on_possible_duplicate": chance.choice(["hold", "hold", "hold", "create", "link"]),
        "full_every_s": chance.choice([0.0, 2 * DAY_S, 7 * DAY_S]),
    }
    return Plan(
        seed,
        nights,
        policy,
        page_size=chance.choice([3, 10, 50]),
        holds_deleted=chance.random() < 0.15,
        workers=chance.choice([1, 2, 4]),
    )


def _make_night(number: int, chance: Random) -> Night:
    table, app = chance.choice([0, 1, 3, 5]), chance.choice([0, 1, 2, 4])
    events = [f"table.{n}" for n in range(table + 3 * (number == 0))] + [f"app.{n}" for n in range(app)]
    chance.shuffle(events)
    if number:
        rare = (("review", 0.35), ("rollback", 0.06), ("twice", 0.03), ("keep_copy", 0.1), *_DISASTERS)
        events += [name for name, share in rare if chance.random() < share]
    shares = (("staff", 0.5), ("weather", 0.25), ("death", 0.2), ("signal", 0.08), ("second", 0.01))
    disturbances = tuple(name for name, share in shares if chance.random() < share)
    return Night(
        number,
        tuple(events),
        chance.choice(_MODES),
        disturbances,
    )


def live(plan: Plan, pool: Pool) -> Verdict:
    """Live a history to its end, or to the first thing that is wrong."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    history = History(plan, folder / "state", pool)
    verdict = history.verdict
    try:
        history.live()
    except WrongError as error:
        verdict.wrong = str(error)
    except Exception:  # noqa: BLE001  # whatever the program raises is a finding
        verdict.wrong = traceback.format_exc()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    verdict.in_window = history.judge.in_window
    return verdict


class History:
    """A plan being lived."""

    def __init__(self, plan: Plan, folder: Path, pool: Pool) -> None:
        self.plan = plan
        self.verdict = Verdict(plan.seed)
        self.judge = Judge()
        self.judge.note = self.verdict.log.append
        self.judge.adopts_in_doubt = plan.policy.get("on_possible_duplicate") == "link"
        self.workspace = Workspace(self.judge, page_size=plan.page_size, holds_deleted=plan.holds_deleted)
        settings = Settings(state_dir=folder, **plan.policy)  # type: ignore[arg-type]  # a plan is JSON
        self.machine = Machine(folder, settings, self.workspace, pool, plan.workers)
        self.office = Office(self.workspace, self.judge, self.machine.read_now)
        self._copy = folder.parent / "copy"
        self._last = Ended(None)
        self._clean = False  # the last run was complete, undisturbed and without failures
        self._undone = False  # the latest sync that wrote is rolled back
        self._quiet = False  # and nothing has happened since
        self._unseen = False  # staff did something in the app that no full run has looked at

    def live(self) -> None:
        """All nights, then calm."""
        for night in self.plan.nights:
            if str(night.number) not in self.plan.without:
                self._live_night(night)
        self._calm_down()

    def note(self, text: str) -> None:
        """A line of the history."""
        self.verdict.log.append(text)

    # --- nights ------------------------------------------------------------------------------------------------------

    def _live_night(self, night: Night) -> None:
        self.note(f"--- day {night.number}")
        for event in night.events:
            name = f"{night.number}.{event}"
            if name not in self.plan.without:
                self._happen(event.partition(".")[0], Random(f"{self.plan.seed}/{name}"))
        self.machine.now += DAY_S * 0.9
        self._quiet = self._clean and not any(f"{night.number}.{one}" not in self.plan.without for one in night.events)
        disturbances = [name for name in night.disturbances if f"{night.number}.{name}" not in self.plan.without]
        chance = Random(f"{self.plan.seed}/{night.number}.run")
        options = self._choose_options(night.mode, chance)
        ended = self._run_as(night.mode, options, disturbances, chance)
        for number in range(3):
            if ended.report is not None and ended.report.exit_code not in {3, 4, 143}:
                break
            force = ended.report is not None and ended.report.exit_code == 4
            self.machine.now += 600.0
            rest = [name for name in disturbances if name == "staff" and number == 0]
            ended = self._run(SyncOptions(full=options.full, force=force), rest, chance)

    def _run_as(self, mode: str, options: SyncOptions, disturbances: list[str], chance: Random) -> Ended:
        """A run; before a saved plan is carried out, staff go on working."""
        if mode not in {"dry", "saved"}:
            return self._run(options, disturbances, chance)
        before, path = len(self.workspace.writes), self._copy.parent / "plan.json"
        shown = self.machine.show(self.office, chance, options, path)
        self.note(f"=== dry run: {shown.status} {shown.document.get('message', '')}")
        if self.workspace.writes[before:]:
            raise WrongError("a dry run wrote")
        if mode == "saved" and not shown.exit_code and "staff" in disturbances:
            self.note_act("app", self.office.act_in_app(chance))
        saved = path if mode == "saved" and not shown.exit_code else None
        return self._run(options, disturbances, chance, plan=saved)

    def _choose_options(self, mode: str, chance: Random) -> SyncOptions:
        if mode == "clients" and self.office.rows:
            return SyncOptions(client_ids=(chance.choice(sorted(self.office.rows)),))
        return SyncOptions(full=mode == "full")

    def _happen(self, kind: str, chance: Random) -> None:
        act: Callable[[], object] = {
            "table": lambda: self.note_act("table", self.office.act_in_table(chance)),
            "app": lambda: self.note_act("app", self.office.act_in_app(chance)),
            "review": lambda: self._review(chance),
            "rollback": lambda: self._roll_back(chance),
            "twice": lambda: self._roll_back(chance, times=2),
            "lose_state": self._lose_state,
            "keep_copy": self._keep_copy,
            "old_state": self._put_copy_back,
        }[kind]
        act()
        self._unseen |= kind == "app"

    def note_act(self, where: str, said: str) -> None:
        """What somebody did."""
        if said:
            self.note(f"  {where}: {said}")

    # --- a run -------------------------------------------------------------------------------------------------------

    def _run(
        self, options: SyncOptions, disturbances: list[str], chance: Random, undo: str = "", plan: Path | None = None
    ) -> Ended:
        run_id = self.machine.make_run_id()
        judge, run = self.judge, self.judge.run
        judge.run = run = type(run)(run_id, "rollback" if undo else "sync", disturbed=bool(disturbances))
        self.verdict.runs += 1
        self.note(f"=== {'rollback ' + undo if undo else _describe(options)} {run_id} {' '.join(disturbances)}")
        if "weather" in disturbances:
            self.workspace.weather = _make_weather(chance, sorted(self.workspace.contacts))
            self.machine.source_is_down = chance.random() < 0.05
            self.note(f"    {self.workspace.weather}")

        def disturb(scheduler: Scheduler) -> _Disturbances:
            return _Disturbances(self, scheduler, disturbances, chance)

        first_write = len(self.workspace.writes)
        try:
            ended = self.machine.start(run_id, self.office, chance, disturb, options, undo=undo, plan=plan)
        finally:
            self.workspace.weather, self.machine.source_is_down = Weather(), False
        self._last = ended
        self._check(ended, options, self.workspace.writes[first_write:])
        return ended

    def _check(self, ended: Ended, options: SyncOptions, writes: list[str]) -> None:
        judge, report = self.judge, ended.report
        if report is None:
            self.note("    died")
            judge.check_given_way(None, [contact_id for contact_id, *_ in judge.run.given_way])
        else:
            document = ended.document
            self.note(f"    {report.status} {report.exit_code} {document.get('message', '')}")
            counts = {name: count for name, count in document["contacts"].items() if count}
            self.note(f"    {counts} {document['held']} {document['skipped']} {document['errors']}")
            judge.check_given_way(document, ended.unsure)
            if report.exit_code not in SAFE_EXITS:
                judge.findings.append(f"exit code {report.exit_code}: {document.get('message')}")
            if any(error["code"] == "bug" for error in document["errors"]):
                judge.findings.append(f"a bug: {document['errors']}")
            complete = options.complete and judge.run.command == "sync" and report.status in {"succeeded", "partial"}
            if judge.run.command == "sync" and not self.judge.adopts_in_doubt:
                judge.check_declines(document, self.office.rows)
            if complete and not judge.run.disturbed:
                judge.check_counts(document, self.office.rows)
            self._check_history()
        full = report is not None and report.document["mode"] == "full"
        if self._quiet and not judge.run.disturbed and writes and not (full and self._unseen):
            judge.findings.append(f"nothing has happened since the last run, and this was written: {writes}")
        done = report is not None and not report.exit_code and judge.run.command == "sync"
        self._undone = self._undone and not (writes and judge.run.command == "sync")
        self._clean = done and options.complete and not judge.run.disturbed
        self._unseen = (self._unseen or judge.run.disturbed) and not (self._clean and full)
        self._quiet = False
        judge.check_doubles(self.workspace.contacts)
        self._raise_findings()

    def _check_history(self) -> None:
        """Every run is closed and counted, those too whose process died."""
        with self.machine.peek_store() as store:
            runs, totals = len(store.read_runs()), store.read_totals().runs
        if runs != totals:
            self.judge.findings.append(f"{runs} runs, {totals} in the totals")

    def _raise_findings(self) -> None:
        if self.judge.findings:
            raise WrongError("; ".join(self.judge.findings))

    # --- what the office does with the tool --------------------------------------------------------------------------

    def _review(self, chance: Random, *, only_rollbacks: bool = False) -> None:
        with self.machine.open_store() as store:
            for review in read_reviews(store):
                if chance.random() < 0.7 or only_rollbacks:
                    self._decide(store, review, chance)

    def _decide(self, store: Store, review: Review, chance: Random) -> None:
        """Staff know people: a contact of the same person is linked, all others are somebody else's."""
        link = review.link
        human = self.office.known_names.get(link.person)
        same = [
            one.subject
            for one in review.candidates
            if human is not None and self.judge.human_of.get(one.subject) == human
        ]
        if same:
            decisions = decide_link(review, chance.choice(same))
        elif human is None and any(self.judge.human_of.get(one.subject) is None for one in review.candidates):
            return
        else:
            decisions = decide_separate(review)
            self.judge.excused.add(link.client_id)
        self.note(f"  review: {review.review_id} {[(one.candidate, one.choice.value) for one in decisions]}")
        save_decision(store, review, decisions, self.machine.now)

    def _roll_back(self, chance: Random, times: int = 1) -> None:
        for _ in range(times):
            before = len(self.workspace.writes)
            with suppress(ConfigurationError):
                ended = self._run(SyncOptions(), ["staff"] if chance.random() < 0.3 else [], chance, undo="latest")
                if self._undone and self.workspace.writes[before:]:
                    raise WrongError("undone already, and the second rollback wrote")
                self._undone = not ended.report or not ended.report.exit_code

    def _lose_state(self) -> None:
        self.note("  the state folder is lost")
        shutil.rmtree(self.machine.folder)
        self.machine.folder.mkdir(mode=0o700)
        self.judge.lost_state(self.workspace.contacts.values(), OURS, self.office.in_rows)

    def _keep_copy(self) -> None:
        self.note("  a copy of the state is kept")
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self.machine.folder, self._copy)

    def _put_copy_back(self) -> None:
        if self._copy.is_dir():
            self.note("  the copy of the state is put back")
            shutil.rmtree(self.machine.folder)
            shutil.copytree(self._copy, self.machine.folder)
            self.judge.lost_state(self.workspace.contacts.values(), OURS, self.office.in_rows)

    # --- the end -----------------------------------------------------------------------------------------------------

    def _calm_down(self) -> None:
        """Every cause is gone: one run heals everything, the next writes nothing, and then there is not one request."""
        chance = Random(f"{self.plan.seed}/calm")
        self.note("--- calm")
        self.workspace.release_ids()
        self._review(chance, only_rollbacks=True)
        self._sync_calmly(full=True)
        if self._last.report is None or self._last.report.exit_code:
            raise WrongError(f"not healed: {self._last.document['errors']} {self._last.document.get('message')}")
        self._sync_calmly(full=True, expects_no_write=True)
        self._sync_calmly(full=False, expects_no_write=True)
        if self._last.requests:
            raise WrongError(f"nothing to do, and {self._last.requests} requests")
        self._check_everybody()
        self._compare_modes(chance)

    def _compare_modes(self, chance: Random) -> None:
        """Rows change: an incremental run and a full one decide alike about each of them."""
        before = {key: dict(row) for key, row in self.office.rows.items()}
        for number in range(3):
            if f"calm.table.{number}" not in self.plan.without:
                self.note_act("table", self.office.act_in_table(Random(f"{self.plan.seed}/calm.table.{number}")))
        self.machine.now += DAY_S
        other = self.machine.fork(self._copy.parent / "fork")
        options = SyncOptions(full=True, force=True)
        other.start("full", self.office, Random("full"), Calm, options)
        self._run(SyncOptions(force=True), [], Random("incremental"))
        # Held contacts are judged again when their own row changes, or when the run lists anyway.
        moved = {key for key, row in self.office.rows.items() if before.get(key) != row}
        mine, full = _decisions(self.machine, moved), _decisions(other, moved)
        if mine != full:
            differing = {
                key: (mine.get(key), full.get(key)) for key in {*mine, *full} if mine.get(key) != full.get(key)
            }
            raise WrongError(f"incremental and full differ: {differing}")

    def _sync_calmly(self, *, full: bool, expects_no_write: bool = False) -> None:
        self.machine.now += DAY_S
        before = len(self.workspace.writes)
        self._run(SyncOptions(full=full, force=True), [], Random(f"{self.plan.seed}/calm {full}"))
        writes = self.workspace.writes[before:]
        if expects_no_write and writes:
            raise WrongError(f"nothing has changed, and this was written: {writes}")

    def _check_everybody(self) -> None:
        """Everybody who can be written has a contact."""
        with self.machine.peek_store() as store:
            for link in store.read_links_standing(*Standing):
                if link.standing is Standing.PENDING:
                    raise WrongError(f"{link.external_id} is still pending: {link.why}")
                if link.standing is Standing.LINKED:
                    self._check_linked(link)
                owned = link.why is not None and link.why.reason is Reason.OWNED_BY_INTEGRATION
                if owned and not any(is_integration(contact) for contact in self.workspace.contacts.values()):
                    raise WrongError(f"{link.external_id} is skipped for an integration, and there is none")
        self._raise_findings()

    def _check_linked(self, link: Link) -> None:
        contact = self.workspace.contacts.get(link.contact_id or "")
        if contact is None:
            raise WrongError(f"{link.external_id} is linked to {link.contact_id}, which does not exist")
        row = self.office.rows.get(link.client_id)
        if row is not None and (not link.slot or names_alternate(row, link.slot)):
            self.judge.check_follows(contact, row, link.slot)


class _Disturbances:
    """What comes between the steps of one run."""

    def __init__(self, history: History, scheduler: Scheduler, kinds: list[str], chance: Random) -> None:
        self._history = history
        self._scheduler = scheduler
        self._chance = chance
        self._staff = chance.choice([0.02, 0.1, 0.3]) if "staff" in kinds else 0.0
        self._dies_at = chance.randrange(1, 90) if "death" in kinds else 0
        self._signal_at = chance.randrange(1, 60) if "signal" in kinds else 0
        self._second_at = chance.randrange(1, 20) if "second" in kinds else 0
        self._acts = 0

    def between(self, step: str) -> None:
        """Staff act, the process ends, a signal comes, another process starts."""
        history, steps = self._history, self._scheduler.steps
        if self._staff and self._acts < 12 and self._chance.random() < self._staff:
            self._acts += 1
            history.verdict.staff_acts += 1
            where = self._chance.choice(["app", "app", "app", "table"])
            act: Callable[[Random], str] = history.office.act_in_app if where == "app" else history.office.act_in_table
            history.note_act(f"  meanwhile, {where}", act(self._chance))
        if steps == self._second_at and not history.machine.is_locked():
            history.judge.findings.append("a second process was let in")
        if steps == self._signal_at:
            history.note("      SIGTERM")
            self._scheduler.send_signal(15)
        if steps == self._dies_at:
            history.note("      dies")
            self._scheduler.die()


def _decisions(machine: Machine, clients: set[str]) -> dict[str, object]:
    """What stands about each wanted contact of these clients, and what its contact looks like."""
    contacts = machine.workspace.contacts
    with machine.peek_store() as store:
        return {
            link.external_id.partition("#")[0]: (
                link.standing.value,
                link.why if link.standing is not Standing.LINKED else None,
                values_of(contacts[link.contact_id]) if link.contact_id in contacts else None,
            )
            for link in store.read_links_standing(*Standing)
            if link.client_id in clients and (link.standing is not Standing.ORPHANED or link.contact_id in contacts)
        }


def _make_weather(chance: Random, contacts: list[str]) -> Weather:
    share = chance.choice([0.02, 0.1, 0.3])
    kinds = chance.sample(["lost_before", "lost_after", "late", "refused", "unreachable"], chance.choice([1, 2, 5]))
    weather = Weather()
    for kind in kinds:
        setattr(weather, kind, share)
    if chance.random() < 0.2 and contacts:
        weather.forbidden = frozenset(chance.sample(contacts, min(2, len(contacts))))
    weather.forbids_all = chance.random() < 0.05
    weather.rejects_key = chance.random() < 0.03
    return weather


def _describe(options: SyncOptions) -> str:
    words = [
        "sync",
        "full" if options.full else "incremental",
        *options.client_ids,
        *(["force"] if options.force else []),
    ]
    return " ".join(words)


def shorten(plan: Plan, pool: Pool, tries: int = 400) -> Plan:
    """Leave out nights, then events, for as long as something is still wrong."""
    kind = _kind(live(plan, pool).wrong)
    for name in plan.names():
        if tries <= 0:
            break
        night = name.partition(".")[0]
        if night in plan.without:
            continue
        shorter = replace(plan, without=plan.without | {name})
        tries -= 1
        if _kind(live(shorter, pool).wrong) == kind:
            plan = shorter
    return plan


def _kind(wrong: str) -> str:
    """What went wrong, without names and numbers."""
    return " ".join(re.findall(r"\b[a-zA-Z]+\b", wrong.strip().rpartition("\n")[2])[:6])
