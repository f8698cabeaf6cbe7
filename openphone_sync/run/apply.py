"""Plan -> outcomes: the only caller of writes.

Intent first: a journal row is committed, then the request goes out, then what came of it is committed together with
the link. A kill at any point loses nothing: the next run finds the open row and settles it. Acting knows no rule; where
a contact was changed meanwhile, merging decides again.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace

from openphone_sync.errors import (
    AnswerLostError,
    ContactConflictError,
    ContactError,
    ContactGoneError,
    ContactOwnedError,
    NotSentError,
    RunError,
)
from openphone_sync.model import (
    Action,
    ActionKind,
    Base,
    ContactDraft,
    DesiredContact,
    Link,
    Merged,
    Outcome,
    RemoteContact,
    Result,
    Standing,
    Tie,
    Verdict,
)
from openphone_sync.ports import Clock, Ledger, Progress, Workspace
from openphone_sync.rules.matching.passes import OWNED
from openphone_sync.rules.merging import MergeRules, find_differences, make_changes, make_first_draft, merge
from openphone_sync.rules.planning import Plan

_CONTACTS = logging.getLogger("openphone_sync.contacts")
"""One line for each contact written, ids only; shown with --verbose."""

WORKERS = 10
"""Threads: at 300 to 800 ms latency 8 to 10 of them reach the vendor's 10 requests a second."""

FRESH_S = 60.0
"""A copy older than this is read again before it is written over; one from a list counts as older (`ports.Workspace`)."""

LOOK_UP_DELAYS_S = (0.0, 1.0, 2.0, 4.0)
"""When to look for a contact whose POST got no answer: new contacts are listed after 2 to 3 s (seen live)."""

POST_ATTEMPTS = 3
"""How often a creation is sent when its answer keeps getting lost and nothing is found."""

CLIENTS_PER_COMMIT = 50
PROGRESS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class ApplyRules:
    """What acting needs besides the plan."""

    run_id: str
    source: str
    merging: MergeRules
    fail_fast: bool = False
    workers: int = WORKERS


@dataclass(frozen=True, slots=True)
class Applied:
    """Outcomes of all writing actions, in no order; ``stopped_by`` is the error that ended the run early."""

    outcomes: tuple[Outcome, ...] = ()
    stopped_by: RunError | None = None
    interrupted: bool = False


def apply_plan(
    plan: Plan,
    workspace: Workspace,
    ledger: Ledger,
    rules: ApplyRules,
    clock: Clock,
    progress: Progress,
    stopping: Callable[[], bool] = lambda: False,
) -> Applied:
    """Carry out a plan. Raises only before the first request; what happens on the way is in the result."""
    applying = _Applying(plan, ledger, rules, clock, progress)
    applying.commit_resting()
    writer = _Writer(workspace, ledger, rules, clock, plan.spoken_for)
    with ThreadPoolExecutor(rules.workers, thread_name_prefix="write") as pool:
        applying.run(pool, writer.write, stopping)
    applying.flush()
    return applying.result(interrupted=stopping())


