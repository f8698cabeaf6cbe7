"""The log file, the lines for ``-v``, and one filter that takes secrets and people out of every library's records.

Handlers hang on the root logger, so that whatever a library says and every traceback passes through the same filter.
Records of our own carry ids only; the filter is for what others quote: addresses with passwords, values of rows.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from logging.handlers import RotatingFileHandler

LOG_FILE = "openphone-sync.log"
MAX_BYTES = 2_000_000
OLD_FILES = 5
SHORTEST_SECRET = 4
"""Shorter texts than this would blot out half of every line."""

CONTACTS = "openphone_sync.contacts"
"""One record for each contact that is written: what was done, and its external id."""
OPERATOR = "openphone_sync.operator"
"""What somebody should read now: on stderr too, so that cron mails it."""

_QUIET = ("httpx", "httpcore", "apprise")
"""httpx logs whole addresses at INFO; Apprise those of its services."""


# --- redaction -----------------------------------------------------------------------------------------------------

_SEPARATOR = r"[\s().\-\u2010-\u2015\u2212/]{0,3}"
_NAME_KEY = r"(?:client_?name|contact_[0-9]+|first_?name|last_?name|display_?name|contact_person_name|person)"
_KEY_WORD = r"(?:password|passwd|pwd|passphrase|secret|token|api_?key|authorization)"
_QUOTED = r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"

_WORD = re.compile(r"[^\W\d_]+")
_LONGEST_NAME = 6
_ROW_NAME = re.compile(r'"(?:client_name|contact_[0-9]+)":"((?:[^"\\]|\\.)*)"')


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """What a text must hold to be looked at, what to look for, and what to put there.

    Made with the first record, since most commands write none. Every repetition is bounded, so that a long record costs
    time in proportion to its length.
    """
    return (
        ("://", re.compile(r"\bpostgres(?:ql)?://[^\s'\"<>]+", re.IGNORECASE), "[dsn]"),
        ("://", re.compile(r"\b([a-z][a-z0-9+.\-]{0,20}://)[^\s/@'\"]+@", re.IGNORECASE), r"\1[secret]@"),
        (
            "",
            re.compile(
                rf"({_KEY_WORD}['\"]?\s*[=:]\s*)(?:b?{_QUOTED}|(?:(?:bearer|basic)\s+)?[^\s,;&'\"\])}}]+)",
                re.IGNORECASE,
            ),
            r"\1[secret]",
        ),
        ("", re.compile(rf"({_NAME_KEY}['\"]?\s*[=:]\s*){_QUOTED}", re.IGNORECASE), r"\1[name]"),
        ("@", re.compile(r"[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63})+"), "[e-mail]"),
        ("-", re.compile(r"(?<![\w\-])[0-9]{4}-[0-9]{2}-[0-9]{2}(?![\w\-]|[ T][0-9]{2}:)"), "[date]"),
        (
            "",
            re.compile(
                r"(?<![\w.\-])(?![0-9]{4}-[0-9]{2}-[0-9]{2}[ T])"  # no moment in time
                r"(?![0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w.]))(?![0-9]{8}-[0-9a-f]{4}-)"  # no address, no UUID
                rf"\+?\(?\d(?:{_SEPARATOR}\d){{6,16}}(?!\w)"
            ),
            "[phone]",
        ),
    )


@cache
def _words() -> re.Pattern[str]:
    return re.compile(r"[^\W\d_]+(?:[ .,'’\-]{1,2}[^\W\d_]+)*\.?")


class Redactor:
    """Takes out known secrets, known names, and what looks like an address with a password, a phone or an e-mail."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()
        self._names: set[int] = set()

    def learn_secrets(self, secrets: Iterable[str]) -> None:
        """Texts that must not appear anywhere, whatever stands around them."""
        known = {*self._secrets, *(one for one in secrets if len(one) >= SHORTEST_SECRET)}
        self._secrets = tuple(sorted(known, key=len, reverse=True))

    def learn_row(self, document: str) -> None:
        """The people of a source row (Postgres' JSON); 3 µs, for every row of a run goes by here."""
        for name in _ROW_NAME.findall(document):
            self._names.add(_fold(json.loads(f'"{name}"') if "\\" in name else name))

    def hide_secrets(self, text: str) -> str:
        """Without known secrets; for lines that the operator reads."""
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text

    def clean(self, text: str) -> str:
        """Without secrets, names, phones, e-mails and dates of birth."""
        text = self.hide_secrets(text)
        for needle, pattern, instead in _patterns():
            if needle in text:
                text = pattern.sub(instead, text)
        return _words().sub(lambda found: self._hide_names(found[0]), text) if self._names else text

    def _hide_names(self, text: str) -> str:
        """Replace runs of words that are a known name, the longest first."""
        words = list(_WORD.finditer(text))
        parts: list[str] = []
        done = at = 0
        while at < len(words):
            end = self._find_name(words, at)
            if end is None:
                at += 1
                continue
            parts += [text[done : words[at].start()], "[name]"]
            done, at = words[end - 1].end(), end
        return "".join(parts) + text[done:]

    def _find_name(self, words: list[re.Match[str]], start: int) -> int | None:
        """Index after the longest known name that begins at a word; None where none does."""
        for end in range(min(len(words), start + _LONGEST_NAME), start, -1):
            if hash(" ".join(word[0] for word in words[start:end]).casefold()) in self._names:
                return end
        return None


