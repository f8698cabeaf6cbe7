"""The command line: options -> settings -> one workflow -> output -> exit code."""

from __future__ import annotations

import gc
import signal
import sys


def main() -> None:
    """Entry point of the program ``openphone-sync``."""
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # while modules are imported, Ctrl-C ends the process without a traceback
    from openphone_sync.cli.app import run  # noqa: PLC0415

    code = run(sys.argv[1:])
    gc.freeze()  # the process ends: looking for what could be freed takes longer than a small command
    sys.exit(code)
