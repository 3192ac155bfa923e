"""HAProxy's configuration, and what is read back from its log."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from reference_backend import haproxy
from reference_backend.clock import Clock
from reference_backend.collect import add_unfinished, balancer_spans, mark_abandoned, replica_spans
from reference_backend.deployment import Deployment


def rendered(*, faults: tuple[dict[str, Any], ...] = (), **balancer: Any) -> str:
    """Return the configuration of one load balancer in front of two replicas."""
    deployment = Deployment.model_validate(
        {
            "schema_version": 1,
            "name": "test",
            "entry": "edge",
            "parts": {
                "edge": {"kind": "load_balancer", "algorithm": "leastconn", "targets": "api", **balancer},
                "api": {
                    "kind": "service",
                    "replicas": 2,
                    "endpoints": {"read": {"demands": 1, "steps": [{"kind": "cpu", "demand": 0}]}},
                },
            },
            "faults": list(faults),
        }
    )
    frontends = haproxy.Frontends(
        fd_of={"edge": 7},
        replica_ports={"api": {0: 8001, 1: 8002}},
        origin_ports={},
        log_fd=9,
        notice_fd=10,
        control=Path("/run/h.sock"),
        connections=412,
    )
    return haproxy.render(deployment, frontends)


def test_defaults_are_explicit() -> None:
    """One thread, an explicit algorithm, inherited sockets, no abortonclose, and no limit unless it is asked for."""
    text = rendered()
    for line in (
        "nbthread 1",
        "balance leastconn",
        "bind fd@7",
        "log fd@9 format raw local0",
        "timeout connect 1000ms",
        "retries 3",
    ):
        assert f"    {line}\n" in text, line
    assert "server r0 127.0.0.1:8001\n" in text
    assert "server r1 127.0.0.1:8002\n" in text
    assert "abortonclose" not in text
    assert "server r0 127.0.0.1:8001 maxconn" not in text
    assert "weight 1\n" in text


def test_limits_and_timeouts_are_those_of_the_deployment() -> None:
    """Times are written in milliseconds, and the limit holds for each server."""
    text = rendered(max_connections_per_server=3, queue_timeout_s=0.3, server_timeout_s=12.5)
    assert "timeout queue 300ms" in text
    assert "timeout server 12500ms" in text
    assert "default-server check inter 2000ms fall 3 rise 2 maxconn 3 weight 1\n" in text


def test_no_server_timeout_is_the_longest_there_is() -> None:
    """Null stands for no limit; HAProxy's timers end at 24 days, and a missing one would only be a warning."""
    assert "    timeout server 24d\n" in rendered(server_timeout_s=None)


def test_connections_are_limited_in_the_process_and_in_each_frontend() -> None:
    """Without its own line a frontend would be limited by a number that HAProxy chooses."""
    process, defaults = rendered().split("defaults\n")
    assert "    maxconn 412\n" in process
    assert "    maxconn 412\n" in defaults.split("frontend")[0]


def test_health_checks_ask_where_no_endpoint_can_be() -> None:
    """The path of the check is none that a deployment could give to an endpoint."""
    assert "uri /-/health hdr" in rendered()


def test_random_draws_two_on_a_fine_ring() -> None:
    """``random`` is the best of two draws, and its ring has the most points it can have."""
    text = rendered(algorithm="random")
    assert "balance random(2)" in text
    assert "weight 256" in text


def test_each_key_is_said_in_haproxys_words() -> None:
    """Hash by key, weights of servers, queues, retries, slow starts, and how health is checked."""
    text = rendered(
        algorithm="hash",
        hash_type="consistent",
        hash_balance_factor=150,
        weights=[2, 1],
        max_connections_per_server=4,
        max_queue=9,
        connect_timeout_s=0.25,
        retries=1,
        redispatch=True,
        abort_on_close=True,
        slow_start_s=5.0,
        health_check={
            "interval_s": 0.5,
            "fall": 4,
            "rise": 1,
            "fast_interval_s": 0.1,
            "down_interval_s": 0.2,
            "timeout_s": 0.4,
            "on_marked_down": "shutdown_sessions",
        },
    )
    for line in (
        "balance url_param key",
        "hash-type consistent",
        "hash-balance-factor 150",
        "timeout connect 250ms",
        "retries 1",
        "option redispatch",
        "option abortonclose",
        "timeout check 400ms",
        "default-server check inter 500ms fall 4 rise 1 fastinter 100ms downinter 200ms on-marked-down "
        "shutdown-sessions maxconn 4 maxqueue 9 slowstart 5000ms weight 2",
        "server r0 127.0.0.1:8001",
        "server r1 127.0.0.1:8002 weight 1",
    ):
        assert f"    {line}\n" in text, line


def test_nothing_that_was_not_asked_for_finds_out_about_faults() -> None:
    """Checks that guard against a busy host are left out where a replica is to die unnoticed."""
    assert "default-server check inter 2000ms fall 3 rise 2 weight 1\n" in rendered()
    crash = {"kind": "crash", "at_s": 1.0, "component": "api"}
    assert "default-server weight 1\n" in rendered(faults=(crash,))


