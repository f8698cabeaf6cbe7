"""``alert test``."""

from __future__ import annotations

import typer

from openphone_sync.cli.options import Command, Group, JsonOption, make_app, read_settings
from openphone_sync.cli.output import print_json
from openphone_sync.cli.tables import print_marked
from openphone_sync.documents import SCHEMA_VERSION
from openphone_sync.errors import ConfigurationError
from openphone_sync.ops.alerts import send_test

FAILED = 1

app = make_app(cls=Group, no_args_is_help=True)


@app.callback()
def alert() -> None:
    """Send a test to every alert address and health check.

    Example: openphone-sync alert test
    """


@app.command("test", cls=Command)
def alert_test(context: typer.Context, as_json: JsonOption = False) -> None:
    """Send a test to each.

    Health checks included. Exits 1 if one does not take it.

    Example: openphone-sync alert test
    """
    settings = read_settings(context)
    if not settings.alert_urls and not settings.healthcheck_url:
        raise ConfigurationError(
            "no alert is configured; set OPENPHONE_ALERT_URLS (Apprise addresses) or OPENPHONE_HEALTHCHECK_URL"
        )
    results = send_test(settings)
    if as_json:
        shown = [{"receiver": receiver, "ok": ok, "detail": detail} for receiver, ok, detail in results]
        print_json({"schemaVersion": SCHEMA_VERSION, "results": shown})
    else:
        for receiver, ok, detail in results:
            print_marked("ok" if ok else "FAIL", f"{receiver}{f': {detail}' if detail else ''}")
    if not all(ok for _, ok, _ in results):
        raise typer.Exit(FAILED)
