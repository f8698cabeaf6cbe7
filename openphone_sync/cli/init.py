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
    if api_key_file == database_url_file == "-":
        raise typer.BadParameter(
            "standard input can hold one of the two; give the other in a file", param_hint="--database-url-file"
        )
    given, asks = read_globals(context), can_ask() and not as_json
    texts = {
        API: _read_secret(api_key_file, "--api-key-file"),
        DATABASE: _read_secret(database_url_file, "--database-url-file"),
        TABLE: table,
    }
    answers = Answers(
        texts={name: text for name, text in texts.items() if text},
        overwrite=overwrite,
        dry_run=True if yes and dry_run is None else dry_run,
        schedule=True if yes and schedule is None else schedule,
    )
    set_up = SetUp(given, find_target(given), answers, asks=asks, shows=not (as_json or given.quiet))
    try:
        document = set_up.run()
    except (typer.Abort, SystemExit) as stopped:  # end of input or a no; Ctrl-C
        if asks:
            sys.stderr.write("\n")  # the cursor is still behind the question
        print_notice(set_up.describe_stop())
        raise SystemExit(stopped.code if isinstance(stopped, SystemExit) else 2) from None
    if as_json:
        print_json(document)
    raise typer.Exit(document["exitCode"])


def _read_secret(path: str | None, option: str) -> str | None:
    """The one line of a file; None without the option."""
    if path is None:
        return None
    try:
        text = sys.stdin.read() if path == "-" else Path(path).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, RuntimeError):
        raise typer.BadParameter(f"{path} cannot be read; give a readable text file", param_hint=option) from None
    lines = text.strip().splitlines()
    if len(lines) != 1:
        raise typer.BadParameter(
            f"{'standard input' if path == '-' else path} holds {len(lines)} lines; give one line with nothing else",
            param_hint=option,
        )
    return lines[0].strip()
