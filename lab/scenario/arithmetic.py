"""The arithmetic at 1x: what the arrivals ask of each part, and which one saturates first.

Mean values on paper, no queues, no retries: every request makes one attempt. Holding times leave out all waiting, so
the utilisations are lower bounds; what is overloaded here is overloaded in truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from lab.errors import NotEnoughData
from lab.scenario.bounded import queue_is_bounded
from lab.scenario.closed_bounds import ClosedBounds, closed_bounds
from lab.scenario.hits import hit_ratios
from lab.scenario.mix import request_rate_points, requests_expected
from lab.scenario.places import Place, Resource, servers
from lab.scenario.replicas import gives_room
from lab.scenario.scenario import Scenario
from lab.scenario.visits import visits
from lab.scenario.workload import ClosedWorkload

if TYPE_CHECKING:
    import pandas as pd

Level = Literal["base", "mean", "peak"]
CacheState = Literal["cold", "warm"]
Severity = Literal["unstable", "overload", "cold_overload", "saturated"]

_FULL = 1 - 1e-12  # 0.1 x 10 is full, whatever its last bit


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one level of arrivals asks of one place.

    Attributes:
        component: name of the component.
        resource: what is held: slots, event_loop, connections, accesses.
        caller: the service whose replicas keep the pool; "" for everything else.
        level: base (lowest), mean or peak (highest) arrival rate of the run.
        cache: cold: every look-up misses; warm: caches hit as theory has it in the steady state.
        arrival_rate_per_s: visits to the place.
        holding_time_s: mean time of a visit, waiting left out; None: nobody comes there.
        offered_load: mean number of visits under way if nobody ever waits.
        servers: how many visits it serves at once; None: no limit.
        utilisation: offered_load / servers; 1 or more is too much. None: no limit.
        capacity_per_s: client requests per second that would fill it, if rate limiters let them. None: no limit.
    """

    component: str
    resource: Resource
    caller: str
    level: Level
    cache: CacheState
    arrival_rate_per_s: float
    holding_time_s: float | None
    offered_load: float
    servers: int | None
    utilisation: float | None
    capacity_per_s: float | None

    @property
    def place(self) -> Place:
        """The place that the row is about."""
        return Place(component=self.component, resource=self.resource, caller=self.caller)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that the arithmetic alone already says.

    Attributes:
        component: name of the component.
        severity: ``unstable``: the mean arrival rate of the run is too much and nothing bounds the queue;
            ``overload``: the peak is too much; ``cold_overload``: the peak is too much while the caches are cold;
            ``saturated``: of a closed population: so many users that they wait for one another.
        sentence: the arithmetic in words.
    """

    component: str
    severity: Severity
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """The arithmetic of a scenario.

    Attributes:
        rates_per_s: arrival rate of the clients' requests at each level.
        rows: one a place, level and state of the caches.
        hit_ratios: of each cache that is used, at each level, when warm.
        findings: what is too much; empty for a healthy scenario.
        unused: components that no request reaches.
    """

    rates_per_s: dict[Level, float]
    rows: tuple[Row, ...]
    hit_ratios: dict[Level, dict[str, float]]
    findings: tuple[Finding, ...]
    unused: tuple[str, ...]

    def row(
        self, component: str, resource: Resource, *, level: Level = "peak", cache: CacheState = "warm", caller: str = ""
    ) -> Row:
        """Return one row; ``caller`` may be left out where only one service calls the database.

        Raises:
            NotEnoughData: no request of this workload comes there.
        """
        for row in self.rows:
            same = (row.component, row.resource, row.level, row.cache) == (component, resource, level, cache)
            if same and caller in ("", row.caller):
                return row
        raise NotEnoughData(f"{component}: {resource}: no request of this workload comes there: nothing to calculate")

    @property
    def saturates_first(self) -> Row | None:
        """The place that the fewest client requests per second fill (caches warm); None if nothing is limited."""
        limited = [row for row in self.rows if (row.level, row.cache) == ("peak", "warm") and row.capacity_per_s]
        return min(limited, key=lambda row: row.capacity_per_s or 0.0, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dicts, lists, texts and numbers, for JSON."""
        first = self.saturates_first
        return {**asdict(self), "saturates_first": asdict(first) if first else None}

    def to_frame(self) -> pd.DataFrame:
        """Return the rows as a frame, one column a field."""
        import pandas as pd

        frame = pd.DataFrame([asdict(row) for row in self.rows], columns=list(Row.__dataclass_fields__))
        return frame.astype(
            {"servers": "Int64", "holding_time_s": "float64", "utilisation": "float64", "capacity_per_s": "float64"}
        )

    def _repr_html_(self) -> str:
        peak, base = f"peak {self.rates_per_s['peak']:g}/s", f"base {self.rates_per_s['base']:g}/s"
        heads = ("part", "holds for", "servers", f"busy at {base}", f"busy at {peak}", "full at")
        head = "".join(f"<th>{escape(name)}</th>" for name in heads)
        places = list(dict.fromkeys(row.place for row in self.rows))
        body = "".join(f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in self._cells(place))}</tr>" for place in places)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        findings = "".join(f"<li><b>{f.severity}</b>: {escape(f.sentence)}</li>" for f in self.findings)
        return table + f"<ul>{findings}</ul>" * bool(findings)

    def _cells(self, place: Place) -> tuple[str, ...]:
        rows = {(row.level, row.cache): row for row in self.rows if row.place == place}
        warm, cold = rows["peak", "warm"], rows["peak", "cold"]
        base, full = rows["base", "warm"], warm.capacity_per_s
        peak = _share(warm.utilisation)
        if _share(cold.utilisation) != peak:
            peak += f" ({_share(cold.utilisation)} with cold caches)"
        count = "no limit" if warm.servers is None else str(warm.servers)
        limit = "never" if full is None else f"{full:.4g}/s"
        return (str(place), _milliseconds(warm), count, _share(base.utilisation), peak, limit)


