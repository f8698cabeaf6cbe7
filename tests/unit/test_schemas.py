"""JSON Schemas in the package; `tests.office` validates every document of the suite against them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from openphone_sync.cli.app import COMMANDS, OnDemand, run
from openphone_sync.schemas import list_schemas, load_schema
from tests.schemas import check_document, find_command


def find_json_commands() -> Iterator[tuple[str, ...]]:
    """The words of every command that takes ``--json``."""
    for name in COMMANDS:
        command = OnDemand(name).load()
        for words, one in [
            ((name,), command),
            *(((name, sub), it) for sub, it in getattr(command, "commands", {}).items()),
        ]:
            if any("--json" in parameter.opts for parameter in one.params):
                yield words


JSON_COMMANDS = list(find_json_commands())


@pytest.mark.parametrize("words", JSON_COMMANDS, ids=" ".join)
def test_every_document_has_a_schema(words: tuple[str, ...]) -> None:
    name = find_command(words)
    assert name in list_schemas(), f"add openphone_sync/schemas/{name}.json, which describes its document"


@pytest.mark.parametrize("words", JSON_COMMANDS, ids=" ".join)
def test_a_usage_error_is_a_document_too(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--json", "--nonsense"]) == 2
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    check_document(words, document)
    assert (document["exitCode"], "--nonsense" in document["message"]) == (2, True)
    assert "--nonsense" in shown.err


def test_without_json_a_usage_error_leaves_stdout_empty(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sync", "--mode", "sideways"]) == 2
    shown = capsys.readouterr()
    assert (shown.out, "sideways" in shown.err) == ("", True)
    assert run(["nonsense", "--json"]) == 2
    assert "nonsense" in json.loads(capsys.readouterr().out)["message"]


@pytest.mark.parametrize("name", list_schemas())
def test_a_printed_schema_stands_on_its_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", *name.split("-", 1)] if name.startswith("review") else ["schema", name]) == 0
    schema = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(schema)
    assert schema == load_schema(name)
    targets = {target.removeprefix("#/$defs/") for target in find_targets(schema)}
    assert targets == set(schema.get("$defs", {}))


def find_targets(node: Any) -> Iterator[str]:
    """Every reference in a schema."""
    if isinstance(node, dict):
        yield from [node["$ref"]] if "$ref" in node else []
        for value in node.values():
            yield from find_targets(value)
    elif isinstance(node, list):
        for value in node:
            yield from find_targets(value)


def test_the_names_of_all_schemas_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    assert capsys.readouterr().out.split() == list_schemas()
    assert run(["schema", "nonsense"]) == 2
    assert "take one of alert-test, " in capsys.readouterr().err


@pytest.mark.parametrize(
    "fault",
    [
        lambda document: document.update(surprise=1),
        lambda document: document["reviews"].update(surprise=1),
        lambda document: document["reviews"].update(open="1"),
        lambda document: document.pop("reviews"),
        lambda document: document["lastGoodRun"].update(finishedAt="yesterday"),
    ],
)
def test_a_document_that_its_schema_does_not_describe_is_found(fault: Any) -> None:
    document: dict[str, Any] = {
        "schemaVersion": 1,
        "syncService": {"isInProgress": False},
        "scheduler": {
            "jobId": "openphone-daily-sync",
            "status": "stopped",
            "isEnabled": False,
            "schedule": None,
            "nextRun": None,
        },
        "schedulerMetrics": {"totalRuns": 1, "successfulRuns": 1, "failedRuns": 0},
        "lastRun": None,
        "lastGoodRun": {"finishedAt": "2026-11-26T02:00:00.000Z", "ageSeconds": 2.0},
        "reviews": {"open": 0},
        "coverage": None,
    }
    check_document(["status"], document)
    fault(document)
    with pytest.raises(AssertionError, match="against the schema status"):
        check_document(["status"], document)
