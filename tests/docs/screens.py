"""What people see in a terminal, for docs/screens.md: a small office after three nights, always the same."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import time_machine

from openphone_sync.sandbox import EmbeddedPostgres, SandboxOptions
from tests.fault_injection import FaultySandbox
from tests.office import FAST, Office, open_office

TARGET = Path(__file__).parents[2] / "docs" / "screens.md"
SCREENS: Sequence[tuple[int, str]] = (
    (80, "status"),
    (80, "runs list"),
    (120, "runs list"),
    (80, "dry-run"),
    (80, "review list"),
    (80, "problems"),
    (120, "problems"),
    (80, "runs show latest"),
    (80, "explain 1"),
    (40, "links"),
)
INTRODUCTION = """\
# What the screens show

Made by `./dev record`: an invented office in Los Angeles after three nights, at half past nine in the morning, on terminals of
80, 120 and 40 columns. A table that does not fit is shown row by row. On a real terminal `succeeded`, `failed`, `+`, `~` and
what is equal or differs have colour, unless `NO_COLOR` is set. In a pipe nothing wraps, tabs separate the columns, ids are
whole and times are RFC 3339 in UTC.
"""
_TABLE = """
CREATE TABLE clients (
    id int PRIMARY KEY, client_name text, client_type text, phone text, email text, date_of_birth date, county text,
    contact_1 text, relationship_1 text, contact_1_phone text
)
"""


def make_page() -> str:
    """The whole page."""
    shown = (f"\n## `{command}`, {width} columns\n\n```text\n{text}```\n" for width, command, text in make_screens())
    return INTRODUCTION + "".join(shown)


def make_screens() -> Iterator[tuple[int, str, str]]:
    """Width, command, and what it shows."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres() as postgres,
        FaultySandbox(SandboxOptions(rate_limit=FAST)) as sandbox,
        open_office(postgres.dsn(), sandbox, Path(folder)) as office,
    ):
        office.environment |= {"TZ": "America/Los_Angeles", "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}
        _live_three_nights(office)
        with time_machine.travel("2026-11-25T09:30:00-08:00", tick=False):
            for width, command in SCREENS:
                ran = office.run(*command.split(), COLUMNS=str(width))
                assert not ran.err, ran.err
                yield width, command, make_steady(ran.out, office)


def make_steady(shown: str, office: Office) -> str:
    """Without what differs from run to run: seconds, the end of a run's id, and which of the contacts made at once has which."""
    contacts = sorted(office.contacts(), key=lambda one: str(one["defaultFields"]["firstName"]))
    for number, contact in enumerate(contacts, start=1):
        steady = f"{number:04x}0db69fcac7cf2e6e0000"
        shown = shown.replace(contact["id"], steady).replace(contact["id"][:8], steady[:8])
    shown = re.sub(r"\bin \d+\.\d s\b", "in 0.5 s", shown)
    return re.sub(r"(\d{8}T\d{6}Z)-[0-9a-f]{6}", r"\1-1c2a3f", shown)


def _live_three_nights(office: Office) -> None:
    office.sql(_TABLE)
    rows = (
        (1, "James Smith", "criminal", "(213) 555-0134", "james@example.org", "1985-06-15", "Los Angeles County"),
        (2, "Ana García Márquez", "civil", "213-555-0175", None, "1990-02-28", "Kern County"),
        (3, "Pavel Novotny", "civil", "213-555-0190", None, None, None),
    )
    add = "INSERT INTO clients VALUES (%s, %s, %s, %s, %s, %s, %s)"
    office.insert_many(add, rows)
    office.sql(
        "UPDATE clients SET contact_1 = 'Bob Smith', relationship_1 = 'Brother', contact_1_phone = '310-555-0188' WHERE id = 1"
    )
    _sync(office, "2026-11-23")
    _sync(office, "2026-11-24", OPENPHONE_API_KEY="revoked")
    phone = {"name": "Cell", "value": "+12135550177"}
    staff = {"firstName": "Ignatius", "lastName": "Vanderbeek", "company": "Vanderbeek & Sons", "phoneNumbers": [phone]}
    office.sandbox.workspace.add({"defaultFields": staff})
    office.insert_many(
        add,
        (
            (4, "Marek Kowalczyk", "civil", "213-555-017", None, None, None),
            (5, "Léa Dubois-Vandenberghe", "criminal", "213-555-0177", "lea@example.org", "1972-11-02", "Inyo County"),
        ),
    )
    office.sql("UPDATE clients SET county = 'Orange County', date_of_birth = '1985-06-16' WHERE id = 1")
    office.sql("DELETE FROM clients WHERE id = 3")
    _sync(office, "2026-11-25")
    office.sql("UPDATE clients SET county = 'Inyo County' WHERE id = 2")
    office.insert_many(add, ((6, "山田 太郎", "civil", "213-555-0181", None, None, None),))


def _sync(office: Office, day: str, **settings: str) -> None:
    with time_machine.travel(f"{day}T02:00:00-08:00", tick=True):
        office.run("sync", "--quiet", **settings)


if __name__ == "__main__":
    TARGET.write_text(make_page(), encoding="utf-8")
