"""`test-connection`: check everything a run needs, and say how to fix what is wrong.

Every check stands on its own: a database that is down does not hide what the API says. Checks show counts and the names
of columns, fields and phone numbers, never a person's data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from openphone_sync.config import API, DATABASE, Settings
from openphone_sync.doctor.api import check_api
from openphone_sync.doctor.checks import Check
from openphone_sync.doctor.database import check_database
from openphone_sync.doctor.machine import check_machine
from openphone_sync.documents import SCHEMA_VERSION
from openphone_sync.errors import ConfigurationError, OpenPhoneSyncError
from openphone_sync.ops.redaction import make_redactor

_FAILED = 1
_CHECKED_ELSEWHERE = frozenset({API, DATABASE})
"""Without a usable value, the check of the connection fails and says why."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All checks in order. ``exit_code`` is 3 if a connection fails, 2 if its setting does, 1 for any other failure."""

    checks: tuple[Check, ...]
    api_connected: bool
    database_connected: bool
    sample_clients: int
    exit_code: int

    def document(self) -> dict[str, Any]:
        """As published."""
        return {
            "schemaVersion": SCHEMA_VERSION,
            "openPhoneConnection": self.api_connected,
            "databaseConnection": self.database_connected,
            "sampleClients": self.sample_clients,
            "checks": [
                {"name": check.name, "ok": check.ok, "detail": check.detail, "mend": check.fix} for check in self.checks
            ],
            "errors": [f"{check.name}: {check.detail}" for check in self.checks if not check.ok],
        }


def diagnose(settings: Settings) -> Diagnosis:
    """Check everything, whatever fails on the way."""
    api_checks, api_code = check_api(settings)
    database_checks, sample, database_code = check_database(settings)
    found = (*api_checks, *database_checks, *_check_settings(settings), *check_machine(settings))
    hide = make_redactor(settings).hide_secrets
    checks = tuple(replace(check, detail=hide(check.detail), fix=hide(check.fix)) for check in found)
    failed = ConfigurationError.exit_code if settings.faults else 0 if all(check.ok for check in checks) else _FAILED
    return Diagnosis(checks, not api_code, not database_code, sample, max(api_code, database_code, failed))


def _check_settings(settings: Settings) -> Iterator[Check]:
    """A value that is not accepted, and a misspelt name, which has no effect."""
    for fault in (OpenPhoneSyncError(text) for name, text in settings.faults if name not in _CHECKED_ELSEWHERE):
        yield Check("settings", ok=False, detail=fault.what, fix=fault.fix)
    if not settings.warnings and not settings.faults:
        yield Check("settings", ok=True, detail="every name in the env files is known")
    for warning in map(OpenPhoneSyncError, settings.warnings):
        yield Check("settings", ok=True, detail=warning.what, fix=warning.fix)
