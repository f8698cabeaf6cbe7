"""Possible duplicates: held with evidence, decided by people, remembered."""

from __future__ import annotations

import csv
import io
import json
import re
import signal

import pytest

from tests.fault_injection import Fault, FaultKind
from tests.office import JAMES, JAMES_ALONE, Office, emails, make_many, phones

STRANGER = {
    "defaultFields": {"firstName": "Ignatius Vanderbeek", "phoneNumbers": [{"name": "Cell", "value": "+12135550134"}]}
}


def hold_james(office: Office) -> tuple[str, str]:
    """A client whose phone stands on a contact with another name; his id and the contact's."""
    [client_id] = office.make_clients(JAMES_ALONE)
    contact_id = office.sandbox.workspace.add(STRANGER)["id"]
    report = office.sync()
    assert report["contacts"]["held"] == 1
    [held] = report["held"]
    assert held["externalId"] == f"client_{client_id}"
    assert held["contactId"] == contact_id
    return client_id, contact_id


def test_a_held_contact_waits_and_costs_nothing(office: Office) -> None:
    client_id, contact_id = hold_james(office)
    [review] = office.run("review", "list", "--json").json["reviews"]
    assert review["id"] == f"client_{client_id}"
    assert [one["contactId"] for one in review["candidates"]] == [contact_id]
    assert "phone" in review["candidates"][0]["words"]
    (candidate,) = review["candidates"]
    assert (review["person"]["name"], candidate["name"]) == ("James Smith", "Ignatius Vanderbeek")
    assert review["person"]["dateOfBirth"] == "1985-06-15"
    assert candidate["samePhones"] == ["+12135550134"]
    assert candidate["address"] == f"https://my.quo.com/contacts/{contact_id}"
    assert candidate["madeBy"] == "a person in the app"
    office.requests()
    assert office.sync()["contacts"]["held"] == 1
    assert office.requests() == []
    assert len(office.contacts()) == 1
    assert office.run("review", "list", "--json").json["reviews"] == [review]


def test_a_held_contact_is_judged_again_when_the_workspace_turns_out_to_be_needed(office: Office) -> None:
    """Nothing was to be created, as far as the state knew: the linked contact of another client is found gone."""
    client_id, contact_id = hold_james(office)
    ann = office.add_client({"client_name": "Ann Lee", "phone": "213-555-0155"})
    office.sync()
    office.sandbox.workspace.remove(contact_id)
    office.sandbox.workspace.remove(office.contact(f"client_{ann}")["id"])
    office.change_client(ann, county="Kern")
    report = office.sync()
    assert (report["contacts"]["created"], report["contacts"]["held"]) == (2, 0)
    assert office.contact(f"client_{client_id}")["defaultFields"]["firstName"] == "James Smith"


def test_a_list_shows_both_sides_on_a_terminal_and_in_a_pipe(office: Office) -> None:
    client_id, contact_id = hold_james(office)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", office.run("review", "list", TTY_COMPATIBLE="1", COLUMNS="70").out)
    assert f"James Smith is held: same phone, another name\n  {client_id[:8]}\n" in shown
    lines = [line.split() for line in shown.splitlines()]
    assert ["name", "James", "Smith", "Ignatius", "Vanderbeek"] in lines
    assert ["phones", *["=", "(213)", "555-0134"] * 2] in lines
    assert ["born", "15", "June", "1985"] in lines
    assert f"https://my.quo.com/contacts/{contact_id}" in shown
    assert max(map(len, shown.splitlines())) <= 70
    head, row = office.run("review", "list").out.splitlines()
    cells = dict(zip(head.split("\t"), row.split("\t"), strict=True))
    assert (cells["our client"], cells["candidate"]) == ("James Smith", "Ignatius Vanderbeek")
    assert (cells["id"], cells["candidate id"]) == (f"client_{client_id}", contact_id)


def test_a_name_never_reaches_a_terminal_or_a_spreadsheet_as_a_command(office: Office) -> None:
    hold_james(office)
    [contact] = office.contacts()
    office.sandbox.workspace.edit(contact["id"], {"defaultFields": {"firstName": "=1+1\x1b]0;owned\x07\u202e"}})
    office.sync("--mode", "full")
    for settings in ({}, {"TTY_COMPATIBLE": "1"}):
        shown = office.run("review", "list", **settings).out
        assert "=1+1" in shown
        assert not any(bad in shown for bad in ("\x1b]", "\x07", "\u202e"))
    [row] = csv.DictReader(io.StringIO(office.run("review", "list", "--format", "csv").out))
    assert row["candidateName"].startswith("'=1+1")


