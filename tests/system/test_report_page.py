"""`report`: one page that loads nothing, with every section; and what a browser makes of it."""

from __future__ import annotations

import html
import re
import stat
from html.parser import HTMLParser
from typing import Any

import pytest

from openphone_sync.sandbox.options import CUSTOM_FIELDS
from openphone_sync.views.cards import CONTACT_ADDRESS
from tests.browser import browse
from tests.office import JAMES, JAMES_ALONE, Office
from tests.report_scene import live_a_month

pytestmark = pytest.mark.parametrize("sandbox", [{"custom_fields": CUSTOM_FIELDS}], indirect=True, ids=["all fields"])

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\x1b]\u202e\"'></td></table>{{ 7 * 7 }}"
SECTIONS = ["nights", "coverage", "reviews", "problems", "staff", "conflicts", "last-run"]


class Page(HTMLParser):
    """The tags, attributes, sections and text of a page; with the text of each section."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.raw = text
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.sections: dict[str, str] = {}
        self._section = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag in ("section", "header", "footer"):
            self._section = dict(attrs).get("id") or tag
            self.sections[self._section] = ""

    def handle_data(self, data: str) -> None:
        if self._section:
            self.sections[self._section] += f" {data}"

    def read(self, section: str) -> str:
        """The text of a section, white space folded."""
        return " ".join(self.sections[section].split())

    def addresses(self) -> list[str]:
        return [value for name, value in self.attributes if name in ("href", "src", "srcset", "xlink:href", "action")]


def make_page(office: Office, *options: str, **settings: str) -> Page:
    ran = office.run("report", "--out", "page.html", *options, **settings)
    assert ran.code == 0, ran.err
    return Page((office.folder / "page.html").read_text(encoding="utf-8"))


def check_policy(page: Page) -> None:
    """Nothing runs and nothing is loaded; contacts in the app are links that a person may follow."""
    policy = next(value for name, value in page.attributes if value.startswith("default-src"))
    assert re.search(r"default-src 'none'; img-src data:; style-src 'sha256-[^']+'; base-uri 'none'", policy)
    assert not page.tags & {"script", "img", "link", "iframe", "object", "embed", "form", "base", "image", "use"}
    assert not {name for name, _ in page.attributes if name.startswith("on") or name == "style"}
    assert all(address.startswith(("#", CONTACT_ADDRESS)) for address in page.addresses())
    style = page.raw.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_before_the_first_sync_it_says_so(office: Office) -> None:
    office.make_clients(JAMES)
    page = make_page(office)
    check_policy(page)
    assert "No sync has run yet" in page.read("header")
    assert list(page.sections) == ["header", "footer"]
    ran = office.run("report", "--json", "--out", "page.html")
    assert (ran.json["health"], ran.json["reviews"], ran.json["bytes"]) == ("none", 0, len(page.raw.encode()))


def test_every_section_tells_what_is_in_it(office: Office) -> None:
    live_a_month(office)
    office.requests()
    page = make_page(office)
    assert office.requests() == []
    assert stat.S_IMODE((office.folder / "page.html").stat().st_mode) == 0o600
    check_policy(page)
    assert list(page.sections) == ["header", *SECTIONS, "footer"]
    assert "Healthy: the last sync succeeded" in page.read("header")
    assert re.search(r"Next run \w{3} \d+ \w{3} \d{4}, 02:00 \(0 2 \* \* \*\)", page.read("header"))
    assert "Of 30 days 26 good, 1 with failed contacts, 1 failed, 2 without a run" in page.read("nights")
    assert page.raw.count('<rect class="hit"') == 30
    assert "84 % 11 of 13 numbers that called or texted" in page.read("coverage")
    assert "(310) 555-0166" in page.read("coverage")
    assert "<polyline points=" in page.raw
    reviews = page.read("reviews")
    for text in ("Maria Gonzalez", "Mrs. Gonzalez", "(213) 555-0110", "gonzalez.family@example.com", "Keller Bakery"):
        assert text in reviews
    assert page.raw.count('class="same"') == 4  # a phone of Maria's and a name of Dorothy's, each on both sides
    assert "Walter Brandt phone 213-555-019 the phone is not a usable number: 9 digits" in page.read("problems")
    staff = page.read("staff")
    assert "James Smith phone (Wife) (213) 555-0199" in staff
    assert "Linh Nguyen Notes Calls back after 5 pm, prefers Vietnamese" in staff
    assert "Peter Novak County client table Ventura" in page.read("conflicts")
    assert "Rosa Delgado update e-mail:" in page.read("last-run")
    assert "County: Los Angeles County → Orange County" in page.read("last-run")


def test_each_empty_section_says_that_it_is(office: Office) -> None:
    office.make_clients(JAMES_ALONE)
    office.sync("--limit", "1")
    page = make_page(office)
    for section, text in (
        ("coverage", "Not measured yet"),
        ("reviews", "None: no contact waits for a decision."),
        ("problems", "Nothing to fix."),
        ("staff", "Nothing: the table has everything"),
        ("conflicts", "No conflict in the last 30 days."),
    ):
        assert text in page.read(section)


@pytest.mark.parametrize(
    ("spoil", "headline", "why"),
    [
        ({"OPENPHONE_API_KEY": "wrongkey"}, "The last sync failed", "OpenPhone"),
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "The last sync failed", "no connection to Postgres"),
    ],
    ids=["key", "database"],
)
def test_a_failed_night_is_said_with_its_reason(office: Office, spoil: dict[str, str], headline: str, why: str) -> None:
    office.make_clients(JAMES_ALONE)
    office.sync()
    office.change_client(office.sql("SELECT id::text FROM clients")[0][0], county="Kern")
    assert office.run("sync", **spoil).code == 3
    page = make_page(office)
    assert headline in page.read("header")
    assert why in page.read("header")
    assert office.run("report", "--json").json["health"] == "bad"


def test_without_a_schedule_a_good_run_needs_a_look(office: Office) -> None:
    office.make_clients(JAMES_ALONE)
    office.sync()
    page = make_page(office, PATH="/nowhere")
    assert "The last sync succeeded, but no sync is scheduled" in page.read("header")
    assert "Next run none is scheduled" in page.read("header")


def test_a_missed_night_is_bad(office: Office) -> None:
    live_a_month(office)
    with office.open_state() as state:
        state.execute("UPDATE runs SET started_at = started_at - 200000, finished_at = finished_at - 200000")
    assert "No sync of all clients has succeeded since" in make_page(office).read("header")


def test_without_the_database_names_come_from_the_state(office: Office) -> None:
    live_a_month(office)
    page = make_page(office, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert "The client table could not be read" in page.read("header")
    assert "James Smith phone (Wife)" in page.read("staff")
    assert "213-555-019" not in page.read("problems")


def put_evil_everywhere(office: Office) -> None:
    """Hostile texts in each place that the page shows."""
    evil = EVIL.replace("\x1b", "")
    row = {
        **JAMES,
        "client_name": evil,
        "phone": "213-555-0134",
        "county": evil,
        "relationship_1": evil,
        "contact_1": evil,
    }
    client = office.make_clients(row)[0]
    office.add_client({"client_name": evil + "2", "phone": evil})
    office.add_client({"client_name": "Maria Gonzalez", "phone": "213-555-0177"})
    workspace = office.sandbox.workspace
    phones = [{"name": evil, "value": "+12135550177"}]
    emails = [{"name": evil, "value": "evil<b>@example.com"}]
    workspace.add({"defaultFields": {"firstName": EVIL, "company": evil, "phoneNumbers": phones, "emails": emails}})
    office.sync()
    more = [{"name": evil, "value": "+12135550199"}]
    fields = [{"key": workspace.field_key(name), "value": evil} for name in ("Notes", "County")]
    changes = {"defaultFields": {"lastName": evil, "phoneNumbers": more, "emails": emails}, "customFields": fields}
    workspace.edit(office.contact(f"client_{client}")["id"], changes)
    office.change_client(client, county=evil + "3")
    office.sandbox.conversations.start("+12135550177", name=evil)
    office.sync("--mode", "full")


def test_what_people_wrote_stays_text(office: Office) -> None:
    put_evil_everywhere(office)
    page = make_page(office)
    check_policy(page)
    assert "<script>alert(1)</script>" in page.read("reviews")
    for section in ("problems", "staff", "conflicts", "last-run"):
        assert "<script>alert(1)</script>" in page.read(section), section
    assert "\x1b" not in page.raw
    assert "{{ 7 * 7 }}" in page.raw


def test_a_value_that_staff_typed_leaves_the_list_when_the_row_has_it(office: Office) -> None:
    client = office.make_clients(JAMES_ALONE)[0]
    office.sync()
    phone = {"name": "Cell", "value": "+12135550199"}
    office.sandbox.workspace.edit(
        office.contact(f"client_{client}")["id"], {"defaultFields": {"phoneNumbers": [phone]}}
    )
    assert "555-0199" not in make_page(office).read("staff")  # no run has read it yet
    office.change_client(client, county="Kern County")
    office.sync()
    assert "James Smith phone (Cell) (213) 555-0199" in make_page(office).read("staff")
    office.change_client(client, phone="213-555-0134, 213-555-0199")
    office.sync()
    assert "555-0199" not in make_page(office).read("staff")


def test_a_page_that_cannot_be_written_is_said(office: Office) -> None:
    ran = office.run("report", "--out", "nowhere/page.html")
    assert (ran.code, "cannot be written" in ran.err, "; choose another --out" in ran.err) == (2, True, True)


def test_the_page_is_named_after_the_day(office: Office) -> None:
    office.run("report")
    [page] = office.folder.glob("*.html")
    assert re.fullmatch(r"openphone_report_\d{4}-\d\d-\d\d\.html", page.name)


# --- in a browser --------------------------------------------------------------------------------------------------

PROBE = """
<!DOCTYPE html><meta charset="utf-8"><title></title><iframe id="f" src="page.html" width="{width}" height="3000"></iframe>
<script>
addEventListener("load", () => {{
  const doc = document.getElementById("f").contentDocument;
  const over = [...doc.querySelectorAll("body *")].filter(one => one.getBoundingClientRect().right > {width} + 0.5);
  document.title = JSON.stringify([doc.documentElement.scrollWidth, over.length, doc.scripts.length, doc.images.length]);
}});
</script>
"""


@pytest.mark.system("chromium")
@pytest.mark.parametrize("scene", [live_a_month, put_evil_everywhere], ids=["month", "evil"])
def test_a_browser_shows_it_without_overflow_or_message(office: Office, scene: Any) -> None:
    scene(office)
    make_page(office)
    _, messages = browse(office, "--dump-dom", f"file://{office.folder}/page.html")
    assert messages == ""
    for width in (390, 1280):
        (office.folder / "probe.html").write_text(PROBE.format(width=width))
        shown, messages = browse(office, "--dump-dom", f"file://{office.folder}/probe.html")
        title = html.unescape(shown.partition("<title>")[2].partition("</title>")[0])
        assert title == f"[{width},0,0,0]"
        assert messages == ""


@pytest.mark.system("chromium")
def test_light_and_dark_differ_and_it_prints(office: Office) -> None:
    live_a_month(office)
    make_page(office)
    address = f"file://{office.folder}/page.html"
    browse(office, "--screenshot=light.png", "--window-size=800,900", address)
    browse(office, "--screenshot=dark.png", "--window-size=800,900", "--blink-settings=preferredColorScheme=0", address)
    browse(office, "--print-to-pdf=page.pdf", address)
    assert (office.folder / "light.png").read_bytes() != (office.folder / "dark.png").read_bytes()
    assert (office.folder / "page.pdf").read_bytes().startswith(b"%PDF")
