"""Journal of a run + the contacts as they are now -> the actions that take the run back. Pure.

Created is deleted, updated is restored, deleted is created again. What a person changed since is left alone and
reported: a whole contact where it was created, single fields where it was updated. Contacts that are taken back are
marked, so that the next night does not write them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from openphone_sync.model import (
    Action,
    ActionKind,
    Base,
    Conflict,
    ContactDraft,
    ContactValues,
    JournalEntry,
    Link,
    Merged,
    RemoteContact,
    RemoteField,
    RemoteItem,
    Result,
    Standing,
)
from openphone_sync.rules.merging import MergeRules, make_changes

_SCALARS = {"firstName": "first_name", "lastName": "last_name", "company": "company", "role": "role"}
_NOTHING = ContactValues("", "", "")


def find_undoable(entries: Iterable[JournalEntry]) -> list[JournalEntry]:
    """The writes of a run that happened, one for each contact: what it was before the first, and after the last."""
    found: dict[str, JournalEntry] = {}
    for entry in entries:
        if entry.result is not Result.DONE or entry.contact_id is None or entry.kind not in _UNDOING:
            continue
        first = found.get(entry.contact_id)
        found[entry.contact_id] = replace(entry, kind=first.kind, before=first.before) if first else entry
    return list(found.values())


def make_undo_actions(
    entries: Iterable[JournalEntry],
    now: Mapping[str, RemoteContact],
    links: Mapping[str, Link],
    rules: MergeRules,
) -> tuple[Action, ...]:
    """One action for each write; ``now`` holds the contacts that still exist, ``links`` the state's rows."""
    actions = [_undo(entry, now.get(entry.contact_id or ""), links, rules) for entry in entries]
    return tuple(sorted(actions, key=lambda action: (action.client_id, action.slot)))


def _undo(entry: JournalEntry, current: RemoteContact | None, links: Mapping[str, Link], rules: MergeRules) -> Action:
    link = links.get(entry.external_id) or entry.link
    if link.contact_id not in (None, entry.contact_id):
        return _leave(entry, link, "another contact stands in its place now")
    return _UNDOING[entry.kind](entry, current, link, rules)


def _undo_creation(entry: JournalEntry, current: RemoteContact | None, link: Link, rules: MergeRules) -> Action:
    del rules
    if current is None:
        return _leave(entry, link, "it is deleted already")
    if current != entry.after:
        return _leave(entry, link, "it was changed since, and is left alone")
    return Action(
        kind=ActionKind.DELETE,
        link=_reverted(link, entry),
        contact_id=current.contact_id,
        before=current,
        base=link.base,
        reason=f"created by {entry.run_id}",
        unlinks=True,
    )


def _undo_update(entry: JournalEntry, current: RemoteContact | None, link: Link, rules: MergeRules) -> Action:
    before, after = entry.before, entry.after
    if current is None or before is None or after is None:
        return _leave(entry, link, "it was deleted since")
    draft, kept = _restore(before, after, current)
    changes = make_changes(current, draft, rules)
    if not changes:
        return _leave(entry, link, "nothing is left of it")
    # Without a base nobody knows what of the contact is ours: it is met again like any other, once its row changes.
    unlinks = entry.kind is ActionKind.ADOPT or link.base is None
    return Action(
        kind=ActionKind.UPDATE,
        link=_reverted(link, entry, keep=not unlinks),
        contact_id=current.contact_id,
        before=current,
        base=link.base,
        merged=Merged(draft, Base(link.base or _NOTHING), changes, tuple(Conflict(name, "remote") for name in kept)),
        reason=f"changed by {entry.run_id}",
        linked_before=not unlinks,
        unlinks=unlinks,
    )