def test_a_decided_review_is_marked_and_taken_back(office: Office) -> None:
    client_id, contact_id = hold_james(office)
    assert office.run("review", "link", client_id[:8], contact_id[:6]).code == 0
    [review] = office.run("review", "list", "--json").json["reviews"]
    assert review["decided"] == f"link {contact_id}"
    assert office.run("status", "--json").json["reviews"] == {"open": 0}
    assert "decided: link" in office.run("review", "list", TTY_COMPATIBLE="1").out
    assert office.run("review", "separate", "--all", "--json").json["decided"] == []
    undone = office.run("review", "undo", client_id[:8], "--json").json
    assert (undone["undone"], undone["actedOn"]) == (f"client_{client_id}", False)
    assert office.run("status", "--json").json["reviews"] == {"open": 1}
    assert office.sync()["contacts"]["held"] == 1
    assert office.run("review", "undo", client_id).code == 2
    office.run("review", "separate", client_id)
    assert office.run("review", "link", client_id).code == 0  # another decision takes the place of the first
    assert office.sync()["contacts"]["adopted"] == 1
    assert office.run("review", "undo", client_id, "--json").json["actedOn"] is True
    assert office.state("SELECT count(*) FROM cards") == [(0,)]


def test_the_release_of_what_was_rolled_back_is_taken_back(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    office.sync()
    assert office.run("rollback", "--yes", "latest").code == 0
    assert office.run("review", "separate", client_id).code == 0
    assert office.run("review", "undo", client_id).code == 0
    assert office.sync()["contacts"]["held"] == 1
    assert office.contacts() == []


def test_linking_everything_needs_a_yes_and_says_what_it_left(office: Office) -> None:
    client_id, _ = hold_james(office)
    office.sandbox.workspace.add(STRANGER)
    assert office.sync("--mode", "full")["contacts"]["held"] == 1
    ran = office.run("review", "link", "--all")
    assert (ran.code, "add --yes" in ran.err) == (2, True)
    ran = office.run("review", "link", "--all", "--yes")
    assert f"left: James Smith (client_{client_id}): several candidates are equally good" in ran.out
    assert "nothing decided" in ran.out.splitlines()[-1]


def test_integer_ids_are_never_completed(office: Office) -> None:
    office.sql("CREATE TABLE clients (id int PRIMARY KEY, client_name text, phone text)")
    office.sql("INSERT INTO clients VALUES (1234567, 'James Smith', '213-555-0134')")
    office.sandbox.workspace.add(STRANGER)
    office.sync()
    assert office.run("review", "separate", "client_123456").code == 2
    assert office.run("review", "separate", "1234567").code == 0


def test_what_a_run_did_not_come_to_stays_decided(office: Office) -> None:
    make_many(office, 40)
    for number in range(1, 41):
        phone = {"name": "Cell", "value": f"+1213555{number:04}"}
        office.sandbox.workspace.add({"defaultFields": {"firstName": "Ignatius Vanderbeek", "phoneNumbers": [phone]}})
    assert office.sync()["contacts"]["held"] == 40
    office.run("review", "separate", "--all")
    office.sandbox.faults.add(Fault(FaultKind.STATUS, status=400, method="POST", count=1))
    contacts = office.run("sync", "--fail-fast", "--json").json["contacts"]
    assert (contacts["failed"], contacts["left"] > 0) == (1, True)
    reviews = office.run("review", "list", "--json").json["reviews"]
    assert {one["decided"] for one in reviews} <= {"separate"}
    assert all(one["candidates"] for one in reviews)
    assert office.run("status", "--json").json["reviews"] == {"open": 0}
    assert office.sync()["contacts"]["created"] == 40 - contacts["created"]


def test_linking_joins_the_candidate(office: Office) -> None:
    client_id, contact_id = hold_james(office)
    assert office.run("review", "link", f"client_{client_id}", contact_id).code == 0
    report = office.sync()
    assert report["contacts"]["adopted"] == 1
    contact = office.contact(f"client_{client_id}")
    assert contact["id"] == contact_id
    assert contact["defaultFields"]["firstName"] == "Ignatius Vanderbeek"
    assert office.run("review", "list", "--json").json["reviews"] == []
    assert office.sync("--mode", "full")["contacts"]["unchanged"] == 1


def test_separating_makes_a_contact_of_its_own_and_is_remembered(office: Office) -> None:
    client_id, contact_id = hold_james(office)
    assert office.run("review", "separate", f"client_{client_id}").code == 0
    assert office.sync()["contacts"]["created"] == 1
    assert office.contact(f"client_{client_id}")["id"] != contact_id
    stranger = office.sandbox.workspace.contact(contact_id)
    assert stranger is not None
    assert phones(stranger) == {"+12135550134": "Cell"}
    assert office.sync("--mode", "full")["contacts"]["held"] == 0


def test_bulk_decisions_take_what_the_filters_take(office: Office) -> None:
    client_id, _ = hold_james(office)
    assert office.run("review", "link", "--all", "--evidence", "email", "--json").json["decided"] == []
    assert office.run("review", "link", "--all", "--min-score", "0.99", "--json").json["decided"] == []
    assert office.run("review", "link", "--all", "--evidence", "phone", "--json").json["decided"] == [
        f"client_{client_id}"
    ]
    assert office.sync()["contacts"]["adopted"] == 1


def test_decisions_by_csv(office: Office) -> None:
    client_id, contact_id = hold_james(office)
    rows = list(csv.DictReader(io.StringIO(office.run("review", "list", "--format", "csv").out)))
    assert [(row["id"], row["candidate"], row["decision"]) for row in rows] == [(f"client_{client_id}", contact_id, "")]
    file = office.folder / "reviews.csv"
    file.write_text(f"id,candidate,decision\nclient_{client_id},{contact_id},link\n")
    assert office.run("review", "apply", str(file)).code == 0
    assert office.sync()["contacts"]["adopted"] == 1


def test_a_table_may_say_the_same_twice_and_release_what_was_rolled_back(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    office.sync()
    assert office.run("rollback", "--yes", "latest").code == 0
    file = office.folder / "reviews.csv"
    file.write_text(f"id,candidate,decision\nclient_{client_id},,separate\nclient_{client_id},,separate\n")
    assert office.run("review", "apply", str(file), "--json").json["decided"] == [f"client_{client_id}"]
    assert office.sync()["contacts"]["created"] == 1


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("id,candidate,decision\n{id},{contact}," + "x" * 131_073, "field larger than field limit"),
        ("id,decision\nx,link\n", "candidate"),
        ("id,candidate,decision\nclient_nobody,c,link\n", "line 2"),
        ("id,candidate,decision\n{id},{contact},perhaps\n", "line 2"),
        ("id,candidate,decision\n{id},{contact},link\n{id},{contact},separate\n", "line 3"),
        ("id,candidate,decision\n{id},not-a-candidate,link\n", "not-a-candidate"),
    ],
)
def test_a_bad_table_decides_nothing(office: Office, text: str, word: str) -> None:
    client_id, contact_id = hold_james(office)
    file = office.folder / "reviews.csv"
    file.write_text(text.format(id=f"client_{client_id}", contact=contact_id))
    ran = office.run("review", "apply", str(file))
    assert ran.code == 2
    assert word in ran.err
    assert office.state("SELECT count(*) FROM decisions") == [(0,)]


