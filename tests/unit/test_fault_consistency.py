"""Faults that cannot happen, or would do nothing, are refused with the place and the reason."""

from __future__ import annotations

from typing import Any

import pytest

from lab.errors import ScenarioError
from lab.scenario.scenario import Scenario
from tests.unit.backends import scenario, service, waiting

_COMPONENTS = {
    "edge": {"kind": "load_balancer", "targets": "api"},
    "api": service(waiting("1s"), {"kind": "cached", "cache": "items", "miss": [waiting("1s")]}, replicas=2),
    "items": {"kind": "cache"},
    "main": {"kind": "database", "pool": {"size": 2}, "queries": {"one": "1ms"}},
}


def _scenario(*faults: dict[str, Any]) -> Scenario:
    return scenario(_COMPONENTS, entry="edge", faults=list(faults))


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"kind": "crash", "at": "100s", "component": "api"}, "faults.0.at: the run is over at 100 s, before this"),
        (
            {"kind": "crash", "at": "1s", "component": "apj"},
            "component: 'apj' is not a service or database or cache, to w",
        ),
        ({"kind": "hang", "at": "1s", "component": "items", "duration": "1s"}, "'items' is not a service or database"),
        ({"kind": "flush", "at": "1s", "component": "api"}, "'api' is not a cache or cdn, to which this can happen ("),
        ({"kind": "crash", "at": "1s", "component": "api", "replicas": 3}, "replicas: there are never more than 2"),
        ({"kind": "crash", "at": "1s", "component": "api", "replica": 2}, "replica: replicas are numbered from 0 to 1"),
        ({"kind": "crash", "at": "1s", "component": "main", "replica": 0}, "replica: only a service has replicas that"),
        (
            {"kind": "hang", "at": "1s", "component": "api", "replica": 0, "replicas": 1, "duration": "1s"},
            "replicas says how many and replica says which one",
        ),
        (
            {"kind": "slow_down", "at": "1s", "component": "api", "factor": 2, "duration": "1s"},
            "has no effect: this service computes nothing",
        ),
        (
            {"kind": "slow_down", "at": "1s", "component": "main", "factor": 2, "duration": "1s", "steps": "wait"},
            "steps: only a service has steps; leave it out for 'main'",
        ),
        (
            {"kind": "slow_down", "at": "1s", "component": "main", "factor": 1, "duration": "1s"},
            "factor: 1 is out of range: it must be more than 1",
        ),
        (
            {"kind": "quota", "at": "1s", "component": "api", "limit": 1, "duration": "1s"},
            "has no effect: nothing starts processes of this service",
        ),
        (
            {"kind": "bad_deploy", "at": "1s", "component": "main", "error_ratio": "10%", "duration": "1s"},
            "'main' is not a service, to which this can happen (there are: api)",
        ),
        (
            {"kind": "bad_deploy", "at": "1s", "component": "api", "error_ratio": "0%", "duration": "1s"},
            "error_ratio is 0%, so nothing would fail",
        ),
        ({"kind": "failover", "at": "1s", "component": "main"}, "'main' has no replica that could take over"),
        ({"kind": "failover", "at": "1s", "component": "api"}, "'api' is not a database, to which this can happen"),
        (
            {"kind": "partition", "at": "1s", "between": ["edge", "api"], "duration": "1s"},
            "neither of 'edge' and 'api' calls the other over a network that the lab can cut (these do: client",
        ),
        (
            {"kind": "partition", "at": "1s", "between": ["api"], "duration": "1s"},
            "faults.0.between: is too short: it needs 2",
        ),
        (
            {"kind": "slow_link", "at": "1s", "between": ["api", "main"], "delay": "10ms", "duration": "1s"},
            "neither of 'api' and 'main' calls the other over a network that the lab can cut (these do: client",
        ),
        (
            {"kind": "slow_link", "at": "1s", "between": ["api", "items"], "delay": "0s", "duration": "1s"},
            "faults.0.delay: ",
        ),
        ({"kind": "disk_full", "at": "1s"}, "faults.0.kind: the lab does not model 'disk_full' yet"),
        ({"kind": "crash", "component": "api"}, "faults.0.at: is missing; add it (When it happens.)"),
    ],
)
def test_what_cannot_happen_is_refused(fault: dict[str, Any], says: str) -> None:
    """With the key path, and what to do."""
    with pytest.raises(ScenarioError) as caught:
        _scenario(fault)
    assert says in str(caught.value)


def test_a_slow_link_does_not_slow_the_opening_of_clients_connections() -> None:
    """So it is refused where that would matter, and taken where each request finds a connection open."""
    slow = {"kind": "slow_link", "at": "1s", "between": ["client", "edge"], "delay": "10ms", "duration": "1s"}
    assert _scenario(slow).faults[0].kind == "slow_link"
    client = {"network": {"kind": "lte"}, "connections": {"kind": "http1", "keep_alive": "60s"}}
    with pytest.raises(ScenarioError, match=r"give client\.network a longer round_trip instead"):
        scenario(_COMPONENTS, entry="edge", faults=[slow], client=client)


def test_two_of_a_kind_do_not_overlap() -> None:
    """The end of the first would end the second too; one after the other is fine, and so are different replicas."""
    hang = {"kind": "hang", "at": "10s", "component": "main", "duration": "10s"}
    with pytest.raises(ScenarioError, match=r"faults.1: happens to main while faults.0, of the same kind, is not over"):
        _scenario(hang, hang | {"at": "19s"})
    assert len(_scenario(hang, hang | {"at": "20s"}).faults) == 2
    crash = {"kind": "crash", "at": "1s", "component": "api", "restart_after": "30s"}
    assert len(_scenario(crash | {"replica": 0}, crash | {"replica": 1}).faults) == 2
    bad = {"kind": "bad_deploy", "at": "1s", "component": "api", "error_ratio": "10%", "duration": "30s"}
    assert len(_scenario(bad | {"replica": 0}, bad | {"replica": 1}).faults) == 2
    with pytest.raises(ScenarioError, match=r"faults.1: happens to api while faults.0, of the same kind, is not over"):
        _scenario(bad | {"replica": 0}, bad | {"replicas": 1})


def test_they_come_back_from_their_document() -> None:
    """Each kind survives being written and read."""
    described = _scenario(
        {"kind": "crash", "at": "1s", "component": "api", "replicas": 1, "restart_after": "5s"},
        {"kind": "hang", "at": "10s", "component": "main", "duration": "3s"},
        {"kind": "slow_down", "at": "20s", "component": "main", "factor": 2.5, "duration": "3s"},
        {"kind": "flush", "at": "30s", "component": "items"},
        {"kind": "bad_deploy", "at": "40s", "component": "api", "error_ratio": "5%", "duration": "3s"},
    )
    assert Scenario.model_validate(described.to_document()) == described
