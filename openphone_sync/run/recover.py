"""Settle what an earlier run left open: requests that were about to be sent when it died."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from openphone_sync.errors import ContactError, ContactGoneError, UnreachableError
from openphone_sync.model import ActionKind, JournalEntry, Link, RemoteContact, Result
from openphone_sync.rules.mapping import FieldMap
from openphone_sync.rules.merging import MergeRules, find_differences
from openphone_sync.run.apply import LOOK_UP_DELAYS_S
from openphone_sync.run.context import Parts
from openphone_sync.run.plan import make_merge_rules

SETTLED = "settled by a later run"
"""Message of a journal row that its own run left open."""

LAG_S = 15.0
"""A creation older than this is listed for sure if it happened (new contacts show after 2 to 3 s, seen live)."""


def settle_unfinished(parts: Parts) -> None:
    """Find out for every open journal row whether its request was carried out, and have its client looked at again."""
    entries = parts.store.read_unsettled()
    rules = make_merge_rules(parts.settings, FieldMap())
    try:
        created = _find_created([entry for entry in entries if entry.kind is ActionKind.CREATE], parts)
        owners = parts.store.read_owners() if created else {}
        for entry in entries:
            free = {key: one for key, one in created.items() if one.contact_id not in owners}
            _settle(entry, free, parts, rules)
    except ContactError as error:
        raise UnreachableError(
            f"an unfinished write of an earlier run cannot be settled: {error.message}; run again later"
        ) from error
    parts.store.mark_due(sorted({entry.client_id for entry in entries}))


def _settle(entry: JournalEntry, created: Mapping[str, RemoteContact], parts: Parts, rules: MergeRules) -> None:
    if entry.kind is ActionKind.CREATE:
        found = created.get(_external_id(entry))
        after = _as_sent(entry, found, rules)
        link = _created_link(entry, found, after) if found else None
        _note(entry, parts, Result.DONE if found else Result.FAILED, after, link)
    elif entry.kind is ActionKind.DELETE:
        gone = _is_gone(entry.contact_id or "", parts)
        link = replace(entry.link, contact_id=None, base=None) if gone else None
        _note(entry, parts, Result.DONE if gone else Result.UNFINISHED, None, link)
    else:
        _settle_update(entry, parts, rules)


def _settle_update(entry: JournalEntry, parts: Parts, rules: MergeRules) -> None:
    """Done where the contact is as it was sent. Else nobody knows, and the next merge writes what is left."""
    after = _as_sent(entry, _read(entry.contact_id or "", parts), rules)
    # An adoption that was being taken back has no base any more: it ends without the contact.
    link = entry.link if entry.link.base else replace(entry.link, contact_id=None)
    _note(entry, parts, Result.DONE if after else Result.UNFINISHED, after, link if after else None)


def _note(entry: JournalEntry, parts: Parts, result: Result, after: RemoteContact | None, link: Link | None) -> None:
    parts.store.settle_entry(entry.entry_id, result, SETTLED, after, link, parts.clock.now())


def _find_created(entries: Sequence[JournalEntry], parts: Parts) -> dict[str, RemoteContact]:
    """What creations made, by external id; looked for together, as long as one could be too young to be listed."""
    missing = {_external_id(entry) for entry in entries} - {""}
    young = any(parts.clock.now() - entry.intended_at < LAG_S for entry in entries)
    found: dict[str, RemoteContact] = {}
    for delay in LOOK_UP_DELAYS_S if young else LOOK_UP_DELAYS_S[:1]:
        if not missing:
            break
        parts.clock.sleep(delay)
        for contact in parts.workspace.find_contacts(sorted(missing)):
            current = _read(contact.contact_id, parts, contact) if contact.source == parts.settings.source else None
            if current is not None:
                found[contact.external_id or ""] = current
        missing -= found.keys()
    return found


def _external_id(entry: JournalEntry) -> str:
    return (entry.draft.external_id if entry.draft else None) or ""


def _as_sent(entry: JournalEntry, found: RemoteContact | None, rules: MergeRules) -> RemoteContact | None:
    """The contact that was found, where it is what was sent. Its external id may have been left out."""
    if found is None or entry.draft is None:
        return None
    return None if find_differences(replace(entry.draft, external_id=None), found, rules) else found


def _created_link(entry: JournalEntry, found: RemoteContact, after: RemoteContact | None) -> Link:
    """Linked; with the base only where the contact is what was sent, else the next merge starts without one."""
    return replace(entry.link, contact_id=found.contact_id, base=entry.link.base if after else None)


def _read(contact_id: str, parts: Parts, unread: RemoteContact | None = None) -> RemoteContact | None:
    """The contact as it is, None where it is gone, ``unread`` where neither can be told."""
    try:
        return parts.workspace.read_contact(contact_id)
    except ContactGoneError:
        return None
    except ContactError:
        return unread


def _is_gone(contact_id: str, parts: Parts) -> bool:
    try:
        parts.workspace.read_contact(contact_id)
    except ContactGoneError:
        return True
    except ContactError:
        return False
    return False