def test_a_link_stands_beside_the_other_candidates_marked_as_separate(office: Office) -> None:
    client_id, contact_id = hold_james(office)
    other = office.sandbox.workspace.add(STRANGER)["id"]
    office.sync("--mode", "full")
    file = office.folder / "reviews.csv"
    for order in ("separate", "link"), ("link", "separate"):
        pairs = [f"client_{client_id},{one},{word}" for one, word in zip((other, contact_id), order, strict=True)]
        file.write_text("\n".join(("id,candidate,decision", *pairs)))
        assert office.run("review", "apply", str(file)).code == 0
    file.write_text("\n".join(("id,candidate,decision", *(one.replace("separate", "link") for one in pairs))))
    assert "is decided twice" in office.run("review", "apply", str(file)).err
    [review] = office.run("review", "list", "--json").json["reviews"]
    assert review["decided"] == f"link {other}"


def test_a_list_takes_all_and_json_at_either_place(office: Office) -> None:
    client_id, _ = hold_james(office)
    for arguments in (["list", "--all", "--json"], ["--json", "list"], ["--json"], ["--json", "list", "--all"]):
        (one,) = office.run("review", *arguments).json["reviews"]
        assert one["id"] == f"client_{client_id}"
    assert office.run("review", "--json", "separate", f"client_{client_id}").json["decided"] == [f"client_{client_id}"]


