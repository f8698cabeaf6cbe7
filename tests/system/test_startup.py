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
    "filelock",
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
    assert not loaded & set(HEAVY)
