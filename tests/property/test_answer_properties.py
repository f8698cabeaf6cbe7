"""Whatever OpenPhone's side sends, as headers or as a body: an error of ours or an answer, never a bug."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from openphone_sync.errors import ContactError, RunError
from openphone_sync.openphone.api import OpenPhone, make_client
from openphone_sync.openphone.pacing import Pacer
from openphone_sync.openphone.probe import read_workspace_info
from openphone_sync.openphone.retry import Caller, RetryRules
from tests.raw_server import answering, raw_server
from tests.unit.test_api import DRAFT, ID
from tests.unit.test_pacing import HandClock

JsonValue = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400) | st.just("x" * 100_000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("id", "externalId", "source", "defaultFields", "customFields", "firstName", "phoneNumbers", "emails")
ITEM_KEYS = ("id", "key", "name", "type", "value")


def one_of_these(keys: tuple[str, ...], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(keys), values, max_size=6)


items = st.lists(one_of_these(ITEM_KEYS, JsonValue), max_size=2)
contacts = one_of_these(KEYS, JsonValue | items | one_of_these(KEYS, JsonValue | items))
documents = st.fixed_dictionaries(
    {"data": JsonValue | contacts | st.lists(contacts | JsonValue, max_size=3)},
    optional=dict.fromkeys(("nextPageToken", "totalItems", "error", "title", "code", "errors"), JsonValue),
)
bodies = (
    st.binary(max_size=200)
    | st.builds(lambda value: json.dumps(value).encode(), documents | JsonValue)
    | st.sampled_from([b"[" * 200_000, b'{"data":' * 5_000, b'{"data": {"id": "1", "x": 1e400}}', b"9" * 6_000])
)
HEADERS = (
    "Retry-After",
    "Date",
    "ratelimit-policy",
    "ratelimit",
    "Set-Cookie",
    "Location",
    "Content-Encoding",
    "Content-Type",
    "Content-Length",
    "Transfer-Encoding",
)
values = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=40) | st.sampled_from(
    [
        "Fri, 31 Dec 99999 23:59:59 GMT",
        "Fri, 31 Dec " + "9" * 30 + " 23:59:59 GMT",
        "Mon, 01 Jan 0000 00:00:00 GMT",
        "Fri, 31 Dec 2026 23:59:59 +9999999999",
        "9" * 400,
        '"a";q=' + "9" * 400 + ";w=1",
        '"a";q=0;w=0, "b";q=1;w=86400',
        "a=b; expires=Fri, 31 Dec 99999 23:59:59 GMT; max-age=" + "9" * 400,
        "http://[::1",
        "//" + "x" * 70_000,
        "gzip",
        "gzip, gzip",
        "application/json; charset=nonsense",
        "chunked",
    ]
)
answers = st.tuples(
    st.sampled_from([200, 201, 204, 299, 301, 400, 401, 402, 403, 404, 409, 429, 500, 503, 999]),
    st.lists(st.tuples(st.sampled_from(HEADERS), values), max_size=4),
    bodies,
)


class Side:
    """The API's side, which gives one answer to every request, and ours."""

    def __init__(self, port: int, folder: Path) -> None:
        self.answer = b""
        self.client = make_client(f"http://127.0.0.1:{port}", "key", 2.0)
        self.pacer = Pacer(folder / "pacing.db", 0.001, HandClock())

    def ask(self, call: Callable[[OpenPhone], object]) -> None:
        clock = HandClock()
        call(OpenPhone(self.client, self.pacer, RetryRules(1, 0.0), clock))
        caller = Caller(self.client, self.pacer, RetryRules(0, 0.0), clock, stopping=lambda: False, warn=lambda _: None)
        read_workspace_info(caller)


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    sides: list[Side] = []

    def talk(connection: socket.socket) -> None:
        answering(sides[0].answer)(connection)

    with raw_server(talk) as port:
        sides.append(Side(port, tmp_path_factory.mktemp("side")))
        yield sides[0]
        sides[0].client.close()
        sides[0].pacer.close()


CALLS: tuple[Callable[[OpenPhone], object], ...] = (
    lambda api: list(api.read_contacts()),
    lambda api: api.read_identity(),
    lambda api: api.read_field_definitions(),
    lambda api: api.find_contacts(["client_1"]),
    lambda api: api.read_contact(ID),
    lambda api: api.create_contact(DRAFT),
    lambda api: api.update_contact(ID, DRAFT),
    lambda api: api.delete_contact(ID),
)


@given(answers, st.sampled_from(CALLS))
@example((200, [], b"[" * 200_000), CALLS[0])
@example((429, [("Retry-After", "Fri, 31 Dec 99999 23:59:59 GMT")], b""), CALLS[4])
@example((200, [("Date", "Fri, 31 Dec " + "9" * 30 + " 23:59:59 GMT")], b"{}"), CALLS[1])
@example((301, [("Location", "//" + "x" * 70_000)], b""), CALLS[4])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_nothing_that_the_network_sends_is_a_bug(
    side: Side, answer: tuple[int, list[tuple[str, str]], bytes], call: Callable[[OpenPhone], object]
) -> None:
    status, headers, body = answer
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    side.answer = f"HTTP/1.1 {status} Odd\r\nConnection: close\r\n{lines}\r\n".encode("latin-1") + body
    message = ""
    try:
        side.ask(call)
    except (RunError, ContactError) as error:
        message = str(error)
    assert len(message) < 400
