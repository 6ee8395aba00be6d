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
from chainrule.optimizers import Adam, Clipping, Optimizer
from chainrule.textbook.curves import curves, sections
from chainrule.textbook.equations import derivatives, equations

F = TypeVar("F", bound=Formula)

SHOWN = (
    "activations", "layers", "costs", "regularizers", "constraints", "optimizers", "schedules", "initializers",
    "metrics",
)  # fmt: skip

EXAMPLES: dict[type, str] = {int: "4", float: "0.1", Optimizer: "Adam()", Clipping: "ClipNorm(1.0)", Layer: "Dense(4)"}
"""What stands in a field that has no default, until somebody chooses."""

NAMED = {"initial": "0.01", "maximum": "0.01", "value": "0.01", "every": "10", "strength": "0.001"}
"""The same for fields of these names."""

GIVEN = {
    "Reshape": "(2, 1)",
    "Permute": "(1,)",
    "EntityEmbedding": "(4,), 2",
    "Bidirectional": "LSTM(4)",
    "Add": "(Identity(), Dense(2))",
    "Multiply": "(Dense(4), Dense(4) >> Sigmoid())",
    "Concatenate": "(Identity(), Dense(4))",
    "Sum": "(L1(0.001), L2(0.001))",
}
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
    """The families: of each its kinships, of these the formulas.

    Of each the name, the line, the notation, that of a clipping with an optimizer, as it is of no use alone, and the
    classes of fields that it may stand in.
    """
    families = {
        name: {
            kinship: [kind for kind in kinds if kind.__name__ != FORBIDDEN] for kinship, kinds in kinships(name).items()
        }
        for name in SHOWN
    }
    every = [kind for kinships in families.values() for kinds in kinships.values() for kind in kinds]
    held = {base for kind in every for field in fields(kind) for base in _held(field)}
    return {
        name: {kinship: [_entry(kind, held) for kind in kinds] for kinship, kinds in kinships.items()}
        for name, kinships in families.items()
    }


def _entry(kind: type[Formula], held: set[type[Formula]]) -> dict[str, Any]:
    text = usual(kind)
    alone = f"{text} >> {usual(Adam)}" if issubclass(kind, Clipping) else text
    bases = sorted(base.__name__ for base in held if issubclass(kind, base))
    return {"name": kind.__name__, "title": kind.title(), "notation": text, "alone": alone, "bases": bases}


def usual(kind: type[Formula]) -> str | None:
    """The notation of a formula with its defaults, or examples where a field has none; None where that is hard.

    >>> from chainrule.optimizers import ClipNorm
    >>> usual(ClipNorm)
    'ClipNorm(max_norm=1.0)'
    """
    needed = [_example(field) for field in fields(kind) if field.default is dataclasses.MISSING]
    said = GIVEN.get(kind.__name__, ", ".join(map(str, needed)))
    try:
        return repr(parse(f"{kind.__name__}({said})"))
    except ChainruleError:
        return None


def _example(field: dataclasses.Field) -> str | None:
    """What stands for a value of a field: of a union, of the first type."""
    if field.name in NAMED:
        return NAMED[field.name]
    first = (get_args(field.type) or (field.type,))[0]
    found = (text for base, text in EXAMPLES.items() if isinstance(first, type) and issubclass(first, base))
    return next(found, None)


def _held(field: dataclasses.Field) -> list[type[Formula]]:
    """The classes of the formulas that a field may hold, alone, in a tuple, or beside something else."""
    return [
        each for each in get_args(field.type) or (field.type,) if isinstance(each, type) and issubclass(each, Formula)
    ]


def described(formula: Formula) -> dict[str, Any]:
    """A formula as the page shows it: its notation and its fields; inner formulas are described alike."""
    return {
        "name": type(formula).__name__,
        "notation": repr(formula),
        "title": type(formula).title(),
        "fields": [_field(formula, field) for field in fields(formula)],
    }


