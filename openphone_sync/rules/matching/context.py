"""What matching reads and never changes: what is wanted, what the workspace holds, what earlier runs know. Pure."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from openphone_sync.model import (
    Choice,
    ContactValues,
    Decision,
    DesiredContact,
    Link,
    LookAlike,
    MatchResult,
    Meets,
    Person,
    RemoteContact,
    Standing,
)
from openphone_sync.rules.comparing import find_day, fold_email
from openphone_sync.rules.matching.decisions import Human, ResolvedDecisions, are_same, make_human
from openphone_sync.rules.matching.index import (
    Match,
    NameIndex,
    RemoteIndex,
    birth_of,
    compare_births,
    emails_of,
    field_text,
)
from openphone_sync.rules.merging import MergeRules, merge
from openphone_sync.rules.names import Commonness, MatchLevel, Name, NameMatch, compare, parse_name, split_form

INTEGRATION_PREFIX = "openphone-"
"""Sources of native integrations begin so (vendor document: reserved; seen live: ``openphone-clio``)."""

WRITABLE_SOURCES = frozenset({"", "ios", "android", "csv", "public-api"})
"""Sources that belong to no integration: a contact of one that answers 403 says something of the API key only."""

LARGE_GROUP = 25
"""A number on more contacts or rows than this is a jail's, a court's or a placeholder: there the number is evidence only
together with a similar name, and nobody is compared with everybody."""

_OUR_ID = re.compile(r"client_(?P<client>.+?)(?:_alt_(?P<slot>[0-9]+))?(?:~[0-9]+)?", re.DOTALL)
"""``~2`` and so on is put behind an external id that was taken when its contact was created."""

Key = tuple[str, int]
"""Client id and slot: names a wanted contact even where two of them have one external id."""


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
class Known:
    """What earlier runs know.

    ``links``: all links of the clients in play, by external id, in any standing. ``owners``: contact id -> its link, over
    all links. ``waiting``: links of clients that are not in play, skipped or held without a contact. ``in_source``: the
    clients still in the source among those that `find_referred_clients` names. ``refused``: contact ids whose write was
    answered 403; with ``retry_refused`` they are tried again. ``gone``: contact ids that answered 404; a contact that is
    only missing in the index is not gone.
    """

    links: Mapping[str, Link]
    owners: Mapping[str, Link]
    waiting: Sequence[Link] = ()
    in_source: frozenset[str] = frozenset()
    decisions: Sequence[Decision] = ()
    refused: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    retry_refused: bool = False


@dataclass(frozen=True, slots=True)
class Matches:
    """``results`` in the order of the wanted contacts; ``look_alikes`` ordered by external id, for ``problems``."""

    results: tuple[MatchResult, ...] = ()
    look_alikes: tuple[LookAlike, ...] = ()


def is_integration(contact: RemoteContact, our_source: str, *, refused: bool) -> bool:
    """Whether an integration owns the contact. 403 is a permission: only together with a foreign source it says so."""
    source = contact.source or ""
    if source.startswith(INTEGRATION_PREFIX):
        return True
    return refused and source != our_source and source not in WRITABLE_SOURCES


def find_client_id(external_id: str) -> str | None:
    """The client that an external id of ours names, or None."""
    found = _OUR_ID.fullmatch(external_id)
    return found["client"] if found else None


def find_referred_clients(
    contacts: Iterable[RemoteContact], links: Iterable[Link], decisions: Iterable[Decision], source: str
) -> set[str]:
    """Ids of the clients of which matching needs to know whether the source still has them."""
    named = [contact.external_id for contact in contacts if contact.source == source and contact.external_id]
    named += [decision.candidate for decision in decisions]
    found = {link.client_id for link in links}
    return found | {client_id for external_id in named if (client_id := find_client_id(external_id)) is not None}


def rank(desired: DesiredContact) -> tuple[bool, tuple[str, str], str, int]:
    """Sorts clients before alternates, then the older row."""
    return desired.slot > 0, desired.seniority, desired.client_id, desired.slot


def key_of(desired: DesiredContact) -> Key:
    """What results are kept by."""
    return desired.client_id, desired.slot


def base_of(link: Link | None) -> ContactValues | None:
    """The mapped values that the link's contact was last written with."""
    return link.base.values if link and link.base else None


