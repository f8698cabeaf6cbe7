"""What the office should fix at the source, as far as the state knows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from openphone_sync.documents import SCHEMA_VERSION, to_csv
from openphone_sync.model import Link, LookAlike, Reason, Standing
from openphone_sync.state import Store
from openphone_sync.views.words import describe_reason

FAILURES_TO_TELL = 5
"""Runs in a row after which a contact that keeps failing is named here."""

COLUMNS = ("externalId", "clientId", "kind", "detail", "other")


@dataclass(frozen=True, slots=True)
class Problem:
    """``kind``: ``skipped``, ``failing``, ``same person`` or ``look-alike``; ``other`` is the other one of a pair."""

    externalId: str  # noqa: N815  # the names of the published document
    clientId: str  # noqa: N815
    kind: str
    detail: str
    other: str = ""


def find_problems(store: Store) -> list[Problem]:
    """Everything to fix, ordered by external id."""
    links = store.read_links_standing(Standing.SKIPPED, Standing.PENDING, Standing.HELD)
    found = [*_from_links(links), *_from_look_alikes(store.read_look_alikes())]
    return sorted(found, key=lambda one: (one.externalId, one.kind, one.other))


def make_document(problems: Iterable[Problem]) -> dict[str, Any]:
    """The problems as published."""
    return {"schemaVersion": SCHEMA_VERSION, "problems": [asdict(problem) for problem in problems]}


def make_csv(problems: Iterable[Problem]) -> str:
    """The problems as a table for a spreadsheet."""
    return to_csv(COLUMNS, ([getattr(problem, name) for name in COLUMNS] for problem in problems))


def _from_links(links: Iterable[Link]) -> Iterator[Problem]:
    for link in links:
        words = describe_reason(link.why)
        if link.standing is Standing.SKIPPED:
            yield Problem(link.external_id, link.client_id, "skipped", words)
        elif link.standing is Standing.PENDING and link.failures >= FAILURES_TO_TELL:
            yield Problem(link.external_id, link.client_id, "failing", f"{link.failures} runs in a row: {words}")
        elif link.why is not None and link.why.reason is Reason.SAME_PERSON:
            yield Problem(link.external_id, link.client_id, "same person", words, link.why.detail)


def _from_look_alikes(found: Iterable[LookAlike]) -> Iterator[Problem]:
    for one in found:
        client_id = one.external_id.removeprefix("client_").split("_alt_")[0]
        yield Problem(one.external_id, client_id, "look-alike", f"{one.words} ({one.score:.2f})", one.other)
