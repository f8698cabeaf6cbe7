"""Checks of this machine: state folder, disk space, lock, schedule, alerts."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from openphone_sync.config import Settings, env_files, list_default_dirs
from openphone_sync.doctor.checks import Check
from openphone_sync.errors import ConfigurationError, RunError
from openphone_sync.ops.crontab import InstalledLine, find_start, make_bare_environ, read_line
from openphone_sync.ops.files import check_state_dir
from openphone_sync.ops.lock import is_locked
from openphone_sync.ops.schedule import find_missing
from openphone_sync.ops.timer import find_timer
from openphone_sync.run.identity import check_not_lost
from openphone_sync.state import peek_store
from openphone_sync.state.file import STATE_FILE

LEAST_FREE_BYTES = 100_000_000
"""Ten times the state of 20,000 clients, and room for a report of each."""
_TIMEOUT_S = 60


def check_machine(
    settings: Settings,
) -> Iterator[Check]:
    """Checks that need no connection."""
    yield _check_env_files(settings.env_file)
    yield _check_folder(settings.state_dir)
    yield from _check_state(settings.state_dir)
    yield _check_space(settings.state_dir)
    yield Check("lock", ok=True, detail="held by a run in progress" if is_locked(settings.state_dir) else "free")
    yield from _check_schedule(settings)
    if settings.alert_urls or settings.healthcheck_url:
        yield _check_alerts(settings)


def _check_env_files(env_file: Path | None) -> Check:
    """Who can read the key. What others could have written is refused before this check."""
    used = [path for path in env_files(os.environ, env_file, Path()) if path.is_file()]
    open_files = [str(path) for path in used if path.stat().st_mode & stat.S_IROTH]
    if open_files:
        detail = f"{', '.join(open_files)} can be read by every user of this machine"
        return Check("env file", ok=True, detail=detail, fix=f"run chmod o-r {' '.join(open_files)}")
    return Check("env file", ok=True, detail="not readable by other users" if used else "none; set by the environment")


def _check_folder(folder: Path) -> Check:
    try:
        return _inspect_folder(folder)
    except OSError as error:
        return Check(
            "state folder",
            ok=False,
            detail=f"{folder} cannot be reached ({error.strerror})",
            fix="choose another with --state-dir or OPENPHONE_STATE_DIR",
        )


def _inspect_folder(folder: Path) -> Check:
    name = "state folder"
    if not folder.exists():
        parent = next((one for one in folder.parents if one.exists()), Path("/"))
        ok = os.access(parent, os.W_OK | os.X_OK)
        if ok:
            return Check(name, ok=True, detail=f"{folder} does not exist yet and will be created")
        fix = "choose another with --state-dir or OPENPHONE_STATE_DIR"
        return Check(name, ok=False, detail=f"{folder} cannot be created", fix=fix)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if not (folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK)):
        return Check(
            name,
            ok=False,
            detail=f"{folder} cannot be written",
            fix=f"give {folder} to the user that runs this (chown)",
        )
    try:
        check_state_dir(folder)
    except ConfigurationError as error:
        return Check(name, ok=False, detail=error.what, fix=error.fix)
    if mode & 0o077:
        return Check(
            name, ok=False, detail=f"{folder} is open to other users ({mode:03o})", fix=f"run chmod 700 {folder}"
        )
    return Check(name, ok=True, detail=f"{folder}, only for its owner")


def _check_space(folder: Path) -> Check:
    place = next(one for one in (folder, *folder.parents) if _is_reachable(one))
    free = shutil.disk_usage(place).free
    ok, free_gb = free >= LEAST_FREE_BYTES, free / 1e9
    fix = "" if ok else "free at least 0.1 GB: a full disk stops every run"
    return Check("space", ok, f"{free_gb:.1f} GB free", fix)


def _is_reachable(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _check_state(folder: Path) -> Iterator[Check]:
    """Whether the state file is whole, and the only one."""
    try:
        folder.exists()
        with closing(peek_store(folder)) as store:
            store.check_whole()
            check_not_lost(store, folder)
            yield Check("state file", ok=True, detail="whole" if (folder / STATE_FILE).exists() else "none yet")
    except RunError as error:
        yield Check("state file", ok=False, detail=error.what, fix=error.fix)
    except OSError:
        return  # the check of the folder says it
    others = [str(other) for other in list_default_dirs(os.environ) if other != folder and _holds_state(other)]
    if others:
        detail = f"there is another state in {', '.join(others)}"
        yield Check(
            "other state", ok=True, detail=detail, fix="use one state folder for each workspace; see --state-dir"
        )


def _holds_state(folder: Path) -> bool:
    try:
        return (folder / STATE_FILE).exists()
    except OSError:  # another user's
        return False


def _check_schedule(settings: Settings) -> Iterator[Check]:
    """A line in the crontab must run in cron's environment; that there is none is not a fault."""
    name = "schedule"
    installed = read_line(os.environ, settings.state_dir, datetime.now(UTC))
    timer = find_timer(settings.state_dir, os.environ)
    if timer:
        both = "; the crontab has a line too" if installed else ""
        fix = "run openphone-sync schedule stop" if installed else ""
        yield Check(name, ok=True, detail=f"{timer.calendar} by the systemd timer {timer.name}{both}", fix=fix)
    elif installed is None:
        yield Check(name, ok=True, detail="not in your crontab", fix="run openphone-sync schedule start")
    else:
        yield _check_line(installed)
        yield from _check_cron(installed, settings)


