"""The nightly sync in the crontab: add the line, remove it, show it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from openphone_sync.config import API, DATABASE, Settings, env_files, expand_home, load_settings
from openphone_sync.errors import ConfigurationError
from openphone_sync.ops.crontab import (
    Crontab,
    InstalledLine,
    Job,
    NoCrontabError,
    drop_entry,
    find_entry,
    find_program,
    make_bare_environ,
    make_marks,
    make_options,
    next_runs,
    put_entry,
)

RUNS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the crontab holds for a state folder. ``installed`` is None if it has no line of ours.

    ``wanted`` is the line that ``start`` installs, ``next_runs`` are in local time, ``has_crontab``: there is such a
    program; ``changed``: the command wrote.
    """

    wanted: str
    installed: InstalledLine | None
    next_runs: tuple[datetime, ...]
    has_crontab: bool = True
    changed: bool = False


def start_schedule(job: Job, crontab: Crontab, now: datetime) -> Schedule:
    """Make sure that the crontab has the line once. Raises `NoCrontabError` and what `Crontab` raises."""
    before = crontab.read()
    after = put_entry(before, job)
    if after != before:
        crontab.replace(before, after)
    return _describe(job, find_entry(after, job.marks()), now, changed=after != before)


def stop_schedule(state_dir: Path, crontab: Crontab) -> bool:
    """Make sure that the crontab has no line; returns whether there was one."""
    before = crontab.read()
    after = drop_entry(before, make_marks(state_dir))
    if after != before:
        crontab.replace(before, after)
    return after != before


def show_schedule(job: Job, crontab: Crontab, now: datetime) -> Schedule:
    """What the crontab holds; changes nothing."""
    try:
        return _describe(job, find_entry(crontab.read(), job.marks()), now)
    except NoCrontabError:
        return _describe(job, None, now, has_crontab=False)


def make_job(settings: Settings, environ: Mapping[str, str], folder: Path) -> Job:
    """The job for these settings, which cron starts in another folder and with almost no environment.

    If one env file is in use, the line names it. If there are several, they override each other, so the job starts in
    their folder.
    """
    *local, config = [path if path.is_file() else None for path in env_files(environ, None, folder.absolute())]
    found: list[Path | None] = [path for path in (settings.env_file, *local) if path] or [config]
    is_single = len({path.resolve() for path in found if path}) <= 1
    return Job(
        schedule=settings.schedule,
        program=find_program(sys.argv[0], sys.executable),
        options=make_options(found[0] if is_single else settings.env_file, settings.state_dir),
        state_dir=settings.state_dir,
        folder=None if is_single else folder.absolute(),
    )


def find_missing(line: InstalledLine, environ: Mapping[str, str]) -> str:
    """What a run of this line lacks in cron's environment; empty if nothing, or if the line cannot be parsed."""
    bare = make_bare_environ(environ)
    try:
        words = shlex.split(line.command, comments=True)
    except ValueError:
        return ""
    named = _find_value(words, "--env-file")
    folder = Path(_find_value(words[:2], "cd") or bare["HOME"])
    try:
        env_file = folder / expand_home(Path(named)) if named else None
        load_settings(bare, env_file=env_file, folder=folder, require=(API, DATABASE))
    except ConfigurationError as error:
        return str(error)
    return ""


def _find_value(words: Sequence[str], option: str) -> str:
    """The word after an option, or what follows its ``=``; empty without it."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, _, value = word.partition("=")
        if name == option:
            return value or following
    return ""


def _describe(
    job: Job, installed: InstalledLine | None, now: datetime, *, has_crontab: bool = True, changed: bool = False
) -> Schedule:
    schedule = installed.schedule if installed else job.schedule
    runs = tuple(next_runs(schedule, now, RUNS_SHOWN))
    return Schedule(job.line(), installed, runs, has_crontab, changed)
