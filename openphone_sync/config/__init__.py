"""Settings: read from environment and env files, checked all at once.

Every setting stands once in `SETTINGS`; `docs/settings.md` and `.env.example` are generated from it. Faults are
collected and raised together, by name, with what is accepted and never with a secret's value.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from cronsim import CronSim, CronSimError

from openphone_sync.documents import parse_duration
from openphone_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from openphone_sync.model import ContactMapping

_RESERVED_SOURCES = frozenset({"openphone", "device", "csv", "zapier", "google-people", "other"})
_RESERVED_PREFIXES = ("openphone", "csv")
_SOURCE_LENGTH = 72  # on creation; 75 elsewhere (vendor document)
_CRON_FIELDS = 5
_WEEKDAY_OR_MONTH = re.compile(r"SUN|MON|TUE|WED|THU|FRI|SAT|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC")


@dataclass(frozen=True, slots=True)
class ChangeLimit:
    """``OPENPHONE_MAX_CHANGES``: a share of the linked contacts (0 to 1), or an absolute number."""

    share: float | None = None
    number: int | None = None

    def __str__(self) -> str:
        return str(self.number) if self.number is not None else f"{(self.share or 0) * 100:g}%"


class _RejectedError(ValueError):
    """A setting's text is not accepted; the message says what is."""


class _FaultyFileError(ValueError):
    """A file that a setting names cannot be used; one text for each fault."""

    def __init__(self, faults: Iterable[str]) -> None:
        super().__init__()
        self.faults = tuple(faults)


# --- parsers: text -> value, or _RejectedError with what is accepted --------------------------------------------------


def _text(text: str) -> str:
    return text


def _number(low: float, high: float, kind: type[int | float]) -> Callable[[str], Any]:
    accepted = ("a whole number" if kind is int else "a number") + f" from {low} to {high}"

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise _RejectedError(accepted) from None
        if not low <= value <= high:
            raise _RejectedError(accepted)
        return value

    return parse


def _choice(*accepted: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in accepted:
            raise _RejectedError(f"one of {', '.join(accepted)}")
        return text.lower()

    return parse


def _flag(text: str) -> bool:
    if text.lower() in {"true", "1", "yes", "on"}:
        return True
    if text.lower() in {"false", "0", "no", "off"}:
        return False
    raise _RejectedError("true or false")


def is_loopback(host: str | None) -> bool:
    """Whether the host of an address is this machine; no name is looked up."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def _base_url(text: str) -> str:
    """The address without a trailing ``/v1``. Plain http only to this machine: the key travels in a header."""
    accepted = "an https address such as https://api.quo.com (plain http only to this machine)"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _RejectedError(accepted) from None
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    if not secure or not host or parts.query or parts.fragment or "@" in parts.netloc:
        raise _RejectedError(accepted)
    return text.rstrip("/").removesuffix("/v1").rstrip("/")


def _source(text: str) -> str:
    lowered = text.lower()
    if lowered in _RESERVED_SOURCES or lowered.startswith(_RESERVED_PREFIXES) or len(text) > _SOURCE_LENGTH:
        reserved = ", ".join(sorted(_RESERVED_SOURCES))
        raise _RejectedError(
            f"up to 72 characters, none of OpenPhone's reserved words ({reserved}), not beginning with openphone or csv"
        )
    return text


def _region(text: str) -> str:
    region = text.upper()
    if region == "US":
        return region
    import phonenumbers  # noqa: PLC0415  # 20 ms that the usual setting saves

    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise _RejectedError("a two-letter region such as US, CA or GB")
    return region


def _change_limit(text: str) -> ChangeLimit:
    share = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*%", text)
    if share and float(share[1]) <= 100:
        return ChangeLimit(share=float(share[1]) / 100)
    if re.fullmatch(r"[0-9]+", text):
        return ChangeLimit(number=int(text))
    raise _RejectedError("a share such as 20%, or a number of contacts")


def _schedule(text: str) -> str:
    """Five fields that cron knows: cronsim would take seconds, ``L`` and ``#`` as well."""
    fields = text.upper().split()
    try:
        CronSim(" ".join(fields), datetime(2026, 1, 1, tzinfo=UTC))
        known = all(re.fullmatch(r"[0-9*/,\-]+", _WEEKDAY_OR_MONTH.sub("1", one)) for one in fields)
    except CronSimError:
        known = False
    if len(fields) != _CRON_FIELDS or not known:
        raise _RejectedError("a cron expression of five fields such as 0 2 * * *")
    return " ".join(fields)


def _api_key(text: str) -> str:
    if not text.isascii() or any(character.isspace() for character in text):
        raise _RejectedError(
            "the key as the app shows it, without spaces (it is sent as it is, with no Bearer before it)"
        )
    return text


def _query(text: str) -> str:
    if not text.startswith("@"):
        return text
    try:
        return expand_home(Path(text[1:])).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ConfigurationError):
        raise _RejectedError("SQL, or @ and the path of a readable UTF-8 file with SQL") from None


