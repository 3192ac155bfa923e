"""The servers as nginx knows them: what is under way there, how often they failed, and who may be asked."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lab.simulation.clock import Clock
from lab.simulation.fleet import Member
from lab.simulation.log import Log
from lab.simulation.request import Request


class Peer:
    """One line ``server ...`` of an upstream.

    Attributes:
        slot: its number among all that the upstream ever had, in the order of their coming.
        member: the process at the address.
        weight: the configured one.
        limit: most requests under way at once; infinity where there is no limit.
        conns: requests under way.
        fails: failed tries that count.
        accessed_s: the whole second of the last failed try.
        checked_s: the whole second of the last failed try, or since of one that may tell that it is live again.
        current_weight: how much it is its turn.
        effective_weight: the weight, less what failures have taken and turns have not yet given back.
    """

    __slots__ = (
        "accessed_s",
        "checked_s",
        "conns",
        "current_weight",
        "effective_weight",
        "fails",
        "limit",
        "member",
        "slot",
        "weight",
    )

    def __init__(self, member: Member, *, slot: int, weight: int = 1, limit: int | None = None) -> None:
        self.slot = slot
        self.member = member
        self.weight = self.effective_weight = weight
        self.limit: float = math.inf if limit is None else limit
        self.conns = self.fails = self.current_weight = 0
        self.accessed_s = self.checked_s = 0


class Tries:
    """What nginx remembers of one request: whom it has tried, and how much it has drawn for it.

    Attributes:
        request: as it came.
        tried: the servers tried.
        draws: numbers drawn for it; they address the next one.
        misses: servers drawn that could not be taken.
    """

    __slots__ = ("draws", "misses", "request", "tried")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.tried: list[Peer] = []
        self.draws = self.misses = 0


class Peers:
    """The servers of an upstream.

    ::

        live --max_fails failed tries--> out, for fail_timeout
          ^                                |
          |<--the try succeeds-- one request tries it --fails--> out again

    Times are whole seconds, as those of nginx are. A peer alone is never out.
    """

    def __init__(self, *, clock: Clock, log: Log, name: str, max_fails: int, fail_timeout_s: int) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._max_fails = max_fails
        self._fail_timeout_s = fail_timeout_s
        self.all: list[Peer] = []

    def add(self, peer: Peer) -> None:
        """Take a server into the upstream."""
        self.all.append(peer)

    def drain(self, peer: Peer) -> None:
        """Take a server out of the upstream; what is under way there goes on."""
        self.all.remove(peer)

    def remove(self, peer: Peer) -> None:
        """Forget a server that was taken out and is done: nothing is left to forget."""

    def open_to(self, tries: Tries) -> Iterator[Peer]:
        """Yield the servers that a request may be sent to, in their order."""
        now_s = int(self._clock.now)
        for peer in self.all:
            if self._takes(peer, tries, now_s):
                yield peer

    def is_open(self, peer: Peer, tries: Tries) -> bool:
        """Whether a request may be sent to this server."""
        return self._takes(peer, tries, int(self._clock.now))

    def alone(self) -> Peer | None:
        """Return the only server if there is but one and it has room, whatever its failures were."""
        peer = self.all[0]
        return peer if peer.conns < peer.limit else None

    def take(self, peer: Peer, tries: Tries) -> None:
        """Count one more under way at a server."""
        now_s = int(self._clock.now)
        if len(self.all) > 1:
            tries.tried.append(peer)
            if now_s - peer.checked_s > self._fail_timeout_s:
                peer.checked_s = now_s
        peer.conns += 1

    def release(self, peer: Peer, *, failed: bool) -> None:
        """Count one less under way, and what its end tells of the server."""
        peer.conns -= 1
        if len(self.all) == 1:
            peer.fails = 0
        elif failed:
            self._fail(peer)
        elif peer.accessed_s < peer.checked_s and peer.fails:
            if self._max_fails and peer.fails >= self._max_fails:
                self._note("server_live", peer)
            peer.fails = 0

    def _fail(self, peer: Peer) -> None:
        peer.fails += 1
        peer.accessed_s = peer.checked_s = int(self._clock.now)
        if self._max_fails:
            peer.effective_weight = max(0, peer.effective_weight - peer.weight // self._max_fails)
            if peer.fails >= self._max_fails:
                self._note("server_disabled", peer)

    def _takes(self, peer: Peer, tries: Tries, now_s: int) -> bool:
        if peer.conns >= peer.limit or peer in tries.tried:
            return False
        out = self._max_fails and peer.fails >= self._max_fails
        return not (out and now_s - peer.checked_s <= self._fail_timeout_s)

    def _note(self, kind: str, peer: Peer) -> None:
        self._log.event(self._name, kind, self._clock.now, server=peer.slot, replica=peer.member.index)
