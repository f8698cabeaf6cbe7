"""``./dev bench [NAME ...] [--long]``: run benchmarks and write their tables to benchmarks/README.md.

Each section of that file stands between its markers and is replaced as a whole; nobody edits figures by hand.
"""

from __future__ import annotations

import importlib
import re
import sys
import time
from pathlib import Path

from openphone_sync.files import save_text

README = Path(__file__).with_name("README.md")

SECTIONS = {
    "nothing_changed": "A night on which nothing changed, and one row in all",
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
        write_section(name, report)
        sys.stdout.write(f"## {SECTIONS[name]}\n\n{report}\n({time.monotonic() - started:.0f} s)\n\n")
        sys.stdout.flush()
    return 0


def write_section(name: str, report: str) -> None:
    """Replace one section of the README, or add it at the end."""
    text = README.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    body = f"{begin}\n{report.rstrip()}\n{end}"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if pattern.search(text):
        text = pattern.sub(lambda _: body, text)
    else:
        text = f"{text.rstrip()}\n\n## {SECTIONS[name]}\n\n`./dev bench {name}`\n\n{body}\n"
    save_text(README, text, mode=0o644)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
