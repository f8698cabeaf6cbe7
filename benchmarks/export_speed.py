"""How fast conversations come out, and in how much memory, beside `psql \\copy` of the same rows.

``python benchmarks/export_speed.py [--rows 200000] [--runs 3] [--long]`` prints a markdown table. Everything runs on an
embedded Postgres on this machine; programs take turns, and each figure is the median of its runs. ``--long`` adds two
million rows (4 GB on disk), once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks import peak
from openphone_sync.sandbox import EmbeddedPostgres, load_samples

SAMPLES = 2000
PAGE = 1000
OFFSET_ROWS = 20_000
LONG_ROWS = 2_000_000
QUERY = "select row_to_json(q) from (select * from {} order by created_at desc nulls last, id) q"
UNORDERED = "select row_to_json(q) from {} q"

FILL = """
CREATE TABLE {table} (LIKE openphone_conversations INCLUDING DEFAULTS);
INSERT INTO {table}
SELECT gen_random_uuid(), conversation_id || g, phone_number, customer_name, employee_name,
       messages || messages || messages, created_at + g * interval '1 hour', updated_at, processed, metadata,
       unread_count, last_read_at, knowledge_extracted, extraction_result, knowledge_id
FROM openphone_conversations, generate_series(0, {rows} / {samples}) AS g LIMIT {rows};
ALTER TABLE {table} ADD PRIMARY KEY (id);
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--long", action="store_true")
    given = parser.parse_args(argv)
    sys.stdout.write(make_report(given.rows, given.runs, long=given.long))
    return 0


def make_report(rows: int = 200_000, runs: int = 3, *, long: bool = False) -> str:
    """The measurements as markdown."""
    with EmbeddedPostgres() as server, tempfile.TemporaryDirectory() as folder:
        bench = Bench(server.create_database("bench"), Path(folder), runs)
        parts = [bench.compare(rows)]
        if long:
            parts.append(bench.compare(LONG_ROWS, runs=1))
        parts.append(bench.compare_offset(OFFSET_ROWS))
    return "\n".join(parts)


class Bench:
    """Runs the programs by turns on the same rows."""

    def __init__(self, dsn: str, folder: Path, runs: int) -> None:
        self.dsn = dsn
        self.folder = folder
        self.runs = runs
        self.peaks: dict[str, float] = {}
        load_samples(dsn, 1, conversations=SAMPLES)

    def compare(self, rows: int, runs: int | None = None) -> str:
        """Seconds, ratio to psql with the same order, and memory, for each form."""
        table = self.fill(rows)
        few = self.fill(10)
        ways: dict[str, Callable[[], None]] = {}
        if shutil.which("psql"):
            ways["psql \\copy, same order"] = lambda: self.run_psql(QUERY.format(table))
            ways["psql \\copy, no order"] = lambda: self.run_psql(UNORDERED.format(table))
        for name in ("json", "ndjson", "csv", "json.gz"):
            ways[f"export {name}"] = partial(self.run_export, f"export {name}", table, name)
        ways["export json, 10 rows"] = lambda: self.run_export("export json, 10 rows", few, "json")
        times = self.take_turns(ways, runs)
        title = f"{rows:,} rows, {self.measure_size(table) / 1e6:,.0f} MB of JSON"
        return title + "\n\n" + self.make_table(times)

    def compare_offset(self, rows: int) -> str:
        """The predecessor's way: pages by OFFSET, everything in memory, one `json.dump` at the end."""
        table = self.fill(rows)
        ways = {
            "export json": lambda: self.run_export("export json", table, "json"),
            f"pages of {PAGE} by OFFSET": lambda: self.run_offset(table),
        }
        times = self.take_turns(ways, runs=1)
        ratio = times[f"pages of {PAGE} by OFFSET"] / times["export json"]
        return (
            f"Pages of {PAGE} by LIMIT and OFFSET on {rows:,} rows take {times[f'pages of {PAGE} by OFFSET']:.1f} s, "
            f"{ratio:.0f} times as long as the export ({times['export json']:.1f} s), and grow with the square.\n"
        )

    def take_turns(self, ways: Mapping[str, Callable[[], None]], runs: int | None = None) -> dict[str, float]:
        """Median seconds of each way."""
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(runs or self.runs):
            for name, way in ways.items():
                started = time.perf_counter()
                way()
                times[name].append(time.perf_counter() - started)
        return {name: statistics.median(each) for name, each in times.items()}

    def make_table(self, times: Mapping[str, float]) -> str:
        """One line for each way."""
        base = times.get("psql \\copy, same order")
        lines = ["| | seconds | times psql | peak memory |", "|---|---:|---:|---:|"]
        for name, seconds in times.items():
            ratio = f"{seconds / base:.2f}" if base and "10 rows" not in name else ""
            peak = f"{self.peaks[name]:.0f} MB" if name in self.peaks else ""
            lines.append(f"| {name} | {seconds:.2f} | {ratio} | {peak} |")
        if base is None:
            lines.append("\npsql is not installed: no ratios.")
        return "\n".join(lines) + "\n"

    def fill(self, rows: int) -> str:
        """A table of so many rows, made once."""
        table = f"rows_{rows}"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            found = connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()
            if found == (None,):
                connection.execute(FILL.format(table=table, rows=rows, samples=SAMPLES).encode())
                connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(table)))
        return table

    def measure_size(self, table: str) -> int:
        """Bytes of all rows as JSON."""
        statement = sql.SQL("SELECT sum(length(row_to_json(q)::text))::bigint FROM {} AS q")
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(statement.format(sql.Identifier(table))).fetchone()
        return int(row[0]) if row else 0

    def run_psql(self, query: str) -> None:
        """`\\copy` to a file, as a person would."""
        command = ["psql", self.dsn, "-qXc", f"\\copy ({query}) to '{self.folder / 'psql'}'"]
        subprocess.run(command, check=True)

    def run_export(self, name: str, table: str, ending: str) -> None:
        """The program as its user starts it: interpreter, imports, fsync and all."""
        output = str(self.folder / f"out.{ending}")
        command = [*peak.COMMAND, "export-conversations", "-q", "--table", table, "-o", output]
        environment = {**os.environ, "DATABASE_URL": self.dsn}
        done = subprocess.run(command, check=True, env=environment, stderr=subprocess.PIPE, text=True)
        self.peaks[name] = max(self.peaks.get(name, 0.0), peak.parse_peak_mb(done.stderr))

    def run_offset(self, table: str) -> None:
        """What the export replaces."""
        statement = sql.SQL("SELECT row_to_json(q) FROM {} AS q ORDER BY created_at DESC LIMIT %s OFFSET %s")
        rows: list[object] = []
        with psycopg.connect(self.dsn) as connection:
            while page := connection.execute(statement.format(sql.Identifier(table)), (PAGE, len(rows))).fetchall():
                rows += [row[0] for row in page]
        with (self.folder / "offset.json").open("w") as file:
            json.dump({"totalConversations": len(rows), "conversations": rows}, file)


if __name__ == "__main__":
    raise SystemExit(main())
