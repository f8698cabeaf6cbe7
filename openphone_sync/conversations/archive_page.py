"""An archive's conversations with some people as one page: names, numbered lines, local times with UTC beside, hashes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from itertools import count
from pathlib import Path
from typing import Any

from openphone_sync.conversations.archive_folder import WORKSPACE, Archive, Entry, MediaFile, hash_manifest
from openphone_sync.conversations.lines import Line, parse_time
from openphone_sync.errors import ConfigurationError
from openphone_sync.html.pages import embed_picture, make_page
from openphone_sync.openphone.conversations import (
    Item,
    Kind,
    MediaLink,
    find_media,
    find_names,
    parse_call,
    parse_conversation,
    parse_message,
    parse_speeches,
    parse_summary,
    read_voicemail_text,
)

PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
MOST_PICTURE_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class People:
    """Names: ``by_number`` of the others, ``lines`` of the office's numbers by number, ``staff`` by id."""

    by_number: Mapping[str, str]
    lines: Mapping[str, str] = field(default_factory=dict)
    staff: Mapping[str, str] = field(default_factory=dict)
    number_ids: Mapping[str, str] = field(default_factory=dict)

    def name(self, number: str) -> str:
        """A number with the name of whose it is."""
        known = self.by_number.get(number) or self.lines.get(number)
        return f"{known} ({number})" if known else number or "unknown number"

    def name_briefly(self, number: str, among: Sequence[str]) -> str:
        """Only the name, if no other of these numbers has the same."""
        known = self.by_number.get(number) or self.lines.get(number)
        shared = sum(self.by_number.get(one) == known for one in among) > 1
        return self.name(number) if not known or shared else known

    def name_staff(self, user_id: str) -> str:
        """A member of staff; system users are no people."""
        return self.staff.get(user_id) or ("automatic" if user_id.startswith("SYU") else "")


@dataclass(slots=True)
class Row:
    """A message or a call as a line of the page."""

    number: int
    time: str
    utc: str
    direction: str
    who: str
    to: str = ""
    text: str = ""
    notes: list[str] = field(default_factory=list)
    files: list[dict[str, str]] = field(default_factory=list)
    spoken: list[dict[str, str]] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)


def select_entries(archive: Archive, phones: frozenset[str]) -> list[tuple[str, Entry]]:
    """The archived conversations with these people, the earliest first; `ConfigurationError` where there is none."""
    found = [(key, entry) for key, entry in archive.conversations.items() if not phones.isdisjoint(entry.participants)]
    if not found:
        raise ConfigurationError(
            f"the archive {archive.folder} has no conversation with these numbers; "
            "bring them in with archive fetch, or check the number"
        )
    return sorted(found, key=lambda one: (parse_time(one[1].first), one[0]))


def read_people(archive: Archive, names: Mapping[str, str]) -> People:
    """Names from the archive itself (the office's numbers, its staff), with those of the others."""
    try:
        workspace = json.loads((archive.folder / WORKSPACE).read_bytes())
    except (FileNotFoundError, ValueError):
        workspace = {}
    number_ids, lines, staff = find_names(workspace)
    return People(names, lines, staff, number_ids)


def make_archive_page(
    archive: Archive, entries: list[tuple[str, Entry]], people: People, title: str, notes: Iterable[str] = ()
) -> Iterator[bytes]:
    """The page in pieces: one conversation after the other is read, whatever their number."""
    manifest, numbers = archive.manifest, count(1)
    shown: dict[str, str] = {}
    times = sorted((time for _, entry in entries for time in (entry.first, entry.last) if time), key=parse_time)
    summary = [
        ("Conversations", str(len(entries))),
        (
            "Messages and calls",
            str(sum(entry.counts.get(kind, 0) for _, entry in entries for kind in ("message", "call"))),
        ),
        ("From", _local(times[0]) if times else ""),
        ("To", _local(times[-1]) if times else ""),
        ("Archived until", _local(manifest.updated_at)),
        ("Times", f"{parse_time(manifest.updated_at).astimezone().tzname()} (this computer's zone), with UTC beside"),
        ("Made by", f"{manifest.tool.get('name', '')} {manifest.tool.get('version', '')}"),
        *(("Note", note) for note in notes),
    ]

    def show() -> Iterator[Mapping[str, Any]]:
        for conversation_id, entry in entries:
            yield _show_conversation(archive, conversation_id, entry, people, numbers, shown)

    def hashes() -> Iterator[tuple[str, str]]:
        yield from ((entry.file, entry.sha256) for _, entry in entries)
        yield from sorted(shown.items())
        yield "manifest.json", hash_manifest(archive.folder)

    return make_page("archive", {"title": title, "summary": summary, "conversations": show(), "hashes": hashes})


def _show_conversation(
    archive: Archive, conversation_id: str, entry: Entry, people: People, numbers: Iterator[int], shown: dict[str, str]
) -> Mapping[str, Any]:
    lines = archive.read_lines(conversation_id)
    heads = [line.item for line in lines if line.item.kind is Kind.CONVERSATION and not line.superseded]
    conversation = parse_conversation(heads[0].document if heads else {})
    return {
        "people": ", ".join(people.name(number) for number in entry.participants) or "nobody",
        "line": people.name(people.number_ids.get(entry.number_id, entry.number_id)),
        "conversation_id": conversation_id,
        "name": conversation.name,
        "deleted_at": conversation.deleted_at,
        "rows": _Rows(archive, entry, people, numbers, shown).make(lines),
        "gaps": [
            f"{gap.part} of {gap.item_id} ({gap.why})" for gap in entry.gaps if gap.why not in ("absent", "not-found")
        ],
    }


