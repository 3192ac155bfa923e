"""Do the names in a deployment point at something, and can each demand be found where a step looks for it?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from reference_backend.edge_references import edge_cache_problems
from reference_backend.scaling.references import scaling_problems
from reference_backend.tables import REAL

if TYPE_CHECKING:
    from reference_backend.deployment import CallStep, Deployment, Endpoint, PublishStep, Queue, Step, TransactionStep

CLIENT = "client"
"""Stands for the load generator in faults of links."""

# Words that stand for processes in the traces, and could be mistaken for a part.
RESERVED = frozenset({"generator", "supervisor", "haproxy", CLIENT})


def problems_of(deployment: Deployment) -> list[str]:
    """Return one sentence for each thing that is wrong with the names and indices of a deployment."""
    problems = [f"parts.{name}: the name is reserved, choose another" for name in deployment.parts if name in RESERVED]
    problems += _entrance(deployment, "entry", deployment.entry)
    problems += _database_problems(deployment)
    for name, balancer in deployment.load_balancers().items():
        if balancer.targets not in deployment.services():
            problems.append(f"parts.{name}.targets: {balancer.targets!r} is not a service of this deployment")
    problems += [*_faults(deployment), *scaling_problems(deployment)]
    for name, queue in deployment.queues().items():
        problems += [f"parts.{name}.{text}" for text in _consumer(deployment, queue)]
    problems = problems or edge_cache_problems(deployment, _entrance)
    if problems:
        return problems
    for service_name, service in deployment.services().items():
        for endpoint_name, endpoint in service.endpoints.items():
            where = f"parts.{service_name}.endpoints.{endpoint_name}"
            for step_where, step in walk(endpoint.steps, f"{where}.steps"):
                problems += [f"{step_where}: {text}" for text in _step(deployment, endpoint, step)]
    return problems or _cycles(deployment)


def _faults(deployment: Deployment) -> list[str]:
    """Return what keeps faults from happening to what they name."""
    problems = []
    services, databases = deployment.services(), deployment.databases()
    for number, fault in enumerate(deployment.faults):
        where = f"faults[{number}]"
        match fault.kind:
            case "flush":
                if fault.component not in {**deployment.caches(), **deployment.edge_caches()}:
                    problems.append(f"{where}.component: {fault.component!r} is not a cache of this deployment")
            case "crash" | "hang" | "slow_down":
                if fault.kind == "crash" and fault.component in databases:
                    continue
                if fault.component not in services:
                    problems.append(f"{where}.component: {fault.component!r} is not a service of this deployment")
                elif (fault.replica or 0) >= services[fault.component].replicas:
                    problems.append(f"{where}.replica: {fault.component!r} has no replica of that number, from 0")
            case "partition" | "slow_link":
                continue  # what is wrong with links is looked at once the rest is right
            case _:
                assert_never(fault.kind)
    return problems


def walk(steps: tuple[Step, ...], where: str) -> Iterator[tuple[str, Step]]:
    """Yield each step with its key path, those inside misses and branches included."""
    for index, step in enumerate(steps):
        here = f"{where}[{index}]"
        yield here, step
        match step.kind:
            case "cached":
                yield from walk(step.miss, f"{here}.miss")
            case "transaction" | "thread":
                yield from walk(step.steps, f"{here}.steps")
            case "parallel":
                for number, branch in enumerate(step.branches):
                    yield from walk(branch, f"{here}.branches[{number}]")
            case "cpu" | "wait" | "invalidate" | "query" | "call" | "publish":
                pass
            case _ as never:
                assert_never(never)


def _entrance(deployment: Deployment, where: str, name: str) -> list[str]:
    """Return what keeps requests from entering at ``name``."""
    if name in deployment.proxies():
        return []
    limiter = deployment.rate_limiters().get(name)
    if limiter is not None and limiter.targets not in deployment.rate_limiters():
        return _entrance(deployment, f"parts.{name}.targets", limiter.targets)
    service = deployment.services().get(name)
    if service is None:
        return [f"{where}: {name!r} is neither a load balancer nor a service of this deployment"]
    if deployment.is_platform(name):
        return [] if where == "entry" else [f"{where}: {name!r} is serverless, which only the entry can be"]
    if service.replicas > 1 or service.autoscaler is not None:
        many = f"{service.replicas} replicas" if service.autoscaler is None else "replicas that come and go"
        return [f"{where}: {name!r} has {many}; put a load balancer in front and name that"]
    return []


def _step(deployment: Deployment, endpoint: Endpoint, step: Step) -> list[str]:
    """Return what is wrong with one step of an endpoint."""
    match step.kind:
        case "cpu" | "wait":
            return _demand(endpoint, step.demand)
        case "cached" | "invalidate":
            known = step.cache in deployment.caches()
            return [] if known else [f"cache {step.cache!r} is not a cache of this deployment"]
        case "query":
            database = deployment.databases().get(step.database)
            if database is None:
                return [f"database {step.database!r} is not a database of this deployment"]
            if step.query not in database.queries:
                return [f"query {step.query!r} is not a query of database {step.database!r}"]
            return _demand(endpoint, step.demand + step.repeat - 1)
        case "transaction":
            return _transaction(deployment, endpoint, step)
        case "call":
            return _entrance(deployment, "target", step.target) or _call(deployment, endpoint, step)
        case "publish":
            return _publish(deployment, endpoint, step)
        case "thread" | "parallel":
            return []
        case _ as never:
            assert_never(never)


def _transaction(deployment: Deployment, endpoint: Endpoint, step: TransactionStep) -> list[str]:
    """Return what one connection cannot do of what a transaction holds, or which demands its retries lack."""
    database = deployment.databases().get(step.database)
    if database is None:
        return [f"database {step.database!r} is not a database of this deployment"]
    if database.replicas:
        return [f"database {step.database!r} has replicas, and its statements are told apart one by one"]
    inside = [each for _, each in walk(step.steps, "")]
    if any(each.kind == "transaction" and each.database == step.database for each in inside):
        return [f"it holds another transaction of {step.database!r}, and a connection can be in one at a time"]
    if not any(each.kind == "query" and each.database == step.database for each in inside):
        return [f"it has no query of {step.database!r}, so it would hold a connection for nothing"]
    first = min((index for each in inside if (index := _first_demand(each)) is not None), default=0)
    return _demand(endpoint, first + (1 + len(step.backoffs_s)) * step.demands - 1) if step.demands else []


def _first_demand(step: Step) -> int | None:
    """Return the index of the first demand that a step needs by itself."""
    match step.kind:
        case "cpu" | "wait" | "query":
            return step.demand
        case "call" | "publish":
            return step.demands_from
        case "cached" | "invalidate" | "transaction" | "thread" | "parallel":
            return None
        case _ as never:
            assert_never(never)


def _database_problems(deployment: Deployment) -> list[str]:
    """Return what is wrong with the databases by themselves: another kind of statement, replicas that lack."""
    problems = []
    for name, database in deployment.databases().items():
        for query, shape in database.queries.items():
            if shape.real is not None and REAL[shape.real].kind != shape.statement:
                kind = REAL[shape.real].kind
                problems.append(f"parts.{name}.queries.{query}: {shape.real} is of kind {kind}, not {shape.statement}")
        if database.synchronous_replicas > database.replicas:
            problems.append(f"parts.{name}.synchronous_replicas: there are only {database.replicas} replicas")
        if database.read_policy != "primary" and not database.replicas:
            problems.append(f"parts.{name}.read_policy: there are no replicas to read from")
    return problems


def _demand(endpoint: Endpoint, index: int) -> list[str]:
    """Return a complaint if the endpoint's requests carry no demand of that index."""
    if index < endpoint.demands:
        return []
    return [f"demand {index} is outside the endpoint's {endpoint.demands} demands (the first is 0)"]


