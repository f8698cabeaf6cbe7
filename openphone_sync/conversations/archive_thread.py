"""One thread being brought up to date: messages and calls, then what belongs to each call, then media."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, TypeVar

from openphone_sync.conversations.archive_folder import Archive, Entry, Gap
from openphone_sync.conversations.archive_plan import (
    ACTIVITY,
    CALLS,
    FAULTS,
    MEDIA,
    MESSAGES,
    Bounds,
    FetchOptions,
    Thread,
    Why,
    find_media_reason,
    find_reason,
    hash_head,
    is_before,
    is_due,
)
from openphone_sync.conversations.lines import find_newest, merge_items, parse_time
from openphone_sync.errors import ContactError, NotSentError
from openphone_sync.openphone.conversations import (
    MAX_PARTICIPANTS,
    Conversation,
    ConversationReader,
    Item,
    Kind,
    MediaLink,
    find_media,
)
from openphone_sync.ops.answers import HttpError
from openphone_sync.ops.http import Downloaded, DownloadRefusedError, TooLargeError
from openphone_sync.ports import Clock

CHUNK = 50
"""Calls of whose parts are asked between two savings of a conversation, and files that are downloaded."""

REFUSALS = 3
"""Answers 403 in a row to one kind of request, after which it is not sent again in this fetch: plan or key forbid it."""

MEDIA_TRIES = 3
_T = TypeVar("_T")


class Refusals:
    """Which kinds of requests are forbidden. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row: Counter[str] = Counter()

    def note(self, route: str, *, forbidden: bool) -> None:
        """An answer came."""
        with self._lock:
            if forbidden or self._in_a_row[route] < REFUSALS:
                self._in_a_row[route] = self._in_a_row[route] + 1 if forbidden else 0

    def is_closed(self, route: str) -> bool:
        """Whether it makes no sense to ask."""
        with self._lock:
            return self._in_a_row[route] >= REFUSALS

    def list_closed(self) -> list[str]:
        """What was given up."""
        with self._lock:
            return sorted(route for route, count in self._in_a_row.items() if count >= REFUSALS)


@dataclass(slots=True)
class Tally:
    """Counts of a fetch, for its report. Thread-safe through `add`."""

    counts: Counter[str] = field(default_factory=Counter)
    gaps: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, **counts: int) -> None:
        """Count."""
        with self.lock:
            self.counts.update(counts)

    def add_gap(self, gap: Gap) -> None:
        """Count what could not be had."""
        with self.lock:
            self.gaps[f"{gap.part}: {gap.why}"] += 1
            self.faults += gap.why in FAULTS


@dataclass(frozen=True, slots=True)
class ThreadTools:
    """What works on a thread. ``download`` streams an address to a file; ``requests`` sends side by side."""

    options: FetchOptions
    bounds: Bounds
    archive: Archive
    reader: ConversationReader
    download: Callable[[str, BinaryIO], Downloaded]
    clock: Clock
    stopping: Callable[[], bool]
    requests: ThreadPoolExecutor
    refusals: Refusals = field(default_factory=Refusals)
    tally: Tally = field(default_factory=Tally)

    def check_going(self) -> None:
        """`NotSentError` where the fetch is ending."""
        if self.stopping():
            raise NotSentError("not sent: the fetch is stopping", code="stopped")

    def ask_many(self, questions: Iterable[Callable[[], _T]]) -> list[_T]:
        """Ask side by side; the answers in order. What ends the fetch goes before what was not sent because of it."""
        jobs = [self.requests.submit(question) for question in questions]
        errors = [error for job in jobs if (error := job.exception()) is not None]
        for error in sorted(errors, key=lambda one: isinstance(one, NotSentError)):
            raise error
        return [job.result() for job in jobs]

    def ask(self, gap: Gap, route: str, question: Callable[[], list[Item]]) -> list[Item] | Gap | None:
        """What the API tells; ``gap`` with the reason where it does not; None where this kind of request is forbidden."""
        if self.refusals.is_closed(route):
            return None
        try:
            told = question()
        except NotSentError:
            raise
        except ContactError as error:
            why = find_reason(error)
            self.refusals.note(route, forbidden=why is Why.FORBIDDEN)
            return Gap(gap.part, gap.item_id, why, gap.at, error.status, gap.kind, gap.index)
        self.refusals.note(route, forbidden=False)
        return told


