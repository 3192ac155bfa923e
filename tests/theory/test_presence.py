"""Coming and going against theory, by 99.9 % intervals, each beside a twin that must be rejected."""

from __future__ import annotations

from typing import Any

import pytest

import lab
from lab.theory.intervals import mean_interval

LEVEL = 0.999


def _chats(online: Any, offline: Any) -> lab.Scenario:
    return lab.Scenario.model_validate(
        {
            "name": "chats",
            "workload": {
                "kind": "open",
                "arrival_rate": "15/s",
                "endpoints": {"send": "100%"},
                "keys": {"kind": "uniform", "count": 3000},
            },
            "entry": "api",
            "components": {
                "api": {"kind": "service", "endpoints": {"send": [{"kind": "publish", "queue": "chats"}]}},
                "chats": {
                    **{"kind": "mailbox", "consumer": "delivery", "endpoint": "push", "publish_time": "0s"},
                    **{"online": online, "offline": offline},
                },
                "delivery": {"kind": "service", "endpoints": {"push": [{"kind": "wait", "time": "1us"}]}},
            },
            "run": {"duration": "180s", "warm_up": "60s", "replications": 16, "seed": 5},
        }
    )


@pytest.mark.slow
def test_messages_wait_for_what_is_left_of_the_offline_time() -> None:
    """An alternating renewal process: offline with probability b / (a + b), and then for E[B^2] / 2 b more.

    So the mean time from the first tick to the second is E[B^2] / (2 (a + b)); the twin is offline 5 % longer. Messages
    of the last 20 s, whose recipients may not have come back when the run ends, are left out.
    """
    online, offline = {"kind": "exponential", "mean": "20s"}, {"kind": "uniform", "low": "5s", "high": "15s"}
    theory = (10.0**2 + 10.0**2 / 12) / (2 * (20.0 + 10.0))

    def waits(scenario: lab.Scenario) -> Any:
        run = lab.simulate(scenario, progress=False)
        stays = run.visits[(run.visits["component"] == "chats") & (run.visits["arrival_s"].between(60, 160))]
        assert (stays["outcome"] == "ok").all()
        return mean_interval((stays["departure_s"] - stays["arrival_s"]).groupby(stays["replication"]).mean(), LEVEL)

    here = waits(_chats(online, offline))
    there = waits(_chats(online, {"kind": "uniform", "low": "5.25s", "high": "15.75s"}))
    assert here.contains(theory), f"theory {theory:.6g} outside {here}"
    assert not there.contains(theory), f"theory {theory:.6g} inside {there}"


@pytest.mark.slow
def test_users_ask_as_often_as_their_time_online_lets_them() -> None:
    """Online a share p of the time, N users ask N p / Z a second, and N / (a + b) a second on coming back."""
    instant = {"kind": "wait", "time": "1us"}
    presence = {"online": {"kind": "exponential", "mean": "6s"}, "offline": {"kind": "exponential", "mean": "4s"}}
    scenario = lab.Scenario.model_validate(
        {
            "name": "users",
            "workload": {
                **{"kind": "closed", "population": 150, "think_time": {"kind": "exponential", "mean": "2s"}},
                **{"presence": presence | {"reconnect": "sync"}, "endpoints": {"get": "100%"}, "ramp_up": "2s"},
            },
            "entry": "api",
            "components": {
                "api": {
                    "kind": "service",
                    "endpoints": {"get": [instant], "sync": [instant]},
                }
            },
            "run": {"duration": "80s", "warm_up": "10s", "replications": 12, "seed": 7},
        }
    )

    def rates(described: lab.Scenario) -> list[Any]:
        asked = lab.simulate(described, progress=False, allow_unstable=True).requests
        counted = asked[asked["start_s"] >= 10].groupby(["endpoint", "replication"], observed=True).size() / 70
        return [mean_interval(counted.loc[endpoint], LEVEL) for endpoint in ("get", "sync")]

    theory = 150 * 0.6 / 2, 150 / 10
    assert [here.contains(rate) for here, rate in zip(rates(scenario), theory, strict=True)] == [True, True]
    longer = {
        "workload.think_time.mean": "2.1s",
        "workload.presence.online.mean": "6.6s",
        "workload.presence.offline.mean": "4.4s",
    }
    twins = rates(scenario.with_(longer))
    assert [there.contains(rate) for there, rate in zip(twins, theory, strict=True)] == [False, False]
