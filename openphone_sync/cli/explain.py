"""``explain``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from openphone_sync.cli.options import BOTH, Command, JsonOption, make_app, read_globals, read_settings
from openphone_sync.cli.output import echo, print_json, print_notice
from openphone_sync.cli.running import open_command
from openphone_sync.cli.tables import make_when, print_line, print_pairs
from openphone_sync.cli.terminal import format_value
from openphone_sync.errors import UnreachableError
from openphone_sync.run.context import Context, SyncOptions
from openphone_sync.views.cards import CONTACT_ADDRESS
from openphone_sync.views.explain import explain as make_explanation
from openphone_sync.views.explain import find_client
from openphone_sync.views.ids import find_client_id
from openphone_sync.views.words import format_phone

app = make_app()


@app.command(cls=Command)
def explain(
    context: typer.Context,
    client_id: Annotated[
        str | None, typer.Argument(metavar="CLIENT_ID", help="Id of a client, or its unique beginning.")
    ] = None,
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
            client_id = _find_client(client_id, run_context) or client_id
        document = make_explanation(client_id, settings, store, run_context.workspace, open_source)
        check_going()
    if as_json:
        print_json(document)
    else:
        _print(document, settings.region)


def _find_client(typed: str, context: Context) -> str | None:
    """The client that is meant; among those of the state only, if the client table cannot be reached."""
    try:
        return find_client_id(typed, context.store, context.open_source, context.check_going)
    except UnreachableError:
        return find_client_id(typed, context.store, None)


_PLACES = {True: "in the source", False: "no longer in the source", None: "the source could not be read"}


def _print(document: dict[str, Any], region: str) -> None:
    for note in document["notes"]:
        print_notice(note)
    print_line(f"client {document['clientId']}: {_PLACES[document['inSource']]}")
    for contact in document["contacts"]:
        _print_contact(contact, document["customFieldNames"], region)


def _print_contact(contact: dict[str, Any], names: dict[str, str], region: str) -> None:
    standing = contact["standing"] or "not yet synchronised"
    reason = f": {contact['reason']}" if contact["reason"] else ""
    echo()
    print_line(f"{contact['name'] or contact['externalId']}: {standing}{reason}")
    lines = [("id", contact["externalId"])]
    if contact["contactId"]:
        lines.append(("in the app", f"{CONTACT_ADDRESS}{contact['contactId']}"))
    lines += [("not created", words) for words in (contact["skipped"], contact["unfit"]) if words]
    lines += [
        ("maps to" if not number else "", text) for number, text in enumerate(_list_wanted(contact, names, region))
    ]
    lines += [
        ("OpenPhone has" if not number else "", text) for number, text in enumerate(_list_remote(contact, region))
    ]
    for one in contact["candidates"]:
        lines.append(
            ("could be", f"{one['name'] or one['subject']} ({one['subject']}): {one['words']} ({one['score']:.2f})")
        )
    lines += [("decided", f"{one['choice']} {one['name']} ({one['candidate']})") for one in contact["decisions"]]
    when = make_when()
    for write in contact["writes"]:
        answer = f" ({write['message']})" if write["message"] else ""
        lines.append(("written", f"{when(write['at'])}  {write['action']} {write['result'] or 'open'}{answer}"))
    print_pairs((f"  {label}", text) for label, text in lines)


def _list_wanted(contact: dict[str, Any], names: dict[str, str], region: str) -> Iterator[str]:
    """What the row becomes."""
    wanted = contact["wanted"]
    if wanted is None:
        return
    yield ", ".join(text for text in (wanted["firstName"], wanted["company"], wanted["role"]) if text)
    for item in (*wanted["phoneNumbers"], *wanted["emails"]):
        yield f"{item['label']}: {format_phone(item['value'], region)}"
    for key, value in wanted["customFields"].items():
        if value is not None:
            yield f"{names.get(key, key)}: {format_value(value)}"
    yield from wanted["warnings"]


def _list_remote(contact: dict[str, Any], region: str) -> Iterator[str]:
    """What the contact holds now."""
    held = contact["openPhone"]
    if held is not None:
        yield ", ".join(text for text in (held["name"], held["company"], held["role"]) if text)
        yield from (format_phone(number, region) for number in held["phones"])
        yield from held["emails"]
