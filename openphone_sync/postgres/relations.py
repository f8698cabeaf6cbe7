"""Tables and views, found by the name that an operator writes, and the operator's own query.

Statements over them are executed without parameters: with any, psycopg reads every % in a name as a placeholder.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg
from psycopg import sql

from openphone_sync.errors import ConfigurationError

_PART = r'(?:"(?:[^"]|"")+"|[^".]+)'
_NAME = re.compile(rf"({_PART})(?:\.({_PART}))?")
_ENDING = re.compile(r"(?:\s|;|--[^\n']*(?=\n|\Z))+\Z")
"""What may follow a statement: white space, semicolons, comments without a quote in them."""


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


def find_table(connection: psycopg.Connection[Any], wanted: str, setting: str) -> TableRelation | None:
    """The table or view of this name: as written, else in lower case where it is not quoted; None where there is none.

    `ConfigurationError` for what is neither ``table`` nor ``schema.table``; ``setting`` is where it was written.
    """
    found = (_look_up(connection, name) for name in _spell(wanted, setting))
    return next((relation for relation in found if relation), None)


def _spell(wanted: str, setting: str) -> list[tuple[str, ...]]:
    """The names to try, each ``schema, table`` or ``table``."""
    found = _NAME.fullmatch(wanted.strip())
    if found is None:
        raise ConfigurationError(
            f"{setting}: {wanted!r} is not a table name; give table or schema.table, in double quotes where a name holds a dot"
        )
    parts = [part.strip() for part in found.groups() if part]
    exact = tuple(_unquote(part) or part for part in parts)
    lower = tuple(_unquote(part) or part.lower() for part in parts)
    return [exact] if exact == lower else [exact, lower]


def _unquote(part: str) -> str | None:
    return part[1:-1].replace('""', '"') if part.startswith('"') else None


def make_query_source(query: str) -> sql.Composed:
    """A query in the place of a table."""
    # A line break before the bracket: a closing comment would swallow it. The operator's own SQL, read only.
    return sql.SQL("({}\n) AS source").format(sql.SQL(_ENDING.sub("", query)))


def execute_one(connection: psycopg.Connection[Any], statement: sql.Composed) -> psycopg.Cursor[Any]:
    """Execute what holds the operator's own SQL.

    Only as one statement: the simple protocol, which psycopg uses for a statement without parameters whose results are
    text, would carry out a COMMIT and whatever else stands in it.
    """
    return connection.execute(statement, binary=True)


def _look_up(connection: psycopg.Connection[Any], name: tuple[str, ...]) -> TableRelation | None:
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
