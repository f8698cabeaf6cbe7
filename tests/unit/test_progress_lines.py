"""`--progress` without a terminal."""

from __future__ import annotations

import pytest

from openphone_sync.cli.progress import LineProgress


def test_a_line_comes_at_most_every_thirty_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = iter(range(1000))  # each look at the clock is a second later
    progress = LineProgress(monotonic=lambda: float(next(seconds)))
    progress.start("listing OpenPhone", None)
    for _ in range(29):
        progress.advance()
    assert capsys.readouterr().err == ""
    progress.start("writing", 399)
    progress.note("2 failed")
    for _ in range(41):
        progress.advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "openphone-sync: writing: 1 of 399 (2 failed)",
        "openphone-sync: writing: 31 of 399 (2 failed)",
    ]
