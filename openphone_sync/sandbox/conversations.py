"""Conversations of the workspace: the API's routes for them (`answer`), and what people do in the app (`add_message` and others).

The live API's habits where they differ from the vendor document: unknown parameters are ignored; `since` acts as
`createdBefore`; a `+` that is not percent-encoded is a space; pages are offsets from the newest, so that what arrives
between two requests moves items to the next page; calls of more than one participant answer 400; what belongs to a call
answers 404 for its first seconds; addresses of media are signed again in every answer, and expire.
"""

import copy
import random
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from openphone_sync.sandbox.media import MediaHost
from openphone_sync.sandbox.options import SandboxOptions
from openphone_sync.sandbox.paging import make_token, read_offset, read_page_size
from openphone_sync.sandbox.rules import Issue, Json, RefusedError, format_time
from openphone_sync.sandbox.threads import Parts, Thread, make_call, make_id, make_message, sample_threads

Given = list[tuple[str, str]]
Key = tuple[str, frozenset[str]]

FAMILIES = {
    "list_conversations": "10",
    "list_messages": "02",
    "get_message": "02",
    "list_calls": "01",
    "get_call": "01",
    "get_recordings": "09",
    "get_summary": "05",
    "get_transcript": "06",
    "get_voicemail": "12",
    "list_users": "11",
    "get_user": "11",
}
"""Error codes begin with the family of their route."""

PLAN_ROUTES = ("get_summary", "get_transcript")  # of a Business or Scale plan
E164 = re.compile(r"\+[1-9][0-9]{1,14}")
PARTICIPANTS_MAX = 10
PHONE_NUMBERS_MAX = 20  # the document says 100, the live parser makes an object of more than 20 repeated values


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the operation, the id in its path, its query."""

    operation: str
    item_id: str
    given: Given

    def first(self, name: str) -> str | None:
        """Return the first value of a parameter."""
        return next((value for key, value in self.given if key == name), None)

    def all(self, name: str) -> list[str]:
        """Return all values of a parameter."""
        return [value for key, value in self.given if key == name]

    def refuse(self, status: int, message: str = "", issue: Issue | None = None) -> RefusedError:
        """Return the refusal of this route's family."""
        family = FAMILIES[self.operation]
        titles = {400: "Bad Request", 403: "Forbidden", 404: "Not Found"}
        issues = (issue,) if issue else ()
        return RefusedError(status, f"{family}00{status}", titles[status], message or titles[status], issues)


