"""Results for people, through rich: tables, the report of a run, and a progress bar on a terminal."""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from openphone_sync.cli.output import print_notice
from openphone_sync.documents import describe_contacts, escape_text
from openphone_sync.ops.crontab import find_zone
from openphone_sync.ports import NotedProgress
from openphone_sync.views.ids import shorten
from openphone_sync.views.words import format_day
from openphone_sync.wiring import NoProgress

LISTED = 20
"""Entries of a list that a summary shows; the report file and --json have them all."""
LINE_EVERY_S = 30.0
FEW = 5
"""Contacts that are held for the same reason and still listed one by one."""


Side = tuple[str, Sequence[str], Sequence[str], frozenset[str]]
"""A row of two cards: label, values of either side, and the values that both have."""


def is_terminal() -> bool:
    """Whether stdout is a terminal, or is to be treated as one (``TTY_COMPATIBLE=1``, ``FORCE_COLOR``)."""
    return sys.stdout.isatty() or os.environ.get("TTY_COMPATIBLE") == "1" or bool(os.environ.get("FORCE_COLOR"))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table that fits the terminal; elsewhere one line for each row, columns tab separated. Cells are text, never markup."""
    if not is_terminal():
        for row in (columns, *rows):
            sys.stdout.write("\t".join(map(escape_text, row)).rstrip("\t") + "\n")
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_style_cell(escape_text(cell)) for cell in row))
    _make_console().print(table)


def format_local(moment: str) -> str:
    """A time of a document for people: in the zone of this machine on a terminal, elsewhere as it is."""
    if not is_terminal():
        return moment
    return f"{datetime.fromisoformat(moment).astimezone(find_zone(os.environ)):%a %Y-%m-%d %H:%M %Z}"


def show_id(external_id: str) -> str:
    """Short on a terminal; whole elsewhere."""
    return shorten(external_id) if is_terminal() else external_id


def print_line(text: str) -> None:
    """One line, wrapped on a terminal."""
    _make_console().print(escape_text(text), highlight=False, markup=False)


def print_sides(heads: tuple[str, str], sides: Iterable[Side]) -> None:
    """Two cards beside each other: ``=`` and green for what both have, yellow for what differs."""
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    table.add_column("")
    for head in heads:
        table.add_column(escape_text(head), overflow="fold", ratio=1)
    for label, ours, theirs, same in sides:
        if ours or theirs:
            differs = bool(ours and theirs and not same)
            table.add_row(label, *(_list_values(values, same, differs=differs) for values in (ours, theirs)))
    _make_console().print(table)


def _list_values(values: Sequence[str], same: frozenset[str], *, differs: bool) -> Text:
    """Equal values are marked without colour too."""
    text = Text()
    for number, value in enumerate(values):
        equal = value in same
        mark = "= " if equal else ""
        style = "green" if equal else "yellow" if differs else ""
        text.append(("\n" if number else "") + mark + escape_text(value), style=style)
    return text


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+Z)?")
_STYLES = {
    "succeeded": "green",
    "ok": "green",
    "partial": "yellow",
    "interrupted": "yellow",
    "failed": "red",
    "stopped": "red",
    "+": "green",
    "~": "yellow",
    "-": "red",
    "=": "dim",
}
"""Cells that have a colour; what they say stands in their text too."""


def _style_cell(text: str) -> Text:
    return Text(text, style=_STYLES.get(text, ""))


def print_report(document: Mapping[str, Any], *, every: bool = False, details: bool = False) -> None:
    """A run's report; for a dry run first its actions by kind.

    ``every``: all of them, in place of the first `LISTED` of each kind; ``details``: every field before -> after.
    """
    if document.get("message") and not document["clients"]["read"]:
        return  # nothing was read: the line on stderr says it all
    _print_actions(document.get("actions", ()), every=every or not is_terminal(), details=details)
    console = _make_console()
    for line in (*_make_headline(document), *_make_details(document)):
        console.print(escape_text(line), highlight=False, markup=False)


_SIGNS = {"create": "+", "update": "~", "adopt": "~", "delete": "-", "hold": "?", "skip": "="}
"""Actions in the order in which a dry run lists them."""


def _print_actions(actions: Sequence[Mapping[str, Any]], *, every: bool, details: bool) -> None:
    for kind, sign in _SIGNS.items():
        listed = [one for one in actions if one["action"] == kind and (one["changes"] or kind != "update")]
        if not listed:
            continue
        shown = listed if every else listed[:LISTED]
        rows = [row for action in shown for row in _make_action_rows(sign, action, details=details)]
        print_table(("", f"{kind} ({len(listed)})", "what", "id"), rows)
        if len(shown) < len(listed):
            print_line(f"  and {len(listed) - len(shown)} more; --all shows them, --details every field")


def _make_action_rows(sign: str, action: Mapping[str, Any], *, details: bool) -> Iterator[tuple[str, str, str, str]]:
    """Name first, short id last; with ``details`` a further row for each field."""
    changes = {one["field"]: one for one in action["changes"]}
    if action["action"] == "create" and "phoneNumbers" in changes:
        what = format_value(changes["phoneNumbers"]["after"])
    else:
        what = ", ".join(changes) or action["reason"]
    yield sign, action["name"], what, show_id(action["externalId"])
    for field, change in changes.items() if details else ():
        yield "", "", f"{field}: {describe_change(change)}", ""


def describe_change(change: Mapping[str, Any]) -> str:
    """``before -> after``; only what is there where the other side is empty."""
    before, after = format_value(change["before"]), format_value(change["after"])
    return f"{before or '(empty)'} -> {after or '(empty)'}"


@contextmanager
def show_progress(*, quiet: bool, lines: bool = False) -> Iterator[NotedProgress]:
    """A progress bar if stderr is a terminal; elsewhere nothing, or with ``lines`` a line now and then."""
    if not quiet and lines and not sys.stderr.isatty():
        yield LineProgress()
    elif quiet or not sys.stderr.isatty():
        yield NoProgress()
    else:
        with BarProgress() as bar:
            yield bar


class LineProgress:
    """`ports.NotedProgress` without a terminal: a line on stderr, at most one in ``every_s`` seconds."""

    def __init__(self, every_s: float = LINE_EVERY_S, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._monotonic = monotonic
        self._printed_at = monotonic()
        self._what, self._note = "", ""
        self._total: int | None = None
        self._done = 0

    def start(self, what: str, total: int | None) -> None:
        """A stage begins."""
        self._what, self._note, self._total, self._done = what, "", total, 0

    def advance(self, count: int = 1) -> None:
        """A part of the stage is done."""
        self._done += count
        now = self._monotonic()
        if now - self._printed_at >= self._every_s:
            self._printed_at = now
            of = f" of {self._total}" if self._total is not None else ""
            print_notice(f"{self._what}: {self._done}{of}{f' ({self._note})' if self._note else ''}")

    def note(self, text: str) -> None:
        """Show a text beside the count."""
        self._note = text

    def finish(self) -> None:
        """The stage is over."""


class BarProgress:
    """`ports.NotedProgress` on a terminal: a bar on stderr with rate and time left."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: TaskID | None = None

    def start(self, what: str, total: int | None) -> None:
        """A stage begins."""
        self.finish()
        self._task = self._progress.add_task(what, total=total, rate="", note="")

    def advance(self, count: int = 1) -> None:
        """A part of the stage is done."""
        if self._task is None:
            return
        self._progress.advance(self._task, count)
        task = self._progress.tasks[-1]
        if task.speed:
            self._progress.update(self._task, rate=f"{task.speed:.1f}/s")

    def note(self, text: str) -> None:
        """Show a text beside the count."""
        if self._task is not None:
            self._progress.update(self._task, note=text)

    def finish(self) -> None:
        """The stage is over: remove its line."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        self._progress.stop()


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the error boundary: rich would exit with 1, which means failed contacts here."""
        raise BrokenPipeError


