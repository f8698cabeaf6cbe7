"""The office: its client table, and the staff who use the app. Every act is drawn from a chance that is given to it.

People have numbers. Names and phones of different people are never alike by accident, so that it is known who a contact
is; where an act makes that doubtful (a nameless alternate takes over a slot), the person becomes None and nobody judges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from openphone_sync.model import RemoteContact, RemoteField, RemoteItem
from tests.simulator.judge import Judge, Mark
from tests.simulator.source import COLUMNS, SLOTS, Row
from tests.simulator.workspace import KEYS, OF_INTEGRATION, OF_OTHERS, Workspace

OURS = "legal-practitioner-app"
_RELATIVES = {
    "spouse": "Mrs. {0}",
    "household": "{0} family",
    "joint": "{1} / {2}",
    "role": "{2} attorney of {0}",
    "sibling": "{3} {0}",
}
_KINDS_OF_CONTACT = (
    *("same", "same", "same", "same", "stranger", "namesake", "nameless", "integration"),
    *("other tool", "stranger of other tool", "called otherwise", "called otherwise"),
    *_RELATIVES,
)

GIVEN = (
    *("Abigail", "Boris", "Catherine", "Dmitri", "Esperanza", "Frederick", "Guadalupe", "Hiroshi", "Ingrid", "Jamal"),
    *(
        "Katarzyna",
        "Leopold",
        "Mercedes",
        "Nikolai",
        "Octavia",
        "Perpetua",
        "Quentin",
        "Rosalind",
        "Siddharth",
        "Tomasz",
    ),
    *("Ursula", "Vikram", "Winifred", "Xiomara"),
)
SURNAMES = (
    *("Abernathy", "Blackwood", "Castellanos", "Dubrovsky", "Eisenhower", "Fitzgerald", "Guggenheim", "Hathaway"),
    *("Ibrahimovic", "Jankowski", "Kowalczyk", "Lindqvist", "Montgomery", "Nakamura", "Oppenheimer"),
)
COUNTIES = ("Los Angeles", "Kern", "Orange", "Ventura")
RELATIONSHIPS = ("Brother", "Mother", "Friend", "Brother", None)
UNUSABLE_PHONES = ("N/A", "in jail", "555")
UNUSABLE_NAMES = ("", "\u200b", None)
MOST_CLIENTS = 6
MOST_CONTACTS = 30


@dataclass
class Person:
    """Somebody in the source; ``number`` is None where nobody can tell any more who it is."""

    number: int | None
    name: str
    phone: str


class Office:
    """Rows, people and what staff know. ``judge`` hears of everything that staff type."""

    def __init__(
        self, workspace: Workspace, judge: Judge, now: Callable[[], float], most_clients: int = MOST_CLIENTS
    ) -> None:
        self.rows: dict[str, Row] = {}
        self.people: dict[str, dict[int, int | None]] = {}
        self.removed: dict[str, tuple[Row, dict[int, int | None]]] = {}
        self.staff_phones: list[str] = []
        self.known_names: dict[str, int | None] = {}  # who a name in a row has ever been
        self._spoiled: dict[str, str] = {}
        self._workspace = workspace
        self._judge = judge
        self._now = now
        self._most_clients = most_clients
        self._humans = 0
        self._phones = 0
        self._clients = 0
        self._odd_ids: set[str] = set()
        self._typed = 0

    # --- people ------------------------------------------------------------------------------------------------------

    def somebody(self) -> Person:
        """A person who was not there before."""
        number = self._humans
        self._humans += 1
        name = f"{GIVEN[number % len(GIVEN)]} {SURNAMES[(number * 7 + number // len(GIVEN)) % len(SURNAMES)]}"
        return Person(number, name, self.some_phone())

    def some_phone(self) -> str:
        """A number that nobody has yet, as offices type it."""
        self._phones += 1
        return f"213-555-{self._phones:04}"

    def snapshot(self) -> None:
        """What the program reads now is what it knows of people."""
        self._judge.humans = {key: dict(slots) for key, slots in self.people.items()}
        for client_id, slots in self.people.items():
            for slot, human in slots.items():
                name = self.rows[client_id][f"contact_{slot}" if slot else "client_name"]
                if name and self.known_names.setdefault(name, human) != human:
                    self.known_names[name] = None

    def in_rows(self, mark: Mark, value: object) -> bool:
        """Whether a row could say this; staff have numbers and addresses of their own."""
        kind, name = mark
        if kind in {"phone", "label"}:
            return name.startswith("+1213")
        if kind == "email":
            return name.startswith("client")
        return mark not in {("last", ""), ("field", KEYS["Notes"])}

    # --- the client table --------------------------------------------------------------------------------------------

    def act_in_table(self, chance: Random) -> str:
        """One edit of the client table; says what it was."""
        act = chance.choices([act for act, _ in _TABLE_ACTS], [weight for _, weight in _TABLE_ACTS])[0]
        said = act(self, chance)
        return f"{act.__name__.strip('_')}: {said}" if said else ""

    def add_client(self, chance: Random) -> str:
        """A row."""
        if len(self.rows) >= self._most_clients:
            return ""
        person = self.somebody()
        self._clients += 1
        client_id = str(self._clients)
        if self._clients > 1 and chance.random() < 0.03:
            odd = f"{chance.choice(sorted(self.rows or ['1']))}_alt_{chance.choice(SLOTS)}"
            client_id = client_id if odd in self._odd_ids else odd  # a table gives an id to one row only
            self._odd_ids.add(odd)
        row: Row = dict.fromkeys(COLUMNS)
        row |= {
            "id": client_id,
            "client_name": person.name,
            "client_type": chance.choice(["criminal", "civil", "Criminal"]),
            "phone": person.phone,
            "email": chance.choice([None, f"client{person.number}@example.org"]),
            "date_of_birth": f"19{60 + (person.number or 0) % 40}-0{1 + (person.number or 0) % 9}-15",
            "county": chance.choice([None, *COUNTIES]),
            "arrested": chance.choice([None, True, False]),
            "created_at": f"2024-01-{1 + self._clients % 28:02}T00:00:00",
        }
        self.rows[client_id] = row
        self.people[client_id] = {0: person.number}
        for slot in SLOTS[: chance.choice([0, 0, 1, 2])]:
            self._seat(client_id, slot, self.somebody(), chance)
        return f"{client_id} {row['client_name']} {row['phone']}"

    def _add_double(self, chance: Random) -> str:
        """The same person in a second row; nobody can tell which of them is meant."""
        row = self._pick_row(chance)
        if row is None or not self.add_client(chance):
            return ""
        double = self.rows[max(self.rows, key=lambda key: (self.rows[key]["created_at"], key))]
        double |= {"client_name": row["client_name"], "phone": row["phone"], "date_of_birth": row["date_of_birth"]}
        self.people[double["id"]][0] = None
        return f"{double['id']} is {row['id']}"

    def _seat(self, client_id: str, slot: int, person: Person, chance: Random) -> None:
        row = self.rows[client_id]
        row[f"contact_{slot}"] = person.name
        row[f"contact_{slot}_phone"] = person.phone
        row[f"relationship_{slot}"] = chance.choice(RELATIONSHIPS)
        self.people[client_id][slot] = person.number

    def _pick_row(self, chance: Random) -> Row | None:
        return self.rows[chance.choice(sorted(self.rows))] if self.rows else None

    def _remove_client(self, chance: Random) -> str:
        if len(self.rows) < 3 or len(self.removed) > 1:
            return ""
        client_id = chance.choice(sorted(self.rows))
        self.removed[client_id] = (self.rows.pop(client_id), self.people.pop(client_id))
        return client_id

    def _bring_back(self, chance: Random) -> str:
        if not self.removed:
            return ""
        client_id = chance.choice(sorted(self.removed))
        self.rows[client_id], self.people[client_id] = self.removed.pop(client_id)
        return client_id

    def _change_phone(self, chance: Random) -> str:
        row = self._pick_row(chance)
        if row is None:
            return ""
        old = row["phone"]
        typed = chance.choice(self.staff_phones) if self.staff_phones and chance.random() < 0.1 else self.some_phone()
        row["phone"] = chance.choice(
            [self.some_phone(), self.some_phone(), None, chance.choice(UNUSABLE_PHONES), f"{old}, {typed}", typed, old]
        )
        if chance.random() < 0.1:  # people share phones
            row["phone"] = self.rows[chance.choice(sorted(self.rows))]["phone"]
        return f"{row['id']}: {old} -> {row['phone']}"

    def _change_email(self, chance: Random) -> str:
        row = self._pick_row(chance)
        if row is None:
            return ""
        old, number = row["email"], chance.randrange(1000)
        row["email"] = chance.choice(
            [None, f"client{number}@example.org", f"{old or 'x'}; client{number}@example.org", "bad"]
        )
        return f"{row['id']}: {old} -> {row['email']}"

    def _change_field(self, chance: Random) -> str:
        row = self._pick_row(chance)
        if row is None:
            return ""
        column = chance.choice(
            ["county", "arrested", "currently_incarcerated", "client_type", "date_intake", "case_type"]
        )
        old = row[column]
        values = {
            "county": [None, *COUNTIES],
            "client_type": ["criminal", "civil", "Civil", None],
            "date_intake": [None, "2024-03-09", "2025-11-02T08:00:00", "soon"],
            "case_type": [None, "Divorce", "Will"],
        }
        row[column] = chance.choice(values.get(column, [None, True, False, "yes", "no"]))
        return f"{row['id']}: {column} {old} -> {row[column]}"

    def _change_name(self, chance: Random) -> str:
        row = self._pick_row(chance)
        if row is None or not str(row["client_name"] or "").strip("\u200b "):
            return ""
        old = row["client_name"]
        given, surname = old.split()[0], old.split()[-1]
        other = chance.choice(SURNAMES)
        row["client_name"] = chance.choice(
            [f"{given} {other}", f"{given} M. {surname}", f"{old} Jr.", f"{given} {surname}"]
        )
        return f"{row['id']}: {old} -> {row['client_name']}"

    def _spoil_name(self, chance: Random) -> str:
        row = self._pick_row(chance)
        if row is None:
            return ""
        if str(row["client_name"] or "").strip("\u200b "):
            self._spoiled[row["id"]] = row["client_name"]
            row["client_name"] = chance.choice(UNUSABLE_NAMES)
        else:
            row["client_name"] = self._spoiled.get(row["id"]) or self.somebody().name
        return f"{row['id']}: {row['client_name']!r}"

    # --- alternates --------------------------------------------------------------------------------------------------

    def _pick_alternate(self, chance: Random) -> tuple[Row, int] | None:
        found = [
            (row, slot) for _, row in sorted(self.rows.items()) for slot in SLOTS if slot in self.people[row["id"]]
        ]
        return chance.choice(found) if found else None

    def _add_alternate(self, chance: Random) -> str:
        row = self._pick_row(chance)
        free = [slot for slot in SLOTS if row is not None and slot not in self.people[row["id"]]]
        if row is None or not free:
            return ""
        slot = chance.choice(free)
        self._seat(row["id"], slot, self.somebody(), chance)
        return f"{row['id']}/{slot} {row[f'contact_{slot}']}"

    def _remove_alternate(self, chance: Random) -> str:
        found = self._pick_alternate(chance)
        if found is None:
            return ""
        row, slot = found
        self._clear(row, slot)
        return f"{row['id']}/{slot}"

    def _clear(self, row: Row, slot: int) -> None:
        for name in ("contact_{}", "relationship_{}", "contact_{}_phone"):
            row[name.format(slot)] = None
        self.people[row["id"]].pop(slot, None)

    def _swap_alternates(self, chance: Random) -> str:
        found = self._pick_alternate(chance)
        if found is None:
            return ""
        row, slot = found
        other = chance.choice([one for one in SLOTS if one != slot])
        for name in ("contact_{}", "relationship_{}", "contact_{}_phone"):
            row[name.format(slot)], row[name.format(other)] = row[name.format(other)], row[name.format(slot)]
        people = self.people[row["id"]]
        mine, theirs = people.pop(slot), people.pop(other, -1)
        people[other] = mine
        if theirs != -1:
            people[slot] = theirs
        return f"{row['id']}: {slot} <-> {other}"

    def _hand_over(self, chance: Random) -> str:
        """The slot goes to somebody else: another name and another phone."""
        found = self._pick_alternate(chance)
        if found is None:
            return ""
        row, slot = found
        nameless = not row[f"contact_{slot}"]
        self._seat(row["id"], slot, self.somebody(), chance)
        if nameless:  # nobody can tell: it could be the name of the one who had none
            self.people[row["id"]][slot] = None
        return f"{row['id']}/{slot} {row[f'contact_{slot}']}"

    def _change_alternate(self, chance: Random) -> str:
        found = self._pick_alternate(chance)
        if found is None:
            return ""
        row, slot = found
        what = chance.choice(["phone", "no phone", "unusable", "relationship", "second"])
        if what == "relationship":
            row[f"relationship_{slot}"] = chance.choice(RELATIONSHIPS)
        else:
            old = row[f"contact_{slot}_phone"]
            phones = {
                "phone": self.some_phone(),
                "no phone": None,
                "unusable": "N/A",
                "second": f"{old}, {self.some_phone()}",
            }
            row[f"contact_{slot}_phone"] = phones[what]
            self._drop_if_nobody(row, slot)
        return f"{row['id']}/{slot} {what}"

    def _spoil_alternate(self, chance: Random) -> str:
        """Odd rows: no name, the name of a sibling, the number of a sibling or of the client. Nobody can tell who is who."""
        found = self._pick_alternate(chance)
        if found is None:
            return ""
        row, slot = found
        others = [one for one in self.people[row["id"]] if one not in (0, slot)]
        what = chance.choice(["nameless", "name of sibling", "phone of sibling", "phone of client", "name of client"])
        if "sibling" in what and not others:
            what = "nameless"
        other = chance.choice(sorted(others)) if "sibling" in what else 0
        if what == "nameless":
            row[f"contact_{slot}"] = None
        elif what.startswith("name"):
            row[f"contact_{slot}"] = row[f"contact_{other}"] if other else row["client_name"]
        else:
            row[f"contact_{slot}_phone"] = row[f"contact_{other}_phone"] if other else row["phone"]
        for one in {slot, other} - {0}:
            self.people[row["id"]][one] = None
        self._drop_if_nobody(row, slot)
        return f"{row['id']}/{slot} {what} {other}"

    def _drop_if_nobody(self, row: Row, slot: int) -> None:
        if not row[f"contact_{slot}"] and not row[f"contact_{slot}_phone"]:
            self._clear(row, slot)

    # --- staff in the app --------------------------------------------------------------------------------------------

    def act_in_app(self, chance: Random) -> str:
        """Something that staff do to the contacts; says what it was."""
        act = chance.choices([act for act, _ in _APP_ACTS], [weight for _, weight in _APP_ACTS])[0]
        said = act(self, chance)
        return f"{act.__name__.strip('_')}: {said}" if said else ""

    def _pick(self, chance: Random) -> RemoteContact | None:
        contacts = self._workspace.contacts
        return contacts[chance.choice(sorted(contacts))] if contacts else None

    def _store(self, before: RemoteContact | None, after: RemoteContact, human: int | None) -> RemoteContact:
        if before is None:
            after = self._workspace.add(after, self._now())
        else:
            self._workspace.edit(after, self._now())
        after = self._workspace.contacts[after.contact_id]
        self._judge.changed(before, after, self._workspace.ticks, human)
        return after

    def _edit(self, contact: RemoteContact, **values: object) -> None:
        self._store(contact, replace(contact, **values), None)  # type: ignore[arg-type]  # any field

    def _staff_phone(self) -> str:
        self._typed += 1
        phone = f"+1310555{self._typed:04}"
        self.staff_phones.append(f"310-555-{self._typed:04}")
        return phone

    def _type_phone(self, chance: Random) -> str:
        contact = self._pick(chance)
        if contact is None:
            return ""
        label = chance.choice(["Wife", "Main Phone", "Brother Phone", "mobile", "Main Phone 2"])
        phone = self._staff_phone()
        self._edit(contact, phones=(*contact.phones, RemoteItem(label, phone)))
        return f"{contact.contact_id} {label} {phone}"

    def _retype_phone(self, chance: Random) -> str:
        contact = self._pick(chance)
        if contact is None or not contact.phones:
            return ""
        number = chance.randrange(len(contact.phones))
        phone = self._staff_phone()
        items = list(contact.phones)
        items[number] = replace(items[number], value=phone)
        self._edit(contact, phones=tuple(items))
        return f"{contact.contact_id} {contact.phones[number].value} -> {phone}"

    def _remove_phone(self, chance: Random) -> str:
        contact = self._pick(chance)
        if contact is None or not contact.phones:
            return ""
        number = chance.randrange(len(contact.phones))
        self._edit(contact, phones=contact.phones[:number] + contact.phones[number + 1 :])
        return f"{contact.contact_id} {contact.phones[number].value}"

    def _relabel(self, chance: Random) -> str:
        contact = self._pick(chance)
        if contact is None or not contact.phones:
            return ""
        number = chance.randrange(len(contact.phones))
        items = list(contact.phones)
        items[number] = replace(items[number], label=chance.choice(["Jail", "Mobile", "old"]))
        self._edit(contact, phones=tuple(items))
        return f"{contact.contact_id} {items[number].value} {items[number].label}"

    def _type_email(self, chance: Random) -> str:
        contact = self._pick(chance)
        if contact is None:
            return ""
        self._typed += 1
        address = f"staff{self._typed}@example.org"
        self._edit(contact, emails=(*contact.emails, RemoteItem(chance.choice(["Email", "Home"]), address)))
        return f"{contact.contact_id} {address}"

    def _type_text(self, chance: Random) -> str:
        contact = self._pick(chance)
        if contact is None:
            return ""
        self._typed += 1
        name = chance.choice(["last_name", "company", "role", "first_name", "last_name"])
        value = f"typed {self._typed}" if name != "first_name" else f"{contact.first_name} x{self._typed}"
        self._edit(contact, **{name: value})
        return f"{contact.contact_id} {name} {value}"

    def _type_field(self, chance: Random) -> str:
        contact = self._pick(chance)
        if contact is None:
            return ""
        self._typed += 1
        key, value = chance.choice(
            [
                (KEYS["Notes"], f"note {self._typed}"),
                (KEYS["Notes"], f"note {self._typed}"),
                (KEYS["County"], chance.choice([*COUNTIES, f"typed {self._typed}"])),
                (KEYS["Intake Date"], "2024-03-09T08:00:00.000Z"),
                (KEYS["Case Type"], f"typed {self._typed}"),
            ]
        )
        kept = tuple(one for one in contact.custom_fields if one.key != key)
        self._edit(contact, custom_fields=(*kept, RemoteField(key, value)))
        return f"{contact.contact_id} {key} {value}"

    def _delete_contact(self, chance: Random) -> str:
        contact = self._pick(chance)
        if contact is None:
            return ""
        self._workspace.remove(contact.contact_id, self._now())
        self._judge.removed(contact.contact_id)
        return contact.contact_id

    def _merge_contacts(self, chance: Random) -> str:
        """Staff put everything of one contact onto another of the same person, and delete the first."""
        contacts = self._workspace.contacts
        people = self._judge.human_of
        pairs = [
            (one, other)
            for one in sorted(contacts)
            for other in sorted(contacts)
            if one != other and people.get(one) is not None and people.get(one) == people.get(other)
        ]
        if not pairs:
            return ""
        one, other = chance.choice(pairs)
        gone, stays = contacts[one], contacts[other]
        known = {item.value for item in stays.phones}
        more = tuple(replace(item, item_id=None) for item in gone.phones if item.value not in known)
        self._edit(stays, phones=(*stays.phones, *more), last_name=stays.last_name or gone.last_name)
        self._workspace.remove(one, self._now())
        self._judge.removed(one)
        return f"{one} into {other}"

    def _make_contact(self, chance: Random) -> str:
        """For a person in the table, for somebody else on that person's phone, or for a namesake."""
        row = self._pick_row(chance)
        if row is None or len(self._workspace.contacts) >= MOST_CONTACTS:
            return ""
        client_id = row["id"]
        slot = chance.choice(sorted(self.people[client_id]))
        name = row[f"contact_{slot}"] if slot else row["client_name"]
        phone = str((row[f"contact_{slot}_phone"] if slot else row["phone"]) or "").split(",", maxsplit=1)[0]
        e164 = "+1" + phone.replace("-", "") if phone[:3] in {"213", "310"} else None
        what = chance.choice(_KINDS_OF_CONTACT)
        human: int | None = self.people[client_id][slot]
        source, external_id = None, None
        if self._is_shared(phone) or not name:
            human = None  # nobody can tell whose it is
        if what not in {"same", "other tool", "integration"}:
            name, human = self._call(what, str(name or ""), human, chance)
        if what in {"namesake", "stranger of other tool"}:
            e164 = "+1" + self.some_phone().replace("-", "")
        if what == "integration":
            source = OF_INTEGRATION
        elif what.endswith("other tool"):
            source, external_id = OF_OTHERS, f"client_{client_id}" + (f"_alt_{slot}" if slot else "")
        phones = (RemoteItem(chance.choice(["mobile", "Main Phone"]), e164),) if e164 else ()
        made = RemoteContact(
            "",
            first_name=name,
            phones=phones,
            source=source,
            external_id=external_id,
            company=chance.choice([None, "Shop"]),
        )
        contact = self._store(None, made, human)
        return f"{contact.contact_id} {what} {name} {e164} of {client_id}/{slot}"

    def _call(self, what: str, name: str, human: int | None, chance: Random) -> tuple[str | None, int | None]:
        """The name of a contact that is not simply the person's, and whose it is."""
        if what == "called otherwise":
            return chance.choice(["Mami", "Boss", "Tio Pepe"]), human
        if what == "nameless":
            return None, None
        if what == "namesake":
            return name, None
        other = self.somebody()
        if what in _RELATIVES and name:
            given = self.somebody().name.split()[0]
            return _RELATIVES[what].format(name.rsplit(maxsplit=1)[-1], name, other.name, given), other.number
        return other.name, other.number

    def _is_shared(self, phone: str) -> bool:
        cells = [str(row[name] or "") for row in self.rows.values() for name in COLUMNS if name.endswith("phone")]
        return sum(phone in cell for cell in cells) > 1


_TABLE_ACTS = (
    (Office.add_client, 2),
    (Office._add_double, 1),
    (Office._remove_client, 1),
    (Office._bring_back, 2),
    (Office._change_phone, 5),
    (Office._change_email, 3),
    (Office._change_field, 5),
    (Office._change_name, 2),
    (Office._spoil_name, 1),
    (Office._add_alternate, 3),
    (Office._remove_alternate, 1),
    (Office._swap_alternates, 3),
    (Office._hand_over, 3),
    (Office._change_alternate, 3),
    (Office._spoil_alternate, 2),
)
_APP_ACTS = (
    (Office._type_phone, 6),
    (Office._retype_phone, 3),
    (Office._remove_phone, 1),
    (Office._relabel, 2),
    (Office._type_email, 2),
    (Office._type_text, 5),
    (Office._type_field, 5),
    (Office._delete_contact, 2),
    (Office._merge_contacts, 2),
    (Office._make_contact, 4),
)
