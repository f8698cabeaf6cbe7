"""Text of databases that are not in UTF-8.

The server would convert it, and end the whole query at the first byte that it cannot convert. So such text is fetched as
the bytes that are stored, and decoded here row by row: a row that cannot be read can be named.
"""

from __future__ import annotations

import codecs
import re

_MIXED = "utf-8"
"""SQL_ASCII stores what each program sent: UTF-8 from some, Windows' Western European from others."""
_FALLBACK = "cp1252"


def find_codec(server_encoding: str | None) -> str | None:
    """Python's codec for what the server stores (``WIN1252`` as Postgres names it); None where the server converts."""
    if server_encoding in (None, "UTF8"):
        return None
    if server_encoding == "SQL_ASCII":
        return _MIXED
    try:
        return codecs.lookup(re.sub(r"^WIN", "cp", server_encoding).replace("KOI8", "koi8_")).name
    except LookupError:
        return None


def decode_stored(data: bytes, codec: str) -> str:
    """The text; `UnicodeDecodeError` where a byte stands for no character."""
    if codec != _MIXED:
        return data.decode(codec)
    text, rest = "", data
    while rest:
        try:
            return text + rest.decode(_MIXED)
        except UnicodeDecodeError as error:
            text += rest[: error.start].decode(_MIXED) + rest[error.start : error.end].decode(_FALLBACK)
            rest = rest[error.end :]
    return text
