"""What people do in the app, in process and over the socket, and what the sandbox tells of itself."""

import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from openphone_sync.sandbox import SandboxError, make_variants
from tests.fault_injection import Fault, FaultKind
from tests.unit.sandbox_support import Caller, calling


def control(api: Caller, method: str, path: str, body: object = None) -> Any:
    reply = api.ask(method, f"/_sandbox/{path}", body, key=None)
    assert reply.status < 300, reply.body
    return reply.json.get("data") if reply.body else None


def test_staff_edits_keep_what_they_do_not_name() -> None:
    with calling() as api:
        fields = {"firstName": "Ann", "phoneNumbers": [{"name": "Main Phone", "value": "+12135550142"}]}
        made = api.ask("POST", "/v1/contacts", {"defaultFields": fields}).data
        api.workspace.edit(
            made["id"],
            {
                "defaultFields": {
                    "lastName": "Smith",
                    "phoneNumbers": [{"name": "Cell", "value": "(310) 555-0101"}],
                    "emails": [{"name": "Home", "value": "ann@example.com"}],
                },
                "customFields": [{"name": "Notes", "value": "Call after five"}],
            },
        )
        now = api.ask("GET", f"/v1/contacts/{made['id']}").data
    assert (now["defaultFields"]["firstName"], now["defaultFields"]["lastName"]) == ("Ann", "Smith")
    assert [each["value"] for each in now["defaultFields"]["phoneNumbers"]] == ["+12135550142", "+13105550101"]
    assert now["defaultFields"]["phoneNumbers"][0] == made["defaultFields"]["phoneNumbers"][0]
    assert [(each["name"], each["value"]) for each in now["customFields"]] == [("Notes", "Call after five")]


def test_staff_relabel_and_remove_items_by_id_or_value() -> None:
    with calling() as api:
        phones = [{"name": "A", "value": "+12135550142"}, {"name": "B", "value": "+12135550143"}]
        made = api.workspace.add({"defaultFields": {"firstName": "Ann", "phoneNumbers": phones}})
        first, second = made["defaultFields"]["phoneNumbers"]
        changes = [{"name": "Desk", "value": "213-555-0142"}, {"id": second["id"], "value": None}]
        now = api.workspace.edit(made["id"], {"defaultFields": {"phoneNumbers": changes}})
    assert now["defaultFields"]["phoneNumbers"] == [{**first, "name": "Desk"}]


def test_no_rule_binds_staff() -> None:
    with calling() as api:
        one, two = (api.workspace.add({"externalId": "same"}, source="openphone-clio") for _ in range(2))
        assert [each["id"] for each in api.workspace.find("same")] == sorted([one["id"], two["id"]])
        api.workspace.edit(one["id"], {"defaultFields": {"firstName": "Changed"}})
        api.workspace.remove(two["id"])
        assert api.walk() == [one["id"]]


def test_what_the_workspace_returns_belongs_to_the_caller() -> None:
    with calling() as api:
        made = api.workspace.add({"defaultFields": {"firstName": "Ann"}})
        made["defaultFields"]["firstName"] = "Spoilt"
        api.workspace.contacts()[0]["defaultFields"].clear()
        assert api.ask("GET", f"/v1/contacts/{made['id']}").data["defaultFields"]["firstName"] == "Ann"


def test_a_buried_contact_is_listed_and_404() -> None:
    with calling() as api:
        made = api.create(externalId="client_1").data["id"]
        api.workspace.bury(made)
        assert api.walk(externalIds="client_1") == [made]
        assert api.ask("PATCH", f"/v1/contacts/{made}").status == 404
        assert api.create(externalId="client_1").status == 201


def test_definitions_can_be_added_twice_renamed_and_deleted_during_a_run() -> None:
    with calling() as api:
        first, second = api.workspace.add_field("Shoe"), api.workspace.add_field("Shoe", "number")
        made = api.create(customFields=[{"key": first.key, "value": "42"}, {"key": second.key, "value": 42}]).data
        api.workspace.rename_field(str(first.key), "Hat")
        renamed = api.ask("GET", f"/v1/contacts/{made['id']}").data["customFields"]
        api.workspace.remove_field(str(first.key))
        left = api.ask("GET", f"/v1/contacts/{made['id']}").data["customFields"]
        assert api.create(customFields=[{"key": first.key, "value": "42"}]).json["code"] == "0801400"
    assert first.key != second.key
    assert [each["name"] for each in renamed] == ["Hat", "Shoe"]
    assert [each["key"] for each in left] == [second.key]


