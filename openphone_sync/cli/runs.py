"""``runs`` and ``rollback``: what earlier runs did, and taking one back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openphone_sync.cli.options import Command, Group, JsonOption, read_globals, read_settings

if TYPE_CHECKING:
    from openphone_sync.model import JournalEntry

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or latest.")]

runs_app = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(runs_app, name="runs")
    app.command("rollback", cls=Command)(rollback_command)


@runs_app.callback()
def runs() -> None:
    """Show earlier runs, and every write of one.

    Example: openphone-sync runs show latest
    """


@runs_app.command("list", cls=Command)
def runs_list(
    context: typer.Context,
    last: Annotated[int, typer.Option(min=1, max=1_000_000, help="So many of the latest.", metavar="N")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the latest runs.

    Example: openphone-sync runs list --last 5
    """
    from openphone_sync.cli.output import make_table, print_json, print_table  # noqa: PLC0415
    from openphone_sync.documents import SCHEMA_VERSION, format_time  # noqa: PLC0415
    from openphone_sync.wiring import look_at_state  # noqa: PLC0415

    with look_at_state(read_settings(context)) as store:
        records = store.read_runs(last)
    found: list[dict[str, Any]] = [
        {
            "runId": one.run_id,
            "command": one.command,
            "status": one.status,
            "startedAt": format_time(one.started_at),
            "contacts": json.loads(one.report)["contacts"] if one.report else None,
        }
        for one in records
    ]
    if as_json:
        print_json({"schemaVersion": SCHEMA_VERSION, "runs": found})
        return
    rows = [(str(one["runId"]), str(one["command"]), str(one["status"]), _counts(one["contacts"])) for one in found]
    print_table(make_table(("run", "command", "status", "contacts"), rows))


@runs_app.command("show", cls=Command)
def runs_show(context: typer.Context, run: RunArgument, as_json: JsonOption = False) -> None:
    """Show one run with every write: before -> after, and what OpenPhone answered. Shows people's data.

    Example: openphone-sync runs show latest --json | jq .writes
    """
    from openphone_sync.cli.output import make_table, print_json, print_table  # noqa: PLC0415
    from openphone_sync.documents import SCHEMA_VERSION  # noqa: PLC0415
    from openphone_sync.run.rollback import find_run  # noqa: PLC0415
    from openphone_sync.wiring import look_at_state  # noqa: PLC0415

    with look_at_state(read_settings(context)) as store:
        record = find_run(store, run)
        writes = [_write(entry) for entry in store.read_journal(record.run_id)]
    report = json.loads(record.report) if record.report else {}
    if as_json:
        print_json({**report, "schemaVersion": SCHEMA_VERSION, "runId": record.run_id, "writes": writes})
        return
    typer.echo(f"{record.run_id} {record.command} {record.status}: {_counts(report.get('contacts'))}")
    rows = [
        (
            one["action"],
            one["externalId"],
            one["contactId"] or "",
            one["result"] or "open",
            one["message"],
            _fields(one),
        )
        for one in writes
    ]
    if rows:
        print_table(make_table(("action", "contact", "OpenPhone id", "result", "answer", "fields"), rows))


def rollback_command(
    context: typer.Context,
    run: RunArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would do, and write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Go past the safety stop.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Undo a run, except what a person changed since.

    What it created is deleted, what it updated restored, what it deleted created again; the rest is reported.
    Contacts taken back are held until their row changes or review releases them.

    Example: openphone-sync rollback latest --dry-run
    """
    from openphone_sync.cli.running import log_report, running, tell_result  # noqa: PLC0415
    from openphone_sync.run.context import SyncOptions  # noqa: PLC0415
    from openphone_sync.run.rollback import decide_rollback, find_run  # noqa: PLC0415
    from openphone_sync.run.sync import carry_out, show  # noqa: PLC0415

    given, options = read_globals(context), SyncOptions(force=force)
    settings = read_settings(context, require=("OPENPHONE_API_KEY",))
    with running(settings, None, given, "rollback", options, looking=dry_run) as (parts, frame):
        record = find_run(parts.store, run)  # before this run is the latest
        act = show if dry_run else carry_out
        report = act(lambda _: decide_rollback(record, parts), options, parts, frame)
    if not dry_run:
        log_report(report.document)
    tell_result(report.document, as_json=as_json, quiet=given.quiet)
    raise typer.Exit(report.exit_code)


def _write(entry: JournalEntry) -> dict[str, Any]:
    from openphone_sync.documents import format_time  # noqa: PLC0415
    from openphone_sync.rules.merging import MergeRules, make_changes  # noqa: PLC0415

    changes = make_changes(entry.before, entry.draft, MergeRules(str)) if entry.draft else ()
    return {
        "action": entry.kind.value,
        "externalId": entry.external_id,
        "contactId": entry.contact_id,
        "at": format_time(entry.intended_at),
        "result": entry.result.value if entry.result else None,
        "status": entry.status,
        "code": entry.code,
        "message": entry.message,
        "conflicts": [{"field": one.field, "kept": one.kept, "lost": one.lost} for one in entry.conflicts],
        "changes": [{"field": one.field, "before": one.before, "after": one.after} for one in changes],
    }


def _fields(write: dict[str, Any]) -> str:
    return ", ".join(change["field"] for change in write["changes"])


def _counts(contacts: dict[str, int] | None) -> str:
    from openphone_sync.ops.alerts import describe_contacts  # noqa: PLC0415

    return describe_contacts(contacts) if contacts else "-"
