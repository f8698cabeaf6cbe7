"""What holds of every comparison of names, whatever staff typed."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from openphone_sync.rules import name_words
from openphone_sync.rules.names import (
    MatchLevel,
    Name,
    block_keys,
    compare,
    equal_keys,
    fold,
    gender_of,
    parse_name,
    same_person,
    similarity,
)

ONLY_MEN = sorted(name for name in name_words.MEN if gender_of(name) == "M")
ONLY_WOMEN = sorted(name_words.WOMEN)
GIVEN = st.sampled_from(sorted((name_words.MEN | name_words.WOMEN | name_words.EITHER) - name_words.PARTICLES))
SURNAMES = st.sampled_from(["Smith", "Lopez", "Nguyen", "O'Brien", "Garcia-Lopez", "Kowalski", "Lee", "Vandermeer"])
PEOPLE = st.builds("{} {}".format, GIVEN, SURNAMES)
NOTES = st.sampled_from(sorted(name_words.NOTES - name_words.MEN - name_words.WOMEN - name_words.EITHER))
INVISIBLE = st.sampled_from("\u200b\u200c\u200d\u2060\ufeff\u202e\u00ad")
LETTERS = st.text("bcdfgklmnprst aeiou'-&/+.,()0123456789éñł\u200d🚫", max_size=30)


@given(st.text() | LETTERS, st.text() | LETTERS)
def test_any_two_texts_can_be_compared(a: str, b: str) -> None:
    ours, theirs = parse_name(a), parse_name(b)
    found = compare(ours, theirs)
    assert 0.0 <= found.score <= 1.0
    assert found.agrees <= found.agrees_with_birth
    assert similarity(ours, theirs) == similarity(theirs, ours)
    assert same_person(ours, theirs) == same_person(theirs, ours)
    assert fold(fold(a)) == fold(a)


WORDS = st.lists(
    st.sampled_from(["james", "jim", "jame", "j", "smith", "smyth", "maria", "mario", "lee", "o"]), max_size=4
)


@given(WORDS, WORDS, st.floats(0.0, 1.0))
def test_a_cutoff_loses_no_similar_name(a: list[str], b: list[str], cutoff: float) -> None:
    ours, theirs = Name(tuple(a)), Name(tuple(b))
    exact = similarity(ours, theirs)
    for bound in (cutoff, exact):
        assert similarity(ours, theirs, bound) in ({exact} if exact >= bound else {exact, 0.0})


@given(st.text() | LETTERS)
def test_every_name_is_the_same_as_itself_and_shares_a_key_with_itself(text: str) -> None:
    name = parse_name(text)
    if name.words:
        assert same_person(name, name)
        assert set(equal_keys(name))
        assert list(block_keys(name))


@given(PEOPLE, st.sampled_from([str.upper, str.lower, str.title, lambda text: f"  {text}. "]))
def test_case_and_blanks_do_not_matter(person: str, typed: type[str]) -> None:
    assert compare(parse_name(person), parse_name(typed(person))).level is MatchLevel.EQUAL


@given(PEOPLE, st.lists(st.tuples(st.integers(0, 30), INVISIBLE), max_size=4))
def test_invisible_characters_do_not_matter(person: str, marks: list[tuple[int, str]]) -> None:
    text = person
    for place, mark in marks:
        text = text[:place] + mark + text[place:]
    assert parse_name(text) == parse_name(person)


@given(st.text("éèñüöçåšž", min_size=1, max_size=6))
def test_accents_do_not_matter_in_either_form(word: str) -> None:
    assert fold(unicodedata.normalize("NFD", word)) == fold(unicodedata.normalize("NFC", word))


@given(PEOPLE, st.lists(NOTES, min_size=1, max_size=3), st.booleans())
def test_harmless_notes_leave_the_name_agreeing(person: str, notes: list[str], in_front: bool) -> None:
    note = " ".join(notes)
    theirs = f"{note} {person}" if in_front else f"{person} ({note})"
    assert compare(parse_name(person), parse_name(theirs)).agrees


@given(PEOPLE, st.text("bcdfghjklmnpqrstvwxz", min_size=3, max_size=8), st.booleans())
def test_one_word_that_is_not_known_to_be_harmless_is_enough_to_ask(person: str, word: str, in_front: bool) -> None:
    known = (
        name_words.NOTES | name_words.TITLES | name_words.SUFFIXES.keys() | name_words.COMPANY | name_words.PARTICLES
    )
    if word not in known:
        theirs = f"{word} {person}" if in_front else f"{person} {word}"
        assert not compare(parse_name(person), parse_name(theirs)).agrees


@given(st.sampled_from(ONLY_MEN), st.sampled_from(ONLY_WOMEN), SURNAMES)
def test_a_man_and_a_woman_of_one_surname_never_agree(man: str, woman: str, surname: str) -> None:
    his, hers = parse_name(f"{man} {surname}"), parse_name(f"{woman} {surname}")
    for a, b in ((his, hers), (hers, his)):
        assert not compare(a, b).agrees
        assert not compare(a, parse_name(b.words[0])).agrees


@given(GIVEN, GIVEN, SURNAMES, st.sampled_from(["{0} & {1} {2}", "{0}/{1} {2}", "{0} + {1} {2}", "{0} and {1} {2}",
                                                "{0} {2} & {1}", "{2}, {0} & {1}"]))  # fmt: skip
def test_two_people_in_one_contact_never_agree(one: str, other: str, surname: str, form: str) -> None:
    assert not compare(parse_name(f"{one} {surname}"), parse_name(form.format(one, other, surname))).agrees
