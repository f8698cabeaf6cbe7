"""From the source and the workspace to a plan; nothing is written on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from openphone_sync.config import Settings
from openphone_sync.errors import (
    ConfigurationError,
    InterruptedRunError,
    WorldMovedError,
)
from openphone_sync.mapping import FieldMap, MappingRules, make_field_map, make_settings_digest, map_client
from openphone_sync.matching import Knowledge, Matches, MatchingRules, RemoteIndex, match_contacts
from openphone_sync.merging import MergeRules
from openphone_sync.model import (
    Action,
    ClientRow,
    DesiredContact,
    Link,
    RemoteContact,
    Skipped,
    Standing,
    Verdict,
    Wanted,
)
from openphone_sync.phones import normalise_phone
from openphone_sync.planning import (
    Leavers,
    Plan,
    PlanningRules,
    find_leavers,
    make_actions,
    make_deletions,
    make_relinks,
    make_reverted_actions,
    make_settled_actions,
)
from openphone_sync.ports import ClientSource
from openphone_sync.workflows.gathering import (
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
from openphone_sync.workflows.parts import Parts, SyncOptions
from openphone_sync.workflows.patience import keep_trying
from openphone_sync.workflows.world import World

FACT_LAST_FULL = "last_full"

_CREATING = frozenset({Verdict.CREATE, Verdict.RECREATE})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Decided:
    """A plan and how it came about: ``full`` if every row was looked at, ``listed`` if the whole workspace was."""

    plan: Plan
    world: World
    full: bool
    listed: bool


def decide(options: SyncOptions, parts: Parts, run_id: str) -> Decided:
    """Read both sides and decide. Raises what stops a run before its first write, the safety stop apart."""
    return _Deciding(options, parts, run_id).decide()


def make_merge_rules(settings: Settings, fields: FieldMap) -> MergeRules:
    """The merge policies of the settings."""
    return MergeRules(
        normalise_phone=lambda text: normalise_phone(text, settings.region),
        overwrite_edits=settings.on_remote_edit == "overwrite",
        source_wins=settings.on_conflict == "source",
        field_names={one.key: one.name for one in fields.definitions},
    )


def make_settings_mark(settings: Settings) -> str:
    """Recognises the settings that decide what a plan says."""
    policies = (settings.on_remote_edit, settings.on_conflict, settings.on_removed)
    return make_settings_digest(make_row_digest(settings), policies).hex()


class _Deciding:
    """One plan in the making."""

    def __init__(self, options: SyncOptions, parts: Parts, run_id: str) -> None:
        self._options = options
        self._parts = parts
        self._settings = parts.settings
        self._store = parts.store
        self._run_id = run_id
        self._deadline_s = parts.clock.monotonic() + options.wait_s
        self._world = World(parts.store, parts.key_mark)
        self._full = options.full or self._full_is_due()
        self._deleting = self._settings.on_removed == "delete" and options.complete

    def decide(self) -> Decided:
        self._patiently(lambda: self._world.check_workspace(self._parts.workspace))
        reading = self._patiently(self._read_source)
        remote = Remote()
        if reading.moved or reading.removed or self._old_orphans_to_delete():
            plan, remote = self._look_closer(reading)
        else:
            reading.rest_held()
            plan = self._plan(_Look(), reading, remote)
        return Decided(plan, self._world, self._full, remote.complete)

    # --- the source --------------------------------------------------------------------------------------------------

    def _read_source(self) -> Reading:
        source = self._parts.open_source()
        try:
            self._world.check_source(source.identity(), source.columns())
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
        look = self._map(reading, fields)
        remote = Remote()
        if self._full or needs_listing(look.desired, look.links):
            if reading.held:
                reading.wake_held()
                look = self._map(reading, fields)
            remote = list_workspace(self._parts.workspace, self._parts.progress)
        reading.rest_held()
        remote = self._match(look, reading, remote)
        return self._plan(look, reading, remote), remote

    def _map(self, reading: Reading, fields: FieldMap) -> _Look:
        rules = MappingRules(self._settings.region, fields)
        wanted = [contact for row in reading.moved for contact in map_client(row, rules)]
        links = self._store.read_links(row.client_id for row in reading.moved)
        return _Look(fields, wanted, links, reading.unmoved)

    def _match(self, look: _Look, reading: Reading, remote: Remote) -> Remote:
        """Match what is not settled. Where that turns out to need the whole workspace, list it and match again."""
        look.open = look.desired if remote.complete else look.unsettled()
        for contact_id in look.doubtful():
            remote.contacts.pop(contact_id, None)
        read_missing(remote, look.contacts_to_read(), self._parts.workspace, self._parts.progress, self._parts.stopping)
        look.owners = self._store.read_owners() if remote.complete else look.owners_known()
        look.matches = self._match_against(look, reading, remote)
        if remote.complete or not any(
            pair.verdict in _CREATING for pair in look.matches.pairs if not pair.desired.unfit
        ):
            return remote
        listed = list_workspace(self._parts.workspace, self._parts.progress)
        listed.gone = remote.gone
        return self._match(look, reading, listed)

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
            living=lambda client_id: client_id not in reading.absent,
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

    # --- the plan ----------------------------------------------------------------------------------------------------

    def _plan(self, look: _Look, reading: Reading, remote: Remote) -> Plan:
        rules = PlanningRules(
            source=self._settings.source,
            merging=make_merge_rules(self._settings, look.fields),
            delete_removed=self._deleting,
            run_id=self._run_id,
        )
        actions = self._actions(look, remote, rules)
        gone_links = self._store.read_links(reading.removed)
        there = (one for one in (*look.links.values(), *gone_links.values()) if one.contact_id not in remote.gone)
        leavers = find_leavers(there, actions)
        orphans = self._all_orphans(leavers, actions)
        deletions = make_deletions(orphans, self._read_orphans(orphans, remote), rules)
        return Plan(
            actions=(*actions, *deletions),
            clients=reading.tally,
            resting=read_resting(self._store, reading),
            fingerprints=reading.fingerprints,
            spoken_for=frozenset(look.owners) | {action.contact_id for action in actions if action.contact_id},
            relinks=make_relinks(actions, {**look.links, **gone_links}, leavers.orphans),
            orphans=orphans,
            removed=tuple(reading.removed),
            forgotten=leavers.forgotten,
            look_alikes=look.matches.look_alikes,
            warnings=(*look.fields.warnings, *_contact_warnings(look.desired, actions)),
            linked_before=self._store.count_linked(),
            known_clients=reading.known,
            complete=self._options.complete,
            missing_columns=self._world.missing_columns(),
        )

    def _actions(self, look: _Look, remote: Remote, rules: PlanningRules) -> tuple[Action, ...]:
        there = (one for one in remote.contacts.values() if one.contact_id not in remote.gone)
        taken = {one.external_id: True for one in there if one.external_id}
        judged = {one.external_id for one in look.open}
        settled = [one for one in look.desired if one.external_id not in judged]
        actions = make_actions(look.matches, look.skipped, look.links, look.owners, taken, rules)
        both = (*actions, *make_settled_actions(settled, look.links), *make_reverted_actions(look.reverted))
        return tuple(sorted(both, key=lambda action: (action.client_id, action.slot)))

    def _all_orphans(self, leavers: Leavers, actions: Iterable[Action]) -> tuple[Link, ...]:
        """Those who left just now, and those who left earlier and have not come back."""
        kept = {action.contact_id for action in actions if action.contact_id}
        found = {link.contact_id: link for link in self._store.read_links_standing(Standing.ORPHANED)}
        found |= {link.contact_id: link for link in leavers.orphans}
        return tuple(link for contact_id, link in found.items() if contact_id and contact_id not in kept)

    def _old_orphans_to_delete(self) -> bool:
        orphans = self._store.read_links_standing(Standing.ORPHANED) if self._deleting else []
        return any(link.contact_id for link in orphans)

    def _read_orphans(self, orphans: Iterable[Link], remote: Remote) -> Mapping[str, RemoteContact]:
        """The orphans as they are now, where they are to be deleted."""
        if self._deleting:
            ids = [link.contact_id for link in orphans if link.contact_id]
            read_missing(remote, ids, self._parts.workspace, self._parts.progress, self._parts.stopping)
        return remote.contacts


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
        self.reverted: list[Link] = []
        for one in wanted:
            link = self.links.get(one.external_id)
            if link is not None and is_reverted(one, link, unmoved or set()):
                self.reverted.append(link)
            elif isinstance(one, DesiredContact):
                self.desired.append(one)
            else:
                self.skipped.append(one)
        self.open: list[DesiredContact] = []
        self.owners: Mapping[str, Link] = {}
        self.matches = Matches((), ())

    def unsettled(self) -> list[DesiredContact]:
        """Contacts that are not what was last written."""
        return [one for one in self.desired if not is_settled(one, self.links.get(one.external_id))]

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
    return found + [warning for action in actions if action.merged for warning in action.merged.warnings]


def make_row_digest(settings: Settings) -> bytes:
    """Settings that change what a row becomes or whom it matches."""
    return make_settings_digest(
        settings.source,
        settings.region,
        sorted(settings.custom_field_keys.items()),
        settings.name_threshold,
        settings.on_possible_duplicate,
    )
