"""Shares of replicas and the time until a failure is noticed, as the matrix judges them."""

from __future__ import annotations

import math

import pytest

import lab
from lab.errors import NotEnoughData
from lab.runs.run import Run
from lab.scenario.arithmetic import arithmetic
from lab.scenario.scenario import Scenario
from lab.validation.margins import Regime, regime
from lab.validation.over_time import over_time
from tests.unit.backends import scenario, service, waiting

CRASH = {"kind": "crash", "at": "4s", "component": "api", "replica": 0, "restart_after": "1s"}
SLOW = {"kind": "slow_down", "steps": "wait", "at": "0s", "component": "api", "replica": 1, "factor": 8}
FAR = {"kind": "slow_link", "at": "0s", "between": ["client", "edge"], "delay": "10ms"}


def described(*faults: dict[str, object], replicas: int = 2) -> Scenario:
    """Return 10 s of 20 requests a second at a balanced service whose every answer takes 50 ms."""
    check = {"interval": "500ms", "fall": 2, "rise": 1}
    edge = {"kind": "load_balancer", "targets": "api", "health_check": check, "redispatch": True}
    parts = {"edge": edge, "api": service(waiting("50ms"), replicas=replicas, concurrency=2)}
    workload = {"kind": "open", "arrival_rate": "20/s", "endpoints": {"get": "100%"}}
    run = {"duration": "10s", "replications": 2}
    return scenario(parts, entry="edge", faults=list(faults), workload=workload, run=run)


def simulated(*faults: dict[str, object], replicas: int = 2) -> Run:
    """Return a prediction of it."""
    return lab.simulate(described(*faults, replicas=replicas), progress=False)


def test_shares_have_a_place_for_every_replica_that_ever_was() -> None:
    """In turn, until one dies: its successor has the third place, and all sum to 1."""
    (first, second) = over_time("share_per_replica", simulated())
    assert len(first) == len(second) == 2
    assert first == pytest.approx([0.5, 0.5], abs=0.01)
    struck = over_time("share_per_replica", simulated(CRASH))[0]
    assert len(struck) == 3
    assert sum(struck) == pytest.approx(1.0)
    assert struck[0] < 0.3 < struck[1]


def test_one_replica_has_no_share_to_compare() -> None:
    """It has all, whatever happens."""
    with pytest.raises(NotEnoughData, match="no service has more than one replica"):
        over_time("share_per_replica", simulated(replicas=1))


def test_detection_is_timed_from_the_death_to_the_second_failed_check() -> None:
    """Checks of server 0 come at 4.0 and 4.5 s."""
    assert over_time("detection_time_s", simulated(CRASH)) == [[pytest.approx(0.5)]] * 2
    late = {**CRASH, "at": "9.9s"}
    assert all(math.isnan(value) for row in over_time("detection_time_s", simulated(late)) for value in row)
    with pytest.raises(NotEnoughData, match="nothing crashed or hung"):
        over_time("detection_time_s", simulated())


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({**SLOW, "duration": "10s", "factor": 2}, Regime.MODERATE),
        ({**SLOW, "duration": "10s", "factor": 3}, Regime.HIGH),
        ({**SLOW, "duration": "10s"}, Regime.TRANSIENT),
        ({**SLOW, "duration": "9s", "factor": 2}, Regime.TRANSIENT),
        (CRASH, Regime.TRANSIENT),
        ({**FAR, "duration": "10s"}, Regime.MODERATE),
        ({**FAR, "duration": "5s"}, Regime.TRANSIENT),
    ],
    ids=["slow", "very slow", "overloaded", "for a while", "crash", "far away", "far away for a while"],
)
def test_what_is_slow_throughout_is_no_transient(fault: dict[str, object], expected: Regime) -> None:
    """A quarter busy as the arithmetic has it: two, three and eight times that at the slow replica."""
    judged = described(fault)
    assert regime(judged, arithmetic(judged)) is expected
