"""A state folder of version 0.1.0 is opened, read and carried on: nothing of what it remembers is lost or done twice."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import time_machine

from tests.office import Office, phones
from tests.old_state import FOLDER, NEXT_NIGHT, load_old_state

WRITES = ("POST", "PATCH", "DELETE")
TWICE_DELETED = "7c2a586a-6706-5db1-ae2e-bb939dc6506d"  # Linda Okafor
REMOVED = "9a9c4027-357c-5016-bd6b-a4cf632b0a3f"  # Elena Petrov
ROLLED_BACK = "56c5f25e-02c9-5044-9ef3-eb22a57f992d"  # David Wong
BAD_PHONE = "88fd1865-b630-5948-be01-62a075fead06"  # Robert Quinn
ADOPTED = "42d9cf8c-24e0-5d81-85b8-62ecec363009"  # Emily Carter: staff had made her contact
REFUSED = "377c4380-2778-5921-bcc8-ce75722b025b"  # Thomas Baker: 403
LINKED = "e939c4f7-8d89-5faf-a875-b50805d517e1"  # Carlos Rivera
SEPARATED = "4a44fcd0-01da-51ea-944a-575c55a46ee3"  # Priya Patel


@pytest.fixture
def old_office(office: Office) -> Iterator[Office]:
    """The office of 0.1.0, in the night after the killed run."""
    with time_machine.travel(NEXT_NIGHT, tick=True):
        yield load_old_state(office)


def read_reports() -> list[Any]:
    """The reports of the finished runs, oldest first."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((FOLDER / "state" / "runs").iterdir())]


def list_runs(office: Office) -> list[Any]:
    """All runs, oldest first."""
    return list(reversed(office.run("runs", "list", "--json").json["runs"]))


def list_waiting(report: Any) -> dict[str, set[str]]:
    """External ids that a run left alone, by the report's list."""
    ids = {name: {entry["externalId"] for entry in report[name]} for name in ("skipped", "held")}
    return ids | {"orphans": set(report["orphans"])}


def find_standing(office: Office, client_id: str) -> str:
    """Where the main contact of a client stands."""
    ran = office.run("explain", client_id, "--json")
    assert ran.code == 0, ran.err
    return str(ran.json["contacts"][0]["standing"])


def test_commands_that_only_read_read_it(old_office: Office) -> None:
    last = read_reports()[-1]
    for command in ("status", "metrics", "problems", "runs list", "runs show latest", "review list"):
        ran = old_office.run(*command.split())
        assert ran.code == 0, ran.err
        assert ran.out.strip()
    runs = list_runs(old_office)
    assert [run["runId"] for run in runs[:-1]] == [report["runId"] for report in read_reports()]
    assert (runs[-1]["command"], runs[-1]["status"]) == ("sync", "running")
    assert old_office.run("metrics", "--json").json["metrics"]["totalRuns"] == len(runs) - 1
    assert old_office.run("status", "--json").json["reviews"]["open"] == len(last["held"])
    reviews = old_office.run("review", "list", "--json").json["reviews"]
    assert {review["id"] for review in reviews} == list_waiting(last)["held"]
    problems = {entry["externalId"] for entry in old_office.run("problems", "--json").json["problems"]}
    assert {f"client_{BAD_PHONE}", f"client_{REFUSED}"} <= problems
    assert old_office.requests() == []


def test_every_run_shows_its_writes(old_office: Office) -> None:
    shown = {run["runId"]: old_office.run("runs", "show", run["runId"], "--json").json for run in list_runs(old_office)}
    *finished, killed = [run["writes"] for run in shown.values()]
    assert [len(writes) for writes in finished] == [20, 5, 2, 3, 3, 1]
    assert sorted((write["action"], write["result"]) for write in killed) == [
        ("create", None), ("create", None), ("create", None), ("update", None), ("update", None)
    ]  # fmt: skip
    ran = old_office.run("rollback", "--yes", next(iter(shown)), "--dry-run", "--json")
    assert (ran.code, ran.json["contacts"]["deleted"]) == (0, 12), ran.err


@pytest.mark.parametrize(
    ("client_id", "standing"),
    [
        (TWICE_DELETED, "declined"),
        (REMOVED, "orphaned"),
        (ROLLED_BACK, "reverted"),
        (BAD_PHONE, "skipped"),
        (LINKED, "linked"),
        (SEPARATED, "linked"),
    ],
)
def test_each_client_stands_where_it_stood_before_and_after_the_next_full_run(
    old_office: Office, client_id: str, standing: str
) -> None:
    assert find_standing(old_office, client_id) == standing
    old_office.sync("--mode", "full")
    assert find_standing(old_office, client_id) == standing


