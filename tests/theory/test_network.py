"""Lost packets against theory: what the timeouts of one packet, and the windows of several, cost on average."""

from __future__ import annotations

import itertools
from functools import cache

import pytest

import lab
from lab.distributions import Constant
from lab.randomness import Stream, child_visit
from lab.simulation.network.path import ClientPath
from lab.simulation.network.tcp import Losses, transfer_time_s
from lab.simulation.request import Request
from lab.simulation.variate import Variate
from lab.theory import md1, mm1
from lab.theory.intervals import mean_interval

pytestmark = pytest.mark.slow

LEVEL = 0.999
_TRIP_S, _RTO_S = 0.07, 0.27


def _stream(name: str) -> Stream:
    return Stream(seed=3, replication=0, name=name)


def _lossy(loss: str) -> lab.Scenario:
    """One packet there and one back on LTE, and a backend that takes 10 ms."""
    return lab.Scenario.model_validate(
        {
            "name": "lossy",
            "workload": {"kind": "open", "arrival_rate": "500/s", "endpoints": {"get": "100%"}},
            "client": {"network": {"kind": "lte", "loss": loss}},
            "entry": "api",
            "components": {"api": {"kind": "service", "endpoints": {"get": [{"kind": "wait", "time": "10ms"}]}}},
            "run": {"duration": "10s", "replications": 6, "seed": 4},
        }
    )


def test_timeouts_that_double_cost_what_the_series_has() -> None:
    """sum over k of p^k (1 - p) (2^k - 1) RTO = RTO p / (1 - 2p); not so with 5 % more lost packets."""
    visits = lab.simulate(_lossy("15%"), progress=False).visits
    # Rows know their time from their start, so those that the end of the run cuts off count too.
    waits_s = visits[visits["component"] == "client"]["service_time_s"].to_numpy() - _TRIP_S / 2

    def agrees(lost: float) -> tuple[bool, bool]:
        at_once = (waits_s < 1e-9).astype(float)
        mean_s = _RTO_S * lost / (1 - 2 * lost)
        return mean_interval(waits_s, LEVEL).contains(mean_s), mean_interval(at_once, LEVEL).contains(1 - lost)

    assert agrees(0.15) == (True, True)
    assert agrees(0.1575) == (False, False)


@cache
def _expected_s(packets: int, window: float, threshold: float, timeouts: int, lost: float) -> float:
    """The mean time of the packets that are left, by adding up every way in which those of a window may be lost."""
    if timeouts > 10:
        return 0.0  # as rare as lost^10
    sent, total_s = min(int(window), packets), 0.0
    for arrives in itertools.product((True, False), repeat=sent):
        gone = arrives.count(False)
        chance = lost**gone * (1 - lost) ** (sent - gone)
        if packets == sent and gone == 0:
            continue
        if gone == 0:
            wider = min(2 * window, threshold) if window < threshold else window + 1
            total_s += chance * (_TRIP_S + _expected_s(packets - sent, wider, threshold, 0, lost))
            continue
        half = max(sent / 2, 2.0)
        if sum(arrives[arrives.index(False) :]) >= 3:
            total_s += chance * (_TRIP_S + _expected_s(packets - sent + gone, half, half, 0, lost))
        else:
            pause_s = _RTO_S * 2**timeouts
            total_s += chance * (pause_s + _expected_s(packets - sent + gone, 1.0, half, timeouts + 1, lost))
    return total_s


def test_windows_with_losses_cost_what_every_pattern_adds_up_to() -> None:
    """16 packets, 5 % lost: the exact mean over all patterns; not that of 5 % more loss."""
    stream, lost = _stream("loss"), 0.05

    def time_s(number: int) -> float:
        losses = Losses(lost, lambda ordinal: stream.uniform(number, 0, child_visit(0, ordinal)))
        return transfer_time_s(size_bytes=16 * 1460, round_trip_s=_TRIP_S, bytes_per_s=1e12, losses=losses)

    interval = mean_interval([time_s(number) for number in range(60_000)], LEVEL)
    exact_s, twin_s = (_expected_s(16, 10.0, float("inf"), 0, each) for each in (lost, 1.05 * lost))
    assert interval.contains(exact_s), f"theory {exact_s:.6g} outside {interval}"
    assert not interval.contains(twin_s)


