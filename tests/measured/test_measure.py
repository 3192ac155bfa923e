"""`lab measure` on real servers: what comes back, and what happens when it cannot work."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import lab
from lab.errors import UsageError

pytestmark = [pytest.mark.measured, pytest.mark.slow]

SCENARIO = """
name: small_but_real
workload:
  kind: open
  arrival_rate: 40/s
  endpoints: {read: 80%, page: 20%}
  keys: {kind: zipf, exponent: 1.0, count: 50}
client: {timeout: 500ms, retry: {attempts: 2, backoff: {kind: constant, delay: 20ms}}}
entry: edge
components:
  edge: {kind: load_balancer, algorithm: leastconn, targets: api, max_connections_per_server: 4}
  api:
    kind: service
    replicas: 2
    concurrency: 4
    backlog: 4
    endpoints:
      read:
        - {kind: wait, time: {kind: exponential, mean: 10ms}}
        - {kind: cached, cache: items, miss: [{kind: query, database: main, query: get}]}
      page:
        - kind: parallel
          branches:
            - [{kind: call, target: inner, endpoint: rank}]
            - [{kind: query, database: main, query: put}]
  inner:
    kind: service
    endpoints: {rank: [{kind: cpu, time: 1ms}]}
  items: {kind: cache, ttl: 2s}
  main:
    kind: database
    pool: {size: 3}
    queries:
      get: {kind: exponential, mean: 5ms}
      put: {statement: insert, time: {kind: exponential, mean: 5ms}}
run: {duration: 8s, replications: 2, seed: 4}
"""


@pytest.fixture(scope="module")
def scenario() -> lab.Scenario:
    """Two replicas behind HAProxy, a cache, a database, a call and a fan-out."""
    return lab.parse_scenario(SCENARIO)


def test_both_worlds_tell_the_same_story(scenario: lab.Scenario, tmp_path: Path) -> None:
    """Same requests, same tables, same cache hits (all keys and times are shared), and it saves and loads."""
    predicted = lab.simulate(scenario, progress=False)
    measured = lab.measure(scenario, progress=False)
    assert lab.compare(predicted, measured).paired
    first = predicted.requests[predicted.requests["replication"] == 0]
    assert measured.requests["endpoint"].tolist() == first["endpoint"].tolist()
    finished = measured.requests[measured.requests["outcome"] != "in_flight"]
    assert (finished["outcome"] == "ok").mean() > 0.95
    assert set(measured.visits["component"]) == {"edge", "api", "inner", "items", "main"}
    assert abs(measured.value("hit_ratio", "items") - predicted.per_replication("hit_ratio", "items")[0]) < 0.05
    measured.save(tmp_path / "run")
    assert lab.Run.load(tmp_path / "run").fingerprint() == measured.fingerprint()
    backend = measured.provenance["backend"]
    assert {server["source"] for server in backend["servers"].values()} <= {"wheel", "path", "environment"}


def test_a_missing_server_is_wrong_use_and_says_what_to_do(
    scenario: lab.Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the binary and the ways to give it."""
    monkeypatch.setenv("ARCHLAB_HAPROXY", "/nonexistent/haproxy")
    with pytest.raises(UsageError, match="ARCHLAB_HAPROXY"):
        lab.measure(scenario, progress=False)


def test_a_taken_port_is_wrong_use(scenario: lab.Scenario) -> None:
    """The entry was asked for on a port that somebody else has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=str(port)):
            lab.measure(scenario, entry_port=port, progress=False)


def test_a_binary_that_is_no_server_is_wrong_use(scenario: lab.Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache binary that cannot even say its version: refused with its name before anything is started."""
    monkeypatch.setenv("ARCHLAB_VALKEY", "/bin/false")
    with pytest.raises(UsageError, match="Valkey"):
        lab.measure(scenario, progress=False)


def test_the_command_line_gives_the_exit_code(tmp_path: Path) -> None:
    """Exit code 2 for the missing server, one line of explanation, no traceback."""
    file = tmp_path / "scenario.yaml"
    file.write_text(SCENARIO)
    done = subprocess.run(
        [sys.executable, "-m", "lab", "measure", str(file)],
        env=os.environ | {"ARCHLAB_HAPROXY": "/nonexistent/haproxy", "TQDM_DISABLE": "1"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 2
    assert "ARCHLAB_HAPROXY" in done.stderr
    assert "Traceback" not in done.stderr
