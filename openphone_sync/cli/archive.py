"""``archive fetch|verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from openphone_sync.cli.options import (
    Command,
    Group,
    JsonOption,
    SinceOption,
    UntilOption,
    make_app,
    parse_range,
    read_globals,
    read_settings,
)
from openphone_sync.cli.output import print_json, print_notice
from openphone_sync.cli.signals import finish_on_signal
from openphone_sync.cli.terminal import show_progress
from openphone_sync.config import API, Settings
from openphone_sync.conversations.archive import fetch
from openphone_sync.conversations.archive_folder import Verified, hash_manifest, verify
from openphone_sync.conversations.archive_plan import FetchOptions
from openphone_sync.conversations.people import find_client_phones, parse_phone
from openphone_sync.documents import SCHEMA_VERSION, format_size
from openphone_sync.wiring import SystemClock, open_fetch, open_source, read_state

LISTED = 20

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the archive.")]
ClientOption = Annotated[
    list[str] | None,
    typer.Option("--client", help="Only with the numbers of this client, by id; repeatable.", metavar="ID"),
]
PhoneOption = Annotated[
    list[str] | None, typer.Option("--phone", help="Only with this number; repeatable.", metavar="N")
]


app = make_app(cls=Group, no_args_is_help=True)


@app.callback()
def archive() -> None:
    """Download conversations from OpenPhone to a folder.

    Example: openphone-sync archive fetch conversations
    """


@app.command("fetch", cls=Command)
def archive_fetch(
    context: typer.Context,
    folder: FolderArgument,
    client: ClientOption = None,
    phone: PhoneOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    media: Annotated[bool, typer.Option("--media", help="Pictures, recordings and voicemails too, as files.")] = False,
    transcripts: Annotated[
        bool, typer.Option("--transcripts", help="Summaries and transcripts of calls too (Business or Scale plan).")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring an archive of conversations up to date.

    A new or empty folder becomes an archive. Requests only what is new. You can stop at any time; the same command
    continues.

    Example: openphone-sync archive fetch conversations --media --transcripts
    """
    given = read_globals(context)
    start, end = parse_range(since, until)
    settings = read_settings(context, require=(API,))
    options = FetchOptions(
        folder=folder,
        phones=_find_phones(settings, client or [], phone or []),
        clients=tuple(client or ()),
        since=start,
        until=end,
        media=media,
        transcripts=transcripts,
    )
    with (
        finish_on_signal(print_notice) as stop,
        show_progress(quiet=given.quiet) as progress,
        open_fetch(settings, SystemClock(stop.event), progress, stop.signal_number, print_notice) as tools,
    ):
        report = fetch(options, tools)
    if as_json:
        print_json(report)
    elif not given.quiet:
        _print_report(report)
    if report.get("message"):
        print_notice(report["message"])
    if report["exitCode"]:
        raise typer.Exit(report["exitCode"])


@app.command("verify", cls=Command)
def archive_verify(context: typer.Context, folder: FolderArgument, as_json: JsonOption = False) -> None:
    """Check every file of an archive against its manifest.

    Exits with 1 if a file is changed, missing or additional.

    Example: openphone-sync archive verify conversations
    """
    verified, sha256 = verify(folder), hash_manifest(folder)
    if as_json:
        print_json(
            {
                "schemaVersion": SCHEMA_VERSION,
                "archive": str(folder.absolute()),
                "ok": verified.is_whole,
                "files": verified.files,
                "changed": list(verified.changed),
                "missing": list(verified.missing),
                "additional": list(verified.additional),
                "manifestSha256": sha256,
            }
        )
    elif not read_globals(context).quiet or not verified.is_whole:
        _print_verified(verified, sha256)
    if not verified.is_whole:
        raise typer.Exit(1)


def _find_phones(settings: Settings, clients: list[str], phones: list[str]) -> frozenset[str] | None:
    """The numbers that are asked for; None for all."""
    if not clients and not phones:
        return None
    found = {parse_phone(text, settings.region) for text in phones}
    if clients:
        source = (lambda: open_source(settings)) if settings.database_url else None
        with read_state(settings) as store:
            for client_id in clients:
                found |= find_client_phones(client_id, store, source, settings.region)
    return frozenset(found)


def _print_report(report: dict[str, Any]) -> None:

    conversations, items, media = report["conversations"], report["items"], report["media"]
    left = f", {conversations['left']:,} left" if conversations["left"] else ""
    typer.echo(
        f"archive {report['status']}: {conversations['selected']:,} conversations, {conversations['fetched']:,} brought up to "
        f"date, {conversations['unchanged']:,} unchanged{left}"
    )
    typer.echo(
        f"{items['added']:,} new items, {items['changed']:,} changed; {media['added']:,} files of media "
        f"({format_size(media['bytes'])}); {report['requests']['total']:,} requests in {report['durationSeconds']:.1f} s"
    )
    for what, count in report["gaps"].items():
        typer.echo(f"  not had: {what} ({count:,})")
    typer.echo(f"manifest SHA-256 {report['manifestSha256']}")


def _print_verified(verified: Verified, sha256: str) -> None:
    kinds = (("changed", verified.changed), ("missing", verified.missing), ("additional", verified.additional))
    for kind, names in kinds:
        for name in names[:LISTED]:
            typer.echo(f"{kind}: {name}")
        if len(names) > LISTED:
            typer.echo(f"{kind}: and {len(names) - LISTED:,} more; --json names all")
    result = "as written" if verified.is_whole else "not as written"
    typer.echo(f"archive {result}: {verified.files:,} files; manifest SHA-256 {sha256}")
