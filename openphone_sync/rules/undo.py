"""Journal of a run + the contacts as they are now -> the actions that undo the run. Pure.

Created is deleted, updated is restored, deleted is created again. What a person changed since is left alone and
reported: a whole contact where it was created, single fields where it was updated. Contacts that are rolled back are
held, so that the next night does not write them again; their base goes back with them.
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
    Create,
    Delete,
    JournalEntry,
    Keep,
    Link,
    Merged,
    Reason,
    RemoteContact,
    RemoteField,
    RemoteItem,
    Restore,
    Result,
    Standing,
    Why,
)
from openphone_sync.rules.merging import MergeRules, make_changes

_SCALARS = {
    "firstName": "first_name",
    "lastName": "last_name",
    "company": "company",
    "role": "role",
    "sourceUrl": "source_url",
}
_BASE_FIELDS = {name: attribute for name, attribute in _SCALARS.items() if attribute != "last_name"} | {
    "phoneNumbers": "phones",
    "emails": "emails",
}
"""Those of which the base holds a value, custom fields aside."""
_WRITING = frozenset({ActionKind.CREATE, ActionKind.UPDATE, ActionKind.ADOPT, ActionKind.DELETE})
_NOTHING = Base(ContactValues("", "", ""))


def find_undoable(entries: Iterable[JournalEntry]) -> list[JournalEntry]:
    """The writes of a run that happened, one for each contact: what it was before the first, and after the last."""
    found: dict[str, JournalEntry] = {}
    for entry in entries:
        if entry.result is not Result.DONE or entry.contact_id is None or entry.kind not in _WRITING:
            continue
        first = found.get(entry.contact_id)
        found[entry.contact_id] = _join(first, entry) if first else entry
    return list(found.values())


def _join(first: JournalEntry, later: JournalEntry) -> JournalEntry:
    """Two writes of one contact as one. What a person changed between them is no part of it."""
    before, after = first.before, later.after
    if first.kind is ActionKind.CREATE:
        after = after if later.before == first.after else None  # a person had a hand in it
    elif before and first.after and later.before:
        before = _take_back(before, first.after, later.before)
    return replace(later, kind=first.kind, before=before, after=after, earlier=first.earlier)


def _take_back(before: RemoteContact, after: RemoteContact, current: RemoteContact) -> RemoteContact:
    """The contact as it would be without the write from ``before`` to ``after``."""
    draft, _ = _restore(before, after, current)
    return replace(
        current,
        external_id=None if draft.unset_external_id else current.external_id,
        first_name=draft.first_name,
        last_name=draft.last_name,
        company=draft.company,
        role=draft.role,
        phones=tuple(item for item in draft.phones if item.value is not None),
        emails=tuple(item for item in draft.emails if item.value is not None),
        custom_fields=draft.custom_fields,
        source_url=current.source_url if draft.source_url is None else draft.source_url or None,
    )


def make_undo_actions(
    entries: Iterable[JournalEntry],
    contacts: Mapping[str, RemoteContact],
    links: Mapping[str, Link],
    rules: MergeRules,
) -> tuple[Action, ...]:
    """One action for each write; ``contacts`` holds those that still exist, ``links`` the state's rows."""
    actions = [_undo(entry, contacts.get(entry.contact_id or ""), links, rules) for entry in entries]
    return tuple(sorted(actions, key=lambda action: (action.link.client_id, action.link.slot)))


def _undo(entry: JournalEntry, contact: RemoteContact | None, links: Mapping[str, Link], rules: MergeRules) -> Action:
    link = links.get(entry.external_id) or entry.link
    if link.contact_id not in (None, entry.contact_id):
        return _leave(link, Reason.REPLACED_SINCE)
    match entry.kind:
        case ActionKind.CREATE:
            return _undo_creation(entry, contact, link)
        case ActionKind.DELETE:
            return _undo_deletion(entry, contact, link)
        case _:
            return _undo_update(entry, contact, link, rules)


def _undo_creation(entry: JournalEntry, contact: RemoteContact | None, link: Link) -> Action:
    if contact is None:
        return _leave(link, Reason.DELETED_SINCE)
    if entry.after is None or contact != entry.after:
        return _leave(link, Reason.CHANGED_SINCE)
    held = replace(_hold(link, entry), base=None)
    return Delete(held, contact.contact_id, contact, Why(Reason.ROLLED_BACK, entry.run_id), created=entry.after)


