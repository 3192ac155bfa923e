"""What happens to a backend from outside during a run, and when: what goes wrong, what an operator does about it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, model_validator

from lab.quantities import Count, CountOrZero, Duration, Number, PositiveDuration, Ratio, Spec
from lab.scenario.names import CLIENT
from lab.scenario.network import PacketLoss

_SHARD = "Of a database with shards: this one alone, by its number from 0. None: all of them."


class _Fault(Spec):
    at: Duration = Field(description="When it happens.")


class _OfAComponent(_Fault):
    component: str = Field(description="Name of the component.")


class OfSomeReplicas(_OfAComponent):
    """A fault of a service strikes some of its replicas, one of anything else the whole component."""

    replicas: Count | None = Field(
        default=None, description="Of a service: how many, those that have been ready for longest. None: all."
    )
    replica: CountOrZero | None = Field(
        default=None, description="Of a service: this one alone, by its number from 0. None: see replicas."
    )

    shard: CountOrZero | None = Field(default=None, description=_SHARD)

    @model_validator(mode="after")
    def _either(self) -> OfSomeReplicas:
        if self.replicas is not None and self.replica is not None:
            raise ValueError("replicas says how many and replica says which one; give one of them")
        return self


class CrashFault(OfSomeReplicas):
    """Processes end at once: what is under way in them ends in an error, and connections are refused.

    A cache loses its entries as well; a look-up that fails is treated as a miss.
    """

    kind: Literal["crash"] = "crash"
    node: CountOrZero | None = Field(
        default=None, description="Of a cache with nodes: this one alone, by its number from 0. None: all of them."
    )
    restart_after: Duration | None = Field(
        default=None, description="When it is started again; a service's replica then boots. None: never."
    )


class HangFault(OfSomeReplicas):
    """Processes stand still (SIGSTOP): nothing is answered, nothing is refused; then all goes on."""

    kind: Literal["hang"] = "hang"
    duration: PositiveDuration = Field(description="For how long.")


class SlowDownFault(OfSomeReplicas):
    """Work takes longer: a service's computing or its waits, everything that a database does."""

    kind: Literal["slow_down"] = "slow_down"
    factor: Annotated[Number, Field(gt=1, le=1000)] = Field(description="How many times as long.")
    steps: Literal["cpu", "wait"] = Field(
        default="cpu",
        description="Of a service: cpu: what it computes, overheads included; wait: its wait steps, as when a disk "
        "is slow. Those that have begun end as they would have.",
    )
    duration: PositiveDuration = Field(description="For how long.")


class BadDeployFault(OfSomeReplicas):
    """A new version answers some requests with an error (500): of an admitted request, drawn for each attempt.

    The processes are not restarted: requests that they are already working on end as the old version has it. If all
    of the service's processes have the new version, those that start meanwhile have it too.
    """

    kind: Literal["bad_deploy"] = "bad_deploy"
    error_ratio: Ratio = Field(description="The share of requests that it answers with an error.")
    when: Literal["at_once", "at_the_end"] = Field(
        default="at_once",
        description="at_once: before the endpoint's steps, so that failing is quick and such a replica looks idle to "
        "its balancer; at_the_end: after them.",
    )
    duration: PositiveDuration = Field(description="Until it is rolled back.")

    @model_validator(mode="after")
    def _fails(self) -> BadDeployFault:
        if self.error_ratio == 0:
            raise ValueError("error_ratio is 0%, so nothing would fail; give more")
        return self


class FlushFault(_OfAComponent):
    """A cache, or a tier of a cdn (a purge), loses all its entries."""

    kind: Literal["flush"] = "flush"


class PartitionFault(_Fault):
    """Two components cannot reach each other: nothing arrives, no error comes; what waits goes on when it heals."""

    kind: Literal["partition"] = "partition"
    between: tuple[str, ...] = Field(
        min_length=2, max_length=2, description="Who calls and who is called; `client` stands for the clients."
    )
    duration: PositiveDuration = Field(description="For how long.")


