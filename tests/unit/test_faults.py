"""Faults strike when they should, what they should, and what was under way ends as in a real backend."""

from __future__ import annotations

from typing import Any

import numpy as np

from lab.scenario.scenario import Scenario
from tests.unit.autoscaled import Watched
from tests.unit.backends import scenario, service, waiting

_EDGE = {"kind": "load_balancer", "targets": "api", "algorithm": "roundrobin"}
_CPU = {"kind": "cpu", "time": "100ms"}


def _balanced(*faults: dict[str, Any], steps: tuple[dict[str, Any], ...] = (waiting("1s"),), **api: Any) -> Scenario:
    return scenario({"edge": _EDGE, "api": service(*steps, **{"replicas": 2} | api)}, entry="edge", faults=list(faults))


def _ends(watched: Watched) -> list[tuple[float, str]]:
    return list(zip(watched.requests["end_s"].round(9), watched.requests["outcome"], strict=True))


def _watch(described: Scenario, starts_s: list[float], *, own_balancer: bool = True) -> Watched:
    return Watched(described, np.array(starts_s), own_balancer=own_balancer)


def test_a_crash_ends_what_is_under_way_there_and_nothing_else() -> None:
    """Requests 0 and 2 are at replica 0 when it dies at 1.5 s; 1 and 3, at replica 1, are answered."""
    crash = {"kind": "crash", "at": "1500ms", "component": "api", "replica": 0}
    watched = _watch(_balanced(crash), [1.0, 1.0, 1.2, 1.2])
    assert _ends(watched) == [(1.5, "error"), (2.0, "ok"), (1.5, "error"), (2.2, "ok")]
    assert watched.why("crash") == [(1.5, {"replicas": [0], "under_way": 2})]
    work = watched.visits[watched.visits["component"] == "api"]
    assert sorted(work["departure_s"]) == [1.5, 1.5, 2.0, 2.2]
    assert list(work["outcome"]).count("error") == 2


def test_without_a_restart_it_stays_down() -> None:
    """One replica is left, and takes everything."""
    crash = {"kind": "crash", "at": "1s", "component": "api", "replicas": 1}
    watched = _watch(_balanced(crash), [2.0, 2.0, 2.0])
    assert set(watched.visits[watched.visits["component"] == "api"]["replica"]) == {1}
    assert watched.gauge("replicas_ready") == [(0.0, 2), (1.0, 1)]


def test_a_restart_boots_and_is_a_new_process() -> None:
    """Crash at 1 s, start at 11 s, ready at 14 s: replica 2 takes the place of replica 0."""
    crash = {"kind": "crash", "at": "1s", "component": "api", "replica": 0, "restart_after": "10s"}
    watched = _watch(_balanced(crash, boot_time="3s"), [13.9, 14.0, 14.0])
    assert watched.why("restart") == [(11.0, {"replaces": 0, "replica": 2})]
    assert watched.gauge("replicas_ready") == [(0.0, 2), (1.0, 1), (14.0, 2)]
    work = watched.visits[watched.visits["component"] == "api"]
    assert sorted(work["replica"]) == [1, 1, 2]


def test_the_balancer_tries_a_dead_server_and_fails() -> None:
    """Without health checks it stays in rotation: three more tries, a second apart, then 503; the others are served."""
    crash = {"kind": "crash", "at": "500ms", "component": "api", "replica": 0}
    watched = _watch(_balanced(crash), [1.0, 1.0, 2.0, 2.0], own_balancer=False)
    assert _ends(watched) == [(4.0, "rejected"), (2.0, "ok"), (5.0, "rejected"), (3.0, "ok")]
    assert not watched.visits[watched.visits["replica"] == 0].query("component == 'api'").size


def test_a_service_at_one_address_refuses_while_it_is_down() -> None:
    """Called directly: an error at once while it is down, served again by the new process."""
    crash = {"kind": "crash", "at": "1s", "component": "api", "restart_after": "2s"}
    described = scenario({"api": service(waiting("100ms"))}, faults=[crash])
    watched = _watch(described, [0.95, 1.0, 2.0, 3.0], own_balancer=False)
    assert _ends(watched) == [(1.0, "error"), (1.0, "error"), (2.0, "error"), (3.1, "ok")]
    assert list(watched.visits["replica"]) == [0, -1, -1, 1]


