"""What holds for any text in a phone field."""

from __future__ import annotations

import re

import phonenumbers
from hypothesis import given
from hypothesis import strategies as st

from openphone_sync.rules.phones import normalise_phone, parse_phones

NUMBERS = st.builds(
    "{}{}{}".format,
    st.integers(2, 9),
    st.from_regex(r"[0-9]{2}", fullmatch=True),
    st.from_regex(r"[2-9][0-9]{6}", fullmatch=True),
)
MESS = st.text(alphabet="0123456789+()-./ ,;xeEt#abn\n\u2011\u00a0\uff11\u0661", max_size=60)


@given(st.text(max_size=300) | MESS)
def test_any_text_yields_e164_or_is_called_unusable(text: str) -> None:
    found = parse_phones(text, "US")
    assert all(re.fullmatch(r"\+[1-9][0-9]{6,14}", phone.e164) for phone in found.phones)
    assert bool(found.phones or found.unusable) == bool(text.strip())
    assert len({phone.e164 for phone in found.phones}) == len(found.phones)


@given(st.text(max_size=100) | MESS)
def test_what_was_read_reads_as_itself(text: str) -> None:
    for phone in parse_phones(text, "US").phones:
        assert [again.e164 for again in parse_phones(phone.e164, "US").phones] == [phone.e164]
        assert normalise_phone(phone.e164, "US") == phone.e164


@given(
    NUMBERS,
    st.sampled_from(
        ["({0}) {1}-{2}", "{0}.{1}.{2}", "+1{0}{1}{2}", "1-{0}-{1}-{2}", "tel {0} {1} {2}", "{0}‑{1}‑{2} (cell)"]
    ),
)
def test_spellings_of_a_number_are_one_number(number: str, spelling: str) -> None:
    text = spelling.format(number[:3], number[3:6], number[6:])
    assert [phone.e164 for phone in parse_phones(text, "US").phones] == [f"+1{number}"]


@given(
    st.lists(NUMBERS, min_size=2, max_size=4, unique=True), st.sampled_from([", ", " / ", "; ", " or ", "\n", " & "])
)
def test_every_number_of_a_field_is_found_in_order(numbers: list[str], separator: str) -> None:
    found = parse_phones(separator.join(numbers), "US")
    assert [phone.e164 for phone in found.phones] == [f"+1{number}" for number in numbers]


@given(
    st.from_regex(r"[2-9][0-9]{9}", fullmatch=True),
    st.sampled_from(["({0}) {1}-{2}", "{0}.{1}.{2}", "+1{0}{1}{2}", "1-{0}-{1}-{2}", "{0}{1}{2}", " {0}- {1} {2}"]),
    st.sampled_from(["US", "CA", "GB", "MX"]),
)
def test_what_is_read_without_libphonenumber_is_read_as_libphonenumber_does(
    number: str, spelling: str, region: str
) -> None:
    text = spelling.format(number[:3], number[3:6], number[6:])
    found = parse_phones(text, region)
    theirs = phonenumbers.parse(text, region)
    if theirs.country_code == 1 and phonenumbers.is_possible_number(theirs):
        [phone] = found.phones
        assert phone.e164 == phonenumbers.format_number(theirs, phonenumbers.PhoneNumberFormat.E164)
        assert phone.assigned == phonenumbers.is_valid_number(theirs)


def test_no_assigned_range_of_north_america_depends_on_the_last_three_digits() -> None:
    kinds = (
        "fixed_line",
        "mobile",
        "toll_free",
        "premium_rate",
        "shared_cost",
        "personal_number",
        "voip",
        "pager",
        "uan",
    )
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
        for kind in kinds:
            pattern = getattr(getattr(metadata, kind), "national_number_pattern", None) or ""
            for choice in _split_choices(pattern):
                assert re.search(r"\\d\{[3-9]\}\)*$", choice), (region, kind, choice)


def _split_choices(pattern: str) -> list[str]:
    """The alternatives of a pattern at its outermost level."""
    choices, depth = [""], 0
    for character in pattern:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and not depth:
            choices.append("")
        else:
            choices[-1] += character
    return [choice for choice in choices if choice]
