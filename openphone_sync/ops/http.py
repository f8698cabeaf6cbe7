"""HTTP clients. Only this module imports httpx; OpenPhone's requests, the pings and downloads all go through here.

Every client names this program, takes its proxy and certificate authorities from the environment, and has time limits. An
answer that is read whole has one more: a server that sends a byte now and then, or one 1xx answer after the other, never
takes longer than the client's limit.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import os
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import CookieJar
from importlib.metadata import version
from typing import Any, BinaryIO
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore

from openphone_sync.config import is_loopback
from openphone_sync.errors import ConfigurationError
from openphone_sync.ops.answers import HttpAnswer, HttpError, NotConnectedError
from openphone_sync.ports import Clock

# httpx can do without its command-line program, which loads rich and pygments: 40 ms of every command that sends a request.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # documented: an import of it fails then
import httpx  # noqa: E402

CONNECT_TIMEOUT_S = 10.0
CONNECTIONS = 10
MOST_REDIRECTS = 5
PIECE = 1 << 16
MAX_ANSWER_BYTES = 16_000_000
"""Of a whole answer, after decompression."""
LOOK_S = 0.25
"""How often a wait for the other side looks whether it should go on."""
_PROXY_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
_CODINGS = frozenset({"", "identity", "gzip"})
"""One layer at most: some kilobytes of gzip within gzip become gigabytes before anybody can count them."""


class _NoCookies(CookieJar):
    """Keeps nothing, and reads nothing: the standard library complains on stderr of a date that it cannot read."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        del response, request


class HttpClient(httpx.Client):
    """A client for many threads. `fetch` is for answers that are read whole."""

    def __init__(self, timeout_s: float, base_url: str, headers: Mapping[str, str], *, follow_redirects: bool) -> None:
        self._limits = _Limits()
        self._timeout_s = timeout_s
        routes = _Routes(self._limits)
        if base_url:
            routes.check(base_url)
        super().__init__(
            base_url=base_url,
            headers={
                "User-Agent": f"openphone-sync/{version('openphone-sync')}",
                "Accept-Encoding": "gzip",
                **headers,
            },
            cookies=_NoCookies(),
            timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s), pool=None),
            transport=routes,
            follow_redirects=follow_redirects,
        )

    def fetch(
        self,
        method: str,
        url: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        body: Any = None,
        content: bytes | None = None,
        give_up: Callable[[], bool] = lambda: False,
    ) -> HttpAnswer:
        """The whole answer, ``body`` being sent as JSON; `HttpError` where there is none within the client's limit.

        ``give_up`` is asked while the other side is waited for, and ends the wait.
        """
        with (
            self.limit(self._timeout_s, give_up),
            self.stream(method, url, params=list(params) or None, json=body, content=content) as response,
        ):
            return HttpAnswer(response.status_code, response.headers, _read_content(response))

    @contextmanager
    def limit(self, seconds: float, give_up: Callable[[], object]) -> Iterator[None]:
        """What this thread asks within the block must be over after so many seconds; `HttpError` in place of httpx' errors.

        ``give_up`` is called while the other side is waited for: true ends the wait, and an error passes through.
        """
        with self._limits.hold(seconds, give_up), _plain_errors(self._limits):
            yield


def make_http_client(
    timeout_s: float, *, base_url: str = "", headers: Mapping[str, str] | None = None, follow_redirects: bool = False
) -> HttpClient:
    """A client; ``timeout_s`` limits each answer that is fetched whole, else each wait for the other side.

    Raises `ConfigurationError` for a proxy or a file of certificates that cannot be used, without ``base_url`` when it is.
    """
    return HttpClient(timeout_s, base_url, headers or {}, follow_redirects=follow_redirects)


def _read_content(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "").strip().lower() not in _CODINGS:
        raise HttpError("an answer in an encoding that nobody asked for")
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise HttpError(f"an answer of more than {MAX_ANSWER_BYTES // 10**6} MB")
    return bytes(content)


