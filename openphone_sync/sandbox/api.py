"""The API without a socket: a request's parts go in, an answer comes out.

The order of the checks is the live one as far as it is known: route (Express' 404), key (the gateway's nested 401),
rate limit, then the handler with its flat envelopes.
"""

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from openphone_sync.sandbox import answers
from openphone_sync.sandbox.answers import Answer
from openphone_sync.sandbox.contacts import Page, Workspace, derive_id
from openphone_sync.sandbox.conversations import FAMILIES, Conversations
from openphone_sync.sandbox.options import CustomField, SandboxOptions
from openphone_sync.sandbox.paging import make_token, read_offset, read_page_size
from openphone_sync.sandbox.rules import Issue, Json, RefusedError, make_bad_request

WINDOW_S = 1.0
PAGE_SIZE_MAX = 50
ARRAY_VALUES_MAX = 20  # of one repeated parameter; more of them become an object in the live API's parser
FILTER_LENGTH = 75
ROUTES = (
    (re.compile("/v1/phone-numbers/?"), {"GET": "list_phone_numbers"}),
    (re.compile("/v1/contact-custom-fields/?"), {"GET": "list_custom_fields"}),
    (re.compile("/v1/contacts/?"), {"GET": "list_contacts", "POST": "create_contact"}),
    (
        re.compile("/v1/contacts/([^/]+)/?"),
        {"GET": "get_contact", "PATCH": "patch_contact", "DELETE": "delete_contact"},
    ),
    (re.compile("/v1/conversations/?"), {"GET": "list_conversations"}),
    (re.compile("/v1/messages/?"), {"GET": "list_messages"}),
    (re.compile("/v1/messages/([^/]+)/?"), {"GET": "get_message"}),
    (re.compile("/v1/calls/?"), {"GET": "list_calls"}),
    (re.compile("/v1/calls/([^/]+)/?"), {"GET": "get_call"}),
    (re.compile("/v1/call-recordings/([^/]+)/?"), {"GET": "get_recordings"}),
    (re.compile("/v1/call-summaries/([^/]+)/?"), {"GET": "get_summary"}),
    (re.compile("/v1/call-transcripts/([^/]+)/?"), {"GET": "get_transcript"}),
    (re.compile("/v1/call-voicemails/([^/]+)/?"), {"GET": "get_voicemail"}),
    (re.compile("/v1/users/?"), {"GET": "list_users"}),
    (re.compile("/v1/users/([^/]+)/?"), {"GET": "get_user"}),
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is known to mean something: the operation, the id in its path, the query, the body as sent."""

    operation: str
    item_id: str
    query: str
    body: bytes


def find_call(method: str, target: str, body: bytes) -> Call | None:
    """Return what a request means, None for a route that does not exist."""
    path, _, query = target.partition("?")
    for pattern, operations in ROUTES:
        match = pattern.fullmatch(path)
        if match and method in operations:
            return Call(operations[method], match.group(1) if match.groups() else "", query, body)
    return None


class Window:
    """The rate limit: at most `limit` requests in any stretch of one second, per key. Thread-safe."""

    def __init__(self, limit: int, now: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._now = now
        self._lock = threading.Lock()
        self._admitted: deque[float] = deque()

    def admit(self) -> bool:
        """Take one place if there is one. A refused request takes none."""
        with self._lock:
            self._drop_old()
            if len(self._admitted) >= self._limit:
                return False
            self._admitted.append(self._now())
            return True

    def count_left(self) -> int:
        """Return how many places are left."""
        with self._lock:
            self._drop_old()
            return max(0, self._limit - len(self._admitted))

    def _drop_old(self) -> None:
        oldest = self._now() - WINDOW_S
        while self._admitted and self._admitted[0] <= oldest:
            self._admitted.popleft()


class Api:
    """Answers requests for one workspace. Thread-safe."""

    def __init__(self, options: SandboxOptions, workspace: Workspace, conversations: Conversations) -> None:
        self._options = options
        self._workspace = workspace
        self._conversations = conversations
        self._window = Window(max(0, options.rate_limit - options.other_traffic))
        self._started_at = time.monotonic()
        self._trace_lock = threading.Lock()
        self._traces = 0

    def check_admission(self, authorization: str | None) -> Answer | None:
        """Return the 401 or 429 for a request that may not come in, None for one that may."""
        if authorization != self._options.key or self._is_warming_up():
            return answers.make_unauthorized(self._make_trace(), has_header=authorization is not None)
        return None if self._window.admit() else self._make_too_many()

    def make_rate_headers(self) -> tuple[tuple[str, str], ...]:
        """Return the two headers that every live answer has, 401 included; there are no X-RateLimit ones."""
        return (
            ("ratelimit", f'"per-second"; r={self._window.count_left()}; t=1'),
            ("ratelimit-policy", f'"per-second"; q={self._options.rate_limit}; w=1'),
        )

    def answer(self, call: Call) -> Answer:
        """Carry out a request and return the API's answer."""
        try:
            return self._carry_out(call)
        except RefusedError as refusal:
            return answers.make_refusal(refusal, self._make_trace())

    def _is_warming_up(self) -> bool:
        return time.monotonic() - self._started_at < self._options.key_warmup_s

    def _make_trace(self) -> str:
        with self._trace_lock:
            self._traces += 1
            return derive_id(self._options.seed, "trace", self._traces, length=19)

    def _make_too_many(self) -> Answer:
        """Return the 429. Its live body was never captured, and nobody saw a Retry-After: both are variants."""
        variants = self._options.variants
        answer = answers.make_status(429, variants.rate_limit_body, self._make_trace())
        return replace(answer, headers=answers.make_retry_after(variants.retry_after, time.time()))

    def _carry_out(self, call: Call) -> Answer:
        if call.operation in FAMILIES:
            return answers.make_json(200, self._conversations.answer(call.operation, call.item_id, call.query))
        operations = {
            "list_phone_numbers": self._list_phone_numbers,
            "list_custom_fields": self._list_custom_fields,
            "list_contacts": self._list_contacts,
            "create_contact": self._create_contact,
            "get_contact": self._get_contact,
            "patch_contact": self._patch_contact,
            "delete_contact": self._delete_contact,
        }
        return operations[call.operation](call)

    def _list_phone_numbers(self, _call: Call) -> Answer:
        return answers.make_json(200, {"data": self._workspace.phone_numbers()})

    def _list_custom_fields(self, _call: Call) -> Answer:
        return answers.make_json(200, {"data": [_make_definition(each) for each in self._workspace.fields]})

    def _create_contact(self, call: Call) -> Answer:
        return answers.make_json(201, {"data": self._workspace.create(parse_body(call.body))})

    def _get_contact(self, call: Call) -> Answer:
        return answers.make_json(200, {"data": self._workspace.get(call.item_id)})

    def _patch_contact(self, call: Call) -> Answer:
        return answers.make_json(200, {"data": self._workspace.patch(call.item_id, parse_body(call.body))})

    def _delete_contact(self, call: Call) -> Answer:
        self._workspace.delete(call.item_id)
        return Answer(204, b"", None)

    def _list_contacts(self, call: Call) -> Answer:
        """Return a page. Parameters that the API does not know are ignored without a word (seen live)."""
        given = parse_qsl(call.query, keep_blank_values=True)
        offset, limit = read_offset(given), read_page_size(given, PAGE_SIZE_MAX)
        filters = {name: self._read_filter(name, given) for name in ("externalIds", "sources")}
        page = self._workspace.list_page(offset, limit, filters["externalIds"], filters["sources"])
        body = {"data": page.contacts, "totalItems": self._workspace.count_items(page)}
        return answers.make_json(200, {**body, **self._make_token(page, offset, limit)})

    def _make_token(self, page: Page, offset: int, limit: int) -> Json:
        if page.next_offset is not None:
            return {"nextPageToken": make_token(page.next_offset)}
        match self._options.variants.last_page_token:
            case "absent":
                return {}
            case "empty":
                return {"nextPageToken": ""}
            case "repeat" if offset:
                return {"nextPageToken": make_token(offset)}
            case "extra" if page.contacts:
                return {"nextPageToken": make_token(offset + limit)}
            case _:
                return {"nextPageToken": None}

    def _read_filter(self, name: str, given: list[tuple[str, str]]) -> list[str]:
        """Return a filter's values. Repeated plain keys work; brackets, commas and more than 20 do not (seen live)."""
        bracketed = [value for key, value in given if key == f"{name}[]"]
        if bracketed and self._options.variants.brackets == "refuse":
            raise make_bad_request(Issue(f"/{name}", "Expected array", bracketed, "array"))
        values = [value for key, value in given if key == name] + bracketed
        if len(values) > ARRAY_VALUES_MAX:
            raise make_bad_request(Issue(f"/{name}", "Expected array", None, "array"))
        for index, value in enumerate(values):
            _check_filter_value(f"/{name}/{index}", value)
        return values


def parse_body(body: bytes) -> Any:
    """Return a request's JSON, None for an empty body. Raises RefusedError (400).

    Python reads more than JSON is: NaN, and halves of a character that no UTF-8 text, stored or answered, can hold.
    """
    if not body.strip():
        return None
    try:
        value = json.loads(body)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:
        raise make_bad_request(Issue("", "Request body is not valid JSON", None, "object")) from error
    return value


def _check_filter_value(path: str, value: str) -> None:
    if not value:
        raise make_bad_request(Issue(path, "Expected string length greater or equal to 1", value))
    if len(value) > FILTER_LENGTH:
        raise make_bad_request(Issue(path, f"Expected string length less or equal to {FILTER_LENGTH}", value))


def _make_definition(definition: CustomField) -> Json:
    return {"name": definition.name, "key": definition.key, "type": definition.type}
