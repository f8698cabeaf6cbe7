"""``init``: the API key and the connection string, tested; the env file; a dry run; the schedule."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from openphone_sync.cli.options import Command, JsonOption, can_ask, make_app, read_globals
from openphone_sync.cli.output import print_json, print_notice
from openphone_sync.cli.setting_up import Answers, SetUp, find_target
from openphone_sync.config import API, DATABASE, TABLE

app = make_app()


@app.command(cls=Command)
def init(
    context: typer.Context,
    api_key_file: Annotated[
        str | None, typer.Option("--api-key-file", help="File with the API key; - is standard input.", metavar="FILE")
    ] = None,
    database_url_file: Annotated[
        str | None,
        typer.Option(
            "--database-url-file", help="File with the connection string; - is standard input.", metavar="FILE"
        ),
    ] = None,
    table: Annotated[
        str | None, typer.Option("--table", help="The table with the clients, if several could be it.", metavar="NAME")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Change a settings file that is there.")] = False,
    dry_run: Annotated[
        bool | None, typer.Option("--dry-run/--no-dry-run", help="Whether to do a dry run at the end.")
    ] = None,
    schedule: Annotated[
        bool | None, typer.Option("--schedule/--no-schedule", help="Whether to put the nightly sync into the crontab.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do the dry run and the schedule without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Set everything up: key, database, schedule.

    Writes OPENPHONE_API_KEY, DATABASE_URL and the settings of this shell to --env-file, or to
    ~/.config/openphone-sync/env, where every command finds them from any folder. Nothing is written before both
    connections work. OpenPhone and the database are only read.

    On a terminal it asks for what is missing. In a script, or with --json, it takes OPENPHONE_API_KEY and DATABASE_URL from the
    environment or from files, and changes an existing file only with --overwrite.

    Example: openphone-sync init

    Example: openphone-sync init --api-key-file key.txt --database-url-file - --yes
    """
    given = read_globals(context)
    texts = {API: _read_secret(api_key_file), DATABASE: _read_secret(database_url_file), TABLE: table}
    if api_key_file == database_url_file == "-":
        raise typer.BadParameter("standard input can hold one of the two; give the other in a file", param_hint="-")
    answers = Answers(
        texts={name: text for name, text in texts.items() if text},
        overwrite=overwrite,
        dry_run=True if yes and dry_run is None else dry_run,
        schedule=True if yes and schedule is None else schedule,
    )
    set_up = SetUp(
        given, find_target(given), answers, asks=can_ask() and not as_json, shows=not (as_json or given.quiet)
    )
    try:
        document = set_up.run()
    except (typer.Abort, SystemExit) as stopped:  # end of input, Ctrl-C
        print_notice(set_up.describe_stop())
        raise SystemExit(stopped.code if isinstance(stopped, SystemExit) else 2) from None
    if as_json:
        print_json(document)
    raise typer.Exit(document["exitCode"])


def _read_secret(path: str | None) -> str | None:
    """The one line of a file; None without an option."""
    if path is None:
        return None
    try:
        text = sys.stdin.read() if path == "-" else Path(path).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, RuntimeError):
        raise typer.BadParameter(f"{path} cannot be read; give a readable text file", param_hint="FILE") from None
    lines = text.split()
    if len(text.strip().splitlines()) != 1:
        raise typer.BadParameter(f"{path} has {len(lines)} words; give one line with nothing else", param_hint="FILE")
    return text.strip()
