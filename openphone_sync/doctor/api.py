"""Checks of the API: key, custom fields, clock, pace."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from openphone_sync.config import API, Settings, explain_absence, load_mapping
from openphone_sync.doctor.checks import Check, make_failed
from openphone_sync.errors import ConfigurationError, RunError
from openphone_sync.model import FieldDefinition, FieldType
from openphone_sync.openphone.api import make_client
from openphone_sync.openphone.pacing import Pacer
from openphone_sync.openphone.probe import WorkspaceInfo, read_workspace_info
from openphone_sync.openphone.retry import Caller, RetryRules
from openphone_sync.rules.custom_fields import make_field_map
from openphone_sync.wiring import PACING_FILE, SystemClock, make_pacer

MAX_SKEW_S = 60.0
"""Beyond this a Retry-After that names a moment is misread, and cron starts at another time than people expect."""
SLOW_PER_SECOND = 5.0

_ANY = frozenset({FieldType.STRING, FieldType.MULTI_SELECT})
"""Types that can hold any value, besides those that the mapping names."""


def check_api(settings: Settings) -> tuple[list[Check], int]:
    """The checks, and the exit code if there is no connection, else 0."""
    try:
        return judge_workspace(read_workspace(settings), settings), 0
    except RunError as error:
        return [make_failed("api key", error)], error.exit_code


def judge_workspace(info: WorkspaceInfo, settings: Settings) -> list[Check]:
    """The checks of a workspace that was read."""
    numbers = ", ".join(number.name for number in info.numbers) or "none"
    return [
        Check("api key", ok=True, detail=f"accepted; the workspace's numbers are named {numbers}"),
        _check_fields(match_fields(info.fields, settings)),
        _check_clock(info.skew_s),
        _check_pace(settings),
    ]


def read_workspace(settings: Settings) -> WorkspaceInfo:
    """Two requests at the usual pace, each tried twice. Raises `RunError`."""
    if not settings.api_key:
        raise ConfigurationError(explain_absence(settings, API))
    clock = SystemClock()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        try:
            pacer = make_pacer(settings, clock)
        except (ConfigurationError, OSError):  # the state folder has a check of its own
            pacer = Pacer(Path(folder) / PACING_FILE, 0.2, clock)
        stack.callback(pacer.close)
        client = stack.enter_context(make_client(settings.base_url, settings.api_key, settings.timeout_ms / 1000))
        rules = RetryRules(min(1, settings.retry_attempts), settings.retry_delay_ms / 1000)
        caller = Caller(client, pacer, rules, clock, stopping=lambda: False, warn=lambda _: None)
        return read_workspace_info(caller)


@dataclass(frozen=True, slots=True)
class FieldMatch:
    """Custom fields of the mapping by name: ``missing`` ones with the type to create, ``unfit`` ones with their type."""

    found: tuple[str, ...]
    missing: tuple[str, ...]
    unfit: tuple[str, ...]


def match_fields(fields: tuple[FieldDefinition, ...], settings: Settings) -> FieldMatch:
    """Which custom fields of the mapping the workspace has."""
    mapping = load_mapping(settings.mapping_file)
    rules = {rule.names[0]: rule for _, person in mapping.persons() for rule in person.fields}
    found = {bound.rule.names[0]: bound for bound in make_field_map(fields, settings.custom_field_keys, mapping).bound}
    return FieldMatch(
        found=tuple(name for name in rules if name in found),
        missing=tuple(f"{name} ({rule.types[0]})" for name, rule in rules.items() if name not in found),
        unfit=tuple(
            f"{bound.definition.name} is {bound.definition.kind}"
            for bound in found.values()
            if bound.definition.kind not in {*_ANY, *bound.rule.types}
        ),
    )


def _check_fields(match: FieldMatch) -> Check:
    missing, wrong = match.missing, match.unfit
    counted = f"{len(match.found)} of {len(match.found) + len(missing)} found"
    detail = "; ".join(
        text
        for text in (counted, missing and f"missing: {', '.join(missing)}", wrong and f"unfit type: {', '.join(wrong)}")
        if text
    )
    fix = (
        "open any contact in the app, press Add property and create it with exactly this name and type "
        "(a text field works for all): values of missing fields are left out of contacts"
    )
    return Check("custom fields", ok=not missing and not wrong, detail=detail, fix=fix if missing or wrong else "")


def _check_clock(skew_s: float | None) -> Check:
    if skew_s is None:
        return Check("clock", ok=True, detail="the API does not say what time it is")
    ok = abs(skew_s) <= MAX_SKEW_S
    way = "ahead of" if skew_s > 0 else "behind"
    detail = f"{abs(skew_s):.0f} s {way} OpenPhone's" if not ok else "agrees with OpenPhone's"
    return Check(
        "clock", ok, detail, "" if ok else "set this machine's clock, ideally by NTP (timedatectl set-ntp true)"
    )


def _check_pace(settings: Settings) -> Check:
    """How long a first sync takes under the configured rate limits."""
    per_second = min(settings.rate_per_second, settings.rate_per_minute / 60, settings.rate_per_hour / 3600)
    minutes = 1000 / per_second / 60
    detail = f"{per_second:g} requests a second at most: 1,000 new contacts take {minutes:.0f} min or more"
    slow = per_second < SLOW_PER_SECOND
    return Check(
        "pace", ok=True, detail=detail, fix="raise OPENPHONE_RATE_LIMIT_*: OpenPhone allows 10" if slow else ""
    )
