"""A headless Chromium for the tests of pages; they carry ``@pytest.mark.system("chromium")``."""

from __future__ import annotations

import subprocess

from tests.office import Office, find_program


def browse(office: Office, *options: str) -> tuple[str, str]:
    """What the browser prints, and the messages of its console."""
    program = find_program("chromium")
    assert program is not None
    command = [
        program,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--enable-logging=stderr",
        "--v=0",
        "--allow-file-access-from-files",
        f"--user-data-dir={office.folder}/browser",
        *options,
    ]
    done = subprocess.run(command, cwd=office.folder, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
