"""What can go wrong on the way or at the other end, as values: which requests, how often, and what happens to them.

A fault looks at every request that its `method` and `path` match and counts them. It strikes from the `nth` of them on,
at most `count` times (None: for ever), each time with `probability`. The first fault that strikes has the request;
the others only count it. Only requests that were let in (known route, good key, within the rate limit) are looked at.

    Fault(FaultKind.STATUS, status=502, method="POST", nth=3)             the third create: 502, nothing stored
    Fault(FaultKind.STATUS, status=502, method="POST", committed=True)    the same, but stored
    Fault(FaultKind.STATUS, status=429, path="/v1/contacts?*pageToken=*") one 429 in the middle of a page walk
    Fault(FaultKind.STATUS, status=401, nth=20, count=None)               the key is revoked after 19 requests
    Fault(FaultKind.DROP, committed=True, probability=0.1, count=None)    every tenth answer is lost
"""

import random
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args, get_type_hints

from openphone_sync.sandbox.errors import SandboxError

Style = Literal["auto", "flat", "nested", "html", "empty"]


class FaultKind(StrEnum):
    """What happens to the request. Those marked (list) change the answers of lists in pages and nothing else."""

    DROP = "drop"  # the connection is closed with no answer; `reset` makes it a TCP reset
    CUT = "cut"  # carried out; the connection is closed in the middle of the answer's body
    STATUS = "status"  # answered with `status`, in `style`, with `retry_after` if given
    TRUNCATED = "truncated"  # carried out; a whole answer whose JSON stops half-way
    NOT_JSON = "not-json"  # a 200 with a page of HTML, called application/json
    EMPTY = "empty"  # a 200 with no body
    HANG = "hang"  # `seconds` of silence, then the answer if `committed`, else the connection is closed
    SLOW_BODY = "slow-body"  # carried out; the body takes `seconds`
    IGNORED_WRITE = "ignored-write"  # the 2xx of a write, and nothing is stored; PATCH answers the contact as it was
    EXTRA_FIELDS = "extra-fields"  # carried out; unknown keys at every level of the answer
    SPARSE_FIELDS = "sparse-fields"  # carried out; optional keys absent, null wherever the vendor document allows it
    GHOST = "ghost"  # (list) the first item is listed under an id that answers 404
    SAME_TOKEN = "same-token"  # noqa: S105 -- (list) a later page carries the token it was asked with
    EMPTY_TOKEN = "empty-token"  # noqa: S105 -- (list) "" instead of null on the last page
    NO_TOKEN = "no-token"  # noqa: S105 -- (list) no nextPageToken on the last page
    EMPTY_PAGE = "empty-page"  # (list) no items, and a token that goes on from here
    ITEM_TWICE = "item-twice"  # (list) the first item of the page comes twice
    ITEM_MISSING = "item-missing"  # (list) the first item of the page is left out
    ARRIVAL = "arrival"  # a message arrives in the conversation that is asked for, just before the answer


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong; the module's text says when it strikes. Raises SandboxError for a bad status.

    `path` is a shell pattern for the path, or for path and query when it contains a "?" (which also matches itself).
    `status` is from 200 to 599: what is below announces an answer and is none.
    `committed`: the request is carried out although its answer is lost. `seconds` is for HANG and SLOW_BODY.
    """

    kind: FaultKind
    method: str = "*"
    path: str = "/v1/*"
    nth: int = 1
    count: int | None = 1
    probability: float = 1.0
    status: int = 500
    style: Style = "auto"
    retry_after: str | None = None
    seconds: float = 1.0
    committed: bool = False
    reset: bool = False

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 599:
            raise SandboxError(f"a fault's status cannot be {self.status}; give 200 to 599")

    def matches(self, method: str, target: str) -> bool:
        """Tell whether a request is one of those that this fault looks at; `target` is path and query."""
        subject = target if "?" in self.path else target.partition("?")[0]
        return fnmatchcase(method, self.method) and fnmatchcase(subject, self.path)


class Faults:
    """The faults of a running sandbox. Thread-safe."""

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._active: list[_Counted] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Add a fault; it counts requests from now on."""
        with self._lock:
            self._active.append(_Counted(fault))

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._active.clear()

    def take(self, method: str, target: str) -> Fault | None:
        """Return the fault that strikes this request, if any, and count the request."""
        with self._lock:
            if not self._active:
                return None
            struck = None
            for counted in self._active:
                if counted.sees(method, target) and struck is None and counted.strikes(self._random):
                    struck = counted.fault
            return struck


class _Counted:
    """A fault with what it has seen and done."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.seen = 0
        self.struck = 0

    def sees(self, method: str, target: str) -> bool:
        if not self.fault.matches(method, target):
            return False
        self.seen += 1
        return self.seen >= self.fault.nth

    def strikes(self, dice: random.Random) -> bool:
        if self.fault.count is not None and self.struck >= self.fault.count:
            return False
        if self.fault.probability < 1 and dice.random() >= self.fault.probability:
            return False
        self.struck += 1
        return True


def make_fault(values: Mapping[str, Any]) -> Fault:
    """Return a fault from JSON, `{"kind": "status", "status": 503, "count": null}`. Raises SandboxError."""
    hints = get_type_hints(Fault)
    unknown = sorted(set(values) - set(hints))
    if unknown or "kind" not in values:
        raise SandboxError(
            f"a fault cannot have {', '.join(unknown) or 'no kind'}; give a kind and any of {', '.join(hints)}"
        )
    checked = {name: _make_value(name, value) for name, value in values.items()}
    return Fault(**checked)


def parse_fault(text: str) -> Fault:
    """Return a fault from `kind[:name=value,…]`, as `status:status=503,method=POST,count=none`. Raises SandboxError."""
    kind, _, rest = text.partition(":")
    pairs = [pair.partition("=") for pair in rest.split(",") if pair]
    return make_fault({"kind": kind.strip(), **{name.strip(): value.strip() for name, _, value in pairs}})


def _make_value(option: str, value: Any) -> Any:
    try:
        return _READERS.get(option, str)(value)
    except (ValueError, TypeError) as error:
        known = ", ".join(_ACCEPTED.get(option, ("a number",)))
        raise SandboxError(f"a fault's {option} cannot be {value!r}; give {known}") from error


def _read_count(value: Any) -> int | None:
    return None if value is None or str(value).lower() in ("none", "null") else int(value)


def _read_flag(value: Any) -> bool:
    flags = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if str(value).lower() not in flags:
        raise ValueError(value)
    return flags[str(value).lower()]


def _read_style(value: Any) -> str:
    if value not in get_args(Style):
        raise ValueError(value)
    return str(value)


_READERS: Mapping[str, Any] = {
    "kind": FaultKind,
    "nth": int,
    "count": _read_count,
    "probability": float,
    "status": int,
    "style": _read_style,
    "retry_after": lambda value: None if value is None else str(value),
    "seconds": float,
    "committed": _read_flag,
    "reset": _read_flag,
}
_ACCEPTED: Mapping[str, tuple[str, ...]] = {
    "kind": tuple(FaultKind),
    "style": get_args(Style),
    "committed": ("true", "false"),
    "reset": ("true", "false"),
    "count": ("a number", "none"),
}
