"""JSON Schemas of the documents that commands print: one file for each, and `common.json` for what several hold.

Tests validate every document against its schema with further keys forbidden; published, keys may be added.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
_COMMON = "common"
_PLACE = "#/$defs/"


def list_schemas() -> list[str]:
    """Names such as ``sync`` and ``review-list``; ``error`` is what any command prints before it has a result."""
    return sorted(path.stem for path in _FOLDER.glob("*.json") if path.stem != _COMMON)


def load_schema(name: str) -> dict[str, Any]:
    """The schema with all that it refers to, so that it stands on its own; `KeyError` if there is none."""
    if name not in list_schemas():
        raise KeyError(name)
    schema, common = _read(name), _read(_COMMON)["$defs"]
    needed: dict[str, Any] = {}
    waiting = list(_point_inside(schema))
    while waiting:
        part = waiting.pop()
        if part not in needed:
            needed[part] = common[part]
            waiting += _point_inside(needed[part])
    return {**schema, "$defs": dict(sorted(needed.items()))} if needed else schema


def _point_inside(node: Any) -> Iterator[str]:
    """Make references into `common.json` ones into the schema itself; the names they lead to."""
    if isinstance(node, dict):
        target = node.get("$ref")
        if isinstance(target, str):
            name = target.partition(_PLACE)[2]
            node["$ref"] = _PLACE + name
            yield name
        for value in node.values():
            yield from _point_inside(value)
    elif isinstance(node, list):
        for value in node:
            yield from _point_inside(value)


def _read(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return schema
