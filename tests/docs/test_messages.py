"""Every error message: found, in the house form, saying what is wrong, with which value, and what to do now."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.messages import MARK, PACKAGE, Message, Messages
from tests.docs.page import SECTIONS, is_of_one_contact, make_page

MESSAGES = Messages()
FOUND = MESSAGES.found

VERBS = frozenset(
    re.split(
        r"\s+",
        """add begin call change check choose compare connect explain free give grant install keep leave look make mend move name
    open press put raise redirect release rename run see set start take try use wait write""",
    )
)
"""How what to do begins: the imperative."""

HARMLESS = frozenset(
    re.split(
        r",\s+",
        """accepted, allowed, answer, argument, backups, candidate, cause, changes, client id, clients, close,
        column, count, current version, database, decision, error, external id, failures, fault, field, file,
        filename, folder, free gb, gone, hints, host, ids, kind, known, known clients, label, last, length,
        limit, linked before, log formats, marks, minutes, missing, missing columns, mode, more, named,
        number, obeyed, one line, option, parent, part, parts, path, per second, place, port, program,
        rate limit, ready timeout s, relation, retry after s, review id, rows, rows allowed, run id, seed, setting,
        shown, signal number, source, sqlstate, state dir, status, status code, subjects, tables, text, time,
        total, twice, unknown, until, user, value, version, visible rows, wait, wanted, what, wrong""",
    )
)
"""Values that may stand in a message: none is a secret or about a person. Look at each new one before it goes in here."""

NAMES_ITS_VALUE = re.compile(r"\{|[A-Z]+_[A-Z]|--[a-z]|[0-9]|stdout")
"""A value, or the setting, option or status that it is about."""

VALUELESS = {
    "there is one of it, or none": (
        "OpenPhone answered a list of contacts without data",
        "another program changed the crontab at this moment, so nothing was written",
        "another program changed the crontab meanwhile",
        "it names no column",
        "no Postgres binaries found",
        "no temporary folder has a path short enough for a socket",
        "nothing is scheduled, since this system has no crontab program",
        "the embedded Postgres is already running",
        "the embedded Postgres is not running",
        "the sandbox is already running",
        "the sandbox is not running",
        "this Postgres has a socket only",
        "this system has no crontab program",
    ),
    "the command line names the option": (
        "gzip is not for a terminal",
        "it is empty",
        "it is not one whole phone number",
    ),
    "it stands in what to do": (
        "a plan says itself what it covers",
        "latency, jitter, lag, warm-up or the number of contacts is negative",
        "scheduled, but cron has none of this shell's variables",
        "the marks of openphone-sync in the crontab are damaged",
    ),
    "it answers the signal that was just sent": (
        "stopped at once",
        "stopping: requests in flight are finished and recorded",
    ),
    "another message has it": (
        "a bug ended the run",
        "row-level security hides every client from the database role",
    ),
}
"""Messages without a value, by the reason why."""

UNWANTED = re.compile(r"[!?]|\bplease\b|\bsorry\b|  |\. [A-Z]|\.$", re.IGNORECASE)
AMERICAN = re.compile(r"\b\w+(?<!s)iz(e|ed|es|ing|ation)\b|\b(color|behavior|canceled|license)\b")
LONGEST = 230


def is_list(one: Message) -> bool:
    """The head of a list of messages, each of which is here itself."""
    return "\n" in one.text


def says_what_to_do(one: Message) -> bool:
    """Whether a message does so itself; for single contacts and reasons the page's introduction does."""
    return not (is_of_one_contact(one.kind) or one.kind == "reason" or is_list(one))


def broken(fits: Callable[[Message], object], among: Callable[[Message], object] = lambda _: True) -> list[str]:
    """The messages that break a rule."""
    return sorted({f"{one.module}:{one.line}: {one.text}" for one in FOUND if among(one) and not fits(one)})


def values(one: Message) -> set[str]:
    """What is interpolated."""
    return set(re.findall(r"\{([^}]*)\}", one.text))


def first_word(text: str) -> str:
    return text.partition(" ")[0].strip(",:").lower() if text else ""


