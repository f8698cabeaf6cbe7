"""The tool from Python: the same runs as on the command line, with the same lock, pace, journal, safety stop and records.

::

    from openphone_sync import sync

    report = sync()  # settings as the command line reads them
    print(report.status, report.document["contacts"])

A run that fails says so in its report (`RunReport.exit_code`, the codes of the command line); what is wrong before it
begins, settings or the lock, is raised (`ConfigurationError`, `LockedError`). Signals are the caller's; ``stop`` ends a
run as a SIGTERM ends the command.
"""

from __future__ import annotations

import os
import signal
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event

from openphone_sync.config import Settings, load_settings
from openphone_sync.ops.alerts import watching
from openphone_sync.run import sync as workflow
from openphone_sync.run.context import Context, SyncOptions
from openphone_sync.run.report import RunHeader, RunReport
from openphone_sync.wiring import NoProgress, SystemClock, open_run

REQUIRED = ("OPENPHONE_API_KEY", "DATABASE_URL")
_USUAL = SyncOptions()


def sync(
    settings: Settings | None = None,
    options: SyncOptions = _USUAL,
    *,
    plan: Path | None = None,
    stop: Event | None = None,
) -> RunReport:
    """One synchronisation run; ``plan`` (of ``dry_run(out=...)``) carries out exactly that plan.

    ``settings`` default to those of the environment and its files. Setting ``stop`` from another thread finishes and
    records what is in flight; the report's status is then ``interrupted``.
    """
    settings = settings or load_settings(os.environ, require=REQUIRED)
    with watching(settings) as watch:
        with _open_run(settings, "sync", options, stop) as (context, header):
            report = workflow.sync(options, context, header, plan)
        watch.document, watch.exit_code = report.document, report.exit_code
    return report


def dry_run(
    settings: Settings | None = None,
    options: SyncOptions = _USUAL,
    *,
    out: Path | None = None,
    stop: Event | None = None,
) -> RunReport:
    """What `sync` would do: its report, with ``actions`` (which hold people's data), and nothing written but ``out``."""
    settings = settings or load_settings(os.environ, require=REQUIRED)
    with _open_run(settings, "dry-run", options, stop, read_only=True) as (context, header):
        return workflow.dry_run(options, context, header, out)


def _open_run(
    settings: Settings, command: str, options: SyncOptions, stop: Event | None, *, read_only: bool = False
) -> AbstractContextManager[tuple[Context, RunHeader]]:
    """A run without progress; the event wakes its clock, and counts as a SIGTERM."""
    event = stop or Event()
    return open_run(
        settings,
        command,
        options,
        SystemClock(event),
        NoProgress(),
        read_only=read_only,
        signal_number=lambda: signal.SIGTERM if event.is_set() else 0,
    )
