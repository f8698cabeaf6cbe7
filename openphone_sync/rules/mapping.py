"""One client row -> the contacts it becomes. Pure.

A client is one main contact (slot 0) and one contact for each alternate that the row names (slot n). External ids,
company, role and item labels are those of the predecessor of this tool, since its contacts exist in workspaces. Each
contact stands alone: a bad main phone drops no alternate.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from openphone_sync.model import (
    ClientRow,
    ContactValues,
    DesiredContact,
    FieldDefinition,
    FieldType,
    FieldValue,
    Item,
    Json,
    Reason,
    Skipped,
    Wanted,
    Why,
)
from openphone_sync.rules.phones import Phone, PhoneText, parse_phones

MAPPING_VERSION = 1
"""Part of every fingerprint: raise it whenever the same row would map to something else."""

MAX_EXTERNAL_ID = 75  # vendor document, POST /v1/contacts
REQUIRED_COLUMNS = ("id", "client_name")
MAIN_COLUMNS = (
    "id",
    "client_name",
    "client_type",
    "phone",
    "email",
    "date_of_birth",
    "date_intake",
    "intake_date",
    "county",
    "case_type",
    "arrested",
    "currently_incarcerated",
)
AGE_COLUMNS = ("created_at", "createdAt")
"""When the row was made: decides which of two rows for one person is the older."""
ALTERNATE_COLUMN = re.compile(r"contact_([1-9][0-9]*)|relationship_([1-9][0-9]*)|contact_([1-9][0-9]*)_phone")

FIELD_LABELS: Mapping[str, tuple[str, FieldType]] = {
    "CLIENT_TYPE": ("Client Type", FieldType.STRING),
    "DATE_OF_BIRTH": ("Date of Birth", FieldType.DATE),
    "COUNTY": ("County", FieldType.STRING),
    "INTAKE_DATE": ("Intake Date", FieldType.DATE),
    "CASE_TYPE": ("Case Type", FieldType.STRING),
    "ARRESTED": ("Arrested", FieldType.STRING),
    "CURRENTLY_INCARCERATED": ("Currently Incarcerated", FieldType.STRING),
    "PRIMARY_CLIENT_NAME": ("Primary Client Name", FieldType.STRING),
    "RELATIONSHIP": ("Relationship", FieldType.STRING),
    "CONTACT_PERSON_NAME": ("Contact Person Name", FieldType.STRING),
    "ALT_CONTACT_NUMBER": ("Alt Contact Number", FieldType.STRING),
}
"""The custom fields by setting name: how they are called in the app, and the type to choose when adding one."""

OTHER_NAMES: Mapping[str, str] = {
    "PRIMARY_CLIENT_NAME": "Client Name",
    "RELATIONSHIP": "Relationship to Client",
    "ALT_CONTACT_NUMBER": "Alternative Contact Number",
}
"""Names of the published example, accepted where the workspace has no field under the first one."""

_ENDS_LIKE_ALTERNATE = re.compile(r"_alt_[0-9]+\Z")
_TRUE = frozenset({"true", "t", "yes", "y", "1", "on"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "off"})
_EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;]+")
_DROPPED = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # control characters that are no white space
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"  # zero width, or direction
)
"""What nobody sees or means to type. Zero-width joiners are not among them: Persian and emoji need them inside a name."""
_JOINERS = "\u200c\u200d"
_VISIBLE = re.compile(r"[^\s\u034f\u115f\u1160\u200c\u200d\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e01ef]")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ].*)?")


# --- custom fields of the workspace -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Which workspace field each of our names, and each further column, goes to. ``warnings`` say what is left out."""

    fields: Mapping[str, FieldDefinition] = field(default_factory=dict)
    definitions: tuple[FieldDefinition, ...] = ()
    warnings: tuple[str, ...] = ()

    def key_of(self, name: str) -> str | None:
        """Key of the custom field that one of our names goes to."""
        found = self.fields.get(name)
        return found.key if found else None

    def for_column(self, column: str) -> FieldDefinition | None:
        """The one field whose name is that of a further column, case and spaces folded."""
        found = _named(self.definitions, column)
        return found[0] if len(found) == 1 else None


