"""``demo`` and ``sandbox`` as processes of their own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.office import FAST, JAMES, Office, wait_until

PROXIES = {"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}
"""This machine is never reached through one."""


@contextmanager
def program(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The program with a temporary folder of its own, so that what it leaves behind is seen."""
    temporary = folder / "t"
    temporary.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "openphone_sync", *arguments],
        env={**os.environ, **PROXIES, "TMPDIR": str(temporary), "HOME": str(folder)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def leftovers(folder: Path) -> list[str]:
    return [str(path) for path in (folder / "t").iterdir()]


def processes_in(folder: Path) -> list[str]:
    """Command lines of processes that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a short name: a socket's path has some 100 bytes at the most."""
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="os-", dir="/tmp") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


BUG = """
import sys
from openphone_sync.cli import app, demo

def fail(*_):
    raise LookupError

demo.run_demo = fail
sys.exit(app.run(["demo"]))
"""


def test_the_log_of_a_demo_that_crashed_is_not_in_the_state_folder_of_the_office(short: Path) -> None:
    (short / "t").mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(short), "TMPDIR": str(short / "t")}
    ran = subprocess.run(
        [sys.executable, "-c", BUG], env=environment, cwd=short, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 70, ran.stderr
    [folder] = (short / "t").iterdir()
    assert f"report it with {folder}/openphone-sync.log" in ran.stderr
    assert "LookupError" in (folder / "openphone-sync.log").read_text()
    assert list(short.iterdir()) == [short / "t"]


NO_POSTGRES = """
import sys
from openphone_sync.cli import app
from openphone_sync.sandbox import SandboxError, demo

def fail():
    raise SandboxError("no Postgres binaries found")

demo.EmbeddedPostgres = fail
sys.exit(app.run(["demo"]))
"""


def test_a_demo_without_postgres_says_so_and_leaves_nothing_behind(short: Path) -> None:
    (short / "t").mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(short), "TMPDIR": str(short / "t")}
    ran = subprocess.run(
        [sys.executable, "-c", NO_POSTGRES], env=environment, cwd=short, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, "no Postgres binaries found" in ran.stderr) == (2, True), ran.stderr
    assert leftovers(short) == []


def test_the_demo_shows_the_main_job_in_80_columns_and_leaves_only_the_page_that_is_asked_for(short: Path) -> None:
    with program(short, "demo", "--clients", "4", "--report", "page.html") as demo:
        out, err = demo.communicate(timeout=60)
    assert demo.returncode == 0, err
    counts = re.findall(r"sync succeeded \(incremental\): (.*)", out)
    assert "created" in counts[0]
    assert "created" not in counts[1]
    assert "1 updated" in counts[2]
    assert re.findall(r"(\d+) requests in", out)[2] == "0"
    for text in (
        "1 adopted",
        "Mrs. Gonzalez",
        "$ openphone-sync review link",
        "rollback succeeded",
        "$ openphone-sync report",
        "Orange County",
        "Wife: +12135550199",
        "$ openphone-sync export-conversations",
        "$ openphone-sync status",
        "openphone-sync init",
    ):
        assert text in out
    assert processes_in(short) == []
    shown = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert [line for line in shown.splitlines() if len(line.rstrip()) > 80] == []
    assert "Who shows by name" in (short / "page.html").read_text(encoding="utf-8")
    assert leftovers(short) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_demo_leaves_nothing_behind(short: Path, number: signal.Signals) -> None:
    with program(short, "demo") as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("$ openphone-sync sync"):
                break
        demo.send_signal(number)
        demo.communicate(timeout=30)
    assert demo.returncode == 128 + number
    wait_until(lambda: not leftovers(short) and not processes_in(short))


def test_a_command_that_a_signal_ends_fails_the_demo(short: Path) -> None:
    with program(short, "demo", "--clients", "2") as demo:
        wait_until(lambda: bool(find_commands(demo.pid, "dry-run")))
        os.kill(find_commands(demo.pid, "dry-run")[0], signal.SIGKILL)
        out, err = demo.communicate(timeout=60)
    assert demo.returncode == 128 + signal.SIGKILL, err
    assert "$ openphone-sync status" in out


def find_commands(parent: int, word: str) -> list[int]:
    """Process ids of the children of a process that have a word on their command line."""
    found = []
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if f"\0{word}\0" in Path(f"/proc/{pid}/cmdline").read_text():
                found.append(int(pid))
    return found


def read_exports(sandbox: subprocess.Popen[str]) -> dict[str, str]:
    assert sandbox.stdout is not None
    found: dict[str, str] = {}
    for line in sandbox.stdout:
        match = re.match(r"\s+export (\w+)=(\S+)", line)
        if match:
            found[match[1]] = match[2]
        if "Ctrl-C" in line:
            break
    return found


def test_the_sandbox_serves_and_keeps_its_contents(office: Office, short: Path) -> None:
    office.make_clients(JAMES)
    arguments = (
        "sandbox",
        "--port",
        "0",
        "--rate-limit",
        str(FAST),
        "--file",
        str(short / "contacts.json"),
        "--lag",
        "0",
    )
    with program(short, *arguments, "--contacts", "5") as sandbox:
        assert office.sync(**read_exports(sandbox))["contacts"]["created"] == 2
        sandbox.terminate()
        sandbox.wait(10)
    assert sandbox.returncode == 0
    with program(short, *arguments) as sandbox:
        settings = read_exports(sandbox)
        report = office.sync("--mode", "full", **settings)
        assert report["contacts"]["unchanged"] == 2
        assert report["requests"]["POST"] == 0


HASTY = """
import os, signal, sys
from openphone_sync.cli import main
write = sys.stdout.write
def write_and_end(text):
    write(text)
    if "Ctrl-C" in text:
        os.kill(os.getpid(), signal.SIGTERM)
sys.stdout.write = write_and_end
main()
"""


def test_a_signal_right_after_the_announcement_ends_the_sandbox_in_order(office: Office) -> None:
    file = office.folder / "contacts.json"
    command = [sys.executable, "-c", HASTY, "sandbox", "--port", "0", "--file", str(file)]
    done = subprocess.run(command, env=office.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert file.exists()


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--variant", "patch_style=maybe", "patch_style"),
        ("--port", "99999", "port"),
        ("--rate-limit", "0", "rate"),
    ],
)
def test_bad_options_of_the_sandbox_are_named(office: Office, option: str, value: str, word: str) -> None:
    ran = office.run("sandbox", option, value)
    assert ran.code == 2
    assert word in ran.err
