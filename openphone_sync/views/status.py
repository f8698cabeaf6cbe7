"""What is going on, what was, and what comes next: all from the state folder and the crontab.

Asked by monitors every minute, so nothing here talks to OpenPhone or the database, or imports what does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from openphone_sync.documents import JOB_ID, SCHEMA_VERSION, format_time
from openphone_sync.ops.crontab import InstalledLine, next_runs
from openphone_sync.state import History
from openphone_sync.state.history import LiveRun
from openphone_sync.views.metrics import summarise


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the state itself does not know: whether a run holds the lock, the line in the crontab, and the time there."""

    is_running: bool
    installed: InstalledLine | None
    now: datetime


def make_status(store: History, around: Surroundings) -> dict[str, Any]:
    """The status document."""
    now, totals, last_good = around.now.timestamp(), store.read_totals(), store.read_last_good()
    unfinished = store.read_live_run()
    return {
        "schemaVersion": SCHEMA_VERSION,
        "syncService": _service(unfinished if around.is_running else None, around.is_running, now),
        "scheduler": _scheduler(around),
        "schedulerMetrics": {
            "totalRuns": totals.runs,
            "successfulRuns": totals.good,
            "failedRuns": totals.runs - totals.good,
        },
        "lastRun": _last_run(store, None if around.is_running else unfinished),
        "lastGoodRun": _age(last_good, now),
        "reviews": {"open": store.count_held()},
    }


def _service(running: LiveRun | None, is_running: bool, now: float) -> dict[str, Any]:
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
    """Seconds to go at the pace so far, reading included; None while nothing is written."""
    if not run.processed:
        return None
    return round(max(0.0, now - run.started_at) / run.processed * max(0, run.total - run.processed), 1)


def _scheduler(around: Surroundings) -> dict[str, Any]:
    runs = next_runs(around.installed.schedule, around.now, 1) if around.installed else []
    idle = "idle" if around.installed else "stopped"
    return {
        "jobId": JOB_ID,
        "status": "running" if around.is_running else idle,
        "isEnabled": around.installed is not None,
        "schedule": around.installed.schedule if around.installed else None,
        "nextRun": format_time(runs[0].timestamp()) if runs else None,
    }


def _last_run(store: History, died: LiveRun | None) -> Mapping[str, Any] | None:
    """The latest run that is over; one whose process died without a word counts as interrupted."""
    if died is not None:
        known = {"runId": died.run_id, "command": died.command, "status": "interrupted"}
        return summarise(known | {"startedAt": format_time(died.started_at)})
    latest = store.read_summaries(1)
    return summarise(latest[0]) if latest else None


def _age(last_good: float | None, now: float) -> dict[str, Any] | None:
    if last_good is None:
        return None
    return {"finishedAt": format_time(last_good), "ageSeconds": round(max(0.0, now - last_good), 3)}
