"""A sandbox in which things go wrong, on the way or at the other end.

A fault looks at every request that its `method` and `path` match and counts them. It strikes from the `nth` of them on,
at most `count` times (None: for ever), each time with `probability`. The first fault that strikes has the request;
the others only count it. Only requests that were let in (known route, good key, within the rate limit) are looked at.

    Fault(FaultKind.STATUS, status=502, method="POST", nth=3)             the third create: 502, nothing stored
    Fault(FaultKind.STATUS, status=502, method="POST", committed=True)    the same, but stored
    Fault(FaultKind.STATUS, status=429, path="/v1/contacts?*pageToken=*") one 429 in the middle of a page walk
    Fault(FaultKind.STATUS, status=401, nth=20, count=None)               the key is revoked after 19 requests
    Fault(FaultKind.DROP, committed=True, probability=0.1, count=None)    every tenth answer is lost
"""

from __future__ import annotations

import gzip
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from openphone_sync.sandbox import CustomField, SandboxOptions, SandboxServer, Workspace, answers
from openphone_sync.sandbox.answers import Answer, Style
from openphone_sync.sandbox.api import Api, Call
from openphone_sync.sandbox.conversations import FAMILIES, Conversations
from openphone_sync.sandbox.paging import make_token, read_offset
from openphone_sync.sandbox.rules import Json
from openphone_sync.sandbox.server import Handler

GHOST_ID = "f" * 24
UNKNOWN_FIELDS: Mapping[str, Any] = {"xRevision": 7, "xLinks": [{"rel": "self", "href": None}]}
SPARSE_TALK = ("assignedTo", "deletedAt", "mutedUntil", "name", "snoozedUntil", "answeredBy", "callRoute", "startTime")
SLOW_PIECES = 10
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() sends RST
ABSURD_HEADERS = (
    ("Date", "Fri, 31 Dec 99999 23:59:59 GMT"),
    ("Retry-After", "Fri, 31 Dec 999999999999 23:59:59 GMT"),
    ("ratelimit-policy", '"day"; q=10; w=86400, "never"; q=0; w=1, "long"; q=' + "9" * 400 + "; w=1"),
)
NO_ANSWER = Answer(0, b"", None)
"""The connection is closed instead."""


class FaultKind(StrEnum):
    """What happens to the request. Those marked (list) change the answers of lists in pages and nothing else."""

    DROP = "drop"  # the connection is closed with no answer; `reset` makes it a TCP reset
    CUT = "cut"  # carried out; the connection is closed in the middle of the answer's body
    STATUS = "status"  # answered with `status`, in `style`, with `retry_after` if given
    TRUNCATED = "truncated"  # carried out; a whole answer whose JSON stops half-way
    NOT_JSON = "not-json"  # a 200 with a page of HTML, called application/json
    EMPTY = "empty"  # a 200 with no body
    HANG = "hang"  # `seconds` of silence, then the answer if `committed`, else the connection is closed
    SLOW_BODY = "slow-body"  # carried out; the body takes `seconds`
    IGNORED_WRITE = "ignored-write"  # the 2xx of a write, and nothing is stored; PATCH answers the contact as it was
    EXTRA_FIELDS = "extra-fields"  # carried out; unknown keys at every level of the answer
    SPARSE_FIELDS = "sparse-fields"  # carried out; optional keys absent, null wherever the vendor document allows it
    GHOST = "ghost"  # (list) the first item is listed under an id that answers 404
    SAME_TOKEN = "same-token"  # (list) a later page carries the token it was asked with
    EMPTY_TOKEN = "empty-token"  # (list) "" instead of null on the last page
    NO_TOKEN = "no-token"  # (list) no nextPageToken on the last page
    EMPTY_PAGE = "empty-page"  # (list) no items, and a token that goes on from here
    ITEM_TWICE = "item-twice"  # (list) the first item of the page comes twice
    ITEM_MISSING = "item-missing"  # (list) the first item of the page is left out
    NEW_TOKENS = "new-tokens"  # (list) the first page again and again, each time with a token that was never there
    FLOOD = "flood"  # 1xx answers without an end
    BOMB = "bomb"  # a 200 whose 100 kB of gzip are 100 MB
    DEEP = "deep"  # a 200 with 200,000 opening brackets
    ABSURD_HEADERS = "absurd-headers"  # carried out; dates, quotas and waits that no calendar and no number can hold
    ECHO = "echo"  # a 400 whose title is the request itself: names, phones and the key
    ARRIVAL = "arrival"  # a message arrives in the conversation that is asked for, just before the answer


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong; the module's text says when it strikes.

    `path` is a shell pattern for the path, or for path and query when it contains a "?" (which also matches itself).
    `committed`: the request is carried out although its answer is lost. `seconds` is for HANG and SLOW_BODY.
    """

    kind: FaultKind
    method: str = "*"
    path: str = "/v1/*"
    nth: int = 1
    count: int | None = 1
    probability: float = 1.0
    status: int = 500
    style: Style = "auto"
    retry_after: str | None = None
    seconds: float = 1.0
    committed: bool = False
    reset: bool = False

    def matches(self, method: str, target: str) -> bool:
        """Tell whether a request is one of those that this fault looks at; `target` is path and query."""
        subject = target if "?" in self.path else target.partition("?")[0]
        return fnmatchcase(method, self.method) and fnmatchcase(subject, self.path)


class Faults:
    """The faults of a running sandbox; ``struck`` are those that have struck. Thread-safe."""

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._active: list[_Counted] = []
        self.struck: list[Fault] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Add a fault; it counts requests from now on."""
        with self._lock:
            self._active.append(_Counted(fault))

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._active.clear()

    def take(self, method: str, target: str) -> Fault | None:
        """Return the fault that strikes this request, if any, and count the request."""
        with self._lock:
            if not self._active:
                return None
            struck = None
            for counted in self._active:
                if counted.sees(method, target) and struck is None and counted.strikes(self._random):
                    struck = counted.fault
                    self.struck.append(struck)
            return struck


