"""The laws of limiters and waiting rooms hold for what the parts do, and catch rows that they would never leave."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import lab
from lab.validation.admission_laws import broken_admission_laws
from tests.unit.backends import scenario, service, waiting

ALGORITHMS = ("token_bucket", "gcra", "fixed_window", "sliding_window_log", "sliding_window_counter")
_CLOSED = {"kind": "closed", "population": 8, "think_time": "50ms", "endpoints": {"get": "100%"}}
_OPEN = {
    "kind": "open",
    "arrival_rate": "60/s",
    "endpoints": {"get": "100%"},
    "keys": {"kind": "zipf", "exponent": 1.0, "count": 9},
}


def _run(front: dict[str, Any], workload: dict[str, Any]) -> lab.Run:
    parts = {"gate": {"targets": "api"} | front, "api": service(waiting("30ms"))}
    described = scenario(parts, entry="gate", workload=workload, run={"duration": "5s", "replications": 1, "seed": 3})
    return lab.simulate(described, progress=False, allow_unstable=True)


def _said(run: lab.Run, **changes: Any) -> list[str]:
    """Return what the laws say about a run if its scenario had been another one."""
    described = lab.Scenario.model_validate(run.scenario).with_(
        {f"components.gate.{key}": value for key, value in changes.items()}
    )
    return list(broken_admission_laws(described, run))


@pytest.mark.parametrize("scope", ["shared", "per_key", "per_client"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_limit_is_kept_and_one_less_would_have_been_broken(algorithm: str, scope: str) -> None:
    """The law knows the promise of each algorithm, for each that is counted apart."""
    front = {"kind": "rate_limiter", "algorithm": algorithm, "limit": 4, "scope": scope, "check_time": "2ms"}
    run = _run(front, _CLOSED if scope == "per_client" else _OPEN)
    assert (run.requests["outcome"] == "rejected").any()
    assert _said(run) == []
    (*_, said) = _said(run, limit=3)
    assert said.startswith("limit: gate in replication 0 let pass up to ")


def test_an_unguarded_endpoint_is_not_checked() -> None:
    """Rows of another endpoint at the limiter break the law."""
    run = _run({"kind": "rate_limiter", "limit": 4}, _OPEN)
    run = run.only(0)
    described = lab.Scenario.model_validate(run.scenario)
    gate = described.components["gate"].model_copy(update={"endpoints": ("other",)})
    changed = described.model_copy(update={"components": {**described.components, "gate": gate}})
    (said, *_) = broken_admission_laws(changed, run)
    assert "requests that it does not guard" in said


@pytest.mark.parametrize(
    ("room", "change", "says"),
    [
        ({"admission_rate": "20/s"}, {"admission_rate": "15/s"}, "let one in 0.05 s after another, not 0.0666667 s"),
        (
            {"max_active": 3, "session_duration": "200ms"},
            {"max_active": 2},
            "places: 3 clients were inside gate in replication 0, which lets 2 in",
        ),
    ],
)
def test_a_room_is_kept_and_a_smaller_one_would_have_been_broken(
    room: dict[str, Any], change: dict[str, Any], says: str
) -> None:
    """Whom it lets in, and how fast."""
    run = _run({"kind": "waiting_room"} | room, _CLOSED)
    assert _said(run) == []
    assert any(says in sentence for sentence in _said(run, **change))


def test_who_is_let_in_before_one_who_waited_longer_breaks_the_law() -> None:
    """Two rows change places."""
    run = _run({"kind": "waiting_room", "max_active": 1}, _OPEN)
    visits: pd.DataFrame = run.visits
    waited = visits.index[(visits["component"] == "gate") & (visits["waiting_time_s"] > 0.1)][:2]
    first, second = visits.loc[waited, "admitted_s"]
    visits.loc[waited, "admitted_s"] = [second, first]
    (said,) = [each for each in _said(run) if each.startswith("order")]
    assert said.startswith("order: 1 times a request at gate in replication 0 was served before one that had waited")


@pytest.mark.parametrize("algorithm", ["fixed_window", "sliding_window_counter"])
@pytest.mark.parametrize("scope", ["shared", "per_key"])
def test_windows_from_the_first_request_are_judged_as_such(algorithm: str, scope: str) -> None:
    """The law holds for windows that begin with a request; by the clock, or with one less, it would be broken."""
    front = {"kind": "rate_limiter", "algorithm": algorithm, "limit": 4, "window": "700ms", "scope": scope}
    run = _run(front | {"windows": "first_request"}, _OPEN)
    assert _said(run) == []
    assert _said(run, limit=3)
    if scope == "per_key":  # where many come, the first one comes at 0
        assert _said(run, windows="by_clock")
