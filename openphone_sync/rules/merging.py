"""Three-way merge of one contact: base (the mapped values as last seen), theirs (the contact now), ours (the row). Pure.

Ours are first name, company, role, the link to the record, the mapped custom fields and the items that we wrote.
Everything else belongs to the people who use the phone app and is carried through with its item ids, because PATCH
replaces whole arrays. So does a mapped value that was there before we came (*met*): NULL in the source does not clear it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from openphone_sync.model import (
    Base,
    Conflict,
    ContactDraft,
    ContactValues,
    DesiredContact,
    FieldChange,
    FieldValue,
    Item,
    Json,
    Merged,
    Reason,
    RemoteContact,
    RemoteField,
    RemoteItem,
    Tie,
    Why,
)
from openphone_sync.rules.comparing import fold_email, fold_text, is_empty, is_midnight, is_same
from openphone_sync.rules.item_merge import REMOTE, SOURCE, ItemRules, MergedItems, merge_items

_SCALARS = {"firstName": "first_name", "company": "company", "role": "role", "sourceUrl": "source_url"}
"""Our plain fields: the API's name and the attribute."""

_NOTHING = ContactValues("", "", "")


@dataclass(frozen=True, slots=True)
class MergeRules:
    """Policies (OPENPHONE_ON_REMOTE_EDIT, OPENPHONE_ON_CONFLICT) and how values compare.

    ``field_names`` gives custom fields by key the names that staff know, for `FieldChange` and `Conflict`. ``date_keys``
    are the custom fields that hold dates; None: not known, and whatever looks like a date is one. Dates that we wrote
    at midnight are moved to noon with a contact's next write; ``rewrite_midnight`` makes that a reason to write.
    """

    normalise_phone: Callable[[str], str]
    overwrite_edits: bool = False
    source_wins: bool = True
    field_names: Mapping[str, str] = field(default_factory=dict)
    date_keys: frozenset[str] | None = None
    rewrite_midnight: bool = False

    def is_date(self, key: str | None) -> bool:
        """Whether a custom field's values are compared by day."""
        return self.date_keys is None or key in self.date_keys

    def phones(self) -> ItemRules:
        """The rules as phones are merged by them."""
        return ItemRules("phoneNumbers", self.normalise_phone, self.overwrite_edits, self.source_wins)

    def emails(self) -> ItemRules:
        """The rules as e-mails are merged by them."""
        return ItemRules("emails", fold_email, self.overwrite_edits, self.source_wins)


# --- the whole contact ---------------------------------------------------------------------------------------------


def merge(base: Base | None, theirs: RemoteContact, desired: DesiredContact, rules: MergeRules, tie: Tie) -> Merged:
    """What to send so that ``theirs`` follows the source and nothing that a person entered is lost.

    Without a base, ``tie`` tells a person's contact (ADOPTED: fill what is empty, keep the rest) from an earlier contact of
    ours (every difference is a conflict). No changes in the result means that nothing needs sending.
    """
    if base is not None:
        tie = Tie.LINKED
    elif tie is Tie.LINKED:
        tie = Tie.OWN  # linked, but nobody knows what was written
    scalars = _merge_scalars(base, theirs, desired.values, rules, tie)
    phones, phone_base, notes = _merge_phones(base, theirs, desired, rules, tie)
    emails = _merge_emails(base, theirs, desired, rules, tie)
    custom = _merge_custom_fields(base, theirs, desired, rules, tie)
    url = scalars["sourceUrl"].value
    draft = ContactDraft(
        first_name=_text(scalars["firstName"].value),
        last_name=theirs.last_name,
        company=_text(scalars["company"].value),
        role=_text(scalars["role"].value),
        phones=phones.items,
        emails=emails.items,
        custom_fields=custom.fields,
        other_fields=theirs.other_fields,
        # Adoption sets the external id only where there is none: another tool's stays.
        external_id=desired.external_id if tie is Tie.ADOPTED and not theirs.external_id else None,
        source_url=None if is_same(url, theirs.source_url) else _text(url) or "",
    )
    changes = make_changes(theirs, draft, rules)
    if changes or rules.rewrite_midnight:
        draft = replace(draft, custom_fields=_move_to_noon(draft.custom_fields, desired.values, custom.met, rules))
        changes = make_changes(theirs, draft, rules)
    met = {name for name, scalar in scalars.items() if scalar.met}
    met.update(f"phoneNumbers:{value}" for value in phones.met)
    met.update(f"emails:{value}" for value in emails.met)
    met.update(f"customFields:{key}" for key in custom.met)
    values = replace(desired.values, phones=phone_base, custom_fields=custom.base)
    scalar_conflicts = tuple(scalar.conflict for scalar in scalars.values() if scalar.conflict)
    return Merged(
        draft=draft,
        base=Base(values, frozenset(met)),
        changes=changes,
        conflicts=(*scalar_conflicts, *phones.conflicts, *emails.conflicts, *custom.conflicts),
        notes=notes,
    )


