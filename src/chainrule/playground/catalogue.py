"""Every formula for the page: the families in a list, and one formula with its fields, mathematics and curves."""

import ast
import dataclasses
import unicodedata
from functools import cache
from typing import Any, TypeVar, get_args

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula, constraint_of, fields, notation
from chainrule.formula.layer import Layer, Operation
from chainrule.notation import parse
from chainrule.notation.families import FAMILIES, kinships
from chainrule.optimizers import Clipping, Optimizer
from chainrule.optimizers.schedules import Schedule
from chainrule.textbook.curves import curves
from chainrule.textbook.equations import derivatives, equations

F = TypeVar("F", bound=Formula)

SHOWN = ("activations", "layers", "costs", "regularizers", "constraints", "optimizers", "schedules", "initializers")

EXAMPLES: dict[type, str] = {int: "4", float: "0.1", Optimizer: "Adam()", Clipping: "ClipNorm(1.0)", Layer: "Dense(4)"}
"""What stands in a field that has no default, until somebody chooses."""

GIVEN = {"Reshape": "(2, 1)", "Permute": "(1,)", "EntityEmbedding": "(4,), 2", "Bidirectional": "LSTM(4)"}
"""What stands in the fields of formulas whose types alone tell too little."""

LONGEST = 2000  # characters of a value

FORBIDDEN = "Pretrained"
"""A formula that reads a file of this machine, which no page shall."""


def read(text: str, family: type[F]) -> F:
    """A formula from its notation, as `parse` reads it, but none that opens files of this machine."""
    if FORBIDDEN in unicodedata.normalize("NFKC", text):
        raise ChainruleError(f"{FORBIDDEN} reads a file of this machine, which no page may. Run: chainrule train.")
    return parse(text, family)


@cache
def catalogue() -> dict[str, Any]:
    """The families: of each its kinships, of these the formulas with name, line and notation."""
    return {
        name: {
            kinship: [
                {"name": kind.__name__, "title": kind.title(), "notation": usual(kind)}
                for kind in kinds
                if kind.__name__ != FORBIDDEN
            ]
            for kinship, kinds in kinships(name).items()
        }
        for name in SHOWN
    }


def usual(kind: type[Formula]) -> str | None:
    """The notation of a formula with its defaults, or examples where a field has none; None where that is hard.

    A clipping stands before an optimizer, as it is of no use alone.

    >>> from chainrule.optimizers import ClipNorm
    >>> usual(ClipNorm)
    'ClipNorm(max_norm=1.0) >> Adam(learning_rate=0.001)'
    """
    needed = [_example(field.type) for field in fields(kind) if field.default is dataclasses.MISSING]
    said = GIVEN.get(kind.__name__, ", ".join(map(str, needed)))
    text = f"{kind.__name__}({said})" + " >> Adam()" * issubclass(kind, Clipping)
    try:
        return repr(parse(text))
    except ChainruleError:
        return None


def _example(annotation: Any) -> str | None:
    """What stands for a value of a type: of a union, of the first one."""
    kinds = get_args(annotation) or (annotation,)
    found = (text for base, text in EXAMPLES.items() if isinstance(kinds[0], type) and issubclass(kinds[0], base))
    return next(found, None)


def described(formula: Formula) -> dict[str, Any]:
    """A formula as the page shows it: its notation and its fields; inner formulas are described alike."""
    if isinstance(formula, Operation):
        return {"name": type(formula).__name__, "notation": repr(formula), "fields": []}
    shown = [_field(formula, field) for field in fields(formula)]
    return {"name": type(formula).__name__, "notation": repr(formula), "title": type(formula).title(), "fields": shown}


def _field(formula: Formula, field: dataclasses.Field) -> dict[str, Any]:
    value, constraint = getattr(formula, field.name), constraint_of(field)
    row = {
        "name": field.name,
        "meaning": field.metadata.get("meaning", ""),
        "expected": constraint.expected if constraint else "",
        "default": None if field.default is dataclasses.MISSING else notation(field.default),
    }
    if isinstance(value, Formula):
        return row | {"type": "formula", "family": family_of(value), "value": described(value)}
    if isinstance(value, bool):
        return row | {"type": "flag", "value": value}
    if constraint and constraint.choices:
        return row | {"type": "choice", "value": notation(value), "choices": [*map(notation, constraint.choices)]}
    if isinstance(value, int | float):
        schedules = any(isinstance(each, type) and issubclass(each, Schedule) for each in get_args(field.type))
        return row | {"type": "number", "value": value, "schedules": schedules, **_range(value, constraint, field)}
    return row | {"type": "notation", "value": notation(value)}


