"""Simulates in a process of its own and prints what it cost: `python -m benchmarks.once '{"requests": 10000}'`."""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import lab
from benchmarks.scenarios import four_parts


def main(requests: int, keep: str = "all", rounds: int = 1, **shape: Any) -> None:
    """Print seconds of CPU time a request and bytes of memory a request at the peak.

    Time is what a request adds: that of a tenth of the requests is taken off, and with it the building of the parts. Of
    several rounds the quickest counts: whatever disturbs a round only adds to it.
    """
    warnings.simplefilter("ignore")
    short, whole = (four_parts(requests=count, **shape) for count in (requests // 10, requests))
    lab.simulate(four_parts(requests=100), keep=keep, n_jobs=1, progress=False)  # imports what it imports
    before = _peak_bytes(reset=True)
    count = len(lab.simulate(whole, keep=keep, n_jobs=1, progress=False).requests)
    each_bytes = (_peak_bytes() - before) / count
    took_s = {"short": math.inf, "whole": math.inf}
    for _ in range(rounds):
        for name, scenario in (("short", short), ("whole", whole)):
            start_s = time.process_time()
            lab.simulate(scenario, keep=keep, n_jobs=1, progress=False)
            took_s[name] = min(took_s[name], time.process_time() - start_s)
    each_s = (took_s["whole"] - took_s["short"]) / (count * 0.9)
    print(json.dumps({"each_s": each_s, "each_bytes": each_bytes, "requests": count}))


def _peak_bytes(*, reset: bool = False) -> int:
    if reset:
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the high-water mark begins anew
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (each for each in status if each.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