def make_first_draft(desired: DesiredContact, source: str) -> ContactDraft:
    """The contact to create: only what the source has."""
    values = desired.values
    return ContactDraft(
        first_name=values.first_name,
        company=values.company or None,
        role=values.role or None,
        phones=tuple(RemoteItem(item.label, item.value) for item in values.phones),
        emails=tuple(RemoteItem(item.label, item.value) for item in values.emails),
        custom_fields=tuple(
            RemoteField(key, to_json(value)) for key, value in values.custom_fields if value is not None
        ),
        external_id=desired.external_id,
        source=source,
        source_url=values.source_url or None,
    )


def make_changes(before: RemoteContact | None, draft: ContactDraft, rules: MergeRules) -> tuple[FieldChange, ...]:
    """What the draft alters, field by field; everything for a contact that does not exist yet."""
    old = before or RemoteContact("")
    pairs: list[tuple[str, Json, Json]] = [
        ("firstName", old.first_name, draft.first_name),
        ("lastName", old.last_name, draft.last_name),
        ("company", old.company, draft.company),
        ("role", old.role, draft.role),
        ("phoneNumbers", _show_items(old.phones), _show_items(draft.phones)),
        ("emails", _show_items(old.emails), _show_items(draft.emails)),
    ]
    if draft.source_url is not None:
        pairs.append(("sourceUrl", old.source_url, draft.source_url or None))
    old_values = {one.address: one.value for one in old.custom_fields}
    for one in draft.custom_fields:
        name = rules.field_names.get(one.address, one.address)
        pairs.append((f"customFields.{name}", old_values.get(one.address), one.value))
    if draft.touches_external_id:
        pairs.append(("externalId", old.external_id, draft.external_id))
    return tuple(FieldChange(*pair) for pair in pairs if not is_same(pair[1], pair[2]))


def find_differences(draft: ContactDraft, answer: RemoteContact, rules: MergeRules) -> tuple[str, ...]:
    """Names of the fields in which an answer is not what was sent; a 2xx by itself proves nothing."""
    checks = {
        "firstName": fold_text(draft.first_name) == fold_text(answer.first_name),
        "lastName": fold_text(draft.last_name) == fold_text(answer.last_name),
        "company": fold_text(draft.company) == fold_text(answer.company),
        "role": fold_text(draft.role) == fold_text(answer.role),
        "phoneNumbers": _sort_items(draft.phones, rules.normalise_phone)
        == _sort_items(answer.phones, rules.normalise_phone),
        "emails": _sort_items(draft.emails, fold_email) == _sort_items(answer.emails, fold_email),
        "customFields": _are_same_fields(draft.custom_fields, answer.custom_fields, rules),
        "externalId": answer.external_id == draft.external_id or not draft.touches_external_id,
        "sourceUrl": draft.source_url is None or fold_text(draft.source_url) == fold_text(answer.source_url),
    }
    return tuple(name for name, equal in checks.items() if not equal)


# --- what is a person's --------------------------------------------------------------------------------------------


