"""Settings -> the concrete adapters. The only module that names them.

Adapters are imported where they are made: looking at the state needs neither HTTP nor a database driver.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from openphone_sync import state
from openphone_sync.config import API, DATABASE, Settings, describe_missing
from openphone_sync.errors import ConfigurationError
from openphone_sync.ops.lock import prepare_state_dir, run_lock
from openphone_sync.ops.logging import find_redactor
from openphone_sync.ops.redaction import make_redactor
from openphone_sync.run.context import Parts, SyncOptions

if TYPE_CHECKING:
    from openphone_sync.conversations.archive import FetchTools
    from openphone_sync.model import ClientRow, SourceIdentity
    from openphone_sync.openphone.api import OpenPhone
    from openphone_sync.openphone.pacing import Pacer
    from openphone_sync.openphone.probe import ApiFacts
    from openphone_sync.ports import ClientSource, Clock, ConversationSource, NotedProgress, Progress
    from openphone_sync.postgres.inspecting import DatabaseFacts, TableFacts
    from openphone_sync.run.report import RunFrame
    from openphone_sync.state import History, Store

PACING_FILE = "pacing.db"
MOST_MEDIA_BYTES = 500_000_000  # a call of several hours; texts carry 5 MB at most
MEDIA_DEADLINE_S = 1800.0


class SystemClock:
    """`ports.Clock` of this machine. ``wake`` ends every wait, so that a signal is not kept waiting."""

    def __init__(self, waker: threading.Event | None = None) -> None:
        self._wake = waker or threading.Event()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, unless the run is ending."""
        self._wake.wait(seconds)

    def wake(self) -> None:
        """End all waits, present and future."""
        self._wake.set()


class NoProgress:
    """`ports.Progress` where nobody is looking: cron, pipes, programs."""

    def start(self, what: str, total: int | None) -> None:
        """Say nothing."""

    def advance(self, count: int = 1) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Say nothing."""


@contextmanager
def open_run(
    settings: Settings,
    command: str,
    options: SyncOptions,
    clock: Clock,
    progress: Progress,
    *,
    looking: bool = False,
    signal_number: Callable[[], int] = lambda: 0,
) -> Iterator[tuple[Parts, RunFrame]]:
    """The lock, the real parts and the frame of a run; ``looking`` runs take no lock and open the state for reading."""
    from openphone_sync.run.report import RunFrame  # noqa: PLC0415  # looking at the state makes no report

    with (
        nullcontext() if looking else run_lock(settings.state_dir),
        open_parts(settings, clock, progress, looking=looking, signal_number=signal_number) as parts,
    ):
        started_at = clock.now()
        mode = "full" if options.full else "incremental"
        yield parts, RunFrame(make_run_id(started_at), command, mode, looking, started_at)


@contextmanager
def open_parts(
    settings: Settings,
    clock: Clock,
    progress: Progress,
    *,
    looking: bool,
    signal_number: Callable[[], int] = lambda: 0,
) -> Iterator[Parts]:
    """The real things behind the ports, closed at the end. ``looking``: the state is opened for reading only."""
    prepare_state_dir(settings.state_dir)
    warnings = list(settings.warnings)
    store = state.peek_store(settings.state_dir) if looking else state.open_store(settings.state_dir)
    pacer = _make_pacer(settings, clock)
    workspace = _make_workspace(settings, pacer, clock, lambda: signal_number() != 0, warnings)
    try:
        yield Parts(
            settings=settings,
            store=store,
            workspace=workspace,
            open_source=lambda: open_source(settings),
            clock=clock,
            progress=progress,
            key_mark=mark_key(settings.api_key, settings.base_url),
            hide_secrets=make_redactor(settings).hide_secrets,
            signal_number=signal_number,
            warnings=warnings,
        )
    finally:
        workspace.close()
        pacer.close()
        store.close()


def open_source(settings: Settings) -> ClientSource:
    """The client table of the settings."""
    from openphone_sync.postgres import PostgresClients  # noqa: PLC0415  # 130 ms that looking at the state saves

    source = PostgresClients(
        settings.database_url,
        table=settings.client_table,
        query=settings.client_query,
        extra_columns=settings.extra_columns,
        fetch_size=settings.batch_size,
    )
    redactor = find_redactor()
    return _Watched(source, redactor.learn_row) if redactor else source


class _Watched:
    """`ports.ClientSource` that shows every row to the log's redactor, so that no record names a client."""

    def __init__(self, source: ClientSource, learn_row: Callable[[str], None]) -> None:
        self._source = source
        self._learn_row = learn_row

    def identity(self) -> SourceIdentity:
        return self._source.identity()

    def columns(self) -> tuple[str, ...]:
        return self._source.columns()

    def all_columns(self) -> tuple[str, ...]:
        return self._source.all_columns()

    def hides_rows(self) -> bool:
        return self._source.hides_rows()

    def read_client(self, client_id: str) -> ClientRow | None:
        row = self._source.read_client(client_id)
        if row is not None:
            self._learn_row(row.document)
        return row

    def read_clients(self, *, client_type: str | None = None, limit: int | None = None) -> Iterator[ClientRow]:
        for row in self._source.read_clients(client_type=client_type, limit=limit):
            self._learn_row(row.document)
            yield row

    def close(self) -> None:
        self._source.close()


