"""Through a transaction pooler, as Supabase's port 6543 is one."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from openphone_sync.sandbox import EmbeddedPostgres
from openphone_sync.sandbox.samples import load_samples
from tests.office import Office, find_program


@pytest.fixture
def pooled(office: Office, postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[str]:
    """The office's database behind PgBouncer in transaction mode, two server connections in all."""
    parts = psycopg.conninfo.conninfo_to_dict(office.dsn)
    port = free_port()
    folder = tmp_path / "pgbouncer"
    folder.mkdir()
    (folder / "users.txt").write_text(f'"{parts["user"]}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n{parts['dbname']} = host={parts['host']}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {folder / 'users.txt'}\npool_mode = transaction\ndefault_pool_size = 2\n"
    )
    command = [str(find_program("pgbouncer")), str(folder / "pgbouncer.ini")]
    if os.geteuid() == 0:
        for path in (*tmp_path.parents[:3], tmp_path, folder, *folder.iterdir()):
            path.chmod(0o755)
        command[1:1] = ["-u", pwd.getpwnam("nobody").pw_name]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_for(port, process)
        yield f"postgresql://{parts['user']}@127.0.0.1:{port}/{parts['dbname']}"
    finally:
        process.terminate()
        process.communicate()


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.05)
    raise AssertionError("PgBouncer does not listen")


@pytest.mark.system("pgbouncer")
def test_sync_works_through_a_transaction_pooler(office: Office, pooled: str) -> None:
    load_samples(office.dsn, 60)
    first = office.sync("--batch-size", "7", DATABASE_URL=pooled)
    assert first["contacts"]["created"] > 100
    second = office.sync(DATABASE_URL=pooled)
    assert second["clients"] == {"read": 60, "changed": 0, "unchanged": 60, "removed": 0}
    with psycopg.connect(pooled, autocommit=True, prepare_threshold=None) as other:
        other.execute("UPDATE clients SET county = 'Kern County' WHERE client_name = 'James Smith'")
    assert office.sync(DATABASE_URL=pooled)["contacts"]["updated"] == 1
