"""Journal of a run + the contacts as they are now -> what undoes the run, and what is left as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from openphone_sync.model import (
    Action,
    ActionKind,
    Base,
    Conflict,
    ContactDraft,
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


def reason(action: Action, row: Link | None = None) -> Reason:
    """Why nothing is done; the row stays as it is."""
    assert isinstance(action, Keep)
    assert action.why is not None
    assert action == Keep(ActionKind.SKIP, row or link(JAMES, "a"), why=action.why)
    return action.why.reason


def held(row: Link, **more: Any) -> Link:
    """The row as it stands after the rollback."""
    return replace(row, **{"standing": Standing.REVERTED, "why": Why(Reason.ROLLED_BACK, "r1"), "failures": 0, **more})


def test_what_was_created_is_deleted_and_held() -> None:
    row = link(JAMES, "a", failures=2)
    expected = Delete(held(row, base=None), "a", THERE, Why(Reason.ROLLED_BACK, "r1"), created=THERE)
    assert undo(entry(ActionKind.CREATE, before=None), THERE, row) == expected


@pytest.mark.parametrize(
    ("now", "why"),
    [(None, Reason.DELETED_SINCE), (replace(THERE, last_name="Jr."), Reason.CHANGED_SINCE)],
)
def test_a_created_contact_that_a_person_had_a_hand_in_is_left_alone(now: RemoteContact | None, why: Reason) -> None:
    assert reason(undo(entry(ActionKind.CREATE), now)) is why


def test_what_was_updated_is_restored_with_its_base() -> None:
    made = entry(ActionKind.UPDATE)
    action = undo(made, THERE, link(JAMES, "a", failures=2))
    assert isinstance(action, Restore)
    assert action.link == held(link(JAMES, "a"), base=Base(JAMES.values, frozenset({"role"})))
    assert (action.contact_id, action.before, action.after) == ("a", BEFORE, THERE)
    assert (action.why, action.seen) == (Why(Reason.ROLLED_BACK, "r1"), THERE)
    assert {change.field for change in action.preview.changes} == {"role", "phoneNumbers"}
    assert action.preview.draft.role == "Attorney"
    assert action.preview.draft.phones == (*BEFORE.phones, RemoteItem("Main Phone", None, "i1"))


def test_single_fields_that_a_person_changed_since_stay() -> None:
    now = replace(THERE, role="Judge", phones=(*THERE.phones, RemoteItem("Desk", P2, "i3")), company="Acme")
    action = undo(entry(ActionKind.UPDATE, before=replace(BEFORE, company="Old Ltd")), now)
    assert reason(action) is Reason.NOTHING_LEFT
    partly = undo(entry(ActionKind.UPDATE), replace(THERE, role="Judge", other_fields={"isVip": True}))
    assert isinstance(partly, Restore)
    assert partly.preview.conflicts == (Conflict("role", "remote"),)
    assert partly.preview.draft.role == "Judge"
    assert partly.preview.draft.other_fields == {"isVip": True}


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
        BEFORE,
        last_name="Jr.",
        emails=(RemoteItem("Home", "j@example.org", "e1"),),
        custom_fields=(RemoteField("k", "LA", "f1"), RemoteField(None, "x", "f2")),
        other_fields={"isVip": True},
        source_url="https://x.org/1",
    )
    action = undo(entry(ActionKind.DELETE, before=gone), None)
    assert isinstance(action, Create)
    assert action.draft == ContactDraft(
        first_name="James Smith",
        last_name="Jr.",
        company="Legal Client",
        role="Attorney",
        phones=(RemoteItem("Cell", P2),),
        emails=(RemoteItem("Home", "j@example.org"),),
        custom_fields=(RemoteField("k", "LA"),),
        other_fields={"isVip": True},
        external_id="client_1",
        source=OURS,
        source_url="https://x.org/1",
    )
    assert action.link == held(link(JAMES, None), base=Base(JAMES.values, frozenset({"role"})))
    assert (action.desired, action.why) == (None, Why(Reason.ROLLED_BACK, "r1"))


def test_a_deletion_of_which_the_base_was_lost_is_taken_back_without_one() -> None:
    action = undo(entry(ActionKind.DELETE, earlier=None), None)
    assert action.link.base is None


def test_actions_are_ordered_by_client_and_slot() -> None:
    made = [replace(entry(ActionKind.UPDATE), external_id=f"client_{n}", contact_id=f"c{n}") for n in "312"]
    rows = {f"client_{n}": link(client(n, "A", P1), f"c{n}") for n in "123"}
    found = make_undo_actions(made, {}, rows, RULES)
    assert [action.link.client_id for action in found] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("was", "is_now", "sent"),
    [
        (None, "https://x.org/1", ""),
        ("https://x.org/0", "https://x.org/1", "https://x.org/0"),
        (None, "https://hers.org", None),
        ("https://x.org/1", "https://x.org/1", None),
    ],
)
def test_the_link_to_the_record_goes_back_unless_a_person_changed_it(
    was: str | None, is_now: str, sent: str | None
) -> None:
    wrote = replace(THERE, source_url="https://x.org/1")
    made = entry(ActionKind.UPDATE, before=replace(BEFORE, source_url=was), after=wrote)
    action = undo(made, replace(wrote, source_url=is_now))
    assert isinstance(action, Restore)
    assert action.preview.draft.source_url == sent


@pytest.mark.parametrize(("name", "attribute"), [("phoneNumbers", "phones"), ("emails", "emails")])
def test_items_that_a_person_changed_since_stay_and_are_listed(name: str, attribute: str) -> None:
    hers = RemoteItem("Desk", "hers", "i9")
    wrote = replace(THERE, emails=(RemoteItem("Email", "j@example.org", "e1"),))
    now = replace(wrote, **{attribute: (hers,)})  # type: ignore[arg-type]
    action = undo(entry(ActionKind.UPDATE, after=wrote), now)
    assert isinstance(action, Restore)
    assert getattr(action.preview.draft, attribute) == (hers,)
    assert action.preview.conflicts == (Conflict(name, "remote"),)


def test_an_item_that_is_known_by_its_value_only_is_left_out() -> None:
    wrote = replace(THERE, phones=(RemoteItem("Main Phone", P1),))
    action = undo(entry(ActionKind.UPDATE, after=wrote), wrote)
    assert isinstance(action, Restore)
    assert action.preview.draft.phones == BEFORE.phones


def test_another_contact_in_its_place_is_left_alone() -> None:
    row = link(JAMES, "b")
    assert reason(undo(entry(ActionKind.UPDATE), THERE, row), row) is Reason.REPLACED_SINCE


def test_several_writes_of_one_contact_are_one_from_the_first_before_to_the_last_after() -> None:
    first = entry(ActionKind.CREATE, before=None, after=BEFORE, earlier=None)
    second = entry(ActionKind.UPDATE, 2)
    open_one = replace(entry(ActionKind.UPDATE, 3), result=None)
    [found] = find_undoable([first, second, open_one])
    assert (found.kind, found.before, found.after, found.earlier) == (ActionKind.CREATE, None, THERE, None)


def test_a_created_contact_on_which_a_person_typed_between_two_writes_of_the_run_is_left_alone() -> None:
    first = entry(ActionKind.CREATE, before=None, after=BEFORE, earlier=None)
    typed = replace(BEFORE, last_name="typed")
    wrote = replace(THERE, last_name="typed")
    last = replace(wrote, company="Other")
    second = entry(ActionKind.UPDATE, 2, before=typed, after=wrote)
    third = entry(ActionKind.UPDATE, 3, before=wrote, after=last)
    for entries, now in (([first, second], wrote), ([first, second, third], last)):
        [found] = find_undoable(entries)
        assert reason(undo(found, now)) is Reason.CHANGED_SINCE


def test_what_a_person_typed_between_two_writes_of_the_run_stays() -> None:
    field, url = RemoteField("k", "typed", "f1"), "https://x.org/1"
    first = entry(ActionKind.UPDATE, before=replace(BEFORE, external_id=None), after=replace(THERE, source_url=url))
    typed = replace(THERE, source_url=url, last_name="typed", role="Judge", custom_fields=(field,))
    second = entry(ActionKind.UPDATE, 2, before=typed, after=replace(typed, company="Other"))
    [found] = find_undoable([first, second])
    action = undo(found, second.after)
    assert isinstance(action, Restore)
    draft = action.preview.draft
    assert (draft.last_name, draft.role, draft.custom_fields) == ("typed", "Judge", (field,))
    assert (draft.company, draft.source_url, draft.unset_external_id) == ("Legal Client", "", True)
    assert [item.value for item in draft.phones] == [P2, None]


def test_custom_fields_go_back_one_by_one() -> None:
    same = RemoteField("same", "s")
    was = replace(BEFORE, custom_fields=(RemoteField("k", "LA"), RemoteField("gone", "x"), same))
    written = (RemoteField("k", "Kern"), RemoteField("new", "y"), same)
    wrote = replace(THERE, custom_fields=(*written, RemoteField("hers", "a")))
    now = replace(wrote, custom_fields=(*written, RemoteField("hers", "b"), RemoteField("added", "c")))
    action = undo(entry(ActionKind.UPDATE, before=was, after=wrote), now)
    assert isinstance(action, Restore)
    restored = {one.key: one.value for one in action.preview.draft.custom_fields}
    assert restored == {"k": "LA", "new": None, "hers": "b", "gone": "x", "same": "s", "added": "c"}
    assert action.preview.conflicts == (Conflict("customFields.hers", "remote"),)


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
