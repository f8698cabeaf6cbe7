"""An archive fetched from a sandbox that fails, by a process that is killed again and again, beside an undisturbed one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from openphone_sync.conversations.archive_folder import read_archive, verify
from openphone_sync.sandbox import SandboxOptions
from tests.archives import find_differences
from tests.fault_injection import FaultySandbox, parse_fault
from tests.office import wait_until

CONVERSATIONS, KILLS = 2_000, 20
NO_LIMIT = 1_000_000  # requests a second
FETCHES = 4
"""Fetches without a kill or a fault, of which the last may find nothing new."""

FAULTS = (
    "drop:probability=0.01,count=none",
    "drop:probability=0.005,count=none,reset=true",
    "status:status=500,probability=0.01,count=none",
    "status:status=429,probability=0.002,count=none",
    "truncated:probability=0.005,count=none",
    "empty:probability=0.005,count=none",
    "item-twice:probability=0.02,count=none",
)


@dataclass(frozen=True, slots=True)
class Archived:
    """What came of it: how many messages and calls there were, how often the fetch was killed, what was lost, in words.

    ``requests`` are those of a fetch when everything is archived; ``peak_mb`` is the most memory of any fetch.
    """

    items: int
    kills: int
    losses: tuple[str, ...]
    requests: int
    peak_mb: float


def run_archive(folder: Path, conversations: int = CONVERSATIONS, kills: int = KILLS, seed: int = 1) -> Archived:
    """Fetch under faults and kills until all is there, fetch undisturbed, and compare."""
    dice = random.Random(seed)
    with FaultySandbox(SandboxOptions(conversations=conversations, rate_limit=NO_LIMIT)) as sandbox:
        fetcher = _Fetcher(sandbox, folder)
        for fault in FAULTS:
            sandbox.faults.add(parse_fault(fault))
        killed = sum(fetcher.kill_after(dice.randrange(20, 2 + conversations)) for _ in range(kills))
        sandbox.faults.clear()
        for _ in range(FETCHES):
            fetcher.fetch("killed")
        requests = len(sandbox.requests)
        fetcher.fetch("undisturbed")
        fetcher.fetch("undisturbed")
        plain = len(sandbox.requests)
        losses = find_differences(folder / "killed", folder / "undisturbed")
        losses += [
            f"not as written: {name}"
            for name in (folder / "killed", folder / "undisturbed")
            if not verify(name).is_whole
        ]
        if requests > plain:
            losses.append(f"{requests} requests with nothing new, where {plain} do")
        items = sandbox.conversations.count()[1]
        counts = read_archive(folder / "killed").manifest.counts
        if counts["message"] + counts["call"] != items:
            losses.append(f"{counts['message'] + counts['call']} messages and calls instead of {items}")
        return Archived(items, killed, tuple(losses), requests, fetcher.peak_mb)


class _Fetcher:
    """The command line as a process, for kills."""

    def __init__(self, sandbox: FaultySandbox, folder: Path) -> None:
        self.peak_mb = 0.0
        self._sandbox = sandbox
        self._folder = folder
        self._environment = _make_environment(sandbox, folder)

    def fetch(self, name: str) -> None:
        """One fetch that must succeed; only its requests stay recorded."""
        process = self._start(name)
        _, error = process.communicate()
        if process.returncode:
            raise RuntimeError(f"archive fetch ended with {process.returncode}: {error}")
        self.peak_mb = max(self.peak_mb, int((self._folder / "peak").read_text()) / 1024)

    def kill_after(self, requests: int) -> bool:
        """Kill a fetch after so many requests, unless it ends before."""
        process = self._start("killed")
        wait_until(lambda: len(self._sandbox.requests) >= requests or process.poll() is not None, limit_s=600)
        process.kill()
        process.communicate()
        return process.returncode == -signal.SIGKILL

    def _start(self, name: str) -> subprocess.Popen[str]:
        self._sandbox.forget_requests()
        arguments = ["archive", "fetch", str(self._folder / name), "--media", "--transcripts", "--quiet"]
        code = (
            "import re, sys, atexit, pathlib\n"
            "peak = lambda: re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1]\n"
            f"atexit.register(lambda: pathlib.Path({str(self._folder / 'peak')!r}).write_text(peak()))\n"
            "from openphone_sync.cli import main\n"
            "main()\n"
        )
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments], env=self._environment, stderr=subprocess.PIPE, text=True
        )


def _make_environment(sandbox: FaultySandbox, folder: Path) -> Mapping[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "OPENPHONE_STATE_DIR": str(folder / "state"),
        "OPENPHONE_BASE_URL": sandbox.base_url,
        "OPENPHONE_API_KEY": sandbox.options.key,
        "OPENPHONE_RATE_LIMIT_SECOND": "10000",
        "OPENPHONE_RATE_LIMIT_MINUTE": "600000",
        "OPENPHONE_RATE_LIMIT_HOUR": "36000000",
        "OPENPHONE_RETRY_ATTEMPTS": "6",
        "OPENPHONE_RETRY_DELAY": "10",
    }
