"""Options that several commands share; the global ones go before or after a command's name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from openphone_sync.cli.exit import BROKEN_PIPE
from openphone_sync.cli.output import print_notice
from openphone_sync.config import API, DATABASE, Settings, expand_home, load_settings
from openphone_sync.documents import parse_duration, parse_moment
from openphone_sync.errors import ConfigurationError
from openphone_sync.ops.logging import start_logging
from openphone_sync.ops.redaction import list_secrets

LOG_FORMATS = ("text", "json")
BOTH = (API, DATABASE)
"""Settings that a command needs if it reads both sides."""
_KEY = "openphone_sync.globals"


class TableFormat(StrEnum):
    """Formats of a list."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
AllOption = Annotated[bool, typer.Option("--all", help="List every contact, not only the first 20 of each action.")]
DetailsOption = Annotated[bool, typer.Option("--details", help="List every field, before -> after.")]
FormatOption = Annotated[TableFormat, typer.Option("--format", help="Format of the list.")]


@dataclass(frozen=True, slots=True)
class Globals:
    """The global options as given; one after the command's name overrides one before it."""

    env_file: Path | None = None
    state_dir: Path | None = None
    verbose: bool = False
    quiet: bool = False
    log_format: str = "text"


class Group(TyperGroup):
    """A group of commands that takes the global options before the command's name."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.params += _global_options()

    def invoke(self, ctx: Any) -> Any:
        """Exit with 141 when the reader of stdout is gone: typer's 1 means failed contacts here."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise SystemExit(BROKEN_PIPE) from None


class Command(TyperCommand):
    """A command that takes the global options after its name too, because cron lines put them there."""

    def __init__(self, name: str | None, **arguments: Any) -> None:
        super().__init__(name, **arguments)
        self.params += _global_options()


def make_app(**arguments: Any) -> typer.Typer:
    """The `app` of a command's module: one command or, with ``cls=Group``, a group of them."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, **arguments)


def read_globals(context: typer.Context) -> Globals:
    """The global options of this invocation."""
    return Globals(**context.meta.get(_KEY, {}))


def read_settings(context: typer.Context, require: Iterable[str] = (), *, lenient: bool = False) -> Settings:
    """The settings of this invocation. Starts the log, and prints a line for each unknown setting.

    `ConfigurationError` names every fault at once. ``lenient``: faults and unknown settings are left to the caller.
    """
    given = read_globals(context)
    settings = load_settings(
        os.environ, env_file=given.env_file, state_dir=given.state_dir, require=require, lenient=lenient
    )
    start_log(settings, given)
    if not (lenient or given.quiet):
        for warning in settings.warnings:
            print_notice(warning)
    return settings


def start_log(settings: Settings, given: Globals) -> None:
    """Start the log of these settings, which also keeps their secrets out of messages."""
    start_logging(
        settings.state_dir,
        log_format=given.log_format,
        verbose=given.verbose,
        to_file=settings.enable_logging,
        secrets=list_secrets(settings),
    )


def refuse_empty(text: str | None) -> str | None:
    """Callback of an option: a script whose variable is not set must not get everything."""
    if text is not None and not text.strip():
        raise typer.BadParameter("it is empty; give a value, or leave the option out")
    return text


SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", help="From this date or time on (UTC unless it has a zone).", metavar="TIME", callback=refuse_empty
    ),
]
UntilOption = Annotated[
    str | None, typer.Option("--until", help="Before this date or time.", metavar="TIME", callback=refuse_empty)
]


def parse_duration_option(text: str, option: str) -> float:
    """Seconds of an option such as ``--wait 30m``; a usage error names the option."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not accepted; give {error}", param_hint=option) from None


def parse_range(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """The moments of ``--since`` and ``--until``; a usage error names the option."""
    start, end = _parse_time(since, "--since"), _parse_time(until, "--until")
    if start is not None and end is not None and start >= end:
        raise typer.BadParameter(f"{until!r} is not after --since; give a later time", param_hint="--until")
    return start, end


def _parse_time(text: str | None, option: str) -> datetime | None:
    moment = parse_moment(text) if text else None
    if text and moment is None:
        raise typer.BadParameter(
            f"{text!r} is not a date or time; give one such as 2026-11-21, 2026-11-21T08:30 (UTC) or 2026-11-21T08:30-08:00",
            param_hint=option,
        )
    return moment


def _global_options() -> list[TyperOption]:
    return [
        _option("--env-file", _path, metavar="PATH", help="Settings file, read before .env."),
        _option("--state-dir", _path, metavar="DIR", help="Folder of state, runs and log."),
        _option("--verbose", bool, "-v", is_flag=True, help="Print a line for each contact (ids only)."),
        _option("--quiet", bool, "-q", is_flag=True, help="Print nothing unless something is wrong."),
        _option("--log-format", _log_format, metavar="text|json", help="Format of the log lines."),
    ]


def _option(name: str, convert: Callable[[Any], Any], *more: str, **arguments: Any) -> TyperOption:
    def remember(context: Any, parameter: Any, value: Any) -> None:
        if value not in (None, False):
            context.meta.setdefault(_KEY, {})[parameter.name] = convert(value)

    return TyperOption(
        param_decls=[*more, name], required=False, expose_value=False, callback=remember, default=None, **arguments
    )


def _path(text: str) -> Path:
    refuse_empty(text)
    return expand_home(Path(text))


def _log_format(text: str) -> str:
    if text not in LOG_FORMATS:
        raise typer.BadParameter(
            f"{text!r} is not accepted; give one of {', '.join(LOG_FORMATS)}", param_hint="--log-format"
        )
    return text


def can_ask() -> bool:
    """Whether there is a person to ask: questions go to stderr, so that stdout may be a file."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, yes: bool) -> None:
    """Ask before going on. Without a terminal, ``--yes`` is needed: otherwise nothing is done and the exit code is 2."""
    if yes:
        return
    if not can_ask():
        raise ConfigurationError(f"{question.rstrip('?')} needs a yes; add --yes")
    if not typer.confirm(question, err=True):
        raise typer.Exit(2)
