"""An office of families (benchmarks/families.py): most contacts on a client's phone are somebody else's."""

from __future__ import annotations

import pytest

from benchmarks.families import make_families
from benchmarks.matching_quality import ask_ours, count, make_case


@pytest.mark.parametrize("unseen", [False, True], ids=["known forms", "forms set aside"])
def test_contacts_of_other_people_are_not_adopted(unseen: bool) -> None:
    case = make_case(*make_families(20, unseen=unseen))
    tally = count(case, ask_ours(case))
    assert tally.wrong <= 1
    assert tally.adopted_right + tally.held_right >= 0.96 * tally.known
    assert tally.adopted_right >= 0.85 * tally.known
