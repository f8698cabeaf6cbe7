"""Possible duplicates that runs held back: list them, decide them. Decisions outlive runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openphone_sync.documents import SCHEMA_VERSION
from openphone_sync.errors import ConfigurationError
from openphone_sync.model import Candidate, Choice, Decision, Link, Person, Standing
from openphone_sync.state import Store

CSV_COLUMNS = ("id", "candidate", "evidence", "score", "words", "reason", "decision")
DECISIONS = ("link", "separate")
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


def decide_link(review: Review, candidate: str | None) -> list[Decision]:
    """That the held contact is this candidate; without one, the best, if no other is as good."""
    subjects = [one.subject for one in review.candidates]
    if not subjects:
        raise ConfigurationError(f"{review.review_id} has no candidates; release it with review separate")
    if candidate is None:
        candidate = _clear_best(review)
    if candidate not in subjects:
        raise ConfigurationError(
            f"{candidate} is no candidate of {review.review_id}; choose from {', '.join(subjects)}"
        )
    return [_decision(review, candidate, Choice.LINK)]


def decide_separate(review: Review) -> list[Decision]:
    """That the held contact is none of its candidates. One held for a rollback has none: it is only released."""
    return [_decision(review, one.subject, Choice.SEPARATE) for one in review.candidates]


def _decision(review: Review, candidate: str, choice: Choice) -> Decision:
    link = review.link
    phones = sorted(item.value for item in link.base.phones) if link.base else ()
    return Decision(link.client_id, Person(link.person, tuple(phones)), candidate, choice, review.review_id)


def save_decision(store: Store, review: Review, decisions: Sequence[Decision], now: float) -> None:
    """Remember what was decided; the next run judges the contact again."""
    store.save_decisions(decisions, now)
    store.release(review.link.client_id, review.review_id)


def decide_all(store: Store, chosen: Filter, now: float, *, link: bool) -> list[str]:
    """Decide every open review that the filter takes; those without a clear best candidate stay open when linking."""
    decided: list[str] = []
    for review in read_reviews(store, chosen):
        if link and not _has_clear_best(review):
            continue
        save_decision(store, review, decide_link(review, None) if link else decide_separate(review), now)
        decided.append(review.review_id)
    return decided


def apply_csv(store: Store, text: str, now: float) -> list[str]:
    """Decide by a table as `review list --format csv` writes it, with ``link`` or ``separate`` in its last column.

    Everything is checked before anything is decided. `ConfigurationError` names the line that is wrong.
    """
    try:
        planned = _read_decisions(store, text)
    except csv.Error as error:
        raise ConfigurationError(f"the file is no table ({error}); begin with review list --format csv") from None
    for review, decisions in planned:
        save_decision(store, review, decisions, now)
    return [review.review_id for review, _ in planned]


def _read_decisions(store: Store, text: str) -> list[tuple[Review, list[Decision]]]:
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in ("id", "candidate", "decision") if name not in (reader.fieldnames or ())]
    if missing:
        raise ConfigurationError(f"the file lacks the column {', '.join(missing)}; begin with review list --format csv")
    reviews = {review.review_id: review for review in read_reviews(store)}
    planned: dict[str, tuple[Review, list[Decision]]] = {}
    for number, row in enumerate(reader, start=2):
        decision = (row["decision"] or "").strip().lower()
        if not decision:
            continue
        review = _checked_row(number, row, decision, reviews)
        made = decide_link(review, row["candidate"]) if decision == "link" else decide_separate(review)
        if planned.setdefault(review.review_id, (review, made)) != (review, made):
            raise ConfigurationError(f"line {number}: {review.review_id} is decided twice; keep one decision")
    return list(planned.values())


def _checked_row(number: int, row: Mapping[str, str], decision: str, reviews: Mapping[str, Review]) -> Review:
    if decision not in DECISIONS:
        raise ConfigurationError(
            f"line {number}: {decision!r} is no decision; give link or separate, or leave it empty"
        )
    review_id = row["id"]
    if review_id not in reviews:
        raise ConfigurationError(f"line {number}: no open review has the id {review_id}; take the line out")
    return reviews[review_id]


def _has_clear_best(review: Review) -> bool:
    scores = [one.score for one in review.candidates]
    return len(scores) == 1 or (len(scores) > 1 and scores[0] > scores[1])


def _clear_best(review: Review) -> str:
    subjects = [one.subject for one in review.candidates]
    if not _has_clear_best(review):
        raise ConfigurationError(f"{review.review_id} has no single best candidate; choose from {', '.join(subjects)}")
    return subjects[0]


# --- documents -----------------------------------------------------------------------------------------------------


def make_document(reviews: Iterable[Review]) -> dict[str, Any]:
    """The reviews as published: ids, evidence in words and scores; no person's data."""
    return {"schemaVersion": SCHEMA_VERSION, "reviews": [_review_json(review) for review in reviews]}


def make_csv(reviews: Iterable[Review]) -> str:
    """A line for each candidate, with an empty column for the decision."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    for review in reviews:
        for one in review.candidates or (Candidate("", "", 0.0, ""),):
            writer.writerow(
                [review.review_id, one.subject, one.kind, f"{one.score:.2f}", one.words, review.link.reason, ""]
            )
    return out.getvalue()


def _review_json(review: Review) -> dict[str, Any]:
    return {
        "id": review.review_id,
        "externalId": review.link.external_id,
        "clientId": review.link.client_id,
        "reason": review.link.reason,
        "candidates": [
            {"contactId": one.subject, "evidence": one.kind, "score": round(one.score, 3), "words": one.words}
            for one in review.candidates
        ],
    }
