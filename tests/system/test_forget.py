"""`forget`: nothing of a person is left in the state folder, and nobody else is touched."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from openphone_sync.ops.lock import run_lock
from openphone_sync.sandbox.samples import CONVERSATIONS_DDL
from tests.fault_injection import Fault, FaultKind
from tests.office import JAMES, Office, phones

ANN = {
    "client_name": "Annabella Quizzaciously",
    "phone": "213-555-0155",
    "contact_1": "Zebulon Wintersmith",
    "relationship_1": "Uncle",
    "contact_1_phone": "310-555-0177",
}
SECRETS = ("Quizzaciously", "Wintersmith", "Zebulon", "2135550155", "555-0155", "3105550177", "555-0177")


def find_bytes(folder: Path, *texts: str) -> list[str]:
    """Files of the folder that hold one of these texts, whatever the case."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [
        f"{path.name}: {text}" for path in files for text in texts if text.lower().encode() in path.read_bytes().lower()
    ]


def forget(office: Office, client_id: str, *options: str, code: int = 0) -> Any:
    ran = office.run("forget", client_id, "--yes", "--json", *options)
    assert ran.code == code, ran.err + ran.out
    return ran.json


def make_history(office: Office) -> tuple[str, str]:
    """Two clients with contacts, edits, a held person beside them, a copy of the state and several reports."""
    james = office.make_clients(JAMES)[0]
    ann = office.add_client(ANN)
    office.sync()
    office.change_client(ann, phone="213-555-0156")
    office.change_client(james, county="Orange County")
    office.sync()
    office.change_client(ann, phone="213-555-0155")
    typed = {"emails": [{"name": "Private", "value": "a.quizzaciously@example.com"}]}
    office.sandbox.workspace.edit(office.contact(f"client_{ann}")["id"], {"defaultFields": typed})
    office.sync("--mode", "full")
    (office.state_dir / "backups" / "state-version-1.db").write_bytes((office.state_dir / "state.db").read_bytes())
    return james, ann


def test_no_byte_of_the_person_is_left(office: Office) -> None:
    james, ann = make_history(office)
    assert find_bytes(office.state_dir, "Quizzaciously", "Wintersmith")
    before = office.contact(f"client_{james}")
    done = forget(office, ann)
    assert done["erased"] == {"contacts": 2, "writes": 4, "decisions": 0, "reports": 0, "copies": 2}
    assert find_bytes(office.state_dir, *SECRETS, "213555015") == []
    assert find_bytes(office.state_dir / "backups", ann) == []
    assert [path.name for path in (office.state_dir / "backups").iterdir()] == [
        path.name for path in (office.state_dir / "backups").glob("state-2*.db")
    ]
    assert ann.encode() not in (office.state_dir / "state.db").read_bytes()
    report = office.sync("--mode", "full")
    assert report["contacts"]["unchanged"] == 2
    assert report["skipped"] == [
        {
            "externalId": f"client_{ann}",
            "reason": "forgotten on request; forget --undo takes it back",
            "code": "forgotten",
        }
    ]
    assert office.contact(f"client_{james}") == before
    assert office.contact(f"client_{ann}"), "it was not asked for"
    assert find_bytes(office.state_dir, *SECRETS) == [], "a full run has not brought anything back"
    assert office.sync()["contacts"]["skipped"] == 1


def test_contacts_that_this_tool_made_are_deleted_on_request_and_others_stay(office: Office) -> None:
    office.sandbox.workspace.add(
        {
            "defaultFields": {
                "firstName": "Zebulon Wintersmith",
                "phoneNumbers": [{"name": "x", "value": "+13105550177"}],
            }
        }
    )
    _, ann = make_history(office)
    done = forget(office, ann, "--delete-contact", code=1)
    assert len(done["contactsDeleted"]) == 1
    assert [one["reason"] for one in done["contactsKept"]] == ["not made by this tool"]
    names = {contact["defaultFields"]["firstName"] for contact in office.contacts()}
    assert "Annabella Quizzaciously" not in names
    assert "Zebulon Wintersmith" in names
    assert office.sync("--mode", "full")["contacts"]["created"] == 0
    assert office.sync("--client", ann)["contacts"]["skipped"] == 1


def test_it_is_taken_back(office: Office) -> None:
    _, ann = make_history(office)
    forget(office, ann, "--delete-contact")
    assert office.run("forget", ann, "--yes").code == 2, "there is nothing left"
    assert office.run("forget", ann, "--undo").code == 0
    assert office.sync()["contacts"]["created"] == 2
    assert office.run("forget", ann, "--undo").code == 2


