"""How values are written for scripts and people: JSON, CSV, times, durations, sizes and counts.

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
_FORMULA_STARTS = ("=", "+", "-", "@", "'")
_JOINERS = "\u200c\u200d"  # Persian and emoji need them
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def to_json(document: Mapping[str, Any]) -> str:
    """The document as text with a closing newline."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table for a spreadsheet, with a header line; a cell that looks like a formula gains an apostrophe in front."""
    out = io.StringIO()
    csv.writer(out).writerows((columns, *([_make_cell(value) for value in row] for row in rows)))
    return out.getvalue()


def _make_cell(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA_STARTS) else text


def clean_line(text: str) -> str:
    """The text in one line, safe for a terminal: control and direction characters become U+FFFD, white space blanks."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in _JOINERS else " " if one.isspace() else "\ufffd" for one in text)


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
