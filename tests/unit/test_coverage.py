"""Who called without a name, and why: the pure part of coverage."""

from __future__ import annotations

import json

import pytest

from openphone_sync.config import load_mapping
from openphone_sync.conversations.coverage import (
    Activity,
    Gap,
    explain,
    find_activities,
    find_named,
    find_places,
    join_activities,
    parse_caller,
)
from openphone_sync.documents import describe_coverage
from openphone_sync.model import ClientRow, Link, Reason, RemoteContact, RemoteItem, Standing, Why
from openphone_sync.openphone.conversations import Conversation, parse_conversation
from openphone_sync.rules.mapping import MappingRules

P1, P2, P3 = "+12135550134", "+12135550166", "+12135550199"
RULES = MappingRules("US", load_mapping(None))


def talk(*participants: str, at: str = "2026-11-20T10:00:00.000Z") -> Conversation:
    return parse_conversation({"id": f"CN{at}{participants}", "participants": [*participants], "lastActivityAt": at})


def row(**values: object) -> ClientRow:
    return ClientRow("7", json.dumps({"id": "7", "client_name": "James Smith", "phone": None, **values}))


def contact(name: str | None, *numbers: str | None) -> RemoteContact:
    return RemoteContact("c", first_name=name, phones=tuple(RemoteItem("Main", one) for one in numbers))


def test_each_number_counts_once_with_its_latest_activity() -> None:
    later = talk(P1, P2, at="2026-11-21T10:00:00Z")
    found = find_activities([talk(P1), later], [P3], 0, "US")
    assert [(one.number, len(one.threads)) for one in found] == [(P1, 2), (P2, 1)]
    assert found[0].last_at == found[1].last_at


def test_older_activity_and_the_offices_own_numbers_do_not_count() -> None:
    since = 1_795_000_000  # November 2026
    old, unknown = talk(P1, at="2026-10-01T00:00:00Z"), talk(P2, at="")
    assert find_activities([old, unknown, talk(P3)], ["(213) 555-0199"], since, "US") == []


@pytest.mark.parametrize("text", ["", "Anonymous", "22395", "+266696687", "+86282452253", "Restricted", f"{P1}, {P2}"])
def test_what_is_not_one_callable_number_does_not_count(text: str) -> None:
    assert parse_caller(text, "US") == ""


def test_spellings_of_a_stored_number_are_added_up() -> None:
    rows = [("(213) 555-0134", 2, 10.0), (P1, 3, 20.0), ("Unknown", 9, 1.0), (None, 1, 1.0)]
    assert join_activities(rows, [], "US") == [Activity(P1, 20.0, 5)]


def test_a_contact_without_a_name_or_number_shows_none() -> None:
    contacts = [contact("James", "(213) 555-0134", None), contact(" ", P2), contact(None, P3)]
    assert find_named(contacts, "US") == {P1}


@pytest.mark.parametrize(
    "text", ["wife: (213) 555-0166, calls at 9", "2135550166", 2135550166, ["213.555.0166"], "x" * 400 + P2]
)
def test_a_number_is_found_in_any_form_in_a_column_that_is_not_read(text: object) -> None:
    places = find_places([row(remarks=text)], frozenset({P2}), RULES)
    assert [(place.column, place.wanted) for place in places.values()] == [("remarks", None)]


def test_a_column_that_is_read_comes_before_one_that_is_not() -> None:
    other = ClientRow("8", json.dumps({"id": "8", "client_name": "Ann Lee", "phone": P1}))
    places = find_places([row(remarks=P1), other], frozenset({P1}), RULES)
    assert places[P1].client_id == "8"


@pytest.mark.parametrize(
    ("standing", "why", "phones", "gap"),
    [
        (Standing.HELD, Why(Reason.PHONE_OTHER_NAME), (P1,), Gap.HELD),
        (Standing.REVERTED, None, (P1,), Gap.HELD),
        (Standing.SKIPPED, Why(Reason.FORBIDDEN), (P1,), Gap.SKIPPED),
        (Standing.DECLINED, Why(Reason.DELETED_TWICE), (P1,), Gap.SKIPPED),
        (Standing.PENDING, Why(Reason.WRITE_FAILED, "400"), (P1,), Gap.FAILED),
        (Standing.PENDING, None, (P1,), Gap.NOT_SYNCHRONISED),
        (Standing.LINKED, None, (P1,), Gap.NOT_ON_CONTACT),
        (Standing.LINKED, None, (P2,), Gap.NOT_SYNCHRONISED),  # the row has a new number
        (Standing.ORPHANED, None, (P1,), Gap.NOT_SYNCHRONISED),  # the row came back
    ],
)
def test_where_its_contact_stands_is_the_reason(
    standing: Standing, why: Why | None, phones: tuple[str, ...], gap: Gap
) -> None:
    place = find_places([row(phone=P1)], frozenset({P1}), RULES)[P1]
    links = {"client_7": Link("client_7", "7", 0, standing, phones=phones, why=why)}
    found = explain(Activity(P1, 0.0), place, links, {})
    assert (found.gap, found.client_id, found.why) == (gap, "7", why)
    assert explain(Activity(P1, 0.0), place, {}, {}).gap is Gap.NOT_SYNCHRONISED


def test_a_number_in_no_row_may_be_that_of_a_removed_client() -> None:
    gone = {P1: Link("client_9", "9", 0, Standing.ORPHANED, phones=(P1,))}
    assert explain(Activity(P1, 0.0), None, {}, gone).client_id == "9"
    assert explain(Activity(P2, 0.0), None, {}, gone).gap is Gap.NO_ROW


def test_the_sentence_counts_in_plain_words() -> None:
    sentence = "87 of 93 numbers that called or texted in the last 30 days show a name"
    assert describe_coverage({"days": 30, "numbers": 93, "named": 87}) == sentence
    assert describe_coverage({"days": 1, "numbers": 0, "named": 0}) == "no number called or texted in the last day"
