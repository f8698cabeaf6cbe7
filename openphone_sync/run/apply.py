"""Plan -> outcomes: keeps the workers busy and commits what needs no request. `run.write` carries out single actions."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from openphone_sync.errors import RefusedError, RunError
from openphone_sync.model import ActionKind, Done, Failed, Gone, Keep, Left, Outcome, Stale, Write
from openphone_sync.rules.planning import Plan
from openphone_sync.run.context import Context
from openphone_sync.run.write import FORBIDDEN, Writer, WriteRules

_CONTACTS = logging.getLogger("openphone_sync.contacts")
"""One line for each contact written, ids only; shown with --verbose."""

CLIENTS_PER_COMMIT = 50
PROGRESS_EVERY_S = 1.0
WAIT_S = 0.5
FORBIDDEN_WRITES = 5
"""When so many writes were all answered 403, the key may not write at all, and the run ends."""


@dataclass(slots=True)
class Applied:
    """Outcomes of all writing actions, in no order; ``stopped_by`` is the error that ended the run early."""

    outcomes: list[Outcome] = field(default_factory=list)
    stopped_by: RunError | None = None
    interrupted: bool = False

    @property
    def gone(self) -> list[Gone]:
        """Contacts that were found deleted in the app."""
        return [outcome for outcome in self.outcomes if isinstance(outcome, Gone)]


def apply_plan(plan: Plan, context: Context, rules: WriteRules) -> Applied:
    """Carry out a plan. Raises only before the first request; what happens on the way is in the result."""
    context.store.save_links(plan.relinks)
    # Only then: until a contact has moved, the row that gives it up knows what it was written with.
    context.store.forget_links(plan.forgotten)
    context.store.save_decisions(replace(one, decided_at=context.clock.now()) for one in plan.declines)
    for contact_id in context.store.read_refused() & _find_idle(plan):
        context.store.save_refused(contact_id, refused=False)  # the next change is tried again
    applying = _Applying(plan, context, rules)
    applying.run()
    return applying.applied


def _find_idle(plan: Plan) -> set[str | None]:
    """Contacts that are ours or adopted, and as they are wanted."""
    idle = (ActionKind.UNCHANGED, ActionKind.ADOPT)
    return {action.link.contact_id for action in plan.actions if isinstance(action, Keep) and action.kind in idle}


class _Applying:
    """One plan being carried out, seen from the main thread."""

    def __init__(self, plan: Plan, context: Context, rules: WriteRules) -> None:
        self.applied = Applied()
        self._plan = plan
        self._context = context
        self._rules = rules
        self._writer = Writer(context, rules, plan.claimed)
        self._waiting = deque(plan.writes)
        self._overtaken = [action for action in plan.actions if action.link.external_id in plan.overtaken]
        self._open = Counter(action.link.client_id for action in (*plan.writes, *self._overtaken))
        self._spoiled: set[str] = set()  # clients of which a write did not succeed
        self._finished: list[tuple[str, bytes, bool]] = []
        self._failed_fast = False
        self._saved_at_s = 0.0

    def run(self) -> None:
        """Keep the workers busy until all is written or something ends the run."""
        context = self._context
        total = len(self._waiting) + len(self._overtaken)
        marks = self._plan.fingerprints
        context.store.save_clients([(key, mark, bool(self._open[key])) for key, mark in marks.items()])
        context.progress.start("writing", total)
        for stale in self._overtaken:
            self._note(Stale(stale))
        running: dict[Future[Outcome], Write] = {}
        while True:
            while self._waiting and len(running) < context.workers.size and not self._ending():
                action = self._waiting.popleft()
                running[context.workers.submit(partial(self._writer.write, action))] = action
            if not running:
                break
            for future in context.workers.wait(running, WAIT_S):
                self._collect(running.pop(future), future)
            self._save_progress(total)
        for action in self._waiting:
            self._note(Left(action))
        self._flush()
        context.progress.finish()
        self.applied.interrupted = context.stopping()

    def _ending(self) -> bool:
        return self.applied.stopped_by is not None or self._failed_fast or self._context.stopping()

    def _collect(self, action: Write, future: Future[Outcome]) -> None:
        try:
            outcome = future.result()
        except RunError as error:
            self._stop(error)
            # Its journal row stays open: nobody knows whether it was sent, and the next start finds out.
            outcome = Failed(action, 0, "unfinished", "the run ended before its answer came")
        self._note(outcome)
        forbidden = [one for one in self.applied.outcomes if isinstance(one, Failed) and one.code == FORBIDDEN]
        if len(forbidden) >= FORBIDDEN_WRITES and len(forbidden) == len(self.applied.outcomes):
            self._stop(
                RefusedError(
                    f"OpenPhone answered 403 to all of {len(forbidden)} writes; give OPENPHONE_API_KEY the right to change "
                    "contacts"
                )
            )

    def _stop(self, error: RunError) -> None:
        self.applied.stopped_by = self.applied.stopped_by or error

    def _note(self, outcome: Outcome) -> None:
        action = outcome.action
        client_id = action.link.client_id
        word = outcome.kind.value if isinstance(outcome, Done) else type(outcome).__name__.lower()
        _CONTACTS.info("%s %s", word, action.link.external_id)
        self.applied.outcomes.append(outcome)
        self._context.progress.advance()
        self._open[client_id] -= 1
        if not isinstance(outcome, Done):
            self._spoiled.add(client_id)
            self._failed_fast |= self._rules.fail_fast and isinstance(outcome, Failed)
        if not self._open[client_id] and client_id in self._plan.fingerprints and client_id not in self._spoiled:
            self._finished.append((client_id, self._plan.fingerprints[client_id], False))
        if len(self._finished) >= CLIENTS_PER_COMMIT:
            self._flush()

    def _flush(self) -> None:
        """Commit the clients that are done since the last commit."""
        with self._stopping_on_error():
            self._context.store.save_clients(self._finished)
            self._finished = []

    def _save_progress(self, total: int) -> None:
        now_s = self._context.clock.monotonic()
        if now_s - self._saved_at_s >= PROGRESS_EVERY_S:
            self._saved_at_s = now_s
            with self._stopping_on_error():
                self._context.store.save_progress(self._rules.run_id, len(self.applied.outcomes), total)

    @contextmanager
    def _stopping_on_error(self) -> Iterator[None]:
        """A state that cannot be written ends the run; what was sent before stays in the result."""
        try:
            yield
        except RunError as error:
            self._stop(error)
