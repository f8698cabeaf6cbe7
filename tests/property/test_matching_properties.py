"""What holds of every matching, attacked with small worlds in which names and phones collide all the time."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from openphone_sync.model import (
    Base,
    Choice,
    ContactValues,
    Decision,
    DesiredContact,
    Holds,
    Item,
    Link,
    Makes,
    Meets,
    Reason,
    RemoteContact,
    RemoteField,
    RemoteItem,
    Standing,
    Tie,
)
from openphone_sync.rules.matching import Known, Matches, MatchingRules, RemoteIndex, match_contacts
from tests.builders import OURS, normalise, person

PHONES = [f"+121355501{n:02}" for n in range(4)] + ["+13105550100", "+1213555010"]
EMAILS = ["a@example.com", "B@example.com"]
NAMES = [
    "", "James Smith", "Jim Smith", "James Smith Jr.", "J. Smith", "James", "Smith", "Mary Smith", "Mary Jones", "Marie Jones",
    "James Smith - Brother", "James & Mary Smith", "Zoë de la Cruz",
]  # fmt: skip
BIRTHS = [None, "1990-03-01", "1990-01-03", "1961-07-12"]


@dataclass(frozen=True)
class World:
    """Everything that one call of `match_contacts` gets."""

    wanted: tuple[DesiredContact, ...]
    contacts: tuple[RemoteContact, ...]
    known: Known
    rules: MatchingRules
    removed: frozenset[str]

    def match(self) -> Matches:
        index = RemoteIndex(self.contacts, normalise, complete=True)
        return match_contacts(self.wanted, index, self.known, self.rules)


@st.composite
def some_wanted(draw: st.DrawFn, client_id: str, slot: int) -> DesiredContact:
    name = draw(st.sampled_from(NAMES))
    shown = f"James Smith - {draw(st.sampled_from(['Brother', 'Wife']))}" if slot else name or "X"
    phones = draw(st.lists(st.sampled_from(PHONES), max_size=2, unique=True))
    emails = draw(st.lists(st.sampled_from(EMAILS), max_size=0 if slot else 1))
    born = None if slot else draw(st.sampled_from(BIRTHS))
    lacks_field = draw(st.integers(0, 3)) == 0  # a workspace without the custom field
    values = ContactValues(
        shown,
        "",
        "",
        tuple(Item("Main", p) for p in phones),
        tuple(Item("Email", e) for e in emails),
        (("born", born),) if born and not lacks_field else (),
    )
    return DesiredContact(
        external_id=f"client_{client_id}" + (f"_alt_{slot}" if slot else ""),
        client_id=client_id,
        slot=slot,
        person=name if slot else shown,
        values=values,
        birth_date=born,
        unfit=None if phones else Reason.NO_PHONE,
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
    removed = frozenset({"9"})
    known = Known(
        links={link.external_id: link for link in links if link.external_id in ids},
        owners={link.contact_id: link for link in links if link.contact_id},
        in_source=frozenset("01234"),
        decisions=draw(st.lists(some_decision(wanted, [c.contact_id for c in contacts], links), max_size=2)),
        refused=frozenset(draw(st.lists(st.sampled_from("abcdef"), max_size=1))),
        gone=frozenset(draw(st.lists(st.sampled_from("abcdef"), max_size=1))),
    )
    rules = MatchingRules(OURS, 0.9, draw(st.sampled_from(policies)), "born", "person")
    return World(tuple(wanted), tuple(contacts), known, rules, removed)


@st.composite
def some_decision(draw: st.DrawFn, wanted: list[DesiredContact], contact_ids: list[str], links: list[Link]) -> Decision:
    """A review never offers a contact that another of our people holds."""
    about, row = draw(st.sampled_from(wanted)), draw(st.sampled_from(wanted))
    choice = draw(st.sampled_from([Choice.LINK, Choice.LINK, Choice.SEPARATE, Choice.SEPARATE, Choice.DECLINE]))
    held = {link.contact_id for link in links if link.external_id != about.external_id}
    candidates = [*(contact_id for contact_id in contact_ids if contact_id not in held), row.external_id]
    candidate = draw(st.sampled_from(candidates)) if choice is not Choice.DECLINE else ""
    return Decision(
        about.client_id,
        person(about),
        candidate,
        choice,
        about.external_id,
        candidate_person=person(row) if candidate == row.external_id else None,
        decided_at=draw(st.sampled_from([1.0, 2.0])),
    )


@st.composite
def some_links(draw: st.DrawFn, wanted: list[DesiredContact], contact_ids: list[str]) -> list[Link]:
    stranger = replace(wanted[0], external_id="client_9", client_id="9", slot=0)
    holders = draw(st.permutations([*wanted, stranger]))
    standings = st.sampled_from([Standing.LINKED, Standing.LINKED, Standing.ORPHANED, Standing.PENDING])
    return [
        Link(d.external_id, d.client_id, d.slot, draw(standings), contact_id, Base(d.values), draw(st.sampled_from(NAMES)),
             times_gone=draw(st.integers(0, 1)))
        for d, contact_id in zip(holders, contact_ids, strict=False)
        if draw(st.booleans())
    ]  # fmt: skip


def met(matches: Matches) -> list[Meets]:
    return [result for result in matches.results if isinstance(result, Meets)]


def contact_of(result: Meets, world: World) -> RemoteContact | None:
    return next((one for one in world.contacts if one.contact_id == result.contact_id), None)


def decided(world: World, result: Meets, choice: Choice) -> bool:
    """Whether a person decided so about this wanted contact, or, for a link, about somebody of the same client."""
    return any(
        decision.client_id == result.desired.client_id
        and decision.candidate == result.contact_id
        and decision.choice is choice
        and (choice is Choice.LINK or decision.external_id == result.desired.external_id)
        for decision in world.known.decisions
    )


def in_common(result: Meets, remote: RemoteContact) -> bool:
    """Whether the two share a whole phone number, an e-mail or the external id."""
    values = result.desired.values
    phones = {item.value for item in values.phones} & {item.value for item in remote.phones}
    emails = {i.value.casefold() for i in values.emails} & {(i.value or "").casefold() for i in remote.emails}
    return bool(phones or emails or remote.external_id == result.desired.external_id)


def is_foreign(contact: RemoteContact) -> bool:
    return (contact.source or "").startswith("openphone-")


@given(some_world())
def test_every_wanted_contact_gets_one_result_in_order(world: World) -> None:
    assert tuple(result.desired for result in world.match().results) == world.wanted


@given(some_world())
def test_two_wanted_never_share_one_contact(world: World) -> None:
    shared = Counter(result.contact_id for result in met(world.match()))
    assert all(count == 1 for count in shared.values())


@given(some_world(), st.randoms(use_true_random=False))
def test_order_of_input_does_not_matter(world: World, chance: random.Random) -> None:
    wanted, contacts, decisions = list(world.wanted), list(world.contacts), list(world.known.decisions)
    owners, links = list(world.known.owners.items()), list(world.known.links.items())
    for part in (wanted, contacts, decisions, owners, links):
        chance.shuffle(part)
    known = replace(world.known, decisions=decisions, owners=dict(owners), links=dict(links))
    turned = replace(world, wanted=tuple(wanted), contacts=tuple(contacts), known=known).match()
    found = world.match()
    assert {r.desired.external_id: r for r in turned.results} == {r.desired.external_id: r for r in found.results}
    assert turned.look_alikes == found.look_alikes


@given(some_world(policies=("hold", "create")))
def test_adoption_needs_a_whole_phone_an_email_an_external_id_or_a_decision(world: World) -> None:
    for result in met(world.match()):
        if result.tie is Tie.ADOPTED and not decided(world, result, Choice.LINK):
            remote = contact_of(result, world)
            assert remote is not None
            assert in_common(result, remote)


@given(some_world())
def test_contact_of_another_person_still_in_the_source_is_never_taken(world: World) -> None:
    decided = {decision.client_id for decision in world.known.decisions}  # a review can part a client from its contact
    for result in met(world.match()):
        owner = world.known.owners.get(result.contact_id)
        if owner and owner.client_id not in {result.desired.client_id, *decided}:
            assert owner.client_id in world.removed or owner.standing is Standing.ORPHANED or owner.slot


@given(some_world())
def test_integrations_contacts_are_never_met(world: World) -> None:
    for result in met(world.match()):
        remote = contact_of(result, world)
        assert remote is None or not is_foreign(remote)


@given(some_world())
def test_gone_and_separated_contacts_are_never_met(world: World) -> None:
    for result in met(world.match()):
        assert result.contact_id not in world.known.gone
        assert decided(world, result, Choice.LINK) or not decided(world, result, Choice.SEPARATE)


@given(some_world())
def test_held_carries_evidence_and_words_carry_no_persons_data(world: World) -> None:
    secrets = ("james", "smith", "mary", "jones", "cruz", "example.com", "5550", "1990")
    for result in world.match().results:
        assert result.evidence or not isinstance(result, Holds)
        said = " ".join((str(result.why), *(candidate.words for candidate in result.evidence))).casefold()
        assert not any(secret in said for secret in secrets)
        assert all(0.0 <= candidate.score <= 1.0 for candidate in result.evidence)


@given(some_world())
def test_unfit_contacts_are_never_created(world: World) -> None:
    assert not any(result.desired.unfit and isinstance(result, Makes) for result in world.match().results)


@settings(max_examples=50)
@given(st.text(alphabet="23456789", min_size=3, max_size=3), st.text(alphabet="23456789", min_size=3, max_size=3))
def test_equal_last_seven_digits_match_nothing(ours: str, theirs: str) -> None:
    phones = f"+1{ours}5550101", f"+1{theirs}5550101"
    values = ContactValues("James", "", "", (Item("Main", phones[0]),))
    desired = DesiredContact("client_1", "1", 0, "James", values)
    contact = RemoteContact("a", first_name="James", phones=(RemoteItem("m", phones[1]),))
    index = RemoteIndex([contact], normalise, complete=True)
    result = match_contacts([desired], index, Known({}, {}), MatchingRules(OURS)).results[0]
    assert isinstance(result, Meets if ours == theirs else Makes)
