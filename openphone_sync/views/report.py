"""What the report page says: is it healthy, what waits for a person, who shows by name, what happened.

`read_report` reads state and client table, never OpenPhone. The values are texts that a template only has to place.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby, pairwise
from typing import Any

from openphone_sync.config import Settings
from openphone_sync.documents import describe_contacts, describe_coverage, format_duration
from openphone_sync.model import JournalEntry, Link, StaffValue
from openphone_sync.ops.crontab import next_runs
from openphone_sync.ports import ClientSource
from openphone_sync.rules.merging import MergeRules, make_changes
from openphone_sync.rules.staff_values import find_table_value, has_in_table
from openphone_sync.state import Store
from openphone_sync.views.cards import make_link_card, read_field_names
from openphone_sync.views.ids import shorten
from openphone_sync.views.nights import NIGHTS, Nights, make_nights
from openphone_sync.views.problems import NOT_YET, TITLES, Problem, find_problems
from openphone_sync.views.review import Review, read_reviews
from openphone_sync.views.sides import Side, make_sides
from openphone_sync.views.words import format_day, format_phone

ROWS_SHOWN = 200
REVIEWS_SHOWN = 100
WRITES_SHOWN = 50
MEASUREMENTS_SHOWN = 60
LATE_S = 2 * 3600.0
"""How long after its time a run may end before it is missed."""
DAY_S = 86_400.0
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+Z)?")


class Level(StrEnum):
    """How urgent something is; the template gives each a colour and a sign."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Health:
    """The verdict in a line, what explains it, and facts by name."""

    level: Level
    headline: str
    why: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Tile:
    """A number at the top of the page; ``section`` is the id of the section that it leads to."""

    section: str
    number: str
    words: str
    level: Level


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as texts; of ``total`` rows the first ones. ``rest`` says where the others are."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: int
    title: str = ""
    rest: str = ""

    @property
    def left_out(self) -> int:
        """How many rows are not shown."""
        return self.total - len(self.rows)


@dataclass(frozen=True, slots=True)
class CandidateView:
    """Our person beside one candidate. ``address`` is the contact in the app."""

    sides: tuple[Side, ...]
    evidence: str
    address: str
    command: str


