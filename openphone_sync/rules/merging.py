"""Three-way merge of one contact: base (what we last wrote), theirs (the contact now), ours (the mapped row). Pure.

Ours are first name, company, role, the items that we wrote and the mapped custom fields. Everything else belongs to
the people who use the phone app and is carried through with its item ids, because PATCH replaces whole arrays.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial

from openphone_sync.model import (
    Conflict,
    ContactDraft,
    ContactValues,
    DesiredContact,
    FieldChange,
    FieldValue,
    Item,
    Json,
    Merged,
    RemoteContact,
    RemoteField,
    RemoteItem,
)

APP_SUFFIX = " (app)"
"""Added to the label of a phone or e-mail that a person typed where the source changed the same item."""

SOURCE, REMOTE = "source", "remote"

_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?Z")


@dataclass(frozen=True, slots=True)
class MergeRules:
    """Policies (OPENPHONE_ON_REMOTE_EDIT, OPENPHONE_ON_CONFLICT) and how phones compare.

    ``field_names`` gives custom fields by key the names that staff know, for `FieldChange` and `Conflict`.
    """

    normalise_phone: Callable[[str], str]
    overwrite_edits: bool = False
    source_wins: bool = True
    field_names: Mapping[str, str] = field(default_factory=dict)


class Footing(Enum):
    """On what ground the merge stands."""

    BASED = auto()  # we wrote this contact before and know what
    OWN = auto()  # our earlier contact, but nobody remembers what was written: every difference is a conflict
    PERSONS = auto()  # a person's contact that we join: fill what is empty, keep the rest


def merge(
    base: ContactValues | None, theirs: RemoteContact, desired: DesiredContact, rules: MergeRules, *, own: bool
) -> Merged:
    """What to send so that ``theirs`` follows the source and nothing that a person entered is lost.

    ``own`` tells, where there is no base, an earlier contact of ours from a person's. No changes in the result means
    that nothing needs sending.
    """
    footing = Footing.BASED if base else Footing.OWN if own else Footing.PERSONS
    return _Merge(base or desired.values, theirs, desired, rules, footing).merged()


def make_first_draft(desired: DesiredContact, source: str) -> ContactDraft:
    """The contact to create: only what the source has."""
    values = desired.values
    return ContactDraft(
        first_name=values.first_name,
        company=values.company,
        role=values.role,
        phones=tuple(RemoteItem(item.label, item.value) for item in values.phones),
        emails=tuple(RemoteItem(item.label, item.value) for item in values.emails),
        custom_fields=tuple(
            RemoteField(key, to_json(value)) for key, value in values.custom_fields if value is not None
        ),
        external_id=desired.external_id,
        source=source,
    )


def make_changes(before: RemoteContact | None, draft: ContactDraft, rules: MergeRules) -> tuple[FieldChange, ...]:
    """What the draft alters, field by field; everything for a contact that does not exist yet."""
    old = before or RemoteContact("")
    pairs: list[tuple[str, Json, Json]] = [
        ("firstName", old.first_name, draft.first_name),
        ("lastName", old.last_name, draft.last_name),
        ("company", old.company, draft.company),
        ("role", old.role, draft.role),
        ("phoneNumbers", _shown(old.phones), _shown(draft.phones)),
        ("emails", _shown(old.emails), _shown(draft.emails)),
    ]
    was = {one.address: one.value for one in old.custom_fields}
    for one in draft.custom_fields:
        name = rules.field_names.get(one.address, one.address)
        pairs.append((f"customFields.{name}", was.get(one.address), one.value))
    if draft.touches_external_id:
        pairs.append(("externalId", old.external_id, draft.external_id))
    return tuple(FieldChange(*pair) for pair in pairs if _canonical(pair[1]) != _canonical(pair[2]))


def find_differences(draft: ContactDraft, answer: RemoteContact, rules: MergeRules) -> tuple[str, ...]:
    """Names of the fields in which an answer is not what was sent; a 2xx alone proves nothing."""
    checks = {
        "firstName": _fold(draft.first_name) == _fold(answer.first_name),
        "lastName": _fold(draft.last_name) == _fold(answer.last_name),
        "company": _fold(draft.company) == _fold(answer.company),
        "role": _fold(draft.role) == _fold(answer.role),
        "phoneNumbers": _keys(draft.phones, rules.normalise_phone) == _keys(answer.phones, rules.normalise_phone),
        "emails": _keys(draft.emails, fold_email) == _keys(answer.emails, fold_email),
        "customFields": _field_values(draft.custom_fields) == _field_values(answer.custom_fields),
        "externalId": answer.external_id == draft.external_id or not draft.touches_external_id,
    }
    return tuple(name for name, equal in checks.items() if not equal)


def fold_email(address: str) -> str:
    """The form in which two addresses are compared."""
    return address.strip().casefold()


def to_json(value: FieldValue | None) -> Json:
    """A custom field's value as the API takes it."""
    return list(value) if isinstance(value, tuple) else value


