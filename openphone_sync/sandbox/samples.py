"""Invented clients, conversations and contacts, the same for the same seed, and the tables that hold them.

People and numbers are made up. Most phones are possible numbers in many area codes, some are from the range kept for
fiction (555-0100 to 555-0199); about 15 in 100 are as messy as in a real office's table: several numbers in one
field, extensions, odd dashes, foreign numbers, seven digits, words. No two people share a number.

The tables follow those of the predecessor's deployments: `clients` (Supabase), `"Client"` (Drizzle), and the production
baseline of `openphone_conversations`.
"""

import json
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import psycopg
from psycopg import sql

Row = dict[str, Any]
ClientTable = Literal["clients", "Client"]

CLIENTS_DDL = """
CREATE TABLE IF NOT EXISTS clients (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    client_name text NOT NULL,
    client_type text CHECK (client_type IN ('criminal', 'civil')),
    phone text,
    email text,
    contact_1 text,
    relationship_1 text,
    contact_1_phone varchar(50),
    contact_2 text,
    relationship_2 text,
    contact_2_phone varchar(50),
    date_intake date NOT NULL DEFAULT CURRENT_DATE,
    date_of_birth date,
    case_type text,
    county text,
    arrested boolean,
    currently_incarcerated boolean,
    quoted decimal(10,2),
    initial_payment decimal(10,2),
    openphone_contact_id text,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
)
"""

DRIZZLE_CLIENT_DDL = """
CREATE TABLE IF NOT EXISTS "Client" (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    client_name varchar(255) NOT NULL,
    client_type varchar(20) NOT NULL,
    phone varchar(50) NOT NULL,
    email varchar(255),
    contact_1 varchar(255),
    relationship_1 varchar(255),
    contact_1_phone varchar(50),
    contact_2 varchar(255),
    relationship_2 varchar(255),
    contact_2_phone varchar(50),
    date_intake date DEFAULT now(),
    date_of_birth date,
    case_type varchar(255),
    county varchar(255),
    arrested boolean DEFAULT false,
    currently_incarcerated boolean DEFAULT false,
    quoted varchar(20),
    initial_payment varchar(20),
    openphone_contact_id text,
    "createdAt" timestamp NOT NULL DEFAULT now(),
    "updatedAt" timestamp NOT NULL DEFAULT now()
)
"""

CONVERSATIONS_DDL = """
CREATE TABLE IF NOT EXISTS openphone_conversations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    conversation_id varchar(255) UNIQUE,
    phone_number varchar(20),
    customer_name varchar(255),
    employee_name varchar(255),
    messages jsonb NOT NULL DEFAULT '[]',
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    processed boolean DEFAULT false,
    metadata jsonb DEFAULT '{}',
    unread_count integer DEFAULT 0,
    last_read_at timestamptz,
    knowledge_extracted boolean DEFAULT false,
    extraction_result jsonb,
    knowledge_id uuid
)
"""

MESSY_SHARE = 0.15
ALTERNATE_SHARE = 0.93  # of clients with a first, and of those with a second alternate
ALTERNATE_PHONE_SHARE = 0.96

