"""Alerts: a health-check ping at each run, a message when runs begin to fail and when they work again.

Texts hold counts and ids only. An alert that cannot be sent is a warning and never fails a run. A small file in the state
folder remembers what was last sent, so that a failure of every night is reported once.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from socket import gethostname
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from openphone_sync.config import Settings
from openphone_sync.documents import describe_contacts
from openphone_sync.errors import BUG, EXIT_CODES, ConfigurationError, LockedError, RunError
from openphone_sync.ops.files import check_state_dir, save_text
from openphone_sync.ops.logging import OPERATOR

SENT_FILE = "alerts.json"
PING_TIMEOUT_S = 5.0
PING_ATTEMPTS = 2
MESSAGE_LIMIT_S = 30.0
IDS_SHOWN = 20
NOT_BEGUN = frozenset({"unfinished", "stopped"})
"""Codes of contacts that a run had not begun when it ended."""
SIGNALS = 128
SIGINT_CODE = SIGNALS + 2
_NOT_ALLOWED = frozenset({405, 501})


@dataclass(frozen=True, slots=True)
class Sent:
    """What the receivers know: whether runs fail, and whether the last good run is too old."""

    failing: bool = False
    stale: bool = False


@dataclass(slots=True)
class Watch:
    """A run under watch; its caller fills in the report and the exit code."""

    document: Mapping[str, Any] | None = None
    exit_code: int = 0


@contextmanager
def watching(settings: Settings) -> Iterator[Watch]:
    """Ping and alert around a run, however it ends."""
    watch = Watch()
    if not settings.alert_on_failure:
        yield watch
        return
    ping(settings, "start", attempts=1, log=__name__)  # if it fails, the ping at the end tells the operator
    try:
        yield watch
    except LockedError:
        raise  # the other run pings for itself
    except RunError as error:
        watch.exit_code = error.exit_code
        notify_end(settings, watch)
        raise
    except Exception:
        watch.exit_code = BUG
        notify_end(settings, watch)
        raise
    notify_end(settings, watch)


def notify_end(settings: Settings, watch: Watch) -> None:
    """At the end of a run: always a ping, and a message if runs begin to fail or work again. Ctrl-C is not a failure."""
    ping(settings, str(watch.exit_code) if watch.exit_code else "", describe_counts(watch.document))
    if watch.exit_code == SIGINT_CODE:
        return
    last = load_sent(settings.state_dir)
    failing = watch.exit_code != 0
    if (failing and not last.failing) or (not failing and last != Sent()):
        title = f"openphone-sync {'fails' if failing else 'works again'} on {gethostname()}"
        if not send_message(settings, title, _describe_end(watch)):
            return  # nobody was notified: the next run tries again
    save_sent(settings.state_dir, Sent(failing, last.stale and failing))


def notify_age(settings: Settings, *, too_old: bool, words: str) -> None:
    """The result of ``status --max-age``: one message when the last good run becomes too old, one when it no longer is."""
    last = load_sent(settings.state_dir)
    if not settings.alert_on_failure or last.stale == too_old:
        return
    if too_old:
        ping(settings, "1", words)
    state = "has not run for too long" if too_old else "is up to date again"
    if send_message(settings, f"openphone-sync {state} on {gethostname()}", words):
        save_sent(settings.state_dir, replace(last, stale=too_old))


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
    lines = [f"exit code {watch.exit_code}: {meaning or EXIT_CODES.get(watch.exit_code, 'done')}"]
    if watch.document is not None:
        lines += [describe_counts(watch.document), describe_failures(watch.document)]
    return "\n".join(line for line in lines if line)


# --- what was sent last --------------------------------------------------------------------------------------------


def load_sent(state_dir: Path) -> Sent:
    """What was sent last; a missing or damaged file counts as nothing."""
    try:
        known = json.loads((state_dir / SENT_FILE).read_text(encoding="utf-8"))
        return Sent(failing=bool(known["failing"]), stale=bool(known["stale"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Sent()


def save_sent(state_dir: Path, sent: Sent) -> None:
    """Remember it, if the folder can be written."""
    if sent != load_sent(state_dir):
        with suppress(OSError, ConfigurationError):
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            check_state_dir(state_dir)
            save_text(state_dir / SENT_FILE, json.dumps(asdict(sent)) + "\n")


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
    try:
        failure = _send_ping(_ping_address(settings.healthcheck_url, what), body, attempts, timeout_s)
    except Exception as error:  # noqa: BLE001  # an alert never fails a run
        failure = type(error).__name__
    if failure:
        logging.getLogger(log).warning("the health-check ping failed (%s); check OPENPHONE_HEALTHCHECK_URL", failure)


def _ping_address(url: str, what: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not an http address")
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{what}" if what else parts.path))


def _send_ping(address: str, body: str, attempts: int, timeout_s: float) -> str:
    """Why it failed; empty if it did not."""
    from openphone_sync.ops.http import HttpError, make_http_client  # noqa: PLC0415  # 60 ms, not needed without pings

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


def send_message(settings: Settings, title: str, body: str, limit_s: float = MESSAGE_LIMIT_S) -> bool:
    """One message to every Apprise address, within ``limit_s``; returns whether at least one was sent, or none was wanted."""
    if not settings.alert_urls:
        return True
    if find_spec("apprise") is None:  # an extra of 14 MB
        _warn(
            "no message was sent, because OPENPHONE_ALERT_URLS needs the extra alerts; install openphone-sync[alerts]"
        )
        return False
    ends_at = time.monotonic() + limit_s
    senders = [_start_sender(address, title, body) for address in settings.alert_urls]
    results = [_wait_for(sender, ends_at) for sender in senders]
    for number, is_sent in enumerate(results, 1):
        if not is_sent:
            _warn(f"no message could be sent to address {number} of OPENPHONE_ALERT_URLS; check that address")
    return any(results)


_SEND = """
import json, sys
from apprise import Apprise
address, title, body = json.load(sys.stdin)
receiver = Apprise()
sys.exit(0 if receiver.add(address) and receiver.notify(title=title, body=body) else 1)
"""


def _start_sender(address: str, title: str, body: str) -> subprocess.Popen[str] | None:
    """A process of its own: Apprise limits single reads only, and a thread that never ends would keep Python from ending."""
    command = [sys.executable, "-P", "-c", _SEND]
    nothing = subprocess.DEVNULL
    try:
        sender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=nothing, stderr=nothing, text=True)
    except OSError:  # an alert never fails a run
        return None
    if sender.stdin is not None:
        with suppress(OSError), sender.stdin as pipe:  # not as an argument, which everybody on the machine can read
            pipe.write(json.dumps([address, title, body]))
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
