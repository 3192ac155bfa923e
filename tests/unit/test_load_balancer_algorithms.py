"""How HAProxy 2.8.25 chooses: its sequences, written down from the real one, and its rules worked out by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest

from lab.randomness import Stream
from lab.simulation.clock import Clock
from lab.simulation.fleet import Fleet
from lab.simulation.load_balancer.algorithm import Algorithm
from lab.simulation.load_balancer.backend import Backend
from lab.simulation.load_balancer.bounds import BoundedRing, DrawnFromRing, slots
from lab.simulation.load_balancer.hashed import HashMap, HashRing
from lab.simulation.load_balancer.leastconn import LeastConnections
from lab.simulation.load_balancer.roundrobin import RoundRobin
from lab.simulation.load_balancer.server import Server
from lab.simulation.load_balancer.weighted import WeightedRoundRobin
from lab.simulation.request import Handling, Outcome, Request
from tests.unit.backends import observe, scenario, service, waiting
from tests.unit.balancing import Rig


class Nothing:
    """Answers at once."""

    def handle(self, request: Request) -> Handling:
        """Answer."""
        yield from ()
        return Outcome.OK


def _backend(algorithm: Algorithm, weights: Iterable[int], limit: int | None = None) -> Backend:
    clock = Clock()
    fleet = Fleet(clock=clock, make=lambda _: Nothing(), mortal=False)
    backend = Backend(clock=clock, algorithm=algorithm, queue_timeout_s=1.0, max_queue=None)
    for slot, weight in enumerate(weights):
        backend.add(Server(fleet.start(), slot=slot, weight=weight, limit=limit))
    return backend


def _pick(backend: Backend, key: int = 0) -> int | None:
    server = backend.choose(Request(0, 0, "get", key, 0))
    if server is not None:
        backend.take(server)
    return None if server is None else server.slot


def _idle_picks(backend: Backend, count: int) -> str:
    """Choose so often, each request done before the next."""
    picked = []
    for _ in range(count):
        picked.append(_pick(backend))
        backend.release(backend.servers[picked[-1]])
    return "".join(str(slot + 1) for slot in picked)


def test_weighted_turns_are_those_of_haproxy() -> None:
    """Measured with weights 5, 2, 1: five, two and one turn in eight, spread."""
    assert _idle_picks(_backend(WeightedRoundRobin(), [5, 2, 1]), 40) == "11211312" * 5


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_weighted_turns_at_equal_weights_are_plain_turns(count: int) -> None:
    """Both ways go round the ring, over many of HAProxy's rounds."""
    plain, weighted = _backend(RoundRobin(), [1] * count), _backend(WeightedRoundRobin(), [7] * count)
    assert _idle_picks(plain, 500) == _idle_picks(weighted, 500)


def test_weighted_turns_follow_a_change_of_weight() -> None:
    """A server whose weight falls from 3 to 1 beside one of 1 has every other turn from then on."""
    backend = _backend(WeightedRoundRobin(), [3, 1])
    assert Counter(_idle_picks(backend, 40)) == {"1": 30, "2": 10}
    backend.servers[0].weight = 16
    backend.update(backend.servers[0])
    _idle_picks(backend, 8)
    assert Counter(_idle_picks(backend, 40)) == {"1": 20, "2": 20}


def test_weighted_turns_of_a_server_that_comes_back() -> None:
    """While it is down the others share; when it is up again it has its share within a round, and no more."""
    backend = _backend(WeightedRoundRobin(), [2, 1, 1])
    backend.servers[0].up = False
    backend.update(backend.servers[0])
    assert Counter(_idle_picks(backend, 20)) == {"2": 10, "3": 10}
    backend.servers[0].up = True
    backend.update(backend.servers[0])
    _idle_picks(backend, 8)
    assert Counter(_idle_picks(backend, 40)) == {"1": 20, "2": 10, "3": 10}


