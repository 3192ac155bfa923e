"""Hedged calls between services: the same rule as that of clients; every time by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import lab
from lab.randomness import child_visit, name_key
from lab.simulation.request import Handling
from lab.validation.laws import broken_laws
from tests.unit.backends import observe, scenario, service, waiting


def _seen(*times_s: float, starts_s: tuple[float, ...] = (1.0,), **call: Any) -> tuple[pd.DataFrame, pd.DataFrame, Any]:
    """Return the requests, the leaf's visits and the addresses of what it was asked, taking these times in turn."""
    places: list[int] = []

    class Leaf:
        def __init__(self, context: lab.Context) -> None:
            self._context = context

        def handle(self, request: lab.Request) -> Handling:
            clock, time_s = self._context.clock, times_s[len(places) % len(times_s)]
            places.append(request.visit)
            visit = self._context.log.open_visit(request, self._context.name, 0, clock.now)
            visit.admit(clock.now)
            visit.service_time_s = abs(time_s)
            yield clock.timeout(abs(time_s))
            return visit.close(clock.now, lab.Outcome.OK if time_s > 0 else lab.Outcome.ERROR)

    step = {"kind": "call", "target": "leaf", "endpoint": "get", **call}
    described = scenario({"api": service(step), "leaf": service(waiting("1ms"))})
    requests, visits = observe(described, list(starts_s), own={"leaf": Leaf})
    return requests, visits[visits["component"] == "leaf"], places


@pytest.mark.parametrize(
    ("times_s", "took_s", "sent"),
    [
        ((0.05,), 0.05, [0.0]),
        ((0.9, 0.2), 0.3, [0.0, 0.1]),
        ((0.15, 0.9), 0.15, [0.0, 0.1]),
        ((-0.01, 0.2), 0.21, [0.0, 0.01]),
    ],
)
def test_the_first_good_answer_counts(times_s: tuple[float, ...], took_s: float, sent: list[float]) -> None:
    """A second call after 100 ms, or at once after a failure (a negative time); it is no attempt of the client's."""
    requests, leaf, _ = _seen(*times_s, hedge={"after": "100ms"})
    assert requests["outcome"].tolist() == ["ok"]
    assert requests["attempts"].tolist() == [1]
    assert requests["sojourn_time_s"].tolist() == pytest.approx([took_s])
    assert (leaf["arrival_s"] - 1).tolist() == pytest.approx(sent)


def test_each_copy_has_an_address_of_its_own_and_the_first_that_of_a_plain_call() -> None:
    """So variants with and without a hedge see the same world."""
    _, _, plain = _seen(0.05)
    _, _, places = _seen(0.9, hedge={"after": "100ms", "attempts": 3})
    assert places[0] == plain[0]
    others = [child_visit(places[0], (name_key("hedge") + copy) % 2**64) for copy in (1, 2)]
    assert places[1:] == others


def test_all_that_fail_is_a_bad_gateway() -> None:
    """Both copies fail after 10 ms."""
    requests, _, _ = _seen(-0.01, hedge={"after": "100ms"})
    assert (requests["outcome"][0], requests["sojourn_time_s"][0]) == ("error", pytest.approx(0.02))


def test_the_timeout_is_that_of_the_whole_call() -> None:
    """After 250 ms it fails, and no third copy follows."""
    requests, leaf, _ = _seen(0.9, timeout="250ms", hedge={"after": "200ms", "attempts": 3})
    assert (requests["outcome"][0], requests["sojourn_time_s"][0]) == ("error", pytest.approx(0.25))
    assert (leaf["arrival_s"] - 1).tolist() == pytest.approx([0.0, 0.2])
    assert leaf["departure_s"].tolist() == pytest.approx([1.9, 2.1])


def test_a_process_pays_for_the_copies_of_all_its_requests() -> None:
    """One is saved at the start, and each request puts half of one in."""
    hedge = {"after": "100ms", "budget": {"ratio": "50%", "burst": 1}}
    _, leaf, _ = _seen(0.5, starts_s=(0.0, 1.0, 2.0, 3.0, 4.0), hedge=hedge)
    assert leaf.groupby("request").size().tolist() == [2, 1, 2, 1, 2]


def test_the_laws_hold_while_copies_serve_one_attempt() -> None:
    """Under load, where about half of the calls are hedged; the client's time is not the sum over all copies."""
    step = {"kind": "call", "target": "leaf", "endpoint": "get", "hedge": {"after": "10ms"}}
    leaf = service({"kind": "wait", "time": {"kind": "exponential", "mean": "15ms"}}, concurrency=4)
    described = scenario(
        {"api": service(step), "leaf": leaf},
        workload={"kind": "open", "arrival_rate": "50/s", "endpoints": {"get": "100%"}},
        run={"duration": "20s", "replications": 1},
    )
    run = lab.simulate(described, progress=False, allow_unstable=True)
    calls = (run.visits["component"] == "leaf").sum() / len(run.requests)
    assert 1.3 < calls < 1.9
    assert broken_laws(run) == []


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"timeout": "1s", "hedge": {"after": "1s"}}, "must be less than the timeout"),
        ({"hedge": {"after": "1s", "budget": {"ratio": "5%", "scope": "per_client"}}}, "per_client has no effect on a"),
        ({"hedge": {"after": "1s", "throttle": {"scope": "per_client"}}}, "per_client has no effect on a call"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(call: dict[str, Any], says: str) -> None:
    """With the place and the reason."""
    plain = {"kind": "call", "target": "leaf", "endpoint": "get"}
    fine = scenario({"api": service(plain), "leaf": service(waiting("1ms"))})
    with pytest.raises(lab.errors.ScenarioError) as caught:
        fine.with_({"components.api.endpoints.get.0": plain | call})
    assert any("components.api.endpoints.get.0" in said and says in said for said in caught.value.problems)
