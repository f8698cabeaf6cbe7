"""Single writes against a scripted workspace and a real state file: what is committed, whatever is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openphone_sync.config import Settings
from openphone_sync.errors import (
    AnswerLostError,
    ContactConflictError,
    ContactError,
    ContactForbiddenError,
    ContactGoneError,
    NotSentError,
    RefusedError,
)
from openphone_sync.model import (
    ActionKind,
    Base,
    ContactDraft,
    Create,
    Delete,
    Done,
    Failed,
    Gone,
    Left,
    Link,
    Outcome,
    Reason,
    RemoteContact,
    RemoteItem,
    Restore,
    Result,
    Stale,
    Standing,
    Tie,
    Update,
    Why,
    Write,
)
from openphone_sync.rules.merging import MergeRules, make_first_draft
from openphone_sync.rules.planning import Plan
from openphone_sync.rules.undo import restore
from openphone_sync.run.apply import apply_plan
from openphone_sync.run.context import Context
from openphone_sync.run.saved_plan import digest_contact
from openphone_sync.run.write import FORBIDDEN, Writer, WriteRules
from openphone_sync.state import Store, open_store
from openphone_sync.wiring import NoProgress, ThreadWorkers
from tests.builders import OURS, P1, P2, client, contact, link, normalise

JAMES = client("1", "James Smith", P1)
MERGING = MergeRules(normalise)
RULES = WriteRules("run", OURS, MERGING)


class Clock:
    """No test waits: sleeping is noted."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        return 1_000.0

    def monotonic(self) -> float:
        return 1_000.0 + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Scripted:
    """`ports.Workspace` in a dictionary. ``errors`` are raised, one for each call of a method, before it acts."""

    def __init__(self, *contacts: RemoteContact) -> None:
        self.contacts = {one.contact_id: one for one in contacts}
        self.errors: dict[str, list[ContactError | RefusedError | None]] = {}
        self.after_loss: Callable[[], object] = lambda: None
        self.spoil: Callable[[RemoteContact], RemoteContact] = lambda answer: answer
        self.calls: list[str] = []

    def _begin(self, name: str) -> None:
        self.calls.append(name)
        script = self.errors.get(name, [])
        error = script.pop(0) if script else None
        if isinstance(error, AnswerLostError) or (error is not None and name == "update"):
            self.after_loss()
        if error is not None:
            raise error

    def read_contact(self, contact_id: str) -> RemoteContact:
        self._begin("read")
        if contact_id not in self.contacts:
            raise ContactGoneError("gone", status=404)
        return self.contacts[contact_id]

    def find_contacts(self, external_ids: Sequence[str]) -> tuple[RemoteContact, ...]:
        self._begin("find")
        return tuple(one for one in self.contacts.values() if one.external_id in external_ids)

    def create_contact(self, draft: ContactDraft) -> RemoteContact:
        self._begin("create")
        return self.put("made", draft)

    def put(self, contact_id: str, draft: ContactDraft) -> RemoteContact:
        old = self.contacts.get(contact_id, RemoteContact(contact_id, draft.external_id, draft.source))
        made = self.spoil(
            replace(
                old,
                external_id=draft.external_id or old.external_id,
                first_name=draft.first_name,
                last_name=draft.last_name,
                company=draft.company,
                role=draft.role,
                phones=tuple(item for item in draft.phones if item.value),
                emails=draft.emails,
                custom_fields=draft.custom_fields,
            )
        )
        self.contacts[contact_id] = made
        return made

    def update_contact(self, contact_id: str, draft: ContactDraft) -> RemoteContact:
        self._begin("update")
        return self.put(contact_id, draft)

    def delete_contact(self, contact_id: str) -> None:
        self._begin("delete")
        del self.contacts[contact_id]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def make_context(store: Store, workspace: Scripted) -> Context:
    parts: dict[str, Any] = {"workspace": workspace, "clock": Clock(), "progress": NoProgress()}
    settings = Settings(state_dir=Path())
    return Context(
        settings=settings, store=store, open_source=pytest.fail, workers=ThreadWorkers(), key_mark="", **parts
    )


def write(store: Store, workspace: Scripted, action: Write, claimed: frozenset[str] = frozenset()) -> Outcome:
    return Writer(make_context(store, workspace), RULES, claimed).write(action)