def make_field_map(definitions: Iterable[FieldDefinition], overrides: Mapping[str, str]) -> FieldMap:
    """Find each custom field by override (setting name -> key), then key, then name."""
    known = tuple(definitions)
    fields: dict[str, FieldDefinition] = {}
    warnings: list[str] = []
    for name, (label, _) in FIELD_LABELS.items():
        found, problem = _find_field(known, name, label, overrides.get(name))
        if found:
            fields[name] = found
        else:
            warnings.append(problem)
    return FieldMap(fields, known, tuple(warnings))


def _find_field(
    known: tuple[FieldDefinition, ...], setting: str, label: str, override: str | None
) -> tuple[FieldDefinition | None, str]:
    if override:
        chosen = [one for one in known if one.key == override]
        problem = (
            f"the workspace has no custom field with this key, so {label} is left out; mend OPENPHONE_CF_{setting}_KEY"
        )
        return (chosen[0] if chosen else None), problem
    found = [one for one in known if _fold(one.key) == _fold(setting)]
    found = found or list(_named(known, label) or _named(known, OTHER_NAMES.get(setting, label)))
    if len(found) == 1:
        return found[0], ""
    if found:
        many = f"the workspace has {len(found)} custom fields named {label}, so it is left out"
        return None, many + f"; set OPENPHONE_CF_{setting}_KEY to the key of one"
    return (
        None,
        f"the workspace has no custom field named {label}, so it is left out; add it in the app to have it filled",
    )


def _named(known: tuple[FieldDefinition, ...], name: str) -> tuple[FieldDefinition, ...]:
    return tuple(one for one in known if _fold(one.name) == _fold(name))


@lru_cache(maxsize=4096)  # the same few names for every row
def _fold(name: str) -> str:
    """Case, spaces and separators folded: ``date_of_birth`` equals ``Date of  Birth``."""
    return re.sub(r"[\W_]+", "", name).casefold()


# --- rows -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MappingRules:
    """What mapping needs besides the row."""

    region: str
    fields: FieldMap


def make_fingerprint(row: ClientRow, settings_digest: bytes) -> bytes:
    """16 bytes that move when the row, the mapping or a setting that matters to it does."""
    digest = hashlib.blake2b(settings_digest, digest_size=16)
    digest.update(row.document.encode("utf-8", "surrogatepass"))
    return digest.digest()


def make_settings_digest(*parts: object) -> bytes:
    """What makes every fingerprint move: the mapping's version and the settings that matter."""
    return hashlib.blake2b(repr((MAPPING_VERSION, *parts)).encode(), digest_size=16).digest()


def map_client(row: ClientRow, rules: MappingRules) -> tuple[Wanted, ...]:
    """The contacts that a client becomes, the main one first. Never raises for bad data: that is a `Skipped`."""
    return tuple(_Mapper(row, rules).wanted())


def make_external_id(client_id: str, slot: int) -> str:
    """``client_17``, ``client_17_alt_2``: those of the predecessor, and no two of one source alike.

    A client whose own id ends like that of an alternate (``x_alt_1``) would share one with alternate 1 of client ``x``, so
    it is written out as slot 0, ``client_x_alt_1_alt_0``, whether or not there is such an ``x``: ids must not move.
    """
    if slot or _ENDS_LIKE_ALTERNATE.search(client_id):
        return f"client_{client_id}_alt_{slot}"
    return f"client_{client_id}"


def find_phones(row: ClientRow, region: str) -> frozenset[str]:
    """Numbers (E.164) in the row's phone columns, also those of contacts that are not made."""
    texts = (
        _as_text(value)
        for column, value in json.loads(row.document).items()
        if column == "phone" or ((found := ALTERNATE_COLUMN.fullmatch(column)) and found[3])
    )
    return frozenset(phone.e164 for text in texts for phone in parse_phones(text, region).phones)


