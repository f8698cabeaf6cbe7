"""The sample rows: the same for the same seed, as good and as bad as a real office's."""

from collections import Counter
from typing import Any

import phonenumbers
import pytest

from openphone_sync.sandbox import sample_clients, sample_contacts, sample_conversations
from openphone_sync.sandbox.rules import is_phone

PHONES = ("phone", "contact_1_phone", "contact_2_phone")


@pytest.fixture(scope="module")
def clients() -> list[dict[str, Any]]:
    return sample_clients(1_000, seed=1)


def read_phones(rows: list[dict[str, Any]]) -> list[str]:
    return [row[column] for row in rows for column in PHONES if row[column] is not None]


def find_numbers(text: str) -> list[str]:
    found = phonenumbers.PhoneNumberMatcher(text, "US", phonenumbers.Leniency.POSSIBLE)
    return [phonenumbers.format_number(each.number, phonenumbers.PhoneNumberFormat.E164) for each in found]


def is_plain(text: str) -> bool:
    return (
        is_phone(text) and set(text) <= set("+0123456789()-. ") and text == text.strip() and not text.startswith("+4")
    )


def test_the_first_client_is_james_smith_with_his_brother(clients: list[dict[str, Any]]) -> None:
    first = clients[0]
    assert (first["client_name"], first["client_type"], first["county"]) == (
        "James Smith",
        "criminal",
        "Los Angeles County",
    )
    assert (first["contact_1"], first["relationship_1"], first["contact_2"]) == ("Bob Smith", "Brother", None)
    assert first["date_of_birth"].isoformat() == "1985-06-15"
    assert is_phone(first["phone"])
    assert is_phone(first["contact_1_phone"])


@pytest.mark.parametrize("make", [sample_clients, sample_conversations, sample_contacts])
def test_rows_follow_the_seed_and_a_longer_list_begins_with_the_shorter(make: Any) -> None:
    assert make(50, 7) == make(80, 7)[:50]
    assert make(50, 7) != make(50, 8)
    assert make(0, 7) == []


def test_names_are_unique_and_mostly_tidy(clients: list[dict[str, Any]]) -> None:
    names = [row["client_name"] for row in clients]
    assert len({" ".join(name.split()) for name in names}) == 1_000
    assert 5 < sum(name != " ".join(name.split()) for name in names) < 80


def test_a_client_comes_to_about_2_6_usable_contacts(clients: list[dict[str, Any]]) -> None:
    usable = sum(bool(find_numbers(text) or is_phone(text)) and len(text) > 8 for text in read_phones(clients))
    assert 2.5 < usable / len(clients) < 2.75


def test_about_one_phone_in_seven_is_messy(clients: list[dict[str, Any]]) -> None:
    phones = read_phones(clients)
    assert 0.10 < sum(not is_plain(text) for text in phones) / len(phones) < 0.18
    for sign in ("N/A", "in jail", " / ", "ext.", "\u2011", "+44", "\u00a0"):
        assert any(sign in text for text in phones), sign


def test_most_phones_are_valid_numbers_and_few_are_of_the_range_for_fiction(clients: list[dict[str, Any]]) -> None:
    numbers = [phonenumbers.parse(text) for each in read_phones(clients) for text in find_numbers(each)]
    valid = sum(phonenumbers.is_valid_number(each) for each in numbers)
    fictional = sum(str(each.national_number)[3:8] == "55501" for each in numbers)
    assert valid / len(numbers) > 0.88
    assert 0.04 < fictional / len(numbers) < 0.12


def test_no_two_people_share_a_number_and_no_sample_contact_has_a_clients(clients: list[dict[str, Any]]) -> None:
    numbers = Counter(number for text in read_phones(clients) for number in find_numbers(text))
    others = {item["value"] for each in sample_contacts(500) for item in each["defaultFields"]["phoneNumbers"]}
    assert max(numbers.values()) == 1
    assert len(others) > 400
    assert not others & set(numbers)


def test_alternates_lack_a_relationship_or_a_phone_now_and_then(clients: list[dict[str, Any]]) -> None:
    alternates = [(row["contact_1"], row["relationship_1"], row["contact_1_phone"]) for row in clients]
    assert sum(name is not None and relationship is None for name, relationship, _ in alternates) > 20
    assert sum(name is not None and phone is None for name, _, phone in alternates) > 10
    assert sum(name is None for name, _, _ in alternates) > 20


def test_types_are_criminal_civil_and_now_and_then_unknown(clients: list[dict[str, Any]]) -> None:
    counts = Counter(row["client_type"] for row in clients)
    assert set(counts) == {"criminal", "civil", None}
    assert counts["criminal"] > counts["civil"] > counts[None]
    assert all(row["arrested"] is None for row in clients if row["client_type"] != "criminal")


def test_conversations_come_in_the_shapes_of_real_tables() -> None:
    rows = sample_conversations(300)
    messages = [message for row in rows for message in row["messages"]]
    assert {type(message["to"]) for message in messages} == {list, str}
    assert any("text" in message for message in messages)
    assert any("body" in message for message in messages)
    assert any(row["conversation_id"] is None for row in rows)
    assert any(row["phone_number"] in (None, "", "Unknown") for row in rows)
    assert [row["created_at"] for row in rows] == sorted(row["created_at"] for row in rows)
