"""What a fetch has to ask for, decided from what is listed and what is archived. Pure.

The unit of work is a thread: the conversations of one office number with the same people, of which there may be several.
A thread without new activity costs no request. Transcripts, recordings and voicemails come minutes after the call: what
was absent, in progress or answered 404 is asked for again for `ASK_AGAIN_FOR`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from openphone_sync.conversations.archive_folder import Entry, Gap
from openphone_sync.conversations.lines import parse_time
from openphone_sync.errors import ContactError, ContactForbiddenError, ContactGoneError
from openphone_sync.openphone.conversations import Conversation, Kind, without_signatures

ASK_AGAIN_FOR = timedelta(days=7)
OVERLAP = timedelta(days=1)
"""Each fetch of a thread begins so long before the end of the last: lists lag, and statuses change after the fact."""

MESSAGES, CALLS, ACTIVITY, MEDIA = "messages", "calls", "activity", "media"
"""Parts of a gap that are no `Kind`; ``activity`` is what a conversation names as its latest and no list has."""


class Why(StrEnum):
    """Why something could not be had."""

    ABSENT = "absent"
    IN_PROGRESS = "in-progress"
    NOT_FOUND = "not-found"
    FORBIDDEN = "forbidden"
    REFUSED = "refused"
    FAILED = "failed"
    EXPIRED = "expired"
    TOO_LARGE = "too-large"
    TOO_MANY_PEOPLE = "too-many-people"
    NO_PEOPLE = "no-people"
    NOT_LISTED = "not-listed"


_WHILE_YOUNG = frozenset({Why.ABSENT, Why.IN_PROGRESS, Why.NOT_FOUND, Why.EXPIRED, Why.NOT_LISTED})
"""What may come yet."""

_AT_EACH_FETCH = frozenset({Why.FORBIDDEN, Why.FAILED})
"""What heals when its cause is gone."""

FAULTS = frozenset({Why.FORBIDDEN, Why.REFUSED, Why.FAILED, Why.EXPIRED, Why.TOO_LARGE, Why.TOO_MANY_PEOPLE})
"""What ends a fetch with 1: it is there, and could not be had."""


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """``phones`` (E.164) are the numbers whose conversations are wanted, None for all; ``clients`` are for the record.

    ``since`` and ``until`` bound the time of messages and calls.
    """

    folder: Path
    phones: frozenset[str] | None = None
    clients: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    media: bool = False
    transcripts: bool = False

    @property
    def parts(self) -> tuple[Kind, ...]:
        """What is asked of calls."""
        recordings = (Kind.RECORDING,) if self.media else ()
        return (Kind.VOICEMAIL, *recordings, *((Kind.SUMMARY, Kind.TRANSCRIPT) if self.transcripts else ()))

    @property
    def asked(self) -> frozenset[str]:
        """The parts in the words of an `Entry`."""
        return frozenset(part.value for part in self.parts) | ({MEDIA} if self.media else set())


@dataclass(frozen=True, slots=True)
class Bounds:
    """When the fetch began, and the time of messages and calls that it covers, as the API writes times (empty: no bound).

    ``through`` is never after the beginning of the fetch, so that what arrives meanwhile moves no page.
    """

    now: datetime
    since: str
    through: str

    def is_young(self, at: str) -> bool:
        """Whether what is asked for again is asked for at this age."""
        return self.now - parse_time(at) < ASK_AGAIN_FOR

    def covers(self, at: str) -> bool:
        """Whether a time is within the bounds."""
        return not is_before(self.through, at) and not (self.since and is_before(at, self.since))


@dataclass(frozen=True, slots=True)
class Thread:
    """Conversations with the same people on the same number, the oldest first, and what has to be asked of them.

    ``after``: messages and calls are read from here on; empty for all of them, None where nothing new is to be read.
    """

    conversations: tuple[Conversation, ...]
    after: str | None

    @property
    def number_id(self) -> str:
        """The office's number."""
        return self.conversations[0].number_id

    @property
    def participants(self) -> tuple[str, ...]:
        """The others' numbers."""
        return self.conversations[0].participants

    @property
    def newest(self) -> Conversation:
        """The conversation that began last."""
        return self.conversations[-1]

    @property
    def last_activity_at(self) -> str:
        """When somebody last wrote or called."""
        return max((one.last_activity_at for one in self.conversations), key=parse_time)


FindEntry = Callable[[str], Entry | None]


def make_bounds(options: FetchOptions, now: float) -> Bounds:
    """The bounds of a fetch that begins now (seconds since the epoch)."""
    moment = datetime.fromtimestamp(now, UTC)
    since = format_moment(options.since) if options.since else ""
    return Bounds(moment, since, format_moment(min(options.until or moment, moment)))


def select(
    listed: Iterable[Conversation], options: FetchOptions, bounds: Bounds, find_entry: FindEntry
) -> list[Conversation]:
    """The conversations that are wanted: of the people asked for, and not over before ``since``, unless archived already."""

    def is_wanted(one: Conversation) -> bool:
        if options.phones is not None and options.phones.isdisjoint(one.participants):
            return False
        is_over = bool(bounds.since) and is_before(one.last_activity_at, bounds.since)
        return not is_over or find_entry(one.conversation_id) is not None

    return [one for one in listed if is_wanted(one)]


