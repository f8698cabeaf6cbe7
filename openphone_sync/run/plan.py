"""From the source and the workspace to a plan; nothing is written on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from openphone_sync.config import Settings
from openphone_sync.errors import (
    ConfigurationError,
    InterruptedRunError,
    WorldMovedError,
)
from openphone_sync.model import (
    Action,
    ActionKind,
    Choice,
    ClientRow,
    DesiredContact,
    FieldType,
    Link,
    Reason,
    Skipped,
    Standing,
    Verdict,
    Wanted,
)
from openphone_sync.ports import ClientSource
from openphone_sync.rules.mapping import FieldMap, MappingRules, make_field_map, make_settings_digest, map_client
from openphone_sync.rules.matching.passes import Knowledge, Matches, MatchingRules, RemoteIndex, match_contacts
from openphone_sync.rules.merging import MergeRules
from openphone_sync.rules.phones import normalise_phone
from openphone_sync.rules.planning import (
    NOT_OURS,
    Plan,
    PlanningRules,
    count_losses,
    find_leavers,
    make_actions,
    make_deletions,
    make_relinks,
    make_reverted_actions,
    make_settled_actions,
    mark_foreign,
)
from openphone_sync.run.context import Parts, SyncOptions
from openphone_sync.run.identity import World
from openphone_sync.run.read import (
    Reading,
    Remote,
    is_reverted,
    is_settled,
    list_workspace,
    needs_listing,
    read_missing,
    read_resting,
    read_source,
)
from openphone_sync.run.waiting import keep_trying

FACT_LAST_FULL = "last_full"

_CREATING = frozenset({Verdict.CREATE, Verdict.RECREATE})
_NOTES = {
    Reason.NUMBERS_KEPT: "no usable phone in the source, so the contact's numbers stay; fix it in the client table"
}
"""What is said of a contact that is written in an unusual way."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Decided:
    """A plan and how it came about: ``full`` if every row was looked at, ``listed`` if the whole workspace was.

    ``merging`` are the rules that it was made with; acting merges by them where a contact was changed meanwhile.
    """

    plan: Plan
    world: World
    merging: MergeRules
    full: bool
    listed: bool


def decide(options: SyncOptions, parts: Parts, run_id: str, deadline_s: float) -> Decided:
    """Read both sides and decide. Raises what stops a run before its first write, the safety stop apart.

    Until the monotonic second ``deadline_s`` it keeps trying to reach them.
    """
    return _Deciding(options, parts, run_id, deadline_s).decide()


def make_merge_rules(settings: Settings, fields: FieldMap) -> MergeRules:
    """The merge policies of the settings."""
    known = fields.definitions
    return MergeRules(
        normalise_phone=lambda text: normalise_phone(text, settings.region),
        overwrite_edits=settings.on_remote_edit == "overwrite",
        source_wins=settings.on_conflict == "source",
        field_names={one.key: one.name for one in known},
        date_keys=frozenset(one.key for one in known if one.kind == FieldType.DATE) if known else None,
    )


def make_settings_mark(settings: Settings) -> str:
    """Recognises the settings that decide what a plan says."""
    policies = (settings.on_remote_edit, settings.on_conflict, settings.on_removed)
    return make_settings_digest(make_row_digest(settings), policies).hex()