def work_on(thread: Thread, tools: ThreadTools) -> None:
    """Bring a thread up to date. What was saved before an error stays, and the next fetch goes on from there."""
    tools.check_going()
    files = {one.conversation_id: _File(one, tools) for one in thread.conversations}
    is_read = _read_lists(thread, files, tools)
    for file in files.values():
        file.save(thread, is_read=is_read, is_done=False)
    closed = [_ask_parts(file, thread, is_read, tools) for file in files.values()]
    if tools.options.media:
        for file in files.values():
            _download_media(file, thread, is_read, tools)
    for file, skipped in zip(files.values(), closed, strict=True):
        file.save(thread, is_read=is_read, is_done=True, skipped=skipped)


class _File:
    """A conversation's file while it is worked on: its lines, its gaps, and what was told in this fetch."""

    def __init__(self, conversation: Conversation, tools: ThreadTools) -> None:
        self.conversation = conversation
        self.key = conversation.conversation_id
        self.entry = tools.archive.entry(self.key)
        self.lines = tools.archive.read_lines(self.key)
        self.gaps: list[Gap] = list(self.entry.gaps) if self.entry else []
        self.told: dict[tuple[Kind, str, str], Item] = {}  # their addresses are fresh
        self._tools = tools

    def items(self) -> list[Item]:
        """The newest forms, in order."""
        return list(find_newest(self.lines))

    def holds(self, item: Item) -> bool:
        """Whether an item stands here already."""
        return any(line.item.key == item.key for line in self.lines)

    def take_in(self, items: Iterable[Item]) -> None:
        """Add what was told."""
        found = list(items)
        merged = merge_items(self.lines, found)
        self.lines = list(merged.lines)
        self.told.update((item.key, item) for item in found)
        self._tools.tally.add(added=merged.added, changed=merged.changed)

    def set_gaps(self, parts: Iterable[str], gaps: Iterable[Gap], item_id: str = "") -> None:
        """Replace the gaps of these parts, of one item where it is given."""
        named = set(parts)
        self.gaps = [gap for gap in self.gaps if gap.part not in named or (item_id and gap.item_id != item_id)]
        for gap in gaps:
            self.gaps.append(gap)
            self._tools.tally.add_gap(gap)

    def save(self, thread: Thread, *, is_read: bool, is_done: bool, skipped: frozenset[str] = frozenset()) -> None:
        """Write the conversation as far as it is known. ``is_done``: all was asked for but the parts ``skipped``."""
        entry, bounds, options = self.entry, self._tools.bounds, self._tools.options
        known = (entry.since, entry.through) if entry else (bounds.since, "")
        activity = (entry.last_activity_at, entry.last_activity_id) if entry else ("", "")
        if is_read:
            activity = (self.conversation.last_activity_at, self.conversation.last_activity_id)
            known = _widen(known, bounds)
        kept = set(entry.parts) if entry and thread.after is None else set()  # no new call came
        parts = kept | (options.asked - skipped if is_done else set())

        def make_entry(**written: Any) -> Entry:
            return Entry(
                number_id=self.conversation.number_id,
                participants=list(self.conversation.participants),
                last_activity_at=activity[0],
                last_activity_id=activity[1],
                since=known[0],
                through=known[1],
                head=hash_head(self.conversation),
                unfinished=self._find_unfinished(),
                parts=sorted(parts),
                gaps=sorted(self.gaps, key=lambda gap: (parse_time(gap.at), gap.item_id, gap.part, gap.index)),
                **written,
            )

        self._tools.archive.save_conversation(self.conversation, self.lines, make_entry)

    def _find_unfinished(self) -> str:
        """When the earliest message or call was that may soon read differently; empty where there is none."""
        kinds, is_young = (Kind.MESSAGE, Kind.CALL), self._tools.bounds.is_young
        times = [item.at for item in self.items() if item.kind in kinds and item.is_unfinished and is_young(item.at)]
        return min(times, key=parse_time, default="")


# --- messages and calls ------------------------------------------------------------------------------------------------


