"""A tier of a content delivery network: it serves what it has, and fetches what it has not."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass

from simpy.events import Event

from lab.randomness import Stream
from lab.simulation.cdn.fetch import Fetch
from lab.simulation.cdn.point import Point, Turn
from lab.simulation.clock import Clock
from lab.simulation.log import Log, Visit
from lab.simulation.request import Handling, Outcome, Part, Request
from lab.simulation.variate import Variate

Waiting = Generator[Event, object, float | Turn]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What may be served, and how long serving and fetching take; times in seconds.

    Attributes:
        max_age_s: by endpoint, in a fixed order; other endpoints pass through.
        age_resolution_s: step of the clock that ages are read off; 0: exact.
        collapses: whether later misses wait for the first.
        stale_while_revalidate_s: how long beyond its max age an answer is served while it is fetched anew.
        stale_if_error_s: how long beyond its max age an answer is served when fetching it anew fails.
        hit_time: of each request; None: no time.
        forward_time: of each request that is passed on; None: no time.
    """

    max_age_s: Mapping[str, float]
    age_resolution_s: float
    collapses: bool
    stale_while_revalidate_s: float
    stale_if_error_s: float
    hit_time: Variate | None
    forward_time: Variate | None


class Cdn:
    """Points of presence before what they fetch from; a client always comes to the same one.

    ::

        arrives --hit time--> to be kept? --no--> passed on, and its answer back
                                 | yes
                               there, not too old? --yes--> served (hit)
                                 | no
                               stale_while_revalidate? --yes--> served (hit, stale); the first one has it fetched
                                 | no                           anew in the background (a row ``refresh``)
                               being fetched, and collapsing? --yes--> waits (a row ``collapsed``)
                                 | no                            |  |  `--fetched--> served
                                 v                               |  `--collapse timeout--> passed on, nothing stored
                               fetched <--it failed: the first who waits--'
                                 |--ok--> stored, served
                                 `--failed--> stale_if_error? --yes--> served (stale)
                                                    `--no--> failed; errors are never stored

    What the request behind a fetch was is of no matter to it: it goes on, and is stored, when its client has given
    up. A request that is collapsed is a miss all the same (RFC 9211), so ``hit`` is false; its row ``collapsed`` has
    its wait. Entries are objects: a key of an endpoint.

    Source: nginx 1.27, ngx_http_upstream.c (a cacheable answer is fetched to its end without its client) and
    ngx_http_file_cache.c (proxy_cache_lock: one fetches; if nothing comes of it one of the others does, and the rest
    waits on; after proxy_cache_lock_timeout each fetches for itself, without storing). There those who wait look again
    every 500 ms; here they are told, as in Varnish. RFC 9111 (age), RFC 5861 (stale answers).
    """

    def __init__(
        self,
        *,
        clock: Clock,
        log: Log,
        name: str,
        target: Part,
        points: tuple[tuple[Point, ...], Stream],
        serving: Serving,
    ) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._target = target
        self._points, self._places = points
        self._serving = serving
        self._ordinals = {endpoint: ordinal for ordinal, endpoint in enumerate(serving.max_age_s)}
        self._tells_stale = serving.stale_while_revalidate_s > 0 or serving.stale_if_error_s > 0

    def handle(self, request: Request) -> Handling:
        """Serve the request from the client's point of presence, or with what is behind it."""
        clock, hit_time = self._clock, self._serving.hit_time
        point = self._points[int(self._places.uniform(request.number) * len(self._points))]
        visit = self._log.open_visit(request, self._name, point.number, clock.now)
        visit.admit(clock.now)
        if hit_time is not None:
            visit.service_time_s = hit_time(request)
            yield clock.timeout(visit.service_time_s)
        fetch = request if isinstance(request, Fetch) else Fetch(request, background=request.background)
        if request.operation in self._ordinals:
            outcome = yield from self._look_up(fetch, visit, point)
        else:
            outcome = yield from self._forward(fetch, visit)
        return visit.close(clock.now, outcome)

    def flush(self) -> None:
        """Lose all answers in all places (a purge); what is being fetched is stored when it comes."""
        for point in self._points:
            point.contents.clear()

    def _look_up(self, fetch: Fetch, visit: Visit, point: Point) -> Handling:
        entry = self._entry(fetch)
        item, now_s, serving = entry.key, self._clock.now, self._serving
        visit.hit = False
        if point.contents.holds(entry, now_s):
            late_s = now_s - point.contents.expiry_s[item]
            if late_s < 0 or late_s < serving.stale_while_revalidate_s:
                self._note(visit, hit=True, stale=late_s >= 0)
                fetch.age_s = self._age_s(fetch, late_s)
                if late_s >= 0 and not point.fetching(item):
                    point.begin(item)
                    self._clock.process(self._refresh(fetch, entry, point))
                return Outcome.OK
        if not serving.collapses:
            return (yield from self._fetch(fetch, entry, visit, point))
        turn: float | Turn = Turn.FETCHES
        if point.fetching(item):
            turn = yield from self._wait(fetch, item, point)
        if isinstance(turn, float):
            fetch.age_s = turn
            return Outcome.OK
        if turn is Turn.ALONE:
            outcome = yield from self._forward(fetch, visit)
            return self._or_stale(outcome, fetch, entry, visit, point)
        point.begin(item)
        return (yield from self._fetch(fetch, entry, visit, point, ends=True))

    def _fetch(self, fetch: Fetch, entry: Request, visit: Visit, point: Point, *, ends: bool = False) -> Handling:
        """Fetch the object and store it; if that fails, serve what is there if it may be."""
        fetch.goes_on = True
        outcome = yield from self._forward(fetch, visit)
        if outcome is Outcome.OK:
            self._store(fetch, entry, point)
        if ends:
            point.end(entry.key, fetch.age_s if outcome is Outcome.OK else None)
        return self._or_stale(outcome, fetch, entry, visit, point)

    def _forward(self, fetch: Fetch, visit: Visit) -> Handling:
        forward_time = self._serving.forward_time
        if forward_time is not None:
            time_s = forward_time(fetch)
            visit.service_time_s += time_s
            yield self._clock.timeout(time_s)
        fetch.age_s = 0.0
        return (yield from self._target.handle(fetch))

    def _wait(self, fetch: Fetch, item: int, point: Point) -> Waiting:
        """Wait for somebody else's fetch; return the age of its answer, or what to do instead."""
        clock = self._clock
        row = self._log.open_visit(fetch, self._name, point.number, clock.now)
        row.operation = "collapsed"
        given = yield point.join(item)
        if isinstance(given, Turn):
            row.turn_away(clock.now, Outcome.TIMEOUT if given is Turn.ALONE else Outcome.ERROR)
            return given
        assert isinstance(given, float)  # whoever waits is given one of the two
        row.admit(clock.now)
        row.close(clock.now, Outcome.OK)
        return given

    def _refresh(self, fetch: Fetch, entry: Request, point: Point) -> Handling:
        """Fetch the object anew for nobody in particular; if that fails, what is there stays as it is."""
        clock, task = self._clock, Fetch(fetch, background=True)
        task.goes_on = True
        visit = self._log.open_visit(task, self._name, point.number, clock.now)
        visit.operation = "refresh"
        visit.admit(clock.now)
        outcome = yield from self._forward(task, visit)
        if outcome is Outcome.OK:
            self._store(task, entry, point)
        point.end(entry.key, task.age_s if outcome is Outcome.OK else None)
        return visit.close(clock.now, outcome)

    def _store(self, fetch: Fetch, entry: Request, point: Point) -> None:
        left_s = self._serving.max_age_s[fetch.operation] - fetch.age_s
        point.contents.keep(entry, self._read_s() + left_s)

    def _read_s(self) -> float:
        """Return what the clock says that ages are read off."""
        now_s, step_s = self._clock.now, self._serving.age_resolution_s
        return math.floor(now_s / step_s) * step_s if step_s else now_s

    def _or_stale(self, outcome: Outcome, fetch: Fetch, entry: Request, visit: Visit, point: Point) -> Outcome:
        """Return how it ended: well as well if what is there may be served after an error."""
        stale_if_error_s = self._serving.stale_if_error_s
        expiry_s = point.contents.expiry_s.get(entry.key)
        if outcome is Outcome.OK or expiry_s is None or stale_if_error_s == 0:
            return outcome
        late_s = self._clock.now - expiry_s
        if late_s >= stale_if_error_s:
            return outcome
        self._note(visit, hit=False, stale=late_s >= 0)
        fetch.age_s = self._age_s(fetch, late_s)
        return Outcome.OK

    def _note(self, visit: Visit, *, hit: bool, stale: bool) -> None:
        visit.hit = hit
        if self._tells_stale:
            visit.stale = stale

    def _age_s(self, fetch: Fetch, late_s: float) -> float:
        return self._serving.max_age_s[fetch.operation] + late_s

    def _entry(self, fetch: Fetch) -> Request:
        """Return the request as the contents know it: about an object, which is a key of an endpoint."""
        item = fetch.key * len(self._ordinals) + self._ordinals[fetch.operation]
        return Request(fetch.number, fetch.attempt, fetch.operation, item, fetch.visit)
