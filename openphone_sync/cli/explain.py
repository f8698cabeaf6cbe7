"""``explain``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from openphone_sync.cli.options import Command, JsonOption, read_globals, read_settings


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("explain", cls=Command)(explain_command)


def explain_command(
    context: typer.Context,
    client_id: Annotated[str | None, typer.Argument(metavar="CLIENT_ID", help="Id of a client in the source.")] = None,
    phone: Annotated[str | None, typer.Option("--phone", help="A number of one of its contacts.", metavar="N")] = None,
    as_json: JsonOption = False,
) -> None:
    """Explain one client: mapping, evidence, writes.

    What it maps to, what it matched and why, what was sent when and answered. Shows people's data.

    Example: openphone-sync explain --phone "(213) 555-0134"
    """
    from openphone_sync.cli.output import print_json  # noqa: PLC0415
    from openphone_sync.cli.running import running  # noqa: PLC0415
    from openphone_sync.run.context import SyncOptions  # noqa: PLC0415
    from openphone_sync.views.explain import explain, find_client  # noqa: PLC0415

    if (client_id is None) is (phone is None):
        raise typer.BadParameter("CLIENT_ID or --phone is needed, and not both; give one of them")
    settings = read_settings(context, require=("OPENPHONE_API_KEY", "DATABASE_URL"))
    with running(settings, None, read_globals(context), "explain", SyncOptions(), looking=True) as (parts, _):
        if client_id is None:
            client_id = find_client(phone or "", settings, parts.store, parts.open_source, parts.check_going)
        document = explain(client_id, settings, parts.store, parts.workspace, parts.open_source)
        parts.check_going()
    if as_json:
        print_json(document)
    else:
        _print(document)


def _print(document: dict[str, Any]) -> None:
    where = "in the source" if document["inSource"] else "no longer in the source"
    typer.echo(f"client {document['clientId']}: {where}")
    for note in document["notes"]:
        typer.echo(f"  {note}")
    for contact in document["contacts"]:
        _print_contact(contact, document["customFieldNames"])


def _print_contact(contact: dict[str, Any], names: dict[str, str]) -> None:
    standing = contact["standing"] or "not looked at yet"
    reason = f": {contact['reason']}" if contact["reason"] else ""
    typer.echo(f"\n{contact['externalId']}  {standing}{reason}")
    for words in (contact["skipped"], contact["unfit"]):
        if words:
            typer.echo(f"  cannot be made: {words}")
    if contact["contactId"]:
        typer.echo(f"  OpenPhone contact {contact['contactId']}")
    _print_wanted(contact["wanted"], names)
    for one in contact["candidates"]:
        typer.echo(f"  could be {one['subject']}: {one['words']} ({one['score']:.2f})")
    for one in contact["decisions"]:
        typer.echo(f"  decided: {one['choice']} {one['candidate']}")
    for one in contact["writes"]:
        answer = f" ({one['message']})" if one["message"] else ""
        typer.echo(f"  {one['at']}  {one['action']} {one['result'] or 'open'}{answer}")


def _print_wanted(wanted: dict[str, Any] | None, names: dict[str, str]) -> None:
    if wanted is None:
        return
    typer.echo(f"  maps to {wanted['firstName']}, {wanted['company']}, {wanted['role']}")
    for item in (*wanted["phoneNumbers"], *wanted["emails"]):
        typer.echo(f"    {item['label']}: {item['value']}")
    for key, value in wanted["customFields"].items():
        if value is not None:
            typer.echo(f"    {names.get(key, key)}: {value}")
