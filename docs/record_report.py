"""Draws docs/report.png: the upper part of the page of ``openphone-sync report``, for the office of tests/report_scene.py.

Needs Chromium. The window is as high as three sections; scaled down, so that the picture stays below 150 kB.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from openphone_sync.sandbox import EmbeddedPostgres, SandboxOptions
from openphone_sync.sandbox.options import CUSTOM_FIELDS
from tests.fault_injection import FaultySandbox
from tests.office import FAST, Office, find_program
from tests.report_scene import live_a_month

TARGET = Path(__file__).with_name("report.png")
WINDOW, SCALE = "1000,1540", "0.8"


def main() -> int:
    """Live a month, write the page, photograph it; 1 without a browser."""
    program = find_program("chromium")
    if program is None:
        sys.stderr.write("docs/report.png is not drawn: Chromium is not installed\n")
        return 1
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        EmbeddedPostgres() as postgres,
        FaultySandbox(SandboxOptions(rate_limit=FAST, custom_fields=CUSTOM_FIELDS)) as sandbox,
    ):
        office = Office(postgres.dsn(), sandbox, Path(folder), patch)
        live_a_month(office)
        office.run("report", "--out", "page.html")
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={WINDOW}"]
        options += [
            f"--force-device-scale-factor={SCALE}",
            f"--user-data-dir={folder}/browser",
            f"--screenshot={TARGET}",
        ]
        subprocess.run([program, *options, f"file://{folder}/page.html"], check=True, capture_output=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