def make_threads(
    wanted: Iterable[Conversation], options: FetchOptions, bounds: Bounds, find_entry: FindEntry
) -> list[Thread]:
    """Threads with something to ask for, in the order of the list."""
    groups: dict[tuple[str, frozenset[str]], list[Conversation]] = {}
    for one in wanted:
        groups.setdefault((one.number_id, frozenset(one.participants)), []).append(one)
    threads: list[Thread] = []
    for group in groups.values():
        starts = [_find_start(one, find_entry(one.conversation_id), options, bounds) for one in group]
        known = [start for start in starts if start is not None]
        if known or any(_has_more_to_ask(one, find_entry(one.conversation_id), options, bounds) for one in group):
            oldest_first = tuple(sorted(group, key=lambda one: (parse_time(one.created_at), one.conversation_id)))
            threads.append(Thread(oldest_first, min(known, key=parse_time) if known else None))
    return threads


def is_due(gap: Gap, options: FetchOptions, bounds: Bounds) -> bool:
    """Whether what could not be had is asked for in this fetch."""
    if gap.part in {kind.value for kind in Kind} | {MEDIA} and gap.part not in options.asked:
        return False
    return gap.why in _AT_EACH_FETCH or (gap.why in _WHILE_YOUNG and bounds.is_young(gap.at))


def count_requests(threads: Sequence[Thread], options: FetchOptions, bounds: Bounds, find_entry: FindEntry) -> int:
    """The least number of requests that the threads take: pages beyond the first and parts of new calls come on top."""
    lists = sum(1 + (len(one.participants) == 1) for one in threads if one.after is not None)
    entries = [find_entry(one.conversation_id) for thread in threads for one in thread.conversations]
    return lists + sum(is_due(gap, options, bounds) for entry in entries if entry for gap in entry.gaps)


def find_reason(error: ContactError) -> Why:
    """Why the API did not give something."""
    if isinstance(error, ContactGoneError):
        return Why.NOT_FOUND
    if isinstance(error, ContactForbiddenError):
        return Why.FORBIDDEN
    return Why.REFUSED if 400 <= error.status < 500 and error.status != 429 else Why.FAILED


def find_media_reason(status: int) -> Why:
    """Why a host of media did not give a file; signed addresses that have expired are answered 403, as a rule."""
    if status in (401, 403, 410):
        return Why.EXPIRED
    if status == 404:
        return Why.NOT_FOUND
    return Why.FAILED if status >= 500 or status == 429 else Why.REFUSED


def hash_head(conversation: Conversation) -> str:
    """Tells whether somebody changed a conversation: its name, its people, whom it is assigned to."""
    text = json.dumps(without_signatures(conversation.item), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_before(one: str, other: str) -> bool:
    """Compare two times of the API; none is before all."""
    return parse_time(one) < parse_time(other)


def format_moment(moment: datetime) -> str:
    """A time as the API writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _find_start(conversation: Conversation, entry: Entry | None, options: FetchOptions, bounds: Bounds) -> str | None:
    """From when on messages and calls are read; empty: all of them; None: there is nothing new."""
    if entry is None or not entry.through or (entry.since and is_before(bounds.since, entry.since)):
        return bounds.since
    if any(gap.part in (MESSAGES, CALLS) and is_due(gap, options, bounds) for gap in entry.gaps):
        return entry.since
    starts: list[datetime] = []
    if entry.unfinished and bounds.is_young(entry.unfinished):
        starts.append(parse_time(entry.unfinished) - timedelta(seconds=1))
    starts += [
        parse_time(gap.at) - timedelta(seconds=1)
        for gap in entry.gaps
        if gap.part == ACTIVITY and is_due(gap, options, bounds)
    ]
    if _has_moved(conversation, entry, bounds):
        starts.append(_find_end(entry) - OVERLAP)
    return format_moment(min(starts)) if starts else None


def _find_end(entry: Entry) -> datetime:
    """Up to when all is archived by OpenPhone's clock: ours may have been ahead when ``through`` was written."""
    times = [parse_time(one) for one in (entry.through, entry.last_activity_at) if one]
    return min(times)


def _has_moved(conversation: Conversation, entry: Entry, bounds: Bounds) -> bool:
    """Whether there may be messages or calls that are not archived."""
    last_at, last_id = conversation.last_activity_at, conversation.last_activity_id
    if not last_at:
        return True  # nothing tells
    is_other = (last_at, last_id) != (entry.last_activity_at, entry.last_activity_id)
    horizon = min(last_at, bounds.through, key=parse_time)
    return is_other or is_before(entry.through, horizon)


def _has_more_to_ask(conversation: Conversation, entry: Entry | None, options: FetchOptions, bounds: Bounds) -> bool:
    return (
        entry is None
        or not options.asked <= set(entry.parts)
        or any(is_due(gap, options, bounds) for gap in entry.gaps)
        or entry.head != hash_head(conversation)
    )
