"""A server that sends exactly the bytes it is given, as slowly as it is asked to: what no HTTP library would send."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

Talk = Callable[[socket.socket], None]


@contextmanager
def raw_server(talk: Talk, *, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server that calls ``talk`` with each connection, in a thread of its own."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=converse, args=(connection,), daemon=True).start()

    def converse(connection: socket.socket) -> None:
        connection.settimeout(20)
        with contextlib.suppress(OSError), connection:
            if tls is None:
                talk(connection)
            else:
                with tls.wrap_socket(connection, server_side=True) as encrypted:
                    talk(encrypted)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


def answering(*pieces: bytes, pause_s: float = 0.0, endless: Iterable[bytes] = ()) -> Talk:
    """Reads one request, sends the pieces, then those of ``endless`` with a pause before each, and closes."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"".join(pieces))
        waiting = threading.Event()
        for piece in endless:
            waiting.wait(pause_s)
            connection.sendall(piece)

    return talk


def read_request(connection: socket.socket) -> bytes:
    """One request, head and body."""
    heard = b""
    while b"\r\n\r\n" not in heard:
        piece = connection.recv(65536)
        if not piece:
            raise OSError("the client has gone")
        heard += piece
    head, _, body = heard.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def make_answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole answer with these header lines."""
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), b"Connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
