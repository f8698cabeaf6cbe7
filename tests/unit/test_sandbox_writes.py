"""POST, PATCH and DELETE as they really behave."""

from typing import Any

import pytest

from openphone_sync.sandbox import CustomField
from tests.unit.sandbox_support import Caller, Reply, calling, vary

UNKNOWN_ID = "0" * 24


def make_full(api: Caller, **body: Any) -> dict[str, Any]:
    fields = {
        "firstName": "Ann",
        "company": "Legal Client",
        "role": "Civil Client",
        "phoneNumbers": [{"name": "Main Phone", "value": "(213) 555-0142"}],
        "emails": [{"name": "Email", "value": "ann@example.com"}],
    }
    custom = [{"key": api.workspace.field_key("County"), "value": "Kern County"}]
    reply = api.ask("POST", "/v1/contacts", {"defaultFields": fields, "customFields": custom, **body})
    assert reply.status == 201
    data: dict[str, Any] = reply.data
    return data


def patch(api: Caller, contact_id: str, body: object) -> Reply:
    return api.ask("PATCH", f"/v1/contacts/{contact_id}", body)


def set_custom(api: Caller, name: str, value: object) -> Reply:
    return api.create(customFields=[{"key": api.workspace.field_key(name), "value": value}])


# Create


def test_a_created_contact_has_every_documented_key_and_an_id_of_24_hex_digits() -> None:
    with calling() as api:
        made = api.create("Ann").data
        assert api.ask("GET", f"/v1/contacts/{made['id']}").data == made
    assert len(made["id"]) == 24
    assert int(made["id"], 16)
    assert made["source"] == "public-api"
    assert set(made["defaultFields"]) == {"firstName", "lastName", "company", "role", "emails", "phoneNumbers"}
    assert made["createdByUserId"].startswith("US")
    assert made["createdAt"] == made["updatedAt"]
    assert made["createdAt"].endswith("Z")


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("(213) 555-0142", "+12135550142"),
        ("213\u2011555\u20110142", "+12135550142"),
        ("+44 20 7946 0123", "+442079460123"),
        ("in jail", "in jail"),
        ("555-0142", "555-0142"),
        ("+1234567890", "+1234567890"),
    ],
)
def test_phones_come_back_in_e164_where_they_parse_and_raw_where_not(typed: str, shown: str) -> None:
    with calling() as api:
        fields = {"firstName": "Ann", "phoneNumbers": [{"name": "Main", "value": typed}]}
        made = api.ask("POST", "/v1/contacts", {"defaultFields": fields}).data
    assert made["defaultFields"]["phoneNumbers"][0]["value"] == shown


def test_a_bad_phone_is_stored_refused_or_dropped() -> None:
    fields = {"firstName": "Ann", "phoneNumbers": [{"name": "Main", "value": "in jail"}]}
    replies = {}
    for variant in ("store", "refuse", "drop"):
        with calling(vary(bad_phone=variant)) as api:
            replies[variant] = api.ask("POST", "/v1/contacts", {"defaultFields": fields})
    assert [each.status for each in replies.values()] == [201, 400, 201]
    assert replies["store"].data["defaultFields"]["phoneNumbers"][0]["value"] == "in jail"
    assert replies["drop"].data["defaultFields"]["phoneNumbers"] == []


def test_the_same_external_id_is_a_409_that_names_nothing() -> None:
    with calling() as api:
        first = api.create(externalId="client_1", source="one").data["id"]
        again = api.create(externalId="client_1", source="one")
        other = api.create(externalId="client_1", source="two")
    assert (again.status, other.status) == (409, 201)  # unique for each source
    assert again.json["message"] == "Failed to create contact"
    assert (again.json["code"], again.json["status"], again.json["title"]) == ("0800409", 409, "Conflict")
    assert first not in again.body.decode()
    assert "errors" not in again.json


def test_the_same_phone_twice_is_good() -> None:
    with calling() as api:
        first, second = make_full(api), make_full(api)
    assert first["defaultFields"]["phoneNumbers"][0]["value"] == second["defaultFields"]["phoneNumbers"][0]["value"]
    assert first["id"] != second["id"]


