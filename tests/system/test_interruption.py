"""Runs that are ended from outside, or that the world is taken away from: nothing is lost, and the next run completes."""

from __future__ import annotations

import errno
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from subprocess import Popen

import psycopg
import pytest

from openphone_sync.cli.exit import run_to_exit_code
from openphone_sync.sandbox import EmbeddedPostgres
from tests.fault_injection import FaultySandbox, parse_fault
from tests.office import JAMES_ALONE, Office, make_many, wait_until

MANY = 60
LIMIT_S = 60
"""No command of these tests takes as long, unless it hangs."""

PACED = {"OPENPHONE_RATE_LIMIT_SECOND": "20"}
"""Slow enough to be caught at work."""


def break_with(office: Office, *faults: str) -> None:
    for fault in faults:
        office.sandbox.faults.add(parse_fault(fault))


def count_posts(office: Office) -> int:
    return sum(one.method == "POST" for one in office.sandbox.requests)


def end(process: Popen[str]) -> tuple[str, str]:
    try:
        return process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()


def check_complete(office: Office, count: int = MANY) -> None:
    """The next run, a minute later, completes what was begun, and each contact is there once."""
    office.sandbox.faults.clear()
    with closing(office.open_state()) as state, state:  # a creation of this minute would be looked for again and again
        state.execute("UPDATE journal SET intended_at = intended_at - 60 WHERE result IS NULL")
    report = office.sync()
    contacts = [contact["externalId"] for contact in office.contacts()]
    assert sorted(contacts) == sorted(f"client_{number}" for number in range(1, count + 1))
    assert report["contacts"]["failed"] == 0
    assert office.state("SELECT count(*) FROM journal WHERE result IS NULL") == [(0,)]
    office.requests()
    office.sync()
    assert office.requests() == []


# --- signals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_run_in_good_order(office: Office, number: signal.Signals, code: int) -> None:
    make_many(office, MANY)
    with office.start("sync", "--json", **PACED) as process:
        wait_until(lambda: count_posts(office) >= 8)
        process.send_signal(number)
        out, err = end(process)
    assert process.returncode == code, err
    report = json.loads(out)
    assert report["status"] == "interrupted"
    assert report["contacts"]["created"] == len(office.contacts())
    assert report["contacts"]["created"] + report["contacts"]["left"] == MANY
    assert (report["contacts"]["failed"], report["errors"]) == (0, [])
    assert (office.state_dir / "runs" / f"{report['runId']}.json").exists()
    assert office.state("SELECT count(*) FROM journal WHERE result IS NULL") == [(0,)]
    assert office.state("SELECT count(*) FROM links WHERE contact_id IS NOT NULL") == [(len(office.contacts()),)]
    check_complete(office)


def test_a_signal_while_a_deleted_contact_is_judged_again_interrupts_the_run(office: Office) -> None:
    make_many(office, 2)
    office.sync()
    office.sandbox.workspace.remove(office.contact("client_1")["id"])
    office.sql("UPDATE clients SET county = 'Kern'")
    office.requests()
    break_with(office, "hang:path=/v1/contacts?maxResults*,method=GET,seconds=30,count=none")
    with office.start("sync", "--json", "--force") as process:
        wait_until(lambda: bool(office.sandbox.faults.struck))
        process.send_signal(signal.SIGTERM)
        out, err = end(process)
    report = json.loads(out)
    assert (process.returncode, report["status"], report["exitCode"]) == (143, "interrupted", 143), err
    assert report["contacts"]["updated"] == 1
    check_complete(office, 2)


def test_a_signal_before_the_first_write_ends_a_run_at_once(office: Office) -> None:
    make_many(office, MANY)
    break_with(office, "hang:path=/v1/contacts,method=GET,seconds=1,committed=true")
    with office.start("sync", "--json", **PACED) as process:
        wait_until(lambda: bool(office.sandbox.requests))
        process.send_signal(signal.SIGTERM)
        out, _ = end(process)
    assert process.returncode == 143
    assert json.loads(out)["status"] == "interrupted"
    assert office.contacts() == []
    check_complete(office)


def test_a_signal_does_not_wait_until_a_failed_request_is_tried_again(office: Office) -> None:
    make_many(office, 1)
    break_with(office, "status:status=503,count=none")
    with office.start("sync", "--quiet", OPENPHONE_RETRY_DELAY="60000") as process:
        wait_until(lambda: bool(office.sandbox.requests))
        time.sleep(0.3)  # the answer has come and the wait begun, of which nothing outside can tell
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        end(process)
    assert process.returncode == 143
    assert time.monotonic() - begun < 10
    assert len(office.sandbox.requests) == 1


