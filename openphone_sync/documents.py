"""How values are written for scripts and people: JSON, CSV, times, durations, sizes and counts; and what must not be
written as it is: texts from the database or the API that a terminal, a log or a spreadsheet would obey.

Imports nothing of the product, because monitors run `status` and `metrics` every minute.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

SCHEMA_VERSION = 1
JOB_ID = "openphone-daily-sync"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")  # not of the locale: cron has none
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def to_json(document: Mapping[str, Any]) -> str:
    """The document as text with a closing newline. What a terminal would obey stands there as an escape (``\\u009b``)."""
    text = json.dumps(document, ensure_ascii=False)
    indented = _indent(text) if len(text) > _LONG else json.dumps(document, ensure_ascii=False, indent=2)
    return escape_json(indented) + "\n"


_LONG = 100_000
"""Characters from which loading a faster formatter pays: Python's encoder takes three times as long with an indent."""


def _indent(text: str) -> str:
    """JSON as `json.dumps` writes it with an indent of 2."""
    import msgspec  # noqa: PLC0415  # 5 ms, that `status` saves

    try:
        return msgspec.json.format(text, indent=2)
    except (UnicodeEncodeError, msgspec.DecodeError):  # halves of characters, and numbers that JSON has not
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table for a spreadsheet, with a header line; no cell is a formula."""
    out = io.StringIO()
    guarded = ([guard_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    csv.writer(out).writerows((columns, *guarded))
    return out.getvalue()


# --- texts that would be obeyed ------------------------------------------------------------------------------------

_OBEYED = (
    "\x00-\x1f\x7f-\x9f"  # control characters: line breaks, and what begins the orders to a terminal
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # direction, nothing at all
    "\ud800-\udfff"  # halves of characters, which no encoding can write
)
_TO_ESCAPE = re.compile(f"[{_OBEYED}]")
_TO_ESCAPE_IN_JSON = re.compile(f"[{_OBEYED}]".replace("\x00-\x1f", ""))

INVISIBLE = (
    " \t\r\n\v\f\x00\x85\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180e\u3000\u3164\ufeff\uffa0"
    + "".join(map(chr, [*range(0x2000, 0x2010), *range(0x2028, 0x2030), *range(0x205F, 0x2070)]))
)
"""What a spreadsheet may pass over before it looks whether a cell begins like a formula."""
FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
GUARDED_STARTS = ("'", "\t", "\r", "\n")
"""Spreadsheets eat an apostrophe at the start, and some of them take what follows a tab or line break for a cell's start."""


def escape_text(text: str) -> str:
    """One line, with ``\\n``, ``\\x1b`` or ``\\u202e`` for what a terminal or a log would obey or hide."""
    return _TO_ESCAPE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def escape_json(text: str) -> str:
    """JSON with the same values, whose strings hold nothing that a terminal would obey."""
    return _TO_ESCAPE_IN_JSON.sub(_write_units, text)


def _write_units(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def guard_cell(text: str) -> str:
    """A spreadsheet's cell, with an apostrophe before what it would take for a formula."""
    obeyed = text.lstrip(INVISIBLE).startswith(FORMULA_STARTS) or text.startswith(GUARDED_STARTS)
    return f"'{text}" if obeyed else text


# --- times, durations, sizes, counts -------------------------------------------------------------------------------


def format_time(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> float:
    """Seconds since the epoch of what `format_time` wrote; `ValueError` for anything else."""
    return datetime.fromisoformat(text).timestamp()


def parse_moment(text: str) -> datetime | None:
    """An ISO 8601 date or time; one without a zone is in UTC, a date without a time is its first instant."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def describe_when(moment: datetime, now: datetime) -> str:
    """``2 hours ago, 02:00``, ``3 days ago, Mon 02:00``, ``in 5 hours, 02:00``; beyond a week the date. Zone: that of ``now``."""
    local, gap_s = moment.astimezone(now.tzinfo), (now - moment).total_seconds()
    if abs(gap_s) >= 7 * _UNITS_S["d"]:
        return f"{local:%Y-%m-%d %H:%M}"
    clock = f"{local:%H:%M}" if abs(gap_s) < _UNITS_S["d"] else f"{_DAYS[local.weekday()]} {local:%H:%M}"
    unit = next((name for name in ("day", "hour", "minute") if abs(gap_s) >= _UNITS_S[name[0]]), "")
    if not unit:
        return f"just now, {clock}" if gap_s >= 0 else f"in a moment, {clock}"
    count = int(abs(gap_s) // _UNITS_S[unit[0]])
    words = f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{words} ago, {clock}" if gap_s > 0 else f"in {words}, {clock}"


def format_duration(seconds: float) -> str:
    """``4.2 s``, ``35 s``, ``12 min`` or ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def parse_duration(text: str) -> float:
    """``90``, ``30s``, ``15m``, ``26h`` or ``7d`` in seconds; `ValueError` with what is accepted for anything else."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([smhd]?)\s*", text.lower())
    if not found:
        raise ValueError("a duration such as 30s, 15m, 26h or 7d")
    return float(found[1]) * _UNITS_S[found[2] or "s"]


def format_size(size: int) -> str:
    """``358.1 MB``; decimal units."""
    if size < 1000:
        return f"{size} bytes"
    for power, unit in ((1, "kB"), (2, "MB")):
        if size < 1000 ** (power + 1):
            return f"{size / 1000**power:.1f} {unit}"
    return f"{size / 1000**3:.1f} GB"


def describe_contacts(contacts: Mapping[str, int]) -> str:
    """A run's counts of contacts that are not 0: ``3 created, 1 held``."""
    return ", ".join(f"{count} {name}" for name, count in contacts.items() if count) or "no contacts"


def describe_coverage(coverage: Mapping[str, Any]) -> str:
    """``87 of 93 numbers that called or texted in the last 30 days show a name``."""
    numbers, days = coverage["numbers"], coverage["days"]
    period = "day" if days == 1 else f"{days} days"
    if not numbers:
        return f"no number called or texted in the last {period}"
    count = "1 number" if numbers == 1 else f"{numbers:,} numbers"
    return f"{coverage['named']:,} of {count} that called or texted in the last {period} show a name"