@dataclass(frozen=True, slots=True)
class ReviewView:
    """One held contact; ``decided``: a person has decided since the last run."""

    name: str
    reason: str
    short_id: str
    decided: bool
    candidates: tuple[CandidateView, ...]
    command: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many callers show a name. ``share`` in percent; ``trend`` are points of a line, x from 0 to 100, y downwards."""

    words: str
    measured: str
    share: int | None = None
    trend: str = ""
    earlier: str = ""
    unnamed: Table | None = None


@dataclass(frozen=True, slots=True)
class LastRun:
    """What the last run did."""

    words: str
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """The sections of the page, once a sync has run. Of ``reviews_total`` reviews the first ones are shown."""

    tiles: tuple[Tile, ...]
    nights: Nights
    coverage: Coverage | None
    reviews: tuple[ReviewView, ...]
    reviews_total: int
    problems: tuple[Table, ...]
    staff_values: Table
    conflicts: Table
    last_run: LastRun


@dataclass(frozen=True, slots=True)
class Report:
    """The whole page; ``body`` is None before the first sync. ``counts`` are those of the document, by key."""

    made: str
    health: Health
    counts: Mapping[str, int]
    body: Body | None = None
    notes: tuple[str, ...] = ()


def read_report(
    store: Store,
    settings: Settings,
    open_source: Callable[[], ClientSource],
    status: Mapping[str, Any],
    now: datetime,
) -> Report:
    """The page as of ``now``, in its time zone. ``status`` is the document of `views.status`.

    The client table is read for names and values in problems; without it the state has to do, and a note says so.
    """
    health, made = judge_health(status, now), format_moment(now, now)
    if status["lastRun"] is None:
        return Report(made, health, dict.fromkeys(("reviews", "problems", "staffValues", "conflicts"), 0))
    since = (now - timedelta(days=NIGHTS)).timestamp()
    reports = store.read_reports_since(since)
    problems, notes = find_problems(store, settings, open_source)
    reviews = sorted(read_reviews(store), key=lambda review: bool(review.decided))
    short_ids = Counter(shorten(review.review_id) for review in reviews)
    staff_values = make_staff_values(store, settings.region)
    conflicts = make_conflicts(store, reports, since, now, settings.region)
    coverage = read_coverage(store, now, settings.region)
    counts = {
        "reviews": sum(not review.decided for review in reviews),
        "problems": len(problems),
        "staffValues": staff_values.total,
        "conflicts": conflicts.total,
    }
    body = Body(
        tiles=make_tiles(counts, coverage),
        nights=make_nights(reports, now),
        coverage=coverage,
        reviews=tuple(make_review(one, short_ids, settings) for one in reviews[:REVIEWS_SHOWN]),
        reviews_total=len(reviews),
        problems=tuple(make_problem_tables(problems)),
        staff_values=staff_values,
        conflicts=conflicts,
        last_run=read_last_run(store, status["lastRun"], now, settings.region),
    )
    return Report(made, health, counts, body, tuple(note for note in notes if note != NOT_YET))


# --- is it healthy -------------------------------------------------------------------------------------------------

_BAD_ENDS: Mapping[str, str] = {
    "failed": "The last {command} failed",
    "stopped": "The last {command} was stopped by a safety limit",
    "interrupted": "The last {command} was interrupted",
}


def judge_health(status: Mapping[str, Any], now: datetime) -> Health:
    """Failed or missed runs are bad; failed contacts and a missing schedule need a look."""
    run, good, scheduler = status["lastRun"], status["lastGoodRun"], status["scheduler"]
    facts = tuple(_list_facts(status, now))
    if run is None:
        return Health(
            Level.NONE, "No sync has run yet", ("Start with openphone-sync dry-run: it writes nothing.",), facts
        )
    why = [run["message"]] if run["message"] else []
    if status["syncService"]["isInProgress"]:
        why.append("A run is in progress.")
    if run["status"] in _BAD_ENDS:
        return Health(Level.BAD, _BAD_ENDS[run["status"]].replace("{command}", run["command"]), tuple(why), facts)
    if good is None or good["ageSeconds"] > _find_longest_gap(scheduler, now) + LATE_S:
        since = f"since {format_moment(good['finishedAt'], now)}" if good else "so far"
        why.append("Look at openphone-sync schedule show and openphone-sync runs list.")
        return Health(Level.BAD, f"No sync of all clients has succeeded {since}", tuple(why), facts)
    if run["status"] == "partial":
        failed = run["contacts"]["failed"]
        contacts = "1 contact" if failed == 1 else f"{failed:,} contacts"
        why.append("The next sync tries again.")
        return Health(Level.WARN, f"The last {run['command']} could not write {contacts}", tuple(why), facts)
    if not scheduler["isEnabled"]:
        why.append("To sync every night, run openphone-sync schedule start.")
        return Health(Level.WARN, f"The last {run['command']} succeeded, but no sync is scheduled", tuple(why), facts)
    return Health(Level.GOOD, f"Healthy: the last {run['command']} succeeded", tuple(why), facts)


def _list_facts(status: Mapping[str, Any], now: datetime) -> Iterable[tuple[str, str]]:
    run, good, scheduler = status["lastRun"], status["lastGoodRun"], status["scheduler"]
    if run is not None:
        moment = run["finishedAt"] or run["startedAt"]
        took = f", took {format_duration(run['durationSeconds'])}" if run["durationSeconds"] is not None else ""
        yield "Last run", f"{run['command']} {run['status']}, {format_ago(moment, now)}{took}"
    if good is not None and (run is None or good["finishedAt"] != run["finishedAt"]):
        yield "Last good sync", format_ago(good["finishedAt"], now)
    if not scheduler["isEnabled"]:
        yield "Next run", "none is scheduled"
    elif scheduler["nextRun"]:
        yield "Next run", f"{format_moment(scheduler['nextRun'], now)} ({scheduler['schedule']})"
    else:
        yield "Next run", f"by the systemd timer {scheduler['timer']} ({scheduler['schedule']})"


def _find_longest_gap(scheduler: Mapping[str, Any], now: datetime) -> float:
    """The longest time between two runs of the schedule, in seconds; a day if it is not known."""
    runs = next_runs(scheduler["schedule"], now, 8) if scheduler["nextRun"] else []
    return max((later.timestamp() - run.timestamp() for run, later in pairwise(runs)), default=DAY_S)


def make_tiles(counts: Mapping[str, int], coverage: Coverage | None) -> tuple[Tile, ...]:
    """The numbers at the top, in the order of the sections."""

    def make_tile(section: str, name: str, one: str, many: str, level: Level) -> Tile:
        count = counts[name]
        return Tile(section, f"{count:,}", one if count == 1 else many, level if count else Level.GOOD)

    share = coverage.share if coverage else None
    return (
        Tile("coverage", "–" if share is None else f"{share} %", "of callers show a name", Level.NONE),
        make_tile("reviews", "reviews", "open review", "open reviews", Level.WARN),
        make_tile("problems", "problems", "problem to fix", "problems to fix", Level.WARN),
        make_tile("staff", "staffValues", "value only in the app", "values only in the app", Level.NONE),
        make_tile("conflicts", "conflicts", "conflict in 30 days", "conflicts in 30 days", Level.NONE),
    )


# --- who shows by name ---------------------------------------------------------------------------------------------


def read_coverage(store: Store, now: datetime, region: str) -> Coverage | None:
    """The latest measurement, and the line of all; None before the first full run."""
    measured = store.read_coverage(MEASUREMENTS_SHOWN)
    if not measured:
        return None
    latest, document = measured[0], store.read_coverage_document() or {"unnamed": []}
    shares = [100 * one["named"] / one["numbers"] for one in reversed(measured) if one["numbers"]]
    trend = earlier = ""
    if len(shares) > 1:
        step = 100 / (len(shares) - 1)
        trend = " ".join(f"{number * step:.2f},{100 - share:.1f}" for number, share in enumerate(shares))
        first = next(one for one in reversed(measured) if one["numbers"])
        earlier = f"{int(shares[0])} % on {format_day_of(first['measuredAt'], now)}"
    unnamed = document["unnamed"]
    links = store.read_links({one["clientId"] for one in unnamed[:ROWS_SHOWN] if one["clientId"]})
    names = {link.client_id: make_link_card(link).name for link in links.values() if link.slot == 0}
    rows = [
        (
            format_phone(one["number"], region),
            names.get(one["clientId"], one["clientId"] or ""),
            "" if one["activity"] is None else f"{one['activity']:,}",
            format_day_of(one["lastAt"], now),
            f"{one['reason']}; {one['fix']}",
        )
        for one in unnamed[:ROWS_SHOWN]
    ]
    return Coverage(
        f"{describe_coverage(latest)}.",
        format_ago(latest["measuredAt"], now),
        int(100 * latest["named"] / latest["numbers"]) if latest["numbers"] else None,
        trend,
        earlier,
        _make_table(
            ("number", "client", "calls, texts", "last", "why no name"),
            rows,
            len(unnamed),
            rest="openphone-sync coverage",
        ),
    )


# --- what waits for a person ---------------------------------------------------------------------------------------


def make_review(review: Review, short_ids: Counter[str], settings: Settings) -> ReviewView:
    """One held contact with its candidates, and how to decide it. ``short_ids`` counts the short ids of all."""
    review_id = shlex.quote(_shorten_safely(review.review_id, short_ids))
    subjects = Counter(shorten(one.subject) for one in review.candidates)
    candidates = [
        CandidateView(
            tuple(make_sides(review.person, card := review.card_of(one), settings.region, settings.source)),
            f"{one.words} ({one.score:.2f})",
            card.address,
            f"openphone-sync review link {review_id}"
            + (f" {shlex.quote(_shorten_safely(one.subject, subjects))}" if len(review.candidates) > 1 else ""),
        )
        for one in review.candidates
    ]
    name = review.person.name or review.review_id
    command = f"openphone-sync review separate {review_id}"
    return ReviewView(name, review.reason, shorten(review.review_id), bool(review.decided), tuple(candidates), command)


def _shorten_safely(key: str, short_ids: Counter[str]) -> str:
    """The id as short as it is shown, if none of the others begins so."""
    short = shorten(key)
    return short if short_ids[short] == 1 else key


_PROBLEM_HEADS: Mapping[str, str] = {
    "client": "client",
    "column": "column",
    "value": "value",
    "detail": "why",
    "otherName": "and",
}


def make_problem_tables(problems: Sequence[Problem]) -> Iterable[Table]:
    """A table for each kind, with the columns that it fills. Somebody without a name is named by the id."""
    for kind, group in groupby(problems, key=lambda one: one.kind):
        listed = list(group)
        names = [name for name in _PROBLEM_HEADS if name == "client" or any(getattr(one, name) for one in listed)]
        rows = [
            tuple(getattr(one, name) or (shorten(one.externalId) if name == "client" else "") for name in names)
            for one in listed[:ROWS_SHOWN]
        ]
        title = TITLES[kind].partition(";")[0]
        heads = tuple(_PROBLEM_HEADS[name] for name in names)
        yield _make_table(heads, rows, len(listed), title=title, rest="openphone-sync problems")


def make_staff_values(store: Store, region: str) -> Table:
    """What people typed in the app and the client table lacks, by name."""
    found = store.read_staff_values()
    links = {link.external_id: link for link in store.read_links_by_id({key for key, _ in found})}
    listed = [(links[key], typed) for key, typed in found if key in links and not has_in_table(links[key], typed)]
    listed.sort(key=lambda pair: (name_link(pair[0]).casefold(), pair[0].external_id))
    rows = [
        (
            name_link(link),
            describe_typed(typed),
            _format(typed.field, typed.value, region),
            _format(typed.field, find_table_value(link, typed.field), region),
        )
        for link, typed in listed[:ROWS_SHOWN]
    ]
    heads = ("client", "field", "in the app", "in the client table")
    width = 4 if any(row[3] for row in rows) else 3
    return _make_table(heads[:width], [row[:width] for row in rows], len(listed))


def describe_typed(typed: StaffValue) -> str:
    """The field as people call it: ``phone (Wife)``, ``Notes``."""
    word = _FIELDS.get(typed.field)
    if word is None:
        return typed.label or typed.field.partition(":")[2]
    return f"{word} ({typed.label})" if typed.label else word


# --- what happened -------------------------------------------------------------------------------------------------

_FIELDS: Mapping[str, str] = {
    "name": "name",
    "firstName": "name",
    "lastName": "last name",
    "company": "company",
    "role": "role",
    "phoneNumbers": "phone",
    "emails": "e-mail",
    "externalId": "external id",
    "sourceUrl": "link to the record",
}


def make_conflicts(
    store: Store, reports: Sequence[Mapping[str, Any]], since: float, now: datetime, region: str
) -> Table:
    """Fields that both sides changed, the latest first, each once; with the value that gave way if it was written."""
    lost = {(run, key, one.field): one.lost for run, key, one in store.read_conflicts_since(since - DAY_S)}
    listed: dict[tuple[str, str], tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    for report in reports:
        for one in report["conflicts"]:
            listed.setdefault((one["externalId"], one["field"]), (report, one))
    links = {link.external_id: link for link in store.read_links_by_id({key for key, _ in listed})}
    rows = [
        (
            format_day_of(report["startedAt"], now),
            name_link(links[key]) if key in links else shorten(key),
            name_field(name),
            {"source": "client table", "remote": "app"}.get(one["kept"], one["kept"]),
            _format(name, lost.get((report["runId"], key, name)), region),
        )
        for (key, name), (report, one) in list(listed.items())[:ROWS_SHOWN]
    ]
    heads = ("night", "client", "field", "kept", "value that gave way")
    return _make_table(heads, rows, len(listed), rest="openphone-sync runs show RUN")


def read_last_run(store: Store, run: Mapping[str, Any], now: datetime, region: str) -> LastRun:
    """Counts in a sentence, what was written, what failed, and why others were not written."""
    record = next((one for one in store.read_runs(1) if one.run_id == run["runId"]), None)
    report = json.loads(record.report) if record and record.report else {}
    names = read_field_names(store)
    writes = store.read_journal(run["runId"], WRITES_SHOWN)
    tables = [
        _list_errors(report.get("errors", ()), store),
        _list_writes(writes, sum(store.count_writes(run["runId"]).values()), names, region),
        _list_reasons(report),
        _make_table(
            ("warning",),
            [(text,) for text in report.get("warnings", ())[:ROWS_SHOWN]],
            len(report.get("warnings", ())),
            title="Warnings",
        ),
    ]
    return LastRun(_tell_run(run, report, now), tuple(table for table in tables if table.total))


def _tell_run(run: Mapping[str, Any], report: Mapping[str, Any], now: datetime) -> str:
    mode = f" ({run['mode']})" if run["mode"] else ""
    text = f"{run['command']}{mode} of {format_moment(run['startedAt'], now)}"
    if not report:
        return f"{text}: {run['message']}."
    clients = report["clients"]
    read = f"{clients['read']:,} clients read, {clients['changed']:,} changed, {clients['removed']:,} removed"
    return f"{text}: {read}; {describe_contacts(report['contacts'])}; {report['requests']['total']:,} requests."


def _list_errors(errors: Sequence[Mapping[str, Any]], store: Store) -> Table:
    shown = errors[:ROWS_SHOWN]
    links = {link.external_id: link for link in store.read_links_by_id({one["externalId"] for one in shown})}
    rows = [
        (name_link(links[key]) if (key := one["externalId"]) in links else shorten(key), one["message"])
        for one in shown
    ]
    return _make_table(("client", "why"), rows, len(errors), title="Failed", rest="openphone-sync runs show latest")


def _list_writes(writes: Sequence[JournalEntry], total: int, names: Mapping[str, str], region: str) -> Table:
    rows = [
        (
            (entry.draft.first_name if entry.draft else None)
            or (entry.before.display_name if entry.before else "")
            or entry.link.person,
            entry.kind.value,
            _describe_changes(entry, names, region),
        )
        for entry in writes
    ]
    return _make_table(
        ("contact", "action", "what changed"),
        rows,
        max(total, len(rows)),
        title="Written",
        rest="openphone-sync runs show latest",
    )


def _describe_changes(entry: JournalEntry, names: Mapping[str, str], region: str) -> str:
    """Before -> after of each field; of a new contact its phones only."""
    changes = make_changes(entry.before, entry.draft, MergeRules(str, field_names=names)) if entry.draft else ()
    if entry.before is None:
        return "; ".join(_format(one.field, one.after, region) for one in changes if one.field == "phoneNumbers")
    return "; ".join(
        f"{name_field(one.field)}: {_format(one.field, one.before, region) or '(empty)'} → "
        f"{_format(one.field, one.after, region) or '(empty)'}"
        for one in changes
    )


def _list_reasons(report: Mapping[str, Any]) -> Table:
    """Why contacts were held or skipped, and how many for each reason, the most common first."""
    counts = Counter((kind, str(one["reason"])) for kind in ("held", "skipped") for one in report.get(kind, ()))
    rows = [(reason, kind, f"{count:,}") for (kind, reason), count in counts.most_common(ROWS_SHOWN)]
    return Table(("why", "action", "contacts"), tuple(rows), len(counts), f"Not written ({counts.total():,})")


# --- words ---------------------------------------------------------------------------------------------------------


def name_link(link: Link) -> str:
    """The person's name, else the id."""
    return make_link_card(link).name or link.person or shorten(link.external_id)


