"""Taking back what cannot be seen from the run's own report: deletions, rollbacks, runs that were killed."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.fault_injection import parse_fault
from tests.office import JAMES, JAMES_ALONE, Office, make_many, phones, wait_until

ANN = {"client_name": "Ann Lee", "phone": "213-555-0155"}
DELETING = {"OPENPHONE_ON_REMOVED": "delete"}


# --- deletions --------------------------------------------------------------------------------------------------------


def test_a_deletion_that_was_undone_holds_until_the_row_is_back(office: Office) -> None:
    ids = office.make_clients(JAMES, ANN)
    office.sync()
    office.sql("CREATE TABLE kept AS SELECT * FROM clients WHERE id::text = %s", ids[0])
    office.sql("DELETE FROM clients WHERE id::text = %s", ids[0])
    run = office.sync(**DELETING)
    assert run["contacts"]["deleted"] == 2
    assert office.run("rollback", "--yes", "latest").code == 0
    for mode in ("incremental", "full"):
        night = office.sync("--mode", mode, **DELETING)
        assert (night["contacts"]["deleted"], night["orphans"]) == (0, [])
        assert [(one["externalId"], one["reason"]) for one in night["held"]] == [
            (f"client_{ids[0]}", f"rolled back: run {run['runId']} was undone"),
            (f"client_{ids[0]}_alt_1", f"rolled back: run {run['runId']} was undone"),
        ]
        assert len(office.contacts()) == 3
    office.sql("UPDATE kept SET county = 'Kern'")
    office.sql("INSERT INTO clients SELECT * FROM kept")
    night = office.sync(**DELETING)
    assert (night["contacts"]["created"], night["contacts"]["held"], len(office.contacts())) == (0, 0, 3)
    assert office.custom(office.contact(f"client_{ids[0]}"))["County"] == "Kern"


def test_an_alternate_whose_deletion_was_undone_holds(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    office.change_client(client_id, contact_1=None, contact_1_phone=None, relationship_1=None)
    assert office.sync(**DELETING)["contacts"]["deleted"] == 1
    assert office.run("rollback", "--yes", "latest").code == 0
    for mode in ("incremental", "full"):
        night = office.sync("--mode", mode, **DELETING)
        assert (night["contacts"]["deleted"], night["orphans"]) == (0, [])
        assert [one["externalId"] for one in night["held"]] == [f"client_{client_id}_alt_1"]
    assert len(office.contacts()) == 2


def test_a_review_releases_a_deletion_that_was_undone(office: Office) -> None:
    ids = office.make_clients(JAMES_ALONE, ANN)
    office.sync()
    office.sql("DELETE FROM clients WHERE id::text = %s", ids[0])
    office.sync(**DELETING)
    assert office.run("rollback", "--yes", "latest").code == 0
    assert office.run("review", "separate", f"client_{ids[0]}").code == 0
    assert office.sync()["orphans"] == [f"client_{ids[0]}"]
    assert office.sync(**DELETING)["contacts"]["deleted"] == 1


def test_a_contact_without_a_phone_can_be_shown_before_it_is_made_again(office: Office) -> None:
    ids = office.make_clients(JAMES_ALONE, ANN)
    office.sync()
    contact = office.contact(f"client_{ids[0]}")
    [phone] = contact["defaultFields"]["phoneNumbers"]
    office.sandbox.workspace.edit(
        contact["id"], {"defaultFields": {"phoneNumbers": [{"id": phone["id"], "value": None}]}}
    )
    office.sql("DELETE FROM clients WHERE id::text = %s", ids[0])
    assert office.sync(**DELETING)["contacts"]["deleted"] == 1
    ran = office.run("rollback", "--yes", "latest", "--dry-run")
    assert ran.code == 0, ran.err
    assert "James Smith" in ran.out
    assert len(office.contacts()) == 1


# --- rollbacks --------------------------------------------------------------------------------------------------------


def test_latest_twice_undoes_nothing_more(office: Office) -> None:
    office.make_clients(JAMES, ANN)
    run = office.sync()["runId"]
    assert office.run("rollback", "latest", "--yes").code == 0
    office.sync()
    again = office.run("rollback", "latest", "--yes")
    assert again.code == 2
    assert f"run {run} is undone already" in again.err
    assert office.contacts() == []


def test_latest_is_the_latest_sync_that_wrote(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    first = office.sync()["runId"]
    office.sync()
    office.run("sync", OPENPHONE_API_KEY="wrong")
    office.change_client(client_id, client_name="")
    shown = office.run("rollback", "latest")
    assert shown.code == 2
    assert f"Undo run {first}, begun " in shown.err
    assert "(1 created) needs a yes; add --yes" in shown.err
    assert len(office.contacts()) == 1
    assert office.run("rollback", "latest", "--force").code == 0
    assert office.contacts() == []


def test_a_run_that_wrote_nothing_and_a_rollback_are_not_undone(office: Office) -> None:
    office.make_clients(JAMES_ALONE)
    none = office.run("rollback", "latest", "--yes")
    assert (none.code, none.err) == (2, "openphone-sync: no sync has written anything; there is nothing to undo\n")
    office.sync()
    empty = office.sync()["runId"]
    assert "wrote nothing" in office.run("rollback", empty, "--yes").err
    rollback = office.run("rollback", "latest", "--yes", "--json").json["runId"]
    assert "is a rollback" in office.run("rollback", rollback, "--yes").err


def test_a_rolled_back_update_is_written_again_once_it_is_released(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    office.sync()
    office.change_client(client_id, phone="213-555-0199", county="Kern")
    office.sync()
    office.run("rollback", "latest", "--yes")
    assert phones(office.contact(f"client_{client_id}")) == {"+12135550134": "Main Phone"}
    assert office.run("review", "separate", "--all", "--evidence", "rollback").code == 0
    report = office.sync()
    assert (report["contacts"]["updated"], report["conflicts"]) == (1, [])
    contact = office.contact(f"client_{client_id}")
    assert phones(contact) == {"+12135550199": "Main Phone"}
    assert office.custom(contact)["County"] == "Kern"


def test_an_adoption_that_only_gave_the_external_id_is_taken_back(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    office.sync()
    made = office.contact(f"client_{client_id}")
    office.sandbox.workspace.remove(made["id"])
    shutil.rmtree(office.state_dir)
    same = office.sandbox.workspace.add({**made, "externalId": None})
    assert office.sync()["contacts"]["adopted"] == 1
    assert office.contact(f"client_{client_id}")["id"] == same["id"]
    assert office.run("rollback", "--yes", "latest", "--json").json["contacts"]["updated"] == 1
    assert [contact["externalId"] for contact in office.contacts()] == [None]
    assert office.sync("--mode", "full")["contacts"]["held"] == 1


def test_a_contact_that_a_409_brought_to_light_is_given_back_as_it_was(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    phone = {"name": "Main Phone", "value": "+12135550134"}
    county = {"key": office.sandbox.workspace.field_key("County"), "value": "Kern"}
    old = {"defaultFields": {"firstName": "Jim", "role": "Witness", "phoneNumbers": [phone]}, "customFields": [county]}
    made = office.sandbox.workspace.add({**old, "externalId": f"client_{client_id}"}, source="legal-practitioner-app")
    office.sandbox.faults.add(parse_fault("item-missing:method=GET,path=/v1/contacts"))
    report = office.sync()
    assert (report["contacts"]["adopted"], report["contacts"]["failed"]) == (1, 0)
    assert {one["field"] for one in report["conflicts"]} == {"firstName", "role", "customFields.County"}
    writes = office.run("runs", "show", "latest", "--json").json["writes"]
    assert [(one["action"], one["result"], one["status"]) for one in writes] == [
        ("create", "failed", 409),
        ("adopt", "done", 0),
    ]
    assert office.run("rollback", "--yes", "latest", "--json").json["contacts"]["updated"] == 1
    contact = office.contact(f"client_{client_id}")
    assert contact["defaultFields"] == made["defaultFields"]
    assert office.custom(contact) == {"County": "Kern"}


@pytest.mark.parametrize("fault", ["", "status:status=400,method=PATCH"])
def test_a_creation_that_came_back_altered_is_a_creation(office: Office, fault: str) -> None:
    office.make_clients(JAMES_ALONE)
    for one in ("drop:method=POST,committed=true", "item-missing:path=/v1/contacts?externalIds=*", fault):
        if one:
            office.sandbox.faults.add(parse_fault(one))
    program = office.start("sync", "--json")
    wait_until(lambda: bool(office.contacts()))  # its answer is lost, and it is looked for a second later again
    office.sandbox.workspace.edit(office.contacts()[0]["id"], {"defaultFields": {"role": "Witness"}})
    out, err = program.communicate(timeout=60)
    assert (program.returncode, json.loads(out)["contacts"]["created"]) == ((1, 0) if fault else (0, 1)), err
    writes = office.run("runs", "show", "latest", "--json").json["writes"]
    assert [(one["action"], one["result"]) for one in writes] == [
        ("create", "done"),
        ("update", "failed" if fault else "done"),
    ]
    assert office.run("rollback", "--yes", "latest").code == 0
    assert office.contacts() == []


def test_a_contact_whose_rollback_failed_is_in_every_report(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    office.sync()
    office.change_client(client_id, county="Kern")
    run = office.sync()["runId"]
    office.sandbox.faults.add(parse_fault("status:status=400,method=PATCH"))
    assert office.run("rollback", "--yes", run).code == 1
    for _ in range(2):
        assert office.sync()["contacts"]["unchanged"] == 1
    assert office.run("rollback", "--yes", run).code == 0
    assert office.custom(office.contact(f"client_{client_id}"))["County"] == "Los Angeles County"


def test_a_rollback_that_fails_says_so_though_it_is_quiet(office: Office) -> None:
    ids = office.make_clients(JAMES_ALONE, ANN)
    run = office.sync()["runId"]
    office.sandbox.faults.add(parse_fault("status:status=400,method=DELETE"))
    ran = office.run("rollback", "--yes", run, "--quiet")
    assert (ran.code, ran.out) == (1, "")
    [failed] = [client_id for client_id in ids if office.sandbox.workspace.find(f"client_{client_id}")]
    assert f"1 failed: client_{failed}; " in ran.err
    log = (office.state_dir / "openphone-sync.log").read_text()
    assert "rollback run " in log
    assert f"client_{failed}: " in log


# --- runs that were killed --------------------------------------------------------------------------------------------

MANY = 12
ANSWERED = 4
"""Writes of a run that get an answer before it is killed."""


def kill(office: Office, method: str, *arguments: str, committed: bool = True) -> str:
    """Begin a run, and kill it while all its writes but the first hang, carried out or not; the run's id."""
    office.requests()
    carried_out = "true" if committed else "false"
    hang = f"hang:method={method},nth={ANSWERED + 1},seconds=30,count=none,committed={carried_out}"
    office.sandbox.faults.add(parse_fault(hang))
    with office.start(*arguments, "--quiet") as process:
        wait_until(lambda: sum(one.method == method for one in office.sandbox.requests) == MANY)
        wait_until(lambda: office.state("SELECT count(*) FROM journal WHERE result IS NULL") == [(MANY - ANSWERED,)])
        process.kill()
        process.wait()
    office.sandbox.faults.clear()
    return str(office.run("runs", "list", "--json").json["runs"][0]["runId"])


