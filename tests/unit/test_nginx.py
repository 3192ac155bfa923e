"""nginx's rules, worked out by hand: turns, draws, full and failed servers, the next upstream."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

import lab
from lab.errors import ScenarioError
from lab.randomness import Stream
from lab.simulation.clock import Clock
from lab.simulation.fleet import Fleet
from lab.simulation.log import Log
from lab.simulation.nginx.choice import ByLot, FewestUnderWay, InTurn
from lab.simulation.nginx.peers import Peer, Peers, Tries
from lab.simulation.replicate import replicate
from lab.simulation.request import Handling, Outcome, Request
from tests.unit.backends import observe, scenario, service, waiting


class Nothing:
    """Answers at once."""

    def handle(self, request: Request) -> Handling:
        """Answer."""
        yield from ()
        return Outcome.OK


def _peers(*weights: int, limit: int | None = None, max_fails: int = 1) -> Peers:
    clock = Clock()
    fleet = Fleet(clock=clock, make=lambda _: Nothing(), mortal=False)
    peers = Peers(clock=clock, log=Log(), name="edge", max_fails=max_fails, fail_timeout_s=10)
    for slot, weight in enumerate(weights):
        peers.add(Peer(fleet.start(), slot=slot, weight=weight, limit=limit))
    return peers


def _tries(number: int = 0) -> Tries:
    return Tries(Request(number, 0, "get", 0, 0))


def _pick(choice: Any, peers: Peers, number: int = 0) -> str:
    tries = _tries(number)
    peer = choice.choose(tries)
    if peer is None:
        return "-"
    peers.take(peer, tries)
    return "abcdefgh"[peer.slot]


def _letting_go(choice: Any, peers: Peers, count: int) -> str:
    """Choose so often, each request done before the next."""
    picked = ""
    for number in range(count):
        picked += _pick(choice, peers, number)
        peers.release(peers.all["abcdefgh".index(picked[-1])], failed=False)
    return picked


def test_turns_are_smooth() -> None:
    """The sequence of its source for weights 5, 1, 1: a a b a c a a, over and over."""
    peers = _peers(5, 1, 1)
    assert _letting_go(InTurn(peers), peers, 21) == "aabacaa" * 3


def test_a_failure_lowers_the_weight_and_turns_give_it_back() -> None:
    """Weights 4, 2, max_fails 2: a failure takes 2 of a's 4; while they come back one by one, b is next sooner."""
    peers = _peers(4, 2, max_fails=2)
    choice, tries = InTurn(peers), _tries()
    a = choice.choose(tries)
    peers.take(a, tries)
    peers.release(a, failed=True)
    # Worked out: (-2 a, 2 b) before, effective weights 2, 2: b (0, 4); 3, 2: a (3, 2 after); 4, 2: from then on whole.
    assert (a.effective_weight, a.current_weight, peers.all[1].current_weight) == (2, -2, 2)
    assert _letting_go(choice, peers, 2) == "ba"
    assert a.effective_weight == 4


def test_least_conn_counts_per_weight_and_takes_equals_in_turn() -> None:
    """Weights 2, 1, all kept under way. Equal at the first (turn 2, 1: a), fourth (1, 2: b), seventh (3, 0: a)."""
    peers = _peers(2, 1)
    assert "".join(_pick(FewestUnderWay(peers), peers, number) for number in range(9)) == "ababaaaba"
    equal = _peers(1, 1, 1)
    assert _letting_go(FewestUnderWay(equal), equal, 6) == "abcabc"


def test_two_of_two_are_both_looked_at() -> None:
    """With two servers, two different ones are all: the less busy is taken, whatever is drawn."""
    peers = _peers(1, 1)
    choice = ByLot(peers, choices=Stream(seed=1, replication=0, name="choice"), two=True)
    picked = [_pick(choice, peers, number) for number in range(200)]
    assert abs(picked.count("a") - picked.count("b")) <= 1
    assert all(set(picked[place : place + 2]) == {"a", "b"} for place in range(0, 200, 2))