def _consumer(deployment: Deployment, queue: Queue) -> list[str]:
    """Return what keeps a queue's messages from being worked on."""
    service = deployment.services().get(queue.consumer)
    if service is None:
        return [f"consumer: {queue.consumer!r} is not a service of this deployment"]
    if queue.endpoint not in service.endpoints:
        return [f"endpoint: {queue.endpoint!r} is not an endpoint of {queue.consumer!r}"]
    return []


def _publish(deployment: Deployment, endpoint: Endpoint, step: PublishStep) -> list[str]:
    """Return what is wrong with the queue that a step names, and with the demands that its messages carry."""
    queue = deployment.queues().get(step.queue)
    if queue is None:
        return [f"queue {step.queue!r} is not a queue of this deployment"]
    each = deployment.services()[queue.consumer].endpoints[queue.endpoint].demands
    problems = []
    if step.demands != queue.deliveries * each:
        problems.append(
            f"its messages carry {step.demands} demands, but {queue.deliveries} deliveries to {queue.endpoint!r} take "
            f"{each} each"
        )
    if step.demands_from + step.demands > endpoint.demands:
        last = step.demands_from + step.demands - 1
        problems.append(f"demand {last} is outside the endpoint's {endpoint.demands} demands (the first is 0)")
    return problems


def _call(deployment: Deployment, endpoint: Endpoint, step: CallStep) -> list[str]:
    """Return what is wrong with the endpoint that a call names, and with the demands it hands on."""
    callee = deployment.service_behind(step.target).endpoints.get(step.endpoint)
    if callee is None:
        return [f"endpoint {step.endpoint!r} is not an endpoint behind {step.target!r}"]
    problems = []
    if step.demands != callee.demands:
        problems.append(f"it hands on {step.demands} demands, but {step.endpoint!r} takes {callee.demands}")
    if step.demands_from + step.demands > endpoint.demands:
        last = step.demands_from + step.demands - 1
        problems.append(f"demand {last} is outside the endpoint's {endpoint.demands} demands (the first is 0)")
    return problems


def _cycles(deployment: Deployment) -> list[str]:
    """Return a complaint for each endpoint that calls itself, directly or through others."""
    services = deployment.services()

    def callees(node: tuple[str, str]) -> Iterator[tuple[str, str]]:
        for _, step in walk(services[node[0]].endpoints[node[1]].steps, ""):
            if step.kind == "call":
                yield (deployment.behind(step.target)[-1], step.endpoint)
            elif step.kind == "publish":
                queue = deployment.queues()[step.queue]
                yield (queue.consumer, queue.endpoint)

    finished: set[tuple[str, str]] = set()

    def visit(node: tuple[str, str], path: tuple[tuple[str, str], ...]) -> list[str]:
        if node in path:
            loop = " -> ".join(".".join(item) for item in (*path[path.index(node) :], node))
            return [f"parts.{node[0]}.endpoints.{node[1]}: calls itself without end ({loop})"]
        if node in finished:
            return []
        found = [text for callee in callees(node) for text in visit(callee, (*path, node))]
        finished.add(node)
        return found

    return [
        text for name, part in services.items() for endpoint in part.endpoints for text in visit((name, endpoint), ())
    ]
