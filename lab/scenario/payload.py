"""What an endpoint and its clients send each other."""

from __future__ import annotations

from pydantic import Field

from lab.quantities import Bytes, Spec


class Payload(Spec):
    """The bytes of one endpoint on the clients' network, headers included.

    An answer other than ok is one packet whose bytes take no time. Calls between services are not slowed by bytes.
    """

    request: Bytes | None = Field(default=None, description="Of a request. None: one packet of no bytes.")
    response: Bytes | None = Field(default=None, description="Of an ok answer. None: one packet of no bytes.")
