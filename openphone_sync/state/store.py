"""The state file: every read and write of it, durable at each commit.

SQLite in WAL mode with ``synchronous=FULL``: what a method has returned from survives a power cut. One `Store` may be
used by many threads. People's values are kept as JSON (`msgspec`) of the dataclasses in `model`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from openphone_sync.errors import ConfigurationError
from openphone_sync.model import (
    ActionKind,
    Answer,
    Base,
    Candidate,
    Choice,
    Conflict,
    ContactDraft,
    DataFault,
    DataWarning,
    Decision,
    Intent,
    JournalEntry,
    KnownClient,
    Link,
    LookAlike,
    Person,
    Reason,
    RemoteContact,
    Result,
    RunRecord,
    StaffValue,
    Standing,
    Why,
)
from openphone_sync.state.erasure import Erasing
from openphone_sync.state.file import STATE_FILE, connect_for_looking, connect_for_writing
from openphone_sync.state.history import DECIDED
from openphone_sync.state.seal import find_seal

_T = TypeVar("_T")

_LINK_COLUMNS = (
    "external_id, client_id, slot, standing, contact_id, base, person, phones, reason, detail, times_gone, failures"
)


def open_store(state_dir: Path, now: float | None = None) -> Store:
    """Open or create the state for a run that writes.

    The whole file is read through unless it is as we closed it and was read through in the week before ``now`` (Unix
    seconds); without ``now``, always.

    Raises `ConfigurationError` for a folder that cannot be written, a damaged file, another program's file, and a
    file made by a newer version.
    """
    path = state_dir / STATE_FILE
    checked_at = None if now is None else find_seal(path, now)
    connection = connect_for_writing(path, is_sealed=checked_at is not None)
    return Store(connection, path, now if checked_at is None else checked_at)


def peek_store(state_dir: Path) -> Store:
    """Open the state for looking only: writes raise. Without a state file, an empty state in memory."""
    path = state_dir / STATE_FILE
    return Store(connect_for_looking(path), path)


class Store(Erasing):
    """The state. Methods named ``read_`` change nothing; all others have committed when they return."""

    # --- clients -------------------------------------------------------------------------------------------------

    def read_clients(self) -> Iterator[KnownClient]:
        """Every client ever read, ordered by id (as UTF-8 bytes), with counts of its contacts."""
        cursor = self._connection.execute(
            "SELECT client_id, fingerprint, removed, due, linked, skipped, held FROM clients "
            "WHERE fingerprint IS NOT NULL OR due OR linked + skipped + held ORDER BY client_id"
        )
        return map(KnownClient._make, cursor)

    def knows_clients(self) -> bool:
        """Whether any client was ever read, also one that is forgotten."""
        return self._row("SELECT 1 FROM clients UNION ALL SELECT 1 FROM forgotten LIMIT 1") is not None

    def find_clients(self, client_ids: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Which of these clients the source still had when it was last read, and which it had no longer."""
        rows = self._select_in("SELECT client_id, removed FROM clients WHERE client_id IN", client_ids)
        return frozenset(row[0] for row in rows if not row[1]), frozenset(row[0] for row in rows if row[1])

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
        """Remember that these clients are gone from the source; their links become orphans.

        Rows that a review left to theirs are judged again at the next run.
        """
        with self._transaction() as db:
            rows = [(client_id,) for client_id in client_ids]
            db.executemany("UPDATE clients SET removed = 1 WHERE client_id = ?", rows)
            db.executemany("UPDATE links SET standing = 'orphaned' WHERE client_id = ?", rows)
            if rows:
                db.execute(
                    "UPDATE clients SET due = 1 WHERE client_id IN (SELECT link.client_id FROM links link "
                    "JOIN links other ON other.external_id = link.detail JOIN clients gone ON gone.client_id = other.client_id "
                    "WHERE link.standing = 'skipped' AND link.reason = 'decided_same_person' AND gone.removed)"
                )

    # --- links ---------------------------------------------------------------------------------------------------

    def read_links(self, client_ids: Iterable[str]) -> dict[str, Link]:
        """Links of these clients by external id, whatever their standing."""
        rows = self._select_in(f"SELECT {_LINK_COLUMNS} FROM links WHERE client_id IN", client_ids)
        return {row[0]: _link(row) for row in rows}

    def read_links_by_id(self, external_ids: Iterable[str]) -> list[Link]:
        """Links with these external ids."""
        rows = self._select_in(f"SELECT {_LINK_COLUMNS} FROM links WHERE external_id IN", external_ids)
        return [_link(row) for row in rows]

    def read_links_of_contacts(self, contact_ids: Iterable[str]) -> list[Link]:
        """Links that hold one of these contacts."""
        rows = self._select_in(f"SELECT {_LINK_COLUMNS} FROM links WHERE contact_id IN", contact_ids)
        return [_link(row) for row in rows]

    def find_clients_by_phone(self, e164: str) -> list[str]:
        """Clients one of whose contacts was last written with this number."""
        query = "SELECT DISTINCT client_id FROM links WHERE instr(base, ?) OR instr(phones, ?) ORDER BY client_id"
        return [row[0] for row in self._rows(query, (f'"{e164}"'.encode(), e164))]

    def read_links_standing(self, *standings: Standing) -> list[Link]:
        """All links with one of these standings, ordered by external id."""
        marks = ", ".join("?" * len(standings))
        apart = "" if Standing.LINKED in standings else "AND standing <> 'linked'"  # the condition of their index
        query = f"SELECT {_LINK_COLUMNS} FROM links WHERE standing IN ({marks}) {apart} ORDER BY external_id"
        return [_link(row) for row in self._rows(query, tuple(standings))]

    def read_links_to_explain(self) -> list[Link]:
        """Links that are skipped, held or to be tried again, and linked ones with a reason; ordered by external id."""
        query = (
            f"SELECT {_LINK_COLUMNS} FROM links WHERE standing IN ('skipped', 'pending', 'held') "
            "OR (standing = 'linked' AND reason <> '') ORDER BY external_id"
        )
        return [_link(row) for row in self._rows(query)]

    def read_owners(self) -> dict[str, Link]:
        """Every link that holds a contact, by contact id."""
        query = f"SELECT {_LINK_COLUMNS} FROM links WHERE contact_id IS NOT NULL"
        return {row[4]: _link(row) for row in self._rows(query)}

    def count_linked(self) -> int:
        """How many contacts are linked and wanted."""
        return int(self._row("SELECT coalesce(sum(linked), 0) FROM clients")[0])

    def forget_acknowledged(self) -> None:
        """Drop what was acknowledged of people who are in the source again: if they go again, that is news."""
        with self._transaction() as db:
            db.execute(
                "DELETE FROM acknowledged WHERE external_id NOT IN "
                "(SELECT external_id FROM links WHERE standing = 'orphaned' AND standing <> 'linked')"
            )

    def save_links(self, links: Sequence[Link]) -> None:
        """Remember links, all or none; contacts that trade places do so in one commit."""
        with self._transaction() as db:
            _write_links(db, links)

    def forget_links(self, external_ids: Iterable[str]) -> None:
        """Drop links altogether."""
        with self._transaction() as db:
            db.executemany("DELETE FROM links WHERE external_id = ?", [(one,) for one in external_ids])

    # --- reviews -------------------------------------------------------------------------------------------------

    def save_candidates(
        self, candidates: Mapping[str, Sequence[Candidate]], cards: Iterable[RemoteContact] = ()
    ) -> None:
        """Replace the candidates of these external ids; an empty sequence closes the review.

        ``cards`` are the candidates' contacts and our people (by external id), kept as long as a review shows them.
        """
        with self._transaction() as db:
            db.executemany("DELETE FROM candidates WHERE external_id = ?", [(key,) for key in candidates])
            db.executemany(
                "INSERT OR REPLACE INTO candidates VALUES (?, ?, ?, ?, ?)",
                [(key, c.subject, c.kind, c.score, c.words) for key, found in candidates.items() for c in found],
            )
            db.executemany(
                "INSERT OR REPLACE INTO cards VALUES (?, ?)", [(card.contact_id, _dump(card)) for card in cards]
            )
            db.execute(
                "DELETE FROM cards WHERE contact_id NOT IN (SELECT subject FROM candidates) "
                "AND contact_id NOT IN (SELECT external_id FROM candidates) "
                "AND contact_id NOT IN (SELECT other FROM look_alikes)"
            )

    def read_cards(self, contact_ids: Iterable[str]) -> dict[str, RemoteContact]:
        """Contacts of candidates and our people as a run last saw them, by contact id or external id."""
        rows = self._select_in("SELECT contact_id, card FROM cards WHERE contact_id IN", contact_ids)
        return dict(map(_card, rows))

    def read_decided(self) -> frozenset[str]:
        """External ids of held contacts that a person decided since the last run."""
        return frozenset(row[0] for row in self._rows(f"SELECT external_id FROM links l WHERE {DECIDED}"))

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

    def save_decisions(self, decisions: Iterable[Decision]) -> None:
        """Remember decisions and have their clients judged again at the next run."""
        with self._transaction() as db:
            for decision in decisions:
                other = decision.candidate_person or Person("")
                db.execute(
                    "INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        decision.client_id,
                        decision.person.name,
                        " ".join(decision.person.phones),
                        decision.candidate,
                        decision.choice,
                        decision.external_id,
                        other.name,
                        " ".join(other.phones),
                        decision.decided_at,
                    ),
                )
                db.execute("UPDATE clients SET due = 1 WHERE client_id = ?", (decision.client_id,))

    def forget_decisions(self, decisions: Iterable[Decision]) -> None:
        """Undo decisions and have their clients judged again at the next run."""
        with self._transaction() as db:
            for decision in decisions:
                db.execute(
                    "DELETE FROM decisions WHERE client_id = ? AND name = ? AND phones = ? AND candidate = ?",
                    (
                        decision.client_id,
                        decision.person.name,
                        " ".join(decision.person.phones),
                        decision.candidate,
                    ),
                )
                db.execute("UPDATE clients SET due = 1 WHERE client_id = ?", (decision.client_id,))

    def release(self, client_id: str, external_id: str) -> None:
        """Have a held or rolled back contact judged again at the next run; one that the source dropped is an orphan."""
        with self._transaction() as db:
            db.execute("UPDATE clients SET due = 1 WHERE client_id = ?", (client_id,))
            db.execute(
                "UPDATE links SET standing = CASE (SELECT removed FROM clients WHERE client_id = ?) WHEN 1 THEN 'orphaned' "
                "ELSE 'pending' END WHERE external_id = ? AND standing = 'reverted'",
                (client_id, external_id),
            )

    def hold_again(self, external_id: str) -> bool:
        """Undo the release of a rolled-back contact; False if it was not, or a run has acted on it."""
        with self._transaction() as db:
            cursor = db.execute(
                "UPDATE links SET standing = 'reverted' WHERE external_id = ? AND reason = 'rolled_back' "
                "AND standing IN ('pending', 'orphaned')",
                (external_id,),
            )
            return cursor.rowcount > 0

    def read_decisions(self, client_ids: Iterable[str] | None = None) -> list[Decision]:
        """Decisions about these clients, or about all, the oldest first."""
        query = (
            "SELECT client_id, name, phones, candidate, choice, external_id, candidate_name, candidate_phones, decided_at "
            "FROM decisions"
        )
        rows = self._rows(query) if client_ids is None else self._select_in(f"{query} WHERE client_id IN", client_ids)
        return sorted(
            (_decision(row) for row in rows), key=lambda one: (one.decided_at, one.external_id, one.candidate)
        )

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

    def save_warnings(self, found: Mapping[str, tuple[str, Sequence[DataWarning]]], *, judged: Iterable[str]) -> None:
        """Replace the warnings (client id and warnings by external id) of the external ids that were judged."""
        with self._transaction() as db:
            db.executemany("DELETE FROM warnings WHERE external_id = ?", [(one,) for one in judged])
            db.executemany(
                "INSERT OR REPLACE INTO warnings VALUES (?, ?, ?, ?, ?)",
                [
                    (external_id, client_id, warning.code, warning.column, warning.detail)
                    for external_id, (client_id, warnings) in found.items()
                    for warning in warnings
                ],
            )

    def read_warnings(self) -> list[tuple[str, str, DataWarning]]:
        """External id, client id and warning of every value to correct, ordered by external id."""
        rows = self._rows(
            "SELECT w.external_id, w.client_id, code, field, detail FROM warnings w JOIN clients c USING (client_id) "
            "WHERE NOT c.removed ORDER BY w.external_id, field, code"
        )
        return [(row[0], row[1], DataWarning(DataFault(row[2]), row[3], row[4])) for row in rows]

    def acknowledge(self, external_ids: Iterable[str], now: float) -> None:
        """Remember that somebody knows that these are gone from the source."""
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO acknowledged VALUES (?, ?)", [(one, now) for one in external_ids])

    def read_acknowledged(self) -> frozenset[str]:
        """External ids that somebody knows to be gone from the source."""
        return frozenset(row[0] for row in self._rows("SELECT external_id FROM acknowledged"))

    def read_refused(self) -> frozenset[str]:
        """Contacts whose last write was answered 403."""
        return frozenset(row[0] for row in self._rows("SELECT contact_id FROM refused"))

    def save_refused(self, contact_id: str, *, refused: bool) -> None:
        """Remember that a write was answered 403, or that one went through."""
        statement = (
            "INSERT OR IGNORE INTO refused VALUES (?)" if refused else "DELETE FROM refused WHERE contact_id = ?"
        )
        with self._transaction() as db:
            db.execute(statement, (contact_id,))

    def save_staff_values(self, found: Mapping[str, Sequence[StaffValue]], *, every: bool) -> None:
        """Replace what people typed on the contacts of these external ids. ``every``: nobody else has such a value."""
        with self._transaction() as db:
            if every:
                db.execute("DELETE FROM staff_values")
            db.executemany("DELETE FROM staff_values WHERE external_id = ?", [(key,) for key in found])
            db.executemany(
                "INSERT OR REPLACE INTO staff_values (external_id, field, value, label) VALUES (?, ?, ?, ?)",
                [
                    (key, one.field, json.dumps(one.value, ensure_ascii=False), one.label)
                    for key, values in found.items()
                    for one in values
                ],
            )

    def read_staff_values(self) -> list[tuple[str, StaffValue]]:
        """External id and value of all that people typed on contacts, as last seen; ordered by external id."""
        rows = self._rows(
            "SELECT external_id, field, label, value FROM staff_values ORDER BY external_id, field, value"
        )
        return [(row[0], StaffValue(row[1], row[2], json.loads(row[3]))) for row in rows]

    # --- the journal ---------------------------------------------------------------------------------------------

    def save_intent(self, run_id: str, intent: Intent, now: float) -> int:
        """Commit what is about to be sent; returns the entry's id."""
        link = intent.link
        with self._transaction() as db:
            cursor = db.execute(
                "INSERT INTO journal (run_id, external_id, client_id, kind, contact_id, before, draft, link, earlier, "
                "intended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    run_id,
                    link.external_id,
                    link.client_id,
                    intent.kind,
                    intent.contact_id,
                    _dump(intent.before),
                    _dump(intent.draft),
                    _dump(link),
                    _dump(intent.earlier),
                    now,
                ),
            )
            return int(cursor.lastrowid or 0)

    def save_outcome(self, entry_id: int, answer: Answer, link: Link | None, now: float) -> None:
        """Commit what came of an entry, and the link it leaves, together."""
        with self._transaction() as db:
            db.execute(
                "UPDATE journal SET settled_at = ?, result = ?, contact_id = coalesce(?, contact_id), "
                "kind = coalesce(?, kind), status = ?, code = ?, message = ?, conflicts = ?, after = ? WHERE entry_id = ?",
                (
                    now,
                    answer.result,
                    answer.contact_id,
                    answer.kind,
                    answer.status,
                    answer.code,
                    answer.message,
                    _dump(list(answer.conflicts)),
                    _dump(answer.after),
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

    def read_journal(self, run_id: str, limit: int | None = None) -> list[JournalEntry]:
        """Every write of a run, or the first ones, oldest first."""
        return self._journal("run_id = ?", (run_id,), limit)

    def read_conflicts_since(self, moment: float) -> list[tuple[str, str, Conflict]]:
        """Run id, external id and conflict of writes since a moment (seconds since the epoch), oldest first."""
        rows = self._rows(
            "SELECT run_id, external_id, conflicts FROM journal WHERE intended_at >= ? AND conflicts <> CAST('[]' AS BLOB) "
            "ORDER BY entry_id",
            (moment,),
        )
        return [(run, key, one) for run, key, blob in rows for one in _load(blob, list[Conflict]) or ()]

    def count_writes(self, run_id: str) -> dict[str, int]:
        """How many writes of a run happened, by kind of action."""
        rows = self._rows(
            "SELECT kind, count(*) FROM journal WHERE run_id = ? AND (result = 'done' OR result IS NULL) "
            "AND kind IN ('create', 'update', 'adopt', 'delete') GROUP BY kind",
            (run_id,),
        )
        return dict(rows)

    def read_last_writes(self) -> dict[str, float]:
        """When each wanted contact was last written, as far as the journal is kept: Unix seconds by external id."""
        rows = self._rows("SELECT external_id, max(settled_at) FROM journal WHERE result = 'done' GROUP BY external_id")
        return dict(rows)

    def read_contact_journal(self, external_id: str, limit: int = 20) -> list[JournalEntry]:
        """The latest writes for one wanted contact, oldest first."""
        query = "entry_id IN (SELECT entry_id FROM journal WHERE external_id = ? ORDER BY entry_id DESC LIMIT ?)"
        return self._journal(query, (external_id, limit))

    def _journal(self, where: str, values: tuple[Any, ...], limit: int | None = None) -> list[JournalEntry]:
        query = (
            "SELECT entry_id, run_id, external_id, client_id, kind, contact_id, link, before, draft, intended_at, earlier,"
            f" result, settled_at, status, code, message, conflicts, after FROM journal WHERE {where} ORDER BY entry_id LIMIT ?"
        )
        return [_journal_entry(row) for row in self._rows(query, (*values, -1 if limit is None else limit))]

    # --- coverage ------------------------------------------------------------------------------------------------

    def save_coverage(self, document: Mapping[str, Any], now: float) -> None:
        """Keep a measurement: counts for the trend, and the whole document of the latest only (it holds numbers)."""
        with self._transaction() as db:
            db.execute("UPDATE coverage SET document = ''")
            db.execute(
                "INSERT OR REPLACE INTO coverage VALUES (?, ?, ?, ?, ?)",
                (now, document["days"], document["numbers"], document["named"], json.dumps(document)),
            )

    def read_coverage_document(self) -> dict[str, Any] | None:
        """The latest coverage document; None before the first measurement."""
        row = self._row("SELECT document FROM coverage ORDER BY measured_at DESC LIMIT 1")
        return json.loads(row[0]) if row and row[0] else None

    # --- runs ----------------------------------------------------------------------------------------------------

    def start_run(self, run_id: str, command: str, now: float, *, complete: bool = True, undoes: str = "") -> None:
        """Open a run. Runs that a process left open are closed beforehand (`read_broken_runs`)."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO runs (run_id, command, status, started_at, complete, undoes) VALUES (?, ?, 'running', ?, ?, ?)",
                (run_id, command, now, complete, undoes),
            )

    def read_broken_runs(self) -> list[RunRecord]:
        """Runs whose process died before it closed them, oldest first; asked before a new one is opened."""
        return list(reversed(self._runs("WHERE status = 'running'")))

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
        """Runs in the order in which they began, the latest first."""
        return self._runs("", limit)

    def _runs(self, where: str, limit: int | None = None) -> list[RunRecord]:
        rows = self._rows(
            "SELECT run_id, command, status, started_at, finished_at, processed, total, report, undoes "
            f"FROM runs {where} ORDER BY number DESC LIMIT ?",
            (-1 if limit is None else limit,),
        )
        return [RunRecord(*row) for row in rows]


def _write_links(db: sqlite3.Connection, links: Sequence[Link]) -> None:
    """Write state rows. A contact moves with its link; the row that held it before keeps all else.

    Two rows for one contact in one call are a fault of the caller: the unique index refuses them.
    """
    held = [(link.contact_id, link.external_id) for link in links if link.contact_id is not None]
    db.executemany("UPDATE links SET contact_id = NULL WHERE contact_id = ? AND external_id <> ?", held)
    db.executemany(
        f"""
        INSERT INTO links ({_LINK_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (external_id) DO UPDATE SET client_id = excluded.client_id, slot = excluded.slot,
            standing = excluded.standing, contact_id = excluded.contact_id, base = excluded.base,
            person = excluded.person, phones = excluded.phones, reason = excluded.reason, detail = excluded.detail,
            times_gone = excluded.times_gone, failures = excluded.failures
        """,
        [_link_row(link) for link in links],
    )


def _link_row(link: Link) -> tuple[Any, ...]:
    written = _phones_of(link.base)
    return (
        link.external_id,
        link.client_id,
        link.slot,
        link.standing,
        link.contact_id,
        _dump(link.base),
        link.person,
        "" if link.phones == written else " ".join(link.phones),
        link.why.reason if link.why else "",
        link.why.detail if link.why else "",
        link.times_gone,
        link.failures,
    )


def _refuse_damage(parse: Callable[[tuple[Any, ...]], _T]) -> Callable[[tuple[Any, ...]], _T]:
    """A row that cannot be understood is a damaged state file, and no bug."""

    @wraps(parse)
    def parse_row(row: tuple[Any, ...]) -> _T:
        try:
            return parse(row)
        except (ValueError, TypeError, msgspec.MsgspecError):
            raise ConfigurationError(
                f"the state file is damaged: the row of {row[0]} in it cannot be read; put the latest copy from its backups "
                "folder in its place, or move it away: the next sync finds every contact again by its external id"
            ) from None

    return parse_row


@_refuse_damage
def _link(row: tuple[Any, ...]) -> Link:
    external_id, client_id, slot, standing, contact_id, blob, person, phones, reason, detail, *counts = row
    base = _load(blob, Base)
    return Link(
        external_id,
        client_id,
        slot,
        Standing(standing),
        contact_id,
        base,
        person,
        tuple(phones.split()) or _phones_of(base),
        Why(Reason(reason), detail) if reason else None,
        *counts,
    )


def _phones_of(base: Base | None) -> tuple[str, ...]:
    return tuple(sorted({item.value for item in base.values.phones})) if base else ()


@_refuse_damage
def _decision(row: tuple[Any, ...]) -> Decision:
    client_id, name, phones, candidate, choice, external_id, other_name, other_phones, decided_at = row
    other = Person(other_name, tuple(other_phones.split())) if other_name or other_phones else None
    return Decision(
        client_id=client_id,
        person=Person(name, tuple(phones.split())),
        candidate=candidate,
        choice=Choice(choice),
        external_id=external_id,
        candidate_person=other,
        decided_at=decided_at,
    )


@_refuse_damage
def _journal_entry(row: tuple[Any, ...]) -> JournalEntry:
    entry_id, run_id, external_id, client_id, kind, contact_id, link, before, draft, intended_at, earlier = row[:11]
    result, settled_at, status, code, message, conflicts, after = row[11:]
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
        earlier=_load(earlier, Link),
        result=Result(result) if result else None,
        settled_at=settled_at,
        status=status,
        code=code,
        message=message,
        conflicts=tuple(_load(conflicts, list[Conflict]) or ()),
        after=_load(after, RemoteContact),
    )


@_refuse_damage
def _card(row: tuple[Any, ...]) -> tuple[str, RemoteContact]:
    contact_id, card = row
    return contact_id, msgspec.json.decode(card, type=RemoteContact)


def _dump(value: object) -> bytes | None:
    return None if value is None else msgspec.json.encode(value, order="deterministic")


def _load(blob: bytes | None, kind: type[_T]) -> _T | None:
    return None if blob is None else msgspec.json.decode(blob, type=kind)
