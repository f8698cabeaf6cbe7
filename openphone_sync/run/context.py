"""What a run is asked to do, and what it works on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openphone_sync.errors import InterruptedRunError

if TYPE_CHECKING:  # looking at the state makes no parts
    from openphone_sync.config import Settings
    from openphone_sync.ports import ClientSource, Clock, Progress, Workspace
    from openphone_sync.state import Store


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How one run differs from the usual one. ``wait_s``: how long to keep trying to reach API and database."""

    full: bool = False
    client_type: str | None = None
    limit: int | None = None
    fail_fast: bool = False
    force: bool = False
    wait_s: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether every row is read, so that a missing one is gone."""
        return self.client_type is None and self.limit is None


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run works on; `wiring` puts the real things in.

    ``key_mark`` recognises the API key without being it. ``hide_secrets`` takes the secrets of the settings out of a text.
    ``signal_number`` is 0 until a signal asks the run to end.
    ``warnings`` collects what adapters have to say.
    """

    settings: Settings
    store: Store
    workspace: Workspace
    open_source: Callable[[], ClientSource]
    clock: Clock
    progress: Progress
    key_mark: str
    hide_secrets: Callable[[str], str]
    signal_number: Callable[[], int] = lambda: 0
    warnings: list[str] = field(default_factory=list)

    def stopping(self) -> bool:
        """Whether a signal has asked the run to end."""
        return self.signal_number() != 0

    def check_going(self) -> None:
        """Raise `InterruptedRunError` once a signal has asked the run to end."""
        if self.stopping():
            raise InterruptedRunError(self.signal_number())
