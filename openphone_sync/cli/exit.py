"""The error boundary: every error becomes one line on stderr and an exit code."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from typer import Abort, BadParameter
from typer.exceptions import TyperException

from openphone_sync.cli.output import make_error_document, print_error, print_json, print_notice
from openphone_sync.cli.signals import exit_on_signal
from openphone_sync.config import default_state_dir
from openphone_sync.errors import BUG, RunError
from openphone_sync.ops.logging import find_log_file, find_redactor, start_logging

UNWRITABLE = 2
BROKEN_PIPE = 141
"""What a shell shows for a program that SIGPIPE ended."""
_FULL = frozenset({errno.ENOSPC, errno.EFBIG, errno.EIO})
"""What a write to a full or vanished disk fails with. Errors of other files are put into words where they are written."""


def run_to_exit_code(run: Callable[[], object], arguments: Sequence[str] = ()) -> int:
    """Run the command line and return its exit code; no traceback ever reaches the user.

    With ``--json`` among the arguments, an error is a JSON document on stdout too.
    """
    exit_on_signal([signal.SIGINT])
    code = _run(run, arguments)
    # Flush here: at exit Python would complain in its own words and exit with 120.
    error = _flush_stdout()
    if error is None:
        return code
    code = code or _report_unwritable(error)
    _close_stdout()
    return code


def _run(run: Callable[[], object], arguments: Sequence[str]) -> int:
    """The exit code. With ``--json``, an error is a document on stdout too, so that a script always finds one."""
    code, message = 0, ""
    try:
        code = run() or 0  # type: ignore[assignment]  # typer returns the code of Exit, and None of a command
    except SystemExit as exiting:
        code = exiting.code if isinstance(exiting.code, int) else 0
    except TyperException as error:  # usage errors
        cast(BadParameter, error).show()  # each of them has it
        code, message = error.exit_code, error.format_message()
    except Abort:
        print_notice("aborted; nothing more was done")
        code, message = UNWRITABLE, "aborted"
    except RunError as error:
        print_error(error)
        code, message = error.exit_code, str(error)
    except OSError as error:
        code = _report_unwritable(error)
    except Exception as error:  # noqa: BLE001  # the error boundary: whatever gets here is a bug
        code, message = BUG, _report_bug(error)
    if message and "--json" in arguments:
        print_json(make_error_document(message, code))
    return code


def _report_unwritable(error: OSError) -> int:
    """Stdout cannot be written, because its reader is gone or its disk is full. Anything else is a bug."""
    if isinstance(error, BrokenPipeError):
        _close_stdout()
        return BROKEN_PIPE
    if error.errno not in _FULL:
        _report_bug(error)
        return BUG
    if _flush_stdout():  # what could not be written is still buffered, so a second flush fails again
        _close_stdout()
        print_notice(f"stdout cannot be written ({error.strerror}); free space where it goes")
    else:
        print_notice(f"a file cannot be written ({error.strerror}); free space where the state folder is")
    return UNWRITABLE


def _report_bug(error: Exception) -> str:
    """Say what to do, on stderr; what was said."""
    path = _log_bug(error)
    advice = f"report it with {path}" if path else "set OPENPHONE_ENABLE_LOGGING=true, try again and report it"
    message = f"this is a bug in openphone-sync ({_describe_place(error)}); {advice}"
    print_notice(message)
    return message


def _log_bug(error: Exception) -> Path | None:
    """Log the traceback, also when the error came before the settings were read; returns the log file."""
    if find_redactor() is None:
        start_logging(Path(os.environ.get("OPENPHONE_STATE_DIR") or default_state_dir(os.environ)))
    logging.getLogger(__name__).critical("bug", exc_info=error)
    return find_log_file()


def _describe_place(error: Exception) -> str:
    """Type and place only: the message could quote a row."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def _flush_stdout() -> OSError | None:
    """The error, if what Python has buffered for stdout cannot be written."""
    try:
        if sys.stdout is not None:  # it was closed from the start
            sys.stdout.flush()
    except OSError as error:
        return error
    return None


def _close_stdout() -> None:
    """Send the rest to nowhere, so that Python does not complain while flushing at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
