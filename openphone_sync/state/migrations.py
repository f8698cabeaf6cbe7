"""Numbered migrations of the state file; ``PRAGMA user_version`` says which one a file has reached.

Tables of version 4, one line each:

==============  =====================================================================================================
facts           small single values
clients         one narrow row for each client ever read: all that a night without changes looks at
links           one row for each wanted contact: where it stands, its OpenPhone contact, the base of the merge
candidates      possible duplicates of held contacts, with ``cards``: the candidate's contact, kept while it is held
decisions       what people decided, with the person that each is about
refused         contacts whose write was answered 403
look_alikes     pairs that resemble each other without being held
warnings        what is wrong with a row's values, until the row is fixed
acknowledged    people gone from the source whom the office has been told of
staff_values    what people typed on contacts and the client table lacks, as last seen
coverage        how many of the numbers that called show a name, after each full run
places          where exports and archives were written, so that ``forget`` can name them
forgotten       a keyed hash of the id of each client that is not to be synchronised again
erased          how many writes of a run `forget` erased
runs, journal   history: each run, and each write with the contact before and after it
==============  =====================================================================================================
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

APPLICATION_ID = 0x4F505359
"""``OPSY``: marks the file as ours (``PRAGMA application_id``), so that another program's file is never touched."""

_VERSION_1 = """
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

    -- One row per client ever read. due: to be looked at though its row has not moved.
    CREATE TABLE clients (
        client_id TEXT PRIMARY KEY,
        fingerprint BLOB,
        removed INTEGER NOT NULL DEFAULT 0,
        due INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;

    -- One row per wanted contact: the link, the base of the merge, and where it stood.
    CREATE TABLE links (
        external_id TEXT PRIMARY KEY,
        client_id TEXT NOT NULL,
        slot INTEGER NOT NULL,
        standing TEXT NOT NULL,
        contact_id TEXT,
        base BLOB,
        person TEXT NOT NULL DEFAULT '',
        reason TEXT NOT NULL DEFAULT '',
        times_gone INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        first_run TEXT NOT NULL DEFAULT ''
    ) WITHOUT ROWID;
    CREATE INDEX links_by_client ON links (client_id, standing);
    CREATE UNIQUE INDEX links_by_contact ON links (contact_id) WHERE contact_id IS NOT NULL;

    -- Candidates of held contacts, for reviews.
    CREATE TABLE candidates (
        external_id TEXT NOT NULL,
        subject TEXT NOT NULL,
        kind TEXT NOT NULL,
        score REAL NOT NULL,
        words TEXT NOT NULL,
        PRIMARY KEY (external_id, subject)
    ) WITHOUT ROWID;

    CREATE TABLE decisions (
        external_id TEXT NOT NULL,
        candidate TEXT NOT NULL,
        choice TEXT NOT NULL,
        decided_at REAL NOT NULL,
        PRIMARY KEY (external_id, candidate)
    ) WITHOUT ROWID;

    -- Contacts that a write once found owned by a native integration (403).
    CREATE TABLE read_only (contact_id TEXT PRIMARY KEY) WITHOUT ROWID;

    -- Pairs that look alike without being held, for `problems`.
    CREATE TABLE look_alikes (
        external_id TEXT NOT NULL,
        other TEXT NOT NULL,
        score REAL NOT NULL,
        words TEXT NOT NULL,
        PRIMARY KEY (external_id, other)
    ) WITHOUT ROWID;

    CREATE TABLE runs (
        run_id TEXT PRIMARY KEY,
        command TEXT NOT NULL,
        status TEXT NOT NULL,
        started_at REAL NOT NULL,
        finished_at REAL,
        processed INTEGER NOT NULL DEFAULT 0,
        total INTEGER NOT NULL DEFAULT 0,
        report TEXT
    ) WITHOUT ROWID;

    -- Intent first: a row without a result is a request whose fate is unknown.
    CREATE TABLE journal (
        entry_id INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL,
        external_id TEXT NOT NULL,
        client_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        contact_id TEXT,
        before BLOB,
        draft BLOB,
        link BLOB,
        intended_at REAL NOT NULL,
        settled_at REAL,
        result TEXT,
        status INTEGER NOT NULL DEFAULT 0,
        code TEXT NOT NULL DEFAULT '',
        message TEXT NOT NULL DEFAULT '',
        conflicts BLOB,
        after BLOB
    );
    CREATE INDEX journal_by_run ON journal (run_id);
    CREATE INDEX journal_by_contact ON journal (external_id);
    CREATE INDEX journal_open ON journal (entry_id) WHERE result IS NULL;
    """

