"""Costs: counted use times the price list, per hour and per million good answers, worked out by hand."""

from __future__ import annotations

from typing import Any, Literal

import pytest

import lab
from lab.errors import DomainError, ScenarioError
from lab.runs.objectives import read_objective

_PRICES = {
    "date": "2026-11-20",
    "currency": "EUR",
    "of": {
        "edge": {"per_hour": 0.36, "per_gib": 1.0},
        "api": {"per_replica_hour": 0.9},
        "main": {"per_million_requests": 50.0},
    },
}


def _scenario(**others: Any) -> lab.Scenario:
    return lab.Scenario.model_validate(
        {
            "name": "priced",
            "workload": {"kind": "open", "arrival_rate": "30/s", "endpoints": {"get": "50%", "put": "50%"}},
            "entry": "edge",
            "components": {
                "edge": {"kind": "load_balancer", "targets": "api"},
                "api": {
                    "kind": "service",
                    "replicas": 2,
                    "payloads": {"get": {"response": "1MiB"}},
                    "endpoints": {
                        "get": [{"kind": "query", "database": "main", "query": "one", "repeat": 3}],
                        "put": [{"kind": "cpu", "time": "1ms"}],
                    },
                },
                "main": {"kind": "database", "pool": {"size": 20}, "queries": {"one": "1ms"}},
            },
            "client": {"network": {"kind": "custom", "round_trip": "1ms", "down": "1Gbit/s", "up": "1Gbit/s"}},
            "prices": _PRICES,
            "run": {"duration": "40s", "warm_up": "4s", "replications": 2, "seed": 1},
            **others,
        }
    )


@pytest.mark.parametrize("keep", ["all", "summary"])
def test_the_bill_is_use_times_price(keep: Literal["all", "summary"]) -> None:
    """36 s of two replicas and a balancer, three statements a get, one MiB an answer to a get."""
    run = lab.simulate(_scenario(), progress=False, keep=keep)
    hours = 36 / 3600
    for replication, requests in run.requests.groupby("replication"):
        counted = requests[requests["intended_start_s"] >= 4]
        gets = counted[counted["endpoint"] == "get"]
        sent_gib = (gets["outcome"] == "ok").sum() / 1024
        expected = {
            "edge": (0.36 * hours + 1.0 * sent_gib) / hours,
            "api": 0.9 * 2,
            "main": 50.0 * 3 * len(gets) / 1e6 / hours,
        }
        for name, cost in expected.items():
            assert run.per_replication("cost_per_hour", name)[replication] == pytest.approx(cost), name
        total = sum(expected.values())
        assert run.per_replication("cost_per_hour")[replication] == pytest.approx(total)
        answered = (counted["outcome"] == "ok").sum()
        assert run.per_replication("cost_per_million_answers")[replication] == pytest.approx(
            total * hours / answered * 1e6
        )


def test_costs_stand_in_the_summary_with_their_currency() -> None:
    """The unit names it."""
    run = lab.simulate(_scenario(), progress=False)
    units = run.summary().set_index(["metric", "subject"])["unit"]
    assert units["cost_per_hour", "api"] == "EUR/h"
    assert units["cost_per_million_answers", "all"] == "EUR/1e6"


def test_without_prices_there_are_no_costs() -> None:
    """Not even of 0."""
    run = lab.simulate(_scenario(prices=None), progress=False)
    assert not run.metrics()["metric"].str.startswith("cost").any()


def test_objectives_on_costs_are_judged() -> None:
    """Of one component and of all."""
    run = lab.simulate(
        _scenario(
            objectives=[
                {"metric": "cost_per_hour", "component": "api", "at_most": 2},
                {"metric": "cost_per_hour", "at_most": 2},
                {"metric": "cost_per_million_answers", "at_most": 1e9},
            ]
        ),
        progress=False,
    )
    assert [(each.text, each.met) for each in run.objectives()] == [
        ("cost_per_hour of api <= 2.0", True),
        ("cost_per_hour <= 2.0", False),
        ("cost_per_million_answers <= 1000000000.0", True),
    ]
    assert run.objectives()[0].value == pytest.approx(1.8)


@pytest.mark.parametrize(
    ("prices", "says"),
    [
        (_PRICES | {"date": "20.11.2026"}, "prices.date: '20.11.2026' is not a day; write it as year-month-day"),
        (_PRICES | {"currency": "euros"}, "prices.currency"),
        (_PRICES | {"of": {"api": {}}}, "prices.of.api: has no price; give one or more of per_hour"),
        (_PRICES | {"of": {"apj": {"per_hour": 1}}}, "prices.of.apj: 'apj' is not a component of this scenario"),
        (
            _PRICES | {"of": {"main": {"per_replica_hour": 1}}},
            "prices.of.main.per_replica_hour: only a service has replicas that are counted",
        ),
        (_PRICES | {"of": {"api": {"per_gib": 1}}}, "per_gib: only what goes to the clients is counted in bytes"),
        (
            _PRICES | {"of": {"api": {"per_gb_second": 1}}},
            "prices.of.api.per_gb_second: only a service with a serverless autoscaler is charged",
        ),
        (_PRICES | {"of": {"api": {"per_hour": -1}}}, "prices.of.api.per_hour"),
    ],
)
def test_prices_of_nothing_are_refused(prices: dict[str, Any], says: str) -> None:
    """With the key path, and what to do."""
    with pytest.raises(ScenarioError) as caught:
        _scenario(prices=prices)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("objective", "others", "says"),
    [
        ({"metric": "cost_per_hour", "at_most": 1}, {"prices": None}, "objectives.0: nothing has a price; add prices"),
        ({"metric": "cost_per_hour", "component": "items", "at_most": 1}, {}, "'items' has no price (these have: edge"),
        (
            {"metric": "cost_per_million_answers", "component": "api", "at_most": 1},
            {},
            "answers come from all components together",
        ),
    ],
)
def test_objectives_without_a_price_are_refused(objective: dict[str, Any], others: dict[str, Any], says: str) -> None:
    """They could never be judged."""
    with pytest.raises(ScenarioError) as caught:
        _scenario(objectives=[objective], **others)
    assert says in str(caught.value)


def test_bytes_without_sizes_are_refused() -> None:
    """A price per GiB where no answer has a size would always be 0."""
    with pytest.raises(ScenarioError, match="per_gib: has no effect, as no answer has a size"):
        _scenario().with_({"components.api.payloads": {}, "client.network": None})


def test_a_cost_is_of_a_component_and_not_of_an_endpoint() -> None:
    """In a scenario document that is read from a Run."""
    with pytest.raises(DomainError, match="cost_per_hour is that of one component"):
        read_objective({"metric": "cost_per_hour", "endpoint": "get", "at_most": 1}, where="objectives[0]")
