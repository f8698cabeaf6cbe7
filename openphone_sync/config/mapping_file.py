"""The mapping file (TOML): read, and checked with every fault at once, each with its line.

The built-in one is ``mapping.toml`` in the package; its comments say what each key means.
"""

from __future__ import annotations

import difflib
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

from openphone_sync.errors import ConfigurationError
from openphone_sync.model import (
    NUMBER_PLACEHOLDER,
    ContactMapping,
    FieldRule,
    FieldType,
    ItemRule,
    PersonRule,
    Placeholder,
    Template,
    ValueChoice,
    fold_label,
    fold_value,
)

BUILT_IN = Path(__file__).parent.with_name("mapping.toml")
MAX_BYTES = 65_536
MAX_LINE = 1000
"""Characters. tomllib takes time in the square of the parts of a dotted key, and such a key is one line."""

_PLACEHOLDER = re.compile(r"\{((?:[^{}]|\{n\})+)\}")
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]#]+?)\s*\]")
_KEY = re.compile(r"""\s*["']?([\w.{}-]+)["']?\s*=""")
_NUMBER = "n"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a line (from 1; 0: the file as a whole), and what to write instead."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}" if self.line else self.text


class _RejectedError(ValueError):
    """A value is not accepted; the message says what is."""


class MappingFaultsError(ConfigurationError):
    """A mapping file cannot be used. ``faults`` are ordered by line."""

    def __init__(self, path: Path, faults: Collection[Fault]) -> None:
        self.faults = tuple(faults)
        shown = [f"  {fault}" for fault in self.faults]
        first = f"{path}: {self.faults[0]}"
        super().__init__(first if len(shown) == 1 else f"{path} has {len(shown)} faults:\n" + "\n".join(shown))


def load_mapping(path: Path) -> ContactMapping:
    """The mapping in a file; `MappingFaultsError` names everything that is wrong with it."""
    text = read_mapping_text(path)
    mapping, faults = parse_mapping(text)
    if mapping is None or faults:
        raise MappingFaultsError(path, faults)
    return mapping


@lru_cache(maxsize=1)
def load_built_in() -> ContactMapping:
    """The mapping that applies without OPENPHONE_MAPPING."""
    return load_mapping(BUILT_IN)


def read_mapping_text(path: Path) -> str:
    """The file's text; `MappingFaultsError` if there is none to be had."""
    try:
        if not path.is_file():
            raise MappingFaultsError(path, [Fault(0, "there is no such file; check the path")])
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise MappingFaultsError(path, [Fault(0, "it is larger than 64 KB; a mapping is a page or two of TOML")])
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MappingFaultsError(path, [Fault(line, "this is not UTF-8; save the file as UTF-8")]) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise MappingFaultsError(
            path, [Fault(0, f"it cannot be read ({reason}); check the path and its rights")]
        ) from None


def parse_mapping(text: str) -> tuple[ContactMapping | None, tuple[Fault, ...]]:
    """The mapping, or None, and what is wrong with it, by line."""
    lengths = [len(line) for line in text.splitlines()]
    if max(lengths, default=0) > MAX_LINE:
        line = next(number for number, length in enumerate(lengths, start=1) if length > MAX_LINE)
        return None, (Fault(line, f"this line has more than {MAX_LINE} characters; break it"),)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at line ([0-9]+), column [0-9]+\)", str(error))
        said = str(error).replace(place[0], "") if place else str(error).removesuffix(" (at end of document)")
        return None, (Fault(int(place[1]) if place else 0, f"this is not TOML ({said}); correct it"),)
    except RecursionError:
        return None, (Fault(0, "its tables are nested too deeply; a mapping has two levels"),)
    checks = _Checks(text)
    mapping = _read_mapping(document, checks)
    if mapping is not None:
        _check_choices(mapping, checks)
        _check_numbers(mapping, checks)
        _check_fields(mapping, checks)
    return mapping, tuple(sorted(set(checks.faults), key=lambda fault: (fault.line, fault.text)))


def parse_template(text: str) -> Template:
    """``"{client_name} - {relationship}"`` as parts; `ValueError` says what is accepted."""
    parts: list[str | Placeholder] = []
    end = 0
    for found in _PLACEHOLDER.finditer(text):
        parts += [text[end : found.start()], Placeholder(found[1].strip())]
        end = found.end()
    parts.append(text[end:])
    if any("{" in part or "}" in part for part in parts if isinstance(part, str)):
        raise _RejectedError("a text in which every { has its }, with the name of a column or choice between them")
    return Template(tuple(part for part in parts if part))


# --- tables and keys --------------------------------------------------------------------------------------------------


class _Checks:
    """Collects faults, and knows the line of each key."""

    def __init__(self, text: str) -> None:
        self.faults: list[Fault] = []
        self._lines = dict(_find_lines(text))

    def add(self, path: str, text: str) -> None:
        """Note a fault at ``client.phones[0].label``, or at the closest key or table around it that has a line."""
        place = path
        while place and place not in self._lines:
            place = re.sub(r"(?:^|\.)[^.\[\]]*$|\[[0-9]+\]$", "", place)
        self.faults.append(Fault(self._lines.get(place, 0), f"{path} {text}".strip()))


