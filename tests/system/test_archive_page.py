"""`archive html` through the command line, and its page in a browser."""

from __future__ import annotations

import html
import re
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from openphone_sync.sandbox.media import make_media
from tests.browser import browse
from tests.office import JAMES, Office
from tests.system.test_archive import ANN, BOB, EMPTY, fetch, start

pytestmark = pytest.mark.parametrize("sandbox", [EMPTY], indirect=True, ids=["empty"])

MANY = 10_000


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def make_page(office: Office, *options: str, **settings: str) -> str:
    ran = office.run("archive", "html", "archive", "--out", "page.html", *options, **settings)
    assert ran.code == 0, ran.err
    return (office.folder / "page.html").read_text(encoding="utf-8")


def read_cells(page: str) -> list[list[str]]:
    """The text of the cells of each row."""
    rows = re.findall(r"<tr class=.*?</tr>", page, re.DOTALL)
    cells = ([re.sub(r"<[^>]+>", " ", cell) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)] for row in rows)
    return [[" ".join(html.unescape(cell).split()) for cell in row] for row in cells]


@pytest.fixture
def _los_angeles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_los_angeles")
def test_a_page_says_who_wrote_what_when(office: Office) -> None:
    client = office.make_clients({**JAMES, "phone": ANN, "contact_1_phone": BOB})[0]
    office.sync()
    talk, ann = office.sandbox.conversations, start(office, ANN)
    noon = datetime(2026, 1, 31, 20, 5, 9, tzinfo=UTC).timestamp()
    staff = office.sandbox.workspace.phone_numbers()[0]["users"][0]["id"]
    talk.add_message(ann, "Is it on Tuesday?", at=noon)
    talk.add_message(ann, "Yes", at=noon + 60, is_incoming=False, userId=staff, status="undelivered")
    talk.add_call(ann, "voicemail", at=noon + 120)
    fetch(office)
    page = make_page(office, "--client", client)
    line = office.sandbox.workspace.phone_numbers()[0]["number"]
    rows = read_cells(page)
    assert rows[0] == [
        "1",
        "2026-01-31 12:05:09 PST 2026-01-31 20:05:09Z",
        "James Smith",
        "Is it on Tuesday?",
    ]
    assert rows[1][2:] == ["Dana Reyes", "Yes undelivered"]
    assert f"James Smith ({ANN})" in page
    assert f"Main line ({line})" in page
    assert rows[2][3].startswith("Call Voicemail: Hi, please call me back")
    assert stat.S_IMODE((office.folder / "page.html").stat().st_mode) == 0o600


def test_calls_show_their_length_summary_and_transcript(office: Office) -> None:
    ann = start(office, ANN)
    call = office.sandbox.conversations.add_call(ann, "answered")
    spoken = [{"content": "Hello?", "start": 61.5, "end": 62, "identifier": ANN, "userId": None}]
    office.sandbox.conversations.set_parts(
        call["id"],
        transcript={"callId": call["id"], "status": "completed", "dialogue": spoken},
        summary={"callId": call["id"], "status": "completed", "summary": ["A greeting."], "nextSteps": ["Call back."]},
    )
    office.sandbox.conversations.change(call["id"], duration=754)
    fetch(office, "--transcripts")
    text = read_cells(make_page(office, "--phone", ANN))[0][3]
    assert text == f"Call, 12 min 34 s Summary: A greeting. Next step: Call back. 1.1 1:01 {ANN} : Hello?"


def test_pictures_are_in_the_page_and_hashes_at_its_end(office: Office) -> None:
    office.sandbox.conversations.add_message(start(office, ANN), "look", media=["a.png", "b.pdf"])
    sha256 = fetch(office, "--media")["manifestSha256"]
    page = make_page(office, "--phone", ANN)
    addresses = Tags(page).addresses
    assert len(addresses) == 1
    assert addresses[0].startswith("data:image/png;base64,")
    end = page.partition("<h2>Hashes</h2>")[2]
    names = [path.name for path in (office.folder / "archive/media").iterdir()]
    assert len(names) == 2
    assert all(name in end for name in (*names, sha256))


