"""`test-connection`: every fault is found, named and comes with its fix, and hides no other."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from openphone_sync.config.mapping_file import load_built_in
from openphone_sync.doctor.machine import is_cron_running
from openphone_sync.ops.crontab import make_marks
from openphone_sync.sandbox import CUSTOM_FIELDS, CustomField, EmbeddedPostgres, SandboxOptions
from tests.fault_injection import FaultySandbox
from tests.office import JAMES, Office, Ran
from tests.system.test_schedule import put_env_file


def checks(ran: Ran) -> dict[str, Any]:
    return {one["name"]: one for one in ran.json["checks"]}


def failing(ran: Ran) -> list[str]:
    return [one["name"] for one in ran.json["checks"] if not one["ok"]]


def test_a_sound_office_passes_and_nobodys_data_shows(office: Office) -> None:
    office.make_clients(JAMES)
    ran = office.run("test-connection", "--json")
    assert ran.code == 0
    assert ran.json["openPhoneConnection"] is True
    assert ran.json["databaseConnection"] is True
    assert ran.json["sampleClients"] == 1
    assert ran.json["errors"] == []
    assert all(set(one) == {"name", "ok", "detail", "mend"} for one in ran.json["checks"])
    assert "Main line, Intake" in checks(ran)["api key"]["detail"]
    assert "Postgres 1" in checks(ran)["database"]["detail"]
    assert not office.requests("POST", "PATCH", "DELETE")
    for secret in ("James", "Smith", "555", office.sandbox.options.key):
        assert secret not in ran.out
    plain = office.run("test-connection")
    assert plain.code == 0
    assert all(line.startswith(("ok  ", "      ")) for line in plain.out.splitlines())
    assert office.run("test-connection", "-q").out == ""


@pytest.mark.parametrize(
    ("settings", "api", "database", "code"),
    [
        ({"OPENPHONE_API_KEY": "wrong"}, False, True, 3),
        ({"OPENPHONE_BASE_URL": "http://127.0.0.1:9"}, False, True, 3),
        ({"DATABASE_URL": "postgresql://u:s3cret-pw@127.0.0.1:1/law"}, True, False, 3),
        ({"DATABASE_URL": "postgresql://u:s3cret-pw@127.0.0.1:1/law", "OPENPHONE_API_KEY": "wrong"}, False, False, 3),
        ({"DATABASE_URL": "postgresql://u:s3cret-pw@[broken"}, True, False, 2),
        ({"DATABASE_URL": ""}, True, False, 2),
        ({"OPENPHONE_API_KEY": ""}, False, True, 2),
        ({"OPENPHONE_STATE_DIR": "/proc/nowhere"}, True, True, 1),
    ],
)
def test_both_sides_are_reported_whatever_fails(
    office: Office, settings: dict[str, str], api: bool, database: bool, code: int
) -> None:
    office.make_clients(JAMES)
    ran = office.run("test-connection", "--json", **settings)
    assert (ran.code, ran.json["openPhoneConnection"], ran.json["databaseConnection"]) == (code, api, database)
    assert ran.json["errors"]
    assert all(checks(ran)[name]["mend"] for name in failing(ran))
    assert "s3cret-pw" not in ran.out + ran.err


def test_missing_and_unfit_custom_fields_are_named_with_their_type(office: Office, dsn: str) -> None:
    office.make_clients(JAMES)
    fields = tuple(
        CustomField(one.name, "boolean") if one.name == "Date of Birth" else one
        for one in CUSTOM_FIELDS
        if one.name != "County"
    )
    with FaultySandbox(SandboxOptions(rate_limit=500, custom_fields=fields)) as sandbox:
        ran = office.run("test-connection", "--json", OPENPHONE_BASE_URL=sandbox.base_url)
    assert ran.code == 1
    found = checks(ran)["custom fields"]
    assert "missing: County (string)" in found["detail"]
    assert "unfit type: Date of Birth is boolean" in found["detail"]
    assert "in the app" in found["mend"]


def test_a_missing_table_is_named(office: Office) -> None:
    ran = office.run("test-connection", "--json")
    assert ran.code == 1
    assert failing(ran) == ["table"]
    assert "OPENPHONE_CLIENT_TABLE" in checks(ran)["table"]["mend"]


def test_columns_and_types_are_looked_at(office: Office) -> None:
    office.sql("CREATE TABLE clients (id int PRIMARY KEY, client_name text, phone bigint)")
    office.sql("INSERT INTO clients VALUES (1, 'Ann Lee', 2135550134), (2, 'Ann Lee', 2135550135)")
    ran = office.run("test-connection", "--json")
    assert failing(ran) == ["column types"]
    assert "phone is bigint" in checks(ran)["column types"]["detail"]
    assert "county" in checks(ran)["columns"]["detail"]
    assert "1 name is" in checks(ran)["duplicate names"]["detail"]
    assert "Ann" not in ran.out


def test_row_security_that_hides_every_row_is_found(office: Office, postgres: EmbeddedPostgres) -> None:
    office.make_clients(JAMES)
    reader = "reader"
    office.sql(f"DROP ROLE IF EXISTS {reader}; CREATE ROLE {reader} LOGIN")
    office.sql(f"GRANT SELECT ON clients TO {reader}")
    office.sql("ALTER TABLE clients ENABLE ROW LEVEL SECURITY")
    dsn = postgres.dsn(str(psycopg.conninfo.conninfo_to_dict(office.dsn)["dbname"]), user=reader)
    ran = office.run("test-connection", "--json", DATABASE_URL=dsn)
    assert ran.code == 1
    assert "row-level security" in failing(ran)
    assert f"lets {reader} SELECT" in checks(ran)["row-level security"]["mend"]
    seen = office.run("test-connection", "--json")
    assert "bypasses it" in checks(seen)["row-level security"]["detail"]
    assert seen.code == 0
    office.sql(f"REVOKE ALL ON clients FROM {reader}")
    refused = office.run("test-connection", "--json", DATABASE_URL=dsn)
    assert failing(refused) == ["table"]
    assert "GRANT SELECT" in checks(refused)["table"]["mend"]


@pytest.mark.parametrize("ending", [";", "; -- all of them", " -- all\n;\n"])
def test_a_client_query_is_looked_at_too(office: Office, ending: str) -> None:
    office.sql("CREATE TABLE people (nr int, who text, tel text)")
    office.sql("INSERT INTO people VALUES (1, '100%% Ann', '213 555 0134')")
    query = "SELECT nr AS id, who AS client_name, tel AS phone FROM people WHERE who LIKE '100%'"
    ran = office.run("test-connection", "--json", OPENPHONE_CLIENT_QUERY=query + ending)
    assert ran.code == 0, ran.out
    assert ran.json["sampleClients"] == 1
    assert checks(ran)["table"]["detail"] == "the client query, 1 rows"


def test_a_state_folder_open_to_others_is_found(office: Office) -> None:
    office.make_clients(JAMES)
    office.sync()
    office.state_dir.chmod(0o755)
    ran = office.run("test-connection", "--json")
    assert failing(ran) == ["state folder"]
    assert checks(ran)["state folder"]["mend"].startswith("run chmod 700")


@pytest.mark.parametrize(
    ("command", "detail"),
    [
        (
            "{program} --env-file {file} --state-dir '{state}' sync # don't worry about a sync by hand",
            "the line starts in",
        ),
        ("{program} --env-file={file} --state-dir '{state}' sync --quiet >> /tmp/log", "the line starts in"),
        ("cd {folder} && {program} --env-file .env --state-dir '{state}' sync", "the line starts in"),
        ("{program} --state-dir '{state}' sync", "cron has none of this shell's variables"),
        ("{program} --env-file '{file} --state-dir '{state}' sync", "does not start"),
        ("{program} --env-file {file} status", "does not start"),
        ("cd", "cron has none of this shell's variables"),
    ],
)
def test_a_line_that_somebody_edited_is_judged_as_the_shell_reads_it(
    office: Office, tmp_path: Path, command: str, detail: str
) -> None:
    office.make_clients(JAMES)
    file, state = put_env_file(office), tmp_path / "our sync state"
    begin, end = make_marks(state)
    line = command.format(program=f"{sys.executable} -m openphone_sync", file=file, folder=file.parent, state=state)
    (tmp_path / "table").write_text(f"{begin}\n0 2 * * * {line}\n{end}\n")
    (tmp_path / "crontab").write_text(f"#!/bin/sh\ncat {tmp_path}/table\n")
    (tmp_path / "crontab").chmod(0o755)
    path = f"{tmp_path}:{office.environment['PATH']}"
    ran = office.run("test-connection", "--json", "--state-dir", str(state), PATH=path)
    assert detail in checks(ran)["schedule"]["detail"]
    assert not office.contacts()


def test_a_state_folder_that_cannot_be_reached_hides_nothing_else(office: Office) -> None:
    office.make_clients(JAMES)
    ran = office.run("test-connection", "--json", OPENPHONE_STATE_DIR="/tmp/" + "x" * 300)
    assert ran.code == 1
    assert failing(ran) == ["state folder"]
    assert "cannot be reached" in checks(ran)["state folder"]["detail"]
    assert ran.json["databaseConnection"] is True


def test_misspelt_settings_are_shown(office: Office) -> None:
    office.make_clients(JAMES)
    file = office.folder / ".env"
    names = [rule.setting for _, person in load_built_in().persons() for rule in person.fields]
    file.write_text("".join(f"OPENPHONE_CF_{name}_KEY=x\n" for name in names))
    assert checks(office.run("test-connection", "--json"))["settings"]["mend"] == ""
    file.write_text("OPENPHONE_CF_CONTY_KEY=x\nOPENPHONE_ON_REMOVD=delete\nANOTHER_PROGRAMS=x\n")
    ran = office.run("test-connection", "--json")
    assert ran.code == 0
    assert [(one["detail"], one["mend"]) for one in ran.json["checks"] if one["name"] == "settings"] == [
        ("unknown setting OPENPHONE_CF_CONTY_KEY in an env file", "write OPENPHONE_CF_COUNTY_KEY, if that is meant"),
        ("unknown setting OPENPHONE_ON_REMOVD in an env file", "write OPENPHONE_ON_REMOVED, if that is meant"),
    ]


def test_a_slow_pace_is_priced(office: Office) -> None:
    office.make_clients(JAMES)
    ran = office.run("test-connection", "--json", OPENPHONE_RATE_LIMIT_SECOND="1")
    assert "17 min" in checks(ran)["pace"]["detail"]
    assert ran.code == 0


def test_settings_that_are_not_accepted_hide_no_other_check(office: Office) -> None:
    office.make_clients(JAMES)
    ran = office.run(
        "test-connection", "--json", OPENPHONE_HEALTHCHECK_URL="hc-ping.com/my-uuid", OPENPHONE_NAME_THRESHOLD="often"
    )
    assert (ran.code, ran.err) == (2, "")
    assert failing(ran) == ["settings", "settings"]
    faulty = [(one["detail"], one["mend"]) for one in ran.json["checks"] if one["name"] == "settings"]
    assert faulty == [
        ("OPENPHONE_NAME_THRESHOLD: 'often' is not accepted", "give a number from 0 to 1"),
        ("OPENPHONE_HEALTHCHECK_URL: its value is not accepted", "give a web address such as https://hc-ping.com/..."),
    ]
    assert (ran.json["openPhoneConnection"], ran.json["databaseConnection"]) == (True, True)
    assert "my-uuid" not in ran.out


@pytest.mark.parametrize(
    ("settings", "name", "detail", "api", "database"),
    [
        (
            {"OPENPHONE_API_KEY": "Bearer my-key"},
            "api key",
            "OPENPHONE_API_KEY: its value is not accepted",
            False,
            True,
        ),
        ({"DATABASE_URL": "db.example.com my-pw"}, "database", "DATABASE_URL: its value is not accepted", True, False),
    ],
)
def test_a_malformed_key_or_connection_string_fails_its_own_check_only(
    office: Office, settings: dict[str, str], name: str, detail: str, api: bool, database: bool
) -> None:
    office.make_clients(JAMES)
    ran = office.run("test-connection", "--json", **settings)
    assert (ran.code, ran.json["openPhoneConnection"], ran.json["databaseConnection"]) == (2, api, database)
    assert failing(ran) == [name]
    assert checks(ran)[name]["detail"] == detail
    assert "my-" not in ran.out + ran.err


@pytest.mark.parametrize("command", ["status", "runs list", "problems", "links", "schedule show", "sync"])
def test_every_command_names_a_misspelt_setting_on_one_line(office: Office, command: str) -> None:
    office.make_clients(JAMES)
    (office.folder / ".env").write_text("OPENPHONE_ON_REMOVD=delete\n")
    others = {"OPENPHONE_API_KEYS": "x", "OPENPHONE_WEBHOOK_SECRET": "of another program"}
    ran = office.run(*command.split(), "--json", **others)
    assert ran.err.splitlines() == [
        "openphone-sync: unknown setting OPENPHONE_API_KEYS in the environment; write OPENPHONE_API_KEY, if that is meant",
        "openphone-sync: unknown setting OPENPHONE_ON_REMOVD in an env file; write OPENPHONE_ON_REMOVED, if that is meant",
    ]
    assert ran.json["schemaVersion"] == 1
    assert office.run(*command.split(), "--quiet", **others).err == ""


HEALTH_CHECK = """
set -eu
test_result=$({program} test-connection --json)
echo "openphone $(echo "$test_result" | jq '.openPhoneConnection // false')"
echo "database $(echo "$test_result" | jq '.databaseConnection // false')"
echo "sample $(echo "$test_result" | jq '.sampleClients // 0')"
status=$({program} status --json)
echo "scheduler $(echo "$status" | jq -r '.scheduler.status')"
echo "running $(echo "$status" | jq -r '.syncService.isInProgress')"
echo "enabled $(echo "$status" | jq -r '.scheduler.isEnabled')"
metrics=$({program} metrics --json)
echo "runs $(echo "$metrics" | jq '.metrics.totalRuns')"
echo "good $(echo "$metrics" | jq '.metrics.successfulRuns')"
"""


@pytest.mark.system
def test_the_predecessors_health_check_keeps_working(office: Office, needs: Any) -> None:
    needs("jq", "bash")
    office.make_clients(JAMES)
    office.sync()
    script = HEALTH_CHECK.replace("{program}", f"{sys.executable} -m openphone_sync")
    done = subprocess.run(
        ["bash", "-c", script], env=office.environment, cwd=office.folder, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "openphone true",
        "database true",
        "sample 1",
        "scheduler stopped",
        "running false",
        "enabled false",
        "runs 1",
        "good 1",
    ]


# --- the state, cron and timers --------------------------------------------------------------------------------------


def test_the_state_file_is_opened_and_judged(office: Office) -> None:
    office.make_clients(JAMES)
    assert checks(office.run("test-connection", "--json"))["state file"]["detail"] == "none yet"
    office.sync()
    assert checks(office.run("test-connection", "--json"))["state file"]["detail"] == "whole"
    path = office.state_dir / "state.db"
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 3] = b"\xff" * 4096 * 2
    path.write_bytes(content)
    found = checks(office.run("test-connection", "--json"))["state file"]
    assert not found["ok"]
    assert "is damaged" in found["detail"]
    assert "backups" in found["mend"]


def test_an_empty_state_beside_its_copies_is_named(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    office.change_client(client_id, county="Kern")
    office.sync()
    for path in office.state_dir.glob("state.db*"):
        path.unlink()
    found = checks(office.run("test-connection", "--json"))["state file"]
    assert not found["ok"]
    assert "is empty, but there are copies of a full one" in found["detail"]
    assert "cp " in found["mend"]


def test_a_second_state_folder_is_named(office: Office) -> None:
    office.make_clients(JAMES)
    office.sync()
    other = office.folder / ".local" / "state" / "openphone-sync"
    assert str(other) not in office.run("test-connection", "--json").out
    other.mkdir(parents=True)
    (other / "state.db").touch()
    assert str(other) in checks(office.run("test-connection", "--json"))["other state"]["detail"]


def test_supabase_settings_without_a_connection_string_are_explained(office: Office) -> None:
    del office.environment["DATABASE_URL"]
    ran = office.run("test-connection", "--json", SUPABASE_URL="https://x.supabase.co", SUPABASE_SERVICE_KEY="k" * 40)
    assert "press Connect in the Supabase dashboard" in checks(ran)["database"]["mend"]


def test_a_schedule_that_differs_from_the_setting_is_named(office: Office, tmp_path: Path) -> None:
    begin, end = make_marks(office.state_dir)
    line = f"0 2 * * * {sys.executable} -m openphone_sync --state-dir {office.state_dir} sync"
    (tmp_path / "crontab").write_text(f"#!/bin/sh\nprintf '%s\\n' '{begin}' '{line}' '{end}'\n")
    (tmp_path / "crontab").chmod(0o755)
    settings = {"PATH": f"{tmp_path}:{office.environment['PATH']}"}
    assert "schedule setting" not in checks(office.run("test-connection", "--json", **settings))
    ran = office.run("test-connection", "--json", OPENPHONE_SYNC_SCHEDULE="30 4 * * *", **settings)
    detail = checks(ran)["schedule setting"]["detail"]
    assert detail == "the crontab says 0 2 * * *, OPENPHONE_SYNC_SCHEDULE says 30 4 * * *"


@pytest.mark.parametrize(
    ("names", "running"), [(("systemd", "cron"), True), (("init", "crond"), True), (("sh",), False)]
)
def test_a_cron_daemon_is_found_by_its_process(names: tuple[str, ...], running: bool, tmp_path: Path) -> None:
    for number, name in enumerate(names, start=1):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "comm").write_text(f"{name}\n")
    assert is_cron_running(tmp_path) is running
    assert is_cron_running(tmp_path / "nothing") is None


def put_timer(office: Office, state_dir: Path) -> None:
    folder = office.folder / "config" / "systemd" / "user"
    (folder / "timers.target.wants").mkdir(parents=True)
    for unit in ("timer", "service"):
        text = (Path(__file__).parents[2] / "docs" / "systemd" / f"openphone-sync.{unit}").read_text()
        (folder / f"openphone-sync.{unit}").write_text(text.replace("/var/lib/openphone-sync", str(state_dir)))
    (folder / "timers.target.wants" / "openphone-sync.timer").symlink_to(folder / "openphone-sync.timer")


def test_a_systemd_timer_is_a_schedule_and_no_second_one_is_made_beside_it(office: Office) -> None:
    put_timer(office, office.state_dir)
    status = office.run("status", "--json").json["scheduler"]
    assert (status["status"], status["isEnabled"], status["timer"]) == ("idle", True, "openphone-sync.timer")
    assert "*-*-* 02:00:00 by the systemd timer openphone-sync.timer" in office.run("status").out
    assert "openphone-sync.timer" in checks(office.run("test-connection", "--json"))["schedule"]["detail"]
    started = office.run("schedule", "start")
    assert started.code == 2
    assert "systemctl disable --now openphone-sync.timer" in started.err


def test_a_timer_of_another_state_folder_is_none_of_ours(office: Office) -> None:
    put_timer(office, office.folder / "another")
    assert office.run("status", "--json").json["scheduler"]["isEnabled"] is False
