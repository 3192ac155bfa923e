"""How nginx chooses a server."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Protocol

from lab.randomness import Stream
from lab.simulation.nginx.peers import Peer, Peers, Tries

_MOST_MISSES = 20  # then by turns
_DRAWS = 4096  # more than are ever made for one request


class Choice(Protocol):
    """Chooses a server for a request that may have been tried at others."""

    def choose(self, tries: Tries) -> Peer | None:
        """Return a server that the request may be sent to, or None."""
        ...


def next_in_turn(peers: Iterable[Peer]) -> Peer | None:
    """Return whose turn it is by smooth weighted round robin, and move the turn on.

    Each gains its effective weight; who has most is next, and loses what all gained: with weights 5, 1, 1 the turns are
    a a b a c a a. An effective weight that failures have lowered gains 1 at each turn.
    """
    best, total = None, 0
    for peer in peers:
        weight = peer.effective_weight
        peer.current_weight += weight
        total += weight
        if weight < peer.weight:
            peer.effective_weight = weight + 1
        if best is None or peer.current_weight > best.current_weight:
            best = peer
    if best is not None:
        best.current_weight -= total
    return best


class InTurn:
    """``round_robin``: smooth weighted round robin."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def choose(self, tries: Tries) -> Peer | None:
        """Return whose turn it is of those that are open."""
        peers = self._peers
        if len(peers.all) == 1:
            return peers.alone()
        return next_in_turn(peers.open_to(tries))


class FewestUnderWay:
    """``least_conn``: fewest requests under way per weight, in turn among equals."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def choose(self, tries: Tries) -> Peer | None:
        """Return the least busy of those that are open."""
        peers = self._peers
        if len(peers.all) == 1:
            return peers.alone()
        equals: list[Peer] = []
        for peer in peers.open_to(tries):
            if not equals:
                equals = [peer]
                continue
            busier = peer.conns * equals[0].weight - equals[0].conns * peer.weight
            if busier < 0:
                equals = [peer]
            elif busier == 0:
                equals.append(peer)
        return next_in_turn(equals) if len(equals) > 1 else (equals[0] if equals else None)


class ByLot:
    """``random`` and ``random two``: drawn by weight; of two different ones the less busy, of equals the later draw.

    What cannot be taken (tried already, out, full, or the first of the two again) is drawn anew, up to 20 times for one
    request; after that, whose turn it is.

    Args:
        two: whether two are drawn and compared.
    """

    def __init__(self, peers: Peers, *, choices: Stream, two: bool) -> None:
        self._peers = peers
        self._in_turn = InTurn(peers)
        self._choices = choices
        self._two = two

    def choose(self, tries: Tries) -> Peer | None:
        """Return the one drawn, or the less busy of the two."""
        peers, first = self._peers, None
        if tries.misses > _MOST_MISSES or len(peers.all) == 1:
            return self._in_turn.choose(tries)
        ends = list(accumulate(peer.weight for peer in peers.all))
        while True:
            peer = self._draw(tries, ends)
            if peer is first or not peers.is_open(peer, tries):
                tries.misses += 1
                if tries.misses > _MOST_MISSES:
                    return self._in_turn.choose(tries)
            elif not self._two:
                return peer
            elif first is None:
                first = peer
            else:
                return first if peer.conns * first.weight > first.conns * peer.weight else peer

    def _draw(self, tries: Tries, ends: list[int]) -> Peer:
        request = tries.request
        uniform = self._choices.uniform(request.number, request.attempt, request.visit * _DRAWS + tries.draws)
        tries.draws += 1
        return self._peers.all[bisect_right(ends, int(uniform * ends[-1]))]
