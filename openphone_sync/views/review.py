"""Possible duplicates that runs held back, as documents. Deciding them is `run.decide`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from openphone_sync.documents import SCHEMA_VERSION, to_csv
from openphone_sync.errors import ConfigurationError
from openphone_sync.model import Candidate, Link, Standing
from openphone_sync.state import Store
from openphone_sync.views.words import describe_reason, describe_why

CSV_COLUMNS = ("id", "candidate", "evidence", "score", "words", "reason", "decision")
ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Review:
    """One held contact. Its id is its external id, so that it never changes; the best candidate stands first."""

    link: Link
    candidates: tuple[Candidate, ...]

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
    def score(self) -> float:
        """That of the best candidate, 0 to 1; 0 without one."""
        return self.candidates[0].score if self.candidates else 0.0


@dataclass(frozen=True, slots=True)
class Filter:
    """Which reviews a bulk decision is about: by what they are held for, and from a score on (0 to 1)."""

    evidence: str | None = None
    min_score: float = 0.0

    def takes(self, review: Review) -> bool:
        """Whether the review passes."""
        return self.evidence in (None, review.evidence) and review.score >= self.min_score


def read_reviews(store: Store, chosen: Filter | None = None) -> list[Review]:
    """Open reviews, ordered by id."""
    links = store.read_links_standing(Standing.HELD, Standing.REVERTED)
    candidates = store.read_candidates(link.external_id for link in links)
    reviews = [Review(link, candidates.get(link.external_id, ())) for link in links]
    return [review for review in reviews if chosen is None or chosen.takes(review)]


def find_review(store: Store, review_id: str) -> Review:
    """The open review with this id; `ConfigurationError` where there is none."""
    for review in read_reviews(store):
        if review.review_id == review_id:
            return review
    raise ConfigurationError(f"no open review has the id {review_id}; take one from openphone-sync review list")


# --- documents -----------------------------------------------------------------------------------------------------


def make_document(reviews: Iterable[Review]) -> dict[str, Any]:
    """The reviews as published: ids, evidence in words and scores; no person's data."""
    return {"schemaVersion": SCHEMA_VERSION, "reviews": [_review_json(review) for review in reviews]}


def make_csv(reviews: Iterable[Review]) -> str:
    """A line for each candidate, with an empty column for the decision."""
    return to_csv(
        CSV_COLUMNS,
        (
            (review.review_id, one.subject, one.kind, f"{one.score:.2f}", one.words, review.reason, "")
            for review in reviews
            for one in review.candidates or (Candidate("", "", 0.0, ""),)
        ),
    )


def _review_json(review: Review) -> dict[str, Any]:
    return {
        "id": review.review_id,
        "externalId": review.link.external_id,
        "clientId": review.link.client_id,
        **describe_why(review.link.why),
        "candidates": [
            {"contactId": one.subject, "evidence": one.kind, "score": round(one.score, 3), "words": one.words}
            for one in review.candidates
        ],
    }
