"""When two values of a contact are the same: texts folded, numbers by size, options in any order, dates by day. Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, time, timedelta

from openphone_sync.model import Json

_DATE_OR_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9:.]+(Z|[+-][0-9:]+)?)?")
_HALF_A_DAY = timedelta(hours=12)
_INSTANT = timedelta(microseconds=1)


def fold_text(text: str | None) -> str:
    """Texts that differ only in composition or white space are equal; None equals empty."""
    return " ".join(unicodedata.normalize("NFC", text or "").split())


def fold_email(address: str) -> str:
    """The form in which two addresses are compared."""
    return address.strip().casefold()


def is_empty(value: Json) -> bool:
    """Whether a field with this value shows nothing. False is a value."""
    return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())


def is_same(first: Json, second: Json, *, by_day: bool = False) -> bool:
    """Whether two values mean the same. ``by_day``: two times are the same when they round to the same day."""
    if type(first) is type(second) and first == second:
        return True
    if make_comparable(first) == make_comparable(second):
        return True
    if not by_day:
        return False
    day = find_day(first)
    return day is not None and day == find_day(second)


def make_comparable(value: Json) -> object:
    """A form that is equal for values that mean the same; a date is the instant of its midnight in UTC."""
    if is_empty(value):
        return None
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, int | float):
        return ("number", float(value))
    if isinstance(value, list):
        return ("list", tuple(sorted(repr(make_comparable(option)) for option in value)))
    if isinstance(value, str):
        return _parse_time(value) or fold_text(value)
    return repr(value)


def find_day(value: Json) -> date | None:
    """The day that a date or a time means: that of the nearest midnight in UTC, and for noon its own.

    The app stores midnight of the place where a person typed the date, which is less than 12 hours away from midnight
    in UTC, and this tool writes noon in UTC.
    """
    instant = _parse_time(value) if isinstance(value, str) else None
    if instant is None:
        return None
    try:
        return (instant + _HALF_A_DAY - _INSTANT).date()
    except OverflowError:  # the last day of the year 9999
        return instant.date()


def is_midnight(value: Json) -> bool:
    """Whether a value is midnight in UTC, as 0.1.0 wrote dates: in America the app may show it as the day before."""
    if not isinstance(value, str) or ":" not in value:  # a date without a time is the same day everywhere
        return False
    instant = _parse_time(value)
    return instant is not None and instant.time() == time.min


def _parse_time(text: str) -> datetime | None:
    """The instant of an ISO date or time; without a zone it is in UTC."""
    text = text.strip()
    if not _DATE_OR_TIME.fullmatch(text):
        return None
    try:
        instant = datetime.fromisoformat(text)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the 31st of June; a zone that leads out of the calendar
        return None
