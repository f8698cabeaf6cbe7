"""`coverage`, and what a full run keeps of it, in an office where the truth is known."""

from __future__ import annotations

import time
from typing import Any

import pytest

from openphone_sync.sandbox.samples import CONVERSATIONS_DDL
from tests.fault_injection import Fault, FaultKind
from tests.office import JAMES_ALONE, Office

JAMES, INES, MAREK, LATE = "+12135550134", "+12135550178", "+13105550179", "+12135550177"
NOTED, STRANGER, GONE, OLD = "+12135550166", "+12135550199", "+12135550155", "+12135550144"
DAY = 86400


@pytest.fixture
def known(office: Office) -> dict[str, str]:
    """An office in which each number has its own story; ids of clients by name."""
    ids = office.make_clients(
        JAMES_ALONE,
        {"client_name": "Ines Oliveira", "phone": "213-555-0178"},
        {"client_name": "Gone Client", "phone": "213-555-0155"},
    )
    office.sql("ALTER TABLE clients ADD COLUMN remarks text")
    office.sql("UPDATE clients SET remarks = %s WHERE id::text = %s", "since 2024: wife's cell (213) 555-0166", ids[0])
    # Someone else has the phone of Ines Oliveira: she is held.
    office.sandbox.workspace.add(
        {"defaultFields": {"firstName": "Zelda Quist", "phoneNumbers": [{"name": "Cell", "value": INES}]}}
    )
    return dict(zip(("james", "ines", "gone"), ids, strict=True))


def ring(office: Office, *numbers: str, days_ago: float = 0, times: int = 1) -> str:
    talk = office.sandbox.conversations
    conversation = talk.start(*numbers)
    at = time.time() - days_ago * DAY - 60
    for each in range(times):
        talk.add_message(conversation, at=at + each)
    talk.change(conversation, createdAt=_format(at), lastActivityAt=_format(at + times - 1))
    return conversation


def _format(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))


def everyone_rings(office: Office) -> None:
    ring(office, JAMES)
    ring(office, NOTED, times=2)
    ring(office, STRANGER, times=3)
    ring(office, STRANGER, MAREK)
    ring(office, GONE)
    ring(office, OLD, days_ago=40)
    ring(office, "Anonymous")
    ring(office, "+266696687")
    ring(office, "22395")
    office.sandbox.conversations.start()
    own = office.sandbox.workspace.phone_numbers()[0]["number"]
    ring(office, own)


def measure(office: Office, *options: str, code: int = 0) -> Any:
    ran = office.run("coverage", "--json", *options)
    assert ran.code == code, ran.err + ran.out
    return ran.json


def reasons(document: Any) -> dict[str, tuple[str, str | None]]:
    return {one["number"]: (one["code"], one["clientId"]) for one in document["unnamed"]}


def test_each_number_without_a_name_has_its_reason(office: Office, known: dict[str, str]) -> None:
    office.sync()
    office.sql("DELETE FROM clients WHERE id::text = %s", known["gone"])
    office.sync()
    gone = office.contact(f"client_{known['gone']}")
    office.sandbox.workspace.remove(gone["id"])
    late = office.add_client({"client_name": "Anna Lindqvist", "phone": "213-555-0177"})
    skipped = office.add_client({"client_name": "", "phone": "(310) 555-0179"})
    everyone_rings(office)
    ring(office, LATE)
    document = measure(office)
    assert (document["days"], document["numbers"], document["named"]) == (30, 6, 1)
    assert reasons(document) == {
        NOTED: ("unread_column", known["james"]),
        STRANGER: ("no_row", None),
        MAREK: ("skipped", skipped),
        GONE: ("gone_from_source", known["gone"]),
        LATE: ("not_synchronised", late),
    }
    activity = {one["number"]: one["activity"] for one in document["unnamed"]}
    assert activity == {NOTED: 2, STRANGER: 4, MAREK: 1, GONE: 1, LATE: 1}
    assert "column remarks" in next(one["reason"] for one in document["unnamed"] if one["number"] == NOTED)


