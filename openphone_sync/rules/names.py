"""People's names: folded, compared, and how common their words are. Pure.

A name is read once (`parse_name`) into folded words; two names are compared word by word (`compare`), since on a
family's phone the surname says nothing: ``Maria Lopez`` and ``Mario Lopez`` are 0.96 alike as texts, and two people.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from itertools import product

from rapidfuzz.distance import OSA, JaroWinkler


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# --- word lists: what is written beside a name and is no part of it -----------------------------------------

_SUFFIXES = {
    **dict.fromkeys(("sr", "senior"), "sr"),
    **dict.fromkeys(("jr", "jnr", "junior", "ii", "2nd"), "jr"),  # a second is called Junior as often as not
    **dict.fromkeys(("iii", "3rd"), "iii"),
    **dict.fromkeys(("iv", "4th"), "iv"),
}
_TITLES = _words(
    """
    mr mrs ms miss mx dr prof sir atty attorney hon judge rev esq phd md sra srta
    """
)
_PARTICLES = _words(
    """
    de del dela la las los le van von vander vanden der den ter ten di da do dos das du el al bin bint
    ibn ben st
    """
)
_PURE_PARTICLES = _words(
    """
    de del dela der den von vander vanden dos das
    """
)
"""Particles that are no given name either, so that one at the start is a particle too ("De La Cruz")."""
_COMPANY = _words(
    """
    llc llp lp pllc pc inc corp corporation incorporated ltd limited co company plc gmbh sa
    """
)
_COMPANY_PHRASES = re.compile(r"\b(?:law (?:offices?|firm|group)(?: of)?|attorneys? at law|offices? of)\b")
_JOINT = frozenset(("and", "und", "or"))
_RELATIONS = _words(
    """
    mother mom moms mum mama mommy madre father dad dads papa daddy padre parent parents brother bro
    hermano sister sis hermana son hijo daughter hija wife husband hubby spouse esposa esposo girlfriend
    boyfriend gf bf partner fiance fiancee ex aunt auntie tia uncle tio cousin primo prima grandma
    grandmother abuela grandpa grandfather abuelo granny grandson granddaughter nephew niece stepmom
    stepmother stepdad stepfather stepson friend neighbor neighbour boss employer roommate guardian
    caregiver sponsor family familia kid kids child children inlaw emergency lawyer counsel probation
    """
)
"""A word that makes "James's mother" somebody else than James."""
_NOTES = _words(
    """
    client clients new old potential prospective lead leads intake caller consult consultation case
    matter file pnc pc custody divorce dui dwi criminal civil family felony misdemeanor probate
    immigration bankruptcy injury pi estate eviction traffic ticket court hearing trial jail bond bail
    arrested plea appeal cell cellphone mobile home work office main phone number contact spanish
    english speaker do not dont call text urgent vip unknown customer wireless no name paid unpaid owes
    closed open active inactive
    """
)
"""What an office notes behind a name. Leaving one out costs a question to the user, never a wrong match."""

_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "&": " and "}
)
_POSSESSIVE = re.compile(r"['’ʼ`´]s\b")
_APOSTROPHE = re.compile(r"['’ʼ`´‘]")
_PLUS = re.compile(r"\+(?!\s*[0-9])")
_NO_WORD = re.compile(r"[\W_]+")
_DASH_FORM = re.compile(r"\s[-–—]\s")

MAX_WORDS = 8
"""Longer "names" are sentences; only their first words are compared."""


def fold(text: str) -> str:
    """Lower case without accents, punctuation or apostrophes; single spaces. ``O’Brien-Núñez`` -> ``obrien nunez``."""
    text = _POSSESSIVE.sub("", text.casefold()) if not text.isascii() or "'" in text else text.lower()
    if not text.isascii():
        text = _without_marks(text)
    return _NO_WORD.sub(" ", _APOSTROPHE.sub("", _PLUS.sub(" and ", text.translate(_LETTERS)))).strip()


def _without_marks(text: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare)


@dataclass(frozen=True, slots=True)
class Name:
    """A name as it is compared.

    ``words`` in spoken order, without titles, particles, suffix and company words. ``joined``: all letters together
    with the particles, so that ``Van der Meer`` equals ``Vandermeer``. ``suffix``: ``sr``, ``jr``, ``iii``,
    ``iv`` or empty.
    """

    words: tuple[str, ...] = ()
    suffix: str = ""
    joined: str = ""
    company: bool = False

    @property
    def text(self) -> str:
        """Words in alphabetical order: what block searches compare."""
        return " ".join(sorted(self.words))

    @property
    def full(self) -> bool:
        """Whether it names a person in full: two words or more that are no initials."""
        return sum(len(word) > 1 for word in self.words) > 1


NOBODY = Name()


def parse_name(text: str | None) -> Name:
    """The name in ``text``. ``Smith, James Jr.`` is turned; words that hold a digit are dropped."""
    if not text:
        return NOBODY
    company = False
    tokens: list[str] = []
    for part in _spoken_order(text):
        bare = _COMPANY_PHRASES.sub(" ", part)
        company = company or bare != part
        tokens += bare.split()
    return _make_name(tokens, company)


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
    return bool(first) and first not in _SUFFIXES and first not in _TITLES and first not in _COMPANY


def _make_name(tokens: list[str], company: bool) -> Name:
    suffix = next((_SUFFIXES[t] for t in reversed(tokens[1:]) if t in _SUFFIXES), "")
    kept = [t for i, t in enumerate(tokens) if _belongs(i, t)]
    words = [w for w in kept if w not in _COMPANY] if len(kept) > 1 else kept
    company = company or len(words) < len(kept)
    joined = "".join(words)
    return Name(tuple(_without_particles(words)[:MAX_WORDS]), suffix, joined, company)


def _belongs(position: int, token: str) -> bool:
    if token.isalpha():
        return token not in _TITLES and (position == 0 or token not in _SUFFIXES)
    return not any(c.isdigit() for c in token)


def _without_particles(words: list[str]) -> list[str]:
    last = len(words) - 1
    return [w for i, w in enumerate(words) if i == last or w not in (_PARTICLES if i else _PURE_PARTICLES)]


def without_notes(name: Name) -> Name:
    """The name less the office's notes: ``Smith custody`` -> ``Smith``, ``New client`` -> nobody. Unchanged if none."""
    words = tuple(word for word in name.words if word not in _NOTES)
    if len(words) == len(name.words):
        return name
    return Name(words, name.suffix, "".join(words), name.company)


