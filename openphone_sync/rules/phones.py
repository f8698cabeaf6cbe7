"""Phone numbers in free text: read by libphonenumber, never guessed.

*Possible* numbers (a length that exists in their country) are kept, also fictional and unassigned ones, since the API
stores those; impossible text is returned as unusable. Pure; 2 to 25 µs a number.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import Leniency, NumberParseException, PhoneNumber, ValidationResult

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹘﹣－"), "-")
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SEPARATORS = re.compile(r";(?!\s*ext)|[,|\n\r\t&]|/(?=\s*[+(0-9])|\b(?:or|and)\b", re.IGNORECASE)
_DOUBLE_ZERO = re.compile(r"^\s*00(?=\s*[1-9])")
_DIGIT = re.compile(r"[0-9]")
_PLAIN = re.compile(r"\s*(\+?1[-. ]?)?\(?([2-9][0-9]{2})\)?[-. ]{0,2}([0-9]{3})[-. ]?([0-9]{4})\s*")
"""How most North American numbers are typed. libphonenumber reads these the same way, in fifteen times the time."""
_TOLL_FREE = r"8(?:00|33|44|55|66|77|88)"
_VANITY = re.compile(
    rf"\s*(?:\+?1[-. ]?\(?{_TOLL_FREE}\)?[-. ]?|{_TOLL_FREE}[-.])(?=(?:[0-9]|[-. ])*(?:[a-z][0-9-. ]*){{3}})"
    r"(?:[0-9a-z][-. ]?){6}[0-9a-z](?:\s*(?:ext\.?|x)\s*[0-9]+)?\s*",
    re.IGNORECASE,
)
"""A toll-free number that spells a word (1-800-FLOWERS). After other area codes seven letters may be a plain word."""
_NANP = 1
_NANP_REGIONS = frozenset({"US", "CA"})
_NATIONAL_LENGTH = 10
_MEXICO = 52
_MAX_TEXT = 250
"""Longer text is not a phone field; libphonenumber itself gives up at this length (MAX_INPUT_STRING_LENGTH)."""
_REMEMBERED = 65_536
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


@lru_cache(maxsize=_REMEMBERED)
def parse_phones(text: str | None, region: str) -> PhoneText:
    """Numbers in ``text``; ``region`` (``US``) is for those without a country code. Blank text holds nothing."""
    if not text or not text.strip():
        return PhoneText()
    if national := _read_plain(text, region):
        return PhoneText((Phone(f"+1{national}", assigned=_is_assigned(national[:7])),))
    if len(text) > _MAX_TEXT:
        return PhoneText(unusable=1)
    phones: dict[str, Phone] = {}
    unusable = 0
    for piece in _SEPARATORS.split(_clean(text)):
        found, bad = _parse_piece(piece, region)
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


@lru_cache(maxsize=_REMEMBERED)
def _is_assigned(prefix: str) -> bool:
    """Whether a North American number with these seven first digits is in an assigned range; the others never decide."""
    number = PhoneNumber(country_code=_NANP, national_number=int(prefix) * 1000)
    return phonenumbers.is_valid_number_for_region(number, "US") or phonenumbers.is_valid_number(number)


def normalise_phone(text: str, region: str) -> str:
    """The form in which two numbers are compared: E.164 where ``text`` is exactly one number, else the folded text."""
    if national := _read_plain(text, region):
        return f"+1{national}"  # without asking whether it is assigned, which takes longer than all else
    found = parse_phones(text, region)
    if len(found.phones) == 1 and not found.unusable:
        return found.phones[0].e164
    return " ".join(_clean(text).split())


def _clean(text: str) -> str:
    """Unicode digits, dashes and spaces as ASCII; invisible marks of pasted text removed."""
    folded = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text).translate(_DASHES))
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() and not c.isascii() else c for c in folded)


def _parse_piece(piece: str, region: str) -> tuple[list[Phone], int]:
    """Numbers of one piece, and 1 where digits remain that belong to none."""
    text = _DOUBLE_ZERO.sub("+", piece)
    whole = _parse_whole(text, region)
    if whole is not None:
        return [whole], 0
    found: list[Phone] = []
    rest = text
    for match in phonenumbers.PhoneNumberMatcher(text, region, Leniency.POSSIBLE):
        phone = _make_phone(match.number)
        if phone is None:
            continue
        found.append(phone)
        rest = rest.replace(match.raw_string, " ", 1)
    return found, int(bool(_DIGIT.search(rest)))


def _parse_whole(text: str, region: str) -> Phone | None:
    words = re.search(r"[A-Za-z]", re.sub(r"(?i)\b(?:extension|ext|x)\b\.?|x(?=\s*[0-9])", "", text))
    if words and not _VANITY.fullmatch(text):
        return None  # words around a number: the matcher decides
    try:
        return _make_phone(phonenumbers.parse(text, region))
    except NumberParseException:
        return None


def _make_phone(number: PhoneNumber) -> Phone | None:
    national = phonenumbers.national_significant_number(number)
    if number.country_code == _MEXICO and len(national) == _NATIONAL_LENGTH + 1 and national[0] == "1":
        # the mobile prefix that Mexico gave up in 2019; WhatsApp still writes it
        number.national_number = int(national[1:])
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None  # too long, too short, or dialable only within its area (7 digits)
    if number.country_code == _NANP and (len(national) != _NATIONAL_LENGTH or national[0] in "01"):
        return None  # no North American area code begins with 0 or 1
    return Phone(
        e164=phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        extension=number.extension or "",
        assigned=phonenumbers.is_valid_number(number),
    )
