"""Whether a plan may run unasked: each limit just within and just beyond."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from openphone_sync.errors import SafetyStopError
from openphone_sync.model import ClientTally, Create, Delete, Reason, Why
from openphone_sync.rules.merging import make_first_draft
from openphone_sync.rules.planning import Plan
from openphone_sync.rules.safety import FEWEST_CHANGES, FEWEST_LOST, SafetyLimit, check_safety, count_touched
from tests.builders import OURS, P1, client, contact, link

SHARE = SafetyLimit("20%", share=0.2)
JAMES = client("1", "James Smith", P1)
DELETION = Delete(link(JAMES, "a"), "a", contact("a", "James"), Why(Reason.GONE_FROM_SOURCE))
AGAIN = Create(link(JAMES, None), make_first_draft(JAMES, OURS), JAMES, again=True)
FIRST = replace(AGAIN, again=False)


def plan(**more: Any) -> Plan:
    return Plan(**{"clients": ClientTally(read=100), "linked_before": 100, "known_clients": 100, **more})


def stops(limit: SafetyLimit = SHARE, *, before: Counter[str] | None = None, **more: Any) -> str:
    """What it says, empty where the plan may run."""
    try:
        check_safety(plan(**more), limit, before)
    except SafetyStopError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("within", "beyond", "words"),
    [
        (
            {"changed_contacts": 20},
            {"changed_contacts": 21},
            "21 of 100 linked contacts would change (21 updates), 20 may",
        ),
        ({"actions": (AGAIN,) * 20}, {"actions": (AGAIN,) * 21}, "(21 re-creations), 20 may"),
        ({"actions": (DELETION,) * 20}, {"actions": (DELETION,) * 21}, "(21 deletions), 20 may"),
        ({"removed": ("x",) * 20}, {"removed": ("x",) * 21}, "21 of 100 clients are gone from the source, 20 may be"),
        ({"losses": {"phone": 20}}, {"losses": {"phone": 21}}, "21 rows lost their phone, 20 may"),
        ({"actions": (FIRST,) * 500}, {"missing_columns": ("phone",)}, "the source no longer has the column phone"),
    ],
)
def test_each_limit_lets_pass_what_is_within(within: dict[str, Any], beyond: dict[str, Any], words: str) -> None:
    assert stops(**within) == ""
    assert words in stops(**beyond)


def test_a_share_never_stops_few_changes_but_more_than_three_deletions_or_rows_gone() -> None:
    small: dict[str, Any] = {"linked_before": 10, "known_clients": 10}
    assert stops(changed_contacts=FEWEST_CHANGES, **small) == ""
    assert stops(changed_contacts=FEWEST_CHANGES + 1, **small)
    assert stops(actions=(DELETION,) * FEWEST_LOST, **small) == ""
    assert "4 of 10 linked contacts would be deleted, 3 may" in stops(actions=(DELETION,) * (FEWEST_LOST + 1), **small)
    assert stops(removed=("x",) * FEWEST_LOST, **small) == ""
    assert stops(removed=("x",) * (FEWEST_LOST + 1), **small)


def test_an_absolute_number_rules_for_all() -> None:
    none = SafetyLimit("0", number=0)
    assert stops(none) == ""
    assert stops(none, changed_contacts=1)
    assert stops(none, actions=(DELETION,))
    assert stops(none, removed=("x",))
    assert "(OPENPHONE_MAX_CHANGES=0)" in stops(none, changed_contacts=1)


def test_no_rows_stop_only_a_complete_read_of_a_table_that_had_some() -> None:
    empty: dict[str, Any] = {"clients": ClientTally()}
    assert "the source has no rows, but 100 contacts are linked" in stops(**empty)
    assert stops(**empty, complete=False) == ""
    assert stops(**empty, linked_before=0) == ""
    assert stops(removed=("x",) * 50, complete=False) == ""


def test_columns_of_a_first_run_are_not_missed() -> None:
    assert stops(missing_columns=("phone",), linked_before=0) == ""


def test_a_later_round_counts_what_the_first_touched() -> None:
    before = Counter({"updates": 15})
    assert stops(actions=(AGAIN,) * 5, before=before) == ""
    said = stops(actions=(AGAIN,) * 6, before=before)
    assert (
        "21 of 100 linked contacts would change (6 re-creations, 15 updates), 20 may" in said or "(15 updates" in said
    )
    assert "so nothing more was written" in said


def test_all_that_is_beyond_a_limit_is_said_at_once_with_what_to_do() -> None:
    assert stops(changed_contacts=21, losses={"phone": 21}) == (
        "21 of 100 linked contacts would change (21 updates), 20 may, and 21 rows lost their phone, 20 may, so nothing was "
        "written (OPENPHONE_MAX_CHANGES=20%); look at it with --dry-run --force, and run again with --force if it is right"
    )
    assert "no longer has the column phone, email, and" in stops(
        missing_columns=("phone", "email"), removed=("x",) * 21
    )


def test_creations_are_not_touched() -> None:
    assert count_touched(plan(actions=(FIRST, AGAIN, DELETION), changed_contacts=2)) == Counter(
        {"updates": 2, "deletions": 1, "re-creations": 1}
    )
