"""Takes secrets and people out of texts: for the log, for what ends a command, and for the reports of runs.

Messages of our own carry ids only; this is for what others quote: addresses with passwords, values of rows.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator
from functools import cache
from urllib.parse import quote, unquote

from openphone_sync.config import Settings

SHORTEST_SECRET = 4
"""Shorter texts than this would blot out half of every line."""

_SEPARATOR = r"[\s().\-\u2010-\u2015\u2212/]{0,3}"
_NAME_KEY = r"(?:client_?name|contact_[0-9]+|first_?name|last_?name|display_?name|contact_person_name|person)"
_KEY_WORD = r"(?:password|passwd|pwd|passphrase|secret|token|api_?key|authorization)"
_QUOTED = r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"

_WORD = re.compile(r"[^\W\d_]+")
_LONGEST_NAME = 6
_ROWS_AT_ONCE = 200
_ROW_NAME = re.compile(r'"c(?:lient_name|ontact_[0-9]+)":"([^"\\]*(?:\\.[^"\\]*)*)"')


class _OnlyLetters(dict[int, int]):
    """For `str.translate`: letters and line breaks stay, everything else becomes a space."""

    def __missing__(self, code: int) -> int:
        self[code] = code if _WORD.match(chr(code)) or code == ord("\n") else ord(" ")
        return self[code]


_ONLY_LETTERS = _OnlyLetters()


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """What a text must hold to be looked at, what to look for, and what to put there.

    Compiled with the first record, because most commands write none. Every repetition is bounded, so that a long record costs
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
        self._rows: list[str] = []
        self._lock = threading.Lock()

    def learn_secrets(self, secrets: Iterable[str]) -> None:
        """Texts that must not appear anywhere."""
        known = {*self._secrets, *(one for one in secrets if len(one) >= SHORTEST_SECRET)}
        self._secrets = tuple(sorted(known, key=len, reverse=True))

    def learn_row(self, document: str) -> None:
        """The people of a source row (Postgres' JSON). Every row of a run goes by here, so they are read in blocks."""
        with self._lock:
            self._rows.append(document)
            if len(self._rows) >= _ROWS_AT_ONCE:
                self._read_rows()

    def _read_rows(self) -> None:
        """Only hashes of names are kept: 100,000 cost a few megabytes, and no dump of the process lists them."""
        names = _ROW_NAME.findall("\n".join(self._rows))
        self._rows.clear()
        names = [json.loads(f'"{name}"').replace("\n", " ") if "\\" in name else name for name in names]
        names.sort(key=str.isascii, reverse=True)  # Python is quick up to the first letter that is not ASCII
        folded = "\n".join(names).translate(_ONLY_LETTERS).casefold()
        while "  " in folded:
            folded = folded.replace("  ", " ")
        self._names.update(map(hash, map(str.strip, folded.split("\n"))))

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
        with self._lock:
            self._read_rows()
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
        """Index after the longest known name that begins at a word; None if none does."""
        for end in range(min(len(words), start + _LONGEST_NAME), start, -1):
            if hash(" ".join(word[0] for word in words[start:end]).casefold()) in self._names:
                return end
        return None


# --- what is secret ------------------------------------------------------------------------------------------------


def make_redactor(settings: Settings) -> Redactor:
    """A redactor that knows the secrets of the settings."""
    redactor = Redactor()
    redactor.learn_secrets(list_secrets(settings))
    return redactor


def list_secrets(settings: Settings) -> list[str]:
    """What must not be read anywhere: keys, addresses that hold one, and every spelling and piece of the password."""
    secrets = [settings.api_key, settings.database_url, *settings.alert_urls, settings.healthcheck_url]
    for password in _find_passwords(settings.database_url):
        plain = unquote(password)
        secrets += [password, plain, quote(plain, safe=""), *re.split(r"[@/:?#&\s]", password)]
    return secrets


def _find_passwords(database_url: str) -> Iterator[str]:
    """Passwords as they are written. In a URL all from the first ``:`` to the last ``@`` counts: it may not be encoded."""
    if database_url.startswith(("postgres://", "postgresql://")):
        yield from re.findall(r"://[^:]*:(.*)@", database_url, re.DOTALL)
        yield from re.findall(r"[?&](?:ssl)?password=([^&]*)", database_url)
        return
    for quoted, bare in re.findall(
        r"password\s*=\s*(?:'((?:[^'\\]|\\.)*)|((?:[^\s\\]|\\.)*))", database_url, re.DOTALL
    ):
        yield quoted or bare
        yield re.sub(r"\\(.)", r"\1", quoted or bare)