def _range(value: float, constraint: Any, field: dataclasses.Field) -> dict[str, Any]:
    """Between which bounds a slider moves, found by asking the constraint: of a number above 0 over powers of ten."""
    holds = constraint.holds if constraint else lambda number: True
    if isinstance(value, int):
        return {"low": 1 if not holds(0) else 0, "high": max(16, 2 * value), "scale": "whole"}
    usual = field.default if isinstance(field.default, float) else value
    if not holds(1.5):
        return {"low": 0.0, "high": 1.0 if holds(1.0) else 0.999, "scale": "linear"}
    if holds(-1.0):
        reach = max(4.0, 2 * abs(value))
        return {"low": -reach, "high": reach, "scale": "linear"}
    centre = abs(usual or value) or 0.01
    return {
        "low": min(centre / 1000, value or centre),
        "high": max(centre * 1000, value),
        "scale": "powers",
        "zero": bool(holds(0.0)),
    }


def family_of(formula: Formula) -> str | None:
    """The family whose formulas may stand in its place."""
    return next((name for name in SHOWN if isinstance(formula, FAMILIES[name])), None)


def page_of(text: str) -> dict[str, Any]:
    """The mathematics of a formula in notation, with its numbers: MathML, curves, reference.

    >>> page_of("ELU(alpha=1.0)")["name"]
    'ELU'
    """
    formula = read(text, Formula)
    kind = type(formula)
    shown = [*equations(formula, True), *derivatives(formula, True)]
    drawn = curves(formula, points=161)
    return {
        "name": kind.__name__,
        "title": kind.title(),
        "notation": repr(formula),
        "family": family_of(formula),
        "reference": kind.reference(),
        "equations": [{"mathml": each.mathml(), "remark": each.remark} for each in shown],
        "curves": {
            name: [np.asarray(curve.x, float).tolist(), np.nan_to_num(np.asarray(curve.y, float)).tolist()]
            for name, curve in drawn.items()
        },
        "formula": described(formula),
    }


def edited(formula: Formula, path: list[Any], value: Any) -> Formula:
    """A formula with another value at a place in it: names of fields, and numbers of layers in an operation.

    >>> from chainrule.layers import Dense
    >>> from chainrule.activations import ELU
    >>> edited(Dense(4) >> ELU(), [1, "alpha"], 2.0)
    Dense(4) >> ELU(alpha=2.0)
    """
    if not path:
        return read(value, Formula) if isinstance(value, str) else value
    step, *rest = path
    if isinstance(formula, Operation) and isinstance(step, int) and 0 <= step < len(formula.layers):
        layers = [*formula.layers]
        layers[step] = edited(layers[step], rest, value)  # type: ignore[call-overload]
        return type(formula)(tuple(layers))
    if not isinstance(formula, Formula) or step not in [field.name for field in fields(formula)]:
        raise ChainruleError(f"{formula!r} has no field {str(step)[:40]!r}.")
    field = next(field for field in fields(formula) if field.name == step)
    inner = getattr(formula, field.name)
    if rest or isinstance(inner, Formula):
        return dataclasses.replace(formula, **{step: edited(inner, rest, value)})  # type: ignore[type-var]
    return dataclasses.replace(formula, **{step: _plain(value, field)})  # type: ignore[type-var]


def _value(text: str) -> Any:
    """A value in notation: a formula, or a number, a shape, a text or None."""
    try:
        return ast.literal_eval(text[:LONGEST].strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return read(text, Formula)


def _plain(value: Any, field: dataclasses.Field) -> Any:
    """A value from the page: a number or flag as it is, text as one of the choices, or as notation."""
    constraint = constraint_of(field)
    if isinstance(value, str):
        chosen = [each for each in (constraint.choices if constraint else ()) if notation(each) == value]
        return chosen[0] if chosen else _value(value)
    if isinstance(value, float) and field.type is int and value.is_integer():
        return int(value)
    return value
