"""The pacer against servers that count in three ways, on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.virtual_pace import SERVERS, Server, make_sliding_window, run


@pytest.mark.parametrize("make", SERVERS.values(), ids=SERVERS)
def test_20_ms_of_jitter_never_cost_a_429(make: Callable[[], Server]) -> None:
    for seed in range(10):
        paced = run(make(), 0.02, seed, items=300)
        assert paced.refused == 0
        assert paced.share > 0.945


@pytest.mark.parametrize("make", SERVERS.values(), ids=SERVERS)
def test_80_ms_of_jitter_widen_the_spacing_once(make: Callable[[], Server]) -> None:
    for seed in range(3):
        paced = run(make(), 0.08, seed, items=1_300)
        assert paced.refused <= 1
        assert paced.share > 0.90


def test_updates_go_at_half_the_limit() -> None:
    paced = run(make_sliding_window(), 0.02, 1, items=500, requests_each=2)
    assert paced.refused == 0
    assert paced.share > 0.94


def test_a_server_that_allows_less_is_seen() -> None:
    """The world can refuse: the same pace against half the limit."""
    allows = make_sliding_window()
    paced = run(lambda now: allows(now) and allows(now), 0.0, 1, items=100)
    assert paced.refused > 5
