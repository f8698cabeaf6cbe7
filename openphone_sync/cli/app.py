"""The program and its commands. Only typer is imported at the top: `--help` must be quick."""

from __future__ import annotations

from typing import Annotated

import typer

from openphone_sync.cli import archive, check, explain, export, review, runs, sandbox, schedule, status, sync
from openphone_sync.cli.options import Group
from openphone_sync.errors import EXIT_CODES

EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())
"""As it stands: `\\b` keeps lines from being filled."""

app = typer.Typer(
    name="openphone-sync",
    cls=Group,
    help="Keeps OpenPhone (Quo) contacts in step with a Postgres client table, without duplicates or losses.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:  # the signature that typer calls
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(f"openphone-sync {version('openphone-sync')}")
        raise typer.Exit


@app.callback()
def _program(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command."""


sync.register(app)
review.register(app)
explain.register(app)
runs.register(app)
status.register(app)
check.register(app)
schedule.register(app)
export.register(app)
archive.register(app)
sandbox.register(app)
