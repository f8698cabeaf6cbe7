"""The sandbox as a server: `http://127.0.0.1:PORT/v1`, HTTP/1.1 with keep-alive, one thread per connection.

Besides the API's routes it has some of its own, under /_sandbox/: see `control`.
"""

import contextlib
import json
import os
import random
import socket
import threading
import time
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from openphone_sync.sandbox import answers, samples
from openphone_sync.sandbox.answers import Answer
from openphone_sync.sandbox.api import Api, Call, find_call
from openphone_sync.sandbox.contacts import Workspace
from openphone_sync.sandbox.control import CONTROL, Request, answer_control, is_cross_site
from openphone_sync.sandbox.conversations import Conversations
from openphone_sync.sandbox.errors import SandboxError
from openphone_sync.sandbox.media import MediaHost
from openphone_sync.sandbox.options import SandboxOptions

SAVE_EVERY = 200  # writes between two savings of the contents


class SandboxServer:
    """A running sandbox for as long as the `with` block lasts; `start()` and `stop()` do the same by hand.

    `workspace` and `conversations` are its contents, `media` the host of their files, `requests` what was asked.
    """

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.options = options or SandboxOptions()
        self.workspace = Workspace(self.options)
        self.media = MediaHost(self.options.seed, self.options.link_life_s)
        self.conversations = Conversations(self.options, self.workspace.phone_numbers(), self.media)
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._dice = random.Random(self.options.seed)
        self._saved_writes = 0
        self._is_filled = False
        self._port = self.options.port
        self._http: _Listener | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def handler(self) -> type["Handler"]:
        """What answers a connection's requests."""
        return Handler

    @property
    def base_url(self) -> str:
        """The URL without `/v1`. Raises SandboxError while the server is not running."""
        if self._http is None:
            raise SandboxError("the sandbox is not running; call start() first")
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def requests(self) -> list[Request]:
        """The requests so far, in the order in which they were answered."""
        with self._lock:
            return list(self._requests)

    def forget_requests(self) -> None:
        """Empty `requests`."""
        with self._lock:
            self._requests.clear()

    def start(self) -> Self:
        """Load or make the contents, then listen. Raises SandboxError when the port or the file cannot be used."""
        if self._http is not None:
            raise SandboxError("the sandbox is already running; call stop() first")
        if not self._is_filled:
            self._fill()
        self.stopping.clear()
        self._http = _listen(self, self._port)
        self.media.start()
        self._port = self._http.server_address[1]  # of a second start: callers keep their URL
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="sandbox", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End open connections and threads and save the contents. Harmless when the server is not running."""
        http, self._http = self._http, None
        if http is None:
            return
        self.stopping.set()
        self.media.stop()
        http.shutdown()
        http.end_connections()
        http.server_close()
        if self._thread is not None:
            self._thread.join()
        self.save()

    def save(self) -> None:
        """Write the contents to the file of the options, if there is one; the file is replaced as a whole."""
        if self.options.file is None:
            return
        with self._lock:
            contents = self.workspace.save()
            self._saved_writes = self.workspace.writes
            _replace_file(self.options.file, json.dumps(contents, ensure_ascii=False))

    def note(self, request: Request) -> None:
        """Record a request; saves the contents now and then."""
        with self._lock:
            self._requests.append(request)
        if self.options.file is not None and self.workspace.writes - self._saved_writes >= SAVE_EVERY:
            self.save()

    def wait_latency(self) -> None:
        """Let the time of the options pass: latency plus or minus jitter; cut short by `stop()`."""
        if self.options.latency_ms or self.options.jitter_ms:
            with self._lock:
                jitter = self._dice.uniform(-1, 1) * self.options.jitter_ms
            self.stopping.wait(max(0.0, self.options.latency_ms + jitter) / 1000)

    def _fill(self) -> None:
        self._is_filled = True
        file = self.options.file
        if file is not None and file.exists():
            _load_contents(self.workspace, file)
            return
        for body in samples.sample_contacts(self.options.contacts, self.options.seed):
            self.workspace.add(body, source=body["source"])


def _listen(sandbox: SandboxServer, port: int) -> "_Listener":
    host = sandbox.options.host
    try:
        return _Listener((host, port), sandbox)
    except OSError as error:
        raise SandboxError(
            f"the sandbox cannot listen on {host}:{port} ({error.strerror}); choose another --port, or 0 for any free one"
        ) from error


def _load_contents(workspace: Workspace, file: Path) -> None:
    try:
        workspace.load(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise SandboxError(
            f"the sandbox's contents in {file} cannot be read; move the file away to start with an empty workspace"
        ) from error


def _replace_file(file: Path, text: str) -> None:
    draft = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise SandboxError(
            f"the sandbox's contents cannot be written to {file} ({error.strerror}); choose another --file"
        ) from error


class _Listener(ThreadingHTTPServer):
    """Keeps its connections and threads, so that stopping does not wait for idle clients."""

    request_queue_size = 128

    def __init__(self, address: tuple[str, int], sandbox: SandboxServer) -> None:
        self.sandbox = sandbox
        self.api = Api(sandbox.options, sandbox.workspace, sandbox.conversations)
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        super().__init__(address, sandbox.handler)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which may ask the network."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections[request] = threading.current_thread()
        try:
            if not self.sandbox.stopping.is_set():
                self.finish_request(request, client_address)
        except OSError:
            pass  # the client went away
        finally:
            with self._lock:
                self._connections.pop(request, None)
            self.shutdown_request(request)

    def end_connections(self) -> None:
        """Close what is open and wait for the threads."""
        with self._lock:
            open_now = dict(self._connections)
        for connection in open_now:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in open_now.values():
            thread.join(2.0)


class Handler(BaseHTTPRequestHandler):
    """Reads requests and writes each answer in one send."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name that the base class gives it
        """Say nothing: `requests` has it all."""

    def _serve(self) -> None:
        received_at = time.time()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith(CONTROL):
            if is_cross_site(self.headers, self.server.sandbox.options.host):
                self.send(answers.make_json(403, {"message": "these routes are not for pages of other sites"}))
                return
            self.send(answer_control(self.server.sandbox, self.command, self.path, body))
            return
        call = find_call(self.command, self.path, body if self._is_json() else b"")
        answer = self._answer(call)
        self.server.sandbox.note(Request(received_at, self.command, self.path, answer.status, body))
        self.server.sandbox.wait_latency()
        self.put_out(answer)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815

    def _is_json(self) -> bool:
        """Tell whether Express would read the body; it passes over one of another type as if there were none."""
        return self.headers.get_content_type() == "application/json"

    def _answer(self, call: Call | None) -> Answer:
        if call is None:
            return answers.make_unknown_route(self.command, self.path.partition("?")[0])
        return self.server.api.check_admission(self.headers.get("Authorization")) or self.carry_out(call)

    def carry_out(self, call: Call) -> Answer:
        """Answer a request that was let in."""
        return self.server.api.answer(call)

    def put_out(self, answer: Answer) -> None:
        """Put the answer on the wire."""
        self.send(answer)

    def send(self, answer: Answer) -> None:
        """Send head and body at once."""
        self.connection.sendall(self.make_head(answer) + (b"" if self.command == "HEAD" else answer.body))

    def make_head(self, answer: Answer) -> bytes:
        """Return status line and headers."""
        lines = [
            f"HTTP/1.1 {answer.status} {answers.make_phrase(answer.status)}",
            f"Date: {formatdate(usegmt=True)}",
        ]
        if answer.content_type is not None:
            lines.append(f"Content-Type: {answer.content_type}")
        if answer.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {len(answer.body)}")
        lines.extend(f"{name}: {value}" for name, value in (*self.server.api.make_rate_headers(), *answer.headers))
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
