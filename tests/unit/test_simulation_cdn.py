"""A tier of a cdn, each rule on a schedule worked out by hand: what is served, fetched, waited for, how old."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from lab.simulation.build import Context
from lab.simulation.request import Handling, Outcome, Request
from tests.unit.backends import observe, scenario, service, waiting


def _tiers(*tiers: dict[str, Any], origin: dict[str, Any] | None = None, **others: Any) -> Any:
    """Tiers named t0, t1, ... before an origin that takes 100 ms for `get` and 50 ms for `put`."""
    endpoints = {"get": [waiting("100ms")], "put": [waiting("50ms")]}
    parts: dict[str, Any] = {"api": {"kind": "service", "endpoints": endpoints} | (origin or {})}
    for number, tier in enumerate(tiers):
        behind = f"t{number + 1}" if number + 1 < len(tiers) else "api"
        parts[f"t{number}"] = {"kind": "cdn", "targets": behind, "max_age": {"get": "10s"}, **tier}
    keys = {"keys": {"kind": "uniform", "count": 10}}
    workload = {"kind": "open", "arrival_rate": "1/s", "endpoints": {"get": "50%", "put": "50%"}, **keys}
    return scenario(parts, entry="t0", workload=workload, **others)


class _Failing:
    """An origin of one's own: each fetch takes a second, and those that begin within some spans fail."""

    def __init__(self, context: Context, *, fails_s: tuple[tuple[float, float], ...]) -> None:
        self._context = context
        self._fails_s = fails_s

    def handle(self, request: Request) -> Handling:
        clock = self._context.clock
        visit = self._context.log.open_visit(request, "api", 0, clock.now)
        visit.admit(clock.now)
        fails = any(begin <= clock.now < end for begin, end in self._fails_s)
        visit.service_time_s = 1.0
        yield clock.timeout(1.0)
        return visit.close(clock.now, Outcome.REJECTED if fails else Outcome.OK)


def _observe_failing(tier: dict[str, Any], starts_s: list[float], *fails_s: tuple[float, float]) -> tuple[Any, Any]:
    return observe(_tiers(tier), starts_s, own={"api": lambda context: _Failing(context, fails_s=fails_s)})


def _hits(visits: pd.DataFrame, tier: str = "t0") -> list[bool]:
    own = visits[(visits["component"] == tier) & visits["hit"].notna()]
    return [bool(hit) for hit in own.sort_values("request")["hit"]]


def _fetched(visits: pd.DataFrame, component: str = "api") -> int:
    return int((visits["component"] == component).sum())


# -- serving -----------------------------------------------------------------------------------------------


def test_an_answer_is_kept_for_its_max_age_from_when_the_origin_gave_it() -> None:
    """Given at 0.1 s and kept for 10 s: served until just before 10.1 s, fetched anew at that very time."""
    requests, visits = observe(_tiers({}), [0.0, 5.0, 10.09, 10.1])
    assert _hits(visits) == [False, True, True, False]
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.1, 0.0, 0.0, 0.1])


def test_an_answer_counts_as_come_when_its_second_began() -> None:
    """Read off whole seconds, what was given at 0.9 s lives until 10 s; the next, given at 10.1 s, until 20 s too."""
    _, visits = observe(_tiers({"age_resolution": "1s"}), [0.8, 9.99, 10.0, 19.99, 20.0])
    assert _hits(visits) == [False, True, False, True, False]


def test_endpoints_without_a_max_age_pass_through() -> None:
    """Each `put` reaches the origin, and says nothing of hits."""
    _, visits = observe(_tiers({}), [0.0, 1.0, 2.0], endpoints=["put"] * 3)
    assert _fetched(visits) == 3
    assert visits[visits["component"] == "t0"]["hit"].isna().all()


def test_objects_are_keys_of_endpoints() -> None:
    """The same key of another endpoint, and another key, are other objects."""
    described = _tiers({"max_age": {"get": "10s", "put": "10s"}})
    _, visits = observe(described, [0, 1, 2, 3, 4], endpoints=["get", "put", "get", "get", "put"], keys=[1, 1, 2, 1, 1])
    assert _hits(visits) == [False, False, False, True, True]


def test_each_request_takes_the_hit_time_and_what_is_passed_on_the_forward_time_too() -> None:
    """A miss takes 2 + 30 + 100 ms, a hit 2 ms, a pass 2 + 30 + 50 ms."""
    described = _tiers({"hit_time": "2ms", "forward_time": "30ms"})
    requests, visits = observe(described, [0.0, 1.0, 2.0], endpoints=["get", "get", "put"])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.132, 0.002, 0.082])
    own = visits[visits["component"] == "t0"]["service_time_s"]
    assert own.tolist() == pytest.approx([0.032, 0.002, 0.032])