def _field(formula: Formula, field: dataclasses.Field) -> dict[str, Any]:
    value, constraint = getattr(formula, field.name), constraint_of(field)
    row = {
        "name": field.name,
        "meaning": field.metadata.get("meaning", ""),
        "expected": constraint.expected if constraint else "",
        "bases": [base.__name__ for base in _held(field)],
        "otherwise": _otherwise(field),
    }
    if isinstance(value, Formula):
        return row | {"type": "formula", "value": described(value)}
    if isinstance(value, tuple) and row["bases"]:
        return row | {"type": "formulas", "value": [*map(described, value)]}
    if isinstance(value, bool):
        return row | {"type": "flag", "value": value}
    if constraint and constraint.choices:
        return row | {"type": "choice", "value": notation(value), "choices": [*map(notation, constraint.choices)]}
    if isinstance(value, int | float):
        return row | {"type": "number", "value": value, **_range(value, constraint, field)}
    return row | {"type": "notation", "value": notation(value)}


def _otherwise(field: dataclasses.Field) -> Any:
    """What a field holds where it holds no formula: its default, or an example."""
    return _example(field) if field.default is dataclasses.MISSING else notation(field.default)


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
    drawn = curves(formula, points=161) | sections(formula, points=161)
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
    """A formula with another value at a place in it: names of fields, and numbers of layers and of a sum's terms.

    A formula among several is taken away by an empty text, and added behind the last one.

    >>> from chainrule.layers import Dense
    >>> from chainrule.activations import ELU
    >>> edited(Dense(4) >> ELU(), [1, "alpha"], 2.0)
    Dense(4) >> ELU(alpha=2.0)
    >>> edited(Dense(4) >> ELU(), ["layers", 2], "Dense(3)")
    Dense(4) >> ELU(alpha=1.0) >> Dense(3)
    """
    if not path:
        return read(value, Formula) if isinstance(value, str) else value
    if isinstance(formula, Operation) and isinstance(path[0], int):
        path = ["layers", *path]
    name, *rest = path
    field = next((field for field in fields(formula) if field.name == name), None)
    if field is None:
        raise ChainruleError(f"{formula!r} has no field {str(name)[:40]!r}.")
    inner = getattr(formula, field.name)
    if not rest:
        changed = _plain(value, field)
    elif isinstance(inner, tuple):
        changed = _with(formula, inner, rest, value)
    elif isinstance(inner, Formula):
        changed = edited(inner, rest, value)
    else:
        raise ChainruleError(f"{inner!r} has no field {str(rest[0])[:40]!r}.")
    return dataclasses.replace(formula, **{field.name: changed})  # type: ignore[type-var]


def _with(formula: Formula, several: tuple[Any, ...], path: list[Any], value: Any) -> tuple[Any, ...]:
    """Several formulas, those of a formula's field, with another value at a place in one of them."""
    place, *rest = path
    if not isinstance(place, int) or not 0 <= place < len(several) + (not rest):
        raise ChainruleError(f"{formula!r} has no field {str(place)[:40]!r}.")
    away = value == "" and not rest
    changed = () if away else (edited(several[place], rest, value) if rest else read(str(value), Formula),)
    return (*several[:place], *changed, *several[place + 1 :])


def _value(text: str) -> Any:
    """A value in notation: a formula, or a number, a shape or None; other words as they are, for the field to refuse.

    >>> _value("(2, 1)"), _value("a lot")
    ((2, 1), 'a lot')
    """
    try:
        return ast.literal_eval(text[:LONGEST].strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return read(text, Formula) if "(" in text else text


def _plain(value: Any, field: dataclasses.Field) -> Any:
    """A value from the page: a number or flag as it is, text as one of the choices, or as notation."""
    constraint = constraint_of(field)
    if isinstance(value, str):
        chosen = [each for each in (constraint.choices if constraint else ()) if notation(each) == value]
        return chosen[0] if chosen else _value(value)
    if isinstance(value, float) and field.type is int and value.is_integer():
        return int(value)
    return value
