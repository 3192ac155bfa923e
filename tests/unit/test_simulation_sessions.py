"""Sessions: journeys by hand, who gives up, whose key, and the storm at their door."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lab
from lab.scenario.arithmetic import arithmetic
from lab.scenario.mix import request_mix
from lab.scenario.scenario import Scenario
from lab.validation.laws import broken_laws
from tests.unit.backends import live, scenario, waiting

_AT_ONCE = {"kind": "herd", "clients": 3, "at": "1s"}
_LOGIN = [{"endpoint": "login"}, {"endpoint": "feed", "think_time": "2s"}, {"endpoint": "feed", "think_time": "500ms"}]
_API = {"kind": "service", "endpoints": {"login": [waiting("300ms")], "feed": [waiting("100ms")]}}


def _sessions(journeys: Any = None, *, api: Any = None, **others: Any) -> Scenario:
    workload = {
        "kind": "sessions",
        "arrival_rate": others.pop("arrival_rate", _AT_ONCE),
        "journeys": journeys or {"morning": {"requests": _LOGIN}},
        **others.pop("workload", {}),
    }
    return scenario({"api": api or _API}, workload=workload, **{"run": {"duration": "20s"}, **others})


def test_a_journey_goes_from_answer_to_answer() -> None:
    """Login at 1 s, answered at 1.3; feed 2 s later, answered at 3.4; feed again 0.5 s later."""
    requests, _ = live(_sessions(arrival_rate={**_AT_ONCE, "clients": 1}))
    assert requests["endpoint"].tolist() == ["login", "feed", "feed"]
    assert requests["intended_start_s"].tolist() == pytest.approx([1.0, 3.3, 3.9])
    assert requests["sojourn_time_s"].tolist() == pytest.approx([0.3, 0.1, 0.1])


def test_request_numbers_belong_to_the_session_and_the_step() -> None:
    """Number = session x longest journey + step, whatever happens in between; a shorter journey leaves gaps."""
    journeys = {"long": {"share": "50%", "requests": _LOGIN}, "short": {"share": "50%", "requests": _LOGIN[:1]}}
    requests, _ = live(_sessions(journeys, arrival_rate={**_AT_ONCE, "clients": 60, "jitter": "5s"}))
    steps = requests.groupby(requests["request"] // 3)["endpoint"].agg(list)
    assert len(steps) == 60
    assert {tuple(each) for each in steps} == {("login", "feed", "feed"), ("login",)}
    assert 15 < (steps.map(len) == 3).sum() < 45
    assert (requests.loc[requests["request"] % 3 == 0, "endpoint"] == "login").all()


@pytest.mark.parametrize(("on_failure", "left"), [("abandon", ["login"]), ("go_on", ["login", "feed", "feed"])])
def test_a_failed_request_ends_the_session_or_does_not(on_failure: str, left: list[str]) -> None:
    """The login takes 300 ms, the client waits for 200: it leaves, or goes on from there."""
    described = _sessions(
        arrival_rate={**_AT_ONCE, "clients": 1}, client={"timeout": "200ms"}, workload={"on_failure": on_failure}
    )
    requests, _ = live(described)
    assert requests["endpoint"].tolist() == left
    assert requests["outcome"].tolist() == ["timeout", "ok", "ok"][: len(left)]
    assert requests["intended_start_s"].tolist() == pytest.approx([1.0, 3.2, 3.8][: len(left)])


def test_thinking_may_come_before_the_first_request() -> None:
    """A herd at 1 s that looks at a splash screen for 2 s asks at 3 s."""
    journeys = {"late": {"requests": [{"endpoint": "login", "think_time": "2s"}]}}
    requests, _ = live(_sessions(journeys))
    assert requests["intended_start_s"].tolist() == pytest.approx([3.0] * 3)


def test_a_key_may_stay_with_the_session() -> None:
    """Per session: one key all the way; per request: several."""
    keys = {"keys": {"kind": "uniform", "count": 1000}}
    for per, most in (("session", 1), ("request", 3)):
        requests, _ = live(_sessions(arrival_rate={**_AT_ONCE, "clients": 20}, workload=keys | {"key_per": per}))
        different = requests.groupby(requests["request"] // 3)["key"].nunique()
        assert different.max() == most
        assert requests["key"].nunique() > 15


def test_draws_belong_to_the_session_and_the_step() -> None:
    """A slower server moves the times; the thinking stays."""
    journeys = {"j": {"requests": [{"endpoint": "login"}, {"endpoint": "feed", "think_time": _EXPONENTIAL}]}}
    thought = []
    for time in ("1ms", "1500ms"):
        api = {"kind": "service", "endpoints": {name: [waiting(time)] for name in ("login", "feed")}}
        requests, _ = live(_sessions(journeys, api=api, arrival_rate="2/s"))
        by_number = requests.set_index("request")
        thought.append(
            {
                number: by_number.loc[number, "intended_start_s"] - by_number.loc[number - 1, "end_s"]
                for number in by_number.index
                if number % 2
            }
        )
    shared = thought[0].keys() & thought[1].keys()
    assert len(shared) > 10
    assert [thought[0][number] for number in shared] == pytest.approx([thought[1][number] for number in shared])


_EXPONENTIAL = {"kind": "exponential", "mean": "2s"}


def test_arrivals_of_sessions_are_those_of_an_open_workload() -> None:
    """The same stream of luck: session s comes when request s of an open workload would."""
    journeys = {"j": {"requests": [{"endpoint": "login"}]}}
    sessions, _ = live(_sessions(journeys, arrival_rate="5/s"))
    open_ = {"kind": "open", "arrival_rate": "5/s", "endpoints": {"login": "100%"}}
    requests, _ = live(_sessions().with_({"workload": open_}))
    assert sessions["intended_start_s"].to_numpy() == pytest.approx(requests["intended_start_s"].to_numpy(), abs=1e-12)


def test_the_arithmetic_counts_a_journey_at_its_arrival() -> None:
    """2/s sessions of 3 and 1 requests, half and half: 4/s requests, half of them feeds; 0.5 x 0.3 + 0.5 x 0.1 s."""
    journeys = {"long": {"share": "50%", "requests": _LOGIN}, "short": {"share": "50%", "requests": _LOGIN[:1]}}
    described = _sessions(journeys, api={**_API, "concurrency": 1}, arrival_rate="2/s")
    assert request_mix(described) == pytest.approx({"login": 0.5, "feed": 0.5})
    sums = arithmetic(described)
    assert sums.rates_per_s == pytest.approx({"base": 4.0, "mean": 4.0, "peak": 4.0})
    assert sums.row("api", "slots").utilisation == pytest.approx(4 * 0.2)


def test_a_herd_at_once_counts_in_the_mean_alone() -> None:
    """30 clients with 3 requests each in 20 s: 4.5/s on average, and no rate that lasts."""
    sums = arithmetic(_sessions(arrival_rate={**_AT_ONCE, "clients": 30}))
    assert sums.rates_per_s == pytest.approx({"base": 0.0, "mean": 4.5, "peak": 4.5})


@pytest.mark.slow
def test_the_laws_hold_and_the_run_keeps_its_bytes() -> None:
    """A storm of logins with retries: laws hold, the same seed gives the same Run in two processes."""
    client = {"timeout": "400ms", "retry": {"attempts": 2}}
    storm = {"kind": "sum", "of": ["2/s", {**_AT_ONCE, "clients": 100, "jitter": "2s"}]}
    described = _sessions(arrival_rate=storm, api={**_API, "concurrency": 5, "backlog": 10}, client=client)
    runs = [lab.simulate(described, replications=2, n_jobs=jobs, progress=False) for jobs in (1, 2)]
    assert broken_laws(runs[0]) == []
    assert runs[0].fingerprint() == runs[1].fingerprint()
    assert len(set(runs[0].requests["outcome"])) > 2


def test_nobody_starts_before_a_session_arrives() -> None:
    """By no last bit of a float."""
    described = _sessions({"j": {"requests": [{"endpoint": "login"}]}}, arrival_rate="50/s")
    requests, _ = live(described)
    assert (np.diff(requests["intended_start_s"]) >= 0).all()
