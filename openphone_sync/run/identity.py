"""Is it still the same world? A state folder belongs to one OpenPhone workspace and one client table.

Another workspace or database behind the same settings would look as if every client had gone; it stops the run before
anything is compared.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from openphone_sync.errors import WorldMovedError
from openphone_sync.model import SourceIdentity
from openphone_sync.ports import ClientSource, Workspace
from openphone_sync.state import Store

_KEY = "key"
_WORKSPACE = "workspace"
_DATABASE = "database"
_COLUMNS = "columns"


class World:
    """What the state knows of workspace and source, and what this run has seen of them."""

    def __init__(self, store: Store, key_mark: str) -> None:
        self._store = store
        self._key_mark = key_mark
        self._workspace: frozenset[str] | None = None
        self._database: SourceIdentity | None = None
        self._columns: tuple[str, ...] = ()
        self._all_columns: tuple[str, ...] = ()

    def check_workspace(self, workspace: Workspace) -> None:
        """A key that is known belongs to the known workspace; another key must show one of its phone numbers."""
        if self._store.read_fact(_KEY) == self._key_mark:
            return
        found = workspace.read_identity()
        known = self._store.read_fact(_WORKSPACE)
        if known is not None and found != frozenset(json.loads(known)) and not found & frozenset(json.loads(known)):
            raise WorldMovedError(
                "OPENPHONE_API_KEY belongs to another OpenPhone workspace than the one this state folder knows; "
                "use that workspace's key, or a --state-dir of its own for each workspace"
            )
        self._workspace = found

    def check_source(self, source: ClientSource) -> None:
        """The rows come from where they came from last time."""
        identity = source.identity()
        known = self._store.read_fact(_DATABASE)
        if known is not None and not identity.same_as(SourceIdentity(**json.loads(known))):
            raise WorldMovedError(
                "DATABASE_URL or the client table is another one than this state folder knows; "
                "use that one again, or a --state-dir of its own for each source"
            )
        self._database, self._columns, self._all_columns = identity, source.columns(), source.all_columns()

    def missing_columns(self) -> tuple[str, ...]:
        """Columns that were read last time and that the source has no longer; one that nobody reads now may be there."""
        known = json.loads(self._store.read_fact(_COLUMNS) or "[]")
        return tuple(name for name in known if name not in self._all_columns)

    def source(self) -> dict[str, str]:
        """The source that was seen, as a mapping."""
        return asdict(self._database) if self._database else {}

    def remember(self) -> None:
        """Write down what was seen; called before the first write to OpenPhone."""
        if self._workspace is not None:
            self._store.save_fact(_WORKSPACE, json.dumps(sorted(self._workspace)))
            self._store.save_fact(_KEY, self._key_mark)
        if self._database is not None:
            self._store.save_fact(_DATABASE, json.dumps(asdict(self._database)))
            self._store.save_fact(_COLUMNS, json.dumps(self._columns))
