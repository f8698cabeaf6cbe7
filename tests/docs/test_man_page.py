"""docs/openphone-sync.1, made by man_page.py."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from openphone_sync.cli.app import COMMANDS
from openphone_sync.config import SETTINGS
from tests.docs.man_page import escape, make_man_page

PAGE = Path(__file__).parents[2] / "docs" / "openphone-sync.1"


def test_every_command_and_setting_is_in_it() -> None:
    page = make_man_page()
    assert [name for name in COMMANDS if f'.SS "openphone\\-sync {escape(name)} ' not in page] == []
    assert [setting.name for setting in SETTINGS if f".B {setting.name}\n" not in page] == []
    assert '.SS "openphone\\-sync review list [OPTIONS]"' in page


def test_no_text_is_taken_for_a_request() -> None:
    assert escape(".env") == "\\&.env"
    assert escape("'a' -b \\") == "\\&'a' \\-b \\e"


@pytest.mark.system("groff")
def test_groff_finds_no_fault_in_it() -> None:
    done = subprocess.run(["groff", "-man", "-Tutf8", "-P-cbou", "-ww", PAGE], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"--accept-source" in done.stdout
