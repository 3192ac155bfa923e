"""Record the logs of an unknown service, as Locust's request logger writes them: quiet, and five times as busy."""

from __future__ import annotations

import csv
from pathlib import Path

import lab
from tools import recorded

# On the log's clock: any day will do, for only differences count.
_ZERO_S = 1_795_000_000.0
RATES = {"quiet": "12/s", "busy": "62/s"}
FOLDER = recorded.ROOT / "measurements" / "unknown_service"
COLUMNS = ("timestamp", "request_type", "name", "response_time_ms", "response_length", "status_code", "exception")
_STATUS = {"ok": 200, "rejected": 503, "error": 500, "timeout": 0}


def record(name: str) -> None:
    """Measure the service at one rate and write what a client saw of it."""
    scenario = recorded.scenario("unknown_service").with_({"workload.arrival_rate": RATES[name]})
    run = lab.measure(scenario)
    if not run.provenance["validity"]["valid"]:
        raise SystemExit(f"{name}: not recorded, for it may not judge: {run.provenance['validity']['problems']}")
    write_log(run, FOLDER / f"{name}.csv")


def write_log(run: lab.Run, path: Path) -> None:
    """Write the answered requests of a Run, in the order of their answers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    answered = run.requests[run.requests["outcome"] != "in_flight"].sort_values("end_s", kind="stable")
    with path.open("w", newline="") as file:
        log = csv.writer(file, lineterminator="\n")
        log.writerow(COLUMNS)
        for row in answered.itertuples():
            took_ms = (row.end_s - row.start_s) * 1e3
            status = _STATUS[row.outcome]
            failed = "" if row.outcome == "ok" else row.outcome
            sent = f"{_ZERO_S + row.start_s:.6f}"
            log.writerow([sent, "GET", f"/{row.endpoint}", f"{took_ms:.2f}", 12, status, failed])


if __name__ == "__main__":
    for each in RATES:
        record(each)
