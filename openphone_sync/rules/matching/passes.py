"""The passes of matching, in the order of evidence: each decides what it can and leaves the rest to the next.

The first paragraph of a pass's docstring is its line in docs/deciding.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache

from openphone_sync.model import Candidate, Decision, DesiredContact, Reason, RemoteContact, Tie, Why
from openphone_sync.rules.matching.alternates import linked_alternates, meet_linked
from openphone_sync.rules.matching.context import Context, base_of, birth_in, find_client_id, key_of, person_of
from openphone_sync.rules.matching.decisions import make_human
from openphone_sync.rules.matching.duplicate_rows import are_separate, duplicate_rows
from openphone_sync.rules.matching.index import Birth, Match, birth_of, compare_births
from openphone_sync.rules.matching.ledger import Holder, Ledger, Owner
from openphone_sync.rules.names import MatchLevel, Name, compare, same_person, similarity

RARE_NAMESAKES = 0.02
"""A name is rare when chance would bring fewer people of that name among all names seen."""

EXPECTED_NAMESAKES = 1.0
EXPECTED_WITH_OTHER_PHONE = 0.15
"""From here on a name that is identical in full says little: chance brings a namesake. Less chance is enough where both have a
phone and not the same: at 1.0, 4.7 % of new clients were held for one of 100,000 strangers, at 0.15 1.7 %
(benchmarks/matching_speed.py).
"""

SIMILAR_WITH_BIRTH = 0.70
"""Enough with the same date of birth, as is one equal word. Chosen on FEBRL 1 to 4, where with it the recall of held rose from
0.74-0.77 to 0.90-0.93 at a precision above 0.99 (benchmarks/matching_quality.py measures it)."""

Pass = Callable[[Ledger, Context], None]
Kind = Callable[[DesiredContact], bool]


def clients(desired: DesiredContact) -> bool:
    """Whether it is the client."""
    return not desired.slot


def alternates(desired: DesiredContact) -> bool:
    """Whether it is one of the client's alternates."""
    return desired.slot > 0


# --- what this tool knows ----------------------------------------------------------------------------------------


def linked_clients(ledger: Ledger, context: Context) -> None:
    """A client with a link from an earlier run keeps that contact, whatever name or phone it has now."""
    for desired in ledger.open(clients):
        link = context.link_of(desired)
        if link is not None and link.contact_id:
            meet_linked(ledger, desired, link)
    # A contact that its client does not meet any more may be another person's.
    for desired in filter(clients, context.wanted):
        link = context.link_of(desired)
        if link is not None and link.contact_id and link.contact_id not in ledger.taken:
            ledger.vacate(link.contact_id, key_of(desired))


# --- what a person decided -------------------------------------------------------------------------------------------


def reviewed(ledger: Ledger, context: Context) -> None:
    """A review has decided: the contact is linked, the row is left to another row, or the contact is not created again.

    Only for those without a link: a link that holds was made later. That a contact was set apart from a person is respected
    by all passes.
    """
    for desired in ledger.open():
        for decision in context.decisions.links.get(key_of(desired), ()):
            if ledger.is_open(desired):
                _link_contact(ledger, context, desired, decision.candidate)
    # The younger row first: of two that were each decided to be the other, the older one is written.
    for desired in reversed(ledger.open()):
        for decision in context.decisions.links.get(key_of(desired), ()):
            if ledger.is_open(desired):
                _link_row(ledger, context, desired, decision)
    for desired in ledger.open():
        if key_of(desired) in context.decisions.declined:
            ledger.skip(desired, Why(Reason.DELETED_TWICE))


def _link_contact(ledger: Ledger, context: Context, desired: DesiredContact, contact_id: str) -> None:
    """Make the pair, if the contact is there and not another person's."""
    contact = context.index.get(contact_id)
    if contact is None or contact_id in context.known.gone:
        return
    if ledger.owner_of(contact, desired).holder is Holder.ANOTHER:
        return
    if context.is_foreign(contact):
        ledger.skip(desired, Why(Reason.OWNED_BY_INTEGRATION), contact_id=contact_id)
    else:
        ledger.meet(desired, contact_id, _tie(context, contact), reason=Reason.DECIDED)


def _link_row(ledger: Ledger, context: Context, desired: DesiredContact, decision: Decision) -> None:
    """The row is the same person as another row, which is written: this one is not, while the source has that one."""
    client_id = find_client_id(decision.candidate)
    if client_id is None or context.index.get(decision.candidate) or not context.is_in_source(client_id):
        return
    external_id = context.decisions.find_row(decision, client_id)
    if external_id is None or external_id == desired.external_id or ledger.is_skipped(client_id, external_id):
        return
    row = Candidate(external_id, "row", 1.0, "decided in a review")
    ledger.skip(desired, Why(Reason.DECIDED_SAME_PERSON, external_id), [row])