def mark_met(values: ContactValues, before: RemoteContact, normalise_phone: Callable[[str], str]) -> Base:
    """The base of a contact that 0.1.0 adopted without marks; ``before`` is the contact as it was before the adoption.

    What stood there was kept by the adoption, so it is a person's still, or was replaced since by a value of ours:
    nobody knows, and it counts as a person's.
    """
    met = {name for name, attribute in _SCALARS.items() if not is_empty(getattr(before, attribute))}
    if before.display_name.strip():
        met.add("firstName")
    phones = {normalise_phone(item.value) for item in before.phones if item.value}
    emails = {fold_email(item.value) for item in before.emails if item.value}
    fields = {one.key for one in before.custom_fields if not is_empty(one.value)}
    wanted_phones = {normalise_phone(item.value) for item in values.phones}
    met.update(f"phoneNumbers:{value}" for value in wanted_phones & phones)
    met.update(f"emails:{value}" for value in {fold_email(item.value) for item in values.emails} & emails)
    met.update(f"customFields:{key}" for key, _ in values.custom_fields if key in fields)
    return Base(values, frozenset(met))


def find_stored(base: Base, contact: RemoteContact, rules: MergeRules) -> Base:
    """The base of a contact that was created with ``base`` and is seen later: without what of it is not there.

    What is there and differs was typed by a person; what is missing may never have been stored, and is filled again.
    """
    sent = base.values
    phones = {rules.normalise_phone(item.value) for item in contact.phones if item.value}
    emails = {fold_email(item.value) for item in contact.emails if item.value}
    fields = {one.key for one in contact.custom_fields if not is_empty(one.value)}
    texts = {name: "" for name in _SCALARS.values() if is_empty(getattr(contact, name))}
    values = replace(
        sent,
        **texts,
        phones=tuple(item for item in sent.phones if rules.normalise_phone(item.value) in phones),
        emails=tuple(item for item in sent.emails if fold_email(item.value) in emails),
        custom_fields=tuple(
            (key, value) for key, value in sent.custom_fields if key in fields or is_empty(to_json(value))
        ),
    )
    return Base(values, base.met)


def holds_typed(base: Base | None, contact: RemoteContact, rules: MergeRules) -> bool:
    """Whether a contact holds anything that we did not write, so that it must not be deleted.

    Without a base nobody knows. A box that is not ticked (false) is nothing that a person typed.
    """
    if (
        base is None
        or fold_text(contact.last_name)
        or any(not is_empty(value) for value in contact.other_fields.values())
    ):
        return True
    values, met = base.values, base.met
    for name, attribute in _SCALARS.items():
        value = getattr(contact, attribute)
        if not is_empty(value) and (name in met or not is_same(value, getattr(values, attribute))):
            return True
    for items, ours, item_rules in (
        (contact.phones, values.phones, rules.phones()),
        (contact.emails, values.emails, rules.emails()),
    ):
        written = [item for item in ours if f"{item_rules.name}:{item_rules.normalise(item.value)}" not in met]
        if not set(_sort_items(items, item_rules.normalise)) <= set(_sort_items(written, item_rules.normalise)):
            return True
    written_fields = {key: to_json(value) for key, value in values.custom_fields if f"customFields:{key}" not in met}
    return any(
        not is_same(one.value, written_fields.get(one.key or ""), by_day=rules.is_date(one.key))
        for one in contact.custom_fields
        if not is_empty(one.value) and one.value is not False
    )


# --- one value -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sides:
    """The three sides of one value.

    ``known``: the base has it. ``met``: what stands there is a person's. ``denied``: the source says no, which is more than
    nothing. ``yields``: a person's value wins over ours. ``by_day``: it is a date.
    """

    name: str
    base: Json
    theirs: Json
    ours: Json
    known: bool = False
    met: bool = False
    denied: bool = False
    yields: bool = False
    by_day: bool = False


@dataclass(frozen=True, slots=True)
class _Value:
    """What a field becomes; ``met``: the value that stands there is a person's, not written by us."""

    value: Json
    met: bool = False
    conflict: Conflict | None = None


def _merge_value(sides: _Sides, tie: Tie, rules: MergeRules) -> _Value:
    """One field, by the table of the design: is the base still theirs, is it still ours?"""
    unchanged = sides.known and is_same(sides.base, sides.ours, by_day=sides.by_day)
    if is_same(sides.theirs, sides.ours, by_day=sides.by_day):
        # A person had it before the row did, unless we wrote it: as the base says, or because the contact is ours.
        is_persons = sides.met if unchanged else tie is not Tie.OWN
        return _Value(sides.theirs, met=is_persons and not is_empty(sides.ours))
    if not sides.known:
        return _merge_without_base(sides, tie, rules)
    if unchanged:
        # A person changed it. Nothing in the source never overwrites, and what was met is not ours to overwrite.
        overwrites = rules.overwrite_edits and not (sides.met or is_empty(sides.ours) or sides.yields)
        return _take_ours(sides) if overwrites else replace(_keep(sides), met=sides.met)
    if not sides.met and is_same(sides.base, sides.theirs, by_day=sides.by_day):
        return _fill(sides)  # it is as we wrote it: NULL in the source clears it
    return _resolve_conflict(sides, rules)  # both changed it, or a person had it first


