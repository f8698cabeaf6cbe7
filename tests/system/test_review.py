"""Possible duplicates: held with evidence, decided by people, remembered."""

from __future__ import annotations

import csv
import io

import pytest

from tests.office import JAMES, Office, phones

STRANGER = {
    "defaultFields": {"firstName": "Ignatius Vanderbeek", "phoneNumbers": [{"name": "Cell", "value": "+12135550134"}]}
}


def hold_james(office: Office) -> tuple[str, str]:
    """A client whose phone stands on a contact with another name; his id and the contact's."""
    [client_id] = office.make_clients({**JAMES, "contact_1": None, "contact_1_phone": None})
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
    assert "Vanderbeek" not in str(review)
    office.requests()
    assert office.sync()["contacts"]["held"] == 1
    assert office.requests() == []
    assert len(office.contacts()) == 1


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
    (office.state_dir / "state.db-wal").unlink(missing_ok=True)


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


@pytest.mark.parametrize(
    ("text", "word"),
    [
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
        (f"client_{ids[0]}", "the phone is no usable number"),
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
        {"externalId": "client_1", "contactId": "client_2", "score": 1.0, "reason": "same person as client_2"}
    ]
    assert ("client_1", "same person", "client_2") in {
        (one["externalId"], one["kind"], one["other"]) for one in office.run("problems", "--json").json["problems"]
    }


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
    assert contact["decisions"] == [{"candidate": contact_id, "choice": "link"}]
    assert [(one["action"], one["result"]) for one in contact["writes"]] == [("adopt", "done")]
    assert "James Smith" in office.run("explain", client_id).out


@pytest.mark.parametrize("arguments", [["nobody"], ["--phone", "213-555-0000"], ["--phone", "x"], []])
def test_explaining_nobody_is_an_error(office: Office, arguments: list[str]) -> None:
    office.make_clients()
    ran = office.run("explain", *arguments)
    assert ran.code == 2
    assert "Traceback" not in ran.err
