"""The database as the doctor sees it: the connection, the client table, and what the role may see of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from openphone_sync.errors import ConfigurationError
from openphone_sync.postgres.connecting import begin_reading, connect, plain_errors
from openphone_sync.postgres.encryption import is_public, read_options
from openphone_sync.postgres.relations import execute_one, make_query_source

_LOCAL = ("", "localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class DatabaseInfo:
    """What the connection to the database is like.

    ``is_local``: it does not leave this machine. ``is_public``: it goes over the internet. ``is_pooled``: through PgBouncer,
    Supavisor or the like.
    """

    version: str
    user: str
    database: str
    is_encrypted: bool
    is_local: bool
    is_public: bool
    is_pooled: bool
    port: int
    bypasses_row_security: bool


@dataclass(frozen=True, slots=True)
class TableInfo:
    """What the client table is like, for the role that reads it.

    ``column_types`` are Postgres' names of the types, empty for a client query. ``visible_rows`` are those that the role
    sees; ``has_row_security`` is about the table, ``hides_rows`` about the role. ``names_twice`` counts the names that more
    than one row has.
    """

    name: str
    columns: tuple[str, ...]
    column_types: Mapping[str, str] = field(default_factory=dict)
    visible_rows: int = 0
    has_row_security: bool = False
    hides_rows: bool = False
    names_twice: int = 0


@dataclass(frozen=True, slots=True)
class RelationInfo:
    """A table or view, and all its columns."""

    schema: str
    table: str
    columns: tuple[str, ...]


def inspect_connection(dsn: str) -> DatabaseInfo:
    """Connect and look around. Raises what `connect` raises."""
    with connect(dsn) as connection, plain_errors("the database", "DATABASE_URL"):
        row = connection.execute(
            "SELECT current_setting('server_version'), current_user, pg_backend_pid(), "
            "coalesce((SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user), false)"
        ).fetchone()
        version, user, pid, bypasses = row or ("", "", 0, False)
        info = connection.info
        return DatabaseInfo(
            version=version.split()[0] if version else "",
            user=user,
            database=info.dbname,
            is_encrypted=bool(connection.pgconn.ssl_in_use),
            is_local=info.host.startswith(("/", "@")) or info.host in _LOCAL,
            is_public=is_public(read_options(dsn)),
            is_pooled=info.backend_pid != pid,  # a pooler hands out process ids of its own
            port=info.port,
            bypasses_row_security=bypasses,
        )


def inspect_table(
    dsn: str, name: str, columns: tuple[str, ...], query: str, name_columns: tuple[str, ...]
) -> TableInfo:
    """Look at the relation that `PostgresClients` found; ``query`` is the client query, empty for a table.

    ``name_columns`` are those that make the client's name.
    """
    setting = "OPENPHONE_CLIENT_TABLE or OPENPHONE_CLIENT_QUERY"
    with connect(dsn) as connection, plain_errors("the clients", setting, connection):
        begin_reading(connection)
        if query:
            source: sql.Composable = make_query_source(query)
            return TableInfo(
                name,
                columns,
                visible_rows=_count(connection, source),
                names_twice=_twice(connection, source, name_columns),
            )
        oid, has_security, hides, schema, table = _find(connection, name)
        source = sql.Identifier(schema, table)
        return TableInfo(
            name=name,
            columns=columns,
            column_types=_types(connection, oid),
            visible_rows=_count(connection, source),
            has_row_security=has_security,
            hides_rows=hides,
            names_twice=_twice(connection, source, name_columns),
        )


def list_relations(dsn: str) -> list[RelationInfo]:
    """The tables and views that the role may read, by schema and name, without those of Postgres itself."""
    with connect(dsn) as connection, plain_errors("the list of tables", "DATABASE_URL", connection):
        begin_reading(connection)
        rows = connection.execute(
            "SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum) FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
            "WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND NOT c.relispartition "
            "AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' "
            "AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') "
            "GROUP BY n.nspname, c.relname ORDER BY n.nspname, c.relname"
        )
        return [RelationInfo(schema, table, tuple(columns)) for schema, table, columns in rows]


def _find(connection: psycopg.Connection[Any], relation: str) -> tuple[int, bool, bool, str, str]:
    row: tuple[int, bool, bool, str, str] | None = connection.execute(
        "SELECT c.oid, c.relrowsecurity, row_security_active(c.oid), n.nspname, c.relname "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname || '.' || c.relname = %s "
        "AND c.relkind IN ('r', 'v', 'm', 'p', 'f')",
        (relation,),
    ).fetchone()
    if row is None:
        raise ConfigurationError(f"{relation} was dropped meanwhile; run test-connection again")
    return row


def _types(connection: psycopg.Connection[Any], oid: int) -> Mapping[str, str]:
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped",
        (oid,),
    )
    return dict(rows.fetchall())


def _count(connection: psycopg.Connection[Any], source: sql.Composable) -> int:
    return _number(connection, sql.SQL("SELECT count(*) FROM {}").format(source))


def _twice(connection: psycopg.Connection[Any], source: sql.Composable, name_columns: tuple[str, ...]) -> int:
    if not name_columns:
        return 0
    names = sql.SQL(", ").join(map(sql.Identifier, name_columns))
    same = sql.SQL("SELECT 1 FROM {} WHERE ({}) IS NOT NULL GROUP BY {} HAVING count(*) > 1").format(
        source, names, names
    )
    return _number(connection, sql.SQL("SELECT count(*) FROM ({}) AS same").format(same))


def _number(connection: psycopg.Connection[Any], statement: sql.Composed) -> int:
    row = execute_one(connection, statement).fetchone()
    return int(row[0]) if row else 0
