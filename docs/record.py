"""Draws docs/demo.svg: the main part of what ``openphone-sync demo`` shows on a terminal of 80 columns.

Each run draws the same picture: seconds are rounded up, the day is a fixed one. Phone numbers become ones that nobody has.
Progress bars go to stderr, which is not a terminal here, so there are none. The colours are added.
"""

from __future__ import annotations

import io
import math
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

TARGET = Path(__file__).with_name("demo.svg")
COLUMNS = 80
TABLE_LINES = 6
"""How much of the dry run's table is shown: three contacts."""
LEFT_OUT = ("Conversations that", "In the morning")
"""Beginnings of the scenes that are not shown: with them, the picture would be longer than a page."""
NEXT_SCENE = re.compile(r"\n\n(?=[A-Z][^\n]*[.:?]\n(?:\$ |\{))")
EPILOGUE = "\nWith your own data:"
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def main() -> int:
    """Run the demo and draw it; the demo's exit code."""
    played = subprocess.run(
        [sys.executable, "-m", "openphone_sync", "demo"],
        env=os.environ | {"COLUMNS": str(COLUMNS), "TZ": "UTC"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if played.returncode == 0:
        lines = drop_details(shorten_table(choose_scenes(make_steady(played.stdout))))
        TARGET.write_text(draw(lines), encoding="utf-8")
    return played.returncode


def make_steady(shown: str) -> str:
    """The text without what differs from run to run, and with phone numbers of the range kept for fiction."""
    shown = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    shown = re.sub(r"(\+1\d{3})\d{5}(\d\d)\b", r"\g<1>55501\2", shown)
    shown = re.sub(r"(\+1 \d{3})-\d{3}-\d\d(\d\d)\b", r"\g<1>-555-01\2", shown)
    shown = re.sub(r"(?<=\bin )\d+\.\d(?= s\b)", lambda found: _round(float(found[0])), shown)
    shown = re.sub(r"\w{3} \d{4}-\d\d-\d\d \d\d:\d\d", "Tue 2026-03-10 09:00", shown)
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "2026-03-10 09:00", shown)


def _round(seconds: float) -> str:
    return "under 1" if seconds < 1 else str(math.ceil(seconds))


def choose_scenes(shown: str) -> list[str]:
    """The lines of the scenes that are drawn."""
    scenes = NEXT_SCENE.split(shown.partition(EPILOGUE)[0].strip())
    return "\n\n".join(scene for scene in scenes if not scene.startswith(LEFT_OUT)).splitlines()


def shorten_table(lines: list[str]) -> list[str]:
    """The dry run's table with its first lines only; the demo has left out some already, and says how many."""
    first = next(number for number, line in enumerate(lines) if line.startswith("──")) + 1
    end = next(number for number, line in enumerate(lines) if line.startswith("dry-run "))
    rest = [line for line in lines[first + TABLE_LINES : end] if line.strip()]
    counts = [re.fullmatch(r"\.\.\. (\d+) lines \.\.\.", line) for line in rest]
    left_out = sum(int(count[1]) if count else 1 for count in counts)
    return [*lines[: first + TABLE_LINES], f"... {left_out} lines ...", *lines[end:]]


def drop_details(lines: list[str]) -> list[str]:
    """Without what each run lists of skipped and held contacts: the counts say it, and the review shows it."""
    text = "\n".join(lines)
    return re.sub(r"^(skipped|held) \(\d+\).*\n(  .*\n)+", "", text + "\n", flags=re.MULTILINE).splitlines()


def draw(lines: list[str]) -> str:
    """The SVG. Its letters are those of the reader's machine: a picture in a README cannot load fonts."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor", force_terminal=True)
    for line in lines:
        text = Text(line.rstrip(), style=_style(line))
        text.highlight_regex("^ +| {2,}", "dim")  # gaps in a style of their own become positions, which no viewer drops
        console.print(text)
    drawn = console.export_svg(title="openphone-sync demo", unique_id="demo")
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    return drawn.replace("Fira Code, monospace", FONTS)


def _style(line: str) -> str:
    if line.startswith("$ "):
        return "bold green"
    return "bold cyan" if re.fullmatch(r"[A-Z].*[.:?]", line) else ""


if __name__ == "__main__":
    sys.exit(main())
