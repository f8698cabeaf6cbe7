"""GET /v1/contacts as it really behaves."""

import pytest

from openphone_sync.sandbox import Workspace
from openphone_sync.sandbox.options import SandboxOptions
from tests.unit.sandbox_support import calling, make_contacts, vary


def test_without_max_results_a_page_holds_ten_newest_first() -> None:
    with calling() as api:
        made = make_contacts(api, 12)
        page = api.page().json
    assert [each["id"] for each in page["data"]] == made[:1:-1]
    assert page["nextPageToken"]


def test_a_walk_meets_every_contact_once_and_ends_with_null() -> None:
    with calling() as api:
        made = make_contacts(api, 12)
        walked = api.walk(maxResults=5)
        assert api.page(maxResults=50).json["nextPageToken"] is None
    assert walked == made[::-1]


def test_the_oldest_come_first_where_the_variant_says_so() -> None:
    with calling(vary(list_order="oldest")) as api:
        assert make_contacts(api, 3) == api.walk()


@pytest.mark.parametrize("value", ["0", "51", "100", "-1", "ten", "5.5", ""])
def test_max_results_out_of_1_to_50_is_400(value: str) -> None:
    with calling() as api:
        reply = api.page(maxResults=value)
    assert reply.status == 400
    assert reply.json["code"] == "0800400"
    assert reply.json["errors"][0]["path"] == "/maxResults"


@pytest.mark.parametrize("value", ["1", "50"])
def test_max_results_of_1_and_50_are_good(value: str) -> None:
    with calling() as api:
        make_contacts(api, 2)
        assert len(api.page(maxResults=value).data) == min(2, int(value))


@pytest.mark.parametrize("name", ["externalId", "search", "page", "limit", "pageSize", "source", "phoneNumbers"])
def test_unknown_parameters_are_ignored_and_list_everybody(name: str) -> None:
    with calling() as api:
        made = make_contacts(api, 3)
        reply = api.page(**{name: "e1"})
    assert reply.status == 200
    assert [each["id"] for each in reply.data] == made[::-1]


def test_repeated_external_ids_filter_and_so_do_sources() -> None:
    with calling() as api:
        made = make_contacts(api, 3)
        other = api.create("Other", source="attio").data["id"]
        assert api.walk(externalIds=["e0", "e2"]) == [made[2], made[0]]
        assert api.walk(externalIds="e1") == [made[1]]
        assert api.walk(externalIds="absent") == []
        assert api.walk(sources="attio") == [other]
        assert api.walk(sources="attio", externalIds="e1") == []


def test_twenty_external_ids_are_good_and_twenty_one_are_400() -> None:
    with calling() as api:
        twenty, more = (api.page(externalIds=[f"e{each}" for each in range(count)]) for count in (20, 21))
    assert [twenty.status, more.status] == [200, 400]
    assert more.json["errors"][0]["message"] == "Expected array"


def test_comma_joined_external_ids_are_one_string_and_too_long() -> None:
    with calling() as api:
        reply = api.page(externalIds=",".join(f"client_{each}" for each in range(9)))
    assert reply.status == 400
    assert reply.json["errors"][0]["message"] == "Expected string length less or equal to 75"


def test_bracketed_external_ids_are_400_or_a_filter() -> None:
    with calling() as api:
        assert api.ask("GET", "/v1/contacts?externalIds[]=e1").status == 400
        assert api.ask("GET", "/v1/contacts?sources%5B%5D=e1").status == 400
    with calling(vary(brackets="accept")) as api:
        made = make_contacts(api, 2)
        assert [each["id"] for each in api.ask("GET", "/v1/contacts?externalIds[]=e1").data] == [made[1]]


@pytest.mark.parametrize(("variant", "total"), [("page", 2), ("zero", 0), ("small", 4), ("large", 1005), ("right", 5)])
def test_total_items_is_wrong_as_the_variant_says(variant: str, total: int) -> None:
    with calling(vary(total_items=variant)) as api:
        make_contacts(api, 5)
        assert api.page(maxResults=2).json["totalItems"] == total