def _tie(context: Context, contact: RemoteContact) -> Tie:
    """What this tool made is not a person's contact, no matter for whom it was made."""
    return Tie.OWN if context.is_ours(contact) else Tie.ADOPTED


# --- what this tool wrote --------------------------------------------------------------------------------------------


def same_external_id(ledger: Ledger, context: Context) -> None:
    """A contact has the external id: ours is linked, another source's only if phone or name agrees; of several, none is.

    External ids are unique for each source: our own go first.
    """
    for desired in ledger.open():
        found = _find_with_external_id(ledger, desired)
        ours = [contact for contact in found if context.is_ours(contact)]
        evidence = [_describe_external_id(context, desired, contact) for contact in ours or found]
        agreeing = [contact for contact in found if _agrees_with_external_id(context, desired, contact)]
        if len(ours) == 1:
            ledger.meet(desired, ours[0].contact_id, Tie.OWN, evidence)
        elif len(agreeing) == 1 and not ours:
            _adopt_by_external_id(ledger, context, desired, agreeing[0])
        elif len(found) > 1:
            ledger.hold(desired, Why(Reason.SEVERAL_CARRY_ID), evidence)
            ledger.contested |= {contact.contact_id for contact in found}


def _adopt_by_external_id(ledger: Ledger, context: Context, desired: DesiredContact, contact: RemoteContact) -> None:
    evidence = [_describe_external_id(context, desired, contact)]
    if context.is_foreign(contact):
        ledger.skip(desired, Why(Reason.OWNED_BY_INTEGRATION), evidence, contact.contact_id)
    else:
        ledger.meet(desired, contact.contact_id, Tie.ADOPTED, evidence)


def _find_with_external_id(ledger: Ledger, desired: DesiredContact) -> list[RemoteContact]:
    context, found = ledger.context, []
    contacts = context.index.with_external_id(desired.external_id)
    if not any(context.is_ours(contact) for contact in contacts):
        contacts += context.find_numbered(desired)  # it was taken when our contact was created
    for contact in contacts:
        if context.is_separate(desired, contact.contact_id) and context.is_ours(contact):
            ledger.vacate(contact.contact_id, key_of(desired))
        elif ledger.may_meet(desired, contact) and ledger.owner_of(contact, desired).holder is Holder.NOBODY:
            found.append(contact)
    return found


def _agrees_with_external_id(context: Context, desired: DesiredContact, contact: RemoteContact) -> bool:
    """Whether phone or name agrees, on a contact to which another source gave our external id."""
    match = context.match(desired, contact)
    theirs = context.says_who(contact) if desired.slot else None
    if theirs and theirs.words and context.name(desired).words:
        # All of a client's brothers are shown alike, so the name that an earlier setting of ours wrote there decides.
        return compare(context.name(desired), theirs, threshold=context.rules.threshold).agrees
    return match.phone or (match.name_match.agrees and match.name_match.level is not MatchLevel.EMPTY)


def _describe_external_id(context: Context, desired: DesiredContact, contact: RemoteContact) -> Candidate:
    match = context.match(desired, contact)
    source = "our source" if contact.source == context.rules.source else "another source"
    words = f"same external id, {source}; {match.words}"
    return Candidate(contact.contact_id, "external id", round(match.name_match.score, 2), words)


# --- strong evidence -------------------------------------------------------------------------------------------------


@cache
def strong(kind: Kind) -> Pass:
    """A contact has the same phone or e-mail and an agreeing name: adopted, the strongest first. Equal evidence is held."""

    def decide_strong(ledger: Ledger, context: Context) -> None:
        levels: dict[tuple[int, int], list[Match]] = defaultdict(list)
        for desired in ledger.open(kind):
            for match in _find_agreeing(ledger, desired):
                if not context.is_foreign(match.contact):
                    levels[match.strength].append(match)
        for strength in sorted(levels, reverse=True):
            _decide_level(ledger, context, levels[strength])
        for desired in ledger.open(kind):
            owned = [match for match in _find_agreeing(ledger, desired) if context.is_foreign(match.contact)]
            if owned:
                ledger.skip_owned(desired, owned)

    decide_strong.__name__, decide_strong.__doc__ = f"strong({kind.__name__})", strong.__doc__
    return decide_strong


