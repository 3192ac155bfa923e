"""Drawn times: the variate at the address of a request, from one stream and one distribution."""

from __future__ import annotations

from lab.distributions import Constant, Distribution, quantile_function
from lab.randomness import Stream, child_visit
from lab.simulation.request import Request

_BITS = 13
_BLOCK = 1 << _BITS  # requests whose uniforms are made at once
_BLOCKS = 3  # kept at a time: requests come nearly in order, and later steps of some follow the first steps of others


class Variate:
    """The times of one stream; calling it with a request gives that request's time in seconds.

    The uniforms of first attempts are made by blocks of requests in NumPy, bit for bit those of the scalar path, which
    serves retries and whoever comes long after the others.
    """

    __slots__ = ("_blocks", "_constant_s", "_quantile", "_requests", "_stream")

    def __init__(self, *, stream: Stream, distribution: Distribution, requests: int) -> None:
        self._stream = stream
        self._quantile = quantile_function(distribution)
        self._constant_s = distribution.mean if isinstance(distribution, Constant) else None
        self._requests = requests
        self._blocks: dict[int, dict[int, list[float]]] = {}  # by block and visit

    def __call__(self, request: Request, ordinal: int = 0) -> float:
        """Return the time of this request in seconds.

        Args:
            ordinal: which use of the stream it is within one endpoint.
        """
        if self._constant_s is not None:
            return self._constant_s
        visit = child_visit(request.visit, ordinal) if ordinal else request.visit
        number = request.number
        if request.attempt == 0 and number < self._requests:
            block = self._blocks.get(number >> _BITS)
            if block is None:
                block = self._begin(number >> _BITS)
            if block is not None:
                column = block.get(visit)
                if column is None:
                    column = block[visit] = self._column(number >> _BITS, visit)
                return self._quantile(column[number & _BLOCK - 1])
        return self._quantile(self._stream.uniform(number, request.attempt, visit))

    def _begin(self, index: int) -> dict[int, list[float]] | None:
        """Return a new block in place of the oldest; none for requests that are older still."""
        blocks = self._blocks
        if len(blocks) == _BLOCKS:
            oldest = min(blocks)
            if index < oldest:
                return None
            del blocks[oldest]
        return blocks.setdefault(index, {})

    def _column(self, index: int, visit: int) -> list[float]:
        first = index * _BLOCK
        column: list[float] = self._stream.uniforms(min(_BLOCK, self._requests - first), visit, first=first).tolist()
        return column
