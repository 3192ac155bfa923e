"""The pairing contract: which times are drawn for a request, where, at which address."""

from __future__ import annotations

from typing import Any

import pytest

from lab.errors import ScenarioError
from lab.randomness import child_visit, name_key
from lab.scenario.demand_counts import endpoint_demands
from lab.scenario.demands import BoundStep, bound_steps, demand_slots
from lab.scenario.fronts import service_name_behind
from lab.scenario.reader import parse_scenario
from lab.scenario.scenario import Scenario
from tests.unit.malformed import BASE

_MASK = 2**64 - 1


def _cpu(time: str) -> dict[str, Any]:
    return {"kind": "cpu", "time": time}


def _nested() -> Scenario:
    """A gateway that computes twice, looks up, and calls one endpoint twice and another once."""
    call = {"kind": "call", "target": "edge", "endpoint": "get"}
    gateway = [
        _cpu("1ms"),
        {
            "kind": "parallel",
            "branches": [[call, _cpu("2ms")], [{"kind": "call", "target": "edge", "endpoint": "put"}]],
        },
        {"kind": "cached", "cache": "items", "miss": [{"kind": "query", "database": "main", "query": "q"}, call]},
        {"kind": "query", "database": "main", "query": "q"},
        {"kind": "wait", "time": "3ms"},
    ]
    return Scenario.model_validate(
        {
            "name": "nested",
            "workload": {"kind": "open", "arrival_rate": "1/s", "endpoints": {"page": "100%"}},
            "entry": "gateway",
            "components": {
                "gateway": {"kind": "service", "endpoints": {"page": gateway}},
                "edge": {"kind": "load_balancer", "targets": "api"},
                "api": {
                    "kind": "service",
                    "replicas": 2,
                    "endpoints": {
                        "get": [_cpu("4ms"), {"kind": "query", "database": "main", "query": "q"}],
                        "put": [{"kind": "wait", "time": "5ms"}],
                    },
                },
                "items": {"kind": "cache"},
                "main": {
                    "kind": "database",
                    "pool": {"size": 1},
                    "queries": {"q": {"kind": "exponential", "mean": "6ms"}},
                },
            },
            "run": {"duration": "1s"},
        }
    )


def test_slots_come_depth_first_in_written_order_with_their_visits() -> None:
    """Every rule at once, worked out by hand from the module's docstring."""
    get_1 = child_visit(0, name_key("edge/get"))
    get_2 = child_visit(0, (name_key("edge/get") + 1) & _MASK)
    put = child_visit(0, name_key("edge/put"))
    slots = [(slot.stream, slot.visit) for slot in demand_slots(_nested(), "page")]
    assert slots == [
        ("gateway/page/cpu", 0),
        ("api/get/cpu", get_1),
        ("main/q", get_1),
        ("gateway/page/cpu", child_visit(0, 1)),
        ("api/put/wait", put),
        ("main/q", 0),
        ("api/get/cpu", get_2),
        ("main/q", get_2),
        ("main/q", child_visit(0, 1)),
        ("gateway/page/wait", 0),
    ]


def test_no_two_slots_share_an_address() -> None:
    """Else two demands of one request would be the same number."""
    for scenario, endpoint in ((_nested(), "page"), (parse_scenario(BASE), "write_item")):
        slots = demand_slots(scenario, endpoint)
        assert len({(slot.stream, slot.visit) for slot in slots}) == len(slots) > 0


def test_slots_say_where_and_what() -> None:
    """Component, operation, kind and distribution; constants are slots too."""
    slots = demand_slots(parse_scenario(BASE), "write_item")
    assert [(slot.component, slot.operation, slot.kind) for slot in slots] == [
        ("main", "insert_item", "query"),
        ("profiles", "touch", "cpu"),
        ("profiles", "touch", "wait"),
    ]
    assert [slot.distribution.kind for slot in slots] == ["constant"] * 3


def _flat(steps: tuple[BoundStep, ...]) -> list[BoundStep]:
    return [inner for step in steps for inner in (step, *(one for branch in step.nested for one in _flat(branch)))]


