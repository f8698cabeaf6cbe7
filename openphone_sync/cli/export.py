"""``export-conversations`` and ``stats``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openphone_sync.cli.options import Command, JsonOption, read_globals, read_settings, refuse_empty
from openphone_sync.conversations.formats import Compression, Format, default_name, guess_compression, guess_format

if TYPE_CHECKING:
    from datetime import datetime

    from openphone_sync.config import Settings
    from openphone_sync.conversations.export import ExportOptions
    from openphone_sync.model import Selection

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


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("export-conversations", cls=Command)(export_command)
    app.command("stats", cls=Command)(stats_command)


def export_command(
    context: typer.Context,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="File, or - for stdout.", metavar="PATH", callback=refuse_empty),
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="Form of the export; by default as the file's name says, or json.")
    ] = None,
    compression: Annotated[
        Compression | None, typer.Option("--compress", help="By default gzip for a name that ends in .gz.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="From this date or time on (UTC unless it has a zone).",
            metavar="TIME",
            callback=refuse_empty,
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", help="Before this date or time.", metavar="TIME", callback=refuse_empty),
    ] = None,
    phone_number: Annotated[
        str | None,
        typer.Option(
            "--phone-number", help="Only with this number, in any spelling.", metavar="PHONE", callback=refuse_empty
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many, newest.", metavar="N")] = None,
    table: TableOption = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", help="Only these columns, in this order.", metavar="A,B,...", callback=refuse_empty),
    ] = None,
    csv_raw: Annotated[
        bool, typer.Option("--csv-raw", help="Leave cells as they are, also those that a spreadsheet would run.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Export the stored conversations, newest first.

    Example: openphone-sync export-conversations -o - --format ndjson | jq -r .phone_number
    """
    from openphone_sync.conversations.export import ExportOptions  # noqa: PLC0415

    form, compression = form or guess_format(output or ""), compression or guess_compression(output or "")
    _check_stdout(output, compression, as_json)
    given = read_globals(context)
    settings = read_settings(context, require=("DATABASE_URL",))
    options = ExportOptions(
        selection=_make_selection(settings, since, until, phone_number, limit, columns),
        output=output or default_name(_today(), form, compression),
        form=form,
        compression=compression,
        csv_raw=csv_raw,
        counting=sys.stderr.isatty() and output != "-" and not given.quiet,
    )
    _export(options, settings, table or "", as_json=as_json, quiet=given.quiet)


def stats_command(context: typer.Context, table: TableOption = None, as_json: JsonOption = False) -> None:
    """Count the stored conversations.

    Example: openphone-sync stats --json | jq .totalConversations
    """
    from openphone_sync.cli.exit import tell  # noqa: PLC0415
    from openphone_sync.cli.interrupting import end_at_signals  # noqa: PLC0415
    from openphone_sync.conversations.export import make_failed_stats, make_stats  # noqa: PLC0415
    from openphone_sync.errors import ConfigurationError, UnreachableError  # noqa: PLC0415
    from openphone_sync.wiring import open_conversations  # noqa: PLC0415

    try:
        settings = read_settings(context, require=("DATABASE_URL",))
        _load_database()
        with end_at_signals(), open_conversations(settings, table or "") as source:
            document = make_stats(source.read_counts())
    except (ConfigurationError, UnreachableError) as error:
        _print_stats(make_failed_stats(error), as_json=as_json)
        tell(error)
        raise typer.Exit(error.exit_code) from None
    _print_stats(document, as_json=as_json)


def _export(options: ExportOptions, settings: Settings, table: str, *, as_json: bool, quiet: bool) -> None:
    from openphone_sync.cli.exit import say  # noqa: PLC0415
    from openphone_sync.cli.interrupting import end_at_signals  # noqa: PLC0415
    from openphone_sync.cli.output import print_json  # noqa: PLC0415
    from openphone_sync.cli.progress import show_progress  # noqa: PLC0415
    from openphone_sync.conversations.export import STDOUT, export, format_size, make_export_report  # noqa: PLC0415
    from openphone_sync.wiring import SystemClock, open_conversations  # noqa: PLC0415

    _load_database()
    for warning in () if quiet else settings.warnings:
        say(warning)
    silent = quiet or options.output == STDOUT  # what reads the rows may write to the same terminal
    with end_at_signals() as shield, show_progress(quiet=silent) as progress:
        exported = export(options, lambda: open_conversations(settings, table), progress, SystemClock(), shield)
    if as_json:
        print_json(make_export_report(options, exported))
    elif options.output != STDOUT and not quiet:
        count = "1 conversation" if exported.rows == 1 else f"{exported.rows:,} conversations"
        size = format_size(exported.size)
        typer.echo(f"exported {count} to {options.output} ({size}, {exported.seconds:.1f} s)")


