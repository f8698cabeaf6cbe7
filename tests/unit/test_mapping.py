"""Rows -> wanted contacts. The whole of the job's shape is tested in tests/system/test_sync.py; here are the corners."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openphone_sync.model import ClientRow, DesiredContact, FieldDefinition, Item, Reason, Skipped
from openphone_sync.rules.mapping import (
    FieldMap,
    MappingRules,
    convert_value,
    make_external_id,
    make_field_map,
    make_fingerprint,
    make_settings_digest,
    map_client,
)

FIELDS = make_field_map(
    [
        FieldDefinition("k1", "Client Type", "string"),
        FieldDefinition("k2", "date  OF birth", "date"),
        FieldDefinition("k3", "Arrested", "string"),
        FieldDefinition("k4", "Alt Contact Number", "string"),
        FieldDefinition("k5", "Case Type", "string"),
    ],
    {},
)


def map_row(fields: FieldMap = FIELDS, **columns: Any) -> tuple[DesiredContact | Skipped, ...]:
    row = ClientRow("1", json.dumps({"id": 1, "client_name": "James Smith", **columns}))
    return map_client(row, MappingRules("US", fields))


def map_main(**columns: Any) -> DesiredContact:
    main = map_row(**columns)[0]
    assert isinstance(main, DesiredContact)
    return main


def test_names_are_composed_trimmed_and_folded() -> None:
    assert map_main(client_name="  Jose\u0301 \n\t  Nu\u0301n\u0303ez\u0000 ").values.first_name == "José Núñez"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Ann \u200b Lee", "Ann Lee"),
        ("\u202eAnn\u202c Lee\u200f", "Ann Lee"),
        ("\u2067Ann\u2069\ufeff", "Ann"),
        ("Ann \x01 Lee", "Ann Lee"),
        ("\u200dمی\u200cخواهم\u200c ", "می\u200cخواهم"),
        ("Ann 👩\u200d⚖️", "Ann 👩\u200d⚖️"),
    ],
)
def test_direction_marks_are_removed_and_joiners_inside_a_name_stay(typed: str, name: str) -> None:
    assert map_main(client_name=typed).values.first_name == name


@pytest.mark.parametrize("name", ['O"Neil 🙂', "李小龙", "אבי כהן", "X" * 300, "Smith Jr."])
def test_unusual_names_pass_as_they_are(name: str) -> None:
    assert map_main(client_name=name).values.first_name == name


@pytest.mark.parametrize(
    "name", [None, "", "  ", 5 * " ", "\u200b\u200b", "\u200d", "\ufeff \u202e", "\u3164", "\u2800\ufe0f", "\x00\x07"]
)
def test_a_client_without_a_name_is_skipped_with_his_alternates(name: str | None) -> None:
    found = map_row(client_name=name, phone="213-555-0134", contact_1="Bob", contact_1_phone="213-555-0135")
    assert [type(one) for one in found] == [Skipped, Skipped]


def test_an_external_id_that_is_too_long_is_skipped() -> None:
    row = ClientRow(
        "x" * 64, json.dumps({"id": "x" * 64, "client_name": "A", "contact_1": "B", "contact_1_phone": "213-555-0134"})
    )
    main, alternate = map_client(row, MappingRules("US", FIELDS))
    assert isinstance(main, DesiredContact)
    assert isinstance(alternate, Skipped)
    assert alternate.why.reason is Reason.ID_TOO_LONG


def test_no_two_contacts_of_a_source_share_an_external_id() -> None:
    clients = ["x", "x_alt_1", "x_alt_1_alt_0", "x_alt_0", "x_alt_01", "alt_1", "_alt_1"]
    ids = [make_external_id(client, slot) for client in clients for slot in (0, 1, 2, 10)]
    assert len(set(ids)) == len(ids)
    assert make_external_id("x", 0) == "client_x"
    assert make_external_id("x", 1) == "client_x_alt_1"


def test_several_numbers_become_several_items_and_extensions_stand_in_the_label() -> None:
    assert map_main(phone="213-555-0134 x7, 213-555-0135").values.phones == (
        Item("Main Phone ext. 7", "+12135550134"),
        Item("Main Phone 2", "+12135550135"),
    )


def test_several_addresses_become_several_items() -> None:
    main = map_main(email="a@example.org; b@example.org nonsense@")
    assert main.values.emails == (Item("Email", "a@example.org"), Item("Email 2", "b@example.org"))
    assert any("e-mail" in warning for warning in main.warnings)


def test_invisible_characters_of_a_pasted_address_are_removed() -> None:
    assert map_main(email="\u200bann@example.org\ufeff").values.emails == (Item("Email", "ann@example.org"),)


def test_alternates_go_as_far_as_the_columns_do() -> None:
    found = map_row(
        contact_3="Cy",
        contact_3_phone="213-555-0136",
        relationship_2="Aunt",
        contact_12="Al",
        contact_12_phone="213-555-0137",
    )
    assert [one.slot for one in found] == [0, 3, 12]


def test_an_alternate_without_a_relationship_is_named_after_its_number() -> None:
    alternate = map_row(contact_2="Ann", contact_2_phone="213-555-0136")[1]
    assert isinstance(alternate, DesiredContact)
    assert alternate.values.first_name == "James Smith - Contact 2"
    assert alternate.values.role == "Alternative Contact (Contact 2)"
    assert alternate.values.phones == (Item("Contact 2 Phone", "+12135550136"),)


def test_an_alternate_with_a_phone_and_no_name_is_wanted() -> None:
    alternate = map_row(relationship_1="Sister", contact_1_phone="213-555-0136")[1]
    assert isinstance(alternate, DesiredContact)
    assert alternate.person == ""
    assert alternate.values.first_name == "James Smith - Sister"


@pytest.mark.parametrize(("phone", "reason"), [(None, Reason.NO_PHONE), ("in jail", Reason.PHONE_UNUSABLE)])
def test_without_a_usable_phone_a_contact_is_unfit(phone: str | None, reason: Reason) -> None:
    main = map_main(phone=phone)
    assert main.unfit == reason
    assert main.phones_unusable is (phone is not None)


@pytest.mark.parametrize(
    ("given", "kind", "role"),
    [
        ("criminal", "criminal", "Criminal Client"),
        (" CRIMINAL ", "criminal", "Criminal Client"),
        ("Civil", "civil", "Civil Client"),
        (None, None, "Civil Client"),
        ("Family", "Family", "Civil Client"),
    ],
)
def test_the_type_in_any_case_decides_the_role(given: str | None, kind: str | None, role: str) -> None:
    main = map_main(client_type=given)
    assert main.values.role == role
    assert dict(main.values.custom_fields)["k1"] == kind


@pytest.mark.parametrize("value", [True, "true", "Yes", "t", 1])
def test_arrested_is_written_as_yes_in_a_text_field(value: object) -> None:
    assert dict(map_main(client_type="criminal", arrested=value).values.custom_fields)["k3"] == "Yes"


@pytest.mark.parametrize("value", [False, "no", "f", 0])
def test_false_is_denied_and_null_is_only_absent(value: object) -> None:
    denying = map_main(client_type="criminal", arrested=value)
    assert dict(denying.values.custom_fields)["k3"] is None
    assert denying.denied == {"k3"}
    assert map_main(client_type="criminal", arrested=None).denied == frozenset()
    assert map_main(client_type="civil", arrested=value).denied == frozenset()


@pytest.mark.parametrize("value", ["1985-06-15", "1985-06-15T23:30:00-08:00", "1985-06-15 00:00:00"])
def test_a_day_is_never_shifted(value: str) -> None:
    assert dict(map_main(date_of_birth=value).values.custom_fields)["k2"] == "1985-06-15T12:00:00.000Z"


def test_a_value_that_does_not_fit_its_field_is_left_out_and_told_without_quoting_it() -> None:
    main = map_main(date_of_birth="about 40")
    assert "k2" not in dict(main.values.custom_fields)
    assert main.warnings == ("client_1: date_of_birth is not a date and was left out; mend it in the client table",)


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
    ("value", "kind"),
    [
        ("x", "number"),
        ("NaN", "number"),
        ("1e400", "number"),
        ("maybe", "boolean"),
        ("2026-02-30", "date"),
        ("example", "url"),
        ("x", "colour"),
    ],
)
def test_values_that_do_not_fit_are_refused(value: Any, kind: str) -> None:
    with pytest.raises(ValueError, match=r"not|neither|type"):
        convert_value(value, kind)


def test_fields_are_found_by_override_then_key_then_name() -> None:
    definitions = [
        FieldDefinition("a", "County", "string"),
        FieldDefinition("county", "Something else", "string"),
        FieldDefinition("z", "Override", "string"),
    ]
    assert make_field_map(definitions, {"COUNTY": "z"}).key_of("COUNTY") == "z"
    assert make_field_map(definitions, {}).key_of("COUNTY") == "county"
    assert make_field_map(definitions[:1], {}).key_of("COUNTY") == "a"
    assert make_field_map(definitions, {"COUNTY": "gone"}).key_of("COUNTY") is None


def test_custom_fields_are_found_under_the_names_of_the_published_example_too() -> None:
    names = ["Client Name", "relationship to client", "Alternative  Contact_Number"]
    fields = make_field_map([FieldDefinition(f"k{n}", name, "string") for n, name in enumerate(names)], {})
    assert fields.key_of("PRIMARY_CLIENT_NAME") == "k0"
    assert fields.key_of("RELATIONSHIP") == "k1"
    assert fields.key_of("ALT_CONTACT_NUMBER") == "k2"


def test_the_first_accepted_name_goes_before_the_others() -> None:
    definitions = [FieldDefinition("b", "Client Name", "string"), FieldDefinition("a", "Primary Client Name", "string")]
    assert make_field_map(definitions, {}).key_of("PRIMARY_CLIENT_NAME") == "a"


def test_a_fingerprint_moves_with_the_row_and_with_the_settings() -> None:
    row, other = ClientRow("1", '{"a":1}'), ClientRow("1", '{"a":2}')
    digest = make_settings_digest("US")
    assert make_fingerprint(row, digest) == make_fingerprint(row, digest)
    assert make_fingerprint(row, digest) != make_fingerprint(other, digest)
    assert make_fingerprint(row, digest) != make_fingerprint(row, make_settings_digest("GB"))
