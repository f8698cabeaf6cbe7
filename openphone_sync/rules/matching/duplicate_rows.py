"""Two rows of the source that are one person: the older row is written, the younger is held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain, combinations

from openphone_sync.model import Candidate, DesiredContact, Link, MatchResult, Reason, Standing, Why
from openphone_sync.rules.matching.context import (
    LARGE_GROUP,
    Context,
    Key,
    base_of,
    birth_in,
    key_of,
    person_of,
    rank,
)
from openphone_sync.rules.matching.decisions import Human, make_human
from openphone_sync.rules.matching.index import Birth, compare_births
from openphone_sync.rules.matching.ledger import Ledger
from openphone_sync.rules.names import equal_keys, same_person, similarity


@dataclass(frozen=True, slots=True)
class Row:
    """One person of the source: a wanted contact, or a linked one whose client is not in play.

    ``claim`` sorts the row first that is written.
    """

    external_id: str
    human: Human
    birth: str | None
    claim: tuple[bool, bool, tuple[str, str], str, int]
    desired: DesiredContact | None = None


def duplicate_rows(ledger: Ledger, context: Context) -> None:
    """Several rows have the same phone and name: all are held but the one that is decided already, or else the oldest."""
    sharing: dict[str, list[DesiredContact]] = defaultdict(list)
    for desired in context.by_key.values():
        if _is_decided_double(ledger.results.get(key_of(desired))):
            continue
        for phone in {item.value for item in desired.values.phones}:
            sharing[phone].append(desired)
    others = _find_rows_not_in_play(ledger, sharing.keys())
    older: dict[Key, Row] = {}
    for phone, people in sharing.items():
        group = [*others.get(phone, ())]
        if len(group) + len(people) > 1:  # most numbers are one person's, whose name need not be read
            group += [_make_row(ledger, desired) for desired in people]
            _find_older(group, older)
            _list_similar(ledger, group)
    for key in sorted(older):
        _hold_younger(ledger, context.by_key[key], older[key])


def _is_decided_double(known: Link | MatchResult | None) -> bool:
    """Whether a review said that the row is another row: that one speaks for both."""
    why = known.why if known is not None else None
    return why is not None and why.reason is Reason.DECIDED_SAME_PERSON


def _make_row(ledger: Ledger, desired: DesiredContact) -> Row:
    is_open = ledger.is_open(desired)
    claim = (is_open, *(rank(desired) if is_open else _rank_decided(desired)))
    # As it is written, not as the row has it: of a row that is not in play, no run knows more than that.
    birth = birth_in(desired.values, ledger.context.rules.birth_field)
    return Row(desired.external_id, ledger.context.human(desired), birth, claim, desired)


def _rank_decided(row: DesiredContact | Link) -> tuple[bool, tuple[str, str], str, int]:
    """As `rank`, but without the age of the row: of one that is not in play it is not known."""
    return row.slot > 0, ("", ""), row.client_id, row.slot


def _find_rows_not_in_play(ledger: Ledger, phones: AbstractSet[str]) -> Mapping[str, list[Row]]:
    """People of other clients with one of these phones, as their rows were last seen, by phone.

    With them an incremental run holds what a full run holds.
    """
    context = ledger.context
    found: dict[str, list[Row]] = defaultdict(list)
    for link in chain(context.known.owners.values(), context.known.waiting):
        if link.client_id in context.by_client or link.standing is Standing.ORPHANED or _is_decided_double(link):
            continue
        person = person_of(link)
        shared = phones & set(person.phones)
        if not shared or link.contact_id in context.known.gone or not context.is_in_source(link.client_id):
            continue
        claim = (not link.contact_id, *_rank_decided(link))
        row = Row(link.external_id, make_human(person), birth_in(base_of(link), context.rules.birth_field), claim)
        for phone in shared:
            found[phone].append(row)
    return found


def _find_older(group: Sequence[Row], older: dict[Key, Row]) -> None:
    """For each row the oldest one that is the same person, into ``older``."""
    by_name: Mapping[str, list[Row]] = defaultdict(list)
    for row in sorted(group, key=lambda row: row.claim):
        keys = list(equal_keys(row.human.name))
        doubles = [other for key in keys for other in by_name[key] if _are_same_person(other, row)]
        first = min(doubles, key=lambda row: row.claim, default=None)
        if first is None:
            for key in keys:
                by_name[key].append(row)
        elif row.desired is not None:
            known = older.get(key_of(row.desired))
            if known is None or first.claim < known.claim:
                older[key_of(row.desired)] = first


def _are_same_person(row: Row, other: Row) -> bool:
    return same_person(row.human.name, other.human.name) and compare_births(row.birth, other.birth) is not Birth.OTHER


def _hold_younger(ledger: Ledger, desired: DesiredContact, older: Row) -> None:
    words = "same phone; name equal"
    ledger.list_look_alike(desired, older.external_id, 1.0, words)
    if ledger.is_open(desired) and not are_separate(ledger, desired, older.external_id, older.human, older.desired):
        row = Candidate(older.external_id, "row", 1.0, words)
        ledger.hold(desired, Why(Reason.SAME_PERSON, older.external_id), [row])


def are_separate(
    ledger: Ledger, desired: DesiredContact, external_id: str, human: Human, other: DesiredContact | None
) -> bool:
    """Whether a review of either row said that the two are two people."""
    decisions, mine = ledger.context.decisions, ledger.context.human(desired)
    if decisions.is_separate_row(desired, external_id, human):
        return True
    return other is not None and decisions.is_separate_row(other, desired.external_id, mine)


def _list_similar(ledger: Ledger, group: Sequence[Row]) -> None:
    """Rows of different clients on one phone with similar names, for `problems`; not where the phone says nothing."""
    if len(group) > LARGE_GROUP:
        return
    for row, younger in combinations(group, 2):  # wanted ones come the older first
        if younger.desired is None or row.desired is None or row.desired.client_id == younger.desired.client_id:
            continue
        score = similarity(row.human.name, younger.human.name)
        if score >= ledger.context.rules.threshold:
            words = f"same phone; name {score:.2f} alike"
            ledger.list_look_alike(younger.desired, row.external_id, score, words)