def _make_console() -> Console:
    return _Console(soft_wrap=not is_terminal(), force_terminal=is_terminal() or None)


# --- the report of a run -------------------------------------------------------------------------------------------


def _make_headline(document: Mapping[str, Any]) -> tuple[str, str]:
    clients, requests = document["clients"], document["requests"]
    command, mode = document["command"], document["mode"]
    head = f"{command} ({mode}), nothing written" if document["dryRun"] else f"{command} {document['status']} ({mode})"
    read = f"clients: {clients['read']} read, {clients['changed']} changed, {clients['removed']} removed"
    return (
        f"{head}: {describe_contacts(document['contacts'])}",
        f"{read}; {requests['total']} requests in {document['durationSeconds']:.1f} s",
    )


def _make_details(document: Mapping[str, Any]) -> Iterator[str]:
    """The lists of the report, as far as they are not empty."""
    skipped, errors, held = document["skipped"], document["errors"], document["held"]
    conflicts, orphans, warnings = document["conflicts"], document["orphans"], document["warnings"]
    sections: Sequence[tuple[str, Sequence[str]]] = (
        (f"skipped ({len(skipped)})", _list_by_reason(skipped, few=0)),
        (f"failed ({len(errors)})", [f"{one['externalId']}: {one['message']}" for one in errors]),
        (f"held ({len(held)}); decide them with openphone-sync review", _list_by_reason(held, few=FEW)),
        (
            f"both sides changed ({len(conflicts)})",
            [f"{one['externalId']}: {one['field']}, kept {one['kept']}" for one in conflicts],
        ),
        (f"no longer in the source ({len(orphans)})", orphans),
        (f"warnings ({len(warnings)})", warnings),
    )
    for title, lines in sections:
        if lines:
            yield title
            yield from (f"  {line}" for line in lines[:LISTED])
        if len(lines) > LISTED:
            yield f"  and {len(lines) - LISTED} more in the report"


def _list_by_reason(entries: Sequence[Mapping[str, Any]], *, few: int) -> list[str]:
    """One line for a reason that more than ``few`` entries share, the most common first; then the other entries."""
    counts = Counter(str(one["reason"]) for one in entries)
    common = [f"{count} x {reason}" for reason, count in counts.most_common() if count > few]
    return common + [f"{one['externalId']}: {one['reason']}" for one in entries if counts[one["reason"]] <= few]


def format_value(value: Any) -> str:
    """A value as people write it: ``15 June 1985``, ``Main Phone +1 213-555-0134``, ``yes``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(f"{one['name']} {one['value']}" if isinstance(one, dict) else str(one) for one in value)
    return format_day(value) if isinstance(value, str) and _DAY.fullmatch(value) else str(value)
