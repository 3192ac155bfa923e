"""Malformed scenarios: what was changed in base.yaml, and what the lab must say about it, on which line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BASE = (Path(__file__).parent / "base.yaml").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """A mistake: ``text`` alone, or base.yaml with ``old`` replaced by ``new``."""

    name: str
    line: int
    says: str
    old: str = ""
    new: str = ""
    text: str | None = None

    @property
    def yaml(self) -> str:
        """The malformed scenario."""
        if self.text is not None:
            return self.text
        assert BASE.count(self.old) == 1, f"{self.name}: {self.old!r} must stand in base.yaml once"
        return BASE.replace(self.old, self.new)


def _change(name: str, old: str, new: str, line: int, says: str) -> Malformed:
    return Malformed(name=name, old=old, new=new, line=line, says=says)


def _whole(name: str, text: str, line: int, says: str) -> Malformed:
    return Malformed(name=name, text=text, line=line, says=says)


_UNITS = (
    _change(
        "duration without a unit", "timeout: 1s\n  retry", "timeout: 1\n  retry", 9, "client.timeout: 1 has no unit"
    ),
    _change(
        "unit of another kind", "queue_timeout: 1s", "queue_timeout: 1/s", 20, "the unit '/s' is not one of h, min"
    ),
    _change("unknown unit", "duration: 50s", "duration: 50sec", 55, "run.duration: '50sec' is not a duration"),
    _change("rate without a unit", "base: 30/s", "base: 30", 5, "arrival_rate.base: 30 has no unit: write a rate"),
    _change("share without a unit", "read_item: 90%", "read_item: 0.9", 6, "endpoints.read_item: 0.9 has no unit"),
    _change("time given as a number", "time: 20ms}\n        - kind", "time: 20}\n        - kind", 30, "such as 20ms"),
    _change("query given as a number", "{kind: exponential, mean: 15ms}", "15", 50, "item_by_id: 15 has no unit"),
    _change("rate curve given as a number", BASE.splitlines()[4], "  arrival_rate: 30", 5, "such as 30/s"),
    _change("number where a unit is missing", "cap: 1s", "cap: '1'", 12, "retry.backoff.cap: '1' is not a duration"),
    _change("not a number", "hold: 15s", "hold: soon", 5, "'soon' is not a duration: write a number and its unit"),
    _change("unit beyond measure", "hold: 15s", "hold: 1e999s", 5, "'1e999s' is out of range"),
    _change("percentage of a count", "replicas: 2", "replicas: 2%", 23, "replicas: '2%' is not a whole number"),
)

_RANGES = (
    _change("negative time", "rise: 2s", "rise: -2s", 5, "arrival_rate.rise: -2.0 is negative"),
    _change(
        "timeout of zero", "timeout: 1s\n  retry", "timeout: 0s\n  retry", 9, "client.timeout: 0.0 is not positive"
    ),
    _change("no replicas", "replicas: 2", "replicas: 0", 23, "replicas: 0 is out of range: it must be 1 or more"),
    _change("fewer than none", "replicas: 2", "replicas: -1", 23, "replicas: -1 is out of range: it must be 0 or more"),
    _change("half a replica", "replicas: 2", "replicas: 2.5", 23, "replicas: 2.5 is not a whole number"),
    _change("a million replicas", "replicas: 2", "replicas: 1000000", 23, "it must be 10000 or less"),
    _change(
        "too many attempts", "attempts: 2", "attempts: 999", 11, "attempts: 999 is out of range: it must be 100 or less"
    ),
    _change("scv of zero", "scv: 0.25", "scv: 0", 29, "time.scv: 0 is out of range: it must be more than 0"),
    _change("share above 100 %", "quantile: 99%", "quantile: 101%", 53, "objectives.0.quantile: a share lies between"),
    _change(
        "mix above 100 %",
        "write_item: 10%",
        "write_item: 20%",
        6,
        "workload.endpoints: read_item 90% + write_item 20% = 110%, but",
    ),
    _change("cap below base", "cap: 1s", "cap: 1ms", 12, "must not be less than base"),
    _change("warm-up as long as the run", "warm_up: 5s", "warm_up: 50s", 55, "nothing would remain"),
    _change(
        "two bounds", "at_most: 300ms", "at_most: 300ms, at_least: 1ms", 53, "exactly one bound: at_most or at_least"
    ),
    _change("no bound", ", at_most: 300ms", "", 53, "objectives.0: an objective needs exactly one bound"),
    _change("true as a number", "concurrency: 4", "concurrency: true", 24, "concurrency: true is not a whole number"),
)

_WORDS = (
    _change(
        "misspelt key", "replicas: 2", "replica: 2", 23, "there is no key 'replica' here; did you mean 'replicas'?"
    ),
    _change(
        "misspelt key at the top", "client:", "clients:", 8, "clients: there is no key 'clients' here; did you mean"
    ),
    _change(
        "unknown key", "{size: 4,", "{size: 4, colour: red,", 48, "pool.colour: there is no key 'colour' here (there"
    ),
    _change(
        "missing key", "size: 4, ", "", 48, "components.main.pool.size: is missing; add it (Connections kept open.)"
    ),
    _change("missing scv", ", scv: 0.25", "", 29, "endpoints.read_item.0.time.scv: is missing"),
    _change("missing kind", "{kind: cache, ", "{", 45, "items: has no kind, so its other keys have no meaning"),
    _change(
        "unknown kind",
        "kind: load_balancer",
        "kind: loadbalancer",
        16,
        "edge.kind: there is no kind 'loadbalancer' here; did you",
    ),
    _change("unknown kind of step", "{kind: wait, time: 20ms}", "{kind: sleep, time: 20ms}", 30, "cpu, wait, cached"),
    _change(
        "unknown distribution", "kind: lognormal", "kind: normal", 29, "there is no kind 'normal' here; did you mean"
    ),
    _change("unknown algorithm", "leastconn", "least_conn", 17, "did you mean 'leastconn'?"),
    _change(
        "unknown metric", "metric: sojourn_time", "metric: response_time", 53, "there is no metric 'response_time' here"
    ),
    _change("bad name", "  profiles:", "  Profiles:", 37, "'Profiles' is not a name: use small letters"),
    _change("quantile with a word", "warm_up: 5s", "warm_up: some", 55, "run.warm_up: 'some' is not a duration"),
)

_LATER = (
    _change(
        "autoscaler",
        "backlog: 16",
        "autoscaler: {kind: predictive}",
        25,
        "kind: the lab does not model 'predictive' yet",
    ),
    _change("hedging", "attempts: 2", "attempts: 2\n    hedging: 10%", 12, "does not model 'hedging' yet"),
    _change("write-through", "ttl: 20s", "write_through: true", 45, "'write_through' yet"),
    _change(
        "cost", "metric: sojourn_time", "metric: cost", 53, "there is no metric 'cost' here (there are: sojourn_time"
    ),
)

_CLIENTS = (
    _change(
        "bandwidth without a unit",
        "timeout: 1s\n  retry",
        "timeout: 1s\n  network: {kind: custom, round_trip: 50ms, down: 12}\n  retry",
        10,
        "client.network.down: 12 has no unit: write a bandwidth",
    ),
    _change(
        "unknown network",
        "timeout: 1s\n  retry",
        "timeout: 1s\n  network: {kind: ltee}\n  retry",
        10,
        "there is no kind 'ltee' here; did you mean 'lte'?",
    ),
    _change(
        "hedge beside retries",
        "timeout: 1s\n  retry",
        "timeout: 1s\n  hedge: {after: 10ms}\n  retry",
        8,
        "beside retry",
    ),
    _change("five copies too many", "timeout: 1s\n  retry", "hedge: {after: 1s, attempts: 9}\n  retry", 9, "5 or less"),
    _change(
        "throttle below one",
        "timeout: 1s\n  retry",
        "throttle: {multiplier: 0.5}\n  retry",
        9,
        "multiplier: 0.5 is out",
    ),
    _change(
        "throttle of no client",
        "timeout: 1s\n  retry",
        "throttle: {scope: per_client}\n  retry",
        9,
        "no client comes twice",
    ),
    _change("closed without users", "kind: open", "kind: closed", 3, "workload.population: is missing; add it"),
    _change("diurnal without a mean", "kind: spike, base: 30/s", "kind: diurnal", 5, "arrival_rate.mean: is missing"),
    _change(
        "herd without clients", BASE.splitlines()[4], "  arrival_rate: {kind: herd, at: 1s}", 5, "clients: is missing"
    ),
    _change(
        "budget without a unit", "attempts: 2", "attempts: 2\n    budget: 0.1", 12, "retry.budget: 0.1 has no unit"
    ),
    _change(
        "budget above 100 %", "attempts: 2", "attempts: 2\n    budget: {ratio: 120%}", 12, "a share lies between 0% and"
    ),
    _change(
        "empty purse", "attempts: 2", "attempts: 2\n    budget: {ratio: 9%, burst: 0}", 12, "burst: 0 is out of range"
    ),
    _change(
        "budget of nobody",
        "attempts: 2",
        "attempts: 2\n    budget: {ratio: 9%, scope: per_client}",
        12,
        "budget.scope: per_client has no effect in a workload of kind open, where no client comes twice",
    ),
    _change(
        "breaker of nobody",
        "timeout: 1s\n  retry",
        "timeout: 1s\n  circuit_breaker: {scope: per_client}\n  retry",
        10,
        "circuit_breaker.scope: per_client has no effect",
    ),
    _change(
        "breaker that is always open",
        "timeout: 1s\n  retry",
        "timeout: 1s\n  circuit_breaker: {failure_ratio: 0%}\n  retry",
        10,
        "it would open without any failure",
    ),
    _change(
        "retry after a success", "attempts: 2", "attempts: 2\n    retry_on: [ok]", 12, "there is no retry_on 'ok' here"
    ),
    _change(
        "outcome named twice",
        "attempts: 2",
        "attempts: 2\n    retry_on: [error, error]",
        12,
        "names an outcome twice; name each once",
    ),
    _change(
        "deadline before the timeout",
        "timeout: 1s\n  retry",
        "timeout: 1s\n  deadline: 500ms\n  retry",
        8,
        "beyond the deadline",
    ),
    _change(
        "decorrelated cap below base",
        "{kind: exponential, base: 100ms, cap: 1s}",
        "{kind: decorrelated, base: 2s, cap: 1s}",
        12,
        "cap (1 s) must not be less than base (2 s)",
    ),
    _change(
        "hot key that is not there",
        "{kind: zipf, exponent: 0.9, count: 2000}",
        "{kind: hot_key, base: {kind: zipf, exponent: 0.9, count: 2000}, key: 2000, share: 9%}",
        7,
        "workload.keys: key is 2000, but the base has 2000 keys, numbered from 0",
    ),
    _change(
        "hot key that never is hot",
        "{kind: zipf, exponent: 0.9, count: 2000}",
        "{kind: hot_key, base: {kind: zipf, exponent: 0.9, count: 9}, share: 9%, at: 9s, until: 9s}",
        7,
        "until (9 s) must be later than at (9 s)",
    ),
    _change(
        "diurnal of milliseconds",
        BASE.splitlines()[4],
        "  arrival_rate: {kind: sum, of: [1/s, {kind: diurnal, mean: 1/s, period: 1ms, peak_at: 0s}]}",
        5,
        "arrival_rate: a diurnal period of 0.001 s fits into the run more than 1000 times",
    ),
    _change(
        "closed that never thinks",
        "kind: open\n" + BASE.splitlines()[4],
        "kind: closed\n  population: 5\n  think_time: 0s",
        6,
        "workload.think_time: a user who never thinks and is turned away at once would ask for ever",
    ),
    _change(
        "journeys that do not add up",
        "kind: open\n" + "\n".join(BASE.splitlines()[4:6]),
        "kind: sessions\n  arrival_rate: 1/s\n  journeys: {read: {share: 50%, requests: [{endpoint: read_item}]}}",
        6,
        "workload.journeys: read 50% = 50%, but the shares must sum to 100%",
    ),
    _change(
        "journey to nowhere",
        "kind: open\n" + "\n".join(BASE.splitlines()[4:6]),
        "kind: sessions\n  arrival_rate: 1/s\n  journeys: {read: {requests: [{endpoint: log_in}]}}",
        6,
        "journeys.read.requests.0.endpoint: the entry 'edge' has no endpoint of this name, 'log_in'",
    ),
)

_NAMES = (
    _change("unknown entry", "entry: edge", "entry: edgy", 13, "entry: 'edgy' is not a load balancer or service"),
    _change("entry at a cache", "entry: edge", "entry: items", 13, "entry: 'items' is not a load balancer or service"),
    _change(
        "unknown target",
        "targets: api",
        "targets: app",
        18,
        "'app' is not a service of this scenario (services: api, p",
    ),
    _change(
        "unknown cache", "cache: items", "cache: item", 32, "read_item.2.cache: 'item' is not a cache (caches: items)"
    ),
    _change(
        "unknown query",
        "query: item_by_id",
        "query: by_id",
        33,
        "miss.0.query: 'main' has no query 'by_id' (it has: item",
    ),
    _change(
        "unknown database", "database: main, query: insert", "database: side, query: insert", 35, "'side' is not a data"
    ),
    _change(
        "unknown callee",
        "target: profiles",
        "target: profile",
        36,
        "write_item.1.target: 'profile' is not a load balancer",
    ),
    _change(
        "unknown endpoint called",
        "endpoint: touch",
        "endpoint: poke",
        36,
        "'profiles' has no endpoint 'poke' (it has: t",
    ),
    _change(
        "unknown endpoint asked for",
        "write_item: 10%",
        "delete: 10%",
        6,
        "the entry 'edge' has no endpoint of this name",
    ),
    _change(
        "unknown endpoint in an objective", "endpoint: read_item", "endpoint: touch", 53, "clients never call 'touch'"
    ),
    _change(
        "unknown cache in an objective",
        "component: items",
        "component: main",
        54,
        "'main' is not a cache (caches: item",
    ),
    _change(
        "direct call to replicas", "entry: edge", "entry: api", 13, "which has 2 replicas; nobody would choose between"
    ),
    _change(
        "circle",
        "- [{kind: cpu, time: 1ms}]",
        "- [{kind: call, target: edge, endpoint: read_item}]",
        15,
        "the calls go round in a circle (edge -> api -> profiles -> edge)",
    ),
    _change(
        "read policy without replicas",
        "    pool: {size: 4,",
        "    read_policy: any\n    pool: {size: 4,",
        48,
        "read_policy: has no effect, as the database has no replicas",
    ),
    _change(
        "shards by cell without cells",
        "    pool: {size: 4,",
        "    shards: 2\n    shard_by: cell\n    pool: {size: 4,",
        49,
        "shard_by: needs cells, and the workload's keys have none",
    ),
    _change(
        "a way to shard without shards",
        "    pool: {size: 4,",
        "    shard_by: cell\n    pool: {size: 4,",
        48,
        "shard_by: has no effect, as there is one shard",
    ),
    _change(
        "a file with cores",
        "    pool: {size: 4,",
        "    engine: sqlite\n    cores: 4\n    pool: {size: 4,",
        49,
        "cores: has no effect with engine: sqlite",
    ),
    _change(
        "a server that polls",
        "    pool: {size: 4,",
        "    busy_timeout: 1s\n    pool: {size: 4,",
        48,
        "busy_timeout: has no effect, as only engine: sqlite polls",
    ),
    _change(
        "polling readers",
        "    pool: {size: 4, timeout: 2s}\n    queries:\n      item_by_id: {kind: exponential, mean: 15ms}\n"
        "      insert_item: {statement: insert, time: 20ms}",
        "    pool: {size: 4, timeout: 2s}\n    engine: sqlite\n    busy_timeout: 1s\n    queries:\n"
        "      item_by_id: {kind: exponential, mean: 15ms}\n      insert_item: {time: 20ms}",
        50,
        "busy_timeout: has no effect, as no query writes",
    ),
    _change(
        "a file with row locks",
        "    pool: {size: 4, timeout: 2s}\n    queries:\n      item_by_id: {kind: exponential, mean: 15ms}",
        "    pool: {size: 4, timeout: 2s}\n    engine: sqlite\n    queries:\n"
        "      item_by_id: {statement: select_for_update, time: 15ms}",
        51,
        "statement: SQLite has no locks of rows",
    ),
    _change(
        "isolation without locks",
        "    pool: {size: 4,",
        "    isolation: serializable\n    pool: {size: 4,",
        48,
        "isolation: has no effect, as no query locks a row",
    ),
    _change(
        "lock timeout without locks",
        "    pool: {size: 4,",
        "    lock_timeout: 1s\n    pool: {size: 4,",
        48,
        "lock_timeout: has no effect, as no query locks a row",
    ),
    _change(
        "more synchronous replicas than there are",
        "    pool: {size: 4,",
        "    replicas: 1\n    synchronous_replicas: 2\n    pool: {size: 4,",
        49,
        "synchronous_replicas: waits for 2 replicas, but there are 1",
    ),
    _change(
        "synchronous replicas without any",
        "    pool: {size: 4,",
        "    synchronous_replicas: 1\n    pool: {size: 4,",
        48,
        "synchronous_replicas: has no effect, as the database has no replicas",
    ),
    _change(
        "retries of what cannot conflict",
        "{kind: query, database: main, query: insert_item}",
        "{kind: transaction, database: main, retries: 2, steps: [{kind: query, database: main, query: insert_item}]}",
        35,
        "retries: has no effect, as nothing in it can conflict",
    ),
    _change(
        "backoff without retries",
        "{kind: query, database: main, query: insert_item}",
        "{kind: transaction, database: main, backoff: {kind: constant, delay: 1s}, "
        "steps: [{kind: query, database: main, query: insert_item}]}",
        35,
        "backoff: has no effect without retries",
    ),
    _change(
        "pin without its policy",
        "    pool: {size: 4,",
        "    replicas: 1\n    pin: 1s\n    pool: {size: 4,",
        49,
        "pin: has no effect, as only read_policy: read_your_writes pins keys",
    ),
    _change(
        "plan without rows",
        "item_by_id: {kind: exponential, mean: 15ms}",
        "item_by_id: {time: 1ms, plan: {kind: scan}}",
        50,
        "queries.item_by_id.plan: grows with the rows of the table, and the database has no rows",
    ),
    _change(
        "rows without a plan",
        "    pool: {size: 4,",
        "    rows: 100\n    pool: {size: 4,",
        48,
        "rows: has no effect, as",
    ),
    _change(
        "growth without a plan",
        "    pool: {size: 4,",
        "    row_growth: 1/s\n    pool: {size: 4,",
        48,
        "row_growth: has no effect, as no query has a plan",
    ),
    _change(
        "transaction without a query",
        "{kind: query, database: main, query: insert_item}",
        "{kind: transaction, database: main, steps: [{kind: wait, time: 1ms}]}",
        35,
        "steps: has no query of 'main', so it would hold a connection for nothing",
    ),
    _change(
        "transaction of no database",
        "{kind: query, database: main, query: insert_item}",
        "{kind: transaction, database: items, steps: [{kind: query, database: main, query: insert_item}]}",
        35,
        "write_item.0.database: 'items' is not a database (databases: main)",
    ),
    _change(
        "transaction in a transaction",
        "{kind: query, database: main, query: insert_item}",
        "{kind: transaction, database: main, steps: [{kind: transaction, database: main, steps: [{kind: query, "
        "database: main, query: insert_item}]}]}",
        35,
        "steps: holds another transaction of 'main', and a connection can be in only one",
    ),
    _change(
        "two statements at once on one connection",
        "miss: [{kind: query, database: main, query: item_by_id}]",
        "miss: [{kind: transaction, database: main, steps: [{kind: parallel, branches: [[{kind: query, database: main, "
        "query: item_by_id}], [{kind: wait, time: 1ms}]]}]}]",
        33,
        "miss.0.steps.0: asks 'main' in parallel inside a transaction",
    ),
    _change(
        "prefill of what costs nothing",
        "{size: 4, timeout: 2s}",
        "{size: 4, prefill: true}",
        48,
        "pool.prefill: has no effect, as opening a connection costs nothing here",
    ),
    _change("backlog without concurrency", "    concurrency: 4\n", "", 24, "backlog: has no effect, as nobody waits"),
    _change(
        "discipline without concurrency",
        "    concurrency: 4\n    backlog: 16\n",
        "    discipline: lifo\n",
        24,
        "discipline: has no effect, as nobody waits",
    ),
    _change(
        "rejection overhead without a backlog",
        "    backlog: 16\n",
        "    rejection_overhead: 1ms\n",
        25,
        "rejection_overhead: has no effect, as nobody is turned away",
    ),
    _change(
        "priorities without their discipline",
        "    backlog: 16\n",
        "    priorities: {read_item: 1, write_item: 2}\n",
        25,
        "priorities: has no effect without discipline: priority",
    ),
    _change(
        "priorities of some endpoints",
        "    backlog: 16\n",
        "    discipline: priority\n    priorities: {read_item: 1}\n",
        26,
        "priorities: says nothing of write_item",
    ),
    _change(
        "priority of nothing",
        "    backlog: 16\n",
        "    discipline: priority\n    priorities: {read_item: 1, write_item: 2, other: 3}\n",
        26,
        "priorities: there is no endpoint 'other'",
    ),
    _change(
        "threads without a thread step",
        "    backlog: 16\n",
        "    threads: 8\n",
        25,
        "threads: has no effect, as no endpoint has a thread step",
    ),
    _change(
        "switch interval without a thread step",
        "    backlog: 16\n",
        "    switch_interval: 1ms\n",
        25,
        "switch_interval: has no effect, as no endpoint has a thread step",
    ),
    _change(
        "thread in a thread",
        "        - {kind: wait, time: 20ms}\n",
        "        - {kind: thread, steps: [{kind: thread, steps: [{kind: wait, time: 20ms}]}]}\n",
        30,
        "steps.0: is a thread step in a thread, which does one thing after the other",
    ),
    _change(
        "several things at once in a thread",
        "[{kind: query, database: main, query: item_by_id}]",
        "[{kind: thread, steps: [{kind: parallel, branches: [[{kind: wait, time: 1ms}], [{kind: wait, time: 1ms}]]}]}]",
        33,
        "steps.0: is a parallel step in a thread",
    ),
    _change(
        "no such host", "    backlog: 16\n", "    hosts: [main]\n", 25, "hosts.0: 'main' is not a host (hosts: none)"
    ),
    _change(
        "refresh in the background of a thread",
        """        - {kind: wait, time: 20ms}
        - kind: cached
          cache: items
          miss: [{kind: query, database: main, query: item_by_id}]
      write_item:
        - {kind: query, database: main, query: insert_item}
        - {kind: call, target: profiles, endpoint: touch}
  profiles:
    kind: service
    endpoints:
      touch:
        - kind: parallel
          branches:
            - [{kind: cpu, time: 1ms}]
            - [{kind: wait, time: 5ms}]
  items: {kind: cache, capacity: 500, ttl: 20s}
