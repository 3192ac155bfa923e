"""What the way over the clients' network takes on paper, without loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lab.distributions import mean_s
from lab.scenario.fronts import service_behind
from lab.scenario.mix import request_mix
from lab.scenario.network import in_figures
from lab.scenario.payload import Payload
from lab.theory import slow_start

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario

_NO_BYTES = Payload()


def network_time_s(scenario: Scenario) -> float:
    """Return how long the mean request and its ok answer are on the clients' network, in seconds.

    At the mean round trip and without loss, which is a lower bound of the mean: the time of a transfer is convex in
    the round trip, and lost packets only add to it.
    """
    if scenario.client.network is None:
        return 0.0
    network = in_figures(scenario.client.network)
    round_trip_s = mean_s(network.round_trip)
    payloads = service_behind(scenario, scenario.entry).payloads
    total_s = 0.0
    for endpoint, share in request_mix(scenario).items():
        payload = payloads.get(endpoint, _NO_BYTES)
        ways = ((payload.request, network.up), (payload.response, network.down))
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