def test_a_contact_that_was_once_refused_is_tried_again_by_a_full_run(old_office: Office) -> None:
    old_office.sync()
    assert find_standing(old_office, REFUSED) == "skipped"
    assert old_office.sync("--mode", "full")["contacts"]["adopted"] == 1
    assert find_standing(old_office, REFUSED) == "linked"


def test_the_next_sync_finishes_the_killed_run_and_writes_to_nobody_else(old_office: Office) -> None:
    killed = list_runs(old_office)[-1]["runId"]
    begun = {write["externalId"] for write in old_office.run("runs", "show", killed, "--json").json["writes"]}
    before = {contact["id"]: contact for contact in old_office.contacts()}
    report = old_office.sync()
    counts = {name: report["contacts"][name] for name in ("created", "updated", "adopted", "deleted", "failed")}
    assert counts == {"created": 2, "updated": 1, "adopted": 0, "deleted": 0, "failed": 0}
    assert sorted(method for method, _ in old_office.requests(*WRITES)) == ["PATCH", "POST", "POST"]
    assert list_waiting(report) == list_waiting(read_reports()[-1])
    after = {contact["id"]: contact for contact in old_office.contacts()}
    written = [contact for contact_id, contact in after.items() if before.get(contact_id) != contact]
    assert len(after) == len(before) + 2
    assert len(written) == 3
    assert {contact["externalId"] for contact in written} < begun
    assert {len(old_office.sandbox.workspace.find(external_id)) for external_id in begun} == {1}
    [status] = [run["status"] for run in list_runs(old_office) if run["runId"] == killed]
    assert status == "interrupted"
    results = [write["result"] for write in old_office.run("runs", "show", killed, "--json").json["writes"]]
    assert sorted(results) == ["done", "done", "failed", "failed", "unfinished"]


def test_runs_after_that_write_nothing(old_office: Office) -> None:
    old_office.sync()
    old_office.requests()
    old_office.sync()
    assert old_office.requests(*WRITES) == []
    old_office.sync("--mode", "full")  # tries what was once refused
    contacts = old_office.contacts()
    report = old_office.sync("--mode", "full")
    assert {report["contacts"][name] for name in ("created", "updated", "adopted", "deleted", "failed")} == {0}
    assert old_office.contacts() == contacts
    waiting, before = list_waiting(report), list_waiting(read_reports()[-1])
    assert waiting == before | {"skipped": before["skipped"] - {f"client_{REFUSED}"}}


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_an_upgrade_is_not_a_change_for_the_safety_stop(old_office: Office, mode: str) -> None:
    """Only the updates that the killed run had begun count; a copy of the old state stays for a way back."""
    began = sum(
        write["action"] == "update" for write in old_office.run("runs", "show", "latest", "--json").json["writes"]
    )
    old_office.sync("--mode", mode, OPENPHONE_MAX_CHANGES=str(began))
    with closing(sqlite3.connect(old_office.state_dir / "backups" / "state-version-1.db")) as copy:
        assert copy.execute("PRAGMA user_version").fetchone() == (1,)


def test_what_stood_on_an_adopted_contact_is_still_staffs(old_office: Office) -> None:
    old_office.sync()
    old_office.change_client(ADOPTED, phone="213-555-0177")
    old_office.sync()
    assert phones(old_office.contact(f"client_{ADOPTED}")) == {"+12135550114": "Cell", "+12135550177": "Main Phone"}
    assert old_office.contact(f"client_{ADOPTED}")["defaultFields"]["firstName"] == "Emily"


def read_times(office: Office) -> set[str]:
    """Times of day of the intake dates on linked contacts."""
    linked = {contact_id for (contact_id,) in office.state("SELECT contact_id FROM links WHERE standing = 'linked'")}
    fields = [office.custom(contact) for contact in office.contacts() if contact["id"] in linked]
    return {one["Intake Date"].partition("T")[2] for one in fields if "Intake Date" in one}


def test_dates_that_were_written_at_midnight_move_to_noon_when_asked(old_office: Office) -> None:
    old_office.sync()
    old_office.sync("--mode", "full")
    assert "00:00:00.000Z" in read_times(old_office)
    old_office.sync("--mode", "full", "--force")
    assert read_times(old_office) == {"12:00:00.000Z"}
    old_office.requests()
    old_office.sync("--mode", "full", "--force")
    assert old_office.requests(*WRITES) == []
