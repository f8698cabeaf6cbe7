"""One client explained: what it maps to, what it matched and on what evidence, what was sent when, and why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from typing import Any

from openphone_sync.config import Settings, load_mapping
from openphone_sync.documents import SCHEMA_VERSION, format_time
from openphone_sync.errors import ConfigurationError, ContactError, RunError, UnreachableError
from openphone_sync.model import ClientRow, DesiredContact, JournalEntry, Link, Wanted, Why
from openphone_sync.ports import ClientSource, Workspace
from openphone_sync.rules.custom_fields import FieldMap, make_field_map
from openphone_sync.rules.mapping import MappingRules, find_phones, map_client
from openphone_sync.rules.merging import to_json
from openphone_sync.rules.phones import parse_phones
from openphone_sync.state import Store
from openphone_sync.views.cards import Card, make_card, make_link_card, read_field_names, read_names
from openphone_sync.views.words import describe_reason, describe_warning, describe_why

_FORGOTTEN = "forgotten on request: no run makes its contacts; forget --undo takes that back"


def find_client(
    phone: str,
    settings: Settings,
    store: Store,
    open_source: Callable[[], ClientSource],
    check_going: Callable[[], None],
) -> str:
    """The client whose contacts carry this number; `ConfigurationError` where none or several do.

    What was written is looked at first; held and skipped contacts are found in the source only.
    """
    found = parse_phones(phone, settings.region)
    if len(found.phones) != 1 or found.unusable:
        raise ConfigurationError(
            "--phone is not one whole phone number; give one with its area code, such as +12135550134"
        )
    e164 = found.phones[0].e164
    clients = store.find_clients_by_phone(e164)
    if not clients:
        rules = MappingRules(settings.region, load_mapping(settings.mapping_file))
        with closing(open_source()) as source:
            rows = _until(check_going, source.read_clients())
            clients = [row.client_id for row in rows if e164 in find_phones(row, rules)]
    if not clients:
        raise ConfigurationError("no client has the number of --phone; give the client's id instead")
    if len(clients) > 1:
        raise ConfigurationError(
            f"several clients have the number of --phone ({', '.join(clients)}); explain one of them by its id"
        )
    return clients[0]


def _until(check_going: Callable[[], None], rows: Iterable[ClientRow]) -> Iterator[ClientRow]:
    """The rows, until a signal ends the command."""
    for row in rows:
        check_going()
        yield row


def explain(
    client_id: str, settings: Settings, store: Store, workspace: Workspace, open_source: Callable[[], ClientSource]
) -> dict[str, Any]:
    """Everything known of one client, as a document. Holds people's data.

    `ConfigurationError` where neither the source nor the state knows the client. What cannot be read of the client table or
    OpenPhone is left out, and ``notes`` say so; ``inSource`` is None then.
    """
    links = store.read_links([client_id])
    fields, note = _read_fields(settings, workspace)
    notes = [note] if note else []
    row, is_read = None, True
    try:
        with closing(open_source()) as source:
            row = source.read_client(client_id)
    except RunError as error:
        if not links:
            raise
        is_read = False
        notes.append(f"the client table could not be read ({error.what}): what the row says is left out here")
    if row is None and not links:
        raise ConfigurationError(
            f"no client has the id {client_id}, in the source or in the state; look it up in the client table"
        )
    if store.make_forgotten_test()(client_id):
        notes.append(_FORGOTTEN)
    wanted = map_client(row, MappingRules(settings.region, load_mapping(settings.mapping_file), fields)) if row else ()
    known = {one.key: one.name for one in fields.definitions} or read_field_names(store)
    read_remote = None if note else partial(_read_remote, workspace, fields.birth_key)
    return {
        "schemaVersion": SCHEMA_VERSION,
        "clientId": client_id,
        "inSource": row is not None if is_read else None,
        "notes": notes,
        "customFieldNames": known,
        "contacts": [
            _explain(key, _by_id(wanted).get(key), links.get(key), store, read_remote) for key in _ids(wanted, links)
        ],
    }


def _read_fields(settings: Settings, workspace: Workspace) -> tuple[FieldMap, str]:
    try:
        definitions = workspace.read_field_definitions()
    except (UnreachableError, ContactError):
        return FieldMap(), "OpenPhone could not be asked: custom fields, and what it holds, are left out here"
    return make_field_map(definitions, settings.custom_field_keys, load_mapping(settings.mapping_file)), ""


def _read_remote(workspace: Workspace, birth_key: str | None, contact_id: str) -> Card | None:
    """The contact as OpenPhone holds it; None if it is gone or cannot be read."""
    try:
        return make_card(workspace.read_contact(contact_id), birth_key)
    except (UnreachableError, ContactError):
        return None


def _by_id(wanted: Iterable[Wanted]) -> dict[str, Wanted]:
    return {one.external_id: one for one in wanted}


def _ids(wanted: Iterable[Wanted], links: dict[str, Link]) -> list[str]:
    slots = {one.external_id: one.slot for one in wanted} | {link.external_id: link.slot for link in links.values()}
    return sorted(slots, key=lambda key: (slots[key], key))


def _explain(
    external_id: str,
    wanted: Wanted | None,
    link: Link | None,
    store: Store,
    read_remote: Callable[[str], Card | None] | None,
) -> dict[str, Any]:
    candidates = store.read_candidates([external_id]).get(external_id, ())
    decisions = [
        one for one in store.read_decisions([link.client_id] if link else []) if one.external_id == external_id
    ]
    names = _read_names(store, [one.subject for one in candidates] + [one.candidate for one in decisions])
    desired = wanted if isinstance(wanted, DesiredContact) else None
    remote = read_remote(link.contact_id) if read_remote and link and link.contact_id else None
    return {
        "externalId": external_id,
        "name": desired.values.first_name if desired else make_link_card(link).name or link.person if link else "",
        "wanted": _wanted_json(desired),
        "skipped": describe_reason(wanted.why)
        if wanted is not None and not isinstance(wanted, DesiredContact)
        else None,
        "unfit": describe_reason(Why(desired.unfit)) if desired and desired.unfit else None,
        "standing": link.standing.value if link else None,
        **describe_why(link.why if link else None),
        "contactId": link.contact_id if link else None,
        "openPhone": remote.to_json() if remote else None,
        "candidates": [asdict(one) | {"name": names.get(one.subject, "")} for one in candidates],
        "decisions": [
            {"candidate": one.candidate, "name": names.get(one.candidate, ""), "choice": one.choice.value}
            for one in decisions
        ],
        "writes": [_write_json(entry) for entry in store.read_contact_journal(external_id)],
    }


def _read_names(store: Store, subjects: Sequence[str]) -> dict[str, str]:
    """Names of candidates, which are contacts or our own people."""
    cards = {key: make_card(contact, None).name for key, contact in store.read_cards(subjects).items()}
    return read_names(store, subjects) | cards


def _wanted_json(wanted: DesiredContact | None) -> dict[str, Any] | None:
    if wanted is None:
        return None
    values = wanted.values
    return {
        "person": wanted.person,
        "firstName": values.first_name,
        "company": values.company,
        "role": values.role,
        "sourceUrl": values.source_url,
        "phoneNumbers": [asdict(item) for item in values.phones],
        "emails": [asdict(item) for item in values.emails],
        "customFields": {key: to_json(value) for key, value in values.custom_fields},
        "warnings": [describe_warning(wanted.external_id, warning) for warning in wanted.warnings],
    }


def _write_json(entry: JournalEntry) -> dict[str, Any]:
    return {
        "runId": entry.run_id,
        "at": format_time(entry.intended_at),
        "action": entry.kind.value,
        "contactId": entry.contact_id,
        "result": entry.result.value if entry.result else None,
        "status": entry.status,
        "code": entry.code,
        "message": entry.message,
    }