@contextmanager
def open_conversations(settings: Settings, table: str = "") -> Iterator[ConversationSource]:
    """The stored conversations; their snapshot ends with the block."""
    from openphone_sync.postgres import PostgresConversations  # noqa: PLC0415  # as above

    source = PostgresConversations(settings.database_url, table=table, region=settings.region)
    try:
        yield source
    finally:
        source.close()


@contextmanager
def open_fetch(
    settings: Settings,
    clock: SystemClock,
    progress: NotedProgress,
    signal_number: Callable[[], int],
    tell: Callable[[str], None],
) -> Iterator[FetchTools]:
    """What an archive fetch works with: the same pacer and retries as a sync, and a second client that holds no key."""
    from openphone_sync.conversations.archive import FetchTools  # noqa: PLC0415
    from openphone_sync.errors import NotSentError  # noqa: PLC0415
    from openphone_sync.openphone.api import make_client  # noqa: PLC0415
    from openphone_sync.openphone.conversations import ConversationReader  # noqa: PLC0415
    from openphone_sync.openphone.retry import Caller, RetryRules  # noqa: PLC0415
    from openphone_sync.ops.http import Downloaded, download, make_http_client  # noqa: PLC0415

    halted = threading.Event()
    timeout_s = settings.timeout_ms / 1000

    def stopping() -> bool:
        return halted.is_set() or signal_number() != 0

    def halt() -> None:
        halted.set()
        clock.wake()

    def check() -> None:
        if stopping():
            raise NotSentError("not sent: the fetch is stopping", code="stopped")

    def download_media(url: str, file: BinaryIO) -> Downloaded:
        is_local = settings.base_url.startswith("http://")  # of the sandbox: no other may do without https
        return download(
            media,
            url,
            file,
            most=MOST_MEDIA_BYTES,
            deadline_s=MEDIA_DEADLINE_S,
            is_local=is_local,
            clock=clock,
            check=check,
        )

    prepare_state_dir(settings.state_dir)
    pacer = _make_pacer(settings, clock)
    with make_client(settings.base_url, settings.api_key, timeout_s) as client, make_http_client(timeout_s) as media:
        rules = RetryRules(settings.retry_attempts, settings.retry_delay_ms / 1000)
        caller = Caller(client, pacer, rules, clock, stopping=stopping, warn=tell)
        try:
            yield FetchTools(
                ConversationReader(caller),
                download_media,
                clock,
                progress,
                stopping,
                halt,
                signal_number,
                tell,
                _find_spacing(settings),
            )
        finally:
            pacer.close()


