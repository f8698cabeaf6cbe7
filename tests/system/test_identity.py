"""Whose rows these are: the known table on another server, a copy elsewhere, and another office's."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.office import JAMES, Office, make_many

MANY = 12


def move(office: Office, dsn: str, *statements: str) -> dict[str, str]:
    """Copy the office's table to another database and change it there; the setting that leads to it."""
    rows = office.sql("SELECT id, client_name, phone, county FROM clients")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE clients (id int PRIMARY KEY, client_name text, phone text, county text)")
        connection.cursor().executemany("INSERT INTO clients VALUES (%s, %s, %s, %s)", rows)
        for statement in statements:
            connection.execute(statement.encode())
    return {"DATABASE_URL": dsn}


def restore_in_place(office: Office) -> None:
    """As after a restore or an upgrade: the same host, database and table on a server with another identifier."""
    with office.open_state() as state:
        [[text]] = state.execute("SELECT value FROM facts WHERE name = 'database'").fetchall()
        changed = json.dumps(json.loads(text) | {"system": "1"})
        state.execute("UPDATE facts SET value = ? WHERE name = 'database'", (changed,))


def test_a_restore_in_place_is_accepted_and_said_once(office: Office) -> None:
    make_many(office, MANY)
    office.sync()
    restore_in_place(office)
    office.sql("UPDATE clients SET county = 'Kern' WHERE id = 3")
    first = office.sync()
    assert first["contacts"]["updated"] == 1
    assert any("with the same content: 12 of 12 known clients are there" in text for text in first["warnings"])
    assert office.sync()["warnings"] == []


def test_a_moved_table_is_asked_about_once(office: Office, another_dsn: str) -> None:
    make_many(office, MANY)
    office.sync()
    moved = move(office, another_dsn)
    office.requests()
    for command in (["sync"], ["sync", "--force"], ["dry-run"]):
        ran = office.run(*command, **moved)
        assert ran.code == 4
        assert "if you moved it, run openphone-sync sync --accept-source" in ran.err
    assert office.requests("POST", "PATCH", "DELETE") == []
    assert office.sync("--accept-source", **moved)["contacts"]["unchanged"] == MANY
    assert office.sync(**moved)["warnings"] == []
    assert office.run("sync").code == 4


def test_a_table_turned_into_a_query_over_the_same_rows_is_the_same_content(office: Office) -> None:
    make_many(office, MANY)
    office.sync()
    query = "SELECT id, client_name, phone, county, 1 AS more FROM clients"
    assert office.run("sync", OPENPHONE_CLIENT_QUERY=query).code == 4
    report = office.sync("--accept-source", OPENPHONE_CLIENT_QUERY=query)
    assert (report["contacts"]["unchanged"], report["contacts"]["updated"]) == (MANY, 0)


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM clients WHERE id > 2", "UPDATE clients SET client_name = 'Somebody Else'", "DELETE FROM clients"],
    ids=["most are missing", "other people", "empty"],
)
def test_other_content_stops_whatever_is_said(office: Office, another_dsn: str, statement: str) -> None:
    make_many(office, MANY)
    office.sync()
    moved = move(office, another_dsn, statement)
    office.requests()
    ran = office.run("sync", "--accept-source", "--force", **moved)
    assert ran.code == 4
    assert "with other content" in ran.err
    assert office.requests("POST", "PATCH", "DELETE") == []


def test_with_few_clients_nobody_can_tell(office: Office) -> None:
    office.make_clients(JAMES)
    office.sync()
    restore_in_place(office)
    assert "sync --accept-source" in office.run("sync").err
    assert office.sync("--accept-source")["contacts"]["unchanged"] == 2
