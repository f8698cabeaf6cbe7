"""Documents from blocks of rows, names of files, and the little that is decided about conversations."""

import csv
import gzip
import io
import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openphone_sync.conversations.formats import (
    Compression,
    Format,
    compress,
    default_name,
    guess_compression,
    guess_format,
    make_csv,
    make_json,
    make_ndjson,
)
from openphone_sync.documents import format_size, parse_moment
from openphone_sync.model import Block

ROWS = st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=8) | st.none() | st.integers(), max_size=3))


def make_blocks(rows: list[dict[str, object]], size: int) -> list[Block]:
    lines = [json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n" for row in rows]
    return [Block(len(lines[i : i + size]), b"".join(lines[i : i + size])) for i in range(0, len(lines), size)]


@given(ROWS, st.integers(1, 4))
def test_json_and_ndjson_hold_the_rows_whatever_the_blocks(rows: list[dict[str, object]], size: int) -> None:
    blocks = make_blocks(rows, size)
    document = json.loads(
        b"".join(make_json(blocks, {"totalConversations": len(rows)})).decode("utf-8", "surrogatepass")
    )
    assert document == {"totalConversations": len(rows), "conversations": rows}
    lines = b"".join(make_ndjson(blocks)).decode("utf-8", "surrogatepass").split("\n")[:-1]
    assert [json.loads(line) for line in lines] == rows


def test_no_row_is_an_empty_array_on_one_line() -> None:
    assert b"".join(make_json([], {"totalConversations": 0})) == b'{"totalConversations":0,"conversations":[]}\n'
    assert b"".join(make_ndjson([])) == b""


def test_a_csv_header_is_quoted_and_safe_like_a_cell() -> None:
    names = ("id", 'a "b", c', "=cmd", "'x", "two\nlines")
    text = b"".join(make_csv([], names, raw=False)).decode()
    assert text.endswith("\r\n")
    assert next(csv.reader(io.StringIO(text, newline=""))) == ["id", 'a "b", c', "'=cmd", "''x", "two\nlines"]
    raw = b"".join(make_csv([], names, raw=True)).decode()
    assert next(csv.reader(io.StringIO(raw, newline=""))) == list(names)


def test_compression_is_one_gzip_stream_and_the_same_for_the_same_rows() -> None:
    pieces = [b"a" * 70_000, b"", b"b" * 70_000]
    packed = b"".join(compress(pieces))
    assert gzip.decompress(packed) == b"".join(pieces)
    assert packed == b"".join(compress(pieces))
    assert gzip.decompress(b"".join(compress([]))) == b""


@pytest.mark.parametrize(
    ("name", "form", "compression"),
    [
        ("", Format.JSON, Compression.NONE),
        ("-", Format.JSON, Compression.NONE),
        ("out.json", Format.JSON, Compression.NONE),
        ("out.NDJSON.gz", Format.NDJSON, Compression.GZIP),
        ("out.jsonl", Format.NDJSON, Compression.NONE),
        ("folder.csv/out.CSV.GZ", Format.CSV, Compression.GZIP),
        ("out.gz", Format.JSON, Compression.GZIP),
        ("out.txt", Format.JSON, Compression.NONE),
    ],
)
def test_form_and_compression_follow_the_name(name: str, form: Format, compression: Compression) -> None:
    assert (guess_format(name), guess_compression(name)) == (form, compression)


def test_the_default_name_has_the_day_and_the_ending_of_what_is_in_it() -> None:
    day = date(2026, 11, 21)
    assert default_name(day, Format.JSON, Compression.NONE) == "openphone_export_2026-11-21.json"
    assert default_name(day, Format.CSV, Compression.GZIP) == "openphone_export_2026-11-21.csv.gz"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-21T08:30", datetime(2026, 11, 21, 8, 30, tzinfo=UTC)),
        (" 2026-11-21 08:30:01.5Z ", datetime(2026, 11, 21, 8, 30, 1, 500000, tzinfo=UTC)),
        ("2026-11-21T08:30-08:00", datetime(2026, 11, 21, 16, 30, tzinfo=UTC)),
        ("yesterday", None),
        ("2026-13-01", None),
        ("0001-01-01T00:00+14:00", None),
    ],
)
def test_a_time_without_a_zone_is_in_utc(text: str, moment: datetime | None) -> None:
    assert parse_moment(text) == moment


def test_sizes_are_shown_in_decimal_units() -> None:
    sizes = (0, 999, 1000, 358_100_000, 4_000_000_000_000)
    assert [format_size(size) for size in sizes] == ["0 bytes", "999 bytes", "1.0 kB", "358.1 MB", "4000.0 GB"]
