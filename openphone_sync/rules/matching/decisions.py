"""What people decided, brought to whom it is about: a decision belongs to a person, and follows them to another slot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from openphone_sync.model import Choice, Decision, DesiredContact, Person
from openphone_sync.rules.names import NOBODY, Name, compare, parse_name, same_person


@dataclass(frozen=True, slots=True)
class Human:
    """A person as people are compared: name, and phones in E.164."""

    name: Name
    phones: frozenset[str]

    @property
    def is_unknown(self) -> bool:
        """Whether nothing is known that could tell this person from another."""
        return not self.name.words and not self.phones


UNKNOWN = Human(NOBODY, frozenset())


def make_human(person: Person) -> Human:
    """The person of a decision."""
    return Human(parse_name(person.name), frozenset(person.phones))


def are_same(human: Human, other: Human, threshold: float) -> bool:
    """Whether both are one of a client's people: by name if both have one, else by a phone in common."""
    if human.name.words and other.name.words:
        if same_person(human.name, other.name):
            return True
        return compare(human.name, other.name, threshold=threshold).agrees
    return not human.phones.isdisjoint(other.phones)


class ResolvedDecisions:
    """Decisions by the wanted contact that each is about now. The latest decides where two are about the same.

    ``links``: (client id, slot) -> decisions that it is the candidate, the latest first. ``declined``: wanted contacts
    that are not created.
    """

    def __init__(
        self,
        decisions: Iterable[Decision],
        by_client: Mapping[str, Sequence[DesiredContact]],
        human: Callable[[DesiredContact], Human],
        threshold: float,
    ) -> None:
        self._by_client = by_client
        self._human = human
        self._threshold = threshold
        self.links: dict[tuple[str, int], list[Decision]] = {}
        self.declined: set[tuple[str, int]] = set()
        self._apart: dict[tuple[str, int], dict[str, Decision]] = {}
        latest: dict[tuple[str, int, str], Decision] = {}
        for decision in sorted(decisions, key=_age):
            person = make_human(decision.person)
            for desired in self._find_people(decision.client_id, decision.external_id, person):
                latest[desired.client_id, desired.slot, decision.candidate] = decision
        for (client_id, slot, candidate), decision in sorted(latest.items(), key=lambda entry: _age(entry[1])):
            key = client_id, slot
            if decision.choice is Choice.LINK:
                self.links.setdefault(key, []).insert(0, decision)
                self.declined.discard(key)
            elif decision.choice is Choice.SEPARATE:
                self._apart.setdefault(key, {})[candidate] = decision
            else:
                self.links.pop(key, None)
                self.declined.add(key)

    def _find_people(self, client_id: str, external_id: str, person: Human) -> list[DesiredContact]:
        """The wanted contacts of the client that are this person; if one has the same external id still, only that."""
        people = [d for d in self._by_client.get(client_id, ()) if self._is(d, external_id, person)]
        return [desired for desired in people if desired.external_id == external_id] or people

    def _is(self, desired: DesiredContact, external_id: str, person: Human) -> bool:
        human, same_id = self._human(desired), desired.external_id == external_id
        if person.is_unknown or human.is_unknown:
            return same_id
        if are_same(human, person, self._threshold):
            return True
        # The client is one person, who may marry or change the phone.
        return same_id and not desired.slot and not human.phones.isdisjoint(person.phones)

    def is_separate(self, desired: DesiredContact, contact_id: str) -> bool:
        """Whether it was decided that the wanted contact is not this contact."""
        return contact_id in self._apart.get((desired.client_id, desired.slot), ())

    def is_separate_row(self, desired: DesiredContact, external_id: str, human: Human) -> bool:
        """Whether it was decided that the wanted contact is not this other row, or the person who is in that row now."""
        apart = self._apart.get((desired.client_id, desired.slot))
        if not apart:
            return False
        stem = _stem(external_id)
        return any(
            self._names_row(decision, external_id, human)
            for decision in apart.values()
            if _stem(decision.candidate) == stem
        )

    def _names_row(self, decision: Decision, external_id: str, human: Human) -> bool:
        if decision.candidate_person is None:
            return decision.candidate == external_id
        person = make_human(decision.candidate_person)
        if person.is_unknown or human.is_unknown:
            return decision.candidate == external_id
        return are_same(human, person, self._threshold)

    def find_row(self, decision: Decision, client_id: str) -> str | None:
        """External id of the row that the candidate of a decision is now; None if its client wants it no longer.

        A client that is not in play is taken to be as it was.
        """
        if decision.candidate_person is None or client_id not in self._by_client:
            return decision.candidate
        people = self._find_people(client_id, decision.candidate, make_human(decision.candidate_person))
        return people[0].external_id if people else None


def _stem(external_id: str) -> str:
    """What the external ids of one client's people have in common."""
    return external_id.partition("_alt_")[0].partition("~")[0]


def _age(decision: Decision) -> tuple[float, str, str, str, str]:
    """Sorts the earlier decision first; the rest makes the order of the input irrelevant."""
    return decision.decided_at, decision.client_id, decision.external_id, decision.candidate, decision.choice