_VERSION_2 = """
    -- Counts of a client's contacts are kept by triggers, so that a quiet night reads this table and nothing else.
    ALTER TABLE clients ADD COLUMN linked INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE clients ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE clients ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE clients ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;

    ALTER TABLE links RENAME TO old_links;
    DROP INDEX links_by_client;
    DROP INDEX links_by_contact;
    -- phones: E.164, separated by spaces; empty where the base has the same.
    CREATE TABLE links (
        external_id TEXT PRIMARY KEY,
        client_id TEXT NOT NULL,
        slot INTEGER NOT NULL,
        standing TEXT NOT NULL,
        contact_id TEXT,
        base BLOB,
        person TEXT NOT NULL DEFAULT '',
        phones TEXT NOT NULL DEFAULT '',
        reason TEXT NOT NULL DEFAULT '',
        detail TEXT NOT NULL DEFAULT '',
        times_gone INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE INDEX links_by_client ON links (client_id, standing);
    CREATE UNIQUE INDEX links_by_contact ON links (contact_id) WHERE contact_id IS NOT NULL;
    CREATE TRIGGER link_added AFTER INSERT ON links BEGIN
        INSERT OR IGNORE INTO clients (client_id, due) VALUES (NEW.client_id, 1);
        UPDATE clients SET linked = linked + (NEW.standing = 'linked'),
            skipped = skipped + (NEW.standing IN ('skipped', 'declined')),
            held = held + (NEW.standing IN ('held', 'reverted')) WHERE client_id = NEW.client_id;
    END;
    CREATE TRIGGER link_removed AFTER DELETE ON links BEGIN
        UPDATE clients SET linked = linked - (OLD.standing = 'linked'),
            skipped = skipped - (OLD.standing IN ('skipped', 'declined')),
            held = held - (OLD.standing IN ('held', 'reverted')) WHERE client_id = OLD.client_id;
    END;
    CREATE TRIGGER link_moved AFTER UPDATE OF standing ON links WHEN NEW.standing <> OLD.standing BEGIN
        UPDATE clients SET linked = linked + (NEW.standing = 'linked') - (OLD.standing = 'linked'),
            skipped = skipped + (NEW.standing IN ('skipped', 'declined')) - (OLD.standing IN ('skipped', 'declined')),
            held = held + (NEW.standing IN ('held', 'reverted')) - (OLD.standing IN ('held', 'reverted'))
            WHERE client_id = NEW.client_id;
    END;

    CREATE TABLE cards (contact_id TEXT PRIMARY KEY, card BLOB NOT NULL) WITHOUT ROWID;

    ALTER TABLE decisions RENAME TO old_decisions;
    -- name, phones: the person that it is about; candidate_name, candidate_phones: the other one, where that is a row.
    CREATE TABLE decisions (
        client_id TEXT NOT NULL,
        name TEXT NOT NULL,
        phones TEXT NOT NULL,
        candidate TEXT NOT NULL,
        choice TEXT NOT NULL,
        external_id TEXT NOT NULL,
        candidate_name TEXT NOT NULL DEFAULT '',
        candidate_phones TEXT NOT NULL DEFAULT '',
        decided_at REAL NOT NULL,
        PRIMARY KEY (client_id, name, phones, candidate)
    ) WITHOUT ROWID;

    ALTER TABLE read_only RENAME TO refused;

    CREATE TABLE warnings (
        external_id TEXT NOT NULL,
        client_id TEXT NOT NULL,
        code TEXT NOT NULL,
        field TEXT NOT NULL,
        detail TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (external_id, code, field)
    ) WITHOUT ROWID;
    CREATE TABLE acknowledged (external_id TEXT PRIMARY KEY, acknowledged_at REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE coverage (
        measured_at REAL PRIMARY KEY, days INTEGER NOT NULL, numbers INTEGER NOT NULL, named INTEGER NOT NULL,
        document TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE places (path TEXT PRIMARY KEY, kind TEXT NOT NULL, written_at REAL NOT NULL) WITHOUT ROWID;

    ALTER TABLE journal ADD COLUMN earlier BLOB;

    ALTER TABLE runs RENAME TO old_runs;
    -- number: the order of runs, whatever the clock said. undoes: the run that a rollback takes back.
    CREATE TABLE runs (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        run_id TEXT NOT NULL UNIQUE,
        command TEXT NOT NULL,
        status TEXT NOT NULL,
        started_at REAL NOT NULL,
        finished_at REAL,
        processed INTEGER NOT NULL DEFAULT 0,
        total INTEGER NOT NULL DEFAULT 0,
        complete INTEGER NOT NULL DEFAULT 1,
        undoes TEXT NOT NULL DEFAULT '',
        report TEXT
    );
    INSERT INTO runs (run_id, command, status, started_at, finished_at, processed, total, report)
        SELECT run_id, command, status, started_at, finished_at, processed, total, report FROM old_runs
        ORDER BY started_at, run_id;
    DROP TABLE old_runs;
"""

_VERSION_3 = """
    CREATE TABLE forgotten (mark TEXT PRIMARY KEY, forgotten_at REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE erased (run_id TEXT PRIMARY KEY, writes INTEGER NOT NULL) WITHOUT ROWID;

    -- Links that are not linked are few, and asked for in every run: without an index each run would read all links.
    -- A query uses it where it says standing <> 'linked' in these words.
    CREATE INDEX links_apart ON links (standing) WHERE standing <> 'linked';
    CREATE INDEX clients_forgotten ON clients (client_id) WHERE forgotten > 0;
"""

