"""The three-way merge, row by row of its table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openphone_sync.model import (
    Base,
    ContactDraft,
    ContactValues,
    DesiredContact,
    FieldValue,
    Item,
    Merged,
    Reason,
    RemoteContact,
    RemoteField,
    RemoteItem,
    Tie,
    Why,
)
from openphone_sync.rules.merging import MergeRules, find_differences, make_changes, make_first_draft, merge
from openphone_sync.rules.phones import normalise_phone

RULES = MergeRules(normalise_phone=lambda text: normalise_phone(text, "US"))
A, B, C, D = "+12135550101", "+12135550102", "+12135550103", "+12135550104"


def values(
    phone: str | None = A, label: str = "Main Phone", role: str = "Civil Client", **custom: FieldValue | None
) -> ContactValues:
    phones = (Item(label, phone),) if phone else ()
    return ContactValues("James Smith", "Legal Client", role, phones, (), tuple(sorted(custom.items())))


def wanted(ours: ContactValues, **more: object) -> DesiredContact:
    return DesiredContact("client_1", "1", 0, ours.first_name, ours, **more)  # type: ignore[arg-type]


def written(ours: ContactValues) -> RemoteContact:
    """The contact as the API holds it after we wrote it."""
    draft = make_first_draft(wanted(ours), "ours")
    phones = tuple(replace(item, item_id=f"id-{item.value}") for item in draft.phones)
    return RemoteContact(
        "c1",
        "client_1",
        "ours",
        draft.first_name,
        None,
        draft.company,
        draft.role,
        phones,
        draft.emails,
        draft.custom_fields,
    )


def merging(
    base: ContactValues | Base | None,
    theirs: RemoteContact,
    ours: ContactValues,
    rules: MergeRules = RULES,
    tie: Tie = Tie.OWN,
    **more: object,
) -> Merged:
    """``base`` counts as written by us."""
    known = Base(base) if isinstance(base, ContactValues) else base
    return merge(known, theirs, wanted(ours, **more), rules, tie)


def shown(draft: ContactDraft) -> dict[str, str]:
    return {item.value: item.label for item in draft.phones if item.value}


def fields(draft: ContactDraft) -> dict[str | None, object]:
    return {one.key: one.value for one in draft.custom_fields if one.value is not None}


# --- scalars: the table -----------------------------------------------------------------------------------------


def test_nothing_changed_writes_nothing() -> None:
    assert merging(values(), written(values()), values()).changes == ()


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("source_wins", [False, True])
def test_nothing_changed_writes_nothing_under_any_policy(overwrite: bool, source_wins: bool) -> None:
    two = replace(
        values(county="LA"),
        phones=(Item("Main Phone", A), Item("Main Phone 2", B)),
        emails=(Item("Email", "j@example.org"),),
    )
    rules = replace(RULES, overwrite_edits=overwrite, source_wins=source_wins)
    assert merging(two, written(two), two, rules).changes == ()


def test_the_source_changed_writes_ours() -> None:
    merged = merging(values(), written(values()), values(role="Criminal Client"))
    assert [(one.field, one.before, one.after) for one in merged.changes] == [
        ("role", "Civil Client", "Criminal Client")
    ]


def test_a_person_changed_it_is_kept() -> None:
    theirs = replace(written(values()), role="VIP")
    assert merging(values(), theirs, values()).changes == ()
    overwriting = merging(values(), theirs, values(), replace(RULES, overwrite_edits=True))
    assert overwriting.draft.role == "Civil Client"


def test_both_made_the_same_change_only_moves_the_base() -> None:
    theirs = replace(written(values()), role="Criminal Client")
    merged = merging(values(), theirs, values(role="Criminal Client"))
    assert merged.changes == ()
    assert merged.base.values.role == "Criminal Client"


def test_a_conflict_takes_the_source_and_is_listed_with_what_gave_way() -> None:
    theirs = replace(written(values()), role="VIP")
    merged = merging(values(), theirs, values(role="Criminal Client"))
    assert merged.draft.role == "Criminal Client"
    assert [(one.field, one.kept, one.lost) for one in merged.conflicts] == [("role", "source", "VIP")]
    kept = merging(values(), theirs, values(role="Criminal Client"), replace(RULES, source_wins=False))
    assert kept.draft.role == "VIP"
    assert [(one.field, one.kept) for one in kept.conflicts] == [("role", "remote")]


def test_a_name_whose_last_name_a_person_filled_in_stays_theirs_in_a_conflict() -> None:
    theirs = replace(written(values()), first_name="James", last_name="Smith")
    ours = replace(values(), first_name="James Smythe")
    merged = merging(values(), theirs, ours)
    assert (merged.draft.first_name, merged.draft.last_name) == ("James", "Smith")
    assert [(one.field, one.kept) for one in merged.conflicts] == [("firstName", "remote")]


def test_an_edit_that_was_left_stays_left_when_other_fields_move() -> None:
    theirs = replace(written(values(county="LA")), role="VIP")
    merged = merging(values(county="LA"), theirs, values(county="Kern"))
    assert merged.draft.role == "VIP"
    assert merged.conflicts == ()


# --- phones -------------------------------------------------------------------------------------------------------


def test_a_new_number_moves_within_its_item() -> None:
    theirs = replace(written(values()), phones=(*written(values()).phones, RemoteItem("Wife", B, "id-b")))
    merged = merging(values(), theirs, values(C))
    assert [(item.item_id, item.value) for item in merged.draft.phones] == [(f"id-{A}", C), ("id-b", B)]


def test_a_number_that_the_api_wrote_differently_is_the_same() -> None:
    theirs = replace(written(values()), phones=(RemoteItem("Main Phone", "(213) 555-0101"),))
    assert merging(values(), theirs, values()).changes == ()


def test_a_label_that_staff_changed_brings_no_second_item() -> None:
    theirs = replace(written(values()), phones=(RemoteItem("Mobile", A),))
    assert merging(values(), theirs, values()).changes == ()
    moved = merging(values(), theirs, values(B))
    assert shown(moved.draft) == {B: "Mobile"}


def test_a_relationship_that_turns_renames_the_item() -> None:
    base, ours = values(label="Brother Phone"), values(label="Cousin Phone")
    assert shown(merging(base, written(base), ours).draft) == {A: "Cousin Phone"}


def test_a_number_that_both_sides_changed_keeps_both() -> None:
    theirs = replace(written(values()), phones=(RemoteItem("Main Phone", B, "id-a"),))
    merged = merging(values(), theirs, values(C))
    assert shown(merged.draft) == {C: "Main Phone", B: "Main Phone (app)"}
    assert [(one.field, one.kept) for one in merged.conflicts] == [("phoneNumbers", "source")]
    again = merging(merged.base, replace(theirs, phones=merged.draft.phones), values(C))
    assert again.changes == ()
    kept = merging(values(), theirs, values(C), replace(RULES, source_wins=False))
    assert shown(kept.draft) == {B: "Main Phone"}


def test_a_number_that_a_person_removed_stays_away() -> None:
    theirs = replace(written(values()), phones=(RemoteItem("Wife", B),))
    assert merging(values(), theirs, values()).changes == ()
    overwriting = merging(values(), theirs, values(), replace(RULES, overwrite_edits=True))
    assert shown(overwriting.draft) == {B: "Wife", A: "Main Phone"}


def test_a_number_that_the_source_dropped_goes_but_never_the_last() -> None:
    two = replace(values(), phones=(Item("Main Phone", A), Item("Main Phone 2", B)))
    assert shown(merging(two, written(two), values()).draft) == {A: "Main Phone"}
    last = merging(values(), written(values()), values(None))
    assert last.changes == ()
    assert last.base.values.phones == values().phones
    assert last.notes == (Why(Reason.NUMBERS_KEPT),)


def test_text_that_is_no_number_leaves_all_numbers_alone() -> None:
    theirs = replace(written(values()), phones=(*written(values()).phones, RemoteItem("Wife", B)))
    merged = merging(values(), theirs, values(None), phones_unusable=True)
    assert merged.changes == ()
    assert shown(merging(merged.base, theirs, values(C)).draft) == {C: "Main Phone", B: "Wife"}


def test_a_removed_item_goes_with_its_id_and_no_value() -> None:
    theirs = replace(written(values()), phones=(*written(values()).phones, RemoteItem("Wife", B)))
    merged = merging(values(), theirs, values(None))
    assert RemoteItem("Main Phone", None, f"id-{A}") in merged.draft.phones
    assert shown(merged.draft) == {B: "Wife"}


def test_unknown_keys_of_items_and_fields_are_carried_through() -> None:
    theirs = replace(
        written(values()),
        phones=(RemoteItem("Main Phone", A, "id-a", {"verified": True}),),
        other_fields={"pronouns": "he"},
        custom_fields=(RemoteField(None, "x", "field-id"), RemoteField("foreign", ["a"])),
    )
    draft = merging(values(), theirs, values(role="Criminal Client")).draft
    assert draft.phones[0].extra == {"verified": True}
    assert draft.other_fields == {"pronouns": "he"}
    assert draft.custom_fields == theirs.custom_fields


# --- custom fields --------------------------------------------------------------------------------------------------


def test_null_clears_only_what_we_wrote() -> None:
    base = values(county="LA")
    cleared = merging(base, written(base), values(county=None))
    assert fields(cleared.draft) == {}
    assert RemoteField("county", None) in cleared.draft.custom_fields
    edited = replace(written(base), custom_fields=(RemoteField("county", "Kern"),))
    assert merging(base, edited, values(county=None)).changes == ()


def test_a_field_that_staff_filled_before_it_was_mapped_stays_theirs() -> None:
    theirs = replace(written(values()), custom_fields=(RemoteField("county", "Kern"),))
    merged = merging(values(), theirs, values(county="LA"))
    assert fields(merged.draft) == {"county": "Kern"}
    assert [(one.field, one.kept) for one in merged.conflicts] == [("customFields.county", "remote")]


NOON = "1985-06-15T12:00:00.000Z"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (1, 1.0),
        (("a", "b"), ["b", "a"]),
        (None, ""),
        (NOON, "1985-06-15"),
        (NOON, "1985-06-15T00:00:00.000Z"),
        (NOON, "1985-06-15T04:00:00.000Z"),  # midnight in New York
        (NOON, "1985-06-14T15:00:00Z"),  # midnight in Tokyo
    ],
)
def test_values_that_mean_the_same_are_equal(ours: FieldValue | None, theirs: object) -> None:
    remote = replace(written(values()), custom_fields=(RemoteField("f", theirs),))  # type: ignore[arg-type]
    assert merging(values(f=ours), remote, values(f=ours)).changes == ()


@pytest.mark.parametrize(
    "theirs", ["1985-06-14T12:00:00.000Z", "1985-06-15T12:00:00.001Z", "1985-06-31T12:00:00Z", "x"]
)
def test_another_day_is_another_value(theirs: str) -> None:
    remote = replace(written(values()), custom_fields=(RemoteField("f", theirs),))
    assert merging(values(f="x"), remote, values(f=NOON)).changes


# --- without a base ---------------------------------------------------------------------------------------------------


def test_our_earlier_contact_takes_ours_and_loses_no_item() -> None:
    theirs = RemoteContact(
        "c1",
        "client_1",
        "ours",
        "J. Smith",
        role="Criminal Client",
        phones=(RemoteItem("Main Phone", B, "id-b"),),
        custom_fields=(RemoteField("county", "Kern"), RemoteField("arrested", "Yes"), RemoteField("foreign", "x")),
    )
    merged = merging(None, theirs, values(county="LA", arrested=None), denied=frozenset({"arrested"}))
    assert merged.draft.first_name == "James Smith"
    assert shown(merged.draft) == {A: "Main Phone", B: "Main Phone (app)"}
    assert fields(merged.draft) == {"county": "LA", "foreign": "x"}
    listed = {(one.field, one.kept) for one in merged.conflicts}
    assert listed == {
        ("firstName", "source"),
        ("role", "source"),
        ("phoneNumbers", "source"),
        ("customFields.county", "source"),
        ("customFields.arrested", "source"),
    }


def test_our_earlier_contact_keeps_what_the_source_merely_lacks() -> None:
    theirs = replace(written(values()), custom_fields=(RemoteField("county", "Kern"),))
    assert merging(None, theirs, values(county=None)).changes == ()


def test_a_persons_contact_is_only_filled() -> None:
    theirs = RemoteContact(
        "c1",
        None,
        None,
        "James",
        company="Acme",
        phones=(RemoteItem("Cell", A),),
        custom_fields=(RemoteField("county", "Kern"),),
    )
    merged = merging(None, theirs, values(county="LA", type="civil"), tie=Tie.ADOPTED)
    assert merged.draft.first_name == "James"
    assert merged.draft.company == "Acme"
    assert merged.draft.role == "Civil Client"
    assert shown(merged.draft) == {A: "Cell"}
    assert fields(merged.draft) == {"county": "Kern", "type": "civil"}
    assert merged.draft.external_id == "client_1"
    assert merged.draft.source is None
    assert merged.conflicts == ()


def test_another_tools_external_id_is_left_standing() -> None:
    theirs = RemoteContact("c1", "crm-77", "crm", "James Smith", phones=(RemoteItem("Cell", A),))
    assert merging(None, theirs, values(), tie=Tie.ADOPTED).draft.external_id is None


# --- answers ------------------------------------------------------------------------------------------------------------


def test_an_external_id_that_is_taken_away_is_a_change_and_is_looked_for_in_the_answer() -> None:
    theirs = written(values())
    draft = replace(merging(values(), theirs, values()).draft, unset_external_id=True)
    assert [(one.field, one.after) for one in make_changes(theirs, draft, RULES)] == [("externalId", None)]
    assert find_differences(draft, theirs, RULES) == ("externalId",)
    assert find_differences(draft, replace(theirs, external_id=None), RULES) == ()


def test_an_answer_is_compared_with_what_was_sent() -> None:
    draft = merging(values(), written(values()), values(B, county="LA")).draft
    answer = replace(
        written(values()),
        phones=(RemoteItem("Main Phone", "(213) 555-0102"),),
        custom_fields=(RemoteField("county", "LA"),),
    )
    assert find_differences(draft, answer, RULES) == ()
    assert find_differences(draft, written(values()), RULES) == ("phoneNumbers", "customFields")
    assert find_differences(draft, replace(answer, role=None), RULES) == ("role",)
