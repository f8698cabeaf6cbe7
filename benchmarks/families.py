"""A made-up office of families: on a client's phone there are contacts of the client, and of everybody around the client.

`benchmarks.office` asks how many of an ordinary office's contacts are found. This one asks how many contacts of other
people are taken for the client's: a spouse's, a household's, an attorney's, a judge's, a contact that says "wrong
number", one of two people, a sister's whose name is one letter away. Names are drawn as often as people in the United
States bear them (Faker, provider ``en_US``). Everything follows from the seed, and so does the truth.

`FORMS` are what the rule was made with. `UNSEEN_FORMS` were written at the same time, before the rule, and no word of
them was used to choose the rule's words: what they say is what an office that we have not seen will find.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, permutations

from faker.providers.person.en_US import Provider
from rapidfuzz.distance import OSA

from benchmarks.office import HISPANIC, SHORT_FORMS, Card, Person, Row

Forms = Mapping[str, tuple[str, ...]]

CLIENTS = 1_200
UNRELATED = 1_500
"""Contacts of people who have nothing to do with a client, but sometimes a client's name."""

OWN_CONTACT = 0.62
OTHERS_CONTACTS = ((0, 1, 2), (50, 35, 15))
BY_EMAIL = 0.15
"""Of a client with an e-mail in the database, how many contacts carry that in place of the phone."""
OLD_NUMBER = 0.04

OWN_SHARES = {"full": 42, "given": 6, "initial": 5, "turned": 4, "nickname": 10, "middle": 4, "typo": 4, "title": 2,
              "line": 7, "matter": 11, "no name": 2, "surname": 3}  # fmt: skip

FORMS: dict[str, Forms] = {
    "client": {
        "full": ("{given} {surname}",),
        "given": ("{given}",),
        "initial": ("{g}. {surname}", "{g} {surname}", "{given} {s}.", "{given} {s}"),
        "turned": ("{surname}, {given}", "{surname} {given}", "{surname}, {given} {m}."),
        "nickname": ("{nick} {surname}", "{nick}", "{given} ({nick}) {surname}"),
        "middle": ("{given} {middle} {surname}", "{given} {m}. {surname}"),
        "typo": ("{typo}",),
        "title": ("{title} {given} {surname}",),
        "line": ("{given} {surname} cell", "{given} {surname} (mobile)", "{given} cell", "{given}'s cell",
                 "{given} {surname} new number", "{given} {surname} - work", "{given} {surname} home",
                 "{given} {surname} 2"),
        "matter": ("{given} {surname} DUI", "{given} {surname} (custody)", "{given} {surname} - divorce",
                   "{given} {surname} trial 5/12", "{given} custody", "{given} {surname} new client",
                   "Client {given} {surname}", "{given} {surname} (client)", "{given} {surname} criminal",
                   "{given} {surname} spanish", "{given} {surname} URGENT", "{given} {surname} owes",
                   "{given} {surname} PI case", "{surname}, {given} (probate)", "{given} {surname} intake",
                   "{given} {surname} felony", "{given} {surname} call back"),
        "no name": ("", "{phone}", "New client"),
        "surname": ("{surname}", "{title} {surname}", "{surname} custody"),
    },
    "others": {
        "spouse": ("{partner} {surname}", "{partner_title} {surname}", "{partner_title} {given} {surname}", "{partner}",
                   "{given}'s {spouse}", "{given} {surname} {spouse}", "{given} {surname}'s {spouse}",
                   "{partner} ({given}'s {spouse})", "{partner} {surname} ({given})", "{spouse} of {given}",
                   "{given} {spouse}"),
        "household": ("{surname} family", "The {surname}s", "{surname} household", "{surname} residence",
                      "{given} {surname} family", "Familia {surname}", "{surname} home", "{given} {surname} household",
                      "{given} & family", "{given}'s house"),
        "relative": ("{given}'s mom", "{given} mother", "{given} {surname} (brother)", "{other} {surname}",
                     "{given} {surname} sister", "{other} - {given} {surname} mom", "{given} {surname} son",
                     "Mother of {given} {surname}", "{other} {given} {surname} cousin"),
        "role": ("Atty {surname}", "{given} {surname} attorney", "{given}'s attorney", "Attorney for {given} {surname}",
                 "Judge {surname}", "Judge {given} {surname}", "{given} {surname} judge", "PO {surname}",
                 "{given} {surname} PO", "{given} {surname} probation officer", "{given} probation",
                 "{given} {surname} bondsman", "{given} bail bonds", "{given} {surname} victim",
                 "Victim - {given} {surname}", "Estate of {given} {surname}", "{given} {surname} estate",
                 "Guardian of {given} {surname}", "{given} {surname} guardian", "{given} {surname} witness",
                 "{given} {surname} opposing counsel", "OC {given} {surname}", "DA {given} {surname} case",
                 "{given} {surname} public defender", "{given} {surname} landlord", "{given} {surname} social worker",
                 "{given} {surname} therapist", "Officer {surname}", "{given} {surname} interpreter",
                 "{given} {surname} case worker"),
        "forbidden": ("{given} {surname} do not answer", "{given} {surname} wrong number", "SPAM {given}",
                      "{given} {surname} old number", "{given} {surname} DO NOT CALL", "{given} (wrong #)",
                      "{given} {surname} - not his number", "{given} {surname} blocked",
                      "{given} {surname} disconnected", "{given} {surname} scam", "{given} don't answer",
                      "Wrong number", "Do not answer"),
        "joint": ("{given} & {partner} {surname}", "{given}/{partner} {surname}", "{given} + {partner}",
                  "{given} and {partner} {surname}", "{given} {surname}/{partner}", "{given} {surname} & {spouse}",
                  "{given} {surname} + {partner}", "{surname}, {given} & {partner}", "{given}&{partner} {surname}",
                  "Mr. and Mrs. {surname}"),
        "one letter": ("{one_letter} {surname}", "{one_letter}", "{surname}, {one_letter}"),
        "short form": ("{short} {surname}", "{short}"),
        "son": ("{given} {surname} Jr.", "{given} Jr", "{surname} Jr, {given}", "{given} {surname} II",
                "{given} {surname} III", "{given} {surname} (son)", "Little {given}", "Lil {given} {surname}"),
        "father": ("{given} {surname} Sr.", "{given} Sr", "{given} {surname} senior", "{given} {surname} (father)",
                   "Big {given}", "Big {given} {surname}"),
        "workplace": ("{given} {surname} LLC", "Law Office of {given} {surname}", "{surname} Trucking", "{given}'s work",
                      "{given} {surname} Insurance", "{surname} & Sons", "{given}'s job", "{given} {surname} Auto Body",
                      "{surname} Plumbing Inc."),
        "same given name": ("{given} {other_surname}",),
    },
}  # fmt: skip