_FIRST_NAMES = """
James Maria Robert Linda Michael Elizabeth David Jennifer William Patricia Richard Susan Joseph Jessica Thomas Sarah
Carlos Ana Luis Sofia Miguel Elena Jorge Rosa Daniel Karen Matthew Nancy Anthony Lisa Mark Betty Donald Margaret
Steven Sandra Paul Ashley Andrew Kimberly Joshua Emily Kenneth Donna Kevin Michelle Brian Carol George Amanda
Timothy Melissa Ronald Deborah Jason Stephanie Edward Rebecca Jeffrey Sharon Ryan Laura Jacob Cynthia Gary Dorothy
Nicholas Amy Eric Kathleen Jonathan Angela Stephen Shirley Larry Emma Justin Brenda Scott Pamela Brandon Nicole
Benjamin Anna Samuel Samantha Gregory Katherine Alexander Christine Patrick Debra Frank Rachel Raymond Carolyn Jack
Janet Dennis Hyun Mei Wei Priya Arjun Fatima Omar Aisha Yusuf Ngozi Chidi Kwame Amara Dmitri Olga Ivan Svetlana
"""
FIRST_NAMES = tuple(_FIRST_NAMES.split())
_LAST_NAMES = """
Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson Anderson
Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young
Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter
Roberts Gomez Phillips Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart Morris Morales Murphy Cook Rogers
Gutierrez Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson Watson Brooks Chavez
Wood Bennett Gray Mendoza Ruiz Hughes Price Alvarez Castillo Sanders Patel Myers Long Ross Foster Jimenez O'Brien
Okafor Petrov Yamamoto Müller Núñez Åberg Kowalski Haddad Osei Tran Park Singh Khan Ali Novak Silva Costa
"""
LAST_NAMES = tuple(_LAST_NAMES.split())
RELATIONSHIPS = (
    "Brother",
    "Sister",
    "Mother",
    "Father",
    "Wife",
    "Husband",
    "Son",
    "Daughter",
    "Cousin",
    "Friend",
    "Employer",
)
COUNTIES = (
    "Los Angeles",
    "Orange",
    "San Diego",
    "Riverside",
    "San Bernardino",
    "Ventura",
    "Kern",
    "Santa Clara",
    "Fresno",
)
CIVIL_CASES = (
    "Personal injury",
    "Landlord and tenant",
    "Contract dispute",
    "Employment",
    "Family",
    "Small claims",
)
CRIMINAL_CASES = ("DUI", "Theft", "Assault", "Drug possession", "Probation violation", "Traffic")
CLIENT_AREAS = (
    213,
    310,
    323,
    408,
    415,
    424,
    442,
    510,
    530,
    559,
    562,
    619,
    626,
    650,
    657,
    661,
    707,
    714,
    747,
    760,
    805,
    818,
)
CONTACT_AREAS = (
    206,
    303,
    404,
    503,
    512,
    602,
    617,
    702,
    713,
    801,
)  # other ones, so that no sample contact is a client's
UNKNOWN_AREAS = (212, 305, 313, 612)  # of callers who are neither
FOREIGN_PHONES = ("+44 20 7946 {:04}", "+52 55 5012 {:04}", "+49 30 2312 {:04}", "+33 1 70 18 {:04}")
EXCHANGES = tuple(each for each in range(220, 990) if each % 100 != 11 and each != 555)  # N11 are services
WORDS_FOR_PHONE = ("N/A", "in jail", "none", "x", "unknown", "call mother", "")
MESSAGES = (
    "Hi, is my hearing still on Tuesday?",
    "Yes: 9:30, Department 12.",
    "Thank you!",
    "=SUM(A1)",
    "Línea 1\nLínea 2",
    "",
)


class _Phones:
    """Hands out phone numbers, none of them twice."""

    def __init__(self, dice: random.Random, areas: Sequence[int]) -> None:
        self._dice = dice
        self._areas = areas
        self._used: set[str] = set()

    def take(self) -> str:
        """Return ten digits: one in twelve from the range kept for fiction, all others possible and valid numbers."""
        return self._take(lambda: self._make_fictional() if self._dice.random() < 1 / 12 else self._make_valid())

    def take_foreign(self) -> str:
        """Return a number of another country, with its `+`."""
        return self._take(lambda: self._dice.choice(FOREIGN_PHONES).format(self._dice.randrange(10_000)))

    def _take(self, make: Callable[[], str]) -> str:
        while (phone := make()) in self._used:
            pass
        self._used.add(phone)
        return phone

    def _make_fictional(self) -> str:
        return f"{self._dice.choice(self._areas)}55501{self._dice.randrange(100):02}"

    def _make_valid(self) -> str:
        return f"{self._dice.choice(self._areas)}{self._dice.choice(EXCHANGES)}{self._dice.randrange(10_000):04}"


def sample_clients(count: int, seed: int = 1) -> list[Row]:
    """Return rows of `CLIENTS_DDL`, the first `count` of an endless list: James Smith is the first, names are unique.

    A client comes to about 2.6 contacts with a usable phone: the client and up to two alternates.
    """
    dice = random.Random(f"clients:{seed}")
    phones = _Phones(dice, CLIENT_AREAS)
    names = _make_names(dice)
    rows = [_make_james_smith(dice, phones)]
    rows.extend(_make_client(dice, phones, names) for _ in range(count - 1))
    return rows[:count]