def test_a_second_signal_stops_hard_and_is_safe(office: Office) -> None:
    make_many(office, MANY)
    break_with(office, "hang:method=POST,nth=6,seconds=30,count=none,committed=true")
    with office.start("sync", "--quiet", **PACED) as process:
        wait_until(lambda: count_posts(office) >= 10)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "requests in flight are finished" in process.stderr.readline()
        assert process.poll() is None, "the first signal waits for what is in flight"
        process.send_signal(signal.SIGINT)
        _, err = end(process)
    assert process.returncode == 130
    assert "stopped at once" in err
    assert office.state("SELECT count(*) > 0 FROM journal WHERE result IS NULL") == [(1,)]
    check_complete(office)


# --- the lock ---------------------------------------------------------------------------------------------------------


def test_a_second_sync_exits_5_and_a_killed_one_leaves_no_lock(office: Office) -> None:
    make_many(office, MANY)
    with office.start("sync", "--quiet", **PACED) as process:
        wait_until(lambda: count_posts(office) >= 3)
        second = office.run("sync")
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        end(process)
    assert second.code == 5
    assert "another run holds the lock" in second.err
    check_complete(office)


# --- the database -----------------------------------------------------------------------------------------------------


def test_a_database_lost_while_it_is_read_ends_the_run_before_any_write(office: Office) -> None:
    make_many(office, 10)
    office.sync()
    office.sql("INSERT INTO clients SELECT n, 'Ann Lee', NULL, 'LA' FROM generate_series(11, 30000) AS n")
    office.requests()
    with office.start("sync", "--json", OPENPHONE_BATCH_SIZE="1") as process:
        wait_until(lambda: bool(office.sql(KILL_READERS)))
        out, err = end(process)
    assert process.returncode == 3, err
    assert "the connection to the database was lost" in err
    assert json.loads(out)["status"] == "failed"
    assert office.requests("POST", "PATCH", "DELETE") == []
    assert office.state("SELECT count(*) FROM links WHERE standing = 'linked'") == [(10,)]
    office.sql("DELETE FROM clients WHERE id > 10")
    assert office.sync()["clients"]["removed"] == 0


KILL_READERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%%row_to_json%%' AND state = 'active'"
)


# --- the disk ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, nearly full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a file system takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_ends_the_run_with_a_line_and_loses_nothing(office: Office, small_disk: Path) -> None:
    make_many(office, MANY)
    state_dir = small_disk / "state"
    with office.start("sync", "--quiet", "--state-dir", str(state_dir)) as process:
        _, err = end(process)
    assert process.returncode == 2, err
    check_full(office, err)
    shutil.copytree(state_dir, office.state_dir)
    check_complete(office)


