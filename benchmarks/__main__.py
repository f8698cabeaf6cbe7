"""``./dev bench [NAME ...] [--long]``: run benchmarks and write their tables to benchmarks/README.md."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time

from benchmarks.readme import write_section

SECTIONS = {
    "first_sync": "The first sync",
    "listing": "Listing a workspace",
    "nothing_changed": "A night on which nothing changed, and one row in all",
    "mapping_speed": "Mapping",
    "matching_quality": "Who is who: quality",
    "matching_peers": "Who is who: beside Splink and recordlinkage",
    "matching_speed": "Who is who: growth",
    "report_speed": "The report page",
    "review_speed": "A review with very many held contacts",
    "export_speed": "Conversations out",
    "archive_pace": "An archive of conversations",
    "pace": "Pace under the vendor's limit",
    "start_up": "Start-up",
}


def main(argv: list[str]) -> int:
    """Run the named benchmarks, or all."""
    names = [name for name in argv if not name.startswith("-")] or list(SECTIONS)
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        sys.stderr.write(f"no benchmark is called {unknown[0]}; there are {', '.join(SECTIONS)}\n")
        return 2
    if len(names) > 1:  # each in a process of its own: peak memory is inherited
        return max([_run_alone(name, argv) for name in names])
    run(names[0], long="--long" in argv)
    return 0


def _run_alone(name: str, argv: list[str]) -> int:
    flags = [flag for flag in argv if flag.startswith("-")]
    return subprocess.run([sys.executable, "-m", "benchmarks", name, *flags], check=False).returncode


def run(name: str, *, long: bool) -> None:
    """One benchmark: its table printed, and written to the README."""
    started = time.monotonic()
    report = importlib.import_module(f"benchmarks.{name}").make_report(long=long)
    write_section(name, SECTIONS[name], f"./dev bench {name}", report)
    sys.stdout.write(f"## {SECTIONS[name]}\n\n{report}\n({time.monotonic() - started:.0f} s)\n\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
