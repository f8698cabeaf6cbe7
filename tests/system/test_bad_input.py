"""What goes wrong before the first write: one line, the right exit code, nothing half done."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from openphone_sync.sandbox import EmbeddedPostgres, SandboxOptions
from tests.fault_injection import FaultySandbox, parse_fault
from tests.office import FAST, JAMES, Office, Ran

PASSWORD = "pl4nted-p4ssword"


def assert_stopped(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code, ran.err
    lines = ran.err.strip().splitlines()
    assert len(lines) == 1, ran.err
    assert lines[0].startswith("openphone-sync: ")
    for word in words:
        assert word in lines[0]
    assert "Traceback" not in ran.err
    assert PASSWORD not in ran.err + ran.out


def assert_nothing_written(office: Office) -> None:
    assert office.requests("POST", "PATCH", "DELETE") == []


def test_all_bad_settings_are_named_at_once(office: Office) -> None:
    bad = {
        "DATABASE_URL": "garbage " + PASSWORD,
        "OPENPHONE_HEALTHCHECK_URL": "notaurl",
        "OPENPHONE_ALERT_URLS": "zzz",
        "OPENPHONE_RATE_LIMIT_HOUR": "0",
        "OPENPHONE_SOURCE": "csv-import",
    }
    ran = office.run("sync", "--json", **bad)
    assert ran.code == 2
    assert all(name in ran.err for name in bad)
    assert PASSWORD not in ran.err + ran.out
    assert ran.json["exitCode"] == 2
    first, *faults = ran.err.splitlines()  # each fault has a line of its own
    assert first == f"openphone-sync: {len(bad)} settings need fixing:"
    assert [fault[:2] for fault in faults] == ["  "] * len(bad)


@pytest.mark.parametrize(
    "address",
    [
        f"https://user:{PASSWORD}@api.example.com",
        f"https://:{PASSWORD}@api.example.com",
        f"user:{PASSWORD}@api.example.com",
        f"https://api.example.com?token={PASSWORD}",
    ],
)
def test_an_address_with_a_password_is_refused_and_not_shown(office: Office, address: str) -> None:
    assert_stopped(office.run("sync", OPENPHONE_BASE_URL=address), 2, "OPENPHONE_BASE_URL", "https://api.quo.com")


def test_all_missing_settings_are_named_at_once(office: Office) -> None:
    ran = office.run(
        "sync", OPENPHONE_API_KEY="", DATABASE_URL="", OPENPHONE_TIMEOUT="soon", OPENPHONE_NAME_THRESHOLD="1.5"
    )
    assert ran.code == 2
    for name in ("OPENPHONE_API_KEY", "DATABASE_URL", "OPENPHONE_TIMEOUT", "OPENPHONE_NAME_THRESHOLD"):
        assert name in ran.err
    assert not office.state_dir.exists()


def test_supabase_settings_alone_are_told_where_the_connection_string_is(office: Office) -> None:
    ran = office.run("sync", DATABASE_URL="", SUPABASE_URL="https://x.supabase.co", SUPABASE_SERVICE_ROLE_KEY=PASSWORD)
    assert_stopped(ran, 2, "DATABASE_URL", "Supabase", "Connect")


def test_supabases_direct_host_out_of_reach_is_told_of_the_pooler(office: Office) -> None:
    nowhere = f"postgresql://postgres:{PASSWORD}@db.abcdefgh.supabase.co:1/postgres?hostaddr=127.0.0.1"
    assert_stopped(office.run("sync", DATABASE_URL=nowhere), 3, "db.abcdefgh.supabase.co", "session pooler")


def test_a_refused_key_ends_the_run(office: Office) -> None:
    office.make_clients(JAMES)
    for key in ("wrong", f"Bearer{office.sandbox.options.key}"):
        assert_stopped(office.run("sync", OPENPHONE_API_KEY=key), 3, "OPENPHONE_API_KEY", "401")
    assert_stopped(office.run("sync", OPENPHONE_API_KEY="with space"), 2, "OPENPHONE_API_KEY")
    assert_nothing_written(office)


def test_a_key_of_another_workspace_ends_the_run(office: Office) -> None:
    office.make_clients(JAMES)
    office.sync()
    with FaultySandbox(SandboxOptions(seed=2, key="another-workspace-key", rate_limit=FAST)) as other:
        ran = office.run(
            "sync", "--force", OPENPHONE_BASE_URL=other.base_url, OPENPHONE_API_KEY="another-workspace-key"
        )
        assert_stopped(ran, 4, "another OpenPhone workspace")
        assert [one.method for one in other.requests] == ["GET"]
    report = office.run("sync", "--json")
    assert report.code == 0


def test_a_new_key_of_the_same_workspace_is_welcome(office: Office) -> None:
    office.make_clients(JAMES)
    office.sync()
    with FaultySandbox(SandboxOptions(seed=1, key="a-new-key", rate_limit=FAST)) as same:
        report = office.sync(OPENPHONE_BASE_URL=same.base_url, OPENPHONE_API_KEY="a-new-key")
        assert report["requests"]["total"] == 1
        assert office.sync(OPENPHONE_BASE_URL=same.base_url, OPENPHONE_API_KEY="a-new-key")["requests"]["total"] == 0


def test_another_database_ends_the_run(office: Office, another_dsn: str) -> None:
    office.make_clients(JAMES)
    office.sync()
    with psycopg.connect(another_dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE clients (id int, client_name text)")
    assert_stopped(office.run("sync", DATABASE_URL=another_dsn), 4, "DATABASE_URL", "another one")
    assert_nothing_written_but_creations(office)


def assert_nothing_written_but_creations(office: Office) -> None:
    assert {method for method, _ in office.requests("POST", "PATCH", "DELETE")} == {"POST"}


@pytest.mark.parametrize(
    ("url", "code", "word"),
    [
        ("postgresql://user:{password}@127.0.0.1:{port}/db", 3, "connection refused"),
        ("postgresql://user:{password}@no-such-host.invalid/db", 3, "unknown host"),
        ("postgresql://user:{password}@127.0.0.1:notaport/db", 2, "DATABASE_URL"),
        ("mysql://user:{password}@127.0.0.1/db", 2, "Postgres connection string"),
        ("host=127.0.0.1 password={password} port={port}", 3, "connection refused"),
        ("host=127.0.0.1 bogus={password}", 2, "not a Postgres connection string"),
    ],
)
def test_a_database_that_cannot_be_reached(office: Office, url: str, code: int, word: str) -> None:
    with free_port() as port:
        assert_stopped(office.run("sync", DATABASE_URL=url.format(password=PASSWORD, port=port)), code, word)


@contextmanager
def free_port() -> Iterator[int]:
    """A port on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(scope="module")
