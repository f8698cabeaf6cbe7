"""``runs list|show``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from openphone_sync.cli.options import AllOption, Command, DetailsOption, Group, JsonOption, make_app, read_settings
from openphone_sync.cli.output import echo, print_json
from openphone_sync.cli.tables import is_terminal, make_when, print_line, print_table, show_id
from openphone_sync.cli.terminal import describe_change, print_actions
from openphone_sync.documents import SCHEMA_VERSION, describe_contacts, format_time
from openphone_sync.model import ActionKind, JournalEntry, RunRecord
from openphone_sync.rules.merging import MergeRules, make_changes
from openphone_sync.run.rollback import NO_RUN, describe_erased, find_run
from openphone_sync.views.cards import read_field_names
from openphone_sync.views.ids import find_ids, name_ids, shorten_runs
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
        found = [_make_run(record) for record in store.read_runs(last)]
        names = store.read_persons(find_ids(" ".join(run["message"] or "" for run in found)))
    if as_json:
        print_json({"schemaVersion": SCHEMA_VERSION, "runs": found})
    elif is_terminal():
        _print_runs(found, names)
    else:
        rows = [
            (
                run["startedAt"],
                run["command"],
                run["status"],
                _describe(run["contacts"]),
                run["message"] or "",
                run["runId"],
            )
            for run in found
        ]
        print_table(("began", "command", "status", "contacts", "reason", "run"), rows)


def _make_run(record: RunRecord) -> dict[str, Any]:
    report = json.loads(record.report) if record.report else {}
    return {
        "runId": record.run_id,
        "command": record.command,
        "status": record.status,
        "startedAt": format_time(record.started_at),
        "finishedAt": format_time(record.finished_at) if record.finished_at else None,
        "exitCode": report.get("exitCode"),
        "message": report.get("message"),
        "contacts": report.get("contacts"),
    }


def _print_runs(found: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> None:
    """On a terminal: what a run did, or why it did not; the id as short as can be."""
    if not found:
        echo(NO_RUN)
        return
    when, short = make_when(), shorten_runs(run["runId"] for run in found)
    rows = [
        (
            when(run["startedAt"]),
            run["command"],
            run["status"],
            name_ids(run["message"], names) if run["message"] else _describe(run["contacts"]),
            short[run["runId"]],
        )
        for run in found
    ]
    print_table(("began", "command", "status", "contacts, or why not", "run"), rows)


@app.command("show", cls=Command)
def runs_show(
    context: typer.Context,
    run: RunArgument,
    every: AllOption = False,
    details: DetailsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show one run with every write.

    Names by action, fields before and after, and what failed. Shows people's data.

    Example: openphone-sync runs show latest --json | jq .writes
    """
    with read_state(read_settings(context)) as store:
        record = find_run(store, run)
        writes = [_make_write(entry) for entry in store.read_journal(record.run_id)]
        fields, erased = read_field_names(store), store.count_erased(record.run_id)
    names = {write["externalId"]: write["name"] for write in writes}
    report = json.loads(record.report) if record.report else {}
    if as_json:
        head = {"runId": record.run_id, "command": record.command, "status": record.status}
        head |= {"startedAt": format_time(record.started_at)}
        print_json({"schemaVersion": SCHEMA_VERSION, **head, **report, "writes": writes, "writesErased": erased})
        return
    began = make_when()(format_time(record.started_at))
    did = _describe(report.get("contacts"))
    print_line(f"{record.command} {record.status} {began}: {did}", record.status)
    print_line(f"  run {record.run_id}")
    if report.get("message"):
        why = name_ids(report["message"], names) if is_terminal() else report["message"]
        print_line(f"  {why} (exit code {report.get('exitCode')})")
    if erased:
        print_line(f"  {describe_erased(erased)}, erased by forget")
    if is_terminal():
        echo()
        print_actions([write | {"reason": ""} for write in writes], fields, every=every, details=details, values=True)
        _print_undone(writes)
    elif writes:
        rows = [
            (
                write["action"],
                write["name"],
                "; ".join(describe_change(change, fields) for change in write["changes"]),
                " ".join(text for text in (write["result"] or "open", write["message"]) if text),
                write["externalId"],
            )
            for write in writes
        ]
        print_table(("action", "name", "before -> after", "result", "id"), rows)


def _print_undone(writes: Sequence[Mapping[str, Any]]) -> None:
    """The writes that did not go through."""
    for write in writes:
        if write["result"] != "done":
            result = write["result"] or "open"
            print_line(f"{result}: {write['name']} ({show_id(write['externalId'])}): {write['message']}", result)


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
    """Of the contact as it was sent, else as it was before; an adopted contact may be called otherwise than our person."""
    person, sent = entry.link.person, entry.draft.first_name if entry.draft else ""
    before = entry.before.display_name if entry.before is not None else ""
    contact = sent or before
    if entry.kind is ActionKind.ADOPT and person and person != contact:
        return f"{person} (contact {contact})"
    return contact or person


def _describe(contacts: dict[str, int] | None) -> str:
    return describe_contacts(contacts) if contacts else "-"
