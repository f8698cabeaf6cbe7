"""What every command that talks to OpenPhone needs around its workflow."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from openphone_sync.cli.options import Globals
from openphone_sync.cli.output import print_json, print_notice
from openphone_sync.cli.progress import show_progress
from openphone_sync.cli.signals import finish_on_signal
from openphone_sync.cli.tables import is_terminal
from openphone_sync.cli.terminal import print_report
from openphone_sync.config import Settings
from openphone_sync.ops.alerts import describe_counts, describe_failures
from openphone_sync.run.context import Context, SyncOptions
from openphone_sync.run.report import RunHeader
from openphone_sync.views.cards import read_names
from openphone_sync.wiring import SystemClock, open_run, read_state


@contextmanager
def open_command(
    settings: Settings,
    given: Globals,
    command: str,
    options: SyncOptions,
    *,
    read_only: bool,
    batch_size: int | None = None,
    lock_wait_s: float = 0.0,
    progress_lines: bool = False,
) -> Iterator[tuple[Context, RunHeader]]:
    """What a run works with, under signals and with a progress bar. ``read_only``: without the lock."""
    if batch_size is not None:
        settings = replace(settings, batch_size=batch_size)
    with (
        finish_on_signal(print_notice) as stop,
        show_progress(quiet=given.quiet, lines=progress_lines) as progress,
        open_run(
            settings,
            command,
            options,
            SystemClock(stop.event),
            progress,
            read_only=read_only,
            signal_number=stop.signal_number,
            lock_wait_s=lock_wait_s,
        ) as run,
    ):
        yield run


def print_result(
    document: Mapping[str, Any],
    settings: Settings,
    *,
    as_json: bool,
    quiet: bool,
    every: bool = False,
    details: bool = False,
) -> None:
    """A run's report on stdout and, even if that cannot be written, one line on stderr if something went wrong."""
    try:
        if as_json:
            print_json(document)
        elif not quiet:
            print_report(document, _find_names(document, settings), every=every, details=details)
    finally:
        message = document.get("message") or describe_failures(document)
        if message:
            print_notice(str(message))


def _find_names(document: Mapping[str, Any], settings: Settings) -> dict[str, str]:
    """Names of the people in a report, for a terminal only: elsewhere it may go into a log or a mail of cron."""
    if not is_terminal():
        return {}
    lists = [document[name] for name in ("errors", "held", "conflicts")]
    ids = {one["externalId"] for entries in lists for one in entries} | set(document["orphans"])
    names = {one["externalId"]: one["name"] for one in document.get("actions", ()) if one["name"]}
    with read_state(settings) as store:
        return names | read_names(store, ids - names.keys())


def log_report(document: Mapping[str, Any]) -> None:
    """A run's counts, failures and warnings in the log."""
    log = logging.getLogger("openphone_sync.runs")
    log.info("%s %s", document["command"], describe_counts(document))
    for error in document["errors"]:
        log.error("%s: %s (%s %s)", error["externalId"], error["message"], error["status"], error["code"])
    for text in (document.get("message"), *document["warnings"]):
        if text:
            log.warning("%s", text)
