"""Files from other hosts: which addresses are followed, how much is taken, and what never goes along."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

import pytest

from openphone_sync.ops.http import Downloaded, DownloadRefusedError, TooLargeError, download, make_http_client
from openphone_sync.sandbox.answers import Answer
from openphone_sync.sandbox.media import MediaHost, make_media
from openphone_sync.wiring import SystemClock


@pytest.fixture
def media() -> Iterator[MediaHost]:
    """A host of media."""
    host = MediaHost(1, 60.0)
    host.start()
    yield host
    host.stop()


def fetch(url: str, *, is_local: bool = True, most: int = 1_000_000) -> tuple[Downloaded, bytes]:
    file = io.BytesIO()
    with make_http_client(5) as client:
        done = download(
            client,
            url,
            file,
            most=most,
            deadline_s=20,
            is_local=is_local,
            clock=SystemClock(),
            check=lambda: None,
        )
    return done, file.getvalue()


def test_a_file_comes_whole_after_a_redirect(media: MediaHost) -> None:
    done, content = fetch(media.sign("a.wav"))
    assert content == make_media("a.wav")
    assert done == Downloaded(len(content), hashlib.sha256(content).hexdigest(), "audio/wav")
    assert [request.has_key for request in media.requests] == [False, False]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.png",
        "ftp://example.com/a.png",
        "file:///etc/passwd",
        "https://",
        "//example.com/a.png",
        "a.png",
        "https://localhost/a.png",
        "https://127.0.0.1/a.png",
        "https://[::1]/a.png",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/a.png",
        "http://127.0.0.1:1/a.png",
        "https://exa\nmple.com/",
    ],
)
def test_only_public_https_addresses_are_followed(url: str) -> None:
    with pytest.raises(DownloadRefusedError, match="address"):
        fetch(url, is_local=False)


@pytest.mark.parametrize("url", ["http://example.com/a.png", "https://10.0.0.1/a.png"])
def test_a_redirect_leads_to_public_https_addresses_only(media: MediaHost, url: str) -> None:
    media.moved["a.png"] = url
    with pytest.raises(DownloadRefusedError, match="not a public https one"):
        fetch(media.sign("a.png"))


def test_redirects_end(media: MediaHost) -> None:
    media.moved["a.png"] = media.sign("a.png")
    with pytest.raises(DownloadRefusedError, match="redirected more than 5 times"):
        fetch(media.sign("a.png"))


def test_what_is_too_large_is_not_taken(media: MediaHost) -> None:
    assert fetch(media.sign("big-1000000.bin"))[0].size == 1_000_000
    with pytest.raises(TooLargeError, match="larger than 1 MB"):
        fetch(media.sign("big-1000001.bin"))


def test_an_answer_that_is_no_file_is_none(media: MediaHost) -> None:
    media.answers["a.png"] = Answer(204, b"", None)
    with pytest.raises(DownloadRefusedError) as refused:
        fetch(media.sign("a.png"))
    assert refused.value.status == 204
