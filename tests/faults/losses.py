"""What may never happen, whatever broke: each check returns what it found lost, in words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.office import Office, Ran

WRITES = ("POST", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class EndState:
    """What is left when all is quiet: contacts without what the API makes up, and links without their ids."""

    contacts: Mapping[str, Any]
    links: Mapping[str, Any]


def read_end_state(office: Office) -> EndState:
    """Contacts by external id (by name and phones where they have none), links by external id."""
    contacts = [_plain(contact) for contact in office.contacts()]
    rows = office.state("SELECT external_id, standing, base, person FROM links")
    links = {row[0]: [row[1], json.loads(row[2]) if row[2] else None, row[3]] for row in rows}
    return EndState({_key(one): one for one in contacts}, links)


def find_losses(office: Office, undisturbed: EndState, spared: frozenset[str] = frozenset()) -> list[str]:
    """Everything that is not as after an undisturbed run; ``spared`` are contacts left alone on purpose."""
    found = [*_find_doubles(office), *_find_broken_links(office), *_find_open_entries(office)]
    left_alone = {_key(_plain(one)) for one in office.contacts() if one["id"] in spared}
    if spared:
        left_alone |= {row[0] for row in office.state("SELECT external_id FROM links WHERE standing = 'skipped'")}
    return found + _compare(read_end_state(office), undisturbed, left_alone)


def find_leaks(office: Office, ran: Ran) -> list[str]:
    """Names, phones and the key, where there are only ids: output, messages, log, reports, metrics and alerts."""
    rows = office.sql("SELECT client_name, contact_1, phone, contact_1_phone FROM clients")
    people = {value for row in rows for value in row if value}
    digits = {"".join(filter(str.isdigit, value)) for value in people} - {""}
    files = [path for path in office.state_dir.rglob("*") if path.suffix in (".json", ".log")]
    places = {"stdout": ran.out, "stderr": ran.err, **{path.name: path.read_text() for path in files}}
    return [
        f"{place} holds {secret!r}"
        for place, text in places.items()
        for secret in sorted({*people, *digits, office.environment["OPENPHONE_API_KEY"]})
        if secret in text
    ]


def find_writes(office: Office) -> list[str]:
    """What a further run of either mode writes, though there is nothing to write."""
    found = []
    for arguments in ((), ("--mode", "full")):
        office.requests()
        ran = office.run("sync", "--json", *arguments)
        found += [f"a further run ended with {ran.code}: {ran.err}"] if ran.code else []
        found += [f"a further run wrote: {method} {path}" for method, path in office.requests(*WRITES)]
    return found


def _find_doubles(office: Office) -> Iterable[str]:
    counts = Counter(contact["externalId"] for contact in office.contacts() if contact["externalId"])
    return [f"{external_id} stands {count} times" for external_id, count in counts.items() if count > 1]


def _find_broken_links(office: Office) -> Iterable[str]:
    there = {contact["id"] for contact in office.contacts()}
    rows = office.state("SELECT external_id, contact_id FROM links WHERE standing = 'linked'")
    return [f"{external_id} is linked to nothing" for external_id, contact_id in rows if contact_id not in there]


def _find_open_entries(office: Office) -> Iterable[str]:
    rows = office.state("SELECT external_id FROM journal WHERE result IS NULL")
    return [f"{row[0]} has an open journal row" for row in rows]


def _compare(found: EndState, wanted: EndState, left_alone: set[str]) -> list[str]:
    contacts = [
        f"{key}: {_differences(found.contacts.get(key), wanted.contacts.get(key))}"
        for key in sorted((found.contacts.keys() | wanted.contacts.keys()) - left_alone)
        if found.contacts.get(key) != wanted.contacts.get(key)
    ]
    links = [
        f"link {key}: {found.links.get(key)} instead of {wanted.links.get(key)}"
        for key in sorted((found.links.keys() | wanted.links.keys()) - left_alone)
        if found.links.get(key) != wanted.links.get(key)
    ]
    return contacts + links


def _differences(found: Any, wanted: Any) -> str:
    if found is None or wanted is None:
        return "is missing" if found is None else "should not be there"
    return ", ".join(
        f"{name} is {found[name]} instead of {wanted[name]}" for name in wanted if found[name] != wanted[name]
    )


def _plain(contact: Any) -> dict[str, Any]:
    defaults = contact["defaultFields"]
    items = {name: sorted([one["name"], one["value"]] for one in defaults[name]) for name in ("phoneNumbers", "emails")}
    scalars = {name: defaults[name] for name in ("firstName", "lastName", "company", "role")}
    custom = {one["name"]: one["value"] for one in contact["customFields"]}
    return {"externalId": contact["externalId"], "source": contact["source"], **scalars, **items, "custom": custom}


def _key(contact: Mapping[str, Any]) -> str:
    return contact["externalId"] or json.dumps([contact["firstName"], contact["phoneNumbers"]])
