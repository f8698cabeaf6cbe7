"""How quickly the program answers: judged by what it imports; benchmarks/start_up.py measures."""

import subprocess
import sys

import pytest

from tests.office import JAMES, Office

QUICK = [["--help"], ["status", "--json"], ["metrics", "--json"], ["schedule", "show", "--json"]]
HEAVY = [
    "psycopg",
    "httpx",
    "pydantic",
    "phonenumbers",
    "rapidfuzz",
    "rich",
    "msgspec",
    "nicknames",
    "prometheus_client",
    "apprise",
    "jinja2",
    "asyncio",
    "ssl",
    "email",
    "logging.handlers",
    "openphone_sync.model",
    "openphone_sync.sandbox",
]


@pytest.mark.parametrize("command", QUICK, ids=" ".join)
def test_quick_commands_import_nothing_heavy(office: Office, command: list[str]) -> None:
    office.make_clients(JAMES)
    office.sync()
    assert not _run(office, command) & set(HEAVY)


def test_a_night_on_which_nothing_changed_loads_only_what_reads_rows(office: Office) -> None:
    office.make_clients(JAMES)
    office.sync()
    loaded = _run(office, ["sync", "--json"])
    assert "psycopg" in loaded
    assert not loaded & {"httpx", "rich", "phonenumbers", "nicknames", "prometheus_client", "jinja2"}


def _run(office: Office, command: list[str]) -> set[str]:
    """The modules that a command has loaded at its end."""
    code = (
        "import sys\n"
        "from openphone_sync.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    sys.stderr.write(' '.join(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        env=office.environment,
        cwd=office.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stderr.split())
    assert "openphone_sync.cli.app" in loaded
    return loaded
