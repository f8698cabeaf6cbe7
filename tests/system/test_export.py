"""`export-conversations` and `stats`, through the command line and against a real Postgres."""

import contextlib
import csv
import gzip
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from openphone_sync.cli.app import run as run_program
from openphone_sync.cli.signals import ENDING
from openphone_sync.ops.files import replacing
from openphone_sync.sandbox import EmbeddedPostgres, load_samples
from tests.office import wait_until

PROGRAM = (sys.executable, "-m", "openphone_sync")
SAMPLES = 400

ODD_TABLE = r"""
CREATE TYPE mood AS ENUM ('=calm', 'tense');
CREATE DOMAIN note AS text;
CREATE TABLE odd (
    id int PRIMARY KEY, gone int, created_at timestamptz, text text, number numeric, small float8, list text[],
    bytes bytea, document json, binary_document jsonb, naive timestamp, day date, span interval, key uuid,
    padded char(5), mood mood, note note, flag boolean, q text, "Odd ""name"", =1" text
);
ALTER TABLE odd DROP COLUMN gone;
INSERT INTO odd VALUES
    (1, '2026-11-21 08:30:00.123456-08', E'quote " comma , back\\slash\nline\r\ttab \u0001 é 😀',
     123456789012345678901234567890.123456789012345678901234567890, 0.1, ARRAY['a', NULL, 'b"c', ''], '\xdeadbeef',
     E'{"a" :\n\t1,\r\n "b": "\\u0000 \\ud800 x", "a": 1e400}', '{"b": 1.10, "a": "\ud83d\ude00"}',
     '2026-11-21 08:30:00', '2026-11-21', '1 day 02:03:04', '11111111-2222-3333-4444-555555555555', 'ab', '=calm',
     '@note', true, 'q', 'x'),
    (2, '2026-11-21 16:30:00.123456+00', '', 'NaN', 'Infinity', '{}', '', '[]', 'null', '-infinity', 'infinity',
     '-1 day', NULL, '', NULL, '', false, '', ''),
    (3, 'infinity', NULL, '-Infinity', '-0', NULL, NULL, E'"\nbad"'::text::varchar::text IS NULL OR NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
"""
ODD_TABLE = ODD_TABLE.replace("""E'"\\nbad"'::text::varchar::text IS NULL OR NULL""", "E' \\n3 '")


@dataclass(frozen=True)
class Ran:
    code: int
    out: bytes
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(listen_port=0) as running:
        load_samples(running.create_database("samples"), 1, conversations=SAMPLES)
        yield running


@pytest.fixture
def dsn(server: EmbeddedPostgres) -> Iterator[str]:
    yield server.create_database("test", template="samples")
    server.drop_database("test")


