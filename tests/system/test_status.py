"""`status` and `metrics`, through the command line."""

import contextlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from openphone_sync.documents import parse_time
from openphone_sync.sandbox import SandboxOptions
from openphone_sync.views.metrics import METRICS_FILE
from tests.fault_injection import Fault, FaultKind, FaultySandbox
from tests.office import JAMES, JAMES_ALONE, Office, make_many, wait_until

ANN = {**JAMES_ALONE, "client_name": "Ann Lee", "phone": "213-555-0177"}


def test_an_empty_state_folder_is_no_error_and_stays_away(office: Office) -> None:
    status = office.run("status", "--json").json
    assert status == {
        "schemaVersion": 1,
        "syncService": {"isInProgress": False},
        "scheduler": {
            "jobId": "openphone-daily-sync",
            "status": "stopped",
            "isEnabled": False,
            "schedule": None,
            "nextRun": None,
        },
        "schedulerMetrics": {"totalRuns": 0, "successfulRuns": 0, "failedRuns": 0},
        "lastRun": None,
        "lastGoodRun": None,
        "reviews": {"open": 0},
        "coverage": None,
    }
    assert office.run("metrics", "--json").json["metrics"]["lastRun"] is None
    assert "none yet" in office.run("status").out
    assert not office.state_dir.exists()


def test_counts_add_up_over_runs(office: Office) -> None:
    (client_id,) = office.make_clients(JAMES)
    office.sync()
    office.change_client(client_id, county="Kern")
    office.sync()
    office.add_client(ANN)
    office.sandbox.faults.add(Fault(FaultKind.STATUS, status=400, method="POST", count=1))
    assert office.run("sync").code == 1
    metrics = office.run("metrics", "--json").json
    assert metrics["metrics"] | {"lastRun": None, "averageDurationSeconds": None} == {
        "totalRuns": 3,
        "successfulRuns": 2,
        "failedRuns": 1,
        "totalContactsCreated": 2,
        "totalContactsUpdated": 1,
        "totalContactsSkipped": 0,
        "totalErrors": 1,
        "averageDurationSeconds": None,
        "lastRun": None,
    }
    assert [run["status"] for run in metrics["runs"]] == ["partial", "succeeded", "succeeded"]
    assert metrics["metrics"]["lastRun"] == metrics["runs"][0]
    assert "errors" not in metrics["runs"][0]
    assert json.loads((office.state_dir / METRICS_FILE).read_text()) == metrics
    assert len(office.run("metrics", "--json", "--last", "1").json["runs"]) == 1
    status = office.run("status", "--json").json
    assert status["schedulerMetrics"] == {"totalRuns": 3, "successfulRuns": 2, "failedRuns": 1}
    assert status["lastRun"]["status"] == "partial"
    good, second = status["lastGoodRun"]["finishedAt"], metrics["runs"][1]["finishedAt"]
    assert 0 <= parse_time(good) - parse_time(second) < 1


