"""What the lab makes of the backend's traces: the cut at the end of the run, and whether they may judge."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lab.measurement.collect import collect
from lab.measurement.validity import validity
from tests.unit.backends import scenario, service, waiting

_QUIET = {
    "sent": 2,
    "dropped": 0,
    "lateness_s_p50": 1e-4,
    "lateness_s_p99": 1e-3,
    "lateness_s_max": 2e-3,
    "cpu_ratio": 0.1,
    "faults": 0,
    "clock_step_s": 0.0,
}


def _write(
    folder: Path,
    *,
    generator: dict[str, Any] | None = None,
    cores: list[int] | None = None,
    cpu: float = 0.2,
    up: int = 1,
    strangers: float = 0.0,
    left: int = 0,
    happened: tuple[tuple[float, str, str, str], ...] = (),
) -> Path:
    """Write the output of one repeat of 10 s: one request answered in time, one after the end, one never sent."""
    repeat = folder / "repeat-0"
    repeat.mkdir()
    requests = {
        "request": [0, 1, 2],
        "endpoint": ["get"] * 3,
        "key": [0] * 3,
        "intended_start_s": [1.0, 9.8, 9.9],
        "start_s": [1.001, 9.801, math.nan],
        "end_s": [1.1, 10.2, math.nan],
        "outcome": ["ok", "ok", "in_flight"],
        "attempts": [1, 1, 0],
    }
    spans = {
        "request": [0, 1, 1],
        "attempt": [0, 0, 0],
        "component": ["api", "edge", "api"],
        "replica": [0, 0, 0],
        "operation": ["get"] * 3,
        "arrival_s": [1.01, 9.81, 10.1],
        "admitted_s": [1.02, 10.1, 10.1],
        "departure_s": [1.09, 10.19, 10.18],
        "waiting_time_s": [0.01, 0.29, 0.0],
        "service_time_s": [0.07, math.nan, 0.08],
        "outcome": ["ok"] * 3,
        "hit": [None] * 3,
        "abandoned": [False] * 3,
    }
    samples = {
        "time_s": [float(second) for second in range(1, 12)],
        "component": ["api"] * 10 + ["edge"],
        "replica": [0] * 10 + [1],
        "gauge": ["cpu_ratio"] * 10 + ["up"],
        "value": [cpu] * 10 + [float(up)],
    }
    events = pd.DataFrame(
        [(0.0, "generator", "schedule_began", ""), *happened], columns=["time_s", "component", "kind", "detail"]
    )
    for name, columns in (("requests", requests), ("spans", spans), ("samples", samples), ("events", events)):
        pd.DataFrame(columns).to_parquet(repeat / f"{name}.parquet")
    (repeat / "generator.json").write_text(json.dumps(_QUIET | (generator or {})))
    (folder / "manifest.json").write_text(
        json.dumps(
            {
                "pinning": {"backend": [0] if cores is None else cores or None},
                "host": {"cores": 2},
                "deployment": {"parts": {"edge": {"kind": "load_balancer", "targets": "api"}}},
                "repeats": [{"left_in_flight": left, "cpu_ratio": {"api/0": cpu, "host": (cpu + 0.1 + strangers) / 2}}],
            }
        )
    )
    return folder


def test_the_run_is_cut_where_the_simulator_cuts_it(tmp_path: Path) -> None:
    """What ends after the duration is in flight, what begins after it is not there, a wait beyond it has not ended."""
    described = scenario({"api": service(waiting("1ms"))}, run={"duration": "10s"})
    tables = collect(_write(tmp_path), described, repeats=1)
    assert tables.requests["outcome"].tolist() == ["ok", "in_flight", "in_flight"]
    assert tables.requests["sojourn_time_s"].tolist()[0] == pytest.approx(0.1)
    assert len(tables.visits) == 2
    queued = tables.visits[tables.visits["component"] == "edge"].iloc[0]
    assert queued["outcome"] == "in_flight"
    assert math.isnan(queued["admitted_s"])
    assert math.isnan(queued["waiting_time_s"])
    assert tables.samples["time_s"].max() <= 10.0
    assert {"cpu_ratio", "number_waiting_mean", "number_in_service_mean"} <= set(tables.samples["gauge"])


def test_a_quiet_measurement_may_judge(tmp_path: Path) -> None:
    """Nothing to object to."""
    assert validity(_write(tmp_path), repeats=1)["problems"] == []


STRUCK = (5.0, "api", "crash", '{"replicas":[1]}')


@pytest.mark.parametrize(
    ("happened", "valid"),
    [
        ((STRUCK,), True),
        ((STRUCK, (10.95, "edge", "server_up", '{"replica":1,"server":1}')), True),  # at 11.0 its clock is behind ours
        ((STRUCK, (8.0, "edge", "server_up", '{"replica":1,"server":1}')), False),  # and down again, for no reason
        (((5.0, "api", "crash", '{"replicas":[0]}'),), False),
        (((5.0, "other", "crash", '{"replicas":[1]}'),), False),
        (((11.5, "api", "hang", '{"replicas":[1]}'),), False),
        (
            (
                (1.0, "api", "crash", '{"replicas":[1]}'),
                (2.0, "edge", "server_replaced", '{"replica":2,"server":1}'),
                (3.0, "edge", "server_up", '{"replica":2,"server":1}'),
                (9.0, "api", "hang", '{"replicas":[2]}'),
            ),
            True,
        ),
    ],
    ids=["struck", "just up", "up before", "another", "elsewhere", "later", "its successor"],
)
def test_a_server_may_be_down_after_a_fault_and_not_otherwise(
    happened: tuple[tuple[float, str, str, str], ...], valid: bool, tmp_path: Path
) -> None:
    """Server 1 of ``edge`` is seen down at 11 s: planned faults excuse it until it has come up again."""
    assert validity(_write(tmp_path, up=0, happened=happened), repeats=1)["valid"] is valid


def test_connections_that_a_planned_death_broke_off_are_not_the_generators_fault(tmp_path: Path) -> None:
    """What the supervisor has accounted for is taken off."""
    assert validity(_write(tmp_path, generator={"faults": 3, "planned_faults": 3}), repeats=1)["valid"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"generator": {"lateness_s_p99": 3e-3}}, "late by 3.0 ms"),
        ({"generator": {"dropped": 4}}, "dropped 4 requests"),
        ({"generator": {"cpu_ratio": 0.9}}, "used 90% of its core"),
        ({"cores": []}, "shared their cores"),
        ({"cpu": 0.95}, "backend used 95%"),
        ({"generator": {"faults": 2}}, "2 requests failed on the generator's own side"),
        ({"generator": {"clock_step_s": 0.5}}, "clock was set by 0.500 s"),
        ({"up": 0}, "took edge/1 for dead"),
        ({"left": 7}, "7 requests were still under way"),
        ({"strangers": 0.3}, "other processes of this machine used 30% of a core"),
    ],
    ids=[
        "late",
        "dropped",
        "busy generator",
        "not pinned",
        "busy backend",
        "faults",
        "clock",
        "down",
        "left",
        "strangers",
    ],
)
def test_each_fault_makes_it_inconclusive(change: dict[str, Any], says: str, tmp_path: Path) -> None:
    """The protocol's conditions, one by one."""
    judged = validity(_write(tmp_path, **change), repeats=1)
    assert not judged["valid"]
    assert says in " ".join(judged["problems"])
