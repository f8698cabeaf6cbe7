"""An office after a month of nightly syncs, with something for each section of the report. Nobody has its numbers."""

from __future__ import annotations

import json
import shlex
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from openphone_sync.documents import format_time
from openphone_sync.ops.crontab import make_marks
from tests.office import JAMES, Office

NAMES = (
    "Maria Gonzalez",
    "Dorothy Keller",
    "Hassan Mahmoud",
    "Linh Nguyen",
    "Peter Novak",
    "Grace Adeyemi",
    "Yusuf Demir",
    "Elena Petrova",
    "Samuel Whitaker",
    "Rosa Delgado",
    "Thomas Lindqvist",
    "Ines Oliveira",
)
SILENT_NIGHTS = (9, 10)
"""Nights ago on which the machine was off."""
EVENTS = {4: "partial", 17: "failed"}
"""Nights ago on which a run did not succeed."""


def live_a_month(office: Office) -> None:
    """The first sync, edits on both sides, a full sync, and the history of the nights before."""
    _install_schedule(office)
    james = office.make_clients(JAMES)[0]
    clients = {name: office.add_client(_make_row(name, number)) for number, name in enumerate(NAMES)}
    _add_staff_contacts(office)
    office.sync()
    _edit(office, james, clients)
    office.add_client({"client_name": "Walter Brandt", "client_type": "civil", "phone": "213-555-019"})
    office.add_client({"client_name": "Nadia Rahimi", "client_type": "criminal", "phone": "in custody, ask mother"})
    office.add_client({"client_name": "Grace Adeyemi", "client_type": "criminal", "phone": "213-555-0159"})
    _call(office)
    office.sync("--mode", "full")
    _remember_nights(office)


def _make_row(name: str, number: int) -> dict[str, Any]:
    kind = "criminal" if number % 2 else "civil"
    return {
        "client_name": name,
        "client_type": kind,
        "phone": f"213-555-01{number + 10}",
        "county": "Los Angeles County",
    }


def _install_schedule(office: Office) -> None:
    """A ``crontab`` program that shows our line, as `schedule start` leaves it."""
    begin, end = make_marks(office.state_dir)
    table = f"{begin}\n0 2 * * * openphone-sync sync --quiet --wait 30m\n{end}\n"
    program = office.folder / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nprintf %s {shlex.quote(table)}\n")
    program.chmod(0o755)
    office.environment["PATH"] = f"{program.parent}:{office.environment['PATH']}"


def _add_staff_contacts(office: Office) -> None:
    for first, company, phone, email in (
        ("Mrs. Gonzalez", "", "+12135550110", "gonzalez.family@example.com"),
        ("Dorothy Keller", "Keller Bakery", "+13105550144", ""),
        ("Hassan Mahmoud", "", "+12135550112", ""),
    ):
        phones = [{"name": "Mobile", "value": phone}]
        emails = [{"name": "Home", "value": email}] if email else []
        fields = {"firstName": first, "company": company or None, "phoneNumbers": phones, "emails": emails}
        office.sandbox.workspace.add({"defaultFields": fields})


def _edit(office: Office, james: str, clients: dict[str, str]) -> None:
    workspace = office.sandbox.workspace
    wife = [{"name": "Wife", "value": "+12135550199"}, {"name": "Work", "value": "+12135550198"}]
    workspace.edit(office.contact(f"client_{james}")["id"], {"defaultFields": {"phoneNumbers": wife}})
    linh = office.contact(f"client_{clients['Linh Nguyen']}")["id"]
    note = {"key": workspace.field_key("Notes"), "value": "Calls back after 5 pm, prefers Vietnamese"}
    email = [{"name": "Private", "value": "linh.nguyen@example.com"}]
    workspace.edit(linh, {"defaultFields": {"emails": email}, "customFields": [note]})
    peter = office.contact(f"client_{clients['Peter Novak']}")["id"]
    workspace.edit(peter, {"customFields": [{"key": workspace.field_key("County"), "value": "Ventura"}]})
    office.change_client(clients["Peter Novak"], county="Kern County")
    office.change_client(clients["Rosa Delgado"], email="rosa.delgado@example.com", county="Orange County")


def _call(office: Office) -> None:
    talk = office.sandbox.conversations
    callers = [f"+12135550{number}" for number in (134, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121)]
    for number, caller in enumerate((*callers, "+12135550111", "+13105550166")):
        talk.add_message(talk.start(caller), "Hello", at=time.time() - 86_400 * number)


def _remember_nights(office: Office) -> None:
    """Reports of the nights before, made from that of the last run, and what full runs measured."""
    with office.open_state() as state:
        row = state.execute("SELECT report, started_at FROM runs ORDER BY number DESC LIMIT 1").fetchone()
        document, today = json.loads(row[0]), datetime.fromtimestamp(row[1], UTC)
        lists: dict[str, list[Any]] = {
            name: [] for name in ("skipped", "held", "orphans", "conflicts", "errors", "warnings")
        }
        for ago in range(1, 30):
            if ago in SILENT_NIGHTS:
                continue
            status = EVENTS.get(ago, "succeeded")
            began = (today - timedelta(days=ago)).replace(hour=2, minute=0).timestamp()
            counts = dict.fromkeys(document["contacts"], 0)
            if status != "failed":
                counts |= {"created": ago * 7 % 5, "updated": ago * 11 % 7, "failed": 2 if status == "partial" else 0}
            report = {**document, **lists, "runId": f"night-{ago}", "status": status, "contacts": counts}
            report |= {"startedAt": format_time(began), "finishedAt": format_time(began + 4), "durationSeconds": 4.0}
            state.execute(
                "INSERT INTO runs (number, run_id, command, status, started_at, finished_at, report) "
                "VALUES (?, ?, 'sync', ?, ?, ?, ?)",
                (-ago, f"night-{ago}", status, began, began + 4, json.dumps(report)),
            )
        for ago, named in ((28, 6), (21, 7), (14, 9), (7, 10)):
            moment = (today - timedelta(days=ago)).timestamp()
            state.execute("INSERT INTO coverage VALUES (?, 30, 13, ?, '')", (moment, named))
