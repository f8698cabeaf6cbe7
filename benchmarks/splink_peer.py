"""The library Splink on the pairs that `matching_peers` hands it: JSON on stdin, scored pairs as JSON on stdout.

Runs in an environment of its own (DuckDB). The settings are those of Splink's own examples for people: first and last name
together with adjustments for how common a name is, date of birth by parts, phone and e-mail; parameters are learnt from the
data without labels (u by random sampling, m by expectation maximisation in two passes).
"""

from __future__ import annotations

import json
import logging
import sys
from importlib import import_module
from typing import Any

Rows = list[dict[str, Any]]
BLOCKS = (("birth",), ("phone",), ("email",), ("last",), ("first",), ("substr(first, 1, 3)", "substr(last, 1, 3)"))
"""Pairs that are compared: those alike in all columns of one of these."""
TRAINING = (("birth",), ("last",))
LEAST = 1e-6
"""Pairs below this probability are not handed back."""


def score_pairs(left: Rows, right: Rows) -> list[tuple[str, str, float]]:
    """Left id, right id and match weight (log2 of the odds). Rows: id, first, last, phone, email, birth."""
    splink, duckdb = import_module("splink"), import_module("duckdb")
    comparisons = import_module("splink.comparison_library")
    arrow = import_module("pyarrow")
    given = {name for name in ("phone", "email", "birth") if _is_given(left, name) and _is_given(right, name)}
    chosen = [comparisons.ForenameSurnameComparison("first", "last").configure(term_frequency_adjustments=True)]
    if "birth" in given:
        chosen.append(comparisons.DateOfBirthComparison("birth", input_is_string=True))
    chosen += [comparisons.ExactMatch(name) for name in ("phone", "email") if name in given]
    known = {"first", "last", *given}
    blocks = [block for block in BLOCKS if all(_column(part) in known for part in block)]
    database = splink.DuckDBAPI(connection=duckdb.connect())
    frames = [
        database.register(arrow.Table.from_pylist([_clean(row) for row in rows]), dataset_display_name=name)
        for name, rows in (("a", left), ("b", right))
    ]
    settings = splink.SettingsCreator(
        link_type="link_only",
        unique_id_column_name="id",
        comparisons=chosen,
        blocking_rules_to_generate_predictions=[splink.block_on(*block) for block in blocks],
    )
    linker = splink.Linker(frames, settings)
    certain = [splink.block_on("first", "last", name) for name in sorted(given)]
    linker.training.estimate_probability_two_random_records_match(certain, recall=0.6)
    linker.training.estimate_u_using_random_sampling(max_pairs=2_000_000, seed=1)
    for block in TRAINING:
        if all(name in known for name in block):
            linker.training.estimate_parameters_using_expectation_maximisation(splink.block_on(*block))
    scored = linker.inference.predict(threshold_match_probability=LEAST).as_record_list()
    return [(str(pair["id_l"]), str(pair["id_r"]), float(pair["match_weight"])) for pair in scored]


def _is_given(rows: Rows, name: str) -> bool:
    return any(row[name] for row in rows)


def _column(part: str) -> str:
    return part.removeprefix("substr(").partition(",")[0]


def _clean(row: dict[str, Any]) -> dict[str, str | None]:
    return {name: row[name] or None for name in ("id", "first", "last", "phone", "email", "birth")}


if __name__ == "__main__":
    logging.disable()
    json.dump(score_pairs(**json.load(sys.stdin)), sys.stdout)
