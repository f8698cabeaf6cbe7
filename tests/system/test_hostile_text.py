"""Ids and names that hold orders to a terminal: no command prints them as they are, on stdout, stderr or in the log."""

from __future__ import annotations

import csv
import io
import re

import pytest

from openphone_sync.documents import escape_text
from tests.office import Office

EVIL = "=2\x1b]0;owned\x07\x1b[31m\u202e\u200b\x9b2J"
COMMANDS = (
    ("dry-run",),
    ("sync", "-v"),
    ("problems",),
    ("explain", EVIL),
    ("review", "list"),
    ("runs", "show", "latest"),
    ("status",),
    ("metrics",),
)


@pytest.fixture
def hostile(office: Office) -> Office:
    """A client whose id, name and county are hostile, with a phone that is not one and an alternate that is held."""
    office.sql(
        "CREATE TABLE clients (id text PRIMARY KEY, client_name text, phone text, county text, contact_1 text, "
        "relationship_1 text, contact_1_phone text)"
    )
    phone = "213-555-0134"
    office.sql("INSERT INTO clients VALUES (%s, %s, %s, %s, %s, %s, %s)", EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, phone)
    fields = {"firstName": f"Somebody {EVIL}", "phoneNumbers": [{"name": EVIL, "value": "+12135550134"}]}
    office.sandbox.workspace.add({"defaultFields": fields})
    return office


def test_no_command_prints_orders_to_the_terminal(hostile: Office) -> None:
    for command in COMMANDS:
        for arguments in (command, (*command, "--json")):
            ran = hostile.run(*arguments)
            assert ran.code in (0, 1), (arguments, ran.err)
            for line in re.split("[\\n\\t]", ran.out + ran.err):
                assert escape_text(line) == line, arguments
    log = (hostile.state_dir / "openphone-sync.log").read_text()
    for line in log.split("\n"):
        assert escape_text(line) == line


@pytest.mark.parametrize("command", ["problems", "review list"])
def test_no_table_holds_a_formula(hostile: Office, command: str) -> None:
    hostile.run("sync")
    ran = hostile.run(*command.split(), "--format", "csv")
    rows = list(csv.reader(io.StringIO(ran.out)))
    assert len(rows) > 1
    assert any(EVIL in cell for row in rows for cell in row)
    for cell in (cell for row in rows[1:] for cell in row):
        assert not cell.startswith(("=", "+", "-", "@")) or cell.lstrip("-").replace(".", "").isdigit()
