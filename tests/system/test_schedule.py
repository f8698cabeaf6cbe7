"""`schedule` on the real `crontab` program, the real cron daemon, and the real `promtool`."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.office import JAMES, Office, Ran, wait_until

SENDMAIL = Path("/usr/sbin/sendmail")
OWN = b'MAILTO=root\n# somebody\'s own\n5 4 1 1 * echo "50\\%"\t \n'


@pytest.fixture
def crontab(needs: Callable[..., None]) -> Iterator[None]:
    """This user's crontab, which must be empty before and is empty afterwards."""
    needs("crontab")
    if read():
        pytest.skip("this user has a crontab of their own")
    yield
    subprocess.run(["crontab", "-r"], capture_output=True, check=False)


def read() -> bytes:
    return subprocess.run(["crontab", "-l"], capture_output=True, check=False).stdout


def install(table: bytes) -> None:
    subprocess.run(["crontab", "-"], input=table, check=True)


def backups(office: Office) -> list[bytes]:
    return [path.read_bytes() for path in sorted((office.state_dir / "crontabs").iterdir())]


def put_env_file(office: Office) -> Path:
    """The settings where cron finds them."""
    keep = {name: value for name, value in office.environment.items() if name.startswith(("OPENPHONE_", "DATABASE"))}
    file = office.folder / ".env"
    file.write_text("".join(f"{name}='{value}'\n" for name, value in keep.items()))
    file.chmod(0o600)
    for name in keep:
        del office.environment[name]
    return file


@pytest.mark.system
@pytest.mark.usefixtures("crontab")
@pytest.mark.parametrize("before", [b"", OWN])
def test_start_and_stop_leave_every_other_byte(office: Office, before: bytes) -> None:
    if before:
        install(before)
    put_env_file(office)
    state = ("--state-dir", str(office.state_dir))
    started = office.run("schedule", "start", *state)
    assert (started.code, started.err) == (0, "")
    after = read()
    assert after.startswith(before)
    assert office.run("schedule", "start", *state).out.startswith("already scheduled")
    assert read() == after
    assert backups(office) == [before]
    shown = office.run("schedule", "show", "--json", *state).json
    assert shown["isEnabled"]
    assert len(shown["nextRuns"]) == 5
    assert office.run("status", "--json", *state).json["scheduler"] == {
        "jobId": "openphone-daily-sync",
        "status": "idle",
        "isEnabled": True,
        "schedule": "0 2 * * *",
        "nextRun": shown["nextRuns"][0],
    }
    changed = office.run("schedule", "start", *state, OPENPHONE_SYNC_SCHEDULE="30 1 * * 1-5")
    assert changed.out.startswith("scheduled")
    assert read() == after.replace(b"\n0 2 * * *", b"\n30 1 * * 1-5")
    assert office.run("schedule", "stop", *state).out == "no longer scheduled\n"
    assert read() == before
    assert office.run("schedule", "stop", *state).out == "it was not scheduled\n"
    assert len(backups(office)) == 3
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (office.state_dir / "crontabs").iterdir())


@pytest.mark.system
@pytest.mark.usefixtures("crontab")
def test_the_last_seven_crontabs_are_kept(office: Office) -> None:
    put_env_file(office)
    state = ("--state-dir", str(office.state_dir))
    for minute in range(9):
        office.run("schedule", "start", *state, OPENPHONE_SYNC_SCHEDULE=f"{minute} 2 * * *")
    kept = backups(office)
    assert len(kept) == 7
    assert b"\n1 2 * * *" in kept[0]
    assert b"\n7 2 * * *" in kept[-1]


