"""Links, decisions and declines belong to a person and follow them to another slot; external ids belong to a source."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openphone_sync.model import (
    Base,
    Candidate,
    Choice,
    ContactValues,
    DesiredContact,
    Link,
    LookAlike,
    Person,
    Reason,
    RemoteField,
    Skips,
    Standing,
    Why,
)
from openphone_sync.rules.matching import PASSES, Known, RemoteIndex, find_referred_clients
from openphone_sync.rules.matching.alternates import linked_alternates
from openphone_sync.rules.matching.context import Context
from openphone_sync.rules.matching.duplicate_rows import duplicate_rows
from openphone_sync.rules.matching.passes import (
    alternates,
    clients,
    linked_clients,
    reviewed,
    same_external_id,
    strong,
    weak,
)
from openphone_sync.rules.merging import MergeRules
from openphone_sync.rules.names import parse_name
from tests.builders import (
    HOLD,
    MAKE,
    MAKE_AGAIN,
    OURS,
    P1,
    P2,
    P3,
    P4,
    RULES,
    SKIP,
    alternate,
    client,
    contact,
    decision,
    in_slot,
    link,
    match,
    normalise,
    only,
    outcome,
    outcomes,
    reason_of,
)

JAMES = client("1", "James Smith", P1)
ANN, BOB = alternate("1", 1, "Ann Miller", P2), alternate("1", 2, "Bob Jones", P3)
SWAPPED = [in_slot(BOB, 1), in_slot(ANN, 2)]


def test_the_order_of_evidence() -> None:
    assert (
        linked_clients,
        linked_alternates,
        reviewed,
        same_external_id,
        duplicate_rows,
        strong(clients),
        strong(alternates),
        weak,
    ) == PASSES


# --- decisions ----------------------------------------------------------------------------------------------------------


def test_decision_to_link_follows_an_alternate_to_another_slot() -> None:
    brother = contact("b", "Robert", P4)
    decided = [decision(ANN, "b", Choice.LINK)]
    assert outcomes(match([ANN, BOB], [brother], decisions=decided)) == [("adopted", "b"), MAKE]
    assert outcomes(match(SWAPPED, [brother], decisions=decided)) == [MAKE, ("adopted", "b")]


def test_decision_follows_an_alternate_whose_name_was_misspelt() -> None:
    decided = [decision(alternate("1", 1, "Anne Miler", P4), "b", Choice.LINK)]
    assert outcomes(match(SWAPPED, [contact("b", "Robert", P4)], decisions=decided)) == [MAKE, ("adopted", "b")]


def test_decision_about_somebody_who_left_the_slot_is_not_the_newcomers() -> None:
    newcomer = alternate("1", 1, "Zoe Walker", P4)
    assert outcome(only(newcomer, contact("b", "Robert", P2), decisions=[decision(ANN, "b", Choice.LINK)])) == MAKE


def test_decision_to_separate_follows_an_alternate_to_another_slot() -> None:
    other = contact("x", "Mary Lopez", P2)
    decided = [decision(ANN, "x", Choice.SEPARATE)]
    assert outcomes(match(SWAPPED, [other])) == [MAKE, HOLD]
    assert outcomes(match(SWAPPED, [other], decisions=decided)) == [MAKE, MAKE]


def test_decision_about_an_alternate_without_a_name_follows_the_phone() -> None:
    nameless = alternate("1", 1, "", P2)
    decided = [decision(nameless, "b", Choice.LINK)]
    moved = [alternate("1", 1, "", P3), alternate("1", 2, "", P2)]
    assert outcomes(match(moved, [contact("b", "Robert", P4)], decisions=decided)) == [MAKE, ("adopted", "b")]


@pytest.mark.parametrize("renamed", [client("1", "James Miller", P1), client("1", "James Smith", P4)])
def test_decision_about_a_client_holds_while_name_or_phone_is_the_same(renamed: DesiredContact) -> None:
    assert outcome(only(renamed, contact("b", "Robert"), decisions=[decision(JAMES, "b", Choice.LINK)])) == (
        "adopted",
        "b",
    )


def test_decision_about_a_client_ends_with_another_name_and_phone() -> None:
    other = client("1", "Zoe Walker", P4)
    assert outcome(only(other, contact("b", "Robert"), decisions=[decision(JAMES, "b", Choice.LINK)])) == MAKE


def test_the_latest_decision_about_a_pair_counts() -> None:
    theirs = contact("a", "Mary Lopez", P1)
    linked_first = [
        decision(JAMES, "a", Choice.LINK, decided_at=1.0),
        decision(JAMES, "a", Choice.SEPARATE, decided_at=2.0),
    ]
    assert outcome(only(JAMES, theirs, decisions=linked_first)) == MAKE
    linked_last = [replace(linked_first[0], decided_at=3.0), linked_first[1]]
    assert outcome(only(JAMES, theirs, decisions=linked_last)) == ("adopted", "a")


def test_decision_of_an_unknown_person_stays_with_the_external_id() -> None:
    decided = replace(decision(JAMES, "a", Choice.LINK), person=Person(""))
    assert outcome(only(client("1", "Zoe Walker", P4), contact("a", "Robert"), decisions=[decided])) == (
        "adopted",
        "a",
    )


def test_decision_does_not_undo_a_link_that_holds() -> None:
    links = [link(JAMES, "a")]
    decided = [decision(JAMES, "b", Choice.LINK), decision(JAMES, client("2", "James Smith", P1), Choice.LINK)]
    assert outcome(only(JAMES, contact("a", "James"), contact("b", "Robert"), links=links, decisions=decided)) == (
        "linked",
        "a",
    )


def test_decision_to_link_an_integrations_contact_is_skipped() -> None:
    clio = contact("a", "James Smith", P1, source="openphone-clio")
    result = only(JAMES, clio, decisions=[decision(JAMES, "a", Choice.LINK)])
    assert (outcome(result), reason_of(result)) == (SKIP, (Reason.OWNED_BY_INTEGRATION, ""))


def test_decision_about_two_rows_follows_the_other_row_to_another_slot() -> None:
    double = client("2", "Ann Miller", P2)
    decided = [decision(double, ANN, Choice.LINK)]
    result = match([double, *SWAPPED], decisions=decided).results[0]
    assert (outcome(result), reason_of(result)) == (SKIP, (Reason.DECIDED_SAME_PERSON, "client_1_alt_2"))


def test_decision_about_two_rows_ends_when_the_other_is_wanted_no_longer() -> None:
    double = client("2", "Ann Miller", P2)
    assert outcomes(match([double, JAMES], decisions=[decision(double, ANN, Choice.LINK)])) == [MAKE, MAKE]


def test_of_two_rows_that_were_each_decided_to_be_the_other_the_older_is_written() -> None:
    younger = client("2", "James Smith", P1, seniority=("2025-06-01", "2"))
    decided = [decision(JAMES, younger, Choice.LINK), decision(younger, JAMES, Choice.LINK)]
    assert outcomes(match([JAMES, younger], decisions=decided)) == [MAKE, SKIP]


def test_decision_that_two_rows_are_two_people_follows_them() -> None:
    double = client("2", "Ann Miller", P2)
    decided = [decision(double, ANN, Choice.SEPARATE)]
    assert outcomes(match([double, *SWAPPED])) == [MAKE, MAKE, HOLD]
    assert outcomes(match([double, *SWAPPED], decisions=decided)) == [MAKE, MAKE, MAKE]


def test_decision_about_one_of_two_rows_of_a_name_is_about_that_row() -> None:
    double, again = client("2", "Ann Miller", P1), alternate("1", 2, "Ann Miller", P4)
    result = match([double, ANN, again], decisions=[decision(double, again, Choice.LINK)]).results[0]
    assert (outcome(result), reason_of(result)) == (SKIP, (Reason.DECIDED_SAME_PERSON, "client_1_alt_2"))
    assert result.evidence == (Candidate("client_1_alt_2", "row", 1.0, "decided in a review"),)


def test_decision_to_link_does_not_take_the_contact_that_was_made_for_another_row() -> None:
    hers = contact("a", "Zoe Walker", P4, external_id="client_2", source=OURS)
    wanted = [JAMES, client("2", "Zoe Walker", P4)]
    assert outcomes(match(wanted, [hers], decisions=[decision(JAMES, "a", Choice.LINK)])) == [MAKE, ("own", "a")]


def test_contact_that_was_set_apart_from_its_client_may_be_another_persons() -> None:
    marys = contact("a", "Mary Lopez", P2)
    wanted, apart = [JAMES, client("2", "Mary Lopez", P2)], [decision(JAMES, "a", Choice.SEPARATE)]
    assert outcomes(match(wanted, [marys], links=[link(JAMES, "a")])) == [("linked", "a"), HOLD]
    assert outcomes(match(wanted, [marys], links=[link(JAMES, "a")], decisions=apart)) == [MAKE, ("adopted", "a")]


def test_decision_that_two_rows_are_two_people_says_nothing_of_a_third_row() -> None:
    oldest = client("3", "James Smith", P1, seniority=("2020-01-01", "3"))
    apart = [decision(JAMES, client("2", "James Smith", P1), Choice.SEPARATE)]
    result = match([oldest, JAMES], decisions=apart).results[1]
    assert (outcome(result), reason_of(result)) == (HOLD, (Reason.SAME_PERSON, "client_3"))


def test_row_that_was_decided_to_be_another_does_not_hide_other_doubles() -> None:
    rows = [JAMES, client("2", "James Smith", P2), client("3", "Ann Lee", P3), client("4", "Ann Lee", P3)]
    decided = [decision(JAMES, rows[1], Choice.LINK)]
    assert outcomes(match(rows, decisions=decided)) == [SKIP, MAKE, MAKE, HOLD]


# --- declines -----------------------------------------------------------------------------------------------------------


def declined(desired: DesiredContact) -> Link:
    return link(desired, None, standing=Standing.DECLINED)


def test_decline_follows_an_alternate_to_another_slot() -> None:
    links = [declined(ANN), link(BOB, "b")]
    results = match(SWAPPED, [contact("b", "Bob", P3)], links=links).results
    assert [outcome(result) for result in results] == [("linked", "b"), SKIP]
    assert reason_of(results[1]) == (Reason.DELETED_TWICE, "")


def test_who_was_deleted_twice_does_not_come_back_by_a_contact_that_carries_the_id() -> None:
    ours = contact("d", "James Smith - Brother", P2, external_id=ANN.external_id, source=OURS)
    assert outcome(only(ANN, ours, links=[declined(ANN)])) == SKIP


def test_somebody_else_in_the_slot_of_a_declined_person_starts_afresh() -> None:
    assert outcome(only(alternate("1", 1, "Zoe Walker", P4), links=[declined(ANN)])) == MAKE
    assert outcome(only(client("1", "Zoe Walker", P4), links=[declined(JAMES)])) == MAKE


def test_decline_of_a_client_holds_while_name_or_phone_is_the_same() -> None:
    for renamed in (client("1", "James Miller", P1), client("1", "James Smith", P4)):
        assert outcome(only(renamed, links=[declined(JAMES)])) == SKIP


def test_decline_that_was_decided_follows_the_person() -> None:
    decided = [decision(ANN, "", Choice.DECLINE)]
    assert outcomes(match(SWAPPED, decisions=decided)) == [MAKE, SKIP]


def test_deleted_twice_is_about_the_person_of_the_link() -> None:
    twice = [link(JAMES, "a", times_gone=1)]
    assert outcome(only(JAMES, links=twice, gone=["a"])) == SKIP
    assert outcome(only(client("1", "Zoe Walker", P4), links=twice, gone=["a"])) == MAKE_AGAIN


def test_deleted_twice_is_about_the_external_id_where_nothing_is_known_of_the_person() -> None:
    nobody = link(JAMES, "a", times_gone=1, person="", phones=(), base=None)
    assert outcome(only(JAMES, links=[nobody], gone=["a"])) == SKIP


# --- alternates ---------------------------------------------------------------------------------------------------------


def test_alternates_trading_places_while_one_is_held_all_get_a_result() -> None:
    held = link(BOB, None, base=None, standing=Standing.HELD)
    contacts = [contact("a", "James Smith - Brother", P2), contact("x", "Mary Lopez", P3)]
    assert outcomes(match(SWAPPED, contacts, links=[link(ANN, "a"), held])) == [HOLD, ("linked", "a")]


def test_alternates_of_one_name_follow_their_phones() -> None:
    before = [link(alternate("1", 1, "Ann Miller", P2), "a"), link(alternate("1", 2, "Ann Miller", P3), "b")]
    now = [alternate("1", 1, "Ann Miller", P3), alternate("1", 2, "Ann Miller", P2)]
    assert outcomes(match(now, links=before)) == [("linked", "b"), ("linked", "a")]


def test_an_incremental_run_gives_alternates_their_places_without_reading_a_contact() -> None:
    links = [link(ANN, "a"), link(BOB, "b")]
    assert outcomes(match(SWAPPED, links=links, complete=False)) == [("linked", "b"), ("linked", "a")]


def test_alternate_whose_contact_is_gone_may_have_the_place_of_a_nameless_one() -> None:
    nameless = link(alternate("1", 2, ""), "b")
    renamed = alternate("1", 2, "Ann Miller", P2)
    assert outcome(only(renamed, links=[link(ANN, "a"), nameless], gone=["a"])) == ("linked", "b")


def test_alternates_own_contact_of_an_integration_is_skipped_and_stays_its_own() -> None:
    clio = contact("a", "Ann Miller", P2, source="openphone-clio")
    result = only(ANN, clio, links=[link(ANN, "a")])
    assert (outcome(result), reason_of(result)) == (SKIP, (Reason.OWNED_BY_INTEGRATION, ""))


def test_two_contacts_under_one_external_id_of_an_alternate_are_held() -> None:
    twice = [contact(i, "James Smith - Brother", external_id="client_1_alt_1", source=OURS) for i in "ab"]
    assert outcome(only(ANN, *twice)) == HOLD


def test_former_alternate_of_one_client_is_adopted_as_anothers() -> None:
    newcomer, hers = alternate("1", 1, "Zoe Walker", P4), alternate("2", 1, "Ann Miller", P2)
    found = match([newcomer, hers], [contact("a", "Ann Miller", P2)], links=[link(ANN, "a")])
    assert outcomes(found) == [MAKE, ("adopted", "a")]


def test_leftover_of_a_slot_that_its_client_has_no_longer_may_be_another_persons() -> None:
    twice = [
        contact("a", "James Smith", P1, external_id="client_2_alt_1", source=OURS),
        contact("b", "Mary Lopez", P3, external_id="client_2_alt_1", source=OURS),
    ]
    assert outcomes(match([JAMES, client("2", "Zoe Walker", P4)], twice)) == [("own", "a"), MAKE]


def test_newcomer_who_has_a_contact_already_is_adopted_as_a_newcomer() -> None:
    newcomer = alternate("1", 1, "Zoe Walker", P4)
    result = only(newcomer, contact("z", "Zoe Walker", P4), contact("a", "Ann", P2), links=[link(ANN, "a")])
    assert (outcome(result), reason_of(result)) == (("adopted", "z"), (Reason.SLOT_HANDED_OVER, ""))


def test_with_the_state_lost_the_clients_own_contact_is_not_a_nameless_alternates() -> None:
    own = contact("a", "James Smith", P1, external_id="client_1", source=OURS)
    assert outcomes(match([JAMES, alternate("1", 1, "", P1)], [own])) == [("own", "a"), MAKE]


# --- external ids -------------------------------------------------------------------------------------------------------


def test_of_two_sources_contacts_under_our_external_id_ours_is_taken() -> None:
    theirs = contact("a", "James Smith", P1, external_id="client_1", source="attio")
    ours = contact("b", "James Smith", P1, external_id="client_1", source=OURS)
    assert outcome(only(JAMES, theirs, ours)) == ("own", "b")


def test_of_several_of_other_sources_the_only_one_that_agrees_is_adopted() -> None:
    one = contact("a", "James Smith", P4, external_id="client_1", source="attio")
    other = contact("b", "Mary Lopez", P3, external_id="client_1", source="hubspot")
    assert outcome(only(JAMES, one, other)) == ("adopted", "a")
    assert outcome(only(JAMES, one, replace(other, first_name="Jim Smith"))) == HOLD


def test_external_id_of_another_source_does_not_keep_the_contact_from_the_person_whose_it_is() -> None:
    theirs = contact("a", "Mary Lopez", P4, external_id="client_1", source="attio")
    mary = client("2", "Mary Lopez", P4)
    assert outcomes(match([JAMES, mary], [theirs])) == [MAKE, ("adopted", "a")]


def test_with_the_source_renamed_and_the_state_lost_alternates_find_their_own_contacts() -> None:
    places = [
        contact(i, "James Smith - Brother", external_id=f"client_1_alt_{n}", source="old", fields={"person": name})
        for i, n, name in (("a", 1, "Ann Miller"), ("b", 2, "Bob Jones"))
    ]
    moved = [alternate("1", 1, "Bob Jones", P4), alternate("1", 2, "Ann Miller", P4)]
    assert outcomes(match(moved, places)) == [HOLD, HOLD]
    unmoved = [replace(ANN, values=moved[0].values), replace(BOB, values=moved[1].values)]
    assert outcomes(match(unmoved, places)) == [("adopted", "a"), ("adopted", "b")]


def test_integrations_contact_under_our_external_id_is_skipped() -> None:
    clio = contact("a", "Mary Lopez", P4, external_id="client_1", source="openphone-clio")
    for theirs in (clio, replace(clio, first_name="James Smith")):
        result = only(JAMES, theirs)
        assert isinstance(result, Skips)
        assert (result.why, result.contact_id, result.linked) == (Why(Reason.OWNED_BY_INTEGRATION), "a", False)
        assert [(one.subject, one.kind) for one in result.evidence] == [("a", "external id")]


def test_evidence_is_the_same_in_whatever_order_contacts_are_listed() -> None:
    one, other = (contact(key, "", source=OURS, external_id=f"client_1~{n}") for n, key in ((2, "b"), (3, "a")))
    there, back = only(JAMES, one, other), only(JAMES, other, one)
    assert [candidate.subject for candidate in there.evidence] == ["a", "b"]
    assert there == back


def test_numbered_external_id_is_ours_where_the_plain_one_is_not_there() -> None:
    numbered = contact("a", "Renamed By Staff", P4, external_id="client_1~2", source=OURS)
    assert outcome(only(JAMES, numbered)) == ("own", "a")


def test_clients_that_matching_asks_about() -> None:
    contacts = [
        contact("a", "", external_id="client_5_alt_2~3", source=OURS),
        contact("b", "", external_id="client_6", source="attio"),
        contact("c", "", external_id="lead 7", source=OURS),
    ]
    decided = [decision(JAMES, client("8", "James Smith"), Choice.LINK), decision(JAMES, "a", Choice.LINK)]
    assert find_referred_clients(contacts, [link(client("9", "X"), "d")], decided, OURS) == {"5", "8", "9"}


# --- rows and contacts as this run leaves them ---------------------------------------------------------------------------


def test_duplicate_of_a_contact_that_loses_the_number_in_this_run_is_created() -> None:
    moved = client("2", "James Smith", P2, seniority=("2023-01-01", "2"))
    before = link(client("2", "James Smith", P1), "a")
    results = match([JAMES, moved], [contact("a", "James Smith", P1)], links=[before], merging=MergeRules(normalise))
    assert outcomes(results) == [MAKE, ("linked", "a")]


def test_duplicate_of_a_contact_on_which_staff_typed_the_number_is_held() -> None:
    other = client("2", "James Smith", P2)
    theirs = contact("a", "James Smith", P2, P1)
    for wanted in ([JAMES], [JAMES, other]):
        result = match(wanted, [theirs], links=[link(other, "a")], merging=MergeRules(normalise)).results[0]
        assert (outcome(result), reason_of(result)) == (HOLD, (Reason.SAME_PERSON, "client_2"))


@pytest.mark.parametrize(("name", "expected"), [("Jim Smith", HOLD), ("Jim Smith Jr.", MAKE), ("Mary Lopez", MAKE)])
def test_contact_of_another_row_that_staff_renamed_after_our_person_is_held(
    name: str, expected: tuple[str, None]
) -> None:
    mary = client("2", "Mary Lopez", P1)
    assert outcome(only(JAMES, contact("a", name, P1), links=[link(mary, "a")])) == expected


def test_contact_that_was_made_for_another_row_and_has_our_name_is_held_also_where_no_link_knows_it() -> None:
    made = contact("a", "James Smith", P1, external_id="client_2", source=OURS)
    result = only(JAMES, made)
    assert (outcome(result), reason_of(result)) == (HOLD, (Reason.SAME_PERSON, "client_2"))
    assert result.evidence == (Candidate("client_2", "row", 1.0, "same phone; name equal"),)


def test_contact_that_shows_what_its_row_wrote_is_not_ours_for_that() -> None:
    marys = client("2", "Mary Lopez", P1)
    shown = replace(marys, values=replace(marys.values, first_name="James Smith"))
    assert outcome(only(JAMES, contact("a", "James Smith", P1), links=[link(shown, "a")])) == MAKE


def test_contact_on_which_staff_typed_the_number_of_a_row_that_was_set_apart_holds_nobody() -> None:
    other = client("2", "James Smith", P2)
    apart = [decision(other, JAMES, Choice.SEPARATE)]
    found = match([JAMES, other], [contact("a", "James Smith", P2, P1)], links=[link(other, "a")], decisions=apart)
    assert outcomes(found) == [MAKE, ("linked", "a")]


def test_rows_of_one_name_with_other_dates_of_birth_are_two_where_staff_typed_the_number() -> None:
    other = client("2", "James Smith", P2, born="1960-02-02")
    theirs = contact("a", "James Smith", P2, P1)
    for born, expected in (("1960-02-02", HOLD), ("1991-01-01", MAKE)):
        ours = client("1", "James Smith", P1, born=born)
        assert outcome(match([ours, other], [theirs], links=[link(other, "a")]).results[0]) == expected


def test_row_of_a_client_that_is_not_in_play_is_a_duplicate_though_staff_removed_the_number() -> None:
    found = match([JAMES], [contact("a", "James Smith", P3)], links=[link(client("2", "James Smith", P1), "a")])
    assert outcomes(found) == [HOLD]
    assert found.look_alikes == (LookAlike("client_1", "client_2", 1.0, "same phone; name equal"),)


def test_two_rows_of_one_name_and_phone_but_other_dates_of_birth_are_two_also_when_one_is_not_in_play() -> None:
    values = replace(JAMES.values, custom_fields=(("born", "1960-02-02"),))
    father = link(replace(client("2", "James Smith", P1), values=values), "a")
    son = client("1", "James Smith", P1, born="1991-01-01")
    theirs = contact("a", "James Smith", P1, fields={"born": "1960-02-02"})
    assert outcome(only(son, theirs, links=[father])) == MAKE


def test_a_name_that_chance_brings_again_is_created_and_listed() -> None:
    crowd = [contact(f"x{i}", n, f"+1310555{i:04}") for i, n in enumerate(["James Lee", "Robert Smith"] * 20)]
    found = match([JAMES], [contact("a", "James Smith", P4), *crowd])
    assert outcomes(found) == [MAKE]
    assert [(alike.external_id, alike.other) for alike in found.look_alikes] == [("client_1", "a")]


def test_contacts_of_rows_do_not_crowd_a_number_a_second_time() -> None:
    rows = [client(str(n), f"Ann{n} Crowd{n}", P1) for n in range(2, 20)]
    contacts = [contact(f"x{row.client_id}", row.person, P1) for row in rows]
    links = [link(row, f"x{row.client_id}") for row in rows]
    stranger = contact("a", "Mary Lopez", P1)
    assert outcome(match([JAMES, *rows], [*contacts, stranger], links=links).results[0]) == HOLD
    others = [contact(f"y{n}", f"Bob{n} Mob{n}", P1) for n in range(10)]
    assert outcome(match([JAMES, *rows], [*others, stranger], links=links).results[0]) == MAKE


def test_names_are_counted_once_for_each_row_and_for_what_people_typed() -> None:
    written, unknown, out_of_play = client("2", "Ann Lee", P2), client("3", "Ann Day", P3), client("4", "Ann Fox", P4)
    met = replace(client("5", "Ann Roe"), values=ContactValues("Ann Roe", "", ""))
    links = [
        link(written, "b"),
        link(unknown, "c", base=None),
        link(out_of_play, "d"),
        link(met, "e", base=Base(met.values, frozenset({"firstName"}))),
        link(client("7", "Ann Gone"), "g", standing=Standing.ORPHANED),
    ]
    contacts = [contact("a", "Ann May"), *(contact(key, f"Ann {key}x") for key in "bcdeg")]
    contacts.append(contact("f", "Ann Own", external_id="client_9", source=OURS))
    contacts.append(contact("h", "Smith, James"))
    known = Known({}, {one.contact_id or "": one for one in links}, waiting=[link(client("6", "Ann Poe"), None)])
    context = Context(
        [JAMES, written, unknown, met], RemoteIndex(contacts, normalise, complete=True), known, RULES, None
    )
    assert context.common.count("ann") == 7  # three rows, two that are not in play, "Ann May", "Ann ex"
    assert context.common.people == 9
    assert [
        context.count_equal_names(parse_name(name)) for name in ("Fox Ann", "Ann Poe", "James Smith", "Ann Gone")
    ] == [
        1,
        1,
        2,
        0,
    ]


def test_a_crowded_number_is_evidence_only_with_a_similar_name() -> None:
    jail = [contact(f"x{i:02}", f"Ann{i} Crowd{i}", P1) for i in range(30)]
    assert outcome(only(JAMES, *jail)) == MAKE
    assert outcome(only(JAMES, *jail, contact("a", "James Smith", P1))) == ("adopted", "a")


def test_rows_on_one_number_with_similar_names_are_listed() -> None:
    names = ("Jonathan Smithers", "Jonathon Smithert", "Jonathan Smitherz")
    found = match([client(str(n), name, P1) for n, name in enumerate(names, 1)])
    assert [(alike.external_id, alike.other, alike.score, alike.words) for alike in found.look_alikes] == [
        ("client_2", "client_1", 0.95, "same phone; name 0.95 alike"),
        ("client_3", "client_1", 0.97, "same phone; name 0.97 alike"),
        ("client_3", "client_2", 0.95, "same phone; name 0.95 alike"),
    ]


def test_father_and_son_on_one_number_are_listed_under_the_highest_threshold() -> None:
    rows = [client("1", "James Smith Sr.", P1), client("2", "James Smith Jr.", P1)]
    found = match(rows, rules=replace(RULES, threshold=1.0))
    assert [(alike.external_id, alike.other) for alike in found.look_alikes] == [("client_2", "client_1")]


def test_contacts_of_similar_names_are_offered_the_most_similar_first() -> None:
    ours = client("1", "James Smith", P1, born="1990-03-01")
    day = {"born": "1990-03-01"}
    theirs = [contact("a", "James Smyth", P2, fields=day), contact("b", "James Smith", P3, fields=day)]
    assert [one.subject for one in only(ours, *theirs).evidence] == ["b", "a"]


def test_two_wanted_contacts_under_one_external_id_both_get_a_result() -> None:
    odd = client("1_alt_1", "Zoe Walker", P4)
    results = match([odd, ANN], links=[link(ANN, "a")]).results
    assert [result.desired for result in results] == [odd, ANN]
    assert outcome(results[1]) == ("linked", "a")


def test_policy_link_leaves_a_contact_that_a_review_will_offer_to_another() -> None:
    rules = replace(RULES, on_possible_duplicate="link")
    rows = [client("1", "James Smith", P1), client("2", "James Smith", P2, seniority=("2025-06-01", "2"))]
    contacts = [contact("a", "James Smith", P3), contact("b", "James Smith", P4)]
    assert outcomes(match(rows, contacts, rules=rules)) == [HOLD, HOLD]


@pytest.mark.parametrize("first", ["James Smith", "Mary Jones"])
def test_policy_link_adopts_by_name_what_no_older_row_is_held_for(first: str) -> None:
    rules = replace(RULES, on_possible_duplicate="link")
    theirs = contact("a", "Mary Jones", P1)
    ages = {first: ("2020-01-01", "")}
    rows = [
        client(key, name, phone, seniority=ages.get(name, ("2024-01-01", key)))
        for key, name, phone in (("1", "James Smith", P1), ("2", "Mary Jones", P3))
    ]
    mary = HOLD if first == "James Smith" else ("adopted", "a")
    assert outcomes(match(rows, [theirs], rules=rules)) == [HOLD if mary == HOLD else MAKE, mary]


def test_policy_create_does_not_create_beside_an_equal_external_id() -> None:
    rules = replace(RULES, on_possible_duplicate="create")
    theirs = contact("a", "Mary Lopez", P4, external_id="client_1", source="attio")
    assert outcome(only(JAMES, theirs, rules=rules)) == HOLD


def test_policy_create_creates_both_rows_of_one_person() -> None:
    rules = replace(RULES, on_possible_duplicate="create")
    assert outcomes(match([JAMES, client("2", "James Smith", P1)], rules=rules)) == [MAKE, MAKE]


def test_born_on_the_same_day_with_one_word_of_the_name_in_common_is_held() -> None:
    ours = client("1", "James Smith", P1, born="1990-03-01")
    theirs = contact("a", "James Garcia", P4, fields={"born": "1990-03-01T12:00:00.000Z"})
    assert outcome(only(ours, theirs)) == HOLD


@pytest.mark.parametrize(("others", "expected"), [(99, HOLD), (100, MAKE)])
def test_a_day_on_which_too_many_were_born_says_nothing(others: int, expected: tuple[str, None]) -> None:
    day = {"born": "1900-01-01"}
    ours = client("1", "James Smith", P1, born="1900-01-01")
    crowd = [contact(f"x{n}", f"Ann{n} Crowd{n}", fields=day) for n in range(others)]
    assert outcome(only(ours, contact("a", "James Garcia", P4, fields=day), *crowd)) == expected


def test_person_behind_a_contact_without_a_name_and_with_a_company() -> None:
    shop = replace(contact("a", "", P1), company="James Smith")
    assert outcome(only(JAMES, shop)) == ("adopted", "a")
    assert outcome(only(JAMES, replace(shop, company="Acme Plumbing"))) == HOLD


def test_alternates_own_name_on_a_contact_of_another_source_decides() -> None:
    theirs = replace(
        contact("a", "James Smith - Brother", P2, external_id="client_1_alt_1", source="old"),
        custom_fields=(RemoteField("person", "Zoe Walker"),),
    )
    assert outcome(only(ANN, theirs)) != ("adopted", "a")
    misspelt = replace(theirs, custom_fields=(RemoteField("person", "Ann Millar"),))
    assert outcome(only(ANN, misspelt)) == ("adopted", "a")
    assert outcome(only(ANN, misspelt, rules=replace(RULES, threshold=1.0))) == HOLD
    assert outcome(only(ANN, replace(theirs, custom_fields=(RemoteField("person", 5),)))) == ("adopted", "a")


def test_of_several_older_rows_the_same_is_named_whichever_of_them_are_in_play() -> None:
    first, second, new = (client(n, "James Smith", P1) for n in "123")
    links, contacts = [link(first, "a"), link(second, "b")], [contact("a", "James Smith"), contact("b", "James Smith")]
    for wanted in ([first, second, new], [first, new], [second, new], [new]):
        *_, found = match(wanted, contacts, links=links).results
        assert reason_of(found) == ("same_person", "client_1")
