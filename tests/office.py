"""A law office to test in: it has a client table, an OpenPhone workspace, a state folder and the command line."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from openphone_sync.cli.app import run
from openphone_sync.sandbox.samples import CLIENTS_DDL
from tests.fault_injection import FaultySandbox
from tests.schemas import check_document

FAST = 500
"""Requests a second in functional tests; only the pace benchmark goes at the vendor's 10."""

JAMES: Mapping[str, Any] = {
    "client_name": "James Smith",
    "client_type": "criminal",
    "phone": "(213) 555-0134",
    "date_of_birth": "1985-06-15",
    "county": "Los Angeles County",
    "contact_1": "Bob Smith",
    "relationship_1": "Brother",
    "contact_1_phone": "310-555-0188",
}
JAMES_ALONE: Mapping[str, Any] = {**JAMES, "contact_1": None, "relationship_1": None, "contact_1_phone": None}


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its one JSON document."""
        return json.loads(self.out)


class Office:
    """Settings as an operator would have them, and short words for what tests do."""

    def __init__(self, dsn: str, sandbox: FaultySandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dsn = dsn
        self.sandbox = sandbox
        self.folder = folder
        self.state_dir = folder / "state"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "OPENPHONE_STATE_DIR": str(self.state_dir),
            "OPENPHONE_BASE_URL": sandbox.base_url,
            "OPENPHONE_API_KEY": sandbox.options.key,
            "DATABASE_URL": dsn,
            "OPENPHONE_RATE_LIMIT_SECOND": str(FAST),
            "OPENPHONE_RATE_LIMIT_MINUTE": str(FAST * 60),
            "OPENPHONE_RATE_LIMIT_HOUR": str(FAST * 3600),
            "OPENPHONE_RETRY_DELAY": "10",
            "COLUMNS": "160",
        }
        self._monkeypatch = monkeypatch
        self._connection: psycopg.Connection[Any] | None = None
        monkeypatch.chdir(folder)

    # --- the command line ------------------------------------------------------------------------------------------

    def run(self, *arguments: str, **settings: str) -> Ran:
        """The command line in this process: quick. Settings are given in lower case without their prefix, or whole."""
        out, err = io.StringIO(), io.StringIO()
        with self._monkeypatch.context() as patch:
            for name in [name for name in os.environ if name.startswith(("OPENPHONE_", "SUPABASE_", "DATABASE_URL"))]:
                patch.delenv(name)
            for name, value in (self.environment | settings).items():
                patch.setenv(name, value)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(arguments)
        ran = Ran(code, out.getvalue(), err.getvalue())
        if "--json" in arguments and ran.out:
            check_document(arguments, ran.json)
        return ran

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        """The command line as a process of its own, for signals."""
        return subprocess.Popen(
            [sys.executable, "-m", "openphone_sync", *arguments],
            env=self.environment | settings,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def sync(self, *arguments: str, **settings: str) -> Any:
        """A sync that must succeed; its report."""
        ran = self.run("sync", "--json", *arguments, **settings)
        assert ran.code == 0, ran.err + ran.out
        return ran.json

    # --- the database ----------------------------------------------------------------------------------------------

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement; its rows."""
        cursor = self._connect().execute(statement.encode(), values)  # doubled % where it is meant as one
        return cursor.fetchall() if cursor.description else []

    def insert_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each row of values."""
        self._connect().cursor().executemany(statement.encode(), rows)

    def make_clients(self, *rows: Mapping[str, Any]) -> list[str]:
        """The Supabase table with these rows; their ids."""
        self.sql(CLIENTS_DDL)
        return [self.add_client(row) for row in rows]

    def add_client(self, row: Mapping[str, Any]) -> str:
        """One more row; its id."""
        statement = sql.SQL("INSERT INTO clients ({}) VALUES ({}) RETURNING id::text").format(
            sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(sql.Placeholder() * len(row))
        )
        found = self._connect().execute(statement, list(row.values())).fetchone()
        assert found is not None
        return str(found[0])

    def change_client(self, client_id: str, **values: Any) -> None:
        """Edit a row as the office's own program would."""
        for name, value in values.items():
            statement = sql.SQL("UPDATE clients SET {} = %s WHERE id::text = %s").format(sql.Identifier(name))
            self._connect().execute(statement, (value, client_id))

    def _connect(self) -> psycopg.Connection[Any]:
        """One session for all statements of a test: a new one takes longer than most of them."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self.dsn, autocommit=True)
        return self._connection

    def close(self) -> None:
        """End the session."""
        if self._connection is not None:
            self._connection.close()

    # --- OpenPhone -------------------------------------------------------------------------------------------------

    def contact(self, external_id: str) -> Any:
        """The one contact with this external id."""
        found = self.sandbox.workspace.find(external_id)
        assert len(found) == 1, f"{len(found)} contacts with external id {external_id}"
        return found[0]

    def contacts(self) -> list[Any]:
        """Every contact of the workspace."""
        return list(self.sandbox.workspace.contacts())

    def custom(self, contact: Any) -> dict[str, Any]:
        """A contact's custom fields by name, empty ones left out."""
        return {one["name"]: one["value"] for one in contact["customFields"] if one["value"] not in (None, "", [])}

    def requests(self, *methods: str) -> list[tuple[str, str]]:
        """Requests since the last call, by method where given."""
        found = [(one.method, one.path) for one in self.sandbox.requests]
        self.sandbox.forget_requests()
        return [one for one in found if not methods or one[0] in methods]

    # --- the state -------------------------------------------------------------------------------------------------

    def state(self, query: str, *values: Any) -> list[Any]:
        """Rows of the state file."""
        with contextlib.closing(self.open_state()) as connection:
            return connection.execute(query, values).fetchall()

    def open_state(self) -> sqlite3.Connection:
        """The state file, for a test that looks at it or ages it."""
        return sqlite3.connect(self.state_dir / "state.db")