@pytest.mark.parametrize("algorithm", [RoundRobin, WeightedRoundRobin])
def test_roundrobin_passes_over_a_full_server_as_haproxy_does(algorithm: type[RoundRobin | WeightedRoundRobin]) -> None:
    """Measured: limit 1, the first server takes 0.6 s, the others 50 ms, a request every 0.1 s."""
    backend = _backend(algorithm(), [1, 1, 1], 1)
    picked, ends = [], {0: 6, 1: 0.5, 2: 0.5}
    until: dict[int, float] = {}
    for now in range(14):
        for slot in [slot for slot, end in until.items() if end <= now]:
            backend.release(backend.servers[slot])
            del until[slot]
        slot = _pick(backend)
        until[slot] = now + ends[slot]
        picked.append(slot + 1)
    assert "".join(map(str, picked)) == "12323231232323"


def test_leastconn_by_weight_piles_up_as_in_haproxy() -> None:
    """Measured with weights 5, 2, 1 and requests that take long: idle servers first, then the lowest key."""
    backend = _backend(LeastConnections(), [5, 2, 1])
    assert "".join(str(_pick(backend) + 1) for _ in range(24)) == "123111211121132111211321"


def test_leastconn_takes_idle_servers_in_turn_whatever_their_weight() -> None:
    """Measured with weights 5, 2, 1 and requests one by one."""
    assert _idle_picks(_backend(LeastConnections(), [5, 2, 1]), 12) == "123" * 4


def test_leastconn_counts_who_waits_for_a_server() -> None:
    """Measured: limit 1, max_queue 1, 7 requests of 0.5 s at two servers: the queues fill evenly, then that of all."""
    parts = {
        "edge": {
            "kind": "load_balancer",
            "targets": "api",
            "algorithm": "leastconn",
            "max_connections_per_server": 1,
            "max_queue": 1,
            "queue_timeout": "5s",
        },
        "api": service(waiting("500ms"), replicas=2),
    }
    requests, visits = observe(scenario(parts, entry="edge"), [number * 0.02 for number in range(7)])
    assert requests["end_s"].tolist() == pytest.approx([0.5, 0.52, 1.0, 1.02, 1.5, 1.52, 2.0])
    assert visits[visits["component"] == "edge"]["replica"].tolist() == [0, 1, 0, 1, 0, 1, 0]


def test_leastconn_forgets_the_entries_that_no_longer_hold() -> None:
    """However long it runs, its heap stays as small as the number of servers asks for."""
    algorithm = LeastConnections()
    backend = _backend(algorithm, [1, 1, 1])
    for _ in range(6):
        _pick(backend)
    for _ in range(2000):
        backend.release(backend.servers[_pick(backend) or 0])
    assert len(algorithm._heap) <= 64 + 4 * 3


def test_the_first_free_server_takes_it_all() -> None:
    """Limit 2: the second server is used only while the first is full."""
    rig = Rig(edge={"algorithm": "first", "max_connections_per_server": 2})
    rig.send(0.0, 0.01, 0.02, 0.11, 0.3)
    assert [answer.replica for answer in rig.run()] == [0, 0, 1, 0, 0]


def test_a_key_has_its_server_and_waits_for_it() -> None:
    """Requests for one key queue at its server, though the other idles; beyond max_queue 503 at once (measured)."""
    edge = {"algorithm": "uri", "max_connections_per_server": 1, "max_queue": 1}
    rig = Rig(edge=edge, time="500ms")
    rig.send(0.0, 0.02, 0.04, keys=[7, 7, 7])
    answers = rig.run()
    assert [(answer.end_s, answer.outcome) for answer in answers] == [
        (0.5, Outcome.OK),
        (1.0, Outcome.OK),
        (0.04, Outcome.REJECTED),
    ]
    assert answers[0].replica == answers[1].replica


