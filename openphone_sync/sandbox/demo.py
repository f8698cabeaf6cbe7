"""The demo: the real program, run as its user runs it, on an embedded Postgres and the sandbox."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

import psycopg

from openphone_sync.sandbox.options import SandboxOptions
from openphone_sync.sandbox.postgres import EmbeddedPostgres
from openphone_sync.sandbox.rules import Json
from openphone_sync.sandbox.samples import load_samples
from openphone_sync.sandbox.server import SandboxServer

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

STAFF_CONTACTS = 12
STAFF_PHONE = "+12135550199"
SAVED = (("Robert Chen", "+13105550145", "Bob Chen"), ("Maria Gonzalez", "+12135550123", "Mrs. Gonzalez"))
"""Clients whom staff had saved: name in the client table, phone of both, name in the app."""
STRANGER = "+13105550177"
"""Has called, and is in no row."""
SHORT_ID = 8
"""Characters of an id that are enough to type."""

NEXT = """
With your own data:

  1. openphone-sync init            asks for key and database, and tests both
  2. openphone-sync dry-run         shows what it would do, and writes nothing
  3. openphone-sync sync --limit 5  five clients; rollback latest undoes it
  4. openphone-sync explain ID      what OpenPhone holds; the app shows it after
                                    the first call or text with the number
  5. openphone-sync schedule start  every night at 2, by cron

