"""``dry-run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from openphone_sync.cli.options import AllOption, Command, DetailsOption, JsonOption, make_app
from openphone_sync.cli.sync import (
    BatchOption,
    ContinueOption,
    ForceOption,
    LimitOption,
    Mode,
    ModeOption,
    ProgressOption,
    TypeOption,
    make_sync_options,
    run_dry,
)

app = make_app()


@app.command(cls=Command)
def dry_run(
    context: typer.Context,
    mode: ModeOption = Mode.INCREMENTAL,
    client_type: TypeOption = None,
    limit: LimitOption = None,
    batch_size: BatchOption = None,
    continue_on_error: ContinueOption = True,
    force: ForceOption = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 6 if changes are pending.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Save the plan for sync --plan (holds people's data).", metavar="FILE")
    ] = None,
    every: AllOption = False,
    details: DetailsOption = False,
    progress: ProgressOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what sync would do, and write nothing.

    Lists contacts by action, names first. Shows people's data.

    Example: openphone-sync dry-run --json | jq .contacts
    """
    options = make_sync_options(mode, client_type, limit, continue_on_error, force)
    code = run_dry(
        context,
        options,
        batch_size,
        as_json,
        detailed=detailed_exitcode,
        out=out,
        every=every,
        details=details,
        progress=progress,
    )
    raise typer.Exit(code)
