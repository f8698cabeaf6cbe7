"""Faults, each on a first run and on an update run, followed by undisturbed runs."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from openphone_sync.sandbox import SandboxOptions
from tests.fault_injection import FaultySandbox, parse_fault
from tests.faults.losses import EndState, find_leaks, find_losses, find_writes, read_end_state
from tests.faults.scene import STRANGERS, edit_both_sides, fill_office, wait_for_lists
from tests.office import FAST, Office, Ran, open_office

STAGES = ("first", "update")
RUNS = 4
"""Undisturbed runs after which all must be quiet."""

LIMIT_S = 60.0
"""No run of these offices takes as long, whatever is sent to it, unless it hangs."""

SHORT = {"OPENPHONE_TIMEOUT": "300"}


@dataclass(frozen=True, slots=True)
class Case:
    """``faults`` as `parse_fault` reads them. ``lag_s``: how long lists lag. ``codes``: how the run may end.

    ``full``: only a full run mends it. ``ended_by``: the signal that ends the run once it waits.
    """

    name: str
    faults: tuple[str, ...] = ()
    lag_s: float = 0.0
    settings: Mapping[str, str] = field(default_factory=dict)
    codes: tuple[int, ...] = (0, 1)
    full: bool = False
    ended_by: signal.Signals | None = None


WRITES = "method=P*,nth=3,count=3"
CASES = (
    Case("connection closed before the write", (f"drop:{WRITES}",)),
    Case("connection closed after the write", (f"drop:{WRITES},committed=true",)),
    Case("connection reset before the write", (f"drop:{WRITES},reset=true",)),
    Case("connection reset after the write", (f"drop:{WRITES},reset=true,committed=true",)),
    Case("connection cut in the answer", (f"cut:{WRITES}",)),
    Case("connection closed on any request, and its repetition", ("drop:nth=2,count=3", "drop:nth=30,count=3,committed=true")),
    Case("429 without Retry-After", ("status:status=429,nth=3,count=8",), codes=(0, 1, 3)),
    Case("429, Retry-After in seconds", ("status:status=429,nth=3,count=2,retry_after=1",)),
    Case("429, Retry-After as a date", ("status:status=429,nth=20,count=2,retry_after=date",)),
    Case(
        "429, Retry-After of a day, and SIGTERM while it waits",
        ("status:status=429,nth=12,count=1,retry_after=86400",),
        codes=(143,),
        ended_by=signal.SIGTERM,
    ),
    Case("429 for ever on one write in five", ("status:status=429,method=P*,probability=0.2,count=none",)),
    Case("500, not carried out", (f"status:status=500,{WRITES}",)),
    Case("500, carried out", (f"status:status=500,{WRITES},committed=true",)),
    Case("502 with a page of HTML, not carried out", (f"status:status=502,{WRITES}",)),
    Case("502 with a page of HTML, carried out", (f"status:status=502,{WRITES},committed=true",)),
    Case("503 on any request", ("status:status=503,nth=2,count=6",), codes=(0, 1, 3)),
    Case("400 for one contact", ("status:status=400,method=P*,nth=4",)),
    Case("JSON that ends half-way", (f"truncated:{WRITES}", "truncated:method=GET,nth=2,count=2")),
    Case("200 with a page of HTML, not carried out", (f"not-json:{WRITES}",)),
    Case("200 with a page of HTML, carried out", (f"not-json:{WRITES},committed=true",)),
    Case("200 with nothing, not carried out", (f"empty:{WRITES}",)),
    Case("200 with nothing, carried out", (f"empty:{WRITES},committed=true",)),
    Case("no answer within the time-out, not carried out", (f"hang:{WRITES},seconds=1",), settings=SHORT),
    Case("no answer within the time-out, carried out", (f"hang:{WRITES},seconds=1,committed=true",), settings=SHORT),
    Case("a body slower than the time-out", (f"slow-body:{WRITES},seconds=5",), settings=SHORT),
    Case("bodies slow within the time-out", ("slow-body:nth=2,count=8,seconds=0.1",), settings=SHORT),
    Case("bodies that drip past the time-out", (f"slow-body:{WRITES},seconds=2", "slow-body:nth=2,seconds=2"), settings=SHORT),
    Case("1xx answers without an end", (f"flood:{WRITES}", "flood:method=GET,nth=2"), settings=SHORT),
    Case("100 kB of gzip that are 100 MB", (f"bomb:{WRITES}", "bomb:method=GET,nth=2")),
    Case("200,000 opening brackets", (f"deep:{WRITES}", "deep:method=GET,nth=2")),
    Case("dates, quotas and waits that nothing can hold", ("absurd-headers:count=none",)),
    Case("a refusal that repeats names, phones and the key", ("echo:method=P*,nth=2,count=3",)),
    Case("ever new page tokens", ("new-tokens:count=none",), codes=(0, 3)),
    Case("lists that lag", lag_s=2.5),
    Case("lists that lag, answers lost", (f"drop:{WRITES},committed=true",), lag_s=2.5),
    Case("409 that names nothing, contact there", ("status:status=409,method=P*,nth=3,count=2,committed=true",)),
    Case(
        "409 that names nothing, no such contact",
        ("status:status=409,method=POST,nth=3,count=2", "status:status=409,method=PATCH,nth=3,count=2"),
    ),
    Case("a contact listed under an id that answers 404", ("ghost:count=1",)),
    Case("404 to a write", ("status:status=404,method=PATCH,count=1,committed=true",)),
    Case("403, owned by an integration", ("status:status=403,method=PATCH,count=1",)),
    Case("updates acknowledged and forgotten", ("ignored-write:method=PATCH,count=3",)),
    Case("creations acknowledged and forgotten, until a full run", ("ignored-write:method=POST,count=3",), full=True),
    Case("answers without optional keys", ("sparse-fields:count=none",)),
    Case("answers with unknown keys", ("extra-fields:count=none",)),
    Case("429 within a page walk", ("status:status=429,path=/v1/contacts?*pageToken=*,count=2",)),
    Case("500 for ever within a page walk", ("status:status=500,path=/v1/contacts?*pageToken=*,count=none",), codes=(0, 3)),
    Case("a page token that comes again after a full page", ("same-token:path=/v1/contacts?*pageToken=*",), codes=(3,)),
    Case("an empty page within a walk", ("empty-page:nth=2",)),
    Case("an empty token at the end", ("empty-token:count=none",)),
    Case("no token at the end", ("no-token:count=none",)),
    Case("a contact on two pages", ("item-twice:count=none",)),
    Case("a contact on no page", ("item-missing:count=1",)),
    Case("the key refused in mid-run", ("status:status=401,nth=14,count=none",), codes=(3,)),
    Case("payment required in mid-run", ("status:status=402,nth=14,count=none",), codes=(3,)),
    Case("the API down in mid-run", ("status:status=503,nth=14,count=none",), codes=(1, 3)),
    Case("unreachable in mid-run", ("drop:nth=14,count=none,reset=true",), codes=(1, 3)),
    Case(
        "everything at once",
        (
            "drop:probability=0.06,count=none,committed=true",
            "drop:probability=0.06,count=none,reset=true",
            "status:status=502,probability=0.06,count=none,committed=true",
            "status:status=429,probability=0.06,count=none",
            "truncated:probability=0.06,count=none",
            "ignored-write:probability=0.06,count=none,method=PATCH",
        ),
        lag_s=2.0,
        codes=(0, 1, 3),
    ),
)  # fmt: skip


BOUNDED = (
    ("connection closed after the write", "first"),
    ("connection reset before the write", "update"),
    ("429 without Retry-After", "first"),
    ("502 with a page of HTML, carried out", "first"),
    ("JSON that ends half-way", "update"),
    ("200 with nothing, carried out", "update"),
    ("no answer within the time-out, carried out", "first"),
    ("lists that lag", "update"),
    ("409 that names nothing, contact there", "first"),
    ("409 that names nothing, contact there", "update"),
    ("404 to a write", "first"),
    ("a contact listed under an id that answers 404", "first"),
    ("403, owned by an integration", "first"),
    ("403, owned by an integration", "update"),
    ("updates acknowledged and forgotten", "first"),
    ("answers without optional keys", "update"),
    ("429 within a page walk", "first"),
    ("500 for ever within a page walk", "update"),
    ("the key refused in mid-run", "update"),
    ("dates, quotas and waits that nothing can hold", "update"),
    ("a refusal that repeats names, phones and the key", "first"),
    ("ever new page tokens", "first"),
)
"""One of each kind, for the tests of every day."""


def find_case(name: str) -> Case:
    """The case of that name."""
    return next(case for case in CASES if case.name == name)


@contextlib.contextmanager
def opening(dsn: str, folder: Path, case: Case) -> Iterator[Office]:
    """An office of its own for one case: its database is given, workspace and state are new."""
    chosen = SandboxOptions(rate_limit=FAST, lag_s=case.lag_s, contacts=STRANGERS)
    folder.mkdir(parents=True, exist_ok=True)
    with FaultySandbox(chosen) as sandbox, open_office(dsn, sandbox, folder) as office:
        office.environment |= {"OPENPHONE_MAX_CHANGES": "100%"}
        fill_office(office)
        wait_for_lists(office)
        yield office


def run_undisturbed(dsn: str, folder: Path, stage: str) -> EndState:
    """How it should end."""
    with opening(dsn, folder, Case("undisturbed")) as office:
        _prepare(office, stage)
        office.sync()
        return read_end_state(office)


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a fault: how often it struck; what was lost, what was leaked and what hung, in words."""

    tries: int
    lost: tuple[str, ...] = ()
    leaked: tuple[str, ...] = ()
    hung: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[str, ...]:
        """All that is wrong."""
        return (*self.lost, *self.leaked, *self.hung)