def _merge_without_base(sides: _Sides, tie: Tie, rules: MergeRules) -> _Value:
    """Fill what is empty. Our earlier contact follows the source, each difference is listed; a person's keeps the rest."""
    if is_empty(sides.theirs):
        return _fill(sides)
    if tie is Tie.OWN:
        return _resolve_conflict(sides, rules)
    # On a contact of ours, a field that was mapped since and that a person had filled is worth a line in the report.
    return _keep(sides, is_conflict=tie is Tie.LINKED and not is_empty(sides.ours))


def _resolve_conflict(sides: _Sides, rules: MergeRules) -> _Value:
    if is_empty(sides.ours) and not sides.denied:
        return _keep(sides)  # NULL clears only what we wrote
    if rules.source_wins and not sides.yields:
        return _take_ours(sides)
    return _keep(sides, is_conflict=True)


def _fill(sides: _Sides) -> _Value:
    return _Value(None if is_empty(sides.ours) else sides.ours)


def _take_ours(sides: _Sides) -> _Value:
    """Ours is written over what a person typed, which is listed."""
    return replace(_fill(sides), conflict=Conflict(sides.name, SOURCE, sides.theirs))


def _keep(sides: _Sides, *, is_conflict: bool = False) -> _Value:
    conflict = Conflict(sides.name, REMOTE, sides.ours) if is_conflict else None
    return _Value(sides.theirs, met=not is_empty(sides.ours), conflict=conflict)


def _merge_scalars(
    base: Base | None, theirs: RemoteContact, ours: ContactValues, rules: MergeRules, tie: Tie
) -> dict[str, _Value]:
    """First name, company, role and the link to the record, by the API's names."""
    merged: dict[str, _Value] = {}
    for name, attribute in _SCALARS.items():
        sides = _Sides(
            name,
            getattr(base.values, attribute) if base else None,
            getattr(theirs, attribute),
            getattr(ours, attribute),
            known=base is not None,
            met=base is not None and name in base.met,
            # A person who fills in the last name has made the name theirs.
            yields=name == "firstName" and bool(fold_text(theirs.last_name)),
        )
        merged[name] = _merge_value(sides, tie, rules)
    if tie is Tie.ADOPTED and theirs.display_name.strip():
        merged["firstName"] = _Value(theirs.first_name, met=True)  # only a last name is a name, too
    return merged


# --- phones and e-mails --------------------------------------------------------------------------------------------


def _merge_phones(
    base: Base | None, theirs: RemoteContact, desired: DesiredContact, rules: MergeRules, tie: Tie
) -> tuple[MergedItems, tuple[Item, ...], tuple[Why, ...]]:
    """Phones, their base, and a note where the source has no usable number and the contact's numbers stay."""
    known, met = base.values.phones if base else (), _find_marks(base, "phoneNumbers")
    there = {rules.normalise_phone(item.value) for item in theirs.phones if item.value}
    ours = desired.values.phones
    if desired.phones_unusable:
        ours, met = (), met & there
    else:
        merged = merge_items(known, met, theirs.phones, ours, tie, rules.phones())
        # The last number is never removed.
        if any(item.value for item in merged.items) or not there:
            return merged, ours, ()
        met = merged.met
    # What the source dropped stays, and stays ours while it is there. What is not there any more is forgotten: if
    # somebody types that number from now on, it is a person's.
    there -= {rules.normalise_phone(item.value) for item in ours}
    dropped = tuple(item for item in known if rules.normalise_phone(item.value) in there)
    notes = () if ours else (Why(Reason.NUMBERS_KEPT),)
    return MergedItems(theirs.phones, met), (*ours, *dropped), notes


