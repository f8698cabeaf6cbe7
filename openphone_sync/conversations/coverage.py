"""Which numbers that called or texted show a name in OpenPhone, and why the others do not. Pure.

A number shows a name when a contact of the workspace has both. Short codes, withheld numbers and the office's own
numbers do not count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from openphone_sync.conversations.people import find_link_phones
from openphone_sync.documents import SCHEMA_VERSION, format_time, parse_moment
from openphone_sync.model import (
    ClientRow,
    DesiredContact,
    Link,
    Reason,
    RemoteContact,
    Skipped,
    Standing,
    Wanted,
    Why,
)
from openphone_sync.openphone.conversations import Conversation
from openphone_sync.rules.mapping import MappingRules, find_phones, map_client
from openphone_sync.rules.phones import parse_phones

_WITHHELD = frozenset({"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"})
"""ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and UNAVAILABLE as telephone keys: what carriers send for a withheld number."""

_NUMBER_IN_TEXT = re.compile(r"\+?\(?[0-9][0-9 ().\-/]{5,20}[0-9]")
_FEWEST_DIGITS = 7


class Gap(StrEnum):
    """Why a number shows no name; published as ``code``."""

    HELD = "held"
    SKIPPED = "skipped"
    FAILED = "failed"
    NOT_SYNCHRONISED = "not_synchronised"
    NOT_ON_CONTACT = "not_on_contact"  # it was written, and somebody took number, name or contact away
    GONE_FROM_SOURCE = "gone_from_source"
    UNREAD_COLUMN = "unread_column"
    FORGOTTEN = "forgotten"
    NO_ROW = "no_row"


_WORDS: Mapping[Gap, tuple[str, str]] = {
    Gap.HELD: ("held: {detail}", "decide it with openphone-sync review"),
    Gap.SKIPPED: ("skipped: {detail}", "correct the row; openphone-sync explain {client} shows it"),
    Gap.FAILED: ("the write failed: {detail}", "the next sync tries again; openphone-sync explain {client} shows it"),
    Gap.NOT_SYNCHRONISED: ("in the client table, not yet synchronised", "run openphone-sync sync"),
    Gap.NOT_ON_CONTACT: (
        "synchronised, but the contact, its name or this number was removed in the app",
        "add it to the contact in the app, or run openphone-sync sync --mode full if the contact is gone",
    ),
    Gap.GONE_FROM_SOURCE: ("its client is gone from the client table", "add a contact in the app"),
    Gap.FORGOTTEN: ("its client is forgotten on request", "openphone-sync forget --undo {client} takes that back"),
    Gap.UNREAD_COLUMN: (
        "in column {detail}, which the mapping does not read as a phone",
        "move it to a phone column, or map the column (OPENPHONE_MAPPING)",
    ),
    Gap.NO_ROW: ("in no row of the client table", "add the person to the client table, or a contact in the app"),
}
"""Each reason in words, and what to do."""


@dataclass(frozen=True, slots=True)
class Activity:
    """A number (E.164) that called or texted. ``last_at`` in seconds since the epoch.

    ``count`` is how often in the period, None if that was not counted. ``threads`` are its conversations.
    """

    number: str
    last_at: float
    count: int | None = None
    threads: tuple[Conversation, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the client table has a number.

    ``wanted`` is the contact that it is for. It is None if the number is in ``column``, which is not read as a phone.
    """

    client_id: str
    wanted: Wanted | None = None
    column: str = ""


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A number without a name, and why. ``detail`` is the column, or an answer; ``why`` is that of the last run."""

    activity: Activity
    gap: Gap
    client_id: str | None = None
    why: Why | None = None
    column: str = ""


# --- who called ------------------------------------------------------------------------------------------------------


def find_activities(
    conversations: Iterable[Conversation], own_numbers: Iterable[str], since: float, region: str
) -> list[Activity]:
    """The numbers with activity at or after ``since`` (seconds since the epoch), the latest first."""
    own = {number for text in own_numbers if (number := parse_caller(text, region))}
    last_at: dict[str, float] = {}
    threads: dict[str, list[Conversation]] = {}
    for conversation in conversations:
        at = find_last_activity(conversation)
        if at is None or at < since:
            continue
        for number in {parse_caller(text, region) for text in conversation.participants} - own - {""}:
            last_at[number] = max(at, last_at.get(number, at))
            threads.setdefault(number, []).append(conversation)
    found = [Activity(number, at, None, tuple(threads[number])) for number, at in last_at.items()]
    return sorted(found, key=lambda one: (-one.last_at, one.number))


def join_activities(
    stored: Iterable[tuple[str | None, int, float]], own_numbers: Iterable[str], region: str
) -> list[Activity]:
    """The same from a table: its spellings of numbers, each with how often and when last; the latest first."""
    own = {number for text in own_numbers if (number := parse_caller(text, region))}
    found: dict[str, Activity] = {}
    for text, count, at in stored:
        number = parse_caller(text or "", region)
        if number and number not in own:
            known = found.get(number, Activity(number, at, 0))
            found[number] = Activity(number, max(at, known.last_at), (known.count or 0) + count)
    return sorted(found.values(), key=lambda one: (-one.last_at, one.number))


def find_last_activity(conversation: Conversation) -> float | None:
    """When somebody last called or wrote, in seconds since the epoch; None if the API does not say."""
    moment = parse_moment(conversation.last_activity_at or conversation.created_at)
    return moment.timestamp() if moment else None


def parse_caller(text: str, region: str) -> str:
    """E.164; empty for what is not one whole number: withheld, a short code, words."""
    found = parse_phones(text, region)
    if len(found.phones) != 1 or found.unusable or text.strip() in _WITHHELD:
        return ""
    return found.phones[0].e164


def find_named(contacts: Iterable[RemoteContact], region: str) -> frozenset[str]:
    """The numbers (E.164) for which the app shows a name."""
    return frozenset(
        phone.e164
        for contact in contacts
        if contact.display_name.strip()
        for item in contact.phones
        for phone in parse_phones(item.value, region).phones
    )


# --- why a number shows no name ---------------------------------------------------------------------------------------


def find_places(rows: Iterable[ClientRow], numbers: frozenset[str], rules: MappingRules) -> dict[str, Place]:
    """Where the client table has these numbers; a column that is read as a phone before any other."""
    places: dict[str, Place] = {}
    for row in rows:
        if not numbers:
            break
        read = numbers & find_phones(row, rules)
        for number, wanted in _find_wanted(row, read, rules):
            if number not in places or places[number].wanted is None:
                places[number] = Place(row.client_id, wanted)
        missing = numbers - places.keys()
        for column, number in _find_in_columns(row, missing, rules.region) if missing else ():
            places.setdefault(number, Place(row.client_id, column=column))
    return places


def _find_wanted(row: ClientRow, numbers: frozenset[str], rules: MappingRules) -> Iterator[tuple[str, Wanted]]:
    """Each number with the contact that it is for: one of a skipped contact is on none that can be made."""
    if not numbers:
        return
    wanted = map_client(row, rules)
    made = [one for one in wanted if isinstance(one, DesiredContact)]
    skipped = [one for one in wanted if isinstance(one, Skipped)]
    for number in numbers:
        owners = [one for one in made if any(item.value == number for item in one.values.phones)]
        yield from ((number, one) for one in (owners or skipped or made)[:1])


def _find_in_columns(row: ClientRow, numbers: frozenset[str], region: str) -> Iterator[tuple[str, str]]:
    for column, value in json.loads(row.document, parse_int=str).items():
        if value is None or isinstance(value, bool):
            continue
        for text in _NUMBER_IN_TEXT.findall(str(value)):
            if sum(map(str.isdigit, text)) >= _FEWEST_DIGITS:
                found = {phone.e164 for phone in parse_phones(text, region).phones}
                yield from ((column, number) for number in found & numbers)


def explain(
    activity: Activity,
    place: Place | None,
    links: Mapping[str, Link],
    gone: Mapping[str, Link],
    is_forgotten: Callable[[str], bool] = lambda _: False,
) -> Unnamed:
    """Why a number shows no name.

    ``links`` are those of clients that have it, by external id; ``gone`` those of removed clients, by number.
    """
    if place is not None and is_forgotten(place.client_id):
        return Unnamed(activity, Gap.FORGOTTEN, place.client_id)
    if place is None:
        left = gone.get(activity.number)
        return Unnamed(activity, Gap.GONE_FROM_SOURCE if left else Gap.NO_ROW, left.client_id if left else None)
    if place.wanted is None:
        return Unnamed(activity, Gap.UNREAD_COLUMN, place.client_id, column=place.column)
    link = links.get(place.wanted.external_id)
    if isinstance(place.wanted, Skipped):
        return Unnamed(activity, Gap.SKIPPED, place.client_id, place.wanted.why)
    return Unnamed(activity, _judge(activity.number, link), place.client_id, link.why if link else None)


def _judge(number: str, link: Link | None) -> Gap:
    match link.standing if link else None:
        case Standing.HELD | Standing.REVERTED:
            return Gap.HELD
        case Standing.SKIPPED | Standing.DECLINED:
            return Gap.SKIPPED
        case Standing.PENDING if link and link.why and link.why.reason is Reason.WRITE_FAILED:
            return Gap.FAILED
        case Standing.LINKED if link and number in find_link_phones(link):
            return Gap.NOT_ON_CONTACT
    return Gap.NOT_SYNCHRONISED


# --- the document -----------------------------------------------------------------------------------------------------


def make_document(
    days: int, activities: Sequence[Activity], unnamed: Sequence[Unnamed], describe: Callable[[Why | None], str]
) -> dict[str, Any]:
    """The coverage document. ``describe`` puts a run's reason into words."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "days": days,
        "numbers": len(activities),
        "named": len(activities) - len(unnamed),
        "unnamed": [_make_entry(one, describe) for one in unnamed],
    }


def _make_entry(one: Unnamed, describe: Callable[[Why | None], str]) -> dict[str, Any]:
    reason, fix = _WORDS[one.gap]
    detail = one.column or describe(one.why)
    return {
        "number": one.activity.number,
        "activity": one.activity.count,
        "lastAt": format_time(one.activity.last_at),
        "reason": reason.replace("{detail}", detail).removesuffix(": "),
        "code": one.gap.value,
        "fix": fix.replace("{client}", one.client_id or ""),
        "clientId": one.client_id,
    }