def test_after_delete_the_external_id_is_free_or_held_while_no_list_shows_it() -> None:
    statuses = {}
    for variant in ("free", "held"):
        with calling(vary(deleted_external_id=variant)) as api:
            made = api.create(externalId="client_1").data["id"]
            api.ask("DELETE", f"/v1/contacts/{made}")
            assert api.walk(externalIds="client_1") == []
            statuses[variant] = api.create(externalId="client_1").status
    assert statuses == {"free": 201, "held": 409}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "/defaultFields"),
        ({"defaultFields": []}, "/defaultFields"),
        ({"defaultFields": {}}, "/defaultFields/firstName"),
        ({"defaultFields": {"firstName": 5}}, "/defaultFields/firstName"),
        ({"defaultFields": {"firstName": "A", "role": 5}}, "/defaultFields/role"),
        ({"defaultFields": {"firstName": "A", "phoneNumbers": None}}, "/defaultFields/phoneNumbers"),
        ({"defaultFields": {"firstName": "A", "phoneNumbers": ["+1"]}}, "/defaultFields/phoneNumbers/0"),
        (
            {"defaultFields": {"firstName": "A", "phoneNumbers": [{"value": "+1"}]}},
            "/defaultFields/phoneNumbers/0/name",
        ),
        ({"defaultFields": {"firstName": "A", "emails": [{"name": "x"}]}}, "/defaultFields/emails/0/value"),
        ({"defaultFields": {"firstName": "A"}, "customFields": {"key": "v"}}, "/customFields"),
        ({"defaultFields": {"firstName": "A"}, "source": "csv"}, "/source"),
        ({"defaultFields": {"firstName": "A"}, "source": "google-people"}, "/source"),
        ({"defaultFields": {"firstName": "A"}, "source": "openphone-sync"}, "/source"),
        ({"defaultFields": {"firstName": "A"}, "source": "csv-import"}, "/source"),
        ({"defaultFields": {"firstName": "A"}, "source": "s" * 73}, "/source"),
        ({"defaultFields": {"firstName": "A"}, "source": ""}, "/source"),
        ({"defaultFields": {"firstName": "A"}, "source": None}, "/source"),
        ({"defaultFields": {"firstName": "A"}, "externalId": "e" * 76}, "/externalId"),
        ({"defaultFields": {"firstName": "A"}, "externalId": ""}, "/externalId"),
        ({"defaultFields": {"firstName": "A"}, "externalId": 5}, "/externalId"),
        ({"defaultFields": {"firstName": "A"}, "sourceUrl": "no uri"}, "/sourceUrl"),
        ({"defaultFields": {"firstName": "A"}, "sourceUrl": "https://e.com/" + "x" * 187}, "/sourceUrl"),
        ({"defaultFields": {"firstName": "A"}, "createdByUserId": "me"}, "/createdByUserId"),
        ([], ""),
        (b"{", ""),
        (b"", ""),
        (b'{"defaultFields": {"firstName": "\\ud800"}}', ""),
        (b'{"defaultFields": {"firstName": "A"}, "externalId": NaN}', ""),
        (b'{"defaultFields": {"firstName": "\xff"}}', ""),
    ],
)
def test_a_create_that_breaks_a_rule_is_400_and_stores_nothing(body: object, path: str) -> None:
    with calling() as api:
        reply = api.ask("POST", "/v1/contacts", body)
        assert api.workspace.contacts() == []
    assert reply.status == 400
    assert reply.json["code"] == "0800400"
    assert reply.json["errors"][0]["path"] == path


def test_the_longest_texts_and_a_source_with_spaces_are_good() -> None:
    with calling() as api:
        url = "https://e.com/" + "x" * 186
        reply = api.create("A" * 500, externalId="e" * 75, source="a source " + "s" * 63, sourceUrl=url)
    assert reply.status == 201


@pytest.mark.parametrize("name", [None, ""])
def test_a_blank_first_name_is_accepted_or_refused(name: str | None) -> None:
    statuses = []
    for variant in ("accept", "refuse"):
        with calling(vary(blank_first_name=variant)) as api:
            statuses.append(api.create(name).status)
    assert statuses == [201, 400]


