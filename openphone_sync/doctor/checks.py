"""The doctor behind `test-connection`: looks at everything a run needs, and says how to mend what is not right.

Every check stands alone: a database that is down hides nothing of what the API says. Counts and the names of columns,
fields and numbers only: nobody's data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from openphone_sync.config import Settings
from openphone_sync.documents import SCHEMA_VERSION
from openphone_sync.errors import OpenPhoneSyncError, RunError
from openphone_sync.model import FieldDefinition, FieldType
from openphone_sync.openphone.probe import ApiFacts
from openphone_sync.ops.redaction import make_redactor
from openphone_sync.ports import ClientSource
from openphone_sync.postgres.inspecting import DatabaseFacts, TableFacts
from openphone_sync.rules.mapping import FIELD_LABELS, MAIN_COLUMNS, MappingRules, make_field_map, map_client

SAMPLE_ROWS = 10
MAX_SKEW_S = 60.0
"""Beyond this a Retry-After that names a moment is misread, and cron starts at another time than people think."""
SLOW_PER_SECOND = 5.0
TRANSACTION_POOLER_PORT = 6543  # Supabase

_FAILED = 1
_ANY = frozenset({FieldType.STRING, FieldType.MULTI_SELECT})
_ALSO: Mapping[str, frozenset[FieldType]] = {
    "ARRESTED": frozenset({FieldType.BOOLEAN}),
    "CURRENTLY_INCARCERATED": frozenset({FieldType.BOOLEAN}),
    "ALT_CONTACT_NUMBER": frozenset({FieldType.NUMBER}),
    "COUNTY": frozenset({FieldType.ADDRESS}),
}
"""Types besides text, and besides the field's own, that can hold its values."""

_UNFIT_TYPES = re.compile(
    r'"?char"?$|character\(1\)|bytea|json|\[\]$|numeric|integer|bigint|smallint|double|real|boolean'
)
_TEXT_COLUMN = re.compile(r"client_name|phone|email|county|case_type|contact_[0-9]+(_phone)?|relationship_[0-9]+")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. ``mend`` says what to do; beside ``ok`` it is advice."""

    name: str
    ok: bool
    detail: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Probes:
    """How to look at each part; all but ``local`` raise our errors. ``local`` checks this machine."""

    api: Callable[[], ApiFacts]
    database: Callable[[], DatabaseFacts]
    table: Callable[[ClientSource], TableFacts]
    open_source: Callable[[], ClientSource]
    local: Callable[[], Iterable[Check]]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All checks in order. ``exit_code`` is 3 where a connection fails, 2 where its setting does, 1 for any other."""

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
            "checks": [{"name": c.name, "ok": c.ok, "detail": c.detail, "mend": c.mend} for c in self.checks],
            "errors": [f"{check.name}: {check.detail}" for check in self.checks if not check.ok],
        }


def diagnose(settings: Settings, probes: Probes) -> Diagnosis:
    """Look at everything, whatever fails on the way."""
    api_checks, api_code = _api_checks(settings, probes)
    database_checks, sample, database_code = _database_checks(settings, probes)
    found = (*api_checks, *database_checks, *_check_settings(settings), *probes.local())
    hide = make_redactor(settings).hide_secrets
    checks = tuple(replace(check, detail=hide(check.detail), mend=hide(check.mend)) for check in found)
    failed = 0 if all(check.ok for check in checks) else _FAILED
    return Diagnosis(checks, not api_code, not database_code, sample, max(api_code, database_code, failed))


def _check_settings(settings: Settings) -> Iterator[Check]:
    """A misspelt setting is none at all: what it should have changed stays as it was."""
    if not settings.warnings:
        yield Check("settings", ok=True, detail="every name in the env files is known")
    for warning in map(OpenPhoneSyncError, settings.warnings):
        yield Check("settings", ok=True, detail=warning.what, mend=warning.mend)


# --- OpenPhone -----------------------------------------------------------------------------------------------------


