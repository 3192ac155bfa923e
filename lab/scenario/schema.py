"""The JSON Schema of scenarios, from the models: what editors complete and check."""

from __future__ import annotations

import json
from typing import Any

from lab.scenario.scenario import Scenario

_Schema = dict[str, Any]

# Unions that occur many times get a definition of their own, found by the first of their members.
_NAMED_UNIONS = {
    "Constant": "Distribution",
    "Codel": "Shedding",
    "ConstantRate": "ArrivalRate",
    "CpuStep": "Step",
    "CrashFault": "Fault",
    "Gradient2": "AdaptiveConcurrency",
    "HpaAutoscaler": "Autoscaler",
    "LoadBalancer": "Component",
    "SojournTimeObjective": "Objective",
    "UniformKeys": "Keys",
    "ZipfKeys": "StillKeys",
    "OpenWorkload": "Workload",
    "ConstantBackoff": "Backoff",
    "NoProtection": "StampedeProtection",
    "UniformSizes": "Sizes",
    "ScanPlan": "Plan",
    "ProfileNetwork": "Network",
    "MeasuredCompression": "Compression",
}
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_TAGS = ("kind", "metric")


def json_schema() -> _Schema:
    """Return the JSON Schema (draft 2020-12) of a scenario file, short forms included."""
    schema = Scenario.model_json_schema()
    definitions: _Schema = schema.pop("$defs")
    unions: _Schema = {}
    schema = dict(_name_unions(schema, unions))
    definitions = {**_name_unions(definitions, unions), **unions}
    for name in sorted({name for union in unions.values() for name in _members(union)}):
        _require_tag(definitions[name])
    _add_short_forms(definitions)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Scenario",
        "description": schema.pop("description"),
    }
    return {**head, **schema, "$defs": dict(sorted(definitions.items()))}


def schema_text() -> str:
    """Return the schema as it is committed in ``scenarios/schema.json``."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _members(union: _Schema) -> list[str]:
    return [member["$ref"].removeprefix("#/$defs/") for member in union["oneOf"]]


def _name_unions(node: Any, unions: _Schema) -> Any:
    """Return the schema with each tagged union replaced by a reference; the unions are collected."""
    if isinstance(node, list):
        return [_name_unions(item, unions) for item in node]
    if not isinstance(node, dict):
        return node
    if "discriminator" not in node:
        return {key: _name_unions(value, unions) for key, value in _tidied(node).items()}
    union = {"oneOf": list({member["$ref"]: member for member in node["oneOf"]}.values())}
    name = _NAMED_UNIONS[_members(union)[0]]
    unions[name] = union
    beside = {key: value for key, value in node.items() if key not in ("discriminator", "oneOf", "title")}
    return {"$ref": f"#/$defs/{name}"} | beside


def _tidied(node: _Schema) -> _Schema:
    """Return one level of the schema in the words of the standard, without titles that only repeat a key."""
    if isinstance(node.get("title"), str):
        node = {key: value for key, value in node.items() if key != "title"}
    if node.get("type") in ("integer", "number"):
        # Behind a validator of ours, pydantic hands bounds on under their Python names.
        node = {_BOUNDS.get(key, key): value for key, value in node.items()}
    if "patternProperties" in node:
        node = {**node, "additionalProperties": False}  # every other name is refused
    return node


def _require_tag(member: _Schema) -> None:
    """A tag has a default in Python, where the class says it; in a file it must be written."""
    for tag in _TAGS:
        if tag in member["properties"]:
            member["properties"][tag].pop("default", None)
            required = [name for name in member.get("required", []) if name != tag]
            member["required"] = [tag, *required]


def _add_short_forms(definitions: _Schema) -> None:
    duration = definitions["Constant"]["properties"]["mean"]
    rate = definitions["ConstantRate"]["properties"]["rate"]
    _allow(definitions, "Distribution", _text(duration, "A constant time."))
    _allow(definitions, "ArrivalRate", _text(rate, "A constant rate."))
    kinds = [definitions[name]["properties"]["kind"]["const"] for name in _members(definitions["StampedeProtection"])]
    word = {"description": "The protection of this kind with its defaults.", "enum": kinds}
    _allow(definitions, "StampedeProtection", word)
    ratio = definitions["RetryBudget"]["properties"]["ratio"]
    definitions["RetryBudgetInFull"] = definitions.pop("RetryBudget")
    definitions["RetryBudget"] = {
        "description": "A ratio alone, or more.",
        "anyOf": [_text(ratio, "Retries per request in the long run."), {"$ref": "#/$defs/RetryBudgetInFull"}],
    }
    definitions["QueryWithTime"] = definitions.pop("QuerySpec")
    definitions["QuerySpec"] = {
        "description": "A time alone, or a statement with its time.",
        "anyOf": [{"$ref": "#/$defs/Distribution"}, {"$ref": "#/$defs/QueryWithTime"}],
    }


def _allow(definitions: _Schema, name: str, short: _Schema) -> None:
    definitions[name] = {"anyOf": [short, definitions[name]]}


def _text(schema: _Schema, description: str) -> _Schema:
    kept = {key: schema[key] for key in ("type", "pattern", "examples")}
    return {"description": description, **kept}