UNSEEN_FORMS: dict[str, Forms] = {
    "client": {
        **FORMS["client"],
        "line": ("{given} {surname} iPhone", "{given} {surname} whatsapp", "{given} {surname} cell #2",
                 "{given} {surname} txt only", "{given} {surname} prefers text", "{given} {surname} direct"),
        "matter": ("{given} {surname} VOP", "{given} {surname} hearing 3/4", "{given} {surname} (speaks Spanish)",
                   "{given} {surname} wkrs comp", "{given} {surname} expunge", "{given} {surname} TRO",
                   "{given} {surname} - Zoom consult", "PNC {given} {surname}", "*{given} {surname}*",
                   "{given} {surname} ch 13", "{given} {surname} modification", "{given} {surname} arraignment",
                   "{given} {surname} paid in full", "({given} {surname})", "{given} {surname} \u2b50",
                   "{given} {surname} car accident", "{given} {surname} Tues 3pm", "{given} {surname} LA county"),
    },
    "others": {
        "spouse": ("Señora {surname}", "{given} {surname} spouse", "{given} {surname} fiance", "babymama {given}",
                   "{given} {surname} ex", "{partner} c/o {given} {surname}", "Missus {given} {surname}",
                   "better half of {given}"),
        "household": ("{surname}s", "Casa {surname}", "{given} {surname} parents", "{given} {surname} kids",
                      "{given} {surname} & kids", "{given} {surname} twins", "Landline {surname}s"),
        "relative": ("Tio {given}", "Grandma {given}", "{given} {surname} in-laws", "{given} {surname} stepdad",
                     "{given} {surname} neighbor", "{given} {surname} emergency contact", "{other} re: {given}",
                     "for {given} {surname}", "ask for {given}"),
        "role": ("Hon. {given} {surname}", "{given} {surname} ADA", "{given} {surname} prosecutor", "Det. {surname}",
                 "Deputy {given} {surname}", "{given} {surname} CASA", "{given} {surname} paralegal",
                 "{given} {surname} adjuster", "Conservator for {given} {surname}", "POA {given} {surname}",
                 "{given} {surname} co-defendant", "codef {given} {surname}", "complainant {given} {surname}",
                 "Pastor {given} {surname}", "Coach {surname}", "Sgt {given} {surname}", "{given} {surname} GAL",
                 "re: {given} {surname}", "{given} {surname} sober living", "{given} {surname} jail",
                 "{given} {surname} CPS", "bail agent {given}", "{given} {surname} clerk", "{given} {surname}, Esq."),
        "forbidden": ("{given} {surname} DNC", "ignore {given}", "{given} {surname} NOT A CLIENT",
                      "fired {given} {surname}", "{given} {surname} conflict", "stalker {given}",
                      "telemarketer {surname}", "NO CALLS {given} {surname}", "{given} {surname} number changed",
                      "declined {given} {surname}", "{given} {surname} deceased", "{given} {surname} (dead)",
                      "\U0001f6ab {given} {surname}", "ex-client {given} {surname}", "{given} {surname} unsubscribed",
                      "{given} {surname} former", "{given} {surname} out of service"),
        "joint": ("{given} n {partner}", "{given} w/ {partner}", "{given}+{partner} {surname}",
                  "{given} {partner} {surname}", "{given} y {partner}", "{given} or {partner} {surname}",
                  "{given}, {partner} {surname}", "Mr & Mrs {given} {surname}", "{given} {surname} and son",
                  "{given} {surname}, {partner} {surname}", "{given} with {partner}", "{partner} {given} {surname}"),
        "one letter": ("{one_letter} {m} {surname}", "{one_letter} {surname} cell", "{one_letter} {s}"),
        "short form": ("{short} {s}", "{short} {surname} new client", "{surname}, {short}"),
        "son": ("{given} {surname} Junior", "{given} {surname} the 3rd", "Young {given} {surname}", "Baby {given}"),
        "father": ("Papa {given}", "{given} {surname} (elder)", "Old man {given}", "{given} {surname}, Sr"),
        "workplace": ("{given} {surname} church", "{given} {surname} school", "{given} {surname} & Associates",
                      "{given} {surname} DDS", "{surname} Auto", "{given} {surname} front desk", "{given} employer"),
        "same given name": ("{given} {other_surname} cell", "{other_surname}, {given}"),
    },
}  # fmt: skip

