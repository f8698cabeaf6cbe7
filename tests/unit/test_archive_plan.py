"""What a fetch asks for, decided from what is listed and what is archived."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from openphone_sync.conversations.archive_folder import Entry, Gap
from openphone_sync.conversations.archive_plan import (
    ACTIVITY,
    CALLS,
    MEDIA,
    MESSAGES,
    FetchOptions,
    Thread,
    Why,
    format_moment,
    hash_head,
    is_due,
    make_bounds,
    make_threads,
    select,
)
from openphone_sync.openphone.conversations import Conversation, parse_conversation

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
ANN, BOB = "+12135550111", "+12135550112"
PLAIN = FetchOptions(Path("archive"))
ALL = FetchOptions(Path("archive"), media=True, transcripts=True)


def ago(**before: float) -> str:
    return format_moment(NOW - timedelta(**before))


def talk(conversation_id: str = "CN1", *people: str, **changes: Any) -> Conversation:
    return parse_conversation(
        {
            "id": conversation_id,
            "phoneNumberId": "PN1",
            "participants": list(people or (ANN,)),
            "createdAt": ago(days=100),
            "lastActivityAt": ago(days=3),
            "lastActivityId": "AC1",
            **changes,
        }
    )


def archived(conversation: Conversation, **changes: Any) -> Entry:
    """An entry of a conversation that is archived up to two days ago, with nothing left to ask."""
    entry = Entry(
        file="",
        sha256="",
        bytes=0,
        counts={},
        first="",
        last="",
        number_id="PN1",
        participants=list(conversation.participants),
        last_activity_at=conversation.last_activity_at,
        last_activity_id=conversation.last_activity_id,
        since="",
        through=ago(days=2),
        head=hash_head(conversation),
        unfinished="",
        parts=sorted(ALL.asked),
        gaps=[],
    )
    return msgspec.structs.replace(entry, **changes)


def plan(*talks: Conversation, options: FetchOptions = ALL, **entries: Entry) -> list[Thread]:
    bounds = make_bounds(options, NOW.timestamp())
    return make_threads(select(talks, options, bounds, entries.get), options, bounds, entries.get)


def find_start(conversation: Conversation, entry: Entry | None, options: FetchOptions = ALL) -> str | None:
    (thread,) = plan(conversation, options=options, **({"CN1": entry} if entry else {}))
    return thread.after


def test_a_conversation_without_new_activity_is_not_asked_for() -> None:
    assert not plan(talk(), CN1=archived(talk()))


def test_a_new_one_is_read_from_its_beginning_or_from_since() -> None:
    assert find_start(talk(), None) == ""
    since = FetchOptions(Path("archive"), since=NOW - timedelta(days=9))
    assert find_start(talk(), None, since) == ago(days=9)


def test_new_activity_is_read_with_a_day_of_overlap() -> None:
    moved = talk(lastActivityAt=ago(hours=1), lastActivityId="AC2")
    assert find_start(moved, archived(talk())) == ago(days=4)


def test_a_clock_that_was_ahead_hides_nothing() -> None:
    moved = talk(lastActivityAt=ago(hours=1), lastActivityId="AC2")
    assert find_start(moved, archived(talk(), through="2027-06-15T12:00:00.000Z")) == ago(days=4)


def test_a_fetch_that_ended_earlier_than_the_last_activity_goes_on_there() -> None:
    assert find_start(talk(), archived(talk(), through=ago(days=10))) == ago(days=11)
    until = FetchOptions(Path("archive"), until=NOW - timedelta(days=10), media=True, transcripts=True)
    assert not plan(talk(), options=until, CN1=archived(talk(), through=ago(days=10)))


def test_an_earlier_since_reads_again_from_there() -> None:
    entry = archived(talk(), since=ago(days=30))
    assert find_start(talk(), entry) == ""
    later = FetchOptions(Path("archive"), since=NOW - timedelta(days=20), media=True, transcripts=True)
    assert not plan(talk(), options=later, CN1=entry)


@pytest.mark.parametrize(("age", "after"), [(6.9, 6.9), (7.1, None)])
def test_a_message_on_its_way_is_read_again_for_seven_days(age: float, after: float | None) -> None:
    threads = plan(talk(), CN1=archived(talk(), unfinished=ago(days=age)))
    assert [one.after for one in threads] == ([ago(days=after, seconds=1)] if after else [])


@pytest.mark.parametrize("part", [MESSAGES, CALLS])
def test_a_list_that_could_not_be_had_is_read_as_a_whole(part: str) -> None:
    assert find_start(talk(), archived(talk(), gaps=[Gap(part, "PN1", Why.FAILED, ago(days=90))])) == ""


def test_an_activity_that_no_list_has_is_looked_for_where_it_should_be() -> None:
    gap = Gap(ACTIVITY, "AC1", Why.NOT_LISTED, ago(days=3))
    assert find_start(talk(), archived(talk(), gaps=[gap])) == ago(days=3, seconds=1)


def test_a_changed_name_and_wider_options_need_no_list() -> None:
    assert find_start(talk(name="Family"), archived(talk())) is None
    assert find_start(talk(), archived(talk(), parts=["voicemail"])) is None
    assert not plan(talk(), options=PLAIN, CN1=archived(talk(), parts=["voicemail"]))


@pytest.mark.parametrize(
    ("why", "young", "old"),
    [
        (Why.ABSENT, True, False),
        (Why.IN_PROGRESS, True, False),
        (Why.NOT_FOUND, True, False),
        (Why.EXPIRED, True, False),
        (Why.FORBIDDEN, True, True),
        (Why.FAILED, True, True),
        (Why.REFUSED, False, False),
        (Why.TOO_LARGE, False, False),
    ],
)
def test_what_is_asked_for_again(why: Why, young: bool, old: bool) -> None:
    bounds = make_bounds(ALL, NOW.timestamp())
    found = [is_due(Gap("transcript", "AC1", why, ago(days=age)), ALL, bounds) for age in (6.9, 7.1)]
    assert found == [young, old]


def test_what_is_not_asked_for_is_not_asked_for_again() -> None:
    bounds = make_bounds(PLAIN, NOW.timestamp())
    assert not any(is_due(Gap(part, "AC1", Why.FAILED, ago(days=1)), PLAIN, bounds) for part in ("transcript", MEDIA))
    assert is_due(Gap("voicemail", "AC1", Why.FAILED, ago(days=1)), PLAIN, bounds)


def test_conversations_of_one_pair_are_one_thread_whatever_the_order_of_people() -> None:
    young = talk("CN2", BOB, ANN, createdAt=ago(days=9))
    (thread,) = plan(young, talk("CN1", ANN, BOB))
    assert [one.conversation_id for one in thread.conversations] == ["CN1", "CN2"]
    assert len(plan(talk("CN1", ANN), talk("CN2", BOB))) == 2


def test_people_and_since_select() -> None:
    bounds = make_bounds(PLAIN, NOW.timestamp())
    ann = FetchOptions(Path("archive"), phones=frozenset({ANN}))
    talks = [talk("CN1", ANN), talk("CN2", BOB), talk("CN3", ANN, BOB)]
    nothing: dict[str, Entry] = {}
    assert [one.conversation_id for one in select(talks, ann, bounds, nothing.get)] == ["CN1", "CN3"]
    late = FetchOptions(Path("archive"), since=NOW - timedelta(days=2))
    bounds = make_bounds(late, NOW.timestamp())
    assert [one.conversation_id for one in select(talks, late, bounds, {"CN2": archived(talks[1])}.get)] == ["CN2"]
