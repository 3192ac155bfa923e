"""Whom a service turns away, and what it does not ask for, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

import lab
from lab.errors import ScenarioError
from lab.simulation.request import Outcome
from lab.validation.laws import broken_laws
from tests.unit.backends import observe, scenario, service, waiting

OK, REJECTED, ERROR, TIMEOUT = Outcome.OK, Outcome.REJECTED, Outcome.ERROR, Outcome.TIMEOUT


def _ms(*times: float) -> list[float]:
    return [time / 1000 for time in times]


def _one_at_a_time(time: str, **keys: Any) -> lab.Scenario:
    return scenario({"api": service(waiting(time), concurrency=1, **keys)})


def test_codel_sheds_at_its_published_times() -> None:
    """Twice as many come as are served: the first is shed after 100 ms too long, then 100 / sqrt(n) ms apart.

    Requests come every 0.5 ms and take 1 ms, so the one called at k ms has waited k / 2 ms: 5 ms or more from 10 ms on.
    """
    starts_s = [0.0005 * number for number in range(1000)]
    _, visits = observe(_one_at_a_time("1ms", shedding="codel"), starts_s)
    shed_ms = (visits.loc[visits["outcome"] == "rejected", "departure_s"] * 1000).round(6).sort_values().tolist()
    law, due = [], 210.0
    for count in range(1, 9):
        law.append(due)
        due += 100 / (count + 1) ** 0.5
    assert law[:4] == pytest.approx([210.0, 280.710678, 338.445705, 388.445705])
    # Each is shed by the first call, at whole milliseconds, when it is due.
    assert shed_ms[:9] == [110, *(-(-due // 1) for due in law)]


def test_codel_keeps_calm_while_the_wait_is_short_or_few_wait() -> None:
    """A burst that is worked off within the interval is left alone, and so are two who wait for long."""
    burst = [0.0] * 90
    requests, _ = observe(_one_at_a_time("1ms", shedding="codel"), burst)
    assert (requests["outcome"] == OK).all()
    requests, _ = observe(_one_at_a_time("1s", shedding="codel"), [0.0, 0.1, 0.2, 1.5, 2.5, 3.5])
    assert (requests["outcome"] == OK).all()


def test_codel_resumes_with_the_frequency_it_stopped_at() -> None:
    """A second overload soon after the first is shed faster at once: its second one comes sooner than 100 ms later."""
    first = [0.0005 * number for number in range(1000)]
    again = [1.05 + 0.0005 * number for number in range(700)]
    _, visits = observe(_one_at_a_time("1ms", shedding="codel"), first + again)
    shed = visits.loc[visits["outcome"] == "rejected"]
    later_s = shed.loc[shed["arrival_s"] > 1.04, "departure_s"].sort_values().tolist()
    assert later_s[1] - later_s[0] < 0.05


def test_server_codel_is_patient_in_a_burst_and_impatient_in_a_standing_queue() -> None:
    """One at a time for 60 ms, one every 30 ms: who came within 100 ms of an empty backlog may wait for 100 ms.

    The backlog is empty last when the third comes, at 61 ms; who comes from 161 ms on has 5 ms.
    """
    starts_s = _ms(0, 31, 61, 91, 121, 151, 181, 211, 241, 271, 301)
    requests, _ = observe(_one_at_a_time("60ms", shedding="server_codel"), starts_s)
    r = REJECTED
    assert requests["outcome"].tolist() == [OK, OK, OK, OK, r, OK, r, r, r, r, OK]
    ends_s = _ms(60, 120, 180, 240, 240, 300, 300, 300, 300, 300, 361)
    assert requests["end_s"].tolist() == pytest.approx(ends_s)


def test_a_patience_of_its_own_may_be_given() -> None:
    """With an interval of 1 s and a target of 1 s nobody is turned away in the same schedule."""
    shedding = {"kind": "server_codel", "target": "1s", "interval": "1s"}
    requests, _ = observe(_one_at_a_time("60ms", shedding=shedding), _ms(0, 31, 61, 91, 121, 151, 181, 211))
    assert (requests["outcome"] == OK).all()


def test_being_shed_costs_the_event_loop_time() -> None:
    """The answer to who was shed takes 5 ms of CPU, and counts as no wait."""
    described = _one_at_a_time("200ms", shedding="server_codel", rejection_overhead="5ms")
    requests, visits = observe(described, _ms(0, 10, 20))
    assert requests["outcome"].tolist() == [OK, REJECTED, REJECTED]
    assert requests["end_s"].tolist() == pytest.approx(_ms(200, 205, 210))
    assert visits.loc[visits["component"] == "api", "waiting_time_s"].tolist() == pytest.approx(_ms(0, 190, 180))


def test_adaptive_lifo_serves_the_newest_first_while_many_wait() -> None:
    """Three wait: the newest goes first; two are few, so the oldest of them follows."""
    described = _one_at_a_time("10ms", discipline="adaptive_lifo", lifo_threshold=3)
    requests, _ = observe(described, _ms(0, 1, 2, 3))
    assert requests["end_s"].tolist() == pytest.approx(_ms(10, 30, 40, 20))


def test_work_is_not_begun_for_who_has_given_up() -> None:
    """Clients wait for 50 ms: at 100 ms the second has gone and is dropped, and the third gets the slot at once."""
    api = service(waiting("100ms"), concurrency=1, drop_expired=True)
    described = scenario({"api": api}, client={"timeout": "50ms"})
    _, visits = observe(described, _ms(0, 10, 90))
    assert visits["outcome"].tolist() == [OK, REJECTED, OK]
    assert visits["departure_s"].tolist() == pytest.approx(_ms(100, 100, 200))
    as_before = described.with_({"components.api.drop_expired": False})
    _, visits = observe(as_before, _ms(0, 10, 90))
    assert visits["departure_s"].tolist() == pytest.approx(_ms(100, 200, 300))


def test_deadlines_travel_with_calls_but_not_with_messages() -> None:
    """The callee does not begin what its caller's client wants no more; what a queue holds has all the time."""
    parts = {
        "api": service(
            waiting("100ms"),
            {"kind": "call", "target": "inner", "endpoint": "get"},
            {"kind": "publish", "queue": "jobs"},
        ),
        "inner": {"kind": "service", "endpoints": {"get": [waiting("1s")]}, "drop_expired": True},
        "jobs": {"kind": "queue", "consumer": "worker", "endpoint": "get", "publish_time": "0s"},
        "worker": service(waiting("1s"), drop_expired=True),
    }
    _, visits = observe(scenario(parts, client={"timeout": "50ms"}), [0.0])
    ends = visits.set_index("component")["outcome"].to_dict()
    assert ends == {"api": ERROR, "inner": REJECTED}
    parts["api"] = service(waiting("100ms"), {"kind": "publish", "queue": "jobs"})
    _, visits = observe(scenario(parts, client={"timeout": "50ms"}), [0.0])
    assert visits.set_index("component").loc["worker", "outcome"] == OK