def test_earlier_runs_leave_the_person_alone_and_say_so(office: Office) -> None:
    _, ann = make_history(office)
    first = office.run("runs", "list", "--json").json["runs"][-1]["runId"]
    forget(office, ann)
    assert office.run("runs", "show", first, "--json").json["writesErased"] == 2
    shown = office.run("runs", "show", first).out
    assert "2 writes for people forgotten since" in shown
    ran = office.run("rollback", first, "--yes", "--json")
    assert ran.code == 0, ran.err
    assert any("2 writes for people forgotten since" in text for text in ran.json["warnings"])
    assert office.contact(f"client_{ann}"), "left as it is"


def test_it_shows_first_and_asks(office: Office) -> None:
    _, ann = make_history(office)
    ran = office.run("forget", ann)
    assert (ran.code, "--yes" in ran.err) == (2, True)
    assert "2 contacts with their links" in ran.out
    assert "cron" in ran.out
    assert office.run("forget", ann, "--dry-run", "--json").json["forgotten"] is False
    shown = office.run("forget", ann, "--dry-run", "--delete-contact").out
    assert f"the OpenPhone contact {office.contact(f'client_{ann}')['id']}, if this tool made it" in shown
    assert office.sync()["contacts"]["skipped"] == 0


@pytest.mark.parametrize("typed", ["nobody", "first 8", "external"])
def test_ids_are_taken_exactly(office: Office, typed: str) -> None:
    _, ann = make_history(office)
    text = {"nobody": "nobody", "first 8": ann[:8], "external": f"client_{ann}"}[typed]
    ran = office.run("forget", text, "--yes")
    assert (ran.code, "knows nothing of a client" in ran.err) == (2, True)


def test_reviews_of_others_lose_the_candidate_and_are_judged_again(office: Office) -> None:
    """Somebody held because of a forgotten person is not held for them any more."""
    _, ann = make_history(office)
    twin = office.add_client({"client_name": ANN["client_name"], "phone": ANN["phone"]})
    assert office.sync()["held"][0]["externalId"] == f"client_{twin}"
    forget(office, ann, "--delete-contact")
    assert find_bytes(office.state_dir / "backups", "Wintersmith") == []
    report = office.sync()
    assert (report["contacts"]["created"], report["contacts"]["held"]) == (1, 0)
    assert phones(office.contact(f"client_{twin}"))


def test_reports_lose_the_ids(office: Office) -> None:
    office.make_clients(JAMES)
    ann = office.add_client({**ANN, "phone": "call me"})
    office.sync()
    [report] = (office.state_dir / "runs").glob("*.json")
    assert f"client_{ann}" in report.read_text()
    assert forget(office, ann)["erased"]["reports"] == 1
    assert ann not in report.read_text()
    assert json.loads(report.read_text())["contacts"]["skipped"] == 1
    assert ann not in office.run("runs", "show", "latest", "--json").out


def test_places_of_exports_and_archives_are_named(office: Office) -> None:
    _, ann = make_history(office)
    office.sql(CONVERSATIONS_DDL)
    talk = office.sandbox.conversations
    talk.add_message(talk.start("+12135550155"), "Hello")
    for command in (
        ["archive", "fetch", "conversations"],
        ["archive", "html", "conversations", "--client", ann, "--out", "page.html"],
        ["export-conversations", "--output", "gone.json"],
        ["export-conversations", "--output", "export.json"],
        ["archive", "fetch", "conversations"],
    ):
        ran = office.run(*command)
        assert ran.code == 0, ran.err
    (office.folder / "gone.json").unlink()
    found = office.run("forget", ann, "--dry-run", "--json").json["notReached"]["places"]
    assert [(one["kind"], Path(one["path"]).name) for one in found] == [
        ("archive", "conversations"),
        ("export", "export.json"),
        ("page", "page.html"),
    ]


def test_a_state_that_cannot_note_a_place_fails_no_archive(office: Office) -> None:
    office.state_dir.mkdir(mode=0o700)
    (office.state_dir / "state.db").write_bytes(b"no database" * 100)
    assert office.run("archive", "fetch", "conversations").code == 0


def test_a_coverage_document_loses_the_number(office: Office) -> None:
    office.make_clients(JAMES)
    ann = office.add_client({**ANN, "client_name": " "})
    one = office.sandbox.conversations.start("+12135550155")
    office.sandbox.conversations.add_message(one, "Hello")
    office.sync()
    assert "+12135550155" in office.state("SELECT document FROM coverage")[0][0]
    forget(office, ann)
    assert office.state("SELECT count(*) FROM coverage WHERE instr(document, '+12135550155')") == [(0,)]
    office.sync("--mode", "full")
    assert find_bytes(office.state_dir, "2135550155") == []