def test_a_place_has_contents_of_its_own_and_a_client_always_comes_to_the_same_one() -> None:
    """With 3 places every place fetches once; the tier behind with one place fetches once in all."""
    starts_s = [0.5 * number for number in range(20)]
    _, visits = observe(_tiers({"points_of_presence": 3, "max_age": {"get": "99s"}}, {}), starts_s)
    edge = visits[visits["component"] == "t0"]
    assert edge.groupby("replica")["hit"].apply(lambda hit: int((~hit.astype(bool)).sum())).tolist() == [1, 1, 1]
    assert _fetched(visits, "t1") == 3
    assert _fetched(visits) == 1


def test_a_place_belongs_to_one_place_of_the_next_tier() -> None:
    """Of 6 places the first three ask the first of 2 behind, the others the second."""
    starts_s = [0.5 * number for number in range(100)]
    _, visits = observe(
        _tiers({"points_of_presence": 6, "max_age": {"get": "1ms"}}, {"points_of_presence": 2}), starts_s
    )
    places = visits.pivot_table(index="request", columns="component", values="replica", aggfunc="first")
    assert set(places["t0"]) == set(range(6))
    assert (places["t1"] == places["t0"] // 3).all()


def test_a_full_place_evicts() -> None:
    """Room for one: two keys in turn never hit."""
    _, visits = observe(_tiers({"capacity": 1}), [0, 1, 2, 3], keys=[1, 2, 1, 1])
    assert _hits(visits) == [False, False, False, True]


@pytest.mark.parametrize(
    ("room", "last"),
    [
        ({"eviction": "lru"}, [True, False]),  # 0 was asked for later than 1
        ({"eviction": "fifo"}, [False, False]),  # 0 was stored first; then storing 0 drops 1
        ({"eviction": "lfu"}, [True, False]),  # 0 was used three times, 1 once
        ({"eviction": "sampled_lru", "samples": 8}, [True, False]),  # eight samples see both
        ({"eviction": "sampled_lfu"}, [True, False]),  # a use at count 5 raises it surely
        ({"eviction": "noeviction"}, [True, True]),  # 2 was never stored
    ],
)
@pytest.mark.parametrize("size", [{"capacity": 2}, {"capacity_bytes": "1000B", "entry_size": "400B"}])
def test_who_goes_when_it_is_full(size: dict[str, Any], room: dict[str, Any], last: list[bool]) -> None:
    """Room for two: 0, 1, then 0 twice more, then 2 comes; are 0 and 1 still there?"""
    described = _tiers({"max_age": {"get": "99s"}} | size | room)
    _, visits = observe(described, [0, 2, 4, 6, 8, 10, 12], keys=[0, 1, 0, 0, 2, 0, 1])
    assert _hits(visits) == [False, False, True, True, False, *last]


# -- age over tiers -----------------------------------------------------------------------------------------


def test_the_age_comes_along_from_tier_to_tier() -> None:
    """The inner tier answers at 6 s with what is 5.9 s old: the outer one keeps it for the 4.1 s that are left."""
    described = _tiers({"points_of_presence": 2}, {})
    starts_s = [float(number) for number in range(14)]
    _, visits = observe(described, starts_s)
    edge = visits[visits["component"] == "t0"].set_index("request")
    first, other = edge[edge["replica"] == edge["replica"].iloc[0]], edge[edge["replica"] != edge["replica"].iloc[0]]
    assert not first["hit"].iloc[0]
    assert not other["hit"].iloc[0]
    missed = [start_s for start_s, hit in zip(edge["arrival_s"], edge["hit"], strict=True) if not hit]
    # Whoever comes first after 10.1 s fetches from the origin; until then each place asks once.
    assert sum(start_s < 10.1 for start_s in missed) == 2
    assert _fetched(visits) == 2
    assert (visits[visits["component"] == "api"]["arrival_s"].tolist()) == [0.0, 11.0]


def test_a_shorter_max_age_outside_finds_everything_too_old() -> None:
    """What the inner tier has had for longer than the outer one's max age is of no use outside (RFC 9111)."""
    _, visits = observe(_tiers({"max_age": {"get": "2s"}}, {}), [0.0, 1.0, 3.0, 3.5, 9.0, 11.0, 12.0])
    assert _hits(visits) == [False, True, False, False, False, False, True]
    assert _hits(visits, "t1") == [False, True, True, True, False]


# -- collapsing -------------------------------------------------------------------------------------------


def test_later_misses_wait_for_the_first() -> None:
    """Four within a fetch of 100 ms: one fetch; all are answered with it; the waits are rows of their own."""
    requests, visits = observe(_tiers({}), [0.0, 0.02, 0.05, 0.1])
    assert _fetched(visits) == 1
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.1, 0.1, 0.1])
    waits = visits[visits["operation"] == "collapsed"]
    assert waits["waiting_time_s"].tolist() == pytest.approx([0.08, 0.05])
    assert _hits(visits) == [False, False, False, True]  # who comes when it is stored finds it


