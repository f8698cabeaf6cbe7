"""HTTP clients. Only this module imports httpx; OpenPhone's requests, the pings and downloads all go through here.

Every client takes proxies and certificate authorities from the environment, names this program, and has time limits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import version

import httpx

HttpClient = httpx.Client
HttpResponse = httpx.Response
HttpError = httpx.HTTPError
"""A request without a whole answer, or (`HttpResponse.raise_for_status`) with the answer of an error."""

NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout)
"""Errors of requests that never left, so that sending them again is safe."""

CONNECT_TIMEOUT_S = 10.0
CONNECTIONS = 10


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