def test_unknown_ids_are_named(office: Office) -> None:
    client_id, _ = hold_james(office)
    for arguments in (
        ["link", "client_nobody", "x"],
        ["separate", "client_nobody"],
        ["link", f"client_{client_id}", "x"],
    ):
        ran = office.run("review", *arguments)
        assert ran.code == 2
        assert arguments[-1] in ran.err or arguments[1] in ran.err
    assert office.run("review", "link").code == 2
    assert office.run("review", "apply", "nowhere.csv").code == 2


def test_policies_decide_without_asking(office: Office) -> None:
    hold_james(office)
    report = office.run("dry-run", "--json", OPENPHONE_ON_POSSIBLE_DUPLICATE="create").json
    assert report["contacts"]["created"] == 1
    assert report["contacts"]["held"] == 0


def test_a_changed_row_is_judged_again(office: Office) -> None:
    client_id, _ = hold_james(office)
    office.change_client(client_id, phone="213-555-0177")
    assert office.sync()["contacts"]["created"] == 1
    assert office.run("review", "list", "--json").json["reviews"] == []


def test_problems_name_what_the_office_should_mend(office: Office) -> None:
    ids = office.make_clients({**JAMES, "phone": "in jail"}, {"client_name": " ", "phone": "213-555-0155"})
    office.sync()
    found = office.run("problems", "--json").json["problems"]
    assert {(one["externalId"], one["detail"]) for one in found} == {
        (f"client_{ids[0]}", "the phone is not a usable number: there is no digit in it"),
        (f"client_{ids[1]}", "the client has no name"),
    }
    table = list(csv.DictReader(io.StringIO(office.run("problems", "--format", "csv").out)))
    assert len(table) == 2
    assert "the client has no name" in office.run("problems").out


def test_two_rows_for_one_person_are_held_and_named(office: Office) -> None:
    office.sql("CREATE TABLE clients (id int PRIMARY KEY, client_name text, phone text, created_at timestamptz)")
    office.sql(
        "INSERT INTO clients VALUES (1, 'James Smith', '213-555-0134', '2026-02-01'),"
        " (2, 'Smith, James', '2135550134', '2025-02-01')"
    )
    report = office.sync()
    assert report["contacts"]["created"] == 1
    assert report["held"] == [
        {
            "externalId": "client_1",
            "contactId": None,
            "score": 1.0,
            "reason": "same person as client_2",
            "code": "same_person",
        }
    ]
    assert ("client_1", "same person", "client_2") in {
        (one["externalId"], one["kind"], one["other"]) for one in office.run("problems", "--json").json["problems"]
    }


def test_a_new_row_for_somebody_whose_own_row_is_skipped_is_held(office: Office) -> None:
    [james] = office.make_clients(JAMES_ALONE)
    phones = [{"name": "Cell", "value": "+12135550134"}]
    office.sandbox.workspace.add(
        {"defaultFields": {"firstName": "James Smith", "phoneNumbers": phones}}, source="openphone-clio"
    )
    assert office.sync()["contacts"]["skipped"] == 1
    [again] = office.make_clients(JAMES_ALONE)
    for mode in ("incremental", "full"):
        [held] = office.sync("--mode", mode)["held"]
        assert (held["externalId"], held["reason"]) == (f"client_{again}", f"same person as client_{james}")


def enter_twice(office: Office) -> tuple[str, str]:
    """One person in two rows, synchronised, and an e-mail that staff typed; the ids, the older one first."""
    ids = office.make_clients(*({**JAMES_ALONE, "created_at": day} for day in ("2020-01-01", "2024-01-01")))
    assert office.sync()["contacts"]["held"] == 1
    contact = office.contact(f"client_{ids[0]}")
    office.sandbox.workspace.edit(contact["id"], {"defaultFields": {"emails": [{"name": "Home", "value": "j@x.org"}]}})
    return ids[0], ids[1]


@pytest.mark.parametrize("policy", ["keep", "delete"])
def test_the_row_that_was_held_has_the_contact_once_the_other_is_cleaned_up(office: Office, policy: str) -> None:
    older, _ = enter_twice(office)
    office.sql("DELETE FROM clients WHERE id::text = %s", older)
    report = office.sync(OPENPHONE_ON_REMOVED=policy)
    assert (report["contacts"]["adopted"], report["contacts"]["held"], report["orphans"]) == (1, 0, [])
    assert [emails(contact) for contact in office.contacts()] == [{"j@x.org": "Home"}]
    assert office.sync("--mode", "full", OPENPHONE_ON_REMOVED=policy)["contacts"]["unchanged"] == 1


