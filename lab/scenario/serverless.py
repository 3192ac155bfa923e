"""A platform for functions as it is described: execution environments that come with requests and go when idle."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lab.quantities import Bytes, Count, CountOrZero, PositiveDuration, Rate
from lab.scenario.scaling_limits import Limits


class ServerlessAutoscaler(Limits):
    """A platform for functions (AWS Lambda): a process for each request under way, started when none is idle.

    The service is called directly: the platform hands its requests out. Its boot time is what a cold start takes, its
    concurrency how many requests one process works on at once (Lambda: 1).
    """

    kind: Literal["serverless"] = "serverless"
    min: CountOrZero = Field(default=0, description="Provisioned concurrency: processes that are always kept.")
    max: Count = Field(
        default=1000,
        description="Most processes at once; a request that would need one more is refused (429).",
        le=10_000,
    )
    idle_timeout: PositiveDuration = Field(
        default="10min",
        validate_default=True,
        description="A process that has been idle for so long is ended. Lambda does not say; 5 to 15 min were seen.",
    )
    scaling_burst: Count = Field(
        default=1000, description="Most processes that may be started at once; what is not used is not saved up."
    )
    scaling_rate: Rate = Field(
        default="100/s",
        validate_default=True,
        description="How quickly that allowance comes back (Lambda: 1,000 per 10 s, bit by bit). Beyond it: 429.",
    )
    memory: Bytes = Field(
        default="128MiB", validate_default=True, description="Of a process; what GB-seconds are reckoned by."
    )