@pytest.mark.parametrize(
    "choice",
    [
        {"algorithm": "uri"},
        {"algorithm": "uri", "hash_type": "consistent", "max_queue": 1},
        {"algorithm": "leastconn"},
        {"algorithm": "leastconn", "max_queue": 2},
        {"algorithm": "roundrobin"},
        {"algorithm": "roundrobin", "weights": [3, 1, 1]},
        {"algorithm": "random", "draws": 3},
        {"algorithm": "first"},
    ],
    ids=str,
)
def test_steady_and_changing_fleets_are_balanced_alike(choice: dict[str, object]) -> None:
    """The quick way for a fleet that never changes gives the very same rows as the whole one."""
    edge = choice | {"max_connections_per_server": 1, "queue_timeout": "75ms"}
    starts_s, keys = [number * 0.02 for number in range(40)], [number % 5 for number in range(40)]
    rig = Rig(replicas=3, edge=edge)
    rig.send(*starts_s, keys=keys)
    parts = {"edge": {"kind": "load_balancer", "targets": "api"} | edge, "api": service(waiting("100ms"), replicas=3)}
    requests, visits = observe(scenario(parts, entry="edge"), starts_s, keys=keys)
    answers = rig.run()
    assert [answer.end_s for answer in answers] == pytest.approx(requests["end_s"].tolist())
    assert [answer.outcome.value for answer in answers] == requests["outcome"].tolist()
    assert [answer.replica for answer in answers] == visits[visits["component"] == "edge"]["replica"].tolist()
    assert {"ok", "rejected"} == set(requests["outcome"])


def _homes(backend: Backend, keys: int) -> list[int]:
    return [server.slot for key in range(keys) if (server := backend.choose(Request(0, 0, "get", key, 0)))]


def test_the_table_of_a_hash_gives_shares_by_weight() -> None:
    """Weights 3 and 1: three quarters of 4,000 keys, within four standard deviations."""
    share = _homes(_backend(HashMap(), [3, 1]), 4000).count(0) / 4000
    assert abs(share - 0.75) < 4 * (0.75 * 0.25 / 4000) ** 0.5


def test_a_lost_server_moves_nearly_every_key_of_a_table() -> None:
    """From five to four servers a key stays with probability 1/5: that both remainders are the same."""
    backend = _backend(HashMap(), [1] * 5)
    before = _homes(backend, 5000)
    backend.servers[4].up = False
    backend.update(backend.servers[4])
    after = _homes(backend, 5000)
    stayed = sum(one == other for one, other in zip(before, after, strict=True)) / 5000
    assert abs(stayed - 0.2) < 4 * (0.2 * 0.8 / 5000) ** 0.5


def test_a_lost_server_moves_its_own_keys_alone_on_a_ring() -> None:
    """Nobody else's key moves, and when it is back every key is where it was."""
    backend = _backend(HashRing(), [1] * 5)
    before = _homes(backend, 5000)
    backend.servers[2].up = False
    backend.update(backend.servers[2])
    after = _homes(backend, 5000)
    assert 2 in before
    assert 2 not in after
    assert [slot for slot in before if slot != 2] == [new for old, new in zip(before, after, strict=True) if old != 2]
    backend.servers[2].up = True
    backend.update(backend.servers[2])
    assert _homes(backend, 5000) == before


def test_shares_of_a_ring_are_the_arcs_of_its_points() -> None:
    """16 points a server make uneven arcs; 256 times as many make them even. Keys are spread over them as arcs are.

    A point owns half of the gap on either side; gaps are exponential, so n points vary by 1/sqrt(2 n) of their mean.
    """
    few, many = HashRing(), HashRing()
    backend = _backend(few, [1] * 20)
    _backend(many, [256] * 20)
    many.at(0)
    homes = np.bincount(_homes(backend, 20_000), minlength=20) / 20_000
    assert np.std(_arcs(few)) * 20 == pytest.approx((2 * 16) ** -0.5, rel=0.4)
    assert np.std(_arcs(many)) * 20 == pytest.approx((2 * 4096) ** -0.5, rel=0.4)
    assert np.abs(homes - _arcs(few)).max() < 4 * (0.05 * 0.95 / 20_000) ** 0.5


