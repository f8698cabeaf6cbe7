"""Lines of a conversation's file: what is kept when an item is told again, and in which order. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from openphone_sync.openphone.conversations import Item, Kind, is_later, without_signatures

_ORDER = {kind: place for place, kind in enumerate(Kind)}
_NO_TIME = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """An item as it stands in the file. ``superseded``: an older form; the newest form of it follows."""

    item: Item
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class Merged:
    """The lines after a merge, and how many items (the conversation itself apart) are new or have a new form."""

    lines: tuple[Line, ...]
    added: int
    changed: int


def merge_items(lines: Iterable[Line], told: Iterable[Item]) -> Merged:
    """Lines with what the API told now. Nothing is dropped: an item that reads differently keeps its older form beside it.

    Signatures in addresses do not count as a difference, and an answer that lags behind (an older form that is known
    already) changes nothing.
    """
    forms: dict[Any, list[Line]] = {}
    for line in lines:
        forms.setdefault(line.item.key, []).append(line)
    added = changed = 0
    for item in told:
        known = forms.setdefault(item.key, [])
        if not known:
            known.append(Line(item))
            added += item.kind is not Kind.CONVERSATION
        elif _is_new_form(item, known):
            kept = [replace(line, superseded=True) for line in known]
            forms[item.key] = [*kept, Line(item)]
            changed += item.kind is not Kind.CONVERSATION
        elif item.kind is Kind.CONVERSATION:
            known[-1] = Line(item)  # when its last activity was is the newest, and not worth a form of its own
    return Merged(tuple(_sort(forms.values())), added, changed)


def find_newest(lines: Iterable[Line]) -> Iterator[Item]:
    """The items in their newest forms, in order."""
    return (line.item for line in lines if not line.superseded)


def encode_line(line: Line) -> bytes:
    """One line of NDJSON: what the item is, the call it belongs to, and its JSON as the API gave it."""
    item = line.item
    head: dict[str, Any] = {"kind": item.kind.value}
    if item.call_id:
        head["callId"] = item.call_id
    if line.superseded:
        head["superseded"] = True
    return json.dumps({**head, "item": item.document}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def parse_time(text: str) -> datetime:
    """A time of the API; the earliest there is for text that is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _NO_TIME
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_new_form(item: Item, known: list[Line]) -> bool:
    read = without_signatures(item)
    if read == without_signatures(known[-1].item):
        return False
    is_old = any(read == without_signatures(line.item) for line in known[:-1])
    return not (is_old and not _is_newer(item, known[-1].item))


def _is_newer(item: Item, newest: Item) -> bool:
    return is_later(item, newest) and not is_later(newest, item)


def _sort(forms: Iterable[list[Line]]) -> Iterator[Line]:
    """The conversation first, then by time; parts follow their call, older forms stand before the newest."""
    for lines in sorted(forms, key=lambda one: _place(one[-1].item)):
        yield from lines


def _place(item: Item) -> tuple[Any, ...]:
    is_head = item.kind is Kind.CONVERSATION
    owner = item.call_id or item.item_id
    return not is_head, parse_time(item.at), owner, _ORDER[item.kind], item.item_id
