"""People's names: folded, compared, and how common their words are. Pure.

A name is read once (`parse_name`) into folded words; two names are compared word by word (`compare`), since on a
family's phone the surname says nothing: ``Maria Lopez`` and ``Mario Lopez`` are 0.96 alike as texts, and two people.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from itertools import chain, product
from sys import intern

from rapidfuzz.distance import OSA, JaroWinkler

from openphone_sync.rules import name_words

_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "&": " and "}
)
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
_APOSTROPHES = str.maketrans(dict.fromkeys("’ʼ`´‘‛′ʻ＇", "'"))
_POSSESSIVE = re.compile(r"'s\b|(?<=s)'(?=\s)", re.IGNORECASE)
_JOINED = re.compile(r"\+(?!\s*[0-9])|(?<=[^\W\d_])\s*/\s*(?=[^\W\d_])")
"""Signs between two people: ``James + Mary``, ``James/Mary``; not ``+1 213`` or ``5/12``."""
_DIVIDED = re.compile(r"^\W*\w+(?:\s*[;|\\(\[]|\s+[-–—]\s)")
"""A sign behind the first word: ``James; Robert Smith``, ``James (Robert) Smith``, ``James - Robert Smith``."""
_NO_WORD = re.compile(r"[\W_]+")
_DOUBLED = re.compile(r"(.)\1")
_DASH_FORM = re.compile(r"\s[-–—]\s")
_REFERRAL = re.compile(r"\b(?:referred|ref) by\b.*")
_COMPANY_PHRASES = re.compile(r"\b(?:law (?:offices?|firm|group)(?: of)?|attorneys? at law|offices? of)\b")

MAX_WORDS = 8
"""Longer "names" are sentences; only their first words are compared."""


def fold(text: str) -> str:
    """Lower case without accents, punctuation or apostrophes; single spaces. ``O’Brien-Núñez`` -> ``obrien nunez``."""
    if _is_plain(text):
        return " ".join(text.lower().split())
    text = text.translate(_APOSTROPHES)  # first: to Unicode, an acute is a blank with an accent
    text = text.lower() if text.isascii() else _without_marks(_INVISIBLE.sub("", text.casefold()))
    text = _JOINED.sub(" and ", _POSSESSIVE.sub("", text)).translate(_LETTERS)
    return _NO_WORD.sub(" ", text.replace("'", "")).strip()


def _is_plain(text: str) -> bool:
    """Whether it is ASCII letters and spaces, as most names are."""
    return text.isascii() and text.replace(" ", "").isalpha()


def _without_marks(text: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare).casefold()  # NFKD makes capitals of some signs


# --- reading a name -----------------------------------------------------------------------------------------


NO_TITLES: frozenset[str] = frozenset()
"""Shared: each empty frozenset takes 216 bytes, more than the rest of a name."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name as it is compared.

    ``words`` in spoken order, without titles, particles, suffix and company words. ``joined``: all letters together
    with the particles, so that ``Van der Meer`` equals ``Vandermeer``. ``suffix``: ``sr``, ``jr``, ``iii``,
    ``iv`` or empty. ``company``, ``titles`` and ``possessive`` say what was left out: ``Smith LLC``, ``Mrs.``, ``'s``;
    ``divided``, that a sign stands behind the first word.
    """

    words: tuple[str, ...] = ()
    suffix: str = ""
    joined: str = ""
    company: bool = False
    titles: frozenset[str] = NO_TITLES
    possessive: bool = False
    divided: bool = False

    @property
    def text(self) -> str:
        """Words in alphabetical order: what block searches compare."""
        return " ".join(sorted(self.words))

    @property
    def full(self) -> bool:
        """Whether it names a person in full: two words or more that are not initials."""
        return sum(len(word) > 1 for word in self.words) > 1


NOBODY = Name()


def parse_name(text: str | None) -> Name:
    """The name in ``text``. ``Smith, James Jr.`` is turned; words that hold a digit are dropped."""
    if not text:
        return NOBODY
    company = False
    tokens: list[str] = []
    for part in _spoken_order(text):
        # A plain word is found in a fraction of the time that a pattern takes, and nearly no name holds one of these.
        own = _REFERRAL.sub("", part) if " by" in part else part
        bare = _COMPANY_PHRASES.sub(" ", own) if "law" in own or "office" in own else own
        company = company or bare != own
        tokens += bare.split()
    if not text.isascii() and not name_words.WARNING_SIGNS.isdisjoint(text):
        tokens.append("warning")  # a word like another: it is not among the harmless notes
    name = _make_name(tokens, company=company)
    if name.words and not _is_plain(text):
        possessive, divided = _POSSESSIVE.search(text.translate(_APOSTROPHES)), _DIVIDED.search(text)
        if possessive or divided:
            return replace(name, possessive=bool(possessive), divided=bool(divided))
    return name


def _spoken_order(text: str) -> list[str]:
    """Folded parts; ``Smith, James`` gives ``james``, ``smith``."""
    if "," not in text:
        return [fold(text)]
    parts = [fold(part) for part in text.split(",")]
    if len(parts) > 1 and parts[0] and _begins_a_given_name(parts[1]):
        parts[0], parts[1] = parts[1], parts[0]
    return parts


def _begins_a_given_name(part: str) -> bool:
    first = part.split(" ", 1)[0]
    return bool(first) and not any(
        first in words for words in (name_words.SUFFIXES, name_words.TITLES, name_words.COMPANY)
    )


def _make_name(parts: list[str], *, company: bool) -> Name:
    if name_words.BESIDE.isdisjoint(parts) and all(map(str.isalpha, parts)):  # most names
        return Name(tuple(map(intern, parts[:MAX_WORDS])), "", "".join(parts), company)
    kept: list[str] = []
    titles: set[str] = set()
    suffix = ""
    for position, part in enumerate(parts):
        if part in name_words.TITLES or (part == "sr" and position == 0 and len(parts) > 1):
            titles.add(part)
        elif position and part in name_words.SUFFIXES:
            suffix = name_words.SUFFIXES[part]
        elif part.isalpha() or not any(c.isdigit() for c in part):
            kept.append(part)
    words = [word for word in kept if word not in name_words.COMPANY] if len(kept) > 1 else kept
    company = company or len(words) < len(kept)
    bare = tuple(map(intern, _without_particles(words)[:MAX_WORDS]))  # a hundred thousand names share few words
    return Name(bare, suffix, "".join(words), company, frozenset(titles) if titles else NO_TITLES)


def _without_particles(words: list[str]) -> list[str]:
    first, other, last = name_words.PURE_PARTICLES, name_words.PARTICLES, len(words) - 1
    return [
        word
        for i, word in enumerate(words)
        if word not in (other if i else first) or i == last or words[i + 1] in name_words.NOTES  # "Ann Le cell"
    ]


def split_form(text: str) -> tuple[str, str] | None:
    """``James Smith - Brother`` -> (``James Smith``, ``brother``); None for a text that is not in that form."""
    parts = _DASH_FORM.split(text, maxsplit=1)
    if len(parts) < 2 or not parts[0].strip() or not parts[1].strip():
        return None
    return parts[0], fold(parts[1])


# --- given names --------------------------------------------------------------------------------------------


def gender_of(given: str) -> str:
    """``M`` or ``F`` for a given name that only men or only women commonly bear, else empty."""
    return "M" if given in name_words.MEN else "F" if given in name_words.WOMEN else ""


@cache
def _canonicals() -> Mapping[str, frozenset[str]]:
    """Short form -> the names it stands for (package ``nicknames``, 1,151 names; 84 ms to load, hence late)."""
    from nicknames import NickNamer  # noqa: PLC0415

    found = {nick: _of_one_gender(nick, names) for nick, names in NickNamer().canonical_lookup.items()}
    for entry in name_words.MORE_NICKNAMES.split(";"):
        name, *nicks = entry.split()
        for nick in nicks:
            found.setdefault(nick, set()).add(name)
    return {nick: frozenset(names) for nick, names in found.items()}


def _of_one_gender(nick: str, names: set[str]) -> set[str]:
    """Names that the short form stands for beyond doubt: none where it stands for men and women alike."""
    if gender := gender_of(nick):
        return {name for name in names if gender_of(name) in (gender, "")}
    return set() if {"M", "F"} <= {gender_of(name) for name in names} else set(names)


@cache
def _given_names() -> frozenset[str]:
    """Every given name and short form that we know."""
    known = name_words.MEN | name_words.WOMEN | name_words.EITHER
    return known.union(_canonicals(), *_canonicals().values())


def are_nicknames(a: str, b: str) -> bool:
    """Whether one is a short form of the other; two short forms of a third are not (Beth and Lisa are sisters).

    A short form for men and women alike is nobody's: Alex of Alexandra is not Alex of Alexander.
    """
    if a in name_words.SHORT_FOR_BOTH or b in name_words.SHORT_FOR_BOTH:
        return False
    return b in _canonicals().get(a, ()) or a in _canonicals().get(b, ())


# --- comparing ----------------------------------------------------------------------------------------------


class MatchLevel(IntEnum):
    """What a contact's name is, seen from ours, the surest last. From ``EMPTY`` on, it agrees."""

    OTHER = 0  # somebody else's name, or too little alike
    SURNAME = 1  # our surname without our first name: "Smith", "Mrs. Smith"
    MORE = 2  # our name, and what may mean somebody else: "James Smith attorney", "James & Mary Smith"
    EMPTY = 3  # the contact has no name
    PART = 4  # some of our words or initials: "James", "J. Smith"
    FULL = 5  # our first and last name, with or without middle names and harmless notes: "James E. Smith cell"
    SIMILAR = 6  # above the threshold, what differs looks like a typo
    NICKNAME = 7  # equal but for a short form: "Jim Smith"
    EQUAL = 8  # equal after folding