def _database_url(text: str) -> str:
    """Only the form is looked at here; libpq judges the rest, and loading it takes 130 ms."""
    if not re.match(r"postgres(ql)?://|\s*\w+\s*=", text):
        raise _RejectedError(
            "a Postgres connection string such as postgresql://user:password@host:5432/database or host=... dbname=..."
        )
    if has_placeholder(text):
        raise ConfigurationError(
            "DATABASE_URL still holds the placeholder [YOUR-PASSWORD]; put the database password in its place, "
            "percent-encoded"
        )
    address = text.partition("://")[2] if text.startswith("postgres") else ""
    before, _, after = address.partition("@")
    # libpq ends the password at its first @ or /, and takes the rest for the host or the database
    if "@" in after or ("@" in address and "/" in before):
        raise ConfigurationError(
            "DATABASE_URL has a password with a plain @ or /; write it percent-encoded (%40 for @, %2F for /, %3A for :), "
            "or copy the connection string again"
        )
    return text


_PLACEHOLDER = re.compile(r"(\[|%5B)YOUR-PASSWORD(\]|%5D)", re.IGNORECASE)
"""Supabase's connection strings hold it where the password goes."""


def has_placeholder(database_url: str) -> bool:
    """Whether the password is still missing from a connection string."""
    return _PLACEHOLDER.search(database_url) is not None


def fill_in_password(database_url: str, password: str) -> str:
    """The connection string with the password in the place of its placeholder, encoded as its form needs."""
    in_quotes = "'" + re.sub(r"([\\'])", r"\\\1", password) + "'"
    encoded = quote(password, safe="") if "://" in database_url else in_quotes
    return _PLACEHOLDER.sub(lambda _: encoded, database_url)


def _mapping_file(text: str) -> Path:
    """A mapping file that can be used; what it says is read where it is needed (`load_mapping`)."""
    from openphone_sync.config import mapping_file  # noqa: PLC0415  # TOML and the mapping: 10 ms that the built-in one saves

    path = expand_home(Path(text)).absolute()
    try:
        mapping_file.load_mapping(path)
    except mapping_file.MappingFaultsError as error:
        raise _FaultyFileError(
            f"{path}, {fault}" if fault.line else f"{path}: {fault}" for fault in error.faults
        ) from None
    return path


def _folder(text: str) -> Path:
    return expand_home(Path(text))


def _web_address(text: str) -> str:
    if not re.match(r"https?://[^\s/]+", text):
        raise _RejectedError("a web address such as https://hc-ping.com/...")
    return text


def _alert_urls(text: str) -> tuple[str, ...]:
    """Addresses; one that holds a comma itself (``mailto://…?to=a,b``) stays in one piece."""
    urls: list[str] = []
    for word in _words(text):
        if "://" in word or not urls:
            urls.append(word)
        else:
            urls[-1] += f",{word}"
    if not all(re.match(r"[A-Za-z][A-Za-z0-9+.-]*://\S", url) for url in urls):
        raise _RejectedError("Apprise URLs such as mailto://... or slack://..., separated by commas")
    return tuple(urls)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


# --- the table ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its variable, the attribute of `Settings`, the default as text, and one line of help."""

    name: str
    attribute: str
    default: str
    help: str
    parse: Callable[[str], Any] = _text
    secret: bool = False


