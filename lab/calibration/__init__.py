"""From a measured Run to parameter values with intervals, frozen and hashed.

::

    Run + parameters --> samples (per-path: which spans tell of it) --> fit (distribution, interval) --> Calibration
                                                                            ^                              |
                                                                            `-- self-check: simulate <-----'
"""

from lab.calibration.calibrate import calibrate
from lab.calibration.client_log import calibrate_from_client, scenario_of_log
from lab.calibration.joined import joined
from lab.calibration.repeats import mean_of_repeats
from lab.scenario.calibration import CalibratedValue, Calibration, read_calibration
from lab.scenario.extrapolation import extrapolation

__all__ = [
    "CalibratedValue",
    "Calibration",
    "calibrate",
    "calibrate_from_client",
    "extrapolation",
    "joined",
    "mean_of_repeats",
    "read_calibration",
    "scenario_of_log",
]