@dataclass(frozen=True, slots=True)
class NameMatch:
    """``score`` from 0 to 1, for the threshold and for people; ``identical``: equal in full without nicknames.

    ``suffix_differs``: one has a suffix that the other has not; ``suffix_added``: it is the contact's.
    """

    level: MatchLevel
    score: float
    identical: bool = False
    suffix_differs: bool = False
    suffix_added: bool = False

    @property
    def agrees(self) -> bool:
        """Whether the name by itself says that the contact on our phone is this person's."""
        return self.level >= MatchLevel.EMPTY

    @property
    def agrees_with_birth(self) -> bool:
        """Whether it does together with the same date of birth."""
        return self.level is not MatchLevel.OTHER


class Commonness:
    """How common words are among all names seen. ``people`` is the number of names."""

    __slots__ = ("_counts", "_given", "people")

    def __init__(self, names: Iterable[Name]) -> None:
        self._counts: Counter[str] = Counter()
        self._given: Counter[str] = Counter()
        seen = [name.words for name in names]
        self.people = len(seen)
        self._counts.update(chain.from_iterable(seen))
        self._given.update(words[0] for words in seen if words)

    def count(self, word: str) -> int:
        """In how many names the word stands."""
        return self._counts[word]

    def is_given_name(self, word: str, other: str = "") -> bool:
        """Whether people bear it: we know it, or more than two of those seen are called so.

        Of an ``other`` name that many bear, the same typo is met several times.
        """
        return word in _given_names() or self._given[word] > max(2, self._given[other] // 100)

    def namesakes(self, name: Name) -> float:
        """People of this name that chance would bring among those seen (words taken as independent)."""
        expected = float(max(self.people, 1))
        for word in name.words:
            expected *= max(self._counts[word], 1) / max(self.people, 1)
        return expected


NO_NAMES = Commonness(())


@dataclass(frozen=True, slots=True)
class _Fit:
    """A word of ours beside one of theirs."""

    ours: int
    theirs: int
    score: float
    kind: str  # "same", "nick", "typo", "initial"


def compare(ours: Name, theirs: Name, common: Commonness = NO_NAMES, threshold: float = 0.9) -> NameMatch:
    """How the contact's name stands to ours."""
    if name_words.NAMELESS.issuperset(theirs.words) and not theirs.titles:
        return NameMatch(MatchLevel.EMPTY, 0.0)
    if not ours.words or not theirs.words:
        return NameMatch(MatchLevel.OTHER, 0.0)
    suffix_differs = ours.suffix != theirs.suffix
    suffix_added = suffix_differs and bool(theirs.suffix)
    same_words = _have_same_words(ours, theirs)
    if suffix_added and ours.suffix:
        level = MatchLevel.OTHER  # father and son
    else:
        level = MatchLevel.EQUAL if same_words else _match_words(ours, theirs, common, threshold)
    if level > MatchLevel.EMPTY and _speaks_of_another(ours, theirs):
        level = MatchLevel.MORE
    identical = same_words and level is MatchLevel.EQUAL and ours.full and not suffix_differs
    score = 1.0 if same_words else similarity(ours, theirs)
    return NameMatch(level, score, identical, suffix_differs, suffix_added)


def _have_same_words(a: Name, b: Name) -> bool:
    """In any order, or divided otherwise: Mary-Ann, Maryann. But Carl A. West is not Carla West, and James Edward West is not
    Edward James West.
    """
    if sorted(a.words) == sorted(b.words):
        return a.words[0] == b.words[0] or a.words[-1] != b.words[-1]
    initials = any(len(word) == 1 for name in (a, b) for word in name.words[1:])
    return a.joined == b.joined and (a.words[0] == b.words[0] or not initials)


def _speaks_of_another(ours: Name, theirs: Name) -> bool:
    """Whether a title, company word or possessive makes our name somebody else's: a wife, a judge, a firm, an employer."""
    fitting = {"M": name_words.MENS_TITLES, "F": name_words.WOMENS_TITLES}.get(gender_of(ours.words[0]), frozenset())
    if not theirs.titles <= ours.titles | fitting | name_words.NEUTRAL_TITLES:
        return True
    if theirs.company and not ours.company:
        return True  # "James Smith LLC"
    if ours.possessive and ours.words == theirs.words:
        return False  # the row itself is written so
    return theirs.possessive and name_words.PHONE_NOTES.isdisjoint(theirs.words)  # "James's cell" is his


def _match_words(ours: Name, theirs: Name, common: Commonness, threshold: float) -> MatchLevel:
    if _is_run_together(ours, theirs):
        return MatchLevel.SIMILAR
    fits = _without_chance_initials(_fit_words(ours.words, theirs.words, common), ours, theirs)
    kinds = {fit.kind for fit in fits}
    given = next((fit for fit in fits if fit.ours == 0), None)
    places = {fit.theirs for fit in fits}
    whole = any(fit.ours == len(ours.words) - 1 for fit in fits)
    rest = [i for i in range(len(theirs.words)) if i not in places and not _is_harmless(i, ours, theirs, whole=whole)]
    if given is None:
        ours_only = kinds == {"same"} and not rest and ours.company == theirs.company
        return MatchLevel.SURNAME if ours_only else MatchLevel.OTHER
    if "typo" in kinds and not _is_near(ours, theirs, fits, threshold):
        return MatchLevel.OTHER
    return _match_more(ours, theirs, fits, rest, common) if rest else _match_part(ours, theirs, fits, given)


def _match_part(ours: Name, theirs: Name, fits: list[_Fit], given: _Fit) -> MatchLevel:
    """Theirs says our first name, and nothing but words of ours and harmless notes."""
    kinds = {fit.kind for fit in fits}
    if ours.company != theirs.company and "typo" not in kinds:
        return MatchLevel.OTHER  # "Acme LLC" is not short for "Acme Plumbing"
    if any(fit.theirs < given.theirs and 0 < fit.ours < len(ours.words) - 1 for fit in fits):
        return MatchLevel.OTHER  # "Edward James Smith" is not James Edward
    if len(fits) == 1 and (given.kind in ("typo", "initial")):
        return MatchLevel.OTHER  # a letter is not a name
    if len(fits) < len(ours.words) or len(fits) < len(theirs.words) or "initial" in kinds:
        surname = next((fit for fit in fits if fit.ours == len(ours.words) - 1), given)
        return MatchLevel.PART if surname is given or "initial" in (given.kind, surname.kind) else MatchLevel.FULL
    return MatchLevel.SIMILAR if "typo" in kinds else MatchLevel.NICKNAME


def _is_run_together(a: Name, b: Name) -> bool:
    """Whether one is the other's first and last name with the space missing, misplaced or mistyped: ``JoelRoy``, ``Joe lRoy``,
    ``JoelxRoy``.
    """
    whole, text = (a, b) if len(a.words) > 1 else (b, a)
    first, last = whole.words[0], whole.words[-1]
    if len(whole.words) < 2 or last in text.words:
        return False
    extra = len(text.joined) - len(first + last)
    fits = text.joined.startswith(first) and text.joined.endswith(last)
    return fits and extra in (0, 1 if len(text.words) == 1 else 0)


def _is_harmless(place: int, ours: Name, theirs: Name, *, whole: bool) -> bool:
    """Whether the word says nothing about whose contact it is: an office's note, or a short form of our ``whole`` name's first:
    "James (Jim) Smith", but not "Jack Jackson" for Jack Smith.
    """
    word = theirs.words[place]
    if word in name_words.JOINT:  # "DUI and custody"
        return place + 1 < len(theirs.words) and theirs.words[place + 1] in name_words.NOTES
    return word in name_words.NOTES or (whole and are_nicknames(word, ours.words[0]))


def _match_more(ours: Name, theirs: Name, fits: list[_Fit], rest: list[int], common: Commonness) -> MatchLevel:
    """Theirs says first and last of our words, and more that is not a harmless note."""
    last = len(ours.words) - 1
    found = {fit.ours: fit for fit in fits if fit.kind != "initial"}
    if not last or 0 not in found or last not in found:
        return MatchLevel.OTHER  # "James Jones", "James's wife"
    between = not theirs.divided and all(found[0].theirs < place < found[last].theirs for place in rest)
    if between and _are_middle_names(ours.words[0], [theirs.words[place] for place in rest], common):
        return MatchLevel.OTHER if len(fits) <= last else MatchLevel.FULL  # another middle name than ours, or one more
    return MatchLevel.MORE


def _are_middle_names(given: str, words: list[str], common: Commonness) -> bool:
    """Names, then initials, two at most. A name of the other gender is a second person: "James Mary Smith"."""
    initials = [len(word) == 1 for word in words]
    names = [word for word in words if len(word) > 1]
    if not name_words.JOINT.isdisjoint(words):
        return False
    one_gender = len({gender_of(word) for word in (given, *names)} - {""}) < 2
    return len(words) <= 2 and initials == sorted(initials) and one_gender and all(map(common.is_given_name, names))


def _without_chance_initials(fits: list[_Fit], ours: Name, theirs: Name) -> list[_Fit]:
    """Without initials that fit by chance: ours for the S of "Jane Black sister", theirs for Dale in "Dave D. Black"."""
    places = {fit.ours: fit.theirs for fit in fits}
    given, surname = places.get(0, len(theirs.words)), places.get(len(ours.words) - 1, -1)

    def is_in_place(fit: _Fit) -> bool:
        if fit.kind != "initial" or given < fit.theirs < surname:
            return True
        if fit.ours == 0:
            return fit.theirs in (0, surname + 1)  # "J. Smith", "Smith J."
        return len(theirs.words[fit.theirs]) == 1

    return [fit for fit in fits if is_in_place(fit)]


def _is_near(ours: Name, theirs: Name, fits: list[_Fit], threshold: float) -> bool:
    """Whether the words that fit are above the threshold by letters, and one of them beyond doubt."""
    sure = any(fit.kind in ("same", "nick") and len(ours.words[fit.ours]) > 1 for fit in fits)
    letters = [
        (fit, len(ours.words[fit.ours]) + len(theirs.words[fit.theirs])) for fit in fits if fit.kind != "initial"
    ]
    return sure and sum(fit.score * n for fit, n in letters) >= threshold * sum(n for _, n in letters)


def _fit_words(ours: tuple[str, ...], theirs: tuple[str, ...], common: Commonness) -> list[_Fit]:
    """The best one-to-one fit of words, found greedily: same, nickname, typo, initial."""
    found = [fit for i, a in enumerate(ours) for j, b in enumerate(theirs) if (fit := _fit(i, a, j, b, common))]
    found.sort(key=lambda fit: (-fit.score, abs(fit.ours - fit.theirs), fit.ours, fit.theirs))
    chosen: list[_Fit] = []
    used_ours: set[int] = set()
    used_theirs: set[int] = set()
    for fit in found:
        if fit.ours not in used_ours and fit.theirs not in used_theirs:
            used_ours.add(fit.ours)
            used_theirs.add(fit.theirs)
            chosen.append(fit)
    return chosen


def _fit(i: int, a: str, j: int, b: str, common: Commonness) -> _Fit | None:
    if a == b:
        return _Fit(i, j, 1.0, "same")
    if are_nicknames(a, b):
        return _Fit(i, j, 0.98, "nick")
    if any(b in words for words in (name_words.NOTES, name_words.OTHER_WORDS, name_words.JOINT) if len(b) > 1):
        return None  # "cell" is not Bell mistyped, nor "wrong" Wong, nor "and" A. in full
    if len(a) == 1 or len(b) == 1:
        return _Fit(i, j, 0.5, "initial") if a[0] == b[0] else None
    if _is_typo(a, b) if min(i, j) else _is_typo_in_given_name(a, b, common):
        return _Fit(i, j, JaroWinkler.similarity(a, b), "typo")
    return None


def _is_typo(a: str, b: str) -> bool:
    """One typo (a letter wrong, missing, extra, or two exchanged) from three letters on, two from eight letters on."""
    return max(len(a), len(b)) > 2 and OSA.distance(a, b, score_cutoff=2) <= (2 if min(len(a), len(b)) >= 8 else 1)


def _is_typo_in_given_name(a: str, b: str, common: Commonness) -> bool:
    """Whether one is a given name and the other is that name mistyped.

    Not when both are names or neither is (Jan, Dan; Jaylen, Kaylen). Not with another vowel at the end, where the names of
    a brother and a sister differ (Danilo, Danila). A letter doubled or not is one name (Vanessa, Vanesa).
    """
    if _DOUBLED.sub(r"\1", a) == _DOUBLED.sub(r"\1", b):
        return len({gender_of(a), gender_of(b)} - {""}) < 2
    known = common.is_given_name(a, b)
    if min(len(a), len(b)) < 3 or known == common.is_given_name(b, a) or not _is_typo(a, b):
        return False
    name, typo = (a, b) if known else (b, a)
    return typo[-1] == name[-1] or typo[-1] not in "aeiouy" or typo == name[:-1] or sorted(typo) == sorted(name)


def similarity(a: Name, b: Name, cutoff: float = 0.0) -> float:
    """From 0 to 1, whatever the order of words: Jaro-Winkler of each word's best partner, weighted by letters.

    Below ``cutoff`` it may be 0: most names are out at their first word, before all words are compared.
    """
    if not a.words or not b.words:
        return 0.0
    letters = sum(map(len, a.words)) + sum(map(len, b.words))
    ours, theirs = _without_equal_words(a.words, b.words)
    to_lose = (1.0 - cutoff) * letters + 1e-6
    fits: list[tuple[float, int, int]] = []
    known = _canonicals()
    for i, x in enumerate(ours):
        least = float(len(x)) if len(ours) > len(theirs) else math.inf  # a word without a partner loses its letters
        forms = known.get(x, ())
        for j, y in enumerate(theirs):
            score = JaroWinkler.similarity(x, y)
            if score < 0.95 and (y in forms or x in known.get(y, ())) and are_nicknames(x, y):
                score = 0.95
            fits.append((score, i, j))
            least = min(least, (1.0 - score) * (len(x) + len(y)))
        to_lose -= least
        if to_lose < 0.0:
            return 0.0
    fits.sort(reverse=True)
    total = float(letters - sum(map(len, ours)) - sum(map(len, theirs)))
    used_ours, used_theirs = set[int](), set[int]()
    for score, i, j in fits:
        if i not in used_ours and j not in used_theirs:
            used_ours.add(i)
            used_theirs.add(j)
            total += score * (len(ours[i]) + len(theirs[j]))
    return min(total / letters, 1.0)


def _without_equal_words(a: Iterable[str], b: Iterable[str]) -> tuple[list[str], list[str]]:
    """What is left of both when equal words, each other's best partners, are paired."""
    ours, theirs = [], list(b)
    for word in a:
        if word in theirs:
            theirs.remove(word)
        else:
            ours.append(word)
    return ours, theirs


def same_person(a: Name, b: Name) -> bool:
    """Whether the folded names are equal (nicknames included) and no suffix speaks against it."""
    return any(compare(*pair, threshold=1.0).level >= MatchLevel.NICKNAME for pair in ((a, b), (b, a)))


# --- block keys ---------------------------------------------------------------------------------------------


def equal_keys(name: Name) -> Iterator[str]:
    """Keys of which two names share at least one when they are equal; to be verified with `same_person`."""
    if not name.words:
        return
    yield "=" + name.joined
    known = _canonicals()
    if known.keys().isdisjoint(name.words):  # most: one form, without the products
        yield " ".join(sorted(name.words[:4]))
        return
    forms = [(word, *sorted(known.get(word, ()))[:4]) for word in name.words[:4]]
    yield from sorted({" ".join(sorted(choice)) for choice in product(*forms)})


def block_keys(name: Name) -> Iterator[str]:
    """Keys of which two names above a threshold of 0.9 nearly always share one.

    For every two words: both beginnings, and each word beside the other's ending, so that one word may be misspelt at
    its start and both further in. One-word names are their own block.
    """
    words = [word for word in name.words if len(word) > 1]
    if len(words) < 2:
        yield name.joined
    for i, a in enumerate(words[:4]):
        for b in words[i + 1 : 4]:
            yield f"{a[:2]}|{b[:2]}" if a < b else f"{b[:2]}|{a[:2]}"
            yield f"{a}*{b[-2:]}"
            yield f"{b}*{a[-2:]}"