def name_field(field_name: str) -> str:
    """A field of a change or conflict as people call it: ``County`` for ``customFields.County``."""
    return _FIELDS.get(field_name) or field_name.removeprefix("customFields.")


def _format(field_name: str, value: Any, region: str) -> str:
    """A value as people write it: ``(213) 555-0134 (Main Phone)``, ``15 June 1985``, ``yes``."""
    if isinstance(value, list):
        return ", ".join(_format(field_name, one, region) for one in value)
    if isinstance(value, dict) and "value" in value:
        label = f" ({value['name']})" if value.get("name") else ""
        return _format(field_name, value["value"], region) + label
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = "" if value is None else str(value)
    if field_name == "phoneNumbers":
        return format_phone(text, region)
    return format_day(text) if _DAY.fullmatch(text) else text


def format_moment(moment: str | datetime, now: datetime) -> str:
    """``Tue 10 Mar 2026, 02:00`` in the time zone of ``now``."""
    at = (datetime.fromisoformat(moment) if isinstance(moment, str) else moment).astimezone(now.tzinfo)
    return f"{at:%a} {at.day} {at:%b %Y, %H:%M}"


def format_day_of(moment: str, now: datetime) -> str:
    """``10 Mar``, or ``10 Mar 2025`` of another year, in the time zone of ``now``."""
    at = datetime.fromisoformat(moment).astimezone(now.tzinfo)
    return f"{at.day} {at:%b}" if at.year == now.year else f"{at.day} {at:%b %Y}"


def format_ago(moment: str, now: datetime) -> str:
    """``3 h 5 min ago (Tue 10 Mar 2026, 02:00)``."""
    seconds = max(0.0, (now - datetime.fromisoformat(moment)).total_seconds())
    age = format_duration(seconds) if seconds < 2 * DAY_S else f"{seconds / DAY_S:.0f} days"
    return f"{f'{age} ago' if seconds >= 60 else 'just now'} ({format_moment(moment, now)})"


def _make_table(
    heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], total: int, *, title: str = "", rest: str = ""
) -> Table:
    return Table(heads, tuple(rows), total, f"{title} ({total:,})" if title else "", rest)
