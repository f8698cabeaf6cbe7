"""``test-connection``."""

from __future__ import annotations

import typer

from openphone_sync.cli.options import Command, JsonOption, make_app, read_globals, read_settings
from openphone_sync.cli.output import print_json
from openphone_sync.cli.tables import print_marked
from openphone_sync.doctor.diagnosis import Diagnosis, diagnose

app = make_app()


@app.command(cls=Command)
def check(context: typer.Context, as_json: JsonOption = False) -> None:
    """Check everything a run needs, and say how to fix it.

    Exits with 3 if OpenPhone or the database cannot be reached or refuses, with 2 if a setting is missing or not
    accepted, with 1 if another check fails.

    Example: openphone-sync test-connection --json | jq .openPhoneConnection
    """
    diagnosis = diagnose(read_settings(context, lenient=True))
    if as_json:
        print_json(diagnosis.document())
    else:
        _print(diagnosis, quiet=read_globals(context).quiet)
    raise typer.Exit(diagnosis.exit_code)


def _print(diagnosis: Diagnosis, *, quiet: bool) -> None:
    """One line for each check; ``quiet``: only for those that fail."""
    for check in diagnosis.checks:
        if quiet and check.ok:
            continue
        print_marked("ok" if check.ok else "FAIL", f"{check.name}: {check.detail}")
        if check.fix:
            print_marked("", check.fix)
