"""Names: what folds together, what agrees, what does not."""

from __future__ import annotations

import pytest

from openphone_sync.rules import name_words
from openphone_sync.rules.names import (
    Commonness,
    MatchLevel,
    are_nicknames,
    block_keys,
    compare,
    equal_keys,
    fold,
    gender_of,
    parse_name,
    same_person,
    similarity,
    split_form,
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("  O’Brien-Núñez ", "obrien nunez"),
        ("D'ANGELO", "dangelo"),
        ("Łukasz Straße", "lukasz strasse"),
        ("Jose\u0301 👩‍⚖️ Peña", "jose pena"),
        ("James & Mary", "james and mary"),
        ("James/Mary", "james and mary"),
        ("+1 213", "1 213"),
        ("5/12", "5 12"),
        ("Иван Ёлкин", "иван елкин"),
        ("김민수", "김민수"),
        ("Ja\u200bmes\u200d", "james"),
        ("\u202eJames\u202c", "james"),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_every_apostrophe_is_read_alike() -> None:
    possessive, irish = parse_name("James's"), parse_name("Mary O'Brien")
    assert possessive.possessive
    for sign in "’ʼ`´‘‛′ʻ＇":
        assert parse_name(f"James{sign}s") == possessive, sign
        assert parse_name(f"Mary O{sign}Brien") == irish, sign


@pytest.mark.parametrize(
    ("text", "words", "suffix"),
    [
        ("Smith, James", ("james", "smith"), ""),
        ("Smith Jr., James", ("james", "smith"), "jr"),
        ("James Smith, Jr.", ("james", "smith"), "jr"),
        ("James Smith II", ("james", "smith"), "jr"),
        ("Dr. James Smith Esq.", ("james", "smith"), ""),
        ("Sr. James Smith", ("james", "smith"), ""),
        ("Maria de la Cruz", ("maria", "cruz"), ""),
        ("De La Cruz, Maria", ("maria", "cruz"), ""),
        ("Al Green", ("al", "green"), ""),
        ("Acme Plumbing LLC", ("acme", "plumbing"), ""),
        ("Law Offices of John Doe", ("john", "doe"), ""),
        ("James Smith (213) 555-0101", ("james", "smith"), ""),
        ("James Smith (referred by Tina)", ("james", "smith"), ""),
        ("+12135550101", (), ""),
        ("", (), ""),
        ("👍", (), ""),
        ("\u200b\u200d\ufeff", (), ""),
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
    assert same_person(parse_name(b), parse_name(a))
    assert set(equal_keys(parse_name(a))) & set(equal_keys(parse_name(b)))


# --- what agrees --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "level"),
    [
        ("James Smith", "", MatchLevel.EMPTY),
        ("James Smith", "New client", MatchLevel.EMPTY),
        ("James Smith", "James", MatchLevel.PART),
        ("James Smith", "J. Smith", MatchLevel.PART),
        ("James Smith", "Smith, J.", MatchLevel.PART),
        ("James Smith", "J S", MatchLevel.PART),
        ("James Smith", "Jim", MatchLevel.PART),
        ("James Smith", "James custody", MatchLevel.PART),
        ("Maria Garcia Lopez", "Maria Garcia", MatchLevel.PART),
        ("James Smith", "James Smith cell", MatchLevel.FULL),
        ("James's", "James's", MatchLevel.EQUAL),
        ("James Smith", "James Smith's cell", MatchLevel.FULL),
        ("James Smith", "Client James Smith", MatchLevel.FULL),
        ("James Smith", "James Smith trial friday", MatchLevel.FULL),
        ("James Smith", "James Smith DUI/custody", MatchLevel.FULL),
        ("James E. Smith", "James Smith (wants callback)", MatchLevel.FULL),
        ("James Edward Smith", "James Smith", MatchLevel.FULL),
        ("James E. Smith", "James Edward Smith", MatchLevel.FULL),
        ("James Smith", "James Edward Smith", MatchLevel.FULL),
        ("James Smith", "James E. Smith", MatchLevel.FULL),
        ("James Smith", "James (Jim) Smith", MatchLevel.FULL),
        ("James Smith", "James Smyth", MatchLevel.SIMILAR),
        ("James Smith", "Jmaes Smith", MatchLevel.SIMILAR),
        ("James Smith", "JamesSmith", MatchLevel.EQUAL),
        ("James Smith", "JamesxSmith", MatchLevel.SIMILAR),
        ("James Edward Smith", "Jame sSmith", MatchLevel.SIMILAR),
        ("Vanessa Smith", "Vanesa Smith", MatchLevel.SIMILAR),
        ("Bob Smith", "Bpb Smith", MatchLevel.SIMILAR),
        ("Penelope Fitzgerald", "Penelpe Fitzgerald", MatchLevel.SIMILAR),
        ("Penelope Fitzgerald", "Penelpe Fitzgerold", MatchLevel.OTHER),
        ("Bo Fitzgerald", "Bo Fitzgerold", MatchLevel.SIMILAR),
        ("J. Fitzgerald", "J. Fitzgerold", MatchLevel.OTHER),
        ("James Smith", "James Xy Smith", MatchLevel.MORE),
        ("James Smith", "James Robert Paul Smith", MatchLevel.FULL),
        ("James Smith", "James Robert Paul Mark Smith", MatchLevel.MORE),
        ("Al Smith", "Ap Smith", MatchLevel.OTHER),
        ("Penelope Buck", "enelope Buck", MatchLevel.SIMILAR),
        ("James Smith", "Jim Smith", MatchLevel.NICKNAME),
        ("James Smith", "Mr. James Smith", MatchLevel.EQUAL),
        ("James Edward Smith", "Smith James Edward", MatchLevel.EQUAL),
        ("Mary Smith", "Mrs. Mary Smith", MatchLevel.EQUAL),
        ("James Smith", "Dr. James Smith", MatchLevel.EQUAL),
        ("Judge James Smith", "Hon. Judge James Smith", MatchLevel.MORE),
        ("Judge James Smith", "Judge James Smith", MatchLevel.EQUAL),
        ("Tia Jones", "Tia Jones", MatchLevel.EQUAL),
        ("Alex Smith", "Alex Smith", MatchLevel.EQUAL),
        ("James Smith Jr.", "James Smith", MatchLevel.EQUAL),
        ("Acme Plumbing LLC", "Acme Plumbing", MatchLevel.EQUAL),
    ],
)
def test_match_levels(ours: str, theirs: str, level: MatchLevel) -> None:
    assert compare(parse_name(ours), parse_name(theirs)).level is level


SPOUSES = ["Mrs. Smith", "Mary Smith", "Mrs. James Smith", "Ms. James Smith", "James's wife", "James wife", "Mary (James wife)",
           "James Smith wife", "James Smith's wife", "Mary Smith (James)", "Wife of James Smith", "Señora Smith"]  # fmt: skip
HOUSEHOLDS = ["Smith", "Smith family", "The Smiths", "Smith household", "James Smith family", "James & family", "Smith home",
              "James's house", "James Smith's"]  # fmt: skip
RELATIVES = ["James's mother", "James mother", "James Smith (brother)", "James Smith - Brother", "Uncle James", "Big James",
             "James Smith son", "James Smith emergency contact", "Mary - James Smith mom"]  # fmt: skip
ROLES = ["Atty James Smith", "James Smith, Esq.", "Judge James Smith", "James Smith judge", "Officer Smith", "James Smith PO",
         "James Smith probation officer", "James Smith bondsman", "James Smith victim", "Estate of James Smith",
         "Guardian of James Smith", "James's attorney", "Rev. James Smith", "for James Smith", "c/o James Smith"]  # fmt: skip
FORBIDDEN = ["James Smith do not answer", "James Smith wrong number", "SPAM James", "James Smith old number", "Wrong number",
             "Do not call", "James Smith - not his number", "🚫 James Smith", "NOT A CLIENT James Smith",
             "James Smith ex-client"]  # fmt: skip
TWO_PEOPLE = ["James & Mary Smith", "James/Mary Smith", "James + Mary", "James and Mary Smith", "James Smith & wife",
              "James y Maria Smith", "James n Mary", "James Mary Smith", "Mary James Smith", "James, Mary Smith",
              "Smith, James & Mary", "James&Robert Smith", "Mr. and Mrs. Smith", "James y Mark Smith", "James; Robert Smith",
              "James - Robert Smith", "James (Robert) Smith", "James | Robert Smith"]  # fmt: skip
WORKPLACES = ["James Smith LLC", "Law Office of James Smith", "James's work", "JAMES'S WORK", "James Smith Insurance",
              "Smith & Sons", "Smith LLC"]  # fmt: skip
OTHERS = ["James Jones", "James J.", "James Smith Jones", "Mary", "S. Smith", "J", "Jame Smyth"]


@pytest.mark.parametrize(
    "theirs", [*SPOUSES, *HOUSEHOLDS, *RELATIVES, *ROLES, *FORBIDDEN, *TWO_PEOPLE, *WORKPLACES, *OTHERS]
)
def test_contact_of_somebody_else_never_agrees(theirs: str) -> None:
    assert not compare(parse_name("James Smith"), parse_name(theirs)).agrees


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("James Smith Sr.", "James Smith Jr."),
        ("Jordan Smith", "Mrs. Jordan Smith"),  # Jordan's wife, for all we know
        ("Mary Smith", "Mr. Mary Smith"),
        ("James Edward Smith", "James Robert Smith"),
        ("James E. Smith", "James R. Smith"),
        ("James Edward Smith", "Edward Smith"),  # sons are named for their fathers
        ("James Edward Smith", "Edward James Smith"),
        ("James Edward Smith", "Eddie James Smith"),
        ("Maria Garcia Lopez", "Garcia Lopez"),
        ("Jane S. Black", "Jane Black sister"),  # not the S.
        ("Nathan B. Hill", "Nathan Bates"),
        ("Daniel Bell", "Daniel Martin cell"),
        ("Jack Smith", "Jack Jackson"),
        ("Jack Wong", "Jack (wrong #)"),
        ("Shawn A. Pham", "Shawn/Terry Pham"),
        ("Scott Griffin", "Scott Le cell"),
        ("Dale David Black", "Dave D. Black"),
        ("Carla West", "Carl A. West"),
        ("James", "James Smith"),
        ("Beth Smith", "Lisa Smith"),
        ("Mary Smith", "Marry Mary Smith"),
    ],
)
def test_others_beside_a_name_like_ours_do_not_agree(ours: str, theirs: str) -> None:
    assert not compare(parse_name(ours), parse_name(theirs)).agrees


