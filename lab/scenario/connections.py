"""The connections of clients to the entry: how they are opened, kept and shared."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from lab.distributions import Distribution
from lab.quantities import Bytes, Count, Duration, Ratio, Spec

Tls = Literal["none", "tls12", "tls13"]


class Handshake(Spec):
    """What a full TLS handshake costs the entry: its signature, above all.

    Measured on the lab's own machine: about 1 ms with RSA 2048, 0.2 ms with ECDSA P-256.
    """

    time: Distribution = Field(description="CPU time.")
    cores: Count = Field(
        default=1,
        description="Cores of the entry that do handshakes, first come first served. Requests on open connections do "
        "not wait for them.",
    )


class Connections(Spec):
    """Whoever finds no open connection opens one: a round trip for TCP, one more for TLS 1.3, two for TLS 1.2.

    A user of a closed workload and a session keep their own connections. In an open workload, and in a replay, each
    request is another client. A client has one request under way, so neither the six connections of a browser nor
    the streams of HTTP/2 that wait for one another's lost packets have an effect here; what tells the two apart is a
    client that gives up: over HTTP/1.1 it closes the connection, over HTTP/2 only the stream. Resumed TLS sessions
    are left out.
    """

    kind: Literal["http1", "http2"] = Field(
        description="http1: a connection carries one request at a time, and giving up on it closes it. http2: one "
        "carries all of a client's requests, and giving up on one closes nothing."
    )
    tls: Tls = Field(default="tls13", description="Which TLS, or none.")
    certificate: Bytes = Field(
        default="3KiB",
        validate_default=True,
        description="What the server sends in a handshake of TLS; assumed: a chain of two certificates.",
    )
    handshake: Handshake | None = Field(
        default=None, description="What a handshake of TLS costs the entry. None: no time."
    )
    keep_alive: Duration = Field(
        default="60s",
        validate_default=True,
        description="How long an idle connection stays open. 0s: each request opens one.",
    )
    limit: Count | None = Field(
        default=None,
        description="How many connections the entry keeps open at once, idle ones included; who comes beyond it waits "
        "until one closes (a proxy's maxconn). None: no limit.",
    )
    new: Ratio | None = Field(
        default=None,
        description="Of an open workload or a replay: the share of clients that find no open connection. None: all.",
    )

    @model_validator(mode="after")
    def _costs_something(self) -> Connections:
        if self.tls == "none" and self.handshake is not None:
            raise ValueError("handshake has no effect with tls: none; leave one of them out")
        return self