def test_without_collapsing_each_fetches() -> None:
    """Three misses, three fetches; the last to come back is kept."""
    _, visits = observe(_tiers({"request_collapsing": False}), [0.0, 0.02, 0.05, 10.14])
    assert _fetched(visits) == 3
    assert _hits(visits) == [False, False, False, True]


def test_other_objects_do_not_wait() -> None:
    """Each key is fetched by itself."""
    requests, visits = observe(_tiers({}), [0.0, 0.02], keys=[1, 2])
    assert _fetched(visits) == 2
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.1, 0.1])


def test_the_fetch_goes_on_when_its_client_gives_up() -> None:
    """The first gives up after 50 ms; the second is answered with its fetch all the same."""
    requests, visits = observe(_tiers({}, client={"timeout": "70ms"}), [0.0, 0.04, 1.0])
    assert requests["outcome"].tolist() == ["timeout", "ok", "ok"]
    assert _fetched(visits) == 1


def test_a_balancer_behind_drops_no_fetch_whose_client_has_left() -> None:
    """abort_on_close: a request that passes through leaves the queue with its client, one to be kept does not."""
    edge = {"kind": "cdn", "targets": "lb", "max_age": {"get": "10s"}}
    balancer = {"kind": "load_balancer", "targets": "api", "max_connections_per_server": 1, "abort_on_close": True}
    endpoints = {"get": [waiting("100ms")], "put": [waiting("100ms")]}
    parts = {"edge": edge, "lb": balancer | {"queue_timeout": "9s"}, "api": {"kind": "service", "endpoints": endpoints}}
    workload = {"kind": "open", "arrival_rate": "1/s", "endpoints": {"get": "50%", "put": "50%"}}
    described = scenario(parts, entry="edge", workload=workload, client={"timeout": "120ms"})
    asked = ["put", "put", "put", "get", "get"]
    requests, visits = observe(described, [0.0, 0.01, 0.02, 0.05, 1.0], endpoints=asked)
    assert requests["outcome"].tolist() == ["ok", "timeout", "timeout", "timeout", "ok"]
    assert visits[visits["component"] == "api"]["request"].tolist() == [0, 1, 3]
    assert _hits(visits, "edge") == [False, True]


def test_when_the_fetch_fails_the_first_who_waits_fetches() -> None:
    """At 0 s it fails; the one from 0.2 s fetches at 1 s and serves the one from 0.4 s too."""
    requests, visits = _observe_failing({}, [0.0, 0.2, 0.4, 5.0], (0.0, 0.5))
    assert requests["outcome"].tolist() == ["rejected", "ok", "ok", "ok"]
    assert requests["end_s"].tolist() == pytest.approx([1.0, 2.0, 2.0, 5.0])
    assert visits[visits["component"] == "api"]["arrival_s"].tolist() == [0.0, 1.0]
    assert _hits(visits) == [False, False, False, True]


def test_an_error_is_not_stored() -> None:
    """The request after a failed fetch fetches again."""
    requests, visits = _observe_failing({}, [0.0, 2.0, 4.0], (0.0, 0.5))
    assert requests["outcome"].tolist() == ["rejected", "ok", "ok"]
    assert _hits(visits) == [False, False, True]


def test_who_has_waited_too_long_fetches_alone_and_stores_nothing() -> None:
    """After 300 ms of waiting, at 0.4 s, the second fetches until 1.4 s; what the first brings counts."""
    requests, visits = _observe_failing({"collapse_timeout": "300ms"}, [0.0, 0.1, 10.95, 11.2])
    assert requests["end_s"].tolist()[:2] == pytest.approx([1.0, 1.4])
    assert _hits(visits) == [False, False, True, False]  # given at 1.0 s, too old at 11.0 s
    wait = visits[visits["operation"] == "collapsed"].iloc[0]
    assert wait["outcome"] == "timeout"
    assert wait["waiting_time_s"] == pytest.approx(0.3)


