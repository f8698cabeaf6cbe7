"""Stored conversations: what may be asked of them, and how they come."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

INCOMING, OUTGOING, UNKNOWN = "incoming", "outgoing", "unknown"

_DIRECTIONS = {"incoming": INCOMING, "inbound": INCOMING, "outgoing": OUTGOING, "outbound": OUTGOING}
"""Both spellings are stored: the first of the API, the second of tools that write the table."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which conversations, newest first. ``since`` <= created_at < ``until``, both with a zone.

    ``phone`` is E.164 and met exactly; ``columns`` empty means all, in the table's order.
    """

    since: datetime | None = None
    until: datetime | None = None
    phone: str = ""
    limit: int | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """Some conversations, ready to be written: ``text`` is UTF-8, each of its ``rows`` ends with a line break."""

    rows: int
    text: bytes


@dataclass(frozen=True, slots=True)
class ConversationCounts:
    """What `stats` tells. Times are RFC 3339 in UTC, None without a dated row.

    ``per_month`` is in order (``2026-11``); with ``without_date`` it adds up to ``total``. ``per_direction`` counts
    messages, or conversations where only those have a direction; None where nothing tells.
    """

    table: str
    total: int
    first: str | None = None
    last: str | None = None
    per_month: tuple[tuple[str, int], ...] = ()
    without_date: int = 0
    per_direction: Mapping[str, int] | None = field(default=None)


def parse_moment(text: str) -> datetime | None:
    """An ISO 8601 date or time; one without a zone is in UTC, a date alone is its first instant."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def name_direction(word: str | None) -> str:
    """The word of a message or column as ours."""
    return _DIRECTIONS.get((word or "").strip().lower(), UNKNOWN)


def add_directions(counted: Iterable[tuple[str | None, int]]) -> dict[str, int]:
    """Counts by stored word as counts by direction; all three are always there."""
    sums = Counter({INCOMING: 0, OUTGOING: 0, UNKNOWN: 0})
    for word, count in counted:
        sums[name_direction(word)] += count
    return dict(sums)


def read_directions(messages: str) -> list[str | None]:
    """The direction word of each message in a stored JSON text, None where there is none; no JSON holds no message."""
    try:
        value = json.loads(messages)
        if isinstance(value, str):  # JSON text inside JSON
            value = json.loads(value)
    except (ValueError, RecursionError):
        return []
    if isinstance(value, dict):
        value = [value]
    return [_direction_of(one) for one in value] if isinstance(value, list) else []


def _direction_of(message: Any) -> str | None:
    """Newer messages are flat; older rows nest them under ``object``, whole webhook events under ``data.object``."""
    if not isinstance(message, dict):
        return None
    data = message.get("data")
    for place in (message, message.get("object"), data.get("object") if isinstance(data, dict) else None):
        if isinstance(place, dict) and isinstance(place.get("direction"), str):
            return str(place["direction"])
    return None
