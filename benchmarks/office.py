"""A made-up law office: people, the client rows of its database, and the contacts that its staff typed into the phone app.

Names are drawn as common as in the US census of 1990 (files ``dist.*`` of the PyPI package ``names``, public domain).
How staff write contacts is drawn from the shares below; they were set before anything was measured and stay as they are.
Everything follows from the seed.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

SHORT_FORMS = {
    key: value.split()
    for key, value in {
        "james": "jim jimmy jamie", "john": "johnny jack", "robert": "bob rob bobby", "michael": "mike mikey",
        "william": "bill will billy", "david": "dave", "richard": "rick rich dick", "charles": "charlie chuck",
        "joseph": "joe joey", "thomas": "tom tommy", "christopher": "chris", "daniel": "dan danny",
        "matthew": "matt", "anthony": "tony", "donald": "don donnie", "steven": "steve", "kenneth": "ken kenny",
        "edward": "ed eddie", "ronald": "ron ronnie", "timothy": "tim", "jeffrey": "jeff", "gregory": "greg",
        "joshua": "josh", "andrew": "andy drew", "raymond": "ray", "samuel": "sam", "benjamin": "ben",
        "patrick": "pat", "alexander": "alex", "nicholas": "nick", "jonathan": "jon", "frank": "frankie",
        "francisco": "paco pancho", "jose": "pepe", "lawrence": "larry", "gerald": "jerry", "walter": "walt",
        "patricia": "pat patty tricia", "jennifer": "jen jenny", "elizabeth": "liz beth betty lizzie",
        "barbara": "barb", "susan": "sue susie", "margaret": "maggie peggy meg", "deborah": "deb debbie",
        "katherine": "kathy katie kate", "kimberly": "kim", "christine": "chris chrissy", "cynthia": "cindy",
        "rebecca": "becky", "kathleen": "kathy", "pamela": "pam", "jessica": "jess", "amanda": "mandy",
        "stephanie": "steph", "victoria": "vicky tori", "sandra": "sandy", "theresa": "terry tess",
        "catherine": "cathy cat", "samantha": "sam", "angela": "angie", "nancy": "nan", "guadalupe": "lupe",
        "rosario": "chayo", "isabel": "chavela", "veronica": "vero ronnie",
    }.items()
}  # fmt: skip
ACCENTED = {"jose": "José", "maria": "María", "andres": "Andrés", "garcia": "García", "hernandez": "Hernández",
            "lopez": "López", "gonzalez": "González", "martinez": "Martínez", "perez": "Pérez", "sanchez": "Sánchez",
            "rodriguez": "Rodríguez", "ramirez": "Ramírez", "nunez": "Núñez", "munoz": "Muñoz"}  # fmt: skip
HISPANIC = frozenset(
    [
        "garcia",
        "martinez",
        "rodriguez",
        "lopez",
        "hernandez",
        "gonzalez",
        "perez",
        "sanchez",
        "rivera",
        "ramirez",
        "torres",
        "flores",
        "diaz",
        "gomez",
        "ortiz",
        "cruz",
        "morales",
        "reyes",
        "ramos",
        "ruiz",
        "alvarez",
        "mendoza",
        "castillo",
        "romero",
        "herrera",
        "medina",
        "aguilar",
        "vargas",
        "guzman",
        "mendez",
        "munoz",
        "salazar",
        "garza",
        "soto",
        "vasquez",
        "alvarado",
        "delgado",
        "pena",
        "contreras",
        "sandoval",
        "guerrero",
        "rios",
        "estrada",
        "ortega",
        "nunez",
        "maldonado",
        "vega",
    ]
)
MATTERS = ("custody", "divorce", "DUI", "criminal", "case", "new client", "client", "PI", "probate", "eviction",
           "immigration", "2pm thurs", "court 5/12", "felony", "intake", "consult", "pays late", "trial friday",
           "23-CV-0141", "spanish", "wants callback", "referred by Tina", "WC", "expungement", "mod", "retainer due")  # fmt: skip
RELATIVES = {"M": ("dad", "husband", "brother", "son", "father", "bf"),
             "F": ("mom", "wife", "sister", "daughter", "mother", "gf")}  # fmt: skip
PLACES = ("County Jail", "Main Street Bail Bonds", "Probation Dept", "Superior Court Clerk", "Uncle Joe's Garage",
          "St Mary Hospital", "Rodriguez Trucking LLC", "Smith Insurance Inc")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """``phones``: the one the person answers first. ``birth`` is an ISO date. ``middle`` and ``suffix`` may be empty."""

    person_id: int
    given: str
    middle: str
    surname: str
    suffix: str
    gender: str
    birth: str
    phones: tuple[str, ...]
    email: str
    former_surname: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A client row: ``kind`` names what is special about it."""

    row_id: int
    person: Person
    name: str
    phones: tuple[str, ...]
    email: str
    birth: str


