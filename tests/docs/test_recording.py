"""The pictures that ./dev record draws: readable anywhere, small, and still what the demo shows."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

from openphone_sync.sandbox import demo

DRAWN = Path(__file__).parents[2] / "docs" / "demo.svg"
LONGEST = 66
"""Lines that a README can show without looking like a log."""


def read_lines() -> list[str]:
    """What is drawn, line by line; the gaps between columns are one blank."""
    rows: dict[float, list[str]] = defaultdict(list)
    for text in ET.parse(DRAWN).iter("{http://www.w3.org/2000/svg}text"):
        if "clip-path" in text.attrib:  # not the title
            rows[float(text.attrib["y"])].append((text.text or "").replace("\xa0", " ").strip())
    return [" ".join(rows[y]).strip() for y in sorted(rows)]


def test_every_scene_that_is_drawn_is_one_of_the_demo() -> None:
    source = inspect.getsource(demo)
    told = [line for line in read_lines() if re.fullmatch(r"[A-Z].*[.:?]", line)]
    typed = [line.removeprefix("$ openphone-sync ").split() for line in read_lines() if line.startswith("$ ")]
    commands = [command[0] for command in typed]
    assert commands == ["dry-run", "sync", "sync", "review", "review", "sync", "rollback"]
    assert len(told) == len(typed)  # the review takes two commands, and what James has become takes none
    assert all(f'stage.run("{command}"' in source for command in commands)
    assert all(f'stage.tell("{words}")' in source for words in told)


def test_nobody_can_be_reached_at_a_number_that_is_drawn() -> None:
    numbers = re.findall(r"\+1 ?\d{3}-?\d{3}-?\d{4}", " ".join(read_lines()))
    assert numbers
    assert all(re.fullmatch(r"\+1\d{3}55501\d\d", re.sub("[ -]", "", number)) for number in numbers)


def test_the_picture_of_the_report_is_small() -> None:
    picture = DRAWN.with_name("report.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 150_000


def test_it_is_short_and_holds_nothing_of_the_machine_that_drew_it() -> None:
    text = DRAWN.read_text(encoding="utf-8")
    assert len(read_lines()) <= LONGEST
    assert not re.search(r"url\([\"']?http|/tmp/|/home/|127\.0\.0\.1", text)
    assert set(re.findall(r"\d{4}-\d\d-\d\d", text)) <= {"2026-03-10"}
