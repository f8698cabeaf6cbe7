"""The values that travel through a run, in order of appearance.

``Postgres -> ClientRow -> DesiredContact -> Pair <- RemoteContact``, then ``Pair -> Action -> Plan -> Outcome``. All
values are frozen. *Client* is a person in the source, *contact* is OpenPhone's side. Nothing here does I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
else:
    Json = Any  # the decoder of the state resolves annotations at run time and knows no recursive alias
"""What a JSON document can hold."""

FieldValue = str | int | float | bool | tuple[str, ...]
"""A custom field's value: text, number, boolean, or a tuple of options for a multi-select."""


# --- reasons -----------------------------------------------------------------------------------------------------


class Reason(StrEnum):
    """Why a wanted contact is not written, or is written in an unusual way.

    Stored in the state and published as ``code``; the words for people are made where they are printed (`views.words`).
    """

    # the source does not allow it
    NO_NAME = "no_name"
    ID_TOO_LONG = "id_too_long"
    NO_PHONE = "no_phone"
    PHONE_UNUSABLE = "phone_unusable"
    # OpenPhone does not allow it
    OWNED_BY_INTEGRATION = "owned_by_integration"
    FORBIDDEN = "forbidden"  # 403 without a sign of who owns the contact; tried again at each full run
    # a person decided
    DELETED_TWICE = "deleted_twice"  # in the app: not created a third time
    STILL_HELD_BY_DELETED = "still_held_by_deleted"  # written by 0.1.0: deleted in the app, and its id answered 409
    DECIDED_SAME_PERSON = "decided_same_person"  # detail: external id of the row that is written
    DECIDED = "decided"  # linked by a review
    ROLLED_BACK = "rolled_back"  # detail: id of the run that was undone
    FORGOTTEN = "forgotten"
    # held for a person to decide
    SAME_PERSON = "same_person"  # detail: external id of the row that is written
    SEVERAL_CARRY_ID = "several_carry_id"
    ID_OF_OTHER_SOURCE = "id_of_other_source"
    SEVERAL_CANDIDATES = "several_candidates"
    WANTED_BY_ANOTHER = "wanted_by_another"  # another of our people fits the contact as well
    PHONE_OTHER_NAME = "phone_other_name"
    EMAIL_OTHER_NAME = "email_other_name"
    SUFFIX_OR_BIRTH_DIFFERS = "suffix_or_birth_differs"
    NAME_OTHER_PHONE = "name_other_phone"
    # written, and said
    DELETED_ONCE = "deleted_once"  # in the app: created again once
    SLOT_HANDED_OVER = "slot_handed_over"  # another person has the slot now
    NUMBERS_KEPT = "numbers_kept"  # no usable phone in the source: the contact's numbers stay
    # gone from the source
    GONE_FROM_SOURCE = "gone_from_source"
    NOT_OURS = "not_ours"  # never deleted: this tool did not make it
    TYPED_BY_STAFF = "typed_by_staff"  # never deleted: it holds what a person typed
    # a write that did not succeed; detail: what was answered
    WRITE_FAILED = "write_failed"
    # a rollback leaves it alone
    CHANGED_SINCE = "changed_since"
    DELETED_SINCE = "deleted_since"
    EXISTS_AGAIN = "exists_again"
    NOTHING_LEFT = "nothing_left"
    REPLACED_SINCE = "replaced_since"  # another contact is linked in its place


@dataclass(frozen=True, slots=True)
class Why:
    """A reason and, where it needs one, what it refers to: an external id, a run id, an answer. No person's data."""

    reason: Reason
    detail: str = ""


# --- the source --------------------------------------------------------------------------------------------------