# --- all of them ---------------------------------------------------------------------------------------------------


def test_every_message_can_be_read_off_the_source() -> None:
    assert MESSAGES.unread == []
    assert MESSAGES.unknown_raises == []
    assert len(FOUND) > 200


def test_every_message_is_in_one_section_of_the_page() -> None:
    assert {one.kind for one in FOUND if sum(section.takes(one.kind) for section in SECTIONS) != 1} == set()
    page = make_page()
    assert [one.what for one in FOUND if not is_list(one) and one.what not in page] == []


def test_what_is_said_on_stderr_is_said_by_the_door_or_a_logger() -> None:
    spoken = re.compile(r"stderr\.write|\berr=True|file=sys\.stderr|\bprint\(.*stderr")
    speaking = {path.name for path in PACKAGE.rglob("*.py") if spoken.search(path.read_text(encoding="utf-8"))}
    assert speaking == {"door.py"}


@pytest.mark.parametrize(
    "line",
    [
        "raise ConfigurationError(read_message())",
        "raise ConfigurationError(table.words)",
        "raise StrangeError('no table')",
        "raise make_error(table)",
        "say(f'{table}' if table else words[0].title())",
        "Skipped('client_1', '1', 0, table.why())",
        "try: table()\n    except OSError as error: say(str(error))",
        "def tell(words): say(words)\n    table(tell)",
    ],
)
def test_what_cannot_be_followed_is_told(tmp_path: Path, line: str) -> None:
    (tmp_path / "planted.py").write_text(
        f"class Skipped:\n    a: str\n    b: str\n    c: int\n    reason: str\n\ndef check(table):\n    {line}\n"
    )
    planted = Messages(tmp_path)
    assert planted.unread or planted.unknown_raises


def test_a_message_is_followed_to_where_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text(
        "def check(table):\n"
        "    for problem in find(table):\n"
        "        stop(problem)\n"
        "def find(table):\n"
        "    yield f'no table {table}; name another'\n"
        "    yield 'no columns' if table else 'no rows'\n"
        "def stop(message):\n"
        "    raise SafetyStopError(message)\n"
    )
    texts = [one.text for one in Messages(tmp_path).found]
    assert texts == ["no table {table}; name another", "no columns", "no rows"]


# --- each of them --------------------------------------------------------------------------------------------------


def test_a_message_begins_with_what_is_wrong() -> None:
    def begins(one: Message) -> bool:
        start = one.what.partition(" ")[0]
        plain = start[0] in "{-" or start.islower() or not start.istitle() or start in {"Postgres", "OpenPhone"}
        return plain and (first_word(start) not in VERBS or one.kind in {"check", "reason"})

    assert broken(begins) == []


def test_a_message_says_what_to_do_now() -> None:
    assert broken(lambda one: first_word(one.mend) in VERBS, says_what_to_do) == []
    assert broken(lambda one: not one.mend or first_word(one.mend) in VERBS) == []
    assert broken(lambda one: MARK not in one.mend) == []


def test_a_message_names_the_value() -> None:
    def names(one: Message) -> bool:
        return bool(NAMES_ITS_VALUE.search(one.what))

    exempt = {text for texts in VALUELESS.values() for text in texts}
    assert broken(names, lambda one: says_what_to_do(one) and one.kind != "check" and one.what not in exempt) == []
    assert exempt - {one.what for one in FOUND if not names(one)} == set()


def test_no_secret_and_nobodys_data_stands_in_a_message() -> None:
    assert broken(lambda one: values(one) <= HARMLESS) == []
    assert HARMLESS - {word for one in FOUND for word in values(one)} == set()


def test_a_message_is_one_short_line() -> None:
    assert broken(lambda one: len(one.text) <= LONGEST) == []
    assert broken(lambda one: "\n" not in one.text, lambda one: not is_list(one)) == []


def test_a_message_keeps_the_house_style() -> None:
    assert broken(lambda one: not UNWANTED.search(one.text), lambda one: not is_list(one)) == []
    assert broken(lambda one: not AMERICAN.search(one.text)) == []
