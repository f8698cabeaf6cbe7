"""The man page, made from the commands themselves: for docs/openphone-sync.1.

click-man cannot read these commands: typer brings a click of its own. One page for all commands, so that it can be searched.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import typer

from openphone_sync.cli.app import COMMANDS, PROGRAM, app
from openphone_sync.config import SETTINGS
from openphone_sync.errors import EXIT_CODES

FILES = {
    ".env, .env.local, ~/.config/openphone-sync/env": "Settings; see ENVIRONMENT.",
    "~/.local/state/openphone-sync (for root: /var/lib/openphone-sync)": "State, run reports, metrics, copies and log.",
    "../../doc/openphone-sync, from the folder of this page": "The documents, sample systemd units and sample mappings.",
}


def make_man_page() -> str:
    """The page in roff."""
    program = typer.main.get_command(app)
    lines = [
        f'.TH {escape(PROGRAM).upper()} 1 "" "{PROGRAM} {version(PROGRAM)}"',
        ".SH NAME",
        f"{escape(PROGRAM)} \\- keep OpenPhone contacts in step with a Postgres client table",
        ".SH SYNOPSIS",
        f".B {escape(PROGRAM)}\n[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]",
        ".SH DESCRIPTION",
        *write_text(str(program.help)),
        ".PP",
        "These options stand before the command or after it.",
        *write_parameters(program, program.make_context(PROGRAM, [], resilient_parsing=True), common=frozenset()),
        ".SH COMMANDS",
    ]
    common = frozenset(option for parameter in program.params for option in parameter.opts)
    for name in COMMANDS:
        lines += write_command(program.commands[name].load(), [PROGRAM, name], common)  # type: ignore[attr-defined]  # each loads late
    lines += [".SH EXIT STATUS", *write_list({str(code): meaning for code, meaning in EXIT_CODES.items()})]
    settings = {s.name: s.help.replace("`", "") + (f" (default: {s.default})" if s.default else "") for s in SETTINGS}
    lines += [".SH ENVIRONMENT", "Each of these may also be in a settings file.", *write_list(settings)]
    lines += [".SH FILES", *write_list(FILES)]
    return "\n".join(lines) + "\n"


def write_command(command: Any, path: list[str], common: frozenset[str]) -> Iterator[str]:
    """A command with its arguments and options, and its commands after it."""
    context = command.make_context(path[-1], [], resilient_parsing=True)
    yield f'.SS "{escape(" ".join([*path, *command.collect_usage_pieces(context)]))}"'
    yield from write_text(command.help)
    yield from write_parameters(command, context, common)
    for name, inner in getattr(command, "commands", {}).items():
        yield from write_command(inner, [*path, name], common)


def write_parameters(command: Any, context: Any, common: frozenset[str]) -> Iterator[str]:
    """Arguments and options as ``--help`` shows them, but those of all commands."""
    records = [parameter.get_help_record(context) for parameter in command.params if common.isdisjoint(parameter.opts)]
    yield from write_list(dict(filter(None, records)))


def write_list(entries: dict[str, str]) -> Iterator[str]:
    """Words with their meaning."""
    for word, meaning in entries.items():
        yield from (".TP", f".B {escape(word)}", escape(" ".join(meaning.split())))


def write_text(text: str) -> Iterator[str]:
    """Paragraphs."""
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ".PP"
        yield escape(" ".join(paragraph.split()))


def escape(text: str) -> str:
    """Text that roff prints as it is: no escapes, hyphens that can be copied, no request at the start of a line."""
    safe = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe
