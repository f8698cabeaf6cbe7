"""The client table or query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from openphone_sync.errors import ConfigurationError
from openphone_sync.model import ClientRow, ContactMapping, SourceIdentity
from openphone_sync.postgres.connecting import begin_reading, closing_on_error, connect, is_conninfo, plain_errors
from openphone_sync.postgres.decoding import decode_stored, find_codec
from openphone_sync.postgres.relations import TableRelation, execute_one, find_table, make_query_source
from openphone_sync.rules.mapping import find_missing_columns, make_column_filter

DEFAULT_TABLES = ('"Client"', "clients")
_READING = ("the clients", "OPENPHONE_CLIENT_TABLE or OPENPHONE_CLIENT_QUERY")


class PostgresClients:
    """`ports.ClientSource` over a table or a query. ``on_row`` gets the JSON of every row that the log learns.

    ``extra_columns``: names beside those of the mapping; None for every column that is there.
    """

    def __init__(
        self,
        dsn: str,
        mapping: ContactMapping,
        *,
        table: str = "",
        query: str = "",
        extra_columns: Sequence[str] | None = (),
        fetch_size: int = 50,
        on_row: Callable[[str], None] | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._host = str(conninfo_to_dict(dsn).get("host", "")) if is_conninfo(dsn) else ""
        self._connection = connect(dsn, stopping)
        self._fetch_size = fetch_size
        self._on_row = on_row
        self._encoding = self._connection.info.parameter_status("server_encoding") or ""
        self._codec = find_codec(self._encoding)
        with closing_on_error(self.close), self._plain_errors():
            self._identity_system = self._read_system()
            begin_reading(self._connection)
            self._relation = _QueryRelation(self._connection, query) if query else _find_table(self._connection, table)
            chosen = _choose_columns(self._relation, mapping, extra_columns or ())
            self._columns = self._relation.columns if extra_columns is None else chosen
            self._id = sql.Identifier(mapping.id_column)

    def identity(self) -> SourceIdentity:
        """Which database and relation this is."""
        info = self._connection.info
        return SourceIdentity(self._identity_system, self._host, info.dbname, self._relation.name)

    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        return self._columns

    def all_columns(self) -> tuple[str, ...]:
        """The columns that are there."""
        return self._relation.columns

    def hides_rows(self) -> bool:
        """Whether row-level security applies to our role on the table."""
        with self._plain_errors():
            return self._relation.row_security(self._connection)

    def read_clients(
        self, *, client_type: str | None = None, limit: int | None = None, learns: bool = True
    ) -> Iterator[ClientRow]:
        """Clients by id as text in byte order, streamed. An id that is NULL or comes twice ends the run."""
        if client_type and "client_type" not in self._columns:
            raise ConfigurationError(
                f"--client-type needs the column client_type, which {self._relation.name} lacks; leave it out"
            )
        statement = self._statement(client_type, limit)
        last: str | None = None
        # A stream, not a server-side cursor: the server goes on while a block is looked at, and no block waits for a
        # round trip. libpq before 17 knows single rows only.
        size = self._fetch_size if psycopg.capabilities.has_stream_chunked() else 1
        on_row = self._on_row if learns else None
        with self._plain_errors(), self._connection.cursor() as cursor:
            stored = cursor.stream(statement, size=size)
            for row in map(ClientRow._make, map(self._decode, stored) if self._codec else stored):
                client_id, document = row
                if client_id is None:
                    raise ConfigurationError(
                        f"{self._relation.name} has a row whose id is NULL; give every client an id"
                    )
                if client_id == last:
                    raise ConfigurationError(
                        f"the id {client_id} comes twice in {self._relation.name}; give every client an id of its own"
                    )
                last = client_id
                if on_row:
                    on_row(document)
                yield row

    def read_client(self, client_id: str) -> ClientRow | None:
        """One client by its id as text."""
        statement = sql.SQL("SELECT {} FROM (SELECT {} FROM {}) AS q WHERE q.{}::text = {} LIMIT 1").format(
            self._id_and_document(), self._chosen(), self._relation.source, self._id, sql.Literal(client_id)
        )
        with self._plain_errors():
            row = execute_one(self._connection, statement).fetchone()
        if row is None:
            return None
        client = ClientRow(*self._decode(row))
        if self._on_row:
            self._on_row(client.document)
        return client

    def _plain_errors(self) -> AbstractContextManager[None]:
        return plain_errors(*_READING, self._connection)

    def close(self) -> None:
        """End the transaction and the connection."""
        with suppress(psycopg.Error):
            self._connection.close()

    def _statement(self, client_type: str | None, limit: int | None) -> sql.Composed:
        where: sql.Composable = sql.SQL("")
        if client_type:
            where = sql.SQL("WHERE lower(trim(client_type::text)) = {}").format(sql.Literal(client_type.lower()))
        ending: sql.Composable = sql.SQL("")
        if limit is not None:
            ending = sql.SQL("LIMIT {}").format(sql.Literal(limit))
        # Sorted inside: JSON is made of sorted rows as they leave, not sorted with them, which takes three times the disk.
        # An outer SELECT without a clause keeps the order; `run.read` checks it.
        return sql.SQL('SELECT {} FROM (SELECT {} FROM {} {} ORDER BY {}::text COLLATE "C" {}) AS q').format(
            self._id_and_document(), self._chosen(), self._relation.source, where, self._id, ending
        )

    def _id_and_document(self) -> sql.Composed:
        if self._codec is None:
            return sql.SQL("q.{}::text, row_to_json(q.*)::text").format(self._id)
        # to SQL_ASCII means: the bytes as they are stored
        return sql.SQL("convert_to(q.{}::text, 'SQL_ASCII'), convert_to(row_to_json(q.*)::text, 'SQL_ASCII')").format(
            self._id
        )

    def _decode(self, row: tuple[Any, Any]) -> tuple[Any, Any]:
        """Id and document as text; `ConfigurationError` names a row that holds bytes of another encoding."""
        client_id, document = row
        if self._codec is None or client_id is None:
            return row
        try:
            return decode_stored(client_id, self._codec), decode_stored(document, self._codec)
        except UnicodeDecodeError:
            shown = client_id.decode("ascii", "backslashreplace")
            raise ConfigurationError(
                f"the row with the id {shown} holds text that is not in the encoding of the database ({self._encoding}); "
                "correct it in the client table, or leave the row out with OPENPHONE_CLIENT_QUERY"
            ) from None

    def _chosen(self) -> sql.Composed:
        return sql.SQL(", ").join(map(sql.Identifier, self._columns))

    def _read_system(self) -> str:
        """Postgres' system identifier, where the role may read it."""
        try:
            row = self._connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
        except psycopg.errors.InsufficientPrivilege:
            self._connection.rollback()
            return ""
        self._connection.commit()
        return str(row[0]) if row else ""


