"""What the passes have decided so far: who is decided, which contacts are taken, and whose a contact is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from openphone_sync.model import (
    Candidate,
    DesiredContact,
    Holds,
    Link,
    LookAlike,
    Makes,
    MatchResult,
    Meets,
    Reason,
    RemoteContact,
    Skips,
    Standing,
    Tie,
    Why,
)
from openphone_sync.rules.matching.context import Context, Key, find_client_id, key_of, person_of
from openphone_sync.rules.matching.decisions import UNKNOWN, Human, make_human
from openphone_sync.rules.matching.index import Birth, Match
from openphone_sync.rules.names import MatchLevel

ID_REASONS = frozenset({Reason.SEVERAL_CARRY_ID, Reason.ID_OF_OTHER_SOURCE})
"""Held under every policy: to create a contact beside an equal external id helps nobody."""


class Holder(Enum):
    """Whose a contact is."""

    NOBODY = "nobody's"
    FORMER = "of a person who is gone from the source, or from its slot"
    ANOTHER = "of another of our people"


@dataclass(frozen=True, slots=True)
class Owner:
    """``desired`` is the wanted contact that holds it, if that is in play; ``link`` the link, if one knows it."""

    holder: Holder
    external_id: str = ""
    human: Human = UNKNOWN
    desired: DesiredContact | None = None
    link: Link | None = None


NO_OWNER = Owner(Holder.NOBODY)


class Ledger:
    """Results by (client id, slot). A contact that is met is nobody else's from then on."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.results: dict[Key, MatchResult] = {}
        self.taken: dict[str, Key] = {}  # contact id -> who meets it in this run
        self.contested: set[str] = set()  # contacts that several wanted contacts fit equally well
        self.vacated: dict[str, Key] = {}  # contact id -> client and slot that had it, and do not meet it now
        self.deleted_once: set[Key] = set()
        self.handed_over: set[Key] = set()  # another person has the slot now
        self._reserved: set[str] = set()  # candidates that a review will offer
        self.look_alikes: dict[tuple[str, str], LookAlike] = {}

    def open(self, kind: Callable[[DesiredContact], bool] | None = None) -> list[DesiredContact]:
        """The wanted contacts that are not decided yet, clients first, then the older row."""
        return [
            desired
            for desired in self.context.wanted
            if key_of(desired) not in self.results and (kind is None or kind(desired))
        ]

    def is_open(self, desired: DesiredContact) -> bool:
        """Whether it is not decided yet."""
        return key_of(desired) not in self.results

    def is_made_again(self, desired: DesiredContact) -> bool:
        """Whether its contact was deleted in the app for the first time, and is created again unless it fits another."""
        return key_of(desired) in self.deleted_once and not desired.unfit

    def is_skipped(self, client_id: str, external_id: str) -> bool:
        """Whether the row is in play and nothing is written for it."""
        people = self.context.by_client.get(client_id, ())
        rows = [desired for desired in people if desired.external_id == external_id]
        return any(isinstance(self.results.get(key_of(desired)), Skips) for desired in rows)

    # --- results -----------------------------------------------------------------------------------------------------

    def meet(
        self,
        desired: DesiredContact,
        contact_id: str,
        tie: Tie,
        evidence: Iterable[Candidate] = (),
        reason: Reason | None = None,
    ) -> None:
        """The wanted contact meets this contact."""
        if reason is None and key_of(desired) in self.handed_over:
            reason = Reason.SLOT_HANDED_OVER
        why = Why(reason) if reason else None
        self.results[key_of(desired)] = Meets(desired, contact_id, tie, tuple(evidence), why)
        self.taken[contact_id] = key_of(desired)

    def make(self, desired: DesiredContact, why: Why | None = None, evidence: Iterable[Candidate] = ()) -> None:
        """A contact is created, unless the source has nothing to create one with."""
        key, evidence = key_of(desired), tuple(evidence)
        if desired.unfit:
            reason = Reason.PHONE_UNUSABLE if desired.phones_unusable else Reason.NO_PHONE
            self.results[key] = Skips(desired, Why(reason), evidence)
        elif key in self.deleted_once:
            self.results[key] = Makes(desired, True, evidence, Why(Reason.DELETED_ONCE))
        else:
            handed_over = Why(Reason.SLOT_HANDED_OVER) if key in self.handed_over else None
            self.results[key] = Makes(desired, False, evidence, handed_over or why)

    def skip(
        self, desired: DesiredContact, why: Why, evidence: Iterable[Candidate] = (), contact_id: str | None = None
    ) -> None:
        """Nothing is written."""
        self.results[key_of(desired)] = Skips(desired, why, tuple(evidence), contact_id)

    def skip_linked(self, desired: DesiredContact, contact_id: str) -> None:
        """Nothing is written to its own contact, which an integration owns; it is nobody else's."""
        self.results[key_of(desired)] = Skips(desired, Why(Reason.OWNED_BY_INTEGRATION), (), contact_id, linked=True)
        self.taken[contact_id] = key_of(desired)

    def skip_owned(self, desired: DesiredContact, found: Sequence[Match]) -> None:
        """Nothing is written: only contacts that integrations own fit."""
        best = max(found, key=lambda match: (match.strength, match.contact.contact_id))
        evidence = [match.candidate for match in found]
        self.skip(desired, Why(Reason.OWNED_BY_INTEGRATION), evidence, best.contact.contact_id)

    def hold(
        self, desired: DesiredContact, why: Why, evidence: Sequence[Candidate], choices: Sequence[Match] = ()
    ) -> bool:
        """Hold, or do what the policy says instead; False if that leaves it to the later passes.

        ``choices`` are contacts that the policy ``link`` may adopt.
        """
        policy = self.context.rules.on_possible_duplicate
        if policy == "create" and why.reason not in ID_REASONS:
            if why.reason is Reason.SAME_PERSON:
                return False  # the other row is not in its way: it may still fit a contact
            self.make(desired, why, evidence)
        elif policy == "link" and (best := self._choose_clear_best(choices)):
            self.meet(desired, best.contact.contact_id, Tie.ADOPTED, evidence, why.reason)
        else:
            self.results[key_of(desired)] = Holds(desired, why, tuple(evidence))
            self._reserved |= {candidate.subject for candidate in evidence}
        return True

    def _choose_clear_best(self, choices: Sequence[Match]) -> Match | None:
        """The one choice above the threshold that no other equals, if nobody older waits for it."""
        threshold = self.context.rules.threshold
        mine = [
            match
            for match in choices
            if match.birth is not Birth.OTHER and match.name_match.level is not MatchLevel.MORE
        ]
        good = [match for match in mine if match.name_match.score >= threshold]
        best = [match for match in good if match.name_match.score == max(other.name_match.score for other in good)]
        if len(best) != 1 or self.context.is_foreign(best[0].contact):
            return None
        contact_id = best[0].contact.contact_id
        free = contact_id not in self.contested and contact_id not in self._reserved
        return best[0] if free else None

    def list_look_alike(self, desired: DesiredContact, other: str, score: float, words: str) -> None:
        """For `problems`: it resembles a contact or another row, and is not held for it."""
        alike = LookAlike(desired.external_id, other, round(score, 2), words)
        self.look_alikes.setdefault((desired.external_id, other), alike)

    # --- whose a contact is ------------------------------------------------------------------------------------------

    def vacate(self, contact_id: str, key: Key) -> None:
        """The wanted contact that had it does not meet it: it stays as it is, and another person may."""
        self.vacated[contact_id] = key

    def may_meet(self, desired: DesiredContact, contact: RemoteContact) -> bool:
        """Whether nothing but missing evidence speaks against it."""
        client_id, slot = self.vacated.get(contact.contact_id, ("", 0))
        if desired.slot and slot and client_id == desired.client_id:
            return False  # among alternates of one client it was weighed by person already
        return self.context.may_be(desired, contact.contact_id)

    def taker_of(self, contact: RemoteContact) -> Meets | None:
        """The result of this run that meets the contact."""
        key = self.taken.get(contact.contact_id)
        result = self.results[key] if key is not None else None
        return result if isinstance(result, Meets) else None

    def owner_of(self, contact: RemoteContact, desired: DesiredContact) -> Owner:
        """Whose the contact is, seen from ``desired``."""
        context, contact_id = self.context, contact.contact_id
        taker, link = self.taken.get(contact_id), context.known.owners.get(contact_id)
        if taker is not None:
            other = context.by_key[taker]
            return Owner(Holder.ANOTHER, other.external_id, context.human(other), other, link)
        if link is None:
            return self._find_owner_by_external_id(contact, desired)
        row = context.wanted_of(link)
        left = contact_id in self.vacated or (link.standing is Standing.ORPHANED and row is None)
        if left or not context.is_in_source(link.client_id):
            holder = Holder.FORMER
        elif (link.client_id, link.external_id) == (desired.client_id, desired.external_id):
            return NO_OWNER
        else:
            holder = Holder.ANOTHER
        human = context.human(row) if row else make_human(person_of(link))
        return Owner(holder, link.external_id, human, row, link)

    def _find_owner_by_external_id(self, contact: RemoteContact, desired: DesiredContact) -> Owner:
        """A contact that this tool made belongs to the row that its external id names, though no link knows it."""
        if not self.context.is_ours(contact) or not contact.external_id:
            return NO_OWNER
        client_id = find_client_id(contact.external_id)
        row = contact.external_id.partition("~")[0]
        if client_id is None or row == desired.external_id:
            return NO_OWNER
        # What a row that has another contact once had is a leftover, as is what was made for a row that is gone.
        if self._has_other_contact(client_id, row, contact.contact_id):
            return Owner(Holder.FORMER, row)
        if contact.contact_id in self.vacated or not self.context.is_wanted(client_id, row):
            return Owner(Holder.FORMER, row)
        return Owner(Holder.ANOTHER, row)

    def _has_other_contact(self, client_id: str, external_id: str, contact_id: str) -> bool:
        """Whether the row has another contact than this one: from before, or since an earlier pass of this run."""
        if external_id in self.context.contacts_by_external_id:
            return True
        rows = [row for row in self.context.by_client.get(client_id, ()) if row.external_id == external_id]
        results = [self.results.get(key_of(row)) for row in rows]
        return any(isinstance(result, Meets) and result.contact_id != contact_id for result in results)
