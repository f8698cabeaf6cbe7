"""Rows -> wanted contacts. The whole of the job's shape is tested in tests/system/test_sync.py; here are the corners."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openphone_sync.config.mapping_file import load_built_in, parse_mapping
from openphone_sync.model import (
    ClientRow,
    ContactMapping,
    ContactValues,
    DataFault,
    DataWarning,
    DesiredContact,
    FieldDefinition,
    Item,
    Reason,
    Skipped,
    Why,
)
from openphone_sync.rules.custom_fields import FieldMap, make_field_map
from openphone_sync.rules.mapping import (
    MappingRules,
    find_missing_columns,
    make_external_id,
    make_fingerprint,
    make_settings_digest,
    make_text_filter,
    map_client,
    name_columns,
)

BUILT_IN = load_built_in()
FIELDS = make_field_map(
    [
        FieldDefinition("k1", "Client Type", "string"),
        FieldDefinition("k2", "date  OF birth", "date"),
        FieldDefinition("k3", "Arrested", "string"),
        FieldDefinition("k4", "Alt Contact Number", "string"),
        FieldDefinition("k5", "Case Type", "string"),
    ],
    {},
    BUILT_IN,
)


def map_row(fields: FieldMap = FIELDS, **columns: Any) -> tuple[DesiredContact | Skipped, ...]:
    row = ClientRow("1", json.dumps({"id": 1, "client_name": "James Smith", **columns}))
    return map_client(row, MappingRules("US", BUILT_IN, fields))


def map_main(**columns: Any) -> DesiredContact:
    main = map_row(**columns)[0]
    assert isinstance(main, DesiredContact)
    return main


def test_a_row_becomes_a_contact() -> None:
    row = {"phone": "555-010-0123", "email": "j@example.org", "client_type": "civil", "date_of_birth": "1985-06-15"}
    fields = (("k1", "civil"), ("k2", "1985-06-15T12:00:00.000Z"), ("k3", None), ("k5", "Will"))
    assert map_main(**row, case_type="Will", arrested=False, created_at="2024-01-02") == DesiredContact(
        external_id="client_1",
        client_id="1",
        slot=0,
        person="James Smith",
        values=ContactValues(
            first_name="James Smith",
            company="Legal Client",
            role="Civil Client",
            phones=(Item("Main Phone", "+15550100123"),),
            emails=(Item("Email", "j@example.org"),),
            custom_fields=fields,
        ),
        birth_date="1985-06-15",
        seniority=("2024-01-02", "1"),
        warnings=(DataWarning(DataFault.PHONE_UNASSIGNED, "phone"),),
    )


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


@pytest.mark.parametrize("name", ['O"Neil 🙂', "李小龙", "אבי כהן", "X" * 300, "Smith Jr.", "Xóchitl"])
def test_unusual_names_pass_as_they_are(name: str) -> None:
    assert map_main(client_name=name).values.first_name == name


@pytest.mark.parametrize(
    "name", [None, "", "  ", 5 * " ", "\u200b\u200b", "\u200d", "\ufeff \u202e", "\u3164", "\u2800\ufe0f", "\x00\x07"]
)
def test_a_client_without_a_name_is_skipped_with_his_alternates(name: str | None) -> None:
    found = map_row(client_name=name, phone="213-555-0134", contact_1="Bob", contact_1_phone="213-555-0135")
    why = Why(Reason.NO_NAME)
    assert found == (Skipped("client_1", "1", 0, why), Skipped("client_1_alt_1", "1", 1, why))


def test_an_external_id_that_is_too_long_is_skipped() -> None:
    row = ClientRow(
        "x" * 64, json.dumps({"id": "x" * 64, "client_name": "A", "contact_1": "B", "contact_1_phone": "213-555-0134"})
    )
    main, alternate = map_client(row, MappingRules("US", BUILT_IN, FIELDS))
    assert isinstance(main, DesiredContact)
    assert alternate == Skipped(f"client_{'x' * 64}_alt_1", "x" * 64, 1, Why(Reason.ID_TOO_LONG))


def test_an_external_id_may_be_as_long_as_openphone_takes_it() -> None:
    row = ClientRow("x" * 68, json.dumps({"client_name": "A"}))
    [longest] = map_client(row, MappingRules("US", BUILT_IN))
    assert isinstance(longest, DesiredContact)
    assert len(longest.external_id) == 75


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
    assert main.warnings == (DataWarning(DataFault.BAD_EMAIL, "email"),)


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
    main = map_main(date_of_birth=value)
    assert dict(main.values.custom_fields)["k2"] == "1985-06-15T12:00:00.000Z"
    assert main.birth_date == "1985-06-15"


def test_an_alternate_is_not_born_on_the_clients_day() -> None:
    alternate = map_row(contact_1="Bob", date_of_birth="1985-06-15")[1]
    assert isinstance(alternate, DesiredContact)
    assert alternate.birth_date is None


def test_the_older_row_is_the_one_that_was_created_first_and_one_of_unknown_age_the_youngest() -> None:
    assert map_main(created_at="2024-01-02T03:04:05").seniority == ("2024-01-02T03:04:05", "1")
    assert map_main().seniority == ("~", "1")


def test_a_value_that_is_nested_too_deeply_is_left_out() -> None:
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep, "x"]
    main = map_main(client_type="civil", case_type=deep)
    assert "k5" not in dict(main.values.custom_fields)
    assert main.warnings == (DataWarning(DataFault.FIELD_NOT_CONVERTED, "case_type", "nested too deeply"),)


def test_a_value_that_does_not_fit_its_field_is_left_out_and_told_without_quoting_it() -> None:
    main = map_main(date_of_birth="about 40")
    assert "k2" not in dict(main.values.custom_fields)
    assert main.warnings == (DataWarning(DataFault.FIELD_NOT_CONVERTED, "date_of_birth", "not a date"),)


def test_a_fingerprint_moves_with_the_row_and_with_the_settings() -> None:
    row, other = ClientRow("1", '{"a":1}'), ClientRow("1", '{"a":2}')
    digest = make_settings_digest("US")
    assert make_fingerprint(row, digest) == make_fingerprint(row, digest)
    assert make_fingerprint(row, digest) != make_fingerprint(other, digest)
    assert make_fingerprint(row, digest) != make_fingerprint(row, make_settings_digest("GB"))
    assert len(make_fingerprint(ClientRow("1", '{"a":"\ud800"}'), digest)) == 16  # half a character, as a text may hold


def test_a_further_column_goes_to_the_field_of_its_name_once_and_never_to_one_of_the_mapping() -> None:
    court, types = FieldDefinition("c", "Court Room", "string"), FieldDefinition("k1", "Client Type", "string")
    fields = make_field_map([court, types], {}, BUILT_IN)
    row = {"court_room": "5", "Court room": "6", "CLIENT TYPE": "x", "client_type": "civil", "bail": "1"}
    main = map_row(fields, **row)[0]
    assert isinstance(main, DesiredContact)
    assert main.values.custom_fields == (("c", "5"), ("k1", "civil"))


# --- mappings of other offices ----------------------------------------------------------------------------------------


def make_mapping(text: str) -> ContactMapping:
    mapping, faults = parse_mapping('[source]\nid = "id"\n' + text)
    assert mapping is not None
    assert faults == ()
    return mapping


def map_by(text: str, row: dict[str, Any], *definitions: FieldDefinition) -> list[DesiredContact]:
    mapping = make_mapping(text)
    rules = MappingRules("US", mapping, make_field_map(definitions, {}, mapping))
    wanted = map_client(ClientRow("1", json.dumps(row)), rules)
    return [one for one in wanted if isinstance(one, DesiredContact)]


def test_a_name_is_put_together_from_columns() -> None:
    text = '[client]\nname = "{first} {last}"\ndisplay = "{last}, {first}"\n'
    [patient] = map_by(text, {"first": " Ann ", "last": "Lee"})
    assert (patient.person, patient.values.first_name) == ("Ann Lee", "Lee, Ann")
    assert map_by(text, {"first": "Ann", "last": None})[0].person == "Ann"
    assert map_by(text, {"first": None, "last": None}) == []


def test_a_text_whose_values_are_all_empty_is_empty() -> None:
    text = '[client]\nname = "{name}"\ncompany = "Employer: {employer}"\nrole = "Patient"\n'
    values = map_by(text, {"name": "Ann"})[0].values
    assert (values.company, values.role) == ("", "Patient")


def test_several_phone_columns_keep_their_labels_and_give_each_number_once() -> None:
    text = (
        '[client]\nname = "{name}"\n'
        'phones = [{ column = "cell", label = "Mobile" }, { column = "home", label = "Home" },\n'
        '{ column = "work", label = "Home" }]\n'
        'emails = [{ column = "mail", label = "E-mail" }, { column = "mail_2", label = "Private" }]\n'
    )
    row = {
        "name": "Ann",
        "cell": "213-555-0134",
        "home": "(213) 555-0134 or 213-555-0135",
        "work": "213-555-0136 or nope 5",
    }
    [ann] = map_by(text, row | {"mail": "a@example.org", "mail_2": "b@example.org a@example.org"})
    assert ann.values.phones == (
        Item("Mobile", "+12135550134"),
        Item("Home", "+12135550135"),
        Item("Home 2", "+12135550136"),
    )
    assert ann.values.emails == (Item("E-mail", "a@example.org"), Item("Private", "b@example.org"))
    assert ann.warnings == (DataWarning(DataFault.PHONE_PART_UNUSABLE, "work"),)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("gold", "Gold member"),
        (" GOLD ", "Gold member"),
        ("silver", "Member (silver)"),
        (None, "No member"),
        (True, "Yes, a member"),
    ],
)
def test_a_choice_goes_by_the_value_in_any_case(value: object, shown: str) -> None:
    text = (
        '[client]\nname = "{name}"\nrole = "{level}"\n[choices.level]\ncolumn = "plan"\n'
        'values = { gold = "Gold member", true = "Yes, a member" }\notherwise = "Member ({plan})"\nempty = "No member"\n'
    )
    assert map_by(text, {"name": "Ann", "plan": value})[0].values.role == shown


def test_a_link_to_the_record_has_its_values_encoded() -> None:
    text = '[client]\nname = "{name}"\nsource_url = "https://app.example/clients/{id}?n={name}"\n'
    assert (
        map_by(text, {"id": 7, "name": "Ann & Bo"})[0].values.source_url
        == "https://app.example/clients/7?n=Ann%20%26%20Bo"
    )
    assert map_by(text, {"id": None, "name": "Ann"})[0].values.source_url == ""
    [long] = map_by(text, {"id": "x" * 200, "name": "Ann"})
    assert long.values.source_url == ""
    assert long.warnings == (DataWarning(DataFault.LINK_TOO_LONG, "source_url"),)


def test_a_field_may_be_for_some_rows_only() -> None:
    text = '[client]\nname = "{name}"\n[[client.fields]]\nnames = "Plan"\ncolumn = "plan"\n'
    text += 'only = { kind = ["a", "B"], live = "true" }\n'
    plan = FieldDefinition("k", "Plan", "string")
    for kind, live, expected in (
        ("A", True, "x"),
        ("b", True, "x"),
        ("c", True, None),
        ("a", False, None),
        ("a", "TRUE", "x"),
    ):
        row = {"name": "Ann", "plan": "x", "kind": kind, "live": live}
        assert map_by(text, row, plan)[0].values.custom_fields == (("k", expected),)


def test_a_field_may_depend_on_a_choice() -> None:
    text = '[client]\nname = "{name}"\n[[client.fields]]\nnames = "Plan"\ncolumn = "plan"\n'
    text += 'only = { level = "member" }\n[choices.level]\ncolumn = "kind"\nvalues = { gold = "Member" }\n'
    plan = FieldDefinition("k", "Plan", "string")
    for kind, expected in (("GOLD", "x"), ("member", "x"), ("silver", None)):
        [ann] = map_by(text, {"name": "Ann", "plan": "x", "kind": kind}, plan)
        assert ann.values.custom_fields == (("k", expected),)


def test_yes_is_written_as_the_mapping_says_and_no_is_denied() -> None:
    text = '[client]\nname = "{name}"\n[[client.fields]]\nnames = "Minor"\ncolumn = "minor"\nyes = "under 18"\n'
    for kind, expected in (("string", "under 18"), ("boolean", True), ("multi-select", ("under 18",))):
        minor = FieldDefinition("k", "Minor", kind)
        assert map_by(text, {"name": "Ann", "minor": "yes"}, minor)[0].values.custom_fields == (("k", expected),)
        [adult] = map_by(text, {"name": "Ann", "minor": False}, minor)
        assert (adult.values.custom_fields, adult.denied) == ((("k", None),), frozenset({"k"}))


def test_a_number_with_more_digits_than_python_reads_is_text() -> None:
    row = ClientRow("1", '{"client_name": "Ann", "county": %s}' % ("9" * 5000))
    assert len(map_client(row, MappingRules("US", BUILT_IN))) == 1


def test_columns_that_hold_texts_are_told_from_others() -> None:
    mapping = make_mapping(
        '[client]\nname = "{first} {level}"\nphones = [{ column = "cell", label = "Mobile" }]\n'
        '[[client.fields]]\nnames = "Plan"\ncolumn = "plan"\n'
        '[[client.fields]]\nnames = "Minor"\ncolumn = "minor"\nyes = "under 18"\n'
        '[[client.fields]]\nnames = "Born"\ncolumn = "born"\ntype = "date"\n'
        '[related]\nname = "{guardian_{n}}"\n[[related.fields]]\nnames = "Guardian"\ncolumn = "guardian_{n}"\n'
        '[choices.level]\ncolumn = "rank"\n'
    )
    is_text = make_text_filter(mapping)
    columns = ["first", "cell", "plan", "minor", "born", "guardian_2", "guardian_x", "other"]
    assert [column for column in columns if is_text(column)] == ["first", "cell", "plan", "guardian_2"]
    assert name_columns(mapping) == ("first", "rank")
    assert make_field_map([FieldDefinition("g", "Guardian", "string")], {}, mapping).person_key == "g"


def test_columns_that_must_be_there_are_named_with_the_nearest() -> None:
    mapping = make_mapping(
        '[client]\nname = "{name}"\n[[client.fields]]\nnames = "Plan"\ncolumn = ["plan", "tariff"]\n'
        '[related]\nname = "{guardian_{n}}"\nphones = [{ column = "guardian_{n}_phone", label = "{kind}" }]\n'
        '[choices.kind]\ncolumn = "kind_{n}"\n'
    )
    have = ["id", "nam", "tariff", "gardian_1", "kind_1"]
    assert find_missing_columns(mapping, have) == [
        ("name", "nam"),
        ("guardian_1_phone", "gardian_1"),
        ("guardian_1", "gardian_1"),
    ]
    assert find_missing_columns(BUILT_IN, ["id", "client_name"]) == []
    optional = dict(find_missing_columns(BUILT_IN, ["id", "client_name", "intake_date", "contact_1"], optional=True))
    assert "county" in optional
    assert not {"intake_date", "date_intake", "contact_1"} & set(optional)
