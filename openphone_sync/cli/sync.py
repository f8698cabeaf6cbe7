"""``sync`` and ``dry-run``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openphone_sync.cli.options import Command, JsonOption, read_globals, read_settings

if TYPE_CHECKING:
    from openphone_sync.run.context import SyncOptions

CHANGES_PENDING = 6


class Mode(StrEnum):
    """Which rows are looked at."""

    INCREMENTAL = "incremental"
    FULL = "full"


class ClientType(StrEnum):
    """Kinds of clients."""

    CRIMINAL = "criminal"
    CIVIL = "civil"


ModeOption = Annotated[Mode, typer.Option("--mode", help="incremental: rows that moved; full: check every contact.")]
TypeOption = Annotated[ClientType | None, typer.Option("--client-type", help="Only clients of this type.")]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many clients.", metavar="N")]
BatchOption = Annotated[
    int | None, typer.Option("--batch-size", min=1, max=10000, help="Clients per database fetch.", metavar="N")
]
ContinueOption = Annotated[
    bool, typer.Option("--continue-on-error/--fail-fast", help="Go on with the others when a contact fails, or stop.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Go past the safety stop.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("sync", cls=Command)(sync_command)
    app.command("dry-run", cls=Command)(dry_run_command)


def sync_command(
    context: typer.Context,
    mode: ModeOption = Mode.INCREMENTAL,
    client_type: TypeOption = None,
    limit: LimitOption = None,
    batch_size: BatchOption = None,
    continue_on_error: ContinueOption = True,
    force: ForceOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as the command dry-run.")] = False,
    wait: Annotated[
        str, typer.Option("--wait", help="How long to keep trying to reach API and database.", metavar="DURATION")
    ] = "0",
    plan: Annotated[
        Path | None, typer.Option("--plan", help="Carry out exactly this plan of dry-run --out.", metavar="FILE")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring OpenPhone in step with the client table, once.

    Example: openphone-sync sync --mode full
    """
    options = _make_options(mode, client_type, limit, continue_on_error, force, wait)
    if plan is not None and (dry_run or mode is Mode.FULL or client_type or limit):
        raise typer.BadParameter(
            "a plan says itself what it covers; leave --dry-run, --mode, --client-type and --limit out",
            param_hint="--plan",
        )
    if dry_run:
        raise typer.Exit(_dry_run(context, options, batch_size, as_json))
    raise typer.Exit(_sync(context, options, batch_size, as_json, plan))


def dry_run_command(
    context: typer.Context,
    mode: ModeOption = Mode.INCREMENTAL,
    client_type: TypeOption = None,
    limit: LimitOption = None,
    batch_size: BatchOption = None,
    continue_on_error: ContinueOption = True,
    force: ForceOption = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 6 where changes are pending.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Save the plan for sync --plan (holds people's data).", metavar="FILE")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what sync would do, and write nothing.

    Every contact's action with its fields before and after; --json shows people's data.

    Example: openphone-sync dry-run --json | jq .contacts
    """
    options = _make_options(mode, client_type, limit, continue_on_error, force, "0")
    raise typer.Exit(_dry_run(context, options, batch_size, as_json, detailed=detailed_exitcode, out=out))


def _make_options(
    mode: Mode, client_type: ClientType | None, limit: int | None, continue_on_error: bool, force: bool, wait: str
) -> SyncOptions:
    from openphone_sync.config import parse_duration  # noqa: PLC0415
    from openphone_sync.run.context import SyncOptions  # noqa: PLC0415

    try:
        wait_s = parse_duration(wait)
    except ValueError as error:
        raise typer.BadParameter(f"{wait!r} is not accepted; give {error}", param_hint="--wait") from None
    return SyncOptions(
        full=mode is Mode.FULL,
        client_type=client_type.value if client_type else None,
        limit=limit,
        fail_fast=not continue_on_error,
        force=force,
        wait_s=wait_s,
    )


def _sync(
    context: typer.Context, options: SyncOptions, batch_size: int | None, as_json: bool, plan: Path | None = None
) -> int:
    from openphone_sync.cli.running import log_report, running, tell_result  # noqa: PLC0415
    from openphone_sync.ops.alerts import watching  # noqa: PLC0415
    from openphone_sync.run.sync import sync  # noqa: PLC0415

    given = read_globals(context)
    settings = read_settings(context, require=("OPENPHONE_API_KEY", "DATABASE_URL"))
    with watching(settings) as watch:
        with running(settings, batch_size, given, "sync", options, looking=False) as (parts, frame):
            report = sync(options, parts, frame, plan)
        watch.document, watch.exit_code = report.document, report.exit_code
        log_report(report.document)
    tell_result(report.document, as_json=as_json, quiet=given.quiet)  # a stdout that is gone is no failed run
    return report.exit_code


def _dry_run(
    context: typer.Context,
    options: SyncOptions,
    batch_size: int | None,
    as_json: bool,
    *,
    detailed: bool = False,
    out: Path | None = None,
) -> int:
    from openphone_sync.cli.running import running, tell_result  # noqa: PLC0415
    from openphone_sync.run.sync import dry_run  # noqa: PLC0415

    given = read_globals(context)
    settings = read_settings(context, require=("OPENPHONE_API_KEY", "DATABASE_URL"))
    with running(settings, batch_size, given, "dry-run", options, looking=True) as (parts, frame):
        report = dry_run(options, parts, frame, out)
    tell_result(report.document, as_json=as_json, quiet=given.quiet)
    pending = any(action["changes"] or action["action"] == "delete" for action in report.document["actions"])
    return CHANGES_PENDING if detailed and pending and not report.exit_code else report.exit_code
