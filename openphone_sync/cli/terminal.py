"""The report of a run, and how far it has come: through rich a bar on a terminal."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

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

from openphone_sync.cli.output import echo, print_notice
from openphone_sync.cli.tables import is_terminal, print_line, print_table, show_id
from openphone_sync.documents import describe_contacts
from openphone_sync.ports import NotedProgress
from openphone_sync.views.words import ANY_REGION, EXTERNAL_ID, format_day, format_phone, name_field
from openphone_sync.wiring import NoProgress

LISTED = 20
"""Entries of a list that a summary shows; the report file and --json have them all."""
LINE_EVERY_S = 30.0
FEW = 5
"""Contacts that are held for the same reason and still listed one by one."""


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+Z)?")


def print_report(
    document: Mapping[str, Any], names: Mapping[str, str], *, every: bool = False, details: bool = False
) -> None:
    """A run's report; for a dry run first its actions by kind.

    ``names`` by external id stand for ids. ``every``: all actions, in place of the first `LISTED` of each kind;
    ``details``: every field before -> after.
    """
    if document.get("message") and not document["clients"]["read"]:
        return  # nothing was read: the line on stderr says it all
    actions = [one for one in document.get("actions", ()) if one["changes"] or one["action"] != "update"]
    print_actions(actions, every=every, details=details)
    for line in (*_make_headline(document), *_make_details(document, names)):
        print_line(line)


_SIGNS = {"create": "+", "update": "~", "adopt": "~", "delete": "-", "hold": "?", "skip": "="}
"""Actions in the order in which they are listed."""


def print_actions(
    actions: Sequence[Mapping[str, Any]],
    fields: Mapping[str, str] | None = None,
    *,
    every: bool = False,
    details: bool = False,
    values: bool = False,
) -> None:
    """Contacts by action: name first, short id last. ``fields`` are names of custom fields by key.

    Elsewhere than on a terminal all are listed. ``values``: what an update changed, not only in which fields.
    """
    for kind, sign in _SIGNS.items():
        listed = [one for one in actions if one["action"] == kind]
        shown = listed if every or not is_terminal() else listed[:LISTED]
        rows = [row for action in shown for row in _make_action_rows(sign, action, fields or {}, details, values)]
        if rows:
            print_table(("", f"{kind} ({len(listed)})", "what", "id"), rows)
        if len(shown) < len(listed):
            print_line(f"  and {len(listed) - len(shown)} more; --all shows them, --details every field")
        if rows and is_terminal():
            echo()


def _make_action_rows(
    sign: str, action: Mapping[str, Any], fields: Mapping[str, str], details: bool, values: bool
) -> Iterator[tuple[str, str, str, str]]:
    """Name first, short id last; with ``details`` a further row for each field."""
    changes = {name_field(one["field"], fields): one for one in action["changes"]}
    lines = [describe_change(change, fields) for name, change in changes.items() if name != EXTERNAL_ID]
    if action["action"] == "create" and "phones" in changes:
        what = format_value(changes["phones"]["after"])
    elif values and not details:
        what = "; ".join(lines)
    else:
        what = ", ".join(changes)
    yield sign, action["name"], what or action["reason"], show_id(action["externalId"])
    for line in lines if details else ():
        yield "", "", line, ""


def describe_change(change: Mapping[str, Any], fields: Mapping[str, str]) -> str:
    """``County: before -> after``; what is new stands without the empty side."""
    before, after = format_value(change["before"]), format_value(change["after"])
    return f"{name_field(change['field'], fields)}: {f'{before} -> ' if before else ''}{after or '(empty)'}"


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
            SpinnerColumn("dots" if (sys.stderr.encoding or "").lower().startswith("utf") else "line"),
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


def _make_details(document: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[str]:
    """The lists of the report, as far as they are not empty."""
    skipped, errors, held = document["skipped"], document["errors"], document["held"]
    conflicts, orphans, warnings = document["conflicts"], document["orphans"], document["warnings"]

    def name(external_id: str) -> str:
        known = names.get(external_id)
        return f"{known} ({show_id(external_id)})" if known else external_id

    sections: Sequence[tuple[str, Sequence[str]]] = (
        (f"skipped ({len(skipped)}); see openphone-sync problems", _list_by_reason(skipped, name, few=0)),
        (f"failed ({len(errors)})", [f"{name(one['externalId'])}: {one['message']}" for one in errors]),
        (f"held ({len(held)}); decide them with openphone-sync review", _list_by_reason(held, name, few=FEW)),
        (
            f"both sides changed ({len(conflicts)})",
            [f"{name(one['externalId'])}: {name_field(one['field'])}, kept {one['kept']}" for one in conflicts],
        ),
        (f"no longer in the source ({len(orphans)})", [name(one) for one in orphans]),
        (f"warnings ({len(warnings)})", warnings),
    )
    for title, lines in sections:
        if lines:
            yield title
            yield from (f"  {line}" for line in lines[:LISTED])
        if len(lines) > LISTED:
            yield f"  and {len(lines) - LISTED} more in the report"


def _list_by_reason(entries: Sequence[Mapping[str, Any]], name: Callable[[str], str], *, few: int) -> list[str]:
    """One line for a reason that more than ``few`` entries share, the most common first; then the other entries."""
    counts = Counter(str(one["reason"]) for one in entries)
    common = [f"{count} x {reason}" for reason, count in counts.most_common() if count > few]
    rest = [one for one in entries if counts[one["reason"]] <= few]
    return common + [f"{name(one['externalId'])}: {one['reason']}" for one in rest]


def format_value(value: Any) -> str:
    """A value as people write it: ``15 June 1985``, ``Main Phone +1 213-555-0134``, ``yes``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_format_item(one) if isinstance(one, dict) else str(one) for one in value)
    return format_day(value) if isinstance(value, str) and _DAY.fullmatch(value) else str(value)


def _format_item(item: Mapping[str, Any]) -> str:
    """A phone or an e-mail address with its label."""
    value = str(item["value"] or "")
    return f"{item['name']} {format_phone(value, ANY_REGION) if value.startswith('+') else value}"
