"""An independent model of what must never happen. It knows what staff typed and when, what rows said about whom, and what
the workspace accepted, and none of the product's rules.

Every person has a number that only the simulator knows. A contact of one person that is written for another is a
stranger's; two contacts that this tool made for one person are a double.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from openphone_sync.model import ActionKind, FieldType, Intent, RemoteContact
from tests.simulator.source import SLOTS, Row
from tests.simulator.workspace import FIELDS, KEYS

Mark = tuple[str, str]
"""What a value is, and which one: ("phone", "+1213…"), ("field", "key02"), ("last", "")."""

_SCALARS = {"first": "first_name", "last": "last_name", "company": "company", "role": "role"}
_REPORTED = {"first": "firstName", "company": "company", "role": "role", "label": "phoneNumbers.name"}
PHONE = re.compile(r"[0-9]{3}-555-[0-9]{4}")
EMAIL = re.compile(r"[a-z0-9]+@[a-z.]+")
_NAMES = {definition.key: definition.name for definition in FIELDS}
_DATES = {definition.key for definition in FIELDS if definition.kind == FieldType.DATE}
"""Fields in which another time of the same day says the same."""
_UNMAPPED = {("field", KEYS["Notes"]), ("last", "")}


@dataclass(frozen=True)
class Typed:
    """A value that staff typed, at which tick of the workspace."""

    value: object
    tick: int


@dataclass
class RunRecord:
    """What the judge saw of one run. ``disturbed``: staff, chance or a signal came between."""

    run_id: str
    command: str
    died: bool = False
    disturbed: bool = False
    contacts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # contact id -> external ids
    given_way: list[tuple[str, Mark, object]] = field(default_factory=list)
    created: int = 0
    patched: set[str] = field(default_factory=set)


def values_of(contact: RemoteContact) -> dict[Mark, object]:
    """Everything that a contact holds."""
    found: dict[Mark, object] = {
        (kind, ""): value for kind, name in _SCALARS.items() if (value := getattr(contact, name))
    }
    for item in contact.phones:
        if item.value:
            found["phone", item.value] = True
            found["label", item.value] = item.label
    for item in contact.emails:
        if item.value:
            found["email", item.value.casefold()] = True
    for one in contact.custom_fields:
        if one.value not in (None, ""):
            found["field", one.key or ""] = str(one.value)[:10] if one.key in _DATES else one.value
    return found


class Judge:
    """Sees everything and collects ``findings``. ``humans``: client id -> slot -> the person's number, None
    where nobody can tell."""

    def __init__(self) -> None:
        self.humans: dict[str, dict[int, int | None]] = {}
        self.human_of: dict[str, int | None] = {}
        self.taken_for: dict[str, int | None] = {}  # of contacts of which nobody can tell whose they are
        self.made_for: dict[str, str] = {}  # contact id -> client id, of contacts that this tool made
        self.deletions: Counter[int | None] = Counter()  # by staff, of contacts of each person
        self.typed: dict[str, dict[Mark, Typed]] = defaultdict(dict)
        self.touched: dict[str, set[Mark]] = defaultdict(set)  # what staff ever made, changed or removed
        self.written: dict[str, set[tuple[Mark, object]]] = defaultdict(set)
        self.forgotten: set[str] = set()  # contacts of which the state was lost: what a row says no longer is kept
        self.excused: set[str] = set()  # clients of whom a person decided that two contacts are right
        self.adopts_in_doubt = False
        self.in_window = 0
        self._deleted: dict[str, int | None] = {}  # external id -> person, of contacts that this tool deleted
        self.findings: list[str] = []
        self.run = RunRecord("", "")
        self.note: Callable[[str], None] = lambda _: None

    def _find(self, text: str) -> None:
        """Kept until the run is over: the program must not be able to catch it."""
        self.note(f"!! {text}")
        self.findings.append(text)

    # --- what staff do -----------------------------------------------------------------------------------------------

    def changed(self, before: RemoteContact | None, after: RemoteContact, tick: int, human: int | None) -> None:
        """Staff made or changed a contact: what is on it now and was not before was typed."""
        old, new = values_of(before) if before else {}, values_of(after)
        contact_id = after.contact_id
        typed = self.typed[contact_id]
        self.touched[contact_id] |= {mark for mark in {*old, *new} if old.get(mark) != new.get(mark)}
        for mark in set(old) - set(new):
            typed.pop(mark, None)
        for mark, value in new.items():
            if old.get(mark) == value:
                continue
            typed.pop(mark, None)
            # What this tool wrote there once is not told from what a person typed again.
            if (mark, value) not in self.written[contact_id] and not (
                mark[0] == "label" and ("phone", mark[1]) in typed
            ):
                typed[mark] = Typed(value, tick)
        for mark in [mark for mark in typed if mark[0] == "label" and ("phone", mark[1]) not in new]:
            del typed[mark]
        self.human_of.setdefault(contact_id, human)

    def removed(self, contact_id: str) -> None:
        """Staff deleted a contact."""
        self.typed.pop(contact_id, None)
        human = self.human_of.get(contact_id)
        self.deletions[self.taken_for.get(contact_id) if human is None else human] += 1

    def lost_state(
        self, contacts: Iterable[RemoteContact], source: str, in_rows: Callable[[Mark, object], bool]
    ) -> None:
        """Nobody knows any more who wrote what: on contacts of ours, what a row can say counts as written by us."""
        for contact in contacts:
            self.forgotten.add(contact.contact_id)
            if contact.source == source:
                typed = self.typed[contact.contact_id]
                for mark in [mark for mark, one in typed.items() if in_rows(mark, one.value)]:
                    del typed[mark]

    # --- what the workspace accepts ----------------------------------------------------------------------------------

    def created(self, contact: RemoteContact, thread: dict[str, Any]) -> None:
        """A POST was carried out."""
        intent: Intent | None = thread.get("intent")
        if thread.get("late"):  # of a run before: this one finds it without knowing what was sent
            self.forgotten.add(contact.contact_id)
        else:
            self.run.created += 1
        for mark, value in values_of(contact).items():
            self.written[contact.contact_id].add((mark, value))
        if intent is not None:
            link = intent.link
            human = self.humans.get(link.client_id, {}).get(link.slot)
            if self.run.command == "rollback":  # the person whose contact was deleted
                human = self._deleted.get(contact.external_id or "")
            self.human_of[contact.contact_id] = human
            self.made_for[contact.contact_id] = link.client_id
            self.run.contacts[contact.contact_id].add(link.external_id)
        self.note(f"POST {contact.external_id} -> {contact.contact_id}")

    def patched(self, before: RemoteContact, after: RemoteContact, read_at: int | None, thread: dict[str, Any]) -> None:
        """A PATCH was carried out."""
        contact_id = before.contact_id
        self.note(f"PATCH {contact_id} {_show(before, after)}")
        self.run.patched.add(contact_id)
        self._check_person(contact_id, thread)
        old, new = values_of(before), values_of(after)
        for mark, typed in list(self.typed[contact_id].items()):
            if new.get(mark) == typed.value:
                if read_at is not None and typed.tick > read_at:
                    del self.typed[contact_id][mark]  # this tool wrote the same, and cannot know of the other
                continue
            del self.typed[contact_id][mark]
            if mark[0] != "label" or ("phone", mark[1]) in new:  # a label goes with a number that the row dropped
                self._lose(contact_id, mark, typed, read_at)
        self.written[contact_id].update(entry for entry in new.items() if old.get(entry[0]) != entry[1])

    def deleted(self, contact: RemoteContact, read_at: int | None) -> None:
        """A DELETE was carried out."""
        contact_id = contact.contact_id
        self.note(f"DELETE {contact_id}")
        self._deleted[contact.external_id or ""] = self.human_of.get(contact_id)
        if contact_id not in self.made_for:
            self._find(f"deleted {contact_id}, which this tool did not make")
        for mark, typed in self.typed.pop(contact_id, {}).items():
            if read_at is not None and typed.tick > read_at:
                self.in_window += 1
            else:
                self._find(f"deleted {contact_id}, on which staff had typed {mark} {typed.value!r}")

    def _lose(self, contact_id: str, mark: Mark, typed: Typed, read_at: int | None) -> None:
        if read_at is not None and typed.tick > read_at:
            self.in_window += 1
            self.note(f"   in the window between GET and PATCH: {mark} {typed.value!r}")
        elif mark[0] in {"phone", "email"} or mark in _UNMAPPED:
            self._find(f"{contact_id} lost {mark} {typed.value!r}, which staff had typed")
        else:
            self.run.given_way.append((contact_id, mark, typed.value))

    def _check_person(self, contact_id: str, thread: dict[str, Any]) -> None:
        intent: Intent | None = thread.get("intent")
        if intent is None or self.run.command != "sync":
            return
        link = intent.link
        self.run.contacts[contact_id].add(link.external_id)
        row = self.humans.get(link.client_id, {}).get(link.slot)
        contact = self.human_of.get(contact_id)
        in_doubt = intent.kind is ActionKind.ADOPT and self.adopts_in_doubt
        if in_doubt or row is None or contact is None:
            self.human_of[contact_id] = None
            self.taken_for[contact_id] = row
        elif row != contact:
            self._find(f"wrote {link.external_id} (person {row}) over {contact_id}, the contact of person {contact}")

    # --- after a run -------------------------------------------------------------------------------------------------

    def check_given_way(self, report: Mapping[str, Any] | None, unsure: Iterable[str]) -> None:
        """A mapped value that staff had typed and that gave way is listed in the report.

        ``unsure``: contacts of which the run itself does not know whether the write happened; the journal has them.
        """
        unsure = set(unsure)
        for contact_id, mark, value in self.run.given_way:
            field_name = _REPORTED.get(mark[0]) or f"customFields.{_NAMES[mark[1]]}"
            listed = report is not None and any(
                entry["externalId"] in self.run.contacts[contact_id]
                and entry["field"] == field_name
                and entry["kept"] == "source"
                for entry in report["conflicts"]
            )
            if not listed and contact_id not in unsure:
                self._find(f"{contact_id}: {field_name} {value!r}, typed by staff, was written over and is not listed")

    def check_doubles(self, contacts: Mapping[str, RemoteContact]) -> None:
        """No person has two contacts that this tool made."""
        seen: dict[tuple[str, int], str] = {}
        for contact_id, client_id in self.made_for.items():
            human = self.human_of.get(contact_id)
            if contact_id not in contacts or human is None or client_id in self.excused:
                continue
            other = seen.setdefault((client_id, human), contact_id)
            if other != contact_id:
                self._find(f"person {human} of client {client_id} has two contacts of ours, {other} and {contact_id}")

    def check_follows(self, contact: RemoteContact, row: Row, slot: int) -> None:
        """A linked contact says what the row says, as far as staff never touched it."""
        if contact.contact_id in self.forgotten:
            return
        touched, values = self.touched[contact.contact_id], values_of(contact)
        wanted: dict[Mark, object] = {}
        name = str(row["client_name"] or "").strip("\u200b ")
        called = row[f"relationship_{slot}"] or f"Contact {slot}" if slot else ""
        wanted["first", ""] = f"{name} - {called}" if slot else name
        cell = str(row[f"contact_{slot}_phone" if slot else "phone"] or "")
        wanted |= {("phone", "+1" + one.replace("-", "")): True for one in PHONE.findall(cell)}
        if not slot:
            wanted["field", KEYS["County"]] = row["county"]
            wanted |= {("email", one.casefold()): True for one in EMAIL.findall(str(row["email"] or ""))}
        kinds = {kind for kind, _ in touched}
        for mark, value in wanted.items():
            mine = mark in touched or (mark[0] in {"phone", "email"} and mark[0] in kinds)
            mine = mine or (mark[0] == "first" and "last" in kinds)
            if name and not mine and values.get(mark) != value:
                self._find(
                    f"{contact.contact_id} has {values.get(mark)!r} for {mark}, its row {row['id']}/{slot} says {value!r}"
                )

    def check_declines(self, report: Mapping[str, Any], rows: Mapping[str, Row]) -> None:
        """Nobody is declined whose contact staff have not deleted twice."""
        declined = {one["externalId"] for one in report["skipped"] if one["code"] == "deleted_twice"}
        for client_id, row in rows.items():
            for slot, external_id in zip((0, *SLOTS), find_external_ids(row, every_slot=True), strict=True):
                human = self.humans.get(client_id, {}).get(slot)
                if external_id in declined and human is not None and self.deletions[human] < 2:
                    self._find(f"{external_id} is declined, but no contact of person {human} was deleted twice")

    def check_counts(self, report: Mapping[str, Any], rows: Mapping[str, Row]) -> None:
        """Every contact that the rows name is counted once."""
        counts = report["contacts"]
        wanted = {name for row in rows.values() for name in find_external_ids(row)}
        taken_back = [one for one in report["held"] if one["code"] == "rolled_back" and one["externalId"] not in wanted]
        counted = sum(counts.values()) - counts["deleted"] - len(taken_back)
        if counted != len(wanted):
            self._find(f"the rows name {len(wanted)} contacts, the report counts {counted}: {counts}")
        if report["clients"]["read"] != len(rows):
            self._find(f"{len(rows)} rows, {report['clients']['read']} read")
        if not self.run.disturbed and counts["created"] != self.run.created:
            self._find(f"{self.run.created} contacts were created, the report says {counts['created']}")
        written = counts["updated"] + counts["adopted"]
        if not self.run.disturbed and written < len(self.run.patched):
            self._find(f"{len(self.run.patched)} contacts were changed, the report says {written}")


def names_alternate(row: Row, slot: int) -> bool:
    """Whether a row has a name or a phone in this slot."""
    return any(str(row[name] or "").strip("\u200b ") for name in (f"contact_{slot}", f"contact_{slot}_phone"))


def find_external_ids(row: Row, *, every_slot: bool = False) -> list[str]:
    """What the contacts of a row are called."""
    client_id = row["id"]
    main = f"client_{client_id}" + ("_alt_0" if re.search(r"_alt_[0-9]+\Z", client_id) else "")
    return [main, *(f"client_{client_id}_alt_{slot}" for slot in SLOTS if every_slot or names_alternate(row, slot))]


def _show(before: RemoteContact, after: RemoteContact) -> str:
    old, new = values_of(before), values_of(after)
    gone = [f"-{mark}={old[mark]}" for mark in old if old[mark] != new.get(mark)]
    came = [f"+{mark}={new[mark]}" for mark in new if new[mark] != old.get(mark)]
    return " ".join(gone + came)