def split_form(text: str) -> tuple[str, str] | None:
    """``James Smith - Brother`` -> (``James Smith``, ``brother``); None for a text that is not in that form."""
    parts = _DASH_FORM.split(text, maxsplit=1)
    if len(parts) < 2 or not parts[0].strip() or not parts[1].strip():
        return None
    return parts[0], fold(parts[1])


# --- nicknames ----------------------------------------------------------------------------------------------


_MORE_NICKNAMES = """
jose pepe chepe; francisco paco pancho; jesus chuy chucho; guillermo memo; alberto beto; roberto beto; gilberto beto;
ignacio nacho; enrique quique kike; eduardo lalo; antonio tono; fernando nando; rafael rafa; manuel manny manolo;
guadalupe lupe lupita; rosario chayo charo; consuelo chelo; concepcion concha; dolores lola; teresa tere; isabel chabela;
graciela chela; mercedes meche; alicia licha; veronica vero; gabriela gaby gabi; alejandra ale; alejandro alex ale;
juan juanito; carlos carlitos; miguel mike; jorge george; salvador chava; santiago santi; vicente chente; barbara barb;
catherine cat; stephen steven; steven stephen; catherine katherine kathryn katharine; sarah sara; eric erik; brian bryan;
jeffrey geoffrey; philip phillip; alan allen allan; ann anne; teresa theresa; deborah debra; jon john; sean shawn shaun
"""
"""What the package lacks: Spanish short forms and spellings that are heard, not read."""


@cache
def _canonicals() -> Mapping[str, frozenset[str]]:
    """Nickname -> the names it stands for (package ``nicknames``, 1,151 names; 84 ms to load, hence late)."""
    from nicknames import NickNamer  # noqa: PLC0415

    found = {nick: set(names) for nick, names in NickNamer().canonical_lookup.items()}
    for entry in _MORE_NICKNAMES.split(";"):
        name, *nicks = entry.split()
        for nick in nicks:
            found.setdefault(nick, set()).add(name)
    return {nick: frozenset(names) for nick, names in found.items()}


@cache
def _dictionary() -> frozenset[str]:
    """Every given name and nickname of the package."""
    return frozenset(_canonicals()).union(*_canonicals().values())


def are_nicknames(a: str, b: str) -> bool:
    """Whether one is a short form of the other; two short forms of a third are not (Beth and Lisa are sisters)."""
    return b in _canonicals().get(a, ()) or a in _canonicals().get(b, ())


