"""Has networks fail: cut between two components, or losing packets of clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.scenario.faults import PacketLossFault, PartitionFault
from lab.scenario.names import CLIENT
from lab.simulation.faults import Faults

if TYPE_CHECKING:
    from lab.simulation.build.world import World


def cut_off(world: World, faults: Faults, fault: PartitionFault) -> None:
    """Have two components not reach each other for a while."""
    one, other = fault.between
    wire = world.wire(one, other)
    assert wire is not None  # this fault is the reason to have one

    def begin() -> None:
        wire.cut()
        faults.note(one, "partition", between=[one, other])

    def end() -> None:
        wire.mend()
        faults.note(one, "partition_over", between=[one, other])

    faults.at(fault.at, begin)
    faults.at(fault.at + fault.duration, end)


def lose_packets(world: World, faults: Faults, fault: PacketLossFault) -> None:
    """Have the network of the clients lose more packets for a while."""
    path = world.client_path()
    assert path is not None  # the scenario's own check has seen to it
    normal = path.loss_ratio
    span_s, told = (fault.at, fault.duration), (CLIENT, fault.kind)
    faults.stretch(span_s, lambda: path.lose(fault.loss), lambda: path.lose(normal), told=told)
