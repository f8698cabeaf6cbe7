"""The state file: every read and write of it, durable at each commit.

SQLite in WAL mode with ``synchronous=FULL``: what a method has returned from survives a power cut. One `Store` may be
used by many threads. People's values are kept as JSON (`msgspec`) of the dataclasses in `model`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from openphone_sync.model import (
    Action,
    ActionKind,
    Candidate,
    Choice,
    Conflict,
    ContactDraft,
    ContactValues,
    Decision,
    JournalEntry,
    KnownClient,
    Link,
    LookAlike,
    Outcome,
    RemoteContact,
    Result,
    RunRecord,
    Standing,
)
from openphone_sync.state.file import STATE_FILE, connect_for_looking, connect_for_writing
from openphone_sync.state.history import History

_T = TypeVar("_T")

_LINK_COLUMNS = (
    "external_id, client_id, slot, standing, contact_id, base, person, reason, times_gone, failures, first_run"
)


def open_store(state_dir: Path) -> Store:
    """Open or create the state for a run that writes.

    Raises `ConfigurationError` for a folder that cannot be written, a damaged file, another program's file, and a
    file made by a newer version.
    """
    path = state_dir / STATE_FILE
    return Store(connect_for_writing(path), path)


def peek_store(state_dir: Path) -> Store:
    """Open the state for looking only: writes raise. Without a state file, an empty state in memory."""
    path = state_dir / STATE_FILE
    return Store(connect_for_looking(path), path)


class Store(History):
    """The state. Methods named ``read_`` change nothing; all others have committed when they return."""

    # --- clients -------------------------------------------------------------------------------------------------

    def read_clients(self) -> Iterator[KnownClient]:
        """Every client ever read, ordered by id (as UTF-8 bytes), with counts of its contacts."""
        cursor = self._connection.execute(
            """
            SELECT c.client_id, c.fingerprint, c.removed, c.due,
                   total(l.standing = 'linked'),
                   total(l.standing IN ('skipped', 'declined')),
                   total(l.standing IN ('held', 'reverted'))
            FROM clients c LEFT JOIN links l USING (client_id)
            GROUP BY c.client_id ORDER BY c.client_id
            """
        )
        for client_id, fingerprint, removed, due, linked, skipped, held in cursor:
            yield KnownClient(client_id, fingerprint, bool(removed), bool(due), int(linked), int(skipped), int(held))

    def save_clients(self, clients: Iterable[tuple[str, bytes, bool]]) -> None:
        """Remember clients as present: id, fingerprint of the row, and whether work is left to do."""
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO clients (client_id, fingerprint, removed, due) VALUES (?, ?, 0, ?) "
                "ON CONFLICT (client_id) DO UPDATE SET fingerprint = excluded.fingerprint, removed = 0, due = excluded.due",
                clients,
            )

    def mark_due(self, client_ids: Iterable[str]) -> None:
        """Have these clients looked at again at the next run."""
        with self._transaction() as db:
            db.executemany("UPDATE clients SET due = 1 WHERE client_id = ?", [(one,) for one in client_ids])

    def mark_removed(self, client_ids: Iterable[str]) -> None:
        """Remember that these clients are gone from the source; their links become orphans."""
        with self._transaction() as db:
            rows = [(client_id,) for client_id in client_ids]
            db.executemany("UPDATE clients SET removed = 1 WHERE client_id = ?", rows)
            db.executemany("UPDATE links SET standing = 'orphaned' WHERE client_id = ?", rows)

    # --- links ---------------------------------------------------------------------------------------------------

    def read_links(self, client_ids: Iterable[str]) -> dict[str, Link]:
        """Links of these clients by external id, whatever their standing."""
        rows = self._select_in(f"SELECT {_LINK_COLUMNS} FROM links WHERE client_id IN", client_ids)
        return {row[0]: _link(row) for row in rows}

    def find_clients_by_phone(self, e164: str) -> list[str]:
        """Clients one of whose contacts was last written with this number."""
        query = "SELECT DISTINCT client_id FROM links WHERE instr(base, ?) ORDER BY client_id"
        return [row[0] for row in self._rows(query, (f'"{e164}"'.encode(),))]

    def read_links_standing(self, *standings: Standing) -> list[Link]:
        """All links with one of these standings, ordered by external id."""
        marks = ", ".join("?" * len(standings))
        query = f"SELECT {_LINK_COLUMNS} FROM links WHERE standing IN ({marks}) ORDER BY external_id"
        return [_link(row) for row in self._rows(query, tuple(standings))]

    def read_owners(self) -> dict[str, Link]:
        """Every link that holds a contact, by contact id."""
        query = f"SELECT {_LINK_COLUMNS} FROM links WHERE contact_id IS NOT NULL"
        return {row[4]: _link(row) for row in self._rows(query)}

    def count_linked(self) -> int:
        """How many contacts are linked and wanted."""
        return int(self._row("SELECT count(*) FROM links WHERE standing = 'linked'")[0])

    def save_links(self, links: Sequence[Link]) -> None:
        """Remember links, all or none; contacts that trade places do so in one commit."""
        with self._transaction() as db:
            _write_links(db, links)

    def forget_links(self, external_ids: Iterable[str]) -> None:
        """Drop links altogether."""
        with self._transaction() as db:
            db.executemany("DELETE FROM links WHERE external_id = ?", [(one,) for one in external_ids])

    # --- reviews -------------------------------------------------------------------------------------------------

    def save_candidates(self, candidates: Mapping[str, Sequence[Candidate]]) -> None:
        """Replace the candidates of these external ids; an empty sequence closes the review."""
        with self._transaction() as db:
            db.executemany("DELETE FROM candidates WHERE external_id = ?", [(one,) for one in candidates])
            db.executemany(
                "INSERT OR REPLACE INTO candidates VALUES (?, ?, ?, ?, ?)",
                [(key, c.subject, c.kind, c.score, c.words) for key, found in candidates.items() for c in found],
            )

    def read_candidates(self, external_ids: Iterable[str]) -> dict[str, tuple[Candidate, ...]]:
        """Candidates of held contacts, the best first."""
        rows = self._select_in(
            "SELECT external_id, subject, kind, score, words FROM candidates WHERE external_id IN",
            external_ids,
        )
        found: dict[str, list[Candidate]] = {}
        for external_id, *rest in sorted(rows, key=lambda row: (row[0], -row[3], row[1])):
            found.setdefault(external_id, []).append(Candidate(*rest))
        return {key: tuple(value) for key, value in found.items()}

    def save_decisions(self, decisions: Iterable[Decision], now: float) -> None:
        """Remember decisions and have their clients judged again at the next run."""
        with self._transaction() as db:
            for one in decisions:
                db.execute(
                    "INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?)",
                    (one.external_id, one.candidate, one.choice, now),
                )
                db.execute(
                    "UPDATE clients SET due = 1 WHERE client_id = (SELECT client_id FROM links WHERE external_id = ?)",
                    (one.external_id,),
                )

    def release(self, client_id: str, external_id: str) -> None:
        """Have a held or rolled back contact judged again at the next run; one that the source dropped is an orphan."""
        with self._transaction() as db:
            db.execute("UPDATE clients SET due = 1 WHERE client_id = ?", (client_id,))
            db.execute(
                "UPDATE links SET standing = CASE (SELECT removed FROM clients WHERE client_id = ?) WHEN 1 THEN 'orphaned' "
                "ELSE 'pending' END WHERE external_id = ? AND standing = 'reverted'",
                (client_id, external_id),
            )

    def read_decisions(self) -> dict[tuple[str, str], Choice]:
        """Every decision by (external id, candidate)."""
        rows = self._rows("SELECT external_id, candidate, choice FROM decisions")
        return {(row[0], row[1]): Choice(row[2]) for row in rows}

    def save_look_alikes(self, found: Sequence[LookAlike], *, judged: Iterable[str]) -> None:
        """Replace what is known of rows that look alike for the external ids that were judged."""
        with self._transaction() as db:
            db.executemany("DELETE FROM look_alikes WHERE external_id = ?", [(one,) for one in judged])
            db.executemany(
                "INSERT OR REPLACE INTO look_alikes VALUES (?, ?, ?, ?)",
                [(one.external_id, one.other, one.score, one.words) for one in found],
            )

    def read_look_alikes(self) -> list[LookAlike]:
        """Every pair that looks alike, ordered by external id."""
        rows = self._rows("SELECT external_id, other, score, words FROM look_alikes ORDER BY external_id, other")
        return [LookAlike(*row) for row in rows]

    def read_read_only(self) -> frozenset[str]:
        """Contacts that a write once found owned by a native integration."""
        return frozenset(row[0] for row in self._rows("SELECT contact_id FROM read_only"))

    def save_read_only(self, contact_id: str) -> None:
        """Remember that a contact is owned by a native integration."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO read_only VALUES (?)", (contact_id,))

    # --- the journal ---------------------------------------------------------------------------------------------

    def save_intent(self, run_id: str, action: Action, now: float) -> int:
        """Commit what is about to be sent; returns the entry's id."""
        draft = action.merged.draft if action.merged else None
        with self._transaction() as db:
            cursor = db.execute(
                "INSERT INTO journal (run_id, external_id, client_id, kind, contact_id, before, draft, link, intended_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    run_id,
                    action.external_id,
                    action.client_id,
                    action.kind,
                    action.contact_id,
                    _dump(action.before),
                    _dump(draft),
                    _dump(action.link),
                    now,
                ),
            )
            return int(cursor.lastrowid or 0)

    def save_outcome(
        self, entry_id: int, outcome: Outcome, after: RemoteContact | None, link: Link | None, now: float
    ) -> None:
        """Commit what came of an entry, and the link it leaves, together."""
        with self._transaction() as db:
            db.execute(
                "UPDATE journal SET settled_at = ?, result = ?, contact_id = coalesce(?, contact_id), kind = ?, status = ?, "
                "code = ?, message = ?, conflicts = ?, after = ? WHERE entry_id = ?",
                (
                    now,
                    outcome.result,
                    outcome.contact_id,
                    outcome.kind or outcome.action.kind,
                    outcome.status,
                    outcome.code,
                    outcome.message,
                    _dump(list(outcome.conflicts)),
                    _dump(after),
                    entry_id,
                ),
            )
            if link is not None:
                _write_links(db, [link])

    def settle_entry(
        self, entry_id: int, result: Result, message: str, after: RemoteContact | None, link: Link | None, now: float
    ) -> None:
        """Commit what a later look found out about an unfinished entry; ``after`` where the contact is as it was sent."""
        with self._transaction() as db:
            db.execute(
                "UPDATE journal SET settled_at = ?, result = ?, message = ?, contact_id = coalesce(?, contact_id), "
                "after = coalesce(?, after) WHERE entry_id = ?",
                (now, result, message, link.contact_id if link else None, _dump(after), entry_id),
            )
            if link is not None:
                _write_links(db, [link])

    def read_unsettled(self) -> list[JournalEntry]:
        """Entries whose fate is unknown, oldest first."""
        return self._journal("result IS NULL", ())

    def read_journal(self, run_id: str) -> list[JournalEntry]:
        """Every write of a run, oldest first."""
        return self._journal("run_id = ?", (run_id,))

    def read_contact_journal(self, external_id: str, limit: int = 20) -> list[JournalEntry]:
        """The latest writes for one wanted contact, oldest first."""
        query = "entry_id IN (SELECT entry_id FROM journal WHERE external_id = ? ORDER BY entry_id DESC LIMIT ?)"
        return self._journal(query, (external_id, limit))

    def _journal(self, where: str, values: tuple[Any, ...]) -> list[JournalEntry]:
        query = (
            "SELECT entry_id, run_id, external_id, client_id, kind, contact_id, link, before, draft, intended_at, result,"
            f" settled_at, status, code, message, conflicts, after FROM journal WHERE {where} ORDER BY entry_id"
        )
        return [_journal_entry(row) for row in self._rows(query, values)]

    # --- runs ----------------------------------------------------------------------------------------------------

    def start_run(self, run_id: str, command: str, now: float) -> None:
        """Open a run; runs left open by a process that died are closed as interrupted."""
        with self._transaction() as db:
            db.execute(
                "UPDATE runs SET status = 'interrupted', finished_at = ? WHERE status = 'running'",
                (now,),
            )
            db.execute(
                "INSERT INTO runs (run_id, command, status, started_at) VALUES (?, ?, 'running', ?)",
                (run_id, command, now),
            )

    def save_progress(self, run_id: str, processed: int, total: int) -> None:
        """Live counts of a run, for ``status`` in another process."""
        with self._transaction() as db:
            db.execute("UPDATE runs SET processed = ?, total = ? WHERE run_id = ?", (processed, total, run_id))

    def finish_run(self, run_id: str, status: str, now: float, report: str) -> None:
        """Close a run with its report."""
        with self._transaction() as db:
            db.execute(
                "UPDATE runs SET status = ?, finished_at = ?, report = ? WHERE run_id = ?",
                (status, now, report, run_id),
            )

    def read_runs(self, limit: int | None = None) -> list[RunRecord]:
        """Runs, the latest first."""
        query = "SELECT run_id, command, status, started_at, finished_at, processed, total, report FROM runs"
        rows = self._rows(f"{query} ORDER BY started_at DESC, run_id DESC LIMIT ?", (-1 if limit is None else limit,))
        return [RunRecord(*row) for row in rows]


