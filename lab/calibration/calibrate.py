"""Calibrate: from a Run and key paths to values with intervals that make the simulator reproduce that Run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lab.calibration.client_log import calibrate_from_client
from lab.calibration.documenting import frozen
from lab.calibration.fit import fit
from lab.calibration.observed import Observed
from lab.calibration.parts import Found, canonical, estimate
from lab.calibration.popularity import popularity
from lab.calibration.repeats import mean_of_repeats
from lab.calibration.round_trip import PATH as ROUND_TRIP
from lab.calibration.round_trip import round_trips
from lab.calibration.self_check import bias_s, held_up_s, residuals, shifted
from lab.distributions import mean_s
from lab.errors import UsageError
from lab.runs.run import Run
from lab.scenario.calibration import CalibratedValue, Calibration, as_changes
from lab.scenario.fronts import leads_to
from lab.scenario.scenario import Scenario
from lab.scenario.variants import value_at


def calibrate(run: Run, scenario: Scenario, parameters: Sequence[str]) -> Calibration:
    """Return the values of parameters that a Run's server-side spans, samples and requests tell, frozen and hashed.

    Run it at low utilisation (0.3 or less): what waits for the event loop or the host's core would else count as work.
    Afterwards the simulator replays the Run with the fitted values; what is still missing on average is given to
    ``client.round_trip`` if that is among the parameters, and the rest is told as residuals.

    A Run of requests alone, or one that was imported, is calibrated from the client's clock (calibrate_from_client).
    Of a Run of several repeats each is calibrated, and the mean is taken.

    Args:
        run: measured (or predicted, to test the fits), with its visits.
        scenario: whose parameters are wanted; the Run may be of a variant of it (another rate, another duration).
        parameters: key paths, such as ``components.api.overhead``.

    Raises:
        ScenarioError: a path leads nowhere.
        Unsupported: nothing that is recorded tells of a parameter.
        UsageError: two parameters cannot be told apart.
        NotEnoughData: too few observations.
    """
    if not run.has_visits or "imported" in run.provenance:
        return calibrate_from_client(run, scenario, parameters)
    if len(run.replications) > 1:
        return mean_of_repeats([calibrate(run.only(repeat), scenario, parameters) for repeat in run.replications])
    ran = Scenario.model_validate({**run.scenario, "calibration": None})
    paths = tuple(dict.fromkeys(canonical(path, scenario) for path in parameters))
    if not paths:
        raise UsageError("no parameters are named; give key paths such as client.round_trip")
    _check_paths(scenario, paths)
    observed = Observed(run=run, scenario=ran, unknown=frozenset(paths))
    found: Found = popularity(run, ran, frozenset(paths))
    for path in sorted(set(paths) - set(found), key=_order):
        if path == ROUND_TRIP:
            found[path] = fit(path, round_trips(observed, found, held_up_s(run, ran, found)))
        elif path not in found:  # what is told together with another is found by now
            found |= estimate(observed, path, found)
    notes = []
    fitted = _with(ran, found)
    if ROUND_TRIP in found:
        notes += _give_rest(found, bias_s(run, fitted, found), ran)
        fitted = _with(ran, found)
    return frozen(
        run,
        fitted,
        {path: found[path] for path in paths},
        source="server",
        residuals=residuals(run, fitted),
        notes=tuple(notes),
    )


def _check_paths(scenario: Scenario, paths: Sequence[str]) -> None:
    """Raise the scenario's own words for the first path that leads nowhere."""
    document = scenario.to_document()
    for path in paths:
        value_at(document, path)


def _order(path: str) -> int:
    """Steps, round trips of databases before their queries, and last what takes the rest."""
    if path == ROUND_TRIP:
        return 2
    return 1 if re.search(r"\.queries\.", path) else 0


def _with(scenario: Scenario, found: Mapping[str, CalibratedValue]) -> Scenario:
    return scenario.with_(as_changes(found))


def _give_rest(found: Found, missing_s: float, scenario: Scenario) -> list[str]:
    """Give the mean that is missing to the round trip, and what that lacks to the overhead; say so.

    The CPU time per request holds that of drivers, which runs within the spans of what they call. Where it is more than
    a request's way leaves room for, the overhead gives way.
    """
    before_s = found[ROUND_TRIP].mean
    found[ROUND_TRIP] = _with_rest(found[ROUND_TRIP], missing_s)
    notes = [f"{ROUND_TRIP} holds the last residual of the mean, {missing_s * 1e6:+.0f} us"]
    overhead = f"components.{leads_to(scenario, scenario.entry)[-1]}.overhead"
    lacking_s = before_s + missing_s
    if lacking_s < 0 and overhead in found:
        found[overhead] = _with_rest(found[overhead], lacking_s)
        notes.append(f"{overhead} gave {-lacking_s * 1e6:.0f} us that the spans of callees hold already")
    return notes


def _with_rest(value: CalibratedValue, missing_s: float) -> CalibratedValue:
    assert not isinstance(value.value, int | float)  # both are times
    time = shifted(value.value, missing_s)
    mean = mean_s(time)
    by_s = mean - value.mean
    return value.model_copy(
        update={
            "value": time,
            "mean": mean,
            "low": max(0.0, value.low + by_s),
            "high": max(0.0, value.high + by_s),
            "method": f"{value.method}; {by_s * 1e6:+.0f} us so that the simulator reproduces the mean",
        }
    )