def _read_lists(thread: Thread, files: dict[str, _File], tools: ThreadTools) -> bool:
    """Read what is new. Whether the thread is now covered up to the bound: not where a list could not be had."""
    for file in files.values():
        file.take_in([file.conversation.item])
    if thread.after is None:
        return False
    newest = files[thread.newest.conversation_id]
    for file in files.values():
        file.set_gaps((MESSAGES, CALLS, ACTIVITY), ())
    if not 1 <= len(thread.participants) <= MAX_PARTICIPANTS:
        why = Why.TOO_MANY_PEOPLE if thread.participants else Why.NO_PEOPLE
        newest.set_gaps((), [Gap(MESSAGES, thread.number_id, why, thread.last_activity_at)])
        return True
    is_read = True
    for part, read in _find_lists(thread, thread.after, tools):
        gap = Gap(part, thread.number_id, "", thread.last_activity_at)
        told = tools.ask(gap, f"{part} of {thread.number_id}", partial(_read_list, read))
        if isinstance(told, list):
            _share_out(thread, files, [item for item in told if _is_in_range(item, tools.options)])
        else:
            newest.set_gaps((), [told] if told else ())
            is_read = is_read and told is not None and told.why == Why.NOT_FOUND
    if is_read:
        _note_unlisted(thread, files, tools.bounds)
    return is_read


def _find_lists(thread: Thread, after: str, tools: ThreadTools) -> Iterator[tuple[str, Callable[[], Iterator[Item]]]]:
    """The lists that v1 gives for so many people."""
    reader, number, people, through = tools.reader, thread.number_id, thread.participants, tools.bounds.through
    yield MESSAGES, lambda: reader.read_messages(number, people, after, through)
    if len(people) == 1:
        yield CALLS, lambda: reader.read_calls(number, people[0], after, through)


def _read_list(read: Callable[[], Iterator[Item]]) -> list[Item]:
    return list(read())


def _is_in_range(item: Item, options: FetchOptions) -> bool:
    """The API ignores parameters that it does not know without a word: what was not asked for stays out."""
    at = parse_time(item.at)
    return (options.since is None or at >= options.since) and (options.until is None or at < options.until)


def _share_out(thread: Thread, files: dict[str, _File], told: Iterable[Item]) -> None:
    """Each item to its conversation: where it is already, the one it names, else the latest that was there before it."""
    shares: dict[str, list[Item]] = {key: [] for key in files}
    for item in told:
        shares[_find_home(thread, files, item)].append(item)
    for key, items in shares.items():
        files[key].take_in(items)


def _find_home(thread: Thread, files: dict[str, _File], item: Item) -> str:
    if len(files) == 1 or item.conversation_id in files:
        return item.conversation_id if item.conversation_id in files else thread.newest.conversation_id
    for key, file in files.items():
        if file.holds(item):
            return key
    before = [one for one in thread.conversations if not is_before(item.at, one.created_at)]
    return (before[-1] if before else thread.conversations[0]).conversation_id


def _note_unlisted(thread: Thread, files: dict[str, _File], bounds: Bounds) -> None:
    """The list of conversations names the latest activity before the list of messages has it; some is in no list ever."""
    ids = {line.item.item_id for file in files.values() for line in file.lines}
    for one in thread.conversations:
        last, at = one.last_activity_id, one.last_activity_at
        if last and last not in ids and bounds.covers(at):
            files[one.conversation_id].set_gaps((), [Gap(ACTIVITY, last, Why.NOT_LISTED, at)])


def _widen(known: tuple[str, str], bounds: Bounds) -> tuple[str, str]:
    """The time that is covered now: from the earlier beginning to the later end."""
    since, through = known
    if not through:
        return bounds.since, bounds.through
    return min(since, bounds.since, key=parse_time), max(through, bounds.through, key=parse_time)


# --- what belongs to calls ---------------------------------------------------------------------------------------------


def _ask_parts(file: _File, thread: Thread, is_read: bool, tools: ThreadTools) -> frozenset[str]:
    """Ask for what belongs to calls and is not there yet; returns the parts that are forbidden."""
    wanted = list(_find_wanted_parts(file, tools))
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        answers = tools.ask_many(
            partial(
                tools.ask,
                Gap(part.value, call.item_id, "", call.at),
                part.value,
                partial(tools.reader.read_part, part, call),
            )
            for call, part in chunk
        )
        for (call, part), told in zip(chunk, answers, strict=True):
            _take_part(file, call, part, told)
        if start + CHUNK < len(wanted):
            file.save(thread, is_read=is_read, is_done=False)
    return frozenset(part.value for part in tools.options.parts if tools.refusals.is_closed(part.value))


