"""What the reference backend is handed: the deployment, and a schedule with the very demands of the prediction."""

from __future__ import annotations

import json
import math
from pathlib import Path

import jsonschema
import pytest

import lab
from lab.errors import Unsupported
from lab.measurement.render import deployment, schedule_table
from lab.scenario.schedule import draw_schedule
from lab.simulation.replicate import replicate

ROOT = Path(__file__).parents[2]
FIRST_SPIKE = ROOT / "scenarios" / "validation" / "first_spike.yaml"

NESTED = """
name: nested
workload: {kind: open, arrival_rate: 20/s, endpoints: {page: 50%, item: 50%}}
client: {timeout: 300ms, retry: {attempts: 3, backoff: {kind: exponential, base: 10ms, cap: 1s}}}
entry: api
components:
  api:
    kind: service
    endpoints:
      page:
        - {kind: cpu, time: {kind: exponential, mean: 1ms}}
        - kind: parallel
          branches:
            - [{kind: call, target: inner, endpoint: get}]
            - [{kind: query, database: main, query: one}, {kind: call, target: inner, endpoint: get}]
        - {kind: query, database: main, query: one}
      item: [{kind: query, database: main, query: two}]
  inner:
    kind: load_balancer
    targets: callee
  callee:
    kind: service
    replicas: 2
    concurrency: 4
    endpoints:
      get:
        - {kind: wait, time: {kind: exponential, mean: 3ms}}
        - {kind: query, database: main, query: one}
  main:
    kind: database
    pool: {size: 5}
    round_trip: 0s
    queries:
      one: {kind: exponential, mean: 2ms}
      two: {statement: insert, time: {kind: exponential, mean: 4ms}}
run: {duration: 20s, seed: 3}
"""


def test_the_deployment_fits_the_committed_schema() -> None:
    """Lab and backend meet in files alone: the rendered document is valid by the backend's own schema."""
    schema = json.loads((ROOT / "reference_backend" / "deployment.schema.json").read_text())
    for scenario in (lab.read_scenario(FIRST_SPIKE), lab.parse_scenario(NESTED)):
        jsonschema.validate(deployment(scenario), schema)


def test_a_values_size_reaches_the_real_cache() -> None:
    """4 KiB are 4,096 bytes there."""
    sized = lab.read_scenario(FIRST_SPIKE).with_({"components.items": {"kind": "cache", "entry_size": "4KiB"}})
    assert deployment(sized)["parts"]["items"]["value_bytes"] == 4096


def test_slices_of_demands_follow_the_call_tree() -> None:
    """Page: cpu, (wait, query) of the first call, query, (wait, query) of the second, query."""
    page = deployment(lab.parse_scenario(NESTED))["parts"]["api"]["endpoints"]["page"]
    assert page["demands"] == 7
    cpu, parallel, last = page["steps"]
    first, second = parallel["branches"]
    assert cpu["demand"] == 0
    assert (first[0]["demands_from"], first[0]["demands"]) == (1, 2)
    assert second[0]["demand"] == 3
    assert (second[1]["demands_from"], second[1]["demands"]) == (4, 2)
    assert last["demand"] == 6


def test_an_endpoint_that_inserts_is_a_post() -> None:
    """A request that writes must not be one that may be repeated freely."""
    endpoints = deployment(lab.parse_scenario(NESTED))["parts"]["api"]["endpoints"]
    assert (endpoints["page"]["method"], endpoints["item"]["method"]) == ("GET", "POST")


@pytest.mark.parametrize("text", [NESTED, FIRST_SPIKE.read_text()], ids=["nested", "first_spike"])
def test_the_schedule_carries_the_demands_that_the_simulator_uses(text: str) -> None:
    """Sum of the demands sent = sum of the drawn times served, request by request and attempt by attempt."""
    scenario = lab.parse_scenario(text).with_(
        {"components.api.overhead": "0s", "components.main.round_trip": "0s", "run.duration": "20s"}
    )
    schedule = draw_schedule(scenario, seed=3, replication=0)
    table = schedule_table(scenario, schedule, seed=3, replication=0)
    observed = replicate(scenario, schedule, seed=3, replication=0)
    served: dict[tuple[int, int], set[float]] = {}
    visits = observed.visits
    timed = {"main", "api.event_loop", "api", "callee"}
    for request, attempt, component, time_s, left_s in zip(
        visits["request"], visits["attempt"], visits["component"], visits["service_time_s"], visits["departure_s"],
        strict=True,
    ):  # fmt: skip
        if component in timed and time_s and not math.isnan(left_s):
            served.setdefault((request, attempt), set()).add(time_s)
    attempts = scenario.client.attempts
    assert len(served) > 50
    for (request, attempt), times_s in served.items():
        demands = table["demands"][request].as_py()
        width = len(demands) // attempts
        assert times_s <= set(demands[attempt * width : (attempt + 1) * width])


def test_the_schedule_says_how_long_it_is_and_how_long_retries_wait() -> None:
    """One backoff fewer than attempts, within the jitter's bounds, and the duration as metadata."""
    scenario = lab.parse_scenario(NESTED)
    table = schedule_table(scenario, draw_schedule(scenario, seed=3, replication=0), seed=3, replication=0)
    assert float(table.schema.metadata[b"duration_s"]) == 20.0
    for first_s, second_s in table["backoffs"].to_pylist():
        assert 0 < first_s < 0.01
        assert 0 < second_s < 0.02


def test_faults_travel_in_seconds_and_those_without_a_counterpart_are_refused() -> None:
    """A database may crash for real, but not hang."""
    crash = {"kind": "crash", "component": "main", "at": "2s", "restart_after": "500ms"}
    hang = {"kind": "hang", "component": "callee", "at": "3s", "replica": 1, "duration": "2s"}
    faulty = lab.parse_scenario(NESTED).with_({"faults": [crash, hang]})
    assert deployment(faulty)["faults"] == [
        {
            "kind": "crash",
            "component": "main",
            "at_s": 2.0,
            "replicas": None,
            "replica": None,
            "restart_after_s": 0.5,
        },
        {"kind": "hang", "component": "callee", "at_s": 3.0, "replicas": None, "replica": 1, "duration_s": 2.0},
    ]
    cut = {"kind": "partition", "between": ["main", "api"], "at": "1s", "duration": "500ms"}
    slow = {"kind": "slow_link", "between": ["client", "api"], "at": "2s", "delay": "10ms", "duration": "1s"}
    assert deployment(faulty.with_({"faults": [cut, slow]}))["faults"] == [
        {"kind": "partition", "between": ["main", "api"], "at_s": 1.0, "duration_s": 0.5},
        {"kind": "slow_link", "between": ["client", "api"], "at_s": 2.0, "duration_s": 1.0, "delay_s": 0.01},
    ]
    frozen = faulty.with_({"faults": [{**hang, "component": "main", "replica": None}]})
    with pytest.raises(Unsupported, match=r"faults\.0: is of kind 'hang of a database'"):
        deployment(frozen)
