"""Options that every command takes, before its name or after it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from openphone_sync.cli.exit import BROKEN_PIPE
from openphone_sync.config import Settings, expand_home, load_settings
from openphone_sync.ops.logging import start_logging
from openphone_sync.ops.redaction import list_secrets

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]

LOG_FORMATS = ("text", "json")
_KEY = "openphone_sync.globals"


@dataclass(frozen=True, slots=True)
class Globals:
    """The global options as given; an option after the command's name rules over one before it."""

    env_file: Path | None = None
    state_dir: Path | None = None
    verbose: bool = False
    quiet: bool = False
    log_format: str = "text"


class Group(TyperGroup):
    """The program: takes the global options before the command's name."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.params += _global_options()

    def invoke(self, ctx: Any) -> Any:
        """As ever, but for a reader of stdout that leaves: typer would end with 1, which means failed contacts here."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise SystemExit(BROKEN_PIPE) from None


class Command(TyperCommand):
    """A command: takes the global options after its name too, since cron lines put them there."""

    def __init__(self, name: str | None, **arguments: Any) -> None:
        super().__init__(name, **arguments)
        self.params += _global_options()


def read_globals(context: typer.Context) -> Globals:
    """The global options of this invocation."""
    return Globals(**context.meta.get(_KEY, {}))


def read_settings(context: typer.Context, require: Iterable[str] = ()) -> Settings:
    """Settings for this invocation, and the log as they want it; `ConfigurationError` names every fault at once."""
    given = read_globals(context)
    settings = load_settings(os.environ, env_file=given.env_file, state_dir=given.state_dir, require=require)
    start_logging(
        settings.state_dir,
        log_format=given.log_format,
        verbose=given.verbose,
        to_file=settings.enable_logging,
        secrets=list_secrets(settings),
    )
    return settings


def refuse_empty(text: str | None) -> str | None:
    """Callback of an option: a script whose variable is not set must not get everything."""
    if text is not None and not text.strip():
        raise typer.BadParameter("it is empty; give a value, or leave the option out")
    return text


def _global_options() -> list[TyperOption]:
    return [
        _option("--env-file", _path, metavar="PATH", help="Settings file, read before .env."),
        _option("--state-dir", _path, metavar="DIR", help="Folder of state, runs and log."),
        _option("--verbose", bool, "-v", is_flag=True, help="One line for each contact (ids only)."),
        _option("--quiet", bool, "-q", is_flag=True, help="Say nothing unless something is wrong."),
        _option("--log-format", _log_format, metavar="text|json", help="Form of the log lines."),
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
