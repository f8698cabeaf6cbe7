"""Documents against their schemas, as the whole test suite checks them: further keys are forbidden here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from openphone_sync.cli.app import COMMANDS
from openphone_sync.schemas import list_schemas, load_schema


def find_command(arguments: Sequence[str]) -> str:
    """``review-list`` of the arguments of a command line."""
    first = next(number for number, word in enumerate(arguments) if word in COMMANDS)
    name, known = arguments[first], list_schemas()
    inner = (f"{name}-{word}" for word in arguments[first + 1 :] if f"{name}-{word}" in known)
    return next(inner, {"review": "review-list"}.get(name, name))


def check_document(arguments: Sequence[str], document: Any) -> None:
    """AssertionError names what the schema of the command does not say."""
    name = find_command(arguments)
    if is_error(document):
        name = "error"
    if name == "sync" and "--dry-run" in arguments:
        name = "dry-run"
    assert name in list_schemas(), f"add openphone_sync/schemas/{name}.json, which describes the document"
    faults = [f"{fault.json_path}: {fault.message[:300]}" for fault in make_validator(name).iter_errors(document)]
    assert not faults, f"{' '.join(arguments)} against the schema {name}: {faults[:5]}"


def is_error(document: Any) -> bool:
    """Whether a command failed before it had a result."""
    return set(document) == {"schemaVersion", "status", "exitCode", "message"}


@cache
def make_validator(name: str) -> Draft202012Validator:
    """Strict: what the schema does not name is a fault."""
    schema = load_schema(name)
    parts = schema.get("$defs", {})
    for part_name, part in parts.items():
        if part_name != "report":  # further keys stand beside it
            _close(part)
    _close({key: value for key, value in schema.items() if key not in {"$defs", "allOf"}})
    if "allOf" in schema:
        schema["unevaluatedProperties"] = False
    elif "properties" in schema:
        schema["additionalProperties"] = False
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _close(node: Any) -> None:
    if isinstance(node, dict):
        if "properties" in node and node.get("type") == "object":
            node.setdefault("additionalProperties", False)
        for value in node.values():
            _close(value)
    elif isinstance(node, list):
        for value in node:
            _close(value)
