"""Twins: replications that share the requests and demands that a measurement is sent, and nothing else."""

from __future__ import annotations

import numpy as np

import lab
from lab.scenario.shared_luck import demands_known, shared_streams

SCENARIO = """
name: twins
workload: {kind: open, arrival_rate: 60/s, endpoints: {get: 100%}, keys: {kind: zipf, exponent: 0.9, count: 100}}
client: {round_trip: {kind: exponential, mean: 1ms}}
entry: edge
components:
  edge: {kind: load_balancer, algorithm: random, targets: api}
  api:
    kind: service
    replicas: 3
    concurrency: 2
    endpoints: {get: [{kind: wait, time: {kind: exponential, mean: 30ms}}]}
run: {duration: 5s, replications: 3, seed: 7}
"""


def test_twins_are_sent_the_same_and_choose_for_themselves() -> None:
    """Same starts, keys and waits in each; other servers chosen; the first is the replication itself."""
    scenario = lab.parse_scenario(SCENARIO)
    twins = lab.simulate(scenario, twins=True, progress=False)
    requests = [twins.requests[twins.requests["replication"] == number] for number in range(3)]
    visits = [twins.visits[twins.visits["replication"] == number] for number in range(3)]
    served = [each[each["component"] == "api"].sort_values("request") for each in visits]
    for other in (1, 2):
        assert np.array_equal(requests[0]["intended_start_s"], requests[other]["intended_start_s"])
        assert np.array_equal(requests[0]["key"], requests[other]["key"])
        both = set(served[0]["request"]) & set(served[other]["request"])
        times = [each[each["request"].isin(both)]["service_time_s"].to_numpy() for each in (served[0], served[other])]
        assert np.allclose(*times, equal_nan=True)
        assert served[0]["replica"].tolist() != served[other]["replica"].tolist()
    first = lab.simulate(scenario, replications=1, progress=False)
    assert first.fingerprint() == twins.only(0).fingerprint()


def test_twins_of_what_draws_nothing_itself_are_alike() -> None:
    """With turns instead of lots and a constant way, there is nothing left to differ in."""
    changes = {"components.edge.algorithm": "roundrobin", "client.round_trip": "1ms"}
    scenario = lab.parse_scenario(SCENARIO).with_(changes)
    twins = lab.simulate(scenario, twins=True, progress=False)
    times = [twins.only(number).requests["sojourn_time_s"].to_numpy() for number in range(3)]
    assert np.array_equal(times[0], times[1], equal_nan=True)
    assert np.array_equal(times[0], times[2], equal_nan=True)


def test_real_work_has_times_of_its_own() -> None:
    """What Argon2 takes is sent to nobody."""
    scenario = lab.parse_scenario(SCENARIO)
    assert demands_known(scenario)
    assert "api/get/wait" in shared_streams(scenario)
    step = {"kind": "cpu", "work": "argon2id", "time": "20ms"}
    working = scenario.with_({"components.api.endpoints.get": [step]})
    assert not demands_known(working)
    assert "api/get/cpu" not in shared_streams(working)
