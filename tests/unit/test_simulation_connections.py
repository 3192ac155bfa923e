"""Connections by hand: what opening one takes, who has to, and who keeps it."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

import lab
from lab.errors import Unsupported
from lab.scenario.arithmetic import arithmetic
from lab.scenario.connections import Connections, Handshake
from lab.scenario.schedule import draw_schedule
from lab.simulation.clock import Clock
from lab.simulation.gone import Gone
from lab.simulation.log import Log
from lab.simulation.network.opening import Opening
from lab.simulation.network.path import ClientPath
from lab.simulation.replicate import replicate
from lab.simulation.request import Outcome, Request
from lab.validation.laws import broken_laws
from tests.unit.backends import live, observe, scenario, service, waiting

_NETWORK = {"kind": "custom", "round_trip": "100ms"}


def _client(connections: dict[str, Any], network: dict[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    return {"network": network or _NETWORK, "connections": {"kind": "http1"} | connections, **others}


def _took_s(connections: dict[str, Any], network: dict[str, Any] | None = None) -> float:
    described = scenario({"api": service(waiting("100ms"))}, client=_client(connections, network))
    return float(observe(described, [0.0])[0]["sojourn_time_s"][0])


@pytest.mark.parametrize(("tls", "time_s"), [("none", 0.3), ("tls13", 0.4), ("tls12", 0.5)])
def test_opening_takes_round_trips(tls: str, time_s: float) -> None:
    """100 ms for TCP, 100 for TLS 1.3 or 200 for TLS 1.2, 100 for the request, 100 of work."""
    assert _took_s({"tls": tls}) == pytest.approx(time_s)
    assert _took_s({"tls": tls, "new": "0%"}) == pytest.approx(0.2)


def test_a_certificate_takes_its_bytes() -> None:
    """20 packets are two windows, a round trip more; 3000 B at 240 kbit/s are 100 ms more."""
    assert _took_s({"certificate": "29200B"}) == pytest.approx(0.5)
    assert _took_s({"certificate": "3000B"}, _NETWORK | {"down": "240kbit/s"}) == pytest.approx(0.5)


def test_handshakes_wait_for_the_cores_of_the_entry() -> None:
    """Two at once, 50 ms of one core each: the second waits for 50 ms, on a row of its own; the rows add up."""
    described = scenario(
        {"api": service(waiting("100ms"))}, client=_client({"handshake": {"time": "50ms", "cores": 1}})
    )
    requests, visits = observe(described, [0.0, 0.0])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.45, 0.5])
    first = visits[visits["request"] == 1]
    assert first["component"].tolist() == ["client", "api.tls", "client", "api", "client"]
    assert first["waiting_time_s"].tolist() == pytest.approx([0.0, 0.05, 0.0, 0.0, 0.0])
    assert first["service_time_s"].tolist() == pytest.approx([0.2, 0.05, 0.05, 0.1, 0.05])
    assert first["arrival_s"].tolist() == pytest.approx([0.0, 0.15, 0.3, 0.35, 0.45])


def _users(client: dict[str, Any], *, work: str = "100ms", **others: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One user who thinks for a second."""
    workload = {"kind": "closed", "population": 1, "think_time": "1s", "endpoints": {"get": "100%"}}
    described = scenario(
        {"api": service(waiting(work))}, client=client, workload=workload, **{"run": {"duration": "12s"}, **others}
    )
    requests, observed = live(described)
    return requests, pd.DataFrame(observed.visits)


def _opened_s(visits: pd.DataFrame) -> list[float]:
    return [round(time_s, 6) for time_s in visits[visits["operation"] == "connect"]["arrival_s"]]


@pytest.mark.parametrize("kind", ["http1", "http2"])
def test_an_idle_connection_is_kept_for_a_while(kind: str) -> None:
    """A user idles for a second: kept for longer it is opened once, for less each time."""
    requests, visits = _users(_client({"kind": kind, "keep_alive": "1001ms"}))
    assert _opened_s(visits) == [0.0]
    assert requests["sojourn_time_s"].dropna().round(6).tolist() == [0.4] + [0.2] * 9
    for closed in ("999ms", "0s"):
        requests, visits = _users(_client({"kind": kind, "keep_alive": closed}))
        assert len(_opened_s(visits)) == len(requests)


