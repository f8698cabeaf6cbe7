"""Phone numbers in free text: read by libphonenumber, never guessed.

*Possible* numbers (a length that exists in their country) are kept, also fictional and unassigned ones, since the API
stores those; impossible text is returned as unusable. Pure; 2 to 25 µs a number.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹘﹣－"), "-")
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SEPARATORS = re.compile(r";(?!\s*ext)|[,|\n\r\t&]|/(?=\s*[+(0-9])|\b(?:or|and)\b", re.IGNORECASE)
_PLAIN = re.compile(r"\s*(\+?1[-. ]?)?\(?([2-9][0-9]{2})\)?[-. ]{0,2}([0-9]{3})[-. ]?([0-9]{4})\s*")
"""How most North American numbers are typed. libphonenumber reads these the same way, in fifteen times the time."""
_NANP_REGIONS = frozenset({"US", "CA"})
_MAX_TEXT = 250
"""Longer text is not a phone field; libphonenumber itself gives up at this length (MAX_INPUT_STRING_LENGTH)."""
REMEMBERED = 65_536
"""Texts whose numbers are kept: one run reads the same ones when it maps, matches and merges."""


@dataclass(frozen=True, slots=True)
class Phone:
    """``e164`` such as ``+12135550134``; ``extension`` its digits or empty; ``assigned`` False for a number that is
    possible but in no assigned range."""

    e164: str
    extension: str = ""
    assigned: bool = True


@dataclass(frozen=True, slots=True)
class PhoneText:
    """What a text holds: usable numbers in order, each once, and how many pieces with digits were unusable."""

    phones: tuple[Phone, ...] = ()
    unusable: int = 0


@lru_cache(maxsize=REMEMBERED)
def parse_phones(text: str | None, region: str) -> PhoneText:
    """Numbers in ``text``; ``region`` (``US``) is for those without a country code. Blank text holds nothing."""
    if not text or not text.strip():
        return PhoneText()
    from openphone_sync.rules.phone_library import is_assigned, parse_piece  # noqa: PLC0415  # see there

    if national := _read_plain(text, region):
        return PhoneText((Phone(f"+1{national}", assigned=is_assigned(national[:7])),))
    if len(text) > _MAX_TEXT:
        return PhoneText(unusable=1)
    phones: dict[str, Phone] = {}
    unusable = 0
    for piece in _SEPARATORS.split(_clean(text)):
        found, bad = parse_piece(piece, region)
        unusable += bad
        for phone in found:
            phones.setdefault(phone.e164, phone)
    if not phones and not unusable:
        unusable = 1  # words only: "in jail", "N/A"
    return PhoneText(tuple(phones.values()), unusable)


def _read_plain(text: str, region: str) -> str | None:
    """The ten digits of a North American number that is typed as most are, else None."""
    plain = _PLAIN.fullmatch(text) if text.isascii() else None
    if plain and ((plain[1] or "").startswith("+") or region in _NANP_REGIONS):
        return plain[2] + plain[3] + plain[4]
    return None


def normalise_phone(text: str, region: str) -> str:
    """The form in which two numbers are compared: E.164 where ``text`` is exactly one number, else the folded text."""
    if national := _read_plain(text, region):
        e164 = f"+1{national}"  # without asking whether it is assigned, which takes longer than all else
        return text if text == e164 else e164  # as OpenPhone has it: not kept twice for each contact
    found = parse_phones(text, region)
    if len(found.phones) == 1 and not found.unusable:
        return found.phones[0].e164
    return " ".join(_clean(text).split())


def _clean(text: str) -> str:
    """Unicode digits, dashes and spaces as ASCII; invisible marks of pasted text removed."""
    folded = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text).translate(_DASHES))
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() and not c.isascii() else c for c in folded)
