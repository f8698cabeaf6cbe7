"""A workspace in memory that keeps the API's real rules: `ports.Workspace` without a socket."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from openphone_sync.errors import ContactConflictError, ContactError, ContactGoneError, ContactOwnedError
from openphone_sync.model import ContactDraft, FieldDefinition, RemoteContact, RemoteField, RemoteItem
from openphone_sync.phones import normalise_phone

NATIVE = "openphone-"
"""Sources of native integrations begin so; their contacts are read-only."""

FIELDS = (FieldDefinition("key-county", "County", "string"), FieldDefinition("key-notes", "Notes", "string"))


class FakeWorkspace:
    """Contacts by id. `add` is the app's door, where no rule asks; all else is the API's."""

    def __init__(self, fields: Sequence[FieldDefinition] = FIELDS) -> None:
        self._fields = tuple(fields)
        self._contacts: dict[str, RemoteContact] = {}
        self._ids = (f"{number:024x}" for number in itertools.count(1))
        self._counts: Counter[str] = Counter()

    def add(self, draft: ContactDraft) -> RemoteContact:
        """A contact as staff or an integration make it."""
        return self._store(next(self._ids), draft, draft.external_id, draft.source)

    def read_identity(self) -> frozenset[str]:
        """Ids of the workspace's phone numbers."""
        self._counts["GET"] += 1
        return frozenset({"PN1", "PN2"})

    def read_field_definitions(self) -> tuple[FieldDefinition, ...]:
        """Custom fields as staff defined them."""
        self._counts["GET"] += 1
        return self._fields

    def read_contacts(self) -> Iterator[RemoteContact]:
        """Every contact, the newest first."""
        self._counts["GET"] += 1
        yield from reversed(self._contacts.values())

    def find_contacts(self, external_ids: Sequence[str]) -> tuple[RemoteContact, ...]:
        """Contacts with these external ids."""
        self._counts["GET"] += 1
        return tuple(one for one in self._contacts.values() if one.external_id in external_ids)

    def read_contact(self, contact_id: str) -> RemoteContact:
        """One contact."""
        self._counts["GET"] += 1
        return self._find(contact_id)

    def create_contact(self, draft: ContactDraft) -> RemoteContact:
        """External ids are unique in the workspace, phones are not."""
        self._counts["POST"] += 1
        self._check(draft, None)
        return self._store(next(self._ids), draft, draft.external_id, draft.source)

    def update_contact(self, contact_id: str, draft: ContactDraft) -> RemoteContact:
        """What the draft leaves out of an array is deleted."""
        self._counts["PATCH"] += 1
        known = self._find_writable(contact_id)
        self._check(draft, contact_id)
        named = draft.external_id is not None or draft.unset_external_id
        external_id = draft.external_id if named else known.external_id
        return self._store(contact_id, draft, external_id, draft.source or known.source)

    def delete_contact(self, contact_id: str) -> None:
        """A contact already gone counts as deleted."""
        self._counts["DELETE"] += 1
        if contact_id in self._contacts:
            self._find_writable(contact_id)
            del self._contacts[contact_id]

    def request_counts(self) -> Mapping[str, int]:
        """Calls so far, by method."""
        return dict(self._counts)

    def close(self) -> None:
        """Nothing to close."""

    def _find(self, contact_id: str) -> RemoteContact:
        if contact_id not in self._contacts:
            raise ContactGoneError("no such contact", status=404)
        return self._contacts[contact_id]

    def _find_writable(self, contact_id: str) -> RemoteContact:
        known = self._find(contact_id)
        if (known.source or "").startswith(NATIVE):
            raise ContactOwnedError("owned by an integration", status=403)
        return known

    def _check(self, draft: ContactDraft, contact_id: str | None) -> None:
        holders = [one for one in self._contacts.values() if one.external_id == draft.external_id]
        if draft.external_id is not None and any(one.contact_id != contact_id for one in holders):
            raise ContactConflictError("the external id is taken", status=409)
        if {one.key for one in draft.custom_fields} - {one.key for one in self._fields}:
            raise ContactError("unknown custom field", status=400, code="0801400")

    def _store(
        self, contact_id: str, draft: ContactDraft, external_id: str | None, source: str | None
    ) -> RemoteContact:
        phones = tuple(replace(item, value=normalise_phone(item.value or "", "US")) for item in draft.phones)
        self._contacts[contact_id] = RemoteContact(
            contact_id=contact_id,
            external_id=external_id,
            source=source,
            first_name=draft.first_name,
            last_name=draft.last_name,
            company=draft.company,
            role=draft.role,
            phones=self._keep(contact_id, phones),
            emails=self._keep(contact_id, draft.emails),
            custom_fields=tuple(one for one in draft.custom_fields if one.value is not None),
            other_fields=draft.other_fields,
        )
        return self._contacts[contact_id]

    def _keep(self, contact_id: str, items: Sequence[RemoteItem]) -> tuple[RemoteItem, ...]:
        """Items with their ids: known ones are kept, others get new ones, those without a value go."""
        known = self._contacts.get(contact_id)
        ids = {item.item_id for item in (*known.phones, *known.emails)} if known else set()
        return tuple(
            item if item.item_id in ids else replace(item, item_id=next(self._ids)) for item in items if item.value
        )


def make_field(fields: Sequence[FieldDefinition], name: str, value: str) -> RemoteField:
    """A value for the custom field of that name."""
    return RemoteField(next(one.key for one in fields if one.name == name), value)
