"""What every command that talks to OpenPhone needs around its workflow."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from openphone_sync.cli.exit import say
from openphone_sync.cli.options import Globals
from openphone_sync.cli.output import print_dry_run, print_report
from openphone_sync.cli.progress import show_progress
from openphone_sync.cli.signals import catch_signals
from openphone_sync.config import Settings
from openphone_sync.ops.alerts import describe_counts, describe_failures
from openphone_sync.run.context import Parts, SyncOptions
from openphone_sync.run.report import RunFrame
from openphone_sync.wiring import SystemClock, open_run


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
    with (
        catch_signals(clock.wake) as ending,
        show_progress(quiet=given.quiet) as progress,
        open_run(
            settings, command, options, clock, progress, looking=looking, signal_number=ending.signal_number
        ) as run,
    ):
        yield run


def tell_result(document: Mapping[str, Any], *, as_json: bool, quiet: bool) -> None:
    """A run's result on stdout and, also where that cannot be written, in one line on stderr what went wrong."""
    show = print_dry_run if document["dryRun"] else print_report
    try:
        show(document, as_json=as_json, quiet=quiet)
    finally:
        message = document.get("message") or describe_failures(document)
        if message:
            say(str(message))


def log_report(document: Mapping[str, Any]) -> None:
    """A run's result in the log: its counts, what failed and why, and its warnings."""
    log = logging.getLogger("openphone_sync.runs")
    log.info("%s %s", document["command"], describe_counts(document))
    for error in document["errors"]:
        log.error("%s: %s (%s %s)", error["externalId"], error["message"], error["status"], error["code"])
    for text in (document.get("message"), *document["warnings"]):
        if text:
            log.warning("%s", text)
