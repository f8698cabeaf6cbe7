"""``links``."""

from __future__ import annotations

import typer

from openphone_sync.cli.options import Command, FormatOption, JsonOption, TableFormat, make_app, read_settings
from openphone_sync.cli.output import print_json, print_text
from openphone_sync.cli.tables import is_terminal, make_when, print_line, print_table, show_id
from openphone_sync.views.cards import CONTACT_ADDRESS
from openphone_sync.views.links import make_csv, make_document, read_links
from openphone_sync.wiring import read_state

SHORT = 8
"""Digits of a contact's id on a terminal."""

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
        print_line("no contact is known yet; openphone-sync sync")
    else:
        when = make_when()
        rows = [
            (
                link["name"],
                link["status"],
                when(link["lastWritten"]),
                (link["contactId"] or "")[:SHORT] if is_terminal() else link["address"] or "",
                show_id(link["externalId"]),
            )
            for link in found
        ]
        print_table(("name", "status", "last written", "contact" if is_terminal() else "in the app", "id"), rows)
        if is_terminal():
            print_line(
                f"A contact's address in the app is {CONTACT_ADDRESS} and its whole id: openphone-sync links --format csv"
            )