def test_the_client_time_is_what_waits_and_services_sum_to() -> None:
    """Also for one that waits for a fetch that fails and then fetches: 0.8 s of waiting, 1 s of fetching."""
    requests, visits = _observe_failing({"hit_time": "10ms"}, [0.0, 0.2], (0.0, 0.5))
    own = visits[visits["request"] == 1]
    behind_s = own["waiting_time_s"].fillna(0).sum() + own["service_time_s"].sum()
    assert requests["sojourn_time_s"].iloc[1] == pytest.approx(behind_s) == pytest.approx(1.81)


# -- stale answers ---------------------------------------------------------------------------------------------


def test_a_stale_answer_is_served_while_one_request_has_it_fetched_anew() -> None:
    """Too old since 10.1 s: two come, both are served at once, one refresh; later ones find it fresh."""
    described = _tiers({"stale_while_revalidate": "5s"})
    requests, visits = observe(described, [0.0, 11.0, 11.05, 12.0, 21.2])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.1, 0.0, 0.0, 0.0, 0.0])
    own = visits[(visits["component"] == "t0") & visits["stale"].notna()].sort_values("request")
    assert own["stale"].tolist() == [True, True, False, True]
    refreshes = visits[visits["operation"] == "refresh"]
    assert refreshes["arrival_s"].tolist() == pytest.approx([11.0, 21.2])
    assert refreshes["background"].all()


def test_beyond_that_it_is_a_miss() -> None:
    """5 s after its max age it is fetched, and waited for."""
    requests, _ = observe(_tiers({"stale_while_revalidate": "5s"}), [0.0, 15.1])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.1, 0.1])


def test_a_refresh_that_fails_leaves_what_is_there() -> None:
    """Stale at 12 s and 14 s: each starts a refresh, the first fails; nobody notices."""
    tier = {"stale_while_revalidate": "5s"}
    requests, visits = _observe_failing(tier, [0.0, 12.0, 14.0, 16.0], (11.5, 12.5))
    assert requests["outcome"].tolist() == ["ok"] * 4
    refreshes = visits[visits["operation"] == "refresh"]
    assert refreshes["outcome"].tolist() == ["rejected", "ok"]
    assert _hits(visits) == [False, True, True, True]


def test_a_miss_waits_for_the_refresh_that_is_under_way() -> None:
    """Refreshed from 15.9 s to 16.9 s, and too old even to be served stale at 16 s: one more fetch would be wrong."""
    requests, visits = _observe_failing({"stale_while_revalidate": "5s"}, [0.0, 15.9, 16.2])
    assert requests["end_s"].tolist() == pytest.approx([1.0, 15.9, 16.9])
    assert _fetched(visits) == 2


def test_a_stale_answer_is_served_when_fetching_fails() -> None:
    """Within 5 s of its max age, after the second that the attempt took; beyond that the error is passed on."""
    tier = {"stale_if_error": "5s"}
    requests, visits = _observe_failing(tier, [0.0, 12.0, 15.5], (11.0, 99.0))
    assert requests["outcome"].tolist() == ["ok", "ok", "rejected"]
    assert requests["sojourn_time_s"].tolist() == pytest.approx([1.0, 1.0, 1.0])
    own = visits[visits["component"] == "t0"].sort_values("request")
    assert own["stale"].iloc[1]
    assert not own["hit"].iloc[1]


def test_a_purge_takes_everything_out_everywhere() -> None:
    """After the purge at 3 s the next request fetches."""
    described = _tiers({}, faults=[{"kind": "flush", "component": "t0", "at": "3s"}])
    _, visits = observe(described, [0.0, 2.0, 4.0])
    assert _hits(visits) == [False, True, False]


def test_a_tier_that_is_cut_off_from_its_origin_serves_what_it_has() -> None:
    """While the way is cut a hit is a hit, and a miss waits until it heals at 8 s."""
    described = _tiers({}, faults=[{"kind": "partition", "between": ["t0", "api"], "at": "3s", "duration": "5s"}])
    requests, _ = observe(described, [0.0, 4.0, 5.0], keys=[1, 1, 2])
    assert requests["end_s"].tolist() == pytest.approx([0.1, 4.0, 8.1])


def test_a_service_may_ask_a_cdn() -> None:
    """A call goes to the cdn as to any other front."""
    parts = {
        "api": service({"kind": "call", "target": "media", "endpoint": "get"}),
        "media": {"kind": "cdn", "targets": "store", "max_age": {"get": "10s"}},
        "store": service(waiting("100ms")),
    }
    requests, _ = observe(scenario(parts), [0.0, 1.0])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.1, 0.0])
