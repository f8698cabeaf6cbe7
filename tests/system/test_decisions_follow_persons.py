"""Decisions and declines are about persons: they follow them when the office moves people between slots."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fault_injection import Fault, FaultKind
from tests.office import JAMES, JAMES_ALONE, Office, phones

SWAP = (
    "UPDATE clients SET contact_1 = contact_2, contact_1_phone = contact_2_phone, relationship_1 = relationship_2,"
    " contact_2 = contact_1, contact_2_phone = contact_1_phone, relationship_2 = relationship_1"
)
TWO: dict[str, Any] = {**JAMES, "contact_2": "Ann Lee", "relationship_2": "Wife", "contact_2_phone": "310-555-0166"}
BOBS_PRIVATE = "+13105550177"


def hold_bob(office: Office) -> tuple[str, str]:
    """A client whose brother is held for a contact with his number under another name; client and contact id."""
    numbers = [{"name": "Cell", "value": "+13105550188"}, {"name": "Private", "value": BOBS_PRIVATE}]
    made = office.sandbox.workspace.add({"defaultFields": {"firstName": "Zed Quill", "phoneNumbers": numbers}})
    [client_id] = office.make_clients(TWO)
    assert office.sync()["contacts"]["held"] == 1
    return client_id, made["id"]


def find_person(office: Office, name: str) -> Any:
    [contact] = [one for one in office.contacts() if office.custom(one).get("Contact Person Name") == name]
    return contact


def test_a_link_that_was_decided_follows_the_person_to_another_slot(office: Office) -> None:
    client_id, contact_id = hold_bob(office)
    assert office.run("review", "link", f"client_{client_id}_alt_1", contact_id).code == 0
    office.sql(SWAP)
    assert office.sync()["contacts"]["held"] == 0
    assert find_person(office, "Bob Smith")["id"] == contact_id
    assert BOBS_PRIVATE not in phones(find_person(office, "Ann Lee"))


def test_somebody_else_in_the_slot_does_not_inherit_the_decision(office: Office) -> None:
    client_id, contact_id = hold_bob(office)
    assert office.run("review", "link", f"client_{client_id}_alt_1", contact_id).code == 0
    office.change_client(client_id, contact_1="Carla Diaz", contact_1_phone="310-555-0199", relationship_1="Friend")
    before = office.sandbox.workspace.contact(contact_id)
    office.sync()
    assert office.sandbox.workspace.contact(contact_id) == before
    assert find_person(office, "Carla Diaz")["id"] != contact_id


def test_separate_follows_the_person_too(office: Office) -> None:
    client_id, contact_id = hold_bob(office)
    assert office.run("review", "separate", f"client_{client_id}_alt_1").code == 0
    office.sql(SWAP)
    assert office.sync()["contacts"]["held"] == 0
    assert find_person(office, "Bob Smith")["id"] != contact_id


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_who_was_deleted_twice_stays_away_wherever_he_moves_and_nobody_else_does(office: Office, mode: str) -> None:
    [client_id] = office.make_clients(TWO)
    office.sync()
    for _ in range(2):
        office.sandbox.workspace.remove(find_person(office, "Bob Smith")["id"])
        office.sync("--mode", "full")
    assert office.sync()["skipped"][0]["code"] == "deleted_twice"
    office.sql(SWAP)
    office.sync("--mode", mode)
    assert [one for one in office.contacts() if office.custom(one).get("Contact Person Name") == "Bob Smith"] == []
    assert find_person(office, "Ann Lee")
    office.change_client(client_id, contact_1="Carla Diaz", contact_1_phone="310-555-0199", relationship_1="Friend")
    office.change_client(client_id, contact_2="Dora Diaz", contact_2_phone="310-555-0198", relationship_2="Aunt")
    office.sync("--mode", mode)
    assert find_person(office, "Carla Diaz")
    assert find_person(office, "Dora Diaz")


def test_skipped_and_held_alternates_stay_in_sight_when_they_trade_places(office: Office) -> None:
    client_id, _ = hold_bob(office)
    office.sql("ALTER TABLE clients ADD contact_3 text, ADD relationship_3 text, ADD contact_3_phone text")
    office.change_client(client_id, contact_3="Eve Stone", contact_3_phone="N/A", relationship_3="Aunt")
    before = office.sync()["contacts"]
    for _ in range(3):
        office.sql(
            "UPDATE clients SET contact_1 = contact_3, contact_1_phone = contact_3_phone, relationship_1 = relationship_3,"
            " contact_2 = contact_1, contact_2_phone = contact_1_phone, relationship_2 = relationship_1,"
            " contact_3 = contact_2, contact_3_phone = contact_2_phone, relationship_3 = relationship_2"
        )
        after = office.sync()["contacts"]
        assert (after["held"], after["skipped"]) == (before["held"], before["skipped"]) == (1, 1)
        assert len(office.run("review", "list", "--json").json["reviews"]) == 1
        assert office.custom(find_person(office, "Ann Lee"))["Contact Person Name"] == "Ann Lee"


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_who_comes_back_under_a_new_id_is_not_made_beside_the_contact_that_was_decided(
    office: Office, mode: str
) -> None:
    made = office.sandbox.workspace.add(
        {"defaultFields": {"firstName": "Zed Quill", "phoneNumbers": [{"name": "Cell", "value": "+12135550134"}]}}
    )
    [client_id] = office.make_clients(JAMES_ALONE)
    office.sync()
    assert office.run("review", "link", f"client_{client_id}", made["id"]).code == 0
    office.sync()
    office.sql("DELETE FROM clients")
    new_id = office.add_client(JAMES_ALONE)
    assert office.sync("--mode", mode)["contacts"]["held"] == 1
    assert office.run("review", "link", f"client_{new_id}", made["id"]).code == 0
    office.sync()
    office.requests()
    office.sync("--mode", "full")
    assert office.requests("POST", "PATCH", "DELETE") == []
    assert [contact["id"] for contact in office.contacts()] == [made["id"]]


def test_who_comes_back_under_a_new_id_is_not_made_beside_a_contact_that_staff_renamed(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    office.sync()
    contact = office.contact(f"client_{client_id}")
    renamed = {**contact["defaultFields"], "firstName": "Zed Quill"}
    office.sandbox.workspace.edit(contact["id"], {"defaultFields": renamed})
    office.sync("--mode", "full")
    office.sql("DELETE FROM clients")
    office.add_client(JAMES_ALONE)
    assert office.sync()["contacts"]["held"] == 1
    assert len(office.contacts()) == 1


def test_a_row_left_to_another_by_a_review_takes_its_contact_over_when_that_one_goes(office: Office) -> None:
    older, younger = office.make_clients(
        {**JAMES_ALONE, "created_at": "2024-01-01"}, {**JAMES_ALONE, "created_at": "2024-01-02"}
    )
    office.sync()
    assert office.run("review", "link", f"client_{younger}", f"client_{older}").code == 0
    assert office.sync()["skipped"][0]["code"] == "decided_same_person"
    office.sql(f"DELETE FROM clients WHERE id::text = '{older}'")
    office.sync()
    report = office.sync()  # incremental: nobody waits for the next full run
    assert (report["contacts"]["adopted"], report["skipped"]) == (1, [])
    assert len(office.contacts()) == 1
    office.requests()
    office.sync("--mode", "full")
    assert office.requests("POST", "PATCH", "DELETE") == []


def test_a_write_that_failed_leaves_the_contact_with_the_person_it_was_written_for(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    bobs = office.contact(f"client_{client_id}_alt_1")
    office.change_client(client_id, contact_1=None)
    office.sandbox.faults.add(Fault(FaultKind.STATUS, status=403, method="PATCH", count=1))
    assert office.run("sync").code == 1
    office.change_client(client_id, contact_1="Carla Diaz", contact_1_phone="310-555-0199", relationship_1="Friend")
    office.sync()
    assert office.sandbox.workspace.contact(bobs["id"]) == bobs
    assert find_person(office, "Carla Diaz")["id"] != bobs["id"]
