"""The loss of a zone, worked out by hand: who ends, who is started again, and where new processes go."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

import lab
from lab.errors import ScenarioError
from lab.scenario.schedule import Schedule
from lab.simulation.replicate import replicate
from lab.validation.laws import broken_laws
from tests.unit.backends import scenario, service, waiting

_LOSS = {"kind": "zone_loss", "zone": "b", "at": "1s", "duration": "2s"}


def _parts(replicas: int = 3, **api: Any) -> dict[str, Any]:
    return {
        "edge": {"kind": "load_balancer", "targets": "api", "redispatch": True},
        "api": service(waiting("500ms"), replicas=replicas, zones=["a", "b", "c"], boot_time="250ms", **api),
    }


def _events(
    parts: dict[str, Any], *faults: dict[str, Any], starts_s: tuple[float, ...] = (0.0,)
) -> tuple[pd.DataFrame, list[tuple[float, str, dict[str, Any]]]]:
    """Return the requests, and the events of the services."""
    described = scenario(parts, entry="edge", faults=list(faults), run={"duration": "30s"})
    count = len(starts_s)
    schedule = Schedule(
        intended_start_s=pd.Series(starts_s).to_numpy(),
        endpoint=("get",) * count,
        key=pd.Series([0] * count).to_numpy(),
    )
    observed = replicate(described, schedule, seed=1, replication=0)
    told = pd.DataFrame(observed.events)
    events = [(row.time_s, row.kind, json.loads(row.detail)) for row in told[told["component"] != "edge"].itertuples()]
    return pd.DataFrame(observed.requests), events


def test_replicas_of_the_zone_end_and_come_back_with_it() -> None:
    """Replica 1 of three is in zone b: its request of 0.8 s ends at 1 s; at 3 s another process takes over."""
    requests, events = _events(_parts(), _LOSS, starts_s=(0.7, 0.8, 0.9, 1.5, 1.6, 1.7, 3.5, 3.6, 3.7))
    assert requests["outcome"].tolist() == ["ok", "error"] + ["ok"] * 7
    assert requests.loc[1, "end_s"] == pytest.approx(1.0)
    assert events == [
        (1.0, "zone_loss", {"replicas": [1], "under_way": 1, "zone": "b"}),
        (3.0, "restart", {"replaces": 1, "replica": 3}),
        (3.0, "zone_loss_over", {"zone": "b"}),
    ]


def test_who_takes_over_an_address_is_in_its_zone() -> None:
    """The process that came back in zone b, number 3, is lost with it the second time; by its number it were in a."""
    _, events = _events(_parts(), _LOSS, _LOSS | {"at": "10s"})
    assert [detail["replicas"] for _, kind, detail in events if kind == "zone_loss"] == [[1], [3]]


def test_every_service_of_the_zone_is_struck_at_once() -> None:
    """Two services share zone b; a third is spread elsewhere."""
    parts = _parts(6) | {
        "others": service(waiting("1ms"), zones=["b"]),
        "elsewhere": service(waiting("1ms"), zones=["a", "c"]),
    }
    _, events = _events(parts, _LOSS)
    struck = [(time_s, detail["replicas"]) for time_s, kind, detail in events if kind == "zone_loss"]
    assert struck == [(1.0, [1, 4]), (1.0, [0])]


def test_new_processes_avoid_a_lost_zone() -> None:
    """Scaled to four while a is lost: number 3 would be in a by its turn, and goes to b; it is lost with b later."""
    grow = {"kind": "scale", "component": "api", "at": "2s", "replicas": 4}
    _, events = _events(_parts(), _LOSS | {"zone": "a"}, grow, _LOSS | {"at": "10s"})
    assert [detail["replicas"] for _, kind, detail in events if kind == "zone_loss"] == [[0], [1, 3]]


@pytest.mark.parametrize(
    ("api", "faults", "says"),
    [
        ({}, [_LOSS | {"zone": "z"}], "no service has replicas in 'z' (zones: a, b, c); give a service its zones"),
        ({"zones": ["a", "a"]}, [], "zones: names a zone twice"),
        (
            {"concurrency": 1, "autoscaler": {"kind": "serverless", "max": 3}},
            [],
            "zones: has no effect with serverless, whose platform runs processes in any zone",
        ),
        (
            {},
            [_LOSS, {"kind": "crash", "component": "api", "at": "500ms", "restart_after": "1s"}],
            "lasts while a crashed process of 'api' is started again",
        ),
        (
            {"zones": ["b"]},
            [_LOSS, {"kind": "scale", "component": "api", "at": "2s", "replicas": 4}],
            "leaves 'api' no zone in which new processes could be started",
        ),
        ({}, [_LOSS, _LOSS | {"at": "2s"}], "happens to zone b while faults.0, of the same kind, is not over"),
    ],
)
def test_losses_that_do_not_fit_are_refused(api: dict[str, Any], faults: list[dict[str, Any]], says: str) -> None:
    """Each with what is wrong and why."""
    parts = _parts() | {"api": _parts()["api"] | api}
    with pytest.raises(ScenarioError) as caught:
        scenario(parts, entry="edge", faults=faults)
    assert says in str(caught.value)


def test_two_zones_may_be_lost_at_a_time() -> None:
    """They are different subjects; the picture names the zones."""
    described = scenario(_parts(), entry="edge", faults=[_LOSS, _LOSS | {"zone": "a", "at": "2s"}])
    assert "zones a, b, c" in lab.mermaid(described)


def test_the_law_catches_who_serves_in_a_lost_zone() -> None:
    """A row that says that replica 1, or who took over its address, began a request while zone b was lost."""
    described = scenario(
        _parts(),
        entry="edge",
        faults=[_LOSS, _LOSS | {"at": "10s"}],
        workload={"kind": "open", "arrival_rate": "20/s", "endpoints": {"get": "100%"}},
        run={"duration": "20s", "replications": 1},
    )
    run = lab.simulate(described, progress=False)
    assert broken_laws(run) == []
    rows = run.visits[(run.visits["component"] == "api") & run.visits["arrival_s"].between(10.1, 11.9)]
    run.visits.loc[rows.index[:2], "replica"] = 3
    assert "zone: 2 requests came to replicas of api in zone b in replication 0, while it was lost" in broken_laws(run)
