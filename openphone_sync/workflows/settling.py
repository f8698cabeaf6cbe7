"""Settle what an earlier run left open: requests that were about to be sent when it died."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from openphone_sync.applying import LOOK_UP_DELAYS_S
from openphone_sync.errors import ContactError, ContactGoneError, UnreachableError
from openphone_sync.mapping import FieldMap
from openphone_sync.merging import MergeRules, find_differences
from openphone_sync.model import ActionKind, JournalEntry, Link, RemoteContact, Result, Standing
from openphone_sync.workflows.deciding import make_merge_rules
from openphone_sync.workflows.parts import Parts

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
        raise UnreachableError(f"an unfinished write cannot be settled: {error.message}; run again later") from error
    parts.store.mark_due(sorted({entry.client_id for entry in entries}))


def _settle(entry: JournalEntry, created: Mapping[str, RemoteContact], parts: Parts, rules: MergeRules) -> None:
    if entry.kind is ActionKind.CREATE:
        found = created.get(_external_id(entry))
        link = _created_link(entry, found, rules) if found else None
        _note(entry, parts, Result.DONE if found else Result.FAILED, link)
    elif entry.kind is ActionKind.DELETE:
        gone = _is_gone(entry.contact_id or "", parts)
        link = replace(entry.link, contact_id=None, base=None, standing=Standing.ORPHANED) if gone else None
        _note(entry, parts, Result.DONE if gone else Result.UNFINISHED, link)
    else:
        # Whether an update went through shows when it is merged again: then there is nothing left to write.
        _note(entry, parts, Result.UNFINISHED, None)


def _note(entry: JournalEntry, parts: Parts, result: Result, link: Link | None) -> None:
    parts.store.settle_entry(entry.entry_id, result, "settled by a later run", link, parts.clock.now())


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
            if contact.source == parts.settings.source and not _is_gone(contact.contact_id, parts):
                found[contact.external_id or ""] = contact
        missing -= found.keys()
    return found


def _external_id(entry: JournalEntry) -> str:
    return (entry.draft.external_id if entry.draft else None) or ""


def _created_link(entry: JournalEntry, found: RemoteContact, rules: MergeRules) -> Link:
    """Linked; with the base only where the contact is what was sent, else the next merge starts without one."""
    exact = entry.draft is not None and not find_differences(entry.draft, found, rules)
    return replace(entry.link, contact_id=found.contact_id, base=entry.link.base if exact else None)


def _is_gone(contact_id: str, parts: Parts) -> bool:
    try:
        parts.workspace.read_contact(contact_id)
    except ContactGoneError:
        return True
    except ContactError:
        return False
    return False