""",
        """        - {kind: thread, steps: [{kind: cached, cache: items, miss: [{kind: wait, time: 1ms}]}]}
      write_item:
        - {kind: query, database: main, query: insert_item}
  items: {kind: cache, ttl: 20s, stampede_protection: {kind: stale_while_revalidate, stale_for: 5s}}
""",
        30,
        "which refreshes entries in the background",
    ),
    _change(
        "query of no database in a thread",
        "        - {kind: wait, time: 20ms}\n",
        "        - {kind: thread, steps: [{kind: query, database: items, query: get}]}\n",
        30,
        "'items' is not a database",
    ),
    _change(
        "no such discipline",
        "    backlog: 16\n",
        "    discipline: random\n",
        25,
        "(there are: fifo, lifo, priority, adaptive_lifo)",
    ),
)

_CACHES = (
    _change("misspelt eviction", "ttl: 20s", "eviction: lru_sampled", 45, "there is no eviction 'lru_sampled' here"),
    _change(
        "misspelt protection",
        "ttl: 20s",
        "stampede_protection: singleflight",
        45,
        "items.stampede_protection: there is no kind 'singleflight' here; did you mean 'single_flight'?",
    ),
    _change("protection without a unit", "ttl: 20s", "stampede_protection: {kind: lock, poll: 5}", 45, "5 has no unit"),
    _change("two limits of a cache", "ttl: 20s", "capacity_bytes: 1MiB", 45, "capacity_bytes: stands beside capacity"),
    _change("eviction without a limit", "capacity: 500", "eviction: fifo", 45, "eviction: has no effect, as all entri"),
    _change("samples of lru", "ttl: 20s", "samples: 9", 45, "samples: has no effect with eviction: lru"),
    _change(
        "sizes without bytes",
        "ttl: 20s",
        "entry_sizes: {kind: uniform, low: 1KiB, high: 2KiB}",
        45,
        "entry_sizes: has no effect",
    ),
    _change("jitter without ttl", "ttl: 20s", "ttl_jitter: 10%", 45, "ttl_jitter: has no effect without a ttl"),
    _change(
        "early refresh without ttl",
        "ttl: 20s",
        "stampede_protection: early_refresh",
        45,
        "stampede_protection: early_refresh has no effect without a ttl",
    ),
    _change(
        "lock in a process",
        "capacity: 500",
        "scope: replica, stampede_protection: lock",
        45,
        "within one process use single_flight",
    ),
    _change(
        "more warm entries than keys",
        "ttl: 20s",
        "warm: {kind: most_popular, entries: 2001}",
        45,
        "warm: 2001 entries, but requests are about 2000 different keys",
    ),
    _change(
        "a miss that waits for itself",
        BASE[BASE.index("miss: [") : BASE.index("      write_item")]
        + BASE[BASE.index("      write_item") : BASE.index("  main:")],
        "miss: [{kind: cached, cache: items, miss: [{kind: wait, time: 1ms}]}]\n"
        + BASE[BASE.index("      write_item") : BASE.index("  items:")]
        + "  items: {kind: cache, stampede_protection: single_flight}\n",
        33,
        "read_item.2.miss.0.cache: looks the same key up again while a miss of 'items' is under way",
    ),
    _change(
        "invalidates a database",
        "{kind: wait, time: 20ms}",
        "{kind: invalidate, cache: main}",
        30,
        "read_item.1.cache: 'main' is not a cache",
    ),
)

_SHAPES = (
    _change(
        "no steps",
        "\n        - {kind: query, database: main, query: insert_item}"
        "\n        - {kind: call, target: profiles, endpoint: touch}",
        " []",
        34,
        "write_item: is too short: it needs 1 or more",
    ),
    _change("one branch", "            - [{kind: wait, time: 5ms}]\n", "", 41, "one branch alone is nothing parallel"),
    _change(
        "no branch",
        "          branches:\n            - [{kind: cpu, time: 1ms}]\n            - [{kind: wait, time: 5ms}]\n",
        "          branches: []\n",
        42,
        "branches: is too short: it needs 1 or more",
    ),
    _change(
        "waiting for a word", "          branches:\n", "          wait_for: most\n          branches:\n", 42, "wait_for"
    ),
    _change("nothing after the colon", "{size: 4, timeout: 2s}", "", 48, "main.pool: is empty; write it with its keys"),
    _change("list for a mapping", "{size: 4, timeout: 2s}", "[4]", 48, "components.main.pool: a list is not a mapping"),
    _change(
        "mapping for a list",
        "[{kind: query, database: main, query: item_by_id}]",
        "{kind: wait}",
        33,
        "miss: a mapping is not a list",
    ),
    _change(
        "number for a text",
        "question: Does every mistake get its own words?",
        "question: 5",
        2,
        "question: 5 is not a text",
    ),
    _change(
        "text for a mapping",
        "{kind: zipf, exponent: 0.9, count: 2000}",
        "zipf",
        7,
        "'zipf' is not a mapping; write it with a kind",
    ),
)

_TRAPS = (
    _change(
        "on",
        "endpoints: {read_item: 90%, write_item: 10%}",
        "endpoints: {on: 100%}",
        6,
        "'on' is true or false to some",
    ),
    _change("no", "algorithm: leastconn", "algorithm: no", 17, "algorithm: 'no' is true or false to some YAML readers"),
    _change("octal", "replicas: 2", "replicas: 010", 23, "'010' begins with 0, so it is octal to some YAML readers"),
    _change("hexadecimal", "replicas: 2", "replicas: 0x10", 23, "'0x10' is a number to some YAML readers"),
    _change("underscores", "count: 2000", "count: 2_000", 7, "'2_000' is a number to some YAML readers"),
    _change("exponent", "scv: 0.25", "scv: 1e-3", 29, "write it out without the exponent (1e-3 is 0.001)"),
    _change("base 60", "duration: 50s", "duration: 1:30", 55, "'1:30' is a number in base 60 to some YAML readers"),
    _change("not a number at all", "scv: 0.25", "scv: .nan", 29, "time.scv: '.nan' is not a finite number"),
    _change("infinity", "exponent: 0.9", "exponent: .inf", 7, "keys.exponent: '.inf' is not a finite number"),
    _change("huge number", "count: 2000", "count: " + "9" * 60, 7, "is a number too long to be meant"),
    _change(
        "date", "question: Does every mistake get its own words?", "question: 2026-11-21", 2, "is a date to some YAML"
    ),
    _change("merge key", "client:", "<<: {}\nclient:", 8, "'<<' is a special key to some YAML readers"),
    _change("key twice", "replicas: 2", "replicas: 2\n    replicas: 3", 24, "is written twice (first on line 23)"),
)

_YAML = (
    _whole("empty", "", 1, "there is nothing in it; write a scenario"),
    _whole("only a comment", "# later\n", 1, "there is nothing in it"),
    _whole("only a null", "~\n", 1, "this is nothing"),
    _whole(
        "a list", "- 1\n", 1, "a scenario is a mapping (name:, workload:, entry:, components:, run:), this is a list"
    ),
    _whole("a sentence", "hello world", 1, "this is 'hello world'"),
    _change("tab", "  timeout: 1s\n", "\ttimeout: 1s\n", 9, "there is a tab; YAML is indented by spaces alone"),
    _change("bad indentation", "  retry:\n", " retry:\n", 10, "this is not YAML"),
    _change("open bracket", "{size: 4, timeout: 2s}", "{size: 4, timeout: 2s", 49, "this is not YAML"),
    _change("open quote", "name: base", "name: 'base", 1, "this is not YAML"),
    _change("two documents", "client:", "---\nclient:", 8, "a second document begins here"),
    _change("anchor", "overhead: 500us", "overhead: &half 500us", 26, "the anchor &half is not supported"),
    _whole("alias bomb", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", 1, "the anchor &a is not supported"),
    _whole("alias", "name: base\nentry: *edge\n", 2, "the alias *edge is not supported; write the value out"),
    _change(
        "python tag", "name: base", "name: !!python/object/apply:os.getcwd []", 1, "the tag tag:yaml.org,2002:python"
    ),
    _change("own tag", "name: base", "name: !secret base", 1, "the tag !secret is not supported"),
    _change("list as a key", "name: base", "? [a, b]\n: base", 1, "stands where a key should"),
    _whole("deep nesting", "a: " + "[" * 5000, 1, "nested more than 40 levels deep"),
    _whole("many values", "a:\n" + "- 1\n" * 30_000, 19_999, "more than 20000 values"),
    _whole("large text", "#" * (2**20 + 1), 1, "are more than 1048576"),
    _change("NUL", "name: base", "name: ba\0se", 1, "the character U+0000 cannot stand in YAML"),
    _change("control character", "kind: open", "kind: open\x07", 4, "the character U+0007 cannot stand in YAML"),
    _change("lone surrogate", "name: base", "name: \ud800", 1, "the character U+D800 cannot stand in YAML"),
    _change("half an escape", "name: base", 'name: "\\ud800"', 1, "is half a character"),
    _change("escape of no character", "name: base", 'name: "\\UFFFFFFFF"', 1, "stands for no character"),
)

MALFORMED = (*_UNITS, *_RANGES, *_WORDS, *_LATER, *_CLIENTS, *_NAMES, *_CACHES, *_SHAPES, *_TRAPS, *_YAML)
