"""The network of the clients as it is written: profiles, figures, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from lab.distributions import mean_s
from lab.errors import ScenarioError, Unsupported
from lab.measurement.refusals import refuse_unmeasurable
from lab.scenario.closed_bounds import closed_bounds
from lab.scenario.network import ProfileNetwork, in_figures
from lab.scenario.scenario import Scenario
from lab.scenario.topology import mermaid
from tests.unit.backends import scenario, service, waiting

_LTE = {"network": {"kind": "lte"}}
_UNSIGNED = {"tls": "none", "handshake": {"time": "1ms"}}

# kind: (round trip in ms, down and up in kbit/s), word for word as published or assumed
_PUBLISHED: dict[Any, tuple[int, int, int]] = {
    "2g": (1300, 35, 32),
    "edge": (840, 240, 200),
    "3g_slow": (200, 780, 330),
    "3g": (300, 1600, 768),
    "3g_fast": (150, 1600, 768),
    "4g": (170, 9000, 9000),
    "lte": (70, 12000, 12000),
    "cable": (28, 5000, 1000),
    "fios": (4, 20000, 5000),
    "devtools_slow_3g": (400, 500, 500),
    "devtools_slow_4g": (150, 1600, 750),
    "devtools_fast_4g": (60, 9000, 1500),
    "5g": (30, 100_000, 20_000),
    "wifi": (20, 50_000, 20_000),
}


@pytest.mark.parametrize("kind", _PUBLISHED)
def test_profiles_have_their_figures(kind: Any) -> None:
    """And lose what the scenario says, by default nothing."""
    figures = in_figures(ProfileNetwork(kind=kind))
    assert figures.down is not None
    assert figures.up is not None
    seen = (mean_s(figures.round_trip) * 1000, figures.down / 1000, figures.up / 1000)
    assert seen == pytest.approx(_PUBLISHED[kind])
    assert figures.loss == 0
    assert in_figures(ProfileNetwork.model_validate({"kind": kind, "loss": "2%"})).loss == 0.02


def test_every_profile_is_documented_with_its_figures() -> None:
    """The page of the language is made from this text; what has no source says so."""
    said = " ".join((ProfileNetwork.__doc__ or "").split())
    for kind in _PUBLISHED:
        assert f"``{kind}``" in said
    assert "without a source: ``5g`` 30 ms, 100/20 Mbit/s; ``wifi`` 20 ms, 50/20 Mbit/s" in said


def _refused(says: str, *, api: dict[str, Any] | None = None, **others: Any) -> None:
    components = {"api": service(waiting("10ms"), **(api or {})), "other": service(waiting("10ms"))}
    components = others.pop("components", components)
    with pytest.raises(ScenarioError) as caught:
        scenario(components, **others)
    assert says in str(caught.value)


def _custom(**figures: Any) -> dict[str, Any]:
    return {"network": {"kind": "custom", "round_trip": "50ms"} | figures}


@pytest.mark.parametrize(
    ("client", "says"),
    [
        (_custom(down=12), "client.network.down: 12 has no unit: write a bandwidth with its unit, such as 12Mbit/s"),
        (_custom(down="12MB/s"), "the unit 'MB/s' is not one of Gbit/s, Mbit/s, bit/s, kbit/s"),
        (_custom(up="0Mbit/s"), "client.network.up: 0.0 is not positive"),
        (_custom(loss="60%"), "60% of packets lost is more than 50%"),
        (_LTE | {"round_trip": "20ms"}, "round_trip and network are both set"),
        ({"network": {"kind": "lte", "down": "1Mbit/s"}}, "there is no key 'down' here"),
        ({"network": {"kind": "6g"}}, "there is no kind '6g' here"),
    ],
)
def test_impossible_networks_are_refused(client: dict[str, Any], says: str) -> None:
    """With the key path and what to do."""
    _refused(says, client=client)


def test_bytes_that_cross_no_network_are_refused() -> None:
    """Without a network, at a service that clients do not ask, of an endpoint that is not there."""
    payloads = {"payloads": {"get": {"response": "4KiB"}}}
    _refused("components.api.payloads: has no effect, as bytes take no time without a client.network", api=payloads)
    elsewhere = {"api": service(waiting("1ms")), "other": service(waiting("1ms"), **payloads)}
    _refused("other.payloads: has no effect: clients ask 'api'", components=elsewhere, client=_LTE)
    _refused("there is no endpoint 'put' (there are: get)", api={"payloads": {"put": {}}}, client=_LTE)


def test_packets_are_lost_on_a_network_alone() -> None:
    """And more of them than always."""
    fault = {"kind": "packet_loss", "at": "1s", "duration": "1s", "loss": "1%"}
    _refused("faults.0.kind: needs a client.network whose packets can be lost", faults=[fault])
    lossy = {"network": {"kind": "lte", "loss": "2%"}}
    _refused("faults.0.loss: is no more than the 2% that client.network always loses", client=lossy, faults=[fault])
    again = [fault, fault | {"at": "1500ms"}]
    _refused("faults.1: happens to client while faults.0, of the same kind, is not over", client=_LTE, faults=again)


def test_connections_that_nobody_opens_are_refused() -> None:
    """Without a network, with a cost that nothing asks for, with a share of clients that come again."""
    http = {"kind": "http1"}
    _refused("connections take round trips of a network", client={"connections": http})
    _refused("handshake has no effect with tls: none", client=_LTE | {"connections": http | _UNSIGNED})
    closed = {"kind": "closed", "population": 1, "think_time": "1s", "endpoints": {"get": "100%"}}
    new = {"connections": http | {"new": "10%"}}
    _refused("client.connections.new: has no effect in a workload of kind closed", client=_LTE | new, workload=closed)
    full = {"connections": http | {"new": "10%", "limit": 5}}
    _refused("client.connections.limit: cannot count connections that are open already", client=_LTE | full)
    _refused("faults.0.kind: needs client.connections", client=_LTE, faults=[{"kind": "disconnect", "at": "1s"}])


def test_a_network_is_not_measured() -> None:
    """The reference backend's clients reach it over loopback."""
    with pytest.raises(Unsupported, match="network"):
        refuse_unmeasurable(scenario({"api": service(waiting("10ms"))}, client=_LTE))


def _closed(client: dict[str, Any]) -> Scenario:
    payloads = {"get": {"request": "1825B", "response": "32KiB"}}
    api = service(waiting("100ms")) | ({"payloads": payloads} if client else {})
    workload = {"kind": "closed", "population": 10, "think_time": "1s", "endpoints": {"get": "100%"}}
    return scenario({"api": api}, client=client, workload=workload)


def test_the_bounds_of_a_population_know_the_way() -> None:
    """100 ms of work, 70 ms there and back, 1825 B at 12 Mbit/s and 32 KiB in two windows (82.112 ms)."""
    assert closed_bounds(_closed({})).response_time_s == pytest.approx(0.1)
    expected_s = 0.1 + 0.07 + 1825 * 8 / 12e6 + 0.082112
    assert closed_bounds(_closed(_LTE)).response_time_s == pytest.approx(expected_s, abs=1e-6)


def test_the_picture_names_the_network() -> None:
    """Beside the clients, who are on it."""
    assert "clients<br/>lte network" in mermaid(_closed(_LTE))
    assert "network" not in mermaid(_closed({}))