class _Merge:
    """One contact being merged; collects conflicts and warnings on the way."""

    def __init__(
        self, base: ContactValues, theirs: RemoteContact, desired: DesiredContact, rules: MergeRules, footing: Footing
    ) -> None:
        self.base = base
        self.theirs = theirs
        self.desired = desired
        self.ours = desired.values
        self.rules = rules
        self.footing = footing
        self.conflicts: list[Conflict] = []
        self.warnings: list[str] = []

    def merged(self) -> Merged:
        phones, base_phones = self._phones()
        emails, base_emails = self._items("emails", self.base.emails, self.theirs.emails, self.ours.emails, fold_email)
        draft = ContactDraft(
            first_name=self._first_name(),
            last_name=self.theirs.last_name,
            company=self._scalar("company", self.base.company, self.theirs.company, self.ours.company),
            role=self._scalar("role", self.base.role, self.theirs.role, self.ours.role),
            phones=phones,
            emails=emails,
            custom_fields=self._custom_fields(),
            other_fields=self.theirs.other_fields,
            external_id=self.desired.external_id if self._joins() else None,
        )
        return Merged(
            draft=draft,
            base=replace(self.ours, phones=base_phones, emails=base_emails),
            changes=make_changes(self.theirs, draft, self.rules),
            conflicts=tuple(self.conflicts),
            warnings=tuple(self.warnings),
        )

    def _joins(self) -> bool:
        """Adoption sets the external id only where there is none."""
        return self.footing is Footing.PERSONS and not self.theirs.external_id

    # --- scalars ---------------------------------------------------------------------------------------------------

    def _first_name(self) -> str | None:
        theirs = self.theirs
        if self.footing is Footing.PERSONS and theirs.display_name.strip():
            return theirs.first_name
        # A person who fills in the last name has made the name theirs: a conflict leaves it alone.
        return self._scalar(
            "firstName", self.base.first_name, theirs.first_name, self.ours.first_name, yields=bool(theirs.last_name)
        )

    def _scalar(self, name: str, base: str, theirs: str | None, ours: str, *, yields: bool = False) -> str | None:
        if _fold(theirs) == _fold(ours):
            return theirs
        if self.footing is Footing.PERSONS:
            return theirs if _fold(theirs) else ours
        if self.footing is Footing.OWN:
            return ours if not _fold(theirs) else self._conflict(name, theirs, ours, ours_wins=not yields)
        if _fold(base) == _fold(theirs):
            return ours
        if _fold(base) == _fold(ours):
            return ours if self.rules.overwrite_edits else theirs
        return self._conflict(name, theirs, ours, ours_wins=not yields)

    def _conflict(self, name: str, theirs: str | None, ours: str, *, ours_wins: bool = True) -> str | None:
        if ours_wins and self.rules.source_wins:
            self.conflicts.append(Conflict(name, SOURCE, theirs))
            return ours
        self.conflicts.append(Conflict(name, REMOTE, ours))
        return theirs

    # --- items -----------------------------------------------------------------------------------------------------

    def _phones(self) -> tuple[tuple[RemoteItem, ...], tuple[Item, ...]]:
        """Phones; text that is no number leaves them alone, and the last one is never removed."""
        ours = self.ours.phones
        base = self.base.phones if self.footing is Footing.BASED else ()
        if self.desired.phones_unusable:
            self._warn_kept()
            ours = base
        items, kept = self._items("phoneNumbers", base, self.theirs.phones, ours, self.rules.normalise_phone)
        if any(item.value for item in self.theirs.phones) and not any(item.value for item in items):
            self._warn_kept()
            return self.theirs.phones, base
        return items, kept

    def _warn_kept(self) -> None:
        self.warnings.append(
            f"{self.desired.external_id}: no usable phone in the source, so the contact's numbers stay; "
            "mend it in the client table"
        )

    def _items(
        self,
        name: str,
        base: Sequence[Item],
        theirs: Sequence[RemoteItem],
        ours: Sequence[Item],
        key: Callable[[str], str],
    ) -> tuple[tuple[RemoteItem, ...], tuple[Item, ...]]:
        known = base if self.footing is Footing.BASED else ()
        merging = _ItemMerge(known, theirs, ours, key)
        merge_label = partial(self._label, name)
        merging.meet(merge_label)
        merging.replace_dropped(merge_label, source_wins=self.rules.source_wins)
        merging.restore(overwrite=self.rules.overwrite_edits and self.footing is Footing.BASED)
        if self.footing is not Footing.PERSONS:
            merging.displace(source_wins=self.rules.source_wins)
        merging.append_new()
        merging.remove_dropped()
        if merging.conflicted:
            self.conflicts.append(Conflict(name, SOURCE if self.rules.source_wins else REMOTE))
        return tuple(merging.result), tuple(ours)

    def _label(self, name: str, base: str | None, theirs: str, ours: str) -> str:
        """A label that a person changed stays theirs, unless the source changed it too."""
        if base is None or _fold(theirs) == _fold(ours):
            return theirs
        return self._scalar(f"{name}.name", base, theirs, ours) or ours

    # --- custom fields -----------------------------------------------------------------------------------------------

    def _custom_fields(self) -> tuple[RemoteField, ...]:
        base = dict(self.base.custom_fields) if self.footing is Footing.BASED else {}
        ours = dict(self.ours.custom_fields)
        result: list[RemoteField] = []
        for one in self.theirs.custom_fields:
            if one.key in ours:
                value = self._custom_field(one.key, base, one.value, ours.pop(one.key))
                one = replace(one, value=value)  # noqa: PLW2901
            result.append(one)
        for key, wanted in ours.items():
            value = self._custom_field(key, base, None, wanted)
            if not _empty(value):
                result.append(RemoteField(key, value))
        return tuple(result)

    def _custom_field(
        self, key: str, base: Mapping[str, FieldValue | None], theirs: Json, wanted: FieldValue | None
    ) -> Json:
        ours = to_json(wanted)
        if _canonical(theirs) == _canonical(ours):
            return theirs
        if _empty(theirs) and key not in base:
            return ours
        if self.footing is Footing.PERSONS:
            return theirs
        was = _canonical(to_json(base.get(key)))
        if key in base and was == _canonical(theirs):
            return ours
        if key in base and was == _canonical(ours):
            return ours if self.rules.overwrite_edits else theirs
        return self._custom_conflict(key, theirs, ours, never_ours=key not in base and self.footing is Footing.BASED)

    def _custom_conflict(self, key: str, theirs: Json, ours: Json, *, never_ours: bool) -> Json:
        """NULL clears only what we wrote; a field that was never ours keeps what a person put there."""
        name = f"customFields.{self.rules.field_names.get(key, key)}"
        if _empty(ours) and key not in self.desired.denied:
            return theirs
        if never_ours or not self.rules.source_wins:
            self.conflicts.append(Conflict(name, REMOTE, ours))
            return theirs
        self.conflicts.append(Conflict(name, SOURCE, theirs))
        return ours


