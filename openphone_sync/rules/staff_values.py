"""What people typed on a contact and the client table does not have: a list for the office. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from openphone_sync.model import Json, Link, RemoteContact, StaffValue
from openphone_sync.rules.comparing import fold_email, fold_text, is_empty, is_same
from openphone_sync.rules.merging import MergeRules, to_json

CUSTOM = "customFields:"


def find_staff_values(link: Link, contact: RemoteContact, rules: MergeRules) -> tuple[StaffValue, ...]:
    """The values on a contact that its row does not have; none without a base: then nobody knows the row."""
    return tuple(one for one in _list_values(contact, rules) if not has_in_table(link, one))


def has_in_table(link: Link, typed: StaffValue) -> bool:
    """Whether the row has the value, as far as it was last read; True without a base."""
    if link.base is None:
        return True
    values = link.base.values
    match typed.field:
        case "phoneNumbers":
            return typed.value in {item.value for item in values.phones}
        case "emails":
            return fold_email(str(typed.value)) in {fold_email(item.value) for item in values.emails}
        case "name":
            names = {fold_text(name).casefold() for name in (values.first_name, link.person)}
            return fold_text(str(typed.value)).casefold() in names
    return is_same(typed.value, find_table_value(link, typed.field), by_day=True)


def find_table_value(link: Link, field: str) -> Json:
    """What the row has in a field of which there is one; None for phones and e-mails."""
    if link.base is None or field in {"phoneNumbers", "emails"}:
        return None
    values = link.base.values
    plain: dict[str, Json] = {"name": values.first_name, "company": values.company, "role": values.role}
    return plain[field] if field in plain else to_json(dict(values.custom_fields).get(field.removeprefix(CUSTOM)))


def _list_values(contact: RemoteContact, rules: MergeRules) -> Iterator[StaffValue]:
    """Everything that a contact says. A box that is not ticked (false) says nothing."""
    plain = (("name", contact.display_name), ("company", contact.company), ("role", contact.role))
    yield from (StaffValue(field, "", value) for field, value in plain if not is_empty(value))
    for item in contact.phones:
        if item.value:
            yield StaffValue("phoneNumbers", item.label, rules.normalise_phone(item.value))
    for item in contact.emails:
        if item.value:
            yield StaffValue("emails", item.label, item.value)
    for one in contact.custom_fields:
        if not is_empty(one.value) and one.value is not False:
            yield StaffValue(CUSTOM + one.address, rules.field_names.get(one.address, ""), one.value)
