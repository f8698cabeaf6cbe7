"""Ids as people type them: exact, or a unique beginning of one that nobody would type whole."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from openphone_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from openphone_sync.ports import ClientSource
    from openphone_sync.state import Store

SHORTEST = 6
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]{16,}", re.IGNORECASE)
_PREFIX = "client_"
_EXTERNAL_ID = re.compile(rf"\b{_PREFIX}[\w~-]+")
_RELATED = "_alt_"
_RUN_LENGTHS = (13, 16)
"""Of `20261126T0200` and `20261126T020000Z`."""


def find_id(text: str, known: Iterable[str]) -> str | None:
    """The known id that ``text`` is, or the only one that it begins; None without one.

    Beginnings count from six characters on, and only of UUIDs and long hexadecimal ids: 1234567 begins no integer.
    The prefix ``client_`` of external ids may be left out. `ConfigurationError` where several begin so.
    """
    ids = list(dict.fromkeys(known))
    for exact in (text, _PREFIX + text):
        if exact in ids:
            return exact
    typed, _, slot = text.removeprefix(_PREFIX).lower().partition(_RELATED)
    if len(typed) < SHORTEST:
        return None
    alike = [one for one in ids if _is_long(one) and one.removeprefix(_PREFIX).lower().startswith(typed)]
    same_slot = [
        one for one in alike if one.partition(_RELATED)[2] == slot
    ]  # the client comes before the related people
    found = same_slot or ([] if slot else alike)
    if len(found) > 1:
        raise ConfigurationError(f"several ids begin with {text} ({', '.join(sorted(found)[:5])}); give a longer one")
    return found[0] if found else None


def find_client_id(
    typed: str,
    store: Store | None,
    open_source: Callable[[], ClientSource] | None,
    check_going: Callable[[], None] = lambda: None,
) -> str | None:
    """The client that is meant, among those of the state and those of the client table, as far as they are given.

    As `find_id`; an external id's prefix ``client_`` may be there or not, and one of a related person means their client.
    """
    bare = typed.removeprefix(_PREFIX).partition(_RELATED)[0]
    known = [one.client_id for one in store.read_clients()] if store else []
    for exact in (typed, bare):
        if exact in known:
            return exact
    if open_source is not None:
        with closing(open_source()) as source:
            for exact in (typed, bare):
                if source.read_client(exact) is not None:
                    return exact
            for row in source.read_clients() if len(bare) >= SHORTEST else ():
                check_going()
                known.append(row.client_id)
    return find_id(bare, known)


def shorten(external_id: str) -> str:
    """An id as tables show it: the first eight characters of a UUID or hexadecimal id, others whole."""
    bare = external_id.removeprefix(_PREFIX)
    if not _is_long(external_id):
        return external_id
    found = _UUID.match(bare) or _HEX.match(bare)
    return bare[:8] + bare[found.end() :] if found else external_id


def find_ids(text: str) -> list[str]:
    """The external ids that a message names."""
    return _EXTERNAL_ID.findall(text)


def name_ids(text: str, names: Mapping[str, str]) -> str:
    """The message with names before short ids, for a terminal."""

    def name(found: re.Match[str]) -> str:
        known = names.get(found[0])
        return f"{known} ({shorten(found[0])})" if known else found[0]

    return _EXTERNAL_ID.sub(name, text)


def shorten_runs(run_ids: Iterable[str]) -> dict[str, str]:
    """Ids of runs by their shortest beginning to the minute, the second or in whole that none of the others has."""
    ids = list(run_ids)
    counts = Counter(one[:length] for one in ids for length in _RUN_LENGTHS)
    return {one: next((one[:length] for length in _RUN_LENGTHS if counts[one[:length]] == 1), one) for one in ids}


def _is_long(known: str) -> bool:
    bare = known.removeprefix(_PREFIX)
    return bool(_UUID.match(bare) or _HEX.match(bare)) and not bare.isdecimal()
