"""Conversations out: one streaming export, and counts."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from openphone_sync.conversations.formats import Compression, Format, compress, make_csv, make_json, make_ndjson
from openphone_sync.documents import SCHEMA_VERSION, format_size, format_time
from openphone_sync.errors import ConfigurationError, RunError
from openphone_sync.model import Block, ConversationCounts, Selection
from openphone_sync.ops.files import remove_parts, replacing
from openphone_sync.ports import Clock, NotedProgress, Shield
from openphone_sync.postgres import PostgresConversations

STDOUT = "-"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """``output`` is a path or ``-``. ``counting`` asks for the number of rows beforehand where the form needs none."""

    selection: Selection
    output: str
    form: Format = Format.JSON
    compression: Compression = Compression.NONE
    csv_raw: bool = False
    counting: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: ``size`` in bytes as they reached the file, ``seconds`` from the first question on."""

    rows: int
    size: int
    seconds: float


def export(
    options: ExportOptions,
    open_source: Callable[[], AbstractContextManager[PostgresConversations]],
    progress: NotedProgress,
    clock: Clock,
    shield: Shield,
) -> Exported:
    """Write the selection to its place, or nothing at all.

    Raises what the source raises, and `ConfigurationError` where the place cannot be written; a reader of stdout that
    leaves is a `BrokenPipeError`.
    """
    started = clock.monotonic()
    # The place first: that it cannot be written is known before the database has worked for it.
    with _open_output(options.output, shield) as file, open_source() as source:
        total = source.count(options.selection) if options.form is Format.JSON or options.counting else None
        progress.start("exporting", total)
        tally = _Tally(file, progress, shield)
        for piece in _make_pieces(options, source, tally, total, clock.now()):
            tally.write(piece)
        progress.finish()
        if total is not None and tally.rows != total:
            raise RunError(
                f"{source.name} had {total} rows and returned {tally.rows}, so nothing was written; run again"
            )
    return Exported(tally.rows, tally.size, clock.monotonic() - started)


def make_export_report(options: ExportOptions, exported: Exported) -> dict[str, Any]:
    """The result for ``--json``."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "output": str(Path(options.output).absolute()),
        "format": str(options.form),
        "compression": str(options.compression),
        "totalConversations": exported.rows,
        "bytes": exported.size,
        "durationSeconds": round(exported.seconds, 3),
    }


def make_stats(counts: ConversationCounts) -> dict[str, Any]:
    """The counts for ``--json``."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "table": counts.table,
        "totalConversations": counts.total,
        "firstConversation": counts.first,
        "lastConversation": counts.last,
        "perMonth": [{"month": month, "count": count} for month, count in counts.per_month],
        "withoutDate": counts.without_date,
        "errors": [],
    }


def make_failed_stats(error: RunError) -> dict[str, Any]:
    """The same document where the table cannot be read: every count is null."""
    empty = dict.fromkeys(make_stats(ConversationCounts(table="", total=0)))
    return {**empty, "schemaVersion": SCHEMA_VERSION, "errors": [str(error)]}


class _Tally:
    """Counts what goes through, and says so."""

    def __init__(self, file: BinaryIO, progress: NotedProgress, shield: Shield) -> None:
        self.rows = 0
        self.size = 0
        self._file = file
        self._progress = progress
        self._shield = shield

    def count(self, blocks: Iterable[Block]) -> Iterator[Block]:
        for block in blocks:
            self.rows += block.rows
            yield block
            self._progress.advance(block.rows)

    def write(self, piece: bytes) -> None:
        self._shield.check()
        self._file.write(piece)
        self.size += len(piece)
        self._progress.note(format_size(self.size))


def _make_pieces(
    options: ExportOptions, source: PostgresConversations, tally: _Tally, total: int | None, now: float
) -> Iterator[bytes]:
    pieces = _make_document(options, source, tally, total, now)
    return compress(pieces) if options.compression is Compression.GZIP else pieces


def _make_document(
    options: ExportOptions, source: PostgresConversations, tally: _Tally, total: int | None, now: float
) -> Iterator[bytes]:
    selection = options.selection
    columns = source.columns(selection)  # a column that is not there is named before the document begins
    if options.form is Format.CSV:
        blocks = tally.count(source.read_csv(selection, raw=options.csv_raw))
        return make_csv(blocks, columns, raw=options.csv_raw)
    blocks = tally.count(source.read_json(selection))
    if options.form is Format.NDJSON:
        return make_ndjson(blocks)
    head = {"schemaVersion": SCHEMA_VERSION, "exportDate": format_time(now), "totalConversations": total}
    return make_json(blocks, head)


# --- the place -----------------------------------------------------------------------------------------------------


@contextmanager
def _open_output(output: str, shield: Shield) -> Iterator[BinaryIO]:
    opened = _open_stdout() if output == STDOUT else _open_file(Path(output), shield)
    with _plain_errors("stdout" if output == STDOUT else output), opened as file:
        yield file


@contextmanager
def _plain_errors(place: str) -> Iterator[None]:
    """Errors of the place as ours; a reader that has left is not an error of the place."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        done = "so the export is not complete" if place == "stdout" else "so nothing was exported"
        raise ConfigurationError(
            f"{place} cannot be written ({_why(error, place)}), {done}; choose another --output"
        ) from error


def _why(error: OSError, place: str) -> str:
    if isinstance(error, FileNotFoundError):
        return f"the folder {Path(place).absolute().parent} does not exist"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    return error.strerror or type(error).__name__


@contextmanager
def _open_stdout() -> Iterator[BinaryIO]:
    if sys.stdout is None:
        raise ConfigurationError("stdout is closed; give a file with --output")
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


@contextmanager
def _open_file(path: Path, shield: Shield) -> Iterator[BinaryIO]:
    """A file that appears whole or not at all; a device or named pipe is written as it stands."""
    if _is_special(path):
        with path.open("wb") as device:
            yield device
        return
    if path.is_dir():
        raise IsADirectoryError
    remove_parts(path.resolve())
    with ExitStack() as stack:
        with shield.hold():
            file = stack.enter_context(replacing(path.resolve()))
        yield file
        file.flush()
        os.fsync(
            file.fileno()
        )  # takes the time that there is to take, so that the step that cannot be stopped is short
        with shield.hold():
            stack.close()
            shield.finish()


def _is_special(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
