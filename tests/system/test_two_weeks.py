"""An operator's two weeks: what went wrong at night, and what the screens and alerts said in the morning."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
import pytest
import time_machine

from openphone_sync.postgres.connecting import SESSION
from tests.fault_injection import Fault, FaultKind
from tests.office import Office, Ran, make_many
from tests.receiver import Receiver
from tests.system.test_identity import move
from tests.system.test_terminal import Terminal

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Apprise imports what Python 3.13 drops

HELD = 200
CLIENTS = 210
SCREENS = ("sync --dry-run", "status", "runs list", "runs show latest", "links", "problems", "review list")
TERMINAL = {"TTY_COMPATIBLE": "1", "NO_COLOR": "1", "COLUMNS": "120"}


@dataclass
class Weeks:
    """The office night after night; day 1 is a Monday."""

    office: Office
    receiver: Receiver
    settings: dict[str, str] = field(default_factory=dict)
    day: int = 0

    def night(self, **settings: str) -> Ran:
        """The nightly run at two o'clock, as cron starts it."""
        self.day += 1
        with time_machine.travel(f"2026-03-{self.day + 1:02}T02:00:00-08:00", tick=True):
            return self.office.run("sync", "--quiet", **self.settings | settings)

    def morning(self, *command: str, **settings: str) -> str:
        """What a command shows on a terminal at half past eight."""
        with time_machine.travel(f"2026-03-{self.day + 1:02}T08:30:00-08:00", tick=True):
            ran = self.office.run(*command, **TERMINAL | self.settings | settings)
        assert ran.code in {0, 1}, ran.err
        return ran.out

    def alerts(self) -> list[str]:
        """The messages since the last call: title, then body."""
        sent = [json.loads(one.body) for one in self.receiver.take("/alert")]
        return [f"{one['title']}\n{one['message']}" for one in sent]

    def check_names(self) -> None:
        """No screen shows somebody by an id only, and none is wider than the terminal."""
        for screen in SCREENS:
            shown = self.morning(*screen.split())
            lines = [line for line in shown.splitlines() if re.search(r"client_\d", line)]
            nameless = [line for line in lines if "Person " not in line]
            if screen == "review list":  # the id stands below the name
                nameless = [line for line in lines if not re.fullmatch(r"  client_\d+", line)]
            assert not nameless, (screen, nameless[:3])
            assert max(map(len, shown.splitlines()), default=0) <= 120, screen


@pytest.fixture
def weeks(office: Office) -> Iterator[Weeks]:
    make_many(office, CLIENTS)
    office.sql("INSERT INTO clients VALUES (300, 'Person Marek', 'in jail', 'LA')")
    for number in range(1, HELD + 1):
        phone = {"name": "Cell", "value": f"+1213555{number:04}"}
        office.sandbox.workspace.add({"defaultFields": {"firstName": "Ignatius Vanderbeek", "phoneNumbers": [phone]}})
    office.environment["TZ"] = "America/Los_Angeles"
    with Receiver() as receiver:
        yield Weeks(office, receiver, {"OPENPHONE_ALERT_URLS": f"json://{receiver.host}/alert"})


