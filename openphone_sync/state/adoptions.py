"""A part of the migration to version 2: what stood on a contact before version 1 adopted it is a person's."""

from __future__ import annotations

import sqlite3

import msgspec

from openphone_sync.model import Base, RemoteContact
from openphone_sync.rules.merging import mark_met
from openphone_sync.rules.phones import normalise_phone


def mark_adopted(db: sqlite3.Connection) -> None:
    """Mark these values in the base, as far as the journal still knows them."""
    adoptions = db.execute(
        """
        SELECT l.external_id, l.base, j.before FROM journal j JOIN links l USING (contact_id)
        WHERE j.kind = 'adopt' AND j.result = 'done' AND j.before IS NOT NULL AND l.base IS NOT NULL
          AND json_extract(CAST(j.before AS TEXT), '$.external_id') IS NOT j.external_id  -- else it was ours before
        ORDER BY j.entry_id
        """
    ).fetchall()
    for external_id, base, before in adoptions:
        values = msgspec.json.decode(base, type=Base).values
        contact = msgspec.json.decode(before, type=RemoteContact)
        # The region of the office is not known here: it matters only for a number that the API did not store as E.164.
        marked = mark_met(values, contact, lambda text: normalise_phone(text, "US"))
        db.execute("UPDATE links SET base = ? WHERE external_id = ?", (msgspec.json.encode(marked), external_id))
