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


def _answered(**changes: object) -> tuple[float, float]:
    """The share of requests that were answered: of those before the reload, and from half a minute after it on."""
    scenario = lab.read_scenario(PATTERNS / "handshakes_after_a_reload.yaml")
    requests = lab.simulate(scenario.with_(changes | {"run.replications": 1}), progress=False).requests
    ended = requests[requests["outcome"] != "in_flight"]
    ok = ended["outcome"] == "ok"
    return float(ok[ended["start_s"] < 29].mean()), float(ok[ended["start_s"] > 65].mean())


def test_handshakes_that_nobody_waits_for_keep_the_others_waiting() -> None:
    """250 users a second need four cores to connect again: what those who gave up left is signed first, for nobody."""
    before, after = _answered()
    assert before == 1.0
    assert after < 0.5
    # What prevents it: one more core (or a cheaper signature), or users who wait for longer.
    assert _answered(**{"client.connections.handshake.cores": 2}) == (1.0, 1.0)
    assert _answered(**{"client.timeout": "20s"}) == (1.0, 1.0)


def _compressed(network: object, compression: object, **changes: object) -> lab.Run:
    scenario = lab.read_scenario(PATTERNS / "compression.yaml").with_(
        {
            "client.network": network,
            "components.api.payloads.feed.compression": compression,
            "run.replications": 1,
            "run.duration": "15s",
        }
        | changes
    )
    return lab.simulate(scenario, progress=False, allow_unstable=True)


def test_compression_pays_where_bytes_are_dear() -> None:
    """On 3G a third of a second, on Wi-Fi a window; between machines next to each other it only costs."""
    near = {"kind": "custom", "round_trip": "500us", "down": "10Gbit/s", "up": "10Gbit/s"}
    networks: dict[str, object] = {"3g": {"kind": "3g"}, "wifi": {"kind": "wifi"}, "near": near}
    gains = {}
    for name, network in networks.items():
        plain, small = (_compressed(network, each) for each in (None, {"kind": "gzip", "level": 1}))
        gains[name] = plain.value("sojourn_time_s_mean") - small.value("sojourn_time_s_mean")
    assert gains["3g"] > 0.3
    assert 0.01 < gains["wifi"] < 0.03
    assert gains["near"] < 0


def test_the_smallest_answer_is_not_the_quickest() -> None:
    """At 300/s a process has 1.3 ms left for each: zstd takes a fifth of it; brotli more than there is."""
    runs = {
        kind: _compressed({"kind": "3g"}, {"kind": kind, "level": level})
        for kind, level in (("zstd", 3), ("gzip", 6), ("brotli", 5))
    }
    mean_s = {kind: run.value("sojourn_time_s_mean") for kind, run in runs.items()}
    assert mean_s["zstd"] < mean_s["gzip"] < mean_s["brotli"]
    assert mean_s["brotli"] > 2 * mean_s["zstd"]
