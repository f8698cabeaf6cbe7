"""Fixtures: one embedded Postgres for each worker, one database, sandbox and state folder for each test."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import hypothesis
import pytest

from openphone_sync.cli.signals import ENDING
from openphone_sync.sandbox import EmbeddedPostgres, SandboxOptions
from tests.fault_injection import FaultySandbox
from tests.office import FAST, Office, empty_database, find_program, open_office

# No test is timed: a busy machine must not fail one.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
# A mutation run repeats: the same examples every time, and a failure is enough, nobody reads it.
hypothesis.settings.register_profile(
    "mutation",
    hypothesis.settings.get_profile("untimed"),
    derandomize=True,
    database=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
hypothesis.settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Most mutants are killed by a unit test, which takes milliseconds."""
    if hypothesis.settings.get_current_profile_name() == "mutation":
        items.sort(key=lambda item: "property" in item.nodeid)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests with ``@pytest.mark.system("program", ...)`` run where these programs are, and name what is absent."""
    for mark in item.iter_markers("system"):
        _skip_without(mark.args)


def _skip_without(programs: Iterable[str]) -> None:
    absent = [name for name in programs if find_program(name) is None]
    if absent:
        pytest.skip(f"absent from this machine: {', '.join(absent)}")


@pytest.fixture(autouse=True)
def _keep_signals() -> Iterator[None]:
    """A command that has ended in this process ignores signals, and the processes of later tests would inherit that."""
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A server of our own; its databases are made by the tests."""
    with EmbeddedPostgres() as server:
        yield server


@pytest.fixture(scope="session")
def shared_dsn(postgres: EmbeddedPostgres) -> str:
    """The database of all tests; `dsn` gives it to one at a time."""
    return postgres.create_database("office")


@pytest.fixture
def dsn(shared_dsn: str) -> Iterator[str]:
    """An empty database. It is emptied after the test, which takes a tenth of making another."""
    yield shared_dsn
    empty_database(shared_dsn)


@pytest.fixture
def another_dsn(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A second empty database, for tests in which the office moves."""
    yield postgres.create_database("another")
    postgres.drop_database("another")


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[FaultySandbox]:
    """An OpenPhone at 500 requests a second, without contacts; an indirect parameter names other options."""
    with FaultySandbox(SandboxOptions(**{"rate_limit": FAST, **getattr(request, "param", {})})) as server:
        yield server


@pytest.fixture
def office(dsn: str, sandbox: FaultySandbox, tmp_path: Path) -> Iterator[Office]:
    """A law office: its database, its OpenPhone, its state folder, and the command line."""
    with open_office(dsn, sandbox, tmp_path) as office:
        yield office


@pytest.fixture
def needs() -> Callable[..., None]:
    """Skip the test where a program of the system is absent, and name it."""

    def check(*programs: str) -> None:
        _skip_without(programs)

    return check