class _ItemMerge:
    """Phones or e-mails of one contact being merged, step by step; ``result`` keeps their order.

    An item is the same when its normalised value is the same, else when our label of the base tells.
    """

    def __init__(
        self, base: Sequence[Item], theirs: Sequence[RemoteItem], ours: Sequence[Item], key: Callable[[str], str]
    ) -> None:
        self.key = key
        self.base = {key(item.value): item for item in base}
        self.result = list(theirs)
        self.ours = {key(item.value): item for item in ours}
        self.new = [item for value, item in self.ours.items() if value not in self.base]
        self.dropped = [item for value, item in self.base.items() if value not in self.ours]
        self.settled: set[int] = set()  # positions in result that have met an item of ours
        self.conflicted = False

    def meet(self, merge_label: Callable[[str | None, str, str], str]) -> None:
        """Items with one value on both sides: only the label can differ."""
        for value, item in self.ours.items():
            at = self._position(value)
            if at is None:
                continue
            base = self.base.get(value)
            label = merge_label(base.label if base else None, self.result[at].label, item.label)
            self._put(at, replace(self.result[at], label=label))
            self.new = [one for one in self.new if one is not item]

    def replace_dropped(self, merge_label: Callable[[str | None, str, str], str], *, source_wins: bool) -> None:
        """A value that the source exchanged for another one moves within its item."""
        for gone, item in self._exchanges():
            at = self._position(self.key(gone.value))
            if at is not None:
                label = merge_label(gone.label, self.result[at].label, item.label)
                self._put(at, replace(self.result[at], label=label, value=item.value))
                self._settle_exchange(gone, item)
                continue
            at = self._labelled(gone.label)
            if at is not None:
                self._settle_exchange(gone, item)
                self._displace(at, item, source_wins=source_wins)

    def restore(self, *, overwrite: bool) -> None:
        """Items of ours that a person removed or retyped stay so, unless the policy says otherwise."""
        if not overwrite:
            return
        for value, item in self.ours.items():
            if value in self.base and not self._holds(value):
                at = self._labelled(self.base[value].label)
                if at is None:
                    self.new.append(item)
                else:
                    self._put(at, replace(self.result[at], label=item.label, value=item.value))

    def displace(self, *, source_wins: bool) -> None:
        """A new item of ours whose label another value carries: both stay, the other one as a further item."""
        if self.base:
            return
        for item in list(self.new):
            at = self._labelled(item.label)
            if at is not None:
                self.new.remove(item)
                self._displace(at, item, source_wins=source_wins)

    def append_new(self) -> None:
        """What the source added."""
        for item in self.new:
            self._put(len(self.result), RemoteItem(item.label, item.value))

    def remove_dropped(self) -> None:
        """What the source removed; with its id and no value, so that an API that merges removes it too."""
        for item in self.dropped:
            at = self._position(self.key(item.value))
            if at is not None:
                self._put(at, replace(self.result[at], value=None))
        self.result = [item for item in self.result if item.value is not None or item.item_id is not None]

    def _displace(self, at: int, item: Item, *, source_wins: bool) -> None:
        typed = self.result[at]
        self.conflicted = True
        if not source_wins:
            self.settled.add(at)
            return
        label = typed.label if typed.label.endswith(APP_SUFFIX) else typed.label + APP_SUFFIX
        self._put(at, replace(typed, label=item.label, value=item.value))
        self._put(len(self.result), RemoteItem(label, typed.value, extra=typed.extra))

    def _exchanges(self) -> list[tuple[Item, Item]]:
        """Dropped items with the new item that takes their place: by label first, then in order."""
        pairs: list[tuple[Item, Item]] = []
        gone, new = list(self.dropped), list(self.new)
        for one in list(gone):
            match = next((item for item in new if item.label == one.label), None)
            if match is not None:
                pairs.append((one, match))
                gone.remove(one)
                new.remove(match)
        return pairs + list(zip(gone, new, strict=False))

    def _settle_exchange(self, gone: Item, item: Item) -> None:
        self.dropped.remove(gone)
        self.new.remove(item)

    def _position(self, value: str) -> int | None:
        """Where their item with this normalised value stands, if no other item of ours has met it."""
        for at, item in enumerate(self.result):
            if at not in self.settled and item.value is not None and self.key(item.value) == value:
                return at
        return None

    def _holds(self, value: str) -> bool:
        """Whether some item carries this normalised value, whoever has met it."""
        return any(item.value is not None and self.key(item.value) == value for item in self.result)

    def _labelled(self, label: str) -> int | None:
        """Where an item with our label stands whose value is neither ours nor the base's: a person retyped it."""
        for at, item in enumerate(self.result):
            if at in self.settled or item.value is None or _fold(item.label) != _fold(label):
                continue
            if self.key(item.value) not in self.ours and self.key(item.value) not in self.base:
                return at
        return None

    def _put(self, at: int, item: RemoteItem) -> None:
        if at == len(self.result):
            self.result.append(item)
        else:
            self.result[at] = item
        self.settled.add(at)