class ClientRow(NamedTuple):
    """One row of the client table as Postgres wrote it to JSON (``row_to_json``).

    ``document`` is that JSON text: unchanged rows are recognised by its hash alone and never parsed.
    """

    client_id: str
    document: str


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """Which database and relation the clients come from.

    ``system`` is Postgres' system identifier, empty where the role may not read it; ``host`` then tells.
    """

    system: str
    host: str
    database: str
    relation: str

    def same_as(self, other: SourceIdentity) -> bool:
        """Whether both are one database and relation, as far as can be told."""
        if (self.database, self.relation) != (other.database, other.relation):
            return False
        if self.system and other.system:
            return self.system == other.system
        return self.host == other.host


# --- the mapping: what a row becomes, as data ----------------------------------------------------------------------


class FieldType(StrEnum):
    """Types of custom fields (vendor document, ``GET /v1/contact-custom-fields``)."""

    ADDRESS = "address"
    BOOLEAN = "boolean"
    DATE = "date"
    MULTI_SELECT = "multi-select"
    NUMBER = "number"
    STRING = "string"
    URL = "url"


NUMBER_PLACEHOLDER = "{n}"
"""In the name of a column: the number of a related person (``contact_{n}``)."""


def fold_value(text: str) -> str:
    """The form in which the values of choices and conditions are compared."""
    return " ".join(text.split()).casefold()


def fold_label(name: str) -> str:
    """The form in which names of custom fields are compared: ``date_of_birth`` equals ``Date of  Birth``."""
    return re.sub(r"[\W_]+", "", name).casefold()


@dataclass(frozen=True, slots=True)
class Placeholder:
    """The place of a value in a text: of a choice, else of a column; ``n`` is the number of the related person."""

    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders."""

    parts: tuple[str | Placeholder, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its placeholders, in order."""
        return tuple(part.name for part in self.parts if isinstance(part, Placeholder))