def run_case(dsn: str, folder: Path, case: Case, stage: str, undisturbed: EndState) -> Tried:
    """One fault on one stage."""
    with opening(dsn, folder, case) as office:
        _prepare(office, stage)
        for fault in case.faults:
            office.sandbox.faults.add(parse_fault(fault))
        begun = time.monotonic()
        ran = _run_disturbed(office, case)
        took_s = time.monotonic() - begun
        spared, tries = _find_spared(office), len(office.sandbox.faults.struck)
        office.sandbox.faults.clear()
        lost = [] if ran.code in case.codes or not _struck(office, case) else [f"the run ended with {ran.code}"]
        lost += _run_until_quiet(office, *(["--mode", "full"] if case.full else []))
        lost += [*find_losses(office, undisturbed, spared), *find_writes(office)]
        hung = [f"the run took {took_s:.0f} s"] if took_s > LIMIT_S else []
        return Tried(tries or 1, tuple(lost), tuple(find_leaks(office, ran)), tuple(hung))


def _prepare(office: Office, stage: str) -> None:
    if stage == "update":
        office.sync()
        wait_for_lists(office)
        edit_both_sides(office)
        office.sandbox.forget_requests()


def _struck(office: Office, case: Case) -> bool:
    return not case.faults or bool(office.sandbox.faults.struck)


