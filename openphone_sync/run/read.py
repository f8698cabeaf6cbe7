"""Read both sides: what moved in the source, and what of OpenPhone must be known to decide about it.

Rows stream by in the order of their ids beside the state's clients in the same order, so that memory stays flat and a
client that is gone shows as a gap. Unmoved rows are recognised by their fingerprint, without parsing them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from openphone_sync.errors import (
    ConfigurationError,
    ContactError,
    ContactGoneError,
    InterruptedRunError,
    NotSentError,
    UnreachableError,
)
from openphone_sync.model import ClientRow, ClientTally, KnownClient, RemoteContact
from openphone_sync.ports import Progress, Workers, Workspace
from openphone_sync.rules.mapping import make_fingerprint


@dataclass(slots=True)
class Reading:
    """What one pass over the source found.

    ``moved`` are rows to look at, ``unmoved`` those of them whose row is as it was. ``held`` are unmoved rows with held
    contacts, judged again when the workspace is listed anyway. ``absent`` are known clients that the source no longer
    has, ``removed`` those of them that it had last time. ``forgotten`` are rows that nobody looks at, by request.
    """

    moved: list[ClientRow] = field(default_factory=list)
    held: list[tuple[ClientRow, KnownClient]] = field(default_factory=list)
    fingerprints: dict[str, bytes] = field(default_factory=dict)
    unmoved: set[str] = field(default_factory=set)
    read: int = 0
    changed: int = 0
    known: int = 0
    linked_unread: int = 0
    unread: list[str] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)
    removed: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    def pass_over(self, client: KnownClient) -> None:
        """Count an unmoved client without looking closer."""
        self.linked_unread += client.linked
        if client.skipped or client.held:
            self.unread.append(client.client_id)

    def judge_held(self) -> None:
        """Take the held ones in play, since the workspace is listed anyway."""
        for row, client in self.held:
            self.moved.append(row)
            self.unmoved.add(row.client_id)
            self.fingerprints[row.client_id] = client.fingerprint or b""
        self.held = []

    @property
    def tally(self) -> ClientTally:
        """Counts for the report."""
        return ClientTally(self.read, self.changed, self.read - self.changed, len(self.removed))


def read_source(
    rows: Iterable[ClientRow],
    known: Iterable[KnownClient],
    digest: bytes,
    *,
    everything: bool,
    complete: bool,
    is_forgotten: Callable[[str], bool] = lambda _: False,
) -> Reading:
    """Walk rows and state side by side. ``everything`` looks at every row; only a ``complete`` read finds removals."""
    reading = Reading()
    beside = iter(known)
    client = next(beside, None)
    last = ""
    for row in rows:
        client_id = row.client_id
        if reading.read and client_id <= last:
            raise ConfigurationError(
                f"the database does not sort ids in byte order ({client_id} came after {last}); set its encoding to UTF8"
            )
        last = client_id
        if is_forgotten(client_id):
            reading.read += 1
            reading.forgotten.append(client_id)
            continue
        while client is not None and client.client_id < client_id:
            _miss(reading, client, complete=complete)
            client = next(beside, None)
        if client is not None and client.client_id == client_id:
            reading.known += 1
            _take(reading, row, client, digest, everything=everything)
            client = next(beside, None)
        else:
            _take(reading, row, None, digest, everything=everything)
    while client is not None:
        _miss(reading, client, complete=complete)
        client = next(beside, None)
    return reading


def _miss(reading: Reading, client: KnownClient, *, complete: bool) -> None:
    """A known client without a row."""
    reading.known += not client.removed
    if not complete:
        return
    reading.absent.add(client.client_id)
    if not client.removed:
        reading.removed.append(client.client_id)
    elif client.held:  # a rollback made its contacts again
        reading.unread.append(client.client_id)


def _take(reading: Reading, row: ClientRow, client: KnownClient | None, digest: bytes, *, everything: bool) -> None:
    fingerprint = make_fingerprint(row, digest)
    reading.read += 1
    if client is None or client.fingerprint != fingerprint or client.removed:
        reading.changed += 1
        reading.moved.append(row)
        reading.fingerprints[row.client_id] = fingerprint
    elif everything or client.due:
        reading.moved.append(row)
        reading.fingerprints[row.client_id] = fingerprint
        reading.unmoved.add(row.client_id)
    elif client.held:
        reading.held.append((row, client))
    else:
        reading.pass_over(client)


# --- OpenPhone -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Remote:
    """Contacts as read in this run, by id, and linked ones found gone. ``listed``: the whole workspace was."""

    contacts: dict[str, RemoteContact] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    listed: bool = False


def list_workspace(workspace: Workspace, progress: Progress, remote: Remote) -> None:
    """Every contact of the workspace; what was found gone stays so, whatever the list shows."""
    progress.start("listing OpenPhone", None)
    remote.contacts = {}
    for contact in workspace.read_contacts():
        remote.contacts[contact.contact_id] = contact
        progress.advance()
    remote.listed = True
    progress.finish()


def read_missing(
    remote: Remote,
    contact_ids: Iterable[str],
    workspace: Workspace,
    workers: Workers,
    progress: Progress,
    stopping: Callable[[], bool],
) -> None:
    """Read those of the contacts that are not there yet; one that a listing misses may only have moved a page."""
    missing = [key for key in dict.fromkeys(contact_ids) if key not in remote.contacts and key not in remote.gone]
    if not missing:
        return
    progress.start("reading contacts", len(missing))
    refused: dict[str, ContactError] = {}
    for contact_id, found in workers.map(partial(_read, workspace=workspace, stopping=stopping), missing):
        if isinstance(found, RemoteContact):
            remote.contacts[contact_id] = found
        elif isinstance(found, ContactGoneError):
            remote.gone.add(contact_id)
        else:
            refused[contact_id] = found
        progress.advance()
    progress.finish()
    if refused:
        _take_from_list(remote, refused, workspace, progress)


def _read(contact_id: str, workspace: Workspace, stopping: Callable[[], bool]) -> RemoteContact | ContactError:
    """One contact, or why it cannot be read."""
    if stopping():
        raise InterruptedRunError(0)
    try:
        return workspace.read_contact(contact_id)
    except NotSentError:
        raise InterruptedRunError(0) from None
    except ContactError as error:
        return error


def _take_from_list(
    remote: Remote, refused: Mapping[str, ContactError], workspace: Workspace, progress: Progress
) -> None:
    """Contacts that cannot be read one by one, as the list shows them: they must not keep all others waiting.

    Deciding needs to know each of them; writing over one reads it again first, and only that one fails.
    """
    listing = Remote()
    list_workspace(workspace, progress, listing)
    for contact_id, error in refused.items():
        if contact_id not in listing.contacts:
            raise UnreachableError(
                f"OpenPhone cannot be read: {error.message}; check OPENPHONE_BASE_URL, or try later"
            ) from error
        remote.contacts[contact_id] = listing.contacts[contact_id]
