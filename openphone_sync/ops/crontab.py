"""One marked line in the user's crontab; every other byte of it stays as it is.

The `crontab` program itself is used: it knows where the table is, checks it and notifies the daemon. Two marks with
the state folder in them enclose our line, so that two workspaces can be scheduled side by side.
"""

from __future__ import annotations

import io
import os
import pwd
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from openphone_sync.errors import ConfigurationError, StaleError
from openphone_sync.ops.files import replacing

CRON_PATH = "/usr/bin:/bin"
"""PATH of a job in Debian's cron, crontab(5)."""

BACKUPS_FOLDER = "crontabs"
BACKUPS_KEPT = 7
_FIELDS = 5
_NICKNAMES = {
    "@HOURLY": "0 * * * *",
    "@DAILY": "0 0 * * *",
    "@MIDNIGHT": "0 0 * * *",
    "@WEEKLY": "0 0 * * 0",
    "@MONTHLY": "0 0 1 * *",
    "@YEARLY": "0 0 1 1 *",
    "@ANNUALLY": "0 0 1 1 *",
}
"""crontab(5); a person may have written one into our line."""
_TIMEOUT_S = 30
_NO_CRONTAB = re.compile(rb"no crontab for|can't open .*no such file", re.IGNORECASE)  # Debian, cronie, macOS; busybox
_UNFIT = re.compile(r"[\n\r\0\\]")
"""Characters that no crontab line can hold: cron itself eats backslashes."""


# --- the line ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Job:
    """What cron is to run.

    ``program`` are the words that start it, ``options`` the global options, ``folder`` where to start it (None:
    anywhere). All paths are absolute.
    """

    schedule: str
    program: tuple[str, ...]
    options: tuple[str, ...]
    state_dir: Path
    folder: Path | None = None

    def line(self) -> str:
        """The crontab line, without a line break. ``%`` would end the command for cron, so it is escaped."""
        words = shlex.join([*self.program, *self.options, "sync", "--quiet", "--wait", "30m"])
        command = f"cd {shlex.quote(str(self.folder))} && {words}" if self.folder else words
        _check_fit(command)
        return f"{self.schedule} " + command.replace("%", r"\%")

    def marks(self) -> tuple[str, str]:
        """The comment lines around the line."""
        return make_marks(self.state_dir)


def make_marks(state_dir: Path) -> tuple[str, str]:
    """First and last line of the entry for a state folder."""
    _check_fit(str(state_dir))
    return f"# BEGIN openphone-sync {state_dir}", f"# END openphone-sync {state_dir}"


def _check_fit(text: str) -> None:
    if _UNFIT.search(text):
        raise ConfigurationError(f"a crontab line cannot hold {text!r}; use paths without backslashes and line breaks")


@dataclass(frozen=True, slots=True)
class InstalledLine:
    """A line of a crontab: ``schedule`` is the five fields, ``command`` what the shell gets."""

    text: str
    schedule: str
    command: str


def parse_line(text: str) -> InstalledLine:
    """A crontab line taken apart, as cron itself does it."""
    fields = 1 if text.startswith("@") else _FIELDS
    parts = text.split(None, fields)
    command = parts[fields] if len(parts) > fields else ""
    return InstalledLine(text, " ".join(parts[:fields]), command.replace(r"\%", "%"))


def find_start(command: str) -> str:
    """The part of a command before its word ``sync``, as it is written; empty if it has none.

    `ValueError` if quotes do not pair.
    """
    text = io.StringIO(command)
    words = shlex.shlex(text, posix=True)
    words.whitespace_split = True
    start, end = "", 0
    for word in words:
        if word == "sync" and not start:
            start = command[:end]
        end = text.tell()
    return start


# --- the table, as bytes -------------------------------------------------------------------------------------------


def find_entry(table: bytes, marks: tuple[str, str]) -> InstalledLine | None:
    """Our line in a crontab; None if there is none. Raises `ConfigurationError` if the marks are broken."""
    found = _find_entries(table, marks)
    return parse_line(os.fsdecode(found[0]["line"])) if found else None


def put_entry(table: bytes, job: Job) -> bytes:
    """The crontab with our line: where it was, else at the end, so that the variables above it apply."""
    marks = job.marks()
    begin, end = marks
    entry = os.fsencode(f"{begin}\n{job.line()}\n{end}\n")
    found = _find_entries(table, marks)
    if not found:
        return table + (b"" if not table or table.endswith(b"\n") else b"\n") + entry
    first = found[0]
    return table[: first.start()] + entry + drop_entry(table[first.end() :], marks)


def drop_entry(table: bytes, marks: tuple[str, str]) -> bytes:
    """The crontab without our line and its marks."""
    for found in reversed(_find_entries(table, marks)):
        table = table[: found.start()] + table[found.end() :]
    return table


def _find_entries(table: bytes, marks: tuple[str, str]) -> list[re.Match[bytes]]:
    begin, end = (re.escape(os.fsencode(mark)) for mark in marks)
    whole = re.compile(rb"^" + begin + rb"\n(?P<line>[^\n]*)\n" + end + rb"(?:\n|\Z)", re.MULTILINE)
    found = list(whole.finditer(table))
    for mark in (begin, end):
        if len(re.findall(rb"^" + mark + rb"$", table, re.MULTILINE)) != len(found):
            raise ConfigurationError(
                f"the marks of openphone-sync in the crontab are damaged; leave exactly one line between '{marks[0]}' and"
                f" '{marks[1]}' (crontab -e), or remove all of them"
            )
    return found


# --- the program ---------------------------------------------------------------------------------------------------


class NoCrontabError(ConfigurationError):
    """This system has no `crontab` program."""