def test_the_last_page_token_is_absent_empty_repeated_or_leads_to_an_empty_page() -> None:
    tokens = {}
    for variant in ("absent", "empty", "repeat", "extra"):
        with calling(vary(last_page_token=variant)) as api:
            make_contacts(api, 3)
            first = api.page(maxResults=2).json["nextPageToken"]
            tokens[variant] = (first, api.page(maxResults=2, pageToken=first).json)
            if variant == "extra":
                last = api.page(maxResults=2, pageToken=tokens["extra"][1]["nextPageToken"]).json
                assert last == {"data": [], "totalItems": 0, "nextPageToken": None}
    assert "nextPageToken" not in tokens["absent"][1]
    assert tokens["empty"][1]["nextPageToken"] == ""
    assert tokens["repeat"][1]["nextPageToken"] == tokens["repeat"][0]


@pytest.mark.parametrize("token", ["x", "b2Zmc2V0OjE=", "%%%"])
def test_a_page_token_of_ones_own_making_is_400(token: str) -> None:
    with calling() as api:
        assert api.page(pageToken=token).status == 400


def test_a_contact_created_during_a_walk_makes_it_meet_one_twice() -> None:
    with calling() as api:
        made = make_contacts(api, 4)
        first = api.page(maxResults=2).json
        api.create("New")
        second = api.page(maxResults=2, pageToken=first["nextPageToken"]).json
    assert [each["id"] for each in first["data"] + second["data"]] == [made[3], made[2], made[2], made[1]]


def test_a_contact_deleted_during_a_walk_makes_it_miss_one() -> None:
    with calling() as api:
        made = make_contacts(api, 4)
        first = api.page(maxResults=2).json
        api.ask("DELETE", f"/v1/contacts/{made[3]}")
        second = api.page(maxResults=2, pageToken=first["nextPageToken"]).json
    assert made[1] not in [each["id"] for each in first["data"] + second["data"]]


def test_lists_lag_behind_writes_and_get_does_not() -> None:
    with calling(lag_s=3600) as api:
        made = make_contacts(api, 1)[0]
        assert api.walk() == api.walk(externalIds="e0") == []
        assert api.ask("GET", f"/v1/contacts/{made}").status == 200
        assert api.create("Twin", externalId="e0").status == 409


def test_lists_show_creations_changes_and_deletions_once_the_lag_has_passed() -> None:
    now = [0.0]
    workspace = Workspace(SandboxOptions(lag_s=2), monotonic=lambda: now[0])
    made = workspace.create({"defaultFields": {"firstName": "Old"}})
    now[0] = 2
    workspace.patch(made["id"], {"defaultFields": {"firstName": "New"}})
    assert [each["defaultFields"]["firstName"] for each in workspace.list_page().contacts] == ["Old"]
    now[0] = 4
    workspace.delete(made["id"])
    assert [each["defaultFields"]["firstName"] for each in workspace.list_page().contacts] == ["New"]
    now[0] = 6
    assert workspace.list_page().contacts == []


def test_saving_the_contents_ends_no_lag_and_saves_what_lists_will_show() -> None:
    workspace = Workspace(SandboxOptions(lag_s=2), monotonic=lambda: 0.0)
    made = workspace.create({"defaultFields": {"firstName": "Ann"}})
    gone = workspace.create({"defaultFields": {"firstName": "Bob"}})
    workspace.bury(gone["id"])
    saved = workspace.save()
    assert workspace.list_page().contacts == []
    loaded = Workspace()
    loaded.load(saved)
    assert {each["id"] for each in loaded.list_page().contacts} == {made["id"], gone["id"]}


def test_contacts_of_many_makers_are_there_at_the_start() -> None:
    with calling(contacts=200) as api:
        ids = api.walk(maxResults=50)
        contacts = [api.ask("GET", f"/v1/contacts/{each}").data for each in ids]
    sources = {each["source"] for each in contacts}
    assert len(contacts) == 200
    assert {None, "ios", "csv", "openphone-clio", "attio", "public-api"} <= sources
    assert any(not each["defaultFields"]["phoneNumbers"] for each in contacts)
    assert any(each["defaultFields"]["firstName"] is None for each in contacts)
