"""``explain``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from openphone_sync.cli.options import BOTH, Command, JsonOption, make_app, read_globals, read_settings
from openphone_sync.cli.output import echo, print_json
from openphone_sync.cli.running import open_command
from openphone_sync.run.context import SyncOptions
from openphone_sync.views.explain import explain as make_explanation
from openphone_sync.views.explain import find_client
from openphone_sync.views.ids import find_client_id

app = make_app()


@app.command(cls=Command)
def explain(
    context: typer.Context,
    client_id: Annotated[str | None, typer.Argument(metavar="CLIENT_ID", help="Id of a client in the source.")] = None,
    phone: Annotated[str | None, typer.Option("--phone", help="A number of one of its contacts.", metavar="N")] = None,
    as_json: JsonOption = False,
) -> None:
    """Explain one client: mapping, evidence, writes.

    What it maps to, what it matched and why, what was sent when, and the answers. Shows people's data.

    Example: openphone-sync explain --phone "(213) 555-0134"
    """
    if (client_id is None) is (phone is None):
        raise typer.BadParameter("either CLIENT_ID or --phone is needed; give one of them")
    show_client(context, client_id, phone, as_json=as_json)


def show_client(
    context: typer.Context, client_id: str | None, phone: str | None = None, *, as_json: bool = False
) -> None:
    """Explain a client on stdout."""
    settings = read_settings(context, require=BOTH)
    with open_command(settings, read_globals(context), "explain", SyncOptions(), read_only=True) as (run_context, _):
        store, open_source, check_going = run_context.store, run_context.open_source, run_context.check_going
        if client_id is None:
            client_id = find_client(phone or "", settings, store, open_source, check_going)
        else:
            client_id = find_client_id(client_id, store, open_source, check_going) or client_id
        document = make_explanation(client_id, settings, store, run_context.workspace, open_source)
        check_going()
    if as_json:
        print_json(document)
    else:
        _print(document)


def _print(document: dict[str, Any]) -> None:
    place = "in the source" if document["inSource"] else "no longer in the source"
    echo(f"client {document['clientId']}: {place}")
    for note in document["notes"]:
        echo(f"  {note}")
    for contact in document["contacts"]:
        _print_contact(contact, document["customFieldNames"])


def _print_contact(contact: dict[str, Any], names: dict[str, str]) -> None:
    standing = contact["standing"] or "not yet synchronised"
    reason = f": {contact['reason']}" if contact["reason"] else ""
    echo()
    echo(f"{contact['externalId']}  {standing}{reason}")
    for words in (contact["skipped"], contact["unfit"]):
        if words:
            echo(f"  cannot be created: {words}")
    if contact["contactId"]:
        echo(f"  OpenPhone contact {contact['contactId']}")
    _print_wanted(contact["wanted"], names)
    for candidate in contact["candidates"]:
        echo(f"  could be {candidate['subject']}: {candidate['words']} ({candidate['score']:.2f})")
    for decision in contact["decisions"]:
        echo(f"  decided: {decision['choice']} {decision['candidate']}")
    for write in contact["writes"]:
        answer = f" ({write['message']})" if write["message"] else ""
        echo(f"  {write['at']}  {write['action']} {write['result'] or 'open'}{answer}")


def _print_wanted(wanted: dict[str, Any] | None, names: dict[str, str]) -> None:
    if wanted is None:
        return
    echo(f"  maps to {wanted['firstName']}, {wanted['company']}, {wanted['role']}")
    for item in (*wanted["phoneNumbers"], *wanted["emails"]):
        echo(f"    {item['label']}: {item['value']}")
    for key, value in wanted["customFields"].items():
        if value is not None:
            echo(f"    {names.get(key, key)}: {value}")
