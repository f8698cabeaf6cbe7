"""``report``."""

from __future__ import annotations

import os
import webbrowser
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from openphone_sync.cli.options import Command, JsonOption, make_app, read_globals, read_settings
from openphone_sync.cli.output import echo, print_json, print_notice
from openphone_sync.cli.status import read_status
from openphone_sync.documents import SCHEMA_VERSION
from openphone_sync.errors import ConfigurationError
from openphone_sync.html.pages import make_page
from openphone_sync.ops.crontab import find_zone
from openphone_sync.ops.files import replacing
from openphone_sync.views.report import Report, read_report
from openphone_sync.wiring import note_place, open_source, read_state

app = make_app()


@app.command(cls=Command)
def report(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option("--out", help="File; by default named after the day.", metavar="FILE")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a page for the office: what to decide and fix.

    One HTML file that loads nothing, readable for its owner only: the last 30 days, who shows by name, reviews side by
    side, what to fix in the client table, what staff added in the app. Makes no request to OpenPhone.

    Example: openphone-sync report --open
    """
    settings = read_settings(context)
    now = datetime.now(find_zone(os.environ))
    with read_state(settings) as store:
        found = read_report(
            store, settings, lambda: open_source(settings), read_status(store, settings.state_dir, now), now
        )
    target = (out or Path(f"openphone_report_{now:%Y-%m-%d}.html")).absolute()
    _save(target, found)
    note_place(settings, target, "report")
    if as_json:
        print_json(
            {
                "schemaVersion": SCHEMA_VERSION,
                "output": str(target),
                "bytes": target.stat().st_size,
                "health": found.health.level.value,
                "headline": found.health.headline,
                "notes": list(found.notes),
                **found.counts,
            }
        )
    elif not read_globals(context).quiet:
        echo(found.health.headline)
        echo(f"written to {out or target.name}")
    for note in found.notes:
        print_notice(note)
    if show and not webbrowser.open(target.as_uri()):
        print_notice(f"no browser can be started here; open {target} in one")


def _save(target: Path, found: Report) -> None:
    try:
        with replacing(target) as file:
            file.writelines(make_page("report", {"title": "openphone-sync report", "report": found}))
    except OSError as error:
        raise ConfigurationError(
            f"{target} cannot be written ({error.strerror or type(error).__name__}); choose another --out"
        ) from error
