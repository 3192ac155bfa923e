"""What faults do to the running parts: they begin, they end, and both are told as events."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lab.simulation.clock import Clock, Order, Timer
from lab.simulation.deployment import Deployment
from lab.simulation.fleet import Life, Member
from lab.simulation.log import Log

_LIVING = (Life.READY, Life.BOOTING, Life.DRAINING)


class Faults:
    """Has faults happen at their times, before whatever arrives then."""

    def __init__(self, *, clock: Clock, log: Log) -> None:
        self._clock = clock
        self._log = log

    def at(self, time_s: float, happen: Callable[[], None]) -> None:
        """Have something happen at a time."""
        Timer(self._clock, time_s - self._clock.now, Order.EXPIRY, lambda _: happen())

    def note(self, component: str, kind: str, **detail: object) -> None:
        """Tell that something has happened to a component."""
        self._log.event(component, kind, self._clock.now, **detail)

    def stretch(
        self, span_s: tuple[float, float], begin: Callable[[], None], end: Callable[[], None], *, told: tuple[str, str]
    ) -> None:
        """Have something begin and end, each told as an event.

        Args:
            span_s: when it begins, and for how long it lasts.
            begin: what is done at its begin.
            end: what is done at its end.
            told: the component, and the kind of the event; that of its end has ``_over`` appended.
        """
        component, kind = told

        def begins() -> None:
            begin()
            self.note(component, kind)

        def ends() -> None:
            end()
            self.note(component, f"{kind}_over")

        at_s, duration_s = span_s
        self.at(at_s, begins)
        self.at(at_s + duration_s, ends)


class Strike:
    """A fault of some processes of a service: who it strikes is seen when it happens, and they recover together."""

    def __init__(self, *, deployment: Deployment, replicas: int | None, replica: int | None) -> None:
        self._deployment = deployment
        self._replicas = replicas
        self._replica = replica
        self._struck: Sequence[Member] = ()

    @property
    def numbers(self) -> list[int]:
        """The numbers of those that it struck."""
        return [member.index for member in self._struck]

    def choose(self) -> Sequence[Member]:
        """Choose and return whom it strikes now; none, if whom it should strike is not there any more.

        A number of replicas means those that have been ready for longest; all means booting and draining ones too.
        """
        if self._replica is not None:
            living = self._deployment.living(*_LIVING)
            self._struck = [member for member in living if member.index == self._replica]
        elif self._replicas is not None:
            ready = sorted(self._deployment.living(Life.READY), key=lambda member: (member.ready_s, member.index))
            self._struck = ready[: self._replicas]
        else:
            self._struck = self._deployment.living(*_LIVING)
        return self._struck

    def survivors(self) -> list[Member]:
        """Return those it struck who have not ended since."""
        return [member for member in self._struck if member.life is not Life.GONE]
