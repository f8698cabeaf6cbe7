"""What a run says of itself: the run report, a JSON document.

Names and phone numbers stay out: external ids and contact ids only. Keys are camelCase, times RFC 3339 in UTC,
durations in seconds; keys are added, never renamed (``schemaVersion``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openphone_sync.documents import SCHEMA_VERSION, describe_contacts, format_time, to_json
from openphone_sync.model import (
    Action,
    ActionKind,
    Candidate,
    Conflict,
    Create,
    Delete,
    Done,
    Failed,
    FieldChange,
    Gone,
    Keep,
    Left,
    Link,
    Merged,
    Outcome,
    Reason,
    Restore,
    Stale,
    Update,
    Why,
)
from openphone_sync.ops.alerts import describe_failures
from openphone_sync.ops.files import save_text
from openphone_sync.rules.merging import MergeRules, make_changes
from openphone_sync.rules.planning import Plan
from openphone_sync.views.words import describe_reason, describe_why

RUNS_FOLDER = "runs"

SUCCEEDED, PARTIAL, FAILED, STOPPED, INTERRUPTED = "succeeded", "partial", "failed", "stopped", "interrupted"

_NAMES: Mapping[ActionKind, str] = {
    ActionKind.CREATE: "created",
    ActionKind.UPDATE: "updated",
    ActionKind.ADOPT: "adopted",
    ActionKind.UNCHANGED: "unchanged",
    ActionKind.SKIP: "skipped",
    ActionKind.HOLD: "held",
    ActionKind.DELETE: "deleted",
}
_WRITTEN = ("created", "updated", "adopted", "deleted", "failed")
COUNTS = ("created", "updated", "adopted", "unchanged", "skipped", "held", "deleted", "failed", "left")


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run. ``document`` is its JSON as published; ``exit_code`` what the process should end with."""

    document: Mapping[str, Any]
    exit_code: int = 0

    @property
    def status(self) -> str:
        """``succeeded``, ``partial``, ``failed``, ``stopped`` or ``interrupted``."""
        return str(self.document["status"])

    @property
    def run_id(self) -> str:
        """The run's id, sortable by time."""
        return str(self.document["runId"])


