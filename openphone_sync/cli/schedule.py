"""``schedule start|stop|show``."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import typer

from openphone_sync.cli.options import Command, Group, JsonOption, make_app, read_settings
from openphone_sync.cli.output import echo, print_json, print_notice
from openphone_sync.config import Settings
from openphone_sync.documents import SCHEMA_VERSION, format_time
from openphone_sync.errors import ConfigurationError
from openphone_sync.ops.crontab import Crontab, Job, NoCrontabError, find_zone
from openphone_sync.ops.schedule import (
    Schedule,
    find_missing,
    make_job,
    show_schedule,
    start_schedule,
    stop_schedule,
)
from openphone_sync.ops.timer import find_timer

app = make_app(cls=Group, no_args_is_help=True)


@app.callback()
def schedule() -> None:
    """Manage the nightly sync in your crontab.

    Example: openphone-sync schedule start
    """


@app.command("start", cls=Command)
def schedule_start(context: typer.Context, as_json: JsonOption = False) -> None:
    """Put the nightly sync into your crontab.

    OPENPHONE_SYNC_SCHEDULE says when. Other lines stay as they are, and running it twice changes nothing.

    Example: OPENPHONE_SYNC_SCHEDULE="30 1 * * *" openphone-sync schedule start
    """
    schedule = install_schedule(read_settings(context), Path.cwd())
    if schedule.installed:
        _print(schedule, as_json, "scheduled" if schedule.changed else "already scheduled")
        return
    if as_json:
        print_json(make_schedule_document(schedule))
    else:
        echo(schedule.wanted)
    raise typer.Exit(NoCrontabError.exit_code)


def install_schedule(settings: Settings, folder: Path) -> Schedule:
    """Put the line for these settings into the crontab, or say that there is no such program.

    ``folder`` is where the sync starts if it reads several env files there.
    """
    timer = find_timer(settings.state_dir, os.environ)
    if timer:
        raise ConfigurationError(
            f"the systemd timer {timer.name} runs this sync already ({timer.calendar}); keep it, or take it away first with "
            f"systemctl disable --now {timer.name}"
        )
    job, crontab, now = _prepare(settings, folder)
    try:
        schedule = start_schedule(job, crontab, now)
    except NoCrontabError:
        print_notice(
            "nothing is scheduled, because this system has no crontab program; "
            "give this line to whatever starts jobs here (schedule, then command)"
        )
        return show_schedule(job, crontab, now)
    missing = find_missing(schedule.installed, os.environ) if schedule.installed else ""
    if missing:
        print_notice(
            f"scheduled, but cron has none of this shell's variables; put what is missing into an env file: {missing}"
        )
    return schedule


@app.command("stop", cls=Command)
def schedule_stop(context: typer.Context, as_json: JsonOption = False) -> None:
    """Take the nightly sync out of your crontab.

    Other lines stay as they are.

    Example: openphone-sync schedule stop
    """
    settings = read_settings(context)
    _, crontab, _ = _prepare(settings, Path.cwd())
    changed = stop_schedule(settings.state_dir, crontab)
    if as_json:
        print_json({"schemaVersion": SCHEMA_VERSION, "isEnabled": False, "changed": changed})
    else:
        echo("no longer scheduled" if changed else "it was not scheduled")


@app.command("show", cls=Command)
def schedule_show(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the line in your crontab and its next five runs.

    Times are local.

    Example: openphone-sync schedule show --json | jq -r '.nextRuns[]'
    """
    job, crontab, now = _prepare(read_settings(context), Path.cwd())
    schedule = show_schedule(job, crontab, now)
    _print(schedule, as_json, "scheduled" if schedule.installed else "not scheduled")


def _prepare(settings: Settings, folder: Path) -> tuple[Job, Crontab, datetime]:
    now = datetime.now(find_zone(os.environ))
    return make_job(settings, os.environ, folder), Crontab(os.environ, settings.state_dir, now), now


def _print(schedule: Schedule, as_json: bool, headline: str) -> None:
    if as_json:
        print_json(make_schedule_document(schedule))
        return
    if schedule.installed:
        echo(headline)
    else:
        reason = "" if schedule.has_crontab else " (this system has no crontab program)"
        echo(f"{headline}{reason}; the line would be")
    echo()
    echo(schedule.installed.text if schedule.installed else schedule.wanted)
    echo()
    echo("next runs" if schedule.installed else "and the next runs")
    for moment in schedule.next_runs:
        echo(f"  {moment:%a %Y-%m-%d %H:%M %Z}")


def make_schedule_document(schedule: Schedule) -> dict[str, object]:
    """As published."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "isEnabled": schedule.installed is not None,
        "hasCrontab": schedule.has_crontab,
        "changed": schedule.changed,
        "line": schedule.installed.text if schedule.installed else None,
        "wantedLine": schedule.wanted,
        "nextRuns": [format_time(moment.timestamp()) for moment in schedule.next_runs],
    }
