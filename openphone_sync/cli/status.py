"""``status``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from openphone_sync.cli.options import Command, JsonOption, make_app, parse_duration_option, read_globals, read_settings
from openphone_sync.cli.output import echo, has_unicode, print_json, print_notice
from openphone_sync.cli.tables import is_terminal, make_when, print_pairs, print_table
from openphone_sync.config import Settings
from openphone_sync.documents import describe_contacts, describe_coverage, format_duration
from openphone_sync.ops.alerts import notify_age
from openphone_sync.ops.crontab import find_zone, read_line
from openphone_sync.ops.lock import is_locked
from openphone_sync.ops.timer import find_timer
from openphone_sync.state import History, peek_history
from openphone_sync.views.ids import find_ids, name_ids
from openphone_sync.views.status import make_status

RUNS_IN_CHART = 10
BAR_WIDTH = 12
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
        names = (
            history.read_persons(find_ids((document["lastRun"] or {}).get("message") or "")) if is_terminal() else {}
        )
    if as_json:
        print_json(document)
    elif not read_globals(context).quiet:
        _print_status(document, names)
        _print_runs(runs)
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


def _print_status(document: Mapping[str, Any], names: Mapping[str, str]) -> None:
    when = make_when()
    good, totals, waiting = document["lastGoodRun"], document["schedulerMetrics"], document["reviews"]["open"]
    lines = [
        ("now", _describe_service(document["syncService"])),
        *(
            ("last run" if not number else "", text)
            for number, text in enumerate(_describe_run(document["lastRun"], when, names))
        ),
        ("last good", when(good["finishedAt"]) if good else "never"),
        ("schedule", _describe_schedule(document["scheduler"], when)),
        ("runs", f"{totals['totalRuns']}, {totals['successfulRuns']} good, {totals['failedRuns']} failed"),
        ("reviews", f"{waiting} open; openphone-sync review" if waiting else "none open"),
    ]
    if document["coverage"]:
        lines.append(("coverage", describe_coverage(document["coverage"])))
    print_pairs(lines, (document["lastRun"] or {}).get("status", ""))


def _describe_schedule(scheduler: Mapping[str, Any], when: Callable[[str | None], str]) -> str:
    if not scheduler["isEnabled"]:
        return "none; openphone-sync schedule start"
    if scheduler["nextRun"] is None:
        return f"{scheduler['schedule']} by the systemd timer {scheduler['timer']}"
    return f"{scheduler['schedule']}, next {when(scheduler['nextRun'])}"


def _describe_service(service: Mapping[str, Any]) -> str:
    if not service["isInProgress"]:
        return "idle"
    progress = service.get("progress")
    if not progress or not progress["total"]:
        return f"{service.get('command', 'a run')} in progress, reading"
    left = progress["etaSeconds"]
    eta = f", about {format_duration(left)} to go" if left is not None else ""
    return f"{service['command']} in progress: {progress['processed']} of {progress['total']} contacts{eta}"


def _describe_run(
    run: Mapping[str, Any] | None, when: Callable[[str | None], str], names: Mapping[str, str]
) -> list[str]:
    """How it ended, what it did, and why it did not succeed."""
    if run is None:
        return ["none yet; openphone-sync sync"]
    head = f"{run['command']} {run['status']}"
    why = [name_ids(run["message"], names)] if run["message"] else []
    if not run["contacts"]:
        return [f"{head}, began {when(run['startedAt'])}", *why]
    took = format_duration(run["durationSeconds"])
    did = describe_contacts(run["contacts"])
    counts = [] if why and not any(run["contacts"].values()) else [did]
    return [f"{head} {when(run['finishedAt'] or run['startedAt'])}, in {took}", *counts, *why]


def _print_runs(runs: Sequence[Mapping[str, Any]]) -> None:
    """One bar for each run, the latest first, all on one scale."""
    if not runs:
        return
    signs, when = (_SIGNS if has_unicode() else _ASCII_SIGNS), make_when()
    longest = max(sum(run["contacts"][name] for name in _CHARTED) for run in runs)
    echo()
    heads = (f"{sign} {name}" if is_terminal() else name for sign, name in zip(signs, _CHARTED, strict=True))
    rows = [
        (
            when(run["startedAt"]),
            run["status"],
            *(str(run["contacts"][name]) for name in _CHARTED),
            make_bar(run["contacts"], longest, signs) if is_terminal() else "",
        )
        for run in runs
    ]
    print_table(("runs", "result", *heads, ""), rows)


def make_bar(contacts: Mapping[str, int], longest: int, signs: str = _SIGNS) -> str:
    """Created, updated and failed side by side, at least one sign for each that is not 0; ``longest`` fills the width."""
    widths = (round(contacts[name] / longest * BAR_WIDTH) if longest else 0 for name in _CHARTED)
    return "".join(
        sign * max(1, width) for sign, width, name in zip(signs, widths, _CHARTED, strict=True) if contacts[name]
    )
