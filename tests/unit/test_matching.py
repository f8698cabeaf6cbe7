"""Every row of "who is who", each as a fact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

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
from openphone_sync.rules.matching.index import Birth, compare_births
from openphone_sync.rules.matching.passes import (
    DECIDED,
    GONE_ONCE,
    GONE_TWICE,
    HANDED_OVER,
    OWNED,
    Knowledge,
    Matches,
    MatchingRules,
    RemoteIndex,
    match_contacts,
)

OURS = "legal-practitioner-app"
P1, P2, P3, P4 = "+12135550101", "+12135550102", "+12135550103", "+12135550104"
RULES = MatchingRules(source=OURS, birth_field="born", person_field="person")


def normalise(text: str) -> str:
    digits = "".join(c for c in text if c in "0123456789")
    return f"+1{digits[-10:]}" if len(digits) in (10, 11) else " ".join(text.split())


def client(
    client_id: str, name: str, *phones: str, email: str = "", born: str | None = None, **more: Any
) -> DesiredContact:
    return DesiredContact(
        external_id=f"client_{client_id}",
        client_id=client_id,
        slot=0,
        person=name,
        values=ContactValues(
            first_name=name,
            company="Legal Client",
            role="Civil Client",
            phones=tuple(Item("Main Phone", phone) for phone in phones),
            emails=(Item("Email", email),) if email else (),
        ),
        birth_date=born,
        **{"seniority": ("2024-01-01", client_id), **more},
    )


def alternate(
    client_id: str, slot: int, person: str, *phones: str, relation: str = "Brother", of: str = "James Smith"
) -> DesiredContact:
    main = client(client_id, f"{of} - {relation}", *phones)
    return replace(main, external_id=f"client_{client_id}_alt_{slot}", slot=slot, person=person)


def contact(contact_id: str, name: str, *phones: str, **more: Any) -> RemoteContact:
    emails = tuple(RemoteItem("Email", value) for value in more.pop("emails", ()))
    fields = tuple(RemoteField(key, value) for key, value in more.pop("fields", {}).items())
    items = tuple(RemoteItem("mobile", phone) for phone in phones)
    return RemoteContact(contact_id, first_name=name, phones=items, emails=emails, custom_fields=fields, **more)


def link(desired: DesiredContact, contact_id: str | None, **more: Any) -> Link:
    made = Link(
        external_id=desired.external_id,
        client_id=desired.client_id,
        slot=desired.slot,
        standing=Standing.LINKED,
        contact_id=contact_id,
        base=desired.values,
        person=desired.person,
    )
    return replace(made, **more)


def match(
    wanted: Sequence[DesiredContact],
    contacts: Sequence[RemoteContact] = (),
    *,
    links: Sequence[Link] = (),
    removed: Sequence[str] = (),
    decisions: Mapping[tuple[str, str], Choice] | None = None,
    read_only: Sequence[str] = (),
    gone: Sequence[str] = (),
    rules: MatchingRules = RULES,
    complete: bool = True,
) -> Matches:
    knowledge = Knowledge(
        links={one.external_id: one for one in links},
        owners={one.contact_id: one for one in links if one.contact_id},
        living=lambda client_id: client_id not in removed,
        decisions=decisions or {},
        read_only=frozenset(read_only),
        gone=frozenset(gone),
    )
    return match_contacts(wanted, RemoteIndex(contacts, normalise, complete=complete), knowledge, rules)


def only(desired: DesiredContact, *contacts: RemoteContact, **more: Any) -> Pair:
    return match([desired], contacts, **more).pairs[0]


def met(pair: Pair) -> tuple[Verdict, str | None]:
    return pair.verdict, pair.remote.contact_id if pair.remote else None


JAMES = client("1", "James Smith", P1)


# --- links --------------------------------------------------------------------------------------------------------------


def test_link_whose_contact_is_there_holds() -> None:
    assert met(only(JAMES, contact("a", "James Smith", P1), links=[link(JAMES, "a")])) == (Verdict.LINKED, "a")


def test_client_renamed_and_with_another_phone_keeps_its_contact() -> None:
    renamed = client("1", "Jane Miller", P2)
    assert met(only(renamed, contact("a", "James Smith", P1), links=[link(JAMES, "a")])) == (Verdict.LINKED, "a")


def test_contact_gone_for_the_first_time_is_created_again() -> None:
    pair = only(JAMES, links=[link(JAMES, "a")], gone=["a"])
    assert (pair.verdict, pair.reason) == (Verdict.RECREATE, GONE_ONCE)


def test_contact_gone_for_the_second_time_is_a_persons_decision() -> None:
    pair = only(JAMES, links=[link(JAMES, "a", times_gone=1)], gone=["a"])
    assert (pair.verdict, pair.reason) == (Verdict.SKIP, GONE_TWICE)


def test_contact_listed_but_answering_404_is_gone() -> None:
    pair = only(JAMES, contact("a", "James Smith", P1), links=[link(JAMES, "a")], gone=["a"])
    assert pair.verdict is Verdict.RECREATE


def test_gone_contact_whose_double_staff_kept_is_not_created_beside_it() -> None:
    pair = only(JAMES, contact("b", "James Smith", P1), links=[link(JAMES, "a")], gone=["a"])
    assert met(pair) == (Verdict.ADOPT, "b")


def test_declined_contact_stays_skipped_with_its_reason() -> None:
    declined = link(JAMES, None, standing=Standing.DECLINED, reason=GONE_TWICE)
    pair = only(JAMES, contact("a", "James Smith", P1), links=[declined])
    assert (pair.verdict, pair.reason) == (Verdict.SKIP, GONE_TWICE)


def test_link_whose_contact_was_not_fetched_is_a_bug_of_the_caller() -> None:
    with pytest.raises(LookupError, match="contact a of client_1 was not fetched"):
        only(JAMES, links=[link(JAMES, "a")], complete=False)


# --- external ids -------------------------------------------------------------------------------------------------------


def test_our_external_id_and_source_without_a_link_is_our_own() -> None:
    own = contact("a", "Renamed By Staff", P4, external_id="client_1", source=OURS)
    assert met(only(JAMES, own)) == (Verdict.OWN, "a")


@pytest.mark.parametrize("other", [contact("a", "Somebody Else", P1), contact("a", "Jim Smith", P4)])
def test_our_external_id_from_another_source_is_adopted_when_phone_or_name_agrees(other: RemoteContact) -> None:
    assert met(only(JAMES, replace(other, external_id="client_1", source="attio"))) == (Verdict.ADOPT, "a")


def test_our_external_id_from_another_source_is_held_when_nothing_agrees() -> None:
    pair = only(JAMES, contact("a", "Somebody Else", P4, external_id="client_1", source="attio"))
    assert pair.verdict is Verdict.HOLD
    assert [(c.subject, c.kind) for c in pair.evidence] == [("a", "external id")]


def test_several_contacts_with_our_external_id_are_held_and_all_listed() -> None:
    twice = [contact(i, "James Smith", P1, external_id="client_1", source=OURS) for i in "ab"]
    pair = only(JAMES, *twice)
    assert pair.verdict is Verdict.HOLD
    assert [c.subject for c in pair.evidence] == ["a", "b"]


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
        "Smith custody",
        "Mr. James Smith (DUI)",
        "",
        "(213) 555-0101",
    ],
)
def test_phone_and_agreeing_name_is_adopted(name: str) -> None:
    assert met(only(JAMES, contact("a", name, "(213) 555-0101"))) == (Verdict.ADOPT, "a")


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
    pair = only(JAMES, contact("a", name, P1))
    assert pair.verdict is Verdict.HOLD
    assert [(c.subject, c.kind) for c in pair.evidence] == [("a", "phone")]


def test_phone_of_a_contact_linked_to_another_of_our_people_is_created_beside_it() -> None:
    mary = client("2", "Mary Jones", P1)
    assert only(JAMES, contact("a", "Mary Jones", P1), links=[link(mary, "a")]).verdict is Verdict.CREATE


def test_phone_of_a_contact_adopted_by_another_in_this_run_is_created_beside_it() -> None:
    pairs = match([JAMES, client("2", "Mary Jones", P1)], [contact("a", "Mary Jones", P1)]).pairs
    assert [pair.verdict for pair in pairs] == [Verdict.CREATE, Verdict.ADOPT]


def test_phone_of_a_contact_that_carries_another_clients_external_id_is_created_beside_it() -> None:
    other = contact("a", "Mary Jones", P1, external_id="client_2", source=OURS)
    assert only(JAMES, other).verdict is Verdict.CREATE


def test_phone_and_name_but_another_date_of_birth_is_held() -> None:
    pair = only(
        client("1", "James Smith", P1, born="1990-03-01"),
        contact("a", "James Smith", P1, fields={"born": "1961-07-12T00:00:00.000Z"}),
    )
    assert pair.verdict is Verdict.HOLD
    assert "other date of birth" in pair.evidence[0].words


def test_last_seven_digits_are_no_evidence() -> None:
    assert only(JAMES, contact("a", "Mary Jones", "+13105550101")).verdict is Verdict.CREATE


def test_raw_number_is_compared_in_e164() -> None:
    assert met(only(JAMES, contact("a", "James Smith", "213.555.0101"))) == (Verdict.ADOPT, "a")


def test_two_people_who_fit_one_contact_are_both_held() -> None:
    pairs = match([JAMES, client("2", "Jane Smith", P1)], [contact("a", "J. Smith", P1)]).pairs
    assert [pair.verdict for pair in pairs] == [Verdict.HOLD, Verdict.HOLD]


def test_the_better_fit_of_two_people_gets_the_contact() -> None:
    pairs = match([JAMES, client("2", "Jane Smith", P1)], [contact("a", "Jane Smith", P1)]).pairs
    assert [met(pair) for pair in pairs] == [(Verdict.CREATE, None), (Verdict.ADOPT, "a")]


def test_two_contacts_on_equal_evidence_are_held_and_all_listed() -> None:
    pair = only(JAMES, contact("a", "James Smith", P1), contact("b", "Smith, James", P1))
    assert pair.verdict is Verdict.HOLD
    assert [c.subject for c in pair.evidence] == ["a", "b"]


def test_better_evidence_of_two_contacts_wins() -> None:
    assert met(only(JAMES, contact("a", "James", P1), contact("b", "James Smith", P1))) == (Verdict.ADOPT, "b")


# --- e-mail and name ----------------------------------------------------------------------------------------------------


def test_email_and_agreeing_name_is_adopted() -> None:
    ours = client("1", "James Smith", P1, email="James@Example.com")
    assert met(only(ours, contact("a", "Jim Smith", P4, emails=["james@example.com "]))) == (Verdict.ADOPT, "a")


def test_email_under_another_name_is_held() -> None:
    ours = client("1", "James Smith", P1, email="james@example.com")
    assert only(ours, contact("a", "Mary Jones", P4, emails=["james@example.com"])).verdict is Verdict.HOLD


def test_name_identical_in_full_on_another_phone_is_held() -> None:
    pair = only(JAMES, contact("a", "Smith, James", P4))
    assert pair.verdict is Verdict.HOLD
    assert (pair.evidence[0].kind, pair.evidence[0].words) == ("name", "name equal")


def test_given_name_alone_is_not_a_name_in_full() -> None:
    assert only(client("1", "James", P1), contact("a", "James", P4)).verdict is Verdict.CREATE


def test_rare_name_above_the_threshold_is_held() -> None:
    crowd = [contact(f"x{i}", f"Ann{i % 7} Crowd{i % 11}", f"+1310555{i:04}") for i in range(300)]
    pair = only(client("1", "Ignatius Vanderbeek", P1), contact("a", "Ignatius Vanderbeck", P4), *crowd)
    assert pair.verdict is Verdict.HOLD
    assert "rare" in pair.evidence[0].words


def test_common_name_above_the_threshold_is_created_and_listed() -> None:
    crowd = [contact(f"x{i}", n, f"+1310555{i:04}") for i, n in enumerate(["James Lee", "Robert Smith"] * 20)]
    found = match([JAMES], [contact("a", "James Smyth", P4), *crowd])
    assert found.pairs[0].verdict is Verdict.CREATE
    assert [(a.external_id, a.other) for a in found.look_alikes] == [("client_1", "a")]


def test_name_above_the_threshold_with_the_same_date_of_birth_is_held() -> None:
    crowd = [contact(f"x{i}", n, f"+1310555{i:04}") for i, n in enumerate(["James Lee", "Robert Smith"] * 20)]
    ours = client("1", "James Smith", P1, born="1990-03-01")
    pair = only(ours, contact("a", "James Smyth", P4, fields={"born": "1990-03-01"}), *crowd)
    assert pair.verdict is Verdict.HOLD


def test_name_identical_but_another_date_of_birth_is_created() -> None:
    ours = client("1", "James Smith", P1, born="1990-03-01")
    assert only(ours, contact("a", "James Smith", P4, fields={"born": "1961-07-12"})).verdict is Verdict.CREATE


def test_name_of_a_contact_linked_to_another_is_no_evidence() -> None:
    namesake = client("2", "James Smith", P2)
    assert only(JAMES, contact("a", "James Smith", P2), links=[link(namesake, "a")]).verdict is Verdict.CREATE


def test_nothing_in_common_is_created() -> None:
    assert only(JAMES, contact("a", "Mary Jones", P4)).verdict is Verdict.CREATE


def test_unfit_contact_is_skipped_with_its_reason() -> None:
    pair = only(client("1", "James Smith", unfit="no phone number"), contact("a", "James Smith", P4))
    assert (pair.verdict, pair.reason) == (Verdict.SKIP, "no phone number")


# --- two rows, one person -----------------------------------------------------------------------------------------------


def test_the_younger_of_two_rows_of_one_person_is_held() -> None:
    younger = client("2", "Jim Smith", P1, seniority=("2025-06-01", "2"))
    found = match([younger, JAMES])
    assert [pair.verdict for pair in found.pairs] == [Verdict.HOLD, Verdict.CREATE]
    assert found.pairs[0].reason == "same person as client_1"
    assert [(c.subject, c.kind) for c in found.pairs[0].evidence] == [("client_1", "row")]
    assert [(a.external_id, a.other) for a in found.look_alikes] == [("client_2", "client_1")]


def test_of_two_rows_of_one_person_the_linked_one_is_written() -> None:
    younger = client("2", "James Smith", P1, seniority=("2025-06-01", "2"))
    pairs = match([JAMES, younger], [contact("a", "James Smith", P1)], links=[link(younger, "a")]).pairs
    assert [pair.verdict for pair in pairs] == [Verdict.HOLD, Verdict.LINKED]


def test_row_of_a_person_whom_another_living_client_holds_is_held() -> None:
    other = client("2", "James Smith", P1)
    pair = only(JAMES, contact("a", "James Smith", P1), links=[link(other, "a")])
    assert (pair.verdict, pair.reason) == (Verdict.HOLD, "same person as client_2")


def test_link_of_a_removed_client_passes_over() -> None:
    other = client("2", "James Smith", P1)
    pair = only(JAMES, contact("a", "James Smith", P1), links=[link(other, "a")], removed=["2"])
    assert met(pair) == (Verdict.ADOPT, "a")


@pytest.mark.parametrize("external_id", ["client_2", "client_2~2", "client_2_alt_1~3"])
@pytest.mark.parametrize("removed", [True, False])
def test_contact_of_our_own_passes_over_once_its_client_is_gone_though_no_link_knows_it(
    external_id: str, *, removed: bool
) -> None:
    theirs = contact("a", "James Smith", P1, source=OURS, external_id=external_id)
    pair = only(JAMES, theirs, removed=["2"] if removed else [])
    assert met(pair) == ((Verdict.OWN, "a") if removed else (Verdict.HOLD, None))


def test_contact_of_our_own_under_a_number_of_its_external_id_is_its_own() -> None:
    assert met(only(JAMES, contact("a", "James Smith", P1, source=OURS, external_id="client_1~2"))) == (
        Verdict.OWN,
        "a",
    )


def test_contact_of_a_removed_client_under_another_name_is_left_alone() -> None:
    other = client("2", "Mary Jones", P1)
    pair = only(JAMES, contact("a", "Mary Jones", P1), links=[link(other, "a")], removed=["2"])
    assert pair.verdict is Verdict.CREATE


def test_people_of_one_name_and_phone_but_other_dates_of_birth_are_two() -> None:
    son = client("2", "James Smith", P1, born="1991-01-01")
    pairs = match([client("1", "James Smith", P1, born="1960-02-02"), son]).pairs
    assert [pair.verdict for pair in pairs] == [Verdict.CREATE, Verdict.CREATE]


def test_senior_and_junior_are_two() -> None:
    pairs = match([client("1", "James Smith Sr.", P1), client("2", "James Smith, Jr.", P1)]).pairs
    assert [pair.verdict for pair in pairs] == [Verdict.CREATE, Verdict.CREATE]


# --- integrations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["source", "refused"])
def test_contact_of_an_integration_is_skipped(how: str) -> None:
    source, read_only = ("openphone-clio", []) if how == "source" else ("ios", ["a"])
    pair = only(JAMES, contact("a", "James Smith", P1, source=source), read_only=read_only)
    assert (pair.verdict, pair.reason) == (Verdict.SKIP, OWNED)


def test_link_to_a_contact_that_refused_a_write_is_skipped() -> None:
    pair = only(JAMES, contact("a", "James Smith", P1), links=[link(JAMES, "a")], read_only=["a"])
    assert (pair.verdict, pair.reason) == (Verdict.SKIP, OWNED)


def test_a_contact_of_our_own_that_refused_a_write_is_no_integrations() -> None:
    ours = contact("a", "James Smith", P1, source=OURS, external_id="client_1")
    assert met(only(JAMES, ours, read_only=["a"])) == (Verdict.OWN, "a")


@pytest.mark.parametrize("linked", [True, False])
def test_review_separate_makes_ours_beside_an_integrations_contact(linked: bool) -> None:
    pair = only(
        JAMES,
        contact("a", "James Smith", P1, source="openphone-clio"),
        links=[link(JAMES, "a")] if linked else [],
        decisions={("client_1", "a"): Choice.SEPARATE},
    )
    assert pair.verdict is Verdict.CREATE


def test_a_persons_contact_is_preferred_to_an_integrations() -> None:
    clio = contact("a", "James Smith", P1, source="openphone-clio")
    assert met(only(JAMES, clio, contact("b", "James", P1))) == (Verdict.ADOPT, "b")


# --- decisions ----------------------------------------------------------------------------------------------------------


def test_decision_to_link_makes_the_pair() -> None:
    pair = only(JAMES, contact("a", "Mary Jones", P4), decisions={("client_1", "a"): Choice.LINK})
    assert (*met(pair), pair.reason) == (Verdict.ADOPT, "a", DECIDED)


def test_decision_to_link_does_not_take_a_contact_from_another() -> None:
    other = client("2", "Mary Jones", P4)
    held = {("client_1", "a"): Choice.LINK}
    assert only(JAMES, contact("a", "Mary Jones", P4), links=[link(other, "a")], decisions=held).remote is None


def test_decision_that_two_rows_are_one_person_skips_this_row() -> None:
    pair = only(JAMES, decisions={("client_1", "client_2"): Choice.LINK})
    assert (pair.verdict, pair.reason) == (Verdict.SKIP, "same person as client_2, decided in a review")


def test_decision_that_two_rows_are_one_person_ends_with_the_other_row() -> None:
    theirs = contact("a", "James Smith", P1)
    links = [link(client("2", "James Smith", P1), "a")]
    decisions = {("client_1", "client_2"): Choice.LINK}
    assert met(only(JAMES, theirs, links=links, removed=["2"], decisions=decisions)) == (Verdict.ADOPT, "a")


def test_decision_to_separate_removes_the_candidate() -> None:
    apart = {("client_1", "a"): Choice.SEPARATE}
    assert only(JAMES, contact("a", "Mary Jones", P1), decisions=apart).verdict is Verdict.CREATE


def test_decision_to_separate_two_rows_creates_both() -> None:
    younger = client("2", "James Smith", P1)
    pairs = match([JAMES, younger], decisions={("client_2", "client_1"): Choice.SEPARATE}).pairs
    assert [pair.verdict for pair in pairs] == [Verdict.CREATE, Verdict.CREATE]


# --- policies -----------------------------------------------------------------------------------------------------------


def test_policy_create_creates_what_would_be_held() -> None:
    rules = replace(RULES, on_possible_duplicate="create")
    assert only(JAMES, contact("a", "Mary Jones", P1), rules=rules).verdict is Verdict.CREATE
    assert only(JAMES, contact("a", "James Smith", P4), rules=rules).verdict is Verdict.CREATE


def test_policy_link_adopts_the_one_contact_above_the_threshold() -> None:
    rules = replace(RULES, on_possible_duplicate="link")
    assert met(only(JAMES, contact("a", "James Smith", P4), rules=rules)) == (Verdict.ADOPT, "a")
    assert only(JAMES, contact("a", "Mary Jones", P1), rules=rules).verdict is Verdict.HOLD


def test_policy_link_holds_when_two_are_equal() -> None:
    rules = replace(RULES, on_possible_duplicate="link")
    twice = [contact("a", "James Smith", P3), contact("b", "James Smith", P4)]
    assert only(JAMES, *twice, rules=rules).verdict is Verdict.HOLD


def test_threshold_one_adopts_no_misspelt_name() -> None:
    strict = replace(RULES, threshold=1.0)
    assert only(JAMES, contact("a", "James Smyth", P1), rules=strict).verdict is Verdict.HOLD


# --- alternates ---------------------------------------------------------------------------------------------------------

ANN, BOB = alternate("1", 1, "Ann Smith", P2), alternate("1", 2, "Bob Jones", P3)
SEATS = (contact("a", "James Smith - Brother", P2), contact("b", "James Smith - Brother", P3))


def test_alternate_is_compared_by_the_persons_own_name() -> None:
    assert met(only(ANN, contact("a", "Ann Smith", P2))) == (Verdict.ADOPT, "a")
    assert only(ANN, contact("a", "James Smith", P2)).verdict is Verdict.HOLD


def test_alternates_display_name_is_compared_with_contacts_in_that_form() -> None:
    assert met(only(ANN, contact("a", "Jim Smith - brother", P2))) == (Verdict.ADOPT, "a")


def test_alternate_without_a_name_adopts_only_a_nameless_contact() -> None:
    nameless = alternate("1", 1, "", P2)
    assert met(only(nameless, contact("a", "", P2))) == (Verdict.ADOPT, "a")
    assert only(nameless, contact("a", "Ann Smith", P2)).verdict is Verdict.HOLD


def test_client_comes_before_his_alternate_on_one_phone() -> None:
    brother = alternate("1", 1, "Robert Smith", P1)
    pairs = match([brother, JAMES], [contact("a", "", P1)]).pairs
    assert [met(pair) for pair in pairs] == [(Verdict.CREATE, None), (Verdict.ADOPT, "a")]


def test_alternates_trading_places_keep_their_contacts() -> None:
    bob_first, ann_second = alternate("1", 1, "Bob Jones", P3), alternate("1", 2, "Ann Smith", P2)
    pairs = match([bob_first, ann_second], SEATS, links=[link(ANN, "a"), link(BOB, "b")]).pairs
    assert [met(pair) for pair in pairs] == [(Verdict.LINKED, "b"), (Verdict.LINKED, "a")]


def test_alternates_trading_places_keep_their_contacts_with_the_state_lost() -> None:
    seats = [
        replace(one, external_id=f"client_1_alt_{n}", source=OURS, custom_fields=(RemoteField("person", person),))
        for n, one, person in zip((1, 2), SEATS, ("Ann Smith", "Bob Jones"), strict=True)
    ]
    pairs = match([alternate("1", 1, "Bob Jones", P4), alternate("1", 2, "Ann Smith", P4)], seats).pairs
    assert [met(pair) for pair in pairs] == [(Verdict.OWN, "b"), (Verdict.OWN, "a")]


def test_alternates_without_names_follow_their_phones() -> None:
    old = [alternate("1", 1, "", P2), alternate("1", 2, "", P3)]
    links = [link(old[0], "a"), link(old[1], "b")]
    pairs = match([alternate("1", 1, "", P3), alternate("1", 2, "", P2)], SEATS, links=links).pairs
    assert [met(pair) for pair in pairs] == [(Verdict.LINKED, "b"), (Verdict.LINKED, "a")]


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
    assert met(only(changed, SEATS[0], links=[link(ANN, "a")])) == (Verdict.LINKED, "a")


def test_newcomer_in_a_slot_is_a_new_person() -> None:
    newcomer = alternate("1", 1, "Zoe Walker", P4)
    pair = only(newcomer, SEATS[0], links=[link(ANN, "a")])
    assert (*met(pair), pair.reason) == (Verdict.CREATE, None, HANDED_OVER)


def test_newcomer_in_a_slot_is_a_new_person_with_the_state_lost() -> None:
    seat = replace(
        SEATS[0], external_id="client_1_alt_1", source=OURS, custom_fields=(RemoteField("person", "Ann Smith"),)
    )
    pair = only(alternate("1", 1, "Zoe Walker", P4), seat)
    assert (*met(pair), pair.reason) == (Verdict.CREATE, None, HANDED_OVER)


def test_alternate_who_moves_up_into_a_free_slot_keeps_the_contact() -> None:
    moved = alternate("1", 1, "Bob Jones", P3)
    pair = match([moved], SEATS, links=[link(ANN, "a"), link(BOB, "b")]).pairs[0]
    assert met(pair) == (Verdict.LINKED, "b")


def test_former_alternate_who_becomes_a_client_takes_the_contact_over() -> None:
    orphan = link(ANN, "a", standing=Standing.ORPHANED)
    pair = only(client("9", "Ann Smith", P2), contact("a", "Ann Smith", P2), links=[orphan])
    assert met(pair) == (Verdict.ADOPT, "a")


# --- small things -------------------------------------------------------------------------------------------------------


def test_evidence_holds_no_persons_data() -> None:
    pair = only(JAMES, contact("a", "Mary Jones", P1))
    said = " ".join((pair.reason, *(c.words for c in pair.evidence))).casefold()
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
    assert only(JAMES, contact("a", "James Smith Jr.", P1)).verdict is Verdict.HOLD
    ours = client("1", "James Smith", P1, born="1990-03-01")
    assert met(only(ours, contact("a", "James Smith Jr.", P1, fields={"born": "1990-03-01"}))) == (Verdict.ADOPT, "a")
    junior = client("1", "James Smith Jr.", P1)
    assert met(only(junior, contact("a", "James Smith", P1))) == (Verdict.ADOPT, "a")


@pytest.mark.parametrize("turned", [False, True])
def test_policy_link_gives_the_contact_to_the_older_row_in_any_order(turned: bool) -> None:
    rows = [client("1", "James Smith", P1), client("2", "James Smith", P2, seniority=("2025-06-01", "2"))]
    rules = replace(RULES, on_possible_duplicate="link")
    pairs = match(rows[::-1] if turned else rows, [contact("a", "James Smith", P4)], rules=rules).pairs
    assert {pair.desired.client_id: pair.verdict for pair in pairs} == {"1": Verdict.ADOPT, "2": Verdict.CREATE}
