"""Who is who: which remote contact each wanted contact meets, on what evidence. Pure.

Each wanted contact meets at most one contact, two never share one. The order: a person's decisions, links, external
ids, then strong evidence (phone or e-mail, and the name agrees) from the strongest down, then the rest against what is
left. The result does not depend on the order of the input. Nothing is ever matched on a part of a phone number.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import combinations
from operator import attrgetter

from openphone_sync.model import (
    Candidate,
    Choice,
    DesiredContact,
    Link,
    LookAlike,
    Pair,
    RemoteContact,
    Standing,
    Verdict,
)
from openphone_sync.rules.matching.index import (
    Birth,
    Match,
    RemoteIndex,
    birth_of,
    compare_births,
    emails_of,
    field_text,
)
from openphone_sync.rules.names import (
    NOBODY,
    Commonness,
    MatchLevel,
    Name,
    NameMatch,
    compare,
    equal_keys,
    parse_name,
    same_person,
    similarity,
    split_form,
)

__all__ = ["Knowledge", "Matches", "MatchingRules", "RemoteIndex", "match_contacts"]

INTEGRATION_PREFIX = "openphone-"
"""Sources of native integrations begin so (vendor document: reserved; seen live: ``openphone-clio``)."""

OWNED = "owned by an integration: OpenPhone lets nobody else change it"
GONE_TWICE = "deleted in the app twice: not created again"
GONE_ONCE = "deleted in the app: created again"
HANDED_OVER = "slot changed hands"
DECIDED = "decided in a review"

RARE_NAMESAKES = 0.02
"""A name is rare when chance alone would bring fewer people of that name among all names seen."""

ALIKE_WITH_BIRTH = 0.70
"""Enough with the same date of birth, as is one equal word. Chosen on FEBRL 1 to 4, where with it the recall of held rose from
0.74-0.77 to 0.90-0.93 at a precision above 0.99 (benchmarks/matching_quality.py measures it)."""

_OUR_ID = re.compile(r"client_(?P<client>.+?)(?:_alt_[0-9]+)?(?:~[0-9]+)?", re.DOTALL)
"""``~2`` and so on is put behind an external id that was taken when its contact was created."""
_SLOTS_BEYOND = 4
"""How far past the last wanted slot earlier alternates are looked for when the state is lost."""
_LARGE_GROUP = 25
"""A number on more contacts or rows than this is a jail's, a court's or a placeholder: there the number is evidence only
together with a name alike, and nobody is compared with everybody."""


@dataclass(frozen=True, slots=True)
class MatchingRules:
    """``source`` is our own. ``threshold`` is a name similarity from 0 to 1. ``on_possible_duplicate``: ``hold``,
    ``create`` or ``link``. ``birth_field`` and ``person_field`` are keys of the custom fields for the date of birth and
    for an alternate's own name, None where the workspace lacks them.
    """

    source: str
    threshold: float = 0.90
    on_possible_duplicate: str = "hold"
    birth_field: str | None = None
    person_field: str | None = None


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What earlier runs know; read only.

    ``links`` by external id, for the wanted contacts, in any standing. ``owners``: contact id -> the link that holds
    it, over all links. ``living`` tells whether a client id is still in the source. ``decisions`` by (external id,
    candidate). ``read_only``: contact ids that once answered 403. ``gone``: contact ids of links that answered 404.
    """

    links: Mapping[str, Link]
    owners: Mapping[str, Link]
    living: Callable[[str], bool]
    decisions: Mapping[tuple[str, str], Choice]
    read_only: frozenset[str]
    gone: frozenset[str]


@dataclass(frozen=True, slots=True)
class Matches:
    """``pairs`` in the order of the wanted contacts; ``look_alikes`` ordered by external id, for ``problems``."""

    pairs: tuple[Pair, ...]
    look_alikes: tuple[LookAlike, ...]


# --- working values -----------------------------------------------------------------------------------------


class _Ties(Enum):
    """Whose a contact is."""

    FREE = "nobody's"
    RELEASED = "linked to a person who is gone from the source"
    OTHERS = "linked to another of our people"


@dataclass(frozen=True, slots=True)
class _Owner:
    ties: _Ties
    external_id: str = ""
    client_id: str = ""
    name: Name = NOBODY


_NO_OWNER = _Owner(_Ties.FREE)


@dataclass(frozen=True, slots=True)
class _Seat:
    """What an alternate's slot holds from before: a contact, with its link unless the state was lost."""

    slot: int
    contact_id: str
    link: Link | None


# --- the matching itself ------------------------------------------------------------------------------------


