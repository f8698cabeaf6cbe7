"""JSON documents on stdout, and single lines on stderr. Tables and progress are in `terminal`, which loads rich."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from openphone_sync.documents import SCHEMA_VERSION, escape_text, to_json
from openphone_sync.errors import RunError
from openphone_sync.ops.logging import find_redactor

LIST_BREAK = "\n  "
"""What begins each item of a list in a message, such as the faults of several settings."""


def print_json(document: Mapping[str, Any]) -> None:
    """One document on stdout, nothing else."""
    print_text(to_json(document))


def echo(text: str = "") -> None:
    """One line on stdout; what the database or the API put into it cannot order the terminal about."""
    print_shown(make_shown(text) + "\n")


def print_text(text: str) -> None:
    """Text for programs, as it is and in UTF-8 whatever the locale: JSON, a table in CSV, a file for Prometheus."""
    if sys.stdout is None:  # it was closed from the start
        return
    if has_unicode() or not hasattr(sys.stdout, "buffer"):
        sys.stdout.write(text)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
    sys.stdout.flush()


def print_shown(text: str) -> None:
    """Text for people, of which `make_shown` made every part that came from elsewhere."""
    if sys.stdout is not None:
        sys.stdout.write(text)
        sys.stdout.flush()


def make_shown(text: str) -> str:
    """One line without what a terminal would obey; what stdout's encoding lacks is shown as ``\\u5c71``."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return escape_text(text).encode(encoding, "backslashreplace").decode(encoding)


def has_unicode() -> bool:
    """Whether stdout takes every character."""
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")


def make_error_document(message: str, exit_code: int) -> dict[str, Any]:
    """What ``--json`` prints when a command ends with an error."""
    shown = _hide_secrets(message)
    return {"schemaVersion": SCHEMA_VERSION, "status": "failed", "exitCode": exit_code, "message": shown}


def print_error(error: RunError) -> None:
    """The error that ends the command: on stderr and, if there is one, in the log."""
    if find_redactor() is not None:
        logging.getLogger(__name__).warning("%s", error)
    print_notice(str(error))


def print_notice(message: str) -> None:
    """A message on stderr, without secrets; wrapped on a terminal. One line, and one for each item of a list in it."""
    # Only the breaks of such a list ("\n  ") are kept: a name from the database must not begin a line of its own.
    lines = f"openphone-sync: {_hide_secrets(message)}".split(LIST_BREAK)
    line = LIST_BREAK.join(map(escape_text, lines)) + "\n"
    with suppress(OSError, AttributeError, ValueError):  # stderr is closed: the exit code has to do
        if sys.stderr.isatty():
            line = "".join(_wrap(part) for part in line.splitlines())
        try:
            sys.stderr.write(line)
        except RuntimeError:  # a signal handler prints while stderr is being written
            os.write(2, line.encode())


def _wrap(line: str) -> str:
    columns = max(20, shutil.get_terminal_size().columns)
    indent = "    " if line.startswith("  ") else "  "
    return textwrap.fill(line, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) + "\n"


def _hide_secrets(text: str) -> str:
    redactor = find_redactor()
    return redactor.hide_secrets(text) if redactor else text
