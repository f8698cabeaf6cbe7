"""What the folder of an archive keeps, and how it stays whole, without a server."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from openphone_sync.conversations.archive_folder import (
    PROGRESS,
    Archive,
    Entry,
    make_name,
    opening_archive,
    read_archive,
    verify,
)
from openphone_sync.conversations.lines import Line, encode_line, merge_items
from openphone_sync.errors import ConfigurationError, LockedError
from openphone_sync.openphone.conversations import Conversation, Item, Kind, MediaLink, parse_conversation, parse_item
from openphone_sync.ops.http import Downloaded

NOW = 1_790_000_000.0
TALK = parse_conversation({"id": "CN1", "phoneNumberId": "PN1", "participants": ["+12135550111"], "name": None})


def message(text: str, at: str = "2026-01-01T10:00:00.000Z", message_id: str = "AC1", **more: Any) -> Item:
    return parse_item(Kind.MESSAGE, {"id": message_id, "text": text, "createdAt": at, **more})


def make_entry(**written: Any) -> Entry:
    rest: dict[str, Any] = dict.fromkeys(
        ("last_activity_at", "last_activity_id", "since", "through", "head", "unfinished"), ""
    )
    return Entry(number_id="PN1", participants=["+12135550111"], parts=[], gaps=[], **rest, **written)


def save(archive: Archive, *texts: str, talk: Conversation = TALK) -> None:
    lines = [Line(talk.item), *(Line(message(text, message_id=f"AC{n}")) for n, text in enumerate(texts))]
    archive.save_conversation(talk, lines, make_entry)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An archive of one conversation."""
    with opening_archive(tmp_path / "archive", NOW) as archive:
        save(archive, "one")
        archive.save_manifest(NOW)
    return tmp_path / "archive"


# --- lines -------------------------------------------------------------------------------------------------------------


def test_items_stand_in_the_order_of_time_and_parts_follow_their_call() -> None:
    call = parse_item(Kind.CALL, {"id": "AC5", "createdAt": "2026-01-01T11:00:00.000Z"})
    voicemail = parse_item(Kind.VOICEMAIL, {"id": "VM1"}, call)
    late, early = message("late", "2026-01-01T12:00:00Z", "AC9"), message("early", message_id="AC8")
    merged = merge_items([Line(late)], [voicemail, call, early, TALK.item])
    assert [line.item.kind for line in merged.lines] == ["conversation", "message", "call", "voicemail", "message"]
    assert (merged.added, merged.changed) == (3, 0)


def test_an_item_told_twice_is_kept_once() -> None:
    lines = merge_items([], [message("Hi"), message("Hi")]).lines
    assert merge_items(lines, [message("Hi")]) == type(merge_items(lines, []))(lines, 0, 0)


def test_an_address_that_is_signed_anew_is_no_change() -> None:
    media = [[{"url": f"https://m.example/a.png?Signature={mark}", "type": "image/png"}] for mark in ("a", "b")]
    lines = merge_items([], [message("", media=media[0])]).lines
    merged = merge_items(lines, [message("", media=media[1])])
    assert (merged.changed, merged.lines) == (0, lines)
    other = [{"url": "https://m.example/b.png?Signature=a", "type": "image/png"}]
    assert merge_items(lines, [message("", media=other)]).changed == 1


def test_a_changed_item_keeps_every_older_form_before_the_newest() -> None:
    forms = [message("Hi", status=status, updatedAt=f"2026-01-01T10:00:0{n}Z") for n, status in enumerate("abc")]
    lines: tuple[Line, ...] = ()
    for form in forms:
        lines = merge_items(lines, [form]).lines
    assert [(line.item.status, line.superseded) for line in lines] == [("a", True), ("b", True), ("c", False)]
    assert merge_items(lines, [forms[1]]).lines == lines, "an answer that lags behind changes nothing"


def test_a_conversation_moves_without_leaving_forms_and_is_renamed_with_one() -> None:
    def form(**changes: Any) -> Item:
        return parse_conversation({**TALK.item.document, **changes}).item

    lines = merge_items(
        [Line(TALK.item)], [form(lastActivityAt="2026-01-02T00:00:00Z", snoozedUntil="2126-01-01")]
    ).lines
    assert len(lines) == 1
    assert lines[0].item.document["lastActivityAt"] == "2026-01-02T00:00:00Z"
    assert [line.superseded for line in merge_items(lines, [form(name="Family")]).lines] == [True, False]


def test_the_json_of_an_item_is_kept_as_it_was_told() -> None:
    document = {
        "zebra": 5.123456,
        "id": "AC1",
        "text": "é\u2028😀 <b>\n",
        "createdAt": "2026-01-01T10:00:00.000Z",
        "new": [None, {"a": 1}],
    }
    line = encode_line(Line(parse_item(Kind.MESSAGE, document)))
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"kind": "message", "item": document}
    assert list(json.loads(line)["item"]) == list(document)


def test_names_of_files_are_ours() -> None:
    assert make_name("CN123abc_-") == "CN123abc_-"
    for evil in ("CN/../x", "CN..", "CN", "CN" + "a" * 200, "CN\n1", "CN1 "):
        assert make_name(evil).replace("CN-", "").isalnum()


# --- staying whole -----------------------------------------------------------------------------------------------------


