"""Conversations -> JSON, NDJSON and CSV documents, piece by piece. Pure: what is held is one block, whatever the size."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from openphone_sync.documents import guard_cell

if TYPE_CHECKING:  # its enums are options of a command: `--help` must not load the model
    from openphone_sync.model import Block


_GZIP = 16 + zlib.MAX_WBITS
_LEVEL = 6
"""gzip's own default; on conversations level 1 is twice as fast and a third larger."""


class Format(StrEnum):
    """Forms of an export."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


class Compression(StrEnum):
    """Compressions of an export."""

    NONE = "none"
    GZIP = "gzip"


_ENDINGS = {".json": Format.JSON, ".ndjson": Format.NDJSON, ".jsonl": Format.NDJSON, ".csv": Format.CSV}


def guess_format(name: str) -> Format:
    """The form that a file's name asks for; JSON where it does not say."""
    plain = name.lower().removesuffix(".gz")
    return next((form for ending, form in _ENDINGS.items() if plain.endswith(ending)), Format.JSON)


def guess_compression(name: str) -> Compression:
    """gzip for a name that ends in ``.gz``."""
    return Compression.GZIP if name.lower().endswith(".gz") else Compression.NONE


def default_name(day: date, form: Format, compression: Compression) -> str:
    """``openphone_export_2026-11-21.json``, with the ending of the form, and ``.gz`` where compressed."""
    return f"openphone_export_{day.isoformat()}.{form}" + (".gz" if compression is Compression.GZIP else "")


def make_json(blocks: Iterable[Block], head: Mapping[str, Any]) -> Iterator[bytes]:
    """One document: the entries of ``head`` (at least one), then ``conversations``, one to a line."""
    yield json.dumps(head, separators=(",", ":"))[:-1].encode() + b',"conversations":['
    between = b"\n"
    for block in blocks:
        yield between + block.text[:-1].replace(b"\n", b",\n")  # line breaks only end rows: see Block
        between = b",\n"
    yield b"]}\n" if between == b"\n" else b"\n]}\n"


def make_ndjson(blocks: Iterable[Block]) -> Iterator[bytes]:
    """One conversation to a line, nothing else."""
    for block in blocks:
        yield block.text


def make_csv(blocks: Iterable[Block], columns: Sequence[str], *, raw: bool) -> Iterator[bytes]:
    """A header line, then the records; ``raw`` leaves names that look like formulas as they are."""
    yield (",".join(_header_cell(name, raw=raw) for name in columns) + "\r\n").encode()
    for block in blocks:
        yield block.text


def compress(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces as one gzip stream, without name and time, so that equal exports are equal files."""
    gzip = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        packed = gzip.compress(piece)
        if packed:
            yield packed
    yield gzip.flush()


def _header_cell(name: str, *, raw: bool) -> str:
    safe = name if raw else guard_cell(name)
    return '"' + safe.replace('"', '""') + '"' if any(sign in safe for sign in ',"\r\n') else safe
