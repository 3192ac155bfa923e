"""What became of messages: from what publishers and consumers noted to a span for each stay, and events.

A stay of a message lasts from the time at which it could be delivered to its settlement. Nobody sees all of it: who
publishes knows the entry's id, who takes it knows how often it was delivered, and who takes it again knows that it was
not acknowledged. So each notes what it knows at once (a killed process has no later), and the notes meet here.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from typing import Any

from reference_backend.clock import Clock
from reference_backend.happenings import Happening, detailed

Note = dict[str, Any]
_NOBODY = -1  # the replica of a message that was never delivered


class Message:
    """The notes about one entry of a stream."""

    def __init__(self) -> None:
        self.published: Note | None = None
        self.dropped_s: float | None = None
        self.delivered: dict[int, Note] = {}
        self.worked: dict[int, Note] = {}
        self.expired: dict[int, Note] = {}

    def add(self, note: Note) -> None:
        """Take a note of a consumer."""
        {"delivered": self.delivered, "worked": self.worked, "expired": self.expired}[note["what"]][
            note["delivery"]
        ] = note

    @property
    def origin(self) -> Note | None:
        """Return a note that says whose message it is; None if only its expiry was seen."""
        return self.published or next(iter(self.delivered.values()), None)

    @property
    def arrival_s(self) -> float:
        """Return when the broker had it: halfway between the sending and the answer."""
        if self.published is None:  # its publisher was killed before it could say so
            return float(min(note["at_s"] for note in self.delivered.values()))
        return float(self.published["since_s"] + self.published["at_s"]) / 2

    @property
    def settled_s(self) -> float:
        """Return when it was acknowledged; NaN if it was not."""
        return min((note["worked_s"] for note in self.worked.values() if note["acknowledged"]), default=math.nan)


class Stays:
    """The stays of the messages that were published in one repeat."""

    def __init__(self, texts: list[str], clock: Clock) -> None:
        self._clock = clock
        messages: dict[tuple[str, str], Message] = defaultdict(Message)
        for text in texts:
            for line in text.splitlines():
                note = json.loads(line)
                if isinstance(note, dict):
                    _file(note, messages)
        self._messages = {entry: message for entry, message in messages.items() if self._is_wanted(message)}

    def _is_wanted(self, message: Message) -> bool:
        origin = message.origin
        if origin is None or origin["request"] < 0:
            return False
        return self._clock.is_of_this_repeat(message.arrival_s - self._clock.zero_s)

    def spans(self) -> list[dict[str, object]]:
        """Return a span for each stay, named as the queue, and one for each acknowledging."""
        return [
            span
            for (queue, _), message in self._messages.items()
            for span in (*self._stays(queue, message), *self._acknowledgings(queue, message))
        ]

    def events(self) -> list[Happening]:
        """Return what happened to messages: redelivery, dead_letter, processed_again, dropped, lost."""
        found = []
        for (queue, _), message in self._messages.items():
            for number, note in message.expired.items():
                found.append((note["at_s"], queue, "dead_letter" if note["dead"] else "redelivery", message, number))
            for number, note in message.worked.items():
                if note["ok"] and not note["acknowledged"]:
                    found.append((note["worked_s"], queue, "processed_again", message, number))
                if not note["ok"] and note["acknowledged"]:
                    found.append((note["worked_s"], queue, "lost", message, number))
            if message.dropped_s is not None:
                found.append((message.dropped_s, queue, "dropped", message, 0))
        return [
            Happening(time_s=at_s - self._clock.zero_s, component=queue, kind=kind, detail=_detail(message, number))
            for at_s, queue, kind, message, number in found
        ]

    def _stays(self, queue: str, message: Message) -> list[dict[str, object]]:
        arrival_s, spans = message.arrival_s, []
        for number in range(1, max([1, *message.delivered, *message.expired]) + 1):
            delivered, expired = message.delivered.get(number), message.expired.get(number)
            admitted_s = math.nan if delivered is None else max(arrival_s, delivered["at_s"])
            departure_s, outcome = self._end(message, number)
            # Another worker may acknowledge it before who has just claimed it knows that it has.
            if not math.isnan(departure_s):
                departure_s = max(arrival_s, departure_s)
                admitted_s = min(admitted_s, departure_s)  # NaN stays NaN: it comes first
            waited_s = (departure_s if message.dropped_s is not None else admitted_s) - arrival_s
            replica = _NOBODY if delivered is None else int(delivered["replica"])
            span = self._span(message, queue, (arrival_s, admitted_s, departure_s), replica=replica)
            spans.append(span | {"waiting_time_s": waited_s, "service_time_s": 0.0, "outcome": outcome})
            if expired is not None:
                arrival_s = expired["at_s"]
        return spans

    def _end(self, message: Message, number: int) -> tuple[float, str]:
        """Return when and how a stay ended; NaN, in flight, if it did not."""
        delivered, worked, expired = (
            notes.get(number) for notes in (message.delivered, message.worked, message.expired)
        )
        if message.dropped_s is not None:
            return message.dropped_s, "rejected"
        if delivered is not None and delivered["settled"]:
            return delivered["at_s"], "ok"
        if expired is not None:
            # Who is still at it when the time is over leaves a timeout, who had failed or died an error.
            still_at_it = worked is not None and worked["worked_s"] > expired["at_s"] - _SLACK_S
            return expired["at_s"], "timeout" if still_at_it else "error"
        settled_s = message.settled_s
        return settled_s, "in_flight" if math.isnan(settled_s) else "ok"

    def _acknowledgings(self, queue: str, message: Message) -> list[dict[str, object]]:
        """Return a span for each exchange in which work that was done was acknowledged."""
        spans = []
        for note in message.worked.values():
            if note["ok"] and note["acknowledging_s"] is not None:
                end_s = note["worked_s"] + note["acknowledging_s"]
                times_s = (note["worked_s"], note["worked_s"], end_s)
                span = self._span(message, f"{queue}.acknowledge", times_s, replica=int(note["replica"]))
                took = {"waiting_time_s": 0.0, "service_time_s": note["acknowledging_s"], "outcome": "ok"}
                spans.append(span | took | {"operation": "acknowledge"})
        return spans

    def _span(
        self, message: Message, component: str, times_s: tuple[float, float, float], *, replica: int
    ) -> dict[str, object]:
        origin = message.origin
        assert origin is not None  # or it would not be wanted
        arrival_s, admitted_s, departure_s = (at_s - self._clock.zero_s for at_s in times_s)
        return {
            "request": origin["request"],
            "attempt": origin["attempt"],
            "component": component,
            "replica": replica,
            "operation": origin["operation"],
            "arrival_s": arrival_s,
            "admitted_s": admitted_s,
            "departure_s": departure_s,
            "hit": None,
            "background": True,
        }


# Idle times are whole milliseconds, so an expiry is known to one.
_SLACK_S = 2e-3


def _file(note: Note, messages: dict[tuple[str, str], Message]) -> None:
    message = messages[note["queue"], note["entry"]]
    if note["what"] != "published":
        message.add(note)
        return
    message.published = note
    if note["dropped"]:
        messages[note["queue"], note["dropped"]].dropped_s = note["at_s"]


def _detail(message: Message, number: int) -> str:
    origin = message.origin
    assert origin is not None  # as above
    return detailed(request=origin["request"], attempt=origin["attempt"], deliveries=number)
