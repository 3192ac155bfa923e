"""Makes what clients heed before they send: shared by all of them, or of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from lab.scenario.client import CircuitBreaker as BreakerSpec
from lab.scenario.client_throttle import Throttle as ThrottleSpec
from lab.scenario.hedge import Hedge
from lab.scenario.hedge import HedgeThrottle as HedgeThrottleSpec
from lab.scenario.retry_budget import RetryBudget as BudgetSpec
from lab.scenario.retry_budget import Scope
from lab.simulation.circuit_breaker import CircuitBreaker
from lab.simulation.client_throttle import ClientThrottle
from lab.simulation.guard import Guard
from lab.simulation.retry_budget import HedgeThrottle, RetryBudget

if TYPE_CHECKING:
    from lab.simulation.build.world import World


class _Scoped(Protocol):
    @property
    def scope(self) -> Scope: ...


_Spec = TypeVar("_Spec", bound=_Scoped)
_Part = TypeVar("_Part")


def guards(world: World) -> Callable[[int], Guard | None]:
    """Return what gives the guard of a client by its number; None for clients that heed nothing."""
    client = world.scenario.client
    hedge_throttle = client.hedge.throttle if client.hedge else None
    if all(spec is None for spec in (client.throttle, client.circuit_breaker, client.budget, hedge_throttle)):
        return lambda _: None

    def throttle(spec: ThrottleSpec, _: int | None) -> ClientThrottle:
        return ClientThrottle(clock=world.clock, draws=world.stream("client/throttle"), spec=spec)

    def breaker(spec: BreakerSpec, number: int | None) -> CircuitBreaker:
        whose = {} if number is None else {"client": number}
        return CircuitBreaker(clock=world.clock, log=world.log, spec=spec, whose=whose)

    throttle_of, breaker_of = _of_each(client.throttle, throttle), _of_each(client.circuit_breaker, breaker)
    budget_of, hedge_throttle_of = _of_each(client.budget, _budget), _of_each(hedge_throttle, _hedge_throttle)

    def guard(number: int) -> Guard:
        return Guard(
            throttle=throttle_of(number),
            breaker=breaker_of(number),
            budget=budget_of(number),
            hedge_throttle=hedge_throttle_of(number),
        )

    return guard


def hedge_guard(hedge: Hedge) -> Guard | None:
    """Return the guard of whoever sends all copies of one hedge; None if nothing bounds them."""
    budget, throttle = hedge.budget, hedge.throttle
    if budget is None and throttle is None:
        return None
    return Guard(
        budget=None if budget is None else _budget(budget, None),
        hedge_throttle=None if throttle is None else _hedge_throttle(throttle, None),
    )


def _of_each(spec: _Spec | None, make: Callable[[_Spec, int | None], _Part]) -> Callable[[int], _Part | None]:
    """Return what gives a client its part by its number: none, the one that all share, or one of its own."""
    if spec is None:
        return lambda _: None
    if spec.scope == "shared":
        shared = make(spec, None)
        return lambda _: shared
    return lambda number: make(spec, number)


def _budget(spec: BudgetSpec, _: int | None) -> RetryBudget:
    return RetryBudget(ratio=spec.ratio, burst=spec.burst)


def _hedge_throttle(spec: HedgeThrottleSpec, _: int | None) -> HedgeThrottle:
    return HedgeThrottle(tokens=spec.tokens, ratio=spec.ratio)
