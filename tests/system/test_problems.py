"""What the office should fix: names, columns, values and reasons; people who are gone; data warnings."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from openphone_sync.views.problems import explain_phone
from tests.office import JAMES_ALONE, Office


def problems(office: Office, **settings: str) -> list[Any]:
    ran = office.run("problems", "--json", **settings)
    assert ran.code == 0, ran.err
    return list(ran.json["problems"])


def test_before_the_first_sync_nothing_is_known(office: Office) -> None:
    office.make_clients(JAMES_ALONE)
    ran = office.run("problems")
    assert (ran.code, ran.out) == (0, "no sync has run yet; start with openphone-sync dry-run\n")
    assert office.run("problems", "--json").json["notes"] == ["no sync has run yet; start with openphone-sync dry-run"]
    office.sync()
    assert office.run("problems").out == "nothing to fix\n"


def test_a_phone_is_named_with_column_value_and_reason(office: Office) -> None:
    [client_id] = office.make_clients({**JAMES_ALONE, "phone": "213-555-013"})
    office.sync()
    [problem] = problems(office)
    assert (problem["client"], problem["column"], problem["value"]) == ("James Smith", "phone", "213-555-013")
    assert problem["detail"] == "the phone is not a usable number: 9 digits; an American number has 10"
    [row] = csv.DictReader(io.StringIO(office.run("problems", "--format", "csv").out))
    assert (row["client"], row["value"], row["externalId"]) == ("James Smith", "213-555-013", f"client_{client_id}")
    shown = office.run("problems", TTY_COMPATIBLE="1", COLUMNS="120").out
    assert "not synchronised (1)" in shown
    assert "213-555-013" in shown
    assert client_id[:8] in shown


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("213-555-013", "9 digits; an American number has 10"),
        ("213-555-01344", "11 digits; an American number has 10"),
        ("113-555-0134", "no American area code begins with 0 or 1"),
        ("in jail", "there is no digit in it"),
        ("+44 20", "no phone number has these 4 digits"),
        ("213-555-0134", ""),
    ],
)
def test_a_refused_number_is_explained(text: str, why: str) -> None:
    assert explain_phone(text, "US") == why


def test_a_warning_stays_until_the_row_is_fixed(office: Office) -> None:
    [client_id] = office.make_clients({**JAMES_ALONE, "phone": "213-555-0134, 12"})
    for _ in range(2):
        office.sync()  # the second one looks at no row
        [problem] = problems(office)
        assert (problem["kind"], problem["column"], problem["value"]) == ("value", "phone", "213-555-0134, 12")
        assert problem["client"] == "James Smith"
    office.change_client(client_id, phone="213-555-0134")
    office.sync()
    assert problems(office) == []


def test_people_who_are_gone_are_listed_until_acknowledged(office: Office) -> None:
    office.make_clients(JAMES_ALONE)
    ann = office.add_client({"client_name": "Ann Lee", "phone": "213-555-0155"})
    office.sync()
    office.sql("DELETE FROM clients WHERE id::text = %s", ann)
    for _ in range(2):
        office.sync()
        [problem] = problems(office)
        assert (problem["kind"], problem["client"]) == ("gone from source", "Ann Lee")
    assert office.run("problems", "--acknowledge", "nobody").code == 2
    assert office.run("problems", "--acknowledge", ann[:8], "--json").json["acknowledged"] == [f"client_{ann}"]
    assert problems(office) == []
    office.sync("--mode", "full")
    assert problems(office) == []


def test_without_the_database_names_come_from_the_state(office: Office) -> None:
    days = ("2020-01-01", "2024-01-01")
    ids = office.make_clients(*({**JAMES_ALONE, "created_at": day} for day in days))
    office.sync()
    down = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    for settings in ({}, down):
        [problem] = problems(office, **settings)
        assert (problem["kind"], problem["client"], problem["otherName"]) == (
            "same person",
            "James Smith",
            "James Smith",
        )
        assert (problem["externalId"], problem["other"]) == (f"client_{ids[1]}", f"client_{ids[0]}")
    ran = office.run("problems", **down)
    assert ran.code == 0
    assert "the client table could not be read" in ran.err
