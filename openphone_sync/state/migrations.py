"""Numbered migrations of the state file; ``PRAGMA user_version`` says which one a file has reached."""

from __future__ import annotations

APPLICATION_ID = 0x4F505359
"""``OPSY``: marks the file as ours (``PRAGMA application_id``), so that another program's file is never touched."""

MIGRATIONS: tuple[str, ...] = (
    """
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
    """,
)

CURRENT_VERSION = len(MIGRATIONS)
