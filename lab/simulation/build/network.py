"""Makes the network between the clients of a scenario and its entry."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lab.scenario.fronts import service_behind
from lab.scenario.names import CLIENT
from lab.scenario.network import Network, in_figures
from lab.simulation.network.path import ClientPath, OverNetwork
from lab.simulation.request import Part

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def make_client_path(world: World, network: Network) -> ClientPath:
    """Return the network as it is at the start of a run."""
    figures = in_figures(network)
    return ClientPath(
        round_trip=world.variate("client/network/round_trip", figures.round_trip),
        up_bytes_per_s=math.inf if figures.up is None else figures.up / 8,
        down_bytes_per_s=math.inf if figures.down is None else figures.down / 8,
        loss_ratio=figures.loss,
        losses=world.stream("client/network/loss"),
    )


def entry_of_clients(world: World) -> Part:
    """Return the entry as clients reach it: itself where no network is described."""
    scenario = world.scenario
    entry = world.reached(CLIENT, scenario.entry)
    path = world.client_path()
    if path is None:
        return entry
    payloads = service_behind(scenario, scenario.entry).payloads
    sizes = {name: (payload.request or 0.0, payload.response or 0.0) for name, payload in payloads.items()}
    return OverNetwork(clock=world.clock, log=world.log, path=path, sizes=sizes, part=entry)