def test_a_callee_that_dies_is_an_error_of_its_caller() -> None:
    """The caller answers 502 at once; the caller that dies leaves its callee working for nobody."""
    inner = service(waiting("1s"))
    outer = service({"kind": "call", "target": "inner", "endpoint": "get"})
    dies = {"kind": "crash", "at": "1500ms", "component": "inner"}
    watched = _watch(scenario({"api": outer, "inner": inner}, faults=[dies]), [1.0], own_balancer=False)
    assert _ends(watched) == [(1.5, "error")]
    dies = {"kind": "crash", "at": "1500ms", "component": "api"}
    watched = _watch(scenario({"api": outer, "inner": inner}, faults=[dies]), [1.0], own_balancer=False)
    assert _ends(watched) == [(1.5, "error")]
    assert list(watched.visits[watched.visits["component"] == "inner"]["departure_s"]) == [2.0]


def test_a_hang_answers_nothing_and_then_everything() -> None:
    """From 1 s to 4 s nothing is computed: 50 ms were left of the request that computed, the others come after it."""
    hang = {"kind": "hang", "at": "1s", "component": "api", "duration": "3s"}
    described = scenario({"api": service(_CPU)}, faults=[hang])
    watched = _watch(described, [0.5, 0.95, 1.5, 2.0], own_balancer=False)
    assert _ends(watched) == [(0.6, "ok"), (4.05, "ok"), (4.15, "ok"), (4.25, "ok")]
    assert [at_s for at_s, _ in watched.why("hang")] == [1.0]
    assert watched.why("hang_over") == [(4.0, {"replicas": [0]})]


def test_a_slow_down_multiplies_the_computing() -> None:
    """Three times 100 ms between 1 s and 2 s, by what began then."""
    slow = {"kind": "slow_down", "at": "1s", "component": "api", "factor": 3, "duration": "1s"}
    described = scenario({"api": service(_CPU)}, faults=[slow])
    watched = _watch(described, [0.5, 1.2, 2.0], own_balancer=False)
    assert _ends(watched) == [(0.6, "ok"), (1.5, "ok"), (2.1, "ok")]


def test_a_slow_down_of_waits_leaves_the_computing_alone() -> None:
    """Of 100 ms computed and 200 ms waited, the wait is 400 ms if it begins between 1 s and 2 s."""
    slow = {"kind": "slow_down", "steps": "wait", "at": "1s", "component": "api", "factor": 2, "duration": "1s"}
    described = scenario({"api": service(_CPU, waiting("200ms"))}, faults=[slow])
    watched = _watch(described, [0.85, 1.2, 1.95], own_balancer=False)
    assert _ends(watched) == [(1.15, "ok"), (1.7, "ok"), (2.25, "ok")]


def test_a_database_crashes_hangs_and_slows_down_as_a_whole() -> None:
    """100 ms statements: ended by the crash, refused until the restart; held by the hang; tripled by the slow-down."""
    database = {"kind": "database", "pool": {"size": 5}, "round_trip": "0s", "queries": {"q": "100ms"}}
    described = scenario(
        {"api": service({"kind": "query", "database": "main", "query": "q"}), "main": database},
        faults=[
            {"kind": "crash", "at": "1s", "component": "main", "restart_after": "1s"},
            {"kind": "hang", "at": "5s", "component": "main", "duration": "2s"},
            {"kind": "slow_down", "at": "10s", "component": "main", "factor": 3, "duration": "2s"},
        ],
    )
    starts_s = [0.95, 1.5, 2.5, 4.95, 6.0, 10.5]
    watched = _watch(described, starts_s, own_balancer=False)
    assert _ends(watched) == [(1.0, "error"), (1.5, "error"), (2.6, "ok"), (7.05, "ok"), (7.1, "ok"), (10.8, "ok")]
    kinds = ["crash", "restart", "hang", "hang_over", "slow_down", "slow_down_over"]
    assert [(row.time_s, row.kind) for row in watched.events.itertuples() if row.component == "main"] == list(
        zip([1.0, 2.0, 5.0, 7.0, 10.0, 12.0], kinds, strict=True)
    )


def test_an_autoscaled_service_replaces_what_crashed_for_good() -> None:
    """Kubernetes keeps the number: another boots at once."""
    hpa = {"kind": "hpa", "metric": "concurrency", "target": "50%", "min": 2, "max": 4}
    crash = {"kind": "crash", "at": "10s", "component": "api", "replica": 1}
    described = _balanced(crash, autoscaler=hpa, concurrency=10, boot_time="5s")
    watched = _watch(described, [1.0])
    assert watched.gauge("replicas_ready") == [(0.0, 2), (10.0, 1), (15.0, 2)]
    assert watched.gauge("replicas_wanted") == [(0.0, 2)]


