"""What everybody may expect of `ports.Workspace`, on the sandbox over a socket.

Where ``OPENPHONE_OPENAPI`` names the vendor's document, each exchange with the sandbox is held against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from openphone_sync.errors import ContactConflictError, ContactError, ContactForbiddenError, ContactGoneError
from openphone_sync.model import ContactDraft, RemoteField, RemoteItem
from openphone_sync.openphone.api import OpenPhone, make_client
from openphone_sync.openphone.pacing import Pacer
from openphone_sync.openphone.retry import RetryRules
from openphone_sync.ports import Workspace
from openphone_sync.rules.merging import MergeRules, find_differences
from openphone_sync.rules.phones import normalise_phone
from openphone_sync.sandbox import SandboxServer
from openphone_sync.wiring import SystemClock
from tests.contract.document import watch
from tests.office import FAST

RULES = MergeRules(normalise_phone=lambda text: normalise_phone(text, "US"))
NOBODY = "0" * 24


@dataclass(frozen=True, slots=True)
class World:
    """A workspace behind the port, and the app's side of it: `add` returns the new contact's id."""

    workspace: Workspace
    add: Callable[[ContactDraft], str]


@pytest.fixture
def world(sandbox: SandboxServer, tmp_path: Path) -> Iterator[World]:
    clock = SystemClock()
    client = make_client(sandbox.base_url, sandbox.options.key, 5.0)
    watch(client)
    with (
        closing(Pacer(tmp_path / "pacing.db", 1 / FAST, clock)) as pacer,
        closing(OpenPhone(client, pacer, RetryRules(), clock)) as api,
    ):
        yield World(api, lambda draft: add_to(sandbox, draft))


def add_to(sandbox: SandboxServer, draft: ContactDraft) -> str:
    phones = [{"name": item.label, "value": item.value} for item in draft.phones]
    body = {"externalId": draft.external_id, "defaultFields": {"firstName": draft.first_name, "phoneNumbers": phones}}
    return str(sandbox.workspace.add(body, source=draft.source)["id"])


@pytest.fixture
def workspace(world: World) -> Workspace:
    return world.workspace


def make_draft(workspace: Workspace, external_id: str | None = "client_1") -> ContactDraft:
    county = next(one.key for one in workspace.read_field_definitions() if one.name == "County")
    return ContactDraft(
        "Ann",
        company="Legal Client",
        role="Civil Client",
        phones=(RemoteItem("Main Phone", "+12135550134"), RemoteItem("Work", "+13105550188")),
        emails=(RemoteItem("Home", "ann@example.org"),),
        custom_fields=(RemoteField(county, "Kern County"),),
        external_id=external_id,
        source="ours",
    )


def test_what_is_created_comes_back_and_is_found_everywhere(workspace: Workspace) -> None:
    draft = make_draft(workspace)
    made = workspace.create_contact(draft)
    assert (made.external_id, made.source) == ("client_1", "ours")
    assert find_differences(draft, made, RULES) == ()
    assert workspace.read_contact(made.contact_id) == made
    assert workspace.find_contacts(["client_1"]) == (made,)
    assert list(workspace.read_contacts()) == [made]


def test_the_link_to_the_record_is_set_left_alone_changed_and_taken_away(workspace: Workspace) -> None:
    record = "https://office.example/clients/1"
    draft = replace(make_draft(workspace), source_url=record)
    made = workspace.create_contact(draft)
    assert made.source_url == record
    untouched = workspace.update_contact(made.contact_id, replace(draft, role="VIP", source_url=None))
    assert (untouched.role, untouched.source_url) == ("VIP", record)
    moved = workspace.update_contact(made.contact_id, replace(draft, source_url=f"{record}1"))
    assert moved.source_url == f"{record}1"
    assert workspace.update_contact(made.contact_id, replace(draft, source_url="")).source_url is None


def test_items_get_ids_and_phones_come_back_in_e164(workspace: Workspace) -> None:
    draft = replace(make_draft(workspace), phones=(RemoteItem("Main Phone", "(213) 555-0134"),))
    [phone] = workspace.create_contact(draft).phones
    assert (phone.label, phone.value) == ("Main Phone", "+12135550134")
    assert phone.item_id


def test_an_external_id_is_taken_once_and_a_phone_as_often_as_you_like(workspace: Workspace) -> None:
    draft = make_draft(workspace)
    workspace.create_contact(draft)
    with pytest.raises(ContactConflictError):
        workspace.create_contact(draft)
    workspace.create_contact(replace(draft, external_id="client_2"))
    workspace.create_contact(replace(draft, external_id=None))
    assert len(list(workspace.read_contacts())) == 3


def test_an_update_replaces_what_it_sends_whole(workspace: Workspace) -> None:
    made = workspace.create_contact(make_draft(workspace))
    draft = ContactDraft("Anna", phones=made.phones[:1])
    changed = workspace.update_contact(made.contact_id, draft)
    assert changed.first_name == "Anna"
    assert changed.phones == made.phones[:1], "an item keeps its id"
    assert (changed.company, changed.emails, changed.custom_fields) == (None, (), ())
    assert (changed.external_id, changed.source) == ("client_1", "ours"), "not named, not touched"
    assert workspace.read_contact(made.contact_id) == changed


def test_an_update_sets_and_takes_away_the_external_id(world: World) -> None:
    workspace = world.workspace
    contact_id = world.add(ContactDraft("Ann"))
    assert workspace.update_contact(contact_id, ContactDraft("Ann", external_id="client_1")).external_id == "client_1"
    assert workspace.update_contact(contact_id, ContactDraft("Ann", unset_external_id=True)).external_id is None
    workspace.create_contact(make_draft(workspace))
    other = workspace.create_contact(replace(make_draft(workspace), external_id="client_2"))
    with pytest.raises(ContactConflictError):
        workspace.update_contact(other.contact_id, ContactDraft("Ann", external_id="client_1"))
    set_beside = workspace.update_contact(contact_id, ContactDraft("Ann", external_id="client_1"))
    assert set_beside.external_id == "client_1", "unique for each source"


def test_an_update_sent_twice_does_no_harm(workspace: Workspace) -> None:
    made = workspace.create_contact(make_draft(workspace))
    draft = ContactDraft("Anna", phones=made.phones)
    assert workspace.update_contact(made.contact_id, draft) == workspace.update_contact(made.contact_id, draft)


def test_a_custom_field_nobody_defined_is_refused_as_a_whole(workspace: Workspace) -> None:
    draft = replace(make_draft(workspace), custom_fields=(RemoteField("f" * 24, "x"),))
    with pytest.raises(ContactError) as caught:
        workspace.create_contact(draft)
    assert (caught.value.status, caught.value.code) == (400, "0801400")
    assert list(workspace.read_contacts()) == []


def test_what_does_not_exist_is_gone(workspace: Workspace) -> None:
    with pytest.raises(ContactGoneError):
        workspace.read_contact(NOBODY)
    with pytest.raises(ContactGoneError):
        workspace.update_contact(NOBODY, ContactDraft("Ann"))
    workspace.delete_contact(NOBODY)
    assert workspace.find_contacts(["client_1"]) == ()


def test_a_deleted_contact_is_gone_and_its_external_id_free(workspace: Workspace) -> None:
    draft = make_draft(workspace)
    made = workspace.create_contact(draft)
    workspace.delete_contact(made.contact_id)
    workspace.delete_contact(made.contact_id)
    with pytest.raises(ContactGoneError):
        workspace.read_contact(made.contact_id)
    assert list(workspace.read_contacts()) == []
    assert workspace.create_contact(draft).contact_id != made.contact_id


def test_what_an_integration_owns_is_read_only(world: World) -> None:
    contact_id = world.add(ContactDraft("Ann", source="openphone-clio"))
    assert world.workspace.read_contact(contact_id).first_name == "Ann"
    with pytest.raises(ContactForbiddenError):
        world.workspace.update_contact(contact_id, ContactDraft("Anna"))
    with pytest.raises(ContactForbiddenError):
        world.workspace.delete_contact(contact_id)


def test_a_list_has_every_contact_once_whoever_made_it(world: World) -> None:
    made = {world.add(ContactDraft(f"Person {number}", source=("ios", None)[number % 2])) for number in range(120)}
    listed = [one.contact_id for one in world.workspace.read_contacts()]
    assert len(listed) == 120
    assert set(listed) == made


def test_only_the_external_ids_asked_for_are_found(world: World) -> None:
    for number in range(30):
        world.add(ContactDraft("Ann", external_id=f"client_{number}"))
    wanted = [f"client_{number}" for number in range(25)]
    found = world.workspace.find_contacts([*wanted, "client_99"])
    assert sorted(one.external_id or "" for one in found) == sorted(wanted)


def test_a_copy_from_a_list_counts_as_old(workspace: Workspace) -> None:
    made = workspace.create_contact(make_draft(workspace))
    [listed] = workspace.read_contacts()
    assert listed == made
    assert listed.read_at_s <= made.read_at_s


def test_a_workspace_is_known_by_its_numbers(workspace: Workspace) -> None:
    assert workspace.read_identity()
    assert workspace.read_identity() == workspace.read_identity()


def test_requests_are_counted_by_method(workspace: Workspace) -> None:
    made = workspace.create_contact(ContactDraft("Ann", external_id="client_1", source="ours"))
    workspace.read_contact(made.contact_id)
    workspace.update_contact(made.contact_id, ContactDraft("Ann"))
    workspace.delete_contact(made.contact_id)
    counts = workspace.request_counts()
    assert {name: counts[name] for name in ("GET", "POST", "PATCH", "DELETE")} == {
        "GET": 1, "POST": 1, "PATCH": 1, "DELETE": 1,
    }  # fmt: skip
