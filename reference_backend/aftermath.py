"""What faults mean for the traces: servers that are other replicas, checks that failed, visits that were cut off."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reference_backend import haproxy
from reference_backend.clock import Clock
from reference_backend.happenings import Happening, detailed

Span = dict[str, object]
Attempt = Mapping[str, object]

UNKNOWN_REPLICA = -1
_AT_ONCE_S = 0.1  # between a death and the end of what it ended

# Such as: 2026-11-22T06:31:41.123456+00:00 Server edge/r0 is DOWN, reason: Layer4 connection problem, ...
_NOTICE = re.compile(r"^(\S+) Server (\w+)/(r\d+) is (UP|DOWN),")
_KINDS = {"UP": "server_up", "DOWN": "server_down"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Renumbering:
    """From this time on, the server of a slot is a replica of another number."""

    time_s: float
    service: str
    slot: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """A replica was killed at a time."""

    time_s: float
    service: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What faults did to the replicas in one repeat.

    Attributes:
        entry: where requests enter.
        service_of: the service behind each load balancer.
        renumberings: in the order of their times.
        deaths: the replicas that were killed.
    """

    entry: str
    service_of: Mapping[str, str]
    renumberings: Sequence[Renumbering]
    deaths: Sequence[Death]

    def replica(self, balancer: str, slot: int, time_s: float) -> int:
        """Return the number of the replica that a server of a load balancer is at a time."""
        service, number = self.service_of[balancer], slot
        for each in self.renumberings:
            if each.service == service and each.slot == slot and each.time_s <= time_s:
                number = each.number
        return number

    def notices(self, text: str, clock: Clock) -> Iterator[Happening]:
        """Yield when HAProxy took servers down and brought them up, as its checks said."""
        for line in text.splitlines():
            found = _NOTICE.match(line)
            if found is None:
                continue
            written, balancer, server, state = found.groups()
            time_s = datetime.fromisoformat(written).timestamp() - clock.wall_ahead_s - clock.zero_s
            slot = haproxy.replica_of(server)
            if slot is None or balancer not in self.service_of or not clock.is_of_this_repeat(time_s):
                continue
            detail = detailed(server=slot, replica=self.replica(balancer, slot, time_s))
            yield Happening(time_s=time_s, component=balancer, kind=_KINDS[state], detail=detail)

    def broken_off(self, attempts: Sequence[Attempt]) -> Iterator[tuple[Attempt, int]]:
        """Yield the clients' attempts whose connection was closed without an answer as a replica died, and its number.

        HAProxy closes a client's connection without an answer, and logs nothing, when a server does so and it was not
        the first request on it: the client is to try again. Where several replicas died at once, nobody knows which one
        it was, and the number is -1.
        """
        for attempt in attempts:
            if attempt["outcome"] != "error" or attempt["status"] is not None:
                continue
            began_s, ended_s = float(attempt["start_s"]), float(attempt["end_s"])  # type: ignore[arg-type]
            numbers = [each.number for each in self.deaths if began_s - _AT_ONCE_S <= each.time_s <= ended_s]
            late = [each.time_s for each in self.deaths if each.time_s <= ended_s]
            if numbers and ended_s - max(late) <= _AT_ONCE_S:
                yield attempt, numbers[0] if len(numbers) == 1 else UNKNOWN_REPLICA

    def revise(self, spans: list[Span], attempts: Sequence[Attempt], endpoint_of: Mapping[object, str]) -> None:
        """Number the replicas of load balancers' spans, and add the visits that died with a replica.

        A killed process cannot write what it was doing: what a load balancer had sent it was there from its admission
        to the death; how much of that it waited or worked, nobody knows.
        """
        for span in spans:
            balancer, slot, admitted_s = str(span["component"]), span["replica"], span["admitted_s"]
            if balancer in self.service_of and isinstance(slot, int) and isinstance(admitted_s, float) and slot >= 0:
                span["replica"] = self.replica(balancer, slot, admitted_s)
        if not self.deaths:
            return
        if self.entry in self.service_of:
            spans.extend(self._without_a_line(attempts, endpoint_of))
        spans.extend(self._cut_off(spans))

    def _without_a_line(self, attempts: Sequence[Attempt], endpoint_of: Mapping[object, str]) -> Iterator[Span]:
        """Yield the entry's visits that HAProxy did not log."""
        for attempt, number in self.broken_off(attempts):
            yield {
                "request": attempt["request"],
                "attempt": attempt["attempt"],
                "component": self.entry,
                "replica": number,
                "operation": endpoint_of[attempt["request"]],
                "arrival_s": attempt["start_s"],
                "admitted_s": attempt["start_s"],
                "departure_s": attempt["end_s"],
                "waiting_time_s": 0.0,
                "service_time_s": math.nan,
                "outcome": "error",
                "hit": None,
            }

    def _cut_off(self, spans: Sequence[Span]) -> list[Span]:
        """Return the services' visits that a death ended."""
        seen = {(span["request"], span["attempt"], span["component"]) for span in spans}
        unknown = dict.fromkeys(("admitted_s", "waiting_time_s", "service_time_s"), math.nan)
        cut = []
        for span in spans:
            service, admitted_s = self.service_of.get(str(span["component"])), span["admitted_s"]
            if service is None or span["outcome"] != "error" or not isinstance(admitted_s, float):
                continue
            ended_s = [
                each.time_s
                for each in self.deaths
                if each.service == service
                and span["replica"] in (each.number, UNKNOWN_REPLICA)
                and admitted_s - _AT_ONCE_S <= each.time_s
            ]
            if ended_s and (span["request"], span["attempt"], service) not in seen:
                departure_s = max(admitted_s, min(ended_s))
                changed = {"component": service, "arrival_s": admitted_s, "departure_s": departure_s}
                cut.append({**span, **unknown, **changed})
        return cut
