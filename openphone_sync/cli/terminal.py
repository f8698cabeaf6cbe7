"""The report of a run on a terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from openphone_sync.cli.output import echo
from openphone_sync.cli.tables import is_terminal, print_line, print_table, show_id
from openphone_sync.documents import describe_contacts
from openphone_sync.views.words import ANY_REGION, EXTERNAL_ID, format_day, format_phone, name_field

LISTED = 20
"""Entries of a list that a summary shows; the report file and --json have them all."""
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
