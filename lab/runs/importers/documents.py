"""Recordings that are JSON: HAR, k6's JSON lines, and OpenTelemetry's spans (OTLP JSON)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from lab.errors import UsageError
from lab.runs.importers.answers import Answer, Imported, Reading, Stop, endpoint_of, outcome_of

_SERVER, _CLIENT, _ERROR = 2, 3, 2
_KINDS = {"SPAN_KIND_SERVER": _SERVER, "SPAN_KIND_CLIENT": _CLIENT}
Span = dict[str, Any]
_STATUS_KEYS = ("http.response.status_code", "http.status_code")


def har(path: Path) -> Imported:
    """Return the requests in an HTTP Archive (HAR 1.2).

    Raises:
        UsageError: it is not such a file.
        NotEnoughData: it has no usable entry.
    """
    reading = Reading(source=path.name)
    document = _json(path)
    log = document.get("log") if isinstance(document, Mapping) else None
    if not isinstance(log, Mapping) or not isinstance(log.get("entries"), list):
        raise UsageError(f"{path.name}: is no HAR; it must be an object with log.entries")
    for number, entry in enumerate(log["entries"]):
        try:
            sent_s = datetime.fromisoformat(entry["startedDateTime"]).timestamp()
            took_s = float(entry["time"]) / 1e3
            endpoint = endpoint_of(entry["request"]["method"], entry["request"]["url"])
            status = int(entry["response"]["status"])
        except (KeyError, TypeError, ValueError) as error:
            reading.leave_out(f"entry {number}", f"lacks a part of what HAR prescribes ({error})")
            continue
        if took_s < 0:
            reading.leave_out(f"entry {number}", "took a negative time")
            continue
        reading.answers.append(Answer(sent_s=sent_s, duration_s=took_s, endpoint=endpoint, outcome=outcome_of(status)))
    return reading.done("har")


def k6_json(path: Path) -> Imported:
    """Return the requests in k6's JSON output: points of ``http_req_duration``, stamped at the request's end.

    Raises:
        UsageError: it cannot be read.
        NotEnoughData: it has no usable line.
    """
    reading = Reading(source=path.name)
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            point = json.loads(line)
            if point["type"] != "Point" or point["metric"] != "http_req_duration":
                continue
            data, tags = point["data"], point["data"]["tags"]
            ended_s, took_s = (
                datetime.fromisoformat(_microseconds(data["time"])).timestamp(),
                float(data["value"]) / 1e3,
            )
            method, name, status = str(tags.get("method", "")), str(tags["name"]), int(tags["status"])
        except (KeyError, TypeError, ValueError) as error:
            reading.leave_out(f"line {number}", f"is no point of k6 ({error})")
            continue
        endpoint = f"{method} {name.partition('?')[0]}".strip()
        reading.answers.append(
            Answer(sent_s=ended_s - took_s, duration_s=took_s, endpoint=endpoint, outcome=outcome_of(status))
        )
    return reading.done("k6-json")


def otlp(path: Path) -> Imported:
    """Return the requests in OpenTelemetry spans, as OTLP JSON: one document, or one a line (as the collector writes).

    A server span without a parent in the file is a request; every server span of its trace, and every call of a
    database, is a visit, whose own work is its time without that of what it calls.

    Raises:
        UsageError: it is no OTLP JSON.
        NotEnoughData: it has no usable server span.
    """
    reading = Reading(source=path.name)
    spans = list(_spans(path, reading))
    by_id = {(span["trace"], span["id"]): span for span in spans}
    children: dict[tuple[str, str], list[Span]] = {}
    for span in spans:
        children.setdefault((span["trace"], span["parent"]), []).append(span)
    for span in spans:
        if span["kind"] != _SERVER or (span["trace"], span["parent"]) in by_id:
            continue
        place = len(reading.answers)
        reading.answers.append(
            Answer(
                sent_s=span["start_s"],
                duration_s=span["end_s"] - span["start_s"],
                endpoint=span["name"],
                outcome=span["outcome"],
            )
        )
        reading.stops += _stops(span, place, children)
    return reading.done("otlp")


def _stops(root: Span, place: int, children: Mapping[tuple[str, str], Sequence[Span]]) -> Iterator[Stop]:
    """Yield the visits of a trace: the root's and, one after another, those of all below it.

    The client's side of a call is no visit, but for a database, which seldom has spans of its own.
    """
    waiting = [root]
    while waiting:
        span = waiting.pop()
        calls = list(_calls(span, children))
        waiting += calls
        if span["kind"] == _SERVER or span["is_database"]:
            yield Stop(
                answer=place,
                component=span["component"],
                operation=span["name"],
                arrived_s=span["start_s"],
                departed_s=span["end_s"],
                waiting_time_s=None,
                service_time_s=span["end_s"] - span["start_s"] - _covered(span, calls),
                outcome=span["outcome"],
            )


def _calls(span: Span, children: Mapping[tuple[str, str], Sequence[Span]]) -> Iterator[Span]:
    """Yield the nearest server and client spans below a span; what lies between is its own work."""
    for child in children.get((span["trace"], span["id"]), ()):
        if child["kind"] in (_SERVER, _CLIENT):
            yield child
        else:
            yield from _calls(child, children)


def _covered(span: Span, below: Sequence[Span]) -> float:
    """Return how much of a span its calls cover together; those that overlap count once."""
    covered = reached = 0.0
    for begun_s, ended_s in sorted((child["start_s"], child["end_s"]) for child in below):
        start_s, end_s = max(begun_s, span["start_s"], reached), min(ended_s, span["end_s"])
        if end_s > start_s:
            covered += end_s - start_s
            reached = end_s
    return covered


def _spans(path: Path, reading: Reading) -> Iterator[Span]:
    text = _text(path)
    texts = [line for line in text.splitlines() if line.strip()] if "\n{" in text.strip() else [text]
    documents = [_parsed(path, each) for each in texts]
    number = 0
    for document in documents:
        resources = document.get("resourceSpans") if isinstance(document, Mapping) else None
        if not isinstance(resources, list):
            raise UsageError(f"{path.name}: is no OTLP JSON; it must be an object with resourceSpans")
        for resource in resources:
            service = _attributes(resource.get("resource", {})).get("service.name", "unknown")
            for scope in resource.get("scopeSpans", ()):
                for span in scope.get("spans", ()):
                    number += 1
                    try:
                        read = _span(span, str(service))
                    except (KeyError, TypeError, ValueError) as error:
                        reading.leave_out(f"span {number}", f"lacks a part of what OTLP prescribes ({error})")
                        continue
                    if read["end_s"] < read["start_s"]:
                        reading.leave_out(f"span {number}", "ends before it starts")
                    else:
                        yield read


def _span(span: Mapping[str, Any], service: str) -> Span:
    attributes = _attributes(span)
    kind = span.get("kind", 0)
    system = attributes.get("db.system.name") or attributes.get("db.system")
    status = next((int(attributes[key]) for key in _STATUS_KEYS if key in attributes), 200)
    failed = (span.get("status") or {}).get("code") in (_ERROR, "STATUS_CODE_ERROR")
    outcome = outcome_of(status)
    return {
        "trace": span["traceId"],
        "id": span["spanId"],
        "parent": span.get("parentSpanId") or "",
        "kind": _KINDS.get(kind, kind),
        "is_database": bool(system),
        "component": str(attributes.get("db.namespace") or system) if system else service,
        "name": str(span["name"]).partition("?")[0],
        "start_s": int(span["startTimeUnixNano"]) / 1e9,
        "end_s": int(span["endTimeUnixNano"]) / 1e9,
        "outcome": "error" if failed and outcome == "ok" else outcome,
    }


def _attributes(holder: Mapping[str, Any]) -> dict[str, Any]:
    given = [each for each in holder.get("attributes", ()) if each.get("value")]
    return {each["key"]: next(iter(each["value"].values()), None) for each in given}


def _microseconds(text: str) -> str:
    """Return an RFC 3339 time with at most six digits behind the point, which is what Python 3.11 reads."""
    head, point, tail = text.partition(".")
    if not point:
        return text
    digits = len(tail) - len(tail.lstrip("0123456789"))
    return f"{head}.{tail[:digits][:6].ljust(6, '0')}{tail[digits:]}"


def _json(path: Path) -> Any:
    return _parsed(path, _text(path))


def _parsed(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{path.name}: is not JSON ({error})") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name}: cannot be read ({error})") from error