@pytest.fixture
def run(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """The command line in this process, in an empty folder; the program's error boundary turns errors into codes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", dsn)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))

    def run_command(*arguments: str) -> Ran:
        capfdbinary.readouterr()
        code = run_program(arguments)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Ran(code, out, err.decode())

    return run_command


@pytest.fixture
def execute(dsn: str) -> Callable[[str], None]:
    def execute_all(statements: str) -> None:
        with psycopg.connect(dsn) as connection:
            connection.execute(statements.encode())

    return execute_all


def start(dsn: str, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "DATABASE_URL": dsn, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        [*PROGRAM, "export-conversations", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def read_by_another_path(dsn: str) -> list[dict[str, Any]]:
    """The rows as Python values, newest first, sorted here."""
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        rows = connection.execute("SELECT * FROM openphone_conversations").fetchall()
    rows.sort(key=lambda row: str(row["id"]))
    rows.sort(key=lambda row: row["created_at"], reverse=True)
    return [{name: as_json(value) for name, value in row.items()} for row in rows]


def as_json(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool | list | dict):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- documents -----------------------------------------------------------------------------------------------------


def test_the_default_is_a_private_json_file_of_today_with_every_row_as_the_database_has_it(
    run: Run, dsn: str, tmp_path: Path
) -> None:
    ran = run("export-conversations")
    (name,) = left_in(tmp_path)
    path = tmp_path / name
    assert (ran.code, ran.err) == (0, "")
    assert name == time.strftime("openphone_export_%Y-%m-%d.json")
    assert ran.out.decode().startswith(f"exported {SAMPLES} conversations to {name} (")
    assert path.stat().st_mode & 0o777 == 0o600
    document = json.loads(path.read_bytes())
    assert list(document) == ["schemaVersion", "exportDate", "totalConversations", "conversations"]
    assert document["totalConversations"] == SAMPLES
    assert document["conversations"] == read_by_another_path(dsn)
    assert list(document["conversations"][0])[:4] == ["id", "conversation_id", "phone_number", "customer_name"]


def test_all_forms_hold_the_same_rows_in_the_same_order(run: Run, tmp_path: Path) -> None:
    for name in ("a.json", "a.ndjson.gz", "a.csv"):
        assert run("export-conversations", "--output", name, "--quiet") == Ran(0, b"", "")
    rows = json.loads((tmp_path / "a.json").read_bytes())["conversations"]
    lines = gzip.decompress((tmp_path / "a.ndjson.gz").read_bytes()).split(b"\n")
    assert [json.loads(line) for line in lines[:-1]] == rows
    records = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_bytes().decode(), newline="")))
    assert [record["id"] for record in records] == [row["id"] for row in rows]
    assert [json.loads(record["messages"]) for record in records] == [row["messages"] for row in rows]
    assert [record["created_at"] for record in records] == [row["created_at"] for row in rows]
    assert [record["last_read_at"] or None for record in records] == [row["last_read_at"] for row in rows]


def test_an_explicit_form_and_compression_rule_over_the_name(run: Run, tmp_path: Path) -> None:
    assert run("export-conversations", "-o", "x.csv.gz", "--format", "ndjson", "--compress", "none").code == 0
    assert len((tmp_path / "x.csv.gz").read_text().splitlines()) == SAMPLES


def test_the_result_can_be_a_document(run: Run, tmp_path: Path) -> None:
    ran = run("export-conversations", "--json", "-o", "a.ndjson", "--limit", "3")
    size = (tmp_path / "a.ndjson").stat().st_size
    expected = {"schemaVersion": 1, "output": str(tmp_path / "a.ndjson"), "format": "ndjson", "compression": "none"}
    assert ran.document == {
        **expected, "totalConversations": 3, "bytes": size, "durationSeconds": ran.document["durationSeconds"]
    }  # fmt: skip


def test_an_export_that_fails_is_a_document_too(run: Run, tmp_path: Path) -> None:
    ran = run("export-conversations", "--json", "-o", "a.json", "--columns", "nope")
    assert (ran.code, ran.document["exitCode"], left_in(tmp_path)) == (2, 2, [])
    assert "nope" in ran.document["message"]
    assert run("export-conversations", "--json", "-o", "-", "--columns", "nope").document["exitCode"] == 2


def test_no_row_is_a_whole_document_in_every_form(run: Run, execute: Callable[[str], None]) -> None:
    execute("TRUNCATE openphone_conversations")
    assert run("export-conversations", "-o", "-").document["conversations"] == []
    assert run("export-conversations", "-o", "-", "--format", "ndjson").out == b""
    assert run("export-conversations", "-o", "-", "--format", "csv").out.endswith(b",knowledge_id\r\n")


def test_jq_reads_what_comes_through_a_pipe(dsn: str, tmp_path: Path) -> None:
    if shutil.which("jq") is None:
        pytest.skip("no jq")
    with start(dsn, tmp_path, "-o", "-") as program:
        shown = subprocess.run(
            ["jq", "[.totalConversations, (.conversations | length)]", "-c"],
            stdin=program.stdout,
            capture_output=True,
            check=True,
        )
    assert (program.returncode, shown.stdout) == (0, b"[%d,%d]\n" % (SAMPLES, SAMPLES))


# --- values --------------------------------------------------------------------------------------------------------


def test_values_are_written_as_postgres_writes_them(run: Run, execute: Callable[[str], None], dsn: str) -> None:
    execute(ODD_TABLE)
    ran = run("export-conversations", "-o", "-", "--table", "odd", "--format", "ndjson")
    lines = ran.out.decode("utf-8").split("\n")
    assert len(lines) == 4
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT row_to_json(o)::text FROM odd o ORDER BY created_at DESC NULLS LAST, id"
        ).fetchall()
    assert lines[:-1] == [row[0].replace("\n", " ").replace("\r", " ") for row in rows]
    endless, first, empty = (json.loads(line) for line in lines[:-1])
    assert "123456789012345678901234567890.123456789012345678901234567890" in lines[1]
    assert r'"b": "\u0000 \ud800 x", "a": 1e400' in lines[1]
    assert first["text"] == 'quote " comma , back\\slash\nline\r\ttab \u0001 é 😀'
    assert first["bytes"] == "\\xdeadbeef"
    assert first["list"] == ["a", None, 'b"c', ""]
    assert first["created_at"] == "2026-11-21T16:30:00.123456+00:00"
    assert first["naive"] == "2026-11-21T08:30:00"
    assert first["padded"] == "ab   "
    assert (empty["number"], empty["small"], endless["number"]) == ("NaN", "Infinity", "-Infinity")
    assert (empty["text"], endless["text"], endless["document"]) == ("", None, 3)


def test_every_row_of_odd_values_is_in_a_valid_document(run: Run, execute: Callable[[str], None]) -> None:
    execute(ODD_TABLE)
    document = run("export-conversations", "-o", "-", "--table", "odd").document
    assert [row["id"] for row in document["conversations"]] == [3, 1, 2]
    assert list(document["conversations"][0])[-1] == 'Odd "name", =1'


def read_csv(out: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(out.decode("utf-8"), newline="")))


def test_csv_cells_hold_the_text_of_the_json_values(run: Run, execute: Callable[[str], None]) -> None:
    execute(ODD_TABLE)
    arguments = ("export-conversations", "-o", "-", "--table", "odd")
    head, *records = read_csv(run(*arguments, "--format", "csv", "--csv-raw").out)
    rows = run(*arguments).document["conversations"]
    assert head == list(rows[0])
    for record, row in zip(records, rows, strict=True):
        for cell, (name, value) in zip(record, row.items(), strict=True):
            if isinstance(value, str) and name not in ("document", "binary_document"):
                assert cell == value, name
            elif value is None:
                assert cell in ("", "null"), name
            else:
                assert json.loads(cell) == value, name


def test_null_and_empty_text_differ_in_csv(run: Run, execute: Callable[[str], None]) -> None:
    execute("CREATE TABLE t (id int PRIMARY KEY, a text, b text); INSERT INTO t VALUES (1, NULL, '')")
    ran = run("export-conversations", "-o", "-", "--table", "t", "--format", "csv")
    assert ran.out == b'id,a,b\r\n1,,""\r\n'


FORMULAS = [
    '=HYPERLINK("http://x")', "+12135550134", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "＝1",
    "＋1", "'quoted", "''", "'", "=", "-", "--", "plain", "a=1", "1-2", "", " x", "0", '"=1"', ",=1", "-5",
]  # fmt: skip


def test_no_cell_begins_like_a_formula_and_removing_one_apostrophe_gives_the_value_back(
    run: Run, execute: Callable[[str], None], dsn: str
) -> None:
    execute("CREATE TABLE t (id int PRIMARY KEY, a text, n numeric)")
    with psycopg.connect(dsn) as connection:
        rows = [(number, text, -number) for number, text in enumerate(FORMULAS)]
        connection.cursor().executemany("INSERT INTO t VALUES (%s, %s, %s)", rows)
        connection.execute("INSERT INTO t VALUES (99, 'x', '-Infinity')")
    arguments = ("export-conversations", "-o", "-", "--table", "t", "--format", "csv")
    records = sorted(read_csv(run(*arguments).out)[1:], key=lambda record: int(record[0]))
    safe = [record[1] for record in records[:-1]]
    assert not [
        cell for cell in safe if cell.lstrip(" \u00a0").startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))
    ]
    assert [cell.removeprefix("'") for cell in safe] == FORMULAS
    assert [cell for cell in safe if not cell.startswith("'")] == [
        "plain", "a=1", "1-2", "", " x", "0", '"=1"', ",=1"
    ]  # fmt: skip
    assert [record[2] for record in records][-3:] == ["-24", "-25", "'-Infinity"]  # numbers stay numbers
    raw = sorted(read_csv(run(*arguments, "--csv-raw").out)[1:], key=lambda record: int(record[0]))
    assert [record[1] for record in raw[:-1]] == FORMULAS


def test_a_database_without_an_encoding_still_gives_valid_text(server: EmbeddedPostgres, run: Run) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE bytes ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    dsn = server.dsn("bytes")
    with psycopg.connect(dsn, client_encoding="SQL_ASCII") as connection:
        connection.execute(b"CREATE TABLE t (id int PRIMARY KEY, a text)")
        connection.execute(b"INSERT INTO t VALUES (1, 'caf\xe9'), (2, 'caf\xc3\xa9')")
    os.environ["DATABASE_URL"] = dsn  # put back by the fixture's monkeypatch
    document = run("export-conversations", "-o", "-", "--table", "t").document
    server.drop_database("bytes")
    assert [row["a"] for row in document["conversations"]] == ["café", "caf\ufffd"]


# --- order and choice ----------------------------------------------------------------------------------------------


def ids(ran: Ran) -> list[Any]:
    return [row["id"] for row in ran.document["conversations"]]


def test_newest_first_then_the_key_and_undated_rows_last(run: Run, execute: Callable[[str], None]) -> None:
    execute(
        "CREATE TABLE t (id int, part int, created_at date, PRIMARY KEY (part, id)); INSERT INTO t VALUES "
        "(1, 1, '2026-01-01'), (2, 1, NULL), (3, 2, '2026-01-02'), (4, 1, '2026-01-02'), (0, 2, '2026-01-02')"
    )
    assert ids(run("export-conversations", "-o", "-", "--table", "t")) == [4, 0, 3, 1, 2]
    assert ids(run("export-conversations", "-o", "-", "--table", "t", "--limit", "2", "--columns", "id")) == [4, 0]


def test_tables_without_time_or_key_and_views_work(run: Run, execute: Callable[[str], None]) -> None:
    execute(
        "CREATE TABLE keyed (id int PRIMARY KEY); INSERT INTO keyed VALUES (2), (3), (1);"
        "CREATE TABLE bare (id int, created_at timestamp); INSERT INTO bare VALUES (2, now()), (3, now()), (1, now());"
        "CREATE VIEW seen AS SELECT * FROM bare; CREATE MATERIALIZED VIEW kept AS SELECT * FROM bare;"
        "CREATE TABLE parts (id int, t text, q text) PARTITION BY LIST (id);"
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); INSERT INTO parts VALUES (1, 't', 'q')"
    )
    assert ids(run("export-conversations", "-o", "-", "--table", "keyed")) == [3, 2, 1]
    assert ids(run("export-conversations", "-o", "-", "--table", "bare")) == [2, 3, 1]
    assert ids(run("export-conversations", "-o", "-", "--table", "seen")) == [1, 2, 3]
    assert sorted(ids(run("export-conversations", "-o", "-", "--table", "kept"))) == [1, 2, 3]
    assert ids(run("export-conversations", "-o", "-", "--table", "parts")) == [1]
    assert run("stats", "--json", "--table", "keyed").document["withoutDate"] == 3


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz", "date"])
def test_since_is_in_and_until_is_out_on_times_with_and_without_zone(
    run: Run, execute: Callable[[str], None], kind: str
) -> None:
    execute(
        f"SET TimeZone = 'UTC'; CREATE TABLE t (id int PRIMARY KEY, created_at {kind}); INSERT INTO t VALUES "
        "(1, '2026-11-20'), (2, '2026-11-21'), (3, '2026-11-22'), (4, NULL)"
    )
    arguments = ("export-conversations", "-o", "-", "--table", "t")
    assert ids(run(*arguments, "--since", "2026-11-20", "--until", "2026-11-22")) == [2, 1]
    assert ids(run(*arguments, "--since", "2026-11-20T16:00:00-08:00")) == [3, 2]
    assert ids(run(*arguments, "--since", "2026-11-20T16:00:01-08:00")) == [3]
    assert ids(run(*arguments, "--until", "2026-11-20T00:00:01")) == [1]
    assert run(*arguments, "--until", "2026-11-20T00:00:01").document["totalConversations"] == 1


SPELLINGS = {
    1: "+12135550134", 2: "2135550134", 3: "(213) 555-0134", 4: "1-213-555-0134", 5: "213.555.0134 x12",
    6: "+1 ２１３ 555‑0134", 7: "213-555-0134 / 310-555-0199", 8: "001 213 555 0134",
    11: "3105550134", 12: "5550134", 13: "+442135550134", 14: "12135550134999", 15: "213555013", 16: None, 17: "",
    18: "Unknown", 19: "+12135550135", 20: "+1213555013", 21: "9+12135550134",
}  # fmt: skip


def test_a_phone_number_is_found_in_any_spelling_and_never_by_a_part(
    run: Run, execute: Callable[[str], None], dsn: str
) -> None:
    execute("CREATE TABLE t (id int PRIMARY KEY, phone_number varchar(50), created_at timestamp DEFAULT '2026-01-01')")
    with psycopg.connect(dsn) as connection:
        connection.cursor().executemany("INSERT INTO t (id, phone_number) VALUES (%s, %s)", SPELLINGS.items())
    for asked in ("213 555 0134", "+1 (213) 555-0134"):
        ran = run("export-conversations", "-o", "-", "--table", "t", "--phone-number", asked)
        assert ids(ran) == [1, 2, 3, 4, 5, 6, 7, 8]
        assert ran.document["totalConversations"] == 8
    assert ids(run("export-conversations", "-o", "-", "--table", "t", "--phone-number", "2135559999")) == []


@pytest.mark.parametrize("asked", ["5550134", "in jail", "213-555-0134, 213-555-0135"])
def test_what_is_not_one_whole_number_is_refused(run: Run, asked: str) -> None:
    ran = run("export-conversations", "--phone-number", asked)
    assert ran.code == 2
    assert "one whole phone number" in ran.err
    assert asked not in ran.err.replace("+12135550134 or (213) 555-0134", "")


@pytest.mark.parametrize("option", ["--phone-number", "--since", "--until", "--columns", "--table", "--output"])
@pytest.mark.parametrize("nothing", ["", " "])
def test_an_option_that_is_given_empty_exports_nothing(run: Run, tmp_path: Path, option: str, nothing: str) -> None:
    ran = run("export-conversations", option, nothing)
    assert (ran.code, ran.out, left_in(tmp_path)) == (2, b"", [])
    assert option in ran.err


def test_columns_come_in_the_order_asked_for(run: Run) -> None:
    arguments = ("export-conversations", "-o", "-", "--limit", "1", "--columns", "phone_number, id")
    assert list(run(*arguments).document["conversations"][0]) == ["phone_number", "id"]
    assert run(*arguments, "--format", "csv").out.startswith(b"phone_number,id\r\n")


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_a_column_that_is_not_there_is_named_before_a_byte_is_written(run: Run, form: str) -> None:
    ran = run("export-conversations", "-o", "-", "--columns", "id,nope", "--format", form)
    assert (ran.code, ran.out) == (2, b"")


def test_a_table_in_another_schema_and_with_a_quoted_name_is_found(run: Run, execute: Callable[[str], None]) -> None:
    execute(
        'CREATE SCHEMA "Other"; CREATE TABLE "Other"."My.Table" (id int); INSERT INTO "Other"."My.Table" VALUES (1);'
        "CREATE SCHEMA plain; CREATE TABLE plain.quo_conversations (id int, q int, openphone_row int)"
    )
    assert ids(run("export-conversations", "-o", "-", "--table", '"Other"."My.Table"')) == [1]
    assert ids(run("export-conversations", "-o", "-", "--table", "plain.Quo_Conversations")) == []


# --- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--table", "nowhere"), "the table nowhere does not exist in database test; name another with --table"),
        (("--table", "no.where"), "the table no.where does not exist"),
        (("--table", "other.public.t"), "--table: 'other.public.t' is not a table name; give table or schema.table"),
        (("--table", 'a"b'), "is not a table name; give table or schema.table"),
        (("--columns", "id,nope"), "has no column nope; choose from id, conversation_id"),
        (("--columns", "id,id"), "id is named twice"),
        (("--since", "soon"), "'soon' is not a date or time"),
        (("--since", "2026-01-02", "--until", "2026-01-02"), "is not after --since"),
        (
            ("--table", "keyless", "--since", "2026-01-02"),
            "need a time in public.keyless.created_at, which is of type text",
        ),
        (("--table", "keyless", "--phone-number", "2135550134"), "needs the column phone_number"),
        (("--output", "-", "--json"), "stdout takes the export (--output -) or this document, not both"),
        (("--output", "no/such/x.json"), "no/such does not exist"),
        (("--output", "folder"), "folder cannot be written (it is a folder"),
    ],
)
def test_a_wrong_argument_is_one_clear_line_and_leaves_nothing(
    run: Run, execute: Callable[[str], None], tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    execute("CREATE TABLE keyless (created_at text)")
    (tmp_path / "folder").mkdir()
    ran = run("export-conversations", *arguments)
    assert (ran.code, ran.out == b"" or "--json" in arguments) == (2, True)
    assert said in " ".join(ran.err.replace("\n", " ").split())
    assert "Traceback" not in ran.err
    assert left_in(tmp_path) == ["folder"]


def test_a_role_that_may_not_read_or_sees_a_part_is_refused(
    server: EmbeddedPostgres, run: Run, execute: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(
        "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; CREATE TABLE hidden (id int); GRANT SELECT ON hidden TO reader;"
        "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; CREATE POLICY later ON hidden USING (id > 1);"
        "CREATE SCHEMA closed; CREATE TABLE closed.t (id int)"
    )
    monkeypatch.setenv("DATABASE_URL", server.dsn("test", user="reader"))
    ran = run("export-conversations")
    assert (ran.code, ran.out) == (3, b"")
    assert "may not read openphone_conversations (permission denied for table" in ran.err
    ran = run("export-conversations", "--table", "hidden")
    assert ran.code == 3
    assert "row-level security hides rows of hidden" in ran.err
    assert run("export-conversations", "--table", "closed.t").code == 3
    ran = run("stats", "--json", "--table", "hidden")
    assert (ran.code, ran.document["totalConversations"], ran.document["perMonth"]) == (3, None, None)
    monkeypatch.setenv("DATABASE_URL", server.dsn("test"))
    execute("DROP OWNED BY reader; DROP ROLE reader")


def test_an_unreachable_database_is_code_3_and_only_its_address_is_required(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OPENPHONE_API_KEY", raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@127.0.0.1:1/d")
    ran = run("export-conversations")
    assert (ran.code, ran.out, left_in(tmp_path)) == (3, b"", [])
    assert "no connection to Postgres" in ran.err
    assert "secret" not in ran.err
    monkeypatch.delenv("DATABASE_URL")
    ran = run("export-conversations")
    assert ran.code == 2
    assert "DATABASE_URL is not set" in ran.err


SLOW_VIEW = """
CREATE VIEW endless AS SELECT g AS id, repeat('x', 2000) AS text, pg_sleep(0.002)::text AS nap FROM generate_series(1, 100000) g;
CREATE VIEW broken AS SELECT g AS id, repeat('x', 2000) AS text, 1 / (3000 - g) AS one FROM generate_series(1, 4000) g;
"""


def is_idle(dsn: str) -> bool:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'openphone-sync'"
        ).fetchone()
    return row == (0,)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_leaves_the_old_file_nothing_else_and_no_query(
    dsn: str, execute: Callable[[str], None], tmp_path: Path, number: signal.Signals
) -> None:
    execute(SLOW_VIEW)
    (tmp_path / "x.ndjson").write_text("old")
    program = start(dsn, tmp_path, "-o", "x.ndjson", "--table", "endless")
    wait_until(lambda: not is_idle(dsn))
    program.send_signal(number)
    out, err = program.communicate(timeout=10)
    assert (program.returncode, out) == (128 + number, b"")
    assert err.decode() == f"openphone-sync: interrupted by signal {number.value}; run the command again\n"
    assert left_in(tmp_path) == ["x.ndjson"]
    assert (tmp_path / "x.ndjson").read_text() == "old"
    wait_until(lambda: is_idle(dsn))


def test_a_reader_that_leaves_ends_it_quietly(dsn: str, execute: Callable[[str], None], tmp_path: Path) -> None:
    execute("INSERT INTO openphone_conversations (messages) SELECT '[]' FROM generate_series(1, 20000)")
    with start(dsn, tmp_path, "-o", "-", "--format", "ndjson") as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert json.loads(program.stdout.readline())
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode == 141
    wait_until(lambda: is_idle(dsn))


class Relay:
    """Stands between program and server, and cuts the line after so many bytes from the server, or falls silent."""

    def __init__(self, port: int, after: int, *, silent: bool = False) -> None:
        self._after = after
        self._silent = silent
        self.done = threading.Event()
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        near, _ = self._listener.accept()
        far = socket.create_connection(("127.0.0.1", self._port))
        threading.Thread(target=self._forward, args=(near, far), daemon=True).start()
        sent = 0
        while sent < self._after:
            data = far.recv(65536)
            near.sendall(data)
            sent += len(data)
        if self._silent:
            self.done.wait(20)
        for one in (near, far, self._listener):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    @staticmethod
    def _forward(near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := near.recv(65536):
                far.sendall(data)


def test_a_connection_lost_in_the_middle_is_code_3_and_the_old_file_stays(
    server: EmbeddedPostgres, run: Run, execute: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    execute("CREATE TABLE t AS SELECT g AS id, repeat('x', 2000) AS text FROM generate_series(1, 3000) g")
    dsn = server.dsn("test", tcp=True)
    port = int(psycopg.conninfo.conninfo_to_dict(dsn)["port"] or 0)
    relay = Relay(port, after=2_000_000)
    monkeypatch.setenv("DATABASE_URL", dsn.replace(f":{port}", f":{relay.port}"))
    (tmp_path / "x.ndjson").write_text("old")
    ran = run("export-conversations", "-o", "x.ndjson", "--table", "t")
    assert (ran.code, ran.out) == (3, b"")
    assert ran.err.startswith("openphone-sync: the connection to the database was lost (")
    assert ran.err.count("\n") == 1
    assert left_in(tmp_path) == ["x.ndjson"]
    assert (tmp_path / "x.ndjson").read_text() == "old"


def test_a_signal_ends_it_though_the_network_has_fallen_silent(
    server: EmbeddedPostgres, execute: Callable[[str], None], tmp_path: Path
) -> None:
    execute("CREATE TABLE t AS SELECT g AS id, repeat('x', 2000) AS text FROM generate_series(1, 3000) g")
    dsn = server.dsn("test", tcp=True)
    port = int(psycopg.conninfo.conninfo_to_dict(dsn)["port"] or 0)
    relay = Relay(port, after=2_000_000, silent=True)
    program = start(dsn.replace(f":{port}", f":{relay.port}"), tmp_path, "-o", "x.ndjson", "--table", "t")
    wait_until(lambda: any(path.stat().st_size > 1_000_000 for path in tmp_path.glob(".*.part")))
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=10)
    relay.done.set()
    assert (program.returncode, left_in(tmp_path)) == (143, [])


def test_what_a_killed_export_left_goes_with_the_next_one_and_what_is_being_written_stays(
    dsn: str, run: Run, execute: Callable[[str], None], tmp_path: Path
) -> None:
    execute("CREATE TABLE t AS SELECT g AS id, repeat('x', 2000) AS text FROM generate_series(1, 3000) g")
    (tmp_path / ".x.json.notes.part").write_text("somebody's own file")
    with replacing(tmp_path / "x.json"):
        [being_written] = tmp_path.glob(".x.json.????????.part")
        killed = start(dsn, tmp_path, "-o", "x.json", "--table", "t")
        wait_until(lambda: len(list(tmp_path.glob(".x.json.????????.part"))) == 2)
        killed.kill()
        killed.communicate(timeout=10)
        assert run("export-conversations", "-o", "x.json", "--table", "t").code == 0
        assert sorted(left_in(tmp_path)) == sorted([".x.json.notes.part", being_written.name, "x.json"])


def test_an_error_of_the_query_in_the_middle_leaves_nothing(
    run: Run, execute: Callable[[str], None], tmp_path: Path
) -> None:
    execute(SLOW_VIEW)
    ran = run("export-conversations", "--format", "ndjson", "--table", "broken")
    assert (ran.code, ran.out, left_in(tmp_path)) == (2, b"", [])
    assert "the database cannot read broken (DivisionByZero" in ran.err


def test_a_full_disk_is_one_clear_line_and_the_old_file_stays(dsn: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("old")
    command = f"ulimit -f 100; exec {sys.executable} -m openphone_sync export-conversations -o x.json"
    environment = {**os.environ, "DATABASE_URL": dsn, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    mend = "so nothing was exported; choose another --output"
    assert ran.stderr == f"openphone-sync: x.json cannot be written (File too large), {mend}\n"
    assert left_in(tmp_path) == ["x.json"]
    assert (tmp_path / "x.json").read_text() == "old"
    with Path("/dev/full").open("wb") as full:
        to_stdout = [*PROGRAM, "export-conversations", "-o", "-"]
        ran = subprocess.run(
            to_stdout, cwd=tmp_path, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ran.returncode == 2
    assert ran.stderr == (
        "openphone-sync: stdout cannot be written (No space left on device), so the export is not complete; "
        "choose another --output\n"
    )


def test_a_link_keeps_leading_to_the_file_and_a_device_stays_a_device(run: Run, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link.json").symlink_to("there/real.json")
    assert run("export-conversations", "-o", "link.json", "--quiet").code == 0
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "there" / "real.json").read_bytes())["totalConversations"] == SAMPLES
    assert run("export-conversations", "-o", "/dev/null", "--quiet").code == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from /proc")
def test_memory_does_not_grow_with_the_rows(dsn: str, execute: Callable[[str], None], tmp_path: Path) -> None:
    execute("CREATE TABLE t AS SELECT g AS id, repeat('x', 2000) AS text FROM generate_series(1, 60000) g")
    measure = (  # the peak of only this program: ru_maxrss begins with that of the parent
        "import runpy, sys\n"
        "try:\n    runpy.run_module('openphone_sync', run_name='__main__')\n"
        "finally:\n    sys.stderr.write(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    environment = {**os.environ, "DATABASE_URL": dsn, "PYTHONPATH": str(Path(__file__).parents[2])}
    peaks = []
    for limit in ("10", "60000"):
        command = [sys.executable, "-c", measure, "export-conversations", "-q", "-o", "x.json.gz", "--table", "t"]
        ran = subprocess.run(
            [*command, "--limit", limit], cwd=tmp_path, env=environment, capture_output=True, check=True
        )
        peaks.append(int(ran.stderr) / 1000)  # kB -> MB
    assert max(peaks) < 80
    assert peaks[1] - peaks[0] < 8


# --- stats ---------------------------------------------------------------------------------------------------------


def test_stats_counts_rows_and_months(run: Run, execute: Callable[[str], None], dsn: str) -> None:
    execute("INSERT INTO openphone_conversations (created_at, messages) VALUES (NULL, 'null'), ('infinity', '{}')")
    ran = run("stats", "--json")
    document = ran.document
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT created_at FROM openphone_conversations WHERE isfinite(created_at)"
        ).fetchall()
    moments = sorted(row[0] for row in rows)
    assert (ran.code, document["schemaVersion"], document["totalConversations"]) == (0, 1, SAMPLES + 2)
    assert document["firstConversation"] == moments[0].isoformat(timespec="milliseconds") + "Z"
    assert document["lastConversation"] == moments[-1].isoformat(timespec="milliseconds") + "Z"
    assert document["withoutDate"] == 2
    assert sum(month["count"] for month in document["perMonth"]) == SAMPLES
    assert document["perMonth"][0] == {
        "month": f"{moments[0]:%Y-%m}", "count": sum(f"{one:%Y-%m}" == f"{moments[0]:%Y-%m}" for one in moments)
    }  # fmt: skip
    shown = run("stats").out.decode()
    assert ["total", str(SAMPLES + 2)] in [line.split() for line in shown.splitlines()]
    assert "without date" in shown


@pytest.mark.parametrize(
    ("url", "code"), [("postgresql://u:s3cret-pw@127.0.0.1:1/d", 3), ("mysql://u:s3cret-pw@h/d", 2), ("", 2)]
)
def test_stats_that_fail_are_one_document_and_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, url: str, code: int
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    ran = run("stats", "--json")
    assert ran.code == code
    assert ran.document["totalConversations"] is None
    assert ran.document["errors"]
    assert len(ran.err.splitlines()) == 1
    assert "s3cret-pw" not in ran.out.decode() + ran.err


def test_stats_of_a_table_that_is_not_there_are_na_and_null(run: Run, execute: Callable[[str], None]) -> None:
    execute("DROP TABLE openphone_conversations")
    shown = run("stats")
    assert shown.code == 2
    assert "total" in shown.out.decode()
    assert "N/A" in shown.out.decode()
    assert "openphone_conversations does not exist" in shown.err
    ran = run("stats", "--json")
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1
    assert ran.document["totalConversations"] is None
    assert list(ran.document) == [
        "schemaVersion", "table", "totalConversations", "firstConversation", "lastConversation", "perMonth",
        "withoutDate", "errors",
    ]  # fmt: skip
