"""The client table in memory, as `ports.ClientSource`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from openphone_sync.errors import UnreachableError
from openphone_sync.model import ClientRow, SourceIdentity
from tests.simulator.scheduler import REQUEST, Scheduler

SLOTS = (1, 2, 3)
COLUMNS = (
    "id",
    "client_name",
    "client_type",
    "phone",
    "email",
    "date_of_birth",
    "date_intake",
    "county",
    "case_type",
    "arrested",
    "currently_incarcerated",
    *(f"{name.format(slot)}" for slot in SLOTS for name in ("contact_{}", "relationship_{}", "contact_{}_phone")),
    "created_at",
)

Row = dict[str, Any]


class Source:
    """A connection: it sees one snapshot, taken at its first query."""

    def __init__(
        self, rows: Mapping[str, Row], scheduler: Scheduler, on_snapshot: Callable[[], None], *, is_down: bool = False
    ) -> None:
        self._rows = rows
        self._scheduler = scheduler
        self._on_snapshot = on_snapshot
        self._is_down = is_down
        self._snapshot: dict[str, Row] | None = None

    def identity(self) -> SourceIdentity:
        """Always the same database."""
        return SourceIdentity("7301", "db", "office", "public.clients")

    def columns(self) -> tuple[str, ...]:
        """What is read."""
        return COLUMNS

    def all_columns(self) -> tuple[str, ...]:
        """What there is."""
        return COLUMNS

    def hides_rows(self) -> bool:
        """No row-level security."""
        return False

    def read_clients(
        self, *, client_type: str | None = None, limit: int | None = None, learns: bool = True
    ) -> Iterator[ClientRow]:
        """In the order of their ids as UTF-8 bytes."""
        rows = self._take()
        chosen = [key for key in sorted(rows, key=lambda key: key.encode()) if _is_of(rows[key], client_type)]
        for key in chosen[:limit]:
            yield ClientRow(key, json.dumps(rows[key]))

    def read_client(self, client_id: str) -> ClientRow | None:
        """One client."""
        row = self._take().get(client_id)
        return ClientRow(client_id, json.dumps(row)) if row else None

    def close(self) -> None:
        """Nothing is open."""

    def _take(self) -> dict[str, Row]:
        if self._snapshot is None:
            self._scheduler.step(REQUEST)
            if self._is_down:
                raise UnreachableError("the database cannot be reached; try later")
            self._on_snapshot()
            self._snapshot = {key: dict(row) for key, row in self._rows.items()}
        return self._snapshot


def _is_of(row: Row, client_type: str | None) -> bool:
    return client_type is None or str(row["client_type"]).lower() == client_type
