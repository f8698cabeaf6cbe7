"""The history of runs in the state file, as far as monitors ask for it every minute: imports nothing but SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from openphone_sync.documents import format_time
from openphone_sync.state.file import STATE_FILE, StateFile, connect_for_looking

_ERASED_TOTALS = "erased_totals"
_TOTALS = ", ".join(
    [
        "count(*)",
        *(
            f"CAST(total({what}) AS INTEGER)"
            for what in (
                "status = 'succeeded'",
                *(f"json_extract(report, '$.contacts.{name}')" for name in ("created", "updated", "skipped", "failed")),
            )
        ),
        "total(json_extract(report, '$.durationSeconds'))",
    ]
)
"""The columns of `RunTotals`, in their order."""

DECIDED = (
    "EXISTS (SELECT 1 FROM decisions d JOIN candidates c ON c.external_id = d.external_id AND c.subject = d.candidate "
    "JOIN clients k ON k.client_id = d.client_id WHERE d.external_id = l.external_id AND k.due)"
)
"""A person decided about link ``l``, and no run has acted on it yet: its client is due."""


@dataclass(frozen=True, slots=True)
class RunTotals:
    """Sums over finished runs, also over those whose history is erased. ``seconds`` is the sum of their durations."""

    runs: int = 0
    good: int = 0
    created: int = 0
    updated: int = 0
    skipped: int = 0
    failed: int = 0
    seconds: float = 0.0

    def plus(self, other: RunTotals) -> RunTotals:
        """Both sums together."""
        mine, theirs = asdict(self), asdict(other)
        return RunTotals(**{name: mine[name] + theirs[name] for name in mine})

    def to_text(self) -> str:
        """As JSON, to be remembered."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A run that is not closed: how many of its contacts are done. ``started_at`` in seconds since the epoch."""

    run_id: str
    command: str
    started_at: float
    processed: int
    total: int


def parse_totals(text: str | None) -> RunTotals:
    """What `RunTotals.to_text` wrote; nothing where nothing is remembered."""
    return RunTotals(**json.loads(text)) if text else RunTotals()


def peek_history(state_dir: Path) -> History:
    """Open the history for looking only. Without a state file it is empty."""
    path = state_dir / STATE_FILE
    return History(connect_for_looking(path), path)


class History(StateFile):
    """Finished runs, the one going on, and what waits for a person."""

    def read_live_run(self) -> LiveRun | None:
        """The latest run if it is not closed: it is going on, or its process has died."""
        row = self._row(
            "SELECT run_id, command, started_at, processed, total FROM runs "
            "WHERE finished_at IS NULL AND number = (SELECT max(number) FROM runs)"
        )
        return LiveRun(*row) if row else None

    def read_totals(self) -> RunTotals:
        """Sums over all finished runs, those erased included. SQLite adds them up: reports can be long."""
        return self._add_up("1", ()).plus(parse_totals(self.read_fact(_ERASED_TOTALS)))

    def read_summaries(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Reports of finished runs without their lists, the latest first."""
        rows = self._rows(
            "SELECT json_remove(report, '$.skipped', '$.held', '$.orphans', '$.conflicts', '$.errors', '$.warnings') "
            "FROM runs WHERE report IS NOT NULL ORDER BY number DESC LIMIT ?",
            (-1 if limit is None else limit,),
        )
        return [json.loads(row[0]) for row in rows]

    def read_reports_since(self, moment: float) -> list[dict[str, Any]]:
        """Reports of runs that began since a moment (seconds since the epoch), the latest first; of lists only conflicts."""
        rows = self._rows(
            "SELECT json_remove(report, '$.skipped', '$.held', '$.orphans', '$.errors', '$.warnings') "
            "FROM runs WHERE report IS NOT NULL AND started_at >= ? ORDER BY number DESC",
            (moment,),
        )
        return [json.loads(row[0]) for row in rows]

    def read_last_good(self) -> float | None:
        """When the last sync of all clients that succeeded ended, in seconds since the epoch; order counts, not the clock."""
        row = self._row(
            "SELECT finished_at FROM runs WHERE command = 'sync' AND status = 'succeeded' AND complete "
            "ORDER BY number DESC LIMIT 1"
        )
        return None if row is None else float(row[0])

    def count_held(self) -> int:
        """How many contacts wait for a review."""
        waiting = (
            "standing IN ('held', 'reverted') AND standing <> 'linked'"  # the second is the condition of the index
        )
        query = f"SELECT count(*) FROM links l WHERE {waiting} AND NOT {DECIDED}"
        return int(self._row(query)[0])

    def read_persons(self, external_ids: Iterable[str]) -> dict[str, str]:
        """Names of our people by external id."""
        rows = self._select_in("SELECT external_id, person FROM links WHERE external_id IN", external_ids)
        return {external_id: person for external_id, person in rows if person}

    def read_coverage(self, limit: int = 1) -> list[dict[str, Any]]:
        """The latest measurements of coverage as published: when, over how many days, numbers and named; latest first."""
        rows = self._rows(
            "SELECT measured_at, days, numbers, named FROM coverage ORDER BY measured_at DESC LIMIT ?", (limit,)
        )
        return [
            {"measuredAt": format_time(measured_at), "days": days, "numbers": numbers, "named": named}
            for measured_at, days, numbers, named in rows
        ]

    def erase_before(self, moment: float) -> list[str]:
        """Erase journal, before-images, coverage and runs older than ``moment``; returns the ids of the runs erased.

        Their sums stay in `read_totals`.
        """
        erased = self.read_totals_before(moment)
        with self._transaction() as db:
            old = [row[0] for row in db.execute("SELECT run_id FROM runs WHERE started_at < ?", (moment,))]
            if old:
                db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (_ERASED_TOTALS, erased.to_text()))
            db.execute("DELETE FROM journal WHERE intended_at < ? AND result IS NOT NULL", (moment,))
            db.execute("DELETE FROM runs WHERE started_at < ?", (moment,))
            db.execute("DELETE FROM erased WHERE run_id NOT IN (SELECT run_id FROM runs)")
            db.execute("DELETE FROM coverage WHERE measured_at < ?", (moment,))
        return old

    def read_totals_before(self, moment: float) -> RunTotals:
        """Sums over the runs that are erased, and over those that began before ``moment``."""
        return self._add_up("started_at < ?", (moment,)).plus(parse_totals(self.read_fact(_ERASED_TOTALS)))

    def _add_up(self, where: str, values: tuple[Any, ...]) -> RunTotals:
        row = self._row(f"SELECT {_TOTALS} FROM runs WHERE report IS NOT NULL AND {where}", values)
        return RunTotals(*row)