class Crontab:
    """The crontab of the user that runs this."""

    def __init__(self, environ: Mapping[str, str], state_dir: Path, now: datetime) -> None:
        self._program = shutil.which("crontab", path=environ.get("PATH", os.defpath))
        self._environ = {**environ, "LC_ALL": "C"}
        self._backups = state_dir / BACKUPS_FOLDER
        self._now = now

    def read(self) -> bytes:
        """The whole table; empty if the user has none.

        Raises `NoCrontabError` if there is no such program, `ConfigurationError` if it refuses.
        """
        listed = self._call("-l")
        if listed.returncode == 0:
            return listed.stdout
        if _NO_CRONTAB.search(listed.stderr):
            return b""
        raise ConfigurationError(
            f"crontab -l refused ({_first_line(listed.stderr)}); check that this user may use cron"
        )

    def replace(self, before: bytes, after: bytes) -> None:
        """Put ``after`` in the place of ``before``, which is kept.

        Raises `StaleError`, with nothing written, if the table is no longer ``before``.
        """
        self._back_up(before)
        if self.read() != before:
            raise StaleError(
                "another program changed the crontab at the same time, so nothing was written; run the command again"
            )
        done = self._call("-", after) if after else self._call("-r")
        if done.returncode != 0:
            raise ConfigurationError(
                f"crontab refused the new table, so the old one remains ({_first_line(done.stderr)}); "
                "check OPENPHONE_SYNC_SCHEDULE, and that this user may use cron"
            )
        if self.read() != after:
            raise StaleError(
                f"another program changed the crontab in the meantime; compare crontab -l with the one before in {self._backups}"
            )

    def _call(self, argument: str, table: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        if self._program is None:
            raise NoCrontabError(
                "this system has no crontab program; install cron, or give the line of schedule show to your own scheduler"
            )
        try:
            return subprocess.run(
                [self._program, argument],
                input=table if table is not None else b"",
                capture_output=True,
                env=self._environ,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConfigurationError(
                f"{self._program} {argument} failed ({type(error).__name__}); run it yourself to see why"
            ) from None

    def _back_up(self, table: bytes) -> None:
        """Keep the table as it was; the oldest of more than seven goes."""
        try:
            for folder in (self._backups.parent, self._backups):  # mkdir gives the mode only to the last folder
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            name = self._now.astimezone(UTC).strftime("crontab-%Y%m%dT%H%M%S.%fZ")
            with replacing(self._backups / name) as file:
                file.write(table)
            for old in sorted(self._backups.glob("crontab-*"))[:-BACKUPS_KEPT]:
                old.unlink()
        except OSError as error:
            raise ConfigurationError(
                f"no copy of the crontab can be kept in {self._backups} ({error.strerror}), so it is left as it is; "
                "correct the folder's permissions"
            ) from None


def read_line(environ: Mapping[str, str], state_dir: Path, now: datetime) -> InstalledLine | None:
    """Our line in this user's crontab; None if there is none or the crontab cannot be read (`schedule show` says why)."""
    try:
        return find_entry(Crontab(environ, state_dir, now).read(), make_marks(state_dir))
    except ConfigurationError:
        return None


def _first_line(output: bytes) -> str:
    lines = [line for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    return " / ".join(lines[:3])[:300] or "without a message"


# --- when --------------------------------------------------------------------------------------------------------


def next_runs(schedule: str, now: datetime, count: int) -> list[datetime]:
    """The next times of a schedule in the time zone of ``now``, as Debian's cron computes them when clocks change.

    Empty for a text that is not a schedule.
    """
    fields = schedule.upper()
    try:
        moments = CronSim(_NICKNAMES.get(fields, fields), now)
        return [moment for moment, _ in zip(moments, range(count), strict=False)]
    except CronSimError:
        return []


def find_zone(environ: Mapping[str, str], localtime: Path = Path("/etc/localtime")) -> tzinfo:
    """The zone of ``TZ``, else the system's, with its rules for summer time."""
    name = environ.get("TZ", "").lstrip(":")
    try:
        if name:
            return ZoneInfo(name)
        with localtime.open("rb") as file:
            return ZoneInfo.from_file(file, key=_zone_name(localtime))
    except (OSError, ValueError, KeyError):  # ZoneInfo's own error is a KeyError
        return datetime.now(UTC).astimezone().tzinfo or UTC


def _zone_name(localtime: Path) -> str:
    """``Europe/Berlin``, from the target of the link."""
    return str(localtime.resolve()).partition("zoneinfo/")[2] or "local time"


# --- cron's environment -------------------------------------------------------------------------------------------


def make_bare_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """What cron gives a job: crontab(5)."""
    user = pwd.getpwuid(os.getuid())
    return {"HOME": user.pw_dir, "LOGNAME": user.pw_name, "SHELL": "/bin/sh", "PATH": CRON_PATH} | {
        name: environ[name] for name in ("TZ",) if name in environ
    }


def find_program(argv0: str, executable: str) -> tuple[str, ...]:
    """The command that starts this program from anywhere. Symbolic links stay, because updates move what they point to."""
    path = Path(argv0)
    if path.name == "__main__.py":
        return (executable, "-m", "openphone_sync")
    found = argv0 if os.sep in argv0 else shutil.which(argv0)
    return (os.path.abspath(found or argv0),)  # noqa: PTH100  # Path.absolute() keeps ".."


def make_options(env_file: Path | None, state_dir: Path) -> tuple[str, ...]:
    """Global options of the line."""
    file = ("--env-file", str(env_file)) if env_file else ()
    return (*file, "--state-dir", str(state_dir))
