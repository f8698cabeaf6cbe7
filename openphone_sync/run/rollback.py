"""Undo a run: a plan like any other, with the same applying and the same report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from openphone_sync.config import load_mapping
from openphone_sync.errors import ConfigurationError
from openphone_sync.model import Action, ActionKind, JournalEntry, Restore, Result, RunRecord
from openphone_sync.rules.custom_fields import make_field_map
from openphone_sync.rules.planning import Plan
from openphone_sync.rules.undo import find_undoable, make_undo_actions
from openphone_sync.run.context import Context, SyncOptions
from openphone_sync.run.identity import Identity
from openphone_sync.run.plan import Planned, make_rules
from openphone_sync.run.read import Remote, read_missing
from openphone_sync.run.recover import RECOVERED
from openphone_sync.state import Store

LATEST = "latest"
NO_RUN = "no run yet; start with openphone-sync sync"
_UNDONE = frozenset({"succeeded"})


@dataclass(frozen=True, slots=True)
class Undoing:
    """The run to take back, how many writes it made by kind, and whether an earlier rollback of it broke off.

    ``erased`` counts further writes, for people who are forgotten.
    """

    record: RunRecord
    writes: tuple[tuple[str, int], ...]
    continues: bool
    erased: int = 0


def find_run(store: Store, run_id: str) -> RunRecord:
    """The run with this id, a unique beginning of it, or ``latest``; `ConfigurationError` where there is none."""
    records = store.read_runs()
    if not records:
        raise ConfigurationError(NO_RUN)
    if run_id == LATEST:
        return records[0]
    exact = [record for record in records if record.run_id == run_id]
    found = exact or [record for record in records if len(run_id) >= 6 and record.run_id.startswith(run_id)]
    if len(found) > 1:
        raise ConfigurationError(f"several runs begin with {run_id}; take a whole id from openphone-sync runs list")
    if not found:
        raise ConfigurationError(f"no run has the id {run_id}; take one from openphone-sync runs list")
    return found[0]


def find_undoing(store: Store, run_id: str) -> Undoing:
    """What ``rollback RUN`` would take back. ``latest`` is the latest sync that wrote something.

    `ConfigurationError` where there is nothing to undo, or it is undone already; never another run in its place.
    """
    records = store.read_runs()
    if run_id == LATEST:
        written = (one for one in records if one.command == "sync" and store.count_writes(one.run_id))
        record = next(written, None)
        if record is None:
            raise ConfigurationError("no sync has written anything; there is nothing to undo")
    else:
        record = find_run(store, run_id)
    if record.command == "rollback":
        raise ConfigurationError(
            f"{record.run_id} is a rollback; release what it undid with openphone-sync review separate --all --evidence rollback"
        )
    writes, erased = store.count_writes(record.run_id), store.count_erased(record.run_id)
    if not writes and erased:
        raise ConfigurationError(
            f"run {record.run_id} wrote only for people who are forgotten since; there is nothing left to undo"
        )
    if not writes:
        raise ConfigurationError(f"run {record.run_id} wrote nothing; there is nothing to undo")
    earlier = [one for one in records if one.undoes == record.run_id]
    if any(one.status in _UNDONE for one in earlier):
        raise ConfigurationError(
            f"run {record.run_id} is undone already; name an earlier run of openphone-sync runs list to undo that"
        )
    return Undoing(record, tuple(sorted(writes.items())), bool(earlier), erased)


def plan_rollback(record: RunRecord, context: Context) -> Planned:
    """The plan that undoes a run's writes, as the journal has them by now; nothing is written."""
    identity = Identity(context.store, context.key_mark)
    identity.check_workspace(context.workspace)
    mapping = load_mapping(context.settings.mapping_file)
    fields = make_field_map(context.workspace.read_field_definitions(), context.settings.custom_field_keys, mapping)
    rules = make_rules(context.settings, fields, SyncOptions())
    journal = context.store.read_journal(record.run_id)
    entries = find_undoable(journal)
    remote = Remote()
    ids = [entry.contact_id for entry in entries if entry.contact_id]
    read_missing(remote, ids, context.workspace, context.workers, context.progress, context.stopping)
    links = context.store.read_links(sorted({entry.client_id for entry in entries}))
    actions = make_undo_actions(entries, remote.contacts, links, rules.merging)
    plan = Plan(
        actions=actions,
        warnings=(
            *_warn_of_unknown(journal),
            *_warn_of_kept(actions),
            *_warn_of_forgotten(context.store.count_erased(record.run_id)),
        ),
        linked_before=context.store.count_linked(),
        complete=False,
    )
    return Planned(plan, rules, identity)


def _warn_of_unknown(journal: Iterable[JournalEntry]) -> Iterator[str]:
    """Writes that a run left open when it died. A dry run recovers none, and not all can be recovered."""
    for entry in journal:
        if entry.result is None:
            yield (
                f"{entry.external_id}: its {entry.kind} was left open, so it is not shown; "
                "run rollback without --dry-run, which recovers it first"
            )
        elif entry.result is Result.UNFINISHED and entry.message == RECOVERED and entry.kind is not ActionKind.DELETE:
            yield f"{entry.external_id}: it is not known whether its {entry.kind} was carried out; check it in the app"


def _warn_of_forgotten(count: int) -> Iterator[str]:
    if count:
        yield f"not undone: {describe_erased(count)}; look at their contacts in the app"


def describe_erased(count: int) -> str:
    """How many writes of a run were for people who are forgotten since."""
    return "1 write for a person forgotten since" if count == 1 else f"{count} writes for people forgotten since"


def _warn_of_kept(actions: Sequence[Action]) -> list[str]:
    kept = [
        (action.link.external_id, conflict.field)
        for action in actions
        if isinstance(action, Restore)
        for conflict in action.preview.conflicts
    ]
    return [
        f"{external_id}: {field} was changed since and is left alone; change it in the app if it should go back"
        for external_id, field in kept
    ]
