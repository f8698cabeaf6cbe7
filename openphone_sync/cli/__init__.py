"""The command line: options -> settings -> one workflow -> render -> exit code."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Entry point of the program ``openphone-sync``."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the door stands, Ctrl-C ends the process without a traceback
    from openphone_sync.cli.app import app  # noqa: PLC0415
    from openphone_sync.cli.exit import leave_by  # noqa: PLC0415

    sys.exit(leave_by(lambda: app(prog_name="openphone-sync"), sys.argv[1:]))
