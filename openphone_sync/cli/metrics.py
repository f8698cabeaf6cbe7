"""``metrics``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from enum import StrEnum
from typing import Annotated, Any

import typer

from openphone_sync.cli.options import Command, make_app, read_settings
from openphone_sync.cli.output import print_json, print_text
from openphone_sync.cli.tables import is_terminal, make_when, print_line, print_table
from openphone_sync.documents import describe_contacts, format_duration
from openphone_sync.state import peek_history
from openphone_sync.views.ids import find_ids, name_ids
from openphone_sync.views.metrics import RUNS_SHOWN, make_metrics

app = make_app()


class Format(StrEnum):
    """Formats of the metrics."""

    TABLE = "table"
    JSON = "json"
    PROMETHEUS = "prometheus"


@app.command(cls=Command)
def metrics(
    context: typer.Context,
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.TABLE,
    last: Annotated[
        int, typer.Option("--last", min=1, max=1_000_000, help="How many of the latest runs to list.", metavar="N")
    ] = RUNS_SHOWN,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Show totals over all runs, and the latest runs.

    Example: openphone-sync metrics --json | jq .metrics.totalRuns
    """
    settings = read_settings(context)
    with closing(peek_history(settings.state_dir)) as history:
        document = make_metrics(history.read_totals(), history.read_summaries(last), history.read_coverage(last))
        last_good, open_reviews = history.read_last_good(), history.count_held()
        messages = " ".join(run["message"] or "" for run in document["runs"])
        names = history.read_persons(find_ids(messages)) if is_terminal() else {}
    if as_json or form is Format.JSON:
        print_json(document)
    elif form is Format.PROMETHEUS:
        from openphone_sync.views.prometheus import make_prometheus  # noqa: PLC0415  # 30 ms

        print_text(make_prometheus(document, last_good, open_reviews))
    else:
        _print_tables(document, names)


def _print_tables(document: Mapping[str, Any], names: Mapping[str, str]) -> None:
    totals = document["metrics"]
    rows = (
        ("runs", f"{totals['totalRuns']}, {totals['successfulRuns']} good, {totals['failedRuns']} failed"),
        ("created", str(totals["totalContactsCreated"])),
        ("updated", str(totals["totalContactsUpdated"])),
        ("skipped", str(totals["totalContactsSkipped"])),
        ("errors", str(totals["totalErrors"])),
        ("average", format_duration(totals["averageDurationSeconds"])),
    )
    print_table(("all runs", ""), rows)
    if document["runs"]:
        when = make_when()
        print_line("")
        print_table(
            ("began", "command", "result", "took", "contacts", "reason"),
            [
                (
                    when(run["startedAt"]),
                    f"{run['command']} {run['mode']}",
                    run["status"],
                    format_duration(run["durationSeconds"]),
                    describe_contacts(run["contacts"]),
                    name_ids(run["message"] or "", names),
                )
                for run in document["runs"]
            ],
        )
