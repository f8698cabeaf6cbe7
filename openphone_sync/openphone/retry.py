"""One request with its retries: what an answer means, and whether asking again is safe.

Retried: 429, 5xx, transport errors and 2xx answers that are no JSON, with exponential backoff and jitter. Never
retried: 400, 401, 402, 403, 404, 409, and a POST whose answer was lost, since nobody knows whether it was stored.
All waiting is done on the clock that is given, so that a signal ends it.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from openphone_sync.errors import (
    AnswerLostError,
    ContactConflictError,
    ContactError,
    ContactForbiddenError,
    ContactGoneError,
    NotSentError,
    RefusedError,
    UnreachableError,
)
from openphone_sync.openphone.pacing import Pacer
from openphone_sync.ops.answers import Fetching, HttpAnswer, HttpError, NotConnectedError
from openphone_sync.ops.logging import find_redactor
from openphone_sync.ops.redaction import Redactor
from openphone_sync.ports import Clock

BUSY = (
    "the API is busy (429 without end); stop other programs that use the same key, "
    "or lower OPENPHONE_RATE_LIMIT_SECOND, and try later"
)
FAILURES_IN_A_ROW = 10
"""Requests given up with no success between them before the run stops (circuit breaker)."""

MAX_BACKOFF_S = 60.0

MAX_WINDOW_S = 60
"""A quota over a longer window (a day's) says nothing about the distance between two requests."""
MAX_DEPTH = 100
"""Levels of JSON; contacts have five. What lies deeper could not be kept or sent again."""
_TITLE_LENGTH = 80
_PLAIN_CODE = re.compile(r"[\w.\-]{1,40}")
_PLAIN_PATH = re.compile(r"[\w.\-/\[\]]{1,80}")
_HALVES = re.compile("[\ud800-\udfff]")
"""Halves of characters, as programs leave them that cut an emoji by UTF-16 units; no UTF-8 can hold them."""


_URGENT = frozenset({"PATCH", "DELETE"})
"""Writes of contacts that have just been read."""


@dataclass(frozen=True, slots=True)
class RetryRules:
    """``attempts`` are tries after the first; ``delay_s`` is the base of the exponential backoff, and its jitter."""

    attempts: int = 3
    delay_s: float = 1.0

    def wait_s(self, tries: int, chance: float) -> float:
        """How long to wait after so many tries (1 or more); ``chance`` is from 0 to 1."""
        return min(MAX_BACKOFF_S, self.delay_s * (2.0 ** (tries - 1) + chance))


class _BusyError(Exception):
    """429: not carried out, ask again later."""


class Caller:
    """Sends requests, paced and retried, and counts them. Safe for many threads."""

    def __init__(
        self,
        client: Fetching,
        pacer: Pacer,
        rules: RetryRules,
        clock: Clock,
        *,
        stopping: Callable[[], bool],
        warn: Callable[[str], None],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._pacer = pacer
        self._rules = rules
        self._clock = clock
        self._stopping = stopping
        self._warn = warn
        self._draw = draw
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._failures = 0
        self.skew_s: float | None = None
        """How far our clock is ahead of the API's, by its last answer; None where that does not tell the time."""

    def counts(self) -> Mapping[str, int]:
        """Requests sent by method, and ``retried``, ``rateLimited``."""
        with self._lock:
            return dict(self._counts)

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The JSON object of a 2xx answer; empty for 204.

        Raises `ContactError` and its kinds for this request, `UnreachableError` where the run must end.
        """
        try:
            return self._send_repeatedly(method, path, params, body)
        except _BusyError as error:
            raise self._given_up(ContactError(BUSY, status=429, code="rate limited")) from error
        except NotConnectedError as error:
            advice = f"; {error.advice.format(setting='OPENPHONE_BASE_URL')}" if error.advice else ""
            raise self._given_up(
                AnswerLostError(f"no connection to the API ({error}){advice}", code="no connection")
            ) from error
        except AnswerLostError as error:
            raise self._given_up(error) from error

    def read(self, path: str, params: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
        """GET what the whole run depends on: any failure is an `UnreachableError`."""
        try:
            return self.call("GET", path, params=params)
        except ContactError as error:
            advice = error.fix or "check OPENPHONE_BASE_URL, or try later"
            raise UnreachableError(f"OpenPhone cannot be read: {error.what}; {advice}") from error

    def read_list(self, path: str) -> list[dict[str, Any]]:
        """The objects of a list that comes on one page."""
        return [entry for entry in read_data(self.read(path)) if isinstance(entry, dict)]

    def _send_repeatedly(
        self, method: str, path: str, params: Sequence[tuple[str, str]], body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        unsent = (_BusyError, NotConnectedError)
        again = unsent if method == "POST" else (*unsent, AnswerLostError)
        for tries in range(1, self._rules.attempts + 1):
            try:
                return self._send(method, path, params, body)
            except again:
                self._clock.sleep(self._rules.wait_s(tries, self._draw()))
                self._count("retried")
        return self._send(method, path, params, body)

    def _send(
        self, method: str, path: str, params: Sequence[tuple[str, str]], body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        self._pacer.wait(urgent=method in _URGENT)
        if self._stopping():
            raise NotSentError("not sent: the run is stopping", code="stopped")
        self._count(method)
        # What is being written is finished, so that its outcome is known; what is only read need not be waited for.
        give_up = self._stopping if method == "GET" else _never
        try:
            response = self._client.fetch(method, path, params=params, body=body, give_up=give_up)
        except NotConnectedError:
            raise
        except HttpError as error:
            raise AnswerLostError(f"no answer from the API ({error})", code="no answer") from None
        self._read_headers(response)
        return self._read_answer(response)

    def _read_answer(self, response: HttpAnswer) -> dict[str, Any]:
        status = response.status
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self._count("rateLimited")
            self._slow_down(_retry_after(response.headers.get("retry-after", ""), self._clock.now()))
            raise _BusyError
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise AnswerLostError(f"the API answered {status}", status=status, code=describe_error(response)[1])
        if response.is_success:
            answer = _parse_success(response)
            self._went_through()
            return answer
        self._went_through()  # a refusal is an answer: the API is there
        raise _refusal(response)

    def _slow_down(self, retry_after_s: float | None) -> None:
        """A 429 is for every thread: the pacer spaces all requests wider, and pauses as asked."""
        obeyed = self._pacer.widen(retry_after_s)
        if retry_after_s and retry_after_s > obeyed:
            self._warn(
                f"the API asked to wait {retry_after_s:.0f} s, of which {obeyed:.0f} s are obeyed; "
                "look for another program on the same key, or lower OPENPHONE_RATE_LIMIT_SECOND"
            )

    def _went_through(self) -> None:
        with self._lock:
            self._failures = 0
        self._pacer.narrow()

    def _given_up(self, error: ContactError) -> ContactError | UnreachableError:
        with self._lock:
            self._failures += 1
            failures = self._failures
        if failures >= FAILURES_IN_A_ROW:
            return UnreachableError(
                f"the API failed {failures} times in a row ({error.message}); run again later: everything done is recorded"
            )
        return error

    def _read_headers(self, response: HttpAnswer) -> None:
        per_second = parse_policy(response.headers.get("ratelimit-policy", ""))
        if per_second is not None:
            self._pacer.obey_policy(per_second)
        moment = parse_http_date(response.headers.get("date", ""))
        self.skew_s = None if moment is None else self._clock.now() - moment

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1


def _never() -> bool:
    return False


def read_data(answer: Mapping[str, Any]) -> list[Any]:
    """The entries of a list, whatever they are."""
    data = answer.get("data")
    if not isinstance(data, list):
        raise UnreachableError("OpenPhone answered a list without data; check OPENPHONE_BASE_URL, or try later")
    return data


# --- what an answer says -------------------------------------------------------------------------------------------


def _parse_success(response: HttpAnswer) -> dict[str, Any]:
    if response.status == HTTPStatus.NO_CONTENT:
        return {}
    answer = _parse_json(response.content)
    if not isinstance(answer, dict):
        raise AnswerLostError(
            f"the API answered {response.status} with something that is not JSON of this API",
            status=response.status,
            code="no JSON",
        )
    return answer


def _parse_json(content: bytes) -> Any:
    """What the body holds, None where it is not JSON that we could send again.

    Halves of characters become U+FFFD, like bytes that are not text.
    """
    try:
        answer = _load_json(content)
        text, halves = _HALVES.subn("\ufffd", json.dumps(answer, ensure_ascii=False))
        answer = _load_json(text) if halves else answer
    except (ValueError, RecursionError):
        return None
    return None if _is_deep(answer) else answer


def _load_json(text: str | bytes) -> Any:
    return json.loads(text, parse_int=_parse_int, parse_float=_parse_float, parse_constant=_parse_float)


def _parse_int(text: str) -> int | float:
    """Whole numbers of more than 18 digits as JavaScript reads them: our state holds 64 bits."""
    return int(text) if len(text) <= 18 else _parse_float(text)


def _parse_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number that JSON cannot hold")
    return number


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def _refusal(response: HttpAnswer) -> ContactError | UnreachableError:
    status = response.status
    message, code = describe_error(response)
    if status == HTTPStatus.UNAUTHORIZED:
        return RefusedError(
            "OpenPhone refused the API key (401); check OPENPHONE_API_KEY (sent as it is, without Bearer), "
            "and give a new key another minute"
        )
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return RefusedError("OpenPhone refused (402, payment required); check the workspace's plan and credit")
    kinds: dict[int, type[ContactError]] = {
        403: ContactForbiddenError,
        404: ContactGoneError,
        409: ContactConflictError,
    }
    return kinds.get(status, ContactError)(message, status=status, code=code)


def describe_error(response: HttpAnswer) -> tuple[str, str]:
    """Message and code of an error answer in any of its shapes: nested (gateway), flat (handlers), HTML.

    Texts that could echo a person's data (``errors[].value``) stay out: only paths, and titles that are clipped and
    cleaned, are passed on.
    """
    payload = _error_payload(response)
    title = payload.get("title") or payload.get("message")
    errors = payload.get("errors")
    paths = [one.get("path") for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    plain_paths = [path for path in paths if isinstance(path, str) and _PLAIN_PATH.fullmatch(path)]
    message = f"the API answered {response.status}"
    if isinstance(title, str):
        redactor = find_redactor() or Redactor()
        message += f" ({redactor.clean(title[: 2 * _TITLE_LENGTH])[:_TITLE_LENGTH].replace(';', ',')})"
    if plain_paths:
        message += " at " + ", ".join(plain_paths[:5])
    code = str(payload.get("code") or payload.get("key") or "")
    return message, code if _PLAIN_CODE.fullmatch(code) else ""


def _error_payload(response: HttpAnswer) -> Mapping[str, Any]:
    data = _parse_json(response.content)
    if isinstance(data, dict) and isinstance(data.get("error"), dict):
        return dict(data["error"])
    return data if isinstance(data, dict) else {}


# --- headers -------------------------------------------------------------------------------------------------------


def parse_policy(header: str) -> float | None:
    """Requests a second that ``ratelimit-policy`` allows: the lowest of its quotas over a minute or less; None without one.

    ``"per-second"; q=10; w=1, "per-minute"; q=300; w=60`` allows 5.
    """
    rates = []
    for item in re.sub('"[^"]*"', "", header).split(","):
        found = {name: _POLICY[name].search(item) for name in _POLICY}
        quota, window = (int(match[1]) if match else 0 for match in found.values())
        if quota > 0 and 0 < window <= MAX_WINDOW_S:
            rates.append(quota / window)
    return min(rates, default=None)


_POLICY = {name: re.compile(rf";\s*{name}\s*=\s*([0-9]{{1,15}})(?![0-9])") for name in "qw"}


def parse_http_date(header: str) -> float | None:
    """Seconds since the epoch; None for what is not a date."""
    try:
        moment = parsedate_to_datetime(header)
        return (moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def _retry_after(header: str, now: float) -> float | None:
    """Seconds of a Retry-After in either form; None where there is none or it says nothing. ``now`` is since the epoch."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", header.strip()):
        return min(float(header), _LONGEST_S)
    moment = parse_http_date(header)
    return None if moment is None else max(0.0, moment - now)


_LONGEST_S = 1e9
