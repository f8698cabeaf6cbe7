"""``./dev mutate``: change the rules in one place at a time, and see whether a unit or property test notices.

mutmut makes and runs the mutants (`[tool.mutmut]` in pyproject.toml). It changes what is inside functions; constants, and
functions under a decorator, stay as they are. `mutation_survivors.toml` says of known survivors why no test has to kill them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import get_mutant_name

from benchmarks.readme import write_section

RULES = Path("openphone_sync/rules")
WORK = Path("mutants")
REASONS = Path(__file__).with_name("mutation_survivors.toml")
GOAL = 0.93
KILLED = {"killed", "timeout", "segfault"}


@dataclass(frozen=True)
class Change:
    """What a mutant changes; lines without indentation. The key of its reason, since mutmut's numbers move with every edit."""

    module: str
    before: str
    after: str


@dataclass(frozen=True)
class Mutant:
    """One mutant: mutmut's name for it, and where it is."""

    name: str
    path: Path

    @property
    def module(self) -> str:
        return self.path.relative_to(RULES).as_posix()


def main(arguments: Sequence[str]) -> int:
    """Returns 1 where too few mutants were killed."""
    parser = argparse.ArgumentParser(prog="./dev mutate", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sample", type=int, default=400, help="how many mutants (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (%(default)s)")
    parser.add_argument("names", nargs="*", metavar="MUTANT", help="only these, and write no table")
    given = parser.parse_args(arguments)
    every = list_mutants()
    if given.names:
        chosen = [mutant for mutant in every if mutant.name in given.names]
    else:
        chosen = sorted(Random(given.seed).sample(every, min(given.sample, len(every))), key=lambda one: one.name)
    began = time.monotonic()
    statuses = run_mutants(chosen)
    survivors = {mutant: read_change(mutant) for mutant in chosen if statuses[mutant] not in KILLED}
    for mutant, change in survivors.items():
        print(f"{mutant.name}: {statuses[mutant]}\n  - {change.before}\n  + {change.after}")
    if given.names:
        return int(bool(survivors))
    reasons = read_reasons()
    report = make_report(chosen, len(every), survivors, reasons)
    print(f"{report}\n({time.monotonic() - began:.0f} s)")
    write_section("mutation", "Rules changed in one place", "./dev mutate", report)
    return int(len(survivors) > (1 - GOAL) * len(chosen))


def list_mutants() -> list[Mutant]:
    """All mutants of all rules, in an order that is always the same."""
    return [
        Mutant(get_mutant_name(path, name), path)
        for path in sorted(RULES.rglob("*.py"))
        for name in mutate_file_contents(str(path), path.read_text(encoding="utf-8")).mutant_names
    ]


def run_mutants(mutants: Sequence[Mutant]) -> Mapping[Mutant, str]:
    """What became of each of them, in mutmut's words."""
    shutil.rmtree(WORK, ignore_errors=True)
    program = str(Path(sys.executable).with_name("mutmut"))
    command = [program, "run", "--max-children", "1", *(mutant.name for mutant in mutants)]
    # Progress is for people who watch; the order of sets is part of what a test does.
    done = subprocess.run(
        command, env=os.environ | {"PYTHONHASHSEED": "0"}, stdout=subprocess.PIPE, encoding="utf-8", check=False
    )
    if done.returncode:
        sys.exit(done.stdout[-4000:])
    statuses: dict[str, str] = {}
    for path in {mutant.path for mutant in mutants}:
        results = SourceFileMutationData(path=path)
        results.load()
        statuses |= {name: status_by_exit_code[code] for name, code in results.exit_code_by_key.items()}
    return {mutant: statuses[mutant.name] for mutant in mutants}


def read_change(mutant: Mutant) -> Change:
    """The lines that the mutant takes away and those that it puts there."""
    lines = get_diff_for_mutant(mutant.name, path=mutant.path).splitlines()
    changed = [line for line in lines if line[:1] in {"-", "+"} and line[:3] not in {"---", "+++"}]
    before, after = (" ".join(line[1:].strip() for line in changed if line[0] == sign) for sign in "-+")
    return Change(mutant.module, before, after)


def read_reasons() -> dict[Change, str]:
    """Why no test has to kill a mutant; tests/unit/test_mutation_reasons.py finds those that are out of date."""
    entries = tomllib.loads(REASONS.read_text(encoding="utf-8"))["survivor"]
    return {Change(entry["module"], entry["before"], entry["after"]): entry["reason"] for entry in entries}


def make_report(
    sample: Sequence[Mutant], total: int, survivors: Mapping[Mutant, Change], reasons: Mapping[Change, str]
) -> str:
    """Killed and survived for each module, and each survivor with its reason."""
    tried, survived = Counter(one.module for one in sample), Counter(one.module for one in survivors)
    share = f"{(len(sample) - len(survivors)) / len(sample):.1%} of them killed (goal {GOAL:.0%})"
    explained = sum(change in reasons for change in survivors.values())
    lines = [
        f"{len(sample)} of {total:,} mutants, {share}; {explained} of {len(survivors)} survivors need not be.",
        "",
        *make_table(
            ("module", "mutants", "killed", "survived"),
            [(name, tried[name], tried[name] - survived[name], survived[name]) for name in sorted(tried)]
            + [("all", len(sample), len(sample) - len(survivors), len(survivors))],
        ),
        "",
        *make_table(
            ("survivor in", "line", "changed to", "why"),
            [
                (change.module, f"`{change.before}`", f"`{change.after}`", reasons.get(change, "no test yet"))
                for change in survivors.values()
            ],
        ),
    ]
    return "\n".join(lines)


def make_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *cells)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
