"""What is erased of a client, and of nobody else: ids that begin alike, texts, contacts that changed hands."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openphone_sync.model import (
    ActionKind,
    Answer,
    Candidate,
    Choice,
    DataFault,
    DataWarning,
    Decision,
    Intent,
    LookAlike,
    Person,
    Reason,
    RemoteContact,
    Result,
    Why,
)
from openphone_sync.rules.mapping import make_external_id
from openphone_sync.state import Store, open_store
from openphone_sync.state.erasure import Traces, make_scrubber
from tests.builders import P1, P2, client, link

NOW = 1_790_000_000.0
ANN, BEA = client("7", "Annabella Quizzaciously", P1), client("71", "Bea Ray", P2)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def traces(client_id: str = "7", *contact_ids: str) -> Traces:
    return Traces(client_id, frozenset({make_external_id(client_id, 0)}), frozenset(contact_ids), frozenset(), 0, 0, 0)


def forget(store: Store, client_id: str) -> None:
    store.begin_forgetting(client_id, delete_contact=False)
    store.erase(store.read_traces(client_id, make_external_id(client_id, 0)), NOW)
    store.finish_forgetting(client_id, NOW)


def dump(store: Store) -> dict[str, list[Any]]:
    """Every row of every table."""
    with closing(sqlite3.connect(store._path)) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {name: sorted(db.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}


def fill(store: Store, *people: Any) -> None:
    """Everything that the state may keep of these people."""
    store.save_clients((one.client_id, b"fingerprint", False) for one in people)
    store.start_run("run", "sync", NOW)
    for one in people:
        contact_id = f"contact{one.client_id}"
        row, contact = link(one, contact_id), RemoteContact(contact_id, one.external_id, first_name=one.person)
        entry = store.save_intent("run", Intent(ActionKind.CREATE, row, contact_id, before=contact), NOW)
        store.save_outcome(entry, Answer(Result.DONE, contact_id, after=contact), row, NOW)
        store.save_candidates(
            {one.external_id: [Candidate(f"other{one.client_id}", "contact", 0.9, one.person)]}, [contact]
        )
        store.save_decisions([Decision(one.client_id, Person(one.person), "x", Choice.LINK, one.external_id)])
        store.save_look_alikes([LookAlike(one.external_id, "other", 0.9, one.person)], judged=[one.external_id])
        warning = DataWarning(DataFault.BAD_EMAIL, "email")
        store.save_warnings({one.external_id: (one.client_id, [warning])}, judged=[])
        store.acknowledge([one.external_id], NOW)
        store.save_refused(contact_id, refused=True)
    found = [{"externalId": one.external_id, "contactId": f"contact{one.client_id}"} for one in people]
    store.finish_run(
        "run", "succeeded", NOW, json.dumps({"held": found, "orphans": [one.external_id for one in people]})
    )
    numbers = [{"number": one.values.phones[0].value, "clientId": one.client_id} for one in people]
    store.save_coverage({"days": 30, "numbers": 2, "named": 0, "unnamed": numbers}, NOW)


def test_all_of_one_client_goes_and_nothing_of_a_neighbour(store: Store, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    fill(store, ANN, BEA)
    forget(store, "7")
    with closing(open_store(tmp_path / "alone")) as alone:
        fill(alone, BEA)
        expected, found = dump(alone), dump(store)
    assert found.pop("forgotten") != expected.pop("forgotten")
    assert found.pop("erased") == [("run", 1)]
    for differing in ("erased", "facts", "sqlite_sequence"):
        expected.pop(differing, None)
        found.pop(differing, None)
    for rows in (*found.values(), *expected.values()):  # numbers of rows tell how many were written before
        rows[:] = [row[1:] if isinstance(row[0], int) else row for row in rows]
    assert found == expected


def test_no_byte_stays_in_the_file_its_log_and_its_copies(store: Store, tmp_path: Path) -> None:
    fill(store, ANN, BEA)
    store.keep_copy(NOW)
    forget(store, "7")
    store.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2
    for path in files:
        content = path.read_bytes()
        assert b"Quizzaciously" not in content
        assert P1.encode() not in content
        assert b"contact7\x00" not in content
        assert b"Bea Ray" in content


def test_a_forgotten_client_is_known_by_a_keyed_hash_only(store: Store) -> None:
    fill(store, ANN, BEA)
    forget(store, "7")
    is_forgotten = store.make_forgotten_test()
    assert [is_forgotten(one) for one in ("7", "71", "client_7", "")] == [True, False, False, False]
    assert store.read_forgetting() == []
    assert store.remember_again("7")
    assert not store.make_forgotten_test()("7")
    assert not store.remember_again("7")


def test_a_wish_counts_from_its_commit_on(store: Store) -> None:
    fill(store, ANN)
    store.begin_forgetting("7", delete_contact=True)
    store.begin_forgetting("7", delete_contact=False)
    assert store.read_forgetting() == [("7", True)]
    assert store.make_forgotten_test()("7")


def test_a_contact_that_another_client_has_now_keeps_its_history(store: Store) -> None:
    fill(store, ANN, BEA)
    store.save_links([replace(link(BEA, "contact7"))])
    forget(store, "7")
    assert store.read_owners().keys() == {"contact7"}
    assert [entry.external_id for entry in store.read_journal("run")] == ["client_71"]


def test_who_was_held_for_them_is_judged_again(store: Store) -> None:
    fill(store, ANN, BEA)
    store.save_links([replace(link(BEA, None), why=Why(Reason.SAME_PERSON, "client_7"))])
    store.save_clients([("71", b"fingerprint", False)])
    forget(store, "7")
    [known] = [one for one in store.read_clients() if one.client_id == "71"]
    assert known.due
    [row] = store.read_links(["71"]).values()
    assert row.why == Why(Reason.SAME_PERSON, "(forgotten)")


@pytest.mark.parametrize(
    ("client_id", "text", "scrubbed"),
    [
        ("7", "client_7: no phone", "(forgotten): no phone"),
        ("7", "client_71 and client_17, xclient_7", "client_71 and client_17, xclient_7"),
        ("7", "same person as client_7_alt_2~3", "same person as (forgotten)"),
        ("7", "client_7_alt_1_alt_0", "client_7_alt_1_alt_0"),
        ("7_alt_1", "client_7_alt_1", "client_7_alt_1"),
        ("7_alt_1", "client_7_alt_1_alt_0", "(forgotten)"),
        ("a.c", "client_abc client_a.c", "client_abc (forgotten)"),
    ],
)
def test_ids_in_texts_go_and_those_that_begin_alike_stay(client_id: str, text: str, scrubbed: str) -> None:
    assert make_scrubber(traces(client_id))({"text": text}) == {"text": scrubbed}


def test_entries_about_the_client_go_and_its_contact_is_named_nowhere() -> None:
    document = {
        "held": [{"externalId": "client_7", "contactId": "c"}, {"externalId": "client_8", "contactId": "a"}],
        "orphans": ["client_7_alt_1", "client_9"],
        "contacts": {"held": 2},
    }
    assert make_scrubber(traces("7", "a"))(document) == {
        "held": [{"externalId": "client_8", "contactId": "(forgotten)"}],
        "orphans": ["client_9"],
        "contacts": {"held": 2},
    }
