"""The shape and the words of each kind of part in a drawing of the topology."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lab.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

WIDTH, HEIGHT = 1.0, 0.62

_COLOURS = {
    "client": GREY,
    "load_balancer": PURPLE,
    "nginx": PURPLE,
    "envoy": PURPLE,
    "service": BLUE,
    "cdn": ORANGE,
    "cache": ORANGE,
    "database": GREEN,
    "queue": VERMILLION,
    "stream": VERMILLION,
    "mailbox": VERMILLION,
}
Place = tuple[float, float]


def draw_part(
    ax: Axes, *, name: str, part: Mapping[str, Any], place: Place, font_size: float, style: Mapping[str, Any]
) -> None:
    """Draw one part with its name and what its operators would ask first."""
    kind = str(part.get("kind", ""))
    colour = _COLOURS.get(kind, GREY)
    for patch in _patches(kind, place, stacked=_count(part.get("replicas")) > 1):
        patch.set(facecolor="white", edgecolor=colour, linewidth=1.6)
        patch.set(**style)
        ax.add_patch(patch)
    x, y = place
    words = [name, *_details(kind, part)]
    line = HEIGHT * 0.25
    first = y + line * (len(words) - 1) / 2 - (0.03 if kind == "database" else 0.0)
    for row, text in enumerate(words):
        size = font_size if row == 0 else 0.78 * font_size
        fitting = size * min(1.0, 15 / max(len(text), 1)) if row == 0 else size * min(1.0, 21 / max(len(text), 1))
        ax.text(
            x, first - row * line, text, ha="center", va="center", fontsize=fitting,
            fontweight="bold" if row == 0 else "normal", color="#111111" if row == 0 else "#444444",
        )  # fmt: skip


def _patches(kind: str, place: Place, *, stacked: bool) -> list[Patch]:
    from matplotlib import patches  # here, so that importing lab.plots stays quick

    x, y = place[0] - WIDTH / 2, place[1] - HEIGHT / 2
    match kind:
        case "load_balancer" | "nginx" | "envoy" | "cdn":
            notch = 0.12
            corners = [(x + notch, y), (x + WIDTH - notch, y), (x + WIDTH, place[1]), (x + WIDTH - notch, y + HEIGHT)]
            return [patches.Polygon([*corners, (x + notch, y + HEIGHT), (x, place[1])])]
        case "cache":
            slant = 0.09
            return [patches.Polygon([(x, y), (x + WIDTH - slant, y), (x + WIDTH, y + HEIGHT), (x + slant, y + HEIGHT)])]
        case "database":
            return [patches.PathPatch(_drum(place)), patches.PathPatch(_lid(place))]
        case "client":
            return [patches.FancyBboxPatch((x + 0.2, y + 0.2), WIDTH - 0.4, HEIGHT - 0.4, boxstyle="round,pad=0.2")]
        case _:
            shifts = (0.07, 0.0) if stacked else (0.0,)
            return [
                patches.FancyBboxPatch(
                    (x + 0.05 + by, y + 0.05 + by), WIDTH - 0.1, HEIGHT - 0.1, boxstyle="round,pad=0.05"
                )
                for by in shifts
            ]


_LID = 0.07  # half the height of a drum's lid
_ROUND = 0.5523  # control points of a cubic Bezier curve that comes nearest to a quarter of a circle


def _drum(place: Place) -> Any:
    """The outline: down the left side, along the lower half ellipse, up the right, back along the upper."""
    x, y = place
    low, high = y - HEIGHT / 2 + _LID, y + HEIGHT / 2 - _LID
    return _path(
        [(x - WIDTH / 2, high), (x - WIDTH / 2, low)], _arc(x, low, -1), [(x + WIDTH / 2, high)], _arc(x, high, 1)[::-1]
    )


def _lid(place: Place) -> Any:
    x, y = place
    high = y + HEIGHT / 2 - _LID
    return _path([(x - WIDTH / 2, high)], _arc(x, high, -1), [], [])


def _arc(x: float, y: float, sign: int) -> list[Place]:
    """Control points of a half ellipse from the left to the right end, below (-1) or above (1) the height y."""
    half, lid = WIDTH / 2, sign * _LID
    bow = _ROUND * half
    return [
        (x - half, y + _ROUND * lid), (x - bow, y + lid), (x, y + lid),
        (x + bow, y + lid), (x + half, y + _ROUND * lid), (x + half, y),
    ]  # fmt: skip


def _path(start: list[Place], below: list[Place], middle: list[Place], above: list[Place]) -> Any:
    from matplotlib.path import Path  # here, so that importing lab.plots stays quick

    points, codes = list(start), [Path.MOVETO, *[Path.LINETO] * (len(start) - 1)]
    points += [*below, *middle]
    codes += [Path.CURVE4] * len(below) + [Path.LINETO] * len(middle)
    if above:
        # Reversed, the last control point is where the pen already stands; the curve ends at the left end.
        points += [*above[1:], (above[-1][0], middle[0][1])]
        codes += [Path.CURVE4] * 6
    return Path(points, codes)


def _details(kind: str, part: Mapping[str, Any]) -> list[str]:
    match kind:
        case "client":
            attempts = _count((part.get("retry") or {}).get("attempts"))
            timeout = [f"timeout {part['timeout']}"] if part.get("timeout") else []
            return [*timeout, *([f"{attempts} attempts"] if attempts > 1 else [])]
        case "load_balancer":
            limit = part.get("max_connections_per_server")
            return [str(part.get("algorithm", "load balancer")), *([f"{limit} per server"] if limit else [])]
        case "nginx" | "envoy":
            limit = part.get("max_conns")
            full = [f"{limit} per server"] if limit else []
            ejects = ["ejects outliers"] if part.get("outlier_detection") is not None else []
            return [f"{kind}, {part.get('algorithm', 'round_robin')}", *full, *ejects]
        case "service":
            replicas, slots = _count(part.get("replicas")), part.get("concurrency")
            return [f"{replicas} replica{'' if replicas == 1 else 's'}", *([f"{slots} slots each"] if slots else [])]
        case "cache":
            capacity, ttl = part.get("capacity"), part.get("ttl")
            return [f"{capacity} entries" if capacity else "cache", *([f"ttl {ttl}"] if ttl else [])]
        case "cdn":
            places = _count(part.get("points_of_presence"))
            return [f"{places} point{'s' * (places != 1)} of presence"]
        case "database":
            size = (part.get("pool") or {}).get("size")
            cores, replicas = _count(part.get("cores")), _count(part.get("replicas"))
            return [
                f"pool of {size}" if size else "database",
                *([f"{cores} core{'s' * (cores != 1)}"] if part.get("cores") else []),
                *([f"{replicas} replica{'s' * (replicas != 1)}"] if part.get("replicas") else []),
            ]
        case "host":
            cores = _count(part.get("cores"))
            return [f"host, {cores} core{'s' * (cores != 1)}"]
        case _:
            return [kind] if kind else []


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 1
