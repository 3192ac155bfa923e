"""The clients' network by hand: windows that double, packets that are lost, rows that add up."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import DomainError
from lab.simulation.network.tcp import Losses, transfer_time_s
from lab.theory import slow_start
from tests.unit.backends import live, observe, scenario, service, waiting

_KIB = 1024


class _Lost:
    """Packets that are lost by their place among all that are sent."""

    def __init__(self, *places: int) -> None:
        self._places = places
        self._sent = 0

    def among(self, sent: int) -> tuple[int, int]:
        lost = [place - self._sent for place in self._places if self._sent <= place < self._sent + sent]
        self._sent += sent
        return len(lost), sent - lost[0] - len(lost) if lost else 0

    def none_among(self, sent: int) -> bool:
        return not any(self._sent <= place < self._sent + sent for place in self._places)


def _time_s(size_bytes: float, *lost: int, trip_s: float = 0.1, per_s: float = math.inf) -> float:
    losses: Any = _Lost(*lost)
    return transfer_time_s(size_bytes=size_bytes, round_trip_s=trip_s, bytes_per_s=per_s, losses=losses)


class TestSlowStart:
    """Nothing is lost."""

    @pytest.mark.parametrize(
        ("size_bytes", "round_trips"),
        [(0, 0), (14_600, 0), (14_601, 1), (43_800, 1), (43_801, 2), (102_200, 2), (102_201, 3), (219_001, 4)],
    )
    def test_windows_double_each_round_trip(self, size_bytes: int, round_trips: int) -> None:
        """10, 20, 40, 80 packets of 1460 B: log2(size / 14.6 kB + 1) rounds, and the last waits for nothing."""
        assert _time_s(size_bytes) == pytest.approx(round_trips * 0.1)
        rounds = math.ceil(math.log2(size_bytes / 14_600 + 1)) if size_bytes else 1
        assert rounds - 1 == round_trips

    def test_from_the_bandwidth_delay_product_on_the_bandwidth_decides(self) -> None:
        """3G: 300 ms x 200 kB/s = 60 kB; windows of 73, 146 and 292 ms leave 227, 154 and 8 ms of 300 unused."""
        by_hand_s = 320 * _KIB / 200_000 + 0.227 + 0.154 + 0.008
        assert _time_s(320 * _KIB, trip_s=0.3, per_s=200_000) == pytest.approx(by_hand_s)
        assert _time_s(640 * _KIB, trip_s=0.3, per_s=200_000) == pytest.approx(by_hand_s + 320 * _KIB / 200_000)

    @given(
        size_bytes=st.floats(0, 1e7),
        trip_s=st.sampled_from([0.0, 0.001, 0.07, 1.3]),
        per_s=st.sampled_from([4e3, 2e5, 1.5e6, math.inf]),
    )
    def test_the_simulator_agrees_with_the_formula(self, size_bytes: float, trip_s: float, per_s: float) -> None:
        """Two independent ways to the same time, for any size and path."""
        formula_s = slow_start.transfer_time_s(
            size_bytes=size_bytes, round_trip_s=trip_s, bandwidth_bit_per_s=per_s * 8
        )
        assert _time_s(size_bytes, trip_s=trip_s, per_s=per_s) == pytest.approx(formula_s, abs=1e-9)

    def test_the_formula_wants_a_path(self) -> None:
        """Without bandwidth nothing arrives."""
        with pytest.raises(DomainError, match="bandwidth_bit_per_s is 0, but nothing arrives then"):
            slow_start.transfer_time_s(size_bytes=1, round_trip_s=0.1, bandwidth_bit_per_s=0)


class TestLoss:
    """Which packet is lost decides how long it is missed."""

    def test_a_lone_packet_waits_for_the_timeout_which_doubles(self) -> None:
        """Round trip and 200 ms; then twice, then four times as long."""
        assert _time_s(100, 0) == pytest.approx(0.3)
        assert _time_s(100, 0, 1) == pytest.approx(0.3 + 0.6)
        assert _time_s(100, 0, 1, 2) == pytest.approx(0.3 + 0.6 + 1.2)

    def test_the_timeout_is_bounded(self) -> None:
        """0.3 s x 2^8 = 76.8 s, and from then on 120 s."""
        assert _time_s(100, *range(11)) == pytest.approx(0.3 * 511 + 2 * 120)

    @pytest.mark.parametrize(
        ("lost", "time_s"),
        [((0,), 0.1), ((6,), 0.1), ((7,), 0.3), ((9,), 0.3), ((0, 1, 2, 3, 4), 0.1), ((0, 1, 2, 3, 4, 5), 0.2)],
    )
    def test_three_later_packets_tell_of_a_loss(self, lost: tuple[int, ...], time_s: float) -> None:
        """Of a window of ten: a round trip if three arrive after the first lost one, else a timeout; then five."""
        assert _time_s(14_600, *lost) == pytest.approx(time_s)

    def test_too_few_of_them_do_not(self) -> None:
        """Packets 5 to 8 are lost, and 9 alone arrives after them; then one packet, then two, then the last one."""
        assert _time_s(14_600, 5, 6, 7, 8) == pytest.approx(0.3 + 0.1 + 0.1)

    def test_a_loss_halves_the_window_which_then_grows_by_one(self) -> None:
        """Of 40 packets 10 are sent and one is lost: windows of 5, 6, 7 and 8 leave 5 for the last, sent at once."""
        assert _time_s(40 * 1460, 4) == pytest.approx((1 + 4) * 0.1)

    def test_lost_packets_take_the_bandwidth_again(self) -> None:
        """At 14.6 kB/s the ten packets take a second, and the lost one 100 ms more."""
        assert _time_s(14_600, 2, per_s=14_600) == pytest.approx(1.1)

    def test_gaps_between_losses_are_geometric(self) -> None:
        """log(0.3) / log(0.5) = 1.7: one packet arrives before each lost one."""
        losses = Losses(0.5, lambda _: 0.3)
        assert losses.none_among(1)
        assert not losses.none_among(2)
        assert losses.among(5) == (2, 2)  # 1 and 3; 2 and 4 arrive after the first
        assert losses.among(1) == (1, 0)  # 5
        assert Losses(0.0, lambda _: 0.3).among(1_000_000) == (0, 0)


def _asked(starts_s: list[float], client: Any, **api: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    return observe(scenario({"api": service(waiting("100ms"), **api)}, client=client), starts_s)


_FEED = {"payloads": {"get": {"request": "1500B", "response": "32KiB"}}}


def test_the_way_there_and_back_are_rows_that_add_up() -> None:
    """LTE: 35 ms and 1500 B at 12 Mbit/s, 100 ms of work, 35 ms and the answer in two windows (82.112 ms)."""
    requests, visits = _asked([0.0], {"network": {"kind": "lte"}}, **_FEED)
    assert visits["component"].tolist() == ["client", "api", "client"]
    assert visits["operation"].tolist() == ["send", "get", "receive"]
    assert visits["service_time_s"].tolist() == pytest.approx([0.036, 0.1, 0.117112], abs=1e-6)
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.253112], abs=1e-6)


def test_an_endpoint_without_a_payload_takes_a_round_trip() -> None:
    """Whatever the bandwidth."""
    requests, _ = _asked([0.0], {"network": {"kind": "2g"}})
    assert requests["sojourn_time_s"].tolist() == pytest.approx([1.4])


def test_a_refusal_carries_no_bytes() -> None:
    """The second is turned away, and knows it after a round trip and its own bytes."""
    requests, _ = _asked([0.0, 0.0], {"network": {"kind": "lte"}}, concurrency=1, backlog=0, **_FEED)
    assert requests["outcome"].tolist() == ["ok", "rejected"]
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.253112, 0.071], abs=1e-6)


def test_who_gives_up_on_the_way_is_served_all_the_same() -> None:
    """After 20 ms the client has gone; its request arrives at 36 ms, and is work for nobody."""
    requests, visits = _asked([0.0], {"network": {"kind": "lte"}, "timeout": "20ms"}, **_FEED)
    assert requests["outcome"].tolist() == ["timeout"]
    assert visits["arrival_s"].tolist() == pytest.approx([0.0, 0.036, 0.136])
    assert visits["abandoned"].tolist() == [True, True, True]


def test_a_fault_loses_packets_for_a_while() -> None:
    """Half of the packets are lost from 10 s to 20 s; before and after, none is."""
    fault = {"kind": "packet_loss", "at": "10s", "duration": "10s", "loss": "50%"}
    rate = {"kind": "open", "arrival_rate": "20/s", "endpoints": {"get": "100%"}}
    described = scenario(
        {"api": service(waiting("10ms"))},
        client={"network": {"kind": "lte"}},
        faults=[fault],
        workload=rate,
        run={"duration": "60s"},
    )
    requests, observed = live(described)
    calm = ~requests["start_s"].between(9.9, 20)
    assert requests[calm]["sojourn_time_s"].tolist() == pytest.approx([0.08] * int(calm.sum()))
    struck = requests[requests["start_s"].between(10, 19.9)]["sojourn_time_s"]
    assert 0.15 < (struck < 0.081).mean() < 0.35  # both packets arrive with a probability of 1/4
    assert struck.max() > 1
    assert list(observed.events["component"]) == ["client", "client"]
    assert list(observed.events["kind"]) == ["packet_loss", "packet_loss_over"]


def test_the_round_trip_and_losses_are_addressed() -> None:
    """What one request meets does not depend on the others, and a retry meets something else."""
    network = {"kind": "custom", "round_trip": {"kind": "exponential", "mean": "50ms"}, "loss": "30%"}
    both, _ = _asked([0.0, 1.0], {"network": network})
    one, _ = _asked([0.5], {"network": network})
    assert one["sojourn_time_s"][0] == pytest.approx(both["sojourn_time_s"][0])
    retry = {"attempts": 3, "backoff": {"kind": "constant", "delay": "0s"}}
    _, visits = _asked([0.0], {"network": network, "timeout": "1ms", "retry": retry})
    assert visits[visits["operation"] == "send"]["service_time_s"].nunique() == 3
