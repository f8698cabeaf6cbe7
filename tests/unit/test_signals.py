"""Signals against work that has nothing to finish."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from openphone_sync.cli.signals import ECHO_S, raise_on_signal
from openphone_sync.errors import InterruptedRunError


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def test_a_signal_ends_the_work_where_it_is_and_the_old_handler_comes_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(InterruptedRunError) as raised, raise_on_signal():
        send(signal.SIGTERM)
    assert raised.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_waits_for_a_step_that_must_not_be_halved() -> None:
    steps = []

    def work() -> None:
        with raise_on_signal() as shield:
            with shield.hold():
                send(signal.SIGHUP)
                steps.append("whole")
            steps.append("never")

    with pytest.raises(InterruptedRunError):
        work()
    assert steps == ["whole"]


def test_a_signal_after_the_end_comes_too_late() -> None:
    with raise_on_signal() as shield:
        with shield.hold():
            send(signal.SIGINT)
            shield.finish()
        send(signal.SIGINT)
        shield.check()
    send(signal.SIGINT)


def test_a_second_signal_does_not_disturb_the_tidying_up() -> None:
    steps = []

    def work() -> None:
        with raise_on_signal():
            try:
                send(signal.SIGTERM)
            finally:
                send(signal.SIGTERM)
                steps.append("tidied")

    with pytest.raises(InterruptedRunError):
        work()
    assert steps == ["tidied"]


def test_a_signal_whose_error_was_lost_is_found_again() -> None:
    with raise_on_signal() as shield:
        with pytest.raises(InterruptedRunError):
            send(signal.SIGINT)
        with pytest.raises(InterruptedRunError):
            shield.check()


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with raise_on_signal():
            send(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


HANGING = """
import os, signal, sys, time
from openphone_sync.cli.signals import finish_on_signal, raise_on_signal
from openphone_sync.errors import InterruptedRunError

def hang():
    os.write(1, b"begun\\n")  # no buffer: a handler that prints must not find it in use
    while True:
        time.sleep(60)

way, grace_s = sys.argv[1], float(sys.argv[2])
if way == "finish":
    with finish_on_signal(lambda text: print(text, flush=True), grace_s):
        hang()
with raise_on_signal(grace_s):
    try:
        hang()
    finally:
        hang()
"""


@contextmanager
def hanging(way: str, grace_s: float) -> Iterator[subprocess.Popen[str]]:
    """A process whose orderly end never comes."""
    command = [sys.executable, "-c", HANGING, way, str(grace_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield process
        process.kill()


@pytest.mark.parametrize("way", ["finish", "raise"])
def test_an_orderly_end_has_its_time_and_no_more(way: str) -> None:
    with hanging(way, 0.5) as process:
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 143
        assert 0.4 < time.monotonic() - start < 5
        assert "stopped at once" in err


@pytest.mark.parametrize("way", ["finish", "raise"])
@pytest.mark.parametrize(("first", "second"), [(signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)])
def test_a_second_signal_ends_at_once(way: str, first: signal.Signals, second: signal.Signals) -> None:
    with hanging(way, 60) as process:
        process.send_signal(first)
        assert process.stdout is not None
        assert process.stdout.readline(), "the first one is heeded"
        time.sleep(ECHO_S)
        process.send_signal(second)
        assert process.wait(timeout=20) == 128 + second


def test_a_signal_that_is_sent_to_the_process_and_to_its_group_is_one() -> None:
    with hanging("finish", 60) as process:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
