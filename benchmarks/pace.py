"""Requests a second under the vendor's limit of 10: our spaced limiter beside pyrate-limiter, as the API receives them.

The sandbox answers after 300 ms, give or take 20, and refuses the eleventh request of any second; each request is on
its way for up to 20 ms. `python -m benchmarks pace`.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from benchmarks import virtual_pace
from benchmarks.on_demand import fetch_package
from openphone_sync.openphone.api import OpenPhone, make_client
from openphone_sync.openphone.pacing import Pacer, make_spacing
from openphone_sync.openphone.retry import RetryRules
from openphone_sync.ops.http import HttpClient
from openphone_sync.sandbox import SANDBOX_KEY, SandboxOptions, SandboxServer
from openphone_sync.wiring import WORKERS, SystemClock

REQUESTS = 150
JITTER_S = 0.020
PEER = "pyrate-limiter"
IN_MEMORY = f"{PEER}, bucket in memory"
MIN_RATE, MAX_IN_A_SECOND, MAX_REFUSED = 9.0, 10, 0.01
"""What is claimed of our own."""


@dataclass(frozen=True, slots=True)
class Pace:
    """As received: requests a second from the first to the last, the most in any one second, the share answered 429."""

    name: str
    rate: float
    busiest: int
    refused: float

    @property
    def holds(self) -> bool:
        """Whether the claim is met."""
        return self.rate >= MIN_RATE and self.busiest <= MAX_IN_A_SECOND and self.refused <= MAX_REFUSED


def main(arguments: Sequence[str]) -> int:
    """Measure, print a table; 1 where ours does not hold what is claimed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks pace", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--client", nargs=3, metavar=("NAME", "URL", "FILE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.client:
        name, url, path = chosen.client
        CLIENTS[name](url, Path(path), chosen.requests)
        return 0
    paces = measure(chosen.requests)
    sys.stdout.write(make_table(paces))
    return 0 if all(pace.holds for pace in paces if PEER not in pace.name) else 1


def make_report(*, long: bool = False) -> str:
    """The table, for benchmarks/README.md; ``long`` asks three times as often."""
    table = make_table(measure(REQUESTS * 3 if long else REQUESTS))
    return f"{table}\nThe same pacer on a virtual clock:\n\n{virtual_pace.make_table()}"


def make_table(paces: Sequence[Pace]) -> str:
    """Markdown."""
    lines = [
        "| limiter | requests a second | most in any second | answered 429 |",
        "|---|---:|---:|---:|",
        *(f"| {one.name} | {one.rate:.2f} | {one.busiest} | {one.refused:.1%} |" for one in paces),
    ]
    return "\n".join(lines) + "\n"


def measure(requests: int) -> list[Pace]:
    """Ours and the peer, each in one process and in two that share a file."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            _measure(
                name + (", two processes" if two else ""), _bind(name, Path(folder) / f"{name}.db", requests, two=two)
            )
            for name in CLIENTS
            for two in (False, True)
            if not (two and name == IN_MEMORY)
        ]


def _bind(name: str, path: Path, requests: int, *, two: bool) -> Callable[[str], None]:
    if two:
        return lambda url: ask_from_two(name, url, path, requests)
    return lambda url: CLIENTS[name](url, path, requests)


def ask_as_we_do(url: str, path: Path, requests: int) -> None:
    """The product's own client: pacing, retries and all."""
    clock = SystemClock()
    spacing = make_spacing(10, 600, 36000)
    client = _delay(make_client(url, SANDBOX_KEY, 30.0))
    with closing(Pacer(path, spacing, clock)) as pacer, closing(OpenPhone(client, pacer, RetryRules(), clock)) as api:
        _ask_often(api.read_identity, requests)


def ask_from_two(name: str, url: str, path: Path, requests: int) -> None:
    """Two processes that know of each other only by the file."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.pace",
        "--requests",
        str(requests // 2),
        "--client",
        name,
        url,
        str(path),
    ]
    started = [subprocess.Popen(command) for _ in range(2)]
    if any([process.wait() for process in started]):  # noqa: C419  # each is waited for
        raise RuntimeError("a client of the benchmark failed")


def ask_as_the_peer_does(url: str, path: Path | None, requests: int) -> None:
    """The same requests, let go by the peer, without retries; several processes share its bucket in a file."""
    sys.path.insert(0, str(fetch_package(PEER, dependencies=True)))
    from pyrate_limiter import Duration, Limiter, Rate, SQLiteBucket  # type: ignore[import-not-found]  # noqa: PLC0415  # on demand

    rates = [Rate(10, Duration.SECOND)]
    shared = path and SQLiteBucket.init_from_file(rates, db_path=str(path), use_file_lock=True)
    limiter = Limiter(shared or rates)

    def ask() -> None:
        limiter.try_acquire("key")
        client.get("/phone-numbers")

    with _delay(make_client(url, SANDBOX_KEY, 30.0)) as client:
        _ask_often(ask, requests)


def _ask_often(ask: Callable[[], object], requests: int) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        for one in [pool.submit(ask) for _ in range(requests)]:
            one.result()


def _delay(client: HttpClient) -> HttpClient:
    dice = random.Random(1)
    client.event_hooks["request"].append(lambda _: time.sleep(dice.uniform(0, JITTER_S)))
    return client


def _measure(name: str, ask: Callable[[str], None]) -> Pace:
    with SandboxServer(SandboxOptions(latency_ms=300, rate_limit=10, jitter_ms=20)) as sandbox:
        ask(sandbox.base_url)
        received = sorted(one.received_at for one in sandbox.requests)
        refused = sum(one.status == HTTPStatus.TOO_MANY_REQUESTS for one in sandbox.requests)
    busiest = max(bisect_left(received, start + 1.0) - index for index, start in enumerate(received))
    rate = (len(received) - 1) / (received[-1] - received[0])
    return Pace(name, rate, busiest, refused / len(received))


CLIENTS: dict[str, Callable[[str, Path, int], None]] = {
    "openphone-sync": ask_as_we_do,
    IN_MEMORY: lambda url, _, requests: ask_as_the_peer_does(url, None, requests),
    f"{PEER}, bucket in a file": ask_as_the_peer_does,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