class _Deciding:
    """One plan in the making."""

    def __init__(self, options: SyncOptions, parts: Parts, run_id: str, deadline_s: float) -> None:
        self._options = options
        self._parts = parts
        self._settings = parts.settings
        self._store = parts.store
        self._run_id = run_id
        self._deadline_s = deadline_s
        self._world = World(parts.store, parts.key_mark)
        self._merging = make_merge_rules(parts.settings, FieldMap())
        self._full = options.full or self._full_is_due()
        self._deleting = self._settings.on_removed == "delete" and options.complete

    def decide(self) -> Decided:
        self._patiently(lambda: self._world.check_workspace(self._parts.workspace))
        reading = self._patiently(self._read_source)
        remote = Remote()
        if reading.moved or reading.removed or self._has_old_orphans_to_delete():
            plan, remote = self._look_closer(reading)
        else:
            reading.rest_held()
            plan = self._plan(_Look(), reading, remote)
        return Decided(plan, self._world, self._merging, self._full, remote.complete)

    # --- the source --------------------------------------------------------------------------------------------------

    def _read_source(self) -> Reading:
        source = self._parts.open_source()
        try:
            self._world.check_source(source)
            reading = self._read_rows(source)
            if not reading.read and self._options.complete and source.hides_rows():
                self._refuse_hidden_rows()
        finally:
            source.close()
        return reading

    def _read_rows(self, source: ClientSource) -> Reading:
        self._parts.progress.start("reading clients", None)
        reading = read_source(
            self._watched(source.read_clients(client_type=self._options.client_type, limit=self._options.limit)),
            self._store.read_clients(),
            make_row_digest(self._settings),
            everything=self._full,
            complete=self._options.complete,
        )
        self._parts.progress.finish()
        return reading

    def _watched(self, rows: Iterable[ClientRow]) -> Iterable[ClientRow]:
        for row in rows:
            if self._parts.stopping():
                raise InterruptedRunError(self._parts.signal_number())
            self._parts.progress.advance()
            yield row

    def _refuse_hidden_rows(self) -> None:
        message = (
            "row-level security hides every client from the database role; give it a SELECT policy on the client table,"
            " or connect as a role with BYPASSRLS"
        )
        raise WorldMovedError(message) if self._store.count_linked() else ConfigurationError(message)

    def _full_is_due(self) -> bool:
        last, every = self._store.read_fact(FACT_LAST_FULL), self._settings.full_every_s
        due = last is not None and every > 0 and self._parts.clock.now() - float(last) > every
        return due and self._options.complete

    def _patiently(self, call: Callable[[], _T]) -> _T:
        return keep_trying(call, self._parts, self._deadline_s)

    # --- the workspace -----------------------------------------------------------------------------------------------

    def _look_closer(self, reading: Reading) -> tuple[Plan, Remote]:
        definitions = self._patiently(self._parts.workspace.read_field_definitions)
        fields = make_field_map(definitions, self._settings.custom_field_keys)
        self._merging = make_merge_rules(self._settings, fields)
        look, remote = self._map(reading, fields), Remote()
        # A held contact may be the person of a row that is gone.
        listing = self._full or bool(reading.removed and reading.held) or needs_listing(look.desired, look.links)
        if not listing:
            self._match(look, reading, remote)
            listing = look.creates()
        if listing:
            if reading.held:
                reading.wake_held()
                look = self._map(reading, fields)
            remote = self._list(remote.gone)
            self._match(look, reading, remote)
        reading.rest_held()
        return self._plan(look, reading, remote), remote

    def _list(self, gone: set[str]) -> Remote:
        """The whole workspace; what was found gone stays so, whatever the list shows."""
        remote = list_workspace(self._parts.workspace, self._parts.progress)
        remote.gone = gone
        return remote

    def _map(self, reading: Reading, fields: FieldMap) -> _Look:
        rules = MappingRules(self._settings.region, fields)
        wanted = [contact for row in reading.moved for contact in map_client(row, rules)]
        links = self._store.read_links(row.client_id for row in reading.moved)
        return _Look(fields, wanted, links, reading.unmoved)

    def _match(self, look: _Look, reading: Reading, remote: Remote) -> None:
        """Match what is not settled, or everything where the whole workspace is there; reads what that takes."""
        look.open = look.desired if remote.complete else look.unsettled()
        for contact_id in look.doubtful():
            remote.contacts.pop(contact_id, None)
        read_missing(remote, look.contacts_to_read(), self._parts.workspace, self._parts.progress, self._parts.stopping)
        look.owners = self._store.read_owners() if remote.complete else look.owners_known()
        look.matches = self._match_against(look, reading, remote)

    def _match_against(self, look: _Look, reading: Reading, remote: Remote) -> Matches:
        settings, store = self._settings, self._store
        index = RemoteIndex(
            (one for one in remote.contacts.values() if one.contact_id not in remote.gone),
            lambda text: normalise_phone(text, settings.region),
            complete=remote.complete,
        )
        knowledge = Knowledge(
            links=look.links_in_play(),
            owners=look.owners,
            living=partial(self._is_living, reading),
            decisions=store.read_decisions(),
            read_only=store.read_read_only(),
            gone=frozenset(remote.gone),
        )
        rules = MatchingRules(
            source=settings.source,
            threshold=settings.name_threshold,
            on_possible_duplicate=settings.on_possible_duplicate,
            birth_field=look.fields.key_of("DATE_OF_BIRTH"),
            person_field=look.fields.key_of("CONTACT_PERSON_NAME"),
        )
        return match_contacts(look.open, index, knowledge, rules)

    def _is_living(self, reading: Reading, client_id: str) -> bool:
        """Whether the source has the client. One that a complete read misses left before the state was lost."""
        if client_id in reading.absent:
            return False
        known = client_id in reading.fingerprints or bool(self._store.read_links([client_id]))
        return known or not self._options.complete

    # --- the plan ----------------------------------------------------------------------------------------------------

    def _plan(self, look: _Look, reading: Reading, remote: Remote) -> Plan:
        rules = PlanningRules(
            source=self._settings.source,
            merging=self._merging,
            delete_removed=self._deleting,
            run_id=self._run_id,
        )
        actions = self._actions(look, remote, rules)
        known = {**look.links, **self._store.read_links(reading.removed)}
        known |= {link.external_id: link for link in self._read_old_orphans()}
        orphans = find_leavers(known.values(), actions, remote.gone).orphans
        leaving = self._choose_leaving(orphans, actions)
        self._read_links(orphans if remote.complete else leaving, remote)
        leavers = find_leavers(known.values(), actions, remote.gone)
        return Plan(
            actions=(*actions, *make_deletions(leaving, remote.contacts, rules)),
            clients=reading.tally,
            resting=read_resting(self._store, reading),
            fingerprints=reading.fingerprints,
            spoken_for=frozenset(look.owners) | {action.contact_id for action in actions if action.contact_id},
            relinks=(*make_relinks(actions, known, leavers.orphans), *mark_foreign(leaving, remote.contacts, rules)),
            orphans=leavers.orphans,
            removed=tuple(reading.removed),
            forgotten=leavers.forgotten,
            look_alikes=look.matches.look_alikes,
            warnings=(*look.fields.warnings, *_contact_warnings(look.desired, actions)),
            linked_before=self._store.count_linked(),
            known_clients=reading.known,
            losses=count_losses(actions, look.links, leavers.orphans),
            complete=self._options.complete,
            missing_columns=self._world.missing_columns(),
        )

    def _actions(self, look: _Look, remote: Remote, rules: PlanningRules) -> tuple[Action, ...]:
        there = (one for one in remote.contacts.values() if one.contact_id not in remote.gone)
        taken = {one.external_id for one in there if one.external_id}
        judged = {one.external_id for one in look.open}
        settled = [one for one in look.desired if one.external_id not in judged]
        actions = make_actions(look.matches, look.skipped, look.links, look.owners, taken, rules)
        both = (*actions, *make_settled_actions(settled, look.links), *make_reverted_actions(look.reverted))
        return tuple(sorted(both, key=lambda action: (action.client_id, action.slot)))

    def _has_old_orphans_to_delete(self) -> bool:
        return self._deleting and bool(self._choose_leaving(self._read_old_orphans(), ()))

    def _read_old_orphans(self) -> list[Link]:
        return [link for link in self._store.read_links_standing(Standing.ORPHANED) if link.contact_id]

    def _choose_leaving(self, orphans: Iterable[Link], actions: Sequence[Action]) -> list[Link]:
        """The orphans to delete: none is left that is somebody else's, or that a review has to do with."""
        if not self._deleting:
            return []
        reviewed = self._find_reviewed(actions)
        ours = (link for link in orphans if link.reason != NOT_OURS)
        return [link for link in ours if reviewed.isdisjoint((link.contact_id, link.external_id))]

    def _find_reviewed(self, actions: Sequence[Action]) -> set[str]:
        """Contact ids and external ids that a review offers, or was told are somebody who is still wanted.

        A review that this run closes counts until the next one.
        """
        store = self._store
        waiting = {link.external_id for link in store.read_links_standing(Standing.HELD, Standing.SKIPPED)}
        held = store.read_candidates(sorted(waiting))
        offered = [*held.values(), *(action.evidence for action in actions if action.kind is ActionKind.HOLD)]
        linked = {key for key, choice in store.read_decisions().items() if choice is Choice.LINK and key[0] in waiting}
        return {one.subject for evidence in offered for one in evidence} | {candidate for _, candidate in linked}

    def _read_links(self, links: Iterable[Link], remote: Remote) -> None:
        """The contacts of these links as they are now."""
        ids = [link.contact_id for link in links if link.contact_id]
        read_missing(remote, ids, self._parts.workspace, self._parts.progress, self._parts.stopping)


