"""Constraints of fields: declared once, they check the value, word the message and feed the tests."""

import dataclasses
import math
from collections.abc import Callable
from numbers import Real
from typing import Any, NamedTuple


class Constraint(NamedTuple):
    """What a field allows: in words, as a test of plain values, by what it refuses, and by its choices, if few."""

    expected: str
    holds: Callable[[Any], bool]
    invalid: tuple
    choices: tuple = ()


def constrained(default: Any, meaning: str, expected: str, holds: Callable[[Any], bool], invalid: tuple) -> Any:
    """A dataclass field with a constraint, and its meaning for people."""
    constraint = Constraint(expected, holds, invalid)
    return dataclasses.field(default=default, metadata={"constraint": constraint, "meaning": meaning})


def number(default: Any = dataclasses.MISSING, meaning: str = "") -> Any:
    """Any finite number."""
    return constrained(default, meaning, "a finite number", _is_number, (math.inf, math.nan, "1", None))


def positive(default: Any = dataclasses.MISSING, meaning: str = "") -> Any:
    """A finite number above 0."""

    def holds(v: Any) -> bool:
        return _is_number(v) and v > 0

    return constrained(default, meaning, "a number > 0", holds, (0.0, -1.0, math.inf, math.nan, "1", None))


def non_negative(default: Any = dataclasses.MISSING, meaning: str = "") -> Any:
    """A finite number, 0 or above."""

    def holds(v: Any) -> bool:
        return _is_number(v) and v >= 0

    return constrained(default, meaning, "a number >= 0", holds, (-1.0, math.inf, math.nan, "1", None))


def fraction(default: Any = dataclasses.MISSING, meaning: str = "") -> Any:
    """A number from 0 up to, not including, 1."""

    def holds(v: Any) -> bool:
        return _is_number(v) and 0 <= v < 1

    return constrained(default, meaning, "a number >= 0 and < 1", holds, (-0.1, 1.0, math.nan, "1", None))


def share(default: Any = dataclasses.MISSING, meaning: str = "") -> Any:
    """A number from 0 to 1, both included."""

    def holds(v: Any) -> bool:
        return _is_number(v) and 0 <= v <= 1

    return constrained(default, meaning, "a number from 0 to 1", holds, (-0.1, 1.1, math.nan, "1", None))


def positive_int(default: Any = dataclasses.MISSING, meaning: str = "") -> Any:
    """A whole number, 1 or above."""

    def holds(v: Any) -> bool:
        return type(v) is int and v >= 1

    return constrained(default, meaning, "a whole number >= 1", holds, (0, -1, 1.5, True, "1", None))


def axes(default: Any = dataclasses.MISSING, meaning: str = "") -> Any:
    """The lengths of some axes: a tuple of whole numbers, each 1 or above."""

    def holds(v: Any) -> bool:
        return type(v) is tuple and all(type(axis) is int and axis >= 1 for axis in v)

    return constrained(default, meaning, "a tuple of whole numbers >= 1", holds, ((0,), (2, -1), (1.5,), 3, None))


def one_of(*choices: Any, default: Any = dataclasses.MISSING, meaning: str = "") -> Any:
    """One of the values named."""
    expected = "one of " + ", ".join(map(repr, choices))
    constraint = Constraint(expected, lambda v: v in choices, ("?",), choices)
    return dataclasses.field(default=default, metadata={"constraint": constraint, "meaning": meaning})


def optional(field: Any) -> Any:
    """The same constraint, or None, which is then the default."""
    inner: Constraint = field.metadata["constraint"]

    def holds(v: Any) -> bool:
        return v is None or inner.holds(v)

    invalid = tuple(value for value in inner.invalid if value is not None)
    return constrained(None, field.metadata["meaning"], f"{inner.expected}, or None", holds, invalid)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
