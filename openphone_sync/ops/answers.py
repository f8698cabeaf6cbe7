"""What an HTTP request comes back with, and a client that is made late.

Loads no HTTP library: a night on which nothing changed sends no request, and starts a tenth of its time sooner.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class HttpError(Exception):
    """There is no whole answer. The text says why in words, without the address, which could hold a token.

    ``advice`` says what to do about it, with ``{setting}`` for the name of the setting that holds the address.
    """

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.advice = advice


class NotConnectedError(HttpError):
    """The request never left, so that sending it again is safe."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer; ``headers`` are found by their names in any case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return self.status // 100 == 2


class Fetching(Protocol):
    """What a request goes out through; safe for many threads."""

    def fetch(
        self,
        method: str,
        url: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        body: Any = None,
        give_up: Callable[[], bool] = lambda: False,
    ) -> HttpAnswer:
        """The whole answer, ``body`` being sent as JSON; `HttpError` where there is none in time."""

    def close(self) -> None:
        """Close the connections."""


class LateClient:
    """`Fetching` through a client that is made with the first request.

    Where the environment names a proxy or certificates for ``base_url`` it is made at once: these can be wrong, and are told
    of at the start. Plain http is of this machine, and needs neither.
    """

    def __init__(self, make: Callable[[], Fetching], base_url: str) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._client = make() if base_url.startswith("https:") and _has_routes() else None

    def fetch(self, method: str, url: str, **how: Any) -> HttpAnswer:
        """As the client does."""
        with self._lock:
            if self._client is None:
                self._client = self._make()
        return self._client.fetch(method, url, **how)

    def close(self) -> None:
        """Close the connections, if there are any."""
        if self._client is not None:
            self._client.close()


def _has_routes() -> bool:
    names = {name.lower() for name, value in os.environ.items() if value}
    return any(name.endswith("_proxy") for name in names) or not names.isdisjoint(("ssl_cert_file", "ssl_cert_dir"))
