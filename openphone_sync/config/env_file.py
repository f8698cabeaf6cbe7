"""Writing an env file: some settings are set, everything else in it stays as it is."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping

_BARE = re.compile(r"[\w.:/@%+,=-]+", re.ASCII)
"""Means the same to dotenv, to a shell and to systemd without quotes."""
_NEEDS_QUOTES = re.compile(r"\s|\A['\"#]")


def make_env_text(old: str, values: Mapping[str, str]) -> str:
    """The text of an env file with these settings in the place of those in ``old``, new ones at its end.

    Comments and other settings of ``old`` stay byte for byte. Values end neither in white space nor in a backslash.
    """
    from dotenv.parser import parse_stream  # noqa: PLC0415  # only where a file is written

    left = dict(values)
    parts: list[str] = []
    for binding in parse_stream(io.StringIO(old, newline="")):
        if binding.key not in values:
            parts.append(binding.original.string)
        elif binding.key in left:
            blank = re.match(r"\s*", binding.original.string)
            parts.append((blank[0] if blank else "") + _make_line(binding.key, left.pop(binding.key)))
    kept = "".join(parts)
    if kept and not kept.endswith("\n"):
        kept += "\n"
    return kept + "".join(_make_line(name, value) for name, value in left.items())


def _make_line(name: str, value: str) -> str:
    return f"{name}={quote_value(value)}\n"


def quote_value(value: str) -> str:
    """A value as dotenv reads it back; in single quotes where a shell would take it apart otherwise."""
    if _BARE.fullmatch(value) or ("\\" in value and not _NEEDS_QUOTES.search(value)):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