def read_counties(office: Office) -> list[str]:
    return [office.custom(contact)["County"] for contact in office.contacts()]


def test_a_run_that_was_killed_is_taken_back_whole(office: Office) -> None:
    make_many(office, MANY)
    kill(office, "POST", "sync")
    shown = office.run("rollback", "--yes", "latest", "--dry-run", "--json").json
    assert shown["contacts"]["deleted"] == ANSWERED
    assert sum("was left open" in warning for warning in shown["warnings"]) == MANY - ANSWERED
    ran = office.run("rollback", "--yes", "latest", "--json")
    assert (ran.code, ran.json["contacts"]["deleted"], ran.json["warnings"]) == (0, MANY, [])
    assert office.contacts() == []
    assert office.sync()["contacts"]["held"] == MANY


def test_a_run_that_was_killed_and_settled_by_the_next_is_taken_back_whole(office: Office) -> None:
    make_many(office, MANY)
    run = kill(office, "POST", "sync")
    assert office.sync()["contacts"]["created"] == 0
    writes = office.run("runs", "show", run, "--json").json["writes"]
    answers = [(one["result"], one["code"], one["message"]) for one in writes]
    assert answers.count(("done", "", "recovered by a later run")) == MANY - ANSWERED
    ran = office.run("rollback", "--yes", run, "--json")
    assert (ran.code, ran.json["contacts"]["deleted"]) == (0, MANY)
    assert office.contacts() == []


