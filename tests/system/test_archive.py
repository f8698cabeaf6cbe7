"""`archive fetch` and `archive verify` through the command line, against the sandbox."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openphone_sync.sandbox import SandboxOptions, Variants
from openphone_sync.sandbox.answers import Answer
from tests.archives import find_differences, read_contents, read_texts
from tests.fault_injection import FaultySandbox, parse_fault
from tests.faults.archiving import run_archive
from tests.office import JAMES, Office, Ran, open_office, wait_until

ANN, BOB, CARL = "+12135550111", "+12135550112", "+12135550113"
EVERYTHING = ("--media", "--transcripts")
QUICK = {
    "OPENPHONE_RATE_LIMIT_SECOND": "5000",
    "OPENPHONE_RATE_LIMIT_MINUTE": "300000",
    "OPENPHONE_RATE_LIMIT_HOUR": "9999999",
}
SMALL, EMPTY = {"conversations": 20, "rate_limit": 100_000}, {"rate_limit": 100_000}
small = pytest.mark.parametrize("sandbox", [SMALL], indirect=True, ids=["20 conversations"])


def fetch(office: Office, *options: str, folder: str = "archive", code: int = 0) -> Any:
    ran = office.run("archive", "fetch", folder, "--json", *options, **QUICK)
    assert ran.code == code, ran.err + ran.out
    return ran.json


def verify(office: Office, folder: str = "archive") -> Ran:
    return office.run("archive", "verify", folder, "--json")


def start(office: Office, *people: str) -> str:
    return office.sandbox.conversations.start(*people)


def paths(office: Office) -> list[str]:
    return [path.partition("?")[0] for _, path in office.requests()]


def age(office: Office, days: float) -> float:
    return time.time() - days * 86400


# --- what is archived --------------------------------------------------------------------------------------------------


@small
def test_everything_that_was_said_is_in_the_folder_once(office: Office) -> None:
    report = fetch(office, *EVERYTHING)
    talk = office.sandbox.conversations
    told = {item["id"] for one in talk.conversations() for item in talk.items(one["id"]) if one["participants"]}
    contents = read_contents(office.folder / "archive")
    said = [name for name in contents if name.startswith("conversations/")]
    kept = {name.rpartition("/")[2] for name in said if " message/" in name or " call/" in name}
    assert kept == told
    assert (
        report["totals"]["message"] + report["totals"]["call"]
        == len(told)
        == report["items"]["added"]
        - sum(report["totals"][part] for part in ("recording", "voicemail", "summary", "transcript"))
    )
    assert verify(office).json["ok"]


@small
def test_folders_and_files_are_for_the_owner_alone(office: Office) -> None:
    fetch(office, "--media")
    for path in (office.folder / "archive", *(office.folder / "archive").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@small
def test_the_key_never_goes_to_the_host_of_media(office: Office) -> None:
    fetch(office, "--media")
    assert office.sandbox.media.requests
    assert not any(request.has_key for request in office.sandbox.media.requests)


@small
def test_a_second_fetch_sends_lists_only_and_changes_no_file(office: Office) -> None:
    for conversation in office.sandbox.conversations.conversations():  # nothing is on its way
        for item in office.sandbox.conversations.items(conversation["id"]):
            if item.get("status") == "sent":
                office.sandbox.conversations.change(item["id"], status="delivered")
    fetch(office, *EVERYTHING, "--until", "2026-01-01")
    fetch(office, *EVERYTHING)
    before = {path: path.read_bytes() for path in (office.folder / "archive").rglob("*.ndjson")}
    paths(office)
    report = fetch(office, *EVERYTHING)
    young = [path for path in paths(office) if path not in ("/v1/phone-numbers", "/v1/users", "/v1/conversations")]
    assert all(path.startswith("/v1/call-") for path in young), "lists, and what was absent a moment ago"
    assert report["items"] == {"added": 0, "changed": 0}
    assert before == {path: path.read_bytes() for path in (office.folder / "archive").rglob("*.ndjson")}


@pytest.mark.parametrize("sandbox", [EMPTY], indirect=True, ids=["empty"])
class TestOneConversation:
    """Conversations made by hand, each for one habit of the API."""

    def test_only_what_is_new_is_asked_for(self, office: Office) -> None:
        talk, ann, bob = office.sandbox.conversations, start(office, ANN), start(office, BOB)
        for conversation in (ann, bob):
            talk.add_message(conversation, "one", at=age(office, 30))
        fetch(office)
        paths(office)
        talk.add_message(ann, "two")
        report = fetch(office)
        asked = [path for path in paths(office) if path in ("/v1/messages", "/v1/calls")]
        assert (report["items"]["added"], sorted(asked)) == (1, ["/v1/calls", "/v1/messages"])
        assert read_texts(office.folder / "archive", ann) == ["one", "two"]

    def test_a_group_is_archived_without_asking_for_its_calls(self, office: Office) -> None:
        group = start(office, ANN, BOB)
        office.sandbox.conversations.add_message(group, "Hello both")
        fetch(office, *EVERYTHING)
        assert "/v1/calls" not in paths(office)
        assert read_texts(office.folder / "archive", group) == ["Hello both"]

    def test_a_message_that_changes_keeps_its_older_form_beside_it(self, office: Office) -> None:
        ann = start(office, ANN)
        message = office.sandbox.conversations.add_message(ann, "Hi", is_incoming=False, status="sent")
        fetch(office)
        office.sandbox.conversations.change(message["id"], status="delivered")
        report = fetch(office)
        lines = (office.folder / "archive/conversations" / f"{ann}.ndjson").read_text(encoding="utf-8").splitlines()
        forms = [(one["item"]["status"], one.get("superseded", False)) for one in map(json.loads, lines[1:])]
        assert (report["items"], forms) == ({"added": 0, "changed": 1}, [("sent", True), ("delivered", False)])

    def test_what_comes_later_is_asked_for_again_for_seven_days(self, office: Office) -> None:
        talk, ann = office.sandbox.conversations, start(office, ANN)
        call = talk.add_call(ann, "answered", at=age(office, 6.9))
        old = talk.add_call(ann, "answered", at=age(office, 7.1))
        for one in (call, old):
            talk.set_parts(one["id"], transcript=None, summary=None, recordings=())
        fetch(office, *EVERYTHING)
        paths(office)
        talk.set_parts(call["id"], transcript={"callId": call["id"], "status": "completed", "dialogue": []})
        report = fetch(office, *EVERYTHING)
        assert {path.rpartition("/")[2] for path in paths(office) if "/call-" in path} == {call["id"]}
        assert (report["items"]["added"], report["totals"]["transcript"]) == (1, 1)

    def test_a_transcript_in_progress_is_not_kept_until_it_is_completed(self, office: Office) -> None:
        talk, ann = office.sandbox.conversations, start(office, ANN)
        call = talk.add_call(ann, "answered")
        progress = {"callId": call["id"], "status": "in-progress", "dialogue": None}
        talk.set_parts(call["id"], transcript=progress)
        report = fetch(office, "--transcripts")
        assert report["gaps"]["transcript: in-progress"] == 1
        talk.set_parts(call["id"], transcript={**progress, "status": "completed", "dialogue": []})
        assert fetch(office, "--transcripts")["totals"]["transcript"] == 1
        assert not [path for path in (paths(office), paths(office))[1] if "/call-" in path]

    def test_options_that_come_later_bring_what_they_ask_for(self, office: Office) -> None:
        talk, ann = office.sandbox.conversations, start(office, ANN)
        call = talk.add_call(ann, "voicemail", at=age(office, 40))
        talk.add_message(ann, "", media=["a.png"], at=age(office, 39))
        assert "media" not in fetch(office)["gaps"]
        paths(office)
        report = fetch(office, "--media")
        assert (report["media"]["added"], f"/v1/call-voicemails/{call['id']}" in paths(office)) == (2, False)

    def test_a_picture_that_many_send_is_kept_once(self, office: Office) -> None:
        ann = start(office, ANN)
        for _ in range(3):
            office.sandbox.conversations.add_message(ann, "look", media=["same.png"])
        report = fetch(office, "--media")
        assert len(list((office.folder / "archive/media").iterdir())) == 1 == report["totals"]["media"]

    def test_two_conversations_of_one_pair_share_no_item(self, office: Office) -> None:
        talk, first = office.sandbox.conversations, start(office, ANN)
        talk.change(first, createdAt="2026-01-01T00:00:00.000Z")
        second = start(office, ANN)
        talk.change(second, createdAt="2026-03-01T00:00:00.000Z")
        talk.add_message(first, "old")
        early = talk.add_call(first, "missed", at=1_769_904_000)  # 2026-02-01
        talk.add_message(second, "new")
        late = talk.add_call(second, "missed", at=1_775_001_600)  # 2026-04-01
        fetch(office)
        contents = read_contents(office.folder / "archive")
        homes = {name.rpartition("/")[2]: name.partition(".")[0].rpartition("/")[2] for name in contents}
        assert (homes[early["id"]], homes[late["id"]]) == (first, second)
        assert read_texts(office.folder / "archive", first) == ["old"]
        assert read_texts(office.folder / "archive", second) == ["new"]

    def test_time_bounds_hold_and_can_be_widened(self, office: Office) -> None:
        talk, ann = office.sandbox.conversations, start(office, ANN)
        for day, text in ((1_767_225_600, "January"), (1_769_904_000, "February"), (1_772_323_200, "March")):
            talk.add_message(ann, text, at=day)
        fetch(office, "--since", "2026-01-15", "--until", "2026-02-15")
        assert read_texts(office.folder / "archive", ann) == ["February"]
        fetch(office, "--since", "2026-01-15")
        assert read_texts(office.folder / "archive", ann) == ["February", "March"]
        fetch(office)
        assert read_texts(office.folder / "archive", ann) == ["January", "February", "March"]

    def test_a_conversation_over_before_since_costs_nothing(self, office: Office) -> None:
        office.sandbox.conversations.add_message(start(office, ANN), "old", at=age(office, 100))
        office.sandbox.conversations.change(
            office.sandbox.conversations.conversations()[0]["id"], lastActivityAt="2026-01-01T00:00:00Z"
        )
        report = fetch(office, "--since", "2026-06-01")
        assert report["conversations"]["selected"] == 0
        assert "/v1/messages" not in paths(office)

    def test_an_activity_that_lists_lag_behind_is_asked_for_again(self, office: Office) -> None:
        talk, ann = office.sandbox.conversations, start(office, ANN)
        talk.add_message(ann, "one")
        talk.change(ann, lastActivityId="ACnotlisted")
        assert fetch(office)["gaps"] == {"activity: not-listed": 1}
        paths(office)
        fetch(office)
        assert "/v1/messages" in paths(office)

    def test_only_these_people(self, office: Office) -> None:
        for people in ((ANN,), (BOB,), (ANN, CARL)):
            office.sandbox.conversations.add_message(start(office, *people), "Hello")
        assert fetch(office, "--phone", "(213) 555-0111")["conversations"]["fetched"] == 2
        assert fetch(office, "--phone", BOB, "--phone", CARL, folder="other")["conversations"]["fetched"] == 2

    def test_a_client_is_found_by_its_row_and_by_what_was_written(self, office: Office) -> None:
        client = office.make_clients({**JAMES, "phone": ANN, "contact_1_phone": BOB})[0]
        for one in (ANN, BOB, CARL):
            office.sandbox.conversations.add_message(start(office, one), "Hello")
        assert fetch(office, "--client", client)["conversations"]["fetched"] == 2
        office.sync()
        office.change_client(client, phone=CARL)
        report = fetch(office, "--client", client, folder="other")
        assert report["conversations"]["fetched"] == 3, "the number that was written, and the one in the row now"

    # --- what cannot be had ----------------------------------------------------------------------------------------

    def test_media_whose_address_expired_is_fetched_by_a_fresh_one(self, office: Office) -> None:
        office.sandbox.media.link_life_s = 0.2
        office.sandbox.conversations.add_message(start(office, ANN), "look", media=["a.png"])
        fetch(office)
        time.sleep(0.3)
        assert fetch(office, "--media")["media"]["added"] == 1
        assert any(path.startswith("/v1/messages/AC") for path in paths(office))

    @pytest.mark.parametrize(
        ("answer", "why", "code"),
        [
            (Answer(403, b""), "expired", 1),
            (Answer(404, b""), "not-found", 0),
            (Answer(503, b""), "failed", 1),
            (Answer(302, b"", None, (("Location", "http://example.com/x"),)), "refused", 1),
        ],
        ids=["403", "404", "503", "redirect to http"],
    )
    def test_media_that_cannot_be_had_is_named_with_its_reason(
        self, office: Office, answer: Answer, why: str, code: int
    ) -> None:
        office.sandbox.media.answers["a.png"] = answer
        office.sandbox.conversations.add_message(start(office, ANN), "look", media=["a.png", "b.png"])
        report = fetch(office, "--media", code=code)
        assert (report["gaps"], report["media"]["added"]) == ({f"media: {why}": 1}, 1)
        del office.sandbox.media.answers["a.png"]
        if why != "refused":
            assert fetch(office, "--media")["media"]["added"] == 1

    def test_a_plan_without_transcripts_is_said_in_one_line(self, office: Office) -> None:
        ann = start(office, ANN)
        for _ in range(40):
            office.sandbox.conversations.add_call(ann, "answered")
        office.sandbox.faults.add(parse_fault("status:status=403,path=/v1/call-transcripts/*,count=none"))
        report = fetch(office, "--transcripts", code=1)
        assert ("Business or Scale plan" in report["message"], report["unavailable"]) == (True, ["transcript"])
        assert sum("transcripts" in path for path in paths(office)) < 20, "what is forbidden is not asked for 40 times"
        assert report["totals"]["summary"] > 0
        office.sandbox.faults.clear()
        assert fetch(office, "--transcripts")["totals"]["transcript"] > 20

    def test_a_number_that_the_key_may_not_read_leaves_the_others_alone(self, office: Office) -> None:
        talk = office.sandbox.conversations
        talk.add_message(start(office, ANN), "Hello")
        other = talk.start(BOB, line=1)
        talk.add_message(other, "Hidden")
        hidden = next(one["phoneNumberId"] for one in talk.conversations() if one["id"] == other)
        office.sandbox.faults.add(parse_fault(f"status:status=403,path=/v1/messages?*{hidden}*,count=none"))
        report = fetch(office, code=1)
        assert (report["gaps"], report["items"]["added"]) == ({"messages: forbidden": 1}, 1)
        office.sandbox.faults.clear()
        assert fetch(office)["items"]["added"] == 1

    def test_an_id_that_is_a_path_stays_within_the_folder(self, office: Office) -> None:
        evil = start(office, ANN)
        talk = office.sandbox.conversations
        talk.change(evil, id="CN/../../../evil")
        fetch(office)
        assert [path.name[:3] for path in (office.folder / "archive/conversations").iterdir()] == ["CN-"]


# --- faults, signals, kills --------------------------------------------------------------------------------------------


FAULTS = (
    "drop:nth=3,count=4",
    "drop:nth=20,count=6,reset=true",
    "cut:nth=5,count=4",
    "status:status=429,nth=9,count=5",
    "status:status=500,nth=4,count=6",
    "status:status=502,path=/v1/messages*,count=4",
    "truncated:nth=2,count=4",
    "not-json:nth=6,count=4",
    "empty:nth=6,count=4",
    "arrival:path=/v1/messages*,nth=3,count=3",
    "arrival:path=/v1/messages?*pageToken=*,count=2",
    "item-twice:path=/v1/messages*,count=none",
    "empty-page:path=/v1/messages*,nth=5",
    "no-token:count=none",
    "empty-token:count=none",
    "extra-fields:path=/v1/users*,count=none",
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FaultySandbox, Path]]:
    """Conversations, and a folder in which they are archived without a fault: later fetches there bring what is new."""
    with FaultySandbox(SandboxOptions(conversations=6, rate_limit=100_000)) as sandbox:
        yield sandbox, tmp_path_factory.mktemp("undisturbed")


@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_on_the_way_loses_nothing(
    dsn: str, told: tuple[FaultySandbox, Path], tmp_path: Path, fault: str
) -> None:
    sandbox, undisturbed = told
    parts = () if "/v1/messages" in fault else EVERYTHING  # what strikes lists alone needs no more
    undisturbed = undisturbed / str(len(parts))
    sandbox.forget_requests()
    with open_office(dsn, sandbox, tmp_path) as office:
        sandbox.faults.add(parse_fault(fault))
        ran = office.run("archive", "fetch", "archive", *parts, **QUICK)
        assert ran.code in (0, 1, 3), ran.err
        assert bool(sandbox.faults.struck)
        sandbox.faults.clear()
        fetch(office, *parts)
        fetch(office, *parts, folder=str(undisturbed))
        assert not find_differences(office.folder / "archive", undisturbed)
        assert verify(office).json["ok"]


@pytest.mark.parametrize("sandbox", [{"conversations": 250, "rate_limit": 100_000}], indirect=True, ids=["3 pages"])
def test_a_conversation_that_moves_to_the_front_while_it_is_listed_is_not_missed(office: Office) -> None:
    office.sandbox.faults.add(parse_fault("arrival:path=/v1/conversations?*pageToken=*"))  # in the oldest of all
    report = fetch(office, "--since", "2100-01-01", "--phone", ANN)
    assert report["conversations"]["selected"] == 0
    ran = office.run("archive", "fetch", "all", "--json", **QUICK)
    assert ran.json["conversations"]["selected"] == 250


@small
def test_sparse_and_unknown_fields_are_archived_as_they_come(office: Office) -> None:
    for fault in ("sparse-fields:count=none,path=/v1/m*", "extra-fields:count=none,path=/v1/c*"):
        office.sandbox.faults.add(parse_fault(fault))
    fetch(office, *EVERYTHING)
    text = next((office.folder / "archive/conversations").iterdir()).read_text(encoding="utf-8")
    assert "xRevision" in text


@small
def test_a_signal_ends_a_fetch_in_order_and_the_next_one_goes_on(office: Office) -> None:
    with office.start("archive", "fetch", "archive", "--json", *EVERYTHING) as process:
        wait_until(lambda: len(office.sandbox.requests) > 100)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate()
    report = json.loads(out)
    assert (process.returncode, report["status"], report["exitCode"]) == (143, "interrupted", 143), err
    assert 0 < report["conversations"]["left"] < 20
    assert verify(office).json["ok"]
    fetch(office, *EVERYTHING)
    fetch(office, *EVERYTHING, folder="undisturbed")
    assert not find_differences(office.folder / "archive", office.folder / "undisturbed")


def test_a_fetch_that_is_killed_again_and_again_ends_as_if_it_never_was(tmp_path: Path) -> None:
    """`./dev faults` does the same with 2,000 conversations and 20 kills."""
    done = run_archive(tmp_path, conversations=20, kills=3)
    assert done.losses == ()
    assert done.kills >= 2


@pytest.mark.parametrize("sandbox", [EMPTY], indirect=True, ids=["empty"])
def test_a_full_disk_ends_with_2_and_what_is_archived_stays(office: Office) -> None:
    talk, ann = office.sandbox.conversations, start(office, ANN)
    talk.add_message(ann, "Hello", media=["a.png"], at=age(office, 1))
    talk.add_message(ann, "and", media=["big-500000.bin"])
    command = f"ulimit -f 200; exec {sys.executable} -m openphone_sync archive fetch archive --media --quiet"
    done = subprocess.run(
        ["sh", "-c", command], env=office.environment, cwd=office.folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "File too large" in done.stderr, "; " in done.stderr) == (2, True, True)
    ran = verify(office)
    assert (ran.json["changed"], ran.json["missing"]) == ([], [])
    assert read_texts(office.folder / "archive", ann) == ["Hello", "and"]
    assert fetch(office, "--media")["totals"]["media"] == 2
    assert verify(office).json["ok"]


def test_an_unreachable_api_ends_with_3_and_what_is_archived_stays(office: Office) -> None:
    talk = office.sandbox.conversations
    talk.add_message(start(office, ANN), "Hello")
    fetch(office)
    office.sandbox.faults.add(parse_fault("drop:count=none"))
    ran = office.run("archive", "fetch", "archive", "--json", OPENPHONE_RETRY_ATTEMPTS="0")
    assert (ran.code, ran.json["exitCode"]) == (3, 3)
    assert verify(office).json["ok"]


# --- verify ------------------------------------------------------------------------------------------------------------


@small
def test_verify_names_a_changed_a_missing_and_an_additional_file(office: Office) -> None:
    fetch(office, "--media")
    folder = office.folder / "archive"
    assert verify(office).code == 0
    first, second = sorted((folder / "conversations").iterdir())[:2]
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    second.unlink()
    (folder / "media" / "stray.txt").write_text("?")
    (folder / "link").symlink_to("/etc")
    ran = verify(office)
    found = {name: ran.json[name] for name in ("ok", "changed", "missing", "additional")}
    assert (ran.code, found) == (
        1,
        {
            "ok": False,
            "changed": [f"conversations/{first.name}"],
            "missing": [f"conversations/{second.name}"],
            "additional": ["link", "media/stray.txt"],
        },
    )
    (folder / os.fsdecode(b"\x1b[2J\xff")).write_text("")
    shown = office.run("archive", "verify", "archive")
    assert "\x1b" not in shown.out
    assert len(verify(office).json["additional"]) == 3
    assert (shown.code, f"changed: conversations/{first.name}" in shown.out) == (1, True)


# --- bad input ---------------------------------------------------------------------------------------------------------


class TestBadInput:
    """Each with the code and a line that says what to do; nothing is lost."""

    def refuse(self, office: Office, *arguments: str, code: int = 2, says: str) -> None:
        ran = office.run("archive", *arguments)
        assert (ran.code, says in ran.err) == (code, True), ran.err + ran.out
        assert "; " in ran.err

    def test_a_folder_that_is_no_archive(self, office: Office) -> None:
        (office.folder / "letters").mkdir()
        (office.folder / "letters/a.txt").write_text("Dear")
        self.refuse(office, "fetch", "letters", says="is not an archive")
        self.refuse(office, "verify", "letters", says="is not an archive")
        self.refuse(office, "verify", "nowhere", says="is not an archive")
        assert [one.name for one in (office.folder / "letters").iterdir()] == ["a.txt"]

    def test_a_file_in_place_of_the_folder(self, office: Office) -> None:
        (office.folder / "file").write_text("")
        self.refuse(office, "fetch", "file", says="is not a folder")
        self.refuse(office, "verify", "file", says="is not an archive")

    def test_the_archive_of_another_workspace(self, office: Office) -> None:
        fetch(office)
        with FaultySandbox(SandboxOptions(seed=2)) as other:
            ran = office.run("archive", "fetch", "archive", OPENPHONE_BASE_URL=other.base_url)
        assert (ran.code, "another OpenPhone workspace" in ran.err) == (4, True)

    def test_half_a_copy(self, office: Office) -> None:
        ann = start(office, ANN)
        fetch(office)
        (office.folder / "archive/conversations" / f"{ann}.ndjson").unlink()
        self.refuse(office, "fetch", "archive", says="missing or changed")

    def test_a_changed_file_is_not_added_to(self, office: Office) -> None:
        ann = start(office, ANN)
        office.sandbox.conversations.add_message(ann, "yes")
        fetch(office)
        file = office.folder / "archive/conversations" / f"{ann}.ndjson"
        file.write_bytes(file.read_bytes().replace(b"yes", b"no!"))
        office.sandbox.conversations.add_message(ann, "and?")
        before = file.read_bytes()
        self.refuse(office, "fetch", "archive", says="missing or changed")
        assert file.read_bytes() == before

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"createdAt": 1}'])
    def test_a_damaged_manifest(self, office: Office, content: str) -> None:
        fetch(office)
        (office.folder / "archive/manifest.json").write_text(content)
        self.refuse(office, "fetch", "archive", says="is damaged")
        self.refuse(office, "verify", "archive", says="is damaged")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_that_cannot_be_written(self, office: Office) -> None:
        fetch(office)
        (office.folder / "archive").chmod(0o500)
        self.refuse(office, "fetch", "archive", says="cannot be read or written")

    def test_a_client_that_nobody_knows_and_one_without_a_phone(self, office: Office) -> None:
        client = office.make_clients({"client_name": "Ann", "phone": "in jail"})[0]
        self.refuse(office, "fetch", "archive", "--client", client, says="has no usable phone number")
        unknown = "00000000-0000-4000-8000-000000000000"
        self.refuse(office, "fetch", "archive", "--client", unknown, says="no client has the id")
        assert not (office.folder / "archive").exists()

    def test_phones_and_times_that_are_none(self, office: Office) -> None:
        self.refuse(office, "fetch", "archive", "--phone", "12", says="not one whole phone number")
        for option in ("--since", "--until"):
            ran = office.run("archive", "fetch", "archive", option, "yesterday")
            assert (ran.code, option in ran.err) == (2, True)
        ran = office.run("archive", "fetch", "archive", "--since", "2026-02-01", "--until", "2026-01-01")
        assert (ran.code, "--until" in ran.err) == (2, True)

    def test_two_fetches_at_once(self, office: Office) -> None:
        start(office, ANN)
        office.sandbox.faults.add(parse_fault("hang:path=/v1/messages*,seconds=30,committed=true"))
        with office.start("archive", "fetch", "archive", "--quiet") as process:
            wait_until(lambda: any("/v1/messages" in request.path for request in office.sandbox.requests))
            self.refuse(office, "fetch", "archive", code=5, says="another fetch")
            self.refuse(office, "verify", "archive", code=5, says="another fetch")
            process.kill()
            process.communicate()

    def test_a_refused_key(self, office: Office) -> None:
        ran = office.run("archive", "fetch", "archive", OPENPHONE_API_KEY="wrong")
        assert (ran.code, "OPENPHONE_API_KEY" in ran.err) == (3, True)


def test_a_key_of_a_starter_plan_archives_all_else(dsn: str, tmp_path: Path) -> None:
    options = SandboxOptions(conversations=10, rate_limit=100_000, variants=Variants(plan="starter"))
    with FaultySandbox(options) as sandbox, open_office(dsn, sandbox, tmp_path) as office:
        report = fetch(office, *EVERYTHING, code=1)
        assert report["unavailable"] == ["summary", "transcript"]
        assert report["totals"]["message"] > 10
        assert not fetch(office, "--media")["unavailable"]
