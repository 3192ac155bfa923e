"""A database whose statements compute on a host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lab
from lab.errors import ScenarioError

SCENARIO = """
name: hosted
workload: {kind: replay, file: sent.csv}
entry: api
components:
  api:
    kind: service
    hosts: [machine]
    endpoints:
      scan: [{kind: query, database: main, query: scan}]
      page: [{kind: query, database: main, query: scan, repeat: 3}]
      compute: [{kind: cpu, time: 30ms}]
  main: {kind: database, pool: {size: 5}, host: machine, round_trip: 0s, queries: {scan: 40ms}}
  machine: {kind: host, cores: 1, quantum: 10us}
run: {duration: 2s, seed: 4}
"""


def times_s(folder: Path, sent: str, **changes: Any) -> list[float]:
    """Return the sojourn times of requests that are sent at 0 s, or as ``endpoint@seconds``."""
    rows = [(endpoint, at_s or "0") for endpoint, _, at_s in (each.partition("@") for each in sent.split())]
    (folder / "sent.csv").write_text(
        "intended_start_s,endpoint\n" + "".join(f"{at_s},{endpoint}\n" for endpoint, at_s in rows)
    )
    (folder / "hosted.yaml").write_text(SCENARIO)
    run = lab.simulate(lab.read_scenario(folder / "hosted.yaml").with_(changes), replications=1, progress=False)
    return [float(time_s) for time_s in run.tables.requests["sojourn_time_s"]]


def test_statements_share_a_core_with_all_that_computes_there(tmp_path: Path) -> None:
    """Two scans at once take twice as long each, and so does one beside the computing of a service."""
    assert times_s(tmp_path, "scan") == pytest.approx([0.04])
    assert times_s(tmp_path, "scan scan") == pytest.approx([0.08, 0.08], abs=1e-4)
    # Until 60 ms both compute at half speed: the computing is done by then, and 10 ms of the scan are left.
    assert times_s(tmp_path, "scan compute") == pytest.approx([0.07, 0.06], abs=1e-4)


def test_with_large_turns_the_second_waits(tmp_path: Path) -> None:
    """First come, first served is what sharing is not."""
    long = {"components.machine.quantum": "1s"}
    assert times_s(tmp_path, "scan scan", **long) == pytest.approx([0.04, 0.08], abs=1e-4)


def test_a_hang_stops_what_computes_and_a_crash_drops_it(tmp_path: Path) -> None:
    """50 ms of standing still are added; after a crash the core is the other's alone, who only then tells of it."""
    hang = {"faults": [{"kind": "hang", "component": "main", "at": "10ms", "duration": "50ms"}]}
    assert times_s(tmp_path, "scan", **hang) == pytest.approx([0.09])
    crash = {"faults": [{"kind": "crash", "component": "main", "at": "20ms", "restart_after": "1s"}]}
    # Half of 20 ms were the computing's until then.
    assert times_s(tmp_path, "scan compute", **crash) == pytest.approx([0.04, 0.04], abs=1e-4)


def test_the_arithmetic_counts_statements_on_the_host(tmp_path: Path) -> None:
    """Three statements of 40 ms keep its core busy for 120 ms a request."""
    assert times_s(tmp_path, "page") == pytest.approx([0.12])
    (cores,) = [
        row
        for row in lab.arithmetic(lab.read_scenario(tmp_path / "hosted.yaml")).rows
        if (row.component, row.level, row.cache) == ("machine", "mean", "cold")
    ]
    assert cores.offered_load == pytest.approx(0.12 * 0.5)  # one request in the 2 s of the run


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"components.main.host": "api"}, "components.main.host: 'api' is not a host"),
        ({"components.main.cores": 2}, "components.main.cores: has no effect"),
        (
            {"faults": [{"kind": "slow_down", "component": "main", "at": "1s", "duration": "1s", "factor": 2}]},
            "cores are as fast as ever",
        ),
    ],
)
def test_what_does_not_go_with_a_host_is_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    """With the key."""
    times_s(tmp_path, "scan")
    with pytest.raises(ScenarioError, match=told):
        lab.read_scenario(tmp_path / "hosted.yaml").with_(changes)
