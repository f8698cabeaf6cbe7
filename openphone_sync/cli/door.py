"""The one door out: every error becomes one line on stderr and an exit code."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from openphone_sync.config import default_state_dir
from openphone_sync.errors import RunError
from openphone_sync.logs import find_redactor, start_logging

UNWRITABLE = 2
_FULL = frozenset({errno.ENOSPC, errno.EFBIG, errno.EIO})
"""What a write to stdout fails with where its place is full or gone; every other file's errors are worded where it is
written."""
BUG = 70  # EX_SOFTWARE of sysexits.h
BROKEN_PIPE = 141  # what a shell shows for a program that SIGPIPE ended


def leave_by(run: Callable[[], object], arguments: Sequence[str] = ()) -> int:
    """Run the command line and return its exit code; no traceback ever reaches the user.

    With ``--json`` among the arguments, an error is a JSON document on stdout too, unless a stream has begun there.
    """
    signal.signal(signal.SIGINT, _leave_interrupted)
    return _flush(_leave_by(run, arguments))


def _leave_by(run: Callable[[], object], arguments: Sequence[str]) -> int:
    try:
        run()
    except SystemExit as leaving:  # usage errors and exit codes of commands
        return leaving.code if isinstance(leaving.code, int) else 0
    except RunError as error:
        if find_redactor() is not None:
            logging.getLogger(__name__).warning("%s", error)
        say(str(error))
        if "--json" in arguments and "export-conversations" not in arguments:
            _print_error(error)
        return error.exit_code
    except OSError as error:
        return _report_output(error)
    except Exception as error:  # noqa: BLE001  # the door: whatever gets here is a bug
        return _report_bug(error)
    return 0


def _report_output(error: OSError) -> int:
    """Stdout could not be written: its reader has left, or its place is full. Anything else is a bug."""
    if isinstance(error, BrokenPipeError):
        _close_stdout()
        return BROKEN_PIPE
    if error.errno not in _FULL:
        return _report_bug(error)
    _close_stdout()
    say(f"stdout cannot be written ({error.strerror})")
    return UNWRITABLE


def _report_bug(error: Exception) -> int:
    _log_bug(error)
    say(f"this is a bug in openphone-sync ({_place(error)}); the log in the state folder has the details")
    return BUG


def _flush(code: int) -> int:
    """What Python still holds for stdout goes out here: at exit it would complain in its own words and with 120."""
    try:
        sys.stdout.flush()
    except OSError as error:
        failed = code or _report_output(error)
        _close_stdout()
        return failed
    return code


def _print_error(error: RunError) -> None:
    """So that a script that reads stdout finds a document in every case."""
    import json  # noqa: PLC0415

    redactor = find_redactor()
    message = redactor.hide_secrets(str(error)) if redactor else str(error)
    document = {"schemaVersion": 1, "status": "failed", "exitCode": error.exit_code, "message": message}
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def _leave_interrupted(number: int, _: FrameType | None) -> None:
    """Outside a run there is nothing to finish."""
    raise SystemExit(128 + number)


def say(message: str) -> None:
    """One line to the operator, on stderr; without secrets, whoever worded it."""
    redactor = find_redactor()
    sys.stderr.write(f"openphone-sync: {redactor.hide_secrets(message) if redactor else message}\n")


def _log_bug(error: Exception) -> None:
    """The traceback goes to the log, also where the error came before the settings were read."""
    if find_redactor() is None:
        start_logging(Path(default_state_dir(os.environ)))
    logging.getLogger(__name__).critical("bug", exc_info=error)


def _place(error: Exception) -> str:
    """Type and place; the message itself could quote a row."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def _close_stdout() -> None:
    """The reader has left: Python must not complain while flushing at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