@pytest.mark.system
@pytest.mark.usefixtures("crontab")
def test_a_crontab_changed_meanwhile_is_left_alone(office: Office, tmp_path: Path) -> None:
    install(OWN)
    put_env_file(office)
    real = shutil.which("crontab")
    # Somebody else saves theirs between our look and our writing.
    wrapper = tmp_path / "bin" / "crontab"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f'#!/bin/sh\nif [ "$1" = -l ] && mkdir {tmp_path}/once 2>/dev/null; then\n  {real} -l\n'
        f"  ({real} -l; echo '7 7 * * * theirs') | {real} -\nelse\n  exec {real} \"$@\"\nfi\n"
    )
    wrapper.chmod(0o755)
    ran = office.run(
        "schedule", "start", "--state-dir", str(office.state_dir), PATH=f"{wrapper.parent}:{os.environ['PATH']}"
    )
    assert ran.code == 4
    assert "run the command again" in ran.err
    assert read() == OWN + b"7 7 * * * theirs\n"
    again = office.run("schedule", "start", "--state-dir", str(office.state_dir))
    assert again.code == 0
    assert read().startswith(OWN + b"7 7 * * * theirs\n# BEGIN openphone-sync")


@pytest.mark.parametrize("command", ["start", "stop", "show"])
def test_without_crontab_the_line_is_printed(office: Office, command: str) -> None:
    ran = office.run("schedule", command, PATH="/nowhere")
    assert "no crontab program" in ran.err + ran.out
    assert ran.code == (0 if command == "show" else 2)
    if command != "stop":
        assert f"--state-dir {office.state_dir} sync --quiet --wait 30m" in ran.out
    assert not (office.state_dir / "crontabs").exists()


def test_the_state_folder_is_for_its_owner_alone_from_the_first_schedule_on(office: Office, tmp_path: Path) -> None:
    program = tmp_path / "crontab"
    program.write_text(f'#!/bin/sh\nif [ "$1" = -l ]; then cat {tmp_path}/table; else cat > {tmp_path}/table; fi\n')
    program.chmod(0o755)
    (tmp_path / "table").touch()
    put_env_file(office)
    state = tmp_path / "new" / "state"
    ran = office.run("schedule", "start", "--state-dir", str(state), PATH=f"{tmp_path}:{office.environment['PATH']}")
    assert ran.code == 0
    assert [stat.S_IMODE(path.stat().st_mode) for path in (state, state / "crontabs")] == [0o700, 0o700]


def test_without_crontab_the_line_is_in_the_document(office: Office) -> None:
    ran = office.run("schedule", "start", "--json", PATH="/nowhere")
    assert ran.code == 2
    assert "no crontab program" in ran.err
    assert ran.json["hasCrontab"] is ran.json["isEnabled"] is False
    assert f"--state-dir {office.state_dir} sync --quiet --wait 30m" in ran.json["wantedLine"]


@pytest.mark.parametrize("wrong", ["@daily", "* * * *", "61 * * * *", "* * * * * *", "0 2 L * *", "every night"])
def test_a_wrong_expression_is_refused_before_anything_is_touched(office: Office, wrong: str) -> None:
    ran = office.run("schedule", "start", OPENPHONE_SYNC_SCHEDULE=wrong, PATH="/nowhere")
    assert ran.code == 2
    assert "OPENPHONE_SYNC_SCHEDULE" in ran.err
    assert ran.out == ""


def line_without_crontab(office: Office, *arguments: str) -> str:
    ran = office.run("schedule", "start", *arguments, PATH="/nowhere")
    return ran.out.strip().splitlines()[-1]


def test_the_env_file_in_use_stands_in_the_line(office: Office) -> None:
    state = ("--state-dir", "state")
    assert "--env-file" not in line_without_crontab(office, *state)
    (office.folder / "my.env").write_text("X=1\n")
    assert f"--env-file {office.folder}/my.env " in line_without_crontab(office, *state, "--env-file", "my.env")
    (office.folder / ".env").write_text("X=1\n")
    line = line_without_crontab(office, *state)
    assert f"--env-file {office.folder}/.env --state-dir {office.state_dir} sync" in line
    (office.folder / ".env.local").write_text("X=1\n")
    line = line_without_crontab(office, *state)
    assert f"cd {office.folder} && " in line
    assert "--env-file" not in line


@pytest.mark.system
@pytest.mark.usefixtures("crontab")
def test_settings_that_only_this_shell_has_are_told(office: Office) -> None:
    ran = office.run("schedule", "start")
    assert ran.code == 0
    assert "cron has none of this shell's variables" in ran.err
    assert "OPENPHONE_API_KEY" in ran.err


