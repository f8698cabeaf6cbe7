"""A connection for reading, and Postgres' errors as ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from openphone_sync.errors import ConfigurationError, RefusedError, RunError, UnreachableError
from openphone_sync.postgres.encryption import choose_protection, read_options
from openphone_sync.postgres.waiting import LOCK_TIMEOUT_S, WatchedConnection, make_connection_type

CONNECT_TIMEOUT_S = 10

_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 6}
"""Seconds and tries: a network that falls silent is noticed after a minute and a half, not after two hours."""

SESSION = {
    "lock_timeout": f"{LOCK_TIMEOUT_S}s",
    "statement_timeout": "0",  # Supabase ends statements after two minutes, however slow the reader is
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "TimeZone": "UTC",  # whatever role, database or PGTZ say: days must not depend on who reads them
    "DateStyle": "ISO",
}
"""Set for a transaction only, so that a pooler can give the connection to others afterwards."""

_CREDENTIALS = re.compile(
    r"password|authentication|no pg_hba\.conf entry|role .* does not exist|database .* does not exist|SASL|"
    r"Tenant or user not found|permission denied for database|not permitted to log in",
    re.IGNORECASE,
)

_SUPABASE_DIRECT = re.compile(r"db\.[a-z0-9]+\.supabase\.co")
"""IPv6 only, unless the project has the IPv4 add-on (supabase.com/docs/guides/database/connecting-to-postgres)."""


def connect(dsn: str, stopping: Callable[[], bool] = lambda: False) -> WatchedConnection:
    """A connection for reading; over the internet encrypted (`postgres.encryption`). ``stopping`` ends every wait.

    Raises `ConfigurationError` for a malformed string, `RefusedError` for credentials and for a server that offers no
    encryption, `UnreachableError` otherwise; none of them quotes the string, since libpq echoes pieces of a malformed one.
    """
    try:
        known = conninfo_to_dict(dsn)
    except psycopg.Error:
        raise ConfigurationError(
            "DATABASE_URL is not a Postgres connection string; give postgresql://user:password@host:5432/database, "
            "with special characters of the password percent-encoded"
        ) from None
    effective = read_options(dsn)
    if "dbname" not in known and effective.get("dbname") == effective.get("user"):
        effective.pop("dbname", None)  # libpq's default, and no setting
    _check_names(effective)
    defaults = {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "openphone-sync", "client_encoding": "UTF8"}
    options: dict[str, Any] = {key: value for key, value in {**defaults, **_KEEPALIVE}.items() if key not in known}
    protection = choose_protection(dsn, effective)
    options.update(protection)
    try:
        return make_connection_type(stopping).connect(dsn, prepare_threshold=None, **options)
    except psycopg.Error as error:
        raise _connect_error(error, effective, protection) from None


def _check_names(options: Mapping[str, str]) -> None:
    """Refuse a host or database name that none can be: it holds a piece of a password that was not encoded."""
    hosts = [host for host in options.get("host", "").split(",") if not host.startswith(("/", "@"))]
    database = options.get("dbname", "")
    if any(re.search(r"[^\w.:%\-]", host) for host in hosts) or re.search(r"[@/\\\x00-\x1f]", database):
        raise ConfigurationError(
            "DATABASE_URL names a host or a database that cannot exist; write its password percent-encoded "
            "(%40 for @, %2F for /, %3A for :), or copy the connection string again"
        )


@contextmanager
def closing_on_error(close: Callable[[], None]) -> Iterator[None]:
    """For what is opened in several steps: it is closed where one of them fails."""
    try:
        yield
    except BaseException:
        close()
        raise


def begin_reading(connection: psycopg.Connection[Any], more: Mapping[str, str] | None = None) -> None:
    """Begin a transaction that only reads, in one snapshot, with the server settings of `SESSION` and ``more``."""
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    session = {**SESSION, **(more or {})}
    connection.execute(
        "SELECT set_config(s.name, w.value, true) FROM pg_settings s JOIN unnest(%s::text[], %s::text[]) "
        "AS w(name, value) ON w.name = s.name",
        (list(session), list(session.values())),
    )


@contextmanager
def plain_errors(what: str, setting: str, connection: psycopg.Connection[Any] | None = None) -> Iterator[None]:
    """Turn Postgres' errors into ours; ``what`` (``the clients``) is being read, and ``setting`` says from where.

    Server messages name relations and columns, never row values, in these classes.
    """
    try:
        yield
    except psycopg.errors.LockNotAvailable:
        raise UnreachableError(
            f"{what} cannot be read, since the table is locked{_describe_locks(connection)}; "
            "wait until that has ended, and run again"
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise _refusal(error, what) from None
    except (psycopg.ProgrammingError, psycopg.errors.ReadOnlySqlTransaction) as error:
        raise ConfigurationError(f"the database cannot read {what} ({_primary(error)}); check {setting}") from None
    except psycopg.OperationalError as error:
        raise UnreachableError(_what_ended(error) + f" ({_first_line(error)}); run again") from None
    except psycopg.Error as error:
        raise ConfigurationError(
            f"the database cannot read {what} ({type(error).__name__}, SQLSTATE {error.sqlstate}); check {setting}"
        ) from None


def _refusal(error: psycopg.Error, what: str) -> RefusedError:
    if "row-level security" in _primary(error):
        return RefusedError(
            f"row-level security hides rows of {what} from the database role ({_primary(error)}); "
            "connect as the table's owner, or as a role with BYPASSRLS"
        )
    return RefusedError(f"the database role may not read {what} ({_primary(error)}); GRANT SELECT on it to the role")


def _describe_locks(connection: psycopg.Connection[Any] | None) -> str:
    """Which process has shut readers out of a table of this database, or waits to do so; empty where Postgres does not say."""
    if connection is None:
        return ""
    try:
        connection.rollback()
        row = connection.execute(
            "SELECT l.relation::regclass::text, l.pid, a.usename, nullif(a.application_name, '') "
            "FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() "
            "LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'relation' "
            "AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid() ORDER BY l.granted DESC LIMIT 1"
        ).fetchone()
    except psycopg.Error:
        return ""
    if row is None:
        return ""
    relation, pid, user, program = row
    by = ", ".join([*([f"user {user}"] if user else []), *([program] if program else [])])
    return f": process {pid}{f' ({by})' if by else ''} has locked {relation}"


def _what_ended(error: psycopg.OperationalError) -> str:
    """Class 08 and 57P.. are lost connections (Postgres, appendix A); others reached us over a living one."""
    lost = not error.sqlstate or error.sqlstate.startswith(("08", "57P"))
    return "the connection to the database was lost" if lost else "the database gave up on the query"


def _primary(error: psycopg.Error) -> str:
    return error.diag.message_primary or type(error).__name__


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def _connect_error(error: psycopg.Error, options: Mapping[str, str], protection: Mapping[str, str]) -> RunError:
    """Says which server was asked and why there is no connection; never the password.

    ``options`` are in force for the connection, ``protection`` those of them that we added.
    """
    host = options.get("host") or options.get("hostaddr") or "the local socket"
    place = f"{host}, database {options.get('dbname') or 'by default'}"
    text = str(error)
    if isinstance(error, psycopg.ProgrammingError) or "invalid " in text:
        return ConfigurationError(
            "DATABASE_URL holds an option that libpq does not accept; check its port and other options"
        )
    if "sslmode" in protection and "SSL was required" in text:
        return RefusedError(
            f"Postgres at {place} offers no encryption, so the password was not sent; set up TLS at the server, "
            "or add sslmode=prefer to DATABASE_URL if you trust the network between"
        )
    if "require_auth" in protection and "server requested a cleartext password" in text:
        return RefusedError(
            f"Postgres at {place} asks for the password itself, which was not sent, since nothing proves which server "
            "this is; add sslmode=verify-full and sslrootcert=FILE to DATABASE_URL, "
            "or require_auth=password to send it all the same"
        )
    if _CREDENTIALS.search(text):
        return RefusedError(f"Postgres at {place} refused the login; check user, password and database in DATABASE_URL")
    reason = _reason(text)
    if _SUPABASE_DIRECT.fullmatch(options.get("host", "")):
        return UnreachableError(
            f"no connection to Postgres at {place} ({reason}), a host with an IPv6 address only; "
            "take the session pooler's string, which Connect in the Supabase dashboard shows"
        )
    return UnreachableError(f"no connection to Postgres at {place} ({reason}); check DATABASE_URL and the network")


def _reason(text: str) -> str:
    reasons = {
        "translate host name": "unknown host",
        "Name or service not known": "unknown host",
        "resolve": "unknown host",
        "Connection refused": "connection refused",
        "timeout": "time-out",
        "SSL": "TLS failed",
        "certificate": "TLS failed",
        "too many": "too many connections",
        "starting up": "it is starting up",
        "No such file": "no server at this socket",
        "unreachable": "network unreachable",
    }
    return next((short for long, short in reasons.items() if long in text), "no answer")


def is_conninfo(dsn: str) -> bool:
    """Whether libpq can read it."""
    try:
        conninfo_to_dict(dsn)
    except psycopg.Error:
        return False
    return True