def creation(**more: Any) -> Create:
    row = replace(link(JAMES, None), base=Base(JAMES.values))
    return Create(row, make_first_draft(JAMES, OURS), JAMES, **more)


def update(role: str = "Criminal Client", **more: Any) -> Update:
    wanted = replace(JAMES, values=replace(JAMES.values, role=role))
    return Update(link(JAMES, "a"), wanted, Tie.LINKED, **more)


def written(contact_id: str = "a", **more: Any) -> RemoteContact:
    draft = make_first_draft(JAMES, OURS)
    made = RemoteContact(contact_id, "client_1", OURS, draft.first_name, None, draft.company, draft.role, draft.phones)
    return replace(made, **more)


def saved(store: Store) -> Link:
    [row] = store.read_links(["1"]).values()
    return row


def journal(store: Store) -> list[tuple[ActionKind, Result | None]]:
    return [(entry.kind, entry.result) for entry in store.read_journal("run")]


# --- creations ---------------------------------------------------------------------------------------------------------


def test_a_creation_is_journalled_and_linked(store: Store) -> None:
    outcome = write(store, Scripted(), creation())
    assert isinstance(outcome, Done)
    assert (outcome.kind, saved(store).contact_id, saved(store).base) == (ActionKind.CREATE, "made", Base(JAMES.values))
    assert journal(store) == [(ActionKind.CREATE, Result.DONE)]


def test_a_creation_whose_answer_is_lost_is_looked_for_before_it_is_sent_again(store: Store) -> None:
    workspace = Scripted()
    workspace.errors["create"] = [AnswerLostError("no answer")]
    workspace.after_loss = lambda: workspace.put("made", make_first_draft(JAMES, OURS))
    outcome = write(store, workspace, creation())
    assert isinstance(outcome, Done)
    assert workspace.calls.count("create") == 1
    assert saved(store).contact_id == "made"


def test_a_creation_that_never_arrives_is_tried_three_times_and_fails(store: Store) -> None:
    workspace = Scripted()
    workspace.errors["create"] = [AnswerLostError("no answer")] * 9
    outcome = write(store, workspace, creation())
    assert isinstance(outcome, Failed)
    assert workspace.calls.count("create") == 3
    row = saved(store)
    assert (row.standing, row.contact_id, row.base, row.failures) == (Standing.PENDING, None, Base(JAMES.values), 1)


@pytest.mark.parametrize(
    ("error", "base"),
    [(AnswerLostError("no answer"), Base(JAMES.values)), (ContactError("bad", status=400), None)],
    ids=["lost", "refused"],
)
def test_what_was_sent_is_remembered_where_the_contact_may_be_there(
    store: Store, error: ContactError, base: Base | None
) -> None:
    workspace = Scripted()
    workspace.errors = {"create": [error], "find": [ContactError("down", status=500)]}
    outcome = write(store, workspace, creation())
    assert isinstance(outcome, Failed)
    assert (outcome.message, saved(store).base) == (error.message, base)


def test_a_taken_external_id_adopts_our_earlier_contact(store: Store) -> None:
    workspace = Scripted(written("old", role="Attorney"))
    workspace.errors["create"] = [ContactConflictError("taken", status=409)]
    outcome = write(store, workspace, creation())
    assert isinstance(outcome, Done)
    assert (outcome.kind, outcome.contact_id) == (ActionKind.ADOPT, "old")
    assert [conflict.field for conflict in outcome.conflicts] == ["role"]
    assert workspace.contacts["old"].role == "Civil Client"
    assert journal(store) == [(ActionKind.CREATE, Result.FAILED), (ActionKind.ADOPT, Result.DONE)]


def test_what_was_refused_as_taken_is_no_base_for_the_contact_that_has_the_id(store: Store) -> None:
    workspace = Scripted()
    workspace.errors = {"create": [ContactConflictError("taken", status=409)], "find": [AnswerLostError("no answer")]}
    assert isinstance(write(store, workspace, creation()), Failed)
    assert saved(store).base is None


