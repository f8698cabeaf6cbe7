"""The safety stop, saved plans, people who leave or return, and taking a run back."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from openphone_sync.sandbox import SandboxOptions
from openphone_sync.sandbox.samples import load_samples
from tests.fault_injection import FaultySandbox, parse_fault
from tests.office import FAST, JAMES, JAMES_ALONE, Office, emails, make_many, phones

ANN = {"client_name": "Ann Lee", "phone": "213-555-0155"}
DELETING = {"OPENPHONE_ON_REMOVED": "delete"}
MANY = 25


def sync_many(office: Office) -> None:
    make_many(office, MANY)
    assert office.sync()["contacts"]["created"] == MANY


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE clients SET county = 'Kern'", "25 of 25 linked contacts would change (25 updates), 20 may"),
        ("UPDATE clients SET county = NULL", "25 rows lost their customFields.County"),
        ("UPDATE clients SET phone = NULL", "25 rows lost their phone, 20 may"),
        ("UPDATE clients SET phone = 'n/a'", "25 rows lost their phone, 20 may"),
        ("UPDATE clients SET client_name = NULL", "25 rows lost their name, 20 may"),
        ("DELETE FROM clients WHERE id > 2", "23 of 25 clients are gone"),
        ("DELETE FROM clients", "no rows"),
        ("ALTER TABLE clients DROP COLUMN county", "no longer has the column county"),
    ],
)
def test_too_many_changes_stop_before_the_first_write(office: Office, statement: str, words: str) -> None:
    sync_many(office)
    office.sql(statement)
    office.requests()
    for command in ("dry-run", "sync"):
        ran = office.run(command)
        assert ran.code == 4
        assert words in ran.err
        assert "--force" in ran.err
        assert "OPENPHONE_MAX_CHANGES" in ran.err
    stopped = office.run("dry-run", "--json").json
    assert (stopped["status"], stopped["dryRun"], stopped["actions"]) == ("stopped", True, [])
    assert office.requests("POST", "PATCH", "DELETE") == []
    assert office.run("sync", "--force").code == 0


@pytest.mark.parametrize("column", ["phone", "client_name"])
def test_a_loss_that_was_let_pass_stops_no_later_run(office: Office, column: str) -> None:
    sync_many(office)
    office.sql(f"UPDATE clients SET {column} = NULL")
    assert office.run("sync", "--force").code == 0
    office.sync("--mode", "full")
    office.sql("UPDATE clients SET county = 'Kern' WHERE id = 1")
    office.sync()


def sync_with_alternates(office: Office, count: int) -> None:
    make_many(office, count)
    office.sql("ALTER TABLE clients ADD contact_1 text, ADD contact_1_phone text")
    office.sql("UPDATE clients SET contact_1 = client_name || ' senior', contact_1_phone = '310' || right(phone, 9)")
    assert office.sync()["contacts"]["created"] == 2 * count


def test_alternates_that_all_vanish_stop_the_run(office: Office) -> None:
    sync_with_alternates(office, MANY)
    office.sql("UPDATE clients SET contact_1 = NULL, contact_1_phone = NULL")
    ran = office.run("sync")
    assert ran.code == 4
    assert "25 rows lost their alternate, 20 may" in ran.err
    assert office.run("sync", "--force").code == 0
    assert len(office.sync("--mode", "full")["orphans"]) == MANY


def test_alternates_of_clients_that_are_gone_count_as_their_rows(office: Office) -> None:
    sync_with_alternates(office, 15)
    office.sql("DELETE FROM clients WHERE id > 2")
    ran = office.run("sync")
    assert ran.code == 4
    assert "13 of 15 clients are gone from the source, 3 may be, so" in ran.err
    assert len(office.sync(OPENPHONE_MAX_CHANGES="13")["orphans"]) == 26


def test_the_limit_is_a_setting(office: Office) -> None:
    sync_many(office)
    office.sql("UPDATE clients SET county = 'Kern' WHERE id <= 3")
    assert office.run("dry-run", OPENPHONE_MAX_CHANGES="2").code == 4
    assert office.run("sync", OPENPHONE_MAX_CHANGES="3").code == 0
    assert office.run("sync", OPENPHONE_MAX_CHANGES="lots").code == 2


def test_creations_and_adoptions_do_not_count(office: Office) -> None:
    sync_many(office)
    shutil.rmtree(office.state_dir)
    office.sql("UPDATE clients SET county = 'Kern'")
    assert office.sync()["contacts"]["adopted"] == MANY


# --- people who leave or return ---------------------------------------------------------------------------------------


def test_removed_people_are_deleted_only_where_that_is_set(office: Office) -> None:
    ids = office.make_clients(JAMES, {"client_name": "Ann Lee", "phone": "213-555-0155"})
    office.sync()
    office.change_client(ids[0], contact_1=None, contact_1_phone=None, relationship_1=None)
    report = office.sync()
    assert report["orphans"] == [f"client_{ids[0]}_alt_1"]
    assert len(office.contacts()) == 3
    report = office.sync(OPENPHONE_ON_REMOVED="delete")
    assert report["contacts"]["deleted"] == 1
    assert office.sandbox.workspace.find(f"client_{ids[0]}_alt_1") == []
    assert office.sync(OPENPHONE_ON_REMOVED="delete")["contacts"]["deleted"] == 0


def test_a_contact_that_is_not_our_own_is_never_deleted(office: Office) -> None:
    ids = office.make_clients(JAMES, {"client_name": "Ann Lee", "phone": "213-555-0155"})
    made = office.sandbox.workspace.add(
        {"defaultFields": {"firstName": "James Smith", "phoneNumbers": [{"name": "Cell", "value": "+12135550134"}]}}
    )
    assert office.sync()["contacts"]["adopted"] == 1
    office.sql("DELETE FROM clients WHERE id::text = %s", ids[0])
    report = office.sync(OPENPHONE_ON_REMOVED="delete")
    assert report["contacts"]["deleted"] == 1
    assert office.sandbox.workspace.contact(made["id"]) is not None


def test_orphans_that_stay_cost_no_request_a_night(office: Office) -> None:
    ids = office.make_clients(JAMES, ANN)
    office.sandbox.workspace.add(
        {"defaultFields": {"firstName": "James Smith", "phoneNumbers": [{"name": "Cell", "value": "+12135550134"}]}}
    )
    office.sync()
    office.sandbox.workspace.remove(office.contact(f"client_{ids[0]}_alt_1")["id"])
    office.sql("DELETE FROM clients WHERE id::text = %s", ids[0])
    assert office.sync(**DELETING)["orphans"] == [f"client_{ids[0]}"]
    assert office.run("explain", ids[0], "--json").json["contacts"][0]["code"] == "not_ours"
    office.requests()
    for _ in range(2):
        assert office.sync(**DELETING)["orphans"] == [f"client_{ids[0]}"]
        assert office.requests() == []


@pytest.mark.parametrize("change", [{}, {"county": "Kern"}])
def test_an_alternate_gone_from_the_source_and_from_the_app_is_forgotten(
    office: Office, change: dict[str, str]
) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    office.sandbox.workspace.remove(office.contact(f"client_{client_id}_alt_1")["id"])
    office.change_client(client_id, contact_1=None, contact_1_phone=None, relationship_1=None, **change)
    office.sync()
    report = office.sync("--mode", "full")
    assert (report["contacts"]["unchanged"], report["orphans"]) == (1, [])
    assert office.sync()["contacts"]["unchanged"] == 1


def test_an_orphan_that_was_deleted_in_the_app_is_reported_until_the_next_full_run(office: Office) -> None:
    ids = office.make_clients(JAMES_ALONE, ANN)
    office.sync()
    office.sql("DELETE FROM clients WHERE id::text = %s", ids[0])
    office.sync()
    office.sandbox.workspace.remove(office.contact(f"client_{ids[0]}")["id"])
    assert office.sync()["orphans"] == [f"client_{ids[0]}"]
    assert office.sync("--mode", "full")["orphans"] == []


def enter_again(office: Office, client_id: str) -> str:
    """The row deleted and typed in again, with other values; its new id."""
    office.sql("DELETE FROM clients WHERE id::text = %s", client_id)
    return office.add_client({**JAMES_ALONE, "county": "Orange County", "client_type": "civil"})


@pytest.mark.parametrize("same_night", [True, False])
@pytest.mark.parametrize(("status", "code"), [(None, 0), (400, 1), (401, 3)])
def test_a_client_entered_again_under_a_new_id_brings_its_values(
    office: Office, *, same_night: bool, status: int | None, code: int
) -> None:
    ids = office.make_clients(JAMES_ALONE, ANN)
    office.sync()
    made = office.contact(f"client_{ids[0]}")
    typed = {"company": "Acme", "emails": [{"name": "Home", "value": "j@x.org"}]}
    office.sandbox.workspace.edit(made["id"], {"defaultFields": typed})
    if not same_night:
        office.sql("DELETE FROM clients WHERE id::text = %s", ids[0])
        office.sync()
    enter_again(office, ids[0])
    if status:
        office.sandbox.faults.add(parse_fault(f"status:status={status},method=PATCH"))
        assert office.run("sync").code == code
    office.sync()
    contact = office.sandbox.workspace.contact(made["id"])
    assert contact is not None
    assert (contact["defaultFields"]["role"], contact["defaultFields"]["company"]) == ("Civil Client", "Acme")
    assert emails(contact) == {"j@x.org": "Home"}
    assert office.custom(contact)["County"] == "Orange County"
    assert len(office.contacts()) == 2
    office.requests()
    assert office.sync("--mode", "full")["orphans"] == []
    assert office.requests("POST", "PATCH", "DELETE") == []


def test_a_client_entered_again_is_found_with_the_state_lost(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    office.sync()
    enter_again(office, client_id)
    shutil.rmtree(office.state_dir)
    report = office.sync()
    assert (report["contacts"]["adopted"], len(office.contacts())) == (1, 1)
    assert {one["field"]: one["kept"] for one in report["conflicts"]}["role"] == "source"
    assert office.custom(office.contacts()[0])["County"] == "Orange County"


def test_a_client_that_returns_finds_his_contact_again(office: Office) -> None:
    ids = office.make_clients(JAMES, {"client_name": "Ann Lee", "phone": "213-555-0155"})
    office.sync()
    office.sql("CREATE TABLE kept AS SELECT * FROM clients WHERE id::text = %s", ids[0])
    office.sql("DELETE FROM clients WHERE id::text = %s", ids[0])
    office.sync()
    office.sql("INSERT INTO clients SELECT * FROM kept")
    report = office.sync()
    assert report["orphans"] == []
    assert report["contacts"]["created"] == 0
    assert len(office.contacts()) == 3


def test_alternates_that_trade_places_keep_their_contacts(office: Office) -> None:
    [client_id] = office.make_clients(
        {**JAMES, "contact_2": "Ann Smith", "relationship_2": "Mother", "contact_2_phone": "310-555-0166"}
    )
    office.sync()
    bob, ann = (office.contact(f"client_{client_id}_alt_{slot}")["id"] for slot in (1, 2))
    office.sandbox.workspace.edit(
        bob, {"customFields": [{"key": office.sandbox.workspace.field_key("Notes"), "value": "Bob's note"}]}
    )
    office.sql(
        "UPDATE clients SET contact_1 = contact_2, contact_1_phone = contact_2_phone, relationship_1 = relationship_2,"
        " contact_2 = contact_1, contact_2_phone = contact_1_phone, relationship_2 = relationship_1"
    )
    report = office.sync()
    assert report["contacts"]["created"] == 0
    contacts = {contact["id"]: contact for contact in office.contacts()}
    assert office.custom(contacts[bob])["Notes"] == "Bob's note"
    assert office.custom(contacts[bob])["Contact Person Name"] == "Bob Smith"
    assert phones(contacts[bob]) == {"+13105550188": "Brother Phone"}
    assert phones(contacts[ann]) == {"+13105550166": "Mother Phone"}
    office.requests()
    office.sync("--mode", "full")
    assert office.requests("POST", "PATCH", "DELETE") == []


def test_a_slot_that_changes_hands_rewrites_nobody(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    bob = office.contact(f"client_{client_id}_alt_1")["id"]
    office.change_client(client_id, contact_1="Zoe Quist", relationship_1="Neighbour", contact_1_phone="310-555-0199")
    report = office.sync()
    assert report["contacts"]["created"] == 1
    contacts = {contact["id"]: contact for contact in office.contacts()}
    assert phones(contacts[bob]) == {"+13105550188": "Brother Phone"}
    assert len(contacts) == 3
    office.requests()
    office.sync("--mode", "full")
    assert office.requests("POST", "PATCH", "DELETE") == []


def test_a_newcomer_in_a_slot_is_found_with_the_state_lost(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    office.change_client(client_id, contact_1="Zoe Quist", relationship_1="Neighbour", contact_1_phone="310-555-0199")
    office.sync()
    shutil.rmtree(office.state_dir)
    office.requests()
    report = office.sync()
    assert (report["contacts"]["adopted"], report["held"], report["conflicts"]) == (2, [], [])
    assert office.requests("POST", "PATCH", "DELETE") == []
    office.change_client(client_id, relationship_1="Friend")
    office.sync()
    zoe = office.contact(f"client_{client_id}_alt_1~2")
    assert (phones(zoe), len(office.contacts())) == ({"+13105550199": "Friend Phone"}, 3)


def test_a_newcomer_in_the_slot_of_one_who_moved_on_takes_nothing_over(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    bob = office.contact(f"client_{client_id}_alt_1")["id"]
    office.change_client(
        client_id,
        contact_1="Omar Nguyen",
        relationship_1="Uncle",
        contact_1_phone="617-613-1759",
        contact_2="Bob Smith",
        relationship_2="Brother",
        contact_2_phone="310-555-0188",
    )
    planned = office.run("dry-run", "--json").json["contacts"]
    report = office.sync()
    assert report["contacts"] == planned
    assert report["contacts"]["created"] == 1
    contacts = {contact["id"]: contact for contact in office.contacts()}
    assert len(contacts) == 3
    assert office.custom(contacts[bob])["Contact Person Name"] == "Bob Smith"
    assert phones(contacts[bob]) == {"+13105550188": "Brother Phone"}
    for _ in range(2):
        office.requests()
        office.sync("--mode", "full")
        assert office.requests("POST", "PATCH", "DELETE") == []


@pytest.mark.parametrize("lost", [False, True])
def test_a_swap_and_a_deletion_take_nobody_elses_contact(office: Office, lost: bool) -> None:
    [client_id] = office.make_clients(
        {**JAMES, "contact_2": "Ann Lee", "relationship_2": "Mother", "contact_2_phone": "310-555-0166"}
    )
    office.sync()
    bob, ann = (office.contact(f"client_{client_id}_alt_{slot}")["id"] for slot in (1, 2))
    office.sql(
        "UPDATE clients SET contact_1 = contact_2, contact_1_phone = contact_2_phone, relationship_1 = relationship_2,"
        " contact_2 = contact_1, contact_2_phone = contact_1_phone, relationship_2 = relationship_1"
    )
    office.sync()
    office.sandbox.workspace.remove(bob)
    if lost:
        shutil.rmtree(office.state_dir)
    office.sync("--mode", "full")
    contacts = office.contacts()
    assert sorted(office.custom(one).get("Contact Person Name", "") for one in contacts) == ["", "Ann Lee", "Bob Smith"]
    assert phones(next(one for one in contacts if one["id"] == ann)) == {"+13105550166": "Mother Phone"}
    office.requests()
    office.sync("--mode", "full")
    assert office.requests("POST", "PATCH", "DELETE") == []


def test_a_contact_deleted_in_the_app_comes_back_once(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    office.sandbox.workspace.remove(office.contact(f"client_{client_id}")["id"])
    report = office.sync("--mode", "full")
    assert report["contacts"]["created"] == 1
    office.sandbox.workspace.remove(office.contact(f"client_{client_id}")["id"])
    report = office.sync("--mode", "full")
    assert report["contacts"]["created"] == 0
    assert report["contacts"]["skipped"] == 1
    assert "deleted in the app" in report["skipped"][0]["reason"]
    assert office.sync("--mode", "full")["contacts"]["created"] == 0


def test_a_contact_that_could_not_come_back_does_once_its_row_is_mended(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    office.sync()
    office.sandbox.workspace.remove(office.contact(f"client_{client_id}")["id"])
    office.change_client(client_id, county="Kern")
    office.sandbox.faults.add(parse_fault("status:status=400,method=POST"))
    assert office.run("sync").code == 1
    office.change_client(client_id, phone="in jail")
    assert office.sync()["contacts"]["skipped"] == 1
    office.change_client(client_id, phone="213-555-0134")
    assert office.sync()["contacts"]["created"] == 1


def test_a_contact_of_ours_that_refuses_a_write_is_a_failure_and_is_tried_again(office: Office) -> None:
    ids = office.make_clients(JAMES_ALONE, ANN)
    office.sandbox.workspace.add(
        {"defaultFields": {"firstName": "Ann Lee", "phoneNumbers": [{"name": "Cell", "value": "+12135550155"}]}}
    )
    office.sync()
    office.sql("UPDATE clients SET county = 'Kern'")
    office.sandbox.faults.add(parse_fault("status:status=403,method=PATCH,count=none"))
    for _ in range(2):
        ran = office.run("sync", "--json")
        assert (ran.code, ran.json["contacts"]["failed"], ran.json["contacts"]["skipped"]) == (1, 2, 0)
        assert {(one["status"], "API key" in one["message"]) for one in ran.json["errors"]} == {(403, True)}
    office.sandbox.faults.clear()
    assert office.sync()["contacts"]["updated"] == 2
    assert [office.custom(office.contact(f"client_{one}"))["County"] for one in ids] == ["Kern", "Kern"]


def test_a_contact_of_another_program_that_refuses_to_be_joined_is_owned_by_it(office: Office) -> None:
    office.make_clients(JAMES_ALONE)
    phone = {"name": "Cell", "value": "+12135550134"}
    office.sandbox.workspace.add(
        {"defaultFields": {"firstName": "James", "phoneNumbers": [phone]}}, source="intake-form"
    )
    office.sandbox.faults.add(parse_fault("status:status=403,method=PATCH,count=none"))
    for arguments in ([], [], ["--mode", "full"]):
        assert [one["code"] for one in office.sync(*arguments)["skipped"]] == ["owned_by_integration"]
    office.sandbox.faults.clear()
    assert office.sync()["contacts"]["skipped"] == 1
    assert office.sync("--mode", "full")["contacts"]["adopted"] == 1


@pytest.mark.parametrize("source", [None, "ios", "public-api"])
def test_a_403_alone_is_a_failed_write_that_heals(office: Office, source: str | None) -> None:
    office.make_clients(JAMES_ALONE)
    phone = {"name": "Cell", "value": "+12135550134"}
    office.sandbox.workspace.add({"defaultFields": {"firstName": "James", "phoneNumbers": [phone]}}, source=source)
    office.sandbox.faults.add(parse_fault("status:status=403,method=PATCH"))
    ran = office.run("sync", "--json")
    assert (ran.code, [error["code"] for error in ran.json["errors"]]) == (1, ["forbidden"])
    assert office.sync()["contacts"]["adopted"] == 1


def test_a_key_that_may_not_write_at_all_ends_the_run(office: Office) -> None:
    sync_many(office)
    office.sql("UPDATE clients SET county = 'Kern' WHERE id <= 15")
    office.sandbox.faults.add(parse_fault("status:status=403,method=PATCH,count=none"))
    ran = office.run("sync", "--json")
    assert ran.code == 3
    assert "answered 403 to all of" in ran.err
    assert ran.json["contacts"]["left"] > 0
    office.sandbox.faults.clear()
    assert office.sync()["contacts"]["updated"] == 15


def test_contacts_of_integrations_are_left_alone(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    body = {"defaultFields": {"firstName": "James Smith", "phoneNumbers": [{"name": "Cell", "value": "+12135550134"}]}}
    made = office.sandbox.workspace.add(body, source="openphone-clio")
    report = office.sync()
    assert [(one["externalId"], one["code"]) for one in report["skipped"]] == [
        (f"client_{client_id}", "owned_by_integration")
    ]
    assert office.requests("POST", "PATCH", "DELETE") == []
    assert office.sandbox.workspace.contact(made["id"]) == made


def test_a_refusal_is_over_once_a_full_run_finds_nothing_left_to_write(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    body = {"defaultFields": {"firstName": "James Smith", "phoneNumbers": [{"name": "Cell", "value": "+12135550134"}]}}
    office.sandbox.workspace.add(body, source="another-crm")
    assert office.sync()["contacts"]["adopted"] == 1
    office.change_client(client_id, county="Kern")
    office.sandbox.faults.add(parse_fault("status:status=403,method=PATCH,count=1"))
    assert [one["code"] for one in office.sync()["skipped"]] == ["owned_by_integration"]
    office.change_client(client_id, county=JAMES_ALONE.get("county"))
    assert office.sync("--mode", "full")["skipped"] == []
    office.change_client(client_id, contact_1="Bob Smith", contact_1_phone="310-555-0188", relationship_1="Brother")
    assert office.sync()["skipped"] == []


# --- saved plans --------------------------------------------------------------------------------------------------------


def save(office: Office) -> str:
    path = office.folder / "plan.json"
    assert office.run("dry-run", "--out", str(path)).code == 0
    assert path.stat().st_mode & 0o777 == 0o600
    return str(path)


def test_a_saved_plan_is_carried_out_exactly(office: Office) -> None:
    office.make_clients(JAMES)
    plan = save(office)
    assert office.sync("--plan", plan)["contacts"]["created"] == 2
    ran = office.run("sync", "--plan", plan)
    assert ran.code == 4
    assert "client_" in ran.err


def test_a_plan_is_refused_where_the_source_moved_and_spares_what_a_person_changed(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    office.change_client(client_id, county="Kern")
    plan = save(office)
    office.sandbox.workspace.edit(
        office.contact(f"client_{client_id}")["id"],
        {"defaultFields": {"emails": [{"name": "Home", "value": "j@example.org"}]}},
    )
    before = office.contact(f"client_{client_id}")
    ran = office.run("sync", "--plan", plan, "--json")
    assert ran.code == 1
    external_id = f"client_{client_id}"
    assert ran.json["conflicts"] == [{"externalId": external_id, "field": "changed since the plan", "kept": "remote"}]
    assert office.contact(external_id) == before
    plan = save(office)
    office.change_client(client_id, county="Orange")
    office.requests()
    assert office.run("sync", "--plan", plan).code == 4
    assert office.requests("POST", "PATCH", "DELETE") == []


def add_james(office: Office, name: str) -> str:
    """A contact on James's number that a person typed."""
    phones = [{"name": "Cell", "value": "+12135550134"}]
    return str(office.sandbox.workspace.add({"defaultFields": {"firstName": name, "phoneNumbers": phones}})["id"])