class Conversations:
    """What was said in a workspace. Thread-safe.

    `lines` are the office's numbers, `users` its people. Items that the app's side returns belong to the caller.
    """

    def __init__(
        self,
        options: SandboxOptions,
        lines: Sequence[Json],
        media: MediaHost,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._lines = {line["id"]: line for line in lines}
        self._media = media
        self._now = now
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._dice = random.Random(f"arrivals:{options.seed}")
        self._conversations: dict[str, Json] = {}
        self._messages: defaultdict[Key, list[Json]] = defaultdict(list)
        self._calls: defaultdict[Key, list[Json]] = defaultdict(list)
        self._items: dict[str, Json] = {}
        self._parts: dict[str, Parts] = {}
        self._known_from: dict[str, float] = {}  # call id -> when its parts begin to be there
        for thread in (
            sample_threads(options.conversations, options.seed, lines, now()) if options.conversations else ()
        ):
            self._take_in(thread)

    # The API's side.

    def answer(self, operation: str, item_id: str, query: str) -> Json:
        """Return the JSON of a GET. Raises RefusedError (400, 403, 404)."""
        asked = Asked(operation, item_id, parse_qsl(query, keep_blank_values=True))
        with self._lock:
            if operation in PLAN_ROUTES and self._options.variants.plan == "starter":
                raise asked.refuse(403, "Your plan does not include call summaries and transcripts")
            return self._answer(asked)

    def count(self) -> tuple[int, int]:
        """Return how many conversations there are, and how many messages and calls."""
        with self._lock:
            return len(self._conversations), len(self._items)

    # The app's side.

    def conversations(self) -> list[Json]:
        """Return every conversation, in no particular order."""
        with self._lock:
            return copy.deepcopy(list(self._conversations.values()))

    def items(self, conversation_id: str) -> list[Json]:
        """Return messages and calls of a conversation's people, oldest first."""
        with self._lock:
            key = _key(self._conversations[conversation_id])
            found = sorted((*self._messages[key], *self._calls[key]), key=lambda item: str(item["createdAt"]))
            return copy.deepcopy(found)

    def start(self, *participants: str, line: int = 0, name: str | None = None) -> str:
        """Begin a conversation with these numbers on a line of the office; returns its id."""
        with self._lock:
            now = self._format_now()
            conversation = {
                "assignedTo": None,
                "createdAt": now,
                "deletedAt": None,
                "id": make_id(self._dice, "CN"),
                "lastActivityAt": now,
                "lastActivityId": None,
                "mutedUntil": None,
                "name": name,
                "participants": list(participants),
                "phoneNumberId": list(self._lines)[line],
                "snoozedUntil": None,
                "updatedAt": now,
            }
            self._conversations[conversation["id"]] = conversation
            return str(conversation["id"])

    def add_message(
        self,
        conversation_id: str,
        text: str = "Hello?",
        *,
        media: Sequence[str] = (),
        is_incoming: bool = True,
        at: float | None = None,
        **changes: Any,
    ) -> Json:
        """A message comes in or goes out, now or at `at`; `media` are names of files, `changes` any of its keys."""
        with self._lock:
            conversation = self._conversations[conversation_id]
            line = self._lines[conversation["phoneNumberId"]]
            moment = self._make_moment(at)
            message = make_message(
                self._dice, line, conversation, moment, text=text, is_incoming=is_incoming, media=media
            )
            message |= changes
            self._messages[_key(conversation)].append(message)
            self._note_activity(conversation, message)
            return copy.deepcopy(message)

    def add_call(self, conversation_id: str, outcome: str = "answered", *, at: float | None = None) -> Json:
        """Somebody calls, now or at `at`; its parts are there after the lag of the options."""
        with self._lock:
            conversation = self._conversations[conversation_id]
            line = self._lines[conversation["phoneNumberId"]]
            moment = self._make_moment(at)
            call, parts = make_call(self._dice, line, conversation["participants"][0], moment, outcome)
            self._calls[_key(conversation)].append(call)
            self._parts[call["id"]] = parts
            self._known_from[call["id"]] = self._monotonic() + self._options.parts_lag_s
            self._note_activity(conversation, call)
            return copy.deepcopy(call)

    def change(self, item_id: str, **changes: Any) -> None:
        """Change keys of a conversation, message or call, as when a message is delivered. KeyError if there is none."""
        with self._lock:
            item = self._conversations.get(item_id) or self._items[item_id]
            item |= {**changes, "updatedAt": self._format_now()}

    def set_parts(self, call_id: str, **parts: Any) -> None:
        """Replace parts of a call: `recordings`, `voicemail`, `summary`, `transcript`."""
        with self._lock:
            self._parts[call_id] = replace(self._parts[call_id], **parts)

    # Below: with the lock held.

    def _answer(self, asked: Asked) -> Json:
        lists: dict[str, tuple[Callable[[Asked], list[Json]], int]] = {
            "list_conversations": (self._find_conversations, 100),
            "list_messages": (self._find_messages, 100),
            "list_calls": (self._find_calls, 100),
            "list_users": (lambda _: self._make_users(), 50),
        }
        if asked.operation in lists:
            find, largest = lists[asked.operation]
            return _make_page(asked, find(asked), largest, self._sign_message)
        getters: dict[str, Callable[[Asked], Any]] = {
            "get_user": self._get_user,
            "get_message": lambda one: self._sign_message(self._get_item(one, "text")),
            "get_call": self._get_call,
        }
        return {"data": getters.get(asked.operation, self._get_part)(asked)}

    def _find_conversations(self, asked: Asked) -> list[Json]:
        numbers = set(asked.all("phoneNumbers") or asked.all("phoneNumber"))
        if len(numbers) > PHONE_NUMBERS_MAX:
            raise asked.refuse(400, "Expected array", Issue("/phoneNumbers", "Expected array", None, "array"))
        for place, number in enumerate(sorted(numbers)):
            if not E164.fullmatch(number) and not number.startswith("PN"):
                raise _refuse_value(asked, f"/phoneNumbers/{place}", number)
        lines = {line["id"] for line in self._lines.values() if not numbers or numbers & {line["id"], line["number"]}}
        found = (one for one in self._conversations.values() if one["phoneNumberId"] in lines)
        kept = _within(_within(found, asked, "created"), asked, "updated")
        return sorted(kept, key=lambda one: (str(one["lastActivityAt"] or ""), one["id"]), reverse=True)

    def _find_messages(self, asked: Asked) -> list[Json]:
        people = asked.all("participants")
        if not 1 <= len(people) <= PARTICIPANTS_MAX:
            raise _refuse_value(asked, "/participants", None, "array")
        for place, number in enumerate(people):
            if not E164.fullmatch(number):
                raise _refuse_value(asked, f"/participants/{place}", number)
        return self._find_items(asked, self._messages, people)

    def _find_calls(self, asked: Asked) -> list[Json]:
        people = asked.all("participants")
        if len(people) != 1:
            raise RefusedError(400, "0101400", "Too Many Participants", "Too Many Participants")
        if not E164.fullmatch(people[0]):
            raise _refuse_value(asked, "/participants/0", people[0])
        return self._find_items(asked, self._calls, people)

    def _find_items(self, asked: Asked, items: defaultdict[Key, list[Json]], people: Sequence[str]) -> list[Json]:
        line = asked.first("phoneNumberId") or ""
        if not line.startswith("PN"):
            raise _refuse_value(asked, "/phoneNumberId", line)
        if line not in self._lines:
            raise asked.refuse(404, "Phone number not found")
        found = items.get((line, frozenset(people)), [])
        return sorted(
            _within(found, asked, "created"), key=lambda one: (str(one["createdAt"]), one["id"]), reverse=True
        )

    def _get_item(self, asked: Asked, mark: str) -> Json:
        if not asked.item_id.startswith("AC"):
            raise _refuse_value(asked, "/id", asked.item_id)
        item = self._items.get(asked.item_id)
        if item is None or mark not in item:
            raise asked.refuse(404)
        return item

    def _get_call(self, asked: Asked) -> Json:
        call = self._get_item(asked, "duration")
        if len(call["participants"]) > 2:
            raise RefusedError(400, "0101400", "Too Many Participants", "Too Many Participants")
        return call

    def _get_part(self, asked: Asked) -> Any:
        """Return what belongs to a call: 404 in its first seconds, when transcripts and summaries are in progress."""
        call = self._get_item(asked, "duration")
        parts = self._parts[call["id"]]
        is_early = self._monotonic() < self._known_from.get(call["id"], 0)
        match asked.operation:
            case "get_recordings":
                if is_early:
                    raise asked.refuse(404)
                return [self._sign(recording, "url") for recording in parts.recordings]
            case "get_voicemail":
                part = self._sign(parts.voicemail, "recordingUrl") if parts.voicemail and not is_early else None
            case "get_summary":
                part = _begin(parts.summary, {"summary": None, "nextSteps": None}, is_early=is_early)
            case _:
                part = _begin(parts.transcript, {"dialogue": None}, is_early=is_early)
        if part is None:
            raise asked.refuse(404)
        return part

    def _get_user(self, asked: Asked) -> Json:
        if not asked.item_id.startswith("US"):  # system users (SYU…) are none of them (seen live)
            raise _refuse_value(asked, "/userId", asked.item_id)
        found = [user for user in self._make_users() if user["id"] == asked.item_id]
        if not found:
            raise asked.refuse(404)
        return found[0]

    def _make_users(self) -> list[Json]:
        users = {user["id"]: user for line in self._lines.values() for user in line["users"]}
        times = {"createdAt": "2024-01-15T17:00:00.000Z", "updatedAt": "2024-06-03T18:30:00.000Z"}
        kept = ("email", "firstName", "lastName", "id", "role")
        return [{**{name: user[name] for name in kept}, "pictureUrl": None, **times} for user in users.values()]

    def _sign_message(self, message: Json) -> Json:
        """Return a message with addresses of its media; anything else as it is."""
        if "media" not in message:
            return message
        return {**message, "media": [self._sign(each, "url") for each in message["media"]]}

    def _sign(self, item: Json, name: str) -> Json:
        """Return the item with an address in place of a file's name; null and whole addresses stay."""
        value = item[name]
        return item if value is None or "//" in value else {**item, name: self._media.sign(value)}

    def _take_in(self, thread: Thread) -> None:
        conversation = thread.conversation
        self._conversations[conversation["id"]] = conversation
        self._messages[_key(conversation)] += thread.messages
        self._calls[_key(conversation)] += thread.calls
        self._items |= {item["id"]: item for item in (*thread.messages, *thread.calls)}
        self._parts |= thread.parts

    def _note_activity(self, conversation: Json, item: Json) -> None:
        self._items[item["id"]] = item
        at = max(item["createdAt"], conversation["lastActivityAt"] or "")
        if at == item["createdAt"]:
            conversation |= {"lastActivityId": item["id"], "lastActivityAt": at, "updatedAt": at}

    def _make_moment(self, at: float | None) -> datetime:
        return datetime.fromtimestamp(self._now() if at is None else at, UTC)

    def _format_now(self) -> str:
        return format_time(datetime.fromtimestamp(self._now(), UTC))


def _begin(part: Json | None, blanks: Json, *, is_early: bool) -> Json | None:
    return part if part is None or not is_early else {**part, **blanks, "status": "in-progress"}


def _key(conversation: Json) -> Key:
    return str(conversation["phoneNumberId"]), frozenset(conversation["participants"])


def _refuse_value(asked: Asked, path: str, value: Any, kind: str = "string") -> RefusedError:
    message = "Expected required property" if value is None else "Expected string to match pattern"
    return asked.refuse(400, message, Issue(path, message, value, kind))


def _within(items: Sequence[Json] | Iterator[Json], asked: Asked, word: str) -> Iterator[Json]:
    """Yield what was created (updated) between the bounds given, neither of them included."""
    after, before = _read_time(asked, f"{word}After"), _read_time(asked, f"{word}Before")
    if before is None and asked.operation != "list_conversations":
        before = _read_time(asked, "since")
    for item in items:
        at = datetime.fromisoformat(item[f"{word}At"])
        if (after is None or at > after) and (before is None or at < before):
            yield item


def _read_time(asked: Asked, name: str) -> datetime | None:
    text = asked.first(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise asked.refuse(
            400, "Expected string to match 'date-time' format", Issue(f"/{name}", "Expected date-time", text)
        )
    return moment


def _make_page(asked: Asked, found: list[Json], largest: int, finish: Callable[[Json], Json]) -> Json:
    offset, limit = read_offset(asked.given), read_page_size(asked.given, largest)
    page = [finish(item) for item in found[offset : offset + limit]]
    more = offset + limit < len(found)
    return {"data": page, "totalItems": len(page), "nextPageToken": make_token(offset + limit) if more else None}
