"""What a name in a scenario looks like."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
"""Small letters, digits and underscores: safe in URLs, file names, dotted paths and diagrams."""

CLIENT = "client"
"""Stands for whoever sends the requests: in the rows of a Run for the way between client and entry, and in faults."""

TLS = ".tls"
"""Follows the name of the entry in the rows of its cores that do TLS handshakes."""
