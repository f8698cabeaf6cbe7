"""What holds for any valid mapping over any row."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from openphone_sync.config.mapping_file import parse_mapping
from openphone_sync.model import ClientRow, DesiredContact, FieldDefinition, FieldType
from openphone_sync.rules.custom_fields import make_field_map
from openphone_sync.rules.mapping import MAX_EXTERNAL_ID, MAX_SOURCE_URL, MappingRules, find_phones, map_client

COLUMNS = ["id", "name", "kind", "phone", "born", "Äge", "a b", "contact_1", "contact_2", "phone_1", "phone_2", "more"]
NUMBERED = ["contact_{n}", "phone_{n}"]
TYPES = [*FieldType, "colour"]
WORDS = st.sampled_from(["", "Dr. ", " - ", " (x)"])
ODD = st.sampled_from(
    [
        "2026-01-31",
        "yes",
        "no",
        "213-555-0134",
        "a@example.org",
        "A \ud800",
        "\u202e",
        "https://x.example",
        "Ann",
        "\u200d",
    ]
)
PLAIN = ODD | st.text() | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
JSON = ODD | st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)
ROWS = st.fixed_dictionaries({}, optional=dict.fromkeys([*COLUMNS, "One", "extra"], JSON))


def columns(*, numbered: bool) -> st.SearchStrategy[str]:
    return st.sampled_from([*COLUMNS, *NUMBERED] if numbered else COLUMNS)


def texts(*, numbered: bool) -> st.SearchStrategy[str]:
    """A template with some columns, or none."""
    names = columns(numbered=numbered) | st.just("n" if numbered else "name")
    return st.lists(st.tuples(WORDS, names), max_size=3).map(
        lambda parts: "".join(f"{word}{{{name}}}" for word, name in parts) or "Text"
    )


@st.composite
def fields(draw: st.DrawFn, *, numbered: bool) -> dict[str, Any]:
    label = draw(st.sampled_from(["One", "Two", "Three", "Größe"]))
    value: dict[str, Any] = {"names": label, "type": draw(st.sampled_from(list(FieldType))).value}
    if draw(st.booleans()):
        value["column"] = draw(st.lists(columns(numbered=numbered), min_size=1, max_size=2))
    else:
        value["text"] = draw(texts(numbered=numbered))
    if draw(st.booleans()):
        value["yes"] = "Yes"
    if draw(st.booleans()):
        value["only"] = {draw(columns(numbered=numbered)): draw(st.sampled_from(["true", "x", "civil"]))}
    return value


@st.composite
def persons(draw: st.DrawFn, *, numbered: bool) -> dict[str, Any]:
    person: dict[str, Any] = {"name": draw(texts(numbered=numbered)) + ("{contact_{n}}" if numbered else "")}
    for key in ("display", "company", "role"):
        if draw(st.booleans()):
            person[key] = draw(texts(numbered=numbered))
    if draw(st.booleans()):
        person["source_url"] = "https://app.example/" + draw(texts(numbered=numbered))
    for key in ("phones", "emails"):
        chosen = draw(st.lists(columns(numbered=numbered), max_size=2, unique=True))
        person[key] = [{"column": column, "label": draw(texts(numbered=numbered))} for column in chosen]
    person["fields"] = draw(st.lists(fields(numbered=numbered), max_size=3, unique_by=lambda one: one["names"]))
    return person


@st.composite
def mappings(draw: st.DrawFn) -> str:
    """A mapping file."""
    document: dict[str, Any] = {
        "source": {"id": "id", "created": draw(st.lists(columns(numbered=False), min_size=1, max_size=2))},
        "client": draw(persons(numbered=False)),
    }
    if draw(st.booleans()):
        document["related"] = draw(persons(numbered=True))
    if draw(st.booleans()):
        document["client"]["birth_date"] = draw(columns(numbered=False))
    if draw(st.booleans()):
        document["client"]["role"] = "{by_value}"
        document["choices"] = {"by_value": {"column": draw(columns(numbered=False)), "values": {"x": "X", "true": "T"}}}
        for key in draw(st.sets(st.sampled_from(["otherwise", "empty"]))):
            document["choices"]["by_value"][key] = draw(texts(numbered=False))
    return "\n".join(f"{key} = {write(value)}" for key, value in document.items())


def write(value: Any) -> str:
    """A value as TOML, on one line."""
    if isinstance(value, dict):
        return (
            "{ "
            + ", ".join(f"{json.dumps(key, ensure_ascii=False)} = {write(one)}" for key, one in value.items())
            + " }"
        )
    if isinstance(value, list):
        return "[" + ",\n".join(map(write, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


@given(
    mappings(),
    st.lists(ROWS, min_size=1, max_size=4),
    st.lists(st.sampled_from(TYPES), min_size=5, max_size=5),
    st.text(min_size=1, max_size=70),
)
def test_any_valid_mapping_over_any_row_never_raises(
    text: str, rows: list[dict[str, Any]], kinds: list[str], client_id: str
) -> None:
    mapping, faults = parse_mapping(text)
    assert mapping is not None, faults
    assert faults == ()
    names = ("One", "Two", "Three", "Größe", "Extra")
    definitions = [FieldDefinition(f"k{name}", name, kind) for name, kind in zip(names, kinds, strict=True)]
    rules = MappingRules("US", mapping, make_field_map(definitions, {}, mapping))
    for row in rows:
        wanted = map_client(ClientRow(client_id, json.dumps(row)), rules)
        find_phones(ClientRow(client_id, json.dumps(row)), rules)
        assert len({one.external_id for one in wanted}) == len(wanted)
        for one in wanted:
            if not isinstance(one, DesiredContact):
                continue
            values = one.values
            assert len(one.external_id) <= MAX_EXTERNAL_ID
            assert len(values.source_url) <= MAX_SOURCE_URL
            assert re.match(r"https://|$", values.source_url)
            assert values.first_name
            assert [key for key, _ in values.custom_fields] == sorted(dict(values.custom_fields))
            assert len({item.value for item in (*values.phones, *values.emails)}) == len(values.phones + values.emails)
            for shown in (values.first_name, values.company, values.role, one.person):
                assert shown == " ".join(shown.split())
            json.dumps(asdict(values), ensure_ascii=False).encode()  # no half characters, which nothing could send
