"""An archive at the vendor's rate: requests, and their share of the limit; memory, by its size; its page in a browser.

The sandbox answers after 300 ms, give or take 100, and refuses the eleventh request of any second. `python -m benchmarks
archive_pace`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import peak
from openphone_sync.sandbox import SandboxOptions, SandboxServer

CONVERSATIONS, LONG = 25, 100
SIZES, LONG_SIZES = (200, 1_000), (200, 2_000)
MESSAGES, PICTURES = 10_000, 100
PHONE = "+12135550111"
LIMIT = 10
UNLIMITED = {
    "OPENPHONE_RATE_LIMIT_SECOND": "10000",
    "OPENPHONE_RATE_LIMIT_MINUTE": "600000",
    "OPENPHONE_RATE_LIMIT_HOUR": "36000000",
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """A fetch: its report, the most memory in MB, requests as received: when, and how many in the busiest second."""

    report: dict[str, Any]
    peak_mb: float
    rate: float
    busiest: int


def make_report(*, long: bool = False) -> str:
    """The tables, for benchmarks/README.md; ``long`` takes more conversations: four times for the pace, twice for memory."""
    with tempfile.TemporaryDirectory() as folder:
        options = SandboxOptions(
            conversations=LONG if long else CONVERSATIONS, latency_ms=300, jitter_ms=100, rate_limit=LIMIT
        )
        with SandboxServer(options) as sandbox:
            first, second = (_fetch(sandbox, Path(folder), {}) for _ in range(2))
        memory = [_measure_memory(Path(folder), size) for size in (LONG_SIZES if long else SIZES)]
        page = _measure_page(Path(folder))
    return "\n".join([_make_pace_table(first, second), _make_memory_table(memory), page])


def _make_pace_table(first: Fetched, second: Fetched) -> str:
    lines = [
        "| | conversations | items and files | requests | seconds | share of the limit | most in any second | answered 429 |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, one in (("first fetch", first), ("again, nothing new", second)):
        report = one.report
        count = report["items"]["added"] + report["media"]["added"]
        share = f"{one.rate / LIMIT:.0%}" if report["requests"]["total"] > 2 * LIMIT else "-"
        lines.append(
            f"| {name} | {report['conversations']['selected']} | {count:,} | {report['requests']['total']:,} | "
            f"{report['durationSeconds']:.0f} | {share} | {one.busiest} | {report['requests']['rateLimited']} |"
        )
    return "\n".join(lines) + "\n"


def _make_memory_table(memory: list[tuple[int, int, Fetched]]) -> str:
    lines = ["| conversations | messages and calls | most memory, MB |", "|---:|---:|---:|"]
    lines += [f"| {size:,} | {items:,} | {one.peak_mb:.0f} |" for size, items, one in memory]
    return "\n".join(lines) + "\n"


def _measure_memory(folder: Path, size: int) -> tuple[int, int, Fetched]:
    """A first fetch without a limit."""
    with SandboxServer(SandboxOptions(conversations=size, rate_limit=1_000_000)) as sandbox:
        return size, sandbox.conversations.count()[1], _fetch(sandbox, folder / str(size), UNLIMITED)


def _measure_page(folder: Path) -> str:
    """The page of a long conversation: written, loaded in a headless browser, printed to PDF; beside an empty page."""
    browser = shutil.which("chromium")
    if browser is None:
        return "The page in a browser: chromium is absent from this machine.\n"
    with SandboxServer(SandboxOptions(rate_limit=1_000_000)) as sandbox:
        talk = sandbox.conversations
        one = talk.start(PHONE)
        for number in range(MESSAGES):
            media = [f"picture{number}.png"] if number % (MESSAGES // PICTURES) == 0 else []
            talk.add_message(
                one, f"Message {number}, about the hearing on Tuesday at 9:30", at=1e6 + number, media=media
            )
        _fetch(sandbox, folder / "page", UNLIMITED)
    page, empty = folder / "page.html", folder / "empty.html"
    command = [sys.executable, "-m", "openphone_sync", "archive", "html", str(folder / "page" / "archive")]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    written = _time([*command, "--phone", PHONE, "--out", str(page)], environment)
    empty.write_text("<!DOCTYPE html><title>empty</title>")
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/browser"]
    _time([browser, *options, "--dump-dom", f"file://{empty}"], environment)  # makes its profile
    seconds = [
        _time([browser, *options, what, f"file://{file}"], environment)
        for what, file in (
            (f"--screenshot={folder}/empty.png", empty),
            (f"--screenshot={folder}/page.png", page),
            (f"--print-to-pdf={folder}/page.pdf", page),
        )
    ]
    figures = (written, seconds[1], seconds[2], seconds[0])
    lines = [
        "| the page of a conversation | size, MB | written, s | loaded, s | printed to PDF, s | an empty page, s |",
        "|---|---:|---:|---:|---:|---:|",
        f"| {MESSAGES:,} messages, {PICTURES} pictures | {page.stat().st_size / 1e6:.1f} | "
        + " | ".join(f"{one:.1f}" for one in figures)
        + " |",
    ]
    return "\n".join(lines) + "\n"


def _time(command: list[str], environment: dict[str, str]) -> float:
    began = time.monotonic()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.monotonic() - began


def _fetch(sandbox: SandboxServer, folder: Path, settings: dict[str, str]) -> Fetched:
    sandbox.forget_requests()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "OPENPHONE_STATE_DIR": str(folder / "state"),
        "OPENPHONE_BASE_URL": sandbox.base_url,
        "OPENPHONE_API_KEY": sandbox.options.key,
    }
    done = subprocess.run(
        [*peak.COMMAND, "archive", "fetch", str(folder / "archive"), "--media", "--transcripts", "--json"],
        env=environment | settings,
        capture_output=True,
        text=True,
        check=True,
    )
    received = sorted(one.received_at for one in sandbox.requests)
    busiest = max(bisect_left(received, start + 1.0) - index for index, start in enumerate(received))
    rate = (len(received) - 1) / (received[-1] - received[0])
    return Fetched(json.loads(done.stdout), peak.parse_peak_mb(done.stderr), rate, busiest)
