"""How the program behaves as a process: readers that leave, signals that its parent has it ignore."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from openphone_sync.cli.exit import BROKEN_PIPE
from tests.fault_injection import Fault, FaultKind
from tests.office import JAMES, Office, Ran


def run_with(office: Office, *arguments: str, stdout: int) -> Ran:
    """A process of its own with a stdout of the test's."""
    done = subprocess.run(
        [sys.executable, "-m", "openphone_sync", *arguments],
        env=office.environment,
        cwd=office.folder,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return Ran(done.returncode, "", done.stderr)


@pytest.mark.parametrize(
    "command",
    [
        "dry-run --json",
        "dry-run",
        "status --json",
        "status",
        "runs list",
        "metrics",
        "problems --format csv",
        "sync -h",
    ],
)
def test_a_reader_that_leaves_ends_every_command_quietly(office: Office, command: str) -> None:
    office.make_clients(JAMES, {"client_name": "Ann Lee", "phone": "in jail"})
    office.sync("--limit", "1")
    reader, writer = os.pipe()
    os.close(reader)
    ran = run_with(office, *command.split(), stdout=writer)
    os.close(writer)
    assert (ran.code, ran.err) == (BROKEN_PIPE, "")


def test_an_error_that_nobody_reads_keeps_its_exit_code(office: Office) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m openphone_sync runs show none 2>&-"],
        env=office.environment,
        cwd=office.folder,
        check=False,
    )
    assert done.returncode == 2


def test_nohup_lets_a_run_outlive_its_terminal(office: Office) -> None:
    office.make_clients(JAMES)
    office.sandbox.faults.add(Fault(FaultKind.HANG, committed=True))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a child inherits it
    program = office.start("sync")
    signal.signal(signal.SIGHUP, before)
    while not office.sandbox.requests:
        assert program.poll() is None
    program.send_signal(signal.SIGHUP)
    out, err = program.communicate(timeout=30)
    assert (program.returncode, err) == (0, "")
    assert "2 created" in out
