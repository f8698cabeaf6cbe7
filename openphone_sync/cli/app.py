"""The program and the list of its commands. A command's module is imported when the command runs or shows its help."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from openphone_sync.cli.exit import run_to_exit_code
from openphone_sync.cli.options import Group
from openphone_sync.cli.output import echo
from openphone_sync.errors import EXIT_CODES

PROGRAM = "openphone-sync"

COMMANDS = {
    "init": "Set everything up: key, database, schedule.",
    "sync": "Bring OpenPhone in step with the client table, once.",
    "dry-run": "Show what sync would do, and write nothing.",
    "status": "Show the last run, the next run and open reviews.",
    "explain": "Explain one client: mapping, evidence, writes.",
    "problems": "List what the office should fix in the client table.",
    "review": "Decide the possible duplicates that a run held back.",
    "links": "Show which OpenPhone contact belongs to whom.",
    "runs": "Show earlier runs, and every write of a run.",
    "rollback": "Undo a run, except what a person changed since.",
    "forget": "Erase what this tool keeps of a client.",
    "report": "Write a page for the office: what to decide and fix.",
    "metrics": "Show totals over all runs, and the latest runs.",
    "test-connection": "Check everything a run needs, and say how to fix it.",
    "mapping": "Show or check what rows of the client table become.",
    "config": "Show the settings in force, and where each comes from.",
    "alert": "Send a test to every alert address and health check.",
    "schedule": "Manage the nightly sync in your crontab.",
    "export-conversations": "Export the stored conversations, newest first.",
    "archive": "Download conversations from OpenPhone to a folder.",
    "coverage": "Show which callers show a name, and why others do not.",
    "stats": "Count the stored conversations.",
    "schema": "Print the JSON Schema of a command's document.",
    "sandbox": "Serve a local OpenPhone API, for trying and testing.",
    "demo": "Run the main job end to end on embedded parts.",
}
"""Each command with its line in `--help`. ``test-connection`` is ``app`` in ``cli/test_connection.py``, and so on."""

EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())
"""`\\b` keeps the lines as they are."""


class OnDemand(TyperCommand):
    """A command known by its name and its line of help until it is used."""

    def load(self) -> Any:
        """The command itself."""
        return _load(str(self.name))

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """Parse the rest with the command itself: to run it, to show its help or to complete its options."""
        return self.load().make_context(info_name, args, parent, **extra)


@cache
def _load(name: str) -> Any:
    module = import_module(f"openphone_sync.cli.{name.replace('-', '_')}")
    command = typer.main.get_command(module.app)
    command.name = name
    return command


class Program(Group):
    """The group of all commands."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        for name, line in COMMANDS.items():
            self.add_command(OnDemand(name, short_help=line))


app = typer.Typer(
    name=PROGRAM,
    cls=Program,
    help="Keeps OpenPhone (Quo) contacts in step with a Postgres client table, without duplicates or losses.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run(arguments: Sequence[str]) -> int:
    """The command line with these arguments; returns the exit code."""
    return run_to_exit_code(lambda: app(list(arguments), prog_name=PROGRAM, standalone_mode=False), arguments)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415  # 9 ms

        echo(f"{PROGRAM} {version(PROGRAM)}")
        raise typer.Exit


@app.callback()
def _program(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command."""
