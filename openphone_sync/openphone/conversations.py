"""Conversations over the API: the requests, and all that is known of the JSON of conversations, messages and calls.

An item keeps its JSON as the API gave it; what the rest of the program has to know of it is read here. The shapes are
those of the vendor document, and every key may be absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from openphone_sync.errors import ContactError, UnreachableError
from openphone_sync.openphone.retry import Caller

Json = Mapping[str, Any]

PAGE_SIZE = 100  # vendor document; contacts allow 50 only
USERS_PAGE_SIZE = 50
MAX_PARTICIPANTS = 10
"""Of one request for messages. A conversation of more people cannot be read with v1."""

EMPTY_PAGES = 3
"""Pages in a row that bring nothing new, after which a list that still has a token is taken for broken."""


class Kind(StrEnum):
    """What an item is; the order is that within one moment."""

    CONVERSATION = "conversation"
    MESSAGE = "message"
    CALL = "call"
    RECORDING = "recording"
    VOICEMAIL = "voicemail"
    SUMMARY = "summary"
    TRANSCRIPT = "transcript"


PARTS = (Kind.RECORDING, Kind.VOICEMAIL, Kind.SUMMARY, Kind.TRANSCRIPT)
"""What belongs to a call and is asked for by the call's id."""

_PART_PATHS = {
    Kind.RECORDING: "/call-recordings/",
    Kind.VOICEMAIL: "/call-voicemails/",
    Kind.SUMMARY: "/call-summaries/",
    Kind.TRANSCRIPT: "/call-transcripts/",
}
_UNFINISHED = {
    Kind.MESSAGE: frozenset({"queued", "sent"}),
    Kind.CALL: frozenset({"queued", "initiated", "ringing", "in-progress"}),
    Kind.RECORDING: frozenset({"in-progress", "paused", "processing", "stopping"}),
    Kind.VOICEMAIL: frozenset({"in-progress"}),
    Kind.SUMMARY: frozenset({"absent", "in-progress"}),
    Kind.TRANSCRIPT: frozenset({"absent", "in-progress"}),
}
_MOVES_BY_ITSELF = frozenset({"lastActivityAt", "lastActivityId", "updatedAt", "snoozedUntil", "mutedUntil"})
"""Keys of a conversation that change with every activity, or whenever somebody marks it as done."""

_SIGNED = frozenset({"url", "recordingUrl"})


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that the API told: its JSON, and what finds and orders it.

    ``call_id`` is that of the call it belongs to, empty for anything but parts of calls. ``at`` is when it came to be, as
    the API writes it; empty where it does not say.
    """

    kind: Kind
    item_id: str
    call_id: str
    at: str
    document: Json

    @property
    def key(self) -> tuple[Kind, str, str]:
        """What two forms of the same item have in common."""
        return self.kind, self.call_id, self.item_id

    @property
    def status(self) -> str:
        """Its status in the API's words; empty where it has none."""
        return _text(self.document, "status")

    @property
    def is_unfinished(self) -> bool:
        """Whether it may soon read differently: a message on its way, a transcript that is being made."""
        return self.status in _UNFINISHED.get(self.kind, ())

    @property
    def conversation_id(self) -> str:
        """The conversation that a message names; calls name none."""
        return _text(self.document, "conversationId")

    @property
    def may_have_voicemail(self) -> bool:
        """A call that came in and that nobody answered."""
        return _text(self.document, "direction") == "incoming" and not self.document.get("answeredAt")

    @property
    def was_answered(self) -> bool:
        """A call in which somebody talked; durations and times can disagree (seen live)."""
        return bool(self.document.get("answeredAt") or self.document.get("duration"))


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as listed; ``participants`` are the others' numbers. Times as the API writes them, empty for none."""

    conversation_id: str
    number_id: str
    participants: tuple[str, ...]
    created_at: str
    last_activity_at: str
    last_activity_id: str
    item: Item

    @property
    def name(self) -> str:
        """What staff call it; empty where they gave it no name."""
        return _text(self.item.document, "name")

    @property
    def deleted_at(self) -> str:
        """When it was deleted in the app; empty where it was not."""
        return _text(self.item.document, "deletedAt")


@dataclass(frozen=True, slots=True)
class MediaLink:
    """A file that an item names: the place among the item's files, its address (signed, soon expired), the type given."""

    item: Item
    index: int
    url: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Message:
    """What a message says. ``sender`` and ``receivers`` are numbers, ``user_id`` is of the staff; empty where absent."""

    is_incoming: bool
    sender: str
    receivers: tuple[str, ...]
    user_id: str
    text: str
    status: str


@dataclass(frozen=True, slots=True)
class PhoneCall:
    """How a call went. ``user_id`` is who of the staff answered or called; ``seconds`` is its length."""

    is_incoming: bool
    status: str
    seconds: int
    user_id: str
    is_answered: bool


