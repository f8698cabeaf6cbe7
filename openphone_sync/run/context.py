"""What a run is asked to do, and what it works on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from openphone_sync.errors import InterruptedRunError, RefusedError, UnreachableError

if TYPE_CHECKING:  # reading the state makes no context
    from openphone_sync.config import Settings
    from openphone_sync.conversations.coverage_reading import CoverageTools
    from openphone_sync.ports import ClientSource, Clock, Progress, Workers, Workspace
    from openphone_sync.state import Store

MAX_PAUSE_S = 60.0
"""The longest wait between two tries to reach the API or the database."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How one run differs from the usual one.

    ``client_ids``: only these clients. ``wait_s``: how long to keep trying to reach the API and the database.
    ``accept_source``: the same rows in a new place are accepted. ``reads_ahead``: contacts to be updated are read while
    planning, so that a dry run can show what would change.
    """

    full: bool = False
    client_type: str | None = None
    limit: int | None = None
    client_ids: tuple[str, ...] = ()
    fail_fast: bool = False
    force: bool = False
    wait_s: float = 0.0
    accept_source: bool = False
    reads_ahead: bool = False

    @property
    def complete(self) -> bool:
        """Whether every row is read, so that a missing one is removed."""
        return self.client_type is None and self.limit is None and not self.client_ids


def _not_signalled() -> int:
    return 0


def _learn_nothing(document: str) -> None:
    del document


@dataclass(frozen=True, slots=True)
class Context:
    """What a run works on; `wiring` puts the real things in, the simulator its own.

    ``key_mark`` recognises the API key without being it. ``signal_number`` is 0 until a signal asks the run to end.
    ``warnings`` collects what adapters have to say. ``hide_secrets`` takes them out of texts that leave the program;
    ``learn_row`` is told of each row (its JSON) that is looked at, so that the log can leave its names out.
    ``coverage`` measures who calls without a name; None leaves that out.
    """

    settings: Settings
    store: Store
    workspace: Workspace
    open_source: Callable[[], ClientSource]
    clock: Clock
    progress: Progress
    workers: Workers
    key_mark: str
    signal_number: Callable[[], int] = _not_signalled
    warnings: list[str] = field(default_factory=list)
    hide_secrets: Callable[[str], str] = str
    learn_row: Callable[[str], None] = _learn_nothing
    coverage: CoverageTools | None = None

    def stopping(self) -> bool:
        """Whether a signal has asked the run to end."""
        return self.signal_number() != 0

    def check_going(self) -> None:
        """Raise `InterruptedRunError` once a signal has asked the run to end."""
        if self.stopping():
            raise InterruptedRunError(self.signal_number())


def keep_trying(call: Callable[[], _T], context: Context, deadline_s: float) -> _T:
    """What ``call`` returns, asked again until the monotonic second ``deadline_s`` while nothing can be reached.

    Refused credentials are not waited for.
    """
    pause_s = 1.0
    while True:
        try:
            return call()
        except RefusedError:
            raise
        except UnreachableError:
            left_s = deadline_s - context.clock.monotonic()
            if left_s <= 0 or context.stopping():
                raise
            context.clock.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 2, MAX_PAUSE_S)
