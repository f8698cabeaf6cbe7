"""A mapping on disk: as a dict, in the order in which the keys came, without growing in memory."""

from __future__ import annotations

import tracemalloc

from openphone_sync.ops.disk_map import CHUNK, DiskMap


def make_map() -> DiskMap[str]:
    return DiskMap(str.encode, bytes.decode)


def test_it_holds_what_a_dict_would() -> None:
    kept = make_map()
    kept["b"], kept["a"] = "1", "2"
    kept["b"] = "3"
    assert list(kept.items()) == [("b", "3"), ("a", "2")]
    assert (len(kept), kept.get("a"), kept.get("c")) == (2, "2", None)


def test_values_may_be_set_while_they_are_listed() -> None:
    kept = make_map()
    for number in range(2 * CHUNK):
        kept[str(number)] = "old"
    for key, value in kept.items():
        kept[key] = value.replace("old", "new")
    assert set(kept.values()) == {"new"}
    assert len(kept) == 2 * CHUNK


def test_memory_does_not_grow_with_it() -> None:
    tracemalloc.start()
    try:
        kept = make_map()
        for number in range(20_000):
            kept[str(number)] = "x" * 1_000
        assert sum(len(value) for value in kept.values()) == 20_000_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
