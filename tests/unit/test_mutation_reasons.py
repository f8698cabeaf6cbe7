"""Why some mutants of the rules need not be killed (./dev mutate): each reason is about lines that are there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from openphone_sync import rules

REASONS = Path(__file__).parents[1] / "mutation_survivors.toml"
ENTRIES = tomllib.loads(REASONS.read_text(encoding="utf-8"))["survivor"]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry['module']}: {entry['after']}")
def test_each_reason_is_about_lines_that_are_there(entry: dict[str, str]) -> None:
    lines = (Path(rules.__file__).parent / entry["module"]).read_text(encoding="utf-8")
    assert entry["before"] in " ".join(line.strip() for line in lines.splitlines())
    assert entry["before"] != entry["after"]
    assert entry["reason"]
