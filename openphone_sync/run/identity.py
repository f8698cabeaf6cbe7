"""A state folder belongs to one OpenPhone workspace and one client table: are these still they?

Another workspace or database behind the same settings would look as if every client had gone; it stops the run before
anything is compared. So does a state that is empty beside its own backups.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from openphone_sync.errors import StaleError
from openphone_sync.model import SourceIdentity
from openphone_sync.ports import ClientSource, Workspace
from openphone_sync.state import Store

SAME_SHARE = 0.9
"""So many of the known clients, and of the compared ones, must be as they were for the content to be the same."""
FEWEST_KNOWN = 10
"""With fewer known clients nobody can tell whether the content is the same."""

_KEY = "key"
_WORKSPACE = "workspace"
_DATABASE = "database"
_COLUMNS = "columns"


class Identity:
    """What the state knows of its workspace and source, and what this run has seen of them."""

    def __init__(self, store: Store, key_mark: str, *, accept_source: bool = False) -> None:
        self._store = store
        self._key_mark = key_mark
        self._accept_source = accept_source
        self._workspace: frozenset[str] | None = None
        self._database: SourceIdentity | None = None
        self._columns: tuple[str, ...] = ()
        self._all_columns: tuple[str, ...] = ()
        self._known: SourceIdentity | None = None

    def check_workspace(self, workspace: Workspace) -> None:
        """A key that is known belongs to the known workspace; another key must show one of its phone numbers."""
        if self._store.read_fact(_KEY) == self._key_mark:
            return
        found = workspace.read_identity()
        known = self._store.read_fact(_WORKSPACE)
        if known is not None and found != frozenset(json.loads(known)) and not found & frozenset(json.loads(known)):
            raise StaleError(
                "OPENPHONE_API_KEY belongs to another OpenPhone workspace than the one this state folder knows; "
                "use that workspace's key, or a --state-dir of its own for each workspace"
            )
        self._workspace = found

    def look_at_source(self, source: ClientSource) -> None:
        """Note where the rows come from; `check_content` judges a place that is not the known one."""
        self._database = source.identity()
        self._columns, self._all_columns = source.columns(), source.all_columns()
        known = self._store.read_fact(_DATABASE)
        self._known = SourceIdentity(**json.loads(known)) if known else None

    @property
    def source_moved(self) -> bool:
        """Whether the rows come from another place than last time."""
        return self._known is not None and self._database is not None and not self._database.same_as(self._known)

    def check_content(self, known: int, present: int, compared: int, same: int) -> str:
        """Accept the rows of a new place, or raise `StaleError`; returns what to say about it.

        ``present`` of the ``known`` clients are there; ``same`` of ``compared`` ones are as last written. A restore or an
        upgrade in place has the known host, database and relation; another place could hold last week's copy.
        """
        if self._known is None or self._database is None:
            return ""
        before, now = self._known, self._database
        found = (
            f"{present} of {known} known clients are there, and {same} of {compared} compared rows are as last written"
        )
        same_content = present >= SAME_SHARE * known and same >= SAME_SHARE * compared
        if not present or (known >= FEWEST_KNOWN and not same_content):
            raise StaleError(
                f"DATABASE_URL or the client table is another one than this state folder knows, with other content ({found});"
                " use the known one again, or a --state-dir of its own for each source"
            )
        in_place = (before.host, before.database, before.relation) == (now.host, now.database, now.relation)
        if same_content and (self._accept_source or (in_place and known >= FEWEST_KNOWN)):
            return (
                f"the client table is on another server or in another place than before, with the same content: {found}"
            )
        raise StaleError(
            f"DATABASE_URL or the client table is in another place than this state folder knows ({found}); "
            "if you moved it, run openphone-sync sync --accept-source; if not, use the known one again"
        )

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


def check_not_lost(store: Store, state_dir: Path) -> None:
    """Raise `StaleError` where the state is empty though there are copies of a full one, or reports of runs that wrote."""
    if store.knows_clients():
        return
    copies = sorted((state_dir / "backups").glob("state-[0-9]*.db"), key=lambda path: path.stat().st_mtime)
    if copies:
        raise StaleError(
            f"the state in {state_dir} is empty, but there are copies of a full one; put the latest back with "
            f"cp {copies[-1]} {state_dir / 'state.db'}, or move the folder backups away to begin again"
        )
    if any(_wrote(path) for path in (state_dir / "runs").glob("*.json")):
        raise StaleError(
            f"the state in {state_dir} is empty, but there are reports of runs that wrote contacts; put back a copy of "
            f"{state_dir / 'state.db'}, or move the folder runs away to begin again"
        )


def _wrote(path: Path) -> bool:
    try:
        contacts = json.loads(path.read_text(encoding="utf-8"))["contacts"]
        return any(contacts.get(name) for name in ("created", "updated", "adopted"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
