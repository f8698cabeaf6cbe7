"""CPU time of commands that must answer at once, as a ratio to an empty Python, beside peers.

``python -m benchmarks.start_up``. The peers sqlite-utils and drt-core come on demand, outside the project's lock.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile

from benchmarks.on_demand import fetch_package

RUNS = 7
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "openphone-sync --help": [sys.executable, "-m", "openphone_sync", "--help"],
    "openphone-sync status --json": [sys.executable, "-m", "openphone_sync", "status", "--json"],
    "openphone-sync metrics --json": [sys.executable, "-m", "openphone_sync", "metrics", "--json"],
}
PEERS = {"sqlite-utils --help": ("sqlite-utils", "sqlite-utils"), "drt --help": ("drt-core[postgres]", "drt")}


def main(argv: list[str]) -> int:
    """Print the table."""
    del argv
    sys.stdout.write(make_report())
    return 0


def make_report(*, long: bool = False) -> str:
    """The table as Markdown: CPU time of the process and its children, the best of several rounds over all commands."""
    del long
    with tempfile.TemporaryDirectory(prefix="openphone-bench-") as folder:
        environment = {**os.environ, "OPENPHONE_STATE_DIR": folder, "HOME": folder}
        commands = {name: (command, environment) for name, command in COMMANDS.items()}
        commands |= {name: _find_peer(*peer, environment) for name, peer in PEERS.items()}
        rounds = [{name: _cpu(*command) for name, command in commands.items()} for _ in range(RUNS)]
    times = {name: min(one[name] for one in rounds) for name in commands}
    empty = times["python -c pass"]
    lines = ["| command | CPU ms | ratio to an empty Python |", "|---|---|---|"]
    lines += [f"| {name} | {seconds * 1000:.0f} | {seconds / empty:.1f} |" for name, seconds in times.items()]
    return "\n".join(lines) + "\n"


def _find_peer(package: str, program: str, environment: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    folder = fetch_package(package, dependencies=True)
    return [sys.executable, str(folder / "bin" / program), "--help"], environment | {"PYTHONPATH": str(folder)}


def _cpu(command: list[str], environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
