"""``runs list|show``."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from openphone_sync.cli.options import Command, Group, JsonOption, make_app, read_settings
from openphone_sync.cli.output import echo, print_json
from openphone_sync.cli.terminal import describe_change, format_local, print_table, show_id
from openphone_sync.documents import SCHEMA_VERSION, describe_contacts, format_time
from openphone_sync.model import JournalEntry
from openphone_sync.rules.merging import MergeRules, make_changes
from openphone_sync.run.rollback import describe_erased, find_run
from openphone_sync.wiring import read_state

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or latest.")]

app = make_app(cls=Group, no_args_is_help=True)


@app.callback()
def runs() -> None:
    """Show earlier runs, and every write of a run.

    Example: openphone-sync runs show latest
    """


@app.command("list", cls=Command)
def runs_list(
    context: typer.Context,
    last: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many of the latest runs.", metavar="N")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the latest runs.

    Example: openphone-sync runs list --last 5
    """
    with read_state(read_settings(context)) as store:
        records = store.read_runs(last)
    found: list[dict[str, Any]] = [
        {
            "runId": record.run_id,
            "command": record.command,
            "status": record.status,
            "startedAt": format_time(record.started_at),
            "finishedAt": format_time(record.finished_at) if record.finished_at else None,
            "exitCode": report.get("exitCode"),
            "message": report.get("message"),
            "contacts": report.get("contacts"),
        }
        for record in records
        for report in [json.loads(record.report) if record.report else {}]
    ]
    if as_json:
        print_json({"schemaVersion": SCHEMA_VERSION, "runs": found})
        return
    rows = [
        (
            format_local(run["startedAt"]),
            run["command"],
            run["status"],
            _describe(run["contacts"]),
            run["message"] or "",
            run["runId"],
        )
        for run in found
    ]
    print_table(("began", "command", "status", "contacts", "reason", "run"), rows)


@app.command("show", cls=Command)
def runs_show(context: typer.Context, run: RunArgument, as_json: JsonOption = False) -> None:
    """Show one run with every write.

    Fields before and after, and what OpenPhone answered. Shows people's data.

    Example: openphone-sync runs show latest --json | jq .writes
    """
    with read_state(read_settings(context)) as store:
        record = find_run(store, run)
        writes = [_make_write(entry) for entry in store.read_journal(record.run_id)]
        erased = store.count_erased(record.run_id)
    report = json.loads(record.report) if record.report else {}
    if as_json:
        head = {"runId": record.run_id, "command": record.command, "status": record.status}
        head |= {"startedAt": format_time(record.started_at)}
        print_json({"schemaVersion": SCHEMA_VERSION, **head, **report, "writes": writes, "writesErased": erased})
        return
    began = format_local(format_time(record.started_at))
    echo(f"{record.run_id} {record.command} {record.status} {began}: {_describe(report.get('contacts'))}")
    if report.get("message"):
        echo(f"  {report['message']} (exit code {report.get('exitCode')})")
    if erased:
        echo(f"  {describe_erased(erased)}, erased by forget")
    rows = [
        (
            write["action"],
            write["name"],
            "; ".join(f"{change['field']}: {describe_change(change)}" for change in write["changes"]),
            " ".join(text for text in (write["result"] or "open", write["message"]) if text),
            show_id(write["externalId"]),
        )
        for write in writes
    ]
    if rows:
        print_table(("action", "name", "before -> after", "result", "id"), rows)


def _make_write(entry: JournalEntry) -> dict[str, Any]:
    changes = make_changes(entry.before, entry.draft, MergeRules(str)) if entry.draft else ()
    return {
        "action": entry.kind.value,
        "externalId": entry.external_id,
        "contactId": entry.contact_id,
        "name": _find_name(entry),
        "at": format_time(entry.intended_at),
        "result": entry.result.value if entry.result else None,
        "status": entry.status,
        "code": entry.code,
        "message": entry.message,
        "conflicts": [{"field": one.field, "kept": one.kept, "lost": one.lost} for one in entry.conflicts],
        "changes": [{"field": one.field, "before": one.before, "after": one.after} for one in changes],
    }


def _find_name(entry: JournalEntry) -> str:
    """Of the contact as it was sent, else as it was before."""
    if entry.draft is not None and entry.draft.first_name:
        return entry.draft.first_name
    return entry.before.display_name if entry.before is not None else entry.link.person


def _describe(contacts: dict[str, int] | None) -> str:
    return describe_contacts(contacts) if contacts else "-"
