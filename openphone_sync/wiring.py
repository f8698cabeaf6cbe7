"""Settings -> the adapters of a run. Runs name no adapter; they get them from here.

HTTP and the database driver are imported where they are used, because commands that only read the state need neither.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from openphone_sync import state
from openphone_sync.config import Settings, load_mapping
from openphone_sync.errors import NotSentError, OpenPhoneSyncError
from openphone_sync.openphone.pacing import Pacer, make_spacing
from openphone_sync.ops.answers import LateClient
from openphone_sync.ops.lock import prepare_state_dir, run_lock
from openphone_sync.ops.logging import find_redactor
from openphone_sync.ops.redaction import make_redactor
from openphone_sync.ports import ClientSource, Clock, NotedProgress, Progress
from openphone_sync.run.context import Context, SyncOptions
from openphone_sync.state import Store
from openphone_sync.state.file import STATE_FILE
from openphone_sync.views.words import describe_reason

if TYPE_CHECKING:
    from openphone_sync.conversations.archive import FetchTools
    from openphone_sync.openphone.api import OpenPhone
    from openphone_sync.ops.http import Downloaded
    from openphone_sync.postgres import PostgresConversations
    from openphone_sync.run.report import RunHeader

WORKERS = 10
"""Threads: at 300 to 800 ms latency 8 to 10 of them reach the vendor's 10 requests a second."""

PACING_FILE = "pacing.db"
MOST_MEDIA_BYTES = 500_000_000  # a call of several hours; texts carry 5 MB at most
MEDIA_DEADLINE_S = 1800.0

_T = TypeVar("_T")


class SystemClock:
    """`ports.Clock` of this machine. Once ``stop`` is set, nothing waits any longer."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, unless the run is ending."""
        self._stop.wait(seconds)

    def wake(self) -> None:
        """End all waits, present and future."""
        self._stop.set()


class NoProgress:
    """`ports.NotedProgress` without a terminal: cron, pipes, programs."""

    def start(self, what: str, total: int | None) -> None:
        """Do nothing."""

    def advance(self, count: int = 1) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


class ThreadWorkers:
    """`ports.Workers` as threads."""

    size = WORKERS

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.size, thread_name_prefix="worker")

    def submit(self, call: Callable[[], _T]) -> Future[_T]:
        """Begin a call."""
        return self._pool.submit(call)

    def wait(self, futures: Collection[Future[_T]], timeout_s: float) -> set[Future[_T]]:
        """Those that are done, as soon as there is one, or none after so many seconds."""
        return wait(futures, timeout=timeout_s, return_when=FIRST_COMPLETED).done

    def map(self, call: Callable[[str], _T], keys: Sequence[str]) -> Iterator[tuple[str, _T]]:
        """Each key with what the call returns for it, in the order of the keys."""
        return zip(keys, self._pool.map(call, keys), strict=True)

    def close(self) -> None:
        """Wait for what still runs; what was not begun is dropped."""
        self._pool.shutdown(cancel_futures=True)


_PLANNING = frozenset({"sync", "dry-run"})
"""Commands that read every client of the state; the others open one or none."""


@contextmanager
def open_run(
    settings: Settings,
    command: str,
    options: SyncOptions,
    clock: Clock,
    progress: Progress,
    *,
    read_only: bool = False,
    signal_number: Callable[[], int] = lambda: 0,
    lock_wait_s: float = 0.0,
) -> Iterator[tuple[Context, RunHeader]]:
    """The adapters of a run and its header. ``read_only``: without the lock, and the state is opened for reading.

    ``lock_wait_s``: how long to wait for another run to end.
    """
    from openphone_sync.run.report import RunHeader  # noqa: PLC0415  # with the rules: 80 ms that reviewing saves

    with (
        nullcontext() if read_only else run_lock(settings.state_dir, lock_wait_s, signal_number),
        open_context(settings, clock, progress, read_only=read_only, signal_number=signal_number) as context,
    ):
        if command in _PLANNING and not options.client_ids:
            context.workers.submit(context.store.read_ahead)
        started_at = clock.now()
        mode = "full" if options.full else "incremental"
        yield context, RunHeader(make_run_id(started_at), command, mode, read_only, started_at)


@contextmanager
def open_context(
    settings: Settings,
    clock: Clock,
    progress: Progress,
    *,
    read_only: bool,
    signal_number: Callable[[], int] = lambda: 0,
) -> Iterator[Context]:
    """The adapters of a run, closed at the end. ``read_only``: the state is opened for reading."""
    from openphone_sync.conversations.coverage_reading import CoverageTools  # noqa: PLC0415  # with the API: 60 ms
    from openphone_sync.rules.mapping import MappingRules  # noqa: PLC0415  # 20 ms

    prepare_state_dir(settings.state_dir)
    warnings = list(settings.warnings)
    folder = settings.state_dir
    store = state.peek_store(folder) if read_only else state.open_store(folder, clock.now())
    pacer = make_pacer(settings, clock)
    workspace = _make_workspace(settings, pacer, clock, lambda: signal_number() != 0, warnings)
    workers = ThreadWorkers()
    try:
        yield Context(
            settings=settings,
            store=store,
            workspace=workspace,
            open_source=lambda: open_source(settings, lambda: signal_number() != 0),
            clock=clock,
            progress=progress,
            workers=workers,
            key_mark=mark_key(settings.api_key, settings.base_url),
            hide_secrets=make_redactor(settings).hide_secrets,
            learn_row=_find_learner(),
            signal_number=signal_number,
            warnings=warnings,
            coverage=CoverageTools(
                reader=workspace.conversations(),
                open_source=lambda: open_source(settings, lambda: signal_number() != 0, every_column=True),
                store=store,
                clock=clock,
                rules=MappingRules(settings.region, load_mapping(settings.mapping_file)),
                describe=describe_reason,
            ),
        )
    finally:
        workers.close()
        workspace.close()
        pacer.close()
        store.close()