def tcp_postgres() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(listen_port=0) as server:
        yield server


def test_a_wrong_password_is_refused(office: Office, tcp_postgres: EmbeddedPostgres) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(tcp_postgres.dsn(tcp=True))
    url = f"postgresql://{parts['user']}:{PASSWORD}@127.0.0.1:{parts['port']}/postgres"
    assert_stopped(office.run("sync", DATABASE_URL=url), 3, "refused the login")


def test_a_database_that_does_not_exist_is_refused(office: Office) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(office.dsn)
    assert_stopped(
        office.run("sync", DATABASE_URL=psycopg.conninfo.make_conninfo(**dict[str, Any](parts | {"dbname": "nope"}))),
        3,
        "nope",
    )


def test_a_missing_table_is_named(office: Office) -> None:
    assert_stopped(office.run("sync"), 2, '"Client"', "clients", "OPENPHONE_CLIENT_TABLE")
    assert_stopped(office.run("sync", OPENPHONE_CLIENT_TABLE="law.people"), 2, "law.people")


@pytest.mark.parametrize("name", ["a.b.c", "public.", ".clients", '"clients', "a..b"])
def test_what_is_no_table_name_is_told(office: Office, name: str) -> None:
    ran = office.run("sync", OPENPHONE_CLIENT_TABLE=name)
    assert_stopped(ran, 2, f"OPENPHONE_CLIENT_TABLE: {name!r} is not a table name; give table or schema.table")


