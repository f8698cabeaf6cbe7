"""From the source and the workspace to what a plan is made of; nothing is written on the way.

`gather` does all reading, `rules.planning.make_plan` none. Only where something has to be created is the workspace
listed; a contact that is updated is read at its turn (`run.write`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

from openphone_sync.config import Settings, load_mapping
from openphone_sync.errors import ConfigurationError, StaleError
from openphone_sync.model import (
    Choice,
    ClientRow,
    Decision,
    DesiredContact,
    Failure,
    FieldType,
    Gone,
    KnownClient,
    Link,
    Reason,
    Skipped,
    Standing,
    Update,
    Why,
)
from openphone_sync.ports import ClientSource
from openphone_sync.rules.custom_fields import FieldMap, make_field_map
from openphone_sync.rules.mapping import MappingRules, make_external_id, make_settings_digest, map_client
from openphone_sync.rules.matching import MatchingRules, find_referred_clients
from openphone_sync.rules.merging import MergeRules
from openphone_sync.rules.phones import normalise_phone
from openphone_sync.rules.planning import (
    Gathered,
    Plan,
    Rules,
    Unchanged,
    choose_deletions,
    find_orphans,
    make_plan,
    needs_listing,
)
from openphone_sync.run.context import Context, SyncOptions, keep_trying
from openphone_sync.run.identity import Identity, check_not_lost
from openphone_sync.run.read import Reading, Remote, list_workspace, read_missing, read_source
from openphone_sync.views.words import describe_warning

FACT_LAST_FULL = "last_full"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and how it came about. ``full``: every row was in play; ``gathered`` is what it was made of.

    ``rows`` are those in play and ``held`` unmoved ones with held contacts, for another round.
    """

    plan: Plan
    rules: Rules
    identity: Identity
    gathered: Gathered = field(default_factory=Gathered)
    rows: tuple[ClientRow, ...] = ()
    held: tuple[ClientRow, ...] = ()
    fields: FieldMap = field(default_factory=FieldMap)
    full: bool = False


def plan_sync(options: SyncOptions, context: Context, deadline_s: float) -> Planned:
    """Read both sides and decide. Raises what stops a run before its first write, the safety stop apart.

    Until the monotonic second ``deadline_s`` it keeps trying to reach them.
    """
    return _Gathering(options, context, deadline_s).plan()


def plan_again(planned: Planned, gone: Sequence[Gone], options: SyncOptions, context: Context) -> Planned:
    """Another round for the clients whose contacts turned out to be deleted, and, since it lists, for held ones."""
    store, before = context.store, planned.gathered
    clients = {outcome.action.link.client_id for outcome in gone}
    remote = Remote(gone={*before.gone, *(outcome.action.contact_id for outcome in gone)})
    list_workspace(context.workspace, context.progress, remote)
    rows = [row for row in planned.rows if row.client_id in clients] + list(planned.held)
    unmoved = {row.client_id for row in rows} - clients
    in_play = map_rows(rows, unmoved, planned.fields, context)
    linked = [link.contact_id for link in in_play.links.values() if link.contact_id]
    read_missing(remote, linked, context.workspace, context.workers, context.progress, context.stopping)
    gathered = Gathered(
        wanted=tuple(in_play.desired),
        skipped=tuple(in_play.skipped),
        rolled_back=tuple(in_play.rolled_back),
        links=in_play.links,
        owners=store.read_owners(),
        decisions=tuple(store.read_decisions({desired.client_id for desired in in_play.desired})),
        refused=store.read_refused(),
        contacts=remote.contacts,
        gone=frozenset(remote.gone),
        listed=True,
        full=before.full,
        complete=False,
        fingerprints={key: mark for key, mark in before.fingerprints.items() if key in clients},
        linked_before=before.linked_before,
        known_clients=before.known_clients,
    )
    found = find_in_source(gathered, context, complete=options.complete)
    gathered = replace(gathered, in_source=before.in_source | found)
    rules = replace(planned.rules, deletes=False)
    return replace(planned, plan=make_plan(gathered, rules), rules=rules, gathered=gathered, held=())


def make_merge_rules(settings: Settings, fields: FieldMap, *, rewrite_midnight: bool = False) -> MergeRules:
    """The merge policies of the settings."""
    known = fields.definitions
    return MergeRules(
        normalise_phone=lambda text: normalise_phone(text, settings.region),
        overwrite_edits=settings.on_remote_edit == "overwrite",
        source_wins=settings.on_conflict == "source",
        field_names={definition.key: definition.name for definition in known},
        date_keys=frozenset(one.key for one in known if one.kind == FieldType.DATE) if known else None,
        rewrite_midnight=rewrite_midnight,
    )


