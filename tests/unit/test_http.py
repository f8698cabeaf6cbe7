"""The one HTTP client: no answer takes longer than its limit or more memory than its cap, and each failure has its words."""

from __future__ import annotations

import gzip
import itertools
import ssl
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from openphone_sync.errors import ConfigurationError
from openphone_sync.ops.answers import HttpError, NotConnectedError
from openphone_sync.ops.http import MAX_ANSWER_BYTES, HttpClient, make_http_client
from tests.raw_server import Talk, answering, make_answer, raw_server

LIMIT_S = 0.6
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def fetch(port: int, *, scheme: str = "http", give_up: Callable[[], bool] = lambda: False) -> bytes:
    url = f"{scheme}://127.0.0.1:{port}"
    with make_http_client(LIMIT_S, base_url=url) as client:
        return client.fetch("GET", "/", give_up=give_up).content


DRIPPING = {
    "a body that drips": answering(
        HEAD + b"Content-Length: 9999\r\n\r\n", pause_s=0.05, endless=itertools.repeat(b"x")
    ),
    "a header that drips": answering(HEAD + b"X: ", pause_s=0.05, endless=itertools.repeat(b"x")),
    "a status line that drips": answering(pause_s=0.05, endless=itertools.repeat(b"HTTP")),
    "a flood of 1xx": answering(pause_s=0.0, endless=itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)),
    "chunks that drip": answering(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n", pause_s=0.05, endless=itertools.repeat(b"1\r\nx\r\n")
    ),
    "silence": answering(pause_s=5.0, endless=[b"x"]),
}


@pytest.mark.parametrize("talk", DRIPPING.values(), ids=DRIPPING)
def test_no_answer_takes_longer_than_the_limit(talk: Talk) -> None:
    with raw_server(talk) as port:
        start = time.monotonic()
        with pytest.raises(HttpError):
            fetch(port)
        assert time.monotonic() - start < 4.0  # the silence would last 5 s, the drip for ever


@pytest.mark.parametrize("talk", DRIPPING.values(), ids=DRIPPING)
def test_a_wait_that_is_given_up_ends_at_once(talk: Talk) -> None:
    gone = threading.Event()
    with raw_server(talk) as port, make_http_client(30.0, base_url=f"http://127.0.0.1:{port}") as client:
        timer = threading.Timer(0.2, gone.set)
        timer.start()
        start = time.monotonic()
        with pytest.raises(HttpError):
            client.fetch("GET", "/", give_up=gone.is_set)
        assert time.monotonic() - start < 10.0
        timer.join()


def test_an_answer_is_read_up_to_the_cap() -> None:
    whole = b"x" * MAX_ANSWER_BYTES
    with raw_server(answering(make_answer(gzip.compress(whole), b"Content-Encoding: gzip"))) as port:
        assert make_patient(port).fetch("GET", "/").content == whole


def test_a_gzip_bomb_is_refused_before_it_fills_the_memory() -> None:
    bomb = gzip.compress(bytes(300_000_000), compresslevel=1)
    with raw_server(answering(make_answer(bomb, b"Content-Encoding: gzip"))) as port, make_patient(port) as client:
        tracemalloc.start()
        with pytest.raises(HttpError, match="more than 16 MB"):
            client.fetch("GET", "/")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 120_000_000


@pytest.mark.parametrize("coding", [b"gzip, gzip", b"deflate", b"br", b"zstd"])
def test_an_encoding_that_nobody_asked_for_is_refused(coding: bytes) -> None:
    body = gzip.compress(gzip.compress(b"{}"))
    server = raw_server(answering(make_answer(body, b"Content-Encoding: " + coding)))
    with server as port, pytest.raises(HttpError, match="encoding"):
        fetch(port)


def test_nothing_that_a_server_sets_is_sent_back() -> None:
    with raw_server(answering(make_answer(b"{}", b"Set-Cookie: a=b; Path=/"))) as port, make_patient(port) as client:
        client.fetch("GET", "/")
        assert list(client.cookies.jar) == []


def make_patient(port: int) -> HttpClient:
    return make_http_client(30.0, base_url=f"http://127.0.0.1:{port}")


# --- proxies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_this_machine_is_never_reached_through_a_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    with raw_server(answering(make_answer(b"{}"))) as port:
        assert fetch(port) == b"{}"


def test_another_host_is_reached_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(answering(make_answer(b"by proxy"))) as port:
        monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{port}")
        with make_http_client(LIMIT_S, base_url="http://api.example.com") as client:
            assert client.fetch("GET", "/").content == b"by proxy"
        monkeypatch.setenv("NO_PROXY", "example.com")
        with make_http_client(LIMIT_S, base_url="http://api.example.com") as client, pytest.raises(HttpError):
            client.fetch("GET", "/")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HTTPS_PROXY", "http://[pl4nted", "HTTPS_PROXY is not the address of a proxy"),
        ("HTTPS_PROXY", "http://user:pl4nted@proxy:99999999", "HTTPS_PROXY is not the address of a proxy"),
        ("HTTPS_PROXY", "ftp://pl4nted", "HTTPS_PROXY is not the address of a proxy"),
        ("ALL_PROXY", "socks5://user:pl4nted@proxy", "ALL_PROXY names a SOCKS proxy, which needs the library socksio"),
        (
            "SSL_CERT_FILE",
            "/nowhere/ca.pem",
            "the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read",
        ),
        ("SSL_CERT_FILE", __file__, "the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read"),
    ],
)
def test_a_way_that_cannot_be_used_is_a_wrong_setting(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        make_http_client(1.0, base_url="https://api.example.com")
    assert words in str(caught.value)
    assert "pl4nted" not in str(caught.value)


# --- reasons ---------------------------------------------------------------------------------------------------------


def explain(url: str) -> str:
    with make_http_client(5.0, base_url=url) as client, pytest.raises(NotConnectedError) as caught:
        client.fetch("GET", "/")
    return str(caught.value)


def test_each_way_of_not_connecting_has_its_own_words() -> None:
    assert explain("http://nobody.invalid") == "unknown host"
    assert explain("http://127.0.0.1:1") == "connection refused"
    with raw_server(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert explain(f"https://127.0.0.1:{port}") == "plain http on a port for https"


@pytest.mark.system("openssl")
def test_each_fault_of_a_certificate_has_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(answering(make_answer(b"{}")), tls=make_tls(tmp_path, 1)) as port:
        assert explain(f"https://127.0.0.1:{port}").startswith("the server's certificate is not signed by an authority")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))
        assert fetch(port, scheme="https") == b"{}"
        assert explain(f"https://localhost:{port}") == "the server's certificate is for another host name"
    with raw_server(answering(make_answer(b"{}")), tls=make_tls(tmp_path, -1)) as port:
        assert explain(f"https://127.0.0.1:{port}") == "the server's certificate has expired"


def make_tls(folder: Path, days: int) -> ssl.SSLContext:
    """A server's side with a certificate for 127.0.0.1 that holds for so many days."""

    def openssl(arguments: str) -> None:
        subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True)

    openssl(
        "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=test -addext subjectAltName=IP:127.0.0.1 "
        "-keyout key -out fresh"
    )
    openssl(f"x509 -in fresh -days {days} -signkey key -out certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    return context
