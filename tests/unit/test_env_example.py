"""The sample of an env file."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from openphone_sync.config import SETTINGS, load_settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_every_setting_stands_there_with_its_default(tmp_path: Path) -> None:
    text = re.sub(r"^# (?=OPENPHONE_\w+=)", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    environ = {"HOME": str(tmp_path)}
    written = load_settings(environ, folder=tmp_path)
    default = load_settings(environ, folder=tmp_path / "nowhere")
    assert replace(written, given=default.given) == default
    assert written.warnings == ()
    assert {one.name for one in SETTINGS} <= set(re.findall(r"^(\w+)=", text, re.MULTILINE))


def test_only_what_has_to_be_filled_in_is_open() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert re.findall(r"^(\w+=.*)$", text, re.MULTILINE) == ["OPENPHONE_API_KEY=", "DATABASE_URL="]
