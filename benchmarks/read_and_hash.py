"""Reads the clients of a database and hashes them, nothing else: what no program can be faster than that looks at every row.

``python -m benchmarks.read_and_hash DSN``: the statement, the reader and the hash of a sync, without its state, its settings
and all else that it loads.
"""

from __future__ import annotations

import sys

from openphone_sync.config.mapping_file import load_built_in
from openphone_sync.postgres import PostgresClients
from openphone_sync.rules.mapping import make_fingerprint

BLOCK = 1_000

if __name__ == "__main__":
    source = PostgresClients(sys.argv[1], load_built_in(), fetch_size=BLOCK)
    for row in source.read_clients():
        make_fingerprint(row, b"")
    source.close()