@dataclass(frozen=True, slots=True)
class Speech:
    """A piece of a transcript: seconds since the call began, the number or the member of staff who spoke, what was said."""

    start_s: float
    number: str
    user_id: str
    text: str


class ConversationReader:
    """Reads what was said. Safe for many threads.

    Raises `ContactError` and its kinds for what cannot be had, `UnreachableError` where the run must end.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def request_counts(self) -> Mapping[str, int]:
        """Requests sent so far: by method, and ``retried``, ``rateLimited``."""
        return self._caller.counts()

    def read_numbers(self) -> list[Json]:
        """The office's own numbers, as the API gives them."""
        return list(self._caller.read_list("/phone-numbers"))

    def read_users(self) -> list[Json]:
        """The people of the workspace; system users such as AI agents are none of them."""
        return [one for page in self._read_pages("/users", (), USERS_PAGE_SIZE) for one in page]

    def read_conversations(self) -> Iterator[list[Conversation]]:
        """Every conversation in pages, the latest activity first. Any failure ends the run: half a list looks whole."""
        try:
            for page in self._read_pages("/conversations", (), PAGE_SIZE):
                yield [parse_conversation(one) for one in page]
        except ContactError as error:
            raise UnreachableError(f"conversations cannot be listed: {error.message}; try again later") from error

    def read_messages(self, number_id: str, participants: Sequence[str], after: str, before: str) -> Iterator[Item]:
        """Messages with exactly these people, newest first; ``after`` (empty for all) and ``before`` bound the time."""
        for page in self._read_pages("/messages", _query(number_id, participants, after, before), PAGE_SIZE):
            yield from (parse_item(Kind.MESSAGE, one) for one in page)

    def read_calls(self, number_id: str, participant: str, after: str, before: str) -> Iterator[Item]:
        """Calls with one person, newest first; the API refuses groups."""
        for page in self._read_pages("/calls", _query(number_id, [participant], after, before), PAGE_SIZE):
            yield from (parse_item(Kind.CALL, one) for one in page)

    def read_message(self, message_id: str) -> Item:
        """One message again, with fresh addresses of its media."""
        return parse_item(Kind.MESSAGE, _data(self._caller.call("GET", f"/messages/{quote(message_id, safe='')}")))

    def read_part(self, kind: Kind, call: Item) -> list[Item]:
        """What belongs to a call: recordings (any number, also none), or its voicemail, summary or transcript."""
        answer = self._caller.call("GET", _PART_PATHS[kind] + quote(call.item_id, safe=""))
        data = answer.get("data")
        found = data if isinstance(data, list) else [data]
        return [parse_item(kind, one, call) for one in found if isinstance(one, dict)]

    def _read_pages(self, path: str, query: Sequence[tuple[str, str]], size: int) -> Iterator[list[Json]]:
        """Pages until there is no further token.

        A token that comes again ends the list only after a page that was not full: after a full one something is broken,
        and the list is not complete.
        """
        token, tokens, seen, barren = "", set[str](), set[str](), 0
        while True:
            params = [*query, ("maxResults", str(size)), *([("pageToken", token)] if token else [])]
            answer = self._caller.call("GET", path, params=params)
            data = answer.get("data")
            if not isinstance(data, list):
                raise ContactError("the API answered a list without data", code="no data")
            page: list[Json] = [one for one in data if isinstance(one, dict) and _text(one, "id")]
            ids = {_text(one, "id") for one in page}
            barren = 0 if ids - seen else barren + 1
            seen |= ids
            yield page
            following = answer.get("nextPageToken")
            if not following or not isinstance(following, str):
                return
            if following in tokens or following == token:
                if len(data) < size:
                    return
                raise ContactError("the API gave a page's token again after a full page", code="same token")
            if barren >= EMPTY_PAGES:
                raise ContactError(f"{barren} pages in a row brought nothing new, and the list goes on", code="no end")
            tokens.add(token)
            token = following


def parse_conversation(document: Json) -> Conversation:
    """A conversation of a list."""
    return Conversation(
        conversation_id=_text(document, "id"),
        number_id=_text(document, "phoneNumberId"),
        participants=_texts(document.get("participants")),
        created_at=_text(document, "createdAt"),
        last_activity_at=_text(document, "lastActivityAt"),
        last_activity_id=_text(document, "lastActivityId"),
        item=parse_item(Kind.CONVERSATION, document),
    )


def parse_item(kind: Kind, document: Json, call: Item | None = None) -> Item:
    """An item; ``call`` is the call that a part belongs to, whose time it takes."""
    call_id, at = ("", _text(document, "createdAt")) if call is None else (call.item_id, call.at)
    own = _text(document, "id") if kind not in (Kind.SUMMARY, Kind.TRANSCRIPT) else ""
    return Item(kind, own or call_id, call_id, at, document)