def make_rules(settings: Settings, fields: FieldMap, options: SyncOptions) -> Rules:
    """The rules of this run."""
    matching = MatchingRules(
        source=settings.source,
        threshold=settings.name_threshold,
        on_possible_duplicate=settings.on_possible_duplicate,
        birth_field=fields.birth_key,
        person_field=fields.person_key,
    )
    merging = make_merge_rules(settings, fields, rewrite_midnight=options.full and options.force)
    return Rules(matching, merging, deletes=settings.on_removed == "delete" and options.complete)


def make_row_digest(settings: Settings) -> bytes:
    """Settings that change what a row becomes or whom it matches.

    The built-in mapping is covered by its version: rows are not looked at again only because it became a file.
    """
    mapping = replace(load_mapping(settings.mapping_file), optional=())
    own = () if mapping == replace(load_mapping(None), optional=()) else (mapping,)
    return make_settings_digest(
        settings.source,
        settings.region,
        sorted(settings.custom_field_keys.items()),
        settings.name_threshold,
        settings.on_possible_duplicate,
        *own,
    )


def make_settings_mark(settings: Settings) -> str:
    """Recognises the settings that decide what a plan says."""
    policies = (settings.on_remote_edit, settings.on_conflict, settings.on_removed)
    return make_settings_digest(make_row_digest(settings), policies).hex()


@dataclass(slots=True)
class InPlay:
    """The clients that are looked at closer: their rows as mapped, and their links."""

    desired: list[DesiredContact] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    rolled_back: list[Link] = field(default_factory=list)
    links: dict[str, Link] = field(default_factory=dict)


def map_rows(rows: Iterable[ClientRow], unmoved: Container[str], fields: FieldMap, context: Context) -> InPlay:
    """The clients in play as they are wanted. What goes wrong with a row fails that client, never the run.

    What a rollback took back stays as it is while the row is ``unmoved``.
    """
    rows = list(rows)
    rules = MappingRules(context.settings.region, load_mapping(context.settings.mapping_file), fields)
    in_play = InPlay(links=context.store.read_links(row.client_id for row in rows))
    for link in in_play.links.values():
        if link.standing is Standing.REVERTED and link.client_id in unmoved:
            in_play.rolled_back.append(link)
    untouched = {link.external_id for link in in_play.rolled_back}
    for row in rows:
        context.learn_row(row.document)
        try:
            wanted = map_client(row, rules)
        except Exception:  # a bug, or a row like no other: the other clients are synchronised all the same
            logging.getLogger(__name__).exception("client %s cannot be mapped", row.client_id)
            message = "its row cannot be understood (a bug); look into the log, and report it"
            in_play.failures.append(Failure(f"client_{row.client_id}", row.client_id, message))
            in_play.links = {key: link for key, link in in_play.links.items() if link.client_id != row.client_id}
            continue
        for contact in wanted:
            if contact.external_id in untouched:
                continue
            if isinstance(contact, DesiredContact):
                in_play.desired.append(contact)
            else:
                in_play.skipped.append(contact)
    return in_play


def _describe_warnings(desired: Iterable[DesiredContact]) -> Iterator[str]:
    return (describe_warning(contact.external_id, warning) for contact in desired for warning in contact.warnings)


