"""A workspace in two requests: its phone numbers and custom fields, and the time that the API has."""

from __future__ import annotations

from dataclasses import dataclass

from openphone_sync.model import FieldDefinition
from openphone_sync.openphone.retry import Caller
from openphone_sync.openphone.wire import parse_definition


@dataclass(frozen=True, slots=True)
class WorkspaceNumber:
    """A phone number of the workspace: the name that staff gave it, and the number in E.164."""

    name: str
    number: str


@dataclass(frozen=True, slots=True)
class WorkspaceInfo:
    """What the API says of the workspace.

    ``skew_s`` is how far this machine's clock is ahead of the API's, None if the API does not say.
    """

    numbers: tuple[WorkspaceNumber, ...]
    fields: tuple[FieldDefinition, ...]
    skew_s: float | None = None


def read_workspace_info(caller: Caller) -> WorkspaceInfo:
    """Read numbers and custom fields. Raises `UnreachableError` and `RefusedError`."""
    numbers = caller.read_list("/phone-numbers")
    definitions = (parse_definition(field) for field in caller.read_list("/contact-custom-fields"))
    return WorkspaceInfo(
        numbers=tuple(
            WorkspaceNumber(str(number.get("name") or "(no name)"), str(number.get("number") or ""))
            for number in numbers
        ),
        fields=tuple(definition for definition in definitions if definition is not None),
        skew_s=caller.skew_s,
    )