class _Mapper:
    """One row being mapped."""

    def __init__(self, row: ClientRow, rules: MappingRules) -> None:
        self.client_id = row.client_id
        self.columns: dict[str, Json] = json.loads(row.document)
        self.rules = rules
        self.name = clean_name(self._text("client_name"))
        self.kind = _client_kind(self._text("client_type"))

    def wanted(self) -> Iterator[Wanted]:
        yield self._checked(self._main(), 0)
        for slot in self._slots():
            yield self._checked(self._alternate(slot), slot)

    def _checked(self, contact: DesiredContact, slot: int) -> Wanted:
        if not self.name:
            return Skipped(contact.external_id, self.client_id, slot, Why(Reason.NO_NAME))
        if len(contact.external_id) > MAX_EXTERNAL_ID:
            return Skipped(contact.external_id, self.client_id, slot, Why(Reason.ID_TOO_LONG))
        return contact

    def _main(self) -> DesiredContact:
        external_id = make_external_id(self.client_id, 0)
        phones = parse_phones(self._text("phone"), self.rules.region)
        emails, bad_emails = _emails(self._text("email"))
        converted = _Fields(external_id, self._main_fields())
        return DesiredContact(
            external_id=external_id,
            client_id=self.client_id,
            slot=0,
            person=self.name,
            values=ContactValues(
                first_name=self.name,
                company="Legal Client",
                role="Criminal Client" if self.kind == "criminal" else "Civil Client",
                phones=_phone_items("Main Phone", phones.phones),
                emails=emails,
                custom_fields=converted.values,
            ),
            denied=converted.denied,
            birth_date=_date(self.columns.get("date_of_birth")),
            phones_unusable=_all_unusable(phones),
            unfit=_unfit(phones),
            seniority=self._seniority(),
            warnings=(
                *_phone_warnings(external_id, phones),
                *_email_warnings(external_id, bad_emails),
                *converted.warnings,
            ),
        )

    def _alternate(self, slot: int) -> DesiredContact:
        external_id = make_external_id(self.client_id, slot)
        person = clean_name(self._text(f"contact_{slot}"))
        relationship = clean_name(self._text(f"relationship_{slot}"))
        called = relationship or f"Contact {slot}"
        phones = parse_phones(self._text(f"contact_{slot}_phone"), self.rules.region)
        converted = _Fields(external_id, self._alternate_fields(slot, person, relationship))
        return DesiredContact(
            external_id=external_id,
            client_id=self.client_id,
            slot=slot,
            person=person,
            values=ContactValues(
                first_name=f"{self.name} - {called}",
                company="Legal Client Contact",
                role=f"Alternative Contact ({called})",
                phones=_phone_items(f"{called} Phone", phones.phones),
                custom_fields=converted.values,
            ),
            phones_unusable=_all_unusable(phones),
            unfit=_unfit(phones),
            seniority=self._seniority(),
            warnings=(*_phone_warnings(external_id, phones), *converted.warnings),
        )

    def _slots(self) -> list[int]:
        """Numbers of the alternates that the row names or gives a phone; a relationship alone names nobody."""
        slots: set[int] = set()
        for column, value in self.columns.items():
            found = ALTERNATE_COLUMN.fullmatch(column)
            if found and not found[2] and _as_text(value):
                slots.add(int(found[1] or found[3]))
        return sorted(slots)

    def _main_fields(self) -> Iterator[tuple[str, FieldDefinition, Json]]:
        criminal, civil = self.kind == "criminal", self.kind == "civil"
        known: dict[str, Json] = {
            "CLIENT_TYPE": self.kind or None,
            "DATE_OF_BIRTH": self.columns.get("date_of_birth"),
            "COUNTY": self.columns.get("county"),
            "INTAKE_DATE": self.columns.get("date_intake", self.columns.get("intake_date")),
            "CASE_TYPE": self.columns.get("case_type") if civil else None,
            "ARRESTED": _flag(self.columns.get("arrested")) if criminal else None,
            "CURRENTLY_INCARCERATED": _flag(self.columns.get("currently_incarcerated")) if criminal else None,
        }
        yield from self._defined(known)
        taken = {definition.key for definition in self.rules.fields.fields.values()}
        for column, value in self.columns.items():
            if column in MAIN_COLUMNS or column in AGE_COLUMNS or ALTERNATE_COLUMN.fullmatch(column):
                continue
            definition = self.rules.fields.for_column(column)
            if definition is not None and definition.key not in taken:
                taken.add(definition.key)
                yield column, definition, value

    def _alternate_fields(
        self, slot: int, person: str, relationship: str
    ) -> Iterator[tuple[str, FieldDefinition, Json]]:
        yield from self._defined(
            {
                "PRIMARY_CLIENT_NAME": self.name,
                "RELATIONSHIP": relationship,
                "CONTACT_PERSON_NAME": person,
                "ALT_CONTACT_NUMBER": slot,
            }
        )

    def _defined(self, values: Mapping[str, Json]) -> Iterator[tuple[str, FieldDefinition, Json]]:
        for name, value in values.items():
            definition = self.rules.fields.fields.get(name)
            if definition is not None:
                yield name.lower(), definition, value

    def _seniority(self) -> tuple[str, str]:
        created = next((self._text(column) for column in AGE_COLUMNS if self._text(column)), "")
        return (created or "~", self.client_id)  # "~" sorts after every date: a row of unknown age is the younger

    def _text(self, column: str) -> str:
        return _as_text(self.columns.get(column))


