"""Saved plans: what a dry run showed, in a file that ``sync --plan`` compares with the world before it acts.

The file holds people's data (before and after of each field), so it is 0600. It is sealed: a changed byte is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from openphone_sync.errors import ConfigurationError, WorldMovedError
from openphone_sync.model import Action, RemoteContact
from openphone_sync.ops.files import save_text
from openphone_sync.rules.planning import Plan
from openphone_sync.run.report import make_action

KIND = "openphone-sync plan"
PLAN_VERSION = 1
NAMED = 10
"""External ids that a refusal names at the most."""


@dataclass(frozen=True, slots=True)
class PlanFrame:
    """What a plan was made for: which workspace (by the mark of its key), which source, which rows, which settings."""

    workspace: str
    source: Mapping[str, str]
    settings: str
    mode: str
    client_type: str | None
    limit: int | None


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan as read from a file: its frame, and a digest of each action by external id."""

    frame: PlanFrame
    digests: Mapping[str, str]


def save_plan(path: Path, frame: PlanFrame, plan: Plan, created_at: str) -> None:
    """Write the plan for the owner alone, whole or not at all; `ConfigurationError` where that fails."""
    body = {
        "kind": KIND,
        "schemaVersion": PLAN_VERSION,
        "createdAt": created_at,
        "frame": asdict(frame),
        "actions": [make_action(one) | {"digest": _digest(one, plan.fingerprints)} for one in plan.actions],
    }
    try:
        save_text(path, _render(body | {"seal": _seal(body)}))
    except OSError as error:
        raise ConfigurationError(
            f"the plan cannot be written to {path} ({error.strerror}); choose another --out"
        ) from None


def load_plan(path: Path) -> SavedPlan:
    """Read a plan; `ConfigurationError` for a file that is none, is of another version, or was changed."""
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        raise ConfigurationError(f"{path} is no readable plan; make one with dry-run --out") from None
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise ConfigurationError(f"{path} is no plan of openphone-sync; make one with dry-run --out")
    if document.get("schemaVersion") != PLAN_VERSION:
        raise ConfigurationError(
            f"{path} is a plan of another version of openphone-sync; make a new one with dry-run --out"
        )
    body = {key: value for key, value in document.items() if key != "seal"}
    if document.get("seal") != _seal(body) or text != _render(document):
        raise ConfigurationError(f"{path} was changed after it was made; make a new one with dry-run --out")
    return SavedPlan(PlanFrame(**body["frame"]), {one["externalId"]: one["digest"] for one in body["actions"]})


def check_frame(saved: SavedPlan, frame: PlanFrame) -> None:
    """Raise `WorldMovedError` for a plan of another workspace or source, `ConfigurationError` for other settings."""
    for name, part in (("workspace", "workspace or API key"), ("source", "database or client table")):
        if getattr(saved.frame, name) != getattr(frame, name):
            raise WorldMovedError(f"the plan was made for another {part}; make a new one with dry-run --out")
    if saved.frame.settings != frame.settings:
        raise ConfigurationError("the plan of --plan was made with other settings; make a new one with dry-run --out")


def check_plan(saved: SavedPlan, plan: Plan) -> None:
    """Raise `WorldMovedError`, naming rows, where what would be done now is not what the plan says."""
    now = {action.external_id: _digest(action, plan.fingerprints) for action in plan.actions}
    moved = sorted(key for key in {*now, *saved.digests} if now.get(key) != saved.digests.get(key))
    if moved:
        named = ", ".join(moved[:NAMED]) + (f" and {len(moved) - NAMED} more" if len(moved) > NAMED else "")
        raise WorldMovedError(
            f"source or workspace moved since the plan was made: {named}; make a new one with dry-run --out"
        )


def _digest(action: Action, fingerprints: Mapping[str, bytes]) -> str:
    """What the action does, the row it comes from and, where it writes, the contact that it was decided on."""
    merged = action.merged if action.writes else None
    parts = (
        action.kind.value,
        action.contact_id,
        action.reason,
        fingerprints.get(action.client_id, b"").hex() if action.writes else "",
        [asdict(change) for change in merged.changes] if merged else [],
        _contact_parts(action.before) if action.writes else None,
    )
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, default=str).encode()).hexdigest()


def _contact_parts(contact: RemoteContact | None) -> dict[str, Any] | None:
    if contact is None:
        return None
    return {key: value for key, value in asdict(contact).items() if key != "read_at_s"}


def _seal(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(_render(body).encode()).hexdigest()


def _render(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"
