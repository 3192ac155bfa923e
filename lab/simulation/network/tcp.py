"""One transfer of TCP, window by window, with the packets that are lost on the way."""

from __future__ import annotations

import math
from collections.abc import Callable

PACKET_BYTES = 1460  # an Ethernet frame's 1500 B without the headers of IP and TCP
INITIAL_WINDOW = 10  # packets; RFC 6928
_DUPLICATES = 3  # acknowledgements of later packets that tell of a lost one; RFC 5681
_LEAST_WINDOW = 2.0  # packets, after a loss; RFC 5681
_RTO_ABOVE_TRIP_S = 0.2  # Linux: the smoothed round trip, and at least this much (TCP_RTO_MIN)
_MOST_RTO_S = 120.0  # Linux: TCP_RTO_MAX


class Losses:
    """Which packets of one transfer are lost, each by itself with the same probability.

    Drawn as the number of packets between one loss and the next, which is geometric.

    Args:
        ratio: the probability, 0 to less than 1.
        uniform: the addressed draw in (0, 1) of the k-th loss.
    """

    __slots__ = ("_ahead", "_drawn", "_log_kept", "_uniform")

    def __init__(self, ratio: float, uniform: Callable[[int], float]) -> None:
        self._log_kept = math.log1p(-ratio)
        self._uniform = uniform
        self._drawn = 0
        self._ahead = self._gap() if ratio > 0 else math.inf  # packets that arrive before the next loss

    def among(self, sent: int) -> tuple[int, int]:
        """Return how many of the next packets are lost, and how many arrive after the first of these."""
        lost, first, place = 0, sent, self._ahead
        while place < sent:
            first = min(first, int(place))
            lost += 1
            place += 1 + self._gap()
        self._ahead = place - sent
        return lost, sent - first - lost

    def none_among(self, sent: int) -> bool:
        """Tell whether the next packets all arrive."""
        return self._ahead >= sent

    def _gap(self) -> float:
        self._drawn += 1
        return math.floor(math.log(self._uniform(self._drawn)) / self._log_kept)


def transfer_time_s(*, size_bytes: float, round_trip_s: float, bytes_per_s: float, losses: Losses) -> float:
    """Return the time from the first byte sent to when the sender has sent the last byte that was missing.

    In rounds, as Padhye et al. and Cardwell et al. have it::

        a window of packets is sent --all arrive--> the window doubles (slow start; above the threshold: one more)
                 ^                                      |
                 |        +--some are lost, three or more arrive after the first lost one: fast retransmit, they are
                 |        |  sent again in the next round; the window is halved, and that is the threshold
                 |        +--some are lost, and fewer arrive: nothing is sent until the timeout (RTO), which doubles
                 |        |  each time; the window begins at one packet, the threshold is half of the last window
                 +--------+

    A round lasts a round trip, or as long as its packets take at the bandwidth; the window grows until these are the
    same (the bandwidth-delay product). The RTO is Linux's: the round trip, here known from the connection, and 200 ms.

    Selective acknowledgements (RFC 2018) are taken for granted, lost acknowledgements cost nothing, the window begins
    anew with each transfer as after an idle RTO (RFC 5681), a lost packet is sent again as a full one, and CUBIC's
    faster growth, tail loss probes (RFC 8985) and the bytes of headers are left out.

    Args:
        size_bytes: 0 or more; even 0 is one packet.
        round_trip_s: 0 or more.
        bytes_per_s: bandwidth; may be infinite.
        losses: which of the packets sent are lost.

    Source: Cardwell, Savage, Anderson, "Modeling TCP Latency", INFOCOM 2000; Padhye, Firoiu, Towsley, Kurose,
    "Modeling TCP Throughput", SIGCOMM 1998; RFC 5681; RFC 6298.
    """
    left_bytes, packets = size_bytes, max(1, math.ceil(size_bytes / PACKET_BYTES))
    product_bytes = bytes_per_s * round_trip_s if round_trip_s > 0 else 0.0
    window, threshold, timeouts, time_s = float(INITIAL_WINDOW), math.inf, 0, 0.0
    while True:
        if window * PACKET_BYTES >= product_bytes and losses.none_among(packets):
            return time_s + left_bytes / bytes_per_s
        sent = min(int(window), packets)
        busy_s = min(sent * PACKET_BYTES, left_bytes) / bytes_per_s
        lost, arrived_after = losses.among(sent)
        packets -= sent - lost
        if packets == 0:
            return time_s + busy_s
        if lost == 0:
            time_s += max(round_trip_s, busy_s)
            left_bytes -= sent * PACKET_BYTES
            timeouts = 0
            if window * PACKET_BYTES < product_bytes:
                window = min(2 * window, threshold) if window < threshold else window + 1
            continue
        left_bytes = min(size_bytes, packets * PACKET_BYTES)
        threshold = max(sent / 2, _LEAST_WINDOW)
        if arrived_after >= _DUPLICATES:
            time_s += max(round_trip_s, busy_s)
            window, timeouts = threshold, 0
        else:
            time_s += busy_s + min((round_trip_s + _RTO_ABOVE_TRIP_S) * 2**timeouts, _MOST_RTO_S)
            window, timeouts = 1.0, timeouts + 1
