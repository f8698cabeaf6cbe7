"""Alerts: a health-check ping at each run, a message when runs begin to fail and when they work again.

Texts hold counts and ids only. An alert that cannot be sent is a warning and never fails a run. A small file in the state
folder remembers what was last sent, so that a failure of every night is reported once, again when its reason changes, and
again every seventh night.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from socket import gethostname
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from openphone_sync.config import Settings
from openphone_sync.documents import describe_contacts
from openphone_sync.errors import BUG, BUG_ENDED_RUN, EXIT_CODES, ConfigurationError, LockedError, RunError
from openphone_sync.ops.answers import HttpError
from openphone_sync.ops.files import check_state_dir, save_text
from openphone_sync.ops.logging import OPERATOR, find_redactor

SENT_FILE = "alerts.json"
LOCK_FILE = "alerts.lock"
NEEDS_EXTRA = "OPENPHONE_ALERT_URLS needs the extra alerts; install openphone-sync[alerts]"
PING_TIMEOUT_S = 5.0
PING_ATTEMPTS = 2
MESSAGE_LIMIT_S = 30.0
IDS_SHOWN = 20
REPEAT_AFTER_S = 7 * 86400 - 3600
"""A week less an hour, so that the seventh night repeats a failure also where runs begin a little earlier."""
GROWING_NIGHTS = 7
"""Nights in a row in which more contacts are held than the night before: somebody should decide them."""
NOT_BEGUN = frozenset({"unfinished", "stopped"})
"""Codes of contacts that a run had not begun when it ended."""
SIGNALS = 128
SIGINT_CODE = SIGNALS + 2
_NOT_ALLOWED = frozenset({405, 501})


class Kind(StrEnum):
    """Apprise's types of messages."""

    FAILURE = "failure"
    SUCCESS = "success"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Sent:
    """What the receivers know: whether runs fail and why, and whether the last good run is too old.

    ``reason`` is a digest of the sentence that was sent, ``sent_at`` when (Unix seconds). ``held`` are the contacts held
    at the end of each of the last nights (day, count), the latest last.
    """

    failing: bool = False
    stale: bool = False
    reason: str = ""
    sent_at: float = 0.0
    held: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True)
class Watch:
    """A run under watch; its caller fills in the report and the exit code. ``message``: what ended it without a report."""

    document: Mapping[str, Any] | None = None
    exit_code: int = 0
    message: str = ""

    @property
    def sentence(self) -> str:
        """Why it did not succeed and what to do; empty if it did."""
        return self.message or str((self.document or {}).get("message") or "")


@contextmanager
def watching(settings: Settings, *, complete: bool = True) -> Iterator[Watch]:
    """Ping and alert around a run, however it ends. One that is not ``complete`` says nothing of the nightly sync."""
    watch = Watch()
    if not settings.alert_on_failure or not complete:
        yield watch
        return
    ping(settings, "start", attempts=1, log=__name__)  # if it fails, the ping at the end tells the operator
    try:
        yield watch
    except LockedError:
        raise  # the other run pings for itself
    except RunError as error:
        redactor = find_redactor()
        watch.message = redactor.hide_secrets(str(error)) if redactor else error.what
        watch.exit_code = error.exit_code
        notify_end(settings, watch)
        raise
    except Exception:  # a bug is reported like any end, and then goes its way
        watch.message = BUG_ENDED_RUN
        watch.exit_code = BUG
        notify_end(settings, watch)
        raise
    notify_end(settings, watch)


def notify_end(settings: Settings, watch: Watch) -> None:
    """At the end of a run: always a ping; a message if runs begin to fail, fail otherwise, or work again.

    Ctrl-C is not a failure.
    """
    body = "\n".join(line for line in (describe_counts(watch.document), watch.sentence) if line)
    ping(settings, str(watch.exit_code) if watch.exit_code else "", body)
    if watch.exit_code == SIGINT_CODE:
        return
    with _remembering(settings.state_dir):
        _notify_result(settings, watch)
        if not watch.exit_code and watch.document is not None:
            _notify_backlog(settings, watch.document)


def _notify_result(settings: Settings, watch: Watch) -> None:
    last, now = load_sent(settings.state_dir), time.time()
    failing, reason = watch.exit_code != 0, _digest_reason(watch)
    is_news = not last.failing or last.reason != reason or now - last.sent_at >= REPEAT_AFTER_S
    if (failing and is_news) or (not failing and (last.failing or last.stale)):
        still = " still" if last.failing and last.reason == reason else ""
        title = f"openphone-sync{still} fails" if failing else "openphone-sync works again"
        kind = Kind.FAILURE if failing else Kind.SUCCESS
        if not send_message(settings, f"{title} on {gethostname()}", _describe_end(watch), kind=kind):
            return  # nobody was notified: the next run tries again
        last = replace(last, sent_at=now)
    stale = last.stale and failing
    save_sent(settings.state_dir, replace(last, failing=failing, stale=stale, reason=reason if failing else ""))


