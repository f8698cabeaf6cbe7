"""Keeps OpenPhone (Quo) contacts in step with a Postgres client table.

The names below are the Python entry (`library`); the command line is ``openphone-sync``. They are imported when they are
asked for, so that a command starts with what it needs and no more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openphone_sync.config import Settings, load_settings
    from openphone_sync.errors import ConfigurationError, LockedError, OpenPhoneSyncError, RunError
    from openphone_sync.library import dry_run, sync
    from openphone_sync.run.context import SyncOptions
    from openphone_sync.run.report import RunReport

__all__ = [
    "ConfigurationError",
    "LockedError",
    "OpenPhoneSyncError",
    "RunError",
    "RunReport",
    "Settings",
    "SyncOptions",
    "dry_run",
    "load_settings",
    "sync",
]

_HOMES = {
    "config": ("Settings", "load_settings"),
    "errors": ("ConfigurationError", "LockedError", "OpenPhoneSyncError", "RunError"),
    "library": ("dry_run", "sync"),
    "run.report": ("RunReport",),
    "run.context": ("SyncOptions",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"openphone_sync.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
