"""The tables that could hold the clients: those with every column that the mapping needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from openphone_sync.model import ContactMapping
from openphone_sync.postgres.clients import DEFAULT_TABLES
from openphone_sync.postgres.inspecting import RelationInfo
from openphone_sync.rules.mapping import find_missing_columns, make_column_filter


@dataclass(frozen=True, slots=True)
class ClientTable:
    """``name`` as OPENPHONE_CLIENT_TABLE takes it; ``columns`` are those that the mapping reads; ``others`` counts the rest."""

    name: str
    columns: tuple[str, ...]
    others: int


def find_client_tables(relations: Iterable[RelationInfo], mapping: ContactMapping) -> list[ClientTable]:
    """Those that can be read with this mapping, the ones with most of its columns first."""
    is_known = make_column_filter(mapping)
    tables = []
    for relation in relations:
        if not find_missing_columns(mapping, relation.columns):
            known = tuple(filter(is_known, relation.columns))
            name = f"{_quote(relation.schema)}.{_quote(relation.table)}"
            tables.append(ClientTable(name, known, len(relation.columns) - len(known)))
    return sorted(tables, key=lambda table: (-len(table.columns), table.name))


def choose_table(tables: Sequence[ClientTable]) -> ClientTable | None:
    """The one that is meant if nobody says: the only one, or the only one with a usual name; None if that is open."""
    if len(tables) > 1:
        usual = {_quote(name.strip('"')) for name in DEFAULT_TABLES}
        tables = [table for table in tables if table.name.rpartition(".")[2] in usual]
    return tables[0] if len(tables) == 1 else None


def _quote(part: str) -> str:
    return part if re.fullmatch(r"[a-z_][a-z0-9_]*", part) else '"' + part.replace('"', '""') + '"'