ONE_LETTER_APART = ["John Joan", "Maria Mario", "Jan Dan", "Daniel Daniela", "Eric Erica", "Jean Joan", "Danilo Danila",
                    "Jaylen Kaylen", "Cristian Cristina", "Kyle Kylie"]  # fmt: skip


@pytest.mark.parametrize("pair", ONE_LETTER_APART)
def test_names_of_siblings_are_not_typos(pair: str) -> None:
    a, b = (parse_name(f"{given} Lopez") for given in pair.split())
    assert not compare(a, b).agrees
    assert not compare(b, a).agrees


def test_names_that_many_bear_are_not_typos() -> None:
    seen = Commonness(parse_name(f"{given} Number{n}") for n in range(3) for given in ("Jaylen", "Jaylan"))
    ours, theirs = parse_name("Jaylen Lopez"), parse_name("Jaylan Lopez")
    assert compare(ours, theirs).level is MatchLevel.SIMILAR
    assert compare(ours, theirs, seen).level is MatchLevel.OTHER


def test_the_same_typo_of_a_common_name_stays_a_typo() -> None:
    names = ["James Number"] * 400 + ["Jmaes Number"] * 4
    seen = Commonness(map(parse_name, names))
    assert compare(parse_name("James Lopez"), parse_name("Jmaes Lopez"), seen).agrees


