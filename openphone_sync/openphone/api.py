"""The workspace over HTTP: one method for each endpoint of v1 that is used, and paging."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from openphone_sync.errors import AnswerLostError, ContactGoneError, UnreachableError
from openphone_sync.model import ContactDraft, FieldDefinition, RemoteContact
from openphone_sync.openphone.pacing import Pacer
from openphone_sync.openphone.retry import Caller, RetryRules
from openphone_sync.openphone.wire import (
    find_keys,
    make_create_body,
    make_update_body,
    parse_contact,
    parse_definition,
)
from openphone_sync.ops.http import HttpClient, make_http_client
from openphone_sync.ports import Clock

PAGE_SIZE = 50  # vendor document; 51 is answered 400
IDS_PER_REQUEST = 20  # seen live: 21 repeated values become an object in the server's parser and are answered 400
LIST_AGE_S = 3600.0
"""What a list shows is dated so far back, older than any copy that is written over unread: lists lag behind by 2 to 3 s
(seen live), and what staff typed in these seconds would be lost."""


def make_client(base_url: str, api_key: str, timeout_s: float) -> HttpClient:
    """An HTTP client for ``base_url`` (without ``/v1``). The key is sent as it is: Bearer before it is answered 401."""
    return make_http_client(timeout_s, base_url=f"{base_url}/v1", headers={"Authorization": api_key})


class OpenPhone:
    """`ports.Workspace` over the v1 API. Safe for many threads."""

    def __init__(
        self,
        client: HttpClient,
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

    def request_counts(self) -> Mapping[str, int]:
        """Requests sent so far: by method, and ``retried``, ``rateLimited``."""
        return self._caller.counts()

    def read_identity(self) -> frozenset[str]:
        """Ids of the workspace's phone numbers."""
        numbers = self._caller.read_list("/phone-numbers")
        return frozenset(str(one["id"]) for one in numbers if one.get("id"))

    def read_field_definitions(self) -> tuple[FieldDefinition, ...]:
        """Custom fields as staff defined them."""
        found = (parse_definition(one) for one in self._caller.read_list("/contact-custom-fields"))
        definitions = tuple(one for one in found if one is not None)
        self._keys = find_keys(definitions)
        return definitions

    def read_contacts(self) -> Iterator[RemoteContact]:
        """Every contact, each once, in pages of 50. A page that fails ends the run: half a list looks like a whole one."""
        seen: set[str] = set()
        for page in self._read_pages():
            for contact in page:
                if contact.contact_id not in seen:
                    seen.add(contact.contact_id)
                    yield contact

    def find_contacts(self, external_ids: Sequence[str]) -> tuple[RemoteContact, ...]:
        """Contacts with these external ids. The filter is checked: unknown parameters are ignored by the API."""
        found: dict[str, RemoteContact] = {}
        for start in range(0, len(external_ids), IDS_PER_REQUEST):
            chunk = external_ids[start : start + IDS_PER_REQUEST]
            params = [("externalIds", one) for one in chunk] + [("maxResults", str(PAGE_SIZE))]
            answer = self._caller.call("GET", "/contacts", params=params)
            for contact in self._parse_page(answer):
                if contact.external_id in chunk:
                    found[contact.contact_id] = contact
        return tuple(found.values())

    def read_contact(self, contact_id: str) -> RemoteContact:
        """One contact; `ContactGoneError` where there is none."""
        return self._parse(self._caller.call("GET", f"/contacts/{contact_id}"))

    def create_contact(self, draft: ContactDraft) -> RemoteContact:
        """One POST; a lost answer raises `AnswerLostError` and is not sent again here."""
        return self._parse(self._caller.call("POST", "/contacts", body=make_create_body(draft)))

    def update_contact(self, contact_id: str, draft: ContactDraft) -> RemoteContact:
        """Replace the contact's fields by the draft's. Sending it twice does no harm, so a lost answer is retried."""
        return self._parse(self._caller.call("PATCH", f"/contacts/{contact_id}", body=make_update_body(draft)))

    def delete_contact(self, contact_id: str) -> None:
        """Delete; a contact already gone counts as deleted."""
        try:
            self._caller.call("DELETE", f"/contacts/{contact_id}")
        except ContactGoneError:
            return

    def _find_key(self, name: str) -> str | None:
        """The key of a custom field that an answer names without it (the document has both key and id optional)."""
        if self._keys is None:
            self.read_field_definitions()
        return (self._keys or {}).get(name)

    def _read_pages(self) -> Iterator[list[RemoteContact]]:
        token: str | None = None
        tokens: set[str] = set()
        while True:
            params = [("maxResults", str(PAGE_SIZE))] + ([("pageToken", token)] if token else [])
            answer = self._caller.read("/contacts", params)
            yield self._parse_page(answer)
            token = answer.get("nextPageToken")
            # The end is null, absent, empty, or (before December 2024) a token that was there already.
            if not token or not isinstance(token, str) or token in tokens:
                return
            tokens.add(token)

    def _parse_page(self, answer: Mapping[str, Any]) -> list[RemoteContact]:
        data = answer.get("data")
        if not isinstance(data, list):
            raise UnreachableError(
                "OpenPhone answered a list of contacts without data; check OPENPHONE_BASE_URL, or try later"
            )
        read_at_s = self._clock.monotonic() - LIST_AGE_S
        whole = [one for one in data if isinstance(one, dict) and isinstance(one.get("id"), str) and one["id"]]
        return [parse_contact(one, read_at_s, self._find_key) for one in whole]

    def _parse(self, answer: Mapping[str, Any]) -> RemoteContact:
        data = answer.get("data")
        try:
            return parse_contact(data if isinstance(data, dict) else {}, self._clock.monotonic(), self._find_key)
        except ValueError:
            raise AnswerLostError("the API answered without the contact", code="no contact") from None