@dataclass(frozen=True, slots=True)
class RunHeader:
    """Which command, how, and when it began; ``undoes`` is the run that a rollback undoes."""

    run_id: str
    command: str
    mode: str
    dry_run: bool
    started_at: float
    undoes: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What was planned and what came of it, over all rounds of a run. A dry run has no outcomes: its plan counts.

    ``conflicts`` are those of writes that a later round has replaced, with the external id.
    """

    plan: Plan
    outcomes: Sequence[Outcome] = ()
    conflicts: tuple[tuple[str, Conflict], ...] = ()

    def add(self, plan: Plan, outcomes: Sequence[Outcome]) -> Result:
        """Together with a later round, which judged some contacts again.

        What an earlier round wrote stays written, and its conflicts listed, where the later one finds nothing to do.
        """
        done = {
            _name(one): one for one in self.outcomes if isinstance(one, Done) and not isinstance(one.action, Delete)
        }
        idle = {_name(one) for one in plan.actions if isinstance(one, Keep) and one.kind is ActionKind.UNCHANGED}
        replaced = {_name(action) for action in plan.actions} - (idle & done.keys())
        later = [action for action in plan.actions if _name(action) in replaced]
        actions = [one for one in self.plan.actions if _name(one) not in replaced or isinstance(one, Delete)]
        kept = [one for one in self.outcomes if _name(one) not in replaced or isinstance(one.action, Delete)]
        conflicts = [(name, conflict) for name, one in done.items() if name in replaced for conflict in one.conflicts]
        outcomes = [_together(one, done.get(_name(one))) for one in outcomes]
        look_alikes = (*self.plan.look_alikes, *plan.look_alikes)
        ordered = sorted([*actions, *later], key=lambda action: (action.link.client_id, action.link.slot))
        orphans = {link.external_id: link for link in (*self.plan.orphans, *plan.orphans)}
        merged = replace(
            self.plan,
            actions=tuple(ordered),
            deferred=plan.deferred,
            look_alikes=look_alikes,
            cards=(*self.plan.cards, *plan.cards),
            orphans=tuple(orphans.values()),
        )
        return Result(merged, [*kept, *outcomes], (*self.conflicts, *conflicts))


def _name(one: Action | Outcome) -> str:
    """The wanted contact that an action or an outcome is about."""
    return (one if isinstance(one, Create | Update | Restore | Delete | Keep) else one.action).link.external_id


def _together(outcome: Outcome, earlier: Done | None) -> Outcome:
    """A contact that was written in two rounds: what was created or adopted in the first was not updated in the second."""
    if earlier is None or earlier.kind is ActionKind.SKIP or not isinstance(outcome, Done):
        return outcome
    wrote_on = outcome.kind in {ActionKind.UPDATE, ActionKind.UNCHANGED}
    return replace(outcome, kind=earlier.kind) if wrote_on else outcome


def make_report(
    header: RunHeader,
    result: Result,
    *,
    status: str,
    exit_code: int,
    finished_at: float,
    requests: Mapping[str, int],
    warnings: Iterable[str] = (),
    message: str = "",
) -> dict[str, Any]:
    """The run report's document."""
    plan = result.plan
    contacts = _count_contacts(result, dry_run=header.dry_run)
    _check_counts(result, contacts)
    document: dict[str, Any] = {
        **_make_head(header, status, exit_code, finished_at),
        "clients": {
            "read": plan.clients.read,
            "changed": plan.clients.changed,
            "unchanged": plan.clients.unchanged,
            "removed": plan.clients.removed,
        },
        "contacts": contacts,
        "requests": _count_requests(requests),
        "skipped": _list_skipped(result),
        "held": _list_held(plan),
        "orphans": sorted(link.external_id for link in plan.orphans),
        "conflicts": _list_conflicts(result, dry_run=header.dry_run),
        "errors": _list_errors(result),
        "warnings": list(dict.fromkeys([*warnings, *_list_kept_numbers(plan)])),
    }
    if not message and status != SUCCEEDED:
        message = _explain_status(document)
    if message:
        document["message"] = message
    return document


def _explain_status(document: Mapping[str, Any]) -> str:
    """Why a run that nothing stopped did not succeed, and what to do."""
    if document["status"] != INTERRUPTED:
        return describe_failures(document)
    counts = {name: count for name, count in document["contacts"].items() if name in _WRITTEN}
    done = describe_contacts(counts) if any(counts.values()) else "nothing written"
    left = document["contacts"]["left"]
    return f"interrupted: {done}; {left} left: run {document['command']} again, it goes on from there"


def make_empty_report(run_id: str, command: str, started_at: float, finished_at: float) -> dict[str, Any]:
    """The report of a run of which nothing is known."""
    header = RunHeader(run_id, command, "incremental", False, started_at)
    return make_report(header, Result(Plan()), status=FAILED, exit_code=1, finished_at=finished_at, requests={})


def _make_head(header: RunHeader, status: str, exit_code: int, finished_at: float) -> dict[str, Any]:
    return {
        "schemaVersion": SCHEMA_VERSION,
        "runId": header.run_id,
        "command": header.command,
        "mode": header.mode,
        "dryRun": header.dry_run,
        "status": status,
        "exitCode": exit_code,
        "startedAt": format_time(header.started_at),
        "finishedAt": format_time(finished_at),
        "durationSeconds": round(max(0.0, finished_at - header.started_at), 3),
        **({"undoes": header.undoes} if header.undoes else {}),
    }


def hide_secrets(document: dict[str, Any], hide: Callable[[str], str]) -> None:
    """Apply ``hide`` to every text of a run report; the state, the run file, stdout and alerts repeat these texts."""
    document["warnings"] = [hide(text) for text in document["warnings"]]
    entries = (document, *document["skipped"], *document["held"], *document["errors"])
    for entry in entries:
        for key in {"message", "reason"} & entry.keys():
            entry[key] = hide(entry[key])


