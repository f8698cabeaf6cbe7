"""Totals over all runs, and the list of the latest: the metrics document and its file.

Light on purpose: `status` and `metrics` are asked by monitors every minute and import nothing else of the product.
Keys are camelCase, durations in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openphone_sync.documents import JOB_ID, SCHEMA_VERSION, to_json
from openphone_sync.ops.files import save_text
from openphone_sync.state.history import RunTotals

METRICS_FILE = f"sync_metrics_{JOB_ID}.json"
RUNS_SHOWN = 50
"""Runs that the metrics file lists; `metrics --last N` reads the state and can show more."""


def make_metrics(
    totals: RunTotals, latest: Sequence[Mapping[str, Any]], coverage: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """The metrics document. ``latest`` are reports of runs, the latest first; their lists are left out.

    ``coverage`` is its trend, the latest measurement first.
    """
    runs = [summarise(document) for document in latest]
    return {
        "schemaVersion": SCHEMA_VERSION,
        "metrics": {
            "totalRuns": totals.runs,
            "successfulRuns": totals.good,
            "failedRuns": totals.runs - totals.good,
            "totalContactsCreated": totals.created,
            "totalContactsUpdated": totals.updated,
            "totalContactsSkipped": totals.skipped,
            "totalErrors": totals.failed,
            "averageDurationSeconds": round(totals.seconds / totals.runs, 3) if totals.runs else 0,
            "lastRun": runs[0] if runs else None,
        },
        "runs": runs,
        "coverage": list(coverage),
    }


def save_metrics(state_dir: Path, metrics: Mapping[str, Any]) -> None:
    """Replace the metrics file atomically."""
    save_text(state_dir / METRICS_FILE, to_json(metrics))


def summarise(document: Mapping[str, Any]) -> dict[str, Any]:
    """A run without its lists; ``message`` says why it did not succeed."""
    head = ("runId", "command", "mode", "dryRun", "status", "exitCode", "message")
    keys = (*head, "startedAt", "finishedAt", "durationSeconds", "clients", "contacts", "requests")
    return {key: document.get(key) for key in keys}
