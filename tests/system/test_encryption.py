"""Over the internet: nobody on the way, and nobody who answers in the server's place, gets the password."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from openphone_sync.errors import UnreachableError
from openphone_sync.postgres import connect
from openphone_sync.postgres.encryption import choose_protection, is_public, read_options
from openphone_sync.sandbox import EmbeddedPostgres
from tests.office import Office

PASSWORD = "pl4nted-p4ssword"
PUBLIC = "host=db.example.com hostaddr=127.0.0.1 connect_timeout=5"
CLEAR_PASSWORD = b"R" + struct.pack("!ii", 8, 3)  # AuthenticationCleartextPassword
SSL_REQUEST = struct.pack("!ii", 8, 80877103)


class Listener:
    """Answers in a server's place: with TLS or without, and asks for the password; ``heard`` is all it was sent."""

    def __init__(self, tls: ssl.SSLContext | None = None, onward: str = "") -> None:
        self.heard = b""
        self._tls = tls
        self._onward = onward
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(5)
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        first = connection.recv(8)
        self.heard += first
        if first != SSL_REQUEST:
            self._talk(connection, first)
        elif self._tls is None:
            connection.sendall(b"N")
            self._talk(connection, connection.recv(4096))
        else:
            connection.sendall(b"S")
            with self._tls.wrap_socket(connection, server_side=True) as encrypted:
                self._talk(encrypted, encrypted.recv(4096))

    def _talk(self, connection: socket.socket, first: bytes) -> None:
        self.heard += first
        if self._onward:
            self._pass_on(connection, first)
        elif first:
            connection.sendall(CLEAR_PASSWORD)
            self.heard += connection.recv(4096)

    def _pass_on(self, connection: socket.socket, first: bytes) -> None:
        with socket.create_connection(("127.0.0.1", int(self._onward))) as server:
            server.sendall(first)
            # In one thread: OpenSSL does not take reading and writing on one connection at the same time.
            while ready := select.select([connection, server], [], [], 5)[0]:
                for source in ready:
                    if not (data := source.recv(65536)):  # a record of TLS holds less
                        return
                    (server if source is connection else connection).sendall(data)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for db.example.com, with its key in the same file."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=db.example.com",
         "-addext", "subjectAltName=DNS:db.example.com", "-keyout", path, "-out", path.with_suffix(".crt")],
        check=True,
        capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


Listen = Callable[..., Listener]


@pytest.fixture
def listen(request: pytest.FixtureRequest, needs: Callable[..., None]) -> Iterator[Listen]:
    """Starts a listener, with ``tls=True`` one that has a certificate."""
    with contextlib.ExitStack() as stack:

        def start(*, tls: bool = False, onward: str = "") -> Listener:
            context = None
            if tls:
                needs("openssl")
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(request.getfixturevalue("certificate"))
            listener = Listener(context, onward)
            stack.callback(listener.close)
            return listener

        yield start


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("", False),
        ("/var/run/postgresql", False),
        ("@abstract", False),
        ("localhost", False),
        ("db", False),
        ("postgres.localhost", False),
        ("nas.local", False),
        ("db.prod.internal", False),
        ("db.lan", False),
        ("DB.LOCALDOMAIN.", False),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("192.168.1.9", False),
        ("172.31.0.1", False),
        ("100.64.0.9", False),
        ("169.254.1.1", False),
        ("::1", False),
        ("fd00::5", False),
        ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("db.abcdefgh.supabase.co", True),
        ("aws-0-us-west-1.pooler.supabase.com.", True),
        ("localhost.example.com", True),
        ("db,db.example.com", True),
        ("db,10.0.0.2", False),
    ],
)
def test_public_is_told_by_what_is_written(host: str, public: bool) -> None:
    assert is_public({"host": host}) is public
    assert is_public({"host": "db", "hostaddr": host}) is public


@pytest.mark.parametrize(
    ("dsn", "added"),
    [
        ("host=db.example.com", {"sslmode": "require", "require_auth": "!password"}),
        ("postgresql://u:p@db.example.com/x", {"sslmode": "require", "require_auth": "!password"}),
        ("postgresql://u:p@db.example.com/x?sslmode=prefer", {"require_auth": "!password"}),
        ("host=db.example.com sslmode=disable", {"require_auth": "!password"}),
        ("host=db.example.com sslmode=verify-full", {}),
        ("host=db.example.com sslmode=verify-ca", {}),
        ("host=db.example.com sslrootcert=system", {}),
        ("host=db.example.com require_auth=password", {"sslmode": "require"}),
        ("host=db.example.com require_auth=", {"sslmode": "require"}),
        ("host=db,db.example.com port=1,2", {"sslmode": "require", "require_auth": "!password"}),
        ("host=db", {}),
        ("dbname=law", {}),
    ],
)
def test_public_addresses_are_protected_unless_the_string_says_otherwise(dsn: str, added: dict[str, str]) -> None:
    assert choose_protection(dsn, read_options(dsn)) == added


