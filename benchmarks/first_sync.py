"""The first sync of an office, under the vendor's limit, beside drt-core with the same clients, sandbox and rate.

The sandbox answers after 300 ms and refuses the eleventh request of any second. Nothing can be faster than the requests
that are needed, ten a second. drt has no batches for this API: it is given one row for each contact, and posts it.
``python -m benchmarks first_sync``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from benchmarks.clients import fill_clients
from benchmarks.on_demand import fetch_package
from openphone_sync.openphone.pacing import make_spacing
from openphone_sync.sandbox import EmbeddedPostgres, SandboxOptions, SandboxServer

CLIENTS, PEER_CLIENTS = 500, 50
RATE = 10
LATENCY_S = 0.3
STAFF_CONTACTS = 200
PAGES = STAFF_CONTACTS // 50
"""Of a list, with the most contacts that the API gives at once."""

CONTACTS_AS_ROWS = """
SELECT 'client_' || id AS external_id, client_name AS name, phone FROM clients
UNION ALL SELECT 'client_' || id || '_alt_1', client_name || ' - ' || relationship_1, contact_1_phone FROM clients
UNION ALL SELECT 'client_' || id || '_alt_2', client_name || ' - ' || relationship_2, contact_2_phone FROM clients
WHERE contact_2 IS NOT NULL
"""
BODY = (
    '{"externalId": {{ row.external_id | tojson }}, "source": "drt", "defaultFields": {"firstName": '
    '{{ row.name | tojson }}, "phoneNumbers": [{"name": "Main Phone", "value": {{ row.phone | tojson }}}]}}'
)


@dataclass(frozen=True, slots=True)
class Run:
    """One first sync, as the API received it: contacts made, requests, seconds from start to end of the program."""

    name: str
    contacts: int
    requests: int
    time_s: float

    @property
    def rate(self) -> float:
        """Contacts a second."""
        return self.contacts / self.time_s

    @property
    def share(self) -> float:
        """Of the limit: 1 is ten requests a second from the first moment to the last, and none too many."""
        return self.requests / RATE / self.time_s

    @property
    def most(self) -> float:
        """The share of a program that takes no time: requests evenly spaced, pages one after another, the last answer."""
        spacing_s = make_spacing(RATE, RATE * 60, RATE * 3600)
        time_s = (self.requests - 1) * spacing_s + PAGES * (LATENCY_S - spacing_s) + LATENCY_S
        return self.requests / RATE / time_s


def make_report(*, long: bool = False) -> str:
    """The table as Markdown, ours with as few clients as the peer gets, and if ``long`` with all."""
    runs = [(count, _measure_ours(count)) for count in ((CLIENTS, PEER_CLIENTS) if long else (PEER_CLIENTS,))]
    peer = _measure_drt(PEER_CLIENTS)
    ours = runs[0][1]
    lines = [
        "| | clients | contacts | requests | seconds | contacts/s | share of the limit | times drt |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {run.name} | {clients} | {run.contacts:,} | {run.requests:,} | {run.time_s:.1f} | {run.rate:.2f} | "
            f"{run.share:.1%} | {run.rate / peer.rate:.1f} |"
            for clients, run in (*runs, (PEER_CLIENTS, peer))
        ),
    ]
    extra = ours.requests - ours.contacts
    most = ", ".join(f"{run.most:.1%} with {clients} clients" for clients, run in runs)
    return "\n".join(lines) + (
        f"\n\nLimit: the requests that were sent, at {RATE} a second. Of ours {extra} were no contact: {PAGES} pages "
        f"of the {STAFF_CONTACTS} contacts that were there, and {extra - PAGES} more. The most that evenly spaced requests "
        f"and pages one after another leave to a program that takes no time: {most}.\n"
    )


def _measure_ours(clients: int) -> Run:
    def sync(folder: Path, dsn: str, url: str, key: str) -> None:
        environment = {
            "OPENPHONE_STATE_DIR": str(folder),
            "DATABASE_URL": dsn,
            "OPENPHONE_BASE_URL": url,
            "OPENPHONE_API_KEY": key,
        }
        _call([sys.executable, "-m", "openphone_sync", "sync", "--quiet"], environment)

    return _measure("openphone-sync", clients, sync)


def _measure_drt(clients: int) -> Run:
    package = fetch_package("drt-core[postgres]", dependencies=True)

    def sync(folder: Path, dsn: str, url: str, key: str) -> None:
        _write_project(folder, dsn, url)
        environment = {"HOME": str(folder), "PYTHONPATH": str(package), "OPENPHONE_KEY": key}
        _call([sys.executable, str(package / "bin" / "drt"), "run"], environment, folder)

    return _measure("drt-core", clients, sync)


def _measure(name: str, clients: int, sync: Callable[[Path, str, str, str], None]) -> Run:
    """Run ``sync(folder, dsn, url, key)`` on an office of its own; what came of it is read in the sandbox."""
    with (
        tempfile.TemporaryDirectory(prefix="openphone-bench-") as folder,
        EmbeddedPostgres() as postgres,
        SandboxServer(
            SandboxOptions(latency_ms=round(LATENCY_S * 1000), rate_limit=RATE, contacts=STAFF_CONTACTS)
        ) as sandbox,
    ):
        fill_clients(postgres.dsn(), clients)
        started = time.monotonic()
        sync(Path(folder), postgres.dsn(), sandbox.base_url, sandbox.options.key)
        time_s = time.monotonic() - started
        made = sum(one.method == "POST" and one.status == 201 for one in sandbox.requests)
        return Run(name, made, len(sandbox.requests), time_s)


def _call(command: list[str], environment: Mapping[str, str], folder: Path | None = None) -> None:
    done = subprocess.run(
        command, env={**os.environ, **environment}, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr or done.stdout)


def _write_project(folder: Path, dsn: str, url: str) -> None:
    """drt's project; JSON is YAML."""
    where = conninfo_to_dict(dsn)
    profile = {"type": "postgres", "host": where["host"], "port": int(where.get("port") or 5432)}
    profile |= {"dbname": where["dbname"], "user": where["user"], "password": ""}
    sync = {
        "name": "contacts",
        "model": CONTACTS_AS_ROWS,
        "destination": {
            "type": "rest_api",
            "url": f"{url}/v1/contacts",
            "auth": {"type": "api_key", "header": "Authorization", "value_env": "OPENPHONE_KEY"},
            "headers": {"Content-Type": "application/json"},
            "body_template": BODY,
        },
        "sync": {"mode": "full", "on_error": "skip", "rate_limit": {"requests_per_second": RATE}},
    }
    files = {
        ".drt/profiles.yml": {"office": profile},
        "drt_project.yml": {"name": "office", "profile": "office"},
        "syncs/contacts.yml": sync,
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
