"""A cache of several nodes: where keys live, and what becomes of them when a node dies and comes back."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd
import pytest

from lab.errors import ScenarioError
from lab.scenario.arithmetic import arithmetic
from lab.simulation.cache.placing import Ketama, Modulo
from lab.validation.cache_laws import cache_laws
from tests.unit.backends import observe, scenario, service, waiting

_LOOK_UP = {"kind": "cached", "cache": "items", "miss": [waiting("100ms")]}


def _nodes(faults: list[dict[str, Any]] | None = None, **cache: Any) -> Any:
    items = {"kind": "cache", "nodes": 4, "access_time": "0s", **cache}
    keys = {"kind": "uniform", "count": 1000}
    workload = {"kind": "open", "arrival_rate": "1/s", "endpoints": {"get": "100%"}, "keys": keys}
    return scenario({"api": service(_LOOK_UP), "items": items}, workload=workload, faults=faults or [])


def _crash(at: str, node: int, **more: Any) -> dict[str, Any]:
    return {"kind": "crash", "component": "items", "at": at, "node": node, **more}


def _gets(visits: pd.DataFrame) -> pd.DataFrame:
    return visits[(visits["component"] == "items") & (visits["operation"] == "get")].sort_values("request")


def _ring(key: int, nodes: list[int]) -> int:
    """The node of a key, looked for among all points of all nodes without any order."""
    place = int.from_bytes(hashlib.md5(str(key).encode(), usedforsecurity=False).digest()[:4], "little")
    best = None
    for node in nodes:
        for number in range(40):
            digest = hashlib.md5(f"node{node}-{number}".encode(), usedforsecurity=False).digest()
            for part in range(4):
                point = int.from_bytes(digest[4 * part : 4 * part + 4], "little")
                distance = (point - place) % 2**32
                if best is None or distance < best[0]:
                    best = (distance, node)
    assert best is not None
    return best[1]


def test_ketama_is_the_next_point_on_the_ring() -> None:
    """For 50 keys and every set of three of four nodes a search of all points finds the same node."""
    ketama, every = Ketama(4), [0, 1, 2, 3]
    for up in [every, *([each for each in every if each != gone] for gone in every)]:
        assert [ketama.node(key, up) for key in range(50)] == [_ring(key, up) for key in range(50)]


def test_only_the_keys_of_a_lost_node_move() -> None:
    """With ketama the others stay where they were; with modulo three quarters of all move."""
    for placing, stay in ((Ketama(4), True), (Modulo(), False)):
        before = [placing.node(key, range(4)) for key in range(2000)]
        after = [placing.node(key, [0, 1, 3]) for key in range(2000)]
        moved = [old != new for old, new in zip(before, after, strict=True)]
        if stay:
            assert moved == [old == 2 for old in before]
        else:
            assert 0.7 < sum(moved) / 2000 < 0.8


def test_a_key_always_goes_to_its_node() -> None:
    """40 keys twice: the second time each hits, at the node that stored it."""
    _, visits = observe(_nodes(), [float(n) for n in range(80)], keys=[*range(40), *range(40)])
    gets = _gets(visits)
    assert not gets["hit"].iloc[:40].astype(bool).any()
    assert gets["hit"].iloc[40:].astype(bool).all()
    assert gets["replica"].tolist() == [Ketama(4).node(key, range(4)) for key in [*range(40), *range(40)]]
    assert set(gets["replica"]) == {0, 1, 2, 3}


def test_each_node_has_the_capacity() -> None:
    """Room for 1 in each of 2: two keys of different nodes both stay, two of one node do not."""
    node = [Ketama(2).node(key, range(2)) for key in range(100)]
    first, second = node.index(0), node.index(1)
    same = node.index(0, first + 1)
    for other, hits in ((second, [False, False, True]), (same, [False, False, False])):
        _, visits = observe(_nodes(nodes=2, capacity=1), [0, 1, 2], keys=[first, other, first])
        assert _gets(visits)["hit"].astype(bool).tolist() == hits


def _of_node(wanted: int) -> int:
    return next(key for key in range(1000) if Ketama(4).node(key, range(4)) == wanted)


def test_an_ejected_node_gives_its_keys_to_others_and_comes_back_empty() -> None:
    """Down from 2 to 6 s: missed at 3, kept elsewhere at 4, its own again and missed at 7, there at 8."""
    key = _of_node(2)
    described = _nodes([_crash("2s", 2, restart_after="4s")], auto_eject=True)
    requests, visits = observe(described, [0, 1, 3, 4, 7, 8], keys=[key] * 6)
    gets = _gets(visits)
    assert gets["hit"].astype(bool).tolist() == [False, True, False, True, False, True]
    elsewhere = Ketama(4).node(key, [0, 1, 3])
    assert gets["replica"].tolist() == [2, 2, elsewhere, elsewhere, 2, 2]
    assert requests["outcome"].tolist() == ["ok"] * 6


def test_without_ejection_its_keys_miss_until_it_is_back() -> None:
    """Every look-up is refused at once and counts as a miss, and what was fetched cannot be stored."""
    key = _of_node(2)
    described = _nodes([_crash("2s", 2, restart_after="4s")])
    requests, visits = observe(described, [0, 1, 3, 4, 7, 8], keys=[key] * 6)
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.1, 0.0, 0.1, 0.1, 0.1, 0.0])
    refused = visits[(visits["component"] == "items") & (visits["replica"] == -1)]
    assert refused["operation"].tolist() == ["get", "set"] * 2


def test_other_nodes_go_on() -> None:
    """A key of another node is served throughout, ejection or not."""
    key = _of_node(1)
    for ejects in (True, False):
        _, visits = observe(_nodes([_crash("2s", 2)], auto_eject=ejects), [0, 1, 3, 4], keys=[key] * 4)
        assert _gets(visits)["hit"].astype(bool).tolist() == [False, True, True, True]


def test_what_is_under_way_at_a_node_that_crashes_fails() -> None:
    """Asked at 1.95 s, answered at 2.05 s: by an error, as it crashed at 2 s; so it is fetched."""
    key = _of_node(2)
    described = _nodes([_crash("2s", 2)], access_time="100ms")
    requests, _ = observe(described, [0.0, 1.95], keys=[key] * 2)
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.3, 0.2])


def test_warm_entries_lie_at_their_nodes() -> None:
    """Whatever is warm hits, wherever it is; a flush empties all nodes."""
    described = _nodes([{"kind": "flush", "component": "items", "at": "20s"}], warm={"entries": 10})
    _, visits = observe(described, [float(n) for n in range(30)], keys=[n % 10 for n in range(30)])
    assert _gets(visits)["hit"].astype(bool).tolist() == [True] * 20 + [False] * 10


def test_stale_entries_are_refreshed_at_their_node() -> None:
    """With stale-while-revalidate over nodes the second look-up starts one refresh, and the third finds it fresh."""
    protection = {"kind": "stale_while_revalidate", "stale_for": "5s"}
    _, visits = observe(_nodes(ttl="2s", stampede_protection=protection), [0, 3, 4], keys=[7] * 3)
    assert _gets(visits)["hit"].astype(bool).tolist() == [False, True, True]
    assert (visits["operation"] == "refresh").sum() == 1


def test_the_arithmetic_counts_the_room_of_all_nodes() -> None:
    """250 of 1000 equally popular keys fit into each of 4 nodes: all of them; of 2 nodes: half."""
    assert arithmetic(_nodes(capacity=250)).hit_ratios["peak"]["items"] == pytest.approx(1.0)
    assert arithmetic(_nodes(capacity=250, nodes=2)).hit_ratios["peak"]["items"] == pytest.approx(0.5, abs=0.01)


def test_a_node_must_have_stored_what_it_serves() -> None:
    """The law: had another node stored it, serving it would break the promise."""
    described = _nodes()
    requests, visits = observe(described, [0.0, 1.0], keys=[7, 7])
    requests, visits = requests.assign(replication=0), visits.assign(replication=0)
    assert list(cache_laws(described, requests, visits)) == []
    elsewhere = visits.assign(replica=visits["replica"].where(visits["operation"] != "set", 99))
    (said,) = cache_laws(described, requests, elsewhere)
    assert "nobody had stored" in said


@pytest.mark.parametrize(
    ("cache", "fault", "says"),
    [
        ({"nodes": 1, "hash_type": "modulo"}, None, "items.hash_type: has no effect, as there is but one node"),
        ({"nodes": 1, "auto_eject": True}, None, "items.auto_eject: has no effect, as there is but one node"),
        ({"scope": "replica"}, None, "items.nodes: are of a cache that callers share"),
        ({}, _crash("1s", 4), "node: nodes are numbered from 0 to 3; leave it out"),
        ({"nodes": 1}, _crash("1s", 0), "node: this cache is one node; leave it out"),
        ({}, _crash("1s", 0) | {"component": "api"}, "node: only a cache has nodes; leave it out for 'api'"),
    ],
)
def test_what_does_not_fit_is_refused(cache: dict[str, Any], fault: dict[str, Any] | None, says: str) -> None:
    """Each with the path, what is wrong and why."""
    with pytest.raises(ScenarioError) as caught:
        _nodes([fault] if fault else [], **cache)
    assert says in str(caught.value)