@pytest.mark.parametrize(("kind", "opened_s"), [("http1", [0.0, 0.5]), ("http2", [0.0])])
def test_giving_up_closes_a_connection_or_a_stream(kind: str, opened_s: list[float]) -> None:
    """After 500 ms the client tries again: over HTTP/1.1 on a new connection, over HTTP/2 on the same."""
    retry = {"attempts": 2, "backoff": {"kind": "constant", "delay": "0s"}}
    _, visits = _users(_client({"kind": kind}, timeout="500ms", retry=retry), work="800ms", run={"duration": "1s"})
    assert _opened_s(visits) == opened_s


def test_a_refusal_closes_nothing() -> None:
    """The second client is turned away, and tries again on the same connection; the numbers tell clients apart."""
    retry = {"attempts": 2, "backoff": {"kind": "constant", "delay": "300ms"}}
    for kind in ("http1", "http2"):
        api = service(waiting("100ms"), concurrency=1, backlog=0)
        requests, visits = observe(
            scenario({"api": api}, client=_client({"kind": kind, "tls": "none"}, retry=retry)), [0.0, 0.0]
        )
        assert requests["attempts"].tolist() == [1, 2]
        assert _opened_s(visits) == [0.0, 0.0]
        assert requests["sojourn_time_s"].tolist() == pytest.approx([0.3, 0.2 + 0.3 + 0.2])


def test_who_gives_up_while_it_opens_sends_nothing() -> None:
    """150 ms of patience, 200 ms to open: the entry is never asked."""
    described = scenario({"api": service(waiting("100ms"))}, client=_client({}, timeout="150ms"))
    requests, visits = observe(described, [0.0])
    assert requests["outcome"].tolist() == ["timeout"]
    assert visits["operation"].tolist() == ["connect"]


def test_sessions_keep_their_own_connections() -> None:
    """Each session opens one and uses it to its end; one in five more requests finds it closed."""
    journey = {"requests": [{"endpoint": "get"}, {"endpoint": "get", "think_time": "1s"}]}
    workload = {"kind": "sessions", "arrival_rate": "5/s", "journeys": {"two": journey}}
    described = scenario({"api": service(waiting("10ms"))}, client=_client({}), workload=workload)
    requests, observed = live(described.with_({"run.duration": "10s"}))
    visits = pd.DataFrame(observed.visits)
    sessions = set(requests["request"] // 2)
    opened = visits[visits["operation"] == "connect"]["request"]
    assert len(opened) == len(sessions)
    assert set(opened % 2) == {0}


def test_a_reload_closes_what_is_open() -> None:
    """At 5.5 s the user thinks, at 5.3 s a request is under way: either way the next one opens a connection."""
    for at in ("5500ms", "5300ms"):
        for kind in ("http1", "http2"):
            fault = {"kind": "disconnect", "at": at}
            requests, visits = _users(_client({"kind": kind}), faults=[fault])
            first, second = _opened_s(visits)
            assert (first, second) == (0.0, pytest.approx(requests[requests["start_s"] > 5.4]["start_s"].iloc[0]))


def test_nobody_connects_through_a_partition() -> None:
    """Cut off until 2 s: then the connection is opened, and all goes on."""
    cut = {"kind": "partition", "between": ["client", "api"], "at": "0s", "duration": "2s"}
    described = scenario({"api": service(waiting("100ms"))}, client=_client({}), faults=[cut])
    requests, visits = observe(described, [0.5])
    assert visits["component"].tolist() == ["client.to.api", "client", "client", "api", "client"]
    assert requests["end_s"].tolist() == pytest.approx([2.4])


def test_idle_connections_keep_others_out() -> None:
    """One connection, idle for 300 ms after each answer: three that come at once are let in 500 ms apart."""
    client = _client({"tls": "none", "limit": 1, "keep_alive": "300ms"})
    requests, visits = observe(scenario({"api": service(waiting("100ms"))}, client=client), [0.0, 0.0, 0.0])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.3, 0.8, 1.3])
    waits = visits[visits["component"] == "api.accept"]["waiting_time_s"]
    assert waits.tolist() == pytest.approx([0.0, 0.5, 1.0])


