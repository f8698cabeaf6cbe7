"""``status`` and ``metrics``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openphone_sync.cli.options import Command, JsonOption, read_globals, read_settings

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from openphone_sync.config import Settings
    from openphone_sync.state import History

RUNS_IN_CHART = 10
BAR_WIDTH = 16
TOO_OLD = 1
_CHARTED = ("created", "updated", "failed")
_SIGNS, _PLAIN_SIGNS = "█▒×", "#=x"


class Format(StrEnum):
    """Forms of the metrics."""

    TABLE = "table"
    JSON = "json"
    PROMETHEUS = "prometheus"


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("status", cls=Command)(status_command)
    app.command("metrics", cls=Command)(metrics_command)


def status_command(
    context: typer.Context,
    max_age: Annotated[
        str | None,
        typer.Option("--max-age", help="Exit 1 where the last good sync is older, such as 26h.", metavar="DURATION"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the last run, the next, and open reviews.

    Example: openphone-sync status --max-age 26h
    """
    limit_s = _parse_age(max_age)
    settings = read_settings(context)
    store, status, now = _read_status(settings)
    try:
        if as_json:
            from openphone_sync.cli.output import print_json  # noqa: PLC0415

            print_json(status)
        elif not read_globals(context).quiet:
            _print_status(status, store.read_summaries(RUNS_IN_CHART), now)
    finally:
        store.close()
    if limit_s is not None:
        raise typer.Exit(_judge_age(settings, status, limit_s, str(max_age)))