SHORT_FOR_BOTH = {
    "Alex": ("Alexander", "Alexandra"), "Chris": ("Christopher", "Christina"), "Pat": ("Patrick", "Patricia"),
    "Sam": ("Samuel", "Samantha"), "Terry": ("Terrence", "Theresa"), "Nicky": ("Nicholas", "Nicole"),
    "Andy": ("Andrew", "Andrea"), "Jess": ("Jesse", "Jessica"), "Ronnie": ("Ronald", "Veronica"),
    "Val": ("Valentino", "Valerie"), "Gabby": ("Gabriel", "Gabriella"), "Dani": ("Daniel", "Danielle"),
    "Max": ("Maxwell", "Maxine"), "Sandy": ("Alexander", "Sandra"), "Stevie": ("Steven", "Stephanie"),
    "Mel": ("Melvin", "Melissa"), "Lou": ("Louis", "Louise"), "Jackie": ("Jack", "Jacqueline"),
    "Charlie": ("Charles", "Charlotte"), "Frankie": ("Frank", "Frances"),
}  # fmt: skip
"""Short form -> a man's and a woman's name that it stands for: one is the client's, the other's contact says only that."""


@dataclass(slots=True)
class Names:
    """Names and how often they are borne: ``M``, ``F`` given names, ``S`` surnames."""

    names: dict[str, list[str]] = field(default_factory=dict)
    sums: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sources = (("M", Provider.first_names_male), ("F", Provider.first_names_female), ("S", Provider.last_names))
        for kind, shares in sources:
            self.names[kind] = list(shares)
            self.sums[kind] = list(accumulate(shares.values()))

    def draw(self, rng: random.Random, kind: str) -> str:
        return rng.choices(self.names[kind], cum_weights=self.sums[kind])[0]


