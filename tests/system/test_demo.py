"""``demo`` and ``sandbox`` as processes of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.office import FAST, JAMES, Office


@contextmanager
def program(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The program with a temporary folder of its own, so that what it leaves behind is seen."""
    temporary = folder / "t"
    temporary.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "openphone_sync", *arguments],
        env={**os.environ, "TMPDIR": str(temporary), "HOME": str(folder)},
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


def test_the_demo_shows_the_main_job_and_leaves_nothing_behind(short: Path) -> None:
    with program(short, "demo", "--clients", "4") as demo:
        out, err = demo.communicate(timeout=60)
    assert demo.returncode == 0, err
    counts = re.findall(r"sync succeeded \(incremental\): (.*)", out)
    assert "created" in counts[0]
    assert "created" not in counts[1]
    assert "1 updated" in counts[2]
    assert re.findall(r"(\d+) requests in", out)[2] == "0"
    for text in (
        "Orange County",
        "Wife: +12135550199",
        "$ openphone-sync export-conversations",
        "$ openphone-sync status",
        ".env",
    ):
        assert text in out
    assert leftovers(short) == []
    assert processes_in(short) == []


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
    deadline = time.monotonic() + 10
    while (leftovers(short) or processes_in(short)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert leftovers(short) == []
    assert processes_in(short) == []


def read_exports(sandbox: subprocess.Popen[str]) -> dict[str, str]:
    assert sandbox.stdout is not None
    found: dict[str, str] = {}
    for line in sandbox.stdout:
        match = re.match(r"\s+export (\w+)=(\S+)", line)
        if match:
            found[match[1]] = match[2]
        if line.startswith("Ctrl-C"):
            break
    return found


def test_the_sandbox_serves_and_keeps_its_contents(office: Office, short: Path) -> None:
    [client_id] = office.make_clients(JAMES)
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
    assert client_id


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--fault", "nonsense", "nonsense"),
        ("--variant", "patch_style=maybe", "patch_style"),
        ("--port", "99999", "port"),
        ("--rate-limit", "0", "rate"),
    ],
)
def test_bad_options_of_the_sandbox_are_named(office: Office, option: str, value: str, word: str) -> None:
    ran = office.run("sandbox", option, value)
    assert ran.code == 2
    assert word in ran.err
