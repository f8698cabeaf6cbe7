"""The three-way merge, row by row of its table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from openphone_sync.model import (
    Base,
    ContactDraft,
    ContactValues,
    DesiredContact,
    FieldChange,
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
from openphone_sync.rules.merging import (
    MergeRules,
    find_differences,
    find_stored,
    holds_typed,
    make_changes,
    make_first_draft,
    mark_met,
    merge,
)
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


def test_changes_bear_the_names_that_staff_know() -> None:
    named = replace(RULES, field_names={"county": "County"})
    changes = merging(
        values(county="LA", type="x"), written(values(county="LA", type="x")), values(county="Kern"), named
    ).changes
    assert changes == (FieldChange("customFields.County", "LA", "Kern"),)
    both = merging(
        values(county="LA", type="x"), written(values(county="LA", type="x")), values(county="LA", type="y"), named
    )
    assert both.changes == (FieldChange("customFields.type", "x", "y"),)


def test_each_field_that_differs_is_named_as_the_api_names_it() -> None:
    draft = ContactDraft(
        first_name="a",
        last_name="b",
        company="c",
        role="d",
        phones=(RemoteItem("Main Phone", A),),
        emails=(RemoteItem("Email", "j@example.org"),),
        custom_fields=(RemoteField("county", "Kern"),),
        other_fields={},
        external_id="client_1",
        source_url="https://x.org",
    )
    fields = ["firstName", "lastName", "company", "role", "phoneNumbers", "emails", "sourceUrl"]
    changed = [change.field for change in make_changes(None, draft, RULES)]
    assert changed == [*fields, "customFields.county", "externalId"]
    different = find_differences(draft, RemoteContact("c1"), RULES)
    assert sorted(different) == sorted([*fields, "customFields", "externalId"])


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


def test_a_new_number_moves_within_its_item_also_when_a_person_removed_the_other_one() -> None:
    def two(first: str, second: str) -> ContactValues:
        return replace(values(), phones=(Item("Main Phone", first), Item("Work", second)))

    theirs = replace(written(values()), phones=(RemoteItem("Work", B, "id-b"),))
    merged = merging(two(A, B), theirs, two(C, D))
    assert [(item.item_id, item.value) for item in merged.draft.phones] == [("id-b", D), (None, C)]


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
    merged = merging(base, written(base), ours)
    assert (shown(merged.draft), merged.conflicts) == ({A: "Cousin Phone"}, ())


def test_a_number_that_both_sides_changed_keeps_both() -> None:
    theirs = replace(written(values()), phones=(RemoteItem("Main Phone", B, "id-a"),))
    merged = merging(values(), theirs, values(C))
    assert shown(merged.draft) == {C: "Main Phone", B: "Main Phone (app)"}
    assert [(one.field, one.kept) for one in merged.conflicts] == [("phoneNumbers", "source")]
    again = merging(merged.base, replace(theirs, phones=merged.draft.phones), values(C))
    assert again.changes == ()
    kept = merging(values(), theirs, values(C), replace(RULES, source_wins=False))
    assert shown(kept.draft) == {B: "Main Phone"}


def test_a_label_that_moved_to_another_of_our_numbers_is_nothing_that_a_person_typed() -> None:
    two = replace(values(), phones=(Item("Main Phone", A), Item("Work", B)))
    theirs = replace(written(two), phones=(RemoteItem("Main Phone", B, "i1"),))
    assert shown(merging(two, theirs, values(C)).draft) == {C: "Main Phone"}


def test_a_text_that_the_source_clears_is_sent_as_nothing() -> None:
    cleared = merging(values(), written(values()), values(role="")).draft
    assert (cleared.role, cleared.company) == (None, "Legal Client")


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
    "theirs",
    [
        {"an": "object"},
        "9999-12-31T13:00:00Z",
        "1985-06-14T12:00:00.000Z",
        "1985-06-15T12:00:00.001Z",
        "1985-06-31T12:00:00Z",
        "x",
    ],
)
def test_another_day_is_another_value(theirs: str) -> None:
    remote = replace(written(values()), custom_fields=(RemoteField("f", theirs),))
    assert merging(values(f="x"), remote, values(f=NOON)).changes


def test_a_ticked_box_is_not_the_number_one() -> None:
    remote = replace(written(values()), custom_fields=(RemoteField("f", 1),))
    assert merging(values(f="x"), remote, values(f=True)).changes


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


# --- what was there before we came (met) --------------------------------------------------------------------------------

STAFFS = RemoteContact(
    "c1",
    first_name="Jim",
    last_name="Smith",
    company="Acme",
    phones=(RemoteItem("Cell", A, "p1"), RemoteItem("Wife", B, "p2")),
    emails=(RemoteItem("Home", "J@example.org", "e1"),),
    custom_fields=(RemoteField("county", "Kern"),),
)
ROW = replace(values(county="Kern", type="civil"), emails=(Item("Email", "j@example.org"),))


def apply(theirs: RemoteContact, merged: Merged) -> RemoteContact:
    """The contact after the draft was sent."""
    draft = merged.draft
    return replace(
        theirs,
        first_name=draft.first_name,
        company=draft.company,
        role=draft.role,
        phones=tuple(item for item in draft.phones if item.value),
        emails=tuple(item for item in draft.emails if item.value),
        custom_fields=tuple(one for one in draft.custom_fields if one.value is not None),
        external_id=draft.external_id or theirs.external_id,
        source_url=theirs.source_url if draft.source_url is None else draft.source_url or None,
    )


def adopt(rules: MergeRules = RULES) -> tuple[RemoteContact, Base]:
    merged = merging(None, STAFFS, ROW, rules, tie=Tie.ADOPTED)
    return apply(STAFFS, merged), merged.base


def test_adoption_marks_what_was_there_and_not_what_it_filled() -> None:
    contact, base = adopt()
    assert base.values == ROW
    assert base.met == {
        "firstName",
        "company",
        f"phoneNumbers:{A}",
        "emails:j@example.org",
        "customFields:county",
    }
    assert (contact.role, fields(merging(base, contact, ROW).draft)["type"]) == ("Civil Client", "civil")


def test_a_last_name_alone_is_a_name() -> None:
    merged = merging(None, RemoteContact("c1", last_name="Smith"), ROW, tie=Tie.ADOPTED)
    assert merged.draft.first_name is None
    assert merging(None, RemoteContact("c1", first_name=" "), ROW, tie=Tie.ADOPTED).draft.first_name == "James Smith"


def test_null_in_the_source_clears_nothing_that_was_met() -> None:
    contact, base = adopt()
    merged = merging(base, contact, values(None, county=None, type="civil"))
    assert merged.changes == ()
    assert (shown(merged.draft), merged.conflicts) == ({A: "Cell", B: "Wife"}, ())
    assert merged.base == Base(values(None, county=None, type="civil"), frozenset({"firstName", "company"}))


def test_a_later_phone_and_e_mail_are_added_beside_those_that_were_met() -> None:
    contact, base = adopt()
    merged = merging(
        base, contact, replace(ROW, phones=(Item("Main Phone", C),), emails=(Item("Email", "x@example.org"),))
    )
    assert [(item.item_id, item.label, item.value) for item in merged.draft.phones] == [
        ("p1", "Cell", A),
        ("p2", "Wife", B),
        (None, "Main Phone", C),
    ]
    assert [item.value for item in merged.draft.emails] == ["J@example.org", "x@example.org"]
    later = merging(merged.base, apply(contact, merged), values(D, county="Kern", type="civil"))
    assert shown(later.draft) == {A: "Cell", B: "Wife", D: "Main Phone"}, "what we added is ours"


def test_a_later_scalar_is_written_over_what_was_met_and_listed() -> None:
    contact, base = adopt()
    ours = replace(ROW, company="Legal Client Ltd", custom_fields=(("county", "LA"), ("type", "civil")))
    merged = merging(base, contact, ours)
    assert (merged.draft.company, fields(merged.draft)["county"]) == ("Legal Client Ltd", "LA")
    assert [(one.field, one.kept, one.lost) for one in merged.conflicts] == [
        ("company", "source", "Acme"),
        ("customFields.county", "source", "Kern"),
    ]
    cleared = merging(
        merged.base, apply(contact, merged), replace(ours, custom_fields=(("county", None), ("type", "civil")))
    )
    assert "county" not in fields(cleared.draft), "what we wrote is ours to clear"


def test_a_later_scalar_that_gives_way_stays_theirs() -> None:
    contact, base = adopt()
    merged = merging(base, contact, replace(ROW, company="Legal Client Ltd"), replace(RULES, source_wins=False))
    assert (merged.draft.company, merged.conflicts[0].kept) == ("Acme", "remote")
    assert "company" in merged.base.met


def test_a_first_name_beside_a_last_name_stays_when_the_source_renames_the_client() -> None:
    contact, base = adopt()
    merged = merging(base, contact, replace(ROW, first_name="James Smythe"))
    assert merged.draft.first_name == "Jim"
    assert [(one.field, one.kept, one.lost) for one in merged.conflicts] == [("firstName", "remote", "James Smythe")]


@pytest.mark.parametrize("source_wins", [False, True])
def test_overwriting_edits_never_touches_what_was_met(source_wins: bool) -> None:
    rules = replace(RULES, overwrite_edits=True, source_wins=source_wins)
    contact, base = adopt(rules)
    assert merging(base, contact, ROW, rules).changes == ()
    edited = replace(contact, company="Bakery", phones=contact.phones[1:], custom_fields=contact.custom_fields[1:])
    assert merging(base, edited, ROW, rules).changes == ()


def test_what_staff_typed_before_the_row_had_it_stays_when_the_row_drops_it() -> None:
    base = Base(values(county=None))
    theirs = replace(
        written(values(county=None)),
        role="Criminal Client",
        phones=(*written(values()).phones, RemoteItem("Wife", B, "id-b")),
        custom_fields=(RemoteField("county", "Kern"),),
    )
    both = replace(
        values(role="Criminal Client", county="Kern"), phones=(Item("Main Phone", A), Item("Main Phone 2", B))
    )
    merged = merging(base, theirs, both)
    assert merged.changes == ()
    assert merged.base.met == {"role", f"phoneNumbers:{B}", "customFields:county"}
    dropped = merging(merged.base, theirs, values(role="Criminal Client", county=None))
    assert dropped.changes == ()


def test_what_a_person_removed_stays_away_and_what_replaces_it_in_the_row_is_added() -> None:
    theirs = replace(written(values()), phones=(RemoteItem("Wife", B, "id-b"),))
    assert shown(merging(values(), theirs, values(C)).draft) == {B: "Wife", C: "Main Phone"}


def test_a_value_that_a_person_typed_again_after_a_conflict_left_it_out_is_theirs() -> None:
    rules = replace(RULES, source_wins=False, overwrite_edits=True)
    theirs = replace(written(values()), phones=(RemoteItem("Main Phone", B, "id-a"),))
    merged = merging(values(), theirs, values(C), rules)
    assert shown(merged.draft) == {B: "Main Phone"}
    assert merging(merged.base, theirs, values(C), rules).changes == (), "the next run does not undo the decision"
    typed = replace(theirs, phones=(*theirs.phones, RemoteItem("Work", C)))
    assert shown(merging(merged.base, typed, values(D), rules).draft) == {B: "Main Phone", C: "Work", D: "Main Phone"}


@pytest.mark.parametrize("name", ["role", "company"])
def test_a_conflict_that_the_app_won_is_not_undone_by_overwriting(name: str) -> None:
    rules = replace(RULES, source_wins=False, overwrite_edits=True)
    theirs = replace(written(values()), **{name: "VIP"})  # type: ignore[arg-type]
    ours = replace(values(), **{name: "New"})  # type: ignore[arg-type]
    merged = merging(values(), theirs, ours, rules)
    assert merged.changes == ()
    assert merging(merged.base, theirs, ours, rules).changes == ()


def test_a_new_number_in_the_row_takes_nobody_elses_label() -> None:
    theirs = replace(written(values(None)), phones=(RemoteItem("Main Phone", B, "id-b"),))
    merged = merging(values(None), theirs, values(A))
    assert [(item.label, item.value) for item in merged.draft.phones] == [("Main Phone", B), ("Main Phone", A)]
    assert merged.conflicts == ()


def test_of_a_number_that_staff_typed_once_more_only_ours_goes() -> None:
    theirs = replace(written(values()), phones=(RemoteItem("Wife", A, "id-w"), *written(values()).phones))
    merged = merging(values(), theirs, values(B))
    assert [(item.item_id, item.value) for item in merged.draft.phones] == [("id-w", A), (f"id-{A}", B)]
    merged = merging(values(), theirs, values(None))
    assert shown(merged.draft) == {A: "Wife"}


def test_what_the_source_denies_is_cleared_and_listed_also_where_it_was_met() -> None:
    ours = values(arrested="Yes")
    base = Base(ours, frozenset({"customFields:arrested"}))
    merged = merging(base, written(ours), values(arrested=None), denied=frozenset({"arrested"}))
    assert fields(merged.draft) == {}
    assert [(one.field, one.kept, one.lost) for one in merged.conflicts] == [("customFields.arrested", "source", "Yes")]


def test_numbers_that_stay_without_a_usable_one_in_the_source_keep_their_marks() -> None:
    contact, base = adopt()
    merged = merging(base, contact, values(None, county="Kern", type="civil"), phones_unusable=True)
    assert merged.notes == (Why(Reason.NUMBERS_KEPT),)
    assert (merged.base.values.phones, f"phoneNumbers:{A}" in merged.base.met) == (ROW.phones, True)


def test_a_number_that_stays_as_the_last_one_and_its_twin_that_is_gone() -> None:
    two = replace(values(), phones=(Item("Main Phone", A), Item("Main Phone 2", B)))
    theirs = replace(written(two), phones=written(two).phones[1:])
    kept = merging(two, theirs, values(None))
    assert (kept.changes, kept.base.values.phones) == ((), two.phones[1:])
    typed = replace(theirs, phones=(*theirs.phones, RemoteItem("Cell", A)))
    assert shown(merging(kept.base, typed, values(C)).draft) == {C: "Main Phone", A: "Cell"}


def test_the_last_number_stays_also_when_a_person_removed_the_one_that_the_row_has() -> None:
    two = replace(values(), phones=(Item("Main Phone", A), Item("Main Phone 2", B)))
    theirs = replace(written(two), phones=written(two).phones[1:])
    kept = merging(two, theirs, values(A))
    assert (kept.changes, kept.notes, kept.base.values.phones) == ((), (), two.phones)
    assert merging(kept.base, theirs, values(A)).changes == ()


# --- overwriting edits ----------------------------------------------------------------------------------------------------

OVERWRITING = replace(RULES, overwrite_edits=True)


def test_a_scalar_that_is_overwritten_is_listed() -> None:
    merged = merging(values(), replace(written(values()), role="VIP"), values(), OVERWRITING)
    assert [(one.field, one.kept, one.lost) for one in merged.conflicts] == [("role", "source", "VIP")]


def test_a_number_typed_over_ours_stays_beside_it_when_ours_is_put_back() -> None:
    theirs = replace(written(values()), phones=(RemoteItem("Main Phone", B, "id-a"),))
    merged = merging(values(), theirs, values(), OVERWRITING)
    assert [(item.item_id, item.label, item.value) for item in merged.draft.phones] == [
        ("id-a", "Main Phone", A),
        (None, "Main Phone (app)", B),
    ]
    assert merging(merged.base, apply(theirs, merged), values(), OVERWRITING).changes == ()


def test_of_a_number_that_staff_typed_once_more_ours_is_the_one_with_our_label() -> None:
    theirs = replace(written(values()), phones=(RemoteItem("Cell", A, "i1"), RemoteItem("Main Phone", A, "i2")))
    assert merging(values(), theirs, values(), OVERWRITING).changes == ()


def test_nothing_in_the_source_overwrites_nothing() -> None:
    theirs = replace(written(values(county=None)), custom_fields=(RemoteField("county", "Kern"),))
    assert merging(values(county=None), theirs, values(county=None), OVERWRITING).changes == ()


def test_a_full_name_is_not_written_before_a_last_name() -> None:
    theirs = replace(written(values()), first_name="James", last_name="Smith")
    assert merging(values(), theirs, values(), OVERWRITING).changes == ()


@pytest.mark.parametrize(
    ("rules", "ours", "label", "conflicts"),
    [
        (RULES, "Main Phone", "Mobile", []),
        (OVERWRITING, "Main Phone", "Main Phone", [("source", "Mobile")]),
        (RULES, "Brother Phone", "Brother Phone", [("source", "Mobile")]),
        (replace(RULES, source_wins=False), "Brother Phone", "Mobile", [("remote", "Brother Phone")]),
        (replace(OVERWRITING, source_wins=False), "Brother Phone", "Brother Phone", [("source", "Mobile")]),
    ],
)
def test_a_label_that_a_person_changed(
    rules: MergeRules, ours: str, label: str, conflicts: list[tuple[str, str]]
) -> None:
    theirs = replace(written(values()), phones=(RemoteItem("Mobile", A, "id-a"),))
    merged = merging(values(), theirs, values(label=ours), rules)
    assert shown(merged.draft) == {A: label}
    assert [(one.kept, one.lost) for one in merged.conflicts] == conflicts
    assert {one.field for one in merged.conflicts} <= {"phoneNumbers.name"}
    again = merging(merged.base, apply(theirs, merged), values(label=ours), rules)
    assert (again.changes, again.conflicts) == ((), ())


# --- the contact is ours, and the base is lost ----------------------------------------------------------------------------


def test_what_stands_on_our_own_contact_counts_as_written() -> None:
    ours = replace(values(county="LA"), phones=(Item("Main Phone", A), Item("Main Phone 2", B)))
    merged = merging(None, written(ours), ours, tie=Tie.LINKED)
    assert merged.base == Base(ours)
    assert shown(merging(merged.base, written(ours), values(county=None)).draft) == {A: "Main Phone"}


def test_what_ours_gave_way_to_is_theirs() -> None:
    rules = replace(RULES, source_wins=False)
    theirs = replace(written(values()), role="VIP", phones=(RemoteItem("Main Phone", B, "id-b"),))
    merged = merging(None, theirs, values(), rules)
    assert (merged.draft.role, shown(merged.draft)) == ("VIP", {B: "Main Phone"})
    assert merged.base.met == {"role", f"phoneNumbers:{A}"}


def test_several_items_with_our_labels_are_one_conflict_and_an_unknown_label_is_none() -> None:
    ours = replace(
        values(), phones=(Item("Main Phone", A), Item("Main Phone 2", B), Item("Main Phone 3", "+12135550105"))
    )
    theirs = replace(
        written(values(None)), phones=(RemoteItem("Main Phone", C, "p1"), RemoteItem("Main Phone 2", D, "p2"))
    )
    merged = merging(None, theirs, ours)
    assert [(one.field, one.kept) for one in merged.conflicts] == [("phoneNumbers", "source")]
    assert [item.label for item in merged.draft.phones] == [
        "Main Phone",
        "Main Phone 2",
        "Main Phone (app)",
        "Main Phone 2 (app)",
        "Main Phone 3",
    ]


@pytest.mark.parametrize(("rules", "label"), [(RULES, "Mobile"), (OVERWRITING, "Main Phone")])
def test_the_label_of_our_own_item_is_decided_at_once(rules: MergeRules, label: str) -> None:
    theirs = replace(written(values()), phones=(RemoteItem("Mobile", A, "id-a"),))
    merged = merging(None, theirs, values(), rules)
    assert shown(merged.draft) == {A: label}
    assert merging(merged.base, apply(theirs, merged), values(), rules).changes == ()


# --- the base as a value ----------------------------------------------------------------------------------------------------


def test_a_base_that_is_put_back_with_its_contact_makes_the_same_changes_again() -> None:
    base, before = Base(values(county="LA")), written(values(county="LA"))
    ours = values(C, role="Criminal Client", county=None)
    merged = merging(base, before, ours)
    assert merging(merged.base, before, ours).changes == (), "without it, the old values count as typed by a person"
    assert merging(base, before, ours) == merged


def test_a_field_that_the_row_leaves_out_keeps_its_base() -> None:
    base = Base(values(county="LA", dob="x"), frozenset({"customFields:county"}))
    theirs = written(values(county="LA", dob="x"))
    merged = merging(base, theirs, values(dob="x"))
    assert (merged.changes, merged.base) == ((), base)
    back = merging(merging(Base(values(county="LA")), theirs, values()).base, theirs, values(county="Kern"))
    assert (fields(back.draft)["county"], back.conflicts) == ("Kern", ())


def test_the_base_of_an_adoption_without_marks_is_marked_by_what_stood_there() -> None:
    contact, base = adopt()
    before = replace(STAFFS, phones=(RemoteItem("Cell", "(213) 555-0101"), RemoteItem("Fax", None)))
    marked = mark_met(base.values, before, RULES.normalise_phone)
    assert marked == base
    assert mark_met(base.values, RemoteContact("c1"), RULES.normalise_phone) == Base(ROW)
    assert merging(marked, contact, values(None, county=None, type="civil")).changes == ()


def test_of_what_was_sent_the_base_has_what_is_there_also_if_it_differs() -> None:
    sent = replace(
        values(county="LA", dob="1985-06-15", type=None), emails=(Item("Email", "j@example.org"),), source_url="x"
    )
    fields = (RemoteField("county", "Kern"), RemoteField("dob", None))
    there = RemoteContact("c", first_name="Jim", company="Legal Client", custom_fields=fields, source_url="x")
    found = find_stored(Base(sent, frozenset({"role"})), there, RULES)
    kept = replace(sent, role="", phones=(), emails=(), custom_fields=(("county", "LA"), ("type", None)))
    assert found == Base(kept, frozenset({"role"}))
    numbers = (RemoteItem("Cell", "(213) 555-0101"), RemoteItem("Wife", B))
    whole = replace(there, phones=numbers, emails=(RemoteItem("Work", "J@Example.org"),))
    assert find_stored(Base(sent), whole, RULES).values == replace(kept, phones=sent.phones, emails=sent.emails)


def test_what_we_wrote_alone_holds_nothing_typed() -> None:
    ours = replace(values(county="LA", dob="1985-06-15T12:00:00.000Z"), emails=(Item("Email", "j@example.org"),))
    mine = replace(written(ours), custom_fields=(*written(ours).custom_fields, RemoteField("box", False)))
    assert not holds_typed(Base(ours), mine, RULES)
    assert holds_typed(None, mine, RULES)
    local_midnight = replace(mine, custom_fields=(RemoteField("dob", "1985-06-15T04:00:00.000Z"),))
    assert not holds_typed(Base(ours), local_midnight, RULES)
    assert holds_typed(Base(ours), local_midnight, replace(RULES, date_keys=frozenset()))


@pytest.mark.parametrize(
    "typed",
    [
        {"last_name": "Smith"},
        {"role": "VIP"},
        {"source_url": "https://crm.example/1"},
        {"other_fields": {"pronouns": "he"}},
        {"phones": (RemoteItem("Main Phone", A), RemoteItem("Wife", B))},
        {"phones": (RemoteItem("Mobile", A),)},
        {"emails": (RemoteItem("Home", "x@example.org"),)},
        {"custom_fields": (RemoteField("county", "Kern"),)},
        {"custom_fields": (RemoteField(None, "x", "field-id"),)},
    ],
)
def test_what_a_person_typed_is_found(typed: dict[str, Any]) -> None:
    assert holds_typed(Base(values(county="LA")), replace(written(values(county="LA")), **typed), RULES)


@pytest.mark.parametrize("mark", ["role", f"phoneNumbers:{A}", "customFields:county"])
def test_what_was_met_counts_as_typed(mark: str) -> None:
    ours = values(county="LA")
    assert holds_typed(Base(ours, frozenset({mark})), written(ours), RULES)


# --- dates ------------------------------------------------------------------------------------------------------------------

MIDNIGHT = "1985-06-15T00:00:00.000Z"


@pytest.mark.parametrize("base", [Base(values(dob=MIDNIGHT)), Base(values(dob=NOON)), None])
def test_a_date_that_we_wrote_at_midnight_moves_to_noon_with_the_next_write(base: Base | None) -> None:
    theirs = written(values(dob=MIDNIGHT))
    assert merging(base, theirs, values(dob=NOON)).changes == ()
    written_with = merging(base, theirs, values(role="Criminal Client", dob=NOON))
    assert fields(written_with.draft) == {"dob": NOON}
    known = replace(RULES, rewrite_midnight=True, date_keys=frozenset({"dob"}))
    at_once = merging(base, theirs, values(dob=NOON), known)
    assert [(one.field, one.before, one.after) for one in at_once.changes] == [("customFields.dob", MIDNIGHT, NOON)]


@pytest.mark.parametrize(
    ("theirs", "met"),
    [
        ("1985-06-15T04:00:00.000Z", frozenset()),
        (MIDNIGHT, frozenset({"customFields:dob"})),
        ("1985-06-15", frozenset()),
    ],
)
def test_a_date_that_a_person_typed_stays_as_it_is(theirs: str, met: frozenset[str]) -> None:
    contact = replace(written(values()), custom_fields=(RemoteField("dob", theirs),))
    rules = replace(RULES, rewrite_midnight=True)
    merged = merging(Base(values(dob=NOON), met), contact, values(role="Criminal Client", dob=NOON), rules)
    assert fields(merged.draft) == {"dob": theirs}


def test_a_time_in_a_field_that_is_no_date_is_compared_exactly() -> None:
    rules = replace(RULES, date_keys=frozenset({"dob"}))
    at_nine, at_ten = "2026-03-02T09:00:00+00:00", "2026-03-02T10:00:00+00:00"
    merged = merging(values(hearing=at_nine), written(values(hearing=at_nine)), values(hearing=at_ten), rules)
    assert fields(merged.draft) == {"hearing": at_ten}
    assert find_differences(merged.draft, written(values(hearing=at_nine)), rules) == ("customFields",)


def test_an_answer_with_the_same_day_is_what_was_sent() -> None:
    draft = merging(values(), written(values()), values(dob=NOON)).draft
    answer = replace(written(values()), custom_fields=(RemoteField("dob", "1985-06-15T04:00:00.000Z"),))
    assert find_differences(draft, answer, RULES) == ()
    assert find_differences(draft, replace(answer, custom_fields=(RemoteField("dob", "1985-06-14"),)), RULES)


# --- the link to the record -------------------------------------------------------------------------------------------------


def test_the_link_to_the_record_is_sent_where_it_differs() -> None:
    record = "https://office.example/1"
    ours = replace(values(), source_url=record)
    assert make_first_draft(wanted(ours), "ours").source_url == record
    assert make_first_draft(wanted(values()), "ours").source_url is None
    theirs = written(ours)
    added = merging(values(), theirs, ours)
    assert (added.draft.source_url, added.base.values.source_url) == (record, record)
    assert [(one.field, one.after) for one in added.changes] == [("sourceUrl", record)]
    assert find_differences(added.draft, theirs, RULES) == ("sourceUrl",)
    assert merging(ours, replace(theirs, source_url=record), ours).draft.source_url is None
    cleared = merging(ours, replace(theirs, source_url=record), values())
    assert cleared.draft.source_url == ""
    assert [(one.field, one.after) for one in cleared.changes] == [("sourceUrl", None)]


def test_another_tools_link_stays() -> None:
    theirs = replace(STAFFS, source_url="https://crm.example/7")
    merged = merging(None, theirs, replace(ROW, source_url="https://office.example/1"), tie=Tie.ADOPTED)
    assert merged.draft.source_url is None
    assert "sourceUrl" in merged.base.met


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
