"""Evidence of who is who: the workspace indexed, and what one wanted and one remote contact have in common. Pure."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter

from rapidfuzz import process
from rapidfuzz.distance import OSA, JaroWinkler

from openphone_sync.model import Candidate, DesiredContact, RemoteContact
from openphone_sync.rules.comparing import find_day, fold_email
from openphone_sync.rules.names import MatchLevel, Name, NameMatch, block_keys, equal_keys, parse_name

COMMON_DAY = 100
"""A date on more contacts than this is what a form filled in (1 January 1900), not a date of birth."""


@contextmanager
def collector_paused() -> Iterator[None]:
    """Without Python's search for cycles: among a million new small objects it takes as long as matching does."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


# --- the workspace, indexed ---------------------------------------------------------------------------------


class RemoteIndex:
    """Contacts by id, external id, whole phone number, e-mail, and, once asked for, by date of birth.

    ``complete`` says that the whole workspace was listed. ``normalise_phone`` gives E.164, or the folded text of what is
    not a phone.
    """

    __slots__ = (
        "_births",
        "_contacts",
        "_emails",
        "_external",
        "_names",
        "_phones",
        "complete",
        "normalise",
    )

    def __init__(
        self, contacts: Iterable[RemoteContact], normalise_phone: Callable[[str], str], *, complete: bool
    ) -> None:
        self.complete = complete
        self.normalise = normalise_phone
        # by id, so that all that is found comes in an order that lists cannot change
        self._contacts = {contact.contact_id: contact for contact in sorted(contacts, key=attrgetter("contact_id"))}
        self._phones: dict[str, list[str]] = {}
        self._emails: dict[str, list[str]] = {}
        self._external: dict[str, list[str]] = {}
        self._names: dict[str, Name] = {}
        self._births: dict[str, list[str]] | None = None
        with collector_paused():
            for contact in self._contacts.values():
                self._enter(contact)

    def _enter(self, contact: RemoteContact) -> None:
        for phone in self.phones_of(contact):
            self._phones.setdefault(phone, []).append(contact.contact_id)
        for email in emails_of(contact):
            self._emails.setdefault(email, []).append(contact.contact_id)
        if contact.external_id:
            self._external.setdefault(contact.external_id, []).append(contact.contact_id)

    def __len__(self) -> int:
        return len(self._contacts)

    def __iter__(self) -> Iterator[RemoteContact]:
        return iter(self._contacts.values())

    def get(self, contact_id: str) -> RemoteContact | None:
        """The contact, or None if it was not listed."""
        return self._contacts.get(contact_id)

    def with_external_id(self, external_id: str) -> tuple[RemoteContact, ...]:
        """All that carry it, whatever their source, ordered by contact id; the API can list several."""
        return self._found(self._external, external_id)

    def with_phone(self, phone: str) -> tuple[RemoteContact, ...]:
        """All with this number (E.164), ordered by contact id."""
        return self._found(self._phones, phone)

    def with_email(self, email: str) -> tuple[RemoteContact, ...]:
        """All with this address, case folded, ordered by contact id."""
        return self._found(self._emails, fold_email(email))

    def _found(self, by: Mapping[str, list[str]], key: str) -> tuple[RemoteContact, ...]:
        return tuple(self._contacts[contact_id] for contact_id in by.get(key, ()))

    def phones_of(self, contact: RemoteContact) -> frozenset[str]:
        """Its numbers as E.164, or as folded text where they are no phones."""
        return frozenset(self.normalise(item.value) for item in contact.phones if item.value)

    def name_of(self, contact: RemoteContact) -> Name:
        """The name that the app shows, read once: the company's if there is no other."""
        listed = self._contacts.get(contact.contact_id) is contact  # not a copy with what a run will write
        name = self._names.get(contact.contact_id) if listed else None
        if name is None:
            name = parse_name(contact.display_name) if contact.display_name else parse_name(contact.company)
            if listed:
                self._names[contact.contact_id] = name
        return name

    def born_on(self, day: str, birth_field: str) -> tuple[RemoteContact, ...]:
        """All with this ISO date in the custom field ``birth_field``, ordered by contact id."""
        if self._births is None:
            self._births = {}
            for contact_id, contact in self._contacts.items():
                if found := birth_of(contact, birth_field):
                    self._births.setdefault(found, []).append(contact_id)
        return self._found(self._births, day) if len(self._births.get(day, ())) <= COMMON_DAY else ()