def test_one_draw_goes_by_weight_alone() -> None:
    """Weights 3, 1: three quarters, within what 4000 draws allow."""
    peers = _peers(3, 1)
    choice = ByLot(peers, choices=Stream(seed=1, replication=0, name="choice"), two=False)
    picked = _letting_go(choice, peers, 4000)
    assert abs(picked.count("a") / 4000 - 0.75) < 3.29 * (0.75 * 0.25 / 4000) ** 0.5


def test_after_twenty_misses_it_goes_by_turns() -> None:
    """Seven of eight are full: two different open ones are never found, and the turn comes to the open one."""
    peers = _peers(*[1] * 8, limit=1)
    for peer in peers.all[:7]:
        peer.conns = 1
    tries = _tries()
    choice = ByLot(peers, choices=Stream(seed=1, replication=0, name="choice"), two=True)
    assert choice.choose(tries) is peers.all[7]
    assert tries.misses == 21


def test_full_servers_are_passed_over_and_a_full_upstream_answers_at_once() -> None:
    """max_conns 1, three servers of 100 ms: the fourth at once gets 502 without a wait, who comes later is served."""
    parts = {"edge": {"kind": "nginx", "targets": "api", "max_conns": 1}, "api": service(waiting("100ms"), replicas=3)}
    requests, visits = observe(scenario(parts, entry="edge"), [0.0, 0.01, 0.02, 0.03, 0.11])
    assert requests["outcome"].tolist() == ["ok", "ok", "ok", "error", "ok"]
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.11, 0.12, 0.03, 0.21])
    assert visits[visits["component"] == "edge"]["replica"].tolist() == [0, 1, 2, -1, 1]


def _failing(
    starts_s: list[float], *faults: dict[str, Any], time: str = "100ms", replicas: int = 2, **edge: Any
) -> tuple[pd.DataFrame, pd.DataFrame, list[tuple[float, str, int]]]:
    """Return requests, the rows of the edge, and its events, where the service has these faults."""
    parts = {
        "edge": {"kind": "nginx", "targets": "api"} | edge,
        "api": service(waiting(time), replicas=replicas),
    }
    described = scenario(parts, entry="edge", faults=[{"component": "api"} | fault for fault in faults])
    schedule = lab.scenario.schedule.Schedule(
        intended_start_s=pd.Series(starts_s).to_numpy(),
        endpoint=("get",) * len(starts_s),
        key=pd.Series([0] * len(starts_s)).to_numpy(),
    )
    observed = replicate(described, schedule, seed=1, replication=0)
    told = pd.DataFrame(observed.events)
    events = [
        (row.time_s, row.kind, json.loads(row.detail)["server"])
        for row in told[told["component"] == "edge"].itertuples()
    ]
    visits = pd.DataFrame(observed.visits)
    return pd.DataFrame(observed.requests), visits[visits["component"] == "edge"], events


def test_a_refused_request_goes_to_the_next_and_the_server_is_out_in_whole_seconds() -> None:
    """Replica 0 is down from 1 s to 5 s.

    Asked at 1.9 s it refuses: out as long as no more than 10 whole seconds have passed since second 1, and its
    effective weight is 0. At 11.95 s it is still out. Turns from 12.05 s on (replica 0, replica 1): -1, 2 and its
    weight is 1 again; 0, 2; then 1, 1, and a request tries it.
    """
    crash = {"kind": "crash", "at": "1s", "replica": 0, "restart_after": "4s"}
    requests, visits, events = _failing([0.5, 0.7, 1.9, 2.1, 11.95, 12.05, 12.06, 12.07, 12.08], crash)
    assert requests["outcome"].tolist() == ["ok"] * 9
    assert (requests["end_s"] - requests["start_s"]).tolist() == pytest.approx([0.1] * 9)
    # Replica 2 is the process that took over the address of replica 0.
    assert visits["replica"].tolist() == [0, 1, 1, 1, 1, 1, 1, 2, 1]
    assert [kind for _, kind, _ in events] == ["server_disabled", "server_replaced", "server_live"]
    assert [time_s for time_s, _, _ in events] == pytest.approx([1.9, 5.0, 12.17])