def test_one_that_will_be_restarted_is_not_replaced_and_has_no_readings() -> None:
    """Its pod lives on paper: the autoscaler sees it as missing, and starts no other."""
    hpa = {"kind": "hpa", "metric": "concurrency", "target": "50%", "min": 2, "max": 4}
    crash = {"kind": "crash", "at": "20s", "component": "api", "replica": 1, "restart_after": "30s"}
    watched = _watch(_balanced(crash, autoscaler=hpa, concurrency=10), [1.0])
    missing = {at_s: said["metrics"][0]["missing"] for at_s, said in watched.why()}
    assert (missing[30.0], missing[45.0], missing[75.0]) == (1, 1, 0)
    assert watched.gauge("replicas_ready") == [(0.0, 2), (20.0, 1), (50.0, 2)]


def test_a_lowered_quota_stops_the_growth_and_lets_it_go_on() -> None:
    """5 replicas are wanted from 30 s on; the platform gives 2 until 60 s."""
    hpa = {"kind": "hpa", "metric": "concurrency", "target": "10%", "min": 2, "max": 9}
    quota = {"kind": "quota", "at": "10s", "component": "api", "limit": 2, "duration": "50s"}
    described = _balanced(quota, autoscaler=hpa, concurrency=20, boot_time="8s")
    watched = _watch(described, list(np.arange(0, 90, 0.1)))
    assert watched.gauge("replicas_starting")[1][0] == 60.0
    assert watched.gauge("replicas_ready")[0:2][-1][0] == 68.0
    assert watched.why("quota_reached")[0][0] == 30.0
    assert [at_s for at_s, _ in watched.why("quota_over")] == [60.0]


def test_what_is_no_more_is_not_struck() -> None:
    """A second crash of the same replica finds nobody, and says so."""
    faults = [{"kind": "crash", "at": at, "component": "api", "replica": 0} for at in ("1s", "2s")]
    watched = _watch(_balanced(*faults), [])
    assert watched.why("crash") == [(1.0, {"replicas": [0], "under_way": 0}), (2.0, {"replicas": [], "under_way": 0})]


def test_a_flushed_cache_misses() -> None:
    """The second look-up of the key hits, the one after the flush misses."""
    steps = {"kind": "cached", "cache": "items", "miss": [waiting("100ms")]}
    flush = {"kind": "flush", "at": "2s", "component": "items"}
    described = scenario({"api": service(steps), "items": {"kind": "cache"}}, faults=[flush])
    watched = _watch(described, [0.0, 1.0, 2.0], own_balancer=False)
    looked_up = watched.visits[watched.visits["operation"] == "get"].query("component == 'items'")
    assert list(looked_up["hit"]) == [False, True, False]
    assert watched.why("flush") == [(2.0, {})]


def test_a_failover_promotes_a_replica_after_its_time() -> None:
    """From 1 s to 4 s nobody takes writes; then the replica does."""
    database = {
        **{"kind": "database", "pool": {"size": 5}, "round_trip": "0s", "replicas": 1, "replication_lag": "10ms"},
        **{"failover_time": "3s", "queries": {"q": {"statement": "insert", "time": "100ms"}}},
    }
    described = scenario(
        {"api": service({"kind": "query", "database": "main", "query": "q"}), "main": database},
        faults=[{"kind": "failover", "at": "1s", "component": "main"}],
    )
    watched = _watch(described, [0.5, 0.95, 2.0, 4.0], own_balancer=False)
    assert _ends(watched) == [(0.6, "ok"), (1.0, "error"), (2.0, "error"), (4.1, "ok")]
    assert [at_s for at_s, _ in watched.why("fail_over")] == [1.0]
    assert watched.why("promoted") == [(4.0, {"lost_commits": 0, "primary": 1})]


def test_a_partition_holds_calls_and_answers_until_it_heals() -> None:
    """Cut from 1 s to 4 s: the answer to the call of 0.5 s comes at 4 s, that of 2 s is first made then."""
    inner = service(waiting("1s"))
    outer = service({"kind": "call", "target": "inner", "endpoint": "get"})
    cut = {"kind": "partition", "at": "1s", "between": ["api", "inner"], "duration": "3s"}
    watched = _watch(scenario({"api": outer, "inner": inner}, faults=[cut]), [0.5, 2.0, 5.0], own_balancer=False)
    assert _ends(watched) == [(4.0, "ok"), (5.0, "ok"), (6.0, "ok")]
    work = watched.visits[watched.visits["component"] == "inner"]
    assert sorted(work["departure_s"]) == [1.5, 5.0, 6.0]
    waits = watched.visits[watched.visits["component"] == "api.to.inner"]
    assert sorted(zip(waits["operation"], waits["waiting_time_s"], strict=True)) == [("back", 2.5), ("there", 2.0)]
    assert watched.why("partition") == [(1.0, {"between": ["api", "inner"]})]
    assert watched.why("partition_over") == [(4.0, {"between": ["api", "inner"]})]


