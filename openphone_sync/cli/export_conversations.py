"""``export-conversations``."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from openphone_sync.cli.options import (
    Command,
    JsonOption,
    SinceOption,
    UntilOption,
    make_app,
    parse_range,
    read_globals,
    read_settings,
    refuse_empty,
)
from openphone_sync.cli.output import print_json, print_notice
from openphone_sync.cli.progress import show_progress
from openphone_sync.cli.signals import raise_on_signal
from openphone_sync.cli.stats import TableOption
from openphone_sync.cli.tables import print_line
from openphone_sync.config import DATABASE, Settings
from openphone_sync.conversations.export import STDOUT, ExportOptions, export, make_export_report
from openphone_sync.conversations.formats import Compression, Format, default_name, guess_compression, guess_format
from openphone_sync.documents import format_size
from openphone_sync.model import Selection
from openphone_sync.rules.phones import parse_phones
from openphone_sync.wiring import SystemClock, note_place, open_conversations

app = make_app()


@app.command(cls=Command)
def export_conversations(
    context: typer.Context,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="File, or - for stdout.", metavar="PATH", callback=refuse_empty),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Format of the export; by default the file's name decides, else json."),
    ] = None,
    compression: Annotated[
        Compression | None, typer.Option("--compress", help="By default gzip for a name that ends in .gz.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    phone_number: Annotated[
        str | None,
        typer.Option(
            "--phone-number", help="Only with this number, in any spelling.", metavar="PHONE", callback=refuse_empty
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the newest N.", metavar="N")] = None,
    table: TableOption = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", help="Only these columns, in this order.", metavar="A,B,...", callback=refuse_empty),
    ] = None,
    csv_raw: Annotated[
        bool, typer.Option("--csv-raw", help="Do not guard cells that a spreadsheet would run as formulas.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Export the stored conversations, newest first.

    Example: openphone-sync export-conversations -o - --format ndjson | jq -r .phone_number
    """
    form, compression = form or guess_format(output or ""), compression or guess_compression(output or "")
    _check_stdout(output, compression, as_json)
    given = read_globals(context)
    settings = read_settings(context, require=(DATABASE,))
    options = ExportOptions(
        selection=_make_selection(settings, since, until, phone_number, limit, columns),
        output=output or default_name(_today(), form, compression),
        form=form,
        compression=compression,
        csv_raw=csv_raw,
        counting=sys.stderr.isatty() and output != STDOUT and not given.quiet,
    )
    _export(options, settings, table or "", as_json=as_json, quiet=given.quiet)


def _export(options: ExportOptions, settings: Settings, table: str, *, as_json: bool, quiet: bool) -> None:
    for warning in () if quiet else settings.warnings:
        print_notice(warning)
    silent = quiet or options.output == STDOUT  # what reads the rows may write to the same terminal
    with raise_on_signal() as shield, show_progress(quiet=silent) as progress:
        exported = export(options, lambda: open_conversations(settings, table), progress, SystemClock(), shield)
    if options.output != STDOUT:
        note_place(settings, Path(options.output), "export")
    if as_json:
        print_json(make_export_report(options, exported))
    elif options.output != STDOUT and not quiet:
        count = "1 conversation" if exported.rows == 1 else f"{exported.rows:,} conversations"
        size = format_size(exported.size)
        print_line(f"exported {count} to {options.output} ({size}, {exported.seconds:.1f} s)")


def _make_selection(
    settings: Settings,
    since: str | None,
    until: str | None,
    phone_number: str | None,
    limit: int | None,
    columns: str | None,
) -> Selection:
    start, end = parse_range(since, until)
    return Selection(
        since=start,
        until=end,
        phone=_parse_phone(phone_number, settings.region) if phone_number else "",
        limit=limit,
        columns=_parse_columns(columns) if columns else (),
    )


def _parse_phone(text: str, region: str) -> str:
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
    if output != STDOUT:
        return
    if as_json:
        raise typer.BadParameter(
            "stdout takes the export (--output -) or this document, not both; leave one of them out",
            param_hint="--json",
        )
    if compression is Compression.GZIP and sys.stdout is not None and sys.stdout.isatty():
        raise typer.BadParameter("gzip is not for a terminal; redirect stdout, or name a file", param_hint="--compress")


def _today() -> date:
    return datetime.now(UTC).astimezone().date()