def test_two_weeks_of_an_operator(weeks: Weeks, another_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    live_with_a_revoked_key(weeks)
    live_with_a_locked_table(weeks, monkeypatch)
    live_with_a_refused_contact(weeks)
    live_with_a_moved_database(weeks, another_dsn)
    weeks.office.requests()
    while weeks.day < 14:  # quiet nights: not one request, and nothing to say
        assert weeks.night() == Ran(0, "", "")
        assert weeks.morning("status", "--max-age", "26h")
    assert weeks.office.requests() == []
    assert weeks.alerts() == []
    weeks.check_names()


def live_with_a_revoked_key(weeks: Weeks) -> None:
    # Monday: the first night holds 200 pairs. 120 of them are decided in a spreadsheet.
    assert weeks.night().code == 0
    shown = weeks.morning("status")
    assert "sync succeeded 6 hours ago, 02:0" in shown
    assert "10 created, 1 skipped, 200 held" in shown
    assert "200 open; openphone-sync review" in shown
    reviews = weeks.morning("review", "list")
    assert reviews.count(" is held: same phone, another name") == HELD == reviews.count("Ignatius Vanderbeek")
    assert reviews.count("Person ") >= HELD
    assert weeks.alerts() == []
    weeks.check_names()
    assert "120 decided, 80 still open; the next sync acts on it" in decide_by_csv(weeks)

    # Tuesday and Wednesday: the key was revoked. One alert for both nights.
    for expected in (1, 0):
        assert weeks.night(OPENPHONE_API_KEY="revoked").code == 3
        sent = weeks.alerts()
        assert len(sent) == expected
        assert all(
            "fails" in one and "OpenPhone refused the API key (401); check OPENPHONE_API_KEY" in one for one in sent
        )
        shown = weeks.morning("status")
        assert "sync failed 6 hours ago, 02:0" in shown
        assert "OpenPhone refused the API key (401); check OPENPHONE_API_KEY" in shown
    shown = " ".join(weeks.morning("runs", "list").split())
    assert shown.count("OpenPhone refused the API key") == 2
    assert "2 days ago" in shown
    assert weeks.morning("status", "--max-age", "26h").count("failed") >= 2
    assert [one.partition("\n")[0].rpartition(" on ")[0] for one in weeks.alerts()] == [
        "openphone-sync has not run for too long"
    ]
    weeks.check_names()

    # Thursday: a new key. What was decided on Monday is done, the other 80 are decided on a terminal.
    assert weeks.night().code == 0
    assert [one.partition("\n")[0].rpartition(" on ")[0] for one in weeks.alerts()] == ["openphone-sync works again"]
    assert "100 created, 20 adopted" in weeks.morning("status")
    weeks.check_names()
    decide_on_a_terminal(weeks.office)


def live_with_a_locked_table(weeks: Weeks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Friday: a migration holds the table."""
    office = weeks.office
    monkeypatch.setitem(SESSION, "lock_timeout", "200ms")
    with psycopg.connect(office.dsn, application_name="migration") as connection:
        connection.execute("LOCK TABLE clients")
        assert weeks.night().code == 3
        words = "(user postgres, migration) has locked clients"
        assert words in "".join(weeks.alerts())
        assert words in " ".join(weeks.morning("status").split())
        ran = office.run("problems", **TERMINAL | weeks.settings)
        assert "names come from the last sync" in ran.err
        assert "Person Marek" in ran.out
    assert weeks.night().code == 0
    assert "80 created" in weeks.morning("status")
    assert "works again" in "".join(weeks.alerts())
    assert "none open" in weeks.morning("status")
    weeks.check_names()


def live_with_a_refused_contact(weeks: Weeks) -> None:
    """Sunday: the alert has an id, the screens have the name."""
    office = weeks.office
    office.sandbox.faults.add(Fault(FaultKind.STATUS, status=400, method="PATCH", count=1))
    office.sql("UPDATE clients SET county = 'Kern' WHERE id IN (205, 206)")
    ran = weeks.night()
    assert ran.code == 1
    assert re.search(r"client_20[56]", "".join(weeks.alerts()))
    assert "Person " not in ran.err
    assert re.search(r"failed: Person \w+ \(client_20[56]\)", weeks.morning("runs", "show", "latest"))
    assert "sync partial 6 hours ago" in weeks.morning("status")
    weeks.check_names()
    assert weeks.night().code == 0
    weeks.alerts()


def live_with_a_moved_database(weeks: Weeks, another_dsn: str) -> None:
    """The second Tuesday: nobody said that the database would move."""
    office = weeks.office
    moved = move(office, another_dsn)
    assert weeks.night(**moved).code == 4
    assert "openphone-sync sync --accept-source" in "".join(weeks.alerts())
    assert "sync --accept-source" in " ".join(weeks.morning("status").split())
    assert "sync stopped" in weeks.morning("status")
    assert weeks.office.run("sync", "--accept-source", **weeks.settings | moved).code == 0
    weeks.settings |= moved
    weeks.alerts()


def decide_by_csv(weeks: Weeks) -> str:
    """120 decisions: 20 links, 100 separate; what the command says."""
    file = weeks.office.folder / "reviews.csv"
    rows = list(csv.DictReader(io.StringIO(weeks.office.run("review", "list", "--format", "csv").out)))
    assert all(row["name"].startswith("Person ") and row["candidateName"] == "Ignatius Vanderbeek" for row in rows)
    for number, row in enumerate(rows[:120]):
        row["decision"] = "link" if number < 20 else "separate"
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return " ".join(weeks.morning("review", "apply", str(file)).split())


def decide_on_a_terminal(office: Office) -> None:
    """The first one is nobody that the app knows; so are the other 79."""
    terminal = Terminal(office, "review")
    for asked, keys in enumerate(("s\r", "a\r"), start=1):
        terminal.read_words("q = quit", times=asked)
        terminal.type(keys)
    assert terminal.finish() == 0
    assert re.search(r"Person \w+ is held: same phone, another name", terminal.shown)
    assert "a = separate all 79 held for this reason" in terminal.shown
    assert "80 decided, none is open" in terminal.shown
