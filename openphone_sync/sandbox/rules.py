"""What the API takes and what it refuses: pure functions over request bodies.

Sources: the vendor document for the shapes; seen live for what it leaves out (extra keys are tolerated, the wording of
the validator is TypeBox's, a wrong custom field refuses the whole contact).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import phonenumbers

from openphone_sync.sandbox.options import CustomField, Variants

Json = dict[str, Any]

SCALARS = ("firstName", "lastName", "company", "role")
ARRAYS = ("emails", "phoneNumbers")
RESERVED_SOURCES = frozenset({"openphone", "device", "csv", "zapier", "google-people", "other"})
RESERVED_PREFIXES = ("openphone", "csv")
NATIVE_PREFIX = "openphone-"  # native integrations, `openphone-clio` and the like: read-only in the app and the API
NEW_SOURCE_LENGTH = 72
SOURCE_LENGTH = 75
EXTERNAL_ID_LENGTH = 75
SOURCE_URL_LENGTH = 200
DEFAULT_REGION = "US"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:]{8}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Issue:
    """One entry of an error's `errors`: where, what, the value sent, and the type that was wanted."""

    path: str
    message: str
    value: Any = None
    type: str = "string"


class RefusedError(Exception):
    """The API says no: the parts of the flat error envelope."""

    def __init__(self, status: int, code: str, title: str, message: str, issues: tuple[Issue, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.title = title
        self.issues = issues


def make_bad_request(*issues: Issue) -> RefusedError:
    """Return the 400 of the validator."""
    return RefusedError(400, "0800400", "Bad Request", issues[0].message, issues)


def make_bad_custom_field(*issues: Issue) -> RefusedError:
    """Return the 400 for a custom field that the workspace lacks or whose value has another type."""
    return RefusedError(400, "0801400", "Invalid Custom Field Item", issues[0].message, issues)


def make_not_found() -> RefusedError:
    """Return the 404 for a contact that does not exist, or no longer."""
    return RefusedError(404, "0800404", "Not Found", "Contact not found")


def make_conflict(verb: str) -> RefusedError:
    """Return the 409: seen live with this wording, it names neither the field nor the other contact."""
    return RefusedError(409, "0800409", "Conflict", f"Failed to {verb} contact")


def make_forbidden() -> RefusedError:
    """Return the 403 for a contact that a native integration owns (its live body is unknown)."""
    return RefusedError(403, "0801403", "Not Phone Number User", "Contact is managed by an integration")


def check_create(body: Any, variants: Variants) -> None:
    """Check the body of a POST, custom fields apart. Raises RefusedError."""
    issues = list(_find_create_issues(body, variants)) if isinstance(body, dict) else [_make_no_object(body)]
    if issues:
        raise make_bad_request(*issues)


def check_patch(body: Any, variants: Variants, source: str | None) -> None:
    """Check the body of a PATCH to a contact whose source is `source`, custom fields apart. Raises RefusedError."""
    issues = list(_find_patch_issues(body, variants, source)) if isinstance(body, dict) else [_make_no_object(body)]
    if issues:
        raise make_bad_request(*issues)


def _make_no_object(body: Any) -> Issue:
    return Issue("", "Expected object", body, "object")


def _find_create_issues(body: Json, variants: Variants) -> Iterator[Issue]:
    yield from _find_default_field_issues(body.get("defaultFields", _MISSING), variants, is_new=True)
    yield from _find_array_issue("/customFields", body.get("customFields", []))
    yield from _find_text_issues("/externalId", body.get("externalId"), EXTERNAL_ID_LENGTH)
    if "source" in body:
        yield from _find_source_issues(body["source"], NEW_SOURCE_LENGTH, nullable=False)
    if "sourceUrl" in body:
        yield from _find_url_issues(body["sourceUrl"], nullable=False)
    user = body.get("createdByUserId", "US")
    if not isinstance(user, str) or not user.startswith("US"):
        yield Issue("/createdByUserId", "Expected string to match '^US(.*)$'", user)


def _find_patch_issues(body: Json, variants: Variants, source: str | None) -> Iterator[Issue]:
    if "defaultFields" in body:
        yield from _find_default_field_issues(body["defaultFields"], variants, is_new=False)
    yield from _find_array_issue("/customFields", body.get("customFields", []))
    yield from _find_text_issues("/externalId", body.get("externalId"), EXTERNAL_ID_LENGTH)
    if body.get("source", source) != source:  # whole answers may be sent back, a reserved source with them
        yield from _find_source_issues(body["source"], SOURCE_LENGTH, nullable=True)
    if "sourceUrl" in body:
        yield from _find_url_issues(body["sourceUrl"], nullable=True)


def _find_default_field_issues(sent: Any, variants: Variants, *, is_new: bool) -> Iterator[Issue]:
    if not isinstance(sent, dict):
        yield Issue("/defaultFields", _say_expected(sent, "object"), None, "object")
        return
    if is_new and "firstName" not in sent:
        yield Issue("/defaultFields/firstName", "Expected required property")
    for name in SCALARS:
        if not isinstance(sent.get(name), str | None):
            yield Issue(f"/defaultFields/{name}", "Expected string", sent[name])
    if variants.blank_first_name == "refuse" and "firstName" in sent and not sent["firstName"]:
        yield Issue("/defaultFields/firstName", "Expected string length greater or equal to 1", sent["firstName"])
    for name in ARRAYS:
        yield from _find_item_issues(f"/defaultFields/{name}", sent.get(name, []))
    if variants.bad_phone == "refuse":
        yield from _find_phone_issues(sent.get("phoneNumbers", []))


def _find_item_issues(path: str, items: Any) -> Iterator[Issue]:
    yield from _find_array_issue(path, items)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if not isinstance(item, dict):
            yield Issue(f"{path}/{index}", "Expected object", item, "object")
            continue
        if not isinstance(item.get("name"), str):
            yield Issue(f"{path}/{index}/name", _say_expected(item.get("name", _MISSING), "string"), item.get("name"))
        if not isinstance(item.get("value", _MISSING), str | None):
            yield Issue(f"{path}/{index}/value", _say_expected(item.get("value", _MISSING), "string"))


def _find_phone_issues(items: Any) -> Iterator[Issue]:
    for index, item in enumerate(items if isinstance(items, list) else ()):
        value = item.get("value") if isinstance(item, dict) else None
        if isinstance(value, str) and not is_phone(value):
            yield Issue(f"/defaultFields/phoneNumbers/{index}/value", "Invalid phone number", value)


def _find_array_issue(path: str, value: Any) -> Iterator[Issue]:
    if not isinstance(value, list):
        yield Issue(path, "Expected array", value, "array")


def _find_text_issues(path: str, value: Any, longest: int) -> Iterator[Issue]:
    """Look at a text of 1 to `longest` characters, or null."""
    if value is None:
        return
    if not isinstance(value, str):
        yield Issue(path, "Expected string", value)
    elif not value:
        yield Issue(path, "Expected string length greater or equal to 1", value)
    elif len(value) > longest:
        yield Issue(path, f"Expected string length less or equal to {longest}", value)


def _find_source_issues(source: Any, longest: int, *, nullable: bool) -> Iterator[Issue]:
    if source is None and not nullable:
        yield Issue("/source", "Expected string", source)
    yield from _find_text_issues("/source", source, longest)
    if isinstance(source, str) and (source in RESERVED_SOURCES or source.startswith(RESERVED_PREFIXES)):
        yield Issue("/source", "Source is a reserved word", source)


def _find_url_issues(url: Any, *, nullable: bool) -> Iterator[Issue]:
    if url is None and not nullable:
        yield Issue("/sourceUrl", "Expected string", url)
    yield from _find_text_issues("/sourceUrl", url, SOURCE_URL_LENGTH)
    if isinstance(url, str) and url and not _URI.fullmatch(url):
        yield Issue("/sourceUrl", "Expected string to match 'uri' format", url)


def _say_expected(value: Any, wanted: str) -> str:
    return "Expected required property" if value is _MISSING else f"Expected {wanted}"


def check_custom_value(definition: CustomField, value: Any, path: str, variants: Variants) -> None:
    """Check one custom field's value (null removes it) against its definition. Raises RefusedError."""
    if value is None or _fits(definition.type, value, variants):
        return
    message = f"Invalid value for {definition.type} custom field"
    raise make_bad_custom_field(Issue(path, message, value, definition.type))


def _fits(kind: str, value: Any, variants: Variants) -> bool:
    if kind == "date":
        return isinstance(value, str) and parse_date(value, variants) is not None
    if kind == "multi-select":
        return isinstance(value, list) and all(isinstance(option, str) for option in value)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)  # address, string, url


def parse_date(text: str, variants: Variants) -> str | None:
    """Return a date-time as the API writes it (UTC, milliseconds, Z), None when it is none."""
    is_date = variants.date_only == "accept" and _DATE.fullmatch(text)
    if not is_date and not _DATE_TIME.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return format_time(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)


def format_time(moment: datetime) -> str:
    """Return a time as the API writes it: `2026-01-31T09:05:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@lru_cache(maxsize=65_536)
def parse_phone(text: str) -> phonenumbers.PhoneNumber | None:
    """Return the phone number that `text` is, None when it is none that could exist."""
    try:
        number = phonenumbers.parse(text, DEFAULT_REGION)
    except phonenumbers.NumberParseException:
        return None
    reason = phonenumbers.is_possible_number_with_reason(number)  # seven digits are "possible locally": not here
    return number if reason == phonenumbers.ValidationResult.IS_POSSIBLE else None


def is_phone(text: str) -> bool:
    """Tell whether `text` is a phone number that could exist."""
    return parse_phone(text) is not None


def normalise_phone(text: str) -> str:
    """Return a phone as answers show it: E.164 where it parses (seen live), the text itself where it does not."""
    number = parse_phone(text)
    return text if number is None else phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def find_definition(definitions: Mapping[str, CustomField], sent: Json, current: list[Json]) -> CustomField | None:
    """Return the definition that a sent custom field means, by `key`, else by the `id` of an item of the contact."""
    if sent.get("key") is not None:
        return definitions.get(str(sent["key"]))
    by_id = {item["id"]: item["key"] for item in current}
    return definitions.get(by_id.get(sent.get("id"), ""))
