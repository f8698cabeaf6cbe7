"""The report page of a large office: seconds from the command to the file.

``python -m benchmarks.report_speed``. The state is seeded as a first run would leave it, with many held contacts, problems,
values that staff typed, conflicts, and a journal with every contact in it; then `report` reads state and client table.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.clients import fill_clients
from benchmarks.nothing_changed import make_environment, seed_state
from openphone_sync.config import Settings
from openphone_sync.documents import format_time
from openphone_sync.sandbox import EmbeddedPostgres, SandboxOptions, SandboxServer
from openphone_sync.state.file import STATE_FILE

SIZES = (1_000, 10_000)
ROUNDS = 3
HELD, SKIPPED, STAFF_VALUES, CONFLICTS = 0.02, 0.01, 0.1, 0.005
"""Shares of the contacts."""


def main(argv: list[str]) -> int:
    """Print the table."""
    del argv
    sys.stdout.write(make_report())
    return 0


def make_report(*, long: bool = False) -> str:
    """The table as Markdown; the best of several rounds."""
    del long
    lines = [
        "| clients | contacts | held | problems | values of staff | conflicts | page kB | time s |",
        "|---|" + "---|" * 7,
    ]
    return "\n".join([*lines, *map(_measure, SIZES)]) + "\n"


def _measure(size: int) -> str:
    with (
        tempfile.TemporaryDirectory(prefix="openphone-bench-") as folder,
        EmbeddedPostgres() as postgres,
        SandboxServer(SandboxOptions(rate_limit=500)) as sandbox,
    ):
        fill_clients(postgres.dsn(), size)
        settings = Settings(Path(folder), sandbox.options.key, sandbox.base_url, postgres.dsn())
        contacts = seed_state(settings, sandbox)
        _fill_history(settings.state_dir / STATE_FILE)
        command = [sys.executable, "-m", "openphone_sync", "report", "--json", "--out", f"{folder}/page.html"]
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            done = subprocess.run(
                command, env=os.environ | make_environment(settings), check=True, stdout=subprocess.PIPE
            )
            times.append(time.perf_counter() - began)
    shown = json.loads(done.stdout)
    counts = " | ".join(f"{shown[name]:,}" for name in ("reviews", "problems", "staffValues", "conflicts"))
    return f"| {size:,} | {contacts:,} | {counts} | {shown['bytes'] / 1000:.0f} | {min(times):.2f} |"


def _fill_history(path: Path) -> None:
    """What 30 nights leave behind, written straight into the state."""
    now = time.time()
    with closing(sqlite3.connect(path)) as state, state:
        keys = [row[0] for row in state.execute("SELECT external_id FROM links ORDER BY contact_id")]
        held = keys[: int(len(keys) * HELD)]
        skipped = keys[len(held) : len(held) + int(len(keys) * SKIPPED)]
        _mark(state, held, "held", "phone_other_name")
        _mark(state, skipped, "skipped", "no_phone")
        state.executemany(
            "INSERT INTO candidates VALUES (?, ?, 'phone', 0.8, 'same phone')",
            ((key, f"card{number}") for number, key in enumerate(held)),
        )
        state.executemany(
            "INSERT INTO cards VALUES (?, ?)",
            ((f"card{number}", _make_contact(f"card{number}", number)) for number in range(len(held))),
        )
        typed = keys[-int(len(keys) * STAFF_VALUES) :]
        state.executemany(
            "INSERT INTO staff_values VALUES (?, 'phoneNumbers', ?, 'Wife')",
            ((key, json.dumps(f"+1818{2_000_000 + number}")) for number, key in enumerate(typed)),
        )
        conflicts = [
            {"externalId": key, "field": "company", "kept": "source"} for key in keys[-int(len(keys) * CONFLICTS) :]
        ]
        for ago in reversed(range(30)):
            began = now - 86_400 * ago - 60
            report = _make_run(f"night-{ago}", began, conflicts if ago == 0 else [])
            state.execute(
                "INSERT INTO runs (run_id, command, status, started_at, finished_at, report) "
                "VALUES (?, 'sync', 'succeeded', ?, ?, ?)",
                (f"night-{ago}", began, began + 4, json.dumps(report)),
            )
        _fill_journal(state, keys, {one["externalId"] for one in conflicts}, now)


def _mark(state: sqlite3.Connection, keys: list[str], standing: str, reason: str) -> None:
    state.executemany(
        "UPDATE links SET standing = ?, reason = ?, contact_id = NULL, base = NULL, person = 'Ann Smith' WHERE external_id = ?",
        ((standing, reason, key) for key in keys),
    )


def _make_contact(contact_id: str, number: int) -> bytes:
    phone = {"label": "Mobile", "value": f"+1747{2_000_000 + number}", "item_id": f"i{number}", "extra": {}}
    contact = {
        "contact_id": contact_id,
        "first_name": "Mrs. Smith",
        "phones": [phone],
        "emails": [],
        "custom_fields": [],
    }
    return json.dumps(contact).encode()


def _make_run(run_id: str, began: float, conflicts: list[dict[str, str]]) -> dict[str, object]:
    names = ("created", "updated", "adopted", "unchanged", "skipped", "held", "deleted", "failed", "left")
    return {
        "runId": run_id,
        "command": "sync",
        "mode": "full",
        "status": "succeeded",
        "exitCode": 0,
        "message": "",
        "startedAt": format_time(began),
        "finishedAt": format_time(began + 4),
        "durationSeconds": 4.0,
        "clients": {"read": 10_000, "changed": 5, "unchanged": 9_995, "removed": 0},
        "contacts": dict.fromkeys(names, 3),
        "requests": {"total": 40},
        "conflicts": conflicts,
    }


def _fill_journal(state: sqlite3.Connection, keys: list[str], conflicting: set[str], now: float) -> None:
    """A write for each contact in the last night, with the contact before and after it."""
    state.executemany(
        "INSERT INTO journal (run_id, external_id, client_id, kind, contact_id, before, draft, link, intended_at, settled_at, "
        "result, conflicts, after) VALUES ('night-0', ?, '1', 'update', ?, ?, ?, ?, ?, ?, 'done', ?, ?)",
        (
            (
                key,
                f"c{number}",
                (contact := _make_contact(f"c{number}", number)),
                json.dumps({"first_name": "Mrs. Smith", "company": "Legal Client"}).encode(),
                json.dumps({"external_id": key, "client_id": "1", "slot": 0, "standing": "linked"}).encode(),
                now,
                now,
                b'[{"field":"company","kept":"source","lost":"Smith Inc."}]' if key in conflicting else b"[]",
                contact,
            )
            for number, key in enumerate(keys)
        ),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
