"""One replica of a service: a uvicorn process on a socket that the supervisor bound.

python -m reference_backend.replica --deployment D.json --ports P.json --service api --replica 0 --fd 5 --spans FILE
"""

from __future__ import annotations

import argparse
import json
import socket
from pathlib import Path

import uvicorn

from reference_backend.app import build
from reference_backend.booting import Booting
from reference_backend.reading import read_deployment
from reference_backend.spans import SpanWriter


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployment", type=Path, required=True)
    parser.add_argument("--ports", type=Path, required=True, help="JSON: the port of each part")
    parser.add_argument("--service", required=True)
    parser.add_argument("--replica", type=int, required=True)
    parser.add_argument("--fd", type=int, required=True, help="the inherited listening socket")
    parser.add_argument("--ready-at", type=float, help="the monotonic time before which it is not ready")
    parser.add_argument("--spans", type=Path, required=True)
    given = parser.parse_args()
    application = build(
        deployment=read_deployment(given.deployment),
        service_name=given.service,
        replica=given.replica,
        ports=json.loads(given.ports.read_text()),
        writer=SpanWriter(path=given.spans, component=given.service, replica=given.replica),
        ready_at_s=given.ready_at or 0.0,
    )
    config = uvicorn.Config(
        application if given.ready_at is None else Booting(application, ready_at_s=given.ready_at),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        # Longer than HAProxy keeps an idle connection: who reuses connections must also be the one who closes them.
        timeout_keep_alive=3600,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=given.fd)])


if __name__ == "__main__":
    main()