def test_extra_keys_are_tolerated_and_client_made_item_ids_replaced() -> None:
    with calling() as api:
        made = make_full(api)
        sent = {**made, "externalId": "copy", "sourceUrl": "https://example.com", "surprise": 1}
        copy = api.ask("POST", "/v1/contacts", sent)
    assert copy.status == 201
    assert copy.data["defaultFields"]["emails"][0]["id"] != made["defaultFields"]["emails"][0]["id"]
    assert "surprise" not in copy.data


# Custom fields


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("County", "Kern County"),
        ("Date of Birth", "1985-06-15T00:00:00.000Z"),
        ("Arrested", True),
        ("Arrested", False),
        ("Alt Contact Number", 1),
        ("Alt Contact Number", 2.5),
        ("Tags", ["VIP", "Spanish"]),
    ],
)
def test_a_custom_value_of_the_right_type_comes_back_with_name_key_id_and_type(name: str, value: object) -> None:
    with calling() as api:
        item = set_custom(api, name, value).data["customFields"][0]
        kind = next(each.type for each in api.workspace.fields if each.name == name)
        assert item["key"] == api.workspace.field_key(name)
    assert (item["name"], item["type"], item["value"]) == (name, kind, value)
    assert item["id"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("County", 5),
        ("County", True),
        ("Date of Birth", "1985-06-15"),
        ("Date of Birth", "15 June 1985"),
        ("Date of Birth", "1985-13-15T00:00:00Z"),
        ("Arrested", "Yes"),
        ("Arrested", 1),
        ("Alt Contact Number", "1"),
        ("Alt Contact Number", True),
        ("Tags", "VIP"),
        ("Tags", ["VIP", 1]),
        ("Tags", ["No such option"]),
    ],
)
def test_a_custom_value_of_the_wrong_type_refuses_the_whole_contact(name: str, value: object) -> None:
    with calling() as api:
        reply = set_custom(api, name, value)
        assert api.workspace.contacts() == []
    assert reply.status == 400
    assert reply.json["code"] == "0801400"
    assert reply.json["description"] == "Invalid Custom Field Item"


def test_an_unknown_custom_field_key_refuses_the_whole_contact() -> None:
    with calling() as api:
        replies = [api.create(customFields=[each]) for each in ({"key": "county", "value": "x"}, {"value": "x"})]
    assert [each.json["code"] for each in replies] == ["0801400", "0801400"]


def test_dates_come_back_in_utc_with_milliseconds() -> None:
    with calling() as api:
        item = set_custom(api, "Date of Birth", "1985-06-15T02:00:00+02:00").data["customFields"][0]
    assert item["value"] == "1985-06-15T00:00:00.000Z"


def test_a_plain_date_is_accepted_where_the_variant_says_so() -> None:
    with calling(vary(date_only="accept")) as api:
        item = set_custom(api, "Date of Birth", "1985-06-15").data["customFields"][0]
    assert item["value"] == "1985-06-15T00:00:00.000Z"


def test_an_unknown_option_is_created_where_the_variant_says_so() -> None:
    with calling(vary(unknown_option="create")) as api:
        assert set_custom(api, "Tags", ["New"]).data["customFields"][0]["value"] == ["New"]
        assert "New" in next(each.options for each in api.workspace.fields if each.name == "Tags")


def test_custom_field_keys_are_opaque_and_definitions_are_an_option() -> None:
    fields = (CustomField("County", "string"), CustomField(" county ", "url"), CustomField("Old", key="1699999999999"))
    with calling(custom_fields=fields) as api:
        listed = api.ask("GET", "/v1/contact-custom-fields").data
    assert [(each["name"], each["type"]) for each in listed] == [
        ("County", "string"),
        (" county ", "url"),
        ("Old", "string"),
    ]
    assert len(listed[0]["key"]) == 24
    assert len({each["key"] for each in listed}) == 3
    assert listed[2]["key"] == "1699999999999"


# Update


def test_patch_deletes_what_it_leaves_out() -> None:
    with calling() as api:
        made = make_full(api)
        changed = patch(api, made["id"], {"defaultFields": {"firstName": "Anna"}}).data
    assert changed["defaultFields"] == {
        **dict.fromkeys(("lastName", "company", "role")),
        "firstName": "Anna",
        "emails": [],
        "phoneNumbers": [],
    }
    assert changed["customFields"] == []