def birth_in(values: ContactValues | None, birth_field: str | None) -> str | None:
    """The ISO date of birth that is written, or None."""
    value = dict(values.custom_fields).get(birth_field) if values and birth_field else None
    day = find_day(value) if isinstance(value, str) else None
    return day.isoformat() if day else None


def person_of(link: Link) -> Person:
    """The person whom a link was written for."""
    base = base_of(link)
    # A client's own name is what the contact was called; an alternate's is not.
    name = link.person or (base.first_name if base and not link.slot else "")
    return Person(name, link.phones or (tuple(sorted({item.value for item in base.phones})) if base else ()))


class Context:
    """All that the passes read. Names and evidence are computed once, when first asked for."""

    def __init__(
        self,
        wanted: Sequence[DesiredContact],
        index: RemoteIndex,
        known: Known,
        rules: MatchingRules,
        merging: MergeRules | None,
    ) -> None:
        self.wanted = sorted(wanted, key=rank)
        self.index = index
        self.known = known
        self.rules = rules
        self.merging = merging
        self.by_key = {key_of(desired): desired for desired in self.wanted}
        self.by_client: dict[str, list[DesiredContact]] = {}
        for desired in self.by_key.values():
            self.by_client.setdefault(desired.client_id, []).append(desired)
        self._humans: dict[Key, Human] = {}
        self._reached: dict[Key, list[Match]] = {}
        decisions = [*known.decisions, *_find_declines(known.links.values())]
        self.decisions = ResolvedDecisions(decisions, self.by_client, self.human, rules.threshold)

    # --- the wanted contacts -----------------------------------------------------------------------------------------

    def human(self, desired: DesiredContact) -> Human:
        """The person behind a wanted contact; an alternate may have no name of its own."""
        human = self._humans.get(key_of(desired))
        if human is None:
            name = desired.person or ("" if desired.slot else desired.values.first_name)
            human = Human(parse_name(name), frozenset(item.value for item in desired.values.phones))
            self._humans[key_of(desired)] = human
        return human

    def name(self, desired: DesiredContact) -> Name:
        """The person's name; no words if an alternate has none of its own."""
        return self.human(desired).name

    def link_of(self, desired: DesiredContact) -> Link | None:
        """The link under its external id, no matter for whom it was written; not one whose contact a person deleted for good."""
        link = self.known.links.get(desired.external_id)
        if link is None or link.client_id != desired.client_id or link.standing is Standing.DECLINED:
            return None
        return link

    def wanted_of(self, link: Link) -> DesiredContact | None:
        """The wanted contact that has the link's external id now."""
        desired = self.by_key.get((link.client_id, link.slot))
        return desired if desired is not None and desired.external_id == link.external_id else None

    def is_person_of(self, desired: DesiredContact, link: Link) -> bool:
        """Whether it is still the person whom the link was written for; for a client one of name and phone is enough."""
        then, now = make_human(person_of(link)), self.human(desired)
        if then.is_unknown or are_same(now, then, self.rules.threshold):
            return True
        return not desired.slot and not link.slot and not then.phones.isdisjoint(now.phones)

    # --- the source and the workspace --------------------------------------------------------------------------------

    def is_in_source(self, client_id: str) -> bool:
        """Whether the source still has the client."""
        return client_id in self.by_client or client_id in self.known.in_source

    def is_wanted(self, client_id: str, external_id: str) -> bool:
        """Whether the source still has this row; of a client that is not in play only the client is looked at."""
        people = self.by_client.get(client_id)
        if people is None:
            return client_id in self.known.in_source
        return any(desired.external_id == external_id for desired in people)

    def is_foreign(self, contact: RemoteContact) -> bool:
        """Whether an integration owns it, so that writes are refused."""
        refused = contact.contact_id in self.known.refused and not self.known.retry_refused
        return is_integration(contact, self.rules.source, refused=refused)

    def is_ours(self, contact: RemoteContact) -> bool:
        """Whether this tool made it."""
        return contact.source == self.rules.source and bool(contact.external_id)

    @cached_property
    def unlinked_own(self) -> Mapping[str, list[tuple[int, RemoteContact]]]:
        """Contacts that this tool made and no link knows (the state was lost), with their slot, by client id."""
        found: dict[str, list[tuple[int, RemoteContact]]] = {}
        for contact in self.index:
            if self.is_ours(contact) and contact.contact_id not in self.known.owners:
                named = _OUR_ID.fullmatch(contact.external_id or "")
                if named:
                    found.setdefault(named["client"], []).append((int(named["slot"] or 0), contact))
        return found

    def find_numbered(self, desired: DesiredContact) -> tuple[RemoteContact, ...]:
        """Unlinked contacts of ours under its external id with a number behind it (``client_1~2``)."""
        stem = f"{desired.external_id}~"
        contacts = [contact for _, contact in self.unlinked_own.get(desired.client_id, ())]
        return tuple(contact for contact in contacts if (contact.external_id or "").startswith(stem))

    @cached_property
    def contacts_by_external_id(self) -> Mapping[str, str]:
        """External id -> linked contact, over all links."""
        return {link.external_id: contact_id for contact_id, link in self.known.owners.items()}

    @cached_property
    def names(self) -> NameIndex:
        """Contacts that may be called like a wanted one."""
        return NameIndex(self.index, map(self.name, self.wanted))

    @property
    def common(self) -> Commonness:
        """How common words are among all names seen."""
        return self._counted[0]

    def count_equal_names(self, name: Name) -> int:
        """How many contacts and rows have this name of a wanted contact, in any order of words."""
        return self.names.count_named(name) + self._counted[1][name.text]

    @cached_property
    def _counted(self) -> tuple[Commonness, Counter[str]]:
        """Words of all names seen, and rows by name, counted in one pass.

        Each row counts, whether it is in play or has a contact yet or not: otherwise an incremental run would judge a
        name otherwise than a full one, and a name that is rare today would be common once its rows have contacts.
        """
        rows = Counter[str]()

        def count_rows() -> Iterator[Name]:
            for name in self._row_names():
                rows[name.text] += 1
                yield name

        common = Commonness(name for name in chain(self._typed_names(), count_rows()) if name.words)
        return common, rows

    def _typed_names(self) -> Iterator[Name]:
        """Names that people typed into contacts."""
        for contact in self.index:
            link = self.known.owners.get(contact.contact_id)
            typed = link.base is not None and "firstName" in link.base.met if link else not self.is_ours(contact)
            if typed:
                yield self.index.name_of(contact)

    def _row_names(self) -> Iterator[Name]:
        for link in chain(self.known.owners.values(), self.known.waiting):
            if link.client_id not in self.by_client and link.standing is not Standing.ORPHANED:
                yield parse_name(person_of(link).name)
        for desired in self.wanted:
            yield self.name(desired)

    # --- evidence ----------------------------------------------------------------------------------------------------

    def is_separate(self, desired: DesiredContact, contact_id: str) -> bool:
        """Whether a review said that the contact is somebody else."""
        return self.decisions.is_separate(desired, contact_id)

    def matches(self, desired: DesiredContact) -> list[Match]:
        """Contacts with one of its phones or e-mails, by contact id; without those that are gone or set apart."""
        found = self._reached.get(key_of(desired))
        if found is None:
            contacts = {contact.contact_id: contact for contact in self._find_reached(desired)}
            found = [self.match(desired, contacts[i]) for i in sorted(contacts) if self.may_be(desired, i)]
            self._reached[key_of(desired)] = found
        return found

    def may_be(self, desired: DesiredContact, contact_id: str) -> bool:
        """Whether the contact exists and no review set it apart."""
        return contact_id not in self.known.gone and not self.is_separate(desired, contact_id)

    def _find_reached(self, desired: DesiredContact) -> Iterator[RemoteContact]:
        for item in desired.values.phones:
            yield from self._similar_if_many(
                desired, self.index.with_phone(item.value), self._rows_by_phone, item.value
            )
        for item in desired.values.emails:
            email = fold_email(item.value)
            yield from self._similar_if_many(desired, self.index.with_email(email), self._rows_by_email, email)

    def _similar_if_many(
        self, desired: DesiredContact, contacts: tuple[RemoteContact, ...], rows: Mapping[str, int], value: str
    ) -> Iterable[RemoteContact]:
        """All of them, or only those with a similar name where too many share the number.

        Rows count too, and a contact of theirs does not count twice: what the run creates must not turn a small group
        into a large one, in which its next evidence would be worth less.
        """
        if len(contacts) + rows[value] > LARGE_GROUP:
            others = sum(not self._is_made_for_wanted(contact) for contact in contacts)
            if others + rows[value] > LARGE_GROUP:
                similar = {c.contact_id for c, _ in self.names.named_like(self.name(desired), self.rules.threshold)}
                return [contact for contact in contacts if contact.contact_id in similar]
        return contacts

    def _is_made_for_wanted(self, contact: RemoteContact) -> bool:
        link = self.known.owners.get(contact.contact_id)
        return link is not None and self.wanted_of(link) is not None

    @cached_property
    def _rows_by_phone(self) -> Mapping[str, int]:
        return _count(item.value for desired in self.wanted for item in desired.values.phones)

    @cached_property
    def _rows_by_email(self) -> Mapping[str, int]:
        return _count(fold_email(item.value) for desired in self.wanted for item in desired.values.emails)

    def match(self, desired: DesiredContact, contact: RemoteContact) -> Match:
        """What the two have in common."""
        phones, emails = self.index.phones_of(contact), emails_of(contact)
        return Match(
            desired,
            contact,
            phone=any(item.value in phones for item in desired.values.phones),
            email=any(fold_email(item.value) in emails for item in desired.values.emails),
            name_match=self._compare_names(desired, contact),
            birth=compare_births(desired.birth_date, birth_of(contact, self.rules.birth_field)),
        )

    def _compare_names(self, desired: DesiredContact, contact: RemoteContact) -> NameMatch:
        """By the person's own name; by the display name only with contacts that are written in that form."""
        if desired.slot:
            ours, theirs = split_form(desired.values.first_name), split_form(contact.display_name)
            # ``James Smith - Brother`` beside another text of that form, unless we once noted there who the brother is
            if ours and theirs and ours[1] == theirs[1] and not self._is_noted_as_another(desired, contact):
                shown = compare(parse_name(ours[0]), parse_name(theirs[0]), self.common, self.rules.threshold)
                if shown.level >= MatchLevel.SIMILAR:
                    return shown
        return self.compare_own_name(desired, contact)

    def compare_own_name(self, desired: DesiredContact, contact: RemoteContact) -> NameMatch:
        """The person's own name beside the contact's."""
        return compare(self.name(desired), self.index.name_of(contact), self.common, self.rules.threshold)

    def _is_noted_as_another(self, desired: DesiredContact, contact: RemoteContact) -> bool:
        noted, name = self.says_who(contact), self.name(desired)
        if not noted.words or not name.words:
            return False
        return not compare(name, noted, threshold=self.rules.threshold).agrees

    def says_who(self, contact: RemoteContact) -> Name:
        """The alternate's own name that this tool once wrote into a custom field."""
        return parse_name(field_text(contact, self.rules.person_field))

    def after_update(self, contact: RemoteContact, meets: Meets, link: Link | None) -> RemoteContact:
        """The contact as this run's update leaves it.

        Judged as it was before, a duplicate would be held today for a number that is taken away in the same run, and
        created in the next.
        """
        if self.merging is None:
            return contact
        draft = merge(link.base if link else None, contact, meets.desired, self.merging, meets.tie).draft
        return replace(
            contact,
            first_name=draft.first_name,
            last_name=draft.last_name,
            company=draft.company,
            phones=draft.phones,
            emails=draft.emails,
            custom_fields=draft.custom_fields,
        )


def _find_declines(links: Iterable[Link]) -> Iterator[Decision]:
    """Contacts deleted in the app twice: a decision of the person who deleted them, about the person in the link."""
    for link in links:
        if link.standing is Standing.DECLINED:
            yield Decision(link.client_id, person_of(link), "", Choice.DECLINE, link.external_id, decided_at=math.inf)


def _count(values: Iterable[str]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return counts
