"""One request with its retries: what an answer means, and whether asking again is safe.

Retried: 429, 5xx, transport errors and 2xx answers that are no JSON, with exponential backoff and jitter. Never
retried: 400, 401, 402, 403, 404, 409, and a POST whose answer was lost, since nobody knows whether it was stored.
All waiting is done on the clock that is given, so that a signal ends it.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
from openphone_sync.ops.http import NOT_CONNECTED, HttpClient, HttpError, HttpResponse, describe_http_error
from openphone_sync.ports import Clock

FAILURES_IN_A_ROW = 10
"""Requests given up with no success between them before the run stops (circuit breaker)."""

MAX_BACKOFF_S = 60.0

_POLICY = re.compile(r"q=([0-9]+)\s*;\s*w=([0-9]+)")
_HALVES = re.compile("[\ud800-\udfff]")
"""Halves of characters, as programs leave them that cut an emoji by UTF-16 units; no UTF-8 can hold them."""


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


class _UnsentError(Exception):
    """No connection: the request never reached the API."""


class Caller:
    """Sends requests, paced and retried, and counts them. Safe for many threads."""

    def __init__(
        self,
        client: HttpClient,
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
            raise self._given_up(ContactError("the API is busy (429)", status=429, code="rate limited")) from error
        except _UnsentError as error:
            raise self._given_up(
                AnswerLostError(f"no connection to the API ({error})", code="no connection")
            ) from error
        except AnswerLostError as error:
            raise self._given_up(error) from error

    def read(self, path: str, params: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
        """GET what the whole run depends on: any failure is an `UnreachableError`."""
        try:
            return self.call("GET", path, params=params)
        except ContactError as error:
            raise UnreachableError(
                f"OpenPhone cannot be read: {error.message}; check OPENPHONE_BASE_URL, or try later"
            ) from error

    def read_list(self, path: str) -> list[Mapping[str, Any]]:
        """The objects of a list that comes on one page."""
        data = self.read(path).get("data")
        return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []

    def _send_repeatedly(
        self, method: str, path: str, params: Sequence[tuple[str, str]], body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        again = (_BusyError, _UnsentError) if method == "POST" else (_BusyError, _UnsentError, AnswerLostError)
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
        self._pacer.wait()
        if self._stopping():
            raise NotSentError("not sent: the run is stopping", code="stopped")
        self._count(method)
        try:
            response = self._client.request(method, path, params=list(params), json=body)
        except NOT_CONNECTED as error:
            raise _UnsentError(describe_http_error(error)) from None
        except HttpError as error:
            raise AnswerLostError(f"no answer from the API ({describe_http_error(error)})", code="no answer") from None
        self._read_policy(response)
        return self._read_answer(response)

    def _read_answer(self, response: HttpResponse) -> dict[str, Any]:
        status = response.status_code
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self._count("rateLimited")
            self._slow_down(_retry_after(response, self._clock.now()))
            raise _BusyError
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise AnswerLostError(f"the API answered {status}", status=status, code=_code(response))
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

    def _read_policy(self, response: HttpResponse) -> None:
        found = _POLICY.search(response.headers.get("ratelimit-policy", ""))
        if found and int(found[1]) > 0 and int(found[2]) > 0:
            self._pacer.obey_policy(int(found[1]) / int(found[2]))

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1


def _parse_success(response: HttpResponse) -> dict[str, Any]:
    if response.status_code == HTTPStatus.NO_CONTENT:
        return {}
    answer = _parse_json(response)
    if not isinstance(answer, dict):
        raise AnswerLostError(
            f"the API answered {response.status_code} with something that is no JSON",
            status=response.status_code,
            code="no JSON",
        )
    return answer


def _parse_json(response: HttpResponse) -> Any:
    """What the body holds, None where it is no JSON. Halves of characters become U+FFFD, like bytes that are no text."""
    try:
        answer = response.json()
    except ValueError:
        return None
    text, halves = _HALVES.subn("\ufffd", json.dumps(answer, ensure_ascii=False))
    return json.loads(text) if halves else answer


def _refusal(response: HttpResponse) -> ContactError | UnreachableError:
    status = response.status_code
    message, code = describe_error(response)
    if status == HTTPStatus.UNAUTHORIZED:
        return RefusedError(
            "OpenPhone refused the API key (401); check OPENPHONE_API_KEY (sent as it is, without Bearer), "
            "and give a key made just now another minute"
        )
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return RefusedError("OpenPhone refused (402, payment required); check the workspace's plan and credit")
    kinds: dict[int, type[ContactError]] = {
        403: ContactForbiddenError,
        404: ContactGoneError,
        409: ContactConflictError,
    }
    return kinds.get(status, ContactError)(message, status=status, code=code)


def describe_error(response: HttpResponse) -> tuple[str, str]:
    """Message and code of an error answer in any of its shapes: nested (gateway), flat (handlers), HTML.

    Texts that could echo a person's data (``errors[].value``) stay out: only titles and paths are passed on.
    """
    payload = _error_payload(response)
    title = payload.get("title") or payload.get("message")
    paths = [str(one.get("path")) for one in payload.get("errors") or [] if isinstance(one, dict) and one.get("path")]
    message = f"the API answered {response.status_code}"
    if isinstance(title, str):
        message += f" ({title[:80]})"
    if paths:
        message += " at " + ", ".join(paths[:5])
    return message, str(payload.get("code") or payload.get("key") or "")


def _error_payload(response: HttpResponse) -> Mapping[str, Any]:
    data = _parse_json(response)
    if isinstance(data, dict) and isinstance(data.get("error"), dict):
        return dict(data["error"])
    return data if isinstance(data, dict) else {}


def _code(response: HttpResponse) -> str:
    return describe_error(response)[1]


def _retry_after(response: HttpResponse, now: float) -> float | None:
    """Seconds of a Retry-After in either form; None where there is none or it says nothing. ``now`` is since the epoch."""
    text = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return max(0.0, moment.timestamp() - now)