_MAPPING = "OPENPHONE_MAPPING"

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "OPENPHONE_API_KEY",
        "api_key",
        "",
        "API key, as the app shows it under Settings, API",
        _api_key,
        secret=True,
    ),
    Setting(
        "OPENPHONE_BASE_URL",
        "base_url",
        "https://api.quo.com",
        "address of the API; plain http is accepted for this machine only",
        _base_url,
        secret=True,  # what is refused may hold a password
    ),
    Setting(
        "DATABASE_URL",
        "database_url",
        "",
        "Postgres connection string (URL or key=value); `SUPABASE_DB_URL` is read too",
        _database_url,
        secret=True,
    ),
    Setting(
        "OPENPHONE_CLIENT_TABLE",
        "client_table",
        "",
        'table with the clients, also as `schema.table`; not set: `"Client"` or `clients`, whichever exists',
    ),
    Setting(
        "OPENPHONE_CLIENT_QUERY",
        "client_query",
        "",
        "SQL (or `@file.sql`) that returns the client columns, in place of a table",
        _query,
    ),
    Setting(
        "OPENPHONE_SOURCE",
        "source",
        "legal-practitioner-app",
        "source of the contacts that this tool creates, as OpenPhone stores it",
        _source,
    ),
    Setting(
        "OPENPHONE_DEFAULT_REGION",
        "region",
        "US",
        "region of phone numbers without a country code, such as `US`, `CA` or `GB`",
        _region,
    ),
    Setting(
        "OPENPHONE_NAME_THRESHOLD",
        "name_threshold",
        "0.90",
        "similarity from which two names can be the same person, 0 to 1",
        _number(0, 1, float),
    ),
    Setting(
        "OPENPHONE_ON_POSSIBLE_DUPLICATE",
        "on_possible_duplicate",
        "hold",
        "what to do with a possible duplicate: `hold`, `create` or `link`",
        _choice("hold", "create", "link"),
    ),
    Setting(
        "OPENPHONE_ON_REMOTE_EDIT",
        "on_remote_edit",
        "keep",
        "a field that staff changed in the app and the client table did not: `keep` or `overwrite`",
        _choice("keep", "overwrite"),
    ),
    Setting(
        "OPENPHONE_ON_CONFLICT",
        "on_conflict",
        "source",
        "a field that both sides changed: `source` (the client table wins) or `remote` (the app wins)",
        _choice("source", "remote"),
    ),
    Setting(
        "OPENPHONE_ON_REMOVED",
        "on_removed",
        "keep",
        "the contact of a client or related person who is gone from the client table: `keep` or `delete`",
        _choice("keep", "delete"),
    ),
    Setting(
        "OPENPHONE_MAX_CHANGES",
        "max_changes",
        "20%",
        "safety stop: the run writes nothing if it would change more than this share (or number) of the linked contacts",
        _change_limit,
    ),
    Setting("OPENPHONE_SYNC_SCHEDULE", "schedule", "0 2 * * *", "cron expression of the nightly sync", _schedule),
    Setting("OPENPHONE_BATCH_SIZE", "batch_size", "50", "clients per database fetch", _number(1, 10000, int)),
    Setting(
        "OPENPHONE_RETRY_ATTEMPTS", "retry_attempts", "3", "how often a failed request is repeated", _number(0, 20, int)
    ),
    Setting(
        "OPENPHONE_RETRY_DELAY",
        "retry_delay_ms",
        "1000",
        "milliseconds before the first repetition; later ones wait longer",
        _number(0, 600000, int),
    ),
    Setting(
        "OPENPHONE_RATE_LIMIT_SECOND",
        "rate_per_second",
        "10",
        "most requests in a second; the lowest of these three limits applies",
        _number(1, 10000, int),
    ),
    Setting(
        "OPENPHONE_RATE_LIMIT_MINUTE",
        "rate_per_minute",
        "600",
        "most requests in a minute",
        _number(1, 600000, int),
    ),
    Setting(
        "OPENPHONE_RATE_LIMIT_HOUR",
        "rate_per_hour",
        "36000",
        "most requests in an hour",
        _number(1, 36000000, int),
    ),
    Setting(
        "OPENPHONE_TIMEOUT",
        "timeout_ms",
        "30000",
        "milliseconds for a request and its whole answer",
        _number(1, 600000, int),
    ),
    Setting(
        _MAPPING,
        "mapping_file",
        "",
        "path of a mapping file (TOML) in place of the built-in one",
        _mapping_file,
    ),
    Setting(
        "OPENPHONE_EXTRA_COLUMNS",
        "extra_columns",
        "",
        "further columns of the client table, comma separated, for custom fields of the same name",
        _words,
    ),
    Setting(
        "OPENPHONE_FULL_EVERY",
        "full_every_s",
        "7d",
        "an incremental run becomes a full one when the last full run is older than this; `0`: never",
        parse_duration,
    ),
    Setting(
        "OPENPHONE_KEEP_RUNS",
        "keep_runs_s",
        "180d",
        "how long runs, their reports and what is needed to undo them are kept",
        parse_duration,
    ),
    Setting(
        "OPENPHONE_PROMETHEUS_FILE",
        "prometheus_file",
        "",
        "path of a metrics file for node_exporter, replaced after every run",
    ),
    Setting(
        "OPENPHONE_ENABLE_LOGGING", "enable_logging", "true", "keep a log file in the state folder (rotated)", _flag
    ),
    Setting(
        "OPENPHONE_ALERT_ON_FAILURE",
        "alert_on_failure",
        "true",
        "send alerts and health-check pings",
        _flag,
    ),
    Setting(
        "OPENPHONE_ALERT_URLS",
        "alert_urls",
        "",
        "Apprise URLs, comma separated (needs the extra `alerts`)",
        _alert_urls,
        secret=True,
    ),
    Setting(
        "OPENPHONE_HEALTHCHECK_URL",
        "healthcheck_url",
        "",
        "address that gets start, success and failure pings",
        _web_address,
        secret=True,
    ),
    Setting(
        "OPENPHONE_STATE_DIR",
        "state_dir",
        "",
        "folder of state, runs, log and metrics; not set: `$XDG_STATE_HOME/openphone-sync`, for root `/var/lib/openphone-sync`",
        _folder,
    ),
)

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_ALIASES = {"DATABASE_URL": ("SUPABASE_DB_URL",)}
_CUSTOM_FIELD = re.compile(r"OPENPHONE_CF_([A-Z0-9_]+)_KEY")

