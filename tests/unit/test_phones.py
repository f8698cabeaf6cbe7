"""Phones in the text that offices type."""

from __future__ import annotations

import pytest

from openphone_sync.rules.phones import normalise_phone, parse_phones


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("(213) 555-0134", ["+12135550134"]),
        ("213.555.0134", ["+12135550134"]),
        ("1 213 555 0134", ["+12135550134"]),
        ("+1 213 555 0134", ["+12135550134"]),
        ("213‑555–0134", ["+12135550134"]),
        ("２１３５５５０１３４", ["+12135550134"]),
        ("٢١٣٥٥٥٠١٣٤", ["+12135550134"]),
        ("\u202a213-555-0134\u202c", ["+12135550134"]),
        ("call 213 555 0134 ask for Bob", ["+12135550134"]),
        ("213-555-0134 (cell)", ["+12135550134"]),
        ("213-555-0134 / 310-555-0188", ["+12135550134", "+13105550188"]),
        ("213-555-0134 or 310-555-0188", ["+12135550134", "+13105550188"]),
        ("213-555-0134; 213-555-0134", ["+12135550134"]),
        ("604-555-0123 604-555-0199", ["+16045550123", "+16045550199"]),
        ("+44 20 7946 0958", ["+442079460958"]),
        ("0044 20 7946 0958", ["+442079460958"]),
        ("+52 55 1234 5678", ["+525512345678"]),
        ("+52 1 55 1234 5678", ["+525512345678"]),
        ("+5215512345678", ["+525512345678"]),
        ("0052 1 55 1234 5678", ["+525512345678"]),
        ("1-800-FLOWERS", ["+18003569377"]),
        ("+1 800 flowers", ["+18003569377"]),
        ("888.4.LAWYER", ["+18884529937"]),
        ("1 (800) GO-FEDEX", ["+18004633339"]),
        ("1-800-FLOWERS or 213-555-0134", ["+18003569377", "+12135550134"]),
        ("1-800-FLOWERS, 213-555-0134", ["+18003569377", "+12135550134"]),
    ],
)
def test_usable_numbers(text: str, numbers: list[str]) -> None:
    found = parse_phones(text, "US")
    assert [phone.e164 for phone in found.phones] == numbers
    assert found.unusable == 0


@pytest.mark.parametrize(
    "text",
    [
        "N/A",
        "x",
        "in jail",
        "+189",
        "+1111111",
        "+1234567890",
        "555-0134",
        "1112223333",
        "0212345678",
        "213-555-01345",
        "1" * 300,
        "213-UNKNOWN",
        "800 unknown",
        "1-800-FLOWER",
        "1-800-PROGRESSIVE",
        "5215512345678",
    ],
)
def test_unusable_text_is_never_guessed_at(text: str) -> None:
    found = parse_phones(text, "US")
    assert found.phones == ()
    assert found.unusable


@pytest.mark.parametrize("text", [None, "", "  ", "\n"])
def test_blank_text_holds_nothing(text: str | None) -> None:
    assert parse_phones(text, "US") == parse_phones("", "US")
    assert not parse_phones(text, "US").unusable


def test_a_part_that_is_no_number_is_told() -> None:
    found = parse_phones("213-555-0134 or 555-1212", "US")
    assert [phone.e164 for phone in found.phones] == ["+12135550134"]
    assert found.unusable == 1


@pytest.mark.parametrize(
    "text", ["213-555-0134 x12", "213 555 0134 ext. 12", "213.555.0134;ext=12", "213-555-0134 #12"]
)
def test_extensions_are_kept(text: str) -> None:
    [phone] = parse_phones(text, "US").phones
    assert (phone.e164, phone.extension) == ("+12135550134", "12")


def test_a_number_in_letters_keeps_its_extension() -> None:
    [phone] = parse_phones("1-800-FLOWERS x12", "US").phones
    assert (phone.e164, phone.extension, phone.assigned) == ("+18003569377", "12", True)


def test_possible_numbers_in_no_assigned_range_are_kept_and_told() -> None:
    for text in ("555-010-0123", "555-010-0123 x5", "+1 555 010 0123 (cell)"):
        [phone] = parse_phones(text, "US").phones
        assert phone.e164 == "+15550100123"
        assert not phone.assigned


def test_the_region_is_for_numbers_without_a_country_code() -> None:
    assert parse_phones("020 7946 0958", "GB").phones[0].e164 == "+442079460958"
    assert parse_phones("+1 213 555 0134", "GB").phones[0].e164 == "+12135550134"


def test_values_compare_by_their_number_or_else_as_text() -> None:
    assert normalise_phone("(213) 555-0134", "US") == normalise_phone("+12135550134", "US")
    assert normalise_phone("555-0134 ", "US") == "555-0134"
    assert normalise_phone("213-555-0134, 310-555-0188", "US") != "+12135550134"
