"""The outside world on one page: what the workflows need of it, and nothing more.

Runs get adapters from `wiring`; tests bring their own. Everything that waits, reads the clock or draws random numbers
comes in through here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from openphone_sync.model import (
    ClientRow,
    ContactDraft,
    FieldDefinition,
    RemoteContact,
    SourceIdentity,
)

T = TypeVar("T")


class Clock(Protocol):
    """Time and waiting."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back; only differences mean something."""

    def sleep(self, seconds: float) -> None:
        """Wait; a run that is stopping may return earlier."""


class ClientSource(Protocol):
    """The client table, read only. Every call may raise `ConfigurationError` or `UnreachableError`."""

    def identity(self) -> SourceIdentity:
        """Which database and relation this is."""

    def columns(self) -> tuple[str, ...]:
        """Names of the columns that `read_clients` yields, in order."""

    def all_columns(self) -> tuple[str, ...]:
        """Names of the columns that the table or query has, including those that are not read."""

    def read_clients(
        self, *, client_type: str | None = None, limit: int | None = None, learns: bool = True
    ) -> Iterator[ClientRow]:
        """Clients in the order of their ids (as UTF-8 bytes), from one snapshot.

        ``learns``: the log learns their names, to leave them out. Where it is False, the caller tells it of each row that it
        looks at.
        """

    def read_client(self, client_id: str) -> ClientRow | None:
        """One client."""

    def hides_rows(self) -> bool:
        """Whether row-level security applies to our role."""

    def close(self) -> None:
        """End the connection."""


class Workspace(Protocol):
    """An OpenPhone workspace. Every call may raise `UnreachableError`; those for one contact, `ContactError`."""

    def read_identity(self) -> frozenset[str]:
        """Ids of the workspace's phone numbers."""

    def read_field_definitions(self) -> tuple[FieldDefinition, ...]:
        """Custom fields as staff defined them."""

    def read_contacts(self) -> Iterator[RemoteContact]:
        """Every contact, app-made and integration-made ones included, each once.

        Lists lag behind by seconds, so each copy is dated (``read_at_s``) as if it were old.
        """

    def find_contacts(self, external_ids: Sequence[str]) -> tuple[RemoteContact, ...]:
        """Contacts with these external ids; one written a few seconds ago may be missing."""

    def read_contact(self, contact_id: str) -> RemoteContact:
        """One contact; `ContactGoneError` if there is none."""

    def create_contact(self, draft: ContactDraft) -> RemoteContact:
        """Send one POST, at most once: a lost answer raises `AnswerLostError`."""

    def update_contact(self, contact_id: str, draft: ContactDraft) -> RemoteContact:
        """Replace a contact's fields by the draft's."""

    def delete_contact(self, contact_id: str) -> None:
        """Delete; a contact already gone counts as deleted."""

    def request_counts(self) -> Mapping[str, int]:
        """Requests sent so far: by method, and ``retried``, ``rateLimited``."""

    def close(self) -> None:
        """Close the connections."""


class Workers(Protocol):
    """Runs calls beside each other; the simulator's run one step at a time."""

    @property
    def size(self) -> int:
        """How many calls run at once."""

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Begin a call."""

    def wait(self, futures: Collection[Future[T]], timeout_s: float) -> set[Future[T]]:
        """Those that are done, as soon as there is one, or none after so many seconds."""

    def map(self, call: Callable[[str], T], keys: Sequence[str]) -> Iterator[tuple[str, T]]:
        """Each key with what the call returns for it, in the order of the keys; what it raises is raised."""


class Progress(Protocol):
    """Shows how far a run has come."""

    def start(self, what: str, total: int | None) -> None:
        """A stage begins; ``total`` is None if it is not known."""

    def advance(self, count: int = 1) -> None:
        """Some of the stage is done."""

    def finish(self) -> None:
        """The stage is over."""


class NotedProgress(Progress, Protocol):
    """Progress with a text beside the count."""

    def note(self, text: str) -> None:
        """Shown beside the count from now on."""


class Shield(Protocol):
    """A signal raises `InterruptedRunError` at once, except in the few steps that must not be interrupted."""

    def check(self) -> None:
        """Raise if a signal has come whose error was lost on its way."""

    def hold(self) -> AbstractContextManager[None]:
        """A signal that comes within waits for the end of the block."""

    def finish(self) -> None:
        """The work is done: a signal comes too late."""
