"""The crontab as text: our line goes in and out, every other byte stays; and when the next runs are."""

import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import pytest

from openphone_sync.errors import ConfigurationError
from openphone_sync.ops.crontab import (
    Job,
    drop_entry,
    find_entry,
    find_program,
    find_zone,
    make_bare_environ,
    make_options,
    next_runs,
    parse_line,
    put_entry,
)

STATE = Path("/var/lib/openphone-sync")
JOB = Job("0 2 * * *", ("/opt/bin/openphone-sync",), make_options(None, STATE), STATE)
MARKS = JOB.marks()
TABLES = [
    b"",
    b"MAILTO=office@example.com\n\n# nightly\n5 4 * * * backup\n",
    b"\n\n\n",
    b'# latin-1: caf\xe9\r\n1 1 1 1 1 echo "50\\%"\t \n',
    b"# BEGIN openphone-sync /elsewhere\n0 3 * * * other sync\n# END openphone-sync /elsewhere\n",
]


@pytest.mark.parametrize("table", TABLES)
def test_putting_and_dropping_leaves_every_other_byte(table: bytes) -> None:
    with_line = put_entry(table, JOB)
    assert with_line.startswith(table)
    assert drop_entry(with_line, MARKS) == table


@pytest.mark.parametrize("table", TABLES)
def test_putting_twice_changes_nothing(table: bytes) -> None:
    once = put_entry(table, JOB)
    assert put_entry(once, JOB) == once


def test_a_changed_line_is_replaced_where_it_stands() -> None:
    table = put_entry(b"first\n", JOB) + b"last\n"
    later = Job("30 1 * * *", JOB.program, JOB.options, STATE)
    changed = put_entry(table, later)
    assert changed == table.replace(b"0 2 * * *", b"30 1 * * *")
    found = find_entry(changed, MARKS)
    assert found is not None
    assert found.schedule == "30 1 * * *"


def test_a_last_line_without_a_break_gets_one() -> None:
    assert put_entry(b"1 1 1 1 1 a", JOB).startswith(b"1 1 1 1 1 a\n# BEGIN")


def test_a_copied_entry_is_made_one_again() -> None:
    entry = put_entry(b"", JOB)
    assert put_entry(entry + b"mine\n" + entry, JOB) == entry + b"mine\n"


@pytest.mark.parametrize(
    "table",
    [
        f"{MARKS[0]}\n0 2 * * * x\n".encode(),
        f"0 2 * * * x\n{MARKS[1]}\n".encode(),
        f"{MARKS[0]}\n0 2 * * * x\n0 9 * * * somebody's own line\n{MARKS[1]}\n".encode(),
    ],
)
def test_damaged_marks_are_left_alone(table: bytes) -> None:
    with pytest.raises(ConfigurationError, match="crontab -e"):
        put_entry(table, JOB)
    with pytest.raises(ConfigurationError, match="crontab -e"):
        drop_entry(table, MARKS)


def test_two_state_folders_have_a_line_each() -> None:
    other = Job("0 3 * * *", JOB.program, make_options(None, Path("/srv/b")), Path("/srv/b"))
    both = put_entry(put_entry(b"", JOB), other)
    assert both.count(b"# BEGIN") == 2
    assert drop_entry(both, MARKS) == put_entry(b"", other)


def test_odd_paths_survive_cron_and_the_shell() -> None:
    folder = Path('/tmp/it\'s 100% "odd" $HOME')
    job = Job("0 2 * * *", ("/bin/echo",), make_options(folder / ".env", folder), folder)
    line = job.line()
    assert "%" not in line.replace(r"\%", "")
    command = parse_line(line).command
    printed = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert printed == f"--env-file {folder}/.env --state-dir {folder} sync --quiet --wait 30m\n"


@pytest.mark.parametrize("path", ["/tmp/back\\slash", "/tmp/line\nbreak"])
def test_paths_that_cron_would_spoil_are_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot hold"):
        Job("0 2 * * *", ("/bin/echo",), make_options(None, Path(path)), Path(path)).line()


