"""The most memory that a process took. ``python -m benchmarks.peak ARGUMENTS`` runs openphone-sync and says it on stderr."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

COMMAND = (sys.executable, "-m", "benchmarks.peak")


def read_peak_mb() -> float:
    """Of this process, from Linux's VmHWM: ``ru_maxrss`` begins with the peak of the process that started this one."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def parse_peak_mb(stderr: str) -> float:
    """The peak in megabytes (2**20 bytes) from what a run by `COMMAND` wrote; it is on the last line."""
    return float(stderr.splitlines()[-1])


if __name__ == "__main__":
    try:
        runpy.run_module("openphone_sync", run_name="__main__")
    finally:
        sys.stderr.write(f"\n{read_peak_mb():.1f}\n")