def test_patch_without_default_fields_deletes_the_arrays_and_keeps_the_scalars() -> None:
    with calling() as api:
        made = make_full(api)
        changed = patch(api, made["id"], {"externalId": "client_1"}).data
    assert changed["defaultFields"]["company"] == "Legal Client"
    assert changed["defaultFields"]["phoneNumbers"] == changed["customFields"] == []


def test_patch_keeps_scalars_in_the_variant_that_replaces_arrays_only() -> None:
    with calling(vary(patch_style="replace-arrays")) as api:
        made = make_full(api)
        changed = patch(api, made["id"], {"defaultFields": {"firstName": "Anna"}}).data
    assert changed["defaultFields"]["company"] == "Legal Client"
    assert changed["defaultFields"]["emails"] == []


def test_patch_keeps_what_it_leaves_out_in_the_variant_that_merges() -> None:
    with calling(vary(patch_style="merge")) as api:
        made = make_full(api)
        changed = patch(api, made["id"], {"defaultFields": {"firstName": "Anna", "emails": []}}).data
    assert changed["defaultFields"] == {**made["defaultFields"], "firstName": "Anna", "emails": []}
    assert changed["customFields"] == made["customFields"]


@pytest.mark.parametrize("body", [b"", b"{}", b"null"])
def test_an_empty_patch_is_200_and_changes_nothing(body: bytes) -> None:
    with calling() as api:
        made = make_full(api)
        reply = patch(api, made["id"], body)
    assert reply.status == 200
    assert reply.data == made


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_is_not_called_json_is_no_body(kind: str) -> None:
    body = {"defaultFields": {"firstName": "Anna"}}
    with calling() as api:
        made = make_full(api)
        assert api.ask("POST", "/v1/contacts", body, kind=kind).status == 400
        assert api.ask("PATCH", f"/v1/contacts/{made['id']}", body, kind=kind).data == made
        charset = "application/json; charset=utf-8"
        assert api.ask("POST", "/v1/contacts", body, kind=charset).status == 201


def test_items_keep_their_ids_when_sent_with_them_and_get_new_ones_otherwise() -> None:
    with calling() as api:
        made = make_full(api)
        phone = made["defaultFields"]["phoneNumbers"][0]
        unknown = {"name": "Third", "value": "+13105550101", "id": "mine"}
        sent = [
            {**phone, "name": "Home"},
            {"name": "Second", "value": "+13105550100"},
            unknown,
            {**phone, "name": "Twin"},
        ]
        fields = {**made["defaultFields"], "phoneNumbers": sent}
        items = patch(api, made["id"], {"defaultFields": fields}).data["defaultFields"]["phoneNumbers"]
    assert [each["name"] for each in items] == ["Home", "Second", "Third", "Twin"]
    assert items[0]["id"] == phone["id"]
    assert len({each["id"] for each in items} - {"mine"}) == 4


def test_an_item_whose_value_is_null_is_removed() -> None:
    with calling() as api:
        made = make_full(api)
        fields = {
            **made["defaultFields"],
            "phoneNumbers": [{**made["defaultFields"]["phoneNumbers"][0], "value": None}],
        }
        custom = [{"key": made["customFields"][0]["key"], "value": None}]
        changed = patch(api, made["id"], {"defaultFields": fields, "customFields": custom}).data
    assert changed["defaultFields"]["phoneNumbers"] == changed["customFields"] == []
    assert changed["defaultFields"]["emails"] == made["defaultFields"]["emails"]


def test_custom_fields_are_met_by_key_or_by_item_id() -> None:
    with calling() as api:
        made = make_full(api)
        item = made["customFields"][0]
        body = {"defaultFields": made["defaultFields"], "customFields": [{"id": item["id"], "value": "Fresno County"}]}
        changed = patch(api, made["id"], body).data
    assert changed["customFields"] == [{**item, "value": "Fresno County"}]


