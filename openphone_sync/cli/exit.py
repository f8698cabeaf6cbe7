"""The one door out: every error becomes one line on stderr and an exit code."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from openphone_sync.config import default_state_dir
from openphone_sync.errors import BUG, RunError
from openphone_sync.ops.logging import find_log_file, find_redactor, start_logging

UNWRITABLE = 2
_FULL = frozenset({errno.ENOSPC, errno.EFBIG, errno.EIO})
"""What a write fails with where its place is full or gone. Other files' errors are worded where they are written."""
BROKEN_PIPE = 141  # what a shell shows for a program that SIGPIPE ended


def leave_by(run: Callable[[], object], arguments: Sequence[str] = ()) -> int:
    """Run the command line and return its exit code; no traceback ever reaches the user.

    With ``--json`` among the arguments, an error is a JSON document on stdout too.
    """
    signal.signal(signal.SIGINT, leave_interrupted)
    return _flush(_leave_by(run, arguments))


def _leave_by(run: Callable[[], object], arguments: Sequence[str]) -> int:
    try:
        run()
    except SystemExit as leaving:  # usage errors and exit codes of commands
        return leaving.code if isinstance(leaving.code, int) else 0
    except RunError as error:
        tell(error)
        if "--json" in arguments:
            _print_error(error)
        return error.exit_code
    except OSError as error:
        return _report_output(error)
    except Exception as error:  # noqa: BLE001  # the door: whatever gets here is a bug
        return _report_bug(error)
    return 0


def _report_output(error: OSError) -> int:
    """Stdout could not be written: its reader has left, or its place is full. Anything but a full place is a bug."""
    if isinstance(error, BrokenPipeError):
        _close_stdout()
        return BROKEN_PIPE
    if error.errno not in _FULL:
        return _report_bug(error)
    if _flush_stdout():  # what a write to stdout could not get rid of is still held, and fails again
        _close_stdout()
        say(f"stdout cannot be written ({error.strerror}); free space where it goes")
    else:
        say(f"a file cannot be written ({error.strerror}); free space where the state folder is")
    return UNWRITABLE


def _flush_stdout() -> OSError | None:
    """Why what Python still holds for stdout cannot go out, if it cannot."""
    try:
        if sys.stdout is not None:  # closed from the start
            sys.stdout.flush()
    except OSError as error:
        return error
    return None


def _report_bug(error: Exception) -> int:
    path = _log_bug(error)
    say(
        f"this is a bug in openphone-sync ({_place(error)}); "
        + (f"look into {path}, and report it" if path else "set OPENPHONE_ENABLE_LOGGING=true, try again and report it")
    )
    return BUG


def _flush(code: int) -> int:
    """What Python still holds for stdout goes out here: at exit it would complain in its own words and with 120."""
    error = _flush_stdout()
    if error is None:
        return code
    failed = code or _report_output(error)
    _close_stdout()
    return failed


def _print_error(error: RunError) -> None:
    """So that a script that reads stdout finds a document in every case."""
    from openphone_sync.documents import SCHEMA_VERSION, to_json  # noqa: PLC0415

    redactor = find_redactor()
    message = redactor.hide_secrets(str(error)) if redactor else str(error)
    document = {"schemaVersion": SCHEMA_VERSION, "status": "failed", "exitCode": error.exit_code, "message": message}
    sys.stdout.write(to_json(document))


def leave_interrupted(number: int, _: FrameType | None) -> None:
    """Where there is nothing to finish: unwinds the stack, so that servers and folders go."""
    raise SystemExit(128 + number)


def tell(error: RunError) -> None:
    """What ends the command, for the log where there is one, and for the operator."""
    if find_redactor() is not None:
        logging.getLogger(__name__).warning("%s", error)
    say(str(error))


def say(message: str) -> None:
    """One line to the operator, on stderr; without secrets, whoever worded it."""
    redactor = find_redactor()
    line = f"openphone-sync: {redactor.hide_secrets(message) if redactor else message}\n"
    with suppress(OSError, AttributeError):  # nobody listens, or stderr is closed: the exit code still tells
        try:
            sys.stderr.write(line)
        except RuntimeError:  # a signal came in the middle of a write, which Python does not begin again
            os.write(2, line.encode())


def _log_bug(error: Exception) -> Path | None:
    """The traceback goes to the log, also where the error came before the settings were read; where that log is."""
    if find_redactor() is None:
        start_logging(Path(os.environ.get("OPENPHONE_STATE_DIR") or default_state_dir(os.environ)))
    logging.getLogger(__name__).critical("bug", exc_info=error)
    return find_log_file()


def _place(error: Exception) -> str:
    """Type and place; the message itself could quote a row."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def _close_stdout() -> None:
    """The reader has left: Python must not complain while flushing at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
