"""Early refresh (XFetch): a look-up of an entry that is about to expire may answer "recompute" by chance."""

from __future__ import annotations

import math

from lab.randomness import Stream
from lab.simulation.request import Request


class EarlyRefresh:
    """Decides for each look-up on its own, the likelier the nearer the expiry and the longer the recomputing takes.

    Recompute if ``now - delta x beta x ln(U) >= expiry``, where delta is how long the entry took to recompute last:
    from the answer of the look-up to the write. An entry that was never recomputed has delta 0.

    Source: Vattani, Chierichetti, Lowenstein (2015), "Optimal probabilistic cache stampede prevention", VLDB 8.
    """

    def __init__(self, *, beta: float, draws: Stream) -> None:
        self._beta = beta
        self._draws = draws
        self._missed_s: dict[tuple[int, int, int], float] = {}  # address of a look-up -> when it was answered
        self._delta_s: dict[int, float] = {}

    def due(self, request: Request, now_s: float, expiry_s: float) -> bool:
        """Return whether this look-up of an entry that is there should recompute it."""
        uniform = self._draws.uniform(request.number, request.attempt, request.visit)
        return now_s - self._delta_s.get(request.key, 0.0) * self._beta * math.log(uniform) >= expiry_s

    def missed(self, request: Request, now_s: float) -> None:
        """Note when the recomputing began."""
        self._missed_s[request.number, request.attempt, request.visit] = now_s

    def written(self, request: Request, arrival_s: float) -> None:
        """Note how long the recomputing took, if this write ends one."""
        began_s = self._missed_s.pop((request.number, request.attempt, request.visit), None)
        if began_s is not None:
            self._delta_s[request.key] = arrival_s - began_s
