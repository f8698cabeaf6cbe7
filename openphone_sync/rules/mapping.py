"""One client row -> the contacts it becomes, by a mapping (`model.ContactMapping`). Pure.

A client is one main contact (slot 0) and one contact for each related person that the row names (slot n). Each contact
stands by itself: a bad main phone drops no related person. What a mapping means for rows with certain columns is worked
out once (`_Layout`): templates become functions, numbered columns become slots.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from openphone_sync.model import (
    NUMBER_PLACEHOLDER,
    ClientRow,
    ContactMapping,
    ContactValues,
    DataFault,
    DataWarning,
    DesiredContact,
    FieldType,
    FieldValue,
    Item,
    ItemRule,
    Json,
    PersonRule,
    Reason,
    Skipped,
    Template,
    ValueChoice,
    Wanted,
    Why,
    fold_value,
)
from openphone_sync.rules.custom_fields import BoundField, Converter, FieldMap, find_converter, parse_day, read_flag
from openphone_sync.rules.phones import parse_phones
from openphone_sync.rules.texts import as_text, clean_address, clean_name

MAPPING_VERSION = 1
"""Part of every fingerprint: raise it whenever the same row would give something else under the built-in mapping."""

MAX_EXTERNAL_ID = 75  # vendor document, POST /v1/contacts
MAX_SOURCE_URL = 200  # the same

_ENDS_LIKE_RELATED = re.compile(r"_alt_[0-9]+\Z")
_BETWEEN_EMAILS = re.compile(r"[\s,;]+")
_EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;]+")


@dataclass(frozen=True, slots=True)
class MappingRules:
    """What mapping needs besides the row: the region of phone numbers without a country code, the mapping, the fields."""

    region: str
    mapping: ContactMapping
    fields: FieldMap = field(default_factory=FieldMap)
    layouts: dict[tuple[str, ...], _Layout] = field(default_factory=dict, repr=False, compare=False)

    def layout_of(self, columns: tuple[str, ...]) -> _Layout:
        """What the mapping means for rows with these columns; remembered."""
        found = self.layouts.get(columns)
        if found is None:
            found = self.layouts[columns] = _make_layout(columns, self)
        return found


def make_fingerprint(row: ClientRow, settings_digest: bytes) -> bytes:
    """16 bytes that move when the row, the mapping or a setting that matters to it does."""
    return hashlib.blake2b(settings_digest + row.document.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def make_settings_digest(*parts: object) -> bytes:
    """What makes every fingerprint move: the mapping's version and the settings that matter."""
    return hashlib.blake2b(repr((MAPPING_VERSION, *parts)).encode(), digest_size=16).digest()


def make_external_id(client_id: str, slot: int) -> str:
    """``client_17``, ``client_17_alt_2``: those of the predecessor, and no two of one source alike.

    A client whose own id ends like that of a related person (``x_alt_1``) would share one with person 1 of client ``x``, so
    it is written out as slot 0, ``client_x_alt_1_alt_0``, whether or not there is such an ``x``: ids must not move.
    """
    if slot or _ENDS_LIKE_RELATED.search(client_id):
        return f"client_{client_id}_alt_{slot}"
    return f"client_{client_id}"


def map_client(row: ClientRow, rules: MappingRules) -> tuple[Wanted, ...]:
    """The contacts that a client becomes, the main one first. Never raises for bad data: that is a `Skipped`."""
    values, layout = _read_row(row, rules)
    has_name = bool(layout.persons[0].name(values))
    return tuple(
        _make_contact(person, values, row.client_id, layout, rules.region, has_name=has_name)
        for person in layout.persons
        if not person.slot or person.is_named(values)
    )


def find_phones(row: ClientRow, rules: MappingRules) -> frozenset[str]:
    """Numbers (E.164) in the row's phone columns, also those of contacts that are not made."""
    values, layout = _read_row(row, rules)
    texts = (as_text(values.columns.get(column)) for person in layout.persons for column, _ in person.phones)
    return frozenset(phone.e164 for text in texts for phone in parse_phones(text, rules.region).phones)


# --- columns ----------------------------------------------------------------------------------------------------------


def make_column_filter(mapping: ContactMapping) -> Callable[[str], bool]:
    """Tells the columns that the mapping reads, or may read, from all others."""
    return _match_any({name for group in _column_groups(mapping) for name in group} | set(mapping.optional))


