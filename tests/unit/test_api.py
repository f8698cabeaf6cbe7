"""Single exchanges: what an answer means, whether it is asked again, and where a list ends."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from pytest_httpx import HTTPXMock

from openphone_sync.errors import (
    AnswerLostError,
    ContactConflictError,
    ContactError,
    ContactForbiddenError,
    ContactGoneError,
    NotSentError,
    RefusedError,
    UnreachableError,
)
from openphone_sync.model import ContactDraft, RemoteField
from openphone_sync.openphone.api import OpenPhone, make_client
from openphone_sync.openphone.pacing import Pacer
from openphone_sync.openphone.retry import FAILURES_IN_A_ROW, RetryRules, parse_policy
from tests.raw_server import answering, raw_server
from tests.unit.test_pacing import HandClock

URL = "https://api.example.com"
CONTACTS = f"{URL}/v1/contacts"
ID = "5f0000000000000000000001"
DRAFT = ContactDraft("Ann", external_id="client_1", source="ours")
RETRIES = 2

pytestmark = pytest.mark.httpx_mock(can_send_already_matched_responses=True)


class Phone:
    """The client under test, with what it said and how it waited."""

    def __init__(self, folder: Path, rules: RetryRules | None = None, url: str = URL, timeout_s: float = 1.0) -> None:
        self.clock = HandClock()
        self.warnings: list[str] = []
        self.stopped = False
        self.pacer = Pacer(folder / "pacing.db", 0.001, self.clock)
        self.api = OpenPhone(
            make_client(url, "key", timeout_s),
            self.pacer,
            rules or RetryRules(RETRIES, 0.0),
            self.clock,
            stopping=lambda: self.stopped,
            warn=self.warnings.append,
        )

    def close(self) -> None:
        self.api.close()
        self.pacer.close()


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Phone]:
    made = Phone(tmp_path)
    yield made
    made.close()


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Phone]:
    """One that waits between its tries, as in production."""
    made = Phone(tmp_path, RetryRules())
    yield made
    made.close()


def contact(contact_id: str = ID, **more: Any) -> dict[str, Any]:
    return {"id": contact_id, "externalId": None, "source": None, "defaultFields": {"firstName": "Ann"}, **more}


def page(*ids: str, **more: Any) -> dict[str, Any]:
    return {"data": [contact(one) for one in ids], "totalItems": 0, **more}


# --- refusals ---------------------------------------------------------------------------------------------------------

FLAT = {"message": "no", "code": "0800400", "status": 400, "docs": "", "title": "Bad Request"}
NESTED = {"error": {"message": "Nested no", "key": "BAD_REQUEST", "trace": "1"}}
ECHO = {**FLAT, "errors": [{"path": "/defaultFields/firstName", "message": "bad", "value": "Ann Secret"}]}


@pytest.mark.parametrize(
    ("answer", "message", "code"),
    [
        ({"json": FLAT}, "the API answered 400 (Bad Request)", "0800400"),
        ({"json": NESTED}, "the API answered 400 (Nested no)", "BAD_REQUEST"),
        ({"json": ECHO}, "the API answered 400 (Bad Request) at /defaultFields/firstName", "0800400"),
        ({"html": "<html>Bad</html>"}, "the API answered 400", ""),
        ({"json": ["odd"]}, "the API answered 400", ""),
        ({"content": b"\xff\xfe"}, "the API answered 400", ""),
        ({}, "the API answered 400", ""),
    ],
)
def test_a_refusal_is_understood_in_every_shape(
    answer: dict[str, Any], message: str, code: str, phone: Phone, httpx_mock: HTTPXMock
) -> None:
    httpx_mock.add_response(status_code=400, **answer)
    with pytest.raises(ContactError) as caught:
        phone.api.create_contact(DRAFT)
    assert (caught.value.message, caught.value.code, caught.value.status) == (message, code, 400)
    assert len(httpx_mock.get_requests()) == 1, "a refusal is not asked again"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, RefusedError),
        (402, RefusedError),
        (403, ContactForbiddenError),
        (404, ContactGoneError),
        (409, ContactConflictError),
    ],
)
def test_each_refusal_says_what_happens_next(
    status: int, kind: type[Exception], phone: Phone, httpx_mock: HTTPXMock
) -> None:
    httpx_mock.add_response(status_code=status, json=NESTED)
    with pytest.raises(kind):
        phone.api.update_contact(ID, DRAFT)
    assert len(httpx_mock.get_requests()) == 1


# --- repetition -------------------------------------------------------------------------------------------------------

LOST = [
    {"status_code": 500, "json": FLAT},
    {"status_code": 502, "html": "<html>Bad Gateway</html>"},
    {"status_code": 503},
    {"status_code": 200, "html": "<html>Maintenance</html>"},
    {"status_code": 200, "content": b'{"data": {"id"'},
    {"status_code": 200},
    {"status_code": 200, "json": ["odd"]},
]


@pytest.mark.parametrize("answer", LOST)
def test_a_lost_answer_is_asked_again_but_a_creation_is_not(
    answer: dict[str, Any], phone: Phone, httpx_mock: HTTPXMock
) -> None:
    httpx_mock.add_response(**answer)
    with pytest.raises(AnswerLostError):
        phone.api.update_contact(ID, DRAFT)
    assert len(httpx_mock.get_requests()) == 1 + RETRIES
    httpx_mock.reset()
    httpx_mock.add_response(**answer)
    with pytest.raises(AnswerLostError):
        phone.api.create_contact(DRAFT)
    assert len(httpx_mock.get_requests()) == 1


@pytest.mark.parametrize("error", [httpx.ReadTimeout(""), httpx.RemoteProtocolError(""), httpx.ReadError("")])
def test_silence_counts_as_a_lost_answer(error: httpx.HTTPError, phone: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_exception(error)
    with pytest.raises(AnswerLostError, match="no answer from the API"):
        phone.api.create_contact(DRAFT)
    assert len(httpx_mock.get_requests()) == 1


@pytest.mark.parametrize("error", [httpx.ConnectError(""), httpx.ConnectTimeout("")])
def test_what_never_left_is_sent_again_a_creation_too(
    error: httpx.HTTPError, phone: Phone, httpx_mock: HTTPXMock
) -> None:
    httpx_mock.add_exception(error, is_reusable=False)
    httpx_mock.add_response(status_code=201, json={"data": contact()})
    assert phone.api.create_contact(DRAFT).contact_id == ID
    assert dict(phone.api.request_counts()) == {"POST": 2, "retried": 1}


def test_an_answer_without_the_contact_counts_as_lost(phone: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(status_code=201, json={"data": {}})
    with pytest.raises(AnswerLostError, match="without the contact"):
        phone.api.create_contact(DRAFT)


def test_many_failures_in_a_row_end_the_run_and_a_success_between_does_not(phone: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(method="POST", status_code=503)
    httpx_mock.add_response(method="GET", json={"data": contact()})
    for _ in range(FAILURES_IN_A_ROW - 1):
        with pytest.raises(AnswerLostError):
            phone.api.create_contact(DRAFT)
    phone.api.read_contact(ID)
    for _ in range(FAILURES_IN_A_ROW - 1):
        with pytest.raises(AnswerLostError):
            phone.api.create_contact(DRAFT)
    with pytest.raises(UnreachableError, match="10 times in a row"):
        phone.api.create_contact(DRAFT)


def test_the_wait_doubles_from_try_to_try_and_is_done_on_the_clock(patient: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(status_code=503)
    start = patient.clock.now()
    with pytest.raises(AnswerLostError):
        patient.api.read_contact(ID)
    assert 1 + 2 + 4 <= patient.clock.now() - start < 1 + 2 + 4 + 3 * 1.1, "each wait has up to a second of jitter"


def test_no_wait_is_longer_than_a_minute() -> None:
    assert RetryRules(20, 600.0).wait_s(20, 1.0) == 60.0


def test_a_run_that_stops_sends_nothing_more(phone: Phone) -> None:
    phone.stopped = True
    with pytest.raises(NotSentError):
        phone.api.create_contact(DRAFT)
    assert phone.api.request_counts() == {}


# --- 429 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        (None, 0),
        ("7", 7),
        ("2.5", 2.5),
        ("0", 0),
        ("-5", 0),
        ("soon", 0),
        ("", 0),
        ("86400", 300),
        ("9" * 400, 300),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300),
        ("Fri, 31 Dec 99999 23:59:59 GMT", 0),
        ("Fri, 31 Dec " + "9" * 30 + " 23:59:59 GMT", 0),
        ("Fri, 31 Dec 2026 23:59:59 +99999999999", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ],
)
def test_retry_after_is_obeyed_in_each_form_up_to_five_minutes(
    header: str | None, wait_s: float, phone: Phone, httpx_mock: HTTPXMock
) -> None:
    headers = {} if header is None else {"Retry-After": header}
    httpx_mock.add_response(status_code=429, headers=headers, is_reusable=False)
    httpx_mock.add_response(status_code=201, json={"data": contact()})
    start = phone.clock.now()
    phone.api.create_contact(DRAFT)
    assert wait_s <= phone.clock.now() - start < wait_s + 0.1
    assert bool(phone.warnings) == (wait_s == 300)
    assert phone.api.request_counts()["rateLimited"] == 1


def test_retry_after_as_a_date_is_counted_from_now(phone: Phone, httpx_mock: HTTPXMock) -> None:
    headers = {"Retry-After": formatdate(phone.clock.now() + 100, usegmt=True)}
    httpx_mock.add_response(status_code=429, headers=headers, is_reusable=False)
    httpx_mock.add_response(json={"data": contact()})
    start = phone.clock.now()
    phone.api.read_contact(ID)
    assert 99 <= phone.clock.now() - start <= 101


def test_a_huge_retry_after_is_said(phone: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(status_code=429, headers={"Retry-After": "86400"}, is_reusable=False)
    httpx_mock.add_response(json={"data": contact()})
    phone.api.read_contact(ID)
    [warning] = phone.warnings
    assert warning.startswith("the API asked to wait 86400 s, of which 300 s are obeyed; ")


def test_429_for_three_seconds_is_waited_out(patient: Phone, httpx_mock: HTTPXMock) -> None:
    """Nobody saw a Retry-After: another program that uses the limit up for a moment must not end the run."""
    over_at = patient.clock.now() + 3

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(429 if patient.clock.now() < over_at else 200, json=page("1"))

    httpx_mock.add_callback(answer)
    assert [one.contact_id for one in patient.api.read_contacts()] == ["1"]


def test_429_for_ever_gives_the_contact_up(phone: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(status_code=429)
    with pytest.raises(ContactError, match="busy") as caught:
        phone.api.create_contact(DRAFT)
    assert caught.value.status == 429
    assert len(httpx_mock.get_requests()) == 1 + RETRIES


@pytest.mark.parametrize(
    ("header", "per_second"),
    [
        ('"per-second"; q=10; w=1', 10),
        ('"a";q=10;w=1, "b";q=300;w=60', 5),
        ('"a";w=60;q=300,"b";q=10;w=1', 5),
        ('"day";q=5000;w=86400', None),
        ('"day";q=5000;w=86400, "s";q=4;w=1', 4),
        ('"none";q=0;w=1', None),
        ('"no window";q=7', None),
        ('"q=1; w=60";q=10;w=1', 10),
        ("q=1;w=60", None),
        ('"a";q=' + "9" * 5000 + ";w=1", None),
        ("", None),
    ],
)
def test_all_items_of_a_policy_are_read_and_a_long_window_says_nothing(header: str, per_second: float | None) -> None:
    assert parse_policy(header) == per_second


def test_no_policy_spaces_requests_more_than_five_seconds_apart(phone: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(headers={"ratelimit-policy": '"per-minute"; q=1; w=60'}, json={"data": contact()})
    phone.api.read_contact(ID)
    start = phone.clock.now()
    for _ in range(3):
        phone.api.read_contact(ID)
    assert 10 <= phone.clock.now() - start <= 15.1


def test_a_lower_policy_slows_the_requests_down(phone: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(headers={"ratelimit-policy": '"per-second"; q=2; w=1'}, json={"data": contact()})
    phone.api.read_contact(ID)
    start = phone.clock.now()
    for _ in range(4):
        phone.api.read_contact(ID)
    assert phone.clock.now() - start > 1.5


# --- lists --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [{"nextPageToken": None}, {}, {"nextPageToken": ""}, {"nextPageToken": "a"}])
def test_a_list_ends_in_each_way_that_was_seen(end: dict[str, Any], phone: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(url=f"{CONTACTS}?maxResults=50", json=page("1", "2", nextPageToken="a"))
    httpx_mock.add_response(url=f"{CONTACTS}?maxResults=50&pageToken=a", json=page("2", "3", **end))
    assert [one.contact_id for one in phone.api.read_contacts()] == ["1", "2", "3"]
    assert len(httpx_mock.get_requests()) == 2


def test_an_empty_page_with_a_token_is_not_the_end(phone: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(url=f"{CONTACTS}?maxResults=50", json=page(nextPageToken="a"))
    httpx_mock.add_response(url=f"{CONTACTS}?maxResults=50&pageToken=a", json=page("1"))
    assert [one.contact_id for one in phone.api.read_contacts()] == ["1"]


def serve_pages(httpx_mock: HTTPXMock, pages: Callable[[int], dict[str, Any]]) -> None:
    """Page after page, each made from its number."""
    numbers = itertools.count()
    httpx_mock.add_callback(lambda _: httpx.Response(200, json=pages(next(numbers))))


def ids(start: int, count: int = 50) -> list[str]:
    return [str(number) for number in range(start, start + count)]


def test_ever_new_tokens_of_empty_pages_are_not_followed_for_ever(phone: Phone, httpx_mock: HTTPXMock) -> None:
    serve_pages(httpx_mock, lambda n: page(*ids(0) if n == 0 else [], nextPageToken=f"t{n}"))
    assert len(list(phone.api.read_contacts())) == 50
    assert len(httpx_mock.get_requests()) == 3


ENDLESS: dict[str, Callable[[int], dict[str, Any]]] = {
    "a repeated token after a full page": lambda n: page(*ids(50 * n), nextPageToken="same"),
    "the same full page under ever new tokens": lambda n: page(*ids(0), nextPageToken=f"t{n}"),
    "the same page, not full, under ever new tokens": lambda n: page("1", nextPageToken=f"t{n}"),
    "known pages with empty ones between them": lambda n: page(*ids(0) if n % 2 == 0 else [], nextPageToken=f"t{n}"),
    "a token of 100 kB": lambda n: page("1", nextPageToken="t" * 100_000),
    "a token that is not text": lambda n: page("1", nextPageToken={"offset": n}),
}


@pytest.mark.parametrize("pages", ENDLESS.values(), ids=ENDLESS)
def test_a_list_without_an_end_is_an_error_and_never_a_complete_list(
    pages: Callable[[int], dict[str, Any]], phone: Phone, httpx_mock: HTTPXMock
) -> None:
    serve_pages(httpx_mock, pages)
    with pytest.raises(UnreachableError, match="list of contacts"):
        list(phone.api.read_contacts())
    assert len(httpx_mock.get_requests()) <= 4


@pytest.mark.parametrize("broken", [{"status_code": 429}, {"status_code": 502}, {"status_code": 400}, {"json": {}}])
def test_a_page_that_fails_is_never_the_end(broken: dict[str, Any], phone: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(url=f"{CONTACTS}?maxResults=50", json=page("1", nextPageToken="a"))
    httpx_mock.add_response(url=f"{CONTACTS}?maxResults=50&pageToken=a", **broken)
    with pytest.raises(UnreachableError):
        list(phone.api.read_contacts())


def test_what_has_no_id_in_a_list_is_left_out(phone: Phone, httpx_mock: HTTPXMock) -> None:
    odd = {"data": [contact("1"), *({"id": value} for value in (None, 7, "", "..", "x" * 256)), {}, None, "x"]}
    httpx_mock.add_response(json=odd)
    assert [one.contact_id for one in phone.api.read_contacts()] == ["1"]


def test_contacts_are_found_twenty_ids_at_a_time_and_strangers_are_left_out(
    phone: Phone, httpx_mock: HTTPXMock
) -> None:
    stranger = contact("9", externalId="somebody")
    httpx_mock.add_response(json={"data": [stranger, contact("1", externalId="client_3")]})
    found = phone.api.find_contacts([f"client_{number}" for number in range(45)])
    assert [one.contact_id for one in found] == ["1"]
    asked = [request.url.params.get_list("externalIds") for request in httpx_mock.get_requests()]
    assert [len(ids) for ids in asked] == [20, 20, 5]


# --- single contacts -------------------------------------------------------------------------------------------------------


def test_a_deletion_has_no_body_and_a_second_one_is_no_error(phone: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(status_code=204, is_reusable=False)
    httpx_mock.add_response(status_code=404, json=FLAT)
    phone.api.delete_contact(ID)
    phone.api.delete_contact(ID)
    assert phone.api.request_counts()["DELETE"] == 2


def test_the_key_is_sent_as_it_is(phone: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(json={"data": contact()})
    phone.api.read_contact(ID)
    [request] = httpx_mock.get_requests()
    assert request.headers["Authorization"] == "key"


def test_an_update_sends_whole_arrays(phone: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(json={"data": contact()})
    phone.api.update_contact(ID, DRAFT)
    [request] = httpx_mock.get_requests()
    body = json.loads(request.content)
    assert body["defaultFields"]["phoneNumbers"] == []
    assert body["defaultFields"]["emails"] == []
    assert body["customFields"] == []


@pytest.mark.parametrize("body", [b'"Ann \\ud83d"', b'"Ann \\udc4d"', b'"Ann \xed\xa0\xbd"'])
def test_half_an_emoji_is_read_as_a_replacement_character(body: bytes, phone: Phone, httpx_mock: HTTPXMock) -> None:
    whole = json.dumps({"data": contact(defaultFields={"firstName": "@", "role": "\U0001f44d"})}).encode()
    httpx_mock.add_response(content=whole.replace(b'"@"', body))
    found = phone.api.read_contact(ID)
    assert found.first_name == "Ann \ufffd"
    assert found.role == "\U0001f44d"


UNUSABLE = {
    "200,000 brackets": b"[" * 200_000,
    "200,000 brackets that close": b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deeper than the state can keep": b'{"data": {"id": "1", "x": ' + b"[" * 300 + b"]" * 300 + b"}}",
    "a number of 5,000 digits": b'{"data": {"id": "1", "x": ' + b"9" * 5_000 + b"}}",
    "infinity": b'{"data": {"id": "1", "x": 1e400}}',
    "not a number": b'{"data": {"id": "1", "x": NaN}}',
}


@pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize("status", [200, 400, 503])
def test_json_that_cannot_be_kept_is_an_answer_without_json(
    body: bytes, status: int, phone: Phone, httpx_mock: HTTPXMock
) -> None:
    httpx_mock.add_response(status_code=status, content=body)
    with pytest.raises(ContactError):
        phone.api.read_contact(ID)


@pytest.mark.parametrize("number", [10**18, 10**20, -(10**30), 10**300])
def test_a_whole_number_of_any_length_is_kept_as_javascript_reads_it(
    number: int, phone: Phone, httpx_mock: HTTPXMock
) -> None:
    fields = [{"key": "k1", "name": "Case", "type": "number", "value": number}]
    httpx_mock.add_response(json={"data": contact(customFields=fields)})
    [field] = phone.api.read_contact(ID).custom_fields
    assert field.value == float(number)
    assert msgspec.json.decode(msgspec.json.encode(field), type=RemoteField) == field


def test_texts_of_a_refusal_are_clipped_and_cleaned(phone: Phone, httpx_mock: HTTPXMock) -> None:
    body = {
        "title": "Number +1 213 555 0134 of ann@example.com is taken; " + "x" * 100_000,
        "code": "c" * 5_000,
        "errors": [{"path": "/a"}, {"path": "/Ann Smith"}, {"path": "/" + "b" * 5_000}, {"path": 7}, None],
    }
    httpx_mock.add_response(status_code=400, json=body)
    with pytest.raises(ContactError) as caught:
        phone.api.create_contact(DRAFT)
    assert caught.value.message.startswith("the API answered 400 (Number [phone] of [e-mail] is taken, xxx")
    assert caught.value.message.endswith(") at /a")
    assert len(caught.value.message) < 120
    assert caught.value.code == ""


def test_a_contact_is_asked_for_by_its_id_whatever_the_id_holds(phone: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(json={"data": contact()})
    phone.api.read_contact("a/../b?c#d")
    [request] = httpx_mock.get_requests()
    assert request.url.raw_path == b"/v1/contacts/a%2F..%2Fb%3Fc%23d"


def test_what_is_only_read_is_not_waited_for_once_the_run_stops(tmp_path: Path) -> None:
    with raw_server(answering(b"HTTP/1.1 200 OK\r\nX: ", pause_s=0.05, endless=itertools.repeat(b"x"))) as port:
        phone = Phone(tmp_path, url=f"http://127.0.0.1:{port}", timeout_s=30.0)
        timer = threading.Timer(0.2, lambda: setattr(phone, "stopped", True))
        timer.start()
        start = time.monotonic()
        with pytest.raises(NotSentError):
            phone.api.read_contact(ID)
        assert time.monotonic() - start < 10.0
        timer.join()
        phone.close()


@pytest.mark.parametrize("busy", [True, False])
def test_429_without_end_says_who_else_could_be_asking(busy: bool, phone: Phone, httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(status_code=429 if busy else 503)
    with pytest.raises(UnreachableError) as caught:
        phone.api.read_identity()
    assert ("other programs that use the same key" in str(caught.value)) is busy
    assert ("check OPENPHONE_BASE_URL" in str(caught.value)) is not busy


def test_half_an_emoji_in_a_refusal_is_no_harm(phone: Phone, httpx_mock: HTTPXMock) -> None:
    body = json.dumps({**FLAT, "title": "No \ud83d", "code": "\ud83d"})
    httpx_mock.add_response(status_code=400, content=body.encode())
    with pytest.raises(ContactError) as caught:
        phone.api.create_contact(DRAFT)
    assert (caught.value.message, caught.value.code) == ("the API answered 400 (No \ufffd)", "")


@pytest.mark.parametrize("field_id", [None, "i1"])
def test_a_custom_field_without_its_key_is_known_by_its_name(
    field_id: str | None, phone: Phone, httpx_mock: HTTPXMock
) -> None:
    definitions = [{"name": "County", "key": "k1", "type": "string"}, *twice("Notes")]
    httpx_mock.add_response(url=f"{URL}/v1/contact-custom-fields", json={"data": definitions})
    named = [{"name": name, "type": "string", "value": "x", "id": field_id} for name in ("County", "Notes", "Unknown")]
    httpx_mock.add_response(url=f"{CONTACTS}/{ID}", json={"data": contact(customFields=named)})
    found = phone.api.read_contact(ID).custom_fields
    assert found == tuple(RemoteField(key, "x", field_id) for key in ("k1", None, None))


def twice(name: str) -> list[dict[str, str]]:
    return [{"name": name, "key": key, "type": "string"} for key in ("k2", "k3")]