def parse_message(item: Item) -> Message:
    """What a message says."""
    document = item.document
    receivers = document.get("to")
    return Message(
        is_incoming=_text(document, "direction") == "incoming",
        sender=_text(document, "from"),
        receivers=_texts(receivers if isinstance(receivers, list) else [receivers]),
        user_id=_text(document, "userId"),
        text=_text(document, "text"),
        status=item.status,
    )


def parse_call(item: Item) -> PhoneCall:
    """How a call went."""
    document = item.document
    seconds = document.get("duration")
    users = [_text(document, key) for key in ("answeredBy", "initiatedBy", "userId")]
    return PhoneCall(
        is_incoming=_text(document, "direction") == "incoming",
        status=item.status,
        seconds=int(seconds) if isinstance(seconds, int | float) else 0,
        user_id=next((user for user in users if user), ""),
        is_answered=item.was_answered,
    )


def parse_speeches(item: Item) -> tuple[Speech, ...]:
    """A transcript's pieces, in order."""
    dialogue = item.document.get("dialogue")
    pieces = [one for one in dialogue if isinstance(one, dict)] if isinstance(dialogue, list) else []
    return tuple(
        Speech(
            start_s=float(start) if isinstance(start := one.get("start"), int | float) else 0.0,
            number=_text(one, "identifier"),
            user_id=_text(one, "userId"),
            text=_text(one, "content"),
        )
        for one in pieces
    )


def parse_summary(item: Item) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a summary says, and its next steps."""
    said, steps = (item.document.get(key) for key in ("summary", "nextSteps"))
    return _texts(said), _texts(steps)


def read_voicemail_text(item: Item) -> str:
    """What somebody left on the machine; empty where it was not written down."""
    return _text(item.document, "transcript")


def find_names(workspace: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Of what `read_numbers` and `read_users` gave: numbers by their ids, names of numbers by number, of staff by id."""
    numbers = [one for one in workspace.get("phoneNumbers") or () if isinstance(one, dict)]
    users = [one for one in workspace.get("users") or () if isinstance(one, dict)]
    return (
        {_text(one, "id"): _text(one, "number") for one in numbers},
        {_text(one, "number"): _text(one, "name") for one in numbers},
        {_text(one, "id"): f"{_text(one, 'firstName')} {_text(one, 'lastName')}".strip() for one in users},
    )


def find_media(item: Item) -> tuple[MediaLink, ...]:
    """The files that an item names."""
    document = item.document
    if item.kind is Kind.VOICEMAIL:
        links = [(_text(document, "recordingUrl"), "audio/mpeg")]
    elif item.kind is Kind.RECORDING:
        links = [(_text(document, "url"), _text(document, "type"))]
    else:
        media = document.get("media") if item.kind is Kind.MESSAGE else None
        found = [one for one in media if isinstance(one, dict)] if isinstance(media, list) else []
        links = [(_text(one, "url"), _text(one, "type")) for one in found]
    return tuple(MediaLink(item, index, url, kind) for index, (url, kind) in enumerate(links) if url)


def without_signatures(item: Item) -> Any:
    """The item's JSON as two forms of it compare: addresses lose the signature, which differs in each answer.

    Of a conversation only what people set counts: name, participants, whom it is assigned to, whether it was deleted.
    """
    if item.kind is Kind.CONVERSATION:
        return {key: value for key, value in item.document.items() if key not in _MOVES_BY_ITSELF}
    return _unsigned(item.document)


def is_later(item: Item, other: Item) -> bool:
    """Whether ``item`` is not an older form than ``other``, as far as their times of change tell."""
    changed, before = _text(item.document, "updatedAt"), _text(other.document, "updatedAt")
    return not changed or not before or changed >= before


def find_number_ids(numbers: Iterable[Json]) -> frozenset[str]:
    """Ids of the office's numbers."""
    return frozenset(_text(one, "id") for one in numbers) - {""}


def _unsigned(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _unsigned_address(one) if key in _SIGNED and isinstance(one, str) else _unsigned(one)
            for key, one in value.items()
        }
    return [_unsigned(one) for one in value] if isinstance(value, list) else value


def _unsigned_address(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


def _query(number_id: str, participants: Sequence[str], after: str, before: str) -> list[tuple[str, str]]:
    people = [("participants", one) for one in participants]
    times = [("createdAfter", after)] if after else []
    return [("phoneNumberId", number_id), *people, *times, ("createdBefore", before)]


def _data(answer: Mapping[str, Any]) -> Json:
    data = answer.get("data")
    if not isinstance(data, dict):
        raise ContactError("the API answered without data", code="no data")
    return data


def _text(document: Json, key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
