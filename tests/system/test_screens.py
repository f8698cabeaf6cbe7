"""What every screen shows on a terminal and in a pipe: names, local times, whole field names, and what fits."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from openphone_sync.cli.tables import measure
from tests.office import JAMES, Office

UNREACHABLE = "postgresql://nobody@127.0.0.1:1/x"
SCREENS = (
    "dry-run --mode full --details",
    "status",
    "runs list",
    "runs show latest",
    "links",
    "problems",
    "review list",
    "metrics",
    "explain {client}",
    "config show",
    "test-connection",
    "coverage",
)


@pytest.fixture
def client(office: Office) -> str:
    """An office after two nights: a held pair, an unusable phone, an update, somebody gone; the id of a client."""
    [client_id] = office.make_clients(JAMES)
    office.sync()
    gone = office.add_client({"client_name": "Pavel Novotny", "phone": "213-555-0190"})
    office.sync()
    office.sandbox.workspace.add(
        {
            "defaultFields": {
                "firstName": "Ignatius Vanderbeek",
                "phoneNumbers": [{"name": "Cell", "value": "+12135550177"}],
            }
        }
    )
    office.add_client({"client_name": "Ana García Márquez", "phone": "213-555-0177", "county": "Kern"})
    office.add_client({"client_name": "Marek Kowalczyk", "phone": "in jail"})
    office.change_client(client_id, county="Kern County", date_of_birth="1985-06-16")
    office.sql("DELETE FROM clients WHERE id::text = %s", gone)
    office.sync()
    return client_id


def show(office: Office, command: str, width: int = 100, **settings: str) -> str:
    """A screen on a terminal without colour."""
    terminal = {"TTY_COMPATIBLE": "1", "NO_COLOR": "1", "COLUMNS": str(width), "TZ": "America/Los_Angeles"}
    ran = office.run(*command.split(), **terminal | settings)
    assert ran.code in {0, 1}, ran.err
    return re.sub(r"\x1b\[[0-9;]*m", "", ran.out)


def test_every_screen_fits_every_terminal(office: Office, client: str) -> None:
    for screen in SCREENS:
        for width in (40, 80, 120, 200):
            shown = show(office, screen.format(client=client), width)
            assert all(measure(line) <= width for line in shown.splitlines()), (screen, width, shown)


def test_in_a_pipe_times_are_in_utc_and_lines_are_whole(office: Office, client: str) -> None:
    for screen in SCREENS:
        shown = office.run(*screen.format(client=client).split(), COLUMNS="40").out
        assert "ago" not in shown, screen
        assert "\x1b" not in shown, screen
    assert re.search(r"^last good\t\d{4}-\d\d-\d\dT[0-9:.]+Z$", office.run("status").out, re.MULTILINE)


def test_a_terminal_shows_times_as_people_say_them(office: Office, client: str) -> None:
    for screen in ("status", "runs list", "runs show latest", "links", f"explain {client}"):
        assert re.search(r"just now, \d\d:\d\d", show(office, screen)), screen


def test_screens_name_people_fields_and_values(office: Office, client: str) -> None:
    shown = show(office, "runs show latest", 200)
    assert "James Smith  " in shown
    assert "County: Los Angeles County -> Kern County" in shown
    assert "Date of Birth: 15 June 1985 -> 16 June 1985" in shown
    assert "Ana García Márquez" in show(office, "review list")
    gone = show(office, "sync --mode full")
    assert re.search(r"Pavel Novotny \([0-9a-f]{8}\)", gone)
    assert re.search(r"Ana García Márquez \([0-9a-f]{8}\): same phone, another name", gone)
    shown = show(office, f"explain {client[:8]}")
    assert "Date of Birth: 16 June 1985" in shown
    assert "OpenPhone has" in shown


def test_a_run_in_a_pipe_says_ids_only(office: Office, client: str) -> None:
    """Cron mails it."""
    shown = office.run("sync", "--mode", "full").out
    assert not any(name in shown for name in ("Pavel", "Ana", "Marek", "James"))


def test_without_the_database_names_come_from_the_state(office: Office, client: str) -> None:
    office.environment["DATABASE_URL"] = UNREACHABLE
    for screen in (f"explain {client}", "explain --phone 2135550134", "links", "runs show latest"):
        assert "James Smith" in show(office, screen), screen
    assert "Ana García Márquez" in show(office, "review list")
    assert "Marek Kowalczyk" in show(office, "problems")
    for command in (f"explain {client}", "problems"):
        ran = office.run(*command.split())
        assert (ran.code, "the client table could not be read" in ran.err) == (0, True), command
    assert office.run("explain", client, "--json").json["inSource"] is None
    assert office.run("explain", "nobody").code == 3


def test_status_says_failed_in_colour(office: Office) -> None:
    office.make_clients(JAMES)
    office.run("sync", OPENPHONE_API_KEY="wrong")
    shown = office.run("status", TTY_COMPATIBLE="1", TERM="xterm").out
    assert "sync \x1b[31mfailed\x1b[0m just now" in shown
    assert "OpenPhone refused the API key (401)" in shown
    checked = office.run("test-connection", TTY_COMPATIBLE="1", TERM="xterm", OPENPHONE_API_KEY="wrong").out
    assert "\x1b[31mFAIL\x1b[0m  api key" in checked
    assert "\x1b[32mok\x1b[0m" in checked


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_locale_without_unicode_shows_escapes_and_documents_stay_utf_8(office: Office, encoding: str) -> None:
    office.make_clients({"client_name": "山田 太郎 García", "phone": "213-555-0177"})
    office.sync()
    place = {"PYTHONIOENCODING": encoding, "TTY_COMPATIBLE": "1", "NO_COLOR": "1", "COLUMNS": "60"}
    for command in ("links", "status", "runs show latest", "links --json", "links --format csv"):
        done = subprocess.run(
            [sys.executable, "-m", "openphone_sync", *command.split()],
            env=office.environment | place,
            cwd=office.folder,
            capture_output=True,
            check=True,
        )
        if "--" in command:
            assert "山田 太郎 García" in done.stdout.decode()
            continue
        shown = done.stdout.decode(encoding)
        assert max(map(len, shown.splitlines())) <= 60
        assert command == "status" or "\\u5c71\\u7530" in shown
