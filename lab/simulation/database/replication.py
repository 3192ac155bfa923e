"""Replication: when each server of a database has each commit, and when it is answered."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from lab.simulation.clock import Clock
from lab.simulation.request import Request
from lab.simulation.variate import Variate


@dataclass(slots=True, kw_only=True)
class Commit:
    """An entry of the log.

    Attributes:
        position: in the log.
        key: what it wrote.
        rows: how many it added.
        committed_s: when it became visible.
        acknowledged: whether it was answered; else it was in doubt when the primary went.
        identity: whose transaction it was, of one that is done once.
    """

    position: int
    key: int
    rows: int
    committed_s: float
    acknowledged: bool = True
    identity: int | None = None


class Replication:
    """A log of commits that every replica applies in their order (first in, first out).

    ::

        commit --> on the primary at once
               `-> on a replica at max(when it applied the commit before, now + lag)
        asynchronous: visible, and answered, at once; synchronous: when as many replicas as must have it do

    A replica goes on applying what the primary has committed whatever happens to it, as the log is on its disk.

    Args:
        lags: by server the lag of a commit, by the statement that commits; the primary's own is never drawn.
        synchronous: how many replicas must have a commit before it is visible.

    Attributes:
        synchronous: the same.
    """

    def __init__(self, *, clock: Clock, lags: tuple[Mapping[str, Variate], ...], synchronous: int = 0) -> None:
        self._clock = clock
        self._lags = lags
        self.synchronous = synchronous
        self._commits: list[Commit] = []
        self._of_key: dict[int, list[int]] = {}  # positions in the log
        self._applied_s: tuple[list[float], ...] = tuple([] for _ in lags)  # by server, of each commit

    def commit(self, request: Request, rows: int, primary: int) -> Commit:
        """Append what a statement commits now on the primary; if it is synchronous, it is still to be published."""
        now_s = self._clock.now
        commit = Commit(position=len(self._commits), key=request.key, rows=rows, committed_s=now_s)
        self._commits.append(commit)
        for server, (applied_s, lags) in enumerate(zip(self._applied_s, self._lags, strict=True)):
            at_s = now_s if server == primary else now_s + lags[request.operation](request)
            applied_s.append(max(applied_s[-1], at_s) if applied_s else at_s)
        if not self.synchronous:
            self.publish(commit)
        return commit

    def publish(self, commit: Commit) -> None:
        """Let others see a commit from now on."""
        commit.committed_s = self._clock.now
        self._of_key.setdefault(commit.key, []).append(commit.position)

    def there_s(self, commit: Commit, replicas: list[int]) -> float:
        """Return when as many of the replicas as must have a commit do; of those that are left, if they are fewer."""
        at_s = sorted(self._applied_s[server][commit.position] for server in replicas)
        enough = min(self.synchronous, len(at_s))
        return at_s[enough - 1] if enough else self._clock.now

    def is_stale(self, key: int, server: int, known_s: float) -> bool:
        """Whether the last commit of the key that was made by ``known_s`` is not on the server yet."""
        for position in reversed(self._of_key.get(key, ())):
            if self._commits[position].committed_s <= known_s:
                return self._applied_s[server][position] > self._clock.now
        return False

    def written_since(self, key: int, since_s: float) -> bool:
        """Whether the key was committed after ``since_s``."""
        positions = self._of_key.get(key)
        return positions is not None and self._commits[positions[-1]].committed_s > since_s

    def applied(self, server: int) -> int:
        """How many commits the server has by now."""
        return bisect_right(self._applied_s[server], self._clock.now)

    def cut(self, length: int) -> list[Commit]:
        """Forget all but the first ``length`` commits; return those that are lost."""
        lost = self._commits[length:]
        del self._commits[length:]
        for applied_s in self._applied_s:
            del applied_s[length:]
        for key in {commit.key: None for commit in lost}:
            self._of_key[key] = [position for position in self._of_key[key] if position < length]
            if not self._of_key[key]:
                del self._of_key[key]
        return lost
