"""`init`: from nothing to a tested settings file, a dry run and a schedule, on a terminal and by options."""

from __future__ import annotations

import io
import re
import stat
import sys
from collections.abc import Sequence

import pytest
from dotenv import dotenv_values

from openphone_sync.sandbox import CUSTOM_FIELDS
from tests.office import JAMES, Office, Ran
from tests.system.test_terminal import CTRL_C, PROGRAM, Terminal

CRONTAB = """#!/bin/sh
case $1 in
-l) cat {table} 2>/dev/null || {{ echo "no crontab for you" >&2; exit 1; }} ;;
-) cat > {table} ;;
esac
"""
SCHEDULED = (0, 1)
"""Exit codes of a set-up that schedules: 1 where no cron daemon runs. A test beside this one may start one at any time."""


class Newcomer:
    """An office with nothing but a database and a workspace, and a crontab program whose table is a file."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.key = office.environment.pop("OPENPHONE_API_KEY")
        self.url = office.environment.pop("DATABASE_URL")
        self.given = {"OPENPHONE_API_KEY": self.key, "DATABASE_URL": self.url}
        self.file = office.folder / "config" / "openphone-sync" / "env"
        self.crontab = office.folder / "crontab.table"
        program = office.folder / "bin" / "crontab"
        program.parent.mkdir()
        program.write_text(CRONTAB.format(table=self.crontab))
        program.chmod(0o755)
        office.environment["PATH"] = f"{program.parent}:{office.environment['PATH']}"

    def written(self) -> dict[str, str | None]:
        return dict(dotenv_values(self.file, interpolate=False))

    def forget_shell(self) -> None:
        """A new shell, which has none of the settings."""
        for name in [name for name in self.office.environment if name.startswith("OPENPHONE_")]:
            del self.office.environment[name]

    def refuse(self, *arguments: str, says: str, code: int, **settings: str) -> Ran:
        ran = self.office.run("init", *arguments, **settings)
        assert (ran.code, says in ran.err) == (code, True), ran.err
        assert len(ran.err.splitlines()) == 1
        return ran


@pytest.fixture
def newcomer(office: Office) -> Newcomer:
    return Newcomer(office)


def talk(
    newcomer: Newcomer,
    *turns: tuple[str, str],
    arguments: Sequence[str] = ("init",),
    program: Sequence[str] = PROGRAM,
) -> Terminal:
    """Answer questions in this order: the words of each and what is typed then."""
    terminal = Terminal(newcomer.office, *arguments, program=program)
    seen = 0
    for question, answer in turns:
        terminal.read_words(question, after=seen)
        seen = len(terminal.shown)
        if answer == CTRL_C:
            terminal.interrupt()
        else:
            terminal.type(answer)
    return terminal


KEY, URL, AGAIN = (
    "API key (hidden): ",
    "Connection string (hidden): ",
    "Enter keeps the present one): ",
)  # with the space of getpass
DRY_RUN, SCHEDULE = "Do a dry run now?", "Schedule it now?"


# --- on a terminal ---------------------------------------------------------------------------------------------------


def test_a_dialogue_ends_in_a_tested_and_scheduled_sync(newcomer: Newcomer) -> None:
    office = newcomer.office
    office.make_clients(JAMES)
    terminal = talk(
        newcomer,
        (KEY, "not-the-key\r"),
        (AGAIN, f"{newcomer.key}\r"),
        (URL, "postgresql://ann:s3cret-pw@127.0.0.1:1/law\r"),
        (AGAIN, f"{newcomer.url}\r"),
        (DRY_RUN, "\r"),
        (SCHEDULE, "y\r"),
    )
    assert terminal.finish() in SCHEDULED
    shown = terminal.shown
    assert "OpenPhone refused the API key" in shown
    assert "no connection to Postgres at 127.0.0.1" in shown
    assert "numbers: Main line (213) 555-01" in shown
    assert f"{len(CUSTOM_FIELDS) - 2} of {len(CUSTOM_FIELDS) - 2} found" in shown
    assert "table found: public.clients" in shown
    assert "James Smith" in shown  # the dry run
    assert "sync --limit 5" in " ".join(shown.split())
    for secret in (newcomer.key, "not-the-key", "s3cret-pw", newcomer.url):
        assert secret not in shown
    assert stat.S_IMODE(newcomer.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(newcomer.file.parent.stat().st_mode) == 0o700
    assert newcomer.written().items() >= {**newcomer.given, "OPENPHONE_CLIENT_TABLE": "public.clients"}.items()
    assert f"--env-file {newcomer.file}" in newcomer.crontab.read_text()
    assert not office.contacts()
    newcomer.forget_shell()
    assert office.run("test-connection", "--json").json["databaseConnection"]
    assert office.start("schedule", "start").communicate()[0].startswith("already scheduled")
    assert office.sync()["contacts"]["created"] == 2


def test_the_password_is_asked_for_where_the_string_holds_its_placeholder(newcomer: Newcomer) -> None:
    newcomer.office.make_clients(JAMES)
    url = newcomer.url.replace("postgres@", "postgres:{}@")
    terminal = talk(
        newcomer,
        (KEY, f"{newcomer.key}\r"),
        (URL, f"{url.format('[YOUR-PASSWORD]')}\r"),
        ("Database password (hidden): ", "p@ss/w\r"),
        (DRY_RUN, "n\r"),
        (SCHEDULE, "n\r"),
    )
    assert terminal.finish() == 0
    assert newcomer.written()["DATABASE_URL"] == url.format("p%40ss%2Fw")
    assert "p@ss" not in terminal.shown
    assert not newcomer.crontab.exists()


def test_several_tables_are_a_question(newcomer: Newcomer) -> None:
    newcomer.office.make_clients(JAMES)
    newcomer.office.sql("CREATE VIEW active AS SELECT id, client_name, phone FROM clients")
    newcomer.office.environment |= newcomer.given
    terminal = talk(
        newcomer,
        ("Which one holds the clients? [1]", "3\r"),
        ("Which one holds the clients? [1]", "2\r"),
        (DRY_RUN, "n\r"),
        (SCHEDULE, "n\r"),
        arguments=("init", "--env-file", ".env"),
    )
    assert terminal.finish() == 0
    assert "1  public.clients, " in terminal.shown
    assert "2  public.active, 3 columns recognised: id, client_name, phone" in terminal.shown
    assert "OPENPHONE_API_KEY is taken from the environment" in terminal.shown
    env = newcomer.office.folder / ".env"
    assert dotenv_values(env)["OPENPHONE_CLIENT_TABLE"] == "public.active"
    assert not newcomer.file.exists()


@pytest.mark.parametrize(("keys", "code"), [(CTRL_C, 130), ("\x04", 2)])
def test_ctrl_c_and_the_end_of_input_leave_nothing_written(newcomer: Newcomer, keys: str, code: int) -> None:
    terminal = talk(newcomer, (KEY, f"{newcomer.key}\r"), (URL, keys))
    assert terminal.finish() == code
    assert "stopped; nothing was saved" in terminal.shown
    assert "Traceback" not in terminal.shown
    assert not newcomer.file.parent.exists()


def test_ctrl_c_after_writing_says_where_the_settings_are(newcomer: Newcomer) -> None:
    newcomer.office.make_clients(JAMES)
    newcomer.office.environment |= newcomer.given
    terminal = talk(newcomer, (DRY_RUN, CTRL_C))
    assert terminal.finish() == 130
    assert re.sub(r"\s+", " ", terminal.shown).endswith(
        f"stopped; the settings are in {newcomer.file}, and openphone-sync test-connection tests them "
    )


def test_a_file_that_is_there_is_changed_only_with_a_yes(newcomer: Newcomer) -> None:
    newcomer.office.make_clients(JAMES)
    newcomer.file.parent.mkdir(parents=True)
    old = "# ours\nOPENPHONE_SOURCE=law-office\nOPENPHONE_API_KEY=old\n"
    newcomer.file.write_text(old)
    terminal = talk(newcomer, ("Change it? [y/N]", "\r"))
    assert terminal.finish() == 2
    assert newcomer.file.read_text() == old
    terminal = talk(
        newcomer,
        ("Change it? [y/N]", "y\r"),
        (AGAIN, f"{newcomer.key}\r"),
        (URL, f"{newcomer.url}\r"),
        (DRY_RUN, "n\r"),
        (SCHEDULE, "n\r"),
    )
    assert terminal.finish() == 0
    assert newcomer.file.read_text().startswith(
        f"# ours\nOPENPHONE_SOURCE=law-office\nOPENPHONE_API_KEY={newcomer.key}\n"
    )


def test_a_database_without_a_client_table_is_named_and_the_rest_can_be_kept(newcomer: Newcomer) -> None:
    newcomer.office.sql("CREATE TABLE people (nr int, who text)")
    newcomer.office.environment |= newcomer.given
    terminal = talk(newcomer, ("q = stop", "r\r"), (AGAIN, "\r"), ("q = stop", "w\r"))
    assert terminal.finish() == 1
    assert "tables in this database: public.people" in terminal.shown
    assert "Something does not work yet" in terminal.shown
    assert "Next:" not in terminal.shown
    assert newcomer.written().items() >= newcomer.given.items()
    assert DRY_RUN not in terminal.shown


# --- in a script -----------------------------------------------------------------------------------------------------


def test_a_script_needs_no_terminal_and_gets_one_document(newcomer: Newcomer) -> None:
    newcomer.office.make_clients(JAMES)
    ran = newcomer.office.run("init", "--yes", "--json", **newcomer.given)
    assert ran.code in SCHEDULED
    assert ran.err == ""
    document = ran.json
    assert (document["exitCode"], document["envFile"], document["isNew"]) == (ran.code, str(newcomer.file), True)
    assert [one["name"] for one in document["numbers"]] == ["Main line", "Intake"]
    assert document["customFields"]["missing"] == []
    assert [(one["name"], one["isChosen"]) for one in document["tables"]] == [("public.clients", True)]
    assert document["dryRun"]["contacts"]["created"] == 2
    assert document["schedule"]["isEnabled"]
    assert "James" not in ran.out
    assert newcomer.key not in ran.out
    assert "sync --quiet" in newcomer.crontab.read_text()


def test_without_a_terminal_nothing_more_than_the_file_is_made_by_itself(newcomer: Newcomer) -> None:
    newcomer.office.make_clients(JAMES)
    ran = newcomer.office.run("init", **newcomer.given)
    assert (ran.code, ran.err) == (0, "")
    assert f"saved in {newcomer.file}" in ran.out
    assert "Ctrl-C" not in ran.out
    assert not newcomer.crontab.exists()
    assert newcomer.office.run("init", "--quiet", "--overwrite", **newcomer.given).out == ""


def test_secrets_come_from_a_file_and_from_standard_input(newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch) -> None:
    newcomer.office.make_clients(JAMES)
    key_file = newcomer.office.folder / "key.txt"
    key_file.write_text(f"{newcomer.key}\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{newcomer.url}\n"))
    ran = newcomer.office.run("init", "--api-key-file", str(key_file), "--database-url-file", "-")
    assert (ran.code, ran.err) == (0, "")
    assert newcomer.written().items() >= newcomer.given.items()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--api-key-file", "nowhere.txt"), "nowhere.txt cannot be read"),
        (("--api-key-file", "two.txt"), "two.txt holds 2 lines"),
        (("--api-key-file", "-", "--database-url-file", "-"), "standard input can hold one of the two"),
    ],
)
def test_a_file_that_does_not_hold_one_line_is_a_usage_error(
    newcomer: Newcomer, arguments: tuple[str, ...], says: str
) -> None:
    (newcomer.office.folder / "two.txt").write_text("a\nb\n")
    ran = newcomer.office.run("init", *arguments)
    assert (ran.code, says in " ".join(ran.err.replace("│", " ").split())) == (2, True), ran.err
    assert not newcomer.file.exists()


def test_a_file_that_is_there_is_refused_without_overwrite(newcomer: Newcomer) -> None:
    newcomer.office.make_clients(JAMES)
    newcomer.file.parent.mkdir(parents=True)
    newcomer.file.write_text("OPENPHONE_SOURCE=law-office\n")
    newcomer.refuse("--yes", says="add --overwrite", code=2, **newcomer.given)
    assert newcomer.file.read_text() == "OPENPHONE_SOURCE=law-office\n"
    assert not newcomer.office.requests()
    ran = newcomer.office.run("init", "--overwrite", **newcomer.given)
    assert ran.code == 0
    assert newcomer.written().items() >= {**newcomer.given, "OPENPHONE_SOURCE": "law-office"}.items()
    assert stat.S_IMODE(newcomer.file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("settings", "says", "code"),
    [
        ({"OPENPHONE_API_KEY": "", "DATABASE_URL": ""}, "--api-key-file FILE and --database-url-file FILE", 2),
        ({"DATABASE_URL": ""}, "give --database-url-file FILE", 2),
        ({"OPENPHONE_API_KEY": "wrong"}, "OpenPhone refused the API key", 3),
        ({"DATABASE_URL": "postgresql://u:s3cret-pw@127.0.0.1:1/law"}, "no connection to Postgres", 3),
        ({"DATABASE_URL": "postgresql://u:[YOUR-PASSWORD]@127.0.0.1:1/law"}, "still holds the placeholder", 2),
        ({"OPENPHONE_NAME_THRESHOLD": "often"}, "OPENPHONE_NAME_THRESHOLD", 2),
        ({"OPENPHONE_CLIENT_TABLE": "nowhere"}, "the table nowhere does not exist", 2),
    ],
)
def test_a_script_ends_at_what_is_wrong_and_writes_nothing(
    newcomer: Newcomer, settings: dict[str, str], says: str, code: int
) -> None:
    newcomer.office.make_clients(JAMES)
    ran = newcomer.refuse(says=says, code=code, **newcomer.given | settings)
    assert "s3cret-pw" not in ran.out + ran.err
    assert not newcomer.file.parent.exists()
    document = newcomer.office.run("init", "--json", **newcomer.given | settings).json
    assert (document["status"], document["exitCode"]) == ("failed", code)


def test_a_script_names_the_table_where_several_could_be_it(newcomer: Newcomer) -> None:
    newcomer.office.sql("CREATE TABLE people (id int, client_name text)")
    newcomer.office.sql("CREATE TABLE persons (id int, client_name text)")
    newcomer.refuse(says="public.people, public.persons; name one with --table", code=2, **newcomer.given)
    ran = newcomer.office.run("init", "--table", "persons", "--json", **newcomer.given)
    assert [(one["name"], one["isChosen"]) for one in ran.json["tables"]] == [
        ("public.people", False),
        ("public.persons", True),
    ]
    assert newcomer.written()["OPENPHONE_CLIENT_TABLE"] == "persons"


def test_without_a_crontab_program_the_line_is_shown(newcomer: Newcomer) -> None:
    newcomer.office.make_clients(JAMES)
    ran = newcomer.office.run("init", "--schedule", PATH="/nonexistent", **newcomer.given)
    assert (ran.code, "no crontab program" in ran.err) == (2, True)
    assert "sync --quiet --wait 30m" in ran.out
    assert newcomer.file.exists()


def test_what_rules_over_the_new_file_is_named(newcomer: Newcomer) -> None:
    newcomer.office.make_clients(JAMES)
    (newcomer.office.folder / ".env").write_text("DATABASE_URL=postgresql://old/one\n")
    ran = newcomer.office.run("init", **newcomer.given)
    assert f"{newcomer.office.folder / '.env'} rules over the file; take DATABASE_URL out of it" in ran.out


def test_paths_in_the_file_lead_there_from_any_folder(newcomer: Newcomer) -> None:
    newcomer.office.make_clients(JAMES)
    (newcomer.office.folder / "q.sql").write_text("SELECT id, client_name, phone FROM clients")
    ran = newcomer.office.run("init", OPENPHONE_CLIENT_QUERY="@q.sql", OPENPHONE_STATE_DIR="my-state", **newcomer.given)
    assert ran.code == 0, ran.out + ran.err
    assert newcomer.written()["OPENPHONE_CLIENT_QUERY"] == f"@{newcomer.office.folder / 'q.sql'}"
    assert newcomer.written()["OPENPHONE_STATE_DIR"] == str(newcomer.office.folder / "my-state")


def test_a_link_to_the_file_stays_a_link(newcomer: Newcomer) -> None:
    newcomer.office.make_clients(JAMES)
    place = newcomer.office.folder / "dotfiles-env"
    place.write_text("")
    newcomer.file.parent.mkdir(parents=True)
    newcomer.file.symlink_to(place)
    assert newcomer.office.run("init", "--overwrite", **newcomer.given).code == 0
    assert newcomer.file.is_symlink()
    assert "DATABASE_URL" in place.read_text()
