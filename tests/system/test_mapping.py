"""Mappings of other offices, from the table to OpenPhone; the commands that show and check a mapping."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openphone_sync.config.mapping_file import BUILT_IN
from openphone_sync.sandbox import CustomField
from tests.office import JAMES, Office, emails, phones

EXAMPLES = Path(__file__).parents[2] / "docs" / "mapping"
OFFICE_FIELDS = (
    CustomField("Date of Birth", "date"),
    CustomField("Matter"),
    CustomField("Consulate"),
    CustomField("Currently Incarcerated", "boolean"),
    CustomField("Client Name"),
    CustomField("Contact Person Name"),
)
PRACTICE_FIELDS = (
    CustomField("Birthday", "date"),
    CustomField("Insurance"),
    CustomField("Interpreter"),
    CustomField("Patient"),
)


def show(contact: Any) -> tuple[Any, ...]:
    defaults = contact["defaultFields"]
    return defaults["firstName"], defaults["company"], defaults["role"], contact["sourceUrl"]


@pytest.mark.parametrize("sandbox", [{"custom_fields": OFFICE_FIELDS}], indirect=True)
def test_the_law_office_of_the_example(office: Office) -> None:
    mapping = str(EXAMPLES / "law-office.toml")
    [client] = office.make_clients(JAMES)
    office.sql("ALTER TABLE clients DROP CONSTRAINT IF EXISTS clients_client_type_check")
    office.sql("ALTER TABLE clients ADD COLUMN mobile text, ADD COLUMN case_number text, ADD COLUMN consulate text")
    row = {"client_type": "Immigration", "mobile": "213-555-0177", "case_number": "A 12", "consulate": "Tijuana"}
    office.change_client(client, **row, currently_incarcerated=True)
    assert office.sync(OPENPHONE_MAPPING=mapping)["contacts"]["created"] == 2
    contact, brother = office.contact(f"client_{client}"), office.contact(f"client_{client}_alt_1")
    assert show(contact) == (
        "James Smith",
        "Legal Client",
        "Immigration Client",
        f"https://cases.example/clients/{client}",
    )
    assert phones(contact) == {"+12135550177": "Mobile", "+12135550134": "Main Phone"}
    assert office.custom(contact) == {
        "Date of Birth": "1985-06-15T12:00:00.000Z",
        "Matter": "A 12",
        "Consulate": "Tijuana",
        "Currently Incarcerated": True,
    }
    assert show(brother)[:3] == ("James Smith - Brother", "Legal Client Contact", "Alternative Contact (Brother)")
    assert office.custom(brother) == {"Client Name": "James Smith", "Contact Person Name": "Bob Smith"}
    office.requests()
    office.sync(OPENPHONE_MAPPING=mapping)
    assert office.requests() == []
    office.change_client(client, client_type="civil")
    assert office.sync(OPENPHONE_MAPPING=mapping)["contacts"]["updated"] == 1
    contact = office.contact(f"client_{client}")
    assert contact["defaultFields"]["role"] == "Civil Client"
    assert set(office.custom(contact)) == {"Date of Birth", "Matter"}


@pytest.mark.parametrize("sandbox", [{"custom_fields": PRACTICE_FIELDS}], indirect=True)
def test_the_medical_practice_of_the_example(office: Office) -> None:
    office.sql("CREATE TABLE doctors (id int PRIMARY KEY, name text)")
    office.sql(
        "CREATE TABLE patients (id int PRIMARY KEY, first_name text, last_name text, date_of_birth date, mobile text,"
        " home_phone text, email text, insurance text, needs_interpreter boolean, doctor_id int, is_active boolean,"
        " created_at timestamptz DEFAULT now())"
    )
    office.sql("CREATE TABLE guardians (id serial, patient_id int, name text, relation text, phone text, email text)")
    office.sql("INSERT INTO doctors VALUES (1, 'Dr. Okafor')")
    office.sql(
        "INSERT INTO patients VALUES"
        " (1, 'Mia', 'Lee', '2016-02-29', NULL, NULL, NULL, 'none', true, 1, true),"
        " (2, 'Tom', 'Ray', '1980-01-31', '213-555-0134', '213-555-0135', 'tom@example.org', 'Aetna', false, NULL, true),"
        " (3, 'Old', 'Row', '1950-01-01', '213-555-0139', NULL, NULL, NULL, NULL, NULL, false)"
    )
    office.sql(
        "INSERT INTO guardians (patient_id, name, relation, phone, email) VALUES"
        " (1, 'Ann Lee', 'M', '213-555-0136', 'ann@example.org'), (1, 'Bo Lee', NULL, '213-555-0137', NULL)"
    )
    settings = {
        "OPENPHONE_MAPPING": str(EXAMPLES / "medical-practice.toml"),
        "OPENPHONE_CLIENT_QUERY": f"@{EXAMPLES / 'medical-practice.sql'}",
    }
    report = office.sync(**settings)
    assert (report["contacts"]["created"], report["contacts"]["skipped"]) == (3, 1), "Mia has no phone of her own"
    tom = office.contact("client_2")
    assert show(tom) == ("Tom Ray", "Patient", "Patient", "https://practice.example/patients/2")
    assert phones(tom) == {"+12135550134": "Mobile", "+12135550135": "Home"}
    assert emails(tom) == {"tom@example.org": "Email"}
    assert office.custom(tom) == {"Birthday": "1980-01-31T12:00:00.000Z", "Insurance": "Aetna"}
    ann, bo = office.contact("client_1_alt_1"), office.contact("client_1_alt_2")
    assert show(ann) == ("Ann Lee (Mother of Mia)", "Guardian", "Mother of Mia Lee", None)
    assert (phones(ann), emails(ann)) == ({"+12135550136": "Mother"}, {"ann@example.org": "Mother"})
    assert show(bo)[0] == "Bo Lee (Guardian of Mia)"
    assert office.custom(bo) == {"Patient": "Mia Lee"}
    office.requests()
    office.sync(**settings)
    assert office.requests() == []
    office.sql("UPDATE guardians SET relation = 'f' WHERE name = 'Bo Lee'")
    assert office.sync(**settings)["contacts"]["updated"] == 1
    assert show(office.contact("client_1_alt_2"))[0] == "Bo Lee (Father of Mia)"
    for command in (["test-connection", "--json"], ["explain", "1", "--json"], ["dry-run", "--json"]):
        ran = office.run(*command, **settings)
        assert ran.code == 0, ran.err + ran.out


def test_a_changed_mapping_is_a_change_like_any_other(office: Office) -> None:
    office.make_clients(*({"client_name": f"Ann Lee{n:02}", "phone": f"213-555-01{n:02}"} for n in range(30)))
    office.sync()
    path = office.folder / "mapping.toml"
    path.write_text(BUILT_IN.read_text(encoding="utf-8"), encoding="utf-8")
    office.requests()
    assert office.sync(OPENPHONE_MAPPING=str(path))["clients"]["changed"] == 0
    assert office.requests() == [], "a copy of the built-in mapping changes nothing"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"Legal Client"', '"Client of Lee & Lee"'), encoding="utf-8"
    )
    ran = office.run("sync", OPENPHONE_MAPPING=str(path))
    assert ran.code == 4, ran.err
    shown = office.run("dry-run", "--json", "--force", OPENPHONE_MAPPING=str(path)).json
    assert {change["field"] for action in shown["actions"] for change in action["changes"]} == {"company"}
    assert office.sync("--force", OPENPHONE_MAPPING=str(path))["contacts"]["updated"] == 30


def test_the_mapping_in_force_is_shown_and_can_be_copied(office: Office) -> None:
    shown = office.run("mapping", "show").out
    assert shown == BUILT_IN.read_text(encoding="utf-8")
    path = office.folder / "mapping.toml"
    path.write_text(shown.replace("Legal Client", "Client"), encoding="utf-8")
    assert "Legal" not in office.run("mapping", "show", OPENPHONE_MAPPING=str(path)).out
    document = office.run("mapping", "show", "--json", OPENPHONE_MAPPING=str(path)).json
    assert (document["file"], document["mapping"]["client"]["company"]) == (str(path), "Client")


def test_a_mapping_file_is_checked_before_it_is_used(office: Office) -> None:
    office.make_clients(JAMES)
    path = office.folder / "mapping.toml"
    path.write_text('[source]\nid = "id"\n[client]\nname = "{client_nam}"\nrol = "x"\n', encoding="utf-8")
    ran = office.run("mapping", "check", str(path))
    assert ran.code == 2
    assert "mapping.toml: line 5: client.rol is not a known key; write role, if that is meant" in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    document = office.run("mapping", "check", str(path), "--json").json
    assert document["faults"] == [{"line": 5, "fault": "client.rol is not a known key; write role, if that is meant"}]
    for command in ("sync", "status", "test-connection"):
        ran = office.run(command, OPENPHONE_MAPPING=str(path))
        assert ran.code == 2
        assert "OPENPHONE_MAPPING" in ran.err + ran.out
        assert "line 5" in ran.err + ran.out
    path.write_text(path.read_text(encoding="utf-8").replace("rol =", "role ="), encoding="utf-8")
    assert office.run("mapping", "check", str(path)).code == 0
    ran = office.run("mapping", "check", str(path), "--database")
    assert ran.code == 2
    assert "public.clients lacks the column client_nam (perhaps it is client_name)" in ran.err
    assert office.run("sync", OPENPHONE_MAPPING=str(path)).err == ran.err
    path.write_text(path.read_text(encoding="utf-8").replace("nam}", "name}"), encoding="utf-8")
    ran = office.run("mapping", "check", str(path), "--database", "--json")
    assert (ran.code, json.loads(ran.out)["ok"], json.loads(ran.out)["missingColumns"]) == (0, True, [])
