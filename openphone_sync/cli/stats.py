"""``stats``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from openphone_sync.cli.options import Command, JsonOption, make_app, read_settings, refuse_empty
from openphone_sync.cli.output import print_error, print_json
from openphone_sync.cli.signals import raise_on_signal
from openphone_sync.cli.tables import make_when, print_table
from openphone_sync.config import DATABASE
from openphone_sync.conversations.export import make_failed_stats, make_stats
from openphone_sync.errors import ConfigurationError, UnreachableError
from openphone_sync.wiring import open_conversations

NOT_AVAILABLE = "N/A"

TableOption = Annotated[
    str | None,
    typer.Option(
        "--table",
        help="The table or view to read (openphone_conversations).",
        metavar="[SCHEMA.]TABLE",
        callback=refuse_empty,
    ),
]

app = make_app()


@app.command(cls=Command)
def stats(context: typer.Context, table: TableOption = None, as_json: JsonOption = False) -> None:
    """Count the stored conversations.

    Example: openphone-sync stats --json | jq .totalConversations
    """
    try:
        settings = read_settings(context, require=(DATABASE,))
        with raise_on_signal(), open_conversations(settings, table or "") as source:
            document = make_stats(source.read_counts())
    except (ConfigurationError, UnreachableError) as error:
        _print(make_failed_stats(error), as_json=as_json)
        print_error(error)
        raise typer.Exit(error.exit_code) from None
    _print(document, as_json=as_json)


def _print(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    names = {
        "table": "table",
        "total": "totalConversations",
    }
    when = make_when()
    ends = [(name, when(document[f"{name}Conversation"]) or NOT_AVAILABLE) for name in ("first", "last")]
    counts = [(name, _format_value(document[key])) for name, key in names.items()]
    print_table(("conversations", ""), [*counts, *ends])
    if document["perMonth"]:
        months = [(entry["month"], f"{entry['count']:,}") for entry in document["perMonth"]]
        undated = [("without date", f"{document['withoutDate']:,}")] if document["withoutDate"] else []
        print_table(("month", "conversations"), [*months, *undated])


def _format_value(value: Any) -> str:
    if value is None:
        return NOT_AVAILABLE
    return f"{value:,}" if isinstance(value, int) else str(value)
