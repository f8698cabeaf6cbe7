"""Take a run back: a plan like any other, with the same checks, the same applying and the same report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openphone_sync.errors import ConfigurationError
from openphone_sync.mapping import make_field_map
from openphone_sync.model import Action, JournalEntry, RunRecord
from openphone_sync.planning import Plan
from openphone_sync.state import Store
from openphone_sync.undoing import find_undoable, make_undo_actions
from openphone_sync.workflows.deciding import Decided, make_merge_rules
from openphone_sync.workflows.gathering import Remote, read_missing
from openphone_sync.workflows.parts import Parts
from openphone_sync.workflows.world import World


@dataclass(frozen=True, slots=True)
class RunHistory:
    """A run and its writes, oldest first."""

    record: RunRecord
    entries: tuple[JournalEntry, ...]


def read_history(store: Store, run_id: str) -> RunHistory:
    """The run with this id, or ``latest``; `ConfigurationError` where there is none."""
    records = store.read_runs()
    found = next((one for one in records if run_id in (one.run_id, "latest")), None)
    if found is None:
        raise ConfigurationError(f"no run has the id {run_id}; openphone-sync runs list shows them")
    return RunHistory(found, tuple(store.read_journal(found.run_id)))


def decide_rollback(history: RunHistory, parts: Parts) -> Decided:
    """The plan that undoes a run's writes; nothing is written."""
    world = World(parts.store, parts.key_mark)
    world.check_workspace(parts.workspace)
    fields = make_field_map(parts.workspace.read_field_definitions(), parts.settings.custom_field_keys)
    entries = find_undoable(history.entries)
    remote = Remote()
    ids = [entry.contact_id for entry in entries if entry.contact_id]
    read_missing(remote, ids, parts.workspace, parts.progress, parts.stopping)
    links = parts.store.read_links(sorted({entry.client_id for entry in entries}))
    actions = make_undo_actions(entries, remote.contacts, links, make_merge_rules(parts.settings, fields))
    plan = Plan(
        actions=actions,
        warnings=tuple(_warnings(actions)),
        linked_before=parts.store.count_linked(),
        complete=False,
    )
    return Decided(plan, world, full=False, listed=False)


def _warnings(actions: Sequence[Action]) -> list[str]:
    kept = [(action.external_id, one.field) for action in actions if action.merged for one in action.merged.conflicts]
    return [f"{external_id}: {field} was changed since, and is left alone" for external_id, field in kept]