@contextmanager
def look_at_state(settings: Settings) -> Iterator[Store]:
    """The state for looking only, closed at the end."""
    store = state.peek_store(settings.state_dir)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def change_state(settings: Settings) -> Iterator[Store]:
    """The state for a change outside a run; `LockedError` while a run goes on."""
    with run_lock(settings.state_dir):
        store = state.open_store(settings.state_dir)
        try:
            store.keep_copy(time.time())
            yield store
        finally:
            store.close()


def open_history(settings: Settings) -> History:
    """The history of runs, for looking only."""
    return state.peek_history(settings.state_dir)


def probe_api(settings: Settings, clock: Clock) -> ApiFacts:
    """A look at the workspace, paced like everything else; tried twice where the API does not answer."""
    from tempfile import TemporaryDirectory  # noqa: PLC0415

    from openphone_sync.openphone.api import make_client  # noqa: PLC0415
    from openphone_sync.openphone.pacing import Pacer  # noqa: PLC0415
    from openphone_sync.openphone.probe import probe_workspace  # noqa: PLC0415
    from openphone_sync.openphone.retry import Caller, RetryRules  # noqa: PLC0415

    if not settings.api_key:
        raise ConfigurationError(describe_missing(API))
    with TemporaryDirectory() as folder, ExitStack() as stack:
        try:
            pacer = _make_pacer(settings, clock)
        except (ConfigurationError, OSError):  # the state folder has a check of its own
            pacer = Pacer(Path(folder) / PACING_FILE, 0.2, clock)
        stack.callback(pacer.close)
        client = stack.enter_context(make_client(settings.base_url, settings.api_key, settings.timeout_ms / 1000))
        rules = RetryRules(min(1, settings.retry_attempts), settings.retry_delay_ms / 1000)
        caller = Caller(client, pacer, rules, clock, stopping=lambda: False, warn=lambda _: None)
        return probe_workspace(client, caller, clock)


def probe_database(settings: Settings) -> DatabaseFacts:
    """What the connection to the database is like."""
    from openphone_sync.postgres.inspecting import inspect_connection  # noqa: PLC0415

    if not settings.database_url:
        raise ConfigurationError(describe_missing(DATABASE))
    return inspect_connection(settings.database_url)


def probe_table(settings: Settings, source: ClientSource) -> TableFacts:
    """What the client table is like for our role."""
    from openphone_sync.postgres.inspecting import inspect_table  # noqa: PLC0415

    return inspect_table(settings.database_url, source.identity().relation, source.columns(), settings.client_query)


def make_run_id(now: float) -> str:
    """Sortable by time, and unique where two runs begin in one second."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ") + f"-{os.urandom(3).hex()}"


def mark_key(api_key: str, base_url: str) -> str:
    """Recognises a key at an address without telling it: too slow to try all keys, and of no use elsewhere."""
    import hashlib  # noqa: PLC0415

    secret = f"{base_url}\n{api_key}".encode()
    return hashlib.scrypt(secret, salt=b"openphone-sync", n=2**12, r=8, p=1, dklen=16).hex()


def _make_pacer(settings: Settings, clock: Clock) -> Pacer:
    from openphone_sync.openphone.pacing import Pacer  # noqa: PLC0415

    return Pacer(settings.state_dir / PACING_FILE, _find_spacing(settings), clock)


def _find_spacing(settings: Settings) -> float:
    from openphone_sync.openphone.pacing import make_spacing  # noqa: PLC0415

    return make_spacing(settings.rate_per_second, settings.rate_per_minute, settings.rate_per_hour)


def _make_workspace(
    settings: Settings, pacer: Pacer, clock: Clock, stopping: Callable[[], bool], warnings: list[str]
) -> OpenPhone:
    from openphone_sync.openphone.api import OpenPhone, make_client  # noqa: PLC0415  # httpx: 70 ms
    from openphone_sync.openphone.retry import RetryRules  # noqa: PLC0415

    client = make_client(settings.base_url, settings.api_key, settings.timeout_ms / 1000)
    rules = RetryRules(settings.retry_attempts, settings.retry_delay_ms / 1000)
    return OpenPhone(client, pacer, rules, clock, stopping=stopping, warn=warnings.append)
