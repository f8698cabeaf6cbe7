"""A failing sync with planted secrets: no byte that it writes holds one of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fault_injection import Fault, FaultKind
from tests.office import JAMES, Office
from tests.receiver import Receiver

KEY = "pl4ntedkeyABCDEFGHIJ0123456789xyz"
PASSWORD = "pl4nted-passw0rd"
HOOK = "pl4nted-h00k-token"
PEOPLE = ("Zebedee Quackenbush", "Quackenbush", "213-555-0134", "2135550134", "zebedee@example.com")

ZEBEDEE = {**JAMES, "client_name": "Zebedee Quackenbush", "email": "zebedee@example.com", "phone": "(213) 555-0134 x5"}

# A library that fails, quoting all it knows, wherever the program calls it.
BUG = """
import logging, os
import rapidfuzz.distance, phonenumbers
def fail(text, *rest, **more):
    logging.getLogger("a.library").warning("cannot parse %s of Zebedee Quackenbush <zebedee@example.com> at %s with %s",
        text, os.environ["DATABASE_URL"], {"Authorization": os.environ["OPENPHONE_API_KEY"]})
    raise RuntimeError(f"{text!r} of Zebedee Quackenbush, key {os.environ['OPENPHONE_API_KEY']}, {os.environ['DATABASE_URL']}")
