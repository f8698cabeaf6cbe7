"""``archive fetch|verify|html``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import closing
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
    refuse_empty,
)
from openphone_sync.cli.output import print_json, print_notice
from openphone_sync.cli.progress import show_progress
from openphone_sync.cli.signals import finish_on_signal
from openphone_sync.cli.tables import print_line
from openphone_sync.config import API, Settings, load_mapping
from openphone_sync.conversations.archive import fetch
from openphone_sync.conversations.archive_folder import MANIFEST, Verified, hash_manifest, read_archive, verify
from openphone_sync.conversations.archive_plan import FetchOptions
from openphone_sync.conversations.people import find_client_phones, parse_phone, read_names, read_table_names
from openphone_sync.documents import SCHEMA_VERSION, format_size
from openphone_sync.errors import ConfigurationError, RunError
from openphone_sync.ops.files import replacing
from openphone_sync.rules.mapping import MappingRules
from openphone_sync.views.ids import find_client_id
from openphone_sync.wiring import SystemClock, note_place, open_fetch, open_source, read_state

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
        try:
            report = fetch(options, tools)
        finally:
            if (folder / MANIFEST).is_file():
                note_place(settings, folder, "archive")
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


@app.command("html", cls=Command)
def archive_html(
    context: typer.Context,
    folder: FolderArgument,
    client: Annotated[
        str | None,
        typer.Option("--client", help="Conversations with this client, by id.", metavar="ID", callback=refuse_empty),
    ] = None,
    phone: Annotated[
        str | None,
        typer.Option("--phone", help="Conversations with this number.", metavar="N", callback=refuse_empty),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File; by default named after the client or number.", metavar="F")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a printable page of conversations with a client or number.

    Names, numbered lines, local times with UTC beside, pictures, hashes at the end. Makes no request to OpenPhone.

    Example: openphone-sync archive html conversations --client 17 --out smith.html
    """
    from openphone_sync.conversations import archive_page  # noqa: PLC0415  # jinja2: the other commands do not need it

    if (client is None) is (phone is None):
        raise typer.BadParameter("--client or --phone is needed, and not both; give one of them")
    settings = read_settings(context)
    phones = _find_phones(settings, [client] if client else [], [phone] if phone else []) or frozenset()
    archive = read_archive(folder)
    entries = archive_page.select_entries(archive, phones)
    names, notes = _find_names(settings, frozenset(one for _, entry in entries for one in entry.participants))
    people = archive_page.read_people(archive, names)
    title = f"Conversations with {f'client {client}' if client else ' '.join(map(people.name, phones))}"
    target = out or Path(_make_page_name(client, phones))
    _save_page(target, archive_page.make_archive_page(archive, entries, people, title, notes))
    note_place(settings, target, "page")
    if as_json:
        print_json(
            {
                "schemaVersion": SCHEMA_VERSION,
                "archive": str(folder.absolute()),
                "output": str(target.absolute()),
                "conversations": len(entries),
                "bytes": target.stat().st_size,
            }
        )
    elif not read_globals(context).quiet:
        count = "1 conversation" if len(entries) == 1 else f"{len(entries):,} conversations"
        print_line(f"{count} written to {target}")


def _make_rules(settings: Settings) -> MappingRules:
    return MappingRules(settings.region, load_mapping(settings.mapping_file))


def _find_phones(settings: Settings, clients: list[str], phones: list[str]) -> frozenset[str] | None:
    """The numbers that are asked for; None for all."""
    if not clients and not phones:
        return None
    found = {parse_phone(text, settings.region) for text in phones}
    if clients:
        source = (lambda: open_source(settings)) if settings.database_url else None
        with read_state(settings) as store:
            for typed in clients:
                client_id = find_client_id(typed, store, source) or typed
                found |= find_client_phones(client_id, store, source, _make_rules(settings))
    return frozenset(found)


def _find_names(settings: Settings, numbers: frozenset[str]) -> tuple[dict[str, str], list[str]]:
    """Names from the state, then from the client table; and notes for the page if these could not be read."""
    names: dict[str, str] = {}
    notes: list[str] = []
    try:
        with read_state(settings) as store:
            names |= read_names(store)
    except RunError:
        notes.append("names from the state folder could not be read")
    unnamed = numbers - names.keys()
    if unnamed and settings.database_url:
        try:
            with closing(open_source(settings)) as source:
                names |= read_table_names(source, unnamed, _make_rules(settings))
        except RunError:
            notes.append("names from the client table could not be read")
    return names, notes


def _make_page_name(client: str | None, phones: frozenset[str]) -> str:
    mark = f"client_{client}" if client else min(phones).removeprefix("+")
    return f"conversations_{re.sub('[^A-Za-z0-9_-]', '_', mark)[:80]}.html"


def _save_page(target: Path, pieces: Iterable[bytes]) -> None:
    try:
        with replacing(target.absolute()) as file:
            file.writelines(pieces)
    except OSError as error:
        raise ConfigurationError(
            f"{target} cannot be written ({error.strerror or type(error).__name__}); choose another --out"
        ) from error


def _print_report(report: dict[str, Any]) -> None:
    conversations, items, media = report["conversations"], report["items"], report["media"]
    left = f", {conversations['left']:,} left" if conversations["left"] else ""
    print_line(
        f"archive {report['status']}: {conversations['selected']:,} conversations, {conversations['fetched']:,} brought up to "
        f"date, {conversations['unchanged']:,} unchanged{left}"
    )
    print_line(
        f"{items['added']:,} new items, {items['changed']:,} changed; {media['added']:,} files of media "
        f"({format_size(media['bytes'])}); {report['requests']['total']:,} requests in {report['durationSeconds']:.1f} s"
    )
    for what, count in report["gaps"].items():
        print_line(f"  not had: {what} ({count:,})")
    print_line(f"manifest SHA-256 {report['manifestSha256']}")


def _print_verified(verified: Verified, sha256: str) -> None:
    kinds = (("changed", verified.changed), ("missing", verified.missing), ("additional", verified.additional))
    for kind, names in kinds:
        for name in names[:LISTED]:
            print_line(f"{kind}: {name}")
        if len(names) > LISTED:
            print_line(f"{kind}: and {len(names) - LISTED:,} more; --json names all")
    result = "as written" if verified.is_whole else "not as written"
    print_line(f"archive {result}: {verified.files:,} files; manifest SHA-256 {sha256}")
