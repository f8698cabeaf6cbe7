"""What one check of `test-connection` says."""

from __future__ import annotations

from dataclasses import dataclass

from openphone_sync.errors import OpenPhoneSyncError


@dataclass(frozen=True, slots=True)
class Check:
    """``fix`` says what to do; if the check is ``ok``, it is advice."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def make_failed(name: str, error: OpenPhoneSyncError) -> Check:
    """The check that an error made fail, in the words of the error."""
    return Check(name, ok=False, detail=error.what, fix=error.fix)
