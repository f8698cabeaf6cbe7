"""The scene that every fault strikes: rows, contacts that staff typed, a night of edits on both sides; the same each time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from tests.office import Office

GIVEN = (
    "James", "Mary", "Robert", "Linda", "Michael", "Susan", "David", "Karen", "Richard", "Nancy", "Joseph", "Sandra",
    "Thomas", "Ashley", "Charles", "Donna", "Daniel", "Emily", "Matthew", "Carol", "Anthony", "Amanda", "Mark",
    "Melissa", "Steven", "Dorothy", "Andrew", "Sharon", "Kenneth", "Laura", "Joshua", "Cynthia", "Kevin", "Amy",
    "Brian", "Kathleen", "George", "Angela", "Edward", "Ruth",
)  # fmt: skip
SURNAMES = (
    "Abbott", "Becker", "Calloway", "Dalton", "Ellery", "Foster", "Gallagher", "Hutchins", "Ingram", "Jarvis",
    "Kowalski", "Lindqvist", "Marchetti", "Novak", "Okafor", "Petrov", "Quigley", "Rosenthal", "Sandoval",
    "Thackeray", "Underhill", "Vasquez", "Whitlock", "Yamada", "Zimmer",
)  # fmt: skip
RELATIONSHIPS = ("Brother", "Mother", "Cousin")
COUNTIES = ("Los Angeles County", "Kern County", "Orange County")
ROWS = 14
STRANGERS = 110
"""Contacts of others, so that a list has three pages."""

_DDL = (
    "CREATE TABLE clients (id int PRIMARY KEY, client_name text, client_type text, phone text, county text,"
    " contact_1 text, relationship_1 text, contact_1_phone text)"
)
_INSERT = "INSERT INTO clients VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"


def make_row(number: int) -> tuple[Any, ...]:
    """Row ``number`` (from 1): no two have a name or a phone in common."""
    surname = SURNAMES[(number + number // len(GIVEN)) % len(SURNAMES)]
    return (
        number,
        f"{GIVEN[number % len(GIVEN)]} {surname}",
        ("criminal", "civil")[number % 2],
        f"213-555-{number:04}",
        COUNTIES[number % 3],
        f"{GIVEN[(number + 7) % len(GIVEN)]} {surname}",
        RELATIONSHIPS[number % 3],
        f"310-555-{number:04}",
    )


def fill_office(office: Office, rows: int = ROWS) -> None:
    """The table, and what staff and the predecessor had in the phone app before the first run."""
    office.sql("DROP TABLE IF EXISTS clients")
    office.sql(_DDL)
    office.insert_many(_INSERT, [make_row(number) for number in range(1, rows + 1)])
    add, key = office.sandbox.workspace.add, office.sandbox.workspace.field_key
    name = str(make_row(1)[1]).split()[0]
    cell = {"name": "Cell", "value": "+12135550001"}
    wife = {"name": "Wife", "value": "+14155550101"}
    add(
        {
            "defaultFields": {
                "firstName": name,
                "phoneNumbers": [cell, wife],
                "emails": [{"name": "Home", "value": "j@example.org"}],
            },
            "customFields": [{"key": key("Notes"), "value": "calls late"}],
        }
    )
    old = {"firstName": make_row(2)[1], "company": "Legal Client", "role": "Civil Client"}
    phone = {"name": "Main Phone", "value": "+12135550002"}
    add({"externalId": "client_2", "defaultFields": {**old, "phoneNumbers": [phone]}}, source="legal-practitioner-app")
    # The newest contact heads the list: what a list leaves out cannot be joined, so it is a stranger.
    add({"defaultFields": {"firstName": "Pizza", "phoneNumbers": [{"name": "Main", "value": "+14155550199"}]}})


def edit_both_sides(office: Office, rows: int = ROWS) -> None:
    """What happens in a day: rows change, come and go, while staff edit the same contacts and others."""
    _edit_rows(office, rows)
    edit_as_staff(office)


def _edit_rows(office: Office, rows: int) -> None:
    for number in range(1, max(rows * 6 // 10, 13)):
        statement = (
            "phone = '424-555-' || lpad(id::text, 4, '0')",
            "county = 'Ventura County'",
            "client_type = CASE client_type WHEN 'civil' THEN 'criminal' ELSE 'civil' END",
            "relationship_1 = 'Aunt'",
            "contact_1_phone = '626-555-' || lpad(id::text, 4, '0')",
            "client_name = client_name || ' Jr.'",
        )[number % 6]
        office.sql(f"UPDATE clients SET {statement} WHERE id = {number}")
    office.sql("UPDATE clients SET contact_1 = NULL, relationship_1 = NULL, contact_1_phone = NULL WHERE id = 7")
    office.sql(f"DELETE FROM clients WHERE id = {rows}")
    office.insert_many(_INSERT, [make_row(number) for number in range(rows + 1, rows + 4)])


def edit_as_staff(office: Office) -> None:
    """Edits on contacts whose rows change, too, and on others."""
    workspace = office.sandbox.workspace
    for external_id, changes in staff_edits(workspace.field_key("Notes"), workspace.field_key("County")):
        workspace.edit(office.contact(external_id)["id"], changes)


def staff_edits(notes: str, county: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """External id and what staff change there."""
    yield "client_1", {"customFields": [{"key": notes, "value": "prefers texts"}]}
    yield "client_3", {"defaultFields": {"lastName": "(new number)"}}
    yield "client_4_alt_1", {"defaultFields": {"phoneNumbers": [{"name": "Work", "value": "+14155550104"}]}}
    yield "client_5", {"defaultFields": {"emails": [{"name": "Home", "value": "five@example.org"}]}}
    yield "client_6", {"defaultFields": {"phoneNumbers": [{"name": "Wife", "value": "+14155550106"}]}}
    yield "client_8", {"customFields": [{"key": county, "value": "Inyo County"}]}
    yield "client_13", {"defaultFields": {"role": "Witness"}}
    yield "client_13_alt_1", {"defaultFields": {"phoneNumbers": [{"name": "Desk", "value": "+14155550113"}]}}


def wait_for_lists(office: Office) -> None:
    """Until lists show what was written."""
    time.sleep(office.sandbox.options.lag_s)