@dataclass(frozen=True, slots=True)
class ValueChoice:
    """A text by the value of a column, upper and lower case folded.

    Values that ``cases`` lists are replaced; ``otherwise`` is for all others, or None: they stay as they are. ``empty`` is
    for no value, or None: as ``otherwise``.
    """

    column: str
    cases: tuple[tuple[str, Template], ...] = ()
    otherwise: Template | None = None
    empty: Template | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it reads."""
        texts = (*(text for _, text in self.cases), self.otherwise, self.empty)
        return (self.column, *(name for text in texts if text for name in text.names))


@dataclass(frozen=True, slots=True)
class ItemRule:
    """A column with phones or e-mail addresses, and the label of the items that it becomes."""

    column: str
    label: Template


@dataclass(frozen=True, slots=True)
class FieldRule:
    """A custom field: ``names`` are those it may have in the app, ``types`` those that hold its values, the best first.

    The value is that of the first of ``columns`` that is there, or ``text``. ``only`` limits it to rows where each column
    (or choice) has one of the values. ``yes``: the value says yes or no, and yes is written like this.
    """

    names: tuple[str, ...]
    types: tuple[FieldType, ...] = (FieldType.STRING,)
    columns: tuple[str, ...] = ()
    text: Template | None = None
    only: tuple[tuple[str, tuple[str, ...]], ...] = ()
    yes: str | None = None
    setting: str = ""  # NAME of OPENPHONE_CF_<NAME>_KEY


@dataclass(frozen=True, slots=True)
class Use:
    """Where a mapping reads something. Of several ``names`` one column must be there; ``by_choice``: it may be a choice."""

    path: str
    names: tuple[str, ...]
    by_choice: bool = False


@dataclass(frozen=True, slots=True)
class PersonRule:
    """What the client, or one related person, becomes."""

    name: Template
    display: Template
    company: Template | None = None
    role: Template | None = None
    source_url: Template | None = None
    phones: tuple[ItemRule, ...] = ()
    emails: tuple[ItemRule, ...] = ()
    fields: tuple[FieldRule, ...] = ()

    def uses(self) -> Iterator[Use]:
        """Every column and choice that it reads, with its key (``phones[0]``)."""
        texts = [("name", self.name), ("company", self.company), ("role", self.role), ("source_url", self.source_url)]
        texts += [("display", self.display)] if self.display != self.name else []
        items = [(f"phones[{at}]", item) for at, item in enumerate(self.phones)]
        items += [(f"emails[{at}]", item) for at, item in enumerate(self.emails)]
        for key, item in items:
            yield Use(key, (item.column,))
            texts.append((key, item.label))
        for at, one in enumerate(self.fields):
            yield from (Use(f"fields[{at}]", (name,), by_choice=True) for name, _ in one.only)
            texts.append((f"fields[{at}]", one.text))
            if one.columns:
                yield Use(f"fields[{at}]", one.columns)
        for key, text in texts:
            yield from (Use(key, (name,), by_choice=True) for name in (text.names if text else ()))


@dataclass(frozen=True, slots=True)
class ContactMapping:
    """A mapping file, checked. ``optional`` are columns that the source may lack."""

    id_column: str
    client: PersonRule
    related: PersonRule | None = None
    choices: tuple[tuple[str, ValueChoice], ...] = ()
    created: tuple[str, ...] = ()
    birth_date: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def persons(self) -> tuple[tuple[str, PersonRule], ...]:
        """The client and, if there are any, related people, each with the name of its table."""
        related = (("related", self.related),) if self.related else ()
        return (("client", self.client), *related)

    def uses(self) -> Iterator[Use]:
        """Every column and choice that is read, with the path of its key (``client.phones[0]``)."""
        yield Use("source.id", (self.id_column,))
        if self.created:
            yield Use("source.created", self.created)
        if self.birth_date:
            yield Use("client.birth_date", self.birth_date)
        for path, rule in self.persons():
            yield from (replace(use, path=f"{path}.{use.path}") for use in rule.uses())


# --- what one client becomes -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """A custom field that staff defined in the app. Keys are opaque (24 hex digits or an epoch), names can repeat.

    ``kind`` is one of `FieldType`, or a type that the API gained later: such a field is carried through, never written.
    """

    key: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Item:
    """A phone (``value`` in E.164) or an e-mail address (as typed) with its label."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class ContactValues:
    """The part of a contact that is ours: what the mapping makes, and, as *base*, what was last written or left.

    ``custom_fields`` are (key, value) pairs ordered by key; a None value means "the source has nothing here", as an empty
    text does elsewhere. ``source_url`` links back to the record (at most 200 characters).
    """

    first_name: str
    company: str
    role: str
    phones: tuple[Item, ...] = ()
    emails: tuple[Item, ...] = ()
    custom_fields: tuple[tuple[str, FieldValue | None], ...] = ()
    source_url: str = ""


@dataclass(frozen=True, slots=True)
class Base:
    """The base of the three-way merge: the mapped values as last seen, and which of them are not ours.

    ``met`` names what was on the contact when we came, or was typed by a person before the row had it. Such a value is
    theirs: NULL in the source does not clear it. Its entries are ``firstName``, ``company``, ``role``, ``sourceUrl``,
    ``phoneNumbers:<E.164>``, ``emails:<folded address>`` and ``customFields:<key>``. Everything else was written by us.
    """

    values: ContactValues
    met: frozenset[str] = frozenset()


class DataFault(StrEnum):
    """What is wrong with a value of the source, though the contact can be written without it."""

    BAD_EMAIL = "bad_email"
    PHONE_PART_UNUSABLE = "phone_part_unusable"
    PHONE_UNASSIGNED = "phone_unassigned"
    FIELD_NOT_CONVERTED = "field_not_converted"
    LINK_TOO_LONG = "link_too_long"


