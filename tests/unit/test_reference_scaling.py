"""What an autoscaler's process sees of replicas, and which deployments scale at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from reference_backend.deployment import Deployment
from reference_backend.scaling.readings import History, Look
from reference_backend.scaling.records import read_notes
from reference_backend.scaling.spec import Metric

HPA = {"kind": "hpa", "min": 1, "max": 3, "metrics": [{"metric": "concurrency", "target": 0.5}]}
SERVERLESS = {"kind": "serverless", "min": 0, "max": 3, "idle_timeout_s": 5.0}


def deployment(service: dict[str, Any], *, balanced: bool = True, **others: Any) -> Deployment:
    """Return a deployment of one service, behind a load balancer or not."""
    endpoints = {"get": {"demands": 1, "steps": [{"kind": "wait", "demand": 0}]}}
    parts: dict[str, Any] = {"api": {"kind": "service", "concurrency": 4, "endpoints": endpoints, **service}}
    if balanced:
        parts["edge"] = {"kind": "load_balancer", "algorithm": "leastconn", "targets": "api"}
    entry = "edge" if balanced else "api"
    return Deployment.model_validate({"schema_version": 1, "name": "test", "entry": entry, "parts": parts, **others})


def test_the_services_that_can_scale_are_taken() -> None:
    """An autoscaler behind a load balancer, a platform as the entry; twice as many processes while they drain."""
    scaled = deployment({"autoscaler": HPA, "boot_times_s": [1.0]})
    assert scaled.services()["api"].most_processes == 6
    assert not scaled.is_platform("api")
    assert deployment({"autoscaler": SERVERLESS, "boot_times_s": [1.0], "replicas": 0}, balanced=False).is_platform(
        "api"
    )


@pytest.mark.parametrize(
    ("service", "balanced", "complaint"),
    [
        ({"replicas": 0}, True, "nobody would start the first"),
        ({"autoscaler": HPA}, True, "boot_times_s: a service that scales needs one"),
        ({"autoscaler": HPA, "boot_times_s": [1.0], "replicas": 4}, True, "not within min 1 to max 3"),
        ({"autoscaler": HPA, "boot_times_s": [1.0]}, False, "put a load balancer in front"),
        ({"autoscaler": {**HPA, "min": 0}, "boot_times_s": [1.0]}, True, "hpa would never add one"),
        ({"autoscaler": HPA, "boot_times_s": [1.0], "concurrency": None}, True, "must have a limit"),
        ({"autoscaler": SERVERLESS, "boot_times_s": [1.0]}, True, "only the entry can be serverless"),
        ({"autoscaler": {**HPA, "min": 5}, "boot_times_s": [1.0]}, True, "must not be more than max"),
    ],
)
def test_the_others_are_refused(service: dict[str, Any], balanced: bool, complaint: str) -> None:
    """Nothing is started that would then not scale, and the sentence says why."""
    with pytest.raises(ValidationError, match=complaint):
        deployment(service, balanced=balanced)


def test_replicas_that_come_and_go_are_not_struck() -> None:
    """A fault would strike a number that another replica may have by then."""
    with pytest.raises(ValidationError, match="faults cannot strike"):
        deployment(
            {"autoscaler": HPA, "boot_times_s": [1.0]},
            faults=[{"kind": "crash", "component": "api", "at_s": 1.0, "replica": 0}],
        )


def history(*looks: tuple[float, int, int, float]) -> History:
    """Return a history of looks: time, requests under way, answers and CPU seconds so far."""
    kept = History(keep_s=100.0)
    for time_s, under_way, answered, cpu_s in looks:
        kept.add(Look(time_s=time_s, under_way=under_way, answered=answered, cpu_s=cpu_s))
    return kept


@pytest.mark.parametrize(
    ("metric", "since_s", "until_s", "mean"),
    [
        ("concurrency", 0.0, 2.0, 0.5),  # 0 to 2 to 4 of 4 slots: one on average, then three
        ("concurrency", 1.0, 2.0, 0.75),
        ("concurrency", 0.5, 1.5, 0.5),  # between two looks, in proportion
        ("throughput", 0.0, 2.0, 15.0),
        ("cpu", 1.0, 2.0, 0.4),
        ("cpu", -5.0, 2.0, 0.3),  # of a window that began before it was there, what it has been there
    ],
)
def test_metrics_are_means_over_a_window(metric: Metric, since_s: float, until_s: float, mean: float) -> None:
    """What was counted before the first look belongs to somebody else: to the repeat before, or to the boot."""
    seen = history((0.0, 0, 100, 7.0), (1.0, 2, 110, 7.2), (2.0, 4, 130, 7.6))
    assert seen.mean(metric, since_s=since_s, until_s=until_s, slots=4) == pytest.approx(mean)


def test_a_replica_without_a_look_in_the_window_has_no_reading() -> None:
    """It was not ready before the window closed."""
    assert history((3.0, 1, 0, 0.0)).mean("cpu", since_s=0.0, until_s=3.0, slots=4) is None
    assert History(keep_s=1.0).mean("cpu", since_s=0.0, until_s=3.0, slots=4) is None


def test_notes_begin_at_the_schedules_zero(tmp_path: Path) -> None:
    """What a gauge read last before the zero, it reads at the zero; later notes keep their times."""
    notes = [
        {"time_s": 98.0, "gauge": "replicas_ready", "value": 1},
        {"time_s": 99.0, "gauge": "replicas_ready", "value": 2},
        {"time_s": 101.5, "component": "edge", "kind": "server_added", "detail": "{}"},
        {"time_s": 101.5, "gauge": "replicas_ready", "value": 3},
    ]
    file = tmp_path / "notes"
    file.write_text("".join(json.dumps(note) + "\n" for note in notes))
    readings, happenings = read_notes(file, service="api", zero_s=100.0)
    assert [(reading.time_s, reading.value) for reading in readings] == [(0.0, 2), (1.5, 3)]
    assert [(each.time_s, each.component, each.kind) for each in happenings] == [(1.5, "edge", "server_added")]
