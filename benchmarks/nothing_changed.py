"""A night on which nothing changed: requests, time and memory, beside reading and hashing the same rows and nothing else.

``python -m benchmarks.nothing_changed`` goes to 100,000 clients, ``--long`` to 1,000,000. The state is seeded as a first
run would leave it, from the rows and the mapping, without requests. Then the nights: on the state as it is, on a copy of
the folder that is not in memory, and one in which a row has changed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import psycopg

from benchmarks import peak
from benchmarks.clients import fill_clients
from benchmarks.read_and_hash import BLOCK
from openphone_sync.config import Settings
from openphone_sync.config.mapping_file import load_built_in
from openphone_sync.model import Base, ClientRow, DesiredContact, FieldDefinition, Link, Standing
from openphone_sync.postgres import PostgresClients
from openphone_sync.rules.custom_fields import FieldMap, make_field_map
from openphone_sync.rules.mapping import MappingRules, make_fingerprint, map_client
from openphone_sync.run.plan import make_row_digest
from openphone_sync.sandbox import EmbeddedPostgres, SandboxOptions, SandboxServer
from openphone_sync.state import open_store
from openphone_sync.wiring import mark_key

SIZES = (1_000, 10_000, 100_000)
LONG_SIZES = (*SIZES, 1_000_000)
COUNTIES = ("Orange", "Kern", "Fresno", "Ventura", "Marin")


@dataclass(frozen=True, slots=True)
class Night:
    """One sync: seconds of wall clock, requests, and peak memory."""

    time_s: float
    requests: int
    peak_mb: float


def main(argv: list[str]) -> int:
    """Print the tables."""
    sys.stdout.write(make_report(long="--long" in argv))
    return 0


def make_report(*, long: bool = False) -> str:
    """The tables as Markdown."""
    titles = (
        "clients", "contacts", "requests", "time s", "limit s", "ratio", "fresh copy s", "ratio", "µs per client", "peak MB",
        "state, bytes a contact", "one row changed: requests", "adds s", "with the day's copy of the state, adds s",
    )  # fmt: skip
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    lines += [_measure(size) for size in (LONG_SIZES if long else SIZES)]
    return "\n".join(lines) + (
        "\n\nLimit: reading the same rows with psycopg and hashing them, in a process of its own; each the quickest "
        f"of {len(COUNTIES)}, in turns. A fresh copy is the state folder copied with its times, and not in memory.\n"
    )


def _measure(size: int) -> str:
    with (
        tempfile.TemporaryDirectory(prefix="openphone-bench-") as folder,
        EmbeddedPostgres() as postgres,
        SandboxServer(SandboxOptions(rate_limit=500)) as sandbox,
    ):
        fill_clients(postgres.dsn(), size)
        settings = Settings(Path(folder, "state"), sandbox.options.key, sandbox.base_url, postgres.dsn())
        settings.state_dir.mkdir(mode=0o700)
        contacts = seed_state(settings, sandbox)
        _sync(settings)  # the seeded state has no mark of the source yet
        os.sync()  # what was written must not be waited for in the nights that are measured
        nights, limits, changed = [], [], []
        for county in COUNTIES:  # in turns, since other programs on the machine come and go
            limits.append(_run([sys.executable, "-m", "benchmarks.read_and_hash", postgres.dsn()], {})[0])
            nights.append(_sync(settings))
            with psycopg.connect(postgres.dsn()) as connection:
                connection.execute("UPDATE clients SET county = %s WHERE client_name = 'Person 7'", (county,))
            changed.append(_sync(settings))
            os.sync()
        copy = replace(settings, state_dir=Path(folder, "copy"))
        shutil.copytree(settings.state_dir, copy.state_dir)
        cold = [_sync(_drop_from_memory(copy)) for _ in COUNTIES]
        state_bytes = (settings.state_dir / "state.db").stat().st_size
    time_s, limit_s = min(night.time_s for night in nights), min(limits)
    copied, *others = changed
    fresh_s = min(night.time_s for night in cold)
    adds_s = min(night.time_s for night in others) - time_s
    return (
        f"| {size:,} | {contacts:,} | {nights[-1].requests} | {time_s:.2f} | {limit_s:.2f} | {time_s / limit_s:.2f} | "
        f"{fresh_s:.2f} | {fresh_s / limit_s:.2f} | {time_s / size * 1e6:.0f} | {nights[-1].peak_mb:.0f} | "
        f"{state_bytes / contacts:.0f} | {changed[-1].requests} | {adds_s:.2f} | {copied.time_s - time_s:.2f} |"
    )


def _drop_from_memory(settings: Settings) -> Settings:
    """The system keeps nothing of the state in its memory."""
    os.sync()
    for path in settings.state_dir.rglob("*.db"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return settings


def seed_state(settings: Settings, sandbox: SandboxServer) -> int:
    """The state as a first run would leave it; the contact of Person 7 exists, since it will change."""
    fields = make_field_map(
        (FieldDefinition(one.key or "", one.name, one.type) for one in sandbox.workspace.fields), {}, load_built_in()
    )
    source = PostgresClients(settings.database_url, load_built_in(), fetch_size=BLOCK)
    store = open_store(settings.state_dir, time.time())
    digest = make_row_digest(settings)
    count = 0
    rows = source.read_clients()
    while block := list(islice(rows, BLOCK)):
        links = list(_links(block, fields, sandbox))
        count += len(links)
        store.save_links(links)
        store.save_clients([(row.client_id, make_fingerprint(row, digest), False) for row in block])
    store.save_fact("last_full", str(time.time()))
    store.save_fact("key", mark_key(settings.api_key, settings.base_url))
    source.close()
    store.close()
    return count


def _links(block: list[ClientRow], fields: FieldMap, sandbox: SandboxServer) -> Iterator[Link]:
    rules = MappingRules("US", load_built_in(), fields)
    for row in block:
        for number, one in enumerate(map_client(row, rules)):
            if not isinstance(one, DesiredContact):
                continue
            contact_id = f"{row.client_id}-{number}"
            if one.values.first_name == "Person 7":
                contact_id = sandbox.workspace.add(
                    {"externalId": one.external_id, "defaultFields": {"firstName": "Person 7"}},
                    source="legal-practitioner-app",
                )["id"]
            yield Link(
                one.external_id, row.client_id, one.slot, Standing.LINKED, contact_id, Base(one.values), one.person
            )


def _sync(settings: Settings) -> Night:
    """One sync in a process of its own."""
    command = [*peak.COMMAND, "sync", "--json", "--batch-size", "1000"]
    time_s, done = _run(command, make_environment(settings))
    return Night(time_s, json.loads(done.stdout)["requests"]["total"], peak.parse_peak_mb(done.stderr))


def _run(command: list[str], environment: dict[str, str]) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Seconds of a command, and what it wrote."""
    started = time.monotonic()
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return time.monotonic() - started, done


def make_environment(settings: Settings) -> dict[str, str]:
    """The settings as a command reads them."""
    return {
        "OPENPHONE_API_KEY": settings.api_key,
        "OPENPHONE_BASE_URL": settings.base_url,
        "DATABASE_URL": settings.database_url,
        "OPENPHONE_STATE_DIR": str(settings.state_dir),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
