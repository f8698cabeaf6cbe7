"""Custom fields: which one each of ours goes to, and values in the form that its type takes."""

from __future__ import annotations

from typing import Any

import pytest

from openphone_sync.config.mapping_file import load_built_in
from openphone_sync.model import FieldDefinition
from openphone_sync.rules.custom_fields import convert_value, make_field_map

BUILT_IN = load_built_in()


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("x", "string", "x"),
        (5, "string", "5"),
        (True, "string", "Yes"),
        (False, "string", None),
        ("  ", "string", None),
        (["a", "b"], "string", "a, b"),
        ("12", "number", 12),
        (True, "number", 1),
        ("1" + "0" * 15, "number", 10**15),
        ({"näme": ["x"]}, "string", '{"näme": ["x"]}'),
        (["a", True, "", None], "string", "a, Yes"),
        ("\u200b", "string", None),
        ([], "string", None),
        ({}, "colour", None),
        (1.5, "number", 1.5),
        ("1e2", "number", 100),
        ("yes", "boolean", True),
        (False, "boolean", None),
        ("no", "boolean", None),
        ("a", "multi-select", ("a",)),
        (["a", None, "b"], "multi-select", ("a", "b")),
        ("https://example.org/x", "url", "https://example.org/x"),
        ("1 Main St", "address", "1 Main St"),
    ],
)
def test_values_take_the_type_of_their_field(value: Any, kind: str, expected: object) -> None:
    assert convert_value(value, kind) == expected


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        ("x", "number", "not a number"),
        ("NaN", "number", "not a number that OpenPhone can hold"),
        ("1e400", "number", "not a number that OpenPhone can hold"),
        ("12345678901234567", "number", "not a number that OpenPhone can hold"),
        ("maybe", "boolean", "neither yes nor no"),
        ("2026-02-30", "date", "not a date"),
        ("example", "url", "not a web address"),
        ("x", "colour", "of no use for a custom field of type colour"),
    ],
)
def test_values_that_do_not_fit_are_refused(value: Any, kind: str, words: str) -> None:
    with pytest.raises(ValueError, match=rf"\A{words}\Z"):
        convert_value(value, kind)


def test_fields_are_found_by_override_then_key_then_name() -> None:
    definitions = [
        FieldDefinition("a", "County", "string"),
        FieldDefinition("county", "Something else", "string"),
        FieldDefinition("z", "Override", "string"),
    ]
    assert make_field_map(definitions, {"COUNTY": "z"}, BUILT_IN).key_of("COUNTY") == "z"
    assert make_field_map(definitions, {}, BUILT_IN).key_of("COUNTY") == "county"
    assert make_field_map(definitions[:1], {}, BUILT_IN).key_of("COUNTY") == "a"
    assert make_field_map(definitions, {"COUNTY": "gone"}, BUILT_IN).key_of("COUNTY") is None


def test_custom_fields_are_found_under_the_names_of_the_published_example_too() -> None:
    names = ["Client Name", "relationship to client", "Alternative  Contact_Number"]
    fields = make_field_map([FieldDefinition(f"k{n}", name, "string") for n, name in enumerate(names)], {}, BUILT_IN)
    assert fields.key_of("PRIMARY_CLIENT_NAME") == "k0"
    assert fields.key_of("RELATIONSHIP") == "k1"
    assert fields.key_of("ALT_CONTACT_NUMBER") == "k2"


def test_the_first_accepted_name_goes_before_the_others() -> None:
    definitions = [FieldDefinition("b", "Client Name", "string"), FieldDefinition("a", "Primary Client Name", "string")]
    assert make_field_map(definitions, {}, BUILT_IN).key_of("PRIMARY_CLIENT_NAME") == "a"


FIRST_NAMES = [
    "Client Type",
    "Date of Birth",
    "County",
    "Intake Date",
    "Case Type",
    "Arrested",
    "Currently Incarcerated",
    "Primary Client Name",
    "Relationship",
    "Contact Person Name",
    "Alt Contact Number",
]
PUBLISHED_NAMES = [
    *FIRST_NAMES[:7],
    "Client Name",
    "Relationship to Client",
    "Contact Person Name",
    "Alternative Contact Number",
]


@pytest.mark.parametrize("names", [FIRST_NAMES, PUBLISHED_NAMES])
def test_all_eleven_fields_are_found_under_either_set_of_names(names: list[str]) -> None:
    keys = [f"{number:024x}" for number in range(len(names))]  # opaque, as live ones are
    fields = make_field_map(map(FieldDefinition, keys, names, ["string"] * len(names)), {}, BUILT_IN)
    assert sorted(one.definition.key for one in fields.bound) == keys
    assert fields.warnings == ()
    assert (fields.birth_key, fields.person_key) == (keys[1], keys[9])


def test_two_of_our_fields_never_share_one_of_the_workspace() -> None:
    definitions = [FieldDefinition("a", "County", "string"), FieldDefinition("b", "Case Type", "string")]
    fields = make_field_map(definitions, {"CASE_TYPE": "a"}, BUILT_IN)
    assert (fields.key_of("COUNTY"), fields.key_of("CASE_TYPE")) == ("a", None)
    assert (
        "Case Type and County go to one custom field, County, so Case Type is left out; check OPENPHONE_CF_CASE_TYPE_KEY"
    ) in fields.warnings


def test_each_field_that_is_left_out_is_named_once_with_what_to_do() -> None:
    definitions = [FieldDefinition(key, "County", "string") for key in "ab"]
    warnings = make_field_map(definitions, {"CASE_TYPE": "gone"}, BUILT_IN).warnings
    assert len(set(warnings)) == len(warnings) == len(FIRST_NAMES)
    assert {
        "the workspace has 2 custom fields named County, so it is left out; set OPENPHONE_CF_COUNTY_KEY to the key of one",
        "the workspace has no custom field with this key, so Case Type is left out; correct OPENPHONE_CF_CASE_TYPE_KEY",
        "the workspace has no custom field named Arrested, so it is left out; add it in the app to have it filled",
    } <= set(warnings)


def test_a_further_column_goes_to_the_one_field_of_its_name() -> None:
    fields = make_field_map(
        [FieldDefinition("a", "Court Room", "string"), *(FieldDefinition(key, "Judge", "string") for key in "bc")],
        {},
        BUILT_IN,
    )
    assert fields.for_column("court_room") == FieldDefinition("a", "Court Room", "string")
    assert fields.for_column("judge") is None
    assert fields.for_column("bail") is None
