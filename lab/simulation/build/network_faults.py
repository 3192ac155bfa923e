"""Has networks fail: cut or slow between two components, losing packets of clients, closing their connections."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, assert_never

from lab.scenario.faults import DisconnectFault, PacketLossFault, PartitionFault, SlowLinkFault
from lab.scenario.names import CLIENT
from lab.simulation.faults import Faults

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def strike_link(world: World, faults: Faults, fault: PartitionFault | SlowLinkFault) -> None:
    """Have two components not reach each other for a while, or reach each other later."""
    one, other = fault.between
    wire = world.wire(one, other)
    assert wire is not None  # this fault is the reason to have one
    match fault:
        case PartitionFault():
            acts: tuple[Callable[[], None], Callable[[], None]] = (wire.cut, wire.mend)
            detail = {}
        case SlowLinkFault():
            acts = (partial(wire.slow_down, fault.delay), partial(wire.slow_down, 0.0))
            detail = {"delay_s": fault.delay}
        case _:
            assert_never(fault)
    begin, end = acts

    def begins() -> None:
        begin()
        faults.note(one, fault.kind, between=[one, other], **detail)

    def ends() -> None:
        end()
        faults.note(one, f"{fault.kind}_over", between=[one, other])

    faults.at(fault.at, begins)
    faults.at(fault.at + fault.duration, ends)


def strike_network(world: World, faults: Faults, fault: PacketLossFault | DisconnectFault) -> None:
    """Have a fault happen to the way between clients and the entry."""
    match fault:
        case PacketLossFault():
            _lose_packets(world, faults, fault)
        case DisconnectFault():
            _disconnect(world, faults, fault)
        case _:
            assert_never(fault)


def _lose_packets(world: World, faults: Faults, fault: PacketLossFault) -> None:
    way = world.client_way()
    assert way is not None  # the scenario's own check has seen to it
    path = way.path
    normal = path.loss_ratio
    span_s, told = (fault.at, fault.duration), (CLIENT, fault.kind)
    faults.stretch(span_s, lambda: path.lose(fault.loss), lambda: path.lose(normal), told=told)


def _disconnect(world: World, faults: Faults, fault: DisconnectFault) -> None:
    way = world.client_way()
    assert way is not None  # the scenario's own check has seen to it
    assert way.pool is not None
    pool = way.pool

    def happen() -> None:
        pool.close_all()
        faults.note(CLIENT, fault.kind)

    faults.at(fault.at, happen)
