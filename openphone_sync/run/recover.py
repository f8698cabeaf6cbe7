"""What an earlier run left open when it died: requests about to be sent, and the run itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from openphone_sync.errors import ContactError, ContactGoneError, UnreachableError
from openphone_sync.model import ActionKind, JournalEntry, Link, RemoteContact, Result, RunRecord
from openphone_sync.rules.custom_fields import FieldMap
from openphone_sync.rules.merging import MergeRules, find_differences, find_stored
from openphone_sync.run.context import Context
from openphone_sync.run.plan import make_merge_rules
from openphone_sync.run.report import INTERRUPTED, RunReport, count_names, make_empty_report
from openphone_sync.run.write import LOOK_UP_DELAYS_S

RECOVERED = "recovered by a later run"
"""Message of a journal row that its own run left open."""

LAG_S = 15.0
"""A creation older than this is listed for sure if it happened (new contacts show after 2 to 3 s, seen live)."""


def recover_writes(context: Context) -> None:
    """Find out for every open journal row whether its request was carried out, and have its client judged again."""
    entries = context.store.read_unsettled()
    rules = make_merge_rules(context.settings, FieldMap())
    try:
        created = _find_created([entry for entry in entries if entry.kind is ActionKind.CREATE], context)
        owners = context.store.read_owners() if created else {}
        for entry in entries:
            free = {key: contact for key, contact in created.items() if contact.contact_id not in owners}
            _recover(entry, free, context, rules)
    except ContactError as error:
        raise UnreachableError(
            f"an unfinished write of an earlier run cannot be recovered: {error.message}; run again later"
        ) from error
    context.store.mark_due(sorted({entry.client_id for entry in entries}))


def report_broken_run(record: RunRecord, context: Context) -> RunReport:
    """The report of a run whose process died, made from its journal."""
    entries = context.store.read_journal(record.run_id)
    done: Counter[str] = Counter(count_names(entry.kind) for entry in entries if entry.result is Result.DONE)
    latest = max((entry.settled_at or entry.intended_at for entry in entries), default=record.started_at)
    document = make_empty_report(record.run_id, record.command, record.started_at, latest)
    document["contacts"] |= {name: done[name] for name in document["contacts"] if name in done}
    document["contacts"]["left"] = max(0, record.total - record.processed)
    document["status"], document["exitCode"] = INTERRUPTED, 1
    document["message"] = "the process ended before the run did; its open writes were recovered by the next run"
    return RunReport(document, exit_code=1)


def _recover(entry: JournalEntry, created: Mapping[str, RemoteContact], context: Context, rules: MergeRules) -> None:
    if entry.kind is ActionKind.CREATE:
        contact = created.get(_external_id(entry))
        after = _as_sent(entry, contact, rules)
        _note(entry, context, Result.DONE if contact else Result.FAILED, after, _created_link(entry, contact, rules))
    elif entry.kind is ActionKind.DELETE:
        gone = _is_gone(entry.contact_id or "", context)
        _note(entry, context, Result.DONE if gone else Result.UNFINISHED, None, entry.link if gone else None)
    else:
        # Done where the contact is as it was sent. Else nobody knows, and the next merge writes what is left.
        after = _as_sent(entry, _read(entry.contact_id or "", context), rules)
        link = entry.link if entry.link.base else replace(entry.link, contact_id=None)
        _note(entry, context, Result.DONE if after else Result.UNFINISHED, after, link if after else None)


def _note(
    entry: JournalEntry, context: Context, result: Result, after: RemoteContact | None, link: Link | None
) -> None:
    context.store.settle_entry(entry.entry_id, result, RECOVERED, after, link, context.clock.now())


def _find_created(entries: Sequence[JournalEntry], context: Context) -> dict[str, RemoteContact]:
    """What creations made, by external id; looked for together, as long as one could be too young to be listed."""
    missing = {_external_id(entry) for entry in entries} - {""}
    young = any(context.clock.now() - entry.intended_at < LAG_S for entry in entries)
    found: dict[str, RemoteContact] = {}
    for delay_s in LOOK_UP_DELAYS_S if young else LOOK_UP_DELAYS_S[:1]:
        if not missing:
            break
        context.clock.sleep(delay_s)
        for listed in context.workspace.find_contacts(sorted(missing)):
            ours = listed.source == context.settings.source
            contact = _read(listed.contact_id, context, listed) if ours else None
            if contact is not None:
                found[listed.external_id or ""] = contact
        missing -= found.keys()
    return found


def _external_id(entry: JournalEntry) -> str:
    return (entry.draft.external_id if entry.draft else None) or ""


def _as_sent(entry: JournalEntry, contact: RemoteContact | None, rules: MergeRules) -> RemoteContact | None:
    """The contact that was found, where it is what was sent. Its external id may have been left out."""
    if contact is None or entry.draft is None:
        return None
    return None if find_differences(replace(entry.draft, external_id=None), contact, rules) else contact


def _created_link(entry: JournalEntry, contact: RemoteContact | None, rules: MergeRules) -> Link | None:
    """Linked, with what was sent as its base."""
    if contact is None:
        return None
    base = find_stored(entry.link.base, contact, rules) if entry.link.base else None
    return replace(entry.link, contact_id=contact.contact_id, base=base)


def _read(contact_id: str, context: Context, unread: RemoteContact | None = None) -> RemoteContact | None:
    """The contact as it is, None where it is gone, ``unread`` where neither can be told."""
    try:
        return context.workspace.read_contact(contact_id)
    except ContactGoneError:
        return None
    except ContactError:
        return unread


def _is_gone(contact_id: str, context: Context) -> bool:
    try:
        context.workspace.read_contact(contact_id)
    except ContactGoneError:
        return True
    except ContactError:
        return False
    return False