def test_lost_syns_cost_what_the_series_has() -> None:
    """Given that one of seven arrives: sum of q^k (1 - q) (2^k - 1) / (1 - q^7) seconds, with q = 1 - 0.95^2."""
    path = ClientPath(
        round_trip=Variate(stream=_stream("trip"), distribution=Constant.model_validate({"mean": "1ms"}), requests=1),
        up_bytes_per_s=1e12,
        down_bytes_per_s=1e12,
        loss_ratio=0.05,
        losses=_stream("loss"),
    )
    waits = [path.syn_waits_s(Request(number, 0, "get", 0, 0)) for number in range(150_000)]
    interval = mean_interval([waited_s for waited_s, connects in waits if connects], LEVEL)

    def series_s(loss: float) -> float:
        lost = 1 - (1 - loss) ** 2
        return sum(lost**k * (1 - lost) * (2**k - 1) for k in range(7)) / (1 - lost**7)

    assert interval.contains(series_s(0.05)), f"theory {series_s(0.05):.6g} outside {interval}"
    assert not interval.contains(series_s(0.0525))


def test_handshakes_are_a_queue_of_their_own() -> None:
    """All clients are new: Poisson arrivals, exponential handshakes on one core, M/M/1; not one of 5 % more work."""
    client = {
        "network": {"kind": "wifi"},
        "connections": {"kind": "http2", "handshake": {"time": {"kind": "exponential", "mean": "5ms"}}},
    }
    scenario = lab.Scenario.model_validate(
        {
            "name": "handshakes",
            "workload": {"kind": "open", "arrival_rate": "100/s", "endpoints": {"get": "100%"}},
            "client": client,
            "entry": "api",
            "components": {"api": {"kind": "service", "endpoints": {"get": [{"kind": "wait", "time": "1ms"}]}}},
            "run": {"duration": "45s", "warm_up": "5s", "replications": 10, "seed": 2},
        }
    )
    run = lab.simulate(scenario, progress=False)
    interval = mean_interval(run.per_replication("waiting_time_s_mean", "api.tls"), LEVEL)
    theory_s = mm1.waiting_time_s_mean(arrival_rate_per_s=100, service_time_s=0.005)
    assert interval.contains(theory_s), f"theory {theory_s:.6g} outside {interval}"
    assert not interval.contains(mm1.waiting_time_s_mean(arrival_rate_per_s=100, service_time_s=0.00525))


def test_a_single_connection_is_a_server_that_idles_too() -> None:
    """Room for one connection, held for 40 ms by a request and then for 60 ms: M/D/1 of 100 ms; not of 105 ms."""
    network = {"kind": "custom", "round_trip": "20ms"}
    scenario = lab.Scenario.model_validate(
        {
            "name": "accepting",
            "workload": {"kind": "open", "arrival_rate": "5/s", "endpoints": {"get": "100%"}},
            "client": {
                "network": network,
                "connections": {"kind": "http1", "tls": "none", "limit": 1, "keep_alive": "60ms"},
            },
            "entry": "api",
            "components": {"api": {"kind": "service", "endpoints": {"get": [{"kind": "wait", "time": "20ms"}]}}},
            "run": {"duration": "400s", "warm_up": "10s", "replications": 10, "seed": 2},
        }
    )
    run = lab.simulate(scenario, progress=False)
    interval = mean_interval(run.per_replication("waiting_time_s_mean", "api.accept"), LEVEL)
    theory_s = md1.waiting_time_s_mean(arrival_rate_per_s=5, service_time_s=0.1)
    assert interval.contains(theory_s), f"theory {theory_s:.6g} outside {interval}"
    assert not interval.contains(md1.waiting_time_s_mean(arrival_rate_per_s=5, service_time_s=0.105))