class NameIndex:
    """The contacts that may be called like one of the ``sought`` names: of 100,000 contacts' keys these need a few."""

    __slots__ = ("_blocks", "_contacts", "_names", "_texts")

    def __init__(self, index: RemoteIndex, sought: Iterable[Name]) -> None:
        self._contacts: list[RemoteContact] = []  # blocks hold places in these three
        self._names: list[Name] = []
        self._texts: list[str] = []
        self._blocks: dict[str, list[int]] = {key: [] for name in sought for key in _keys_of(name)}
        for contact in index:
            name = index.name_of(contact)
            blocks = [self._blocks[key] for key in _keys_of(name) if key in self._blocks]
            if blocks:
                place = len(self._contacts)
                for block in blocks:
                    block.append(place)
                self._contacts.append(contact)
                self._names.append(name)
                self._texts.append(name.text)

    def named_like(self, name: Name, threshold: float) -> list[tuple[RemoteContact, Name]]:
        """Contacts whose name shares a block with the sought ``name`` and whose text is nearly as similar as ``threshold``."""
        places = list({place for key in _keys_of(name) for place in self._blocks[key]})
        texts = [self._texts[place] for place in places]
        # not extract_iter: each leaves a cycle of objects, which stay while the collector is paused
        near = process.extract(
            name.text, texts, scorer=JaroWinkler.similarity, score_cutoff=max(threshold - 0.25, 0.0), limit=None
        )
        return [(self._contacts[places[i]], self._names[places[i]]) for _, _, i in near]

    def count_named(self, name: Name) -> int:
        """How many contacts have the sought ``name``, in any order of words; their nicknames count too."""
        return len(self._blocks.get(name.text, ()))


def _keys_of(name: Name) -> set[str]:
    return {*block_keys(name), *equal_keys(name)} if name.words else set()


def emails_of(contact: RemoteContact) -> frozenset[str]:
    """A contact's addresses, case folded."""
    return frozenset(fold_email(item.value) for item in contact.emails if item.value and item.value.strip())


def birth_of(contact: RemoteContact, birth_field: str | None) -> str | None:
    """The ISO date in a contact's custom field, or None."""
    if not contact.custom_fields:
        return None
    day = find_day(field_text(contact, birth_field))
    return day.isoformat() if day else None


def field_text(contact: RemoteContact, key: str | None) -> str:
    """The text of a custom field by key; empty if the contact has none or it is not text."""
    found = (f.value for f in contact.custom_fields if key is not None and f.key == key)
    value = next(found, None)
    return value if isinstance(value, str) else ""


# --- evidence between one wanted contact and one remote contact ---------------------------------------------


class Birth(Enum):
    """What two dates of birth say."""

    UNKNOWN = "unknown"
    SAME = "same date of birth"
    CLOSE = "date of birth one typo apart"
    OTHER = "other date of birth"


def compare_births(ours: str | None, theirs: str | None) -> Birth:
    """Two ISO dates. One wrong digit, two exchanged, or day and month exchanged is close."""
    if not ours or not theirs:
        return Birth.UNKNOWN
    if ours == theirs:
        return Birth.SAME
    swapped = f"{ours[:4]}-{ours[8:10]}-{ours[5:7]}"
    typos = OSA.distance(ours.replace("-", ""), theirs.replace("-", ""), score_cutoff=1)
    return Birth.CLOSE if theirs == swapped or typos <= 1 else Birth.OTHER


@dataclass(frozen=True, slots=True)
class Match:
    """One contact as evidence for one wanted contact."""

    desired: DesiredContact
    contact: RemoteContact
    phone: bool
    email: bool
    name_match: NameMatch
    birth: Birth = Birth.UNKNOWN
    rare: bool = False

    @property
    def kind(self) -> str:
        """What tied them together first: ``phone``, ``email`` or ``name``."""
        return "phone" if self.phone else "email" if self.email else "name"

    @property
    def agrees(self) -> bool:
        """Whether it may be adopted.

        A "Jr." that staff wrote and our row lacks is as often the son as the client (3 of 5 such adoptions in a made-up
        office were wrong, 0 of 22 the other way round): only the same date of birth lets it pass.
        """
        if self.birth is Birth.SAME:
            return self.name_match.agrees_with_birth
        return self.name_match.agrees and not self.name_match.suffix_added and self.birth is not Birth.OTHER

    @property
    def strength(self) -> tuple[int, int]:
        """Name first, then how much else is the same."""
        more = self.phone + self.email + (self.birth is Birth.SAME) + (not self.name_match.suffix_differs)
        return self.name_match.level, more

    @property
    def candidate(self) -> Candidate:
        """For a person to judge."""
        return Candidate(self.contact.contact_id, self.kind, round(self.name_match.score, 2), self.words)

    @property
    def words(self) -> str:
        """The evidence in words, without a person's data."""
        said = ["same phone"] if self.phone else []
        said += ["same e-mail"] if self.email else []
        said.append(_name_in_words(self.name_match))
        said += ["one with a suffix (Jr.) and one without or another"] if self.name_match.suffix_differs else []
        said += [self.birth.value] if self.birth is not Birth.UNKNOWN else []
        said += ["a rare name"] if self.rare else []
        return "; ".join(said)


def _name_in_words(name_match: NameMatch) -> str:
    alike = f"{name_match.score:.2f} alike"
    return {
        MatchLevel.OTHER: f"another name, {alike}",
        MatchLevel.EMPTY: "the contact has no name",
        MatchLevel.SURNAME: "name is our surname only",
        MatchLevel.MORE: "name is ours, with words that may mean somebody else",
        MatchLevel.PART: "name is a part of ours",
        MatchLevel.FULL: "name is ours but for middle names and notes",
        MatchLevel.SIMILAR: f"name {alike}",
        MatchLevel.NICKNAME: "name equal but for a nickname",
        MatchLevel.EQUAL: "name equal",
    }[name_match.level]