def _arcs(ring: HashRing) -> np.ndarray:
    """Return the share of the ring that is nearest to the points of each server."""
    points, owners = np.array(ring._points), [server.slot for server in ring._owners]
    gaps = np.diff(points, append=points[0] + 2**32)
    nearest = (gaps + np.roll(gaps, 1)) / 2**33
    return np.bincount(owners, weights=nearest)


def test_popular_keys_are_spread_like_all_others() -> None:
    """Keys are numbered by popularity: the first 400 of them have their homes in even parts too."""
    homes = Counter(_homes(_backend(HashRing(), [256] * 4), 400))
    assert min(homes.values()) > 60
    assert max(homes.values()) < 140


def test_the_nearest_point_on_either_side_decides() -> None:
    """Walking the ring once round, the owner changes half-way between two points and nowhere else."""
    algorithm = HashRing()
    backend = _backend(algorithm, [1, 1])
    algorithm.at(0)
    points = algorithm._points
    assert points == sorted(points)
    assert len(points) == 32
    for (low, high), (left, right) in zip(pairwise(points), pairwise(algorithm._owners), strict=True):
        middle = (low + high) // 2
        assert algorithm.at(low) is left
        assert algorithm.at(middle) is left
        assert algorithm.at(middle + 1) is right
    assert backend.usable == 2


def test_weight_zero_gets_nothing() -> None:
    """With every algorithm that there is."""
    for algorithm in ("roundrobin", "leastconn", "random", "first", "uri"):
        rig = Rig(replicas=3, edge={"algorithm": algorithm, "weights": [1, 0, 2]})
        rig.send(*(number * 0.01 for number in range(60)), keys=list(range(60)))
        assert {answer.replica for answer in rig.run()} <= {0, 2}, algorithm


def test_random_draws_by_weight() -> None:
    """One draw, weights 3 and 1: three quarters, within four standard deviations."""
    rig = Rig(edge={"algorithm": "random", "draws": 1, "weights": [3, 1]}, time="1ms")
    rig.send(*(number * 0.01 for number in range(900)))
    share = [answer.replica for answer in rig.run()].count(0) / 900
    assert abs(share - 0.75) < 4 * (0.75 * 0.25 / 900) ** 0.5


def test_random_compares_by_weight_and_the_later_draw_wins_a_tie() -> None:
    """Many draws see every server: 1 under way at weight 2 is less than 1 at weight 1, more than 0."""
    rig = Rig(replicas=3, edge={"algorithm": "random", "draws": 40, "weights": [2, 1, 1]}, time="10s")
    rig.send(0.0, 0.1, 0.2, 0.3)
    replicas = [answer.replica for answer in rig.run()]
    assert sorted(replicas[:3]) == [0, 1, 2]
    assert replicas[3] == 0


def test_a_full_server_that_was_drawn_sends_the_request_to_the_queue() -> None:
    """One draw of two servers, one of them full: about half of the requests wait, though the other has room."""
    waited = 0
    for number in range(200):
        rig = Rig(edge={"algorithm": "random", "draws": 1, "max_connections_per_server": 1}, time="100ms")
        request = Request(number, 0, "get", 0, 0)
        server = rig.balancer._backend.choose(request)
        rig.servers[0].served = 1
        waited += server is rig.servers[0]
        assert (rig.balancer._backend.choose(request) is None) == (server is rig.servers[0])
    assert 70 < waited < 130


def _abandoned(**edge: object) -> tuple[list[str], list[float]]:
    """Limit 1, three requests of 0.85 s for one key, clients that wait 0.6 s: what the balancer's rows say."""
    described = scenario(
        {
            "edge": {"kind": "load_balancer", "targets": "api", "algorithm": "uri", "max_connections_per_server": 1}
            | {"max_queue": 1, "queue_timeout": "9s"}
            | edge,
            "api": service(waiting("850ms")),
        },
        entry="edge",
        client={"timeout": "600ms"},
    )
    _, visits = observe(described, [0.0, 0.1, 0.75])
    rows = visits[visits["component"] == "edge"]
    return rows["outcome"].tolist(), rows["departure_s"].round(9).tolist()