class _Rows:
    """The lines of a conversation become rows; what belongs to a call stands in the call's."""

    def __init__(
        self, archive: Archive, entry: Entry, people: People, numbers: Iterator[int], shown: dict[str, str]
    ) -> None:
        self._archive = archive
        self._entry = entry
        self._people = people
        self._line = people.number_ids.get(entry.number_id, "")
        self._numbers = numbers
        self._shown = shown

    def make(self, lines: Iterable[Line]) -> Iterator[Row]:
        """The rows, in order. Lines of one item and of what belongs to it follow each other."""
        row: Row | None = None
        owner, earlier = "", list[str]()
        for line in lines:
            item = line.item
            if item.kind is Kind.CONVERSATION:
                continue
            if (item.call_id or item.item_id) != owner:
                if row is not None:
                    yield row
                row, owner, earlier = None, item.call_id or item.item_id, []
            if line.superseded:
                earlier.append(_describe_earlier(item))
                continue
            if row is None:
                row = self._make_message(item) if item.kind is Kind.MESSAGE else self._make_call(item)
            else:
                self._add_part(row, item)
            row.earlier += earlier
            earlier = []
            self._add_files(row, item)
        if row is not None:
            yield row

    def _make_message(self, item: Item) -> Row:
        message, people = parse_message(item), self._people
        row = self._make_row(item, "incoming" if message.is_incoming else "outgoing")
        others = self._entry.participants
        row.who = people.name_briefly(message.sender, others)
        if not message.is_incoming and people.name_staff(message.user_id):
            row.who = people.name_staff(message.user_id)
        expected = [self._line] if message.is_incoming else others
        if sorted(message.receivers) != sorted(expected):
            row.to = ", ".join(map(people.name, message.receivers))
        row.text = message.text
        row.notes = [message.status] if message.status not in ("", "received", "delivered") else []
        return row

    def _make_call(self, item: Item) -> Row:
        call, people = parse_call(item), self._people
        caller = ", ".join(people.name_briefly(one, self._entry.participants) for one in self._entry.participants)
        staff, row = (
            people.name_staff(call.user_id),
            self._make_row(item, "incoming" if call.is_incoming else "outgoing"),
        )
        row.who = caller if call.is_incoming else staff or people.name_briefly(self._line, ())
        row.to = staff if call.is_incoming and call.is_answered else ""
        length = f", {call.seconds // 60} min {call.seconds % 60:02} s" if call.is_answered else ""
        row.text = f"Call{length}"
        row.notes = [call.status] if call.status and not (call.is_answered and call.status == "completed") else []
        return row

    def _make_row(self, item: Item, direction: str) -> Row:
        return Row(next(self._numbers), _local(item.at), _utc(item.at), direction, "")

    def _add_part(self, row: Row, item: Item) -> None:
        if item.kind is Kind.VOICEMAIL:
            row.text += f"\nVoicemail: {read_voicemail_text(item) or 'not written down'}"
        elif item.kind is Kind.SUMMARY:
            said, steps = parse_summary(item)
            row.notes += [*(f"Summary: {line}" for line in said), *(f"Next step: {line}" for line in steps)]
        elif item.kind is Kind.TRANSCRIPT:
            row.spoken = [
                {
                    "time": f"{int(speech.start_s) // 60}:{int(speech.start_s) % 60:02}",
                    "who": self._people.name_staff(speech.user_id) or self._people.name(speech.number),
                    "text": speech.text,
                }
                for speech in parse_speeches(item)
            ]

    def _add_files(self, row: Row, item: Item) -> None:
        for link in find_media(item):
            media = self._archive.find_media(link)
            if media is None:
                row.notes.append(f"{_name_kind(link)}: not in the archive")
                continue
            self._shown[media.file] = Path(media.file).name.partition(".")[0]
            row.files.append({"kind": _name_kind(link), "name": media.file, "picture": self._embed(media)})

    def _embed(self, media: MediaFile) -> str:
        """The picture itself, where browsers show its type."""
        if media.media_type not in PICTURES or media.bytes > MOST_PICTURE_BYTES:
            return ""
        return embed_picture(self._archive.read_media(media), media.media_type)


def _name_kind(link: MediaLink) -> str:
    return {Kind.RECORDING: "Recording", Kind.VOICEMAIL: "Voicemail"}.get(link.item.kind, "File")


def _describe_earlier(item: Item) -> str:
    if item.kind is Kind.MESSAGE:
        message = parse_message(item)
        return f"{message.text} ({message.status})"
    return f"{item.kind} ({item.status})" if item.status else item.kind.value


def _local(at: str) -> str:
    """A time in this computer's zone, with the zone's name."""
    return parse_time(at).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if at else ""


def _utc(at: str) -> str:
    return parse_time(at).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at else ""
