"""The network between clients and the entry: named profiles with their published figures, or one's own."""

from __future__ import annotations

from typing import Annotated, Literal, assert_never

from pydantic import AfterValidator, Discriminator, Field

from lab.distributions import Distribution
from lab.quantities import Bandwidth, Ratio, Spec

_MOST_LOSS = 0.5

Profile = Literal[
    "2g",
    "edge",
    "3g_slow",
    "3g",
    "3g_fast",
    "4g",
    "lte",
    "cable",
    "fios",
    "devtools_slow_3g",
    "devtools_slow_4g",
    "devtools_fast_4g",
    "5g",
    "wifi",
]

# Round trip, down, up. The first two groups as published, both for shaping the traffic of tests.
_FIGURES: dict[Profile, tuple[str, str, str]] = {
    # WebPageTest, connectivity.ini.sample (4G and LTE: its hosted instances)
    "2g": ("1300ms", "35kbit/s", "32kbit/s"),
    "edge": ("840ms", "240kbit/s", "200kbit/s"),
    "3g_slow": ("200ms", "780kbit/s", "330kbit/s"),
    "3g": ("300ms", "1.6Mbit/s", "768kbit/s"),
    "3g_fast": ("150ms", "1.6Mbit/s", "768kbit/s"),
    "4g": ("170ms", "9Mbit/s", "9Mbit/s"),
    "lte": ("70ms", "12Mbit/s", "12Mbit/s"),
    "cable": ("28ms", "5Mbit/s", "1Mbit/s"),
    "fios": ("4ms", "20Mbit/s", "5Mbit/s"),
    # Chrome DevTools: the connection that a preset aims at, not the longer pause that it puts before a request
    "devtools_slow_3g": ("400ms", "500kbit/s", "500kbit/s"),
    "devtools_slow_4g": ("150ms", "1.6Mbit/s", "750kbit/s"),
    "devtools_fast_4g": ("60ms", "9Mbit/s", "1.5Mbit/s"),
    # The lab's own assumptions
    "5g": ("30ms", "100Mbit/s", "20Mbit/s"),
    "wifi": ("20ms", "50Mbit/s", "20Mbit/s"),
}


def _bearable(loss: float) -> float:
    if loss > _MOST_LOSS:
        raise ValueError(
            f"{loss * 100:g}% of packets lost is more than {_MOST_LOSS * 100:g}%, where TCP hardly gets anything "
            "through; give less, or a partition, where nothing arrives"
        )
    return loss


PacketLoss = Annotated[Ratio, AfterValidator(_bearable)]
"""The share of packets that a network loses, each by itself: 0 % to 50 %."""

_LOSS = "The share of packets lost, either way, each by itself. Assumed in practice: 0.1% to 1% on 4G and 5G, 1% to 2% \
on a poor 3G."


class ProfileNetwork(Spec):
    """A named network: its round trip never varies, its bandwidth is the client's alone.

    Published by WebPageTest (round trip, down/up): ``2g`` 1300 ms, 35/32 kbit/s; ``edge`` 840 ms, 240/200 kbit/s;
    ``3g_slow`` 200 ms, 780/330 kbit/s; ``3g`` 300 ms and ``3g_fast`` 150 ms, 1.6/0.768 Mbit/s; ``4g`` 170 ms,
    9/9 Mbit/s; ``lte`` 70 ms, 12/12 Mbit/s; ``cable`` 28 ms, 5/1 Mbit/s; ``fios`` 4 ms, 20/5 Mbit/s. By Chrome
    DevTools: ``devtools_slow_3g`` 400 ms, 0.5/0.5 Mbit/s; ``devtools_slow_4g`` 150 ms, 1.6/0.75 Mbit/s (Lighthouse's
    mobile); ``devtools_fast_4g`` 60 ms, 9/1.5 Mbit/s. They are settings for tests, not measurements of a network.
    Assumed by the lab, without a source: ``5g`` 30 ms, 100/20 Mbit/s; ``wifi`` 20 ms, 50/20 Mbit/s.
    """

    kind: Profile
    loss: PacketLoss = Field(default="0%", validate_default=True, description=_LOSS)


class CustomNetwork(Spec):
    """A network described by its figures; each attempt draws its round trip."""

    kind: Literal["custom"] = "custom"
    round_trip: Distribution = Field(
        description="There and back, without the bytes' own time. Mobile networks vary: assumed in practice is a "
        "lognormal with an scv of 0.2 to 0.4."
    )
    down: Bandwidth | None = Field(default=None, description="Bandwidth to the client; none: no limit.")
    up: Bandwidth | None = Field(default=None, description="Bandwidth from the client; none: no limit.")
    loss: PacketLoss = Field(default="0%", validate_default=True, description=_LOSS)


Network = Annotated[ProfileNetwork | CustomNetwork, Discriminator("kind")]


def in_figures(network: Network) -> CustomNetwork:
    """Return a network as the figures that describe it.

    >>> in_figures(ProfileNetwork(kind="lte")).down
    12000000.0
    """
    match network:
        case CustomNetwork():
            return network
        case ProfileNetwork():
            round_trip, down, up = _FIGURES[network.kind]
            figures = {"round_trip": round_trip, "down": down, "up": up}
            return CustomNetwork.model_validate(figures).model_copy(update={"loss": network.loss})
        case _:
            assert_never(network)