def _undo_deletion(entry: JournalEntry, current: RemoteContact | None, link: Link, rules: MergeRules) -> Action:
    if current is not None or entry.before is None:
        return _leave(entry, link, "it is there already")
    before = entry.before
    draft = ContactDraft(
        first_name=before.first_name,
        last_name=before.last_name,
        company=before.company,
        role=before.role,
        phones=tuple(replace(item, item_id=None) for item in before.phones),
        emails=tuple(replace(item, item_id=None) for item in before.emails),
        custom_fields=tuple(replace(one, field_id=None) for one in before.custom_fields if one.key),
        other_fields=before.other_fields,
        external_id=before.external_id,
        source=before.source,
        source_url=before.source_url,
    )
    return Action(
        kind=ActionKind.CREATE,
        link=replace(entry.link, contact_id=None, standing=Standing.REVERTED, reason=f"rolled back by {entry.run_id}"),
        merged=Merged(draft, Base(entry.link.base or _NOTHING), make_changes(None, draft, rules)),
        reason=f"deleted by {entry.run_id}",
    )


_UNDOING = {
    ActionKind.CREATE: _undo_creation,
    ActionKind.UPDATE: _undo_update,
    ActionKind.ADOPT: _undo_update,
    ActionKind.DELETE: _undo_deletion,
}


def _leave(entry: JournalEntry, link: Link, reason: str) -> Action:
    return Action(
        kind=ActionKind.SKIP,
        link=link,
        contact_id=entry.contact_id,
        reason=reason,
    )


def _reverted(link: Link, entry: JournalEntry, *, keep: bool = False) -> Link:
    """Held until its row changes. A restored contact keeps its base: what was written is what was decided to leave."""
    reverted = replace(link, standing=Standing.REVERTED, reason=f"rolled back by {entry.run_id}", failures=0)
    return reverted if keep else replace(reverted, base=None)


def _restore(before: RemoteContact, after: RemoteContact, current: RemoteContact) -> tuple[ContactDraft, list[str]]:
    """The contact with every field as it was before, except those that a person changed since (returned by name)."""
    kept: list[str] = []
    values: dict[str, str | None] = {}
    for name, attribute in _SCALARS.items():
        was, wrote, is_now = (getattr(one, attribute) for one in (before, after, current))
        if wrote not in (is_now, was):
            kept.append(name)
        values[attribute] = was if is_now == wrote else is_now
    phones = _restore_items("phoneNumbers", before.phones, after.phones, current.phones, kept)
    emails = _restore_items("emails", before.emails, after.emails, current.emails, kept)
    draft = ContactDraft(
        **values,
        phones=phones,
        emails=emails,
        custom_fields=_restore_fields(before, after, current, kept),
        other_fields=current.other_fields,
        unset_external_id=before.external_id is None and current.external_id == after.external_id is not None,
    )
    return draft, kept


def _restore_items(
    name: str,
    before: tuple[RemoteItem, ...],
    after: tuple[RemoteItem, ...],
    current: tuple[RemoteItem, ...],
    kept: list[str],
) -> tuple[RemoteItem, ...]:
    """The items as they were; those that we added go with their id and no value, for an API that merges."""
    if before == after:
        return current
    if current != after:
        kept.append(name)
        return current
    staying = {item.item_id for item in before}
    return (*before, *(replace(item, value=None) for item in after if item.item_id and item.item_id not in staying))


def _restore_fields(
    before: RemoteContact, after: RemoteContact, current: RemoteContact, kept: list[str]
) -> tuple[RemoteField, ...]:
    was = {one.address: one for one in before.custom_fields}
    wrote = {one.address: one for one in after.custom_fields}
    result: list[RemoteField] = []
    for one in current.custom_fields:
        old, new = was.pop(one.address, None), wrote.get(one.address)
        old_value = old.value if old else None
        if new is None or new.value == old_value:
            result.append(one)
        elif one.value == new.value:
            result.append(replace(one, value=old_value))
        else:
            kept.append(f"customFields.{one.address}")
            result.append(one)
    return (*result, *(one for address, one in was.items() if address not in wrote))
