"""The fields of formulas by their paths, which are scikit-learn's names of parameters."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from chainrule.errors import ChainruleError
from chainrule.formula import base
from chainrule.formula.base import Formula
from chainrule.notation import parse


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
    """A formula with another value at the end of a path of fields."""
    if not path:
        return parse(new) if isinstance(new, str) and not isinstance(value, str) else new
    name, *rest = path
    inner = _inner(value)
    if name not in inner:
        known = ", ".join(inner) or "none"
        raise ChainruleError(f"{who} is no parameter: {value!r} has the fields {known}, not {name!r}.")
    changed = inner | {name: replaced(inner[name], rest, new, who)}
    return tuple(changed.values()) if isinstance(value, tuple) else dataclasses.replace(value, **changed)
