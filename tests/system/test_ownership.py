"""Nobody else's files: settings that others could have written, folders that others own, links that lead away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openphone_sync.config import load_settings
from openphone_sync.ops.files import check_state_dir
from tests.office import JAMES, Office, Ran

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


def write_env(office: Office, path: Path, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"OPENPHONE_BASE_URL={office.sandbox.base_url}\n")
    path.chmod(mode)
    return path


def assert_refused(office: Office, ran: Ran, *words: str) -> None:
    assert ran.code == 2, ran.err
    assert ran.err.count("\n") == 1
    for word in words:
        assert word in ran.err
    assert office.requests() == []


# --- env files -------------------------------------------------------------------------------------------------------


@as_root
@pytest.mark.parametrize("name", [".env", ".env.local"])
def test_an_env_file_of_somebody_else_in_this_folder_is_refused(office: Office, name: str) -> None:
    os.chown(write_env(office, office.folder / name), NOBODY, NOBODY)
    assert_refused(office, office.run("sync"), name, f"belongs to another user (uid {NOBODY})", "--env-file")


@as_root
def test_an_env_file_of_somebody_else_can_be_named(office: Office) -> None:
    office.make_clients(JAMES)
    path = write_env(office, office.folder / "elsewhere" / "env", 0o640)
    os.chown(path, NOBODY, NOBODY)
    assert office.run("sync", "--env-file", str(path)).code == 0
    os.chown(write_env(office, office.folder / ".env"), NOBODY, NOBODY)
    assert office.run("sync", "--env-file", str(office.folder / ".env")).code == 0


@pytest.mark.parametrize("place", [".env", "named", "config/openphone-sync/env"])
def test_an_env_file_that_everybody_can_write_is_refused(office: Office, place: str) -> None:
    path = write_env(office, office.folder / place, 0o602)
    options = ("--env-file", str(path)) if place == "named" else ()
    assert_refused(office, office.run("sync", *options), str(path.name), "can be written by everybody; run chmod o-w")


@as_root
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664])
def test_an_env_file_of_root_or_of_a_shared_group_is_read(
    office: Office, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_env(office, office.folder / ".env", mode)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    assert load_settings({}, folder=office.folder).base_url == office.sandbox.base_url


def test_who_can_read_the_key_is_a_line_of_the_check_and_no_nightly_warning(office: Office) -> None:
    office.make_clients(JAMES)
    path = write_env(office, office.folder / ".env", 0o644)
    assert office.run("sync").err == ""
    checks = {one["name"]: one for one in office.run("test-connection", "--json").json["checks"]}
    assert "chmod o-r .env" in checks["env file"]["mend"]
    path.chmod(0o640)
    checks = {one["name"]: one for one in office.run("test-connection", "--json").json["checks"]}
    assert checks["env file"]["mend"] == ""


# --- the state folder ------------------------------------------------------------------------------------------------


@as_root
@pytest.mark.parametrize("command", ["sync", "dry-run"])
def test_the_state_folder_of_somebody_else_is_not_written_into(office: Office, command: str) -> None:
    office.make_clients(JAMES)
    office.state_dir.mkdir(mode=0o755)
    os.chown(office.state_dir, NOBODY, NOBODY)
    assert_refused(office, office.run(command), f"belongs to another user (uid {NOBODY})")
    assert list(office.state_dir.iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o703])
def test_a_state_folder_that_everybody_can_write_is_refused(office: Office, mode: int) -> None:
    office.state_dir.mkdir()
    office.state_dir.chmod(mode)
    assert_refused(office, office.run("sync"), "can be written by everybody; run chmod 700")
    assert list(office.state_dir.iterdir()) == []
    checks = {one["name"]: one for one in office.run("test-connection", "--json").json["checks"]}
    assert checks["state folder"]["mend"].startswith("run chmod 700")


@as_root
@pytest.mark.parametrize("mode", [0o700, 0o750, 0o775, 0o2770])
def test_a_state_folder_of_root_or_of_a_shared_group_is_used(
    tmp_path: Path, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(mode)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    check_state_dir(tmp_path)


@pytest.mark.parametrize("name", ["openphone-sync.log", "pacing.db", "state.db", "lock", "alerts.json", "runs"])
def test_a_link_in_the_state_folder_is_not_followed(office: Office, name: str) -> None:
    office.make_clients(JAMES)
    target = office.folder / "target"
    target.write_text("precious")
    target.chmod(0o644)
    office.state_dir.mkdir()
    (office.state_dir / name).symlink_to(target)
    assert_refused(office, office.run("sync"), name, "is a link")
    office.run("status")
    assert target.read_text() == "precious"
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_state_folder_may_itself_be_a_link(office: Office) -> None:
    office.make_clients(JAMES)
    (office.folder / "elsewhere").mkdir(mode=0o700)
    office.state_dir.symlink_to(office.folder / "elsewhere")
    office.sync()