def _make_james_smith(dice: random.Random, phones: _Phones) -> Row:
    return {
        **_make_record(dice),
        "client_name": "James Smith",
        "client_type": "criminal",
        "phone": _format_plain(dice, phones.take()),
        "email": "james.smith@example.com",
        "contact_1": "Bob Smith",
        "relationship_1": "Brother",
        "contact_1_phone": _format_plain(dice, phones.take()),
        "contact_2": None,
        "relationship_2": None,
        "contact_2_phone": None,
        "date_of_birth": date(1985, 6, 15),
        "case_type": "DUI",
        "county": "Los Angeles County",
        "arrested": True,
        "currently_incarcerated": False,
    }


def _make_client(dice: random.Random, phones: _Phones, names: Iterator[str]) -> Row:
    name = next(names)
    kind = dice.choices(("criminal", "civil", None), (60, 37, 3))[0]
    is_criminal = kind == "criminal"
    return {
        **_make_record(dice),
        "client_name": _make_untidy(dice, name),
        "client_type": kind,
        "phone": _make_phone(dice, phones),
        "email": _make_email(name) if dice.random() < 0.6 else None,
        **_make_alternate(dice, phones, name, 1),
        **_make_alternate(dice, phones, name, 2),
        "date_of_birth": date(1945, 1, 1) + timedelta(days=dice.randrange(21_900)) if dice.random() < 0.8 else None,
        "case_type": dice.choice(CRIMINAL_CASES if is_criminal else CIVIL_CASES),
        "county": f"{dice.choice(COUNTIES)} County" if dice.random() < 0.9 else None,
        "arrested": dice.random() < 0.5 if is_criminal else None,
        "currently_incarcerated": dice.random() < 0.2 if is_criminal else None,
    }


def _make_record(dice: random.Random) -> Row:
    """Return the columns that every row has, in the order of the table as far as they go."""
    created = datetime(2024, 1, 2, 9, tzinfo=UTC) + timedelta(minutes=dice.randrange(900_000))
    return {
        "id": _make_uuid(dice),
        "date_intake": created.date(),
        "quoted": dice.randrange(1_000, 20_000, 250),
        "initial_payment": dice.randrange(0, 5_000, 250),
        "created_at": created,
        "updated_at": created + timedelta(hours=dice.randrange(2_000)),
    }


def _make_uuid(dice: random.Random) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def _make_alternate(dice: random.Random, phones: _Phones, client_name: str, number: int) -> Row:
    """Return the three columns of an alternate: at times with no relationship, with no phone, or not there at all."""
    is_there = dice.random() < ALTERNATE_SHARE
    name = f"{dice.choice(FIRST_NAMES)} {client_name.rsplit(maxsplit=1)[-1]}"
    relationship = dice.choice(RELATIONSHIPS) if dice.random() < 0.92 else None
    phone = _make_phone(dice, phones) if is_there and dice.random() < ALTERNATE_PHONE_SHARE else None
    columns = (f"contact_{number}", f"relationship_{number}", f"contact_{number}_phone")
    return dict(zip(columns, (name, relationship, phone) if is_there else (None, None, None), strict=True))


def _make_names(dice: random.Random) -> Iterator[str]:
    """Yield names, none twice and none like James Smith; initials come in when first and last names repeat."""
    used = {"James Smith"}
    while True:
        first, last = dice.choice(FIRST_NAMES), dice.choice(LAST_NAMES)
        middle = f" {dice.choice('ABCDEFGHJKLMNPRSTVW')}." if len(used) > 2_000 or dice.random() < 0.15 else ""
        suffix = dice.choices(("", " Jr."), (98, 2))[0]
        name = f"{first}{middle} {last}{suffix}"
        if name not in used:
            used.add(name)
            yield name


def _make_untidy(dice: random.Random, name: str) -> str:
    return dice.choices((name, f"{name} ", name.replace(" ", "  ")), (97, 2, 1))[0]


def _make_email(name: str) -> str:
    letters = "".join(
        each for each in name.lower().replace(" ", ".") if each.isascii() and (each.isalpha() or each == ".")
    )
    return f"{letters.strip('.').replace('..', '.')}@example.com"


def _make_phone(dice: random.Random, phones: _Phones) -> str:
    return _make_messy_phone(dice, phones) if dice.random() < MESSY_SHARE else _format_plain(dice, phones.take())