def test_a_server_that_fails_again_is_out_again() -> None:
    """Down for good: tried once more when the fail_timeout is over and it is its turn; another server saves that."""
    _, visits, events = _failing(
        [0.0, 1.0, 5.0, 12.0, 13.0, 23.0, 24.0, 25.0],
        {"kind": "crash", "at": "500ms", "replica": 0},
        max_fails=1,
        fail_timeout="10s",
    )
    assert visits["replica"].tolist() == [0, 1, 1, 1, 1, 1, 1, 1]
    assert events == [(5.0, "server_disabled", 0), (25.0, "server_disabled", 0)]


def test_a_reset_is_tried_again_and_the_first_try_is_its_wait() -> None:
    """The process dies at 0.05 s with a request of 100 ms: the other server serves it from then on."""
    requests, visits, _ = _failing([0.0], {"kind": "crash", "at": "50ms", "replica": 0})
    assert requests.loc[0, "outcome"] == "ok"
    assert requests.loc[0, "end_s"] == pytest.approx(0.15)
    assert visits.iloc[0]["waiting_time_s"] == pytest.approx(0.05)
    assert visits.iloc[0]["replica"] == 1


@pytest.mark.parametrize(
    ("edge", "outcome", "end_s"),
    [
        ({"next_upstream": ["timeout"]}, "error", 0.05),
        ({"next_upstream_tries": 1}, "error", 0.05),
        ({"next_upstream_timeout": "40ms"}, "error", 0.05),
        ({"next_upstream_timeout": "60ms"}, "ok", 0.15),
    ],
)
def test_what_ends_the_tries(edge: dict[str, Any], outcome: str, end_s: float) -> None:
    """No word for it, no tries left, no time left: 502 when the process dies at 50 ms."""
    requests, _, _ = _failing([0.0], {"kind": "crash", "at": "50ms", "replica": 0}, **edge)
    assert requests.loc[0, "outcome"] == outcome
    assert requests.loc[0, "end_s"] == pytest.approx(end_s)


def test_a_timeout_goes_to_the_next_and_then_504() -> None:
    """Every server takes 300 ms, patience is 100 ms: two tries of 100 ms, both servers out, the next gets 502."""
    requests, visits, events = _failing([0.0, 0.25], time="300ms", read_timeout="100ms")
    assert requests["outcome"].tolist() == ["error", "error"]
    assert requests["end_s"].tolist() == pytest.approx([0.2, 0.25])
    assert visits["outcome"].tolist() == ["timeout", "error"]
    assert visits["replica"].tolist() == [1, -1]
    assert [event[1:] for event in events] == [("server_disabled", 0), ("server_disabled", 1)]


def test_the_next_try_draws_anew() -> None:
    """A time that is drawn: the second try is not doomed to what the first one drew."""
    time = {"kind": "hyperexponential", "mean": "50ms", "scv": 9}
    parts = {
        "edge": {"kind": "nginx", "targets": "api", "read_timeout": "100ms", "max_fails": 0},
        "api": service({"kind": "wait", "time": time}, replicas=2),
    }
    requests, visits = observe(scenario(parts, entry="edge"), [number * 0.1 for number in range(400)])
    edge = visits[visits["component"] == "edge"]
    slow = edge[edge["waiting_time_s"] > 0]
    assert len(slow) > 20
    assert (slow["outcome"] == "ok").mean() > 0.5
    assert (requests["outcome"] == "ok").mean() > 0.97


def test_one_server_alone_is_never_out() -> None:
    """It refuses everybody while it is down, and is asked at once when it is up again."""
    crash = {"kind": "crash", "at": "1s", "restart_after": "1s"}
    requests, _, events = _failing([0.0, 1.1, 1.2, 2.1], crash, replicas=1)
    assert requests["outcome"].tolist() == ["ok", "error", "error", "ok"]
    assert [kind for _, kind, _ in events] == ["server_replaced"]


