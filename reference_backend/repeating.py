"""One repeat of a schedule after another, each from the same state: send, drain, collect."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reference_backend import breakers, exercising, generator
from reference_backend.agenda import Agenda
from reference_backend.backend import Backend
from reference_backend.clock import Clock, wall_ahead_s
from reference_backend.collect import EVENTS, Trails
from reference_backend.draining import Drained, drain, patience_s
from reference_backend.events import Events
from reference_backend.happenings import Happening
from reference_backend.haproxy_limit import limiters_in_haproxy
from reference_backend.injection import Injection
from reference_backend.load.plan import Plan
from reference_backend.load.records import EVENTS_FILE
from reference_backend.load.schedule import Schedule
from reference_backend.placement import Cores
from reference_backend.sampling import Sampler
from reference_backend.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Sends the schedule again and again, from the same state each time."""

    count: int
    schedule: Schedule
    schedule_file: Path
    backend: Backend
    watch: Watch
    events: Events
    cores: Cores

    def run(self, number: int, folder: Path) -> dict[str, object]:
        """Run one repeat; leave its tables in the folder and return what the manifest says of it."""
        folder.mkdir()
        self.backend.scaling.renew()
        agenda = Agenda()
        injection = Injection(backend=self.backend, agenda=agenda)
        if number == 0:
            injection.rehearse(self.watch)
        exercising.reset(self.backend, self.watch)
        breakers.forget(self.backend)
        deployment = self.backend.deployment
        log = self.backend.haproxy_log if deployment.proxies() else None
        trails = Trails(
            span_files=self.backend.span_files,
            haproxy_log=log,
            limiters=limiters_in_haproxy(deployment),
            edge_caches=deployment.edge_caches(),
        )
        trails.skip()
        sampler = Sampler(backend=self.backend, supervisor_pid=os.getpid())
        self.events.emit("repeat", repeat=number, of=self.count, duration_s=self.schedule.duration_s)
        agenda.at(-math.inf, lambda: self.backend.scaling.start_clock(agenda.zero_s))
        ahead_before_s = wall_ahead_s()
        zero_s = generator.send(
            self._sending(folder), watch=self.watch, agenda=agenda, every_second=self._every_second(number, sampler)
        )
        ended_s = time.monotonic() - zero_s
        injection.end()
        self.backend.scaling.end()
        drained = drain(self.backend, self.watch, within_s=patience_s(deployment, self.schedule))
        drained_s = time.monotonic() - zero_s
        ahead_after_s = wall_ahead_s()
        struck = injection.strikes.aftermath.broken_off(pq.read_table(folder / "attempts.parquet").to_pylist())
        _add_to_quality(folder, clock_step_s=ahead_after_s - ahead_before_s, planned_faults=len(list(struck)))
        # A wall clock that is being adjusted drifts evenly: in between, it was off by half of that at most.
        clock = Clock(zero_s=zero_s, wall_ahead_s=(ahead_before_s + ahead_after_s) / 2)
        readings, scaled = self.backend.scaling.notes(zero_s)
        for reading in readings:
            sampler.note(reading.time_s, reading.component, reading.name, reading.value)
        sampler.write(folder)
        entry = deployment.proxy_at(deployment.entry)
        spans = trails.collect(folder, clock, entry, injection.strikes.aftermath)
        course = _course(drained, ended_s=ended_s, drained_s=drained_s, missed=sampler.missed)
        _write_events(
            folder,
            [
                *injection.happened(clock),
                *scaled,
                *trails.events,
                *_of_client(folder),
                *breakers.happenings(self.backend, clock),
                *course,
            ],
        )
        left = drained.left_in_flight
        described = {"repeat": number, "cpu_ratio": sampler.cpu_ratios(), "left_in_flight": left, "spans": spans}
        self.events.emit("repeat_done", repeat=number, of=self.count, spans=spans, left_in_flight=left)
        if number + 1 < self.count:
            injection.make_whole(self.watch)
        return described

    def _every_second(self, number: int, sampler: Sampler) -> Callable[[float, dict[str, float]], None]:
        def act(zero_s: float, latest: dict[str, float]) -> None:
            now_s = time.monotonic()
            sampler.sample(now_s, zero_s)
            elapsed_s = round(max(0.0, now_s - zero_s), 3)
            self.events.emit("progress", repeat=number, elapsed_s=elapsed_s, sent=int(latest.get("sent", 0)))

        return act

    def _sending(self, folder: Path) -> generator.Sending:
        deployment = self.backend.deployment
        endpoints = deployment.service_behind(deployment.entry).endpoints
        client = deployment.client
        plan = Plan(
            schedule=str(self.schedule_file.resolve()),
            output=str(folder.resolve()),
            base_url=self.backend.client_url,
            methods={name: spec.method for name, spec in endpoints.items()},
            demands_of={name: spec.demands for name, spec in endpoints.items()},
            client=client,
        )
        backoff_s = max((wait for planned in self.schedule.requests for wait in planned.backoffs_s), default=0.0)
        longest_s = self.schedule.duration_s + client.longest_s(backoff_s) + 1.0
        return generator.Sending(
            plan=plan,
            folder=folder,
            log=folder / "locust.log",
            longest_s=longest_s,
            cores=self.cores.generator,
        )


def _add_to_quality(folder: Path, **values: float) -> None:
    """Add to ``generator.json`` what only the supervisor knows."""
    path = folder / "generator.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}, indent=1) + "\n")


def _course(drained: Drained, *, ended_s: float, drained_s: float, missed: int) -> Iterator[Happening]:
    """Yield what happens in every repeat: it begins, the generator ends, the backend is idle again."""
    left = f"{drained.left_in_flight} requests and {drained.messages_left} messages were left in flight"
    yield Happening(time_s=0.0, component="generator", kind="schedule_began")
    yield Happening(time_s=ended_s, component="generator", kind="generator_ended")
    yield Happening(time_s=drained_s, component="supervisor", kind="drained", detail=left)
    for part in drained.silent:
        why = "its event loop was too busy to say what it held"
        yield Happening(time_s=drained_s, component=part, kind="silent", detail=why)
    if missed:
        why = f"a load balancer or cache did not answer {missed} times"
        yield Happening(time_s=drained_s, component="supervisor", kind="gauges_missed", detail=why)


def _of_client(folder: Path) -> Iterator[Happening]:
    """Yield what happened to the client that the generator plays."""
    for time_s, kind, detail in json.loads((folder / EVENTS_FILE).read_text()):
        words = json.dumps(detail, sort_keys=True, separators=(",", ":"))
        yield Happening(time_s=time_s, component="client", kind=kind, detail=words)


def _write_events(folder: Path, happened: list[Happening]) -> None:
    """Write ``events.parquet``: what happened to the whole backend during a repeat."""
    rows = [asdict(happening) for happening in sorted(happened, key=lambda happening: happening.time_s)]
    pq.write_table(pa.Table.from_pylist(rows, schema=EVENTS), folder / "events.parquet")
