"""Which clients ``--client`` and ``--phone`` mean."""

from __future__ import annotations

from collections.abc import Sequence

from openphone_sync.errors import ConfigurationError
from openphone_sync.run.context import Context
from openphone_sync.views.explain import find_client
from openphone_sync.views.ids import find_client_id


def find_clients(ids: Sequence[str], phone: str | None, context: Context) -> tuple[str, ...]:
    """Their ids in the source: exact ones first, else the unique beginning of a UUID.

    `ConfigurationError` where the source has no such client: one that is gone is not for these runs.
    """
    found = {_find(one, context) for one in ids}
    if phone is not None:
        found.add(find_client(phone, context.settings, context.store, context.open_source, context.check_going))
    return tuple(sorted(found))


def _find(typed: str, context: Context) -> str:
    found = find_client_id(typed, None, context.open_source, context.check_going)
    if found is None:
        raise ConfigurationError(f"no client has the id {typed}; look it up in the client table")
    return found