def metrics_command(
    context: typer.Context,
    form: Annotated[Format, typer.Option("--format", help="How to print them.")] = Format.TABLE,
    last: Annotated[
        int | None,
        typer.Option("--last", min=1, max=1_000_000, help="How many of the latest runs to list.", metavar="N"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Show totals over all runs, and the latest.

    Example: openphone-sync metrics --json | jq .metrics.totalRuns
    """
    settings = read_settings(context)
    store = _open_history(settings)
    try:
        _print_metrics(store, settings, Format.JSON if as_json else form, last)
    finally:
        store.close()


# --- status --------------------------------------------------------------------------------------------------------


def _open_history(settings: Settings) -> History:
    from openphone_sync.wiring import open_history  # noqa: PLC0415

    return open_history(settings)


def _read_status(settings: Settings) -> tuple[History, dict[str, Any], datetime]:
    from datetime import datetime  # noqa: PLC0415

    from openphone_sync.ops.crontab import find_zone, read_line  # noqa: PLC0415
    from openphone_sync.ops.lock import is_locked  # noqa: PLC0415
    from openphone_sync.views.status import Surroundings, make_status  # noqa: PLC0415

    now = datetime.now(find_zone(os.environ))
    around = Surroundings(is_locked(settings.state_dir), read_line(os.environ, settings.state_dir, now), now)
    store = _open_history(settings)
    try:
        return store, make_status(store, around), now
    except BaseException:
        store.close()
        raise


def _parse_age(text: str | None) -> float | None:
    from openphone_sync.config import parse_duration  # noqa: PLC0415

    try:
        return parse_duration(text) if text is not None else None
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not accepted; give {error}", param_hint="--max-age") from None


def _judge_age(settings: Settings, status: Mapping[str, Any], limit_s: float, limit: str) -> int:
    from openphone_sync.cli.exit import say  # noqa: PLC0415
    from openphone_sync.ops.alerts import notify_age  # noqa: PLC0415

    good = status["lastGoodRun"]
    too_old = good is None or good["ageSeconds"] > limit_s
    words = f"the last good sync ended {good['finishedAt']}" if good else "no sync has succeeded yet"
    if too_old:
        say(words + f" (the limit is {limit}); see why with openphone-sync runs list")
    notify_age(settings, too_old=too_old, words=words)
    return TOO_OLD if too_old else 0


def _print_status(status: Mapping[str, Any], runs: Sequence[Mapping[str, Any]], now: datetime) -> None:
    for line in _status_lines(status, now):
        typer.echo(line)
    if runs:
        _print_chart(runs, now.tzinfo)


def _status_lines(status: Mapping[str, Any], now: datetime) -> Iterable[str]:
    yield f"now        {_describe_service(status['syncService'])}"
    yield f"last run   {_describe_run(status['lastRun'], now)}"
    good = status["lastGoodRun"]
    yield f"last good  {_local(good['finishedAt'], now.tzinfo) if good else 'never'}"
    scheduler = status["scheduler"]
    enabled = f"{scheduler['schedule']}, next {_local(scheduler['nextRun'], now.tzinfo)}"
    yield f"schedule   {enabled if scheduler['isEnabled'] else 'none; openphone-sync schedule start'}"
    totals = status["schedulerMetrics"]
    yield f"runs       {totals['totalRuns']}, {totals['successfulRuns']} good, {totals['failedRuns']} failed"
    waiting = status["reviews"]["open"]
    yield f"reviews    {f'{waiting} open; openphone-sync review list' if waiting else 'none open'}"


def _describe_service(service: Mapping[str, Any]) -> str:
    if not service["isInProgress"]:
        return "idle"
    progress = service.get("progress")
    if not progress or not progress["total"]:
        return f"{service.get('command', 'a run')} in progress, reading"
    left = progress["etaSeconds"]
    eta = f", about {_duration(left)} to go" if left is not None else ""
    return f"{service['command']} in progress: {progress['processed']} of {progress['total']} contacts{eta}"


def _describe_run(run: Mapping[str, Any] | None, now: datetime) -> str:
    from openphone_sync.ops.alerts import describe_contacts  # noqa: PLC0415

    if run is None:
        return "none yet; openphone-sync sync"
    when = _local(run["finishedAt"] or run["startedAt"], now.tzinfo)
    if not run["contacts"]:
        return f"{run['command']} {run['status']}, begun {when}"
    took = _duration(run["durationSeconds"])
    return f"{run['command']} {run['status']} {when} in {took}\n           {describe_contacts(run['contacts'])}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _local_short(text: str, zone: tzinfo | None) -> str:
    from datetime import datetime  # noqa: PLC0415

    return f"{datetime.fromisoformat(text).astimezone(zone):%Y-%m-%d %H:%M}"


def _local(text: str | None, zone: tzinfo | None) -> str:
    from datetime import datetime  # noqa: PLC0415

    return f"{datetime.fromisoformat(text).astimezone(zone):%a %Y-%m-%d %H:%M %Z}" if text else "unknown"


def _print_chart(runs: Sequence[Mapping[str, Any]], zone: tzinfo | None) -> None:
    """One bar for each run, the latest first, all on one scale; 80 columns at most."""
    signs = _SIGNS if (sys.stdout.encoding or "").lower().startswith("utf") else _PLAIN_SIGNS
    longest = max(sum(run["contacts"][name] for name in _CHARTED) for run in runs)
    columns = "".join(f"{f'{sign} {name}':>11}" for sign, name in zip(signs, _CHARTED, strict=True))
    typer.echo(f"\n{'runs':<17}{'':<11}{columns}")
    for run in runs:
        counts = "".join(f"{run['contacts'][name]:>11}" for name in _CHARTED)
        bar = make_bar(run["contacts"], longest, signs)
        typer.echo(f"{_local_short(run['startedAt'], zone):<17}{run['status']:<11}{counts}  {bar}".rstrip())


def make_bar(contacts: Mapping[str, int], longest: int, signs: str = _SIGNS) -> str:
    """Created, updated and failed side by side; what there is gets at least one sign. ``longest`` fills the width."""
    widths = (round(contacts[name] / longest * BAR_WIDTH) if longest else 0 for name in _CHARTED)
    return "".join(
        sign * max(1, width) for sign, width, name in zip(signs, widths, _CHARTED, strict=True) if contacts[name]
    )


# --- metrics -------------------------------------------------------------------------------------------------------


def _print_metrics(store: History, settings: Settings, form: Format, last: int | None) -> None:
    from openphone_sync.documents import to_json  # noqa: PLC0415
    from openphone_sync.views.metrics import RUNS_SHOWN, load_metrics, make_metrics  # noqa: PLC0415

    metrics = make_metrics(store.read_totals(), store.read_summaries(last or RUNS_SHOWN))
    if metrics["runs"] and load_metrics(settings.state_dir) is None:
        _mend_file(settings, store)
    match form:
        case Format.JSON:
            typer.echo(to_json(metrics), nl=False)
        case Format.PROMETHEUS:
            from openphone_sync.views.prometheus import make_prometheus  # noqa: PLC0415

            typer.echo(make_prometheus(metrics, store.read_last_good(), store.count_held()), nl=False)
        case Format.TABLE:
            _print_tables(metrics)


def _mend_file(settings: Settings, store: History) -> None:
    """A metrics file that is missing or cut in half is made anew."""
    from contextlib import suppress  # noqa: PLC0415

    from openphone_sync.views.metrics import RUNS_SHOWN, make_metrics, save_metrics  # noqa: PLC0415

    with suppress(OSError):
        save_metrics(settings.state_dir, make_metrics(store.read_totals(), store.read_summaries(RUNS_SHOWN)))


def _print_tables(metrics: Mapping[str, Any]) -> None:
    from datetime import datetime  # noqa: PLC0415

    from openphone_sync.cli.output import make_table, print_table  # noqa: PLC0415
    from openphone_sync.ops.crontab import find_zone  # noqa: PLC0415

    totals = metrics["metrics"]
    labels = (
        ("runs", f"{totals['totalRuns']}, {totals['successfulRuns']} good, {totals['failedRuns']} failed"),
        ("created", str(totals["totalContactsCreated"])),
        ("updated", str(totals["totalContactsUpdated"])),
        ("skipped", str(totals["totalContactsSkipped"])),
        ("errors", str(totals["totalErrors"])),
        ("average", _duration(totals["averageDurationSeconds"])),
    )
    print_table(make_table(("all runs", ""), labels))
    zone = datetime.now(find_zone(os.environ)).tzinfo
    rows = [_run_row(run, zone) for run in metrics["runs"]]
    if rows:
        print_table(make_table(("run", "command", "result", "took", "contacts"), rows))


def _run_row(run: Mapping[str, Any], zone: tzinfo | None) -> tuple[str, ...]:
    from openphone_sync.ops.alerts import describe_contacts  # noqa: PLC0415

    when, took = _local_short(run["startedAt"], zone), _duration(run["durationSeconds"])
    return when, f"{run['command']} {run['mode']}", run["status"], took, describe_contacts(run["contacts"])
