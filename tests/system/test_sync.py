"""The main job through the command line, on a real Postgres and the sandbox over a socket."""

from __future__ import annotations

import json
import shutil
import uuid
from typing import Any

import pytest

from openphone_sync.sandbox import make_variants
from openphone_sync.sandbox.samples import load_samples
from tests.fault_injection import parse_fault
from tests.office import JAMES, JAMES_ALONE, Office, emails, make_many, phones, wait_until


def by_key(*fields: dict[str, Any]) -> list[dict[str, Any]]:
    """Custom fields in the order of their keys."""
    return sorted(fields, key=lambda one: str(one["key"]))


def strip_ids(contact: dict[str, Any]) -> dict[str, Any]:
    """The contact without what the API makes: ids, names and types of fields, times."""
    defaults = dict(contact["defaultFields"])
    defaults = {key: value for key, value in defaults.items() if value not in (None, [])}
    defaults["phoneNumbers"] = [{"name": one["name"], "value": one["value"]} for one in defaults["phoneNumbers"]]
    fields = [{"key": one["key"], "value": one["value"]} for one in contact["customFields"]]
    return {
        "defaultFields": defaults,
        "customFields": by_key(*fields),
        "externalId": contact["externalId"],
        "source": contact["source"],
    }


def test_james_and_his_brother_come_out_to_the_letter(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    key = office.sandbox.workspace.field_key
    intake = office.sql("SELECT date_intake FROM clients")[0][0]
    assert strip_ids(office.contact(f"client_{client_id}")) == {
        "defaultFields": {
            "firstName": "James Smith",
            "phoneNumbers": [{"name": "Main Phone", "value": "+12135550134"}],
            "company": "Legal Client",
            "role": "Criminal Client",
        },
        "customFields": by_key(
            {"key": key("Client Type"), "value": "criminal"},
            {"key": key("Date of Birth"), "value": "1985-06-15T12:00:00.000Z"},
            {"key": key("County"), "value": "Los Angeles County"},
            {"key": key("Intake Date"), "value": f"{intake}T12:00:00.000Z"},
        ),
        "externalId": f"client_{client_id}",
        "source": "legal-practitioner-app",
    }
    assert strip_ids(office.contact(f"client_{client_id}_alt_1")) == {
        "defaultFields": {
            "firstName": "James Smith - Brother",
            "phoneNumbers": [{"name": "Brother Phone", "value": "+13105550188"}],
            "company": "Legal Client Contact",
            "role": "Alternative Contact (Brother)",
        },
        "customFields": by_key(
            {"key": key("Primary Client Name"), "value": "James Smith"},
            {"key": key("Relationship"), "value": "Brother"},
            {"key": key("Contact Person Name"), "value": "Bob Smith"},
            {"key": key("Alt Contact Number"), "value": 1},
        ),
        "externalId": f"client_{client_id}_alt_1",
        "source": "legal-practitioner-app",
    }


def test_second_run_sends_no_request_and_a_full_one_only_reads(office: Office) -> None:
    load_samples(office.dsn, 60)
    first = office.sync()
    assert first["contacts"]["created"] > 100
    assert first["contacts"]["failed"] == 0
    office.requests()
    second = office.sync()
    assert office.requests() == []
    assert second["clients"] == {"read": 60, "changed": 0, "unchanged": 60, "removed": 0}
    assert second["contacts"]["unchanged"] == first["contacts"]["created"]
    assert second["contacts"]["skipped"] == first["contacts"]["skipped"]
    office.sync("--mode", "full")
    assert {method for method, _ in office.requests()} == {"GET"}


def test_counts_always_add_up(office: Office) -> None:
    load_samples(office.dsn, 60)
    wanted = None
    for arguments in ([], [], ["--mode", "full"]):
        counts = office.sync(*arguments)["contacts"]
        total = sum(
            counts[name] for name in ("created", "updated", "adopted", "unchanged", "skipped", "held", "failed")
        )
        assert wanted in (None, total)
        wanted = total


def test_what_staff_typed_survives_a_change_of_the_row(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    workspace = office.sandbox.workspace
    workspace.edit(
        office.contact(f"client_{client_id}")["id"],
        {
            "defaultFields": {
                "lastName": "Smith Jr.",
                "phoneNumbers": [{"name": "Wife", "value": "+13105550111"}],
                "emails": [{"name": "Private", "value": "james@example.org"}],
            },
            "customFields": [{"key": workspace.field_key("Notes"), "value": "prefers texts"}],
        },
    )
    office.change_client(client_id, county="Orange County", phone="213-555-0177")
    report = office.sync()
    assert report["contacts"]["updated"] == 1
    contact = office.contact(f"client_{client_id}")
    assert contact["defaultFields"]["lastName"] == "Smith Jr."
    assert phones(contact) == {"+12135550177": "Main Phone", "+13105550111": "Wife"}
    assert emails(contact) == {"james@example.org": "Private"}
    assert office.custom(contact)["Notes"] == "prefers texts"
    assert office.custom(contact)["County"] == "Orange County"
    office.requests()
    office.sync("--mode", "full")
    assert office.requests("POST", "PATCH", "DELETE") == []


def test_an_update_reads_and_writes_only_the_contact_that_changed(office: Office) -> None:
    load_samples(office.dsn, 20)
    office.sync()
    office.requests()
    [[client_id]] = office.sql(
        "UPDATE clients SET county = 'Kern County' WHERE client_name = 'James Smith' RETURNING id::text"
    )
    contact_id = office.contact(f"client_{client_id}")["id"]
    office.requests()
    office.sync()
    assert office.requests() == [
        ("GET", "/v1/contact-custom-fields"),
        ("GET", f"/v1/contacts/{contact_id}"),
        ("PATCH", f"/v1/contacts/{contact_id}"),
    ]


def test_contacts_of_the_predecessor_are_adopted_without_duplicate_or_loss(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sandbox.workspace.add(
        {
            "externalId": f"client_{client_id}",
            "defaultFields": {
                "firstName": "James Smith",
                "company": "Legal Client",
                "role": "Civil Client",
                "phoneNumbers": [
                    {"name": "Main Phone", "value": "+12135550134"},
                    {"name": "Work", "value": "+13105550100"},
                ],
            },
            "customFields": [{"key": office.sandbox.workspace.field_key("Notes"), "value": "from before"}],
        },
        source="legal-practitioner-app",
    )
    report = office.sync()
    assert report["contacts"]["adopted"] == 1
    assert report["contacts"]["created"] == 1
    assert [(one["field"], one["kept"]) for one in report["conflicts"]] == [("role", "source")]
    contact = office.contact(f"client_{client_id}")
    assert contact["defaultFields"]["role"] == "Criminal Client"
    assert phones(contact) == {"+12135550134": "Main Phone", "+13105550100": "Work"}
    assert office.custom(contact)["Notes"] == "from before"
    assert len(office.contacts()) == 2


def test_a_persons_contact_with_our_phone_is_joined_and_only_filled(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    made = office.sandbox.workspace.add(
        {
            "defaultFields": {
                "firstName": "James",
                "company": "Acme",
                "phoneNumbers": [{"name": "Cell", "value": "+12135550134"}],
            }
        }
    )
    report = office.sync()
    assert report["contacts"]["adopted"] == 1
    contact = office.contact(f"client_{client_id}")
    assert contact["id"] == made["id"]
    assert contact["source"] is None
    assert contact["defaultFields"]["firstName"] == "James"
    assert contact["defaultFields"]["company"] == "Acme"
    assert contact["defaultFields"]["role"] == "Criminal Client"
    assert phones(contact) == {"+12135550134": "Cell"}
    office.requests()
    office.sync("--mode", "full")
    assert office.requests("POST", "PATCH", "DELETE") == []


def make_adopted(office: Office, **settings: str) -> str:
    """A client and the contact that staff had made for him, adopted; returns the client's id."""
    [client_id] = office.make_clients({**JAMES, "email": "j@example.org"})
    typed = {
        "firstName": "James",
        "company": "Acme",
        "phoneNumbers": [{"name": "Cell", "value": "+12135550134"}],
        "emails": [{"name": "Home", "value": "j@example.org"}],
    }
    fields = [{"key": office.sandbox.workspace.field_key("County"), "value": JAMES["county"]}]
    office.sandbox.workspace.add({"defaultFields": typed, "customFields": fields})
    assert office.sync(**settings)["contacts"]["adopted"] == 1
    return client_id


def test_what_staff_had_typed_before_the_adoption_outlives_the_row(office: Office) -> None:
    client_id = make_adopted(office)
    office.change_client(client_id, phone="213-555-0177", email=None, county=None)
    report = office.sync()
    contact = office.contact(f"client_{client_id}")
    assert phones(contact) == {"+12135550134": "Cell", "+12135550177": "Main Phone"}
    assert emails(contact) == {"j@example.org": "Home"}
    assert office.custom(contact)["County"] == JAMES["county"]
    assert report["conflicts"] == []


def test_overwriting_edits_never_rewrites_what_staff_had_made(office: Office) -> None:
    policy = {"OPENPHONE_ON_REMOTE_EDIT": "overwrite"}
    client_id = make_adopted(office, **policy)
    office.requests()
    office.sync("--mode", "full", **policy)
    assert office.requests("POST", "PATCH", "DELETE") == []
    assert office.contact(f"client_{client_id}")["defaultFields"]["company"] == "Acme"


PATCH_STYLES = [{"variants": make_variants({"patch_style": style})} for style in ("replace", "replace-arrays", "merge")]


@pytest.mark.parametrize("sandbox", PATCH_STYLES, indirect=True)
def test_a_removed_item_and_a_cleared_field_go_whatever_patch_means(office: Office) -> None:
    [client_id] = office.make_clients({**JAMES, "phone": "213-555-0134, 213-555-0177"})
    office.sync()
    office.change_client(client_id, phone="213-555-0177", county=None)
    office.sync()
    contact = office.contact(f"client_{client_id}")
    assert phones(contact) == {"+12135550177": "Main Phone"}
    assert "County" not in office.custom(contact)


def test_ids_may_be_integers_or_text_and_columns_may_be_absent(office: Office) -> None:
    office.sql("CREATE TABLE clients (id bigint PRIMARY KEY, client_name text, phone text)")
    office.sql("INSERT INTO clients VALUES (7, 'Ann Lee', '213-555-0134'), (12, 'Bo Ray', '213-555-0135')")
    assert office.sync()["contacts"]["created"] == 2
    assert office.contact("client_7")["defaultFields"]["role"] == "Civil Client"
    office.sql("DROP TABLE clients")
    office.sql('CREATE TABLE "Client" (id text PRIMARY KEY, client_name text, phone text, "updatedAt" timestamp)')
    office.sql("""INSERT INTO "Client" VALUES ('cuid-é', 'Ann Lee', '213-555-0134', now())""")
    report = office.sync("--state-dir", str(office.folder / "other"))
    assert report["contacts"]["adopted"] + report["contacts"]["held"] == 1


def test_a_query_takes_the_place_of_the_table(office: Office) -> None:
    office.sql('CREATE TABLE people (n int, name text, tel text, "Notes" text)')
    office.sql("INSERT INTO people VALUES (1, '100%% Ann Lee', '213-555-0134', 'likes tea')")
    query = "SELECT n AS id, name AS client_name, tel AS phone, \"Notes\" AS notes FROM people WHERE name LIKE '100%'; -- all"
    report = office.sync(OPENPHONE_CLIENT_QUERY=query)
    assert report["contacts"]["created"] == 1
    contact = office.contact("client_1")
    assert contact["defaultFields"]["firstName"] == "100% Ann Lee"
    assert office.custom(contact)["Notes"] == "likes tea"


def test_a_percent_sign_in_a_name_is_one(office: Office) -> None:
    office.sql('CREATE TABLE "50%%s" (id int, client_name text, phone text, client_type text)')
    office.sql("""INSERT INTO "50%%s" VALUES (1, 'Ann Lee', '213-555-0134', 'civil')""")
    for settings in (
        {"OPENPHONE_CLIENT_TABLE": '"50%s"'},
        {"OPENPHONE_CLIENT_QUERY": 'SELECT *, 1 AS "50%s share", 2 AS "%" FROM "50%s"'},
    ):
        for command in (["dry-run", "--client-type", "civil", "--limit", "1"], ["test-connection"], ["explain", "1"]):
            ran = office.run(*command, **settings)
            assert ran.code == 0, ran.err + ran.out


def test_half_an_emoji_in_one_contact_disturbs_no_other(office: Office) -> None:
    ids = office.make_clients(JAMES_ALONE, {"client_name": "Ann Lee", "phone": "213-555-0155"})
    phone = {"name": "Cell", "value": "+12135550134"}
    half = {"firstName": "James Smith", "role": "Boss \ud83d", "phoneNumbers": [phone]}
    made = office.sandbox.workspace.add({"defaultFields": half})
    contacts = office.sync()["contacts"]
    assert (contacts["adopted"], contacts["created"]) == (1, 1)
    assert office.contact(f"client_{ids[0]}")["id"] == made["id"]
    office.requests()
    assert office.sync("--mode", "full")["contacts"]["unchanged"] == 2
    assert office.requests("POST", "PATCH", "DELETE") == []


def test_extra_columns_go_to_fields_of_the_same_name_only_where_allowed(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sql("ALTER TABLE clients ADD COLUMN notes text, ADD COLUMN tags text[]")
    office.change_client(client_id, notes="private", tags=["VIP"])
    office.sync()
    assert "Notes" not in office.custom(office.contact(f"client_{client_id}"))
    office.sync(OPENPHONE_EXTRA_COLUMNS="tags")
    custom = office.custom(office.contact(f"client_{client_id}"))
    assert custom["Tags"] == ["VIP"]
    assert "Notes" not in custom
    assert office.sync()["contacts"]["updated"] == 0, "taken out of the setting again, it stays in the table"
    assert office.custom(office.contact(f"client_{client_id}"))["Tags"] == ["VIP"]


def test_true_that_turns_false_clears_its_field(office: Office) -> None:
    [client_id] = office.make_clients({**JAMES, "arrested": True})
    office.sync()
    assert office.custom(office.contact(f"client_{client_id}"))["Arrested"] is True
    office.change_client(client_id, arrested=False)
    office.sync()
    assert "Arrested" not in office.custom(office.contact(f"client_{client_id}"))


def test_a_client_that_turns_civil_loses_the_fields_of_criminal_cases(office: Office) -> None:
    [client_id] = office.make_clients({**JAMES, "arrested": True, "case_type": "Contract"})
    office.sync()
    office.change_client(client_id, client_type="civil")
    office.sync()
    contact = office.contact(f"client_{client_id}")
    assert contact["defaultFields"]["role"] == "Civil Client"
    assert office.custom(contact)["Case Type"] == "Contract"
    assert "Arrested" not in office.custom(contact)


def test_a_client_renamed_takes_its_alternates_along(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    office.change_client(client_id, client_name="James Smythe")
    assert office.sync()["contacts"]["updated"] == 2
    assert office.contact(f"client_{client_id}")["defaultFields"]["firstName"] == "James Smythe"
    assert office.contact(f"client_{client_id}_alt_1")["defaultFields"]["firstName"] == "James Smythe - Brother"


def test_the_last_phone_stays_when_the_source_loses_it(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    for phone in (None, "N/A"):
        office.change_client(client_id, phone=phone, county=f"County {phone}")
        report = office.sync()
        contact = office.contact(f"client_{client_id}")
        assert phones(contact) == {"+12135550134": "Main Phone"}
        assert office.custom(contact)["County"] == f"County {phone}"
        assert any("numbers stay" in warning for warning in report["warnings"]), (phone, report["warnings"])
    office.change_client(client_id, phone="213-555-0199")
    office.sync()
    assert phones(office.contact(f"client_{client_id}")) == {"+12135550199": "Main Phone"}


def test_a_bad_main_phone_drops_no_alternate(office: Office) -> None:
    [client_id] = office.make_clients(
        {**JAMES, "phone": "in jail", "contact_2": "Ann Smith", "contact_2_phone": "310-555-0166"}
    )
    report = office.sync()
    assert report["skipped"] == [
        {"externalId": f"client_{client_id}", "reason": "the phone is not a usable number", "code": "phone_unusable"}
    ]
    assert office.contact(f"client_{client_id}_alt_2")["defaultFields"]["firstName"] == "James Smith - Contact 2"


def test_a_field_that_the_workspace_lacks_is_left_out_and_warned_of_once(office: Office) -> None:
    office.sandbox.workspace.remove_field(office.sandbox.workspace.field_key("County"))
    ids = office.make_clients(JAMES, {"client_name": "Ann Lee", "phone": "213-555-0155", "county": "Kern"})
    report = office.sync()
    assert report["contacts"]["failed"] == 0
    assert [warning for warning in report["warnings"] if "County" in warning] == [
        "the workspace has no custom field named County, so it is left out; add it in the app to have it filled"
    ]
    assert "County" not in office.custom(office.contact(f"client_{ids[1]}"))


def test_a_field_is_found_by_override_when_two_have_its_name(office: Office) -> None:
    other = office.sandbox.workspace.add_field("county ", "string")
    [client_id] = office.make_clients(JAMES)
    report = office.sync()
    assert any("2 custom fields named County" in warning for warning in report["warnings"])
    assert other.key is not None
    office.sync(OPENPHONE_CF_COUNTY_KEY=other.key)
    fields = {one["key"]: one["value"] for one in office.contact(f"client_{client_id}")["customFields"]}
    assert fields[other.key] == "Los Angeles County"


def test_limit_and_type_look_at_a_part_and_call_nobody_gone(office: Office) -> None:
    office.make_clients(JAMES, {"client_name": "Ann Lee", "phone": "213-555-0155", "client_type": "civil"})
    office.sync()
    report = office.sync("--client-type", "civil", "--mode", "full")
    assert report["clients"] == {"read": 1, "changed": 0, "unchanged": 1, "removed": 0}
    assert office.sync("--limit", "1")["clients"]["read"] == 1


def test_a_client_that_is_gone_is_reported_and_its_contacts_stay(office: Office) -> None:
    ids = office.make_clients(JAMES, {"client_name": "Ann Lee", "phone": "213-555-0155"})
    office.sync()
    office.sql("DELETE FROM clients WHERE id::text = %s", ids[0])
    report = office.sync()
    assert report["clients"]["removed"] == 1
    assert report["orphans"] == [f"client_{ids[0]}", f"client_{ids[0]}_alt_1"]
    assert len(office.contacts()) == 3
    assert office.sync()["orphans"] == [f"client_{ids[0]}", f"client_{ids[0]}_alt_1"]


def test_the_report_and_the_metrics_are_kept(office: Office) -> None:
    office.make_clients(JAMES)
    report = office.sync()
    kept = json.loads((office.state_dir / "runs" / f"{report['runId']}.json").read_text())
    assert kept == report
    office.sync()
    metrics = json.loads((office.state_dir / "sync_metrics_openphone-daily-sync.json").read_text())
    assert metrics["schemaVersion"] == 1
    assert metrics["metrics"]["totalRuns"] == 2
    assert metrics["metrics"]["successfulRuns"] == 2
    assert metrics["metrics"]["totalContactsCreated"] == 2
    assert [run["contacts"]["created"] for run in metrics["runs"]] == [0, 2]
    for path in office.state_dir.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, f"{path} is open to others"


def test_names_and_phones_stay_out_of_the_report(office: Office) -> None:
    office.make_clients({**JAMES, "phone": "in jail, call 555-0134"})
    ran = office.run("sync", "--json")
    for secret in ("James", "Smith", "Brother", "555-0134", "5550134", "jail", "Los Angeles"):
        assert secret not in ran.out + ran.err


def test_a_write_that_openphone_ignores_is_a_failure_and_is_tried_again(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    office.change_client(client_id, county="Kern County")
    office.sandbox.faults.add(parse_fault("ignored-write:method=PATCH,count=1"))
    ran = office.run("sync", "--json")
    assert ran.code == 1
    assert ran.json["status"] == "partial"
    [error] = ran.json["errors"]
    assert error == {
        "externalId": f"client_{client_id}",
        "status": 200,
        "code": "not as sent",
        "message": "the answer is not what was sent: customFields",
    }
    assert office.sync()["contacts"]["updated"] == 1
    assert office.custom(office.contact(f"client_{client_id}"))["County"] == "Kern County"


def test_a_uuid_that_is_text_sorts_as_the_state_sorts(office: Office) -> None:
    office.sql("CREATE TABLE clients (id text PRIMARY KEY, client_name text, phone text)")
    ids = ["Z", "a", "É", "10", "9", "_", "ß", "中", str(uuid.UUID(int=5))]
    for number, client_id in enumerate(ids):
        office.sql(
            "INSERT INTO clients VALUES (%s, %s, %s)", client_id, f"Person {client_id}", f"213-555-01{number:02}"
        )
    assert office.sync()["contacts"]["created"] == len(ids)
    assert office.sync()["clients"] == {"read": len(ids), "changed": 0, "unchanged": len(ids), "removed": 0}


@pytest.mark.parametrize("arguments", [[], ["--mode", "full"]])
def test_overwriting_edits_leaves_alone_what_nobody_edited(office: Office, arguments: list[str]) -> None:
    [client_id] = office.make_clients({**JAMES, "email": "j@example.org"})
    policy = {"OPENPHONE_ON_REMOTE_EDIT": "overwrite"}
    office.sync(**policy)
    before = office.contact(f"client_{client_id}")["defaultFields"]
    office.change_client(client_id, county="Kern")
    office.sync(*arguments, **policy)
    after = office.contact(f"client_{client_id}")["defaultFields"]
    assert (after["phoneNumbers"], after["emails"]) == (before["phoneNumbers"], before["emails"])
    office.requests()
    office.sync("--mode", "full", **policy)
    assert office.requests("POST", "PATCH", "DELETE") == []


@pytest.mark.parametrize(
    "odd",
    [
        {"contact_2": "Bob Smith", "relationship_2": "Cousin"},
        {"contact_2": None, "relationship_2": "Cousin", "contact_2_phone": "310-555-0188"},
        {"contact_2": "Robert Smith", "relationship_2": "Cousin", "contact_2_phone": "N/A"},
    ],
    ids=["named like a sibling", "nameless with a sibling's number", "a sibling's nickname"],
)
def test_an_alternate_that_resembles_an_unchanged_sibling_stops_nobody(office: Office, odd: dict[str, Any]) -> None:
    james, _ = office.make_clients(JAMES, {**JAMES_ALONE, "client_name": "Ann Lee", "phone": "213-555-0150"})
    office.sync()
    brother = office.contact(f"client_{james}_alt_1")["id"]
    office.change_client(james, **odd)
    first = office.sync()
    office.change_client(james, county="Kern County")
    second = office.sync()
    full = office.sync("--mode", "full")
    assert office.contact(f"client_{james}_alt_1")["id"] == brother
    assert second["contacts"]["updated"] == 1
    assert first["skipped"] == second["skipped"] == full["skipped"]
    assert first["contacts"]["held"] == full["contacts"]["held"]


@pytest.mark.parametrize("sandbox", [{"latency_ms": 40}], indirect=True)
def test_what_staff_type_while_a_run_writes_is_kept(office: Office) -> None:
    make_many(office, 75)
    office.sync()
    office.sql("UPDATE clients SET county = 'Kern'")
    with office.start("sync", "--json", "--force", OPENPHONE_RATE_LIMIT_SECOND="60") as process:
        office.requests()
        wait_until(lambda: sum(one.method == "PATCH" for one in office.sandbox.requests) >= 25)
        with office.sandbox.workspace._lock:  # all in one moment
            for number, contact in enumerate(office.contacts()):
                numbers = [*contact["defaultFields"]["phoneNumbers"], {"name": "Wife", "value": f"+1310555{number:04}"}]
                office.sandbox.workspace.edit(contact["id"], {"defaultFields": {"phoneNumbers": numbers}})
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out)["contacts"]["updated"] == 75
    lost = [contact for contact in office.contacts() if "Wife" not in phones(contact).values()]
    assert len(lost) <= 2
    assert {office.custom(contact)["County"] for contact in office.contacts()} == {"Kern"}


def test_our_external_id_on_another_programs_contact_blocks_nothing_and_takes_nobody(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    theirs = office.sandbox.workspace.add(
        {"externalId": f"client_{client_id}", "defaultFields": {"firstName": "Zed Quill"}}, source="other-tool"
    )
    report = office.sync()
    assert [held["code"] for held in report["held"]] == ["id_of_other_source"]
    assert office.run("review", "separate", f"client_{client_id}").code == 0
    assert office.sync()["contacts"]["created"] == 1
    assert office.sandbox.workspace.contact(theirs["id"]) == theirs
    assert {contact["source"] for contact in office.contacts()} == {"other-tool", "legal-practitioner-app"}
    shutil.rmtree(office.state_dir)
    assert office.sync()["contacts"]["adopted"] == 1
    assert len(office.contacts()) == 2


def test_another_source_of_ours_makes_no_second_contact(office: Office) -> None:
    office.make_clients(JAMES)
    office.sync()
    office.sync("--force", OPENPHONE_SOURCE="our-new-name")
    shutil.rmtree(office.state_dir)
    report = office.sync(OPENPHONE_SOURCE="our-new-name")
    assert (report["contacts"]["created"], report["contacts"]["adopted"]) == (0, 2)
    assert len(office.contacts()) == 2
