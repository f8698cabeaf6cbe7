"""Alerts and health-check pings, sent to a real receiver on this machine."""

import itertools
import json
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from threading import Thread

import pytest

from openphone_sync.config import load_settings
from openphone_sync.ops.alerts import PING_ATTEMPTS, PING_TIMEOUT_S, Watch, notify_end, ping, send_message
from openphone_sync.ops.lock import run_lock
from tests.fault_injection import Fault, FaultKind
from tests.office import JAMES, Office, Ran, make_many, wait_until
from tests.raw_server import answering, raw_server
from tests.receiver import Receiver

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Apprise imports what Python 3.13 drops


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def settings(receiver: Receiver) -> dict[str, str]:
    return {
        "OPENPHONE_ALERT_URLS": f"json://{receiver.host}/alert",
        "OPENPHONE_HEALTHCHECK_URL": f"http://{receiver.host}/ping/uuid?rid=1",
    }


def pings(receiver: Receiver) -> list[str]:
    return [one.path for one in receiver.take("/ping")]


def titles(receiver: Receiver) -> list[str]:
    return [json.loads(one.body)["title"].rpartition(" on ")[0] for one in receiver.take("/alert")]


def fail(office: Office, settings: dict[str, str]) -> Ran:
    return office.run("sync", "-q", **{**settings, "OPENPHONE_API_KEY": "revoked-key-0123456789"})


def test_a_good_run_pings_start_and_success_and_alerts_nobody(
    office: Office, receiver: Receiver, settings: dict[str, str]
) -> None:
    office.make_clients(JAMES)
    ran = office.run("sync", "-q", **settings)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert pings(receiver) == ["/ping/uuid/start?rid=1", "/ping/uuid?rid=1"]
    assert titles(receiver) == []


def test_failure_and_recovery_are_told_once_each(office: Office, receiver: Receiver, settings: dict[str, str]) -> None:
    office.make_clients(JAMES)
    for night in range(3):
        ran = fail(office, settings)
        assert ran.code == 3
        assert ran.err.startswith("openphone-sync: OpenPhone refused the API key")
        assert ran.err.count("\n") == 1
        assert pings(receiver) == ["/ping/uuid/start?rid=1", "/ping/uuid/3?rid=1"]
        assert titles(receiver) == ([] if night else ["openphone-sync fails"])
    for night in range(2):
        assert office.run("sync", "-q", **settings).code == 0
        assert titles(receiver) == ([] if night else ["openphone-sync works again"])


def test_bodies_carry_counts_and_ids_only(office: Office, receiver: Receiver, settings: dict[str, str]) -> None:
    (client_id,) = office.make_clients(JAMES)
    office.sandbox.faults.add(Fault(FaultKind.STATUS, status=400, method="POST", count=1))
    ran = office.run("sync", "-q", **settings)
    assert ran.code == 1
    assert f"client_{client_id}" in ran.err
    sent = "".join(one.body for one in receiver.take())
    assert f"1 failed: client_{client_id}" in sent
    assert "exit code 1: done, but some contacts failed" in sent
    for secret in ("James", "Smith", "5550134", "555-0134", office.sandbox.options.key, office.dsn):
        assert secret not in sent


def test_an_alert_address_may_hold_commas(office: Office, receiver: Receiver) -> None:
    addresses = f"json://{receiver.host}/alert?-to=a,b, json://{receiver.host}/alert"
    assert fail(office, {"OPENPHONE_ALERT_URLS": addresses}).code == 3
    assert sorted(one.path for one in receiver.take("/alert")) == ["/alert", "/alert?to=a%2Cb"]


def test_a_receiver_that_is_down_never_fails_a_run(office: Office) -> None:
    office.make_clients(JAMES)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        settings = {
            "OPENPHONE_ALERT_URLS": f"json://127.0.0.1:{port}/t0ken-of-the-hook,nonsense://x",
            "OPENPHONE_HEALTHCHECK_URL": f"http://127.0.0.1:{port}/uuid-of-the-check",
        }
        failed = fail(office, settings)
        good = office.run("sync", "-q", **settings)
    assert failed.code == 3
    assert "address 1 of OPENPHONE_ALERT_URLS" in failed.err
    assert "address 2 of OPENPHONE_ALERT_URLS" in failed.err
    assert good.code == 0
    assert "health-check ping failed" in good.err
    for secret in ("t0ken-of-the-hook", "uuid-of-the-check"):
        assert secret not in failed.err + good.err


def test_a_failure_that_nobody_heard_of_is_told_the_next_night(
    office: Office, receiver: Receiver, settings: dict[str, str]
) -> None:
    office.make_clients(JAMES)
    receiver.status = 500
    fail(office, settings)
    assert titles(receiver)
    receiver.status = 200
    fail(office, settings)
    assert titles(receiver) == ["openphone-sync fails"]


def test_a_monitor_that_knows_only_GET_is_asked_with_GET(office: Office) -> None:  # noqa: N802
    office.make_clients(JAMES)
    with Receiver(get_only=True) as receiver:
        ran = office.run("sync", "-q", OPENPHONE_HEALTHCHECK_URL=f"http://{receiver.host}/x")
        assert (ran.code, ran.err) == (0, "")
        assert [one.path for one in receiver.got if one.method == "GET"] == ["/x/start", "/x"]