# --- the time that an answer may take ------------------------------------------------------------------------------


class _Limits(threading.local):
    """What holds for the exchange that this thread is in; an exchange never leaves its thread."""

    def __init__(self) -> None:
        self.ends_at = math.inf
        self.give_up: Callable[[], object] = lambda: False
        self.proxy = ""
        """The variable that names the proxy in use."""

    @contextmanager
    def hold(self, seconds: float, give_up: Callable[[], object]) -> Iterator[None]:
        before = self.ends_at, self.give_up
        self.ends_at, self.give_up = time.monotonic() + seconds, give_up
        try:
            yield
        finally:
            self.ends_at, self.give_up = before

    def end_of(self, timeout: float | None) -> float:
        """When a step that may take ``timeout`` must be over, in monotonic seconds."""
        return min(self.ends_at, math.inf if timeout is None else time.monotonic() + timeout)

    def left_s(self, ends_at: float, error: type[Exception]) -> float:
        """Seconds that are left; ``error`` where there are none, or the wait is given up."""
        left = ends_at - time.monotonic()
        if left <= 0 or self.give_up():
            raise error
        return left


class _TimedStream(httpcore.NetworkStream):
    """A connection whose waits are short, and end when the exchange must: httpx itself limits single reads only."""

    def __init__(self, stream: httpcore.NetworkStream, limits: _Limits) -> None:
        self._stream = stream
        self._limits = limits

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        ends_at = self._limits.end_of(timeout)
        while True:
            left_s = self._limits.left_s(ends_at, httpcore.ReadTimeout)
            with suppress(httpcore.ReadTimeout):
                return self._stream.read(max_bytes, min(LOOK_S, left_s))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._limits.left_s(self._limits.end_of(timeout), httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left_s = self._limits.left_s(self._limits.end_of(timeout), httpcore.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left_s), self._limits)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _TimedBackend(httpcore.SyncBackend):
    """Connects within the limit, however many addresses a name has."""

    def __init__(self, limits: _Limits) -> None:
        self._limits = limits

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        ends_at = self._limits.end_of(timeout)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for number, address in enumerate(addresses):
            left_s = self._limits.left_s(ends_at, httpcore.ConnectTimeout) / (len(addresses) - number)
            try:
                stream = super().connect_tcp(address, port, left_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number + 1 == len(addresses):
                    raise
            else:
                return _TimedStream(stream, self._limits)
        raise httpcore.ConnectError("a name without an address")


# --- the way there -------------------------------------------------------------------------------------------------


class _Routes(httpx.BaseTransport):
    """The transport of each address: straight, or through the proxy that the environment names for it."""

    def __init__(self, limits: _Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._transports: dict[tuple[str, str | None], httpx.HTTPTransport] = {}

    def check(self, url: str) -> None:
        """Tell at once of a proxy or of certificates that cannot be used.

        Without such settings nothing can be wrong, and a run that sends no request saves the 40 ms of a TLS context.
        """
        if _find_proxy(url)[1] or os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
            self.find(url)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self.find(str(request.url)).handle_request(request)

    def find(self, url: str) -> httpx.HTTPTransport:
        self._limits.proxy, proxy = _find_proxy(url)
        way = urlsplit(url).scheme, proxy
        with self._lock:
            if way not in self._transports:
                self._transports[way] = _make_transport(self._limits.proxy, *way, self._limits)
            return self._transports[way]

    def close(self) -> None:
        for transport in self._transports.values():
            transport.close()


def _make_transport(name: str, scheme: str, proxy: str | None, limits: _Limits) -> httpx.HTTPTransport:
    """A transport through the proxy, if there is one; ``name`` is the variable that names it."""
    # Plain http, to this machine only, needs no certificates: a context that trusts nobody is made in no time.
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if scheme == "http" else True
    connections = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    if proxy is not None and not _is_proxy(proxy):  # not quoted, since it may hold a password
        raise ConfigurationError(
            f"{name} is not the address of a proxy; give one such as http://proxy.example:3128, or unset it"
        )
    try:
        transport = httpx.HTTPTransport(trust, limits=connections, proxy=proxy)
    except ImportError:
        raise ConfigurationError(
            f"{name} names a SOCKS proxy, which needs the library socksio; install httpx[socks], or unset it"
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read ({error.strerror or error}); "
            "correct it, or unset it"
        ) from None
    transport._pool._network_backend = _TimedBackend(limits)  # noqa: SLF001  # httpx has no parameter for it
    return transport


def _find_proxy(url: str) -> tuple[str, str | None]:
    """The variable that names a proxy for this address, and the proxy. This machine is never reached through one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = getproxies()
    kind = next((kind for kind in (parts.scheme, "all") if proxies.get(kind)), "")
    if not kind or is_loopback(host) or proxy_bypass(host):
        return "", None
    proxy = proxies[kind]
    return f"{kind.upper()}_PROXY", proxy if "://" in proxy else f"http://{proxy}"


def _is_proxy(address: str) -> bool:
    try:
        parts = urlsplit(address)
        _ = parts.port
        httpx.URL(address)
    except (ValueError, httpx.InvalidURL):
        return False
    return parts.scheme in _PROXY_SCHEMES and bool(re.fullmatch(r"[\w.:\-]+", parts.hostname or ""))


# --- what went wrong -----------------------------------------------------------------------------------------------


@contextmanager
def _plain_errors(limits: _Limits) -> Iterator[None]:
    """httpx' errors as ours."""
    try:
        yield
    except httpx.UnsupportedProtocol:
        raise HttpError("an address that is neither http nor https") from None
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        reason, advice = _explain(error)
        if limits.proxy:
            reason, advice = f"{reason}, through the proxy of {limits.proxy}", f"check {limits.proxy}"
        raise NotConnectedError(reason, advice) from None
    except httpx.HTTPError as error:
        raise HttpError(_name(error)) from None
    except httpx.InvalidURL:
        raise HttpError("an address that is too long or has characters that none can have") from None


def _name(error: BaseException) -> str:
    """``read timeout``."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__).lower().removesuffix(" error")


def _explain(error: httpx.HTTPError) -> tuple[str, str]:
    """Why there is no connection, and what to do about it."""
    if isinstance(error, httpx.ProxyError):
        return "refused", ""
    cause: BaseException | None = error
    while cause is not None:
        if found := _explain_cause(cause):
            return found
        cause = cause.__cause__ or cause.__context__
    return _name(error), ""


def _explain_cause(cause: BaseException) -> tuple[str, str] | None:
    match cause:
        case socket.gaierror():
            return "unknown host", "check the host name in {setting}, and this machine's DNS"
        case ConnectionRefusedError():
            return "connection refused", "check the host and port in {setting}"
        case ssl.SSLCertVerificationError():
            return _explain_certificate(cause)
        case ssl.SSLError() if cause.reason in _NO_TLS:
            return "plain http on a port for https", "check the port in {setting}"
        case ssl.SSLError():
            return f"TLS failed: {cause.reason}", ""
    return None


_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
_EXPIRED = 10
_WRONG_HOST = frozenset({62, 64})
"""X509_V_ERR_CERT_HAS_EXPIRED, _HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH of OpenSSL's x509_vfy.h."""


def _explain_certificate(error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    if error.verify_code == _EXPIRED:
        return "the server's certificate has expired", "check this machine's clock, and the host in {setting}"
    if error.verify_code in _WRONG_HOST:
        return "the server's certificate is for another host name", "check the host in {setting}"
    return (
        "the server's certificate is not signed by an authority that is known here",
        "set SSL_CERT_FILE to the file of certificates of a proxy that opens TLS, or check the host in {setting}",
    )


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
    with client.limit(deadline_s + 1, check):  # a file that comes slowly is noticed below, with better words
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