phonenumbers.parse = fail
from openphone_sync.cli import main
main()
"""


def written(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("sandbox", [{"key": KEY}], indirect=True, ids=["planted key"])
@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("command", ["sync", "explain"])
def test_a_bug_writes_its_traceback_and_nobodys_data(office: Office, command: str, form: str) -> None:
    [client_id] = office.make_clients(ZEBEDEE)
    named = [client_id] if command == "explain" else []
    environment = office.environment | {
        "DATABASE_URL": f"{office.dsn}&password={PASSWORD}",
        "OPENPHONE_HEALTHCHECK_URL": f"http://127.0.0.1:9/{HOOK}",
        "OPENPHONE_ALERT_URLS": f"json://127.0.0.1:9/{HOOK}",
    }
    done = subprocess.run(
        [sys.executable, "-c", BUG, "-v", "--log-format", form, command, *named],
        env=environment,
        cwd=office.folder,
        capture_output=True,
        check=False,
    )
    if command == "sync":  # what goes wrong with a row fails only that client
        assert done.returncode == 1, done.stderr
        assert f"1 failed: client_{client_id}; ".encode() in done.stderr
    else:
        assert done.returncode == 70, done.stderr
        assert b"this is a bug in openphone-sync (RuntimeError at " in done.stderr
    log = (office.state_dir / "openphone-sync.log").read_text()
    assert "RuntimeError" in log
    assert "in fail" in log
    assert "a.library" in log
    files = written(office.state_dir) | {"stdout": done.stdout, "stderr": done.stderr}
    for name, data in files.items():
        for secret in (KEY, PASSWORD, HOOK):
            assert secret.encode() not in data, f"{secret} in {name}"
        for person in PEOPLE:
            assert person.encode() not in data, f"{person} in {name}"


def test_failing_contacts_are_told_by_id_alone(office: Office) -> None:
    (client_id,) = office.make_clients(ZEBEDEE)
    office.sandbox.faults.add(Fault(FaultKind.STATUS, status=400, method="POST", count=None))
    ran = office.run("sync", "-v")
    assert ran.code == 1
    assert f"client_{client_id}" in ran.err
    files = {name: data for name, data in written(office.state_dir).items() if "state.db" not in name}
    assert any("openphone-sync.log" in name for name in files)
    for name, data in (files | {"out": ran.out.encode(), "err": ran.err.encode()}).items():
        for person in PEOPLE:
            assert person.encode() not in data, f"{person} in {name}"
    assert json.loads((office.state_dir / "sync_metrics_openphone-daily-sync.json").read_text())["metrics"][
        "totalErrors"
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {"DATABASE_URL": f"postgresql://office:{PASSWORD}@127.0.0.1:1/law"},
        {"DATABASE_URL": f"postgresql://office:{PASSWORD}@[::broken/law"},
        {"DATABASE_URL": f"host=127.0.0.1 port=1 nonsense=1 password={PASSWORD}"},
        {"OPENPHONE_CLIENT_QUERY": "SELECT id, client_name, client_name::int AS phone FROM clients"},
        {"OPENPHONE_API_KEY": f"Bearer {KEY}"},
        {"OPENPHONE_API_KEY": KEY},
    ],
)
def test_what_stops_a_run_is_told_without_secrets(office: Office, settings: dict[str, str]) -> None:
    office.make_clients(ZEBEDEE)
    ran = office.run("sync", "-v", **settings)
    assert ran.code in {2, 3}
    files = {name: data for name, data in written(office.folder).items() if "state.db" not in name}
    everything = b"".join([ran.out.encode(), ran.err.encode(), *files.values()])
    for secret in (KEY, PASSWORD, *PEOPLE):
        assert secret.encode() not in everything, secret


QUOTED = "pl4nted_passw0rd"


@pytest.mark.parametrize("command", ["sync", "dry-run", "test-connection"])
def test_what_the_database_quotes_of_a_password_is_told_and_kept_nowhere(office: Office, command: str) -> None:
    settings = {"DATABASE_URL": f"{office.dsn}&password={QUOTED}", "OPENPHONE_CLIENT_QUERY": f"SELECT {QUOTED} AS id"}
    with Receiver() as receiver:
        settings["OPENPHONE_HEALTHCHECK_URL"] = f"http://{receiver.host}/ping"
        told = [office.run(command, *options, **settings) for options in ([], ["--json"])]
        received = "".join(got.path + got.body for got in receiver.take())
    assert all("column" in ran.out + ran.err for ran in told)
    everything = {**written(office.folder), "told": repr(told).encode(), "received": received.encode()}
    assert [name for name, data in everything.items() if QUOTED.encode() in data] == []


@pytest.mark.parametrize("placeholder", ["[YOUR-PASSWORD]", "[your-password]", "%5BYOUR-PASSWORD%5D"])
def test_a_placeholder_in_the_place_of_the_password_is_named(office: Office, placeholder: str) -> None:
    ran = office.run("sync", DATABASE_URL=f"postgresql://postgres:{placeholder}@127.0.0.1:1/postgres")
    assert ran.code == 2
    assert ran.err.startswith("openphone-sync: DATABASE_URL still holds the placeholder [YOUR-PASSWORD]; put ")


def test_an_at_sign_of_a_user_or_a_list_of_hosts_is_no_piece_of_a_password(office: Office) -> None:
    for dsn in ("host=127.0.0.1,127.0.0.2 port=1,1 user=me@server", "postgresql://me%40server:x@127.0.0.1:1"):
        ran = office.run("sync", DATABASE_URL=dsn)
        assert ran.code == 3, ran.err
        assert "database by default (connection refused)" in ran.err


@pytest.mark.parametrize("command", ["sync", "dry-run", "test-connection", "export-conversations"])
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://office:ab@3xyzSECRET@127.0.0.1:1/law",
        "postgresql://office:12/3xyzSECRET@127.0.0.1:1/law",
        "postgres://office:ab@3xyzSECRET/x@127.0.0.1:1/law",
        "dbname=postgresql://office:3xyzSECRET@127.0.0.1:1/law host=127.0.0.1 port=1",
        "host=office:3xyzSECRET@127.0.0.1 port=1",
    ],
)
def test_no_piece_of_an_unencoded_password_is_told_or_kept(office: Office, command: str, url: str) -> None:
    options = ["--format", "json"] if command == "export-conversations" else ["--json"]
    ran = office.run(command, *options, DATABASE_URL=url, OPENPHONE_ALERT_ON_FAILURE="false")
    assert ran.code == 2, ran.err
    assert "percent-encoded" in ran.err + ran.out
    everything = b"".join([ran.out.encode(), ran.err.encode(), *written(office.folder).values()])
    assert b"3xyz" not in everything


@pytest.mark.parametrize("setting", ["XDG_STATE_HOME", "OPENPHONE_STATE_DIR"])
def test_a_bug_before_the_settings_are_read_is_logged_where_the_message_says(office: Office, setting: str) -> None:
    code = (
        "import openphone_sync.cli.options as options\n"
        "import dotenv\n"
        "dotenv.dotenv_values = lambda *a, **k: 1 / 0\n"
        "from openphone_sync.cli import main\n"
        "main()\n"
    )
    (office.folder / ".env").write_text("X=1\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(office.folder), setting: str(office.folder / "s")}
    done = subprocess.run(
        [sys.executable, "-c", code, "status"],
        env=environment,
        cwd=office.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 70
    assert done.stderr.count("\n") == 1
    (log,) = (office.folder / "s").rglob("openphone-sync.log")
    assert f"; report it with {log}" in done.stderr
    assert "ZeroDivisionError" in log.read_text()


def test_logging_can_be_switched_off(office: Office) -> None:
    [client_id] = office.make_clients(ZEBEDEE)
    done = subprocess.run(
        [sys.executable, "-c", BUG, "explain", client_id],
        env=office.environment | {"OPENPHONE_ENABLE_LOGGING": "false"},
        cwd=office.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "set OPENPHONE_ENABLE_LOGGING=true" in done.stderr
    office.sync(OPENPHONE_ENABLE_LOGGING="false")
    assert not list(office.state_dir.glob("*.log*"))
    office.sync()
    assert list(office.state_dir.glob("*.log"))