def save_report(state_dir: Path, document: Mapping[str, Any]) -> Path:
    """Write ``runs/<runId>.json``, whole or not at all; returns its path."""
    folder = state_dir / RUNS_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{document['runId']}.json"
    save_text(path, to_json(document))
    return path


def make_dry_run(document: Mapping[str, Any], plan: Plan, rules: MergeRules) -> dict[str, Any]:
    """The dry run's document: the report, and every action with its field changes. Holds people's data."""
    return {**document, "actions": [make_action(action, rules) for action in plan.actions]}


# --- counts --------------------------------------------------------------------------------------------------------


def count_names(kind: ActionKind) -> str:
    """Under which name contacts of this kind are counted."""
    return _NAMES[kind]


def _count_contacts(result: Result, *, dry_run: bool) -> dict[str, int]:
    plan = result.plan
    counts: Counter[str] = Counter()
    for unread in (plan.unchanged, plan.deferred):
        counts["unchanged"] += unread.linked
        counts["skipped"] += len(unread.skipped)
        counts["held"] += len(unread.held)
    counts["failed"] += len(plan.failures)
    for action in plan.actions:
        if dry_run or isinstance(action, Keep):
            counts[_NAMES[_planned_kind(action)]] += 1
    for outcome in result.outcomes:
        if isinstance(outcome, Done):
            counts[_NAMES[outcome.kind]] += not _stays(outcome)
        elif not isinstance(outcome.action, Keep):  # those are counted above
            counts["left" if isinstance(outcome, Left) else "failed"] += 1
    return {name: counts[name] for name in COUNTS}


def _planned_kind(action: Action) -> ActionKind:
    """An update whose preview changes nothing will most likely find nothing to do."""
    if isinstance(action, Update) and action.preview is not None and not action.preview.changes:
        return ActionKind.UNCHANGED if action.kind is ActionKind.UPDATE else action.kind
    return action.kind


def _check_counts(result: Result, contacts: Mapping[str, int]) -> None:
    """Every wanted contact is counted once; anything else is a bug."""
    plan = result.plan
    wanted = len(plan.actions) + len(plan.failures)
    wanted += sum(one.linked + len(one.skipped) + len(one.held) for one in (plan.unchanged, plan.deferred))
    staying = sum(_stays(outcome) for outcome in result.outcomes)
    counted = sum(contacts.values()) + staying
    if counted != wanted:
        raise AssertionError(f"{wanted} contacts wanted, {counted} counted: {dict(contacts)}")


def _stays(outcome: Outcome) -> bool:
    """Whether it is an orphan that was not deleted after all: nobody wants it, so it is not counted."""
    action = outcome.action
    orphan = isinstance(action, Delete) and action.created is None
    return orphan and isinstance(outcome, Done) and outcome.kind is not ActionKind.DELETE


def _count_requests(requests: Mapping[str, int]) -> dict[str, int]:
    methods = {name: requests.get(name, 0) for name in ("GET", "POST", "PATCH", "DELETE")}
    rest = {name: requests.get(name, 0) for name in ("retried", "rateLimited")}
    return {"total": sum(methods.values()), **methods, **rest}


# --- lists ---------------------------------------------------------------------------------------------------------


def _list_skipped(result: Result) -> list[dict[str, str]]:
    plan = result.plan
    found: list[tuple[str, Why | None]] = [
        (action.link.external_id, action.why)
        for action in plan.actions
        if isinstance(action, Keep) and action.kind is ActionKind.SKIP
    ]
    found += [(link.external_id, link.why) for link in (*plan.unchanged.skipped, *plan.deferred.skipped)]
    found += [
        (one.action.link.external_id, one.why)
        for one in result.outcomes
        if isinstance(one, Done) and one.kind is ActionKind.SKIP
    ]
    return [{"externalId": key, **describe_why(why)} for key, why in sorted(found, key=lambda one: one[0])]