@pytest.mark.parametrize(
    ("variables", "added"),
    [
        ({"PGHOST": "db.example.com"}, {"sslmode": "require", "require_auth": "!password"}),
        ({"PGHOST": "db.example.com", "PGSSLMODE": "prefer"}, {"require_auth": "!password"}),
        ({"PGHOST": "db.example.com", "PGREQUIREAUTH": "password"}, {"sslmode": "require"}),
        ({"PGSERVICE": "law"}, {"require_auth": "!password"}),
        ({"PGHOST": "db"}, {}),
    ],
)
def test_environment_and_service_files_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], added: dict[str, str]
) -> None:
    (tmp_path / "services").write_text("[law]\nhost=db.example.com\nsslmode=disable\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert choose_protection("user=law", read_options("user=law")) == added


def test_nothing_is_sent_to_a_public_server_that_says_it_has_no_tls(office: Office, listen: Listen) -> None:
    listener = listen()
    ran = office.run("sync", DATABASE_URL=f"{PUBLIC} port={listener.port} user=law password={PASSWORD}")
    assert ran.code == 3
    assert "offers no encryption" in ran.err
    assert "sslmode=prefer" in ran.err
    assert set(listener.heard.split(SSL_REQUEST)) == {b""}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_no_public_server_gets_the_password_in_the_clear(office: Office, listen: Listen, tls: bool) -> None:
    listener = listen(tls=tls)
    mode = "" if tls else "sslmode=prefer"
    dsn = f"{PUBLIC} port={listener.port} user=law password={PASSWORD} {mode}"
    ran = office.run("sync", DATABASE_URL=dsn)
    assert ran.code == 3
    assert "asks for the password itself" in ran.err
    assert "require_auth=password" in ran.err
    assert b"law" in listener.heard
    assert PASSWORD.encode() not in listener.heard
    office.run("sync", DATABASE_URL=f"{dsn} require_auth=password")
    assert PASSWORD.encode() in listener.heard


def test_a_server_that_proves_itself_may_ask(listen: Listen, certificate: Path) -> None:
    listener = listen(tls=True)
    verified = f"sslmode=verify-full sslrootcert={certificate.with_suffix('.crt')}"
    with pytest.raises(UnreachableError):  # it hangs up once it has the password
        connect(f"{PUBLIC} port={listener.port} user=law password={PASSWORD} {verified}")
    assert PASSWORD.encode() in listener.heard


def test_a_private_server_is_asked_as_before(listen: Listen) -> None:
    listener = listen()
    with pytest.raises(UnreachableError):
        connect(f"host=db hostaddr=127.0.0.1 port={listener.port} user=law password={PASSWORD} connect_timeout=5")
    assert PASSWORD.encode() in listener.heard


@pytest.fixture(scope="module")
def tcp_postgres() -> Iterator[str]:
    """User, password, port and database of a server without TLS; no host."""
    with EmbeddedPostgres(listen_port=0) as server:
        parts = psycopg.conninfo.conninfo_to_dict(server.dsn(tcp=True))
        names = ("user", "password", "port", "dbname")
        yield " ".join(f"{name}={parts[name]}" for name in names if name in parts)


def tls_check(office: Office, dsn: str) -> dict[str, object]:
    checks = office.run("test-connection", "--json", DATABASE_URL=dsn).json["checks"]
    [found] = [check for check in checks if check["name"] == "tls"]
    return {"ok": found["ok"], "remark": found["detail"].startswith("the connection is not encrypted")}


@pytest.mark.parametrize(
    ("host", "check"),
    [
        ("host=127.0.0.1", {"ok": True, "remark": False}),
        ("host=db hostaddr=127.0.0.1", {"ok": True, "remark": True}),
        ("host=db.example.com hostaddr=127.0.0.1 sslmode=prefer", {"ok": False, "remark": True}),
    ],
)
def test_the_doctor_says_where_a_connection_is_not_encrypted(
    office: Office, tcp_postgres: str, host: str, check: dict[str, object]
) -> None:
    assert tls_check(office, f"{host} {tcp_postgres}") == check


def test_a_public_server_with_tls_is_reached(office: Office, tcp_postgres: str, listen: Listen) -> None:
    port = psycopg.conninfo.conninfo_to_dict(tcp_postgres)["port"]
    listener = listen(tls=True, onward=str(port))
    dsn = f"{tcp_postgres} {PUBLIC} port={listener.port}"
    with connect(dsn) as connection:
        assert connection.pgconn.ssl_in_use
    assert tls_check(office, dsn) == {"ok": True, "remark": False}
