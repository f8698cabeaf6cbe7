"""The log file, the lines for ``-v``, and one filter that takes secrets and people out of every library's records.

Handlers hang on the root logger, so that whatever a library says and every traceback passes through the same filter.
Records of our own carry ids only; the filter is for what others quote: addresses with passwords, values of rows.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from openphone_sync.documents import escape_json, escape_text, format_time
from openphone_sync.errors import ConfigurationError
from openphone_sync.ops.files import check_state_dir, open_private
from openphone_sync.ops.redaction import Redactor

if TYPE_CHECKING:
    from logging.handlers import RotatingFileHandler

LOG_FILE = "openphone-sync.log"
MAX_BYTES = 2_000_000
OLD_FILES = 5

CONTACTS = "openphone_sync.contacts"
"""One record for each contact that is written: what was done, and its external id."""
OPERATOR = "openphone_sync.operator"
"""What an operator should read now: also on stderr, so that cron mails it."""

_QUIET = ("httpx", "httpcore", "apprise")
"""At INFO, httpx logs whole URLs and Apprise those of its services."""


# --- handlers ------------------------------------------------------------------------------------------------------


class _Redacting(logging.Filter):
    """Replaces a record's text and traceback by the cleaned ones, before any formatter sees them."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self.redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  # a library's record with wrong arguments must not end a run
            message = f"a record of {record.name} that cannot be formatted"
        record.msg, record.args = self.redactor.clean(message), ()
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = self.redactor.clean("".join(traceback.format_exception(record.exc_info[1])).rstrip())
        if record.stack_info:
            record.stack_info = self.redactor.clean(record.stack_info)
        return True


class _File(logging.Handler):
    """The rotated log file, opened with the first record, so that reading the state creates no file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._file: RotatingFileHandler | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._file is None:
                self._file = _open_rotating(self.path)
            self._file.setFormatter(self.formatter)
            self._file.emit(record)
        except (OSError, ConfigurationError):  # a full disk must not end a run, nor a folder that is not ours
            return

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


def _open_rotating(path: Path) -> RotatingFileHandler:
    from logging.handlers import RotatingFileHandler  # noqa: PLC0415  # 4 ms, not needed without a record

    class Private(RotatingFileHandler):
        def _open(self) -> Any:
            return open(self.baseFilename, "a", encoding="utf-8", errors="backslashreplace", opener=open_private)

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_state_dir(path.parent)
    return Private(path, maxBytes=MAX_BYTES, backupCount=OLD_FILES, encoding="utf-8")


class _Stderr(logging.Handler):
    """Lines for the operator. Looks stderr up each time, because a progress bar replaces it."""

    def emit(self, record: logging.LogRecord) -> None:
        stream: TextIO = sys.stderr
        try:
            stream.write(escape_text(self.format(record)) + "\n")
        except OSError:  # stderr is closed
            return


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = f"{format_time(record.created)} {record.levelname} {record.name}: {escape_text(record.getMessage())}"
        details = (escape_text(one) for text in _details(record) for one in text.splitlines())
        return "\n".join([line, *details])


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": format_time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        details = "\n".join(_details(record))
        return escape_json(json.dumps(document | ({"details": details} if details else {}), ensure_ascii=False))


def _details(record: logging.LogRecord) -> list[str]:
    return [text for text in (record.exc_text, record.stack_info) if text]


# --- setting up ----------------------------------------------------------------------------------------------------


def start_logging(
    state_dir: Path,
    *,
    log_format: str = "text",
    verbose: bool = False,
    to_file: bool = True,
    secrets: Iterable[str] = (),
) -> Redactor:
    """Add the handlers, in place of those of an earlier call; returns the redactor that they share."""
    stop_logging()
    redactor = Redactor()
    redactor.learn_secrets(secrets)
    logging.raiseExceptions = False  # a failing handler prints the record to stderr, uncleaned
    keeping = _File(state_dir / LOG_FILE) if to_file else logging.NullHandler()
    keeping.setFormatter(_Json() if log_format == "json" else _Text())
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    _add(root, keeping, redactor)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    _add(logging.getLogger(OPERATOR), _operator_lines(), redactor)
    if verbose:
        _add(logging.getLogger(CONTACTS), _Stderr(), redactor)
    return redactor


def stop_logging() -> None:
    """Remove the handlers of `start_logging`."""
    for name in (None, OPERATOR, CONTACTS):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            if _redactor_of(handler) is not None:
                logger.removeHandler(handler)
                handler.close()


def find_log_file() -> Path | None:
    """Where records go, if to a file."""
    return next((one.path for one in logging.getLogger().handlers if isinstance(one, _File)), None)


def find_redactor() -> Redactor | None:
    """The redactor of the handlers, if any."""
    found = (_redactor_of(handler) for handler in logging.getLogger().handlers)
    return next((one for one in found if one is not None), None)


def _add(logger: logging.Logger, handler: logging.Handler, redactor: Redactor) -> None:
    handler.addFilter(_Redacting(redactor))
    logger.addHandler(handler)


def _operator_lines() -> logging.Handler:
    handler = _Stderr()
    handler.setFormatter(logging.Formatter("openphone-sync: %(message)s"))
    return handler


def _redactor_of(handler: logging.Handler) -> Redactor | None:
    return next((one.redactor for one in handler.filters if isinstance(one, _Redacting)), None)
