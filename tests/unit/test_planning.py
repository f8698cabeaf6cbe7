"""What was read -> a plan: what each contact becomes, who is an orphan, and which state rows move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from openphone_sync.model import (
    ActionKind,
    Base,
    Candidate,
    Choice,
    ClientTally,
    Create,
    Delete,
    DesiredContact,
    Failure,
    Item,
    Keep,
    Link,
    Reason,
    RemoteContact,
    Skipped,
    Standing,
    Tie,
    Update,
    Why,
)
from openphone_sync.rules.matching import Known
from openphone_sync.rules.merging import MergeRules, make_first_draft
from openphone_sync.rules.planning import (
    Gathered,
    Plan,
    Rules,
    Unchanged,
    choose_deletions,
    is_unchanged,
    make_known,
    make_next_id,
    make_plan,
    needs_listing,
)
from tests.builders import (
    OURS,
    P1,
    P2,
    P3,
    RULES,
    alternate,
    client,
    contact,
    decision,
    in_slot,
    link,
    normalise,
)

JAMES = client("1", "James Smith", P1)
BOB = alternate("1", 1, "Bob Smith", P2)
ANN = alternate("1", 2, "Ann Lee", P3, relation="Wife")
KEEPING = Rules(RULES, MergeRules(normalise))
DELETING = replace(KEEPING, deletes=True)


def gather(
    *wanted: DesiredContact,
    links: Sequence[Link] = (),
    contacts: Sequence[RemoteContact] = (),
    **more: Any,
) -> Gathered:
    return Gathered(
        wanted=wanted,
        links={one.external_id: one for one in links},
        owners={one.contact_id: one for one in links if one.contact_id},
        in_source=frozenset(desired.client_id for desired in wanted),
        contacts={one.contact_id: one for one in contacts},
        **more,
    )


def plan_for(*wanted: DesiredContact, rules: Rules = KEEPING, **more: Any) -> Plan:
    return make_plan(gather(*wanted, **more), rules)


def as_written(desired: DesiredContact, contact_id: str, **more: Any) -> RemoteContact:
    """The contact as this tool would have made it."""
    draft = make_first_draft(desired, OURS)
    made = RemoteContact(
        contact_id,
        external_id=desired.external_id,
        source=OURS,
        first_name=draft.first_name,
        company=draft.company,
        role=draft.role,
        phones=draft.phones,
        emails=draft.emails,
    )
    return replace(made, **more)


# --- one wanted contact ------------------------------------------------------------------------------------------------


def test_nothing_known_is_created_with_our_source_and_id() -> None:
    [action] = plan_for(JAMES, listed=True).actions
    assert isinstance(action, Create)
    assert (action.draft.external_id, action.draft.source, action.again) == ("client_1", OURS, False)
    assert action.link == Link("client_1", "1", 0, Standing.LINKED, None, Base(JAMES.values), "James Smith", (P1,))


def test_a_row_that_says_what_was_written_is_kept_unread() -> None:
    plan = plan_for(JAMES, links=[link(JAMES, "a")])
    [action] = plan.actions
    assert plan.declines == ()
    assert isinstance(action, Keep)
    assert (action.kind, action.link.contact_id) == (ActionKind.UNCHANGED, "a")


def test_a_row_that_changed_is_an_update_over_the_old_base() -> None:
    changed = replace(JAMES, values=replace(JAMES.values, role="Criminal Client"))
    [action] = plan_for(changed, links=[link(JAMES, "a")]).actions
    assert isinstance(action, Update)
    assert (action.kind, action.tie, action.contact_id) == (ActionKind.UPDATE, Tie.LINKED, "a")
    assert action.link.base == Base(JAMES.values)
    assert (action.desired, action.evidence, action.preview) == (changed, (), None)


def test_a_listed_contact_that_needs_nothing_is_kept_and_its_base_moves() -> None:
    changed = replace(JAMES, values=replace(JAMES.values, role="Criminal Client"))
    there = as_written(changed, "a")
    [action] = plan_for(changed, links=[link(JAMES, "a")], contacts=[there], listed=True).actions
    assert isinstance(action, Keep)
    assert action.kind is ActionKind.UNCHANGED
    assert action.link.base == Base(changed.values, frozenset({"role"}))  # a person typed it first


def test_a_listed_contact_that_differs_shows_what_would_change() -> None:
    there = as_written(JAMES, "a", role="Attorney")
    changed = replace(JAMES, values=replace(JAMES.values, role="Criminal Client"))
    [action] = plan_for(changed, links=[link(JAMES, "a")], contacts=[there], listed=True).actions
    assert isinstance(action, Update)
    assert action.preview is not None
    assert [change.field for change in action.preview.changes] == ["role"]
    assert (action.desired, action.evidence, action.seen) == (changed, (), there)


def test_a_contact_whose_last_write_failed_is_read_again_whatever_the_list_shows() -> None:
    pending = link(JAMES, "a", standing=Standing.PENDING, failures=2)
    [action] = plan_for(JAMES, links=[pending], contacts=[as_written(JAMES, "a")], listed=True).actions
    assert isinstance(action, Update)
    assert action.link.failures == 2


def test_a_persons_contact_is_adopted_without_a_base() -> None:
    [action] = plan_for(JAMES, contacts=[contact("a", "James Smith", P1)], listed=True).actions
    assert isinstance(action, Update)
    assert (action.kind, action.tie, action.link.base) == (ActionKind.ADOPT, Tie.ADOPTED, None)


def test_our_earlier_contact_that_needs_nothing_is_adopted_without_a_request() -> None:
    [action] = plan_for(JAMES, contacts=[as_written(JAMES, "a")], listed=True).actions
    assert isinstance(action, Keep)
    assert (action.kind, action.link.contact_id) == (ActionKind.ADOPT, "a")


def test_a_contact_deleted_in_the_app_is_created_again_once_and_then_declined() -> None:
    [again] = plan_for(JAMES, links=[link(JAMES, "a")], gone=frozenset("a"), listed=True).actions
    assert isinstance(again, Create)
    assert (again.again, again.link.times_gone, again.link.contact_id) == (True, 1, None)
    plan = plan_for(JAMES, links=[link(JAMES, "b", times_gone=1)], gone=frozenset("b"), listed=True)
    [declined] = plan.actions
    assert isinstance(declined, Keep)
    assert (declined.link.standing, declined.why) == (Standing.DECLINED, Why(Reason.DELETED_TWICE))
    [decision] = plan.declines
    assert (decision.choice, decision.person.name, decision.person.phones) == (Choice.DECLINE, "James Smith", (P1,))


def test_an_alternate_whose_contact_was_deleted_while_it_moved_to_another_slot_is_created_again() -> None:
    moved = replace(BOB, external_id="client_1_alt_2", slot=2)
    plan = plan_for(JAMES, moved, links=[link(JAMES, "j"), link(BOB, "b")], gone=frozenset("b"), listed=True)
    [made] = [action for action in plan.actions if isinstance(action, Create)]
    assert (made.again, made.link.times_gone, made.why) == (True, 1, Why(Reason.DELETED_ONCE))


def test_another_person_in_the_row_starts_afresh() -> None:
    known = link(JAMES, "a", times_gone=1, failures=2)
    for name, counts in (("James Smith", (1, 2)), ("Zoe Walker", (0, 0))):
        [action] = plan_for(client("1", name, P2), links=[known]).actions
        assert (action.kind, action.link.times_gone, action.link.failures) == (ActionKind.UPDATE, *counts)


def test_a_creation_that_failed_keeps_its_count_of_failures() -> None:
    pending = link(JAMES, None, standing=Standing.PENDING, base=None, failures=2)
    for wanted, failures in ((JAMES, 2), (replace(JAMES, person="Zoe Walker"), 0)):
        [action] = plan_for(wanted, links=[pending], listed=True).actions
        assert isinstance(action, Create)
        assert action.link.failures == failures


@pytest.mark.parametrize("external_id", ["client_1", "client_1~2"])
def test_a_contact_whose_creation_got_no_answer_follows_the_row_and_keeps_what_was_typed(external_id: str) -> None:
    lost = link(JAMES, None, standing=Standing.PENDING)
    now = replace(JAMES, values=replace(JAMES.values, role="Criminal Client"))
    typed = as_written(JAMES, "a", external_id=external_id, first_name="Jim Smith", company=None)
    for rules in (KEEPING, replace(KEEPING, merging=replace(KEEPING.merging, source_wins=False))):
        [action] = plan_for(now, links=[lost], contacts=[typed], listed=True, rules=rules).actions
        assert isinstance(action, Update)
        assert action.preview is not None
        assert {one.field for one in action.preview.changes} == {"role", "company"}
        assert action.preview.conflicts == ()


def test_without_what_was_sent_nobody_knows_what_of_our_contact_was_typed() -> None:
    moved, role = in_slot(BOB, 2), "Judge"
    lost = link(moved, None, standing=Standing.PENDING)
    for desired, links, made in (
        (JAMES, [], as_written(JAMES, "a", role=role)),
        (JAMES, [link(JAMES, None, standing=Standing.PENDING, base=None)], as_written(JAMES, "a", role=role)),
        (moved, [lost], as_written(BOB, "a", role=role)),  # sent for the contact of the other slot
    ):
        [action] = plan_for(desired, links=links, contacts=[made], listed=True).actions
        assert isinstance(action, Update)
        assert action.preview is not None
        assert (action.link.base, [one.field for one in action.preview.conflicts]) == (None, ["role"])


def test_a_taken_external_id_gives_the_next_free_one() -> None:
    others = [contact(f"x{end}", "Zed Quill", source=OURS, external_id=f"client_1{end}") for end in ("", "~2")]
    known = [link(client(f"9{one.contact_id}", "Zed Quill"), one.contact_id) for one in others]
    [action] = plan_for(JAMES, contacts=others, links=known, listed=True, removed=()).actions[:1]
    assert isinstance(action, Create)
    assert (action.link.external_id, action.draft.external_id) == ("client_1", "client_1~3")


def test_a_held_contact_keeps_its_evidence_and_its_candidates_card() -> None:
    stranger = contact("a", "Zed Quill", P1)
    plan = plan_for(JAMES, contacts=[stranger], listed=True)
    [action] = plan.actions
    assert isinstance(action, Keep)
    assert (action.kind, action.why) == (ActionKind.HOLD, Why(Reason.PHONE_OTHER_NAME))
    assert [candidate.subject for candidate in action.evidence] == ["a"]
    assert plan.cards == (stranger,)
    assert action.link.contact_id is None


def test_what_the_source_does_not_allow_is_skipped_and_keeps_its_contact() -> None:
    skipped = Skipped("client_1", "1", 0, Why(Reason.NO_NAME))
    plan = make_plan(replace(gather(links=[link(JAMES, "a")]), skipped=(skipped,)), KEEPING)
    [action] = plan.actions
    assert isinstance(action, Keep)
    assert (action.kind, action.link.standing, action.link.contact_id) == (ActionKind.SKIP, Standing.SKIPPED, "a")
    assert plan.losses == {"name": 1}
    assert plan.orphans == ()


def test_a_rolled_back_contact_is_held_as_it_is() -> None:
    reverted = link(JAMES, "a", standing=Standing.REVERTED, why=Why(Reason.ROLLED_BACK, "r1"))
    plan = make_plan(replace(gather(links=[reverted]), rolled_back=(reverted,)), KEEPING)
    assert plan.actions == (Keep(ActionKind.HOLD, reverted, why=reverted.why),)
    assert plan.relinks == ()


def test_actions_are_ordered_by_client_and_slot() -> None:
    plan = plan_for(client("2", "Zoe Ray", "+12135550109"), ANN, JAMES, BOB, listed=True)
    assert [action.link.external_id for action in plan.actions] == [
        "client_1",
        "client_1_alt_1",
        "client_1_alt_2",
        "client_2",
    ]


# --- people who move ---------------------------------------------------------------------------------------------------


def test_alternates_that_trade_places_keep_their_contacts_and_bases() -> None:
    bob2 = replace(BOB, external_id="client_1_alt_2", slot=2)
    ann1 = replace(ANN, external_id="client_1_alt_1", slot=1)
    plan = plan_for(JAMES, bob2, ann1, links=[link(JAMES, "j"), link(BOB, "b"), link(ANN, "a")])
    found = {action.link.external_id: action.link.contact_id for action in plan.actions}
    assert found == {"client_1": "j", "client_1_alt_1": "a", "client_1_alt_2": "b"}
    moved = {row.external_id: (row.contact_id, row.base) for row in plan.relinks}
    assert moved == {"client_1_alt_1": ("a", Base(ANN.values)), "client_1_alt_2": ("b", Base(BOB.values))}
    assert plan.orphans == ()


def test_the_contact_of_one_who_left_stays_an_orphan_under_an_id_of_its_own() -> None:
    carla = alternate("1", 1, "Carla Diaz", "+12135550107")
    plan = plan_for(JAMES, carla, links=[link(JAMES, "j"), link(BOB, "b")], listed=True)
    [orphan] = plan.orphans
    assert (orphan.external_id, orphan.contact_id, orphan.standing) == ("client_1_alt_1#b", "b", Standing.ORPHANED)
    [made] = [action for action in plan.actions if isinstance(action, Create)]
    assert (made.draft.external_id, made.why) == ("client_1_alt_1~2", Why(Reason.SLOT_HANDED_OVER))
    assert plan.losses == {"alternate": 1}


def test_a_row_without_a_contact_that_nobody_wants_is_forgotten() -> None:
    held = link(BOB, None, base=None, standing=Standing.HELD)
    plan = plan_for(JAMES, links=[link(JAMES, "j"), held])
    assert (plan.forgotten, plan.orphans) == (("client_1_alt_1",), ())


def test_a_skipped_alternate_gives_up_the_contact_that_moved_to_another_slot() -> None:
    unfit = replace(alternate("1", 1, "Eve Stone"), unfit=Reason.NO_PHONE)
    bob2 = replace(BOB, external_id="client_1_alt_2", slot=2)
    plan = plan_for(JAMES, unfit, bob2, links=[link(JAMES, "j"), link(BOB, "b")])
    rows = {action.link.external_id: action.link for action in plan.actions}
    assert rows["client_1_alt_1"] == link(unfit, None, standing=Standing.SKIPPED, base=None, why=Why(Reason.NO_PHONE))
    assert rows["client_1_alt_2"].contact_id == "b"


def test_a_skipped_contact_that_nobody_knew_gets_a_row_with_its_reason() -> None:
    nameless = Skipped("client_2_alt_3", "2", 3, Why(Reason.NO_NAME))
    [action] = plan_for(skipped=(nameless,)).actions
    row = Link("client_2_alt_3", "2", 3, Standing.SKIPPED, why=Why(Reason.NO_NAME))
    assert action == Keep(ActionKind.SKIP, row, why=Why(Reason.NO_NAME))


def test_a_row_that_makes_no_contact_any_more_gives_up_the_contact_that_moved_to_another_slot() -> None:
    nameless = Skipped("client_1_alt_1", "1", 1, Why(Reason.ID_TOO_LONG))
    bob2 = replace(BOB, external_id="client_1_alt_2", slot=2)
    plan = plan_for(JAMES, bob2, skipped=(nameless,), links=[link(JAMES, "j"), link(BOB, "b")])
    rows = {action.link.external_id: action.link for action in plan.actions}
    assert rows["client_1_alt_2"].contact_id == "b"
    given_up = link(BOB, None, standing=Standing.SKIPPED, base=None, why=Why(Reason.ID_TOO_LONG))
    assert rows["client_1_alt_1"] == given_up


# --- what only passes through --------------------------------------------------------------------------------------------


def test_what_was_counted_and_warned_of_while_reading_is_part_of_the_plan() -> None:
    given = gather(
        failures=(Failure("client_9", "9", "odd row"),),
        clients=ClientTally(read=5),
        unchanged=Unchanged(linked=3),
        deferred=Unchanged(linked=2),
        fingerprints={"1": b"f"},
        removed=("7",),
        warnings=("w",),
        linked_before=12,
        known_clients=11,
        complete=False,
        missing_columns=("phone",),
    )
    plan = make_plan(given, KEEPING)
    for name in ("failures", "clients", "unchanged", "deferred", "fingerprints", "removed", "warnings"):
        assert getattr(plan, name) == getattr(given, name)
    assert (plan.linked_before, plan.known_clients, plan.complete, plan.missing_columns) == (12, 11, False, ("phone",))


def test_matching_knows_all_but_what_was_rolled_back() -> None:
    ann, bob = link(ANN, "w"), link(BOB, "b")
    skipped, held = link(client("2", "A"), None), link(client("3", "B"), None)
    with_contact = link(client("4", "C"), "c")  # among the owners, and counted once
    nameless = link(client("5", "D"), None, why=Why(Reason.NO_NAME))
    given = gather(
        JAMES,
        links=[ann, bob],
        rolled_back=(bob,),
        unchanged=Unchanged(skipped=(skipped, nameless, with_contact), held=(held,)),
        decisions=(decision(JAMES, "x", Choice.SEPARATE),),
        refused=frozenset("r"),
        gone=frozenset("g"),
        full=True,
    )
    assert make_known(given) == Known(
        links={ANN.external_id: ann},
        owners={"w": ann, "b": bob},
        waiting=(skipped, held),
        in_source=frozenset("1"),
        decisions=given.decisions,
        refused=frozenset("r"),
        gone=frozenset("g"),
        retry_refused=True,
    )


# --- deletions ---------------------------------------------------------------------------------------------------------


def removed(*links: Link, contacts: Sequence[RemoteContact], rules: Rules = DELETING, **more: Any) -> Plan:
    return make_plan(replace(gather(links=links, contacts=contacts, **more), removed=("1",)), rules)


def test_a_removed_client_is_deleted_only_where_that_is_set() -> None:
    known, there = link(JAMES, "a"), as_written(JAMES, "a")
    assert removed(known, contacts=[there], rules=KEEPING).actions == ()
    [action] = removed(known, contacts=[there]).actions
    assert isinstance(action, Delete)
    assert (action.contact_id, action.why) == ("a", Why(Reason.GONE_FROM_SOURCE))


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"source": "ios"}, Reason.NOT_OURS), ({"last_name": "Smith"}, Reason.TYPED_BY_STAFF)],
)
def test_what_is_not_ours_without_doubt_is_never_deleted(change: dict[str, str], reason: Reason) -> None:
    plan = removed(link(JAMES, "a"), contacts=[as_written(JAMES, "a", **change)])
    assert plan.actions == ()
    [orphan] = plan.orphans
    assert orphan.why == Why(reason)
    assert choose_deletions([orphan], frozenset()) == []


def test_what_was_not_read_or_has_to_do_with_a_review_is_not_deleted() -> None:
    known, there = link(JAMES, "a"), as_written(JAMES, "a")
    assert removed(known, contacts=[]).actions == ()
    assert removed(known, contacts=[there], reviewed=frozenset("a")).actions == ()
    assert removed(known, contacts=[there], reviewed=frozenset({"client_1"})).actions == ()


# --- listing, and what is lost -----------------------------------------------------------------------------------------


def test_only_something_to_create_needs_the_workspace() -> None:
    assert needs_listing(gather(JAMES), KEEPING)
    assert not needs_listing(gather(JAMES, links=[link(JAMES, "a")]), KEEPING)


def test_what_cannot_be_created_needs_the_workspace_once_it_may_fit_another_contact() -> None:
    unfit = replace(JAMES, values=replace(JAMES.values, phones=()), unfit=Reason.NO_PHONE)
    skipped = link(unfit, None, standing=Standing.SKIPPED)
    assert needs_listing(gather(unfit), KEEPING)
    assert not needs_listing(gather(unfit, links=[skipped]), KEEPING)
    assert needs_listing(gather(replace(unfit, person="James Smyth"), links=[skipped]), KEEPING)
    assert needs_listing(gather(unfit, links=[replace(skipped, standing=Standing.HELD)]), KEEPING)


def test_a_number_that_was_kept_is_looked_at_when_the_row_has_none() -> None:
    kept = link(JAMES, "a", why=Why(Reason.NUMBERS_KEPT))
    none = replace(JAMES, values=replace(JAMES.values, phones=()))
    assert is_unchanged(replace(none, phones_unusable=True), kept, "a")
    assert not is_unchanged(none, kept, "a")


def test_lost_values_are_counted_by_field_and_numbers_that_were_kept_once() -> None:
    full = replace(
        JAMES,
        values=replace(JAMES.values, emails=(Item("Email", "j@x.org"),), custom_fields=(("k", "LA"), ("m", "x"))),
    )
    empty = replace(full, values=replace(full.values, phones=(), emails=(), custom_fields=(("k", None), ("m", "x"))))
    named = replace(KEEPING, merging=MergeRules(normalise, field_names={"k": "County"}))
    plan = plan_for(empty, links=[link(full, "a")], rules=named)
    assert plan.losses == {"phone": 1, "emails": 1, "customFields.County": 1}
    [action] = plan.actions
    assert action.link.why == Why(Reason.NUMBERS_KEPT)
    kept = link(full, "a", why=Why(Reason.NUMBERS_KEPT))
    without = replace(full, values=replace(full.values, phones=()))
    again = plan_for(without, links=[kept])
    assert (again.losses, again.changed_contacts) == ({}, 0)


def test_changed_contacts_are_those_that_the_source_wants_otherwise_even_if_nothing_is_left_to_write() -> None:
    changed = replace(JAMES, values=replace(JAMES.values, role="Criminal Client"))
    there = as_written(changed, "a")
    assert plan_for(changed, links=[link(JAMES, "a")]).changed_contacts == 1
    assert plan_for(changed, links=[link(JAMES, "a")], contacts=[there], listed=True).changed_contacts == 1
    assert plan_for(JAMES, links=[link(JAMES, "a")]).changed_contacts == 0
    assert plan_for(JAMES, contacts=[contact("a", "James Smith", P1)], listed=True).changed_contacts == 0


@pytest.mark.parametrize(
    ("before", "changed"),
    [("1985-06-15T00:00:00.000Z", 0), ("1985-06-14T00:00:00.000Z", 1), ("1985-06-15T04:00:00.000Z", 1), ("x", 1)],
)
def test_a_date_that_0_1_0_wrote_at_midnight_is_not_a_change(before: str, changed: int) -> None:
    noon = replace(JAMES, values=replace(JAMES.values, custom_fields=(("born", "1985-06-15T12:00:00.000Z"),)))
    written = replace(JAMES, values=replace(JAMES.values, custom_fields=(("born", before),)))
    assert plan_for(noon, links=[link(written, "a")]).changed_contacts == changed


def test_a_contact_that_some_link_or_action_holds_is_claimed() -> None:
    plan = plan_for(JAMES, links=[link(JAMES, "a")])
    assert plan.claimed == frozenset("a")
    assert plan.clients == ClientTally()
    assert Candidate("a", "phone", 1.0, "").subject in plan.claimed


def test_the_next_external_id_counts_on() -> None:
    assert [make_next_id(one) for one in ("client_1", "client_1~2", "client_x_alt_1~9")] == [
        "client_1~2",
        "client_1~3",
        "client_x_alt_1~10",
    ]
