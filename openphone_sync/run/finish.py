"""What every run does last: keep its report, erase what is too old to keep, and publish the metrics."""

from __future__ import annotations

import json
import logging
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from openphone_sync.config import Settings
from openphone_sync.ops.logging import OPERATOR
from openphone_sync.run.context import Context
from openphone_sync.run.report import RUNS_FOLDER, RunReport, save_report
from openphone_sync.state import Store
from openphone_sync.views.metrics import RUNS_SHOWN, make_metrics, save_metrics

_RUN_FILE = re.compile(r"([0-9]{8}T[0-9]{6}Z)-[0-9a-f]+\.json")


def record(report: RunReport, context: Context, *, tidy: bool = True) -> None:
    """Keep the report in the state, as a file of its own, and in the metrics."""
    now = context.clock.now()
    context.store.finish_run(report.run_id, report.status, now, json.dumps(report.document, ensure_ascii=False))
    folder = context.settings.state_dir
    try:
        save_report(folder, report.document)
    except OSError as error:  # the run has been, and the state has its report
        logging.getLogger(OPERATOR).warning(
            "the run file cannot be written to %s (%s); check rights and space", folder / RUNS_FOLDER, error.strerror
        )
    if tidy:
        tidy_up(context.store, context.settings, now)


def tidy_up(store: Store, settings: Settings, now: float) -> None:
    """Erase runs, journal and run files older than ``OPENPHONE_KEEP_RUNS``; replace the metrics files.

    ``now`` is in seconds since the epoch. The latest run always stays.
    """
    latest = store.read_runs(1)
    moment = min(now - settings.keep_runs_s, latest[0].started_at if latest else now)
    store.erase_before(moment)
    _erase_run_files(settings.state_dir / RUNS_FOLDER, moment)
    publish_metrics(store, settings)


def publish_metrics(store: Store, settings: Settings) -> None:
    """Replace the metrics file and, where one is wanted, the text file for node_exporter.

    One that cannot be written is a warning: the run has been.
    """
    metrics = make_metrics(store.read_totals(), store.read_summaries(RUNS_SHOWN), store.read_coverage(RUNS_SHOWN))
    try:
        save_metrics(settings.state_dir, metrics)
        if settings.prometheus_file:
            from openphone_sync.views.prometheus import save_prometheus  # noqa: PLC0415  # 10 ms, not needed without it

            save_prometheus(Path(settings.prometheus_file), metrics, store.read_last_good(), store.count_held())
    except OSError as error:
        logging.getLogger(OPERATOR).warning(
            "the metrics cannot be written (%s: %s); check folder and rights", error.filename, error.strerror
        )


def _erase_run_files(folder: Path, moment: float) -> None:
    """Run files by the time in their name, which a copy from elsewhere keeps."""
    limit = datetime.fromtimestamp(max(moment, 0), UTC).strftime("%Y%m%dT%H%M%SZ")
    for path in folder.glob("*.json"):
        found = _RUN_FILE.fullmatch(path.name)
        if found and found[1] < limit:
            with suppress(OSError):
                path.unlink()
