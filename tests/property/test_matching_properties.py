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
    Skips,
    Standing,
    Tie,
)
from openphone_sync.rules.matching import Known, Matches, MatchingRules, RemoteIndex, match_contacts
from openphone_sync.rules.merging import MergeRules, make_first_draft, merge
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
        decisions=draw(st.lists(some_decision(wanted, [c.contact_id for c in contacts]), max_size=2)),
        refused=frozenset(draw(st.lists(st.sampled_from("abcdef"), max_size=1))),
        gone=frozenset(draw(st.lists(st.sampled_from("abcdef"), max_size=1))),
    )
    rules = MatchingRules(OURS, 0.9, draw(st.sampled_from(policies)), "born", "person")
    return World(tuple(wanted), tuple(contacts), known, rules, removed)


@st.composite
def some_decision(draw: st.DrawFn, wanted: list[DesiredContact], contact_ids: list[str]) -> Decision:
    about, row = draw(st.sampled_from(wanted)), draw(st.sampled_from(wanted))
    choice = draw(st.sampled_from([Choice.LINK, Choice.LINK, Choice.SEPARATE, Choice.SEPARATE, Choice.DECLINE]))
    candidate = draw(st.sampled_from([*contact_ids, row.external_id])) if choice is not Choice.DECLINE else ""
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
    for result in met(world.match()):
        owner = world.known.owners.get(result.contact_id)
        if owner and owner.client_id != result.desired.client_id:
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


# --- what runs one after another, or of another kind, decide -------------------------------------------------------------


def run_again(world: World, matches: Matches, rules: MergeRules) -> World:
    """The world after a run that did what matching found, with everything that was written listed again."""
    contacts = {contact.contact_id: contact for contact in world.contacts if contact.contact_id not in world.known.gone}
    links: dict[str, Link] = {}
    for number, result in enumerate(matches.results):
        desired = result.desired
        match result:
            case Meets() | Makes():
                base = world.known.owners.get(result.contact_id) if isinstance(result, Meets) else None
                contact_id = result.contact_id if isinstance(result, Meets) else f"made{number}"
                contacts[contact_id] = write(
                    result, contacts.get(contact_id), base.base if base else None, contact_id, rules
                )
                times_gone = int(isinstance(result, Makes) and result.again)
                made = Link(desired.external_id, desired.client_id, desired.slot, Standing.LINKED, contact_id,
                            Base(desired.values), desired.person, times_gone=times_gone)  # fmt: skip
                links[desired.external_id] = made
            case Holds():
                links[desired.external_id] = link_at_rest(world, desired, Standing.HELD)
            case Skips():
                declined = result.why.reason is Reason.DELETED_TWICE
                standing = Standing.DECLINED if declined else Standing.SKIPPED
                links[desired.external_id] = link_at_rest(world, desired, standing, result.contact_id)
    kept = {link.contact_id for link in links.values()}
    for link in world.known.owners.values():  # what nobody meets any more is an orphan
        if link.contact_id not in kept and link.contact_id not in world.known.gone:
            external_id = link.external_id if link.external_id not in links else f"{link.external_id}#{link.contact_id}"
            links[external_id] = replace(link, external_id=external_id, standing=Standing.ORPHANED)
    in_play = {desired.client_id for desired in world.wanted}
    known = replace(
        world.known,
        links={key: link for key, link in links.items() if link.client_id in in_play},
        owners={link.contact_id: link for link in links.values() if link.contact_id},
        gone=frozenset(),
    )
    return replace(world, contacts=tuple(contacts.values()), known=known)


def link_at_rest(world: World, desired: DesiredContact, standing: Standing, contact_id: str | None = None) -> Link:
    """A contact that is held or skipped holds no contact, but for its own that cannot be written."""
    link = world.known.owners.get(contact_id or "")
    if link is not None and link.client_id == desired.client_id:
        return replace(link, external_id=desired.external_id, slot=desired.slot, standing=standing)
    new = Link(desired.external_id, desired.client_id, desired.slot, standing, person=desired.person)
    old = world.known.links.get(desired.external_id)
    return replace(new, base=old.base) if old and old.person == desired.person else new


def write(
    result: Meets | Makes, remote: RemoteContact | None, base: Base | None, contact_id: str, rules: MergeRules
) -> RemoteContact:
    desired = result.desired
    if remote is None:
        made = make_first_draft(desired, OURS)
        remote = RemoteContact(contact_id, desired.external_id, OURS)
    else:
        tie = result.tie if isinstance(result, Meets) else Tie.OWN
        made = merge(base, remote, desired, rules, tie).draft
    return replace(
        remote,
        external_id=made.external_id or remote.external_id,
        first_name=made.first_name,
        last_name=made.last_name,
        phones=made.phones,
        emails=made.emails,
        custom_fields=made.custom_fields,
    )


def in_short(matches: Matches) -> dict[str, str]:
    """What is done with each, a creation being the meeting of the next run."""
    names = {Meets: "meets", Makes: "meets", Holds: "is held", Skips: "is skipped"}
    return {result.desired.external_id: names[type(result)] for result in matches.results}


@settings(max_examples=400)
@given(some_world(), st.sampled_from([MergeRules(normalise)]))
def test_a_second_full_run_decides_the_same(world: World, rules: MergeRules) -> None:
    first = world.match()
    later = run_again(world, first, rules)
    second = later.match()
    assert in_short(second) == in_short(first)
    assert {r.desired.external_id: r.contact_id for r in met(first)}.items() <= {
        r.desired.external_id: r.contact_id for r in met(second)
    }.items()
    assert all(result.tie is Tie.LINKED for result in met(second))