def _list_held(plan: Plan) -> list[dict[str, Any]]:
    found: list[tuple[Link, Sequence[Candidate], Why | None]] = [
        (action.link, action.evidence, action.why)
        for action in plan.actions
        if isinstance(action, Keep) and action.kind is ActionKind.HOLD
    ]
    for unread in (plan.unchanged, plan.deferred):
        found += [(link, unread.evidence.get(link.external_id, ()), link.why) for link in unread.held]
    return [
        {
            "externalId": link.external_id,
            "contactId": evidence[0].subject if evidence and evidence[0].kind != "row" else None,
            "score": round(evidence[0].score, 3) if evidence else None,
            **describe_why(why),
        }
        for link, evidence, why in sorted(found, key=lambda one: one[0].external_id)
    ]


def _list_conflicts(result: Result, *, dry_run: bool) -> list[dict[str, str]]:
    found: list[tuple[str, Conflict]] = [*result.conflicts]
    for outcome in result.outcomes:
        if isinstance(outcome, Done):
            found += [(outcome.action.link.external_id, conflict) for conflict in outcome.conflicts]
        elif isinstance(outcome, Stale):
            found.append((outcome.action.link.external_id, Conflict("changed since the plan", "remote")))
    for action in result.plan.actions:
        if isinstance(action, Keep):
            found += [(action.link.external_id, conflict) for conflict in action.conflicts]
        elif dry_run and isinstance(action, Update | Restore) and action.preview is not None:
            found += [(action.link.external_id, conflict) for conflict in action.preview.conflicts]
    return [{"externalId": key, "field": one.field, "kept": one.kept} for key, one in found]


def _list_kept_numbers(plan: Plan) -> list[str]:
    return [
        f"{action.link.external_id}: {describe_reason(action.link.why)}; fix it in the client table"
        for action in plan.actions
        if action.link.why is not None and action.link.why.reason is Reason.NUMBERS_KEPT
    ]


def _list_errors(result: Result) -> list[dict[str, Any]]:
    failures = [
        {"externalId": failure.external_id, "status": 0, "code": "bug", "message": failure.message}
        for failure in result.plan.failures
    ]
    return failures + [error for outcome in result.outcomes for error in _describe_error(outcome)]


def _describe_error(outcome: Outcome) -> Iterator[dict[str, Any]]:
    external_id = outcome.action.link.external_id
    match outcome:
        case Failed():
            yield {
                "externalId": external_id,
                "status": outcome.status,
                "code": outcome.code,
                "message": outcome.message,
            }
        case Gone():
            message = "the contact was deleted meanwhile (404); the next run judges it again"
            yield {"externalId": external_id, "status": 404, "code": "gone", "message": message}
        case Stale():
            message = (
                "the contact, or a review of it, changed since the plan was made; make a new one with dry-run --out"
            )
            yield {"externalId": external_id, "status": 0, "code": "stale", "message": message}


# --- actions -------------------------------------------------------------------------------------------------------


def make_action(action: Action, rules: MergeRules) -> dict[str, Any]:
    """What would be done for one contact, as dry runs and saved plans show it. Holds people's data."""
    why = action.why
    return {
        "action": _planned_kind(action).value,
        "externalId": action.link.external_id,
        "contactId": action.link.contact_id,
        "name": _find_name(action),
        **describe_why(why),
        "changes": [
            {"field": one.field, "before": one.before, "after": one.after} for one in find_changes(action, rules)
        ],
    }


def _find_name(action: Action) -> str:
    """Of the person in the source, else of the contact; empty if neither is known."""
    link = action.link
    if isinstance(action, Create | Update) and action.desired is not None:
        return action.desired.values.first_name
    if link.base is not None and link.base.values.first_name:
        return link.base.values.first_name
    return link.person


def find_changes(action: Action, rules: MergeRules) -> tuple[FieldChange, ...]:
    """Field by field, what an action would alter as far as the contact was read; nothing for a deletion."""
    preview: Merged | None = action.preview if isinstance(action, Update | Restore) else None
    if isinstance(action, Create):
        return make_changes(None, action.draft, rules)
    return preview.changes if preview else ()
