"""A bounded part of the fault suite: one fault of each kind, and a dozen kills. `./dev faults` runs all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openphone_sync.sandbox import EmbeddedPostgres
from tests.faults.cases import BOUNDED, STAGES, find_case, opening, run_case, run_undisturbed
from tests.faults.killing import Lane, run_lane
from tests.faults.losses import EndState, find_losses, read_end_state
from tests.faults.scene import edit_both_sides

ROWS = 20
KILLS = 4  # in each stage, or fewer where a run is quicker


@pytest.fixture(scope="module")
def undisturbed(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> dict[str, EndState]:
    dsn = postgres.create_database("undisturbed")
    return {stage: run_undisturbed(dsn, tmp_path_factory.mktemp(stage), stage) for stage in STAGES}


def test_killed_runs_end_like_an_undisturbed_one(postgres: EmbeddedPostgres, dsn: str, tmp_path: Path) -> None:
    plain = run_lane(postgres.create_database("plain"), tmp_path / "plain", Lane(0, ROWS, 0), None)
    killed = run_lane(dsn, tmp_path / "killed", Lane(1, ROWS, KILLS, at_once=False), plain.ends)
    assert (plain.losses, killed.losses) == ((), ())
    assert all(killed.kills.values())


@pytest.mark.parametrize(("name", "stage"), BOUNDED)
def test_no_fault_loses_anything(
    name: str, stage: str, dsn: str, tmp_path: Path, undisturbed: dict[str, EndState]
) -> None:
    assert run_case(dsn, tmp_path, find_case(name), stage, undisturbed[stage]).faults == ()


def test_the_suite_sees_a_loss(dsn: str, tmp_path: Path, undisturbed: dict[str, EndState]) -> None:
    """The net holds: what a bug would do is done by hand, and found."""
    with opening(dsn, tmp_path, find_case("lists that lag")) as office:
        office.sync()
        edit_both_sides(office)
        office.sync()
        workspace = office.sandbox.workspace
        workspace.remove(office.contact("client_9")["id"])
        workspace.add({**office.contact("client_10"), "customFields": []}, source="legal-practitioner-app")
        workspace.edit(
            office.contact("client_13_alt_1")["id"],
            {"defaultFields": {"phoneNumbers": [{"value": None, "id": desk(office.contact("client_13_alt_1"))}]}},
        )
        losses = find_losses(office, undisturbed["update"])
        assert read_end_state(office) != undisturbed["update"]
    for word in ("client_9 is linked to nothing", "client_10 stands 2 times", "client_13_alt_1: phoneNumbers is"):
        assert any(loss.startswith(word) for loss in losses), losses


def desk(contact: Any) -> Any:
    """The id of the number that staff typed."""
    return next(item["id"] for item in contact["defaultFields"]["phoneNumbers"] if item["name"] == "Desk")
