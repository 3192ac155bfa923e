"""Drawn times: the variate at the address of a request, from one stream and one distribution."""

from __future__ import annotations

from lab.distributions import Constant, Distribution, quantile_function
from lab.randomness import Stream, child_visit
from lab.simulation.request import Request


class Variate:
    """The times of one stream; calling it with a request gives that request's time in seconds.

    The uniforms of first attempts are made column by column in NumPy, bit for bit those of the scalar path.
    """

    __slots__ = ("_columns", "_constant_s", "_quantile", "_requests", "_stream")

    def __init__(self, *, stream: Stream, distribution: Distribution, requests: int) -> None:
        self._stream = stream
        self._quantile = quantile_function(distribution)
        self._constant_s = distribution.mean if isinstance(distribution, Constant) else None
        self._requests = requests
        self._columns: dict[int, list[float]] = {}

    def __call__(self, request: Request, ordinal: int = 0) -> float:
        """Return the time of this request in seconds.

        Args:
            ordinal: which use of the stream it is within one endpoint.
        """
        if self._constant_s is not None:
            return self._constant_s
        visit = child_visit(request.visit, ordinal) if ordinal else request.visit
        if request.attempt == 0 and request.number < self._requests:
            column = self._columns.get(visit)
            if column is None:
                column = self._columns[visit] = self._stream.uniforms(self._requests, visit).tolist()
            return self._quantile(column[request.number])
        return self._quantile(self._stream.uniform(request.number, request.attempt, visit))
