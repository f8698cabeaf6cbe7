"""What the tool remembers between runs: one SQLite file in the state folder.

`Store` is imported when it is asked for: looking at the history needs neither `model` nor msgspec (25 ms).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openphone_sync.state.history import History, peek_history

if TYPE_CHECKING:
    from openphone_sync.state.store import Store, open_store, peek_store

__all__ = ["History", "Store", "open_store", "peek_history", "peek_store"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(name)
    from openphone_sync.state import store  # noqa: PLC0415

    return getattr(store, name)
