"""What scales, from a scenario to the deployment file, and what is refused on the way."""

from __future__ import annotations

from typing import Any

import pytest

from lab.errors import Unsupported
from lab.measurement.render import deployment
from lab.scenario.scenario import Scenario
from reference_backend.deployment import Deployment
from tests.unit.backends import scenario, waiting

EDGE = {"kind": "load_balancer", "targets": "api"}
HPA = {"kind": "hpa", "min": 1, "max": 4, "metric": "concurrency", "target": "60%", "sync_period": "5s"}


def scaled(autoscaler: dict[str, Any], **service: Any) -> Scenario:
    """Return a scenario of one service that scales, behind a load balancer unless it is serverless."""
    api = {
        "kind": "service", "concurrency": 2, "boot_time": {"kind": "lognormal", "mean": "2s", "scv": 0.1},
        "autoscaler": autoscaler, "endpoints": {"get": [waiting("10ms")]}, **service,
    }  # fmt: skip
    if autoscaler["kind"] == "serverless":
        return scenario({"api": api})
    return scenario({"edge": EDGE, "api": api}, entry="edge")


def test_an_autoscaler_is_rendered_with_its_rules_and_the_drawn_boots() -> None:
    """What is not given beside other rules is standard; the boots are those of the prediction, number by number."""
    down = {"policies": [{"kind": "pods", "value": 1, "period": "5s"}]}
    more = [{"metric": "cpu", "target": "70%"}]
    document = deployment(scaled({**HPA, "scale_down": down, "more_metrics": more}))["parts"]["api"]
    assert document["autoscaler"]["metrics"] == [
        {"metric": "concurrency", "target": 0.6},
        {"metric": "cpu", "target": 0.7},
    ]
    assert document["autoscaler"]["sync_period_s"] == 5.0
    assert [each["kind"] for each in document["autoscaler"]["scale_up"]["policies"]] == ["percent", "pods"]
    assert document["autoscaler"]["scale_down"]["policies"] == [{"kind": "pods", "value": 1, "period_s": 5.0}]
    assert len(set(document["boot_times_s"])) > 100
    assert sum(document["boot_times_s"]) / len(document["boot_times_s"]) == pytest.approx(2.0, rel=0.05)


def test_the_reference_backend_takes_what_is_rendered() -> None:
    """Both sides mean the same file, with an autoscaler and with a platform."""
    serverless = {"kind": "serverless", "max": 3, "idle_timeout": "5s"}
    for described in (scaled(HPA), scaled(serverless, replicas=0)):
        taken = Deployment.model_validate(deployment(described))
        assert taken.services()["api"].autoscaler is not None


@pytest.mark.parametrize(
    ("autoscaler", "path"),
    [
        ({"kind": "keda", "queue": "edge", "min": 1, "max": 4}, "autoscaler: is of kind 'keda'"),
        ({**HPA, "quota": 3}, "autoscaler.quota: is 3"),
        ({**HPA, "schedule": [{"at": "10s", "min": 2}]}, "autoscaler.schedule"),
    ],
)
def test_what_is_not_obeyed_is_refused(autoscaler: dict[str, Any], path: str) -> None:
    """Nothing is measured that would not do what the scenario says."""
    with pytest.raises(Unsupported, match=path):
        deployment(scaled(autoscaler))