@dataclass(frozen=True, slots=True)
class DataWarning:
    """A value to correct in the source. ``detail`` says what the value is not, without quoting it."""

    code: DataFault
    column: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DesiredContact:
    """A contact as the source wants it.

    ``slot`` is 0 for the client and n for alternate n. ``person`` is the name of the human behind it (an alternate's
    own name, or empty when the source has none), while ``values.first_name`` is what the phone displays.
    ``denied`` holds the keys of custom fields that the source denies outright (false, not NULL).
    ``phones_unusable``: the source has text there that is not a phone, so existing numbers are left alone.
    ``unfit`` says why this contact cannot be created; a linked contact is updated all the same.
    ``seniority`` sorts the older row first.
    """

    external_id: str
    client_id: str
    slot: int
    person: str
    values: ContactValues
    denied: frozenset[str] = frozenset()
    birth_date: str | None = None
    phones_unusable: bool = False
    unfit: Reason | None = None
    seniority: tuple[str, str] = ("", "")
    warnings: tuple[DataWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A contact that the source names but that cannot be made, with the reason."""

    external_id: str
    client_id: str
    slot: int
    why: Why


Wanted = DesiredContact | Skipped


# --- OpenPhone's side --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RemoteItem:
    """A phone or e-mail of a contact. ``extra`` carries keys that this version does not know, untouched."""

    label: str
    value: str | None
    item_id: str | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemoteField:
    """A custom field's value on a contact. ``key`` can be absent on live answers; then ``field_id`` addresses it."""

    key: str | None
    value: Json
    field_id: str | None = None

    @property
    def address(self) -> str:
        """What tells it from the contact's other fields."""
        return self.key or self.field_id or ""


@dataclass(frozen=True, slots=True)
class RemoteContact:
    """A contact as OpenPhone holds it.

    ``other_fields`` are default fields that this version does not know, carried through every write.
    ``read_at_s`` is the monotonic second of reading and takes no part in comparisons.
    """

    contact_id: str
    external_id: str | None = None
    source: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    role: str | None = None
    phones: tuple[RemoteItem, ...] = ()
    emails: tuple[RemoteItem, ...] = ()
    custom_fields: tuple[RemoteField, ...] = ()
    other_fields: Mapping[str, Json] = field(default_factory=dict)
    source_url: str | None = None
    read_at_s: float = field(default=0.0, compare=False)

    @property
    def display_name(self) -> str:
        """First and last name as the app shows them; empty when both are."""
        return " ".join(part for part in (self.first_name, self.last_name) if part)


@dataclass(frozen=True, slots=True)
class ContactDraft:
    """The whole contact to send: PATCH replaces arrays, so what others put there is in here too.

    ``external_id``, ``source`` and ``source_url`` are None where they are not to be touched. ``unset_external_id`` takes
    the external id away, an empty ``source_url`` the link to the record.
    """

    first_name: str | None
    last_name: str | None = None
    company: str | None = None
    role: str | None = None
    phones: tuple[RemoteItem, ...] = ()
    emails: tuple[RemoteItem, ...] = ()
    custom_fields: tuple[RemoteField, ...] = ()
    other_fields: Mapping[str, Json] = field(default_factory=dict)
    external_id: str | None = None
    source: str | None = None
    source_url: str | None = None
    unset_external_id: bool = False

    @property
    def touches_external_id(self) -> bool:
        """Whether the external id is sent: set, or taken away."""
        return self.external_id is not None or self.unset_external_id


# --- what earlier runs know --------------------------------------------------------------------------------------


class Standing(StrEnum):
    """Where a wanted contact stood after the last run that looked at it."""

    LINKED = "linked"
    SKIPPED = "skipped"
    HELD = "held"
    PENDING = "pending"  # a write failed or was left unfinished: the next run tries again
    DECLINED = "declined"  # deleted twice by a person, or decided in a review: not created again
    REVERTED = "reverted"  # rolled back: left alone until the row changes or a review releases it
    ORPHANED = "orphaned"  # the source no longer names it; its contact stays as it is


@dataclass(frozen=True, slots=True)
class Link:
    """One row of the state: a wanted contact, the OpenPhone contact it is tied to, and the base of the merge.

    ``person`` and ``phones`` (E.164) are those of the human it was last judged for: links and decisions follow persons,
    not slots. ``times_gone`` counts how often the contact was found deleted, ``failures`` the runs in a row in which its
    write failed.
    """

    external_id: str
    client_id: str
    slot: int
    standing: Standing
    contact_id: str | None = None
    base: Base | None = None
    person: str = ""
    phones: tuple[str, ...] = ()
    why: Why | None = None
    times_gone: int = 0
    failures: int = 0


class KnownClient(NamedTuple):
    """What the state remembers of a client without looking closer.

    ``fingerprint`` is that of the row when it was last looked at; ``due``: work was left to do, or a person decided
    something, so it is looked at again though its row has not moved. ``linked``, ``skipped`` and ``held`` count its
    wanted contacts.
    """

    client_id: str
    fingerprint: bytes | None
    removed: bool
    due: bool = False
    linked: int = 0
    skipped: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Person:
    """Who a decision was made about: name as in the source (empty where it has none) and phones in E.164, sorted."""

    name: str
    phones: tuple[str, ...] = ()


class Choice(StrEnum):
    """What a person decided about a wanted contact."""

    LINK = "link"  # it is the candidate
    SEPARATE = "separate"  # it is not the candidate
    DECLINE = "decline"  # it is never created again; there is no candidate


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about ``person``, one of the people that this client wants: it follows them to another slot.

    ``candidate`` is a contact id, or the external id of another wanted contact, which was ``candidate_person`` then.
    ``external_id`` is the one that ``person`` had then. ``decided_at`` is a Unix time in seconds.
    """

    client_id: str
    person: Person
    candidate: str
    choice: Choice
    external_id: str
    candidate_person: Person | None = None
    decided_at: float = 0.0


# --- who is who --------------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    """What matching found for one wanted contact."""

    LINKED = "linked"  # the link in the state holds
    OWN = "own"  # our source, but no link: an earlier contact of ours
    ADOPT = "adopt"  # a person's contact for the same human
    CREATE = "create"
    RECREATE = "recreate"  # the linked contact is gone for the first time
    HOLD = "hold"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible duplicate: ``subject`` is a contact id, or the external id of another wanted contact."""

    subject: str
    kind: str  # "phone", "email", "name", "external id", "link", "row"
    score: float
    words: str  # the evidence in words, without a person's data


@dataclass(frozen=True, slots=True)
class Pair:
    """A wanted contact and the remote contact it meets, if any, with the evidence."""

    desired: DesiredContact
    verdict: Verdict
    remote: RemoteContact | None = None
    evidence: tuple[Candidate, ...] = ()
    reason: str = ""


class Tie(StrEnum):
    """How a wanted contact and the remote one that it meets belong together."""

    LINKED = "linked"  # by the state
    OWN = "own"  # our source, but no link: an earlier contact of ours
    ADOPTED = "adopted"  # a person's contact for the same human


@dataclass(frozen=True, slots=True)
class Meets:
    """The wanted contact meets this remote contact."""

    desired: DesiredContact
    contact_id: str
    tie: Tie
    evidence: tuple[Candidate, ...] = ()
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class Makes:
    """No contact fits: one is created. ``again``: the linked one was deleted in the app, for the first time."""

    desired: DesiredContact
    again: bool = False
    evidence: tuple[Candidate, ...] = ()
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class Holds:
    """A person has to decide between creating and one of the candidates."""

    desired: DesiredContact
    why: Why
    evidence: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Skips:
    """Nothing is written, for this reason; ``contact_id`` where a contact is known that cannot be written.

    ``linked``: that contact is its own by the state, and stays so.
    """

    desired: DesiredContact
    why: Why
    evidence: tuple[Candidate, ...] = ()
    contact_id: str | None = None
    linked: bool = False


MatchResult = Meets | Makes | Holds | Skips
"""What matching found for one wanted contact."""


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Two source rows or a row and a contact that resemble each other, for ``problems``."""

    external_id: str
    other: str
    score: float
    words: str


@dataclass(frozen=True, slots=True)
class StaffValue:
    """A value that a person typed on a contact and that the client table does not have.

    ``field`` is ``name``, ``company``, ``role``, ``phoneNumbers``, ``emails`` or ``customFields:<key>``. ``label`` is that of
    a phone or e-mail, or the custom field's name. Phones are in E.164 where they are numbers.
    """

    field: str
    label: str
    value: Json


# --- the plan ----------------------------------------------------------------------------------------------------


class ActionKind(StrEnum):
    """What a run does with one wanted contact, as dry runs, reports and the journal name it."""

    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"
    DELETE = "delete"
    UNCHANGED = "unchanged"
    SKIP = "skip"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after, for ``dry-run`` and ``runs show``. Holds people's data: never logged."""

    field: str
    before: Json
    after: Json


@dataclass(frozen=True, slots=True)
class Conflict:
    """Both sides changed a field; ``kept`` is ``source`` or ``remote``. ``lost`` is the value that gave way."""

    field: str
    kept: str
    lost: Json = None


@dataclass(frozen=True, slots=True)
class Merged:
    """What merging makes of base, theirs and ours: the whole contact to send, and the base to remember.

    ``notes`` say what is unusual about it (`Reason.NUMBERS_KEPT`).
    """

    draft: ContactDraft
    base: Base
    changes: tuple[FieldChange, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    notes: tuple[Why, ...] = ()


@dataclass(frozen=True, slots=True)
class Create:
    """A contact to create from ``draft``. ``link`` is the state row to remember; it gains the new contact's id.

    ``again``: the linked contact was deleted in the app. ``desired`` is None where a rollback restores a deletion.
    """

    link: Link
    draft: ContactDraft
    desired: DesiredContact | None
    evidence: tuple[Candidate, ...] = ()
    why: Why | None = None
    again: bool = False

    @property
    def kind(self) -> ActionKind:
        """As it is reported."""
        return ActionKind.CREATE


@dataclass(frozen=True, slots=True)
class Update:
    """A contact to bring to what the source wants: read, merged over ``link.base`` and patched at its turn.

    ``link`` holds the base as it is before. ``seen`` is the contact as it was listed, if it was, and ``preview`` what
    merging made of that: shown by a dry run, never written. ``expected``: the digest of the contact in a saved plan,
    empty without one.
    """

    link: Link
    desired: DesiredContact
    tie: Tie
    evidence: tuple[Candidate, ...] = ()
    why: Why | None = None
    seen: RemoteContact | None = None
    preview: Merged | None = None
    expected: str = ""

    @property
    def kind(self) -> ActionKind:
        """As it is reported."""
        return ActionKind.UPDATE if self.tie is Tie.LINKED else ActionKind.ADOPT

    @property
    def contact_id(self) -> str:
        """The contact to change."""
        return self.link.contact_id or ""


@dataclass(frozen=True, slots=True)
class Restore:
    """A rollback of an update: each field that still is as ``after`` goes back to ``before``.

    ``link`` is the state row to remember. ``seen`` and ``preview`` as in `Update`.
    """

    link: Link
    contact_id: str
    before: RemoteContact
    after: RemoteContact
    why: Why
    seen: RemoteContact
    preview: Merged

    @property
    def kind(self) -> ActionKind:
        """As it is reported."""
        return ActionKind.UPDATE


@dataclass(frozen=True, slots=True)
class Delete:
    """A contact to delete, if it is then still free of what a person typed.

    ``link`` is the state row to remember, with the base that tells what is ours; ``created`` is the contact as this tool
    created it, where a rollback deletes it: then any change since keeps it.
    """

    link: Link
    contact_id: str
    seen: RemoteContact
    why: Why
    created: RemoteContact | None = None

    @property
    def kind(self) -> ActionKind:
        """As it is reported."""
        return ActionKind.DELETE


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing is sent: unchanged, adopted as it is, skipped or held. ``link`` is the state row to remember."""

    kind: ActionKind
    link: Link
    evidence: tuple[Candidate, ...] = ()
    why: Why | None = None
    conflicts: tuple[Conflict, ...] = ()


Write = Create | Update | Restore | Delete
"""Actions that may send a request that changes something."""

Action = Write | Keep
"""One decided step for one wanted contact; ``link`` names it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A client whose row could not be understood, through a fault of this program: only this client fails."""

    external_id: str
    client_id: str
    message: str


@dataclass(frozen=True, slots=True)
class ClientTally:
    """Clients of a run; ``unchanged`` ones were recognised by their fingerprint."""

    read: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0


# --- the result --------------------------------------------------------------------------------------------------


class Result(StrEnum):
    """How a write ended, as the journal holds it."""

    DONE = "done"
    FAILED = "failed"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class Done:
    """The contact is as it is wanted. ``kind`` says what it took: an update that found nothing left is unchanged.

    ``why`` is for a write that ended as skipped or held after all.
    """

    action: Write
    kind: ActionKind
    contact_id: str | None = None
    conflicts: tuple[Conflict, ...] = ()
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The write failed; the next run tries again. ``status`` is the HTTP status (0: no answer).

    ``code`` is the API's own, or ours in words.
    """

    action: Write
    status: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The linked contact was found deleted at its turn; it is judged again in the same run."""

    action: Update


@dataclass(frozen=True, slots=True)
class Left:
    """Wanted, but not begun when the run ended."""

    action: Write


@dataclass(frozen=True, slots=True)
class Stale:
    """A person changed the contact, or decided about it, since the saved plan was made: it is not written."""

    action: Action


Outcome = Done | Failed | Gone | Left | Stale
"""What came of one write."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to be sent: the contact before, the draft, and the state row that a success leaves.

    ``earlier`` is the state row as it is now.
    """

    kind: ActionKind
    link: Link
    contact_id: str | None = None
    before: RemoteContact | None = None
    draft: ContactDraft | None = None
    earlier: Link | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an intent. ``after`` is the contact that was answered; ``kind`` where it became another action."""

    result: Result
    contact_id: str | None = None
    kind: ActionKind | None = None
    status: int = 0
    code: str = ""
    message: str = ""
    conflicts: tuple[Conflict, ...] = ()
    after: RemoteContact | None = None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One write as the journal holds it. ``result`` is None while nobody knows whether the request was carried out.

    ``before`` is the contact as it was read before the write, ``draft`` what was sent, ``after`` the answer.
    ``link`` is the state row to remember if the write turns out to have happened, ``earlier`` the one before it: a
    rollback puts its base back. Times are in seconds since the epoch.
    """

    entry_id: int
    run_id: str
    external_id: str
    client_id: str
    kind: ActionKind
    contact_id: str | None
    link: Link
    before: RemoteContact | None
    draft: ContactDraft | None
    intended_at: float
    earlier: Link | None = None
    result: Result | None = None
    settled_at: float | None = None
    status: int = 0
    code: str = ""
    message: str = ""
    conflicts: tuple[Conflict, ...] = ()
    after: RemoteContact | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run in the history. ``report`` is the run report's JSON text, None while the run is going on.

    ``undoes`` is the id of the run that a rollback undoes.
    """

    run_id: str
    command: str
    status: str
    started_at: float
    finished_at: float | None = None
    processed: int = 0
    total: int = 0
    report: str | None = None
    undoes: str = ""


# --- stored conversations ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Selection:
    """Which conversations, newest first. ``since`` <= created_at < ``until``, both with a zone.

    ``phone`` is E.164 and met exactly; ``columns`` empty means all, in the table's order.
    """

    since: datetime | None = None
    until: datetime | None = None
    phone: str = ""
    limit: int | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """Some conversations, ready to be written: ``text`` is UTF-8, each of its ``rows`` ends with a line break."""

    rows: int
    text: bytes


@dataclass(frozen=True, slots=True)
class ConversationCounts:
    """What `stats` tells. Times are RFC 3339 in UTC, None without a dated row.

    ``per_month`` is in order (``2026-11``); with ``without_date`` it adds up to ``total``.
    """

    table: str
    total: int
    first: str | None = None
    last: str | None = None
    per_month: tuple[tuple[str, int], ...] = ()
    without_date: int = 0
