"""Journal of a run + the contacts as they are now -> what undoes the run, and what is left as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from openphone_sync.model import (
    Action,
    ActionKind,
    Base,
    Create,
    Delete,
    JournalEntry,
    Keep,
    Link,
    Reason,
    RemoteContact,
    RemoteField,
    RemoteItem,
    Restore,
    Result,
    Standing,
    Why,
)
from openphone_sync.rules.merging import MergeRules
from openphone_sync.rules.undo import find_undoable, make_undo_actions
from tests.builders import OURS, P1, P2, client, link, normalise

RULES = MergeRules(normalise)
JAMES = client("1", "James Smith", P1)
THERE = RemoteContact(
    "a", "client_1", OURS, "James Smith", None, "Legal Client", "Civil Client", (RemoteItem("Main Phone", P1, "i1"),)
)
BEFORE = replace(THERE, role="Attorney", phones=(RemoteItem("Cell", P2, "i2"),))


def entry(kind: ActionKind, entry_id: int = 1, **more: Any) -> JournalEntry:
    known: dict[str, Any] = {
        "before": BEFORE,
        "after": THERE,
        "earlier": link(JAMES, "a", base=Base(JAMES.values, frozenset({"role"}))),
    }
    return JournalEntry(
        entry_id=entry_id,
        run_id="r1",
        external_id="client_1",
        client_id="1",
        kind=kind,
        contact_id="a",
        link=link(JAMES, "a"),
        draft=None,
        intended_at=0.0,
        result=Result.DONE,
        **(known | more),
    )


def undo(made: JournalEntry, now: RemoteContact | None, row: Link | None = None) -> Action:
    contacts = {now.contact_id: now} if now else {}
    [action] = make_undo_actions([made], contacts, {row.external_id: row} if row else {}, RULES)
    return action


def reason(action: Action) -> Reason:
    assert isinstance(action, Keep)
    assert action.why is not None
    return action.why.reason


def test_what_was_created_is_deleted_and_held() -> None:
    action = undo(entry(ActionKind.CREATE, before=None), THERE)
    assert isinstance(action, Delete)
    assert (action.contact_id, action.created, action.link.standing) == ("a", THERE, Standing.REVERTED)
    assert action.link.why == Why(Reason.ROLLED_BACK, "r1")


@pytest.mark.parametrize(
    ("now", "why"),
    [(None, Reason.DELETED_SINCE), (replace(THERE, last_name="Jr."), Reason.CHANGED_SINCE)],
)
def test_a_created_contact_that_a_person_had_a_hand_in_is_left_alone(now: RemoteContact | None, why: Reason) -> None:
    assert reason(undo(entry(ActionKind.CREATE), now)) is why


def test_what_was_updated_is_restored_with_its_base() -> None:
    action = undo(entry(ActionKind.UPDATE), THERE)
    assert isinstance(action, Restore)
    assert action.link.base == Base(JAMES.values, frozenset({"role"}))
    assert action.link.contact_id == "a"
    assert {change.field for change in action.preview.changes} == {"role", "phoneNumbers"}
    assert action.preview.draft.role == "Attorney"
    assert action.preview.draft.phones == (*BEFORE.phones, RemoteItem("Main Phone", None, "i1"))


def test_single_fields_that_a_person_changed_since_stay() -> None:
    now = replace(THERE, role="Judge", phones=(*THERE.phones, RemoteItem("Desk", P2, "i3")), company="Acme")
    action = undo(entry(ActionKind.UPDATE, before=replace(BEFORE, company="Old Ltd")), now)
    assert isinstance(action, Keep)
    assert action.why == Why(Reason.NOTHING_LEFT)
    partly = undo(entry(ActionKind.UPDATE), replace(THERE, role="Judge"))
    assert isinstance(partly, Restore)
    assert [conflict.field for conflict in partly.preview.conflicts] == ["role"]
    assert partly.preview.draft.role == "Judge"


def test_an_adoption_that_is_taken_back_leaves_no_link() -> None:
    joined = entry(ActionKind.ADOPT, earlier=link(JAMES, None, base=None), before=replace(BEFORE, external_id=None))
    action = undo(joined, THERE)
    assert isinstance(action, Restore)
    assert (action.link.contact_id, action.link.base) == (None, None)
    assert action.preview.draft.unset_external_id


@pytest.mark.parametrize(
    ("made", "now", "why"),
    [
        (entry(ActionKind.UPDATE), None, Reason.DELETED_SINCE),
        (entry(ActionKind.UPDATE), BEFORE, Reason.NOTHING_LEFT),
        (entry(ActionKind.DELETE), THERE, Reason.EXISTS_AGAIN),
    ],
)
def test_what_is_as_it_was_needs_nothing(made: JournalEntry, now: RemoteContact | None, why: Reason) -> None:
    assert reason(undo(made, now)) is why


def test_what_was_deleted_is_created_again_without_ids_of_items() -> None:
    gone = replace(
        BEFORE, custom_fields=(RemoteField("k", "LA", "f1"), RemoteField(None, "x", "f2")), source_url="https://x.org/1"
    )
    action = undo(entry(ActionKind.DELETE, before=gone), None)
    assert isinstance(action, Create)
    assert (action.desired, action.link.contact_id, action.link.standing) == (None, None, Standing.REVERTED)
    assert action.draft.phones == (RemoteItem("Cell", P2),)
    assert action.draft.custom_fields == (RemoteField("k", "LA"),)
    assert (action.draft.external_id, action.draft.source, action.draft.source_url) == (
        "client_1",
        OURS,
        "https://x.org/1",
    )


def test_another_contact_in_its_place_is_left_alone() -> None:
    assert reason(undo(entry(ActionKind.UPDATE), THERE, link(JAMES, "b"))) is Reason.REPLACED_SINCE


def test_several_writes_of_one_contact_are_one_from_the_first_before_to_the_last_after() -> None:
    first = entry(ActionKind.CREATE, before=None, after=BEFORE, earlier=None)
    second = entry(ActionKind.UPDATE, 2)
    open_one = replace(entry(ActionKind.UPDATE, 3), result=None)
    [found] = find_undoable([first, second, open_one])
    assert (found.kind, found.before, found.after, found.earlier) == (ActionKind.CREATE, None, THERE, None)


def test_custom_fields_go_back_one_by_one() -> None:
    was = replace(BEFORE, custom_fields=(RemoteField("k", "LA"), RemoteField("gone", "x")))
    wrote = replace(THERE, custom_fields=(RemoteField("k", "Kern"), RemoteField("new", "y"), RemoteField("hers", "a")))
    now = replace(wrote, custom_fields=(RemoteField("k", "Kern"), RemoteField("new", "y"), RemoteField("hers", "b")))
    action = undo(entry(ActionKind.UPDATE, before=was, after=wrote), now)
    assert isinstance(action, Restore)
    restored = {one.key: one.value for one in action.preview.draft.custom_fields}
    assert restored == {"k": "LA", "new": None, "hers": "b", "gone": "x"}
    assert [conflict.field for conflict in action.preview.conflicts] == ["customFields.hers"]


def test_fields_that_are_known_by_their_ids_alone_keep_their_own_values() -> None:
    def fields(ours: str, other: str) -> tuple[RemoteField, ...]:
        return RemoteField(None, ours, "i1"), RemoteField(None, other, "i2")

    was, wrote = (
        replace(THERE, custom_fields=fields("old", "hers")),
        replace(THERE, custom_fields=fields("new", "hers")),
    )
    action = undo(entry(ActionKind.UPDATE, before=was, after=wrote), wrote)
    assert isinstance(action, Restore)
    assert action.preview.draft.custom_fields == was.custom_fields
    assert [change.field for change in action.preview.changes] == ["customFields.i1"]