@contextlib.contextmanager
def open_office(dsn: str, sandbox: FaultySandbox, folder: Path) -> Iterator[Office]:
    """An office, in whose folder its commands run."""
    with pytest.MonkeyPatch.context() as patch:
        office = Office(dsn, sandbox, folder, patch)
        yield office
        office.close()


EMPTY = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
DO $$
BEGIN
  EXECUTE (SELECT string_agg(format('DROP SCHEMA %I CASCADE', nspname), ';') FROM pg_namespace
           WHERE nspname !~ '^pg_' AND nspname <> 'information_schema');
  EXECUTE format('ALTER DATABASE %I RESET ALL', current_database());
END $$;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC
"""


def empty_database(dsn: str) -> None:
    """End all sessions of a database and make it as it was when it was new."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(EMPTY)


def make_many(office: Office, count: int) -> None:
    """A table of so many persons with ids from 1: no two of the first 676 share name or phone."""
    office.sql("CREATE TABLE clients (id int PRIMARY KEY, client_name text, phone text, county text)")
    office.sql(
        "INSERT INTO clients SELECT n, 'Person ' || chr(65 + n %% 26) || chr(97 + n / 26 %% 26) || 'son', "
        f"'213-555-' || lpad(n::text, 4, '0'), 'LA' FROM generate_series(1, {count}) AS n"
    )


def wait_until(true: Callable[[], bool], limit_s: float = 60) -> None:
    """Wait for what another process or thread does; AssertionError where it does not come, and something hangs."""
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.01)


def phones(contact: Any) -> dict[str, str]:
    """A contact's phones: value -> label."""
    return {item["value"]: item["name"] for item in contact["defaultFields"]["phoneNumbers"]}


def emails(contact: Any) -> dict[str, str]:
    """A contact's e-mail addresses: value -> label."""
    return {item["value"]: item["name"] for item in contact["defaultFields"]["emails"]}


def find_program(name: str) -> str | None:
    """Path of a program of the system; Debian keeps servers in /usr/sbin."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
