"""The metrics as Prometheus text: for node_exporter's textfile collector, and for `metrics --format prometheus`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from openphone_sync.documents import parse_time
from openphone_sync.ops.files import save_text

READABLE = 0o644
"""node_exporter runs as a user of its own; the file holds counts only."""

_TOTALS = {
    "created": "totalContactsCreated",
    "updated": "totalContactsUpdated",
    "skipped": "totalContactsSkipped",
    "failed": "totalErrors",
}


def make_prometheus(metrics: Mapping[str, Any], last_good: float | None, open_reviews: int) -> str:
    """Text in the exposition format 0.0.4, without ``_created`` series. ``last_good`` is in seconds since the epoch."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(metrics, last_good, open_reviews))
    return generate_latest(registry).decode()


def save_prometheus(path: Path, metrics: Mapping[str, Any], last_good: float | None, open_reviews: int) -> None:
    """Replace ``path`` at once: a scrape sees the old or the new text. `OSError` passes through."""
    save_text(path, make_prometheus(metrics, last_good, open_reviews), mode=READABLE)


class _Families:
    """A collector over one metrics document."""

    def __init__(self, metrics: Mapping[str, Any], last_good: float | None, open_reviews: int) -> None:
        self._totals = metrics["metrics"]
        self._coverage = next(iter(metrics["coverage"]), None)
        self._last_good = last_good
        self._open_reviews = open_reviews

    def collect(self) -> Iterator[Metric]:
        """The families, in the order in which they are written."""
        yield from self._all_runs()
        if self._coverage:
            yield from self._last_coverage(self._coverage)
        if self._totals["lastRun"]:
            yield from self._last_run(self._totals["lastRun"])

    def _all_runs(self) -> Iterator[Metric]:
        runs = CounterMetricFamily("openphone_sync_runs", "Finished runs by result.", labels=["result"])
        runs.add_metric(["succeeded"], self._totals["successfulRuns"])
        runs.add_metric(["failed"], self._totals["failedRuns"])
        contacts = CounterMetricFamily(
            "openphone_sync_contacts", "Contacts of all runs by what was done.", labels=["result"]
        )
        for result, key in _TOTALS.items():
            contacts.add_metric([result], self._totals[key])
        yield runs
        yield contacts
        yield GaugeMetricFamily(
            "openphone_sync_open_reviews", "Contacts held back for a review.", value=self._open_reviews
        )
        if self._last_good is not None:
            yield GaugeMetricFamily(
                "openphone_sync_last_success_timestamp_seconds", "End of the last good sync.", value=self._last_good
            )

    def _last_coverage(self, coverage: Mapping[str, Any]) -> Iterator[Metric]:
        prefix, period = "openphone_sync_coverage", "when last measured."
        yield GaugeMetricFamily(
            f"{prefix}_numbers", f"Numbers that called or texted, {period}", value=coverage["numbers"]
        )
        yield GaugeMetricFamily(f"{prefix}_named", f"Those of them that show a name, {period}", value=coverage["named"])

    def _last_run(self, run: Mapping[str, Any]) -> Iterator[Metric]:
        prefix = "openphone_sync_last_run"
        yield GaugeMetricFamily(
            f"{prefix}_timestamp_seconds", "End of the last run.", value=parse_time(run["finishedAt"])
        )
        yield GaugeMetricFamily(
            f"{prefix}_duration_seconds", "How long the last run took.", value=run["durationSeconds"]
        )
        yield GaugeMetricFamily(
            f"{prefix}_success", "1 where nothing failed in the last run.", value=run["status"] == "succeeded"
        )
        contacts = GaugeMetricFamily(
            f"{prefix}_contacts", "Contacts of the last run by what was done.", labels=["result"]
        )
        for result, count in run["contacts"].items():
            contacts.add_metric([result], count)
        yield contacts
        requests = GaugeMetricFamily(f"{prefix}_requests", "Requests of the last run.", value=run["requests"]["total"])
        yield requests