def _merge_emails(
    base: Base | None, theirs: RemoteContact, desired: DesiredContact, rules: MergeRules, tie: Tie
) -> MergedItems:
    base_items = base.values.emails if base else ()
    met = _find_marks(base, "emails")
    return merge_items(base_items, met, theirs.emails, desired.values.emails, tie, rules.emails())


def _find_marks(base: Base | None, name: str) -> frozenset[str]:
    """Keys of the entries of one kind that are a person's."""
    prefix = f"{name}:"
    return (
        frozenset(entry.removeprefix(prefix) for entry in base.met if entry.startswith(prefix)) if base else frozenset()
    )


# --- custom fields -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _CustomFields:
    """Custom fields to send, the keys of those that are a person's, and the base to remember."""

    fields: tuple[RemoteField, ...]
    met: frozenset[str]
    base: tuple[tuple[str, FieldValue | None], ...]
    conflicts: tuple[Conflict, ...]


def _merge_custom_fields(
    base: Base | None, theirs: RemoteContact, desired: DesiredContact, rules: MergeRules, tie: Tie
) -> _CustomFields:
    old = dict(base.values.custom_fields) if base else {}
    old_met = _find_marks(base, "customFields")
    ours = dict(desired.values.custom_fields)
    # A field that the row leaves out today (its text is not a date, say) keeps its base, for the day when it is back.
    absent = {key: value for key, value in old.items() if key not in ours}
    met = {key for key in old_met if key in absent}
    conflicts: list[Conflict] = []

    def merge_field(key: str, value: Json) -> Json:
        sides = _Sides(
            f"customFields.{rules.field_names.get(key, key)}",
            to_json(old.get(key)),
            value,
            to_json(ours[key]),
            known=key in old,
            met=key in old_met,
            denied=key in desired.denied,
            by_day=rules.is_date(key),
        )
        merged = _merge_value(sides, tie, rules)
        if merged.met:
            met.add(key)
        if merged.conflict:
            conflicts.append(merged.conflict)
        return merged.value

    fields: list[RemoteField] = []
    missing = dict(ours)
    for one in theirs.custom_fields:
        if one.key is not None and one.key in missing:
            del missing[one.key]
            fields.append(replace(one, value=merge_field(one.key, one.value)))
        else:
            fields.append(one)
    added = (RemoteField(key, merge_field(key, None)) for key in missing)
    fields += [one for one in added if not is_empty(one.value)]
    new_base = tuple(sorted((absent | ours).items())) if absent else desired.values.custom_fields
    return _CustomFields(tuple(fields), frozenset(met), new_base, tuple(conflicts))


def _move_to_noon(
    fields: tuple[RemoteField, ...], ours: ContactValues, met: AbstractSet[str], rules: MergeRules
) -> tuple[RemoteField, ...]:
    """Dates that we wrote at midnight, as we write them now; a date that a person typed stays as it is."""
    written = {
        key: to_json(value) for key, value in ours.custom_fields if key not in met and not is_midnight(to_json(value))
    }
    return tuple(
        replace(one, value=written[one.key])
        if one.key in written
        and is_midnight(one.value)
        and is_same(one.value, written[one.key], by_day=rules.is_date(one.key))
        else one
        for one in fields
    )


def to_json(value: FieldValue | None) -> Json:
    """A custom field's value as the API takes it."""
    return list(value) if isinstance(value, tuple) else value


# --- comparing lists -------------------------------------------------------------------------------------------------


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _show_items(items: Iterable[RemoteItem]) -> Json:
    return [{"name": item.label, "value": item.value} for item in items if item.value is not None]


def _sort_items(items: Iterable[RemoteItem | Item], normalise: Callable[[str], str]) -> list[tuple[str, str]]:
    return sorted((fold_text(item.label), normalise(item.value)) for item in items if item.value)


def _are_same_fields(sent: Iterable[RemoteField], answered: Iterable[RemoteField], rules: MergeRules) -> bool:
    """Whether two lists of custom fields mean the same; a field without a value counts as absent."""
    first, second = ({one.address: one for one in fields if not is_empty(one.value)} for fields in (sent, answered))
    return first.keys() == second.keys() and all(
        is_same(one.value, second[address].value, by_day=rules.is_date(one.key)) for address, one in first.items()
    )