def _load_database() -> None:
    """Before signals raise errors: psycopg takes any error while it loads for a missing library."""
    import openphone_sync.postgres  # noqa: F401, PLC0415


def _make_selection(
    settings: Settings,
    since: str | None,
    until: str | None,
    phone_number: str | None,
    limit: int | None,
    columns: str | None,
) -> Selection:
    from openphone_sync.model import Selection  # noqa: PLC0415

    start, end = parse_time_option(since, "--since"), parse_time_option(until, "--until")
    if start is not None and end is not None and start >= end:
        raise typer.BadParameter(f"{until!r} is not after --since; give a later time", param_hint="--until")
    return Selection(
        since=start,
        until=end,
        phone=_parse_phone(phone_number, settings.region) if phone_number else "",
        limit=limit,
        columns=_parse_columns(columns) if columns else (),
    )


def parse_time_option(text: str | None, option: str) -> datetime | None:
    """The moment that an option names; BadParameter for text that is none."""
    from openphone_sync.conversations.export import parse_moment  # noqa: PLC0415

    moment = parse_moment(text) if text else None
    if text and moment is None:
        raise typer.BadParameter(
            f"{text!r} is no date or time; give one such as 2026-11-21, 2026-11-21T08:30 (UTC) or 2026-11-21T08:30-08:00",
            param_hint=option,
        )
    return moment


def _parse_phone(text: str, region: str) -> str:
    from openphone_sync.rules.phones import parse_phones  # noqa: PLC0415

    found = parse_phones(text, region)
    if len(found.phones) != 1 or found.unusable:
        raise typer.BadParameter(
            "it is not one whole phone number; give one with its area code, such as +12135550134 or (213) 555-0134",
            param_hint="--phone-number",
        )
    return found.phones[0].e164


def _parse_columns(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise typer.BadParameter(f"{twice[0]} is named twice; name it once", param_hint="--columns")
    if not names:
        raise typer.BadParameter("it names no column; give names, separated by commas", param_hint="--columns")
    return names


def _check_stdout(output: str | None, compression: Compression, as_json: bool) -> None:
    if output != "-":
        return
    if as_json:
        raise typer.BadParameter(
            "stdout takes the export (--output -) or this document, not both; leave one of them out",
            param_hint="--json",
        )
    if compression is Compression.GZIP and sys.stdout is not None and sys.stdout.isatty():
        raise typer.BadParameter("gzip is not for a terminal; redirect stdout, or name a file", param_hint="--compress")


def _today() -> Any:
    from datetime import UTC, datetime  # noqa: PLC0415

    return datetime.now(UTC).astimezone().date()


def _print_stats(document: dict[str, Any], *, as_json: bool) -> None:
    from openphone_sync.cli.output import make_table, print_json, print_table  # noqa: PLC0415

    if as_json:
        print_json(document)
        return
    print_table(make_table(("conversations", ""), _summary_rows(document)))
    if document["perMonth"]:
        months = [(entry["month"], f"{entry['count']:,}") for entry in document["perMonth"]]
        undated = [("without date", f"{document['withoutDate']:,}")] if document["withoutDate"] else []
        print_table(make_table(("month", "conversations"), [*months, *undated]))


def _summary_rows(document: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [
        ("table", document["table"]),
        ("total", document["totalConversations"]),
        ("first", document["firstConversation"]),
        ("last", document["lastConversation"]),
    ]
    return [(name, _show(value)) for name, value in rows]


def _show(value: Any) -> str:
    if value is None:
        return NOT_AVAILABLE
    return f"{value:,}" if isinstance(value, int) else str(value)