def test_who_gives_up_in_the_queue_takes_no_place() -> None:
    """The second leaves after 400 ms; the third, which came later, is let in when the first has closed at 600 ms."""
    client = _client({"tls": "none", "limit": 1, "keep_alive": "300ms"}, timeout="400ms")
    requests, visits = observe(scenario({"api": service(waiting("100ms"))}, client=client), [0.0, 0.0, 0.25])
    assert requests["outcome"].tolist() == ["ok", "timeout", "timeout"]
    third = visits[(visits["request"] == 2) & (visits["component"] == "api.accept")]
    assert third["departure_s"].tolist() == pytest.approx([0.6])
    assert visits[(visits["request"] == 1)]["operation"].tolist() == ["connect", "accept"]


def test_a_user_who_stays_keeps_another_out() -> None:
    """Two users, room for one: without a think time longer than the keep-alive the second never gets in."""
    workload = {"kind": "closed", "population": 2, "think_time": "1s", "endpoints": {"get": "100%"}}
    client = _client({"tls": "none", "limit": 1, "keep_alive": "2s"})
    described = scenario({"api": service(waiting("100ms"))}, client=client, workload=workload, run={"duration": "20s"})
    requests, observed = live(described)
    assert set(requests[requests["outcome"] == "ok"]["request"] % 2) == {0}
    samples = pd.DataFrame(observed.samples)
    assert samples["value"].tolist() == [1.0]
    fair, _ = live(described.with_({"client.connections.keep_alive": "500ms"}))
    assert set(fair[fair["outcome"] == "ok"]["request"] % 2) == {0, 1}


@pytest.mark.parametrize("kind", ["http1", "http2"])
def test_a_reload_makes_room(kind: str) -> None:
    """The idle connection closes at once at 5 s, and the user who waited is let in."""
    workload = {"kind": "closed", "population": 2, "think_time": "3s", "endpoints": {"get": "100%"}}
    client = _client({"kind": kind, "tls": "none", "limit": 1, "keep_alive": "60s"})
    described = scenario(
        {"api": service(waiting("100ms"))},
        client=client,
        workload=workload,
        faults=[{"kind": "disconnect", "at": "5s"}],
        run={"duration": "8s"},
    )
    requests, _ = live(described)
    second = requests[requests["request"] % 2 == 1]
    assert second["end_s"].iloc[0] == pytest.approx(5.2)


def test_a_client_that_gives_up_makes_room() -> None:
    """Over HTTP/1.1 its connection closes when the entry has answered; over HTTP/2 it stays for the keep-alive."""
    for kind, accepted_s in (("http1", 1.2), ("http2", 3.2)):
        client = _client({"kind": kind, "tls": "none", "limit": 1, "keep_alive": "2s"}, timeout="800ms")
        described = scenario({"api": service(waiting("1s"))}, client=client)
        _, visits = observe(described, [0.0, 0.7])
        accepted = visits[(visits["request"] == 1) & (visits["operation"] == "accept")]
        assert accepted["departure_s"].tolist() == pytest.approx([accepted_s])


class _Draws:
    """Uniform numbers in the order in which they are asked for; then 0.5."""

    def __init__(self, *numbers: float) -> None:
        self._numbers = list(numbers)

    def uniform(self, *_: int) -> float:
        return self._numbers.pop(0) if self._numbers else 0.5


def _path(*draws: float) -> ClientPath:
    losses: Any = _Draws(*draws)
    trip: Any = lambda _: 0.1  # noqa: E731  # stands for a variate
    return ClientPath(
        round_trip=trip, up_bytes_per_s=math.inf, down_bytes_per_s=math.inf, loss_ratio=0.1, losses=losses
    )


_REQUEST = Request(0, 0, "get", 0, 0)


@pytest.mark.parametrize(("lost", "waited_s"), [(0, 0.0), (1, 1.0), (2, 3.0), (3, 7.0), (6, 63.0)])
def test_a_lost_syn_is_sent_again_after_1_3_and_7_s(lost: int, waited_s: float) -> None:
    """It, or the answer to it, is lost with 1 - 0.9^2 = 19 %."""
    assert _path(*[0.18] * lost, 0.2).syn_waits_s(_REQUEST) == (waited_s, True)


