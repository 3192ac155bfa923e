"""Faults of a service's replicas: whom they strike, what is done to them, and how all are made whole again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from reference_backend.aftermath import Aftermath, Death, Renumbering
from reference_backend.agenda import Agenda
from reference_backend.faults import CrashFault, HangFault, OfReplicas, SlowDownFault
from reference_backend.happenings import Happenings
from reference_backend.replicas import Replicas

_LOOK_AGAIN_S = 0.01


@dataclass(slots=True, kw_only=True)
class _Service:
    """The replicas of one service in this repeat.

    Attributes:
        next_number: of the next one that is started.
        ready: numbers of those that are ready, the one that has been for longest first.
        port_of_slot: the addresses, by the number of their first replica.
        slots: of each number that ever was: whose address it has.
    """

    next_number: int
    ready: list[int]
    port_of_slot: dict[int, int]
    slots: dict[int, int]
    hanging: set[int] = field(default_factory=set)
    slowed: set[int] = field(default_factory=set)


class Strikes:
    """Has faults of replicas happen in one repeat, numbers its replicas, and makes the services whole after it.

    As in the simulator, a replica that is started again has a number of its own; its address is that of the dead one.
    """

    def __init__(self, *, replicas: Replicas, agenda: Agenda, happenings: Happenings) -> None:
        self._replicas = replicas
        self._agenda = agenda
        self._happenings = happenings
        self._services = {name: self._at_first(name) for name in replicas.deployment.services()}
        self._renumberings: list[Renumbering] = []
        self._deaths: list[Death] = []

    @property
    def aftermath(self) -> Aftermath:
        """What became of the replicas."""
        deployment = self._replicas.deployment
        return Aftermath(
            entry=deployment.entry,
            service_of={name: spec.targets for name, spec in deployment.load_balancers().items()},
            renumberings=self._renumberings,
            deaths=self._deaths,
        )

    def crash(self, fault: CrashFault) -> None:
        """Kill those that the fault strikes, and start others in their places later."""
        name, struck = fault.component, self._struck(fault)
        service = self._services[name]
        self._happenings.note(name, "crash", replicas=struck)
        for number in struck:
            self._deaths.append(Death(time_s=self._agenda.time_s, service=name, number=number))
            self._replicas.kill(name, number)
            service.ready.remove(number)
            service.hanging.discard(number)
            service.slowed.discard(number)
        if fault.restart_after_s is not None:
            at_s = fault.at_s + fault.restart_after_s
            for number in struck:
                self._agenda.at(at_s, self._restarting(name, number))

    def hang(self, fault: HangFault) -> None:
        """Stop those that the fault strikes, and let them go on later."""
        name, struck = fault.component, self._struck(fault)
        service = self._services[name]
        for number in struck:
            self._replicas.stop(name, number)
        service.hanging.update(struck)
        self._happenings.note(name, "hang", replicas=struck)

        def over() -> None:
            for number in sorted(service.hanging.intersection(struck)):
                self._replicas.let_go_on(name, number)
            service.hanging.difference_update(struck)
            self._happenings.note(name, "hang_over", replicas=struck)

        self._agenda.at(fault.at_s + fault.duration_s, over)

    def slow_down(self, fault: SlowDownFault) -> None:
        """Slow down those that the fault strikes, and let them be as fast as before later."""
        name, struck = fault.component, self._struck(fault)
        service = self._services[name]
        for number in struck:
            self._replicas.slow_down(name, number, fault.steps, fault.factor)
        service.slowed.update(struck)
        self._happenings.note(name, "slow_down", replicas=struck)

        def over() -> None:
            for number in sorted(service.slowed.intersection(struck)):
                self._replicas.slow_down(name, number, fault.steps, 1.0)
            service.slowed.difference_update(struck)
            self._happenings.note(name, "slow_down_over", replicas=struck)

        self._agenda.at(fault.at_s + fault.duration_s, over)

    def end(self) -> None:
        """Let go on, at full speed, whoever still stands still or is slow when the last request has been sent."""
        for name, service in self._services.items():
            for number in service.hanging:
                self._replicas.let_go_on(name, number)
            for number in service.slowed:
                self._replicas.slow_down(name, number, "cpu", 1.0)
                self._replicas.slow_down(name, number, "wait", 1.0)
            service.hanging.clear()
            service.slowed.clear()

    def make_whole(self) -> list[tuple[str, int]]:
        """Have the replicas of the first numbers at their addresses again, and no others; return those started."""
        started = []
        for name, service in self._services.items():
            for slot, port in service.port_of_slot.items():
                if slot in service.ready:
                    continue
                for number, other in self._replicas.ports(name).items():
                    if other == port:
                        self._replicas.kill(name, number)
                self._replicas.start(name, slot, port=port)
                started.append((name, slot))
        return started

    def _at_first(self, name: str) -> _Service:
        ports = self._replicas.ports(name)
        numbers = sorted(ports)
        return _Service(
            next_number=len(numbers), ready=numbers, port_of_slot=ports, slots={number: number for number in numbers}
        )

    def _struck(self, fault: OfReplicas) -> list[int]:
        ready = self._services[fault.component].ready
        if fault.replica is not None:
            return [fault.replica] if fault.replica in ready else []
        return sorted(ready) if fault.replicas is None else ready[: fault.replicas]

    def _restarting(self, name: str, dead: int) -> Callable[[], None]:
        def restart() -> None:
            service = self._services[name]
            number, slot = service.next_number, service.slots[dead]
            service.next_number += 1
            service.slots[number] = slot
            self._replicas.start(name, number, port=service.port_of_slot[slot])
            self._happenings.note(name, "restart", replica=number, replaces=dead)
            self._look_for(name, number)

        return restart

    def _look_for(self, name: str, number: int) -> None:
        """Note when a replica that boots is ready."""
        if not self._replicas.is_ready(name, number):
            self._agenda.at(self._agenda.time_s + _LOOK_AGAIN_S, lambda: self._look_for(name, number))
            return
        service = self._services[name]
        service.ready.append(number)
        slot, time_s = service.slots[number], self._agenda.time_s
        self._renumberings.append(Renumbering(time_s=time_s, service=name, slot=slot, number=number))
        for balancer, spec in self._replicas.deployment.load_balancers().items():
            if spec.targets == name:
                self._happenings.note(balancer, "server_replaced", server=slot, replica=number)
