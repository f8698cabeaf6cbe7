"""Random histories of edits on both sides of one contact, merged after each round: what a person typed is never lost.

The contact behaves as the API does: PATCH replaces, and an item without a value is removed. `Record` keeps what staff
typed and what the program put on the contact; it knows nothing of bases and marks, and judges each round.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from openphone_sync.model import (
    Base,
    ContactDraft,
    ContactValues,
    DesiredContact,
    Item,
    Json,
    Merged,
    RemoteContact,
    RemoteField,
    RemoteItem,
    Tie,
)
from openphone_sync.rules.item_merge import APP_SUFFIX
from openphone_sync.rules.merging import MergeRules, find_differences, make_first_draft, merge
from openphone_sync.rules.phones import normalise_phone

RULES = MergeRules(normalise_phone=lambda text: normalise_phone(text, "US"), date_keys=frozenset({"dob"}))

PHONES = [f"+1213555010{number}" for number in range(5)]
EMAILS = ["a@example.org", "B@example.org", "c@example.org"]
LABELS = ["Main Phone", "Main Phone 2", "Wife", "Work", "Email"]
DAYS = [None, "1985-06-15T12:00:00.000Z", "1990-01-31T12:00:00.000Z"]
TYPED_DAYS = ["1985-06-15T04:00:00.000Z", "1985-06-14T14:00:00.000Z", "1990-01-31", "1990-02-01T05:00:00.000Z", ""]
URLS = ["", "https://office.example/1", "https://office.example/2"]
ATTRIBUTES = {"firstName": "first_name", "company": "company", "role": "role", "sourceUrl": "source_url"}
SCALARS = (*ATTRIBUTES, "county", "arrested", "dob")


# --- what happens ---------------------------------------------------------------------------------------------------

ROWS = st.fixed_dictionaries(
    {
        "phones": st.lists(st.sampled_from(PHONES), max_size=3, unique=True),
        "unusable": st.booleans(),
        "emails": st.lists(st.sampled_from(EMAILS), max_size=2, unique=True),
        "labels": st.sampled_from(["Main Phone", "Brother Phone"]),
        "firstName": st.sampled_from(["James Smith", "James Smythe"]),
        "company": st.sampled_from(["Legal Client", "Acme", ""]),
        "role": st.sampled_from(["Civil Client", "Criminal Client"]),
        "sourceUrl": st.sampled_from(URLS),
        "county": st.sampled_from([None, "LA", "Kern", "left out"]),
        "arrested": st.sampled_from([None, "Yes", "denied"]),
        "dob": st.sampled_from(DAYS),
    }
)
STAFF_EDITS = st.one_of(
    st.tuples(st.just("add phones"), st.sampled_from(PHONES), st.sampled_from(LABELS)),
    st.tuples(st.just("add emails"), st.sampled_from(EMAILS), st.sampled_from(LABELS)),
    st.tuples(st.sampled_from(["retype phones", "retype phones at 1"]), st.sampled_from(PHONES), st.just("")),
    st.tuples(st.just("retype emails"), st.sampled_from(EMAILS), st.just("")),
    st.tuples(st.sampled_from(["relabel phones", "relabel phones at 1"]), st.just(""), st.sampled_from(LABELS)),
    st.tuples(st.sampled_from(["drop phones", "drop phones at 1", "drop emails"]), st.just(""), st.just("")),
    st.tuples(st.just("lastName"), st.sampled_from(["Smith", "Jr.", ""]), st.just("")),
    st.tuples(st.just("note"), st.sampled_from(["n1", "n2"]), st.just("")),
    st.tuples(st.just("firstName"), st.sampled_from(["Jim", "James Smythe", ""]), st.just("")),
    st.tuples(st.just("company"), st.sampled_from(["Acme", "Bakery", ""]), st.just("")),
    st.tuples(st.just("role"), st.sampled_from(["VIP", "Criminal Client", ""]), st.just("")),
    st.tuples(st.just("sourceUrl"), st.sampled_from([*URLS, "https://crm.example/7"]), st.just("")),
    st.tuples(st.just("county"), st.sampled_from(["Orange", "Kern", "LA", ""]), st.just("")),
    st.tuples(st.just("arrested"), st.sampled_from(["Yes", "twice", ""]), st.just("")),
    st.tuples(st.just("dob"), st.sampled_from(TYPED_DAYS), st.just("")),
)
STAFF = st.lists(STAFF_EDITS, max_size=4)
POLICIES = st.tuples(st.booleans(), st.booleans(), st.booleans())
"""OPENPHONE_ON_REMOTE_EDIT=overwrite, OPENPHONE_ON_CONFLICT=source, dates moved to noon."""
ROUNDS = st.lists(st.tuples(ROWS | st.none(), STAFF), min_size=1, max_size=6)


def make_desired(row: dict[str, Any]) -> DesiredContact:
    label = row["labels"]
    custom = {key: row[key] for key in ("county", "arrested", "dob") if row[key] != "left out"}
    denied = frozenset({"arrested"}) if row["arrested"] == "denied" else frozenset[str]()
    values = ContactValues(
        first_name=row["firstName"],
        company=row["company"],
        role=row["role"],
        phones=tuple(Item(f"{label} {n}" if n else label, phone) for n, phone in enumerate(row["phones"])),
        emails=tuple(Item(f"Email {n}" if n else "Email", address) for n, address in enumerate(row["emails"])),
        custom_fields=tuple(sorted((key, None if key in denied else value) for key, value in custom.items())),
        source_url=row["sourceUrl"],
    )
    unusable = row["unusable"] and not row["phones"]
    return DesiredContact("client_1", "1", 0, "James Smith", values, denied=denied, phones_unusable=unusable)


def store(contact: RemoteContact, draft: ContactDraft) -> RemoteContact:
    """The contact after a PATCH, as the API keeps it."""

    def keep_items(items: Iterable[RemoteItem], kind: str) -> tuple[RemoteItem, ...]:
        taken = {item.item_id for item in items}
        free = (name for number in range(99) if (name := f"{kind}{number}") not in taken)
        return tuple(replace(item, item_id=item.item_id or next(free)) for item in items if item.value)

    return replace(
        contact,
        first_name=draft.first_name,
        last_name=draft.last_name,
        company=draft.company,
        role=draft.role,
        phones=keep_items(draft.phones, "p"),
        emails=keep_items(draft.emails, "e"),
        custom_fields=tuple(one for one in draft.custom_fields if one.value is not None),
        external_id=draft.external_id or contact.external_id,
        source_url=contact.source_url if draft.source_url is None else draft.source_url or None,
    )


# --- reading a contact, without the rules -----------------------------------------------------------------------------


def fold(value: Json) -> str:
    """Values that mean the same: an address in either case, a time of day that rounds to the same day."""
    text = str(value or "").strip().casefold()
    if text.startswith("19"):
        instant = datetime.fromisoformat(text.replace("z", "").split(".")[0])
        return str((instant + timedelta(hours=12, microseconds=-1)).date())
    return text


def read_scalar(contact: RemoteContact, name: str) -> Json:
    if name in ATTRIBUTES:
        value: Json = getattr(contact, ATTRIBUTES[name])
        return value or None
    return next((one.value for one in contact.custom_fields if one.key == name and one.value), None)


def read_row(row: dict[str, Any], name: str) -> Json:
    value: Json = row[name]
    return None if value in ("", "denied", "left out") else value


def read_items(contact: RemoteContact, kind: str) -> tuple[RemoteItem, ...]:
    items: tuple[RemoteItem, ...] = getattr(contact, kind)
    return items


# --- the independent record -------------------------------------------------------------------------------------------


@dataclass
class Record:
    """What staff typed and what the program put on the contact and the row still holds.

    A value that the program wrote is not staff's when a person types it once more: nobody can tell the two apart.
    """

    typed: dict[str, set[str]] = field(default_factory=lambda: {"phones": set(), "emails": set()})
    put: dict[str, set[str]] = field(default_factory=lambda: {"phones": set(), "emails": set()})
    wrote: dict[str, str] = field(default_factory=dict)
    edited: set[str] = field(default_factory=set)
    last_name: str | None = None
    note: str | None = None


@dataclass
class World:
    """One contact, its row and the base of its link."""

    contact: RemoteContact
    row: dict[str, Any]
    record: Record = field(default_factory=Record)
    base: Base | None = None


def edit_staff(world: World, action: str, value: str, label: str) -> None:
    verb, _, kind = action.partition(" ")
    kind, _, at = kind.partition(" at ")
    if kind:
        edit_items(world, verb, kind, int(at or 0), value, label)
        return
    contact, record = world.contact, world.record
    record.edited.add("firstName" if action == "lastName" else action)  # the last name decides whose the first name is
    if action == "lastName":
        world.contact, record.last_name = replace(contact, last_name=value or None), value or None
    elif action in ATTRIBUTES:
        changed: dict[str, Any] = {ATTRIBUTES[action]: value or None}
        world.contact = replace(contact, **changed)
    else:
        others = tuple(one for one in contact.custom_fields if one.key != action)
        world.contact = replace(contact, custom_fields=(*others, RemoteField(action, value or None)))
        record.note = value if action == "note" else record.note


def edit_items(world: World, verb: str, kind: str, at: int, value: str, label: str) -> None:
    items = list(read_items(world.contact, kind))
    typed, put = world.record.typed[kind], world.record.put[kind]
    if verb == "add":
        items.append(RemoteItem(label, value, f"{kind}-{len(items)}-{value}"))
    elif at >= len(items):
        return
    else:
        old = items.pop(at)
        gone = fold(old.value)
        if verb == "relabel":
            items.insert(at, replace(old, label=label))
        elif all(fold(item.value) != gone for item in items):
            typed.discard(gone)
        if verb == "retype":
            items.insert(at, replace(old, value=value))
    if verb != "relabel" and value and fold(value) not in put:
        typed.add(fold(value))
    changed: dict[str, Any] = {kind: tuple(items)}
    world.contact = replace(world.contact, **changed)


def take_note(world: World, before: RemoteContact, tie: Tie) -> None:
    """Bring the record up to date after a merge."""
    record, row = world.record, world.row
    for kind in ("phones", "emails"):
        now = {fold(item.value) for item in read_items(world.contact, kind)}
        put = record.put[kind]
        put |= now - {fold(item.value) for item in read_items(before, kind)}
        held = {fold(value) for value in row[kind]}
        if tie is Tie.OWN:  # what stands on our earlier contact counts as written
            put |= now & held
        if kind == "phones" and before.phones == world.contact.phones:
            put &= now | held  # the last number stays, though the source dropped it
        else:
            put &= held  # what is there in spite of that was typed once more by a person
        record.typed[kind] -= put
    for name in SCALARS:
        now_value, wanted = fold(read_scalar(world.contact, name)), fold(read_row(row, name))
        if now_value != fold(read_scalar(before, name)) or (tie is Tie.OWN and now_value == wanted):
            record.wrote[name] = now_value
        if record.wrote.get(name) not in (now_value, wanted) and row[name] != "left out":
            record.wrote.pop(name, None)
    record.edited.clear()


# --- one round ----------------------------------------------------------------------------------------------------------


def make_rules(policy: tuple[bool, bool, bool]) -> MergeRules:
    overwrite, source_wins, rewrite = policy
    return replace(RULES, overwrite_edits=overwrite, source_wins=source_wins, rewrite_midnight=rewrite)


def run_round(world: World, tie: Tie, rules: MergeRules, row_before: dict[str, Any] | None, *, steady: bool) -> Merged:
    desired, before, base = make_desired(world.row), world.contact, world.base
    merged = merge(base, before, desired, rules, tie)
    world.contact = store(before, merged.draft)
    world.base = merged.base
    assert not find_differences(merged.draft, world.contact, rules)
    check_items(world, before, merged)
    check_scalars(world, before, merged, row_before, steady=steady)
    take_note(world, before, tie)
    again = merge(merged.base, world.contact, desired, rules, Tie.LINKED)
    assert (again.changes, again.conflicts, again.base) == ((), (), merged.base)
    return merged


def check_items(world: World, before: RemoteContact, merged: Merged) -> None:
    for kind in ("phones", "emails"):
        items = read_items(world.contact, kind)
        kept = [(fold(item.value), item.label.removesuffix(APP_SUFFIX)) for item in items]
        for item in read_items(before, kind):
            if fold(item.value) in world.record.typed[kind]:
                typed = (fold(item.value), item.label.removesuffix(APP_SUFFIX))
                assert typed in kept, f"{kind}: {typed} is lost"
        sent = {item.item_id: item for item in getattr(merged.draft, kind)}
        for item in read_items(before, kind):
            assert item.item_id in sent, "an item without its id is another item"
        assert all(APP_SUFFIX * 2 not in item.label for item in items)
        wanted = {fold(value) for value in world.row[kind]}
        for value in world.record.put[kind] - wanted:
            count = sum(fold(item.value) == value for item in read_items(before, kind))
            gone = count == 0 or sum(fold(item.value) == value for item in items) < count
            assert gone or (kind == "phones" and items == before.phones), (
                f"{kind}: {value} was ours, and the source dropped it"
            )
    assert not before.phones or world.contact.phones, "the last number is never removed"
    if world.record.last_name != world.contact.last_name or world.record.note != read_scalar(world.contact, "note"):
        raise AssertionError("what is not mapped is not ours")


def check_scalars(
    world: World, before: RemoteContact, merged: Merged, row_before: dict[str, Any] | None, *, steady: bool
) -> None:
    listed = {conflict.field.removeprefix("customFields."): conflict for conflict in merged.conflicts}
    for name in SCALARS:
        old, new = read_scalar(before, name), read_scalar(world.contact, name)
        row_value = read_row(world.row, name)
        is_ours = world.record.wrote.get(name) == fold(old)
        if fold(old) == fold(new):
            assert old == new or is_ours, f"{name}: the same day, typed by a person, stays as it is"
            continue
        assert world.row[name] != "left out"
        assert fold(new) == fold(row_value)
        if old and not is_ours:
            assert (listed[name].kept, listed[name].lost) == ("source", old), f"{name} gave way without a word"
            assert row_value or world.row[name] == "denied", f"{name}: NULL cleared what a person typed"
            if steady and row_before is not None and name not in world.record.edited | {"arrested"}:
                assert row_before[name] != world.row[name], f"{name} was theirs, and the source said nothing new"


# --- the properties -----------------------------------------------------------------------------------------------------


def create_contact(row: dict[str, Any]) -> World:
    """A contact that we created: all of it is ours."""
    desired = make_desired(row)
    draft = make_first_draft(desired, "ours")
    world = World(store(RemoteContact("c1", "client_1", "ours"), draft), row, base=Base(desired.values))
    take_note(world, RemoteContact("c1"), Tie.LINKED)
    return world


def live_on(world: World, rounds: list[tuple[Any, Any]], policies: list[tuple[bool, bool, bool]]) -> None:
    for number, (row, staff) in enumerate(rounds):
        row_before = world.row
        world.row = row or world.row
        for edit in staff:
            edit_staff(world, *edit)
        rules = make_rules(policies[number % len(policies)])
        run_round(world, Tie.LINKED, rules, row_before, steady=len(policies) == 1)


@settings(max_examples=250, deadline=None)
@given(ROWS, ROUNDS, st.lists(POLICIES, min_size=1, max_size=3))
def test_no_history_of_our_contact_loses_what_a_person_typed(
    row: dict[str, Any], rounds: list[tuple[Any, Any]], policies: list[tuple[bool, bool, bool]]
) -> None:
    live_on(create_contact(row), rounds, policies)


@settings(max_examples=250, deadline=None)
@given(ROWS, STAFF, ROUNDS, st.lists(POLICIES, min_size=1, max_size=3))
def test_no_history_of_an_adopted_contact_loses_what_a_person_typed(
    row: dict[str, Any], staff: list[Any], rounds: list[tuple[Any, Any]], policies: list[tuple[bool, bool, bool]]
) -> None:
    world = World(RemoteContact("c1"), row)
    for edit in staff:
        edit_staff(world, *edit)
    before = world.contact
    merged = run_round(world, Tie.ADOPTED, make_rules(policies[0]), None, steady=True)
    assert merged.conflicts == ()
    for change in merged.changes:
        if isinstance(change.before, list):
            assert all(item in change.after for item in change.before)  # type: ignore[operator]  # a list too
        else:
            assert change.before in (None, "")
    assert merged.draft.first_name == before.first_name or not before.display_name
    live_on(world, rounds, policies)


@settings(max_examples=250, deadline=None)
@given(ROWS, ROUNDS, ROUNDS, st.lists(POLICIES, min_size=1, max_size=3))
def test_a_lost_state_loses_no_item_and_lists_what_gave_way(
    row: dict[str, Any],
    earlier: list[tuple[Any, Any]],
    later: list[tuple[Any, Any]],
    policies: list[tuple[bool, bool, bool]],
) -> None:
    world = create_contact(row)
    live_on(world, earlier, policies)
    world.base = None
    world.record.put = {"phones": set(), "emails": set()}
    world.record.wrote = {}
    for kind in ("phones", "emails"):
        world.record.typed[kind] = {fold(item.value) for item in read_items(world.contact, kind)}
        world.record.typed[kind] -= set(map(fold, world.row[kind]))
    before = world.contact
    run_round(world, Tie.OWN, make_rules(policies[0]), None, steady=True)
    for kind in ("phones", "emails"):
        values = {fold(item.value) for item in read_items(world.contact, kind)}
        assert {fold(item.value) for item in read_items(before, kind)} <= values, "no item is dropped"
    live_on(world, later, policies)
