"""Through a transaction pooler, as Supabase's port 6543 is one."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from openphone_sync.sandbox.samples import load_samples
from tests.office import Office, find_program, wait_until

PORT = 6543
"""Names the socket file and no more."""


@pytest.fixture
def pooled(office: Office) -> Iterator[str]:
    """The office's database behind PgBouncer in transaction mode, two server connections in all."""
    parts = psycopg.conninfo.conninfo_to_dict(office.dsn)
    with tempfile.TemporaryDirectory(prefix="pool-", dir="/tmp") as name:  # a socket's path must be short
        folder = Path(name)
        (folder / "users.txt").write_text(f'"{parts["user"]}" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n{parts['dbname']} = host={parts['host']}\n"
            f"[pgbouncer]\nlisten_addr =\nlisten_port = {PORT}\nunix_socket_dir = {folder}\n"
            f"auth_type = trust\nauth_file = {folder / 'users.txt'}\npool_mode = transaction\ndefault_pool_size = 2\n"
        )
        command = [str(find_program("pgbouncer")), str(folder / "pgbouncer.ini")]
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            for path in (folder, *folder.iterdir()):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            command[1:1] = ["-u", nobody.pw_name]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            wait_until(lambda: listens(process, folder))
            yield f"postgresql://{parts['user']}@/{parts['dbname']}?host={folder}&port={PORT}"
        finally:
            process.terminate()
            process.communicate()


def listens(process: subprocess.Popen[bytes], folder: Path) -> bool:
    assert process.poll() is None, process.communicate()[1].decode()
    return (folder / f".s.PGSQL.{PORT}").exists()


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
