"""``rollback``."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from openphone_sync.cli.options import Command, JsonOption, confirm, make_app, read_globals, read_settings
from openphone_sync.cli.running import log_report, open_command, print_result
from openphone_sync.cli.runs import RunArgument
from openphone_sync.cli.tables import make_when
from openphone_sync.config import API
from openphone_sync.documents import format_time
from openphone_sync.run.context import SyncOptions
from openphone_sync.run.rollback import Undoing, describe_erased, find_undoing, plan_rollback
from openphone_sync.run.sync import carry_out, show
from openphone_sync.wiring import read_state

_PAST = {"create": "created", "update": "updated", "adopt": "adopted", "delete": "deleted"}

app = make_app()


@app.command(cls=Command)
def rollback(
    context: typer.Context,
    run: RunArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would do, and write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="The same as --yes.", hidden=True)] = False,
    as_json: JsonOption = False,
) -> None:
    """Undo a run, except what a person changed since.

    RUN is an id, or latest: the latest sync that wrote something.
    Deletes what the run created, restores what it updated, creates again what it deleted, and reports the rest.
    Rolled-back contacts are held until their row changes or you release them with review separate.

    Example: openphone-sync rollback latest --dry-run
    """
    given = read_globals(context)
    settings = read_settings(context, require=(API,))
    with read_state(settings) as store:
        undoing = find_undoing(store, run)
    if not dry_run:
        confirm(describe_undoing(undoing), yes=yes or force)
    options = SyncOptions(force=True)  # a rollback has no safety stop: it was asked for by name
    with open_command(settings, given, "rollback", options, read_only=dry_run) as (run_context, header):
        act = show if dry_run else carry_out
        named = replace(header, undoes=undoing.record.run_id)
        report = act(lambda _: plan_rollback(undoing.record, run_context), options, run_context, named)
    if not dry_run:
        log_report(report.document)
    print_result(report.document, settings, as_json=as_json, quiet=given.quiet)
    raise typer.Exit(report.exit_code)


def describe_undoing(undoing: Undoing) -> str:
    """Which run is undone, from when, and how many writes."""
    record = undoing.record
    writes = ", ".join(f"{count} {_PAST[kind]}" for kind, count in undoing.writes)
    again = ", going on with a rollback that broke off" if undoing.continues else ""
    erased = f"; not {describe_erased(undoing.erased)}" if undoing.erased else ""
    began = make_when()(format_time(record.started_at))
    return f"Undo run {record.run_id}, begun {began} ({writes}){again}{erased}?"
