"""The link table: which contact belongs to whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from openphone_sync.documents import SCHEMA_VERSION, format_time, to_csv
from openphone_sync.model import Standing
from openphone_sync.state import Store
from openphone_sync.views.cards import CONTACT_ADDRESS, make_link_card

COLUMNS = ("name", "clientId", "slot", "externalId", "contactId", "address", "status", "lastWritten")


def read_links(store: Store) -> list[dict[str, Any]]:
    """Every wanted contact that the state knows, by client and slot. ``slot`` is 0 for the client."""
    written = store.read_last_writes()
    links = sorted(store.read_links_standing(*Standing), key=lambda one: (one.client_id, one.slot, one.external_id))
    return [
        {
            "name": make_link_card(link).name or link.person,
            "clientId": link.client_id,
            "slot": link.slot,
            "externalId": link.external_id,
            "contactId": link.contact_id,
            "address": f"{CONTACT_ADDRESS}{link.contact_id}" if link.contact_id else None,
            "status": link.standing.value,
            "lastWritten": format_time(at) if (at := written.get(link.external_id)) else None,
        }
        for link in links
    ]


def make_document(links: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The links as published."""
    return {"schemaVersion": SCHEMA_VERSION, "links": list(links)}


def make_csv(links: Iterable[dict[str, Any]]) -> str:
    """The links as a table for a spreadsheet."""
    return to_csv(COLUMNS, (["" if link[name] is None else link[name] for name in COLUMNS] for link in links))
