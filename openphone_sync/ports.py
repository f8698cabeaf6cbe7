"""The outside world on one page: what the workflows need of it, and nothing more.

Adapters are named in `wiring` alone; tests bring their own. Everything that waits, tells the time or draws chance
comes in through here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from openphone_sync.model import (
    Action,
    ClientRow,
    ContactDraft,
    FieldDefinition,
    Link,
    Outcome,
    RemoteContact,
    SourceIdentity,
)


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
        """Names of the columns that the table or query has, those that nobody asked for included."""

    def read_clients(self, *, client_type: str | None = None, limit: int | None = None) -> Iterator[ClientRow]:
        """Clients in the order of their ids (as UTF-8 bytes), from one snapshot."""

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
        """One contact; `ContactGoneError` where there is none."""

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


class Ledger(Protocol):
    """The part of the state that acting writes; each method has committed when it returns."""

    def save_intent(self, run_id: str, action: Action, now: float) -> int:
        """What is about to be sent; returns the journal entry's id."""

    def save_outcome(
        self, entry_id: int, outcome: Outcome, after: RemoteContact | None, link: Link | None, now: float
    ) -> None:
        """What came of it, and the link it leaves, in one commit."""

    def save_links(self, links: Sequence[Link]) -> None:
        """Links that change without a request, all or none."""

    def save_clients(self, clients: Sequence[tuple[str, bytes, bool]]) -> None:
        """Clients as present: id, fingerprint of the row, and whether work is left to do."""

    def save_read_only(self, contact_id: str) -> None:
        """A contact that a native integration owns."""

    def save_progress(self, run_id: str, processed: int, total: int) -> None:
        """Live counts for another process to see."""


class Progress(Protocol):
    """Who wants to see how far a run has come."""

    def start(self, what: str, total: int | None) -> None:
        """A stage begins; ``total`` is None where nobody knows it."""

    def advance(self, count: int = 1) -> None:
        """Some of the stage is done."""

    def finish(self) -> None:
        """The stage is over."""


class NotedProgress(Progress, Protocol):
    """A stage that has more to say than its count."""

    def note(self, text: str) -> None:
        """Shown beside the count from now on."""


class Shield(Protocol):
    """A signal raises `InterruptedRunError` wherever the work is, but for the few steps that must not be halved."""

    def check(self) -> None:
        """Raise if a signal has come whose error was lost on its way."""

    def hold(self) -> AbstractContextManager[None]:
        """A signal that comes within waits for the end of the block."""

    def finish(self) -> None:
        """The work is done: a signal comes too late."""
