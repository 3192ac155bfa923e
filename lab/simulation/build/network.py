"""Makes the network between the clients of a scenario and its entry."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, assert_never

from lab.errors import Unsupported
from lab.scenario.connections import Connections
from lab.scenario.fronts import service_behind
from lab.scenario.identity import client_of
from lab.scenario.names import CLIENT, TLS
from lab.scenario.network import Network, in_figures
from lab.scenario.workload import ClosedWorkload, SessionsWorkload
from lab.simulation.network.accepting import Accepting
from lab.simulation.network.connected import OnConnections
from lab.simulation.network.connections import ExclusivePool, Kept, Pool, SharedPool
from lab.simulation.network.opening import Handshakes, Opening
from lab.simulation.network.path import ClientPath, OverNetwork
from lab.simulation.request import Part, Request

if TYPE_CHECKING:
    from lab.simulation.build.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientWay:
    """The way between clients and the entry.

    Attributes:
        path: the network.
        pool: the connections over it; None: each request finds one open.
        limit: of the connections that the entry keeps open; None: there is none.
    """

    path: ClientPath
    pool: Pool | None = None
    limit: Accepting | None = None


def make_client_way(world: World, network: Network, connections: Connections | None) -> ClientWay:
    """Return the way as it is at the start of a run: nothing is open."""
    path = _path(world, network)
    if connections is None:
        return ClientWay(path=path)
    place, entry = (world.clock, world.log), world.scenario.entry
    limit = None
    if connections.limit is not None:
        limit = Accepting(place=place, entry=entry, limit=connections.limit, gone=world.gone)
    return ClientWay(path=path, pool=_pool(world, connections, limit), limit=limit)


def _path(world: World, network: Network) -> ClientPath:
    """Return the network as it is at the start of a run."""
    figures = in_figures(network)
    return ClientPath(
        round_trip=world.variate("client/network/round_trip", figures.round_trip),
        up_bytes_per_s=math.inf if figures.up is None else figures.up / 8,
        down_bytes_per_s=math.inf if figures.down is None else figures.down / 8,
        loss_ratio=figures.loss,
        losses=world.stream("client/network/loss"),
    )


def _pool(world: World, connections: Connections, limit: Accepting | None) -> Pool:
    """Return the connections of the clients, none of them open yet."""
    keeps_clients = isinstance(world.scenario.workload, ClosedWorkload | SessionsWorkload)
    kept = Kept(
        clock=world.clock,
        keep_alive_s=connections.keep_alive,
        client_of=partial(client_of, world.scenario.workload),
        found=None if keeps_clients else _found(world, 1.0 if connections.new is None else connections.new),
        accepting=limit,
    )
    match connections.kind:
        case "http1":
            return ExclusivePool(kept, world.gone)
        case "http2":
            return SharedPool(kept)
        case _:
            assert_never(connections.kind)


def _found(world: World, new_ratio: float) -> Callable[[Request], bool]:
    stream = world.stream("client/connections/new")
    return lambda request: stream.uniform(request.number) >= new_ratio


def entry_of_clients(world: World, *, replayed: bool) -> Part:
    """Return the entry as clients reach it: itself where no network is described.

    Args:
        replayed: whether a schedule is sent, which does not tell whose a request is.

    Raises:
        Unsupported: connections belong to users or sessions, and a schedule of another Run is sent.
    """
    scenario = world.scenario
    entry = world.reached(CLIENT, scenario.entry)
    way = world.client_way()
    if way is None:
        return entry
    payloads = service_behind(scenario, scenario.entry).payloads
    sizes = {name: (payload.request or 0.0, payload.answer_bytes) for name, payload in payloads.items()}
    over_network = OverNetwork(clock=world.clock, log=world.log, path=way.path, sizes=sizes, part=entry)
    connections = scenario.client.connections
    if connections is None or way.pool is None:
        return over_network
    if replayed and isinstance(scenario.workload, ClosedWorkload | SessionsWorkload):
        raise Unsupported(
            "client.connections: each user or session has its own, but another Run's schedule does not say whose a "
            "request is; leave the connections out to send it"
        )
    opening = _opening(world, connections, way)
    return OnConnections(pool=way.pool, opening=opening, network=over_network)


def _opening(world: World, connections: Connections, way: ClientWay) -> Opening:
    entry, handshake = world.scenario.entry, connections.handshake
    handshakes = None
    if handshake is not None:
        handshakes = Handshakes(
            clock=world.clock,
            log=world.log,
            name=entry + TLS,
            cores=handshake.cores,
            time=world.variate("client/connections/handshake", handshake.time),
        )
    return Opening(
        place=(world.clock, world.log),
        path=way.path,
        secured=(connections.tls, connections.certificate),
        gone=world.gone,
        costs=(way.limit, handshakes),
        link=world.link(CLIENT, entry),
    )