class _Applying:
    """One plan being carried out, seen from the main thread."""

    def __init__(self, plan: Plan, ledger: Ledger, rules: ApplyRules, clock: Clock, progress: Progress) -> None:
        self._plan = plan
        self._ledger = ledger
        self._rules = rules
        self._clock = clock
        self._progress = progress
        self._writing = [action for action in plan.actions if action.writes]
        self._open = Counter(action.client_id for action in self._writing)
        self._spoiled: set[str] = set()
        self._settled: list[tuple[str, bytes, bool]] = []
        self._outcomes: list[Outcome] = []
        self._stopped_by: RunError | None = None
        self._failed_fast = False
        self._shown_at = 0.0

    def commit_resting(self) -> None:
        """What needs no request: links that move, and clients with nothing to write."""
        self._ledger.save_links(self._plan.relinks)
        marks = self._plan.fingerprints
        self._ledger.save_clients([(one, mark, bool(self._open[one])) for one, mark in marks.items()])

    def run(self, pool: ThreadPoolExecutor, write: Callable[[Action], Outcome], stopping: Callable[[], bool]) -> None:
        """Keep the workers busy until all is written or something stops the run."""
        self._progress.start("writing", len(self._writing))
        actions = iter(self._writing)
        running: dict[Future[Outcome], Action] = {}
        while True:
            while not self._halted(stopping) and len(running) < self._rules.workers * 2:
                action = next(actions, None)
                if action is None:
                    break
                running[pool.submit(write, action)] = action
            if not running:
                break
            if self._halted(stopping):
                self._call_back(running)
            done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                self._collect(running.pop(future), future)
            self._show()
        for action in actions:
            self._leave(action)
        self._progress.finish()

    def _call_back(self, running: dict[Future[Outcome], Action]) -> None:
        """What waits for a free worker need not begin any more."""
        for future in [one for one in running if one.cancel()]:
            self._leave(running.pop(future))

    def _leave(self, action: Action) -> None:
        self._note(_not_begun(action))

    def flush(self) -> None:
        """Commit the clients that have settled since the last commit."""
        with self._stopping_on_error():
            self._ledger.save_clients(self._settled)
            self._settled = []
            self._ledger.save_progress(self._rules.run_id, len(self._outcomes), len(self._writing))

    @contextmanager
    def _stopping_on_error(self) -> Iterator[None]:
        """A state that cannot be written ends the run; what was sent before stays in the result."""
        try:
            yield
        except RunError as error:
            self._stopped_by = self._stopped_by or error

    def result(self, *, interrupted: bool) -> Applied:
        return Applied(tuple(self._outcomes), self._stopped_by, interrupted)

    def _halted(self, stopping: Callable[[], bool]) -> bool:
        return self._stopped_by is not None or self._failed_fast or stopping()

    def _collect(self, action: Action, future: Future[Outcome]) -> None:
        try:
            outcome = future.result()
        except RunError as error:
            self._stopped_by = self._stopped_by or error
            outcome = Outcome(
                action, Result.UNFINISHED, code="unfinished", message="the run ended before it was settled"
            )
        self._note(outcome)

    def _note(self, outcome: Outcome) -> None:
        _CONTACTS.info(
            "%s %s %s", (outcome.kind or outcome.action.kind).value, outcome.action.external_id, outcome.result
        )
        self._outcomes.append(outcome)
        self._progress.advance()
        client_id = outcome.action.client_id
        self._open[client_id] -= 1
        if outcome.result is not Result.DONE:
            self._spoiled.add(client_id)
            self._failed_fast |= self._rules.fail_fast and outcome.result is Result.FAILED
        if not self._open[client_id] and client_id in self._plan.fingerprints and client_id not in self._spoiled:
            self._settled.append((client_id, self._plan.fingerprints[client_id], False))
        if len(self._settled) >= CLIENTS_PER_COMMIT:
            self.flush()

    def _show(self) -> None:
        now = self._clock.monotonic()
        if now - self._shown_at >= PROGRESS_EVERY_S:
            self._shown_at = now
            with self._stopping_on_error():
                self._ledger.save_progress(self._rules.run_id, len(self._outcomes), len(self._writing))