def make_text_filter(mapping: ContactMapping) -> Callable[[str], bool]:
    """Tells the columns that ought to be text (names, phones, e-mails, fields of type string) from all others."""
    names: set[str] = set()
    for _, person in mapping.persons():
        names.update(person.name.names, (item.column for item in (*person.phones, *person.emails)))
        for rule in person.fields:
            names.update(rule.columns if rule.types[0] is FieldType.STRING and rule.yes is None else ())
    return _match_any(names)


def find_missing_columns(
    mapping: ContactMapping, columns: Collection[str], *, optional: bool = False
) -> list[tuple[str, str]]:
    """Columns that must be there and are not, each with the nearest one that is (or nothing), in the mapping's order.

    With ``optional``: those that may be missing.
    """
    may_miss, missing = set(mapping.optional), dict[str, str]()
    for group in _column_groups(mapping):
        patterns = [re.compile(_numbered(name)) for name in group]
        if may_miss.isdisjoint(group) is not optional and not any(
            one.fullmatch(column) for one in patterns for column in columns
        ):
            shown = group[0].replace(NUMBER_PLACEHOLDER, "1")
            missing[shown] = next(iter(difflib.get_close_matches(shown, columns, n=1, cutoff=0.5)), "")
    return list(missing.items())


def name_columns(mapping: ContactMapping) -> tuple[str, ...]:
    """The columns that make the client's name."""
    choices = dict(mapping.choices)
    return tuple(choices[name].column if name in choices else name for name in mapping.client.name.names)


def _column_groups(mapping: ContactMapping) -> Iterator[tuple[str, ...]]:
    """Columns by the place that reads them; of several in one group, one must be there."""
    choices = dict(mapping.choices)
    for use in mapping.uses():
        choice = choices.get(use.names[0]) if use.by_choice else None
        for names in ((name,) for name in choice.names) if choice else (use.names,):
            if names != ("n",):
                yield names


def _match_any(names: Iterable[str]) -> Callable[[str], bool]:
    pattern = re.compile("|".join(map(_numbered, names)) or "(?!)")
    return lambda column: pattern.fullmatch(column) is not None


def _numbered(name: str) -> str:
    """A regular expression for the name of a column, ``{n}`` being any number from 1."""
    return re.escape(name).replace(re.escape(NUMBER_PLACEHOLDER), "([1-9][0-9]*)")


# --- what a mapping means for rows with certain columns -------------------------------------------------------------


class _Values:
    """One row: its columns as Postgres gave them, and their texts as they were asked for, cleaned once."""

    __slots__ = ("columns", "texts")

    def __init__(self, columns: dict[str, Json]) -> None:
        self.columns = columns
        self.texts: dict[str, str] = {}


_Text = Callable[[_Values], str]


@dataclass(frozen=True, slots=True)
class _FieldPlan:
    """How the value of one custom field is read, with the column to name if it is of no use."""

    key: str
    column: str
    read: Callable[[_Values], Json]
    convert: Converter


@dataclass(frozen=True, slots=True)
class _PersonPlan:
    """One contact of every row with these columns. ``fields`` are ordered by key."""

    slot: int
    name: _Text
    display: _Text
    company: _Text
    role: _Text
    source_url: _Text
    phones: tuple[tuple[str, _Text], ...]
    emails: tuple[tuple[str, _Text], ...]
    fields: tuple[_FieldPlan, ...]

    def is_named(self, values: _Values) -> bool:
        """Whether the row has this person: a name, a phone or an e-mail; a relationship by itself names nobody."""
        items = (*self.phones, *self.emails)
        return bool(self.name(values)) or any(as_text(values.columns.get(column)) for column, _ in items)


@dataclass(frozen=True, slots=True)
class _Layout:
    """``created`` and ``birth_date`` are the columns that count, empty for none."""

    persons: tuple[_PersonPlan, ...]
    created: str
    birth_date: str


def _read_row(row: ClientRow, rules: MappingRules) -> tuple[_Values, _Layout]:
    try:
        columns = json.loads(row.document)
    except ValueError:  # a number with more than 4,300 digits
        columns = json.loads(row.document, parse_int=str)
    return _Values(columns), rules.layout_of(tuple(columns))


