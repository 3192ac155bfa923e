"""The scenarios that benchmarks run."""

from __future__ import annotations

import lab

# A load balancer, a service, a cache and a database, at constant rates and without retries.
FOUR_PARTS = """
name: four_parts
workload:
  kind: open
  arrival_rate: 400/s
  endpoints: {read: 100%}
  keys: {kind: zipf, exponent: 0.9, count: 10000}
client: {timeout: 1s}
entry: edge
components:
  edge: {kind: load_balancer, algorithm: leastconn, targets: api, max_connections_per_server: 16}
  api:
    kind: service
    replicas: 2
    concurrency: 16
    endpoints:
      read:
        - {kind: cpu, time: {kind: exponential, mean: 1ms}}
        - {kind: cached, cache: items, miss: [{kind: query, database: main, query: get}]}
  items: {kind: cache, capacity: 1000}
  main: {kind: database, pool: {size: 10}, queries: {get: {kind: exponential, mean: 4ms}}}
run: {duration: 50s, replications: 1}
"""


def four_parts(
    *, requests: int = 20_000, replicas: int = 2, algorithm: str = "leastconn", rate_per_s: int = 400
) -> lab.Scenario:
    """Return the four parts with about so many requests in one replication."""
    return lab.parse_scenario(FOUR_PARTS).with_(
        {
            "workload.arrival_rate": f"{rate_per_s}/s",
            "components.api.replicas": replicas,
            "components.edge.algorithm": algorithm,
            "run.duration": f"{1000 * requests // rate_per_s}ms",
        }
    )
