"""The reader of conversations against the sandbox, every exchange held against the vendor's document where it is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from openphone_sync.errors import ContactError, ContactForbiddenError, ContactGoneError, UnreachableError
from openphone_sync.openphone.api import make_client
from openphone_sync.openphone.conversations import PARTS, ConversationReader, Kind, find_media, find_number_ids
from openphone_sync.openphone.pacing import Pacer
from openphone_sync.openphone.retry import Caller, RetryRules
from openphone_sync.sandbox import SandboxOptions
from openphone_sync.wiring import SystemClock
from tests.contract.document import watch
from tests.fault_injection import FaultySandbox, parse_fault

NOW = "2100-01-01T00:00:00.000Z"
ANN, BOB = "+12135550111", "+12135550112"


@pytest.fixture
def server() -> Iterator[FaultySandbox]:
    """An office of forty conversations."""
    with FaultySandbox(SandboxOptions(conversations=40, rate_limit=100_000)) as sandbox:
        yield sandbox


@pytest.fixture
def reader(server: FaultySandbox, tmp_path: Path) -> Iterator[ConversationReader]:
    """The reader, at full speed."""
    clock = SystemClock()
    pacer = Pacer(tmp_path / "pacing.db", 0.0001, clock)
    with make_client(server.base_url, server.options.key, 5) as client:
        watch(client)
        yield ConversationReader(
            Caller(client, pacer, RetryRules(1, 0.01), clock, stopping=lambda: False, warn=lambda _: None)
        )
    pacer.close()


def test_everything_is_read_and_every_part_known_by_its_call(server: FaultySandbox, reader: ConversationReader) -> None:
    found = Counter[Kind]()
    conversations = [one for page in reader.read_conversations() for one in page]
    for one in (one for one in conversations if one.participants):
        found.update(item.kind for item in reader.read_messages(one.number_id, one.participants, "", NOW))
        calls = (
            list(reader.read_calls(one.number_id, one.participants[0], "", NOW)) if len(one.participants) == 1 else []
        )
        found[Kind.CALL] += len(calls)
        for call in calls:
            for part in PARTS:
                try:
                    items = reader.read_part(part, call)
                except ContactGoneError:
                    continue
                assert all(item.call_id == call.item_id and item.at == call.at for item in items)
                found.update(item.kind for item in items)
    assert (len(conversations), found[Kind.MESSAGE] + found[Kind.CALL]) == server.conversations.count()
    assert set(found) == set(Kind) - {Kind.CONVERSATION}


def test_who_the_office_is(server: FaultySandbox, reader: ConversationReader) -> None:
    assert find_number_ids(reader.read_numbers()) == {one["id"] for one in server.workspace.phone_numbers()}
    assert {one["role"] for one in reader.read_users()} == {"owner", "member"}


def test_time_bounds_go_out_as_documented(server: FaultySandbox, reader: ConversationReader) -> None:
    ann = server.conversations.start(ANN)
    for at in (1_000.0, 2_000.0, 3_000.0):
        server.conversations.add_message(ann, f"{at:.0f}", at=at)
    number = server.workspace.phone_numbers()[0]["id"]
    after, before = "1970-01-01T00:16:40.000Z", "1970-01-01T00:50:00.000Z"
    texts = [item.document["text"] for item in reader.read_messages(number, [ANN], after, before)]
    assert texts == ["2000"]


def test_a_message_read_again_has_a_fresh_address(server: FaultySandbox, reader: ConversationReader) -> None:
    ann = server.conversations.start(ANN)
    made = server.conversations.add_message(ann, "", media=["a.png"])
    first, second = (find_media(reader.read_message(made["id"]))[0].url for _ in range(2))
    assert first.partition("?")[0] == second.partition("?")[0]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("status:status=404,count=none", ContactGoneError),
        ("status:status=403,count=none", ContactForbiddenError),
        ("status:status=500,count=none", ContactError),
        ("same-token:path=/v1/messages?*pageToken=*,count=none", ContactError),
    ],
)
def test_a_list_that_cannot_be_had_is_an_error_and_never_a_short_list(
    server: FaultySandbox, reader: ConversationReader, fault: str, error: type[ContactError]
) -> None:
    group = server.conversations.start(ANN, BOB)
    for number in range(250):
        server.conversations.add_message(group, str(number), at=1_000.0 + number)
    line = server.workspace.phone_numbers()[0]["id"]
    assert len(list(reader.read_messages(line, [BOB, ANN], "", NOW))) == 250
    server.faults.add(parse_fault(fault))
    with pytest.raises(error):
        list(reader.read_messages(line, [ANN, BOB], "", NOW))


def test_a_list_of_conversations_that_cannot_be_had_ends_the_fetch(
    server: FaultySandbox, reader: ConversationReader
) -> None:
    server.faults.add(parse_fault("status:status=403,count=none"))
    with pytest.raises(UnreachableError, match="conversations cannot be listed"):
        list(reader.read_conversations())
