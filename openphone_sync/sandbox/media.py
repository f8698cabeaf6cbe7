"""Where the files of conversations lie: another host than the API's, with signed addresses that expire.

It wants no key, and remembers whether somebody sent one. `big-5000000.bin` has as many bytes as its name says.
"""

import hashlib
import hmac
import socket
import struct
import threading
import time
import zlib
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from openphone_sync.sandbox.answers import Answer

PIECE = 1 << 16
WAV_RATE = 8_000
TYPES = {"png": "image/png", "gif": "image/gif", "pdf": "application/pdf", "wav": "audio/wav"}


@dataclass(frozen=True, slots=True)
class MediaRequest:
    """What was asked: path without the signature, status, and whether an Authorization header came along."""

    path: str
    status: int
    has_key: bool


class MediaHost:
    """The host of media, running between `start` and `stop`. Thread-safe.

    `answers` replaces the answer for a name; `moved` answers 302 to another address for a name. `link_life_s` is how
    long a signed address works.
    """

    def __init__(self, seed: int, link_life_s: float, host: str = "127.0.0.1") -> None:
        self.answers: dict[str, Answer] = {}
        self.moved: dict[str, str] = {}
        self.link_life_s = link_life_s
        self._secret = f"media:{seed}".encode()
        self._lock = threading.Lock()
        self._requests: list[MediaRequest] = []
        self._address = (host, 0)
        self._http: _Listener | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to answer; a second start takes the same port again, since callers keep addresses."""
        self._http = _Listener(self._address, self)
        self._address = (self._address[0], self._http.server_address[1])
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="media", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the server. Harmless when it is not running."""
        if self._http is None or self._thread is None:
            return
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self._http = None

    @property
    def base_url(self) -> str:
        """Scheme, host and port."""
        return "http://{}:{}".format(*self._address)

    @property
    def requests(self) -> list[MediaRequest]:
        """The requests so far."""
        with self._lock:
            return list(self._requests)

    def sign(self, name: str) -> str:
        """Return an address of a file that works from now on for the life of a link; recordings redirect once."""
        expires = f"{time.time() + self.link_life_s:.3f}"
        folder = "r" if name.endswith(".wav") else "m"
        return f"{self.base_url}/{folder}/{name}?Expires={expires}&Signature={self._make_signature(name, expires)}"

    def answer(self, target: str) -> Answer:
        """Return the file, 302, 403 for a link that has expired, or 404."""
        parts = urlsplit(target)
        folder, _, name = parts.path.strip("/").partition("/")
        given = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if name in self.answers:
            return self.answers[name]
        if name in self.moved:
            return Answer(302, b"", None, (("Location", self.moved[name]),))
        signature = self._make_signature(name, given.get("Expires", ""))
        if not hmac.compare_digest(signature, given.get("Signature", "")) or float(given["Expires"]) < time.time():
            return Answer(403, b"<Error><Code>AccessDenied</Code></Error>", "application/xml")
        if folder == "r":
            return Answer(302, b"", None, (("Location", f"/m/{name}?{parts.query}"),))
        return Answer(200, make_media(name), TYPES.get(name.rpartition(".")[2], "application/octet-stream"))

    def note(self, request: MediaRequest) -> None:
        """Record a request."""
        with self._lock:
            self._requests.append(request)

    def _make_signature(self, name: str, expires: str) -> str:
        return hmac.new(self._secret, f"{name}:{expires}".encode(), hashlib.sha256).hexdigest()[:32]


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], media: MediaHost) -> None:
        self.media = media
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which may ask the network."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()


class _Handler(BaseHTTPRequestHandler):
    server: _Listener

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name that the base class gives it
        """Say nothing: `requests` has it all."""

    def do_GET(self) -> None:
        answer = self.server.media.answer(self.path)
        path = self.path.partition("?")[0]
        self.server.media.note(MediaRequest(path, answer.status, self.headers.get("Authorization") is not None))
        self.send_response(answer.status)
        if answer.content_type is not None:
            self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        for start in range(0, len(answer.body), PIECE):
            self.wfile.write(answer.body[start : start + PIECE])


def make_media(name: str) -> bytes:
    """Return the bytes of a file, the same for the same name."""
    kind = name.rpartition(".")[2]
    mark = hashlib.sha256(name.encode()).digest()
    if name.startswith("big-"):
        size = int(name.removeprefix("big-").partition(".")[0])
        return (mark * (size // len(mark) + 1))[:size]
    makers = {"png": _make_png, "gif": _make_gif, "wav": _make_wav, "pdf": _make_pdf}
    return makers[kind](mark) if kind in makers else mark


def _make_png(mark: bytes) -> bytes:
    side = 32
    rows = b"".join(
        b"\0" + b"".join(bytes((mark[0], row * 8, column * 8)) for column in range(side)) for row in range(side)
    )
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pieces = (
        (b"IHDR", header),
        (b"tEXt", b"Comment\0" + mark.hex().encode()),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in pieces
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _make_gif(mark: bytes) -> bytes:
    comment = b"\x21\xfe" + bytes((len(mark),)) + mark + b"\0"
    return (
        b"GIF89a\x01\0\x01\0\x80\0\0"
        + mark[:3]
        + b"\xff\xff\xff"
        + comment
        + b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b"
    )


def _make_wav(mark: bytes) -> bytes:
    sound = bytes(128 + (each % 8) for each in mark) * (WAV_RATE // 64)
    header = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, WAV_RATE, WAV_RATE, 1, 8)
    body = b"WAVE" + header + struct.pack("<4sI", b"data", len(sound)) + sound
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def _make_pdf(mark: bytes) -> bytes:
    return b"%PDF-1.4\n% " + mark.hex().encode() + b"\ntrailer<</Root 1 0 R>>\n%%EOF\n"
