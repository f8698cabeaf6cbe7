"""The folder of an archive: a file of NDJSON for each conversation, media under their SHA-256, a manifest of all hashes.

Killed anywhere, it stays whole. Before a file is put in its place, a line of `progress.ndjson` says what it will be; who
opens the folder next takes the last line that is true of each file, writes the manifest, and removes the progress file.
Files are written beside their place and renamed. One fetch at a time (`.lock`).
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import itertools
import json
import os
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from openphone_sync.conversations.lines import Line, encode_line, find_newest, parse_time
from openphone_sync.documents import SCHEMA_VERSION, format_time, to_json
from openphone_sync.errors import ConfigurationError, LockedError
from openphone_sync.openphone.conversations import Conversation, Kind, MediaLink, parse_item
from openphone_sync.ops.disk_map import DiskMap
from openphone_sync.ops.files import replacing
from openphone_sync.ops.http import Downloaded

MANIFEST = "manifest.json"
PROGRESS = "progress.ndjson"
LOCK = ".lock"
WORKSPACE = "workspace.json"
CONVERSATIONS = "conversations"
MEDIA = "media"

_T = TypeVar("_T")

_PLAIN_ID = re.compile(r"CN[A-Za-z0-9_-]{1,64}")
_PART_FILE = re.compile(r"\..+\.part")
_ENDINGS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/heic": ".heic",
    "audio/mpeg": ".mp3",
    "audio/mp3": ".mp3",
    "audio/wav": ".wav",
    "audio/x-wav": ".wav",
    "audio/mp4": ".m4a",
    "audio/amr": ".amr",
    "video/mp4": ".mp4",
    "video/3gpp": ".3gp",
    "application/pdf": ".pdf",
    "text/vcard": ".vcf",
    "text/plain": ".txt",
}
"""Endings by type, so that files open; what a host calls its file is never part of a name."""


class Gap(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Something that was asked for and could not be had.

    ``part`` is messages, calls, activity, media, or a kind of what belongs to a call; ``item_id`` is the call's or
    message's; ``why`` one of `archive.Why`; ``at`` the item's time; ``index`` the place among a message's media.
    """

    part: str
    item_id: str
    why: str
    at: str = ""
    status: int = 0
    kind: str = ""
    index: int = 0


class Entry(msgspec.Struct, frozen=True, rename="camel"):
    """A conversation of the archive. Times are as the API writes them, empty for none.

    ``since`` and ``through`` bound what was asked for, ``parts`` is what was asked of every call, ``unfinished`` the time
    of the earliest item that may soon read differently, ``head`` tells a conversation that somebody changed.
    """

    file: str
    sha256: str
    bytes: int
    number_id: str
    participants: list[str]
    counts: dict[str, int]
    first: str
    last: str
    last_activity_at: str
    last_activity_id: str
    since: str
    through: str
    head: str
    unfinished: str
    parts: list[str]
    gaps: list[Gap]


class MediaFile(msgspec.Struct, frozen=True, rename="camel"):
    """A file of media, and the items that show it: kind, call id (empty for messages), item id, place among its files."""

    file: str
    bytes: int
    media_type: str
    items: list[tuple[str, str, str, int]]


class Asked(msgspec.Struct, frozen=True, rename="camel"):
    """What fetches asked for, and when the first and the last of them ran."""

    since: str
    until: str
    clients: list[str]
    phones: list[str]
    media: bool
    transcripts: bool
    first_at: str
    last_at: str
    runs: int

    def what(self) -> tuple[Any, ...]:
        """What was asked for, whenever it was."""
        return self.since, self.until, self.clients, self.phones, self.media, self.transcripts

    def again(self, first_at: str, runs: int) -> Asked:
        """The same, asked for before."""
        return msgspec.structs.replace(self, first_at=first_at, runs=runs)


class Manifest(msgspec.Struct, rename="camel"):
    """What `manifest.json` says of the whole archive.

    ``unavailable`` are kinds of requests that the key or the plan did not allow at the last fetch.
    """

    created_at: str
    updated_at: str = ""
    schema_version: int = SCHEMA_VERSION
    tool: dict[str, str] = {}
    phone_number_ids: list[str] = []
    counts: dict[str, int] = {}
    first: str = ""
    last: str = ""
    gaps: dict[str, int] = {}
    asked: list[Asked] = []
    unavailable: list[str] = []
    files: dict[str, str] = {}


