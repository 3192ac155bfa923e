"""A platform for functions: an execution environment for each request, warm if one is idle, else started for it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from lab.simulation.clock import Clock, Handover, Order, Timer
from lab.simulation.deployment import Deployment
from lab.simulation.fleet import Life, Member
from lab.simulation.log import Log
from lab.simulation.request import Handling, Outcome, Request

_INSTANT_S = 1e-9  # what arithmetic with floats may leave of a time that is over
_WHOLE = 1 - 1e-9  # of one start


class Allowance:
    """How many processes may be started now: a bucket that refills bit by bit and never holds more than its burst.

    >>> allowance = Allowance(burst=2, rate_per_s=0.5)
    >>> [allowance.take(at_s) for at_s in (0.0, 0.0, 0.0, 1.0, 2.0, 100.0, 100.0, 100.0)]
    [True, True, False, False, True, True, True, False]
    """

    def __init__(self, *, burst: int, rate_per_s: float) -> None:
        self._burst = burst
        self._rate_per_s = rate_per_s
        self._left = float(burst)
        self._since_s = 0.0

    def take(self, now_s: float) -> bool:
        """Take one start, if there is one, and return whether there was."""
        self._left = min(self._burst, self._left + (now_s - self._since_s) * self._rate_per_s)
        self._since_s = now_s
        if self._left < _WHOLE:
            return False
        self._left -= 1
        return True


class Environment:
    """A process of the function.

    Attributes:
        member: the process.
        room: how many more requests it may be given.
        arriving: who waits for it to be ready.
        idle_since_s: when its last request left it.
        watched: whether its idle timeout runs.
    """

    __slots__ = ("arriving", "idle_since_s", "member", "room", "watched")

    def __init__(self, member: Member, room: int, now_s: float) -> None:
        self.member = member
        self.room = room
        self.arriving: deque[Handover] = deque()
        self.idle_since_s = now_s
        self.watched = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the platform promises.

    Attributes:
        room: requests that one environment works on at once.
        idle_timeout_s: after which an idle one is ended.
        bounds: how many environments are kept at least, and how many there may be.
        burst: most starts at once.
        rate_per_s: how quickly that allowance comes back.
    """

    room: int
    idle_timeout_s: float
    bounds: tuple[int, int]
    burst: int
    rate_per_s: float


