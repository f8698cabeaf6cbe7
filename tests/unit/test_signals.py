"""Signals against work that has nothing to finish."""

import os
import signal
from collections.abc import Iterator

import pytest

from openphone_sync.cli.signals import raise_on_signal
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
                send(signal.SIGINT)
            finally:
                send(signal.SIGINT)
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