def test_a_key_serves_one_definition_for_ever(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.json"
    with calling(custom_fields=(), file=file) as api:
        keys = [api.workspace.add_field("Shoe").key for _ in range(2)]
        api.workspace.remove_field(str(keys[0]))
        keys.append(api.workspace.add_field("Shoe").key)
    with calling(custom_fields=(), file=file) as api:
        keys.append(api.workspace.add_field("Shoe").key)
    assert len(set(keys)) == 4


# The same over the socket


def test_another_process_can_work_in_the_app_without_key_limit_or_trace() -> None:
    with calling(rate_limit=1) as api:
        made = control(api, "POST", "contacts", {"source": "attio", "defaultFields": {"firstName": "Ann"}})
        changes = {"defaultFields": {"lastName": "Smith"}, "customFields": [{"name": "Notes", "value": "x"}]}
        now = control(api, "PATCH", f"contacts/{made['id']}", changes)
        assert control(api, "GET", "contacts") == [now]
        control(api, "DELETE", f"contacts/{made['id']}?bury=1")
        assert control(api, "GET", "contacts") == []
        assert api.walk() == [made["id"]]
        assert len(api.server.requests) == 1
    assert (now["source"], now["defaultFields"]["firstName"], now["defaultFields"]["lastName"]) == (
        "attio",
        "Ann",
        "Smith",
    )


def test_another_process_can_change_definitions() -> None:
    with calling(custom_fields=()) as api:
        made = control(api, "POST", "custom-fields", {"name": "Tags", "type": "multi-select", "options": ["A"]})
        control(api, "POST", "custom-fields", {"key": made["key"], "name": "Labels"})
        assert control(api, "GET", "custom-fields") == [{**made, "name": "Labels"}]
        control(api, "POST", "custom-fields", {"key": made["key"], "deleted": True})
        assert control(api, "GET", "custom-fields") == []


def test_requests_tell_method_path_status_and_body() -> None:
    with calling() as api:
        api.create("Ann")
        api.server.faults.add(Fault(FaultKind.DROP))
        with pytest.raises(ConnectionResetError):
            api.ask("GET", "/v1/contacts?maxResults=5")
        api.close()
        told = control(api, "GET", "requests")
        recorded = api.server.requests
        control(api, "DELETE", "requests")
        assert api.server.requests == []
    assert [(each["method"], each["path"], each["status"]) for each in told] == [
        ("POST", "/v1/contacts", 201),
        ("GET", "/v1/contacts?maxResults=5", 0),
    ]
    assert json.loads(told[0]["body"])["defaultFields"] == {"firstName": "Ann"}
    assert recorded[0].received_at <= recorded[1].received_at


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("PATCH", "contacts/unknown", {}, 404),
        ("DELETE", "contacts/unknown", None, 404),
        ("POST", "contacts", b"{", 400),
        ("POST", "contacts", None, 400),
        ("POST", "custom-fields", {"key": "unknown", "name": "x"}, 404),
    ],
)
def test_a_bad_order_to_the_sandbox_is_answered_with_a_message(method: str, path: str, body: Any, status: int) -> None:
    with calling() as api:
        reply = api.ask(method, f"/_sandbox/{path}", body, key=None)
    assert reply.status == status
    assert reply.json["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
    ],
)
def test_pages_of_other_sites_cannot_order_anything(headers: dict[str, str]) -> None:
    with calling(contacts=1) as api:
        connection = http.client.HTTPConnection(api.server.base_url.removeprefix("http://"), timeout=5)
        for method, path in (("GET", "contacts"), ("POST", "contacts"), ("DELETE", "requests")):
            connection.request(method, f"/_sandbox/{path}", b"{}", {"Content-Type": "text/plain", **headers})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 403
        connection.close()
        assert len(list(api.workspace.contacts())) == 1


def test_variants_are_made_from_texts_and_wrong_ones_say_what_is_right() -> None:
    assert make_variants({"patch_style": "merge"}).patch_style == "merge"
    with pytest.raises(SandboxError, match="no variant is called 'patch'"):
        make_variants({"patch": "merge"})
    with pytest.raises(SandboxError, match="cannot be 'mix'; take one of replace, replace-arrays, merge"):
        make_variants({"patch_style": "mix"})