@pytest.mark.parametrize("committed", [True, False])
def test_updates_of_a_run_that_was_killed_are_taken_back_or_named(office: Office, *, committed: bool) -> None:
    make_many(office, MANY)
    office.sync()
    office.sql("UPDATE clients SET county = 'Kern'")
    kill(office, "PATCH", "sync", committed=committed)
    ran = office.run("rollback", "--yes", "latest", "--json")
    assert ran.code == 0
    assert read_counties(office) == ["LA"] * MANY
    named = [
        warning for warning in ran.json["warnings"] if "it is not known whether its update was carried out" in warning
    ]
    assert len(named) == (0 if committed else MANY - ANSWERED)
    night = office.sync()
    assert night["contacts"]["held"] == (MANY if committed else ANSWERED)


def test_a_rollback_that_was_killed_makes_nothing_anew(office: Office) -> None:
    make_many(office, MANY)
    office.sync()
    kill(office, "DELETE", "rollback", "--yes", "latest")
    assert office.contacts() == []
    night = office.sync()
    assert (night["contacts"]["created"], night["contacts"]["held"]) == (0, MANY)
    assert office.contacts() == []


def test_updates_that_a_killed_rollback_restored_stay_so(office: Office) -> None:
    make_many(office, MANY)
    office.sync()
    office.sql("UPDATE clients SET county = 'Kern'")
    office.sync()
    kill(office, "PATCH", "rollback", "--yes", "latest")
    night = office.sync(OPENPHONE_ON_REMOTE_EDIT="overwrite")
    assert (night["contacts"]["updated"], night["contacts"]["held"]) == (0, MANY)
    assert read_counties(office) == ["LA"] * MANY


