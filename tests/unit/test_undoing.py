"""Taking writes back, where a whole office would hide the one field that it is about."""

from __future__ import annotations

from dataclasses import replace

from openphone_sync.model import ActionKind, JournalEntry, Link, RemoteContact, RemoteField, Restore, Result, Standing
from openphone_sync.rules.merging import MergeRules
from openphone_sync.rules.undo import make_undo_actions, restore

RULES = MergeRules(normalise_phone=str)


def test_fields_that_are_known_by_their_ids_alone_keep_their_own_values() -> None:
    before = RemoteContact("c", first_name="Ann", custom_fields=fields("old", "hers"))
    after = replace(before, custom_fields=fields("new", "hers"))
    [action] = make_undo_actions([update(before, after)], {"c": after}, {}, RULES)
    assert isinstance(action, Restore)
    assert action.preview.draft.custom_fields == before.custom_fields
    assert [change.field for change in action.preview.changes] == ["customFields.i1"]


def fields(one: str, other: str) -> tuple[RemoteField, RemoteField]:
    return RemoteField(None, one, "i1"), RemoteField(None, other, "i2")


def update(before: RemoteContact, after: RemoteContact) -> JournalEntry:
    link = Link("client_1", "1", 0, Standing.LINKED, contact_id="c")
    return JournalEntry(
        entry_id=1,
        run_id="r",
        external_id=link.external_id,
        client_id=link.client_id,
        kind=ActionKind.UPDATE,
        contact_id="c",
        link=link,
        before=before,
        draft=None,
        intended_at=0.0,
        result=Result.DONE,
        after=after,
    )


def test_the_link_to_the_record_goes_back_unless_a_person_changed_it() -> None:
    ours, other = "https://office.example/1", "https://crm.example/7"
    before, after = RemoteContact("c1", first_name="Ann"), RemoteContact("c1", first_name="Ann", source_url=ours)
    assert restore(before, after, after, RULES).draft.source_url == ""
    assert restore(replace(before, source_url=other), after, after, RULES).draft.source_url == other
    assert restore(before, after, replace(after, source_url=other), RULES).draft.source_url is None
    assert restore(after, after, after, RULES).draft.source_url is None
