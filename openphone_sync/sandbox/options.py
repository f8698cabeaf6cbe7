"""What a sandbox is told at the start: one frozen value; habits that are unknown or differ are named variants."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from openphone_sync.sandbox.errors import SandboxError

FieldType = Literal["address", "boolean", "date", "multi-select", "number", "string", "url"]
SANDBOX_KEY = "sandboxkey0123456789abcdefghijkl"  # live keys: 32 letters and digits, no prefix


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field definition of the workspace; `key` None: an opaque one is made from the seed."""

    name: str
    type: FieldType = "string"
    options: tuple[str, ...] = ()
    key: str | None = None


CUSTOM_FIELDS = (
    CustomField("Client Type"),
    CustomField("Date of Birth", "date"),
    CustomField("County"),
    CustomField("Intake Date", "date"),
    CustomField("Case Type"),
    CustomField("Arrested", "boolean"),
    CustomField("Currently Incarcerated", "boolean"),
    CustomField("Primary Client Name"),
    CustomField("Relationship"),
    CustomField("Contact Person Name"),
    CustomField("Alt Contact Number", "number"),
    CustomField("Notes"),
    CustomField("Tags", "multi-select", ("VIP", "Spanish", "Do not text")),
)


@dataclass(frozen=True, slots=True)
class Variants:
    """Habits of the API that nobody knows for certain, or that were seen both ways. The first value is the default.

    `patch_style`: "replace": what a non-empty PATCH leaves out is deleted: `customFields`, phone numbers and e-mails
    (also when it has no `defaultFields`), and the scalars of a `defaultFields` that is sent. "replace-arrays": the
    arrays only. "merge": nothing. Arrays that are sent replace in each style.
    `last_page_token`: what the last page of a walk carries: null, no key, "", the token it was asked with, or a further
    token that leads to an empty last page (as the live API did before December 2024).
    `total_items`: the count of this page, 0, one too few, a thousand too many, or the truth.
    `deleted_external_id`: "held": the external id of a deleted contact is taken for ever: 409, and no list shows it.
    `plan`: "starter": summaries and transcripts of calls answer 403, as documented for plans below Business.
    `deleted_in_list`: "listed": a deleted contact stays in the lists, while GET, PATCH and DELETE answer 404.
    """

    patch_style: Literal["replace", "replace-arrays", "merge"] = "replace"
    blank_first_name: Literal["accept", "refuse"] = "accept"
    unknown_option: Literal["refuse", "create"] = "refuse"
    date_only: Literal["refuse", "accept"] = "refuse"
    bad_phone: Literal["store", "refuse", "drop"] = "store"
    deleted_external_id: Literal["free", "held"] = "free"
    deleted_in_list: Literal["gone", "listed"] = "gone"
    brackets: Literal["refuse", "accept"] = "refuse"
    list_order: Literal["newest", "oldest"] = "newest"
    total_items: Literal["page", "zero", "small", "large", "right"] = "page"
    last_page_token: Literal["null", "absent", "empty", "repeat", "extra"] = "null"  # noqa: S105
    retry_after: Literal["none", "seconds", "date", "huge"] = "none"
    rate_limit_body: Literal["flat", "nested", "html"] = "flat"
    plan: Literal["business", "starter"] = "business"


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How a sandbox behaves. Times are in the unit of their name.

    `port` 0 takes any free one. `rate_limit` is per second and key, over a sliding second, and is sent as `q`;
    `other_traffic` of it is eaten by another program on the same key. `lag_s` passes before a write shows in lists.
    `key_warmup_s` passes after the start before the key is known. `contacts` made by staff, integrations and other
    programs are there at the start (`samples.sample_contacts`), and so are `conversations` (`threads.sample_threads`).
    `parts_lag_s` passes before recording, voicemail and transcript of a new call are there; signed addresses of media
    work for `link_life_s`. `file` keeps the contents between runs; what it holds
    replaces `contacts` and `custom_fields`; conversations are made from the seed again. Another `seed` is another workspace.
    """

    host: str = "127.0.0.1"
    port: int = 0
    key: str = SANDBOX_KEY
    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    rate_limit: int = 10
    other_traffic: int = 0
    lag_s: float = 0.0
    key_warmup_s: float = 0.0
    seed: int = 1
    file: Path | None = None
    contacts: int = 0
    conversations: int = 0
    parts_lag_s: float = 0.0
    link_life_s: float = 3600.0
    custom_fields: tuple[CustomField, ...] = CUSTOM_FIELDS
    variants: Variants = field(default_factory=Variants)

    def __post_init__(self) -> None:
        if self.rate_limit < 1:
            raise SandboxError(f"the sandbox's rate limit is {self.rate_limit}; give 1 or more requests per second")
        times = (self.latency_ms, self.jitter_ms, self.lag_s, self.key_warmup_s, self.parts_lag_s, self.link_life_s)
        if min(*times, self.contacts, self.conversations) < 0:
            raise SandboxError("a time, or the number of contacts or conversations, is negative; give 0 or more")


def make_variants(chosen: Mapping[str, str]) -> Variants:
    """Return variants from texts, `{"patch_style": "merge"}`. Raises SandboxError naming what is accepted."""
    for name, value in chosen.items():
        _check_variant(name, value)
    values: dict[str, Any] = dict(chosen)
    return Variants(**values)


def _check_variant(option: str, value: str) -> None:
    known = {each.name for each in fields(Variants)}
    if option not in known:
        raise SandboxError(f"no variant is called {option!r}; take one of {', '.join(sorted(known))}")
    accepted = get_args(get_type_hints(Variants)[option])
    if value not in accepted:
        raise SandboxError(f"variant {option} cannot be {value!r}; take one of {', '.join(accepted)}")
