"""A platform for functions, in front of one service: each request gets a replica with room, started for it if need be.

python -m reference_backend.scaling.platform --deployment D.json --service api --fd 5 --listen 6
    --replicas '{}' --notes FILE --spans FILE
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import time
from pathlib import Path

import uvloop

from reference_backend.deployment import Deployment
from reference_backend.reading import read_deployment
from reference_backend.scaling.boots import Boots
from reference_backend.scaling.environment import Environment
from reference_backend.scaling.http import Message, Stream
from reference_backend.scaling.link import ScalingEnd
from reference_backend.scaling.ramp import Ramp
from reference_backend.scaling.records import Notebook
from reference_backend.scaling.spec import Serverless
from reference_backend.scaling.visits import Visit, Visits

_REFUSED = (
    b"HTTP/1.1 429 Too Many Requests\r\nX-Outcome: rejected\r\nContent-Type: application/json\r\n"
    b'Content-Length: 22\r\n\r\n{"outcome":"rejected"}'
)
_LOST = (
    b"HTTP/1.1 502 Bad Gateway\r\nX-Outcome: error\r\nContent-Type: application/json\r\n"
    b'Content-Length: 19\r\n\r\n{"outcome":"error"}'
)


class Platform:
    """Hands requests out.

    ::

        arrives --> a warm replica with room? --yes: the one used last--------------> passed on --> warm again
                     | no                                                              ^              |
                     one that boots, with room? --yes--> waits for it -----------------+              | idle_timeout,
                     | no                                                              |              | more than min
                     fewer than max, and the ramp allows it? --yes: a cold start ------+              v
                     `--no--> 429 at once                                                           ended
    """

    def __init__(
        self, *, deployment: Deployment, service: str, supervisor: ScalingEnd, notes: Notebook, visits: Visits
    ) -> None:
        spec = deployment.services()[service]
        assert isinstance(spec.autoscaler, Serverless)  # or this process would not have been started
        assert spec.concurrency is not None  # the deployment's own check has seen to it
        self._terms = spec.autoscaler
        self._concurrency = spec.concurrency
        self._service = service
        self._supervisor = supervisor
        self._notes = notes
        self._visits = visits
        self._boots = Boots(supervisor=supervisor, boot_times_s=spec.boot_times_s)
        self._ramp = Ramp(burst=spec.autoscaler.scaling_burst, rate_per_s=spec.autoscaler.scaling_rate_per_s)
        self._warm: dict[Environment, None] = {}  # with room, the one used last at the end
        self._coming: dict[Environment, None] = {}  # booting, with room
        self._living: list[Environment] = []
        self._numbers = 0
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self, listening: socket.socket, replicas: dict[int, tuple[int, int]]) -> None:
        """Serve until the process is ended.

        Args:
            listening: where requests arrive.
            replicas: the port and the process of each replica that is there already.
        """
        for number, (port, _) in sorted(replicas.items()):
            environment = self._new()
            assert environment.number == number  # they are numbered from 0
            self._welcome(environment, port)
        self._tell_gauges()
        async with asyncio.TaskGroup() as self._tasks:
            server = await asyncio.start_server(self._serve, sock=listening)
            self._supervisor.say({"here": True})
            async with server:
                await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = Stream(reader, writer)
        while (request := await stream.read()) is not None:
            stream.send(await self._handle(request))
        stream.close()

    async def _handle(self, request: Message) -> bytes:
        """Return the answer to a request, from a replica as soon as there is one for it."""
        visit = self._visits.open(request, warm=bool(self._warm))
        environment = self._find()
        if environment is None:
            self._visits.close(visit, "rejected")
            return _REFUSED
        self._take(environment)
        visit.replica = environment.number
        if not environment.ready:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            environment.arriving.append(turn)
            await turn
        return await self._passed_on(visit, environment, request)

    async def _passed_on(self, visit: Visit, environment: Environment, request: Message) -> bytes:
        visit.admitted_s = time.monotonic()
        try:
            answer = await environment.answer(request.head + request.body)
        except OSError:
            answer = None  # refused or broken: to the client it is the same
        self._release(environment)
        if answer is None:
            self._visits.close(visit, "error")
            return _LOST
        self._visits.close(visit, "ok" if answer.words[1].startswith("2") else "error")
        return answer.head + answer.body

    def _find(self) -> Environment | None:
        """Return the replica that a request gets, started for it if need be; None if there is none."""
        if self._warm:
            return next(reversed(self._warm))
        if self._coming:
            return next(iter(self._coming))
        if len(self._living) >= self._terms.max or not self._ramp.take(time.monotonic()):
            return None
        environment = self._new()
        self._coming[environment] = None
        self._notes.event(self._service, "replica_starting", replica=environment.number)
        self._tell_gauges()
        assert self._tasks is not None  # requests come inside the group
        self._tasks.create_task(self._boot(environment, time.monotonic()))
        return environment

    def _new(self) -> Environment:
        environment = Environment(number=self._numbers, room=self._concurrency)
        self._numbers += 1
        self._living.append(environment)
        return environment

    async def _boot(self, environment: Environment, started_s: float) -> None:
        booted = await self._boots.boot(environment.number, started_s=started_s)
        took_s = {"boot_time_s": time.monotonic() - started_s, "worked_s": booted.worked_s}
        self._notes.event(self._service, "replica_ready", replica=environment.number, **took_s)
        self._coming.pop(environment, None)
        self._welcome(environment, booted.port)
        self._tell_gauges()

    def _welcome(self, environment: Environment, port: int) -> None:
        environment.open(port)
        environment.idle_since_s = time.monotonic()
        if environment.room > 0:
            self._warm[environment] = None
        self._watch(environment)
        while environment.arriving:
            environment.arriving.popleft().set_result(None)

    def _take(self, environment: Environment) -> None:
        environment.room -= 1
        if environment.room == 0:
            self._warm.pop(environment, None)
            self._coming.pop(environment, None)

    def _release(self, environment: Environment) -> None:
        environment.room += 1
        environment.idle_since_s = time.monotonic()
        self._warm.pop(environment, None)
        self._warm[environment] = None
        self._watch(environment)

    def _watch(self, environment: Environment) -> None:
        """Have an idle replica end when its time is over, and look again then whether it was used meanwhile."""
        if environment.expiry is None and environment.room == self._concurrency:
            left_s = environment.idle_since_s + self._terms.idle_timeout_s - time.monotonic()
            loop = asyncio.get_running_loop()
            environment.expiry = loop.call_later(max(0.0, left_s), self._expire, environment)

    def _expire(self, environment: Environment) -> None:
        environment.expiry = None
        if environment.room < self._concurrency:
            return  # it is busy; who leaves it last has its time run again
        if time.monotonic() < environment.idle_since_s + self._terms.idle_timeout_s:
            self._watch(environment)
        elif len(self._living) > self._terms.min:
            self._end(environment)

    def _end(self, environment: Environment) -> None:
        self._warm.pop(environment, None)
        self._living.remove(environment)
        environment.close()
        self._notes.event(self._service, "replica_ended", replica=environment.number)
        self._supervisor.say({"stop": environment.number})
        self._tell_gauges()

    def _tell_gauges(self) -> None:
        ready = sum(environment.ready for environment in self._living)
        self._notes.gauge("replicas_wanted", len(self._living))
        self._notes.gauge("replicas_starting", len(self._living) - ready)
        self._notes.gauge("replicas_ready", ready)
        self._notes.gauge("replicas_draining", 0)


async def _main(given: argparse.Namespace) -> None:
    supervisor = await ScalingEnd.over(given.fd)
    visits = Visits(path=given.spans, component=f"{given.service}.platform")
    platform = Platform(
        deployment=read_deployment(given.deployment),
        service=given.service,
        supervisor=supervisor,
        notes=Notebook(given.notes),
        visits=visits,
    )
    replicas = {int(number): (port, pid) for number, (port, pid) in json.loads(given.replicas).items()}
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(supervisor.listen())
        serving = tasks.create_task(platform.run(socket.socket(fileno=given.listen), replicas))
        # What is still here then leaves a line, as what is in flight at a replica does.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
        await asyncio.wait([serving])
        visits.disown()
        supervisor.close()


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployment", type=Path, required=True)
    parser.add_argument("--service", required=True)
    parser.add_argument("--fd", type=int, required=True, help="the inherited socket to the supervisor")
    parser.add_argument("--listen", type=int, required=True, help="the inherited listening socket")
    parser.add_argument("--replicas", required=True, help="JSON: number to port and process id")
    parser.add_argument("--notes", type=Path, required=True, help="where gauges and events are noted")
    parser.add_argument("--spans", type=Path, required=True, help="where visits are written to")
    uvloop.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
