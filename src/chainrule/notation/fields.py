"""The fields of formulas by their paths, which are scikit-learn's names of parameters."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from chainrule.errors import ChainruleError
from chainrule.formula import base
from chainrule.formula.base import Formula
from chainrule.notation import parse

EVERY = "*"
"""A step of a path that stands for every formula below, wherever it is."""


def fields(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every field below a formula, by its path; the formulas of a tuple are named by their place."""
    for name, inner in _inner(value).items():
        yield f"{path}__{name}", inner
        yield from fields(f"{path}__{name}", inner)


def _inner(value: Any) -> dict[str, Any]:
    if isinstance(value, Formula):
        return {field.name: getattr(value, field.name) for field in base.fields(value)}
    if isinstance(value, tuple) and all(isinstance(item, Formula) for item in value):
        return {str(place): item for place, item in enumerate(value)}
    return {}


def replaced(value: Any, path: Sequence[str], new: Any, who: str) -> Any:
    """A formula with another value at the end of a path of fields; `*` is every formula that has the field behind it.

    >>> from chainrule import parse
    >>> replaced(parse("Dense(8) >> Dropout(0.1) >> Dense(4) >> Dropout(0.1)"), ("*", "rate"), 0.5, "rate")
    Dense(8) >> Dropout(rate=0.5) >> Dense(4) >> Dropout(rate=0.5)
    """
    if not path:
        return parse(new) if isinstance(new, str) and not isinstance(value, str) else new
    name, *rest = path
    inner = _inner(value)
    if name == EVERY and rest and _has(value, rest[0]):
        changed = {
            name: replaced(each, path, new, who) if _has(each, rest[0]) else each for name, each in inner.items()
        }
        value = _rebuilt(value, changed)
        return replaced(value, rest, new, who) if rest[0] in inner else value
    if name not in inner:
        known = ", ".join(inner) or "none"
        raise ChainruleError(f"{who} is no parameter: {value!r} has the fields {known}, not {(rest or path)[0]!r}.")
    return _rebuilt(value, inner | {name: replaced(inner[name], rest, new, who)})


def below(value: Any) -> Iterator[Any]:
    """A formula, and every one within it, or within a tuple."""
    yield value
    for inner in _inner(value).values():
        yield from below(inner)


def _has(value: Any, name: str) -> bool:
    return any(name in _inner(formula) for formula in below(value))


def _rebuilt(value: Any, inner: dict[str, Any]) -> Any:
    return tuple(inner.values()) if isinstance(value, tuple) else dataclasses.replace(value, **inner)
