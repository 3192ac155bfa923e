"""Makes an Envoy and gives it the replicas that it balances."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from lab.scenario.components import Envoy as Spec
from lab.simulation.build.leaving import heeded
from lab.simulation.envoy.balancer import EnvoyBalancer
from lab.simulation.envoy.choice import Choice, InTurn, LeastRequest, RingHash
from lab.simulation.envoy.host import Cluster, Host
from lab.simulation.envoy.outliers import Outliers
from lab.simulation.envoy.pools import Limits, Pools
from lab.simulation.exchange import Exchange
from lab.simulation.fleet import Life, Member
from lab.simulation.load_balancer.membership import Membership
from lab.simulation.request import Part

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_envoy(world: World, name: str, spec: Spec) -> Part:
    """Return the Envoy; it follows the comings and goings of the service's replicas."""
    fleet, clock, log = world.fleet(spec.targets), world.clock, world.log
    limits = Limits(connections=spec.max_connections, pending=spec.max_pending_requests, requests=spec.max_requests)
    pools = Pools(clock=clock, limits=limits)
    cluster = Cluster(clock=clock, log=log, name=name, panic_threshold=spec.healthy_panic_threshold)
    cluster.removed.append(pools.close_idle)
    choice = _choice(world, name, spec, cluster, pools)
    membership = Membership(
        clock=clock,
        log=log,
        name=name,
        backend=cluster,
        new_server=lambda member, slot: Host(member, slot=slot),
    )
    membership.start(fleet.ready)
    if fleet.mortal:
        fleet.watch(membership.follow)
        fleet.watch(lambda member: _close_to_dead(cluster, pools, member))
    outliers = None
    if spec.outlier_detection is not None:
        outliers = Outliers(clock=clock, cluster=cluster, spec=spec.outlier_detection)
    # Nobody waits for longer than the run lasts, so that no timer is needed for that.
    limit_s = spec.timeout if spec.timeout is not None and spec.timeout < world.scenario.run.duration else None
    return EnvoyBalancer(
        clock=clock,
        log=log,
        name=name,
        upstream=(choice, pools, outliers),
        exchange=Exchange(clock=clock, limit_s=limit_s, gone=heeded(world, name)),
        forward_time=world.unless_free(f"{name}/forward_time", spec.forward_time),
    )


def _close_to_dead(cluster: Cluster, pools: Pools, member: Member) -> None:
    """Close the idle connections to a process that has died."""
    if member.life is Life.GONE:
        for host in cluster.hosts:
            if host.member is member:
                pools.close_idle(host)


def _choice(world: World, name: str, spec: Spec, cluster: Cluster, pools: Pools) -> Choice:
    match spec.algorithm:
        case "round_robin":
            return InTurn(cluster)
        case "least_request":
            return LeastRequest(cluster, choices=world.stream(f"{name}/choice"), draws=spec.choice_count)
        case "random":
            return LeastRequest(cluster, choices=world.stream(f"{name}/choice"), draws=1)
        case "ring_hash":
            return RingHash(
                cluster,
                ring_size=spec.minimum_ring_size,
                balance_factor=spec.hash_balance_factor,
                active=lambda: pools.active,
            )
        case _:
            assert_never(spec.algorithm)