@pytest.mark.parametrize(("max_wait", "ends_s", "third"), [("0s", [1.0, 1.1, 0.2], ERROR), ("1s", [1.0, 1.1, 2.0], OK)])
def test_a_bulkhead_holds_calls_back(max_wait: str, ends_s: list[float], third: Outcome) -> None:
    """Two calls at once: the third fails at once, or waits for the first to end."""
    parts = {
        "api": service(
            {"kind": "call", "target": "partner", "endpoint": "get"},
            bulkheads={"partner": {"max_concurrent": 2, "max_wait": max_wait}},
        ),
        "partner": service(waiting("1s")),
    }
    requests, visits = observe(scenario(parts), [0.0, 0.1, 0.2])
    assert requests["outcome"].tolist() == [OK, OK, third]
    assert requests["end_s"].tolist() == pytest.approx(ends_s)
    rows = visits[visits["component"] == "api.bulkhead.partner"]
    assert rows["outcome"].tolist() == [OK, OK, OK if third is OK else REJECTED]
    assert rows["waiting_time_s"].tolist() == pytest.approx([0.0, 0.0, 0.8 if third is OK else 0.0])


def test_a_bulkhead_is_25_calls_without_a_wait_by_default() -> None:
    """As resilience4j has it; and on paper it is a place like others."""
    parts = {
        "api": service({"kind": "call", "target": "partner", "endpoint": "get"}, bulkheads={"partner": {}}),
        "partner": service(waiting("1s")),
    }
    requests, _ = observe(scenario(parts), [0.0] * 30)
    assert (requests["outcome"] == OK).sum() == 25
    row = lab.arithmetic(scenario(parts)).row("partner", "bulkhead", caller="api")
    assert (row.servers, row.holding_time_s) == (25, pytest.approx(1.0))


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"shedding": "codel"}, "shedding: has no effect, as nobody waits at a service without a limit"),
        ({"shedding": "codel", "concurrency": 1, "discipline": "lifo"}, "shedding: codel judges the queue by how long"),
        ({"shedding": "server_codel", "concurrency": 1, "backlog": 0}, "shedding: has no effect, as with backlog: 0"),
        (
            {"lifo_threshold": 3, "concurrency": 1},
            "lifo_threshold: belongs to discipline adaptive_lifo, and that",
        ),
        ({"discipline": "adaptive_lifo", "concurrency": 1}, "lifo_threshold: belongs to discipline adaptive_lifo"),
        (
            {"bulkheads": {"partner": {}}},
            "bulkheads: there is no call of 'partner' to hold back here (it calls: no",
        ),
        ({"drop_expired": True}, "api.drop_expired: has no effect, as clients never give up; give them a timeout or a"),
    ],
)
def test_keys_without_effect_are_refused(keys: dict[str, Any], says: str) -> None:
    """The message says where and why."""
    with pytest.raises(ScenarioError) as caught:
        scenario({"api": service(waiting("1ms"), **keys)})
    assert says in str(caught.value)


