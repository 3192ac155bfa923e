"""Who calls whom in a scenario document, and where each part stands in a drawing from left to right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CLIENT = "client"

# Which key of a step names the component that it calls.
_CALLED_BY = ("cache", "database", "target", "queue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The parts, and the calls between them; the value says whether a call happens on a cache miss only."""

    parts: tuple[str, ...]
    calls: Mapping[tuple[str, str], bool]


def graph_of(scenario: Mapping[str, Any]) -> Graph:
    """Return the parts of a scenario document and their calls, the client first.

    >>> parts = {"api": {"kind": "service", "endpoints": {"read": [{"kind": "query", "database": "main"}]}}, "main": {}}
    >>> list(graph_of({"entry": "api", "components": parts}).calls)
    [('client', 'api'), ('api', 'main')]
    """
    components: Mapping[str, Any] = scenario["components"]
    calls: dict[tuple[str, str], bool] = {(CLIENT, scenario["entry"]): False}
    for name, part in components.items():
        found = [(part[key], False) for key in ("targets", "consumer") if key in part]
        found.extend((host, False) for host in part.get("hosts") or ())  # whose cores it computes on
        for steps in (part.get("endpoints") or {}).values():
            found.extend(_calls(steps, on_miss=False))
        for called, on_miss in found:
            if called in components:
                calls[name, called] = calls.get((name, called), True) and on_miss
    return Graph(parts=(CLIENT, *components), calls=calls)


def _calls(steps: Any, *, on_miss: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(steps, Mapping):
        for key, value in steps.items():
            if key in _CALLED_BY and isinstance(value, str):
                yield value, on_miss
            elif key != "time":
                yield from _calls(value, on_miss=on_miss or key == "miss")
    elif isinstance(steps, list | tuple):
        for step in steps:
            yield from _calls(step, on_miss=on_miss)


def positions(graph: Graph) -> dict[str, tuple[float, float]]:
    """Return each part's column (0 is the client's) and its height in rows below the middle.

    A part stands one column right of its last caller; within a column parts stand in the order of their callers'
    heights, centred. Two neighbours in a chain within one column cannot be: a call always goes to the right.
    """
    columns = _columns(graph)
    places: dict[str, tuple[float, float]] = {}
    for column in range(max(columns.values()) + 1):
        members = [part for part in graph.parts if columns[part] == column]
        members.sort(key=lambda part: _callers_height(part, graph, places))  # stable: else in the written order
        for row, part in enumerate(members):
            places[part] = (float(column), row - (len(members) - 1) / 2)
    return places


def _columns(graph: Graph) -> dict[str, int]:
    columns = dict.fromkeys(graph.parts, 1) | {CLIENT: 0}
    for _ in graph.parts:  # the longest chain has at most so many links; a cycle ends here too
        for caller, called in graph.calls:
            if called != CLIENT and columns[called] <= columns[caller] < len(graph.parts):
                columns[called] = columns[caller] + 1
    used = sorted(set(columns.values()))
    return {part: used.index(column) for part, column in columns.items()}


def _callers_height(part: str, graph: Graph, places: Mapping[str, tuple[float, float]]) -> float:
    heights = [places[caller][1] for caller, called in graph.calls if called == part and caller in places]
    return sum(heights) / len(heights) if heights else 0.0
