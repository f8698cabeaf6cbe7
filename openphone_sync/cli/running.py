"""What every command that talks to OpenPhone needs around its workflow."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from openphone_sync.alerts import describe_counts
from openphone_sync.cli.options import Globals
from openphone_sync.cli.progress import make_progress
from openphone_sync.cli.signals import catch_signals
from openphone_sync.config import Settings
from openphone_sync.reports import RunFrame
from openphone_sync.wiring import SystemClock, make_run_id, open_parts, run_lock
from openphone_sync.workflows.parts import Parts, SyncOptions


@contextmanager
def running(
    settings: Settings,
    batch_size: int | None,
    given: Globals,
    command: str,
    options: SyncOptions,
    *,
    looking: bool,
) -> Iterator[tuple[Parts, RunFrame]]:
    """The real parts and the frame of a run; ``looking`` runs take no lock and open the state for reading."""
    clock = SystemClock()
    if batch_size is not None:
        settings = replace(settings, batch_size=batch_size)
    with ExitStack() as stack:
        if not looking:
            stack.enter_context(run_lock(settings.state_dir))
        ending = stack.enter_context(catch_signals(clock.wake))
        progress = make_progress(quiet=given.quiet)
        stack.enter_context(progress)
        parts = stack.enter_context(
            open_parts(settings, clock, progress, looking=looking, signal_number=ending.signal_number)
        )
        started_at = clock.now()
        mode = "full" if options.full else "incremental"
        yield parts, RunFrame(make_run_id(started_at), command, mode, looking, started_at)


def log_report(document: Mapping[str, Any]) -> None:
    """A run's result in the log: its counts, what failed and why, and its warnings."""
    log = logging.getLogger("openphone_sync.runs")
    log.info("%s %s", document["command"], describe_counts(document))
    for error in document["errors"]:
        log.error("%s: %s (%s %s)", error["externalId"], error["message"], error["status"], error["code"])
    for text in (document.get("message"), *document["warnings"]):
        if text:
            log.warning("%s", text)
