"""``rollback``."""

from __future__ import annotations

from typing import Annotated

import typer

from openphone_sync.cli.options import Command, JsonOption, make_app, read_globals, read_settings
from openphone_sync.cli.running import log_report, open_command, print_result
from openphone_sync.cli.runs import RunArgument
from openphone_sync.config import API
from openphone_sync.run.context import SyncOptions
from openphone_sync.run.rollback import decide_rollback, find_run
from openphone_sync.run.sync import carry_out, show

app = make_app()


@app.command(cls=Command)
def rollback(
    context: typer.Context,
    run: RunArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would do, and write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Go past the safety stop.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Undo a run, except what a person changed since.

    Deletes what the run created, restores what it updated, creates again what it deleted, and reports the rest.
    Rolled-back contacts are held until their row changes or you release them with review separate.

    Example: openphone-sync rollback latest --dry-run
    """
    given, options = read_globals(context), SyncOptions(force=force)
    settings = read_settings(context, require=(API,))
    with open_command(settings, given, "rollback", options, read_only=dry_run) as (parts, frame):
        record = find_run(parts.store, run)  # before this run becomes the latest
        act = show if dry_run else carry_out
        report = act(lambda _: decide_rollback(record, parts), options, parts, frame)
    if not dry_run:
        log_report(report.document)
    print_result(report.document, as_json=as_json, quiet=given.quiet)
    raise typer.Exit(report.exit_code)