def _make_layout(columns: tuple[str, ...], rules: MappingRules) -> _Layout:
    mapping, compiler = rules.mapping, _Compiler(columns, rules.mapping)
    persons = [compiler.plan_person(mapping.client, 0, rules.fields.client, _find_extras(columns, rules))]
    if mapping.related:
        numbers = _find_numbers(mapping.related, columns)
        persons += [compiler.plan_person(mapping.related, number, rules.fields.related) for number in numbers]
    return _Layout(tuple(persons), compiler.pick(mapping.created), compiler.pick(mapping.birth_date))


def _find_numbers(related: PersonRule, columns: Iterable[str]) -> list[int]:
    """Numbers of related people, as far as the columns with their names, phones and e-mails go."""
    names = (*related.name.names, *(item.column for item in (*related.phones, *related.emails)))
    pattern = re.compile("|".join(_numbered(name) for name in names if NUMBER_PLACEHOLDER in name) or "(?!)")
    found = (pattern.fullmatch(column) for column in columns)
    return sorted({int(next(filter(None, one.groups()))) for one in found if one})


def _find_extras(columns: Iterable[str], rules: MappingRules) -> list[tuple[str, str, str]]:
    """Columns that the mapping does not know and that have the name of a custom field: column, key and type."""
    is_known = make_column_filter(rules.mapping)
    taken = {one.definition.key for one in rules.fields.bound}
    extras = []
    for column in columns:
        definition = None if is_known(column) else rules.fields.for_column(column)
        if definition is not None and definition.key not in taken:
            taken.add(definition.key)
            extras.append((column, definition.key, definition.kind))
    return extras


class _Compiler:
    """Turns the rules of a mapping into functions of a row."""

    def __init__(self, columns: Collection[str], mapping: ContactMapping) -> None:
        self._columns = frozenset(columns)
        self._choices = dict(mapping.choices)

    def pick(self, names: Iterable[str]) -> str:
        """The first of the columns that is there; empty for none."""
        return next((name for name in names if name in self._columns), "")

    def plan_person(
        self,
        rule: PersonRule,
        number: int,
        fields: Iterable[BoundField],
        extras: Iterable[tuple[str, str, str]] = (),
    ) -> _PersonPlan:
        """The contact with this number; ``extras`` are further columns for custom fields."""
        plans = [self._plan_field(bound, number) for bound in fields]
        plans += [_FieldPlan(key, column, _read_raw(column), find_converter(kind)) for column, key, kind in extras]
        return _PersonPlan(
            slot=number,
            name=self._compile(rule.name, number),
            display=self._compile(rule.display, number),
            company=self._compile(rule.company, number),
            role=self._compile(rule.role, number),
            source_url=self._compile_address(rule.source_url, number),
            phones=self._plan_items(rule.phones, number),
            emails=self._plan_items(rule.emails, number),
            fields=tuple(sorted(plans, key=lambda plan: plan.key)),
        )

    def _plan_items(self, items: Iterable[ItemRule], number: int) -> tuple[tuple[str, _Text], ...]:
        named = ((_with_number(item.column, number), self._compile(item.label, number)) for item in items)
        return tuple((column, label) for column, label in named if column in self._columns)

    def _plan_field(self, bound: BoundField, number: int) -> _FieldPlan:
        rule = bound.rule
        column = self.pick(_with_number(name, number) for name in rule.columns)
        read = self._compile(rule.text, number) if rule.text else _read_raw(column)
        if rule.yes is not None:
            read = _read_flag(read)
        if rule.only:
            read = _read_only([(self._read_condition(name, number), values) for name, values in rule.only], read)
        convert = find_converter(bound.definition.kind, rule.yes)
        return _FieldPlan(bound.definition.key, column or rule.names[0], read, convert)

    # --- texts -------------------------------------------------------------------------------------------------------

    def _compile(self, template: Template | None, number: int, *, in_choice: bool = False) -> _Text:
        """A text of the row. It is empty where every value in it is, so that no "Dr. " is left of a missing name."""
        parts = self._compile_parts(template, number, in_choice=in_choice) if template else []
        if not any(callable(part) for part in parts):
            text = clean_name("".join(map(str, parts)))
            return lambda _: text
        if len(parts) == 1 and callable(parts[0]):
            return parts[0]
        return _joined(parts)

    def _compile_address(self, template: Template | None, number: int) -> _Text:
        """A web address with the values percent-encoded. It is empty where any of them is."""
        if template is None:
            return lambda _: ""
        parts = self._compile_parts(template, number)

        def write(values: _Values) -> str:
            texts = [part if isinstance(part, str) else quote(part(values), safe="") for part in parts]
            return "".join(texts) if all(texts) else ""

        return write

    def _compile_parts(self, template: Template, number: int, *, in_choice: bool = False) -> list[str | _Text]:
        return [
            part if isinstance(part, str) else self._read(part.name, number, in_choice=in_choice)
            for part in template.parts
        ]

    def _read(self, name: str, number: int, *, in_choice: bool) -> str | _Text:
        """The value of a choice or a column, or the number; in the texts of a choice there are only columns."""
        if name == "n":
            return str(number)
        choice = None if in_choice else self._choices.get(name)
        return self._choose(name, choice, number) if choice else _read_text(_with_number(name, number))

    def _choose(self, name: str, choice: ValueChoice, number: int) -> _Text:
        read = _read_text(_with_number(choice.column, number))
        fold = _read_folded(_with_number(choice.column, number))
        cases = {value: self._compile(text, number, in_choice=True) for value, text in choice.cases}
        otherwise = self._compile(choice.otherwise, number, in_choice=True) if choice.otherwise else read
        empty = self._compile(choice.empty, number, in_choice=True) if choice.empty else otherwise
        memo = f"{{{name}}} {number}"  # no column has a brace in its name

        def choose(values: _Values) -> str:
            text = values.texts.get(memo)
            if text is None:
                is_given = fold(values) if choice.otherwise else read(values)  # true or false is a value, but no text
                text = values.texts[memo] = cases.get(fold(values), otherwise if is_given else empty)(values)
            return text

        return choose

    def _read_condition(self, name: str, number: int) -> _Text:
        if name not in self._choices:
            return _read_folded(_with_number(name, number))
        choose = self._choose(name, self._choices[name], number)
        return lambda values: fold_value(choose(values))


