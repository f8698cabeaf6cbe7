"""A progress bar, through rich."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class BarProgress:
    """`ports.NotedProgress` on a terminal: a bar on stderr with rate and time left."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn("dots" if (sys.stderr.encoding or "").lower().startswith("utf") else "line"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: TaskID | None = None

    def start(self, what: str, total: int | None) -> None:
        """A stage begins."""
        self.finish()
        self._task = self._progress.add_task(what, total=total, rate="", note="")

    def advance(self, count: int = 1) -> None:
        """A part of the stage is done."""
        if self._task is None:
            return
        self._progress.advance(self._task, count)
        task = self._progress.tasks[-1]
        if task.speed:
            self._progress.update(self._task, rate=f"{task.speed:.1f}/s")

    def note(self, text: str) -> None:
        """Show a text beside the count."""
        if self._task is not None:
            self._progress.update(self._task, note=text)

    def finish(self) -> None:
        """The stage is over: remove its line."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        self._progress.stop()