class _Look:
    """The clients that are looked at closer: what they want, their links, and what matching made of them."""

    def __init__(
        self,
        fields: FieldMap | None = None,
        wanted: Iterable[Wanted] = (),
        links: Mapping[str, Link] | None = None,
        unmoved: set[str] | None = None,
    ) -> None:
        self.fields = fields or FieldMap()
        self.links = links or {}
        self.desired: list[DesiredContact] = []
        self.skipped: list[Skipped] = []
        self.reverted = [link for link in self.links.values() if is_reverted(link, unmoved or set())]
        held = {link.external_id for link in self.reverted}
        for one in wanted:
            if one.external_id in held:
                continue
            if isinstance(one, DesiredContact):
                self.desired.append(one)
            else:
                self.skipped.append(one)
        self.open: list[DesiredContact] = []
        self.owners: Mapping[str, Link] = {}
        self.matches = Matches((), ())

    def unsettled(self) -> list[DesiredContact]:
        """Contacts that are not what was last written."""
        return [one for one in self.desired if not is_settled(one, self.links.get(one.external_id))]

    def creates(self) -> bool:
        """Whether something would have to be created, as far as matching can tell."""
        return any(pair.verdict in _CREATING for pair in self.matches.pairs if not pair.desired.unfit)

    def links_in_play(self) -> dict[str, Link]:
        """Links that an open contact may meet: those of settled siblings are spoken for."""
        clients = {one.client_id for one in self.open}
        settled = {one.external_id for one in self.desired} | {link.external_id for link in self.reverted}
        settled -= {one.external_id for one in self.open}
        return {key: link for key, link in self.links.items() if link.client_id in clients and key not in settled}

    def contacts_to_read(self) -> list[str]:
        """Linked contacts that must be known to match the open ones."""
        return [link.contact_id for link in self.links_in_play().values() if link.contact_id]

    def doubtful(self) -> list[str]:
        """Contacts whose last write failed: they are read themselves, since lists can show what answers 404."""
        return [one.contact_id for one in self.links.values() if one.contact_id and one.standing is Standing.PENDING]

    def owners_known(self) -> dict[str, Link]:
        """Links by contact id, of these clients alone."""
        return {link.contact_id: link for link in self.links.values() if link.contact_id}


def _contact_warnings(desired: Iterable[DesiredContact], actions: Iterable[Action]) -> list[str]:
    found = [warning for one in desired for warning in one.warnings]
    return found + [
        f"{action.external_id}: {_NOTES[note.reason]}"
        for action in actions
        for note in (action.merged.notes if action.merged else ())
    ]


def make_row_digest(settings: Settings) -> bytes:
    """Settings that change what a row becomes or whom it matches."""
    return make_settings_digest(
        settings.source,
        settings.region,
        sorted(settings.custom_field_keys.items()),
        settings.name_threshold,
        settings.on_possible_duplicate,
    )
