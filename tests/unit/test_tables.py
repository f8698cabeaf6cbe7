"""Tables and lines: they fit the terminal, break between words, and are tab separated elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openphone_sync.cli.tables import measure, print_line, print_pairs, print_table
from openphone_sync.documents import describe_when

NOW = datetime(2026, 11, 26, 4, 0, tzinfo=timezone(timedelta(hours=-8)))  # a Thursday


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=20), "just now, 03:59"),
        (timedelta(minutes=1), "1 minute ago, 03:59"),
        (timedelta(hours=2), "2 hours ago, 02:00"),
        (timedelta(hours=23, minutes=59), "23 hours ago, 04:01"),
        (timedelta(days=3, hours=2), "3 days ago, Mon 02:00"),
        (timedelta(days=8), "2026-11-18 04:00"),
        (timedelta(hours=-22), "in 22 hours, 02:00"),
        (timedelta(seconds=-5), "in a moment, 04:00"),
    ],
)
def test_times_are_relative_and_local(ago: timedelta, words: str) -> None:
    assert describe_when((NOW - ago).astimezone(UTC), NOW) == words


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    return monkeypatch


def test_a_narrow_table_breaks_between_words(terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "why", "id"), [("Ana García Márquez", "the phone is not a usable number", "1c4bbd33")])
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()[2:4]] == ["Ana García", "Márquez"]


def test_a_table_that_cannot_fit_is_shown_row_by_row(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = ("+", "Ana García", "contact_2_phone", "Kleinschmidt-Vanderbeek", "056366bc_alt_1")
    print_table(("", "create (1)", "column", "what", "id"), [row])
    assert capsys.readouterr().out.splitlines() == [
        "create (1)",
        "+ Ana García",
        "  column  contact_2_phone",
        "  what    Kleinschmidt-Vanderbeek",
        "  id      056366bc_alt_1",
    ]


TEXTS = st.text(alphabet=st.sampled_from("ab -é山😀ק\u0301"), max_size=60)


@given(rows=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=4), width=st.integers(40, 200))
def test_every_table_fits(rows: list[tuple[str, str, str]], width: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("TTY_COMPATIBLE", "1"), ("NO_COLOR", "1"), ("COLUMNS", str(width))):
            patch.setenv(name, value)
        shown: list[str] = []
        patch.setattr("sys.stdout", type("Out", (), {"write": shown.append, "flush": lambda self: None})())
        print_table(("name", "value", "id"), rows)
        print_line("".join(rows[0]) if rows else "")
        print_pairs([("a", "".join(rows[0]) if rows else "")])
    assert all(measure(line) <= width for line in "".join(shown).split("\n"))


def test_elsewhere_tabs_separate_columns_and_nothing_wraps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_table(("name", "why"), [("Ana\tGarcía", "the phone is not a usable number " * 9)])
    print_line("word " * 40)
    head, row, line = capsys.readouterr().out.splitlines()
    assert head == "name\twhy"
    assert row.startswith("Ana\\tGarcía\tthe phone")
    assert len(line) == 199


@pytest.mark.parametrize(
    ("settings", "painted"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)],
)
def test_colour_is_for_terminals_that_want_it(
    settings: dict[str, str], painted: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in ({"TTY_COMPATIBLE": "1", "TERM": "xterm"} | settings).items():
        monkeypatch.setenv(name, value)
    print_table(("status", "what"), [("failed", "no contacts")])
    assert ("\x1b[31mfailed\x1b[0m" in capsys.readouterr().out) is painted
