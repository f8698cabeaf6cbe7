"""`links`: which contact belongs to whom."""

from __future__ import annotations

import csv
import io

from tests.office import JAMES, Office


def test_links_name_person_contact_and_status(office: Office) -> None:
    assert office.run("links").out == "no contact is known yet; openphone-sync sync\n"
    [client_id] = office.make_clients(JAMES)
    nameless = office.add_client({"client_name": "Ann Lee", "phone": "in jail"})
    office.sync()
    links = {link["externalId"]: link for link in office.run("links", "--json").json["links"]}
    james = links[f"client_{client_id}"]
    contact_id = office.contact(f"client_{client_id}")["id"]
    assert (james["name"], james["slot"], james["contactId"], james["status"]) == (
        "James Smith",
        0,
        contact_id,
        "linked",
    )
    assert james["address"] == f"https://my.quo.com/contacts/{contact_id}"
    assert james["lastWritten"]
    assert links[f"client_{client_id}_alt_1"]["slot"] == 1
    ann = links[f"client_{nameless}"]
    assert (ann["status"], ann["contactId"], ann["lastWritten"]) == ("skipped", None, None)
    rows = list(csv.DictReader(io.StringIO(office.run("links", "--format", "csv").out)))
    assert [row["externalId"] for row in rows] == list(links)
    assert f"James Smith\tlinked\t{james['lastWritten']}" in office.run("links").out
