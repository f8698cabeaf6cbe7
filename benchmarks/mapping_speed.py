"""Clients mapped a second by one core, and where the time goes. The limit: reading the same phones with libphonenumber.

Each part is timed by itself, on the arguments that mapping calls it with. ``python -m benchmarks mapping_speed``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any
from unittest.mock import patch

import phonenumbers

from openphone_sync.config.mapping_file import load_built_in
from openphone_sync.model import ClientRow, FieldDefinition
from openphone_sync.rules import mapping, phones
from openphone_sync.rules.custom_fields import make_field_map
from openphone_sync.rules.mapping import MappingRules, make_fingerprint, map_client
from openphone_sync.sandbox import sample_clients
from openphone_sync.sandbox.options import CUSTOM_FIELDS

CLIENTS = 5_000
RUNS = 5
PARTS = {
    "reading phone numbers": "parse_phones",
    "cleaning names and texts": "clean_name",
    "reading and converting custom fields": "_read_fields",
}


def make_report(*, long: bool = False) -> str:
    """The tables as Markdown."""
    rows = [
        ClientRow(str(row["id"]), json.dumps(row, default=str))
        for row in sample_clients(CLIENTS * 10 if long else CLIENTS)
    ]
    rules = MappingRules("US", load_built_in(), make_field_map(_fields(), {}, load_built_in()))
    whole = _time(lambda row: map_client(row, rules), ((row,) for row in rows))
    contacts = sum(len(map_client(row, rules)) for row in rows)
    parts = {name: _time(getattr(mapping, called), _calls(called, rows, rules)) for name, called in PARTS.items()}
    parts["reading the row as JSON"] = _time(json.loads, ((row.document,) for row in rows))
    parts["finding columns, building contacts"] = whole - sum(parts.values())
    limit = _time(_ask_library, (one for one in _calls("parse_phones", rows, rules) if one[0]))
    unmoved = _time(lambda row: make_fingerprint(row, b""), ((row,) for row in rows))
    figures = (
        f"{len(rows) / whole:,.0f}",
        f"{contacts / whole:,.0f}",
        f"{whole / len(rows) * 1e6:.0f}",
        f"{whole / limit:.1f}",
        f"{unmoved / len(rows) * 1e6:.1f}",
    )
    lines = [
        "| clients/s | contacts/s | µs per client | times libphonenumber alone | a row that has not moved, µs |",
        "|---:|---:|---:|---:|---:|",
        f"| {' | '.join(figures)} |",
        "",
        "| where the time goes | share |",
        "|---|---:|",
        *(f"| {name} | {seconds / whole:.0%} |" for name, seconds in parts.items()),
    ]
    return "\n".join(lines) + "\n"


def _fields() -> Iterable[FieldDefinition]:
    return (FieldDefinition(f"key{number}", one.name, one.type) for number, one in enumerate(CUSTOM_FIELDS))


def _time(function: Callable[..., object], calls: Iterable[tuple[Any, ...]]) -> float:
    """CPU seconds of all calls, the best of several runs; a call that raises has been made too."""
    arguments = list(calls)
    return min(_time_once(function, arguments) for _ in range(RUNS))


def _time_once(function: Callable[..., object], calls: list[tuple[Any, ...]]) -> float:
    for remembering in (one for one in vars(phones).values() if hasattr(one, "cache_clear")):
        remembering.cache_clear()  # as at the start of a run
    started = time.process_time()
    for arguments in calls:
        try:
            function(*arguments)
        except (ValueError, phonenumbers.NumberParseException):
            continue
    return time.process_time() - started


def _calls(name: str, rows: list[ClientRow], rules: MappingRules) -> list[tuple[Any, ...]]:
    """What mapping calls one of its functions with."""
    with patch.object(mapping, name, wraps=getattr(mapping, name)) as watched:
        for row in rows:
            map_client(row, rules)
    return [tuple(one.args) for one in watched.call_args_list]


def _ask_library(text: str, region: str) -> None:
    """What nobody can leave out: read a number, see whether it can exist and is assigned, and write it as E.164."""
    number = phonenumbers.parse(text, region)
    phonenumbers.is_possible_number_with_reason(number)
    phonenumbers.is_valid_number(number)
    phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
