"""The drawing of a scenario: every part once, callers left of what they call, nothing on top of another."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from matplotlib.figure import Figure

from lab.errors import DomainError
from lab.plots import plot_topology, topology_size
from lab.plots.layout import CLIENT, graph_of, positions
from lab.plots.shapes import HEIGHT, WIDTH
from tests.unit.runs_frames import SCENARIO


def _service(*steps: dict[str, Any], **other: Any) -> dict[str, Any]:
    return {"kind": "service", "endpoints": {"read": list(steps)}} | other


DEEP: dict[str, Any] = {
    "entry": "edge",
    "components": {
        "edge": {"kind": "load_balancer", "targets": "gateway", "algorithm": "leastconn"},
        "gateway": _service(
            {
                "kind": "parallel",
                "branches": [[{"kind": "call", "target": "profile"}], [{"kind": "call", "target": "feed"}]],
            },
            replicas=3,
        ),
        "profile": _service({"kind": "cached", "cache": "items", "miss": [{"kind": "query", "database": "main"}]}),
        "feed": _service({"kind": "query", "database": "main"}, {"kind": "call", "target": "profile"}),
        "items": {"kind": "cache", "capacity": 1000},
        "main": {"kind": "database", "pool": {"size": 10}},
    },
}


def test_calls_are_read_from_targets_and_from_steps_at_any_depth() -> None:
    """Load balancers, calls in parallel branches and queries in a miss all count, each once."""
    assert graph_of(DEEP).calls == {
        ("client", "edge"): False,
        ("edge", "gateway"): False,
        ("gateway", "profile"): False,
        ("gateway", "feed"): False,
        ("profile", "items"): False,
        ("profile", "main"): True,
        ("feed", "main"): False,
        ("feed", "profile"): False,
    }


def test_a_queue_leads_to_its_consumer() -> None:
    """Who takes the messages stands right of the queue, not by itself."""
    publish = {"kind": "publish", "queue": "jobs"}
    parts = {"api": {"endpoints": {"put": [publish]}}, "jobs": {"consumer": "worker"}, "worker": {"endpoints": {}}}
    graph = graph_of({"entry": "api", "components": parts})
    assert graph.calls["jobs", "worker"] is False
    assert positions(graph)["worker"][0] == positions(graph)["jobs"][0] + 1


def test_a_call_that_also_happens_without_a_miss_is_no_miss_call() -> None:
    """The small scenario asks its database on a miss alone; one more query makes the arrow solid."""
    assert graph_of(SCENARIO).calls["api", "main"] is True
    endpoints = {"write": [{"kind": "query", "database": "main"}], **SCENARIO["components"]["api"]["endpoints"]}
    parts = SCENARIO["components"] | {"api": {"kind": "service", "endpoints": endpoints}}
    assert graph_of(SCENARIO | {"components": parts}).calls["api", "main"] is False


@pytest.mark.parametrize("scenario", [SCENARIO, DEEP], ids=["small", "deep"])
def test_calls_go_to_the_right_and_parts_stand_apart(scenario: dict) -> None:
    """A callee stands in a column right of its caller, and no two parts share a place."""
    graph = graph_of(scenario)
    places = positions(graph)
    assert set(places) == {CLIENT, *scenario["components"]}
    for caller, called in graph.calls:
        assert places[caller][0] < places[called][0]
    assert len(set(places.values())) == len(places)
    for (x, y), (other_x, other_y) in combinations(places.values(), 2):
        assert abs(x - other_x) >= WIDTH or abs(y - other_y) >= HEIGHT


def test_a_circle_of_calls_still_has_places() -> None:
    """A scenario with a cycle is refused elsewhere; drawing one must not hang."""
    parts = {"a": _service({"kind": "call", "target": "b"}), "b": _service({"kind": "call", "target": "a"})}
    assert set(positions(graph_of({"entry": "a", "components": parts}))) == {CLIENT, "a", "b"}


def test_the_drawing_names_every_part_and_its_size() -> None:
    """Each part's name stands in the drawing with what its operators would ask first."""
    ax = plot_topology(DEEP, ax=Figure(figsize=topology_size(DEEP)).subplots())
    texts = [text.get_text() for text in ax.texts]
    for word in (CLIENT, *DEEP["components"], "leastconn", "3 replicas", "1000 entries", "pool of 10"):
        assert word in texts
    assert len(ax.patches) == 9  # client, edge, three replicas as a stack of two, two services, cache, drum and lid


def test_balancers_say_how_they_choose_and_whom_they_take_out() -> None:
    """nginx and Envoy have the balancer's shape, with their own words."""
    edge = {"kind": "nginx", "targets": "api", "algorithm": "least_conn", "max_conns": 5}
    inner = {"kind": "envoy", "targets": "other", "outlier_detection": {}}
    parts = {"edge": edge, "api": _service({"kind": "call", "target": "inner"}), "inner": inner, "other": _service()}
    texts = [text.get_text() for text in plot_topology({"entry": "edge", "components": parts}).texts]
    assert {"nginx, least_conn", "5 per server", "envoy, round_robin", "ejects outliers"} <= set(texts)


def test_texts_stay_inside_their_parts() -> None:
    """At its own size no text of the drawing is wider than a part, long names included."""
    parts = DEEP["components"] | {"feed": _service({"kind": "query", "database": "a_database_with_a_long_name"})}
    parts["a_database_with_a_long_name"] = {"kind": "database"}
    scenario = DEEP | {"components": parts}
    figure = Figure(figsize=topology_size(scenario))
    ax = plot_topology(scenario, ax=figure.add_axes((0, 0, 1, 1)))
    figure.canvas.draw()
    for text in ax.texts:
        if text.get_text():
            box = text.get_window_extent().transformed(ax.transData.inverted())
            assert box.width <= WIDTH, text.get_text()


def test_style_reaches_the_parts() -> None:
    """A caller can change how the parts look."""
    ax = plot_topology(SCENARIO, ax=Figure().subplots(), linewidth=5)
    assert {patch.get_linewidth() for patch in ax.patches} == {5}


@pytest.mark.parametrize("scenario", [{}, {"components": {"api": {}}}, {"entry": "web", "components": {"api": {}}}])
def test_a_scenario_without_an_entry_is_refused(scenario: dict) -> None:
    """There is nothing to draw without components and an entry among them."""
    with pytest.raises(DomainError, match="needs components and an entry"):
        plot_topology(scenario)
