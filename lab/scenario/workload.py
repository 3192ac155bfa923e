"""Who asks for what, when: the kinds of workload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, ValidationInfo, field_validator

from lab.distributions import Constant, Distribution, mean_s
from lab.quantities import Count, Duration, Ratio, Spec
from lab.scenario.arrivals import ArrivalRate
from lab.scenario.keys import Keys, UniformKeys
from lab.scenario.names import Name
from lab.scenario.presence import Presence

_ROUNDING = 1e-9  # 33.3% + 33.3% + 33.4% is not 1 to the last bit


def _whole(shares: Mapping[str, float]) -> None:
    total = sum(shares.values())
    if abs(total - 1) > _ROUNDING:
        listed = " + ".join(f"{name} {share * 100:g}%" for name, share in shares.items())
        raise ValueError(f"{listed} = {total * 100:g}%, but the shares must sum to 100%")


def _mix(endpoints: dict[str, float]) -> dict[str, float]:
    _whole(endpoints)
    return endpoints


Endpoints = Annotated[dict[Name, Ratio], Field(min_length=1), AfterValidator(_mix)]


class OpenWorkload(Spec):
    """Requests arrive by themselves (Poisson), however slow the answers are."""

    kind: Literal["open"]
    arrival_rate: ArrivalRate = Field(description="Arrivals over time.")
    endpoints: Endpoints = Field(description="The mix: endpoint to share; sums to 100%.")
    keys: Keys = Field(
        default=UniformKeys(count=1), description="Which item a request is about, and how popular each is."
    )


class ClosedWorkload(Spec):
    """So many users who each ask, wait for the answer, think, and ask again.

    They ask for less when answers are slow, so no queue grows without bound, and an overload hides: a load test of this
    kind shows short waits where an open workload of the same rate collapses (Schroeder, Wierman, Harchol-Balter,
    NSDI 2006).

    Constant think times lock users into step: once their requests have sorted themselves out they never meet again,
    and no queue is ever seen. Give think times a spread, such as an exponential one.
    """

    kind: Literal["closed"]
    population: Count = Field(description="How many users there are.", le=1_000_000)
    think_time: Distribution = Field(description="From an answer (or giving up) to the user's next request.")
    ramp_up: Duration = Field(
        default="0s",
        validate_default=True,
        description="The users start evenly spread over this time, each with a request; 0s: all at once.",
    )
    presence: Presence | None = Field(
        default=None, description="Whether users go offline and come back. None: they are always online."
    )
    endpoints: Endpoints = Field(description="The mix: endpoint to share; sums to 100%.")
    keys: Keys = Field(
        default=UniformKeys(count=1), description="Which item a request is about, and how popular each is."
    )

    @field_validator("think_time")
    @classmethod
    def _takes_time(cls, think_time: Distribution) -> Distribution:
        if mean_s(think_time) <= 0:
            raise ValueError(
                "a user who never thinks and is turned away at once would ask for ever at one moment; write a short "
                "time, such as 1ms"
            )
        return think_time

    @property
    def reconnect_share(self) -> float:
        """The share of requests that are asked on coming back, where answers take no time."""
        if self.presence is None or self.presence.reconnect is None:
            return 0.0
        return 1 / (1 + mean_s(self.presence.online) / mean_s(self.think_time))

    @property
    def pause_s_mean(self) -> float:
        """The mean time from one request of a user to the next, where answers take no time."""
        online_share = 1.0 if self.presence is None else self.presence.online_share
        return mean_s(self.think_time) / online_share * (1 - self.reconnect_share)


class JourneyRequest(Spec):
    """One request of a journey."""

    endpoint: str = Field(description="What is asked for.")
    think_time: Distribution = Field(
        default=Constant(mean="0s"),  # type: ignore[arg-type]  # text in, seconds inside
        description="Time before it: since the answer to the request before, or since the session's arrival.",
    )


class Journey(Spec):
    """What a session asks for, one request after another."""

    share: Ratio = Field(
        default="100%",
        validate_default=True,
        description="The share of sessions that make this journey; sums to 100%.",
    )
    requests: tuple[JourneyRequest, ...] = Field(min_length=1, max_length=1000, description="The requests, in order.")


class SessionsWorkload(Spec):
    """Clients who arrive by themselves (Poisson, or as a herd), make a journey of several requests, and leave.

    Partly open: how many come does not depend on the answers, how soon they ask again does.
    """

    kind: Literal["sessions"]
    arrival_rate: ArrivalRate = Field(description="Arrivals of sessions over time.")
    journeys: dict[Name, Journey] = Field(min_length=1, description="What they ask for: a journey or several.")
    on_failure: Literal["abandon", "go_on"] = Field(
        default="abandon", description="After a request that failed for good: abandon the session, or go on with it."
    )
    keys: Keys = Field(
        default=UniformKeys(count=1), description="Which item a request is about, and how popular each is."
    )
    key_per: Literal["request", "session"] = Field(
        default="request", description="Whether each request draws a key, or a session keeps one."
    )

    @field_validator("journeys")
    @classmethod
    def _whole(cls, journeys: dict[str, Journey]) -> dict[str, Journey]:
        _whole({name: journey.share for name, journey in journeys.items()})
        return journeys

    @property
    def longest(self) -> int:
        """The number of requests of the longest journey."""
        return max(len(journey.requests) for journey in self.journeys.values())


def _beside_the_scenario(value: object, info: ValidationInfo) -> object:
    folder = (info.context or {}).get("folder")
    if not isinstance(value, str) or folder is None:
        return value
    return str(folder / value)


class ReplayWorkload(Spec):
    """A recorded schedule of requests, sent again whatever the answers are; each replication sends the same."""

    kind: Literal["replay"]
    file: Annotated[str, BeforeValidator(_beside_the_scenario)] = Field(
        min_length=1,
        description="A .csv or .parquet file with columns intended_start_s (s, from 0), endpoint and, if there are "
        "keys, key (from 0). In a scenario file: relative to its folder. Requests from run.duration on are not sent.",
    )


Workload = Annotated[OpenWorkload | ClosedWorkload | SessionsWorkload | ReplayWorkload, Discriminator("kind")]