def test_abandoned_requests_are_served_for_nobody() -> None:
    """Measured: whoever waits keeps the place in the queue, so the third is refused, and the second is served."""
    assert _abandoned() == (["ok", "ok", "rejected"], [0.85, 1.7, 0.75])


def test_abandoned_requests_leave_the_queue_with_abort_on_close() -> None:
    """Measured: the second leaves when its client does, at 0.7 s, and the third has its place."""
    assert _abandoned(abort_on_close=True) == (["ok", "timeout", "ok"], [0.85, 0.7, 1.7])


def test_slots_are_shared_by_weight_and_the_rest_in_order() -> None:
    """Worked out: 4 under way and the next one at 150 % are 8 slots; weights 3, 1 of 16ths each have 6 and 2."""
    assert slots(48, before=0, total=64, under_way=4, factor_percent=150) == 6
    assert slots(16, before=48, total=64, under_way=4, factor_percent=150) == 2
    # 7 at 125 %: 10 slots (8.75 + 1.25), rounded up; of three 10 x 1/3, 10 x 2/3 - 3, 10 - 6.
    assert [slots(1, before=place, total=3, under_way=7, factor_percent=125) for place in range(3)] == [3, 3, 4]
    assert slots(1, before=0, total=200, under_way=0, factor_percent=101) == 1


def test_one_hot_key_spreads_as_far_as_its_home_is_full() -> None:
    """All requests have one key and none ends: whoever is chosen had fewer than its slots, and all are in use."""
    backend = _backend(BoundedRing(150), [1] * 4)
    home = _pick(backend, key=7)
    counts = Counter({home: 1})
    for under_way in range(1, 60):
        slot = _pick(backend, key=7)
        weights = {"before": 16 * slot, "total": 64}
        assert counts[slot] < slots(16, under_way=under_way, factor_percent=150, **weights)
        counts[slot] += 1
    assert len(counts) >= 3
    assert max(counts.values()) == counts[home] <= 1.5 * 60 / 4 + 1


def test_a_bounded_ring_is_the_ring_while_nobody_is_busy() -> None:
    """One request at a time: every key goes home."""
    plain, bounded = _backend(HashRing(), [3] * 4), _backend(BoundedRing(101), [3] * 4)
    for key in range(300):
        home, chosen = _pick(plain, key), _pick(bounded, key)
        assert home == chosen
        plain.release(plain.servers[home])
        bounded.release(bounded.servers[chosen])


def test_draws_from_a_bounded_ring_pass_over_the_busy() -> None:
    """One draw each, none ends: nobody has more than a quarter more than the mean, which one draw alone would bring."""
    choices = Stream(seed=1, replication=0, name="choice")
    backend = _backend(DrawnFromRing(choices=choices, draws=1, factor_percent=125), [20] * 4)
    for number in range(200):
        server = backend.choose(Request(number, 0, "get", 0, 0))
        backend.take(server)
    assert max(server.served for server in backend.servers) <= 1.25 * 50 + 1
    assert min(server.served for server in backend.servers) > 25


def test_nobody_left_but_the_avoided() -> None:
    """After a refusal another one is taken though it is busy; if there is none, the same again."""
    backend = _backend(BoundedRing(110), [1, 1])
    first = backend.choose(Request(0, 0, "get", 5, 0))
    other = backend.choose(Request(0, 0, "get", 5, 0), first)
    assert other is not first
    alone = _backend(BoundedRing(110), [1])
    assert alone.choose(Request(0, 0, "get", 5, 0), alone.servers[0]) is alone.servers[0]
