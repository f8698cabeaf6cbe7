"""Tables, cards, lines and times for people. On a terminal they fit its width (40 to 200 columns) and have colour.

In a pipe nothing wraps, tabs separate columns, and times are RFC 3339 in UTC. Loads nothing heavy: `status` uses it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING

from openphone_sync.cli.output import has_unicode, make_shown, print_shown
from openphone_sync.documents import describe_when
from openphone_sync.ops.crontab import find_zone
from openphone_sync.views.ids import shorten

if TYPE_CHECKING:  # `status` must not load the model
    from openphone_sync.views.sides import Side

Line = tuple[str, str]
"""A text without line breaks, and its style."""
Cell = Sequence[Line]

GAP = "  "
_MARK = 6
_SHORT, _LONGEST_WORD, _PIECE = 14, 24, 12
"""Columns: shorter texts are not broken; longer words are, into pieces of at least so many.

A table that does not fit so is shown row by row.
"""
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "": ""}
_STYLES = {
    "succeeded": "green",
    "ok": "green",
    "partial": "yellow",
    "interrupted": "yellow",
    "failed": "red",
    "stopped": "red",
    "FAIL": "red",
    "+": "green",
    "~": "yellow",
    "-": "red",
    "=": "dim",
}
"""Words that have a colour; what they say stands in their text too."""


# --- the terminal --------------------------------------------------------------------------------------------------


def is_terminal() -> bool:
    """Whether stdout is a terminal, or is to be treated as one (``TTY_COMPATIBLE=1``, ``FORCE_COLOR``)."""
    forced = os.environ.get("TTY_COMPATIBLE") == "1" or bool(os.environ.get("FORCE_COLOR"))
    return forced or (sys.stdout is not None and sys.stdout.isatty())


def has_colour() -> bool:
    """Whether stdout takes colour: a terminal that is not dumb, and ``NO_COLOR`` is not set."""
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str = "") -> str:
    """The text in a style, or in the one that a word such as ``failed`` has."""
    code = _CODES[style or _STYLES.get(text, "")]
    return f"\x1b[{code}m{text}\x1b[0m" if code and text and has_colour() else text


def make_when() -> Callable[[str | None], str]:
    """Writes times of documents: ``2 hours ago, 02:00`` on a terminal, in its zone; elsewhere as they are. Empty for None."""
    if not is_terminal():
        return lambda moment: moment or ""
    now = datetime.now(find_zone(os.environ))
    return lambda moment: describe_when(datetime.fromisoformat(moment), now) if moment else ""


def show_id(external_id: str) -> str:
    """Short on a terminal; whole elsewhere."""
    return shorten(external_id) if is_terminal() else external_id


# --- what is printed -----------------------------------------------------------------------------------------------


def print_line(text: str, word: str = "") -> None:
    """One line; a terminal gets it wrapped between words, further lines two columns deeper than the first.

    ``word`` of the text stands there in its colour.
    """
    text = make_shown(text)
    indent = len(text) - len(text.lstrip())
    _print_hanging(" " * indent, " " * (indent + 2), text[indent:], word)


def print_marked(mark: str, text: str) -> None:
    """One line behind a word such as ``ok`` in its colour."""
    _print_hanging(f"{mark:<{_MARK}}", " " * _MARK, make_shown(text), mark)


def print_pairs(pairs: Iterable[tuple[str, str]], word: str = "") -> None:
    """Names, and what they are, without heads; the first ``word`` stands there in its colour."""
    listed = list(pairs)
    labels = max(len(name) for name, _ in listed)
    for name, text in listed:
        if is_terminal():
            _print_hanging(f"{name:<{labels}}{GAP}", " " * (labels + len(GAP)), make_shown(text), word)
        else:
            print_shown(f"{name}\t{make_shown(text)}\n")


def _print_hanging(first: str, other: str, text: str, word: str) -> None:
    """Wrapped on a terminal, one line elsewhere."""
    lines = _wrap(text, _find_width() - len(other)) if is_terminal() else [text]
    for number, line in enumerate(lines):
        shown = f"{other if number else first}{line}"
        print_shown((shown.replace(word, paint(word), 1) if word and not number else shown).rstrip() + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table with a line of heads; an empty head is that of a sign. A terminal gets no column that is empty."""
    if not is_terminal():
        print_shown("".join("\t".join(map(make_shown, row)).rstrip("\t") + "\n" for row in (columns, *rows)))
        return
    listed = list(rows)
    filled = [number for number, _ in enumerate(columns) if any(row[number] for row in listed)] or range(len(columns))
    cells = [[[(text := make_shown(row[number]), _STYLES.get(text, ""))] for number in filled] for row in listed]
    print_shown("".join(f"{line}\n" for line in _lay_out([columns[number] for number in filled], cells, rule=True)))


