"""The library recordlinkage on the pairs that `matching_quality` hands it: JSON on stdin, JSON on stdout.

Runs in an environment of its own (pandas, scikit-learn). Candidates: equal phone, e-mail or date of birth, and the nine
nearest names in alphabetical order; scores: its Jaro-Winkler and exact comparisons; decision: its threshold rule. A pair is
adopted when phone or e-mail is equal and the name at or above 0.85, and listed as possible when one of those is equal, when
the name is at or above 0.95, or at or above 0.75 with an equal date of birth.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

Rows = list[dict[str, Any]]


def find_links(left: Rows, right: Rows) -> dict[str, list[list[str]]]:
    """``adopted`` and ``possible`` pairs (left id, right id), best name first. Rows: id, key, phone, email, birth."""
    a, b, scores = _compare(left, right)
    same = (scores["phone"] + scores["email"]) > 0
    adopt = same & (scores["name"] >= 0.85)
    born = (scores["birth"] > 0) & (scores["name"] >= 0.75)
    possible = ~adopt & (same | born | (scores["name"] >= 0.95))
    return {kind: _ids(scores[mask], a, b) for kind, mask in (("adopted", adopt), ("possible", possible))}


def score_pairs(left: Rows, right: Rows) -> list[tuple[str, str, float]]:
    """Left id, right id and the sum of what agrees, the library's own way to a threshold."""
    a, b, scores = _compare(left, right)
    total = scores["name"] + scores["phone"] + scores["email"] + scores["birth"]
    return [
        (left_id, right_id, float(score)) for (left_id, right_id), score in zip(_ids(scores, a, b), total, strict=True)
    ]


def _compare(left: Rows, right: Rows) -> tuple[Any, Any, Any]:
    pandas = import_module("pandas")
    recordlinkage = import_module("recordlinkage")
    a, b = (pandas.DataFrame(rows).replace("", None) for rows in (left, right))
    index = recordlinkage.Index()
    for column in ("phone", "email", "birth"):
        if a[column].notna().any() and b[column].notna().any():
            index.block(column)
    index.sortedneighbourhood("key", window=9)
    compare = recordlinkage.Compare()
    compare.string("key", "key", method="jarowinkler", label="name")
    for column in ("phone", "email", "birth"):
        compare.exact(column, column, label=column)
    scores = compare.compute(index.index(a, b), a, b).reset_index().sort_values("name", ascending=False)
    return a, b, scores


def _ids(scores: Any, a: Any, b: Any) -> list[list[str]]:
    first, second = scores.columns[0], scores.columns[1]
    return [[str(a.id[i]), str(b.id[j])] for i, j in zip(scores[first], scores[second], strict=True)]


if __name__ == "__main__":
    ask = score_pairs if "--score" in sys.argv else find_links
    json.dump(ask(**json.load(sys.stdin)), sys.stdout)
