"""``config show``."""

from __future__ import annotations

import os
from dataclasses import asdict

import typer

from openphone_sync.cli.options import Command, Group, JsonOption, make_app, read_globals
from openphone_sync.cli.output import print_json
from openphone_sync.cli.tables import print_line, print_table
from openphone_sync.config import list_settings, list_unknown_settings
from openphone_sync.documents import SCHEMA_VERSION

app = make_app(cls=Group, no_args_is_help=True)


@app.callback()
def config() -> None:
    """Show the settings in force, and where each comes from.

    Example: openphone-sync config show
    """


@app.command("show", cls=Command)
def config_show(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show every setting, its value and where it comes from. Secrets are masked.

    Example: openphone-sync config show --json | jq .settings
    """
    given = read_globals(context)
    settings = list_settings(os.environ, env_file=given.env_file)
    unknown = list_unknown_settings(os.environ, env_file=given.env_file)
    if as_json:
        rows = [asdict(setting) for setting in settings]
        print_json({"schemaVersion": SCHEMA_VERSION, "settings": rows, "unknown": unknown})
        return
    print_table(("setting", "value", "from"), [(one.name, one.value, one.origin) for one in settings])
    for text in unknown:
        print_line(text)
