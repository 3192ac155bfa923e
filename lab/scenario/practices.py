"""What the guides that started this project advise, and which keys of the language stand for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """One piece of advice.

    Attributes:
        advice: in a few words.
        keys: what models it: kinds (``cached``) and keys of kinds (``cache.ttl``), as the reference page has them; none
            if nothing does.
        lesson: the scenario of ``scenarios/patterns/`` that shows it, or "".
        note: how far the model goes; where there are no keys, why not.
    """

    advice: str
    keys: tuple[str, ...] = ()
    lesson: str = ""
    note: str = ""


PRACTICES = (
    Practice(advice="cache what is read often", keys=("cached", "cache"), lesson="two_tiers"),
    Practice(
        advice="cache expiry rules",
        keys=("cache.ttl", "cache.ttl_jitter", "invalidate", "cache.stampede_protection"),
        lesson="cache_stampede",
    ),
    Practice(
        advice="CDN caches, media on a CDN",
        keys=("cdn",),
        lesson="cdn_collapsing",
    ),
    Practice(
        advice="client-side caches",
        note="an app that keeps what it has does not ask; leave those requests out of the workload",
    ),
    Practice(advice="pre-warm caches", keys=("cache.warm",), lesson="cold_cache"),
    Practice(
        advice="load-test 10x or 50x of today's traffic",
        keys=("spike", "replay"),
        lesson="open_or_closed",
        note="`lab simulate` and `lab measure` run the same spike; `scenario.with_` scales it",
    ),
    Practice(
        advice="watch response times, error rates, bottlenecks",
        keys=("sojourn_time", "error_ratio", "recovery_time"),
        note="each Run has them per endpoint and component, and names its bottleneck",
    ),
    Practice(
        advice="survive a surge from 100 to 100,000 active users",
        keys=("closed.population", "sessions", "herd"),
        lesson="reconnect_herd",
    ),
    Practice(
        advice="rate limits (600 logins in 60 s are no user)",
        keys=("rate_limiter",),
        lesson="login_abuse",
    ),
    Practice(
        advice="stateless servers: if one disappears, nothing breaks",
        keys=("service.replicas", "crash"),
        lesson="crash_and_restart",
        note="the lab's services keep nothing between requests but caches with `scope: replica`; what binds users to a "
        "server is modelled by `uri` balancing alone",
    ),
    Practice(
        advice="a load balancer routes around a dead server",
        keys=("load_balancer.health_check", "load_balancer.redispatch", "nginx", "envoy"),
        lesson="crash_and_restart",
    ),
    Practice(advice="indexes", keys=("query.plan", "database.rows"), lesson="missing_index"),
    Practice(advice="no N+1 queries", keys=("query.repeat",), lesson="n_plus_one"),
    Practice(
        advice="pagination",
        keys=("query.repeat",),
        note="a page is a query whose time is yours to state, and a request of its own in a journey; a deep offset "
        "that costs more than a shallow one is another query",
    ),
    Practice(advice="read replicas", keys=("database.replicas", "database.read_policy"), lesson="read_replicas"),
    Practice(advice="sharding, partitioned data", keys=("database.shards", "queue.partitions"), lesson="hot_shard"),
    Practice(advice="connection pooling", keys=("database.pool",), lesson="connection_pool"),
    Practice(advice="what need not happen now: a background job", keys=("publish", "queue"), lesson="background_jobs"),
    Practice(
        advice="auto-scaling",
        keys=(
            "service.autoscaler",
            "hpa",
            "keda",
            "knative",
            "target_tracking",
            "step_scaling",
            "scheduled",
            "node_pool",
        ),
        lesson="autoscaling_is_late",
    ),
    Practice(
        advice="know the limits of managed services",
        keys=("hpa.quota", "quota", "database.max_connections", "serverless.max"),
        lesson="serverless_cold_starts",
    ),
    Practice(
        advice="serverless that scales from zero",
        keys=("serverless", "knative", "keda"),
        lesson="serverless_cold_starts",
    ),
    Practice(
        advice="microservices instead of a monolith",
        keys=("call", "service.overhead"),
        lesson="monolith_or_microservices",
        note="what the hops cost and what scaling apart gains; deployments and teams are not modelled",
    ),
    Practice(
        advice="event streams",
        keys=("stream",),
        lesson="consumer_lag",
    ),
    Practice(
        advice="store and forward, ticks",
        keys=("mailbox",),
        lesson="store_and_forward",
        note="kept until the phone is online, delivered in order, acknowledged; one tick: NAME.publish, two: NAME",
    ),
    Practice(advice="live locations, a cell each", keys=("cells", "database.shards"), lesson="hot_shard"),
    Practice(
        advice="precompute what everybody asks for",
        keys=("cached", "cache.warm", "publish"),
        lesson="background_jobs",
        note="an answer that is there is a look-up instead of its steps; its making is work behind a queue",
    ),
    Practice(
        advice="correctness before speed",
        keys=("transaction", "database.isolation", "database.synchronous_replicas"),
        lesson="hot_account",
    ),
    Practice(
        advice="audit trails",
        keys=("transaction",),
        note="one more insert in the transaction, so a row lock is held for longer; what is written is not modelled",
    ),
    Practice(
        advice="multi-factor authentication",
        keys=("sessions.journeys",),
        note="a journey with one more request and the user's time before it; that codes may be guessed is not modelled",
    ),
    Practice(
        advice="high availability",
        keys=("service.zones", "zone_loss", "failover", "database.failover_time"),
        lesson="failover_window",
    ),
    Practice(
        advice="HTTP/2",
        keys=("http2", "http1"),
        lesson="handshakes_after_a_reload",
        note="connections, handshakes and requests at once on one of them; head-of-line blocking within TCP is not",
    ),
    Practice(
        advice="gRPC, protobuf",
        keys=("service.payloads",),
        note="fewer bytes and less CPU are numbers that you state; the lab knows no encodings",
    ),
    Practice(
        advice="gzip or brotli",
        keys=("payload.compression",),
        lesson="compression",
        note="bytes saved against CPU spent, both stated by you",
    ),
    Practice(
        advice="partial responses",
        keys=("service.payloads", "parallel.on_failure"),
        note="smaller answers; or an answer without the branch that failed or was late",
    ),
    Practice(advice="streaming lists", note="an answer arrives whole: its first bytes are no event of the model"),
    Practice(
        advice="fallback plans",
        keys=("parallel.on_failure", "client.circuit_breaker"),
        lesson="circuit_breaker",
    ),
    Practice(
        advice="retries that do no harm",
        keys=("client.retry", "client.deadline"),
        lesson="metastable_failure",
    ),
    Practice(
        advice="observability from day one",
        note="the lab sees everything for nothing; what tracing costs a server is part of its measured overhead",
    ),
    Practice(
        advice="Argon2 or bcrypt for passwords",
        keys=("cpu", "thread"),
        lesson="login_storm",
        note="a step of the time it takes: on the event loop it stops everybody, in a thread it takes a core",
    ),
    Practice(
        advice="JWT with short-lived access and rotating refresh tokens, OAuth 2.0",
        keys=("cpu", "sessions.journeys"),
        note="checking a signature is a short `cpu` step, a refresh a request of the journey; the protocol is not",
    ),
    Practice(
        advice="RBAC, ownership checks on every request",
        keys=("query", "cached"),
        note="a look-up or query more an endpoint; who may do what is not modelled",
    ),
    Practice(advice="input validation", keys=("service.overhead",), note="CPU time of the framework"),
    Practice(
        advice="TLS",
        keys=("http1.tls", "http1.handshake"),
        lesson="handshakes_after_a_reload",
        note="round trips and CPU of the handshake, for who opens a connection",
    ),
    Practice(advice="encryption at rest", note="part of the times of the disk and the database, which are measured"),
    Practice(advice="API versioning", note="changes nothing that the lab looks at: times, failures, cost"),
    Practice(advice="one error format", note="changes nothing that the lab looks at: times, failures, cost"),
)


def practices_table() -> list[str]:
    """Return the table as lines of Markdown."""
    lines = ["| the guides advise | modelled by | |", "| --- | --- | --- |"]
    for practice in PRACTICES:
        by = ", ".join(f"`{key}`" for key in practice.keys) or "not modelled"
        lesson = f"[{practice.lesson}](../scenarios/patterns/{practice.lesson}.yaml)" if practice.lesson else ""
        lines.append(f"| {practice.advice} | {by} | {'; '.join(each for each in (practice.note, lesson) if each)} |")
    return lines