class SlowLinkFault(_Fault):
    """Everything that two components send each other arrives later for a while, in its order, as much of it as before.

    What is on its way when that ends still arrives late.
    """

    kind: Literal["slow_link"] = "slow_link"
    between: tuple[str, ...] = Field(
        min_length=2, max_length=2, description="Who calls and who is called; `client` stands for the clients."
    )
    delay: PositiveDuration = Field(
        description="How much later, each way: a statement or a call takes twice as much more, and so does opening a "
        "connection of a database."
    )
    duration: PositiveDuration = Field(description="For how long.")


class FailoverFault(_OfAComponent):
    """A database loses its primary for good; after its failover time a replica takes its place."""

    kind: Literal["failover"] = "failover"
    shard: CountOrZero | None = Field(default=None, description=_SHARD)


class QuotaFault(_OfAComponent):
    """The platform gives out fewer processes, or nodes, for a while; those that are there stay."""

    kind: Literal["quota"] = "quota"
    limit: Count = Field(description="Most processes of the service, or nodes of the pool, meanwhile.")
    duration: PositiveDuration = Field(description="For how long.")


class ScaleFault(_OfAComponent):
    """No mishap but an operator's action: from now on the service is to have another number of replicas.

    New ones boot, and a quota holds for them; those too many are drained. An autoscaler goes on from that number.
    """

    kind: Literal["scale"] = "scale"
    replicas: Count = Field(description="How many replicas there are to be.", le=10_000)


class ZoneLossFault(_Fault):
    """All processes of all services in one zone end at once, as in a crash; they are started again when it is back.

    Connections to them are refused meanwhile. New processes are started in the other zones of their service. Databases,
    caches, queues and balancers are in no zone and stay.
    """

    kind: Literal["zone_loss"] = "zone_loss"
    zone: str = Field(description="Name of the zone, as services give it under zones.")
    duration: PositiveDuration = Field(description="Until it is back; its processes boot then.")


class PacketLossFault(_Fault):
    """The network between clients and the entry loses more packets for a while, either way.

    It strikes what is sent from then on: a request or an answer that is on its way goes on as it began.
    """

    kind: Literal["packet_loss"] = "packet_loss"
    loss: PacketLoss = Field(description="The share of packets that are lost meanwhile.")
    duration: PositiveDuration = Field(description="For how long.")


class DisconnectFault(_Fault):
    """The entry closes the connections of all clients, each when nothing is under way on it, as a reloaded proxy does.

    Their next requests open new ones.
    """

    kind: Literal["disconnect"] = "disconnect"


Fault = Annotated[
    CrashFault
    | HangFault
    | SlowDownFault
    | BadDeployFault
    | FlushFault
    | FailoverFault
    | PartitionFault
    | SlowLinkFault
    | QuotaFault
    | ScaleFault
    | ZoneLossFault
    | PacketLossFault
    | DisconnectFault,
    Discriminator("kind"),
]


def struck(fault: Fault) -> tuple[str, ...]:
    """Return the components that a fault strikes; ``client`` stands for the clients and their network.

    Of a lost zone: the zone itself.
    """
    match fault:
        case PartitionFault() | SlowLinkFault():
            return fault.between
        case PacketLossFault() | DisconnectFault():
            return (CLIENT,)
        case ZoneLossFault():
            return (f"zone {fault.zone}",)  # which services that are, the scenario knows
        case _:
            return (fault.component,)


def ends_s(fault: Fault) -> float:
    """Return when a fault is over, in seconds; one that is over at once ends when it begins.

    >>> ends_s(HangFault(at="10s", component="main", duration="5s"))
    15.0
    """
    match fault:
        case CrashFault(restart_after=float(after_s)):
            return fault.at + after_s
        case CrashFault() | FlushFault() | FailoverFault() | ScaleFault() | DisconnectFault():
            return fault.at
        case _:
            return fault.at + fault.duration
