"""The log: what is taken out of records, and the file that they go to."""

import io
import json
import logging
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openphone_sync.config import Settings
from openphone_sync.ops.logging import (
    CONTACTS,
    LOG_FILE,
    OLD_FILES,
    OPERATOR,
    start_logging,
    stop_logging,
)
from openphone_sync.ops.redaction import Redactor, list_secrets, make_redactor

DSN = "postgresql://office:p%40ss-word9@db.example.com:5432/law"


@pytest.fixture(autouse=True)
def _take_down() -> Iterator[None]:
    yield
    stop_logging()
    logging.raiseExceptions = True


@pytest.fixture
def redactor() -> Redactor:
    made = make_redactor(
        Settings(Path(), api_key="KEY1234567890", database_url=DSN, alert_urls=("json://hook.example.com/T0KEN",))
    )
    made.learn_row('{"id":1,"client_name":"Jane O\'Brien-Smith","contact_1":"Zoë Müller","contact_2":null,"phone":"x"}')
    return made


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("key KEY1234567890, again KEY1234567890", "key [secret], again [secret]"),
        (f"cannot connect to {DSN}", "cannot connect to [secret]"),
        ("postgres://a:b@c/d failed", "[dsn] failed"),
        ("https://user:pass@host/x", "https://[secret]@host/x"),
        ("password p@ss-word9 and p%40ss-word9", "password [secret] and [secret]"),
        ("password=hunter2 host=db", "password=[secret] host=db"),
        ("{'Authorization': 'abc def', 'Accept': '*'}", "{'Authorization': [secret], 'Accept': '*'}"),
        ("Authorization: Bearer abc", "Authorization: [secret]"),
        ("POST json://hook.example.com/T0KEN", "POST [secret]"),
        ("(604) 555-0112 and 604.555.0112 x5", "[phone] and [phone] x5"),
        ("+44 20 7946 0958;+16045550112", "[phone];[phone]"),
        ("555\u20110199", "[phone]"),
        ("\uff16\uff10\uff14\uff15\uff15\uff15\uff10\uff11\uff11\uff12", "[phone]"),
        ("mail jane.o+x@example.co.uk", "mail [e-mail]"),
        ("born 1980-02-03", "born [date]"),
        ("Jane O'Brien-Smith (brother of ZOË MÜLLER)", "[name] (brother of [name])"),
        ("'first_name': 'Ann', \"lastName\": \"Lee\"", "'first_name': [name], \"lastName\": [name]"),
        ("Link(person='Ann Lee', slot=1)", "Link(person=[name], slot=1)"),
    ],
)
def test_secrets_and_people_are_taken_out(redactor: Redactor, text: str, clean: str) -> None:
    assert redactor.clean(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "client_c38c38e8-3cc5-4130-9206-da094e5281b0 created",
        "client_1234567_alt_1 updated",
        "12345678-1234-1234-1234-123456789012",
        "contact 65f1c0a1b2c3d4e5f6a7b8c9",
        "run 20261121T125049Z-abcdef succeeded: 162 created",
        "2026-11-21T02:00:00.123Z and 2026-11-21 02:00:00",
        "127.0.0.1 and 192.168.100.200, port 54321",
        "the API answered 503 (Service Unavailable)",
    ],
)
def test_ids_times_and_addresses_of_machines_stay(redactor: Redactor, text: str) -> None:
    assert redactor.clean(text) == text


@pytest.mark.parametrize(
    ("url", "pieces"),
    [
        ("postgresql://u:p4ss@word/x:2@db.example.com/law", ["p4ss@word/x:2", "p4ss", "word"]),
        ("postgres://u:12/w0rd#more?it@db:5432/law?sslmode=require", ["12/w0rd#more?it", "w0rd", "more"]),
        ("postgresql://u:a%2Fb%40cdef@db/law", ["a%2Fb%40cdef", "a/b@cdef"]),
        (
            "postgresql:///law?host=db&user=u&password=p%40ss&sslpassword=keyfile",
            ["p%40ss", "p@ss", "p%40ss", "keyfile"],
        ),
        ("host=db password=p&ss=w@rd dbname=law", ["p&ss=w@rd", "ss=w"]),
        (r"host=db password = 'two words, one \' and \\' dbname=law", ["two words, one ' and \\", "words,"]),
        (r"password=with\ space host=db", ["with space", "with", "space"]),
        ("password='never closed host=db", ["never closed host=db"]),
    ],
)
def test_every_spelling_and_piece_of_the_password_is_secret(url: str, pieces: list[str]) -> None:
    secrets = list_secrets(Settings(Path(), database_url=url))
    assert [piece for piece in pieces if piece not in secrets] == []