def test_max_fails_counts_within_the_fail_timeout() -> None:
    """It fails at 0.6 s and is asked again when all others have had their turn (2, 1, 0): out with the second time."""
    crash = {"kind": "crash", "at": "500ms", "replica": 0}
    _, _, events = _failing([0.6, 1.0, 1.4, 1.8, 2.2], crash, max_fails=2, replicas=3)
    assert events == [(2.2, "server_disabled", 0)]


def test_no_fails_are_counted_with_max_fails_zero() -> None:
    """It is asked in its turn all the same, and others save the requests."""
    requests, _, events = _failing([1.0, 2.0, 3.0, 4.0], {"kind": "crash", "at": "500ms", "replica": 0}, max_fails=0)
    assert requests["outcome"].tolist() == ["ok"] * 4
    assert events == []


def _writing(*words: str) -> list[str]:
    """Return the outcomes of requests that insert, at 0 s when a process dies under it, and later."""
    parts = {
        "edge": {"kind": "nginx", "targets": "api", "next_upstream": list(words)},
        "api": service({"kind": "query", "database": "main", "query": "put"}, replicas=2),
        "main": {"kind": "database", "pool": {"size": 2}, "queries": {"put": {"time": "100ms", "statement": "insert"}}},
    }
    crash = {"kind": "crash", "component": "api", "at": "50ms", "replica": 0}
    requests, _ = observe(scenario(parts, entry="edge", faults=[crash]), [0.0, 1.0, 20.0, 20.5])
    return requests["outcome"].tolist()


def test_what_changes_something_is_not_sent_twice() -> None:
    """Reset while the insert is under way: 502; refused before it is sent: the other server; unless it is allowed."""
    assert _writing("error") == ["error", "ok", "ok", "ok"]
    assert _writing("error", "non_idempotent") == ["ok"] * 4


def test_answers_that_next_upstream_names() -> None:
    """A full replica answers 503: passed on as it is, or another one is tried and the full one is out."""
    api = service(waiting("500ms"), replicas=2, concurrency=1, backlog=0)
    starts_s = [0.0, 0.1, 0.2]
    plain, _ = observe(scenario({"edge": {"kind": "nginx", "targets": "api"}, "api": api}, entry="edge"), starts_s)
    assert plain["outcome"].tolist() == ["ok", "ok", "rejected"]
    edge = {"kind": "nginx", "targets": "api", "next_upstream": ["error", "http_503"], "weights": [9, 1]}
    named, visits = observe(scenario({"edge": edge, "api": api}, entry="edge"), starts_s)
    # The second goes on to the other one; the third finds that one full and nobody left: no live upstreams, 502.
    assert named["outcome"].tolist() == ["ok", "ok", "error"]
    assert visits[visits["component"] == "edge"]["replica"].tolist() == [0, 1, 1]


def test_errors_of_a_bad_deploy_are_tried_elsewhere_only_if_named() -> None:
    """Replica 0 answers each request with 500."""
    bad = {"kind": "bad_deploy", "at": "0s", "replica": 0, "error_ratio": "100%", "duration": "90s"}
    plain, _, events = _failing([1.0, 2.0, 3.0, 4.0], bad)
    assert plain["outcome"].tolist() == ["error", "ok", "error", "ok"]
    assert events == []
    named, _, events = _failing([1.0, 2.0, 3.0, 4.0], bad, next_upstream=["error", "http_500"])
    assert named["outcome"].tolist() == ["ok"] * 4
    assert events == [(pytest.approx(1.0), "server_disabled", 0)]


@pytest.mark.parametrize(("ignores", "outcomes"), [(False, ["timeout", "timeout"]), (True, ["timeout", "error"])])
def test_a_client_that_leaves_frees_its_connection(ignores: bool, outcomes: list[str]) -> None:
    """Patience is 100 ms, a replica takes 1 s and nginx lets one request in: the next one gets in, or 502 at once."""
    parts = {
        "edge": {"kind": "nginx", "targets": "api", "max_conns": 1, "ignore_client_abort": ignores},
        "api": service(waiting("1s")),
    }
    requests, _ = observe(scenario(parts, entry="edge", client={"timeout": "100ms"}), [0.0, 0.2])
    assert requests["outcome"].tolist() == outcomes


