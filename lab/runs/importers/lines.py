"""Access logs: one line a request. The common (and combined) format, and HAProxy's HTTP format."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from lab.errors import UsageError
from lab.runs.importers.answers import Answer, Imported, Reading, Stop, endpoint_of, outcome_of

# host ident user [time] "method path protocol" status bytes, then what the combined format and its friends add.
_COMMON = re.compile(
    r'^\S+ \S+ \S+ \[(?P<time>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>\S+)[^"]*" '
    r"(?P<status>\d{3}) (?:\d+|-)(?P<rest>.*)$"
)
_LAST_NUMBER = re.compile(r"(?:^|\s)(?P<value>\d+(?:\.\d+)?)\s*$")
# client [accepted] frontend backend/server TR/Tw/Tc/Tr/Ta status bytes ... "method path protocol"
_HAPROXY = re.compile(
    r"\S+ \[(?P<time>[^\]]+)\] (?P<frontend>\S+) (?P<backend>[^/\s]+)/(?P<server>\S+) "
    r"(?P<timers>-?\d+/-?\d+/-?\d+/-?\d+/\+?-?\d+) (?P<status>-?\d+) .*"
    r'"(?P<method>[A-Z]+) (?P<path>\S+)[^"]*"\s*$'
)
_DURATION_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


def common_log(path: Path, *, duration_unit: str | None = None) -> Imported:
    """Return the requests in a common or combined access log (times to the second, stamped on arrival).

    Args:
        path: the file.
        duration_unit: ``s`` (nginx's ``$request_time``), ``ms`` or ``us`` (Apache's ``%D``), where each line ends in
            how long the request took. Without it the log gives a schedule only.

    Raises:
        UsageError: it cannot be read, or the unit is unknown.
        NotEnoughData: no line could be read.
    """
    if duration_unit is not None and duration_unit not in _DURATION_UNITS:
        raise UsageError(
            f"the unit of the duration is {duration_unit!r}; it must be one of {', '.join(_DURATION_UNITS)}"
        )
    reading = Reading(source=path.name)
    for number, line in enumerate(_lines(path), start=1):
        found = _COMMON.match(line)
        moment = _time(found["time"], "%d/%b/%Y:%H:%M:%S %z") if found else None
        if found is None or moment is None:
            reading.leave_out(f"line {number}", "is not a line of the common log format")
            continue
        took_s = None
        if duration_unit is not None:
            last = _LAST_NUMBER.search(found["rest"])
            if last is None:
                reading.leave_out(f"line {number}", "does not end in a duration")
                continue
            took_s = float(last["value"]) * _DURATION_UNITS[duration_unit]
        endpoint, outcome = endpoint_of(found["method"], found["path"]), outcome_of(int(found["status"]))
        reading.answers.append(Answer(sent_s=moment, duration_s=took_s, endpoint=endpoint, outcome=outcome))
    reading.notes.append("time stamps are whole seconds, so arrivals are known to a second only")
    return reading.done("common")


def haproxy_log(path: Path) -> Imported:
    """Return the requests in HAProxy's HTTP log (``option httplog``), with the wait in its queue.

    A request came when it was accepted plus the time that its client took to send it (TR); Ta is how long it took.

    Raises:
        UsageError: it cannot be read.
        NotEnoughData: no line could be read.
    """
    reading = Reading(source=path.name)
    for number, line in enumerate(_lines(path), start=1):
        found = _HAPROXY.search(line)
        moment = _time(found["time"], "%d/%b/%Y:%H:%M:%S.%f") if found else None
        if found is None or moment is None:
            reading.leave_out(f"line {number}", "is not a line of HAProxy's HTTP log")
            continue
        request_ms, queue_ms, _, _, active_ms = (int(timer) for timer in found["timers"].split("/"))
        if request_ms < 0 or active_ms < 0 or active_ms < max(queue_ms, 0):
            reading.leave_out(f"line {number}", "was given up before its request was whole (a timer is -1)")
            continue
        arrived_s, took_s = moment + request_ms / 1e3, (active_ms - request_ms) / 1e3
        status = int(found["status"])
        outcome = outcome_of(status) if status > 0 else "error"
        endpoint = endpoint_of(found["method"], found["path"])
        reading.stops.append(
            Stop(
                answer=len(reading.answers),
                component=found["backend"],
                operation=endpoint,
                arrived_s=arrived_s,
                departed_s=arrived_s + took_s,
                waiting_time_s=queue_ms / 1e3 if queue_ms >= 0 else None,
                service_time_s=None,
                outcome=outcome,
            )
        )
        reading.answers.append(Answer(sent_s=arrived_s, duration_s=took_s, endpoint=endpoint, outcome=outcome))
    return reading.done("haproxy")


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    except OSError as error:
        raise UsageError(f"{path.name}: cannot be read ({error.strerror})") from error


def _time(text: str, pattern: str) -> float | None:
    try:
        return datetime.strptime(text, pattern).timestamp()  # HAProxy writes local time without a zone
    except ValueError:
        return None
