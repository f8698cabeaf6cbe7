"""Alternates: links follow the persons of one client (own name and phones), not the slots they stand in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openphone_sync.model import DesiredContact, Link, Reason, RemoteContact, Standing, Tie, Why
from openphone_sync.rules.matching.context import Context, key_of, person_of, rank
from openphone_sync.rules.matching.decisions import Human
from openphone_sync.rules.matching.ledger import Ledger
from openphone_sync.rules.names import compare, parse_name, same_person


@dataclass(frozen=True, slots=True)
class Place:
    """What an alternate's slot holds from before: a contact, with its link unless the state was lost."""

    slot: int
    contact_id: str
    human: Human
    link: Link | None


def linked_alternates(ledger: Ledger, context: Context) -> None:
    """Related people keep their contacts by their own name and phones, also when they change places in the client's row."""
    links = _group_links(ledger, context)
    for client_id, people in context.by_client.items():
        alternates = sorted((d for d in people if d.slot and ledger.is_open(d)), key=rank)
        if _stay_as_before(ledger, alternates, links.get(client_id, ())):
            continue
        places = [_make_place(context, link) for link in links.get(client_id, ())]
        places += _find_unlinked_places(ledger, client_id)
        if places:
            _assign(ledger, client_id, alternates, places)


def _group_links(ledger: Ledger, context: Context) -> Mapping[str, list[Link]]:
    """Links of the clients' earlier alternates that hold a contact."""
    links: dict[str, list[Link]] = defaultdict(list)
    for link in sorted(context.known.links.values(), key=lambda link: link.external_id):
        if not link.slot or not link.contact_id or link.contact_id in ledger.taken:
            continue
        if link.standing is not Standing.DECLINED:
            links[link.client_id].append(link)
    return links


def _stay_as_before(ledger: Ledger, alternates: Sequence[DesiredContact], links: Sequence[Link]) -> bool:
    """The usual case, decided without reading a name: all are in their old slots, under different names."""
    before = {link.slot: link for link in links if link.person}
    persons = {desired.slot: desired.person for desired in alternates}
    if not len(links) == len(before) == len(set(persons.values())):
        return False
    if persons != {slot: link.person for slot, link in before.items()}:
        return False
    contact_ids = {slot: link.contact_id or "" for slot, link in before.items()}
    if any(ledger.context.is_separate(desired, contact_ids[desired.slot]) for desired in alternates):
        return False
    if not ledger.context.known.gone.isdisjoint(contact_ids.values()):
        return False  # where one is gone, what the state does not know must not stand in for it: it may be a former person's
    for desired in alternates:
        meet_linked(ledger, desired, before[desired.slot])
    return True


def _make_place(context: Context, link: Link) -> Place:
    """The link's own data tell who was there, so that an incremental run needs no contact and decides as a full one."""
    contact_id = link.contact_id or ""
    phones, contact = frozenset(person_of(link).phones), context.index.get(contact_id)
    if link.base is None and contact is not None:
        phones |= context.index.phones_of(contact)
    return Place(link.slot, contact_id, Human(parse_name(link.person), phones), link)


def _find_unlinked_places(ledger: Ledger, client_id: str) -> list[Place]:
    """Contacts that carry our alternates' external ids while the state knows nothing of them."""
    context = ledger.context
    by_external_id: dict[str, list[tuple[int, RemoteContact]]] = defaultdict(list)
    for slot, contact in context.unlinked_own.get(client_id, ()):
        contact_id = contact.contact_id
        if slot and contact_id not in context.known.gone and contact_id not in ledger.taken:
            by_external_id[contact.external_id or ""].append((slot, contact))
    return [
        Place(slot, contact.contact_id, Human(context.says_who(contact), context.index.phones_of(contact)), None)
        for found in by_external_id.values()
        if len(found) == 1  # several with one id are held, by the pass over external ids
        for slot, contact in found
    ]


def _assign(ledger: Ledger, client_id: str, alternates: Sequence[DesiredContact], places: Sequence[Place]) -> None:
    """Give each place to the person who fits it best."""
    context = ledger.context
    fits = [
        (-fit, place.slot != desired.slot, desired.slot, place.slot, place.contact_id, desired, place)
        for desired in alternates
        for place in places
        if not _is_refused(context, desired, place) and (fit := _rate(context, desired, place))
    ]
    used: set[str] = set()
    placed: set[int] = set()
    for *_, desired, place in sorted(fits, key=lambda entry: entry[:5]):
        if place.contact_id in used or desired.slot in placed:
            continue
        used.add(place.contact_id)
        if place.link is not None:
            meet_linked(ledger, desired, place.link)
        else:
            ledger.meet(desired, place.contact_id, Tie.OWN)  # this tool made it, and the state knows nothing of it
        if not ledger.is_open(desired):  # whose contact was deleted may still fit another place
            placed.add(desired.slot)
    # The contacts of those who left stay as they are, and newcomers to those slots are new people.
    left = [place for place in places if place.contact_id not in used]
    for place in left:
        ledger.vacate(place.contact_id, (client_id, place.slot))
    left_slots = {place.slot for place in left}
    newcomers = [desired for desired in alternates if desired.slot in left_slots and desired.slot not in placed]
    ledger.handed_over.update(key_of(desired) for desired in newcomers)


def _is_refused(context: Context, desired: DesiredContact, place: Place) -> bool:
    """Whether a review set them apart, or who was deleted twice would come back by a contact that the state does not know."""
    declined = place.link is None and key_of(desired) in context.decisions.declined
    return declined or context.is_separate(desired, place.contact_id)


def _rate(context: Context, desired: DesiredContact, place: Place) -> int:
    """How well a place fits a person: 0 not at all. Own names come first, then phones, then the slot."""
    human, same_slot = context.human(desired), place.slot == desired.slot
    phone = not place.human.phones.isdisjoint(human.phones)
    if not human.name.words or not place.human.name.words:
        return 3 if phone else int(same_slot)
    if same_person(human.name, place.human.name):
        return 6 if phone else 5
    if compare(human.name, place.human.name, threshold=context.rules.threshold).agrees:
        return 4
    # The same phone in the same slot under another name: the person married, or was misspelt beyond recognition.
    return 2 if phone and same_slot else 0


def meet_linked(ledger: Ledger, desired: DesiredContact, link: Link) -> None:
    """Meet the contact of a link, which need not have been read, unless something speaks against it."""
    context, contact_id = ledger.context, link.contact_id or ""
    contact = context.index.get(contact_id)
    if contact_id in ledger.taken or context.is_separate(desired, contact_id):
        return
    if contact_id in context.known.gone:
        # Deleting it twice is a decision about that person; the one who has the slot now was never deleted.
        if link.times_gone and context.is_person_of(desired, link):
            ledger.skip(desired, Why(Reason.DELETED_TWICE))
        else:
            ledger.deleted_once.add(key_of(desired))
    elif contact is not None and context.is_foreign(contact):
        ledger.skip_linked(desired, contact_id)
    else:
        ledger.meet(desired, contact_id, Tie.LINKED)
