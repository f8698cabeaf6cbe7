"""``forget``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from openphone_sync.cli.options import Command, JsonOption, confirm, make_app, read_globals, read_settings
from openphone_sync.cli.output import echo, print_json
from openphone_sync.cli.running import open_command
from openphone_sync.config import API
from openphone_sync.documents import SCHEMA_VERSION
from openphone_sync.errors import ConfigurationError
from openphone_sync.run.context import SyncOptions
from openphone_sync.run.forget import NOT_ASKED, TO_DELETE, find_traces, make_document
from openphone_sync.run.forget import forget as carry_out
from openphone_sync.wiring import change_state, read_state

_NAMES = {
    "contacts": "contacts with their links, bases and reviews",
    "writes": "writes in the journal, with the contacts before and after",
    "decisions": "decisions",
    "reports": "run reports that name it",
    "copies": "saved copies of the state; one fresh copy replaces them",
}

app = make_app()


@app.command(cls=Command)
def forget(
    context: typer.Context,
    client_id: Annotated[str, typer.Argument(metavar="CLIENT", help="The whole id of the client; never shortened.")],
    delete_contact: Annotated[
        bool, typer.Option("--delete-contact", help="Delete its contacts in OpenPhone too, if this tool made them.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Let runs make the contacts of a forgotten client again.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase what this tool keeps of a client.

    State, journal, run reports and saved copies. Later runs skip the client. Shows first what would go and what it
    cannot reach, and asks.

    Example: openphone-sync forget 17 --delete-contact
    """
    given = read_globals(context)
    settings = read_settings(context, require=(API,))
    if undo:
        with change_state(settings) as store:
            if not store.remember_again(client_id):
                raise ConfigurationError(f"client {client_id} is not forgotten; nothing is changed")
        _print({"schemaVersion": SCHEMA_VERSION, "clientId": client_id, "forgotten": False}, as_json=as_json)
        return
    with read_state(settings) as store:
        found = find_traces(store, client_id, settings.state_dir, delete_contact=delete_contact)
        places = [(kind, path) for kind, path in store.read_places() if _may_be_there(Path(path))]
    shown = make_document(found, places, forgotten=False)
    if dry_run or not (as_json or (given.quiet and yes)):
        _print(shown, as_json=as_json)
    if dry_run:
        return
    confirm(f"Forget client {client_id}?", yes=yes)
    with open_command(settings, given, "forget", SyncOptions(), read_only=False) as (run_context, header):
        found = carry_out(client_id, run_context, header.run_id, delete_contact=delete_contact)
        document = make_document(found, places, forgotten=True)
    if as_json:
        print_json(document)
    elif not given.quiet:
        deleted = f", {len(found.deleted)} contacts deleted in OpenPhone" if delete_contact else ""
        echo(f"client {client_id} is forgotten{deleted}")
    failed = [(contact_id, why) for contact_id, why in found.kept if why != NOT_ASKED]
    for contact_id, why in failed if not as_json else ():
        echo(f"contact {contact_id} stays in OpenPhone: {why}")
    if failed:
        raise typer.Exit(1)


def _may_be_there(path: Path) -> bool:
    """Not one that is deleted; where its folder is gone too, a disk may only not be mounted."""
    return path.exists() or not path.parent.exists()


def _print(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    client_id = document["clientId"]
    if "erased" not in document:
        echo(f"client {client_id} is no longer forgotten; the next sync makes its contacts again")
        return
    echo(f"Of client {client_id} would be erased:")
    for name, count in document["erased"].items():
        echo(f"  {count:,} {_NAMES[name]}")
    to_delete = [one for one in document["contactsKept"] if one["reason"] == TO_DELETE]
    for contact in to_delete:
        echo(f"  the OpenPhone contact {contact['contactId']}, if this tool made it")
    echo("What stays, because this tool cannot reach it or does not touch it:")
    for contact in document["contactsKept"] if not to_delete else ():
        echo(f"  the OpenPhone contact {contact['contactId']} ({contact['reason']})")
    for place in document["notReached"]["places"]:
        echo(f"  the {place['kind']} {place['path']}, if it holds this person")
    for note in document["notReached"]["notes"]:
        echo(f"  {note}")