class _Writer:
    """Carries out single actions; used by many threads."""

    def __init__(
        self, workspace: Workspace, ledger: Ledger, rules: ApplyRules, clock: Clock, spoken_for: frozenset[str]
    ) -> None:
        self._spoken_for = spoken_for
        self._ended = threading.Event()
        self._workspace = workspace
        self._ledger = ledger
        self._rules = rules
        self._clock = clock

    def write(self, action: Action) -> Outcome:
        """One action. Raises `RunError` only where the whole run must end; its journal row then stays open."""
        if self._ended.is_set():
            return _not_begun(action)
        try:
            return self._write(action)
        except RunError:
            self._ended.set()  # the others must not begin anything, also before the main thread hears of it
            raise

    def _write(self, action: Action) -> Outcome:
        match action.kind:
            case ActionKind.CREATE:
                return self._create(action)
            case ActionKind.DELETE:
                return self._delete(action)
            case _:
                return self._update(action)

    # --- creation ----------------------------------------------------------------------------------------------------

    def _create(self, action: Action) -> Outcome:
        draft = _draft(action)
        entry_id = self._ledger.save_intent(self._rules.run_id, action, self._clock.now())
        try:
            answer = self._post(draft)
        except ContactConflictError as error:
            return self._adopt_conflicting(action, entry_id, error)
        except ContactError as error:
            return self._fail(action, entry_id, error)
        if answer.external_id == draft.external_id and not find_differences(draft, answer, self._rules.merging):
            return self._done(action, entry_id, answer)
        return self._mend(action, entry_id, answer)

    def _post(self, draft: ContactDraft) -> RemoteContact:
        """Send a creation; where the answer is lost, look for the contact before anything is sent again."""
        for attempt in range(1, POST_ATTEMPTS + 1):
            try:
                return self._workspace.create_contact(draft)
            except AnswerLostError as lost:
                try:
                    found = self._look_up(draft.external_id)
                except NotSentError:
                    raise lost from None
                if found is not None:
                    return found
                if attempt == POST_ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _look_up(self, external_id: str | None) -> RemoteContact | None:
        """The contact with this external id and our source, allowing for the lag of the list.

        One that belongs to somebody else of ours is not it: people move between slots, external ids do not.
        """
        if external_id is None:
            return None
        for delay in LOOK_UP_DELAYS_S:
            self._clock.sleep(delay)
            for contact in self._workspace.find_contacts([external_id]):
                ours = contact.source == self._rules.source and contact.contact_id not in self._spoken_for
                if ours and self._exists(contact.contact_id):
                    return contact
        return None

    def _exists(self, contact_id: str) -> bool:
        """Deleted contacts can stay in the list by external id (seen live)."""
        try:
            self._workspace.read_contact(contact_id)
        except ContactGoneError:
            return False
        return True

    def _adopt_conflicting(self, action: Action, entry_id: int, error: ContactConflictError) -> Outcome:
        try:
            found = self._look_up(_draft(action).external_id)
        except ContactError as failure:
            return self._fail(action, entry_id, failure)
        if found is not None:
            return self._adopt(action, entry_id, error, found)
        if action.recreates:
            reason = "deleted in the app, and OpenPhone still holds its external id: not created again"
            return self._fail(action, entry_id, error, Standing.DECLINED, reason)
        taken = "the external id is taken (409), but no contact of ours carries it"
        return self._fail(action, entry_id, ContactError(taken, status=error.status, code=error.code))

    def _adopt(self, action: Action, entry_id: int, error: ContactConflictError, found: RemoteContact) -> Outcome:
        """A contact of ours was there before: nothing was created, and it is brought to what was to be created."""
        if action.desired is None:
            return self._other_came_back(action, entry_id, found)
        self._fail(action, entry_id, error)
        adopting = self._make_mending(action, action.desired, found, ActionKind.ADOPT)
        return self._patch(adopting) if adopting.writes else self._nothing_left(adopting)

    def _mend(self, action: Action, entry_id: int, answer: RemoteContact) -> Outcome:
        """What was created is not quite what was sent: bring it there."""
        if action.desired is None:
            return self._other_came_back(action, entry_id, answer)
        mending = self._make_mending(action, action.desired, answer, ActionKind.UPDATE)
        if not mending.writes:
            return self._done(replace(mending, kind=ActionKind.CREATE), entry_id, answer)
        created = Outcome(action, Result.DONE, answer.contact_id)
        unlike = replace(mending.link, base=None, standing=Standing.PENDING)
        self._ledger.save_outcome(entry_id, created, answer, unlike, self._clock.now())
        return replace(self._patch(mending), kind=ActionKind.CREATE)

    def _make_mending(self, action: Action, desired: DesiredContact, found: RemoteContact, kind: ActionKind) -> Action:
        merged = merge(None, found, desired, self._rules.merging, Tie.OWN)
        link = replace(action.link, contact_id=found.contact_id, base=merged.base.values)
        return replace(action, kind=kind, contact_id=found.contact_id, before=found, merged=merged, link=link)

    def _other_came_back(self, action: Action, entry_id: int, found: RemoteContact) -> Outcome:
        error = ContactError("the contact that came back is not the one that was deleted", code="not as sent")
        return self._fail(action, entry_id, error, action.link.standing, after=found)

    # --- update ------------------------------------------------------------------------------------------------------

    def _update(self, action: Action) -> Outcome:
        try:
            current = self._refresh(action)
        except ContactGoneError as error:
            return self._gone(action, None, error)
        except ContactError as error:
            return self._fail(action, None, error)
        if current.merged is None or not current.merged.changes:
            return self._nothing_left(current)
        return self._patch(current)

    def _nothing_left(self, action: Action) -> Outcome:
        """Somebody made the change meanwhile: only the base moves."""
        kind = ActionKind.UNCHANGED if action.kind is ActionKind.UPDATE else action.kind
        conflicts = action.merged.conflicts if action.merged else ()
        self._ledger.save_links([replace(action.link, failures=0)])
        return Outcome(action, Result.DONE, action.contact_id, conflicts=conflicts, kind=kind)

    def _refresh(self, action: Action) -> Action:
        """The action decided again on a fresh copy, where the one it was decided on is old."""
        before, desired = action.before, action.desired
        if before is None or not action.contact_id:
            raise AssertionError("an update without the contact before it")
        if self._clock.monotonic() - before.read_at_s <= FRESH_S:
            return action
        fresh = self._workspace.read_contact(action.contact_id)
        if fresh == before:
            return replace(action, before=fresh)
        if desired is None:
            raise ContactError("the contact was changed meanwhile and is left alone", code="changed")
        tie = Tie.ADOPTED if action.verdict is Verdict.ADOPT else Tie.OWN
        merged = merge(Base(action.base) if action.base else None, fresh, desired, self._rules.merging, tie)
        return replace(action, before=fresh, merged=merged, link=replace(action.link, base=merged.base.values))

    def _patch(self, action: Action) -> Outcome:
        draft, contact_id = _draft(action), action.contact_id or ""
        entry_id = self._ledger.save_intent(self._rules.run_id, action, self._clock.now())
        try:
            answer = self._send_patch(contact_id, draft)
        except ContactGoneError as error:
            return self._gone(action, entry_id, error)
        except ContactOwnedError as error:
            if self._has_written(action):
                return self._fail(action, entry_id, _refused(error))
            return self._owned(action, entry_id, error)
        except ContactError as error:
            return self._fail(action, entry_id, error)
        wrong = find_differences(replace(draft, external_id=None), answer, self._rules.merging)
        if wrong:
            ignored = ContactError(
                f"the answer is not what was sent: {', '.join(wrong)}", status=200, code="not as sent"
            )
            return self._fail(action, entry_id, ignored, after=answer)
        return self._done(action, entry_id, answer)

    def _send_patch(self, contact_id: str, draft: ContactDraft) -> RemoteContact:
        """Where the external id to set is taken, the link lives in the state alone."""
        try:
            return self._workspace.update_contact(contact_id, draft)
        except ContactConflictError:
            if draft.external_id is None:
                raise
            return self._workspace.update_contact(contact_id, replace(draft, external_id=None))

    def _gone(self, action: Action, entry_id: int | None, error: ContactError) -> Outcome:
        """Deleted since it was read: the next run finds out, and creates it again once."""
        lost = ContactError(
            "the contact was deleted meanwhile (404), and the next run creates it again",
            status=error.status,
            code="gone",
        )
        if action.linked_before:
            return self._fail(action, entry_id, lost)
        if entry_id is None and action.link.failures and action.desired and not action.desired.unfit:
            return self._create(self._make_creation(action, action.desired))
        return self._fail(action, entry_id, lost)

    def _make_creation(self, action: Action, desired: DesiredContact) -> Action:
        """Instead of an adoption: what a list goes on showing, but answers 404 time and again, is nobody's contact."""
        draft = make_first_draft(desired, self._rules.source)
        link = replace(action.link, contact_id=None, base=desired.values)
        merged = Merged(draft, Base(desired.values), make_changes(None, draft, self._rules.merging))
        return replace(
            action, kind=ActionKind.CREATE, contact_id=None, before=None, base=None, merged=merged, link=link
        )

    def _has_written(self, action: Action) -> bool:
        """Whether the contact has our source or carries the external id that we gave it: no integration can own it."""
        before = action.before
        return before is not None and (before.source == self._rules.source or before.external_id == action.external_id)

    def _owned(self, action: Action, entry_id: int, error: ContactError) -> Outcome:
        """A native integration owns it: left alone from now on."""
        self._ledger.save_read_only(action.contact_id or "")
        link = replace(action.link, contact_id=None, base=None, standing=Standing.SKIPPED, reason=OWNED)
        outcome = Outcome(action, Result.DONE, action.contact_id, error.status, error.code, OWNED, kind=ActionKind.SKIP)
        self._ledger.save_outcome(entry_id, outcome, None, link, self._clock.now())
        return outcome

    # --- deletion ----------------------------------------------------------------------------------------------------

    def _delete(self, action: Action) -> Outcome:
        entry_id = self._ledger.save_intent(self._rules.run_id, action, self._clock.now())
        try:
            self._workspace.delete_contact(action.contact_id or "")
        except ContactError as error:
            return self._fail(action, entry_id, error, action.link.standing)
        outcome = Outcome(action, Result.DONE, action.contact_id)
        link = replace(action.link, contact_id=None, base=None)
        self._ledger.save_outcome(entry_id, outcome, None, link, self._clock.now())
        return outcome

    # --- endings -----------------------------------------------------------------------------------------------------

    def _done(self, action: Action, entry_id: int, answer: RemoteContact | None) -> Outcome:
        contact_id = answer.contact_id if answer else action.contact_id
        conflicts = action.merged.conflicts if action.merged else ()
        outcome = Outcome(action, Result.DONE, contact_id, conflicts=conflicts, kind=action.kind)
        link = replace(action.link, contact_id=None if action.unlinks else contact_id, failures=0)
        self._ledger.save_outcome(entry_id, outcome, answer, link, self._clock.now())
        return outcome

    def _fail(
        self,
        action: Action,
        entry_id: int | None,
        error: ContactError,
        standing: Standing = Standing.PENDING,
        reason: str = "",
        *,
        after: RemoteContact | None = None,
    ) -> Outcome:
        result = Result.UNFINISHED if isinstance(error, NotSentError) else Result.FAILED
        outcome = Outcome(action, result, action.contact_id, error.status, error.code, error.message)
        link = self._failed_link(action, standing, reason or error.message, counts=result is Result.FAILED)
        if entry_id is None:
            self._ledger.save_links([link])
        else:
            self._ledger.save_outcome(entry_id, outcome, after, link, self._clock.now())
        return outcome

    def _failed_link(self, action: Action, standing: Standing, reason: str, *, counts: bool) -> Link:
        """The link as it was, base included, marked for another try; joining a person's contact has made none."""
        joins = action.kind is ActionKind.ADOPT and action.base is None
        return replace(
            action.link,
            contact_id=None if joins else action.contact_id,
            base=action.base,
            standing=standing,
            reason=reason,
            failures=action.link.failures + int(counts),
        )


def _refused(error: ContactOwnedError) -> ContactError:
    message = "OpenPhone refuses to change a contact of ours (403); check what the API key may do"
    return ContactError(message, status=error.status, code=error.code)


def _not_begun(action: Action) -> Outcome:
    return Outcome(action, Result.UNFINISHED, code="unfinished", message="the run ended before its turn")


def _draft(action: Action) -> ContactDraft:
    merged: Merged | None = action.merged
    if merged is None:
        raise AssertionError(f"{action.external_id}: {action.kind} without a draft")
    return merged.draft
