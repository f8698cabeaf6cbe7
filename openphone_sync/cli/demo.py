"""``demo``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from openphone_sync.cli.options import Command, make_app
from openphone_sync.cli.signals import exit_on_signal, list_handled
from openphone_sync.errors import ConfigurationError
from openphone_sync.sandbox import SandboxError
from openphone_sync.sandbox.demo import run_demo

app = make_app()


@app.command(cls=Command)
def demo(
    clients: Annotated[int, typer.Option(min=2, max=500, help="How many sample clients.", metavar="N")] = 20,
) -> None:
    """Run the main job end to end on embedded parts.

    Needs no settings and leaves nothing behind.

    Example: openphone-sync demo
    """
    exit_on_signal(list_handled())
    try:
        raise typer.Exit(run_demo(clients, sys.stdout))
    except SandboxError as error:
        raise ConfigurationError(str(error)) from None
