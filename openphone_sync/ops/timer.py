"""systemd timers that run the nightly sync in place of cron: found by their files, so that asking costs no process."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

WANTS = "timers.target.wants"
"""Where systemd keeps the links of timers that are enabled; the units themselves are beside the folder, or where a link leads."""


@dataclass(frozen=True, slots=True)
class Timer:
    """``name`` of the unit, and ``calendar``, its first ``OnCalendar``."""

    name: str
    calendar: str


def find_timer(state_dir: Path, environ: Mapping[str, str]) -> Timer | None:
    """The enabled timer whose service is a sync with this state folder; None where there is none."""
    config = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "/nonexistent")) / ".config")
    for folder in (Path("/etc/systemd/system"), Path(config) / "systemd" / "user"):
        with suppress(OSError):
            for link in sorted((folder / WANTS).glob("*.timer")):
                unit = link.read_text(encoding="utf-8", errors="replace")
                service = next(iter(_read_setting(unit, "Unit")), f"{link.stem}.service")
                if any(_is_our_sync(text, state_dir) for text in _read_units(service, (link.resolve().parent, folder))):
                    return Timer(link.name, next(iter(_read_setting(unit, "OnCalendar")), "no calendar"))
    return None


def _read_units(name: str, folders: tuple[Path, ...]) -> Iterator[str]:
    for folder in folders:
        with suppress(OSError):
            yield (folder / name).read_text(encoding="utf-8", errors="replace")


def _read_setting(unit: str, name: str) -> list[str]:
    return re.findall(rf"^{name}[ \t]*=[ \t]*(.*?)[ \t]*$", unit, re.MULTILINE)


def _is_our_sync(service: str, state_dir: Path) -> bool:
    """Without ``--state-dir`` the service's user decides, whom nobody knows here: it counts as ours."""
    for command in _read_setting(service, "ExecStart"):
        try:
            words = shlex.split(command)
        except ValueError:
            continue
        folders = [following for word, following in pairwise(words) if word == "--state-dir"]
        folders += [word.partition("=")[2] for word in words if word.startswith("--state-dir=")]
        if "openphone" in command and "sync" in words and all(Path(folder) == state_dir for folder in folders):
            return True
    return False
