"""An OpenPhone workspace in memory: what is stored, what lists show, and two doors to it.

`create`, `get`, `patch`, `delete` and `list_page` are the API's side, with its rules. `add`, `edit`, `remove`, `bury`
and the custom field methods are the app's: people change anything there, no rule asks.

Stored contacts are dicts in the shape of the API's answers; they are replaced, never changed in place. What lists show
is kept apart from what is stored: live lists lag behind (seen live: 2 to 3 s) and show contacts that answer 404.
"""

import copy
import hashlib
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from openphone_sync.sandbox import rules
from openphone_sync.sandbox.errors import SandboxError
from openphone_sync.sandbox.options import CustomField, FieldType, SandboxOptions
from openphone_sync.sandbox.rules import Issue, Json

UNKNOWN_KEY = "Unknown custom field key"
LINKS = ("externalId", "source", "sourceUrl")
TOO_MANY = 1_000  # added to totalItems by the variant "large"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: contacts, the offset where the next page starts (None: this was the last), the true total."""

    contacts: list[Json]
    next_offset: int | None
    total: int


def derive_id(seed: int, *parts: object, length: int = 24) -> str:
    """Return a hex id that depends on the seed and `parts` only."""
    text = ":".join(map(str, (seed, *parts)))
    return hashlib.sha256(text.encode()).hexdigest()[:length]