def test_a_client_that_gets_no_answer_is_told_so() -> None:
    """Seven SYNs are lost: an error after 127 s."""
    assert _path(*[0.0] * 7).syn_waits_s(_REQUEST) == (127.0, False)
    clock, log = Clock(), Log()
    opening = Opening(
        place=(clock, log),
        path=_path(*[0.0] * 7),
        secured=("tls13", 3072.0),
        gone=Gone(),
        costs=(None, None),
        link=None,
    )
    ended = clock.process(opening.handle(_REQUEST))
    assert clock.run(until=ended) is Outcome.ERROR
    assert clock.now == 127.0
    assert log.visits[0].outcome is Outcome.ERROR


def test_laws_hold_where_everything_happens() -> None:
    """Losses, retries, reloads, handshakes that queue."""
    client = _client(
        {"kind": "http1", "handshake": {"time": "20ms"}, "keep_alive": "500ms"},
        _NETWORK | {"loss": "5%"},
        timeout="600ms",
        retry={"attempts": 2},
    )
    workload = {
        "kind": "closed",
        "population": 20,
        "think_time": {"kind": "exponential", "mean": "500ms"},
        "endpoints": {"get": "100%"},
    }
    described = scenario(
        {"api": service(waiting("50ms"))},
        client=client,
        workload=workload,
        faults=[{"kind": "disconnect", "at": "5s"}],
        run={"duration": "20s", "replications": 1},
    )
    for kind in ("http1", "http2"):
        run = lab.simulate(described.with_({"client.connections.kind": kind}), progress=False, allow_unstable=True)
        assert broken_laws(run) == []
        assert (run.visits["operation"] == "connect").sum() > 20


def test_a_schedule_without_users_has_no_connections_of_theirs() -> None:
    """Whose a request is cannot be told from its number there."""
    workload = {"kind": "closed", "population": 2, "think_time": "1s", "endpoints": {"get": "100%"}}
    described = scenario({"api": service(waiting("1ms"))}, client=_client({}), workload=workload)
    recorded = scenario({"api": service(waiting("1ms"))})
    schedule = draw_schedule(recorded, seed=1, replication=0)
    with pytest.raises(Unsupported, match="does not say whose a request is"):
        replicate(described, schedule, seed=1, replication=0)


def test_the_arithmetic_knows_what_handshakes_need() -> None:
    """Half of 100/s at 4 ms of one core: 20 % busy; 500/s of new clients fill it."""
    client = _client({"new": "50%", "handshake": {"time": "4ms", "cores": 1}})
    workload = {"kind": "open", "arrival_rate": "100/s", "endpoints": {"get": "100%"}}
    row = arithmetic(scenario({"api": service(waiting("1ms"))}, client=client, workload=workload)).row(
        "api", "handshakes"
    )
    assert row.utilisation == pytest.approx(0.2)
    assert row.capacity_per_s == pytest.approx(500)
    sessions = {
        "kind": "sessions",
        "arrival_rate": "100/s",
        "journeys": {"two": {"requests": [{"endpoint": "get"}, {"endpoint": "get"}]}},
    }
    client = _client({"handshake": {"time": "4ms", "cores": 1}})
    row = arithmetic(scenario({"api": service(waiting("1ms"))}, client=client, workload=sessions)).row(
        "api", "handshakes"
    )
    assert row.utilisation == pytest.approx(0.4)


def test_the_arithmetic_knows_what_idle_connections_take() -> None:
    """10/s that idle for 60 s are 600 open connections, three in four of 800."""
    client = _client({"limit": 800})
    workload = {"kind": "open", "arrival_rate": "10/s", "endpoints": {"get": "100%"}}
    row = arithmetic(scenario({"api": service(waiting("1ms"))}, client=client, workload=workload)).row(
        "api", "open_connections"
    )
    assert row.utilisation == pytest.approx(0.75)


def test_specs_have_the_defaults_of_real_parts() -> None:
    """TLS 1.3, a minute of keep-alive, one core."""
    connections = Connections(kind="http2")
    assert (connections.tls, connections.keep_alive, connections.certificate) == ("tls13", 60.0, 3072.0)
    assert Handshake.model_validate({"time": "1ms"}).cores == 1
