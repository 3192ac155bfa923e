"""What the clients' network and their connections take on paper, without loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, assert_never

from lab.distributions import mean_s
from lab.scenario.fronts import service_behind
from lab.scenario.mix import request_mix, requests_per_session
from lab.scenario.network import in_figures
from lab.scenario.payload import Payload
from lab.scenario.workload import ClosedWorkload, OpenWorkload, ReplayWorkload, SessionsWorkload
from lab.theory import slow_start

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario

_NO_BYTES = Payload()

Of = Literal["handshakes", "open_connections"]


def network_time_s(scenario: Scenario) -> float:
    """Return how long the mean request and its ok answer are on the clients' network, in seconds.

    On an open connection, at the mean round trip and without loss. That is a lower bound of the mean: the time of a
    transfer is convex in the round trip, and lost packets only add to it.
    """
    if scenario.client.network is None:
        return 0.0
    network = in_figures(scenario.client.network)
    round_trip_s = mean_s(network.round_trip)
    payloads = service_behind(scenario, scenario.entry).payloads
    total_s = 0.0
    for endpoint, share in request_mix(scenario).items():
        payload = payloads.get(endpoint, _NO_BYTES)
        ways = ((payload.request, network.up), (payload.answer_bytes, network.down))
        total_s += share * (
            round_trip_s
            + sum(
                slow_start.transfer_time_s(
                    size_bytes=size or 0.0,
                    round_trip_s=round_trip_s,
                    bandwidth_bit_per_s=bandwidth or math.inf,
                )
                for size, bandwidth in ways
            )
        )
    return total_s


def connections_asked(scenario: Scenario) -> dict[Of, tuple[float, float]]:
    """Return how often the mean request asks for what connecting holds at the entry, and for how long, in seconds.

    That is CPU time of its cores for a handshake, and an open connection for at least as long as it idles. A session
    opens one connection, and a closed population none in the long run: a lower bound, as connections that were idle
    for too long, or that a client gave up, are opened anew.
    """
    connections, workload = scenario.client.connections, scenario.workload
    if connections is None:
        return {}
    match workload:
        case OpenWorkload() | ReplayWorkload():
            opened = 1.0 if connections.new is None else connections.new
        case SessionsWorkload():
            opened = 1 / requests_per_session(workload)
        case ClosedWorkload():
            opened = 0.0
        case _:
            assert_never(workload)
    asked: dict[Of, tuple[float, float]] = {}
    if opened > 0 and connections.handshake is not None:
        asked["handshakes"] = (opened, opened * mean_s(connections.handshake.time))
    if opened > 0 and connections.limit is not None:
        asked["open_connections"] = (opened, opened * connections.keep_alive)
    return asked


def connection_places(scenario: Scenario, of: Of) -> int | None:
    """Return how many handshakes are done, or connections kept open, at once; None: no limit."""
    connections = scenario.client.connections
    if connections is None:
        return None
    if of == "open_connections":
        return connections.limit
    return connections.handshake.cores if connections.handshake else None