def arithmetic(scenario: Scenario) -> Arithmetic:
    """Return what the arrivals of a scenario ask of each of its parts.

    Assumes independent requests for the hit ratios (Che's approximation for a full cache, a renewal argument
    for times to live; the lower of both where both apply) and replicas that share the work evenly. The requests of a
    session count at its arrival; those of a herd without jitter in the mean alone. The rate of a closed population is
    the upper bound of its throughput at every level, so that no part of it can be asked for more than it can do. What
    limiters at the entry turn away in the long run is left out behind them (:mod:`lab.scenario.passing`).
    """
    bounds = closed_bounds(scenario) if isinstance(scenario.workload, ClosedWorkload) else None
    rates = _rates(scenario, bounds)
    warm: dict[Level, dict[str, float]] = {level: hit_ratios(scenario, rate) for level, rate in rates.items()}
    rows = tuple(
        row
        for level, rate in rates.items()
        for cache in ("cold", "warm")
        for row in _rows(scenario, level, cache, rate, warm[level])
    )
    reached = {name for row in rows for name in (row.component, row.caller)}
    return Arithmetic(
        rates_per_s=rates,
        rows=rows,
        hit_ratios=warm,
        findings=tuple(_saturation(bounds) if bounds else _findings(scenario, rows, rates)),
        unused=tuple(name for name in scenario.components if name not in reached and not gives_room(scenario, name)),
    )


def _rates(scenario: Scenario, bounds: ClosedBounds | None) -> dict[Level, float]:
    if bounds is not None:
        return dict.fromkeys(("base", "mean", "peak"), bounds.throughput_per_s)
    points = request_rate_points(scenario)
    # A jump lasts no time, so a level that is only touched in passing does not count.
    levels = [level for (s, before), (later_s, after) in pairwise(points) if later_s > s for level in (before, after)]
    mean = requests_expected(scenario) / scenario.run.duration
    return {"base": min(levels), "mean": mean, "peak": max(*levels, mean)}