def _find_agreeing(ledger: Ledger, desired: DesiredContact) -> Iterator[Match]:
    for match in ledger.context.matches(desired):
        contact = match.contact
        if not match.agrees or not ledger.may_meet(desired, contact):
            continue
        if ledger.owner_of(contact, desired).holder is not Holder.ANOTHER:
            yield match


def _decide_level(ledger: Ledger, context: Context, matches: Sequence[Match]) -> None:
    """All evidence of one strength together, so that the order of rows does not decide who gets a contact."""
    by_desired: dict[tuple[str, int], list[Match]] = defaultdict(list)
    for match in matches:
        if ledger.is_open(match.desired) and match.contact.contact_id not in ledger.taken:
            by_desired[key_of(match.desired)].append(match)
    claims = Counter(match.contact.contact_id for found in by_desired.values() for match in found)
    ledger.contested |= {contact_id for contact_id, count in claims.items() if count > 1}
    ledger.contested |= {m.contact.contact_id for found in by_desired.values() if len(found) > 1 for m in found}
    for found in by_desired.values():
        desired, contact, evidence = found[0].desired, found[0].contact, [match.candidate for match in found]
        if len(found) > 1:
            ledger.hold(desired, Why(Reason.SEVERAL_CANDIDATES), evidence)
        elif contact.contact_id in ledger.contested:
            ledger.hold(desired, Why(Reason.WANTED_BY_ANOTHER), evidence)
        else:
            ledger.meet(desired, contact.contact_id, _tie(context, contact), evidence)


# --- weak evidence ---------------------------------------------------------------------------------------------------


def weak(ledger: Ledger, context: Context) -> None:
    """The same phone or e-mail under another name, and a rare name that is equal, are held. Everybody else is created."""
    for desired in ledger.open():
        held = _hold_for_external_id(ledger, context, desired) or _hold_for_other_row(ledger, context, desired)
        if not held and not _hold_for_doubt(ledger, desired):
            _decide_by_name(ledger, context, desired)


def _hold_for_external_id(ledger: Ledger, context: Context, desired: DesiredContact) -> bool:
    """Its external id, given out by another source, on contacts that have not turned out to be another person's."""
    found = _find_with_external_id(ledger, desired)
    if not found:
        return False
    evidence = [_describe_external_id(context, desired, contact) for contact in found]
    if all(context.is_foreign(contact) for contact in found):
        ledger.skip(desired, Why(Reason.OWNED_BY_INTEGRATION), evidence, found[0].contact_id)
        return True
    return ledger.hold(desired, Why(Reason.ID_OF_OTHER_SOURCE), evidence)


def _hold_for_other_row(ledger: Ledger, context: Context, desired: DesiredContact) -> bool:
    """Phone and name of a contact that another client still in the source holds: one person in two rows."""
    for match in context.matches(desired):
        owner = ledger.owner_of(match.contact, desired)
        if owner.holder is not Holder.ANOTHER:
            continue
        later = match
        result = ledger.taker_of(match.contact)
        if result is not None:
            later = context.match(desired, context.after_update(match.contact, result, owner.link))
        if later.phone and _is_person_of_owner(ledger, context, later, owner):
            ledger.list_look_alike(desired, owner.external_id, later.name_match.score, later.words)
            row = Candidate(owner.external_id, "row", round(later.name_match.score, 2), later.words)
            return ledger.hold(desired, Why(Reason.SAME_PERSON, owner.external_id), [row])
    return False


def _is_person_of_owner(ledger: Ledger, context: Context, match: Match, owner: Owner) -> bool:
    desired = match.desired
    if are_separate(ledger, desired, owner.external_id, owner.human, owner.desired) or match.birth is Birth.OTHER:
        return False
    theirs = owner.desired.values if owner.desired else base_of(owner.link)
    births = [birth_in(values, context.rules.birth_field) for values in (desired.values, theirs)]
    if compare_births(*births) is Birth.OTHER:
        return False
    if same_person(context.name(desired), owner.human.name):
        return True
    if match.contact.display_name == (theirs.first_name if theirs else ""):
        return False  # the row that it was written for has said already that it is somebody else
    own = context.compare_own_name(desired, match.contact)
    return own.level >= MatchLevel.NICKNAME and not own.suffix_differs


def _hold_for_doubt(ledger: Ledger, desired: DesiredContact) -> bool:
    """Phone or e-mail of a contact that is nobody's, under another name or with another date of birth."""
    if ledger.is_made_again(desired):
        return False  # weak evidence was weighed when the deleted contact was made
    found = [match for match in ledger.context.matches(desired) if _is_doubtful(ledger, match)]
    if not found:
        return False
    reason = Reason.PHONE_OTHER_NAME if found[0].phone else Reason.EMAIL_OTHER_NAME
    if all(match.name_match.agrees for match in found):
        reason = Reason.SUFFIX_OR_BIRTH_DIFFERS
    return ledger.hold(desired, Why(reason), [match.candidate for match in found], found)


