"""``problems``."""

from __future__ import annotations

import time
from itertools import groupby
from typing import Annotated

import typer

from openphone_sync.cli.options import Command, FormatOption, JsonOption, TableFormat, make_app, read_settings
from openphone_sync.cli.output import echo, print_json, print_notice, print_text
from openphone_sync.cli.tables import is_terminal, print_line, print_table
from openphone_sync.documents import SCHEMA_VERSION
from openphone_sync.views.ids import shorten
from openphone_sync.views.problems import GONE, TITLES, Problem, acknowledge, find_problems, make_csv, make_document
from openphone_sync.wiring import change_state, open_source, read_state

_HEADS = {"client": "client", "column": "column", "value": "value", "detail": "why", "otherName": "and"}

app = make_app()


@app.command(cls=Command)
def problems(
    context: typer.Context,
    form: FormatOption = TableFormat.TABLE,
    acknowledged: Annotated[
        list[str] | None,
        typer.Option("--acknowledge", help="Take a person who is gone from the source off the list.", metavar="ID"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List what the office should fix in the client table.

    Unusable phones, missing names, rows that look like each other, contacts that keep failing, people who are gone. Shows
    people's data.

    Example: openphone-sync problems --format csv > problems.csv
    """
    settings = read_settings(context)
    if acknowledged:
        with change_state(settings) as store:
            done = acknowledge(store, acknowledged, time.time())
        if as_json:
            print_json({"schemaVersion": SCHEMA_VERSION, "acknowledged": done})
        else:
            print_line(f"{len(done)} acknowledged; they are no longer listed")
        return
    with read_state(settings) as store:
        found, notes = find_problems(store, settings, lambda: open_source(settings))
    if as_json or form is TableFormat.JSON:
        print_json(make_document(found, notes))
        return
    for note in notes if found else ():
        print_notice(note)
    if form is TableFormat.CSV:
        print_text(make_csv(found))
    elif not found:
        print_line(notes[0] if notes else "nothing to fix")
    elif is_terminal():
        _print_groups(found)
    else:
        rows = [[one.kind, *(getattr(one, name) for name in _HEADS), one.externalId, one.other] for one in found]
        print_table(("kind", *_HEADS.values(), "id", "other id"), rows)


def _print_groups(found: list[Problem]) -> None:
    """One table for each kind, with the columns that it fills."""
    for kind, group in groupby(found, key=lambda one: one.kind):
        listed = list(group)
        names = [name for name in _HEADS if any(getattr(one, name) for one in listed)]
        echo()
        print_line(f"{TITLES[kind]} ({len(listed)})")
        rows = [[*(getattr(one, name) for name in names), shorten(one.externalId)] for one in listed]
        print_table((*(_HEADS[name] for name in names), "id"), rows)
    if any(one.kind == GONE for one in found):
        echo()
        print_line("Take people off the list who are no longer in the table: openphone-sync problems --acknowledge ID")
    if any(one.kind != GONE for one in found):
        echo()
        print_line("Fix them in the client table: the next sync takes them up.")
