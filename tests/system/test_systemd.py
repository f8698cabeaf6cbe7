"""The sample units: their command is a sync, and what they say of exit codes, paths and times is so."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openphone_sync.config import SETTINGS
from openphone_sync.errors import LockedError
from tests.office import JAMES, Office

DOCS = Path(__file__).parents[2] / "docs"
UNITS = DOCS / "systemd"
PROGRAM = "/opt/openphone-sync/bin/openphone-sync"
ENV_FILE = "/etc/openphone-sync/env"
STATE_DIR = "/var/lib/openphone-sync"


def read(unit: str, name: str) -> list[str]:
    """A setting's values, in order."""
    lines = (UNITS / f"openphone-sync.{unit}").read_text(encoding="utf-8").splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]


def read_command() -> list[str]:
    [line] = read("service", "ExecStart")
    return shlex.split(line)


def test_the_service_is_a_sync_that_says_nothing_when_all_is_well(office: Office, tmp_path: Path) -> None:
    office.make_clients(JAMES)
    file = tmp_path / "env"
    file.write_text("".join(f"{name}={value}\n" for name, value in office.environment.items() if "_" in name))
    here = {ENV_FILE: str(file), STATE_DIR: str(tmp_path / "elsewhere")}
    program, *words = [here.get(word, word) for word in read_command()]
    office.environment = {name: value for name, value in office.environment.items() if "_" not in name}
    ran = office.run(*words)
    assert (program, ran.code, ran.out, ran.err) == (PROGRAM, 0, "", "")
    assert len(office.contacts()) == 2
    assert (tmp_path / "elsewhere" / "state.db").exists()


def test_the_state_folder_is_the_one_that_can_be_written() -> None:
    command = read_command()
    assert command[command.index("--state-dir") + 1] == STATE_DIR
    assert [f"/var/lib/{name}" for name in read("service", "StateDirectory")] == [STATE_DIR]
    assert read("service", "ProtectSystem") == ["strict"]


def test_a_held_lock_and_an_orderly_stop_are_no_failures() -> None:
    [codes] = read("service", "SuccessExitStatus")
    assert [int(code) for code in codes.split()] == [LockedError.exit_code, 128 + signal.SIGTERM]


def test_the_timer_is_set_to_the_hour_of_cron() -> None:
    [schedule] = [one.default for one in SETTINGS if one.attribute == "schedule"]
    minute, hour, *every = schedule.split()
    assert every == ["*", "*", "*"]
    assert read("timer", "OnCalendar")[0] == f"*-*-* {hour:0>2}:{minute:0>2}:00"
    assert read("timer", "Persistent") == ["true"]


def test_the_steps_of_installing_name_the_same_places() -> None:
    steps = (DOCS / "guide.md").read_text(encoding="utf-8")
    [user] = read("service", "User")
    for words in (
        f"venv {Path(PROGRAM).parents[1]}\n",
        f"useradd --system --home-dir {STATE_DIR} --shell /usr/sbin/nologin {user}\n",
        f"-g {user} .env {ENV_FILE}\n",
        shlex.join(["sudo", "-u", user, *read_command()[:5], "status"]),
    ):
        assert words in steps


@pytest.mark.system("systemd-analyze")
def test_systemd_finds_no_fault_in_them(tmp_path: Path) -> None:
    for file in UNITS.iterdir():
        text = file.read_text(encoding="utf-8").replace(PROGRAM, sys.executable)  # it must be there
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *tmp_path.glob("openphone-sync.*")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
