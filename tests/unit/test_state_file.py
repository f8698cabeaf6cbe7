"""The state file as a file: when it is read through, and what a night without changes reads of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from openphone_sync.errors import ConfigurationError
from openphone_sync.model import Link, Standing
from openphone_sync.state import Store, open_store
from openphone_sync.state.file import STATE_FILE
from openphone_sync.state.seal import CHECK_EVERY_S, SEAL_FILE

NOW = 1_790_000_000.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the state of a few hundred clients, closed in order."""
    with closing(open_store(tmp_path, NOW)) as store:
        store.save_clients([(f"{number:04}", b"mark", False) for number in range(500)])
        store.save_links([_make_link(number) for number in range(500)])
    return tmp_path


def _make_link(number: int) -> Link:
    standing = Standing.ORPHANED if number % 100 == 7 else Standing.LINKED
    return Link(f"client_{number:04}", f"{number:04}", 0, standing, f"contact-{number:04}", person="x" * 200)


def _damage(path: Path) -> None:
    """Overwrite a page in the middle, and leave size and time as they were: only reading it through can tell."""
    look = path.stat()
    with path.open("r+b") as file:
        file.seek(look.st_size // 4096 // 2 * 4096)
        file.write(b"\xff" * 4096)
    os.utime(path, ns=(look.st_atime_ns, look.st_mtime_ns))


def _open(folder: Path, now: float) -> None:
    open_store(folder, now).close()


def test_a_file_that_is_as_we_left_it_is_read_through_once_a_week(folder: Path) -> None:
    _damage(folder / STATE_FILE)
    _open(folder, NOW + CHECK_EVERY_S - 1)
    for now in (NOW + CHECK_EVERY_S, NOW - 1):
        with pytest.raises(ConfigurationError, match="is damaged"):
            _open(folder, now)


def test_opening_does_not_put_off_the_weekly_reading(folder: Path) -> None:
    for day in range(1, 7):
        with closing(open_store(folder, NOW + day * 86_400)) as store:
            store.save_fact("day", str(day))
    _damage(folder / STATE_FILE)
    with pytest.raises(ConfigurationError, match="is damaged"):
        _open(folder, NOW + CHECK_EVERY_S)


def _restore(folder: Path) -> None:
    shutil.copy(folder / STATE_FILE, folder / "copy")
    (folder / STATE_FILE).unlink()
    shutil.copy(folder / "copy", folder / STATE_FILE)


def _touch(folder: Path) -> None:
    os.utime(folder / STATE_FILE)


def _lose_seal(folder: Path) -> None:
    (folder / SEAL_FILE).unlink()


def _break_seal(folder: Path) -> None:
    (folder / SEAL_FILE).write_text('{"checkedAt": 1e999, "look": [')


def _leave_log(folder: Path) -> None:
    """As a process that died leaves it; SQLite takes no frame from it, since it belongs to no file."""
    (folder / f"{STATE_FILE}-wal").write_bytes(b"\0" * 64)


@pytest.mark.parametrize("change", [_restore, _touch, _lose_seal, _break_seal, _leave_log])
def test_a_file_that_is_not_as_we_left_it_is_read_through(folder: Path, change: Callable[[Path], None]) -> None:
    _damage(folder / STATE_FILE)
    change(folder)
    with pytest.raises(ConfigurationError, match="is damaged"):
        _open(folder, NOW + 60)


def test_a_process_that_died_leaves_a_file_that_is_read_through(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dead = tmp_path_factory.mktemp("dead")
    with closing(open_store(folder, NOW + 60)) as store:
        store.save_fact("half", "way")
        shutil.copytree(folder, dead, dirs_exist_ok=True)  # what a kill would leave: the log holds the last commits
    _damage(dead / STATE_FILE)
    with pytest.raises(ConfigurationError, match="is damaged"):
        _open(dead, NOW + 120)


def test_a_copy_of_the_whole_folder_is_as_whole_as_the_folder(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(folder, copy, dirs_exist_ok=True)  # keeps times, like cp -a
    _damage(copy / STATE_FILE)
    _open(copy, NOW + 60)


def test_what_every_run_asks_reads_no_table_of_contacts_through(folder: Path) -> None:
    with closing(open_store(folder, NOW)) as store:
        statements: list[str] = []
        store._connection.set_trace_callback(statements.append)
        _ask_as_every_run(store)
        store._connection.set_trace_callback(None)
        plans = {one: store._rows(f"EXPLAIN QUERY PLAN {one}") for one in statements if "links" in one}
        assert len(plans) >= 3, "the statements were seen"
        scans = [one for one, plan in plans.items() if any(step[3].startswith("SCAN l") for step in plan)]
        assert scans == []


def _ask_as_every_run(store: Store) -> None:
    assert store.count_linked() == 495
    assert len(store.read_links_standing(Standing.ORPHANED)) == 5
    assert store.read_links_standing(Standing.HELD, Standing.SKIPPED) == []
    assert len(list(store.read_clients())) == 500
    store.forget_acknowledged()
    assert store.count_held() == 0
