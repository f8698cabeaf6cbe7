"""What holds of every matching, attacked with small worlds in which names and phones collide all the time."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from openphone_sync.model import (
    Choice,
    ContactValues,
    DesiredContact,
    Item,
    Link,
    Pair,
    RemoteContact,
    RemoteField,
    RemoteItem,
    Standing,
    Verdict,
)
from openphone_sync.rules.matching.passes import Knowledge, Matches, MatchingRules, RemoteIndex, match_contacts

OURS = "legal-practitioner-app"
PHONES = [f"+121355501{n:02}" for n in range(4)] + ["+13105550100", "+1213555010"]
EMAILS = ["a@example.com", "B@example.com"]
NAMES = [
    "", "James Smith", "Jim Smith", "James Smith Jr.", "J. Smith", "James", "Smith", "Mary Smith", "Mary Jones", "Marie Jones",
    "James Smith - Brother", "James & Mary Smith", "Zoë de la Cruz",
]  # fmt: skip
BIRTHS = [None, "1990-03-01", "1990-01-03", "1961-07-12"]
MET = (Verdict.LINKED, Verdict.OWN, Verdict.ADOPT)


@dataclass(frozen=True)
class World:
    """Everything that one call of `match_contacts` gets."""

    wanted: tuple[DesiredContact, ...]
    contacts: tuple[RemoteContact, ...]
    knowledge: Knowledge
    rules: MatchingRules
    removed: frozenset[str]

    def match(self) -> Matches:
        index = RemoteIndex(self.contacts, lambda text: text, complete=True)
        return match_contacts(self.wanted, index, self.knowledge, self.rules)


@st.composite
def some_wanted(draw: st.DrawFn, client_id: str, slot: int) -> DesiredContact:
    name = draw(st.sampled_from(NAMES))
    shown = f"James Smith - {draw(st.sampled_from(['Brother', 'Wife']))}" if slot else name or "X"
    phones = draw(st.lists(st.sampled_from(PHONES), max_size=2, unique=True))
    emails = draw(st.lists(st.sampled_from(EMAILS), max_size=0 if slot else 1))
    values = ContactValues(
        shown, "", "", tuple(Item("Main", p) for p in phones), tuple(Item("Email", e) for e in emails)
    )
    return DesiredContact(
        external_id=f"client_{client_id}" + (f"_alt_{slot}" if slot else ""),
        client_id=client_id,
        slot=slot,
        person=name if slot else shown,
        values=values,
        birth_date=None if slot else draw(st.sampled_from(BIRTHS)),
        unfit=None if phones else "no phone number",
        seniority=(draw(st.sampled_from(["2023", "2024"])), client_id),
    )


@st.composite
def some_contact(draw: st.DrawFn, contact_id: str) -> RemoteContact:
    born = draw(st.sampled_from(BIRTHS))
    external_ids = [None, None, None, *(f"client_{n}" for n in range(5)), "client_1_alt_1", "client_1_alt_2"]
    external_ids += ["client_1~2", "client_1_alt_1~2"]
    return RemoteContact(
        contact_id,
        external_id=draw(st.sampled_from(external_ids)),
        source=draw(st.sampled_from([OURS, None, "ios", "openphone-clio"])),
        first_name=draw(st.sampled_from(NAMES)),
        phones=tuple(RemoteItem("m", p) for p in draw(st.lists(st.sampled_from(PHONES), max_size=2, unique=True))),
        emails=tuple(RemoteItem("e", e) for e in draw(st.lists(st.sampled_from(EMAILS), max_size=1))),
        custom_fields=(RemoteField("born", born), RemoteField("person", draw(st.sampled_from(NAMES)))),
    )


@st.composite
def some_world(draw: st.DrawFn, *, policies: tuple[str, ...] = ("hold", "create", "link")) -> World:
    clients = draw(st.integers(1, 4))
    wanted = [
        draw(some_wanted(str(n), slot))
        for n in range(1, clients + 1)
        for slot in draw(st.sampled_from([(0,), (0, 1), (0, 1, 2), (0, 2)]))
    ]
    contacts = [draw(some_contact(letter)) for letter in "abcdef"[: draw(st.integers(0, 6))]]
    links = draw(some_links(wanted, [c.contact_id for c in contacts]))
    ids = [d.external_id for d in wanted]
    candidates = [*(c.contact_id for c in contacts), *ids]
    keys = st.tuples(st.sampled_from(ids), st.sampled_from(candidates))
    removed = frozenset({"9"})
    knowledge = Knowledge(
        links={link.external_id: link for link in links if link.external_id in ids},
        owners={link.contact_id: link for link in links if link.contact_id},
        living=lambda client_id: client_id not in removed,
        decisions=draw(st.dictionaries(keys, st.sampled_from(list(Choice)), max_size=2)),
        read_only=frozenset(draw(st.lists(st.sampled_from("abcdef"), max_size=1))),
        gone=frozenset(draw(st.lists(st.sampled_from("abcdef"), max_size=1))),
    )
    rules = MatchingRules(OURS, 0.9, draw(st.sampled_from(policies)), "born", "person")
    return World(tuple(wanted), tuple(contacts), knowledge, rules, removed)


@st.composite
def some_links(draw: st.DrawFn, wanted: list[DesiredContact], contact_ids: list[str]) -> list[Link]:
    stranger = replace(wanted[0], external_id="client_9", client_id="9", slot=0)
    holders = draw(st.permutations([*wanted, stranger]))
    standings = st.sampled_from([Standing.LINKED, Standing.LINKED, Standing.ORPHANED, Standing.PENDING])
    return [
        Link(d.external_id, d.client_id, d.slot, draw(standings), contact_id, d.values, draw(st.sampled_from(NAMES)),
             times_gone=draw(st.integers(0, 1)))
        for d, contact_id in zip(holders, contact_ids, strict=False)
        if draw(st.booleans())
    ]  # fmt: skip


def met(matches: Matches) -> list[Pair]:
    return [pair for pair in matches.pairs if pair.verdict in MET]


def in_common(pair: Pair) -> bool:
    """Whether the two share a whole phone number, an e-mail or the external id."""
    assert pair.remote is not None
    values, remote = pair.desired.values, pair.remote
    phones = {item.value for item in values.phones} & {item.value for item in remote.phones}
    emails = {i.value.casefold() for i in values.emails} & {(i.value or "").casefold() for i in remote.emails}
    return bool(phones or emails or remote.external_id == pair.desired.external_id)


def is_foreign(contact: RemoteContact, world: World) -> bool:
    refused = contact.contact_id in world.knowledge.read_only and contact.source != OURS
    return refused or (contact.source or "").startswith("openphone-")


@given(some_world())
def test_every_wanted_contact_gets_one_pair_in_order(world: World) -> None:
    assert tuple(pair.desired for pair in world.match().pairs) == world.wanted


@given(some_world())
def test_two_wanted_never_share_one_contact(world: World) -> None:
    shared = Counter(pair.remote.contact_id for pair in met(world.match()) if pair.remote)
    assert all(count == 1 for count in shared.values())


@given(some_world(), st.randoms(use_true_random=False))
def test_order_of_input_does_not_matter(world: World, chance: random.Random) -> None:
    wanted, contacts, decisions = list(world.wanted), list(world.contacts), list(world.knowledge.decisions.items())
    owners = list(world.knowledge.owners.items())
    for part in (wanted, contacts, decisions, owners):
        chance.shuffle(part)
    knowledge = replace(world.knowledge, decisions=dict(decisions), owners=dict(owners))
    turned = replace(world, wanted=tuple(wanted), contacts=tuple(contacts), knowledge=knowledge).match()
    found = world.match()
    assert {p.desired.external_id: p for p in turned.pairs} == {p.desired.external_id: p for p in found.pairs}
    assert turned.look_alikes == found.look_alikes


@given(some_world(policies=("hold", "create")))
def test_adoption_needs_a_whole_phone_an_email_an_external_id_or_a_decision(world: World) -> None:
    for pair in met(world.match()):
        assert pair.remote is not None
        decided = world.knowledge.decisions.get((pair.desired.external_id, pair.remote.contact_id)) is Choice.LINK
        if pair.verdict is Verdict.ADOPT and not decided:
            assert in_common(pair)


@given(some_world())
def test_contact_of_another_living_person_is_never_taken(world: World) -> None:
    for pair in met(world.match()):
        assert pair.remote is not None
        owner = world.knowledge.owners.get(pair.remote.contact_id)
        if owner and owner.client_id != pair.desired.client_id:
            assert owner.client_id in world.removed or owner.standing is Standing.ORPHANED or owner.slot


@given(some_world())
def test_integrations_contacts_are_met_only_by_decision(world: World) -> None:
    for pair in met(world.match()):
        assert pair.remote is not None
        if is_foreign(pair.remote, world):
            key = (pair.desired.external_id, pair.remote.contact_id)
            assert world.knowledge.decisions.get(key) is Choice.LINK


@given(some_world())
def test_gone_and_separated_contacts_are_never_met(world: World) -> None:
    for pair in met(world.match()):
        assert pair.remote is not None
        assert pair.remote.contact_id not in world.knowledge.gone
        key = (pair.desired.external_id, pair.remote.contact_id)
        assert world.knowledge.decisions.get(key) is not Choice.SEPARATE


@given(some_world())
def test_held_carries_evidence_and_words_carry_no_persons_data(world: World) -> None:
    matches = world.match()
    secrets = ("james", "smith", "mary", "jones", "cruz", "example.com", "5550", "1990")
    for pair in matches.pairs:
        assert pair.evidence or pair.verdict is not Verdict.HOLD
        said = " ".join((pair.reason, *(c.words for c in pair.evidence))).casefold()
        assert not any(secret in said for secret in secrets)
        assert all(0.0 <= candidate.score <= 1.0 for candidate in pair.evidence)


@given(some_world())
def test_unfit_contacts_are_never_created(world: World) -> None:
    for pair in world.match().pairs:
        assert not (pair.desired.unfit and pair.verdict in (Verdict.CREATE, Verdict.RECREATE))


@settings(max_examples=50)
@given(st.text(alphabet="0123456789", min_size=3, max_size=3), st.text(alphabet="0123456789", min_size=3, max_size=3))
def test_equal_last_seven_digits_match_nothing(ours: str, theirs: str) -> None:
    phones = f"+1{ours}5550101", f"+1{theirs}5550101"
    values = ContactValues("James", "", "", (Item("Main", phones[0]),))
    desired = DesiredContact("client_1", "1", 0, "James", values)
    contact = RemoteContact("a", first_name="James", phones=(RemoteItem("m", phones[1]),))
    nothing = Knowledge({}, {}, lambda _: True, {}, frozenset(), frozenset())
    index = RemoteIndex([contact], lambda text: text, complete=True)
    verdict = match_contacts([desired], index, nothing, MatchingRules(OURS)).pairs[0].verdict
    assert verdict is (Verdict.ADOPT if ours == theirs else Verdict.CREATE)


@given(some_world(policies=("hold",)))
def test_once_linked_the_next_run_meets_the_same_contacts(world: World) -> None:
    first = {
        p.desired.external_id: p.remote.contact_id
        for p in met(world.match())
        if p.remote and not is_foreign(p.remote, world)
    }
    links = {
        link.external_id: link for link in world.knowledge.owners.values() if link.contact_id not in first.values()
    }
    for d in world.wanted:
        if contact_id := first.get(d.external_id):
            link = Link(d.external_id, d.client_id, d.slot, Standing.LINKED, contact_id, d.values, d.person)
            links[d.external_id] = link
    owners = {link.contact_id: link for link in links.values() if link.contact_id}
    later = replace(world, knowledge=replace(world.knowledge, links=links, owners=owners))
    second = {p.desired.external_id: p.remote.contact_id for p in met(later.match()) if p.remote}
    assert {key: second.get(key) for key in first} == first
