"""What a tier sends to what is behind it."""

from __future__ import annotations

from lab.simulation.request import Request


class Fetch(Request):
    """A request that brings back how old its answer is (the ``Age`` header of RFC 9111).

    Attributes:
        age_s: how long ago the origin gave the answer; a tier that answers sets it, an origin leaves it at 0.
        goes_on: whether its answer is to be stored, so that it is fetched to its end without its client.
    """

    __slots__ = ("age_s", "goes_on")

    def __init__(self, request: Request, *, background: bool) -> None:
        super().__init__(request.number, request.attempt, request.operation, request.key, request.visit, background)
        self.age_s = 0.0
        self.goes_on = request.goes_on
