"""Tables and views, found by the name that an operator writes."""

from __future__ import annotations

import re
from typing import Any

import psycopg
from psycopg import sql

_IDENTIFIER = re.compile(r'(?:"((?:[^"]|"")+)"|([^".]+))')


class TableRelation:
    """A table or view. ``kind`` is Postgres' letter for it (``r`` table, ``v`` view, ``p`` partitioned, ...)."""

    def __init__(self, oid: int, kind: str, schema: str, table: str, columns: tuple[str, ...]) -> None:
        self.oid = oid
        self.kind = kind
        self.name = f"{schema}.{table}"
        self.columns = columns
        self.takes_all = False
        self.source: sql.Composable = sql.Identifier(schema, table)

    def row_security(self, connection: psycopg.Connection[Any]) -> bool:
        """Whether row-level security applies to our role."""
        row = connection.execute("SELECT row_security_active(%s::oid)", (self.oid,)).fetchone()
        return bool(row and row[0])


def spell_name(wanted: str) -> list[tuple[str, ...]]:
    """The names to try: as written, then in lower case where it was not quoted."""
    parts = _IDENTIFIER.findall(wanted)
    exact = tuple(quoted.replace('""', '"') if quoted else plain.strip() for quoted, plain in parts)
    lower = tuple(quoted.replace('""', '"') if quoted else plain.strip().lower() for quoted, plain in parts)
    return [exact] if exact == lower else [exact, lower]


def look_up(connection: psycopg.Connection[Any], name: tuple[str, ...]) -> TableRelation | None:
    """The table or view of this name (``schema, table`` or ``table``); None where there is none."""
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in name)
    row = connection.execute(
        "SELECT c.oid, c.relkind::text, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.oid = to_regclass(%s) AND c.relkind IN ('r', 'v', 'm', 'p', 'f')",
        (quoted,),
    ).fetchone()
    if row is None:
        return None
    columns = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (row[0],),
    ).fetchall()
    return TableRelation(row[0], row[1], row[2], row[3], tuple(column[0] for column in columns))