class _QueryRelation:
    """OPENPHONE_CLIENT_QUERY: all its columns are taken, except those that say when a row was touched."""

    name = "the client query"
    takes_all = True

    def __init__(self, connection: psycopg.Connection[Any], query: str) -> None:
        self.source: sql.Composable = make_query_source(query)
        cursor = execute_one(connection, sql.SQL("SELECT * FROM {} LIMIT 0").format(self.source))
        self.columns = tuple(column.name for column in cursor.description or ())
        twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if twice:
            raise ConfigurationError(
                f"OPENPHONE_CLIENT_QUERY returns the column {twice[0]} twice; give each column a name of its own"
            )

    def row_security(self, connection: psycopg.Connection[Any]) -> bool:
        """Unknown for a query: it may read any number of tables."""
        del connection
        return False


_TOUCHED = frozenset({"updated_at", "updatedAt", "modified_at", "last_modified"})


def _find_table(connection: psycopg.Connection[Any], wanted: str) -> TableRelation:
    names = (wanted,) if wanted else DEFAULT_TABLES
    found = [one for name in names if (one := find_table(connection, name, "OPENPHONE_CLIENT_TABLE"))]
    if len(found) > 1:
        tables = " and ".join(relation.name for relation in found)
        raise ConfigurationError(
            f'both {tables} exist; set OPENPHONE_CLIENT_TABLE to the one to read ("Client" or clients)'
        )
    if not found:
        missing = f"the table {wanted} does not exist" if wanted else 'neither "Client" nor clients exists'
        raise ConfigurationError(
            missing + f" in database {connection.info.dbname}; set OPENPHONE_CLIENT_TABLE or OPENPHONE_CLIENT_QUERY"
        )
    return found[0]


def _choose_columns(
    relation: TableRelation | _QueryRelation, mapping: ContactMapping, extra: Sequence[str]
) -> tuple[str, ...]:
    """The columns of the mapping that are there, and those allowed; `ConfigurationError` names what is missing."""
    missing = dict(find_missing_columns(mapping, relation.columns))
    absent = [name for name in extra if name not in relation.columns]
    if missing or absent:
        raise ConfigurationError(_describe_missing(relation, missing, absent))
    is_known = make_column_filter(mapping)
    return tuple(
        name
        for name in relation.columns
        if is_known(name) or name in extra or (relation.takes_all and name not in _TOUCHED)
    )


def _describe_missing(
    relation: TableRelation | _QueryRelation, missing: Mapping[str, str], absent: Sequence[str]
) -> str:
    """``missing`` are columns of the mapping, each with the nearest one that is there, ``absent`` those of the setting."""
    names = [f"{name} (perhaps it is {close})" if close else name for name, close in missing.items()]
    fixes = (
        ["rename one to it with OPENPHONE_CLIENT_QUERY, or correct the mapping (OPENPHONE_MAPPING)"] if missing else []
    )
    fixes += ["correct OPENPHONE_EXTRA_COLUMNS"] if absent else []
    return f"{relation.name} lacks the column {', '.join([*names, *absent])}; {', and '.join(fixes)}"
