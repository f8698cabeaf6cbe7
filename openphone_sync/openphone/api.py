"""The workspace over HTTP: one method for each endpoint of v1 that is used, and paging."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from openphone_sync.errors import AnswerLostError, ContactGoneError, UnreachableError
from openphone_sync.model import ContactDraft, FieldDefinition, RemoteContact
from openphone_sync.openphone.conversations import ConversationReader
from openphone_sync.openphone.pacing import Pacer
from openphone_sync.openphone.retry import Caller, RetryRules, read_data
from openphone_sync.openphone.wire import (
    find_keys,
    is_id,
    make_create_body,
    make_update_body,
    parse_contact,
    parse_definition,
)
from openphone_sync.ops.answers import Fetching
from openphone_sync.ports import Clock

if TYPE_CHECKING:
    from openphone_sync.ops.http import HttpClient

PAGE_SIZE = 50  # vendor document; 51 is answered 400
IDS_PER_REQUEST = 20  # seen live: 21 repeated values become an object in the server's parser and are answered 400
BARREN_PAGES = 3
"""Pages in a row without a new contact after which a list is given up."""
MAX_CONTACTS = 5_000_000
MAX_TOKEN_LENGTH = 4_000
LIST_AGE_S = 3600.0
"""What a list shows is dated so far back, older than any copy that is written over unread: lists lag behind by 2 to 3 s
(seen live), and what staff typed in these seconds would be lost."""


def make_client(base_url: str, api_key: str, timeout_s: float) -> HttpClient:
    """An HTTP client for ``base_url`` (without ``/v1``). The key is sent as it is: Bearer before it is answered 401."""
    from openphone_sync.ops.http import make_http_client  # noqa: PLC0415  # see `ops.answers`

    return make_http_client(timeout_s, base_url=f"{base_url}/v1", headers={"Authorization": api_key})


class OpenPhone:
    """`ports.Workspace` over the v1 API. Safe for many threads."""

    def __init__(
        self,
        client: Fetching,
        pacer: Pacer,
        rules: RetryRules,
        clock: Clock,
        *,
        stopping: Callable[[], bool] = lambda: False,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._caller = Caller(client, pacer, rules, clock, stopping=stopping, warn=warn)
        self._clock = clock
        self._keys: Mapping[str, str] | None = None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def conversations(self) -> ConversationReader:
        """A reader of conversations at the same pace; its requests count here too."""
        return ConversationReader(self._caller)

    def request_counts(self) -> Mapping[str, int]:
        """Requests sent so far: by method, and ``retried``, ``rateLimited``."""
        return self._caller.counts()

    def read_identity(self) -> frozenset[str]:
        """Ids of the workspace's phone numbers."""
        ids = [number.get("id") for number in self._caller.read_list("/phone-numbers")]
        return frozenset(number_id for number_id in ids if isinstance(number_id, str) and number_id)

    def read_field_definitions(self) -> tuple[FieldDefinition, ...]:
        """Custom fields as staff defined them."""
        found = (parse_definition(field) for field in self._caller.read_list("/contact-custom-fields"))
        definitions = tuple(definition for definition in found if definition is not None)
        self._keys = find_keys(definitions)
        return definitions

    def read_contacts(self) -> Iterator[RemoteContact]:
        """Every contact, each once, in pages of 50. A page that fails ends the run: half a list looks like a whole one.

        The list ends at no token, at a token that was there already after a page that was not full (before December
        2024), or at a second empty page in a row: a single one may be in the middle.
        """
        seen: set[str] = set()
        tokens: set[str] = set()
        token: str | None = None
        was_empty = False
        barren = 0
        while True:
            params = [("maxResults", str(PAGE_SIZE)), *([("pageToken", token)] if token else [])]
            answer = self._caller.read("/contacts", params)
            data = read_data(answer)
            new = {one.contact_id: one for one in self._parse_page(data) if one.contact_id not in seen}
            seen.update(new)
            yield from new.values()
            token = _read_token(answer)
            if token is None or (not data and was_empty) or (token in tokens and len(data) < PAGE_SIZE):
                return
            was_empty = not data
            barren = 0 if new else barren + 1
            if token in tokens or barren == BARREN_PAGES or len(seen) > MAX_CONTACTS:
                raise UnreachableError(
                    "OpenPhone's list of contacts does not come to its end (its pages repeat), so nothing can be decided "
                    "by it; try later, and tell OpenPhone's support if it stays like this"
                )
            tokens.add(token)

    def find_contacts(self, external_ids: Sequence[str]) -> tuple[RemoteContact, ...]:
        """Contacts with these external ids. The filter is checked: unknown parameters are ignored by the API."""
        found: dict[str, RemoteContact] = {}
        for start in range(0, len(external_ids), IDS_PER_REQUEST):
            chunk = external_ids[start : start + IDS_PER_REQUEST]
            params = [("externalIds", one) for one in chunk] + [("maxResults", str(PAGE_SIZE))]
            answer = self._caller.call("GET", "/contacts", params=params)
            for contact in self._parse_page(read_data(answer)):
                if contact.external_id in chunk:
                    found[contact.contact_id] = contact
        return tuple(found.values())

    def read_contact(self, contact_id: str) -> RemoteContact:
        """One contact; `ContactGoneError` where there is none."""
        return self._parse(self._caller.call("GET", _make_path(contact_id)))

    def create_contact(self, draft: ContactDraft) -> RemoteContact:
        """One POST; a lost answer raises `AnswerLostError` and is not sent again here."""
        return self._parse(self._caller.call("POST", "/contacts", body=make_create_body(draft)))

    def update_contact(self, contact_id: str, draft: ContactDraft) -> RemoteContact:
        """Replace the contact's fields by the draft's. Sending it twice does no harm, so a lost answer is retried."""
        return self._parse(self._caller.call("PATCH", _make_path(contact_id), body=make_update_body(draft)))

    def delete_contact(self, contact_id: str) -> None:
        """Delete; a contact already gone counts as deleted."""
        try:
            self._caller.call("DELETE", _make_path(contact_id))
        except ContactGoneError:
            return

    def _find_key(self, name: str) -> str | None:
        """The key of a custom field that an answer names without it (the document has both key and id optional)."""
        if self._keys is None:
            self.read_field_definitions()
        return (self._keys or {}).get(name)

    def _parse_page(self, data: Sequence[Any]) -> list[RemoteContact]:
        read_at_s = self._clock.monotonic() - LIST_AGE_S
        whole = [one for one in data if isinstance(one, dict) and is_id(one.get("id"))]
        return [parse_contact(one, read_at_s, self._find_key) for one in whole]

    def _parse(self, answer: Mapping[str, Any]) -> RemoteContact:
        data = answer.get("data")
        try:
            return parse_contact(data if isinstance(data, dict) else {}, self._clock.monotonic(), self._find_key)
        except ValueError:
            raise AnswerLostError("the API answered without the contact", code="no contact") from None


def _make_path(contact_id: str) -> str:
    return f"/contacts/{quote(contact_id, safe='')}"


def _read_token(answer: Mapping[str, Any]) -> str | None:
    """The next page's token; None where there is none: null, absent or empty."""
    token = answer.get("nextPageToken")
    if not token:
        return None
    if not isinstance(token, str) or len(token) > MAX_TOKEN_LENGTH:
        raise UnreachableError("OpenPhone's list of contacts goes on with a page token that cannot be used; try later")
    return token