def test_a_whole_answer_may_be_sent_back() -> None:
    with calling() as api:
        contact = api.workspace.add({"defaultFields": {"firstName": "Staff"}}, source="csv")
        reply = patch(api, contact["id"], contact)
    assert reply.status == 200
    assert {**reply.data, "updatedAt": ""} == {**contact, "updatedAt": ""}


def test_external_id_source_and_url_can_be_changed_and_set_to_null() -> None:
    with calling() as api:
        made = make_full(api, externalId="client_1", sourceUrl="https://example.com/1")
        moved = patch(api, made["id"], {"externalId": "client_2", "source": "other-app"}).data
        assert (moved["externalId"], moved["source"], moved["sourceUrl"]) == (
            "client_2",
            "other-app",
            made["sourceUrl"],
        )
        assert api.create(externalId="client_1").status == 201
        cleared = patch(api, made["id"], {"externalId": None, "source": None, "sourceUrl": None}).data
    assert (cleared["externalId"], cleared["source"], cleared["sourceUrl"]) == (None, None, None)


def test_a_taken_external_id_is_409_on_patch_and_changes_nothing() -> None:
    with calling() as api:
        api.create(externalId="client_1")
        made = make_full(api)
        reply = patch(api, made["id"], {"externalId": "client_1"})
        assert api.ask("GET", f"/v1/contacts/{made['id']}").data == made
    assert reply.status == 409
    assert reply.json["message"] == "Failed to update contact"


@pytest.mark.parametrize(
    "body",
    [
        {"defaultFields": None},
        {"defaultFields": {"phoneNumbers": None}},
        {"customFields": None},
        {"source": "zapier"},
        {"source": "s" * 76},
        {"externalId": ""},
        {"sourceUrl": "x"},
        ["list"],
        b"{",
    ],
)
def test_a_patch_that_breaks_a_rule_is_400_and_changes_nothing(body: object) -> None:
    with calling() as api:
        made = make_full(api)
        reply = patch(api, made["id"], body)
        assert api.ask("GET", f"/v1/contacts/{made['id']}").data == made
    assert reply.status == 400


def test_a_bad_custom_value_on_patch_changes_nothing() -> None:
    with calling() as api:
        made = make_full(api)
        custom = [{"key": api.workspace.field_key("Arrested"), "value": "Yes"}]
        reply = patch(api, made["id"], {"defaultFields": {"firstName": "X"}, "customFields": custom})
        assert api.ask("GET", f"/v1/contacts/{made['id']}").data == made
    assert reply.json["code"] == "0801400"


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_contact_of_a_native_integration_is_read_only(method: str) -> None:
    with calling() as api:
        contact = api.workspace.add({"defaultFields": {"firstName": "Clio"}}, source="openphone-clio")
        reply = api.ask(method, f"/v1/contacts/{contact['id']}", {"externalId": "mine"})
        assert api.ask("GET", f"/v1/contacts/{contact['id']}").data == contact
    assert reply.status == 403
    assert reply.json["code"] == "0801403"


# Delete, and who is not there


def test_delete_is_204_with_no_body_and_the_second_time_404() -> None:
    with calling() as api:
        made = api.create().data["id"]
        first, second = (api.ask("DELETE", f"/v1/contacts/{made}") for _ in range(2))
        assert api.walk() == []
    assert (first.status, first.body) == (204, b"")
    assert "Content-Length" not in first.headers
    assert second.status == 404
    assert second.json["code"] == "0800404"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("contact_id", [UNKNOWN_ID, "not-an-id"])
def test_an_unknown_contact_is_404_in_the_flat_shape(method: str, contact_id: str) -> None:
    with calling() as api:
        reply = api.ask(method, f"/v1/contacts/{contact_id}")
    assert reply.status == 404
    assert {"message", "code", "status", "docs", "title", "trace"} == set(reply.json)


def test_a_deleted_contact_stays_in_lists_where_the_variant_says_so() -> None:
    with calling(vary(deleted_in_list="listed")) as api:
        made = api.create(externalId="client_1").data["id"]
        api.ask("DELETE", f"/v1/contacts/{made}")
        assert api.walk(externalIds="client_1") == [made]
        statuses = [api.ask(method, f"/v1/contacts/{made}").status for method in ("GET", "PATCH", "DELETE")]
    assert statuses == [404, 404, 404]