def test_callers_own_timeouts_decide_what_they_see_of_a_partition() -> None:
    """Clients cut off from the entry give up after a second; what they sent is done when it gets there."""
    cut = {"kind": "partition", "at": "1s", "between": ["client", "api"], "duration": "3s"}
    described = scenario({"api": service(waiting("100ms"))}, faults=[cut], client={"timeout": "1s"})
    watched = _watch(described, [0.5, 2.0, 3.5], own_balancer=False)
    assert _ends(watched) == [(0.6, "ok"), (3.0, "timeout"), (4.1, "ok")]
    work = watched.visits[watched.visits["component"] == "api"].sort_values("request")
    assert list(work["departure_s"].round(9)) == [0.6, 4.1, 4.1]
    assert list(work["abandoned"].astype(bool)) == [False, True, False]


def test_a_partition_from_the_database_holds_its_connections() -> None:
    """One connection, held by the statement that waits for the wire; the next gives up on the pool after 500 ms."""
    database = {
        **{"kind": "database", "pool": {"size": 1, "timeout": "500ms"}, "round_trip": "0s", "cores": 1},
        "queries": {"q": "100ms"},
    }
    cut = {"kind": "partition", "at": "1s", "between": ["main", "api"], "duration": "3s"}
    described = scenario(
        {"api": service({"kind": "query", "database": "main", "query": "q"}), "main": database}, faults=[cut]
    )
    watched = _watch(described, [0.95, 1.5, 3.9], own_balancer=False)
    assert _ends(watched) == [(4.0, "ok"), (2.0, "error"), (4.1, "ok")]
    server = watched.visits[watched.visits["component"] == "main.server"]
    assert sorted(server["departure_s"].round(9)) == [1.05, 4.1]


_SLOW = {"kind": "slow_link", "at": "1s", "between": ["api", "inner"], "delay": "500ms", "duration": "3s"}


def test_a_slow_link_delays_calls_and_answers_that_are_sent_meanwhile() -> None:
    """Half a second each way from 1 s to 4 s: only the answer at first, both then; what was sent late stays late."""
    outer = service({"kind": "call", "target": "inner", "endpoint": "get"})
    described = scenario({"api": outer, "inner": service(waiting("1s"))}, faults=[_SLOW])
    watched = _watch(described, [0.5, 2.0, 3.9, 5.0], own_balancer=False)
    assert _ends(watched) == [(2.0, "ok"), (4.0, "ok"), (5.4, "ok"), (6.0, "ok")]
    ways = watched.visits[watched.visits["component"] == "api.to.inner"].sort_values("arrival_s")
    assert list(ways["operation"]) == ["back", "there", "back", "there"]
    assert set(ways["service_time_s"]) == {0.5}
    assert set(ways["waiting_time_s"]) == {0.0}
    assert watched.why("slow_link") == [(1.0, {"between": ["api", "inner"], "delay_s": 0.5})]
    assert watched.why("slow_link_over") == [(4.0, {"between": ["api", "inner"]})]


def test_a_slow_link_that_is_cut_is_slow_when_it_is_whole() -> None:
    """Cut from 2 s to 3 s: the call of 2.5 s leaves at 3 s and arrives at 3.5 s."""
    cut = {"kind": "partition", "at": "2s", "between": ["inner", "api"], "duration": "1s"}
    outer = service({"kind": "call", "target": "inner", "endpoint": "get"})
    described = scenario({"api": outer, "inner": service(waiting("100ms"))}, faults=[_SLOW, cut])
    watched = _watch(described, [2.5], own_balancer=False)
    assert _ends(watched) == [(4.1, "ok")]
    (there, _) = (
        watched.visits[watched.visits["component"] == "api.to.inner"].sort_values("arrival_s").to_dict("records")
    )
    assert (there["waiting_time_s"], there["service_time_s"]) == (0.5, 0.5)


def test_a_slow_link_holds_the_connections_of_a_pool_for_longer() -> None:
    """A statement of 100 ms takes 300 ms over 100 ms each way, and the next one waits for its connection."""
    database = {"kind": "database", "pool": {"size": 1, "prefill": True}, "round_trip": "0s", "queries": {"q": "100ms"}}
    slow = {**_SLOW, "between": ["api", "main"], "delay": "100ms"}
    described = scenario(
        {"api": service({"kind": "query", "database": "main", "query": "q"}), "main": database}, faults=[slow]
    )
    watched = _watch(described, [0.5, 1.5, 1.6], own_balancer=False)
    assert _ends(watched) == [(0.6, "ok"), (1.8, "ok"), (2.1, "ok")]
    asked = watched.visits[watched.visits["component"] == "main"]
    assert list(asked["waiting_time_s"].round(9)) == [0.0, 0.0, 0.2]