# --- comparing ----------------------------------------------------------------------------------------------


class MatchLevel(IntEnum):
    """How a contact's name stands to ours, the surest last."""

    OTHER = 0  # somebody else's name, or too little alike
    EMPTY = 1  # the contact has no name
    SURNAME = 2  # one word that is not our first: "Smith"
    PART = 3  # some of our words or initials: "James", "J. Smith"; or ours and more: "James Smith trial"
    SIMILAR = 4  # above the threshold, what differs looks like a slip of the pen
    EQUAL = 5  # equal after folding, nicknames included


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
        """Whether both can be names of one person."""
        return self.level is not MatchLevel.OTHER


NO_MATCH = NameMatch(MatchLevel.OTHER, 0.0)


class Commonness:
    """How common words are among all names seen. ``people`` is the number of names."""

    __slots__ = ("_counts", "people")

    def __init__(self, names: Iterable[Name]) -> None:
        self._counts: Counter[str] = Counter()
        self.people = 0
        for name in names:
            self.people += 1
            self._counts.update(name.words)

    def count(self, word: str) -> int:
        """In how many names the word stands."""
        return self._counts[word]

    def is_name(self, word: str) -> bool:
        """Whether people bear it: in the dictionary of given names, or borne by more than two of those seen."""
        return self._counts[word] > 2 or word in _dictionary()

    def namesakes(self, name: Name) -> float:
        """People of this name that chance alone would bring among those seen (words taken as independent)."""
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
    plain = _compare(ours, theirs, common, threshold)
    if plain.agrees or not theirs.words:
        return plain
    bare = without_notes(theirs)
    return plain if bare is theirs else _compare(ours, bare, common, threshold)


def _compare(ours: Name, theirs: Name, common: Commonness, threshold: float) -> NameMatch:
    if not theirs.words:
        return NameMatch(MatchLevel.EMPTY, 0.0)
    if not ours.words:
        return NO_MATCH
    differs = ours.suffix != theirs.suffix
    added = differs and bool(theirs.suffix)
    if added and ours.suffix:
        return NameMatch(MatchLevel.OTHER, similarity(ours, theirs), False, differs, added)
    if ours.joined == theirs.joined or sorted(ours.words) == sorted(theirs.words):
        return NameMatch(MatchLevel.EQUAL, 1.0, ours.full and not differs, differs, added)
    grade = _grade(ours, theirs, common, threshold)
    if ours.company != theirs.company and grade < MatchLevel.SIMILAR:
        grade = MatchLevel.OTHER  # "Smith LLC" is no shorthand for a man called Smith
    return NameMatch(grade, similarity(ours, theirs), False, differs, added)


def _grade(ours: Name, theirs: Name, common: Commonness, threshold: float) -> MatchLevel:
    fits = _fit_words(ours.words, theirs.words, common)
    kinds = {fit.kind for fit in fits}
    if "typo" in kinds and not _is_near(ours, theirs, fits, threshold):
        return MatchLevel.OTHER
    rest_ours = len(ours.words) - len(fits)
    rest_theirs = [word for i, word in enumerate(theirs.words) if all(fit.theirs != i for fit in fits)]
    if rest_theirs:
        return _grade_of_more(ours, theirs, fits, rest_theirs)
    if rest_ours:
        return _grade_of_less(theirs, fits, kinds)
    if "initial" in kinds:
        return MatchLevel.PART
    return MatchLevel.SIMILAR if "typo" in kinds else MatchLevel.EQUAL


def _is_near(ours: Name, theirs: Name, fits: list[_Fit], threshold: float) -> bool:
    """Whether the words that fit are above the threshold by letters, and one of them beyond doubt."""
    sure = any(fit.kind in ("same", "nick") and len(ours.words[fit.ours]) > 1 for fit in fits)
    letters = [
        (fit, len(ours.words[fit.ours]) + len(theirs.words[fit.theirs])) for fit in fits if fit.kind != "initial"
    ]
    return sure and sum(fit.score * n for fit, n in letters) >= threshold * sum(n for _, n in letters)


