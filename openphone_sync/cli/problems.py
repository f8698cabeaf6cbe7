"""``problems``."""

from __future__ import annotations

import typer

from openphone_sync.cli.options import Command, FormatOption, JsonOption, TableFormat, make_app, read_settings
from openphone_sync.cli.output import echo, print_json, print_text
from openphone_sync.cli.terminal import print_table
from openphone_sync.views.problems import find_problems, make_csv, make_document
from openphone_sync.wiring import read_state

app = make_app()


@app.command(cls=Command)
def problems(context: typer.Context, form: FormatOption = TableFormat.TABLE, as_json: JsonOption = False) -> None:
    """List what the office should fix in the client table.

    Unusable phones, missing names, rows that look like each other, contacts that keep failing.

    Example: openphone-sync problems --format csv > problems.csv
    """
    with read_state(read_settings(context)) as store:
        found = find_problems(store)
    if as_json or form is TableFormat.JSON:
        print_json(make_document(found))
    elif form is TableFormat.CSV:
        print_text(make_csv(found))
    elif found:
        rows = [(one.externalId, one.kind, one.detail, one.other) for one in found]
        print_table(("contact", "kind", "what to fix", "looks like"), rows)
    else:
        echo("nothing to fix")
