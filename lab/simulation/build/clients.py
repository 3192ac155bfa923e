"""Makes the clients of a scenario and what sends their requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, assert_never

from lab.scenario.schedule import Schedule, draw_arrivals, draw_schedule
from lab.scenario.workload import ClosedWorkload, OpenWorkload, ReplayWorkload, SessionsWorkload
from lab.simulation.build.guards import guards
from lab.simulation.build.network import entry_of_clients
from lab.simulation.client import Clients
from lab.simulation.client_request import Asks
from lab.simulation.closed_population import ClosedPopulation
from lab.simulation.hedging import HedgingClients
from lab.simulation.open_arrivals import OpenArrivals
from lab.simulation.sessions import Sessions

if TYPE_CHECKING:
    from lab.scenario.scenario import Scenario
    from lab.simulation.build.world import World


class Source(Protocol):
    """What sends the requests of a run."""

    def start(self) -> None:
        """Begin; the requests come as time passes, and each is noted in the log."""
        ...

    def finish(self) -> None:
        """Note in the log what was to be sent after the end of the run."""
        ...


def schedule_of_run(scenario: Scenario, *, seed: int, replication: int) -> Schedule | None:
    """Return the schedule of a replication, or None where the answers decide when clients ask again."""
    if isinstance(scenario.workload, OpenWorkload | ReplayWorkload):
        return draw_schedule(scenario, seed=seed, replication=replication)
    return None


def make_source(world: World, schedule: Schedule | None) -> Source:
    """Return what sends the requests of the world's scenario, or those of a given schedule instead.

    Args:
        world: where they are sent.
        schedule: what is sent; None for a workload whose requests depend on the answers.
    """
    clients = _clients(world, replayed=schedule is not None)
    guard_of = guards(world)
    if schedule is not None:
        return OpenArrivals(clock=world.clock, log=world.log, clients=clients, schedule=schedule, guard=guard_of(0))
    workload = world.scenario.workload
    match workload:
        case ClosedWorkload():
            return ClosedPopulation(
                clock=world.clock, log=world.log, clients=clients, spec=workload, stream=world.stream, guard_of=guard_of
            )
        case SessionsWorkload():
            return Sessions(
                place=(world.clock, world.log),
                clients=clients,
                spec=workload,
                arrivals_s=draw_arrivals(workload.arrival_rate, world.scenario.run.duration, world.stream),
                stream=world.stream,
                guard_of=guard_of,
            )
        case OpenWorkload() | ReplayWorkload():
            raise AssertionError("an open workload has a schedule")
        case _:
            assert_never(workload)


def _clients(world: World, *, replayed: bool) -> Asks:
    spec, hedge = world.scenario.client, world.scenario.client.hedge
    entry = entry_of_clients(world, replayed=replayed)
    round_trip = world.unless_free("client/round_trip", spec.round_trip)
    if hedge is not None:
        return HedgingClients(
            place=(world.clock, world.log),
            spec=spec,
            hedge=hedge,
            entry=entry,
            round_trip=round_trip,
            gone=world.gone,
        )
    return Clients(
        clock=world.clock,
        log=world.log,
        spec=spec,
        entry=entry,
        draws=(world.stream("client/backoff"), round_trip),
        gone=world.gone,
    )
