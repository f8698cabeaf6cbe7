"""What a run says of itself: the run report, a JSON document.

Names and phone numbers stay out: external ids and contact ids only. Keys are camelCase, times RFC 3339 in UTC,
durations in seconds; keys are added, never renamed (``schemaVersion``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openphone_sync.documents import SCHEMA_VERSION, format_time, to_json
from openphone_sync.model import Action, ActionKind, Outcome, Result
from openphone_sync.ops.files import save_text
from openphone_sync.rules.planning import Plan

RUNS_FOLDER = "runs"

SUCCEEDED, PARTIAL, FAILED, STOPPED, INTERRUPTED = "succeeded", "partial", "failed", "stopped", "interrupted"

_KIND_NAMES = {
    ActionKind.CREATE: "created",
    ActionKind.UPDATE: "updated",
    ActionKind.ADOPT: "adopted",
    ActionKind.UNCHANGED: "unchanged",
    ActionKind.SKIP: "skipped",
    ActionKind.HOLD: "held",
    ActionKind.DELETE: "deleted",
}
_WANTED = ("created", "updated", "adopted", "unchanged", "skipped", "held", "failed")


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
class RunFrame:
    """What frames a run: which command, how, and when it began."""

    run_id: str
    command: str
    mode: str
    dry_run: bool
    started_at: float


def make_report(
    frame: RunFrame,
    plan: Plan,
    outcomes: Sequence[Outcome],
    *,
    status: str,
    finished_at: float,
    requests: Mapping[str, int],
    warnings: Iterable[str] = (),
    message: str = "",
) -> dict[str, Any]:
    """The run report's document. For a dry run, ``outcomes`` are empty and the plan's actions count as done."""
    document: dict[str, Any] = {
        "schemaVersion": SCHEMA_VERSION,
        "runId": frame.run_id,
        "command": frame.command,
        "mode": frame.mode,
        "dryRun": frame.dry_run,
        "status": status,
        "startedAt": format_time(frame.started_at),
        "finishedAt": format_time(finished_at),
        "durationSeconds": round(max(0.0, finished_at - frame.started_at), 3),
        "clients": {
            "read": plan.clients.read,
            "changed": plan.clients.changed,
            "unchanged": plan.clients.unchanged,
            "removed": plan.clients.removed,
        },
        "contacts": _count_contacts(plan, outcomes, dry_run=frame.dry_run),
        "requests": _count_requests(requests),
        "skipped": _skipped(plan, outcomes),
        "held": _held(plan),
        "orphans": sorted(link.external_id for link in plan.orphans),
        "conflicts": _conflicts(plan, outcomes, dry_run=frame.dry_run),
        "errors": [_error(outcome) for outcome in outcomes if outcome.result is not Result.DONE],
        "warnings": list(dict.fromkeys(warnings)),
    }
    if message:
        document["message"] = message
    return document


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


def make_dry_run(document: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """The dry run's document: the report, and every action with its field changes. Holds people's data."""
    return {**document, "actions": [make_action(action) for action in plan.actions]}


def _count_contacts(plan: Plan, outcomes: Sequence[Outcome], *, dry_run: bool) -> dict[str, int]:
    counts: Counter[str] = Counter(dict.fromkeys((*_WANTED, "deleted"), 0))
    counts["unchanged"] += plan.resting.linked
    counts["skipped"] += len(plan.resting.skipped)
    counts["held"] += len(plan.resting.held)
    for action in plan.actions:
        if dry_run or not action.writes:
            counts[_KIND_NAMES[action.kind]] += 1
    for outcome in outcomes:
        done = outcome.result is Result.DONE
        counts[_KIND_NAMES[outcome.kind or outcome.action.kind] if done else "failed"] += 1
    return {
        name: counts[name]
        for name in ("created", "updated", "adopted", "unchanged", "skipped", "held", "deleted", "failed")
    }


def check_counts(plan: Plan, document: Mapping[str, Any]) -> None:
    """Every wanted contact is counted once; anything else is a bug."""
    counts: Mapping[str, int] = document["contacts"]
    wanted = sum(action.kind is not ActionKind.DELETE for action in plan.actions)
    wanted += plan.resting.linked + len(plan.resting.skipped) + len(plan.resting.held)
    failed_deletions = sum(action.kind is ActionKind.DELETE for action in plan.actions) - counts["deleted"]
    counted = sum(counts[name] for name in _WANTED) - failed_deletions
    if counted != wanted:
        raise AssertionError(f"{wanted} contacts wanted, {counted} counted: {dict(counts)}")


def _count_requests(requests: Mapping[str, int]) -> dict[str, int]:
    methods = {name: requests.get(name, 0) for name in ("GET", "POST", "PATCH", "DELETE")}
    rest = {name: requests.get(name, 0) for name in ("retried", "rateLimited")}
    return {"total": sum(methods.values()), **methods, **rest}


def _skipped(plan: Plan, outcomes: Sequence[Outcome]) -> list[dict[str, str]]:
    found = [(action.external_id, action.reason) for action in plan.actions if action.kind is ActionKind.SKIP]
    found += [(link.external_id, link.reason) for link in plan.resting.skipped]
    found += [(one.action.external_id, one.message) for one in outcomes if one.kind is ActionKind.SKIP]
    return [{"externalId": external_id, "reason": reason} for external_id, reason in sorted(found)]


def _held(plan: Plan) -> list[dict[str, Any]]:
    found = [
        (action.external_id, action.evidence, action.reason)
        for action in plan.actions
        if action.kind is ActionKind.HOLD
    ]
    found += [
        (one.external_id, plan.resting.evidence.get(one.external_id, ()), one.reason) for one in plan.resting.held
    ]
    return [
        {
            "externalId": external_id,
            "contactId": evidence[0].subject if evidence and evidence[0].kind != "row" else None,
            "score": round(evidence[0].score, 3) if evidence else None,
            "reason": reason,
        }
        for external_id, evidence, reason in sorted(found, key=lambda one: one[0])
    ]


def _conflicts(plan: Plan, outcomes: Sequence[Outcome], *, dry_run: bool) -> list[dict[str, str]]:
    found = [(one.action.external_id, conflict) for one in outcomes for conflict in one.conflicts]
    for action in plan.actions:
        if action.merged and (dry_run or not action.writes):
            found += [(action.external_id, conflict) for conflict in action.merged.conflicts]
    return [{"externalId": external_id, "field": one.field, "kept": one.kept} for external_id, one in found]


def _error(outcome: Outcome) -> dict[str, Any]:
    return {
        "externalId": outcome.action.external_id,
        "status": outcome.status,
        "code": outcome.code,
        "message": outcome.message,
    }


def make_action(action: Action) -> dict[str, Any]:
    """What would be done for one contact, as dry runs and saved plans show it. Holds people's data."""
    changes = action.merged.changes if action.merged and action.writes else ()
    return {
        "action": action.kind.value,
        "externalId": action.external_id,
        "contactId": action.contact_id,
        "reason": action.reason,
        "changes": [{"field": one.field, "before": one.before, "after": one.after} for one in changes],
    }
