"""Two cards beside each other: what is compared when somebody decides whether two are the same person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openphone_sync.views.cards import Card, describe_maker, find_same_emails, find_same_phones
from openphone_sync.views.words import format_day, format_phone


@dataclass(frozen=True, slots=True)
class Side:
    """A row of two cards: values of either side as people write them, and those that both have."""

    label: str
    ours: Sequence[str]
    theirs: Sequence[str]
    same: frozenset[str] = frozenset()
    is_compared: bool = True

    @property
    def differs(self) -> bool:
        """Whether both sides have something, and nothing in common."""
        return bool(self.is_compared and self.ours and self.theirs and not self.same)


def make_sides(ours: Card, theirs: Card, region: str, own_source: str) -> list[Side]:
    """Two cards beside each other; a row that neither fills is empty on both sides."""
    same_phones = frozenset(format_phone(one, region) for one in find_same_phones(ours, theirs, region))
    days = [format_day(card.birth_date) for card in (ours, theirs)]
    single = (
        ("name", ours.name, theirs.name),
        ("company", ours.company, theirs.company),
        ("role", ours.role, theirs.role),
        ("born", *days),
    )
    numbers = [[format_phone(one, region) for one in card.phones] for card in (ours, theirs)]
    makers = [describe_maker(card, own_source) for card in (ours, theirs)]
    return [
        *(Side(label, _one(own), _one(other), _same(own, other)) for label, own, other in single),
        Side("phones", numbers[0], numbers[1], same_phones),
        Side("e-mail", ours.emails, theirs.emails, find_same_emails(ours, theirs)),
        Side("made by", _one(makers[0]), _one(makers[1]), is_compared=False),
    ]


def _one(value: str) -> list[str]:
    return [value] if value else []


def _same(ours: str, theirs: str) -> frozenset[str]:
    return frozenset({ours, theirs}) if ours.casefold() == theirs.casefold() else frozenset()