def test_a_taken_external_id_of_nobody_fails(store: Store) -> None:
    workspace = Scripted(written("claimed"))
    workspace.errors["create"] = [ContactConflictError("taken", status=409)]
    outcome = write(store, workspace, creation(), frozenset({"claimed"}))
    assert isinstance(outcome, Failed)
    assert saved(store).standing is Standing.PENDING


def test_a_contact_that_is_created_again_gets_another_id_where_the_deleted_one_still_holds_its_own(
    store: Store,
) -> None:
    workspace = Scripted()
    workspace.errors["create"] = [ContactConflictError("taken", status=409)]
    outcome = write(store, workspace, creation(again=True))
    assert isinstance(outcome, Done)
    assert (outcome.kind, workspace.contacts["made"].external_id) == (ActionKind.CREATE, "client_1~2")
    assert saved(store).contact_id == "made"
    assert journal(store) == [(ActionKind.CREATE, Result.FAILED), (ActionKind.CREATE, Result.DONE)]


def test_a_created_contact_that_is_not_as_sent_is_patched(store: Store) -> None:
    workspace = Scripted()
    spoilt = [True]

    def spoil(answer: RemoteContact) -> RemoteContact:
        return replace(answer, role=None) if spoilt and spoilt.pop() else answer

    workspace.spoil = spoil
    outcome = write(store, workspace, creation())
    assert isinstance(outcome, Done)
    assert outcome.kind is ActionKind.CREATE
    assert workspace.contacts["made"].role == "Civil Client"
    assert journal(store) == [(ActionKind.CREATE, Result.DONE), (ActionKind.UPDATE, Result.DONE)]


# --- updates -----------------------------------------------------------------------------------------------------------


def test_an_update_merges_over_the_contact_as_it_is_at_its_turn(store: Store) -> None:
    workspace = Scripted(written(phones=(*written().phones, RemoteItem("Wife", P2))))
    outcome = write(store, workspace, update(seen=written()))
    assert isinstance(outcome, Done)
    assert outcome.kind is ActionKind.UPDATE
    assert [item.value for item in workspace.contacts["a"].phones] == [P1, P2]
    assert workspace.calls == ["read", "update"]
    [entry] = store.read_journal("run")
    assert entry.earlier is not None
    assert entry.earlier.base == Base(JAMES.values)


def test_an_update_that_finds_nothing_left_sends_nothing(store: Store) -> None:
    outcome = write(store, Scripted(written(role="Criminal Client")), update())
    assert isinstance(outcome, Done)
    assert outcome.kind is ActionKind.UNCHANGED
    assert journal(store) == []
    assert saved(store).base is not None


def test_a_contact_deleted_meanwhile_is_judged_again(store: Store) -> None:
    assert isinstance(write(store, Scripted(), update()), Gone)
    workspace = Scripted(written())
    workspace.errors = {"update": [ContactGoneError("gone", status=404)]}
    workspace.after_loss = workspace.contacts.clear
    assert isinstance(write(store, workspace, update()), Gone)
    assert journal(store) == [(ActionKind.UPDATE, Result.FAILED)]


@pytest.mark.parametrize(
    "error",
    [
        ContactGoneError("404", status=404),
        ContactConflictError("409", status=409),
        ContactError("500", status=500),
        ContactError("no answer"),
    ],
    ids=lambda error: error.message,
)
def test_an_error_that_hides_a_write_is_no_failure(store: Store, error: ContactError) -> None:
    """Otherwise the next run takes what we wrote for what staff typed."""
    workspace = Scripted(written())
    workspace.errors = {"update": [error]}
    workspace.after_loss = lambda: workspace.put("a", replace(make_first_draft(JAMES, OURS), role="Criminal Client"))
    assert isinstance(write(store, workspace, update()), Done)
    assert journal(store) == [(ActionKind.UPDATE, Result.DONE)]
    base = saved(store).base
    assert base is not None
    assert (base.values.role, base.met) == ("Criminal Client", frozenset())


def test_a_write_of_which_nobody_knows_whether_it_was_carried_out_stays_open(store: Store) -> None:
    workspace = Scripted(written())
    workspace.errors = {"update": [ContactError("no answer")], "read": [None, ContactError("down", status=500)]}
    outcome = write(store, workspace, update())
    assert isinstance(outcome, Failed)
    assert (outcome.message, saved(store).standing) == ("no answer", Standing.PENDING)
    assert journal(store) == [(ActionKind.UPDATE, None)]


