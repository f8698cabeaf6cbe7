"""Take a run back: a plan like any other, with the same checks, the same applying and the same report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from openphone_sync.errors import ConfigurationError
from openphone_sync.model import Action, ActionKind, JournalEntry, Result, RunRecord
from openphone_sync.rules.mapping import make_field_map
from openphone_sync.rules.planning import Plan
from openphone_sync.rules.undo import find_undoable, make_undo_actions
from openphone_sync.run.context import Parts
from openphone_sync.run.identity import World
from openphone_sync.run.plan import Decided, make_merge_rules
from openphone_sync.run.read import Remote, read_missing
from openphone_sync.run.recover import SETTLED
from openphone_sync.state import Store


def find_run(store: Store, run_id: str) -> RunRecord:
    """The run with this id, or ``latest``; `ConfigurationError` where there is none."""
    records = store.read_runs()
    found = next((one for one in records if run_id in (one.run_id, "latest")), None)
    if found is None:
        raise ConfigurationError(f"no run has the id {run_id}; take one from openphone-sync runs list")
    return found


def decide_rollback(record: RunRecord, parts: Parts) -> Decided:
    """The plan that undoes a run's writes, as the journal has them by now; nothing is written."""
    world = World(parts.store, parts.key_mark)
    world.check_workspace(parts.workspace)
    fields = make_field_map(parts.workspace.read_field_definitions(), parts.settings.custom_field_keys)
    journal = parts.store.read_journal(record.run_id)
    entries = find_undoable(journal)
    remote = Remote()
    ids = [entry.contact_id for entry in entries if entry.contact_id]
    read_missing(remote, ids, parts.workspace, parts.progress, parts.stopping)
    links = parts.store.read_links(sorted({entry.client_id for entry in entries}))
    merging = make_merge_rules(parts.settings, fields)
    actions = make_undo_actions(entries, remote.contacts, links, merging)
    plan = Plan(
        actions=actions,
        warnings=(*_warn_of_unknown(journal), *_warnings(actions)),
        linked_before=parts.store.count_linked(),
        complete=False,
    )
    return Decided(plan, world, merging, full=False, listed=False)


def _warn_of_unknown(journal: Iterable[JournalEntry]) -> Iterator[str]:
    """Writes that a run left open when it died. A dry run settles none, and not all can be settled."""
    for entry in journal:
        if entry.result is None:
            yield (
                f"{entry.external_id}: its {entry.kind} was left open, so it is not shown; "
                "run rollback without --dry-run, which settles it first"
            )
        elif entry.result is Result.UNFINISHED and entry.message == SETTLED and entry.kind is not ActionKind.DELETE:
            yield f"{entry.external_id}: nobody knows whether its {entry.kind} was carried out; look at it in the app"


def _warnings(actions: Sequence[Action]) -> list[str]:
    kept = [(action.external_id, one.field) for action in actions if action.merged for one in action.merged.conflicts]
    return [
        f"{external_id}: {field} was changed since and is left alone; change it in the app where it should go back"
        for external_id, field in kept
    ]
