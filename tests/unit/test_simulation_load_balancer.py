"""The load balancer: HAProxy's choices, its queue and its timeouts."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.unit.backends import observe, scenario, service, waiting


def _balanced(*, replicas: int = 2, time: str = "100ms", **edge: object) -> object:
    parts = {
        "edge": {"kind": "load_balancer", "targets": "api", **edge},
        "api": service(waiting(time), replicas=replicas),
    }
    return scenario(parts, entry="edge")


def _chosen(visits: pd.DataFrame) -> list[int]:
    return visits[visits["component"] == "edge"]["replica"].tolist()


def test_roundrobin_goes_in_turn_whatever_is_under_way() -> None:
    """Three servers, six requests: each gets every third."""
    _, visits = observe(_balanced(replicas=3, algorithm="roundrobin"), [0, 0.01, 0.02, 0.5, 0.51, 0.52])
    assert _chosen(visits) == [0, 1, 2, 0, 1, 2]


def test_roundrobin_skips_a_full_server() -> None:
    """Server 0 is full at its turn, so the request goes on to server 1 instead of queueing."""
    described = _balanced(algorithm="roundrobin", max_connections_per_server=1)
    requests, visits = observe(described, [0.0, 0.06, 0.12, 0.13])
    assert _chosen(visits) == [0, 1, 0, 1]
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.1, 0.1, 0.1, 0.13])


def test_leastconn_takes_the_server_with_fewest_under_way() -> None:
    """While server 0 holds one and server 1 none, the next goes to server 1."""
    _, visits = observe(_balanced(algorithm="leastconn"), [0.0, 0.01, 0.02, 0.105])
    assert _chosen(visits)[:2] == [0, 1]
    assert _chosen(visits)[3] == 1 - _chosen(visits)[2]


def test_leastconn_takes_turns_among_equals() -> None:
    """Idle servers are used in turn, not always the first."""
    _, visits = observe(_balanced(replicas=3, algorithm="leastconn"), [0.0, 1.0, 2.0, 3.0])
    assert _chosen(visits) == [0, 1, 2, 0]


def test_random_draws_with_replacement() -> None:
    """Of two servers, one busy: both draws fall on the busy one with probability 1/4, so a quarter goes there."""
    starts_s = [x * 0.2 for x in range(400)]
    starts_s += [start + 0.05 for start in starts_s]
    _, visits = observe(_balanced(algorithm="random"), sorted(starts_s))
    edge = visits[visits["component"] == "edge"].sort_values("arrival_s")
    same = (edge["replica"].to_numpy()[0::2] == edge["replica"].to_numpy()[1::2]).mean()
    assert 0.25 - 4 * (0.1875 / 400) ** 0.5 < same < 0.25 + 4 * (0.1875 / 400) ** 0.5


def test_the_queue_is_first_come_first_served_for_all_servers() -> None:
    """Two places in all: the third waits for whichever server is free first."""
    described = _balanced(algorithm="leastconn", max_connections_per_server=1)
    requests, visits = observe(described, [0.0, 0.05, 0.06, 0.07])
    assert requests["end_s"].tolist() == pytest.approx([0.1, 0.15, 0.2, 0.25])
    assert visits[visits["component"] == "edge"]["waiting_time_s"].tolist() == pytest.approx([0, 0, 0.04, 0.08])


def test_waiting_too_long_in_the_queue_is_a_rejection() -> None:
    """HAProxy's `timeout queue`: 12 at once of 200 ms at one place of 2, 300 ms patience: 4 served, 8 times 503."""
    described = _balanced(replicas=1, time="200ms", max_connections_per_server=2, queue_timeout="300ms")
    requests, _ = observe(described, [0.0] * 12)
    assert (requests["outcome"] == "ok").sum() == 4
    rejected = requests[requests["outcome"] == "rejected"]
    assert len(rejected) == 8
    assert rejected["sojourn_time_s"].tolist() == pytest.approx([0.3] * 8)


def test_a_server_that_answers_too_late_is_an_error_and_works_on() -> None:
    """HAProxy's `timeout server`: 504 after 50 ms; the replica is busy until 200 ms all the same."""
    requests, visits = observe(_balanced(replicas=1, time="200ms", server_timeout="50ms"), [0.0])
    assert requests["outcome"].tolist() == ["error"]
    assert requests["end_s"].tolist() == pytest.approx([0.05])
    assert visits[visits["component"] == "api"]["departure_s"].tolist() == pytest.approx([0.2])
    assert visits[visits["component"] == "edge"]["outcome"].tolist() == ["timeout"]


def test_a_place_is_free_again_after_a_server_timeout() -> None:
    """The balancer no longer counts the request that it gave up."""
    described = _balanced(
        replicas=1, time="200ms", server_timeout="50ms", max_connections_per_server=1, queue_timeout="1s"
    )
    requests, _ = observe(described, [0.0, 0.01])
    assert requests["end_s"].tolist() == pytest.approx([0.05, 0.1])


def test_forward_time_is_the_balancers_own_work() -> None:
    """It adds to the client's time and stands in the balancer's row."""
    requests, visits = observe(_balanced(forward_time="2ms"), [0.0])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.102])
    assert visits[visits["component"] == "edge"]["service_time_s"].tolist() == pytest.approx([0.002])
