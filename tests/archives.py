"""What an archive holds, as two archives compare: without run times, and without the signatures in addresses."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from openphone_sync.conversations.archive_folder import read_archive
from openphone_sync.conversations.lines import find_newest
from openphone_sync.openphone.conversations import without_signatures


def read_contents(folder: Path) -> dict[str, Any]:
    """The newest form of every item by file and key, and the hash of every file of media by the item that shows it."""
    archive = read_archive(folder)
    contents: dict[str, Any] = {}
    for conversation_id, entry in archive.conversations.items():
        items = list(find_newest(archive.read_lines(conversation_id)))
        twice = [key for key, count in Counter(item.key for item in items).items() if count > 1]
        assert not twice, f"{twice} are twice in {entry.file}"
        contents |= {f"{entry.file} {'/'.join(item.key)}": without_signatures(item) for item in items}
    for sha256, media in archive.media.items():
        assert hashlib.sha256((folder / media.file).read_bytes()).hexdigest() == sha256
        contents |= {f"media {'/'.join(map(str, item))}": sha256 for item in media.items}
    return contents


def find_differences(folder: Path, undisturbed: Path) -> list[str]:
    """What two archives do not have in common, in words."""
    one, other = read_contents(folder), read_contents(undisturbed)
    names = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    return [f"{name}: {json.dumps(one.get(name))} instead of {json.dumps(other.get(name))}" for name in names]


def read_texts(folder: Path, conversation_id: str) -> list[str]:
    """The texts of a conversation's messages, older forms included, in order."""
    lines = (folder / "conversations" / f"{conversation_id}.ndjson").read_text(encoding="utf-8").splitlines()
    return [one["item"]["text"] for one in map(json.loads, lines) if one["kind"] == "message"]
