"""What an endpoint and its clients send each other."""

from __future__ import annotations

from typing import Annotated, Literal, assert_never

from pydantic import Discriminator, Field, model_validator

from lab.distributions import Constant, Distribution
from lab.quantities import Bytes, Count, Ratio, Spec

_SAMPLE_BYTES = 32_000.0
# By kind and level: what remains of the sample, and the CPU time.
_MEASURED: dict[tuple[str, int], tuple[float, float]] = {
    ("gzip", 1): (11_200.0, 0.40e-3),
    ("gzip", 6): (10_600.0, 0.98e-3),
    ("brotli", 5): (10_000.0, 1.8e-3),
    ("brotli", 11): (9_100.0, 88e-3),
    ("zstd", 3): (10_100.0, 0.23e-3),
}
_USUAL = {"gzip": 6, "brotli": 5, "zstd": 3}


class MeasuredCompression(Spec):
    """A codec as it was measured on the lab's own machine, with 32 kB of JSON: its time grows with the answer.

    gzip 1: 35 % remain after 0.40 ms; gzip 6: 33 %, 0.98 ms; brotli 5: 31 %, 1.8 ms; brotli 11: 28 %, 88 ms; zstd 3:
    32 %, 0.23 ms. The sample consists of random words: feeds of a real app shrink further (assumed: to 12 % to 25 %).
    """

    kind: Literal["gzip", "brotli", "zstd"]
    level: Count | None = Field(
        default=None,
        description="How hard it tries: 1 or 6 (gzip), 5 or 11 (brotli), 3 (zstd). None: 6, 5 or 3.",
    )

    @model_validator(mode="after")
    def _measured(self) -> MeasuredCompression:
        if (self.kind, self.tries) not in _MEASURED:
            known = " and ".join(str(level) for kind, level in _MEASURED if kind == self.kind)
            raise ValueError(
                f"level {self.level} of {self.kind} was not measured ({known} was); give its figures with kind: custom"
            )
        return self

    @property
    def tries(self) -> int:
        """The level."""
        return _USUAL[self.kind] if self.level is None else self.level


class CustomCompression(Spec):
    """A codec described by its figures."""

    kind: Literal["custom"] = "custom"
    remains: Ratio = Field(description="The share of the bytes that remains.")
    time: Distribution = Field(description="CPU time of one answer.")

    @model_validator(mode="after")
    def _something(self) -> CustomCompression:
        if self.remains == 0:
            raise ValueError("remains is 0%, but something must be sent; give more")
        return self


Compression = Annotated[MeasuredCompression | CustomCompression, Discriminator("kind")]


class Payload(Spec):
    """The bytes of one endpoint on the clients' network, headers included.

    An answer other than ok is one packet whose bytes take no time. Calls between services are not slowed by bytes.
    """

    request: Bytes | None = Field(default=None, description="Of a request. None: one packet of no bytes.")
    response: Bytes | None = Field(
        default=None, description="Of an ok answer, before it is compressed. None: one packet of no bytes."
    )
    compression: Compression | None = Field(
        default=None,
        description="How the service compresses an ok answer, on its event loop when all steps are done. None: not. "
        "What the client needs to read it again is left out.",
    )

    @model_validator(mode="after")
    def _something_to_compress(self) -> Payload:
        if self.compression is not None and self.response is None:
            raise ValueError("compression has no effect without a response to compress; give its size")
        return self

    @property
    def answer_bytes(self) -> float:
        """What is sent of an ok answer."""
        response = self.response or 0.0
        match self.compression:
            case None:
                return response
            case MeasuredCompression(kind=kind, tries=level):
                remains, _ = _MEASURED[kind, level]
                return response * remains / _SAMPLE_BYTES
            case CustomCompression(remains=ratio):
                return response * ratio
            case _:
                assert_never(self.compression)

    @property
    def compressing(self) -> Distribution | None:
        """The CPU time of compressing an ok answer; None if it is not compressed."""
        match self.compression:
            case None:
                return None
            case MeasuredCompression(kind=kind, tries=level):
                _, time_s = _MEASURED[kind, level]
                return Constant.model_construct(mean=time_s * (self.response or 0.0) / _SAMPLE_BYTES)
            case CustomCompression(time=time):
                return time
            case _:
                assert_never(self.compression)
