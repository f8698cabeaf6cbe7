"""A state machine over the whole sync: offices and staff edit at random, and nothing that a person typed is ever lost.

The command line, a real Postgres and the sandbox over a socket; only the order of events is drawn.
"""

from __future__ import annotations

import shutil
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.office import Office, emails, phones

NAMES = ["James Smith", "Ann Lee", "Maria de la Cruz", "Bo Ray"]
OFFICE_PHONES = [None, "N/A", "213-555-0101", "213-555-0102", "(213) 555-0103, 213-555-0104"]
STAFF_PHONES = ["+13105550111", "+13105550112", "+13105550113"]
COUNTIES = [None, "Los Angeles County", "Kern County"]

pick = st.integers(0, 10_000)


class Machine(RuleBasedStateMachine):
    """``typed`` holds what staff put on each contact: phones, e-mails, last name and note."""

    office: Office

    def __init__(self) -> None:
        super().__init__()
        office = self.office
        shutil.rmtree(office.state_dir, ignore_errors=True)
        office.sql("TRUNCATE clients CASCADE")
        for contact in office.contacts():
            office.sandbox.workspace.remove(contact["id"])
        self.typed: dict[str, dict[str, Any]] = {}
        self.ids: list[str] = []
        self.synced = False

    # --- the office --------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(NAMES), phone=st.sampled_from(OFFICE_PHONES))
    def add_client(self, name: str, phone: str | None) -> None:
        if len(self.ids) < 3:
            self.ids.append(self.office.add_client({"client_name": name, "phone": phone, "client_type": "criminal"}))
            self.synced = False

    @precondition(lambda self: self.ids)
    @rule(
        number=pick, phone=st.sampled_from(OFFICE_PHONES), county=st.sampled_from(COUNTIES), name=st.sampled_from(NAMES)
    )
    def change_client(self, number: int, phone: str | None, county: str | None, name: str) -> None:
        client_id = self.ids[number % len(self.ids)]
        self.office.change_client(client_id, phone=phone, county=county, client_name=name)
        self.synced = False

    @precondition(lambda self: self.ids)
    @rule(number=pick, name=st.sampled_from([None, *NAMES]), phone=st.sampled_from(OFFICE_PHONES), swap=st.booleans())
    def change_alternates(self, number: int, name: str | None, phone: str | None, swap: bool) -> None:
        client_id = self.ids[number % len(self.ids)]
        if swap:
            self.office.sql(
                "UPDATE clients SET contact_1 = contact_2, contact_1_phone = contact_2_phone, relationship_1 = relationship_2,"
                " contact_2 = contact_1, contact_2_phone = contact_1_phone, relationship_2 = relationship_1 WHERE id::text = %s",
                client_id,
            )
        else:
            slot = 1 + number % 2
            self.office.change_client(
                client_id,
                **{f"contact_{slot}": name, f"contact_{slot}_phone": phone, f"relationship_{slot}": "Brother"},
            )
        self.synced = False

    @precondition(lambda self: len(self.ids) > 1)
    @rule()
    def remove_client(self) -> None:
        self.office.sql("DELETE FROM clients WHERE id::text = %s", self.ids.pop())
        self.synced = False

    # --- staff -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.office.contacts())
    @rule(
        number=pick, phone=st.sampled_from(STAFF_PHONES), label=st.sampled_from(["Wife", "Main Phone", "Brother Phone"])
    )
    def type_phone(self, number: int, phone: str, label: str) -> None:
        self._edit(number, {"defaultFields": {"phoneNumbers": [{"name": label, "value": phone}]}}, "phones", phone)

    @precondition(lambda self: self.office.contacts())
    @rule(number=pick, last_name=st.sampled_from(["Smith", "Jr."]))
    def type_last_name(self, number: int, last_name: str) -> None:
        self._edit(number, {"defaultFields": {"lastName": last_name}}, "last", last_name)

    @precondition(lambda self: self.office.contacts())
    @rule(number=pick, address=st.sampled_from(["a@example.org", "b@example.org"]))
    def type_email(self, number: int, address: str) -> None:
        self._edit(number, {"defaultFields": {"emails": [{"name": "Home", "value": address}]}}, "emails", address)

    @precondition(lambda self: self.office.contacts())
    @rule(number=pick, note=st.sampled_from(["calls late", "speaks Spanish"]))
    def type_note(self, number: int, note: str) -> None:
        key = self.office.sandbox.workspace.field_key("Notes")
        self._edit(number, {"customFields": [{"key": key, "value": note}]}, "note", note)

    @precondition(lambda self: self.office.contacts())
    @rule(number=pick, field=st.sampled_from(["firstName", "company", "role"]))
    def retype_what_is_ours(self, number: int, field: str) -> None:
        contacts = self.office.contacts()
        contact = contacts[number % len(contacts)]
        self.office.sandbox.workspace.edit(contact["id"], {"defaultFields": {field: "as staff want it"}})

    @precondition(lambda self: self.office.contacts())
    @rule(number=pick)
    def relabel_a_phone(self, number: int) -> None:
        contacts = self.office.contacts()
        contact = contacts[number % len(contacts)]
        items = [{**item, "name": "Mobile"} for item in contact["defaultFields"]["phoneNumbers"][:1]]
        self.office.sandbox.workspace.edit(contact["id"], {"defaultFields": {"phoneNumbers": items}})

    @precondition(lambda self: self.office.contacts())
    @rule(number=pick)
    def delete_contact(self, number: int) -> None:
        contacts = self.office.contacts()
        contact = contacts[number % len(contacts)]
        self.office.sandbox.workspace.remove(contact["id"])
        self.typed.pop(contact["id"], None)

    @rule(phone=st.sampled_from(["+12135550101", "+12135550102"]), name=st.sampled_from([*NAMES, "James", ""]))
    def make_contact(self, phone: str, name: str) -> None:
        if len(self.office.contacts()) < 8:
            made = self.office.sandbox.workspace.add(
                {"defaultFields": {"firstName": name, "phoneNumbers": [{"name": "Cell", "value": phone}]}}
            )
            self.typed[made["id"]] = {"phones": {phone}}

    def _edit(self, number: int, changes: dict[str, Any], kind: str, value: str) -> None:
        contacts = self.office.contacts()
        contact = contacts[number % len(contacts)]
        self.office.sandbox.workspace.edit(contact["id"], changes)
        typed = self.typed.setdefault(contact["id"], {})
        if kind in {"phones", "emails"}:
            typed.setdefault(kind, set()).add(value)
        else:
            typed[kind] = value

    # --- the tool ----------------------------------------------------------------------------------------------------

    @rule(full=st.booleans())
    def sync(self, full: bool) -> None:
        report = self.office.sync(*(["--mode", "full"] if full else []))
        assert report["contacts"]["failed"] == 0
        self.synced = True

    @precondition(lambda self: self.synced)
    @rule()
    def a_second_full_run_writes_nothing(self) -> None:
        self.office.sync("--mode", "full")
        self.office.requests()
        self.office.sync("--mode", "full")
        assert self.office.requests("POST", "PATCH", "DELETE") == []

    @invariant()
    def nothing_that_staff_typed_is_lost(self) -> None:
        contacts = {contact["id"]: contact for contact in self.office.contacts()}
        for contact_id, typed in self.typed.items():
            contact = contacts[contact_id]
            assert typed.get("phones", set()) <= set(phones(contact))
            assert typed.get("emails", set()) <= set(emails(contact))
            assert typed.get("last") in (None, contact["defaultFields"]["lastName"])
            assert typed.get("note") in (None, self.office.custom(contact).get("Notes"))

    @invariant()
    def no_external_id_stands_twice(self) -> None:
        external_ids = [contact["externalId"] for contact in self.office.contacts() if contact["externalId"]]
        assert len(external_ids) == len(set(external_ids))


def test_edits_on_both_sides_lose_nothing_and_converge(office: Office) -> None:
    office.make_clients()
    machine = type("OfficeMachine", (Machine,), {"office": office})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
