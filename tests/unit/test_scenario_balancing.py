"""Keys of a load balancer that do not fit together are refused, with the reason."""

from __future__ import annotations

from typing import Any

import pytest

import lab
from lab.errors import ScenarioError
from tests.unit.backends import scenario, service, waiting


def _described(**edge: Any) -> lab.Scenario:
    parts = {"edge": {"kind": "load_balancer", "targets": "api"} | edge, "api": service(waiting("1ms"), replicas=2)}
    return scenario(parts, entry="edge")


@pytest.mark.parametrize(
    ("edge", "says"),
    [
        ({"draws": 3}, "components.edge.draws: has no effect, as roundrobin draws no servers; only random does"),
        (
            {"algorithm": "leastconn", "hash_type": "consistent"},
            "hash_type: has no effect, as leastconn goes by no has",
        ),
        (
            {"max_queue": 3, "max_connections_per_server": 1},
            "max_queue: has no effect, as with roundrobin nobody waits",
        ),
        ({"host": "api", "forward_time": "1ms"}, "edge.host: 'api' is not a host"),
        ({"algorithm": "uri", "max_queue": 3}, "max_queue: has no effect, as nobody waits at all; give it max_connec"),
        ({"algorithm": "first", "slow_start": "9s"}, "slow_start: has no effect, as first heeds no weights and there"),
        ({"algorithm": "uri", "slow_start": "9s"}, "slow_start: has no effect, as a map_based uri heeds no weights"),
        (
            {"abort_on_close": True},
            "abort_on_close: has no effect, as nobody waits in a queue; give it max_connections",
        ),
        (
            {"abort_on_close": True, "max_connections_per_server": 1},
            "abort_on_close: has no effect, as clients never give up; give them a timeout",
        ),
        (
            {"algorithm": "uri", "hash_balance_factor": 150},
            "hash_balance_factor: has no effect, as a map_based uri has no ring",
        ),
        ({"algorithm": "random", "hash_balance_factor": 100}, "hash_balance_factor: 100 is out of range"),
        ({"weights": [0, 0]}, "components.edge.weights: are all 0, so nobody would serve; give at least one replica"),
        ({"weights": [1, 2, 3]}, "weights: are 3, but 'api' has 2 replicas; give at most one weight each"),
        ({"weights": [257]}, "weights: 257 is out of range: it must be 256 or less"),
        ({"weights": []}, "weights: is too short"),
        ({"health_check": {"fall": 0}}, "health_check.fall: 0 is out of range: it must be 1 or more"),
    ],
)
def test_keys_that_do_not_fit_are_refused(edge: dict[str, Any], says: str) -> None:
    """Each with the path, what is wrong and why."""
    text = lab.to_yaml(_described())
    with pytest.raises(ScenarioError) as caught:
        lab.parse_scenario(text).with_({"components.edge": {"kind": "load_balancer", "targets": "api"} | edge})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("edge", "label"),
    [
        ({"algorithm": "random", "draws": 3}, "random of 3"),
        ({"algorithm": "uri", "hash_type": "consistent"}, "uri, consistent"),
        ({"algorithm": "random", "hash_balance_factor": 150}, "random of 2 within 150%"),
        ({"weights": [2, 1]}, "roundrobin by 2:1"),
        ({"health_check": {"interval": "500ms"}}, "roundrobin, checks every 500ms"),
    ],
)
def test_the_topology_names_what_decides(edge: dict[str, Any], label: str) -> None:
    """The picture says how the balancer chooses."""
    assert f"<b>edge</b><br/>{label}" in lab.mermaid(_described(**edge))


def test_replicas_without_weight_are_no_places() -> None:
    """Of three replicas one weighs nothing: two times four requests at once."""
    parts = {
        "edge": {"kind": "load_balancer", "targets": "api", "weights": [2, 0, 1], "max_connections_per_server": 4},
        "api": service(waiting("10ms"), replicas=3),
    }
    assert lab.arithmetic(scenario(parts, entry="edge")).row("edge", "slots").servers == 8


def test_only_clients_give_up() -> None:
    """A balancer between services waits for callers that stay."""
    call = {"kind": "call", "target": "inner", "endpoint": "get"}
    parts = {
        "api": service(call),
        "inner": {"kind": "load_balancer", "targets": "callee", "abort_on_close": True},
        "callee": service(waiting("1ms")),
    }
    with pytest.raises(ScenarioError, match="has no effect, as only clients give up, and they ask 'api'"):
        lab.parse_scenario(lab.to_yaml(scenario({**parts, "inner": parts["inner"] | {"abort_on_close": False}}))).with_(
            {"components.inner.abort_on_close": True}
        )


def test_a_cdn_does_not_give_up() -> None:
    """Where it stores all that clients ask for, no fetch is dropped; a request that passes through may be."""
    parts = {
        "edge": {"kind": "cdn", "targets": "origin", "max_age": {"get": "10s"}},
        "origin": {
            "kind": "load_balancer",
            "targets": "api",
            "abort_on_close": True,
            "max_connections_per_server": 1,
        },
        "api": service(waiting("1ms"), replicas=2),
    }
    with pytest.raises(ScenarioError, match="abort_on_close: has no effect behind a CDN that stores"):
        scenario(parts, entry="edge", client={"timeout": "100ms"})
    parts["edge"] |= {"max_age": {"put": "10s"}}
    parts["api"] |= {"endpoints": {"get": [waiting("1ms")], "put": [waiting("1ms")]}}
    assert scenario(parts, entry="edge", client={"timeout": "100ms"}).client.gives_up