def test_two_tables_ask_for_a_choice(office: Office) -> None:
    office.make_clients(JAMES)
    office.sql('CREATE TABLE "Client" (id int, client_name text)')
    assert_stopped(office.run("sync"), 2, "both", "OPENPHONE_CLIENT_TABLE")
    assert office.sync(OPENPHONE_CLIENT_TABLE="public.clients")["contacts"]["created"] == 2


def test_a_missing_column_is_named(office: Office) -> None:
    office.sql("CREATE TABLE clients (id int, name text)")
    assert_stopped(office.run("sync"), 2, "client_name (perhaps it is name)")
    assert_stopped(office.run("sync", OPENPHONE_CLIENT_QUERY="SELECT 1 AS id, 'x' AS label"), 2, "client_name")
    assert_stopped(office.run("sync", OPENPHONE_EXTRA_COLUMNS="nope"), 2, "nope")
    assert_stopped(
        office.run("sync", "--client-type", "civil", OPENPHONE_CLIENT_QUERY="SELECT 1 AS id, 'x' AS client_name"),
        2,
        "client_type",
    )


@pytest.mark.parametrize(
    "query",
    [
        "SELEC 1",
        "SELECT * FROM nope",
        "SELECT nope",
        "DELETE FROM pg_class RETURNING 1",
        "SELECT 1/0 AS id, 'x' AS client_name",
    ],
)
def test_a_bad_query_is_refused(office: Office, query: str) -> None:
    assert_stopped(office.run("sync", OPENPHONE_CLIENT_QUERY=query), 2, "the database")


@pytest.mark.parametrize("command", ["sync", "test-connection"])
def test_a_query_is_one_statement_whatever_it_holds(office: Office, command: str) -> None:
    office.make_clients(JAMES)
    office.sql("CREATE TABLE witness (n int)")
    inner = "SELECT * FROM clients"
    query = f"{inner}) AS source; COMMIT; INSERT INTO witness VALUES (1); SELECT * FROM ({inner}"
    office.run(command, OPENPHONE_CLIENT_QUERY=query)
    assert office.sql("SELECT * FROM witness") == []


def test_ids_must_be_there_and_unique(office: Office) -> None:
    twice = "SELECT 1 AS id, 'Ann' AS client_name UNION ALL SELECT 1, 'Bo'"
    assert_stopped(office.run("sync", OPENPHONE_CLIENT_QUERY=twice), 2, "the id 1 comes twice")
    missing = "SELECT NULL::int AS id, 'Ann' AS client_name"
    assert_stopped(office.run("sync", OPENPHONE_CLIENT_QUERY=missing), 2, "NULL")


