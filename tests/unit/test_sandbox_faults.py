"""Everything that can go wrong on the way, each over the real socket."""

import http.client
import json
from typing import Any

import pytest

from tests.fault_injection import Fault, FaultKind, Faults, parse_fault
from tests.unit.sandbox_support import Caller, calling, make_contacts

LOST = (http.client.HTTPException, OSError)


def stored(api: Caller) -> int:
    return len(api.workspace.contacts())


@pytest.mark.parametrize(("committed", "count"), [(False, 0), (True, 1)])
@pytest.mark.parametrize("reset", [False, True])
def test_a_dropped_connection_has_no_answer_and_what_was_stored_is_said_by_committed(
    committed: bool, count: int, reset: bool
) -> None:
    with calling(faults=(Fault(FaultKind.DROP, committed=committed, reset=reset),)) as api:
        with pytest.raises(LOST) as error:
            api.create()
        assert stored(api) == count
        assert isinstance(error.value, ConnectionResetError)  # http.client calls a closed connection the same
        api.close()
        assert api.create().status == 201


def test_a_cut_answer_breaks_off_in_its_body_after_the_commit() -> None:
    with calling(faults=(Fault(FaultKind.CUT),)) as api:
        with pytest.raises(http.client.IncompleteRead):
            api.create()
        assert stored(api) == 1


@pytest.mark.parametrize(
    ("fault", "status", "start"),
    [
        (Fault(FaultKind.STATUS), 500, b'{"message":'),
        (Fault(FaultKind.STATUS, status=502), 502, b"<html>"),
        (Fault(FaultKind.STATUS, status=503, style="flat"), 503, b'{"message":'),
        (Fault(FaultKind.STATUS, status=500, style="html"), 500, b"<html>"),
        (Fault(FaultKind.STATUS, status=429), 429, b'{"message":'),
        (Fault(FaultKind.STATUS, status=401), 401, b'{"error":'),
        (Fault(FaultKind.STATUS, status=402), 402, b'{"message":'),
        (Fault(FaultKind.STATUS, status=403), 403, b'{"message":'),
        (Fault(FaultKind.STATUS, status=503, style="empty"), 503, b""),
        (Fault(FaultKind.STATUS, status=520), 520, b'{"message":'),
        (Fault(FaultKind.STATUS, status=520, style="nested"), 520, b'{"error":'),
        (Fault(FaultKind.STATUS, status=520, style="html"), 520, b"<html>"),
        (Fault(FaultKind.STATUS, status=204), 204, b""),
    ],
)
def test_a_status_comes_in_its_usual_shape_or_the_one_asked_for(fault: Fault, status: int, start: bytes) -> None:
    with calling(faults=(fault,)) as api:
        reply = api.create()
        assert stored(api) == 0
        assert api.create().status == 201
    assert reply.status == status
    assert reply.body[: max(1, len(start))] == start


def test_a_502_can_come_after_the_commit() -> None:
    with calling(faults=(Fault(FaultKind.STATUS, status=502, committed=True),)) as api:
        assert api.create(externalId="client_1").status == 502
        assert api.create(externalId="client_1").status == 409


@pytest.mark.parametrize("retry_after", ["seconds", "date", "huge", "7"])
def test_a_status_can_carry_retry_after_in_any_form(retry_after: str) -> None:
    with calling(faults=(Fault(FaultKind.STATUS, status=429, retry_after=retry_after),)) as api:
        header = api.page().headers["Retry-After"]
    assert header == {"seconds": "2", "huge": "999999", "7": "7"}.get(retry_after, header)
    assert header.endswith("GMT") == (retry_after == "date")


def test_a_429_can_come_in_the_middle_of_a_walk() -> None:
    with calling(faults=(Fault(FaultKind.STATUS, status=429, path="/v1/contacts?*pageToken=*"),)) as api:
        make_contacts(api, 3)
        token = api.page(maxResults=2).json["nextPageToken"]
        assert api.page(maxResults=2, pageToken=token).status == 429
        assert len(api.page(maxResults=2, pageToken=token).data) == 1


def test_the_key_can_be_revoked_from_some_request_on() -> None:
    with calling(faults=(Fault(FaultKind.STATUS, status=401, nth=3, count=None),)) as api:
        assert [api.page().status for _ in range(5)] == [200, 200, 401, 401, 401]