To try more without touching OpenPhone: openphone-sync sandbox
"""


def run_demo(clients: int, out: TextIO, report: Path | None = None) -> int:
    """Run every step, telling what happens; returns the exit code. Nothing is left behind, also when it raises.

    Only the page of `report` is, if a place for it is given.
    """
    width = shutil.get_terminal_size().columns
    with (
        tempfile.TemporaryDirectory(prefix="openphone-sync-demo-") as folder,
        EmbeddedPostgres() as postgres,
        SandboxServer(SandboxOptions(contacts=STAFF_CONTACTS, latency_ms=50)) as sandbox,
    ):
        load_samples(postgres.dsn(), clients)
        saved = _meet(postgres, sandbox)
        stage = _Stage(out, _environment(Path(folder), postgres.dsn(), sandbox, width), Path(folder), width)
        return _play(stage, postgres, sandbox, saved["Maria Gonzalez"], clients, report)


def _play(
    stage: _Stage, postgres: EmbeddedPostgres, sandbox: SandboxServer, maria: str, clients: int, report: Path | None
) -> int:
    stage.tell(
        f"{clients + len(SAVED)} clients in an embedded Postgres; {STAFF_CONTACTS + len(SAVED)} contacts of staff in the sandbox."
    )
    stage.tell("What would a sync do?")
    stage.run("dry-run", keep=_shorten)
    stage.tell("The first sync, at OpenPhone's 10 requests a second:")
    stage.run("sync", keep=_shorten)
    stage.tell("The second one has nothing to do, and sends nothing:")
    stage.run("sync", keep=_shorten)
    stage.tell("Staff saved Robert Chen as Bob Chen: adopted. Is Mrs. Gonzalez Maria? Held:")
    stage.run("review", "list")
    stage.run("review", "link", maria[:SHORT_ID])
    stage.tell("The office moves James Smith; in the app, a colleague adds his wife's phone:")
    _move_james(postgres)
    contact_id = _add_phone(sandbox)
    stage.run("sync", keep=_shorten)
    stage.tell("OpenPhone has both (the app shows them after the first call or text):")
    stage.show(_both(sandbox.workspace.get(contact_id)))
    stage.tell("Undo it; what the colleague typed stays:")
    stage.run("rollback", "latest", "--yes", keep=_shorten)
    stage.tell("Conversations that a webhook stored, as JSON:")
    stage.run("export-conversations", "--output", "conversations.json")
    kept = "" if report else " (demo --report FILE keeps it)"
    stage.tell(f"In the morning, on the terminal and as a page for the office{kept}:")
    stage.run("status")
    stage.run("report", "--out", str(report.absolute() if report else "report.html"))
    stage.show(NEXT)
    return stage.worst


class _Stage:
    """Where the demo speaks; ``worst`` is the highest exit code of its commands."""

    def __init__(self, out: TextIO, environment: Mapping[str, str], folder: Path, width: int) -> None:
        self._out = out
        self._width = width
        self._environment = environment
        self._folder = folder
        self.worst = 0

    def tell(self, text: str) -> None:
        self.show(f"\n{textwrap.fill(text, self._width)}\n")

    def show(self, text: str) -> None:
        self._out.write(text if text.endswith("\n") else text + "\n")
        self._out.flush()

    def run(self, *arguments: str, keep: Callable[[str], str] = str) -> None:
        """One command of the program, shown as typed; its progress bar goes straight to the terminal."""
        self.show(f"$ openphone-sync {shlex.join(arguments)}")
        command = [sys.executable, "-m", "openphone_sync", *arguments]
        process, came = self._spawn(command)
        try:
            _leave_if(came)
            output, _ = process.communicate()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        self.show(_wrap(keep(output), self._width))
        code = process.returncode
        self.worst = max(self.worst, 128 - code if code < 0 else code)  # Python's -9 is a shell's 137

    def _spawn(self, command: list[str]) -> tuple[subprocess.Popen[str], list[int]]:
        """The process, and the signals that came while it was being made: none may come between it and its name."""
        came: list[int] = []
        before = {number: signal.signal(number, lambda caught, _: came.append(caught)) for number in _ENDING}
        try:
            process = subprocess.Popen(
                command, cwd=self._folder, env=self._environment, stdout=subprocess.PIPE, text=True
            )
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return process, came


def _leave_if(came: list[int]) -> None:
    if came:
        raise SystemExit(128 + came[0])


def _environment(folder: Path, dsn: str, sandbox: SandboxServer, width: int) -> dict[str, str]:
    """Only what the demo needs: settings of the person who runs it stay out of it."""
    kept = {
        name: value for name, value in os.environ.items() if not re.match(r"OPENPHONE_|SUPABASE_|DATABASE_URL|PG", name)
    }
    return kept | {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "OPENPHONE_STATE_DIR": str(folder / "state"),
        "OPENPHONE_BASE_URL": sandbox.base_url,
        "OPENPHONE_API_KEY": sandbox.options.key,
        "DATABASE_URL": dsn,
        "TTY_COMPATIBLE": "1",  # tables, though the demo reads them from a pipe
        "NO_COLOR": "1",
        "COLUMNS": str(width),
    }


def _meet(postgres: EmbeddedPostgres, sandbox: SandboxServer) -> dict[str, str]:
    """Clients whom staff had saved in the app under another name; their ids by name."""
    ids = {name: str(uuid.uuid5(uuid.NAMESPACE_URL, name)) for name, _, _ in SAVED}
    with psycopg.connect(postgres.dsn()) as connection:
        for client, phone, name in SAVED:
            connection.execute(
                "INSERT INTO clients (id, client_name, client_type, phone) VALUES (%s, %s, 'civil', %s)",
                (ids[client], client, phone),
            )
            phones = [{"name": "Mobile", "value": phone}]
            sandbox.workspace.add({"defaultFields": {"firstName": name, "phoneNumbers": phones}})
    for caller in (*(phone for _, phone, _ in SAVED), STRANGER):
        sandbox.conversations.add_message(sandbox.conversations.start(caller))
    return ids


def _move_james(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.dsn()) as connection:
        connection.execute("UPDATE clients SET county = 'Orange County' WHERE client_name = 'James Smith'")


def _add_phone(sandbox: SandboxServer) -> str:
    james = next(one for one in sandbox.workspace.contacts() if one["defaultFields"]["firstName"] == "James Smith")
    phones = [{"name": "Wife", "value": STAFF_PHONE}]
    sandbox.workspace.edit(james["id"], {"defaultFields": {"phoneNumbers": phones}})
    return str(james["id"])


def _both(contact: Json) -> str:
    phones = [f"{item['name']}: {item['value']}" for item in contact["defaultFields"]["phoneNumbers"]]
    county = next(one["value"] for one in contact["customFields"] if one["name"] == "County")
    return json.dumps({"name": contact["defaultFields"]["firstName"], "phones": phones, "county": county}, indent=2)


def _wrap(output: str, width: int) -> str:
    """Lines that are longer than the terminal, broken between words."""
    lines = (
        textwrap.fill(line, width, break_long_words=False)
        if len(line.rstrip()) > width and "\x1b" not in line
        else line
        for line in output.splitlines()
    )
    return "\n".join(lines)


def _shorten(output: str, lines: int = 24) -> str:
    """The beginning and the end of a long table."""
    found = output.rstrip().splitlines()
    if len(found) <= lines:
        return "\n".join(found)
    half = lines // 2
    return "\n".join([*found[:half], f"... {len(found) - lines} lines ...", *found[-half:]])
