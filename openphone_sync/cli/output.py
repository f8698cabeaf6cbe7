"""Results for people (tables, through rich on a terminal) and for scripts (one JSON document)."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from openphone_sync.documents import to_json

if TYPE_CHECKING:
    from rich.console import Console

LISTED = 20
"""Entries of a list that a summary shows; the report file and --json have them all."""
FEW = 5
"""Contacts held for one reason that are still listed one by one."""


def print_json(document: Mapping[str, Any]) -> None:
    """One document on stdout, nothing else."""
    sys.stdout.write(to_json(document))
    sys.stdout.flush()


def print_report(document: Mapping[str, Any], *, as_json: bool, quiet: bool) -> None:
    """A run's report."""
    if as_json:
        print_json(document)
    if as_json or quiet or _ended_before_a_plan(document):
        return
    console = _console()
    console.print(_headline(document), highlight=False)
    _print_details(console, document)


def _ended_before_a_plan(document: Mapping[str, Any]) -> bool:
    """Nothing was read, nothing decided: the line on stderr says it all."""
    return bool(document.get("message")) and not document["clients"]["read"]


def print_dry_run(document: Mapping[str, Any], *, as_json: bool, quiet: bool) -> None:
    """A dry run's report: what would be done to which contact, field by field."""
    if as_json:
        print_json(document)
    if as_json or quiet or _ended_before_a_plan(document):
        return
    console = _console()
    writing = [action for action in document["actions"] if action["changes"] or action["action"] == "delete"]
    if writing:
        console.print(_action_table(writing))
    console.print(_headline(document), highlight=False)
    _print_details(console, document)


def print_table(table: Any) -> None:
    """A table of `make_table`."""
    _console().print(table)


def make_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Any:
    """A plain table; cells are text, never markup."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            """For the door; rich itself would end with 1, which means failed contacts here."""
            raise BrokenPipeError

    return Plain(soft_wrap=not sys.stdout.isatty())


def _headline(document: Mapping[str, Any]) -> str:
    from openphone_sync.ops.alerts import describe_contacts  # noqa: PLC0415

    clients, requests = document["clients"], document["requests"]
    command, mode = document["command"], document["mode"]
    head = f"{command} ({mode}), nothing written" if document["dryRun"] else f"{command} {document['status']} ({mode})"
    return (
        f"{head}: {describe_contacts(document['contacts'])}\n"
        f"clients: {clients['read']} read, {clients['changed']} changed, {clients['removed']} removed; "
        f"{requests['total']} requests in {document['durationSeconds']:.1f} s"
    )


def _print_details(console: Console, document: Mapping[str, Any]) -> None:
    skipped, errors, held = document["skipped"], document["errors"], document["held"]
    conflicts, orphans, warnings = document["conflicts"], document["orphans"], document["warnings"]
    sections: Sequence[tuple[str, Sequence[str]]] = (
        (f"skipped ({len(skipped)})", _by_reason(skipped, few=0)),
        (f"failed ({len(errors)})", [f"{one['externalId']}: {one['message']}" for one in errors]),
        (f"held ({len(held)}), to be decided with openphone-sync review", _by_reason(held, few=FEW)),
        (
            f"both sides changed ({len(conflicts)})",
            [f"{one['externalId']}: {one['field']}, kept {one['kept']}" for one in conflicts],
        ),
        (f"no longer in the source ({len(orphans)})", orphans),
        (f"warnings ({len(warnings)})", warnings),
    )
    for title, lines in sections:
        if not lines:
            continue
        console.print(title, highlight=False)
        for line in lines[:LISTED]:
            console.print(f"  {line}", highlight=False, markup=False)
        if len(lines) > LISTED:
            console.print(f"  and {len(lines) - LISTED} more in the report", highlight=False)


def _by_reason(entries: Sequence[Mapping[str, Any]], *, few: int) -> list[str]:
    """One line for a reason that more than ``few`` share, such as a rollback, the most common first; then the others."""
    counts = Counter(str(one["reason"]) for one in entries)
    common = [f"{count} x {reason}" for reason, count in counts.most_common() if count > few]
    return common + [f"{one['externalId']}: {one['reason']}" for one in entries if counts[one["reason"]] <= few]


def _action_table(actions: Sequence[Mapping[str, Any]]) -> Any:
    rows: list[tuple[str, str, str, str, str]] = []
    for action in actions:
        lines = _change_lines(action)
        rows.append((action["action"], action["externalId"], *lines[0]))
        rows += [("", "", *line) for line in lines[1:]]
    return make_table(("action", "contact", "field", "before", "after"), rows)


def _change_lines(action: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Field, before and after of each change; a new contact in one line (--json has every field)."""
    after = {change["field"]: _show(change["after"]) for change in action["changes"]}
    if action["action"] == "create":
        named = (after.get("firstName"), after.get("phoneNumbers"))  # one made again after its deletion may lack either
        return [("new contact", "", ", ".join(text for text in named if text))]
    if not action["changes"]:
        return [("", "", action["reason"])]
    return [(change["field"], _show(change["before"]), after[change["field"]]) for change in action["changes"]]


def _show(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(f"{one['name']} {one['value']}" if isinstance(one, dict) else str(one) for one in value)
    return str(value)
