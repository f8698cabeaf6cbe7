"""The conversations table, in whatever shape it is: read once, newest first, as Postgres itself writes the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from openphone_sync.documents import FORMULA_STARTS, GUARDED_STARTS, INVISIBLE
from openphone_sync.errors import ConfigurationError
from openphone_sync.model import Block, ConversationCounts, Selection
from openphone_sync.postgres.connecting import begin_reading, closing_on_error, connect, plain_errors
from openphone_sync.postgres.relations import TableRelation, find_table
from openphone_sync.rules.phones import parse_phones

DEFAULT_TABLE = "openphone_conversations"
TIME_COLUMNS = ("created_at", "createdAt")
CHANGE_COLUMNS = ("updated_at", "updatedAt")
PHONE_COLUMNS = ("phone_number", "phoneNumber", "customer_number", "customer_phone", "phone")

BLOCK_BYTES = 256 * 1024
"""Rows are handed on in pieces of about this size: large enough that Python costs nothing, small enough for memory."""

_SESSION = {
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",  # shortest text that reads back as the same number
    "row_security": "off",  # rows that a policy would hide are an error, as in pg_dump
    "jit": "off",  # one plain expression over all rows: compiling it costs more than it saves
}
"""Set besides those of every reading transaction."""

_QUOTE = b"\x01"
_JSON_COPY = "COPY ({}) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"
"""JSON text holds no control characters but white space between its tokens, so that these two never occur in it: rows
come as they are, with none of COPY's escaping, and only one with a raw line break is quoted."""
_CSV_COPY = "COPY ({}) TO STDOUT (FORMAT csv)"

_BLANK = INVISIBLE.replace("\x00", "")  # which no text of Postgres holds
_SAFE_TYPES = frozenset({"json", "jsonb", "uuid", "bytea", "boolean", "smallint", "integer", "bigint"})
_TIMES = frozenset({"date", "timestamp without time zone", "timestamp with time zone"})
_NUMBER = r"^[-+]?[0-9.]+([eE][-+]?[0-9]+)?$"
_OWN_TEXT = frozenset("SNBE")
"""Type categories (pg_type.typcategory: string, number, boolean, enum) whose text is what `row_to_json` writes."""


@dataclass(frozen=True, slots=True)
class _Column:
    """``kind`` is the type's name, a domain's base; ``category`` Postgres' letter for it."""

    name: str
    kind: str
    category: str


