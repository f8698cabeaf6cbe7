"""``links``."""

from __future__ import annotations

import typer

from openphone_sync.cli.options import Command, FormatOption, JsonOption, TableFormat, make_app, read_settings
from openphone_sync.cli.output import echo, print_json, print_text
from openphone_sync.cli.terminal import format_local, print_table, show_id
from openphone_sync.views.links import make_csv, make_document, read_links
from openphone_sync.wiring import read_state

app = make_app()


@app.command(cls=Command)
def links(context: typer.Context, form: FormatOption = TableFormat.TABLE, as_json: JsonOption = False) -> None:
    """Show which OpenPhone contact belongs to whom.

    With its address in the app, its status and when it was last written. Shows people's names.

    Example: openphone-sync links --format csv > links.csv
    """
    with read_state(read_settings(context)) as store:
        found = read_links(store)
    if as_json or form is TableFormat.JSON:
        print_json(make_document(found))
    elif form is TableFormat.CSV:
        print_text(make_csv(found))
    elif not found:
        echo("no contact is known yet; openphone-sync sync")
    else:
        rows = [
            (
                link["name"],
                link["status"],
                format_local(link["lastWritten"]) if link["lastWritten"] else "",
                link["address"] or "",
                show_id(link["externalId"]),
            )
            for link in found
        ]
        print_table(("name", "status", "last written", "in the app", "id"), rows)