def _api_checks(settings: Settings, probes: Probes) -> tuple[list[Check], int]:
    """The checks, and the exit code of a connection that fails."""
    try:
        facts = probes.api()
    except RunError as error:
        return [_broken("api key", error)], error.exit_code
    named = ", ".join(facts.numbers) or "none"
    return [
        Check("api key", ok=True, detail=f"accepted; the workspace's numbers are named {named}"),
        _check_fields(facts.fields, settings.custom_field_keys),
        _check_clock(facts.skew_s),
        _check_pace(settings),
    ], 0


def _broken(name: str, error: OpenPhoneSyncError) -> Check:
    """What happened, and what to do, as the error itself says it."""
    return Check(name, ok=False, detail=error.what, mend=error.mend)


def _check_fields(fields: tuple[FieldDefinition, ...], overrides: Mapping[str, str]) -> Check:
    found = make_field_map(fields, overrides).fields
    missing = [f"{label} ({kind})" for name, (label, kind) in FIELD_LABELS.items() if name not in found]
    wrong = [
        f"{one.name} is {one.kind}"
        for name, one in found.items()
        if one.kind not in {*_ANY, *_ALSO.get(name, ()), FIELD_LABELS[name][1]}
    ]
    counted = f"{len(found)} of {len(FIELD_LABELS)} found"
    detail = "; ".join(
        text
        for text in (counted, missing and f"missing: {', '.join(missing)}", wrong and f"unfit type: {', '.join(wrong)}")
        if text
    )
    mend = (
        "open any contact in the app, press Add property, and make one with this very name and type (text serves for all):"
        " what is missing is left out of contacts"
    )
    return Check("custom fields", ok=not missing and not wrong, detail=detail, mend=mend if missing or wrong else "")


def _check_clock(skew_s: float | None) -> Check:
    if skew_s is None:
        return Check("clock", ok=True, detail="the API does not tell the time")
    ok = abs(skew_s) <= MAX_SKEW_S
    way = "ahead of" if skew_s > 0 else "behind"
    detail = f"{abs(skew_s):.0f} s {way} OpenPhone's" if not ok else "agrees with OpenPhone's"
    return Check("clock", ok, detail, "" if ok else "set this machine's clock, best by NTP (timedatectl set-ntp true)")


def _check_pace(settings: Settings) -> Check:
    """What the configured ceilings cost."""
    per_second = min(settings.rate_per_second, settings.rate_per_minute / 60, settings.rate_per_hour / 3600)
    minutes = 1000 / per_second / 60
    detail = f"{per_second:g} requests a second at most: 1,000 new contacts take {minutes:.0f} min or more"
    slow = per_second < SLOW_PER_SECOND
    return Check(
        "pace", ok=True, detail=detail, mend="raise OPENPHONE_RATE_LIMIT_*: OpenPhone allows 10" if slow else ""
    )


# --- the database --------------------------------------------------------------------------------------------------


def _database_checks(settings: Settings, probes: Probes) -> tuple[list[Check], int, int]:
    """The checks, how many sample rows could be mapped, and the exit code of a connection that fails."""
    try:
        facts = probes.database()
    except RunError as error:
        return [_broken("database", error)], 0, error.exit_code
    checks = [
        Check("database", ok=True, detail=f"Postgres {facts.version}, database {facts.database}, role {facts.user}"),
        _check_tls(facts),
        _check_pooler(facts),
    ]
    try:
        found, sample = _table_checks(settings, probes, facts)
    except OpenPhoneSyncError as error:
        return [*checks, _broken("table", error)], 0, 0
    return [*checks, *found], sample, 0


def _check_tls(facts: DatabaseFacts) -> Check:
    if facts.is_encrypted:
        return Check("tls", ok=True, detail="the connection is encrypted")
    if facts.is_local:
        return Check("tls", ok=True, detail="not encrypted, and it does not leave this machine")
    detail = "the connection is not encrypted: whoever is on the network between can read clients' data"
    mend = "set up TLS at the database server, and add sslmode=require to DATABASE_URL"
    return Check("tls", ok=not facts.is_public, detail=detail, mend=mend)


