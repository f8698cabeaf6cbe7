"""The documents: links and anchors lead somewhere, commands are those that there are, and words are plain."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from openphone_sync.cli.app import COMMANDS, OnDemand, app

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md", "tests/fixtures/**/*.md")
    for path in ROOT.glob(pattern)
)
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
GUIDES = [name for name in NAMES if name.startswith("docs/") or "/" not in name]
README_WORDS = 1200

LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^\s*```.*?^\s*```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
ODD_WORDS = re.compile(
    r"\b(lest|anew|whoever|likewise|footing|leavers|likeness|spoken for|slip of the pen)\b", re.IGNORECASE
)
ODD_PHRASES = re.compile(rf"{ODD_WORDS.pattern}|\bmend\b|\bpatience\b|(?<!there) is no (?!longer|more)", re.IGNORECASE)


@cache
def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def find_anchors(name: str) -> set[str]:
    """Anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", read(name)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_to_a_file_and_an_anchor_that_is_there(name: str) -> None:
    for target in LINK.findall(FENCE.sub("", read(name))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert place.exists(), target
        assert not anchor or anchor in find_anchors(str(place.relative_to(ROOT))), target


@pytest.mark.parametrize("name", GUIDES)
def test_every_document_is_reached_from_the_readme(name: str) -> None:
    reached, waiting = {"README.md"}, ["README.md"]
    while waiting:
        current = waiting.pop()
        for target in LINK.findall(read(current)):
            place = ((ROOT / current).parent / target.partition("#")[0]).resolve()
            found = str(place.relative_to(ROOT)) if place.is_relative_to(ROOT) else ""
            if found.endswith(".md") and place.is_file() and found not in reached:
                reached.add(found)
                waiting.append(found)
    assert name in reached


# --- commands --------------------------------------------------------------------------------------------------------


def find_commands(name: str) -> Iterator[str]:
    """What a document tells people to type: ``openphone-sync ...`` in blocks and in code, up to a pipe or a comment."""
    text = COMMENT.sub("", read(name))
    blocks = "\n".join(FENCE.findall(text)).replace("\\\n", " ")
    spans = CODE.findall(FENCE.sub("", text))
    for line in [*blocks.splitlines(), *spans]:
        found = re.match(r"(?:\s*(?:[A-Z_]+=\S+ |sudo -u \S+ |\./dev run ))*(?:\S*/)?openphone-sync (.+)", line)
        if found and "://" not in found[1].split()[0]:
            yield re.split(r"\s(?:[|>#]|&&)\s?|\s#", found[1])[0]


def find_command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that these words name, and the words after it; options before it are those of the program."""
    command = typer.main.get_command(app)
    rest = list(words)
    while commands := getattr(command, "commands", None):
        while rest and rest[0].startswith("-"):
            del rest[: 2 if rest[0] in {"--env-file", "--state-dir", "--log-format"} else 1]
        if not rest or rest[0] not in commands:
            break
        command = commands[rest.pop(0)]
        command = command.load() if isinstance(command, OnDemand) else command
    return command, rest


def check_command(text: str) -> None:
    """Raise where the program would not understand this line; what a placeholder stands for is not checked."""
    command, rest = find_command(shlex.split(text))
    if "--version" in rest or "--help" in rest or "COMMAND" in rest:
        return
    assert not getattr(command, "commands", None) or getattr(command, "invoke_without_command", False), text
    command.make_context("openphone-sync", ["5" if word == "N" else word for word in rest])


LINES = sorted({(name, line) for name in GUIDES for line in find_commands(name)})


@pytest.mark.parametrize(("name", "line"), LINES)
def test_every_command_in_a_document_is_understood(name: str, line: str) -> None:
    check_command(line)


@pytest.mark.parametrize("line", ["sync --no-such-option", "nothing", "review link --min-score high", "runs"])
def test_a_command_that_is_not_there_is_noticed(line: str) -> None:
    with pytest.raises(Exception, match=r".+"):
        check_command(line)


def test_every_command_is_in_a_document_for_people() -> None:
    assert set(COMMANDS) <= {line.split()[0] for _, line in LINES}


# --- words -----------------------------------------------------------------------------------------------------------


def test_the_readme_is_short() -> None:
    assert len(read("README.md").split()) <= README_WORDS


@pytest.mark.parametrize("name", [name for name in GUIDES if name != "CONTRIBUTING.md"])  # it lists the words
def test_words_are_plain(name: str) -> None:
    prose = CODE.sub("", FENCE.sub("", COMMENT.sub("", read(name))))
    assert [found[0] for found in ODD_PHRASES.finditer(prose)] == []


@pytest.mark.parametrize("folder", ["openphone_sync", "tests", "benchmarks"])
def test_words_are_plain_in_code(folder: str) -> None:
    lists = {"test_documents.py", "test_messages.py", "name_words.py"}  # of odd words, or of names
    files = [path for path in (ROOT / folder).rglob("*.py") if path.name not in lists]
    assert {(path.name, found[0]) for path in files for found in ODD_WORDS.finditer(path.read_text("utf-8"))} == set()


def test_the_office_managers_page_needs_no_terminal() -> None:
    page = read("docs/office.md")
    assert not FENCE.findall(page)
    assert re.findall(r"openphone-sync \w+", page.replace("`openphone-sync`", "")) == []
