"""What the office should fix at the source: what the state knows of it, and the rows themselves while they can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any

from openphone_sync.config import Settings, load_mapping
from openphone_sync.documents import SCHEMA_VERSION, to_csv
from openphone_sync.errors import ConfigurationError, RunError
from openphone_sync.model import NUMBER_PLACEHOLDER, ClientRow, ContactMapping, Json, Link, Reason, Standing
from openphone_sync.ports import ClientSource
from openphone_sync.rules.mapping import name_columns
from openphone_sync.rules.phones import parse_phones
from openphone_sync.rules.texts import as_text, clean_name
from openphone_sync.state import Store
from openphone_sync.views.cards import make_card, make_link_card
from openphone_sync.views.ids import find_id
from openphone_sync.views.words import describe_reason, describe_value

FAILURES_TO_TELL = 5
"""Runs in a row after which a contact that keeps failing is named here."""
NOT_YET = "no sync has run yet; start with openphone-sync dry-run"
GONE = "gone from source"
TITLES: Mapping[str, str] = {
    "skipped": "not synchronised",
    "value": "left out or doubtful",
    "failing": "keeps failing",
    "same person": "one person in two rows",
    "look-alike": "similar names",
    GONE: "no longer in the client table",
}
"""The kinds, in the order in which they are listed."""
COLUMNS = ("externalId", "clientId", "kind", "client", "column", "value", "detail", "other", "otherName")

_READ_ONE_BY_ONE = 50
_PHONE_REASONS = frozenset({Reason.PHONE_UNUSABLE, Reason.NO_PHONE})
_NANP = 1
_LONG_VALUE = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """``kind`` is a key of `TITLES`; ``other`` is the other one of a pair: an external id or a contact id.

    ``client`` and ``otherName`` are names; ``column`` and ``value`` as they stand in the table, empty if not read.
    """

    externalId: str  # noqa: N815  # the names of the published document
    clientId: str  # noqa: N815
    kind: str
    detail: str
    other: str = ""
    client: str = ""
    column: str = ""
    value: str = ""
    otherName: str = ""  # noqa: N815
    slot: int = 0
    reason: str = ""


def find_problems(
    store: Store, settings: Settings, open_source: Callable[[], ClientSource]
) -> tuple[list[Problem], list[str]]:
    """Everything to fix, by kind and name, and what is to be said of the list as a whole.

    Where the table cannot be read, names come from the state and values are missing.
    """
    if not store.knows_clients() and store.read_last_good() is None:
        return [], [NOT_YET]
    found = list(_find(store))
    if not found:
        return [], []
    notes, rows = [], dict[str, ClientRow]()
    others = {link.client_id for link in store.read_links_by_id({one.other for one in found if one.other})}
    try:
        if not settings.database_url:
            raise ConfigurationError("DATABASE_URL is not set; set it in the env file")
        rows = _read_rows(open_source, {one.clientId for one in found if one.kind != GONE} | others)
    except RunError as error:
        notes.append(
            f"the client table could not be read ({error.what}): names come from the last sync, values are missing"
        )
    names = _Names(store, rows, load_mapping(settings.mapping_file), [one.other for one in found])
    shown = [names.fill(problem, settings.region) for problem in found]
    order = list(TITLES)
    return sorted(
        shown, key=lambda one: (order.index(one.kind), one.client.casefold(), one.externalId, one.other)
    ), notes


def acknowledge(store: Store, typed: Sequence[str], now: float) -> list[str]:
    """Take people who are gone from the source off the list; their external ids.

    An id of a client, or its beginning, stands for all of its contacts. `ConfigurationError` where nobody with the id is listed.
    """
    gone = store.read_links_standing(Standing.ORPHANED)
    listed = [link.external_id for link in gone]
    ids: list[str] = []
    for text in typed:
        client_id = None if text in listed else find_id(text, [link.client_id for link in gone])
        found = None if client_id else find_id(text, listed)
        if not client_id and not found:
            raise ConfigurationError(f"{text} is not listed as gone from the source; see openphone-sync problems")
        ids += [found] if found else [link.external_id for link in gone if link.client_id == client_id]
    store.acknowledge(ids, now)
    return ids


def make_document(problems: Iterable[Problem], notes: Sequence[str]) -> dict[str, Any]:
    """The problems as published."""
    shown = [{name: value for name, value in asdict(problem).items() if name in COLUMNS} for problem in problems]
    return {"schemaVersion": SCHEMA_VERSION, "notes": list(notes), "problems": shown}


def make_csv(problems: Iterable[Problem]) -> str:
    """The problems as a table for a spreadsheet."""
    return to_csv(COLUMNS, ([getattr(problem, name) for name in COLUMNS] for problem in problems))


# --- what the state knows ------------------------------------------------------------------------------------------


def _find(store: Store) -> Iterator[Problem]:
    of_links = list(_from_links(store.read_links_to_explain()))
    yield from of_links
    for external_id, client_id, warning in store.read_warnings():
        words = describe_value(warning)
        yield Problem(external_id, client_id, "value", words, column=warning.column)
    pairs = {(one.externalId, one.other) for one in of_links if one.other}
    for one in store.read_look_alikes():
        if (one.external_id, one.other) in pairs:
            continue  # held as one person: that says more
        client_id = one.external_id.removeprefix("client_").split("_alt_")[0]
        yield Problem(one.external_id, client_id, "look-alike", f"{one.words} ({one.score:.2f})", one.other)
    acknowledged = store.read_acknowledged()
    for link in store.read_links_standing(Standing.ORPHANED):
        if link.contact_id and link.external_id not in acknowledged:
            words = "the contact stays in OpenPhone"
            yield Problem(link.external_id, link.client_id, GONE, words, link.contact_id, slot=link.slot)


def _from_links(links: Iterable[Link]) -> Iterator[Problem]:
    for link in links:
        words, reason = describe_reason(link.why), link.why.reason.value if link.why else ""
        problem = Problem(link.external_id, link.client_id, "skipped", words, slot=link.slot, reason=reason)
        if link.standing is Standing.SKIPPED:
            yield problem
        elif link.standing is Standing.PENDING and link.failures >= FAILURES_TO_TELL:
            yield replace(problem, kind="failing", detail=f"{link.failures} runs in a row: {words}")
        elif reason == Reason.SAME_PERSON and link.why is not None:
            yield replace(problem, kind="same person", other=link.why.detail)
        elif reason == Reason.NUMBERS_KEPT:
            yield replace(problem, kind="value", reason=Reason.PHONE_UNUSABLE.value)


# --- names and values ----------------------------------------------------------------------------------------------


def _read_rows(open_source: Callable[[], ClientSource], client_ids: set[str]) -> dict[str, ClientRow]:
    with closing(open_source()) as source:
        if len(client_ids) > _READ_ONE_BY_ONE:
            return {row.client_id: row for row in source.read_clients() if row.client_id in client_ids}
        rows = (source.read_client(client_id) for client_id in sorted(client_ids))
        return {row.client_id: row for row in rows if row is not None}


class _Names:
    """Names of clients and contacts, and the values of rows."""

    def __init__(
        self, store: Store, rows: Mapping[str, ClientRow], mapping: ContactMapping, others: Sequence[str]
    ) -> None:
        self._store = store
        self._rows = {key: json.loads(row.document, parse_int=str) for key, row in rows.items()}
        self._mapping = mapping
        self._cards = store.read_cards(others)

    def fill(self, problem: Problem, region: str) -> Problem:
        """With the names, and the column and value that are to be fixed."""
        row = self._rows.get(problem.clientId, {})
        column, value = problem.column, as_text(row.get(problem.column)) if problem.column else ""
        if not column and problem.reason in _PHONE_REASONS:
            column, value = self._find_phone(problem.slot, row)
        elif not column and problem.reason == Reason.NO_NAME:
            column = ", ".join(name_columns(self._mapping))
        why = explain_phone(value, region) if problem.reason == Reason.PHONE_UNUSABLE else ""
        return replace(
            problem,
            client=self._name(problem.externalId),
            otherName=self._name(problem.other) if problem.other and problem.kind != GONE else "",
            column=column,
            value=value[:_LONG_VALUE],
            detail=f"{problem.detail}: {why}" if why else problem.detail,
        )

    def _find_phone(self, slot: int, row: Mapping[str, Json]) -> tuple[str, str]:
        """The first column of the person's phones that holds something, else the first one."""
        rule = self._mapping.related if slot and self._mapping.related else self._mapping.client
        columns = [item.column.replace(NUMBER_PLACEHOLDER, str(slot)) for item in rule.phones]
        filled = [column for column in columns if as_text(row.get(column))]
        column = next(iter(filled or columns), "")
        return column, as_text(row.get(column))

    def _name(self, key: str) -> str:
        """Of a client or related person by external id, or of a contact by its id."""
        client_id, _, slot = key.removeprefix("client_").partition("_alt_")
        row = self._rows.get(client_id, {})
        name = clean_name(" ".join(as_text(row.get(column)) for column in name_columns(self._mapping)))
        if name:
            return f"{name}, related person {slot}" if slot else name
        if key in self._cards:
            return make_card(self._cards[key], None).name
        links = self._store.read_links_by_id([key])
        return (links[0].person or make_link_card(links[0]).name) if links else ""


def explain_phone(text: str, region: str) -> str:
    """Why a text is not a phone number: ``9 digits; an American number has 10``. Empty where nothing helps."""
    if not text or not parse_phones(text, region).unusable:
        return ""
    digits = re.sub(r"[^0-9]", "", text)
    if not digits:
        return "there is no digit in it"
    import phonenumbers  # noqa: PLC0415  # as in `views.words`

    is_american = phonenumbers.country_code_for_region(region) == _NANP and not text.lstrip().startswith(("+", "00"))
    if not is_american:
        return f"no phone number has these {len(digits)} digits"
    national = digits[1:] if len(digits) == 11 and digits.startswith("1") else digits
    if len(national) == 10:
        return "no American area code begins with 0 or 1" if national[0] in "01" else ""
    return f"{len(digits)} digits; an American number has 10"
