"""A first run into a workspace that staff, integrations and the predecessor have filled.

``OPENPHONE_SYNC_SCALE`` multiplies the size: 20 makes it 5,000 clients and some 20,000 contacts.
"""

from __future__ import annotations

import copy
import os
import random
from typing import Any

from openphone_sync.rules.phones import parse_phones
from openphone_sync.sandbox import sample_clients, sample_contacts
from openphone_sync.sandbox.samples import load_samples
from tests.office import Office, emails, phones

SCALE = int(os.environ.get("OPENPHONE_SYNC_SCALE", "1"))
CLIENTS = 250 * SCALE
OTHERS = 850 * SCALE
OURS = "legal-practitioner-app"


def fill(office: Office) -> dict[str, Any]:
    """Contacts of others, the predecessor's for two of five clients, staff's own for one of five; all by id."""
    dice = random.Random(7)
    workspace = office.sandbox.workspace
    notes = workspace.field_key("Notes")
    for body in sample_contacts(OTHERS, seed=99):
        workspace.add({key: value for key, value in body.items() if key != "source"}, source=body["source"])
    for row in sample_clients(CLIENTS):
        numbers = [phone.e164 for phone in parse_phones(row["phone"], "US").phones]
        draw = dice.random()
        if not numbers or draw > 0.6:
            continue
        items = [
            {"name": "Main Phone", "value": numbers[0]},
            {"name": "Office", "value": f"+1415555{dice.randrange(10_000):04}"},
        ]
        defaults = {
            "firstName": row["client_name"].strip(),
            "phoneNumbers": items,
            "emails": [{"name": "Home", "value": "x@example.org"}],
        }
        body = {"defaultFields": defaults, "customFields": [{"key": notes, "value": "typed by staff"}]}
        if draw < 0.4:
            workspace.add({**body, "externalId": f"client_{row['id']}"}, source=OURS)
        else:
            workspace.add(body)
    return {contact["id"]: copy.deepcopy(contact) for contact in office.contacts()}


def test_no_duplicate_no_stranger_written_to_and_every_edit_there(office: Office) -> None:
    load_samples(office.dsn, CLIENTS)
    before = fill(office)
    office.requests()
    report = office.sync()
    patched = {path.rsplit("/", 1)[-1] for method, path in office.requests() if method == "PATCH"}
    after = {contact["id"]: contact for contact in office.contacts()}
    assert report["contacts"]["adopted"] > CLIENTS * 0.4
    assert_once(after)
    for contact_id, was in before.items():
        now = after[contact_id]
        if contact_id not in patched:
            assert now == was
            continue
        assert (was["source"] or "")[:10] != "openphone-"
        assert set(phones(was)) <= set(phones(now))
        assert set(emails(was)) <= set(emails(now))
        assert office.custom(was).get("Notes") == office.custom(now).get("Notes")
    writes = office.run("runs", "show", "latest", "--json").json["writes"]
    assert {one["contactId"] for one in writes if one["changes"]} >= patched
    assert len([one for one in writes if one["action"] == "create"]) == report["contacts"]["created"]
    office.sync()
    office.sync("--mode", "full")
    assert office.requests("POST", "PATCH", "DELETE") == []


def assert_once(contacts: dict[str, Any]) -> None:
    """Every external id of ours once."""
    ours = [
        contact["externalId"] for contact in contacts.values() if (contact["externalId"] or "").startswith("client_")
    ]
    assert len(ours) == len(set(ours))