def _find_wanted_parts(file: _File, tools: ThreadTools) -> Iterator[tuple[Item, Kind]]:
    """Every call that was asked about has the part or a gap for it; only a gap may be worth another question."""
    items = file.items()
    known = {(item.call_id, item.kind) for item in items}
    gaps = {(gap.item_id, gap.part): gap for gap in file.gaps}
    for call in (item for item in items if item.kind is Kind.CALL):
        for part in tools.options.parts:
            if not (call.may_have_voicemail if part is Kind.VOICEMAIL else call.was_answered):
                continue
            gap = gaps.get((call.item_id, part.value))
            if is_due(gap, tools.options, tools.bounds) if gap else (call.item_id, part) not in known:
                yield call, part


def _take_part(file: _File, call: Item, part: Kind, told: list[Item] | Gap | None) -> None:
    """What is in progress is not kept, but asked for again: nothing of it can be relied on."""
    if told is None:
        return
    if isinstance(told, Gap):
        file.set_gaps([part.value], [told], call.item_id)
        return
    early = [item for item in told if item.is_unfinished]
    why = Why.IN_PROGRESS if any(item.status != "absent" for item in early) else Why.ABSENT
    gaps = [Gap(part.value, call.item_id, why, call.at)] if early or not told else []
    file.set_gaps([part.value], gaps, call.item_id)
    file.take_in(item for item in told if not item.is_unfinished)


# --- media -------------------------------------------------------------------------------------------------------------


def _download_media(file: _File, thread: Thread, is_read: bool, tools: ThreadTools) -> None:
    wanted = list(_find_wanted_media(file, tools))
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        found = tools.ask_many(partial(_have, link, file, tools) for link in chunk)
        done = {_place(link) for link in chunk}
        file.gaps = [gap for gap in file.gaps if gap.part != MEDIA or (gap.kind, gap.item_id, gap.index) not in done]
        file.set_gaps((), [gap for gap in found if gap is not None])
        if start + CHUNK < len(wanted):
            file.save(thread, is_read=is_read, is_done=False)


def _find_wanted_media(file: _File, tools: ThreadTools) -> Iterator[MediaLink]:
    gaps = {(gap.kind, gap.item_id, gap.index): gap for gap in file.gaps if gap.part == MEDIA}
    for item in file.items():
        for link in find_media(file.told.get(item.key, item)):
            gap = gaps.get(_place(link))
            if tools.archive.find_media(link) is None and (gap is None or is_due(gap, tools.options, tools.bounds)):
                yield link


def _have(link: MediaLink, file: _File, tools: ThreadTools) -> Gap | None:
    """Download a file; where its address has expired, by a fresh one. The gap where it cannot be had."""
    gap = _try_download(link, tools)
    is_stale = link.item.key not in file.told
    if gap is None or not (gap.why == Why.EXPIRED or (gap.why == Why.NOT_FOUND and is_stale)):
        return gap
    told = tools.ask(gap, link.item.kind.value, lambda: _read_again(link.item, file, tools))
    links = [one for item in told for one in find_media(item)] if isinstance(told, list) else []
    fresh = next((one for one in links if _place(one) == _place(link)), None)
    return _try_download(fresh, tools) if fresh else gap


def _read_again(item: Item, file: _File, tools: ThreadTools) -> list[Item]:
    if item.kind is Kind.MESSAGE:
        return [tools.reader.read_message(item.item_id)]
    call = next(one for one in file.items() if one.kind is Kind.CALL and one.item_id == item.call_id)
    return tools.reader.read_part(item.kind, call)


def _try_download(link: MediaLink, tools: ThreadTools) -> Gap | None:
    why, status = Why.FAILED, 0
    for tries in range(1, MEDIA_TRIES + 1):
        tools.check_going()
        try:
            done = tools.archive.save_media(link, lambda file: tools.download(link.url, file))
        except TooLargeError:
            why = Why.TOO_LARGE
        except DownloadRefusedError as error:
            why, status = find_media_reason(error.status), error.status
        except HttpError:
            why, status = Why.FAILED, 0
        else:
            tools.tally.add(files=1, bytes=done.size)
            return None
        if why is not Why.FAILED:
            break
        if tries < MEDIA_TRIES:
            tools.clock.sleep(2.0 ** (tries - 1))
    item = link.item
    return Gap(MEDIA, item.item_id, why, item.at, status, item.kind.value, link.index)


def _place(link: MediaLink) -> tuple[str, str, int]:
    return link.item.kind.value, link.item.item_id, link.index
