"""A person or a contact on a card: what is compared when somebody decides whether two are the same."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from openphone_sync.model import DesiredContact, Item, Link, RemoteContact, RemoteField, RemoteItem
from openphone_sync.rules.comparing import find_day, fold_email
from openphone_sync.rules.phones import normalise_phone
from openphone_sync.state import Store

CONTACT_ADDRESS = "https://my.quo.com/contacts/"
FACT_BIRTH_FIELD = "birth_field"
"""Key of the custom field with the date of birth, as the last run found it."""
FACT_FIELD_NAMES = "field_names"
"""Names of the custom fields by key, as JSON, as the last run found them."""
_BIRTH = "dateOfBirth"
_MAKERS = {
    "": "a person in the app",
    "ios": "a person in the app (iOS)",
    "android": "a person in the app (Android)",
    "csv": "a CSV import",
    "public-api": "a program that uses the API",
}


@dataclass(frozen=True, slots=True)
class Card:
    """``birth_date`` as ``1985-06-15``, empty if unknown. ``contact_id`` is empty for a person of the client table."""

    name: str = ""
    company: str = ""
    role: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    birth_date: str = ""
    source: str = ""
    contact_id: str = ""

    @property
    def address(self) -> str:
        """The contact in the app."""
        return f"{CONTACT_ADDRESS}{self.contact_id}" if self.contact_id else ""

    def to_json(self) -> dict[str, Any]:
        """As published."""
        return {
            "name": self.name,
            "company": self.company,
            "role": self.role,
            "phones": list(self.phones),
            "emails": list(self.emails),
            "dateOfBirth": self.birth_date,
        }


def make_card(contact: RemoteContact, birth_key: str | None) -> Card:
    """The card of a contact, or of what `make_own_contact` made."""
    keys = {_BIRTH, birth_key}
    births = (find_day(one.value) for one in contact.custom_fields if one.address in keys)
    is_ours = contact.contact_id == contact.external_id
    return Card(
        contact.display_name,
        contact.company or "",
        contact.role or "",
        _values(contact.phones),
        _values(contact.emails),
        next((day.isoformat() for day in births if day), ""),
        contact.source or "",
        "" if is_ours else contact.contact_id,
    )


def make_own_contact(desired: DesiredContact) -> RemoteContact:
    """One of our people in the form in which candidates are kept: its contact id is its external id."""
    values = desired.values
    return RemoteContact(
        desired.external_id,
        desired.external_id,
        first_name=values.first_name,
        company=values.company,
        role=values.role,
        phones=_items(values.phones),
        emails=_items(values.emails),
        custom_fields=(RemoteField(_BIRTH, desired.birth_date),) if desired.birth_date else (),
    )


def make_link_card(link: Link) -> Card:
    """What the state knows of one of our people without a card of its own."""
    if link.base is None:
        return Card(name=link.person, phones=link.phones)
    values = link.base.values
    emails = tuple(item.value for item in values.emails)
    return Card(values.first_name, values.company, values.role, link.phones, emails)


def read_names(store: Store, ids: Iterable[str]) -> dict[str, str]:
    """Names of our people by external id, as far as the state knows them."""
    links = store.read_links_by_id(ids)
    return {link.external_id: name for link in links if (name := make_link_card(link).name or link.person)}


def read_field_names(store: Store) -> dict[str, str]:
    """Names of custom fields by key."""
    names: dict[str, str] = json.loads(store.read_fact(FACT_FIELD_NAMES) or "{}")
    return names


def find_same_phones(ours: Card, theirs: Card, region: str) -> frozenset[str]:
    """Numbers of both, as either writes them."""
    own = {normalise_phone(one, region) for one in ours.phones}
    shared = own & {normalise_phone(one, region) for one in theirs.phones}
    return frozenset(one for one in (*ours.phones, *theirs.phones) if normalise_phone(one, region) in shared)


def find_same_emails(ours: Card, theirs: Card) -> frozenset[str]:
    """Addresses of both, as either writes them."""
    shared = set(map(fold_email, ours.emails)) & set(map(fold_email, theirs.emails))
    return frozenset(one for one in (*ours.emails, *theirs.emails) if fold_email(one) in shared)


def describe_maker(card: Card, own_source: str) -> str:
    """Who made a contact, by its source."""
    if not card.contact_id:
        return "the client table"
    if card.source == own_source:
        return "openphone-sync"
    if card.source.startswith("openphone-"):
        return f"an integration ({card.source})"
    return _MAKERS.get(card.source, f"another program ({card.source})")


def _items(items: Iterable[Item]) -> tuple[RemoteItem, ...]:
    return tuple(RemoteItem(item.label, item.value) for item in items)


def _values(items: Iterable[RemoteItem]) -> tuple[str, ...]:
    return tuple(item.value for item in items if item.value)