@pytest.mark.parametrize("pair", ["Alexandra Alex", "Alexander Alex", "Patricia Pat", "Christopher Chris", "Samantha Sam",
                                  "Antonia Tony", "Veronica Ron"])  # fmt: skip
def test_short_forms_across_genders_do_not_agree(pair: str) -> None:
    full, short = pair.split()
    for theirs in (short, f"{short} Lopez"):
        assert not compare(parse_name(f"{full} Lopez"), parse_name(theirs)).agrees


@pytest.mark.parametrize(
    "theirs", ["Smith", "Mrs. Smith", "James Smith attorney", "James & Mary Smith", "James Smith LLC"]
)
def test_with_the_same_date_of_birth_our_name_and_more_agrees(theirs: str) -> None:
    assert compare(parse_name("James Smith"), parse_name(theirs)).agrees_with_birth


@pytest.mark.parametrize("theirs", ["Mary Smith", "James Jones", "James Smith Jr."])
def test_another_name_does_not_agree_with_the_same_date_of_birth_either(theirs: str) -> None:
    assert not compare(parse_name("James Smith Sr."), parse_name(theirs)).agrees_with_birth


def test_harmless_notes_are_not_words_that_mean_something_else() -> None:
    others = (
        name_words.COMPANY | name_words.TITLES | name_words.SUFFIXES.keys() | name_words.JOINT | name_words.PARTICLES
    )
    assert name_words.NOTES.isdisjoint(others)