def test_alerts_can_be_switched_off(office: Office, receiver: Receiver, settings: dict[str, str]) -> None:
    office.make_clients(JAMES)
    assert fail(office, {**settings, "OPENPHONE_ALERT_ON_FAILURE": "false"}).code == 3
    assert receiver.got == []


def test_a_locked_run_is_no_failure(office: Office, receiver: Receiver, settings: dict[str, str]) -> None:
    office.make_clients(JAMES)
    with run_lock(office.state_dir):
        assert office.run("sync", **settings).code == 5
    assert titles(receiver) == []
    assert pings(receiver) == ["/ping/uuid/start?rid=1"]


def test_max_age_trips_once_and_recovers_once(office: Office, receiver: Receiver, settings: dict[str, str]) -> None:
    office.make_clients(JAMES)
    for turn in range(2):
        ran = office.run("status", "--max-age", "26h", "-q", **settings)
        assert ran.code == 1
        assert "no sync has succeeded yet" in ran.err
        assert titles(receiver) == ([] if turn else ["openphone-sync has not run for too long"])
        assert pings(receiver) == ([] if turn else ["/ping/uuid/1?rid=1"])
    assert office.run("sync", "-q", **settings).code == 0
    assert titles(receiver) == ["openphone-sync works again"]
    assert office.run("status", "--max-age", "26h", "-q", **settings).code == 0
    assert titles(receiver) == []


def test_a_limit_that_is_raised_is_told_as_good_again(
    office: Office, receiver: Receiver, settings: dict[str, str]
) -> None:
    office.make_clients(JAMES)
    office.sync()
    assert office.run("status", "--max-age", "0s", "-q", **settings).code == 1
    for turn in range(2):
        assert office.run("status", "--max-age", "26h", "-q", **settings).code == 0
        told = titles(receiver)
        assert told[-1:] == ([] if turn else ["openphone-sync is up to date again"])


def test_a_good_run_whose_stdout_is_gone_alarms_nobody(
    office: Office, receiver: Receiver, settings: dict[str, str]
) -> None:
    office.make_clients(JAMES)
    with office.start("sync", "--json", **settings) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.wait()
    assert process.returncode == 141
    assert pings(receiver) == ["/ping/uuid/start?rid=1", "/ping/uuid?rid=1"]
    assert titles(receiver) == []
    assert not (office.state_dir / "alerts.json").exists()


