"""``demo``."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from openphone_sync.cli.options import Command, make_app
from openphone_sync.cli.signals import exit_on_signal, list_handled
from openphone_sync.errors import ConfigurationError
from openphone_sync.ops.logging import start_logging, stop_logging
from openphone_sync.sandbox import SandboxError
from openphone_sync.sandbox.demo import run_demo

app = make_app()


@app.command(cls=Command)
def demo(
    clients: Annotated[int, typer.Option(min=2, max=500, help="How many sample clients.", metavar="N")] = 20,
    report: Annotated[
        Path | None, typer.Option("--report", help="Keep the page of the command report here.", metavar="FILE")
    ] = None,
) -> None:
    """Run the main job end to end on embedded parts.

    Needs no settings and leaves nothing behind, except the page if you ask for it.

    Example: openphone-sync demo
    """
    exit_on_signal(list_handled())
    with TemporaryDirectory(prefix="openphone-sync-demo-") as folder:
        start_logging(Path(folder))  # nothing but a bug is logged, and not in the state folder of a real office
    try:
        raise typer.Exit(run_demo(clients, sys.stdout, report))
    except SandboxError as error:
        stop_logging()
        raise ConfigurationError(str(error)) from None