def _check_line(installed: InstalledLine) -> Check:
    name = "schedule"
    lacking = find_missing(installed, os.environ)
    if lacking:
        return Check(
            name,
            ok=False,
            detail=f"cron has none of this shell's variables: {_one_line(lacking)}",
            fix="put them into the env file",
        )
    if not _runs_bare(installed.command):
        return Check(
            name,
            ok=False,
            detail="the program of the crontab line does not start under cron",
            fix="run openphone-sync schedule start again",
        )
    return Check(name, ok=True, detail=f"{installed.schedule}, and the line starts in cron's bare environment")


def _check_cron(installed: InstalledLine, settings: Settings) -> Iterator[Check]:
    """Whether somebody reads the crontab, and whether it says what the settings say."""
    if installed.schedule != settings.schedule:
        detail = f"the crontab says {installed.schedule}, OPENPHONE_SYNC_SCHEDULE says {settings.schedule}"
        fix = "run openphone-sync schedule start to have the setting's"
        yield Check("schedule setting", ok=True, detail=detail, fix=fix)
    running = is_cron_running()
    if running is None:
        return
    fix = "" if running else "start it, for example with systemctl enable --now cron (or crond)"
    yield Check("cron daemon", ok=running, detail="running" if running else "none is running", fix=fix)


_DAEMONS = frozenset({"cron", "crond", "cronie", "fcron", "dcron", "bcron-sched", "busybox-crond"})


def is_cron_running(processes: Path = Path("/proc")) -> bool | None:
    """None where it cannot be told: without /proc, or where others' processes are hidden."""
    names: set[str] = set()
    for path in processes.glob("[0-9]*/comm"):
        with suppress(OSError):
            names.add(path.read_text(errors="replace").strip())
    return bool(names & _DAEMONS) if (processes / "1" / "comm").exists() else None


def _runs_bare(command: str) -> bool:
    """Whether the program of a line starts as cron would start it. It only prints its version."""
    try:
        probe = find_start(command) + "--version"
        done = subprocess.run(
            ["/bin/sh", "-c", probe],
            env=make_bare_environ(os.environ),
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _check_alerts(settings: Settings) -> Check:
    """Whether alerts could be sent; nothing is sent."""
    if settings.alert_urls and find_spec("apprise") is None:
        fix = "install openphone-sync[alerts]"
        return Check("alerts", ok=False, detail="OPENPHONE_ALERT_URLS needs the extra alerts", fix=fix)
    bad = settings.healthcheck_url and urlsplit(settings.healthcheck_url).scheme not in {"http", "https"}
    if bad:
        return Check(
            "alerts", ok=False, detail="OPENPHONE_HEALTHCHECK_URL is not an http address", fix="give one with https://"
        )
    return Check(
        "alerts",
        ok=True,
        detail=f"{len(settings.alert_urls)} addresses; health-check pings {'on' if settings.healthcheck_url else 'off'}",
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