def _digest_reason(watch: Watch) -> str:
    """Recognises the reason of a failure: exit code and sentence, numbers and ids of contacts left out."""
    words = "" if watch.exit_code == 1 else re.sub(r"[0-9]+", "", watch.sentence)
    return hashlib.blake2b(f"{watch.exit_code} {words}".encode(), digest_size=8).hexdigest()


def _notify_backlog(settings: Settings, document: Mapping[str, Any]) -> None:
    """Held contacts that grow night after night are news: nobody decides them."""
    last = load_sent(settings.state_dir)
    night, held = str(document["finishedAt"])[:10], int(document["contacts"]["held"])
    if not held and not last.held:
        return
    nights = [*(one for one in last.held if one[0] != night), (night, held)][-GROWING_NIGHTS - 1 :]
    counts = [count for _, count in nights]
    if len(nights) > GROWING_NIGHTS and all(earlier < later for earlier, later in pairwise(counts)):
        title = f"openphone-sync: {held} contacts wait for a review on {gethostname()}"
        body = f"more each night for a week ({counts[0]} -> {held}); decide them with openphone-sync review"
        if send_message(settings, title, body, kind=Kind.WARNING):
            nights = nights[-1:]
    save_sent(settings.state_dir, replace(last, held=tuple(nights)))


def notify_age(settings: Settings, *, too_old: bool, words: str) -> None:
    """The result of ``status --max-age``: one message when the last good run becomes too old, one when it no longer is."""
    if not settings.alert_on_failure or load_sent(settings.state_dir).stale == too_old:
        return
    with _remembering(settings.state_dir):
        last = load_sent(settings.state_dir)
        if last.stale == too_old:
            return  # another process has just said so
        if too_old:
            ping(settings, "1", words)
        state = "has not run for too long" if too_old else "is up to date again"
        kind = Kind.FAILURE if too_old else Kind.SUCCESS
        if send_message(settings, f"openphone-sync {state} on {gethostname()}", words, kind=kind):
            save_sent(settings.state_dir, replace(last, stale=too_old))


def send_test(settings: Settings) -> list[tuple[str, bool, str]]:
    """A test message to every address and to the health check: which receiver, whether it took it, and why not.

    The health check gets ``/log``, which changes nothing there; one that does not know it gets a success ping.
    """
    results: list[tuple[str, bool, str]] = []
    if settings.alert_urls and find_spec("apprise") is None:
        results.append(("OPENPHONE_ALERT_URLS", False, NEEDS_EXTRA))
    elif settings.alert_urls:
        title, body = f"openphone-sync test on {gethostname()}", "this is a test; there is nothing to do"
        for number, is_sent in enumerate(_send_each(settings, title, body, Kind.INFO, MESSAGE_LIMIT_S), 1):
            why = "" if is_sent else "it could not be sent; check that address"
            results.append((f"address {number} of OPENPHONE_ALERT_URLS", is_sent, why))
    if settings.healthcheck_url:
        failure = _try_ping(settings, "log", "test", 1, PING_TIMEOUT_S)
        if failure:
            failure = _try_ping(settings, "", "test", PING_ATTEMPTS, PING_TIMEOUT_S)
        results.append(("OPENPHONE_HEALTHCHECK_URL", not failure, failure))
    return results


# --- texts ---------------------------------------------------------------------------------------------------------


def describe_counts(document: Mapping[str, Any] | None) -> str:
    """A run in one line: its id, how it ended, and its counts."""
    if document is None:
        return ""
    return f"run {document['runId']} {document['status']}: {describe_contacts(document['contacts'])}"


def describe_failures(document: Mapping[str, Any]) -> str:
    """Which contacts failed, by external id, and how many are left for the next run; empty if none."""
    left = [error for error in document["errors"] if error["code"] in NOT_BEGUN]
    ids = [str(error["externalId"]) for error in document["errors"] if error["code"] not in NOT_BEGUN]
    more = f" and {len(ids) - IDS_SHOWN} more" if len(ids) > IDS_SHOWN else ""
    failed = [f"{len(ids)} failed: {', '.join(ids[:IDS_SHOWN])}{more}"] if ids else []
    parts = [*failed, *([f"{len(left)} left for the next run"] if left else [])]
    return ", and ".join(parts) + "; see why with openphone-sync runs show latest" if parts else ""


def _describe_end(watch: Watch) -> str:
    meaning = "interrupted by a signal" if watch.exit_code > SIGNALS else ""
    ended = f"exit code {watch.exit_code}: {meaning or EXIT_CODES.get(watch.exit_code, 'done')}"
    lines = [watch.sentence, ended, describe_counts(watch.document)]
    return "\n".join(line for line in lines if line)


# --- what was sent last --------------------------------------------------------------------------------------------


def load_sent(state_dir: Path) -> Sent:
    """What was sent last; a missing or damaged file counts as nothing."""
    try:
        known = json.loads((state_dir / SENT_FILE).read_text(encoding="utf-8"))
        held = tuple((str(night), int(count)) for night, count in known.get("held", ()))
        reason, sent_at = str(known.get("reason", "")), float(known.get("sent_at", 0))
        return Sent(bool(known["failing"]), bool(known["stale"]), reason, sent_at, held)
    except (OSError, ValueError, KeyError, TypeError):
        return Sent()