def test_what_was_saved_is_there_without_a_manifest_of_its_own(folder: Path) -> None:
    with opening_archive(folder, NOW) as archive:
        save(archive, "one", "two")  # and the process dies
    assert (folder / PROGRESS).exists()
    assert verify(folder).is_whole
    with opening_archive(folder, NOW) as archive:
        assert len(archive.read_lines("CN1")) == 3
    assert not (folder / PROGRESS).exists()
    assert verify(folder).is_whole


def test_a_kill_between_the_announcement_and_the_file_leaves_the_old_one_in_force(folder: Path) -> None:
    file = folder / "conversations/CN1.ndjson"
    before = file.read_bytes()
    with opening_archive(folder, NOW) as archive:
        save(archive, "one", "two")
    file.write_bytes(before)  # as if the rename had not come
    assert verify(folder).is_whole
    with opening_archive(folder, NOW) as archive:
        assert len(archive.read_lines("CN1")) == 2


def test_the_last_of_several_announcements_that_is_true_counts(folder: Path) -> None:
    contents = []
    with opening_archive(folder, NOW) as archive:
        for texts in (("one", "two"), ("one", "two", "three"), ("one", "two", "three", "four")):
            save(archive, *texts)
            contents.append((folder / "conversations/CN1.ndjson").read_bytes())
    (folder / "conversations/CN1.ndjson").write_bytes(contents[1])
    with opening_archive(folder, NOW) as archive:
        assert len(archive.read_lines("CN1")) == 4


def test_a_progress_line_that_is_cut_off_is_passed_over(folder: Path) -> None:
    with opening_archive(folder, NOW) as archive:
        save(archive, "one", "two")
    with (folder / PROGRESS).open("ab") as file:
        file.write(b'{"conversation":"CN1","entry":{"fi')
    with opening_archive(folder, NOW) as archive:
        assert len(archive.read_lines("CN1")) == 3


def test_a_kill_while_a_file_is_written_leaves_nothing_behind(folder: Path) -> None:
    for name in (".manifest.json.a.part", "conversations/.CN1.ndjson.a.part", "media/.download.a.part"):
        (folder / name).write_bytes(b"half")
    assert len(verify(folder).additional) == 3
    with opening_archive(folder, NOW):
        pass
    assert verify(folder).is_whole


def test_media_are_there_after_a_kill_and_known_by_their_item(folder: Path) -> None:
    item = message("", media=[{"url": "https://m.example/x.exe", "type": "image/png"}])
    link = MediaLink(item, 0, "https://m.example/x.exe", "image/png")
    sha256 = hashlib.sha256(b"picture").hexdigest()
    with opening_archive(folder, NOW) as archive:
        archive.save_media(link, lambda file: Downloaded(file.write(b"picture"), sha256, "image/png"))
    with opening_archive(folder, NOW) as archive:
        media = archive.find_media(link)
    assert media is not None
    assert media.file == f"media/{sha256}.png"
    assert verify(folder).is_whole


def test_a_download_that_fails_leaves_nothing_behind(folder: Path) -> None:
    link = MediaLink(message(""), 0, "https://m.example/x", "image/png")
    with opening_archive(folder, NOW) as archive, pytest.raises(ZeroDivisionError):
        archive.save_media(link, lambda file: Downloaded(file.write(b"half") // 0, "", ""))
    assert verify(folder).is_whole


def test_a_manifest_that_another_program_has_laid_out_is_read(folder: Path) -> None:
    (folder / "manifest.json").write_text(json.dumps(json.loads((folder / "manifest.json").read_text()), indent=4))
    assert verify(folder).is_whole
    with opening_archive(folder, NOW) as archive:
        assert len(archive.read_lines("CN1")) == 2


@pytest.mark.parametrize("place", range(30, 900, 17))
def test_half_a_manifest_is_none(folder: Path, place: int) -> None:
    content = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").write_bytes(content[: place % (len(content) - 1)])
    with pytest.raises(ConfigurationError, match="damaged"):
        read_archive(folder)


def measure_opening(folder: Path, conversations: int) -> int:
    """The most memory (bytes) that an archive of so many conversations takes to open, check and write."""
    with opening_archive(folder, NOW) as archive:
        for number in range(conversations):
            archive.conversations[f"CN{number}"] = make_entry(
                file=f"conversations/CN{number}.ndjson", sha256="0" * 64, bytes=1, counts={}, first="", last=""
            )
        archive.save_manifest(NOW)
    tracemalloc.start()
    try:
        with opening_archive(folder, NOW) as archive:
            archive.save_manifest(NOW)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    small, large = (measure_opening(tmp_path / str(size), size) for size in (300, 6_000))
    assert large < small + 200_000


def test_one_fetch_at_a_time(folder: Path) -> None:
    with opening_archive(folder, NOW):
        with pytest.raises(LockedError), opening_archive(folder, NOW):
            pass
        with pytest.raises(LockedError):
            read_archive(folder)
    read_archive(folder)


def test_a_file_that_is_not_as_written_is_not_read(folder: Path) -> None:
    (folder / "conversations/CN1.ndjson").write_bytes(b'{"kind":"message","item":{}}\n')
    with opening_archive(folder, NOW) as archive, pytest.raises(ConfigurationError, match="missing or changed"):
        archive.read_lines("CN1")


@pytest.mark.parametrize("place", range(0, 400, 7))
def test_verify_sees_every_byte(folder: Path, place: int) -> None:
    file = folder / "conversations/CN1.ndjson"
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= 0x20
    file.write_bytes(content)
    assert verify(folder).changed == ("conversations/CN1.ndjson",)
