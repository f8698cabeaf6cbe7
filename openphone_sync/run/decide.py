"""Decide the possible duplicates that runs held back. Decisions are about persons and outlive runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from openphone_sync.errors import ConfigurationError
from openphone_sync.model import Choice, Decision, Link, Person, Standing
from openphone_sync.state import Store
from openphone_sync.views.ids import find_id
from openphone_sync.views.review import Filter, Review, read_reviews

DECISIONS = ("link", "separate")


def decide_link(review: Review, candidate: str | None) -> list[Decision]:
    """That the held contact is this candidate (or the only one whose id begins so); without one, the best if it is clear."""
    subjects = [one.subject for one in review.candidates]
    if not subjects:
        raise ConfigurationError(f"{review.review_id} has no candidates; release it with review separate")
    if candidate is None:
        unclear = describe_unclear(review)
        if unclear:
            raise ConfigurationError(f"{review.review_id}: {unclear}; name the one to link")
        candidate = subjects[0]
    found = find_id(candidate, subjects)
    if found is None:
        raise ConfigurationError(
            f"{candidate} is not a candidate of {review.review_id}; choose from {', '.join(subjects)}"
        )
    return [_decision(review, found, Choice.LINK)]


def describe_unclear(review: Review) -> str:
    """Why no candidate can be linked without naming it; empty if the best one is clear."""
    scores = [one.score for one in review.candidates]
    if not scores:
        return "it has no candidate"
    return "several candidates are equally good" if len(scores) > 1 and scores[0] == scores[1] else ""


def decide_separate(review: Review) -> list[Decision]:
    """That the held contact is none of its candidates. One held for a rollback has none: it is only released."""
    return [_decision(review, one.subject, Choice.SEPARATE) for one in review.candidates]


def _decision(review: Review, candidate: str, choice: Choice) -> Decision:
    link = review.link
    return Decision(link.client_id, Person(link.person, link.phones), candidate, choice, review.review_id)


def save_decision(store: Store, review: Review, decisions: Sequence[Decision], now: float) -> None:
    """Remember what was decided in place of an earlier decision; the next run judges the contact again.

    Where a candidate is another row, the decision is about the person in it, whatever external id that has later.
    """
    others = {link.external_id: link for link in store.read_links_by_id(one.candidate for one in decisions)}
    subjects = {one.subject for one in review.candidates}
    person = Person(review.link.person, review.link.phones)
    earlier = _decisions_of(store, review.review_id, [review.link.client_id])
    store.forget_decisions(one for one in earlier if one.candidate in subjects and one.person == person)
    store.save_decisions(
        replace(one, decided_at=now, candidate_person=_person_of(others.get(one.candidate))) for one in decisions
    )
    store.release(review.link.client_id, review.review_id)


def undo_decision(store: Store, typed_id: str) -> tuple[str, bool]:
    """Take back what was decided about a contact; its external id, and whether a run has acted on it already.

    `ConfigurationError` if nothing was.
    """
    released = {link.external_id for link in store.read_links_standing(Standing.PENDING, Standing.ORPHANED)}
    decided = {one.external_id for one in store.read_decisions() if one.choice is not Choice.DECLINE}
    review_id = find_id(typed_id, sorted(decided | released))
    open_again = store.hold_again(review_id) if review_id else False
    if review_id is None or (review_id not in decided and not open_again):
        raise ConfigurationError(
            f"nothing was decided about {typed_id}; openphone-sync review list shows what is decided"
        )
    waiting = open_again or review_id in store.read_decided()
    store.forget_decisions(_decisions_of(store, review_id))
    return review_id, not waiting


def _decisions_of(store: Store, review_id: str, client_ids: Iterable[str] | None = None) -> list[Decision]:
    decisions = store.read_decisions(client_ids)
    return [one for one in decisions if one.external_id == review_id and one.choice is not Choice.DECLINE]


def _person_of(link: Link | None) -> Person | None:
    return Person(link.person, link.phones) if link else None


def decide_all(store: Store, chosen: Filter, now: float, *, link: bool) -> tuple[list[str], list[tuple[str, str]]]:
    """Decide every open review that the filter takes; the ids decided, and those left with the reason.

    Linking leaves those without a clear best candidate.
    """
    decided: list[str] = []
    left: list[tuple[str, str]] = []
    for review in read_reviews(store, chosen):
        unclear = describe_unclear(review) if link else ""
        if review.decided:
            continue
        if unclear:
            left.append((review.review_id, unclear))
            continue
        save_decision(store, review, decide_link(review, None) if link else decide_separate(review), now)
        decided.append(review.review_id)
    return decided, left


def apply_csv(store: Store, text: str, now: float) -> list[str]:
    """Decide by a table as `review list --format csv` writes it, with ``link`` or ``separate`` in its last column.

    ``link`` in one line of a contact stands with ``separate`` in its others.
    Everything is checked before anything is decided. `ConfigurationError` names the line that is wrong.
    """
    try:
        planned = _read_decisions(store, text)
    except csv.Error as error:
        raise ConfigurationError(f"the file is not a table ({error}); begin with review list --format csv") from None
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
    marks: dict[str, dict[str, str]] = {}  # decisions by review and candidate
    for number, row in enumerate(reader, start=2):
        decision = (row["decision"] or "").strip().lower()
        if not decision:
            continue
        review = _checked_row(number, row, decision, reviews)
        made = decide_link(review, row["candidate"]) if decision == "link" else decide_separate(review)
        marked = marks.setdefault(review.review_id, {})
        candidate = made[0].candidate if decision == "link" else row["candidate"]
        if marked.setdefault(candidate, decision) != decision or list(marked.values()).count("link") > 1:
            raise ConfigurationError(f"line {number}: {review.review_id} is decided twice; keep one decision")
        if decision == "link" or review.review_id not in planned:  # a link says that the others are separate
            planned[review.review_id] = (review, made)
    return list(planned.values())


def _checked_row(number: int, row: Mapping[str, str], decision: str, reviews: Mapping[str, Review]) -> Review:
    if decision not in DECISIONS:
        raise ConfigurationError(
            f"line {number}: {decision!r} is not a decision; give link or separate, or leave it empty"
        )
    review_id = row["id"]
    if review_id not in reviews:
        raise ConfigurationError(f"line {number}: no open review has the id {review_id}; take the line out")
    return reviews[review_id]
