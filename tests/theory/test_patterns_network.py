"""What the lessons of the clients' network show, by variants on common random numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

import lab

pytestmark = pytest.mark.slow

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"


def _mobile(**changes: object) -> lab.Run:
    scenario = lab.read_scenario(PATTERNS / "mobile_network.yaml").with_(changes | {"run.replications": 2})
    return lab.simulate(scenario, progress=False)


def _median_s(kind: str, *, loss: str = "0%", **changes: object) -> float:
    network = {"client.network": {"kind": kind, "loss": loss}}
    return _mobile(**network | changes).value("sojourn_time_s_p50")  # type: ignore[arg-type]


def test_the_network_decides_what_a_phone_waits_for() -> None:
    """A backend twice as fast gains 2 % on 3G and a fifth on Wi-Fi; half the bytes gain a third on both."""
    faster = {"components.api.endpoints.feed.0.time": "20ms"}
    smaller = {"components.api.payloads.feed.response": "32KiB"}
    slow, quick = _median_s("3g"), _median_s("wifi")
    assert slow > 10 * quick > 10 * 0.1
    assert _median_s("3g", **faster) / slow > 0.97
    assert _median_s("wifi", **faster) / quick == pytest.approx(0.8, abs=0.03)
    assert _median_s("3g", **smaller) / slow < 0.7
    # Half the bytes are not half the time: a round trip and a window remain.
    assert 0.5 < _median_s("lte", **smaller) / _median_s("lte") < 0.75


def test_lost_packets_make_the_tail() -> None:
    """One packet in a hundred: four of ten answers wait for a round trip more, and some for a timeout."""
    calm, lossy = _mobile(**{"client.network.loss": "0%"}), _mobile()
    assert calm.value("sojourn_time_s_p99") == pytest.approx(calm.value("sojourn_time_s_p50"), rel=1e-6)
    assert lossy.value("sojourn_time_s_p50") < 1.4 * calm.value("sojourn_time_s_p50")
    assert lossy.value("sojourn_time_s_p99") > calm.value("sojourn_time_s_p50") + 0.27