class Workspace:
    """The contents of one workspace. Thread-safe.

    What the app's side returns belongs to the caller; the API's side and `save` return what is stored, to be read only.
    """

    def __init__(
        self,
        options: SandboxOptions | None = None,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options or SandboxOptions()
        self._variants = self._options.variants
        self._now = now
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._made_ids = 0
        self.writes = 0
        self._stored: dict[str, Json] = {}
        self._listed: dict[str, Json] = {}  # in order of creation
        self._unsettled: deque[tuple[float, str, Json | None]] = deque()
        self._by_external_id: defaultdict[str, set[str]] = defaultdict(set)
        self._held_external_ids: set[tuple[str | None, str]] = set()
        self._fields: dict[str, CustomField] = {}
        for definition in self._options.custom_fields:
            self._define(definition)

    # The API's side.

    def create(self, body: object) -> Json:
        """POST: store a contact and return it. Raises RefusedError (400, 409)."""
        with self._lock:
            rules.check_create(body, self._variants)
            sent: Json = body  # type: ignore[assignment]  # check_create let dicts through only
            custom = self._make_custom_fields(sent.get("customFields", []), [])
            self._check_external_id(sent.get("source", "public-api"), sent.get("externalId"), None, "create")
            user = sent.get("createdByUserId", self.owner_id)
            contact = self._make_contact({"source": "public-api", **sent, "customFields": custom}, user)
            self._put(contact)
            return contact

    def get(self, contact_id: str) -> Json:
        """GET by id: always what is stored. Raises RefusedError (404)."""
        with self._lock:
            if contact_id not in self._stored:
                raise rules.make_not_found()
            return self._stored[contact_id]

    def patch(self, contact_id: str, body: object) -> Json:
        """PATCH: replace what is sent and, as the variants say, delete what is not. Raises RefusedError.

        An empty body changes nothing (seen live). Refused with 400, 403, 404, 409.
        """
        with self._lock:
            contact = self._get_writable(contact_id)
            if body is None or body == {}:
                return contact
            rules.check_patch(body, self._variants, contact["source"])
            sent: Json = body  # type: ignore[assignment]  # check_patch let dicts through only
            custom = self._make_patched_custom_fields(sent, contact["customFields"])
            names = {name: sent.get(name, contact[name]) for name in ("source", "externalId")}
            if any(names[name] != contact[name] for name in names):
                self._check_external_id(names["source"], names["externalId"], contact_id, "update")
            links = _pick(sent, LINKS)
            defaults = self._make_patched_defaults(sent, contact["defaultFields"])
            return self._replace(contact, {**links, "defaultFields": defaults, "customFields": custom})

    def delete(self, contact_id: str) -> None:
        """DELETE. Raises RefusedError (403, 404)."""
        with self._lock:
            contact = self._get_writable(contact_id)
            self._forget(contact, stays_listed=self._variants.deleted_in_list == "listed")

    def list_page(
        self,
        offset: int = 0,
        limit: int = 10,
        external_ids: Iterable[str] = (),
        sources: Iterable[str] = (),
    ) -> Page:
        """Return a page of what lists show.

        The offset counts from the newest: creating or deleting during a walk makes it meet contacts twice or
        miss some.
        """
        with self._lock:
            self._settle()
            found = _select(self._listed.values(), frozenset(external_ids), frozenset(sources))
        if self._variants.list_order == "newest":
            found.reverse()
        page = found[offset : offset + limit]
        more = offset + limit < len(found)
        return Page(page, offset + limit if more else None, len(found))

    def count_items(self, page: Page) -> int:
        """Return the `totalItems` of a page: documented by the vendor as inaccurate."""
        counts = {
            "page": len(page.contacts),
            "zero": 0,
            "small": max(0, page.total - 1),
            "large": page.total + TOO_MANY,
            "right": page.total,
        }
        return counts[self._variants.total_items]

    # The app's side.

    def contacts(self) -> list[Json]:
        """Return every stored contact, oldest first."""
        with self._lock:
            return copy.deepcopy(list(self._stored.values()))

    def contact(self, contact_id: str) -> Json | None:
        """Return a stored contact, None when there is none."""
        with self._lock:
            return copy.deepcopy(self._stored.get(contact_id))

    def find(self, external_id: str) -> list[Json]:
        """Return the stored contacts with an external id, whatever lists show."""
        with self._lock:
            found = [self._stored[each] for each in sorted(self._by_external_id.get(external_id, ()))]
            return copy.deepcopy(found)

    def add(self, body: Mapping[str, object], *, source: str | None = None) -> Json:
        """Make a contact as people do in the app, or (with a source) as an integration does, and return it.

        Custom fields may be given by `name`. No rule is checked, a taken external id is taken twice.
        """
        with self._lock:
            sent: Json = {"source": source, "defaultFields": {}, **copy.deepcopy(dict(body))}
            custom = _merge_custom_fields([], self._resolve(sent.get("customFields", [])), self._make_id)
            contact = self._make_contact({**sent, "customFields": custom}, self.owner_id)
            self._put(contact)
            return copy.deepcopy(contact)

    def edit(self, contact_id: str, changes: Mapping[str, object]) -> Json:
        """Change a contact as people do in the app: what is not named stays. Returns it; KeyError if there is none.

        Items (phones, e-mails) are met by `id`, else by value, else added; custom fields are met by `key` or `name`;
        `"value": None` removes.
        """
        with self._lock:
            contact = self._stored[contact_id]
            sent: Json = copy.deepcopy(dict(changes))
            links = _pick(sent, LINKS)
            defaults = self._merge_defaults(contact["defaultFields"], sent.get("defaultFields", {}))
            resolved = self._resolve(sent.get("customFields", []))
            custom = _merge_custom_fields(contact["customFields"], resolved, self._make_id)
            changed = self._replace(contact, {**links, "defaultFields": defaults, "customFields": custom})
            return copy.deepcopy(changed)

    def remove(self, contact_id: str) -> None:
        """Delete a contact as people do in the app. KeyError if there is none."""
        with self._lock:
            self._forget(self._stored[contact_id], stays_listed=self._variants.deleted_in_list == "listed")

    def bury(self, contact_id: str) -> None:
        """Make a contact answer 404 while lists still show it (seen live). KeyError if there is none."""
        with self._lock:
            self._forget(self._stored[contact_id], stays_listed=True)

    def add_field(self, name: str, kind: FieldType = "string", options: tuple[str, ...] = ()) -> CustomField:
        """Define a custom field, as only the app can. Names need not be unique. Returns it with its key."""
        with self._lock:
            return self._define(CustomField(name, kind, options))

    def rename_field(self, key: str, name: str) -> None:
        """Rename a custom field; contacts show the new name. KeyError if there is none."""
        with self._lock:
            self._fields[key] = replace(self._fields[key], name=name)
            self._rewrite_custom_fields(lambda item: {**item, "name": name} if item["key"] == key else item)

    def remove_field(self, key: str) -> None:
        """Delete a custom field and its values. KeyError if there is none."""
        with self._lock:
            del self._fields[key]
            self._rewrite_custom_fields(lambda item: None if item["key"] == key else item)

    # Who the workspace is.

    @property
    def fields(self) -> list[CustomField]:
        """The custom field definitions, each with its key."""
        with self._lock:
            return list(self._fields.values())

    def field_key(self, name: str) -> str:
        """Return the key of the first custom field of that name. KeyError if there is none."""
        for definition in self.fields:
            if definition.name == name and definition.key is not None:
                return definition.key
        raise KeyError(name)

    @property
    def owner_id(self) -> str:
        """The id of the user who owns the workspace, `US…`."""
        return "US" + derive_id(self._options.seed, "user", 0, length=10)

    def phone_numbers(self) -> list[Json]:
        """Return the workspace's own phone numbers as GET /v1/phone-numbers does. They depend on the seed only."""
        return [_make_phone_number(self._options.seed, index) for index in range(2)]

    # Persistence.

    def save(self) -> Json:
        """Return the contents as JSON, for `load`."""
        with self._lock:
            settled = self._make_settled()  # loading it comes later than the lag; going on here does not
            return {
                "seed": self._options.seed,
                "madeIds": self._made_ids,
                "customFields": [_save_field(each) for each in self._fields.values()],
                "contacts": list(self._stored.values()),
                "ghosts": [body for key, body in settled.items() if key not in self._stored],
                "heldExternalIds": sorted(self._held_external_ids, key=str),
            }

    def load(self, saved: Json) -> None:
        """Take over saved contents in place of everything. Raises SandboxError for another seed's."""
        seed = saved["seed"]
        if seed != self._options.seed:
            raise SandboxError(
                f"the saved contents are of the workspace with seed {seed}, not {self._options.seed}; "
                "start with that --seed, or with another --file"
            )
        with self._lock:
            self._made_ids = saved["madeIds"]
            self._fields = {each["key"]: _load_field(each) for each in saved["customFields"]}
            self._stored = {each["id"]: each for each in saved["contacts"]}
            self._listed = {each["id"]: each for each in (*saved["ghosts"], *saved["contacts"])}
            self._held_external_ids = {(source, external_id) for source, external_id in saved["heldExternalIds"]}
            self._unsettled.clear()
            self._by_external_id.clear()
            for contact in self._stored.values():
                self._note_external_id(contact)

    # Below: with the lock held.

    def _get_writable(self, contact_id: str) -> Json:
        contact = self.get(contact_id)
        if str(contact["source"]).startswith(rules.NATIVE_PREFIX):
            raise rules.make_forbidden()
        return contact

    def _check_external_id(
        self, source: str | None, external_id: str | None, contact_id: str | None, verb: str
    ) -> None:
        """External ids are unique for each source (vendor's text of the 409: "the same source and external ID")."""
        if external_id is None:
            return
        others = self._by_external_id.get(external_id, set()) - {contact_id}
        taken = any(self._stored[other]["source"] == source for other in others)
        if taken or (source, external_id) in self._held_external_ids:
            raise rules.make_conflict(verb)

    def _put(self, contact: Json) -> None:
        """Store a new contact or a new version of one; lists follow after the lag."""
        old = self._stored.get(contact["id"])
        if old is not None and old["externalId"] is not None:
            self._by_external_id[old["externalId"]].discard(old["id"])
        self._stored[contact["id"]] = contact
        self._note_external_id(contact)
        self._show(contact["id"], contact)

    def _forget(self, contact: Json, *, stays_listed: bool) -> None:
        del self._stored[contact["id"]]
        external_id = contact["externalId"]
        if external_id is not None:
            self._by_external_id[external_id].discard(contact["id"])
            if self._variants.deleted_external_id == "held":
                self._held_external_ids.add((contact["source"], external_id))
        if not stays_listed:
            self._show(contact["id"], None)

    def _note_external_id(self, contact: Json) -> None:
        if contact["externalId"] is not None:
            self._by_external_id[contact["externalId"]].add(contact["id"])

    def _show(self, contact_id: str, contact: Json | None) -> None:
        self.writes += 1
        self._unsettled.append((self._monotonic() + self._options.lag_s, contact_id, contact))

    def _settle(self) -> None:
        """Bring what lists show up to the writes whose lag has passed."""
        now = self._monotonic()
        while self._unsettled and self._unsettled[0][0] <= now:
            _, contact_id, contact = self._unsettled.popleft()
            _settle_one(self._listed, contact_id, contact)

    def _make_settled(self) -> dict[str, Json]:
        """Return what lists will show once every lag has passed."""
        settled = dict(self._listed)
        for _, contact_id, contact in self._unsettled:
            _settle_one(settled, contact_id, contact)
        return settled

    def _make_id(self) -> str:
        self._made_ids += 1
        return derive_id(self._options.seed, "id", self._made_ids)

    def _make_contact(self, sent: Json, user: str | None) -> Json:
        now = self._format_now()
        return {
            "id": self._make_id(),
            "externalId": sent.get("externalId"),
            "source": sent["source"],
            "sourceUrl": sent.get("sourceUrl"),
            "defaultFields": self._make_defaults(sent["defaultFields"]),
            "customFields": sent["customFields"],
            "createdAt": now,
            "updatedAt": now,
            "createdByUserId": user,
        }

    def _replace(self, contact: Json, changes: Json) -> Json:
        changed = {**contact, **changes, "updatedAt": self._format_now()}
        self._put(changed)
        return changed

    def _format_now(self) -> str:
        return rules.format_time(datetime.fromtimestamp(self._now(), UTC))

    def _make_defaults(self, sent: Json) -> Json:
        items = {name: self._make_items(name, sent.get(name, []), []) for name in rules.ARRAYS}
        return {**dict.fromkeys(rules.SCALARS), **_pick(sent, rules.SCALARS), **items}

    def _make_patched_defaults(self, sent: Json, current: Json) -> Json:
        style = self._variants.patch_style
        given = sent.get("defaultFields", {})
        wipes_scalars = style == "replace" and "defaultFields" in sent
        scalars = dict.fromkeys(rules.SCALARS) if wipes_scalars else _pick(current, rules.SCALARS)
        rest = current if style == "merge" else {}
        arrays = {
            name: self._make_items(name, given.get(name, rest.get(name, [])), current[name]) for name in rules.ARRAYS
        }
        return {**scalars, **_pick(given, rules.SCALARS), **arrays}

    def _make_items(self, name: str, sent: list[Json], current: list[Json]) -> list[Json]:
        """Return the items to store: without those whose value is null; an id is kept when the contact has it, once."""
        free_ids = {item["id"] for item in current}
        items = []
        for item in sent:
            value = self._make_value(name, item["value"])
            if value is None:
                continue
            known = item.get("id") in free_ids
            items.append({"name": item["name"], "value": value, "id": item["id"] if known else self._make_id()})
            free_ids.discard(item.get("id", ""))
        return items

    def _make_value(self, name: str, value: str | None) -> str | None:
        if value is None or name != "phoneNumbers":
            return value
        if self._variants.bad_phone == "drop" and not rules.is_phone(value):
            return None
        return rules.normalise_phone(value)

    def _make_patched_custom_fields(self, sent: Json, current: list[Json]) -> list[Json]:
        if "customFields" in sent:
            return self._make_custom_fields(sent["customFields"], current)
        return current if self._variants.patch_style == "merge" else []

    def _make_custom_fields(self, sent: list[Json], current: list[Json]) -> list[Json]:
        """Return the custom fields to store; the last of two with one key counts. Raises RefusedError for the whole."""
        ids = {item["key"]: item["id"] for item in current}
        made: dict[str, Json] = {}
        for index, item in enumerate(sent):
            definition = self._find_definition(item, current, f"/customFields/{index}")
            rules.check_custom_value(definition, item["value"], f"/customFields/{index}/value", self._variants)
            value = self._take_value(definition, item["value"], f"/customFields/{index}/value")
            key = str(definition.key)
            made.pop(key, None)
            if value is not None:
                made[key] = _make_custom_item(definition, ids.get(key) or self._make_id(), value)
        return list(made.values())

    def _find_definition(self, item: object, current: list[Json], path: str) -> CustomField:
        if not isinstance(item, dict) or "value" not in item:
            raise rules.make_bad_custom_field(Issue(path, "Expected required property", item, "object"))
        definition = rules.find_definition(self._fields, item, current)
        if definition is None:
            raise rules.make_bad_custom_field(Issue(f"{path}/key", UNKNOWN_KEY, item.get("key")))
        return definition

    def _take_value(self, definition: CustomField, value: object, path: str) -> object:
        if isinstance(value, str) and definition.type == "date":
            return rules.parse_date(value, self._variants)
        if isinstance(value, list):
            self._check_options(definition, value, path)
        return value

    def _check_options(self, definition: CustomField, chosen: list[str], path: str) -> None:
        unknown = tuple(option for option in chosen if option not in definition.options)
        if unknown and self._variants.unknown_option == "refuse":
            raise rules.make_bad_custom_field(Issue(path, "Unknown option", list(unknown), "array"))
        if unknown:
            widened = replace(definition, options=(*definition.options, *unknown))
            self._fields[str(definition.key)] = widened

    def _define(self, definition: CustomField) -> CustomField:
        key = definition.key or self._make_id()
        self._fields[key] = replace(definition, key=key)
        return self._fields[key]

    def _rewrite_custom_fields(self, rewrite: Callable[[Json], Json | None]) -> None:
        for contact in list(self._stored.values()):
            items = [changed for item in contact["customFields"] if (changed := rewrite(item)) is not None]
            if items != contact["customFields"]:
                self._put({**contact, "customFields": items})

    def _merge_defaults(self, current: Json, sent: Json) -> Json:
        items = {name: self._merge_items(name, current[name], sent.get(name, [])) for name in rules.ARRAYS}
        return {**current, **_pick(sent, rules.SCALARS), **items}

    def _merge_items(self, name: str, current: list[Json], changes: list[Json]) -> list[Json]:
        items = list(current)
        for change in changes:
            value = self._make_value(name, change.get("value"))
            place = _find_place(items, change.get("id"), value)
            old = items[place] if place is not None else {"name": "Other", "id": self._make_id()}
            item = {"name": change.get("name", old["name"]), "value": value, "id": old["id"]}
            items[slice(place, place + 1) if place is not None else slice(len(items), None)] = [item]
        return [item for item in items if item["value"] is not None]

    def _resolve(self, sent: list[Json]) -> list[tuple[CustomField, object]]:
        """Return definition and value of custom fields given by key or name. KeyError if there is no such field."""
        keys = [str(item["key"]) if "key" in item else self.field_key(item["name"]) for item in sent]
        return [(self._fields[key], item["value"]) for key, item in zip(keys, sent, strict=True)]


def _settle_one(listed: dict[str, Json], contact_id: str, contact: Json | None) -> None:
    if contact is None:
        listed.pop(contact_id, None)
    else:
        listed[contact_id] = contact


def _pick(values: Json, names: Iterable[str]) -> Json:
    return {name: values[name] for name in names if name in values}


def _select(listed: Iterable[Json], external_ids: frozenset[str], sources: frozenset[str]) -> list[Json]:
    if not external_ids and not sources:
        return list(listed)  # 20,000 of them for each page: looking at each would take 2 ms
    return [
        each
        for each in listed
        if (not external_ids or each["externalId"] in external_ids) and (not sources or each["source"] in sources)
    ]


def _find_place(items: list[Json], item_id: str | None, value: str | None) -> int | None:
    for index, item in enumerate(items):
        if item["id"] == item_id or (item_id is None and item["value"] == value):
            return index
    return None


def _make_custom_item(definition: CustomField, item_id: str, value: object) -> Json:
    return {
        "name": definition.name,
        "key": definition.key,
        "id": item_id,
        "type": definition.type,
        "value": value,
    }


def _merge_custom_fields(
    current: list[Json], changes: list[tuple[CustomField, object]], make_id: Callable[[], str]
) -> list[Json]:
    items = {item["key"]: item for item in current}
    for definition, value in changes:
        key = str(definition.key)
        item_id = items[key]["id"] if key in items else make_id()
        items[key] = _make_custom_item(definition, item_id, value)
    return [item for item in items.values() if item["value"] is not None]


def _save_field(definition: CustomField) -> Json:
    return {
        "key": definition.key,
        "name": definition.name,
        "type": definition.type,
        "options": list(definition.options),
    }


def _load_field(saved: Json) -> CustomField:
    return CustomField(saved["name"], saved["type"], tuple(saved["options"]), saved["key"])


def _make_phone_number(seed: int, index: int) -> Json:
    digits = int(derive_id(seed, "number", index, length=8), 16) % 100
    number = f"+1{(213, 310)[index]}55501{digits:02}"
    group = "GR" + derive_id(seed, "group", index, length=8)
    regions = {"CA": "unrestricted", "Intl": "restricted", "US": "unrestricted"}
    return {
        "id": "PN" + derive_id(seed, "phone", index, length=10),
        "groupId": group,
        "portRequestId": None,
        "formattedNumber": f"({number[2:5]}) {number[5:8]}-{number[8:]}",
        "forward": None,
        "name": ("Main line", "Intake")[index],
        "number": number,
        "portingStatus": None,
        "symbol": None,
        "users": [_make_user(seed, user, group) for user in range(2)],
        "createdAt": "2024-01-15T17:00:00.000Z",
        "updatedAt": "2024-06-03T18:30:00.000Z",
        "restrictions": {"calling": regions, "messaging": regions},
    }


def _make_user(seed: int, index: int, group: str) -> Json:
    first, last, role = (("Dana", "Reyes", "owner"), ("Sam", "Okafor", "member"))[index]
    return {
        "email": f"{first.lower()}@example.com",
        "firstName": first,
        "lastName": last,
        "groupId": group,
        "id": "US" + derive_id(seed, "user", index, length=10),
        "role": role,
    }
