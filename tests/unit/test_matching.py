"""Every row of "who is who", each as a fact."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openphone_sync.model import (
    Candidate,
    Choice,
    DesiredContact,
    LookAlike,
    Reason,
    RemoteContact,
    RemoteField,
    Standing,
)
from openphone_sync.rules.matching import RemoteIndex
from openphone_sync.rules.matching.index import Birth, compare_births
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

OWNED = (Reason.OWNED_BY_INTEGRATION, "")
JAMES = client("1", "James Smith", P1)


# --- links --------------------------------------------------------------------------------------------------------------


def test_link_whose_contact_is_there_holds() -> None:
    assert outcome(only(JAMES, contact("a", "James Smith", P1), links=[link(JAMES, "a")])) == ("linked", "a")


def test_client_renamed_and_with_another_phone_keeps_its_contact() -> None:
    renamed = client("1", "Jane Miller", P2)
    assert outcome(only(renamed, contact("a", "James Smith", P1), links=[link(JAMES, "a")])) == ("linked", "a")


def test_contact_gone_for_the_first_time_is_created_again() -> None:
    result = only(JAMES, links=[link(JAMES, "a")], gone=["a"])
    assert (outcome(result), reason_of(result)) == (MAKE_AGAIN, (Reason.DELETED_ONCE, ""))


def test_contact_gone_for_the_second_time_is_a_persons_decision() -> None:
    result = only(JAMES, links=[link(JAMES, "a", times_gone=1)], gone=["a"])
    assert (outcome(result), reason_of(result)) == (SKIP, (Reason.DELETED_TWICE, ""))


def test_contact_listed_but_answering_404_is_gone() -> None:
    result = only(JAMES, contact("a", "James Smith", P1), links=[link(JAMES, "a")], gone=["a"])
    assert outcome(result) == MAKE_AGAIN


def test_gone_contact_whose_double_staff_kept_is_not_created_beside_it() -> None:
    result = only(JAMES, contact("b", "James Smith", P1), links=[link(JAMES, "a")], gone=["a"])
    assert outcome(result) == ("adopted", "b")


def test_declined_contact_stays_skipped_with_its_reason() -> None:
    declined = link(JAMES, None, standing=Standing.DECLINED)
    result = only(JAMES, contact("a", "James Smith", P1), links=[declined])
    assert (outcome(result), reason_of(result)) == (SKIP, (Reason.DELETED_TWICE, ""))


@pytest.mark.parametrize("complete", [True, False])
def test_link_holds_without_its_contact_being_read(complete: bool) -> None:
    assert outcome(only(JAMES, links=[link(JAMES, "a")], complete=complete)) == ("linked", "a")


# --- external ids -------------------------------------------------------------------------------------------------------


def test_our_external_id_and_source_without_a_link_is_our_own() -> None:
    own = contact("a", "Renamed By Staff", P4, external_id="client_1", source=OURS)
    assert outcome(only(JAMES, own)) == ("own", "a")


@pytest.mark.parametrize("other", [contact("a", "Somebody Else", P1), contact("a", "Jim Smith", P4)])
def test_our_external_id_from_another_source_is_adopted_when_phone_or_name_agrees(other: RemoteContact) -> None:
    assert outcome(only(JAMES, replace(other, external_id="client_1", source="attio"))) == ("adopted", "a")


def test_our_external_id_from_another_source_is_held_when_nothing_agrees() -> None:
    result = only(JAMES, contact("a", "Somebody Else", P4, external_id="client_1", source="attio"))
    assert outcome(result) == HOLD
    words = "same external id, another source; another name, 0.52 alike"
    assert result.evidence == (Candidate("a", "external id", 0.52, words),)


def test_several_contacts_with_our_external_id_are_held_and_all_listed() -> None:
    twice = [contact(i, "James Smith", P1, external_id="client_1", source=OURS) for i in "ab"]
    result = only(JAMES, *twice)
    assert outcome(result) == HOLD
    assert [c.subject for c in result.evidence] == ["a", "b"]


# --- phone --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "James Smith",
        "SMITH, James",
        "Jim Smith",
        "James",
        "J. Smith",
        "Jámes Smith",
        "James E. Smith",
        "Jamse Smith",
        "James Smyth",
        "James Smith custody 2pm",
        "Mr. James Smith (DUI)",
        "",
        "(213) 555-0101",
    ],
)
def test_phone_and_agreeing_name_is_adopted(name: str) -> None:
    assert outcome(only(JAMES, contact("a", name, "(213) 555-0101"))) == ("adopted", "a")


@pytest.mark.parametrize(
    "name",
    [
        "Maria Lopez",
        "Joan Smith",
        "James Garcia",
        "James Smith's mother",
        "James Smith - wife",
        "James and Mary Smith",
        "Smith & Sons LLC",
        "County Jail",
        "Robert James Lopez",
    ],
)
def test_phone_of_nobodys_contact_under_another_name_is_held(name: str) -> None:
    result = only(JAMES, contact("a", name, P1))
    assert outcome(result) == HOLD
    assert [(c.subject, c.kind) for c in result.evidence] == [("a", "phone")]


def test_phone_of_a_contact_linked_to_another_of_our_people_is_created_beside_it() -> None:
    mary = client("2", "Mary Jones", P1)
    assert outcome(only(JAMES, contact("a", "Mary Jones", P1), links=[link(mary, "a")])) == MAKE


def test_phone_of_a_contact_adopted_by_another_in_this_run_is_created_beside_it() -> None:
    results = match([JAMES, client("2", "Mary Jones", P1)], [contact("a", "Mary Jones", P1)]).results
    assert [outcome(result) for result in results] == [MAKE, ("adopted", "a")]


def test_phone_of_a_contact_that_carries_another_clients_external_id_is_created_beside_it() -> None:
    other = contact("a", "Mary Jones", P1, external_id="client_2", source=OURS)
    assert outcome(only(JAMES, other)) == MAKE


@pytest.mark.parametrize("name", ["Mrs. Smith", "Smith", "James & Mary Smith", "James Smith Jr."])
def test_doubtful_name_with_the_same_date_of_birth_is_adopted(name: str) -> None:
    result = only(
        client("1", "James Smith", P1, born="1990-03-01"), contact("a", name, P1, fields={"born": "1990-03-01"})
    )
    assert outcome(result) == ("adopted", "a")


def test_twin_of_the_same_day_is_held() -> None:
    result = only(
        client("1", "Maria Lopez", P1, born="1990-03-01"),
        contact("a", "Mario Lopez", P1, fields={"born": "1990-03-01"}),
    )
    assert outcome(result) == HOLD


def test_phone_and_name_but_another_date_of_birth_is_held() -> None:
    result = only(
        client("1", "James Smith", P1, born="1990-03-01"),
        contact("a", "James Smith", P1, fields={"born": "1961-07-12T00:00:00.000Z"}),
    )
    assert outcome(result) == HOLD
    assert "other date of birth" in result.evidence[0].words


def test_last_seven_digits_are_no_evidence() -> None:
    assert outcome(only(JAMES, contact("a", "Mary Jones", "+13105550101"))) == MAKE


def test_raw_number_is_compared_in_e164() -> None:
    assert outcome(only(JAMES, contact("a", "James Smith", "213.555.0101"))) == ("adopted", "a")


def test_two_people_who_fit_one_contact_are_both_held() -> None:
    results = match([JAMES, client("2", "Jane Smith", P1)], [contact("a", "J. Smith", P1)]).results
    assert [outcome(result) for result in results] == [HOLD, HOLD]


def test_the_better_fit_of_two_people_gets_the_contact() -> None:
    results = match([JAMES, client("2", "Jane Smith", P1)], [contact("a", "Jane Smith", P1)]).results
    assert [outcome(result) for result in results] == [MAKE, ("adopted", "a")]


def test_two_contacts_on_equal_evidence_are_held_and_all_listed() -> None:
    result = only(JAMES, contact("a", "James Smith", P1), contact("b", "Smith, James", P1))
    assert outcome(result) == HOLD
    assert [c.subject for c in result.evidence] == ["a", "b"]


def test_better_evidence_of_two_contacts_wins() -> None:
    assert outcome(only(JAMES, contact("a", "James", P1), contact("b", "James Smith", P1))) == ("adopted", "b")


# --- e-mail and name ----------------------------------------------------------------------------------------------------


def test_email_and_agreeing_name_is_adopted() -> None:
    ours = client("1", "James Smith", P1, email="James@Example.com")
    assert outcome(only(ours, contact("a", "Jim Smith", P4, emails=["james@example.com "]))) == ("adopted", "a")


def test_email_under_another_name_is_held() -> None:
    ours = client("1", "James Smith", P1, email="james@example.com")
    result = only(ours, contact("a", "Mary Jones", P4, emails=["james@example.com"]))
    assert (outcome(result), reason_of(result)) == (HOLD, (Reason.EMAIL_OTHER_NAME, ""))


def test_name_identical_in_full_on_another_phone_is_held() -> None:
    result = only(JAMES, contact("a", "Smith, James", P4))
    assert outcome(result) == HOLD
    assert (result.evidence[0].kind, result.evidence[0].words) == ("name", "name equal")


@pytest.mark.parametrize(("phones", "expected"), [((P4,), MAKE), ((), HOLD)])
def test_name_of_which_chance_brings_a_namesake_is_created_and_listed(
    phones: tuple[str, ...], expected: object
) -> None:
    """Sooner where both have a phone and another: 0.5 namesakes are expected here."""
    names = ["James Lee"] * 10 + ["Robert Smith"] * 10 + ["Ann Jones"] * 180
    crowd = [contact(f"x{i}", name, f"+1310555{i:04}") for i, name in enumerate(names)]
    found = match([JAMES], [contact("a", "James Smith", *phones), *crowd])
    assert outcome(found.results[0]) == expected
    assert [(a.external_id, a.other) for a in found.look_alikes] == ([("client_1", "a")] if phones else [])


def test_given_name_alone_is_not_a_name_in_full() -> None:
    assert outcome(only(client("1", "James", P1), contact("a", "James", P4))) == MAKE


def test_rare_name_above_the_threshold_is_held() -> None:
    crowd = [
        contact(f"x{i}", f"Ann{'abcdefg'[i % 7]} Crowd{'abcdefghijk'[i % 11]}", f"+1310555{i:04}") for i in range(300)
    ]
    result = only(client("1", "Ignatius Vanderbeek", P1), contact("a", "Ignatius Vanderbeck", P4), *crowd)
    assert outcome(result) == HOLD
    assert "rare" in result.evidence[0].words


def test_common_name_above_the_threshold_is_created_and_listed() -> None:
    crowd = [contact(f"x{i}", n, f"+1310555{i:04}") for i, n in enumerate(["James Lee", "Robert Smith"] * 20)]
    found = match([JAMES], [contact("a", "James Smyth", P4), *crowd])
    assert outcome(found.results[0]) == MAKE
    assert [(a.external_id, a.other) for a in found.look_alikes] == [("client_1", "a")]


def test_name_above_the_threshold_with_the_same_date_of_birth_is_held() -> None:
    crowd = [contact(f"x{i}", n, f"+1310555{i:04}") for i, n in enumerate(["James Lee", "Robert Smith"] * 20)]
    ours = client("1", "James Smith", P1, born="1990-03-01")
    result = only(ours, contact("a", "James Smyth", P4, fields={"born": "1990-03-01"}), *crowd)
    assert outcome(result) == HOLD


def test_name_identical_but_another_date_of_birth_is_created() -> None:
    ours = client("1", "James Smith", P1, born="1990-03-01")
    assert outcome(only(ours, contact("a", "James Smith", P4, fields={"born": "1961-07-12"}))) == MAKE


def test_name_of_a_contact_linked_to_another_is_no_evidence() -> None:
    namesake = client("2", "James Smith", P2)
    assert outcome(only(JAMES, contact("a", "James Smith", P2), links=[link(namesake, "a")])) == MAKE


def test_nothing_in_common_is_created() -> None:
    assert outcome(only(JAMES, contact("a", "Mary Jones", P4))) == MAKE


def test_unfit_contact_is_skipped_with_its_reason() -> None:
    result = only(client("1", "James Smith", unfit="no phone number"), contact("a", "James Smith", P4))
    assert (outcome(result), reason_of(result)) == (SKIP, (Reason.NO_PHONE, ""))


# --- two rows, one person -----------------------------------------------------------------------------------------------


def test_the_younger_of_two_rows_of_one_person_is_held() -> None:
    younger = client("2", "Jim Smith", P1, seniority=("2025-06-01", "2"))
    found = match([younger, JAMES])
    assert outcomes(found) == [HOLD, MAKE]
    assert reason_of(found.results[0]) == (Reason.SAME_PERSON, "client_1")
    assert found.results[0].evidence == (Candidate("client_1", "row", 1.0, "same phone; name equal"),)
    assert found.look_alikes == (LookAlike("client_2", "client_1", 0.98, "same phone; name 0.98 alike"),)


def test_of_two_rows_of_one_person_the_linked_one_is_written() -> None:
    younger = client("2", "James Smith", P1, seniority=("2025-06-01", "2"))
    results = match([JAMES, younger], [contact("a", "James Smith", P1)], links=[link(younger, "a")]).results
    assert [outcome(result) for result in results] == [HOLD, ("linked", "a")]


def test_row_of_a_person_whom_another_living_client_holds_is_held() -> None:
    other = client("2", "James Smith", P1)
    result = only(JAMES, contact("a", "James Smith", P1), links=[link(other, "a")])
    assert (outcome(result), reason_of(result)) == (HOLD, (Reason.SAME_PERSON, "client_2"))


def test_link_of_a_removed_client_passes_over() -> None:
    other = client("2", "James Smith", P1)
    result = only(JAMES, contact("a", "James Smith", P1), links=[link(other, "a")], removed=["2"])
    assert outcome(result) == ("adopted", "a")


@pytest.mark.parametrize("external_id", ["client_2", "client_2~2", "client_2_alt_1~3"])
@pytest.mark.parametrize("removed", [True, False])
def test_contact_of_our_own_passes_over_once_its_client_is_gone_though_no_link_knows_it(
    external_id: str, *, removed: bool
) -> None:
    theirs = contact("a", "James Smith", P1, source=OURS, external_id=external_id)
    result = only(JAMES, theirs, removed=["2"] if removed else [])
    assert outcome(result) == (("own", "a") if removed else HOLD)


def test_contact_of_our_own_under_a_number_of_its_external_id_is_its_own() -> None:
    assert outcome(only(JAMES, contact("a", "James Smith", P1, source=OURS, external_id="client_1~2"))) == (
        "own",
        "a",
    )


def test_contact_of_a_removed_client_under_another_name_is_left_alone() -> None:
    other = client("2", "Mary Jones", P1)
    result = only(JAMES, contact("a", "Mary Jones", P1), links=[link(other, "a")], removed=["2"])
    assert outcome(result) == MAKE


def test_people_of_one_name_and_phone_but_other_dates_of_birth_are_two() -> None:
    son = client("2", "James Smith", P1, born="1991-01-01")
    results = match([client("1", "James Smith", P1, born="1960-02-02"), son]).results
    assert [outcome(result) for result in results] == [MAKE, MAKE]


def test_senior_and_junior_are_two() -> None:
    results = match([client("1", "James Smith Sr.", P1), client("2", "James Smith, Jr.", P1)]).results
    assert [outcome(result) for result in results] == [MAKE, MAKE]


# --- integrations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["source", "refused"])
def test_contact_of_an_integration_is_skipped(how: str) -> None:
    source, refused = ("openphone-clio", []) if how == "source" else ("hubspot", ["a"])
    result = only(JAMES, contact("a", "James Smith", P1, source=source), refused=refused)
    assert (outcome(result), reason_of(result)) == (SKIP, OWNED)


def test_link_to_a_contact_that_refused_a_write_is_skipped() -> None:
    theirs = contact("a", "James Smith", P1, source="hubspot")
    result = only(JAMES, theirs, links=[link(JAMES, "a")], refused=["a"])
    assert (outcome(result), reason_of(result)) == (SKIP, OWNED)


@pytest.mark.parametrize("source", [None, "", "ios", "android", "csv", "public-api"])
def test_403_alone_proves_no_ownership(source: str | None) -> None:
    theirs = contact("a", "James Smith", P1, source=source)
    assert outcome(only(JAMES, theirs, refused=["a"])) == ("adopted", "a")


def test_what_was_refused_is_tried_again_at_a_full_run_unless_its_source_names_an_integration() -> None:
    theirs = contact("a", "James Smith", P1, source="hubspot")
    assert outcome(only(JAMES, theirs, refused=["a"], retry_refused=True)) == ("adopted", "a")
    clio = contact("a", "James Smith", P1, source="openphone-clio")
    assert outcome(only(JAMES, clio, refused=["a"], retry_refused=True)) == SKIP


def test_a_contact_of_our_own_that_refused_a_write_is_no_integrations() -> None:
    ours = contact("a", "James Smith", P1, source=OURS, external_id="client_1")
    assert outcome(only(JAMES, ours, refused=["a"])) == ("own", "a")


@pytest.mark.parametrize("linked", [True, False])
def test_review_separate_makes_ours_beside_an_integrations_contact(linked: bool) -> None:
    result = only(
        JAMES,
        contact("a", "James Smith", P1, source="openphone-clio"),
        links=[link(JAMES, "a")] if linked else [],
        decisions=[decision(JAMES, "a", Choice.SEPARATE)],
    )
    assert outcome(result) == MAKE


def test_a_persons_contact_is_preferred_to_an_integrations() -> None:
    clio = contact("a", "James Smith", P1, source="openphone-clio")
    assert outcome(only(JAMES, clio, contact("b", "James", P1))) == ("adopted", "b")


# --- decisions ----------------------------------------------------------------------------------------------------------


def test_decision_to_link_makes_the_pair() -> None:
    result = only(JAMES, contact("a", "Mary Jones", P4), decisions=[decision(JAMES, "a", Choice.LINK)])
    assert (outcome(result), reason_of(result)) == (("adopted", "a"), (Reason.DECIDED, ""))


def test_decision_to_link_does_not_take_a_contact_from_another() -> None:
    other = client("2", "Mary Jones", P4)
    held = [decision(JAMES, "a", Choice.LINK)]
    assert outcome(only(JAMES, contact("a", "Mary Jones", P4), links=[link(other, "a")], decisions=held)) == MAKE


def test_decision_that_two_rows_are_one_person_skips_this_row() -> None:
    result = only(JAMES, decisions=[decision(JAMES, client("2", "James Smith", P1), Choice.LINK)])
    assert (outcome(result), reason_of(result)) == (SKIP, (Reason.DECIDED_SAME_PERSON, "client_2"))


def test_decision_that_two_rows_are_one_person_ends_with_the_other_row() -> None:
    theirs = contact("a", "James Smith", P1)
    links = [link(client("2", "James Smith", P1), "a")]
    decisions = [decision(JAMES, client("2", "James Smith", P1), Choice.LINK)]
    assert outcome(only(JAMES, theirs, links=links, removed=["2"], decisions=decisions)) == ("adopted", "a")


def test_decision_to_separate_removes_the_candidate() -> None:
    apart = [decision(JAMES, "a", Choice.SEPARATE)]
    assert outcome(only(JAMES, contact("a", "Mary Jones", P1), decisions=apart)) == MAKE


def test_decision_to_separate_two_rows_creates_both() -> None:
    younger = client("2", "James Smith", P1)
    results = match([JAMES, younger], decisions=[decision(younger, JAMES, Choice.SEPARATE)]).results
    assert [outcome(result) for result in results] == [MAKE, MAKE]


# --- policies -----------------------------------------------------------------------------------------------------------


def test_policy_create_creates_what_would_be_held() -> None:
    rules = replace(RULES, on_possible_duplicate="create")
    assert outcome(only(JAMES, contact("a", "Mary Jones", P1), rules=rules)) == MAKE
    assert outcome(only(JAMES, contact("a", "James Smith", P4), rules=rules)) == MAKE


def test_policy_link_adopts_the_one_contact_above_the_threshold() -> None:
    rules = replace(RULES, on_possible_duplicate="link")
    result = only(JAMES, contact("a", "James Smith", P4), rules=rules)
    assert (outcome(result), reason_of(result)) == (("adopted", "a"), (Reason.NAME_OTHER_PHONE, ""))
    assert outcome(only(JAMES, contact("a", "Mary Jones", P1), rules=rules)) == HOLD


@pytest.mark.parametrize("name", ["Mrs. James Smith", "James Smith LLC", "James Smith, Esq."])
def test_policy_link_adopts_nobody_else_under_our_name(name: str) -> None:
    rules = replace(RULES, on_possible_duplicate="link")
    assert outcome(only(JAMES, contact("a", name, P1), rules=rules)) == HOLD


def test_policy_link_holds_when_two_are_equal() -> None:
    rules = replace(RULES, on_possible_duplicate="link")
    twice = [contact("a", "James Smith", P3), contact("b", "James Smith", P4)]
    assert outcome(only(JAMES, *twice, rules=rules)) == HOLD


def test_threshold_one_adopts_no_misspelt_name() -> None:
    strict = replace(RULES, threshold=1.0)
    assert outcome(only(JAMES, contact("a", "James Smyth", P1), rules=strict)) == HOLD


# --- alternates ---------------------------------------------------------------------------------------------------------

ANN, BOB = alternate("1", 1, "Ann Smith", P2), alternate("1", 2, "Bob Jones", P3)
PLACES = (contact("a", "James Smith - Brother", P2), contact("b", "James Smith - Brother", P3))


def test_alternate_is_compared_by_the_persons_own_name() -> None:
    assert outcome(only(ANN, contact("a", "Ann Smith", P2))) == ("adopted", "a")
    assert outcome(only(ANN, contact("a", "James Smith", P2))) == HOLD


def test_alternates_display_name_is_compared_with_contacts_in_that_form() -> None:
    for shown in ("Jim Smith - brother", "Jmaes Smith - Brother"):
        assert outcome(only(ANN, contact("a", shown, P2))) == ("adopted", "a")


def test_alternate_without_a_name_adopts_only_a_nameless_contact() -> None:
    nameless = alternate("1", 1, "", P2)
    assert outcome(only(nameless, contact("a", "", P2))) == ("adopted", "a")
    assert outcome(only(nameless, contact("a", "Ann Smith", P2))) == HOLD


def test_client_comes_before_his_alternate_on_one_phone() -> None:
    brother = alternate("1", 1, "Robert Smith", P1)
    results = match([brother, JAMES], [contact("a", "", P1)]).results
    assert [outcome(result) for result in results] == [MAKE, ("adopted", "a")]


def test_alternates_trading_places_keep_their_contacts() -> None:
    bob_first, ann_second = alternate("1", 1, "Bob Jones", P3), alternate("1", 2, "Ann Smith", P2)
    results = match([bob_first, ann_second], PLACES, links=[link(ANN, "a"), link(BOB, "b")]).results
    assert [outcome(result) for result in results] == [("linked", "b"), ("linked", "a")]


def test_alternates_trading_places_keep_their_contacts_with_the_state_lost() -> None:
    places = [
        replace(one, external_id=f"client_1_alt_{n}", source=OURS, custom_fields=(RemoteField("person", person),))
        for n, one, person in zip((1, 2), PLACES, ("Ann Smith", "Bob Jones"), strict=True)
    ]
    results = match([alternate("1", 1, "Bob Jones", P4), alternate("1", 2, "Ann Smith", P4)], places).results
    assert [outcome(result) for result in results] == [("own", "b"), ("own", "a")]


def test_alternates_without_names_follow_their_phones() -> None:
    old = [alternate("1", 1, "", P2), alternate("1", 2, "", P3)]
    links = [link(old[0], "a"), link(old[1], "b")]
    results = match([alternate("1", 1, "", P3), alternate("1", 2, "", P2)], PLACES, links=links).results
    assert [outcome(result) for result in results] == [("linked", "b"), ("linked", "a")]


@pytest.mark.parametrize(
    "changed",
    [
        alternate("1", 1, "Ann Smith", P4),
        alternate("1", 1, "Anne Smyth", P4),
        alternate("1", 1, "Ann Miller", P2),
        alternate("1", 1, "", P4),
        alternate("1", 1, "Ann Smith", relation="Cousin"),
    ],
)
def test_alternate_who_changes_keeps_the_contact(changed: DesiredContact) -> None:
    assert outcome(only(changed, PLACES[0], links=[link(ANN, "a")])) == ("linked", "a")


def test_newcomer_in_a_slot_is_a_new_person() -> None:
    newcomer = alternate("1", 1, "Zoe Walker", P4)
    result = only(newcomer, PLACES[0], links=[link(ANN, "a")])
    assert (outcome(result), reason_of(result)) == (MAKE, (Reason.SLOT_HANDED_OVER, ""))


def test_newcomer_in_a_slot_is_a_new_person_with_the_state_lost() -> None:
    place = replace(
        PLACES[0], external_id="client_1_alt_1", source=OURS, custom_fields=(RemoteField("person", "Ann Smith"),)
    )
    result = only(alternate("1", 1, "Zoe Walker", P4), place)
    assert (outcome(result), reason_of(result)) == (MAKE, (Reason.SLOT_HANDED_OVER, ""))


def test_alternate_who_moves_up_into_a_free_slot_keeps_the_contact() -> None:
    moved = alternate("1", 1, "Bob Jones", P3)
    result = match([moved], PLACES, links=[link(ANN, "a"), link(BOB, "b")]).results[0]
    assert outcome(result) == ("linked", "b")


def test_former_alternate_who_becomes_a_client_takes_the_contact_over() -> None:
    orphan = link(ANN, "a", standing=Standing.ORPHANED)
    result = only(client("9", "Ann Smith", P2), contact("a", "Ann Smith", P2), links=[orphan])
    assert outcome(result) == ("adopted", "a")


# --- small things -------------------------------------------------------------------------------------------------------


def test_evidence_holds_no_persons_data() -> None:
    result = only(JAMES, contact("a", "Mary Jones", P1))
    said = " ".join((str(result.why), *(c.words for c in result.evidence))).casefold()
    assert not any(word in said for word in ("james", "smith", "mary", "jones", P1))


@pytest.mark.parametrize(
    ("ours", "theirs", "says"),
    [
        ("1990-03-01", None, Birth.UNKNOWN),
        ("1990-03-01", "1990-03-01", Birth.SAME),
        ("1990-03-01", "1990-01-03", Birth.CLOSE),
        ("1990-03-01", "1990-03-07", Birth.CLOSE),
        ("1990-03-01", "1961-07-12", Birth.OTHER),
    ],
)
def test_dates_of_birth(ours: str, theirs: str | None, says: Birth) -> None:
    assert compare_births(ours, theirs) is says


def test_index_finds_by_id_external_id_phone_and_email() -> None:
    one = contact("a", "James", "213 555 0101", external_id="x", emails=["A@b.org"])
    index = RemoteIndex([one], normalise, complete=False)
    assert index.get("a") is one
    assert index.get("b") is None
    assert index.with_external_id("x") == index.with_phone(P1) == index.with_email("a@B.org") == (one,)
    assert not index.complete


def test_suffix_that_only_the_contact_has_is_held_unless_the_date_of_birth_is_the_same() -> None:
    assert outcome(only(JAMES, contact("a", "James Smith Jr.", P1))) == HOLD
    ours = client("1", "James Smith", P1, born="1990-03-01")
    assert outcome(only(ours, contact("a", "James Smith Jr.", P1, fields={"born": "1990-03-01"}))) == ("adopted", "a")
    junior = client("1", "James Smith Jr.", P1)
    assert outcome(only(junior, contact("a", "James Smith", P1))) == ("adopted", "a")


@pytest.mark.parametrize("turned", [False, True])
def test_policy_link_gives_the_contact_to_the_older_row_in_any_order(turned: bool) -> None:
    rows = [client("1", "James Smith", P1), client("2", "James Smith", P2, seniority=("2025-06-01", "2"))]
    rules = replace(RULES, on_possible_duplicate="link")
    results = match(rows[::-1] if turned else rows, [contact("a", "James Smith", P4)], rules=rules).results
    assert {result.desired.client_id: outcome(result) for result in results} == {"1": ("adopted", "a"), "2": MAKE}


def test_an_alternate_that_was_rolled_back_and_moves_keeps_the_contact() -> None:
    brother = alternate("1", 2, "Bob Smith", P2)
    reverted = link(brother, "c2", standing=Standing.REVERTED)
    moved = in_slot(brother, 3)
    assert outcome(only(moved, contact("c2", "James Smith - Brother", P3), links=[reverted])) == ("linked", "c2")


def test_a_leftover_of_a_row_that_a_review_gave_another_contact_is_nobodys() -> None:
    mine, other = client("1", "Ann Lee", P1), client("4", "James Smith", P2)
    contacts = [contact("a", "Ann"), contact("c", "James Smith", P2, external_id="client_1~2", source=OURS)]
    results = match([mine, other], contacts, decisions=[decision(mine, "a", Choice.LINK)])
    assert outcomes(results) == [("adopted", "a"), ("own", "c")]


def test_a_deleted_alternate_does_not_get_the_contact_of_who_had_the_slot_before() -> None:
    newcomer = alternate("1", 2, "Dmitri Jones", P2)
    former = contact(
        "c6", "James Smith - Brother", P3, external_id="client_1_alt_2", source=OURS, fields={"person": "Catherine Lee"}
    )
    result = only(newcomer, former, links=[link(newcomer, "c8")], gone=["c8"])
    assert outcome(result) == ("make again", None)


def test_a_person_with_a_contact_that_the_state_does_not_know_gets_no_other_for_a_deleted_one() -> None:
    brother = alternate("1", 1, "Bob Jones", P2)
    mine = contact(
        "c9", "James Smith - Brother", P2, external_id="client_1_alt_1", source=OURS, fields={"person": "Bob Jones"}
    )
    assert outcome(only(brother, mine, links=[link(brother, "c5")], gone=["c5"])) == ("own", "c9")
