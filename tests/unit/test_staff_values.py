"""What people typed on a contact and the client table does not have."""

from __future__ import annotations

from dataclasses import replace

from openphone_sync.model import Base, RemoteItem, StaffValue
from openphone_sync.rules.merging import MergeRules
from openphone_sync.rules.staff_values import find_staff_values, has_in_table
from tests.builders import P1, P2, client, contact, link, normalise

RULES = MergeRules(normalise, field_names={"notes": "Notes"})
JAMES = client("1", "James Smith", P1, email="james@example.com")
LINK = link(JAMES, "c1")


def test_a_contact_as_the_row_has_it_holds_nothing_of_staff() -> None:
    same = contact("c1", "james  smith", "(213) 555-0101", emails=["James@Example.com"], company="Legal Client")
    assert find_staff_values(LINK, same, RULES) == ()


def test_what_staff_typed_is_found_with_its_label() -> None:
    typed = contact(
        "c1", "Jim Smith", P1, emails=["jim@work.example"], company="Smith Inc.", fields={"notes": "gate 4"}
    )
    typed = replace(typed, phones=(*typed.phones, RemoteItem("Wife", "(213) 555-0102")))
    assert find_staff_values(LINK, typed, RULES) == (
        StaffValue("name", "", "Jim Smith"),
        StaffValue("company", "", "Smith Inc."),
        StaffValue("phoneNumbers", "Wife", P2),
        StaffValue("emails", "Email", "jim@work.example"),
        StaffValue("customFields:notes", "Notes", "gate 4"),
    )


def test_a_field_of_the_mapping_is_a_persons_if_its_value_differs() -> None:
    values = replace(JAMES.values, custom_fields=(("born", "1985-06-15T12:00:00.000Z"), ("county", None)))
    known = replace(LINK, base=Base(values))
    typed = contact("c1", "James Smith", fields={"born": "1985-06-15T04:00:00.000Z", "county": "Kern", "box": False})
    assert find_staff_values(known, typed, RULES) == (StaffValue("customFields:county", "", "Kern"),)


def test_a_value_that_the_row_has_gained_is_no_longer_on_the_list() -> None:
    typed = StaffValue("phoneNumbers", "Wife", P2)
    assert not has_in_table(LINK, typed)
    assert has_in_table(link(client("1", "James Smith", P1, P2), "c1"), typed)


def test_the_persons_own_name_and_an_unknown_row_are_nothing_to_report() -> None:
    assert has_in_table(replace(LINK, person="Jim Smith"), StaffValue("name", "", "Jim Smith"))
    assert find_staff_values(replace(LINK, base=None), contact("c1", "Jim", P2), RULES) == ()
