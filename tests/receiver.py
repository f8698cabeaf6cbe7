"""A receiver of alerts and pings: an HTTP server on this machine that keeps what it got."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Got:
    """One request."""

    method: str
    path: str
    body: str


class Receiver:
    """Answers everything with ``status``; with ``get_only`` it does not know POST."""

    def __init__(self, status: int = 200, *, get_only: bool = False) -> None:
        self.status = status
        self.get_only = get_only
        self.got: list[Got] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def take(self, prefix: str = "/") -> list[Got]:
        """What came in since the last call under a path; the rest stays."""
        found = [one for one in self.got if one.path.startswith(prefix)]
        self.got = [one for one in self.got if one not in found]
        return found

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                receiver.got.append(Got(self.command, self.path, body))
                refused = receiver.get_only and self.command != "GET"
                self.send_response(405 if refused else receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET  # noqa: N815  # the names that the base class looks for

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return

        return Handler