def _run_disturbed(office: Office, case: Case) -> Ran:
    if case.ended_by is None:
        return office.run("sync", "--json", "-v", **case.settings)
    with office.start("sync", "--quiet", **case.settings) as process:
        while process.poll() is None and not _struck(office, case):
            time.sleep(0.01)
        time.sleep(0.2)
        process.send_signal(case.ended_by)
        out, err = process.communicate()
    (office.state_dir / "pacing.db").unlink()  # stands for the minutes until the next run
    return Ran(process.returncode, out, err)


def _find_spared(office: Office) -> frozenset[str]:
    """Contacts of others that a 403 told to leave alone; one of ours is tried again."""
    refused = {one.path.rpartition("/")[2] for one in office.sandbox.requests if one.status == 403}
    others = [one["id"] for one in office.contacts() if not (one["externalId"] or "").startswith("client_")]
    return frozenset(refused.intersection(others))


def _run_until_quiet(office: Office, *arguments: str) -> list[str]:
    """Undisturbed runs until one has nothing left to do."""
    for _ in range(RUNS):
        office.requests()
        ran = office.run("sync", "--json", *arguments)
        if not ran.code and not office.requests("POST", "PATCH", "DELETE"):
            return []
    return [f"not quiet after {RUNS} undisturbed runs (the last ended with {ran.code}: {ran.err.strip()})"]