def _write_links(db: sqlite3.Connection, links: Sequence[Link]) -> None:
    held = [(one.contact_id, one.external_id) for one in links if one.contact_id is not None]
    db.executemany("UPDATE links SET contact_id = NULL WHERE contact_id = ? AND external_id <> ?", held)
    db.executemany(
        f"INSERT OR REPLACE INTO links ({_LINK_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                one.external_id,
                one.client_id,
                one.slot,
                one.standing,
                one.contact_id,
                _dump(one.base),
                one.person,
                one.reason,
                one.times_gone,
                one.failures,
                one.first_run,
            )
            for one in links
        ],
    )


def _link(row: tuple[Any, ...]) -> Link:
    external_id, client_id, slot, standing, contact_id, base, *rest = row
    return Link(external_id, client_id, slot, Standing(standing), contact_id, _load(base, ContactValues), *rest)


def _journal_entry(row: tuple[Any, ...]) -> JournalEntry:
    entry_id, run_id, external_id, client_id, kind, contact_id, link, before, draft, intended_at = row[:10]
    result, settled_at, status, code, message, conflicts, after = row[10:]
    return JournalEntry(
        entry_id=entry_id,
        run_id=run_id,
        external_id=external_id,
        client_id=client_id,
        kind=ActionKind(kind),
        contact_id=contact_id,
        link=msgspec.json.decode(link, type=Link),
        before=_load(before, RemoteContact),
        draft=_load(draft, ContactDraft),
        intended_at=intended_at,
        result=Result(result) if result else None,
        settled_at=settled_at,
        status=status,
        code=code,
        message=message,
        conflicts=tuple(_load(conflicts, list[Conflict]) or ()),
        after=_load(after, RemoteContact),
    )


def _dump(value: object) -> bytes | None:
    return None if value is None else msgspec.json.encode(value)


def _load(blob: bytes | None, kind: type[_T]) -> _T | None:
    return None if blob is None else msgspec.json.decode(blob, type=kind)
