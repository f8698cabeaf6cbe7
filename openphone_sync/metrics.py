"""Totals over all runs, and the list of the latest: the metrics document and its file.

Light on purpose: `status` and `metrics` are asked by monitors every minute and import nothing else of the product.
Keys are camelCase, durations in seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openphone_sync.files import save_text

SCHEMA_VERSION = 1
JOB_ID = "openphone-daily-sync"
METRICS_FILE = f"sync_metrics_{JOB_ID}.json"
RUNS_SHOWN = 50
"""Runs that the metrics file lists; `metrics --last N` reads the state and can show more."""


@dataclass(frozen=True, slots=True)
class RunTotals:
    """Sums over finished runs, also over those whose history is erased. ``seconds`` is the sum of their durations."""

    runs: int = 0
    good: int = 0
    created: int = 0
    updated: int = 0
    skipped: int = 0
    failed: int = 0
    seconds: float = 0.0

    def plus(self, other: RunTotals) -> RunTotals:
        """Both sums together."""
        mine, theirs = asdict(self), asdict(other)
        return RunTotals(**{name: mine[name] + theirs[name] for name in mine})

    def to_text(self) -> str:
        """As JSON, to be remembered."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A run that is not closed: how many of its contacts are done. ``started_at`` in seconds since the epoch."""

    run_id: str
    command: str
    started_at: float
    processed: int
    total: int


def parse_totals(text: str | None) -> RunTotals:
    """What `RunTotals.to_text` wrote; nothing where nothing is remembered."""
    return RunTotals(**json.loads(text)) if text else RunTotals()


def make_metrics(totals: RunTotals, latest: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The metrics document. ``latest`` are reports of runs, the latest first; their lists are left out."""
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
    }


def save_metrics(state_dir: Path, metrics: Mapping[str, Any]) -> None:
    """Replace the metrics file atomically."""
    save_text(state_dir / METRICS_FILE, to_json(metrics))


def load_metrics(state_dir: Path) -> dict[str, Any] | None:
    """The metrics file; None where it is missing or no metrics document (cut in half, another program's)."""
    try:
        document = json.loads((state_dir / METRICS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(document, dict) and isinstance(document.get("metrics"), dict)
    return document if whole and isinstance(document.get("runs"), list) else None


def summarise(document: Mapping[str, Any]) -> dict[str, Any]:
    """A run without its lists."""
    keys = ("runId", "command", "mode", "dryRun", "status", "startedAt", "finishedAt", "durationSeconds")
    return {key: document.get(key) for key in (*keys, "clients", "contacts", "requests")}


def to_json(document: Mapping[str, Any]) -> str:
    """The document as text with a closing newline."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def format_time(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> float:
    """Seconds since the epoch of what `format_time` wrote; `ValueError` for anything else."""
    return datetime.fromisoformat(text).timestamp()