@dataclass(frozen=True, slots=True)
class Card:
    """A contact that staff typed. ``people`` are the ids of those it stands for; ``style`` says how it was written."""

    card_id: int
    people: frozenset[int]
    style: str
    first: str
    last: str
    phones: tuple[str, ...]
    emails: tuple[str, ...] = ()


@dataclass(slots=True)
class Census:
    """Names with their shares of the population."""

    folder: Path
    names: dict[str, list[str]] = field(default_factory=dict)
    sums: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, file in (("M", "dist.male.first"), ("F", "dist.female.first"), ("S", "dist.all.last")):
            lines = [line.split() for line in (self.folder / file).read_text().splitlines() if line.strip()]
            self.names[kind] = [line[0].capitalize() for line in lines]
            self.sums[kind] = list(accumulate(float(line[1]) for line in lines))

    def draw(self, rng: random.Random, kind: str) -> str:
        """``M``: a man's name, ``F``: a woman's, ``S``: a surname."""
        sums = self.sums[kind]
        return self.names[kind][min(bisect(sums, rng.random() * sums[-1]), len(sums) - 1)]


class Office:
    """Draws people, rows and cards one after the other from one stream of chance."""

    def __init__(self, census: Census, seed: int) -> None:
        self.census = census
        self.rng = random.Random(seed)
        self.people = 0
        self.cards = 0
        self.phones_drawn: set[str] = set()

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def phone(self) -> str:
        while True:
            number = f"+1{self.rng.choice((213, 310, 323, 562, 626, 818))}{self.rng.randrange(2_000_000, 9_999_999)}"
            if number not in self.phones_drawn:
                self.phones_drawn.add(number)
                return number

    def birth(self, age: int) -> str:
        return f"{2025 - age:04}-{self.rng.randrange(1, 13):02}-{self.rng.randrange(1, 29):02}"

    # -- people

    def household(self) -> list[Person]:
        """One to five people: couples, children, parents; some share a phone, some a name, some are twins."""
        surname = self.surname()
        phone = self.phone()
        size = self.rng.choices((1, 2, 3, 4, 5), (35, 28, 17, 13, 7))[0]
        shared = 0.15
        members = [self.person(surname, phone, shared, self.rng.randrange(24, 75))]
        for place in range(1, size):
            members.append(self.relative(members, place, surname, phone, shared))
        return members

    def relative(self, members: list[Person], place: int, surname: str, phone: str, shared: float) -> Person:
        first = members[0]
        age = 2025 - int(first.birth[:4])
        if place == 1 and self.chance(0.6):  # a partner: half of them under one name
            former = self.surname()
            own = surname if self.chance(0.6) else former
            return self.person(own, phone, shared, max(20, age + self.rng.randrange(-6, 7)), former=former)
        if first.gender == "M" and self.chance(0.06):
            return self.junior(first, phone, shared)
        last = members[-1]
        if place > 1 and self.chance(0.06):
            return self.twin(last, phone, shared)
        return self.person(surname, phone, shared, max(16, age - self.rng.randrange(18, 32)))

    def surname(self) -> str:
        first = self.census.draw(self.rng, "S")
        if first.lower() in HISPANIC and self.chance(0.4):
            return f"{first}{self.rng.choice(' -')}{self.rng.choice(sorted(HISPANIC)).capitalize()}"
        return f"{first}-{self.census.draw(self.rng, 'S')}" if self.chance(0.01) else first

    def person(
        self, surname: str, household_phone: str, shared: float, age: int, *, former: str = "", gender: str = ""
    ) -> Person:
        gender = gender or self.rng.choice("MF")
        given = self.census.draw(self.rng, gender)
        own = household_phone if self.chance(shared) else self.phone()
        middle = self.census.draw(self.rng, gender) if self.chance(0.6) else ""
        former_surname = former if gender == "F" and former != surname else ""
        self.people += 1
        email = f"{given}.{surname.split(maxsplit=1)[0]}{self.people}@example.com".lower().replace(" ", "")
        return Person(self.people, given, middle, surname, "", gender, self.birth(age), (own,), email, former_surname)

    def junior(self, father: Person, phone: str, shared: float) -> Person:
        self.people += 1
        own = phone if self.chance(shared) else self.phone()
        born = self.birth(2025 - int(father.birth[:4]) - 26)
        return Person(
            self.people, father.given, father.middle, father.surname, self.rng.choice(("Jr.", "Jr.", "II")), "M", born,
            (own,), f"{father.given}.jr{self.people}@example.com".lower(),
        )  # fmt: skip

    def twin(self, other: Person, phone: str, shared: float) -> Person:
        """A sister or brother of the same day, often with a name that begins alike (Jayden, Jaylen)."""
        for _ in range(200):
            given = self.census.draw(self.rng, other.gender)
            if given != other.given and (given[0] == other.given[0] or self.chance(0.02)):
                break
        self.people += 1
        own = other.phones[0] if self.chance(0.4) else phone if self.chance(shared) else self.phone()
        return Person(
            self.people,
            given,
            "",
            other.surname,
            "",
            other.gender,
            other.birth,
            (own,),
            f"{given}{self.people}@example.com",
        )

    # -- rows

    def row(self, row_id: int, person: Person) -> Row:
        """The client as the database has him: mostly neat, sometimes accented, turned, misspelt, in capitals."""
        given, surname = person.given, person.surname
        if self.chance(0.3):
            given = ACCENTED.get(given.lower(), given)
            surname = ACCENTED.get(surname.lower(), surname)
        middle = (
            person.middle if self.chance(0.25) else f"{person.middle[0]}." if person.middle and self.chance(0.2) else ""
        )
        parts = [given, middle, surname, person.suffix if self.chance(0.7) else ""]
        name = " ".join(part for part in parts if part)
        if self.chance(0.02):
            name = self.misspell(name)
        if self.chance(0.02):
            name = f"{surname}, {given}"
        name = name.upper() if self.chance(0.03) else name.lower() if self.chance(0.02) else name
        return Row(row_id, person, name, person.phones, person.email if self.chance(0.5) else "", person.birth)

    # -- cards

    def card(self, person: Person, client: Person | None = None) -> Card:
        """The contact of one person. ``client``: the client as whose relative the office knows this person."""
        self.cards += 1
        phones = (self.phone(),) if self.chance(0.04) else person.phones  # an old number
        if self.chance(0.05):
            phones = (*phones, self.phone())
        emails = (person.email,) if self.chance(0.12) else ()
        style, first, last = self.written(person, client)
        return Card(
            self.cards, frozenset((person.person_id,)), style, first, last, tuple(map(self.typed, phones)), emails
        )

    def place(self, phone: str) -> Card:
        """A contact that is nobody's: a jail, a court, a shop from whose phone somebody called."""
        self.cards += 1
        return Card(self.cards, frozenset(), "place", self.rng.choice(PLACES), "", (phone,))

    def typed(self, phone: str) -> str:
        digits = phone[2:]
        shapes = (
            phone,
            phone,
            phone,
            f"({digits[:3]}) {digits[3:6]}-{digits[6:]}",
            f"{digits[:3]}-{digits[3:6]}-{digits[6:]}",
        )
        return self.rng.choice(shapes)

    def written(self, person: Person, client: Person | None) -> tuple[str, str, str]:
        """(style, first name field, last name field)."""
        if client is not None and self.chance(0.5):
            return self.as_relative(person, client)
        style = self.rng.choices(
            ("full", "middle", "short form", "given only", "initial", "turned", "surname and matter", "full and matter",
             "given and matter", "former surname", "misspelt", "no name", "number", "title", "surname only", "couple"),
            (52, 4, 11, 6, 4, 3, 2, 6, 1, 2, 4, 1.5, 0.5, 1, 1, 1),
        )[0]  # fmt: skip
        return self.styled(style, person)

    def as_relative(self, person: Person, client: Person) -> tuple[str, str, str]:
        relation = self.rng.choice(RELATIVES[person.gender])
        called = f"{client.given} {client.surname}" if self.chance(0.6) else client.given
        texts = (f"{called}'s {relation}", f"{called} {relation}", f"{person.given} ({called} {relation})",
                 f"{called} - {relation.capitalize()}", f"{relation.capitalize()} of {called}")  # fmt: skip
        return "relative", self.rng.choice(texts), ""

    def styled(self, style: str, person: Person) -> tuple[str, str, str]:
        given, surname = person.given, person.surname
        suffix = f" {person.suffix}" if person.suffix and self.chance(0.5) else ""
        if " " in surname and self.chance(0.5):
            surname = surname.split()[0]  # the second surname is often left out
        matter = self.rng.choice(MATTERS)
        short = self.rng.choice(SHORT_FORMS.get(given.lower(), [given])).capitalize()
        former = person.former_surname or surname
        whole = {
            "full": (given, surname + suffix),
            "middle": (f"{given} {person.middle}".strip(), surname + suffix),
            "short form": (short, surname),
            "given only": (given, ""),
            "initial": (given, surname[0]) if self.chance(0.6) else (f"{given[0]}.", surname),
            "turned": (f"{surname}, {given}", ""),
            "surname and matter": (surname, matter),
            "full and matter": (given, f"{surname} {matter}") if self.chance(0.7) else (given, f"{surname} ({matter})"),
            "given and matter": (given, matter),
            "former surname": (given, former),
            "misspelt": tuple(self.misspell(f"{given} {surname}").partition(" ")[::2]),
            "no name": ("", ""),
            "number": (person.phones[0], ""),
            "title": (("Mr." if person.gender == "M" else "Ms."), surname),
            "surname only": (surname, ""),
            "couple": (f"{given} & {self.census.draw(self.rng, 'F' if person.gender == 'M' else 'M')}", surname),
        }[style]
        first, last = whole[0], whole[1]
        if self.chance(0.4):
            first, last = f"{first} {last}".strip(), ""
        return (style, first.lower(), last.lower()) if self.chance(0.12) else (style, first, last)

    def misspell(self, text: str) -> str:
        """One typo at any letter: another, a missing, a further one, two exchanged."""
        at = self.rng.randrange(len(text))
        letter = self.rng.choice("abcdefghijklmnopqrstuvwxyz")
        return {
            0: text[:at] + letter + text[at + 1 :],
            1: text[:at] + text[at + 1 :],
            2: text[:at] + letter + text[at:],
            3: text[: at - 1] + text[at : at + 1] + text[at - 1 : at] + text[at + 1 :] if at else text,
        }[self.rng.randrange(4)]


