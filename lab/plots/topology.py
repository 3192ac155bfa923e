"""A scenario's parts as boxes and arrows, from the client on the left to what is called last on the right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lab.errors import DomainError
from lab.plots.layout import CLIENT, Graph, graph_of, positions
from lab.plots.shapes import HEIGHT, WIDTH, draw_part
from lab.plots.style import GREY, axes_or_new, axes_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Distances between the middles of neighbouring parts, in the unit of a box's width.
_ACROSS, _DOWN = 1.55, 1.0
_MARGIN = 0.25
_INCHES_PER_UNIT = 1.45


def plot_topology(scenario: Mapping[str, Any], *, ax: Axes | None = None, **style: Any) -> Axes:
    """Draw the components of a scenario document and who calls whom.

    A load balancer is a hexagon, a service a box (a stack of them if it has replicas), a cache a slanted box, a
    database a drum; a dashed arrow is taken on a cache miss only.

    Args:
        scenario: the document: ``entry`` and ``components``.
        ax: where to draw; a new Axes of fitting size by default.
        style: passed to each part's patch.

    Raises:
        DomainError: the document has no components or no entry.
    """
    if not scenario.get("components") or scenario.get("entry") not in scenario["components"]:
        raise DomainError("scenario: needs components and an entry among them, or there is nothing to draw")
    graph = graph_of(scenario)
    places = _places(graph)
    left, right, bottom, top = _frame(places)
    if ax is None:
        width, height = topology_size(scenario)
        ax = axes_or_new(ax, width=width, height=height)
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    ax.set_aspect("equal")
    ax.axis("off")
    font_size = _font_size(ax, right - left, top - bottom)
    _draw_arrows(ax, graph, places, font_size)
    for name, place in places.items():
        draw_part(ax, name=name, part=_part(scenario, name), place=place, font_size=font_size, style=style)
    return ax


def topology_size(scenario: Mapping[str, Any]) -> tuple[float, float]:
    """Return the width and height in inches at which a scenario's drawing reads well."""
    left, right, bottom, top = _frame(_places(graph_of(scenario)))
    return (right - left) * _INCHES_PER_UNIT, (top - bottom) * _INCHES_PER_UNIT


def _places(graph: Graph) -> dict[str, tuple[float, float]]:
    return {name: (across * _ACROSS, -down * _DOWN) for name, (across, down) in positions(graph).items()}


def _frame(places: Mapping[str, tuple[float, float]]) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of what the drawing takes."""
    across, down = zip(*places.values(), strict=True)
    wide, high = WIDTH / 2 + _MARGIN, HEIGHT / 2 + _MARGIN
    return min(across) - wide, max(across) + wide, min(down) - high, max(down) + high


def _part(scenario: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if name == CLIENT:
        return {"kind": "client", **(scenario.get("client") or {})}
    part: Mapping[str, Any] = scenario["components"][name]
    return part


def _font_size(ax: Axes, width: float, height: float) -> float:
    """Points in which a part's texts fit its box, whatever the size of the Axes."""
    across, down = axes_size(ax)
    return min(10.0, max(3.0, 7.6 * min(across / width, down / height)))


def _draw_arrows(ax: Axes, graph: Graph, places: Mapping[str, tuple[float, float]], font_size: float) -> None:
    for (caller, called), only_on_miss in graph.calls.items():
        (x, y), (to_x, to_y) = places[caller], places[called]
        skips = to_x - x > 1.5 * _ACROSS  # passes a column: bend around what stands between
        bend = 0.0 if not skips else 0.22 if to_y >= y else -0.22
        ax.annotate(
            "",
            zorder=0.5,  # below the parts, so that it comes out from behind a stack of replicas
            xy=(to_x - WIDTH / 2, to_y),
            xytext=(x + WIDTH / 2, y),
            arrowprops={
                "arrowstyle": "-|>",
                "color": GREY,
                "linewidth": 1.2,
                "linestyle": "--" if only_on_miss else "-",
                "shrinkA": 1,
                "shrinkB": 1,
                "connectionstyle": f"arc3,rad={bend}",
                "mutation_scale": 1.2 * font_size,
            },
        )
