"""Makes an nginx and gives it the replicas that it balances."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, assert_never

from lab.scenario.components import Nginx as Spec
from lab.scenario.components import Service
from lab.scenario.methods import changes_something
from lab.simulation.build.leaving import heeded
from lab.simulation.exchange import Exchange
from lab.simulation.fleet import Member
from lab.simulation.load_balancer.membership import Membership
from lab.simulation.nginx.balancer import NextUpstream, NginxBalancer
from lab.simulation.nginx.choice import ByLot, Choice, FewestUnderWay, InTurn
from lab.simulation.nginx.peers import Peer, Peers
from lab.simulation.request import Part

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_nginx(world: World, name: str, spec: Spec) -> Part:
    """Return the nginx; it follows the comings and goings of the service's replicas."""
    fleet, clock, log = world.fleet(spec.targets), world.clock, world.log

    def new_peer(member: Member, slot: int) -> Peer:
        return Peer(member, slot=slot, weight=spec.weight(slot), limit=spec.max_conns)

    fail_timeout_s = round(spec.fail_timeout)
    peers = Peers(clock=clock, log=log, name=name, max_fails=spec.max_fails, fail_timeout_s=fail_timeout_s)
    membership = Membership(clock=clock, log=log, name=name, backend=peers, new_server=new_peer)
    membership.start(fleet.ready)
    if fleet.mortal:
        fleet.watch(membership.follow)
    # Nobody waits for longer than the run lasts, so that no timer is needed for that.
    limit_s = spec.read_timeout if spec.read_timeout < world.scenario.run.duration else None
    gone = None if spec.ignore_client_abort else heeded(world, name)
    return NginxBalancer(
        clock=clock,
        log=log,
        name=name,
        upstream=(peers, _choice(world, name, spec, peers)),
        rules=(_next_upstream(world, spec), Exchange(clock=clock, limit_s=limit_s, gone=gone)),
        forward_time=world.unless_free(f"{name}/forward_time", spec.forward_time),
    )


def _next_upstream(world: World, spec: Spec) -> NextUpstream:
    service = world.scenario.components[spec.targets]
    assert isinstance(service, Service)  # the scenario's own check has seen to it
    changing = (each for each in service.endpoints if changes_something(world.scenario, spec.targets, each))
    return NextUpstream(
        after=frozenset(spec.next_upstream),
        most_tries=spec.next_upstream_tries or math.inf,
        within_s=math.inf if spec.next_upstream_timeout is None else spec.next_upstream_timeout,
        once_only=frozenset(changing),
    )


def _choice(world: World, name: str, spec: Spec, peers: Peers) -> Choice:
    match spec.algorithm:
        case "round_robin":
            return InTurn(peers)
        case "least_conn":
            return FewestUnderWay(peers)
        case "random" | "random_two":
            return ByLot(peers, choices=world.stream(f"{name}/choice"), two=spec.algorithm == "random_two")
        case _:
            assert_never(spec.algorithm)
