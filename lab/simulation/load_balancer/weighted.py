"""In turn by weight: a server of twice the weight has twice the turns, spread as evenly as they can be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from heapq import heappop, heappush

from lab.simulation.load_balancer.server import Server
from lab.simulation.request import Request

_MOST_WEIGHT = 256 * 16  # HAProxy's greatest effective weight
_SCALE = 16
Heap = list[tuple[int, int, int, Server]]


class Tree(Enum):
    """Where a server stands: not at all, or in one of HAProxy's three trees."""

    NONE = 0
    INIT = 1
    CURRENT = 2
    NEXT = 3


@dataclass(slots=True)
class _Turn:
    """When a server is next: its next and last position, and the part of a position left over."""

    weight: int = 0
    next: int = 0
    last: int = 0
    rest: int = 0
    tree: Tree = Tree.NONE


class WeightedRoundRobin:
    """HAProxy's ``roundrobin``: each server is next when the position reaches its own, which then moves on.

    A round has as many positions as the servers weigh together; a turn takes a server total weight / own weight
    positions further. Three heaps order the servers: ``current`` by position; ``init`` by weight, for those that have
    not had a turn in this round; ``next`` by weight, for those whose position lies in the next round. A full server is
    passed over as if it had had its turn, so a choice takes O((1 + full servers met) log n) steps; with equal weights
    :class:`~lab.simulation.load_balancer.roundrobin.RoundRobin` does in less.

    Source: HAProxy 2.8, src/lb_fwrr.c, to the letter, as its positions decide the order among equals; but for one
    thing: a request that finds every server full leaves the order as it is, where HAProxy turns it round.
    """

    def __init__(self) -> None:
        self._turns: dict[Server, _Turn] = {}
        self._init: Heap = []
        self._current: Heap = []
        self._next: Heap = []
        self._round = self._next_round = 0  # total weight of this round and of the next
        self._position = 0
        self._entries = 0
        self._free = 0  # who has room: the server of slot k as bit k
        self._begun = False

    def choose(self, request: Request, avoid: Server | None = None) -> Server | None:
        """Return the next server that has room."""
        if not self._free:
            return None
        self._begun = True
        switched, avoided, passed = False, None, list[Server]()
        while True:
            if not self._round:
                self._position = self._round = self._next_round
            server = self._first()
            if server is None and not switched:
                switched = True
                self._switch()
                continue
            server = server or avoided
            if server is None:
                break
            self._move_on(server)
            if not server.full and (server is not avoid or avoided is not None):
                self._queue(server)
                break
            if not server.full:
                avoided = server
            passed.append(server)
        for each in reversed(passed):
            if each is not server:
                self._queue_by_weight(each, Tree.INIT) if switched else self._queue(each)
        return server

    def counted(self, server: Server) -> None:
        """Note whether it has room."""
        if server.full or not server.usable:
            self._free &= ~(1 << server.slot)
        else:
            self._free |= 1 << server.slot

    def changed(self, server: Server) -> None:
        """Give a server its place, another one, or none."""
        self.counted(server)
        turn = self._turns.setdefault(server, _Turn())
        before, after = turn.weight, server.weight if server.usable else 0
        if before == after:
            return
        turn.weight = after
        self._next_round += after - before
        if not after:
            self._dequeue(server)
        elif not self._begun:
            self._position = self._round = self._next_round
            self._queue_by_weight(server, Tree.INIT)
        elif not before:
            turn.next = self._position + (self._next_round + self._round - self._position) // after
            self._queue(server)
        elif turn.tree is Tree.INIT:
            self._queue_by_weight(server, Tree.INIT)
        else:
            self._reweigh(turn)
            self._queue(server)

    def _reweigh(self, turn: _Turn) -> None:
        """Find the next position under another weight: not later than before, and not in the past."""
        if turn.tree is Tree.NEXT:
            turn.next += self._round
        step = self._next_round // turn.weight
        turn.next = min(turn.last + step, turn.next)
        turn.rest = 0
        if turn.next < self._position + 2:
            turn.next = self._position + step

    def _first(self) -> Server | None:
        """The first of the current tree, if it is its turn, else the heaviest that had none in this round."""
        server = self._top(self._current, Tree.CURRENT)
        if server is None or self._turns[server].next > self._position:
            fresh = self._top(self._init, Tree.INIT)
            if fresh is not None:
                turn = self._turns[fresh]
                turn.next = turn.rest = 0
                return fresh
        return server

    def _top(self, heap: Heap, tree: Tree) -> Server | None:
        while heap:
            _, _, entry, server = heap[0]
            if server.entry == entry and self._turns[server].tree is tree:
                return server
            heappop(heap)
        return None

    def _switch(self) -> None:
        """Begin the next round."""
        for server in (each for *_, entry, each in self._next if each.entry == entry):
            self._turns[server].tree = Tree.INIT
        self._init, self._next = self._next, self._init
        self._round = self._position = self._next_round

    def _move_on(self, server: Server) -> None:
        """Take the server out, and its position one turn further."""
        turn = self._turns[server]
        turn.last = turn.next or self._position
        turn.next = turn.last + self._next_round // turn.weight
        turn.rest += self._next_round % turn.weight
        if turn.rest >= turn.weight:
            turn.rest -= turn.weight
            turn.next += 1
        self._dequeue(server)
        self._position += 1

    def _dequeue(self, server: Server) -> None:
        server.entry = 0
        self._turns[server].tree = Tree.NONE

    def _queue(self, server: Server) -> None:
        """Put the server where its position says."""
        turn = self._turns[server]
        if not server.usable:
            self._dequeue(server)
        elif turn.next >= self._round + min(self._round, self._next_round):
            turn.next -= self._round
            self._queue_by_weight(server, Tree.NEXT)
        else:
            self._enter(server, Tree.CURRENT, (turn.next, (_MOST_WEIGHT + turn.rest - turn.weight) // _SCALE))

    def _queue_by_weight(self, server: Server, tree: Tree) -> None:
        self._enter(server, tree, (_MOST_WEIGHT - self._turns[server].weight, 0))

    def _enter(self, server: Server, tree: Tree, key: tuple[int, int]) -> None:
        self._entries += 1
        server.entry = self._entries
        self._turns[server].tree = tree
        heap = {Tree.INIT: self._init, Tree.NEXT: self._next, Tree.CURRENT: self._current}[tree]
        heappush(heap, (*key, self._entries, server))