_VERSION_4 = """
    -- What people typed on a contact and its row lacks, when a run last saw the contact. value: JSON.
    CREATE TABLE staff_values (
        external_id TEXT NOT NULL,
        field TEXT NOT NULL,
        value TEXT NOT NULL,
        label TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (external_id, field, value)
    ) WITHOUT ROWID;
"""

_REASONS: Mapping[str, str] = {
    "the client has no name": "no_name",
    "no phone number": "no_phone",
    "the phone is no usable number": "phone_unusable",
    "owned by an integration: OpenPhone lets nobody else change it": "owned_by_integration",
    "deleted in the app twice: not created again": "deleted_twice",
    "deleted in the app, and OpenPhone still holds its external id: not created again": "still_held_by_deleted",
    "several contacts carry its external id": "several_carry_id",
    "another source has given out its external id": "id_of_other_source",
    "several contacts on equal evidence": "several_candidates",
    "another of our people fits the contact as well": "wanted_by_another",
    "same phone, another name": "phone_other_name",
    "same e-mail, another name": "email_other_name",
    "the name agrees, the suffix or the date of birth does not": "suffix_or_birth_differs",
    "name alike, another phone": "name_other_phone",
    "no usable phone in the source: the contact's numbers stay": "numbers_kept",
    "gone from the source, and not made by this tool: never deleted": "not_ours",
    "slot changed hands": "slot_handed_over",
    "decided in a review": "decided",
}
"""The words of version 1, which stored texts, and their codes as they were when version 2 was made."""


def _find_reason(words: str) -> tuple[str, str]:
    """Code and detail of a reason that version 1 wrote in words."""
    if not words:
        return "", ""
    if words in _REASONS:
        return _REASONS[words], ""
    if words.startswith("the id is too long"):
        return "id_too_long", ""
    if words.startswith("rolled back by "):
        return "rolled_back", words.removeprefix("rolled back by ")
    if words.startswith("same person as "):
        other, _, decided = words.removeprefix("same person as ").partition(",")
        return ("decided_same_person" if decided else "same_person"), other
    return "write_failed", words


def _migrate_to_2(db: sqlite3.Connection) -> None:
    """Tables, then what SQL cannot say: reasons as codes, bases with marks, decisions with their person."""
    for statement in _split(_VERSION_2):
        db.execute(statement)
    db.create_function("reason_code", 1, lambda words: _find_reason(words)[0], deterministic=True)
    db.create_function("reason_detail", 1, lambda words: _find_reason(words)[1], deterministic=True)
    db.create_function("new_link", 1, _migrate_link, deterministic=True)
    db.execute(
        """
        INSERT INTO links (external_id, client_id, slot, standing, contact_id, base, person, reason, detail, times_gone,
                           failures)
        SELECT external_id, client_id, slot, standing, contact_id,
               CASE WHEN base IS NULL THEN NULL
                    ELSE CAST('{"values":' || CAST(base AS TEXT) || ',"met":[]}' AS BLOB) END,
               person, reason_code(reason), reason_detail(reason), times_gone, failures
        FROM old_links
        """
    )
    db.execute("DROP TABLE old_links")
    if db.execute("SELECT 1 FROM links").fetchone():
        from openphone_sync.state.adoptions import mark_adopted  # noqa: PLC0415  # the rules: 60 ms; a new state saves them

        mark_adopted(db)
    db.execute("UPDATE journal SET link = new_link(link) WHERE link IS NOT NULL")
    db.execute(
        """
        INSERT OR IGNORE INTO decisions (client_id, name, phones, candidate, choice, external_id, candidate_name, decided_at)
        SELECT l.client_id, l.person, coalesce((SELECT group_concat(json_extract(p.value, '$.value'), ' ')
                   FROM json_each(CAST(l.base AS TEXT), '$.values.phones') p), ''),
               d.candidate, d.choice, d.external_id, coalesce(o.person, ''), d.decided_at
        FROM old_decisions d JOIN links l USING (external_id) LEFT JOIN links o ON o.external_id = d.candidate
        """
    )
    db.execute("DROP TABLE old_decisions")


def _migrate_link(blob: bytes) -> bytes:
    """A link as the journal of version 1 holds it."""
    link: dict[str, Any] = json.loads(blob)
    code, detail = _find_reason(link.pop("reason", ""))
    link["why"] = {"reason": code, "detail": detail} if code else None
    link["base"] = {"values": link["base"], "met": []} if link.get("base") else None
    link.pop("first_run", None)
    return json.dumps(link, ensure_ascii=False).encode()


def _split(script: str) -> list[str]:
    """Single statements, triggers whole: ``executescript`` would commit the transaction that a migration runs in."""
    statements, part = [], ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            statements.append(part)
            part = ""
    return statements


def _run_script(script: str) -> Callable[[sqlite3.Connection], None]:
    def migrate(db: sqlite3.Connection) -> None:
        for statement in _split(script):
            db.execute(statement)

    return migrate


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _run_script(_VERSION_1),
    _migrate_to_2,
    _run_script(_VERSION_3),
    _run_script(_VERSION_4),
)
"""Each brings a file from the version of its index to the next, inside one transaction."""

CURRENT_VERSION = len(MIGRATIONS)