class _Gathering:
    """All reading for one plan."""

    def __init__(self, options: SyncOptions, context: Context, deadline_s: float) -> None:
        self._options = options
        self._context = context
        self._settings = context.settings
        self._mapping = load_mapping(context.settings.mapping_file)
        self._store = context.store
        self._deadline_s = deadline_s
        self._identity = Identity(context.store, context.key_mark, accept_source=options.accept_source)
        self._full = options.full or self._full_is_due()

    def plan(self) -> Planned:
        """Read the source, then as much of OpenPhone as it takes."""
        context = self._context
        check_not_lost(self._store, self._settings.state_dir)
        self._try(lambda: self._identity.check_workspace(context.workspace))
        reading = self._try(self._read_source)
        rules = make_rules(self._settings, FieldMap(), self._options)
        remote, in_play, fields = Remote(), InPlay(), FieldMap()
        if self._identity.source_moved:
            self._check_content(reading)
        orphans = self._read_orphans()
        if reading.moved or reading.removed or (rules.deletes and choose_deletions(orphans, self._find_reviewed())):
            definitions = self._try(context.workspace.read_field_definitions)
            fields = make_field_map(definitions, self._settings.custom_field_keys, self._mapping)
            rules = make_rules(self._settings, fields, self._options)
            in_play = map_rows(reading.moved, reading.unmoved, fields, self._context)
            # A held contact may be the person of a row that is gone.
            listing = self._full or bool(reading.removed and reading.held)
            if listing or needs_listing(self._gather(reading, in_play, orphans, remote, fields), rules):
                if reading.held:
                    reading.judge_held()
                    in_play = map_rows(reading.moved, reading.unmoved, fields, self._context)
                self._try(lambda: list_workspace(context.workspace, context.progress, remote))
                known = (*in_play.links.values(), *orphans)  # a listing can miss one that moved to another page
                self._read(remote, (link.contact_id for link in known))
        held = tuple(row for row, _ in reading.held)
        gathered = self._gather(reading, in_play, orphans, remote, fields)
        gathered = self._read_for_deletions(gathered, remote, rules)
        plan = make_plan(gathered, rules)
        if self._options.reads_ahead and not remote.listed:
            self._read(remote, (action.contact_id for action in plan.actions if isinstance(action, Update)))
            gathered = replace(gathered, contacts=remote.contacts, gone=frozenset(remote.gone))
            plan = make_plan(gathered, rules)
        return Planned(plan, rules, self._identity, gathered, tuple(reading.moved), held, fields, self._full)

    def _try(self, call: Callable[[], _T]) -> _T:
        return keep_trying(call, self._context, self._deadline_s)

    def _read(self, remote: Remote, contact_ids: Iterable[str | None]) -> None:
        context = self._context
        wanted = [contact_id for contact_id in contact_ids if contact_id]
        read_missing(remote, wanted, context.workspace, context.workers, context.progress, context.stopping)

    # --- the source --------------------------------------------------------------------------------------------------

    def _full_is_due(self) -> bool:
        last, every_s = self._store.read_fact(FACT_LAST_FULL), self._settings.full_every_s
        due = last is not None and every_s > 0 and self._context.clock.now() - float(last) > every_s
        return due and self._options.complete

    def _read_source(self) -> Reading:
        with closing(self._context.open_source()) as source:
            self._identity.look_at_source(source)
            reading = self._read_rows(source)
            if not reading.read and self._options.complete and source.hides_rows():
                self._refuse_hidden_rows()
        return reading

    def _read_rows(self, source: ClientSource) -> Reading:
        options, progress = self._options, self._context.progress
        progress.start("reading clients", None)
        if options.client_ids:
            found = (source.read_client(key) for key in sorted(set(options.client_ids)))
            rows: Iterable[ClientRow] = (row for row in found if row is not None)
        else:
            rows = source.read_clients(client_type=options.client_type, limit=options.limit, learns=False)
        reading = read_source(
            self._until_stopped(rows),
            self._known_clients(),
            make_row_digest(self._settings),
            everything=self._full or bool(options.client_ids),
            complete=options.complete,
            is_forgotten=self._store.make_forgotten_test(),
        )
        progress.finish()
        return reading

    def _known_clients(self) -> Iterable[KnownClient]:
        known = self._store.read_clients()
        wanted = set(self._options.client_ids)
        return (client for client in known if client.client_id in wanted) if wanted else known

    def _until_stopped(self, rows: Iterable[ClientRow]) -> Iterator[ClientRow]:
        """Asks once in a hundred rows: asking costs as much as hashing a row."""
        beside = iter(rows)
        self._context.check_going()
        while block := tuple(islice(beside, 100)):
            yield from block
            self._context.check_going()
            self._context.progress.advance(len(block))

    def _refuse_hidden_rows(self) -> None:
        message = (
            "row-level security hides every client from the database role; give it a SELECT policy on the client table,"
            " or connect as a role with BYPASSRLS"
        )
        raise StaleError(message) if self._store.count_linked() else ConfigurationError(message)

    def _check_content(self, reading: Reading) -> None:
        """Whether the rows of another place are those that the state knows, by ids and by what they map to."""
        definitions = self._try(self._context.workspace.read_field_definitions)
        fields = make_field_map(definitions, self._settings.custom_field_keys, self._mapping)
        in_play = map_rows(reading.moved, reading.unmoved, fields, self._context)
        moved = [
            desired.values == link.base.values
            for desired in in_play.desired
            if (link := in_play.links.get(desired.external_id)) and link.base and not desired.slot
        ]
        unmoved = reading.read - reading.changed - len(reading.forgotten)
        present = reading.known - len(reading.removed)
        said = self._identity.check_content(reading.known, present, unmoved + len(moved), unmoved + sum(moved))
        if said:
            self._context.warnings.append(said)

    # --- what planning needs -----------------------------------------------------------------------------------------

    def _gather(
        self, reading: Reading, in_play: InPlay, orphans: Sequence[Link], remote: Remote, fields: FieldMap
    ) -> Gathered:
        store = self._store
        links = {**in_play.links, **store.read_links(reading.removed), **{one.external_id: one for one in orphans}}
        owners = (
            store.read_owners() if remote.listed else {key: one for one in links.values() if (key := one.contact_id)}
        )
        gathered = Gathered(
            wanted=tuple(in_play.desired),
            skipped=tuple(in_play.skipped),
            failures=tuple(in_play.failures),
            rolled_back=tuple(in_play.rolled_back),
            links=links,
            owners=owners,
            decisions=tuple(store.read_decisions({desired.client_id for desired in in_play.desired})),
            refused=store.read_refused(),
            contacts=remote.contacts,
            gone=frozenset(remote.gone),
            listed=remote.listed,
            full=self._full,
            complete=self._options.complete,
            clients=reading.tally,
            unchanged=self._read_unchanged(reading.unread, reading.linked_unread, reading.forgotten),
            deferred=self._read_unchanged(
                [row.client_id for row, _ in reading.held], sum(client.linked for _, client in reading.held)
            ),
            fingerprints=self._fingerprints(reading, in_play),
            removed=tuple(reading.removed),
            missing_columns=self._identity.missing_columns(),
            linked_before=store.count_linked(),
            known_clients=reading.known,
            warnings=(*fields.warnings, *_describe_warnings(in_play.desired)),
        )
        found = find_in_source(gathered, self._context, complete=self._options.complete)
        present = found | frozenset(reading.fingerprints) | frozenset(reading.forgotten)
        return replace(gathered, in_source=present - reading.absent)

    def _fingerprints(self, reading: Reading, in_play: InPlay) -> dict[str, bytes]:
        failed = {failure.client_id for failure in in_play.failures}
        return {key: mark for key, mark in reading.fingerprints.items() if key not in failed}

    def _read_unchanged(self, client_ids: Iterable[str], linked: int, forgotten: Sequence[str] = ()) -> Unchanged:
        """The contacts of unmoved clients: how many are linked, and which are skipped or held and why.

        Of ``forgotten`` clients nothing is known but that they are skipped.
        """
        why = Why(Reason.FORGOTTEN)
        nobody = [Link(make_external_id(one, 0), one, 0, Standing.SKIPPED, why=why) for one in forgotten]
        links = [link for _, link in sorted(self._store.read_links(client_ids).items())]
        held = tuple(link for link in links if link.standing in (Standing.HELD, Standing.REVERTED))
        return Unchanged(
            linked=linked,
            skipped=(*nobody, *(link for link in links if link.standing in (Standing.SKIPPED, Standing.DECLINED))),
            held=held,
            evidence=self._store.read_candidates(link.external_id for link in held),
        )

    # --- deletions ---------------------------------------------------------------------------------------------------

    def _read_orphans(self) -> list[Link]:
        return [link for link in self._store.read_links_standing(Standing.ORPHANED) if link.contact_id]

    def _read_for_deletions(self, gathered: Gathered, remote: Remote, rules: Rules) -> Gathered:
        """The contacts that may be deleted, as they are now."""
        if not rules.deletes:
            return gathered
        reviewed = self._find_reviewed()
        plan = make_plan(replace(gathered, reviewed=reviewed), replace(rules, deletes=False))
        orphans, _ = find_orphans(gathered.links.values(), plan.actions, gathered.gone)
        self._read(remote, (link.contact_id for link in choose_deletions(orphans, reviewed)))
        return replace(gathered, reviewed=reviewed, contacts=remote.contacts, gone=frozenset(remote.gone))

    def _find_reviewed(self) -> frozenset[str]:
        """Contact ids and external ids that a review offers, or was told are somebody who is still wanted.

        A review that this run closes counts until the next one.
        """
        waiting = self._store.read_links_standing(Standing.HELD, Standing.SKIPPED)
        candidates = self._store.read_candidates(sorted(link.external_id for link in waiting))
        offered = {candidate.subject for found in candidates.values() for candidate in found}
        decisions: list[Decision] = self._store.read_decisions({link.client_id for link in waiting})
        return frozenset(offered | {one.candidate for one in decisions if one.choice is Choice.LINK})


def find_in_source(gathered: Gathered, context: Context, *, complete: bool) -> frozenset[str]:
    """Clients still in the source, of those that matching will ask about; one query.

    What a complete read missed is gone, also a client that the state never knew: it left before the state was lost.
    """
    source, unchanged = context.settings.source, gathered.unchanged
    links = (*gathered.owners.values(), *unchanged.skipped, *unchanged.held)
    named = find_referred_clients(gathered.contacts.values(), links, gathered.decisions, source)
    present, removed = context.store.find_clients(sorted(named))
    return present if complete else frozenset(named) - removed
