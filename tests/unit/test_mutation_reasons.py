"""./dev mutate: each reason why a mutant need not be killed is about lines that are there; all tests of rules are run."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from openphone_sync import rules

ROOT = Path(__file__).parents[2]
REASONS = ROOT / "tests" / "mutation_survivors.toml"
ENTRIES = tomllib.loads(REASONS.read_text(encoding="utf-8"))["survivor"]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry['module']}: {entry['after']}")
def test_each_reason_is_about_lines_that_are_there(entry: dict[str, str]) -> None:
    lines = (Path(rules.__file__).parent / entry["module"]).read_text(encoding="utf-8")
    assert entry["before"] in " ".join(line.strip() for line in lines.splitlines())
    assert entry["before"] != entry["after"]
    assert entry["reason"]


def test_every_test_of_the_rules_may_kill_a_mutant() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    tests = [path for folder in ("unit", "property") for path in (ROOT / "tests" / folder).glob("test_*.py")]
    tests.remove(Path(__file__))
    of_rules = [path for path in tests if "from openphone_sync.rules" in path.read_text(encoding="utf-8")]
    assert {path.relative_to(ROOT).as_posix() for path in of_rules} <= {*settings["pytest_add_cli_args_test_selection"]}