def role(office: Office, name: str) -> str:
    """A role of its own that may connect; its connection string."""
    office.sql(f"DO $$ BEGIN CREATE ROLE {name} LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
    parts = psycopg.conninfo.conninfo_to_dict(office.dsn)
    return psycopg.conninfo.make_conninfo(**dict[str, Any](parts | {"user": name}))


def test_no_right_to_select_is_named(office: Office) -> None:
    office.make_clients(JAMES)
    assert_stopped(office.run("sync", DATABASE_URL=role(office, "no_select")), 3, "permission denied", "GRANT SELECT")


def test_row_level_security_that_hides_all_rows_is_no_empty_table(office: Office) -> None:
    office.make_clients(JAMES)
    limited = role(office, "no_rows")
    office.sql("GRANT SELECT ON clients TO no_rows")
    office.sql("ALTER TABLE clients ENABLE ROW LEVEL SECURITY")
    assert_stopped(office.run("sync", DATABASE_URL=limited), 2, "row-level security")
    office.sync()
    assert_stopped(office.run("sync", "--force", DATABASE_URL=limited), 4, "row-level security")
    assert len(office.contacts()) == 2


def test_an_empty_table_after_a_full_one_stops(office: Office) -> None:
    office.make_clients(JAMES)
    office.sync()
    office.sql("DELETE FROM clients")
    assert_stopped(office.run("dry-run"), 4, "no rows", "--force")
    ran = office.run("sync", "--json")
    assert ran.code == 4
    assert ran.json["status"] == "stopped"
    assert office.run("sync", "--force").code == 0
    assert len(office.contacts()) == 2


@pytest.mark.parametrize(
    "fault",
    ["not-json:count=none", "status:status=502,style=html,count=none", "truncated:count=none", "empty:count=none"],
)
def test_answers_that_are_no_json_end_the_run(office: Office, fault: str) -> None:
    office.make_clients(JAMES)
    office.sandbox.faults.add(parse_fault(fault))
    assert_stopped(office.run("sync"), 3, "OpenPhone cannot be read", "OPENPHONE_BASE_URL")
    assert_nothing_written(office)


def test_an_api_that_is_not_there(office: Office) -> None:
    office.make_clients(JAMES)
    with free_port() as port:
        assert_stopped(office.run("sync", OPENPHONE_BASE_URL=f"http://127.0.0.1:{port}"), 3, "no connection")
    assert_stopped(office.run("sync", OPENPHONE_BASE_URL="http://api.example.org"), 2, "https")


def test_a_state_folder_that_cannot_be_made_or_written(office: Office) -> None:
    office.make_clients(JAMES)
    blocked = office.folder / "file"
    blocked.write_text("")
    assert_stopped(office.run("sync", "--state-dir", str(blocked / "state")), 2, "state folder")
    if os.geteuid() == 0:
        assert_stopped(office.run("sync", "--state-dir", "/proc/openphone-sync"), 2, "state folder")
    assert_nothing_written(office)


@pytest.mark.parametrize("command", ["sync", "status", "test-connection"])
def test_paths_that_lead_nowhere_are_named(office: Office, command: str) -> None:
    for arguments in (["--state-dir", "~nosuchuser/x"], ["--env-file", "~nosuchuser/x"], ["--env-file", "x" * 300]):
        assert_stopped(office.run(command, *arguments), 2, arguments[1])
    for setting, named in (
        ("OPENPHONE_STATE_DIR", "~nosuchuser/x"),
        ("OPENPHONE_CLIENT_QUERY", "OPENPHONE_CLIENT_QUERY"),
    ):
        ran = office.run(command, **{setting: f"{'@' if 'QUERY' in setting else ''}~nosuchuser/x"})
        if command == "test-connection":  # a failed check among the others
            assert (ran.code, f"FAIL  settings: {named}" in ran.out) == (2, True), ran.out
        else:
            assert_stopped(ran, 2, named)


@pytest.mark.parametrize(
    "command",
    ["metrics --last", "sync --limit", "dry-run --limit", "sync --batch-size", "export-conversations --limit"],
)
def test_a_number_without_end_is_refused(office: Office, command: str) -> None:
    office.make_clients(JAMES)
    ran = office.run(*command.split(), "9" * 20)
    assert ran.code == 2
    assert "bug" not in ran.err
    assert_nothing_written(office)


def test_an_empty_folder_is_not_the_current_one(office: Office) -> None:
    for option in ("--state-dir", "--env-file"):
        ran = office.run("status", option, "")
        assert ran.code == 2
        assert option in ran.err


@pytest.mark.parametrize("damage", ["garbage", "torn", "other"])
def test_a_damaged_state_file_is_not_written_over(office: Office, damage: str) -> None:
    office.make_clients(JAMES)
    office.sync()
    office.requests()
    state = office.state_dir / "state.db"
    if damage == "garbage":
        state.write_bytes(b"not a database" * 1000)
    elif damage == "torn":
        whole = state.read_bytes()
        state.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    else:
        office.state_dir.joinpath("other.db").write_bytes(b"")
        state.unlink()
        with sqlite3.connect(state) as connection:
            connection.execute("CREATE TABLE notes (text)")
    kept = state.read_bytes()
    assert_stopped(office.run("sync"), 2, "state.db")
    assert state.read_bytes() == kept
    assert office.requests() == []
