"""``./dev bench [NAME ...] [--long]``: run benchmarks and write their tables to benchmarks/README.md."""

from __future__ import annotations

import importlib
import sys
import time

from benchmarks.readme import write_section

SECTIONS = {
    "first_sync": "The first sync",
    "nothing_changed": "A night on which nothing changed, and one row in all",
    "mapping_speed": "Mapping",
    "matching_quality": "Who is who: quality",
    "matching_speed": "Who is who: growth",
    "export_speed": "Conversations out",
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
    for name in names:
        started = time.monotonic()
        report = importlib.import_module(f"benchmarks.{name}").make_report(long="--long" in argv)
        write_section(name, SECTIONS[name], f"./dev bench {name}", report)
        sys.stdout.write(f"## {SECTIONS[name]}\n\n{report}\n({time.monotonic() - started:.0f} s)\n\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
