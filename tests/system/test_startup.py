"""How quickly the program answers: judged by what it imports, and by the processor time of a whole process."""

import resource
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
    "stamina",
    "filelock",
    "prometheus_client",
    "apprise",
    "asyncio",
    "ssl",
    "email",
    "logging.handlers",
    "openphone_sync.model",
    "openphone_sync.sandbox",
]
LIMIT_S = 0.150
"""The promise; the machine that tests may be slower and busy, so the guard is the list, and this only a bound."""


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


def test_status_needs_little_processor_time(office: Office) -> None:
    office.make_clients(JAMES)
    office.sync()
    best = min(measure(office, "status", "--json") for _ in range(5))
    assert best < LIMIT_S * 2


def measure(office: Office, *command: str) -> float:
    """Seconds of processor time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "openphone_sync", *command],
        env=office.environment,
        cwd=office.folder,
        capture_output=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
