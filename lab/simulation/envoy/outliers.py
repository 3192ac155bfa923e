"""Outlier detection: which replicas Envoy ejects, and for how long."""

from __future__ import annotations

import math

from lab.scenario.envoy import OutlierDetection
from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.envoy.host import Cluster, Host

_ROUNDING = 1e-9


class Outliers:
    """Ejects replicas by what became of requests there.

    ::

        in --so many failures in a row, at once------------------------------------+--> ejected
         ^  `-at a look: success rate below mean - factor x standard deviation-----'      |
         |                                                                                |
         `--- the first look after base time x times ejected (at most the longest) <------'

    Nobody is ejected beyond the share that may be. At each look: who may come back does; then success rates of the
    interval that ends are compared; then who has been in for an interval is forgiven one time.

    Source: Envoy, source/common/upstream/outlier_detection_impl.cc.
    """

    def __init__(self, *, clock: Clock, cluster: Cluster, spec: OutlierDetection) -> None:
        self._clock = clock
        self._cluster = cluster
        self._spec = spec
        self._plan()

    def report(self, host: Host, *, failed: bool) -> None:
        """Note how a request to a replica ended."""
        host.requests += 1
        if not failed:
            host.successes += 1
            host.failures = 0
            return
        host.failures += 1
        if host.failures == self._spec.consecutive_5xx and not host.ejected and host in self._cluster.hosts:
            self._eject(host, "consecutive_5xx")
            host.failures = 0

    def _plan(self) -> None:
        Timer(self._clock, self._spec.interval, Order.EXPIRY, lambda _: self._look())

    def _look(self) -> None:
        spec, hosts, now_s = self._spec, list(self._cluster.hosts), self._clock.now
        for host in hosts:
            lasts_s = min(spec.base_ejection_time * host.times, spec.max_ejection_time)
            if host.ejected and now_s - host.ejected_s >= lasts_s - _ROUNDING:
                self._let_in(host)
        if spec.enforcing_success_rate:
            self._compare(hosts)
        for host in hosts:
            host.requests = host.successes = 0
            host.spared = False
            well = not host.ejected and host.unejected_s is not None
            if well and host.times and now_s - (host.unejected_s or 0.0) >= spec.interval - _ROUNDING:
                host.times -= 1
        self._plan()

    def _compare(self, hosts: list[Host]) -> None:
        spec = self._spec
        enough = [host for host in hosts if not host.ejected and host.requests >= spec.success_rate_request_volume]
        if len(enough) < spec.success_rate_minimum_hosts:
            return
        percents = [100.0 * host.successes / host.requests for host in enough]
        mean = sum(percents) / len(percents)
        deviation = math.sqrt(sum((each - mean) ** 2 for each in percents) / len(percents))
        for host, percent in zip(enough, percents, strict=True):
            if percent < mean - spec.success_rate_stdev_factor * deviation:
                self._eject(host, "success_rate")

    def _eject(self, host: Host, why: str) -> None:
        spec, hosts = self._spec, self._cluster.hosts
        out = sum(each.ejected for each in hosts)
        permitted = (out + 1) / len(hosts) <= spec.max_ejection_percent + _ROUNDING
        if not permitted and not (spec.always_eject_one_host and out == 0):
            if not host.spared:  # told once between two looks
                self._cluster.note("ejection_overflow", host, why=why)
            host.spared = True
            return
        host.ejected, host.ejected_s = True, self._clock.now
        if host.times * spec.base_ejection_time < spec.max_ejection_time + spec.base_ejection_time:
            host.times += 1
        self._cluster.note("host_ejected", host, why=why, times=host.times)
        self._cluster.update()

    def _let_in(self, host: Host) -> None:
        host.ejected, host.unejected_s, host.failures = False, self._clock.now, 0
        self._cluster.note("host_unejected", host)
        self._cluster.update()