def test_held_failed_and_emptied_contacts_are_told_apart(office: Office, known: dict[str, str]) -> None:
    office.sync()
    marek = office.add_client({"client_name": "Marek Kowalczyk", "phone": "310-555-0179"})
    office.sandbox.faults.add(Fault(FaultKind.STATUS, status=400, method="POST", path="/v1/contacts"))
    assert office.run("sync").code == 1
    james = office.contact(f"client_{known['james']}")  # staff took the name away
    office.sandbox.workspace.edit(james["id"], {"defaultFields": {"firstName": "", "lastName": ""}})
    for number in (JAMES, INES, MAREK):
        ring(office, number)
    assert reasons(measure(office)) == {MAREK: ("failed", marek), JAMES: ("not_on_contact", known["james"])}
    zelda = next(one for one in office.contacts() if one["defaultFields"]["firstName"] == "Zelda Quist")
    office.sandbox.workspace.edit(zelda["id"], {"defaultFields": {"firstName": "", "lastName": ""}})
    assert reasons(measure(office))[INES] == ("held", known["ines"])


def test_days_say_how_far_back(office: Office, known: dict[str, str]) -> None:
    del known
    everyone_rings(office)
    assert OLD not in reasons(measure(office))
    assert OLD in reasons(measure(office, "--days", "60"))
    assert office.run("coverage", "--days", "0").code == 2


def test_a_full_run_keeps_it_for_status_and_metrics(office: Office, known: dict[str, str]) -> None:
    del known
    assert office.run("status", "--json").json["coverage"] is None
    everyone_rings(office)
    report = office.sync("--mode", "full")
    assert report["warnings"] == []
    coverage = office.run("status", "--json").json["coverage"]
    assert (coverage["days"], coverage["numbers"], coverage["named"]) == (30, 5, 2)  # those it has just written too
    assert "2 of 5 numbers that called or texted in the last 30 days show a name" in office.run("status").out
    text = office.run("metrics", "--format", "prometheus").out
    assert "openphone_sync_coverage_numbers 5.0" in text
    assert "openphone_sync_coverage_named 2.0" in text
    sent = len(office.requests())
    assert report["requests"]["total"] == sent  # those for the coverage are counted
    office.sync()
    assert not [path for _, path in office.requests() if path.startswith("/v1/conversations")]
    assert [one["named"] for one in measure(office)["trend"]] == [2]
    assert office.run("metrics", "--json").json["coverage"][0]["numbers"] == 5


def test_a_workspace_that_refuses_conversations_fails_no_run(office: Office, known: dict[str, str]) -> None:
    del known
    office.sandbox.faults.add(Fault(FaultKind.STATUS, status=403, method="GET", path="/v1/conversations", count=None))
    report = office.sync("--mode", "full")
    assert report["status"] == "succeeded"
    assert [text for text in report["warnings"] if text.startswith("coverage was not measured")]
    assert office.run("status", "--json").json["coverage"] is None
    assert measure(office, code=3)["exitCode"] == 3


def test_the_stored_conversations_are_measured_too(office: Office, known: dict[str, str]) -> None:
    del known
    assert measure(office, "--source", "table", code=2)["exitCode"] == 2
    office.sql(CONVERSATIONS_DDL)
    now, old = "now() at time zone 'utc'", "now() at time zone 'utc' - interval '40 days'"
    office.sql(
        "INSERT INTO openphone_conversations (phone_number, created_at, updated_at) VALUES "
        f"('(213) 555-0199', {now}, {now}), ('{STRANGER}', {old}, {now}), ('{OLD}', {old}, {old}), "
        f"('Unknown', {now}, {now}), (NULL, {now}, {now}), ('{JAMES}', {now}, {now})"
    )
    office.sync()
    office.requests()
    document = measure(office, "--source", "table")
    assert (document["numbers"], document["named"]) == (2, 1)
    assert [(one["number"], one["activity"]) for one in document["unnamed"]] == [(STRANGER, 2)]
    assert not [path for _, path in office.requests() if path.startswith("/v1/conversations")]


def test_the_table_says_what_to_do(office: Office, known: dict[str, str]) -> None:
    del known
    everyone_rings(office)
    ran = office.run("coverage")
    assert ran.code == 0
    assert "of 5 numbers that called or texted in the last 30 days show a name" in ran.out
    assert "add the person to the client table" in ran.out
    assert office.run("coverage", "--quiet").out == ""
