"""Custom fields: which of the workspace each of ours goes to, and values in the form that its type takes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import partial

from openphone_sync.model import (
    ContactMapping,
    FieldDefinition,
    FieldRule,
    FieldType,
    FieldValue,
    Json,
    PersonRule,
    Placeholder,
    Template,
    fold_label,
)
from openphone_sync.rules.texts import clean_address, clean_name

_TRUE = frozenset({"true", "t", "yes", "y", "1", "on"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "off"})
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ].*)?")

Converter = Callable[[Json], FieldValue | None]
"""A source value as a custom field takes it; None for nothing. `ValueError` says what it is not, without quoting it."""


# --- which field --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BoundField:
    """A field of the mapping and the one of the workspace that it goes to."""

    rule: FieldRule
    definition: FieldDefinition


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Where the fields of the mapping go. ``warnings`` say what is left out.

    ``birth_key`` and ``person_key`` are the keys of the fields that hold the client's date of birth and the name of a
    related person, where the workspace has them.
    """

    client: tuple[BoundField, ...] = ()
    related: tuple[BoundField, ...] = ()
    definitions: tuple[FieldDefinition, ...] = ()
    warnings: tuple[str, ...] = ()
    birth_key: str | None = None
    person_key: str | None = None

    @property
    def bound(self) -> tuple[BoundField, ...]:
        """All fields of the mapping that the workspace has."""
        return (*self.client, *self.related)

    def for_column(self, column: str) -> FieldDefinition | None:
        """The one field whose name is that of a further column, case, spaces and separators folded."""
        found = _named(self.definitions, column)
        return found[0] if len(found) == 1 else None

    def key_of(self, setting: str) -> str | None:
        """Key of the field with this NAME in OPENPHONE_CF_<NAME>_KEY."""
        return next((one.definition.key for one in self.bound if one.rule.setting == setting), None)


def make_field_map(
    definitions: Iterable[FieldDefinition], overrides: Mapping[str, str], mapping: ContactMapping
) -> FieldMap:
    """Find each custom field by override (NAME -> key), then key, then the accepted names in order."""
    known = tuple(definitions)
    warnings: list[str] = []
    client = tuple(_bind(mapping.client, known, overrides, warnings))
    related = tuple(_bind(mapping.related, known, overrides, warnings)) if mapping.related else ()
    born = (one for one in client if one.rule.columns and one.rule.columns == mapping.birth_date)
    named = (one for one in related if mapping.related and _source(one.rule) == mapping.related.name)
    return FieldMap(
        client,
        related,
        known,
        tuple(dict.fromkeys(warnings)),
        birth_key=next((one.definition.key for one in born), None),
        person_key=next((one.definition.key for one in named), None),
    )


def _source(rule: FieldRule) -> Template | None:
    return Template((Placeholder(rule.columns[0]),)) if rule.columns else rule.text


def _bind(
    person: PersonRule, known: tuple[FieldDefinition, ...], overrides: Mapping[str, str], warnings: list[str]
) -> Iterator[BoundField]:
    owners: dict[str, str] = {}
    for rule in person.fields:
        try:
            definition = _find_field(known, rule, overrides.get(rule.setting))
        except LookupError as error:
            warnings.append(str(error))
            continue
        owner = owners.setdefault(definition.key, rule.names[0])
        if owner == rule.names[0]:
            yield BoundField(rule, definition)
        else:
            warnings.append(
                f"{rule.names[0]} and {owner} go to one custom field, {definition.name}, so {rule.names[0]} is left out; "
                f"check OPENPHONE_CF_{rule.setting}_KEY"
            )


def _find_field(known: tuple[FieldDefinition, ...], rule: FieldRule, override: str | None) -> FieldDefinition:
    """`LookupError` says why there is none."""
    label, setting = rule.names[0], f"OPENPHONE_CF_{rule.setting}_KEY"
    if override:
        chosen = next((one for one in known if one.key == override), None)
        if chosen is None:
            raise LookupError(
                f"the workspace has no custom field with this key, so {label} is left out; correct {setting}"
            )
        return chosen
    found = [one for one in known if rule.setting and fold_label(one.key) == fold_label(rule.setting)]
    for name in rule.names:
        found = found or _named(known, name)
    if not found:
        raise LookupError(
            f"the workspace has no custom field named {label}, so it is left out; add it in the app to have it filled"
        )
    if len(found) > 1:
        many = f"the workspace has {len(found)} custom fields named {label}, so it is left out"
        raise LookupError(f"{many}; set {setting} to the key of one")
    return found[0]


def _named(known: Iterable[FieldDefinition], name: str) -> list[FieldDefinition]:
    return [one for one in known if fold_label(one.name) == fold_label(name)]


# --- values -----------------------------------------------------------------------------------------------------------


def read_flag(value: Json) -> Json:
    """True or False for a boolean column, or for text or a number that says yes or no; anything else as it is."""
    if isinstance(value, str):
        folded = value.strip().lower()
        return True if folded in _TRUE else False if folded in _FALSE else value
    return True if value == 1 else False if value == 0 else value


def find_converter(kind: str, yes: str | None = None) -> Converter:
    """How values get into a field of this type; ``yes`` is what true is written as where the type has no truth values."""
    convert = _CONVERTERS.get(kind)
    if convert is None:
        return partial(_refuse_type, kind)
    return partial(_convert, convert, yes if kind != FieldType.BOOLEAN else None)


def convert_value(value: Json, kind: str) -> FieldValue | None:
    """A source value as the custom field's type takes it; None for nothing, False included.

    `ValueError` says what the value is not ("not a date"), without quoting it.
    """
    return find_converter(kind)(value)


def _convert(convert: Converter, yes: str | None, value: Json) -> FieldValue | None:
    if _is_nothing(value):
        return None
    if value is True and yes is not None:
        value = yes
    return convert(value)


def _refuse_type(kind: str, value: Json) -> FieldValue | None:
    if _is_nothing(value):
        return None
    raise ValueError(f"of no use for a custom field of type {kind}")


def _is_nothing(value: Json) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or value is False or value in ([], {})


def _to_string(value: Json) -> str:
    if value is True:
        return "Yes"
    if isinstance(value, list):
        return ", ".join(_to_string(one) for one in value if one not in (None, ""))
    if isinstance(value, dict):
        return clean_address(json.dumps(value, ensure_ascii=False))
    return clean_name(str(value))


def _to_text(value: Json) -> str | None:
    return _to_string(value) or None  # nothing of it may be visible


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
    day = parse_day(value)
    if day is None:
        raise ValueError("not a date")
    return f"{day}T12:00:00.000Z"


def _to_options(value: Json) -> tuple[str, ...]:
    options = value if isinstance(value, list) else [value]
    return tuple(_to_string(option) for option in options if option not in (None, ""))


def _to_url(value: Json) -> str:
    text = clean_address(str(value).strip())
    if not re.fullmatch(r"https?://\S+", text):
        raise ValueError("not a web address")
    return text


_CONVERTERS: Mapping[str, Converter] = {
    FieldType.STRING: _to_text,
    FieldType.ADDRESS: _to_text,
    FieldType.NUMBER: _to_number,
    FieldType.BOOLEAN: _to_boolean,
    FieldType.DATE: _to_date,
    FieldType.MULTI_SELECT: _to_options,
    FieldType.URL: _to_url,
}


def parse_day(value: Json) -> str | None:
    """The day of an ISO date or time, ``1985-06-15``."""
    found = _DATE.fullmatch(str(value).strip())
    if not found:
        return None
    try:
        return date.fromisoformat(found[1]).isoformat()
    except ValueError:
        return None