def test_a_partition_between_others_cuts_nothing_here() -> None:
    """Two services call the database; only one is cut off."""
    query = {"kind": "query", "database": "main", "query": "q"}
    database = {"kind": "database", "pool": {"size": 5}, "round_trip": "0s", "queries": {"q": "100ms"}}
    calls = service(query, {"kind": "call", "target": "inner", "endpoint": "get"})
    cut = {"kind": "partition", "at": "1s", "between": ["inner", "main"], "duration": "3s"}
    described = scenario({"api": calls, "inner": service(query), "main": database}, faults=[cut])
    watched = _watch(described, [2.0], own_balancer=False)
    assert _ends(watched) == [(4.1, "ok")]
    asked = watched.visits[watched.visits["component"] == "main"]
    assert sorted(asked["service_time_s"].round(9)) == [0.0, 1.9]  # opening the connection takes until the end of it


def test_a_dead_cache_is_a_miss_and_comes_back_empty() -> None:
    """Look-ups fail at once from 2 s on; at 4 s it is up again, and knows nothing."""
    steps = {"kind": "cached", "cache": "items", "miss": [waiting("100ms")]}
    crash = {"kind": "crash", "at": "2s", "component": "items", "restart_after": "2s"}
    cache = {"kind": "cache", "access_time": "0s"}
    described = scenario({"api": service(steps), "items": cache}, faults=[crash])
    watched = _watch(described, [0.0, 1.0, 3.0, 4.0, 5.0], own_balancer=False)
    assert _ends(watched) == [(0.1, "ok"), (1.0, "ok"), (3.1, "ok"), (4.1, "ok"), (5.0, "ok")]
    refused = watched.visits[(watched.visits["component"] == "items") & (watched.visits["replica"] == -1)]
    assert sorted(refused["operation"]) == ["get", "set"]
    assert (refused["outcome"] == "error").all()


_BAD = {"kind": "bad_deploy", "component": "api", "at": "2s", "duration": "3s", "error_ratio": "100%"}


def test_a_bad_version_fails_at_once_or_after_its_steps_until_it_is_rolled_back() -> None:
    """What came before 2 s ends as the old version has it; who comes until 5 s fails; who comes then is served."""
    starts_s = [1.5, 2.0, 4.9, 5.0]
    one = {"replicas": 1}
    quick = _watch(_balanced(_BAD, **one), starts_s)
    assert _ends(quick) == [(2.5, "ok"), (2.0, "error"), (4.9, "error"), (6.0, "ok")]
    assert quick.why("bad_deploy") == [(2.0, {"replicas": [0], "error_ratio": 1.0})]
    assert quick.why("bad_deploy_over") == [(5.0, {"replicas": [0]})]
    slow = _watch(_balanced(_BAD | {"when": "at_the_end"}, **one), starts_s)
    assert _ends(slow) == [(2.5, "ok"), (3.0, "error"), (5.9, "error"), (6.0, "ok")]


def test_one_bad_replica_fails_its_share() -> None:
    """Of two in turn, replica 0 alone has the new version."""
    watched = _watch(_balanced(_BAD | {"replica": 0}), [2.0, 2.1, 2.2, 2.3])
    assert _ends(watched) == [(2.0, "error"), (3.1, "ok"), (2.2, "error"), (3.3, "ok")]


def test_who_starts_meanwhile_has_the_version_that_all_have() -> None:
    """A crash at 3 s is restarted at once: the new process has the bad version too, until the roll-back at 5 s."""
    crash = {"kind": "crash", "at": "3s", "component": "api", "restart_after": "0s"}
    everywhere = _watch(_balanced(_BAD, crash, replicas=1), [3.5, 5.0])
    assert _ends(everywhere) == [(3.5, "error"), (6.0, "ok")]
    some = _watch(_balanced(_BAD | {"replicas": 1}, crash, replicas=1), [3.5, 5.0])
    assert _ends(some) == [(4.5, "ok"), (6.0, "ok")]


def test_all_workers_of_a_replica_have_its_version() -> None:
    """Whichever of the two takes a request, it fails."""
    watched = _watch(_balanced(_BAD, replicas=1, workers=2), [2.0, 2.1, 2.2, 2.3, 2.4])
    assert [outcome for _, outcome in _ends(watched)] == ["error"] * 5