def _with_number(name: str, number: int) -> str:
    return name.replace(NUMBER_PLACEHOLDER, str(number))


def _read_text(column: str) -> _Text:
    def read(values: _Values) -> str:
        text = values.texts.get(column)
        if text is None:
            text = values.texts[column] = clean_name(as_text(values.columns.get(column)))
        return text

    return read


def _read_folded(column: str) -> _Text:
    """The value as choices and conditions compare it; a boolean is ``true`` or ``false``."""
    read, memo = _read_text(column), f"{{{column}}}"

    def fold(values: _Values) -> str:
        text = values.texts.get(memo)
        if text is None:
            value = values.columns.get(column)
            text = values.texts[memo] = str(value).lower() if isinstance(value, bool) else fold_value(read(values))
        return text

    return fold


def _read_raw(column: str) -> Callable[[_Values], Json]:
    return lambda values: values.columns.get(column)


def _read_flag(read: Callable[[_Values], Json]) -> Callable[[_Values], Json]:
    return lambda values: read_flag(read(values))


def _read_only(
    conditions: list[tuple[_Text, tuple[str, ...]]], read: Callable[[_Values], Json]
) -> Callable[[_Values], Json]:
    def read_if(values: _Values) -> Json:
        return read(values) if all(fold(values) in accepted for fold, accepted in conditions) else None

    return read_if


def _joined(parts: list[str | _Text]) -> _Text:
    def write(values: _Values) -> str:
        texts = [part if isinstance(part, str) else part(values) for part in parts]
        if not any(text for text, part in zip(texts, parts, strict=True) if callable(part)):
            return ""
        return " ".join("".join(texts).split())

    return write


# --- one contact ------------------------------------------------------------------------------------------------------