def test_one_contact_can_be_forbidden() -> None:
    with calling() as api:
        first, second = make_contacts(api, 2)
        api.server.faults.add(Fault(FaultKind.STATUS, status=403, method="PATCH", path=f"*/{first}", count=None))
        statuses = [
            api.ask(method, f"/v1/contacts/{each}").status for method in ("GET", "PATCH") for each in (first, second)
        ]
    assert statuses == [200, 200, 403, 200]


def test_truncated_json_is_a_whole_answer_that_does_not_parse() -> None:
    with calling(faults=(Fault(FaultKind.TRUNCATED),)) as api:
        reply = api.create()
        assert stored(api) == 1
    assert reply.status == 201
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.body)


@pytest.mark.parametrize(("kind", "body"), [(FaultKind.NOT_JSON, b"<html>"), (FaultKind.EMPTY, b"")])
def test_a_200_can_be_html_or_empty(kind: FaultKind, body: bytes) -> None:
    with calling(faults=(Fault(kind, committed=True), Fault(kind))) as api:
        replies = [api.create(), api.create()]
        assert stored(api) == 1
    assert [(each.status, each.body[:6]) for each in replies] == [(200, body), (200, body)]
    assert replies[0].headers["Content-Type"].startswith("application/json")


def test_a_hanging_request_ends_with_its_answer_or_with_none() -> None:
    with calling(
        faults=(Fault(FaultKind.HANG, seconds=0.05, committed=True), Fault(FaultKind.HANG, seconds=0.05))
    ) as api:
        assert api.create().status == 201
        with pytest.raises(LOST):
            api.create()
        assert stored(api) == 1


def test_a_slow_body_arrives_whole() -> None:
    with calling(faults=(Fault(FaultKind.SLOW_BODY, seconds=0.05),)) as api:
        assert api.create("Slow").data["defaultFields"]["firstName"] == "Slow"


def test_a_slow_answer_does_not_outlast_the_server() -> None:
    with calling(faults=(Fault(FaultKind.HANG, seconds=3600),)) as api:
        api._connection.timeout = 0.1
        with pytest.raises(TimeoutError):
            api.create()


def test_an_ignored_write_is_acknowledged_and_changes_nothing() -> None:
    with calling() as api:
        made = api.create("Ann").data
        api.server.faults.add(Fault(FaultKind.IGNORED_WRITE, count=None))
        created = [api.create("Bob", externalId="client_1") for _ in range(2)]
        patched = api.ask("PATCH", f"/v1/contacts/{made['id']}", {"defaultFields": {"firstName": "Anna"}})
        deleted = api.ask("DELETE", f"/v1/contacts/{made['id']}")
        assert api.workspace.contacts() == [made]
    assert [each.status for each in (*created, patched, deleted)] == [201, 201, 200, 204]
    assert created[0].data["externalId"] == "client_1"
    assert len({created[0].data["id"], created[1].data["id"], made["id"]}) == 3
    assert patched.data == made


def test_unknown_fields_come_at_every_level() -> None:
    with calling(contacts=3, faults=(Fault(FaultKind.EXTRA_FIELDS),)) as api:
        reply = api.page().json
        assert "xRevision" not in api.page().json
    assert reply["xRevision"] == reply["data"][0]["xRevision"] == reply["data"][0]["defaultFields"]["xRevision"]


def test_sparse_answers_leave_out_what_is_optional_and_no_value() -> None:
    fields = {"firstName": "Ann", "phoneNumbers": [{"name": "Main", "value": "+12135550142"}]}
    with calling() as api:
        custom = [{"key": api.workspace.field_key("County"), "value": "Kern County"}]
        full = api.ask("POST", "/v1/contacts", {"defaultFields": fields, "customFields": custom}).data
        api.server.faults.add(Fault(FaultKind.SPARSE_FIELDS, count=2))
        sparse, listed = api.ask("GET", f"/v1/contacts/{full['id']}").data, api.page().data[0]
    assert sparse == listed
    assert sparse["defaultFields"]["phoneNumbers"] == fields["phoneNumbers"]
    assert sparse["customFields"][0] == {"name": "County", "type": "string", "value": "Kern County"}
    assert {each["value"] for each in sparse["customFields"][1:]} == {None}
    assert sparse["createdByUserId"] == full["createdByUserId"]