def _grade_of_more(ours: Name, theirs: Name, fits: list[_Fit], rest: list[str]) -> MatchLevel:
    """Theirs says first and last of our words, and more: a middle name or a note, unless it speaks of a second person.

    Where ours has a middle name too, theirs must say more behind the name, not another middle name.
    """
    last = len(ours.words) - 1
    found = {fit.ours: fit for fit in fits if fit.kind != "initial"}
    if not last or 0 not in found or last not in found:
        return MatchLevel.OTHER
    if any(word in _RELATIONS or word in _JOINT for word in rest):
        return MatchLevel.OTHER
    if len(fits) <= last and any(_is_middle(i, word, fits) for i, word in enumerate(theirs.words)):
        return MatchLevel.OTHER
    return MatchLevel.PART


def _is_middle(position: int, word: str, fits: list[_Fit]) -> bool:
    """Whether a word of theirs that fits nothing stands before one that does."""
    places = [fit.theirs for fit in fits]
    return bool(word) and position not in places and position < max(places)


def _grade_of_less(theirs: Name, fits: list[_Fit], kinds: set[str]) -> MatchLevel:
    """Theirs is a part of ours: shorthand."""
    if len(theirs.words) > 1:
        return MatchLevel.PART
    if "typo" in kinds:
        return MatchLevel.OTHER
    return MatchLevel.SURNAME if fits[0].ours > 0 else MatchLevel.PART


def _fit_words(ours: tuple[str, ...], theirs: tuple[str, ...], common: Commonness) -> list[_Fit]:
    """The best one-to-one fit of words, found greedily: same, nickname, slip of the pen, initial."""
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
    if len(a) == 1 or len(b) == 1:
        return _Fit(i, j, 0.5, "initial") if a[0] == b[0] else None
    if are_nicknames(a, b):
        return _Fit(i, j, 0.98, "nick")
    if _is_slip(a, b) if min(i, j) else _is_slip_in_given_name(a, b, common):
        return _Fit(i, j, JaroWinkler.similarity(a, b), "typo")
    return None


def _is_slip(a: str, b: str) -> bool:
    """One slip (a letter wrong, missing, extra, or two exchanged) from four letters on, two from eight on."""
    length = max(len(a), len(b))
    return length > 3 and OSA.distance(a, b, score_cutoff=2) <= (2 if min(len(a), len(b)) >= 8 else 1)


def _is_slip_in_given_name(a: str, b: str, common: Commonness) -> bool:
    """Not when both are names (John, Joan), nor where the names of siblings differ: at the ends (Maria, Mario; Jan, Dan)."""
    if min(len(a), len(b)) < 4 or not _is_slip(a, b) or (common.is_name(a) and common.is_name(b)):
        return False
    if sorted(a) == sorted(b):
        return True  # two letters exchanged
    return _begin_alike(a, b) and _end_alike(a, b)


def _begin_alike(a: str, b: str) -> bool:
    return a[0] == b[0] or (len(a) != len(b) and max(len(a), len(b)) > 5)


def _end_alike(a: str, b: str) -> bool:
    return a[-1] == b[-1] or {a[-1], b[-1]}.isdisjoint("aeiouy")


def similarity(a: Name, b: Name) -> float:
    """From 0 to 1, whatever the order of words: Jaro-Winkler of each word's best partner, weighted by letters."""
    if not a.words or not b.words:
        return 0.0
    letters = sum(map(len, a.words)) + sum(map(len, b.words))
    fits = sorted(
        ((_word_score(x, y), i, j) for i, x in enumerate(a.words) for j, y in enumerate(b.words)), reverse=True
    )
    total, used_a, used_b = 0.0, set[int](), set[int]()
    for score, i, j in fits:
        if i not in used_a and j not in used_b:
            used_a.add(i)
            used_b.add(j)
            total += score * (len(a.words[i]) + len(b.words[j]))
    return min(total / letters, 1.0)


def _word_score(a: str, b: str) -> float:
    if a == b:
        return 1.0
    score = JaroWinkler.similarity(a, b)
    return max(score, 0.95) if are_nicknames(a, b) else score


def same_person(a: Name, b: Name) -> bool:
    """Whether the folded names are equal (nicknames included) and no suffix speaks against it."""
    return bool(a.words and b.words) and _compare(a, b, NO_NAMES, 1.0).level is MatchLevel.EQUAL


# --- block keys ---------------------------------------------------------------------------------------------


def equal_keys(name: Name) -> Iterator[str]:
    """Keys of which two names share at least one when they are equal; to be verified with `same_person`."""
    if not name.words:
        return
    yield "=" + name.joined
    forms = [(word, *sorted(_canonicals().get(word, ()))[:4]) for word in name.words]
    yield from sorted({" ".join(sorted(choice)) for choice in product(*forms[:4])})


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
