"""nginx as requests see it: a server is asked, and after a failure another one."""

from __future__ import annotations

from dataclasses import dataclass

from lab.randomness import child_visit, name_key
from lab.simulation.clock import Clock
from lab.simulation.exchange import End, Exchange, Exchanged
from lab.simulation.log import Log, Visit
from lab.simulation.nginx.choice import Choice
from lab.simulation.nginx.peers import Peer, Peers, Tries
from lab.simulation.request import Handling, Outcome, Request
from lab.simulation.variate import Variate

_TRY = name_key("next upstream")
_WORDS: dict[Outcome | End, str] = {
    End.REFUSED: "error",
    End.RESET: "error",
    End.TIMED_OUT: "timeout",
    Outcome.ERROR: "http_500",
    Outcome.REJECTED: "http_503",
}
_FAILED = (End.REFUSED, End.RESET, End.TIMED_OUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextUpstream:
    """After what, and for how long, another server is tried.

    Attributes:
        after: the words of ``next_upstream``.
        most_tries: servers tried for one request; infinity: as many as there are.
        within_s: since the first try; infinity: without a limit.
        once_only: the endpoints whose requests are not sent twice.
    """

    after: frozenset[str]
    most_tries: float
    within_s: float
    once_only: frozenset[str]

    def follows(self, ended: Outcome | End, *, operation: str, asked_for_s: float) -> bool:
        """Whether another server may be tried after this end of a try."""
        if _WORDS.get(ended) not in self.after or asked_for_s >= self.within_s:
            return False
        return ended is End.REFUSED or operation not in self.once_only or "non_idempotent" in self.after


class NginxBalancer:
    """Sends each request to a server that is open, and to another when that fails.

    ::

        arrives --> a server is open? --no--> error (502)
          ^            | yes
          |         asked --an answer that next_upstream does not name--> passed on
          |            |  `--client gone, if that is heeded-------------> timeout
          |            | refused, reset, timed out, or an answer that it names
          |            v
          `--yes-- it names that, tries and time are left, the request may be sent again?
                       `--no--> error (502; 504 after a timeout), or that answer

    Of its row, the wait is what earlier tries took, and the replica is the last one tried. Each try draws for itself.

    Source: nginx 1.31, ngx_http_upstream.c (ngx_http_upstream_next, ngx_http_upstream_test_next).
    """

    def __init__(
        self,
        *,
        clock: Clock,
        log: Log,
        name: str,
        upstream: tuple[Peers, Choice],
        rules: tuple[NextUpstream, Exchange],
        forward_time: Variate | None,
    ) -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self._peers, choice = upstream
        self._choose = choice.choose
        self._next, self._exchange = rules
        self._forward_time = forward_time

    def handle(self, request: Request) -> Handling:
        """Have a server answer the request, and after failures another one."""
        clock, peers, rule = self._clock, self._peers, self._next
        visit = self._log.open_visit(request, self._name, -1, clock.now)
        tries, asked_s, tried = Tries(request), clock.now, 0
        most = min(len(peers.all), rule.most_tries)
        while True:
            peer = self._choose(tries) if peers.all else None
            if peer is None:
                return self._turn_away(visit)
            ended = yield from self._try(peer, tries, tried, visit)
            tried += 1
            again = (
                ended is not Outcome.OK
                and tried < most
                and len(peers.all) > 1
                and rule.follows(ended, operation=request.operation, asked_for_s=clock.now - asked_s)
            )
            peers.release(peer, failed=again or ended in _FAILED)
            if not again:
                return self._close(visit, ended)

    def _try(self, peer: Peer, tries: Tries, number: int, visit: Visit) -> Exchanged:
        """Ask one server; the first try is the request itself, each further one has draws of its own."""
        clock, request, member = self._clock, tries.request, peer.member
        self._peers.take(peer, tries)
        visit.admit(clock.now)
        visit.replica = member.index
        if number:
            own = child_visit(request.visit, _TRY + number)
            request = Request(request.number, request.attempt, request.operation, request.key, own, request.background)
        if self._forward_time is not None and member.listens:
            visit.service_time_s = self._forward_time(request)
            yield clock.timeout(visit.service_time_s)
        return (yield from self._exchange.ask(member, request))

    def _turn_away(self, visit: Visit) -> Outcome:
        """Answer 502, as there are no live upstreams."""
        if visit.replica < 0:
            return visit.turn_away(self._clock.now, Outcome.ERROR)
        return visit.close(self._clock.now, Outcome.ERROR)

    def _close(self, visit: Visit, ended: Outcome | End) -> Outcome:
        match ended:
            case End.TIMED_OUT:
                visit.close(self._clock.now, Outcome.TIMEOUT)
                return Outcome.ERROR  # 504
            case End.LEFT:
                return visit.close(self._clock.now, Outcome.TIMEOUT)
            case End.REFUSED | End.RESET:
                return visit.close(self._clock.now, Outcome.ERROR)  # 502
            case _:
                return visit.close(self._clock.now, ended)
