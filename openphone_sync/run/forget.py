"""Forget a client: erase what this tool keeps, delete what it made in the app where that is asked for, and say what stays.

The wish is committed first, and each step can be taken again: a process that dies on the way is continued by the next
start (`resume_forgetting`).
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openphone_sync.documents import SCHEMA_VERSION
from openphone_sync.errors import ConfigurationError, ContactError, ContactGoneError, InterruptedRunError, NotSentError
from openphone_sync.model import ActionKind, Answer, Intent, Link, Result
from openphone_sync.ops.files import save_text
from openphone_sync.rules.mapping import make_external_id
from openphone_sync.run.context import Context
from openphone_sync.run.finish import publish_metrics
from openphone_sync.run.identity import Identity
from openphone_sync.run.recover import recover_writes
from openphone_sync.run.report import RUNS_FOLDER
from openphone_sync.state import Store
from openphone_sync.state.erasure import Traces, make_scrubber

NOT_ASKED = "not asked for; forget --delete-contact deletes what this tool made"
TO_DELETE = "deleted if this tool made it"
NOT_REACHED = (
    "the client table: while the row is there, each run reports its id as skipped",
    "saved plans (dry-run --out), copies of the state folder, and mails of cron and alerts",
    "the log, which names ids only and is replaced as it grows",
    "earlier runs can no longer be undone for this person",
)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was erased, or would be: traces in the state, run reports, copies; what became of contacts in the app."""

    traces: Traces
    reports: int
    copies: int
    deleted: tuple[str, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()


def find_traces(store: Store, client_id: str, state_dir: Path, *, delete_contact: bool) -> Forgotten:
    """What would be erased; `ConfigurationError` where nothing is known of the client. Ids are taken exactly."""
    traces = store.read_traces(client_id, make_external_id(client_id, 0))
    begun = client_id in dict(store.read_forgetting())
    if traces.is_empty and not begun:
        if store.make_forgotten_test()(client_id):
            raise ConfigurationError(
                f"client {client_id} is forgotten already; forget --undo {client_id} lets runs make its contacts again"
            )
        raise ConfigurationError(
            f"the state knows nothing of a client with the id {client_id}; give the whole id, as openphone-sync links shows it"
        )
    links = store.read_links([client_id])
    why = TO_DELETE if delete_contact else NOT_ASKED
    kept = tuple((link.contact_id, why) for _, link in sorted(links.items()) if link.contact_id)
    return Forgotten(traces, len(_find_reports(state_dir, traces)), store.count_copies(), kept=kept)


def forget(client_id: str, context: Context, run_id: str, *, delete_contact: bool) -> Forgotten:
    """Forget a client now. What earlier runs left open is recovered first: it may be a contact of this client."""
    recover_writes(context)
    context.store.begin_forgetting(client_id, delete_contact=delete_contact)
    return _forget(client_id, context, run_id, delete_contact=delete_contact)


def resume_forgetting(context: Context, run_id: str) -> None:
    """Continue what a process that died had begun."""
    for client_id, delete_contact in context.store.read_forgetting():
        done = _forget(client_id, context, run_id, delete_contact=delete_contact)
        context.warnings.append("a client whose forgetting was interrupted is forgotten now")
        for contact_id, why in done.kept if delete_contact else ():
            context.warnings.append(f"its contact {contact_id} stays in the app: {why}")


def _forget(client_id: str, context: Context, run_id: str, *, delete_contact: bool) -> Forgotten:
    store, state_dir = context.store, context.settings.state_dir
    traces = store.read_traces(client_id, make_external_id(client_id, 0))
    deleted: list[str] = []
    links = [link for _, link in sorted(store.read_links([client_id]).items()) if link.contact_id]
    kept = dict.fromkeys((str(link.contact_id) for link in links), NOT_ASKED)
    if delete_contact and kept:
        Identity(store, context.key_mark).check_workspace(context.workspace)
        kept = {str(link.contact_id): _delete(link, str(link.contact_id), context, run_id) for link in links}
        deleted = [contact_id for contact_id, why in kept.items() if not why]
    reports = _find_reports(state_dir, traces)
    for path in reports:
        _scrub_report(path, traces)
    copies = store.count_copies()
    store.erase(traces, context.clock.now())
    store.finish_forgetting(client_id, context.clock.now())
    publish_metrics(store, context.settings)
    return Forgotten(
        traces, len(reports), copies, tuple(deleted), tuple((key, why) for key, why in kept.items() if why)
    )


def _delete(link: Link, contact_id: str, context: Context, run_id: str) -> str:
    """Delete a contact in the app if it is ours; why it stays, empty where it is gone. Intent first, as in every write."""
    try:
        contact = context.workspace.read_contact(contact_id)
    except ContactGoneError:
        return ""
    except NotSentError:
        raise InterruptedRunError(context.signal_number()) from None
    except ContactError as error:
        return error.message
    own_id = (contact.external_id or "").partition("~")[0]
    if contact.source != context.settings.source or own_id != link.external_id.partition("~")[0]:
        return "not made by this tool"
    intent = Intent(ActionKind.DELETE, replace(link, contact_id=None, base=None), contact_id, contact, earlier=link)
    entry_id = context.store.save_intent(run_id, intent, context.clock.now())
    try:
        context.workspace.delete_contact(contact_id)
    except NotSentError:
        raise InterruptedRunError(context.signal_number()) from None
    except ContactError as error:
        answer = Answer(Result.FAILED, status=error.status, code=error.code, message=error.message)
        context.store.save_outcome(entry_id, answer, None, context.clock.now())
        return error.message
    context.store.save_outcome(entry_id, Answer(Result.DONE, contact_id), intent.link, context.clock.now())
    return ""


def _find_reports(state_dir: Path, traces: Traces) -> list[Path]:
    """The run reports that name the client or one of its contacts."""
    marks = [f"client_{traces.client_id}".encode(), *(one.encode() for one in traces.contact_ids)]
    found = []
    for path in sorted((state_dir / RUNS_FOLDER).glob("*.json")):
        with suppress(FileNotFoundError):
            content = path.read_bytes()
            if any(mark in content for mark in marks):
                found.append(path)
    return found


def _scrub_report(path: Path, traces: Traces) -> None:
    scrub = make_scrubber(traces)
    text = path.read_text(encoding="utf-8")
    try:
        save_text(path, json.dumps(scrub(json.loads(text)), ensure_ascii=False, indent=2) + "\n")
    except ValueError:  # no report: at least the ids go
        save_text(path, str(scrub(text)))


def make_document(found: Forgotten, store_places: list[tuple[str, str]], *, forgotten: bool) -> dict[str, Any]:
    """What was, or would be, forgotten, as published. ``store_places``: exports and archives, by kind and path."""
    traces = found.traces
    return {
        "schemaVersion": SCHEMA_VERSION,
        "clientId": traces.client_id,
        "forgotten": forgotten,
        "erased": {
            "contacts": traces.contacts,
            "writes": traces.writes,
            "decisions": traces.decisions,
            "reports": found.reports,
            "copies": found.copies,
        },
        "contactsDeleted": list(found.deleted),
        "contactsKept": [{"contactId": contact_id, "reason": why} for contact_id, why in found.kept],
        "notReached": {
            "places": [{"kind": kind, "path": path} for kind, path in store_places],
            "notes": list(NOT_REACHED),
        },
    }
