"""A workspace in two requests: its phone numbers and custom fields, and the time that the API has."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from openphone_sync.model import FieldDefinition
from openphone_sync.openphone.retry import Caller
from openphone_sync.openphone.wire import parse_definition
from openphone_sync.ops.http import HttpClient, HttpResponse
from openphone_sync.ports import Clock


@dataclass(frozen=True, slots=True)
class WorkspaceInfo:
    """What the API says of the workspace.

    ``numbers`` are the names that staff gave the workspace's phone numbers. ``skew_s`` is how far this machine's clock
    is ahead of the API's, None if the API does not say.
    """

    numbers: tuple[str, ...]
    fields: tuple[FieldDefinition, ...]
    skew_s: float | None = None


def read_workspace_info(client: HttpClient, caller: Caller, clock: Clock) -> WorkspaceInfo:
    """Read numbers and custom fields. Raises `UnreachableError` and `RefusedError`."""
    skews: list[float] = []
    client.event_hooks["response"].append(lambda response: skews.extend(_read_skew(response, clock)))
    numbers = caller.read_list("/phone-numbers")
    fields = (parse_definition(one) for one in caller.read_list("/contact-custom-fields"))
    return WorkspaceInfo(
        numbers=tuple(str(one.get("name") or "(no name)") for one in numbers),
        fields=tuple(one for one in fields if one is not None),
        skew_s=skews[-1] if skews else None,
    )


def _read_skew(response: HttpResponse, clock: Clock) -> list[float]:
    """Seconds that our clock is ahead of the ``Date`` header, which has whole seconds only."""
    try:
        moment = parsedate_to_datetime(response.headers.get("date", ""))
    except (TypeError, ValueError):
        return []
    return [clock.now() - moment.timestamp()]