def save_sent(state_dir: Path, sent: Sent) -> None:
    """Remember it, if the folder can be written."""
    if sent != load_sent(state_dir):
        with suppress(OSError, ConfigurationError):
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            check_state_dir(state_dir)
            save_text(state_dir / SENT_FILE, json.dumps(asdict(sent)) + "\n")


@contextmanager
def _remembering(state_dir: Path) -> Iterator[None]:
    """One process at a time looks what was sent and sends: two at once send one message."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_state_dir(state_dir)  # nothing is written into a folder that was refused
        handle = os.open(state_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except (OSError, ConfigurationError):  # a folder that cannot be written: better two messages than none
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # held for MESSAGE_LIMIT_S at most
        yield
    finally:
        os.close(handle)  # also frees the lock


# --- sending -------------------------------------------------------------------------------------------------------


def ping(
    settings: Settings,
    what: str,
    body: str = "",
    *,
    attempts: int = PING_ATTEMPTS,
    log: str = OPERATOR,
    timeout_s: float = PING_TIMEOUT_S,
) -> None:
    """One health-check ping: ``start``, an exit code, or nothing for success (healthchecks.io, "Pinging API").

    ``log`` names the logger for a failure. Each attempt ends after ``timeout_s``.
    """
    if not settings.healthcheck_url:
        return
    failure = _try_ping(settings, what, body, attempts, timeout_s)
    if failure:
        logging.getLogger(log).warning("the health-check ping failed (%s); check OPENPHONE_HEALTHCHECK_URL", failure)


def _try_ping(settings: Settings, what: str, body: str, attempts: int, timeout_s: float) -> str:
    """Why it failed; empty if it did not."""
    try:
        return _send_ping(_ping_address(settings.healthcheck_url, what), body, attempts, timeout_s)
    except Exception as error:  # noqa: BLE001  # an alert never fails a run
        return type(error).__name__


def _ping_address(url: str, what: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not an http address")
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{what}" if what else parts.path))


def _send_ping(address: str, body: str, attempts: int, timeout_s: float) -> str:
    """Why it failed; empty if it did not."""
    from openphone_sync.ops.http import make_http_client  # noqa: PLC0415  # 60 ms, not needed without pings

    failure = ""
    with make_http_client(timeout_s, base_url=address, follow_redirects=True) as client:
        for _ in range(attempts):
            try:
                answer = client.fetch("POST", address, content=body.encode())
                if answer.status in _NOT_ALLOWED:  # a monitor that only knows GET
                    answer = client.fetch("GET", address)
            except HttpError as error:
                failure = str(error)
                continue
            if answer.is_success:
                return ""
            failure = f"it answered {answer.status}"
    return failure


def send_message(
    settings: Settings, title: str, body: str, limit_s: float = MESSAGE_LIMIT_S, *, kind: Kind = Kind.INFO
) -> bool:
    """One message to every Apprise address, within ``limit_s``; returns whether at least one was sent, or none was wanted."""
    if not settings.alert_urls:
        return True
    if find_spec("apprise") is None:  # an extra of 14 MB
        _warn(f"no message was sent, because {NEEDS_EXTRA}")
        return False
    results = _send_each(settings, title, body, kind, limit_s)
    for number, is_sent in enumerate(results, 1):
        if not is_sent:
            _warn(f"no message could be sent to address {number} of OPENPHONE_ALERT_URLS; check that address")
    return any(results)


def _send_each(settings: Settings, title: str, body: str, kind: Kind, limit_s: float) -> list[bool]:
    ends_at = time.monotonic() + limit_s
    senders = [_start_sender(address, title, body, kind) for address in settings.alert_urls]
    return [_wait_for(sender, ends_at) for sender in senders]


_SEND = """
import json, sys
from apprise import Apprise
address, title, body, kind = json.load(sys.stdin)
receiver = Apprise()
sys.exit(0 if receiver.add(address) and receiver.notify(title=title, body=body, notify_type=kind) else 1)
"""


def _start_sender(address: str, title: str, body: str, kind: Kind) -> subprocess.Popen[str] | None:
    """A process of its own: Apprise limits single reads only, and a thread that never ends would keep Python from ending."""
    command = [sys.executable, "-P", "-c", _SEND]
    nothing = subprocess.DEVNULL
    try:
        sender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=nothing, stderr=nothing, text=True)
    except OSError:  # an alert never fails a run
        return None
    if sender.stdin is not None:
        with suppress(OSError), sender.stdin as pipe:  # not as an argument, which everybody on the machine can read
            pipe.write(json.dumps([address, title, body, kind]))
    return sender


def _wait_for(sender: subprocess.Popen[str] | None, ends_at: float) -> bool:
    if sender is None:
        return False
    with sender:
        try:
            return sender.wait(max(0.0, ends_at - time.monotonic())) == 0
        except subprocess.TimeoutExpired:
            sender.kill()
            return False


def _warn(message: str) -> None:
    logging.getLogger(OPERATOR).warning(message)