def test_what_was_taken_back_is_told_in_one_line_and_released_by_one_command(office: Office) -> None:
    make_many(office, 10)
    run = office.sync("--limit", "9")
    stranger = {"firstName": "Person Jason", "phoneNumbers": [{"name": "Cell", "value": "+14155550123"}]}
    office.sandbox.workspace.add({"defaultFields": stranger})
    office.run("rollback", "--yes", "latest")
    shown = office.run("sync").out
    assert f"9 x rolled back: run {run['runId']} was undone" in shown
    assert "client_9: " in shown  # 10 sorts before 2
    assert office.run("review", "separate", "--all", "--evidence", "rollback").code == 0
    report = office.sync()
    assert (report["contacts"]["created"], report["contacts"]["held"]) == (9, 1)


def test_runs_undone_in_any_order_are_written_again_once_released(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    office.sync()
    office.change_client(client_id, county="Kern", phone="213-555-0177")
    earlier = office.sync()["runId"]
    office.change_client(client_id, county="Inyo")
    later = office.sync()["runId"]
    for run_id in (earlier, later):
        assert office.run("rollback", run_id, "--yes").code == 0
    contact = office.contact(f"client_{client_id}")
    assert (set(phones(contact)), office.custom(contact)["County"]) == ({"+12135550134"}, "Kern")
    assert office.run("review", "separate", "--all", "--evidence", "rollback").code == 0
    office.sync()
    contact = office.contact(f"client_{client_id}")
    assert (set(phones(contact)), office.custom(contact)["County"]) == ({"+12135550177"}, "Inyo")


def test_what_staff_typed_over_an_update_outlives_its_rollback_and_release(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    office.sync()
    office.change_client(client_id, county="Kern", phone="213-555-0177")
    office.sync()
    typed = [{"key": office.sandbox.workspace.field_key("County"), "value": "Orange"}]
    office.sandbox.workspace.edit(office.contact(f"client_{client_id}")["id"], {"customFields": typed})
    assert office.run("rollback", "latest", "--yes").code == 0
    assert office.run("review", "separate", "--all", "--evidence", "rollback").code == 0
    report = office.sync()
    contact = office.contact(f"client_{client_id}")
    assert (set(phones(contact)), office.custom(contact)["County"]) == ({"+12135550177"}, "Orange")
    assert report["conflicts"] == []
