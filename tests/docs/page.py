"""docs/messages.md from the collected messages: what an operator sees, and beside it what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from openphone_sync import errors
from tests.docs.messages import Message, Messages

Row = tuple[str, str]
"""What is wrong, and what to do."""

USAGE = errors.ConfigurationError.exit_code


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page. ``mends``: its introduction says what to do, where the messages themselves do not."""

    title: str
    intro: str
    takes: Callable[[str], bool]
    mends: bool = False


def find_exit_code(kind: str) -> int | None:
    """What an error of this class ends the program with; None for what ends nothing."""
    if kind in {"BadParameter", "SandboxError"}:
        return USAGE
    found = getattr(errors, kind, None)
    return found.exit_code if isinstance(found, type) and issubclass(found, errors.RunError) else None


def is_of_one_contact(kind: str) -> bool:
    """Whether a message of this kind is about one contact, while the run goes on."""
    found = getattr(errors, kind, None)
    return kind == "contact" or (isinstance(found, type) and issubclass(found, errors.ContactError))


SECTIONS: Sequence[Section] = (
    Section(
        "Exit code 2: a setting, an argument, a table or a column",
        "Nothing was written. A wrong option has `Invalid value for '--option':` before its message.",
        lambda kind: find_exit_code(kind) == USAGE,
    ),
    Section(
        "Exit code 3: not reached, or refused",
        "`--wait 30m` keeps trying what cannot be reached; refused credentials are not waited for.",
        lambda kind: find_exit_code(kind) == 3,
    ),
    Section(
        "Exit code 4: stopped before the first write",
        "A safety limit, which `--force` overrides; or a world that is not the one expected, which nothing overrides.",
        lambda kind: find_exit_code(kind) == 4,
    ),
    Section("Exit code 5: another run", "Nothing was written.", lambda kind: find_exit_code(kind) == 5),
    Section(
        "Exit codes 1, 70, 129, 130 and 143: ended on the way",
        "What was done is recorded, and the next run goes on from there.",
        lambda kind: find_exit_code(kind) == 1,
    ),
    Section(
        "On stderr, beside a result",
        "The exit code is that of the command: 1 where contacts failed or a sync is overdue, 70 for a bug.",
        lambda kind: kind == "notice",
    ),
    Section("In the report: `warnings`", "The run went on.", lambda kind: kind == "warning"),
    Section(
        "In the report: `errors`",
        "One contact each, by external id; exit code 1. There is nothing to do at first: the next run tries again. What fails "
        "five runs in a row is in `openphone-sync problems`, and `openphone-sync explain` shows what was sent and answered.",
        is_of_one_contact,
        mends=True,
    ),
    Section(
        "In the report: `reason`",
        "Why a contact was skipped, held, left alone or treated out of turn. *Skipped*: mend its row in the client table "
        "(`openphone-sync problems` lists them), and the next run makes the contact. *Held*: decide it with "
        "`openphone-sync review`. The others need nothing.",
        lambda kind: kind == "reason",
        mends=True,
    ),
    Section("test-connection", "By the name of the check.", lambda kind: kind == "check"),
)

AREAS = {
    "cli": "Options",
    "config": "Settings",
    "crontab": "Schedule",
    "locking": "State folder",
    "openphone": "State folder",
    "plans": "Saved plans",
    "postgres": "Clients and their database",
    "postgres.conversations": "Conversations",
    "sandbox": "Sandbox and demo",
    "state": "State folder",
    "wiring": "State folder",
    "workflows.deciding": "Clients and their database",
    "workflows.explain": "One client, one run",
    "workflows.export": "Conversations",
    "workflows.gathering": "Clients and their database",
    "workflows.review": "Reviews",
    "workflows.rollback": "One client, one run",
}
"""What the longest section is divided into, by module or package."""
OTHER = "Elsewhere"


def make_page() -> str:
    """The tables of docs/messages.md."""
    messages = Messages()
    sections = [line for section in SECTIONS for line in _make_section(section, messages.found)]
    return "\n".join([*sections, *_make_pieces(messages)]) + "\n"


def _make_section(section: Section, found: Sequence[Message]) -> list[str]:
    rows: dict[Row, Message] = {}
    for one in found:
        if section.takes(one.kind):
            rows.setdefault((one.what, one.mend), one)
    lines = [f"## {section.title}", "", section.intro, ""]
    if not section.takes("ConfigurationError"):
        return lines + _make_table(list(rows), section)
    for area in (*sorted(set(AREAS.values())), OTHER):
        chosen = [row for row, one in rows.items() if _find_area(one) == area]
        lines += [f"### {area}", "", *_make_table(chosen, section)] if chosen else []
    return lines


def _find_area(message: Message) -> str:
    return AREAS.get(message.module) or AREAS.get(message.module.partition(".")[0], OTHER)


def _make_table(rows: Sequence[Row], section: Section) -> list[str]:
    rows = sorted(rows, key=lambda row: (row[0].lstrip("{-").lower(), row[1]))
    if section.mends:
        return [*(f"* {_escape(what)}" for what, _ in rows), ""]
    return ["| message | what to do |", "|---|---|", *(f"| {_escape(a)} | {_escape(b)} |" for a, b in rows), ""]


def _make_pieces(messages: Messages) -> list[str]:
    """What stands in place of ``{error}`` where a text of ours does."""
    lists = {"After `give`:": messages.pieces("accepted"), "After the name of a column:": messages.pieces("unfit")}
    found = [line for head, texts in lists.items() for line in (head, "", *(f"* {_escape(one)}" for one in texts), "")]
    return ["## Where `{error}` stands", "", *found, "Elsewhere it is what the system said."]


def _escape(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")
