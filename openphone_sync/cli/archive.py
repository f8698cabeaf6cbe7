"""``archive fetch|verify|html``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openphone_sync.cli.options import Command, Group, JsonOption, read_globals, read_settings, refuse_empty

if TYPE_CHECKING:
    from datetime import datetime

    from openphone_sync.config import Settings
    from openphone_sync.conversations.archive_folder import Verified

LISTED = 20

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the archive.")]
ClientOption = Annotated[
    list[str] | None,
    typer.Option("--client", help="Only with the numbers of this client, by id; repeatable.", metavar="ID"),
]
PhoneOption = Annotated[
    list[str] | None, typer.Option("--phone", help="Only with this number; repeatable.", metavar="N")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    group = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None)
    group.callback()(archive)
    group.command("fetch", cls=Command)(fetch_command)
    group.command("verify", cls=Command)(verify_command)
    app.add_typer(group, name="archive")


def archive() -> None:
    """A folder of conversations, straight from OpenPhone.

    Example: openphone-sync archive fetch conversations
    """


def fetch_command(
    context: typer.Context,
    folder: FolderArgument,
    client: ClientOption = None,
    phone: PhoneOption = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="Messages and calls from this date or time on (UTC unless it has a zone).",
            metavar="TIME",
            callback=refuse_empty,
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Before this date or time.", metavar="TIME", callback=refuse_empty)
    ] = None,
    media: Annotated[bool, typer.Option("--media", help="Pictures, recordings and voicemails too, as files.")] = False,
    transcripts: Annotated[
        bool, typer.Option("--transcripts", help="Summaries and transcripts of calls too (Business or Scale plan).")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring an archive of conversations up to date.

    A new or empty folder becomes one. Only what is new is asked for; it can be stopped at any time, and the same
    command goes on.

    Example: openphone-sync archive fetch conversations --media --transcripts
    """
    from openphone_sync.cli.exit import say  # noqa: PLC0415
    from openphone_sync.cli.output import print_json  # noqa: PLC0415
    from openphone_sync.cli.progress import show_progress  # noqa: PLC0415
    from openphone_sync.cli.signals import catch_signals  # noqa: PLC0415
    from openphone_sync.conversations.archive import fetch  # noqa: PLC0415
    from openphone_sync.conversations.archive_plan import FetchOptions  # noqa: PLC0415
    from openphone_sync.wiring import SystemClock, open_fetch  # noqa: PLC0415

    given = read_globals(context)
    start, end = _parse_range(since, until)
    settings = read_settings(context, require=("OPENPHONE_API_KEY",))
    options = FetchOptions(
        folder=folder,
        phones=_find_phones(settings, client or [], phone or []),
        clients=tuple(client or ()),
        since=start,
        until=end,
        media=media,
        transcripts=transcripts,
    )
    clock = SystemClock()
    with (
        catch_signals(clock.wake) as ending,
        show_progress(quiet=given.quiet) as progress,
        open_fetch(settings, clock, progress, ending.signal_number, say) as tools,
    ):
        report = fetch(options, tools)
    if as_json:
        print_json(report)
    elif not given.quiet:
        _print_report(report)
    if report.get("message"):
        say(report["message"])
    if report["exitCode"]:
        raise typer.Exit(report["exitCode"])


def verify_command(context: typer.Context, folder: FolderArgument, as_json: JsonOption = False) -> None:
    """Hold every file of an archive against its manifest.

    Ends with 1 where a file is changed, missing or additional.

    Example: openphone-sync archive verify conversations
    """
    from openphone_sync.cli.output import print_json  # noqa: PLC0415
    from openphone_sync.conversations.archive_folder import hash_manifest, verify  # noqa: PLC0415
    from openphone_sync.documents import SCHEMA_VERSION  # noqa: PLC0415

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


def _parse_range(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    from openphone_sync.cli.export import parse_time_option  # noqa: PLC0415

    start, end = parse_time_option(since, "--since"), parse_time_option(until, "--until")
    if start is not None and end is not None and start >= end:
        raise typer.BadParameter(f"{until!r} is not after --since; give a later time", param_hint="--until")
    return start, end


def _find_phones(settings: Settings, clients: list[str], phones: list[str]) -> frozenset[str] | None:
    """The numbers that are asked for; None for all."""
    from openphone_sync.conversations.people import find_client_phones, parse_phone  # noqa: PLC0415
    from openphone_sync.wiring import look_at_state, open_source  # noqa: PLC0415

    if not clients and not phones:
        return None
    found = {parse_phone(text, settings.region) for text in phones}
    if clients:
        source = (lambda: open_source(settings)) if settings.database_url else None
        with look_at_state(settings) as store:
            for client_id in clients:
                found |= find_client_phones(client_id, store, source, settings.region)
    return frozenset(found)


def _print_report(report: dict[str, Any]) -> None:
    from openphone_sync.conversations.export import format_size  # noqa: PLC0415

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
