"""``sync``."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from openphone_sync.cli.options import (
    BOTH,
    Command,
    JsonOption,
    make_app,
    parse_duration_option,
    read_globals,
    read_settings,
)
from openphone_sync.cli.running import log_report, open_command, print_result
from openphone_sync.ops.alerts import watching
from openphone_sync.run import sync as workflow
from openphone_sync.run.choose import find_clients
from openphone_sync.run.context import Context, SyncOptions, keep_trying

CHANGES_PENDING = 6
CLIENT_WAIT = "60s"
"""How long --client and --phone wait by default: an intake must show by name in a minute."""

Chosen = tuple[tuple[str, ...], str | None]
"""Ids of --client and the number of --phone."""

app = make_app()


class Mode(StrEnum):
    """Which clients a run works on."""

    INCREMENTAL = "incremental"
    FULL = "full"


class ClientType(StrEnum):
    """Kinds of clients."""

    CRIMINAL = "criminal"
    CIVIL = "civil"


ModeOption = Annotated[Mode, typer.Option("--mode", help="incremental: rows that changed; full: check every contact.")]
TypeOption = Annotated[ClientType | None, typer.Option("--client-type", help="Only clients of this type.")]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="Only the first N clients, by id.", metavar="N")
]
BatchOption = Annotated[
    int | None, typer.Option("--batch-size", min=1, max=10000, help="Clients per database fetch.", metavar="N")
]
ContinueOption = Annotated[
    bool,
    typer.Option("--continue-on-error/--fail-fast", help="When a contact fails: continue with the others, or stop."),
]
ProgressOption = Annotated[
    bool, typer.Option("--progress", help="Without a terminal: print the progress on stderr every 30 s.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Write even if the safety stop would not.")]


@app.command(cls=Command)
def sync(
    context: typer.Context,
    mode: ModeOption = Mode.INCREMENTAL,
    client_type: TypeOption = None,
    limit: LimitOption = None,
    batch_size: BatchOption = None,
    continue_on_error: ContinueOption = True,
    force: ForceOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as the command dry-run.")] = False,
    client: Annotated[
        list[str] | None, typer.Option("--client", help="Only this client, now (repeatable).", metavar="ID")
    ] = None,
    phone: Annotated[str | None, typer.Option("--phone", help="Only the client with this number.", metavar="N")] = None,
    wait: Annotated[
        str | None,
        typer.Option(
            "--wait",
            help="How long to keep trying to reach API and database; with --client also for a running sync to end (60s).",
            metavar="DURATION",
        ),
    ] = None,
    accept_source: Annotated[
        bool, typer.Option("--accept-source", help="Accept that the same rows are in a new place.")
    ] = False,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="Apply exactly this plan of dry-run --out.", metavar="FILE")
    ] = None,
    progress: ProgressOption = False,
    as_json: JsonOption = False,
) -> None:
    """Bring OpenPhone in step with the client table, once.

    Example: openphone-sync sync --mode full
    """
    chosen = (tuple(client or ()), phone)
    wait = wait or (CLIENT_WAIT if any(chosen) else "0")
    options = make_sync_options(mode, client_type, limit, continue_on_error, force, wait)
    options = replace(options, accept_source=accept_source)
    if plan is not None and (dry_run or mode is Mode.FULL or client_type or limit or any(chosen)):
        raise typer.BadParameter(
            "the plan says what it covers; leave out --dry-run, --mode, --client, --phone, --client-type and --limit",
            param_hint="--plan",
        )
    if any(chosen) and (mode is Mode.FULL or client_type or limit):
        raise typer.BadParameter(
            "it names the clients; leave out --mode, --client-type and --limit", param_hint="--client"
        )
    if dry_run:
        raise typer.Exit(run_dry(context, options, batch_size, as_json, chosen=chosen, progress=progress))
    given, settings = read_globals(context), read_settings(context, require=BOTH)
    lock_wait_s = options.wait_s if any(chosen) else 0.0
    with watching(settings, complete=options.complete and not any(chosen)) as watch:
        with open_command(
            settings,
            given,
            "sync",
            options,
            read_only=False,
            batch_size=batch_size,
            lock_wait_s=lock_wait_s,
            progress_lines=progress,
        ) as (run_context, header):
            options = choose_clients(options, chosen, run_context)
            report = workflow.sync(options, run_context, header, plan)
        watch.document, watch.exit_code = report.document, report.exit_code
        log_report(report.document)
    print_result(
        report.document, settings, as_json=as_json, quiet=given.quiet
    )  # a closed stdout does not make the run fail
    raise typer.Exit(report.exit_code)


def make_sync_options(
    mode: Mode, client_type: ClientType | None, limit: int | None, continue_on_error: bool, force: bool, wait: str = "0"
) -> SyncOptions:
    """The options as the workflow takes them."""
    return SyncOptions(
        full=mode is Mode.FULL,
        client_type=client_type.value if client_type else None,
        limit=limit,
        fail_fast=not continue_on_error,
        force=force,
        wait_s=parse_duration_option(wait, "--wait"),
    )


def choose_clients(options: SyncOptions, chosen: Chosen, context: Context) -> SyncOptions:
    """The options with the clients that are meant; `ConfigurationError` where there is no such client."""
    ids, phone = chosen
    if not ids and phone is None:
        return options
    deadline_s = context.clock.monotonic() + options.wait_s
    found = keep_trying(lambda: find_clients(ids, phone, context), context, deadline_s)
    return replace(options, client_ids=found)


def run_dry(
    context: typer.Context,
    options: SyncOptions,
    batch_size: int | None,
    as_json: bool,
    *,
    detailed: bool = False,
    out: Path | None = None,
    chosen: Chosen = ((), None),
    every: bool = False,
    details: bool = False,
    progress: bool = False,
) -> int:
    """A dry run; returns the exit code, with ``detailed`` also whether changes are pending."""
    given, settings = read_globals(context), read_settings(context, require=BOTH)
    with open_command(
        settings, given, "dry-run", options, read_only=True, batch_size=batch_size, progress_lines=progress
    ) as (
        run_context,
        header,
    ):
        report = workflow.dry_run(choose_clients(options, chosen, run_context), run_context, header, out)
    print_result(report.document, settings, as_json=as_json, quiet=given.quiet, every=every, details=details)
    pending = any(action["changes"] or action["action"] == "delete" for action in report.document["actions"])
    return CHANGES_PENDING if detailed and pending and not report.exit_code else report.exit_code
