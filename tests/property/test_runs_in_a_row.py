"""Runs one after another, and runs of another kind: matching and planning together on small worlds, nothing but values."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from openphone_sync.model import (
    Action,
    ActionKind,
    Create,
    DesiredContact,
    Keep,
    Link,
    RemoteContact,
    Standing,
    Update,
)
from openphone_sync.rules.merging import MergeRules
from openphone_sync.rules.planning import Gathered, Plan, Rules, Unchanged, make_plan, needs_listing
from tests.builders import OURS, in_slot, normalise
from tests.property.test_matching_properties import World, some_wanted, some_world


def gather(world: World) -> Gathered:
    """What a full run over this world reads."""
    known = world.known
    return Gathered(
        wanted=world.wanted,
        links=known.links,
        owners=known.owners,
        in_source=known.in_source,
        decisions=tuple(known.decisions),
        refused=known.refused,
        contacts={contact.contact_id: contact for contact in world.contacts},
        gone=known.gone,
        listed=True,
        full=True,
    )


def apply(gathered: Gathered, plan: Plan, rules: Rules) -> Gathered:
    """The world after the plan, every write carried out as it was shown; contacts found gone are no longer listed."""
    contacts = {key: contact for key, contact in gathered.contacts.items() if key not in gathered.gone}
    links = {key: link for key, link in gathered.links.items() if key not in plan.forgotten}
    links |= {link.external_id: link for link in plan.orphans}
    for number, action in enumerate(plan.actions):
        link = carry_out(action, number, contacts)
        links[link.external_id] = link
    strangers = [link for link in gathered.owners.values() if link.external_id not in gathered.links]
    held = [link for link in links.values() if link.contact_id in contacts]
    return replace(
        gathered,
        links=links,
        owners={link.contact_id: link for link in (*strangers, *held) if link.contact_id},
        decisions=(*gathered.decisions, *(replace(decision, decided_at=9.0) for decision in plan.declines)),
        contacts=contacts,
        gone=frozenset(),
    )


def carry_out(action: Action, number: int, contacts: dict[str, RemoteContact]) -> Link:
    """The state row after the action; what is written goes into ``contacts``."""
    match action:
        case Create():
            made = RemoteContact(f"made{number}", action.draft.external_id, OURS)
            base = action.link.base
        case Update():
            assert action.seen is not None
            assert action.preview is not None
            made, base = action.seen, action.preview.base
        case _:
            return action.link
    draft = action.draft if isinstance(action, Create) else action.preview.draft if action.preview else None
    assert draft is not None
    contacts[made.contact_id] = replace(
        made,
        external_id=draft.external_id or made.external_id,
        first_name=draft.first_name,
        last_name=draft.last_name,
        company=draft.company,
        role=draft.role,
        phones=draft.phones,
        emails=draft.emails,
        custom_fields=draft.custom_fields,
        source_url=draft.source_url,
    )
    return replace(action.link, contact_id=made.contact_id, base=base)


def in_short(plan: Plan) -> dict[str, tuple[str, str | None]]:
    """What became of each wanted contact: with which contact it is tied, or that it is held or skipped."""
    said: dict[str, tuple[str, str | None]] = {}
    for action in plan.actions:
        waits = isinstance(action, Keep) and action.kind in (ActionKind.SKIP, ActionKind.HOLD)
        said[action.link.external_id] = ("waits", None) if waits else ("tied", action.link.contact_id)
    return said


def agrees_with(later: Plan, first: Plan) -> bool:
    """Whether the later run decides the same; what the first creates has an id only afterwards."""
    now = in_short(later)
    return all(
        now[key] == was or (was == ("tied", None) and now[key][0] == "tied") for key, was in in_short(first).items()
    )


def make_rules(world: World) -> Rules:
    return Rules(world.rules, MergeRules(normalise))


@settings(max_examples=120)
@given(some_world())
def test_a_second_full_run_decides_the_same_and_writes_nothing(world: World) -> None:
    # Under `create` nobody waits for a contact, so that one without a phone can have it later.
    assume(world.rules.on_possible_duplicate != "create" or not any(desired.unfit for desired in world.wanted))
    rules, gathered = make_rules(world), gather(world)
    first = make_plan(gathered, rules)
    later = apply(gathered, first, rules)
    second = make_plan(later, rules)
    assert agrees_with(second, first)
    assert second.writes == []
    assert not {link.contact_id for link in second.orphans} & {action.link.contact_id for action in second.actions}


@st.composite
def some_edit(draw: st.DrawFn) -> tuple[World, str, tuple[DesiredContact, ...]]:
    """A world, and what one of its clients wants the next day."""
    world = draw(some_world(policies=("hold",)))
    client_id = draw(st.sampled_from(sorted({desired.client_id for desired in world.wanted})))
    people = {desired.slot: desired for desired in world.wanted if desired.client_id == client_id}
    if draw(st.booleans()):  # the alternates trade places
        edited: dict[int, DesiredContact] = {slot: desired for slot, desired in people.items() if not slot}
        edited |= {3 - slot: in_slot(desired, 3 - slot) for slot, desired in people.items() if slot}
    else:
        slots = draw(st.sampled_from([(0,), (0, 1), (0, 1, 2), (0, 2)]))
        kept = draw(st.sets(st.sampled_from([0, 1, 2])))
        edited = {slot: draw(some_wanted(client_id, slot)) for slot in slots}
        edited |= {slot: desired for slot, desired in people.items() if slot in kept}
    # The state does not keep how old the rows are that are not in play: the edited one is the youngest.
    return world, client_id, tuple(replace(edited[slot], seniority=("2025", client_id)) for slot in sorted(edited))


def gather_one_client(full: Gathered, client_id: str, rules: Rules) -> Gathered:
    """What an incremental run reads after an edit of this client: no contact, or the whole workspace."""
    links = {key: link for key, link in full.links.items() if link.client_id == client_id}
    wanted = tuple(desired for desired in full.wanted if desired.client_id == client_id)
    owners = {link.contact_id: link for link in links.values() if link.contact_id}
    unlisted = replace(full, wanted=wanted, links=links, owners=owners, contacts={}, listed=False, full=False)
    if not needs_listing(unlisted, rules):
        return unlisted
    held = {link.client_id for link in full.links.values() if link.standing is Standing.HELD} | {client_id}
    return replace(
        full,
        wanted=tuple(desired for desired in full.wanted if desired.client_id in held),
        links={key: link for key, link in full.links.items() if link.client_id in held},
        unchanged=Unchanged(skipped=tuple(link for link in full.links.values() if link.client_id not in held)),
        full=False,
    )


@settings(max_examples=120)
@given(some_edit())
def test_an_incremental_run_decides_like_a_full_one(edit: tuple[World, str, tuple[DesiredContact, ...]]) -> None:
    world, client_id, edited = edit
    rules, gathered = make_rules(world), gather(world)
    later = apply(gathered, make_plan(gathered, rules), rules)
    others = tuple(desired for desired in world.wanted if desired.client_id != client_id)
    full = replace(later, wanted=others + edited)
    incremental = gather_one_client(full, client_id, rules)
    assume(not has_leftovers(later))
    found, expected = in_short(make_plan(incremental, rules)), in_short(make_plan(full, rules))
    for desired in edited:
        external_id = desired.external_id
        # A row without a phone does not have the workspace listed; what only the workspace tells is seen when it is.
        if incremental.listed or not desired.unfit:
            assert found[external_id] == expected[external_id] or is_refused(found[external_id], full)


def has_leftovers(gathered: Gathered) -> bool:
    """Whether contacts of ours are there that the state does not know: whose they are only their clients' rows tell."""
    contacts = gathered.contacts.values()
    return any(one.external_id and one.source == OURS and one.contact_id not in gathered.owners for one in contacts)


def is_refused(said: tuple[str, str | None], gathered: Gathered) -> bool:
    """Whether the contact turns out to be an integration's when it is read at its turn."""
    contact = gathered.contacts.get(said[1] or "")
    return contact is not None and (contact.source or "").startswith("openphone-")