def _find_lines(text: str) -> Iterator[tuple[str, int]]:
    """Path and line of each table and key. tomllib tells neither."""
    table, counts = "", Counter[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = re.sub(r"[\s\"']", "", header[2])
            if header[1] == "[[":
                counts[table] += 1
                table += f"[{counts[table] - 1}]"
            yield table, number
        elif key := _KEY.match(line):
            yield f"{table}.{key[1]}" if table else key[1], number


@dataclass(slots=True)
class _Table:
    """A table of the file: keys are taken from it one by one, and `finish` names those that are unknown."""

    path: str
    values: Mapping[str, Any]
    checks: _Checks
    taken: list[str] = field(default_factory=list)

    def take(self, key: str, parse: Callable[[Any], _T]) -> _T | None:
        """The value of a key; None without it, or where it is not accepted."""
        self.taken.append(key)
        if key not in self.values:
            return None
        try:
            return parse(self.values[key])
        except ValueError as error:
            self.checks.add(self._path(key), f"is not accepted; give {error}")
            return None

    def need(self, key: str, parse: Callable[[Any], _T]) -> _T | None:
        """The value of a required key; None, and a fault, without it."""
        if key not in self.values:
            self.checks.add(self.path, f"has no {key}; add it")
        return self.take(key, parse)

    def take_table(self, key: str) -> _Table | None:
        """A table in it."""
        values = self.take(key, _as_table)
        return None if values is None else _Table(self._path(key), values, self.checks)

    def take_tables(self, key: str) -> list[_Table]:
        """The tables of an array."""
        found = self.take(key, _as_tables) or []
        return [_Table(f"{self._path(key)}[{at}]", one, self.checks) for at, one in enumerate(found)]

    def finish(self) -> None:
        """Name the keys that nobody took."""
        for key in self.values:
            if key not in self.taken:
                close = difflib.get_close_matches(key, self.taken, n=1)
                known = f"write {close[0]}, if that is meant" if close else f"known are {', '.join(self.taken)}"
                self.checks.add(self._path(key), f"is not a known key; {known}")

    def _path(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _as_table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _RejectedError("a table")
    return value


def _as_tables(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _RejectedError('a list of tables such as [{ column = "phone", label = "Phone" }]')
    return value


def _as_text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _RejectedError("a text in quotes that is not empty")
    return value.strip()


def _as_texts(value: Any) -> tuple[str, ...]:
    """One text, or a list of texts."""
    found = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(one, str) and one.strip() for one in found):
        raise _RejectedError("a text in quotes, or a list of them")
    return tuple(dict.fromkeys(one.strip() for one in found))


def _as_column(value: Any) -> str:
    text = _as_text(value)
    if text.count(NUMBER_PLACEHOLDER) > 1 or re.search(r"[{}]", text.replace(NUMBER_PLACEHOLDER, "")):
        raise _RejectedError("the name of a column, with no braces but those of one {n}")
    return text


def _as_columns(value: Any) -> tuple[str, ...]:
    return tuple(_as_column(one) for one in _as_texts(value))


def _as_template(value: Any) -> Template:
    template = parse_template(_as_text(value))
    for name in template.names:
        _as_column(name)
    return template


def _as_types(value: Any) -> tuple[FieldType, ...]:
    try:
        return tuple(FieldType(one) for one in _as_texts(value))
    except ValueError:
        raise _RejectedError(f"one or several of {', '.join(FieldType)}") from None


def _as_conditions(value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    try:
        return tuple((_as_column(name), tuple(map(fold_value, _as_texts(values)))) for name, values in value.items())
    except (AttributeError, ValueError):
        raise _RejectedError(
            'columns with the values that they must have, such as { client_type = "criminal" }'
        ) from None


def _as_cases(value: Any) -> tuple[tuple[str, Template], ...]:
    try:
        return tuple((fold_value(case), _as_template(text)) for case, text in value.items())
    except (AttributeError, ValueError):
        raise _RejectedError('values with the text for each, such as { criminal = "Criminal Client" }') from None


def _as_address(value: Any) -> Template:
    template = _as_template(value)
    first = template.parts[0]
    if not isinstance(first, str) or not re.match(r"https?://[^/\s]", first):
        raise _RejectedError("a web address such as https://app.example/clients/{id}")
    return template


# --- the sections -----------------------------------------------------------------------------------------------------


def _read_mapping(document: Mapping[str, Any], checks: _Checks) -> ContactMapping | None:
    top = _Table("", document, checks)
    source, client = _need_table(top, "source"), _need_table(top, "client")
    related, choices = top.take_table("related"), top.take_table("choices")
    top.finish()
    id_column = source.need("id", _as_column)
    created, optional = source.take("created", _as_columns) or (), source.take("optional", _as_columns) or ()
    source.finish()
    birth_date = client.take("birth_date", _as_columns) or ()
    client_rule = _read_person(client)
    related_rule = _read_person(related) if related else None
    read_choices = tuple(_read_choices(choices)) if choices else ()
    if id_column is None or client_rule is None:
        return None
    return ContactMapping(id_column, client_rule, related_rule, read_choices, created, birth_date, optional)


def _need_table(top: _Table, key: str) -> _Table:
    found = top.take_table(key)
    if key not in top.values:
        top.checks.add("", f"[{key}] is missing; add it")
    return found or _Table(key, {}, _Checks(""))


def _read_person(table: _Table) -> PersonRule | None:
    name = table.need("name", _as_template)
    display = table.take("display", _as_template) or name
    rule = partial(
        PersonRule,
        company=table.take("company", _as_template),
        role=table.take("role", _as_template),
        source_url=table.take("source_url", _as_address),
        phones=tuple(_read_items(table, "phones")),
        emails=tuple(_read_items(table, "emails")),
        fields=tuple(_read_fields(table)),
    )
    table.finish()
    return rule(name, display) if name and display else None


def _read_items(table: _Table, key: str) -> Iterator[ItemRule]:
    for item in table.take_tables(key):
        column, label = item.need("column", _as_column), item.need("label", _as_template)
        item.finish()
        if column and label:
            yield ItemRule(column, label)


def _read_fields(table: _Table) -> Iterator[FieldRule]:
    for one in table.take_tables("fields"):
        names = one.need("names", _as_texts)
        columns, text = one.take("column", _as_columns) or (), one.take("text", _as_template)
        rule = FieldRule(
            names or ("?",),
            types=one.take("type", _as_types) or (FieldType.STRING,),
            columns=columns,
            text=text,
            only=one.take("only", _as_conditions) or (),
            yes=one.take("yes", _as_text),
            setting=make_setting_name(names[0]) if names else "",
        )
        one.finish()
        if ("column" in one.values) == ("text" in one.values):
            one.checks.add(one.path, "needs either column or text; give one of them")
        yield rule


def _read_choices(table: _Table) -> Iterator[tuple[str, ValueChoice]]:
    for name in table.values:
        choice = table.take_table(name)
        if choice is None:
            continue
        column = choice.need("column", _as_column)
        cases = choice.take("values", _as_cases) or ()
        otherwise, empty = choice.take("otherwise", _as_template), choice.take("empty", _as_template)
        choice.finish()
        if column:
            yield name, ValueChoice(column, cases, otherwise, empty)


def make_setting_name(label: str) -> str:
    """``Date of Birth`` -> ``DATE_OF_BIRTH``, for OPENPHONE_CF_DATE_OF_BIRTH_KEY."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Z0-9]+", "_", plain.upper()).strip("_")


# --- what belongs together --------------------------------------------------------------------------------------------


def _check_numbers(mapping: ContactMapping, checks: _Checks) -> None:
    """{n} has a meaning in [related] only, and there it must be."""
    numbered = {name for name, choice in mapping.choices if any(map(_has_number, choice.names))}
    for use in mapping.uses():
        for name in use.names if not use.path.startswith("related.") else ():
            if _has_number(name) or (use.by_choice and name in numbered):
                checks.add(use.path, f"has {name}, which has a meaning in [related] only; name a column of the client")
    related = mapping.related
    if related and not any(map(_has_number, (*related.name.names, *(item.column for item in related.phones)))):
        checks.add("related.name", "has no {n}; number it, such as {contact_{n}}")


def _check_choices(mapping: ContactMapping, checks: _Checks) -> None:
    """Every choice is used, and none needs another."""
    choices = {name for name, _ in mapping.choices}
    is_read = not checks.faults  # else what uses a choice may be what could not be read
    used = {name for use in mapping.uses() if use.by_choice for name in use.names}
    for name, choice in mapping.choices:
        if name == _NUMBER:
            checks.add(f"choices.{name}", "has the name of the number; give it another")
        elif name not in used and is_read:
            close = difflib.get_close_matches(name, used - choices, n=1)
            hint = f"write {{{name}}} in place of {{{close[0]}}}, if that is meant" if close else "take it out"
            checks.add(f"choices.{name}", f"is not used; {hint}")
        for other in sorted(choices.intersection(choice.names) - {name}):
            checks.add(f"choices.{name}", f"uses the choice {other}; name a column, since choices do not use choices")


def _check_fields(mapping: ContactMapping, checks: _Checks) -> None:
    """No two fields of a contact go to one field of the app, and no column gives items twice."""
    for path, rule in mapping.persons():
        owners: dict[str, int] = {}
        for at, field_rule in enumerate(rule.fields):
            for name in field_rule.names:
                first = owners.setdefault(fold_label(name), at)
                if first != at:
                    text = f"has {name}, as {path}.fields[{first}] has; give it to one of them"
                    checks.add(f"{path}.fields[{at}].names", text)
        for key, items in (("phones", rule.phones), ("emails", rule.emails)):
            columns = Counter(item.column for item in items)
            for column in (column for column, count in columns.items() if count > 1):
                checks.add(f"{path}.{key}", f"has the column {column} twice; take one out")


def _has_number(name: str) -> bool:
    return name == _NUMBER or NUMBER_PLACEHOLDER in name
