"""How matching grows: new clients against a workspace of 1,000 to 100,000 contacts, beside comparing every name with every name.

``python -m benchmarks.matching_speed`` prints the table. Each size runs in a process of its own, so that the memory is its
own. Half of the clients have a contact, half are new; names as common as in the US census.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence

from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

from benchmarks.matching_quality import NOTHING_KNOWN, RULES, make_remote, make_table, make_wanted
from benchmarks.office import Census, Office
from benchmarks.on_demand import fetch_package
from benchmarks.peak import read_peak_mb
from openphone_sync.model import DesiredContact, Holds, RemoteContact
from openphone_sync.rules.matching import RemoteIndex, match_contacts
from openphone_sync.rules.phones import normalise_phone

SIZES = (1_000, 10_000, 30_000, 100_000)
"""Contacts; a tenth as many clients."""

BRUTE_CLIENTS = 200
"""Brute force is timed on so many clients and scaled: at 100,000 contacts all of them take minutes."""


def make_world(contacts: int, seed: int) -> tuple[list[DesiredContact], list[RemoteContact]]:
    """Unrelated people, each with a contact; half of the clients are among them."""
    office = Office(Census(fetch_package("names") / "names"), seed)
    people = [office.person(office.surname(), "", 0.0, 40) for _ in range(contacts + contacts // 20)]
    clients = people[contacts - contacts // 20 :]
    wanted = [make_wanted(office.row(i, person)) for i, person in enumerate(clients, 1)]
    return wanted, [make_remote(office.card(person)) for person in people[:contacts]]


def measure(contacts: int, seed: int) -> dict[str, float]:
    """Seconds and megabytes of one size, the making of the world not counted in the seconds."""
    wanted, remote = make_world(contacts, seed)
    before = read_peak_mb()
    start = time.perf_counter()
    index = RemoteIndex(remote, lambda text: normalise_phone(text, "US"), complete=True)
    indexed = time.perf_counter()
    results = match_contacts(wanted, index, NOTHING_KNOWN, RULES).results
    matched = time.perf_counter()
    return {
        "clients": len(wanted),
        "index_s": indexed - start,
        "match_s": matched - indexed,
        "before_mb": before,
        "peak_mb": read_peak_mb(),
        "held_strangers": sum(isinstance(result, Holds) for result in results[len(wanted) // 2 :]),
        "brute_s": _time_brute_force(wanted, remote),
    }


def _time_brute_force(wanted: Sequence[DesiredContact], remote: Sequence[RemoteContact]) -> float:
    """Seconds for all clients against all names by rapidfuzz's ratio in C, from a sample of the clients."""
    names = [contact.display_name.lower() for contact in remote]
    sample = wanted[:BRUTE_CLIENTS]
    start = time.perf_counter()
    for desired in sample:
        process.extract(desired.person.lower(), names, scorer=JaroWinkler.similarity, score_cutoff=0.9, limit=None)
    return (time.perf_counter() - start) * len(wanted) / len(sample)


def make_report(seed: int = 1, sizes: Sequence[int] = SIZES, *, long: bool = False) -> str:
    """The table as markdown. ``long`` changes nothing."""
    del long
    head = ("contacts", "clients", "index s", "match s", "us per client", "peak MB", "of it the world", "brute force s",
            "strangers held")  # fmt: skip
    rows = []
    for size in sizes:
        found = _measure_apart(size, seed)
        clients = int(found["clients"])
        rows.append([
            f"{size:,}", f"{clients:,}", f"{found['index_s']:.2f}", f"{found['match_s']:.2f}",
            f"{1e6 * found['match_s'] / clients:,.0f}", f"{found['peak_mb']:.0f}", f"{found['before_mb']:.0f}",
            f"{found['brute_s']:.2f}", f"{found['held_strangers'] / (clients / 2):.1%}",
        ])  # fmt: skip
    return f"{make_table(head, rows)}\n"


def _measure_apart(size: int, seed: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.matching_speed", "--one", str(size), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--one", type=int, help="measure this size here and print JSON")
    options = parser.parse_args(argv)
    if options.one:
        sys.stdout.write(json.dumps(measure(options.one, options.seed)))
    else:
        sys.stdout.write(make_report(options.seed, options.sizes))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
