"""Pydantic's validation errors in the words of the scenario language."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lab.distributions import Constant
from lab.quantities import Spec
from lab.scenario.arrivals import ConstantRate
from lab.scenario.components import QuerySpec
from lab.scenario.problems import Path, Problem, shown
from lab.scenario.vocabulary import unknown_word

_DISCRIMINATORS = ("kind", "metric")


def explain(error: ValidationError, *, document: object, model: type[Spec]) -> tuple[Problem, ...]:
    """Return what is wrong with a document, one problem a place.

    Args:
        error: what pydantic raised.
        document: what was validated.
        model: what it was validated as.
    """
    found: dict[Path, str] = {}
    for detail in error.errors(include_url=False):
        if detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]:
            continue  # the items are there; pydantic dropped the wrong ones, and told of each
        place = _Place(model)
        for part in detail["loc"]:
            place.enter(part)
        tag = (detail["ctx"]["discriminator"].strip("'"),) if detail["type"] == "union_tag_invalid" else ()
        path = _written((*place.path, *tag), document, missing=detail["type"] == "missing")
        if path not in found:
            found[path] = _message(detail, place)
        elif detail["type"] == "literal_error":
            found[path] += f", or {detail['ctx']['expected']}"
    return tuple(Problem(path=path, message=message) for path, message in found.items())


class _Place:
    """Follows a pydantic location through the models, and keeps of it what a reader would write."""

    def __init__(self, model: type[Spec]) -> None:
        self.path: Path = ()
        self.type: Any = model
        self.owner: type[Spec] = model
        self.field: str | None = None

    def enter(self, part: str | int) -> None:
        """Go one part down; parts that name a branch of a union or a validator are not written."""
        inside = _bare(self.type)
        match inside:
            case _ if _is_union(inside):
                self._enter_union(inside, part)
            case type() if issubclass(inside, Spec):
                self._enter_model(inside, part)
            case _ if get_origin(inside) is dict:
                self._go(part, get_args(inside)[1])
            case _ if get_origin(inside) is tuple and isinstance(part, int):
                self._go(part, get_args(inside)[0])
            case _:
                pass

    def _enter_union(self, union: Any, part: str | int) -> None:
        members = list(_specs(union))
        for member in members:
            if part in _tags(member):
                self.type = member
                return
        if len(members) == 1:  # `Spec | None`
            self._enter_model(members[0], part)

    def _enter_model(self, model: type[Spec], part: str | int) -> None:
        self.owner, self.field = model, str(part)
        field = model.model_fields.get(str(part))
        self._go(part, field.annotation if field else None)

    def _go(self, part: str | int, inside: Any) -> None:
        if part != "[key]":
            self.path = (*self.path, part)
        self.type = inside


def _specs(union: Any) -> Iterator[type[Spec]]:
    """Yield the models of a union, those of a union within it (`A | B`, or nothing) too."""
    for member in map(_bare, get_args(union)):
        if _is_union(member):
            yield from _specs(member)
        elif isinstance(member, type) and issubclass(member, Spec):
            yield member


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _bare(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _tags(model: Any) -> tuple[str, ...]:
    """Return the kinds by which a tagged union knows a model; nothing for what is no model."""
    for name in _DISCRIMINATORS if isinstance(model, type) and issubclass(model, Spec) else ():
        if name in model.model_fields:
            annotation = _bare(model.model_fields[name].annotation)
            return get_args(annotation) if get_origin(annotation) is Literal else ()
    return ()


def _written(path: Path, document: object, *, missing: bool) -> Path:
    """Return the path as far as the document has it: a short form such as ``2ms`` has no keys of its own."""
    kept: list[str | int] = []
    place = document
    for number, part in enumerate(path):
        if isinstance(place, Mapping):
            if part in place:
                place = place[part]
            elif not (missing and number == len(path) - 1):
                continue
        elif isinstance(place, list | tuple) and isinstance(part, int) and part < len(place):
            place = place[part]
        elif not isinstance(place, Spec):
            continue
        else:
            place = getattr(place, str(part), None)
        kept.append(part)
    return tuple(kept)


def _message(detail: ErrorDetails, place: _Place) -> str:
    value, context = detail["input"], detail.get("ctx", {})
    match detail["type"]:
        case "missing":
            return f"is missing; add it{_described(place)}"
        case "extra_forbidden":
            return unknown_word(str(detail["loc"][-1]), known=place.owner.model_fields, what="key")
        case "union_tag_invalid":
            return _unknown_kind(str(context["tag"]), context)
        case "union_tag_not_found":
            tag, kinds = context["discriminator"].strip("'"), _kinds(place.type)
            return f"has no {tag}, so its other keys have no meaning; add a {tag}, one of: {kinds}"
        case "literal_error":
            known = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
            word = value if isinstance(value, str) else shown(value)
            return unknown_word(word, known=known, what=str(place.field or "value"))
        case "value_error":
            return str(context["error"]).replace(repr(value), shown(value), 1)
        case "model_type" | "model_attributes_type" | "dict_type":
            return _not_a_mapping(value, place)
        case "tuple_type":
            return f"{shown(value)} is not a list; write the items in [ ] or one a line after '- '"
        case "string_type":
            return f"{shown(value)} is not a text; write a word, or put it in quotes"
        case "too_short":
            return f"is too short: it needs {context['min_length']} or more{_described(place)}"
        case _:
            return _out_of_bounds(detail)


def _unknown_kind(tag: str, context: Mapping[str, Any]) -> str:
    known = [word.strip("'") for word in context["expected_tags"].split(", ")]
    return unknown_word(tag, known=known, what=context["discriminator"].strip("'"))


def _kinds(annotation: Any) -> str:
    """Return the kinds of a tagged union as text; "" for anything else."""
    inside = _bare(annotation)
    members = get_args(inside) if _is_union(inside) else ()
    return ", ".join(tag for member in members for tag in _tags(_bare(member)))


def _described(place: _Place) -> str:
    field = place.owner.model_fields.get(place.field or "")
    return f" ({field.description})" if field and field.description else ""


def _not_a_mapping(value: object, place: _Place) -> str:
    members = [_bare(member) for member in get_args(_bare(place.type))]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and (Constant in members or _bare(place.type) is QuerySpec):
        return f"{value!r} has no unit: write a constant time with its unit, such as {value!r}ms, or a distribution"
    if number and ConstantRate in members:
        return f"{value!r} has no unit: write a constant rate with its unit, such as {value!r}/s, or a curve by kind"
    kinds = _kinds(place.type)
    hint = f"with a kind, one of: {kinds}" if kinds else f"with its keys, one a line{_described(place)}"
    return f"is empty; write it {hint}" if value is None else f"{shown(value)} is not a mapping; write it {hint}"


def _out_of_bounds(detail: ErrorDetails) -> str:
    value, context = shown(detail["input"]), detail.get("ctx", {})
    match detail["type"]:
        case "string_pattern_mismatch":
            return f"{value} is not a name: use small letters, digits and underscores, a letter first"
        case "string_too_long":
            return f"{value} is too long: at most {context['max_length']} characters"
        case "greater_than":
            return f"{value} is out of range: it must be more than {context['gt']}"
        case "greater_than_equal":
            return f"{value} is out of range: it must be {context['ge']} or more"
        case "less_than":
            return f"{value} is out of range: it must be less than {context['lt']}"
        case "less_than_equal":
            return f"{value} is out of range: it must be {context['le']} or less"
        case _:
            return f"{value} cannot stand here: {detail['msg'].removeprefix('Value error, ')}"