def test_random_keeps_its_fine_ring_with_weights() -> None:
    """The heaviest server has as many points as there can be."""
    text = rendered(algorithm="random", weights=[4, 1], draws=3)
    assert "balance random(3)" in text
    assert "default-server check inter 2000ms fall 3 rise 2 weight 256\n" in text
    assert "server r1 127.0.0.1:8002 weight 64\n" in text


CLOCK = Clock(zero_s=1000.0, wall_ahead_s=1_700_000_000.0)


def line(**changes: object) -> str:
    """Return a line of HAProxy's log."""
    entry = {
        "frontend": "edge",
        "request": "17",
        "attempt": "1",
        "path": "/read?key=3",
        "start_us": "1700001002500000",
        "Tw": "40",
        "Tc": "0",
        "Tr": "9",
        "Ta": "50",
        "status": "200",
        "termination": "--",
        "server": "r1",
        **changes,
    }
    return " ".join(str(entry[name]) for name in haproxy.LOG_FIELDS) + "\n"


def test_log_line_becomes_a_span() -> None:
    """Start from the wall clock, wait from Tw, end from Ta; the service time cannot be observed."""
    (span,) = balancer_spans(line(), CLOCK)
    assert (span["request"], span["attempt"], span["component"], span["replica"], span["operation"]) == (
        17,
        1,
        "edge",
        1,
        "read",
    )
    assert span["arrival_s"] == pytest.approx(2.5)
    assert span["admitted_s"] == pytest.approx(2.54)
    assert span["departure_s"] == pytest.approx(2.55)
    assert span["waiting_time_s"] == pytest.approx(0.04)
    assert math.isnan(span["service_time_s"])  # type: ignore[arg-type]
    assert span["outcome"] == "ok"


def test_refusal_after_the_queue_was_never_admitted() -> None:
    """A 503 after the queue's timeout has no server, no wait that ended, and counts as rejected."""
    (span,) = balancer_spans(line(Tw=300, Tc=-1, Tr=-1, Ta=300, status=503, termination="sQ", server="<NOSRV>"), CLOCK)
    assert (span["outcome"], span["replica"]) == ("rejected", -1)
    assert math.isnan(span["admitted_s"])  # type: ignore[arg-type]
    assert math.isnan(span["waiting_time_s"])  # type: ignore[arg-type]


def test_other_lines_are_left_out() -> None:
    """Warm-up requests, readiness requests and HAProxy's notices are no spans."""
    text = (
        line(request=-1) + line(request="-") + "Server edge/r1 is DOWN, reason: Layer4 connection problem.\n" + line()
    )
    assert len(balancer_spans(text, CLOCK)) == 1


def test_what_a_repeat_before_left_over_is_left_out() -> None:
    """A request that outlived its own repeat has an id that is given again: its lines must not join the new one."""
    assert balancer_spans(line(start_us="1699999997500000"), CLOCK) == []
    assert replica_spans('[5,0,[["api",0,"read",990.0,990.0,1001.0,0.0,0.1,"ok",null]]]\n', CLOCK) == []


def test_replica_lines_become_spans() -> None:
    """Times are relative to the schedule's zero, null becomes NaN, the warm-up is left out."""
    warm = '[-1,0,[["api",0,"read",999.0,999.0,999.1,0.0,0.1,"ok",null]]]\n'
    service_row = '["api",0,"read",1001.0,1001.5,1002.0,0.5,0.1,"ok",null]'
    database_row = '["main",0,"q",1001.6,null,1001.8,null,null,"timeout",null]'
    mine = f"[5,0,[{service_row},{database_row}]]\n"
    service, database = replica_spans(warm + mine, CLOCK)
    assert (service["arrival_s"], service["admitted_s"], service["departure_s"]) == (1.0, 1.5, 2.0)
    assert database["outcome"] == "timeout"
    assert math.isnan(database["admitted_s"])  # type: ignore[arg-type]


def span(departure_s: float, request: int = 1) -> dict[str, object]:
    """Return a span that ends at some time."""
    return {"request": request, "attempt": 0, "component": "api", "departure_s": departure_s}


def test_abandoned_is_what_outlived_its_client() -> None:
    """What ended before the client gave up is not abandoned, what ended after or never is; unknown stays null."""
    attempts: list[dict[str, object]] = [
        {"request": 1, "attempt": 0, "start_s": 0.0, "end_s": 1.0, "outcome": "timeout"},
        {"request": 2, "attempt": 0, "start_s": 0.0, "end_s": 1.0, "outcome": "ok"},
    ]
    spans = [span(0.9), span(1.1), span(math.nan), span(1.1, request=2), span(1.1, request=3)]
    mark_abandoned(spans, attempts)
    assert [one["abandoned"] for one in spans] == [False, True, True, False, None]


def test_attempt_without_a_line_is_in_flight() -> None:
    """An attempt that timed out and left no line at the load balancer is still there; an answered one is not added."""
    attempts: list[dict[str, object]] = [
        {"request": 1, "attempt": 0, "start_s": 0.5, "end_s": 1.0, "outcome": "timeout"},
        {"request": 2, "attempt": 0, "start_s": 0.5, "end_s": 1.0, "outcome": "error"},
    ]
    spans: list[dict[str, object]] = []
    add_unfinished(spans, attempts, "edge", {1: "read", 2: "read"})
    assert [(one["request"], one["outcome"], one["arrival_s"], one["operation"]) for one in spans] == [
        (1, "in_flight", 0.5, "read")
    ]
