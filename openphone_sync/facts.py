"""What the doctor's probes bring back: values without anybody's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from openphone_sync.model import FieldDefinition


@dataclass(frozen=True, slots=True)
class ApiFacts:
    """What the API says of the workspace.

    ``numbers`` are the names that staff gave the workspace's phone numbers. ``skew_s`` is how far this machine's clock
    is ahead of the API's, None where the API does not tell the time.
    """

    numbers: tuple[str, ...]
    fields: tuple[FieldDefinition, ...]
    skew_s: float | None = None


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What the connection to the database is like. ``is_pooled``: through PgBouncer, Supavisor or the like."""

    version: str
    user: str
    database: str
    is_encrypted: bool
    is_local: bool
    is_pooled: bool
    port: int
    bypasses_row_security: bool


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What the client table is like, for the role that reads it.

    ``column_types`` are Postgres' names of the types, empty for a client query. ``visible_rows`` are those that the role
    sees; ``has_row_security`` is about the table, ``hides_rows`` about the role. ``names_twice`` counts the
    ``client_name`` that more than one row has.
    """

    name: str
    columns: tuple[str, ...]
    column_types: Mapping[str, str] = field(default_factory=dict)
    visible_rows: int = 0
    has_row_security: bool = False
    hides_rows: bool = False
    names_twice: int = 0
