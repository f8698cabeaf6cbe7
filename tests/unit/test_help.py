"""Help texts: an example each, readable at 80 columns; and completion for the shell."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from openphone_sync.cli.app import COMMANDS as LINES
from openphone_sync.cli.app import OnDemand, app, run
from openphone_sync.errors import EXIT_CODES


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command, groups apart."""
    command = command.load() if isinstance(command, OnDemand) else command
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path
        return
    for name, one in inner.items():
        yield from walk(one, (*path, name))


COMMANDS = sorted(walk(typer.main.get_command(app)))
GROUPS = sorted({command[:-1] for command in COMMANDS})


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def show_help(*command: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert run([*command, "--help"]) == 0
    return out.getvalue()


@pytest.mark.parametrize("command", [*GROUPS, *COMMANDS], ids=" ".join)
def test_help_is_readable_at_80_columns(command: tuple[str, ...]) -> None:
    text = show_help(*command)
    assert max(map(len, text.splitlines())) <= 80
    assert not command or "Example: " in text


@pytest.mark.parametrize("group", GROUPS, ids=" ".join)
def test_help_lists_every_command_of_a_group_on_one_line(group: tuple[str, ...]) -> None:
    lines = show_help(*group).partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    depth = len(group)
    inside = [command[depth] for command in COMMANDS if command[:depth] == group]
    assert {line.split()[0] for line in lines} == set(inside)
    assert not [line for line in lines if line[2] == " " or line.endswith("...")]


@pytest.mark.parametrize("name", LINES)
def test_a_commands_help_begins_with_its_line_in_the_list(name: str) -> None:
    assert show_help(name).splitlines()[2].strip() == LINES[name]


def test_help_ends_with_the_exit_codes() -> None:
    shown = show_help().partition("Exit codes:\n")[2].split("\n")
    assert [int(line.split()[0]) for line in shown if line] == list(EXIT_CODES)


@pytest.mark.parametrize(("words", "found"), [("sta", "status"), ("schedule st", "start")])
def test_the_shell_completes_commands(words: str, found: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "_OPENPHONE_SYNC_COMPLETE": "complete_bash",
        "COMP_WORDS": f"openphone-sync {words}",
        "COMP_CWORD": str(len(words.split())),
    }
    code = "import sys; sys.argv[0] = 'openphone-sync'; from openphone_sync.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert found in done.stdout.split()