@cache
def pairs_one_letter_apart() -> dict[str, tuple[str, ...]]:
    """Given name -> names of others one letter away: Maria, Mario; Jan, Dan. Not one name in two forms (Eric, Erik)."""
    males, females = set(Provider.first_names_male), set(Provider.first_names_female)
    found: dict[str, list[str]] = {}
    for a, b in permutations(sorted(males | females), 2):
        one_gender = {a, b} <= males or {a, b} <= females
        one_name = one_gender and (_sound(a) == _sound(b) or a.startswith(b) or b.startswith(a))
        if not one_name and OSA.distance(a.lower(), b.lower()) == 1:
            found.setdefault(a, []).append(b)
    return {name: tuple(others) for name, others in found.items()}


def _sound(name: str) -> str:
    text = name.lower().replace("ph", "f").replace("ck", "k").replace("c", "k").replace("z", "s")
    kept = [c for i, c in enumerate(text) if c not in "aeiouyhw" and (i == 0 or text[i - 1] != c)]
    return text[0] + "".join(kept)


class FamilyOffice:
    """Draws clients and contacts one after the other from one stream of chance."""

    def __init__(self, seed: int, *, unseen: bool = False) -> None:
        self.forms = UNSEEN_FORMS if unseen else FORMS
        self.names = Names()
        self.rng = random.Random(seed)
        self.people = 0
        self.cards: list[Card] = []
        self.rows: list[Row] = []

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def phone(self) -> str:
        return f"+1{self.rng.choice((213, 310, 323, 562, 626, 818))}{self.rng.randrange(2_000_000, 9_999_999)}"

    def person(self, given: str = "", gender: str = "", suffix: str = "") -> Person:
        gender = gender or self.rng.choice("MF")
        given = given or self.names.draw(self.rng, gender)
        surname = self.names.draw(self.rng, "S")
        if surname.lower() in HISPANIC and self.chance(0.3):
            surname = f"{surname} {self.rng.choice(sorted(HISPANIC)).capitalize()}"
        self.people += 1
        born = f"{self.rng.randrange(1945, 2005)}-{self.rng.randrange(1, 13):02}-{self.rng.randrange(1, 29):02}"
        middle = self.names.draw(self.rng, gender)
        email = f"{given}.{self.people}@example.com".lower()
        return Person(self.people, given, middle, surname, suffix, gender, born, (self.phone(),), email)

    def add_family(self) -> None:
        """A client, the client's own contact or none, and contacts of up to two others on the same phone or e-mail."""
        count = self.rng.choices(*OTHERS_CONTACTS)[0]
        kinds = [self.rng.choice(sorted(self.forms["others"])) for _ in range(count)]
        client = self.client_for(kinds)
        row = self.row(client)
        self.rows.append(row)
        if self.chance(OWN_CONTACT):
            kind = self.rng.choices(list(OWN_SHARES), list(OWN_SHARES.values()))[0]
            self.add_card(row, f"client: {kind}", self.rng.choice(self.forms["client"][kind]), own=True)
        for kind in kinds:
            self.add_card(row, f"{kind}", self.rng.choice(self.forms["others"][kind]), own=False)

    def client_for(self, kinds: Sequence[str]) -> Person:
        """Somebody with a name of which these others' contacts can be made."""
        gender = self.rng.choice("MF")
        if "short form" in kinds:
            return self.person(self.rng.choice(sorted(SHORT_FOR_BOTH.values()))["MF".index(gender)], gender)
        if "one letter" in kinds:
            given = self.rng.choice(sorted(pairs_one_letter_apart()))
            return self.person(given, "M" if given in Provider.first_names_male else "F")
        if "father" in kinds:
            return self.person("", "M", "" if "son" in kinds else "Jr.")
        if "son" in kinds:
            return self.person("", "M")
        return self.person("", gender)

    def row(self, person: Person) -> Row:
        """The client as the database has it: with a middle name or its initial now and then, and with the suffix."""
        middle = self.rng.choices((person.middle, f"{person.middle[0]}.", ""), (20, 15, 65))[0]
        name = " ".join(part for part in (person.given, middle, person.surname, person.suffix) if part)
        email = person.email if self.chance(0.5) else ""
        return Row(len(self.rows) + 1, person, name, person.phones, email, person.birth)

    def add_card(self, row: Row, style: str, form: str, *, own: bool) -> None:
        """A contact with the client's phone or e-mail, some of the client's own with a number from before."""
        client = row.person
        phones, emails = client.phones, (client.email,) if row.email and self.chance(0.2) else ()
        if row.email and self.chance(BY_EMAIL):
            phones, emails = (self.phone(),), (client.email,)
        elif own and self.chance(OLD_NUMBER):
            phones, emails = (self.phone(),), ()
        text = form.format_map(self.words_for(client))
        people = frozenset({client.person_id}) if own else frozenset[int]()
        self.cards.append(self.written(people, style, text, phones, emails))

    def add_unrelated(self) -> None:
        """Somebody's contact elsewhere."""
        person = self.person()
        self.cards.append(
            self.written(frozenset({person.person_id}), "unrelated", f"{person.given} {person.surname}", person.phones)
        )

    def written(
        self, people: frozenset[int], style: str, text: str, phones: tuple[str, ...], emails: tuple[str, ...] = ()
    ) -> Card:
        """Half in one field, half split after the first word; some in small letters or capitals."""
        text = self.rng.choices((text, text.lower(), text.upper()), (85, 10, 5))[0]
        first, _, last = text.partition(" ") if self.chance(0.5) else (text, "", "")
        return Card(len(self.cards) + 1, people, style, first, last, phones, emails)

    def words_for(self, client: Person) -> dict[str, str]:
        """What the forms put in: of the client and of one other person."""
        male = client.gender == "M"
        other_gender = "F" if male else "M"
        surname = client.surname.split()[0] if self.chance(0.3) else client.surname
        short = [short for short, names in sorted(SHORT_FOR_BOTH.items()) if client.given in names]
        return {
            "given": client.given,
            "surname": surname,
            "g": client.given[0],
            "s": surname[0],
            "middle": client.middle,
            "m": client.middle[0],
            "phone": client.phones[0],
            "nick": self.rng.choice(SHORT_FORMS.get(client.given.lower(), [client.given])).capitalize(),
            "typo": self.misspell(f"{client.given} {surname}"),
            "title": "Mr." if male else self.rng.choice(("Ms.", "Mrs.")),
            "partner": self.other_name(client, other_gender),
            "partner_title": self.rng.choice(("Mrs.", "Ms.", "Mrs")) if male else "Mr.",
            "spouse": self.rng.choice(("wife", "esposa", "gf") if male else ("husband", "esposo", "bf")),
            "other": self.other_name(client, self.rng.choice("MF")),
            "other_surname": self.other_surname(client),
            "one_letter": self.rng.choice(pairs_one_letter_apart().get(client.given, ("Zora",))),
            "short": self.rng.choice(short or ["Zed"]),
        }

    def other_name(self, client: Person, gender: str) -> str:
        """A given name with another initial, so that "J. Smith" tells the two apart."""
        while True:
            given = self.names.draw(self.rng, gender)
            if given[0] not in (client.given[0], client.middle[0]):
                return given

    def other_surname(self, client: Person) -> str:
        while True:
            surname = self.names.draw(self.rng, "S")
            if OSA.distance(surname, client.surname) > 3:
                return surname

    def misspell(self, text: str) -> str:
        """One typo within a word: another letter, a missing, a further one, two exchanged."""
        at = self.rng.choice([i for i in range(1, len(text)) if text[i].isalpha() and text[i - 1].isalpha()])
        letter = self.rng.choice("abcdefghijklmnopqrstuvwxyz")
        return self.rng.choice(
            (
                text[:at] + letter + text[at + 1 :],
                text[:at] + text[at + 1 :],
                text[:at] + letter + text[at:],
                text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :],
            )
        )


def make_families(seed: int, clients: int = CLIENTS, *, unseen: bool = False) -> tuple[list[Row], list[Card]]:
    """The office's rows and the contacts of its workspace."""
    office = FamilyOffice(seed, unseen=unseen)
    for _ in range(clients):
        office.add_family()
    for _ in range(UNRELATED * clients // CLIENTS):
        office.add_unrelated()
    office.rng.shuffle(office.rows)
    office.rng.shuffle(office.cards)
    return office.rows, office.cards


def make_offices(seed: int, count: int, *, unseen: bool = False) -> Iterator[tuple[list[Row], list[Card]]]:
    """Several offices, each from a seed of its own."""
    for number in range(count):
        yield make_families(1_000 * seed + number, unseen=unseen)


def make_strangers(seed: int, contacts: int) -> tuple[list[Row], list[Card]]:
    """Contacts of unrelated people, and a twentieth as many clients of whom none is among them."""
    office = FamilyOffice(seed)
    for _ in range(contacts):
        office.add_unrelated()
    for _ in range(contacts // 20):
        office.rows.append(office.row(office.person()))
    return office.rows, office.cards