@pytest.mark.parametrize("blocks", [120, 200, 400, 800])
def test_a_file_that_may_not_grow_ends_the_run_with_a_line_and_loses_nothing(office: Office, blocks: int) -> None:
    """As on a full disk, at several points of a run: the limit is in KiB for each file."""
    make_many(office, MANY)
    command = f"ulimit -f {blocks}; exec {sys.executable} -m openphone_sync sync --quiet"
    process = subprocess.run(
        ["bash", "-c", command],
        check=False,
        env=office.environment,
        cwd=office.folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert process.returncode in (0, 2), process.stderr
    if process.returncode:
        check_full(office, process.stderr)
    check_complete(office)


def test_a_run_file_that_cannot_be_written_is_a_warning(office: Office) -> None:
    make_many(office, 3)
    office.state_dir.mkdir(mode=0o700)
    (office.state_dir / "runs").touch()
    ran = office.run("sync", "--json")
    assert (ran.code, ran.json["status"]) == (0, "succeeded"), ran.err
    assert f"the run file cannot be written to {office.state_dir / 'runs'} (File exists)" in ran.err
    metrics = json.loads((office.state_dir / "sync_metrics_openphone-daily-sync.json").read_text())
    assert metrics["metrics"]["successfulRuns"] == 1


def test_no_space_for_run_files_is_a_warning(office: Office, small_disk: Path) -> None:
    make_many(office, 3)
    office.state_dir.mkdir(mode=0o700)
    runs = office.state_dir / "runs"
    runs.mkdir(mode=0o700)
    subprocess.run(["mount", "--bind", str(small_disk), str(runs)], check=True)
    try:
        with suppress(OSError), (small_disk / "ballast").open("wb", buffering=0) as ballast:
            while ballast.write(bytes(4096)):
                pass
        ran = office.run("sync", "--quiet")
        assert ran.code == 0
        check_full(office, ran.err)
        check_complete(office, 3)
    finally:
        subprocess.run(["umount", "-l", str(runs)], check=True)


def test_only_stdout_is_called_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    def fill() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert run_to_exit_code(fill) == 2
    assert capsys.readouterr().err.startswith("openphone-sync: a file cannot be written (No space left on device); ")


def check_full(office: Office, err: str) -> None:
    assert str(office.sandbox.options.key) not in err
    lines = [line for line in err.splitlines() if line.startswith("openphone-sync: ")]
    assert any("space" in line for line in lines), err
    assert "stdout" not in err


# --- the clock --------------------------------------------------------------------------------------------------------


def test_a_clock_that_was_set_back_does_not_stall_a_run(office: Office) -> None:
    make_many(office, 10)
    assert office.run("sync", "--limit", "5").code == 0
    with closing(sqlite3.connect(office.state_dir / "pacing.db")) as pacing, pacing:
        pacing.execute("UPDATE pace SET next_at = next_at + 7200, paused_until = next_at + 7200")
    with closing(office.open_state()) as state, state:
        state.execute("UPDATE runs SET started_at = started_at + 7200, finished_at = finished_at + 7200")
        state.execute("UPDATE facts SET value = value + 7200 WHERE name = 'last_full'")
    with office.start("sync", "--quiet") as process:
        end(process)
    assert process.returncode == 0
    check_complete(office, 10)


# --- waiting ----------------------------------------------------------------------------------------------------------


@contextmanager
def waiting_for_the_api(office: Office) -> Iterator[Popen[str]]:
    """A run with ``--wait`` that has asked in vain more than once; within the block the API is there again."""
    office.requests()
    break_with(office, "drop:count=none")
    with office.start("sync", "--quiet", "--wait", "60s", OPENPHONE_RETRY_ATTEMPTS="0") as process:
        wait_until(lambda: len(office.sandbox.requests) > 1)
        assert process.poll() is None
        office.sandbox.faults.clear()
        yield process


@pytest.mark.parametrize("again", [False, True])
def test_wait_keeps_trying_until_the_api_is_there(office: Office, again: bool) -> None:
    make_many(office, 5)
    if again:  # a later run asks the API other things first
        office.sync("--limit", "2")
    office.sandbox.stop()
    assert office.run("sync").code == 3
    office.sandbox.start()
    with waiting_for_the_api(office) as process:
        _, err = end(process)
    assert process.returncode == 0, err
    check_complete(office, 5)


def test_wait_holds_for_unfinished_writes_too(office: Office) -> None:
    make_many(office, 5)
    break_with(office, "hang:method=POST,seconds=30,count=none,committed=true")
    with office.start("sync", "--quiet") as process:
        wait_until(lambda: count_posts(office) >= 3)
        process.kill()
        end(process)
    office.sandbox.faults.clear()
    with waiting_for_the_api(office) as process:
        _, err = end(process)
    assert process.returncode == 0, err
    check_complete(office, 5)


def test_wait_is_one_time_for_settling_and_for_reading(office: Office) -> None:
    make_many(office, 5)
    break_with(office, "hang:method=POST,seconds=30,count=none,committed=true")
    with office.start("sync", "--quiet") as process:
        wait_until(lambda: len(office.contacts()) == 5)  # none is looked for in vain
        process.kill()
        end(process)
    office.sandbox.faults.clear()
    break_with(office, "drop:count=none")
    office.requests()
    nowhere = {"DATABASE_URL": "postgresql://127.0.0.1:1/nowhere", "OPENPHONE_RETRY_ATTEMPTS": "0"}
    with office.start("sync", "--quiet", "--wait", "6s", **nowhere) as process:
        wait_until(lambda: bool(office.sandbox.requests))
        began = time.monotonic()
        wait_until(lambda: len(office.sandbox.requests) >= 3)
        office.sandbox.faults.clear()  # half of the time has gone into reaching the API
        end(process)
    assert process.returncode == 3
    assert time.monotonic() - began < 10
    assert office.state("SELECT count(*) FROM journal WHERE result IS NULL") == [(0,)]


def test_wait_keeps_trying_until_the_database_is_there(office: Office, postgres: EmbeddedPostgres) -> None:
    make_many(office, 5)
    name = psycopg.conninfo.conninfo_to_dict(office.dsn)["dbname"]
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        assert office.run("sync").code == 3
        log = postgres.folder / "postgres.log"
        refused = f'database "{name}" is not currently accepting connections'
        before = log.read_text().count(refused)
        with office.start("sync", "--quiet", "--wait", "60s") as process:
            wait_until(lambda: log.read_text().count(refused) > before + 1)
            assert process.poll() is None
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
            _, err = end(process)
    assert process.returncode == 0, err
    check_complete(office, 5)


def test_wait_gives_up_after_its_time(office: Office) -> None:
    make_many(office, 5)
    break_with(office, "status:status=503,count=none")
    ran = office.run("sync", "--wait", "3s", OPENPHONE_RETRY_ATTEMPTS="0")
    assert ran.code == 3
    assert 2 <= len(office.requests()) <= 5


def test_wait_does_not_wait_for_a_refused_key(office: Office) -> None:
    make_many(office, 5)
    with office.start("sync", "--quiet", "--wait", "1h", OPENPHONE_API_KEY="wrong") as process:
        _, err = end(process)
    assert process.returncode == 3
    assert "OPENPHONE_API_KEY" in err
    assert len(office.requests()) == 1


# --- an API that fails for all ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 402])
def test_a_refused_key_stops_the_run(office: Office, status: int) -> None:
    make_many(office, MANY)
    break_with(office, f"status:status={status},nth=14,count=none")
    ran = office.run("sync", "--json")
    assert ran.code == 3
    assert ran.json["status"] == "failed"
    assert f"({status}" in ran.err
    assert len(office.requests()) <= 14 + 10
    check_complete(office)


@pytest.mark.parametrize("fault", ["status:status=503", "drop:reset=true", "status:status=429", "not-json:method=*"])
def test_an_api_that_is_down_is_not_asked_a_thousand_times(office: Office, fault: str) -> None:
    make_many(office, 100)
    break_with(office, f"{fault},nth=14,count=none")
    ran = office.run("sync", "--json")
    assert ran.code == 3
    assert "times in a row" in ran.err
    assert len(office.requests()) < 90
    counts = ran.json["contacts"]
    assert counts["created"] + counts["failed"] + counts["left"] == 100
    assert counts["failed"] <= 20
    check_complete(office, 100)


def is_paused(office: Office) -> bool:
    """Whether the API has asked to wait, and the run has heard it."""
    if not office.sandbox.faults.struck:
        return False
    with closing(sqlite3.connect(office.state_dir / "pacing.db")) as pacing:
        return bool(pacing.execute("SELECT paused_until > ? FROM pace", (time.time(),)).fetchone()[0])


def test_a_long_retry_after_is_cut_short_and_said(office: Office) -> None:
    make_many(office, MANY)
    break_with(office, "status:status=429,nth=6,retry_after=86400")
    with office.start("sync", "--json") as process:
        wait_until(lambda: is_paused(office))
        process.send_signal(signal.SIGTERM)
        out, _ = end(process)
    assert process.returncode == 143
    [warning] = json.loads(out)["warnings"]
    assert warning.startswith("the API asked to wait 86400 s, of which 300 s are obeyed; ")


# --- contacts that fail -------------------------------------------------------------------------------------------------


def test_a_contact_that_failed_is_tried_again_with_fresh_values(office: Office) -> None:
    make_many(office, 3)
    break_with(office, "status:status=400,method=POST")
    ran = office.run("sync", "--json")
    assert ran.code == 1
    [error] = ran.json["errors"]
    number = error["externalId"].removeprefix("client_")
    office.sql(f"UPDATE clients SET county = 'Kern' WHERE id = {number}")
    assert office.sync()["contacts"]["created"] == 1
    assert office.custom(office.contact(error["externalId"]))["County"] == "Kern"


def test_an_update_that_failed_is_tried_again_though_its_row_rests(office: Office) -> None:
    make_many(office, 3)
    office.sync()
    office.sql("UPDATE clients SET county = 'Kern' WHERE id = 2")
    break_with(office, "status:status=400,method=PATCH")
    assert office.run("sync").code == 1
    assert office.sync()["contacts"]["updated"] == 1
    assert office.custom(office.contact("client_2"))["County"] == "Kern"


def test_what_fails_in_five_runs_is_named_by_problems(office: Office) -> None:
    make_many(office, 2)
    break_with(office, "status:status=400,method=POST,count=none")
    for number in range(1, 6):
        assert office.run("sync").code == 1
        kinds = [one["kind"] for one in office.run("problems", "--json").json["problems"]]
        assert kinds == (["failing"] * 2 if number == 5 else [])
    check_complete(office, 2)
    assert office.run("problems", "--json").json["problems"] == []


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_a_contact_that_cannot_be_read_fails_alone(office: Office, mode: str) -> None:
    make_many(office, 3)
    office.sync()
    office.sql("UPDATE clients SET county = 'Kern' WHERE id < 3")
    for _ in range(2):
        office.sandbox.faults.clear()
        break_with(office, f"status:path=/v1/contacts/{office.contact('client_2')['id']},count=none")
        ran = office.run("sync", "--json", "--mode", mode)
        assert ran.code == 1
        assert [error["externalId"] for error in ran.json["errors"]] == ["client_2"]
        assert office.custom(office.contact("client_1"))["County"] == "Kern"
        office.sql("UPDATE clients SET county = 'Kern', phone = '310-555-0199' WHERE id = 2")
    office.sandbox.faults.clear()
    assert office.sync()["contacts"]["updated"] == 1
    assert office.custom(office.contact("client_2"))["County"] == "Kern"


def test_a_contact_that_is_neither_read_nor_listed_fails_alone(office: Office) -> None:
    make_many(office, 2)
    office.sync()
    office.sql("UPDATE clients SET county = 'Kern'")
    break_with(office, f"status:path=/v1/contacts/{office.contacts()[0]['id']},count=none", "item-missing:count=none")
    ran = office.run("sync")
    assert ran.code == 1
    assert "1 updated, 1 failed" in ran.out
    assert "the API answered 500" in ran.out


# --- contacts that are listed and not there -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_a_linked_contact_that_is_listed_but_gone_is_made_again_once(office: Office, mode: str) -> None:
    make_many(office, 3)
    office.sync()
    office.sandbox.workspace.bury(office.contact("client_2")["id"])
    office.sql("UPDATE clients SET county = 'Kern' WHERE id = 2")
    for _ in range(2):
        ran = office.run("sync", "--mode", mode)
    assert ran.code == 0
    assert office.custom(office.contact("client_2"))["County"] == "Kern"
    office.requests()
    office.sync("--mode", "full")
    assert office.requests("POST", "PATCH", "DELETE") == []
    assert office.sync()["orphans"] == []


def test_a_persons_contact_that_is_listed_but_gone_is_not_joined_for_ever(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    phone = {"name": "Cell", "value": "+12135550134"}
    made = office.sandbox.workspace.add({"defaultFields": {"firstName": "James Smith", "phoneNumbers": [phone]}})
    office.sandbox.workspace.bury(made["id"])
    assert office.sync()["contacts"]["created"] == 1
    assert len(office.sandbox.workspace.find(f"client_{client_id}")) == 1
    office.requests()
    office.sync()
    assert office.requests("POST", "PATCH", "DELETE") == []


def test_a_contact_whose_external_id_is_taken_is_joined_in_the_state_alone(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    phone = {"name": "Cell", "value": "+12135550134"}
    made = office.sandbox.workspace.add({"defaultFields": {"firstName": "James", "phoneNumbers": [phone]}})
    break_with(office, "status:status=409,method=PATCH")
    assert office.sync()["contacts"]["adopted"] == 1
    assert office.state("SELECT external_id, contact_id FROM links") == [(f"client_{client_id}", made["id"])]
    [contact] = office.contacts()
    assert contact["externalId"] is None
    office.requests()
    office.sync("--mode", "full")
    assert office.requests("POST", "PATCH", "DELETE") == []


def test_an_adoption_that_failed_is_an_adoption_the_next_time(office: Office, sandbox: FaultySandbox) -> None:
    """It must not come back as a contact of ours, whose fields the source may overwrite."""
    [client_id] = office.make_clients(JAMES_ALONE)
    phone = {"name": "Cell", "value": "+12135550134"}
    sandbox.workspace.add({"defaultFields": {"firstName": "James", "company": "Acme", "phoneNumbers": [phone]}})
    break_with(office, "status:status=400,method=PATCH")
    assert office.run("sync").code == 1
    assert office.sync()["contacts"]["adopted"] == 1
    contact = office.contact(f"client_{client_id}")
    assert (contact["defaultFields"]["firstName"], contact["defaultFields"]["company"]) == ("James", "Acme")
