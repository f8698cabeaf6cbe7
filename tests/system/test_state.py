"""The state file: kept, brought up to date, and replaceable."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest
import time_machine

from openphone_sync.sandbox.samples import load_samples
from tests.office import JAMES, Office


def test_a_copy_is_kept_each_day_and_the_last_seven_stay(office: Office) -> None:
    office.make_clients(JAMES)
    for day in range(1, 11):
        with time_machine.travel(f"2026-03-{day:02}T02:00:00Z", tick=True):
            office.sync()
            office.sync()
    kept = sorted(path.name for path in (office.state_dir / "backups").iterdir())
    assert kept == [f"state-2026-03-{day:02}.db" for day in range(4, 11)]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (office.state_dir / "backups").iterdir())


@pytest.mark.parametrize("lost", ["state", "state and backups"])
def test_what_is_lost_costs_one_full_run_and_no_duplicate(office: Office, lost: str) -> None:
    load_samples(office.dsn, 10)
    created = office.sync()["contacts"]["created"]
    office.sync()
    before = office.contacts()
    if lost == "state":
        [copy] = (office.state_dir / "backups").iterdir()
        office.sql("UPDATE clients SET county = 'Kern County' WHERE client_name = 'James Smith'")
        office.sync()
        for path in office.state_dir.glob("state.db*"):
            path.unlink()
        shutil.copy(copy, office.state_dir / "state.db")
    else:
        shutil.rmtree(office.state_dir)
    report = office.sync("--mode", "full")
    assert report["contacts"]["created"] == 0
    assert len(office.contacts()) == created == len(before)
    office.requests()
    office.sync("--mode", "full")
    assert office.requests("POST", "PATCH", "DELETE") == []


def test_a_newer_state_is_refused(office: Office) -> None:
    office.make_clients(JAMES)
    office.sync()
    with closing(sqlite3.connect(office.state_dir / "state.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    for command in ("sync", "dry-run", "status"):
        ran = office.run(command)
        assert ran.code == 2
        assert "newer openphone-sync" in ran.err


@pytest.mark.parametrize("command", ["status", "metrics", "problems", "dry-run"])
def test_a_file_in_place_of_the_state_folder_is_named(office: Office, command: str) -> None:
    office.make_clients()
    file = office.folder / "file"
    file.write_text("")
    ran = office.run(command, "--state-dir", str(file))
    assert ran.code == 2
    assert str(file) in ran.err


def test_looking_while_a_first_run_makes_the_file_sees_an_empty_state(office: Office) -> None:
    office.state_dir.mkdir(mode=0o700)
    (office.state_dir / "state.db").write_bytes(b"")
    ran = office.run("status", "--json")
    assert ran.code == 0
    assert ran.json["lastRun"] is None
