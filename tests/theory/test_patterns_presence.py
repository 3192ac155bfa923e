"""What the lessons show about priorities, and about users and recipients that come and go."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import lab

PATTERNS = Path(__file__).parents[2] / "scenarios" / "patterns"


def _simulate(scenario: lab.Scenario) -> lab.Run:
    return lab.simulate(scenario, progress=False, allow_unstable=True)


def _stays(run: lab.Run, channel: str) -> pd.DataFrame:
    """Return the stays in a channel, each with its request's endpoint and the time it took."""
    stays = run.visits[run.visits["component"] == channel]
    stays = stays.merge(run.requests[["replication", "request", "endpoint"]], on=["replication", "request"])
    return stays.assign(took_s=stays["departure_s"] - stays["arrival_s"])


@pytest.mark.slow
def test_a_message_waits_for_its_recipient_and_not_for_midnight() -> None:
    """The first tick takes milliseconds; the second comes when the recipient does, spike or no spike.

    Two thirds are offline, for 120 s more on average: 80 s. Twice as many processes change nothing.
    """
    scenario = lab.read_scenario(PATTERNS / "store_and_forward.yaml")
    run = _simulate(scenario)
    assert run.value("sojourn_time_s_p99") < 0.05
    stays = _stays(run, "chats")
    midnight = stays[stays["arrival_s"].between(40, 55)]["took_s"]
    assert 60 < midnight.mean() < 100
    online = midnight[midnight < 0.2]
    assert 0.25 < len(online) / len(midnight) < 0.42
    more = _stays(_simulate(scenario.with_({"components.delivery.replicas": 4})), "chats")
    assert more["took_s"].mean() == pytest.approx(stays["took_s"].mean(), rel=0.02)


@pytest.mark.slow
def test_phones_that_come_and_go_cost_more_though_they_read_less() -> None:
    """Fewer pages, and twenty milliseconds for each return: the event loop is nearly full where a sofa needs 8 %."""
    train = lab.read_scenario(PATTERNS / "phones_on_a_train.yaml")
    sofa = train.with_({"workload.presence": None})
    on_train, on_sofa = _simulate(train), _simulate(sofa)
    pages = [(run.requests["endpoint"] == "feed").sum() for run in (on_train, on_sofa)]
    assert pages[0] < 0.75 * pages[1]
    returns = (on_train.requests["endpoint"] == "sync").sum() / 3 / 120
    assert returns == pytest.approx(300 / 15, rel=0.1)
    used_s = [run.visits["service_time_s"].sum() for run in (on_train, on_sofa)]
    assert used_s[0] > 4 * used_s[1]


@pytest.mark.slow
def test_a_code_does_not_wait_for_newsletters() -> None:
    """With priorities a code waits for less than a second; in one class for as long as the newsletters do: 20 s."""
    scenario = lab.read_scenario(PATTERNS / "urgent_messages.yaml")
    steps = {"components.api.endpoints.code.0.priority": 0}
    of_codes = [
        stays[(stays["endpoint"] == "code") & stays["arrival_s"].between(12, 20)]["waiting_time_s"].max()
        for stays in (_stays(_simulate(each), "mails") for each in (scenario, scenario.with_(steps)))
    ]
    assert of_codes[0] < 1.0
    assert of_codes[1] > 8.0