def test_nothing_that_people_write_becomes_part_of_the_page(office: Office) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\x00\x1b]\u202e</td></table>{{ 7 * 7 }}"
    ann = start(office, ANN)
    talk = office.sandbox.conversations
    talk.change(ann, name=evil)
    changes: dict[str, Any] = {"from": evil, "status": evil, "to": [evil]}
    talk.add_message(ann, evil, **changes)
    office.make_clients({**JAMES, "client_name": evil.replace("\x00", ""), "phone": ANN})
    fetch(office)
    page = make_page(office, "--phone", ANN)
    found = Tags(page)
    assert not found.tags & {"script", "img", "a", "link", "iframe"}
    assert not {name for name in found.attributes if name.startswith("on")}
    assert not found.addresses
    assert "{{ 7 * 7 }}" in page
    assert "\x00" not in page
    assert "default-src 'none'" in html.unescape(page)


def test_names_that_are_out_of_reach_leave_numbers_and_a_note(office: Office) -> None:
    office.sandbox.conversations.add_message(start(office, ANN), "Hi")
    fetch(office)
    page = make_page(office, "--phone", ANN, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert read_cells(page)[0][2].startswith(ANN)
    assert "names from the client table could not be read" in page


def test_the_default_name_and_the_document(office: Office) -> None:
    office.sandbox.conversations.add_message(start(office, ANN), "Hi")
    fetch(office)
    ran = office.run("archive", "html", "archive", "--phone", ANN, "--json")
    assert ran.json["output"] == str(office.folder / "conversations_12135550111.html")
    assert (ran.json["conversations"], Path(ran.json["output"]).stat().st_size) == (1, ran.json["bytes"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--phone", BOB), "has no conversation with these numbers"),
        ((), "--client or --phone is needed"),
        (("--phone", ANN, "--client", "1"), "--client or --phone is needed"),
        (("--phone", ANN, "--out", "nowhere/page.html"), "cannot be written"),
    ],
)
def test_bad_input_is_said(office: Office, options: tuple[str, ...], says: str) -> None:
    office.sandbox.conversations.add_message(start(office, ANN), "Hi")
    fetch(office)
    ran = office.run("archive", "html", "archive", *options)
    assert (ran.code, says in ran.err, "; " in ran.err) == (2, True, True), ran.err


def test_a_damaged_archive_makes_no_page(office: Office) -> None:
    ann = start(office, ANN)
    office.sandbox.conversations.add_message(ann, "Hi")
    fetch(office)
    (office.folder / "archive/conversations" / f"{ann}.ndjson").write_bytes(b"")
    ran = office.run("archive", "html", "archive", "--phone", ANN, "--out", "page.html")
    assert (ran.code, "missing or changed" in ran.err, (office.folder / "page.html").exists()) == (2, True, False)


@pytest.mark.system("chromium")
def test_ten_thousand_messages_load_and_print(office: Office) -> None:
    ann = start(office, ANN)
    talk: Any = office.sandbox.conversations
    for number in range(MANY):
        media = [f"picture{number}.png"] if number % 100 == 0 else []
        talk.add_message(
            ann, f"Message {number}, about the hearing on Tuesday at 9:30", at=1_000_000 + number, media=media
        )
    assert fetch(office, "--media")["items"]["added"] == MANY
    page = make_page(office, "--phone", ANN)
    assert page.count("data:image/png") == MANY // 100
    assert page.count('<tr class="incoming">') == MANY
    shown, _ = browse(office, "--dump-dom", f"file://{office.folder}/page.html")
    assert f"Message {MANY - 1}," in shown
    browse(office, "--print-to-pdf=page.pdf", f"file://{office.folder}/page.html")
    assert (office.folder / "page.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.system("chromium")
def test_a_browser_shows_pictures_and_style_under_the_policy(office: Office) -> None:
    office.sandbox.conversations.add_message(start(office, ANN), "look", media=["a.png"])
    fetch(office, "--media")
    page = make_page(office, "--phone", ANN)
    assert make_media("a.png").startswith(b"\x89PNG")
    (office.folder / "page.html").write_text(page, encoding="utf-8")
    browse(office, "--screenshot=page.png", "--window-size=1000,700", f"file://{office.folder}/page.html")
    (office.folder / "plain.html").write_text(
        re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL), encoding="utf-8"
    )
    browse(office, "--screenshot=plain.png", "--window-size=1000,700", f"file://{office.folder}/plain.html")
    assert (office.folder / "page.png").read_bytes() != (office.folder / "plain.png").read_bytes()
