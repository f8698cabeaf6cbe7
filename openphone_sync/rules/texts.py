"""Texts of the source as they are written: composed, trimmed, without what nobody sees. Pure."""

from __future__ import annotations

import re
import unicodedata

from openphone_sync.model import Json

_DROPPED = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # control characters that are no white space
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero width, or direction
    "\ud800-\udfff]"  # halves of a character: no text holds them, and nothing can write them
)
"""What nobody sees or means to type. Zero-width joiners are not among them: Persian and emoji need them inside a name."""
_JOINERS = "\u200c\u200d"
_VISIBLE = re.compile(r"[^\s\u034f\u115f\u1160\u200c\u200d\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e01ef]")


def clean_name(text: str) -> str:
    """NFC, without control and direction characters, white space folded and trimmed; empty if nothing of it is visible."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if not text.isprintable():  # white space other than the blank counts as not printable, too
        text = _DROPPED.sub("", text)
    text = " ".join(text.split())
    if text.isascii():
        return text
    text = text.strip(_JOINERS + " ")
    return text if _VISIBLE.search(text) else ""


def clean_address(text: str) -> str:
    """Without anything invisible, for what is compared to the letter."""
    return text if text.isascii() and text.isprintable() else _DROPPED.sub("", text)


def as_text(value: Json) -> str:
    """A value of a row as text; empty for what is not text (a boolean, a list)."""
    if isinstance(value, str):
        return value.strip()
    if value is None or isinstance(value, bool | list | dict):
        return ""
    return str(value).strip()