def test_a_404_to_a_write_of_a_contact_that_is_there_is_a_failure(store: Store) -> None:
    workspace = Scripted(written())
    workspace.errors = {"update": [ContactGoneError("gone", status=404)]}
    assert isinstance(write(store, workspace, update()), Failed)
    assert workspace.calls == ["read", "update", "read"]


def test_a_contact_that_a_person_changed_since_the_plan_is_not_written(store: Store) -> None:
    shown, now = written(), written(last_name="Smith")
    workspace = Scripted(now)
    assert isinstance(write(store, workspace, update(expected=digest_contact(shown))), Stale)
    assert workspace.calls == ["read"]
    assert isinstance(write(store, Scripted(), update(expected=digest_contact(shown))), Stale)  # deleted
    assert isinstance(write(store, workspace, update(expected=digest_contact(now))), Done)


def test_an_answer_that_is_not_what_was_sent_is_a_failed_write(store: Store) -> None:
    workspace = Scripted(written())
    workspace.spoil = lambda answer: replace(answer, role="Attorney")
    outcome = write(store, workspace, update())
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.message) == ("not as sent", "the answer is not what was sent: role")
    assert saved(store).base == Base(JAMES.values)


@pytest.mark.parametrize(("source", "owned"), [("intake-form", True), ("ios", False), (None, False), (OURS, False)])
def test_403_says_who_owns_a_contact_only_together_with_a_foreign_source(
    store: Store, source: str | None, *, owned: bool
) -> None:
    workspace = Scripted(contact("a", "James", P1, source=source))
    workspace.errors["update"] = [ContactForbiddenError("no", status=403)]
    joining = replace(update(), tie=Tie.ADOPTED, link=replace(link(JAMES, "a"), base=None))
    outcome = write(store, workspace, joining)
    assert store.read_refused() == frozenset("a")
    if owned:
        assert isinstance(outcome, Done)
        assert (saved(store).standing, saved(store).why) == (Standing.SKIPPED, Why(Reason.OWNED_BY_INTEGRATION))
    else:
        assert isinstance(outcome, Failed)
        assert (outcome.code, saved(store).standing, saved(store).contact_id) == (FORBIDDEN, Standing.PENDING, None)


def test_a_write_that_goes_through_ends_a_refusal(store: Store) -> None:
    store.save_refused("a", refused=True)
    assert isinstance(write(store, Scripted(written()), update()), Done)
    assert store.read_refused() == frozenset()


def test_an_external_id_that_is_taken_stays_in_the_state_alone(store: Store) -> None:
    workspace = Scripted(contact("a", "James", P1))
    workspace.errors["update"] = [ContactConflictError("taken", status=409)]
    joining = replace(update(), tie=Tie.ADOPTED, link=replace(link(JAMES, "a"), base=None))
    assert isinstance(write(store, workspace, joining), Done)
    assert workspace.contacts["a"].external_id is None
    assert saved(store).contact_id == "a"


def test_what_was_not_sent_because_the_run_is_stopping_is_left(store: Store) -> None:
    workspace = Scripted(written())
    workspace.errors["read"] = [NotSentError("stopping")]
    assert isinstance(write(store, workspace, update()), Left)
    workspace.errors["update"] = [NotSentError("stopping")]
    assert isinstance(write(store, workspace, update()), Left)
    assert journal(store) == [(ActionKind.UPDATE, Result.UNFINISHED)]


def test_what_goes_wrong_for_one_contact_fails_that_contact(store: Store) -> None:
    workspace = Scripted(written())

    def burst(answer: RemoteContact) -> RemoteContact:
        raise ZeroDivisionError(answer.contact_id)

    workspace.spoil = burst
    outcome = write(store, workspace, update())
    assert isinstance(outcome, Failed)
    assert outcome.code == "bug"


# --- deletions and rollbacks -------------------------------------------------------------------------------------------


def deletion(**more: Any) -> Delete:
    return Delete(link(JAMES, "a"), "a", written(), Why(Reason.GONE_FROM_SOURCE), **more)


