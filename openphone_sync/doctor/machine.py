"""The part of the doctor that looks at this machine: state folder, lock, schedule, alerts."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from openphone_sync.config import Settings
from openphone_sync.doctor.checks import Check
from openphone_sync.ops.crontab import InstalledLine, find_start, make_bare_environ

LEAST_FREE_BYTES = 100_000_000
"""Ten times the state of 20,000 clients, and room for a report of each."""
_TIMEOUT_S = 60


def check_machine(
    settings: Settings,
    environ: Mapping[str, str],
    installed: Callable[[], InstalledLine | None],
    missing: Callable[[InstalledLine], str],
    *,
    is_locked: bool,
) -> Iterable[Check]:
    """Checks that need no connection. ``installed`` reads our line, ``missing`` tells what cron would lack."""
    yield _check_folder(settings.state_dir)
    yield _check_space(settings.state_dir)
    yield Check("lock", ok=True, detail="a run is going on and holds it" if is_locked else "free")
    yield _check_schedule(installed(), missing, environ)
    if settings.alert_urls or settings.healthcheck_url:
        yield _check_alerts(settings)


def _check_folder(folder: Path) -> Check:
    try:
        return _look_at_folder(folder)
    except OSError as error:
        return Check(
            "state folder",
            ok=False,
            detail=f"{folder} cannot be reached ({error.strerror})",
            mend="choose another with --state-dir or OPENPHONE_STATE_DIR",
        )


def _look_at_folder(folder: Path) -> Check:
    name = "state folder"
    if not folder.exists():
        parent = next((one for one in folder.parents if one.exists()), Path("/"))
        ok = os.access(parent, os.W_OK | os.X_OK)
        if ok:
            return Check(name, ok=True, detail=f"{folder} is not there yet, and will be made")
        mend = "choose another with --state-dir or OPENPHONE_STATE_DIR"
        return Check(name, ok=False, detail=f"{folder} cannot be made", mend=mend)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if not (folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK)):
        return Check(
            name,
            ok=False,
            detail=f"{folder} cannot be written",
            mend=f"give {folder} to the user that runs this (chown)",
        )
    if mode & 0o077:
        return Check(name, ok=False, detail=f"{folder} is open to others ({mode:03o})", mend=f"run chmod 700 {folder}")
    return Check(name, ok=True, detail=f"{folder}, for its owner alone")


def _check_space(folder: Path) -> Check:
    place = next(one for one in (folder, *folder.parents) if _is_seen(one))
    free = shutil.disk_usage(place).free
    ok, free_gb = free >= LEAST_FREE_BYTES, free / 1e9
    mend = "" if ok else "free at least 0.1 GB: a full disk stops every run"
    return Check("space", ok, f"{free_gb:.1f} GB free", mend)


def _is_seen(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _check_schedule(
    installed: InstalledLine | None, missing: Callable[[InstalledLine], str], environ: Mapping[str, str]
) -> Check:
    """A line that is there must run in cron's surroundings; none is no fault yet."""
    name = "schedule"
    if installed is None:
        return Check(name, ok=True, detail="not in your crontab", mend="run openphone-sync schedule start")
    lacking = missing(installed)
    if lacking:
        return Check(
            name,
            ok=False,
            detail=f"cron has none of this shell's variables: {_one_line(lacking)}",
            mend="put them into the env file",
        )
    if not _runs_bare(installed.command, environ):
        return Check(
            name,
            ok=False,
            detail="the program of the crontab line does not start under cron",
            mend="run openphone-sync schedule start again",
        )
    return Check(name, ok=True, detail=f"{installed.schedule}, and the line starts in cron's bare environment")


def _runs_bare(command: str, environ: Mapping[str, str]) -> bool:
    """Whether the program of a line starts as cron would start it; it is only asked for its version."""
    try:
        probe = find_start(command) + "--version"
        done = subprocess.run(
            ["/bin/sh", "-c", probe],
            env=make_bare_environ(environ),
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _check_alerts(settings: Settings) -> Check:
    """Whether they could be sent; nothing is sent."""
    if settings.alert_urls and find_spec("apprise") is None:
        mend = "install openphone-sync[alerts]"
        return Check("alerts", ok=False, detail="OPENPHONE_ALERT_URLS needs the extra alerts", mend=mend)
    bad = settings.healthcheck_url and urlsplit(settings.healthcheck_url).scheme not in {"http", "https"}
    if bad:
        return Check(
            "alerts", ok=False, detail="OPENPHONE_HEALTHCHECK_URL is no http address", mend="give one with https://"
        )
    return Check(
        "alerts",
        ok=True,
        detail=f"{len(settings.alert_urls)} addresses; health-check pings {'on' if settings.healthcheck_url else 'off'}",
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