def match_contacts(
    wanted: Sequence[DesiredContact], index: RemoteIndex, knowledge: Knowledge, rules: MatchingRules
) -> Matches:
    """One pair for each wanted contact, in their order.

    Raises `LookupError` when a link's contact was neither fetched into an incomplete index nor found gone.
    """
    return _Matching(wanted, index, knowledge, rules).run()


def _rank(desired: DesiredContact) -> tuple[bool, tuple[str, str], str]:
    """Clients before alternates, then the older row."""
    return desired.slot > 0, desired.seniority, desired.external_id


class _Matching:
    """The working state of one call."""

    def __init__(
        self, wanted: Sequence[DesiredContact], index: RemoteIndex, knowledge: Knowledge, rules: MatchingRules
    ) -> None:
        self.wanted = wanted
        self.index = index
        self.knowledge = knowledge
        self.rules = rules
        self.by_id = {desired.external_id: desired for desired in wanted}
        self.pairs: dict[str, Pair] = {}
        self.taken: dict[str, str] = {}  # contact id -> external id, in this run
        self.contested: set[str] = set()  # contacts that several wanted contacts claim with equal right
        self.left: dict[str, set[str]] = {}  # client id -> contacts whose alternate is gone
        self.notes: dict[str, str] = {}  # external id -> GONE_ONCE or HANDED_OVER
        self.look_alikes: dict[tuple[str, str], LookAlike] = {}
        self.names: dict[str, Name] = {}
        self._common: Commonness | None = None
        self._found: dict[str, list[Match]] = {}

    def run(self) -> Matches:
        self.settle_decisions()
        self.settle_mains()
        self.settle_alternates()
        self.settle_external_ids()
        self.settle_rows()
        self.settle_strong(slots=False)
        self.settle_strong(slots=True)
        self.settle_rest()
        pairs = tuple(self.pairs[desired.external_id] for desired in self.wanted)
        return Matches(pairs, tuple(alike for _, alike in sorted(self.look_alikes.items())))

    # -- helpers over the state

    def open(self) -> list[DesiredContact]:
        """What is not settled yet, by rank."""
        return sorted((d for d in self.wanted if d.external_id not in self.pairs), key=_rank)

    def settle(
        self,
        desired: DesiredContact,
        verdict: Verdict,
        remote: RemoteContact | None = None,
        evidence: Iterable[Candidate] = (),
        reason: str = "",
    ) -> None:
        """Write the pair down; a contact that is met is nobody else's from now on."""
        if not reason and self.notes.get(desired.external_id) == HANDED_OVER:
            reason = HANDED_OVER
        self.pairs[desired.external_id] = Pair(desired, verdict, remote, tuple(evidence), reason)
        if remote is not None and verdict is not Verdict.SKIP:
            self.taken[remote.contact_id] = desired.external_id

    def name(self, desired: DesiredContact) -> Name:
        """The person's name; nobody where an alternate has none of his own."""
        found = self.names.get(desired.external_id)
        if found is None:
            text = desired.person or ("" if desired.slot else desired.values.first_name)
            found = self.names[desired.external_id] = parse_name(text)
        return found

    @property
    def common(self) -> Commonness:
        if self._common is None:
            self._common = Commonness(self._all_names())
        return self._common

    def _all_names(self) -> Iterator[Name]:
        yield from map(self.index.name_of, self.index)
        yield from map(self.name, self.by_id.values())

    def is_foreign(self, contact: RemoteContact) -> bool:
        """Whether an integration owns it, so that writes are refused."""
        source = contact.source or ""
        refused = contact.contact_id in self.knowledge.read_only and source != self.rules.source
        return source.startswith(INTEGRATION_PREFIX) or refused

    def is_separate(self, desired: DesiredContact, candidate: str) -> bool:
        return self.knowledge.decisions.get((desired.external_id, candidate)) is Choice.SEPARATE

    def owner(self, contact: RemoteContact, desired: DesiredContact) -> _Owner:
        """Whose the contact is, seen from ``desired``."""
        taker = self.taken.get(contact.contact_id)
        if taker is not None:
            other = self.by_id[taker]
            return _Owner(_Ties.OTHERS, taker, other.client_id, self.name(other))
        link = self.knowledge.owners.get(contact.contact_id)
        if link is not None:
            return self._owner_by_link(link, contact, desired)
        return self._owner_by_external_id(contact, desired)

    def _owner_by_link(self, link: Link, contact: RemoteContact, desired: DesiredContact) -> _Owner:
        if link.external_id == desired.external_id and not self._was_left(contact, link.client_id):
            return _NO_OWNER
        ties = _Ties.OTHERS
        if (
            link.standing is Standing.ORPHANED
            or not self.knowledge.living(link.client_id)
            or self._was_left(contact, link.client_id)
        ):
            ties = _Ties.RELEASED
        name = link.person or (link.base.first_name if link.base and not link.slot else "")
        return _Owner(ties, link.external_id, link.client_id, parse_name(name))

    def _was_left(self, contact: RemoteContact, client_id: str) -> bool:
        return contact.contact_id in self.left.get(client_id, ())

    def _owner_by_external_id(self, contact: RemoteContact, desired: DesiredContact) -> _Owner:
        if contact.source != self.rules.source or not contact.external_id:
            return _NO_OWNER
        found = _OUR_ID.fullmatch(contact.external_id)
        if found is None or desired.external_id in (contact.external_id, contact.external_id.rpartition("~")[0]):
            return _NO_OWNER
        client_id = found["client"]
        gone = not self.knowledge.living(client_id) or self._was_left(contact, client_id)
        return _Owner(_Ties.RELEASED if gone else _Ties.OTHERS, contact.external_id, client_id)

    # -- a person's decisions

    def settle_decisions(self) -> None:
        """A decision to link makes the pair, if the contact is there and not somebody else's."""
        decided = [
            (_rank(self.by_id[external_id]), candidate != self._linked_to(self.by_id[external_id]), candidate)
            for (external_id, candidate), choice in self.knowledge.decisions.items()
            if choice is Choice.LINK and external_id in self.by_id
        ]
        for (_, _, external_id), _, candidate in sorted(decided):
            if external_id not in self.pairs:
                self._settle_decision(self.by_id[external_id], candidate)

    def _settle_decision(self, desired: DesiredContact, candidate: str) -> None:
        contact = self.index.get(candidate)
        if contact is None:
            named = _OUR_ID.fullmatch(candidate)
            if named and candidate != desired.external_id and self.knowledge.living(named["client"]):
                row = Candidate(candidate, "row", 1.0, DECIDED)
                self.settle(desired, Verdict.SKIP, evidence=[row], reason=f"same person as {candidate}, {DECIDED}")
            return
        if candidate in self.knowledge.gone:
            return
        if self._linked_to(desired) == candidate:
            self._settle_writable(desired, Verdict.LINKED, contact)
        elif self.owner(contact, desired).ties is not _Ties.OTHERS:
            self.settle(desired, self._join(contact), contact, reason=DECIDED)

    def _join(self, contact: RemoteContact) -> Verdict:
        """How it is met: what this tool made is no person's contact, whoever it was made for."""
        ours = contact.source == self.rules.source and contact.external_id is not None
        return Verdict.OWN if ours else Verdict.ADOPT

    def _linked_to(self, desired: DesiredContact) -> str | None:
        link = self.knowledge.links.get(desired.external_id)
        return link.contact_id if link else None

    # -- links

    def settle_mains(self) -> None:
        """A client keeps the contact of the link, whatever name or phone it has now."""
        for desired in self.wanted:
            link = self.knowledge.links.get(desired.external_id)
            if link is None or desired.external_id in self.pairs:
                continue
            if link.standing is Standing.DECLINED:
                self.settle(desired, Verdict.SKIP, reason=link.reason)
            elif not desired.slot and link.contact_id:
                self._settle_link(desired, link.contact_id, link.times_gone)

    def _settle_link(self, desired: DesiredContact, contact_id: str, times_gone: int) -> None:
        contact = self.index.get(contact_id)
        if contact_id in self.taken or self.is_separate(desired, contact_id):
            return
        if contact_id in self.knowledge.gone or (contact is None and self.index.complete):
            self._settle_gone(desired, times_gone)
        elif contact is None:
            raise LookupError(f"contact {contact_id} of {desired.external_id} was not fetched")
        else:
            self._settle_writable(desired, Verdict.LINKED, contact)

    def _settle_writable(self, desired: DesiredContact, verdict: Verdict, contact: RemoteContact) -> None:
        if self.is_foreign(contact):
            self.settle(desired, Verdict.SKIP, contact, reason=OWNED)
        else:
            self.settle(desired, verdict, contact)

    def _settle_gone(self, desired: DesiredContact, times_gone: int) -> None:
        if times_gone:
            self.settle(desired, Verdict.SKIP, reason=GONE_TWICE)
        else:
            self.notes[desired.external_id] = GONE_ONCE

    # -- alternates: links follow persons, not slots

    def settle_alternates(self) -> None:
        """Within one client the contacts of alternates follow the person's own name and phones."""
        alternates: dict[str, list[DesiredContact]] = defaultdict(list)
        for desired in self.wanted:
            if desired.slot and desired.external_id not in self.pairs:
                alternates[desired.client_id].append(desired)
        seats = self._seats_by_link(alternates)
        for client_id, desired_ones in alternates.items():
            if self._sit_as_before(desired_ones, seats.get(client_id, [])):
                continue
            places = [*seats.get(client_id, ()), *self._seats_by_external_id(desired_ones)]
            if places:
                self._seat(client_id, sorted(desired_ones, key=_rank), places)

    def _sit_as_before(self, desired_ones: list[DesiredContact], seats: list[_Seat]) -> bool:
        """The usual case, settled without reading a name: everybody sits where he sat, under different names."""
        before = {seat.slot: seat for seat in seats if seat.link and seat.link.person}
        persons = {desired.slot: desired.person for desired in desired_ones}
        same = len(seats) == len(before) == len(set(persons.values())) and persons == {
            slot: seat.link.person for slot, seat in before.items() if seat.link
        }
        if not same or any(self.is_separate(d, before[d.slot].contact_id) for d in desired_ones):
            return False
        for desired in desired_ones:
            self._settle_seat(desired, before[desired.slot])
        return True

    def _seats_by_link(self, clients: Mapping[str, object]) -> dict[str, list[_Seat]]:
        """Contacts of earlier alternates. One whose link is not in play belongs to a sibling that nobody looks at."""
        seats: dict[str, list[_Seat]] = defaultdict(list)
        for contact_id, link in self.knowledge.owners.items():
            in_play = link.external_id in self.knowledge.links
            if link.slot and link.client_id in clients and in_play and contact_id not in self.taken:
                seats[link.client_id].append(_Seat(link.slot, contact_id, link))
        return seats

    def _phones_of_seat(self, seat: _Seat) -> frozenset[str]:
        contact = self.index.get(seat.contact_id)
        phones = self.index.phones_of(contact) if contact else frozenset()
        base = seat.link.base if seat.link else None
        return phones | {item.value for item in base.phones} if base else phones

    def _person_of_seat(self, seat: _Seat) -> Name:
        if seat.link is not None:
            return parse_name(seat.link.person)
        contact = self.index.get(seat.contact_id)
        return parse_name(field_text(contact, self.rules.person_field)) if contact else NOBODY

    def _seats_by_external_id(self, alternates: Sequence[DesiredContact]) -> Iterator[_Seat]:
        """Contacts that carry our alternates' external ids while the state knows nothing of them."""
        stem = alternates[0].external_id.rpartition("_alt_")[0]
        for slot in range(1, max(d.slot for d in alternates) + _SLOTS_BEYOND) if stem else ():
            found = self._unlinked_own(f"{stem}_alt_{slot}")
            if len(found) == 1:
                yield _Seat(slot, found[0].contact_id, None)

    def _unlinked_own(self, external_id: str) -> list[RemoteContact]:
        return [
            contact
            for contact in self.index.with_external_id(external_id)
            if contact.source == self.rules.source and self._is_loose(contact)
        ]

    def _is_loose(self, contact: RemoteContact) -> bool:
        known = self.knowledge
        contact_id = contact.contact_id
        return contact_id not in known.owners and contact_id not in known.gone and contact_id not in self.taken

    def _seat(self, client_id: str, desired_ones: list[DesiredContact], places: list[_Seat]) -> None:
        fits = [
            (-fit, seat.slot != d.slot, d.slot, seat.slot, seat.contact_id, d, seat)
            for d in desired_ones
            for seat in places
            if not self.is_separate(d, seat.contact_id) and (fit := self._fit(d, seat))
        ]
        seated: set[str] = set()
        for *_, desired, seat in sorted(fits, key=lambda fit: fit[:5]):
            if seat.contact_id not in seated and desired.external_id not in seated:
                seated |= {seat.contact_id, desired.external_id}
                self._settle_seat(desired, seat)
        self._leave(client_id, desired_ones, [s for s in places if s.contact_id not in seated], seated)

    def _leave(self, client_id: str, desired_ones: list[DesiredContact], empty: list[_Seat], seated: set[str]) -> None:
        """Seats that nobody took: their contacts stay as they are, and newcomers to those slots are new people."""
        self.left[client_id] = {seat.contact_id for seat in empty}
        slots = {seat.slot for seat in empty}
        for desired in desired_ones:
            if desired.slot in slots and desired.external_id not in seated:
                self.notes[desired.external_id] = HANDED_OVER

    def _settle_seat(self, desired: DesiredContact, seat: _Seat) -> None:
        if seat.link is not None:
            self._settle_link(desired, seat.contact_id, seat.link.times_gone)
            return
        contact = self.index.get(seat.contact_id)
        if contact is not None:
            self._settle_writable(desired, Verdict.OWN, contact)

    def _fit(self, desired: DesiredContact, seat: _Seat) -> int:
        """How well a seat fits a person: 0 not at all. Own names come first, then phones, then the slot."""
        own_slot = seat.slot == desired.slot
        phone = not self._phones_of_seat(seat).isdisjoint(item.value for item in desired.values.phones)
        name, person = self.name(desired), self._person_of_seat(seat)
        if not name.words or not person.words:
            return 3 if phone else int(own_slot)
        if same_person(name, person):
            return 6 if phone else 5
        if compare(name, person, threshold=self.rules.threshold).agrees:
            return 4
        return 2 if phone and own_slot else 0

    # -- external ids

    def settle_external_ids(self) -> None:
        """Our external id on a contact that no link knows."""
        for desired in self.open():
            found = [c for c in self.index.with_external_id(desired.external_id) if self._may_meet(desired, c)]
            if len(found) > 1:
                evidence = [self._external_candidate(desired, c) for c in found]
                self._hold(desired, evidence, "several contacts carry its external id", None)
            elif found:
                self._settle_external_id(desired, found[0])

    def _may_meet(self, desired: DesiredContact, contact: RemoteContact) -> bool:
        owner = self.owner(contact, desired)
        return (
            owner.ties is _Ties.FREE
            and contact.contact_id not in self.knowledge.gone
            and contact.contact_id not in self.left.get(desired.client_id, ())
            and not self.is_separate(desired, contact.contact_id)
        )

    def _external_candidate(self, desired: DesiredContact, contact: RemoteContact) -> Candidate:
        match = self._match(desired, contact)
        ours = "our source" if contact.source == self.rules.source else "another source"
        words = f"same external id, {ours}; {match.words}"
        return Candidate(contact.contact_id, "external id", round(match.name_match.score, 2), words)

    def _settle_external_id(self, desired: DesiredContact, contact: RemoteContact) -> None:
        evidence = [self._external_candidate(desired, contact)]
        match = self._match(desired, contact)
        if self.is_foreign(contact):
            self.settle(desired, Verdict.SKIP, contact, evidence, OWNED)
        elif contact.source == self.rules.source:
            self.settle(desired, Verdict.OWN, contact, evidence)
        elif match.phone or (match.name_match.agrees and match.name_match.level is not MatchLevel.EMPTY):
            self.settle(desired, Verdict.ADOPT, contact, evidence)
        else:
            self._hold(desired, evidence, "another source has given out its external id", None)

    # -- rows that are one person twice

    def settle_rows(self) -> None:
        """Phone and folded name equal to another wanted contact: the older row is the one written."""
        groups: dict[str, list[DesiredContact]] = defaultdict(list)
        for desired in self.wanted:
            for item in desired.values.phones:
                groups[item.value].append(desired)
        doubles: dict[str, DesiredContact] = {}
        for group in groups.values():
            if len(group) > 1:
                self._find_doubles(group, doubles)
        for external_id in sorted(doubles):
            self._settle_double(self.by_id[external_id], doubles[external_id])

    def _find_doubles(self, group: list[DesiredContact], doubles: dict[str, DesiredContact]) -> None:
        """For each row the oldest one that is the same person, into ``doubles``."""
        buckets: dict[str, list[DesiredContact]] = defaultdict(list)
        for desired in sorted(set_of(group), key=self._claim):
            name = self.name(desired)
            doubles_of = [o for key in equal_keys(name) for o in buckets[key] if self._are_double(o, desired)]
            older = min(doubles_of, key=self._claim, default=None)
            if older is None:
                for key in equal_keys(name):
                    buckets[key].append(desired)
            elif desired.external_id not in doubles or self._claim(older) < self._claim(doubles[desired.external_id]):
                doubles[desired.external_id] = older
        if len(group) <= _LARGE_GROUP:
            self._list_similar(group)

    def _claim(self, desired: DesiredContact) -> tuple[bool, bool, tuple[str, str], str]:
        pair = self.pairs.get(desired.external_id)
        return (pair is None or pair.remote is None, *_rank(desired))

    def _are_double(self, a: DesiredContact, b: DesiredContact) -> bool:
        return (
            a.external_id != b.external_id
            and same_person(self.name(a), self.name(b))
            and compare_births(a.birth_date, b.birth_date) is not Birth.OTHER
        )

    def _settle_double(self, desired: DesiredContact, older: DesiredContact) -> None:
        words = "same phone; name equal"
        self._list(desired, older.external_id, 1.0, words)
        separate = self.is_separate(desired, older.external_id) or self.is_separate(older, desired.external_id)
        if desired.external_id not in self.pairs and not separate:
            row = Candidate(older.external_id, "row", 1.0, words)
            self._hold(desired, [row], f"same person as {older.external_id}", None)

    def _list_similar(self, group: list[DesiredContact]) -> None:
        for a, b in combinations(sorted(set_of(group), key=_rank), 2):
            if a.client_id != b.client_id:
                score = similarity(self.name(a), self.name(b))
                if self.rules.threshold <= score:
                    self._list(b, a.external_id, score, f"same phone; name {score:.2f} alike")

    def _list(self, desired: DesiredContact, other: str, score: float, words: str) -> None:
        alike = LookAlike(desired.external_id, other, round(score, 2), words)
        self.look_alikes.setdefault((desired.external_id, other), alike)

    # -- strong evidence

    def settle_strong(self, *, slots: bool) -> None:
        """Adopt on phone or e-mail with an agreeing name, the strongest evidence first; equal evidence is held."""
        levels: dict[tuple[int, int], list[Match]] = defaultdict(list)
        for desired in self.open():
            if (desired.slot > 0) is slots:
                for match in self._strong(desired):
                    levels[match.strength].append(match)
        for strength in sorted(levels, reverse=True):
            self._settle_level(levels[strength])
        self._skip_foreign(slots)

    def _strong(self, desired: DesiredContact) -> Iterator[Match]:
        for match in self._matches(desired):
            if match.agrees and not self.is_foreign(match.contact) and self._can_adopt(match):
                yield match

    def _can_adopt(self, match: Match) -> bool:
        return self.owner(match.contact, match.desired).ties is not _Ties.OTHERS

    def _settle_level(self, matches: list[Match]) -> None:
        live = [
            m for m in matches if m.desired.external_id not in self.pairs and m.contact.contact_id not in self.taken
        ]
        by_desired: dict[str, list[Match]] = defaultdict(list)
        claims: dict[str, int] = defaultdict(int)
        for match in live:
            by_desired[match.desired.external_id].append(match)
            claims[match.contact.contact_id] += 1
        self.contested |= {contact_id for contact_id, count in claims.items() if count > 1}
        self.contested |= {m.contact.contact_id for ms in by_desired.values() if len(ms) > 1 for m in ms}
        for found in by_desired.values():
            self._settle_claim(found)

    def _settle_claim(self, found: list[Match]) -> None:
        match = found[0]
        evidence = [m.candidate for m in found]
        if len(found) > 1:
            self._hold(match.desired, evidence, "several contacts on equal evidence", None)
        elif match.contact.contact_id in self.contested:
            self._hold(match.desired, evidence, "another of our people fits the contact as well", None)
        else:
            self.settle(match.desired, self._join(match.contact), match.contact, evidence)

    def _skip_foreign(self, slots: bool) -> None:
        for desired in self.open():
            if (desired.slot > 0) is slots:
                found = [m for m in self._matches(desired) if m.agrees and self.is_foreign(m.contact)]
                if found:
                    self._skip_owned(desired, found)

    def _skip_owned(self, desired: DesiredContact, found: list[Match]) -> None:
        best = max(found, key=attrgetter("strength", "contact.contact_id"))
        self.settle(desired, Verdict.SKIP, best.contact, [m.candidate for m in found], OWNED)

    # -- the evidence of one wanted contact

    def _matches(self, desired: DesiredContact) -> list[Match]:
        """Contacts with one of its phones or e-mails that a review has not set apart, by contact id."""
        known = self._found.get(desired.external_id)
        if known is None:
            found = {contact.contact_id: contact for contact in self._reached(desired)}
            known = [self._match(desired, found[i]) for i in sorted(found) if self._may_be(desired, i)]
            self._found[desired.external_id] = known
        return known

    def _reached(self, desired: DesiredContact) -> Iterator[RemoteContact]:
        for item in desired.values.phones:
            yield from self._alike_if_many(desired, self.index.with_phone(item.value))
        for item in desired.values.emails:
            yield from self._alike_if_many(desired, self.index.with_email(item.value))

    def _alike_if_many(self, desired: DesiredContact, contacts: tuple[RemoteContact, ...]) -> Iterable[RemoteContact]:
        if len(contacts) <= _LARGE_GROUP:
            return contacts
        alike = {contact.contact_id for contact in self.index.named_like(self.name(desired), self.rules.threshold)}
        return (contact for contact in contacts if contact.contact_id in alike)

    def _may_be(self, desired: DesiredContact, contact_id: str) -> bool:
        return (
            contact_id not in self.knowledge.gone
            and contact_id not in self.left.get(desired.client_id, ())
            and not self.is_separate(desired, contact_id)
        )

    def _match(self, desired: DesiredContact, contact: RemoteContact) -> Match:
        phones = self.index.phones_of(contact)
        emails = emails_of(contact)
        return Match(
            desired,
            contact,
            phone=any(item.value in phones for item in desired.values.phones),
            email=any(item.value.strip().casefold() in emails for item in desired.values.emails),
            name_match=self._name_match(desired, contact),
            birth=compare_births(desired.birth_date, birth_of(contact, self.rules.birth_field)),
        )

    def _name_match(self, desired: DesiredContact, contact: RemoteContact) -> NameMatch:
        """By the person's own name; by the display name only with contacts that are written in that form."""
        if desired.slot and (alike := self._display_name_match(desired, contact)) is not None:
            return alike
        theirs = self.index.name_of(contact)
        if not theirs.words:
            return NameMatch(MatchLevel.EMPTY, 0.0)
        return compare(self.name(desired), theirs, self.common, self.rules.threshold)

    def _display_name_match(self, desired: DesiredContact, contact: RemoteContact) -> NameMatch | None:
        """``James Smith - Brother`` beside another text of that form; None where that says nothing."""
        ours, theirs = split_form(desired.values.first_name), split_form(contact.display_name)
        if ours is None or theirs is None or ours[1] != theirs[1]:
            return None
        found = compare(parse_name(ours[0]), parse_name(theirs[0]), self.common, self.rules.threshold)
        return found if found.level >= MatchLevel.SIMILAR else None

    # -- the rest

    def settle_rest(self) -> None:
        """Held, created or skipped, against what is left."""
        for desired in self.open():
            if not (self._settle_shared_person(desired) or self._settle_doubtful(desired)):
                self._settle_by_name(desired)

    def _settle_shared_person(self, desired: DesiredContact) -> bool:
        """Phone and name of a contact that another living client holds: one person in two rows."""
        for match in self._matches(desired):
            owner = self.owner(match.contact, desired)
            if owner.ties is not _Ties.OTHERS or not match.phone or self._is_other_row(desired, match, owner):
                continue
            row = Candidate(owner.external_id, "row", round(match.name_match.score, 2), match.words)
            self._list(desired, owner.external_id, match.name_match.score, match.words)
            return self._hold(desired, [row], f"same person as {owner.external_id}", None)
        return False

    def _is_other_row(self, desired: DesiredContact, match: Match, owner: _Owner) -> bool:
        if self.is_separate(desired, owner.external_id) or match.birth is Birth.OTHER:
            return True
        if (other := self.by_id.get(owner.external_id)) is not None:
            return not self._are_double(other, desired)
        equal = match.name_match.level is MatchLevel.EQUAL and not match.name_match.suffix_differs
        return not (equal or same_person(self.name(desired), owner.name))

    def _settle_doubtful(self, desired: DesiredContact) -> bool:
        """Phone or e-mail of a contact that is nobody's, under another name or with another date of birth."""
        found = [m for m in self._matches(desired) if self._is_doubtful(m)]
        if not found or self._is_known(desired):
            return False
        reason = "same phone, another name" if found[0].phone else "same e-mail, another name"
        if all(m.name_match.agrees for m in found):
            reason = "the name agrees, the suffix or the date of birth does not"
        return self._hold(desired, [m.candidate for m in found], reason, found)

    def _is_known(self, desired: DesiredContact) -> bool:
        """Whether it had a contact that somebody deleted: weak evidence was weighed when that was made."""
        return self.notes.get(desired.external_id) == GONE_ONCE

    def _is_doubtful(self, match: Match) -> bool:
        ties = self.owner(match.contact, match.desired).ties
        return ties is _Ties.FREE or (ties is _Ties.RELEASED and match.name_match.agrees)

    def _settle_by_name(self, desired: DesiredContact) -> None:
        found = [] if self._is_known(desired) else self._named_alike(desired)
        held = [m for m in found if self._is_held_by_name(m)]
        self._list_named(desired, [m for m in found if m not in held] if not desired.unfit else found)
        if desired.unfit:
            self._create(desired)
        elif held and all(self.is_foreign(m.contact) for m in held):
            self._skip_owned(desired, held)
        elif held:
            writable = [m for m in held if not self.is_foreign(m.contact)]
            self._hold(desired, [m.candidate for m in writable], "name alike, another phone", writable)
        else:
            self._create(desired)

    def _create(self, desired: DesiredContact, evidence: Iterable[Candidate] = (), reason: str = "") -> None:
        """Create, unless there is nothing to create with."""
        if desired.unfit:
            self.settle(desired, Verdict.SKIP, None, evidence, desired.unfit)
        elif self._is_known(desired):
            self.settle(desired, Verdict.RECREATE, None, evidence, GONE_ONCE)
        else:
            self.settle(desired, Verdict.CREATE, None, evidence, reason)

    def _list_named(self, desired: DesiredContact, found: list[Match]) -> None:
        for match in found:
            self._list(desired, match.contact.contact_id, match.name_match.score, match.words)

    def _named_alike(self, desired: DesiredContact) -> list[Match]:
        """Contacts of nobody above the threshold, the most alike first."""
        name = self.name(desired)
        if not name.words:
            return []
        nearby = {c.contact_id: c for c in self.index.named_like(name, self.rules.threshold)}
        if desired.birth_date and self.rules.birth_field:
            nearby |= {c.contact_id: c for c in self.index.born_on(desired.birth_date, self.rules.birth_field)}
        found = [m for i in nearby if (m := self._match_by_name(desired, nearby[i]))]
        return sorted(found, key=lambda m: (-m.name_match.score, m.contact.contact_id))

    def _match_by_name(self, desired: DesiredContact, contact: RemoteContact) -> Match | None:
        name, theirs = self.name(desired), self.index.name_of(contact)
        if not self._is_near(name, theirs, desired, contact) or not self._may_be(desired, contact.contact_id):
            return None
        match = self._match(desired, contact)
        if self.owner(contact, desired).ties is not _Ties.FREE:
            return None
        expected = max(self.common.namesakes(name), self.common.namesakes(theirs))
        return replace(match, rare=match.name_match.agrees and expected < RARE_NAMESAKES)

    def _is_near(self, name: Name, theirs: Name, desired: DesiredContact, contact: RemoteContact) -> bool:
        """Above the threshold, or born on the same day and with something of the name in common."""
        score = similarity(name, theirs)
        if score >= self.rules.threshold:
            return True
        if compare_births(desired.birth_date, birth_of(contact, self.rules.birth_field)) is not Birth.SAME:
            return False
        return score >= ALIKE_WITH_BIRTH or not set(name.words).isdisjoint(theirs.words)

    def _is_held_by_name(self, match: Match) -> bool:
        if match.birth is Birth.OTHER or (match.name_match.suffix_differs and not match.name_match.agrees):
            return False
        born_alike = match.birth in (Birth.SAME, Birth.CLOSE)
        return match.name_match.identical or match.rare or born_alike or match.email

    # -- holding, by policy

    def _hold(
        self, desired: DesiredContact, evidence: list[Candidate], reason: str, choices: list[Match] | None
    ) -> bool:
        """Hold, or what the policy says instead. ``choices`` are contacts that the policy ``link`` may adopt."""
        policy = self.rules.on_possible_duplicate
        fixed = any(candidate.kind == "external id" for candidate in evidence)
        if policy == "create" and not fixed:
            if evidence[0].kind == "row":
                return False
            self._create(desired, evidence, reason)
        elif policy == "link" and (best := self._best(choices or [])):
            self.settle(desired, Verdict.ADOPT, best.contact, evidence, reason)
        else:
            self.settle(desired, Verdict.HOLD, None, evidence, reason)
        return True

    def _best(self, choices: list[Match]) -> Match | None:
        """The one choice above the threshold that no other equals."""
        good = [m for m in choices if m.name_match.score >= self.rules.threshold and m.birth is not Birth.OTHER]
        top = [m for m in good if m.name_match.score == max(g.name_match.score for g in good)]
        free = len(top) == 1 and top[0].contact.contact_id not in self.taken
        return top[0] if free and not self.is_foreign(top[0].contact) else None


def set_of(group: Iterable[DesiredContact]) -> list[DesiredContact]:
    """Each wanted contact once: the same number may stand in two of its items."""
    return list({desired.external_id: desired for desired in group}.values())
