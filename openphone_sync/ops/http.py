"""HTTP clients. Only this module imports httpx; OpenPhone's requests, the pings and downloads all go through here.

Every client takes proxies and certificate authorities from the environment, names this program, and has time limits.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from typing import BinaryIO

import httpx

from openphone_sync.ports import Clock

HttpClient = httpx.Client
HttpResponse = httpx.Response
HttpError = httpx.HTTPError
"""A request without a whole answer, or (`HttpResponse.raise_for_status`) with the answer of an error."""

NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout)
"""Errors of requests that never left, so that sending them again is safe."""

CONNECT_TIMEOUT_S = 10.0
CONNECTIONS = 10
MOST_REDIRECTS = 5
PIECE = 1 << 16


def make_http_client(
    timeout_s: float, *, base_url: str = "", headers: Mapping[str, str] | None = None, follow_redirects: bool = False
) -> HttpClient:
    """A client for many threads; ``timeout_s`` limits each wait for the other side."""
    return httpx.Client(
        base_url=base_url,
        headers={"User-Agent": f"openphone-sync/{version('openphone-sync')}", **(headers or {})},
        timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s), pool=None),
        limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        follow_redirects=follow_redirects,
        trust_env=True,
    )


def describe_http_error(error: HttpError) -> str:
    """What went wrong in words (``read timeout``), without the address, which could hold a token."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__).lower().removesuffix(" error")


# --- files from other hosts ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file that was written: its size in bytes, its SHA-256 in hex, and the type that its host gave it."""

    size: int
    sha256: str
    media_type: str


class DownloadRefusedError(Exception):
    """The file cannot be had: its host answered ``status``, or (0) the address is one that is not followed."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class TooLargeError(DownloadRefusedError):
    """The file has more bytes than are taken."""


def download(
    client: HttpClient,
    url: str,
    file: BinaryIO,
    *,
    most: int,
    deadline_s: float,
    is_local: bool,
    clock: Clock,
    check: Callable[[], None],
) -> Downloaded:
    """Stream a file of at most ``most`` bytes to disk, within ``deadline_s`` in all.

    Redirects go from https to https only. ``is_local``: OpenPhone itself is on this machine (the sandbox), so plain http
    to this machine is taken too, and nowhere else. ``check`` is called for every piece, and ends the download by raising.
    Raises `DownloadRefusedError`, `HttpError`, and what writing raises. The client must hold no key.
    """
    ends_at = clock.monotonic() + deadline_s
    for _ in range(MOST_REDIRECTS + 1):
        _check_address(url, is_local=is_local)
        with client.stream("GET", url, headers={"Accept-Encoding": "identity"}, follow_redirects=False) as response:
            if response.has_redirect_location:
                url = str(response.url.join(response.headers["location"]))
                continue
            if response.status_code != HTTPStatus.OK:
                raise DownloadRefusedError(f"its host answered {response.status_code}", response.status_code)
            media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            digest, size = hashlib.sha256(), 0
            for piece in response.iter_bytes(PIECE):
                check()
                size += len(piece)
                if size > most:
                    raise TooLargeError(f"it is larger than {most // 1_000_000} MB")
                if clock.monotonic() > ends_at:
                    raise DownloadRefusedError(f"it took longer than {deadline_s:.0f} s")
                digest.update(piece)
                file.write(piece)
            return Downloaded(size, digest.hexdigest(), media_type)
    raise DownloadRefusedError(f"it was redirected more than {MOST_REDIRECTS} times")


def _check_address(url: str, *, is_local: bool) -> None:
    """Media lie on public hosts: an address of this machine or network in an answer is a trick, unless all is local."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise DownloadRefusedError("its address is not valid") from None
    try:
        address = ipaddress.ip_address(parsed.host)
    except ValueError:
        address = None
    on_this_machine = parsed.host == "localhost" or (address is not None and address.is_loopback)
    if is_local and on_this_machine and parsed.scheme in ("http", "https"):
        return
    if (
        parsed.scheme != "https"
        or not parsed.host
        or on_this_machine
        or (address is not None and not address.is_global)
    ):
        raise DownloadRefusedError("its address is not a public https one")
