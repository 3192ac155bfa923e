"""The zones of a service: which process is where, and which zones are lost."""

from __future__ import annotations

from lab.simulation.fleet import Fleet, Life, Member

_LIVING = (Life.READY, Life.BOOTING, Life.DRAINING)


class Zones:
    """Spreads the processes of a service over zones.

    ::

        in place --lose--> lost: its processes have ended --regain--> in place; they are started again, and boot
                             |
                             `-- whoever is started anew meanwhile goes to the next zone that is in place

    New processes take the zones in turn by their numbers; one that takes over an address stays in the zone of it.
    """

    def __init__(self, *, fleet: Fleet, zones: tuple[str, ...]) -> None:
        self._zones = zones
        self._lost: list[str] = []
        self._of: dict[Member, str] = {}
        self._fleet = fleet
        for member in fleet.members:
            self._place(member)
        fleet.watch(self._place)

    def lose(self, zone: str) -> list[Member]:
        """Have a zone lost from now on, and return the processes that end with it, oldest first."""
        self._lost.append(zone)
        members = self._fleet.members
        return [member for member in members if self._of[member] == zone and member.life in _LIVING]

    def regain(self, zone: str) -> None:
        """Have a zone in place again."""
        self._lost.remove(zone)

    def _place(self, member: Member) -> None:
        if member in self._of:
            return
        if member.replaces is not None:
            self._of[member] = self._of[member.replaces]
            return
        turns = [self._zones[(member.index + step) % len(self._zones)] for step in range(len(self._zones))]
        self._of[member] = next((zone for zone in turns if zone not in self._lost), turns[0])
