"""On a terminal: the bar, the walk through reviews, and a terminal that closes in the middle of a run."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence

from openphone_sync.sandbox.samples import load_samples
from tests.office import Office, wait_until
from tests.system.test_review import hold_james

CTRL_C = "\x03"
PROGRAM = (sys.executable, "-m", "openphone_sync")


class Terminal:
    """The program as the leader of a session on a terminal of its own."""

    def __init__(self, office: Office, *arguments: str, program: Sequence[str] = PROGRAM) -> None:
        self.shown = ""
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.chdir(office.folder)
            os.execve(
                program[0],
                [*program, *arguments],
                office.environment | {"TERM": "xterm", "LINES": "40", "COLUMNS": "100"},
            )

    def read_until(self, seen: Callable[[str], bool], timeout_s: float = 30) -> None:
        deadline = time.monotonic() + timeout_s
        while not seen(self.shown):
            assert time.monotonic() < deadline, self.shown
            try:
                self.shown += os.read(self._master, 4096).decode(errors="replace")
            except OSError:  # the program has ended
                assert seen(self.shown), self.shown
                return

    def read_words(self, words: str, *, after: int = 0, times: int = 1) -> None:
        """Read until the words have come so many times after so many characters."""
        self.read_until(lambda shown: shown.count(words, after) >= times)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def interrupt(self) -> None:
        """Ctrl-C, pressed again after two seconds: one that comes just before a read is only noted when the read ends."""
        for _ in range(5):
            self.type(CTRL_C)
            with contextlib.suppress(AssertionError):
                wait_until(self._has_ended, limit_s=2)
                return

    def _has_ended(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def close(self) -> None:
        os.close(self._master)

    def wait(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def finish(self) -> int:
        """Read what is left and return the exit code; a program that goes on for a minute is killed."""
        with contextlib.suppress(OSError):
            while True:
                if not select.select([self._master], [], [], 60)[0]:
                    os.kill(self.pid, signal.SIGKILL)
                if not (data := os.read(self._master, 4096)):
                    break
                self.shown += data.decode(errors="replace")
        self.close()
        return self.wait()


def slow(office: Office) -> None:
    """Slow enough to be seen: 40 requests a second."""
    office.environment["OPENPHONE_RATE_LIMIT_SECOND"] = "40"


def test_a_terminal_shows_how_far_the_run_has_come(office: Office) -> None:
    load_samples(office.dsn, 20)
    slow(office)
    terminal = Terminal(office, "sync")
    terminal.read_until(lambda shown: "writing" in shown and "/s" in shown)
    assert terminal.finish() == 0
    assert "created" in terminal.shown


def test_a_terminal_that_closes_ends_the_run_in_order(office: Office) -> None:
    load_samples(office.dsn, 40)
    slow(office)
    terminal = Terminal(office, "sync")
    terminal.read_until(lambda shown: "writing" in shown)
    terminal.close()
    assert terminal.wait() == 128 + signal.SIGHUP
    [run] = office.run("runs", "list", "--json").json["runs"]
    assert run["status"] == "interrupted"
    report = json.loads((office.state_dir / "runs" / f"{run['runId']}.json").read_text())
    assert report["contacts"]["created"] == len(office.contacts())
    office.environment["OPENPHONE_RATE_LIMIT_SECOND"] = "500"
    assert office.sync()["contacts"]["created"] == report["contacts"]["left"]


def test_reviews_are_walked_through_one_by_one(office: Office) -> None:
    client_id, contact_id = hold_james(office)
    terminal = Terminal(office, "review")
    terminal.read_until(lambda shown: "q = quit" in shown)
    assert client_id[:8] in terminal.shown
    assert contact_id in terminal.shown
    terminal.type("9\r")
    terminal.read_until(lambda shown: shown.count("q = quit") == 2)
    assert office.run("status", "--json").json["syncService"] == {"isInProgress": False}
    assert office.sync()["contacts"]["held"] == 1  # a prompt that was left open keeps no night's run out
    terminal.type("1\r")
    assert terminal.finish() == 0
    assert office.sync()["contacts"]["adopted"] == 1


def test_the_walk_separates_the_rest_of_a_kind_and_takes_it_back(office: Office) -> None:
    names = ("Walter Frey", "Anna Lindqvist", "Marek Kowalczyk")
    office.make_clients(*({"client_name": name, "phone": f"213-555-015{n}"} for n, name in enumerate(names)))
    for n in range(3):
        phone = {"name": "Cell", "value": f"+1213555015{n}"}
        office.sandbox.workspace.add({"defaultFields": {"firstName": "Ignatius Vanderbeek", "phoneNumbers": [phone]}})
    assert office.sync()["contacts"]["held"] == 3
    terminal = Terminal(office, "review")
    for asked, keys in enumerate(("?\r", "s\r", "a\r"), start=1):
        terminal.read_words("q = quit", times=asked)
        terminal.type(keys)
    assert terminal.finish() == 0
    assert "none of them: the next sync creates" in terminal.shown
    assert "a = separate all 2 held for this reason" in terminal.shown
    assert "3 decided, none is open; the next sync acts on it" in terminal.shown
    assert office.sync()["contacts"]["created"] == 3


def test_the_walk_takes_the_last_decision_back(office: Office) -> None:
    hold_james(office)
    office.add_client({"client_name": "Ann Lee", "phone": "213-555-0199"})
    phone = {"name": "Cell", "value": "+12135550199"}
    office.sandbox.workspace.add({"defaultFields": {"firstName": "Ignatius Vanderbeek", "phoneNumbers": [phone]}})
    assert office.sync()["contacts"]["held"] == 2
    terminal = Terminal(office, "review")
    for asked, keys in enumerate(("s\r", "u\r", "q\r"), start=1):
        terminal.read_words("q = quit", times=asked)
        terminal.type(keys)
    assert terminal.finish() == 0
    assert "nothing decided" in terminal.shown
    assert office.state("SELECT count(*) FROM decisions") == [(0,)]


def test_the_end_of_input_leaves_the_reviews_quietly(office: Office) -> None:
    hold_james(office)
    terminal = Terminal(office, "review")
    terminal.read_until(lambda shown: "q = quit" in shown)
    terminal.type("\x04")
    assert terminal.finish() == 0
    assert "Aborted" not in terminal.shown
    assert office.state("SELECT count(*) FROM decisions") == [(0,)]