class _Counted:
    """A fault with what it has seen and done."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.seen = 0
        self.struck = 0

    def sees(self, method: str, target: str) -> bool:
        if not self.fault.matches(method, target):
            return False
        self.seen += 1
        return self.seen >= self.fault.nth

    def strikes(self, dice: random.Random) -> bool:
        if self.fault.count is not None and self.struck >= self.fault.count:
            return False
        if self.fault.probability < 1 and dice.random() >= self.fault.probability:
            return False
        self.struck += 1
        return True


def parse_fault(text: str) -> Fault:
    """A fault from `kind[:name=value,...]`, as `status:status=503,method=POST,count=none`."""
    kind, _, rest = text.partition(":")
    pairs = (pair.partition("=") for pair in rest.split(",") if pair)
    values: dict[str, Any] = {name: _READERS.get(name, str)(value) for name, _, value in pairs}
    return Fault(FaultKind(kind), **values)


_READERS: Mapping[str, Callable[[str], Any]] = {
    "nth": int,
    "count": lambda text: None if text == "none" else int(text),
    "probability": float,
    "status": int,
    "seconds": float,
    "committed": lambda text: text == "true",
    "reset": lambda text: text == "true",
}


# --- the server ----------------------------------------------------------------------------------------------------


class FaultySandbox(SandboxServer):
    """A sandbox with `faults`."""

    def __init__(self, options: SandboxOptions | None = None, faults: Iterable[Fault] = ()) -> None:
        super().__init__(options)
        self.faults = Faults(faults, self.options.seed)

    @property
    def handler(self) -> type[Handler]:
        return FaultyHandler

    def forget_requests(self) -> None:
        super().forget_requests()
        self.faults.struck.clear()


class FaultyHandler(Handler):
    """Answers requests under the faults of its sandbox."""

    fault: Fault | None = None

    def carry_out(self, call: Call) -> Answer:
        sandbox = self.server.sandbox
        assert isinstance(sandbox, FaultySandbox)
        self.fault = sandbox.faults.take(self.command, self.path)
        return super().carry_out(call) if self.fault is None else _answer(self.server.api, call, self.fault)

    def put_out(self, answer: Answer) -> None:
        fault, self.fault = self.fault, None
        if fault is not None and fault.kind is FaultKind.HANG:
            self.server.sandbox.stopping.wait(fault.seconds)
        if answer is NO_ANSWER:
            if fault is not None and fault.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.close_connection = True
        elif fault is not None and fault.kind is FaultKind.CUT:
            self.close_connection = True
            self.connection.sendall(self.make_head(answer) + answer.body[: len(answer.body) // 2])
        elif fault is not None and fault.kind is FaultKind.SLOW_BODY:
            self._send_slowly(answer, fault.seconds)
        elif fault is not None and fault.kind is FaultKind.FLOOD:
            self._send_endlessly(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
        elif fault is not None and fault.kind is FaultKind.ECHO:
            self.send(answers.make_json(400, {"title": f"{self.headers.get('Authorization')} {answer.body.decode()}"}))
        else:
            self.send(answer)

    def _send_endlessly(self, piece: bytes) -> None:
        self.close_connection = True
        while not self.server.sandbox.stopping.wait(0.01):
            self.connection.sendall(piece)  # OSError when the client has gone

    def _send_slowly(self, answer: Answer, seconds: float) -> None:
        self.connection.sendall(self.make_head(answer))
        size = max(1, -(-len(answer.body) // SLOW_PIECES))
        for start in range(0, len(answer.body), size):
            if self.server.sandbox.stopping.wait(seconds / SLOW_PIECES):
                return
            self.connection.sendall(answer.body[start : start + size])


# --- the answers ---------------------------------------------------------------------------------------------------


def _answer(api: Api, call: Call, fault: Fault) -> Answer:
    """The answer under a fault."""
    match fault.kind:
        case FaultKind.STATUS | FaultKind.DROP | FaultKind.HANG | FaultKind.NOT_JSON | FaultKind.EMPTY:
            carried_out = api.answer(call) if fault.committed else NO_ANSWER
            return _answer_lost(api, call, fault, carried_out)
        case FaultKind.IGNORED_WRITE:
            return _answer_ignored(api, call)
        case FaultKind.TRUNCATED:
            answer = api.answer(call)
            return replace(answer, body=answer.body[: len(answer.body) // 2])
        case FaultKind.FLOOD | FaultKind.BOMB | FaultKind.DEEP | FaultKind.ABSURD_HEADERS | FaultKind.ECHO:
            return _answer_hostile(api, call, fault.kind)
        case FaultKind.CUT | FaultKind.SLOW_BODY | FaultKind.ARRIVAL:
            if fault.kind is FaultKind.ARRIVAL:
                _arrive(api._conversations, call.query)
            return api.answer(call)
        case _:
            return _answer_distorted(api, call, fault.kind)


def _answer_hostile(api: Api, call: Call, kind: FaultKind) -> Answer:
    match kind:
        case FaultKind.BOMB:
            return Answer(200, _make_bomb(), headers=(("Content-Encoding", "gzip"),))
        case FaultKind.DEEP:
            return Answer(200, b"[" * 200_000)
        case FaultKind.ABSURD_HEADERS:
            answer = api.answer(call)
            return replace(answer, headers=(*answer.headers, *ABSURD_HEADERS))
        case _:
            return Answer(400, call.body)


@cache
def _make_bomb() -> bytes:
    return gzip.compress(bytes(100_000_000), compresslevel=1)


def _answer_lost(api: Api, call: Call, fault: Fault, carried_out: Answer) -> Answer:
    match fault.kind:
        case FaultKind.STATUS:
            family = FAMILIES.get(call.operation, answers.CONTACTS)
            answer = answers.make_status(fault.status, fault.style, api._make_trace(), family)
            return replace(answer, headers=answers.make_retry_after(fault.retry_after or "none", time.time()))
        case FaultKind.NOT_JSON:
            return Answer(200, b"<html><body>Scheduled maintenance</body></html>")
        case FaultKind.EMPTY:
            return Answer(200)
        case FaultKind.HANG:
            return carried_out
        case _:
            return NO_ANSWER


def _answer_ignored(api: Api, call: Call) -> Answer:
    """The answer of a write that is acknowledged and then forgotten."""
    if call.operation == "create_contact":
        # An empty workspace with the same custom fields, whose ids are not those of any stored contact.
        seed, fields = int(api._make_trace(), 16), tuple(api._workspace.fields)
        options = replace(api._options, seed=seed, custom_fields=fields)
        return Api(options, Workspace(options), api._conversations).answer(call)
    if call.operation == "delete_contact":
        return Answer(204, b"", None)
    return api.answer(replace(call, operation="get_contact"))


def _answer_distorted(api: Api, call: Call, kind: FaultKind) -> Answer:
    """Carry out a request and distort its JSON; answers without `data` stay as they are."""
    answer = api.answer(call)
    value = json.loads(answer.body) if answer.status < 300 and answer.body else {}
    if "data" not in value:
        return answer
    if kind is FaultKind.EXTRA_FIELDS:
        changed = _add_unknown_fields(value)
    elif kind is FaultKind.SPARSE_FIELDS and "contact" in call.operation:
        changed = {**value, "data": _thin_out(value["data"], api._workspace.fields)}
    elif kind is FaultKind.SPARSE_FIELDS and call.operation in FAMILIES:
        changed = {**value, "data": _thin_out_talk(value["data"])}
    else:
        changed = _distort_list(kind, value, call) if "totalItems" in value else value
    return answers.make_json(answer.status, changed)


def _distort_list(kind: FaultKind, value: Json, call: Call) -> Json:
    given = dict(parse_qsl(call.query))
    asked = given.get("pageToken")
    first = value["data"][:1]
    is_last = value["nextPageToken"] is None if "nextPageToken" in value else True
    distorted: dict[FaultKind, Json] = {
        FaultKind.GHOST: {"data": [{**each, "id": GHOST_ID} for each in first] + value["data"][1:]},
        FaultKind.SAME_TOKEN: {"nextPageToken": asked} if asked else {},
        FaultKind.EMPTY_TOKEN: {"nextPageToken": ""} if is_last else {},
        FaultKind.EMPTY_PAGE: {"data": [], "nextPageToken": make_token(read_offset(list(given.items())), "again")},
        FaultKind.NEW_TOKENS: {"nextPageToken": make_token(0, uuid4().hex)},
        FaultKind.ITEM_TWICE: {"data": first + value["data"]},
        FaultKind.ITEM_MISSING: {"data": value["data"][1:]},
    }
    changed = {**value, **distorted.get(kind, {})}
    if kind is FaultKind.NO_TOKEN and is_last:
        changed.pop("nextPageToken", None)
    return changed


def _arrive(conversations: Conversations, query: str) -> None:
    """A message comes in, in the conversation that a list asks for, else in the oldest one."""
    wanted = {value for key, value in parse_qsl(query) if key == "participants"}
    with conversations._lock:
        found = [one for one in conversations._conversations.values() if one["participants"]]
        exact = [one for one in found if wanted and set(one["participants"]) == wanted]
        oldest = sorted(found, key=lambda one: str(one["lastActivityAt"]))
        for conversation in (exact or oldest)[:1]:
            conversations.add_message(conversation["id"], "One more thing")


def _add_unknown_fields(value: Any) -> Any:
    if isinstance(value, dict):
        return {**{name: _add_unknown_fields(each) for name, each in value.items()}, **UNKNOWN_FIELDS}
    if isinstance(value, list):
        return [_add_unknown_fields(each) for each in value]
    return value


def _thin_out(data: Any, definitions: list[CustomField]) -> Any:
    """Leave out what the vendor document does not require, and set to null what may be; no value is lost by it."""
    if isinstance(data, list):
        return [_thin_out(each, definitions) for each in data]
    if "defaultFields" not in data:
        return data
    defaults = data["defaultFields"]
    items = {name: [_leave_out(each, "id") for each in defaults[name]] for name in ("emails", "phoneNumbers")}
    given = {each["key"] for each in data["customFields"]}
    custom = [_leave_out(each, "id", "key") for each in data["customFields"]]
    blank = [{"name": each.name, "type": each.type, "value": None} for each in definitions if each.key not in given]
    return {**data, "sourceUrl": None, "defaultFields": {**defaults, **items}, "customFields": custom + blank}


def _thin_out_talk(data: Any) -> Any:
    """Leave out what live messages lack at times (`userId`, `media`), set to null what conversations and calls may."""
    if isinstance(data, list):
        return [_thin_out_talk(each) for each in data]
    blank = {name: None for name in SPARSE_TALK if name in data}
    return {**_leave_out(data, "userId", "media"), **blank} if "text" in data else {**data, **blank}


def _leave_out(item: Json, *names: str) -> Json:
    return {name: value for name, value in item.items() if name not in names}