def test_several_env_files_make_the_job_start_in_their_folder() -> None:
    job = Job("0 2 * * *", ("/bin/x",), (), STATE, Path("/srv/my office"))
    assert job.line() == "0 2 * * * cd '/srv/my office' && /bin/x sync --quiet --wait 30m"


def test_a_nickname_is_understood() -> None:
    line = parse_line("@daily /bin/x sync")
    assert (line.schedule, line.command) == ("@daily", "/bin/x sync")
    assert next_runs("@daily", datetime(2026, 1, 1, 5, tzinfo=UTC), 1) == [datetime(2026, 1, 2, tzinfo=UTC)]
    assert next_runs("@reboot", datetime(2026, 1, 1, tzinfo=UTC), 1) == []


NEW_YORK = ZoneInfo("America/New_York")


def test_a_night_job_in_the_hour_that_spring_skips_runs_once() -> None:
    runs = next_runs("30 2 * * *", datetime(2026, 3, 7, 12, tzinfo=NEW_YORK), 3)
    # 02:30 does not exist on the 8th: cron runs it as soon as the clock has sprung, and keeps the hour afterwards.
    assert [run.isoformat() for run in runs] == [
        "2026-03-08T03:00:00-04:00",
        "2026-03-09T02:30:00-04:00",
        "2026-03-10T02:30:00-04:00",
    ]


def test_a_night_job_in_the_hour_that_autumn_repeats_runs_once() -> None:
    runs = next_runs("30 1 * * *", datetime(2026, 10, 31, 12, tzinfo=NEW_YORK), 2)
    assert [run.isoformat() for run in runs] == ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"]
    assert runs[1].timestamp() - runs[0].timestamp() == timedelta(hours=25).total_seconds()


def test_the_zone_is_that_of_tz_then_the_systems(tmp_path: Path) -> None:
    assert find_zone({"TZ": "America/New_York"}) == NEW_YORK
    assert find_zone({"TZ": "no such zone"}) is not None
    assert find_zone({}, localtime=tmp_path / "missing") is not None
    berlin = tmp_path / "localtime"
    berlin.symlink_to(next(Path(one) / "Europe/Berlin" for one in TZPATH if (Path(one) / "Europe/Berlin").exists()))
    assert datetime(2026, 7, 1, tzinfo=find_zone({}, localtime=berlin)).utcoffset() == timedelta(hours=2)


def test_crontab_example_is_what_start_would_install() -> None:
    state = Path("/home/office/.local/state/openphone-sync")
    options = make_options(Path("/home/office/openphone/.env"), state)
    job = Job("0 2 * * *", ("/home/office/.local/bin/openphone-sync",), options, state)
    example = (Path(__file__).parents[2] / "crontab.example").read_bytes()
    entry = put_entry(b"", job)
    assert example.endswith(entry)
    assert put_entry(example, job) == example
    assert all(line.startswith(b"#") for line in example.removesuffix(entry).splitlines())


def test_the_program_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "openphone-sync"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert find_program("bin/openphone-sync", sys.executable) == (str(program),)
    monkeypatch.setenv("PATH", str(program.parent))
    assert find_program("openphone-sync", sys.executable) == (str(program),)
    assert find_program("/x/openphone_sync/__main__.py", "/usr/bin/python3") == (
        "/usr/bin/python3",
        "-m",
        "openphone_sync",
    )


def test_crons_surroundings_are_bare() -> None:
    bare = make_bare_environ({"PATH": "/opt/bin", "LANG": "de_DE.UTF-8", "OPENPHONE_API_KEY": "x", "TZ": "UTC"})
    assert bare["PATH"] == "/usr/bin:/bin"
    assert set(bare) == {"HOME", "LOGNAME", "SHELL", "PATH", "TZ"}
    assert shlex.split(JOB.line())[-4:] == ["sync", "--quiet", "--wait", "30m"]