def _format_plain(dice: random.Random, digits: str) -> str:
    area, exchange, line = digits[:3], digits[3:6], digits[6:]
    forms = (
        f"+1{digits}",
        f"({area}) {exchange}-{line}",
        f"{area}-{exchange}-{line}",
        digits,
        f"{area}.{exchange}.{line}",
    )
    return dice.choices(forms, (50, 20, 15, 10, 5))[0]


def _make_messy_phone(dice: random.Random, phones: _Phones) -> str:
    digits = phones.take()
    area, exchange, line = digits[:3], digits[3:6], digits[6:]
    kind = dice.randrange(9)
    if kind in (0, 1):
        return dice.choice(WORDS_FOR_PHONE)
    if kind == 2:
        return f"{area}-{exchange}-{line} / {phones.take()}"
    if kind == 3:
        return phones.take_foreign()
    forms = (
        f"({area}) {exchange}-{line} ext. {dice.randrange(10, 999)}",
        f"{area}\u2011{exchange}\u2013{line}",
        f"{exchange}-{line}",
        f"  1 {area} {exchange} {line} ",
        f"{area}\u00a0{exchange}\u00a0{line}",
    )
    return forms[kind - 4]


def sample_conversations(count: int, seed: int = 1) -> list[Row]:
    """Return rows of `CONVERSATIONS_DDL`, the first `count` of an endless list, in the shapes seen in real tables."""
    dice = random.Random(f"conversations:{seed}")
    phones = _Phones(dice, CLIENT_AREAS)
    return [_make_conversation(dice, phones, index) for index in range(count)]


def _make_conversation(dice: random.Random, phones: _Phones, index: int) -> Row:
    created = datetime(2024, 3, 1, 8, tzinfo=UTC) + timedelta(minutes=37 * index + dice.randrange(30))
    phone = dice.choices((f"+1{phones.take()}", None, "", "Unknown"), (94, 2, 2, 2))[0]
    length = dice.randrange(1, 6)
    updated = created + timedelta(minutes=length)
    return {
        "id": _make_uuid(dice),
        "conversation_id": _make_conversation_id(dice, index),
        "phone_number": phone,
        "customer_name": dice.choice(
            (phone, f"{dice.choice(FIRST_NAMES)} {dice.choice(LAST_NAMES)}", "Customer", None)
        ),
        "employee_name": dice.choice(("Dana Reyes", "Sam Okafor", "Operator", "Historical Import", None)),
        "messages": [_make_message(dice, phone, created + timedelta(minutes=each)) for each in range(length)],
        "created_at": created.replace(tzinfo=None),
        "updated_at": updated.replace(tzinfo=None),
        "processed": dice.random() < 0.5,
        "metadata": {"openPhoneId": f"AC{dice.getrandbits(64):016x}", "imported": dice.random() < 0.3},
        "unread_count": dice.randrange(4),
        "last_read_at": updated if dice.random() < 0.7 else None,
        "knowledge_extracted": False,
        "extraction_result": None,
        "knowledge_id": None,
    }


def _make_conversation_id(dice: random.Random, index: int) -> str | None:
    forms = (f"CN{dice.getrandbits(80):020x}", f"conv_{10_000 + index}", f"conv_{_make_uuid(dice)}", None)
    return dice.choices(forms, (80, 8, 8, 4))[0]


def _make_message(dice: random.Random, phone: str | None, at: datetime) -> Row:
    """Return a message in one of the two spellings that stored ones have."""
    office, text, is_inbound = "+12135550100", dice.choice(MESSAGES), dice.random() < 0.5
    sender, receiver = (phone, office) if is_inbound else (office, phone)
    if dice.random() < 0.8:
        return {
            "id": f"AC{dice.getrandbits(64):016x}",
            "type": "message.received" if is_inbound else "message.delivered",
            "from": sender,
            "to": [receiver],
            "text": text,
            "direction": "incoming" if is_inbound else "outgoing",
            "createdAt": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "media": [],
        }
    return {
        "id": f"temp_{int(at.timestamp() * 1000)}",
        "type": "message",
        "from": sender,
        "to": receiver,
        "body": text,
        "direction": "inbound" if is_inbound else "outbound",
        "timestamp": at.isoformat(),
    }


