"""``schedule start|stop|show``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from openphone_sync.cli.options import Command, Group, JsonOption, read_settings

if TYPE_CHECKING:
    from datetime import datetime

    from openphone_sync.config import Settings
    from openphone_sync.ops.crontab import Crontab, Job
    from openphone_sync.ops.schedule import Schedule


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    group = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None)
    group.callback()(schedule)
    group.command("start", cls=Command)(start_command)
    group.command("stop", cls=Command)(stop_command)
    group.command("show", cls=Command)(show_command)
    app.add_typer(group, name="schedule")


def schedule() -> None:
    """The nightly sync in your crontab.

    Example: openphone-sync schedule start
    """


def start_command(context: typer.Context, as_json: JsonOption = False) -> None:
    """Put the nightly sync into your crontab; every other line stays as it is.

    The time is OPENPHONE_SYNC_SCHEDULE. Doing it twice changes nothing.

    Example: OPENPHONE_SYNC_SCHEDULE="30 1 * * *" openphone-sync schedule start
    """
    from openphone_sync.cli.exit import say  # noqa: PLC0415
    from openphone_sync.cli.output import print_json  # noqa: PLC0415
    from openphone_sync.ops.crontab import NoCrontabError  # noqa: PLC0415
    from openphone_sync.ops.schedule import find_missing, show_schedule, start_schedule  # noqa: PLC0415

    _, job, crontab, now = _prepare(context)
    try:
        schedule = start_schedule(job, crontab, now)
    except NoCrontabError as error:
        say(
            "nothing is scheduled, since this system has no crontab program; "
            "give this line to whatever starts jobs here (schedule, then command)"
        )
        if as_json:
            print_json(_document(show_schedule(job, crontab, now)))
        else:
            typer.echo(job.line())
        raise typer.Exit(error.exit_code) from None
    missing = find_missing(schedule.installed, os.environ) if schedule.installed else ""
    if missing:
        say(f"scheduled, but cron has none of this shell's variables; put what it lacks into an env file: {missing}")
    _print(schedule, as_json, "scheduled" if schedule.changed else "already scheduled")


def stop_command(context: typer.Context, as_json: JsonOption = False) -> None:
    """Take the nightly sync out of your crontab; every other line stays as it is.

    Example: openphone-sync schedule stop
    """
    from openphone_sync.cli.output import print_json  # noqa: PLC0415
    from openphone_sync.documents import SCHEMA_VERSION  # noqa: PLC0415
    from openphone_sync.ops.schedule import stop_schedule  # noqa: PLC0415

    settings, _, crontab, _ = _prepare(context)
    changed = stop_schedule(settings.state_dir, crontab)
    if as_json:
        print_json({"schemaVersion": SCHEMA_VERSION, "isEnabled": False, "changed": changed})
    else:
        typer.echo("no longer scheduled" if changed else "it was not scheduled")


def show_command(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the line in your crontab and its next five runs, in local time.

    Example: openphone-sync schedule show --json | jq -r '.nextRuns[]'
    """
    from openphone_sync.ops.schedule import show_schedule  # noqa: PLC0415

    _, job, crontab, now = _prepare(context)
    schedule = show_schedule(job, crontab, now)
    _print(schedule, as_json, "scheduled" if schedule.installed else "not scheduled")


def _prepare(context: typer.Context) -> tuple[Settings, Job, Crontab, datetime]:
    from datetime import datetime  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from openphone_sync.ops.crontab import Crontab, find_zone  # noqa: PLC0415
    from openphone_sync.ops.schedule import make_job  # noqa: PLC0415

    settings = read_settings(context)
    now = datetime.now(find_zone(os.environ))
    return settings, make_job(settings, os.environ, Path.cwd()), Crontab(os.environ, settings.state_dir, now), now


def _print(schedule: Schedule, as_json: bool, headline: str) -> None:
    from openphone_sync.cli.output import print_json  # noqa: PLC0415

    if as_json:
        print_json(_document(schedule))
        return
    if not schedule.installed:
        reason = "" if schedule.has_crontab else " (this system has no crontab program)"
        typer.echo(f"{headline}{reason}; the line would be")
    else:
        typer.echo(headline)
    typer.echo(f"\n{schedule.installed.text if schedule.installed else schedule.wanted}\n")
    typer.echo("next runs" if schedule.installed else "and the next runs")
    for moment in schedule.next_runs:
        typer.echo(f"  {moment:%a %Y-%m-%d %H:%M %Z}")


def _document(schedule: Schedule) -> dict[str, object]:
    from openphone_sync.documents import SCHEMA_VERSION, format_time  # noqa: PLC0415

    return {
        "schemaVersion": SCHEMA_VERSION,
        "isEnabled": schedule.installed is not None,
        "hasCrontab": schedule.has_crontab,
        "changed": schedule.changed,
        "line": schedule.installed.text if schedule.installed else None,
        "wantedLine": schedule.wanted,
        "nextRuns": [format_time(moment.timestamp()) for moment in schedule.next_runs],
    }
