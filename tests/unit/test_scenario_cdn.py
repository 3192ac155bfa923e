"""Tiers of a cdn as they are described: what is refused, and what the arithmetic makes of them."""

from __future__ import annotations

from typing import Any

import pytest

import lab
from lab.errors import ScenarioError
from lab.scenario.arithmetic import arithmetic
from tests.unit.backends import scenario, service, waiting

_KEYS = {"kind": "uniform", "count": 10}
_WORKLOAD = {"kind": "open", "arrival_rate": "10/s", "endpoints": {"get": "100%"}, "keys": _KEYS}


def _cdn(**keys: Any) -> dict[str, Any]:
    return {"kind": "cdn", "targets": "api", "max_age": {"get": "1s"}, **keys}


def _described(edge: dict[str, Any], **others: Any) -> lab.Scenario:
    api = service(waiting("100ms"))
    return scenario({"edge": edge, "api": api, **others}, entry="edge", workload=_WORKLOAD)


@pytest.mark.parametrize(
    ("edge", "others", "says"),
    [
        (_cdn(targets="ape"), {}, "components.edge.targets: 'ape' is nothing that answers requests in this scenario"),
        (_cdn(max_age={"got": "1s"}), {}, "max_age.got: the service behind it has no endpoint 'got' (it has: get)"),
        (_cdn(max_age={}), {}, "max_age: is too short"),
        (_cdn(capacity=3, capacity_bytes="1KiB"), {}, "capacity_bytes: stands beside capacity; a cdn has one limit"),
        (_cdn(eviction="fifo"), {}, "eviction: has no effect, as all entries fit"),
        (
            _cdn(request_collapsing=False, collapse_timeout="1s"),
            {},
            "collapse_timeout: has no effect, as nobody waits without request_collapsing",
        ),
        (_cdn(age_resolution="2s"), {}, "age_resolution: is more than the shortest max_age (1 s)"),
        (
            _cdn(targets="shield", points_of_presence=5),
            {"shield": _cdn(points_of_presence=2)},
            "points_of_presence: are 5, which is no multiple of the 2 of 'shield' behind it",
        ),
        (_cdn(targets="edge"), {}, "components.edge: the calls go round in a circle (edge -> edge)"),
        (
            _cdn(targets="many"),
            {"many": service(waiting("1s"), replicas=2)},
            "calls 'many' directly, which has 2 replicas; nobody would choose between them",
        ),
    ],
)
def test_what_does_not_fit_is_refused(edge: dict[str, Any], others: dict[str, Any], says: str) -> None:
    """Each with the path, what is wrong and why."""
    with pytest.raises(ScenarioError) as caught:
        _described(edge, **others)
    assert says in str(caught.value)


def test_a_life_by_hand() -> None:
    """10 keys at 10/s live for 1 s: every second request hits, so the origin gets 5/s, and a request takes 60 ms."""
    sums = arithmetic(_described(_cdn(hit_time="5ms", forward_time="10ms")))
    assert sums.hit_ratios["peak"] == pytest.approx({"edge": 0.5, "edge/get": 0.5})
    assert sums.row("api", "slots").arrival_rate_per_s == pytest.approx(5.0)
    assert sums.row("edge", "accesses").holding_time_s == pytest.approx(0.005 + 0.5 * 0.11)
    assert sums.row("api", "slots", cache="cold").arrival_rate_per_s == pytest.approx(10.0)


def test_one_place_behind_one_place_never_hits() -> None:
    """What is too old in the outer one is too old in the inner one at that very moment."""
    sums = arithmetic(_described(_cdn(targets="shield"), shield=_cdn()))
    assert sums.hit_ratios["peak"] == pytest.approx({"edge": 0.5, "edge/get": 0.5, "shield": 0.0, "shield/get": 0.0})


def test_each_endpoint_has_a_ratio_of_its_own() -> None:
    """At 5/s each, `get` lives for 2 s and `put` for 1 s: 10 keys at 0.5/s hit in 1/2 and 1/3 of the cases."""
    api = {"kind": "service", "endpoints": {"get": [waiting("1ms")], "put": [waiting("1ms")], "no": [waiting("1ms")]}}
    workload = _WORKLOAD | {"arrival_rate": "20/s", "endpoints": {"get": "25%", "put": "25%", "no": "50%"}}
    edge = _cdn(max_age={"get": "2s", "put": "1s"})
    sums = arithmetic(scenario({"edge": edge, "api": api}, entry="edge", workload=workload))
    assert sums.hit_ratios["peak"] == pytest.approx({"edge": 5 / 12, "edge/get": 1 / 2, "edge/put": 1 / 3})
    assert sums.row("api", "slots").arrival_rate_per_s == pytest.approx(10 + 2.5 + 5 * 2 / 3)


def test_a_full_place_is_shared_by_all_endpoints() -> None:
    """Room for 5 of 20 equally popular objects: a quarter hits, whichever endpoint."""
    api = {"kind": "service", "endpoints": {"get": [waiting("1ms")], "put": [waiting("1ms")]}}
    workload = _WORKLOAD | {"endpoints": {"get": "50%", "put": "50%"}}
    edge = _cdn(max_age={"get": "1h", "put": "1h"}, capacity=5)
    sums = arithmetic(scenario({"edge": edge, "api": api}, entry="edge", workload=workload))
    assert sums.hit_ratios["peak"] == pytest.approx({"edge": 0.25, "edge/get": 0.25, "edge/put": 0.25})


def test_a_cache_behind_a_cdn_sees_what_it_misses() -> None:
    """With the same room for the same keys it would never hit, were it not that two look-ups differ in luck."""
    look_up = {"kind": "cached", "cache": "items", "miss": [waiting("1ms")]}
    zipf = _WORKLOAD | {"keys": {"kind": "zipf", "exponent": 1.0, "count": 100}}
    parts = {"api": service(look_up), "items": {"kind": "cache", "capacity": 20}}
    ratios = [
        arithmetic(scenario(parts | {"edge": _cdn(max_age=age, capacity=20)}, entry="edge", workload=zipf)).hit_ratios
        for age in ({"get": "1h"}, {"get": "1us"})
    ]
    assert ratios[0]["peak"]["items"] < ratios[1]["peak"]["items"] - 0.2
