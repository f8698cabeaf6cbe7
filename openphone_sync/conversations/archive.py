"""Brings an archive up to date with OpenPhone, thread by thread, and reports what came of it.

Each thread is saved by itself, so that a fetch which ends anywhere, by a signal, an error or a kill, goes on with the
next call of the command.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass
from typing import Any, BinaryIO

from openphone_sync.conversations.archive_folder import (
    Archive,
    Asked,
    find_damage,
    make_damaged,
    opening_archive,
)
from openphone_sync.conversations.archive_plan import (
    FetchOptions,
    Thread,
    count_requests,
    format_moment,
    make_bounds,
    make_threads,
    select,
)
from openphone_sync.conversations.archive_thread import ThreadTools, work_on
from openphone_sync.documents import SCHEMA_VERSION, format_time
from openphone_sync.errors import ContactError, InterruptedRunError, NotSentError, RunError, StaleError
from openphone_sync.openphone.conversations import (
    Conversation,
    ConversationReader,
    find_number_ids,
    parse_conversation,
)
from openphone_sync.ops.disk_map import DiskMap
from openphone_sync.ops.http import Downloaded
from openphone_sync.ports import Clock, NotedProgress

THREADS_AT_ONCE = 4
REQUESTS_AT_ONCE = 8
LONG_FETCH_S = 60.0
MOST_LOOKS = 5
"""How often the front of the list is read again; what an office busier than that hides is found by the next fetch."""


@dataclass(frozen=True, slots=True)
class FetchTools:
    """What a fetch works with.

    ``download`` streams an address to a file. ``stopping`` says whether requests are still sent, ``halt`` ends that.
    ``tell`` says a line to the operator. ``spacing_s`` is the least time between two requests.
    """

    reader: ConversationReader
    download: Callable[[str, BinaryIO], Downloaded]
    clock: Clock
    progress: NotedProgress
    stopping: Callable[[], bool]
    halt: Callable[[], None]
    signal_number: Callable[[], int]
    tell: Callable[[str], None]
    spacing_s: float


def fetch(options: FetchOptions, tools: FetchTools) -> dict[str, Any]:
    """Bring the folder up to date; the report as a document, whose ``exitCode`` says how it went.

    Raises `RunError` and its kinds where nothing was archived.
    """
    started_at = tools.clock.now()
    with (
        opening_archive(options.folder, started_at) as archive,
        ThreadPoolExecutor(REQUESTS_AT_ONCE, "request") as requests,
    ):
        damaged = find_damage(archive)
        if damaged:
            raise make_damaged(archive.folder, damaged)
        work = ThreadTools(
            options,
            make_bounds(options, started_at),
            archive,
            tools.reader,
            tools.download,
            tools.clock,
            tools.stopping,
            requests,
        )
        error = _carry_out(work, tools, started_at)
        sha256 = archive.save_manifest(tools.clock.now())
    return _make_report(work, tools, started_at, error, sha256)


def _carry_out(work: ThreadTools, tools: FetchTools, started_at: float) -> RunError | None:
    """List, then work on every thread that has something new. The error that ended it half-way."""
    archive = work.archive
    try:
        listing, count = _begin(work, tools, started_at)
    except (RunError, NotSentError) as error:
        if tools.signal_number():
            return InterruptedRunError(tools.signal_number())
        raise error if isinstance(error, RunError) else RunError(str(error)) from error
    try:
        _work_on_all(_find_threads(listing, work), count, work, tools)
    except RunError as error:
        return error
    archive.manifest.unavailable = work.refusals.list_closed()
    return InterruptedRunError(tools.signal_number()) if tools.signal_number() else None


def _begin(work: ThreadTools, tools: FetchTools, started_at: float) -> tuple[Listing, int]:
    """What is listed, and how many threads of it have something new.

    Nothing of the archive but its manifest is touched before that is known.
    """
    archive, options = work.archive, work.options
    numbers = tools.reader.read_numbers()
    _check_workspace(archive, find_number_ids(numbers))
    try:
        people = tools.reader.read_users()
    except NotSentError:
        raise
    except ContactError:  # names of staff are a convenience: the archive is whole without them
        people = []
    listing = Listing(_list_conversations(tools))
    threads = requests = 0
    for thread in _find_threads(listing, work):
        threads += 1
        requests += count_requests([thread], options, work.bounds, archive.entry)
        work.tally.add(unchanged=-len(thread.conversations))
    selected = sum(len(group) for group in _select_groups(listing, work))
    work.tally.add(selected=selected, unchanged=selected)
    archive.save_workspace({"phoneNumbers": numbers, "users": people})
    archive.manifest.asked = _note_asked(archive.manifest.asked, options, started_at)
    _announce(threads, requests, tools)
    return listing, threads


def _check_workspace(archive: Archive, number_ids: frozenset[str]) -> None:
    known = frozenset(archive.manifest.phone_number_ids)
    if known and not known & number_ids:
        raise StaleError(
            f"{archive.folder} is the archive of another OpenPhone workspace than OPENPHONE_API_KEY belongs to; "
            "use that workspace's key, or a folder of its own for each workspace"
        )
    archive.manifest.phone_number_ids = sorted(known | number_ids)


class Listing:
    """The conversations as listed, grouped by office number and people, on disk: there may be very many."""

    def __init__(self, conversations: DiskMap[Conversation]) -> None:
        self._conversations = conversations
        self._groups = DiskMap(_encode_json, json.loads)
        for key, one in conversations.items():
            name = json.dumps([one.number_id, sorted(set(one.participants))])
            self._groups[name] = [*(self._groups.get(name) or ()), key]

    def read_groups(self) -> Iterator[list[Conversation]]:
        """Those with the same people on the same number together, the group of the latest activity first."""
        for keys in self._groups.values():
            yield [one for key in keys if (one := self._conversations.get(key))]


def _select_groups(listing: Listing, work: ThreadTools) -> Iterator[list[Conversation]]:
    return (select(group, work.options, work.bounds, work.archive.entry) for group in listing.read_groups())


def _find_threads(listing: Listing, work: ThreadTools) -> Iterator[Thread]:
    """The threads with something new. Working on one changes nothing of what is decided about the others."""
    for group in _select_groups(listing, work):
        yield from make_threads(group, work.options, work.bounds, work.archive.entry)


def _encode_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _list_conversations(tools: FetchTools) -> DiskMap[Conversation]:
    """Every conversation. One that somebody writes in meanwhile moves to the front, past pages that were not read yet.

    So the front is read again until it shows no conversation that is not known.
    """
    tools.progress.start("listing conversations", None)
    found = DiskMap(
        lambda one: _encode_json(one.item.document), lambda content: parse_conversation(json.loads(content))
    )
    pages = 0
    for page in tools.reader.read_conversations():
        pages += 1
        for one in page:
            found[one.conversation_id] = one
        tools.progress.advance(len(page))
    for _ in range(MOST_LOOKS if pages > 1 else 0):
        known = len(found)
        for page in tools.reader.read_conversations():
            moved = [one for one in page if found.get(one.conversation_id) != one]
            for one in moved:
                found[one.conversation_id] = one
            if not moved:
                break
        if len(found) == known:
            break
    tools.progress.finish()
    return found


def _announce(threads: int, count: int, tools: FetchTools) -> None:
    """Before a long fetch: how many requests it takes at least, and how long."""
    if count * tools.spacing_s >= LONG_FETCH_S:
        tools.tell(
            f"{threads:,} conversations to bring up to date: at least {count:,} requests and "
            f"{count * tools.spacing_s / 60:.0f} minutes at {1 / tools.spacing_s:.1f} requests a second, and more for long "
            "conversations and for what belongs to calls; it can be stopped at any time, and the same command goes on"
        )


def _work_on_all(threads: Iterable[Thread], count: int, work: ThreadTools, tools: FetchTools) -> None:
    """The first error that ends the fetch ends the others' sending too, and is raised when all have ended."""
    errors: list[BaseException] = []

    def work_on_one(thread: Thread) -> None:
        outcome = "left"
        try:
            work_on(thread, work)
            outcome = "fetched"
        except NotSentError:
            pass
        except BaseException:
            tools.halt()
            raise
        finally:
            work.tally.add(**{outcome: len(thread.conversations)})

    def note(jobs: Iterable[Future[None]]) -> None:
        for job in jobs:
            error = job.exception()
            errors.extend([error] if error else [])
            tools.progress.advance()
        counts = work.tally.counts
        tools.progress.note(f"{counts['added']:,} items, {counts['files']:,} files")

    tools.progress.start("archiving", count)
    running: set[Future[None]] = set()
    with ThreadPoolExecutor(THREADS_AT_ONCE, "thread") as pool:
        for thread in threads:
            running.add(pool.submit(work_on_one, thread))
            if len(running) >= 2 * THREADS_AT_ONCE:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                note(done)
        for job in as_completed(running):
            note([job])
    tools.progress.finish()
    if errors:
        raise errors[0]


