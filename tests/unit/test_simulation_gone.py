"""Parts that would notice that a client has gone may ask, or be told."""

from __future__ import annotations

from lab.simulation.gone import Gone
from lab.simulation.request import Request


def test_a_part_may_ask_or_be_told() -> None:
    """Since when, or at that very time; another attempt is another client as far as a part can see."""
    gone = Gone()
    told: list[str] = []
    first, retry = Request(7, 0, "get", 0, 0), Request(7, 1, "get", 0, 3)
    gone.tell(first, lambda: told.append("first"))
    gone.tell(retry, lambda: told.append("retry"))
    assert (gone.since(first), told) == (None, [])
    gone.note(7, 0, 2.5)
    assert (gone.since(first), gone.since(retry), told) == (2.5, None, ["first"])
    gone.note(7, 1, 4.0)
    assert told == ["first", "retry"]


def test_who_is_forgotten_is_not_told() -> None:
    """Of two who wait for the same attempt one has ended before its client leaves; nothing is kept for it."""
    gone, told = Gone(), []
    request = Request(3, 0, "get", 0, 0)

    def first() -> None:
        told.append("first")

    gone.tell(request, first)
    gone.tell(request, lambda: told.append("second"))
    gone.forget(request, first)
    gone.note(3, 0, 1.0)
    assert told == ["second"]
    gone.tell(Request(4, 0, "get", 0, 0), first)
    gone.forget(Request(4, 0, "get", 0, 0), first)
    assert gone._told == {}
