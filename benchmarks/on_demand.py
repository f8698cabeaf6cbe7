"""Packages that only an evaluation needs, installed beside the project's own and never locked with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OWN_BIN = Path(__file__).resolve().parents[1] / ".dev" / "bin"
"""Where ./dev keeps a uv of its own."""


def fetch_package(name: str, *, dependencies: bool = False) -> Path:
    """A folder that holds the package, from the configured index; downloaded once per machine.

    ``dependencies`` installs what it needs as well, so that the folder can be a ``PYTHONPATH``.
    """
    folder = Path(tempfile.gettempdir()) / "openphone-sync-bench" / (f"{name}-whole" if dependencies else name)
    if not (folder / ".done").exists():
        command = [*_installer(), *([] if dependencies else ["--no-deps"]), "--target", str(folder), name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        (folder / ".done").touch()
    return folder


def _installer() -> list[str]:
    uv = shutil.which("uv", path=f"{os.environ.get('PATH', os.defpath)}:{OWN_BIN}")
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    python = getattr(sys, "_base_executable", sys.executable)  # an environment made by uv has no pip of its own
    return [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
