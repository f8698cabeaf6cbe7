"""Possible duplicates that runs held back: our person beside each candidate. Deciding them is `run.decide`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from openphone_sync.documents import SCHEMA_VERSION, to_csv
from openphone_sync.errors import ConfigurationError
from openphone_sync.model import Candidate, Choice, Decision, Link, Standing
from openphone_sync.state import Store
from openphone_sync.views.cards import (
    FACT_BIRTH_FIELD,
    Card,
    describe_maker,
    find_same_phones,
    make_card,
    make_link_card,
)
from openphone_sync.views.ids import find_id
from openphone_sync.views.words import describe_reason, describe_why

_CARD_COLUMNS = ("Name", "Company", "Role", "Phones", "Emails", "DateOfBirth")
CSV_COLUMNS = (
    "id",
    *(name[0].lower() + name[1:] for name in _CARD_COLUMNS),
    "candidate",
    *(f"candidate{name}" for name in _CARD_COLUMNS),
    "samePhones",
    "madeBy",
    "address",
    "evidence",
    "score",
    "words",
    "reason",
    "decided",
    "decision",
)
ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Review:
    """One held contact. Its id is its external id, so that it never changes; the best candidate stands first.

    ``person`` is ours, ``cards`` are the candidates by subject, as far as they are known. ``decided``: what a person
    decided since the last run, ``separate`` or ``link`` and the candidate; empty if it is open.
    """

    link: Link
    candidates: tuple[Candidate, ...]
    person: Card = field(default_factory=Card)
    cards: Mapping[str, Card] = field(default_factory=dict)
    decided: str = ""

    @property
    def review_id(self) -> str:
        """What `review link` and `review separate` take."""
        return self.link.external_id

    @property
    def reason(self) -> str:
        """Why it is held, in words."""
        return describe_reason(self.link.why)

    @property
    def evidence(self) -> str:
        """What it is held for: a rollback, else the kind of the best candidate."""
        if self.link.standing is Standing.REVERTED:
            return ROLLBACK
        return self.candidates[0].kind if self.candidates else ""

    @property
    def kind(self) -> tuple[str, str]:
        """Reviews of one kind are held for the same reason on the same evidence."""
        return self.evidence, self.link.why.reason if self.link.why else ""

    @property
    def score(self) -> float:
        """That of the best candidate, 0 to 1; 0 without one."""
        return self.candidates[0].score if self.candidates else 0.0

    def card_of(self, candidate: Candidate) -> Card:
        """The candidate's card; without one only its address is known."""
        return self.cards.get(candidate.subject) or Card(
            contact_id="" if candidate.kind == "row" else candidate.subject
        )


@dataclass(frozen=True, slots=True)
class Filter:
    """Which reviews a bulk decision is about: by what they are held for, and from a score on (0 to 1)."""

    evidence: str | None = None
    min_score: float = 0.0

    @property
    def takes_all(self) -> bool:
        """Whether every review passes."""
        return self.evidence is None and not self.min_score

    def takes(self, review: Review) -> bool:
        """Whether the review passes."""
        return self.evidence in (None, review.evidence) and review.score >= self.min_score


def read_reviews(store: Store, chosen: Filter | None = None) -> list[Review]:
    """Held contacts, those included that a person decided since the last run, ordered by id."""
    links = store.read_links_standing(Standing.HELD, Standing.REVERTED)
    candidates = store.read_candidates(link.external_id for link in links)
    cards = _read_cards(store, links, candidates)
    decisions = _read_open_decisions(store)
    reviews = [
        Review(
            link,
            found := candidates.get(link.external_id, ()),
            cards.get(link.external_id) or make_link_card(link),
            {one.subject: cards[one.subject] for one in found if one.subject in cards},
            _describe_decision(decisions.get(link.external_id, ())),
        )
        for link in links
    ]
    return [review for review in reviews if chosen is None or chosen.takes(review)]


