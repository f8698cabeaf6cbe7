"""An office that comes from version 0.1.0: its state folder, client table and workspace (``fixtures/state_0_1_0``)."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from tests.office import Office

FOLDER = Path(__file__).parent / "fixtures" / "state_0_1_0"
NEXT_NIGHT = "2026-03-08T10:00:00Z"
"""The run after the killed one. Years later, runs would be erased as too old, and every run would be a full one."""


def load_old_state(office: Office) -> Office:
    """Fill an empty office with a copy of the old one.

    Only where the rows come from is rewritten: a new server has another system identifier. Of the workspace, key and
    address are others than the state knows; its phone numbers are those that the state knows.
    """
    office.sandbox.workspace.load(json.loads((FOLDER / "workspace.json").read_text(encoding="utf-8")))
    office.sql((FOLDER / "clients.sql").read_text(encoding="utf-8"))
    shutil.copytree(FOLDER / "state", office.state_dir)
    office.state_dir.chmod(0o700)
    place = conninfo_to_dict(office.dsn)
    [(system,)] = office.sql("SELECT system_identifier::text FROM pg_control_system()")
    with closing(office.open_state()) as state, state:
        changed = state.execute(
            "UPDATE facts SET value = json_set(value, '$.system', ?, '$.host', ?, '$.database', ?) WHERE name = 'database'",
            (system, place["host"], place["dbname"]),
        )
        assert changed.rowcount == 1
    return office
