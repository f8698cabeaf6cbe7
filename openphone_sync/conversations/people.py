"""Who is behind a number: the numbers of a client, and names by number, from the state and the client table."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from openphone_sync.errors import ConfigurationError
from openphone_sync.model import DesiredContact, Link, Standing
from openphone_sync.ports import ClientSource
from openphone_sync.rules.mapping import MappingRules, find_phones, map_client
from openphone_sync.rules.phones import parse_phones
from openphone_sync.state import Store


def parse_phone(text: str, region: str) -> str:
    """One number in E.164; `ConfigurationError` where it is none, or more than one."""
    found = parse_phones(text, region)
    if len(found.phones) != 1 or found.unusable:
        raise ConfigurationError(
            "--phone is not one whole phone number; give one with its area code, such as +12135550134 or (213) 555-0134"
        )
    return found.phones[0].e164


def find_client_phones(
    client_id: str, store: Store, open_source: Callable[[], ClientSource] | None, rules: MappingRules
) -> frozenset[str]:
    """The numbers (E.164) of a client and its alternates: as they were written, and as the row has them now.

    ``open_source`` is None where no database is configured. `ConfigurationError` for a client that nobody knows, or
    that has no usable number.
    """
    links = store.read_links([client_id]).values()
    phones = frozenset(phone for link in links for phone in find_link_phones(link))
    row = None
    if open_source is not None:
        with closing(open_source()) as source:
            row = source.read_client(client_id)
    if row is None and not links:
        where = "the client table or the state" if open_source else "the state, and DATABASE_URL is not set"
        raise ConfigurationError(f"no client has the id {client_id} in {where}; look the id up in the client table")
    found = phones | (find_phones(row, rules) if row else frozenset())
    if not found:
        raise ConfigurationError(
            f"client {client_id} has no usable phone number; correct it in the client table, or give the number with --phone"
        )
    return found


def read_names(store: Store) -> dict[str, str]:
    """Names of people by number (E.164), as the state has them; several people who share a number are all named."""
    names: dict[str, list[str]] = {}
    for link in store.read_links_standing(*Standing):
        name = link.person or (link.base.values.first_name if link.base else "")
        for phone in find_link_phones(link):
            if name and name not in names.setdefault(phone, []):
                names[phone].append(name)
    return {phone: " / ".join(found) for phone, found in names.items()}


def read_table_names(source: ClientSource, phones: frozenset[str], rules: MappingRules) -> dict[str, str]:
    """Names of these numbers from the client table."""
    names: dict[str, list[str]] = {}
    for row in source.read_clients():
        if phones.isdisjoint(find_phones(row, rules)):
            continue
        for wanted in map_client(row, rules):
            if isinstance(wanted, DesiredContact):
                name = wanted.person or wanted.values.first_name
                for item in wanted.values.phones:
                    if item.value in phones and name not in names.setdefault(item.value, []):
                        names[item.value].append(name)
    return {phone: " / ".join(found) for phone, found in names.items()}


def find_link_phones(link: Link) -> frozenset[str]:
    """The numbers (E.164) of a wanted contact: as they were written, and as the row had them when it was last read."""
    written = {item.value for item in link.base.values.phones} if link.base else set()
    return frozenset({*written, *link.phones})