def make_office(census: Census, seed: int, households: int) -> tuple[list[Row], list[Card]]:
    """A grown office: of each household one member or several are clients; staff keep cards of clients and relatives."""
    office = Office(census, seed)
    rows: list[Row] = []
    cards: list[Card] = []
    for _ in range(households):
        members = office.household()
        clients = [m for i, m in enumerate(members) if i == 0 or office.chance(0.15)]
        rows += [office.row(len(rows) + i, person) for i, person in enumerate(clients, 1)]
        cards += _cards_of(office, members, clients)
    office.rng.shuffle(rows)
    office.rng.shuffle(cards)
    return rows, cards


def _cards_of(office: Office, members: Sequence[Person], clients: Sequence[Person]) -> Iterator[Card]:
    for person in members:
        is_client = person in clients
        if office.chance(0.7 if is_client else 0.3):
            yield office.card(person, None if is_client else clients[0])
            if office.chance(0.01):
                yield office.card(person)  # typed twice
    if office.chance(0.01):
        yield office.place(clients[0].phones[0])
    elif office.chance(0.005):
        previous = office.person(office.surname(), clients[0].phones[0], 1.0, 40)  # who had the number before
        yield office.card(previous)


def make_first_run(census: Census, seed: int, people: int = 300, cards: int = 500) -> tuple[list[Row], list[Card]]:
    """``people`` clients with a card and as many without, among ``cards`` cards; everybody unrelated to everybody."""
    office = Office(census, seed)
    everybody = [office.person(office.surname(), "", 0.0, office.rng.randrange(18, 80)) for _ in range(people + cards)]
    known, others, strangers = everybody[:people], everybody[people : 2 * people], everybody[2 * people :]
    rows = [office.row(i, person) for i, person in enumerate((*known, *others), 1)]
    made = [office.card(person) for person in (*known, *strangers)]
    office.rng.shuffle(rows)
    office.rng.shuffle(made)
    return rows, made