def overtaken(external_id: str) -> dict[str, str]:
    return {"externalId": external_id, "field": "changed since the plan", "kept": "remote"}


@pytest.mark.parametrize("name", ["James Smith", "Robert Brown"], ids=["adopted now", "held now"])
def test_a_plan_makes_no_contact_that_a_person_made_meanwhile(office: Office, name: str) -> None:
    james, ann = office.make_clients(JAMES_ALONE, ANN)
    plan = save(office)
    add_james(office, name)
    ran = office.run("sync", "--plan", plan, "--json")
    assert (ran.code, ran.json["conflicts"]) == (1, [overtaken(f"client_{james}")])
    assert (ran.json["contacts"]["created"], office.requests("PATCH")) == (1, [])
    assert len(office.contacts()) == 2
    assert office.contact(f"client_{ann}")
    assert office.run("sync").code == 0  # takes it up, without a row that moved
    assert len(office.contacts()) == 2


def test_a_plan_does_not_make_again_what_a_person_deleted_meanwhile(office: Office) -> None:
    james, ann = office.make_clients(JAMES_ALONE, ANN)
    office.sync()
    for client_id in (james, ann):
        office.change_client(client_id, county="Kern")
    plan = save(office)
    office.sandbox.workspace.delete(office.contact(f"client_{james}")["id"])
    office.requests()
    ran = office.run("sync", "--plan", plan, "--json")
    assert (ran.code, ran.json["conflicts"]) == (1, [overtaken(f"client_{james}")])
    assert (ran.json["contacts"]["updated"], office.requests("POST")) == (1, [])
    assert office.sync()["contacts"]["created"] == 1


