"""Reads what coverage is made of: who called or texted, and where the client table and the state have these numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from openphone_sync.conversations.coverage import (
    Activity,
    Unnamed,
    explain,
    find_activities,
    find_last_activity,
    find_named,
    find_places,
    join_activities,
    make_document,
)
from openphone_sync.conversations.people import find_link_phones
from openphone_sync.documents import format_time
from openphone_sync.errors import ContactError, NotSentError
from openphone_sync.model import RemoteContact, Standing, Why
from openphone_sync.openphone.conversations import MAX_PARTICIPANTS, Conversation, ConversationReader
from openphone_sync.ports import ClientSource, Clock
from openphone_sync.rules.mapping import MappingRules
from openphone_sync.state import Store

DAYS = 30
"""The period that is measured unless another is asked for."""

DAY_S = 86_400.0
MOST_COUNTED = 200
"""Numbers without a name whose calls and texts are counted, the latest first: one or two requests for each."""

StoredCallers = Callable[[float], Iterable[tuple[str | None, int, float]]]
"""Numbers of a table since a moment (seconds since the epoch), each with how often and when last."""


@dataclass(frozen=True, slots=True)
class CoverageTools:
    """What measuring works with. ``open_source`` opens the client table with all its columns."""

    reader: ConversationReader
    open_source: Callable[[], ClientSource]
    store: Store
    clock: Clock
    rules: MappingRules
    describe: Callable[[Why | None], str]


def measure(
    tools: CoverageTools, contacts: Iterable[RemoteContact], days: int = DAYS, stored: StoredCallers | None = None
) -> dict[str, Any]:
    """The coverage document. ``contacts`` are all of the workspace; ``stored`` replaces the API's conversations.

    Raises `RunError` where either side cannot be read, `NotSentError` once the run is stopping.
    """
    now, region = tools.clock.now(), tools.rules.region
    since = now - days * DAY_S
    with ThreadPoolExecutor(1) as pool:  # neither list needs the other
        numbers = pool.submit(tools.reader.read_numbers)
        conversations = [] if stored else _read_conversations(tools.reader, since)
    own = [str(one.get("number") or "") for one in numbers.result()]
    if stored is None:
        activities = find_activities(conversations, own, since, region)
    else:
        activities = join_activities(stored(since), own, region)
    named = find_named(contacts, region)
    nameless = [one for one in activities if one.number not in named]
    if stored is None:
        nameless = _count(nameless, tools.reader, since, now)
    return make_document(days, activities, _explain_all(nameless, tools), tools.describe)


def _read_conversations(reader: ConversationReader, since: float) -> list[Conversation]:
    """Those with activity since then; the list has the latest first. One that moves while it is read comes once."""
    found: dict[str, Conversation] = {}
    for page in reader.read_conversations():
        found.update((one.conversation_id, one) for one in page)
        times = [find_last_activity(one) for one in page]
        if times and all(at is not None and at < since for at in times):
            break
    return list(found.values())


def _count(activities: Sequence[Activity], reader: ConversationReader, since: float, now: float) -> list[Activity]:
    """How many calls and texts each had; those of a group count for each of its numbers."""
    counts: dict[tuple[str, frozenset[str]], int | None] = {}

    def count_thread(thread: Conversation) -> int | None:
        key = thread.number_id, frozenset(thread.participants)
        if key not in counts:
            counts[key] = _count_items(thread, reader, format_time(since), format_time(now))
        return counts[key]

    counted = []
    for activity in activities[:MOST_COUNTED]:
        threads = {(one.number_id, frozenset(one.participants)): one for one in activity.threads}
        found = [count_thread(thread) for thread in threads.values()]
        counted.append(replace(activity, count=None if None in found else sum(one or 0 for one in found)))
    return [*counted, *activities[MOST_COUNTED:]]


def _count_items(thread: Conversation, reader: ConversationReader, after: str, before: str) -> int | None:
    """Calls and texts of one conversation; None if they cannot be read."""
    people = thread.participants
    if len(people) > MAX_PARTICIPANTS:
        return None
    try:
        ids = {one.item_id for one in reader.read_messages(thread.number_id, people, after, before)}
        if len(people) == 1:
            ids |= {one.item_id for one in reader.read_calls(thread.number_id, people[0], after, before)}
    except NotSentError:
        raise
    except ContactError:  # a number that was deleted, a plan without calls: the others are counted all the same
        return None
    return len(ids)


def _explain_all(nameless: Sequence[Activity], tools: CoverageTools) -> list[Unnamed]:
    if not nameless:
        return []
    with closing(tools.open_source()) as source:
        places = find_places(source.read_clients(), frozenset(one.number for one in nameless), tools.rules)
    links = tools.store.read_links({place.client_id for place in places.values()})
    gone = {
        phone: link for link in tools.store.read_links_standing(Standing.ORPHANED) for phone in find_link_phones(link)
    }
    is_forgotten = tools.store.make_forgotten_test()
    return [explain(one, places.get(one.number), links, gone, is_forgotten) for one in nameless]
