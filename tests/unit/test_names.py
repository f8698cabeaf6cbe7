"""Names: what folds together, what agrees, what does not."""

from __future__ import annotations

import pytest

from openphone_sync.rules.names import (
    Commonness,
    MatchLevel,
    are_nicknames,
    block_keys,
    compare,
    equal_keys,
    fold,
    parse_name,
    same_person,
    similarity,
    split_form,
    without_notes,
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("  O’Brien-Núñez ", "obrien nunez"),
        ("D'ANGELO", "dangelo"),
        ("Łukasz Straße", "lukasz strasse"),
        ("Jose\u0301 👩‍⚖️ Peña", "jose pena"),
        ("James & Mary", "james and mary"),
        ("+1 213", "1 213"),
        ("Иван Ёлкин", "иван елкин"),
        ("김민수", "김민수"),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("text", "words", "suffix"),
    [
        ("Smith, James", ("james", "smith"), ""),
        ("Smith Jr., James", ("james", "smith"), "jr"),
        ("James Smith, Jr.", ("james", "smith"), "jr"),
        ("James Smith II", ("james", "smith"), "jr"),
        ("Dr. James Smith Esq.", ("james", "smith"), ""),
        ("Maria de la Cruz", ("maria", "cruz"), ""),
        ("De La Cruz, Maria", ("maria", "cruz"), ""),
        ("Al Green", ("al", "green"), ""),
        ("Acme Plumbing LLC", ("acme", "plumbing"), ""),
        ("Law Offices of John Doe", ("john", "doe"), ""),
        ("James Smith (213) 555-0101", ("james", "smith"), ""),
        ("+12135550101", (), ""),
        ("", (), ""),
        ("👍", (), ""),
    ],
)
def test_reading(text: str, words: tuple[str, ...], suffix: str) -> None:
    name = parse_name(text)
    assert (name.words, name.suffix) == (words, suffix)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("James Smith", "smith JAMES"),
        ("José Núñez", "Jose Nunez"),
        ("Bob Jones", "Robert Jones"),
        ("Pepe Lopez", "José López"),
        ("Ana Garcia-Lopez", "Ana Garcia Lopez"),
        ("Mary-Ann Lee", "Maryann Lee"),
        ("Jan van der Meer", "Jan Vandermeer"),
        ("Maria de la Cruz", "Maria Cruz"),
        ("Acme Plumbing, Inc.", "ACME Plumbing"),
        ("O'Brien, Pat", "Pat OBrien"),
    ],
)
def test_equal_after_folding(a: str, b: str) -> None:
    assert same_person(parse_name(a), parse_name(b))
    assert set(equal_keys(parse_name(a))) & set(equal_keys(parse_name(b)))


@pytest.mark.parametrize(
    ("ours", "theirs", "level"),
    [
        ("James Smith", "James", MatchLevel.PART),
        ("James Smith", "J. Smith", MatchLevel.PART),
        ("James Smith", "J S", MatchLevel.PART),
        ("James Smith", "Smith", MatchLevel.SURNAME),
        ("James Smith", "Smith custody", MatchLevel.SURNAME),
        ("James Smith", "New client", MatchLevel.EMPTY),
        ("James Smith", "James Smith trial friday", MatchLevel.PART),
        ("James E. Smith", "James Smith (wants callback)", MatchLevel.PART),
        ("James Edward Smith", "James Smith", MatchLevel.PART),
        ("James Smith", "James Edward Smith", MatchLevel.PART),
        ("James Smith", "Jame Smyth", MatchLevel.OTHER),
        ("James Smith", "James Smyth", MatchLevel.SIMILAR),
        ("Penelope Buck", "enelope Buck", MatchLevel.SIMILAR),
        ("Tia Jones", "Tia Jones", MatchLevel.EQUAL),
        ("James Edward Smith", "James Robert Smith", MatchLevel.OTHER),
        ("James E. Smith", "James R. Smith", MatchLevel.OTHER),
        ("James Smith", "James Jones", MatchLevel.OTHER),
        ("James Smith Sr.", "James Smith Jr.", MatchLevel.OTHER),
        ("James Smith", "Smith LLC", MatchLevel.OTHER),
        ("James", "James Smith", MatchLevel.OTHER),
        ("Beth Smith", "Lisa Smith", MatchLevel.OTHER),
    ],
)
def test_match_levels(ours: str, theirs: str, level: MatchLevel) -> None:
    assert compare(parse_name(ours), parse_name(theirs)).level is level


@pytest.mark.parametrize("pair", ["John Joan", "Maria Mario", "Jan Dan", "Daniel Daniela", "Eric Erica", "Jean Joan"])
def test_brothers_and_sisters_are_no_slips_of_the_pen(pair: str) -> None:
    a, b = (parse_name(f"{given} Lopez") for given in pair.split())
    assert not compare(a, b).agrees


@pytest.mark.parametrize("text", ["James's mother", "James Smith wife", "James Smith - Brother", "James & Mary Smith"])
def test_a_second_person_in_the_name_disagrees(text: str) -> None:
    assert not compare(parse_name("James Smith"), parse_name(text)).agrees


def test_names_that_many_bear_are_no_slips() -> None:
    seen = Commonness(parse_name(f"{given} Number{n}") for n in range(3) for given in ("Jaylen", "Jayden"))
    ours, theirs = parse_name("Jaylen Lopez"), parse_name("Jayden Lopez")
    assert compare(ours, theirs).level is MatchLevel.SIMILAR
    assert compare(ours, theirs, seen).level is MatchLevel.OTHER


def test_threshold_bounds_what_is_alike() -> None:
    ours, theirs = parse_name("James Smith"), parse_name("James Smyth")
    assert compare(ours, theirs, threshold=1.0).level is MatchLevel.OTHER


def test_similarity_is_symmetric_and_knows_no_order() -> None:
    a, b = parse_name("Smith James"), parse_name("James Smyth")
    assert similarity(a, b) == similarity(b, a) > 0.9
    assert similarity(a, parse_name("")) == 0.0


def test_rarity_is_measured() -> None:
    names = [parse_name(f"James Smith{n % 3}") for n in range(99)]
    seen = Commonness([*names, parse_name("Ignatius Vanderbeek")])
    assert seen.namesakes(parse_name("James Smith1")) > 10
    assert seen.namesakes(parse_name("Ignatius Vanderbeek")) < 0.02


def test_nicknames_go_both_ways_but_not_across() -> None:
    assert are_nicknames("bob", "robert")
    assert are_nicknames("robert", "bob")
    assert not are_nicknames("beth", "lisa")


def test_notes_are_left_out() -> None:
    plain = parse_name("James Smith")
    assert without_notes(plain) is plain
    assert without_notes(parse_name("Smith DUI")).words == ("smith",)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("James Smith - Brother", ("James Smith", "brother")),
        ("James Smith – Contact 1", ("James Smith", "contact 1")),
        ("Ana Garcia-Lopez", None),
        ("James Smith - ", None),
    ],
)
def test_display_form_of_alternates(text: str, form: tuple[str, str] | None) -> None:
    assert split_form(text) == form


@pytest.mark.parametrize(
    ("a", "b"), [("James Smith", "James Smyth"), ("James Smith", "Jmaes Smith"), ("Carlos Nguyen", "Karlos Nguyen")]
)
def test_names_alike_share_a_block(a: str, b: str) -> None:
    assert set(block_keys(parse_name(a))) & set(block_keys(parse_name(b)))