def test_a_row_that_was_decided_to_be_another_has_the_contact_once_that_is_cleaned_up(office: Office) -> None:
    older, newer = enter_twice(office)
    assert office.run("review", "link", f"client_{newer}").code == 0
    assert office.sync()["contacts"]["skipped"] == 1
    office.sql("DELETE FROM clients WHERE id::text = %s", older)
    assert office.sync(OPENPHONE_ON_REMOVED="delete")["contacts"]["deleted"] == 0
    assert office.sync("--mode", "full", OPENPHONE_ON_REMOVED="delete")["contacts"]["adopted"] == 1
    assert [emails(contact) for contact in office.contacts()] == [{"j@x.org": "Home"}]


def test_a_contact_that_a_review_offers_is_deleted_only_once_it_is_decided(office: Office) -> None:
    deleting = {"OPENPHONE_ON_REMOVED": "delete"}
    office.make_clients(JAMES_ALONE)
    office.sync()
    office.sql("DELETE FROM clients")
    names = ("James Allan Smith", "James Brian Smith")
    ids = [office.add_client({**JAMES_ALONE, "client_name": name, "date_of_birth": None}) for name in names]
    report = office.sync(**deleting)
    [contact] = office.contacts()
    assert [one["contactId"] for one in report["held"]] == [contact["id"]] * 2
    office.requests()
    office.sync(**deleting)
    assert office.requests() == []
    for client_id in ids:
        assert office.run("review", "separate", f"client_{client_id}").code == 0
    assert office.sync(**deleting)["contacts"]["created"] == 2
    assert office.sync(**deleting)["contacts"]["deleted"] == 1
    assert len(office.contacts()) == 2


def test_explain_tells_a_clients_story(office: Office) -> None:
    client_id, contact_id = hold_james(office)
    document = office.run("explain", client_id, "--json").json
    [contact] = document["contacts"]
    assert contact["standing"] == "held"
    assert contact["wanted"]["firstName"] == "James Smith"
    assert [one["subject"] for one in contact["candidates"]] == [contact_id]
    office.run("review", "link", f"client_{client_id}", contact_id)
    office.sync()
    [contact] = office.run("explain", "--phone", "(213) 555-0134", "--json").json["contacts"]
    assert contact["contactId"] == contact_id
    [decision] = contact["decisions"]
    assert (decision["candidate"], decision["name"], decision["choice"]) == (contact_id, "", "link")
    assert contact["openPhone"]["phones"] == ["+12135550134"]
    assert [(one["action"], one["result"]) for one in contact["writes"]] == [("adopt", "done")]
    shown = office.run("explain", client_id).out
    assert "James Smith" in shown
    assert "County: Los Angeles County" in shown


def test_a_phone_explains_clients_that_were_never_written_too(office: Office) -> None:
    client_id, _ = hold_james(office)
    nameless = office.add_client({"client_name": " ", "contact_2_phone": "213-555-0155"})
    for phone, found in (("(213) 555-0134", client_id), ("213 555 0155", nameless)):
        assert office.run("explain", "--phone", phone, "--json").json["clientId"] == found
    office.add_client({"client_name": "Ann Lee", "phone": "+1 213 555 0155"})
    ran = office.run("explain", "--phone", "213 555 0155")
    assert ran.code == 2
    assert nameless in ran.err


def test_a_signal_ends_explaining(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sandbox.faults.add(Fault(FaultKind.HANG, path="/v1/contact-custom-fields", committed=True))
    program = office.start("explain", client_id, "--json")
    while not office.sandbox.requests:
        assert program.poll() is None
    program.send_signal(signal.SIGINT)
    out, _ = program.communicate(timeout=30)
    assert (program.returncode, json.loads(out)["exitCode"]) == (130, 130)


@pytest.mark.parametrize("arguments", [["nobody"], ["--phone", "213-555-0000"], ["--phone", "x"], []])
def test_explaining_nobody_is_an_error(office: Office, arguments: list[str]) -> None:
    office.make_clients()
    ran = office.run("explain", *arguments)
    assert ran.code == 2
    assert "Traceback" not in ran.err


def test_many_held_each_for_a_reason_of_its_own_do_not_flood_the_terminal(office: Office) -> None:
    make_many(office, 30)
    office.sql("INSERT INTO clients SELECT id + 100, client_name, phone, county FROM clients")
    shown = office.run("sync").out
    assert "held (30)" in shown
    assert shown.count("same person as") == 20
    assert "and 10 more in the report" in shown