API = "OPENPHONE_API_KEY"
DATABASE = "DATABASE_URL"
TABLE = "OPENPHONE_CLIENT_TABLE"
STATE_DIR = "OPENPHONE_STATE_DIR"


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked. Times in the unit of their name; ``repr`` hides secrets."""

    state_dir: Path
    api_key: str = field(default="", repr=False)
    base_url: str = "https://api.quo.com"
    database_url: str = field(default="", repr=False)
    client_table: str = ""
    client_query: str = ""
    source: str = "legal-practitioner-app"
    region: str = "US"
    custom_field_keys: Mapping[str, str] = field(default_factory=dict)
    name_threshold: float = 0.90
    on_possible_duplicate: str = "hold"
    on_remote_edit: str = "keep"
    on_conflict: str = "source"
    on_removed: str = "keep"
    max_changes: ChangeLimit = field(default=ChangeLimit(share=0.20))
    schedule: str = "0 2 * * *"
    batch_size: int = 50
    retry_attempts: int = 3
    retry_delay_ms: int = 1000
    rate_per_second: int = 10
    rate_per_minute: int = 600
    rate_per_hour: int = 36000
    timeout_ms: int = 30000
    mapping_file: Path | None = None
    extra_columns: tuple[str, ...] = ()
    full_every_s: float = 7 * 86400
    keep_runs_s: float = 180 * 86400
    prometheus_file: str = ""
    enable_logging: bool = True
    alert_on_failure: bool = True
    alert_urls: tuple[str, ...] = field(default=(), repr=False)
    healthcheck_url: str = field(default="", repr=False)
    env_file: Path | None = None
    warnings: tuple[str, ...] = ()
    given: frozenset[str] = frozenset()
    """Names that the environment or an env file gives a value, those of other programs too."""
    faults: tuple[tuple[str, str], ...] = ()
    """Names of settings whose value is not accepted, each with what is wrong; only from `load_settings` with ``lenient``."""


def load_settings(
    environ: Mapping[str, str],
    *,
    env_file: Path | None = None,
    state_dir: Path | None = None,
    folder: Path | None = None,
    require: Iterable[str] = (),
    lenient: bool = False,
) -> Settings:
    """Settings from ``environ``, then the env files; `ConfigurationError` names every fault at once.

    ``folder`` is where ``.env.local`` and ``.env`` are looked for (default: the current one); ``require`` names the
    settings that must be present for the command at hand. ``lenient``: a setting whose value is not accepted has its
    default, and is listed in ``Settings.faults``.
    """
    written = _read_env_files(environ, env_file, folder or Path())
    texts = _with_aliases(written | _present(environ))
    values, faults = _parse_all(texts)
    faults += [(name, describe_missing(name, texts)) for name in require if not texts.get(name)]
    if faults and not lenient:
        raise ConfigurationError(_fault_message([text for _, text in faults]))
    written_dir = values.pop("state_dir", None)
    chosen = state_dir or written_dir or Path(default_state_dir(environ))
    return Settings(
        **values,
        state_dir=expand_home(chosen).absolute(),
        custom_field_keys=_custom_field_keys(texts),
        env_file=env_file.absolute() if env_file else None,
        warnings=tuple(_unknown_names(written, environ, values.get("mapping_file"))),
        given=frozenset(texts),
        faults=tuple(faults),
    )


def load_mapping(path: Path | None) -> ContactMapping:
    """The mapping of ``Settings.mapping_file``: the office's own, or the built-in one."""
    from openphone_sync.config import mapping_file  # noqa: PLC0415  # as above

    return mapping_file.load_mapping(path) if path else mapping_file.load_built_in()