def _make_contact(
    person: _PersonPlan, values: _Values, client_id: str, layout: _Layout, region: str, *, has_name: bool
) -> Wanted:
    external_id = make_external_id(client_id, person.slot)
    display = person.display(values)
    if not has_name or not display:
        return Skipped(external_id, client_id, person.slot, Why(Reason.NO_NAME))
    if len(external_id) > MAX_EXTERNAL_ID:
        return Skipped(external_id, client_id, person.slot, Why(Reason.ID_TOO_LONG))
    warnings: list[DataWarning] = []
    phones, unusable = _read_phones(person, values, region, warnings)
    emails = _read_emails(person, values, warnings)
    fields, denied = _read_fields(person, values, warnings)
    created = as_text(values.columns.get(layout.created))
    return DesiredContact(
        external_id=external_id,
        client_id=client_id,
        slot=person.slot,
        person=person.name(values),
        values=ContactValues(
            first_name=display,
            company=person.company(values),
            role=person.role(values),
            phones=phones,
            emails=emails,
            custom_fields=fields,
            source_url=_read_address(person, values, warnings),
        ),
        denied=denied,
        birth_date=None if person.slot or not layout.birth_date else parse_day(values.columns[layout.birth_date]),
        phones_unusable=unusable and not phones,
        unfit=None if phones else Reason.PHONE_UNUSABLE if unusable else Reason.NO_PHONE,
        seniority=(created or "~", client_id),  # "~" sorts after every date: a row of unknown age is the younger
        warnings=tuple(warnings),
    )


def _read_phones(
    person: _PersonPlan, values: _Values, region: str, warnings: list[DataWarning]
) -> tuple[tuple[Item, ...], bool]:
    """The numbers, each once, and whether some text was no usable number."""
    items: dict[str, Item] = {}
    labels = Counter[str]()
    bad: list[str] = []
    for column, label in person.phones:
        text = as_text(values.columns.get(column))
        if not text:
            continue
        found = parse_phones(text, region)
        bad += [column] if found.unusable else []
        if not all(phone.assigned for phone in found.phones):
            warnings.append(DataWarning(DataFault.PHONE_UNASSIGNED, column))
        for phone in found.phones:
            if phone.e164 not in items:
                numbered = _numbered_label(label(values), labels)
                shown = f"{numbered} ext. {phone.extension}" if phone.extension else numbered
                items[phone.e164] = Item(shown, phone.e164)
    if items:
        warnings += [DataWarning(DataFault.PHONE_PART_UNUSABLE, column) for column in bad]
    return tuple(items.values()), bool(bad)


def _read_emails(person: _PersonPlan, values: _Values, warnings: list[DataWarning]) -> tuple[Item, ...]:
    items: dict[str, Item] = {}
    labels = Counter[str]()
    for column, label in person.emails:
        text = as_text(values.columns.get(column))
        if not text:
            continue
        pieces = [piece for piece in _BETWEEN_EMAILS.split(clean_address(text)) if piece]
        good = [piece for piece in pieces if _EMAIL.fullmatch(piece)]
        if len(good) < len(pieces):
            warnings.append(DataWarning(DataFault.BAD_EMAIL, column))
        for address in good:
            if address not in items:
                items[address] = Item(_numbered_label(label(values), labels), address)
    return tuple(items.values())


def _numbered_label(label: str, labels: Counter[str]) -> str:
    """``Main Phone``, then ``Main Phone 2``: labels of one contact differ."""
    labels[label] += 1
    return label if labels[label] == 1 else f"{label} {labels[label]}"


def _read_address(person: _PersonPlan, values: _Values, warnings: list[DataWarning]) -> str:
    address = person.source_url(values)
    if len(address) <= MAX_SOURCE_URL:
        return address
    warnings.append(DataWarning(DataFault.LINK_TOO_LONG, "source_url"))
    return ""


def _read_fields(
    person: _PersonPlan, values: _Values, warnings: list[DataWarning]
) -> tuple[tuple[tuple[str, FieldValue | None], ...], frozenset[str]]:
    """Converted values by key, and the keys of fields that the row denies (false, not NULL)."""
    fields: list[tuple[str, FieldValue | None]] = []
    denied: list[str] = []
    for plan in person.fields:
        value = plan.read(values)
        try:
            fields.append((plan.key, plan.convert(value)))
        except ValueError as error:
            warnings.append(DataWarning(DataFault.FIELD_NOT_CONVERTED, plan.column, str(error)))
            continue
        except RecursionError:
            warnings.append(DataWarning(DataFault.FIELD_NOT_CONVERTED, plan.column, "nested too deeply"))
            continue
        if value is False:
            denied.append(plan.key)
    return tuple(fields), frozenset(denied)
