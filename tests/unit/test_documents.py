"""Texts that a terminal, a log or a spreadsheet would obey."""

from __future__ import annotations

import csv
import io
import json
import logging
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openphone_sync.documents import INVISIBLE, escape_text, guard_cell, to_csv, to_json
from openphone_sync.ops.logging import LOG_FILE, start_logging, stop_logging

OBEYED = "\x1b]0;title\x07\x1b[2J\x9b31m\u202eexe.pdf\u2066\u200b\ufeff\x7f\r\n\U000e0041"
ESCAPED = r"\x1b]0;title\x07\x1b[2J\x9b31m\u202eexe.pdf\u2066\u200b\ufeff\x7f\r\n\U000e0041"


def test_what_a_terminal_would_obey_is_shown_as_an_escape() -> None:
    assert escape_text(f"id {OBEYED} end") == f"id {ESCAPED} end"
    assert escape_text("half \ud83d") == "half \\ud83d"


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([OBEYED, "half \ud83d", '\\"/']),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values, max_size=3),
)


@given(VALUES, VALUES)
def test_a_long_document_is_written_as_a_short_one(first: object, second: object) -> None:
    short, long = (to_json({"long": "x" * length, "first": first, "second": second}) for length in (1, 100_000))
    assert long.replace("x" * 100_000, "x", 1) == short


@pytest.mark.parametrize(
    "text", ["Zoë Ångström", "Анна", "山田 太郎", "עמית", "علي", "👩‍👩‍👧 👍🏽", "Ann\xa0Lee", "O’Brien; 'x' \\n"]
)
def test_what_people_write_stays(text: str) -> None:
    assert escape_text(text) == text
    assert json.loads(to_json({"x": text})) == {"x": text}
    assert text in to_json({"x": text}).replace("\\\\", "\\")


def test_json_has_the_same_values_and_nothing_that_a_terminal_would_obey() -> None:
    text = to_json({OBEYED: [OBEYED]})
    assert json.loads(text) == {OBEYED: [OBEYED]}
    assert escape_text(text.replace("\n", "")) == text.replace("\n", "")


@given(st.text())
def test_every_text_is_one_line_and_can_be_written(text: str) -> None:
    assert len(escape_text(text).splitlines()) <= 1
    escape_text(text).encode()
    assert escape_text(escape_text(text)) == escape_text(text)
    assert json.loads(to_json({"x": text})) == {"x": text}


@pytest.mark.parametrize("start", ["", *INVISIBLE, "\ufeff \u200b\u202e"])
@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@x", "＝1", "＠x"])
def test_no_cell_is_a_formula_whatever_stands_before_it(start: str, formula: str) -> None:
    assert guard_cell(start + formula) == f"'{start}{formula}"


@pytest.mark.parametrize("text", ["'x", "\tx", "\nx"])
def test_what_a_spreadsheet_would_eat_is_guarded(text: str) -> None:
    assert guard_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "x=1", "Ann", " Ann", "1-2", "(213) 555-0134"])
def test_a_plain_cell_stays(text: str) -> None:
    assert guard_cell(text) == text


def test_a_table_is_guarded_cell_by_cell_and_numbers_stay_numbers() -> None:
    rows = list(csv.reader(io.StringIO(to_csv(("id", "n"), [("=cmd()", -1), ("\u202e=cmd()", 0.5)]))))
    assert rows == [["id", "n"], ["'=cmd()", "-1"], ["'\u202e=cmd()", "0.5"]]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_log_record_is_one_line_that_nothing_obeys(
    log_format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start_logging(tmp_path, log_format=log_format, verbose=True)
    try:
        logging.getLogger("openphone_sync.operator").warning("contact %s", OBEYED)
        logging.getLogger("openphone_sync.contacts").info("contact %s", OBEYED)
    finally:
        stop_logging()
    logged = (tmp_path / LOG_FILE).read_text().splitlines()
    assert len(logged) == 2
    assert all(escape_text(line) == line for line in logged)
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 2
    assert all(escape_text(line) == line for line in printed)


def test_a_traceback_is_escaped_line_by_line(tmp_path: Path) -> None:
    start_logging(tmp_path)
    try:
        raise ValueError(OBEYED)  # noqa: TRY301
    except ValueError:
        logging.getLogger("x").exception("bug")
    finally:
        stop_logging()
    logged = (tmp_path / LOG_FILE).read_text().splitlines()
    assert len(logged) > 2
    assert all(escape_text(line) == line for line in logged)
    assert sys.exc_info() == (None, None, None)
