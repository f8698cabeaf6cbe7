"""``dry-run``: the same plan, and nothing written."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tests.office import JAMES, Office, make_many

EXEMPT = {"pacing.db", "pacing.db-journal"}


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file below a folder with a hash of its bytes; pacing and log are exempt."""
    files = (path for path in folder.rglob("*") if path.is_file())
    found = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return {name: mark for name, mark in found.items() if name not in EXEMPT and not name.endswith(".log")}


def test_dry_run_writes_nothing_to_openphone_state_or_metrics(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    office.change_client(client_id, county="Kern County", contact_2="Ann", contact_2_phone="213-555-0166")
    before, contacts = fingerprint(office.state_dir), office.contacts()
    office.requests()
    ran = office.run("dry-run", "--json")
    assert ran.code == 0
    assert {method for method, _ in office.requests()} == {"GET"}
    assert office.contacts() == contacts
    assert fingerprint(office.state_dir) == before
    assert "state.db" in before
    assert "sync_metrics_openphone-daily-sync.json" in before


def test_dry_run_before_the_first_sync_makes_no_state(office: Office) -> None:
    office.make_clients(JAMES)
    assert office.run("dry-run").code == 0
    assert fingerprint(office.state_dir) == {}


def test_dry_run_tells_what_sync_then_does(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    planned = office.run("dry-run", "--json").json
    assert planned["dryRun"] is True
    assert planned["contacts"]["created"] == 2
    assert [action["action"] for action in planned["actions"]] == ["create", "create"]
    assert office.sync()["contacts"] == planned["contacts"]
    office.change_client(client_id, county="Kern County")
    [changed] = [one for one in office.run("dry-run", "--json").json["actions"] if one["changes"]]
    assert changed["action"] == "update"
    assert changed["externalId"] == f"client_{client_id}"
    assert changed["contactId"] == office.contact(f"client_{client_id}")["id"]
    assert changed["changes"] == [
        {"field": "customFields.County", "before": "Los Angeles County", "after": "Kern County"}
    ]


def test_sync_with_the_option_is_the_same(office: Office) -> None:
    office.make_clients(JAMES)
    ran = office.run("sync", "--dry-run", "--json")
    assert ran.json["dryRun"] is True
    assert office.contacts() == []


def test_the_table_shows_fields_before_and_after(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    office.change_client(client_id, county="Kern County")
    shown = office.run("dry-run", "--details").out
    for text in ("James Smith", f"client_{client_id}", "County: Los Angeles County -> Kern County"):
        assert text in shown
    office.sync()
    writes = office.run("runs", "show", "latest").out
    assert "James Smith" in writes
    assert "Los Angeles County -> Kern County" in writes


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_lists_the_first_of_each_action_and_fits(office: Office, width: int) -> None:
    make_many(office, 30)
    terminal = {"TTY_COMPATIBLE": "1", "NO_COLOR": "1", "COLUMNS": str(width)}
    shown = re.sub(r"\x1b\[[0-9;]*m", "", office.run("dry-run", **terminal).out)
    assert max(map(len, shown.splitlines())) <= width
    assert shown.count("+ ") == 20
    assert "and 10 more" in shown
    assert office.run("dry-run", "--all", **terminal).out.count("+ ") == 30
    piped = office.run("dry-run").out.splitlines()
    assert len([line for line in piped if line.startswith("+\tPerson ")]) == 30


def test_pending_changes_have_an_exit_code_of_their_own(office: Office) -> None:
    office.make_clients(JAMES)
    assert office.run("dry-run", "--detailed-exitcode").code == 6
    office.sync()
    assert office.run("dry-run", "--detailed-exitcode").code == 0


def test_quiet_says_nothing(office: Office) -> None:
    office.make_clients(JAMES)
    for arguments in (("dry-run", "--quiet"), ("--quiet", "dry-run"), ("sync", "-q")):
        ran = office.run(*arguments)
        assert (ran.code, ran.out, ran.err) == (0, "", "")