def die(office: Office, step: int, *arguments: str) -> int:
    """Run a command that is killed at this step; its exit code."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.dying", str(step), *arguments],
        env={**office.environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=office.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode in (0, -9), ran.stderr
    return ran.returncode


def make_name(number: int) -> str:
    """Two words that are like no others."""
    letters = hashlib.sha256(str(number).encode()).hexdigest().translate(str.maketrans("0123456789", "ghijklmnop"))
    return f"{letters[:8].title()} {letters[8:16].title()}"


@pytest.mark.parametrize(("options", "stride"), [((), 3), (("--delete-contact",), 7)], ids=["state", "state and app"])
def test_killed_at_any_step_it_is_finished_by_the_next_start(
    office: Office, options: tuple[str, ...], stride: int
) -> None:
    james = office.make_clients(JAMES)[0]
    office.sync()
    before = office.contact(f"client_{james}")
    code, step, finished = -9, 1, 0
    while code:
        name, phone = make_name(step), f"213555{1000 + step}"
        ann = office.add_client({"client_name": name, "phone": phone})
        office.sync()
        contact_id = office.contact(f"client_{ann}")["id"]
        code = die(office, step, "forget", ann, "--yes", *options)
        report = office.sync()
        is_forgotten = f"client_{ann}" in {one["externalId"] for one in report["skipped"]}
        assert is_forgotten or not finished, "once it has begun, it is ended"
        finished += is_forgotten
        if is_forgotten:
            assert find_bytes(office.state_dir, *name.split(), phone) == []
            assert office.state("SELECT count(*) FROM clients WHERE client_id = ?", ann) == [(0,)]
            assert any(one["id"] == contact_id for one in office.contacts()) is not bool(options)
        else:
            assert office.contact(f"client_{ann}")["id"] == contact_id
            forget(office, ann, *options)
        assert office.contact(f"client_{james}") == before
        office.sql("DELETE FROM clients WHERE id::text = %s", ann)
        step += stride
    assert finished > 1, "some died after it had begun"


def test_a_contact_that_cannot_be_deleted_is_named_and_all_else_goes(office: Office) -> None:
    _, ann = make_history(office)
    office.sandbox.faults.add(Fault(FaultKind.STATUS, status=403, method="DELETE", count=1))
    done = forget(office, ann, "--delete-contact", code=1)
    assert (len(done["contactsDeleted"]), len(done["contactsKept"])) == (1, 1)
    assert "403" in done["contactsKept"][0]["reason"]
    assert find_bytes(office.state_dir, *SECRETS) == []
    assert office.sync()["contacts"]["skipped"] == 1


def test_an_unreachable_api_leaves_it_to_the_next_run(office: Office) -> None:
    _, ann = make_history(office)
    ran = office.run("forget", ann, "--yes", "--delete-contact", OPENPHONE_BASE_URL="http://127.0.0.1:9")
    assert ran.code == 3
    report = office.sync()
    assert report["contacts"]["skipped"] == 1
    assert "a client whose forgetting was interrupted is forgotten now" in report["warnings"]
    assert office.sandbox.workspace.find(f"client_{ann}") == []
    assert find_bytes(office.state_dir, *SECRETS) == []


def test_a_contact_of_an_unfinished_creation_is_found_and_deleted(office: Office) -> None:
    """As if the process had died before it heard the answer."""
    office.make_clients(JAMES)
    ann = office.add_client({**ANN, "contact_1": None, "contact_1_phone": None})
    office.sync()
    with contextlib.closing(office.open_state()) as state:
        state.execute("UPDATE journal SET result = NULL, contact_id = NULL WHERE client_id = ?", (ann,))
        state.execute("UPDATE links SET contact_id = NULL, standing = 'pending' WHERE client_id = ?", (ann,))
        state.commit()
    assert len(forget(office, ann, "--delete-contact")["contactsDeleted"]) == 1
    assert office.sandbox.workspace.find(f"client_{ann}") == []


def test_it_waits_for_no_run_in_progress(office: Office) -> None:
    _, ann = make_history(office)
    with run_lock(office.state_dir):
        assert office.run("forget", ann, "--yes").code == 5
    assert office.sync()["contacts"]["skipped"] == 0