def sample_contacts(count: int, seed: int = 1) -> list[Row]:
    """Return bodies of contacts that others made: staff in the app, native integrations, CSV imports, other programs.

    Some have no phone, some no name; none has a phone of a sample client. `source` says who made it.
    """
    dice = random.Random(f"contacts:{seed}")
    phones = _Phones(dice, CONTACT_AREAS)
    names = _make_names(dice)
    return [_make_contact(dice, phones, next(names), index) for index in range(count)]


def make_unknown_phones(dice: random.Random) -> Iterator[str]:
    """Yield numbers (ten digits) of people whom no sample client's row names."""
    phones = _Phones(dice, UNKNOWN_AREAS)
    while True:
        yield phones.take()


def _make_contact(dice: random.Random, phones: _Phones, name: str, index: int) -> Row:
    sources = (
        None,
        "ios",
        "csv",
        "openphone-clio",
        "openphone-hubspot",
        "attio",
        "public-api",
        "Front Desk Forms",
    )
    source = dice.choices(sources, (40, 15, 10, 10, 5, 10, 5, 5))[0]
    first, _, last = name.partition(" ")
    has_name = dice.random() < 0.93
    fields = {
        "firstName": first if has_name else None,
        "lastName": last if has_name and dice.random() < 0.9 else None,
        "company": dice.choice((None, None, "Superior Court", "Reyes & Okafor LLP", "Bail Bonds 24/7")),
        "role": dice.choice((None, None, "Expert witness", "Clerk 🏛")),
        "phoneNumbers": [{"name": "Mobile", "value": f"+1{phones.take()}"}] if dice.random() < 0.9 else [],
        "emails": [{"name": "Work", "value": _make_email(name)}] if dice.random() < 0.4 else [],
    }
    is_foreign = source is not None and source not in ("ios", "csv")
    return {
        "source": source,
        "externalId": f"{source}-{index}" if is_foreign else None,
        "defaultFields": fields,
    }


def load_samples(
    dsn: str, count: int, seed: int = 1, *, table: ClientTable = "clients", conversations: int | None = None
) -> None:
    """Create the client table and `openphone_conversations` where absent, and add those rows that are not there.

    `conversations` is half of `count` when not given. Whatever psycopg raises goes through.
    """
    stories = sample_conversations(count // 2 if conversations is None else conversations, seed)
    with psycopg.connect(dsn) as connection:
        connection.execute(CLIENTS_DDL if table == "clients" else DRIZZLE_CLIENT_DDL)
        connection.execute(CONVERSATIONS_DDL)
        clients = sample_clients(count, seed)
        _copy_rows(
            connection,
            table,
            clients if table == "clients" else [_make_drizzle_row(each) for each in clients],
        )
        _copy_rows(connection, "openphone_conversations", stories)


def _make_drizzle_row(row: Row) -> Row:
    """Return a row of `DRIZZLE_CLIENT_DDL`: no NULL type or phone, naive times, other names for them."""
    rest = {name: value for name, value in row.items() if name not in ("created_at", "updated_at")}
    required = {"client_type": row["client_type"] or "civil", "phone": row["phone"] or ""}
    times = {
        "createdAt": row["created_at"].replace(tzinfo=None),
        "updatedAt": row["updated_at"].replace(tzinfo=None),
    }
    return {**rest, **required, **times}


def _copy_rows(connection: Any, table: str, rows: list[Row]) -> None:
    """Add rows, all with the columns of the first one; those whose id is there already are left alone."""
    if not rows:
        return
    names = {"table": sql.Identifier(table), "columns": sql.SQL(", ").join(map(sql.Identifier, rows[0]))}
    connection.execute(sql.SQL("CREATE TEMP TABLE incoming (LIKE {table}) ON COMMIT DROP").format(**names))
    with connection.cursor().copy(sql.SQL("COPY incoming ({columns}) FROM STDIN").format(**names)) as copy:
        for row in rows:
            copy.write_row([_make_cell(value) for value in row.values()])
    insert = "INSERT INTO {table} ({columns}) SELECT {columns} FROM incoming ON CONFLICT DO NOTHING"
    connection.execute(sql.SQL(insert).format(**names))
    connection.execute("DROP TABLE incoming")


def _make_cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value
