"""An OpenPhone workspace in memory, as `ports.Workspace`: what is stored, what lists show, and what goes wrong on the way.

PATCH replaces, external ids are unique for each source, lists lag behind and come in pages that shift, an answer can be
lost before or after the write, a creation can arrive late. Staff use `add`, `edit` and `remove`, which nobody refuses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Protocol

from openphone_sync.errors import (
    AnswerLostError,
    ContactConflictError,
    ContactError,
    ContactForbiddenError,
    ContactGoneError,
    NotSentError,
    RefusedError,
    UnreachableError,
)
from openphone_sync.model import ContactDraft, FieldDefinition, RemoteContact, RemoteField, RemoteItem
from tests.simulator.scheduler import REQUEST, Scheduler

LIST_LAG_S = 2.5

FIELDS = tuple(
    FieldDefinition(f"key{number:02}", name, kind)
    for number, (name, kind) in enumerate(
        [
            ("Client Type", "string"),
            ("Date of Birth", "date"),
            ("County", "string"),
            ("Intake Date", "date"),
            ("Case Type", "string"),
            ("Arrested", "string"),
            ("Currently Incarcerated", "string"),
            ("Primary Client Name", "string"),
            ("Relationship", "string"),
            ("Contact Person Name", "string"),
            ("Alt Contact Number", "number"),
            ("Notes", "string"),
        ]
    )
)
KEYS = {definition.name: definition.key for definition in FIELDS}
OF_OTHERS = "crm-of-another-tool"
OF_INTEGRATION = "openphone-clio"


@dataclass
class Weather:
    """How often something goes wrong with a request (0 to 1), and what is refused for now."""

    lost_before: float = 0.0
    lost_after: float = 0.0
    late: float = 0.0
    refused: float = 0.0
    unreachable: float = 0.0
    forbidden: frozenset[str] = frozenset()
    forbids_all: bool = False
    rejects_key: bool = False


class Witness(Protocol):
    """Sees every write that the workspace accepts."""

    def created(self, contact: RemoteContact, thread: dict[str, object]) -> None:
        """A POST was carried out."""

    def patched(
        self, before: RemoteContact, after: RemoteContact, read_at: int | None, thread: dict[str, object]
    ) -> None:
        """A PATCH was carried out; ``read_at`` is the number of the read right before it in the same thread."""

    def deleted(self, contact: RemoteContact, read_at: int | None) -> None:
        """A DELETE was carried out."""


class _Nobody:
    """A witness who looks away."""

    def created(self, contact: RemoteContact, thread: dict[str, object]) -> None:
        pass

    def patched(
        self, before: RemoteContact, after: RemoteContact, read_at: int | None, thread: dict[str, object]
    ) -> None:
        pass

    def deleted(self, contact: RemoteContact, read_at: int | None) -> None:
        pass


@dataclass
class _Listed:
    """What a list shows of one contact: its versions, the latest last, with the moment of each."""

    versions: list[tuple[float, RemoteContact | None]] = field(default_factory=list)

    def at(self, moment: float) -> RemoteContact | None:
        found = None
        for since, contact in self.versions:
            if since <= moment:
                found = contact
        return found


class Workspace:
    """All contacts. ``ticks`` numbers everything that happens to them, so that the order is known exactly."""

    def __init__(self, witness: Witness, *, page_size: int = 50, holds_deleted: bool = False) -> None:
        self.contacts: dict[str, RemoteContact] = {}
        self.weather = Weather()
        self.writes: list[str] = []
        self.ticks = 0
        self.witness = witness
        self.page_size = page_size
        self.holds_deleted = holds_deleted
        self._held: set[tuple[str | None, str]] = set()
        self._listed: dict[str, _Listed] = {}
        self._late: list[tuple[float, ContactDraft, dict[str, object]]] = []
        self._made = 0

    # --- the app -----------------------------------------------------------------------------------------------------

    def add(self, contact: RemoteContact, now: float) -> RemoteContact:
        """A contact that did not come through this API; its id and the ids of its items are given here."""
        return self._put(replace(contact, contact_id=self._next_id("c")), now)

    def edit(self, contact: RemoteContact, now: float) -> None:
        """Store a contact as a person changed it."""
        self._put(contact, now)

    def remove(self, contact_id: str, now: float) -> RemoteContact:
        """A person deletes a contact."""
        self.ticks += 1
        contact = self.contacts.pop(contact_id)
        self._listed[contact_id].versions.append((now, None))
        if self.holds_deleted and contact.external_id:
            self._held.add((contact.source, contact.external_id))
        return contact

    def listed(self, moment: float) -> list[RemoteContact]:
        """What a list shows, the newest first."""
        found = [entry.at(moment) for entry in reversed(self._listed.values())]
        return [contact for contact in found if contact is not None]

    def copy(self) -> Workspace:
        """The same contents, apart from this one and without a witness."""
        other = Workspace(_Nobody(), page_size=self.page_size, holds_deleted=self.holds_deleted)
        other.contacts = dict(self.contacts)
        other._listed = {key: _Listed(list(entry.versions)) for key, entry in self._listed.items()}
        other._held, other._made = set(self._held), self._made
        return other

    def release_ids(self) -> None:
        """Deleted contacts give their external ids free."""
        self._held.clear()
        self.holds_deleted = False

    # --- the API, past all that can go wrong -------------------------------------------------------------------------

    def carry_out_late(self, now: float) -> None:
        """Creations that were on their way when their answer was given up."""
        due = [entry for entry in self._late if entry[0] <= now]
        self._late = [entry for entry in self._late if entry[0] > now]
        for moment, draft, thread in due:
            if not self._is_taken(draft.source, draft.external_id, ""):
                self._create(draft, moment, thread)

    def send_late(self, draft: ContactDraft, moment: float, thread: dict[str, object]) -> None:
        """A creation that will arrive at that moment."""
        self._late.append((moment, draft, {**thread, "late": True}))

    def get(self, contact_id: str) -> RemoteContact:
        """As it is."""
        if contact_id not in self.contacts:
            raise ContactGoneError("no such contact", status=404, code="0800404")
        return self.contacts[contact_id]

    def create(self, draft: ContactDraft, now: float, thread: dict[str, object]) -> RemoteContact:
        """POST."""
        if self.weather.forbids_all:
            raise ContactForbiddenError("forbidden", status=403, code="0800403")
        if self._is_taken(draft.source, draft.external_id, ""):
            raise ContactConflictError("conflict", status=409, code="0800409")
        return self._create(draft, now, thread)

    def patch(
        self, contact_id: str, draft: ContactDraft, now: float, read_at: int | None, thread: dict[str, object]
    ) -> RemoteContact:
        """PATCH: everything that the draft has replaces what was there."""
        before = self.get(contact_id)
        self._check_writable(before)
        external_id = draft.external_id if draft.touches_external_id else before.external_id
        if draft.external_id is not None and self._is_taken(before.source, draft.external_id, contact_id):
            raise ContactConflictError("conflict", status=409, code="0800409")
        after = replace(
            before,
            external_id=external_id,
            first_name=draft.first_name,
            last_name=draft.last_name,
            company=draft.company,
            role=draft.role,
            phones=self._keep_items(draft.phones),
            emails=self._keep_items(draft.emails),
            custom_fields=_keep_fields(draft.custom_fields),
            other_fields=draft.other_fields,
            source_url=before.source_url if draft.source_url is None else draft.source_url or None,
        )
        self._put(after, now)
        self.writes.append(f"PATCH {contact_id}")
        self.witness.patched(before, after, read_at, thread)
        return after

    def delete(self, contact_id: str, now: float, read_at: int | None) -> None:
        """DELETE; one that is gone counts as deleted."""
        if contact_id not in self.contacts:
            return
        self._check_writable(self.contacts[contact_id])
        contact = self.remove(contact_id, now)
        self.writes.append(f"DELETE {contact_id}")
        self.witness.deleted(contact, read_at)

    def _create(self, draft: ContactDraft, now: float, thread: dict[str, object]) -> RemoteContact:
        contact = RemoteContact(
            self._next_id("c"),
            external_id=draft.external_id,
            source=draft.source or "public-api",
            first_name=draft.first_name,
            last_name=draft.last_name,
            company=draft.company,
            role=draft.role,
            phones=self._keep_items(draft.phones),
            emails=self._keep_items(draft.emails),
            custom_fields=_keep_fields(draft.custom_fields),
            other_fields=draft.other_fields,
            source_url=draft.source_url,
        )
        self._put(contact, now)
        self.writes.append(f"POST {draft.external_id}")
        self.witness.created(contact, thread)
        return contact

    def _check_writable(self, contact: RemoteContact) -> None:
        if is_integration(contact) or self.weather.forbids_all or contact.contact_id in self.weather.forbidden:
            raise ContactForbiddenError("forbidden", status=403, code="0800403")

    def _is_taken(self, source: str | None, external_id: str | None, contact_id: str) -> bool:
        if external_id is None:
            return False
        if (source, external_id) in self._held:
            return True
        return any(
            contact.external_id == external_id and contact.source == source and contact.contact_id != contact_id
            for contact in self.contacts.values()
        )

    def _keep_items(self, items: Sequence[RemoteItem]) -> tuple[RemoteItem, ...]:
        return tuple(
            item if item.item_id else replace(item, item_id=self._next_id("i"))
            for item in items
            if item.value is not None
        )

    def _put(self, contact: RemoteContact, now: float) -> RemoteContact:
        self.ticks += 1
        contact = replace(contact, phones=self._keep_items(contact.phones), emails=self._keep_items(contact.emails))
        self.contacts[contact.contact_id] = contact
        self._listed.setdefault(contact.contact_id, _Listed()).versions.append((now, contact))
        return contact

    def _next_id(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}{self._made:05}"


def is_integration(contact: RemoteContact) -> bool:
    """Whether a native integration owns it: nobody else may write it."""
    return (contact.source or "").startswith("openphone-")


def _keep_fields(fields: Sequence[RemoteField]) -> tuple[RemoteField, ...]:
    return tuple(one for one in fields if one.value is not None)


class Connection:
    """`ports.Workspace`: what one run has of a workspace, with everything that can go wrong."""

    def __init__(self, workspace: Workspace, scheduler: Scheduler, chance: Random) -> None:
        self._workspace = workspace
        self._scheduler = scheduler
        self._chance = chance
        self._counts: Counter[str] = Counter()

    def request_counts(self) -> Mapping[str, int]:
        """Requests sent so far."""
        return dict(self._counts)

    def close(self) -> None:
        """Nothing is open."""

    def read_identity(self) -> frozenset[str]:
        """Ids of the workspace's phone numbers."""
        self._read()
        return frozenset({"PN1", "PN2"})

    def read_field_definitions(self) -> tuple[FieldDefinition, ...]:
        """The custom fields never change."""
        self._read()
        return FIELDS

    def read_contacts(self) -> Iterator[RemoteContact]:
        """Pages of what the list shows at the moment of each: they shift while contacts come and go."""
        offset, seen, size = 0, set[str](), self._workspace.page_size
        while True:
            self._read()
            listed = self._workspace.listed(self._scheduler.now() - LIST_LAG_S)
            page = listed[offset : offset + size]
            for contact in page:
                if contact.contact_id not in seen:
                    seen.add(contact.contact_id)
                    yield replace(contact, read_at_s=self._scheduler.now() - 3600)
            offset += size
            if offset >= len(listed):
                return

    def find_contacts(self, external_ids: Sequence[str]) -> tuple[RemoteContact, ...]:
        """As the list shows them."""
        self._send("GET")
        wanted = set(external_ids)
        listed = self._workspace.listed(self._scheduler.now() - LIST_LAG_S)
        return tuple(contact for contact in listed if contact.external_id in wanted)

    def read_contact(self, contact_id: str) -> RemoteContact:
        """As it is at this moment."""
        self._send("GET")
        contact = self._workspace.get(contact_id)
        self._scheduler.memory["read"] = (contact_id, self._workspace.ticks)
        return self._answered(replace(contact, read_at_s=self._scheduler.now()))

    def create_contact(self, draft: ContactDraft) -> RemoteContact:
        """One POST, at most once."""
        self._forget_read()
        self._send("POST")
        if self._happens(self._workspace.weather.late):
            delay_s = self._chance.uniform(1.0, 12.0)
            self._workspace.send_late(draft, self._scheduler.now() + delay_s, self._scheduler.memory)
            raise AnswerLostError("no answer", code="no answer")
        contact = self._workspace.create(draft, self._scheduler.now(), self._scheduler.memory)
        self._lose_answer()
        return self._answered(contact)

    def update_contact(self, contact_id: str, draft: ContactDraft) -> RemoteContact:
        """PATCH; where the answer is lost it is sent again, as the real adapter does."""
        for _ in range(2):
            try:
                return self._patch(contact_id, draft)
            except AnswerLostError:
                self._scheduler.sleep(self._chance.uniform(1.0, 2.0))
        return self._patch(contact_id, draft)

    def delete_contact(self, contact_id: str) -> None:
        """DELETE; where the answer is lost it is sent again."""
        read_at = self._read_just_now(contact_id)
        for _ in range(2):
            try:
                self._send("DELETE")
                self._workspace.delete(contact_id, self._scheduler.now(), read_at)
                self._lose_answer()
                break
            except AnswerLostError:
                self._scheduler.sleep(self._chance.uniform(1.0, 2.0))
        self._scheduler.step(REQUEST)

    def _patch(self, contact_id: str, draft: ContactDraft) -> RemoteContact:
        read_at = self._read_just_now(contact_id)
        self._send("PATCH")
        thread = self._scheduler.memory
        contact = self._workspace.patch(contact_id, draft, self._scheduler.now(), read_at, thread)
        self._lose_answer()
        return self._answered(contact)

    def _read_just_now(self, contact_id: str) -> int | None:
        """The tick of the thread's read of this contact, if it has sent nothing else since but writes of the same."""
        contact, tick = self._scheduler.memory.get("read", ("", 0))
        return tick if contact == contact_id else None

    def _forget_read(self) -> None:
        self._scheduler.memory.pop("read", None)

    # --- what can go wrong -------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """A GET on which the whole run depends."""
        self._forget_read()
        try:
            self._send("GET")
        except ContactError as error:
            raise UnreachableError(f"OpenPhone cannot be read: {error.message}; try later") from error
        if self._happens(self._workspace.weather.unreachable):
            raise UnreachableError("OpenPhone cannot be read: no answer; try later")

    def _send(self, method: str) -> None:
        if method == "GET":
            self._forget_read()
        self._scheduler.step(REQUEST)
        if self._scheduler.signal:
            raise NotSentError("not sent: the run is stopping", code="stopped")
        self._counts[method] += 1
        weather = self._workspace.weather
        if weather.rejects_key:
            raise RefusedError("OpenPhone refused the key; make another")
        if self._happens(weather.lost_before):
            raise AnswerLostError("no answer", code="no answer")
        if self._happens(weather.refused):
            raise ContactError("bad request", status=400, code="0801400")

    def _lose_answer(self) -> None:
        if self._happens(self._workspace.weather.lost_after):
            self._scheduler.step(REQUEST)
            raise AnswerLostError("no answer", code="no answer")

    def _answered(self, contact: RemoteContact) -> RemoteContact:
        self._scheduler.step(REQUEST)
        return contact

    def _happens(self, share: float) -> bool:
        return share > 0 and self._chance.random() < share