def test_a_ghost_is_listed_under_an_id_that_is_404() -> None:
    with calling() as api:
        made = make_contacts(api, 2)
        api.server.faults.add(Fault(FaultKind.GHOST, method="GET"))
        listed = api.walk()
        assert listed[1:] == made[:1]
        assert api.ask("GET", f"/v1/contacts/{listed[0]}").status == 404
        assert api.walk() == made[::-1]


def list_twice(kind: FaultKind, nth: int = 1) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Return two pages of two, of three contacts, and the ids: the fault strikes the `nth` page."""
    with calling(faults=(Fault(kind, method="GET", nth=nth),)) as api:
        made = make_contacts(api, 3)[::-1]
        first = api.page(maxResults=2).json
        second = api.page(maxResults=2, pageToken=first["nextPageToken"]).json
        return first, second, made


def ids(page: dict[str, Any]) -> list[str]:
    return [each["id"] for each in page["data"]]


def test_the_same_token_again() -> None:
    first, second, _ = list_twice(FaultKind.SAME_TOKEN, nth=2)
    assert second["nextPageToken"] == first["nextPageToken"]


def test_an_empty_token_at_the_end() -> None:
    assert list_twice(FaultKind.EMPTY_TOKEN, nth=2)[1]["nextPageToken"] == ""


def test_no_token_at_the_end() -> None:
    assert "nextPageToken" not in list_twice(FaultKind.NO_TOKEN, nth=2)[1]


def test_an_empty_page_with_a_token_that_goes_on_from_there() -> None:
    first, second, made = list_twice(FaultKind.EMPTY_PAGE)
    assert first["data"] == []
    assert ids(second) == made[:2]


def test_an_item_twice() -> None:
    first, _, made = list_twice(FaultKind.ITEM_TWICE)
    assert ids(first) == [made[0], made[0], made[1]]


def test_an_item_missing() -> None:
    first, second, made = list_twice(FaultKind.ITEM_MISSING)
    assert ids(first) + ids(second) == made[1:]


# When a fault strikes


def take(faults: Faults, count: int, method: str = "GET", target: str = "/v1/contacts") -> list[bool]:
    return [faults.take(method, target) is not None for _ in range(count)]


def test_a_fault_strikes_once_at_its_nth_request_unless_told_otherwise() -> None:
    assert take(Faults([Fault(FaultKind.DROP)]), 3) == [True, False, False]
    assert take(Faults([Fault(FaultKind.DROP, nth=2)]), 4) == [False, True, False, False]
    assert take(Faults([Fault(FaultKind.DROP, nth=2, count=2)]), 4) == [False, True, True, False]


def test_a_fault_counts_only_requests_of_its_method_and_path() -> None:
    faults = Faults([Fault(FaultKind.DROP, method="POST", path="/v1/contacts", nth=2)])
    assert take(faults, 3) == [False] * 3
    assert take(faults, 1, "POST", "/v1/contacts/5") == [False]
    assert take(faults, 2, "POST") == [False, True]


def test_probability_follows_the_seed() -> None:
    fault = Fault(FaultKind.DROP, probability=0.3, count=None)
    struck = take(Faults([fault], seed=1), 1000)
    assert struck == take(Faults([fault], seed=1), 1000)
    assert struck != take(Faults([fault], seed=2), 1000)
    assert 230 < sum(struck) < 370


def test_requests_that_are_not_let_in_are_not_counted() -> None:
    with calling(faults=(Fault(FaultKind.STATUS, status=503),)) as api:
        assert api.ask("GET", "/v1/contacts", key="wrong").status == 401
        assert api.ask("GET", "/v1/nothing").status == 404
        assert api.ask("GET", "/v1/contacts").status == 503


def test_faults_that_are_cleared_strike_no_more() -> None:
    with calling(faults=(Fault(FaultKind.DROP, count=None),)) as api:
        api.server.faults.clear()
        assert api.page().status == 200


def test_a_fault_is_read_from_text() -> None:
    text = "status:status=503,method=POST,count=none,probability=0.5,committed=true,retry_after=2,seconds=0.5"
    assert parse_fault(text) == Fault(
        FaultKind.STATUS,
        method="POST",
        count=None,
        probability=0.5,
        status=503,
        retry_after="2",
        seconds=0.5,
        committed=True,
    )
    assert parse_fault("drop") == Fault(FaultKind.DROP)