def _fold(name: str) -> int:
    """Only the hash is kept: 100,000 names cost a few megabytes, and no dump of the process lists them."""
    return hash(" ".join(_WORD.findall(name)).casefold())


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
    """The rotated log file, opened with the first record: looking at the state makes no file."""

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
        except OSError:  # a full disk must not end a run
            return

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


def _open_rotating(path: Path) -> RotatingFileHandler:
    from logging.handlers import RotatingFileHandler  # noqa: PLC0415  # 7 ms that commands without a record save

    class Private(RotatingFileHandler):
        def _open(self) -> Any:
            return open(self.baseFilename, "a", encoding="utf-8", errors="backslashreplace", opener=_open_private)

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Private(path, maxBytes=MAX_BYTES, backupCount=OLD_FILES, encoding="utf-8")


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class _Stderr(logging.Handler):
    """Lines for the operator; finds stderr anew each time, since a progress bar puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        stream: TextIO = sys.stderr
        try:
            stream.write(self.format(record) + "\n")
        except OSError:  # nobody listens
            return


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}"
        return "\n".join([line, *_details(record)])


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        details = "\n".join(_details(record))
        return json.dumps(document | ({"details": details} if details else {}), ensure_ascii=False)


def _details(record: logging.LogRecord) -> list[str]:
    return [text for text in (record.exc_text, record.stack_info) if text]


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- setting up ----------------------------------------------------------------------------------------------------


def start_logging(
    state_dir: Path,
    *,
    log_format: str = "text",
    verbose: bool = False,
    to_file: bool = True,
    secrets: Iterable[str] = (),
) -> Redactor:
    """Hang the handlers up, in place of those of an earlier call; returns the redactor that they share."""
    stop_logging()
    redactor = Redactor()
    redactor.learn_secrets(secrets)
    logging.raiseExceptions = False  # a failing handler prints the record to stderr, uncleaned
    keeping = _File(state_dir / LOG_FILE) if to_file else logging.NullHandler()
    keeping.setFormatter(_Json() if log_format == "json" else _Text())
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    _hang(root, keeping, redactor)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    _hang(logging.getLogger(OPERATOR), _operator_lines(), redactor)
    if verbose:
        _hang(logging.getLogger(CONTACTS), _Stderr(), redactor)
    return redactor


def stop_logging() -> None:
    """Take down the handlers of `start_logging`."""
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
    """The redactor of the handlers that hang, if any."""
    found = (_redactor_of(handler) for handler in logging.getLogger().handlers)
    return next((one for one in found if one is not None), None)


def list_secrets(api_key: str, database_url: str, more: Iterable[str] = ()) -> list[str]:
    """What must not be read anywhere: the key, the connection string, its password in both spellings, and ``more``.

    What stands between the first ``:`` and the last ``@`` counts as the password, and so does each piece of it.
    """
    from urllib.parse import quote, unquote  # noqa: PLC0415

    found = re.search(r"://[^:/@\s]*:(.*)@", database_url, re.DOTALL) or re.search(
        r"password\s*=\s*'?([^'\s]+)", database_url
    )
    password = found[1] if found else ""
    pieces = re.split(r"[@/:?#&\s]", password)
    return [api_key, database_url, password, unquote(password), quote(password, safe=""), *pieces, *more]


def _hang(logger: logging.Logger, handler: logging.Handler, redactor: Redactor) -> None:
    handler.addFilter(_Redacting(redactor))
    logger.addHandler(handler)


def _operator_lines() -> logging.Handler:
    handler = _Stderr()
    handler.setFormatter(logging.Formatter("openphone-sync: %(message)s"))
    return handler


def _redactor_of(handler: logging.Handler) -> Redactor | None:
    return next((one.redactor for one in handler.filters if isinstance(one, _Redacting)), None)
