"""Several worker processes behind one address: a replica run by uvicorn or gunicorn with ``workers``."""

from __future__ import annotations

from lab.randomness import Stream
from lab.simulation.request import Handling, Request
from lab.simulation.service import Replica


class Workers:
    """Workers that share the replica's socket, each with its own event loop, slots, backlog, threads and pools.

    The kernel gives a connection to any worker that listens, whoever has less to do: each request goes to one drawn
    uniformly, so one worker's queue may grow while another has nothing to do. (A real worker that computes accepts
    nothing meanwhile, but the many connections that a balancer keeps open were given out before.)
    """

    def __init__(self, *, choices: Stream, workers: tuple[Replica, ...]) -> None:
        self._choices = choices
        self._workers = workers

    def handle(self, request: Request) -> Handling:
        """Let one of the workers handle the request."""
        uniform = self._choices.uniform(request.number, request.attempt, request.visit)
        return self._workers[int(uniform * len(self._workers))].handle(request)

    @property
    def workers(self) -> tuple[Replica, ...]:
        """The worker processes."""
        return self._workers

    def cpu_time_s(self) -> float:
        """Return the CPU time that all workers together have used until now."""
        return sum(worker.cpu_time_s() for worker in self._workers)

    def freeze(self) -> None:
        """Stop all workers (see Replica)."""
        for worker in self._workers:
            worker.freeze()

    def thaw(self) -> None:
        """Let all workers go on."""
        for worker in self._workers:
            worker.thaw()

    def slow_down(self, factor: float) -> None:
        """Let each stretch of computing that begins from now on take ``factor`` times as long."""
        for worker in self._workers:
            worker.slow_down(factor)

    def recover(self) -> None:
        """Compute at full speed again from the next stretch on."""
        for worker in self._workers:
            worker.recover()

    def stretch_waits(self, factor: float) -> None:
        """Let each wait step that begins from now on take ``factor`` times as long."""
        for worker in self._workers:
            worker.stretch_waits(factor)
