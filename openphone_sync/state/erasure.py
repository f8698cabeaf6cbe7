"""Forgetting a client: no row, no text and no byte of the state file is left of the person.

``clients.forgotten`` marks a client that is being forgotten, from before the first change until the last copy of the file
is replaced, so that a process that dies on the way is continued by the next start. What stays is a keyed hash of the
client's id, which keeps the next run from making the contacts again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openphone_sync.errors import ConfigurationError
from openphone_sync.state.backups import list_copies, replace_copies
from openphone_sync.state.file import plain_errors
from openphone_sync.state.history import History

_SALT = "forget_salt"
_FORGOTTEN = "(forgotten)"

_PHONES = (
    "SELECT json_extract(p.value, '$.value') FROM links l, json_each(CAST(l.base AS TEXT), '$.values.phones') p "
    "WHERE l.client_id = :client AND l.base IS NOT NULL"
)
_CONTACTS = (
    "SELECT contact_id FROM links WHERE client_id = :client UNION SELECT contact_id FROM journal WHERE client_id = :client "
    "EXCEPT SELECT contact_id FROM links WHERE client_id <> :client"
)
_THEIRS = (
    "(client_id = :client OR external_id IN (SELECT value FROM json_each(:ids)) "
    "OR contact_id IN (SELECT value FROM json_each(:contacts)))"
)
_IDS, _CONTACT_IDS = "(SELECT value FROM json_each(:ids))", "(SELECT value FROM json_each(:contacts))"
_ERASE = (
    # those who were judged beside them are judged again without them
    f"""
    UPDATE clients SET due = 1 WHERE client_id IN (
        SELECT l.client_id FROM links l LEFT JOIN candidates c USING (external_id)
        WHERE l.detail IN {_IDS} OR c.subject IN {_IDS} OR c.subject IN {_CONTACT_IDS}
    )
    """,
    f"UPDATE links SET detail = '{_FORGOTTEN}' WHERE detail IN {_IDS}",
    f"DELETE FROM candidates WHERE external_id IN {_IDS} OR subject IN {_IDS} OR subject IN {_CONTACT_IDS}",
    f"DELETE FROM cards WHERE contact_id IN {_IDS} OR contact_id IN {_CONTACT_IDS}",
    f"DELETE FROM decisions WHERE client_id = :client OR candidate IN {_IDS}",
    f"UPDATE decisions SET candidate_name = '', candidate_phones = '' WHERE candidate IN {_CONTACT_IDS}",
    f"DELETE FROM refused WHERE contact_id IN {_CONTACT_IDS}",
    f"DELETE FROM look_alikes WHERE external_id IN {_IDS} OR other IN {_IDS}",
    f"DELETE FROM warnings WHERE client_id = :client OR external_id IN {_IDS}",
    f"DELETE FROM staff_values WHERE external_id IN {_IDS}",
    f"DELETE FROM acknowledged WHERE external_id IN {_IDS}",
    f"""
    INSERT INTO erased SELECT run_id, count(*) FROM journal
        WHERE result = 'done' AND kind IN ('create', 'update', 'adopt', 'delete') AND {_THEIRS} GROUP BY run_id
    ON CONFLICT (run_id) DO UPDATE SET writes = writes + excluded.writes
    """,
    f"DELETE FROM journal WHERE {_THEIRS}",
    "DELETE FROM links WHERE client_id = :client",
    "UPDATE clients SET fingerprint = NULL, removed = 0, due = 0 WHERE client_id = :client",
)


@dataclass(frozen=True, slots=True)
class Traces:
    """What is kept of a client: ids of its contacts on both sides, numbers, and how many rows there are of what."""

    client_id: str
    external_ids: frozenset[str]
    contact_ids: frozenset[str]
    phones: frozenset[str]
    contacts: int
    writes: int
    decisions: int

    @property
    def is_empty(self) -> bool:
        """Whether the state knows nothing of the client."""
        return not (self.contacts or self.writes or self.decisions)


class Erasing(History):
    """What `forget` reads and changes in the state file."""

    def read_traces(self, client_id: str, external_id: str) -> Traces:
        """What is kept of a client, by its exact id; ``external_id`` is that of its own contact."""
        ids = {external_id}
        counts = {}
        for table in ("links", "journal", "decisions", "warnings"):
            rows = self._rows(f"SELECT external_id FROM {table} WHERE client_id = ?", (client_id,))
            ids.update(row[0] for row in rows)
            counts[table] = len(rows)
        with self._lock, plain_errors(self._path):
            contacts = {row[0] for row in self._connection.execute(_CONTACTS, {"client": client_id})} - {None}
            phones = {row[0] for row in self._connection.execute(_PHONES, {"client": client_id})}
        for row in self._rows("SELECT phones FROM links WHERE client_id = ?", (client_id,)):
            phones.update(row[0].split())
        return Traces(
            client_id,
            frozenset(ids),
            frozenset(contacts),
            frozenset(phones),
            counts["links"],
            counts["journal"],
            counts["decisions"],
        )

    def make_forgotten_test(self) -> Callable[[str], bool]:
        """Whether a client, by its id, is forgotten or being forgotten."""
        marks = frozenset(row[0] for row in self._rows("SELECT mark FROM forgotten"))
        begun = frozenset(row[0] for row in self._rows("SELECT client_id FROM clients WHERE forgotten > 0"))
        salt = self.read_fact(_SALT) or ""
        if not marks and not begun:
            return lambda _: False
        return lambda client_id: client_id in begun or _mark(salt, client_id) in marks

    def begin_forgetting(self, client_id: str, *, delete_contact: bool) -> None:
        """Commit that a client is to be forgotten."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (_SALT, os.urandom(32).hex()))
            db.execute(
                "INSERT INTO clients (client_id, forgotten) VALUES (?, ?) "
                "ON CONFLICT (client_id) DO UPDATE SET forgotten = max(forgotten, excluded.forgotten)",
                (client_id, 1 + delete_contact),
            )

    def read_forgetting(self) -> list[tuple[str, bool]]:
        """Clients whose forgetting has begun and not ended, and whether their contacts are deleted too."""
        rows = self._rows("SELECT client_id, forgotten FROM clients WHERE forgotten > 0 ORDER BY client_id")
        return [(client_id, forgotten > 1) for client_id, forgotten in rows]

    def erase(self, traces: Traces, now: float) -> None:
        """Erase all that is kept of a client, and remember its id as a keyed hash; in one commit."""
        scrub = make_scrubber(traces)
        values = {
            "client": traces.client_id,
            "ids": json.dumps(sorted(traces.external_ids)),
            "contacts": json.dumps(sorted(traces.contact_ids)),
        }
        with self._transaction() as db:
            for statement in _ERASE:
                db.execute(statement, values)
            _scrub_column(db, "runs", "number", "report", scrub)
            _scrub_column(db, "coverage", "measured_at", "document", scrub)
            salt = db.execute("SELECT value FROM facts WHERE name = ?", (_SALT,)).fetchone()[0]
            db.execute("INSERT OR REPLACE INTO forgotten VALUES (?, ?)", (_mark(salt, traces.client_id), now))

    def finish_forgetting(self, client_id: str, now: float) -> None:
        """Leave no byte of what was erased in the file, nor in its copies, which one fresh copy replaces."""
        with self._lock, plain_errors(self._path):
            self._connection.execute("VACUUM")
            self._empty_log()
            replace_copies(self._connection, self._path.parent, now)
        with self._transaction() as db:
            db.execute("DELETE FROM clients WHERE client_id = ? AND forgotten > 0", (client_id,))
        with self._lock, plain_errors(self._path):
            self._empty_log()

    def remember_again(self, client_id: str) -> bool:
        """Take back that a client is forgotten, so that runs make its contacts; False where it was not."""
        salt = self.read_fact(_SALT) or ""
        with self._transaction() as db:
            return db.execute("DELETE FROM forgotten WHERE mark = ?", (_mark(salt, client_id),)).rowcount > 0

    def count_copies(self) -> int:
        """How many copies of the file are kept."""
        return len(list_copies(self._path.parent))

    def count_erased(self, run_id: str) -> int:
        """How many writes of a run were for people who are forgotten."""
        row = self._row("SELECT writes FROM erased WHERE run_id = ?", (run_id,))
        return int(row[0]) if row else 0

    # --- where else a person may be found ----------------------------------------------------------------------------

    def note_place(self, path: Path, kind: str, now: float) -> None:
        """Remember where an export or an archive was written."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO places VALUES (?, ?, ?)", (str(path), kind, now))

    def read_places(self) -> list[tuple[str, str]]:
        """Kind and path of every export and archive that is known, the latest first."""
        return self._rows("SELECT kind, path FROM places ORDER BY written_at DESC, path")

    def _empty_log(self) -> None:
        """Fold the write-ahead log into the file, and cut it to nothing."""
        busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise ConfigurationError(
                "another program reads the state file, so the last bytes could not be erased; close it, and the next sync "
                "finishes forgetting"
            )


def make_scrubber(traces: Traces) -> Callable[[Any], Any]:
    """Takes a client out of a document: entries about it go, its ids in other texts become ``(forgotten)``."""
    stem = f"client_{traces.client_id}"
    optional = "?" if stem in traces.external_ids else ""  # else every one of its ids has it (`make_external_id`)
    ids = re.compile(rf"(?<![\w~-]){re.escape(stem)}(_alt_\d+){optional}(~\d+)?(?![\w~-])")

    def is_about(value: Any) -> bool:
        if isinstance(value, str):
            return bool(ids.search(value))  # a warning, an orphan
        return isinstance(value, dict) and (
            bool(ids.fullmatch(str(value.get("externalId"))))
            or value.get("clientId") == traces.client_id
            or value.get("number") in traces.phones
        )

    def scrub(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: scrub(one) for key, one in value.items()}
        if isinstance(value, list):
            return [scrub(one) for one in value if not is_about(one)]
        if isinstance(value, str):
            return _FORGOTTEN if value in traces.contact_ids else ids.sub(_FORGOTTEN, value)
        return value

    return scrub


def _scrub_column(db: sqlite3.Connection, table: str, key: str, column: str, scrub: Callable[[Any], Any]) -> None:
    rows = db.execute(f"SELECT {key}, {column} FROM {table} WHERE {column} <> ''").fetchall()
    for row_key, text in rows:
        document = json.loads(text)
        scrubbed = scrub(document)
        if scrubbed != document:
            db.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (json.dumps(scrubbed), row_key))


def _mark(salt: str, client_id: str) -> str:
    """Nobody reads the id from it without trying ids: short numbers can be tried, UUIDs cannot."""
    return hmac.new(salt.encode(), client_id.encode(), hashlib.sha256).hexdigest()