class PostgresConversations:
    """The conversations of one table or view, in one REPEATABLE READ snapshot that ends with `close`."""

    def __init__(self, dsn: str, *, table: str = "", region: str = "US") -> None:
        self._region = region
        self._connection = connect(dsn)
        self._what = table or DEFAULT_TABLE
        self._spellings: dict[str, list[str]] = {}
        with closing_on_error(self.close), self._plain_errors():
            begin_reading(self._connection, _SESSION)
            self._relation = _find_table(self._connection, table)
            self._columns = _read_columns(self._connection, self._relation)
            self._key = _read_primary_key(self._connection, self._relation)

    @property
    def name(self) -> str:
        """Schema and table."""
        return self._relation.name

    def columns(self, selection: Selection) -> tuple[str, ...]:
        """The names that the selection yields, in order."""
        return tuple(column.name for column in self._choose(selection.columns))

    def count(self, selection: Selection) -> int:
        """How many rows the selection has in the snapshot that `read_json` and `read_csv` see too."""
        with self._plain_errors():
            statement = sql.SQL("SELECT count(*) FROM (SELECT 1 FROM {} AS t {} {}) AS q").format(
                self._relation.source, self._where(selection), _limit(selection)
            )
            return int(self._fetch(statement)[0][0])

    def read_json(self, selection: Selection) -> Iterator[Block]:
        """Each row on a line of its own as `row_to_json` writes it; raw line breaks of json columns become blanks."""
        names = [sql.SQL("t.{}").format(sql.Identifier(column.name)) for column in self._choose(selection.columns)]
        statement = sql.SQL("SELECT row_to_json(q.*) FROM ({}) AS q").format(self._rows(selection, names))
        for messages in self._copy(sql.SQL(_JSON_COPY).format(statement)):
            yield Block(len(messages), self._mend(_join_lines(messages)))

    def read_csv(self, selection: Selection, *, raw: bool = False) -> Iterator[Block]:
        """Records of RFC 4180; cells that begin like a formula get an apostrophe before them unless ``raw``."""
        statement = self._cells(selection, raw=raw)
        for messages in self._copy(sql.SQL(_CSV_COPY).format(statement)):
            records = b"\r\n".join([*(one[:-1] for one in messages), b""])
            yield Block(len(messages), self._mend(records))

    def read_counts(self) -> ConversationCounts:
        """Totals over the whole table."""
        with self._plain_errors():
            months = self._fetch(self._months())
            dated = [row for row in months if row[0] is not None]
            return ConversationCounts(
                table=self.name,
                total=sum(row[1] for row in months),
                first=min((row[2] for row in dated), default=None),
                last=max((row[3] for row in dated), default=None),
                per_month=tuple((row[0], row[1]) for row in dated),
                without_date=sum(row[1] for row in months if row[0] is None),
            )

    def read_callers(self, since: float) -> Iterator[tuple[str | None, int, float]]:
        """Each spelling of a number: how many conversations changed since then, and when the last did. Unix times."""
        with self._plain_errors():
            phone, time = self._phone_column(), self._find(CHANGE_COLUMNS) or self._time_column()
            moment = sql.SQL("t.{}").format(sql.Identifier(time.name))
            statement = sql.SQL(
                "SELECT t.{}::text, count(*), extract(epoch FROM max({}))::float8 FROM {} AS t "
                "WHERE {} >= {} AND isfinite({}) GROUP BY 1"
            ).format(
                sql.Identifier(phone.name),
                moment,
                self._relation.source,
                moment,
                sql.Literal(_as_stored(datetime.fromtimestamp(since, UTC), time)),
                moment,
            )
            yield from self._fetch(statement)

    def close(self) -> None:
        """End the snapshot and the connection; a statement that still runs is cancelled at the server."""
        self._connection.leave()

    # --- reading ---------------------------------------------------------------------------------------------------

    def _plain_errors(self) -> AbstractContextManager[None]:
        return plain_errors(self._what, "--table", self._connection)

    def _fetch(self, statement: sql.Composed) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._connection.execute(statement).fetchall()
        return rows

    def _copy(self, statement: sql.Composed) -> Iterator[list[memoryview]]:
        """What COPY sends, one message for each row, some at a time."""
        encoded = statement.as_bytes(self._connection)
        with self._plain_errors():
            if self._encoding() == "SQL_ASCII":  # bytes of any encoding: the server would refuse to call them UTF-8
                self._connection.execute("SELECT set_config('client_encoding', 'SQL_ASCII', true)")
            with self._connection.cursor() as cursor, cursor.copy(encoded) as copy:
                try:
                    yield from _gather(copy)
                except BaseException:
                    self.close()  # first: psycopg would read the rest of the rows before it leaves
                    raise

    def _encoding(self) -> str:
        return self._connection.info.parameter_status("server_encoding") or ""

    def _mend(self, text: bytes) -> bytes:
        """Valid UTF-8, which only a database that knows no encoding does not promise; bad bytes become U+FFFD."""
        return text.decode("utf-8", "replace").encode() if self._encoding() == "SQL_ASCII" else text

    # --- statements ------------------------------------------------------------------------------------------------

    def _rows(self, selection: Selection, expressions: Sequence[sql.Composable]) -> sql.Composed:
        """The chosen rows in order. Nothing is computed here but what is sorted, so that sorting stays cheap."""
        return sql.SQL("SELECT {} FROM {} AS t {} ORDER BY {} {}").format(
            sql.SQL(", ").join(expressions),
            self._relation.source,
            self._where(selection),
            self._order(),
            _limit(selection),
        )

    def _cells(self, selection: Selection, *, raw: bool) -> sql.Composed:
        """Rows -> the text of each cell -> safe text; OFFSET 0 keeps Postgres from computing a cell twice."""
        chosen = self._choose(selection.columns)
        inner = [
            sql.SQL("t.{} AS {}").format(sql.Identifier(column.name), _cell(number))
            for number, column in enumerate(chosen)
        ]
        texts = [sql.SQL("{} AS {}").format(_text_of(column, _cell(n)), _cell(n)) for n, column in enumerate(chosen)]
        safe = [_cell(n) if raw else _guarded(column, _cell(n)) for n, column in enumerate(chosen)]
        comma = sql.SQL(", ")
        return sql.SQL("SELECT {} FROM (SELECT {} FROM ({}) AS r OFFSET 0) AS q").format(
            comma.join(safe), comma.join(texts), self._rows(selection, inner)
        )

    def _months(self) -> sql.Composed:
        column = self._find(TIME_COLUMNS)
        if column is None or not _is_time(column):
            return sql.SQL("SELECT NULL, count(*) FROM {}").format(self._relation.source)
        moment = sql.SQL("t.{}::timestamp").format(sql.Identifier(column.name))
        return sql.SQL(
            "SELECT CASE WHEN isfinite({0}) THEN to_char({0}, 'YYYY-MM') END AS month, count(*), "
            """to_char(min({0}), '{1}'), to_char(max({0}), '{1}') FROM {2} AS t GROUP BY 1 ORDER BY 1"""
        ).format(moment, sql.SQL('YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), self._relation.source)

    def _where(self, selection: Selection) -> sql.Composable:
        conditions = [*self._time_conditions(selection), *self._phone_conditions(selection)]
        return sql.SQL("WHERE ") + sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("")

    def _order(self) -> sql.Composable:
        """Newest first, then the primary key.

        Without a creation time the highest key comes first. Without a key the place on disk decides between equal
        times, and in a view, which has none, the row's content.
        """
        time = self._find(TIME_COLUMNS)
        newest = [sql.SQL("t.{} DESC NULLS LAST").format(sql.Identifier(time.name))] if time else []
        direction = sql.SQL("") if time else sql.SQL(" DESC")
        keys: list[sql.Composable] = [sql.SQL("t.{}").format(sql.Identifier(name)) + direction for name in self._key]
        if not keys:
            keys = [sql.SQL(_PLACES.get(self._relation.kind, '(t.*)::text COLLATE "C"'))]
        return sql.SQL(", ").join([*newest, *keys])

    # --- conditions ------------------------------------------------------------------------------------------------

    def _time_conditions(self, selection: Selection) -> Iterator[sql.Composable]:
        for moment, operator in ((selection.since, ">="), (selection.until, "<")):
            if moment is not None:
                column = self._time_column()
                yield sql.SQL("t.{} {} {}").format(
                    sql.Identifier(column.name), sql.SQL(operator), sql.Literal(_as_stored(moment, column))
                )

    def _phone_conditions(self, selection: Selection) -> Iterator[sql.Composable]:
        if selection.phone:
            name = sql.Identifier(self._phone_column().name)
            if selection.phone not in self._spellings:
                self._spellings[selection.phone] = self._read_spellings(name, selection.phone)
            spellings = map(sql.Literal, self._spellings[selection.phone])
            yield sql.SQL("t.{}::text IN ({})").format(name, sql.SQL(", ").join([sql.SQL("NULL"), *spellings]))

    def _read_spellings(self, column: sql.Identifier, phone: str) -> list[str]:
        """The stored texts that hold this number. The last digits only narrow the search; libphonenumber decides."""
        digits = sql.SQL("regexp_replace(t.{}::text, '[^0-9]', '', 'g')").format(column)
        statement = sql.SQL(
            "SELECT DISTINCT t.{0}::text FROM {1} AS t WHERE {2} LIKE {3} OR t.{0}::text ~ '[^ -~]'"
        ).format(column, self._relation.source, digits, sql.Literal(f"%{phone[-6:]}%"))
        return [row[0] for row in self._fetch(statement) if self._holds(row[0], phone)]

    def _holds(self, text: str, phone: str) -> bool:
        """Whether a stored text is this number, or several of which it is one, and no other digits."""
        found = parse_phones(text, self._region)
        return not found.unusable and any(one.e164 == phone for one in found.phones)

    # --- columns ---------------------------------------------------------------------------------------------------

    def _choose(self, names: Sequence[str]) -> tuple[_Column, ...]:
        """Columns by name, in the order asked for; `ConfigurationError` for one that is missing."""
        by_name = {column.name: column for column in self._columns}
        missing = [name for name in names if name not in by_name]
        if not by_name:
            raise ConfigurationError(f"{self._relation.name} has no columns; name another with --table")
        if missing:
            known = ", ".join(by_name)
            raise ConfigurationError(f"{self._relation.name} has no column {', '.join(missing)}; choose from {known}")
        return tuple(by_name[name] for name in names) if names else self._columns

    def _find(self, names: Iterable[str]) -> _Column | None:
        by_name = {column.name: column for column in self._columns}
        return next((by_name[name] for name in names if name in by_name), None)

    def _time_column(self) -> _Column:
        column = self._find(TIME_COLUMNS)
        if column is None:
            raise ConfigurationError(
                f"--since and --until need the column created_at, which {self._relation.name} lacks; leave them out"
            )
        if not _is_time(column):
            raise ConfigurationError(
                f"--since and --until need a time in {self._relation.name}.{column.name}, which is of type {column.kind}; "
                "leave them out"
            )
        return column

    def _phone_column(self) -> _Column:
        column = self._find(PHONE_COLUMNS)
        if column is None:
            raise ConfigurationError(
                f"--phone-number needs the column phone_number, which {self._relation.name} lacks; leave it out"
            )
        return column


_PLACES = {"r": "t.ctid", "m": "t.ctid", "p": "t.tableoid, t.ctid"}


def _find_table(connection: psycopg.Connection[Any], wanted: str) -> TableRelation:
    found = find_table(connection, wanted or DEFAULT_TABLE, "--table")
    if found is None:
        raise ConfigurationError(
            f"the table {wanted or DEFAULT_TABLE} does not exist in database {connection.info.dbname}; "
            "name another with --table schema.table"
        )
    return found


def _read_columns(connection: psycopg.Connection[Any], relation: TableRelation) -> tuple[_Column, ...]:
    rows = connection.execute(
        "SELECT a.attname, format_type(CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END, NULL), t.typcategory::text "
        "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        (relation.oid,),
    ).fetchall()
    return tuple(_Column(*row) for row in rows)


def _read_primary_key(connection: psycopg.Connection[Any], relation: TableRelation) -> tuple[str, ...]:
    """Names of the key's columns in its order; empty without one."""
    rows = connection.execute(
        "SELECT a.attname FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k(number, place) "
        "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number "
        "WHERE i.indrelid = %s AND i.indisprimary ORDER BY k.place",
        (relation.oid,),
    ).fetchall()
    return tuple(row[0] for row in rows)


def _limit(selection: Selection) -> sql.Composable:
    return sql.SQL("") if selection.limit is None else sql.SQL("LIMIT {}").format(sql.Literal(selection.limit))


def _is_time(column: _Column) -> bool:
    return column.kind in _TIMES


def _as_stored(moment: datetime, column: _Column) -> datetime:
    """Times without a zone are in UTC, as the programs that fill these tables write them."""
    return moment if column.kind == "timestamp with time zone" else moment.astimezone(UTC).replace(tzinfo=None)


# --- cells ---------------------------------------------------------------------------------------------------------


def _cell(number: int) -> sql.Identifier:
    return sql.Identifier(f"c{number}")


def _text_of(column: _Column, cell: sql.Composable) -> sql.Composable:
    """A value's text as `row_to_json` shows it, without the quotes of a JSON string."""
    if column.kind in _SAFE_TYPES or (column.category in _OWN_TEXT and column.kind != "character"):
        return sql.SQL("{}::text").format(cell)
    if column.kind in _TIMES:  # always a JSON string without escapes
        return sql.SQL("btrim(to_json({})::text, '\"')").format(cell)
    return sql.SQL(
        "CASE json_typeof(to_json({0})) WHEN 'string' THEN to_json({0}) #>> '{{}}' ELSE to_json({0})::text END"
    ).format(cell)


def _guarded(column: _Column, cell: sql.Composable) -> sql.Composable:
    """The text, with an apostrophe before it where a spreadsheet would take it for a formula or eat its apostrophe."""
    if column.kind in _SAFE_TYPES:
        return cell
    if column.category == "N":
        return sql.SQL("CASE WHEN left({0}, 1) IN ({2}) AND {0} !~ {1} THEN '''' || {0} ELSE {0} END").format(
            cell, sql.Literal(_NUMBER), _literals(FORMULA_STARTS)
        )
    # What begins with a letter or digit of ASCII is safe, which most texts do; looking for blanks is what takes time.
    return sql.SQL(
        "CASE WHEN ({0} COLLATE \"C\" >= '0' AND {0} COLLATE \"C\" < ':') "
        "OR ({0} COLLATE \"C\" >= 'A' AND {0} COLLATE \"C\" < '{{') THEN {0} "
        "WHEN left({0}, 1) IN ({1}) OR left(ltrim({0}, {2}), 1) IN ({3}) THEN '''' || {0} ELSE {0} END"
    ).format(cell, _literals((*FORMULA_STARTS, *GUARDED_STARTS)), sql.Literal(_BLANK), _literals(FORMULA_STARTS))


def _literals(texts: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Literal(text) for text in texts)


# --- messages of COPY ----------------------------------------------------------------------------------------------


def _gather(copy: Iterable[Any]) -> Iterator[list[memoryview]]:
    """Messages in lists of about `BLOCK_BYTES`."""
    gathered: list[memoryview] = []
    size = 0
    for message in copy:
        gathered.append(message)
        size += len(message)
        if size >= BLOCK_BYTES:
            yield gathered
            gathered, size = [], 0
    if gathered:
        yield gathered


def _join_lines(messages: Sequence[memoryview]) -> bytes:
    text = b"".join(messages)
    return b"".join(map(_unquote, messages)) if _QUOTE in text else text


def _unquote(message: memoryview) -> bytes:
    """One row on one line: a quoted row holds raw line breaks, all of them between tokens."""
    line = bytes(message)
    if not line.startswith(_QUOTE):
        return line
    return line[1:-2].replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"