class Platform:
    """Gives each request an environment that has room for it, and starts one where there is none.

    ::

        arrives --> a warm one with room? --yes: the one used last--------------------> handled --> warm again
                     | no                                                               ^             |
                     one that is being started for others, with room? --yes--> waits ---+             | idle_timeout,
                     | no                                                               |             | more than min
                     fewer than max, quota and ramp allow it? --yes: a cold start ------+             v
                     `--no--> rejected (429) at once                                                 ended

    The request for which an environment is started waits for that one, even if another becomes idle meanwhile.
    Provisioned environments that boot take requests once they are ready.

    Rows: ``NAME.platform``, with the wait for a cold start; ``hit`` tells whether the environment was warm.

    Source: AWS, "Understanding Lambda function scaling"; the order of reuse and the idle timeout are not documented.
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, deployment: Deployment, terms: Terms) -> None:
        self._clock = clock
        self._log = log
        self._name = f"{name}.platform"
        self._deployment = deployment
        self._terms = terms
        self._least, self._most = terms.bounds
        self._allowance = Allowance(burst=terms.burst, rate_per_s=terms.rate_per_s)
        self._known: dict[Member, Environment] = {}
        self._warm: dict[Environment, None] = {}  # with room, the one used last at the end
        self._coming: dict[Environment, None] = {}  # started for requests, with room for more
        for member in deployment.fleet.ready:
            self._welcome(member)
        deployment.fleet.watch(self._follow)

    def handle(self, request: Request) -> Handling:
        """Have an environment handle the request, as soon as there is one."""
        clock = self._clock
        visit = self._log.open_visit(request, self._name, -1, clock.now)
        visit.hit = bool(self._warm)
        environment = self._find()
        if environment is None:
            return visit.turn_away(clock.now, Outcome.REJECTED)
        self._take(environment)
        visit.replica = environment.member.index
        if environment.member.life is Life.BOOTING:
            place = Handover(clock)
            environment.arriving.append(place)
            if not (yield place):
                return visit.turn_away(clock.now, Outcome.ERROR)  # it died before it was ready
        visit.admit(clock.now)
        outcome = yield from environment.member.handle(request)
        self._release(environment)
        return visit.close(clock.now, outcome)

    def limit(self, least: int, most: int) -> None:
        """Keep at least and at most so many environments from now on."""
        self._least, self._most = least, most
        if self._deployment.wanted < least:
            self._deployment.scale_to(least)
        for environment in list(self._warm):  # the one idle for longest first
            if self._deployment.wanted > most and self._is_idle(environment):
                self._end(environment)
            else:
                self._end_if_idle(environment)
        if self._deployment.wanted > most:
            self._deployment.scale_to(most)

    def _find(self) -> Environment | None:
        if self._warm:
            return next(reversed(self._warm))
        if self._coming:
            return next(iter(self._coming))
        deployment = self._deployment
        if deployment.wanted >= self._most or not deployment.has_room or not self._allowance.take(self._clock.now):
            return None
        member = deployment.add()
        if member not in self._known:  # it boots; else it was ready at once
            environment = Environment(member, self._terms.room, self._clock.now)
            self._known[member] = environment
            self._coming[environment] = None
        return self._known[member]

    def _take(self, environment: Environment) -> None:
        environment.room -= 1
        if environment.room == 0:
            self._warm.pop(environment, None)
            self._coming.pop(environment, None)

    def _release(self, environment: Environment) -> None:
        if environment.member.life is Life.READY:
            environment.room += 1
            environment.idle_since_s = self._clock.now
            self._warm.pop(environment, None)
            self._warm[environment] = None
            self._watch(environment)

    def _follow(self, member: Member) -> None:
        if member.life is Life.READY:
            self._welcome(member)
        elif member.life in (Life.DRAINING, Life.GONE):
            environment = self._known.pop(member, None)
            if environment is not None:
                self._forget(environment)
            if self._deployment.wanted < self._least:
                self._deployment.scale_to(self._least)

    def _welcome(self, member: Member) -> None:
        environment = self._known.setdefault(member, Environment(member, self._terms.room, self._clock.now))
        self._coming.pop(environment, None)
        environment.idle_since_s = self._clock.now
        if environment.room > 0:
            self._warm[environment] = None
        self._watch(environment)
        while environment.arriving:
            environment.arriving.popleft().give(True)

    def _forget(self, environment: Environment) -> None:
        self._warm.pop(environment, None)
        self._coming.pop(environment, None)
        while environment.arriving:
            environment.arriving.popleft().give(False)

    def _is_idle(self, environment: Environment) -> bool:
        return environment.room == self._terms.room and environment.member.life is Life.READY

    def _watch(self, environment: Environment) -> None:
        """Have its idle timeout run, unless it does or it is busy."""
        if not environment.watched and self._is_idle(environment):
            environment.watched = True
            left_s = environment.idle_since_s + self._terms.idle_timeout_s - self._clock.now
            Timer(self._clock, max(0.0, left_s), Order.EXPIRY, lambda _: self._expire(environment))

    def _expire(self, environment: Environment) -> None:
        environment.watched = False
        if self._is_idle(environment) and not self._is_due(environment):
            self._watch(environment)  # it was used meanwhile
        else:
            self._end_if_idle(environment)

    def _is_due(self, environment: Environment) -> bool:
        return self._clock.now >= environment.idle_since_s + self._terms.idle_timeout_s - _INSTANT_S

    def _end_if_idle(self, environment: Environment) -> None:
        if self._is_idle(environment) and self._is_due(environment) and self._deployment.wanted > self._least:
            self._end(environment)

    def _end(self, environment: Environment) -> None:
        self._deployment.remove(environment.member)