def open_source(
    settings: Settings, stopping: Callable[[], bool] = lambda: False, *, every_column: bool = False
) -> ClientSource:
    """The client table of the settings; ``stopping`` ends every wait for it. ``every_column``: not only mapped ones.

    The log's redactor learns the names in the rows that are read.
    """
    from openphone_sync.postgres import PostgresClients  # noqa: PLC0415  # 80 ms that commands on the state save

    return PostgresClients(
        settings.database_url,
        load_mapping(settings.mapping_file),
        table=settings.client_table,
        query=settings.client_query,
        extra_columns=None if every_column else settings.extra_columns,
        fetch_size=settings.batch_size,
        on_row=_find_learner(),
        stopping=stopping,
    )


def _find_learner() -> Callable[[str], None]:
    """Teaches the log's redactor the names in a row, where there is a log."""
    redactor = find_redactor()
    return redactor.learn_row if redactor else lambda _: None


@contextmanager
def open_conversations(settings: Settings, table: str = "") -> Iterator[PostgresConversations]:
    """The stored conversations; their snapshot ends with the block."""
    from openphone_sync.postgres import PostgresConversations  # noqa: PLC0415

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
    from openphone_sync.openphone import api, conversations, retry  # noqa: PLC0415
    from openphone_sync.ops import http  # noqa: PLC0415

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
        return http.download(
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
    with (
        closing(make_pacer(settings, clock)) as pacer,
        api.make_client(settings.base_url, settings.api_key, timeout_s) as client,
        http.make_http_client(timeout_s) as media,
    ):
        rules = retry.RetryRules(settings.retry_attempts, settings.retry_delay_ms / 1000)
        caller = retry.Caller(client, pacer, rules, clock, stopping=stopping, warn=tell)
        yield FetchTools(
            conversations.ConversationReader(caller),
            download_media,
            clock,
            progress,
            stopping,
            halt,
            signal_number,
            tell,
            _find_spacing(settings),
        )


@contextmanager
def read_state(settings: Settings) -> Iterator[Store]:
    """The state, opened for reading and closed at the end."""
    with closing(state.peek_store(settings.state_dir)) as store:
        yield store


def note_place(settings: Settings, path: Path, kind: str) -> None:
    """Remember where people's data was written, so that ``forget`` can name it. The file is there: nothing fails for this."""
    if not (settings.state_dir / STATE_FILE).exists():
        return
    with suppress(OpenPhoneSyncError, OSError), closing(state.open_store(settings.state_dir, time.time())) as store:
        store.note_place(path.absolute(), kind, time.time())


@contextmanager
def change_state(settings: Settings) -> Iterator[Store]:
    """The state, opened for a change outside a run; `LockedError` while a run is in progress."""
    with run_lock(settings.state_dir), closing(state.open_store(settings.state_dir, time.time())) as store:
        store.keep_copy(time.time())
        yield store


def make_run_id(now: float) -> str:
    """Sortable by time, and unique even if two runs begin in the same second."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ") + f"-{os.urandom(3).hex()}"


@cache
def mark_key(api_key: str, base_url: str) -> str:
    """A hash that recognises a key at an address: slow to compute, so that nobody can try all keys."""
    secret = f"{base_url}\n{api_key}".encode()
    return hashlib.scrypt(secret, salt=b"openphone-sync", n=2**12, r=8, p=1, dklen=16).hex()


def make_pacer(settings: Settings, clock: Clock) -> Pacer:
    """The pacer that all processes with this state folder share."""
    return Pacer(settings.state_dir / PACING_FILE, _find_spacing(settings), clock)


def _find_spacing(settings: Settings) -> float:
    return make_spacing(settings.rate_per_second, settings.rate_per_minute, settings.rate_per_hour)


def _make_workspace(
    settings: Settings, pacer: Pacer, clock: Clock, stopping: Callable[[], bool], warnings: list[str]
) -> OpenPhone:
    from openphone_sync.openphone import api, retry  # noqa: PLC0415

    base_url, timeout_s = settings.base_url, settings.timeout_ms / 1000
    client = LateClient(lambda: api.make_client(base_url, settings.api_key, timeout_s), base_url)
    rules = retry.RetryRules(settings.retry_attempts, settings.retry_delay_ms / 1000)
    return api.OpenPhone(client, pacer, rules, clock, stopping=stopping, warn=warnings.append)
