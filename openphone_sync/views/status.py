"""The run in progress, the last run and the next one, from the state folder and the crontab.

Monitors ask every minute, so nothing here talks to OpenPhone or the database, or imports what does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from openphone_sync.documents import JOB_ID, SCHEMA_VERSION, format_time
from openphone_sync.ops.crontab import InstalledLine, next_runs
from openphone_sync.ops.timer import Timer
from openphone_sync.state import History
from openphone_sync.state.history import LiveRun
from openphone_sync.views.metrics import summarise

DIED = "the process ended before the run did; the next sync recovers what is open"


def make_status(
    history: History, *, is_running: bool, installed: InstalledLine | None, timer: Timer | None = None, now: datetime
) -> dict[str, Any]:
    """The status document. ``is_running``: a run holds the lock; ``installed`` is our line in the crontab, if any.

    ``timer`` is the systemd timer that is used in its place.

    ``now`` is in the time zone that cron uses.
    """
    totals, live = history.read_totals(), history.read_live_run()
    return {
        "schemaVersion": SCHEMA_VERSION,
        "syncService": _service(live if is_running else None, now.timestamp(), is_running=is_running),
        "scheduler": _scheduler(installed, timer, now, is_running=is_running),
        "schedulerMetrics": {
            "totalRuns": totals.runs,
            "successfulRuns": totals.good,
            "failedRuns": totals.runs - totals.good,
        },
        "lastRun": _last_run(history, None if is_running else live),
        "lastGoodRun": _age(history.read_last_good(), now.timestamp()),
        "reviews": {"open": history.count_held()},
        "coverage": next(iter(history.read_coverage()), None),
    }


def _service(running: LiveRun | None, now: float, *, is_running: bool) -> dict[str, Any]:
    if running is None:
        return {"isInProgress": is_running}
    return {
        "isInProgress": True,
        "runId": running.run_id,
        "command": running.command,
        "startedAt": format_time(running.started_at),
        "progress": {
            "processed": running.processed,
            "total": running.total,
            "etaSeconds": _estimate_left(running, now),
        },
    }


def _estimate_left(run: LiveRun, now: float) -> float | None:
    """Seconds left at the pace so far, reading included; None while nothing is written."""
    if not run.processed:
        return None
    return round(max(0.0, now - run.started_at) / run.processed * max(0, run.total - run.processed), 1)


def _scheduler(
    installed: InstalledLine | None, timer: Timer | None, now: datetime, *, is_running: bool
) -> dict[str, Any]:
    runs = next_runs(installed.schedule, now, 1) if installed else []
    is_enabled = installed is not None or timer is not None
    idle = "idle" if is_enabled else "stopped"
    calendar = timer.calendar if timer else None
    return {
        "jobId": JOB_ID,
        "status": "running" if is_running else idle,
        "isEnabled": is_enabled,
        "schedule": installed.schedule if installed else calendar,
        "nextRun": format_time(runs[0].timestamp()) if runs else None,
        **({"timer": timer.name} if timer else {}),
    }


def _last_run(history: History, died: LiveRun | None) -> Mapping[str, Any] | None:
    """The latest run that is over; one whose process died counts as interrupted."""
    if died is not None:
        known = {"runId": died.run_id, "command": died.command, "status": "interrupted", "message": DIED}
        return summarise(known | {"startedAt": format_time(died.started_at)})
    latest = history.read_summaries(1)
    return summarise(latest[0]) if latest else None


def _age(last_good: float | None, now: float) -> dict[str, Any] | None:
    if last_good is None:
        return None
    return {"finishedAt": format_time(last_good), "ageSeconds": round(max(0.0, now - last_good), 3)}