def _undo_update(entry: JournalEntry, contact: RemoteContact | None, link: Link, rules: MergeRules) -> Action:
    if contact is None or entry.before is None or entry.after is None:
        return _leave(link, Reason.DELETED_SINCE)
    preview = restore(entry.before, entry.after, contact, rules)
    if not preview.changes:
        return _leave(link, Reason.NOTHING_LEFT)
    # The base goes back with the contact. Without one nobody knows what of it is ours: it is met again like any other.
    earlier = entry.earlier
    base = earlier.base if earlier and earlier.contact_id == contact.contact_id else None
    if base and link.base:
        base = _put_base_back(link.base, base, _find_restored(entry.before, entry.after, contact))
    held = replace(_hold(link, entry), contact_id=contact.contact_id if base else None, base=base)
    why = Why(Reason.ROLLED_BACK, entry.run_id)
    return Restore(held, contact.contact_id, entry.before, entry.after, why, contact, preview)


def _undo_deletion(entry: JournalEntry, contact: RemoteContact | None, link: Link) -> Action:
    before = entry.before
    if contact is not None or before is None:
        return _leave(link, Reason.EXISTS_AGAIN)
    draft = ContactDraft(
        first_name=before.first_name,
        last_name=before.last_name,
        company=before.company,
        role=before.role,
        phones=tuple(replace(item, item_id=None) for item in before.phones),
        emails=tuple(replace(item, item_id=None) for item in before.emails),
        custom_fields=tuple(replace(field, field_id=None) for field in before.custom_fields if field.key),
        other_fields=before.other_fields,
        external_id=before.external_id,
        source=before.source,
        source_url=before.source_url,
    )
    held = replace(_hold(entry.link, entry), contact_id=None, base=entry.earlier.base if entry.earlier else None)
    return Create(held, draft, None, why=Why(Reason.ROLLED_BACK, entry.run_id))


def _leave(link: Link, reason: Reason) -> Keep:
    return Keep(ActionKind.SKIP, link, why=Why(reason))


def _hold(link: Link, entry: JournalEntry) -> Link:
    """Left alone until the row changes or a review releases it."""
    return replace(link, standing=Standing.REVERTED, why=Why(Reason.ROLLED_BACK, entry.run_id), failures=0)


def restore(before: RemoteContact, after: RemoteContact, contact: RemoteContact, rules: MergeRules) -> Merged:
    """Each field back to ``before`` where it still is as ``after``; what a person changed since is a conflict."""
    draft, kept = _restore(before, after, contact)
    conflicts = tuple(Conflict(name, "remote") for name in kept)
    return Merged(draft, _NOTHING, make_changes(contact, draft, rules), conflicts)


def _restore(before: RemoteContact, after: RemoteContact, current: RemoteContact) -> tuple[ContactDraft, list[str]]:
    """The contact with every field as it was before, except those that a person changed since (returned by name)."""
    kept: list[str] = []
    values: dict[str, str | None] = {}
    for name, attribute in _SCALARS.items():
        was, wrote, is_now = (getattr(one, attribute) for one in (before, after, current))
        if wrote not in (is_now, was):
            kept.append(name)
        values[attribute] = was if is_now == wrote else is_now
    if values["source_url"] == current.source_url:
        values["source_url"] = None  # not touched
    elif values["source_url"] is None:
        values["source_url"] = ""  # taken away
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


def _find_restored(before: RemoteContact, after: RemoteContact, current: RemoteContact) -> set[str]:
    """The fields that go back, as `Base.met` names them, without an item's value."""
    were, wrote, are = (_list_values(contact) for contact in (before, after, current))
    names = {*were, *wrote, *are}
    return {name for name in names if were.get(name) != wrote.get(name) == are.get(name)}


def _list_values(contact: RemoteContact) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(contact, attribute) for name, attribute in _SCALARS.items()}
    values |= {"phoneNumbers": contact.phones, "emails": contact.emails}
    return values | {f"customFields:{one.address}": one.value for one in contact.custom_fields}


def _put_base_back(current: Base, earlier: Base, restored: set[str]) -> Base:
    """The earlier base of what is restored. All else keeps its own: a later run may have written it, or a person."""
    values = {
        attribute: getattr(earlier.values, attribute) for name, attribute in _BASE_FIELDS.items() if name in restored
    }
    fields = {key: value for key, value in current.values.custom_fields if f"customFields:{key}" not in restored}
    fields |= {key: value for key, value in earlier.values.custom_fields if f"customFields:{key}" in restored}
    met = {mark for mark in current.met if _field_of(mark) not in restored}
    met |= {mark for mark in earlier.met if _field_of(mark) in restored}
    return Base(replace(current.values, **values, custom_fields=tuple(sorted(fields.items()))), frozenset(met))


def _field_of(mark: str) -> str:
    return mark if mark.startswith("customFields:") else mark.partition(":")[0]


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
