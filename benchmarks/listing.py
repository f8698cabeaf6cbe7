"""How long it takes to list a workspace, beside its pages times the time of one answer, which no program can beat.

Pages come one after another, each by the token of the one before. The sandbox answers after 300 ms; what is timed, in a
process of its own, is `run.read.list_workspace`. ``python -m benchmarks listing``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from openphone_sync.config import Settings
from openphone_sync.openphone import api, retry
from openphone_sync.run.read import Remote, list_workspace
from openphone_sync.sandbox import SandboxOptions, SandboxServer
from openphone_sync.wiring import NoProgress, SystemClock, make_pacer

SIZES, LONG_SIZES = (5_000,), (5_000, 20_000)
LATENCY_S = 0.3


@dataclass(frozen=True, slots=True)
class Listed:
    """One listing: how many contacts and pages, seconds of wall clock, and seconds that the program computed."""

    contacts: int
    pages: int
    time_s: float
    cpu_s: float


def make_report(*, long: bool = False) -> str:
    """The table as Markdown; ``long`` lists 20,000 contacts too."""
    lines = [
        "| contacts | pages | seconds | pages times latency | ratio | computing, ms a page |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for listed in (_measure(size) for size in (LONG_SIZES if long else SIZES)):
        limit_s = listed.pages * LATENCY_S
        lines.append(
            f"| {listed.contacts:,} | {listed.pages} | {listed.time_s:.1f} | {limit_s:.1f} | "
            f"{listed.time_s / limit_s:.3f} | {1000 * listed.cpu_s / listed.pages:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _measure(contacts: int) -> Listed:
    options = SandboxOptions(latency_ms=LATENCY_S * 1000, rate_limit=1_000, contacts=contacts)
    with SandboxServer(options) as sandbox, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.listing", folder, sandbox.base_url, sandbox.options.key]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return Listed(**json.loads(done.stdout), pages=len(sandbox.requests))


def _list(folder: str, base_url: str, key: str) -> dict[str, float]:
    """List the workspace in this process."""
    settings, clock = Settings(Path(folder), key, base_url, ""), SystemClock()
    pacer, remote = make_pacer(settings, clock), Remote()
    client = api.make_client(base_url, key, settings.timeout_ms / 1000)
    workspace = api.OpenPhone(client, pacer, retry.RetryRules(), clock)
    started, computed = time.monotonic(), time.process_time()
    list_workspace(workspace, NoProgress(), remote)
    return {
        "contacts": len(remote.contacts),
        "time_s": time.monotonic() - started,
        "cpu_s": time.process_time() - computed,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_list(*sys.argv[1:])))