def test_a_deletion_looks_once_more_for_what_a_person_typed(store: Store) -> None:
    workspace = Scripted(written(last_name="Smith"))
    outcome = write(store, workspace, deletion())
    assert isinstance(outcome, Done)
    assert (outcome.kind, outcome.why) == (ActionKind.SKIP, Why(Reason.TYPED_BY_STAFF))
    assert "a" in workspace.contacts
    assert write(store, Scripted(written()), deletion()) == Done(deletion(), ActionKind.DELETE, "a")
    assert isinstance(write(store, Scripted(), deletion()), Done)


def test_a_rollback_deletes_only_what_is_still_as_it_was_created(store: Store) -> None:
    workspace = Scripted(written(phones=(*written().phones, RemoteItem("Wife", P2))))
    outcome = write(store, workspace, deletion(created=written()))
    assert isinstance(outcome, Done)
    assert (outcome.kind, outcome.why) == (ActionKind.SKIP, Why(Reason.CHANGED_SINCE))
    failing = Scripted(written())
    failing.errors["delete"] = [ContactError("no", status=400)]
    assert isinstance(write(store, failing, deletion(created=written())), Failed)
    assert store.read_links(["1"]) == {}


def test_a_restore_leaves_alone_what_a_person_changed_since(store: Store) -> None:
    before, after = written(role="Attorney", company="Acme"), written()
    now = replace(after, company="Smith Ltd")
    preview = restore(before, after, now, MERGING)
    action = Restore(link(JAMES, "a"), "a", before, after, Why(Reason.ROLLED_BACK, "r"), now, preview)
    workspace = Scripted(now)
    outcome = write(store, workspace, action)
    assert isinstance(outcome, Done)
    assert [conflict.field for conflict in outcome.conflicts] == ["company"]
    assert (workspace.contacts["a"].role, workspace.contacts["a"].company) == ("Attorney", "Smith Ltd")
    assert isinstance(write(store, Scripted(), action), Done)


# --- a whole plan ------------------------------------------------------------------------------------------------------


def test_a_plan_commits_fingerprints_only_of_clients_whose_writes_are_all_done(store: Store) -> None:
    workspace = Scripted(written())
    other = replace(
        creation(), link=replace(link(client("2", "Ann Lee"), None)), draft=ContactDraft("Ann", source=OURS)
    )
    workspace.errors["create"] = [ContactError("no", status=400)]
    plan = Plan(actions=(update(), other), fingerprints={"1": b"x", "2": b"y"})
    applied = apply_plan(plan, make_context(store, workspace), RULES)
    assert {type(outcome) for outcome in applied.outcomes} == {Done, Failed}
    assert {known.client_id: known.due for known in store.read_clients()} == {"1": False, "2": True}


def test_five_writes_all_answered_403_end_the_run(store: Store) -> None:
    people = [client(str(number), f"Person {number}", P1) for number in range(40)]
    contacts = [contact(f"c{number}", f"Person {number}", P1, source=OURS) for number in range(40)]
    workspace = Scripted(*contacts)
    workspace.errors["update"] = [ContactForbiddenError("no", status=403)] * 40
    wanted = [replace(one, values=replace(one.values, first_name="New")) for one in people]
    updates = tuple(
        Update(link(one, f"c{one.client_id}"), new, Tie.LINKED) for one, new in zip(people, wanted, strict=True)
    )
    applied = apply_plan(Plan(actions=updates), make_context(store, workspace), RULES)
    assert isinstance(applied.stopped_by, RefusedError)
    assert sum(isinstance(outcome, Left) for outcome in applied.outcomes) > 0
    assert len(applied.outcomes) == 40


def test_an_error_that_ends_the_run_leaves_its_write_open_and_begins_no_other(store: Store) -> None:
    workspace = Scripted(written())
    workspace.errors["update"] = [RefusedError("the key was revoked")]
    more = tuple(replace(creation(), link=link(client(str(n), f"P {n}"), None)) for n in range(2, 60))
    applied = apply_plan(Plan(actions=(update(), *more)), make_context(store, workspace), RULES)
    assert isinstance(applied.stopped_by, RefusedError)
    assert (ActionKind.UPDATE, None) in journal(store)
    assert sum(isinstance(outcome, Left) for outcome in applied.outcomes) > 30
