"""Random histories of edits on both sides of one contact, merged after each: what a person typed never disappears.

Under the default policies; the contact behaves as the API does (PATCH replaces, an item without a value is removed).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from openphone_sync.model import (
    Base,
    ContactDraft,
    ContactValues,
    DesiredContact,
    Item,
    Merged,
    RemoteContact,
    RemoteField,
    RemoteItem,
    Tie,
)
from openphone_sync.rules.item_merge import APP_SUFFIX
from openphone_sync.rules.merging import MergeRules, find_differences, make_first_draft, merge
from openphone_sync.rules.phones import normalise_phone

RULES = MergeRules(normalise_phone=lambda text: normalise_phone(text, "US"))

OFFICE = [f"+1213555010{n}" for n in range(4)]
STAFF = [f"+1310555011{n}" for n in range(3)]
LABELS = ["Main Phone", "Main Phone 2", "Wife", "Work"]
COUNTIES = [None, "LA", "Kern"]


@dataclass
class World:
    """One contact, the base of its link, and what staff typed on it."""

    contact: RemoteContact
    ours: ContactValues
    base: Base | None
    unusable: bool = False
    typed_phones: set[str] = field(default_factory=set)
    typed_emails: set[str] = field(default_factory=set)
    last_name: str | None = None
    note: str | None = None


def stored(contact: RemoteContact, draft: ContactDraft) -> RemoteContact:
    """The contact after a PATCH, as the API keeps it."""
    return replace(
        contact,
        first_name=draft.first_name,
        last_name=draft.last_name,
        company=draft.company,
        role=draft.role,
        phones=tuple(replace(one, item_id=one.item_id or f"p{n}") for n, one in enumerate(draft.phones) if one.value),
        emails=tuple(replace(one, item_id=one.item_id or f"e{n}") for n, one in enumerate(draft.emails) if one.value),
        custom_fields=tuple(one for one in draft.custom_fields if one.value is not None),
    )


def run_merge(world: World) -> Merged:
    desired = DesiredContact("client_1", "1", 0, "x", world.ours, phones_unusable=world.unusable)
    return merge(world.base, world.contact, desired, RULES, Tie.OWN)


def apply_merge(world: World) -> Merged:
    merged = run_merge(world)
    after = stored(world.contact, merged.draft)
    assert not find_differences(merged.draft, after, RULES)
    world.contact, world.base = after, merged.base
    return merged


# --- edits ------------------------------------------------------------------------------------------------------------

OFFICE_EDITS = st.fixed_dictionaries(
    {
        "phones": st.lists(st.sampled_from(OFFICE), max_size=2, unique=True),
        "unusable": st.booleans(),
        "role": st.sampled_from(["Civil Client", "Criminal Client"]),
        "name": st.sampled_from(["James Smith", "James Smythe"]),
        "county": st.sampled_from(COUNTIES),
        "emails": st.lists(st.sampled_from(["o1@example.org", "o2@example.org"]), max_size=2, unique=True),
    }
)
STAFF_EDITS = st.one_of(
    st.tuples(st.just("phone"), st.sampled_from(STAFF), st.sampled_from(LABELS)),
    st.tuples(st.just("email"), st.sampled_from(["S1@example.org", "s2@example.org"]), st.just("Home")),
    st.tuples(st.just("last"), st.sampled_from(["Smith", "Jr."]), st.just("")),
    st.tuples(st.just("note"), st.sampled_from(["n1", "n2"]), st.just("")),
    st.tuples(st.just("first"), st.sampled_from(["Jim", "James"]), st.just("")),
    st.tuples(st.just("role"), st.sampled_from(["VIP", "Criminal Client"]), st.just("")),
    st.tuples(st.just("county"), st.sampled_from(["Orange", ""]), st.just("")),
    st.tuples(st.just("relabel"), st.just(""), st.sampled_from(LABELS)),
    st.tuples(st.just("retype"), st.sampled_from(STAFF), st.just("")),
    st.tuples(st.just("drop"), st.just(""), st.just("")),
)


def edit_office(world: World, edit: dict[str, Any]) -> None:
    numbers: list[str] = edit["phones"]
    addresses: list[str] = edit["emails"]
    world.unusable = bool(edit["unusable"]) and not numbers
    world.ours = ContactValues(
        first_name=str(edit["name"]),
        company="Legal Client",
        role=str(edit["role"]),
        phones=tuple(
            Item("Main Phone" if n == 0 else f"Main Phone {n + 1}", number) for n, number in enumerate(numbers)
        ),
        emails=tuple(Item("Email" if n == 0 else f"Email {n + 1}", address) for n, address in enumerate(addresses)),
        custom_fields=(("county", edit["county"]),),
    )


def edit_staff(world: World, kind: str, value: str, label: str) -> None:
    contact = world.contact
    phones = list(contact.phones)
    if kind == "phone":
        phones.append(RemoteItem(label, value, f"s-{value}"))
        world.typed_phones.add(value)
    elif kind == "relabel" and phones:
        phones[0] = replace(phones[0], label=label)
    elif kind == "retype" and phones:
        world.typed_phones.discard(str(phones[0].value))
        world.typed_phones.add(value)
        phones[0] = replace(phones[0], value=value)
    elif kind == "drop" and phones:
        world.typed_phones.discard(str(phones[0].value))
        phones = [one for one in phones if one.value != phones[0].value]
    elif kind == "email":
        contact = replace(contact, emails=(*contact.emails, RemoteItem(label, value, f"s-{value}")))
        world.typed_emails.add(value)
    elif kind == "last":
        contact, world.last_name = replace(contact, last_name=value), value
    elif kind == "first":
        contact = replace(contact, first_name=value)
    elif kind == "role":
        contact = replace(contact, role=value)
    elif kind in {"note", "county"}:
        rest = tuple(one for one in contact.custom_fields if one.key != kind)
        contact = replace(contact, custom_fields=(*rest, RemoteField(kind, value)))
        world.note = value if kind == "note" else world.note
    world.contact = replace(contact, phones=tuple(phones))


def assert_nothing_lost(world: World) -> None:
    assert world.typed_phones <= {one.value for one in world.contact.phones}
    assert world.typed_emails <= {one.value for one in world.contact.emails}
    assert world.contact.last_name == world.last_name
    assert {one.key: one.value for one in world.contact.custom_fields}.get("note") == world.note


def assert_scalars_that_gave_way_are_listed(before: RemoteContact, base: Base | None, merged: Merged) -> None:
    """What staff had put into a field of ours and is gone now must stand in the conflicts with its value."""
    listed = {one.field: one.lost for one in merged.conflicts if one.kept == "source"}
    for name, old, new, was in (
        ("firstName", before.first_name, merged.draft.first_name, base.values.first_name if base else None),
        ("role", before.role, merged.draft.role, base.values.role if base else None),
    ):
        if old and old not in (new, was):
            assert listed[name] == old


HISTORIES = st.lists(st.tuples(OFFICE_EDITS | st.none(), st.lists(STAFF_EDITS, max_size=3)), min_size=1, max_size=6)


@settings(max_examples=400, deadline=None)
@given(OFFICE_EDITS, HISTORIES, st.booleans())
def test_no_history_loses_what_a_person_typed_and_every_history_converges(
    first: dict[str, object], history: list[tuple[dict[str, object] | None, list[tuple[str, str, str]]]], forget: bool
) -> None:
    world = World(RemoteContact("c1"), ContactValues("", "", ""), None)
    edit_office(world, first)
    draft = make_first_draft(DesiredContact("client_1", "1", 0, "x", world.ours), "ours")
    world.contact, world.base = stored(world.contact, draft), Base(world.ours)
    for office, staff in history:
        if office is not None:
            edit_office(world, office)
        for edit in staff:
            edit_staff(world, *edit)
        before, base = world.contact, world.base
        merged = apply_merge(world)
        assert_nothing_lost(world)
        assert_scalars_that_gave_way_are_listed(before, base, merged)
        assert run_merge(world).changes == ()
    if forget:  # the state file is lost: our own contact, and nobody knows what was written
        world.base = None
        apply_merge(world)
        assert_nothing_lost(world)
        assert run_merge(world).changes == ()


@settings(max_examples=200, deadline=None)
@given(OFFICE_EDITS, st.lists(STAFF_EDITS, min_size=1, max_size=6))
def test_joining_a_persons_contact_changes_nothing_that_is_there(
    first: dict[str, object], staff: list[tuple[str, str, str]]
) -> None:
    world = World(RemoteContact("c1"), ContactValues("", "", ""), None)
    for edit in staff:
        edit_staff(world, *edit)
    edit_office(world, first)
    before = world.contact
    merged = merge(None, before, DesiredContact("client_1", "1", 0, "x", world.ours), RULES, Tie.ADOPTED)
    for change in merged.changes:
        if isinstance(change.before, list):
            assert all(item in change.after for item in change.before)  # type: ignore[operator]
        else:
            assert change.before in (None, "")
    assert merged.conflicts == ()


@settings(max_examples=200, deadline=None)
@given(OFFICE_EDITS, st.lists(st.tuples(OFFICE_EDITS, st.lists(STAFF_EDITS, max_size=2)), min_size=1, max_size=5))
def test_a_label_takes_the_suffix_once(
    first: dict[str, object], history: list[tuple[dict[str, object], list[tuple[str, str, str]]]]
) -> None:
    world = World(RemoteContact("c1"), ContactValues("", "", ""), None)
    edit_office(world, first)
    world.base = Base(world.ours)
    world.contact = stored(world.contact, make_first_draft(DesiredContact("client_1", "1", 0, "x", world.ours), "ours"))
    for office, staff in history:
        edit_office(world, office)
        for edit in staff:
            edit_staff(world, *edit)
        apply_merge(world)
    assert all(APP_SUFFIX * 2 not in one.label for one in world.contact.phones)