def count_open(store: Store) -> int:
    """How many wait for a decision."""
    return sum(not review.decided for review in read_reviews(store))


def find_review(store: Store, review_id: str) -> Review:
    """The held contact with this id, or with the only one that begins so; `ConfigurationError` if there is none."""
    reviews = {review.review_id: review for review in read_reviews(store)}
    found = find_id(review_id, reviews)
    if found is None:
        raise ConfigurationError(f"no open review has the id {review_id}; take one from openphone-sync review list")
    return reviews[found]


def _read_cards(store: Store, links: Iterable[Link], candidates: Mapping[str, Iterable[Candidate]]) -> dict[str, Card]:
    """By external id or contact id. Another row without a card is shown as its link knows it."""
    every = [one for found in candidates.values() for one in found]
    kept = store.read_cards({link.external_id for link in links} | {one.subject for one in every})
    birth_key = store.read_fact(FACT_BIRTH_FIELD)
    rows = store.read_links_by_id({one.subject for one in every if one.kind == "row"} - kept.keys())
    return {link.external_id: make_link_card(link) for link in rows} | {
        key: make_card(contact, birth_key) for key, contact in kept.items()
    }


def _read_open_decisions(store: Store) -> dict[str, list[Decision]]:
    decided = store.read_decided()
    decisions: dict[str, list[Decision]] = {}
    for decision in store.read_decisions() if decided else ():
        if decision.external_id in decided and decision.choice is not Choice.DECLINE:
            decisions.setdefault(decision.external_id, []).append(decision)
    return decisions


def _describe_decision(decisions: Iterable[Decision]) -> str:
    linked = [f"link {one.candidate}" for one in decisions if one.choice is Choice.LINK]
    return linked[-1] if linked else "separate" if decisions else ""


# --- documents -----------------------------------------------------------------------------------------------------


def make_document(reviews: Iterable[Review], region: str, source: str) -> dict[str, Any]:
    """The reviews as published, both sides with people's data. ``source`` is ours in OpenPhone."""
    found = [_review_json(review, region, source) for review in reviews]
    return {"schemaVersion": SCHEMA_VERSION, "reviews": found}


def make_csv(reviews: Iterable[Review], region: str, source: str) -> str:
    """A line for each candidate, with an empty last column for the decision."""
    return to_csv(CSV_COLUMNS, (row for review in reviews for row in _csv_rows(review, region, source)))


def _csv_rows(review: Review, region: str, source: str) -> Iterator[tuple[str, ...]]:
    for one in review.candidates or (Candidate("", "", 0.0, ""),):
        card = review.card_of(one) if one.subject else Card()
        same = find_same_phones(review.person, card, region)
        yield (
            review.review_id,
            *_card_cells(review.person),
            one.subject,
            *_card_cells(card),
            ", ".join(sorted(same.intersection(card.phones))),
            describe_maker(card, source) if one.subject else "",
            card.address,
            one.kind,
            f"{one.score:.2f}",
            one.words,
            review.reason,
            review.decided,
            "",
        )


def _card_cells(card: Card) -> tuple[str, ...]:
    return (card.name, card.company, card.role, ", ".join(card.phones), ", ".join(card.emails), card.birth_date)


def _review_json(review: Review, region: str, source: str) -> dict[str, Any]:
    return {
        "id": review.review_id,
        "externalId": review.link.external_id,
        "clientId": review.link.client_id,
        **describe_why(review.link.why),
        "decided": review.decided,
        "person": review.person.to_json(),
        "candidates": [
            {
                "contactId": one.subject,
                "evidence": one.kind,
                "score": round(one.score, 3),
                "words": one.words,
                **(card := review.card_of(one)).to_json(),
                "samePhones": sorted(find_same_phones(review.person, card, region).intersection(card.phones)),
                "madeBy": describe_maker(card, source),
                "address": card.address or None,
            }
            for one in review.candidates
        ],
    }
