"""Entries whose lives begin anew when they are used: a sliding time to live."""

from __future__ import annotations

from lab.simulation.cache.contents import Contents
from lab.simulation.request import Request


class RenewedContents(Contents):
    """Contents of which an entry expires when nobody has used it for its life (Caffeine's expireAfterAccess)."""

    def holds(self, request: Request, now_s: float) -> bool:
        """Return whether the request's key may be served now; if so, its life begins anew."""
        there = super().holds(request, now_s)
        if there:
            self.expiry_s[request.key] = now_s + self.life_s(request)
        return there
