"""Values of the rules' tests: wanted contacts, contacts of the workspace, links, and what matching makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from openphone_sync.model import (
    Base,
    Choice,
    ContactValues,
    Decision,
    DesiredContact,
    Holds,
    Item,
    Link,
    Makes,
    MatchResult,
    Meets,
    Person,
    RemoteContact,
    RemoteField,
    RemoteItem,
    Skips,
    Standing,
)
from openphone_sync.rules.matching import Known, Matches, MatchingRules, RemoteIndex, match_contacts
from openphone_sync.rules.merging import MergeRules
from openphone_sync.rules.phones import normalise_phone

OURS = "legal-practitioner-app"
P1, P2, P3, P4 = "+12135550101", "+12135550102", "+12135550103", "+12135550104"
RULES = MatchingRules(source=OURS, birth_field="born", person_field="person")


def normalise(text: str) -> str:
    return normalise_phone(text, "US")


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
            custom_fields=(("born", born),) if born else (),
        ),
        birth_date=born,
        **{"seniority": ("2024-01-01", client_id), **more},
    )


def alternate(
    client_id: str, slot: int, person: str, *phones: str, relation: str = "Brother", of: str = "James Smith"
) -> DesiredContact:
    main = client(client_id, f"{of} - {relation}", *phones)
    return replace(main, external_id=f"client_{client_id}_alt_{slot}", slot=slot, person=person)


def in_slot(desired: DesiredContact, slot: int) -> DesiredContact:
    """The same alternate in another slot."""
    return replace(desired, external_id=f"client_{desired.client_id}_alt_{slot}", slot=slot)


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
        base=Base(desired.values),
        person=desired.person,
        phones=person(desired).phones,
    )
    return replace(made, **more)


def person(desired: DesiredContact) -> Person:
    return Person(desired.person, tuple(sorted(item.value for item in desired.values.phones)))


def decision(desired: DesiredContact, candidate: str | DesiredContact, choice: Choice, **more: Any) -> Decision:
    """About the wanted contact as it is now; the candidate is a contact id, or another row."""
    row = candidate if isinstance(candidate, DesiredContact) else None
    subject = row.external_id if row else str(candidate)
    return Decision(
        desired.client_id,
        person(desired),
        subject,
        choice,
        desired.external_id,
        candidate_person=person(row) if row else None,
        **more,
    )


def match(
    wanted: Sequence[DesiredContact],
    contacts: Sequence[RemoteContact] = (),
    *,
    links: Sequence[Link] = (),
    removed: Sequence[str] = (),
    decisions: Sequence[Decision] = (),
    refused: Sequence[str] = (),
    gone: Sequence[str] = (),
    rules: MatchingRules = RULES,
    complete: bool = True,
    retry_refused: bool = False,
    merging: MergeRules | None = None,
) -> Matches:
    """Every client but the removed ones is in the source."""
    in_play = {desired.client_id for desired in wanted}
    known = Known(
        links={one.external_id: one for one in links if one.client_id in in_play},
        owners={one.contact_id: one for one in links if one.contact_id},
        in_source=frozenset({str(n) for n in range(20)} - set(removed)),
        decisions=decisions,
        refused=frozenset(refused),
        gone=frozenset(gone),
        retry_refused=retry_refused,
    )
    return match_contacts(wanted, RemoteIndex(contacts, normalise, complete=complete), known, rules, merging)


def only(desired: DesiredContact, *contacts: RemoteContact, **more: Any) -> MatchResult:
    """The result for one wanted contact."""
    return match([desired], contacts, **more).results[0]


MAKE, MAKE_AGAIN, HOLD, SKIP = ("make", None), ("make again", None), ("hold", None), ("skip", None)
"""What `outcome` returns where no contact is met."""


def outcome(result: MatchResult) -> tuple[str, str | None]:
    """In short: how it is tied to which contact, or what else is done."""
    match result:
        case Meets():
            return result.tie.value, result.contact_id
        case Makes():
            return ("make again" if result.again else "make"), None
        case Holds():
            return "hold", None
        case Skips():
            return "skip", None


def outcomes(matches: Matches) -> list[tuple[str, str | None]]:
    return [outcome(result) for result in matches.results]


def reason_of(result: MatchResult) -> tuple[str, str] | None:
    """Reason and detail."""
    return (result.why.reason.value, result.why.detail) if result.why else None
