"""The run report over several rounds: contacts found deleted are judged again in the same run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from openphone_sync.model import ActionKind, Conflict, Done, Gone, Keep, Outcome, Tie, Update
from openphone_sync.rules.planning import Plan
from openphone_sync.run.report import Result, RunHeader, make_report
from tests.builders import P1, P2, alternate, client, link

MAIN, BROTHER = client("1", "James Smith", P1), alternate("1", 1, "Bob Smith", P2)
UPDATE = Update(link(BROTHER, "c2"), BROTHER, Tie.LINKED)
LOST = Update(link(MAIN, "c1"), MAIN, Tie.LINKED)
CONFLICT = Conflict("company", "source", "typed")


def report(result: Result) -> dict[str, Any]:
    header = RunHeader("r", "sync", "incremental", False, 0.0)
    return make_report(header, result, status="succeeded", exit_code=0, finished_at=1.0, requests={})


def first_round() -> Result:
    outcomes: list[Outcome] = [Gone(LOST), Done(UPDATE, ActionKind.UPDATE, "c2", (CONFLICT,))]
    return Result(Plan(actions=(LOST, UPDATE)), outcomes)


def test_what_the_first_round_wrote_is_counted_when_the_second_finds_it_unchanged() -> None:
    again = Update(link(MAIN, "c9"), MAIN, Tie.ADOPTED)
    unchanged = Keep(ActionKind.UNCHANGED, link(BROTHER, "c2"))
    result = first_round().add(Plan(actions=(again, unchanged)), [Done(again, ActionKind.ADOPT, "c9")])
    document = report(result)
    counts = {name: count for name, count in document["contacts"].items() if count}
    assert counts == {"updated": 1, "adopted": 1}
    assert document["conflicts"] == [{"externalId": "client_1_alt_1", "field": "company", "kept": "source"}]


def test_what_two_rounds_wrote_keeps_the_conflicts_of_both() -> None:
    other = Conflict("role", "source", "typed")
    result = first_round().add(
        Plan(actions=(LOST, UPDATE)), [Gone(LOST), Done(UPDATE, ActionKind.UPDATE, "c2", (other,))]
    )
    assert [entry["field"] for entry in report(result)["conflicts"]] == ["company", "role"]


def test_a_contact_that_is_deleted_after_it_was_written_keeps_its_conflicts() -> None:
    result = first_round().add(Plan(actions=(LOST, UPDATE)), [Gone(LOST), Gone(UPDATE)])
    assert [entry["field"] for entry in report(result)["conflicts"]] == ["company"]


def test_what_is_held_after_the_second_round_is_held() -> None:
    held = Keep(ActionKind.HOLD, replace(link(BROTHER, None)))
    result = first_round().add(Plan(actions=(LOST, held)), [Gone(LOST)])
    counts = {name: count for name, count in report(result)["contacts"].items() if count}
    assert counts == {"held": 1, "failed": 1}