@pytest.mark.parametrize("damage", ["cut", "missing"])
def test_metrics_come_from_the_state_and_leave_a_damaged_file_to_the_next_run(office: Office, damage: str) -> None:
    office.make_clients(JAMES)
    office.sync()
    file = office.state_dir / METRICS_FILE
    whole = file.read_text()
    if damage == "missing":
        file.unlink()
    else:
        file.write_text(whole[: len(whole) // 2])
    before = {path: path.read_bytes() for path in office.state_dir.rglob("*") if path.is_file()}
    assert office.run("metrics", "--json").json == json.loads(whole)
    assert {path: path.read_bytes() for path in office.state_dir.rglob("*") if path.is_file()} == before
    office.sync()
    assert json.loads(file.read_text())["metrics"]["totalRuns"] == 2
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_totals_survive_the_erasing_of_old_runs(office: Office) -> None:
    office.make_clients(JAMES)
    first = office.sync()["runId"]
    with_old = office.state_dir / "runs" / f"20200101T000000Z-{first[-6:]}.json"
    (office.state_dir / "runs" / f"{first}.json").rename(with_old)
    note = office.state_dir / "runs" / "note.json"
    note.write_text("{}")
    age_runs(office, 90)
    second = office.sync(OPENPHONE_KEEP_RUNS="30d")["runId"]
    metrics = office.run("metrics", "--json").json
    assert [run["runId"] for run in metrics["runs"]] == [second]
    assert metrics["metrics"]["totalRuns"] == 2
    assert metrics["metrics"]["totalContactsCreated"] == 2
    assert metrics["metrics"]["averageDurationSeconds"] > 0
    assert office.state("SELECT count(*) FROM journal") == [(0,)]
    assert not with_old.exists()
    assert note.exists()
    office.sync(OPENPHONE_KEEP_RUNS="30d")
    assert office.run("metrics", "--json").json["metrics"]["totalRuns"] == 3


def age_runs(office: Office, days: int) -> None:
    with contextlib.closing(sqlite3.connect(office.state_dir / "state.db")) as connection, connection:
        connection.execute("UPDATE runs SET started_at = started_at - ?", (days * 86400,))
        connection.execute("UPDATE journal SET intended_at = intended_at - ?", (days * 86400,))


def test_keeping_nothing_keeps_the_last_run(office: Office) -> None:
    office.make_clients(JAMES)
    run = office.sync(OPENPHONE_KEEP_RUNS="0")["runId"]
    assert office.run("status", "--json").json["lastRun"]["runId"] == run
    assert (office.state_dir / "runs" / f"{run}.json").exists()


def test_max_age_judges_the_last_good_run(office: Office) -> None:
    office.make_clients(JAMES)
    assert office.run("status", "--max-age", "26h").code == 1
    office.sync()
    assert office.run("status", "--max-age", "26h", "-q").code == 0
    assert office.run("sync", OPENPHONE_API_KEY="wrong").code == 3
    assert office.run("status", "--max-age", "26h", "-q").code == 0
    time.sleep(0.05)
    ran = office.run("status", "--max-age", "0.01s", "--json")
    assert ran.code == 1
    assert ran.json["lastGoodRun"]["ageSeconds"] >= 0
    assert "the limit is 0.01s" in ran.err
    assert office.run("status", "--max-age", "soon").code == 2


def test_a_run_in_another_process_is_seen_live(office: Office, tmp_path: Path) -> None:
    make_many(office, 12)
    seen: dict[str, Any] = {}
    with FaultySandbox(SandboxOptions(rate_limit=500)) as slow:
        pace = {
            "OPENPHONE_RATE_LIMIT_SECOND": "5",
            "OPENPHONE_RATE_LIMIT_MINUTE": "300",
            "OPENPHONE_BASE_URL": slow.base_url,
        }
        process = office.start("sync", "--json", **pace)
        try:
            wait_until(lambda: is_in_progress(office, seen))
            assert "sync in progress: " in office.run("status").out
        finally:
            out, _ = process.communicate(timeout=60)
    assert seen["syncService"]["isInProgress"]
    assert seen["scheduler"]["status"] == "running"
    assert seen["syncService"]["progress"]["total"] == 12
    assert 0 < seen["syncService"]["progress"]["etaSeconds"] < 60
    assert json.loads(out)["contacts"]["created"] == 12
    done = office.run("status", "--json").json
    assert not done["syncService"]["isInProgress"]
    assert done["lastRun"]["status"] == "succeeded"


def is_in_progress(office: Office, seen: dict[str, Any]) -> bool:
    """Put what `status` shows into `seen`; tells whether it shows a run that has begun and not ended its work."""
    seen.update(office.run("status", "--json").json)
    progress = seen["syncService"].get("progress", {"processed": 0, "total": 0})
    return bool(0 < progress["processed"] < progress["total"])


def test_a_run_whose_process_died_counts_as_interrupted(office: Office) -> None:
    office.make_clients(JAMES)
    office.sync()
    with contextlib.closing(sqlite3.connect(office.state_dir / "state.db")) as connection, connection:
        connection.execute(
            "INSERT INTO runs (run_id, command, status, started_at) VALUES ('x', 'sync', 'running', ?)", (time.time(),)
        )
    status = office.run("status", "--json").json
    assert not status["syncService"]["isInProgress"]
    assert status["lastRun"]["status"] == "interrupted"
    assert "sync interrupted" in office.run("status").out


def test_the_tables_fit_80_columns(office: Office) -> None:
    office.make_clients(JAMES, ANN)
    office.sync()
    office.sync()
    for command in (["status"], ["metrics"]):
        ran = office.run(*command, COLUMNS="80", TTY_COMPATIBLE="1", NO_COLOR="1")
        assert ran.code == 0
        assert max(map(len, ran.out.splitlines())) <= 80
    assert "█" in office.run("status", TTY_COMPATIBLE="1").out


def test_open_reviews_are_counted(office: Office) -> None:
    office.make_clients(JAMES, JAMES_ALONE)
    held = office.sync()["contacts"]["held"]
    assert held
    assert office.run("status", "--json").json["reviews"]["open"] == held


def test_what_was_taken_back_is_an_open_review_everywhere(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "openphone.prom"
    office.make_clients(JAMES)
    office.sync()
    assert office.run("rollback", "--yes", "latest", OPENPHONE_PROMETHEUS_FILE=str(file)).code == 0
    assert len(office.run("review", "list", "--json").json["reviews"]) == 2
    assert office.run("status", "--json").json["reviews"]["open"] == 2
    for text in (file.read_text(), office.run("metrics", "--format", "prometheus").out):
        assert "openphone_sync_open_reviews 2.0" in text


def test_the_prometheus_file_is_replaced_after_each_run_and_readable(office: Office, tmp_path: Path) -> None:
    office.make_clients(JAMES)
    file = tmp_path / "openphone.prom"
    office.sync(OPENPHONE_PROMETHEUS_FILE=str(file))
    first = file.stat()
    assert stat.S_IMODE(first.st_mode) == 0o644
    assert 'openphone_sync_contacts_total{result="created"} 2.0' in file.read_text()
    assert "_created " not in file.read_text()
    office.sync(OPENPHONE_PROMETHEUS_FILE=str(file))
    assert file.stat().st_ino != first.st_ino
    assert 'openphone_sync_runs_total{result="succeeded"} 2.0' in file.read_text()
    assert office.run("metrics", "--format", "prometheus").out == file.read_text()
    assert [path.name for path in tmp_path.glob("*.p*")] == ["openphone.prom"]


def test_a_prometheus_file_that_cannot_be_written_is_a_warning(office: Office) -> None:
    office.make_clients(JAMES)
    ran = office.run("sync", "-q", OPENPHONE_PROMETHEUS_FILE="/no/such/folder/x.prom")
    assert ran.code == 0
    assert "the metrics cannot be written" in ran.err


def test_a_crontab_program_that_fails_does_not_trouble_status(office: Office, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho you are not allowed to use this program >&2\nexit 1\n")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    assert office.run("status", "--json", PATH=path).json["scheduler"]["status"] == "stopped"
    shown = office.run("schedule", "show", PATH=path)
    assert shown.code == 2
    assert "not allowed" in shown.err


def test_a_full_place_for_stdout_is_one_line(office: Office) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        for command in (["status"], ["status", "--json"]):
            process = subprocess.run(
                [sys.executable, "-m", "openphone_sync", *command],
                env=office.environment,
                cwd=office.folder,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            assert process.returncode == 2
            assert process.stderr.startswith("openphone-sync: stdout cannot be written (No space left on device); ")
