"""The cheapest look at a workspace: two requests, and the time that the API has."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from openphone_sync.errors import ContactError, UnreachableError
from openphone_sync.facts import ApiFacts
from openphone_sync.openphone.retry import Caller
from openphone_sync.openphone.wire import parse_definition
from openphone_sync.ports import Clock


def probe_workspace(client: httpx.Client, caller: Caller, clock: Clock) -> ApiFacts:
    """Ask for numbers and custom fields. Raises `UnreachableError` and `RefusedError`."""
    skews: list[float] = []
    client.event_hooks["response"].append(lambda response: skews.extend(_read_skew(response, clock)))
    numbers = _read_list(caller, "/phone-numbers")
    fields = (parse_definition(one) for one in _read_list(caller, "/contact-custom-fields"))
    return ApiFacts(
        numbers=tuple(str(one.get("name") or "(no name)") for one in numbers),
        fields=tuple(one for one in fields if one is not None),
        skew_s=skews[-1] if skews else None,
    )


def _read_list(caller: Caller, path: str) -> list[Mapping[str, Any]]:
    try:
        data = caller.call("GET", path).get("data")
    except ContactError as error:
        raise UnreachableError(f"OpenPhone cannot be read: {error.message}; check OPENPHONE_BASE_URL") from error
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []


def _read_skew(response: httpx.Response, clock: Clock) -> list[float]:
    """Seconds that our clock is ahead of the ``Date`` header, which has whole seconds only."""
    try:
        moment = parsedate_to_datetime(response.headers.get("date", ""))
    except (TypeError, ValueError):
        return []
    return [clock.now() - moment.timestamp()]
