"""How far a run has come: a bar with rate and time left on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from openphone_sync.wiring import NoProgress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from openphone_sync.ports import NotedProgress


class BarProgress:
    """`ports.Progress` on a terminal; writes to stderr, so that stdout stays clean."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress: RichProgress = Progress(
            SpinnerColumn(),
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
        """Some of the stage is done."""
        if self._task is None:
            return
        self._progress.advance(self._task, count)
        task = self._progress.tasks[-1]
        if task.speed:
            self._progress.update(self._task, rate=f"{task.speed:.1f}/s")

    def note(self, text: str) -> None:
        """Show more than the count."""
        if self._task is not None:
            self._progress.update(self._task, note=text)

    def finish(self) -> None:
        """The stage is over: its line goes."""
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


@contextmanager
def show_progress(*, quiet: bool) -> Iterator[NotedProgress]:
    """A bar where somebody is looking."""
    if quiet or not sys.stderr.isatty():
        yield NoProgress()
    else:
        with BarProgress() as bar:
            yield bar
