"""``status``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any

import typer

from openphone_sync.cli.options import Command, JsonOption, make_app, parse_duration_option, read_globals, read_settings
from openphone_sync.cli.output import echo, print_json, print_notice
from openphone_sync.config import Settings
from openphone_sync.documents import describe_contacts, describe_coverage, format_duration
from openphone_sync.ops.alerts import notify_age
from openphone_sync.ops.crontab import find_zone, read_line
from openphone_sync.ops.lock import is_locked
from openphone_sync.ops.timer import find_timer
from openphone_sync.state import History, peek_history
from openphone_sync.views.status import make_status

RUNS_IN_CHART = 10
BAR_WIDTH = 16
TOO_OLD = 1
_CHARTED = ("created", "updated", "failed")
_SIGNS, _ASCII_SIGNS = "█▒×", "#=x"

app = make_app()


@app.command(cls=Command)
def status(
    context: typer.Context,
    max_age: Annotated[
        str | None,
        typer.Option("--max-age", help="Exit 1 if the last good sync is older, such as 26h.", metavar="DURATION"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the last run, the next run and open reviews.

    Makes no network requests and is safe to poll every minute.

    Example: openphone-sync status --max-age 26h
    """
    limit_s = None if max_age is None else parse_duration_option(max_age, "--max-age")
    settings = read_settings(context)
    now = datetime.now(find_zone(os.environ))
    with closing(peek_history(settings.state_dir)) as history:
        document = read_status(history, settings.state_dir, now)
        runs = history.read_summaries(RUNS_IN_CHART)
    if as_json:
        print_json(document)
    elif not read_globals(context).quiet:
        for text in (*_describe_status(document, now), *_make_chart(runs, now.tzinfo)):
            for part in text.split("\n"):  # ids and counts: nothing here comes from the database or the API
                echo(part)
    if limit_s is not None:
        raise typer.Exit(_check_age(settings, document["lastGoodRun"], limit_s, str(max_age)))


def read_status(history: History, state_dir: Path, now: datetime) -> dict[str, Any]:
    """The status document as of ``now``, in the time zone that cron uses."""
    return make_status(
        history,
        is_running=is_locked(state_dir),
        installed=read_line(os.environ, state_dir, now),
        timer=find_timer(state_dir, os.environ),
        now=now,
    )


def _check_age(settings: Settings, good: Mapping[str, Any] | None, limit_s: float, limit: str) -> int:
    too_old = good is None or good["ageSeconds"] > limit_s
    words = f"the last good sync ended {good['finishedAt']}" if good else "no sync has succeeded yet"
    if too_old:
        print_notice(words + f" (the limit is {limit}); see why with openphone-sync runs list")
    notify_age(settings, too_old=too_old, words=words)
    return TOO_OLD if too_old else 0


def _describe_status(document: Mapping[str, Any], now: datetime) -> Iterable[str]:
    yield f"now        {_describe_service(document['syncService'])}"
    yield f"last run   {_describe_run(document['lastRun'], now)}"
    good = document["lastGoodRun"]
    yield f"last good  {_format_local(good['finishedAt'], now.tzinfo) if good else 'never'}"
    yield f"schedule   {_describe_schedule(document['scheduler'], now)}"
    totals = document["schedulerMetrics"]
    yield f"runs       {totals['totalRuns']}, {totals['successfulRuns']} good, {totals['failedRuns']} failed"
    waiting = document["reviews"]["open"]
    yield f"reviews    {f'{waiting} open; openphone-sync review list' if waiting else 'none open'}"
    if document["coverage"]:
        yield f"coverage   {describe_coverage(document['coverage'])}"


def _describe_schedule(scheduler: Mapping[str, Any], now: datetime) -> str:
    if not scheduler["isEnabled"]:
        return "none; openphone-sync schedule start"
    if scheduler["nextRun"] is None:
        return f"{scheduler['schedule']} by the systemd timer {scheduler['timer']}"
    return f"{scheduler['schedule']}, next {_format_local(scheduler['nextRun'], now.tzinfo)}"


def _describe_service(service: Mapping[str, Any]) -> str:
    if not service["isInProgress"]:
        return "idle"
    progress = service.get("progress")
    if not progress or not progress["total"]:
        return f"{service.get('command', 'a run')} in progress, reading"
    left = progress["etaSeconds"]
    eta = f", about {format_duration(left)} to go" if left is not None else ""
    return f"{service['command']} in progress: {progress['processed']} of {progress['total']} contacts{eta}"


def _describe_run(run: Mapping[str, Any] | None, now: datetime) -> str:
    if run is None:
        return "none yet; openphone-sync sync"
    when = _format_local(run["finishedAt"] or run["startedAt"], now.tzinfo)
    why = f"\n           {run['message']}" if run["message"] else ""
    if not run["contacts"]:
        return f"{run['command']} {run['status']}, started {when}{why}"
    took = format_duration(run["durationSeconds"])
    return f"{run['command']} {run['status']} {when} in {took}\n           {describe_contacts(run['contacts'])}{why}"


def _format_local(text: str | None, zone: tzinfo | None) -> str:
    return f"{datetime.fromisoformat(text).astimezone(zone):%a %Y-%m-%d %H:%M %Z}" if text else "unknown"


def _make_chart(runs: Sequence[Mapping[str, Any]], zone: tzinfo | None) -> Iterator[str]:
    """One bar for each run, the latest first, all on one scale; at most 80 columns."""
    if not runs:
        return
    signs = _SIGNS if (sys.stdout.encoding or "").lower().startswith("utf") else _ASCII_SIGNS
    longest = max(sum(run["contacts"][name] for name in _CHARTED) for run in runs)
    columns = "".join(f"{f'{sign} {name}':>11}" for sign, name in zip(signs, _CHARTED, strict=True))
    yield f"\n{'runs':<17}{'':<11}{columns}"
    for run in runs:
        started = datetime.fromisoformat(run["startedAt"]).astimezone(zone)
        counts = "".join(f"{run['contacts'][name]:>11}" for name in _CHARTED)
        bar = make_bar(run["contacts"], longest, signs)
        yield f"{started:%Y-%m-%d %H:%M} {run['status']:<11}{counts}  {bar}".rstrip()


def make_bar(contacts: Mapping[str, int], longest: int, signs: str = _SIGNS) -> str:
    """Created, updated and failed side by side, at least one sign for each that is not 0; ``longest`` fills the width."""
    widths = (round(contacts[name] / longest * BAR_WIDTH) if longest else 0 for name in _CHARTED)
    return "".join(
        sign * max(1, width) for sign, width, name in zip(signs, widths, _CHARTED, strict=True) if contacts[name]
    )