def test_lines_for_the_operator_keep_examples_and_lose_secrets(redactor: Redactor) -> None:
    example = "give postgresql://user:password@host/db"
    assert redactor.hide_secrets(example) == example
    assert DSN not in redactor.hide_secrets(f"no {DSN}")


LONG_RECORDS = """
from openphone_sync.ops.redaction import Redactor
redactor = Redactor()
redactor.learn_row('{"client_name":"Jane Smith"}')
for piece in ["a", "a.", "1", "1 ", "a@", "a://", "'", "password ", "Zoe "]:
    redactor.clean(piece * (100_000 // len(piece)) + " ://@-")  # which each of the patterns looks for first
"""


def test_no_long_record_hangs_a_run() -> None:
    """Seconds, where the work grows with the length; with its square, hours."""
    subprocess.run([sys.executable, "-c", LONG_RECORDS], check=True, timeout=60)


def test_every_librarys_records_and_tracebacks_are_cleaned(tmp_path: Path) -> None:
    start_logging(tmp_path, secrets=["KEY1234567890"])
    try:
        dict[object, int]()["Ann", "604-555-0112", "KEY1234567890"]
    except KeyError:
        logging.getLogger("some.library").exception("cannot call %s", "+16045550112", stack_info=True)
    text = (tmp_path / LOG_FILE).read_text()
    assert "cannot call [phone]" in text
    assert "KeyError" in text
    assert "Stack" in text
    for secret in ("KEY1234567890", "604-555-0112", "6045550112"):
        assert secret not in text


def test_a_record_with_wrong_arguments_is_no_trouble_and_no_leak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start_logging(tmp_path)
    logging.getLogger("x").error("%d", "604-555-0112")
    assert "604" not in (tmp_path / LOG_FILE).read_text() + capsys.readouterr().err


def test_httpx_says_nothing_of_addresses(tmp_path: Path) -> None:
    start_logging(tmp_path)
    logging.getLogger("httpx").info("HTTP Request: GET https://api.quo.com/v1/contacts?externalIds=1")
    assert not (tmp_path / LOG_FILE).exists()


def test_no_record_makes_no_file(tmp_path: Path) -> None:
    start_logging(tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_the_file_is_private_and_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openphone_sync.ops.logging.MAX_BYTES", 100_000)
    start_logging(tmp_path / "state")
    line = "x" * 5_000
    for _ in range((OLD_FILES + 2) * 100_000 // len(line)):
        logging.getLogger("x").info(line)
    files = sorted(path.name for path in (tmp_path / "state").iterdir())
    assert files == [LOG_FILE, *(f"{LOG_FILE}.{number}" for number in range(1, OLD_FILES + 1))]
    for path in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.stat().st_size <= 100_000
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_json_lines_are_json(tmp_path: Path) -> None:
    start_logging(tmp_path, log_format="json")
    logging.getLogger("a").warning("one\nline")
    try:
        int("x")
    except ValueError:
        logging.getLogger("a").exception("two")
    first, second = map(json.loads, (tmp_path / LOG_FILE).read_text().splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("warning", "a", "one\nline")
    assert first["time"].endswith("Z")
    assert "ValueError: invalid literal" in second["details"]


def test_a_folder_that_cannot_be_written_costs_the_file_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    start_logging(tmp_path / "file" / "state")
    logging.getLogger("a").warning("lost")
    logging.getLogger(OPERATOR).warning("mend me")
    assert capsys.readouterr().err == "openphone-sync: mend me\n"
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize(("verbose", "lines"), [(False, ""), (True, "create client_1\n")])
def test_verbose_shows_one_line_for_each_contact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verbose: bool, lines: str
) -> None:
    start_logging(tmp_path, verbose=verbose)
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)  # as a progress bar does
    logging.getLogger(CONTACTS).info("%s %s", "create", "client_1")
    assert stderr.getvalue() == lines


def test_the_operator_is_told_on_stderr_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(tmp_path, to_file=False)
    logging.getLogger(OPERATOR).warning("mend me")
    logging.getLogger("other").warning("not me")
    assert capsys.readouterr().err == "openphone-sync: mend me\n"
    assert not (tmp_path / LOG_FILE).exists()
