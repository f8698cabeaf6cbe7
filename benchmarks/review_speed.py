"""How soon `review` opens with very many held contacts: the first of them on a terminal, and all of them as a list.

``python -m benchmarks.review_speed``. The state is made through the product's own store; each figure is the middle of
several runs of the program, beside its start alone.
"""

from __future__ import annotations

import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from openphone_sync.model import (
    Base,
    Candidate,
    ContactValues,
    Item,
    Link,
    Reason,
    RemoteContact,
    RemoteItem,
    Standing,
    Why,
)
from openphone_sync.state import open_store

HELD = 2_000
RUNS = 5


def make_report(*, long: bool = False) -> str:
    """The table as Markdown. ``long`` changes nothing."""
    del long
    with tempfile.TemporaryDirectory(prefix="openphone-bench-") as folder:
        make_state(Path(folder), HELD)
        environment = {**os.environ, "OPENPHONE_STATE_DIR": folder, "TERM": "xterm", "COLUMNS": "120"}
        figures = {
            "openphone-sync --version": _time(lambda: _call(["--version"], environment)),
            f"review, {HELD:,} held: the first question": _time(lambda: _ask_first(environment)),
            f"review list --json, {HELD:,} held": _time(lambda: _call(["review", "list", "--json"], environment)),
        }
    lines = ["| | seconds |", "|---|---:|", *(f"| {name} | {seconds:.2f} |" for name, seconds in figures.items())]
    return "\n".join(lines) + "\n"


def make_state(folder: Path, count: int) -> None:
    """So many held contacts, each with two candidates and the cards of all three."""
    with closing(open_store(folder, time.time())) as store:
        held, candidates, cards = [], {}, []
        for number in range(count):
            external_id, phone = f"client_{number}", f"+1213{2_000_000 + number}"
            values = ContactValues(f"Person {number}", "Legal Client", "Client", (Item("Main Phone", phone),))
            held.append(
                Link(external_id, str(number), 0, Standing.HELD, None, Base(values), f"Person {number}", (phone,),
                     Why(Reason.NAME_OTHER_PHONE))
            )  # fmt: skip
            found = [Candidate(f"contact-{number}-{one}", "name", 0.95, "the names are alike") for one in range(2)]
            candidates[external_id] = found
            cards += [
                RemoteContact(
                    key, first_name=f"Person {number}", last_name="Smith", phones=(RemoteItem("mobile", phone),)
                )
                for key in (external_id, *(one.subject for one in found))
            ]
        store.save_clients([(str(number), b"mark", False) for number in range(count)])
        store.save_links(held)
        store.save_candidates(candidates, cards)


def _time(run: Callable[[], None]) -> float:
    seconds = []
    for _ in range(RUNS):
        started = time.monotonic()
        run()
        seconds.append(time.monotonic() - started)
    return statistics.median(seconds)


def _call(arguments: list[str], environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "openphone_sync", *arguments]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def _ask_first(environment: dict[str, str]) -> None:
    """Until the program asks; then end of input."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "openphone_sync", "review"],
        env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        while b"Person 0" not in shown:
            shown += os.read(ours, 65536)
        process.kill()
    os.close(ours)


if __name__ == "__main__":
    sys.stdout.write(make_report())