def print_sides(heads: tuple[str, str], sides: Iterable[Side]) -> None:
    """Two cards beside each other: ``=`` and green for what both have, yellow for what differs."""
    rows = []
    for side in sides:
        if side.ours or side.theirs:
            cells = (_make_cell(values, side.same, differs=side.differs) for values in (side.ours, side.theirs))
            rows.append([[(side.label, "")], *cells])
    print_shown("".join(f"{line}\n" for line in _lay_out((" ", *map(make_shown, heads)), rows, rule=False)))


def _make_cell(values: Sequence[str], same: frozenset[str], *, differs: bool) -> Cell:
    """Equal values are marked without colour too."""
    return [
        (f"= {make_shown(value)}", "green") if value in same else (make_shown(value), "yellow" if differs else "")
        for value in values
    ]


# --- layout --------------------------------------------------------------------------------------------------------


def _lay_out(columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, rule: bool) -> Iterator[str]:
    """A table; where its words do not fit the terminal, one row after the other."""
    width = _find_width()
    heads: Sequence[Cell] = [[(column, "bold")] for column in columns]
    widths = _fit([heads, *rows], width)
    if widths is None:
        yield from _list_rows(columns, rows, width)
        return
    yield from _join(heads, widths)
    if rule:
        sign = "─" if has_unicode() else "-"
        yield paint(sign * (sum(widths) + len(GAP) * (len(widths) - 1)), "dim")
    for row in rows:
        yield from _join(row, widths)


def _fit(rows: Sequence[Sequence[Cell]], width: int) -> list[int] | None:
    """The width of each column, so that no word is broken that need not be; None where that cannot be had."""
    texts = [[text for row in rows for text, _ in row[number]] for number in range(len(rows[0]))]
    widths = [max(map(measure, column), default=0) for column in texts]
    words = [{size for text in column for size in _measure_parts(text)} for column in texts]
    least = [max((_PIECE if size > _LONGEST_WORD else size for size in sizes), default=0) for sizes in words]
    width -= len(GAP) * (len(widths) - 1)
    if sum(least) > width:
        return None
    while sum(widths) > width:  # the widest column that can gives way
        loose = [number for number, whole in enumerate(widths) if whole > least[number]]
        widths[max(loose, key=widths.__getitem__)] -= 1
    return widths


def _measure_parts(text: str) -> list[int]:
    """Columns of what should stay in one piece: a short text, else its words."""
    whole = measure(text)
    return [whole] if whole <= _SHORT else [measure(word) for word in text.split()]


def _join(row: Sequence[Cell], widths: Sequence[int]) -> Iterator[str]:
    """The lines of one row."""
    folded = [
        [(part, style) for text, style in cell for part in _wrap(text, width)]
        for cell, width in zip(row, widths, strict=True)
    ]
    for parts in zip_longest(*folded, fillvalue=("", "")):
        shown = [
            paint(text, style) + " " * (width - measure(text))
            for (text, style), width in zip(parts, widths, strict=True)
        ]
        yield GAP.join(shown).rstrip()


def _list_rows(columns: Sequence[str], rows: Sequence[Sequence[Cell]], width: int) -> Iterator[str]:
    """Each row as a block: its first cell, then the others with their heads. A sign stands before the second cell."""
    first = 0 if columns[0] else 1
    if first:
        yield columns[1]
    labels = max(map(measure, columns[first + 1 :]), default=0)
    for row in rows:
        title = " ".join(text for cell in row[: first + 1] for text, _ in cell if text)
        yield from (paint(part, "bold") for part in (_wrap(title, width) if title else ()))
        for label, cell in zip(columns[first + 1 :], row[first + 1 :], strict=True):
            parts = [
                paint(part, style)
                for text, style in cell
                if text
                for part in _wrap(text, max(8, width - labels - 2 * len(GAP)))
            ]
            for number, part in enumerate(parts):
                shown = "" if number else label
                yield f"{GAP}{shown}{' ' * (labels - measure(shown))}{GAP}{part}"


def _wrap(text: str, width: int) -> list[str]:
    """Lines of so many columns at most, broken between words; at least one, which may be empty."""
    if measure(text) <= width:
        return [text]
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if measure(joined) <= width:
            lines[-1] = joined
            continue
        *whole, rest = _chop(word, width)
        lines += [*whole, rest]
    return [line for line in lines if line] or [""]


def _chop(word: str, width: int) -> list[str]:
    """The word in pieces of so many columns at most."""
    pieces = [""]
    for sign in word:
        if pieces[-1] and measure(pieces[-1] + sign) > max(1, width):
            pieces.append("")
        pieces[-1] += sign
    return pieces


_WIDE = frozenset({"W", "F"})
_NARROW = re.compile(r"[\x20-\x7e]*")


def measure(text: str) -> int:
    """Columns that a terminal gives the text: two for wide characters, none for marks upon others."""
    if _NARROW.fullmatch(text):
        return len(text)
    return sum(
        0 if unicodedata.category(sign) in {"Mn", "Me", "Cf"} else 1 + (unicodedata.east_asian_width(sign) in _WIDE)
        for sign in text
    )


def _find_width() -> int:
    return max(20, shutil.get_terminal_size().columns)