def test_without_the_extra_the_line_says_what_to_install(
    office: Office, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    office.make_clients(JAMES)
    monkeypatch.setitem(sys.modules, "apprise", None)
    ran = fail(office, settings)
    assert ran.code == 3
    assert "install openphone-sync[alerts]" in ran.err


def test_a_damaged_memory_of_what_was_told_is_no_trouble(
    office: Office, receiver: Receiver, settings: dict[str, str]
) -> None:
    office.make_clients(JAMES)
    fail(office, settings)
    (office.state_dir / "alerts.json").write_text('{"fail')
    assert office.run("sync", "-q", **settings).code == 0


def test_a_receiver_that_drips_costs_a_few_seconds_and_no_run(office: Office) -> None:
    dripping = answering(b"HTTP/1.1 200 OK\r\nX: ", pause_s=0.05, endless=itertools.repeat(b"x"))
    with raw_server(dripping) as port:
        settings = load_settings({**office.environment, "OPENPHONE_HEALTHCHECK_URL": f"http://127.0.0.1:{port}/"})
        start = time.monotonic()
        ping(settings, "start", timeout_s=0.3)
        assert (
            send_message(replace(settings, alert_urls=(f"json://127.0.0.1:{port}/",)), "t", "b", limit_s=0.3) is False
        )
        assert time.monotonic() - start < 10  # the drip would last for ever
    assert PING_TIMEOUT_S * PING_ATTEMPTS <= 10


def test_a_killed_run_is_counted_shown_and_reported_by_the_next(
    office: Office, receiver: Receiver, settings: dict[str, str]
) -> None:
    make_many(office, 12)
    office.sandbox.faults.add(Fault(FaultKind.HANG, seconds=30, method="POST", nth=5, count=None, committed=True))
    with office.start("sync", "--quiet", **settings) as process:
        wait_until(lambda: len(office.contacts()) == 12)
        wait_until(lambda: office.state("SELECT count(*) FROM journal WHERE result IS NULL") == [(8,)])
        process.kill()
        process.wait()
    office.sandbox.faults.clear()
    killed = office.run("runs", "show", "latest", "--json").json
    assert (killed["status"], killed["command"], len(killed["writes"])) == ("running", "sync", 12)
    assert killed["startedAt"]
    receiver.take("/ping")
    assert office.run("sync", "-q", **settings).code == 0
    assert pings(receiver) == ["/ping/uuid/start?rid=1", "/ping/uuid/1?rid=1", "/ping/uuid?rid=1"]
    assert titles(receiver) == ["openphone-sync fails", "openphone-sync works again"]
    shown = office.run("runs", "show", killed["runId"], "--json").json
    assert (shown["status"], shown["exitCode"], shown["contacts"]["created"]) == ("interrupted", 1, 12)
    assert "the process ended before the run did" in shown["message"]
    totals = office.run("metrics", "--json").json["metrics"]
    assert (totals["totalRuns"], totals["failedRuns"], totals["totalContactsCreated"]) == (2, 1, 12)


def messages(receiver: Receiver) -> list[dict[str, str]]:
    return [json.loads(one.body) for one in receiver.take("/alert")]


def test_an_alert_says_why_and_what_to_do_and_of_which_type_it_is(
    office: Office, receiver: Receiver, settings: dict[str, str]
) -> None:
    office.make_clients(JAMES)
    fail(office, settings)
    [message] = messages(receiver)
    assert message["type"] == "failure"
    assert message["message"].startswith("OpenPhone refused the API key")
    assert "; " in message["message"].splitlines()[0]
    [_, ping] = receiver.take("/ping")
    assert "OpenPhone refused the API key" in ping.body
    office.run("sync", "-q", **settings)
    assert [one["type"] for one in messages(receiver)] == ["success"]


def test_another_reason_is_news_and_the_same_one_every_seventh_night(
    office: Office, receiver: Receiver, settings: dict[str, str]
) -> None:
    office.make_clients(JAMES)
    fail(office, settings)
    assert titles(receiver) == ["openphone-sync fails"]
    down = {**settings, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    for night in range(2):
        assert office.run("sync", "-q", **down).code == 3
        assert titles(receiver) == ([] if night else ["openphone-sync fails"])
    path = office.state_dir / "alerts.json"
    sent = json.loads(path.read_text())
    path.write_text(json.dumps({**sent, "sent_at": sent["sent_at"] - 7 * 86400}))
    for night in range(2):
        office.run("sync", "-q", **down)
        assert titles(receiver) == ([] if night else ["openphone-sync still fails"])


def test_two_failures_at_once_send_one_message(office: Office, receiver: Receiver, settings: dict[str, str]) -> None:
    office.make_clients(JAMES)
    settings |= {"OPENPHONE_API_KEY": "revoked-key-0123456789"}
    broken = replace(load_settings({**office.environment, **settings}), state_dir=office.state_dir, healthcheck_url="")
    threads = [Thread(target=notify_end, args=(broken, Watch(None, 3, "no; yes"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert titles(receiver) == ["openphone-sync fails"]


def test_a_backlog_that_grows_for_a_week_is_news_once(
    office: Office, receiver: Receiver, settings: dict[str, str]
) -> None:
    loaded = load_settings({**office.environment, **settings})
    document = {"runId": "x", "status": "succeeded"}

    def night(day: int, held: int) -> list[str]:
        run = {**document, "finishedAt": f"2026-11-{day:02}T02:00:00Z", "contacts": {"held": held}}
        notify_end(loaded, Watch(run, 0))
        return [title.partition(": ")[2] for title in titles(receiver)]

    assert [night(day, 10 + day) for day in range(1, 8)] == [[]] * 7
    assert night(7, 17) == []  # a second run in one night
    assert night(8, 18) == ["18 contacts wait for a review"]
    assert night(9, 19) == []
    assert [night(10, 19), *(night(day, 10 + day) for day in range(11, 17))] == [[]] * 7


def test_alert_test_tries_every_receiver(office: Office, receiver: Receiver, settings: dict[str, str]) -> None:
    assert office.run("alert", "test").code == 2
    results = office.run("alert", "test", "--json", **settings).json["results"]
    assert [(one["receiver"], one["ok"]) for one in results] == [
        ("address 1 of OPENPHONE_ALERT_URLS", True),
        ("OPENPHONE_HEALTHCHECK_URL", True),
    ]
    assert [one["type"] for one in messages(receiver)] == ["info"]
    assert pings(receiver) == ["/ping/uuid/log?rid=1"]
    receiver.status = 500
    ran = office.run("alert", "test", **settings)
    assert ran.code == 1
    assert "FAIL  OPENPHONE_HEALTHCHECK_URL: it answered 500" in ran.out


def test_every_view_says_why_a_run_failed(office: Office) -> None:
    office.make_clients(JAMES)
    assert fail(office, {}).code == 3
    words = "OpenPhone refused the API key"
    last = office.run("status", "--json").json["lastRun"]
    assert (last["exitCode"], last["message"][: len(words)]) == (3, words)
    assert words in office.run("status").out
    [run] = office.run("runs", "list", "--json").json["runs"]
    assert (run["exitCode"], run["message"][: len(words)]) == (3, words)
    assert run["finishedAt"] >= run["startedAt"]
    for command in (["runs", "list"], ["runs", "show", "latest"], ["metrics"], ["metrics", "--json"]):
        assert words in office.run(*command).out
    office.sandbox.faults.add(Fault(FaultKind.STATUS, status=400, method="POST", count=1))
    assert office.run("sync", "-q").code == 1
    assert "1 failed: client_" in office.run("status").out
