"""What a connection over the internet must not give away.

libpq's own default, ``sslmode=prefer``, gives way to anybody who says that the server has no TLS, and then sends the password
to anybody who asks for it. So a public address is reached with ``sslmode=require``, and with ``require_auth=!password`` unless
TLS proves which server it is. What the connection string, the environment or a service file says is left as it is.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

ENCRYPT = "require"
NOT_IN_CLEAR = "!password"
_VERIFIES = frozenset({"verify-ca", "verify-full"})
_REQUIRE_AUTH_SINCE = 160000
_PRIVATE_NAMES = (".local", ".internal", ".lan", ".localdomain", ".localhost", ".home.arpa")


def read_options(dsn: str) -> dict[str, str]:
    """Every option as libpq would use it: from the string, a service file, the environment, its defaults.

    libpq tells them of a connection only. This one is refused before its first packet, for a value that does not exist.
    """
    connection = pq.PGconn.connect_start(make_conninfo(dsn, channel_binding="none, since this only asks").encode())
    try:
        return {option.keyword.decode(): option.val.decode() for option in connection.info if option.val is not None}
    finally:
        connection.finish()


def is_public(options: Mapping[str, str]) -> bool:
    """Whether any of the hosts is on the internet, by what is written: no name is looked up."""
    hosts = f"{options.get('host', '')},{options.get('hostaddr', '')}".split(",")
    return any(_is_public_host(host) for host in hosts)


def _is_public_host(host: str) -> bool:
    name = host.strip("[].").lower()
    if not name or name.startswith(("/", "@")):  # a socket of this machine
        return False
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return "." in name and not name.endswith(_PRIVATE_NAMES)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_global


def choose_protection(dsn: str, options: Mapping[str, str]) -> dict[str, str]:
    """Options to add for a public address; ``options`` are those of `read_options`."""
    if not is_public(options):
        return {}
    given = conninfo_to_dict(dsn)
    added: dict[str, str] = {}
    # libpq shows its default as if it were given; a service file's own "prefer" is the one word that is overruled
    if "sslmode" not in given and "PGSSLMODE" not in os.environ and options.get("sslmode") == "prefer":
        added["sslmode"] = ENCRYPT
    chosen = "require_auth" in given or "require_auth" in options
    if not chosen and options.get("sslmode") not in _VERIFIES and pq.version() >= _REQUIRE_AUTH_SINCE:
        added["require_auth"] = NOT_IN_CLEAR
    return added
