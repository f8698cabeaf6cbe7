"""The state file: kept, brought up to date, and replaceable."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import closing

import pytest
import time_machine

from openphone_sync.sandbox.samples import load_samples
from openphone_sync.state.migrations import CURRENT_VERSION
from tests.office import JAMES, Office, make_many


def test_a_copy_is_kept_each_day_and_the_last_seven_stay(office: Office) -> None:
    office.make_clients(JAMES)
    copies = office.state_dir / "backups"
    copies.mkdir(parents=True, mode=0o700)
    (copies / "state-version-0.db").touch(0o600)  # as a migration leaves it
    for day in range(1, 11):
        with time_machine.travel(f"2026-03-{day:02}T02:00:00Z", tick=True):
            office.sync()  # changes nothing: keeps no copy
            office.sql(f"UPDATE clients SET county = 'Kern {day}'")
            office.sync()
    kept = sorted(path.name for path in copies.iterdir())
    assert kept == [f"state-2026-03-{day:02}.db" for day in range(4, 11)]
    assert all(path.stat().st_mode & 0o077 == 0 for path in copies.iterdir())


def test_a_copy_that_is_put_back_costs_one_full_run_and_no_duplicate(office: Office) -> None:
    load_samples(office.dsn, 10)
    created = office.sync()["contacts"]["created"]
    office.sql("UPDATE clients SET county = 'Kern County' WHERE client_name = 'James Smith'")
    office.sync()
    [copy] = (office.state_dir / "backups").iterdir()
    for path in office.state_dir.glob("state.db*"):
        path.unlink()
    shutil.copy(copy, office.state_dir / "state.db")
    assert office.sync("--mode", "full")["contacts"]["created"] == 0
    assert len(office.contacts()) == created
    office.requests()
    office.sync("--mode", "full")
    assert office.requests("POST", "PATCH", "DELETE") == []


@pytest.mark.parametrize("column", ["base", "standing", "reason"])
@pytest.mark.parametrize("value", ["{damaged", b"\xff\xfe", "[]", -1])
def test_a_damaged_row_is_named_and_is_no_bug(office: Office, column: str, value: object) -> None:
    load_samples(office.dsn, 3)
    office.sync()
    with closing(office.open_state()) as state, state:
        state.execute(f"UPDATE links SET {column} = ?", (value,))
    [(client_id,), *_] = office.state("SELECT client_id FROM links")
    office.requests()
    for command in (("sync", "--mode", "full"), ("explain", client_id)):
        ran = office.run(*command)
        assert ran.code == 2, ran.err
        assert "the state file is damaged: the row of client_" in ran.err
        assert "backups" in ran.err
    assert office.requests("POST", "PATCH", "DELETE") == []


def test_a_state_lost_for_good_costs_one_full_run_and_no_write(office: Office) -> None:
    load_samples(office.dsn, 10)
    created = office.sync()["contacts"]["created"]
    shutil.rmtree(office.state_dir)
    office.requests()
    assert office.sync()["contacts"]["adopted"] == created
    assert office.requests("POST", "PATCH", "DELETE") == []


@pytest.mark.parametrize("command", ["sync", "dry-run"])
def test_an_empty_state_beside_its_copies_stops_until_one_is_put_back(office: Office, command: str) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    office.change_client(client_id, county="Kern")
    office.sync()
    (office.state_dir / "state.db").unlink()
    office.requests()
    for _ in range(2):
        ran = office.run(command)
        assert ran.code == 4
    assert office.requests("POST", "PATCH", "DELETE") == []
    line = ran.err.split("put the latest back with ")[1].split(", or ")[0]
    subprocess.run(line.split(), check=True)
    assert office.sync()["contacts"]["failed"] == 0


def test_an_empty_state_beside_reports_of_runs_that_wrote_stops(office: Office) -> None:
    office.make_clients(JAMES)
    office.sync()
    (office.state_dir / "state.db").unlink()
    ran = office.run("sync")
    assert ran.code == 4
    assert "reports of runs that wrote contacts" in ran.err
    shutil.rmtree(office.state_dir / "runs")
    assert office.sync()["contacts"]["adopted"] == 2


def test_a_newer_state_is_refused(office: Office) -> None:
    office.make_clients(JAMES)
    office.sync()
    with closing(office.open_state()) as state:
        state.execute("PRAGMA user_version = 99")
    office.requests()
    for command in ("sync", "dry-run", "status"):
        ran = office.run(command)
        assert ran.code == 2
        assert "was made by a newer openphone-sync (state version 99" in ran.err
    assert office.requests() == []


def test_a_downgrade_is_told_how_to_put_the_copy_of_before_the_upgrade_back(office: Office) -> None:
    office.make_clients(JAMES)
    office.sync()
    (office.state_dir / "backups").mkdir(exist_ok=True)
    shutil.copy(office.state_dir / "state.db", office.state_dir / "backups" / f"state-version-{CURRENT_VERSION}.db")
    with closing(office.open_state()) as state:
        state.execute("PRAGMA user_version = 99")
    line = office.run("status").err.partition("to stay with this one run ")[2]
    subprocess.run(line, shell=True, check=True)
    contacts = office.contacts()
    assert office.sync("--mode", "full")["contacts"]["unchanged"] == len(contacts)
    assert office.contacts() == contacts


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


def test_a_state_that_fails_in_mid_run_ends_it_and_the_report_tells_what_was_written(office: Office) -> None:
    make_many(office, 60)
    office.sync("--limit", "1")
    with closing(office.open_state()) as state, state:
        state.execute(
            "CREATE TRIGGER full BEFORE UPDATE OF processed ON runs WHEN new.processed > 0 "
            "BEGIN SELECT RAISE(FAIL, 'planted'); END"
        )
    ran = office.run("sync", "--json")
    assert ran.code == 2
    assert "state.db" in ran.err
    assert ran.json["contacts"]["created"] == len(office.contacts()) - 1 > 0
    with closing(office.open_state()) as state, state:
        state.execute("DROP TRIGGER full")
    office.sync()
    assert len({one["externalId"] for one in office.contacts()}) == len(office.contacts()) == 60
