"""The tool from Python: the same runs, with the same guarantees as on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Event, Timer

import pytest

import openphone_sync
from openphone_sync import ConfigurationError, LockedError, Settings, SyncOptions, dry_run, load_settings, sync
from openphone_sync.ops.lock import run_lock
from openphone_sync.sandbox.samples import load_samples
from tests.office import JAMES, Office


def settings_of(office: Office) -> Settings:
    return load_settings(office.environment)


def test_a_sync_from_python_is_the_command_lines(office: Office) -> None:
    office.make_clients(JAMES)
    report = sync(settings_of(office))
    assert (report.status, report.exit_code) == ("succeeded", 0)
    assert report.document["contacts"]["created"] == 2
    assert (office.state_dir / "runs" / f"{report.run_id}.json").exists()
    assert office.run("status", "--json").json["lastRun"]["runId"] == report.run_id
    office.requests()
    assert office.sync()["contacts"]["unchanged"] == 2
    assert office.requests() == []


def test_settings_default_to_those_of_the_environment(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.make_clients(JAMES)
    for name in [name for name in os.environ if name.startswith(("OPENPHONE_", "DATABASE_URL"))]:
        monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError, match=r"OPENPHONE_API_KEY(.|\n)*DATABASE_URL"):
        sync()
    for name, value in office.environment.items():
        monkeypatch.setenv(name, value)
    assert sync(options=SyncOptions(limit=1)).document["contacts"]["created"] == 2


def test_a_dry_run_writes_nothing_but_the_plan_that_a_sync_carries_out(office: Office) -> None:
    office.make_clients(JAMES)
    plan = office.folder / "plan.json"
    shown = dry_run(settings_of(office), out=plan)
    assert [one["action"] for one in shown.document["actions"]] == ["create", "create"]
    assert office.requests("POST", "PATCH", "DELETE") == []
    assert office.contacts() == []
    office.change_client(office.sql("SELECT id::text FROM clients")[0][0], county="Kern")
    moved = sync(settings_of(office), plan=plan)
    assert (moved.status, moved.exit_code) == ("stopped", 4)
    assert office.contacts() == []


def test_the_lock_holds_against_programs_too(office: Office) -> None:
    office.make_clients(JAMES)
    with run_lock(office.state_dir), pytest.raises(LockedError):
        sync(settings_of(office))
    assert office.requests() == []


def test_the_event_ends_a_run_in_order(office: Office) -> None:
    load_samples(office.dsn, 60)
    office.environment["OPENPHONE_RATE_LIMIT_SECOND"] = "50"
    stop = Event()
    timer = Timer(1.0, stop.set)
    timer.start()
    report = sync(settings_of(office), stop=stop)
    timer.join()
    assert (report.status, report.exit_code) == ("interrupted", 143)
    created = report.document["contacts"]["created"]
    assert 0 < created == len(office.contacts())
    office.requests()
    office.sync()
    names = [contact["externalId"] for contact in office.contacts()]
    assert len(names) == len(set(names)) > created


def test_what_is_offered_can_be_imported_and_costs_nothing_until_then(tmp_path: Path) -> None:
    for name in openphone_sync.__all__:
        assert getattr(openphone_sync, name).__doc__
    with pytest.raises(AttributeError, match="no_such_thing"):
        openphone_sync.no_such_thing  # noqa: B018
    code = "import sys, openphone_sync; print({'httpx', 'psycopg', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "set()"
