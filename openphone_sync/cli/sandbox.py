"""``sandbox``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from openphone_sync.cli.options import Command, make_app, read_globals
from openphone_sync.cli.output import print_text
from openphone_sync.cli.signals import stop_on_signal
from openphone_sync.errors import ConfigurationError
from openphone_sync.sandbox import SANDBOX_KEY, SandboxError, SandboxOptions, SandboxServer, make_variants

DEFAULT_PORT = 8787

app = make_app()


@app.command(cls=Command)
def sandbox(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = DEFAULT_PORT,
    key: Annotated[str, typer.Option(help="API key that it accepts.", metavar="KEY")] = SANDBOX_KEY,
    latency: Annotated[float, typer.Option(min=0, help="Milliseconds before each answer.", metavar="MS")] = 0.0,
    rate_limit: Annotated[int, typer.Option(min=1, help="Requests accepted per second.", metavar="N")] = 10,
    lag: Annotated[float, typer.Option(min=0, help="Seconds before a write shows in lists.", metavar="S")] = 2.0,
    contacts: Annotated[int, typer.Option(min=0, help="Contacts of staff and integrations at the start.")] = 0,
    conversations: Annotated[int, typer.Option(min=0, help="Conversations, with texts, calls and recordings.")] = 0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same workspace.")] = 1,
    file: Annotated[Path | None, typer.Option(help="Keep the contents in this file.", metavar="PATH")] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="Choose one of two behaviours of the API, where both were seen.", metavar="NAME=VALUE"),
    ] = None,
) -> None:
    """Serve a local OpenPhone API, for trying and testing.

    It behaves like the live API, but nothing leaves this machine and no phone rings.

    Example: openphone-sync sandbox --contacts 50
    """
    try:
        options = SandboxOptions(
            port=port,
            key=key,
            latency_ms=latency,
            rate_limit=rate_limit,
            lag_s=lag,
            contacts=contacts,
            conversations=conversations,
            seed=seed,
            file=file,
            variants=make_variants(dict(_split_pair(text) for text in variant or [])),
        )
        stopped = stop_on_signal()
        with SandboxServer(options) as server:
            if not read_globals(context).quiet:
                _print_settings(server.base_url, options.key)
            while not stopped.wait(0.5):
                continue
    except SandboxError as error:
        raise ConfigurationError(str(error)) from None


def _split_pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()


def _print_settings(base_url: str, key: str) -> None:
    print_text(
        "The OpenPhone sandbox is running. In another terminal:\n\n"
        f"  export OPENPHONE_BASE_URL={base_url}\n"
        f"  export OPENPHONE_API_KEY={key}\n\n"
        "Press Ctrl-C to stop it.\n"
    )