def test_a_plan_deletes_what_it_says_and_nothing_else(office: Office) -> None:
    james, ann, _ = office.make_clients(JAMES_ALONE, ANN, {"client_name": "Eve Fox", "phone": "213-555-0156"})
    office.sync()
    settings = {"OPENPHONE_ON_REMOVED": "delete", "OPENPHONE_MAX_CHANGES": "100%"}
    path = str(office.folder / "plan.json")
    for client_id in (james, ann):
        assert office.run("dry-run", "--out", path, **settings).code == 0
        office.sql("DELETE FROM clients WHERE id = %s", client_id)
        assert office.run("sync", "--plan", path, **settings).code == 4  # the row was there
        assert office.run("dry-run", "--out", path, **settings).code == 0
        if client_id == ann:
            office.sandbox.workspace.delete(office.contact(f"client_{ann}")["id"])  # by a person
        assert office.run("sync", "--plan", path, **settings).code == 0
    assert len(office.contacts()) == 1


def test_rows_that_come_into_play_by_listing_do_not_stop_a_plan(office: Office) -> None:
    james, ann = office.make_clients(JAMES_ALONE, ANN)
    add_james(office, "Robert Brown")
    office.sync()  # holds James
    office.change_client(ann, county="Kern")
    plan = save(office)
    office.sandbox.workspace.delete(office.contact(f"client_{ann}")["id"])
    ran = office.run("sync", "--plan", plan, "--json")  # lists, to make Ann's again, and so looks at James
    assert (ran.code, ran.json["conflicts"]) == (1, [overtaken(f"client_{ann}")])
    assert [one["externalId"] for one in ran.json["held"]] == [f"client_{james}"]


