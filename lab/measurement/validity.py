"""May a measurement judge? The generator kept its schedule and had room, and nothing else was hidden in the figures.

Source: the validation protocol, step 5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lab.errors import MeasurementFailed
from lab.measurement.downtimes import unplanned_downs

_LATEST_S = 2e-3
_BUSIEST = 0.7
_BUSIEST_BACKEND = 0.85
_STRANGERS = 0.15


def validity(folder: Path, *, repeats: int, about_the_host: bool = False) -> dict[str, Any]:
    """Return whether the measurement may judge, with the figures that say so.

    Args:
        folder: the backend's output.
        repeats: how many there are.
        about_the_host: whether the scenario is about the host's CPU, which may be busy then.

    Returns:
        JSON values: ``valid``; ``problems``, all of them; ``by_repeat``, those of each repeat alone; the generators'
        own reports; and the backend's busiest seconds and the share of a core that strangers took, a value a repeat.
    """
    manifest = json.loads((folder / "manifest.json").read_text())
    generators = [json.loads((folder / f"repeat-{number}" / "generator.json").read_text()) for number in range(repeats)]
    cores = manifest["pinning"]["backend"]
    samples = [pd.read_parquet(folder / f"repeat-{number}" / "samples.parquet") for number in range(repeats)]
    busy = [_busiest_seconds(each, number) / len(cores or [0]) for number, each in enumerate(samples)]
    strangers = [
        _strangers(manifest["repeats"][number]["cpu_ratio"], generator, manifest["host"]["cores"])
        for number, generator in enumerate(generators)
    ]
    general = [] if cores else ["generator and backend shared their cores (nothing was pinned)"]
    by_repeat = []
    for number, generator in enumerate(generators):
        events = pd.read_parquet(folder / f"repeat-{number}" / "events.parquet")
        parts = manifest["deployment"]["parts"]
        found = _generator_problems(generator) + _backend_problems(samples[number], events, parts)
        if busy[number] > _BUSIEST_BACKEND and not about_the_host:
            found.append(
                f"the backend used {busy[number]:.0%} of its cores in its busiest seconds (allowed: "
                f"{_BUSIEST_BACKEND:.0%}): what was measured is the host, which the scenario does not describe"
            )
        if strangers[number] > _STRANGERS:
            found.append(
                f"other processes of this machine used {strangers[number]:.0%} of a core (allowed: {_STRANGERS:.0%}): "
                "the host was busy with something else"
            )
        left = manifest["repeats"][number]["left_in_flight"]
        if left:
            found.append(f"{left} requests were still under way when it ended, and went on into what came next")
        by_repeat.append([*general, *found])
    problems = general + [
        f"repeat {number}: {problem}"
        for number, found in enumerate(by_repeat)
        for problem in found
        if problem not in general
    ]
    return {
        "valid": not problems,
        "problems": problems,
        "by_repeat": by_repeat,
        "generator": generators,
        "backend_cpu_ratio_peak": busy,
        "strangers_cpu_ratio": strangers,
    }


def _busiest_seconds(samples: pd.DataFrame, repeat: int) -> float:
    """Return the CPU time per time of all parts of the backend together, mean over its five busiest seconds."""
    used = samples[samples["gauge"] == "cpu_ratio"].groupby("time_s")["value"].sum()
    if used.empty:
        raise MeasurementFailed(f"repeat {repeat}: no CPU ratio was sampled, so nobody knows whether the host was busy")
    return float(used.nlargest(5).mean())


def _strangers(ratios: Mapping[str, float], generator: Mapping[str, Any], cores: int) -> float:
    """Return the CPU time per time of all processes that are neither the backend's nor the generator's.

    The generator's own report is of its sending alone; it is told apart by the core that it has for itself, or counted
    as strangers where it had none.
    """
    ours = sum(ratio for part, ratio in ratios.items() if part != "host") + generator["cpu_ratio"]
    return float(max(0.0, ratios["host"] * cores - ours))


def _backend_problems(samples: pd.DataFrame, events: pd.DataFrame, parts: Mapping[str, Any]) -> list[str]:
    named = unplanned_downs(samples, events, parts)
    return [f"the load balancer took {', '.join(named)} for dead for a while"] if named else []


def _generator_problems(generator: Mapping[str, Any]) -> list[str]:
    problems = []
    if generator["lateness_s_p99"] > _LATEST_S:
        late_ms = generator["lateness_s_p99"] * 1e3
        problems.append(f"the generator was late by {late_ms:.1f} ms at p99 (allowed: {_LATEST_S * 1e3:g} ms)")
    if generator["dropped"]:
        problems.append(f"the generator dropped {generator['dropped']} requests")
    unplanned = generator["faults"] - generator.get("planned_faults", 0)  # without connections that a death broke off
    if unplanned:
        problems.append(f"{unplanned} requests failed on the generator's own side")
    if abs(generator["clock_step_s"]) > _LATEST_S:
        problems.append(
            f"the wall clock was set by {generator['clock_step_s']:.3f} s, so the load balancer's log is shifted"
        )
    if generator["cpu_ratio"] > _BUSIEST:
        problems.append(f"the generator used {generator['cpu_ratio']:.0%} of its core (allowed: {_BUSIEST:.0%})")
    return problems