def env_files(environ: Mapping[str, str], env_file: Path | None, folder: Path) -> list[Path]:
    """The env files in the order in which they rule."""
    config_home = environ.get("XDG_CONFIG_HOME") or str(_home(environ) / ".config")
    files = [folder / ".env.local", folder / ".env", Path(config_home) / "openphone-sync" / "env"]
    return ([env_file] if env_file else []) + files


def find_given(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings among these variables, as an env file may hold them: paths are absolute, aliases have their own name."""
    texts = _with_aliases(_present(environ))
    given = {name: text for name, text in texts.items() if name in _BY_NAME or _CUSTOM_FIELD.fullmatch(name)}
    for name in {_MAPPING, STATE_DIR, "OPENPHONE_PROMETHEUS_FILE"} & given.keys():
        given[name] = str(expand_home(Path(given[name])).absolute())
    query = given.get("OPENPHONE_CLIENT_QUERY", "")
    if query.startswith("@"):
        given["OPENPHONE_CLIENT_QUERY"] = f"@{expand_home(Path(query[1:])).absolute()}"
    return given


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """A setting as it is in force. ``value`` is masked where it is secret; ``origin`` is a file, a variable or default."""

    name: str
    value: str
    origin: str


def list_settings(
    environ: Mapping[str, str], *, env_file: Path | None = None, folder: Path | None = None
) -> list[SettingInForce]:
    """Every setting with its value and where it comes from, and at the end unknown names in env files.

    `ConfigurationError` only where an env file cannot be read: a value that is not accepted is shown all the same.
    """
    sources: list[tuple[str, Mapping[str, str]]] = []
    for path in reversed(env_files(environ, env_file, folder or Path())):
        alone = _read_env_files(environ, path, folder or Path()) if path == env_file else _read_one(path)
        sources.append((str(path), alone))
    sources.append(("environment", _present(environ)))
    shown: list[SettingInForce] = []
    for setting in SETTINGS:
        value, origin = setting.default or "-", "default"
        for source, texts in sources:
            for name in (*_ALIASES.get(setting.name, ()), setting.name):
                if name in texts:
                    value, origin = texts[name], source if name == setting.name else f"{source} ({name})"
        shown.append(
            SettingInForce(setting.name, _mask(value) if setting.secret and origin != "default" else value, origin)
        )
    known = set(_BY_NAME)
    for source, texts in sources:
        names = [name for name in texts if _CUSTOM_FIELD.fullmatch(name) and name not in known]
        shown += [SettingInForce(name, texts[name], source) for name in sorted(names)]
    return shown


def list_unknown_settings(
    environ: Mapping[str, str], *, env_file: Path | None = None, folder: Path | None = None
) -> list[str]:
    """Names in env files that are not settings, and misspelt ones in the environment, each with the nearest one."""
    return list(_unknown_names(_read_env_files(environ, env_file, folder or Path()), environ, None))


def _read_one(path: Path) -> dict[str, str]:
    try:
        return _present(_read_env_file(path)) if path.is_file() else {}
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            f"the env file {path} cannot be read; check its rights, and that it is UTF-8 text"
        ) from None


def _mask(value: str) -> str:
    """Enough of a secret to tell two apart, never enough to use it."""
    return f"{value[:2]}...{value[-2:]}" if len(value) > 16 and "@" not in value else "(set)"


def _read_env_files(environ: Mapping[str, str], env_file: Path | None, folder: Path) -> dict[str, str]:
    """What the env files say, the ruling one last."""
    texts: dict[str, str] = {}
    for path in reversed(env_files(environ, env_file, folder)):
        try:
            found = _read_env_file(path) if path.is_file() else None
        except (OSError, UnicodeDecodeError):
            raise ConfigurationError(
                f"the env file {path} cannot be read; check its rights, and that it is UTF-8 text"
            ) from None
        if found is None and path == env_file:
            raise ConfigurationError(f"the env file {path} does not exist; check --env-file")
        if found is not None:
            is_named = env_file is not None and path.samefile(env_file)
            _check_trust(path, is_found=path.parent == folder and not is_named)
        present = _present(found or {})
        if _MAPPING in present:  # a relative path counts from the file that says it: cron starts in another folder
            present[_MAPPING] = str(path.parent.absolute() / expand_home(Path(present[_MAPPING])))
        texts.update(present)
    return texts


def _check_trust(path: Path, *, is_found: bool) -> None:
    """Refuse settings that somebody else could have written: they could send the key and all clients to a server of theirs.

    ``is_found``: nobody named the file, it lies in the current folder.
    """
    status = path.stat()
    if status.st_mode & stat.S_IWOTH:
        raise ConfigurationError(f"the env file {path} can be written by everybody; run chmod o-w {path}")
    if is_found and status.st_uid not in (os.geteuid(), 0):
        raise ConfigurationError(
            f"the env file {path.absolute()} belongs to another user (uid {status.st_uid}), so it is not used; "
            "go to a folder of yours, or name the file with --env-file if you trust it"
        )


def _with_aliases(texts: dict[str, str]) -> dict[str, str]:
    for name, aliases in _ALIASES.items():
        for alias in aliases:
            if alias in texts:
                texts.setdefault(name, texts[alias])
    return texts


def _read_env_file(path: Path) -> Mapping[str, str | None]:
    from dotenv import dotenv_values  # noqa: PLC0415  # only where there is a file

    return dotenv_values(path, interpolate=False, encoding="utf-8-sig")  # passwords hold dollar signs


def _present(found: Mapping[str, str | None]) -> dict[str, str]:
    """An empty value counts as not set, so that a copied .env.example works."""
    return {name: value.strip() for name, value in found.items() if value and value.strip()}


def _parse_all(texts: Mapping[str, str]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Values by attribute, and the faults: each the name of a setting and what is wrong."""
    values: dict[str, Any] = {}
    faults: list[tuple[str, str]] = []
    for setting in SETTINGS:
        text = texts.get(setting.name)
        if text is None:
            continue
        try:
            values[setting.attribute] = setting.parse(text)
        except _FaultyFileError as error:
            faults += [(setting.name, f"{setting.name}: {fault}") for fault in error.faults]
        except ValueError as error:
            shown = "its value" if setting.secret or len(text) > 60 or "@" in text else f"{text!r}"
            faults.append((setting.name, f"{setting.name}: {shown} is not accepted; give {error}"))
        except ConfigurationError as error:
            faults.append((setting.name, str(error)))
    if texts.get("OPENPHONE_CLIENT_TABLE") and texts.get("OPENPHONE_CLIENT_QUERY"):
        both = "OPENPHONE_CLIENT_TABLE and OPENPHONE_CLIENT_QUERY are both set; keep one of them"
        faults.append(("OPENPHONE_CLIENT_TABLE", both))
    return values, faults


def explain_absence(settings: Settings, name: str) -> str:
    """Why a setting has no value: what is wrong with the one that was given, or where to get one."""
    return next((text for faulty, text in settings.faults if faulty == name), describe_missing(name, settings.given))


def describe_missing(setting: str, texts: Iterable[str] = ()) -> str:
    """That a setting is not set, and where to get it; ``texts`` are the names of those that are."""
    if setting == DATABASE and any(name.startswith("SUPABASE_") for name in texts):
        return (
            "DATABASE_URL is not set, and SUPABASE_URL and its keys do not reach the database itself; "
            "press Connect in the Supabase dashboard, and give the connection string to openphone-sync init or put it into .env"
        )
    if setting == DATABASE:
        return (
            "DATABASE_URL is not set; run openphone-sync init, or put a connection string such as "
            "postgresql://user:password@host/database into .env"
        )
    return (
        f"{setting} is not set; make a key in the OpenPhone (Quo) app under Settings, API, and run openphone-sync init, or put "
        "it into .env"
    )


def _fault_message(faults: list[str]) -> str:
    if len(faults) == 1:
        return faults[0]
    return f"{len(faults)} settings need fixing:\n" + "\n".join(f"  {fault}" for fault in faults)


def _custom_field_keys(texts: Mapping[str, str]) -> dict[str, str]:
    return {found[1]: text for setting, text in texts.items() if (found := _CUSTOM_FIELD.fullmatch(setting))}


def _unknown_names(written: Mapping[str, str], environ: Mapping[str, str], mapping_file: Path | None) -> Iterable[str]:
    """Unknown names in env files, ``written``, and misspelt ones in the environment.

    The environment may hold settings of other programs that begin with ``OPENPHONE_``, so a name there is reported only
    if it differs from a known one by a letter or two.
    """
    known = set(_BY_NAME)
    if any(name.startswith("OPENPHONE_CF_") for name in (*written, *environ)):
        fields = (rule for _, person in load_mapping(mapping_file).persons() for rule in person.fields)
        known |= {f"OPENPHONE_CF_{rule.setting}_KEY" for rule in fields}
    for name in sorted({*written, *environ}):
        if not name.startswith("OPENPHONE_") or name in known:
            continue
        close = _find_nearest(name, known, _NEAR if name in written else _MISSPELT)
        if name in written or close:
            place = "an env file" if name in written else "the environment"
            yield f"unknown setting {name} in {place}; " + (
                f"write {close}, if that is meant" if close else "take it out"
            )


_NEAR, _MISSPELT = 0.4, 0.85
"""Least similarity of two names after their common prefix: perhaps the same, and surely the same but for a typo."""


def _find_nearest(name: str, known: Iterable[str], least: float) -> str:
    endings = {other.removeprefix("OPENPHONE_"): other for other in known}
    close = difflib.get_close_matches(name.removeprefix("OPENPHONE_"), endings, n=1, cutoff=least)
    return endings[close[0]] if close else ""


def default_state_dir(environ: Mapping[str, str]) -> str:
    """Where the state lies unless told otherwise."""
    base = environ.get("XDG_STATE_HOME")
    if base:
        return str(Path(base) / "openphone-sync")
    if os.geteuid() == 0:
        return "/var/lib/openphone-sync"
    return str(_home(environ) / ".local" / "state" / "openphone-sync")


def list_default_dirs(environ: Mapping[str, str]) -> list[Path]:
    """State folders that are used on this machine unless told otherwise: this user's, and root's."""
    own = _home(environ) / ".local" / "state" / "openphone-sync"
    return list(dict.fromkeys([Path(default_state_dir(environ)), own, Path("/var/lib/openphone-sync")]))


def expand_home(path: Path) -> Path:
    """The path without a leading ``~`` or ``~user``; `ConfigurationError` if there is no such home."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ConfigurationError(
            f"{path} names a home folder that this machine does not have; give the whole path"
        ) from None


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else expand_home(Path("~"))


def make_env_example() -> str:
    """Body of `.env.example`: every setting with its help and default, those that must be set uncommented."""
    blocks = [
        f"\n# {setting.help}\n{'' if setting.name in {API, DATABASE} else '# '}{setting.name}={setting.default}\n"
        for setting in SETTINGS
    ]
    return "".join(
        [*blocks, "\n# key of one custom field, in place of looking it up by name\n# OPENPHONE_CF_COUNTY_KEY=\n"]
    )
