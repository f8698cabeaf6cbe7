"""``test-connection``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from openphone_sync.cli.options import Command, JsonOption, read_globals, read_settings

if TYPE_CHECKING:
    from openphone_sync.config import Settings
    from openphone_sync.doctor.checks import Check, Diagnosis, Probes


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("test-connection", cls=Command)(check_command)


def check_command(
    context: typer.Context,
    as_json: JsonOption = False,
) -> None:
    """Check all a run needs, and say how to mend it.

    Exit 3 where OpenPhone or the database cannot be reached or refuses, 1 where another check fails.

    Example: openphone-sync test-connection --json | jq .openPhoneConnection
    """
    from openphone_sync.cli.output import print_json  # noqa: PLC0415
    from openphone_sync.doctor.checks import diagnose  # noqa: PLC0415

    settings = read_settings(context)
    diagnosis = diagnose(settings, _make_probes(settings))
    if as_json:
        print_json(diagnosis.document())
    else:
        _print(diagnosis, quiet=read_globals(context).quiet)
    raise typer.Exit(diagnosis.exit_code)


def _make_probes(settings: Settings) -> Probes:
    from openphone_sync import wiring  # noqa: PLC0415
    from openphone_sync.doctor.checks import Probes  # noqa: PLC0415

    clock = wiring.SystemClock()
    return Probes(
        api=lambda: wiring.probe_api(settings, clock),
        database=lambda: wiring.probe_database(settings),
        table=lambda source: wiring.probe_table(settings, source),
        open_source=lambda: wiring.open_source(settings),
        local=lambda: _check_machine(settings),
    )


def _check_machine(settings: Settings) -> Iterable[Check]:
    from datetime import UTC, datetime  # noqa: PLC0415

    from openphone_sync.doctor.machine import check_machine  # noqa: PLC0415
    from openphone_sync.ops.crontab import read_line  # noqa: PLC0415
    from openphone_sync.ops.lock import is_locked  # noqa: PLC0415
    from openphone_sync.ops.schedule import find_missing  # noqa: PLC0415

    return check_machine(
        settings,
        os.environ,
        lambda: read_line(os.environ, settings.state_dir, datetime.now(UTC)),
        lambda line: find_missing(line, os.environ),
        is_locked=is_locked(settings.state_dir),
    )


def _print(diagnosis: Diagnosis, *, quiet: bool) -> None:
    """One line for each check; quiet: only what fails."""
    for check in diagnosis.checks:
        if quiet and check.ok:
            continue
        typer.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}")
        if check.mend:
            typer.echo(f"      {check.mend}")
