"""JSON conventions of every document: schema version, times in RFC 3339 UTC, one form of text.

Imports nothing of the product: monitors ask `status` and `metrics` every minute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

SCHEMA_VERSION = 1
JOB_ID = "openphone-daily-sync"


def to_json(document: Mapping[str, Any]) -> str:
    """The document as text with a closing newline."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def format_time(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> float:
    """Seconds since the epoch of what `format_time` wrote; `ValueError` for anything else."""
    return datetime.fromisoformat(text).timestamp()
