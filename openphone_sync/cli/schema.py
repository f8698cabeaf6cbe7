"""``schema``."""

from __future__ import annotations

from typing import Annotated

import typer

from openphone_sync.cli.options import Command, make_app
from openphone_sync.cli.output import print_json, print_text
from openphone_sync.schemas import list_schemas, load_schema

app = make_app()


@app.command(cls=Command)
def schema(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="Such as sync or review list; error for failures.")
    ] = None,
) -> None:
    """Print the JSON Schema of a command's document.

    Without COMMAND: the names of all.

    Example: openphone-sync schema review list
    """
    if not command:
        print_text("".join(f"{name}\n" for name in list_schemas()))
        return
    name = "-".join(command)
    try:
        print_json(load_schema(name))
    except KeyError:
        raise typer.BadParameter(
            f"{' '.join(command)!r} prints no document; take one of {', '.join(list_schemas())}", param_hint="COMMAND"
        ) from None
