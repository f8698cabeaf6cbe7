"""Saved plans: what a dry run showed, in a file that ``sync --plan`` compares with what would be done now.

The file holds people's data (before and after of each field), so it is 0600. Each action has a digest of what it does and
of the row it comes from, and where a contact would be written a digest of that contact as it was shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from openphone_sync.errors import ConfigurationError, StaleError
from openphone_sync.model import Action, Keep, RemoteContact, Update
from openphone_sync.ops.files import save_text
from openphone_sync.rules.merging import MergeRules
from openphone_sync.rules.planning import Plan
from openphone_sync.run.report import make_action

KIND = "openphone-sync plan"
PLAN_VERSION = 2
NAMED = 10
"""External ids that a refusal names at the most."""


@dataclass(frozen=True, slots=True)
class PlanHeader:
    """What a plan was made for: which workspace (by the mark of its key), which source, which rows, which settings."""

    workspace: str
    source: Mapping[str, str]
    settings: str
    mode: str
    client_type: str | None
    limit: int | None
    client_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SavedAction:
    """Whether it ``writes``, and digests: of what it does, of its row, and of the contact that it would write."""

    writes: bool
    digest: str
    row: str
    contact: str


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan as read from a file: its header, and its actions by external id."""

    header: PlanHeader
    actions: Mapping[str, SavedAction] = field(default_factory=dict)


def save_plan(path: Path, header: PlanHeader, plan: Plan, rules: MergeRules, created_at: str) -> None:
    """Write the plan for its owner only, whole or not at all; `ConfigurationError` if that fails."""
    body = {
        "kind": KIND,
        "schemaVersion": PLAN_VERSION,
        "createdAt": created_at,
        "header": asdict(header),
        "actions": [
            make_action(action, rules) | {"saved": asdict(_make_saved(action, plan))} for action in plan.actions
        ],
    }
    try:
        save_text(path, json.dumps(body, ensure_ascii=False, indent=1) + "\n")
    except OSError as error:
        raise ConfigurationError(
            f"the plan cannot be written to {path} ({error.strerror}); choose another --out"
        ) from None


def load_plan(path: Path) -> SavedPlan:
    """Read a plan; `ConfigurationError` for a file that is not one, or is of another version."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise ConfigurationError(f"{path} is not a readable plan; make one with dry-run --out") from None
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise ConfigurationError(f"{path} is not a plan of openphone-sync; make one with dry-run --out")
    if document.get("schemaVersion") != PLAN_VERSION:
        raise ConfigurationError(
            f"{path} is a plan of another version of openphone-sync; make a new one with dry-run --out"
        )
    try:
        header = PlanHeader(**(document["header"] | {"client_ids": tuple(document["header"]["client_ids"])}))
        return SavedPlan(header, {one["externalId"]: SavedAction(**one["saved"]) for one in document["actions"]})
    except (KeyError, TypeError):
        raise ConfigurationError(f"{path} was changed after it was made; make a new one with dry-run --out") from None


def check_header(saved: SavedPlan, header: PlanHeader) -> None:
    """Raise `StaleError` for a plan of another workspace or source, `ConfigurationError` for other settings."""
    for name, words in (("workspace", "workspace or API key"), ("source", "database or client table")):
        if getattr(saved.header, name) != getattr(header, name):
            raise StaleError(f"the plan was made for another {words}; make a new one with dry-run --out")
    if saved.header.settings != header.settings:
        raise ConfigurationError("the plan of --plan was made with other settings; make a new one with dry-run --out")


def follow_plan(saved: SavedPlan, plan: Plan) -> Plan:
    """The plan as it would be now, bound to the contacts as they were shown.

    Raises `StaleError`, naming rows, where the source has moved. What a person did in the app or decided in a review since
    is `Plan.overtaken`; a contact that is changed only now is found at its turn (`Update.expected`).
    """
    now = {action.link.external_id: _make_saved(action, plan) for action in plan.actions}
    moved = sorted(key for key in {*now, *saved.actions} if _has_moved(saved.actions.get(key), now.get(key)))
    if moved:
        named = ", ".join(moved[:NAMED]) + (f" and {len(moved) - NAMED} more" if len(moved) > NAMED else "")
        raise StaleError(
            f"since the plan was made, the client table changed or a run wrote: {named}; make a new one with dry-run --out"
        )
    known = saved.actions
    bound = tuple(
        replace(action, expected=known[action.link.external_id].contact) if isinstance(action, Update) else action
        for action in plan.actions
    )
    overtaken = {key for key, one in now.items() if key in known and _is_overtaken(known[key], one)}
    return replace(plan, actions=bound, overtaken=frozenset(overtaken))


def _has_moved(then: SavedAction | None, now: SavedAction | None) -> bool:
    """Whether the row is another one, where something would be written.

    A deletion has no row: where it is no longer planned, a person has deleted the contact.
    """
    if now is None:
        return then is not None and then.writes and bool(then.row)
    if then is None:
        return now.writes
    return then.row != now.row and (then.writes or now.writes)


def _is_overtaken(then: SavedAction, now: SavedAction) -> bool:
    """Whether something else would be done for the same row."""
    return then.digest != now.digest and (then.writes or now.writes)


def digest_contact(contact: RemoteContact) -> str:
    """Recognises a contact as it is."""
    values = {key: value for key, value in asdict(contact).items() if key != "read_at_s"}
    return hashlib.sha256(json.dumps(values, ensure_ascii=False, sort_keys=True, default=str).encode()).hexdigest()


def _make_saved(action: Action, plan: Plan) -> SavedAction:
    """What the action is for whom."""
    why, seen = action.why, action.seen if isinstance(action, Update) else None
    values = (
        # An update of which a person made a part meanwhile is still the same plan.
        "write" if isinstance(action, Update) else action.kind.value,
        action.link.contact_id,
        (why.reason, why.detail) if why else None,
    )
    return SavedAction(
        writes=not isinstance(action, Keep),
        digest=hashlib.sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest(),
        row=plan.fingerprints.get(action.link.client_id, b"").hex(),
        contact=digest_contact(seen) if seen is not None else "",
    )
