"""Users that go offline and come back, as they are described."""

from __future__ import annotations

from pydantic import Field, model_validator

from lab.distributions import Distribution, mean_s
from lab.quantities import Spec
from lab.scenario.names import Name


class OnOff(Spec):
    """An alternating process: online for a while, offline for a while, each on its own.

    At the start each is online as likely as it is on average; the first stretch is as long as any other, which is exact
    for exponential ones.
    """

    online: Distribution = Field(description="How long one stays online.")
    offline: Distribution = Field(description="How long one stays offline.")

    @model_validator(mode="after")
    def _takes_time(self) -> OnOff:
        for key in ("online", "offline"):
            if mean_s(getattr(self, key)) <= 0:
                raise ValueError(f"{key} takes no time, so it would never be seen; give it a time, or leave both out")
        return self

    @property
    def online_share(self) -> float:
        """The share of time that one is online."""
        return mean_s(self.online) / (mean_s(self.online) + mean_s(self.offline))


class Presence(OnOff):
    """Users who go offline and come back: offline they ask for nothing, and think only while they are online.

    What is under way when they go offline is answered all the same; they take the answer when they are back.
    """

    reconnect: Name | None = Field(
        default=None,
        description="The endpoint that a user asks first on coming back, before going on. None: nothing.",
    )