def _is_doubtful(ledger: Ledger, match: Match) -> bool:
    if not ledger.may_meet(match.desired, match.contact):
        return False
    owner = ledger.owner_of(match.contact, match.desired)
    if owner.holder is not Holder.FORMER:
        return owner.holder is Holder.NOBODY
    # A row that was deleted and added again: staff may have named the contact otherwise, or linked it under another name.
    return match.name_match.agrees or _is_former_owner(ledger.context, match.desired, owner)


def _is_former_owner(context: Context, desired: DesiredContact, owner: Owner) -> bool:
    """Whether the contact was written for a person of the same name."""
    return owner.link is not None and same_person(context.name(desired), make_human(person_of(owner.link)).name)


def _decide_by_name(ledger: Ledger, context: Context, desired: DesiredContact) -> None:
    found = [] if ledger.is_made_again(desired) else _find_similar_names(ledger, context, desired)
    held = [match for match in found if _is_held_by_name(context, match)]
    for match in found:
        if match not in held or desired.unfit:
            ledger.list_look_alike(desired, match.contact.contact_id, match.name_match.score, match.words)
    writable = [match for match in held if not context.is_foreign(match.contact)]
    if desired.unfit or not held:
        ledger.make(desired)
    elif writable:
        ledger.hold(desired, Why(Reason.NAME_OTHER_PHONE), [match.candidate for match in writable], writable)
    else:
        ledger.skip_owned(desired, held)


def _find_similar_names(ledger: Ledger, context: Context, desired: DesiredContact) -> list[Match]:
    """Contacts of nobody above the threshold, or born on the same day with a part of the name, the most similar first."""
    name, rules = context.name(desired), context.rules
    if not name.words:
        return []
    nearby = context.names.named_like(name, rules.threshold)
    if desired.birth_date and rules.birth_field:
        listed = {contact.contact_id for contact, _ in nearby}
        born = context.index.born_on(desired.birth_date, rules.birth_field)
        nearby += [(contact, context.index.name_of(contact)) for contact in born if contact.contact_id not in listed]
    found = []
    for contact, theirs in nearby:
        near = similarity(name, theirs, rules.threshold) >= rules.threshold
        if not (near or _is_near_by_birth(context, desired, contact)) or not ledger.may_meet(desired, contact):
            continue
        if ledger.owner_of(contact, desired).holder is Holder.NOBODY:
            match = context.match(desired, contact)
            namesakes = max(context.common.namesakes(name), context.common.namesakes(theirs))
            found.append(replace(match, rare=match.name_match.agrees and namesakes < RARE_NAMESAKES))
    return sorted(found, key=lambda match: (-match.name_match.score, match.contact.contact_id))


def _is_near_by_birth(context: Context, desired: DesiredContact, contact: RemoteContact) -> bool:
    if compare_births(desired.birth_date, birth_of(contact, context.rules.birth_field)) is not Birth.SAME:
        return False
    ours, theirs = context.name(desired), context.index.name_of(contact)
    return similarity(ours, theirs) >= SIMILAR_WITH_BIRTH or not set(ours.words).isdisjoint(theirs.words)


def _is_held_by_name(context: Context, match: Match) -> bool:
    if match.birth is Birth.OTHER or (match.name_match.suffix_differs and not match.name_match.agrees):
        return False
    if match.birth in (Birth.SAME, Birth.CLOSE) or match.email or match.rare:
        return True
    other_phone = match.desired.values.phones and match.contact.phones and not match.phone
    bound = EXPECTED_WITH_OTHER_PHONE if other_phone else EXPECTED_NAMESAKES
    return match.name_match.identical and _expect_namesakes(context, context.name(match.desired)) < bound


def _expect_namesakes(context: Context, name: Name) -> float:
    """How many namesakes chance brings among all names seen.

    Judged by how often its words stand in other names: those that are equal in full may be one person's.
    """
    equal = context.count_equal_names(name)
    others = max(context.common.people - equal, 1)
    expected = float(others)
    for word in set(name.words):
        expected *= max(context.common.count(word) - equal, 0) / others
    return expected


PASSES: tuple[Pass, ...] = (
    linked_clients,
    linked_alternates,
    reviewed,
    same_external_id,
    duplicate_rows,
    strong(clients),
    strong(alternates),
    weak,
)
"""The order of evidence."""
