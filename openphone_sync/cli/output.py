"""JSON documents on stdout, and single lines on stderr. Tables and progress are in `terminal`, which loads rich."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from openphone_sync.documents import SCHEMA_VERSION, to_json
from openphone_sync.errors import RunError
from openphone_sync.ops.logging import find_redactor


def print_json(document: Mapping[str, Any]) -> None:
    """One document on stdout, nothing else."""
    sys.stdout.write(to_json(document))
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
    line = f"openphone-sync: {_hide_secrets(message)}\n"
    with suppress(OSError, AttributeError):  # stderr is closed: the exit code has to do
        try:
            sys.stderr.write(line)
        except RuntimeError:  # a signal handler prints while stderr is being written
            os.write(2, line.encode())


def _hide_secrets(text: str) -> str:
    redactor = find_redactor()
    return redactor.hide_secrets(text) if redactor else text
