"""The latest nights as a small picture: what each wrote and how it ended. Geometry only; a template draws it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

NIGHTS = 30
STEP, BAR, HEIGHT = 20, 14, 100
"""Units of the picture: the distance from one night to the next, the width of its bar, and the height of the highest."""
SMALLEST = 2
_GOOD, _PARTIAL, _FAILED, NO_RUN = "good", "partial", "failed", "none"
_LEVELS: Mapping[str, str] = {"succeeded": _GOOD, "partial": _PARTIAL}
_KINDS: Mapping[str, tuple[str, ...]] = {
    "created": ("created",),
    "updated": ("updated", "adopted", "deleted"),
    "failed": ("failed",),
}
"""Parts of a bar from below, and the counts of a run that belong to each."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a night's bar; ``y`` and ``height`` in units of the picture."""

    kind: str
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Night:
    """One day: its bar, how its worst run ended (``good``, ``partial``, ``failed`` or ``none``), and both in words."""

    x: int
    level: str
    words: str
    bars: tuple[Bar, ...] = ()


@dataclass(frozen=True, slots=True)
class Nights:
    """The picture, with its first and last day, the number of contacts at its top, and a sentence."""

    nights: tuple[Night, ...]
    first: str
    last: str
    top: int
    words: str

    @property
    def width(self) -> int:
        """Of the picture, in its units."""
        return STEP * len(self.nights)


def make_nights(reports: Iterable[Mapping[str, Any]], now: datetime) -> Nights:
    """The latest nights from the reports of their runs; days are those of the time zone of ``now``."""
    days = [now.date() - timedelta(days=back) for back in reversed(range(NIGHTS))]
    runs: dict[Any, list[Mapping[str, Any]]] = {day: [] for day in days}
    for report in reports:
        day = datetime.fromisoformat(report["startedAt"]).astimezone(now.tzinfo).date()
        if day in runs:
            runs[day].append(report)
    counts = {day: _count(found) for day, found in runs.items()}
    top = max(sum(one.values()) for one in counts.values())
    nights = tuple(
        Night(
            number * STEP,
            _judge(runs[day]),
            f"{day:%a} {day.day} {day:%b}: {_tell(runs[day])}",
            _stack(counts[day], top),
        )
        for number, day in enumerate(days)
    )
    return Nights(
        nights, f"{days[0].day} {days[0]:%b}", f"{days[-1].day} {days[-1]:%b}", top, _sum_up(nights, counts.values())
    )


def _count(runs: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {kind: sum(run["contacts"][name] for run in runs for name in names) for kind, names in _KINDS.items()}


def _judge(runs: Sequence[Mapping[str, Any]]) -> str:
    levels = {_LEVELS.get(run["status"], _FAILED) for run in runs}
    return next((level for level in (_FAILED, _PARTIAL, _GOOD) if level in levels), NO_RUN)


def _tell(runs: Sequence[Mapping[str, Any]]) -> str:
    if not runs:
        return "no run"
    ended = ", ".join(f"{run['command']} {run['status']}" for run in reversed(runs))
    return "; ".join([ended, *(f"{count} {kind}" for kind, count in _count(runs).items() if count)])


def _stack(counts: Mapping[str, int], top: int) -> tuple[Bar, ...]:
    """From below; what is there is seen, however small."""
    bars, y = [], HEIGHT
    for kind, count in counts.items():
        if count:
            height = max(SMALLEST, round(count / top * HEIGHT))
            y = max(0, y - height)
            bars.append(Bar(kind, y, height))
    return tuple(bars)


def _sum_up(nights: Sequence[Night], counts: Iterable[Mapping[str, int]]) -> str:
    levels = Counter(night.level for night in nights)
    words = {_GOOD: "good", _PARTIAL: "with failed contacts", _FAILED: "failed", NO_RUN: "without a run"}
    days = ", ".join(f"{levels[level]} {text}" for level, text in words.items() if levels[level])
    totals = sum((Counter(one) for one in counts), Counter[str]())
    written = ", ".join(f"{count:,} {kind}" for kind, count in totals.items() if count)
    return f"Of {len(nights)} days {days}; contacts: {written or 'none written'}."
