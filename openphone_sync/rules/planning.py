"""What was read -> a plan. Pure.

A plan is data: sorted, countable, refusable (`rules.safety`). One action for each wanted contact, so that the counts
always add up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat

from openphone_sync.model import (
    Action,
    ActionKind,
    Base,
    Candidate,
    Choice,
    ClientTally,
    Create,
    Decision,
    Delete,
    DesiredContact,
    Failure,
    FieldValue,
    Holds,
    Keep,
    Link,
    LookAlike,
    Makes,
    MatchResult,
    Meets,
    Person,
    Reason,
    RemoteContact,
    Skipped,
    Skips,
    Standing,
    Tie,
    Update,
    Why,
    Write,
)
from openphone_sync.rules.comparing import find_day, is_midnight
from openphone_sync.rules.matching import Known, MatchingRules, RemoteIndex, match_contacts
from openphone_sync.rules.merging import MergeRules, find_stored, holds_typed, make_first_draft, merge

_DECLINING = frozenset({Reason.DELETED_TWICE, Reason.STILL_HELD_BY_DELETED})
_UNMAPPED = frozenset({Reason.NO_NAME, Reason.ID_TOO_LONG})


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that decides, apart from the data. ``deletes``: OPENPHONE_ON_REMOVED is delete and every row was read."""

    matching: MatchingRules
    merging: MergeRules
    deletes: bool = False

    @property
    def source(self) -> str:
        """Our own source in OpenPhone."""
        return self.matching.source


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Wanted contacts of clients that nobody looked at, since their row has not moved."""

    linked: int = 0
    skipped: tuple[Link, ...] = ()
    held: tuple[Link, ...] = ()
    evidence: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that planning needs, read beforehand.

    ``wanted`` and ``skipped`` are all contacts of the clients in play, unchanged ones included. ``rolled_back`` are links
    that stay as they are. ``links`` by external id: those of the clients in play, of removed clients and of earlier
    orphans; ``owners`` by contact id. ``in_source`` are the client ids still in the source among those that links and
    external ids name. ``contacts`` are those that were read or listed (``listed``: the whole workspace was), ``gone``
    those that answered 404. ``complete``: every row was read, so that a missing one is removed; ``full``: each of them is
    in play. ``deferred`` are unmoved clients with held contacts, judged again only when the workspace is listed anyway.
    ``linked_before`` and ``known_clients`` count contacts and clients of earlier runs.
    """

    wanted: tuple[DesiredContact, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    failures: tuple[Failure, ...] = ()
    rolled_back: tuple[Link, ...] = ()
    links: Mapping[str, Link] = field(default_factory=dict)
    owners: Mapping[str, Link] = field(default_factory=dict)
    in_source: frozenset[str] = frozenset()
    decisions: tuple[Decision, ...] = ()
    reviewed: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    contacts: Mapping[str, RemoteContact] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    listed: bool = False
    full: bool = False
    complete: bool = True
    clients: ClientTally = field(default_factory=ClientTally)
    unchanged: Unchanged = field(default_factory=Unchanged)
    deferred: Unchanged = field(default_factory=Unchanged)
    fingerprints: Mapping[str, bytes] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    missing_columns: tuple[str, ...] = ()
    linked_before: int = 0
    known_clients: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do.

    ``actions`` are ordered by client id and slot. ``fingerprints`` are remembered for each client once all its actions
    are done. ``relinks`` are state rows that change without a request; they are committed first, together.
    ``claimed`` are contacts that some link or action holds: no creation may end in one of them. ``orphans`` are links
    that the source no longer wants, old ones included; ``removed`` the clients that it dropped, ``forgotten`` external
    ids whose row means nothing any more. ``declines`` are decisions that this run made from what people did in the app.
    ``losses`` counts, by field, the linked contacts whose row lost what it had, ``changed_contacts`` those whose mapped
    values differ from their base, or which the listed workspace shows to differ. ``overtaken`` are external ids of which a
    saved plan says otherwise: nothing of theirs is written.
    """

    actions: tuple[Action, ...] = ()
    failures: tuple[Failure, ...] = ()
    clients: ClientTally = field(default_factory=ClientTally)
    unchanged: Unchanged = field(default_factory=Unchanged)
    deferred: Unchanged = field(default_factory=Unchanged)
    fingerprints: Mapping[str, bytes] = field(default_factory=dict)
    orphans: tuple[Link, ...] = ()
    relinks: tuple[Link, ...] = ()
    claimed: frozenset[str] = frozenset()
    removed: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    declines: tuple[Decision, ...] = ()
    look_alikes: tuple[LookAlike, ...] = ()
    cards: tuple[RemoteContact, ...] = ()
    warnings: tuple[str, ...] = ()
    losses: Mapping[str, int] = field(default_factory=dict)
    changed_contacts: int = 0
    linked_before: int = 0
    known_clients: int = 0
    complete: bool = True
    missing_columns: tuple[str, ...] = ()
    overtaken: frozenset[str] = frozenset()

    @property
    def writes(self) -> list[Write]:
        """The actions that may send something, in order."""
        return [
            action
            for action in self.actions
            if not isinstance(action, Keep) and action.link.external_id not in self.overtaken
        ]


def make_plan(gathered: Gathered, rules: Rules) -> Plan:
    """Decide about every wanted contact, and about those that nobody wants any more."""
    matches = match_contacts(
        gathered.wanted, make_index(gathered, rules), make_known(gathered), rules.matching, rules.merging
    )
    taken = {result.contact_id for result in matches.results if isinstance(result, Meets)}
    actions: list[Action] = [_decide(result, gathered, rules) for result in matches.results]
    actions += [_skip(skipped, gathered.links.get(skipped.external_id), taken) for skipped in gathered.skipped]
    actions += [Keep(ActionKind.HOLD, link, why=link.why) for link in gathered.rolled_back]
    orphans, forgotten = find_orphans(gathered.links.values(), actions, gathered.gone)
    orphans, deletions = _delete_orphans(orphans, actions, gathered, rules)
    ordered = sorted([*actions, *deletions], key=lambda action: (action.link.client_id, action.link.slot))
    return Plan(
        actions=tuple(ordered),
        failures=gathered.failures,
        clients=gathered.clients,
        unchanged=gathered.unchanged,
        deferred=gathered.deferred,
        fingerprints=gathered.fingerprints,
        orphans=tuple(orphans),
        relinks=make_relinks(actions, gathered.links, gathered.owners, orphans),
        claimed=frozenset(gathered.owners)
        | {link.contact_id for action in actions if (link := action.link).contact_id},
        removed=gathered.removed,
        forgotten=tuple(forgotten),
        declines=tuple(_declines(ordered)),
        look_alikes=matches.look_alikes,
        cards=_cards(actions, gathered.contacts),
        warnings=gathered.warnings,
        losses=count_losses(matches.results, gathered.skipped, gathered.links, orphans, rules.merging.field_names),
        changed_contacts=sum(map(_changes, matches.results, actions, repeat(gathered.owners))),
        linked_before=gathered.linked_before,
        known_clients=gathered.known_clients,
        complete=gathered.complete,
        missing_columns=gathered.missing_columns,
    )


def make_index(gathered: Gathered, rules: Rules) -> RemoteIndex:
    """The contacts that were read and still exist, to be found by what they hold."""
    present = (contact for key, contact in gathered.contacts.items() if key not in gathered.gone)
    return RemoteIndex(present, rules.merging.normalise_phone, complete=gathered.listed)


def make_known(gathered: Gathered) -> Known:
    """What matching may know of earlier runs."""
    untouched = {link.external_id for link in gathered.rolled_back}
    unchanged = (*gathered.unchanged.skipped, *gathered.unchanged.held)
    return Known(
        links={key: link for key, link in gathered.links.items() if key not in untouched},
        owners=gathered.owners,
        waiting=tuple(link for link in unchanged if not link.contact_id and not _is_unmapped(link)),
        in_source=gathered.in_source,
        decisions=gathered.decisions,
        refused=gathered.refused,
        gone=gathered.gone,
        retry_refused=gathered.full,
    )


def _is_unmapped(link: Link) -> bool:
    """Whether its row makes no contact of it; what is known of the person is from before."""
    return link.why is not None and link.why.reason in _UNMAPPED


def needs_listing(gathered: Gathered, rules: Rules) -> bool:
    """Whether something would be created: then a duplicate made in the app an hour ago must be seen first.

    What cannot be created may fit a contact that only the list shows, unless that was looked for when it was as it is.
    """
    matches = match_contacts(
        gathered.wanted, make_index(gathered, rules), make_known(gathered), rules.matching, rules.merging
    )
    return any(
        isinstance(result, Makes | Holds)
        or (isinstance(result, Skips) and result.desired.unfit and _is_unsought(result.desired, gathered.links))
        for result in matches.results
    )


def _is_unsought(desired: DesiredContact, links: Mapping[str, Link]) -> bool:
    link = links.get(desired.external_id)
    return (
        link is None
        or link.standing is Standing.HELD
        or (link.person, link.phones) != (desired.person, phones_of(desired))
        or bool(desired.values.emails)
    )


# --- one wanted contact --------------------------------------------------------------------------------------------


def _decide(result: MatchResult, gathered: Gathered, rules: Rules) -> Action:
    link = gathered.links.get(result.desired.external_id)
    match result:
        case Meets():
            return _meet(result, link, gathered, rules)
        case Makes():
            return _create(result, link, gathered, rules)
        case Holds():
            return _keep(ActionKind.HOLD, Standing.HELD, result, gathered)
        case Skips():
            declined = result.why.reason in _DECLINING
            return _keep(ActionKind.SKIP, Standing.DECLINED if declined else Standing.SKIPPED, result, gathered)


def _meet(meets: Meets, link: Link | None, gathered: Gathered, rules: Rules) -> Action:
    """An update, or nothing where the contact is known to be as it is wanted."""
    desired, contact_id = meets.desired, meets.contact_id
    owner = gathered.owners.get(contact_id)
    # It stays with the contact, also where that now belongs to another slot.
    base = owner.base if owner else _find_sent(meets, link, gathered, rules)
    planned = replace(_row(desired, Standing.LINKED, link), contact_id=contact_id, base=base, why=meets.why)
    if not desired.values.phones and base is not None and base.values.phones:
        planned = replace(planned, why=Why(Reason.NUMBERS_KEPT))
    if is_unchanged(desired, link, contact_id) and not gathered.listed:
        return Keep(ActionKind.UNCHANGED, planned)
    seen = gathered.contacts.get(contact_id)
    if seen is None:
        return Update(planned, desired, meets.tie, meets.evidence, meets.why)
    merged = merge(base, seen, desired, rules.merging, meets.tie)
    doubtful = link is not None and link.standing is Standing.PENDING  # lists can show what answers 404
    if merged.changes or doubtful:
        return Update(planned, desired, meets.tie, meets.evidence, meets.why, seen, merged)
    kind = ActionKind.UNCHANGED if meets.tie is Tie.LINKED else ActionKind.ADOPT
    return Keep(kind, replace(planned, base=merged.base, failures=0), meets.evidence, meets.why, merged.conflicts)


def _find_sent(meets: Meets, link: Link | None, gathered: Gathered, rules: Rules) -> Base | None:
    """What was sent to create a contact of ours that was made though no answer came."""
    contact = gathered.contacts.get(meets.contact_id)
    if contact is None or meets.tie is not Tie.OWN or link is None or link.base is None or link.contact_id:
        return None
    return find_stored(link.base, contact, rules.merging) if _carries(contact, link.external_id) else None


def _carries(contact: RemoteContact, external_id: str) -> bool:
    found = contact.external_id or ""
    return found == external_id or found.startswith(f"{external_id}~")


def _changes(result: MatchResult, action: Action, owners: Mapping[str, Link]) -> bool:
    """Whether it is a linked contact that the source wants otherwise; also where a preview finds nothing to do."""
    if not isinstance(result, Meets) or result.tie is not Tie.LINKED:
        return False
    owner = owners.get(result.contact_id)
    if owner is not None and _says_the_same(result.desired, owner, midnight_is_noon=True):
        return isinstance(action, Update) and action.preview is not None
    return owner is not None or isinstance(action, Update)


def is_unchanged(desired: DesiredContact, link: Link | None, contact_id: str) -> bool:
    """Whether the row says what was last written to this contact, so that nothing needs to be read for it."""
    return (
        link is not None
        and link.standing is Standing.LINKED
        and link.contact_id == contact_id
        and link.person == desired.person
        and _says_the_same(desired, link)
        # A number that was kept while the row's was unusable goes when the row has none, if it is not the last.
        and bool(desired.values.phones or desired.phones_unusable or not (link.base and link.base.values.phones))
    )


def _says_the_same(desired: DesiredContact, link: Link, *, midnight_is_noon: bool = False) -> bool:
    """Whether the row maps to what the base has. Numbers that were kept for want of a usable one stay in the base.

    ``midnight_is_noon``: a date that 0.1.0 wrote at midnight is the same. It is not what the office has changed.
    """
    values, base = desired.values, link.base
    if base is None:
        return False
    if not values.phones and link.why is not None and link.why.reason is Reason.NUMBERS_KEPT:
        values = replace(values, phones=base.values.phones)
    if values == base.values or not midnight_is_noon:
        return values == base.values
    now = dict(values.custom_fields)
    fields = ((key, _move_to_noon(value, now.get(key))) for key, value in base.values.custom_fields)
    return values == replace(base.values, custom_fields=tuple(fields))


def _move_to_noon(before: FieldValue | None, now: FieldValue | None) -> FieldValue | None:
    """The value now, if the one before is midnight of the same day; else the one before."""
    is_same_day = (
        isinstance(before, str) and isinstance(now, str) and is_midnight(before) and find_day(before) == find_day(now)
    )
    return now if is_same_day else before


def _create(makes: Makes, link: Link | None, gathered: Gathered, rules: Rules) -> Action:
    desired = makes.desired
    draft = make_first_draft(desired, rules.source)
    handed_over = makes.why is not None and makes.why.reason is Reason.SLOT_HANDED_OVER
    taken = {
        contact.external_id
        for key, contact in gathered.contacts.items()
        if contact.external_id and contact.source == rules.source and key not in gathered.gone
    }
    if handed_over or desired.external_id in taken:
        draft = replace(draft, external_id=_free_external_id(desired.external_id, taken))
    times_gone = (link.times_gone + 1 if link else 1) if makes.again else 0
    planned = replace(_row(desired, Standing.LINKED, link), base=Base(desired.values), times_gone=times_gone)
    return Create(planned, draft, desired, makes.evidence, makes.why, makes.again)


def _free_external_id(external_id: str, taken: Container[str]) -> str:
    """External ids never move, so the newcomer gets the next free one."""
    free = make_next_id(external_id)
    while free in taken:
        free = make_next_id(free)
    return free


def make_next_id(external_id: str) -> str:
    """``client_1~2`` after ``client_1``; no id that the mapping makes has a ``~``."""
    stem, _, number = external_id.partition("~")
    return f"{stem}~{int(number or 1) + 1}"


def _keep(kind: ActionKind, standing: Standing, result: Holds | Skips, gathered: Gathered) -> Action:
    """Nothing is sent. It holds no contact, but for its own that cannot be written."""
    desired = result.desired
    planned = _row(desired, standing, gathered.links.get(desired.external_id))
    owner = gathered.owners.get(result.contact_id or "") if isinstance(result, Skips) else None
    if isinstance(result, Skips) and result.linked and owner is not None:
        planned = replace(planned, contact_id=owner.contact_id, base=owner.base)
    return Keep(kind, replace(planned, why=result.why), result.evidence, result.why)


def _skip(skipped: Skipped, link: Link | None, taken: Container[str]) -> Action:
    known = link or Link(skipped.external_id, skipped.client_id, skipped.slot, Standing.SKIPPED)
    if known.contact_id in taken:
        known = replace(known, contact_id=None, base=None)
    return Keep(ActionKind.SKIP, replace(known, standing=Standing.SKIPPED, why=skipped.why), why=skipped.why)


def _row(desired: DesiredContact, standing: Standing, link: Link | None) -> Link:
    """The state row of a wanted contact and its person, without a contact. Another person in the slot starts afresh."""
    same = link is not None and link.person == desired.person
    return Link(
        external_id=desired.external_id,
        client_id=desired.client_id,
        slot=desired.slot,
        standing=standing,
        person=desired.person,
        phones=phones_of(desired),
        times_gone=link.times_gone if link and same else 0,
        failures=link.failures if link and same else 0,
    )


def phones_of(desired: DesiredContact) -> tuple[str, ...]:
    """The person's numbers (E.164), each once, sorted."""
    return tuple(sorted({item.value for item in desired.values.phones}))


def _declines(actions: Iterable[Action]) -> Iterator[Decision]:
    """Who was deleted in the app twice is declined as a person, wherever the office moves that person to."""
    for action in actions:
        link = action.link
        if isinstance(action, Keep) and action.why is not None and action.why.reason in _DECLINING:
            person = Person(link.person, link.phones)
            yield Decision(link.client_id, person, "", Choice.DECLINE, link.external_id)


def _cards(actions: Iterable[Action], contacts: Mapping[str, RemoteContact]) -> tuple[RemoteContact, ...]:
    """The contacts that a review will show beside our people."""
    held = (action for action in actions if action.kind is ActionKind.HOLD)
    subjects = {candidate.subject for action in held if isinstance(action, Keep) for candidate in action.evidence}
    return tuple(contacts[subject] for subject in sorted(subjects) if subject in contacts)


# --- those that nobody wants any more ------------------------------------------------------------------------------


def find_orphans(
    links: Iterable[Link], actions: Sequence[Action], gone: Container[str]
) -> tuple[list[Link], list[str]]:
    """Links whose contact no action keeps, and external ids whose row means nothing any more.

    A contact whose external id is wanted again by another person is kept under an id of its own, so that it is not lost
    from sight.
    """
    wanted = {action.link.external_id for action in actions}
    kept = {action.link.contact_id for action in actions if action.link.contact_id}
    orphans: list[Link] = []
    forgotten: list[str] = []
    for link in links:
        if link.contact_id is None or link.contact_id in kept or link.contact_id in gone:
            if link.external_id not in wanted:
                forgotten.append(link.external_id)
            continue
        external_id = link.external_id
        if external_id in wanted:
            external_id = f"{external_id}#{link.contact_id}"
        orphans.append(replace(link, external_id=external_id, standing=Standing.ORPHANED))
    return orphans, forgotten


def choose_deletions(orphans: Iterable[Link], reviewed: Container[str]) -> list[Link]:
    """Orphans that may be deleted: none that is known to be somebody else's, or that a review has to do with."""
    kept = {Reason.NOT_OURS, Reason.TYPED_BY_STAFF}
    return [
        link
        for link in orphans
        if not (link.why and link.why.reason in kept)
        and link.contact_id not in reviewed
        and link.external_id not in reviewed
    ]


def _delete_orphans(
    orphans: list[Link], actions: Iterable[Action], gathered: Gathered, rules: Rules
) -> tuple[list[Link], list[Delete]]:
    """Deletions of orphans that are ours without doubt: our source, our link, read in this run, nothing typed by staff.

    The others say why they stay, so that no later run reads them for this again.
    """
    if not rules.deletes:
        return orphans, []
    offered = {c.subject for action in actions if isinstance(action, Keep) for c in action.evidence}
    chosen = {link.contact_id for link in choose_deletions(orphans, gathered.reviewed | offered)}
    staying: list[Link] = []
    deletions: list[Delete] = []
    for link in orphans:
        contact = gathered.contacts.get(link.contact_id or "")
        if link.contact_id not in chosen or contact is None:
            staying.append(link)
        elif contact.source != rules.source:
            staying.append(replace(link, why=Why(Reason.NOT_OURS)))
        elif holds_typed(link.base, contact, rules.merging):
            staying.append(replace(link, why=Why(Reason.TYPED_BY_STAFF)))
        else:
            staying.append(link)
            deletions.append(Delete(link, contact.contact_id, contact, Why(Reason.GONE_FROM_SOURCE)))
    return staying, deletions


# --- the state beside the plan -------------------------------------------------------------------------------------


def make_relinks(
    actions: Iterable[Action], links: Mapping[str, Link], owners: Mapping[str, Link], orphans: Iterable[Link]
) -> tuple[Link, ...]:
    """State rows to commit before the first request: what moves without one, and contacts that change their slot."""
    moved = [link for link in orphans if links.get(link.external_id) != link]
    for action in actions:
        known = links.get(action.link.external_id)
        moves = (
            isinstance(action, Update)
            and action.contact_id in owners
            and (not known or known.contact_id != action.contact_id)
        )
        if (isinstance(action, Keep) or moves) and action.link != known:
            moved.append(action.link)
    return tuple(moved)


def count_losses(
    results: Iterable[MatchResult],
    skipped: Iterable[Skipped],
    links: Mapping[str, Link],
    orphans: Iterable[Link],
    field_names: Mapping[str, str],
) -> dict[str, int]:
    """By field, how many linked contacts' rows became empty where they had something.

    What an earlier run has seen already (numbers kept, a skip) does not count again.
    """
    losses: Counter[str] = Counter()
    linked = {key: link for key, link in links.items() if link.standing is Standing.LINKED and link.base is not None}
    for result in results:
        link = linked.get(result.desired.external_id)
        if link is not None and isinstance(result, Meets):
            losses.update(_lost_fields(link, result.desired, field_names))
    losses["name"] += sum(one.external_id in linked for one in skipped)
    left = {link.contact_id for link in orphans}
    losses["alternate"] += sum(link.slot > 0 and link.contact_id in left for link in linked.values())
    return {name: count for name, count in losses.items() if count}


def _lost_fields(link: Link, desired: DesiredContact, field_names: Mapping[str, str]) -> Iterator[str]:
    was, now = (link.base.values if link.base else desired.values), desired.values
    if was.phones and not now.phones and not (link.why and link.why.reason is Reason.NUMBERS_KEPT):
        yield "phone"
    if was.emails and not now.emails:
        yield "emails"
    present = {key for key, value in now.custom_fields if value is not None}
    for key, value in was.custom_fields:
        if value is not None and key not in present:
            yield f"customFields.{field_names.get(key, key)}"
