"""JSON documents on stdout, and single lines on stderr. Tables and progress are in `terminal`, which loads rich."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from openphone_sync.documents import SCHEMA_VERSION, escape_text, to_json
from openphone_sync.errors import RunError
from openphone_sync.ops.logging import find_redactor


def print_json(document: Mapping[str, Any]) -> None:
    """One document on stdout, nothing else."""
    print_text(to_json(document))


def echo(text: str = "") -> None:
    """One line on stdout; what the database or the API put into it cannot order the terminal about."""
    print_text(escape_text(text) + "\n")


def print_text(text: str) -> None:
    """Text that a program made, as it is: a table in CSV, a file for Prometheus."""
    if sys.stdout is not None:  # it was closed from the start
        sys.stdout.write(text)
        sys.stdout.flush()


def make_error_document(error: RunError) -> dict[str, Any]:
    """What ``--json`` prints when a command ends with an error."""
    message = _hide_secrets(str(error))
    return {"schemaVersion": SCHEMA_VERSION, "status": "failed", "exitCode": error.exit_code, "message": message}


def print_error(error: RunError) -> None:
    """The error that ends the command: on stderr and, if there is one, in the log."""
    if find_redactor() is not None:
        logging.getLogger(__name__).warning("%s", error)
    print_notice(str(error))


def print_notice(message: str) -> None:
    """One line on stderr, without secrets."""
    line = f"openphone-sync: {escape_text(_hide_secrets(message))}\n"
    with suppress(OSError, AttributeError):  # stderr is closed: the exit code has to do
        try:
            sys.stderr.write(line)
        except RuntimeError:  # a signal handler prints while stderr is being written
            os.write(2, line.encode())


def _hide_secrets(text: str) -> str:
    redactor = find_redactor()
    return redactor.hide_secrets(text) if redactor else text
