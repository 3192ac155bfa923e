"""What makes no sense about an autoscaler is refused, with the place and the reason."""

from __future__ import annotations

from typing import Any

import pytest

from lab.errors import ScenarioError
from lab.scenario.arithmetic import arithmetic
from lab.scenario.scenario import Scenario
from tests.unit.backends import scenario, service, waiting

_HPA = {"kind": "hpa", "metric": "concurrency", "target": "70%", "min": 2, "max": 6}
_KEDA = {"kind": "keda", "queue": "edge", "target": 3, "activation": 1, "min": 1}


def _scenario(entry: str = "edge", **api: Any) -> Scenario:
    described = {"replicas": 2, "concurrency": 4, "autoscaler": _HPA} | api
    edge = {"kind": "load_balancer", "targets": "api", "max_connections_per_server": 4}
    return scenario({"edge": edge, "api": service(waiting("1s"), **described)}, entry=entry)


@pytest.mark.parametrize(
    ("api", "says"),
    [
        ({"replicas": 1}, "api.replicas: the run begins with replicas: 1, which is not within min 2 to max 6"),
        ({"autoscaler": _HPA | {"quota": 1}}, "autoscaler.quota: is less than the 2 replicas that the run begins with"),
        ({"concurrency": None}, "autoscaler.metric: is a share of the slots of a replica, and this service has no lim"),
        ({"autoscaler": _HPA | {"min": 0}}, "autoscaler.min: only keda, knative and serverless scale to 0"),
        ({"autoscaler": _HPA | {"min": 7}}, "min (7) must not be more than max (6)"),
        ({"autoscaler": _HPA | {"target": "0%"}}, "target '0%' is not more than 0"),
        ({"autoscaler": _HPA | {"target": "50/s"}}, "the unit '/s' is not one of %"),
        ({"autoscaler": _HPA | {"metric": "throughput"}}, "the unit '%' is not one of /h, /min, /s"),
        ({"autoscaler": _HPA | {"metric": "memory"}}, "autoscaler.metric: there is no metric 'memory' here"),
        (
            {"autoscaler": _HPA | {"scale_up": {"policies": []}}},
            "scale_up.policies: is too short: it needs 1",
        ),
        ({"autoscaler": _KEDA | {"min": 0}}, "autoscaler.min: nobody waits at a load balancer without servers"),
        (
            {"autoscaler": _KEDA | {"queue": "api"}},
            "queue: 'api' is no queue, stream or load balancer that feeds 'api' (thes",
        ),
        ({"autoscaler": {"kind": "knative"}}, "components.edge.targets: the platform of 'api' hands requests out"),
    ],
)
def test_what_makes_no_sense_is_refused(api: dict[str, Any], says: str) -> None:
    """With the key path, and what to do."""
    with pytest.raises(ScenarioError) as caught:
        _scenario(**api)
    assert says in str(caught.value)


def test_a_service_that_is_called_directly_is_not_scaled() -> None:
    """Nobody would choose between the replicas that come."""
    with pytest.raises(ScenarioError, match="calls 'api' directly, which has 2 to 6 replicas"):
        _scenario(entry="api")


@pytest.mark.parametrize(
    "autoscaler",
    [
        _HPA | {"scale_down": {"policies": [{"kind": "pods", "value": 1, "period": "1min"}], "select": "min"}},
        _HPA | {"more_metrics": [{"metric": "cpu", "target": "80%"}], "quota": 5, "tolerance": "5%"},
        _KEDA | {"polling_interval": "10s", "cooldown_period": "1min"},
        {
            **{"kind": "target_tracking", "metric": "throughput", "target": "50/s", "max": 9, "period": "30s"},
            **{"high_periods": 2, "low_periods": 4, "low_margin": "20%", "warm_up": "40s", "scale_in": False},
            **{"scale_out_cooldown": "1min", "scale_in_cooldown": "2min"},
        },
    ],
)
def test_it_comes_back_from_its_document(autoscaler: dict[str, Any]) -> None:
    """Each kind survives being written and read."""
    described = _scenario(autoscaler=autoscaler)
    assert Scenario.model_validate(described.to_document()) == described


def test_the_arithmetic_takes_the_most_that_may_be() -> None:
    """6 replicas of 4 slots, or what the quota leaves of them."""
    assert arithmetic(_scenario()).row("api", "slots").servers == 24
    assert arithmetic(_scenario()).row("edge", "slots").servers == 24
    assert arithmetic(_scenario(autoscaler=_HPA | {"quota": 3})).row("api", "event_loop").servers == 3
