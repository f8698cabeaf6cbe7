"""Faults that were once found, planted again one at a time: the simulator has to find each of them.

A fault is planted by replacing a function of the product while histories are lived; no file changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from openphone_sync.errors import ContactError
from openphone_sync.model import JournalEntry, Link, Merged, RemoteContact, Restore, Update
from openphone_sync.rules import merging, names, planning, undo
from openphone_sync.rules.matching import alternates, context
from openphone_sync.rules.matching.decisions import ResolvedDecisions
from openphone_sync.rules.names import MatchLevel, Name, NameMatch
from openphone_sync.run import apply, sync, write
from openphone_sync.run.rollback import Undoing
from openphone_sync.state import Store
from tests.simulator import process
from tests.simulator.history import live, make_plan
from tests.simulator.scheduler import Pool

MOST_SEEDS = 2000

Patch = pytest.MonkeyPatch
Fault = Callable[[Patch], None]


def read_all_then_write_all(patch: Patch) -> None:
    """All contacts are read first, then written from those copies."""
    run = apply._Applying.run

    def run_from_copies(self: Any) -> None:
        workspace, copies = self._context.workspace, {}
        for action in self._plan.writes:
            if isinstance(action, Update):
                with suppress(ContactError):
                    copies[action.contact_id] = workspace.read_contact(action.contact_id)
        self._writer._workspace = _FromCopies(workspace, copies)
        run(self)

    patch.setattr(apply._Applying, "run", run_from_copies)


class _FromCopies:
    def __init__(self, workspace: Any, copies: Mapping[str, RemoteContact]) -> None:
        self._workspace = workspace
        self._copies = copies

    def __getattr__(self, name: str) -> Any:
        return getattr(self._workspace, name)

    def read_contact(self, contact_id: str) -> RemoteContact:
        copy = self._copies.get(contact_id)
        return copy if copy is not None else self._workspace.read_contact(contact_id)


def fail_on_an_odd_row(patch: Patch) -> None:
    """A nameless alternate with a sibling's number is a LookupError."""
    assign = alternates._assign

    def assign_or_fail(ledger: Any, client_id: str, people: Sequence[Any], places: Sequence[Any]) -> None:
        for desired in people:
            human = ledger.context.human(desired)
            if not human.name.words and any(place.human.phones & human.phones for place in places):
                raise LookupError(client_id)
        assign(ledger, client_id, people, places)

    patch.setattr(alternates, "_assign", assign_or_fail)


def keep_decisions_with_the_slot(patch: Patch) -> None:
    """A decision is about the person who has the external id now."""

    def find_in_slot(self: Any, client_id: str, external_id: str, person: object) -> list[Any]:
        return [desired for desired in self._by_client.get(client_id, ()) if desired.external_id == external_id]

    patch.setattr(ResolvedDecisions, "_find_people", find_in_slot)


def forget_what_was_met(patch: Patch) -> None:
    """What staff typed and the row holds too counts as written by us."""

    def merge(*sides: Any) -> Merged:
        merged = merging.merge(*sides)
        return replace(merged, base=replace(merged.base, met=frozenset()))

    patch.setattr(write, "merge", merge)
    patch.setattr(planning, "merge", merge)


def agree_on_the_surname(patch: Patch) -> None:
    """Two names with a word in common are one person's."""
    compare = names.compare

    def compare_words(a: Name, b: Name, *rest: Any, **more: Any) -> NameMatch:
        if set(a.words) & set(b.words):
            return NameMatch(MatchLevel.EQUAL, 1.0)
        return compare(a, b, *rest, **more)

    patch.setattr(context, "compare", compare_words)


def leave_the_base_after_a_rollback(patch: Patch) -> None:
    """A rolled back contact keeps the base of the write that was undone."""
    undo_update = undo._undo_update

    def undo_without_base(entry: JournalEntry, contact: Any, link: Link, rules: Any) -> Any:
        action = undo_update(entry, contact, link, rules)
        if not isinstance(action, Restore):
            return action
        return replace(action, link=replace(action.link, contact_id=action.contact_id, base=link.base))

    patch.setattr(undo, "_undo_update", undo_without_base)


def roll_back_the_latest_of_any_kind(patch: Patch) -> None:
    """`rollback latest` takes the latest record, a rollback too."""

    def find_latest(store: Store, run_id: str) -> Undoing:
        return Undoing(store.read_runs()[0], (), continues=False)

    patch.setattr(process, "find_undoing", find_latest)


def take_403_for_ownership(patch: Patch) -> None:
    """A refused contact belongs to an integration, for ever."""

    def is_owned(contact: RemoteContact, our_source: str, *, refused: bool) -> bool:
        return refused or (contact.source or "").startswith("openphone-")

    make_known = planning.make_known
    patch.setattr(write, "is_integration", is_owned)
    patch.setattr(context, "is_integration", is_owned)
    patch.setattr(planning, "make_known", lambda gathered: replace(make_known(gathered), retry_refused=False))


def take_any_source_for_ours(patch: Patch) -> None:
    """Our external id on a contact of another tool makes it ours."""
    patch.setattr(context.Context, "is_ours", lambda self, contact: bool(contact.external_id))


def forget_killed_runs(patch: Patch) -> None:
    """A run whose process died is in no total."""
    patch.setattr(sync, "_close_broken", lambda run, context: None)


def delete_what_staff_typed(patch: Patch) -> None:
    """Deletion does not look at what a contact holds."""
    patch.setattr(write, "holds_typed", lambda base, contact, rules: False)
    patch.setattr(planning, "holds_typed", lambda base, contact, rules: False)


def judge_by_the_contact_before_the_update(patch: Patch) -> None:
    """A held duplicate is judged by the contact as it was before this run's own update."""
    patch.setattr(context.Context, "after_update", lambda self, contact, result, link: contact)


FAULTS: tuple[Fault, ...] = (
    read_all_then_write_all,
    fail_on_an_odd_row,
    keep_decisions_with_the_slot,
    forget_what_was_met,
    agree_on_the_surname,
    leave_the_base_after_a_rollback,
    roll_back_the_latest_of_any_kind,
    take_403_for_ownership,
    take_any_source_for_ours,
    forget_killed_runs,
    delete_what_staff_typed,
    judge_by_the_contact_before_the_update,
)


@dataclass(frozen=True)
class Found:
    """After how many histories a planted fault was found, and how it showed; ``seeds`` is 0 where it was not."""

    fault: Fault
    seeds: int = 0
    shown: str = ""


def search(fault: Fault, seeds: Iterable[int] = range(MOST_SEEDS)) -> Found:
    """Live histories with the fault until one is wrong that is not wrong without it."""
    pool = Pool()
    for number, seed in enumerate(seeds, start=1):
        with pytest.MonkeyPatch.context() as patch:
            fault(patch)
            wrong = live(make_plan(seed), pool).wrong
        if wrong and not live(make_plan(seed), pool).wrong:
            return Found(fault, number, wrong.strip().splitlines()[-1])
    return Found(fault)


def search_all(processes: ProcessPoolExecutor) -> list[Found]:
    """All faults, in their order."""
    return list(processes.map(search, FAULTS))


def make_table(found: Iterable[Found]) -> str:
    """For `benchmarks/README.md`."""
    lines = ["| planted fault | histories until it was found | how it showed |", "|---|---:|---|"]
    for one in found:
        what = (one.fault.__doc__ or "").rstrip(".")
        shown = one.shown[:110].replace("|", "/") + ("…" if len(one.shown) > 110 else "")
        lines.append(f"| {what} | {one.seeds or f'not within {MOST_SEEDS}'} | {shown} |")
    return "\n".join(lines)
