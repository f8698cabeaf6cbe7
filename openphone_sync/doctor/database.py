"""Checks of the database: connection, table, columns, row-level security, sample rows."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

from openphone_sync.config import DATABASE, Settings, explain_absence, load_mapping
from openphone_sync.doctor.checks import Check, make_failed
from openphone_sync.errors import ConfigurationError, OpenPhoneSyncError, RunError
from openphone_sync.model import ContactMapping
from openphone_sync.ports import ClientSource
from openphone_sync.postgres.inspecting import DatabaseInfo, TableInfo, inspect_connection, inspect_table
from openphone_sync.rules.mapping import (
    MappingRules,
    find_missing_columns,
    make_text_filter,
    map_client,
    name_columns,
)
from openphone_sync.wiring import open_source

SAMPLE_ROWS = 10
TRANSACTION_POOLER_PORT = 6543
"""Of Supabase."""

_UNFIT_TYPES = re.compile(
    r'"?char"?$|character\(1\)|bytea|json|\[\]$|numeric|integer|bigint|smallint|double|real|boolean'
)


def check_database(settings: Settings) -> tuple[list[Check], int, int]:
    """The checks, how many sample rows can be mapped, and the exit code if there is no connection, else 0."""
    try:
        if not settings.database_url:
            raise ConfigurationError(explain_absence(settings, DATABASE))
        info = inspect_connection(settings.database_url)
    except RunError as error:
        return [make_failed("database", error)], 0, error.exit_code
    checks = [
        Check("database", ok=True, detail=f"Postgres {info.version}, database {info.database}, role {info.user}"),
        _check_tls(info),
        _check_pooler(info),
    ]
    mapping = load_mapping(settings.mapping_file)
    try:
        with closing(open_source(settings)) as source:
            relation, columns = source.identity().relation, source.columns()
            names = tuple(name for name in name_columns(mapping) if name in columns)
            table = inspect_table(settings.database_url, relation, columns, settings.client_query, names)
            mapped, read = _map_sample(source, settings)
    except OpenPhoneSyncError as error:
        return [*checks, make_failed("table", error)], 0, 0
    checks += [
        Check("table", ok=True, detail=f"{table.name}, {table.visible_rows} rows"),
        _check_columns(table, mapping),
        _check_types(table, mapping),
        _check_row_security(table, info),
        _check_names(table),
        _check_sample(mapped, read),
    ]
    return checks, mapped, 0


def _check_tls(info: DatabaseInfo) -> Check:
    if info.is_encrypted:
        return Check("tls", ok=True, detail="the connection is encrypted")
    if info.is_local:
        return Check("tls", ok=True, detail="not encrypted, and it does not leave this machine")
    detail = "the connection is not encrypted: anybody on the network between can read clients' data"
    fix = "set up TLS at the database server, and add sslmode=require to DATABASE_URL"
    return Check("tls", ok=not info.is_public, detail=detail, fix=fix)


def _check_pooler(info: DatabaseInfo) -> Check:
    if not info.is_pooled:
        return Check("pooler", ok=True, detail="none, a direct connection")
    mode = "transaction mode by its port" if info.port == TRANSACTION_POOLER_PORT else "session or transaction mode"
    return Check("pooler", ok=True, detail=f"through a pooler, {mode}; both work")


def _map_sample(source: ClientSource, settings: Settings) -> tuple[int, int]:
    """How many of the first rows were mapped, and how many were read."""
    rules = MappingRules(settings.region, load_mapping(settings.mapping_file))
    rows = list(source.read_clients(limit=SAMPLE_ROWS))
    return sum(bool(_try_mapping(row, rules)) for row in rows), len(rows)


def _try_mapping(row: Any, rules: MappingRules) -> bool:
    try:
        return bool(list(map_client(row, rules)))
    except (OpenPhoneSyncError, ValueError, TypeError, KeyError):
        return False


def _check_columns(table: TableInfo, mapping: ContactMapping) -> Check:
    missing = [name for name, _ in find_missing_columns(mapping, table.columns, optional=True)]
    fix = "rename a misspelt column with OPENPHONE_CLIENT_QUERY: a missing column counts as empty" if missing else ""
    detail = f"{len(table.columns)} are read" + (f"; missing: {', '.join(missing)}" if missing else "")
    return Check("columns", ok=True, detail=detail, fix=fix)


def _check_types(table: TableInfo, mapping: ContactMapping) -> Check:
    ought_to_be_text = make_text_filter(mapping)
    unfit = [
        f"{column} is {kind}"
        for column, kind in table.column_types.items()
        if column in table.columns and ought_to_be_text(column) and _UNFIT_TYPES.search(kind)
    ]
    if not unfit:
        return Check("column types", ok=True, detail="as expected" if table.column_types else "unknown for a query")
    return Check(
        "column types", ok=False, detail="; ".join(unfit), fix="make them text: numbers lose leading zeros and the +"
    )


def _check_row_security(table: TableInfo, info: DatabaseInfo) -> Check:
    name = "row-level security"
    if not table.has_row_security and not table.hides_rows:
        return Check(name, ok=True, detail="off: the role sees every row")
    if not table.hides_rows:
        why = "the role bypasses it" if info.bypasses_row_security else "the role owns the table"
        return Check(name, ok=True, detail=f"on, but {why}: {table.visible_rows} rows seen")
    fix = f"make sure that a policy lets {info.user} SELECT every client, or use a role with BYPASSRLS"
    detail = f"on and applies to the role: {table.visible_rows} rows seen"
    return Check(name, ok=table.visible_rows > 0, detail=detail, fix=fix)


def _check_names(table: TableInfo) -> Check:
    twice = table.names_twice
    names = "1 name is" if twice == 1 else f"{twice} names are"
    detail = f"{names} in more than one row" if twice else "every name is unique"
    return Check("duplicate names", ok=True, detail=detail, fix="look at openphone-sync problems" if twice else "")


def _check_sample(mapped: int, read: int) -> Check:
    detail = f"{mapped} of the first {read} rows could be mapped" if read else "there are no rows"
    ok = mapped == read and read > 0
    return Check("sample rows", ok, detail, "" if ok else "check the client table, or OPENPHONE_CLIENT_QUERY")
