"""A caller for the sandbox's tests: plain http.client over the real socket, and an own check of its manners."""

import http.client
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from openphone_sync.sandbox import SandboxOptions, Variants
from tests.fault_injection import Fault, FaultySandbox

FAST = 100_000  # requests per second: no test but those of the limit wants to meet it


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        return self.json["data"]


class Caller:
    """One keep-alive connection with a good key; `server` is the sandbox at its other end."""

    def __init__(self, server: FaultySandbox) -> None:
        self.server = server
        self.workspace = server.workspace
        self._connection = http.client.HTTPConnection(server.base_url.removeprefix("http://"), timeout=5)

    def ask(
        self, method: str, path: str, body: object = None, key: str | None = "", kind: str = "application/json"
    ) -> Reply:
        """Send one request: `body` as JSON (bytes as they are), `key` "" for the right one, None for no header."""
        headers = {"Content-Type": kind}
        if key is not None:
            headers["Authorization"] = key or self.server.options.key
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        self._connection.request(method, path, content, headers)
        response = self._connection.getresponse()
        return Reply(response.status, dict(response.headers), response.read())

    def create(self, first_name: str | None = "Ann", **body: object) -> Reply:
        return self.ask("POST", "/v1/contacts", {"defaultFields": {"firstName": first_name}, **body})

    def page(self, **query: object) -> Reply:
        return self.ask("GET", "/v1/contacts?" + urlencode(query, doseq=True))

    def walk(self, **query: object) -> list[str]:
        """Return the ids of all pages."""
        ids: list[str] = []
        token: dict[str, str] = {}
        while True:
            reply = self.page(**query, **token).json
            ids.extend(each["id"] for each in reply["data"])
            if not reply.get("nextPageToken"):
                return ids
            token = {"pageToken": reply["nextPageToken"]}

    def close(self) -> None:
        self._connection.close()


def make_contacts(api: Caller, count: int) -> list[str]:
    """Create C0, C1, ... with the external ids e0, e1, ...; return their ids."""
    return [api.create(f"C{index}", externalId=f"e{index}").data["id"] for index in range(count)]


def vary(**chosen: Any) -> Variants:
    return Variants(**chosen)


@contextmanager
def calling(variants: Variants | None = None, faults: Iterable[Fault] = (), **options: Any) -> Iterator[Caller]:
    """Start a sandbox without rate limit to speak of, and yield a caller for it."""
    chosen = SandboxOptions(**{"rate_limit": FAST, "variants": variants or Variants(), **options})
    with FaultySandbox(chosen, faults) as server:
        caller = Caller(server)
        try:
            yield caller
        finally:
            caller.close()
