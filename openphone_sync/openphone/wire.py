"""JSON of the v1 API <-> values of `model`. The only place that knows the API's keys.

Live answers may lack optional keys, hold null almost anywhere and grow new keys: reading is lenient, and what this
version does not know is kept and sent back (``extra``, ``other_fields``), because PATCH replaces whole arrays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeGuard

from openphone_sync.model import ContactDraft, FieldDefinition, Json, RemoteContact, RemoteField, RemoteItem

_KNOWN_DEFAULTS = frozenset({"firstName", "lastName", "company", "role", "phoneNumbers", "emails"})
_MAX_ID_LENGTH = 255  # 24 hexadecimal digits, seen live
_KNOWN_ITEM = frozenset({"id", "name", "value"})


def parse_contact(
    data: Mapping[str, Any], read_at_s: float, find_key: Callable[[str], str | None] = lambda _: None
) -> RemoteContact:
    """One contact of an answer; `ValueError` where it has no id.

    ``find_key`` knows the key of a custom field by its name, for answers that leave the key out: the field's ``id`` is
    another name for the same value, and only by its key is it known to be one of ours.
    """
    contact_id = data.get("id")
    if not is_id(contact_id):
        raise ValueError("a contact without an id")
    defaults = _mapping(data.get("defaultFields"))
    return RemoteContact(
        contact_id=contact_id,
        external_id=_text(data.get("externalId")),
        source=_text(data.get("source")),
        first_name=_text(defaults.get("firstName")),
        last_name=_text(defaults.get("lastName")),
        company=_text(defaults.get("company")),
        role=_text(defaults.get("role")),
        phones=tuple(_parse_item(item) for item in _mappings(defaults.get("phoneNumbers"))),
        emails=tuple(_parse_item(item) for item in _mappings(defaults.get("emails"))),
        custom_fields=tuple(_parse_field(one, find_key) for one in _mappings(data.get("customFields"))),
        other_fields={key: value for key, value in defaults.items() if key not in _KNOWN_DEFAULTS},
        source_url=_text(data.get("sourceUrl")),
        read_at_s=read_at_s,
    )


def is_id(value: object) -> TypeGuard[str]:
    """Whether this can be a contact's id, as a part of an address."""
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID_LENGTH and value not in (".", "..")


def parse_definition(data: Mapping[str, Any]) -> FieldDefinition | None:
    """One custom field definition; None where it has no key, since nothing can be written to it."""
    key, name, kind = (_text(data.get(part)) for part in ("key", "name", "type"))
    return FieldDefinition(key, name or "", kind or "") if key else None


def find_keys(definitions: Sequence[FieldDefinition]) -> dict[str, str]:
    """Keys by the names that no two fields share."""
    counts = Counter(one.name for one in definitions)
    return {one.name: one.key for one in definitions if counts[one.name] == 1}


def make_create_body(draft: ContactDraft) -> dict[str, Json]:
    """Body of POST /v1/contacts: what the draft has, without nulls."""
    body: dict[str, Json] = {"defaultFields": _without_nulls(_default_fields(draft))}
    if draft.custom_fields:
        body["customFields"] = _fields_json(draft.custom_fields)
    if draft.external_id is not None:
        body["externalId"] = draft.external_id
    if draft.source is not None:
        body["source"] = draft.source
    if draft.source_url:
        body["sourceUrl"] = draft.source_url
    return body


def make_update_body(draft: ContactDraft) -> dict[str, Json]:
    """Body of PATCH /v1/contacts/{id}: always whole, since what is left out of an array is deleted."""
    body: dict[str, Json] = {
        "defaultFields": _default_fields(draft),
        "customFields": _fields_json(draft.custom_fields),
    }
    if draft.touches_external_id:
        body["externalId"] = draft.external_id
    if draft.source is not None:
        body["source"] = draft.source
    if draft.source_url is not None:
        body["sourceUrl"] = draft.source_url or None  # only null takes it away: an empty text is not a URI
    return body


def _default_fields(draft: ContactDraft) -> dict[str, Json]:
    return {
        **draft.other_fields,
        "firstName": draft.first_name,
        "lastName": draft.last_name,
        "company": draft.company,
        "role": draft.role,
        "phoneNumbers": [_item_json(item) for item in draft.phones],
        "emails": [_item_json(item) for item in draft.emails],
    }


def _without_nulls(fields: dict[str, Json]) -> dict[str, Json]:
    """A creation names only what there is; firstName is required even where it is null."""
    return {key: value for key, value in fields.items() if key == "firstName" or value not in (None, [])}


def _item_json(item: RemoteItem) -> dict[str, Json]:
    body: dict[str, Json] = {**item.extra, "name": item.label, "value": item.value}
    if item.item_id is not None:
        body["id"] = item.item_id
    return body


def _fields_json(fields: Iterable[RemoteField]) -> list[Json]:
    return [_field_json(one) for one in fields]


def _field_json(one: RemoteField) -> dict[str, Json]:
    """Addressed by key; by id only where the answer had no key."""
    if one.key is not None:
        return {"key": one.key, "value": one.value}
    return {"id": one.field_id, "value": one.value}


def _parse_item(data: Mapping[str, Any]) -> RemoteItem:
    return RemoteItem(
        label=_text(data.get("name")) or "",
        value=_text(data.get("value")),
        item_id=_text(data.get("id")),
        extra={key: value for key, value in data.items() if key not in _KNOWN_ITEM},
    )


def _parse_field(data: Mapping[str, Any], find_key: Callable[[str], str | None]) -> RemoteField:
    key, field_id = _text(data.get("key")), _text(data.get("id"))
    if key is None:
        key = find_key(_text(data.get("name")) or "")
    return RemoteField(key, data.get("value"), field_id)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