def _fold(text: str | None) -> str:
    """Texts that differ only in composition or white space are equal; None equals empty."""
    return " ".join(unicodedata.normalize("NFC", text or "").split())


def _empty(value: Json) -> bool:
    return value is None or value in ("", [], {})


def _canonical(value: Json) -> object:
    """A value in the form in which two are compared: dates by their day, numbers by size, options as a set."""
    if _empty(value):
        return None
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, int | float):
        return ("number", float(value))
    if isinstance(value, list):
        return ("list", tuple(sorted(repr(_canonical(one)) for one in value)))
    if isinstance(value, str):
        return _find_day(value) or _fold(value)
    return repr(value)


def _find_day(text: str) -> str | None:
    """The day that a date-time of a custom field means: that of the nearest midnight UTC, noon being its own day.

    The app stores the local midnight of whoever picks a date; a run writes noon, and once wrote midnight UTC.
    """
    if not _DATE_TIME.fullmatch(text):
        return None
    try:
        return (datetime.fromisoformat(text) + timedelta(hours=12) - timedelta(microseconds=1)).date().isoformat()
    except (ValueError, OverflowError):  # the 30th of February, the last day of the calendar
        return None


def _shown(items: Iterable[RemoteItem]) -> Json:
    return [{"name": item.label, "value": item.value} for item in items if item.value is not None]


def _keys(items: Iterable[RemoteItem], key: Callable[[str], str]) -> list[tuple[str, str]]:
    return sorted((_fold(item.label), key(item.value)) for item in items if item.value)


def _field_values(fields: Iterable[RemoteField]) -> dict[str, object]:
    return {one.address: _canonical(one.value) for one in fields if not _empty(one.value)}