def _rows(
    scenario: Scenario, level: Level, cache: CacheState, rate_per_s: float, warm: dict[str, float]
) -> Iterator[Row]:
    seen = visits(scenario, hit_ratios=warm if cache == "warm" else {}, rate_per_s=rate_per_s)
    unlimited = visits(scenario, hit_ratios=warm if cache == "warm" else {})  # as if limiters let everything pass
    # Both states of the caches show the same places, also those that a warm cache keeps all requests from.
    order = {name: number for number, name in enumerate(scenario.components)}
    for place in sorted(visits(scenario, hit_ratios={}).count, key=lambda place: order[place.component]):
        count, work_s, limit = seen.count.get(place, 0.0), seen.time_s.get(place, 0.0), servers(scenario, place)
        filling_s = unlimited.time_s.get(place, 0.0)
        yield Row(
            component=place.component,
            resource=place.resource,
            caller=place.caller,
            level=level,
            cache=cache,
            arrival_rate_per_s=rate_per_s * count,
            holding_time_s=work_s / count if count else None,
            offered_load=rate_per_s * work_s,
            servers=limit,
            utilisation=None if limit is None else rate_per_s * work_s / limit,
            capacity_per_s=None if limit is None or not filling_s else limit / filling_s,
        )


def _findings(scenario: Scenario, rows: tuple[Row, ...], rates: dict[Level, float]) -> Iterator[Finding]:
    for place in dict.fromkeys(row.place for row in rows):
        of = {(row.level, row.cache): row for row in rows if row.place == place}
        bounded = queue_is_bounded(scenario, place)
        mean, peak, cold = of["mean", "warm"], of["peak", "warm"], of["peak", "cold"]
        if (mean.utilisation or 0) >= _FULL and not bounded:
            said = f"on average over the run, {_work(mean, rates)}; {_growth(mean)}"
            yield Finding(component=place.component, severity="unstable", sentence=f"{place}: {said}")
        elif (peak.utilisation or 0) >= _FULL:
            after = "the rest is queued up to its limit, then refused or given up" if bounded else "the rest queues up"
            said = f"at the peak, {_work(peak, rates)}; {after}; retries come on top"
            yield Finding(component=place.component, severity="overload", sentence=f"{place}: {said}")
        elif (cold.utilisation or 0) >= _FULL:
            warm = f"warm caches bring it down to {_share(peak.utilisation)}"
            said = f"at the peak with cold caches, {_work(cold, rates)}; {warm}"
            yield Finding(component=place.component, severity="cold_overload", sentence=f"{place}: {said}")


def _saturation(bounds: ClosedBounds) -> Iterator[Finding]:
    enough = bounds.saturation_population
    if bounds.bottleneck is None or enough is None or bounds.population <= enough:
        return
    said = (
        f"{bounds.population} users who think for {bounds.think_time_s:.4g} s and are answered after "
        f"{bounds.response_time_s * 1000:.4g} ms could ask for {bounds.unhindered_per_s:.4g}/s, but "
        f"{bounds.capacity_per_s:.4g}/s fill it: beyond {enough:.4g} users each one more only waits longer"
    )
    yield Finding(component=bounds.bottleneck.component, severity="saturated", sentence=f"{bounds.bottleneck}: {said}")


def _work(row: Row, rates: dict[Level, float]) -> str:
    return (
        f"{rates[row.level]:.4g}/s requests bring {row.arrival_rate_per_s:.4g}/s x {_milliseconds(row)} = "
        f"{row.offered_load:.4g} busy of {row.servers}: utilisation {_share(row.utilisation)}"
    )


def _growth(row: Row) -> str:
    surplus_per_s = row.arrival_rate_per_s * (1 - 1 / (row.utilisation or 1))
    return (
        "nothing bounds the queue (no backlog or queue timeout; a client's timeout leaves its work behind), so it "
        f"grows by {surplus_per_s:.3g}/s for as long as the run lasts; add servers, or bound the queue"
    )


def _milliseconds(row: Row) -> str:
    return "nobody comes" if row.holding_time_s is None else f"{row.holding_time_s * 1000:.4g} ms"


def _share(ratio: float | None) -> str:
    return "no limit" if ratio is None else f"{ratio:.1%}"
