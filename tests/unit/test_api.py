"""The names of the library: they resolve, cost little to import, and build what YAML builds."""

from __future__ import annotations

import subprocess
import sys

import pytest

import lab


@pytest.mark.parametrize("name", lab.__all__)
def test_every_name_resolves(name: str) -> None:
    """What `dir(lab)` promises is there."""
    assert getattr(lab, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        lab.simulat  # noqa: B018  # the access is what is tested


def test_importing_it_loads_nothing_heavy_and_patches_nothing() -> None:
    """Neither pandas nor SimPy nor gevent: each name is loaded when it is first used."""
    code = (
        "import sys, lab; print([m for m in ('pandas', 'simpy', 'scipy', 'matplotlib', 'gevent') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_python_and_yaml_say_the_same() -> None:
    """The same objects with the same names, units written out in both."""
    built = lab.Scenario(
        name="both_ways",
        workload=lab.OpenWorkload(
            kind="open",
            arrival_rate=lab.SpikeRate(base="5/s", peak="50/s", at="1s", rise="0s", hold="2s", fall="0s"),
            endpoints={"get": "100%"},
            keys=lab.ZipfKeys(exponent=1.0, count=10),
        ),
        client=lab.Client(timeout="1s", retry=lab.Retry(attempts=2)),
        entry="edge",
        components={
            "edge": lab.LoadBalancer(targets="api", algorithm="leastconn"),
            "api": lab.Service(
                replicas=2,
                endpoints={
                    "get": [
                        lab.CpuStep(time=lab.distributions.Exponential(mean="1ms")),
                        lab.CachedStep(cache="items", miss=[lab.QueryStep(database="main", query="one")]),
                    ]
                },
            ),
            "items": lab.Cache(ttl="5s"),
            "main": lab.Database(pool=lab.Pool(size=2), queries={"one": lab.QuerySpec(time="4ms")}),
        },
        objectives=[lab.SojournTimeObjective(metric="sojourn_time", quantile="99%", at_most="100ms")],
        run=lab.RunSpec(duration="5s"),
    )
    read = lab.parse_scenario(
        """
name: both_ways
workload:
  kind: open
  arrival_rate: {kind: spike, base: 5/s, peak: 50/s, at: 1s, rise: 0s, hold: 2s, fall: 0s}
  endpoints: {get: 100%}
  keys: {kind: zipf, exponent: 1.0, count: 10}
client: {timeout: 1s, retry: {attempts: 2}}
entry: edge
components:
  edge: {kind: load_balancer, targets: api, algorithm: leastconn}
  api:
    kind: service
    replicas: 2
    endpoints:
      get:
        - {kind: cpu, time: {kind: exponential, mean: 1ms}}
        - {kind: cached, cache: items, miss: [{kind: query, database: main, query: one}]}
  items: {kind: cache, ttl: 5s}
  main: {kind: database, pool: {size: 2}, queries: {one: 4ms}}
objectives: [{metric: sojourn_time, quantile: 99%, at_most: 100ms}]
run: {duration: 5s}
"""
    )
    assert built == read
    assert lab.parse_scenario(lab.to_yaml(built)) == built