def _note_asked(asked: Sequence[Asked], options: FetchOptions, now: float) -> list[Asked]:
    """What was asked for, with this fetch; equal ones are counted together."""
    at = format_time(now)
    this = Asked(
        since=format_moment(options.since) if options.since else "",
        until=format_moment(options.until) if options.until else "",
        clients=sorted(options.clients),
        phones=sorted(options.phones or ()),
        media=options.media,
        transcripts=options.transcripts,
        first_at=at,
        last_at=at,
        runs=1,
    )
    same = [one for one in asked if one.what() == this.what()]
    others = [one for one in asked if one.what() != this.what()]
    first = same[0].first_at if same else at
    return [*others, this.again(first, sum(one.runs for one in same) + 1)]


def _make_report(
    work: ThreadTools, tools: FetchTools, started_at: float, error: RunError | None, sha256: str
) -> dict[str, Any]:
    options, tally, manifest = work.options, work.tally, work.archive.manifest
    requests, counts = tools.reader.request_counts(), tally.counts
    code = error.exit_code if error else 1 if tally.faults else 0
    finished_at = tools.clock.now()
    report: dict[str, Any] = {
        "schemaVersion": SCHEMA_VERSION,
        "archive": str(work.archive.folder.absolute()),
        "status": _find_status(error, code),
        "exitCode": code,
        "startedAt": format_time(started_at),
        "finishedAt": format_time(finished_at),
        "durationSeconds": round(finished_at - started_at, 3),
        "since": format_moment(options.since) if options.since else None,
        "until": format_moment(options.until) if options.until else None,
        "conversations": {name: counts[name] for name in ("selected", "fetched", "unchanged", "left")},
        "items": {name: counts[name] for name in ("added", "changed")},
        "media": {"added": counts["files"], "bytes": counts["bytes"]},
        "gaps": dict(sorted(tally.gaps.items())),
        "unavailable": list(manifest.unavailable),
        "totals": dict(manifest.counts),
        "requests": {
            "total": requests.get("GET", 0),
            **{name: requests.get(name, 0) for name in ("retried", "rateLimited")},
        },
        "manifestSha256": sha256,
    }
    if error is not None:
        report["message"] = str(error)
    elif code:
        report["message"] = _describe_faults(report)
    return report


def _find_status(error: RunError | None, code: int) -> str:
    if isinstance(error, InterruptedRunError):
        return "interrupted"
    return "failed" if error else "partial" if code else "succeeded"


def _describe_faults(report: dict[str, Any]) -> str:
    """One line for the operator."""
    if any(part in ("summary", "transcript") for part in report["unavailable"]):
        return (
            "OpenPhone does not give summaries and transcripts to this key (403); they need a Business or Scale plan, "
            "or leave --transcripts out: all else is archived"
        )
    return "some things could not be had; manifest.json names each with its reason, and the next fetch asks again"
