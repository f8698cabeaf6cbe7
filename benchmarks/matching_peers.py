"""Who is who beside Splink and recordlinkage: the same people, each peer with the threshold that suits it best.

``python -m benchmarks.matching_peers`` prints the tables. Every second wanted contact is for training: there each peer's
threshold is chosen for the best F1. The other half is counted. A rule says at most one contact of each wanted one; ours says
what it adopts, else the first that it holds, and has no threshold to choose.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.families import make_offices
from benchmarks.matching_quality import (
    NOTHING_KNOWN,
    RULES,
    Case,
    find_interval,
    make_case,
    make_febrl_cases,
    make_table,
    normalise,
)
from benchmarks.office import Census, make_office
from benchmarks.on_demand import fetch_package
from openphone_sync.model import Candidate, Holds, Meets, Tie
from openphone_sync.rules.matching import RemoteIndex, match_contacts

PEERS = {"Splink": ("splink==5.0.0", "splink_peer.py"), "recordlinkage": ("recordlinkage", "recordlinkage_peer.py")}
HOUSEHOLDS = 6_000
EDGES = (0.90, 0.92, 0.94, 0.96, 0.98, 1.0)

Said = dict[int, tuple[str, float]]
"""What a rule says by the number of the wanted contact: the contact, and how sure it is."""
Row = dict[str, str | None]


def make_cases(census: Census, febrl: Path, seed: int) -> Iterator[tuple[str, Case]]:
    """FEBRL 1 to 4 and both made-up offices."""
    yield from make_febrl_cases(febrl, births=True)
    yield "made-up office", make_case(*make_office(census, seed + 1, HOUSEHOLDS))
    [made] = make_offices(seed, 1, unseen=False)
    yield "office of families", make_case(*made)


# --- rules --------------------------------------------------------------------------------------------------------------


def ask_ours(case: Case) -> Said:
    """This project: what is adopted or held."""
    index = RemoteIndex(case.remote, normalise, complete=True)
    said: Said = {}
    for number, result in enumerate(match_contacts(case.wanted, index, NOTHING_KNOWN, RULES).results):
        if isinstance(result, Meets) and result.tie is Tie.ADOPTED:
            said[number] = (result.contact_id, 1.0)
        elif isinstance(result, Holds) and result.evidence:
            said[number] = (result.evidence[0].subject, 1.0)
    return said


def ask_peer(peer: str) -> Callable[[Case], Said]:
    """A peer: the contact with the best score."""

    def ask(case: Case) -> Said:
        said: Said = {}
        for wanted, contact, score in _run_peer(peer, _make_tables(case)):
            number = int(wanted)
            if number not in said or score > said[number][1]:
                said[number] = (contact, score)
        return said

    return ask


def _make_tables(case: Case) -> dict[str, list[Row]]:
    left = [
        _make_row(str(number), one.person, [item.value for item in one.values.phones],
                  [item.value for item in one.values.emails], one.birth_date)
        for number, one in enumerate(case.wanted)
    ]  # fmt: skip
    right = [
        _make_row(one.contact_id, one.display_name, [normalise(item.value or "") for item in one.phones],
                  [item.value or "" for item in one.emails], next((str(f.value) for f in one.custom_fields if f.value), None))
        for one in case.remote
    ]  # fmt: skip
    return {"left": left, "right": right}


def _make_row(row_id: str, name: str, phones: Sequence[str], emails: Sequence[str], birth: str | None) -> Row:
    words = name.lower().replace(",", " ").split()
    if "," in name:  # "Smith, James"
        words = [*words[1:], *words[:1]]
    return {
        "id": row_id,
        "key": " ".join(sorted(words)),
        "first": words[0] if words else None,
        "last": words[-1] if words else None,
        "phone": phones[0] if phones else None,
        "email": emails[0] if emails else None,
        "birth": birth,
    }


def _run_peer(peer: str, tables: dict[str, list[Row]]) -> list[tuple[str, str, float]]:
    package, script = PEERS[peer]
    environment = os.environ | {"PYTHONPATH": str(fetch_package(package, dependencies=True))}
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name(script)), "--score"]
    done = subprocess.run(
        command, input=json.dumps(tables), capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    scored: list[tuple[str, str, float]] = json.loads(done.stdout)
    return scored


# --- counting -----------------------------------------------------------------------------------------------------------


def find_threshold(case: Case, said: Said) -> float:
    """The threshold with the best F1 on the training half."""
    train = [number for number in range(0, len(case.wanted), 2) if number in said]
    known = sum(bool(case.truth[number]) for number in range(0, len(case.wanted), 2))
    best, threshold, right = 0.0, 0.0, 0
    for count, number in enumerate(sorted(train, key=lambda one: -said[one][1]), 1):
        right += said[number][0] in case.truth[number]
        f1 = 2 * right / (count + known)
        if f1 > best:
            best, threshold = f1, said[number][1]
    return threshold


def _row(data: str, rule: str, case: Case, said: Said) -> list[str]:
    threshold = 0.0 if rule == "openphone-sync" else find_threshold(case, said)
    test = range(1, len(case.wanted), 2)
    chosen = [number for number in test if number in said and said[number][1] >= threshold]
    right = sum(said[number][0] in case.truth[number] for number in chosen)
    known = sum(bool(case.truth[number]) for number in test)
    f1 = 2 * right / (len(chosen) + known)
    shown = "-" if rule == "openphone-sync" else f"{threshold:.2f}"
    return [data, rule, shown, f"{known:,}", _share(right, known), _share(right, len(chosen)), f"{f1:.3f}"]


def _share(hits: int, total: int) -> str:
    low, high = find_interval(hits, total)
    return f"{hits / total:.3f} ({low:.3f} to {high:.3f})" if total else "-"


def make_peer_table(cases: Sequence[tuple[str, Case]]) -> str:
    """Recall and precision of each rule on the half that was not for training."""
    rules: dict[str, Callable[[Case], Said]] = {"openphone-sync": ask_ours} | {peer: ask_peer(peer) for peer in PEERS}
    rows = [_row(data, name, case, rule(case)) for data, case in cases for name, rule in rules.items()]
    return make_table(("data", "rule", "threshold", "people", "recall", "precision", "F1"), rows)


def make_calibration_table(cases: Sequence[tuple[str, Case]]) -> str:
    """Pairs that are held, by the similarity of their names: how many are the same person."""
    rows = []
    for data, case in cases:
        pairs = [
            (candidate.score, candidate.subject in case.truth[number])
            for number, candidate in _find_candidates(case)
        ]  # fmt: skip
        for low, high in zip(EDGES, (*EDGES[1:], 2.0), strict=True):
            inside = [same for score, same in pairs if low <= score < high]
            if inside:
                between = "1.00" if low == 1.0 else f"{low:.2f} to {high:.2f}"
                rows.append([data, between, f"{len(inside):,}", _share(sum(inside), len(inside))])
    return make_table(("data", "score", "pairs", "the same person"), rows)


def _find_candidates(case: Case) -> Iterator[tuple[int, Candidate]]:
    index = RemoteIndex(case.remote, normalise, complete=True)
    for number, result in enumerate(match_contacts(case.wanted, index, NOTHING_KNOWN, RULES).results):
        if isinstance(result, Holds):
            yield from ((number, candidate) for candidate in result.evidence)


def make_report(seed: int = 1, *, long: bool = False) -> str:
    """Both tables as Markdown. ``long`` changes nothing."""
    del long
    census = Census(fetch_package("names") / "names")
    febrl = fetch_package("recordlinkage") / "recordlinkage" / "datasets" / "febrl"
    cases: list[tuple[str, Any]] = list(make_cases(census, febrl, seed))
    return (
        f"{make_peer_table(cases)}\n\nOurs counts what is adopted and what is held for a person to decide, together.\n\n"
        f"Of pairs that are held with a score, as `review` shows it:\n\n{make_calibration_table(cases)}\n"
    )


if __name__ == "__main__":
    sys.stdout.write(make_report())
