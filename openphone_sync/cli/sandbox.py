"""``sandbox`` and ``demo``: OpenPhone and Postgres for trying things, on this machine alone."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from openphone_sync.cli.exit import leave_interrupted
from openphone_sync.cli.options import Command, read_globals
from openphone_sync.cli.signals import list_heeded

DEFAULT_PORT = 8787


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("sandbox", cls=Command)(sandbox_command)
    app.command("demo", cls=Command)(demo_command)


def sandbox_command(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = DEFAULT_PORT,
    key: Annotated[str | None, typer.Option(help="API key that it accepts.", metavar="KEY")] = None,
    latency: Annotated[float, typer.Option(min=0, help="Milliseconds before each answer.", metavar="MS")] = 0.0,
    rate_limit: Annotated[int, typer.Option(min=1, help="Requests it takes in any one second.", metavar="N")] = 10,
    lag: Annotated[float, typer.Option(min=0, help="Seconds before a write shows in lists.", metavar="S")] = 2.0,
    contacts: Annotated[int, typer.Option(min=0, help="Contacts of staff and integrations to begin with.")] = 0,
    conversations: Annotated[int, typer.Option(min=0, help="Conversations, with texts, calls and recordings.")] = 0,
    seed: Annotated[int, typer.Option(help="The same seed is the same workspace.")] = 1,
    file: Annotated[Path | None, typer.Option(help="Keep the contents in this file.", metavar="PATH")] = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="A habit of the API that was seen both ways.", metavar="NAME=VALUE")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="Something that goes wrong.", metavar="KIND[:NAME=VALUE,...]")
    ] = None,
) -> None:
    """Serve an OpenPhone API on this machine, for trying.

    It has the live one's habits, but is no OpenPhone: nothing leaves this machine, and no phone rings.

    Example: openphone-sync sandbox --contacts 50 --fault status:status=503,count=2
    """
    from openphone_sync.errors import ConfigurationError  # noqa: PLC0415
    from openphone_sync.sandbox import (  # noqa: PLC0415
        SANDBOX_KEY,
        SandboxError,
        SandboxOptions,
        SandboxServer,
        make_variants,
        parse_fault,
    )

    try:
        options = SandboxOptions(
            port=port,
            key=key or SANDBOX_KEY,
            latency_ms=latency,
            rate_limit=rate_limit,
            lag_s=lag,
            contacts=contacts,
            conversations=conversations,
            seed=seed,
            file=file,
            variants=make_variants(dict(_pair(text) for text in variant or [])),
            faults=tuple(parse_fault(text) for text in fault or []),
        )
        ended = _catch_signals()
        with SandboxServer(options) as server:
            _announce(server.base_url, options.key, quiet=read_globals(context).quiet)
            while not ended.wait(0.5):
                continue
    except SandboxError as error:
        raise ConfigurationError(str(error)) from None


def demo_command(
    clients: Annotated[int, typer.Option(min=2, max=500, help="Sample clients.", metavar="N")] = 20,
) -> None:
    """Run the main job end to end on embedded parts.

    Nothing to configure, nothing left behind.

    Example: openphone-sync demo
    """
    from openphone_sync.errors import ConfigurationError  # noqa: PLC0415
    from openphone_sync.sandbox import SandboxError  # noqa: PLC0415
    from openphone_sync.sandbox.demo import run_demo  # noqa: PLC0415

    for number in list_heeded():
        signal.signal(number, leave_interrupted)
    try:
        raise typer.Exit(run_demo(clients, sys.stdout))
    except SandboxError as error:
        raise ConfigurationError(str(error)) from None


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()


def _announce(base_url: str, key: str, *, quiet: bool) -> None:
    if not quiet:
        sys.stdout.write(
            "An OpenPhone sandbox is listening. In another terminal:\n\n"
            f"  export OPENPHONE_BASE_URL={base_url}\n"
            f"  export OPENPHONE_API_KEY={key}\n\n"
            "Ctrl-C ends it.\n"
        )
        sys.stdout.flush()


def _catch_signals() -> threading.Event:
    """Return what a signal sets from now on: ending by one is how a server ends, no error."""
    ended = threading.Event()
    for number in list_heeded():
        signal.signal(number, lambda *_: ended.set())
    return ended
