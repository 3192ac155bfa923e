"""Simulates once in a process of its own and prints what it cost: `python -m benchmarks.once '{"requests": 10000}'`."""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import lab
from benchmarks.scenarios import four_parts


def main(keep: str = "all", **shape: Any) -> None:
    """Print CPU time in seconds, number of requests, and bytes of memory at the peak beyond those before."""
    scenario = four_parts(**shape)
    warnings.simplefilter("ignore")
    lab.simulate(four_parts(requests=100), keep=keep, n_jobs=1, progress=False)  # imports what it imports
    before = _peak_bytes(reset=True)
    start_s = time.process_time()
    run = lab.simulate(scenario, keep=keep, n_jobs=1, progress=False)
    cpu_s = time.process_time() - start_s
    print(json.dumps({"cpu_s": cpu_s, "requests": len(run.requests), "peak_bytes": _peak_bytes() - before}))


def _peak_bytes(*, reset: bool = False) -> int:
    if reset:
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the high-water mark begins anew
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (each for each in status if each.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