def test_threshold_bounds_what_is_alike() -> None:
    ours, theirs = parse_name("James Smith"), parse_name("James Smyth")
    assert compare(ours, theirs, threshold=1.0).level is MatchLevel.OTHER


def test_similarity_is_symmetric_and_knows_no_order() -> None:
    a, b = parse_name("Smith James"), parse_name("James Smyth")
    assert similarity(a, b) == similarity(b, a) > 0.9
    assert similarity(a, parse_name("")) == 0.0


def test_rarity_is_measured() -> None:
    names = [parse_name(f"James Smith{'abc'[n % 3]}") for n in range(99)]
    seen = Commonness([*names, parse_name("Ignatius Vanderbeek")])
    assert seen.namesakes(parse_name("James Smitha")) > 10
    assert seen.namesakes(parse_name("Ignatius Vanderbeek")) < 0.02


def test_nicknames_go_both_ways_but_not_across() -> None:
    assert are_nicknames("bob", "robert")
    assert are_nicknames("robert", "bob")
    assert not are_nicknames("beth", "lisa")


def test_gender_is_known_only_where_one_of_the_two_bears_the_name() -> None:
    assert [gender_of(given) for given in ("james", "mary", "jordan", "xyz")] == ["M", "F", "", ""]


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


def test_words_misspelt_from_the_third_letter_on_share_a_block() -> None:
    for ours, theirs in (("Abram Cedric", "Abcde Cezzz"), ("Cedric Abram", "Cezzz Abcde")):
        assert set(block_keys(parse_name(ours))) & set(block_keys(parse_name(theirs)))


def test_namesakes_that_chance_brings() -> None:
    name = parse_name("James Smith")
    assert Commonness([]).namesakes(name) == 1.0
    seen = ["James Smith", "James Lee", "Ann Smith", "Bob Day"]
    assert Commonness(map(parse_name, seen)).namesakes(name) == 4 * (2 / 4) * (2 / 4)


def test_a_contact_without_a_name_agrees_without_a_score() -> None:
    found = compare(parse_name("James Smith"), parse_name(""))
    assert (found.agrees, found.score, found.identical) == (True, 0.0, False)