@pytest.mark.parametrize(
    ("edge", "says"),
    [
        ({"fail_timeout": "1500ms"}, "fail_timeout is 1.5 s, but nginx counts it in whole seconds"),
        ({"weights": [1, 2, 3]}, "weights: are 3, but 'api' has 2 replicas; give at most one weight each"),
        ({"weights": [0, 1]}, "0 is out of range"),
        ({"next_upstream": ["non_idempotent"]}, "names no failure after which another replica is tried"),
        ({"next_upstream": ["error", "error"]}, "names something twice"),
        ({"next_upstream": [], "next_upstream_tries": 2}, "next_upstream_tries: has no effect, as next_upstream names"),
        ({"next_upstream_tries": 1, "next_upstream_timeout": "1s"}, "has no effect, as no request is tried twice"),
        (
            {"max_fails": 0, "fail_timeout": "3s"},
            "fail_timeout: has no effect, as with max_fails 0 no replica",
        ),
        ({"ignore_client_abort": True}, "ignore_client_abort: has no effect, as clients never give up"),
        ({"targets": "edge"}, "'edge' is not a service of this scenario"),
    ],
)
def test_keys_that_do_not_fit_are_refused(edge: dict[str, Any], says: str) -> None:
    """Each with what is wrong and why."""
    with pytest.raises(ScenarioError) as caught:
        scenario(
            {"edge": {"kind": "nginx", "targets": "api"} | edge, "api": service(waiting("1ms"), replicas=2)},
            entry="edge",
        )
    assert says in str(caught.value)


def test_keys_about_another_replica_need_one() -> None:
    """One replica without an autoscaler is alone for ever."""
    parts = {"edge": {"kind": "nginx", "targets": "api", "max_fails": 3}, "api": service(waiting("1ms"))}
    with pytest.raises(ScenarioError, match="max_fails: has no effect, as 'api' never has another replica to go to"):
        scenario(parts, entry="edge")


def test_arithmetic_and_topology_know_it() -> None:
    """Two replicas of three connections are six places; the picture says how it chooses."""
    edge = {"kind": "nginx", "targets": "api", "max_conns": 3, "algorithm": "least_conn", "weights": [2, 1]}
    described = scenario({"edge": edge, "api": service(waiting("10ms"), replicas=2)}, entry="edge")
    assert lab.arithmetic(described).row("edge", "slots").servers == 6
    assert "<b>edge</b><br/>least conn by 2:1, 3 a server, out after 1 failure" in lab.mermaid(described)


@pytest.mark.parametrize("kind", ["nginx", "envoy"])
def test_a_platform_hands_out_its_requests_itself(kind: str) -> None:
    """No balancer stands before a serverless service."""
    serverless = service(waiting("1ms"), concurrency=1, autoscaler={"kind": "serverless", "max": 3})
    with pytest.raises(ScenarioError, match="the platform of 'api' hands requests out itself"):
        scenario({"edge": {"kind": kind, "targets": "api"}, "api": serverless}, entry="edge")


def test_a_cdn_goes_on_with_a_fetch_whose_client_has_left() -> None:
    """Patience is 100 ms, a fetch takes 300 ms: nginx behind the CDN lets it end, and the next one finds it there."""
    parts = {
        "edge": {"kind": "cdn", "targets": "origin", "max_age": {"get": "10s"}},
        "origin": {"kind": "nginx", "targets": "api"},
        "api": service(waiting("300ms"), replicas=2),
    }
    requests, visits = observe(scenario(parts, entry="edge", client={"timeout": "100ms"}), [0.0, 1.0])
    assert requests["outcome"].tolist() == ["timeout", "ok"]
    assert visits[visits["component"] == "origin"]["outcome"].tolist() == ["ok"]
    with pytest.raises(ScenarioError, match="ignore_client_abort: has no effect, as only clients give up"):
        scenario(
            parts | {"origin": parts["origin"] | {"ignore_client_abort": True}},
            entry="edge",
            client={"timeout": "100ms"},
        )