def _check_pooler(facts: DatabaseFacts) -> Check:
    if not facts.is_pooled:
        return Check("pooler", ok=True, detail="none, a direct connection")
    mode = "transaction mode by its port" if facts.port == TRANSACTION_POOLER_PORT else "session or transaction mode"
    return Check("pooler", ok=True, detail=f"through a pooler, {mode}; both work")


def _table_checks(settings: Settings, probes: Probes, facts: DatabaseFacts) -> tuple[list[Check], int]:
    source = probes.open_source()
    try:
        table = probes.table(source)
        sample, read = _map_sample(source, settings)
    finally:
        source.close()
    return [
        Check("table", ok=True, detail=f"{table.name}, {table.visible_rows} rows"),
        _check_columns(table),
        _check_types(table),
        _check_row_security(table, facts),
        _check_names(table),
        _check_sample(sample, read),
    ], sample


def _map_sample(source: ClientSource, settings: Settings) -> tuple[int, int]:
    """How many of the first rows were mapped, and how many were read."""
    rules = MappingRules(settings.region, make_field_map((), {}))
    rows = list(source.read_clients(limit=SAMPLE_ROWS))
    return sum(bool(_try_mapping(row, rules)) for row in rows), len(rows)


def _try_mapping(row: Any, rules: MappingRules) -> bool:
    try:
        return bool(list(map_client(row, rules)))
    except (OpenPhoneSyncError, ValueError, TypeError, KeyError):
        return False


def _check_columns(table: TableFacts) -> Check:
    alternates = {"contact_1", "relationship_1", "contact_1_phone"}
    wanted = {*MAIN_COLUMNS, *alternates} - {"intake_date" if "date_intake" in table.columns else "date_intake"}
    missing = sorted(wanted - set(table.columns))
    mend = "rename a misspelt column with OPENPHONE_CLIENT_QUERY: what is not there counts as empty" if missing else ""
    detail = f"{len(table.columns)} are read" + (f"; not there: {', '.join(missing)}" if missing else "")
    return Check("columns", ok=True, detail=detail, mend=mend)


def _check_types(table: TableFacts) -> Check:
    unfit = [
        f"{column} is {kind}"
        for column, kind in table.column_types.items()
        if column in table.columns and _TEXT_COLUMN.fullmatch(column) and _UNFIT_TYPES.search(kind)
    ]
    if not unfit:
        return Check("column types", ok=True, detail="as expected" if table.column_types else "not told for a query")
    return Check(
        "column types", ok=False, detail="; ".join(unfit), mend="make them text: numbers lose leading zeros and the +"
    )


def _check_row_security(table: TableFacts, facts: DatabaseFacts) -> Check:
    name = "row-level security"
    if not table.has_row_security and not table.hides_rows:
        return Check(name, ok=True, detail="off: the role sees every row")
    if not table.hides_rows:
        why = "the role passes it by" if facts.bypasses_row_security else "the role owns the table"
        return Check(name, ok=True, detail=f"on, but {why}: {table.visible_rows} rows seen")
    mend = f"make sure that a policy lets {facts.user} SELECT every client, or use a role with BYPASSRLS"
    detail = f"on and in force for the role: {table.visible_rows} rows seen"
    return Check(name, ok=table.visible_rows > 0, detail=detail, mend=mend)


def _check_names(table: TableFacts) -> Check:
    twice = table.names_twice
    detail = f"{twice} names stand in more than one row" if twice else "every client_name stands once"
    return Check("duplicate names", ok=True, detail=detail, mend="look at openphone-sync problems" if twice else "")


def _check_sample(mapped: int, read: int) -> Check:
    detail = f"{mapped} of the first {read} rows could be mapped" if read else "there is no row to read"
    ok = mapped == read and read > 0
    return Check("sample rows", ok, detail, "" if ok else "check the client table, or OPENPHONE_CLIENT_QUERY")