def run_bare(line: str, home: Path) -> Ran:
    """As cron starts it: nothing but HOME, LOGNAME, SHELL and PATH."""
    command = line.split(None, 5)[5].replace(r"\%", "%")
    bare = ["env", "-i", f"HOME={home}", "LOGNAME=x", "SHELL=/bin/sh", "PATH=/usr/bin:/bin", "/bin/sh", "-c", command]
    done = subprocess.run(bare, cwd=home, capture_output=True, text=True, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


def test_the_line_runs_in_crons_environment_and_is_silent(office: Office, tmp_path: Path) -> None:
    office.make_clients(JAMES)
    folder = tmp_path / "100% it's odd"
    folder.mkdir()
    put_env_file(office).rename(folder / ".env")
    line = start_from_shell(office, folder, tmp_path / "state")
    ran = run_bare(line, tmp_path)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert len(office.contacts()) == 2
    (folder / ".env").write_text((folder / ".env").read_text().replace(office.sandbox.options.key, "revoked"))
    ran = run_bare(line, tmp_path)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.count("\n") == 1


def start_from_shell(
    office: Office, folder: Path, state: Path, schedule: str = "0 2 * * *", path: str = "/nowhere"
) -> str:
    """`schedule start` as a program of its own; the line that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "openphone_sync", "schedule", "start", "--state-dir", str(state)],
        env=office.environment | {"PATH": path, "OPENPHONE_SYNC_SCHEDULE": schedule},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return next(line for line in done.stdout.splitlines() if " sync --quiet --wait 30m" in line)


# --- the daemon ----------------------------------------------------------------------------------------------------


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Path]:
    """What cron mails, through a sendmail of our own where the system has none."""
    box = tmp_path / "mailbox"
    box.touch()
    box.chmod(0o666)
    if SENDMAIL.exists():
        pytest.skip("this system has a sendmail, which the test does not replace")
    SENDMAIL.write_text(f"#!/bin/sh\ncat >> {box}\n")
    SENDMAIL.chmod(0o755)
    yield box
    SENDMAIL.unlink()


@pytest.fixture
def daemon(crontab: None, mailbox: Path, needs: Callable[..., None]) -> Iterator[None]:
    """Debian's cron in the foreground."""
    needs("cron")
    if os.geteuid() != 0:
        pytest.skip("the cron daemon needs root")
    process = subprocess.Popen(["cron", "-f"], start_new_session=True)
    time.sleep(0.2)
    if process.poll() is not None:
        pytest.skip("another cron daemon is running")
    yield
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=10)


@pytest.mark.system
@pytest.mark.usefixtures("daemon")
def test_a_night_under_a_real_cron_daemon(office: Office, mailbox: Path, tmp_path: Path) -> None:
    office.make_clients(JAMES)
    file = put_env_file(office)
    environment = os.environ["PATH"]
    start_from_shell(office, office.folder, office.state_dir, "* * * * *", environment)
    wait_until(lambda: runs(office) == ["succeeded"], 75)
    assert len(office.contacts()) == 2
    assert mailbox.read_text() == ""  # silent on success
    file.write_text(file.read_text().replace(office.sandbox.options.key, "revoked"))
    wait_until(lambda: "refused the API key" in mailbox.read_text(), 75)
    lines = [line for line in mailbox.read_text().splitlines() if line.startswith("openphone-sync: ")]
    assert len(lines) == 1
    assert "revoked" not in mailbox.read_text().replace("Subject:", "")
    wait_until(lambda: runs(office)[:2] == ["failed", "succeeded"], 10)
    assert pwd.getpwuid(os.getuid()).pw_name in mailbox.read_text()


def runs(office: Office) -> list[str]:
    ran = office.run("metrics", "--json", "--state-dir", str(office.state_dir))
    return [run["status"] for run in ran.json["runs"]]


@pytest.mark.system
def test_promtool_finds_nothing_wrong(office: Office, needs: Callable[..., None], tmp_path: Path) -> None:
    needs("promtool")
    office.make_clients(JAMES)
    office.sync()
    office.run("sync", OPENPHONE_API_KEY="revoked")
    text = office.run("metrics", "--format", "prometheus").out
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
