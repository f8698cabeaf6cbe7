"""Reasons in words. The only place where a reason becomes a sentence; nothing compares or parses these texts."""

from __future__ import annotations

from collections.abc import Mapping

from openphone_sync.model import DataFault, DataWarning, Reason, Why
from openphone_sync.rules.comparing import find_day

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)  # not of the locale: cron has none

_WORDS: Mapping[Reason, str] = {
    Reason.NO_NAME: "the client has no name",
    Reason.ID_TOO_LONG: "the id is too long: OpenPhone allows external ids of 75 characters",
    Reason.NO_PHONE: "no phone number",
    Reason.PHONE_UNUSABLE: "the phone is not a usable number",
    Reason.OWNED_BY_INTEGRATION: "owned by an integration: OpenPhone lets nobody else change it",
    Reason.FORBIDDEN: "OpenPhone does not allow the change (403)",
    Reason.DELETED_TWICE: "deleted in the app twice: not created again",
    Reason.STILL_HELD_BY_DELETED: "deleted in the app, and OpenPhone still holds its external id: not created again",
    Reason.DECIDED_SAME_PERSON: "same person as {detail}, decided in a review",
    Reason.DECIDED: "decided in a review",
    Reason.ROLLED_BACK: "rolled back: run {detail} was undone",
    Reason.FORGOTTEN: "forgotten on request; forget --undo takes it back",
    Reason.SAME_PERSON: "same person as {detail}",
    Reason.SEVERAL_CARRY_ID: "several contacts have its external id",
    Reason.ID_OF_OTHER_SOURCE: "a contact of another source has its external id",
    Reason.SEVERAL_CANDIDATES: "several contacts on equal evidence",
    Reason.WANTED_BY_ANOTHER: "another of our people fits the contact as well",
    Reason.PHONE_OTHER_NAME: "same phone, another name",
    Reason.EMAIL_OTHER_NAME: "same e-mail, another name",
    Reason.SUFFIX_OR_BIRTH_DIFFERS: "the name agrees, the suffix or the date of birth does not",
    Reason.NAME_OTHER_PHONE: "similar name, another phone",
    Reason.DELETED_ONCE: "deleted in the app: created again",
    Reason.SLOT_HANDED_OVER: "another person has this place now",
    Reason.NUMBERS_KEPT: "no usable phone in the source: the contact's numbers stay",
    Reason.GONE_FROM_SOURCE: "gone from the source",
    Reason.NOT_OURS: "gone from the source, and not made by this tool: never deleted",
    Reason.TYPED_BY_STAFF: "gone from the source, but it holds what a person typed: never deleted",
    Reason.WRITE_FAILED: "{detail}",
    Reason.CHANGED_SINCE: "it was changed since, and is left alone",
    Reason.DELETED_SINCE: "it was deleted since",
    Reason.EXISTS_AGAIN: "it exists already",
    Reason.NOTHING_LEFT: "nothing is left of it",
    Reason.REPLACED_SINCE: "another contact is linked in its place now",
}


def describe_reason(why: Why | None) -> str:
    """The reason as a sentence without a capital or full stop; empty without one."""
    return _WORDS[why.reason].replace("{detail}", why.detail) if why else ""


def describe_why(why: Why | None) -> dict[str, str]:
    """``reason`` in words and ``code``, as documents have them."""
    return {"reason": describe_reason(why), "code": why.reason.value if why else ""}


_DATA_FAULTS: Mapping[DataFault, str] = {
    DataFault.BAD_EMAIL: "{column} holds text that is not an e-mail address and was left out",
    DataFault.PHONE_PART_UNUSABLE: "a part of {column} is not a usable phone number and was left out",
    DataFault.PHONE_UNASSIGNED: "the number in {column} is possible but in no assigned range",
    DataFault.FIELD_NOT_CONVERTED: "{column} is {detail} and was left out",
    DataFault.LINK_TOO_LONG: "its {column} has more than 200 characters and was left out",
}


def describe_value(warning: DataWarning) -> str:
    """What is wrong with a value, without naming its contact."""
    return _DATA_FAULTS[warning.code].replace("{column}", warning.column).replace("{detail}", warning.detail)


def describe_warning(external_id: str, warning: DataWarning) -> str:
    """A data warning as a sentence, with what to do; ids and names of columns only, nobody's data."""
    return f"{external_id}: {describe_value(warning)}; correct it in the client table"


# --- values as people write them -----------------------------------------------------------------------------------

EXTERNAL_ID = "external id"
_FIELDS = {
    "firstName": "name",
    "lastName": "last name",
    "phoneNumbers": "phones",
    "emails": "e-mail",
    "sourceUrl": "link",
    "externalId": EXTERNAL_ID,
}


def name_field(field: str, names: Mapping[str, str] | None = None) -> str:
    """A field as people call it: ``phones``, ``County``. ``names`` are those of custom fields by key."""
    key = field.removeprefix("customFields.")
    return _FIELDS.get(field, field) if key == field else (names or {}).get(key, key)


def format_day(iso: str) -> str:
    """``15 June 1985`` of ``1985-06-15`` or a time; other texts as they are."""
    day = find_day(iso)
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}" if day else iso


ANY_REGION = "ZZ"
"""A region for `format_phone` in which each number is foreign."""


def format_phone(number: str, region: str) -> str:
    """``(213) 555-0134`` for a number of the region, ``+44 20 7946 0958`` for others; text that is not a number as it is."""
    import phonenumbers  # noqa: PLC0415  # 14 ms, not needed where no number is shown

    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return number
    own = phonenumbers.country_code_for_region(region) == parsed.country_code
    form = phonenumbers.PhoneNumberFormat.NATIONAL if own else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(parsed, form)