def test_only_a_longest_wait_bounds_the_backlog_on_paper() -> None:
    """Overloaded on average: nothing but a patience, or clients that give up, keeps the queue from growing."""
    workload = {"kind": "open", "arrival_rate": "20/s", "endpoints": {"get": "100%"}}

    def severity(client: dict[str, Any] | None = None, **keys: Any) -> list[str]:
        api = service(waiting("100ms"), concurrency=1, **keys)
        return [
            each.severity
            for each in lab.arithmetic(scenario({"api": api}, workload=workload, client=client or {})).findings
        ]

    assert severity() == severity(shedding="codel") == ["unstable"]
    assert severity(shedding="server_codel") == ["overload"]
    assert severity({"timeout": "1s"}, drop_expired=True) == ["overload"]


def test_the_laws_hold_for_all_of_it_together() -> None:
    """Workers that shed, drop and hold back, under an overload with retries."""
    parts = {
        "edge": {"kind": "load_balancer", "targets": "api"},
        "api": service(
            waiting("20ms"),
            {"kind": "call", "target": "inner", "endpoint": "get"},
            replicas=2,
            concurrency=12,
            discipline="adaptive_lifo",
            lifo_threshold=4,
            shedding="server_codel",
            drop_expired=True,
            rejection_overhead="1ms",
            bulkheads={"inner": {"max_concurrent": 8, "max_wait": "10ms"}},
        ),
        "inner": service(waiting("8ms"), concurrency=1, shedding="codel"),
    }
    described = scenario(
        parts,
        entry="edge",
        workload={"kind": "open", "arrival_rate": "250/s", "endpoints": {"get": "100%"}},
        client={"timeout": "100ms", "retry": {"attempts": 2}},
        run={"duration": "6s", "replications": 1},
    )
    run = lab.simulate(described, progress=False, allow_unstable=True)
    assert broken_laws(run) == []
    assert {"ok", "rejected"} <= set(run.visits.loc[run.visits["component"] == "api.bulkhead.inner", "outcome"])
    assert (run.visits.loc[run.visits["component"] == "inner", "outcome"] == "rejected").any()
