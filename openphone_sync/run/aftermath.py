"""The contacts as a run left them, and what people typed on them that the client table lacks."""

from __future__ import annotations

from collections.abc import Mapping

from openphone_sync.model import ActionKind, RemoteContact, Result, Standing
from openphone_sync.rules.merging import MergeRules
from openphone_sync.rules.staff_values import find_staff_values
from openphone_sync.state import Store


def find_contacts_after(listed: Mapping[str, RemoteContact], run_id: str, store: Store) -> dict[str, RemoteContact]:
    """The contacts that were listed before the run wrote, and those that it wrote, as its writes were answered."""
    contacts = dict(listed)
    for entry in store.read_journal(run_id):
        if entry.result is Result.DONE and entry.contact_id:
            if entry.after is not None:
                contacts[entry.contact_id] = entry.after
            elif entry.kind is ActionKind.DELETE:
                contacts.pop(entry.contact_id, None)
    return contacts


def keep_staff_values(contacts: Mapping[str, RemoteContact], rules: MergeRules, store: Store, *, every: bool) -> None:
    """Remember what people typed on these contacts, by contact id. ``every``: they are all that there are."""
    links = store.read_links_standing(Standing.LINKED) if every else store.read_links_of_contacts(contacts)
    found = {
        link.external_id: find_staff_values(link, contacts[link.contact_id], rules)
        for link in links
        if link.contact_id and link.contact_id in contacts
    }
    store.save_staff_values(found, every=every)
