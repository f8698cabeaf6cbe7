"""Rows as databases really hold them: time zones of roles and shells, and encodings from before UTF-8."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from openphone_sync.sandbox import EmbeddedPostgres
from tests.office import JAMES_ALONE, Office

PHONES = ("213-555-0134", "213-555-0135", "213-555-0136")


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
def test_days_are_read_in_utc_whatever_the_session_says(
    office: Office, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    office.sql(
        "ALTER TABLE clients ALTER COLUMN date_of_birth TYPE timestamptz USING '1985-06-15 12:00+00'::timestamptz"
    )
    office.sync()
    assert office.custom(office.contact(f"client_{client_id}"))["Date of Birth"] == "1985-06-15T12:00:00.000Z"
    [(database,)] = office.sql("SELECT current_database()")
    office.sql(f"ALTER DATABASE {database} SET timezone = '{zone}'")
    office.sql(f"ALTER DATABASE {database} SET datestyle = 'German'")
    monkeypatch.setenv("PGTZ", zone)
    office.requests()
    assert office.sync(OPENPHONE_CLIENT_QUERY="")["clients"]["changed"] == 0
    assert office.requests() == []


@contextmanager
def old_database(postgres: EmbeddedPostgres, encoding: str) -> Iterator[str]:
    """A database that is not in UTF-8."""
    name = f"old_{encoding.lower()}"
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'").format(
                sql.Identifier(name), sql.Literal(encoding)
            )
        )
    try:
        yield postgres.dsn(name)
    finally:
        postgres.drop_database(name)


def fill(dsn: str, names: list[bytes]) -> None:
    """Clients 1, 2, ... with these names, as the bytes are."""
    with psycopg.connect(dsn, autocommit=True, client_encoding="SQL_ASCII") as connection:
        connection.execute("CREATE TABLE clients (id int, client_name text, phone text)")
        for number, (name, phone) in enumerate(zip(names, PHONES, strict=False), start=1):
            connection.execute(b"INSERT INTO clients VALUES (%d, '%s', '%s')" % (number, name, phone.encode()))


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("SQL_ASCII", "José Núñez".encode()),
        ("SQL_ASCII", "José Núñez".encode("cp1252")),
        ("SQL_ASCII", "José ".encode() + "Núñez".encode("cp1252")),
        ("WIN1252", "José Núñez".encode("cp1252")),
        ("LATIN1", "José Núñez".encode("latin1")),
        ("KOI8R", "Иван".encode("koi8_r")),
    ],
)
def test_names_in_an_old_encoding_are_read(
    office: Office, postgres: EmbeddedPostgres, encoding: str, name: bytes
) -> None:
    with old_database(postgres, encoding) as dsn:
        fill(dsn, [name, b"Ann Lee"])
        assert office.sync(DATABASE_URL=dsn)["contacts"]["created"] == 2
    expected = "Иван" if encoding == "KOI8R" else "José Núñez"
    assert office.contact("client_1")["defaultFields"]["firstName"] == expected


@pytest.mark.parametrize(
    "read",
    [
        lambda office, dsn: office.run("sync", DATABASE_URL=dsn),
        lambda office, dsn: office.run("explain", "2", DATABASE_URL=dsn),
    ],
)
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "WIN1252"])
def test_a_row_that_cannot_be_read_is_named(
    office: Office, postgres: EmbeddedPostgres, encoding: str, read: Callable[[Office, str], Any]
) -> None:
    with old_database(postgres, encoding) as dsn:
        fill(dsn, [b"Ann Lee", b"Jos\x81"])
        ran = read(office, dsn)
    assert ran.code == 2
    assert "the row with the id 2" in ran.err
    assert encoding in ran.err
    assert "Jos" not in ran.err