def test_offsets_count_the_slots_before_each_step() -> None:
    """A call's offset is the first slot of its callee, a look-up's that of its miss."""
    bound = _flat(bound_steps(_nested(), "gateway", "page"))
    assert [(step.spec.kind, step.offset) for step in bound] == [
        ("cpu", 0),
        ("parallel", 1),
        ("call", 1),
        ("cpu", 3),
        ("call", 4),
        ("cached", 5),
        ("query", 5),
        ("call", 6),
        ("query", 8),
        ("wait", 9),
    ]


def test_offsets_and_counts_fit_the_slots() -> None:
    """The slot at a step's offset is that step's own; a callee's slots lie where the call says."""
    scenario = _nested()
    slots = demand_slots(scenario, "page")
    assert endpoint_demands(scenario, "gateway", "page") == len(slots) == 10
    assert endpoint_demands(scenario, "edge", "get") == endpoint_demands(scenario, "api", "get") == 2
    for step in _flat(bound_steps(scenario, "gateway", "page")):
        if step.stream:
            assert slots[step.offset].stream == step.stream
            assert slots[step.offset].visit == child_visit(0, step.ordinal)
        elif step.spec.kind == "call":
            count = endpoint_demands(scenario, step.spec.target, step.spec.endpoint)
            callee = bound_steps(scenario, step.spec.target, step.spec.endpoint)
            assert [slot.stream for slot in slots[step.offset : step.offset + count]] == [one.stream for one in callee]


def test_each_try_of_a_transaction_has_slots_of_its_own() -> None:
    """Two retries: the steps three times, drawn at the retry's own visit; what comes after begins behind them."""
    document = _nested().to_document()
    document["components"]["gateway"]["endpoints"]["page"] = [
        {
            "kind": "transaction",
            "database": "main",
            "retries": 2,
            "steps": [_cpu("1ms"), {"kind": "query", "database": "main", "query": "q"}],
        },
        _cpu("2ms"),
    ]
    document["components"]["main"] |= {
        "isolation": "serializable",
        "queries": {"q": {"statement": "update", "time": "6ms"}},
    }
    scenario = Scenario.model_validate(document)
    slots = [(slot.stream, slot.visit) for slot in demand_slots(scenario, "page")]
    tries = [0, child_visit(0, name_key("retry 1")), child_visit(0, name_key("retry 2"))]
    assert slots[:6] == [(stream, visit) for visit in tries for stream in ("gateway/page/cpu", "main/q")]
    assert slots[6:] == [("gateway/page/cpu", child_visit(0, 1))]
    assert [step.offset for step in bound_steps(scenario, "gateway", "page")] == [0, 6]
    assert endpoint_demands(scenario, "gateway", "page") == 7
    assert len(set(slots)) == 7


def test_another_component_changes_no_address() -> None:
    """What is added elsewhere leaves every other draw alone."""
    before = demand_slots(_nested(), "page")
    document = _nested().to_document()
    document["components"]["audit"] = {"kind": "service", "endpoints": {"log": [_cpu("1ms")]}}
    document["components"]["gateway"]["endpoints"]["page"].append(
        {"kind": "call", "target": "audit", "endpoint": "log"}
    )
    after = demand_slots(Scenario.model_validate(document), "page")
    assert after[: len(before)] == before
    assert after[-1].stream == "audit/log/cpu"


def test_names_lead_to_services() -> None:
    """A balancer to what it balances; anything else is an error that lists what there is."""
    scenario = _nested()
    assert (service_name_behind(scenario, "edge"), service_name_behind(scenario, "api")) == ("api", "api")
    with pytest.raises(ScenarioError, match=r"components.main: not a load balancer or service .* gateway, edge, api"):
        service_name_behind(scenario, "main")
    with pytest.raises(ScenarioError, match="there is no endpoint 'nope' \\(there are: get, put\\)"):
        endpoint_demands(scenario, "edge", "nope")
