"""What of limits, threads and hosts is rendered for the reference backend, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from lab.errors import Unsupported
from lab.measurement.render import deployment
from lab.scenario.scenario import Scenario
from tests.unit.backends import scenario

_STEPS = [
    {"kind": "thread", "steps": [{"kind": "cpu", "work": "argon2id", "time": "20ms"}]},
    {"kind": "cpu", "work": "json", "time": "1ms"},
    {"kind": "cpu", "time": "2ms"},
]
_API = {"kind": "service", "endpoints": {"get": _STEPS}}
_GATE = {"kind": "rate_limiter", "targets": "api", "limit": 5, "window": "2s"}


def _limited(**changes: Any) -> Scenario:
    return scenario({"gate": _GATE | changes, "api": _API}, entry="gate")


def test_real_work_is_named_beside_its_demand() -> None:
    """The demand travels all the same, so that both worlds have the same slots."""
    steps = deployment(scenario({"api": _API}))["parts"]["api"]["endpoints"]["get"]["steps"]
    assert steps[0] == {"kind": "thread", "steps": [{"kind": "cpu", "demand": 0, "work": "argon2id"}]}
    assert [(step["demand"], step["work"]) for step in steps[1:]] == [(1, "json"), (2, None)]


def test_limits_are_rendered_in_seconds() -> None:
    """A bucket of the limit's size if no burst is given; a gcra's burst is one more than redis-cell's."""
    bucket = deployment(_limited())["parts"]["gate"]
    assert (bucket["counted_in"], bucket["limit"], bucket["window_s"], bucket["burst"]) == ("valkey", 5, 2, 5)
    assert deployment(_limited(algorithm="gcra", burst=3))["parts"]["gate"]["burst"] == 4


def test_haproxy_counts_before_a_load_balancer() -> None:
    """Only sliding_window_counter, which is what its stick tables do."""
    gate = _GATE | {"targets": "edge", "algorithm": "sliding_window_counter", "windows": "first_request"}
    edge = {"kind": "load_balancer", "targets": "api"}
    parts = deployment(scenario({"gate": gate, "edge": edge, "api": _API}, entry="gate"))["parts"]
    assert parts["gate"]["counted_in"] == "haproxy"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"algorithm": "fixed_window", "windows": "by_clock"}, "windows: first_request"),
        ({"algorithm": "sliding_window_counter"}, "windows: first_request"),
        ({"window": "1500ms"}, "whole seconds"),
    ],
)
def test_what_real_counters_do_otherwise_is_refused(changes: dict[str, Any], told: str) -> None:
    """Neither windows by the clock nor halves of seconds."""
    with pytest.raises(Unsupported, match=told):
        deployment(_limited(**changes))


def test_a_host_is_how_many_cores_the_backend_has() -> None:
    """It is no part; whoever computes elsewhere, or on a second host, has no counterpart."""
    host = {"kind": "host", "cores": 1, "quantum": "4ms"}
    rendered = deployment(scenario({"api": _API | {"hosts": ["vm"]}, "vm": host}))
    assert (rendered["cores"], list(rendered["parts"])) == (1, ["api"])
    assert deployment(scenario({"api": _API}))["cores"] is None
    other = {"kind": "service", "endpoints": {"get": [{"kind": "call", "target": "api", "endpoint": "get"}]}}
    with pytest.raises(Unsupported, match="front computes elsewhere"):
        deployment(scenario({"front": other, "api": _API | {"hosts": ["vm"]}, "vm": host}, entry="front"))


def test_shedding_is_rendered() -> None:
    """With its target and interval, or null."""
    api = _API | {"concurrency": 2, "shedding": {"kind": "codel", "target": "20ms"}}
    assert deployment(scenario({"api": api}))["parts"]["api"]["shedding"] == {
        "kind": "codel", "target_s": 0.02, "interval_s": 0.1,
    }  # fmt: skip
    assert deployment(scenario({"api": _API}))["parts"]["api"]["shedding"] is None