def clean_name(text: str) -> str:
    """NFC, without control and direction characters, white space folded and trimmed; empty if nothing of it is visible."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if not text.isprintable():  # white space other than the blank counts as not printable, too
        text = _DROPPED.sub("", text)
    text = " ".join(text.split())
    if text.isascii():
        return text
    text = text.strip(_JOINERS + " ")
    return text if _VISIBLE.search(text) else ""


def _client_kind(text: str) -> str:
    """``criminal`` and ``civil`` in whatever case; another text as it is."""
    return text.lower() if text.lower() in {"criminal", "civil"} else text


def _flag(value: Json) -> Json:
    """A boolean column, or text that says yes or no: True becomes "Yes" (as the predecessor wrote), False stays."""
    if isinstance(value, str):
        folded = value.strip().lower()
        value = True if folded in _TRUE else False if folded in _FALSE else value
    return "Yes" if value is True or value == 1 else False if value is False or value == 0 else value


def _as_text(value: Json) -> str:
    if value is None or isinstance(value, bool | list | dict):
        return ""
    return str(value).strip()


# --- items ----------------------------------------------------------------------------------------------------------


def _phone_items(label: str, phones: tuple[Phone, ...]) -> tuple[Item, ...]:
    return tuple(
        Item(
            (label if number == 1 else f"{label} {number}") + (f" ext. {phone.extension}" if phone.extension else ""),
            phone.e164,
        )
        for number, phone in enumerate(phones, start=1)
    )


def _all_unusable(phones: PhoneText) -> bool:
    return bool(phones.unusable) and not phones.phones


def _unfit(phones: PhoneText) -> Reason | None:
    if phones.phones:
        return None
    return Reason.PHONE_UNUSABLE if phones.unusable else Reason.NO_PHONE


def _phone_warnings(external_id: str, phones: PhoneText) -> Iterator[str]:
    if phones.phones and phones.unusable:
        yield f"{external_id}: a part of the phone field is no usable number and was left out; mend it in the client table"
    if any(not phone.assigned for phone in phones.phones):
        yield f"{external_id}: the phone number is possible but in no assigned range; check it in the client table"


def _emails(text: str) -> tuple[tuple[Item, ...], int]:
    """Addresses in the text, each once, and how many pieces were none."""
    pieces = [piece for piece in re.split(r"[\s,;]+", _DROPPED.sub("", text)) if piece]
    good = list(dict.fromkeys(piece for piece in pieces if _EMAIL.fullmatch(piece)))
    bad = sum(not _EMAIL.fullmatch(piece) for piece in pieces)
    return tuple(Item("Email" if n == 1 else f"Email {n}", value) for n, value in enumerate(good, start=1)), bad


def _email_warnings(external_id: str, bad: int) -> Iterator[str]:
    if bad:
        yield f"{external_id}: the e-mail field holds text that is no address and was left out; mend it in the client table"


# --- custom field values ---------------------------------------------------------------------------------------------


class _Fields:
    """Converted custom fields of one contact: ``values`` by key, ``denied`` keys, ``warnings``."""

    def __init__(self, external_id: str, named: Iterable[tuple[str, FieldDefinition, Json]]) -> None:
        values: dict[str, FieldValue | None] = {}
        denied: set[str] = set()
        warnings: list[str] = []
        for column, definition, value in named:
            try:
                values[definition.key] = convert_value(value, definition.kind)
            except ValueError as error:
                warnings.append(f"{external_id}: {column} is {error} and was left out; mend it in the client table")
                continue
            if value is False:
                denied.add(definition.key)
        self.values = tuple(sorted(values.items()))
        self.denied = frozenset(denied)
        self.warnings = tuple(warnings)


def convert_value(value: Json, kind: str) -> FieldValue | None:
    """A source value as the custom field's type takes it; None for nothing, False included.

    `ValueError` says what the value is not ("not a date"), without quoting it.
    """
    if value is None or value is False or value in ("", [], {}) or (isinstance(value, str) and not value.strip()):
        return None
    try:
        convert = _CONVERTERS[FieldType(kind)]
    except ValueError:
        raise ValueError(f"of no use for a custom field of type {kind}") from None
    return convert(value)


def _to_string(value: Json) -> str:
    if value is True:
        return "Yes"
    if isinstance(value, list):
        return ", ".join(_to_string(one) for one in value if one not in (None, ""))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return clean_name(str(value))


def _to_number(value: Json) -> int | float:
    try:
        number = Decimal(str(int(value)) if isinstance(value, bool) else str(value).strip())
    except InvalidOperation:
        raise ValueError("not a number") from None
    if not number.is_finite() or number.adjusted() > 15:  # beyond what a double holds exactly
        raise ValueError("not a number that OpenPhone can hold")
    return int(number) if number == number.to_integral_value() else float(number)


def _to_boolean(value: Json) -> bool | None:
    folded = str(value).strip().lower()
    if value is True or folded in _TRUE:
        return True
    if folded in _FALSE:
        return None
    raise ValueError("neither yes nor no")


def _to_date(value: Json) -> str:
    """Noon UTC of that day: the app shows local days, and noon is the same day from Hawaii to Eastern Europe.

    A time of day in the source is dropped, never shifted.
    """
    day = _date(value)
    if day is None:
        raise ValueError("not a date")
    return f"{day}T12:00:00.000Z"


def _to_options(value: Json) -> tuple[str, ...]:
    options = value if isinstance(value, list) else [value]
    return tuple(_to_string(option) for option in options if option not in (None, ""))


def _to_url(value: Json) -> str:
    text = str(value).strip()
    if not re.fullmatch(r"https?://\S+", text):
        raise ValueError("not a web address")
    return text


_CONVERTERS = {
    FieldType.STRING: _to_string,
    FieldType.ADDRESS: _to_string,
    FieldType.NUMBER: _to_number,
    FieldType.BOOLEAN: _to_boolean,
    FieldType.DATE: _to_date,
    FieldType.MULTI_SELECT: _to_options,
    FieldType.URL: _to_url,
}


def _date(value: Json) -> str | None:
    """The day of an ISO date or time, ``1985-06-15``."""
    found = _DATE.fullmatch(str(value).strip())
    if not found:
        return None
    try:
        return date.fromisoformat(found[1]).isoformat()
    except ValueError:
        return None