def test_a_plan_does_not_write_what_a_review_has_decided_meanwhile(office: Office) -> None:
    [james] = office.make_clients(JAMES_ALONE)
    add_james(office, "Robert Brown")
    plan = save(office)
    office.sync()
    assert office.run("review", "separate", f"client_{james}").code == 0
    ran = office.run("sync", "--plan", plan, "--json")
    assert (ran.code, ran.json["conflicts"]) == (1, [overtaken(f"client_{james}")])
    assert len(office.contacts()) == 1


def test_a_file_that_is_not_a_plan_is_refused(office: Office) -> None:
    office.make_clients(JAMES)
    plan = save(office)
    text = (office.folder / "plan.json").read_text()
    document: dict[str, Any] = json.loads(text)
    variants = {
        "digest": json.dumps(document | {"actions": [{"externalId": "x"}]}),
        "version": text.replace('"schemaVersion": 2', '"schemaVersion": 99'),
        "garbage": text[: len(text) // 2],
        "other": '{"kind": "something"}',
    }
    for name, changed in variants.items():
        (office.folder / "plan.json").write_text(changed)
        ran = office.run("sync", "--plan", plan)
        assert ran.code == 2, name
        assert "dry-run --out" in ran.err
    assert office.contacts() == []


def test_a_plan_of_another_workspace_is_refused(office: Office) -> None:
    office.make_clients(JAMES)
    plan = save(office)
    with FaultySandbox(SandboxOptions(rate_limit=FAST, seed=2, key="another-key")) as other:
        settings = {"OPENPHONE_BASE_URL": other.base_url, "OPENPHONE_API_KEY": other.options.key}
        ran = office.run("sync", "--plan", plan, **settings)
        assert ran.code == 4
        assert "the plan was made for another workspace or API key" in ran.err
        assert other.workspace.contacts() == []


def test_a_plan_of_another_database_is_refused(office: Office) -> None:
    office.make_clients(JAMES)
    plan = save(office)
    office.sql("ALTER TABLE clients RENAME TO people")
    ran = office.run("sync", "--plan", plan, "--json", "--force", OPENPHONE_CLIENT_TABLE="people")
    assert (ran.code, ran.json["status"]) == (4, "stopped")
    assert "the plan was made for another database or client table" in ran.err
    assert office.contacts() == []


def test_a_plan_is_refused_with_other_settings_or_narrowed_or_absent(office: Office) -> None:
    office.make_clients(JAMES)
    plan = save(office)
    ran = office.run("sync", "--plan", plan, OPENPHONE_ON_CONFLICT="remote")
    assert ran.code == 2
    assert "was made with other settings" in ran.err
    assert office.run("sync", "--plan", plan, "--limit", "1").code == 2
    assert office.run("sync", "--plan", "nowhere.json").code == 2
    assert office.contacts() == []


# --- runs and rollback --------------------------------------------------------------------------------------------------


def test_runs_show_every_write(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    first = office.sync()
    office.change_client(client_id, county="Kern")
    second = office.sync()
    assert [run["runId"] for run in office.run("runs", "list", "--json").json["runs"]] == [
        second["runId"],
        first["runId"],
    ]
    shown = office.run("runs", "show", first["runId"], "--json").json
    assert [(one["action"], one["result"]) for one in shown["writes"]] == [("create", "done"), ("create", "done")]
    [write] = office.run("runs", "show", "latest", "--json").json["writes"]
    assert [(one["before"], one["after"]) for one in write["changes"]] == [("Los Angeles County", "Kern")]
    assert "update" in office.run("runs", "show", "latest").out
    assert office.run("runs", "show", "nothing").code == 2


def test_a_first_run_is_taken_back_whole(office: Office) -> None:
    load_samples(office.dsn, 12)
    made = office.sandbox.workspace.add(
        {"defaultFields": {"firstName": "Passer By", "phoneNumbers": [{"name": "Cell", "value": "+14155550123"}]}}
    )
    run = office.sync()["runId"]
    assert office.run("rollback", "--yes", run, "--dry-run").code == 0
    assert len(office.contacts()) > 12
    ran = office.run("rollback", "--yes", run, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["command"] == "rollback"
    assert office.contacts() == [made]
    night = office.sync("--mode", "full")
    assert night["contacts"]["created"] == 0
    assert night["contacts"]["held"] == ran.json["contacts"]["deleted"]
    assert office.contacts() == [made]


def test_an_update_is_restored_except_what_a_person_changed_since(office: Office) -> None:
    [client_id] = office.make_clients({**JAMES, "email": "old@example.org"})
    office.sync()
    before = office.contact(f"client_{client_id}")
    office.change_client(client_id, county="Kern", phone="213-555-0177", email=None, client_name="James Smythe")
    run = office.sync()["runId"]
    office.sandbox.workspace.edit(before["id"], {"defaultFields": {"role": "VIP"}})
    office.sandbox.workspace.edit(
        before["id"], {"customFields": [{"key": office.sandbox.workspace.field_key("County"), "value": "Staff County"}]}
    )
    ran = office.run("rollback", "--yes", run, "--json")
    assert ran.code == 0, ran.err
    contact = office.contact(f"client_{client_id}")
    assert contact["defaultFields"]["firstName"] == "James Smith"
    assert phones(contact) == {"+12135550134": "Main Phone"}
    assert [one["value"] for one in contact["defaultFields"]["emails"]] == ["old@example.org"]
    assert contact["defaultFields"]["role"] == "VIP"
    assert office.custom(contact)["County"] == "Staff County"
    assert any("was changed since" in warning for warning in ran.json["warnings"])
    office.requests()
    assert office.sync("--mode", "full")["contacts"]["held"] == 2
    assert office.requests("POST", "PATCH", "DELETE") == []
    office.change_client(client_id, client_name="James Smithson")
    office.sync()
    assert office.contact(f"client_{client_id}")["defaultFields"]["firstName"] == "James Smithson"


def test_a_review_releases_what_was_taken_back(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    run = office.sync()["runId"]
    assert office.run("rollback", "--yes", run).code == 0
    assert office.contacts() == []
    reviews = office.run("review", "list", "--json").json["reviews"]
    assert [one["reason"] for one in reviews] == [f"rolled back: run {run} was undone"] * 2
    ran = office.run("review", "link", f"client_{client_id}")
    assert (ran.code, "has no candidates; release it with review separate" in ran.err) == (2, True)
    assert office.run("review", "separate", f"client_{client_id}").code == 0
    assert office.sync()["contacts"]["created"] == 1


def test_an_adoption_is_undone_to_the_letter(office: Office) -> None:
    office.make_clients(JAMES_ALONE)
    made = office.sandbox.workspace.add(
        {"defaultFields": {"firstName": "James", "phoneNumbers": [{"name": "Cell", "value": "+12135550134"}]}}
    )
    run = office.sync()["runId"]
    assert office.run("rollback", "--yes", run).code == 0
    contact = office.sandbox.workspace.contact(made["id"])
    assert contact is not None
    assert contact["externalId"] is None
    assert contact["defaultFields"] == made["defaultFields"]
    assert office.custom(contact) == {}


def test_a_deletion_is_undone_by_creating_the_contact_again(office: Office) -> None:
    ids = office.make_clients(JAMES, {"client_name": "Ann Lee", "phone": "213-555-0155"})
    office.sync()
    office.sql("DELETE FROM clients WHERE id::text = %s", ids[1])
    run = office.sync(OPENPHONE_ON_REMOVED="delete")["runId"]
    assert office.sandbox.workspace.find(f"client_{ids[1]}") == []
    assert office.run("rollback", "--yes", run).code == 0
    contact = office.contact(f"client_{ids[1]}")
    assert contact["defaultFields"]["firstName"] == "Ann Lee"
    assert phones(contact) == {"+12135550155": "Main Phone"}
    assert contact["source"] == "legal-practitioner-app"


def test_a_created_contact_that_a_person_edited_is_not_deleted(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    run = office.sync()["runId"]
    contact = office.contact(f"client_{client_id}")
    office.sandbox.workspace.edit(contact["id"], {"defaultFields": {"lastName": "Esq."}})
    ran = office.run("rollback", "--yes", run, "--json")
    assert ran.json["skipped"] == [
        {
            "externalId": f"client_{client_id}",
            "reason": "it was changed since, and is left alone",
            "code": "changed_since",
        }
    ]
    assert office.contact(f"client_{client_id}")["defaultFields"]["lastName"] == "Esq."