class _WholeManifest(Manifest, rename="camel"):
    """`manifest.json` in one piece, as it is read where another program has laid out its lines."""

    conversations: dict[str, Entry] = {}
    media: dict[str, MediaFile] = {}


class _Progress(msgspec.Struct, omit_defaults=True):
    """A line of the progress file: one of the two."""

    conversation: str = ""
    entry: Entry | None = None
    media: str = ""
    file: MediaFile | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What `verify` found: names relative to the folder, sorted; ``files`` is how many there should be."""

    files: int
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    additional: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every file is as it was written, and no other one is there."""
        return not (self.changed or self.missing or self.additional)


class Archive:
    """An open archive. Safe for many threads, of which each works on conversations of its own.

    ``conversations`` are entries by id and ``media`` files by SHA-256, both on disk: an archive may have very many.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.conversations = DiskMap(msgspec.json.encode, msgspec.json.Decoder(Entry).decode)
        self.media = DiskMap(msgspec.json.encode, msgspec.json.Decoder(MediaFile).decode)
        self._lock = threading.Lock()
        self._progress: BinaryIO | None = None
        self._had = DiskMap(str.encode, bytes.decode)

    def entry(self, conversation_id: str) -> Entry | None:
        """What is archived of a conversation."""
        return self.conversations.get(conversation_id)

    def add_media(self, sha256: str, media: MediaFile) -> None:
        """Take a file of media into the manifest."""
        self.media[sha256] = media
        for item in media.items:
            self._had[_media_key(item)] = sha256

    def find_media(self, link: MediaLink) -> MediaFile | None:
        """The archived file that an item names; None where it was not had."""
        sha = self._had.get(_media_key(_find_place(link)))
        return self.media.get(sha) if sha else None

    def read_lines(self, conversation_id: str) -> list[Line]:
        """The lines of a conversation; none where it is new. `ConfigurationError` where the file is not as it was written."""
        entry = self.entry(conversation_id)
        if entry is None:
            return []
        content = self._read(entry.file)
        if content is None or hashlib.sha256(content).hexdigest() != entry.sha256:
            raise make_damaged(self.folder, [entry.file])
        return parse_lines(content)

    def read_media(self, media: MediaFile) -> bytes:
        """A file of media. `ConfigurationError` where it is not as it was written."""
        content = self._read(media.file)
        name = Path(media.file).name.partition(".")[0]
        if content is None or hashlib.sha256(content).hexdigest() != name:
            raise make_damaged(self.folder, [media.file])
        return content

    def save_conversation(
        self, conversation: Conversation, lines: Sequence[Line], make_entry: Callable[..., Entry]
    ) -> None:
        """Replace the file of a conversation; ``make_entry`` is given file, sha256, bytes, counts, first and last."""
        content = b"".join(map(encode_line, lines))
        items = [item for item in find_newest(lines) if item.kind is not Kind.CONVERSATION]
        times = sorted((item.at for item in items if item.at), key=parse_time)
        entry = make_entry(
            file=f"{CONVERSATIONS}/{make_name(conversation.conversation_id)}.ndjson",
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            counts=dict(Counter(item.kind.value for item in items)),
            first=times[0] if times else "",
            last=times[-1] if times else "",
        )
        known = self.entry(conversation.conversation_id)
        if entry == known:
            return
        self._note(_Progress(conversation=conversation.conversation_id, entry=entry))
        if known is None or known.sha256 != entry.sha256:
            with replacing(self.folder / entry.file) as file:
                file.write(content)
        self.conversations[conversation.conversation_id] = entry

    def save_media(self, link: MediaLink, write: Callable[[BinaryIO], Downloaded]) -> Downloaded:
        """Have ``write`` stream a file to disk, and put it in its place under its hash."""
        folder = self.folder / MEDIA
        handle, name = tempfile.mkstemp(dir=folder, prefix=".download.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                done = write(file)
                file.flush()
                os.fsync(file.fileno())
            with self._lock:
                known = self.media.get(done.sha256)
                items = [*(known.items if known else []), _find_place(link)]
                path = known.file if known else f"{MEDIA}/{done.sha256}{_ENDINGS.get(done.media_type, '')}"
                media = MediaFile(path, done.size, done.media_type, items)
                self._append(_Progress(media=done.sha256, file=media))
                if known is None:
                    Path(name).replace(self.folder / path)
                self.add_media(done.sha256, media)
        finally:
            with suppress(FileNotFoundError):
                Path(name).unlink()
        return done

    def save_workspace(self, document: Any) -> None:
        """Keep the office's numbers and people as the API gives them. Not by way of progress: the next fetch asks again."""
        content = to_json(document).encode()
        sha = hashlib.sha256(content).hexdigest()
        if self.manifest.files.get(WORKSPACE) != sha:
            with replacing(self.folder / WORKSPACE) as file:
                file.write(content)
            self.manifest.files[WORKSPACE] = sha

    def save_manifest(self, now: float) -> str:
        """Write the manifest, which ends the progress file; returns the manifest's own SHA-256."""
        with self._lock:
            _sum_up(self, now)
            digest = hashlib.sha256()
            with replacing(self.folder / MANIFEST) as file:
                for piece in _encode_manifest(self):
                    file.write(piece)
                    digest.update(piece)
            self.close()
            with suppress(FileNotFoundError):
                (self.folder / PROGRESS).unlink()
        return digest.hexdigest()

    def close(self) -> None:
        """Close the progress file."""
        if self._progress is not None:
            self._progress.close()
            self._progress = None

    def _read(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def _note(self, progress: _Progress) -> None:
        with self._lock:
            self._append(progress)

    def _append(self, progress: _Progress) -> None:
        """One line, durable before what it announces; a line that was cut off by a full disk is removed."""
        if self._progress is None:
            descriptor = os.open(self.folder / PROGRESS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._progress = os.fdopen(descriptor, "ab", buffering=0)
        before = os.fstat(self._progress.fileno()).st_size
        line = msgspec.json.encode(progress) + b"\n"
        try:
            _write_whole(self._progress, line)
            os.fsync(self._progress.fileno())
        except OSError:
            os.ftruncate(self._progress.fileno(), before)
            raise


# --- opening ---------------------------------------------------------------------------------------------------------


@contextmanager
def opening_archive(folder: Path, now: float) -> Iterator[Archive]:
    """The archive for a fetch; a folder that is absent or empty becomes one. Whatever was done is kept, also after errors.

    `ConfigurationError` for a folder that is none, is damaged or cannot be written; `LockedError` while another fetch
    works on it.
    """
    with plain_errors(folder):
        _prepare(folder)
        with _locked(folder):
            _sweep(folder)
            archive = _open_archive(folder, now)
            try:
                yield archive
            finally:
                archive.close()


def read_archive(folder: Path) -> Archive:
    """The archive for reading only; `ConfigurationError` where it is none, `LockedError` while a fetch works on it."""
    with plain_errors(folder):
        archive = _read_manifest(folder)
        if archive is None:
            raise ConfigurationError(
                f"{folder} is not an archive: it has no {MANIFEST}; give the folder of an archive fetch"
            )
        _check_unlocked(folder)
        _replay(archive)
        return archive


def verify(folder: Path) -> Verified:
    """Hold every file of an archive against the manifest. Raises as `read_archive` does."""
    wanted = _list_wanted(read_archive(folder))
    present = set(_list_present(folder))
    changed = sorted(name for name in present & set(wanted) if not _is_unchanged(folder / name, wanted[name]))
    return Verified(
        files=len(wanted),
        changed=tuple(changed),
        missing=tuple(sorted(set(wanted) - present)),
        additional=tuple(sorted(present - set(wanted))),
    )


def find_damage(archive: Archive) -> list[str]:
    """Files that are missing, or have another size than they were written with: what half a copy looks like."""
    return [one.file for one in _list_files(archive) if _size(archive.folder / one.file) != one.bytes]


def make_damaged(folder: Path, names: Sequence[str]) -> ConfigurationError:
    """The error for files that are missing or changed; nothing is added to such an archive."""
    named = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return ConfigurationError(
        f"files of the archive {folder} are missing or changed ({named}); "
        "run archive verify, put them back from a copy, or fetch into a new folder"
    )


def hash_manifest(folder: Path) -> str:
    """SHA-256 of the manifest, which stands for the whole archive."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def parse_lines(content: bytes) -> list[Line]:
    """The lines of a conversation's file."""
    lines: list[Line] = []
    calls: dict[str, Any] = {}
    for text in content.splitlines():
        document = json.loads(text)
        kind, call_id = Kind(document["kind"]), document.get("callId", "")
        item = parse_item(kind, document["item"], calls.get(call_id))
        if kind is Kind.CALL:
            calls[item.item_id] = item
        lines.append(Line(item, bool(document.get("superseded"))))
    return lines


def make_name(conversation_id: str) -> str:
    """The name of a conversation's file: its id where that is plain, else made from its hash."""
    if _PLAIN_ID.fullmatch(conversation_id):
        return conversation_id
    return "CN-" + hashlib.sha256(conversation_id.encode()).hexdigest()[:24]


@contextmanager
def plain_errors(folder: Path) -> Iterator[None]:
    """What the file system refuses, as an error that says what to do; all that was archived before is safe."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ConfigurationError(
            f"the archive {folder} cannot be read or written ({error.strerror or type(error).__name__}); "
            "check rights and free space, and run the command again: what is archived stays"
        ) from error


def _prepare(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"{folder} is not a folder; give the folder of the archive")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / MANIFEST).exists():
        strange = [one.name for one in folder.iterdir() if one.name != LOCK and not _PART_FILE.fullmatch(one.name)]
        if strange:
            raise ConfigurationError(
                f"{folder} is not an archive: it has files but no {MANIFEST}; give an archive, or an empty or new folder"
            )
        folder.chmod(0o700)
    for name in (CONVERSATIONS, MEDIA):
        (folder / name).mkdir(mode=0o700, exist_ok=True)


def _open_archive(folder: Path, now: float) -> Archive:
    """The archive with the progress of a fetch that was killed; the manifest of a new one is written at once."""
    archive = _read_manifest(folder)
    is_new = archive is None
    archive = archive or Archive(folder, Manifest(created_at=format_time(now)))
    _replay(archive)
    if is_new or (folder / PROGRESS).exists():
        archive.save_manifest(now)
    return archive


def _read_manifest(folder: Path) -> Archive | None:
    try:
        try:
            with (folder / MANIFEST).open("rb") as file:
                archive = _read_lines(folder, file)
        except msgspec.DecodeError:
            archive = _read_whole(folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ConfigurationError(
            f"{folder / MANIFEST} is damaged; put it back from a copy, or fetch into a new folder"
        ) from None
    if archive.manifest.schema_version != SCHEMA_VERSION:
        raise ConfigurationError(f"{folder} was written by a newer version; update openphone-sync")
    return archive


def _read_lines(folder: Path, file: BinaryIO) -> Archive:
    """The manifest as `_encode_manifest` laid it out, line by line. `msgspec.DecodeError` where it is laid out otherwise."""
    lines = itertools.takewhile(_start_of("conversations").__ne__, file)
    head = b"".join(lines).rstrip().removesuffix(b",")
    archive = Archive(folder, msgspec.json.decode(head + b"}", type=Manifest))
    for key, entry in _read_rows(file, dict[str, Entry]):
        archive.conversations[key] = entry
    if file.readline() != _start_of("media"):
        raise msgspec.DecodeError
    for key, media in _read_rows(file, dict[str, MediaFile]):
        archive.add_media(key, media)
    if file.read() != b"}\n":
        raise msgspec.DecodeError
    return archive


def _read_rows(file: BinaryIO, kind: type[dict[str, _T]]) -> Iterator[tuple[str, _T]]:
    decoder = msgspec.json.Decoder(kind)
    for line in file:
        if line.startswith(b" }"):
            return
        yield from decoder.decode(b"{" + line.rstrip().removesuffix(b",") + b"}").items()
    raise msgspec.DecodeError


def _read_whole(folder: Path) -> Archive:
    whole = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=_WholeManifest)
    archive = Archive(folder, whole)
    for key, entry in whole.conversations.items():
        archive.conversations[key] = entry
    for key, media in whole.media.items():
        archive.add_media(key, media)
    return archive


def _replay(archive: Archive) -> None:
    """Take over what the progress file says, as far as it is true of the files: a kill may have come before the rename."""
    folder = archive.folder
    try:
        file = (folder / PROGRESS).open("rb")
    except FileNotFoundError:
        return
    told = DiskMap(msgspec.json.encode, msgspec.json.Decoder(list[Entry]).decode)
    with file:
        for text in file:
            with suppress(msgspec.DecodeError):  # the last line may be cut off
                line = msgspec.json.decode(text, type=_Progress)
                if line.file is not None and _size(folder / line.file.file) == line.file.bytes:
                    archive.add_media(line.media, line.file)
                if line.entry is not None:
                    told[line.conversation] = [*(told.get(line.conversation) or ()), line.entry]
    for conversation_id, entries in told.items():
        true = [one for one in entries if _is_unchanged(folder / one.file, one.sha256)]
        if true:
            archive.conversations[conversation_id] = true[-1]


def _sum_up(archive: Archive, now: float) -> None:
    """Bring what the manifest says of the whole archive up to date."""
    manifest = archive.manifest
    counts, gaps, first, last = Counter[str](), Counter[str](), "", ""
    for entry in archive.conversations.values():
        counts.update(entry.counts)
        gaps.update(f"{gap.part}: {gap.why}" for gap in entry.gaps)
        first = min((time for time in (first, entry.first) if time), key=parse_time, default="")
        last = max((time for time in (last, entry.last) if time), key=parse_time, default="")
    manifest.updated_at = format_time(now)
    manifest.tool = {"name": "openphone-sync", "version": version("openphone-sync")}
    manifest.counts = {
        "conversations": len(archive.conversations),
        **dict(sorted(counts.items())),
        "media": len(archive.media),
    }
    manifest.first, manifest.last, manifest.gaps = first, last, dict(gaps)


def _encode_manifest(archive: Archive) -> Iterator[bytes]:
    """JSON in pieces, one line for each conversation and each file of media, so that memory does not grow with them."""
    yield msgspec.json.format(msgspec.json.encode(archive.manifest), indent=1)[:-2]
    sections: Sequence[tuple[str, DiskMap[Any]]] = (("conversations", archive.conversations), ("media", archive.media))
    for name, rows in sections:
        yield b",\n" + _start_of(name).rstrip()
        between = b"\n"
        for key, row in rows.items():
            yield between + b"  " + msgspec.json.encode(key) + b": " + msgspec.json.encode(row)
            between = b",\n"
        yield b"\n }"
    yield b"\n}\n"


def _start_of(section: str) -> bytes:
    return f' "{section}": {{\n'.encode()


def _write_whole(file: BinaryIO, line: bytes) -> None:
    if file.write(line) != len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _make_locked(folder) from None
        yield
    finally:
        os.close(descriptor)


def _check_unlocked(folder: Path) -> None:
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _make_locked(folder) from None
    finally:
        os.close(descriptor)


def _make_locked(folder: Path) -> LockedError:
    return LockedError(f"another fetch works on the archive {folder}; wait for it to end")


def _sweep(folder: Path) -> None:
    """Remove what a fetch that was killed had not put in its place yet."""
    for one in (folder, folder / CONVERSATIONS, folder / MEDIA):
        for file in one.iterdir():
            if _PART_FILE.fullmatch(file.name):
                file.unlink()


def _list_files(archive: Archive) -> Iterator[Entry | MediaFile]:
    yield from archive.conversations.values()
    yield from archive.media.values()


def _list_wanted(archive: Archive) -> dict[str, str]:
    wanted = {entry.file: entry.sha256 for entry in archive.conversations.values()}
    return {**wanted, **{media.file: sha for sha, media in archive.media.items()}, **archive.manifest.files}


def _list_present(folder: Path) -> Iterator[str]:
    """Files of the folder but those that describe it; links are listed, and never followed."""
    for parent, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in (*names, *links):
            found = (Path(parent) / name).relative_to(folder).as_posix()
            if found not in (MANIFEST, PROGRESS, LOCK):
                yield found.encode("utf-8", "backslashreplace").decode()  # a name may be bytes that are no text


def _is_unchanged(path: Path, sha256: str) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return -1


def _find_place(link: MediaLink) -> tuple[str, str, str, int]:
    item = link.item
    return item.kind.value, item.call_id, item.item_id, link.index


def _media_key(place: tuple[str, str, str, int]) -> str:
    return msgspec.json.encode(place).decode()
